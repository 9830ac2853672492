//! The ledger as C2SP `tlog-tiles` on the local door, for the agency's own auditor and other people's tools, and the
//! note of who reads.
//!
//! Entries say who asked whom for what, so the first bundle of a session writes an `audit@v1` entry before it is given.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use ledger::LedgerError;
use ledger::tile::{Content, Tile};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{JsonBody, Segments};
use crate::audit::record::{self, Act, Reading};
use crate::error::{Error, Result};
use crate::node::Node;

/// Says who reads; a name without it is `local`.
pub const READER_HEADER: &str = "tram-reader";

/// `GET /v1/ledger/tlog/tile/…`
pub async fn tile(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Segments(path): Segments<String>,
) -> Result<Response> {
    let tile: Tile =
        format!("tile/{path}").parse().map_err(|e: LedgerError| Error::not_found(e.to_string()))?;
    let give = |node: &Node| match node.ledger.tile_bytes(&tile) {
        Err(
            error @ (LedgerError::OutOfRange { .. }
            | LedgerError::Malformed { .. }
            | LedgerError::Archived { .. }),
        ) => Err(Error::not_found(error.to_string())),
        other => other.map_err(Error::internal),
    };
    let bytes = give(&node)?;
    if tile.content() == Content::Entries {
        record::record_all(&node, Act::Tiles, reader(&headers)).await?;
    }
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// Who reads, as the request names it, in UTF-8.
pub fn reader(headers: &HeaderMap) -> &str {
    headers.get(READER_HEADER).and_then(|h| std::str::from_utf8(h.as_bytes()).ok()).unwrap_or("local")
}

/// Body of `POST /v1/ledger/reads`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    reader: String,
    action: Act,
    purpose: Option<String>,
    from: u64,
    to: u64,
    opened: u64,
}

/// `POST /v1/ledger/reads`: writes down that somebody read this ledger by the node's folder.
pub async fn read(State(node): State<Arc<Node>>, JsonBody(said): JsonBody<Said>) -> Result<Json<Value>> {
    if said.from > said.to || said.to > node.ledger.size() {
        return Err(Error::usage(format!(
            "the entries {}..{} are not in this ledger of {}",
            said.from,
            said.to,
            node.ledger.size()
        )));
    }
    let Said { reader, action: act, purpose, from, to, opened } = said;
    let index = record::record(&node, &Reading { reader, act, purpose, from, to, opened }).await?;
    Ok(Json(json!({"index": index})))
}
