//! Many at once, and one that stands still: transfers from one provider share its line, a consumer that asks and does not
//! read costs pieces and not chunks, and rows that are the same for several transfers are made once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

mod wire;

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::bench::door::call;
use tests::bench::write_payload;
use tests::scene::{get, publish};
use tests::{TestNode, flip_byte, pair, repository};
use wire::words::{self, message, segment};
use wire::{Answer, Door, Received, Request, Rogue, Target, new_exchange_id, new_pid};

const PROVIDER: &str = "urn:agency:vn:kho";
/// How long a stage may take.
const STAGE_TIMEOUT: Duration = Duration::from_secs(180);
const CHUNK_BYTES: u64 = 4 << 20;

#[track_caller]
fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + STAGE_TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A provider with the rules of the benchmark and a payload, and a consumer.
fn scene(dataset: &str, bytes: u64) -> (TestNode, TestNode) {
    let provider = TestNode::up(PROVIDER, "Kho dữ liệu");
    provider.ok(&["policy", "apply", &repository().join("tests/bench/rules").to_string_lossy()]);
    let payload = provider.desk().join("readings.csv");
    write_payload(&payload, bytes).unwrap();
    publish(&provider, &payload, dataset, &["--in-place"]);
    let consumer = TestNode::up("urn:agency:vn:phuong", "Phường thử");
    pair(&provider, &consumer);
    (provider, consumer)
}

// ---- sharing the line ----

/// Transfers at once, each of so many bytes: 24 chunks.
const AT_ONCE: usize = 5;
const EACH_BYTES: u64 = 100_000_000;

#[test]
fn transfers_that_run_at_once_get_on_together() {
    let (_provider, consumer) = scene("readings-plain", EACH_BYTES);
    let what = format!("{PROVIDER}/readings-plain");
    // Once before, so that agreement and spool are there and all begin alike.
    get(&consumer, &what, "first.csv", &["--purpose", "official-statistics", "--basis", "law"]);
    let wish = json!({
        "participant": PROVIDER, "dataset": "readings-plain", "purpose": "official-statistics", "basis": "law",
    });
    let ids: Vec<String> = (0..AT_ONCE)
        .map(|_| {
            call(&consumer, "POST", "/v1/exchanges", &wish.to_string()).unwrap()["id"]
                .as_str()
                .unwrap()
                .into()
        })
        .collect();
    let received = |id: &String| consumer.dir().join("received").join(id);
    let held = |id: &String| {
        let record = consumer.dir().join("inbox").join(id).join("rows.held");
        if received(id).exists() {
            24
        } else {
            fs::read_to_string(record).map_or(0, |text| text.lines().count())
        }
    };
    let at_first_end: Vec<usize> = wait("the first to end", || {
        ids.iter().any(|id| received(id).exists()).then(|| ids.iter().map(held).collect())
    });
    // A queue that served one after the other would have left the last at nothing.
    assert!(
        at_first_end.iter().all(|chunks| *chunks >= 6),
        "chunks of 24 when the first ended: {at_first_end:?}"
    );
    for id in &ids {
        wait("the end", || {
            let seen = call(&consumer, "GET", &format!("/v1/exchanges/{id}"), "").unwrap();
            assert!(seen["stage"] != "failed", "{seen}");
            (seen["stage"] == "completed").then_some(())
        });
        assert!(fs::read(received(id)).unwrap() == fs::read(received(&ids[0])).unwrap());
    }
}

// ---- rows that are made once ----

fn spools(provider: &TestNode) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(provider.dir().join("spool")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    all
}

fn inode(folder: &Path) -> u64 {
    fs::metadata(folder.join("0.chunk")).unwrap().ino()
}

#[test]
fn rows_are_made_once_for_transfers_that_get_the_same() {
    let (mut provider, consumer) = scene("readings-governed", 9_000_000);
    let what = format!("{PROVIDER}/readings-governed");
    let take = |basis: &str, file: &str| {
        get(&consumer, &what, file, &["--purpose", "official-statistics", "--basis", basis]).bytes
    };
    let first = take("law-1", "1.csv");
    assert!(take("law-1", "2.csv") == first);
    let shared: Vec<u64> = spools(&provider).iter().map(|folder| inode(folder)).collect();
    assert_eq!((shared.len(), shared[0]), (2, shared[1]), "the second was made anew");
    // Another agreement hashes with another key: it gets rows of its own.
    assert!(take("law-2", "3.csv") != first);
    assert!(spools(&provider).iter().any(|folder| inode(folder) != shared[0]), "two agreements share hashes");
    // Found again after the provider was killed.
    provider.kill9();
    provider.start();
    assert!(take("law-1", "4.csv") == first);
    assert_eq!(spools(&provider).iter().filter(|folder| inode(folder) == shared[0]).count(), 3);
    // And not when the disk changed it: it is made again.
    provider.stop();
    let linked = spools(&provider).into_iter().find(|folder| inode(folder) == shared[0]).unwrap();
    flip_byte(&linked.join("0.chunk"), 1_000);
    provider.start();
    assert!(take("law-1", "5.csv") == first, "damaged rows were handed on");
    assert!(take("law-1", "6.csv") == first);
    assert_eq!(spools(&provider).iter().filter(|folder| inode(folder) == shared[0]).count(), 3);
}

// ---- one that stands still ----

/// Requests that one participant leaves unread: as many as it may have at once, but some.
const UNREAD: usize = 28;

/// A consumer of another make in the middle of a transfer.
struct Reader {
    node: TestNode,
    peer: Rogue,
    target: Target,
    exchange: String,
    address: Value,
    _door: Door,
}

impl Reader {
    fn reach() -> Self {
        let node = TestNode::up(PROVIDER, "Kho dữ liệu");
        node.ok(&["policy", "apply", &repository().join("tests/bench/rules").to_string_lossy()]);
        let payload = node.desk().join("readings.csv");
        write_payload(&payload, 8 * CHUNK_BYTES).unwrap();
        publish(&node, &payload, "readings-plain", &["--in-place"]);
        let peer = Rogue::new("urn:agency:vn:khac-hang");
        let target = peer.pair(&node);
        let door = Door::open(&peer, &target, |_: &Received| Answer::json(200, &json!({})));
        let exchange = new_exchange_id();
        let post = |path: &str, body: &Value| peer.post(&target, path, &exchange, body);
        let catalog = post("/dsp/2025-1/catalog/request", &message("CatalogRequestMessage", json!({})));
        let dataset = catalog.expect(200).json()["dataset"][0].clone();
        let offer = dataset["hasPolicy"][0]["@id"].as_str().unwrap();
        let pid = new_pid();
        let wish = words::offer(offer, dataset["@id"].as_str().unwrap(), "official-statistics");
        let first = words::first_request(&pid, &peer.callback(), &wish);
        let opened = post("/dsp/2025-1/negotiations/request", &first).expect(201).json();
        let theirs = opened["providerPid"].as_str().unwrap();
        let end = format!("/{pid}/agreement");
        let agreement = door.wait("agreement", 0, |came| came.path.ends_with(&end)).body["agreement"].clone();
        let verified = words::verification(&peer, theirs, &pid, &agreement);
        let path = format!("/dsp/2025-1/negotiations/{}/agreement/verification", segment(theirs));
        wait("the agreement to be confirmed", || (post(&path, &verified).status == 200).then_some(()));
        let end = format!("/{pid}/events");
        door.wait("finalized", 0, |came| came.path.ends_with(&end));
        let pid = new_pid();
        let ask = words::transfer_request(&pid, &peer.callback(), agreement["@id"].as_str().unwrap());
        post("/dsp/2025-1/transfers/request", &ask).expect(201);
        let end = format!("/{pid}/start");
        let address = door.wait("start", 0, |came| came.path.ends_with(&end)).body["dataAddress"].clone();
        Self { node, peer, target, exchange, address, _door: door }
    }

    fn request(&self, tail: &str) -> Request {
        let all = self.address["endpointProperties"].as_array().unwrap();
        let token = all.iter().find(|p| p["name"] == "authorization").unwrap()["value"].as_str().unwrap();
        let endpoint = self.address["endpoint"].as_str().unwrap();
        let path = format!("{}/{tail}", endpoint.strip_prefix(&self.target.endpoint).unwrap());
        self.peer.sign(&self.target, Request::bare("GET", &path, Vec::new()).of(&self.exchange).token(token))
    }

    fn status(&self, tail: &str) -> u16 {
        self.peer.send(&self.target, &self.request(tail)).unwrap().status
    }
}

#[test]
fn a_consumer_that_asks_and_does_not_read_costs_pieces_and_its_own_places() {
    let reader = Reader::reach();
    wait("the rows", || (reader.status("manifest") == 200).then_some(()));
    // All chunks once, so that what serving needs at all is there.
    for number in 0..7 {
        assert_eq!(reader.status(&format!("chunks/{number}")), 200);
    }
    let Some(before) = reader.node.rss_bytes(false) else {
        return tests::skip("this system tells no memory");
    };
    let mut open = Vec::new();
    for number in 0..UNREAD {
        let mut line = wire::connect(reader.peer.client(&reader.target), &reader.target.address).unwrap();
        wire::write(&mut line, &reader.target, &reader.request(&format!("chunks/{}", number % 7))).unwrap();
        // The answer has begun: from here on the node waits for this reader.
        line.read_exact(&mut [0]).unwrap();
        open.push(line);
    }
    let grown = reader.node.rss_bytes(false).unwrap_or(0).saturating_sub(before);
    let chunks = UNREAD as u64 * CHUNK_BYTES;
    assert!(grown < chunks / 3, "{UNREAD} unread chunks of {chunks} bytes cost {grown} bytes");
    // The places are taken until the chunks are read, and are this participant's own.
    let mut more = Vec::new();
    for _ in 0..8 {
        let mut line = wire::connect(reader.peer.client(&reader.target), &reader.target.address).unwrap();
        wire::write(&mut line, &reader.target, &reader.request("chunks/0")).unwrap();
        let mut status = [0; 12];
        line.read_exact(&mut status).unwrap();
        more.push((status == *b"HTTP/1.1 503", line));
    }
    assert!(more.iter().any(|(refused, _)| *refused), "one participant may leave any number unread");
    let other = TestNode::up("urn:agency:vn:phuong", "Phường thử");
    pair(&reader.node, &other);
    let words = ["--purpose", "official-statistics", "--basis", "law"];
    let got = get(&other, &format!("{PROVIDER}/readings-plain"), "other.csv", &words);
    assert!(got.bytes.len() as u64 >= 8 * CHUNK_BYTES, "another consumer is held up");
    // Whoever reads after all gets the chunk.
    let mut late = open.remove(0);
    let mut rest = vec![0; 2 << 20];
    late.read_exact(&mut rest).unwrap();
    drop((open, more, late));
    wait("the places to be given back", || (reader.status("chunks/0") == 200).then_some(()));
}
