//! CKAN's Action API, reading: `/api/3/action/NAME` and `/api/action/NAME`, by GET with a query, by POST with JSON or a form.
//! Errors are CKAN's own, with their `__type`, since its clients read nothing else.

use std::sync::Arc;

use ::portal::ckan::{self, Answer, Params, Problem};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{model, reply};
use crate::crawl::visible;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::public::Caller;

/// `GET /api/3`
pub(super) async fn version() -> Json<Value> {
    Json(json!({ "version": 3 }))
}

/// By GET.
pub(super) async fn by_get(
    State(node): State<Arc<Node>>,
    Path(action): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let params = pairs(query.unwrap_or_default().as_bytes());
    told(&headers, run(node, &headers, action, Ok(params)).await)
}

/// By POST.
pub(super) async fn by_post(
    State(node): State<Arc<Node>>,
    Path(action): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|field| field.to_str().ok()).unwrap_or_default();
    let form = kind.starts_with("application/x-www-form-urlencoded");
    // `curl -d '{…}'` says that it sends a form.
    let json = !form || body.first() == Some(&b'{');
    let params = if json { Params::from_json(&body) } else { Ok(pairs(&body)) };
    told(&headers, run(node, &headers, action, params).await)
}

fn pairs(text: &[u8]) -> Params {
    Params::from_pairs(
        url::form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())),
    )
}

/// The caller and what it is answered.
async fn run(
    node: Arc<Node>,
    headers: &HeaderMap,
    action: String,
    params: std::result::Result<Params, Problem>,
) -> (Caller, Answer) {
    let refuse = |problem: &Problem| ckan::refusal(reply::base(&node), &action, problem);
    let caller = match Caller::of(&node, headers) {
        Ok(caller) => caller,
        Err(error) => return (Caller::public(), refuse(&problem_of(&error))),
    };
    if !ckan::is_action(&action) {
        return (caller, ckan::no_such(&action));
    }
    let params = match params {
        Ok(params) => params,
        Err(problem) => return (caller, refuse(&problem)),
    };
    let (asker, here, name) = (caller.clone(), node.clone(), action.clone());
    let made = reply::apart(move || reply::whole(answer(&here, &asker, &name, &params))).await;
    let answer = made.unwrap_or_else(|error| refuse(&problem_of(&error)));
    (caller, answer)
}

fn answer(node: &Node, caller: &Caller, action: &str, params: &Params) -> Result<Answer> {
    let all = model::shown(node, caller)?;
    let catalog = model::catalog(node, &all)?;
    let find = |words: &str| match visible::names(node, &all, words) {
        Ok(names) => Some(names),
        Err(error) => {
            tracing::error!(%error, "a search failed");
            None
        }
    };
    Ok(ckan::answer(&catalog, action, params, &find))
}

fn problem_of(error: &Error) -> Problem {
    match error {
        Error::Unauthenticated(text) => Problem::Authorization(text.clone()),
        _ => Problem::Unavailable("the catalog cannot be shown whole now; come again later".to_owned()),
    }
}

fn told(headers: &HeaderMap, (caller, answer): (Caller, Answer)) -> Response {
    let body = answer.body.to_string().into_bytes();
    let mut response = reply::tagged(headers, &caller, "application/json; charset=utf-8", body.clone());
    if answer.status != 200 {
        response = body.into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/json; charset=utf-8"),
        );
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    }
    response
}
