//! Before anything is signed: what do this node's witnesses know of its ledger? One that knows more, or another history,
//! shows that this folder came back from an old backup.

use std::time::Duration;

use futures::future::join_all;
use ledger::checkpoint::SignedCheckpoint;
use ledger::merkle::verify_consistency;
use ledger::witness::origin_path;

use crate::error::{Error, Result};
use crate::node::Node;
use crate::outbound::Call;

/// How long a witness may take to answer at start: one that is down must not keep the node down.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to do then, for every such error.
pub const WHAT_TO_DO: &str = "this folder came back from an old backup, or the ledger was run twice; nothing was signed. Put back the newest \
`ledger/` folder; if the newer entries are lost for good, this node needs a new ledger: init it anew under a new id and pair again (docs/ledger.md)";

/// Asks every witness that can be reached; an error when one of them knows what this ledger does not.
pub async fn check(node: &Node) -> Result<()> {
    let asked = node.config.ledger.witnesses.iter().flat_map(|section| &section.peers);
    for outcome in join_all(asked.map(|witness| known_by(node, witness))).await {
        match outcome {
            Ok(None) => {}
            Ok(Some(why)) => return Err(Error::conflict(why)),
            Err(error) => {
                tracing::warn!(%error, "a witness could not be asked at start; it is asked again later")
            }
        }
    }
    Ok(())
}

/// What a witness knows of this ledger that this folder does not, in words. It is believed for this ledger's own signature
/// on what it shows, and for nothing else: no witness can stop a node by its word.
pub async fn known_by(node: &Node, witness: &str) -> Result<Option<String>> {
    let route = node.peers.route(witness)?;
    let url = format!("{}/tram/witness/{}/checkpoint", route.endpoint, origin_path(&node.ledger_origin()));
    let call = Call { timeout: PATIENCE, ..Call::get(url) };
    let answer = node.outbound.call(node, &route, call).await?;
    // It never cosigned anything of this ledger.
    if answer.status == http::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = answer.success()?;
    let keys = crate::ledger_check::keys(node.descriptor.descriptor())?;
    let seen = SignedCheckpoint::open(&answer.body, &keys)
        .map_err(|e| Error::Peer(format!("what {witness} cosigned is not this ledger's word: {e}")))?;
    if seen.checkpoint().origin.as_str() != node.ledger_origin() {
        return Err(Error::Peer(format!("{witness} shows a checkpoint of another ledger")));
    }
    compare(node, witness, &seen)
}

/// Whether what a witness saw is a part of this ledger.
fn compare(node: &Node, witness: &str, seen: &SignedCheckpoint) -> Result<Option<String>> {
    let (seen, held) = (seen.checkpoint(), node.ledger.size());
    if seen.size > held {
        return Ok(Some(format!(
            "the witness {witness} knows {} entries of this ledger, and this folder has {held}: {WHAT_TO_DO}",
            seen.size
        )));
    }
    let Ok(published) = node.ledger.checkpoint() else { return Ok(None) };
    let now = published.checkpoint();
    if seen.size == 0 || seen.size > now.size {
        return Ok(None);
    }
    let path = node.ledger.consistency(seen.size, now.size).map_err(Error::internal)?;
    let fits = verify_consistency(seen.size, &seen.root, now.size, &now.root, &path).is_ok();
    Ok((!fits).then(|| {
        format!(
            "the witness {witness} knows another history of the first {} entries of this ledger: {WHAT_TO_DO}",
            seen.size
        )
    }))
}
