//! This node's ledger as peers may read it: checkpoint and hash tiles, enough to check every promise. Entries are for
//! auditors only.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::error::{Error, Result};
use crate::node::Node;

/// `GET /tram/ledger/checkpoint`
pub async fn checkpoint(State(node): State<Arc<Node>>) -> Result<Response> {
    let published = node.ledger.checkpoint().map_err(|e| Error::Unavailable(e.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], published.signed.to_bytes()).into_response())
}

/// `GET /tram/ledger/tile/…` (C2SP tlog-tiles); bundles of entries are refused.
pub async fn tile(State(node): State<Arc<Node>>, Path(path): Path<String>) -> Result<Response> {
    let unknown = || Error::not_found(format!("no hash tile `{path}`; see C2SP tlog-tiles for their names"));
    let tile = format!("tile/{path}").parse::<::ledger::tile::Tile>().map_err(|_| unknown())?;
    if tile.content() == ::ledger::tile::Content::Entries {
        return Err(Error::not_found("entries are read by auditors, not over the peer door"));
    }
    let bytes = node.ledger.tile_bytes(&tile).map_err(|_| unknown())?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}
