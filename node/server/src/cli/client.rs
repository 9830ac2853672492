//! How the command line reaches a node: the running one over its local door, or one that is opened in this process
//! for the length of the command. Both answer from the same router, so there is one behaviour.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower::ServiceExt;

use crate::boot::{self, Doors};
use crate::error::{Error, Problem, Result};
use crate::limits::RULES_BODY_BYTES_MAX;
use crate::node::Node;

/// How often and how long a command waits while another process holds the node's folder.
const BUSY_TRIES: u32 = 25;
const BUSY_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Where a running node says how to reach it: `DIR/run/local.json`, mode 0600, because the token is a secret.
#[derive(Serialize, Deserialize)]
pub struct RunFile {
    /// Address of the local door.
    pub address: String,
    /// Process id.
    pub pid: u32,
    /// Bearer token of the local door.
    pub token: String,
}

impl RunFile {
    /// Its path in a node's folder.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("run").join("local.json")
    }

    /// Reads it; none when no node runs (or it was killed before it could write one).
    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(dir)).ok()?).ok()
    }
}

/// A node to talk to.
pub enum Client {
    /// A running node.
    Remote(RunFile),
    /// A node opened in this process.
    Here(Box<Router>, Arc<Node>),
}

impl Client {
    /// The running node of `dir`, or one opened here with `doors`. While somebody else holds the folder (a server that
    /// is just starting, another command), it waits a few seconds for either.
    pub async fn connect(dir: &Path, doors: Doors) -> Result<Self> {
        let mut tries = 0;
        loop {
            if let Some(running) = Self::running(dir).await {
                return Ok(running);
            }
            match boot::open(dir, doors).await {
                Ok(node) => return Ok(Self::Here(Box::new(crate::local::router(node.clone())), node)),
                Err(Error::InUse(_)) if tries < BUSY_TRIES => tries += 1,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
    }

    /// The running node of `dir`, if it answers.
    pub async fn running(dir: &Path) -> Option<Self> {
        let client = Self::Remote(RunFile::read(dir)?);
        client.get("/v1/node").await.ok()?;
        Some(client)
    }

    /// Whether a server waits for the folder of the node that was opened here.
    pub fn is_in_the_way(&self) -> bool {
        matches!(self, Self::Here(_, node) if boot::is_wanted(&node.dir))
    }

    /// Closes a node that was opened here; does nothing to a running one.
    pub async fn close(self) {
        if let Self::Here(_, node) = self {
            boot::close(&node).await;
        }
    }

    /// GET, as JSON.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.json(Method::GET, path, None).await
    }

    /// [`Client::get`] by somebody whom the ledger shall name.
    pub async fn get_as(&self, path: &str, reader: &str) -> Result<Value> {
        let reader = HeaderValue::from_bytes(reader.as_bytes())
            .map_err(|_| Error::usage("the reader's name is one line of text without control characters"))?;
        let request = Request::builder().header(crate::local::READER_HEADER, reader);
        read(self.send(request, Method::GET, path, None).await?).await
    }

    /// POST, as JSON.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Value> {
        let body = serde_json::to_vec(body).map_err(Error::internal)?;
        self.json(Method::POST, path, Some(body)).await
    }

    /// DELETE, as JSON.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.json(Method::DELETE, path, None).await
    }

    async fn json(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Value> {
        read(self.send(Request::builder(), method, path, body).await?).await
    }

    /// Streams the answer of a GET into `sink`, and returns how many bytes there were.
    pub async fn download(&self, path: &str, sink: &mut tokio::fs::File) -> Result<u64> {
        use tokio::io::AsyncWriteExt;
        let response = self.send(Request::builder(), Method::GET, path, None).await?;
        let status = response.status();
        if !status.is_success() {
            let bytes = response.into_body().collect().await;
            answer(status, &bytes.map_err(|e| Error::Unavailable(e.to_string()))?.to_bytes())?;
            return Ok(0);
        }
        let mut body = response.into_body();
        let mut total = 0u64;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| Error::Unavailable(format!("the node's answer broke off: {e}")))?;
            if let Ok(data) = frame.into_data() {
                sink.write_all(&data).await.map_err(|e| Error::io(Path::new("output"), e))?;
                total += data.len() as u64;
            }
        }
        Ok(total)
    }

    async fn send(
        &self,
        request: http::request::Builder,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Response<Body>> {
        let mut request = request.method(method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, Body::from);
        match self {
            Self::Here(router, node) => {
                let request = request
                    .header(header::HOST, node.config.local.listen.to_string())
                    .header(header::AUTHORIZATION, format!("Bearer {}", node.local_token()))
                    .body(body)
                    .map_err(Error::internal)?;
                router.as_ref().clone().oneshot(request).await.map_err(Error::internal)
            }
            Self::Remote(run) => send_remote(run, request, body).await,
        }
    }
}

async fn send_remote(run: &RunFile, request: http::request::Builder, body: Body) -> Result<Response<Body>> {
    let gone = |e: &dyn std::fmt::Display| {
        Error::Unavailable(format!("the node at {} does not answer ({e}); see `tram status`", run.address))
    };
    let stream = tokio::net::TcpStream::connect(&run.address).await.map_err(|e| gone(&e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| gone(&e))?;
    tokio::spawn(connection);
    let request = request
        .header(header::HOST, &run.address)
        .header(header::AUTHORIZATION, format!("Bearer {}", run.token))
        .body(body)
        .map_err(Error::internal)?;
    let response = sender.send_request(request).await.map_err(|e| gone(&e))?;
    Ok(response.map(Body::new))
}

async fn read(response: Response<Body>) -> Result<Value> {
    let status = response.status();
    let bytes = http_body_util::Limited::new(response.into_body(), RULES_BODY_BYTES_MAX * 2)
        .collect()
        .await
        .map_err(|e| Error::Unavailable(format!("the node's answer broke off: {e}")))?
        .to_bytes();
    answer(status, &bytes)
}

fn answer(status: StatusCode, bytes: &[u8]) -> Result<Value> {
    if status.is_success() && status != StatusCode::ACCEPTED {
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        return serde_json::from_slice(bytes).map_err(|e| Error::internal(format!("answer is no JSON: {e}")));
    }
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => Err(problem.into_error()),
        Err(_) => Err(Error::internal(format!("answer with status {status} and no problem document"))),
    }
}

/// What stays as it is in a segment of a path: the unreserved characters (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes one segment of a path.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn segments_are_encoded() {
        assert_eq!(super::segment("urn:a/b ư"), "urn%3Aa%2Fb%20%C6%B0");
    }
}
