//! MAY: who may have which data for which purpose, and under which obligations.
//!
//! One [`Question`] and the [`Facts`] this node holds go in; one [`Decision`] comes out: a permit with
//! [`Obligations`], or a [`Refusal`] with reason, legal basis and plain words. [`Engine::decide`] is pure: no clock,
//! no network, no disk, no memory of earlier questions. [`Engine::decide_cached`] gives the same answers and remembers
//! some of them until time crosses an edge.
//!
//! What stands behind it: legal invariants that no editor can switch off ([`Invariants`]), then the rules of a
//! [`RuleSet`] judged by casbin. Around casbin stand a strict loader (casbin itself has no schema), an index that
//! gives it only the rules that could match, a frozen closure of the links, and an effector that notes every match.
//!
//! What it is not: it does not find the facts (registry, catalog and store do), does not carry out obligations (the
//! data plane does), and does not store decisions (the ledger does).
//!
//! Begin with [`RuleSet::builtin`] or [`RuleSet::from_folder`], then [`Engine::new`], then [`Engine::decide`].

pub mod access;
mod bearing;
mod boxes;
mod builtin;
mod cache;
mod calendar;
pub mod cases;
mod closure;
mod columns;
mod decision;
pub mod diff;
mod digest;
mod disclosure;
mod effector;
mod engine;
mod explain;
mod help;
mod ids;
pub mod impact;
mod index;
mod invariants;
mod judge;
mod lean;
pub mod limits;
mod linkage;
pub mod lint;
mod load;
mod mask;
mod minute;
pub mod mutation;
mod obligations;
pub mod odrl;
pub mod pack;
mod predicate;
mod question;
mod quota;
mod reason;
mod reason_eu;
mod registry;
pub mod review;
mod rule;
mod rule_set;
mod standing;
pub mod strictness;
mod text;
mod unique;
mod window;

pub use bearing::Bearing;
pub use boxes::RuleColumn;
pub use builtin::texts as builtin_files;
pub use calendar::{Calendar, CalendarError, KnownYear, Undecided};
pub use decision::{ConsumerView, Decision, Effect, Permitted};
pub use digest::{CanonError, Digest};
pub use disclosure::{
    Bounds, DifferentialPrivacy, Epsilon, Largest, NoiseLevel, PPercent, Period, RoundBase, Share,
};
pub use engine::Engine;
pub use explain::{
    Change, Condition, ConsumerExplanation, Explanation, Field, Help, MissingDocument, NearRule,
};
pub use ids::{
    AgreementId, BasisId, CollectionId, DatasetId, GroupId, IdError, ObligationSetId, PlaceId, PurposeId,
    RoleId, RouteId, RuleId, SectorId, SubjectId, TagId, UnitId, ZoneId,
};
pub use invariants::Invariants;
pub use judge::JudgeError;
pub use linkage::{LINKAGE_ID_DIGITS, LINKAGE_NAME_MAX, Linkage};
pub use load::{Files, Form, LoadError, Problem, ProblemCode, convert};
pub use mask::{Generalization, Mask, SHOWN_MAX, Shown};
pub use minute::{Minute, MinuteError};
pub use obligations::{Aggregate, CountedBy, GroupSize, Level, Obligations, RoleName};
pub use predicate::{Column, Finite, Op, Predicate, PredicateError, Value};
pub use question::{
    AgreementFacts, Country, DataClass, DatasetFacts, Dpia, Facts, PartyFacts, Personal, Question,
    SharingKind,
};
pub use quota::{Measure, Quota, Usage};
pub use reason::{ReasonCode, Refusal};
pub use registry::Registry;
pub use rule::{Action, Class, Link, LinkKind, Pattern, Recorded, Rule, RuleEffect, Tier, When};
pub use rule_set::{Reason, RuleSet};
pub use text::{Citation, SourceMark, Text, TextError};
