//! Catalogs on the local door: one search over this agency's datasets and those that peers showed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use catalog::{CatalogEntry, Query};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Params;
use crate::crawl;
use crate::error::Result;
use crate::node::Node;
use crate::operation::rfc3339;

/// Query of `GET /v1/catalog`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Words; marks may be left out. None finds everything.
    #[serde(default)]
    q: String,
    /// Only this participant.
    participant: Option<String>,
    /// Ask the peers first.
    #[serde(default)]
    refresh: bool,
    /// Hits to leave out from the beginning.
    #[serde(default)]
    offset: usize,
    /// Hits to give, at most the catalog's limit.
    limit: Option<usize>,
}

/// `GET /v1/catalog`: what fits, best first. A peer that could not be asked is named; what it showed before is found.
pub async fn search(State(node): State<Arc<Node>>, Params(search): Params<Search>) -> Result<Json<Value>> {
    let unreached =
        if search.refresh { crawl::refresh(&node, search.participant.as_deref()).await? } else { Vec::new() };
    let query = Query {
        participant: search.participant,
        offset: search.offset,
        limit: search.limit.unwrap_or(catalog::limits::HITS_MAX),
        ..Query::new(search.q)
    };
    let (entries, total) = node.catalogs.search(&node, &query, |found| {
        (found.hits.iter().map(|hit| view(hit.entry)).collect::<Vec<_>>(), found.total)
    })?;
    Ok(Json(json!({"entries": entries, "total": total, "unreached": unreached})))
}

fn view(entry: &CatalogEntry) -> Value {
    json!({
        "participant": entry.participant,
        "dataset": entry.dataset,
        "version": entry.version,
        "title": entry.title,
        "description": entry.description,
        "keywords": entry.keywords,
        "classification": entry.classification,
        "purposes": entry.purposes,
        "columns": entry.columns,
        "seen": rfc3339(entry.fetched_at),
    })
}
