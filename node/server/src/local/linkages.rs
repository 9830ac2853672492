//! Linkage keys on the local door: make, hand over, take, look, drop. No answer holds a key, sealed ones apart.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use policy::Linkage;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{JsonBody, Params, Segments};
use crate::error::{Error, Result};
use crate::linkage::{self, handing::Handed};
use crate::node::Node;
use crate::operation::{Actor, Operation};

/// Body of `POST /v1/linkages`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    name: String,
    with: Vec<String>,
}

/// Body of `POST /v1/linkages/{id}/sealed`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct To {
    peer: String,
}

fn named(id: String) -> Result<Linkage> {
    Linkage::try_from(id).map_err(Error::Usage)
}

/// `GET /v1/linkages`: all, by name. One whose file cannot be read is told with what to do.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let keys = linkage::of(&node);
    let view = |name: &Linkage| match keys.find(name) {
        Ok(held) => linkage::view(&node, &held),
        Err(error) => json!({"linkage": name.as_str(), "damaged": error.to_string()}),
    };
    Ok(Json(json!({"linkages": keys.names()?.iter().map(view).collect::<Vec<_>>()})))
}

/// `POST /v1/linkages`: a new key, and the file for each of the other holders.
pub async fn make(
    State(node): State<Arc<Node>>,
    JsonBody(new): JsonBody<New>,
) -> Result<(StatusCode, Json<Value>)> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let (held, files) = linkage::make(&node, &operation, &new.name, &new.with).await?;
    let mut told = linkage::view(&node, &held);
    told["files"] = files.iter().map(|(to, file)| json!({"to": to, "file": file})).collect();
    Ok((StatusCode::CREATED, Json(told)))
}

/// `POST /v1/linkages/{id}/sealed`: the file for one of the other holders, once more.
pub async fn seal(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    JsonBody(to): JsonBody<To>,
) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let file = linkage::seal(&node, &operation, &named(id)?, &to.peer).await?;
    Ok(Json(json!({"to": to.peer, "file": file})))
}

/// `POST /v1/linkages/import`: takes what another holder sealed to this node.
pub async fn take(
    State(node): State<Arc<Node>>,
    JsonBody(handed): JsonBody<Handed>,
) -> Result<(StatusCode, Json<Value>)> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let held = linkage::take(&node, &operation, &handed).await?;
    Ok((StatusCode::CREATED, Json(linkage::view(&node, &held))))
}

/// Query of `DELETE /v1/linkages/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropping {
    /// Although rules in force name it.
    #[serde(default)]
    in_use: bool,
}

/// `DELETE /v1/linkages/{id}`: forgets a key for good.
pub async fn drop(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    Params(how): Params<Dropping>,
) -> Result<Json<Value>> {
    let linkage = named(id)?;
    let operation = Operation::begin(Actor::Local, &node.clock);
    let rules = linkage::drop(&node, &operation, &linkage, how.in_use).await?;
    Ok(Json(json!({"linkage": linkage.as_str(), "rules": rules})))
}
