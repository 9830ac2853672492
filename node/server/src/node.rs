//! The node: every long-lived thing, one field one line. Built by [`crate::boot`], used by everything else.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use certs::descriptor::SignedDescriptor;
use certs::message::NonceCache;
use certs::{NodeKeys, ParticipantId, SigningKeyWithId};
use ledger::log::Log;
use store::Store;
use tokio::sync::{OwnedMutexGuard, Semaphore, watch};

use crate::config::Config;
use crate::crawl::Catalogs;
use crate::error::{Error, Result};
use crate::flow::produce::Productions;
use crate::gate::Gate;
use crate::line::Lines;
use crate::operation::Clock;
use crate::outbound::Outbound;
use crate::outbox::Outbox;
use crate::peers::Peers;
use crate::rate::Rates;

/// One running node.
pub struct Node {
    /// Its folder.
    pub dir: PathBuf,
    /// Its configuration.
    pub config: Config,
    /// Where "now" comes from.
    pub clock: Clock,
    /// Who it is.
    pub me: ParticipantId,
    /// Its keys.
    pub keys: NodeKeys,
    /// Signs its messages.
    pub signer: SigningKeyWithId,
    /// How it describes itself to others.
    pub descriptor: SignedDescriptor,
    /// What it remembers.
    pub store: Store,
    /// What it did.
    pub ledger: Log,
    /// Decides.
    pub gate: Gate,
    /// Whom it trusts.
    pub peers: Peers,
    /// Asks peers.
    pub outbound: Outbound,
    /// What is set and known of the lines to peers.
    pub lines: Lines,
    /// Delivers messages.
    pub outbox: Outbox,
    /// Speaks with connectors.
    pub connectors: crate::flow::connector::Connectors,
    /// DIDs of connectors, and its own.
    pub identities: crate::dsp::identity::did::Identities,
    /// Peers to be asked at once for messages that wait there.
    pub polls: crate::flow::polling::Polls,
    /// Peers' catalogs as last seen.
    pub catalogs: Catalogs,
    /// Views that are being computed.
    pub productions: Productions,
    /// Transfers that are being received, by exchange key.
    pub receiving: Mutex<std::collections::HashSet<Vec<u8>>>,
    /// Nonces seen, so that a replayed message is refused.
    pub nonces: NonceCache,
    /// How far ahead the refusal of old messages is kept on disk; see [`crate::peer::signed`].
    pub nonce_mark: tokio::sync::Mutex<i64>,
    /// Requests per consumer and dataset, for rate obligations.
    pub rates: Rates,
    /// Keys of the exchanges that are not at their end: what the monitor looks after.
    pub open: Mutex<std::collections::BTreeSet<Vec<u8>>>,
    /// One driver at a time for each exchange.
    pub locks: Locks,
    /// Views at once.
    pub views: Arc<Semaphore>,
    /// Views for the public door at once, apart from those for peers.
    pub public_views: Arc<Semaphore>,
    /// Received rows that are written in another form at once.
    pub conversions: Arc<Semaphore>,
    /// Long looks at rules at once.
    pub looks: Arc<Semaphore>,
    /// Counts changes of exchanges, for those who wait for one.
    pub changed: watch::Sender<u64>,
    /// What it knows of logs, its own and others'.
    pub watch: crate::witness::Watch,
    /// How time-stamping goes.
    pub stamping: crate::stamping::State,
    /// Says stop to everything that runs.
    pub stop: watch::Sender<bool>,
    /// Secret of pseudonyms.
    pub mask_secret: [u8; 32],
    /// Token of the local door.
    pub token: String,
    /// Who is reading the ledger's entries.
    pub read_sessions: crate::audit::record::Sessions,
    /// Tasks to wait for at the end.
    pub tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

impl Node {
    /// Token of the local door.
    pub fn local_token(&self) -> &str {
        &self.token
    }

    /// What masks are made with.
    pub fn secrets(&self) -> crate::enforce::Secrets<'_> {
        crate::enforce::Secrets { mask: &self.mask_secret, linkages: crate::linkage::of(self) }
    }

    /// Name of the ledger.
    pub fn ledger_origin(&self) -> String {
        certs::descriptor::default_origin(&self.me)
    }

    /// Whether exchanges can go on: both the store and the ledger take writes. If not, everything that needs either is
    /// refused (fail closed).
    pub fn can_write(&self) -> bool {
        self.store.read_only().is_none() && self.ledger.failure().is_none() && self.watch.halted().is_none()
    }

    /// Appends an entry to the ledger; durable when it returns its index.
    pub async fn append(&self, entry: Vec<u8>) -> Result<u64> {
        if let Some(why) = self.watch.halted() {
            return Err(Error::Unavailable(format!("this node signs nothing: {why}")));
        }
        match self.ledger.append(entry).await {
            Ok(committed) => Ok(committed.index),
            Err(error) => Err(Error::Unavailable(format!(
                "the ledger did not take an entry: {error}; nothing was exchanged"
            ))),
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.config.node.id)
    }
}

/// A lock for each key that somebody holds or waits for.
#[derive(Default)]
pub struct Locks {
    held: Mutex<HashMap<Vec<u8>, Arc<tokio::sync::Mutex<()>>>>,
}

impl Locks {
    /// Waits for the lock of `key`.
    pub async fn lock(&self, key: &[u8]) -> OwnedMutexGuard<()> {
        let lock = {
            // Whoever panicked with the map in hand left it whole (nothing in here stops half-way), and the locks in it
            // still hold: going on with it keeps drivers apart, which a lock of one's own would not.
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            // Locks that nobody holds or waits for are let go here, so that the map stays small.
            held.retain(|_, lock| Arc::strong_count(lock) > 1);
            held.entry(key.to_vec()).or_default().clone()
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::Locks;

    #[tokio::test]
    async fn a_key_has_one_holder_even_after_somebody_panicked_with_the_map_in_hand() {
        let locks = Locks::default();
        let first = locks.lock(b"x").await;
        std::thread::scope(|scope| {
            let poison = scope.spawn(|| {
                let _held = locks.held.lock();
                panic!("with the map in hand");
            });
            assert!(poison.join().is_err() && locks.held.is_poisoned());
        });
        assert!(locks.lock(b"x").now_or_never().is_none(), "the key is held");
        assert!(locks.lock(b"y").now_or_never().is_some());
        drop(first);
        assert!(locks.lock(b"x").now_or_never().is_some());
    }
}
