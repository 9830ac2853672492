//! Kept versions of this agency's datasets on the local door.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use super::body::{JsonBody, Segments};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::versions::{contracts, needs};

/// `GET /v1/datasets/{id}/versions`: what is kept, how large it is, who needs it.
pub async fn list(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    needs::view(&node, &id).map(Json)
}

/// Body of `POST /v1/datasets/{id}/end`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    contract: u32,
    /// Day (UTC) as `2026-12-31`.
    on: String,
}

/// `POST /v1/datasets/{id}/end`: an older version of the contract is served until that day begins.
pub async fn end(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    JsonBody(body): JsonBody<End>,
) -> Result<Json<Value>> {
    let at = exchange::Timestamp::parse(format!("{}T00:00:00Z", body.on))
        .map_err(|_| Error::usage(format!("`{}` is no day; write it as 2026-12-31", body.on)))?;
    contracts::end(&node, &id, body.contract, at.unix())?;
    needs::view(&node, &id).map(Json)
}
