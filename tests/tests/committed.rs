//! What identifies people stands in the ledger as a commitment only on both sides, found nowhere in clear but with
//! the evidence, and gone for good once that is erased, while every proof still verifies.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tests::scene::{get, publish};
use tests::{Rules, TestNode, pair, run};

const WHAT: &str = "urn:agency:vn:commit-provider/lon";
const FOR: [&str; 4] = ["--purpose", "planning", "--basis", "law"];
const USER: &str = "Trần Thị Niêm Phong";
const CASE: &str = "HS-2026/000777";

fn files_with(folder: &Path, text: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if std::fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path);
        }
    }
}

/// Files of a node that hold a text in clear.
fn in_clear(node: &TestNode, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_with(&node.dir(), text, &mut found);
    found
}

fn exchange_entry(node: &TestNode, id: &str) -> String {
    let entries = node.json(&["ledger", "list", "--limit", "256"])["entries"].clone();
    let of = |e: &&Value| e["statement"]["exchange"] == id && e["statement"]["kind"] == "tram/exchange@v1";
    entries.as_array().unwrap().iter().find(of).unwrap()["text"].as_str().unwrap().to_owned()
}

#[test]
fn names_are_committed_to_on_both_sides_and_erased_for_good() {
    let provider = TestNode::up("urn:agency:vn:commit-provider", "Sở Tư pháp");
    let consumer = TestNode::up("urn:agency:vn:commit-consumer", "Phường Nghĩa Đô");
    Rules::new().allow("state", "query", "lon", "planning", json!({"retention_days": 30})).apply(&provider);
    let file = provider.desk().join("lon.csv");
    std::fs::write(&file, "nut_giao,luot_xe\nHoàng Quốc Việt,120\n").unwrap();
    publish(&provider, &file, "lon", &[]);
    pair(&provider, &consumer);
    // An agreement stands already: committed fields must reach the provider all the same.
    get(&consumer, WHAT, "plain.csv", &FOR);
    let named = get(&consumer, WHAT, "lon.csv", &[&FOR[..], &["--user", USER, "--case", CASE]].concat());
    let id = named.word("id");

    let (here, there) = (exchange_entry(&consumer, &id), exchange_entry(&provider, &id));
    assert_eq!(here, there);
    assert!(
        here.contains("\nc.user ") && here.contains("\nc.case ") && !here.contains("\nc.subject "),
        "{here}"
    );
    for node in [&provider, &consumer] {
        for text in [USER, CASE] {
            let found = in_clear(node, text);
            assert!(!found.is_empty(), "`{text}` cannot be opened at {}", node.id());
            for path in found {
                assert!(path.parent().unwrap().ends_with("evidence"), "`{text}` is in {}", path.display());
            }
        }
    }

    let salts = salts_of_decisions(&provider, &id);
    let told = provider.cmd(&["exchange", "erase", &id, "--reason", "mood"]).expect_code(2).stderr;
    assert!(told.contains("retention, request, order"), "{told}");
    for node in [&provider, &consumer] {
        let entry = node.json(&["exchange", "erase", &id, "--reason", "request"])["entry"].clone();
        let again = node.json(&["exchange", "erase", &id, "--reason", "request"])["entry"].clone();
        assert_eq!(entry, again, "one erasure, one entry");
        for text in [USER, CASE] {
            assert_eq!(in_clear(node, text), Vec::<PathBuf>::new(), "{}", node.id());
        }
        assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
        let told = node.json(&["ledger", "list", "--limit", "256"]);
        let erased = &told["entries"][entry.as_u64().unwrap() as usize]["statement"];
        assert_eq!(
            (&erased["kind"], &erased["reason"]),
            (&json!("tram/erasure@v1"), &json!("request")),
            "{erased}"
        );
    }
    for salt in salts {
        assert_eq!(in_clear(&provider, &salt), Vec::<PathBuf>::new(), "what opened a decision is here still");
    }
    let told = provider.ok(&["exchange", "decisions", &id]).stdout;
    assert!(told.contains("was erased"), "{told}");
    // The receipts that the consumer took home before, and those that it still holds, stay valid.
    for receipt in named.receipts() {
        run(&["receipt", "verify", &receipt.to_string_lossy()]).expect_code(0);
    }
    let held = std::fs::read_dir(consumer.dir().join("receipts")).unwrap().map(|e| e.unwrap().path());
    let of_this: Vec<PathBuf> = held.filter(|path| path.to_string_lossy().contains(&id)).collect();
    assert_eq!(of_this.len(), 2);
    for receipt in of_this {
        let judged = run(&["receipt", "verify", &receipt.to_string_lossy(), "--json"]).expect_code(0).json();
        assert_eq!(judged["answer"], Value::Null, "{judged}");
    }
}

/// The salts that open an exchange's decisions, out of their receipts.
fn salts_of_decisions(provider: &TestNode, id: &str) -> Vec<String> {
    let folder = provider.desk().join("decisions");
    let told = provider.json(&["exchange", "decisions", id, "--receipts", &folder.to_string_lossy()]);
    let mut salts = Vec::new();
    for decision in told["decisions"].as_array().unwrap() {
        let file = std::fs::read_to_string(decision["receipt_file"].as_str().unwrap()).unwrap();
        let extra = file.lines().find_map(|line| line.strip_prefix("extra ")).unwrap();
        let extra: Value = serde_json::from_slice(&BASE64.decode(extra).unwrap()).unwrap();
        let opened = &extra["keys"]["decision"];
        salts.extend(["question_salt", "verdict_salt"].map(|key| opened[key].as_str().unwrap().to_owned()));
    }
    assert!(!salts.is_empty(), "{told}");
    salts
}

#[test]
fn names_of_an_exchange_that_never_began_are_erased_too() {
    let mut provider = TestNode::up("urn:agency:vn:commit-away", "Sở Tư pháp");
    let consumer = TestNode::up("urn:agency:vn:commit-waits", "Phường Nghĩa Đô");
    pair(&provider, &consumer);
    provider.stop();
    let what = "urn:agency:vn:commit-away/lon";
    let told = consumer.cmd(&["exchange", "get", what, "--user", USER, "--json"]);
    assert_eq!(told.code, 5, "{told:?}");
    let listed = consumer.json(&["exchange", "list"]);
    let id = listed["exchanges"][0]["id"].as_str().unwrap();
    assert!(!in_clear(&consumer, USER).is_empty());
    let erased = consumer.json(&["exchange", "erase", id, "--reason", "request"]);
    assert_eq!(erased["entry"], Value::Null, "{erased}");
    assert_eq!(in_clear(&consumer, USER), Vec::<PathBuf>::new());
}

#[test]
fn what_cannot_be_committed_to_is_refused_without_being_repeated() {
    let node = TestNode::up("urn:agency:vn:commit-alone", "Sở Tư pháp");
    let long = "x".repeat(257);
    for bad in [" ", "a\u{7}b", long.as_str()] {
        let told = node.cmd(&["exchange", "get", WHAT, "--user", bad]).expect_code(2).stderr;
        assert!(told.contains("`user`") && !told.contains(&long), "{told}");
    }
}
