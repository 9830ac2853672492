//! A legal pack at work: exported, applied, lived by, and told as lost when somebody takes its law away.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::path::Path;

use serde_json::Value;
use tests::scene::{ask, get, publish};
use tests::{TestNode, pair, run};

const WHAT: &str = "urn:agency:vn:pack-provider/counts";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn clause<'a>(told: &'a Value, id: &str) -> &'a Value {
    told["clauses"].as_array().unwrap().iter().find(|clause| clause["id"] == id).unwrap()
}

/// How often something counts as evidence of a clause.
fn count(told: &Value, id: &str, what: &str) -> u64 {
    let evidence = clause(told, id)["evidence"].as_array().unwrap();
    evidence.iter().find(|evidence| evidence["what"] == what).unwrap()["count"].as_u64().unwrap()
}

/// Replaces all of `from` in a file.
fn replace(file: &Path, from: &str, to: &str) {
    let before = std::fs::read_to_string(file).unwrap();
    assert!(before.contains(from), "{} has no `{from}`", file.display());
    std::fs::write(file, before.replace(from, to)).unwrap();
}

#[test]
fn a_node_lives_by_its_pack_counts_the_evidence_and_tells_a_lost_law() {
    let provider = TestNode::up("urn:agency:vn:pack-provider", "Sở Xây dựng");
    let consumer = TestNode::up("urn:agency:vn:pack-consumer", "Phường Nghĩa Đô");
    let rules = provider.desk().join("rules");
    provider.json(&["policy", "pack", "export", "vn", text(&rules)]);
    assert_eq!(provider.json(&["policy", "pack", "check", text(&rules)])["ok"], true);
    assert_eq!(provider.json(&["policy", "test", text(&rules)])["failed"], 0);
    provider.json(&["policy", "apply", text(&rules)]);
    let csv = provider.desk().join("counts.csv");
    std::fs::write(&csv, "nut_giao,luot_xe\nHoàng Quốc Việt,120\n").unwrap();
    publish(&provider, &csv, "counts", &["--kind", "default", "--class", "1"]);
    pair(&provider, &consumer);

    let before = provider.json(&["policy", "compliance"]);
    get(&consumer, WHAT, "got.csv", &["--purpose", "planning", "--basis", "law"]);
    ask(&consumer, WHAT, "refused.csv", &["--purpose", "planning"]).expect_code(3);
    let after = provider.json(&["policy", "compliance"]);
    assert_eq!(after["ok"], true, "{after}");
    for (id, what) in [
        ("ND194-16-2-DEFAULT", "rule:VN-NAT-04"),
        ("ND194-16-2-REFUSAL", "refusals:NO-RULE"),
        ("ND278-13", "entries:exchange"),
    ] {
        assert_eq!(count(&before, id, what), 0, "{id} {what}");
        assert!(count(&after, id, what) > 0, "{id} {what}: {}", clause(&after, id));
    }
    assert_eq!(count(&after, "ND194-40-3", "requests:overdue"), 0);

    // The same law under an id and a tier of one's own is no longer the law.
    for file in ["policy.csv", "reasons.json", "cases.json"] {
        replace(&rules.join(file), "VN-LAW-03", "SXD-03");
    }
    replace(&rules.join("policy.csv"), "SXD-03, 00,", "SXD-03, 20,");
    let draft =
        provider.cmd(&["policy", "compliance", "--rules", text(&rules), "--json"]).expect_code(1).json();
    assert_eq!(clause(&draft, "ND356-7-INTERNET")["standing"], "lost");
    // Its own table notices it as well: the national permit now goes before the agency's refusal.
    provider.cmd(&["policy", "test", text(&rules), "--json"]).expect_code(1);
    std::fs::write(rules.join("cases.json"), "[]").unwrap();
    provider.json(&["policy", "apply", text(&rules)]);
    let lost = provider.cmd(&["policy", "compliance", "--json"]).expect_code(1).json();
    assert_eq!(lost["ok"], false);
    assert_eq!(clause(&lost, "ND356-7-INTERNET")["lost"], serde_json::json!(["VN-LAW-03"]));
    assert_eq!(clause(&lost, "ND47-1-2")["standing"], "held");
    let words = provider.cmd(&["policy", "compliance"]).expect_code(1).stdout;
    assert!(words.contains("MẤT / LOST  ND356-7-INTERNET"), "{words}");
}

#[test]
fn packs_are_listed_shown_and_exported_without_a_node() {
    let desk = tempfile::tempdir().unwrap();
    let listed = run(&["policy", "pack", "list", "--json"]).expect_code(0).json();
    assert_eq!(listed["packs"].as_array().unwrap().len(), 2, "{listed}");
    let shown = run(&["policy", "pack", "show", "eu", "--json"]).expect_code(0).json();
    assert!(shown["clauses"].as_array().unwrap().len() >= 15, "{shown}");
    let folder = desk.path().join("eu");
    run(&["policy", "pack", "export", "eu", text(&folder)]).expect_code(0);
    run(&["policy", "test", text(&folder)]).expect_code(0);
    run(&["policy", "compliance", "--rules", text(&folder)]).expect_code(0);
    run(&["policy", "pack", "export", "eu", text(&folder)]).expect_code(2);
    run(&["policy", "pack", "show", "xx"]).expect_code(1);
    // A clause that lost its only case is named, and the pack is none.
    replace(&folder.join("matrix.toml"), "cases = [\"classified information is outside\"]\n", "");
    let refused = run(&["policy", "pack", "check", text(&folder)]).expect_code(2);
    assert!(
        refused.stderr.contains("DGA-3-2") && refused.stderr.contains("nothing tests this clause"),
        "{refused:?}"
    );
}
