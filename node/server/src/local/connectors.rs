//! Connectors of parties: register, look, forget.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::body::{JsonBody, Segments};
use crate::dsp;
use crate::error::Result;
use crate::flow::connector;
use crate::node::Node;

/// `GET /v1/connectors`: all, by party; never a token.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let all: Vec<Value> = dsp::all(&node)?.iter().map(dsp::view).collect();
    Ok(Json(json!({"connectors": all})))
}

/// `POST /v1/connectors`: registers one, or puts another registration in its place.
pub async fn add(
    State(node): State<Arc<Node>>,
    JsonBody(new): JsonBody<dsp::New>,
) -> Result<(StatusCode, Json<Value>)> {
    let connector = dsp::add(&node, new, node.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(dsp::view(&connector))))
}

/// `GET /v1/errands`: all, oldest first.
pub async fn errands(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let all: Vec<Value> =
        connector::errands(&node)?.iter().map(|e| connector::errand_view(&node, e)).collect();
    Ok(Json(json!({"errands": all})))
}

/// `POST /v1/connectors/{party}/errands`: gets the rows of a dataset that the connector offers.
pub async fn begin(
    State(node): State<Arc<Node>>,
    Segments(party): Segments<String>,
    JsonBody(wish): JsonBody<connector::Wish>,
) -> Result<(StatusCode, Json<Value>)> {
    let errand = connector::begin(&node, &dsp::demand(&node, &party)?, wish).await?;
    Ok((StatusCode::CREATED, Json(connector::errand_view(&node, &errand))))
}

/// `GET /v1/errands/{id}`
pub async fn errand(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    Ok(Json(connector::errand_view(&node, &connector::errand(&node, &id)?)))
}

/// `DELETE /v1/connectors/{party}`: forgets one.
pub async fn remove(State(node): State<Arc<Node>>, Segments(party): Segments<String>) -> Result<Json<Value>> {
    Ok(Json(dsp::view(&dsp::remove(&node, &party).await?)))
}
