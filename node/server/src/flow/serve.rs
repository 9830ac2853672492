//! Serving what was made: the manifest and the chunks of a spool, each under a permit, and the sweep of spools whose time is
//! over.
//!
//! **What it is not.** It makes nothing: [`super::produce`] does, while this already serves what is written.

use std::collections::HashSet;

use dataplane::{ChunkFile, DataError, SpoolReader};

use super::produce::{LIVE_ROWS, folder};
use super::{manifest, statement};
use crate::error::{Error, Result};
use crate::gate::Permit;
use crate::limits;
use crate::node::Node;
use crate::records::Exchange;

/// The signed manifest, once the statement about it is in the ledger; `None` while the view is still computed.
pub fn signed_manifest(node: &Node, permit: &Permit, exchange: &Exchange) -> Result<Option<Vec<u8>>> {
    permit.demand_for(&exchange.peer, &exchange.dataset, &statement::DATA)?;
    let logged = exchange.statement.as_ref().is_some_and(|leaf| leaf.index.is_some());
    let path = manifest::path(node, exchange);
    if !logged || !path.exists() {
        return Ok(None);
    }
    std::fs::read(&path).map(Some).map_err(|e| Error::io(&path, e))
}

/// One chunk, open; `None` while it is not written yet. Waits a little for one that is being made.
pub async fn chunk(
    node: &Node,
    permit: &Permit,
    exchange: &Exchange,
    number: u64,
) -> Result<Option<ChunkFile>> {
    permit.demand_for(&exchange.peer, &exchange.dataset, &statement::DATA)?;
    // So is what carries noise that was paid for: made anew after a crash it would carry another.
    let counted =
        !permit.obligations().quota.is_empty() || permit.obligations().differential_privacy.is_some();
    // What a quota is on is served when all of it is made and counted: a reader that leaves in the middle must not come back
    // for the same rows.
    if counted && exchange.counted.is_none() {
        return Ok(None);
    }
    // Sealed rows are served when all of them are sealed under the key that the manifest names.
    if exchange.receipt_first && !manifest::path(node, exchange).exists() {
        return Ok(None);
    }
    let reader = match node.productions.reader(&exchange.key()) {
        Some(reader) => reader,
        None => match SpoolReader::open(&folder(node, exchange)) {
            Ok(reader) => {
                node.productions.opened(&exchange.key(), reader.clone());
                reader
            }
            // Not begun yet, or being made again after a restart.
            Err(_) => return Ok(None),
        },
    };
    let _late = tokio::time::timeout(limits::CHUNK_WAIT, reader.wait_for(number)).await;
    match reader.open_chunk(number).await {
        Ok(found) => Ok(found),
        Err(DataError::NoChunk(_)) => {
            Err(Error::not_found(format!("there is no chunk {number}; the manifest lists them")))
        }
        Err(error @ DataError::Spool(_)) => {
            // The next look at the exchange finds the same and has the rows made again.
            tracing::warn!(exchange = exchange.id, %error, "a chunk cannot be served");
            Ok(None)
        }
        Err(error) => Err(Error::internal(error)),
    }
}

/// Deletes spools that nobody has touched for long enough, unless their exchange still goes on.
pub fn sweep(node: &Node) -> Result<()> {
    let open: HashSet<Vec<u8>> = super::unfinished(node).into_iter().collect();
    node.productions.keep_only(&open);
    let spool = node.dir.join("spool");
    for entry in std::fs::read_dir(&spool).map_err(|e| Error::io(&spool, e))?.flatten() {
        let name = entry.file_name().to_string_lossy().replacen('-', "/", 1);
        // Beside the folder of an exchange lies what was read of a live source for it.
        if open.contains(format!("p/{}", name.strip_suffix(LIVE_ROWS).unwrap_or(&name)).as_bytes()) {
            continue;
        }
        let touched = entry.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
        let kept = match super::direct::is_answer(&entry.path()) {
            true => limits::DIRECT_SECONDS,
            false => limits::SPOOL_SECONDS,
        };
        if touched.is_some_and(|age| age.as_secs() > kept.unsigned_abs()) {
            let path = entry.path();
            if let Err(error) = std::fs::remove_dir_all(&path) {
                tracing::warn!(path = %path.display(), %error, "an old spool could not be removed");
            }
        }
    }
    Ok(())
}
