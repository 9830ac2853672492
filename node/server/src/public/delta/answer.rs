//! Answers in the protocol's words: who asks, what went wrong, lines.

use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use delta::capabilities::{HEADER, VERSION_HEADER};
use delta::lines::MEDIA_TYPE;
use delta::{AskError, Capabilities, ErrorBody, Form, Lines};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::node::Node;
use crate::public::Caller;

/// What went wrong, told as the protocol has it.
#[derive(Debug)]
pub struct Failure(Error);

/// Short for what a handler here gives.
pub type Answer<T> = std::result::Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self(match error {
            AskError::TooLong(_) => Error::TooLarge(error.to_string()),
            other => Error::usage(other.to_string()),
        })
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        // What cannot be done for a table is a wrong question here: the protocol has no status of its own for it.
        if let Error::Conflict(why) = &self.0 {
            let body = ErrorBody { code: "NOT_SUPPORTED".to_owned(), message: why.clone() };
            return (StatusCode::BAD_REQUEST, axum::Json(body)).into_response();
        }
        // The house's own answer decides the status, what is hidden and what is logged; the words are put into the other form.
        let problem = self.0.problem();
        let mut response = self.0.into_response();
        let status = response.status();
        let mut headers = HeaderMap::new();
        if let Some(later) = response.headers_mut().remove(header::RETRY_AFTER) {
            headers.insert(header::RETRY_AFTER, later);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tram\""));
        }
        let detail = if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            "the node failed to do this; its log tells more".to_owned()
        } else {
            problem.detail
        };
        (status, headers, axum::Json(ErrorBody::of(status.as_u16(), detail))).into_response()
    }
}

/// Who asks, with a wrong key refused in the protocol's words.
pub struct Asker(pub Caller);

impl FromRequestParts<Arc<Node>> for Asker {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Answer<Self> {
        Ok(Self(Caller::of(node, &parts.headers)?))
    }
}

/// What a client can read.
pub struct Reads(pub Capabilities);

impl<S: Send + Sync> FromRequestParts<S> for Reads {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Self::Rejection> {
        let said = parts.headers.get(HEADER).and_then(|value| value.to_str().ok());
        Ok(Self(Capabilities::read(said)))
    }
}

/// Parameters of an address.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        let wrong =
            |e: QueryRejection| Failure(Error::usage(format!("the parameters are not understood: {e}")));
        read.map(|axum::extract::Query(read)| Self(read)).map_err(wrong)
    }
}

/// A question for rows, read from the body.
pub struct Question(pub delta::Query);

impl<S: Send + Sync> FromRequest<S> for Question {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let wrong = |e: BytesRejection| match e.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure(Error::TooLarge(e.to_string())),
            _ => Failure(Error::usage(format!("the body cannot be read: {e}"))),
        };
        let body = axum::body::Bytes::from_request(request, state).await.map_err(wrong)?;
        Ok(Self(delta::Query::read(&body)?))
    }
}

/// An answer of one JSON object.
pub fn json(value: &impl Serialize) -> Response {
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    match serde_json::to_vec(value) {
        Ok(body) => ([(header::CONTENT_TYPE, kind)], body).into_response(),
        Err(error) => Failure(Error::internal(error)).into_response(),
    }
}

/// An answer of lines about a version of a table.
pub fn lines(lines: Lines, form: Form, version: u64) -> Response {
    let mut response = of_version(version);
    *response.body_mut() = lines.finish().into();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(HEADER, HeaderValue::from_static(form.header()));
    response
}

/// An answer that says which version of a table there is, and nothing else.
pub fn of_version(version: u64) -> Response {
    ([(VERSION_HEADER, HeaderValue::from(version))], ()).into_response()
}

/// Any other address below this sub-door.
pub async fn nowhere() -> Failure {
    Failure(Error::not_found("no such address in this protocol; begin with /shares"))
}
