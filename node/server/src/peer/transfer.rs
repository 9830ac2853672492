//! The first message of a transfer (DSP 2025-1). Pull only: this node opens no connection to addresses that a message names.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use exchange::Role;
use exchange::dsp::{TransferMessage, TransferRequestMessage};
use exchange::ends::Local;
use exchange::transfer::Transfer;
use store::{Space, Tx};

use super::listener::Line;
use super::process::{Answers, answer, bad, dedup_key, exchange_id, new_pid, own_address, parties};
use super::signed::Caller;
use crate::error::{Error, Result};
use crate::flow::protocol::{Protocol, known};
use crate::flow::{self, TransferRow, agreement, evidence};
use crate::node::Node;
use crate::records::{self, Ask, Exchange, Side, Stage};

/// Transfer formats that this node serves: the name that connectors of the field use.
pub const FORMAT: &str = "HttpData-PULL";

/// `POST /transfers/request`: a consumer asks for data under an agreement. Idempotent on the consumer's pid.
pub async fn request(
    State(node): State<Arc<Node>>,
    Extension(line): Extension<Line>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let message = match Transfer::read(&body) {
        Ok(message) => message,
        Err(why) => return bad::<Transfer>(&body, "MALFORMED", &why),
    };
    let TransferMessage::Request(request) = &message else {
        return bad::<Transfer>(&body, "MALFORMED", "a TransferRequestMessage is due here");
    };
    if let Err(why) = acceptable(&node, &caller, request) {
        return bad::<Transfer>(&body, "UNSUPPORTED", &why);
    }
    match open(&node, &caller, &line, &message, request).await {
        Ok(Ok(row)) => answer(StatusCode::CREATED, &row),
        Ok(Err((status, why))) => Transfer::error(status, &body, "REQUEST", &why),
        Err(error) => error.into_response(),
    }
}

fn acceptable(
    node: &Node,
    caller: &Caller,
    request: &TransferRequestMessage,
) -> std::result::Result<(), String> {
    own_address(node, caller, request.callback_address.as_str())?;
    if request.format.as_str() != FORMAT {
        return Err(format!("format `{}` is not served; ask for `{FORMAT}`", request.format));
    }
    if request.data_address.is_some() {
        return Err("this node does not push; leave out `dataAddress` and pull".to_owned());
    }
    Ok(())
}

type No = (StatusCode, String);

async fn open(
    node: &Arc<Node>,
    caller: &Caller,
    line: &Line,
    message: &TransferMessage,
    request: &TransferRequestMessage,
) -> Result<std::result::Result<TransferRow, No>> {
    let peer = caller.participant.as_str();
    let dedup = dedup_key("t", peer, request.consumer_pid.as_str());
    let _turn = node.locks.lock(&dedup).await;
    let now = node.clock.now();
    if let Some((pid, _)) = records::get::<String>(&node.store, Space::Dedup, &dedup)? {
        let row = known::<Transfer>(node, &pid)?;
        let again = row.process.receive(message, now);
        return Ok(again.map(|_| row).map_err(|e| (StatusCode::BAD_REQUEST, e.to_string())));
    }
    let agreement = request.agreement_id.as_str();
    let standing = match agreement::find(node, agreement)? {
        Some(s) if s.consumer == peer && s.side == Side::Provider => s,
        _ => return Ok(Err((StatusCode::NOT_FOUND, format!("no agreement `{agreement}` with this caller")))),
    };
    let own_pid = new_pid()?;
    let pid = own_pid.to_string();
    let parties = parties(node, peer, Role::Provider)?;
    let local = Local { role: Role::Provider, parties, pid: own_pid };
    let step = match Transfer::open(local, Role::Consumer, message, now) {
        Ok(step) => step,
        Err(error) => return Ok(Err((StatusCode::BAD_REQUEST, error.to_string()))),
    };
    if !flow::has_room(node, peer) {
        return Ok(Err((StatusCode::SERVICE_UNAVAILABLE, flow::NO_ROOM.to_owned())));
    }
    // Two requests for one exchange, or a request and the flow, must not overwrite each other.
    let named = caller.message.exchange_id.as_deref().unwrap_or_default();
    let _exchange = node.locks.lock(&records::provider_key(peer, named)).await;
    let exchange = match exchange_of(node, caller, line, &standing, request, &pid, now)? {
        Ok(exchange) => exchange,
        Err(why) => return Ok(Err((StatusCode::BAD_REQUEST, why))),
    };
    evidence::asked(node, peer, &exchange.id, &caller.message.evidence)?;
    let key = exchange.key();
    let row = TransferRow {
        process: step.record,
        exchange: String::from_utf8_lossy(&key).into_owned(),
        pending: None,
    };
    let tx = Tx::new()
        .absent(Space::Dedup, dedup.clone())
        .put_json(Space::Dedup, dedup, &pid)
        .and_then(|tx| tx.put_json(Space::Transfer, pid.clone().into_bytes(), &row))
        .and_then(|tx| tx.put_json(Space::Exchange, key.clone(), &exchange))
        .map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    flow::nudge(node, &key);
    Ok(Ok(row))
}

/// The exchange that the transfer belongs to: the one whose negotiation made the agreement, or a new one under a
/// standing agreement.
fn exchange_of(
    node: &Node,
    caller: &Caller,
    line: &Line,
    standing: &agreement::Standing,
    request: &TransferRequestMessage,
    pid: &str,
    now: i64,
) -> Result<std::result::Result<Exchange, String>> {
    let id = match exchange_id(caller) {
        Ok(id) => id,
        Err(why) => return Ok(Err(why)),
    };
    let purpose = standing.purposes.first().cloned();
    if caller.message.purpose.is_some() && caller.message.purpose != purpose {
        return Ok(Err("tram-purpose is not the purpose of the agreement".to_owned()));
    }
    let query = request.query().cloned().unwrap_or_default();
    let action = query
        .get("action")
        .and_then(|a| a.as_str())
        .filter(|a| *a == "download")
        .unwrap_or("query")
        .to_owned();
    let ask = Ask { action, purpose, basis: standing.basis.clone(), query, stated: Default::default() };
    let key = records::provider_key(caller.participant.as_str(), &id);
    let known = match records::get::<Exchange>(&node.store, Space::Exchange, &key)? {
        Some((e, _)) if e.transfer.is_some() || e.stage.is_final() || e.dataset != standing.dataset => {
            return Ok(Err(format!(
                "the exchange `{id}` is over or about another transfer; choose a new id"
            )));
        }
        Some((exchange, _)) => exchange,
        None => {
            let peer = caller.participant.to_string();
            Exchange::new(id, Side::Provider, peer, standing.dataset.clone(), ask.clone(), now)
        }
    };
    Ok(Ok(Exchange {
        transfer: Some(pid.to_owned()),
        agreement: Some(standing.id.clone()),
        certificate: Some(crate::files::hex(&line.certificate)),
        stage: Stage::Transferring,
        ask,
        updated: now,
        ..known
    }))
}
