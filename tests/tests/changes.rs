//! Copies that are kept current: what changed since, signed like the whole; subscriptions that nodes look after by
//! themselves, also when they are killed. With real nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

mod chaos;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use chaos::Dice;
use serde_json::{Value, json};
use sha2::Digest;
use tests::scene::{Got, ask, get};
use tests::{Rules, TestNode, pair};

const PURPOSE: &str = "air-quality-management";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];
const STEP_TIMEOUT: Duration = Duration::from_secs(180);
/// Times that a node is killed under a subscription.
const KILLS: usize = 6;
/// Longest moment before a kill.
const MOMENT_MAX_MS: u64 = 1_500;

const HEADER: &str = "tram,ngay,pm25,ghi_chu\n";
const FIRST: &str = "HK,2026-11-01,35.2,a\nTH,2026-11-01,28,b\nBD,2026-11-01,40,c\nKIN,2026-11-01,1,d\n";

struct Stage {
    provider: TestNode,
    consumer: TestNode,
    what: String,
}

impl Stage {
    /// A dataset with a key, of which the consumer sees neither the notes nor the station KIN.
    fn set(name: &str) -> Self {
        let provider = TestNode::up(&format!("urn:agency:vn:thay-doi-{name}"), "Chi cục Môi trường");
        let consumer = TestNode::up(&format!("urn:agency:vn:nhan-{name}"), "Phường");
        pair(&provider, &consumer);
        rules(json!({})).apply(&provider);
        let file = provider.desk().join("bui.csv");
        fs::write(&file, format!("{HEADER}{FIRST}")).unwrap();
        let file = file.to_string_lossy();
        provider.ok(&["dataset", "add", &file, "--kind", "default", "--class", "1", "--personal", "none"]);
        let contract = provider.dir().join("contracts/bui.yaml");
        let text = fs::read_to_string(&contract).unwrap();
        let text =
            text.replace("name: tram\n", "name: tram\n    primaryKey: true\n    primaryKeyPosition: 1\n");
        let text =
            text.replace("name: ngay\n", "name: ngay\n    primaryKey: true\n    primaryKeyPosition: 2\n");
        fs::write(&contract, text).unwrap();
        provider.ok(&["dataset", "validate", "bui"]);
        provider.ok(&["dataset", "publish", "bui"]);
        let what = format!("{}/bui", provider.id());
        Self { provider, consumer, what }
    }

    /// New rows at the provider, checked and served.
    fn write(&self, rows: &str) {
        fs::write(self.provider.dir().join("data/bui/bui.csv"), format!("{HEADER}{rows}")).unwrap();
        self.provider.ok(&["dataset", "validate", "bui"]);
    }

    fn since(&self, since: &str, file: &str) -> Got {
        get(&self.consumer, &self.what, file, &[&FOR[..], &["--since", since]].concat())
    }

    fn apply(&self, got: &Got, copy: &Path) -> tests::Output {
        let id = got.word("id");
        self.consumer.cmd(&["exchange", "apply", &id, "--copy", copy.to_str().unwrap()])
    }
}

fn rules(more: Value) -> Rules {
    let mut obligations = json!({
        "columns": ["tram", "ngay", "pm25"],
        "row_filter": [{"column": "tram", "op": "ne", "value": "KIN"}],
    });
    for (key, value) in more.as_object().unwrap() {
        obligations[key] = value.clone();
    }
    Rules::new().allow("state", "query", "bui", PURPOSE, obligations)
}

fn sha256_of(path: &Path) -> String {
    sha2::Sha256::digest(fs::read(path).unwrap()).iter().map(|b| format!("{b:02x}")).collect()
}

#[track_caller]
fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + STEP_TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_copy_is_brought_up_by_what_changed_and_equals_the_whole() {
    let stage = Stage::set("a");
    let first = stage.since("last", "copy.csv");
    assert_eq!(first.text(), "tram,ngay,pm25\nBD,2026-11-01,40.0\nHK,2026-11-01,35.2\nTH,2026-11-01,28.0\n");
    let told = &first.told["copy"];
    assert_eq!((&told["kind"], &told["why"]), (&json!("whole"), &json!("first")), "{told}");
    assert_eq!(told["sha256"], json!(sha256_of(&first.file)));
    assert_eq!(told["key"], json!(["tram", "ngay"]));
    let copy = first.file.clone();

    stage.write("TH,2026-11-01,29,b\nBD,2026-11-01,40,c\nKIN,2026-11-01,1,d\nTH,2026-11-02,31,e\n");
    let second = stage.since("last", "changes.csv");
    let changes = "tram,ngay,pm25,tram_change\nHK,2026-11-01,35.2,delete\nTH,2026-11-01,29.0,update\nTH,2026-11-02,31.0,insert\n";
    assert_eq!(second.text(), changes);
    let told = &second.told["copy"];
    assert_eq!((&told["kind"], &told["from_version"]), (&json!("changes"), &first.told["id"]), "{told}");
    assert_eq!((&told["to_version"], &told["rows"]), (&second.told["id"], &json!(3)));
    stage.apply(&second, &copy).expect_code(0);
    assert_eq!(told["sha256"], json!(sha256_of(&copy)));
    // The same as the whole, byte by byte, as a stranger computes it.
    let whole = stage.since("none", "whole.csv");
    assert_eq!(whole.bytes, fs::read(&copy).unwrap());
    // A whole takes no other file's place unless that is said.
    let notes = stage.consumer.desk().join("notes.txt");
    fs::write(&notes, "mine").unwrap();
    let refused = stage.apply(&whole, &notes).expect_code(2);
    assert!(refused.stderr.contains("--replace"), "{refused:?}");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
    // Nor do changes take the place of the copy that they are to be applied to, and nobody is asked for them.
    let exchanges = || stage.consumer.json(&["exchange", "list"])["exchanges"].as_array().unwrap().len();
    let before = exchanges();
    let refused = ask(&stage.consumer, &stage.what, "copy.csv", &[&FOR[..], &["--since", "last"]].concat());
    assert!(refused.code == 1 && refused.stderr.contains("--replace"), "{refused:?}");
    assert_eq!((exchanges(), sha256_of(&copy)), (before, told["sha256"].as_str().unwrap().to_owned()));
    // Applied once more it is found applied; a copy that was edited is not patched over.
    stage.apply(&second, &copy).expect_code(0);
    let edited = stage.consumer.desk().join("edited.csv");
    fs::write(&edited, first.text().replace("40.0", "41.0")).unwrap();
    let refused = stage.apply(&second, &edited).expect_code(4);
    assert!(refused.stderr.contains("--since none"), "{refused:?}");
    assert!(fs::read_to_string(&edited).unwrap().contains("41.0"));

    // What the consumer may not see has changed: other notes, another hidden station, another order. It is told nothing.
    stage.write("TH,2026-11-02,31,x\nKIN,2026-11-03,99,y\nTH,2026-11-01,29,z\nBD,2026-11-01,40,w\n");
    let nothing = stage.since("last", "nothing.csv");
    assert_eq!(nothing.text(), "tram,ngay,pm25,tram_change\n");
    assert_eq!(nothing.told["copy"]["kind"], "changes");
    assert_eq!(nothing.told["copy"]["sha256"], whole.told["copy"]["sha256"]);
    assert_eq!(nothing.told["rows"], 0);

    // Who needs what is told to the steward.
    let versions = stage.provider.json(&["dataset", "versions", "bui"]);
    let kept = versions["versions"].as_array().unwrap();
    let last = kept.last().unwrap();
    let needs: Vec<&str> =
        last["needed_by"].as_array().unwrap().iter().filter_map(|n| n["need"].as_str()).collect();
    assert_eq!(needs, ["present", "copies"], "{versions}");
    assert_eq!(last["needed_by"][1]["peers"], json!([stage.consumer.id()]));
    assert!(last["bytes"].as_u64().unwrap() > 0);

    // Another agency's copy is nobody else's: its id is as unknown as one that never was.
    let stranger = TestNode::up("urn:agency:vn:la-a", "Phường khác");
    pair(&stage.provider, &stranger);
    let id = nothing.word("id");
    let got = get(&stranger, &stage.what, "x.csv", &[&FOR[..], &["--since", &id]].concat());
    assert_eq!((&got.told["copy"]["kind"], &got.told["copy"]["why"]), (&json!("whole"), &json!("gone")));

    // A rule that shows less: the old view is not comparable with the new one, so the whole comes, and no value of the
    // old column with it.
    rules(json!({"mask": {"pm25": "null"}})).apply(&stage.provider);
    let masked =
        get(&stage.consumer, &stage.what, "m.csv", &[&FOR[..], &["--since", &id, "--renew"]].concat());
    assert_eq!(
        (&masked.told["copy"]["kind"], &masked.told["copy"]["why"]),
        (&json!("whole"), &json!("rules"))
    );
    assert!(!masked.text().contains("31"), "{}", masked.text());
}

#[test]
fn where_changes_could_tell_too_much_or_nothing_exact_the_whole_comes_and_says_why() {
    let stage = Stage::set("b");
    let get_since = |since: &str, file: &str, words: &[&str]| {
        let asked = [&FOR[..], &["--since", since, "--renew", "--replace"], words].concat();
        get(&stage.consumer, &stage.what, file, &asked)
    };
    for (obligations, why) in [
        (json!({"aggregate": {"k": 2, "group_by": ["tram"]}}), "aggregates"),
        (json!({"max_rows": 2}), "limited"),
        (json!({"watermark": true}), "limited"),
    ] {
        rules(obligations.clone()).apply(&stage.provider);
        let first = get_since("none", "1.csv", &[]);
        assert_eq!(first.told["copy"]["why"], "first");
        let second = get_since(&first.word("id"), "2.csv", &[]);
        assert_eq!(second.told["copy"]["kind"], "whole", "{obligations}");
        assert_eq!(second.told["copy"]["why"], json!(why), "{obligations}");
    }
    for bad in [
        &["--since", "yesterday"][..],
        &["--since", "none", "--format", "parquet"],
        &["--since", "none", "--limit", "2"],
    ] {
        ask(&stage.consumer, &stage.what, "3.csv", &[&FOR[..], bad].concat()).expect_code(2);
    }
}

fn copy_of(node: &TestNode) -> PathBuf {
    node.dir().join("subscriptions/bui.csv")
}

#[test]
fn a_subscription_is_brought_up_by_itself_and_a_program_reads_one_file() {
    let mut stage = Stage::set("c");
    stage.consumer.ok(&[&["subscription", "add", &stage.what, "--every", "1h"], &FOR[..]].concat());
    let shown = |node: &TestNode| node.json(&["subscription", "show", "bui"]);
    let settled = |node: &TestNode, not: &Value| {
        wait("the copy", || {
            let now = shown(node);
            (now["running"].is_null()
                && now["copy"]["exchange"].is_string()
                && now["copy"]["exchange"] != *not)
                .then_some(now)
        })
    };
    let first = settled(&stage.consumer, &Value::Null);
    assert_eq!(first["copy"]["sha256"], json!(sha256_of(&copy_of(&stage.consumer))));
    assert_eq!(first["copy"]["rows"], 3);
    // Refused while it runs: a second one of the name. What is asked is told.
    let again =
        stage.consumer.cmd(&[&["subscription", "add", &stage.what, "--every", "1h"], &FOR[..]].concat());
    assert!(again.code != 0 && again.stderr.contains("--name"), "{again:?}");
    // The provider is away: what changed meanwhile comes in one answer when it is back.
    stage.provider.stop();
    stage.consumer.ok(&["subscription", "refresh", "bui"]);
    let waiting = wait("the exchange", || Some(shown(&stage.consumer)).filter(|s| s["running"].is_string()));
    stage.provider.start();
    let second = settled(&stage.consumer, &first["copy"]["exchange"]);
    assert_eq!(second["copy"]["exchange"], waiting["running"]);
    for number in 1..4 {
        stage.write(&format!("{FIRST}TH,2026-11-02,{number},e\nHK,2026-11-0{number},7,e2\n").replacen(
            "HK,2026-11-01,35.2,a\n",
            "",
            1,
        ));
    }
    stage.consumer.ok(&["subscription", "refresh", "bui"]);
    let third = settled(&stage.consumer, &second["copy"]["exchange"]);
    let exchange = stage.consumer.json(&["exchange", "show", third["copy"]["exchange"].as_str().unwrap()]);
    assert_eq!(exchange["copy"]["kind"], "changes", "{exchange}");
    assert_eq!(exchange["receipts"].as_array().unwrap().len(), 2);
    let out = stage.consumer.desk().join("out.csv");
    stage.consumer.ok(&["subscription", "show", "bui", "--out", out.to_str().unwrap()]);
    assert_eq!(fs::read(&out).unwrap(), stage.since("none", "whole.csv").bytes);
    // Somebody edits the copy: it is noticed, and the whole is fetched anew.
    fs::write(copy_of(&stage.consumer), "tram,ngay,pm25\n").unwrap();
    stage.write(FIRST);
    stage.consumer.ok(&["subscription", "refresh", "bui"]);
    wait("the copy made anew", || {
        let now = shown(&stage.consumer);
        let whole = now["copy"]["sha256"] == json!(sha256_of(&copy_of(&stage.consumer)));
        (now["running"].is_null() && now["failure"].is_null() && whole && now["copy"]["rows"] == 3)
            .then_some(())
    });
    stage.consumer.ok(&["subscription", "stop", "bui"]);
    assert!(shown(&stage.consumer)["next"].is_null());
    assert!(copy_of(&stage.consumer).exists());
    stage.consumer.cmd(&["subscription", "refresh", "bui"]).expect_code(1);
    // A stopped one gives way to another of its name, and its copy with it.
    let other =
        [&["subscription", "add", &stage.what, "--every", "1h", "--columns", "tram,ngay"], &FOR[..]].concat();
    stage.consumer.ok(&other);
    let fewer = settled(&stage.consumer, &Value::Null);
    assert_eq!(fewer["copy"]["sha256"], json!(sha256_of(&copy_of(&stage.consumer))));
    assert!(fs::read_to_string(copy_of(&stage.consumer)).unwrap().starts_with("tram,ngay\n"));
}

#[test]
fn a_subscription_that_can_bring_nothing_is_refused_with_what_to_do() {
    let stage = Stage::set("e");
    let add = |what: &str, words: &[&str]| {
        stage.consumer.cmd(&[&["subscription", "add", what], words, &FOR[..]].concat())
    };
    let provider = stage.provider.id();
    let hourly = ["--every", "1h"];
    for (what, words, code, told) in [
        ("urn:agency:vn:khong-co/bui", &hourly[..], 2, "tram peer"),
        (&format!("{provider}/khong-co"), &hourly, 2, "tram catalog search"),
        ("bui", &hourly, 2, "CƠ-QUAN/BỘ-DỮ-LIỆU"),
        (&stage.what, &["--every", "0m"], 2, "15m"),
        (&stage.what, &["--every", "often"], 2, "15m"),
        (&stage.what, &["--every", "1h", "--columns", "tram,khong_co"], 2, "khong_co"),
        (&stage.what, &["--every", "1h", "--where", "khong > 5"], 2, "tram, ngay, pm25"),
        (&stage.what, &["--every", "1h", "--name", "Bụi mịn"], 2, "lower-case"),
    ] {
        let refused = add(what, words);
        assert!(refused.code == code || refused.code == 1, "{refused:?}");
        assert!(refused.stderr.contains(told), "{told}: {refused:?}");
    }
    let none = stage.consumer.cmd(&["subscription", "list"]).expect_code(0);
    assert!(none.stdout.contains("chưa có đăng ký"), "{none:?}");

    // What a subscription brought is its own: `last` by hand is of what was asked by hand.
    add(&stage.what, &hourly).expect_code(0);
    wait("the copy", || copy_of(&stage.consumer).exists().then_some(()));
    wait("the end", || {
        let now = stage.consumer.json(&["subscription", "show", "bui"]);
        (now["running"].is_null() && now["copy"].is_object()).then_some(())
    });
    let by_hand = stage.since("last", "hand.csv");
    assert_eq!(by_hand.told["copy"]["why"], "first", "{}", by_hand.told);
    assert_eq!(stage.since("last", "hand2.csv").told["copy"]["from_version"], by_hand.told["id"]);

    // The reason of a failure is told whole, and a copy that was edited is told of without words from the engine room.
    Rules::new().allow("state", "query", "khac", PURPOSE, json!({})).apply(&stage.provider);
    stage.consumer.ok(&["subscription", "refresh", "bui"]);
    let why = wait("the refusal", || {
        stage.consumer.json(&["subscription", "show", "bui"])["failure"].as_str().map(str::to_owned)
    });
    assert!(why.chars().count() > 60, "{why}");
    let listed = stage.consumer.ok(&["subscription", "list"]);
    assert!(listed.stdout.contains(&why), "{why}\n{listed:?}");
    let edited = stage.consumer.desk().join("edited.csv");
    fs::write(&edited, "khac\n1\n").unwrap();
    let second = stage.consumer.json(&["exchange", "list"]);
    let changes =
        second["exchanges"].as_array().unwrap().iter().find(|e| e["copy"]["kind"] == "changes").unwrap();
    let id = changes["id"].as_str().unwrap();
    let refused =
        stage.consumer.cmd(&["exchange", "apply", id, "--copy", edited.to_str().unwrap()]).expect_code(4);
    assert!(!refused.stderr.contains("spool") && refused.stderr.contains("lấy toàn bộ"), "{refused:?}");
}

#[test]
fn an_end_that_is_past_or_of_no_version_is_refused() {
    let stage = Stage::set("f");
    let end = |contract: &str, on: &str| {
        stage.provider.cmd(&["dataset", "end", "bui", "--contract", contract, "--on", on])
    };
    for (contract, on, told) in [
        ("0", "2999-01-01", "dataset versions bui"),
        ("77", "2999-01-01", "dataset versions bui"),
        ("1", "2001-01-01", ""),
        ("1", "tomorrow", "2026-12-31"),
    ] {
        let refused = end(contract, on);
        assert!(refused.code != 0 && refused.stderr.contains(told), "{refused:?}");
    }
}

#[test]
fn killed_nodes_lose_and_double_nothing_of_a_subscription() {
    let mut dice = Dice::from_env("TRAM_CRASH_SEED");
    let mut stage = Stage::set("d");
    stage.consumer.ok(&[&["subscription", "add", &stage.what, "--every", "366d"], &FOR[..]].concat());
    let mut rows = FIRST.to_owned();
    for kill in 0..KILLS {
        rows.push_str(&format!("T{kill},2026-11-02,{kill},n\n"));
        stage.write(&rows);
        stage.consumer.ok(&["subscription", "refresh", "bui"]);
        thread::sleep(Duration::from_millis(dice.below(MOMENT_MAX_MS)));
        let node = if dice.below(2) == 0 { &mut stage.provider } else { &mut stage.consumer };
        node.kill9();
        node.start();
    }
    stage.consumer.ok(&["subscription", "refresh", "bui"]);
    let whole = stage.since("none", "whole.csv");
    wait("the copy to be whole", || {
        let now = stage.consumer.json(&["subscription", "show", "bui"]);
        let same = fs::read(copy_of(&stage.consumer)).is_ok_and(|copy| copy == whole.bytes);
        (now["running"].is_null() && same).then_some(())
    });
    // Each exchange stands on the one before: no copy was brought up twice from the same one.
    let listed = stage.consumer.json(&["exchange", "list"]);
    let done = listed["exchanges"].as_array().unwrap().iter().filter(|e| e["stage"] == "completed");
    let mut from: Vec<String> =
        done.filter_map(|e| e["copy"]["from_version"].as_str().map(str::to_owned)).collect();
    let count = from.len();
    from.sort();
    from.dedup();
    assert_eq!(from.len(), count, "{listed}");
    assert!(count > 0, "nothing was brought up by changes: {listed}");
    for node in [&stage.provider, &stage.consumer] {
        node.ok(&["ledger", "verify"]);
    }
}
