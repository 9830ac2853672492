//! The command line: one JSON document a verb, an exit code for each kind of end, texts that say what to do, and the same
//! answers with and without a running node.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::scene::{Shared, ask, get, proved, publish, receipts, word};
use tests::{Output, Rules, Running, TestNode, flip_byte, free_port, pair, run};

const WHAT: &str = "urn:agency:vn:cli-provider/counts";
const FOR: [&str; 4] = ["--purpose", "planning", "--basis", "law"];
const COUNTS: &str = "nut_giao,luot_xe\nHoàng Quốc Việt,120\nNghĩa Tân,80\n";

struct Pair {
    provider: TestNode,
    consumer: TestNode,
}

fn make() -> Pair {
    let provider = TestNode::up("urn:agency:vn:cli-provider", "Sở Xây dựng");
    let consumer = TestNode::up("urn:agency:vn:cli-consumer", "Phường Nghĩa Đô");
    Rules::new()
        .allow("state", "query", "counts", "planning", json!({"retention_days": 30}))
        .apply(&provider);
    publish(&provider, &file(&provider, "counts.csv", COUNTS), "counts", &[]);
    pair(&provider, &consumer);
    Pair { provider, consumer }
}

/// Shared by the tests that stop nothing.
fn agencies() -> Arc<Pair> {
    static SHARED: Shared<Pair> = Shared::new();
    SHARED.get(make)
}

fn file(node: &TestNode, name: &str, text: &str) -> PathBuf {
    let path = node.desk().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// With `--json`, a failure is one problem document on stdout; its words are on stderr, too.
#[track_caller]
fn problem(output: Output, code: i32, kind: &str) -> String {
    let output = output.expect_code(code);
    let told = output.json();
    assert_eq!(word(&told, "type"), format!("urn:tram:problem:{kind}"), "{told}");
    let detail = word(&told, "detail");
    assert!(output.stderr.contains(&detail), "{output:?}");
    detail
}

#[test]
fn every_verb_gives_one_json_document_with_and_without_a_running_node() {
    let mut node = TestNode::init("urn:agency:vn:cli-alone", "Sở Xây dựng");
    let csv = file(&node, "counts.csv", COUNTS);
    let rules = node.desk().join("alone");
    Rules::new().allow("state", "query", "one", "planning", json!({})).write(&rules);
    let refused = problem(node.cmd(&["status", "--json"]), 1, "unavailable");
    assert!(refused.contains("tram serve"), "{refused}");
    all_verbs(&node, "one", &csv, &rules);
    let before = node.json(&["dataset", "list"]);
    node.start();
    assert_eq!(node.json(&["status"])["participant"], node.id());
    assert_eq!(node.json(&["dataset", "list"]), before);
    all_verbs(&node, "two", &csv, &rules);
    let listed = node.json(&["dataset", "list"]);
    assert_eq!(listed["datasets"].as_array().unwrap().len(), 2, "{listed}");
}

/// Every verb that needs no peer, on one dataset of this name.
fn all_verbs(node: &TestNode, name: &str, csv: &Path, rules: &Path) {
    let added = node.json(&["dataset", "add", text(csv), "--name", name]);
    assert_eq!(added["dataset"]["columns"][1]["kind"], "integer", "{added}");
    // Whoever does not say how it is shared gets the strictest, as over the door.
    let record = &added["dataset"];
    assert_eq!((&record["kind"], &record["classification"]), (&json!("special"), &json!(9)), "{added}");
    assert!(PathBuf::from(word(&added, "contract")).is_file(), "{added}");
    assert_eq!(node.json(&["dataset", "validate", name])["report"]["rows"], 2);
    assert_eq!(node.json(&["dataset", "publish", name])["dataset"]["status"], "published");
    assert_eq!(node.json(&["dataset", "show", name])["dataset"]["id"], name);
    assert_eq!(node.json(&["catalog", "search", name])["entries"][0]["dataset"], name);
    assert_eq!(node.json(&["dataset", "withdraw", name])["dataset"]["status"], "withdrawn");
    assert_eq!(node.json(&["policy", "test", text(rules)])["failed"], 0);
    let version = node.json(&["policy", "apply", text(rules)])["rule_set"]["version"].as_u64().unwrap();
    assert_eq!(node.json(&["policy", "show"])["rule_set"]["version"], version);
    let exported = node.desk().join(format!("exported-{name}"));
    node.json(&["policy", "export", text(&exported)]);
    assert_eq!(
        std::fs::read(exported.join("policy.csv")).unwrap(),
        std::fs::read(rules.join("policy.csv")).unwrap()
    );
    let question = ["--subject", "urn:agency:vn:stranger", "--dataset", name, "--purpose", "planning"];
    let explained = node.json(&[&["policy", "explain"], &question[..]].concat());
    assert!(explained["explanation"]["decision"].is_object(), "{explained}");
    assert_eq!(node.json(&["peer", "list"])["peers"], json!([]));
    assert!(word(&node.json(&["peer", "invite"]), "code").len() > 20);
    assert_eq!(node.json(&["exchange", "list"])["exchanges"], json!([]));
    assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
    assert!(node.json(&["ledger", "list"])["entries"].is_array());
    assert_eq!(node.json(&["ledger", "checkpoint"])["origin"], node.json(&["ledger", "verify"])["origin"]);
}

#[test]
fn init_and_serve_give_one_json_document() {
    let desk = tempfile::tempdir().unwrap();
    let dir = desk.path().join("node");
    let (peer, local) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    let init = ["init", "--dir", text(&dir), "--id", "urn:agency:vn:cli-init", "--name", "Phường", "--json"];
    let init = [&init[..], &["--listen", &peer, "--local", &local]].concat();
    let made = run(&init).expect_code(0).json();
    assert_eq!(made["participant"], "urn:agency:vn:cli-init");
    let again = problem(run(&init), 1, "conflict");
    assert!(again.contains("choose another folder"), "{again}");
    let serving = Running::start(&["serve", "--dir", text(&dir), "--json"]);
    wait_until(|| run(&["status", "--dir", text(&dir)]).code == 0);
    let second = run(&["serve", "--dir", text(&dir)]);
    assert_eq!(second.code, 1, "{second:?}");
    signal("TERM", serving.pid());
    assert_eq!(serving.wait().expect_code(0).json()["stopped"], true);
}

#[track_caller]
fn wait_until(mut what: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !what() {
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "no SIG{name} for {pid}");
}

#[test]
fn wrong_words_are_a_usage_error_that_says_what_to_write() {
    let agencies = agencies();
    let node = &agencies.consumer;
    for words in [
        &["dance"][..],
        &["dataset", "add"],
        &["exchange", "get", WHAT, "--format", "exe"],
        &["ledger", "list", "--from", "x"],
    ] {
        let output = node.cmd(words).expect_code(2);
        assert!(output.stdout.is_empty() && output.stderr.contains("--help"), "{output:?}");
    }
    let wrong = |words: &[&str]| problem(node.cmd(&[words, &["--json"]].concat()), 2, "bad-request");
    assert!(wrong(&["exchange", "get", "counts"]).contains("PARTICIPANT/DATASET"));
    assert!(wrong(&["exchange", "get", WHAT, "--where", "many"]).contains("write for example"));
    assert!(wrong(&["exchange", "get", WHAT, "--measure", "median(x)"]).contains("write count"));
    assert!(wrong(&["dataset", "add", text(&file(node, "x.csv", COUNTS)), "--name", "Ă Â"]).contains("Ă Â"));
    let empty = node.desk().join("no-rules");
    std::fs::create_dir_all(&empty).unwrap();
    assert!(wrong(&["policy", "test", text(&empty)]).contains("policy.csv"));
}

#[test]
fn plain_failures_end_with_one_and_say_what_to_do() {
    let agencies = agencies();
    let (node, consumer) = (&agencies.provider, &agencies.consumer);
    let failed =
        |node: &TestNode, words: &[&str], kind| problem(node.cmd(&[words, &["--json"]].concat()), 1, kind);
    assert!(failed(node, &["dataset", "show", "nowhere"], "not-found").contains("tram dataset list"));
    assert!(
        failed(consumer, &["exchange", "show", "01J00000000000000000000000"], "not-found")
            .contains("exchange list")
    );
    let again = failed(
        node,
        &["dataset", "add", text(&file(node, "again.csv", COUNTS)), "--name", "counts"],
        "conflict",
    );
    assert!(again.contains("tram dataset validate counts"), "{again}");
    let unpaired =
        failed(consumer, &["exchange", "get", "urn:agency:vn:nobody/x", "--purpose", "p"], "not-found");
    assert!(unpaired.contains("urn:agency:vn:nobody") && unpaired.contains("tram peer"), "{unpaired}");
    let missing = node.cmd(&["dataset", "add", "/nowhere/at-all.csv"]).expect_code(1);
    assert!(
        missing.stderr.contains("/nowhere/at-all.csv") && missing.stderr.contains("check that"),
        "{missing:?}"
    );
    let nowhere = run(&["dataset", "list", "--dir", "/nowhere/at-all"]);
    assert!(nowhere.code == 2 && nowhere.stderr.contains("tram init"), "{nowhere:?}");
    let rules = node.desk().join("failing");
    Rules::new().write(&rules);
    let case = json!([{"n": "nobody may", "want": "allow",
        "q": ["ag:urn:agency:vn:x", "ds:counts", "query", "pu:planning", "-", "bas:law", "net:gov", "2026-11-20T08:00Z"]}]);
    std::fs::write(rules.join("cases.json"), case.to_string()).unwrap();
    let registry = json!({"datasets": {"ds:counts": {"owner": "ag:urn:agency:vn:y", "cls": 1, "personal": "none", "kind": "default"}},
        "agreements": {}, "parties": {"ag:urn:agency:vn:x": "VN"}, "transfer_dossiers": []});
    std::fs::write(rules.join("registry.json"), registry.to_string()).unwrap();
    let tested = node.cmd(&["policy", "test", text(&rules), "--json"]).expect_code(1).json();
    assert_eq!(
        (&tested["failed"], &tested["failures"][0]["name"]),
        (&json!(1), &json!("nobody may")),
        "{tested}"
    );
    let applied = failed(node, &["policy", "apply", text(&rules)], "conflict");
    assert!(applied.contains("tram policy test"), "{applied}");
}

#[test]
fn a_refusal_ends_with_three_and_one_document() {
    let agencies = agencies();
    let refused = ask(&agencies.consumer, WHAT, "refused.csv", &["--purpose", "curiosity", "--basis", "law"])
        .expect_code(3);
    let told = refused.json();
    assert_eq!((&told["effect"], &told["reasons"][0]["code"]), (&json!("deny"), &json!("NO-RULE")), "{told}");
    assert!(
        refused.stderr.contains("refused (NO-RULE)") && refused.stderr.contains("legal basis:"),
        "{refused:?}"
    );
    assert_eq!(told["verified"], true);
}

#[test]
fn a_tampered_receipt_ends_with_four_and_names_what_is_wrong() {
    let agencies = agencies();
    let got = get(&agencies.consumer, WHAT, "counts.csv", &FOR);
    assert_eq!(got.text(), COUNTS);
    for receipt in got.receipts() {
        let whole = run(&["receipt", "verify", text(&receipt), "--json"]).expect_code(0).json();
        assert_eq!(whole["verdict"], "valid");
        let bytes = std::fs::read(&receipt).unwrap();
        for offset in (7..bytes.len()).step_by(bytes.len() / 12) {
            std::fs::write(&receipt, &bytes).unwrap();
            flip_byte(&receipt, offset);
            let output = run(&["receipt", "verify", text(&receipt), "--json"]);
            if output.code == 0 && proved(&output.json()) == proved(&whole) {
                continue;
            }
            let told = problem(output, 4, "verification-failed");
            assert!(told.contains("is not valid") || told.contains(text(&receipt)), "byte {offset}: {told}");
        }
        std::fs::write(&receipt, &bytes).unwrap();
        let other = file(&agencies.consumer, "other.csv", "nut_giao,luot_xe\n");
        let told = run(&["receipt", "verify", text(&receipt), "--data", text(&other)]).expect_code(4);
        assert!(told.stderr.contains("other data"), "{told:?}");
    }
    // The registry of a paired node is a reader's own trust.
    let registry = agencies.consumer.dir().join("registry.json");
    assert!(registry.is_file(), "{}", registry.display());
    let first = &got.receipts()[0];
    let words = ["receipt", "verify", text(first), "--registry", text(&registry), "--json"];
    let judged = run(&words).expect_code(0).json();
    assert_eq!(judged["keys"]["from"], "registry", "{judged}");
}

#[test]
fn a_peer_that_is_down_ends_with_five_or_waits_with_six_until_it_is_back() {
    let Pair { mut provider, mut consumer } = make();
    assert_eq!(provider.stop(), 0);
    let told = problem(ask(&consumer, WHAT, "down.csv", &FOR), 5, "peer-unreachable");
    assert!(told.contains(provider.id()) || told.contains(&provider.peer_address()), "{told}");
    let queued = problem(ask(&consumer, WHAT, "queued.csv", &[&FOR[..], &["--queue"]].concat()), 6, "queued");
    let id = waiting(&consumer);
    assert!(queued.contains(&format!("tram exchange resume {id}")), "{queued}");
    let early = problem(resume(&consumer, &id, "early.csv"), 6, "queued");
    assert!(early.contains("resume"), "{early}");
    provider.start();
    fetched(&consumer, &id);
    // The same without a running node at the consumer: the command opens it for as long as it takes.
    assert_eq!(consumer.stop(), 0);
    let got = get(&consumer, WHAT, "alone.csv", &FOR);
    assert_eq!(got.text(), COUNTS);
    assert_eq!(provider.stop(), 0);
    problem(ask(&consumer, WHAT, "down-again.csv", &FOR), 5, "peer-unreachable");
    problem(ask(&consumer, WHAT, "queued-again.csv", &[&FOR[..], &["--queue"]].concat()), 6, "queued");
    let id = waiting(&consumer);
    provider.start();
    fetched(&consumer, &id);
    consumer.start();
    for node in [&provider, &consumer] {
        assert_eq!(node.json(&["ledger", "verify"])["ok"], true);
    }
}

/// Id of the one exchange that waits.
#[track_caller]
fn waiting(node: &TestNode) -> String {
    let listed = node.json(&["exchange", "list"]);
    let all = listed["exchanges"].as_array().unwrap();
    let waits: Vec<&Value> = all.iter().filter(|e| !e["waiting"].is_null()).collect();
    assert_eq!(waits.len(), 1, "{listed}");
    word(waits[0], "id")
}

fn resume(node: &TestNode, id: &str, out: &str) -> Output {
    node.cmd(&["exchange", "resume", id, "--out", text(&node.desk().join(out)), "--json"])
}

#[track_caller]
fn fetched(node: &TestNode, id: &str) {
    let told = resume(node, id, "resumed.csv").expect_code(0).json();
    assert_eq!(
        (&told["id"], &told["stage"], &told["verified"]),
        (&json!(id), &json!("completed"), &json!(true))
    );
    assert_eq!(std::fs::read_to_string(node.desk().join("resumed.csv")).unwrap(), COUNTS);
    // Once more: it brings home what is there.
    resume(node, id, "resumed-again.csv").expect_code(0);
}

/// What each exchange of the demonstration's summary must say.
const DEMO_KEYS: [&str; 12] = [
    "dataset",
    "purpose",
    "effect",
    "reasons",
    "obligations",
    "rows",
    "bytes",
    "sha256",
    "agreement",
    "transfer",
    "receipt_file",
    "verified",
];

#[test]
fn the_demonstration_ends_in_verified_receipts_and_tells_a_story() {
    let desk = tempfile::tempdir().unwrap();
    let (first, second) = (desk.path().join("first"), desk.path().join("second"));
    let told = run(&["demo", "--once", "--json", "--into", text(&first)]).expect_code(0).json();
    assert_eq!(told["verified"], true);
    let exchanges = told["exchanges"].as_array().unwrap();
    for exchange in exchanges {
        for key in DEMO_KEYS {
            assert!(exchange.get(key).is_some(), "no `{key}` in {exchange}");
        }
        assert_eq!(exchange["verified"], true);
        let files = receipts(exchange);
        assert_eq!(files.len(), 2, "{exchange}");
        for receipt in files {
            run(&["receipt", "verify", text(&receipt)]).expect_code(0);
        }
    }
    let said: Vec<(String, String)> =
        exchanges.iter().map(|e| (word(e, "effect"), word(e, "purpose"))).collect();
    let wanted =
        [("permit", "air-quality-management"), ("deny", "staff-appraisal"), ("permit", "epidemiology")];
    assert_eq!(said, wanted.map(|(effect, purpose)| (effect.to_owned(), purpose.to_owned())));
    assert!(word(&exchanges[1]["reasons"][0], "legal_basis").len() > 10);
    for node in ["ward", "environment", "health"] {
        run(&["ledger", "verify", "--dir", text(&first.join(node))]).expect_code(0);
    }
    let story = run(&["demo", "--once", "--into", text(&second)]).expect_code(0);
    for part in
        ["Ba cơ quan, ba trạm", "Three agencies, three nodes", "bị từ chối", "refused", "verified offline"]
    {
        assert!(story.stderr.contains(part), "no `{part}` in the story:\n{}", story.stderr);
    }
    for part in ["Tóm tắt / Summary", "19505", "air-hourly", "staff-appraisal", "tram receipt verify"] {
        assert!(story.stdout.contains(part), "no `{part}` in the summary:\n{}", story.stdout);
    }
    // The same seed makes the same rows.
    let air = |folder: &Path| std::fs::read(folder.join("received/air-hourly.csv")).unwrap();
    assert!(air(&first) == air(&second));
}

#[test]
fn the_demonstration_stays_up_for_a_look_around() {
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path().join("demo");
    let (ward, health) = (folder.join("ward"), folder.join("health"));
    let running = Running::start(&["demo", "--into", text(&folder), "--seed", "7"]);
    let told = |dir: &Path| -> Vec<Value> {
        let output = run(&["exchange", "list", "--json", "--dir", text(dir)]);
        let document = if output.code == 0 { output.json() } else { Value::Null };
        document["exchanges"].as_array().cloned().unwrap_or_default()
    };
    wait_until(|| ward.join("run/local.json").is_file() && health.join("run/local.json").is_file());
    let over = |e: &Value| ["completed", "refused"].contains(&e["stage"].as_str().unwrap_or_default());
    wait_until(|| {
        told(&ward).iter().filter(|e| over(e)).count() == 3
            && told(&health).iter().filter(|e| over(e)).count() == 2
    });
    run(&["status", "--dir", text(&ward)]).expect_code(0);
    let found =
        run(&["catalog", "search", "giao", "thong", "--json", "--dir", text(&folder.join("environment"))]);
    assert_eq!(found.expect_code(0).json()["entries"][0]["dataset"], "traffic-counts");
    signal("INT", running.pid());
    let output = running.wait().expect_code(0);
    assert!(output.stderr.contains("exchange list --dir"), "{output:?}");
}
