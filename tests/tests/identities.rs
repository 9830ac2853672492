//! A connector that is a `did:web`, at the public door of a real node: believed once for each token, and only while its
//! document, its registration and its party say so.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use certs::did::{DidWeb, OwnKey};
use tests::TestNode;

const PARTY: &str = "urn:party:vn:did";

/// The site of a connector: one answer to everything, counted.
struct Site {
    did: DidWeb,
    key: OwnKey,
    port: u16,
    answer: Arc<Mutex<String>>,
    asked: Arc<Mutex<usize>>,
}

impl Site {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let did = DidWeb::parse(&format!("did:web:127.0.0.1%3A{port}")).unwrap();
        let key = OwnKey::generate().unwrap();
        let site = Self { did, key, port, answer: Arc::default(), asked: Arc::default() };
        let document = site.key.document(&site.did, &[]).to_string();
        site.answers("200 OK", "", &document);
        let (answer, asked) = (site.answer.clone(), site.asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                *asked.lock().unwrap() += 1;
                let told = answer.lock().unwrap().clone();
                serve(stream.unwrap(), &told);
            }
        });
        site
    }

    fn answers(&self, status: &str, header: &str, body: &str) {
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status}\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/dsp", self.port)
    }

    fn token(&self, node: &TestNode, jti: &str) -> String {
        self.token_for(&did_of(node), jti)
    }

    fn token_for(&self, audience: &str, jti: &str) -> String {
        // A node that just started refuses tokens from before its start; this is the same machine's clock.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.key.mint(&self.did, audience, jti, i64::try_from(now).unwrap(), None).unwrap()
    }
}

fn serve(mut stream: TcpStream, answer: &str) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    let _ = stream.write_all(answer.as_bytes());
}

fn did_of(node: &TestNode) -> String {
    format!("did:web:{}", node.public_url().trim_start_matches("http://").replace(':', "%3A"))
}

fn whoami(node: &TestNode, authorization: &str) -> String {
    let url = format!("{}/dsp/whoami", node.public_url());
    let words = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "-H"];
    let mut curl = Command::new("curl");
    let told = curl.args(words).arg(format!("authorization: {authorization}")).arg(url).output().unwrap();
    String::from_utf8(told.stdout).unwrap()
}

fn get(node: &TestNode, path: &str) -> (bool, String) {
    let told = Command::new("curl").args(["-sf", &format!("{}{path}", node.public_url())]).output().unwrap();
    (told.status.success(), String::from_utf8(told.stdout).unwrap())
}

fn register(node: &TestNode, site: &Site, words: &[&str]) {
    let endpoint = site.endpoint();
    let mut all =
        vec!["connector", "add", PARTY, "--participant", site.did.as_str(), "--endpoint", &endpoint];
    all.extend(words);
    node.ok(&all);
}

#[test]
fn a_token_of_a_registered_did_is_good_once() {
    let mut node = TestNode::up_public("urn:agency:vn:did", "Sở Định danh");
    let site = Site::new();
    node.ok(&["party", "add", PARTY, "--name", "Bên DID"]);
    assert!(!get(&node, "/.well-known/did.json").0, "no identity before one is needed");
    assert_eq!(whoami(&node, &format!("Bearer {}", site.token(&node, "0"))), "401", "not registered");
    assert_eq!(site.asked(), 0, "a stranger makes the node ask nobody");

    register(&node, &site, &["--auth", "did-web"]);
    let (served, document) = get(&node, "/.well-known/did.json");
    assert!(served && document.contains(&did_of(&node)), "{document}");
    let token = format!("Bearer {}", site.token(&node, "1"));
    assert_eq!(whoami(&node, &token), "200");
    assert_eq!(whoami(&node, &token), "401", "used before");
    assert_eq!(whoami(&node, &site.token(&node, "2")), "401", "without the word Bearer");
    let other = site.token_for("did:web:other.example", "3");
    assert_eq!(whoami(&node, &format!("Bearer {other}")), "401", "meant for another");
    let thief = Site { key: OwnKey::generate().unwrap(), ..Site::new() };
    let forged = Site { did: site.did.clone(), ..thief };
    assert_eq!(whoami(&node, &format!("Bearer {}", forged.token(&node, "4"))), "401", "another's key");
    assert_eq!(whoami(&node, &format!("Bearer {}", site.token(&node, "5"))), "200");
    assert_eq!(site.asked(), 1, "the document is kept for a while");

    node.stop();
    node.start();
    assert_eq!(whoami(&node, &token), "401", "used before the restart");
    node.ok(&["party", "stop", PARTY]);
    assert_eq!(whoami(&node, &format!("Bearer {}", site.token(&node, "6"))), "401", "its party was stopped");
}

#[test]
fn a_document_that_leads_elsewhere_or_is_anothers_proves_nothing() {
    let node = TestNode::up_public("urn:agency:vn:did2", "Sở Định danh");
    let site = Site::new();
    node.ok(&["party", "add", PARTY, "--name", "Bên DID"]);
    let good = Site::new();
    let place = format!("location: http://127.0.0.1:{}/.well-known/did.json\r\n", good.port);
    site.answers("302 Found", &place, "");
    register(&node, &site, &["--auth", "did-web"]);
    assert_eq!(whoami(&node, &format!("Bearer {}", site.token(&node, "1"))), "401");
    assert_eq!(good.asked(), 0, "redirects are not followed");
    site.answers("200 OK", "", &site.key.document(&site.did, &[]).to_string());
    assert_eq!(whoami(&node, &format!("Bearer {}", site.token(&node, "2"))), "401", "a failure is kept, too");
    assert_eq!(site.asked(), 1);
}

#[test]
fn credentials_are_demanded_where_the_registration_says_so() {
    let node = TestNode::up_public("urn:agency:vn:did3", "Sở Định danh");
    let site = Site::new();
    node.ok(&["party", "add", PARTY, "--name", "Bên DID"]);
    let endpoint = site.endpoint();
    let bare = ["connector", "add", PARTY, "--participant", site.did.as_str(), "--endpoint", &endpoint];
    let with = |words: &[&'static str]| [&bare[..], words].concat();
    assert_ne!(node.cmd(&with(&["--auth", "dcp"])).code, 0, "which credentials?");
    let odd = ["--auth", "dcp", "--credential", "Member ship", "--issuer", "did:web:issuer.example"];
    assert_ne!(node.cmd(&with(&odd)).code, 0, "no type");
    node.ok(&with(&[
        "--auth",
        "dcp",
        "--credential",
        "MembershipCredential",
        "--issuer",
        "did:web:issuer.example",
    ]));
    // The token itself is good; there is no credential service to ask.
    assert_eq!(whoami(&node, &format!("Bearer {}", site.token(&node, "1"))), "401");
    register(&node, &site, &["--auth", "did-web"]);
    assert_eq!(whoami(&node, &format!("Bearer {}", site.token(&node, "2"))), "200");
}
