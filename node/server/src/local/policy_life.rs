//! The life of rule sets on the local door: drafts, approvals, activation, rollback, history. Signatures are made by the
//! callers; the node checks them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::aside::to_the_end;
use super::body::{JsonBody, Params, RulesBody, Segments};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::rules::act::SignedAct;
use crate::rules::{base, content, direct, draft, history};

/// `GET /v1/policy/drafts`: all drafts, without their files.
pub async fn drafts(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let now = node.clock.now();
    let all = draft::all(&node)?;
    let views: Vec<Value> = all.iter().map(|draft| draft::view(&node, draft, now)).collect::<Result<_>>()?;
    Ok(Json(json!({"base": base(&node), "drafts": views})))
}

/// `POST /v1/policy/drafts`: checks and tests the files, and keeps them as a draft.
pub async fn propose(
    State(node): State<Arc<Node>>,
    JsonBody(wish): RulesBody<draft::Wish>,
) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let files = wish.files.clone();
    let mut answer = draft::propose(&node, &operation, wish).await?;
    answer["lint"] = lint(&node, files).await?;
    Ok(Json(answer))
}

/// `GET /v1/policy/drafts/{id}`: a draft with its files: what a person looks at before signing.
pub async fn show(State(node): State<Arc<Node>>, Segments(name): Segments<String>) -> Result<Json<Value>> {
    let (draft, _) = draft::demand(&node.store, name.parse()?)?;
    let files = content::get(&node.store, &draft.proposal.files)?;
    let lint = lint(&node, files.clone()).await?;
    Ok(Json(json!({"draft": draft::view(&node, &draft, node.clock.now())?, "files": files, "lint": lint})))
}

/// What can be told about files without asking their rules anything.
async fn lint(node: &Arc<Node>, files: content::Texts) -> Result<Value> {
    let version = base(node).version + 1;
    let load = move |_: &Node| Ok((crate::rules::load(&files, version)?, files));
    match super::policy_lint::look_over(node.clone(), load, None).await {
        Ok(Json(mut told)) => Ok(told["lint"].take()),
        // A draft is not held up by somebody else's long look; `tram policy lint` says it later.
        Err(Error::Unavailable(_)) => Ok(Value::Null),
        Err(error) => Err(error),
    }
}

/// Body of `POST /v1/policy/drafts/{id}/approval`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    signed: SignedAct,
}

/// `POST /v1/policy/drafts/{id}/approval`: takes a signed approval or rejection.
pub async fn answer(
    State(node): State<Arc<Node>>,
    Segments(name): Segments<String>,
    JsonBody(body): JsonBody<Answer>,
) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    Ok(Json(draft::answer(&node, &operation, name.parse()?, body.signed).await?))
}

/// `POST /v1/policy/drafts/{id}/activate`: puts a draft in force that has what it needs.
pub async fn activate(
    State(node): State<Arc<Node>>,
    Segments(name): Segments<String>,
) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let name = name.parse()?;
    to_the_end(async move { draft::activate(&node, &operation, name).await }).await.map(Json)
}

/// Body of `POST /v1/policy/rollback`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Back {
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    signed: Option<SignedAct>,
}

/// `POST /v1/policy/rollback`: puts an earlier rule set in force again, as a new version.
pub async fn roll_back(State(node): State<Arc<Node>>, JsonBody(body): JsonBody<Back>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    to_the_end(async move { direct::roll_back(&node, &operation, body.version, body.signed).await })
        .await
        .map(Json)
}

/// Query of `GET /v1/policy/history`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    before: Option<u64>,
}

/// `GET /v1/policy/history`: which rule sets were in force, the newest first.
pub async fn list(State(node): State<Arc<Node>>, Params(page): Params<Page>) -> Result<Json<Value>> {
    Ok(Json(history::list(&node, page.before)?))
}

/// `GET /v1/policy/versions/{version}`: the signed bundle of a version.
pub async fn bundle(State(node): State<Arc<Node>>, Segments(version): Segments<u64>) -> Result<Json<Value>> {
    Ok(Json(serde_json::to_value(history::bundle(&node, version)?).map_err(crate::Error::internal)?))
}
