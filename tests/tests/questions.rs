//! One question to three providers, with real nodes and the real tables of `../shared/data`: dengue cases, traffic and PM2.5
//! by month for Ha Noi. Each provider releases aggregates only; what comes is held against figures that plain Rust
//! computes over the files.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::door::{bearer, call};
use tests::scene::publish;
use tests::{Rules, TestNode, pair, run, shared, skip};

const PURPOSE: &str = "planning";
const FILES: [&str; 3] = ["dengue-districts", "hanoi-air-quality", "traffic-provinces"];
/// Fewest cases in a group that the health agency shows.
const CASES_MIN: i64 = 5;
/// Fewest hours in a group that the environment agency shows.
const HOURS_MIN: u64 = 24;

/// The three agencies with their tables, and the one that asks.
struct Town {
    health: TestNode,
    air: TestNode,
    traffic: TestNode,
    city: TestNode,
}

/// Skips the test, loudly, when the tables are not there.
fn town(name: &str) -> Option<Town> {
    let mut files = Vec::new();
    for file in FILES {
        let Some(path) = shared(&format!("data/{file}.csv")) else {
            skip(&format!("../shared/data/{file}.csv is not there"));
            return None;
        };
        files.push(path);
    }
    let up = |what: &str, title: &str| TestNode::up(&format!("urn:agency:vn:{what}-{name}"), title);
    let town = Town {
        health: up("y-te", "Sở Y tế"),
        air: up("moi-truong", "Sở Môi trường"),
        traffic: up("giao-thong", "Sở Giao thông"),
        city: up("thanh-pho", "UBND thành phố"),
    };
    let only = |k: u64, by: Value| json!({"aggregate": {"k": k, "group_by": by}, "no_onward": true});
    let months = json!(["City", "year(Local Time)", "month_of_year(Local Time)"]);
    for (node, dataset, file, words, duties) in [
        (
            &town.health,
            "dengue",
            &files[0],
            &["--subject-count", "cases"][..],
            only(5, json!(["province", "year", "month"])),
        ),
        (&town.air, "air", &files[1], &[][..], only(HOURS_MIN, months)),
        (
            &town.traffic,
            "traffic",
            &files[2],
            &[][..],
            json!({"columns": ["province", "year", "traffic_milperskm"], "retention_days": 30}),
        ),
    ] {
        Rules::new().allow("state", "query", dataset, PURPOSE, duties).apply(node);
        publish(node, file, dataset, words);
        pair(node, &town.city);
    }
    Some(town)
}

impl Town {
    /// The question, as a clerk writes it.
    fn question(&self, purpose: &str, more: &str) -> PathBuf {
        let file = self.city.desk().join("cau-hoi.toml");
        let text = format!(
            r#"
title = "Sốt xuất huyết, PM2.5 và giao thông theo tháng, Hà Nội"

[[sources]]
name = "dengue"
from = "{}/dengue"
purpose = "{PURPOSE}"
basis = "law"
where = ["province = 'Ha Noi'"]
group_by = ["year", "month"]
measures = ["sum(cases) as cases"]

[[sources]]
name = "air"
from = "{}/air"
purpose = "{purpose}"
basis = "law"
where = ["City = 'Hanoi'"]
group_by = ["year(Local Time) as year", "month_of_year(Local Time) as month"]
measures = ["avg(PM25) as pm25", "count as hours"]
join = "full"
on = ["year", "month"]
{more}

[[sources]]
name = "traffic"
from = "{}/traffic"
purpose = "{PURPOSE}"
basis = "law"
sql = "select year, sum(traffic_milperskm) as traffic from traffic where province = 'Ha Noi' group by year"
join = "left"
on = ["year"]
"#,
            self.health.id(),
            self.air.id(),
            self.traffic.id()
        );
        fs::write(&file, text).unwrap();
        file
    }
}

/// A table as a program that knows nothing of us reads it.
fn rows(file: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(shared(&format!("data/{file}.csv")).unwrap()).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// Month by month: cases, mean PM2.5 with its hours, and the year's traffic.
#[derive(Debug, Default, Clone, PartialEq)]
struct Month {
    cases: Option<i64>,
    pm25: Option<(f64, i64)>,
    traffic: Option<f64>,
}

/// What the answer must be, by plain sums over the files.
fn expected() -> BTreeMap<(i64, i64), Month> {
    let mut months: BTreeMap<(i64, i64), Month> = BTreeMap::new();
    let mut cases: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for row in rows(FILES[0]).iter().filter(|row| row["province"] == "Ha Noi") {
        let n = row["cases"].parse::<i64>().unwrap_or(0);
        *cases.entry((row["year"].parse().unwrap(), row["month"].parse().unwrap())).or_default() += n;
    }
    for (month, n) in cases.into_iter().filter(|(_, n)| *n >= CASES_MIN) {
        months.entry(month).or_default().cases = Some(n);
    }
    let mut air: BTreeMap<(i64, i64), (f64, i64)> = BTreeMap::new();
    for row in rows(FILES[1]) {
        let time = &row["Local Time"];
        let sum = air.entry((time[..4].parse().unwrap(), time[5..7].parse().unwrap())).or_default();
        *sum = (sum.0 + row["PM25"].parse::<f64>().unwrap(), sum.1 + 1);
    }
    for (month, (sum, hours)) in air.into_iter().filter(|(_, (_, hours))| *hours >= HOURS_MIN as i64) {
        months.entry(month).or_default().pm25 = Some((sum / hours as f64, hours));
    }
    for row in rows(FILES[2]).iter().filter(|row| row["province"] == "Ha Noi") {
        let year: i64 = row["year"].parse().unwrap();
        for (_, month) in months.iter_mut().filter(|((y, _), _)| *y == year) {
            month.traffic = row["traffic_milperskm"].parse().ok();
        }
    }
    months
}

fn found(file: &Path) -> BTreeMap<(i64, i64), Month> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, ["year", "month", "cases", "pm25", "hours", "traffic"]);
    let mut months = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        let month = Month {
            cases: row[2].parse().ok(),
            pm25: row[3].parse().ok().zip(row[4].parse().ok()),
            traffic: row[5].parse().ok(),
        };
        let key = (row[0].parse().unwrap(), row[1].parse().unwrap());
        assert!(months.insert(key, month).is_none(), "{key:?} twice");
    }
    months
}

fn assert_answered(town: &Town, told: &Value, out: &Path) {
    let (found, expected) = (found(out), expected());
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs();
    for (at, month) in &expected {
        let got = &found[at];
        assert_eq!(got.cases, month.cases, "{at:?}");
        match (got.pm25, month.pm25) {
            (Some((a, n)), Some((b, m))) => assert!(near(a, b) && n == m, "{at:?}: {got:?} {month:?}"),
            (a, b) => assert_eq!(a, b, "{at:?}"),
        }
        match (got.traffic, month.traffic) {
            (Some(a), Some(b)) => assert!(near(a, b), "{at:?}"),
            (a, b) => assert_eq!(a, b, "{at:?}"),
        }
    }
    // The three do not meet in time, and it is said so.
    let report = &told["report"];
    assert_eq!(report["complete"], true, "{report}");
    let without = |of: &dyn Fn(&Month) -> bool| expected.values().filter(|m| of(m)).count() as u64;
    for (at, gap) in [
        (0, without(&|m| m.cases.is_none())),
        (1, without(&|m| m.pm25.is_none())),
        (2, without(&|m| m.traffic.is_none())),
    ] {
        let source = &report["sources"][at];
        assert_eq!(source["rows_without"], gap, "{source}");
        assert!(gap > 0 && gap < expected.len() as u64, "the real tables leave gaps: {source}");
    }
    assert_eq!(report["obligations"]["no_onward"], json!(["dengue", "air"]));
    assert!(report["obligations"]["delete_by"].is_string(), "{report}");
    assert_eq!(report["sources"][1]["obligations"]["aggregate"]["k"], HOURS_MIN);
    assert_receipts(town, told, out);
}

/// Two receipts a source, each of which verifies alone, and is about the answer that lies beside it and no other.
fn assert_receipts(town: &Town, told: &Value, out: &Path) {
    assert_eq!(told["verified"], true, "{told}");
    let beside = |tail: &str| format!("{}.{tail}", out.display());
    for (name, provider) in [("dengue", &town.health), ("air", &town.air), ("traffic", &town.traffic)] {
        for side in ["provider", "consumer"] {
            let (receipt, data) =
                (beside(&format!("{name}.{side}.tlog-proof")), beside(&format!("{name}.parquet")));
            let judged = run(&["receipt", "verify", &receipt, "--data", &data, "--json"]).expect_code(0);
            assert!(judged.stdout.contains(provider.id()), "{judged:?}");
            let other = beside(if name == "air" { "dengue.parquet" } else { "air.parquet" });
            assert_eq!(run(&["receipt", "verify", &receipt, "--data", &other]).code, 4);
        }
        assert_eq!(provider.cmd(&["ledger", "verify"]).code, 0);
    }
}

fn inbox_is_empty(node: &TestNode) -> bool {
    fs::read_dir(node.dir().join("inbox")).into_iter().flatten().next().is_none()
}

#[test]
fn three_tables_answer_by_month_with_aggregates_only() {
    let Some(town) = town("a") else { return };
    let file = town.question(PURPOSE, "");
    let out = town.city.desk().join("thang.csv");
    let words = ["question", "ask", file.to_str().unwrap(), "--out", out.to_str().unwrap(), "--json"];
    let told = town.city.cmd(&words).expect_code(0).json();
    assert_answered(&town, &told, &out);
    let result = &told["report"]["result"];
    let (path, token) =
        (format!("/v1/questions/{}/data", told["report"]["question"].as_str().unwrap()), bearer(&town.city));
    let head = call(&town.city, "HEAD", &path, &[("authorization", &token)]);
    assert_eq!((head.status, head.field("content-length")), (200, &*result["bytes"].to_string()), "{head:?}");
    assert_eq!(head.field("etag").trim_matches('"'), result["sha256"].as_str().unwrap());
    let span = call(&town.city, "GET", &path, &[("authorization", &token), ("range", "bytes=0-9")]);
    assert_eq!((span.status, &span.body[..]), (206, &fs::read(&out).unwrap()[..10]), "{span:?}");
    // Each answer has one row a group and no more; names of districts and hours are nowhere at the city.
    for (name, rows) in [("dengue", 276), ("air", 13), ("traffic", 30)] {
        let source =
            told["report"]["sources"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap();
        assert!(source["rows"].as_u64().is_some_and(|n| n > 0 && n <= rows), "{source}");
    }
    for (name, columns) in [
        ("dengue", &["year", "month", "cases"][..]),
        ("air", &["year", "month", "pm25", "hours"]),
        ("traffic", &["year", "traffic"]),
    ] {
        let answer = format!("{}.{name}.parquet", out.display());
        town.city.ok(&["dataset", "add", &answer, "--name", name]);
        let shown = town.city.json(&["dataset", "show", name]);
        let there = shown["dataset"]["columns"].as_array().unwrap();
        assert_eq!(there.iter().map(|c| c["name"].as_str().unwrap()).collect::<Vec<_>>(), columns);
    }
    assert!(inbox_is_empty(&town.city), "what was received is kept once");
    // The same of another form, and what an auditor sees afterwards.
    let sheet = town.city.desk().join("thang.json");
    let words =
        ["question", "ask", file.to_str().unwrap(), "--format", "json", "--out", sheet.to_str().unwrap()];
    town.city.cmd(&words).expect_code(0);
    let all: Value = serde_json::from_slice(&fs::read(&sheet).unwrap()).unwrap();
    assert_eq!(all.as_array().unwrap().len(), expected().len());
    let report: Value =
        serde_json::from_slice(&fs::read(format!("{}.report.json", sheet.display())).unwrap()).unwrap();
    assert_eq!(report["result"]["format"], "json");
    let listed = town.city.json(&["question", "list"]);
    assert_eq!(listed["questions"].as_array().unwrap().len(), 2, "{listed}");
    let shown = town.city.ok(&["question", "show", told["id"].as_str().unwrap()]).stdout;
    assert!(shown.contains("completed") && shown.contains("air"), "{shown}");
    // Finer than the provider allows is refused there, not here: the hours of one day.
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("month_of_year(Local Time)", "hour_of_day(Local Time)")).unwrap();
    let told = town.city.cmd(&["question", "ask", file.to_str().unwrap(), "--json"]);
    assert_ne!(told.code, 0);
    let told = told.json();
    assert!(told["failure"].as_str().unwrap().contains("not one to group or filter by"), "{told}");
    assert_eq!(told["report"], Value::Null);
}

#[test]
fn one_refusal_is_told_with_its_reason_and_an_optional_source_is_a_gap() {
    let Some(town) = town("b") else { return };
    let out = town.city.desk().join("khong.csv");
    let ask = |file: &Path| {
        let words = ["question", "ask", file.to_str().unwrap(), "--out", out.to_str().unwrap(), "--json"];
        town.city.cmd(&words)
    };
    let told = ask(&town.question("advertising", "")).expect_code(3);
    let question = told.json();
    assert_eq!(question["stage"], "failed", "{question}");
    let failure = question["failure"].as_str().unwrap();
    assert!(failure.contains("`air`") && failure.contains("refused ("), "{failure}");
    assert!(told.stderr.contains("legal basis"), "{told:?}");
    assert!(!out.exists(), "there is no result of the rest");
    let receipts = question["receipt_files"].as_array().unwrap();
    let refusal = receipts.iter().filter_map(Value::as_str).find(|f| f.contains(".air.provider.")).unwrap();
    let judged = run(&["receipt", "verify", refusal, "--json"]).expect_code(0);
    assert!(judged.stdout.contains("deny") || judged.stdout.contains("refus"), "{judged:?}");

    let told = ask(&town.question("advertising", "optional = true")).expect_code(0).json();
    let report = &told["report"];
    assert_eq!((&report["complete"], &report["sources"][1]["state"]), (&json!(false), &json!("missing")));
    assert!(report["sources"][1]["why"].as_str().unwrap().contains("refused ("), "{report}");
    let header = fs::read_to_string(&out).unwrap().lines().next().unwrap().to_owned();
    assert_eq!(header, "year,month,cases,traffic");
}

#[test]
fn a_question_survives_a_kill_of_the_one_that_asked() {
    let Some(mut town) = town("c") else { return };
    let file = town.question(PURPOSE, "");
    // One provider is away: the question waits for it, and says so.
    town.traffic.kill9();
    let waits = town.city.cmd(&["question", "ask", file.to_str().unwrap(), "--wait", "2"]).expect_code(6);
    assert!(waits.stderr.contains("question fetch"), "{waits:?}");
    let id = town.city.json(&["question", "list"])["questions"][0]["id"].as_str().unwrap().to_owned();
    town.city.kill9();
    town.city.start();
    let shown = town.city.json(&["question", "show", &id]);
    assert_eq!((&shown["stage"], &shown["report"]), (&json!("asking"), &Value::Null), "{shown}");
    town.city.kill9();
    town.traffic.start();
    town.city.start();
    let out = town.city.desk().join("sau.csv");
    let words = ["question", "fetch", &id, "--wait", "300", "--out", out.to_str().unwrap(), "--json"];
    let told = town.city.cmd(&words).expect_code(0).json();
    assert_answered(&town, &told, &out);
    // Nobody was asked twice.
    assert_eq!(town.city.json(&["exchange", "list"])["exchanges"].as_array().unwrap().len(), 3);
}

#[test]
fn mistakes_ask_nobody_and_an_own_dataset_in_a_question_stands_in_the_ledger() {
    let health = TestNode::up("urn:agency:vn:y-te-d", "Sở Y tế");
    let city = TestNode::up("urn:agency:vn:thanh-pho-d", "UBND thành phố");
    pair(&health, &city);
    for (node, name, text) in [
        (&health, "giuong", "xa,giuong\nA,10\nB,20\n"),
        (&city, "dan-so", "xa,dan\nA,1000\nB,2000\nC,3000\n"),
    ] {
        let file = node.desk().join(format!("{name}.csv"));
        fs::write(&file, text).unwrap();
        publish(node, &file, name, &[]);
    }
    Rules::new().allow("state", "query", "giuong", PURPOSE, json!({})).apply(&health);
    let file = city.desk().join("cau-hoi.toml");
    let text = format!(
        r#"
[[sources]]
name = "giuong"
from = "{}/giuong"
purpose = "{PURPOSE}"
basis = "law"

[[sources]]
name = "dan"
from = "dan-so"
purpose = "{PURPOSE}"
where = ["xa <> 'XA-BI-MAT'"]
join = "inner"
on = ["xa"]
"#,
        health.id()
    );
    let out = city.desk().join("ket-qua.csv");
    // Mistakes first: each is told in both languages, and nobody is asked.
    for (good, bad, why) in [
        ("purpose =", "purpse =", "is `purpose` meant?"),
        ("[\"xa\"]", "[\"huyen\"]", "which no source before it gives"),
        ("[\"xa <>", "[\"xaa <>", "is `xa` meant?"),
        ("basis = \"law\"", "basis = \"law\"\ncolumns = [\"xa\", \"giuongs\"]", "is `giuong` meant?"),
        ("\n[[sources]]", "\nformat = \"xlsx\"\n[[sources]]", "the result is xlsx"),
        ("\n[[sources]]", "\ncolumns = [\"xa\", \"dann\"]\n[[sources]]", "is `dan` meant?"),
        ("name = \"dan\"", "name = \"giuong\"", "two sources are named `giuong`"),
    ] {
        assert!(text.contains(good), "{good}");
        fs::write(&file, text.replacen(good, bad, 1)).unwrap();
        let told = city.cmd(&["question", "ask", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        let told = told.expect_code(2);
        assert!(told.stderr.contains(why) && told.stderr.contains(" · "), "{bad}: {told:?}");
    }
    assert!(city.json(&["exchange", "list"])["exchanges"].as_array().unwrap().is_empty(), "nobody was asked");
    assert!(city.json(&["question", "list"])["questions"].as_array().unwrap().is_empty());
    assert!(!city.json(&["ledger", "query"]).to_string().contains("own-read"));

    fs::write(&file, &text).unwrap();
    let words = ["question", "ask", file.to_str().unwrap(), "--out", out.to_str().unwrap(), "--json"];
    let told = city.cmd(&words).expect_code(0).json();
    assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 3);
    let source = &told["report"]["sources"][1];
    assert_eq!(source["state"], "own", "{source}");
    let entry = source["statement"].as_u64().unwrap();
    // The checkpoint that an auditor reads by is signed now and then.
    let found = (0..300)
        .find_map(|_| {
            let found = city.json(&["ledger", "query", "--kind", "own-read"]);
            let there = found["entries"].as_array().is_some_and(|entries| !entries.is_empty());
            (!there).then(|| std::thread::sleep(std::time::Duration::from_millis(100)));
            there.then_some(found)
        })
        .unwrap();
    let entries = found["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{found}");
    let said = &entries[0]["statement"];
    assert_eq!((&entries[0]["index"], &said["exchange"]), (&json!(entry), &told["id"]), "{found}");
    assert_eq!(said["dataset"], format!("{}/dan-so", city.id()));
    assert_eq!((&said["permit"], &said["purpose"]), (&json!("owner"), &json!(PURPOSE)));
    assert_eq!(city.cmd(&["ledger", "verify"]).code, 0);
    // Of what was asked the ledger has a commitment, and the provider's ledger says nothing of the city's own data.
    let mut folders = vec![city.dir().join("ledger"), health.dir().join("ledger")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = fs::read(entry.path()).unwrap();
            let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
            assert!(!has(b"XA-BI-MAT"), "{}", entry.path().display());
            assert!(entry.path().starts_with(city.dir()) || !has(b"dan-so"), "{}", entry.path().display());
        }
    }
}

#[test]
fn an_erased_question_leaves_neither_result_nor_search_values_and_the_ledger_says_so() {
    let health = TestNode::up("urn:agency:vn:y-te-e", "Sở Y tế");
    let mut city = TestNode::up("urn:agency:vn:thanh-pho-e", "UBND thành phố");
    pair(&health, &city);
    for (node, name, text) in [
        (&health, "giuong", "xa,giuong\nA,10\nB,20\n"),
        (&city, "dan-so", "xa,dan\nA,1000\nB,2000\nC,3000\n"),
        (&city, "ho-ngheo", "xa,ho\nA,7\nB,8\n"),
    ] {
        let file = node.desk().join(format!("{name}.csv"));
        fs::write(&file, text).unwrap();
        publish(node, &file, name, &[]);
    }
    Rules::new().allow("state", "query", "giuong", PURPOSE, json!({})).apply(&health);
    let ask = |city: &TestNode, first: &str| {
        let file = city.desk().join("cau-hoi.toml");
        let text = format!(
            r#"
title = "Hỏi về XA-BI-MAT"

[[sources]]
name = "dau"
from = "{first}"
purpose = "{PURPOSE}"
basis = "law"
where = ["xa <> 'XA-BI-MAT'"]

[[sources]]
name = "dan"
from = "dan-so"
purpose = "{PURPOSE}"
where = ["xa <> 'XA-BI-MAT'"]
join = "inner"
on = ["xa"]
"#
        );
        fs::write(&file, text).unwrap();
        let out = city.desk().join("ket-qua.csv");
        let words = ["question", "ask", file.to_str().unwrap(), "--out", out.to_str().unwrap(), "--json"];
        city.cmd(&words).expect_code(0).json()
    };
    let of_peer = ask(&city, &format!("{}/giuong", health.id()));
    let of_own = ask(&city, "ho-ngheo");
    let open = |city: &TestNode| {
        let files = fs::read_dir(city.dir().join("evidence")).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).contains("XA-BI-MAT")).count()
    };
    assert!(open(&city) >= 3, "the openings of three own reads have the search value");
    for (question, own) in [(&of_peer, &["dan"][..]), (&of_own, &["dau", "dan"])] {
        let id = question["id"].as_str().unwrap();
        let reads = |name: &str| {
            let sources = question["report"]["sources"].as_array().unwrap();
            sources.iter().find(|s| s["name"] == name).unwrap()["statement"].clone()
        };
        let words = ["question", "erase", id, "--reason"];
        let told = city.cmd(&[&words[..], &["mood"]].concat()).expect_code(2).stderr;
        assert!(told.contains("retention, request, order"), "{told}");
        let erase = |city: &TestNode| city.json(&[&words[..], &["request"]].concat());
        let erased = erase(&city);
        let entries = erased["own"].as_array().unwrap();
        assert_eq!(entries.iter().map(|e| e["source"].as_str().unwrap()).collect::<Vec<_>>(), own);
        for exchange in erased["exchanges"].as_array().unwrap() {
            assert!(exchange["entry"].is_u64(), "{erased}");
            let shown = city.json(&["exchange", "show", exchange["exchange"].as_str().unwrap()]);
            assert_eq!(shown["entries"]["erasure"], exchange["entry"], "{shown}");
        }
        assert_eq!(erased["exchanges"].as_array().unwrap().len(), 2 - own.len());
        let shown = city.json(&["question", "show", id]);
        assert_eq!((&shown["stage"], &shown["report"]), (&json!("failed"), &Value::Null), "{shown}");
        assert!(!shown.to_string().contains("XA-BI-MAT"), "{shown}");
        assert!(!city.dir().join("received").join(format!("question-{id}")).exists());
        // Killed and asked again: the same entries, and no more of them.
        city.kill9();
        city.start();
        assert_eq!(erase(&city), erased);
        for entry in entries {
            let read = reads(entry["source"].as_str().unwrap());
            let told = (0..300).find_map(|_| {
                let all = city.json(&["ledger", "query", "--kind", "erasure"]);
                let found: Vec<Value> = all["entries"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|one| one["statement"]["of_entry"] == read)
                    .cloned()
                    .collect();
                (found.is_empty()).then(|| std::thread::sleep(std::time::Duration::from_millis(100)));
                (!found.is_empty()).then_some(found)
            });
            let told = told.unwrap();
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(
                (&told[0]["index"], &told[0]["statement"]["reason"]),
                (&entry["entry"], &json!("request"))
            );
        }
    }
    assert_eq!(open(&city), 0, "what opens the entries is gone");
    assert_eq!(city.cmd(&["ledger", "verify"]).code, 0);
}
