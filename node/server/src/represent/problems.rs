//! Why a request for rows has no rows as its answer, told as problems (RFC 9457): what was asked, what there is, what to ask.
//!
//! The types are stable: `urn:tram:problem:not-acceptable`, `…:precondition-failed`, `…:range-not-satisfiable`. What a
//! status demands besides its body (`Content-Range` with 416) is here as well.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Body as _;

use crate::error::{Error, Problem, Result};

/// 406: the rows can be had in these forms (RFC 9110 §15.5.7).
pub fn not_acceptable(offered: &[&str]) -> Response {
    let detail = format!(
        "`Accept` names no form in which these rows can be had; ask for one of {}, or send no `Accept`",
        offered.join(", ")
    );
    Problem::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", detail).into_response()
}

/// 412: `If-Match` names another version than the one that is here (RFC 9110 §13.1.1).
pub fn precondition_failed(etag: &str) -> Response {
    let detail = format!(
        "`If-Match` names another version than the one that is here, {etag}; throw away what you have of the other, and ask without `If-Match` or with this one"
    );
    Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", detail).into_response()
}

/// 416: no byte of the span is there; says how many there are (RFC 9110 §15.5.17).
///
/// # Errors
/// None that can happen: a number fits into a field.
pub fn range_not_satisfiable(bytes: u64) -> Result<Response> {
    let detail = match bytes.checked_sub(1) {
        Some(last) => format!(
            "no byte of the span is there: there are {bytes}, so ask for a span within `Range: bytes=0-{last}`, or for all without `Range`"
        ),
        None => "no byte of the span is there: there is none at all; ask without `Range`".to_owned(),
    };
    let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range-not-satisfiable", detail);
    let mut response = problem.into_response();
    let there = HeaderValue::from_str(&format!("bytes */{bytes}")).map_err(Error::internal)?;
    response.headers_mut().insert(header::CONTENT_RANGE, there);
    Ok(response)
}

/// The answer to a HEAD says of the body of a GET only what its fields say (RFC 9110 §9.3.2).
pub fn without_body(method: &Method, mut response: Response) -> Response {
    if *method != Method::HEAD {
        return response;
    }
    let length = response.body().size_hint().exact();
    *response.body_mut() = axum::body::Body::empty();
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
