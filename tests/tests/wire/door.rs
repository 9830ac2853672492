//! The test's own peer door: a TLS server that checks every message of the node and answers what the test says.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use certs::ParticipantId;
use certs::descriptor::NodeDescriptor;
use certs::message::{
    Content, IncomingRequest, LastStop, NonceCache, OutgoingResponse, sign_response, verify_request,
};
use certs::tls::PeerGate;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::{Rogue, Target, http_text, now};

/// How long a test waits for a message of the node.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);

/// A message of the node whose signature held.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method.
    pub method: String,
    /// Path and query; the colons of pids may come encoded or not, here they are plain.
    pub path: String,
    /// Exchange that it belongs to.
    pub exchange: Option<String>,
    /// Body as JSON; null for none.
    pub body: Value,
    /// What it was answered with; `0` for nothing.
    pub answered: u16,
}

/// What the test answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A signed answer.
    Signed(u16, Vec<u8>),
    /// A signed answer with fields of its own.
    With(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// An answer without a signature, as of a door that is not ready.
    Unsigned(u16),
}

impl Answer {
    /// A signed JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Signed(status, serde_json::to_vec(body).unwrap())
    }
}

type Answerer = Box<dyn Fn(&Received) -> Answer + Send + Sync>;

struct Inner {
    tls: Arc<ServerConfig>,
    endpoint: String,
    signer: certs::SigningKeyWithId,
    node: NodeDescriptor,
    nonces: NonceCache,
    answer: Answerer,
    received: Mutex<Vec<Received>>,
    wrong: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// The door; it closes when dropped.
pub struct Door(Arc<Inner>);

impl Door {
    /// Opens it at the participant's address, for messages of one node.
    pub fn open(
        rogue: &Rogue,
        node: &Target,
        answer: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let gate = PeerGate::closed();
        gate.replace([(node.spki, node.descriptor.participant.clone())]).unwrap();
        let inner = Arc::new(Inner {
            tls: certs::tls::server_config(&rogue.keys.channel, Arc::new(gate)).unwrap(),
            endpoint: rogue.endpoint(),
            signer: rogue.signer.clone(),
            node: node.descriptor.clone(),
            nonces: NonceCache::new(now(), LastStop::NeverRan),
            answer: Box::new(answer),
            received: Mutex::default(),
            wrong: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, rogue.port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let accepting = inner.clone();
        thread::spawn(move || accepting.accept(&listener));
        Self(inner)
    }

    /// All that came so far.
    pub fn received(&self) -> Vec<Received> {
        self.0.received.lock().unwrap().clone()
    }

    /// Waits for the first message after `from` others that fits.
    #[track_caller]
    pub fn wait(&self, what: &str, from: usize, fits: impl Fn(&Received) -> bool) -> Received {
        let deadline = Instant::now() + MESSAGE_TIMEOUT;
        loop {
            if let Some(found) = self.received().into_iter().skip(from).find(&fits) {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "no {what} came; what came: {:#?}\nwrong: {:?}",
                self.received(),
                self.wrong()
            );
            thread::sleep(POLL);
        }
    }

    /// Messages whose signature did not hold, and the like. A node sends none.
    pub fn wrong(&self) -> Vec<String> {
        self.0.wrong.lock().unwrap().clone()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

impl Inner {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while !self.stop.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((stream, _)) => {
                    let inner = self.clone();
                    thread::spawn(move || inner.serve(stream));
                }
                Err(_) => thread::sleep(POLL),
            }
        }
    }

    fn serve(&self, stream: TcpStream) {
        stream.set_nonblocking(false).ok();
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok();
        let Ok(session) = ServerConnection::new(self.tls.clone()) else { return };
        let mut stream = StreamOwned::new(session, stream);
        while let Ok(Some((first, headers, body))) = http_text::read_message(&mut stream) {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let written = match self.one(&first, &headers, &body) {
                Some((status, headers, body)) => {
                    http_text::write_response(&mut stream, status, &headers, &body)
                }
                None => return,
            };
            if written.is_err() {
                return;
            }
        }
    }

    fn one(&self, first: &str, headers: &HeaderMap, body: &[u8]) -> Option<(u16, HeaderMap, Vec<u8>)> {
        let mut words = first.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        let target = format!("{}{path}", self.endpoint);
        let parsed: Method = method.parse().ok()?;
        let incoming =
            IncomingRequest { method: &parsed, target_uri: &target, headers, content: Content::Bytes(body) };
        let channel: &ParticipantId = &self.node.participant;
        let verified = match verify_request(&incoming, &self.node, channel, now(), &self.nonces) {
            Ok(verified) => verified,
            Err(error) => {
                self.wrong.lock().unwrap().push(format!("{method} {path}: {error}"));
                return None;
            }
        };
        let mut received = Received {
            method: method.to_owned(),
            path: path.replace("%3A", ":"),
            exchange: verified.exchange_id,
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
            answered: 0,
        };
        let (status, fields, body, sign) = match (self.answer)(&received) {
            Answer::Signed(status, body) => (status, Vec::new(), body, true),
            Answer::With(status, fields, body) => (status, fields, body, true),
            Answer::Unsigned(status) => (status, Vec::new(), b"{}".to_vec(), false),
        };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        for (name, value) in fields {
            headers.insert(name, HeaderValue::from_str(&value).unwrap());
        }
        if sign {
            let status = StatusCode::from_u16(status).unwrap();
            let outgoing = OutgoingResponse { status, headers: &mut headers, content: Content::Bytes(&body) };
            sign_response(&self.signer, outgoing, &verified.context, now()).unwrap();
        }
        received.answered = status;
        self.received.lock().unwrap().push(received);
        Some((status, headers, body))
    }
}
