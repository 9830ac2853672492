//! Negotiations and transfers: opening one, showing one, and taking its later messages, for both roles.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{MatchedPath, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use exchange::dsp::{Address, NegotiationMessage, TransferMessage, Turn};
use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;

use crate::dsp::reply::{self, Answers};
use crate::dsp::{Connector, identity};
use crate::flow::connector::{self, Driven, Row};
use crate::flow::protocol::Protocol;
use crate::node::Node;

/// A process that this door answers for.
pub trait Shown: Driven + Answers {}

impl Shown for Negotiation {}
impl Shown for Transfer {}

/// `POST /negotiations/request`: a consumer opens a negotiation.
pub async fn negotiate(State(node): State<Arc<Node>>, headers: HeaderMap, body: Bytes) -> Response {
    let connector = match identity::caller(&node, &headers).await {
        Ok(connector) => connector,
        Err(error) => return error.into_response(),
    };
    let message = match Negotiation::read(&body) {
        Ok(message) => message,
        Err(why) => return bad::<Negotiation>(&body, "MALFORMED", &why),
    };
    let NegotiationMessage::Request(request) = &message else {
        return bad::<Negotiation>(&body, "MALFORMED", "a ContractRequestMessage is due here");
    };
    let Turn::First { callback_address } = &request.turn else {
        let why = "a first request carries `callbackAddress` and no `providerPid`";
        return bad::<Negotiation>(&body, "MALFORMED", why);
    };
    if let Err(why) = own(&connector, callback_address) {
        return bad::<Negotiation>(&body, "CALLBACK", &why);
    }
    match connector::open_negotiation(&node, &connector, &message, &request.consumer_pid).await {
        Ok(Ok(row)) => answer(StatusCode::CREATED, &row),
        Ok(Err(why)) => bad::<Negotiation>(&body, "OUT-OF-TURN", &why),
        Err(error) => error.into_response(),
    }
}

/// `POST /negotiations/offers`: a provider opens a negotiation. This node asks for what it wants itself.
pub async fn offer(State(node): State<Arc<Node>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(error) = identity::caller(&node, &headers).await {
        return error.into_response();
    }
    let why = "no offers are taken that were not asked for; publish in your catalog";
    bad::<Negotiation>(&body, "UNSOLICITED", why)
}

/// `POST /transfers/request`: a consumer asks for a transfer.
pub async fn transfer(State(node): State<Arc<Node>>, headers: HeaderMap, body: Bytes) -> Response {
    let connector = match identity::caller(&node, &headers).await {
        Ok(connector) => connector,
        Err(error) => return error.into_response(),
    };
    let request = match Transfer::read(&body) {
        Ok(TransferMessage::Request(request)) => request,
        Ok(_) => return bad::<Transfer>(&body, "MALFORMED", "a TransferRequestMessage is due here"),
        Err(why) => return bad::<Transfer>(&body, "MALFORMED", &why),
    };
    if let Err(why) = own(&connector, &request.callback_address) {
        return bad::<Transfer>(&body, "CALLBACK", &why);
    }
    match connector::open_transfer(&node, &connector, &request).await {
        Ok(Ok(row)) => answer(StatusCode::CREATED, &row),
        Ok(Err(why)) => bad::<Transfer>(&body, "OUT-OF-TURN", &why),
        Err(error) => error.into_response(),
    }
}

/// `GET /negotiations/{pid}`, `GET /transfers/{pid}`
pub async fn show<P: Shown>(
    State(node): State<Arc<Node>>,
    Path(pid): Path<String>,
    headers: HeaderMap,
) -> Response {
    match of_caller::<P>(&node, &headers, &pid).await {
        Ok(row) => answer(StatusCode::OK, &row),
        Err(answer) => answer,
    }
}

/// `POST /negotiations/{pid}/…`, `POST /transfers/{pid}/…`: any later message, of either side.
pub async fn message<P: Shown>(
    State(node): State<Arc<Node>>,
    Path(pid): Path<String>,
    path: MatchedPath,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(answer) = of_caller::<P>(&node, &headers, &pid).await {
        return answer;
    }
    let message = match P::read(&body) {
        Ok(message) if fits::<P>(&message, path.as_str()) => message,
        Ok(_) => return bad::<P>(&body, "MALFORMED", "this message has another address"),
        Err(why) => return bad::<P>(&body, "MALFORMED", &why),
    };
    match connector::take::<P>(&node, &pid, &message).await {
        Ok(Ok(row)) => {
            connector::nudge::<P>(&node, &row.party, &pid);
            answer(StatusCode::OK, &row)
        }
        Ok(Err(why)) => bad::<P>(&body, "OUT-OF-TURN", &why),
        Err(error) => error.into_response(),
    }
}

/// A process that this caller is a party of; any other is as good as unknown, so that nothing leaks.
async fn of_caller<P: Shown>(node: &Node, headers: &HeaderMap, pid: &str) -> Result<Row<P>, Response> {
    let connector = identity::caller(node, headers).await.map_err(IntoResponse::into_response)?;
    let found = connector::find::<P>(node, pid).map_err(IntoResponse::into_response)?;
    found.filter(|row| row.party == connector.party).ok_or_else(|| {
        let why = format!("no {} `{pid}` with this caller", P::PROCESS.word());
        P::error(StatusCode::NOT_FOUND, &[], "UNKNOWN", &why)
    })
}

fn fits<P: Protocol>(message: &P::Message, path: &str) -> bool {
    let tail = path.rsplit_once("{pid}/").map(|(_, tail)| tail);
    tail == Some(P::tail(message).join("/").as_str())
}

fn answer<P: Protocol>(status: StatusCode, row: &Row<P>) -> Response {
    match row.process.view() {
        Some(view) => reply::message(status, &view),
        None => {
            let why = format!("the {} is just being opened; ask again", P::PROCESS.word());
            crate::Error::Unavailable(why).into_response()
        }
    }
}

fn bad<P: Answers>(body: &[u8], code: &str, why: &str) -> Response {
    P::error(StatusCode::BAD_REQUEST, body, code, why)
}

fn own(connector: &Connector, address: &Address) -> Result<(), String> {
    if connector.owns_callback(address) {
        return Ok(());
    }
    Err(format!("the callback address `{address}` is not the one that you are registered with"))
}
