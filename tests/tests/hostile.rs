//! Who knocks at the peer door and should not, and who is paired and does not keep to the rules.
//!
//! Each attack is made over real sockets with real TLS, as bytes; after each, an honest question of the same peer is
//! answered. Nothing here uses the node's own client.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

mod wire;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use certs::token::{Confirmation, TransferClaims};
use serde_json::{Value, json};
use tests::TestNode;
use tests::scene::publish;
use wire::words::{self, message, segment};
use wire::{Answer, Door, Received, Reply, Request, Rogue, Target, fresh, new_exchange_id, new_pid, now};

const NODE: &str = "urn:agency:vn:kho";
const PEER: &str = "urn:agency:vn:la-mat";
const CATALOG: &str = "/dsp/2025-1/catalog/request";

/// A node with one dataset on offer, and a peer that it is paired with.
struct Scene {
    node: TestNode,
    peer: Rogue,
    target: Target,
}

impl Scene {
    fn set() -> Self {
        let node = TestNode::up(NODE, "Kho dữ liệu");
        let file = node.desk().join("tram-do.csv");
        fs::write(&file, "id,phuong,gia_tri\n1,Nghĩa Đô,12\n2,Tây Hồ,7\n").unwrap();
        publish(&node, &file, "tram-do", &[]);
        let peer = Rogue::new(PEER);
        let target = peer.pair(&node);
        Self { node, peer, target }
    }

    /// The node is well, and answers this peer's honest question.
    #[track_caller]
    fn answers(&self) {
        let reply = self.peer.ask_patiently(&self.target, catalog_request());
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.signed.as_ref().is_some_and(Result::is_ok), "{:?}", reply.signed);
        assert_eq!(reply.json()["dataset"][0]["@id"], format!("{NODE}/tram-do"), "{}", reply.text());
    }

    /// Sends as it is; the answer must have this status, and the node must be well afterwards.
    #[track_caller]
    fn refused(&self, what: &str, request: &Request, status: u16) -> Reply {
        let reply = self.peer.send(&self.target, request).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        assert!(!reply.text().contains("tram-do"), "{what} tells of the dataset: {}", reply.text());
        self.answers();
        reply
    }
}

fn catalog_request() -> Request {
    let body = message("CatalogRequestMessage", json!({}));
    Request::bare("POST", CATALOG, serde_json::to_vec(&body).unwrap())
}

#[test]
fn strangers_do_not_get_past_the_handshake() {
    let scene = Scene::set();
    // A key that nobody knows.
    let stranger = Rogue::new("urn:agency:vn:nguoi-la");
    assert!(
        stranger.send(&scene.target, &catalog_request()).is_err(),
        "an unknown certificate gets an answer"
    );
    // A known participant's name in a certificate of another key.
    let namesake = Rogue::new(PEER);
    assert!(namesake.send(&scene.target, &catalog_request()).is_err(), "a name is taken for a key");
    // No certificate at all.
    let open = without_certificate();
    assert!(
        wire::send_over(open, &scene.target, &catalog_request()).is_err(),
        "no certificate gets an answer"
    );
    scene.answers();
}

#[test]
fn while_an_invitation_is_open_strangers_get_nothing_but_the_pairing() {
    let scene = Scene::set();
    let code = scene.node.json(&["peer", "invite", "--group", "state"])["code"].as_str().unwrap().to_owned();
    let stranger = Rogue::new("urn:agency:vn:nguoi-la");
    for request in [stranger.sign(&scene.target, catalog_request()), catalog_request()] {
        // The door may drop the line or say no; it never tells anything.
        if let Ok(reply) = stranger.send(&scene.target, &request) {
            assert_eq!(reply.status, 401, "{}", reply.text());
            assert!(!reply.text().contains("tram-do"));
        }
    }
    // Wrong secret, somebody else's descriptor, then the real one, then the same code again.
    let mut wrong = stranger.introduction(&code);
    wrong["mac"] = json!("00".repeat(32));
    let other = Rogue::new("urn:agency:vn:nguoi-khac");
    for (what, body) in [("a wrong mac", wrong), ("a descriptor of another key", other.introduction(&code))] {
        let reply = introduce(&stranger, &scene.target, &body);
        assert!(reply.status >= 400, "{what}: {}", reply.text());
    }
    introduce(&stranger, &scene.target, &stranger.introduction(&code)).expect(200);
    stranger.ask(&scene.target, catalog_request()).expect(200);
    let again = introduce(&scene.peer, &scene.target, &scene.peer.introduction(&code));
    assert_eq!(again.status, 403, "a code works once: {}", again.text());
    scene.answers();
}

fn introduce(rogue: &Rogue, target: &Target, body: &Value) -> Reply {
    rogue.send(target, &Request::bare("POST", "/tram/pairing", serde_json::to_vec(body).unwrap())).unwrap()
}

#[test]
fn an_expired_certificate_is_refused_although_its_key_is_known() {
    let scene = Scene::set();
    // Paired while it was good: the same key, the same name, a certificate that is over.
    let valid = certs::Period::new(now() - 7_200, now() - 60).unwrap();
    let details = certs::keys::CertificateDetails {
        participant: scene.peer.id.clone(),
        hosts: vec!["127.0.0.1".into()],
        valid,
    };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("keys");
    scene.peer.keys.store(&dir).unwrap();
    let mut keys = certs::NodeKeys::load(&dir).unwrap();
    keys.renew_certificate(&dir, &details).unwrap();
    let config = certs::tls::client_config(&keys.channel, scene.target.spki).unwrap();
    let request = scene.peer.sign(&scene.target, catalog_request());
    let sent = wire::send_over(config, &scene.target, &request);
    assert!(sent.is_err(), "an expired certificate gets an answer: {sent:?}");
    scene.answers();
}

#[test]
fn tls_1_2_and_plain_text_are_not_spoken() {
    let scene = Scene::set();
    let mut line = TcpStream::connect(&scene.target.address).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    line.write_all(&hello_of_tls_1_2()).unwrap();
    let mut answer = [0; 7];
    line.read_exact(&mut answer).unwrap();
    // An alert record (21), level fatal (2), protocol_version (70): RFC 8446 §6.2.
    assert_eq!((answer[0], answer[5], answer[6]), (21, 2, 70), "{answer:?}");
    let mut plain = TcpStream::connect(&scene.target.address).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    plain.write_all(b"GET /.well-known/dspace-version HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _reset_is_fine = plain.read_to_end(&mut said);
    assert!(!String::from_utf8_lossy(&said).contains("HTTP"), "plain text is answered");
    scene.answers();
}

/// A ClientHello that offers TLS 1.2 and nothing newer (RFC 5246 §7.4.1.2).
fn hello_of_tls_1_2() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(fresh::<32>());
    body.push(0);
    body.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x2f]);
    body.extend([1, 0]);
    let groups = [0, 10, 0, 6, 0, 4, 0, 29, 0, 23];
    let signatures = [0, 13, 0, 8, 0, 6, 8, 7, 4, 3, 8, 4];
    body.extend(((groups.len() + signatures.len()) as u16).to_be_bytes());
    body.extend(groups);
    body.extend(signatures);
    let mut handshake = vec![1, 0];
    handshake.extend((body.len() as u16).to_be_bytes());
    handshake.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend((handshake.len() as u16).to_be_bytes());
    record.extend(handshake);
    record
}

/// A client that accepts any server and shows no certificate: what a curious stranger has.
fn without_certificate() -> std::sync::Arc<rustls::ClientConfig> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(std::sync::Arc::new(wire::AnyServer))
        .with_no_client_auth();
    std::sync::Arc::new(config)
}

#[test]
fn messages_that_are_not_signed_as_they_must_be_are_refused() {
    let scene = Scene::set();
    let signed = || scene.peer.sign(&scene.target, catalog_request());
    scene.refused("no signature", &catalog_request(), 401);

    let mut request = signed();
    let value = request.headers["signature"].to_str().unwrap().to_owned();
    let other = if value.as_bytes()[20] == b'A' { "B" } else { "A" };
    let value = format!("{}{other}{}", &value[..20], &value[21..]);
    request.headers.insert("signature", value.parse().unwrap());
    scene.refused("a wrong signature", &request, 401);

    let mut request = signed();
    request.body = serde_json::to_vec(&message("CatalogRequestMessage", json!({"x": 1}))).unwrap();
    scene.refused("another body than the digest says", &request, 401);

    let mut request = signed();
    request.headers.insert("tram-purpose", "planning".parse().unwrap());
    scene.refused("a covered field that was changed", &request, 401);

    let mut request = signed();
    request.path = format!("{CATALOG}?after=a");
    scene.refused("another target", &request, 401);

    for (what, created) in [("too old", now() - 40), ("from the future", now() + 40)] {
        let mut request = catalog_request();
        let uri = format!("{}{CATALOG}", scene.target.endpoint);
        scene.peer.sign_as(&uri, created, fresh(), &mut request);
        scene.refused(what, &request, 401);
    }

    let mut request = catalog_request();
    scene.peer.sign_as(&format!("https://127.0.0.1:1{CATALOG}"), now(), fresh(), &mut request);
    scene.refused("signed for another node", &request, 401);

    // Signed by a key that is nobody's, and by another peer, over this peer's line.
    let stranger = Rogue::new("urn:agency:vn:nguoi-la");
    scene.refused("an unknown key", &stranger.sign(&scene.target, catalog_request()), 401);
    let second = Rogue::new("urn:agency:vn:ban-khac");
    second.pair(&scene.node);
    scene.refused("another peer's signature", &second.sign(&scene.target, catalog_request()), 401);
}

#[test]
fn a_message_is_taken_once_also_after_a_restart() {
    let mut scene = Scene::set();
    scene.answers();
    let request = scene.peer.sign(&scene.target, catalog_request());
    let first = scene.peer.send(&scene.target, &request).unwrap();
    assert_eq!(first.status, 200, "{}", first.text());
    scene.refused("the same bytes again", &request, 401);

    for polite in [true, false] {
        let request = scene.peer.sign(&scene.target, catalog_request());
        assert_eq!(scene.peer.send(&scene.target, &request).unwrap().status, 200);
        if polite {
            scene.node.restart();
        } else {
            scene.node.kill9();
            scene.node.start();
        }
        let again = scene.peer.send(&scene.target, &request).unwrap();
        assert!(
            [401, 503].contains(&again.status),
            "polite {polite}: a replay is answered {}: {}",
            again.status,
            again.text()
        );
        scene.answers();
        let again = scene.peer.send(&scene.target, &request).unwrap();
        assert!(
            [401, 503].contains(&again.status),
            "polite {polite}: a late replay is answered {}",
            again.status
        );
    }
}

#[test]
fn bodies_that_are_no_messages_are_refused_with_the_errors_of_the_protocol() {
    let scene = Scene::set();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested = format!(
        "{{\"@context\":[\"{}\"],\"@type\":\"CatalogRequestMessage\",\"x\":{}1{}}}",
        words::CONTEXT,
        "[".repeat(40),
        "]".repeat(40)
    );
    let doubled = format!(
        "{{\"@context\":[\"{}\"],\"@type\":\"CatalogRequestMessage\",\"@type\":\"CatalogRequestMessage\"}}",
        words::CONTEXT
    );
    let bodies: [(&str, Vec<u8>); 10] = [
        ("nothing", Vec::new()),
        ("no JSON", b"{\"@context\": [".to_vec()),
        ("no UTF-8", vec![b'"', 0xff, 0xfe, b'"']),
        ("a NUL", b"{\"@type\":\"Catalog\0RequestMessage\"}".to_vec()),
        ("very deep JSON", deep.into_bytes()),
        ("JSON over 32 levels", nested.into_bytes()),
        ("a key twice", doubled.into_bytes()),
        ("a list", b"[]".to_vec()),
        (
            "a wrong type",
            serde_json::to_vec(&message("CatalogRequestMessage", json!({"filter": "all"}))).unwrap(),
        ),
        ("no context", b"{\"@type\":\"CatalogRequestMessage\"}".to_vec()),
    ];
    let addresses = [
        (CATALOG.to_owned(), "CatalogError"),
        ("/dsp/2025-1/negotiations/request".to_owned(), "ContractNegotiationError"),
        ("/dsp/2025-1/transfers/request".to_owned(), "TransferError"),
    ];
    for (what, body) in &bodies {
        for (path, kind) in &addresses {
            let request = scene.peer.sign(&scene.target, Request::bare("POST", path, body.clone()));
            let reply = scene.refused(what, &request, 400);
            let told = reply.json();
            assert!(reply.signed.as_ref().is_some_and(Result::is_ok), "{what}: {:?}", reply.signed);
            assert_eq!(told["@type"], *kind, "{what} at {path}: {told}");
            assert_eq!(told["@context"], json!([words::CONTEXT]), "{what}: {told}");
            assert!(told["reason"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{what}: {told}");
        }
    }
    let filtered = message("CatalogRequestMessage", json!({"filter": [{"a": 1}]}));
    let reply = scene.peer.post(&scene.target, CATALOG, &new_exchange_id(), &filtered).expect(400);
    assert_eq!(reply.json()["@type"], "CatalogError");
}

#[test]
fn a_message_of_more_than_one_mebibyte_is_refused_and_one_below_is_read() {
    let scene = Scene::set();
    let padded = |length: usize| {
        let mut body = serde_json::to_vec(&message("CatalogRequestMessage", json!({}))).unwrap();
        body.resize(length, b' ');
        scene.peer.sign(&scene.target, Request::bare("POST", CATALOG, body))
    };
    let fits = scene.peer.send(&scene.target, &padded(1 << 20)).unwrap();
    assert_eq!(fits.status, 200, "{}", fits.text());
    scene.refused("a byte too many", &padded((1 << 20) + 1), 413);
    // A length that is only announced must not make the node wait for ever or take memory.
    let mut stream = wire::connect(scene.peer.client(&scene.target), &scene.target.address).unwrap();
    let head = format!("POST {CATALOG} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.flush().unwrap();
    scene.answers();
}

#[test]
fn a_slow_head_ends_and_holds_up_nobody() {
    let scene = Scene::set();
    let mut stream = wire::connect(scene.peer.client(&scene.target), &scene.target.address).unwrap();
    stream.write_all(b"POST /dsp/2025-1/catalog/request HTTP/1.1\r\nhost: x\r\nx-").unwrap();
    stream.flush().unwrap();
    scene.answers();
    // Nothing more is sent: the door must close the line by itself.
    stream.sock.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        Err(error) => panic!("the slow line was not closed: {error}"),
    }
    scene.answers();
}

#[test]
fn nobody_sees_what_belongs_to_another_peer() {
    let scene = Scene::set();
    let deal = Deal::made(&scene);
    let spy = Rogue::new("urn:agency:vn:to-mo");
    spy.pair(&scene.node);
    let (exchange, negotiation, transfer) =
        (&deal.exchange, segment(&deal.negotiation), segment(&deal.transfer));
    // The owner sees all of it.
    scene.peer.get(&scene.target, &format!("/dsp/2025-1/negotiations/{negotiation}")).expect(200);
    scene.peer.get(&scene.target, &format!("/tram/exchanges/{exchange}/statement")).expect(200);
    let unknown = segment(&new_pid());
    let hidden = [
        (
            "GET",
            format!("/dsp/2025-1/negotiations/{negotiation}"),
            format!("/dsp/2025-1/negotiations/{unknown}"),
        ),
        ("GET", format!("/dsp/2025-1/transfers/{transfer}"), format!("/dsp/2025-1/transfers/{unknown}")),
        (
            "GET",
            format!("/tram/exchanges/{exchange}/statement"),
            format!("/tram/exchanges/{}/statement", new_exchange_id()),
        ),
        ("POST", format!("/tram/data/{exchange}/token"), format!("/tram/data/{}/token", new_exchange_id())),
        (
            "POST",
            format!("/tram/exchanges/{exchange}/ack"),
            format!("/tram/exchanges/{}/ack", new_exchange_id()),
        ),
        (
            "POST",
            format!("/tram/exchanges/{exchange}/receipts"),
            format!("/tram/exchanges/{}/receipts", new_exchange_id()),
        ),
    ];
    for (method, path, missing) in hidden {
        let reply = spy.ask(&scene.target, Request::bare(method, &path, Vec::new())).expect(404);
        let none = spy.ask(&scene.target, Request::bare(method, &missing, Vec::new())).expect(404);
        // Alike but for the name that was asked for: whether it exists is not told.
        let name =
            |path: &str| path.split('/').rev().find(|part| part.len() > 20).unwrap().replace("%3A", ":");
        assert_eq!(
            reply.text().replace(&name(&path), "*"),
            none.text().replace(&name(&missing), "*"),
            "{path}"
        );
    }
    // Also not with a message, right in every other way, or with the owner's token.
    let end = words::about("ContractNegotiationTerminationMessage", &deal.negotiation, &deal.consumer_pid);
    spy.post(&scene.target, &format!("/dsp/2025-1/negotiations/{negotiation}/termination"), exchange, &end)
        .expect(404);
    for tail in ["chunks/0", "manifest"] {
        let request =
            Request::bare("GET", &format!("/tram/data/{exchange}/{tail}"), Vec::new()).token(&deal.token);
        let reply = spy.ask(&scene.target, request);
        assert!([401, 404].contains(&reply.status), "{}", reply.text());
    }
    scene.answers();
}

#[test]
fn a_token_is_good_for_one_transfer_one_key_one_node_and_some_minutes() {
    let scene = Scene::set();
    let deal = Deal::made(&scene);
    let chunk = |token: &str| {
        Request::bare("GET", &format!("/tram/data/{}/chunks/0", deal.exchange), Vec::new()).token(token)
    };
    let good = scene.peer.ask(&scene.target, chunk(&deal.token)).expect(200);
    assert!(good.text().contains("Nghĩa Đô"), "{}", good.text());
    let bare = Request::bare("GET", &format!("/tram/data/{}/chunks/0", deal.exchange), Vec::new());
    scene.peer.ask(&scene.target, bare).expect(401);

    let signer = node_signer(&scene.node);
    let certificate = scene.peer.keys.channel.certificate_sha256();
    let claims = TransferClaims {
        iss: signer.participant().clone(),
        aud: NODE.to_owned(),
        sub: scene.peer.id.clone(),
        transfer: deal.exchange.clone(),
        agreement: deal.agreement.clone(),
        iat: now(),
        exp: now() + 300,
        jti: new_pid(),
        cnf: Confirmation::of(&certificate),
    };
    // Made with the node's own key, so that what is refused below is refused for the one claim that differs.
    scene.peer.ask(&scene.target, chunk(&certs::token::mint(&signer, &claims).unwrap())).expect(200);
    let other = TransferClaims { aud: "urn:agency:vn:nut-khac".into(), ..claims.clone() };
    let wrong = [
        ("another audience", other),
        ("another transfer", TransferClaims { transfer: new_exchange_id(), ..claims.clone() }),
        (
            "another consumer",
            TransferClaims { sub: "urn:agency:vn:to-mo".parse().unwrap(), ..claims.clone() },
        ),
        ("another certificate", TransferClaims { cnf: Confirmation::of(&fresh::<32>()), ..claims.clone() }),
        ("expired", TransferClaims { iat: now() - 600, exp: now() - 120, ..claims.clone() }),
        ("not yet", TransferClaims { iat: now() + 120, exp: now() + 300, ..claims.clone() }),
    ];
    for (what, claims) in wrong {
        let token = certs::token::mint(&signer, &claims).unwrap();
        let reply = scene.peer.ask(&scene.target, chunk(&token));
        assert_eq!(reply.status, 401, "{what}: {}", reply.text());
        assert!(!reply.text().contains(&token), "{what}: the token is in the error");
    }
    // By the peer's own key, and a token that was changed.
    let own = TransferClaims { iss: scene.peer.id.clone(), ..claims };
    scene.peer.ask(&scene.target, chunk(&certs::token::mint(&scene.peer.signer, &own).unwrap())).expect(401);
    scene.peer.ask(&scene.target, chunk(&deal.token.replace('.', ".A"))).expect(401);
    scene.answers();
}

#[test]
fn the_node_calls_no_third_party_and_knows_whom_it_deals_with() {
    let scene = Scene::set();
    let offer = words::offer(&offer_id(&scene), &format!("{NODE}/tram-do"), words::PURPOSE);
    for callback in [
        "https://127.0.0.1:9/dsp/2025-1",
        "http://169.254.169.254/latest",
        "https://127.0.0.1:1@evil.example/",
    ] {
        let first = words::first_request(&new_pid(), callback, &offer);
        let reply =
            scene.peer.post(&scene.target, "/dsp/2025-1/negotiations/request", &new_exchange_id(), &first);
        assert_eq!(
            (reply.status, &reply.json()["@type"]),
            (400, &json!("ContractNegotiationError")),
            "{}",
            reply.text()
        );
    }
    let prefix = format!("{}0/dsp/2025-1", scene.peer.endpoint());
    let first = words::first_request(&new_pid(), &prefix, &offer);
    scene
        .peer
        .post(&scene.target, "/dsp/2025-1/negotiations/request", &new_exchange_id(), &first)
        .expect(400);
    // An agreement that does not exist.
    let ask = words::transfer_request(&new_pid(), &scene.peer.callback(), &new_pid());
    let reply =
        scene.peer.post(&scene.target, "/dsp/2025-1/transfers/request", &new_exchange_id(), &ask).expect(404);
    assert_eq!(reply.json()["@type"], "TransferError", "{}", reply.text());
    // A participant that nobody knows, asked for by a person of the node.
    let what = ["exchange", "get", "urn:agency:vn:khong-ai/x", "--purpose", "planning", "--basis", "law"];
    let output = scene.node.cmd(&what);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("urn:agency:vn:khong-ai"), "{}", output.stderr);
    // And once it is revoked, the peer is a stranger.
    scene.answers();
    scene.node.ok(&["peer", "revoke", PEER]);
    let request = scene.peer.sign(&scene.target, catalog_request());
    // The door may drop the line or say no.
    if let Ok(reply) = scene.peer.send(&scene.target, &request) {
        assert_eq!(reply.status, 401, "{}", reply.text());
    }
}

#[test]
fn a_catalog_without_end_is_given_up_and_others_are_still_found() {
    let scene = Scene::set();
    let door = Door::open(&scene.peer, &scene.target, endless_catalog);
    let output = scene.node.cmd(&["catalog", "search", "vo-tan", "--json"]);
    let asked = door.received().len();
    assert!(asked > 1, "the pages were followed: {:?}", door.wrong());
    assert!(asked <= 1_000, "{asked} pages of one peer were read");
    assert!(output.code != -1, "{}", output.stderr);
    assert_eq!(door.wrong(), Vec::<String>::new());
    // Its own datasets are found all the same.
    let own = scene.node.cmd(&["catalog", "search", "tram-do", "--cached", "--json"]);
    assert!(own.stdout.contains("tram-do"), "{}{}", own.stdout, own.stderr);
    scene.answers();
}

fn endless_catalog(asked: &Received) -> Answer {
    let page = message("Catalog", json!({"@id": format!("{PEER}/catalog"), "participantId": PEER}));
    let _path = &asked.path;
    let next = format!("<{CATALOG}?after={}>; rel=\"next\"", new_exchange_id());
    Answer::With(200, vec![("link", next)], serde_json::to_vec(&page).unwrap())
}

/// What the node's signing key is, as a thief of the folder would have it.
fn node_signer(node: &TestNode) -> certs::SigningKeyWithId {
    certs::NodeKeys::load(&node.dir().join("keys")).unwrap().signer(&NODE.parse().unwrap())
}

fn offer_id(scene: &Scene) -> String {
    let catalog = scene.peer.ask_patiently(&scene.target, catalog_request()).json();
    catalog["dataset"][0]["hasPolicy"][0]["@id"].as_str().unwrap().to_owned()
}

/// A negotiation and a transfer of the paired peer, with the data ready.
struct Deal {
    exchange: String,
    consumer_pid: String,
    negotiation: String,
    agreement: String,
    transfer: String,
    token: String,
    _door: Door,
}

impl Deal {
    fn made(scene: &Scene) -> Self {
        let Scene { peer, target, .. } = scene;
        let door = Door::open(peer, target, |_| Answer::json(200, &json!({})));
        let (exchange, consumer_pid) = (new_exchange_id(), new_pid());
        let offer = words::offer(&offer_id(scene), &format!("{NODE}/tram-do"), words::PURPOSE);
        let first = words::first_request(&consumer_pid, &peer.callback(), &offer);
        let opened =
            peer.post(target, "/dsp/2025-1/negotiations/request", &exchange, &first).expect(201).json();
        let negotiation = opened["providerPid"].as_str().unwrap().to_owned();
        let agreed = door.wait("agreement", 0, |m| m.path.ends_with("/agreement"));
        let agreement = &agreed.body["agreement"];
        let verified = words::verification(peer, &negotiation, &consumer_pid, agreement);
        let path = format!("/dsp/2025-1/negotiations/{}/agreement/verification", segment(&negotiation));
        peer.post(target, &path, &exchange, &verified).expect(200);
        door.wait("finalization", 0, |m| m.path.ends_with("/events"));
        let agreement = agreement["@id"].as_str().unwrap().to_owned();
        let ask = words::transfer_request(&new_pid(), &peer.callback(), &agreement);
        let opened = peer.post(target, "/dsp/2025-1/transfers/request", &exchange, &ask).expect(201).json();
        let transfer = opened["providerPid"].as_str().unwrap().to_owned();
        let started = door.wait("start", 0, |m| m.path.ends_with("/start"));
        let token = token_of(&started.body);
        let deal = Self { exchange, consumer_pid, negotiation, agreement, transfer, token, _door: door };
        deal.wait_for_data(scene);
        deal
    }

    fn wait_for_data(&self, scene: &Scene) {
        for _ in 0..200 {
            let path = format!("/tram/data/{}/manifest", self.exchange);
            let reply =
                scene.peer.ask(&scene.target, Request::bare("GET", &path, Vec::new()).token(&self.token));
            match reply.status {
                200 => return,
                425 => std::thread::sleep(Duration::from_millis(50)),
                other => panic!("{other}: {}", reply.text()),
            }
        }
        panic!("no manifest came");
    }
}

fn token_of(start: &Value) -> String {
    let properties = start["dataAddress"]["endpointProperties"].as_array().unwrap();
    let found = properties.iter().find(|p| p["name"] == "authorization").unwrap();
    found["value"].as_str().unwrap().to_owned()
}
