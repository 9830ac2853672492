//! What an auditor does with a ledger, wherever it lies: check it, ask it, take a part of it away, hold two against each
//! other, follow one.
//!
//! Promise: nothing here trusts the node that is audited. Every entry that is shown has been proved to stand in the tree
//! that the log signed; keys come from what the auditor gives, and where they come from the place itself that is said.
//!
//! Begin with [`place::Opened`], which turns a folder, mirror, address or bundle into one thing to read; then the verbs:
//! [`check`], [`filter`], [`bundle`], [`reconcile`], [`watch`]. [`record`] is for the other side: a node writes into its
//! own ledger who read it.

pub mod bundle;
pub mod check;
pub mod filter;
pub mod http;
pub mod place;
pub mod reconcile;
pub mod record;
pub mod stamps;
pub mod trust;
pub mod watch;

use ledger::LedgerError;

use crate::error::Error;

/// A failure of reading a log, as the node's own error: what does not fit is a failed verification (exit code 4), a line
/// that is down is an unreachable place (5).
pub fn told(error: LedgerError) -> Error {
    match error {
        LedgerError::Io { path, source, .. } => Error::io(&path, source),
        LedgerError::Unreadable { .. } => Error::Unreachable(error.to_string()),
        other => Error::Verification(other.to_string()),
    }
}
