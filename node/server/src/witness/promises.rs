//! Promises that peers' logs made to this node: the provider's, that its statement stands at an index, and the consumer's
//! acknowledgement. Each is kept until the log's own signed tree shows that it was kept, or proves that it was broken.
//!
//! The other side's receipt shows it at the end of every exchange; the monitor here is for those that never come. A log that
//! cannot be asked is asked again: silence proves nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledger::checkpoint::SignedCheckpoint;
use ledger::promise::{self, Outcome, Promise, Verdict};
use ledger::tile_reader::{TileReader, Wanted};
use serde::{Deserialize, Serialize};

use super::{conflicts, hearing, log_keys};
use crate::error::{Error, Result};
use crate::files;
use crate::keybook::Book;
use crate::node::Node;
use crate::operation::stopped;
use crate::outbound::Call;
use crate::records::{Exchange, Side, short};

/// How often promises are looked at.
const LOOK: Duration = Duration::from_secs(30);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How old a promise is before its log is asked (the design's 60 seconds): the receipt comes sooner.
const AGE_SECONDS: i64 = 60;

/// A promise that is not shown to be kept yet.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    peer: String,
    made: i64,
    promise: Promise,
}

fn folder(node: &Node) -> PathBuf {
    node.dir.join("promises")
}

fn file(node: &Node, exchange: &Exchange) -> PathBuf {
    let side = match exchange.side {
        Side::Provider => "p",
        Side::Consumer => "c",
    };
    folder(node).join(format!("{side}-{}-{}.json", short(&exchange.peer), exchange.id))
}

/// Keeps what the other side of an exchange promised.
pub fn hold(node: &Node, exchange: &Exchange, promise: Promise) -> Result<()> {
    if !folder(node).is_dir() {
        files::make_private_dir(&folder(node))?;
    }
    let held = Held { peer: exchange.peer.clone(), made: node.clock.now(), promise };
    files::write_atomic(&file(node, exchange), &serde_json::to_vec(&held).map_err(Error::internal)?)
}

/// The other side's receipt shows that its promise was kept.
pub fn kept(node: &Node, exchange: &Exchange) -> Result<()> {
    files::remove(&file(node, exchange))
}

/// Looks at old promises until the node stops.
pub async fn run(node: Arc<Node>) {
    let mut stop = node.stop.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stopped(&mut stop) => return,
        }
        for path in waiting(&node) {
            // One log that answers slowly must not hide the others.
            let looked = tokio::time::timeout(PATIENCE, look(&node, &path)).await;
            if let Err(error) =
                looked.unwrap_or_else(|_| Err(Error::Unreachable("no answer in time".to_owned())))
            {
                tracing::info!(promise = %path.display(), %error, "a promise cannot be held against its log yet");
            }
        }
    }
}

fn waiting(node: &Node) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder(node)) else { return Vec::new() };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect()
}

/// Asks the log about one promise that is old enough.
async fn look(node: &Arc<Node>, path: &Path) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let held: Held = serde_json::from_slice(&bytes)
        .map_err(|e| Error::internal(format!("`{}` is unreadable: {e}", path.display())))?;
    if node.clock.now().saturating_sub(held.made) < AGE_SECONDS {
        return Ok(());
    }
    match ask(node, &held).await? {
        None => Ok(()),
        Some(Outcome::Kept) => files::remove(path),
        Some(Outcome::Broken(proof)) => {
            // What would not convince a stranger convinces nobody here: the keeper of that very log must have promised.
            let book = Book::of_registry(node.peers.keys().registry());
            let bytes = proof.to_bytes().map_err(Error::internal)?;
            if let Verdict::NotProven { why } = promise::verify(&bytes, &book) {
                return Err(Error::Peer(format!(
                    "something else stands there, and it proves nothing: {why}"
                )));
            }
            conflicts::keep_broken(node, &proof).await?;
            files::remove(path)
        }
    }
}

/// What the log's own tree has at the promised place; none while no checkpoint covers it.
async fn ask(node: &Arc<Node>, held: &Held) -> Result<Option<Outcome>> {
    let wrong = |e: ledger::LedgerError| Error::Peer(e.to_string());
    let promised = held.promise.promised(None).map_err(wrong)?;
    let route = node.peers.route(&held.peer)?;
    let url = format!("{}/tram/ledger/checkpoint", route.endpoint);
    let answer = node.outbound.call(node, &route, Call::get(url)).await?.success()?;
    let keys = log_keys(node, promised.origin.as_str())
        .ok_or_else(|| Error::not_found(format!("the log `{}` is of no member", promised.origin)))?;
    let signed = SignedCheckpoint::open(&answer.body, &keys).map_err(wrong)?;
    if signed.checkpoint().size <= promised.index {
        return Ok(None);
    }
    let wanted = Wanted::Inclusion { index: promised.index };
    let tiles = hearing::fetch_tiles(node, &route, signed.checkpoint().size, wanted).await?;
    let reader = TileReader::new(signed.checkpoint(), hearing::from(&tiles)).map_err(wrong)?;
    let (found, path) = reader.inclusion(promised.index).map_err(wrong)?;
    held.promise.judge(&found, &path, &signed).map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_promise_is_held_until_the_receipt_comes_and_nobody_is_asked_too_early() {
        let (_dir, node) = crate::testing::node().await;
        let ask = crate::testing::ask();
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned();
        let exchange = Exchange::new(id, Side::Consumer, "urn:agency:vn:b".into(), "x".into(), ask, 1);
        let base = format!(
            "\"tram-log-origin\": urn:agency:vn:b/ledger\n\"tram-log-index\": 1\n\"tram-leaf-hash\": {}\n",
            ledger::merkle::leaf_hash(b"x")
        );
        kept(&node, &exchange).unwrap();
        hold(&node, &exchange, Promise::of_answer(&base, &[0; 64]).unwrap()).unwrap();
        let [path] = &waiting(&node)[..] else { panic!() };
        look(&node, path).await.unwrap();
        assert!(path.exists(), "too young to be looked at");
        // An old one is asked about; its peer is not known here, so it stays.
        let mut held: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        held["made"] = serde_json::json!(1);
        std::fs::write(path, held.to_string()).unwrap();
        assert!(matches!(look(&node, path).await, Err(Error::NotFound(_))));
        kept(&node, &exchange).unwrap();
        assert!(waiting(&node).is_empty());
        crate::boot::close(&node).await;
    }
}
