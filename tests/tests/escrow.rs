//! A provider takes the acknowledgement and never comes back. The auditor to whom it sealed the key opens the rows from what
//! the consumer holds, with real nodes and the real command line.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::Digest;
use tests::scene::{get, publish, wait};
use tests::{TestNode, pair, run};

const PROVIDER: &str = "urn:agency:vn:kho";
const CONSUMER: &str = "urn:agency:vn:phuong";
const AUDITOR: &str = "urn:agency:vn:thanh-tra";
const FOR: [&str; 4] = ["--purpose", "environment-monitoring", "--basis", "law"];
/// Stands in every row.
const MARK: &str = "tram quan trac khong khi";
/// Some twenty megabytes: five chunks, and time to put the provider's key aside.
const MANY: usize = 420_000;

fn offer(provider: &TestNode, count: usize) -> String {
    let mut text = String::from("id,ghi_chu\n");
    for i in 0..count {
        text.push_str(&format!("{i},so do {} cua {MARK}\n", i * 31_337 % 1_000_003));
    }
    let file = provider.desk().join("lon.csv");
    fs::write(&file, &text).unwrap();
    publish(provider, &file, "lon", &["--receipt-first"]);
    text
}

fn words(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An auditor's desk with its key pair.
struct Auditor {
    desk: tempfile::TempDir,
    line: String,
}

impl Auditor {
    fn new() -> Self {
        let desk = tempfile::tempdir().unwrap();
        let secret = desk.path().join("secret.key");
        let told = run(&["escrow", "key", "--out", words(&secret), "--json"]).expect_code(0).json();
        let line = told["key"].as_str().unwrap().to_owned();
        Self { desk, line }
    }

    /// `[ledger.escrow]` of a node that does not run.
    fn configure(&self, node: &TestNode, more: &str) {
        let file = node.dir().join("tram.toml");
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str(&format!(
            "\n[ledger.escrow]\nauditor = \"{AUDITOR}\"\nkey = \"{}\"\n{more}",
            self.line
        ));
        fs::write(&file, text).unwrap();
    }

    fn open(&self, handed: &Path, registry: &Path, rows: &Path) -> tests::Output {
        let secret = self.desk.path().join("secret.key");
        run(&[
            "escrow",
            "open",
            words(handed),
            "--key",
            words(&secret),
            "--registry",
            words(registry),
            "--out",
            words(rows),
            "--json",
        ])
    }
}

/// A provider that escrows, or not, and a consumer; both run and know each other.
fn house(configure: impl FnOnce(&TestNode, &TestNode)) -> (TestNode, TestNode) {
    let mut provider = TestNode::init(PROVIDER, "Kho dữ liệu");
    let mut consumer = TestNode::init(CONSUMER, "Phường thử");
    configure(&provider, &consumer);
    provider.start();
    consumer.start();
    pair(&provider, &consumer);
    (provider, consumer)
}

fn key_files(node: &TestNode) -> Vec<PathBuf> {
    let all = fs::read_dir(node.dir().join("evidence")).unwrap().flatten().map(|entry| entry.path());
    all.filter(|path| path.is_file() && path.extension().is_some_and(|end| end == "key")).collect()
}

/// How many entries of one kind about an exchange a ledger has.
fn entries(node: &TestNode, id: &str, kind: &str) -> usize {
    let listed = node.json(&["ledger", "list", "--limit", "256"])["entries"].clone();
    let of = |e: &&Value| e["statement"]["exchange"] == id && e["statement"]["kind"] == kind;
    listed.as_array().unwrap().iter().filter(of).count()
}

/// Where a consumer keeps the key of an exchange.
fn place_of_key(consumer: &TestNode, id: &str) -> PathBuf {
    let digest = sha2::Sha256::digest(PROVIDER.as_bytes());
    let short: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    consumer.dir().join("evidence").join(format!("c-{short}-{id}.key"))
}

#[test]
fn the_rows_of_a_provider_that_was_killed_after_the_acknowledgement_come_from_the_auditor() {
    let auditor = Auditor::new();
    let (mut provider, consumer) = house(|provider, _| auditor.configure(provider, ""));
    let text = offer(&provider, MANY);
    let what = format!("{PROVIDER}/lon");
    let begun = consumer.spawn(&[&["exchange", "get", &what, "--queue"], &FOR[..]].concat());
    // Without its key the provider takes no acknowledgement: time to bar the consumer from asking for the key.
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
    let barred = place_of_key(&consumer, &id);
    fs::create_dir(&barred).unwrap();
    fs::rename(&aside, &key).unwrap();
    wait("the acknowledgement at the provider", || {
        (entries(&provider, &id, "tram/ack@v1") == 1).then_some(())
    });
    provider.kill9();
    fs::remove_dir(&barred).unwrap();
    assert_eq!(key_files(&consumer), Vec::<PathBuf>::new(), "the consumer got the key");
    assert_eq!(consumer.json(&["exchange", "show", &id])["stage"], "acknowledging");

    // What the consumer hands over holds no row in clear, and the ledger says that it was given.
    let handed = consumer.desk().join("handed.tar");
    let said = "no key since this morning";
    let told = consumer.json(&["exchange", "handover", &id, "--says", said, "--out", words(&handed)]);
    assert_eq!((&told["for"], told["chunks"].as_u64()), (&AUDITOR.into(), Some(5)));
    let bytes = fs::read(&handed).unwrap();
    assert!(!bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes()), "rows lie in clear");
    let read = consumer.json(&["ledger", "query", "--kind", "audit"])["entries"].clone();
    let ours = |e: &&Value| e["index"] == told["recorded"] && e.to_string().contains(AUDITOR);
    assert_eq!(read.as_array().unwrap().iter().filter(ours).count(), 1, "{read}");
    consumer.cmd(&["exchange", "handover", &id, "--out", words(&handed)]).expect_code(2);

    // Another auditor's key opens nothing and accuses nobody.
    let registry = consumer.dir().join("registry.json");
    let stranger = Auditor::new();
    let rows = auditor.desk.path().join("rows.csv");
    stranger.open(&handed, &registry, &rows).expect_code(2);
    assert!(!rows.exists());

    let opened = auditor.open(&handed, &registry, &rows).expect_code(0).json();
    assert!(fs::read(&rows).unwrap() == text.as_bytes(), "other rows came out");
    assert_eq!((&opened["misdeed"], &opened["provider"]), (&Value::Null, &PROVIDER.into()));
    assert_eq!((&opened["exchange"], &opened["consumer_says"]), (&id.as_str().into(), &said.into()));
    // The provider is owed the acknowledgement; it is about these very rows.
    let receipt = opened["receipt_file"].as_str().unwrap();
    let judged = run(&[
        "receipt",
        "verify",
        receipt,
        "--registry",
        words(&registry),
        "--data",
        words(&rows),
        "--json",
    ]);
    assert!(!judged.expect_code(0).json()["acknowledged"].is_null());

    // A touched chunk is the file's fault and not the provider's.
    let mut spoilt = bytes;
    let at = spoilt.len() / 2;
    spoilt[at] ^= 1;
    let bad = consumer.desk().join("bad.tar");
    fs::write(&bad, spoilt).unwrap();
    let told = auditor.open(&bad, &registry, &auditor.desk.path().join("more.csv")).expect_code(4);
    assert!(told.stdout.contains("says nothing about the provider"), "{}", told.stdout);

    // The provider comes back after all: the exchange ends as it would have.
    provider.start();
    wait("the end", || (consumer.json(&["exchange", "show", &id])["stage"] == "completed").then_some(()));
    assert!(fs::read(consumer.dir().join("received").join(&id)).unwrap() == text.as_bytes());
    let late = consumer.desk().join("late.tar");
    consumer.cmd(&["exchange", "handover", &id, "--out", words(&late)]).expect_code(1);
    provider.cmd(&["exchange", "handover", &id, "--out", words(&late)]).expect_code(1);
    for node in [&provider, &consumer] {
        assert_eq!(entries(node, &id, "tram/ack@v1"), 1);
        assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
    }
}

#[test]
fn a_consumer_that_demands_escrow_acknowledges_nothing_without_it_and_gets_the_rows_with_it() {
    let auditor = Auditor::new();
    let (mut provider, consumer) = house(|_, consumer| auditor.configure(consumer, "demand = true\n"));
    let text = offer(&provider, 300);
    let what = format!("{PROVIDER}/lon");
    let refused = consumer.cmd(&[&["exchange", "get", &what], &FOR[..]].concat());
    assert_ne!(refused.code, 0);
    assert!(
        refused.stderr.contains("[ledger.escrow]") && refused.stderr.contains(AUDITOR),
        "{}",
        refused.stderr
    );
    let id = consumer.json(&["exchange", "list"])["exchanges"][0]["id"].as_str().unwrap().to_owned();
    for node in [&provider, &consumer] {
        assert_eq!(entries(node, &id, "tram/ack@v1"), 0, "acknowledged at {}", node.id());
    }
    let out = consumer.desk().join("none.tar");
    consumer.cmd(&["exchange", "handover", &id, "--out", words(&out)]).expect_code(1);

    provider.stop();
    Auditor::new().configure(&provider, "");
    provider.start();
    let refused = consumer.cmd(&[&["exchange", "get", &what], &FOR[..]].concat());
    assert!(refused.stderr.contains("[ledger.escrow]"), "another auditor's key will do: {}", refused.stderr);

    provider.stop();
    let file = provider.dir().join("tram.toml");
    let kept = fs::read_to_string(&file).unwrap();
    fs::write(&file, kept.split("\n[ledger.escrow]").next().unwrap()).unwrap();
    auditor.configure(&provider, "");
    provider.start();
    assert_eq!(get(&consumer, &what, "lon.csv", &FOR).text(), text);
}
