//! This node as a witness for its peers' logs (C2SP tlog-witness), behind the peer door: members only, each message signed.

use std::sync::Arc;

use ::ledger::Vkey;
use ::ledger::witness::{Cosigned, Refusal};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use certs::registry::MemberStatus;

use crate::error::{Error, Result};
use crate::node::Node;
use crate::witness::conflicts;

/// `POST /tram/witness/add-checkpoint`
pub async fn add_checkpoint(State(node): State<Arc<Node>>, body: Bytes) -> Response {
    let witnessing = node.clone();
    let done = tokio::task::spawn_blocking(move || cosign(&witnessing, &body)).await;
    match done {
        Ok(Ok(cosigned)) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], cosigned.body()).into_response()
        }
        Ok(Err(refusal)) => refused(&node, &refusal).await,
        Err(error) => Error::internal(error).into_response(),
    }
}

fn cosign(node: &Node, body: &[u8]) -> std::result::Result<Cosigned, Refusal> {
    let now = u64::try_from(node.clock.now()).unwrap_or(0);
    node.watch.door.add_checkpoint(body, &|origin| served(node, origin), now)
}

/// The keys of a log that this node witnesses: that of an active peer which was not caught with two histories.
fn served(node: &Node, origin: &str) -> Option<Vec<Vkey>> {
    if node.watch.conflicts.of(origin).is_some() {
        return None;
    }
    let registry = node.peers.keys();
    let mut members = registry.registry().members.iter();
    let member = members.find(|m| m.descriptor.descriptor().ledger_origin == origin)?;
    if member.status != MemberStatus::Active {
        return None;
    }
    let now = node.clock.now();
    let descriptor = member.descriptor.descriptor();
    let name = ::ledger::KeyName::new(origin).ok()?;
    let keys = descriptor.keys_at(certs::KeyUse::Ledger, now).filter_map(|material| match material {
        certs::descriptor::KeyMaterial::Ledger(key) => {
            Vkey::new(name.clone(), certs::note::KeyKind::Ed25519, *key.verifying_key()).ok()
        }
        _ => None,
    });
    Some(keys.collect())
}

/// Status and body as the protocol has them; a fork leaves its proof.
async fn refused(node: &Node, refusal: &Refusal) -> Response {
    if let Some(evidence) = refusal.suspicion().and_then(|found| found.evidence.as_ref())
        && let Err(error) = conflicts::keep(node, evidence).await
    {
        tracing::error!(%error, "the proof of two histories could not be kept");
    }
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match refusal.body() {
        Some((kind, body)) => (status, [(header::CONTENT_TYPE, kind)], body).into_response(),
        None => {
            let kind = "text/plain; charset=utf-8";
            (status, [(header::CONTENT_TYPE, kind)], format!("{refusal}\n")).into_response()
        }
    }
}

/// `GET /tram/witness/{hash}/checkpoint`: what was cosigned last of the log whose origin has this SHA-256.
pub async fn checkpoint(State(node): State<Arc<Node>>, Path(hash): Path<String>) -> Result<Response> {
    let held = node.watch.door.checkpoint(&hash).ok_or_else(|| {
        Error::not_found(format!("this witness cosigned nothing of the log `{}`", hash.escape_debug()))
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], held.to_bytes()).into_response())
}
