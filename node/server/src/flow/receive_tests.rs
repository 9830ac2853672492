//! Receiving from a provider that says what the test wants: what passes is waited for and ends no exchange. And what is swept
//! out of the inbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use store::{Space, Tx};

use super::receive;
use crate::node::Node;
use crate::peer::signed::BodyDigest;
use crate::records::{DataAddress, Exchange, Side, Stage};

const PEER: &str = "urn:agency:vn:b";

fn exchange(id: &str, stage: Stage) -> Exchange {
    let ask = crate::testing::ask();
    let mut exchange = Exchange::new(id.into(), Side::Consumer, PEER.into(), "x".into(), ask, 1);
    exchange.stage = stage;
    exchange
}

async fn keep(node: &Node, exchange: &Exchange) {
    let tx = Tx::new().put_json(Space::Exchange, exchange.key(), exchange).unwrap();
    node.store.commit(tx).await.unwrap();
}

/// Receives from a provider with these routes under `/data`, until it pauses or ends.
async fn received(node: &Arc<Node>, routes: Router) -> Exchange {
    let (_dir, peer) = crate::testing::peer_that_answers(node, Router::new().nest("/data", routes)).await;
    let mut exchange = exchange("01ARZ3NDEKTSV4RRFFQ69G5FAV", Stage::Transferring);
    let endpoint = format!("{}/data", peer.config.peer.endpoint);
    exchange.address = Some(DataAddress { endpoint, token: "old".into() });
    keep(node, &exchange).await;
    let mut changed = node.changed.subscribe();
    receive::ensure(node, &exchange);
    let settled = async {
        loop {
            let now = receive::current(node, &exchange.key()).unwrap();
            if now.failure.is_some() {
                return now;
            }
            changed.changed().await.unwrap();
        }
    };
    let now = tokio::time::timeout(std::time::Duration::from_secs(60), settled).await.expect("it settles");
    crate::boot::close(&peer).await;
    now
}

#[tokio::test]
async fn a_provider_that_does_not_take_its_own_new_token_is_asked_again_later() {
    let (_dir, node) = crate::testing::node().await;
    let tokens = Arc::new(AtomicU32::new(0));
    let counted = tokens.clone();
    let token = move || async move {
        counted.fetch_add(1, Ordering::Relaxed);
        r#"{"token": "new"}"#
    };
    let routes = Router::new()
        .route("/manifest", get(|| async { StatusCode::UNAUTHORIZED }))
        .route("/token", post(token));
    let now = received(&node, routes).await;
    assert_eq!((now.stage, tokens.load(Ordering::Relaxed)), (Stage::Receiving, 1), "{now:?}");
    assert!(now.failure.unwrap().contains("new token") && now.pauses.is_some());
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn a_rest_that_is_not_there_any_more_is_asked_for_anew_later() {
    let (_dir, node) = crate::testing::node().await;
    let rests = Arc::new(AtomicU32::new(0));
    let counted = rests.clone();
    // A chunk that breaks off, and then is cut otherwise.
    let chunk = move |headers: HeaderMap| async move {
        if headers.contains_key(header::RANGE) {
            counted.fetch_add(1, Ordering::Relaxed);
            return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        }
        let pieces = [Ok(Bytes::from_static(b"a beginning")), Err(std::io::Error::other("cut"))];
        // So that the beginning is on the line before the cut.
        let pieces = futures::StreamExt::then(futures::stream::iter(pieces), |piece| async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            piece
        });
        let mut response = Response::new(Body::from_stream(pieces));
        response.extensions_mut().insert(BodyDigest([7; 32]));
        response
    };
    let routes = Router::new()
        .route("/manifest", get(|| async { StatusCode::TOO_EARLY }))
        .route("/chunks/{number}", get(chunk));
    let now = received(&node, routes).await;
    assert_eq!((now.stage, rests.load(Ordering::Relaxed)), (Stage::Receiving, 1), "{now:?}");
    assert!(now.failure.unwrap().contains("asked for anew") && now.pauses.is_some());
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn inboxes_of_exchanges_at_their_end_are_swept_and_no_others() {
    let (dir, node) = crate::testing::node().await;
    let inbox = dir.path().join("node/inbox");
    let sealed = Exchange { receipt_first: true, ..exchange("sealed", Stage::Failed) };
    let known = [
        (exchange("completed", Stage::Completed), false),
        (exchange("failed", Stage::Failed), false),
        (exchange("refused", Stage::Refused), false),
        (exchange("receiving", Stage::Receiving), true),
        (exchange("acknowledging", Stage::Acknowledging), true),
        // An auditor may have the key of what is sealed.
        (sealed, true),
    ];
    for (exchange, _) in &known {
        keep(&node, exchange).await;
    }
    let names = known.iter().map(|(exchange, stays)| (exchange.id.as_str(), *stays));
    let names: Vec<(&str, bool)> = names.chain([("unknown", true)]).collect();
    for (name, _) in &names {
        std::fs::create_dir_all(inbox.join(name)).unwrap();
        std::fs::write(inbox.join(name).join("rows.part"), "rows").unwrap();
    }
    receive::sweep(&node).unwrap();
    for (name, stays) in names {
        assert_eq!(inbox.join(name).join("rows.part").exists(), stays, "{name}");
    }
    crate::boot::close(&node).await;
}
