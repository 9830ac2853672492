//! RUNS: one node of an agency, from its doors to its workers, and the command line that drives it.
//!
//! What it is: everything that joins the leaf crates into a node. Three doors ([`peer`] for other nodes, [`local`] for the
//! agency itself, [`public`] for everybody else), the [`gate`] that turns every wish into a permit or a refusal, the [`flow`]s that bring an exchange to
//! its end, and the [`cli`].
//!
//! What it is not: it decides no rule (`policy`), moves no row (`dataplane`), knows no state machine of the protocol
//! (`exchange`) and proves nothing itself (`ledger`, `certs`); it asks them.
//!
//! Begin with [`boot::open`], which builds the world in order, then [`node::Node`], which is the world.

pub mod answer;
pub mod approvals;
pub mod audit;
pub mod boot;
pub mod cli;
pub mod compliance;
pub mod config;
pub mod crawl;
pub mod datasets;
mod decisions;
pub mod demo;
pub mod dsp;
pub mod enforce;
pub mod error;
pub mod escrow;
pub mod files;
pub mod flow;
pub mod gate;
pub mod keybook;
pub mod kinds;
pub mod ledger_check;
pub mod limits;
pub mod line;
pub mod linkage;
pub mod lint;
pub mod local;
pub mod monitor;
pub mod node;
pub mod operation;
pub mod outbound;
pub mod outbox;
pub mod parties;
pub mod peer;
pub mod peers;
pub mod privacy;
pub mod public;
pub mod query;
pub mod questions;
pub mod rate;
pub mod records;
pub mod releases;
pub mod represent;
pub mod rules;
pub mod shown;
pub mod sources;
pub mod stamping;
pub mod statement_view;
pub mod subscriptions;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod usage;
pub mod versions;
pub mod web;
pub mod witness;

pub use error::{Error, Result};
