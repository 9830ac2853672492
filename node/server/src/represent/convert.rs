//! Rows in another form than they lie in: computed while they are sent, so the first are there before the last are read.
//!
//! Nobody knows the length before the end, so there is no span to ask for; an answer that breaks off has no last chunk
//! (RFC 9112 §7.1), by which a client tells it from a whole one.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use dataplane::{DataError, Job, OutputFormat};
use futures::StreamExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{Error, Result};

/// Runs a job and answers with its bytes. `place` is given back when the last of them is taken, or nobody wants more.
///
/// # Errors
/// What the job says before its first byte.
pub async fn stream(job: Job, place: OwnedSemaphorePermit) -> Result<Response> {
    let mut response = head(job.format);
    let answer = dataplane::run(job).await.map_err(told)?;
    let bytes = answer.into_stream().map(move |piece| {
        let _place = &place;
        piece.inspect_err(|error| tracing::warn!(%error, "an answer broke off"))
    });
    *response.body_mut() = Body::from_stream(bytes);
    Ok(response)
}

/// The answer to a HEAD: what a GET would begin with.
pub fn head(format: OutputFormat) -> Response {
    // Of unknown length, as the body of the GET is: an empty one would be told as such.
    let mut response = Response::new(Body::from_stream(futures::stream::empty::<Result<Bytes>>()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(super::CACHE));
    response
}

fn told(error: DataError) -> Error {
    match error {
        DataError::Query(_) | DataError::Quota { .. } => Error::usage(error.to_string()),
        other => Error::internal(other),
    }
}

#[cfg(test)]
mod tests {
    use dataplane::OutputFormat;
    use hyper::body::Body as _;

    #[test]
    fn a_head_does_not_say_that_the_rows_are_none() {
        assert_eq!(super::head(OutputFormat::Json).body().size_hint().exact(), None);
    }
}
