//! Negotiations (DSP 2025-1, both roles). State is durable before the answer; each message is idempotent; what follows
//! is done by the flows, not here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, MatchedPath, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use exchange::Role;
use exchange::dsp::{Id, Message, NegotiationMessage, Turn};
use exchange::negotiation::{Kind, Local, Negotiation, Parties};
use store::{Space, Tx};

use super::reply;
use super::signed::Caller;
use crate::error::{Error, Result};
use crate::flow::{self, NegotiationRow, evidence};
use crate::node::Node;
use crate::records::{self, Ask, Exchange, Side};

/// `POST /negotiations/request`: a consumer opens a negotiation.
pub async fn request(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let message = match read(&body) {
        Ok(message) => message,
        Err(why) => return bad(&body, "MALFORMED", &why),
    };
    let NegotiationMessage::Request(request) = &message else {
        return bad(&body, "MALFORMED", "a ContractRequestMessage is due here");
    };
    let Turn::First { callback_address } = &request.turn else {
        return bad(&body, "MALFORMED", "a first request carries `callbackAddress` and no `providerPid`");
    };
    if let Err(why) = own_address(&node, &caller, callback_address.as_str()) {
        return bad(&body, "CALLBACK", &why);
    }
    match open(&node, &caller, &message, request.consumer_pid.as_str(), request.offer.target.as_str()).await {
        Ok(Ok(row)) => answer(StatusCode::CREATED, &row),
        Ok(Err(why)) => bad(&body, "OUT-OF-TURN", &why),
        Err(error) => error.into_response(),
    }
}

/// `POST /negotiations/offers`: a provider opens a negotiation. This node asks for what it wants itself.
pub async fn offer(State(node): State<Arc<Node>>, body: Bytes) -> Response {
    let id = &node.config.node.id;
    bad(
        &body,
        "UNSOLICITED",
        &format!("{id} takes no offers that it did not ask for; publish in your catalog"),
    )
}

/// A callback address must lie under the endpoint that the registry has for the caller: nobody may send this node to a
/// third place.
pub fn own_address(node: &Node, caller: &Caller, address: &str) -> std::result::Result<(), String> {
    let route = node.peers.route(caller.participant.as_str()).map_err(|e| e.to_string())?;
    if address == route.endpoint || address.starts_with(&format!("{}/", route.endpoint)) {
        return Ok(());
    }
    Err(format!(
        "the callback address `{address}` is not under `{}`, your endpoint in the registry",
        route.endpoint
    ))
}

/// Key by which a first message is found again.
pub fn dedup_key(process: &str, peer: &str, pid: &str) -> Vec<u8> {
    format!("{process}/{}/{}", records::short(peer), records::short(pid)).into_bytes()
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
        let (row, _) = records::get::<NegotiationRow>(&node.store, Space::Negotiation, pid.as_bytes())?
            .ok_or_else(|| Error::internal("a negotiation is missing"))?;
        return Ok(row.process.receive(message, now).map(|_| row).map_err(|e| e.to_string()));
    }
    let Some(dataset) = target.strip_prefix(&format!("{}/", node.config.node.id)) else {
        return Ok(Err(format!("the offer's target `{target}` is no dataset of `{}`", node.config.node.id)));
    };
    if !flow::has_room(node, peer) {
        return Err(Error::Unavailable(flow::NO_ROOM.to_owned()));
    }
    let pid = new_pid();
    let local = Local { role: Role::Provider, parties: parties(node, peer, Role::Provider)?, pid: id(&pid)? };
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
    };
    let peer = caller.participant.to_string();
    let exchange = Exchange::new(id, Side::Provider, peer, dataset.to_owned(), ask, now);
    Ok(Exchange { negotiation: Some(pid.to_owned()), ..exchange })
}

/// The exchange id of the signed header; a peer that knows none gets one made here.
pub fn exchange_id(caller: &Caller) -> std::result::Result<String, String> {
    match &caller.message.exchange_id {
        Some(id) => ledger::statement::ExchangeId::new(id)
            .map(|id| id.as_str().to_owned())
            .map_err(|e| format!("tram-exchange-id `{id}`: {e}")),
        None => Ok(ulid::Ulid::generate().to_string()),
    }
}

/// `GET /negotiations/{pid}`
pub async fn show(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(pid): Path<String>,
) -> Response {
    match find(&node, &caller, &pid) {
        Ok(Some(row)) => answer(StatusCode::OK, &row),
        Ok(None) => unknown(&pid),
        Err(error) => error.into_response(),
    }
}

/// A negotiation that this caller is a party of; any other is as good as unknown, so that nothing leaks.
fn find(node: &Node, caller: &Caller, pid: &str) -> Result<Option<NegotiationRow>> {
    let row = records::get::<NegotiationRow>(&node.store, Space::Negotiation, pid.as_bytes())?;
    Ok(row.map(|(row, _)| row).filter(|row| row.process.peer().as_str() == caller.participant.as_str()))
}

fn unknown(pid: &str) -> Response {
    Error::not_found(format!("no negotiation `{pid}` with this caller")).into_response()
}

/// `POST /negotiations/{pid}/…`: any later message, of either side.
pub async fn message(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(pid): Path<String>,
    path: MatchedPath,
    body: Bytes,
) -> Response {
    match find(&node, &caller, &pid) {
        Ok(Some(_)) => {}
        Ok(None) => return unknown(&pid),
        Err(error) => return error.into_response(),
    }
    let message = match read(&body) {
        Ok(message) if fits(&message, path.as_str()) => message,
        Ok(_) => return bad(&body, "MALFORMED", "this message has another address"),
        Err(why) => return bad(&body, "MALFORMED", &why),
    };
    match flow::take::<Negotiation>(&node, &pid, &message).await {
        Ok(Ok(row)) => {
            flow::nudge(&node, row.exchange.as_bytes());
            answer(StatusCode::OK, &row)
        }
        Ok(Err(why)) => bad(&body, "OUT-OF-TURN", &why),
        Err(error) => error.into_response(),
    }
}

fn fits(message: &NegotiationMessage, path: &str) -> bool {
    let tail = path.rsplit("{pid}/").next().unwrap_or_default();
    let wanted = match Kind::of(message) {
        Kind::Request => "request",
        Kind::Offer => "offers",
        Kind::Accepted | Kind::Finalized => "events",
        Kind::Agreement => "agreement",
        Kind::Verification => "agreement/verification",
        Kind::Termination => "termination",
    };
    tail == wanted
}

fn read(body: &[u8]) -> std::result::Result<NegotiationMessage, String> {
    match Message::parse(body) {
        Ok(Message::Negotiation(message)) => Ok(message),
        Ok(_) => Err("a message of a negotiation is due here".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn answer(status: StatusCode, row: &NegotiationRow) -> Response {
    match row.process.view() {
        Some(view) => reply::message(status, &view),
        None => still_opening("negotiation"),
    }
}

/// The peer looks at a process of which this node knows one pid only: the answer to the message that opened it is still
/// on its way.
pub fn still_opening(what: &str) -> Response {
    Error::Unavailable(format!("the {what} is just being opened; ask again")).into_response()
}

fn bad(body: &[u8], code: &str, why: &str) -> Response {
    reply::negotiation_error(StatusCode::BAD_REQUEST, reply::pids_of(body), code, why)
}

/// A new pid.
pub fn new_pid() -> String {
    format!("urn:uuid:{}", uuid::Uuid::new_v4())
}

/// Both parties, with this node in `role`.
pub fn parties(node: &Node, peer: &str, role: Role) -> Result<Parties> {
    let (me, peer) = (id(&node.config.node.id)?, id(peer)?);
    Ok(match role {
        Role::Provider => Parties { provider: me, consumer: peer },
        Role::Consumer => Parties { provider: peer, consumer: me },
    })
}

/// A text as an id.
pub fn id(text: &str) -> Result<Id> {
    Id::new(text).map_err(|e| Error::usage(e.to_string()))
}
