//! Rules as ODRL 2.2, and ODRL as the draft of a rule set: what cannot be said is refused by name, never dropped.
//!
//! [`document`] writes a rule set as one JSON document: a policy for each tier (ODRL has no tiers), and beside them the
//! links, the reasons and the obligation sets that no rule uses. [`import`] reads such a document, or a plain ODRL
//! policy, into a [`Draft`]; a draft becomes a rule set only through the strict loader, like any folder. Export and
//! import are each other's inverse: the rule set that comes back has the same digest.
//!
//! [`duties`] and [`obligations`] do the same for the obligations of one decision, in the form that offers and
//! agreements carry; [`announce`] finds by deciding what an offer may say to one party.
//!
//! What it is not: no JSON-LD processor. The compact form is written, and what else is read stands in
//! `docs/odrl.md`; contexts are never fetched. Begin with `columns.rs`, the one table of a rule's columns.

mod announce;
mod columns;
mod draft;
mod duty;
mod export;
mod import;
mod model;
mod names;
mod problem;
mod read;
mod terms;

pub use announce::{Announced, Announcement, BasisTerm, Stated, announce};
pub use draft::Draft;
pub use duty::{duties, obligations};
pub use export::{document, export};
pub use import::import;
pub use model::{OdrlConstraint, OdrlDuty, OdrlPolicy, OdrlRule, Operator, Right, Spelling};
pub use names::{PROFILE, iri_of, name_of};
pub use problem::{OdrlCode, OdrlError, OdrlProblem};
pub use terms::action_of;
