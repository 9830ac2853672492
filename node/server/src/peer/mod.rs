//! Door 1: other nodes. Mutual TLS 1.3, every message signed, the Dataspace Protocol and its errors, data, receipts.
//!
//! [`ROUTES`] is the table of contents; [`signed`] stands before every handler but the pairing's.

mod catalog;
pub mod data;
mod exchanges;
mod ledger;
pub mod listener;
mod negotiation;
mod outbox;
mod pairing;
pub mod process;
mod reply;
pub mod signed;
mod transfer;
mod version;
mod witness;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{MethodRouter, get, post};
use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;

use crate::error::Error;
use crate::node::Node;

pub use self::transfer::FORMAT as TRANSFER_FORMAT;

/// What a caller needs on a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A channel certificate of a member; a signature is verified when there is one (DSP leaves this route open).
    Channel,
    /// An open invitation and its one-time secret; the only route for one who is no member yet.
    Invitation,
    /// A member's channel and message signature.
    Member,
    /// The same, and a decision of the gate that permits exactly this; what it touches is a dataset.
    Permit,
}

/// The door's table of contents: method, path, what the caller needs.
pub const ROUTES: &[(&str, &str, Access)] = &[
    ("GET", "/.well-known/dspace-version", Access::Channel),
    ("POST", "/dsp/2025-1/catalog/request", Access::Permit),
    ("GET", "/dsp/2025-1/catalog/datasets/{id}", Access::Permit),
    ("POST", "/dsp/2025-1/negotiations/request", Access::Member),
    ("POST", "/dsp/2025-1/negotiations/offers", Access::Member),
    ("GET", "/dsp/2025-1/negotiations/{pid}", Access::Member),
    ("POST", "/dsp/2025-1/negotiations/{pid}/request", Access::Member),
    ("POST", "/dsp/2025-1/negotiations/{pid}/offers", Access::Member),
    ("POST", "/dsp/2025-1/negotiations/{pid}/events", Access::Member),
    ("POST", "/dsp/2025-1/negotiations/{pid}/agreement", Access::Member),
    ("POST", "/dsp/2025-1/negotiations/{pid}/agreement/verification", Access::Member),
    ("POST", "/dsp/2025-1/negotiations/{pid}/termination", Access::Member),
    ("POST", "/dsp/2025-1/transfers/request", Access::Member),
    ("GET", "/dsp/2025-1/transfers/{pid}", Access::Member),
    ("POST", "/dsp/2025-1/transfers/{pid}/start", Access::Member),
    ("POST", "/dsp/2025-1/transfers/{pid}/suspension", Access::Member),
    ("POST", "/dsp/2025-1/transfers/{pid}/completion", Access::Member),
    ("POST", "/dsp/2025-1/transfers/{pid}/termination", Access::Member),
    ("GET", "/tram/data/{id}/manifest", Access::Permit),
    ("GET", "/tram/data/{id}/chunks/{n}", Access::Permit),
    ("POST", "/tram/data/{id}/token", Access::Permit),
    ("POST", "/tram/exchanges/{id}/committed", Access::Member),
    ("GET", "/tram/exchanges/{id}/statement", Access::Member),
    ("POST", "/tram/exchanges/{id}/ack", Access::Member),
    ("GET", "/tram/exchanges/{id}/key", Access::Member),
    ("POST", "/tram/exchanges/{id}/receipts", Access::Member),
    ("GET", "/tram/outbox", Access::Member),
    ("POST", "/tram/outbox/{id}", Access::Member),
    ("GET", "/tram/ledger/checkpoint", Access::Member),
    ("GET", "/tram/ledger/tile/{*path}", Access::Member),
    ("POST", "/tram/witness/add-checkpoint", Access::Member),
    ("GET", "/tram/witness/{hash}/checkpoint", Access::Member),
    ("POST", "/tram/pairing", Access::Invitation),
];

/// The router of the peer door. Each connection adds what TLS knows of the caller ([`listener::Line`]).
pub fn router(node: Arc<Node>) -> Router {
    let part = |wanted: fn(Access) -> bool| {
        ROUTES
            .iter()
            .filter(move |(_, _, access)| wanted(*access))
            .fold(Router::new(), |router, (method, path, _)| router.route(path, handler(method, path)))
    };
    let members = part(|a| a != Access::Invitation)
        .fallback(|| async {
            Error::not_found("no such resource on the peer door; docs/protocol.md lists them")
        })
        .layer(middleware::from_fn_with_state(node.clone(), signed::layer));
    part(|a| a == Access::Invitation).merge(members).with_state(node)
}

fn handler(method: &str, path: &str) -> MethodRouter<Arc<Node>> {
    match (method, path.strip_prefix("/dsp/2025-1").unwrap_or(path)) {
        ("GET", "/.well-known/dspace-version") => get(version::version),
        ("POST", "/catalog/request") => post(catalog::request),
        ("GET", "/catalog/datasets/{id}") => get(catalog::dataset),
        ("POST", "/negotiations/request") => post(negotiation::request),
        ("POST", "/negotiations/offers") => post(negotiation::offer),
        ("GET", "/negotiations/{pid}") => get(process::show::<Negotiation>),
        ("POST", path) if path.starts_with("/negotiations/{pid}/") => post(process::message::<Negotiation>),
        ("POST", "/transfers/request") => post(transfer::request),
        ("GET", "/transfers/{pid}") => get(process::show::<Transfer>),
        ("POST", path) if path.starts_with("/transfers/{pid}/") => post(process::message::<Transfer>),
        ("GET", "/tram/data/{id}/manifest") => get(data::manifest),
        ("GET", "/tram/data/{id}/chunks/{n}") => get(data::chunk),
        ("POST", "/tram/data/{id}/token") => post(data::token),
        ("POST", "/tram/exchanges/{id}/committed") => post(exchanges::committed),
        ("GET", "/tram/exchanges/{id}/statement") => get(exchanges::statement),
        ("POST", "/tram/exchanges/{id}/ack") => post(exchanges::ack),
        ("GET", "/tram/exchanges/{id}/key") => get(exchanges::key),
        ("POST", "/tram/exchanges/{id}/receipts") => post(exchanges::receipts),
        ("POST", "/tram/witness/add-checkpoint") => post(witness::add_checkpoint),
        ("GET", "/tram/witness/{hash}/checkpoint") => get(witness::checkpoint),
        ("GET", "/tram/outbox") => get(outbox::waiting),
        ("POST", "/tram/outbox/{id}") => post(outbox::settled),
        ("GET", "/tram/ledger/checkpoint") => get(ledger::checkpoint),
        ("GET", "/tram/ledger/tile/{*path}") => get(ledger::tile),
        ("POST", "/tram/pairing") => post(pairing::introduce),
        // A row of the table without a handler answers nothing rather than something; a test walks the table.
        _ => MethodRouter::new(),
    }
}

#[cfg(test)]
mod tests;
