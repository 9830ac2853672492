//! Sources: rows that are fetched from where an agency keeps them, checked, and served whole or not at all. With real nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::scene::{get, publish};
use tests::{Rules, TestNode, pair, run};

const PURPOSE: &str = "air-quality-management";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];

/// As a clerk's spreadsheet program saves it.
const BEFORE: &str = "Bảng đo bụi\n\nTrạm;Ngày;PM2,5\nHoàn Kiếm;01/11/2026;35,2\nTây Hồ;02/11/2026;28\n";
const AFTER: &str = "Bảng đo bụi\n\nTrạm;Ngày;PM2,5\nHoàn Kiếm;03/11/2026;31,5\n";
const MAPPING: &str = r#"
decimal = ","
date = "dd/mm/yyyy"
[columns.tram]
from = "Trạm"
[columns.ngay]
from = "Ngày"
[columns.pm25]
from = "PM2,5"
"#;

struct Desk {
    node: TestNode,
    rows: PathBuf,
    description: PathBuf,
}

fn desk(name: &str) -> Desk {
    let node = TestNode::up(&format!("urn:agency:vn:nguon-{name}"), "Chi cục Môi trường");
    let rows = node.desk().join("bui.csv");
    fs::write(&rows, BEFORE).unwrap();
    let description = node.desk().join("nguon.toml");
    fs::write(&description, "type = \"text\"\npath = \"bui.csv\"\n").unwrap();
    Desk { node, rows, description }
}

fn edit(path: &PathBuf, change: impl Fn(String) -> String) {
    fs::write(path, change(fs::read_to_string(path).unwrap())).unwrap();
}

fn source(node: &TestNode) -> Value {
    node.json(&["source", "list"])["sources"][0].clone()
}

#[test]
fn a_description_is_tried_without_a_node() {
    let desk = desk("a");
    let told = run(&["source", "check", desk.description.to_str().unwrap(), "--json"]).expect_code(0).json();
    assert_eq!(told["columns"], json!(["Trạm", "Ngày", "PM2,5"]), "{told}");
    assert_eq!(told["rows"][0]["place"]["row"], 4, "as the clerk counts them: {told}");
    fs::write(&desk.description, "type = \"text\"\npath = \"nothing.csv\"\n").unwrap();
    let told = run(&["source", "check", desk.description.to_str().unwrap()]);
    assert!(told.code != 0 && told.stderr.contains("nothing.csv"), "{told:?}");
    for (bad, why) in [
        ("type = \"texts\"\n", "texts"),
        ("type = \"text\"\npath = \"bui.csv\"\nevery = \"15s\"\n", "15s"),
        ("type = \"text\"\npath = 5\n", "path"),
    ] {
        fs::write(&desk.description, bad).unwrap();
        let told = run(&["source", "check", desk.description.to_str().unwrap()]).expect_code(2);
        assert!(told.stderr.contains(why), "{told:?}");
    }
}

#[test]
fn new_rows_are_served_whole_and_bad_ones_never() {
    let desk = desk("b");
    let consumer = TestNode::up("urn:agency:vn:nguon-c", "Phường");
    pair(&desk.node, &consumer);
    Rules::new().allow("state", "query", "bui", PURPOSE, json!({})).apply(&desk.node);
    publish(&desk.node, &desk.description, "bui", &[]);
    let what = format!("{}/bui", desk.node.id());
    let rows = |file: &str| get(&consumer, &what, file, &FOR).text().to_owned();
    assert_eq!(rows("1.csv"), "Trạm,Ngày,\"PM2,5\"\nHoàn Kiếm,01/11/2026,\"35,2\"\nTây Hồ,02/11/2026,28\n");
    // The same rows again are no change.
    let told = desk.node.json(&["source", "refresh", "bui"]);
    assert_eq!((&told["changed"], &told["state"]["rows"]), (&json!(false), &json!(2)), "{told}");
    fs::write(&desk.rows, AFTER).unwrap();
    assert_eq!(rows("2.csv").lines().count(), 3, "nobody looked at the source yet");
    assert_eq!(desk.node.json(&["source", "refresh", "bui"])["changed"], true);
    assert_eq!(rows("3.csv"), "Trạm,Ngày,\"PM2,5\"\nHoàn Kiếm,03/11/2026,\"31,5\"\n");
    // A column that is gone, a row that is cut off, a file that is gone: what was served is served on.
    for bad in ["Trạm;Ngày\nHoàn Kiếm;04/11/2026\n", "Trạm;Ngày;PM2,5\nHoàn Kiếm;04/11\n", ""] {
        fs::write(&desk.rows, bad).unwrap();
        assert_ne!(desk.node.cmd(&["source", "refresh", "bui"]).code, 0, "{bad}");
        assert!(source(&desk.node)["state"]["problem"].is_string());
        assert_eq!(source(&desk.node)["state"]["rows"], 1);
    }
    fs::remove_file(&desk.rows).unwrap();
    assert_ne!(desk.node.cmd(&["source", "refresh", "bui"]).code, 0);
    assert!(rows("4.csv").contains("03/11/2026"));
    assert!(!desk.node.dir().join("data/bui/rows.part").exists());
    let told = desk.node.cmd(&["source", "refresh", "nothing"]).expect_code(1);
    assert!(told.stderr.contains("dataset list"), "{told:?}");
}

#[test]
fn a_mapping_gives_the_contracts_columns_and_says_where_a_row_does_not_fit() {
    let desk = desk("d");
    publish(&desk.node, &desk.description, "bui", &[]);
    fs::write(desk.node.desk().join("anh-xa.toml"), MAPPING).unwrap();
    edit(&desk.node.dir().join("sources/bui.toml"), |text| format!("mapping = \"anh-xa.toml\"\n{text}"));
    let contract = desk.node.dir().join("contracts/bui.yaml");
    edit(&contract, |text| {
        let (head, _) = text.split_once("properties:\n").unwrap();
        let columns = "  - name: tram\n    logicalType: string\n  - name: ngay\n    logicalType: date\n  - name: pm25\n    logicalType: number\n";
        format!("{head}properties:\n{columns}")
    });
    let told = desk.node.cmd(&["source", "refresh", "bui", "--json"]);
    assert_eq!(told.code, 0, "{told:?}\n{}", fs::read_to_string(&contract).unwrap());
    let told = told.json();
    assert_eq!((&told["changed"], &told["state"]["rows"]), (&json!(true), &json!(2)), "{told}");
    let found = desk.node.json(&["source", "show", "bui"])["found"].clone();
    assert_eq!(found["mapping"]["rows_out"], 2, "{found}");
    assert_eq!(
        (&found["quality"]["rows"], &found["profile"]["columns"][2]["shape"]["greatest"]),
        (&json!(2), &json!("35.2")),
        "{found}"
    );
    let shown = desk.node.json(&["dataset", "show", "bui"]);
    assert_eq!(shown["dataset"]["columns"][2]["kind"], "number", "{shown}");
    let snapshot = fs::read_to_string(desk.node.dir().join("data/bui/rows.csv")).unwrap();
    assert_eq!(snapshot, "tram,ngay,pm25\nHoàn Kiếm,2026-11-01,35.2\nTây Hồ,2026-11-02,28\n");
    fs::write(&desk.rows, BEFORE.replace("02/11/2026", "32/11/2026")).unwrap();
    let told = desk.node.cmd(&["source", "refresh", "bui"]).expect_code(2);
    assert!(told.stderr.contains("32/11/2026") && told.stderr.contains("row 5"), "{told:?}");
    assert_eq!(fs::read_to_string(desk.node.dir().join("data/bui/rows.csv")).unwrap(), snapshot);
    // What the mapping makes of the first rows can be seen before, with what does not fit.
    let description = "type = \"text\"\npath = \"bui.csv\"\nmapping = \"anh-xa.toml\"\n";
    fs::write(&desk.description, description).unwrap();
    let check = ["source", "check", desk.description.to_str().unwrap()];
    let check = [&check[..], &["--contract", contract.to_str().unwrap()]].concat();
    let tried = |words: &[&str]| run(&[&check[..], words].concat());
    let told = tried(&["--json"]).expect_code(1).json();
    assert_eq!(told["mapped"]["columns"], json!(["tram", "ngay", "pm25"]), "{told}");
    assert_eq!(told["mapped"]["rows"][0]["cells"], json!(["Hoàn Kiếm", "2026-11-01", "35.2"]), "{told}");
    assert!(told["mapped"]["problems"][0].as_str().unwrap().contains("32/11/2026"), "{told}");
    fs::write(&desk.rows, BEFORE.replace("Hoàn Kiếm", &"x".repeat(500))).unwrap();
    let told = tried(&["--rows", "1"]).expect_code(0).stdout;
    assert!(told.contains("as the mapping makes them") && told.contains("2026-11-01"), "{told}");
    assert!(told.lines().all(|line| line.chars().count() < 200), "{told}");
    // A promise of the contract that rows break: none of them is served.
    edit(&contract, |text| text.replace("name: tram\n", "name: tram\n    unique: true\n"));
    fs::write(&desk.rows, BEFORE.replace("Tây Hồ", "Hoàn Kiếm")).unwrap();
    let told = desk.node.cmd(&["source", "refresh", "bui"]).expect_code(2);
    assert!(told.stderr.contains("tram") && told.stderr.contains("served on"), "{told:?}");
    assert_eq!(fs::read_to_string(desk.node.dir().join("data/bui/rows.csv")).unwrap(), snapshot);
}

#[test]
fn after_a_kill_at_any_moment_one_of_the_two_is_served_whole() {
    let mut desk = desk("e");
    let consumer = TestNode::up("urn:agency:vn:nguon-f", "Phường");
    pair(&desk.node, &consumer);
    Rules::new().allow("state", "query", "bui", PURPOSE, json!({})).apply(&desk.node);
    let many = |n: usize| (0..2_000).fold("a,b\n".to_owned(), |all, row| all + &format!("{row},{n}\n"));
    fs::write(&desk.rows, many(0)).unwrap();
    publish(&desk.node, &desk.description, "bui", &[]);
    let what = format!("{}/bui", desk.node.id());
    for n in 1..=6 {
        fs::write(&desk.rows, many(n)).unwrap();
        let refresh = desk.node.spawn(&["source", "refresh", "bui"]);
        // Somewhere within the look, at another moment each time.
        std::thread::sleep(std::time::Duration::from_millis(13 * n as u64));
        desk.node.kill9();
        drop(refresh);
        desk.node.start();
        let got = get(&consumer, &what, &format!("{n}.csv"), &FOR).text().to_owned();
        let mark = got.lines().nth(1).and_then(|line| line.split(',').nth(1)).unwrap().parse().unwrap();
        assert!(got == many(mark) && mark <= n, "round {n}: half of a snapshot");
        desk.node.json(&["source", "refresh", "bui"]);
    }
}

#[test]
fn what_a_contract_promises_is_checked_of_files_too() {
    let desk = desk("g");
    let file = desk.node.desk().join("so.csv");
    fs::write(&file, "tram,dan_so\nA,1.234\nA,2.000\n").unwrap();
    let told = desk.node.cmd(&["dataset", "add", file.to_str().unwrap(), "--name", "so"]).expect_code(0);
    assert!(told.stderr.contains("dan_so") && told.stderr.contains("thousands"), "{told:?}");
    desk.node.ok(&["dataset", "validate", "so"]);
    let contract = desk.node.dir().join("contracts/so.yaml");
    let written = fs::read_to_string(&contract).unwrap();
    for (promise, why) in [("unique: true", "tram"), ("logicalTypeOptions: {maxLength: 0}", "tram")] {
        fs::write(&contract, written.replace("- name: tram\n", &format!("- name: tram\n    {promise}\n")))
            .unwrap();
        let told = desk.node.cmd(&["dataset", "validate", "so"]);
        assert!(told.code == 2 && told.stderr.contains(why), "{promise}: {told:?}");
        assert_eq!(desk.node.cmd(&["dataset", "publish", "so"]).code, 1, "{promise}");
    }
    // A mapping that is not there, or cannot be read, is told when the source is tried and not weeks later.
    let text = fs::read_to_string(&desk.description).unwrap();
    fs::write(&desk.description, format!("mapping = \"anh-xa.toml\"\n{text}")).unwrap();
    for mapping in [None, Some("decimol = \",\"\n")] {
        if let Some(mapping) = mapping {
            fs::write(desk.node.desk().join("anh-xa.toml"), mapping).unwrap();
        }
        let told = run(&["source", "check", desk.description.to_str().unwrap()]);
        assert!(told.code != 0 && told.stderr.contains("anh-xa.toml"), "{told:?}");
    }
}
