//! Parties of the public door: register, look, give keys, take them back, stop.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::body::{JsonBody, Segments};
use crate::error::Result;
use crate::node::Node;
use crate::parties;

/// `GET /v1/parties`: all, by id; never a key itself.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let now = node.clock.now();
    let all: Vec<Value> = parties::all(&node)?.iter().map(|party| parties::view(party, now)).collect();
    Ok(Json(json!({"parties": all})))
}

/// `POST /v1/parties`: registers one.
pub async fn add(
    State(node): State<Arc<Node>>,
    JsonBody(new): JsonBody<parties::New>,
) -> Result<(StatusCode, Json<Value>)> {
    let now = node.clock.now();
    let party = parties::add(&node, new, now).await?;
    Ok((StatusCode::CREATED, Json(parties::view(&party, now))))
}

/// `DELETE /v1/parties/{id}`: lets it ask no more.
pub async fn stop(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    let party = parties::stop(&node, &id).await?;
    Ok(Json(parties::view(&party, node.clock.now())))
}

/// `POST /v1/parties/{id}/keys`: a new key, shown this once.
pub async fn key(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    JsonBody(new): JsonBody<parties::NewKey>,
) -> Result<(StatusCode, Json<Value>)> {
    let (record, key) = parties::make(&node, &id, new, node.clock.now()).await?;
    let endpoint = node.config.public.as_ref().map(|section| section.endpoint.clone());
    let told = json!({
        "party": id,
        "id": record.id,
        "key": key,
        "purpose": record.purpose,
        "basis": record.basis,
        "until": crate::operation::rfc3339(record.until),
        "endpoint": endpoint,
    });
    Ok((StatusCode::CREATED, Json(told)))
}

/// `DELETE /v1/parties/{id}/keys/{key}`: takes a key back.
pub async fn revoke(
    State(node): State<Arc<Node>>,
    Segments((id, key)): Segments<(String, String)>,
) -> Result<Json<Value>> {
    let party = parties::revoke(&node, &id, &key).await?;
    Ok(Json(parties::view(&party, node.clock.now())))
}
