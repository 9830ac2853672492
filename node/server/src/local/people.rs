//! The register of people on the local door. Signatures are made by the callers; the node checks them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use certs::PublicKey;
use serde::Deserialize;
use serde_json::Value;

use super::aside::to_the_end;
use super::body::JsonBody;
use crate::error::Result;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::rules::act::{Newcomer, SignedAct};
use crate::rules::people::{self, People};

/// `GET /v1/people`: everybody who may say something about rule sets, and who might once.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    Ok(Json(People::read(&node.store)?.0.view()))
}

/// Body of `POST /v1/people`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    person: Newcomer,
    #[serde(default)]
    signed: Option<SignedAct>,
}

/// `POST /v1/people`: lets a person in.
pub async fn add(State(node): State<Arc<Node>>, JsonBody(body): JsonBody<Add>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    to_the_end(async move { people::add(&node, &operation, body.person, body.signed.as_ref()).await })
        .await
        .map(Json)
}

/// Body of `POST /v1/people/removal` and `POST /v1/people/confirmation`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    key: PublicKey,
    #[serde(default)]
    signed: Option<SignedAct>,
}

/// `POST /v1/people/confirmation`: confirms a person whom somebody else let in.
pub async fn confirm(State(node): State<Arc<Node>>, JsonBody(body): JsonBody<About>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    to_the_end(async move { people::confirm(&node, &operation, body.key, body.signed.as_ref()).await })
        .await
        .map(Json)
}

/// `POST /v1/people/removal`: lets a person out.
pub async fn remove(State(node): State<Arc<Node>>, JsonBody(body): JsonBody<About>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    to_the_end(async move { people::remove(&node, &operation, body.key, body.signed.as_ref()).await })
        .await
        .map(Json)
}
