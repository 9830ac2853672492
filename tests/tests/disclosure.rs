//! Disclosure control between real nodes: the dengue table of `../shared/data` as figures that tell of no single person,
//! and a privacy budget that is spent, told and used up.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use tests::scene::{ask, get, publish};
use tests::{Rules, TestNode, free_port, pair, repository, shared, skip, tram};

const PURPOSE: &str = "planning";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];
/// Most by which the rules let a count move.
const MOVES: i64 = 3;

struct Stage {
    provider: TestNode,
    consumer: TestNode,
    what: String,
}

fn stage(file: &std::path::Path, words: &[&str], obligations: Value) -> Stage {
    let provider = TestNode::up("urn:agency:vn:y-te", "Sở Y tế");
    let consumer = TestNode::up("urn:agency:vn:phuong", "Phường");
    pair(&provider, &consumer);
    publish(&provider, file, "benh", words);
    Rules::new().allow("state", "query", "benh", PURPOSE, obligations).apply(&provider);
    let what = format!("{}/benh", provider.id());
    Stage { provider, consumer, what }
}

impl Stage {
    /// The rows that come for these words, each cut at its commas; the manifest says under what they were made.
    fn rows(&self, file: &str, words: &[&str]) -> Vec<Vec<String>> {
        let got = get(&self.consumer, &self.what, file, &[&FOR[..], words].concat());
        let lines = got.text().lines().skip(1);
        lines.map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    fn privacy(&self) -> Value {
        let question =
            ["policy", "explain", "--subject", self.consumer.id(), "--dataset", "benh", "--action", "query"];
        let told = self.provider.json(&[&question[..], &FOR[..]].concat());
        told["outcome"]["privacy"].clone()
    }
}

#[test]
fn dengue_figures_move_a_little_and_alike_whoever_asks_in_whatever_way() {
    let Some(path) = shared("data/dengue-districts.csv") else {
        return skip("../shared/data/dengue-districts.csv is not there");
    };
    let mut exact: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    for record in reader.records().map(Result::unwrap) {
        let cell =
            exact.entry((record[at("province")].to_owned(), record[at("year")].to_owned())).or_default();
        cell.0 += record[at("cases")].parse::<i64>().unwrap_or(0);
        cell.1 += 1;
    }
    let control = json!({"aggregate": {"k": 5, "dominance": {"1": 90}, "p_percent": 5, "noise": {"counts": MOVES, "sums_percent": 5}}});
    let words = ["--subject-count", "cases", "--group-by", "province,year"];
    let stage = stage(&path, &words, control);
    let figures = ["--measure", "sum(cases),count,sum(population)"];
    let table = stage.rows("table.csv", &[&["--group-by", "province,year"][..], &figures].concat());
    assert!(table.len() > 20, "{}", table.len());
    let mut moved = 0;
    for row in &table {
        let (cases, rows) = exact[&(row[0].clone(), row[1].clone())];
        let shown = |at: usize| row[at].parse::<i64>().unwrap();
        assert!(
            cases >= 5 && (shown(2) - cases).abs() <= MOVES && (shown(3) - rows).abs() <= MOVES,
            "{row:?}"
        );
        moved += usize::from(shown(2) != cases);
    }
    // Six of seven move.
    assert!(moved * 2 > table.len(), "{moved} of {}", table.len());
    // The same cells by another way: of one year, in another exchange.
    let year = table[0][1].clone();
    let only = format!("year = {year}");
    let one = stage.rows("one.csv", &[&["--group-by", "province", "--where", &only][..], &figures].concat());
    let same: Vec<Vec<String>> =
        table.iter().filter(|row| row[1] == year).map(|row| [&row[..1], &row[2..]].concat()).collect();
    assert_eq!(one, same);
}

/// The block of the docs that begins with this line, and the block behind it.
fn example(page: &str, begin: &str) -> (String, String) {
    let (_, from) = page.split_once(begin).unwrap();
    let (script, rest) = from.split_once("\n```\n").unwrap();
    let (_, answer) = rest.split_once("```csv\n").unwrap();
    // What is left of its first line is a comment.
    (format!("#{script}"), answer.split_once("```").unwrap().0.to_owned())
}

#[test]
fn the_example_of_the_docs_runs_as_it_stands_and_ends_in_the_table_that_it_shows() {
    let page = fs::read_to_string(repository().join("docs/disclosure.md")).unwrap();
    let (mut script, wanted) = example(&page, "```sh\n# dữ liệu: một dòng một ca");
    // Marks first: a free port may hold the digits of the next one.
    for (port, mark) in [("7443", "{a}"), ("7080", "{b}"), ("7444", "{c}"), ("7081", "{d}")] {
        assert!(script.contains(port), "{script}");
        script = script.replace(port, mark);
    }
    for mark in ["{a}", "{b}", "{c}", "{d}"] {
        script = script.replace(mark, &free_port().to_string());
    }
    let dir = tempfile::tempdir().unwrap();
    // Under the name that people type, wherever the binary is.
    std::os::unix::fs::symlink(tram(), dir.path().join("tram")).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let script = format!("trap 'kill $(jobs -p)' EXIT\n{script}");
    let told = std::process::Command::new("bash")
        .args(["-ec", &script])
        .current_dir(dir.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let table = fs::read_to_string(dir.path().join("bang.csv"));
    assert_eq!(table.ok().as_deref(), Some(wanted.as_str()), "{}", String::from_utf8_lossy(&told.stderr));
}

#[test]
fn a_privacy_budget_is_spent_by_answers_told_to_the_steward_and_then_used_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("benh.csv");
    let rows: String = (0..300).map(|n| format!("{n},{},{}\n", n % 3, n % 50)).collect();
    fs::write(&file, format!("id,phuong,ngay_nam_vien\n{rows}")).unwrap();
    let private = json!({"aggregate": {"k": 5}, "differential_privacy":
        {"epsilon": 0.5, "budget": {"month": 1.2}, "bounds": {"ngay_nam_vien": [0, 50]}}});
    let mut stage = stage(&file, &["--group-by", "phuong"], private);
    let words = ["--group-by", "phuong", "--measure", "count,sum(ngay_nam_vien)"];
    let asked =
        |stage: &Stage, file: &str| ask(&stage.consumer, &stage.what, file, &[&FOR[..], &words].concat());
    let first = asked(&stage, "a.csv");
    if first.code != 0 {
        // This build cannot keep the obligation, so it must not answer.
        let refused = first.expect_code(3);
        assert!(refused.stdout.contains("OBLIGATION-UNSUPPORTED"), "{}", refused.stdout);
        return skip("the build under test has no feature `dp`");
    }
    let read = |stage: &Stage, file: &str| fs::read_to_string(stage.consumer.desk().join(file)).unwrap();
    assert_eq!(stage.privacy()["periods"]["month"]["left"], 0.7);
    let exchange = first.json();
    let id = exchange["id"].as_str().or(exchange["exchange"].as_str()).unwrap().to_owned();
    let shown = stage.provider.json(&["exchange", "show", &id]);
    assert!(shown.to_string().contains(r#""epsilon":0.5"#), "the manifest says what was spent: {shown}");
    stage.provider.kill9();
    stage.provider.start();
    assert_eq!(
        stage.privacy()["periods"]["month"]["left"],
        0.7,
        "a crash forgets nothing and spends nothing"
    );
    asked(&stage, "b.csv").expect_code(0);
    assert_ne!(
        read(&stage, "a.csv"),
        read(&stage, "b.csv"),
        "each answer has noise of its own, and is paid for"
    );
    assert_eq!(stage.privacy()["periods"]["month"]["left"], 0.2);
    let refused = asked(&stage, "c.csv").expect_code(3);
    assert!(refused.stdout.contains("PRIVACY-BUDGET"), "{}", refused.stdout);
    assert_eq!(stage.privacy()["periods"]["month"]["left"], 0.2);
}
