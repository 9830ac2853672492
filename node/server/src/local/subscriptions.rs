//! Subscriptions on the local door: make, look, read the copy, ask now, stop.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use super::body::{JsonBody, Segments};
use crate::error::{Error, Result};
use crate::flow::terms::Stated;
use crate::node::Node;
use crate::query::{QueryDoc, parse_condition};
use crate::records::Ask;
use crate::subscriptions::{self, New};

/// Body of `POST /v1/subscriptions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    participant: String,
    dataset: String,
    #[serde(default)]
    name: Option<String>,
    purpose: Option<String>,
    basis: Option<String>,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default, rename = "where")]
    filter: Vec<String>,
    every: String,
}

/// `POST /v1/subscriptions`
pub async fn add(
    State(node): State<Arc<Node>>,
    JsonBody(body): JsonBody<Wish>,
) -> Result<(StatusCode, Json<Value>)> {
    let filter = body.filter.iter().map(|text| parse_condition(text));
    let doc = QueryDoc {
        action: "query".to_owned(),
        format: "csv".to_owned(),
        columns: body.columns,
        filter: filter.collect::<std::result::Result<_, _>>().map_err(Error::Usage)?,
        ..QueryDoc::default()
    };
    doc.check().map_err(Error::Usage)?;
    let ask = Ask {
        action: doc.action.clone(),
        purpose: body.purpose,
        basis: body.basis,
        query: serde_json::to_value(&doc).map_err(Error::internal)?,
        stated: Stated::default(),
    };
    let new =
        New { name: body.name, participant: body.participant, dataset: body.dataset, ask, every: body.every };
    let subscription = subscriptions::add(&node, new).await?;
    Ok((StatusCode::CREATED, Json(subscriptions::view(&node, &subscription))))
}

/// `GET /v1/subscriptions`: all, by name.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let all = subscriptions::all(&node)?;
    let views: Vec<Value> = all.iter().map(|subscription| subscriptions::view(&node, subscription)).collect();
    Ok(Json(json!({"subscriptions": views})))
}

/// `GET /v1/subscriptions/{id}`
pub async fn show(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    Ok(Json(subscriptions::view(&node, &subscriptions::demand(&node, &id)?)))
}

/// `GET /v1/subscriptions/{id}/data`: the copy as it is now, whole.
pub async fn data(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Response> {
    let subscription = subscriptions::demand(&node, &id)?;
    if subscription.copy.is_none() {
        return Err(Error::conflict(format!("the subscription `{id}` has no copy yet")));
    }
    let path = subscriptions::copy_path(&node, &id);
    let file = tokio::fs::File::open(&path).await.map_err(|e| Error::io(&path, e))?;
    let body = Body::from_stream(ReaderStream::with_capacity(file, 1 << 16));
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], body).into_response())
}

/// `POST /v1/subscriptions/{id}/refresh`: asks now.
pub async fn refresh(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    Ok(Json(subscriptions::view(&node, &subscriptions::refresh(&node, &id).await?)))
}

/// `POST /v1/subscriptions/{id}/stop`: asks no more; the copy stays.
pub async fn stop(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    Ok(Json(subscriptions::view(&node, &subscriptions::stop(&node, &id).await?)))
}
