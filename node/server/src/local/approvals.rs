//! Approvals on the local door: what waits for people, and what they say.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{JsonBody, Segments};
use crate::approvals::{self, Approval, Said};
use crate::error::Result;
use crate::flow;
use crate::node::Node;
use crate::operation::{Actor, Operation, rfc3339};

/// `GET /v1/approvals`: all, the newest first.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let now = node.clock.now();
    let found: Vec<Value> = approvals::all(&node)?.iter().map(|approval| view(approval, now)).collect();
    Ok(Json(json!({"approvals": found})))
}

/// `POST /v1/approvals/{id}`: what a person says in one role. What waited for it goes on at once.
pub async fn answer(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    JsonBody(said): JsonBody<Said>,
) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let approval = approvals::answer(&node, &operation, &id, &said).await?;
    flow::drive_all(&node);
    Ok(Json(json!({"approval": view(&approval, operation.now)})))
}

/// Body of `POST /v1/approvals/{id}/withdraw`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    by: String,
    #[serde(default)]
    note: Option<String>,
}

/// `POST /v1/approvals/{id}/withdraw`: takes it back.
pub async fn withdraw(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    JsonBody(body): JsonBody<Withdraw>,
) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let approval = approvals::withdraw(&node, &operation, &id, &body.by, body.note.as_deref()).await?;
    Ok(Json(json!({"approval": view(&approval, operation.now)})))
}

fn view(approval: &Approval, now: i64) -> Value {
    let roles: Vec<Value> = approval
        .roles
        .iter()
        .map(|(role, word)| {
            json!({
                "role": role,
                "approved": word.as_ref().map(|word| word.approved),
                "by": word.as_ref().map(|word| &word.by),
                "note": word.as_ref().and_then(|word| word.note.as_ref()),
                "at": word.as_ref().map(|word| rfc3339(word.at)),
            })
        })
        .collect();
    json!({
        "id": approval.id,
        "state": approval.state(now),
        "consumer": approval.request.consumer,
        "dataset": approval.request.dataset,
        "action": approval.request.action,
        "obligations_sha256": approval.request.obligations,
        "purpose": approval.request.purpose,
        "basis": approval.request.basis,
        "stated": approval.request.stated,
        "exchange": approval.exchange,
        "roles": roles,
        "asked": rfc3339(approval.asked),
        "until": rfc3339(approval.until),
        "withdrawn": approval.withdrawn.as_ref().map(|word| json!({"by": word.by, "at": rfc3339(word.at), "note": word.note})),
    })
}
