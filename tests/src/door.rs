//! The local door as an application sees it: one request on a connection of its own, and its answer.

use std::io;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::TestNode;

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its fields.
    pub fields: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A field; empty where it is not there.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// One request without a body, with these fields and no others.
pub fn call(node: &TestNode, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    exchange(node, method, path, fields, Bytes::new())
        .unwrap_or_else(|error| panic!("{method} {path} was not answered: {error}"))
}

/// One request as the agency's own application sends it: with the token of the running node.
///
/// # Errors
/// The socket's, or an answer that breaks off.
pub fn ask(node: &TestNode, method: &str, path: &str, body: &str) -> io::Result<Answer> {
    let fields = [(AUTHORIZATION.as_str(), &*bearer(node)), (CONTENT_TYPE.as_str(), "application/json")];
    exchange(node, method, path, &fields, Bytes::copy_from_slice(body.as_bytes()))
}

/// One request to any door of plain HTTP, at `host:port`.
pub fn call_at(address: &str, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Answer {
    exchange_at(address, method, path, fields, Bytes::copy_from_slice(body.as_bytes()))
        .unwrap_or_else(|error| panic!("{method} {path} was not answered: {error}"))
}

/// The value of `Authorization` that the running node takes.
pub fn bearer(node: &TestNode) -> String {
    let file = node.dir().join("run/local.json");
    let run = std::fs::read(&file).unwrap_or_else(|error| panic!("`{}`: {error}", file.display()));
    let run: Value = serde_json::from_slice(&run).unwrap_or_default();
    format!("Bearer {}", run["token"].as_str().unwrap_or_default())
}

fn exchange(
    node: &TestNode,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: Bytes,
) -> io::Result<Answer> {
    exchange_at(&node.local_address(), method, path, fields, body)
}

#[tokio::main(flavor = "current_thread")]
async fn exchange_at(
    address: &str,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: Bytes,
) -> io::Result<Answer> {
    let mut request = hyper::Request::builder().method(method).uri(path).header(HOST, address);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).map_err(io::Error::other)?;
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    Ok(Answer { status: head.status.as_u16(), fields: head.headers, body })
}
