//! Receipts of decisions: a stranger checks a permit and a refusal with files alone, decides the question anew under the
//! same rules, and gets the same answer; under other rules, or with one byte changed, the receipt is refused.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tests::scene::{ask, get, publish};
use tests::{Output, Rules, TestNode, pair, run};

const WHAT: &str = "urn:agency:vn:dec-provider/lon";

fn verify(file: &str, rules: &Path) -> Output {
    run(&["receipt", "verify", file, "--rules", &rules.to_string_lossy(), "--json"])
}

fn entries(node: &TestNode) -> Vec<Value> {
    node.json(&["ledger", "list", "--limit", "256"])["entries"].as_array().unwrap().clone()
}

/// The receipts of all decisions about an exchange, with what the list says of each.
fn decisions(provider: &TestNode, id: &str) -> Vec<(Value, String)> {
    let folder = provider.desk().join(format!("decisions-{id}"));
    let told = provider.json(&["exchange", "decisions", id, "--receipts", &folder.to_string_lossy()]);
    let list = told["decisions"].as_array().unwrap().clone();
    list.into_iter()
        .map(|d| {
            let file = d["receipt_file"].as_str().unwrap().to_owned();
            (d, file)
        })
        .collect()
}

fn exported(provider: &TestNode, version: &str) -> PathBuf {
    let folder = provider.desk().join(format!("rules-of-{version}"));
    provider.ok(&["policy", "export", &folder.to_string_lossy(), "--version", version]);
    folder
}

#[test]
fn permits_and_refusals_replay_against_the_rules_that_made_them() {
    let provider = TestNode::up("urn:agency:vn:dec-provider", "Sở Xây dựng");
    let consumer = TestNode::up("urn:agency:vn:dec-consumer", "Phường Nghĩa Đô");
    let rules = Rules::new().allow("state", "query", "lon", "planning", json!({"retention_days": 30}));
    rules.apply(&provider);
    let file = provider.desk().join("lon.csv");
    std::fs::write(&file, "nut_giao,luot_xe\nHoàng Quốc Việt,120\n").unwrap();
    publish(&provider, &file, "lon", &[]);
    pair(&provider, &consumer);

    let permitted = get(&consumer, WHAT, "lon.csv", &["--purpose", "planning", "--basis", "law"]).word("id");
    let refused =
        ask(&consumer, WHAT, "no.csv", &["--purpose", "research", "--basis", "law"]).expect_code(3).json();
    let refused = refused["id"].as_str().unwrap().to_owned();
    let version = provider.json(&["policy", "show"])["rule_set"]["version"].to_string();
    // Other rules come into force; receipts are about those that decided.
    rules.deny("lon", "planning", ["Luật", "Law"], ["không", "no"]).apply(&provider);
    let (then, now) = (exported(&provider, &version), provider.desk().join("rules"));

    for (id, effect) in [(&permitted, "permit"), (&refused, "refuse")] {
        let made = decisions(&provider, id);
        assert!(!made.is_empty(), "no decision about {id}");
        for (decision, file) in made {
            assert_eq!(decision["decision"]["effect"], effect, "{decision}");
            let judged = verify(&file, &then).expect_code(0).json();
            assert_eq!(
                (&judged["verdict"], &judged["replayed"]),
                (&json!("valid"), &json!(true)),
                "{judged}"
            );
            assert_eq!(judged["opened"]["asked"]["question"], decision["question"], "{judged}");
            let said = &judged["statement"];
            assert_eq!(
                (&said["kind"], &said["exchange"]),
                (&json!("tram/decision@v1"), &json!(id)),
                "{judged}"
            );
            // Without rules it is judged, and not replayed.
            let plain = run(&["receipt", "verify", &file, "--json"]).expect_code(0).json();
            assert_eq!(plain["replayed"], Value::Null);
            let told = verify(&file, &now).expect_code(4).stderr;
            assert!(told.contains("other rules") && told.contains("policy export"), "{told}");
            forged_questions_are_refused(&file, &then);
        }
    }
    every_entry_has_its_place(&provider, &permitted, &version);
    // A receipt of an exchange has nothing to replay, and the consumer decided nothing.
    let told = consumer.cmd(&["exchange", "decisions", &permitted]).expect_code(0).stdout;
    assert!(told.contains("the provider decides"), "{told}");
    provider.cmd(&["policy", "export", "x", "--version", "77"]).expect_code(1);
}

/// Another question, or another answer, than those that were signed.
fn forged_questions_are_refused(file: &str, rules: &Path) {
    let whole = std::fs::read_to_string(file).unwrap();
    let extra = whole.lines().find_map(|line| line.strip_prefix("extra ")).unwrap();
    let text = String::from_utf8(BASE64.decode(extra).unwrap()).unwrap();
    for (from, to) in [("\"network\":\"", "\"network\":\"zn:other"), ("\"effect\":\"", "\"effect\":\"x")] {
        assert!(text.contains(from), "{from}: {text}");
        let forged = whole.replace(extra, &BASE64.encode(text.replace(from, to)));
        std::fs::write(file, forged).unwrap();
        let told = verify(file, rules).expect_code(4).stderr;
        assert!(told.contains("is not valid"), "{told}");
    }
    std::fs::write(file, whole).unwrap();
}

/// Decision before intent before exchange, and the change of rules behind them.
fn every_entry_has_its_place(provider: &TestNode, id: &str, version: &str) {
    let all = entries(provider);
    let said: Vec<&Value> = all.iter().map(|entry| &entry["statement"]).collect();
    let at = |kind: &str| said.iter().position(|s| s["kind"] == kind && s["exchange"] == id).unwrap();
    let (decided, meant, done) = (at("tram/decision@v1"), at("tram/intent@v1"), at("tram/exchange@v1"));
    assert!(decided < meant && meant < done, "{decided} {meant} {done}");
    let changed = said.iter().rfind(|s| s["kind"] == "tram/policy@v1").unwrap();
    assert_eq!(changed["before"]["version"].to_string(), version, "{changed}");
    assert_ne!(changed["before"]["sha256"], changed["rule_set"]["sha256"], "{changed}");
}
