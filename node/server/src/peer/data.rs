//! Data: manifest and chunks of a transfer, each asked for with a token bound to the caller's certificate and decided
//! upon again by the gate.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use certs::ParticipantId;
use certs::token::{Confirmation, Expected, TransferClaims};
use exchange::transfer::{State as TransferState, Transfer};
use serde_json::json;
use store::Space;

use super::listener::Line;
use super::signed::{BodyDigest, Caller, Data, Promise};
use crate::error::{Error, Problem, Result};
use crate::flow::protocol::find;
use crate::flow::{TransferRow, provider, receipts, serve};
use crate::gate::Permit;
use crate::limits;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::records::{self, Exchange};
use crate::represent::conditions::{self, Selected};
use crate::represent::problems;

/// Mints the token of an exchange's data: minutes long, for this consumer's certificate alone.
pub fn mint(node: &Node, exchange: &Exchange, certificate: &[u8; 32], now: i64) -> Result<String> {
    let claims = TransferClaims {
        iss: node.me.clone(),
        aud: node.config.node.id.clone(),
        sub: ParticipantId::parse(&exchange.peer).map_err(Error::internal)?,
        transfer: exchange.id.clone(),
        agreement: exchange.agreement.clone().unwrap_or_default(),
        iat: now,
        exp: now + limits::TOKEN_SECONDS,
        jti: ulid::Ulid::generate().to_string(),
        cnf: Confirmation::of(certificate),
    };
    certs::token::mint(&node.signer, &claims).map_err(Error::internal)
}

/// What stands before every data request: token, state, gate, rate.
fn authorized(
    node: &Node,
    line: &Line,
    caller: &Caller,
    headers: &HeaderMap,
    id: &str,
    now: i64,
) -> Result<(Exchange, TransferRow)> {
    let wrong = |why: String| Error::Unauthenticated(format!("{why}; ask for a new token at …/token"));
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|h| h.to_str().ok())
        .and_then(|h| h.strip_prefix("Bearer "))
        .ok_or_else(|| wrong("data is served with `Authorization: Bearer TOKEN` only".to_owned()))?;
    let expected = Expected {
        issuer: &node.me,
        key: &node.signer.public(),
        audience: &node.config.node.id,
        subject: &caller.participant,
        certificate_sha256: &line.certificate,
        transfer: id,
        now,
    };
    certs::token::verify(token, &expected).map_err(|e| wrong(e.to_string()))?;
    of_caller(node, caller, id)
}

/// The exchange and transfer of this caller; any other is as good as unknown.
fn of_caller(node: &Node, caller: &Caller, id: &str) -> Result<(Exchange, TransferRow)> {
    let unknown = || Error::not_found(format!("no transfer of the exchange `{id}` with this caller"));
    let key = records::provider_key(caller.participant.as_str(), id);
    let (exchange, _) = records::get::<Exchange>(&node.store, Space::Exchange, &key)?.ok_or_else(unknown)?;
    let pid = exchange.transfer.clone().ok_or_else(unknown)?;
    let row = find::<Transfer>(node, &pid)?.ok_or_else(unknown)?;
    Ok((exchange, row))
}

/// The gate's word on this request now. No data leaves without it.
async fn permit(node: &Arc<Node>, exchange: &Exchange, row: &TransferRow, caller: &Caller) -> Result<Permit> {
    // The start may still be on its way to the consumer while it reads already.
    let open = match row.process.state() {
        TransferState::Started => true,
        TransferState::Requested => row.pending.is_some(),
        _ => false,
    };
    if !open {
        return Err(Error::conflict(format!(
            "the transfer is {}; it serves no data now",
            row.process.state()
        )));
    }
    let operation = Operation::begin(Actor::Peer(caller.participant.clone()), &node.clock);
    let (permit, _) = match provider::serving(node, &operation, exchange, row)? {
        Ok(permitted) => permitted,
        Err(provider::No::Refusal(refusal, _)) => {
            provider::end_soon(node, exchange);
            return Err(Error::Refused(refusal));
        }
        Err(provider::No::Request(_, why)) => return Err(Error::conflict(why)),
    };
    Ok(permit)
}

/// `GET /tram/data/{id}/manifest`: the signed manifest, once the last chunk is written.
pub async fn manifest(
    State(node): State<Arc<Node>>,
    Extension(line): Extension<Line>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response> {
    let (exchange, row) = authorized(&node, &line, &caller, &headers, &id, node.clock.now())?;
    let permit = permit(&node, &exchange, &row, &caller).await?;
    match serve::signed_manifest(&node, &permit, &exchange)? {
        Some(bytes) => {
            let mut response = ([(header::CONTENT_TYPE, "application/json")], bytes).into_response();
            if let Some(promise) = receipts::promise(&node, &exchange)? {
                response.extensions_mut().insert(Promise(promise));
            }
            Ok(response)
        }
        None => Ok(early()),
    }
}

/// `GET /tram/data/{id}/chunks/{n}`: one chunk, as soon as it is written; `Range` of one span works.
pub async fn chunk(
    State(node): State<Arc<Node>>,
    Extension(line): Extension<Line>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path((id, number)): Path<(String, u64)>,
) -> Result<Response> {
    let (exchange, row) = authorized(&node, &line, &caller, &headers, &id, node.clock.now())?;
    let permit = permit(&node, &exchange, &row, &caller).await?;
    let Some(chunk) = serve::chunk(&node, &permit, &exchange, number).await? else {
        return Ok(early());
    };
    let digest = chunk.digest();
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    let from = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).unwrap_or("-");
    tracing::debug!(exchange = id, chunk = number, range = from, "chunk served");
    // A chunk has no version to compare with, so what is asked for under `If-Range` is asked for whole (RFC 9110 §13.1.5).
    let selected = match headers.contains_key(header::IF_RANGE) {
        true => Selected::Whole,
        false => conditions::span(&headers, digest.len),
    };
    // Piece by piece: a reader that is slow or stands still must not hold a chunk in memory.
    let (mut response, sha256, length) = match selected {
        Selected::Unsatisfiable => return problems::range_not_satisfiable(digest.len),
        Selected::Part(span) => {
            let (from, to) = (*span.start(), span.end().saturating_add(1));
            let part = chunk.digest_of(from, to).await.map_err(Error::internal)?;
            let body = Body::from_stream(chunk.span(from, to, limits::PIECE_BYTES));
            let mut response = (StatusCode::PARTIAL_CONTENT, kind, body).into_response();
            let place = format!("bytes {from}-{}/{}", span.end(), digest.len);
            let place = HeaderValue::from_str(&place).map_err(Error::internal)?;
            response.headers_mut().insert(header::CONTENT_RANGE, place);
            (response, part, to - from)
        }
        _ => {
            let body = Body::from_stream(chunk.pieces(limits::PIECE_BYTES));
            ((kind, body).into_response(), digest.sha256, digest.len)
        }
    };
    response.extensions_mut().insert(BodyDigest(sha256.0));
    response.extensions_mut().insert(Data);
    let fields = response.headers_mut();
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// `POST /tram/data/{id}/token`: a new token for a transfer that goes on; the gate is asked again.
pub async fn token(
    State(node): State<Arc<Node>>,
    Extension(line): Extension<Line>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let (exchange, row) = of_caller(&node, &caller, &id)?;
    permit(&node, &exchange, &row, &caller).await?;
    let token = mint(&node, &exchange, &line.certificate, node.clock.now())?;
    Ok(Json(json!({"endpoint": provider::data_url(&node, &exchange), "token": token})).into_response())
}

/// Not written yet: 425 with the time after which to ask again (RFC 8470).
pub fn early() -> Response {
    let told = "not written yet; ask again".to_owned();
    let mut response = Problem::new(StatusCode::TOO_EARLY, "too-early", told).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
