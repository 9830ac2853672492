//! The public door of a real node: closed unless opened, and each caller only what the rules show.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tests::scene::publish;
use tests::{Rules, TestNode};

fn status(url: &str, words: &[&str]) -> String {
    let mut all = vec!["-s", "-o", "/dev/null", "-w", "%{http_code}"];
    all.extend(words);
    all.push(url);
    let told = std::process::Command::new("curl").args(all).output().unwrap();
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn a_key_is_good_until_it_is_taken_back_and_a_bad_one_is_never_the_public() {
    let node = TestNode::up_public("urn:agency:vn:mo", "Sở Mở");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cho.csv");
    fs::write(&file, "ma,ten\n1,Đồng Xuân\n").unwrap();
    publish(&node, &file, "cho", &[]);
    Rules::new().apply(&node);
    let party = "urn:party:vn:bao";
    node.ok(&["party", "add", party, "--name", "Báo", "--group", "press"]);
    assert_ne!(node.cmd(&["party", "add", party, "--name", "Báo"]).code, 0, "an id is taken once");
    assert_ne!(
        node.cmd(&["party", "add", "urn:tram:public", "--name", "x"]).code,
        0,
        "the public is nobody's"
    );
    assert_ne!(node.cmd(&["party", "key", party, "--days", "0"]).code, 0);
    let made = node.json(&["party", "key", party, "--purpose", "reporting", "--basis", "law"]);
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("tram_") && key.len() > 40);
    let listed = node.json(&["party", "list"]);
    assert!(!listed.to_string().contains(&key), "a key is shown once");
    assert_eq!(listed["parties"][0]["keys"][0]["purpose"], "reporting");
    let files = format!("{}/v1/files/{}/0.parquet", node.public_url(), "0".repeat(64));
    assert_eq!(status(&files, &[]), "401", "an address that nobody signed");
    assert_eq!(
        status(&format!("{}/v1/node", node.public_url()), &[]),
        "404",
        "nothing of the local door is here"
    );
    node.ok(&["party", "revoke", party, made["id"].as_str().unwrap()]);
    assert_eq!(node.json(&["party", "list"])["parties"][0]["keys"][0]["good"], false);
    node.ok(&["party", "stop", party]);
    assert_ne!(node.cmd(&["party", "key", party]).code, 0, "a stopped party gets no key");
}

/// A node whose table `cho` the public may read, with a name that is given as a pseudonym; so many rows.
fn open_table(rows: usize) -> TestNode {
    let node = TestNode::up_public("urn:agency:vn:mo", "Sở Mở");
    let mut table = String::from("ma,ten\n");
    for n in 0..rows {
        writeln!(table, "{n},Nguoi{}", n % 97).unwrap();
    }
    let file = node.desk().join("cho.csv");
    fs::write(&file, table).unwrap();
    publish(&node, &file, "cho", &[]);
    let masked = json!({"mask": {"ten": "hash"}});
    Rules::closed().open("*", "discover", "cho", json!(null)).open("*", "query", "cho", masked).apply(&node);
    node
}

/// The exchanges that are at no end yet.
fn unfinished(node: &TestNode) -> usize {
    let told = node.json(&["exchange", "list"]);
    let all = told["exchanges"].as_array().unwrap_or_else(|| panic!("{told}"));
    all.iter().filter(|one| one["stage"] == "transferring").count()
}

fn wait_for_ends(node: &TestNode) {
    for _ in 0..300 {
        if unfinished(node) == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("exchanges stay open: {}", node.json(&["exchange", "list"]));
}

#[test]
fn who_hangs_up_leaves_nothing_half_way() {
    let node = open_table(20_000);
    let address = node.public_url().replace("http://", "");
    for n in 0..12 {
        let mut line = TcpStream::connect(&address).unwrap();
        write!(line, "GET /odata/v4/cho?$top={} HTTP/1.1\r\nHost: x\r\n\r\n", 1_000 + n).unwrap();
        // Some before it is decided, some while the rows are made.
        thread::sleep(Duration::from_millis(10 * n));
    }
    wait_for_ends(&node);
    let told = node.json(&["exchange", "list"]);
    let stages: Vec<&Value> = told["exchanges"].as_array().unwrap().iter().map(|one| &one["stage"]).collect();
    assert!(stages.iter().all(|stage| **stage == "completed"), "{stages:?}");
    node.ok(&["ledger", "verify"]);
}

#[test]
fn a_kill_between_question_and_answer_leaves_an_end_and_a_ledger_that_holds() {
    let mut node = open_table(200_000);
    let address = node.public_url().replace("http://", "");
    let mut lines = Vec::new();
    for n in 0..4 {
        let mut line = TcpStream::connect(&address).unwrap();
        write!(line, "GET /odata/v4/cho?$skip={n} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        lines.push(line);
        thread::sleep(Duration::from_millis(60));
    }
    node.kill9();
    node.start();
    wait_for_ends(&node);
    node.ok(&["ledger", "verify"]);
    assert_eq!(status(&format!("{}/odata/v4/cho?$top=1", node.public_url()), &[]), "200");
}

#[test]
fn two_askers_get_two_pseudonyms_for_one_name() {
    let node = open_table(10);
    let first = |key: Option<&str>| {
        let mut words = vec!["-s".to_owned(), format!("{}/odata/v4/cho?$top=1", node.public_url())];
        words.extend(
            key.into_iter().flat_map(|key| ["-H".to_owned(), format!("Authorization: Bearer {key}")]),
        );
        let told = std::process::Command::new("curl").args(words).output().unwrap();
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        told["value"][0]["ten"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    let key = |id: &str| {
        node.ok(&["party", "add", id, "--name", "x"]);
        node.json(&["party", "key", id])["key"].as_str().unwrap().to_owned()
    };
    let (one, two) = (key("urn:party:vn:mot"), key("urn:party:vn:hai"));
    let names = [first(None), first(Some(&one)), first(Some(&two))];
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{names:?}");
    assert!(!names.iter().any(|name| name.contains("Nguoi")), "{names:?}");
    assert_eq!(first(Some(&one)), names[1], "and each the same one again");
}

#[test]
fn a_claim_without_proof_is_taken_from_this_machine_alone() {
    let node = open_table(1);
    node.ok(&["party", "add", "urn:party:vn:x", "--name", "x"]);
    let add = |endpoint: &str| {
        node.cmd(&["connector", "add", "urn:party:vn:x", "--endpoint", endpoint, "--auth", "mock"])
    };
    let refused = add("https://connector.example/dsp");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("loopback"), "{}", refused.stderr);
    assert_eq!(add("http://127.0.0.1:9/dsp").code, 0);
}
