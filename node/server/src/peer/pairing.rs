//! Pairing: the one route for a node that is no member yet. The one-time secret of the invitation stands for the
//! signature that it cannot make.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};

use super::listener::Line;
use super::signed::bounded;
use crate::error::Result;
use crate::node::Node;
use crate::peers::{self, Introduction};

/// Largest introduction, bytes: a descriptor of at most some tens of keys.
const INTRODUCTION_BYTES_MAX: usize = 64 * 1024;

/// `POST /tram/pairing`
pub async fn introduce(
    State(node): State<Arc<Node>>,
    Extension(line): Extension<Line>,
    request: Request,
) -> Result<Json<Introduction>> {
    let body = bounded(request.into_body(), INTRODUCTION_BYTES_MAX).await?;
    peers::introduced(&node, &line.spki, &body).await.map(Json)
}
