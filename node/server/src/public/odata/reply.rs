//! Answers and errors as OData has them (Protocol 4.01, 8.2 and 9; JSON Format 4.01, 21.1).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use odata::{Accept, Fault, Kind};
use serde_json::Value;

use super::JSON;
use crate::error::Error;
use crate::public::caller::NotGood;

/// The version that is spoken.
const VERSION: (&str, HeaderValue) = ("odata-version", HeaderValue::from_static("4.0"));

/// Why there is no answer.
pub enum Told {
    /// The request is wrong.
    Fault(Fault),
    /// The node says no.
    Error(Error),
    /// The key is not good.
    NotGood(NotGood),
}

impl Told {
    /// What is hidden and what is not there, in the same words.
    pub fn no_such() -> Self {
        Self::Error(Error::not_found(
            "no such resource is shown to you here; the service document lists what is",
        ))
    }
}

impl From<Fault> for Told {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Told {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// An answer, or why there is none, with the fields that every answer has.
pub fn told(answer: std::result::Result<Response, Told>) -> Response {
    let mut response = answer.unwrap_or_else(|why| match why {
        Told::Fault(fault) => failed(status(&fault), &fault.body()),
        Told::Error(error) => of_node(error),
        Told::NotGood(refused) => unknown_key(refused),
    });
    response.headers_mut().insert(VERSION.0, VERSION.1);
    response
}

/// A whole answer in its form.
pub fn body(accept: Accept, bytes: Vec<u8>) -> Response {
    let mut response = bytes.into_response();
    let kind = HeaderValue::from_str(&accept.media_type());
    let kind = kind.unwrap_or(HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// For every method but GET and HEAD.
pub async fn read_only() -> Response {
    let body = odata::answer::error("MethodNotAllowed", "this service is read only; use GET", None);
    let mut response = failed(StatusCode::METHOD_NOT_ALLOWED, &body);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response.headers_mut().insert(VERSION.0, VERSION.1);
    response
}

fn status(fault: &Fault) -> StatusCode {
    match fault.kind {
        Kind::Bad => StatusCode::BAD_REQUEST,
        Kind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        Kind::NotAcceptable if fault.target == "$format" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
    }
}

fn failed(status: StatusCode, told: &Value) -> Response {
    let mut response = body(JSON, told.to_string().into_bytes());
    *response.status_mut() = status;
    response
}

/// The node's own errors: what they say and what they keep to themselves is decided where problems are made.
fn of_node(error: Error) -> Response {
    let problem = error.problem();
    let (status, slug) = error.kind();
    let code = match &error {
        Error::Refused(refusal) => refusal.code.clone(),
        _ => slug.to_owned(),
    };
    let mut told = odata::answer::error(&code, &problem.detail, None);
    if let (Error::Refused(refusal), Some(error)) =
        (&error, told.get_mut("error").and_then(Value::as_object_mut))
    {
        error.insert("innererror".to_owned(), serde_json::to_value(refusal).unwrap_or_default());
    }
    // Its fields (when to come again) and its log line are those of the problem.
    let headers = error.into_response().headers().clone();
    let mut response = failed(status, &told);
    if let Some(after) = headers.get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, after.clone());
    }
    response
}

fn unknown_key(refused: NotGood) -> Response {
    let refused = refused.into_response();
    let told = "the key is not good here: it was mistyped, has expired or was taken back; ask the agency for a new one";
    let mut response = failed(refused.status(), &odata::answer::error("unauthenticated", told, None));
    if let Some(challenge) = refused.headers().get(header::WWW_AUTHENTICATE) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.clone());
    }
    response
}
