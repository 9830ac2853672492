//! What a call brings along, read strictly: body, query and path, with our own problem documents where they cannot be
//! read.
//!
//! Promise: whatever is wrong with a call is told as problem+json with a message that says what and where. Unknown
//! members of a body are refused by the types themselves; repeated ones and deep nesting are refused here.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::limits::{LOCAL_BODY_BYTES_MAX, RULES_BODY_BYTES_MAX};

/// A JSON body of at most `MAX` bytes.
pub struct JsonBody<T, const MAX: usize = LOCAL_BODY_BYTES_MAX>(pub T);

/// A JSON body that may hold a rule set.
pub type RulesBody<T> = JsonBody<T, RULES_BODY_BYTES_MAX>;

impl<S: Send + Sync, T: DeserializeOwned, const MAX: usize> FromRequest<S> for JsonBody<T, MAX> {
    type Rejection = Error;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Error> {
        if !is_json(&request) {
            return Err(Error::usage("send the body as JSON, with `Content-Type: application/json`"));
        }
        // What stands here holds, whatever the whole door says.
        DefaultBodyLimit::max(MAX).apply(&mut request);
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Error::TooLarge(format!("the body is over {MAX} bytes; send less at once"))
            } else {
                Error::usage(format!("the body could not be read: {}", rejection.body_text()))
            }
        })?;
        let value = exchange::json::read(&bytes, MAX)
            .map_err(|e| Error::usage(format!("the body is no JSON that can be used: {e}")))?;
        serde_json::from_value(value).map(JsonBody).map_err(|e| {
            Error::usage(format!("the body does not have the expected form: {e}; see docs/local-api.md"))
        })
    }
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The query part of the address.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(params)| Params(params))
            .map_err(|rejection| Error::usage(format!("the query of the address: {}", rejection.body_text())))
    }
}

/// The variable segments of the path.
pub struct Segments<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(segments)| Segments(segments))
            .map_err(|rejection| Error::usage(format!("the path of the address: {}", rejection.body_text())))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::FromRequest;
    use axum::http::Request;
    use serde::Deserialize;

    use super::{JsonBody, Params};
    use crate::error::Error;
    use axum::extract::FromRequestParts;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        n: u64,
    }

    async fn read(kind: &str, body: &str) -> Result<u64, Error> {
        let request =
            Request::post("/").header("content-type", kind).body(Body::from(body.to_owned())).unwrap();
        JsonBody::<Wish>::from_request(request, &()).await.map(|JsonBody(wish)| wish.n)
    }

    #[tokio::test]
    async fn bodies_are_read_strictly() {
        assert_eq!(read("application/json; charset=utf-8", "{\"n\": 7}").await.unwrap(), 7);
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        for (kind, body, wants) in [
            ("text/plain", "{\"n\": 7}", "application/json"),
            ("application/json", "", "no JSON"),
            ("application/json", "{\"n\": 7, \"m\": 1}", "unknown field `m`"),
            ("application/json", "{\"n\": 7, \"n\": 8}", "twice"),
            ("application/json", "{\"n\": \"7\"}", "expected form"),
            ("application/json", &deep, "no JSON"),
        ] {
            let error = read(kind, body).await.unwrap_err();
            assert!(matches!(error, Error::Usage(_)), "{error}");
            assert!(error.to_string().contains(wants), "`{error}` should mention `{wants}`");
        }
    }

    #[tokio::test]
    async fn queries_are_read_as_problems_too() {
        let (mut parts, ()) = Request::get("/?n=seven").body(()).unwrap().into_parts();
        let refused = Params::<Wish>::from_request_parts(&mut parts, &()).await.map(|Params(w)| w.n);
        assert!(matches!(refused, Err(Error::Usage(text)) if text.contains("query")));
    }
}
