//! Calls to connectors. Each address is one of the registration, or (for rows) a public one: what a connector says may send
//! this node nowhere else. Redirects are not followed; answers have an end.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sha2::Digest as _;
use tokio::io::AsyncWriteExt;

use crate::dsp::{Connector, identity};
use crate::error::{Error, Result, chain};
use crate::node::Node;
use crate::{limits, web};

type Web = Client<HttpsConnector<HttpConnector<Names>>, Full<Bytes>>;

/// The clients: with or without TLS, to registered addresses or to public ones alone.
#[derive(Default)]
pub struct Clients(Mutex<HashMap<(bool, Names), Web>>);

impl Clients {
    /// A client; the system's roots are read when TLS is first spoken.
    fn get(&self, tls: bool, names: Names) -> Result<Web> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(tls, names)) {
            return Ok(client.clone());
        }
        let mut tcp = HttpConnector::new_with_resolver(names);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(limits::CONNECT_TIMEOUT));
        let connector = HttpsConnector::from((tcp, web::tls(None, !tls)?));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(limits::CONNECTION_REST);
        let client: Web = builder.build(connector);
        clients.insert((tls, names), client.clone());
        Ok(client)
    }
}

/// Which addresses a name may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Names {
    /// Any: the name is one of the registration.
    Registered,
    /// Public ones: the name was told by another.
    Public,
}

impl tower::Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, std::io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let names = *self;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // A name that leads to both kinds would choose: all must be public.
            if names == Names::Public && !found.iter().all(|address| is_public(address.ip())) {
                return Err(std::io::Error::other(format!(
                    "`{}` leads into a private network",
                    name.as_str()
                )));
            }
            Ok(found.into_iter())
        })
    }
}

/// Sends one message of ours; the body of a success.
///
/// # Errors
/// [`Error::Unreachable`] and [`Error::Peer`] for what may pass, [`Error::Conflict`] for what the other side refuses.
pub async fn post(node: &Node, connector: &Connector, url: &str, body: String) -> Result<Bytes> {
    let sent = request(Method::POST, url, identity::present(node, connector)?, Bytes::from(body))?;
    call(node, connector, url, sent).await
}

/// Asks for something of the connector's own.
pub async fn get(node: &Node, connector: &Connector, url: &str) -> Result<Bytes> {
    let sent = request(Method::GET, url, identity::present(node, connector)?, Bytes::new())?;
    call(node, connector, url, sent).await
}

fn request(
    method: Method,
    url: &str,
    authorization: HeaderValue,
    body: Bytes,
) -> Result<Request<Full<Bytes>>> {
    Request::builder()
        .method(method)
        .uri(url)
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(header::AUTHORIZATION, authorization)
        .body(Full::new(body))
        .map_err(|e| Error::usage(format!("the address `{url}` is no URL: {e}")))
}

async fn call(node: &Node, connector: &Connector, url: &str, request: Request<Full<Bytes>>) -> Result<Bytes> {
    let own = exchange::dsp::Address::new(url).map_err(|e| Error::usage(e.to_string()))?;
    if !connector.owns_callback(&own) && !connector.owns_data(url) {
        return Err(Error::usage(format!(
            "`{url}` is not under the addresses that `{}` is registered with; nothing was sent",
            connector.party
        )));
    }
    let web = node.connectors.clients().get(url.starts_with("https://"), Names::Registered)?;
    let work = async {
        let (head, body) = answered(&web, url, request).await?.into_parts();
        let body = Limited::new(body, limits::CONNECTOR_ANSWER_BYTES_MAX).collect().await;
        let body =
            body.map_err(|e| Error::Peer(format!("the answer of `{url}` broke off or has no end: {e}")))?;
        Ok::<_, Error>((head.status, body.to_bytes()))
    };
    let (status, body) = tokio::time::timeout(limits::CONNECTOR_TIMEOUT, work)
        .await
        .map_err(|_| Error::Unreachable(format!("`{url}` gave no answer in time")))??;
    if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
}

async fn answered(web: &Web, url: &str, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
    web.request(request).await.map_err(|e| Error::Unreachable(format!("`{url}`: {}", chain(&e))))
}

/// One question to somebody beside the protocol: for a DID document, a status list, presentations.
pub struct Ask<'a> {
    /// How.
    pub method: Method,
    /// Where.
    pub url: &'a str,
    /// With which headers.
    pub headers: HeaderMap,
    /// With which body; none when empty.
    pub body: String,
}

/// Asks, and gives the body of a success. `registered`: the operator named that place; else it must be a public one.
///
/// # Errors
/// [`Error::Peer`] and [`Error::Unreachable`]; [`Error::Conflict`] for what the other side refuses.
pub async fn ask(node: &Node, wish: Ask<'_>, registered: bool, bytes_max: usize) -> Result<Bytes> {
    let url = wish.url;
    if !registered {
        told_address(url)?;
    }
    let names = if registered { Names::Registered } else { Names::Public };
    let uri: http::Uri = url.parse().map_err(|e| Error::Peer(format!("`{url}` is no URL: {e}")))?;
    let mut request = Request::new(Full::new(Bytes::from(wish.body)));
    *request.method_mut() = wish.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = wish.headers;
    let web = node.connectors.clients().get(url.starts_with("https://"), names)?;
    let work = async {
        let (head, body) = answered(&web, url, request).await?.into_parts();
        let body = Limited::new(body, bytes_max).collect().await;
        let body =
            body.map_err(|e| Error::Peer(format!("the answer of `{url}` broke off or is too long: {e}")))?;
        Ok::<_, Error>((head.status, body.to_bytes()))
    };
    let (status, body) = tokio::time::timeout(limits::CONNECTOR_TIMEOUT, work)
        .await
        .map_err(|_| Error::Unreachable(format!("`{url}` gave no answer in time")))??;
    if status.is_success() { Ok(body) } else { Err(refused(status, &[])) }
}

/// Pulls rows into a file; bytes and SHA-256 of what came.
///
/// # Errors
/// [`Error::Peer`] for an address that leads into a private network and is not registered.
pub async fn pull(
    node: &Node,
    connector: &Connector,
    url: &str,
    authorization: &str,
    file: &Path,
) -> Result<(u64, [u8; 32])> {
    let names = if connector.owns_data(url) { Names::Registered } else { Names::Public };
    if names == Names::Public {
        told_address(url)?;
    }
    let mut value = HeaderValue::from_str(authorization).map_err(|_| {
        Error::Peer("the token of the data address holds letters that no header takes".to_owned())
    })?;
    value.set_sensitive(true);
    let request = request(Method::GET, url, value, Bytes::new())?;
    let web = node.connectors.clients().get(url.starts_with("https://"), names)?;
    let work = async {
        let answer = answered(&web, url, request).await?;
        let (head, mut body) = answer.into_parts();
        if !head.status.is_success() {
            return Err(refused(head.status, &[]));
        }
        written(url, &mut body, file).await
    };
    tokio::time::timeout(limits::DATA_REQUEST_TIMEOUT, work)
        .await
        .map_err(|_| Error::Unreachable(format!("`{url}` did not end in time")))?
}

async fn written(url: &str, body: &mut Incoming, file: &Path) -> Result<(u64, [u8; 32])> {
    let told = |e: std::io::Error| Error::io(file, e);
    let mut out = tokio::fs::File::create(file).await.map_err(told)?;
    let (mut hash, mut bytes) = (sha2::Sha256::new(), 0_u64);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Error::Unreachable(format!("`{url}` broke off: {}", chain(&e))))?;
        let Ok(data) = frame.into_data() else { continue };
        bytes = bytes.saturating_add(data.len() as u64);
        if bytes > limits::RECEIVED_BYTES_MAX {
            return Err(Error::Peer(format!("`{url}` gives more than {} bytes", limits::RECEIVED_BYTES_MAX)));
        }
        hash.update(&data);
        out.write_all(&data).await.map_err(told)?;
    }
    out.sync_all().await.map_err(told)?;
    Ok((bytes, hash.finalize().into()))
}

/// An address that another told: HTTPS, and no number of a private network. Names are looked at when they are resolved.
fn told_address(url: &str) -> Result<()> {
    let uri: http::Uri = url.parse().map_err(|e| Error::Peer(format!("`{url}` is no URL: {e}")))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let private = host.parse::<IpAddr>().is_ok_and(|address| !is_public(address));
    if uri.scheme_str() == Some("https") && !private && !host.is_empty() {
        return Ok(());
    }
    Err(Error::Peer(format!(
        "the data address `{url}` is not under the registered ones and not a public https:// address; register its base with --data if it is meant"
    )))
}

/// An answer that is no success, in the words of whoever gave it. 404 may pass: a connector may not know its own process yet.
fn refused(status: StatusCode, body: &[u8]) -> Error {
    let told = reason(body);
    let text = format!("the connector answered {status}{told}");
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::conflict(text),
        _ if status.is_redirection() => Error::conflict(format!("{text}; redirects are not followed")),
        _ => Error::Peer(text),
    }
}

/// Longest reason of another that goes into a log, in characters.
const REASON_CHARS: usize = 300;

fn reason(body: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else { return String::new() };
    let Some(reason) = value.get("reason").or_else(|| value.get("detail")) else { return String::new() };
    let text: String = reason.to_string().chars().filter(|c| !c.is_control()).take(REASON_CHARS).collect();
    format!(": {text}")
}

/// Whether an address may be asked although no registration names it: nothing of this machine or of a private network.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let reserved = a == 0 || a >= 240 || (a == 192 && b == 0) || (a == 198 && (b == 18 || b == 19));
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_documentation()
                || shared
                || reserved)
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            // 2000::/3 alone is handed out; of it documentation, Teredo and 6to4 lead elsewhere.
            let head = v6.segments();
            head[0] & 0xe000 == 0x2000
                && !(head[0] == 0x2001 && (head[1] == 0x0db8 || head[1] < 0x0200))
                && head[0] != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn private_places_are_no_public_ones() {
        for (address, wants) in [
            ("8.8.8.8", true),
            ("2606:4700::1111", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("::ffff:127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), wants, "{address}");
        }
    }
}
