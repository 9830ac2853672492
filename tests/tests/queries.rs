//! What consumers ask of a view, in words and in SQL, and the forms in which they get it. With real nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::fs;

use serde_json::{Value, json};
use tests::scene::{ask, get, publish};
use tests::{Rules, TestNode, pair, run};

const PURPOSE: &str = "planning";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];
const ROWS: &str = "phuong,loai,luot,bi_mat\nNghĩa Đô,xe máy,120,a\nNghĩa Đô,ô tô,30,b\nTây Hồ,xe máy,90,c\nTây Hồ,ô tô,,d\n";

#[test]
fn the_same_question_in_words_and_in_sql_has_the_same_answer_in_every_form() {
    let provider = TestNode::up("urn:agency:vn:hoi-a", "Sở Xây dựng");
    let consumer = TestNode::up("urn:agency:vn:hoi-b", "Phường");
    pair(&provider, &consumer);
    let file = provider.desk().join("luot.csv");
    fs::write(&file, ROWS).unwrap();
    publish(&provider, &file, "luot", &[]);
    Rules::new()
        .allow("state", "query", "luot", PURPOSE, json!({"mask": {"bi_mat": "drop"}}))
        .apply(&provider);
    let what = format!("{}/luot", provider.id());
    let get = |file: &str, words: &[&str]| get(&consumer, &what, file, &[&FOR[..], words].concat());
    let words =
        ["--group-by", "phuong", "--measure", "sum(luot)", "--order-by", "sum_luot desc", "--limit", "1"];
    let sql = "select phuong, sum(luot) from this_dataset group by phuong order by sum_luot desc limit 1";
    let in_words = get("a.csv", &words).text().to_owned();
    assert_eq!(in_words, "phuong,sum_luot\nNghĩa Đô,150\n");
    assert_eq!(get("b.csv", &["--sql", sql]).text(), in_words);
    let json: Value =
        serde_json::from_slice(&get("c.json", &["--sql", sql, "--format", "json"]).bytes).unwrap();
    assert_eq!(json, json!([{"phuong": "Nghĩa Đô", "sum_luot": 150}]));
    assert!(get("d.csv", &["--sql", sql, "--format", "csv-bom"]).bytes.starts_with(b"\xEF\xBB\xBFphuong,"));
    let either = "select distinct phuong from luot where loai = 'ô tô' and (luot > 100 or luot is null)";
    assert_eq!(get("e.csv", &["--sql", either]).text(), "phuong\nTây Hồ\n");
    // A spreadsheet, read back by the reader of spreadsheets.
    get(
        "f.xlsx",
        &["--format", "xlsx", "--sql", "select phuong, luot from luot where luot between 100 and 200"],
    );
    fs::write(consumer.desk().join("f.toml"), "type = \"excel\"\npath = \"f.xlsx\"\n").unwrap();
    let read = run(&["source", "check", consumer.desk().join("f.toml").to_str().unwrap(), "--json"]).json();
    assert_eq!(read["columns"], json!(["phuong", "luot"]), "{read}");
    assert_eq!(read["rows"][0]["cells"], json!(["Nghĩa Đô", "120"]), "{read}");
    // What SQL cannot say here is named; what is hidden is not there, in either form.
    for (sql, why) in [
        ("select * from luot join x on true", "JOIN"),
        ("select * from luot; drop table luot", "one"),
        ("select * from khac", "khac"),
    ] {
        let told = ask(&consumer, &what, "no.csv", &[&FOR[..], &["--sql", sql]].concat()).expect_code(2);
        assert!(told.stderr.to_lowercase().contains(&why.to_lowercase()), "{told:?}");
    }
    for hidden in [&["--sql", "select bi_mat from luot"][..], &["--sql", "select nothing from luot"]] {
        let told = ask(&consumer, &what, "no.csv", &[&FOR[..], hidden].concat());
        assert!(told.code != 0 && told.stderr.contains("no column"), "{told:?}");
    }
    let both = [&FOR[..], &["--sql", sql, "--limit", "1"]].concat();
    ask(&consumer, &what, "no.csv", &both).expect_code(2);
}
