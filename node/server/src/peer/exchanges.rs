//! The end of an exchange: its statement with the openings, the consumer's acknowledgement, both sides' receipts.
//!
//! Only the consumer of an exchange may ask; for everybody else it does not exist.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use store::Space;

use super::data::early;
use super::signed::{Caller, Promise};
use crate::error::{Error, Result};
use crate::flow::{evidence, receipts, sealing};
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::records::{self, Exchange};

fn of_caller(node: &Node, caller: &Caller, id: &str) -> Result<Exchange> {
    let key = records::provider_key(caller.participant.as_str(), id);
    records::get::<Exchange>(&node.store, Space::Exchange, &key)?
        .map(|(exchange, _)| exchange)
        .ok_or_else(|| Error::not_found(format!("no exchange `{id}` with this caller")))
}

/// `POST /tram/exchanges/{id}/committed`: the values of the committed fields of the statement, before it asks for the transfer.
pub async fn committed(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response> {
    let exchange = of_caller(&node, &caller, &id)?;
    // The body is personal data: what is wrong with it is told, and nothing of it repeated.
    let values: evidence::CommittedValues = serde_json::from_slice(&body).map_err(|_| {
        Error::usage(
            "the body is not JSON with the members `user`, `subject` and `case`, each a text or absent",
        )
    })?;
    // The flow answers under the same lock: committed fields come before the answer or not at all.
    let _turn = node.locks.lock(&exchange.key()).await;
    let exchange = of_caller(&node, &caller, &id)?;
    if exchange.transfer.is_some() || exchange.statement.is_some() {
        return Err(Error::conflict(format!(
            "exchange {id} has its transfer; committed fields come before it"
        )));
    }
    evidence::keep_values(&node, &exchange, values)?;
    Ok(Json(serde_json::json!({"committed": true})).into_response())
}

/// `GET /tram/exchanges/{id}/statement`
pub async fn statement(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let exchange = of_caller(&node, &caller, &id)?;
    let handed = receipts::handed_over(&node, &exchange)?;
    let mut response = Json(handed).into_response();
    if let Some(promise) = receipts::promise(&node, &exchange)? {
        response.extensions_mut().insert(Promise(promise));
    }
    Ok(response)
}

/// `POST /tram/exchanges/{id}/ack`: the consumer's signed acknowledgement goes into this ledger, too.
pub async fn ack(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response> {
    let exchange = of_caller(&node, &caller, &id)?;
    let operation = Operation::begin(Actor::Peer(caller.participant.clone()), &node.clock);
    // One that is being ended at this moment must not take an acknowledgement for which it then owes the key.
    let turn = if exchange.receipt_first { Some(node.locks.lock(&exchange.key()).await) } else { None };
    let exchange = of_caller(&node, &caller, &id)?;
    sealing::may_acknowledge(&node, &operation, &exchange)?;
    let index = receipts::take_ack(&node, &operation, &exchange, &body).await?;
    drop(turn);
    crate::flow::nudge(&node, &exchange.key());
    Ok(Json(serde_json::json!({"index": index})).into_response())
}

/// `GET /tram/exchanges/{id}/key`: the key of sealed rows, once the acknowledgement is in this ledger; 425 before.
pub async fn key(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let exchange = of_caller(&node, &caller, &id)?;
    Ok(sealing::hand_over(&node, &exchange)?.map_or_else(early, |handed| Json(handed).into_response()))
}

/// `POST /tram/exchanges/{id}/receipts`: the consumer's receipt comes, the provider's goes.
pub async fn receipts(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response> {
    let exchange = of_caller(&node, &caller, &id)?;
    let ours = receipts::swap(&node, &exchange, &body).await?;
    crate::flow::nudge(&node, &exchange.key());
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], ours).into_response())
}
