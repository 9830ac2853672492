//! Questions to several sources on the local door: ask, look, wait, take home.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::aside::to_the_end;
use super::body::{JsonBody, Params, Segments};
use crate::error::Result;
use crate::limits;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::questions::{self, Stage, document::QuestionDoc};

/// `POST /v1/questions`: asks every source and answers at once.
pub async fn ask(State(node): State<Arc<Node>>, JsonBody(doc): JsonBody<QuestionDoc>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    to_the_end(async move {
        let question = questions::ask(&node, &operation, doc).await?;
        questions::shown(&node, &question)
    })
    .await
    .map(Json)
}

/// `GET /v1/questions`: the newest first.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let all = questions::list(&node)?;
    let shown: Vec<Value> = all.iter().map(|q| questions::shown(&node, q)).collect::<Result<_>>()?;
    Ok(Json(json!({"questions": shown})))
}

/// Query of `GET /v1/questions/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Seconds to wait for the end.
    #[serde(default)]
    wait: u64,
}

/// `GET /v1/questions/{id}`: one question; with `wait`, answers when it is at its end.
pub async fn show(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    Params(look): Params<Look>,
) -> Result<Json<Value>> {
    let until = tokio::time::Instant::now() + Duration::from_secs(look.wait.min(limits::LOOK_SECONDS_MAX));
    let mut changed = node.changed.subscribe();
    loop {
        let question = questions::find(&node, &id)?;
        if question.stage != Stage::Asking || tokio::time::Instant::now() >= until {
            return Ok(Json(questions::shown(&node, &question)?));
        }
        let _ = tokio::time::timeout_at(until, changed.changed()).await;
    }
}

/// Body of `POST /v1/questions/{id}/erase`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    reason: String,
}

/// `POST /v1/questions/{id}/erase`: destroys result, search values and what opens its entries, for good.
pub async fn erase(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    JsonBody(body): JsonBody<Erase>,
) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    to_the_end(async move { questions::erase(&node, &operation, &id, &body.reason).await }).await.map(Json)
}

/// `GET` and `HEAD /v1/questions/{id}/data`: the joined rows, whole or a span.
pub async fn data(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    questions::held(&node, &questions::find(&node, &id)?)?.answer(&method, &headers).await
}
