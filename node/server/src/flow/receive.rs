//! Receiving: chunks as they come, each verified, then the manifest, the statement, the acknowledgement, the receipts.
//! Sealed chunks ([`sealing`]) are opened between acknowledgement and receipts.
//!
//! Chunks that are on disk are never asked for again; after a cut the work goes on with those that are missing
//! ([`super::fetch`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dataplane::{ChunkDigest, Inbox};
use exchange::dsp::{Extra, TransferCompletionMessage, TransferMessage};
use exchange::manifest::Sealed;
use exchange::transfer::{State as TransferState, Transfer};
use exchange::{Manifest, SignedManifest};
use ledger::promise::Promise;
use store::Space;

use super::delivery::send;
use super::fetch::Fetch;
use super::hours::ForHours;
use super::protocol::{known, pids};
use super::receipts::HandedOver;
use super::{change, consumer, escrow, evidence, fail, receipts, sealing, statement};
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::outbound::{Answer, Call};
use crate::peers::Route;
use crate::records::{self, DataAddress, Exchange, Stage};
use crate::witness::{conflicts, promises};

/// Pause before asking again for what is not written yet.
pub const POLL: Duration = Duration::from_millis(20);
/// Longest pause between two asks.
pub const POLL_MAX: Duration = Duration::from_secs(5);

/// Makes sure that the exchange is being received.
pub fn ensure(node: &Arc<Node>, exchange: &Exchange) {
    let key = exchange.key();
    if ForHours::of_exchange(node, exchange).is_some() {
        return;
    }
    let claimed = node.receiving.lock().is_ok_and(|mut set| set.insert(key.clone()));
    if !claimed {
        return;
    }
    let (node, exchange) = (node.clone(), exchange.clone());
    tokio::spawn(async move {
        let mut stop = node.stop.subscribe();
        let outcome = tokio::select! {
            outcome = receive(&node, &exchange) => outcome,
            () = crate::operation::stopped(&mut stop) => Ok(()),
        };
        if let Ok(mut set) = node.receiving.lock() {
            set.remove(&key);
        }
        match outcome {
            Ok(()) => {}
            Err(error) if passes(&error) => {
                // The line is down or the peer is busy: noted for people, and the monitor comes back.
                tracing::info!(exchange = exchange.id, %error, "receiving pauses");
                let text = error.to_string();
                let now = node.clock.now();
                let _ = change(&node, &key, |e| e.pause(&text, now)).await;
            }
            Err(Error::Refused(info)) => {
                // The provider ends the transfer with its statement in a moment; the refusal is known already.
                let info = *info;
                let _ = change(&node, &key, |e| e.refusal = Some(info.clone())).await;
            }
            Err(error) => {
                let _ = fail(&node, &key, &error.to_string()).await;
            }
        }
    });
}

/// Where the chunks and the manifest of an exchange lie until its rows are here.
pub fn inbox_of(node: &Node, exchange: &Exchange) -> PathBuf {
    node.dir.join("inbox").join(&exchange.id)
}

/// The manifest of an exchange that this node consumes, while its inbox is kept.
pub fn kept_manifest(node: &Node, exchange: &Exchange) -> Option<Manifest> {
    let bytes = std::fs::read(inbox_of(node, exchange).join("manifest.json")).ok()?;
    SignedManifest::parse(&bytes).ok().map(|signed| signed.manifest)
}

/// Removes what came of exchanges that ended without their rows. Sealed rows stay: an auditor may have their key.
pub fn sweep(node: &Node) -> Result<()> {
    let folder = node.dir.join("inbox");
    for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(&folder, e))?.flatten() {
        let key = records::consumer_key(&entry.file_name().to_string_lossy());
        let found = records::get::<Exchange>(&node.store, Space::Exchange, &key)?;
        if found.is_some_and(|(exchange, _)| exchange.stage.is_final() && !exchange.receipt_first) {
            crate::files::remove_folder(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether trying again later may help.
fn passes(error: &Error) -> bool {
    matches!(
        error,
        Error::Unreachable(_)
            | Error::Unavailable(_)
            | Error::Conflict(_)
            | Error::Internal(_)
            | Error::Io { .. }
    )
}

async fn receive(node: &Arc<Node>, exchange: &Exchange) -> Result<()> {
    let route = node.peers.route(&exchange.peer)?;
    let line = Arc::new(Line { node: node.clone(), route, exchange: exchange.clone() });
    let manifest = match exchange.stage {
        Stage::Acknowledging => line.known_again().await?,
        _ => line.fetch_all().await?,
    };
    line.conclude(&manifest).await
}

/// One exchange with the peer that it is received from.
pub struct Line {
    /// This node.
    pub node: Arc<Node>,
    /// The way to the peer.
    pub route: Route,
    /// The exchange as it was when receiving began.
    pub exchange: Exchange,
}

impl Line {
    fn inbox(&self) -> PathBuf {
        inbox_of(&self.node, &self.exchange)
    }

    fn manifest_path(&self) -> PathBuf {
        self.inbox().join("manifest.json")
    }

    fn known_manifest(&self) -> Result<Manifest> {
        let path = self.manifest_path();
        let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
        self.checked(&bytes)
    }

    /// The manifest of rows that were all here before a restart. Sealed chunks are looked at once more before they are
    /// acknowledged: afterwards the provider need not have them any more.
    async fn known_again(self: &Arc<Self>) -> Result<Manifest> {
        let manifest = self.known_manifest()?;
        if manifest.sealed.is_some() && self.exchange.ack.is_none() {
            self.whole_inbox(&chunks(&manifest)).await?;
        }
        Ok(manifest)
    }

    fn url(&self, address: &DataAddress, tail: &str) -> String {
        format!("{}/{tail}", address.endpoint)
    }

    async fn ask(&self, call: Call) -> Result<Answer> {
        let call = call.of(&self.exchange.id, self.exchange.ask.purpose.as_deref());
        self.node.outbound.call(&self.node, &self.route, call).await
    }

    /// The address with its newest token.
    fn address(&self) -> Result<DataAddress> {
        let (now, _) = records::get::<Exchange>(&self.node.store, Space::Exchange, &self.exchange.key())?
            .ok_or_else(|| Error::internal("the exchange is gone"))?;
        now.address
            .ok_or_else(|| Error::Peer("the provider started the transfer without a data address".to_owned()))
    }

    async fn new_token(&self, address: &DataAddress) -> Result<DataAddress> {
        let answer = self.ask(Call::post(self.url(address, "token"), Vec::new())).await?.success()?;
        let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token =
            told["token"].as_str().ok_or_else(|| Error::Peer("the provider gave no token".to_owned()))?;
        let fresh = DataAddress { endpoint: address.endpoint.clone(), token: token.to_owned() };
        change(&self.node, &self.exchange.key(), |e| e.address = Some(fresh.clone())).await?;
        Ok(fresh)
    }

    /// Why no further chunk is asked for now, of a transfer of so many bytes as far as is known: its hours have not come.
    pub fn waits(&self, bytes: u64) -> Option<Error> {
        let hours =
            ForHours::of(&self.node, &self.exchange.peer, bytes).filter(|_| !self.exchange.any_hour)?;
        Some(Error::Unavailable(hours.text(&self.exchange.id)))
    }

    /// A GET of data: asks for a new token once when the old one is over; `None` when it is not written yet.
    pub async fn get(&self, tail: &str, bytes_max: usize) -> Result<Option<Answer>> {
        let mut address = self.address()?;
        for attempt in 0..2 {
            let call = Call::get(self.url(&address, tail)).data(&address.token, bytes_max);
            let answer = self.ask(call).await?;
            match answer.status.as_u16() {
                425 => return Ok(None),
                401 if attempt == 0 => address = self.new_token(&address).await?,
                // Over a slow line a token may end while a chunk comes; what came of it is kept.
                401 => break,
                _ => return answer.success().map(Some),
            }
        }
        Err(Error::Unavailable("the provider does not take its own new token yet".to_owned()))
    }

    /// Every chunk: against the manifest where it is there already, else while the provider writes them and the manifest
    /// last, then whatever is missing or differs.
    async fn fetch_all(self: &Arc<Self>) -> Result<Manifest> {
        change(&self.node, &self.exchange.key(), |e| {
            e.stage = Stage::Receiving;
            e.failure = None;
        })
        .await?;
        let early = self.manifest_now().await?;
        let sealed = early.as_ref().is_some_and(|manifest| manifest.sealed.is_some());
        let mut fetch = Fetch::open(self, self.inbox(), sealed).await?;
        let manifest = match early {
            Some(manifest) => {
                if self.is_here(&manifest).await? {
                    self.all_here(&manifest).await?;
                    return Ok(manifest);
                }
                manifest
            }
            None => match fetch.while_written().await {
                Ok(()) => self.fetch_manifest().await?,
                // What waits for its hours may be here whole: then there is nothing to wait for.
                Err(why) => self.manifest_now().await.ok().flatten().ok_or(why)?,
            },
        };
        let total = manifest.bytes;
        change(&self.node, &self.exchange.key(), |e| e.bytes = Some(total)).await?;
        let wanted: Vec<ChunkDigest> = chunks(&manifest);
        fetch.fit(manifest.sealed.is_some(), manifest.chunk_size, wanted.len()).await?;
        fetch.missing(&wanted, total).await?;
        let target = consumer::received_file(&self.node, &self.exchange.id);
        fetch.finish(wanted, dataplane::merkle::Sha256(*manifest.sha256.as_bytes()), target).await?;
        self.all_here(&manifest).await?;
        Ok(manifest)
    }

    /// Whether the rows have their name already: a kill between that and the note of it costs nothing.
    async fn is_here(&self, manifest: &Manifest) -> Result<bool> {
        let path = consumer::received_file(&self.node, &self.exchange.id);
        let length = std::fs::metadata(&path).map(|file| file.len());
        if manifest.sealed.is_some() || length.ok() != Some(manifest.bytes) {
            return Ok(false);
        }
        let wanted = manifest.sha256.to_string();
        let hashed = tokio::task::spawn_blocking(move || crate::files::sha256_of(&path)).await;
        Ok(hashed.map_err(Error::internal)?? == wanted)
    }

    /// Notes that every chunk is here.
    async fn all_here(&self, manifest: &Manifest) -> Result<()> {
        let (rows, bytes, sha256) = (manifest.rows, manifest.bytes, manifest.sha256.to_string());
        let obligations = manifest.obligations.applied.clone();
        let sealed = manifest.sealed.is_some();
        change(&self.node, &self.exchange.key(), |e| {
            e.stage = Stage::Acknowledging;
            e.rows = Some(rows);
            e.bytes = Some(bytes);
            e.sha256 = Some(sha256.clone());
            e.obligations = obligations.clone();
            e.receipt_first = sealed;
            e.copy = manifest.copy.clone();
            e.superseded = manifest.superseded.clone();
        })
        .await
    }

    /// The inbox of sealed chunks as it lies on disk, with whatever it lost fetched again.
    async fn whole_inbox(self: &Arc<Self>, wanted: &[ChunkDigest]) -> Result<Inbox> {
        let mut fetch = Fetch::open(self, self.inbox(), true).await?;
        fetch.missing(wanted, 0).await?;
        fetch.into_inbox().await
    }

    /// Opens sealed rows with the key that the provider hands over for the acknowledgement; done once.
    async fn unseal(self: &Arc<Self>, manifest: &Manifest, sealed: &Sealed) -> Result<()> {
        if sealing::is_open(&self.node, &self.exchange, manifest) {
            return Ok(());
        }
        let key = match sealing::known_key(&self.node, &self.exchange, sealed)? {
            Some(key) => key,
            None => {
                let url = format!("{}/tram/exchanges/{}/key", self.route.endpoint, self.exchange.id);
                let answer = self.ask(Call::get(url)).await?.success()?;
                sealing::take_key(&self.node, &self.exchange, sealed, &answer)?
            }
        };
        let wanted = chunks(manifest);
        let inbox = self.whole_inbox(&wanted).await?;
        sealing::open(&self.node, &self.exchange, manifest, wanted, inbox, &key).await
    }

    async fn fetch_manifest(&self) -> Result<Manifest> {
        let mut pause = POLL;
        loop {
            if let Some(manifest) = self.manifest_now().await? {
                return Ok(manifest);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL_MAX);
        }
    }

    /// The manifest, if the provider has closed the transfer; kept once it is verified.
    async fn manifest_now(&self) -> Result<Option<Manifest>> {
        let Some(answer) = self.get("manifest", limits::MANIFEST_ANSWER_BYTES_MAX).await? else {
            return Ok(None);
        };
        let manifest = self.checked(&answer.body)?;
        let folder = self.inbox();
        std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
        crate::files::write_atomic(&self.manifest_path(), &answer.body)?;
        Ok(Some(manifest))
    }

    /// A manifest must be signed by the provider and be about exactly this exchange.
    fn checked(&self, bytes: &[u8]) -> Result<Manifest> {
        let wrong =
            |why: String| Error::Verification(format!("the manifest of {}: {why}", self.exchange.peer));
        let signed = SignedManifest::parse(bytes).map_err(|e| wrong(e.to_string()))?;
        let keyid = signed.signature().keyid();
        let key = self
            .node
            .peers
            .keys()
            .signing_key(keyid, self.node.clock.now())
            .filter(|key| key.participant == self.route.participant)
            .ok_or_else(|| wrong(format!("`{keyid}` is no valid key of the provider")))?;
        let text = signed.manifest.signing_bytes().map_err(|e| wrong(e.to_string()))?;
        let signature = signed.signature().bytes().map_err(|e| wrong(e.to_string()))?;
        if !key.key.verify(&text, &signature) {
            return Err(wrong("its signature is wrong; nothing of it is used".to_owned()));
        }
        let m = signed.manifest;
        let dataset = format!("{}/{}", self.exchange.peer, self.exchange.dataset);
        let ours = m.exchange_id == self.exchange.id
            && m.consumer.as_str() == self.node.config.node.id
            && m.provider.as_str() == self.exchange.peer
            && Some(m.agreement_id.as_str()) == self.exchange.agreement.as_deref()
            && m.dataset.id.as_str() == dataset;
        super::copies::fits(&self.exchange.ask.query, &m).map_err(wrong)?;
        if ours { Ok(m) } else { Err(wrong("it is about another exchange".to_owned())) }
    }

    /// Statement, acknowledgement, receipts, completion. Each step is found done after a restart.
    async fn conclude(self: &Arc<Self>, manifest: &Manifest) -> Result<()> {
        conflicts::refuse(&self.node, &self.exchange.peer_ledger())?;
        if let (Some(sealed), None) = (&manifest.sealed, &self.exchange.ack) {
            escrow::demand(&self.node, &self.exchange, sealed)?;
        }
        let digest = manifest.digest().map_err(Error::internal)?;
        let response = format!("sha-256=:{}:", BASE64.encode(digest.as_bytes()));
        let exchange = take_statement(&self.node, &self.route, &self.exchange, &response).await?;
        let handed_index = exchange.1;
        let key = self.exchange.key();
        let operation = Operation::begin(Actor::Node, &self.node.clock);
        let current = current(&self.node, &key)?;
        let (ack, _) = statement::once(&self.node, &key, statement::Slot::Ack, || {
            receipts::acknowledge(&self.node, &operation, &current, handed_index)
        })
        .await?;
        let url = format!("{}/tram/exchanges/{}/ack", self.route.endpoint, self.exchange.id);
        match (self.ask(Call::post(url, ack)).await?.success(), &manifest.sealed) {
            (Err(Error::Conflict(_) | Error::Refused(_)), Some(_))
                if sealing::was_ended(&self.node, &self.exchange)? =>
            {
                return consumer::ended_before_ack(&self.node, &current).await;
            }
            (Err(error), _) => return Err(error),
            (Ok(_), Some(sealed)) => self.unseal(manifest, sealed).await?,
            (Ok(_), None) => {}
        }
        swap_receipts(&self.node, &self.route, &key).await?;
        super::described::keep(&self.node, &self.exchange, manifest)?;
        self.complete().await?;
        change(&self.node, &key, |e| {
            e.stage = Stage::Completed;
            e.failure = None;
        })
        .await?;
        let folder = self.inbox();
        let _ = std::fs::remove_dir_all(folder);
        Ok(())
    }

    async fn complete(&self) -> Result<()> {
        let pid = self.exchange.transfer.clone().unwrap_or_default();
        let row = known::<Transfer>(&self.node, &pid)?;
        if row.process.state() != TransferState::Started || row.pending.is_some() {
            return Ok(());
        }
        let pids = pids(&row.process)?;
        let message = TransferMessage::Completion(TransferCompletionMessage { pids, extra: Extra::none() });
        send(&self.node, &self.exchange, &row.process, message).await
    }
}

/// An exchange as it is now: what it says may have changed since the caller looked.
pub fn current(node: &Node, key: &[u8]) -> Result<Exchange> {
    let found = records::get::<Exchange>(&node.store, Space::Exchange, key)?;
    found.map(|(exchange, _)| exchange).ok_or_else(|| Error::internal("the exchange is gone"))
}

fn chunks(manifest: &Manifest) -> Vec<ChunkDigest> {
    let digest = |c: &exchange::manifest::Chunk| ChunkDigest {
        len: c.len,
        sha256: dataplane::merkle::Sha256(*c.sha256.as_bytes()),
    };
    manifest.chunks.iter().map(digest).collect()
}

/// Fetches the provider's statement, verifies it with its openings against what this node asked and got, and puts the
/// same bytes into this node's ledger. Returns the statement and its index at the provider.
pub async fn take_statement(
    node: &Node,
    route: &Route,
    exchange: &Exchange,
    response: &str,
) -> Result<(Vec<u8>, u64)> {
    let url = format!("{}/tram/exchanges/{}/statement", route.endpoint, exchange.id);
    let call = Call::get(url).of(&exchange.id, exchange.ask.purpose.as_deref());
    let answer = node.outbound.call(node, route, call).await?.success()?;
    let handed: HandedOver = serde_json::from_slice(&answer.body)
        .map_err(|e| Error::Peer(format!("what {} handed over is unreadable: {e}", exchange.peer)))?;
    let bytes =
        BASE64.decode(&handed.statement).map_err(|_| Error::Peer("the statement is no base64".to_owned()))?;
    let now = node.clock.now();
    let signed = statement::check(node, exchange, &bytes, &handed.openings, response, now)?;
    // The provider's signed word that the leaf stands in its ledger must be about this leaf.
    let origin = exchange.peer_ledger();
    let promised = answer
        .promise
        .filter(|p| p.origin == origin && p.index == handed.index && p.leaf_hash == signed.leaf().0);
    if promised.is_none() {
        return Err(Error::Verification(format!(
            "{} does not promise that the statement is in its ledger",
            exchange.peer
        )));
    }
    let promise = Promise::of_answer(&answer.said.base, &answer.said.signature).map_err(Error::internal)?;
    promises::hold(node, exchange, promise)?;
    evidence::keep(node, exchange, &handed.openings)?;
    let (bytes, _) = statement::once(node, &exchange.key(), statement::Slot::Statement, || Ok(bytes)).await?;
    Ok((bytes, handed.index))
}

/// Sends this node's receipt and keeps the provider's.
pub async fn swap_receipts(node: &Node, route: &Route, key: &[u8]) -> Result<()> {
    let exchange = current(node, key)?;
    let ours = receipts::own(node, &exchange).await?;
    let url = format!("{}/tram/exchanges/{}/receipts", route.endpoint, exchange.id);
    let call = Call::post(url, ours).of(&exchange.id, exchange.ask.purpose.as_deref());
    let theirs = node.outbound.call(node, route, call).await?.success()?;
    receipts::keep_theirs(node, &exchange, &theirs.body).await
}
