//! Sources on the local door: what there is, and a look at one now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::aside::to_the_end;
use super::body::Segments;
use crate::error::Result;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::sources;

/// `GET /v1/sources`: the datasets whose rows are fetched, and how the last look went.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    Ok(Json(json!({"sources": sources::list(&node)?})))
}

/// `GET /v1/sources/{id}`: how the last look went, and what was found of the rows.
pub async fn show(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    Ok(Json(sources::show(&node, &id)?))
}

/// `POST /v1/sources/{id}/refresh`: reads the origin of a dataset now.
pub async fn refresh(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    to_the_end(async move { sources::refresh(&node, &operation, &id).await }).await.map(Json)
}
