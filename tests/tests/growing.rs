//! Copies of datasets that only grow: the new rows alone, nothing kept for it at the provider, and the whole where a row came
//! late or was corrected. With real nodes, also when they are killed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

mod chaos;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use chaos::Dice;
use serde_json::{Value, json};
use sha2::Digest;
use tests::scene::{Got, get};
use tests::{Rules, TestNode, pair};

const PURPOSE: &str = "air-quality-management";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];
const STEP_TIMEOUT: Duration = Duration::from_secs(180);
/// Times that a node is killed under a subscription.
const KILLS: usize = 6;
/// Longest moment before a kill.
const MOMENT_MAX_MS: u64 = 1_500;

const HEADER: &str = "tram,luc,pm25,ghi_chu\n";
const FIRST: &str = "TH,2026-11-01T01:00:00,28,b\nHK,2026-11-01T01:00:00,35.2,a\nKIN,2026-11-01T02:00:00,1,d\nHK,2026-11-01T02:00:00,36,a\n";
const SEEN: &str =
    "tram,luc,pm25\nHK,2026-11-01T01:00:00,35.2\nTH,2026-11-01T01:00:00,28.0\nHK,2026-11-01T02:00:00,36.0\n";

struct Stage {
    provider: TestNode,
    consumer: TestNode,
    what: String,
}

impl Stage {
    /// A dataset that grows by its time, of which the consumer sees neither the notes nor the station KIN.
    fn set(name: &str) -> Self {
        let provider = TestNode::up(&format!("urn:agency:vn:them-{name}"), "Chi cục Môi trường");
        let consumer = TestNode::up(&format!("urn:agency:vn:nhan-{name}"), "Phường");
        pair(&provider, &consumer);
        rules(json!({})).apply(&provider);
        let file = provider.desk().join("bui.csv");
        fs::write(&file, format!("{HEADER}{FIRST}")).unwrap();
        let file = file.to_string_lossy();
        let usual = ["--kind", "default", "--class", "1", "--personal", "none"];
        provider.ok(&[&["dataset", "add", &file, "--append-by", "luc"], &usual[..]].concat());
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

    /// Names of the rows that the provider keeps.
    fn kept(&self) -> Vec<String> {
        let all = fs::read_dir(self.provider.dir().join("versions/bui")).unwrap().flatten();
        let names = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".rows")).collect()
    }
}

fn rules(more: Value) -> Rules {
    let mut obligations = json!({
        "columns": ["tram", "luc", "pm25"],
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

#[track_caller]
fn is(got: &Got, kind: &str, why: Option<&str>) {
    let told = &got.told["copy"];
    assert_eq!((&told["kind"], &told["why"]), (&json!(kind), &json!(why)), "{told}");
}

#[test]
fn new_rows_alone_travel_and_nothing_is_kept_for_it() {
    let stage = Stage::set("a");
    let first = stage.since("last", "copy.csv");
    is(&first, "whole", Some("first"));
    assert_eq!(first.text(), SEEN);
    assert_eq!(first.told["copy"]["append_by"], "luc");
    let copy = first.file.clone();

    // Twice, once with a hidden row among the new ones and another hidden one before them.
    let (mut rows, mut last) = (FIRST.to_owned(), first);
    for (n, (more, seen)) in [
        ("HK,2026-11-01T03:00:00,40,x\nKIN,2026-11-01T03:00:00,2,y\n", "HK,2026-11-01T03:00:00,40.0\n"),
        ("KIN,2026-10-01T00:00:00,9,y\nTH,2026-11-01T04:00:00,41,x\n", "TH,2026-11-01T04:00:00,41.0\n"),
    ]
    .into_iter()
    .enumerate()
    {
        rows.push_str(more);
        stage.write(&rows);
        let got = stage.since("last", &format!("new{n}.csv"));
        is(&got, "append", None);
        assert_eq!(got.text(), format!("tram,luc,pm25\n{seen}"));
        assert_eq!(got.told["copy"]["from_version"], last.told["id"]);
        assert_eq!((&got.told["rows"], &got.told["copy"]["rows"]), (&json!(1), &json!(4 + n)));
        stage.apply(&got, &copy).expect_code(0);
        assert_eq!(got.told["copy"]["sha256"], json!(sha256_of(&copy)));
        // Once more it is found done, and doubles nothing.
        stage.apply(&got, &copy).expect_code(0);
        assert_eq!(got.told["copy"]["sha256"], json!(sha256_of(&copy)));
        last = got;
    }
    assert_eq!(stage.since("none", "whole.csv").bytes, fs::read(&copy).unwrap());
    // What is hidden changed: nothing is told, and nothing of it can be seen in the answer.
    stage.write(&rows.replace(",9,y", ",7,z").replace(",a\n", ",other\n"));
    let nothing = stage.since(&last.word("id"), "nothing.csv");
    is(&nothing, "append", None);
    assert_eq!((nothing.text(), &nothing.told["rows"]), ("tram,luc,pm25\n", &json!(0)));
    // Only the present version lies at the provider, though the consumer holds an older copy.
    let one = wait("the sweep", || Some(stage.kept()).filter(|kept| kept.len() == 1));
    let versions = stage.provider.json(&["dataset", "versions", "bui"]);
    let needs = versions["versions"][0]["needed_by"].as_array().unwrap();
    assert_eq!((needs.len(), &needs[0]["need"]), (1, &json!("present")), "{one:?} {versions}");
    // An edited copy is not put right by rows behind it.
    fs::write(&copy, fs::read_to_string(&copy).unwrap().replace("36.0", "37.0")).unwrap();
    rows.push_str("HK,2026-11-01T05:00:00,1,x\n");
    stage.write(&rows);
    let more = stage.since(&nothing.word("id"), "more.csv");
    is(&more, "append", None);
    let refused = stage.apply(&more, &copy).expect_code(4);
    assert!(refused.stderr.contains("--since none"), "{refused:?}");
}

#[test]
fn a_late_or_corrected_row_brings_the_whole_and_says_so() {
    let stage = Stage::set("b");
    let mut last = stage.since("none", "0.csv");
    let late = format!("{FIRST}TH,2026-11-01T01:30:00,5,x\n");
    let corrected = late.replace("35.2", "35.3");
    for (n, rows) in [&late, &corrected].into_iter().enumerate() {
        stage.write(rows);
        let got = stage.since(&last.word("id"), &format!("{}.csv", n + 1));
        is(&got, "whole", Some("rewritten"));
        assert_eq!(got.told["rows"], 4);
        last = got;
    }
    assert!(last.text().contains("35.3") && last.text().contains("01:30:00"), "{}", last.text());
    // From there it grows again.
    stage.write(&format!("{corrected}TH,2026-11-02T00:00:00,6,x\n"));
    let got = stage.since(&last.word("id"), "3.csv");
    is(&got, "append", None);
    assert_eq!(got.text(), "tram,luc,pm25\nTH,2026-11-02T00:00:00,6.0\n");
    // Whose copy it is not gets nothing that rests on it.
    let stranger = TestNode::up("urn:agency:vn:la-them", "Phường khác");
    pair(&stage.provider, &stranger);
    let id = got.word("id");
    is(&get(&stranger, &stage.what, "x.csv", &[&FOR[..], &["--since", &id]].concat()), "whole", Some("gone"));
    // Other rules show another beginning: the whole.
    rules(json!({"mask": {"pm25": "null"}})).apply(&stage.provider);
    let masked =
        get(&stage.consumer, &stage.what, "m.csv", &[&FOR[..], &["--since", &id, "--renew"]].concat());
    is(&masked, "whole", Some("rules"));
    assert!(!masked.text().contains("35.3"), "{}", masked.text());
}

#[test]
fn a_column_that_is_masked_or_not_shown_tells_nothing_by_order() {
    let stage = Stage::set("c");
    let sorted = |got: &Got| {
        let lines: Vec<&str> = got.text().lines().skip(1).filter(|line| !line.ends_with("insert")).collect();
        lines.is_sorted()
    };
    let hidden = Rules::new().allow("state", "query", "bui", PURPOSE, json!({"columns": ["tram", "pm25"]}));
    let mut rows = FIRST.replace("TH,2026-11-01T01", "TH,2026-11-01T00");
    for (n, rules) in [rules(json!({"mask": {"luc": "null"}})), hidden].into_iter().enumerate() {
        rules.apply(&stage.provider);
        stage.write(&rows);
        let get_since = |since: &str, file: &str| {
            get(&stage.consumer, &stage.what, file, &[&FOR[..], &["--since", since, "--renew"]].concat())
        };
        let first = get_since("none", &format!("{n}-1.csv"));
        is(&first, "whole", Some("first"));
        assert!(first.told["copy"]["append_by"].is_null(), "{}", first.told);
        assert!(sorted(&first), "by what is shown alone: {}", first.text());
        // The times of all rows the other way round: no difference.
        let turned = rows.replace("T02:", "T99:").replace("T00:", "T02:").replace("T99:", "T00:");
        stage.write(&turned);
        let same = get_since(&first.word("id"), &format!("{n}-2.csv"));
        is(&same, "changes", None);
        assert_eq!(
            (&same.told["rows"], same.told["copy"]["sha256"] == first.told["copy"]["sha256"]),
            (&json!(0), true)
        );
        rows.push_str(&format!("AA,2026-11-0{}T00:00:00,{n},x\n", n + 3));
    }
    // Who leaves the column out of the question is compared as usual, too.
    rules(json!({})).apply(&stage.provider);
    let asked = [&FOR[..], &["--since", "none", "--renew", "--columns", "tram,pm25"]].concat();
    assert!(get(&stage.consumer, &stage.what, "q.csv", &asked).told["copy"]["append_by"].is_null());
}

#[test]
fn a_declaration_that_cannot_hold_is_refused_with_what_to_do() {
    let node = TestNode::up("urn:agency:vn:khai-sai", "Chi cục");
    let file = node.desk().join("x.csv");
    fs::write(&file, "ten,luc,gio\nA,2026-11-01,2026-11-01\nB,,2026-11-02\n").unwrap();
    let file = file.to_string_lossy();
    for (column, told) in
        [("lucc", "there is no column"), ("ten", "nor days nor times"), ("luc", "required: true")]
    {
        let refused = node.cmd(&["dataset", "add", &file, "--append-by", column]).expect_code(2);
        assert!(refused.stderr.contains(told) && refused.stderr.contains(column), "{refused:?}");
    }
    node.ok(&["dataset", "add", &file, "--append-by", "gio"]);
    let contract = node.dir().join("contracts/x.yaml");
    let text = fs::read_to_string(&contract).unwrap();
    fs::write(&contract, text.replace("value: gio", "value: ten")).unwrap();
    let refused = node.cmd(&["dataset", "validate", "x"]).expect_code(2);
    assert!(refused.stderr.contains("appendBy"), "{refused:?}");
}

fn copy_of(node: &TestNode) -> PathBuf {
    node.dir().join("subscriptions/bui.csv")
}

#[test]
fn killed_nodes_lose_and_double_no_new_row() {
    let mut dice = Dice::from_env("TRAM_CRASH_SEED");
    let mut stage = Stage::set("d");
    stage.consumer.ok(&[&["subscription", "add", &stage.what, "--every", "366d"], &FOR[..]].concat());
    let first = wait("the first copy", || fs::read(copy_of(&stage.consumer)).ok());
    assert_eq!(String::from_utf8(first).unwrap(), SEEN);
    let mut rows = FIRST.to_owned();
    for kill in 0..KILLS {
        rows.push_str(&format!("T{kill},2026-11-02T0{kill}:00:00,{kill},n\n"));
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
    // Each stands on the one before, and none of them but the first was a whole.
    let listed = stage.consumer.json(&["exchange", "list"]);
    let all = listed["exchanges"].as_array().unwrap();
    let done: Vec<&Value> = all.iter().filter(|e| e["stage"] == "completed").map(|e| &e["copy"]).collect();
    let mut from: Vec<&str> = done.iter().filter_map(|copy| copy["from_version"].as_str()).collect();
    let count = from.len();
    from.sort_unstable();
    from.dedup();
    assert!(count > 0 && from.len() == count, "{listed}");
    let kinds: Vec<&str> = done.iter().filter_map(|copy| copy["kind"].as_str()).collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "whole").count(),
        2,
        "the first, and the one by hand: {kinds:?}"
    );
    assert_eq!(kinds.iter().filter(|kind| **kind == "append").count(), count, "{kinds:?}");
    for node in [&stage.provider, &stage.consumer] {
        node.ok(&["ledger", "verify"]);
    }
}
