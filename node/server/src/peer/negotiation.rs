//! The first message of a negotiation (DSP 2025-1). State is durable before the answer; each message is idempotent; what
//! follows is done by the flows, not here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use exchange::Role;
use exchange::dsp::{NegotiationMessage, Turn};
use exchange::ends::Local;
use exchange::negotiation::Negotiation;
use store::{Space, Tx};

use super::process::{answer, bad, dedup_key, exchange_id, new_pid, own_address, parties};
use super::signed::Caller;
use crate::error::{Error, Result};
use crate::flow::protocol::{Protocol, known};
use crate::flow::{self, NegotiationRow, evidence};
use crate::node::Node;
use crate::records::{self, Ask, Exchange, Side};

/// `POST /negotiations/request`: a consumer opens a negotiation.
pub async fn request(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let message = match Negotiation::read(&body) {
        Ok(message) => message,
        Err(why) => return bad::<Negotiation>(&body, "MALFORMED", &why),
    };
    let NegotiationMessage::Request(request) = &message else {
        return bad::<Negotiation>(&body, "MALFORMED", "a ContractRequestMessage is due here");
    };
    let Turn::First { callback_address } = &request.turn else {
        return bad::<Negotiation>(
            &body,
            "MALFORMED",
            "a first request carries `callbackAddress` and no `providerPid`",
        );
    };
    if let Err(why) = own_address(&node, &caller, callback_address.as_str()) {
        return bad::<Negotiation>(&body, "CALLBACK", &why);
    }
    match open(&node, &caller, &message, request.consumer_pid.as_str(), request.offer.target.as_str()).await {
        Ok(Ok(row)) => answer(StatusCode::CREATED, &row),
        Ok(Err(why)) => bad::<Negotiation>(&body, "OUT-OF-TURN", &why),
        Err(error) => error.into_response(),
    }
}

/// `POST /negotiations/offers`: a provider opens a negotiation. This node asks for what it wants itself.
pub async fn offer(State(node): State<Arc<Node>>, body: Bytes) -> Response {
    let id = &node.config.node.id;
    bad::<Negotiation>(
        &body,
        "UNSOLICITED",
        &format!("{id} takes no offers that it did not ask for; publish in your catalog"),
    )
}

async fn open(
    node: &Arc<Node>,
    caller: &Caller,
    message: &NegotiationMessage,
    consumer_pid: &str,
    target: &str,
) -> Result<std::result::Result<NegotiationRow, String>> {
    let peer = caller.participant.as_str();
    let dedup = dedup_key("n", peer, consumer_pid);
    let _turn = node.locks.lock(&dedup).await;
    let now = node.clock.now();
    if let Some((pid, _)) = records::get::<String>(&node.store, Space::Dedup, &dedup)? {
        let row = known::<Negotiation>(node, &pid)?;
        return Ok(row.process.receive(message, now).map(|_| row).map_err(|e| e.to_string()));
    }
    let Some(dataset) = target.strip_prefix(&format!("{}/", node.config.node.id)) else {
        return Ok(Err(format!("the offer's target `{target}` is no dataset of `{}`", node.config.node.id)));
    };
    if !flow::has_room(node, peer) {
        return Err(Error::Unavailable(flow::NO_ROOM.to_owned()));
    }
    let own_pid = new_pid()?;
    let pid = own_pid.to_string();
    let parties = parties(node, peer, Role::Provider)?;
    let local = Local { role: Role::Provider, parties, pid: own_pid };
    let step = match Negotiation::open(local, Role::Consumer, message, now) {
        Ok(step) => step,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let exchange = match new_exchange(node, caller, dataset, &step.record, &pid, now) {
        Ok(exchange) => exchange,
        Err(why) => return Ok(Err(why)),
    };
    let key = exchange.key();
    if records::get::<Exchange>(&node.store, Space::Exchange, &key)?.is_some() {
        return Ok(Err(format!("the exchange `{}` exists already; choose a new id for each", exchange.id)));
    }
    evidence::asked(node, peer, &exchange.id, &caller.message.evidence)?;
    let row = NegotiationRow {
        process: step.record,
        exchange: String::from_utf8_lossy(&key).into_owned(),
        pending: None,
    };
    let tx = Tx::new()
        .absent(Space::Dedup, dedup.clone())
        .absent(Space::Exchange, key.clone())
        .put_json(Space::Dedup, dedup, &pid)
        .and_then(|tx| tx.put_json(Space::Negotiation, pid.clone().into_bytes(), &row))
        .and_then(|tx| tx.put_json(Space::Exchange, key.clone(), &exchange))
        .map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    flow::nudge(node, &key);
    Ok(Ok(row))
}

fn new_exchange(
    node: &Node,
    caller: &Caller,
    dataset: &str,
    negotiation: &Negotiation,
    pid: &str,
    now: i64,
) -> std::result::Result<Exchange, String> {
    let id = exchange_id(caller)?;
    let proposed = flow::agreement::thought_of(node, negotiation, dataset, now).ok();
    let ask = Ask {
        action: "query".to_owned(),
        purpose: proposed.as_ref().and_then(|p| p.purposes.first().cloned()),
        basis: proposed.and_then(|p| p.basis),
        query: serde_json::Value::Null,
        stated: Default::default(),
    };
    let peer = caller.participant.to_string();
    let exchange = Exchange::new(id, Side::Provider, peer, dataset.to_owned(), ask, now);
    Ok(Exchange { negotiation: Some(pid.to_owned()), ..exchange })
}
