//! The matrix of a legal pack on the local door.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use super::aside::aside;
use super::body::Params;
use crate::error::Result;
use crate::node::Node;
use crate::operation::{Actor, Operation};

/// Query of `GET /v1/policy/compliance`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// `vn` or `eu`; by itself the pack of the rules in force.
    pack: Option<String>,
}

/// `GET /v1/policy/compliance`: clause by clause, how it stands and what counts as evidence.
pub async fn show(State(node): State<Arc<Node>>, Params(which): Params<Which>) -> Result<Json<Value>> {
    let now = Operation::begin(Actor::Local, &node.clock).now;
    let here = Arc::clone(&node);
    let work = move || crate::compliance::at_node(&node, which.pack.as_deref(), now);
    aside(&here, work).await
}
