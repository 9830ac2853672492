//! Lines on the local door: what is set, what was measured, what waits for each peer and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::JsonBody;
use crate::error::{Error, Result};
use crate::line::hours::Big;
use crate::line::settings::Limits;
use crate::line::waiting;
use crate::node::Node;

/// `GET /v1/line`
pub async fn show(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let settings = node.lines.settings();
    Ok(Json(json!({"all": settings.all, "peers": waiting::peers(&node)?})))
}

/// Body of `POST /v1/line`. What is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// For this peer alone.
    #[serde(default)]
    peer: Option<String>,
    /// 0 takes the cap away.
    #[serde(default)]
    serve_bytes_per_second: Option<u64>,
    /// The same.
    #[serde(default)]
    fetch_bytes_per_second: Option<u64>,
    /// `on`, `off`, or `unset`: as for all, off where nothing is said for all.
    #[serde(default)]
    low_data: Option<String>,
    /// When big transfers may be fetched; `"none"` takes the hours away.
    #[serde(default)]
    big: Option<BigHours>,
}

/// Hours, or a word.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum BigHours {
    Set(Big),
    Word(String),
}

/// `POST /v1/line`
pub async fn set(State(node): State<Arc<Node>>, JsonBody(body): JsonBody<Set>) -> Result<Json<Value>> {
    let mut settings = (*node.lines.settings()).clone();
    let limits = match &body.peer {
        Some(peer) => {
            node.peers.route(peer)?;
            settings.peers.entry(peer.clone()).or_default()
        }
        None => &mut settings.all,
    };
    let cap = |given: Option<u64>, now: Option<u64>| match given {
        Some(0) => None,
        Some(cap) => Some(cap),
        None => now,
    };
    limits.serve_bytes_per_second = cap(body.serve_bytes_per_second, limits.serve_bytes_per_second);
    limits.fetch_bytes_per_second = cap(body.fetch_bytes_per_second, limits.fetch_bytes_per_second);
    limits.low_data = match body.low_data.as_deref() {
        None => limits.low_data,
        Some("on") => Some(true),
        Some("off") => Some(false),
        Some("unset") => None,
        Some(other) => return Err(Error::usage(format!("low_data `{other}`; write on, off or unset"))),
    };
    limits.big = match body.big {
        None => limits.big,
        Some(BigHours::Set(big)) => {
            big.check().map_err(Error::Usage)?;
            Some(big)
        }
        Some(BigHours::Word(word)) if word == "none" => None,
        Some(BigHours::Word(word)) => {
            return Err(Error::usage(format!(
                "big `{word}`; write {{\"mb\", \"from\", \"to\"}} or \"none\""
            )));
        }
    };
    settings.peers.retain(|_, limits| *limits != Limits::default());
    node.lines.set(&node.dir, settings)?;
    tracing::info!(peer = body.peer, "what is set about lines was changed");
    show(State(node)).await
}
