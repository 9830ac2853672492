//! Obligations that need more than a mask: people who approve, quotas, delays, watermarks, retention. With real nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;

use serde_json::{Value, json};
use tests::scene::{ask, get, publish, wait};
use tests::{Rules, TestNode, pair};

const PURPOSE: &str = "air-quality-management";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];

struct Stage {
    provider: TestNode,
    consumer: TestNode,
    what: String,
}

/// A provider with one dataset under these obligations, and a consumer that it knows.
fn stage(rows: &str, obligations: Value) -> Stage {
    let provider = TestNode::up("urn:agency:vn:moi-truong", "Chi cục Môi trường");
    let consumer = TestNode::up("urn:agency:vn:phuong", "Phường");
    pair(&provider, &consumer);
    let file = provider.desk().join("do.csv");
    fs::write(&file, rows).unwrap();
    publish(&provider, &file, "do", &[]);
    Rules::new().allow("state", "query", "do", PURPOSE, obligations).apply(&provider);
    let what = format!("{}/do", provider.id());
    Stage { provider, consumer, what }
}

/// The one approval that waits.
#[track_caller]
fn open(provider: &TestNode) -> String {
    wait("an approval to be asked for", || {
        let listed = provider.json(&["approval", "list"]);
        let all = listed["approvals"].as_array().unwrap().clone();
        let open: Vec<&Value> = all.iter().filter(|a| a["state"] == "open").collect();
        assert!(open.len() <= 1, "one question, one approval: {listed}");
        open.first().map(|a| a["id"].as_str().unwrap().to_owned())
    })
}

const TWO: &str = "id,gia_tri\n1,10\n2,20\n";

#[test]
fn nothing_leaves_before_a_person_has_approved_and_a_no_is_told_with_its_reason() {
    let mut stage = stage(TWO, json!({"approval": ["dpo", "lanh-dao"]}));
    let out = stage.consumer.desk().join("rows.csv");
    let out_text = out.to_string_lossy().into_owned();
    let words = [&["exchange", "get", &stage.what, "--out", &out_text, "--json"], &FOR[..]].concat();
    let asking = stage.consumer.spawn(&words);
    let id = open(&stage.provider);
    let give = |node: &TestNode, role: &str| {
        node.cmd(&["approval", "give", &id, "--role", role, "--by", "Nguyễn Thị Lan"])
    };
    assert!(give(&stage.provider, "dpo").code == 0);
    // One of two is not enough, nobody else is asked, and no word is taken twice. What waits survives a crash.
    let again = give(&stage.provider, "dpo").expect_code(1).stderr;
    assert!(again.contains("has answered"), "{again}");
    let other = give(&stage.provider, "thu-truong").expect_code(2).stderr;
    assert!(other.contains("asked are dpo, lanh-dao"), "{other}");
    stage.provider.kill9();
    stage.provider.start();
    assert!(!out.exists());
    assert_eq!(open(&stage.provider), id, "a restart does not ask anew");
    assert!(give(&stage.provider, "lanh-dao").code == 0);
    let told = asking.wait().expect_code(0).json();
    assert_eq!(fs::read_to_string(&out).unwrap(), TWO);

    // Who approved is among the grounds of the decision, which the ledger commits to.
    let exchange = told["id"].as_str().or(told["exchange"].as_str()).unwrap().to_owned();
    let decisions = stage.provider.json(&["exchange", "decisions", &exchange]);
    assert!(decisions.to_string().contains("Nguyễn Thị Lan"), "{decisions}");

    // Where less is to be hidden (here: the other way round), what was approved was something else: people are asked anew.
    let masked = json!({"approval": ["dpo"], "mask": {"gia_tri": "null"}});
    let folder = Rules::new().allow("state", "query", "do", PURPOSE, masked).apply(&stage.provider);
    let asking = stage.consumer.spawn(&[&["exchange", "get", &stage.what, "--queue"], &FOR[..]].concat());
    let other = open(&stage.provider);
    assert_ne!(other, id);
    let no = ["approval", "refuse", &other, "--role", "dpo", "--by", "Nguyễn Thị Lan", "--note", "không"];
    stage.provider.ok(&no);
    asking.wait().expect_code(3);
    fs::remove_dir_all(folder).unwrap();
    let both = json!({"approval": ["dpo", "lanh-dao"]});
    Rules::new().allow("state", "query", "do", PURPOSE, both).apply(&stage.provider);

    // It holds for the next request of the same kind, until it is withdrawn; then people are asked anew, and may refuse.
    get(&stage.consumer, &stage.what, "second.csv", &FOR);
    stage.provider.ok(&["approval", "withdraw", &id, "--by", "Trần Văn Bình"]);
    let asking = stage.consumer.spawn(&[&["exchange", "get", &stage.what], &FOR[..]].concat());
    let next = open(&stage.provider);
    assert_ne!(next, id);
    let bare = ["approval", "refuse", &next, "--role", "dpo", "--by", "Nguyễn Thị Lan", "--note", " "];
    stage.provider.cmd(&bare).expect_code(2);
    let no = [
        "approval",
        "refuse",
        &next,
        "--role",
        "dpo",
        "--by",
        "Nguyễn Thị Lan",
        "--note",
        "chưa có công văn",
    ];
    stage.provider.ok(&no);
    let refused = asking.wait().expect_code(3);
    assert!(refused.stderr.contains("chưa có công văn"), "{}", refused.stderr);
    // The no stands for the next request too.
    let again = ask(&stage.consumer, &stage.what, "third.csv", &FOR).expect_code(3);
    assert!(again.stdout.contains("APPROVAL-REFUSED"), "{}", again.stdout);
}

#[test]
fn a_quota_gives_what_is_left_and_then_refuses_also_after_a_crash() {
    let rows: String = (0..10).map(|n| format!("{n},{n}\n")).collect();
    let mut stage = stage(&format!("id,gia_tri\n{rows}"), json!({"quota": {"rows_per_month": 25}}));
    let got = |stage: &Stage, file: &str| {
        let got = get(&stage.consumer, &stage.what, file, &FOR);
        got.told["rows"].as_u64().unwrap()
    };
    assert_eq!(got(&stage, "a.csv"), 10);
    stage.provider.kill9();
    stage.provider.start();
    assert_eq!(got(&stage, "b.csv"), 10);
    assert_eq!(got(&stage, "c.csv"), 5, "what is left bounds the answer");
    let refused = ask(&stage.consumer, &stage.what, "d.csv", &FOR).expect_code(3);
    assert!(refused.stdout.contains("QUOTA"), "{}", refused.stdout);
    // What was received is not taken back: the answers stay complete at both ends.
    let listed = stage.provider.json(&["exchange", "list"]);
    let complete = listed["exchanges"].as_array().unwrap().iter().filter(|e| e["stage"] == "completed");
    assert_eq!(complete.count(), 3);
}

#[test]
fn a_quota_of_bytes_refuses_an_answer_that_is_longer() {
    let rows: String = (0..100).map(|n| format!("{n},{n}\n")).collect();
    let stage = stage(&format!("id,gia_tri\n{rows}"), json!({"quota": {"bytes_per_day": 200}}));
    let told = ask(&stage.consumer, &stage.what, "a.csv", &FOR);
    assert_ne!(told.code, 0);
    assert!(told.stdout.contains("quota leaves") || told.stderr.contains("quota leaves"), "{told:?}");
    // Nothing was counted, so a smaller question is answered.
    let few = get(&stage.consumer, &stage.what, "b.csv", &[&FOR[..], &["--where", "id < 10"]].concat());
    assert_eq!(few.told["rows"], 10);
}

#[test]
fn fresh_rows_wait_and_every_row_names_its_recipient() {
    let stage = stage(
        "thoi_diem,gia_tri\n2020-01-01T00:00:00,1\n2999-01-01T00:00:00,2\n,3\n",
        json!({"delay_hours": {"thoi_diem": 24}, "watermark": true}),
    );
    let got = get(&stage.consumer, &stage.what, "rows.csv", &FOR);
    let text = got.text();
    let (head, row) = text.trim_end().split_once('\n').unwrap();
    assert_eq!(head, "thoi_diem,gia_tri,tram_watermark");
    assert!(row.starts_with("2020-01-01") && row.contains(stage.consumer.id()), "{text}");
    assert_eq!(got.told["rows"], 1, "a row without a time does not leave either");
}

#[test]
fn a_delay_over_a_column_that_is_not_there_lets_nothing_leave() {
    let stage = stage(TWO, json!({"delay_hours": {"thoi_diem": 24}}));
    let told = ask(&stage.consumer, &stage.what, "rows.csv", &FOR);
    assert_ne!(told.code, 0);
    assert!(!stage.consumer.desk().join("rows.csv").exists());
}

#[test]
fn a_mask_that_the_columns_kind_cannot_take_lets_nothing_leave() {
    let stage = stage(TWO, json!({"mask": {"gia_tri": {"truncate": 1}}}));
    let told = ask(&stage.consumer, &stage.what, "rows.csv", &FOR);
    assert_ne!(told.code, 0);
    assert!(!stage.consumer.desk().join("rows.csv").exists());
}

#[test]
fn a_mask_for_a_column_that_is_not_there_lets_nothing_leave_and_explain_says_why() {
    // A slip of the pen for `gia_tri`.
    let stage = stage(TWO, json!({"mask": {"giatri": "drop"}}));
    let told = ask(&stage.consumer, &stage.what, "rows.csv", &FOR).expect_code(3);
    assert!(told.stderr.contains("OBLIGATION-UNSUPPORTED") && !told.stderr.contains("giatri"), "{told:?}");
    assert!(!stage.consumer.desk().join("rows.csv").exists());
    let question =
        ["policy", "explain", "--subject", stage.consumer.id(), "--dataset", "do", "--action", "query"];
    let words = [&question[..], &FOR].concat();
    let told = stage.provider.json(&words);
    assert_eq!(told["explanation"]["decision"]["effect"], "permit", "{told}");
    assert_eq!(told["outcome"]["effect"], "refuse", "{told}");
    let text = stage.provider.cmd(&words).expect_code(0).stdout;
    assert!(text.contains("`giatri`") && text.contains("`gia_tri`"), "{text}");
}

#[test]
fn explain_says_what_both_signed_and_that_people_are_asked() {
    let stage = stage(TWO, json!({"approval": ["dpo"], "quota": {"requests_per_day": 1}}));
    let question =
        ["policy", "explain", "--subject", stage.consumer.id(), "--dataset", "do", "--action", "query"];
    let words = [&question[..], &FOR].concat();
    let told = stage.provider.json(&words);
    assert_eq!(
        (&told["outcome"]["effect"], &told["outcome"]["waits_for"]),
        (&json!("wait"), &json!(["dpo"])),
        "{told}"
    );
    let demanded = |obligations: Value| {
        Rules::new().allow("state", "query", "do", PURPOSE, obligations).apply(&stage.provider);
    };
    demanded(json!({"quota": {"requests_per_day": 1}}));
    let got = get(&stage.consumer, &stage.what, "rows.csv", &FOR);
    let shown = stage.provider.json(&["exchange", "show", &got.word("id")]);
    let agreement = shown["agreement"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned();
    // The rules become looser; what both signed does not.
    demanded(json!({}));
    let told = stage.provider.json(&[&words[..], &["--agreement", &agreement]].concat());
    assert_eq!(told["explanation"]["decision"]["effect"], "permit", "{told}");
    assert_eq!(
        (&told["outcome"]["effect"], &told["outcome"]["refusal"]["code"]),
        (&json!("refuse"), &json!("QUOTA")),
        "{told}"
    );
}

#[test]
fn what_was_received_has_a_date_and_is_erased_with_an_entry() {
    let stage = stage(TWO, json!({"retention_days": 30}));
    let got = get(&stage.consumer, &stage.what, "rows.csv", &FOR);
    let id = got.word("id");
    let shown = stage.consumer.json(&["exchange", "show", &id]);
    assert!(shown["delete_by"].as_str().is_some_and(|date| date.starts_with("20")), "{shown}");
    let kept = stage.consumer.dir().join("received").join(&id);
    assert!(kept.exists());
    let erased = stage.consumer.json(&["exchange", "erase", &id, "--reason", "retention"]);
    assert!(erased["entry"].is_u64() && !kept.exists(), "{erased}");
    stage.consumer.ok(&["ledger", "verify"]);
}
