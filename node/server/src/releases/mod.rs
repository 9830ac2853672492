//! Releases: rows under a decision as Parquet files that lie ready, for readers that want a list of files and their sizes
//! (Delta Sharing, Spark, DuckDB), and short-lived links to them.
//!
//! **What it is.** [`make`] runs the governed view of an exchange into part files, once for everything that a decision turns
//! on: recipient, agreement, obligations, rule set, version and bytes of the data, columns and conditions. Who asks for the
//! same gets the same files until they expire; any other recipient or rule set gets others under another name, because
//! clients cache by name. [`link`] signs an address of one file; [`serve`] answers it, as often as it is asked until it
//! expires, and asks the gate each time: a right that was revoked, or a rule that became stricter, ends it at once.
//!
//! **What it is not.** What a peer gets are chunks and a manifest ([`crate::flow::produce`]); these files are for its tools.
//! A release is part of an exchange that is complete, with its statement and acknowledgement: making one is a decision in
//! the ledger, reading it is not counted again. So rows under a quota, and rows that must be acknowledged before they are
//! read, are not released.

pub mod link;
mod serve;
mod spool;

use std::path::PathBuf;
use std::sync::Arc;

use dataplane::PartLimits;
use serde::{Deserialize, Serialize};

pub use self::serve::{PATH_BEGIN, file, path, serve};
pub use self::spool::sweep;
use crate::error::{Error, Result};
use crate::flow::protocol::known;
use crate::flow::provider::{self, No};
use crate::gate::Permit;
use crate::node::Node;
use crate::operation::Operation;
use crate::query::QueryDoc;
use crate::records::{Exchange, Side, Stage};

/// Parts under one decision, as they lie in the node's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Name: hex of a SHA-256 over all that the rows depend on.
    pub id: String,
    /// Key of the exchange under which the gate is asked again.
    pub exchange: String,
    /// Participant id of the recipient.
    pub recipient: String,
    /// Dataset.
    pub dataset: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of the decision under which the rows were made, hex; links are bound to it.
    pub decision: String,
    /// What the rows were made under.
    pub obligations: serde_json::Value,
    /// When, Unix seconds.
    pub made: i64,
    /// Until when it is kept, Unix seconds.
    pub expires: i64,
    /// The files.
    pub files: dataplane::PartsSummary,
}

fn folder(node: &Node) -> PathBuf {
    node.dir.join("releases")
}

/// The release of an exchange's rows that is in force now: made if it is not there.
///
/// # Errors
/// [`Error::Refused`] with the rules' reason; [`Error::Conflict`] where rows are not given in this way.
pub async fn make(node: &Arc<Node>, operation: &Operation, exchange: &Exchange) -> Result<Release> {
    if exchange.side != Side::Provider || exchange.stage != Stage::Completed {
        return Err(Error::conflict(format!(
            "exchange `{}` is {}; files are made of what this node provided, once the exchange is complete",
            exchange.id,
            exchange.stage.word()
        )));
    }
    let row = known(node, exchange.transfer.as_deref().unwrap_or_default())
        .map_err(|_| Error::conflict(format!("exchange `{}` was erased; ask again", exchange.id)))?;
    let permitted = provider::permitted(node, operation, exchange, &row).await?;
    let (permit, query) = permitted.map_err(told)?;
    if query.since.is_some() {
        return Err(Error::conflict(
            "a copy that is kept current comes by exchanges; ask for files of one without `since`",
        ));
    }
    make_for(node, operation, exchange, &permit, &query).await
}

/// The same under a permit that was just given.
///
/// # Errors
/// As [`make`].
pub async fn make_for(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    permit: &Permit,
    query: &QueryDoc,
) -> Result<Release> {
    fits(node, operation, exchange, permit)?;
    spool::find_or_make(node, operation, exchange, permit, query).await
}

/// The release of an exchange's rows, if it is there and good for as long as a link.
///
/// # Errors
/// The store's.
pub fn kept(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    permit: &Permit,
    query: &QueryDoc,
) -> Result<Option<Release>> {
    spool::kept(node, operation, exchange, permit, query)
}

fn told(no: No) -> Error {
    match no {
        No::Refusal(refusal, _) => Error::Refused(refusal),
        No::Request(_, why) => Error::conflict(why),
    }
}

/// What the rules demand and files in a folder cannot keep.
fn fits(node: &Node, operation: &Operation, exchange: &Exchange, permit: &Permit) -> Result<()> {
    let obligations = permit.obligations();
    if !obligations.quota.is_empty() {
        return Err(Error::conflict(
            "rows under a quota are counted by transfer; ask for them by an exchange",
        ));
    }
    if obligations.differential_privacy.is_some() {
        return Err(Error::conflict(
            "each answer of these rows is paid for from a privacy budget; ask for them by an exchange",
        ));
    }
    if exchange.receipt_first || crate::datasets::demand(node, &exchange.dataset)?.record.receipt_first {
        return Err(Error::conflict(
            "these rows must be acknowledged before they are read, so no files of them are made",
        ));
    }
    let rate = obligations.rate_per_min;
    if rate.is_some_and(|n| !node.rates.allow(&exchange.peer, &exchange.dataset, n.get(), operation.now)) {
        return Err(Error::Refused(Box::new(provider::too_often(rate.map_or(0, std::num::NonZeroU32::get)))));
    }
    Ok(())
}

/// How large parts are, from the configuration.
fn part_limits(node: &Node) -> Result<PartLimits> {
    let section = &node.config.files;
    PartLimits::new(u64::from(section.part_mib) << 20, section.part_rows).map_err(Error::internal)
}
