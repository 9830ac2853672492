//! Version discovery (DSP 2025-1, common, "Exposure of versions").

use axum::http::StatusCode;
use axum::response::Response;
use exchange::dsp::VersionResponse;

use super::reply;

/// `GET /.well-known/dspace-version`
pub async fn version() -> Response {
    reply::message(StatusCode::OK, &VersionResponse::ours("/dsp/2025-1"))
}
