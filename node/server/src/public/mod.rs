//! Door 3: everybody else. Catalogs, tables and files for those who have no node, under the same gate as for peers.
//!
//! **What it is.** Closed unless `[public]` opens it. Who comes with a key of a party is that party
//! ([`crate::parties`]), who comes without one is the public; a key that is not good is refused, never taken for nobody.
//! What anybody sees is taken from [`crate::shown`], what anybody gets from [`crate::flow`]: no handler here opens a source or
//! asks the store for datasets by itself.
//!
//! **What it is not.** Nothing is changed through this door but what an exchange changes; settings and rules belong to the
//! local door.

pub mod caller;
pub mod delta;
pub mod dsp;
mod listener;
mod odata;
mod portal;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub use self::caller::Caller;
pub use self::listener::{serve, tls};
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;

/// The router of the public door.
pub fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/v1/files/{release}/{file}", get(file))
        .merge(dsp::routes())
        .merge(odata::routes())
        .merge(delta::routes())
        .merge(portal::routes())
        .fallback(|| async {
            Error::not_found("no such resource here; `/` is the list of what this agency shows")
        })
        .layer(DefaultBodyLimit::max(limits::PUBLIC_BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(node.clone(), bounds))
        .with_state(node)
}

/// The base URL of this door.
///
/// # Errors
/// [`Error::Conflict`] when the door is closed.
pub fn endpoint(node: &Node) -> Result<&str> {
    node.config.public.as_ref().map(|section| section.endpoint.as_str()).ok_or_else(|| {
        Error::conflict("this node has no public door; write [public] listen and endpoint into tram.toml")
    })
}

/// Bounds that hold for each request: time to answer, and headers that no page here goes without.
async fn bounds(State(_node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(limits::PUBLIC_ANSWER_TIMEOUT, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| {
        Error::Unavailable("the answer took too long; ask for less, or come again later".to_owned())
            .into_response()
    });
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// `GET /v1/files/{release}/{file}`: a signed address is as good as a key for its file.
async fn file(
    State(node): State<Arc<Node>>,
    method: Method,
    axum::extract::Path((release, name)): axum::extract::Path<(String, String)>,
    signed: std::result::Result<
        axum::extract::Query<crate::releases::link::Signed>,
        axum::extract::rejection::QueryRejection,
    >,
    headers: axum::http::HeaderMap,
) -> Result<Response> {
    let axum::extract::Query(signed) = signed.map_err(|_| {
        Error::Unauthenticated("this address is not signed by this node; ask for a new one".to_owned())
    })?;
    crate::releases::serve(&node, (&release, &name), &signed, &method, &headers).await
}
