//! The client to peers: mutual TLS 1.3 pinned to one key, every request signed, every answer verified.
//!
//! One connection pool a peer, because the pin is the peer's. No redirects are followed and no address is asked that
//! is not under the peer's registered endpoint, so that nobody can send this node to places of his choice.

mod broken;
mod call;
pub mod connector;
mod dsp;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::body::Bytes;
use certs::message::{
    Content, HEADER_EXCHANGE_ID, HEADER_PURPOSE, IncomingResponse, LogPromise, MessageError, OutgoingRequest,
    RequestContext, SignatureEvidence, sign_request, verify_response,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::broken::{Beginnings, Broken, Ended};
pub use self::call::Call;
pub use self::dsp::Page;
use crate::error::{Error, Problem, Result, chain};
use crate::limits;
use crate::line::LOW_DATA_HEADER;
use crate::node::Node;
use crate::outbox::Row;
use crate::peers::Route;
use crate::witness::hearing;

type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Connections to peers, by the SHA-256 of the peer's channel key.
#[derive(Default)]
pub struct Outbound {
    pools: Mutex<HashMap<[u8; 32], Pool>>,
    /// Places for chunks on their way, by the same key.
    chunks: Mutex<HashMap<[u8; 32], Arc<Semaphore>>>,
    broken: Beginnings,
}

/// A verified answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Fields.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// SHA-256 of the body, as verified.
    pub sha256: [u8; 32],
    /// The leaf that stands for the answer in the peer's ledger, by the peer's signed word.
    pub promise: Option<LogPromise>,
    /// What this node signed to ask.
    pub asked: SignatureEvidence,
    /// What the peer signed to answer.
    pub said: SignatureEvidence,
}

impl Answer {
    /// The answer itself if it is a success, else the error that it tells.
    pub fn success(self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(self.told_error())
    }

    fn told_error(&self) -> Error {
        if let Ok(problem) = serde_json::from_slice::<Problem>(&self.body) {
            return problem.into_error();
        }
        let told = protocol_reason(&self.body);
        match self.status {
            StatusCode::BAD_REQUEST => {
                Error::Usage(format!("the peer refused the message as malformed or out of turn: {told}"))
            }
            StatusCode::NOT_FOUND => Error::NotFound(format!("the peer does not know this: {told}")),
            StatusCode::UNAUTHORIZED => {
                Error::Unauthenticated(format!("the peer does not accept this node: {told}"))
            }
            StatusCode::TOO_EARLY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                Error::Unavailable(told)
            }
            other => Error::Peer(format!("the peer answered {other}: {told}")),
        }
    }
}

/// What a DSP error body says, shortened.
fn protocol_reason(body: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else {
        return "no reason given".to_owned();
    };
    let text = match (&value["reason"], &value["code"]) {
        (serde_json::Value::Array(reasons), _) if !reasons.is_empty() => reasons
            .iter()
            .map(|r| r.as_str().map_or_else(|| r.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join("; "),
        (_, serde_json::Value::String(code)) => code.clone(),
        _ => "no reason given".to_owned(),
    };
    text.chars().take(500).collect()
}

impl Outbound {
    /// Sends one request to the peer at `route` and verifies the answer. An answer with an error status is an answer.
    pub async fn call(&self, node: &Node, route: &Route, call: Call) -> Result<Answer> {
        if !call.url.starts_with(&format!("{}/", route.endpoint)) {
            return Err(Error::Peer(format!(
                "the address `{}` is not under `{}`, the endpoint of {}; nothing was sent",
                call.url, route.endpoint, route.participant
            )));
        }
        let is_data = call.token.is_some();
        let tries = if is_data { limits::CHUNK_TRIES } else { 1 };
        let mut pause = limits::RETRY_FIRST;
        for left in (0..tries).rev() {
            let kept = if is_data { self.broken.take(&call.url) } else { None };
            let begun = kept.as_ref().map_or(0, |kept| kept.bytes.len());
            match self.once(node, route, &call, kept).await {
                // Worth another try at once only where the line brought something.
                Err(Error::Unreachable(why)) if left > 0 => match self.broken.take(&call.url) {
                    Some(now) if now.bytes.len() > begun => {
                        tracing::info!(peer = %route.participant, came = now.bytes.len(), why, "an answer broke off; going on where it did");
                        self.broken.keep(&call.url, now);
                        tokio::time::sleep(pause).await;
                        pause *= 2;
                    }
                    other => {
                        other.into_iter().for_each(|kept| self.broken.keep(&call.url, kept));
                        return Err(Error::Unreachable(why));
                    }
                },
                done => return done,
            }
        }
        Err(Error::Unreachable(format!("the line to {} broke too often", route.participant)))
    }

    /// One request; with the beginning of its answer, only for the rest.
    async fn once(&self, node: &Node, route: &Route, call: &Call, kept: Option<Broken>) -> Result<Answer> {
        let from = kept.as_ref().map(|kept| kept.bytes.len());
        let (request, context, asked) =
            sign(node, &Call { from, ..call.clone() }, route.participant.as_str())?;
        let until = Instant::now() + call.timeout;
        let begins = limits::ANSWER_BEGINS.min(call.timeout);
        let response = match tokio::time::timeout(begins, self.pool(node, route)?.request(request)).await {
            Ok(Ok(response)) => response,
            failed => {
                kept.into_iter().for_each(|kept| self.broken.keep(&call.url, kept));
                let why = match failed {
                    Ok(Err(error)) => chain(&error),
                    _ => format!("no answer within {} s", begins.as_secs()),
                };
                return Err(unreachable(route, &why));
            }
        };
        let arrived = node.clock.now();
        let (head, body) = response.into_parts();
        let answer = Broken { head, context, asked, arrived, bytes: Vec::new() };
        match kept {
            Some(kept) if broken::is_rest(&answer.head, kept.bytes.len()) => {
                self.rest(node, route, call, until, kept, answer, body).await
            }
            // It is cut otherwise now: the beginning is of no use.
            Some(_) if answer.head.status == StatusCode::RANGE_NOT_SATISFIABLE => Err(Error::Unavailable(
                "the beginning of an answer does not fit what is there now, it is asked for anew".to_owned(),
            )),
            // Its own refusal: the beginning may still be of use. Anything else takes its place.
            Some(kept) if comes_again(answer.head.status) => {
                self.broken.keep(&call.url, kept);
                self.whole(node, route, call, until, answer, body).await
            }
            _ => self.whole(node, route, call, until, answer, body).await,
        }
    }

    /// Reads an answer that begins at its beginning.
    async fn whole(
        &self,
        node: &Node,
        route: &Route,
        call: &Call,
        until: Instant,
        mut answer: Broken,
        body: Incoming,
    ) -> Result<Answer> {
        match broken::read(node, route, call, until, body, &mut answer.bytes).await {
            Ok(()) => verified(node, route, answer),
            Err(ended) => {
                let why = ended.why(call.answer_bytes_max);
                if call.token.is_some()
                    && matches!(ended, Ended::Line(_))
                    && answer.head.status == StatusCode::OK
                {
                    self.broken.keep(&call.url, answer);
                }
                Err(unreachable(route, &why))
            }
        }
    }

    /// Reads the rest of an answer and puts it behind the beginning. The rest is an answer with a signature of its own; the
    /// whole is held against the signature of the first.
    #[expect(clippy::too_many_arguments, reason = "one call, in two halves")]
    async fn rest(
        &self,
        node: &Node,
        route: &Route,
        call: &Call,
        until: Instant,
        mut kept: Broken,
        mut answer: Broken,
        body: Incoming,
    ) -> Result<Answer> {
        let read = broken::read(node, route, call, until, body, &mut answer.bytes).await;
        kept.bytes.extend_from_slice(&answer.bytes);
        match read {
            Ok(()) => {
                verified(node, route, answer)?;
                verified(node, route, kept).map_err(|error| {
                    Error::Unavailable(format!(
                        "the rest of an answer does not fit its beginning, it is asked for anew: {error}"
                    ))
                })
            }
            Err(ended) => {
                if matches!(ended, Ended::Line(_)) {
                    self.broken.keep(&call.url, kept);
                }
                Err(unreachable(route, &ended.why(call.answer_bytes_max)))
            }
        }
    }

    /// Waits for a place among the chunks that come from the peer at `route`. Who waits longest is next, so transfers
    /// share the line; hold it until the chunk is on the disk, so that memory is bounded by the places.
    pub async fn chunk_place(&self, route: &Route) -> Result<OwnedSemaphorePermit> {
        let places = {
            let mut chunks =
                self.chunks.lock().map_err(|_| Error::internal("the places of chunks are poisoned"))?;
            let new = || Arc::new(Semaphore::new(limits::CHUNKS_PER_PEER_AT_ONCE));
            chunks.entry(route.spki).or_insert_with(new).clone()
        };
        places.acquire_owned().await.map_err(Error::internal)
    }

    /// Introduces this node to one that is no peer yet. The pinned key and the one-time secret stand for the signature.
    pub async fn introduce(&self, node: &Node, route: &Route, call: Call) -> Result<Bytes> {
        let unreachable =
            |why: String| Error::Unreachable(format!("{} cannot be reached: {why}", route.participant));
        let (request, _, _) = sign(node, &call, route.participant.as_str())?;
        let pool = self.pool(node, route)?;
        let work = async {
            let response = pool.request(request).await.map_err(|e| unreachable(chain(&e)))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), call.answer_bytes_max).collect().await;
            let body = body.map_err(|e| unreachable(e.to_string()))?.to_bytes();
            if status.is_success() {
                return Ok(body);
            }
            Err(match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => problem.into_error(),
                Err(_) => Error::Peer(format!("{} answered {status}", route.participant)),
            })
        };
        match tokio::time::timeout(limits::PEER_REQUEST_TIMEOUT, work).await {
            Ok(done) => done,
            Err(_) => Err(unreachable("no answer in time".to_owned())),
        }
    }

    /// Sends a message of the outbox; any answer but a success is an error.
    pub async fn post_row(&self, node: &Node, row: &Row) -> Result<Answer> {
        let route = node.peers.route(&row.peer)?;
        let call = Call::post(row.url.clone(), row.body.clone().into_bytes())
            .of(&row.exchange_id, row.purpose.as_deref());
        let answer = self.call(node, &route, call).await?.success()?;
        if row.kind == "request" {
            crate::flow::evidence::keep_request(node, row, &answer.asked)?;
        }
        Ok(answer)
    }

    fn pool(&self, node: &Node, route: &Route) -> Result<Pool> {
        let mut pools = self.pools.lock().map_err(|_| Error::internal("connection pools are poisoned"))?;
        if let Some(pool) = pools.get(&route.spki) {
            return Ok(pool.clone());
        }
        let tls = certs::tls::client_config(&node.keys.channel, route.spki).map_err(Error::internal)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(limits::CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(limits::KEEPALIVE_AFTER));
        tcp.set_keepalive_interval(Some(limits::KEEPALIVE_EVERY));
        tcp.set_tcp_user_timeout(Some(limits::UNCONFIRMED));
        // Not by the builder: it would choose the ALPN names itself, and `certs` has said them already.
        let mut connector = HttpsConnector::from((tcp, tls));
        connector.enforce_https();
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::CONNECTION_REST)
            .pool_max_idle_per_host(limits::CHUNKS_PER_PEER_AT_ONCE)
            .build(connector);
        pools.insert(route.spki, pool.clone());
        Ok(pool)
    }

    /// Forgets the connections to a peer: after revocation.
    pub fn forget(&self, spki: &[u8; 32]) {
        if let Ok(mut pools) = self.pools.lock() {
            pools.remove(spki);
        }
    }
}

fn unreachable(route: &Route, why: &str) -> Error {
    Error::Unreachable(format!("{} cannot be reached: {why}", route.participant))
}

/// Answers that say "not now" or "say again who you are".
fn comes_again(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
    )
}

fn sign(
    node: &Node,
    call: &Call,
    peer: &str,
) -> Result<(Request<Full<Bytes>>, RequestContext, SignatureEvidence)> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut put = |name: &'static str, value: &Option<String>| -> Result<()> {
        if let Some(value) = value {
            let value = HeaderValue::from_str(value).map_err(|_| {
                Error::usage(format!("`{value}` cannot stand in the header {name}; use ASCII letters"))
            })?;
            headers.insert(name, value);
        }
        Ok(())
    };
    put(HEADER_EXCHANGE_ID, &call.exchange_id)?;
    put(HEADER_PURPOSE, &call.purpose)?;
    put("authorization", &call.token.as_ref().map(|t| format!("Bearer {t}")))?;
    put("range", &call.from.map(|from| format!("bytes={from}-")))?;
    if node.lines.settings().low_data(peer) {
        headers.insert(LOW_DATA_HEADER, HeaderValue::from_static("1"));
    }
    hearing::say(node, peer, &mut headers);
    let outgoing = OutgoingRequest {
        method: &call.method,
        target_uri: &call.url,
        headers: &mut headers,
        content: Content::Bytes(&call.body),
    };
    let nonce = crate::operation::random::<16>()?;
    let signed = sign_request(&node.signer, outgoing, node.clock.now(), nonce)
        .map_err(|e| Error::usage(e.to_string()))?;
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(&call.url)
        .body(Full::new(Bytes::from(call.body.clone())))
        .map_err(|e| Error::Peer(format!("the address `{}` is no URL: {e}", call.url)))?;
    *request.headers_mut() = headers;
    Ok((request, signed.context, signed.evidence))
}

fn verified(node: &Node, route: &Route, whole: Broken) -> Result<Answer> {
    let Broken { head, context, asked, arrived, bytes } = whole;
    let body = Bytes::from(bytes);
    let incoming =
        IncomingResponse { status: head.status, headers: &head.headers, content: Content::Bytes(&body) };
    let answer = match verify_response(&incoming, &context, &*node.peers.keys(), &route.participant, arrived)
    {
        Ok(answer) => answer,
        // It was under way too long, or a clock is wrong: the next one may do better, and people are told.
        Err(error @ (MessageError::ClockSkew(_) | MessageError::Expired)) => {
            return Err(Error::Unavailable(format!("the answer of {}: {error}", route.participant)));
        }
        Err(error) => return Err(unsigned(&head, &body, route, &error.to_string())),
    };
    hearing::listen(node, &route.participant, &head.headers);
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
        sha256: answer.content_sha256,
        promise: answer.promise,
        asked,
        said: answer.evidence,
    })
}

/// An answer whose signature does not hold. A node that did not accept our signature has nothing to bind its answer
/// to, so its unsigned refusal is told as its word, and never trusted for more than trying again later.
fn unsigned(head: &http::response::Parts, body: &Bytes, route: &Route, why: &str) -> Error {
    if head.headers.contains_key("signature") || head.status.is_success() {
        return Error::Peer(format!("the answer of {} is not to be trusted: {why}", route.participant));
    }
    let told =
        serde_json::from_slice::<Problem>(body).map(|p| p.detail).unwrap_or_else(|_| protocol_reason(body));
    Error::Unavailable(format!("{} answered {} without a signature: {told}", route.participant, head.status))
}
