//! Answers at the public door in the words of the Dataspace Protocol: messages with their media type, errors of each kind.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use exchange::dsp::{
    CatalogError, Cause, ContractNegotiationError, Extra, Id, Pids, TransferError, Wire, to_bytes,
};
use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;

use crate::flow::protocol::Protocol;

/// A message with a status.
pub fn message<T: Wire>(status: StatusCode, message: &T) -> Response {
    let (status, body) = match to_bytes(message) {
        Ok(body) => (status, body),
        Err(error) => {
            tracing::error!(%error, "a message of ours does not serialize");
            (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An error about the catalog.
pub fn catalog_error(status: StatusCode, code: &str, why: &str) -> Response {
    message(status, &CatalogError { cause: Cause::plain(code, why), extra: Extra::none() })
}

/// The pids that a body names, as far as it can be read: errors must carry both.
pub fn pids_of(body: &[u8]) -> Pids {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let read = |name: &str| {
        let text = value.get(name).and_then(serde_json::Value::as_str).unwrap_or("urn:tram:unknown");
        Id::new(text).or_else(|_| Id::new("urn:tram:unknown"))
    };
    match (read("providerPid"), read("consumerPid")) {
        (Ok(provider), Ok(consumer)) => Pids { provider, consumer },
        _ => unreachable!("the constant is an id"),
    }
}

/// A process with its own kind of error message.
pub trait Answers: Protocol {
    /// An error: illegal in its state, malformed, unknown. It names the pids of the `body` that it is about.
    fn error(status: StatusCode, body: &[u8], code: &str, why: &str) -> Response;
}

impl Answers for Negotiation {
    fn error(status: StatusCode, body: &[u8], code: &str, why: &str) -> Response {
        let (pids, cause) = (pids_of(body), Cause::plain(code, why));
        message(status, &ContractNegotiationError { pids, cause, extra: Extra::none() })
    }
}

impl Answers for Transfer {
    fn error(status: StatusCode, body: &[u8], code: &str, why: &str) -> Response {
        let (pids, cause) = (pids_of(body), Cause::plain(code, why));
        message(status, &TransferError { pids, cause, extra: Extra::none() })
    }
}
