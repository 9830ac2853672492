//! The Dataspace Protocol over the real wire, as a connector of another make would speak it.
//!
//! The test plays the consumer against a node that provides, and the provider against a node that consumes. It goes the
//! happy path to the data, and in every state that it can reach it sends what the tables do not allow: each time 400, the
//! protocol's own error, and a state that is as it was. Every message and answer of the node is held against the official
//! JSON Schemas.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

mod wire;

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sha2::Digest;
use tests::TestNode;
use tests::scene::publish;
use wire::schemas::Schemas;
use wire::words::{self, CONTEXT, PURPOSE, about, about_with, message, segment};
use wire::{Answer, Door, Received, Reply, Request, Rogue, Target, new_exchange_id, new_pid};

const NODE: &str = "urn:agency:vn:kho";
const PEER: &str = "urn:agency:vn:khac-hang";
const BASE: &str = "/dsp/2025-1";
const ROWS: &str = "id,phuong,gia_tri\n1,Nghĩa Đô,12\n2,Tây Hồ,7\n";
/// How long a state may take to be reached; the node tries again with growing pauses.
const STATE_TIMEOUT: Duration = Duration::from_secs(60);

/// Ends of paths that the test's door does not take at the moment.
type Held = Arc<Mutex<BTreeSet<&'static str>>>;

/// A node, a peer of another make, its door.
struct Stage {
    node: TestNode,
    peer: Rogue,
    target: Target,
    door: Door,
    held: Held,
    schemas: Schemas,
}

impl Stage {
    fn set() -> Self {
        let node = TestNode::up(NODE, "Kho dữ liệu");
        let file = node.desk().join("tram-do.csv");
        fs::write(&file, ROWS).unwrap();
        publish(&node, &file, "tram-do", &[]);
        let peer = Rogue::new(PEER);
        let target = peer.pair(&node);
        let held = Held::default();
        let (closed, as_provider) = (held.clone(), Provider::new(&peer));
        let door = Door::open(&peer, &target, move |came| {
            if closed.lock().unwrap().iter().any(|end| came.path.ends_with(end)) {
                return Answer::Unsigned(503);
            }
            as_provider.answer(came)
        });
        Self { node, peer, target, door, held, schemas: Schemas::load() }
    }

    fn hold(&self, end: &'static str) {
        self.held.lock().unwrap().insert(end);
    }

    fn take_all(&self) {
        self.held.lock().unwrap().clear();
    }

    /// A signed question; the answer is held against its schema.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, exchange: &str, body: Option<&Value>) -> Reply {
        let bytes = body.map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default();
        let request = Request::bare(method, &format!("{BASE}{path}"), bytes).of(exchange);
        let reply = self.peer.ask(&self.target, request);
        let told = reply.json();
        if told["@type"].is_string() {
            self.schemas.check(&told);
        }
        reply
    }

    #[track_caller]
    fn post(&self, path: &str, exchange: &str, body: &Value) -> Reply {
        self.schemas.check(body);
        self.ask("POST", path, exchange, Some(body))
    }

    #[track_caller]
    fn state(&self, process: &Process) -> String {
        let told = self.ask("GET", &process.path(), &process.exchange, None).expect(200).json();
        assert_eq!(told["providerPid"], process.provider_pid.as_str());
        assert_eq!(told["consumerPid"], process.consumer_pid.as_str());
        told["state"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn reaches(&self, process: &Process, state: &str) {
        let deadline = Instant::now() + STATE_TIMEOUT;
        // Right after the first message the node may know only one of the two pids.
        while self.ask("GET", &process.path(), &process.exchange, None).status == 503 {
            assert!(Instant::now() < deadline, "it does not open");
            thread::sleep(Duration::from_millis(30));
        }
        loop {
            let now = self.state(process);
            if now == state {
                return;
            }
            assert!(Instant::now() < deadline, "{now}, not {state}: {:#?}", self.door.received());
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// What the table does not allow: 400, the protocol's error, and nothing changed.
    #[track_caller]
    fn out_of_turn(&self, process: &Process, state: &str, tail: &str, body: &Value) {
        let kind = &body["@type"];
        assert_eq!(self.state(process), state, "before {kind}");
        let reply = self.ask("POST", &format!("{}/{tail}", process.path()), &process.exchange, Some(body));
        assert_eq!(reply.status, 400, "{kind} in {state}: {}", reply.text());
        let told = reply.json();
        assert_eq!(told["@type"], process.error(), "{kind} in {state}: {told}");
        assert_eq!(told["providerPid"], process.provider_pid.as_str(), "{told}");
        assert!(
            told["code"].is_string() && told["reason"].as_array().is_some_and(|r| !r.is_empty()),
            "{told}"
        );
        assert_eq!(self.state(process), state, "after {kind}");
    }

    /// Every message that the node sent follows its schema, and its signatures held.
    fn everything_sent_was_valid(&self) {
        assert_eq!(self.door.wrong(), Vec::<String>::new());
        let sent = self.door.received();
        for message in sent.iter().filter(|message| message.body["@type"].is_string()) {
            assert_eq!(message.body["@context"], json!([CONTEXT]));
            self.schemas.check(&message.body);
        }
    }
}

/// One negotiation or transfer.
#[derive(Debug, Clone)]
struct Process {
    exchange: String,
    consumer_pid: String,
    provider_pid: String,
    /// Which of the two is the node's own.
    node_provides: bool,
    transfer: bool,
}

impl Process {
    fn path(&self) -> String {
        let own = if self.node_provides { &self.provider_pid } else { &self.consumer_pid };
        format!("/{}/{}", if self.transfer { "transfers" } else { "negotiations" }, segment(own))
    }

    fn error(&self) -> &'static str {
        if self.transfer { "TransferError" } else { "ContractNegotiationError" }
    }

    /// A message about it, different from any that was sent before: the same one again would be answered again.
    fn say(&self, kind: &str) -> Value {
        about_with(kind, &self.provider_pid, &self.consumer_pid, "urn:test:nonce", json!(new_pid()))
    }

    fn event(&self, event: &str) -> Value {
        let mut message = self.say("ContractNegotiationEventMessage");
        message["eventType"] = json!(event);
        message
    }

    fn offer(&self, provider: &str) -> Value {
        let mut message = self.say("ContractOfferMessage");
        message["offer"] = words::offer("urn:test:offer", &format!("{provider}/tram-do"), PURPOSE);
        message
    }

    fn counter(&self, provider: &str) -> Value {
        let mut message = self.say("ContractRequestMessage");
        message["offer"] = words::offer("urn:test:offer", &format!("{provider}/tram-do"), PURPOSE);
        message
    }

    fn agreement(&self, provider: &str, consumer: &str) -> Value {
        let mut message = self.say("ContractAgreementMessage");
        let mut agreement = words::offer(&new_pid(), &format!("{provider}/tram-do"), PURPOSE);
        agreement["@type"] = json!("Agreement");
        agreement["assigner"] = json!(provider);
        agreement["assignee"] = json!(consumer);
        agreement["timestamp"] = json!("2026-01-01T00:00:00Z");
        message["agreement"] = agreement;
        message
    }

    /// Every message of a negotiation with the place where it belongs, by a short name.
    fn negotiation_messages(
        &self,
        provider: &str,
        consumer: &str,
    ) -> [(&'static str, &'static str, Value); 7] {
        [
            ("request", "request", self.counter(provider)),
            ("offer", "offers", self.offer(provider)),
            ("accepted", "events", self.event("ACCEPTED")),
            ("agreement", "agreement", self.agreement(provider, consumer)),
            ("verification", "agreement/verification", self.say("ContractAgreementVerificationMessage")),
            ("finalized", "events", self.event("FINALIZED")),
            ("termination", "termination", self.say("ContractNegotiationTerminationMessage")),
        ]
    }

    fn transfer_messages(&self) -> [(&'static str, Value); 4] {
        [
            ("start", self.say("TransferStartMessage")),
            ("suspension", self.say("TransferSuspensionMessage")),
            ("completion", self.say("TransferCompletionMessage")),
            ("termination", self.say("TransferTerminationMessage")),
        ]
    }
}

// ---- the node provides, the test consumes ----

impl Stage {
    /// The offer of the node's dataset, from its catalog.
    fn offered(&self) -> Value {
        let ask = message("CatalogRequestMessage", json!({}));
        let catalog = self.post("/catalog/request", "-", &ask).expect(200).json();
        assert_eq!(catalog["participantId"], NODE);
        assert!(catalog.get("hasPolicy").is_none(), "{catalog}");
        let id = catalog["dataset"][0]["@id"].as_str().unwrap().to_owned();
        let dataset =
            self.ask("GET", &format!("/catalog/datasets/{}", segment(&id)), "-", None).expect(200).json();
        assert_eq!(dataset["hasPolicy"], catalog["dataset"][0]["hasPolicy"]);
        let offer = &dataset["hasPolicy"][0];
        assert!(offer.get("target").is_none(), "an offer in a catalog has no target: {offer}");
        words::offer(offer["@id"].as_str().unwrap(), &id, PURPOSE)
    }

    fn open_negotiation(&self) -> Process {
        let (exchange, consumer_pid) = (new_exchange_id(), new_pid());
        let first = words::first_request(&consumer_pid, &self.peer.callback(), &self.offered());
        let opened = self.post("/negotiations/request", &exchange, &first).expect(201).json();
        assert_eq!(
            (&opened["@type"], &opened["state"]),
            (&json!("ContractNegotiation"), &json!("REQUESTED"))
        );
        // The same again is answered with the present state, and opens nothing.
        let again = self.post("/negotiations/request", &exchange, &first);
        assert!([200, 201].contains(&again.status), "{}", again.text());
        assert_eq!(again.json()["providerPid"], opened["providerPid"]);
        // The same pid with other contents is refused.
        let mut other = first.clone();
        other["offer"]["permission"] = words::permission("planning");
        let refused = self.post("/negotiations/request", &exchange, &other).expect(400);
        assert_eq!(refused.json()["@type"], "ContractNegotiationError");
        let provider_pid = opened["providerPid"].as_str().unwrap().to_owned();
        Process { exchange, consumer_pid, provider_pid, node_provides: true, transfer: false }
    }

    fn agreement_for(&self, process: &Process) -> Value {
        let end = format!("/{}/agreement", process.consumer_pid);
        self.door.wait("agreement", 0, |came| came.path.ends_with(&end) && came.answered == 200).body["agreement"].clone()
    }

    /// Brings a negotiation into a state and leaves it there.
    fn negotiation_in(&self, state: &str) -> Process {
        self.take_all();
        match state {
            "REQUESTED" => self.hold("/agreement"),
            "VERIFIED" => self.hold("/events"),
            _ => {}
        }
        let process = self.open_negotiation();
        if state != "REQUESTED" {
            let agreement = self.agreement_for(&process);
            self.reaches(&process, "AGREED");
            if ["VERIFIED", "FINALIZED"].contains(&state) {
                let verified =
                    words::verification(&self.peer, &process.provider_pid, &process.consumer_pid, &agreement);
                self.post(
                    &format!("{}/agreement/verification", process.path()),
                    &process.exchange,
                    &verified,
                )
                .expect(200);
            }
            if state == "TERMINATED" {
                let end = process.say("ContractNegotiationTerminationMessage");
                let path = format!("{}/termination", process.path());
                self.post(&path, &process.exchange, &end).expect(200);
                // The same bytes of a message that was taken are answered again without a change.
                self.post(&path, &process.exchange, &end).expect(200);
            }
        }
        self.reaches(&process, state);
        process
    }

    fn open_transfer(&self, agreement: &str, exchange: &str) -> (Process, Value) {
        let ask = words::transfer_request(&new_pid(), &self.peer.callback(), agreement);
        let opened = self.post("/transfers/request", exchange, &ask).expect(201).json();
        assert_eq!((&opened["@type"], &opened["state"]), (&json!("TransferProcess"), &json!("REQUESTED")));
        let process = Process {
            exchange: exchange.to_owned(),
            consumer_pid: ask["consumerPid"].as_str().unwrap().to_owned(),
            provider_pid: opened["providerPid"].as_str().unwrap().to_owned(),
            node_provides: true,
            transfer: true,
        };
        (process, ask)
    }

    fn transfer_in(&self, state: &str, agreement: &str) -> Process {
        self.take_all();
        if state == "REQUESTED" {
            self.hold("/start");
        }
        let (process, _) = self.open_transfer(agreement, &new_exchange_id());
        if state != "REQUESTED" {
            self.reaches(&process, "STARTED");
        }
        let way = match state {
            "SUSPENDED" => Some(("suspension", "TransferSuspensionMessage")),
            "COMPLETED" => Some(("completion", "TransferCompletionMessage")),
            "TERMINATED" => Some(("termination", "TransferTerminationMessage")),
            _ => None,
        };
        if let Some((tail, kind)) = way {
            self.post(&format!("{}/{tail}", process.path()), &process.exchange, &process.say(kind))
                .expect(200);
        }
        self.reaches(&process, state);
        process
    }
}

#[test]
fn a_consumer_of_another_make_gets_the_data() {
    let stage = Stage::set();
    let version = stage
        .peer
        .send(&stage.target, &Request::bare("GET", "/.well-known/dspace-version", Vec::new()))
        .unwrap();
    assert_eq!(version.json()["protocolVersions"][0]["version"], "2025-1", "{}", version.text());
    assert_eq!(version.json()["protocolVersions"][0]["path"], BASE);

    let process = stage.negotiation_in("FINALIZED");
    let agreement = stage.agreement_for(&process);
    assert_eq!((&agreement["assigner"], &agreement["assignee"]), (&json!(NODE), &json!(PEER)));
    assert_eq!(agreement["permission"], words::permission(PURPOSE), "the rules verbatim");
    agreement_is_signed(&stage, &process, &agreement);

    let id = agreement["@id"].as_str().unwrap();
    let (transfer, ask) = stage.open_transfer(id, &process.exchange);
    stage.reaches(&transfer, "STARTED");
    let again = stage.post("/transfers/request", &process.exchange, &ask);
    assert!([200, 201].contains(&again.status), "{}", again.text());
    assert_eq!(again.json()["state"], "STARTED", "a first message is answered with the present state");
    let address = data_address(&stage, &transfer);
    let rows = fetch(&stage, &process.exchange, &address);
    assert_eq!(rows, ROWS);
    let done = transfer.say("TransferCompletionMessage");
    stage.post(&format!("{}/completion", transfer.path()), &transfer.exchange, &done).expect(200);
    assert_eq!(stage.state(&transfer), "COMPLETED");
    stage.everything_sent_was_valid();
}

/// The provider's signature beside the agreement, as docs/protocol.md §5 says, by the key of its descriptor.
fn agreement_is_signed(stage: &Stage, process: &Process, agreement: &Value) {
    let end = format!("/{}/agreement", process.consumer_pid);
    let came = stage.door.wait("agreement", 0, |came| came.path.ends_with(&end));
    let signature = &came.body["urn:tram:ns:signature"];
    let keyid = signature["urn:tram:ns:keyid"].as_str().unwrap();
    let value = BASE64.decode(signature["urn:tram:ns:value"].as_str().unwrap()).unwrap();
    let bytes =
        [b"tram/agreement@v1\n".as_slice(), &serde_json_canonicalizer::to_vec(agreement).unwrap()].concat();
    let key = stage.target.descriptor.signing_key(keyid, wire::now()).unwrap();
    assert!(key.verify(&bytes, &value.try_into().unwrap()), "the provider's signature does not hold");
}

fn data_address(stage: &Stage, transfer: &Process) -> Value {
    let end = format!("/{}/start", transfer.consumer_pid);
    let start = stage.door.wait("start", 0, |came| came.path.ends_with(&end));
    let address = start.body["dataAddress"].clone();
    assert_eq!(address["endpointType"], "urn:tram:ns:http-pull");
    address
}

/// Pulls the data as docs/protocol.md §6 says and checks it against the signed manifest.
fn fetch(stage: &Stage, exchange: &str, address: &Value) -> String {
    let property = |name: &str| {
        let all = address["endpointProperties"].as_array().unwrap();
        all.iter().find(|p| p["name"] == name).unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(property("authType"), "bearer");
    let path = address["endpoint"].as_str().unwrap().strip_prefix(&stage.target.endpoint).unwrap().to_owned();
    let get = |tail: &str| loop {
        let request = Request::bare("GET", &format!("{path}/{tail}"), Vec::new()).of(exchange);
        let reply = stage.peer.ask(&stage.target, request.token(&property("authorization")));
        match reply.status {
            425 => {
                assert!(reply.headers.contains_key("retry-after"));
                thread::sleep(Duration::from_millis(50));
            }
            200 => return reply,
            other => panic!("{tail}: {other} {}", reply.text()),
        }
    };
    let signed = get("manifest").json();
    let manifest = &signed["manifest"];
    let bytes =
        [b"tram/manifest@v1\n".as_slice(), &serde_json_canonicalizer::to_vec(manifest).unwrap()].concat();
    let signature = BASE64.decode(signed["signature"].as_str().unwrap()).unwrap();
    let key = stage.target.descriptor.signing_key(signed["keyid"].as_str().unwrap(), wire::now()).unwrap();
    assert!(key.verify(&bytes, &signature.try_into().unwrap()), "the manifest's signature does not hold");
    let chunks = manifest["chunks"].as_array().unwrap().len();
    let rows: Vec<u8> = (0..chunks).flat_map(|n| get(&format!("chunks/{n}")).body).collect();
    assert_eq!(manifest["sha256"].as_str().unwrap(), wire::hex(&sha2::Sha256::digest(&rows)));
    String::from_utf8(rows).unwrap()
}

#[test]
fn a_provider_refuses_what_its_negotiation_table_does_not_allow() {
    let stage = Stage::set();
    // What a consumer may send in each state; the verification in REQUESTED shows that the agreement arrived.
    let table: [(&str, &[&str]); 5] = [
        ("REQUESTED", &["termination", "verification"]),
        ("AGREED", &["verification", "termination"]),
        ("VERIFIED", &["termination"]),
        ("FINALIZED", &[]),
        ("TERMINATED", &[]),
    ];
    for (state, allowed) in table {
        let process = stage.negotiation_in(state);
        for (name, tail, body) in process.negotiation_messages(NODE, PEER) {
            if !allowed.contains(&name) {
                stage.out_of_turn(&process, state, tail, &body);
            }
        }
        wrong_forms(&stage, &process, state);
        if !["FINALIZED", "TERMINATED"].contains(&state) {
            let end = process.say("ContractNegotiationTerminationMessage");
            stage.post(&format!("{}/termination", process.path()), &process.exchange, &end).expect(200);
            assert_eq!(stage.state(&process), "TERMINATED");
        }
    }
    stage.take_all();
    stage.everything_sent_was_valid();
}

/// Right message, wrong pids; right message, wrong address.
fn wrong_forms(stage: &Stage, process: &Process, state: &str) {
    let foreign = about("ContractNegotiationTerminationMessage", &process.provider_pid, &new_pid());
    stage.out_of_turn(process, state, "termination", &foreign);
    let misplaced = process.say("ContractNegotiationTerminationMessage");
    stage.out_of_turn(process, state, "agreement/verification", &misplaced);
    let other = process.say("TransferTerminationMessage");
    stage.out_of_turn(process, state, "termination", &other);
}

#[test]
fn an_unknown_process_is_not_there_and_nobody_may_open_one_with_an_offer() {
    let stage = Stage::set();
    let stranger = Process {
        exchange: new_exchange_id(),
        consumer_pid: new_pid(),
        provider_pid: new_pid(),
        node_provides: true,
        transfer: false,
    };
    stage.ask("GET", &stranger.path(), "-", None).expect(404);
    for (_, tail, body) in stranger.negotiation_messages(NODE, PEER) {
        stage
            .ask("POST", &format!("{}/{tail}", stranger.path()), &stranger.exchange, Some(&body))
            .expect(404);
    }
    let transfer = Process { transfer: true, ..stranger.clone() };
    stage.ask("GET", &transfer.path(), "-", None).expect(404);
    for (tail, body) in transfer.transfer_messages() {
        stage
            .ask("POST", &format!("{}/{tail}", transfer.path()), &transfer.exchange, Some(&body))
            .expect(404);
    }
    let unknown = segment(&format!("{NODE}/khong-co"));
    let told = stage.ask("GET", &format!("/catalog/datasets/{unknown}"), "-", None).expect(404).json();
    assert_eq!(told["@type"], "CatalogError");
    let offer = message(
        "ContractOfferMessage",
        json!({"providerPid": new_pid(), "callbackAddress": stage.peer.callback(),
            "offer": words::offer("urn:test:offer", &format!("{PEER}/tram-do"), PURPOSE)}),
    );
    let told = stage.post("/negotiations/offers", "-", &offer).expect(400).json();
    assert_eq!(told["@type"], "ContractNegotiationError");
}

#[test]
fn a_provider_refuses_what_its_transfer_table_does_not_allow() {
    let stage = Stage::set();
    let negotiation = stage.negotiation_in("FINALIZED");
    let agreement = stage.agreement_for(&negotiation)["@id"].as_str().unwrap().to_owned();
    // In REQUESTED the start is on its way: whoever suspends or completes has it.
    let table: [(&str, &[&str]); 5] = [
        ("REQUESTED", &["termination", "suspension", "completion"]),
        ("STARTED", &["suspension", "completion", "termination"]),
        ("SUSPENDED", &["start", "termination"]),
        ("COMPLETED", &[]),
        ("TERMINATED", &[]),
    ];
    for (state, allowed) in table {
        let process = stage.transfer_in(state, &agreement);
        for (tail, body) in process.transfer_messages() {
            if !allowed.contains(&tail) {
                stage.out_of_turn(&process, state, tail, &body);
            }
        }
        let foreign = about("TransferTerminationMessage", &process.provider_pid, &new_pid());
        stage.out_of_turn(&process, state, "termination", &foreign);
        stage.out_of_turn(&process, state, "start", &process.say("TransferTerminationMessage"));
    }
    stage.take_all();
    stage.everything_sent_was_valid();
}

// ---- the test provides, the node consumes ----

/// What the test's door answers as a provider: a dataset, and a pid for each first message.
struct Provider {
    callback: String,
}

impl Provider {
    fn new(peer: &Rogue) -> Self {
        Self { callback: peer.callback() }
    }

    fn answer(&self, came: &Received) -> Answer {
        let path = came.path.strip_prefix(BASE).unwrap_or(&came.path);
        let open = |kind: &str, code: u16| {
            let pid = format!("urn:test:{}", came.body["consumerPid"].as_str().unwrap_or_default());
            let consumer = &came.body["consumerPid"];
            Answer::json(
                code,
                &message(kind, json!({"providerPid": pid, "consumerPid": consumer, "state": "REQUESTED"})),
            )
        };
        match path {
            _ if path.starts_with("/catalog/datasets/") => Answer::json(200, &self.dataset()),
            "/negotiations/request" => open("ContractNegotiation", 201),
            // Connectors of another make answer 200 here (dsp.md): any 2xx is a success.
            "/transfers/request" => open("TransferProcess", 200),
            _ if path.contains("/tram/data/") => Answer::json(425, &json!({})),
            _ => Answer::Signed(200, Vec::new()),
        }
    }

    fn dataset(&self) -> Value {
        let service =
            json!({"@id": "urn:test:service", "@type": "DataService", "endpointURL": self.callback});
        message(
            "Dataset",
            json!({
                "@id": format!("{PEER}/tram-do"),
                "hasPolicy": [{"@id": "urn:test:offer", "@type": "Offer", "permission": [{"action": "use"}]}],
                "distribution": [{"@type": "Distribution", "format": words::FORMAT, "accessService": service}],
            }),
        )
    }
}

impl Stage {
    /// The node asks for the test's dataset.
    fn asked_by_node(&self) -> (Process, Value) {
        let from = self.door.received().len();
        let what = format!("{PEER}/tram-do");
        let words =
            ["exchange", "get", &what, "--purpose", PURPOSE, "--basis", "law", "--queue", "--wait", "1"];
        let _goes_on = self.node.spawn(&words);
        let first = self.door.wait("request", from, |came| came.path.ends_with("/negotiations/request"));
        let consumer_pid = first.body["consumerPid"].as_str().unwrap().to_owned();
        let process = Process {
            exchange: first.exchange.unwrap(),
            provider_pid: format!("urn:test:{consumer_pid}"),
            consumer_pid,
            node_provides: false,
            transfer: false,
        };
        (process, first.body["offer"].clone())
    }

    /// The agreement that a provider makes of the node's request, signed.
    fn agree(&self, process: &Process, offer: &Value) -> Value {
        let mut agreement = offer.clone();
        agreement["@id"] = json!(new_pid());
        agreement["@type"] = json!("Agreement");
        agreement["assigner"] = json!(PEER);
        agreement["assignee"] = json!(NODE);
        agreement["timestamp"] = json!("2026-01-01T00:00:00Z");
        let mut message = about("ContractAgreementMessage", &process.provider_pid, &process.consumer_pid);
        message["urn:tram:ns:signature"] = words::agreement_signature(&self.peer, &agreement);
        message["agreement"] = agreement;
        message
    }

    /// Brings the node's own negotiation into a state.
    fn consuming_in(&self, state: &str) -> Process {
        self.take_all();
        match state {
            "OFFERED" => self.hold("/events"),
            "AGREED" => self.hold("/agreement/verification"),
            _ => {}
        }
        let (process, offer) = self.asked_by_node();
        let say = |tail: &str, body: &Value| {
            self.post(&format!("{}/{tail}", process.path()), &process.exchange, body)
        };
        self.reaches(&process, "REQUESTED");
        if ["OFFERED", "ACCEPTED"].contains(&state) {
            let mut message = process.say("ContractOfferMessage");
            message["offer"] = offer.clone();
            say("offers", &message).expect(200);
        }
        if ["AGREED", "VERIFIED", "FINALIZED"].contains(&state) {
            let agreement = self.agree(&process, &offer);
            say("agreement", &agreement).expect(200);
            if state == "AGREED" {
                // The same bytes again, in the state that they led to: answered again, nothing changed.
                say("agreement", &agreement).expect(200);
            }
        }
        if state == "FINALIZED" {
            self.reaches(&process, "VERIFIED");
            say("events", &process.event("FINALIZED")).expect(200);
        }
        if state == "TERMINATED" {
            say("termination", &process.say("ContractNegotiationTerminationMessage")).expect(200);
        }
        self.reaches(&process, state);
        process
    }
}

#[test]
fn a_consumer_refuses_what_its_negotiation_table_does_not_allow() {
    let stage = Stage::set();
    // What a provider may send in each state. An answer of the node that is on its way counts as arrived.
    let table: [(&str, &[&str]); 7] = [
        ("REQUESTED", &["offer", "agreement", "termination"]),
        ("OFFERED", &["agreement", "termination"]),
        ("ACCEPTED", &["agreement", "termination"]),
        ("AGREED", &["finalized", "termination"]),
        ("VERIFIED", &["finalized", "termination"]),
        ("TERMINATED", &[]),
        // Last: from then on there is a standing agreement, and nothing is negotiated any more.
        ("FINALIZED", &[]),
    ];
    for (state, allowed) in table {
        let process = stage.consuming_in(state);
        for (name, tail, body) in process.negotiation_messages(PEER, NODE) {
            if !allowed.contains(&name) {
                stage.out_of_turn(&process, state, tail, &body);
            }
        }
        wrong_forms(&stage, &process, state);
        if !["FINALIZED", "TERMINATED"].contains(&state) {
            let end = process.say("ContractNegotiationTerminationMessage");
            stage.post(&format!("{}/termination", process.path()), &process.exchange, &end).expect(200);
            let told = stage.node.json(&["exchange", "show", &process.exchange]);
            assert!(told["failure"].is_string() || told["stage"] != "failed", "{told}");
        }
    }
    stage.take_all();
    stage.everything_sent_was_valid();
}

#[test]
fn an_agreement_that_is_not_what_was_asked_for_is_not_taken() {
    let stage = Stage::set();
    let (process, offer) = stage.asked_by_node();
    stage.reaches(&process, "REQUESTED");
    let path = format!("{}/agreement", process.path());
    for (key, value) in [
        ("permission", words::permission("planning")),
        ("target", json!(format!("{PEER}/khac"))),
        ("assignee", json!("urn:agency:vn:nguoi-khac")),
        ("assigner", json!("urn:agency:vn:nguoi-khac")),
    ] {
        let mut message = stage.agree(&process, &offer);
        message["agreement"][key] = value;
        message["urn:tram:ns:signature"] = words::agreement_signature(&stage.peer, &message["agreement"]);
        stage.post(&path, &process.exchange, &message).expect(400);
        assert_eq!(stage.state(&process), "REQUESTED", "{key}");
    }
    // The right agreement with a signature over another one: the node ends the negotiation and says why.
    let mut message = stage.agree(&process, &offer);
    let other = stage.agree(&process, &offer);
    message["urn:tram:ns:signature"] = other["urn:tram:ns:signature"].clone();
    let from = stage.door.received().len();
    stage.post(&path, &process.exchange, &message).expect(200);
    let end = stage.door.wait("termination", from, |came| came.path.ends_with("/termination"));
    assert_eq!(end.body["code"], "SIGNATURE", "{}", end.body);
    stage.reaches(&process, "TERMINATED");
    stage.everything_sent_was_valid();
}

#[test]
fn a_consumer_refuses_what_its_transfer_table_does_not_allow() {
    let stage = Stage::set();
    let negotiation = stage.consuming_in("FINALIZED");
    let table: [(&str, &[&str]); 5] = [
        ("REQUESTED", &["start", "termination"]),
        ("STARTED", &["suspension", "completion", "termination"]),
        ("SUSPENDED", &["start", "termination"]),
        ("COMPLETED", &[]),
        ("TERMINATED", &[]),
    ];
    drop(negotiation);
    for (at, (state, allowed)) in table.into_iter().enumerate() {
        let process = stage.pulling_in(state, at);
        for (tail, body) in process.transfer_messages() {
            if !allowed.contains(&tail) {
                stage.out_of_turn(&process, state, tail, &body);
            }
        }
        let foreign = about("TransferTerminationMessage", &new_pid(), &process.consumer_pid);
        let reply =
            stage.ask("POST", &format!("{}/termination", process.path()), &process.exchange, Some(&foreign));
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert_eq!(stage.state(&process), state);
    }
    stage.everything_sent_was_valid();
}

impl Stage {
    /// Brings a transfer that the node asked for into a state. The first one belongs to the exchange that was negotiated;
    /// later ones go by the standing agreement.
    fn pulling_in(&self, state: &str, number: usize) -> Process {
        let nth = |came: &Received| came.path.ends_with("/transfers/request");
        if number > 0 {
            let what = format!("{PEER}/tram-do");
            let words =
                ["exchange", "get", &what, "--purpose", PURPOSE, "--basis", "law", "--queue", "--wait", "1"];
            let _goes_on = self.node.spawn(&words);
        }
        let deadline = Instant::now() + STATE_TIMEOUT;
        let first = loop {
            if let Some(found) = self.door.received().into_iter().filter(nth).nth(number) {
                break found;
            }
            assert!(Instant::now() < deadline, "no transfer was asked for");
            thread::sleep(Duration::from_millis(30));
        };
        let consumer_pid = first.body["consumerPid"].as_str().unwrap().to_owned();
        let process = Process {
            exchange: first.exchange.unwrap(),
            provider_pid: format!("urn:test:{consumer_pid}"),
            consumer_pid,
            node_provides: false,
            transfer: true,
        };
        let say = |tail: &str, body: &Value| {
            self.post(&format!("{}/{tail}", process.path()), &process.exchange, body).expect(200);
        };
        self.reaches(&process, "REQUESTED");
        if state != "REQUESTED" && state != "TERMINATED" {
            let mut start = process.say("TransferStartMessage");
            start["dataAddress"] = self.own_address(&process);
            say("start", &start);
        }
        match state {
            "SUSPENDED" => say("suspension", &process.say("TransferSuspensionMessage")),
            "COMPLETED" => say("completion", &process.say("TransferCompletionMessage")),
            "TERMINATED" => say("termination", &process.say("TransferTerminationMessage")),
            _ => {}
        }
        self.reaches(&process, state);
        process
    }

    fn own_address(&self, process: &Process) -> Value {
        json!({
            "@type": "DataAddress",
            "endpointType": "urn:tram:ns:http-pull",
            "endpoint": format!("{}/tram/data/{}", self.peer.endpoint(), process.exchange),
            "endpointProperties": [
                {"@type": "EndpointProperty", "name": "authType", "value": "bearer"},
                {"@type": "EndpointProperty", "name": "authorization", "value": "not-a-token-of-anybody"},
            ],
        })
    }
}
