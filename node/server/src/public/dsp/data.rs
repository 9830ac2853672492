//! Rows of a transfer, pulled with the token of its data address. The rules are asked at each request, and each is an exchange
//! of its own in the ledger ([`crate::flow::direct`]).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;

use crate::error::{Error, Result};
use crate::flow::{connector, direct};
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::query::QueryDoc;

/// `GET /dsp/data/{pid}`
pub async fn rows(State(node): State<Arc<Node>>, Path(pid): Path<String>, headers: HeaderMap) -> Response {
    let sent =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let token = sent.strip_prefix("Bearer ").or_else(|| sent.strip_prefix("bearer ")).unwrap_or(sent).trim();
    given(&node, &pid, token).await.unwrap_or_else(IntoResponse::into_response)
}

/// `HEAD /dsp/data/{pid}`: how long an answer is would cost as much as the answer.
pub async fn no_head() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

async fn given(node: &Arc<Node>, pid: &str, token: &str) -> Result<Response> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    let served = connector::served(node, &operation, pid, token)?;
    let mut query = QueryDoc::from_wire(served.query.as_ref()).map_err(Error::Usage)?;
    if served.query.is_none() {
        query.action = served.action.written().to_owned();
    }
    let media = crate::represent::formats::output(&query.format).media_type();
    let caller = served.connector.caller();
    let given = direct::rows(node, &operation, &caller, &served.dataset, query).await?;
    let file = tokio::fs::File::open(&given.file).await.map_err(|e| Error::io(&given.file, e))?;
    // Once it is open nobody else comes for it, and what is unlinked is read to its end.
    if let Some(folder) = given.file.parent() {
        crate::files::remove_folder(folder)?;
    }
    let mut response = Response::new(Body::from_stream(ReaderStream::new(file)));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(given.bytes));
    Ok(response)
}
