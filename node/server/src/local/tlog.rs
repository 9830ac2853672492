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
use crate::audit::record::{self, Reading};
use crate::error::{Error, Result};
use crate::node::Node;

/// Says who reads; a name without it is `local`.
const READER_HEADER: &str = "tram-reader";

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
        let reader = headers.get(READER_HEADER).and_then(|h| h.to_str().ok()).unwrap_or("local");
        node.tile_session.begin(&node, reader).await?;
    }
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// Body of `POST /v1/ledger/reads`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    reader: String,
    action: Action,
    purpose: Option<String>,
    from: u64,
    to: u64,
    opened: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Query,
    Export,
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
    let action = match said.action {
        Action::Query => "query",
        Action::Export => "export",
    };
    let Said { reader, purpose, from, to, opened, .. } = said;
    let index = record::record(&node, &Reading { reader, action, purpose, from, to, opened }).await?;
    Ok(Json(json!({"index": index})))
}
