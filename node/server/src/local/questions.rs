//! Questions to several sources on the local door: ask, look, wait, take home.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use super::aside::to_the_end;
use super::body::{JsonBody, Params, Segments};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::questions::{self, Stage, document::QuestionDoc};

/// Longest that one look may wait for a change, seconds.
const WAIT_SECONDS_MAX: u64 = 30;

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
    let until = tokio::time::Instant::now() + Duration::from_secs(look.wait.min(WAIT_SECONDS_MAX));
    let mut changed = node.changed.subscribe();
    loop {
        let question = questions::find(&node, &id)?;
        if question.stage != Stage::Asking || tokio::time::Instant::now() >= until {
            return Ok(Json(questions::shown(&node, &question)?));
        }
        let _ = tokio::time::timeout_at(until, changed.changed()).await;
    }
}

/// `GET /v1/questions/{id}/data`: the joined rows.
pub async fn data(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Response> {
    let question = questions::find(&node, &id)?;
    if question.stage != Stage::Completed {
        return Err(Error::conflict(format!(
            "question `{id}` has no result: it is {}",
            question.stage.word()
        )));
    }
    let path = questions::file(&node, &id);
    let file = tokio::fs::File::open(&path).await.map_err(|e| Error::io(&path, e))?;
    let body = Body::from_stream(ReaderStream::with_capacity(file, 1 << 16));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}
