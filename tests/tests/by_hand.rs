//! What people do between exchanges, and what it changes: a contract edited, rules changed, a dataset withdrawn, a peer
//! revoked. And the commands as a person uses them, without `--json`.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::scene::{ask, get, publish, word};
use tests::{Output, Rules, TestNode, pair, run};

const PROVIDER: &str = "urn:agency:vn:hand-provider";
const WHAT: &str = "urn:agency:vn:hand-provider/counts";
const FOR: [&str; 4] = ["--purpose", "planning", "--basis", "law"];
const COUNTS: &str = "nut_giao,luot_xe\nHoàng Quốc Việt,120\nNghĩa Tân,80\nBưởi,95\n";

fn agencies() -> (TestNode, TestNode) {
    let provider = TestNode::up(PROVIDER, "Sở Xây dựng");
    let consumer = TestNode::up("urn:agency:vn:hand-consumer", "Phường Nghĩa Đô");
    open().apply(&provider);
    publish(&provider, &put(&provider, "counts.csv", COUNTS), "counts", &["--title", "Đếm xe"]);
    pair(&provider, &consumer);
    (provider, consumer)
}

fn open() -> Rules {
    Rules::new().allow("state", "query", "counts", "planning", json!({"retention_days": 30}))
}

fn put(node: &TestNode, name: &str, text: &str) -> PathBuf {
    let path = node.desk().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn people_read_tables_and_rows_on_stdout_and_talk_on_stderr() {
    let (provider, consumer) = agencies();
    let shown = provider.ok(&["dataset", "show", "counts"]).stdout;
    for word in ["counts  Đếm xe", "status published", "nut_giao", "luot_xe   integer"] {
        assert!(shown.contains(word), "no `{word}` in\n{shown}");
    }
    let added = provider.ok(&["dataset", "add", text(&put(&provider, "Đếm Xe 2.csv", COUNTS))]);
    assert!(added.stdout.starts_with("dem-xe-2"), "{added:?}");
    assert!(added.stderr.contains("tram dataset validate dem-xe-2"), "{added:?}");
    let found = consumer.ok(&["catalog", "search", "dem xe"]).stdout;
    assert!(found.contains(WHAT) && found.contains("Đếm xe"), "{found}");
    let rows = consumer.ok(&[&["exchange", "get", WHAT], &FOR[..]].concat());
    assert_eq!(rows.stdout, COUNTS);
    assert!(rows.stderr.contains("completed: 3 rows"), "{rows:?}");
    let folder = consumer.desk().join("kept");
    let out = consumer.desk().join("two.csv");
    let words = ["--receipts", text(&folder), "--limit", "2", "--out", text(&out)];
    let two = consumer.ok(&[&["exchange", "get", WHAT], &FOR[..], &words].concat()).stdout;
    assert!(two.starts_with("2 rows") && two.contains("agreement urn:uuid:"), "{two}");
    let receipts: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(receipts.len(), 2, "{receipts:?}");
    for receipt in receipts {
        let judged = run(&["receipt", "verify", text(&receipt)]).expect_code(0).stdout;
        assert!(
            judged.starts_with("VALID") && judged.contains("purpose planning, legal basis law"),
            "{judged}"
        );
    }
    let listed = consumer.ok(&["exchange", "list"]).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let not_taken = consumer.json(&[&["exchange", "get", WHAT], &FOR[..]].concat());
    assert_eq!((&not_taken["rows"], &not_taken["verified"]), (&json!(3), &Value::Null), "{not_taken}");
    assert_eq!(not_taken["receipt_files"], json!([]));
    let ledger = provider.ok(&["ledger", "list"]).stdout;
    for kind in ["tram/intent@v1", "tram/exchange@v1", "tram/ack@v1"] {
        let rows = ledger.lines().filter(|line| line.contains(kind)).count();
        assert_eq!(rows, 3, "{kind} of three exchanges:\n{ledger}");
    }
    let peers = provider.ok(&["peer", "list"]).stdout;
    assert!(peers.contains(consumer.id()) && peers.contains("state"), "{peers}");
}

#[test]
fn an_edited_contract_is_read_back_as_the_next_version() {
    let (provider, consumer) = agencies();
    let contract = PathBuf::from(word(&provider.json(&["dataset", "show", "counts"]), "contract"));
    let before = std::fs::read_to_string(&contract).unwrap();
    let edited = before
        .replace("name: Đếm xe\n", "name: Đếm lượt xe theo nút\n")
        .replace("logicalType: integer", "logicalType: number");
    assert_ne!(before, edited);
    std::fs::write(&contract, &edited).unwrap();
    let early = provider.cmd(&["dataset", "publish", "counts"]).expect_code(1);
    assert!(early.stderr.contains("tram dataset validate counts"), "{early:?}");
    assert_eq!(provider.json(&["dataset", "validate", "counts"])["dataset"]["version"], 2);
    provider.ok(&["dataset", "publish", "counts"]);
    let found = consumer.json(&["catalog", "search", "luot xe theo nut"]);
    assert_eq!((&found["entries"][0]["version"], &found["total"]), (&json!(2), &json!(1)), "{found}");
    let got = get(&consumer, WHAT, "numbers.csv", &FOR);
    assert_eq!(got.text(), COUNTS.replace(",120", ",120.0").replace(",80", ",80.0").replace(",95", ",95.0"));
    for (bad, words) in [
        (edited.replace("schema:", "schemas:"), ["schemas", "counts.yaml"]),
        (edited.replace("- name: luot_xe", "- name: so_xe"), ["line 1", "luot_xe"]),
        (edited.replace("id: counts", "id: other"), ["other", "cannot be changed"]),
        ("a: [".to_owned(), ["counts.yaml", "line"]),
    ] {
        std::fs::write(&contract, &bad).unwrap();
        let refused = provider.cmd(&["dataset", "validate", "counts"]).expect_code(2);
        for word in words {
            assert!(refused.stderr.contains(word), "no `{word}` in {}", refused.stderr);
        }
    }
    std::fs::write(&contract, edited).unwrap();
    provider.ok(&["dataset", "validate", "counts"]);
}

#[test]
fn a_standing_agreement_does_not_outlive_the_rules_that_made_it() {
    let (provider, consumer) = agencies();
    let first = get(&consumer, WHAT, "first.csv", &FOR);
    Rules::new().apply(&provider);
    let refused = ask(&consumer, WHAT, "second.csv", &FOR).expect_code(3).json();
    assert_eq!(
        (&refused["effect"], &refused["reasons"][0]["code"]),
        (&json!("deny"), &json!("NO-RULE")),
        "{refused}"
    );
    assert_eq!(refused["verified"], true);
    assert!(!consumer.desk().join("second.csv").exists());
    open().allow("state", "query", "counts", "planning", json!({"max_rows": 1})).apply(&provider);
    let third = get(&consumer, WHAT, "third.csv", &FOR);
    assert_eq!(third.told["agreement"], first.told["agreement"], "the agreement itself stands");
    assert_eq!(third.told["rows"], 1, "the new obligations hold at once");
    provider.ok(&["dataset", "withdraw", "counts"]);
    let gone = ask(&consumer, WHAT, "gone.csv", &FOR);
    assert!([1, 3].contains(&gone.code), "{gone:?}");
    assert_eq!(consumer.json(&["catalog", "search"])["entries"], json!([]));
    // What was received is still proved.
    for receipt in first.receipts() {
        run(&["receipt", "verify", text(&receipt), "--data", text(&first.file)]).expect_code(0);
    }
}

#[test]
fn a_revoked_peer_is_shut_out_within_a_minute() {
    let (provider, consumer) = agencies();
    get(&consumer, WHAT, "before.csv", &FOR);
    let revoked = provider.json(&["peer", "revoke", consumer.id()]);
    assert_eq!(
        (&revoked["peer"]["id"], &revoked["peer"]["status"]),
        (&json!(consumer.id()), &json!("revoked"))
    );
    let begun = Instant::now();
    let shut_out = loop {
        let output = ask(&consumer, WHAT, "after.csv", &FOR);
        if output.code != 0 {
            break output;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "still served: {output:?}");
    };
    refused_by_name(&shut_out);
    assert!(!provider.json(&["catalog", "search"]).to_string().contains(consumer.id()));
    for node in [&provider, &consumer] {
        assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
    }
    let unknown = provider.cmd(&["peer", "revoke", "urn:agency:vn:nobody"]).expect_code(1);
    assert!(unknown.stderr.contains("urn:agency:vn:nobody"), "{unknown:?}");
}

#[track_caller]
fn refused_by_name(output: &Output) {
    assert!([1, 3, 5].contains(&output.code), "{output:?}");
    assert!(output.stderr.contains(PROVIDER) || output.stderr.contains("does not accept"), "{output:?}");
    let told: Value = output.json();
    assert!(told.is_object());
}
