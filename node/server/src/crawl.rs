//! Peers' catalogs, as this node last saw them: crawled when somebody asks, kept on disk, searched in memory.
//!
//! Promise: what an unreachable peer showed before is still found, with its age, and what a revoked one showed is not.
//! A crawl that breaks off on the line leaves the old catalog as it was. One bad dataset does not hide the others.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use catalog::{CatalogEntry, ColumnKind, EntryColumn, Found, Query, SearchIndex, Text};
use exchange::dsp::{Catalog, Dataset, DatasetDescription, LangText};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use store::{Space, Store, Tx};

use crate::error::{Error, Result};
use crate::limits;
use crate::line::Spared;
use crate::node::Node;
use crate::records::{self, Peer};

/// Where the pages lie in [`Space::Meta`].
const PREFIX: &str = "catalog/";
/// Bytes of JSON that one stored page may have, so that it stays under the store's limit for a value.
const PAGE_BYTES_MAX: usize = 512 << 10;

/// Entries of one peer, or some of them: a record of the store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    participant: String,
    entries: Vec<CatalogEntry>,
}

/// The index over all that is known.
#[derive(Debug, Default)]
pub struct Catalogs {
    index: RwLock<SearchIndex>,
}

/// A peer that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreached {
    /// Participant id.
    pub id: String,
    /// Why not.
    pub why: String,
}

impl Catalogs {
    /// Reads what was kept.
    pub fn open(store: &Store) -> Result<Self> {
        let mut index = SearchIndex::new();
        for (_, page) in records::all::<Page>(store, Space::Meta, PREFIX.as_bytes())? {
            for entry in page.entries {
                put(&mut index, entry);
            }
        }
        Ok(Self { index: RwLock::new(index) })
    }

    /// Searches one's own published datasets and what active peers showed, and gives what `view` makes of the hits.
    pub fn search<R>(&self, node: &Node, query: &Query, view: impl FnOnce(&Found<'_>) -> R) -> Result<R> {
        self.refresh_own(node)?;
        let me = &node.config.node.id;
        let active: Vec<String> = active(node)?.into_iter().map(|peer| peer.id).chain([me.clone()]).collect();
        let index = self.read()?;
        Ok(view(&index.search_where(query, |entry| active.contains(&entry.participant))))
    }

    fn refresh_own(&self, node: &Node) -> Result<()> {
        let now = node.clock.now();
        let published =
            crate::datasets::all(node)?.into_iter().filter(crate::datasets::Dataset::is_published);
        let own: Vec<CatalogEntry> =
            published.map(|d| CatalogEntry { fetched_at: now, ..CatalogEntry::from(&d.record) }).collect();
        self.replace(&node.config.node.id, own)
    }

    fn replace(&self, participant: &str, entries: Vec<CatalogEntry>) -> Result<()> {
        let mut index = self.write()?;
        index.remove_participant(participant);
        for entry in entries {
            put(&mut index, entry);
        }
        Ok(())
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, SearchIndex>> {
        self.index.read().map_err(|_| Error::internal("the catalog index is poisoned"))
    }

    fn write(&self) -> Result<RwLockWriteGuard<'_, SearchIndex>> {
        self.index.write().map_err(|_| Error::internal("the catalog index is poisoned"))
    }
}

/// An entry that breaks the limits is left out, and said so in the log.
fn put(index: &mut SearchIndex, entry: CatalogEntry) {
    let name = format!("{}/{}", entry.participant, entry.dataset);
    if let Err(error) = index.put(entry) {
        tracing::warn!(entry = name, %error, "a catalog entry is not shown");
    }
}

fn active(node: &Node) -> Result<Vec<Peer>> {
    let known = records::all::<Peer>(&node.store, Space::Peer, b"")?.into_iter().map(|(_, peer)| peer);
    Ok(known.filter(|peer| peer.status == "active").collect())
}

/// Asks every active peer (or the one named) for its catalog, several at once, and keeps what they show.
pub async fn refresh(node: &Arc<Node>, only: Option<&str>) -> Result<Vec<Unreached>> {
    let peers: Vec<Peer> = active(node)?
        .into_iter()
        .filter(|p| only.map_or_else(|| is_due(node, &p.id), |only| only == p.id))
        .collect();
    let asked = peers.into_iter().map(|peer| async move {
        let work = tokio::time::timeout(limits::CRAWL_TIMEOUT, crawl(node, &peer.id));
        let done = match work.await {
            Ok(done) => done,
            Err(_) => Err(Error::Unreachable(format!("no end within {} s", limits::CRAWL_TIMEOUT.as_secs()))),
        };
        if done.is_ok() {
            node.lines.went(Spared::Catalog, &peer.id, node.clock.now());
        }
        done.err().map(|error| Unreached { id: peer.id, why: error.to_string() })
    });
    let outcomes =
        futures::stream::iter(asked).buffer_unordered(limits::CRAWLS_AT_ONCE).collect::<Vec<_>>().await;
    let mut unreached: Vec<Unreached> = outcomes.into_iter().flatten().collect();
    unreached.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(unreached)
}

/// Whether a peer's catalog is read when all are asked.
fn is_due(node: &Node, peer: &str) -> bool {
    node.lines.may(Spared::Catalog, peer, node.clock.now())
}

/// Reads one peer's whole catalog, page by page, and puts it in place of the old one.
async fn crawl(node: &Node, participant: &str) -> Result<()> {
    let route = node.peers.route(participant)?;
    let mut entries = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..limits::CATALOG_PAGES_MAX {
        let page = node.outbound.catalog_page(node, &route, next.as_deref()).await?;
        entries.extend(read(&page.catalog, participant, node.clock.now())?);
        next = page.next;
        if next.is_none() || entries.len() >= catalog::limits::ENTRIES_MAX {
            break;
        }
    }
    if next.is_some() {
        tracing::warn!(%participant, kept = entries.len(), "the peer's catalog is longer than this node reads");
    }
    keep(node, participant, &entries).await?;
    node.catalogs.replace(participant, entries)
}

/// The datasets of a page as entries. A catalog in another's name is refused.
fn read(page: &Catalog, participant: &str, now: i64) -> Result<Vec<CatalogEntry>> {
    if page.participant_id.as_str() != participant {
        return Err(Error::Peer(format!(
            "{participant} answered with the catalog of `{}`",
            page.participant_id
        )));
    }
    let entries = page.content.datasets.iter().map(|dataset| entry(dataset, participant, now));
    let (good, bad): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.check().is_ok());
    if !bad.is_empty() {
        tracing::warn!(%participant, left_out = bad.len(), "datasets of a peer's catalog break the limits");
    }
    Ok(good)
}

fn entry(dataset: &Dataset, participant: &str, now: i64) -> CatalogEntry {
    let said = DatasetDescription::from_extra(&dataset.extra);
    let id = dataset.id.as_str();
    let name = id.strip_prefix(participant).and_then(|rest| rest.strip_prefix('/')).unwrap_or(id);
    let mut title = text(said.title);
    if title.vi.is_empty() && title.en.is_empty() {
        title.vi = name.to_owned();
    }
    let column = |c: exchange::manifest::Column| EntryColumn {
        name: c.name,
        kind: Some(kind(c.kind)),
        description: Text::default(),
    };
    CatalogEntry {
        participant: participant.to_owned(),
        dataset: name.to_owned(),
        title,
        description: text(said.description),
        keywords: said.keywords,
        theme: None,
        version: said.version.unwrap_or(0),
        classification: said.classification,
        purposes: said.purposes,
        columns: said.columns.into_iter().map(column).collect(),
        fetched_at: now,
    }
}

fn text(text: LangText) -> Text {
    Text { vi: text.vi, en: text.en }
}

fn kind(kind: exchange::manifest::ColumnKind) -> ColumnKind {
    use exchange::manifest::ColumnKind as Wire;
    match kind {
        Wire::String => ColumnKind::String,
        Wire::Integer => ColumnKind::Integer,
        Wire::Number => ColumnKind::Number,
        Wire::Boolean => ColumnKind::Boolean,
        Wire::Date => ColumnKind::Date,
        Wire::Timestamp => ColumnKind::Timestamp,
    }
}

fn key(participant: &str, page: usize) -> Vec<u8> {
    format!("{PREFIX}{}/{page:05}", records::short(participant)).into_bytes()
}

/// Writes a peer's entries in place of the old ones. Each page is a transaction of its own, because a long catalog is
/// more than one may hold; a crash in between leaves pages of both, which the next crawl mends.
async fn keep(node: &Node, participant: &str, entries: &[CatalogEntry]) -> Result<()> {
    let pages = pages(participant, entries)?;
    let old = records::all::<Page>(
        &node.store,
        Space::Meta,
        format!("{PREFIX}{}/", records::short(participant)).as_bytes(),
    )?;
    for (number, page) in pages.iter().enumerate() {
        let tx = Tx::new().put(Space::Meta, key(participant, number), page.clone());
        node.store.commit(tx).await.map_err(Error::from)?;
    }
    for (stale, _) in old.into_iter().skip(pages.len()) {
        node.store.commit(Tx::new().delete(Space::Meta, stale)).await.map_err(Error::from)?;
    }
    Ok(())
}

/// Entries as stored pages, each under the limit. An entry that alone is over it is left out.
fn pages(participant: &str, entries: &[CatalogEntry]) -> Result<Vec<Vec<u8>>> {
    let mut pages = Vec::new();
    let (mut page, mut bytes) = (Vec::new(), 0);
    let close = |entries: &mut Vec<CatalogEntry>| -> Result<Vec<u8>> {
        let page = Page { participant: participant.to_owned(), entries: std::mem::take(entries) };
        serde_json::to_vec(&page).map_err(Error::internal)
    };
    for entry in entries {
        let size = serde_json::to_vec(entry).map_err(Error::internal)?.len();
        if size > PAGE_BYTES_MAX {
            tracing::warn!(dataset = entry.dataset, size, "a catalog entry is too long to be kept");
            continue;
        }
        if bytes + size > PAGE_BYTES_MAX {
            pages.push(close(&mut page)?);
            bytes = 0;
        }
        bytes += size;
        page.push(entry.clone());
    }
    if !page.is_empty() {
        pages.push(close(&mut page)?);
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use exchange::Id;
    use exchange::dsp::{Address, CatalogContent, DataService, Distribution, NonEmpty, Offer};
    use exchange::terms::Terms;

    use super::*;

    const PEER: &str = "urn:agency:vn:env";

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn dataset(name: &str, description: &DatasetDescription) -> Dataset {
        let service = DataService::new(id("urn:s"), Address::new("https://127.0.0.1:1/dsp/2025-1").unwrap());
        Dataset {
            id: id(name),
            offers: NonEmpty::one(Offer { id: id("urn:o"), rules: Terms::default().to_rules().unwrap() }),
            distributions: NonEmpty::one(Distribution::new(id("HttpData-PULL"), service)),
            extra: description.to_extra().unwrap(),
        }
    }

    fn page(datasets: Vec<Dataset>) -> Catalog {
        let content = CatalogContent { datasets, ..CatalogContent::empty(id("urn:c")) };
        Catalog { participant_id: id(PEER), content }
    }

    #[test]
    fn a_page_becomes_entries_under_the_peers_own_names() {
        let said = DatasetDescription {
            title: LangText { vi: "Chất lượng không khí".into(), en: "Air quality".into() },
            version: Some(3),
            columns: vec![exchange::manifest::Column {
                name: "pm25".into(),
                kind: exchange::manifest::ColumnKind::Number,
            }],
            ..DatasetDescription::default()
        };
        let bare = DatasetDescription::default();
        let page =
            page(vec![dataset(&format!("{PEER}/air-hourly"), &said), dataset("urn:other:thing", &bare)]);
        let entries = read(&page, PEER, 100).unwrap();
        assert_eq!(
            (entries[0].dataset.as_str(), entries[0].version, entries[0].fetched_at),
            ("air-hourly", 3, 100)
        );
        assert_eq!(entries[0].columns[0].kind, Some(ColumnKind::Number));
        assert_eq!(
            (entries[1].dataset.as_str(), entries[1].title.vi.as_str()),
            ("urn:other:thing", "urn:other:thing")
        );
    }

    #[test]
    fn a_catalog_in_anothers_name_and_a_dataset_over_the_limits_are_not_taken() {
        let long = DatasetDescription {
            title: LangText { vi: "x".repeat(catalog::limits::TITLE_CHARS_MAX + 1), en: String::new() },
            ..DatasetDescription::default()
        };
        let page = page(vec![
            dataset(&format!("{PEER}/a"), &long),
            dataset(&format!("{PEER}/b"), &DatasetDescription::default()),
        ]);
        let entries = read(&page, PEER, 100).unwrap();
        assert_eq!(entries.iter().map(|e| e.dataset.as_str()).collect::<Vec<_>>(), ["b"]);
        assert!(matches!(read(&page, "urn:agency:vn:x", 100), Err(Error::Peer(_))));
    }

    #[test]
    fn long_catalogs_are_kept_in_pages_under_the_limit() {
        let entry = |n: usize| CatalogEntry {
            participant: PEER.into(),
            dataset: format!("d{n}"),
            description: Text::new("x".repeat(5000), ""),
            ..CatalogEntry::default()
        };
        let entries: Vec<CatalogEntry> = (0..250).map(entry).collect();
        let pages = pages(PEER, &entries).unwrap();
        assert!(pages.len() >= 3 && pages.iter().all(|p| p.len() < store::limits::VALUE_BYTES_MAX));
        let read = pages.iter().flat_map(|p| serde_json::from_slice::<Page>(p).unwrap().entries);
        assert_eq!(read.collect::<Vec<_>>(), entries);
    }

    #[tokio::test]
    async fn what_was_kept_is_found_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), store::OpenOptions::default()).unwrap();
        let entry = CatalogEntry {
            participant: PEER.into(),
            dataset: "air".into(),
            title: Text::new("Chất lượng không khí", ""),
            fetched_at: 7,
            ..CatalogEntry::default()
        };
        let stored = pages(PEER, std::slice::from_ref(&entry)).unwrap().remove(0);
        store.commit(Tx::new().put(Space::Meta, key(PEER, 0), stored)).await.unwrap();
        let catalogs = Catalogs::open(&store).unwrap();
        let index = catalogs.read().unwrap();
        let found = index.search(&Query::new("chat luong"));
        assert_eq!(found.hits[0].entry, &entry);
        assert_eq!(found.hits[0].entry.age_s(67), 60);
        store.close();
    }
}
