//! Answers with a tag: who has the same bytes already gets none (RFC 9110 §13.1.2).

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::public::Caller;

/// Looks through the whole catalog at once.
static PLACES: Semaphore = Semaphore::const_new(limits::PUBLIC_LOOKS_AT_ONCE);

/// Runs what looks through the whole catalog where it stops no other request.
pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    // Waiting costs nothing but a connection; working costs the whole catalog.
    let place = PLACES.acquire().await.map_err(Error::internal)?;
    let held = move || {
        let _place = place;
        work()
    };
    tokio::task::spawn_blocking(held).await.map_err(Error::internal)?
}

/// A body of this type, or 304 where the client has it.
pub(super) fn tagged(
    asked: &HeaderMap,
    caller: &Caller,
    media_type: &'static str,
    body: Vec<u8>,
) -> Response {
    let digest = Sha256::digest(&body);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hex}\"");
    let has = asked.get(header::IF_NONE_MATCH).and_then(|field| field.to_str().ok()).is_some_and(|field| {
        field.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
    });
    let mut response =
        if has { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(body).into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    // What one caller sees is not what another sees, and a withdrawn dataset must go at once.
    let keep = if caller.is_public() { "no-cache" } else { "private, no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization, X-CKAN-API-Key"));
    response
}

/// A page for people.
pub(super) fn page(asked: &HeaderMap, caller: &Caller, body: String) -> Response {
    let mut response = tagged(asked, caller, "text/html; charset=utf-8", body.into_bytes());
    let policy = HeaderValue::from_static(::portal::html::CONTENT_SECURITY_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// A page that says what is wrong, for people.
pub(super) fn failure(asked: &HeaderMap, error: Error) -> Response {
    let (vi, en) = match error {
        Error::NotFound(_) => ("Không tìm thấy", "Not found"),
        Error::Unauthenticated(_) => ("Khóa không hợp lệ", "The key is not good"),
        _ => ("Lúc này chưa trả lời được", "No answer can be given now"),
    };
    let status = error.into_response().status();
    match ::portal::html::message(vi, en) {
        Ok(body) => {
            let mut response = page(asked, &Caller::public(), body);
            response.headers_mut().remove(header::ETAG);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            *response.status_mut() = status;
            response
        }
        Err(error) => Error::internal(error).into_response(),
    }
}

/// The base URL, for answers that are errors themselves.
pub(super) fn base(node: &Node) -> &str {
    crate::public::endpoint(node).unwrap_or_default()
}

/// An error of reading or judging is always "not now" here: whoever copies the catalog must neither take a shorter list nor
/// take the datasets for gone.
pub(super) fn whole<T>(made: Result<T>) -> Result<T> {
    made.map_err(|error| {
        tracing::error!(%error, "the catalog cannot be shown whole; nothing of it is");
        Error::Unavailable("the catalog cannot be shown whole now; come again later".to_owned())
    })
}
