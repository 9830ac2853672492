//! The ledger on the local door: the newest checkpoint, what the entries say, and a check of the whole.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use ledger::statement::SignedStatement;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{JsonBody, Params};
use crate::audit::record::{self, Act};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::witness::quorum;
use crate::{ledger_check, statement_view};

/// Entries of one answer when nobody says how many.
const ENTRIES_DEFAULT: u64 = 50;

/// `GET /v1/ledger/checkpoint`: the signed note, as C2SP tlog-checkpoint writes it.
pub async fn checkpoint(State(node): State<Arc<Node>>) -> Result<Response> {
    let published = node.ledger.checkpoint().map_err(|e| Error::Unavailable(e.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], published.signed.to_bytes()).into_response())
}

/// Query of `GET /v1/ledger/entries`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// First index.
    #[serde(default)]
    from: u64,
    /// How many, at most the ledger's own limit for one read.
    limit: Option<u64>,
}

/// `GET /v1/ledger/entries`: what the entries say, from an index on. The first page of a reader's session is recorded
/// before it is given.
pub async fn entries(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Params(page): Params<Page>,
) -> Result<Json<Value>> {
    let size = node.ledger.size();
    let count = page.limit.unwrap_or(ENTRIES_DEFAULT).min(ledger::log::ENTRIES_MAX);
    let from = page.from.min(size);
    let end = from.saturating_add(count).min(size);
    let entries = node.ledger.entries(from..end).map_err(told)?;
    let views: Vec<Value> = (from..end).zip(&entries).map(|(index, bytes)| entry(index, bytes)).collect();
    let next = (end < size).then_some(end);
    if !views.is_empty() {
        record::record_all(&node, Act::List, super::tlog::reader(&headers)).await?;
    }
    Ok(Json(json!({"origin": node.ledger_origin(), "size": size, "next": next, "entries": views})))
}

fn entry(index: u64, bytes: &[u8]) -> Value {
    match SignedStatement::parse(bytes) {
        Ok(signed) => {
            let text = signed.statement().to_text();
            json!({"index": index, "statement": statement_view::signed(&signed), "text": text})
        }
        Err(error) => json!({"index": index, "unreadable": error.to_string(), "bytes": bytes.len()}),
    }
}

/// `POST /v1/ledger/verify`: reads the whole ledger and checks it, while the node goes on.
pub async fn verify(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let dir = node.dir.clone();
    let checked =
        tokio::task::spawn_blocking(move || ledger_check::check(&dir)).await.map_err(Error::internal)?;
    checked.map(Json)
}

/// `GET /v1/ledger/witnesses`: who vouches for this ledger, what peers' ledgers say of themselves, and proofs of two
/// histories.
pub async fn witnesses(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let policy = quorum::policy(&node)?.map(|policy| String::from_utf8_lossy(&policy.to_text()).into_owned());
    let gossip = &node.watch.gossip;
    let logs = gossip.origins().into_iter().map(|origin| {
        let size = gossip.largest(origin.as_str()).map(|signed| signed.checkpoint().size);
        json!({"log": origin.as_str(), "size": size, "unchecked": gossip.pending(origin.as_str()).len()})
    });
    Ok(Json(json!({
        "policy": policy,
        "own": node.watch.quorum.view(),
        "logs": logs.collect::<Vec<_>>(),
        "conflicts": node.watch.conflicts.view(),
        "halted": node.watch.halted(),
    })))
}

/// Body of `POST /v1/ledger/archive`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Entries before this index.
    #[serde(default)]
    before_entry: Option<u64>,
    /// Entries written before this time, RFC 3339 or a date (UTC).
    #[serde(default)]
    before: Option<String>,
    /// Folder that takes them.
    to: std::path::PathBuf,
}

/// `POST /v1/ledger/archive`: moves the bytes of old entries to another folder; the tree stays whole.
pub async fn archive(
    State(node): State<Arc<Node>>,
    JsonBody(body): JsonBody<Archive>,
) -> Result<Json<Value>> {
    absolute(&body.to)?;
    in_thread(move || {
        let index = match (body.before_entry, &body.before) {
            (Some(index), None) => index,
            (None, Some(time)) => first_since(&node, crate::operation::read_time(time)?)?,
            _ => return Err(Error::usage("say before which entry or before which time, one of them")),
        };
        let moved = node.ledger.archive_before(index, &body.to).map_err(told)?;
        Ok(json!({
            "asked": index,
            "archived": moved.map_or(0, |moved| moved.below),
            "freed": moved.is_some_and(|moved| moved.freed),
            "to": body.to.display().to_string(),
        }))
    })
    .await
}

/// Body of `POST /v1/ledger/restore`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// Folder that took them.
    from: std::path::PathBuf,
}

/// `POST /v1/ledger/restore`: brings archived entries back; each is checked against the tree before it is written.
pub async fn restore(
    State(node): State<Arc<Node>>,
    JsonBody(body): JsonBody<Restore>,
) -> Result<Json<Value>> {
    absolute(&body.from)?;
    if !body.from.is_dir() {
        return Err(Error::usage(format!(
            "`{}` is no folder; name the one that took the entries",
            body.from.display()
        )));
    }
    in_thread(move || Ok(json!({"restored": node.ledger.fetch_back(&body.from).map_err(told)?}))).await
}

async fn in_thread(work: impl FnOnce() -> Result<Value> + Send + 'static) -> Result<Json<Value>> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?.map(Json)
}

fn absolute(folder: &std::path::Path) -> Result<()> {
    if folder.is_absolute() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`{}` is no absolute path; the node may run in another folder",
        folder.display()
    )))
}

fn told(error: ledger::LedgerError) -> Error {
    match error {
        ledger::LedgerError::Io { path, source, .. } => Error::io(&path, source),
        archived @ ledger::LedgerError::Archived { .. } => Error::conflict(archived.to_string()),
        other => Error::Verification(other.to_string()),
    }
}

/// The first entry that was written at `time` or later, Unix seconds. Times of entries grow with their index, but for a
/// clock that was set back: an archive then ends a little earlier or later.
fn first_since(node: &Node, time: i64) -> Result<u64> {
    let (mut low, mut high) =
        (node.ledger.archived().map_or(0, |archived| archived.below), node.ledger.size());
    while low < high {
        let middle = low + (high - low) / 2;
        let bytes = node.ledger.entry(middle).map_err(told)?;
        let written = SignedStatement::parse(&bytes).map_err(told)?.statement().time().get();
        if i64::try_from(written).unwrap_or(i64::MAX) < time {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
