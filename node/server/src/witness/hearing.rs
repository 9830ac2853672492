//! Gossip: every message between nodes carries its sender's newest checkpoint, and the receiver compares it with what it
//! heard before.
//!
//! A header tells it; nothing of the message hangs on it, and comparing is done beside the exchange, because it writes to
//! disk and may ask the sender for tiles. A checkpoint that comes while too many wait is dropped: the next message brings
//! another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certs::ParticipantId;
use http::{HeaderMap, HeaderValue};
use ledger::LedgerError;
use ledger::bridge::Bridge;
use ledger::checkpoint::SignedCheckpoint;
use ledger::gossip::{Heard, Need};
use ledger::tile::Tile;
use ledger::tile_reader::{TileReader, Wanted, tiles_needed};
use tokio::sync::mpsc;

use super::{conflicts, log_keys};
use crate::error::{Error, Result};
use crate::line::Spared;
use crate::node::Node;
use crate::operation::stopped;
use crate::outbound::Call;
use crate::peers::Route;

/// The header.
pub const HEADER: &str = "tram-checkpoint";
/// Longest value that is read, bytes: a checkpoint with its log's signature alone has some 400.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// How long comparing one may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Checkpoints that may wait.
const WAITING_MAX: usize = 256;

/// One checkpoint and who told it.
#[derive(Debug)]
struct Told {
    by: ParticipantId,
    signed: SignedCheckpoint,
}

/// What was heard and waits.
#[derive(Debug)]
pub struct Ears {
    tell: mpsc::Sender<Told>,
    told: Mutex<Option<mpsc::Receiver<Told>>>,
}

impl Default for Ears {
    fn default() -> Self {
        let (tell, told) = mpsc::channel(WAITING_MAX);
        Self { tell, told: Mutex::new(Some(told)) }
    }
}

/// Puts this node's newest checkpoint into a message to a peer; rarely where every byte counts.
pub fn say(node: &Node, peer: &str, headers: &mut HeaderMap) {
    let now = node.clock.now();
    if !node.lines.may(Spared::Checkpoint, peer, now) {
        return;
    }
    node.lines.went(Spared::Checkpoint, peer, now);
    let Ok(published) = node.ledger.checkpoint() else { return };
    if let Ok(value) = HeaderValue::from_str(&BASE64.encode(published.signed.to_bytes())) {
        headers.insert(HEADER, value);
    }
}

/// Takes what a message of `by` says of its own log. Unreadable or about another log: not heard.
pub fn listen(node: &Node, by: &ParticipantId, headers: &HeaderMap) {
    let value = headers.get(HEADER).map(HeaderValue::as_bytes).filter(|v| v.len() <= HEADER_BYTES_MAX);
    let Some(bytes) = value.and_then(|value| BASE64.decode(value).ok()) else { return };
    let Ok(signed) = SignedCheckpoint::parse(&bytes) else { return };
    let said = signed.checkpoint();
    if said.origin.as_str() != certs::descriptor::default_origin(by) {
        return;
    }
    let largest = node.watch.gossip.largest(said.origin.as_str());
    if largest.is_some_and(|largest| largest.checkpoint() == said) {
        return;
    }
    let told = Told { by: by.clone(), signed };
    if node.watch.ears.tell.try_send(told).is_err() {
        tracing::debug!(%by, "too many checkpoints wait to be compared; this one is dropped");
    }
}

/// Compares what was heard, until the node stops.
pub async fn run(node: Arc<Node>) {
    let taken = node.watch.ears.told.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut told) = taken else { return };
    let mut stop = node.stop.subscribe();
    loop {
        let next = tokio::select! {
            next = told.recv() => next,
            () = stopped(&mut stop) => None,
        };
        let Some(Told { by, signed }) = next else { return };
        // One log that answers slowly must not hide the others.
        let compared = tokio::time::timeout(PATIENCE, compare(&node, &by, &signed)).await;
        if let Err(error) =
            compared.unwrap_or_else(|_| Err(Error::Unreachable("no answer in time".to_owned())))
        {
            tracing::warn!(%by, %error, "what a peer's log says could not be compared; the next message brings more");
        }
    }
}

/// Compares one checkpoint, and what waited for the same log.
async fn compare(node: &Arc<Node>, by: &ParticipantId, signed: &SignedCheckpoint) -> Result<()> {
    heard(node, by, signed).await?;
    let origin = signed.checkpoint().origin.to_string();
    for (waiting, _) in node.watch.gossip.pending(&origin) {
        if waiting != *signed {
            heard(node, by, &waiting).await?;
        }
    }
    Ok(())
}

async fn heard(node: &Arc<Node>, by: &ParticipantId, signed: &SignedCheckpoint) -> Result<()> {
    let mut bridge = None;
    // One question and one answer; a log that keeps its tiles to itself is asked again with its next message.
    for _ in 0..2 {
        match hear(node, signed, bridge.take()).await? {
            Heard::Known | Heard::Newer => return Ok(()),
            Heard::Conflict(evidence) => return conflicts::keep(node, &evidence).await,
            Heard::Unchecked { need, .. } => bridge = Some(fetch(node, by, &need).await?),
        }
    }
    Ok(())
}

async fn hear(node: &Arc<Node>, signed: &SignedCheckpoint, bridge: Option<Bridge>) -> Result<Heard> {
    let origin = signed.checkpoint().origin.to_string();
    let keys = log_keys(node, &origin)
        .ok_or_else(|| Error::not_found(format!("the log `{origin}` is of no member")))?;
    let (node, signed) = (node.clone(), signed.clone());
    let now = u64::try_from(node.clock.now()).unwrap_or(0);
    tokio::task::spawn_blocking(move || node.watch.gossip.hear(&signed, &keys, bridge.as_ref(), now))
        .await
        .map_err(Error::internal)?
        .map_err(|e| Error::Peer(e.to_string()))
}

/// The bridge that is needed, out of the peer's own tiles; each is authenticated against the signed root.
async fn fetch(node: &Node, by: &ParticipantId, need: &Need) -> Result<Bridge> {
    let route = node.peers.route(by.as_str())?;
    let tiles = fetch_tiles(node, &route, need.new.size, Wanted::Consistency { old: need.old }).await?;
    let reader = TileReader::new(&need.new, from(&tiles));
    reader.and_then(|reader| reader.bridge(need.old)).map_err(|e| Error::Peer(e.to_string()))
}

/// Tiles by their names, as a peer served them: nothing is believed of them yet.
pub(super) type Tiles = HashMap<String, Vec<u8>>;

/// The tiles of a peer's log that a proof needs.
pub(super) async fn fetch_tiles(node: &Node, route: &Route, size: u64, wanted: Wanted) -> Result<Tiles> {
    let mut tiles = Tiles::new();
    for tile in tiles_needed(size, wanted) {
        let url = format!("{}/tram/ledger/{tile}", route.endpoint);
        let answer = node.outbound.call(node, route, Call::get(url)).await?.success()?;
        tiles.insert(tile.to_string(), answer.body.to_vec());
    }
    Ok(tiles)
}

/// Reads from fetched tiles.
pub(super) fn from(tiles: &Tiles) -> impl Fn(&Tile) -> ledger::Result<Vec<u8>> {
    |tile| tiles.get(&tile.to_string()).cloned().ok_or(LedgerError::ProofWrong("tile"))
}
