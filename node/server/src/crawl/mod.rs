//! Peers' catalogs, as this node last saw them: crawled when somebody asks, kept on disk with what the peers signed,
//! searched in memory.
//!
//! Promise: what an unreachable peer showed before is still found, with its age, and what a revoked one showed is not.
//! A crawl that breaks off on the line leaves the old catalog as it was. One bad dataset does not hide the others. What
//! has not changed is not sent again.
//!
//! `walk.rs` reads one peer's catalog, `kept.rs` is what lies on the disk, `wire.rs` makes entries of it, `evidence.rs` shows
//! one with its proof, `visible.rs` searches for those outside. The index is built at the first search, not when the node starts.

pub mod evidence;
pub mod kept;
pub mod visible;
mod walk;
mod wire;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use catalog::search::Changes;
use catalog::{CatalogEntry, Found, Query, SearchIndex};
use futures::StreamExt;
use serde::Serialize;
use store::{Space, Store};

pub use self::walk::Read;
use crate::error::{Error, Result};
use crate::limits;
use crate::line::Spared;
use crate::node::Node;
use crate::records::{self, Peer};

/// The index over all that is known.
#[derive(Debug)]
pub struct Catalogs {
    state: RwLock<State>,
    /// Whether own datasets may be other than in the index.
    own_changed: AtomicBool,
}

#[derive(Debug)]
struct State {
    index: SearchIndex,
    /// Whether what is kept is in the index.
    is_built: bool,
    /// When each peer's catalog was last read to its end, Unix seconds.
    seen: HashMap<String, i64>,
}

/// A peer that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreached {
    /// Participant id.
    pub id: String,
    /// Why not.
    pub why: String,
}

/// What asking the peers brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Refreshed {
    /// Those whose catalogs were read.
    pub read: Vec<Read>,
    /// Those that could not be asked.
    pub unreached: Vec<Unreached>,
}

/// When each participant's entries were last seen to be so.
pub struct Seen<'s> {
    me: &'s str,
    now: i64,
    seen: &'s HashMap<String, i64>,
}

impl Seen<'_> {
    /// Unix seconds: now for own entries, for a peer's when its catalog was last read to its end.
    pub fn at(&self, entry: &CatalogEntry) -> i64 {
        if entry.participant == self.me {
            return self.now;
        }
        self.seen.get(&entry.participant).copied().unwrap_or(entry.fetched_at)
    }
}

impl Catalogs {
    /// An empty index; what is kept goes into it with the first search.
    pub fn open() -> Result<Self> {
        let index = SearchIndex::new().map_err(Error::internal)?;
        let state = State { index, is_built: false, seen: HashMap::new() };
        Ok(Self { state: RwLock::new(state), own_changed: AtomicBool::new(true) })
    }

    /// Says that an own dataset was written: the next search reads them again.
    pub fn own_changed(&self) {
        self.own_changed.store(true, Ordering::Release);
    }

    /// Searches one's own published datasets and what active peers showed, and gives what `view` makes of the hits.
    pub fn search<R>(
        &self,
        node: &Node,
        query: &Query,
        view: impl FnOnce(&Found<'_>, &Seen<'_>) -> R,
    ) -> Result<R> {
        self.ready(node)?;
        let me = &node.config.node.id;
        let shown = shown(node)?;
        let state = self.read()?;
        let found = state.index.search_where(query, |p| shown.contains(p), |_| true);
        let seen = Seen { me, now: node.clock.now(), seen: &state.seen };
        Ok(view(&found.map_err(Error::internal)?, &seen))
    }

    /// One entry that a search could find, and when it was last seen to be so.
    pub fn entry(
        &self,
        node: &Node,
        participant: &str,
        dataset: &str,
    ) -> Result<Option<(CatalogEntry, i64)>> {
        self.ready(node)?;
        if !shown(node)?.contains(participant) {
            return Ok(None);
        }
        let state = self.read()?;
        let seen = Seen { me: &node.config.node.id, now: node.clock.now(), seen: &state.seen };
        Ok(state.index.get(participant, dataset).map(|entry| (entry.clone(), seen.at(entry))))
    }

    /// Brings the index up to what is kept and what this node publishes.
    fn ready(&self, node: &Node) -> Result<()> {
        self.build(&node.store)?;
        // Taken before reading: a change in between sets it again.
        if self.own_changed.swap(false, Ordering::AcqRel) {
            let done = own(node).and_then(|own| self.write()?.replace(&node.config.node.id, own));
            return done.map(|_| ()).inspect_err(|_| self.own_changed());
        }
        Ok(())
    }

    /// Puts what is kept into the index if it is not there yet. Before a crawl writes: else its own pages would be old ones.
    fn build(&self, store: &Store) -> Result<()> {
        if self.read()?.is_built { Ok(()) } else { self.write()?.build(store) }
    }

    fn replace(&self, participant: &str, entries: Vec<CatalogEntry>, seen_at: i64) -> Result<Changes> {
        let mut state = self.write()?;
        state.seen.insert(participant.to_owned(), seen_at);
        state.replace(participant, entries)
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, State>> {
        self.state.read().map_err(|_| Error::internal("the catalog index is poisoned"))
    }

    fn write(&self) -> Result<RwLockWriteGuard<'_, State>> {
        self.state.write().map_err(|_| Error::internal("the catalog index is poisoned"))
    }
}

impl State {
    /// Puts what is kept into the index, once. A page that cannot be read is left out; the next crawl fetches it.
    fn build(&mut self, store: &Store) -> Result<()> {
        if self.is_built {
            return Ok(());
        }
        let mut entries = Vec::new();
        for whole in kept::wholes(store)? {
            for (number, page) in kept::pages(store, &whole.participant)? {
                let read =
                    page.catalog().and_then(|c| wire::read(&c, &whole.participant, page.head.fetched_at));
                match read {
                    Ok(read) => entries.extend(read),
                    Err(error) => {
                        tracing::error!(participant = whole.participant, number, %error, "a kept page is not read");
                    }
                }
            }
            self.seen.insert(whole.participant, whole.seen_at);
        }
        let changes = self.index.put_all(entries).map_err(Error::internal)?;
        tell(&changes);
        self.is_built = true;
        Ok(())
    }

    fn replace(&mut self, participant: &str, entries: Vec<CatalogEntry>) -> Result<Changes> {
        let changes = self.index.replace(participant, entries).map_err(Error::internal)?;
        tell(&changes);
        Ok(changes)
    }
}

fn tell(changes: &Changes) {
    if changes.left_out > 0 {
        tracing::warn!(left_out = changes.left_out, "catalog entries break the limits and are not shown");
    }
}

/// Own published datasets. One whose record is damaged is logged and left out.
fn own(node: &Node) -> Result<Vec<CatalogEntry>> {
    let published =
        crate::datasets::readable(node)?.into_iter().filter(crate::datasets::Dataset::is_published);
    Ok(published.map(|d| CatalogEntry::from(&d.record)).collect())
}

/// Whose entries are shown: one's own and those of active peers.
fn shown(node: &Node) -> Result<HashSet<String>> {
    let peers = active(node)?.into_iter().map(|peer| peer.id);
    Ok(peers.chain([node.config.node.id.clone()]).collect())
}

fn active(node: &Node) -> Result<Vec<Peer>> {
    let known = records::all::<Peer>(&node.store, Space::Peer, b"")?.into_iter().map(|(_, peer)| peer);
    Ok(known.filter(|peer| peer.status == "active").collect())
}

/// Asks every active peer (or the one named) for its catalog, several at once, and keeps what they show.
pub async fn refresh(node: &Arc<Node>, only: Option<&str>) -> Result<Refreshed> {
    let peers: Vec<Peer> = active(node)?
        .into_iter()
        .filter(|p| only.map_or_else(|| is_due(node, &p.id), |only| only == p.id))
        .collect();
    let asked = peers.into_iter().map(|peer| async move {
        let work = tokio::time::timeout(limits::CRAWL_TIMEOUT, walk::crawl(node, &peer.id));
        let done = match work.await {
            Ok(done) => done,
            Err(_) => Err(Error::Unreachable(format!("no end within {} s", limits::CRAWL_TIMEOUT.as_secs()))),
        };
        if done.is_ok() {
            node.lines.went(Spared::Catalog, &peer.id, node.clock.now());
        }
        done.map_err(|error| Unreached { id: peer.id, why: error.to_string() })
    });
    let outcomes =
        futures::stream::iter(asked).buffer_unordered(limits::CRAWLS_AT_ONCE).collect::<Vec<_>>().await;
    let mut refreshed = Refreshed::default();
    for outcome in outcomes {
        match outcome {
            Ok(read) => refreshed.read.push(read),
            Err(unreached) => refreshed.unreached.push(unreached),
        }
    }
    refreshed.read.sort_by(|a, b| a.id.cmp(&b.id));
    refreshed.unreached.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(refreshed)
}

/// Whether a peer's catalog is read when all are asked.
fn is_due(node: &Node, peer: &str) -> bool {
    node.lines.may(Spared::Catalog, peer, node.clock.now())
}
