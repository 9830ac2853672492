//! Catalogs on the local door: one search over this agency's datasets and those that peers showed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use catalog::search::Marks;
use catalog::{CatalogEntry, Query, SharingKind, Sort, Text};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Params, Segments};
use crate::crawl::{self, Refreshed, evidence};
use crate::error::{Error, Result};
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
    /// Only this theme.
    theme: Option<String>,
    /// Only with this keyword.
    keyword: Option<String>,
    /// Only what is shared in this way.
    sharing: Option<SharingKind>,
    /// Only of this classification.
    classification: Option<u8>,
    /// The order.
    #[serde(default)]
    sort: Sort,
    /// Whether facets are counted.
    #[serde(default)]
    facets: bool,
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
    let Refreshed { read, unreached } = match search.refresh {
        true => crawl::refresh(&node, search.participant.as_deref()).await?,
        false => Refreshed::default(),
    };
    let query = Query {
        participant: search.participant,
        theme: search.theme,
        keyword: search.keyword,
        sharing: search.sharing,
        classification: search.classification,
        sort: search.sort,
        facets: search.facets,
        offset: search.offset,
        limit: search.limit.unwrap_or(catalog::limits::HITS_MAX),
        ..Query::new(search.q)
    };
    let (marks, now) = (Marks::new(&query.text), node.clock.now());
    // The first search builds the index, and a long list is searched: both are work, not waiting.
    let mut answer = tokio::task::spawn_blocking(move || {
        node.catalogs.search(&node, &query, |found, seen| {
            let hit = |entry: &CatalogEntry| {
                let mut value = view(entry, seen.at(entry), now);
                value["marks"] = json!({"title": marked(&marks, &entry.title), "description": marked(&marks, &entry.description)});
                value
            };
            let entries: Vec<Value> = found.hits.iter().map(|found| hit(found.entry)).collect();
            json!({"entries": entries, "total": found.total, "facets": found.facets})
        })
    })
    .await
    .map_err(Error::internal)??;
    answer["read"] = json!(read);
    answer["unreached"] = json!(unreached);
    Ok(Json(answer))
}

/// Query of `GET /v1/catalog/{participant}/{dataset}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Show {
    /// With what proves it.
    #[serde(default)]
    evidence: bool,
}

/// `GET /v1/catalog/{participant}/{dataset}`: one entry as it is known here, if asked with what its publisher signed.
pub async fn show(
    State(node): State<Arc<Node>>,
    Segments((participant, dataset)): Segments<(String, String)>,
    Params(show): Params<Show>,
) -> Result<Json<Value>> {
    let found = tokio::task::spawn_blocking(move || {
        let found = node.catalogs.entry(&node, &participant, &dataset)?;
        let (entry, seen) = found.ok_or_else(|| {
            Error::not_found(format!(
                "no catalog here shows `{participant}/{dataset}`; `tram catalog search` shows what there is"
            ))
        })?;
        let mut answer = json!({"entry": view(&entry, seen, node.clock.now())});
        if show.evidence {
            answer["evidence"] = json!(evidence::of(&node, &participant, &dataset)?);
        }
        Ok::<_, Error>(answer)
    });
    Ok(Json(found.await.map_err(Error::internal)??))
}

fn marked(marks: &Marks, text: &Text) -> Value {
    json!({"vi": marks.pieces(&text.vi), "en": marks.pieces(&text.en)})
}

fn view(entry: &CatalogEntry, seen: i64, now: i64) -> Value {
    json!({
        "participant": entry.participant,
        "dataset": entry.dataset,
        "version": entry.version,
        "title": entry.title,
        "description": entry.description,
        "keywords": entry.keywords,
        "theme": entry.theme,
        "sharing": entry.sharing,
        "classification": entry.classification,
        "purposes": entry.purposes,
        "columns": entry.columns,
        "seen": rfc3339(seen),
        "age_s": now.saturating_sub(seen).max(0),
    })
}
