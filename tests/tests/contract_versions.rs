//! Versions of a contract: compatible ones are followed, breaking ones leave the old form served to those who agreed on it,
//! until it ends. With real nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;

use serde_json::{Value, json};
use tests::scene::{ask, get, publish};
use tests::{Rules, TestNode, pair};

const PURPOSE: &str = "air-quality-management";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];

struct Stage {
    provider: TestNode,
    what: String,
}

impl Stage {
    fn set(name: &str) -> Self {
        let provider = TestNode::up(&format!("urn:agency:vn:hop-dong-{name}"), "Chi cục Môi trường");
        let file = provider.desk().join("bui.csv");
        fs::write(&file, "tram,pm25,pm10\nHK,35,60\n").unwrap();
        Rules::new().allow("state", "query", "bui", PURPOSE, json!({})).apply(&provider);
        publish(&provider, &file, "bui", &[]);
        let what = format!("{}/bui", provider.id());
        Self { provider, what }
    }

    fn consumer(&self, name: &str) -> TestNode {
        let consumer = TestNode::up(&format!("urn:agency:vn:{name}"), "Phường");
        pair(&self.provider, &consumer);
        consumer
    }

    /// Other rows and another contract, checked and in force together.
    fn change(&self, rows: &str, contract: impl Fn(String) -> String) -> Value {
        fs::write(self.provider.dir().join("data/bui/bui.csv"), rows).unwrap();
        let path = self.provider.dir().join("contracts/bui.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let edited = contract(text.clone());
        assert_ne!(edited, text, "the contract is not written as this test expects");
        fs::write(path, edited).unwrap();
        self.provider.json(&["dataset", "validate", "bui"])
    }
}

/// Without `pm10`, which is the last column.
fn without_pm10(text: String) -> String {
    let (head, rest) = text.split_once("  - name: pm10\n").unwrap();
    let tail = rest.split_inclusive('\n').skip_while(|line| line.starts_with("    ")).collect::<String>();
    format!("{head}{tail}")
}

#[test]
fn an_older_contract_is_served_to_those_who_agreed_on_it_until_it_ends() {
    let stage = Stage::set("a");
    let (old, other) = (stage.consumer("giu-a"), stage.consumer("moi-a"));
    let rows = |node: &TestNode, words: &[&str]| get(node, &stage.what, "x.csv", &[&FOR[..], words].concat());
    for node in [&old, &other] {
        assert_eq!(rows(node, &[]).text(), "tram,pm25,pm10\nHK,35,60\n");
    }
    // A compatible change is followed: nobody is served an old form.
    let told = stage.change("tram,pm25,pm10\nHK,36,61\n", |text| format!("{text}tags: [bui-min]\n"));
    assert_eq!(told["changes"]["breaking"], false, "{told}");
    let got = rows(&old, &[]);
    assert_eq!((got.text(), &got.told["superseded"]), ("tram,pm25,pm10\nHK,36,61\n", &Value::Null));

    let told = stage.change("tram,pm25\nHK,99\n", without_pm10);
    assert_eq!(told["changes"]["breaking"], true, "{told}");
    // Who agreed before gets the newest rows in the old form, and is told until when.
    let got = ask(&old, &stage.what, "old.csv", &FOR).expect_code(0);
    assert!(got.stderr.contains("NOTICE") && got.stderr.contains("CHÚ Ý"), "{got:?}");
    let told = got.json();
    assert_eq!(fs::read_to_string(old.desk().join("old.csv")).unwrap(), "tram,pm25,pm10\nHK,36,61\n");
    let newest = stage.provider.json(&["dataset", "show", "bui"])["dataset"]["version"].clone();
    assert_eq!(told["superseded"]["by"], newest, "{told}");
    let versions = stage.provider.json(&["dataset", "versions", "bui"]);
    assert_eq!(versions["older_contracts"].as_array().unwrap().len(), 1, "{versions}");
    assert_eq!(versions["older_contracts"][0]["agreements"], 2);
    // Who wants the new form agrees on it; from then on it is the one that is used.
    assert_eq!(rows(&other, &["--renew"]).text(), "tram,pm25\nHK,99\n");
    assert_eq!(rows(&other, &[]).text(), "tram,pm25\nHK,99\n");
    // Rows that satisfy both forms reach both.
    stage.change("tram,pm25\nHK,100\n", |text| {
        format!("{text}description: {{purpose: Bụi mịn}}\n").replace("description: {purpose: ''}\n", "")
    });
    assert_eq!(rows(&other, &[]).text(), "tram,pm25\nHK,100\n");
    assert_eq!(rows(&old, &[]).text(), "tram,pm25,pm10\nHK,36,61\n");

    // The steward lets it end: refused with the reason, and the next request agrees on the new one.
    let contract = versions["older_contracts"][0]["contract"].to_string();
    stage.provider.cmd(&["dataset", "end", "bui", "--contract", &contract, "--on", "soon"]).expect_code(2);
    let present = stage.provider.json(&["dataset", "show", "bui"])["dataset"]["version"].to_string();
    stage
        .provider
        .cmd(&["dataset", "end", "bui", "--contract", &present, "--on", "2999-01-01"])
        .expect_code(2);
    let past = stage
        .provider
        .cmd(&["dataset", "end", "bui", "--contract", &contract, "--on", "2026-01-01"])
        .expect_code(2);
    assert!(past.stderr.contains("the end is past"), "{past:?}");
    let kept = stage.provider.json(&["dataset", "versions", "bui"])["versions"][0]["kept"].to_string();
    let today: String = kept.trim_matches('"').chars().take(10).collect();
    stage.provider.ok(&["dataset", "end", "bui", "--contract", &contract, "--on", &today]);
    let ended = ask(&old, &stage.what, "y.csv", &FOR);
    assert!(ended.code != 0 && ended.stderr.contains("has ended"), "{ended:?}");
    assert_eq!(rows(&old, &[]).text(), "tram,pm25\nHK,100\n");
}

#[test]
fn new_rows_in_the_old_form_reach_those_who_agreed_on_it() {
    let stage = Stage::set("b");
    let consumer = stage.consumer("giu-b");
    let rows = || get(&consumer, &stage.what, "x.csv", &FOR);
    assert_eq!(rows().text(), "tram,pm25,pm10\nHK,35,60\n");
    // Breaking by word alone: `pm10` may be missing now. Rows that have it satisfy what was promised before.
    let loosened = |text: String| {
        let (head, tail) = text.split_once("  - name: pm10\n").unwrap();
        format!("{head}  - name: pm10\n{}", tail.replacen("required: true", "required: false", 1))
    };
    let told = stage.change("tram,pm25,pm10\nHK,1,2\n", loosened);
    assert_eq!(told["changes"]["breaking"], true, "{told}");
    let got = rows();
    assert_eq!(got.text(), "tram,pm25,pm10\nHK,1,2\n");
    assert!(got.told["superseded"].is_object());
    // Rows without it do not: the newest that do are served on.
    fs::write(stage.provider.dir().join("data/bui/bui.csv"), "tram,pm25,pm10\nHK,3,\n").unwrap();
    stage.provider.ok(&["dataset", "validate", "bui"]);
    assert_eq!(rows().text(), "tram,pm25,pm10\nHK,1,2\n");
    let renewed = get(&consumer, &stage.what, "y.csv", &[&FOR[..], &["--renew"]].concat());
    assert_eq!(renewed.text(), "tram,pm25,pm10\nHK,3,\n");
}
