//! Boot: checks everything, builds the node in order, announces each step, shuts down in reverse.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certs::descriptor::{Names, NodeDescriptor, default_origin};
use certs::keys::CertificateDetails;
use certs::message::{LastStop, NonceCache};
use certs::{NodeKeys, ParticipantId, Period};
use ledger::log::Log;
use ledger::{KeyName, LedgerError, Signer};
use policy::RuleSet;
use store::{Space, Store, StoreError};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::cli::client::RunFile;
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::files;
use crate::flow;
use crate::gate::Gate;
use crate::limits;
use crate::node::{Locks, Node};
use crate::operation::Clock;
use crate::peers::{self, Peers};
use crate::{local, peer, public, records, rules, witness};

/// Validity of keys and certificate made by `init`, seconds (ten years): revocation is by the registry.
const KEY_SECONDS: i64 = 3_652 * 86_400;

/// How long a node that is to serve waits for another process to leave its folder, and how often it looks.
const FOLDER_WAIT: Duration = Duration::from_secs(30);
const FOLDER_POLL: Duration = Duration::from_millis(100);
/// How old such a look may be: one that was killed while it waited wants nothing any more.
const WANTED_AGE: Duration = Duration::from_secs(5);

/// Which doors open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doors {
    /// None: for a command on a node that does not run.
    Closed,
    /// The peer door: for a command that needs answers from peers.
    Peer,
    /// All doors: for a node that serves.
    All,
}

/// Makes a node: folder, keys, descriptor, configuration, first rule set.
pub fn init(dir: &Path, config: &Config, now: i64) -> Result<()> {
    if dir.join(config::FILE).exists() {
        return Err(Error::conflict(format!(
            "`{}` holds a node already; choose another folder",
            dir.display()
        )));
    }
    let text = config.to_toml()?;
    Config::parse(&text).map_err(Error::Usage)?;
    let me = ParticipantId::parse(&config.node.id).map_err(|e| Error::usage(e.to_string()))?;
    let valid =
        Period::new(now - 3_600, now + KEY_SECONDS).ok_or_else(|| Error::internal("impossible period"))?;
    let host = config.peer.endpoint.parse::<http::Uri>().ok().and_then(|u| u.host().map(str::to_owned));
    let details = CertificateDetails { participant: me.clone(), hosts: host.into_iter().collect(), valid };
    let keys = NodeKeys::generate(&details).map_err(|e| Error::usage(e.to_string()))?;
    let descriptor = NodeDescriptor {
        participant: me.clone(),
        names: Names { vi: config.node.name_vi.clone(), en: config.node.name_en.clone() },
        country: config.node.country.clone(),
        endpoint: config.peer.endpoint.clone(),
        ledger_origin: default_origin(&me),
        issued: now,
        keys: NodeDescriptor::keys_of(&keys, valid),
    };
    let signed = descriptor.sign(&[&keys.signer(&me)]).map_err(|e| Error::usage(e.to_string()))?;
    // Only now, so that a word that cannot be used leaves no half a node behind.
    for folder in [
        "",
        "keys",
        "store",
        "ledger",
        "data",
        "contracts",
        "spool",
        "inbox",
        "received",
        "receipts",
        "evidence",
        "run",
    ] {
        files::make_private_dir(&dir.join(folder))?;
    }
    keys.store(&dir.join("keys")).map_err(|e| Error::usage(e.to_string()))?;
    files::write_atomic(&dir.join("descriptor.json"), &signed.to_bytes().map_err(Error::internal)?)?;
    let secret = crate::operation::random::<32>()?;
    files::write_secret(&dir.join("keys").join("mask.key"), &secret)?;
    // Last, because its presence says that the node is complete.
    files::write_atomic(&dir.join(config::FILE), text.as_bytes())
}

/// Opens a node with the doors asked for.
pub async fn open(dir: &Path, doors: Doors) -> Result<Arc<Node>> {
    let config = Config::read(dir)?;
    let clock = Clock::system();
    let node = Arc::new(build(dir, config, clock).await?);
    tracing::info!(id = node.config.node.id, "node opened");
    if let Err(error) = witness::rollback::check(&node).await {
        close(&node).await;
        return Err(error);
    }
    if let Err(error) = rules::activation::settle(&node).await {
        close(&node).await;
        return Err(error);
    }
    peers::forget_expired(&node).await?;
    crate::decisions::take_up(&node).await?;
    if doors != Doors::Closed {
        open_doors(&node, doors).await?;
        node.outbox.start(&node)?;
        flow::take_up(&node)?;
        flow::connector::take_up(&node)?;
        crate::questions::take_up(&node)?;
        keep(&node, tokio::spawn(crate::monitor::run(node.clone())));
        keep(&node, tokio::spawn(crate::sources::run(node.clone())));
        keep(&node, tokio::spawn(crate::subscriptions::run(node.clone())));
        keep(&node, tokio::spawn(witness::hearing::run(node.clone())));
        keep(&node, tokio::spawn(witness::promises::run(node.clone())));
        if node.config.peer.outbound_only {
            keep(&node, tokio::spawn(flow::polling::run(node.clone())));
        }
        if let Some(section) = node.config.ledger.witnesses.clone() {
            keep(&node, tokio::spawn(witness::quorum::run(node.clone(), section)));
        }
        if let Some(section) = node.config.ledger.timestamps.clone() {
            keep(&node, tokio::spawn(crate::stamping::run(node.clone(), section)));
        }
    }
    Ok(node)
}

/// Touched at each look by a node that waits for its folder.
fn wanted_file(dir: &Path) -> std::path::PathBuf {
    dir.join("run").join("wanted")
}

/// Whether a node waits for this folder now, so that a command that looks on makes room.
pub fn is_wanted(dir: &Path) -> bool {
    let touched = std::fs::metadata(wanted_file(dir)).and_then(|file| file.modified());
    touched.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < WANTED_AGE))
}

/// Opens a node, and waits a while for a command that has just opened it for itself: it goes as soon as it is done, and one
/// that only waits for a peer goes at once.
pub async fn open_when_free(dir: &Path, doors: Doors) -> Result<Arc<Node>> {
    let until = tokio::time::Instant::now() + FOLDER_WAIT;
    let mut told = false;
    loop {
        match open(dir, doors).await {
            Err(Error::InUse(why)) if tokio::time::Instant::now() < until => {
                if !told {
                    tracing::info!(why, seconds = FOLDER_WAIT.as_secs(), "waiting for the node's folder");
                }
                told = true;
                let wanted = wanted_file(dir);
                std::fs::write(&wanted, b"").map_err(|e| Error::io(&wanted, e))?;
            }
            opened => {
                files::remove(&wanted_file(dir))?;
                return opened;
            }
        }
        tokio::time::sleep(FOLDER_POLL).await;
    }
}

async fn build(dir: &Path, config: Config, clock: Clock) -> Result<Node> {
    let now = clock.now();
    let me = ParticipantId::parse(&config.node.id).map_err(|e| Error::usage(e.to_string()))?;
    let keys = NodeKeys::load(&dir.join("keys")).map_err(|e| Error::usage(e.to_string()))?;
    tracing::info!("keys read");
    let descriptor = read_descriptor(dir, &config)?;
    own_keys(dir, &keys, descriptor.descriptor(), now)?;
    let mask_secret = files::read_secret(&dir.join("keys").join("mask.key"))?;
    let store = open_store(dir).await?;
    // The store is open, so no other process works in this folder.
    files::remove_leftovers(dir);
    tracing::info!("store open");
    let ledger = open_ledger(dir, &config, &me, &keys, &clock).await?;
    tracing::info!(entries = ledger.size(), "ledger open, replayed and proved");
    let gate = Gate::new(rules::in_force(&store)?)?;
    tracing::info!(rule_set = %gate.describe(), "rule set in force");
    let peers = Peers::open(dir, &descriptor, now)?;
    let (nonces, mark) = nonces(&store, now)?;
    let identities = crate::dsp::identity::did::Identities::open(&store)?;
    let lines = crate::line::Lines::new(crate::line::settings::Settings::read(dir)?);
    lines.recall(dir, now);
    let catalogs = crate::crawl::Catalogs::open()?;
    let watch = crate::witness::Watch::open(dir, descriptor.descriptor(), &keys)?;
    let token = URL_SAFE_NO_PAD.encode(crate::operation::random::<32>()?);
    Ok(Node {
        dir: dir.to_owned(),
        signer: keys.signer(&me),
        config,
        clock,
        me,
        keys,
        descriptor,
        store,
        ledger,
        gate,
        peers,
        outbound: crate::outbound::Outbound::default(),
        connectors: Default::default(),
        identities,
        lines,
        outbox: crate::outbox::Outbox::default(),
        polls: flow::polling::Polls::default(),
        catalogs,
        productions: flow::produce::Productions::default(),
        receiving: std::sync::Mutex::default(),
        nonces,
        nonce_mark: tokio::sync::Mutex::new(mark),
        rates: crate::rate::Rates::default(),
        open: std::sync::Mutex::default(),
        locks: Locks::default(),
        views: Arc::new(Semaphore::new(limits::VIEWS_AT_ONCE)),
        public_views: Arc::new(Semaphore::new(limits::PUBLIC_VIEWS_AT_ONCE)),
        conversions: Arc::new(Semaphore::new(limits::CONVERSIONS_AT_ONCE)),
        looks: Arc::new(Semaphore::new(limits::LOOKS_AT_ONCE)),
        changed: watch::Sender::new(0),
        stamping: crate::stamping::State::default(),
        watch,
        stop: watch::Sender::new(false),
        mask_secret,
        token,
        read_sessions: crate::audit::record::Sessions::default(),
        tasks: std::sync::Mutex::default(),
    })
}

fn read_descriptor(dir: &Path, config: &Config) -> Result<certs::descriptor::SignedDescriptor> {
    let path = dir.join("descriptor.json");
    let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let descriptor = certs::descriptor::SignedDescriptor::parse(&bytes)
        .map_err(|e| Error::Verification(format!("`{}`: {e}", path.display())))?;
    let said = descriptor.descriptor();
    if said.endpoint != config.peer.endpoint || said.participant.as_str() != config.node.id {
        return Err(Error::usage(format!(
            "tram.toml says `{}` at `{}`, the signed descriptor says `{}` at `{}`; they must agree (a node that moves is initialised anew and paired again)",
            config.node.id, config.peer.endpoint, said.participant, said.endpoint
        )));
    }
    Ok(descriptor)
}

/// The keys in the folder must be the ones that the signed descriptor tells to others: with any other key this node would
/// sign what nobody can verify.
fn own_keys(dir: &Path, keys: &NodeKeys, said: &NodeDescriptor, now: i64) -> Result<()> {
    certs::tls::check_own(&keys.channel, now).map_err(|e| {
        let path = dir.join("keys").join("channel.crt");
        Error::Verification(format!("`{}`: {e}; put it back from a backup, or renew it", path.display()))
    })?;
    let whole = Period::new(now, now + 1).ok_or_else(|| Error::internal("impossible period"))?;
    for held in NodeDescriptor::keys_of(keys, whole) {
        let key_use = held.material.key_use();
        if !said.keys_at(key_use, now).any(|published| *published == held.material) {
            return Err(Error::Verification(format!(
                "`{}` is not the {key_use} key that `descriptor.json` names as valid now; put both back from the same backup",
                dir.join("keys").join(format!("{key_use}.key")).display()
            )));
        }
    }
    Ok(())
}

async fn open_store(dir: &Path) -> Result<Store> {
    let path = dir.join("store");
    tokio::task::spawn_blocking(move || Store::open(&path, store::OpenOptions::default()))
        .await
        .map_err(Error::internal)?
        .map_err(|e| {
            let text = format!("the store cannot be opened: {e}");
            if matches!(e, StoreError::Locked { .. }) { Error::InUse(text) } else { Error::Unavailable(text) }
        })
}

async fn open_ledger(
    dir: &Path,
    config: &Config,
    me: &ParticipantId,
    keys: &NodeKeys,
    clock: &Clock,
) -> Result<Log> {
    let origin = KeyName::new(&default_origin(me)).map_err(Error::internal)?;
    let signer = Signer::new(origin, keys.ledger.clone());
    let (path, guard) = (dir.join("ledger"), config.guard_file(dir));
    let clock = clock.clone();
    let now: ledger::log::Clock = Arc::new(move || u64::try_from(clock.now()).unwrap_or(0));
    let mut options = ledger::log::LogOptions::new(guard);
    options.on_failure =
        Some(Box::new(|why| tracing::error!(why, "the ledger stopped; nothing is exchanged any more")));
    tokio::task::spawn_blocking(move || Log::open(&path, signer, now, options))
        .await
        .map_err(Error::internal)?
        .map_err(|e| {
            let text = format!("the ledger cannot be opened: {e}");
            if matches!(e, LedgerError::InUse(_)) { Error::InUse(text) } else { Error::Unavailable(text) }
        })
}

/// The memory of nonces. Up to which second messages may have been accepted by the process before this one is kept in
/// the store ahead of time (see [`crate::peer::signed`]), so a crash costs peers two seconds, not half a minute.
fn nonces(store: &Store, now: i64) -> Result<(NonceCache, i64)> {
    let mark = records::get::<i64>(store, Space::Meta, b"nonce-mark")?.map(|(m, _)| m);
    let last = mark.map_or(LastStop::NeverRan, |highest_created| LastStop::Clean { highest_created });
    Ok((NonceCache::new(now, last), mark.unwrap_or(i64::MIN)))
}

async fn open_doors(node: &Arc<Node>, doors: Doors) -> Result<()> {
    let peer_at = node.config.peer.listen;
    let listener = bind(peer_at, "peer").await?;
    let tls =
        certs::tls::server_config(&node.keys.channel, node.peers.gate.clone()).map_err(Error::internal)?;
    let router = peer::router(node.clone());
    keep(node, tokio::spawn(peer::listener::serve(listener, tls, router, node.stop.subscribe())));
    tracing::info!(address = %peer_at, endpoint = node.config.peer.endpoint, "peer door open (mutual TLS 1.3)");
    if doors == Doors::All {
        if let Some(section) = &node.config.public {
            let tls = public::tls(&node.dir, section)?;
            let listener = bind(section.listen, "public").await?;
            let (router, stop) = (public::router(node.clone()), node.stop.subscribe());
            keep(node, tokio::spawn(public::serve(listener, tls, router, !section.behind_proxy, stop)));
            tracing::info!(address = %section.listen, endpoint = section.endpoint, "public door open");
        }
        let listener = bind(node.config.local.listen, "local").await?;
        let address = listener.local_addr().map_err(Error::internal)?;
        keep(node, tokio::spawn(local::serve(listener, local::router(node.clone()), node.stop.subscribe())));
        let run =
            RunFile { address: address.to_string(), pid: std::process::id(), token: node.token.clone() };
        files::write_atomic(&RunFile::path(&node.dir), &serde_json::to_vec(&run).map_err(Error::internal)?)?;
        tracing::info!(%address, "local door open");
    }
    Ok(())
}

async fn bind(address: std::net::SocketAddr, door: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| {
        Error::Unavailable(format!(
            "the {door} door cannot listen on {address}: {e}; is another node running there? change [{door}] listen in tram.toml"
        ))
    })
}

fn keep(node: &Node, task: tokio::task::JoinHandle<()>) {
    if let Ok(mut tasks) = node.tasks.lock() {
        tasks.push(task);
    }
}

/// Stops a node: doors first, then what runs, then ledger and store.
pub async fn close(node: &Arc<Node>) {
    node.stop.send_replace(true);
    let tasks = node.tasks.lock().map(|mut t| std::mem::take(&mut *t)).unwrap_or_default();
    for task in tasks {
        let _ = tokio::time::timeout(limits::SHUTDOWN_GRACE, task).await;
    }
    if let Err(error) = node.lines.keep(&node.dir, node.clock.now(), true) {
        tracing::warn!(%error, "the measured rates could not be kept");
    }
    let run = RunFile::path(&node.dir);
    if RunFile::read(&node.dir).is_some_and(|r| r.token == node.token) {
        let _ = std::fs::remove_file(run);
    }
    let closing = node.clone();
    let _ = tokio::task::spawn_blocking(move || {
        closing.ledger.close();
        closing.store.close();
    })
    .await;
    tracing::info!("node closed");
}

/// The rule set to begin with.
pub fn first_rules() -> Result<RuleSet> {
    RuleSet::builtin(1).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_is_to_serve_waits_until_a_command_leaves_the_folder() {
        let (_dir, command) = crate::testing::node().await;
        let folder = command.dir.clone();
        assert!(matches!(open(&folder, Doors::Closed).await, Err(Error::InUse(_))));
        let waiting = tokio::spawn(async move { open_when_free(&folder, Doors::Closed).await });
        // Long enough for several looks; each of them must find the folder held.
        tokio::time::sleep(FOLDER_POLL * 5).await;
        assert!(!waiting.is_finished(), "it must not end while the folder is held");
        assert!(is_wanted(&command.dir), "whoever holds it must be able to see that it is wanted");
        close(&command).await;
        drop(command);
        let node = waiting.await.unwrap().unwrap();
        assert!(!is_wanted(&node.dir));
        close(&node).await;
    }
}
