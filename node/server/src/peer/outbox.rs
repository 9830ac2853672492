//! What waits here for a node that accepts no connection: it asks for its messages and says what became of each.
//!
//! Nobody sees another's: the caller's own id is the key. A message that was taken counts as delivered, one that was refused
//! as refused, exactly as if it had been sent. First messages are not handed out: their answer tells a pid.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use store::Space;

use super::signed::Caller;
use crate::error::{Error, Result};
use crate::flow::delivery;
use crate::flow::protocol::FIRST;
use crate::node::Node;
use crate::outbox::{self, Row};
use crate::records;

/// Messages in one answer.
const MESSAGES_MAX: usize = 20;
/// Bytes of bodies in one answer, of which the last may go beyond it.
const BODIES_BYTES_MAX: usize = 256 << 10;

/// `GET /tram/outbox`: messages to the caller, oldest first.
pub async fn waiting(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response> {
    let rows = outbox::waiting(&node, caller.participant.as_str())?;
    let mut bytes = 0;
    let messages: Vec<Value> = rows
        .iter()
        .filter(|(_, row)| row.kind != FIRST)
        .take(MESSAGES_MAX)
        .take_while(|(_, row)| {
            let fits = bytes <= BODIES_BYTES_MAX;
            bytes += row.body.len();
            fits
        })
        .map(|(key, row)| json!({"id": id(key), "url": row.url, "body": row.body}))
        .collect();
    Ok(Json(json!({"messages": messages})).into_response())
}

fn id(key: &[u8]) -> String {
    let key = String::from_utf8_lossy(key);
    key.rsplit_once('/').map_or_else(|| key.to_string(), |(_, id)| id.to_owned())
}

/// Body of `POST /tram/outbox/{id}`.
#[derive(Debug, Deserialize)]
struct Outcome {
    /// Why the message was refused for good; taken when absent.
    refused: Option<String>,
}

/// `POST /tram/outbox/{id}`: what became of a message. One that is not there any more was settled before.
pub async fn settled(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response> {
    let outcome: Outcome = serde_json::from_slice(&body)
        .map_err(|e| Error::usage(format!("the body is not JSON with `refused`, a text or absent: {e}")))?;
    let key = format!("{}/{id}", records::short(caller.participant.as_str())).into_bytes();
    let row = records::get::<Row>(&node.store, Space::Outbox, &key)?.map(|(row, _)| row);
    if let Some(row) = row.filter(|row| row.kind != FIRST) {
        match outcome.refused {
            None => delivery::delivered(&node, &key, &row, &[]).await?,
            Some(why) => {
                let why = why.chars().take(500).collect();
                delivery::rejected(&node, &key, &row, &Error::Usage(why)).await?;
            }
        }
    }
    Ok(Json(json!({"settled": true})).into_response())
}
