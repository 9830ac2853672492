//! What the columns of received rows are, kept beside them: a CSV does not say it, and the manifest goes with the inbox.

use std::path::PathBuf;

use exchange::Manifest;
use exchange::manifest::Column;

use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::records::Exchange;

fn path(node: &Node, exchange: &Exchange) -> PathBuf {
    node.dir.join("received").join(format!("{}.columns.json", exchange.id))
}

/// Keeps the columns of a manifest that was verified.
pub fn keep(node: &Node, exchange: &Exchange, manifest: &Manifest) -> Result<()> {
    let bytes = serde_json::to_vec(&manifest.schema.columns).map_err(Error::internal)?;
    files::write_atomic(&path(node, exchange), &bytes)
}

/// The columns; none for rows that were received before columns were kept, or erased.
pub fn read(node: &Node, exchange: &Exchange) -> Option<Vec<Column>> {
    serde_json::from_slice(&std::fs::read(path(node, exchange)).ok()?).ok()
}

/// Forgets them, with the rows.
pub fn forget(node: &Node, exchange: &Exchange) -> Result<()> {
    files::remove(&path(node, exchange))
}
