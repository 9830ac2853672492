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
use crate::error::{Error, Result};
use crate::flow::protocol::find;
use crate::flow::{TransferRow, provider, receipts, serve};
use crate::gate::Permit;
use crate::limits;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::records::{self, Exchange};

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
    let Some(range) = headers.get(header::RANGE) else {
        // Piece by piece: a reader that is slow or stands still must not hold a chunk in memory.
        let body = Body::from_stream(chunk.pieces(limits::PIECE_BYTES));
        let mut response = (kind, body).into_response();
        response.extensions_mut().insert(BodyDigest(digest.sha256.0));
        response.extensions_mut().insert(Data);
        let fields = response.headers_mut();
        fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(digest.len));
        return Ok(response);
    };
    let total = usize::try_from(digest.len).map_err(Error::internal)?;
    let Some((from, to)) = range.to_str().ok().and_then(|r| span(r, total)) else {
        let mut response =
            Error::usage(format!("the range is not one span within {total} bytes")).into_response();
        *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
        return Ok(response);
    };
    let part = chunk.read(from as u64, to as u64).await.map_err(Error::internal)?;
    let mut response = (kind, Body::from(part)).into_response();
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response.extensions_mut().insert(Data);
    let value = format!("bytes {from}-{}/{total}", to - 1);
    response
        .headers_mut()
        .insert(header::CONTENT_RANGE, HeaderValue::from_str(&value).map_err(Error::internal)?);
    Ok(response)
}

/// One span of a Range field (RFC 9110 §14.1.2), as a half-open interval.
fn span(range: &str, total: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (first.is_empty(), last.is_empty()) {
        (false, false) => (first.parse().ok()?, last.parse::<usize>().ok()?.saturating_add(1).min(total)),
        (false, true) => (first.parse().ok()?, total),
        (true, false) => (total.checked_sub(last.parse().ok()?)?, total),
        (true, true) => return None,
    };
    (from < to).then_some((from, to))
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
    let mut response = Error::Unavailable("not written yet; ask again".to_owned()).into_response();
    *response.status_mut() = StatusCode::TOO_EARLY;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn ranges() {
        assert_eq!(span("bytes=0-3", 10), Some((0, 4)));
        assert_eq!(span("bytes=5-", 10), Some((5, 10)));
        assert_eq!(span("bytes=-4", 10), Some((6, 10)));
        assert_eq!(span("bytes=8-99", 10), Some((8, 10)));
        for bad in ["bytes=-", "bytes=5-2", "bytes=10-", "bytes=-11", "rows=1-2", "bytes=0-1,4-5"] {
            assert_eq!(span(bad, 10), None, "{bad}");
        }
    }
}
