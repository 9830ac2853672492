//! This node's own witnesses: shows them each newest checkpoint, gathers their cosignatures, and keeps the checkpoint that
//! a quorum of them vouches for. Receipts are made under it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use certs::note::Signature;
use futures::future::join_all;
use http::StatusCode;
use ledger::Vkey;
use ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use ledger::log::Published;
use ledger::trust::{Freshness, TrustPolicy};
use ledger::witness::{AddCheckpoint, parse_cosignatures, parse_size};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::{halt, rollback, witness_key};
use crate::config::WitnessSection;
use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::operation::stopped;
use crate::outbound::Call;

/// The newest cosigned checkpoint, in the node's folder.
const FILE: &str = "cosigned";
/// How old a quorum's word becomes before it is asked for anew, though nothing was written meanwhile, seconds.
const RENEW_SECONDS: i64 = 3_600;
/// How long one witness may take (ledger.md §3.3 of the design asks for a short time-out each).
const PATIENCE: Duration = Duration::from_secs(10);

/// What was gathered.
#[derive(Debug)]
pub struct Quorum {
    cosigned: watch::Sender<Option<Arc<SignedCheckpoint>>>,
    wanted: Notify,
    said: Mutex<BTreeMap<String, Said>>,
    /// When a quorum was met last, Unix seconds.
    met: AtomicI64,
}

/// What became of the last question to one witness.
#[derive(Debug, Clone, Default)]
struct Said {
    size: u64,
    why_not: Option<String>,
}

impl Quorum {
    /// Reads what was gathered before.
    pub fn open(dir: &Path) -> Result<Self> {
        let kept = kept(dir)?.map(|bytes| {
            SignedCheckpoint::parse(&bytes).map_err(|e| {
                let path = dir.join(FILE);
                Error::Verification(format!(
                    "`{}`: {e}; remove it, the witnesses are asked anew",
                    path.display()
                ))
            })
        });
        let kept = kept.transpose()?;
        Ok(Self {
            cosigned: watch::Sender::new(kept.map(Arc::new)),
            wanted: Notify::new(),
            said: Mutex::default(),
            met: AtomicI64::new(0),
        })
    }

    /// The newest checkpoint that a quorum vouches for.
    pub fn cosigned(&self) -> Option<Arc<SignedCheckpoint>> {
        self.cosigned.borrow().clone()
    }

    fn note(&self, witness: &str, edit: impl FnOnce(&mut Said)) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        edit(said.entry(witness.to_owned()).or_default());
    }

    fn last_size(&self, witness: &str) -> u64 {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).get(witness).map_or(0, |said| said.size)
    }

    /// For people.
    pub fn view(&self) -> Value {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let witnesses: Vec<Value> = said
            .iter()
            .map(|(witness, said)| json!({"witness": witness, "size": said.size, "problem": said.why_not}))
            .collect();
        json!({"cosigned": self.cosigned().map(|c| c.checkpoint().size), "witnesses": witnesses})
    }
}

/// The newest cosigned checkpoint in a node's folder, as a note; nothing of it is verified.
pub fn kept(dir: &Path) -> Result<Option<Vec<u8>>> {
    let path = dir.join(FILE);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(&path, e)),
    }
}

/// Whom this node trusts for its own checkpoints (C2SP tlog-policy): for itself, for auditors, for everybody with a receipt.
/// None without configured witnesses. A witness that is no peer has no key here, and is named in the error.
pub fn policy(node: &Node) -> Result<Option<TrustPolicy>> {
    let Some(section) = &node.config.ledger.witnesses else { return Ok(None) };
    let now = node.clock.now();
    let keys = crate::ledger_check::keys(node.descriptor.descriptor())?;
    let mut text: String =
        keys.iter().map(|key| format!("log {key} {}/tram/ledger\n", node.config.peer.endpoint)).collect();
    let mut names = Vec::new();
    for (number, witness) in section.peers.iter().enumerate() {
        let (key, route) = (key_of(node, witness, now)?, node.peers.route(witness)?);
        names.push(format!("w{}", number + 1));
        text.push_str(&format!("witness w{} {key} {}/tram/witness\n", number + 1, route.endpoint));
    }
    text.push_str(&format!("group peers {} {}\nquorum peers\n", section.quorum, names.join(" ")));
    TrustPolicy::parse(text.as_bytes()).map(Some).map_err(Error::internal)
}

fn key_of(node: &Node, witness: &str, now: i64) -> Result<Vkey> {
    let id = certs::ParticipantId::parse(witness).map_err(|e| Error::usage(e.to_string()))?;
    let registry = node.peers.keys();
    let member = registry.member(&id).ok_or_else(|| {
        Error::not_found(format!(
            "the witness `{witness}` of tram.toml is no peer of this node; pair with it first"
        ))
    })?;
    witness_key(member.descriptor.descriptor(), now)
}

/// Asks until the node stops: now and then, and when somebody waits for a receipt.
pub async fn run(node: Arc<Node>, section: WitnessSection) {
    let mut stop = node.stop.subscribe();
    loop {
        if let Err(error) = round(&node, &section).await {
            tracing::warn!(%error, "the witnesses could not be asked; they are asked again");
        }
        if node.watch.halted().is_some() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(section.every_seconds)) => {}
            () = node.watch.quorum.wanted.notified() => {}
            () = stopped(&mut stop) => return,
        }
    }
}

/// Shows the newest checkpoint to every witness that has not cosigned it.
async fn round(node: &Node, section: &WitnessSection) -> Result<()> {
    let Some(policy) = policy(node)? else { return Ok(()) };
    let published = node.ledger.checkpoint().map_err(|e| Error::Unavailable(e.to_string()))?;
    let newest = published.checkpoint().clone();
    let now = node.clock.now();
    let fresh = now.saturating_sub(node.watch.quorum.met.load(Ordering::Acquire)) < RENEW_SECONDS;
    if fresh && node.watch.quorum.cosigned().is_some_and(|cosigned| *cosigned.checkpoint() == newest) {
        return Ok(());
    }
    let mut signed = published.signed.clone();
    let asked = section.peers.iter().map(|witness| async {
        let lines = show(node, witness, &published).await?;
        Ok::<_, Error>((lines, key_of(node, witness, now)?))
    });
    for (witness, answered) in section.peers.iter().zip(join_all(asked).await) {
        let joined = answered.and_then(|(lines, key)| {
            signed.cosigned(&lines, &[key]).map_err(|e| Error::Peer(format!("its cosignature: {e}")))
        });
        match joined {
            Ok(joined) => {
                signed = joined;
                node.watch.quorum.note(witness, |said| *said = Said { size: newest.size, why_not: None });
            }
            Err(error) => node.watch.quorum.note(witness, |said| said.why_not = Some(error.to_string())),
        }
    }
    keep(node, &policy, signed)
}

/// Keeps what a quorum vouches for.
fn keep(node: &Node, policy: &TrustPolicy, signed: SignedCheckpoint) -> Result<()> {
    let now = u64::try_from(node.clock.now()).unwrap_or(0);
    if !policy.judge(&signed, Freshness { now, max_age: None }).met {
        return Ok(());
    }
    files::write_atomic(&node.dir.join(FILE), &signed.to_bytes())?;
    node.watch.quorum.met.store(node.clock.now(), Ordering::Release);
    node.watch.quorum.cosigned.send_replace(Some(Arc::new(signed)));
    Ok(())
}

/// Shows a checkpoint to one witness and gives its lines. One that is elsewhere than this node thought is asked once more.
async fn show(node: &Node, witness: &str, published: &Published) -> Result<Vec<Signature>> {
    let mut old = node.watch.quorum.last_size(witness);
    for _ in 0..2 {
        let newest = published.checkpoint();
        let proof = if old == 0 || old >= newest.size {
            Vec::new()
        } else {
            node.ledger.consistency(old, newest.size).map_err(Error::internal)?
        };
        let request = AddCheckpoint { old, proof, checkpoint: published.signed.clone() };
        let route = node.peers.route(witness)?;
        let url = format!("{}/tram/witness/add-checkpoint", route.endpoint);
        let call = Call { timeout: PATIENCE, ..Call::post(url, request.to_bytes()) };
        let answer = node.outbound.call(node, &route, call).await?;
        match answer.status {
            StatusCode::OK => {
                return parse_cosignatures(&answer.body).map_err(|e| Error::Peer(e.to_string()));
            }
            StatusCode::CONFLICT => old = elsewhere(node, witness, newest, &answer.body).await?,
            StatusCode::UNPROCESSABLE_ENTITY => return Err(look_closer(node, witness).await),
            _ => return answer.success().map(|_| Vec::new()),
        }
    }
    Err(Error::Peer(format!("{witness} changes its mind about what it cosigned last")))
}

/// Where a witness is that was thought elsewhere.
async fn elsewhere(node: &Node, witness: &str, newest: &Checkpoint, body: &[u8]) -> Result<u64> {
    let size =
        parse_size(body).map_err(|e| Error::Peer(format!("the answer of the witness {witness}: {e}")))?;
    if size <= newest.size {
        return Ok(size);
    }
    // A newer checkpoint of this very process may have overtaken this one.
    if size > node.ledger.size() {
        return Err(look_closer(node, witness).await);
    }
    Err(Error::Unavailable("a newer checkpoint was cosigned meanwhile".to_owned()))
}

/// A witness says that it knows another history. Its word alone counts for nothing; this ledger's own signature on what it
/// shows ends the signing.
async fn look_closer(node: &Node, witness: &str) -> Error {
    match rollback::known_by(node, witness).await {
        Ok(Some(why)) => {
            halt(node, &why);
            Error::conflict(why)
        }
        Ok(None) => Error::Peer(format!(
            "{witness} does not cosign and shows no reason: what it cosigned last is a part of this ledger"
        )),
        Err(error) => error,
    }
}

/// A checkpoint that covers an entry: the one that a quorum vouches for, when witnesses are configured and answer in time;
/// else the log's own.
pub async fn covering(node: &Node, index: u64) -> Result<SignedCheckpoint> {
    let own = node
        .ledger
        .checkpoint_covering(index)
        .await
        .map_err(|e| Error::Unavailable(format!("no signed checkpoint yet: {e}")))?;
    let Some(section) = &node.config.ledger.witnesses else { return Ok(own.signed.clone()) };
    let mut gathered = node.watch.quorum.cosigned.subscribe();
    node.watch.quorum.wanted.notify_one();
    let covers = |c: &Option<Arc<SignedCheckpoint>>| c.as_ref().is_some_and(|c| c.checkpoint().size > index);
    let found =
        tokio::time::timeout(Duration::from_secs(section.receipt_wait_seconds), gathered.wait_for(covers))
            .await;
    let found = found.ok().and_then(|found| found.ok().and_then(|found| found.clone()));
    Ok(found.map_or_else(|| own.signed.clone(), |cosigned| (*cosigned).clone()))
}
