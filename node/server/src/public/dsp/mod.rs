//! The Dataspace Protocol 2025-1 for connectors, both roles ([`crate::dsp`] says who they are).
//!
//! State is durable before the answer, and each message is idempotent; what follows is done by [`crate::flow::connector`].
//! A process of another party is answered as one that does not exist.

mod catalog;
mod data;
mod process;
#[cfg(feature = "tck")]
mod script;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use exchange::dsp::VersionResponse;
use exchange::limits::MESSAGE_BYTES_MAX;
use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;

use serde_json::{Value, json};

use crate::dsp::{identity, reply};
use crate::error::{Error, Result};
use crate::node::Node;

/// The routes of both roles: no path of one collides with a path of the other.
pub fn routes() -> Router<Arc<Node>> {
    let protocol = Router::new()
        .route("/catalog/request", post(catalog::request))
        .route("/catalog/datasets/{id}", get(catalog::dataset))
        .route("/negotiations/request", post(process::negotiate))
        .route("/negotiations/offers", post(process::offer))
        .route("/negotiations/{pid}", get(process::show::<Negotiation>))
        .route("/negotiations/{pid}/request", post(process::message::<Negotiation>))
        .route("/negotiations/{pid}/offers", post(process::message::<Negotiation>))
        .route("/negotiations/{pid}/events", post(process::message::<Negotiation>))
        .route("/negotiations/{pid}/agreement", post(process::message::<Negotiation>))
        .route("/negotiations/{pid}/agreement/verification", post(process::message::<Negotiation>))
        .route("/negotiations/{pid}/termination", post(process::message::<Negotiation>))
        .route("/transfers/request", post(process::transfer))
        .route("/transfers/{pid}", get(process::show::<Transfer>))
        .route("/transfers/{pid}/start", post(process::message::<Transfer>))
        .route("/transfers/{pid}/suspension", post(process::message::<Transfer>))
        .route("/transfers/{pid}/completion", post(process::message::<Transfer>))
        .route("/transfers/{pid}/termination", post(process::message::<Transfer>));
    let router = Router::new()
        .route("/.well-known/dspace-version", get(version))
        .route("/.well-known/did.json", get(own_document))
        .route("/dsp/whoami", post(whoami))
        .route("/dsp/data/{pid}", get(data::rows).head(data::no_head))
        .nest(crate::dsp::PATH, protocol);
    #[cfg(feature = "tck")]
    let router = router.merge(script::routes());
    router.layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
}

/// `GET /.well-known/did.json`: this node's own DID document, once a connector is registered that needs it.
async fn own_document(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let document = identity::did::own_document(&node)?;
    document.map(Json).ok_or_else(|| Error::not_found("this node has no DID: no connector here needs one"))
}

/// `POST /dsp/whoami`: under which party a connector is known here, for trying out its registration. The body is not read.
async fn whoami(State(node): State<Arc<Node>>, headers: HeaderMap) -> Result<Json<Value>> {
    let connector = identity::caller(&node, &headers).await?;
    Ok(Json(json!({"party": connector.party, "mode": connector.mode})))
}

/// `GET /.well-known/dspace-version`: for everybody, without a version of its own (DSP 2025-1, "Exposure of versions").
async fn version() -> Response {
    reply::message(StatusCode::OK, &VersionResponse::ours(crate::dsp::PATH))
}
