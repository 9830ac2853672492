//! Reading one peer's catalog to its end, page by page, and only what is new of it.
//!
//! With each page the peer is told which digest of it is kept here; where that is still the page, it answers with a line.
//! Peers that know nothing of this send the page, and nothing else is different. A catalog that leads in a circle, never
//! ends or is too large is read as far as the limits go.

use std::collections::{HashMap, HashSet};

use catalog::CatalogEntry;
use serde::Serialize;

use super::kept::{self, Confirmed, Head, Page, Signed};
use super::wire;
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::outbound::Paged;

/// What reading one peer's catalog took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Read {
    /// Participant id.
    pub id: String,
    /// Pages of its catalog.
    pub pages: usize,
    /// Of those, the ones that had not changed and were not sent again.
    pub unchanged: usize,
    /// Bytes of all answers.
    pub bytes: usize,
    /// Datasets that are new here or other than before.
    pub changed: usize,
    /// Datasets that are no longer shown.
    pub gone: usize,
}

/// A catalog as it is read.
#[derive(Default)]
struct Walk {
    /// Each with whether its body is to be written.
    pages: Vec<(Page, bool)>,
    entries: Vec<CatalogEntry>,
    /// Bytes of all pages, kept ones included.
    held: usize,
    read: Read,
}

/// Reads one peer's whole catalog, and puts it in place of the old one.
pub(super) async fn crawl(node: &Node, participant: &str) -> Result<Read> {
    let route = node.peers.route(participant)?;
    let now = node.clock.now();
    node.catalogs.build(&node.store)?;
    let mut kept: HashMap<String, (usize, Page)> = HashMap::new();
    for (number, page) in kept::pages(&node.store, participant)? {
        kept.insert(page.head.url.clone(), (number, page));
    }
    let mut walk = Walk { read: Read { id: participant.to_owned(), ..Read::default() }, ..Walk::default() };
    let mut next = Some(node.outbound.catalog_url(&route)?);
    let mut been = HashSet::new();
    while let Some(url) = next.take() {
        if !been.insert(url.clone()) {
            return Err(Error::Peer(format!("the pages of the catalog of {participant} lead in a circle")));
        }
        if walk.is_full() {
            tracing::warn!(%participant, kept = walk.entries.len(), "the peer's catalog is longer than this node reads");
            break;
        }
        let old = kept.remove(&url);
        let known = old.as_ref().map(|(_, page)| page.head.sha256.as_str());
        let paged = node.outbound.catalog_page(node, &route, &url, known).await?;
        walk.read.bytes += paged.answer.body.len();
        next = paged.next.clone();
        walk.take(participant, url, old, paged, now)?;
    }
    kept::keep(&node.store, participant, &walk.pages, now).await?;
    let changes = node.catalogs.replace(participant, walk.entries, now)?;
    Ok(Read { pages: walk.pages.len(), changed: changes.written, gone: changes.removed, ..walk.read })
}

impl Walk {
    fn is_full(&self) -> bool {
        self.pages.len() >= limits::CATALOG_PAGES_MAX
            || self.held >= limits::CATALOG_BYTES_MAX
            || self.entries.len() >= catalog::limits::ENTRIES_MAX
    }

    fn take(
        &mut self,
        participant: &str,
        url: String,
        old: Option<(usize, Page)>,
        paged: Paged,
        now: i64,
    ) -> Result<()> {
        let (asked, said) = (Signed::from(&paged.answer.asked), Signed::from(&paged.answer.said));
        let (page, moved) = match old {
            Some((number, mut page)) if paged.unchanged => {
                let body = String::from_utf8_lossy(&paged.answer.body).into_owned();
                page.head.confirmed = Some(Confirmed { at: now, asked, said, body });
                self.read.unchanged += 1;
                (page, number != self.pages.len())
            }
            _ => {
                let body = paged.answer.body.to_vec();
                let head = Head {
                    participant: participant.to_owned(),
                    url,
                    sha256: kept::sha256(&body),
                    fetched_at: now,
                    asked,
                    said,
                    confirmed: None,
                };
                (Page { head, body }, true)
            }
        };
        self.held += page.body.len();
        self.entries.extend(wire::read(&page.catalog()?, participant, page.head.fetched_at)?);
        self.pages.push((page, moved));
        Ok(())
    }
}
