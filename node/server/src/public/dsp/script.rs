//! Where the compatibility kit tells this node to begin something as consumer. In builds with the feature `tck` alone.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use exchange::dsp::Id;
use serde::Deserialize;

use crate::dsp::{identity, script};
use crate::error::{Error, Result};
use crate::flow::connector;
use crate::node::Node;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Negotiate {
    offer_id: String,
    dataset_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transfer {
    agreement_id: String,
    format: String,
}

/// The routes.
pub fn routes() -> Router<Arc<Node>> {
    Router::new().route("/tck/negotiations", post(negotiate)).route("/tck/transfers", post(transfer))
}

/// The kit shows itself here as everywhere, or not at all; there is one connector in its world.
async fn kit(node: &Node, headers: &HeaderMap) -> Result<crate::dsp::Connector> {
    if let Ok(connector) = identity::caller(node, headers).await {
        return Ok(connector);
    }
    crate::dsp::all(node)?.pop().ok_or_else(|| Error::not_found("no connector is registered"))
}

async fn negotiate(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Json(asked): Json<Negotiate>,
) -> Result<StatusCode> {
    let connector = kit(&node, &headers).await?;
    let offer = script::wanted(&asked.offer_id, &asked.dataset_id)?;
    connector::propose(&node, &connector, offer, None).await?;
    Ok(StatusCode::OK)
}

async fn transfer(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Json(asked): Json<Transfer>,
) -> Result<StatusCode> {
    let connector = kit(&node, &headers).await?;
    let id = |text: String| Id::new(text).map_err(|e| Error::usage(e.to_string()));
    connector::request_transfer(&node, &connector, id(asked.agreement_id)?, id(asked.format)?, None).await?;
    Ok(StatusCode::OK)
}
