//! A participant that is written in the test: its own keys, its own TLS client and server, no code of the node.
//!
//! It uses the crate `certs` for keys, TLS and message signatures, because those are proved against independent
//! implementations elsewhere, and nothing of the node's doors and flows. Blocking sockets and plain bytes, so that a test
//! can say exactly what goes over the line, also what no honest client would send.

#![allow(dead_code, reason = "each test program uses its own part of this")]

mod door;
mod http_text;
pub mod schemas;
pub mod words;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use certs::descriptor::{Names, NodeDescriptor, SignedDescriptor, default_origin};
use certs::keys::{CertificateDetails, KeySeeds};
use certs::message::{
    Content, IncomingResponse, MessageError, OutgoingRequest, RequestContext, VerifiedResponse, sign_request,
    verify_response,
};
use certs::pairing::{Invitation, PairingRole, pairing_mac};
use certs::{NodeKeys, ParticipantId, Period, SigningKeyWithId};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};
use sha2::Digest;
use tests::{TestNode, free_port};

pub use door::{Answer, Door, Received};

/// How long a test waits for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the keys of a participant are good, seconds.
const KEY_SECONDS: i64 = 86_400;

/// Unix seconds.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64
}

/// Bytes that were not used before in this run or another.
pub fn fresh<const N: usize>() -> [u8; N] {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let text = format!("{nanos} {} {}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let digest = sha2::Sha256::digest(text.as_bytes());
    std::array::from_fn(|i| digest[i % 32])
}

/// A new pid.
pub fn new_pid() -> String {
    let bytes: String = hex(&fresh::<16>());
    format!(
        "urn:uuid:{}-{}-4{}-a{}-{}",
        &bytes[..8],
        &bytes[8..12],
        &bytes[13..16],
        &bytes[17..20],
        &bytes[20..]
    )
}

/// A new exchange id: 26 characters of Crockford's alphabet.
pub fn new_exchange_id() -> String {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let tail: String = fresh::<25>().iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect();
    format!("0{tail}")
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The participant of the test.
pub struct Rogue {
    /// Who it says it is.
    pub id: ParticipantId,
    /// Its keys.
    pub keys: NodeKeys,
    /// Its signing key with its id.
    pub signer: SigningKeyWithId,
    /// Where its own door is, if it opens one.
    pub port: u16,
    /// Its signed description.
    pub descriptor: SignedDescriptor,
}

impl Rogue {
    /// New keys under this id, with a certificate that is good for a day.
    pub fn new(id: &str) -> Self {
        Self::with_certificate(id, now() - 3_600, now() + KEY_SECONDS)
    }

    /// The same with a certificate of another validity; its keys are published as good in any case.
    pub fn with_certificate(id: &str, from: i64, until: i64) -> Self {
        let id = ParticipantId::parse(id).unwrap();
        let details = CertificateDetails {
            participant: id.clone(),
            hosts: vec!["127.0.0.1".into()],
            valid: Period::new(from, until).unwrap(),
        };
        let mut seeds = KeySeeds::default();
        for seed in [&mut seeds.channel, &mut seeds.signing, &mut seeds.ledger, &mut seeds.witness] {
            **seed = fresh::<32>();
        }
        let keys = NodeKeys::from_seeds(&seeds, &details).unwrap();
        let port = free_port();
        let signer = keys.signer(&id);
        let valid = Period::new(now() - 3_600, now() + KEY_SECONDS).unwrap();
        let described = NodeDescriptor {
            participant: id.clone(),
            names: Names { vi: "Cơ quan thử".into(), en: "Test agency".into() },
            country: "VN".into(),
            endpoint: format!("https://127.0.0.1:{port}"),
            ledger_origin: default_origin(&id),
            issued: now(),
            keys: NodeDescriptor::keys_of(&keys, valid),
        };
        let descriptor = described.sign(&[&signer]).unwrap();
        Self { id, keys, signer, port, descriptor }
    }

    /// Its base URL.
    pub fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Its base for callbacks.
    pub fn callback(&self) -> String {
        format!("{}/dsp/2025-1", self.endpoint())
    }

    /// What it introduces itself with by an invitation.
    pub fn introduction(&self, code: &str) -> Value {
        let invitation = Invitation::from_code(code, now()).unwrap();
        let secret = invitation.secret;
        let mac = pairing_mac(&secret, PairingRole::Guest, &self.descriptor.digest());
        json!({
            "invitation": hex(&sha2::Sha256::digest(secret.expose())),
            "descriptor": serde_json::from_slice::<Value>(&self.descriptor.to_bytes().unwrap()).unwrap(),
            "mac": hex(&mac),
        })
    }

    /// Pairs with a node by an invitation of that node, as an agency of the state.
    pub fn pair(&self, node: &TestNode) -> Target {
        let target = Target::of(node);
        let code = node.json(&["peer", "invite", "--group", "state"])["code"].as_str().unwrap().to_owned();
        let body = serde_json::to_vec(&self.introduction(&code)).unwrap();
        let reply = self.send(&target, &Request::bare("POST", "/tram/pairing", body)).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        target
    }

    /// Signs a request for `target`.
    pub fn sign(&self, target: &Target, mut request: Request) -> Request {
        let uri = format!("{}{}", target.endpoint, request.path);
        self.sign_as(&uri, now(), fresh::<16>(), &mut request);
        request
    }

    /// The same with every part of the signature's freshness chosen by the test.
    pub fn sign_as(&self, uri: &str, created: i64, nonce: [u8; 16], request: &mut Request) {
        let outgoing = OutgoingRequest {
            method: &request.method,
            target_uri: uri,
            headers: &mut request.headers,
            content: Content::Bytes(&request.body),
        };
        let signed = sign_request(&self.signer, outgoing, created, nonce).unwrap();
        request.context = Some(signed.context);
    }

    /// Signs and sends, and demands an answer that is signed by the node and bound to this question.
    #[track_caller]
    pub fn ask(&self, target: &Target, request: Request) -> Reply {
        let request = self.sign(target, request);
        let reply = self.send(target, &request).unwrap();
        if let Some(Err(error)) = &reply.signed {
            panic!(
                "{} {}: answer {} is not signed as it must be: {error}\n{}",
                request.method,
                request.path,
                reply.status,
                reply.text()
            );
        }
        reply
    }

    /// Like [`Rogue::ask`] with patience: after a restart, a node refuses messages of the last seconds (503).
    #[track_caller]
    pub fn ask_patiently(&self, target: &Target, request: Request) -> Reply {
        let deadline = std::time::Instant::now() + ANSWER_TIMEOUT;
        loop {
            let signed = self.sign(target, request.clone());
            match self.send(target, &signed) {
                Ok(reply) if reply.status != 503 => return reply,
                other if std::time::Instant::now() > deadline => panic!("no answer in time: {other:?}"),
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// GET, signed.
    #[track_caller]
    pub fn get(&self, target: &Target, path: &str) -> Reply {
        self.ask(target, Request::bare("GET", path, Vec::new()))
    }

    /// POST of JSON, signed, for an exchange.
    #[track_caller]
    pub fn post(&self, target: &Target, path: &str, exchange: &str, body: &Value) -> Reply {
        self.ask(target, Request::bare("POST", path, serde_json::to_vec(body).unwrap()).of(exchange))
    }

    /// What it connects with: its own certificate, pinned to the node.
    pub fn client(&self, target: &Target) -> Arc<ClientConfig> {
        certs::tls::client_config(&self.keys.channel, target.spki).unwrap()
    }

    /// Sends as it is.
    pub fn send(&self, target: &Target, request: &Request) -> Result<Reply, String> {
        send_over(self.client(target), target, request)
    }
}

/// A node as its peers know it.
pub struct Target {
    /// Base URL.
    pub endpoint: String,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// SHA-256 of its channel key.
    pub spki: [u8; 32],
    /// What it says of itself.
    pub descriptor: NodeDescriptor,
}

impl Target {
    /// From the folder of the node.
    pub fn of(node: &TestNode) -> Self {
        let bytes = std::fs::read(node.dir().join("descriptor.json")).unwrap();
        let descriptor = SignedDescriptor::parse(&bytes).unwrap().into_descriptor();
        let pin = descriptor.channel_pins(now()).next();
        let spki = pin.unwrap();
        Self {
            endpoint: format!("https://{}", node.peer_address()),
            address: node.peer_address(),
            spki,
            descriptor,
        }
    }
}

/// One request, signed or not.
#[derive(Clone)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Fields; the signature adds its own.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
    /// What the answer must be bound to.
    pub context: Option<RequestContext>,
}

impl Request {
    /// Without a signature.
    pub fn bare(method: &str, path: &str, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        Self { method: method.parse().unwrap(), path: path.to_owned(), headers, body, context: None }
    }

    /// For an exchange.
    #[must_use]
    pub fn of(self, exchange: &str) -> Self {
        self.with("tram-exchange-id", exchange)
    }

    /// With a data token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Fields.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
    /// What its signature is worth; none when the question had no signature.
    pub signed: Option<Result<VerifiedResponse, MessageError>>,
}

impl Reply {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The same reply after a check of its status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// Opens a TLS connection; the handshake is done when this returns.
pub fn connect(
    config: Arc<ClientConfig>,
    address: &str,
) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    let tcp = TcpStream::connect(address).map_err(|e| e.to_string())?;
    tcp.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(|e| e.to_string())?;
    tcp.set_nodelay(true).map_err(|e| e.to_string())?;
    let name = ServerName::try_from("127.0.0.1").map_err(|e| e.to_string())?;
    let session = ClientConnection::new(config, name).map_err(|e| e.to_string())?;
    let mut stream = StreamOwned::new(session, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|e| e.to_string())?;
    }
    Ok(stream)
}

/// One request over a connection of its own.
pub fn send_over(config: Arc<ClientConfig>, target: &Target, request: &Request) -> Result<Reply, String> {
    let mut stream = connect(config, &target.address)?;
    let written = http_text::write_request(&mut stream, &target.address, request);
    let (status, headers, body) = match http_text::read_response(&mut stream) {
        Ok(read) => read,
        Err(error) => return Err(format!("{error} (writing: {written:?})")),
    };
    let signed = request.context.as_ref().map(|context| {
        let status = StatusCode::from_u16(status).unwrap();
        let incoming = IncomingResponse { status, headers: &headers, content: Content::Bytes(&body) };
        verify_response(&incoming, context, &target.descriptor, &target.descriptor.participant, now())
    });
    Ok(Reply { status, headers, body, signed })
}

/// Takes any server for the right one: for clients that only want to see what the server does.
#[derive(Debug)]
pub struct AnyServer;

impl rustls::client::danger::ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &rustls::pki_types::CertificateDer<'_>,
        _intermediates: &[rustls::pki_types::CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &rustls::pki_types::CertificateDer<'_>,
        _dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &rustls::pki_types::CertificateDer<'_>,
        _dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ED25519]
    }
}
