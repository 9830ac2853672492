//! `receipt-first`: the rows travel sealed, and whoever has not acknowledged them has no key. With real nodes, killed at
//! each step, and with a consumer that is written in the test and does not keep to the order.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

mod wire;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::statement::{Ack, ExchangeId, Party, Place, Seconds, SignedStatement, Statement};
use serde_json::{Value, json};
use sha2::Digest;
use tests::scene::{get, publish, wait};
use tests::{TestNode, pair, run};
use wire::words::{self, PURPOSE, message, segment};
use wire::{Answer, Door, Received, Reply, Request, Rogue, Target, new_exchange_id, new_pid};

const PROVIDER: &str = "urn:agency:vn:kho";
const CONSUMER: &str = "urn:agency:vn:phuong";
const FOR: [&str; 4] = ["--purpose", "environment-monitoring", "--basis", "law"];
/// Stands in every row.
const MARK: &str = "tram quan trac khong khi";
/// Some twenty megabytes: five chunks.
const MANY: usize = 420_000;

fn rows(count: usize) -> String {
    let mut text = String::from("id,ghi_chu\n");
    for i in 0..count {
        text.push_str(&format!("{i},so do {} cua {MARK}\n", i * 31_337 % 1_000_003));
    }
    text
}

fn offer(provider: &TestNode, count: usize) -> String {
    let text = rows(count);
    let file = provider.desk().join("lon.csv");
    fs::write(&file, &text).unwrap();
    publish(provider, &file, "lon", &["--receipt-first"]);
    text
}

/// Files below a folder, with what is in them.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path, bytes));
        }
    }
    found
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// No row lies in clear below these folders of a node, and there is something that could.
#[track_caller]
fn nothing_in_clear(node: &TestNode, folders: &[&str]) {
    for folder in folders {
        for (path, bytes) in files(&node.dir().join(folder)) {
            assert!(!holds(&bytes, MARK.as_bytes()), "rows lie in clear in {}", path.display());
        }
    }
}

/// Indexes of the entries of one kind about an exchange.
fn entries(node: &TestNode, id: &str, kind: &str) -> Vec<u64> {
    let listed = node.json(&["ledger", "list", "--limit", "256"])["entries"].clone();
    let of = |e: &&Value| e["statement"]["exchange"] == id && e["statement"]["kind"] == kind;
    listed.as_array().unwrap().iter().filter(of).map(|e| e["index"].as_u64().unwrap()).collect()
}

fn key_files(node: &TestNode) -> Vec<PathBuf> {
    let all = files(&node.dir().join("evidence")).into_iter().map(|(path, _)| path);
    all.filter(|path| path.extension().is_some_and(|end| end == "key")).collect()
}

#[test]
fn rows_that_must_be_acknowledged_first_arrive_and_prove_themselves() {
    let provider = TestNode::up(PROVIDER, "Kho dữ liệu");
    let consumer = TestNode::up(CONSUMER, "Phường thử");
    pair(&provider, &consumer);
    let text = offer(&provider, 300);
    assert_eq!(provider.json(&["dataset", "show", "lon"])["dataset"]["receipt_first"], true);
    assert!(provider.ok(&["dataset", "show", "lon"]).stdout.contains("receipt first"));

    let got = get(&consumer, &format!("{PROVIDER}/lon"), "lon.csv", &FOR);
    assert_eq!(got.text(), text);
    let id = got.word("id");
    for node in [&provider, &consumer] {
        assert_eq!(entries(node, &id, "tram/ack@v1").len(), 1, "the acknowledgement stands in both ledgers");
        assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
    }
    // The receipt is about the rows, and not about what travelled.
    for receipt in got.receipts() {
        let (receipt, data) = (receipt.to_string_lossy().into_owned(), got.file.to_string_lossy());
        run(&["receipt", "verify", &receipt, "--data", &data]).expect_code(0);
    }
    nothing_in_clear(&provider, &["spool", "store"]);
    let spool = files(&provider.dir().join("spool"));
    let (_, manifest) = spool.iter().find(|(path, _)| path.ends_with("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(manifest).unwrap();
    assert_eq!(manifest["manifest"]["sealed"]["algorithm"], "aes-256-gcm", "{manifest}");

    // The key lies in its private file on either side and nowhere else, and is erased with the rest.
    for node in [&provider, &consumer] {
        let [path] = key_files(node).try_into().unwrap();
        let written = fs::read_to_string(&path).unwrap();
        let hex = written.split(' ').next().unwrap();
        let raw: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        let forms = [hex.as_bytes().to_vec(), BASE64.encode(&raw).into_bytes(), raw];
        for (other, bytes) in files(&node.dir()) {
            assert!(
                other == path || !forms.iter().any(|form| holds(&bytes, form)),
                "the key is in {}",
                other.display()
            );
        }
        assert!(!holds(node.log().as_bytes(), &forms[0]) && !holds(node.log().as_bytes(), &forms[1]));
        node.ok(&["exchange", "erase", &id, "--reason", "retention"]);
        assert_eq!(key_files(node), Vec::<PathBuf>::new());
    }
}

/// Two nodes in the middle of an exchange whose provider cannot hand over its key: it was put aside.
struct Middle {
    provider: TestNode,
    consumer: TestNode,
    id: String,
    text: String,
    key: (PathBuf, PathBuf),
}

impl Middle {
    /// Every sealed chunk is at the consumer; the provider takes no acknowledgement.
    fn reach() -> Self {
        let provider = TestNode::up(PROVIDER, "Kho dữ liệu");
        let consumer = TestNode::up(CONSUMER, "Phường thử");
        pair(&provider, &consumer);
        let text = offer(&provider, MANY);
        let begun =
            consumer.spawn(&[&["exchange", "get", &format!("{PROVIDER}/lon"), "--queue"], &FOR[..]].concat());
        // Drawn before the first chunk is made, and not looked at again before the acknowledgement.
        let key = wait("the provider's key", || key_files(&provider).pop());
        let aside = provider.desk().join("aside.key");
        fs::rename(&key, &aside).unwrap();
        let id = wait("the exchange", || {
            let all = consumer.json(&["exchange", "list"]);
            all["exchanges"][0]["id"].as_str().map(str::to_owned)
        });
        wait("the sealed rows", || {
            let exchange = consumer.json(&["exchange", "show", &id]);
            (exchange["stage"] == "acknowledging" && exchange["failure"].is_string()).then_some(())
        });
        drop(begun);
        Self { provider, consumer, id, text, key: (key, aside) }
    }

    fn give_the_key_back(&self) {
        fs::rename(&self.key.1, &self.key.0).unwrap();
    }

    /// The consumer has all chunks, and neither a row nor a key.
    #[track_caller]
    fn sealed_at_the_consumer(&self) {
        let inbox = files(&self.consumer.dir().join("inbox").join(&self.id));
        let chunks = inbox.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "chunk"));
        let bytes: usize = chunks.map(|(_, bytes)| bytes.len()).sum();
        assert!(bytes > self.text.len(), "not everything is there: {bytes} bytes");
        nothing_in_clear(&self.consumer, &["inbox", "received", "store"]);
        assert_eq!(key_files(&self.consumer), Vec::<PathBuf>::new());
        assert_eq!(entries(&self.provider, &self.id, "tram/ack@v1"), Vec::<u64>::new());
    }

    #[track_caller]
    fn completes(&self) {
        wait("the end", || {
            let exchange = self.consumer.json(&["exchange", "show", &self.id]);
            assert!(!["failed", "refused"].iter().any(|s| exchange["stage"] == *s), "{exchange}");
            (exchange["stage"] == "completed").then_some(())
        });
        let received = fs::read(self.consumer.dir().join("received").join(&self.id)).unwrap();
        assert!(received == self.text.as_bytes(), "other rows arrived");
        for node in [&self.provider, &self.consumer] {
            for kind in ["tram/exchange@v1", "tram/ack@v1"] {
                assert_eq!(entries(node, &self.id, kind).len(), 1, "{kind} at {}", node.id());
            }
            assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
        }
    }
}

#[test]
fn before_the_acknowledgement_the_consumer_has_nothing_to_read_and_either_may_be_killed() {
    let mut middle = Middle::reach();
    middle.sealed_at_the_consumer();
    middle.consumer.kill9();
    middle.provider.kill9();
    middle.provider.start();
    middle.consumer.start();
    middle.sealed_at_the_consumer();
    // The provider comes back once more, this time with its key: the one that it drew before it was killed.
    middle.provider.kill9();
    middle.give_the_key_back();
    middle.provider.start();
    middle.completes();
}

#[test]
fn between_acknowledgement_and_rows_either_may_be_killed() {
    let mut middle = Middle::reach();
    // A file where the folder of received rows should be: the key comes, and the rows cannot be put down.
    let received = middle.consumer.dir().join("received");
    fs::remove_dir_all(&received).unwrap();
    fs::write(&received, b"").unwrap();
    middle.give_the_key_back();
    wait("the key at the consumer", || key_files(&middle.consumer).pop());
    assert_eq!(
        entries(&middle.provider, &middle.id, "tram/ack@v1").len(),
        1,
        "the acknowledgement came first"
    );
    middle.consumer.kill9();
    middle.provider.kill9();
    nothing_in_clear(&middle.consumer, &["inbox", "store"]);
    fs::remove_file(&received).unwrap();
    fs::create_dir(&received).unwrap();
    middle.provider.start();
    middle.consumer.start();
    middle.completes();
}

#[test]
fn an_exchange_that_ends_before_its_acknowledgement_ends_without_rows() {
    let middle = Middle::reach();
    middle.provider.ok(&["dataset", "withdraw", "lon"]);
    let exchange = wait("the end", || {
        let exchange = middle.consumer.json(&["exchange", "show", &middle.id]);
        ["failed", "refused"].iter().any(|stage| exchange["stage"] == *stage).then_some(exchange)
    });
    let told = !exchange["refusal"].is_null() || exchange["failure"].is_string();
    assert!(told, "it ended without a reason: {exchange}");
    // Given back too late: the key goes to nobody, and the rows stay sealed.
    middle.give_the_key_back();
    middle.sealed_at_the_consumer();
    for node in [&middle.provider, &middle.consumer] {
        assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
    }
}

#[test]
fn while_chunks_are_made_and_fetched_either_may_be_killed() {
    let mut provider = TestNode::up(PROVIDER, "Kho dữ liệu");
    let mut consumer = TestNode::up(CONSUMER, "Phường thử");
    pair(&provider, &consumer);
    let text = offer(&provider, MANY);
    let begun =
        consumer.spawn(&[&["exchange", "get", &format!("{PROVIDER}/lon"), "--queue"], &FOR[..]].concat());
    let first = wait("the provider's key", || fs::read(key_files(&provider).pop()?).ok());
    provider.kill9();
    nothing_in_clear(&provider, &["spool"]);
    let manifests = |node: &TestNode| {
        files(&node.dir().join("spool")).iter().filter(|(path, _)| path.ends_with("manifest.json")).count()
    };
    assert_eq!(manifests(&provider), 0, "the provider was too quick: all was sealed before it was killed");
    provider.start();
    // Rows that are made again are sealed with another key: no nonce comes twice.
    wait("another key", || {
        let key = fs::read(key_files(&provider).pop()?).ok()?;
        (key != first).then_some(())
    });
    let chunk = |node: &TestNode| {
        let inbox = files(&node.dir().join("inbox"));
        inbox.iter().any(|(path, _)| path.extension().is_some_and(|e| e == "chunk")).then_some(())
    };
    wait("a chunk", || chunk(&consumer));
    assert_eq!(manifests(&provider), 1, "nothing is served before all is sealed");
    consumer.kill9();
    nothing_in_clear(&consumer, &["inbox", "store"]);
    consumer.start();
    drop(begun);
    let id = consumer.json(&["exchange", "list"])["exchanges"][0]["id"].as_str().unwrap().to_owned();
    let key = (PathBuf::new(), PathBuf::new());
    Middle { provider, consumer, id, text, key }.completes();
}

// ---- a consumer that is written in the test ----

/// A provider's node and a consumer of another make with its door.
struct Stage {
    node: TestNode,
    peer: Rogue,
    target: Target,
    door: Door,
    exchange: String,
    address: Value,
}

impl Stage {
    /// Negotiates and asks for the data, as docs/protocol.md §5 says.
    fn reach() -> Self {
        let node = TestNode::up(PROVIDER, "Kho dữ liệu");
        offer(&node, 300);
        let peer = Rogue::new("urn:agency:vn:khac-hang");
        let target = peer.pair(&node);
        let door = Door::open(&peer, &target, |_: &Received| Answer::json(200, &json!({})));
        let exchange = new_exchange_id();
        let mut stage = Self { node, peer, target, door, exchange, address: Value::Null };
        let agreement = stage.negotiate();
        let pid = new_pid();
        let ask = words::transfer_request(&pid, &stage.peer.callback(), &agreement);
        stage.post("/dsp/2025-1/transfers/request", &ask).expect(201);
        let end = format!("/{pid}/start");
        let start = stage.door.wait("start", 0, |came| came.path.ends_with(&end));
        stage.address = start.body["dataAddress"].clone();
        stage
    }

    fn negotiate(&self) -> String {
        let catalog = self.post("/dsp/2025-1/catalog/request", &message("CatalogRequestMessage", json!({})));
        let dataset = catalog.expect(200).json()["dataset"][0].clone();
        let (target, offer) = (dataset["@id"].as_str().unwrap(), &dataset["hasPolicy"][0]);
        let pid = new_pid();
        let wish = words::offer(offer["@id"].as_str().unwrap(), target, PURPOSE);
        let first = words::first_request(&pid, &self.peer.callback(), &wish);
        let opened = self.post("/dsp/2025-1/negotiations/request", &first).expect(201).json();
        let theirs = opened["providerPid"].as_str().unwrap();
        let end = format!("/{pid}/agreement");
        let agreement =
            self.door.wait("agreement", 0, |came| came.path.ends_with(&end)).body["agreement"].clone();
        let verified = words::verification(&self.peer, theirs, &pid, &agreement);
        let path = format!("/dsp/2025-1/negotiations/{}/agreement/verification", segment(theirs));
        wait("the agreement to be confirmed", || (self.post(&path, &verified).status == 200).then_some(()));
        let end = format!("/{pid}/events");
        self.door.wait("finalized", 0, |came| came.path.ends_with(&end));
        agreement["@id"].as_str().unwrap().to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        self.peer.post(&self.target, path, &self.exchange, body)
    }

    fn get(&self, path: &str) -> Reply {
        self.peer.ask(&self.target, Request::bare("GET", path, Vec::new()).of(&self.exchange))
    }

    fn key(&self) -> Reply {
        self.get(&format!("/tram/exchanges/{}/key", self.exchange))
    }

    fn acknowledge(&self, bytes: &[u8]) -> Reply {
        let path = format!("/tram/exchanges/{}/ack", self.exchange);
        self.peer.ask(&self.target, Request::bare("POST", &path, bytes.to_vec()).of(&self.exchange))
    }

    fn data(&self, tail: &str) -> Reply {
        let all = self.address["endpointProperties"].as_array().unwrap();
        let token = all.iter().find(|p| p["name"] == "authorization").unwrap()["value"].as_str().unwrap();
        let endpoint = self.address["endpoint"].as_str().unwrap();
        let path = format!("{}/{tail}", endpoint.strip_prefix(&self.target.endpoint).unwrap());
        wait(tail, || {
            let request = Request::bare("GET", &path, Vec::new()).of(&self.exchange).token(token);
            let reply = self.peer.ask(&self.target, request);
            (reply.status != 425).then_some(reply)
        })
    }

    /// The acknowledgement of this statement, signed by the test's participant.
    fn ack(&self, statement: &SignedStatement, index: u64) -> Vec<u8> {
        let place = |of: &str, index| Place { log: Party::new(&format!("{of}/ledger")).unwrap(), index };
        let ack = Statement::Ack(Ack {
            id: ExchangeId::new(&self.exchange).unwrap(),
            time: Seconds::new(wire::now().unsigned_abs()).unwrap(),
            leaf: statement.leaf(),
            provider: place(PROVIDER, index),
            consumer: place(self.peer.id.as_str(), 0),
        });
        let name = ledger::KeyName::new(self.peer.id.as_str()).unwrap();
        ack.sign(&ledger::Signer::new(name, self.peer.keys.signing.clone())).unwrap().bytes().to_vec()
    }
}

#[test]
fn whoever_does_not_acknowledge_gets_sealed_bytes_and_no_key() {
    let stage = Stage::reach();
    assert_eq!(stage.key().status, 425);
    let manifest = stage.data("manifest").expect(200).json()["manifest"].clone();
    let announced = manifest["sealed"]["key_sha256"].as_str().unwrap().to_owned();
    let chunk = stage.data("chunks/0").expect(200).body;
    assert_eq!(manifest["chunks"][0]["sha256"].as_str().unwrap(), wire::hex(&sha2::Sha256::digest(&chunk)));
    assert_eq!(manifest["bytes"].as_u64().unwrap() + 16, chunk.len() as u64);
    assert!(!holds(&chunk, MARK.as_bytes()), "rows travel in clear");

    let handed = stage.get(&format!("/tram/exchanges/{}/statement", stage.exchange)).expect(200).json();
    let statement = BASE64.decode(handed["statement"].as_str().unwrap()).unwrap();
    let statement = SignedStatement::parse(&statement).unwrap();
    let index = handed["index"].as_u64().unwrap();
    assert_eq!(stage.key().status, 425, "the statement alone is no acknowledgement");

    // What is no acknowledgement of this statement buys nothing.
    let good = stage.ack(&statement, index);
    let mut spoilt = good.clone();
    let at = spoilt.len() - 20;
    spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
    for bad in [b"{}".to_vec(), statement.bytes().to_vec(), stage.ack(&statement, index + 1), spoilt] {
        assert!(stage.acknowledge(&bad).status >= 400);
        assert_eq!(stage.key().status, 425);
    }
    // For somebody else the exchange does not exist.
    let other = Rogue::new("urn:agency:vn:nguoi-la");
    let target = other.pair(&stage.node);
    let path = format!("/tram/exchanges/{}/key", stage.exchange);
    assert_eq!(other.get(&target, &path).status, 404);

    stage.acknowledge(&good).expect(200);
    assert_eq!(entries(&stage.node, &stage.exchange, "tram/ack@v1").len(), 1);
    let key = BASE64.decode(stage.key().expect(200).json()["key"].as_str().unwrap()).unwrap();
    assert_eq!(wire::hex(&sha2::Sha256::digest(&key)), announced);
    assert_eq!(other.get(&target, &path).status, 404);

    // Whoever has acknowledged has a right to the key, whatever becomes of the dataset.
    stage.node.ok(&["dataset", "withdraw", "lon"]);
    assert_eq!(stage.key().expect(200).json()["key"].as_str().unwrap(), BASE64.encode(&key));
}

#[test]
fn what_is_permitted_no_more_takes_no_acknowledgement() {
    let stage = Stage::reach();
    stage.data("manifest").expect(200);
    let handed = stage.get(&format!("/tram/exchanges/{}/statement", stage.exchange)).expect(200).json();
    let statement = BASE64.decode(handed["statement"].as_str().unwrap()).unwrap();
    let ack = stage.ack(&SignedStatement::parse(&statement).unwrap(), handed["index"].as_u64().unwrap());
    stage.node.ok(&["dataset", "withdraw", "lon"]);
    assert!(stage.acknowledge(&ack).status >= 400);
    assert_eq!(entries(&stage.node, &stage.exchange, "tram/ack@v1"), Vec::<u64>::new());
    assert_eq!(stage.key().status, 425);
}
