//! Peers on the local door: who is trusted, pairing by invitation, revocation, the node's registry.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use store::Space;

use super::body::{JsonBody, Segments};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::rfc3339;
use crate::peers;
use crate::records::{self, Peer};

/// `GET /v1/peers`: all, revoked ones too.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let known = records::all::<Peer>(&node.store, Space::Peer, b"")?;
    let views: Vec<Value> = known.iter().map(|(_, peer)| view(peer)).collect();
    Ok(Json(json!({"peers": views})))
}

/// Body of `POST /v1/peers/invitations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Groups that rules may name, for the agency that accepts.
    #[serde(default)]
    groups: Vec<String>,
    /// The only participant that may use the code, with new keys too.
    #[serde(default, rename = "for")]
    made_for: Option<String>,
}

/// `POST /v1/peers/invitations`: a code for another agency; the answer is the only time that it is shown.
pub async fn invite(
    State(node): State<Arc<Node>>,
    JsonBody(body): JsonBody<Invite>,
) -> Result<(StatusCode, Json<Value>)> {
    let (code, expires) = peers::invite_for(&node, body.groups, body.made_for.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(json!({"code": code, "expires": rfc3339(expires)}))))
}

/// Body of `POST /v1/peers`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The other agency's code.
    code: String,
    /// Groups that rules may name, for the inviting agency.
    #[serde(default)]
    groups: Vec<String>,
    /// The participant whose code this must be; it may have new keys.
    #[serde(default, rename = "for")]
    made_for: Option<String>,
}

/// `POST /v1/peers`: accepts another agency's code.
pub async fn accept(
    State(node): State<Arc<Node>>,
    JsonBody(body): JsonBody<Accept>,
) -> Result<(StatusCode, Json<Value>)> {
    let peer = peers::accept(&node, &body.code, body.groups, body.made_for.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(json!({"peer": view(&peer)}))))
}

/// `DELETE /v1/peers/{id}`: trusts it no more, from now on.
pub async fn revoke(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    let peer = peers::revoke(&node, &id).await?;
    Ok(Json(json!({"peer": view(&peer)})))
}

/// `GET /v1/registry`: the registry in force, signed, as it may be handed to those who verify receipts.
pub async fn registry(State(node): State<Arc<Node>>) -> Result<Response> {
    let bytes = node.peers.keys().to_bytes().map_err(Error::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// A peer without its descriptor, which is long and says the same.
fn view(peer: &Peer) -> Value {
    json!({
        "id": peer.id,
        "name_vi": peer.name_vi,
        "name_en": peer.name_en,
        "country": peer.country,
        "endpoint": peer.endpoint,
        "groups": peer.groups,
        "status": peer.status,
        "words": peer.words,
        "paired": rfc3339(peer.paired),
    })
}
