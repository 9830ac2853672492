//! What a draft would change, who can see what, and what differs between two rule sets: asked of a node that has decided
//! about real exchanges, before and after the draft is in force.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::path::Path;

use serde_json::{Value, json};
use tests::scene::{ask, get, publish};
use tests::{Rules, TestNode, pair, run};

const CONSUMER: &str = "urn:agency:vn:imp-consumer";
const WHAT: &str = "urn:agency:vn:imp-provider/lon";

fn in_force() -> Rules {
    Rules::new().allow("state", "query", "lon", "planning", json!({"retention_days": 30}))
}

/// Meant to let research in; written carelessly, it also shortens what planners may keep.
fn draft() -> Rules {
    Rules::new().allow("state", "query", "lon", "planning", json!({"retention_days": 7})).allow(
        "state",
        "query",
        "lon",
        "research",
        json!({"aggregate": {"k": 5}}),
    )
}

fn groups<'a>(impact: &'a Value, turn: &str) -> Vec<&'a Value> {
    impact["groups"].as_array().unwrap().iter().filter(|group| group["turn"] == turn).collect()
}

#[test]
fn a_draft_is_judged_by_the_questions_of_the_past_before_it_is_in_force() {
    let provider = TestNode::up("urn:agency:vn:imp-provider", "Sở Xây dựng");
    let consumer = TestNode::up(CONSUMER, "Phường Nghĩa Đô");
    in_force().apply(&provider);
    let file = provider.desk().join("lon.csv");
    std::fs::write(&file, "nut_giao,luot_xe\nHoàng Quốc Việt,120\n").unwrap();
    publish(&provider, &file, "lon", &[]);
    pair(&provider, &consumer);
    let folder = provider.desk().join("draft");
    draft().write(&folder);
    let folder = folder.to_string_lossy().into_owned();

    // Nothing was asked yet, so nothing can turn.
    let none = provider.json(&["policy", "impact", &folder]);
    assert_eq!((&none["replayed"], &none["questions"]["kept"]), (&json!(0), &json!(0)), "{none}");

    let permitted = get(&consumer, WHAT, "lon.csv", &["--purpose", "planning", "--basis", "law"]).word("id");
    let refused =
        ask(&consumer, WHAT, "no.csv", &["--purpose", "research", "--basis", "law"]).expect_code(3).json();
    the_impact(&provider, &folder, &permitted, refused["id"].as_str().unwrap());
    the_table(&provider, &folder);
    the_difference(&provider, &folder);
}

fn the_impact(provider: &TestNode, folder: &str, permitted: &str, refused: &str) {
    let version = provider.json(&["policy", "show"])["rule_set"].clone();
    let impact = provider.json(&["policy", "impact", folder]);
    let [opened] = groups(&impact, "opened")[..] else { panic!("{impact}") };
    assert_eq!(
        (&opened["subject"], &opened["dataset"]),
        (&json!(format!("ag:{CONSUMER}")), &json!("ds:lon"))
    );
    assert_eq!(opened["from"]["reason"], "NO-RULE", "{opened}");
    assert_eq!(opened["to"]["rule"], "T-ALLOW-3", "{opened}");
    // Permitted, and nothing would leave: nobody says by which columns groups are made.
    assert!(opened["undeliverable"].as_str().unwrap().contains("groupBy"), "{opened}");
    assert_eq!(opened["examples"][0]["exchange"], refused, "{opened}");
    let [tightened] = groups(&impact, "tightened")[..] else { panic!("{impact}") };
    let example = &tightened["examples"][0];
    assert_eq!(example["exchange"], permitted, "{tightened}");
    let part = json!({"part": "retention_days", "from": 30, "to": 7, "strictness": "tighter"});
    assert_eq!(example["obligations"], json!([part]), "{tightened}");
    assert!(tightened["undeliverable"].is_null(), "{tightened}");
    // The entry that an example names is the decision in the ledger.
    let decisions = provider.json(&["exchange", "decisions", permitted]);
    let entries: Vec<&Value> =
        decisions["decisions"].as_array().unwrap().iter().map(|decision| &decision["entry"]).collect();
    assert!(entries.contains(&&example["entry"]), "{example} {entries:?}");
    let counted = impact["unchanged"].as_u64().unwrap()
        + impact["turned"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
    assert_eq!(impact["replayed"], json!(counted), "{impact}");
    assert_eq!(impact["replayed"], impact["questions"]["kept"], "{impact}");
    // The refusal came last.
    let last = provider.json(&["policy", "impact", folder, "--last", "1"]);
    assert_eq!((&last["replayed"], &last["turned"]), (&json!(1), &json!({"opened": 1})), "{last}");
    let told = provider.cmd(&["policy", "impact", folder, "--at", "recorded"]).expect_code(0).stdout;
    assert!(told.contains("từ chối → cho phép") && told.contains("retention_days 30 → 7"), "{told}");
    assert!(told.contains("nothing leaves, although T-ALLOW-3 permits"), "{told}");
    provider.cmd(&["policy", "impact", folder, "--last", "0"]).expect_code(2);
    assert_eq!(provider.json(&["policy", "show"])["rule_set"], version, "asking changes nothing");
}

/// The purposes for which the consumer may query, by the table of a dataset.
fn purposes(provider: &TestNode, words: &[&str]) -> Vec<String> {
    let access = provider.json(&[&["policy", "who"], words].concat());
    let rows = access["rows"].as_array().unwrap();
    let may_query = |row: &&Value| {
        row["party"]["known"] == format!("ag:{CONSUMER}")
            && row["fields"]["action"].as_array().is_some_and(|actions| actions.contains(&json!("query")))
    };
    let named = rows.iter().filter(may_query).flat_map(|row| row["fields"]["purpose"].as_array().unwrap());
    named.map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn the_table(provider: &TestNode, folder: &str) {
    let before = provider.json(&["policy", "show"])["rule_set"]["version"].to_string();
    assert_eq!(purposes(provider, &["lon"]), ["pu:planning"]);
    assert_eq!(purposes(provider, &["--agency", CONSUMER]), ["pu:planning"]);
    provider.ok(&["policy", "apply", folder]);
    let mut now = purposes(provider, &["lon"]);
    now.sort();
    assert_eq!(now, ["pu:planning", "pu:research"]);
    assert_eq!(purposes(provider, &["lon", "--version", &before]), ["pu:planning"]);
    let told = provider.cmd(&["policy", "who", "lon"]).expect_code(0).stdout;
    assert!(told.contains("any member of gr:state") && told.contains("T-ALLOW-3"), "{told}");
    provider.cmd(&["policy", "who", "nothing"]).expect_code(1);
    provider.cmd(&["policy", "who", "--agency", "urn:agency:vn:stranger"]).expect_code(1);
    provider.cmd(&["policy", "who"]).expect_code(2);
}

fn the_difference(provider: &TestNode, folder: &str) {
    let same = provider.json(&["policy", "diff", folder]);
    assert_eq!((&same["changes"], &same["bearing"]), (&json!([]), &json!("neutral")), "{same}");
    let version = provider.json(&["policy", "show"])["rule_set"]["version"].as_u64().unwrap();
    let (older, newer) = ((version - 1).to_string(), version.to_string());
    let stepped = provider.json(&["policy", "diff", &older, &newer]);
    assert_eq!(stepped["bearing"], "cannot_tell", "{stepped}");
    let texts: Vec<&str> =
        stepped["changes"].as_array().unwrap().iter().map(|c| c["text"]["en"].as_str().unwrap()).collect();
    assert!(texts.iter().any(|text| text.contains("added grant T-ALLOW-3")), "{texts:?}");
    assert!(texts.contains(&"changed obligation set T-OB-2: retention_days 30 → 7"), "{texts:?}");
    // Two folders need no node.
    let old = Path::new(folder).with_file_name("old");
    in_force().write(&old);
    let offline = run(&["policy", "diff", &old.to_string_lossy(), folder, "--json"]).expect_code(0).json();
    assert_eq!(offline["changes"], stepped["changes"]);
    let back = run(&["policy", "diff", folder, &old.to_string_lossy()]).expect_code(0).stdout;
    assert!(back.contains("siết lại · closes: removed grant T-ALLOW-3"), "{back}");
    run(&["policy", "diff", folder, "no-such-folder"]).expect_code(2);
}
