//! The signature layer: no handler of the peer door sees a message that was not verified, and no answer leaves
//! unsigned.
//!
//! Order: who is on the line (certificate → active participant of the registry), a place among the requests of that
//! participant, the body bounded in size and time, the signature by the
//! profile, the signer is who is on the line, the nonce new. Refusals and errors are signed too. Only an answer to a
//! message whose signature could not be read stays unsigned, because there is nothing to bind it to.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use certs::ParticipantId;
use certs::message::{
    Content, IncomingRequest, LogPromise, MessageError, OutgoingResponse, VerifiedRequest, sign_response,
    verify_request,
};
use http_body_util::{BodyExt, Limited};
use hyper::body::Body as _;
use store::{Space, Tx};

use super::listener::Line;
use crate::error::{Error, Result};
use crate::limits::{BODY_TIMEOUT, MESSAGE_BYTES_MAX};
use crate::line::pace;
use crate::node::Node;
use crate::peers::Place;
use crate::witness::hearing;

/// How far ahead of the newest accepted message the mark on disk is set, seconds: one write per so many seconds of
/// traffic, and after a crash messages of so many seconds are refused once (peers sign again).
const MARK_AHEAD_SECONDS: i64 = 2;
/// An answer that is sent at once: nothing of it waits for the reader.
const SMALL_BYTES: u64 = 64 << 10;
/// The one route that DSP leaves open.
const VERSION_PATH: &str = "/.well-known/dspace-version";

/// Who called, as TLS and signature say.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The participant.
    pub participant: ParticipantId,
    /// Its verified message.
    pub message: VerifiedRequest,
}

/// A promise for the answer: set by a handler whose answer has a leaf in the ledger.
#[derive(Debug, Clone)]
pub struct Promise(pub LogPromise);

/// Digest of an answer's body that was computed before, so that a chunk is not hashed again.
#[derive(Debug, Clone, Copy)]
pub struct BodyDigest(pub [u8; 32]);

/// Marks an answer as data: it goes no faster than the caps allow.
#[derive(Debug, Clone, Copy)]
pub struct Data;

/// The layer.
pub async fn layer(
    State(node): State<Arc<Node>>,
    Extension(line): Extension<Line>,
    request: Request,
    next: Next,
) -> Response {
    let arrived = node.clock.now();
    let (participant, place) = match called(&node, &line, arrived) {
        Ok(called) => called,
        Err(error) => return error.into_response(),
    };
    match open(&node, participant, request, arrived).await {
        Ok(Opened::Signed(request, caller)) => {
            node.outbox.kick(&node, caller.participant.as_str());
            let context = caller.message.context.clone();
            let peer = caller.participant.clone();
            let answer = next.run(request).await;
            match seal(&node, answer, &context, peer.as_str()).await {
                Ok(response) => response.map(|body| held(body, place)),
                Err(error) => error.into_response(),
            }
        }
        Ok(Opened::Open(request)) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// A body that keeps its request's place until it is sent: a participant that asks and does not read takes up its own
/// places, and of this node one piece of each.
fn held(body: Body, place: Place) -> Body {
    if body.size_hint().upper().is_some_and(|most| most <= SMALL_BYTES) {
        return body;
    }
    Body::new(body.map_frame(move |frame| {
        let _held = &place;
        frame
    }))
}

enum Opened {
    Signed(Request, Box<Caller>),
    Open(Request),
}

/// Who is on the line, with a place among its requests: held until the answer is made.
fn called(node: &Node, line: &Line, arrived: i64) -> Result<(ParticipantId, Place)> {
    let unknown = || {
        Error::Unauthenticated(
            "the certificate on the line belongs to no active participant; pair the nodes first".to_owned(),
        )
    };
    let participant = node.peers.on_line(&line.spki, arrived).ok_or_else(unknown)?;
    let place = node.peers.place(&participant)?;
    Ok((participant, place))
}

async fn open(node: &Node, participant: ParticipantId, request: Request, arrived: i64) -> Result<Opened> {
    let (mut head, body) = request.into_parts();
    if head.uri.path() == VERSION_PATH && !head.headers.contains_key("signature") {
        return Ok(Opened::Open(Request::from_parts(head, body)));
    }
    let body = bounded(body, MESSAGE_BYTES_MAX).await?;
    let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
    let target_uri = format!("{}{path}", node.config.peer.endpoint);
    let incoming = IncomingRequest {
        method: &head.method,
        target_uri: &target_uri,
        headers: &head.headers,
        content: Content::Bytes(&body),
    };
    let message = verify_request(&incoming, &*node.peers.keys(), &participant, arrived, &node.nonces)
        .map_err(refused)?;
    remember(node, message.created).await?;
    hearing::listen(node, &participant, &head.headers);
    node.lines.heard(participant.as_str(), &head.headers);
    let caller = Caller { participant, message };
    head.extensions.insert(caller.clone());
    Ok(Opened::Signed(Request::from_parts(head, Body::from(body)), Box::new(caller)))
}

fn refused(error: MessageError) -> Error {
    let text = error.to_string();
    match error {
        MessageError::BeforeMemory { .. } | MessageError::Busy => Error::Unavailable(text),
        _ => Error::Unauthenticated(text),
    }
}

/// Reads a body of at most `bytes_max` bytes that arrives in time: one that drips in for ever holds a connection for ever.
pub(super) async fn bounded(body: Body, bytes_max: usize) -> Result<Bytes> {
    within(BODY_TIMEOUT, body, bytes_max).await
}

async fn within(time: Duration, body: Body, bytes_max: usize) -> Result<Bytes> {
    let reading = Limited::new(body, bytes_max).collect();
    let read = tokio::time::timeout(time, reading).await.map_err(|_| {
        Error::usage(format!(
            "the message did not arrive within {} s; send it again over a better line",
            time.as_secs()
        ))
    })?;
    read.map(|b| b.to_bytes()).map_err(|e| {
        if e.is::<http_body_util::LengthLimitError>() {
            Error::TooLarge(format!("the message is over {bytes_max} bytes; send less at once"))
        } else {
            Error::usage("the message broke off; send it again")
        }
    })
}

/// Sets the mark on disk before a message newer than it is acted upon, so that after a crash no message that was acted
/// upon is accepted again.
async fn remember(node: &Node, created: i64) -> Result<()> {
    let mut mark = node.nonce_mark.lock().await;
    if created <= *mark {
        return Ok(());
    }
    let ahead = created + MARK_AHEAD_SECONDS;
    let tx = Tx::new().put_json(Space::Meta, &b"nonce-mark"[..], &ahead).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    *mark = ahead;
    Ok(())
}

async fn seal(
    node: &Arc<Node>,
    response: Response,
    context: &certs::message::RequestContext,
    peer: &str,
) -> Result<Response> {
    let (mut head, body) = response.into_parts();
    if let Some(Promise(promise)) = head.extensions.remove::<Promise>() {
        promise.write(&mut head.headers).map_err(Error::internal)?;
    }
    hearing::say(node, peer, &mut head.headers);
    head.headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    // What was hashed before passes through; the rest is small and hashed here.
    let (digest, body) = match head.extensions.remove::<BodyDigest>() {
        Some(BodyDigest(digest)) => (digest, body),
        None => {
            let whole = body.collect().await;
            let whole = whole.map_err(|e| Error::internal(format!("an answer broke off: {e}")))?.to_bytes();
            (Content::Bytes(&whole).sha256(), Body::from(whole))
        }
    };
    let content = Content::Sha256(digest);
    // A status without content keeps none, and says so in its digest like any other.
    let status = if head.status == StatusCode::NO_CONTENT { StatusCode::OK } else { head.status };
    let outgoing = OutgoingResponse { status, headers: &mut head.headers, content };
    sign_response(&node.signer, outgoing, context, node.clock.now()).map_err(Error::internal)?;
    head.status = status;
    let is_data = head.extensions.remove::<Data>().is_some();
    let response = Response::from_parts(head, body);
    Ok(if is_data { pace::served(node, peer, response) } else { response })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::sync::Notify;
    use tower::ServiceExt;

    use super::*;
    use crate::limits::REQUESTS_PER_PEER_MAX;

    #[tokio::test]
    async fn a_body_that_drips_in_for_ever_is_given_up() {
        let endless = futures::stream::pending::<std::result::Result<Bytes, std::io::Error>>();
        let error = within(Duration::from_millis(10), Body::from_stream(endless), 8).await.unwrap_err();
        assert!(matches!(&error, Error::Usage(text) if text.contains("did not arrive")), "{error}");
        assert_eq!(bounded(Body::from("12345678"), 8).await.unwrap().len(), 8);
        assert!(matches!(bounded(Body::from("123456789"), 8).await, Err(Error::TooLarge(_))));
    }

    #[tokio::test]
    async fn a_chunk_that_nobody_reads_keeps_its_place_and_a_small_answer_does_not() {
        let (_dir, node) = crate::testing::node().await;
        let id = ParticipantId::parse("urn:agency:vn:b").unwrap();
        let places = || (0..REQUESTS_PER_PEER_MAX).map(|_| node.peers.place(&id)).collect::<Result<Vec<_>>>();
        let piece = Ok::<_, std::io::Error>(Bytes::from_static(b"a piece"));
        let chunk = Body::from_stream(futures::stream::iter([piece]));
        let mut unread = held(chunk, node.peers.place(&id).unwrap());
        assert!(places().is_err(), "its place was given back before it was read");
        assert_eq!(unread.frame().await.unwrap().unwrap().into_data().unwrap(), "a piece");
        assert!(places().is_err(), "its place was given back before its end");
        drop(unread);
        let small = held(Body::from("an error"), node.peers.place(&id).unwrap());
        assert_eq!(places().unwrap().len(), REQUESTS_PER_PEER_MAX);
        drop(small);
        crate::boot::close(&node).await;
    }

    #[tokio::test]
    async fn one_participant_has_so_many_requests_at_once_and_takes_none_from_others() {
        let (_dir, node) = crate::testing::node().await;
        let mut lines = Vec::new();
        for id in ["urn:agency:vn:b", "urn:agency:vn:c"] {
            let (keys, descriptor) = crate::testing::member(id);
            crate::testing::pair(&node, &keys, &descriptor).await;
            lines.push(Line {
                spki: keys.channel.spki_sha256(),
                certificate: keys.channel.certificate_sha256(),
            });
        }
        let (begun, go) = (Arc::new(tokio::sync::Semaphore::new(0)), Arc::new(Notify::new()));
        let (at, wait) = (begun.clone(), go.clone());
        let slow = move || async move {
            at.add_permits(1);
            wait.notified().await;
        };
        let router = Router::new()
            .route(VERSION_PATH, get(slow))
            .layer(axum::middleware::from_fn_with_state(node.clone(), layer));
        let ask = |line: &Line| {
            let request = Request::get(VERSION_PATH).extension(line.clone()).body(Body::empty()).unwrap();
            let router = router.clone();
            tokio::spawn(async move { router.oneshot(request).await.unwrap() })
        };
        let full: Vec<_> = (0..REQUESTS_PER_PEER_MAX).map(|_| ask(&lines[0])).collect();
        let others = u32::try_from(REQUESTS_PER_PEER_MAX).unwrap();
        begun.acquire_many(others).await.unwrap().forget();
        let over = ask(&lines[0]).await.unwrap();
        assert_eq!(over.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(over.headers().contains_key(header::RETRY_AFTER));
        let other = ask(&lines[1]);
        begun.acquire().await.unwrap().forget();
        go.notify_waiters();
        for answered in full.into_iter().chain([other]) {
            assert_eq!(answered.await.unwrap().status(), StatusCode::OK);
        }
        // Every place was given back.
        let again = ask(&lines[0]);
        begun.acquire().await.unwrap().forget();
        go.notify_waiters();
        assert_eq!(again.await.unwrap().status(), StatusCode::OK);
        crate::boot::close(&node).await;
    }
}
