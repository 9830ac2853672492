//! What the peer door does alike for negotiations and transfers (DSP 2025-1, both roles): showing one, taking its later
//! messages, and the errors about it. State is durable before the answer; each message is idempotent; what follows is
//! done by the flows, not here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, MatchedPath, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use exchange::Role;
use exchange::dsp::{Cause, ContractNegotiationError, Extra, Id, TransferError};
use exchange::ends::Parties;
use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;

use super::reply;
use super::signed::Caller;
use crate::error::{Error, Result};
use crate::flow::delivery;
use crate::flow::protocol::{self, Protocol};
use crate::node::Node;
use crate::records::{self, Process};

/// A process with its own kind of error message.
pub trait Answers: Protocol {
    /// An error: illegal in its state, malformed, unknown. Never changes a state. It names the pids of the `body` that
    /// it is about.
    fn error(status: StatusCode, body: &[u8], code: &str, why: &str) -> Response;
}

impl Answers for Negotiation {
    fn error(status: StatusCode, body: &[u8], code: &str, why: &str) -> Response {
        let (pids, cause) = (reply::pids_of(body), Cause::plain(code, why));
        reply::message(status, &ContractNegotiationError { pids, cause, extra: Extra::none() })
    }
}

impl Answers for Transfer {
    fn error(status: StatusCode, body: &[u8], code: &str, why: &str) -> Response {
        let (pids, cause) = (reply::pids_of(body), Cause::plain(code, why));
        reply::message(status, &TransferError { pids, cause, extra: Extra::none() })
    }
}

/// `GET /negotiations/{pid}`, `GET /transfers/{pid}`
pub async fn show<P: Protocol>(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(pid): Path<String>,
) -> Response {
    match of_caller::<P>(&node, &caller, &pid) {
        Ok(row) => answer(StatusCode::OK, &row),
        Err(error) => error.into_response(),
    }
}

/// `POST /negotiations/{pid}/…`, `POST /transfers/{pid}/…`: any later message, of either side.
pub async fn message<P: Answers>(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(pid): Path<String>,
    path: MatchedPath,
    body: Bytes,
) -> Response {
    if let Err(error) = of_caller::<P>(&node, &caller, &pid) {
        return error.into_response();
    }
    let message = match P::read(&body) {
        Ok(message) if fits::<P>(&message, path.as_str()) => message,
        Ok(_) => return bad::<P>(&body, "MALFORMED", "this message has another address"),
        Err(why) => return bad::<P>(&body, "MALFORMED", &why),
    };
    match delivery::take::<P>(&node, &pid, &message).await {
        Ok(Ok(row)) => {
            crate::flow::nudge(&node, row.exchange.as_bytes());
            answer(StatusCode::OK, &row)
        }
        Ok(Err(why)) => bad::<P>(&body, "OUT-OF-TURN", &why),
        Err(error) => error.into_response(),
    }
}

/// A process that this caller is a party of; any other is as good as unknown, so that nothing leaks.
fn of_caller<P: Protocol>(node: &Node, caller: &Caller, pid: &str) -> Result<Process<P>> {
    let row = protocol::find::<P>(node, pid)?;
    row.filter(|row| row.process.ends().peer().as_str() == caller.participant.as_str())
        .ok_or_else(|| Error::not_found(format!("no {} `{pid}` with this caller", P::PROCESS.word())))
}

fn fits<P: Protocol>(message: &P::Message, path: &str) -> bool {
    let tail = path.rsplit_once("{pid}/").map(|(_, tail)| tail);
    tail == Some(P::tail(message).join("/").as_str())
}

/// The state of a process. When this node knows one pid only, the answer to the message that opened it is still on its
/// way.
pub fn answer<P: Protocol>(status: StatusCode, row: &Process<P>) -> Response {
    match row.process.view() {
        Some(view) => reply::message(status, &view),
        None => {
            let what = P::PROCESS.word();
            Error::Unavailable(format!("the {what} is just being opened; ask again")).into_response()
        }
    }
}

/// The error for a message that cannot be taken.
pub fn bad<P: Answers>(body: &[u8], code: &str, why: &str) -> Response {
    P::error(StatusCode::BAD_REQUEST, body, code, why)
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

/// The exchange id of the signed header; a peer that knows none gets one made here.
pub fn exchange_id(caller: &Caller) -> std::result::Result<String, String> {
    match &caller.message.exchange_id {
        Some(id) => ledger::statement::ExchangeId::new(id)
            .map(|id| id.as_str().to_owned())
            .map_err(|e| format!("tram-exchange-id `{id}`: {e}")),
        None => Ok(ulid::Ulid::generate().to_string()),
    }
}

/// A new pid.
pub fn new_pid() -> Result<Id> {
    id(&format!("urn:uuid:{}", uuid::Uuid::new_v4()))
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
