//! `tram policy lint` and `tram policy test --mutation`: offline, at a node, of an earlier version, with their exit codes.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::path::Path;

use serde_json::{Value, json};
use tests::{Rules, TestNode, run};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Ids of the rules of which a code is told.
fn told(answer: &Value, code: &str) -> Vec<String> {
    let findings = answer["lint"]["findings"].as_array().unwrap().iter();
    findings
        .filter(|f| f["code"] == json!(code))
        .map(|f| f["rule"].as_str().unwrap_or("-").to_owned())
        .collect()
}

#[test]
fn rules_are_looked_over_offline_and_with_what_the_node_knows() {
    let mut node = TestNode::init("urn:agency:vn:lint", "Sở Xây dựng");
    let csv = node.desk().join("counts.csv");
    std::fs::write(&csv, "nut_giao,luot_xe\nNghĩa Tân,80\n").unwrap();
    node.json(&["dataset", "add", text(&csv), "--name", "counts", "--kind", "default", "--class", "1"]);
    let folder = node.desk().join("rules");
    let good = Rules::new().allow("state", "query", "counts", "planning", json!({"retention_days": 30}));
    good.write(&folder);

    let offline = run(&["policy", "lint", text(&folder), "--json"]).expect_code(0).json();
    assert!(told(&offline, "UNKNOWN-NAME").is_empty(), "without a node nobody knows the datasets: {offline}");
    assert!(!told(&offline, "NO-BENEFIT").is_empty(), "{offline}");
    let version = node.json(&["policy", "apply", text(&folder)])["rule_set"]["version"].clone();
    node.start();
    let known = node.json(&["policy", "lint"]);
    assert_eq!(known["rule_set"]["version"], version);
    assert_eq!(told(&known, "UNKNOWN-NAME"), ["T-ALLOW-2"], "no peer is in the group: {known}");
    assert_eq!(told(&known, "WIDE-CLASS").len(), 3, "the node knows the class of its dataset: {known}");

    // A deny that an allow above it keeps from being heard is an error.
    let policy = folder.join("policy.csv");
    let mut rows = std::fs::read_to_string(&policy).unwrap();
    rows +=
        "p, T-NEVER, 20, *, *, discover, *, *, *, *, 0, 9, 2026-01-01T00:00Z, 9999-12-31T00:00Z, -, deny\n";
    std::fs::write(&policy, rows).unwrap();
    let reason = json!({"vi": "Lý do", "en": "Reason", "mark": "M"});
    let reasons = json!({"T-NEVER": {"legal_basis": reason, "text": {"vi": "Vì", "en": "For"}}});
    std::fs::write(folder.join("reasons.json"), reasons.to_string()).unwrap();
    let bad = run(&["policy", "lint", text(&folder), "--json"]).expect_code(1).json();
    assert_eq!(told(&bad, "SHADOWED"), ["T-NEVER"], "{bad}");
    let words = run(&["policy", "lint", text(&folder)]).expect_code(1).stdout;
    assert!(words.contains("policy.csv:4: ERROR SHADOWED T-NEVER [T-DISCOVER]"), "{words}");

    node.json(&["policy", "apply", text(&folder)]);
    node.cmd(&["policy", "lint"]).expect_code(1);
    let before = version.to_string();
    let earlier = node.cmd(&["policy", "lint", "--version", &before, "--json"]).expect_code(0).json();
    assert_eq!(earlier["rule_set"]["version"], version);
    node.cmd(&["policy", "lint", "--version", "77"]).expect_code(1);

    let score = node.json(&["policy", "test", text(&folder), "--mutation"]);
    assert_eq!(
        (&score["mutation"]["noticed"], &score["mutation"]["score"]),
        (&json!(0), &json!(0)),
        "{score}"
    );
    assert!(score["mutation"]["untested"].as_array().unwrap().contains(&json!("T-NEVER")), "{score}");
    assert!(node.json(&["policy", "test", text(&folder)]).get("mutation").is_none());
}

#[test]
fn a_rule_that_groups_by_a_column_that_the_data_does_not_have_is_told_before_and_after_it_is_in_force() {
    let node = TestNode::up("urn:agency:vn:lint-cot", "Sở Y tế");
    let csv = node.desk().join("benh.csv");
    std::fs::write(&csv, "phuong,thang\nA,1\nB,2\n").unwrap();
    node.json(&["dataset", "add", text(&csv), "--name", "benh", "--kind", "default", "--class", "1"]);
    let with = |obligations: Value| Rules::new().allow("state", "query", "benh", "planning", obligations);
    let slip = json!({"aggregate": {"k": 2, "group_by": ["phường"]}});
    for (obligations, column) in [(slip, "phường"), (json!({"mask": {"ten": "null"}}), "ten")] {
        let folder = node.desk().join("rules");
        with(obligations).write(&folder);
        let applied = node.json(&["policy", "apply", text(&folder)]);
        let warned = applied["warnings"].to_string();
        assert!(warned.contains("T-ALLOW-2") && warned.contains(column), "{applied}");
        let known = node.cmd(&["policy", "lint", "--json"]).expect_code(1).json();
        assert_eq!(told(&known, "MISFIT"), ["T-ALLOW-2"], "{known}");
        let drafted = node.cmd(&["policy", "draft", text(&folder)]).expect_code(0);
        assert!(
            drafted.stderr.contains(column) && drafted.stderr.contains("obligations.json"),
            "{drafted:?}"
        );
    }
    // What the contract or another rule may complete is not called a slip.
    let good = [json!({"aggregate": {"k": 2, "group_by": ["phuong"]}}), json!({"aggregate": {"k": 2}})];
    for obligations in good {
        let folder = with(obligations).apply(&node);
        let known = node.cmd(&["policy", "lint", "--json"]).json();
        assert!(told(&known, "MISFIT").is_empty(), "{known}");
        assert!(
            !node.json(&["policy", "apply", text(&folder)])["warnings"].to_string().contains("T-ALLOW-2")
        );
    }
}
