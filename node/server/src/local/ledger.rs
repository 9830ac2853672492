//! The ledger on the local door: the newest checkpoint, what the entries say, and a check of the whole.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ledger::statement::SignedStatement;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Params;
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

/// `GET /v1/ledger/entries`: what the entries say, from an index on.
pub async fn entries(State(node): State<Arc<Node>>, Params(page): Params<Page>) -> Result<Json<Value>> {
    let size = node.ledger.size();
    let count = page.limit.unwrap_or(ENTRIES_DEFAULT).min(ledger::log::ENTRIES_MAX);
    let from = page.from.min(size);
    let end = from.saturating_add(count).min(size);
    let entries = node.ledger.entries(from..end).map_err(Error::internal)?;
    let views: Vec<Value> = (from..end).zip(&entries).map(|(index, bytes)| entry(index, bytes)).collect();
    let next = (end < size).then_some(end);
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
