//! Search for those outside: own datasets only, of those the ones that the caller may discover, by the words that it may
//! read.
//!
//! What peers show this node is not passed on. Columns are not searched, and ways of sharing and classifications neither
//! counted nor filtered by: not everybody who may know of a dataset may know those.

use std::collections::{HashMap, HashSet};

use catalog::{Facets, Query};

use super::Catalogs;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::Operation;
use crate::public::Caller;
use crate::shown::{self, Shown};

/// What a caller found.
#[derive(Debug)]
pub struct Found {
    /// The datasets of this page, best first.
    pub hits: Vec<Shown>,
    /// How many there are in all.
    pub total: usize,
    /// Publishers, themes and keywords of all of them, where they were asked for.
    pub facets: Option<Facets>,
}

/// Searches what the caller may discover.
///
/// # Errors
/// Any dataset that cannot be judged: never a shorter list.
pub fn search(node: &Node, operation: &Operation, caller: &Caller, query: Query) -> Result<Found> {
    let shown = shown::all(node, operation, caller)?.into_iter();
    let mut shown: HashMap<String, Shown> = shown.map(|one| (one.name().to_owned(), one)).collect();
    let query = Query { sharing: None, classification: None, without_columns: true, ..query };
    let (names, total, facets) = node.catalogs.search_own(node, &query, |name| shown.contains_key(name))?;
    let hits = names.into_iter().filter_map(|name| shown.remove(&name)).collect();
    let facets = facets.map(|facets| Facets { sharing: Vec::new(), classification: Vec::new(), ..facets });
    Ok(Found { hits, total, facets })
}

/// Names of those among the shown that fit the words, all of them, best first.
///
/// # Errors
/// The index's.
pub fn names(node: &Node, shown: &[Shown], words: &str) -> Result<Vec<String>> {
    let known: HashSet<&str> = shown.iter().map(Shown::name).collect();
    let mut query = Query { without_columns: true, ..Query::new(words) };
    let mut found = Vec::new();
    loop {
        let (names, total, _) = node.catalogs.search_own(node, &query, |name| known.contains(name))?;
        query.offset = query.offset.saturating_add(names.len());
        let last = names.is_empty() || query.offset >= total;
        found.extend(names);
        if last {
            return Ok(found);
        }
    }
}

impl Catalogs {
    /// Names of own datasets among those let through, the total and the facets.
    fn search_own(
        &self,
        node: &Node,
        query: &Query,
        may: impl Fn(&str) -> bool,
    ) -> Result<(Vec<String>, usize, Option<Facets>)> {
        self.ready(node)?;
        let state = self.read()?;
        let me = &node.config.node.id;
        let found = state.index.search_where(query, |of| of == me, |entry| may(&entry.dataset));
        let found = found.map_err(Error::internal)?;
        let names = found.hits.iter().map(|hit| hit.entry.dataset.clone()).collect();
        Ok((names, found.total, found.facets))
    }
}
