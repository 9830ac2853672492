//! One pseudonym for one person at two providers, with real nodes: what a health centre and a land office give the city is
//! joined and counted like the clear tables, means nothing to another recipient, and never shows who a person is.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::scene::{ask, get, publish};
use tests::{Rules, TestNode, pair};

const PURPOSE: &str = "planning";
const OTHER_PURPOSE: &str = "statistics";
const FOR: [&str; 4] = ["--purpose", PURPOSE, "--basis", "law"];
/// Persons at the health centre: the first of them, and how many.
const SEEN: (u64, u64) = (0, 40);
/// Persons at the land office.
const OWNERS: (u64, u64) = (25, 30);

/// A citizen's number, as the health centre writes it.
fn number(person: u64) -> String {
    format!("0{}", 79_080_000_123_u64 + person * 7)
}

struct Town {
    health: TestNode,
    land: TestNode,
    city: TestNode,
    province: TestNode,
}

/// Numbers with their zero and now and then a space at the health centre, as a spreadsheet left them at the land office.
fn town() -> Town {
    let up = |what: &str, title: &str| TestNode::up(&format!("urn:agency:vn:{what}"), title);
    let town = Town {
        health: up("y-te-lk", "Trung tâm Y tế"),
        land: up("dat-dai-lk", "Văn phòng Đất đai"),
        city: up("thanh-pho-lk", "UBND thành phố"),
        province: up("tinh-lk", "UBND tỉnh"),
    };
    for recipient in [&town.city, &town.province, &town.land] {
        pair(&town.health, recipient);
    }
    for recipient in [&town.city, &town.province] {
        pair(&town.land, recipient);
    }
    let mut visits = "ma_nguoi,ly_do\n".to_owned();
    for person in SEEN.0..SEEN.0 + SEEN.1 {
        for visit in 0..=person % 3 {
            let space = if visit == 1 { " " } else { "" };
            visits += &format!("{}{space},K{visit}\n", number(person));
        }
    }
    // Somebody without a number, at both: nobody meets nobody.
    visits += ",K9\nQ-1,K9\n";
    let mut parcels = "nguoi,thua\n".to_owned();
    for person in OWNERS.0..OWNERS.0 + OWNERS.1 {
        for parcel in 0..=person % 2 {
            parcels += &format!("{},T{person}-{parcel}\n", number(person).trim_start_matches('0'));
        }
    }
    parcels += ",T-cong\n";
    for (node, name, text) in [(&town.health, "kham", visits), (&town.land, "thua", parcels)] {
        let file = node.desk().join(format!("{name}.csv"));
        fs::write(&file, text).unwrap();
        publish(node, &file, name, &[]);
    }
    town
}

impl Town {
    fn rules(&self, mask: &Value) {
        for (node, dataset, column) in [(&self.health, "kham", "ma_nguoi"), (&self.land, "thua", "nguoi")] {
            let duties = json!({"mask": {column: mask}});
            let rules = Rules::new().allow("state", "query", dataset, PURPOSE, duties.clone());
            rules.allow("state", "query", dataset, OTHER_PURPOSE, duties).apply(node);
        }
    }

    fn question(&self, land_purpose: &str) -> PathBuf {
        let file = self.city.desk().join("cau-hoi.toml");
        let text = format!(
            r#"
title = "Người đi khám có đất"

[[sources]]
name = "kham"
from = "{}/kham"
purpose = "{PURPOSE}"
basis = "law"
group_by = ["ma_nguoi"]
measures = ["count as luot"]

[[sources]]
name = "thua"
from = "{}/thua"
purpose = "{land_purpose}"
basis = "law"
group_by = ["nguoi"]
measures = ["count as so_thua"]
join = "inner"
on = ["ma_nguoi = nguoi"]
"#,
            self.health.id(),
            self.land.id()
        );
        fs::write(&file, text).unwrap();
        file
    }

    fn asked(&self, file: &Path, out: &str) -> tests::Output {
        let out = self.city.desk().join(out);
        self.city.cmd(&["question", "ask", file.to_str().unwrap(), "--out", out.to_str().unwrap(), "--json"])
    }

    fn all(&self) -> [&TestNode; 4] {
        [&self.health, &self.land, &self.city, &self.province]
    }
}

/// Counts of a table by its first column, as a program that knows nothing of us reads it.
fn counts(file: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for row in csv::Reader::from_path(file).unwrap().records() {
        let id = row.unwrap()[0].trim().trim_start_matches('0').to_owned();
        if !id.is_empty() {
            *found.entry(id).or_default() += 1;
        }
    }
    found
}

/// How many persons have so many visits and so many parcels, from the clear tables.
fn expected(town: &Town) -> BTreeMap<(u64, u64), usize> {
    let parcels = counts(&town.land.desk().join("thua.csv"));
    let mut told = BTreeMap::new();
    for (person, visits) in counts(&town.health.desk().join("kham.csv")) {
        if let Some(parcels) = parcels.get(&person) {
            *told.entry((visits, *parcels)).or_default() += 1;
        }
    }
    told
}

fn is_pseudonym(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit())
}

/// Every file under a folder with its bytes.
fn files(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path(), found),
            Ok(kind) if kind.is_file() => {
                found.extend(fs::read(entry.path()).ok().map(|b| (entry.path(), b)))
            }
            _ => {}
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// No clear number is with a recipient or in a log, and the key is in its own two files and nowhere else.
fn assert_nothing_shows(town: &Town, linkage: &str) {
    let persons: Vec<String> =
        (SEEN.0..OWNERS.0 + OWNERS.1).map(|p| number(p).trim_start_matches('0').to_owned()).collect();
    let clear = |bytes: &[u8]| {
        // All begin alike, so one look finds where it pays to look closer.
        holds(bytes, "7908000") && persons.iter().any(|person| holds(bytes, person))
    };
    assert!(clear(&fs::read(town.health.desk().join("kham.csv")).unwrap()), "the test finds what is there");
    let file = format!("{linkage}.key");
    let key_file = town.health.dir().join("keys").join("linkage").join(&file);
    let held: Value = serde_json::from_slice(&fs::read(key_file).unwrap()).unwrap();
    let hex = held["key"].as_str().unwrap();
    let raw: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
    for node in town.all() {
        assert!(!clear(node.log().as_bytes()) && !node.log().contains(hex), "{}", node.id());
        let mut all = Vec::new();
        files(&node.dir(), &mut all);
        files(node.desk(), &mut all);
        assert!(all.len() > 10, "the test looks somewhere");
        for (path, bytes) in all.iter().filter(|(path, _)| !path.ends_with(&file)) {
            assert!(
                !holds(bytes, hex) && !bytes.windows(32).any(|w| w == raw),
                "the key is in {}",
                path.display()
            );
            let recipient = [town.city.id(), town.province.id()].contains(&node.id());
            assert!(!recipient || !clear(bytes), "a clear number is in {}", path.display());
        }
    }
}

#[test]
fn two_providers_pseudonyms_are_joined_under_a_linkage_key_and_count_like_the_clear_tables() {
    let town = town();
    // The types differ, as they do in life.
    for (node, name, kind) in [(&town.health, "kham", "string"), (&town.land, "thua", "integer")] {
        let shown = node.json(&["dataset", "show", name]);
        assert_eq!(shown["dataset"]["columns"][0]["kind"], kind, "{shown}");
    }
    let file = town.question(PURPOSE);

    // Each agreement's own pseudonyms: refused before anybody is asked, with what to do.
    town.rules(&json!("hash"));
    let refused = town.asked(&file, "khong.csv").expect_code(2);
    assert!(refused.stderr.contains("docs/linkage.md") && refused.stderr.contains("giả danh"), "{refused:?}");
    assert!(town.city.json(&["exchange", "list"])["exchanges"].as_array().unwrap().is_empty());

    // A rule that names a key which is not here does not come into force.
    let folder = town.health.desk().join("khong");
    let nowhere = json!({"mask": {"ma_nguoi": {"linkage": "dinh-danh@0123456789abcdef0123456789abcdef"}}});
    Rules::new().allow("state", "query", "kham", PURPOSE, nowhere).write(&folder);
    let applied = town.health.cmd(&["policy", "apply", folder.to_str().unwrap()]);
    assert_ne!(applied.code, 0);
    assert!(applied.stderr.contains("dinh-danh@0123456789abcdef0123456789abcdef"), "{applied:?}");

    // Where no file can be written no key is made.
    let nowhere = town.health.desk().join("khong-co");
    let with = ["linkage", "new", "dinh-danh", "--with", town.land.id(), "--out", nowhere.to_str().unwrap()];
    let refused = town.health.cmd(&with).expect_code(2);
    assert!(refused.stderr.contains("no key was made"), "{refused:?}");
    assert!(town.health.json(&["linkage", "list"])["linkages"].as_array().unwrap().is_empty());

    // The health centre makes a key with the land office; the city gets no file, and could not open the one there is.
    let desk = town.health.desk().to_str().unwrap();
    let made = town.health.json(&["linkage", "new", "dinh-danh", "--with", town.land.id(), "--out", desk]);
    let linkage = made["linkage"].as_str().unwrap();
    let sealed = made["files"][0]["file"].as_str().unwrap();
    assert_ne!(town.city.cmd(&["linkage", "import", sealed]).code, 0);
    town.land.ok(&["linkage", "import", sealed]);
    for node in [&town.health, &town.land] {
        assert_eq!(node.json(&["linkage", "list"])["linkages"][0]["linkage"], linkage);
    }
    town.rules(&json!({"linkage": linkage}));
    let lint = town.health.json(&["policy", "lint"]).to_string();
    assert!(!lint.contains(linkage), "{lint}");

    // For two purposes they do not meet, and a question that would join them is refused before anybody is asked.
    let elsewhere = town.asked(&town.question(OTHER_PURPOSE), "khong.csv").expect_code(2);
    assert!(elsewhere.stderr.contains("for one purpose only"), "{elsewhere:?}");
    assert!(town.city.json(&["exchange", "list"])["exchanges"].as_array().unwrap().is_empty());

    let told = town.asked(&town.question(PURPOSE), "ket-qua.csv").expect_code(0).json();
    assert_eq!(told["verified"], true, "{told}");
    let mask = &told["report"]["sources"][1]["obligations"]["mask"]["nguoi"]["linkage"];
    assert_eq!(mask, linkage, "the report says of which key the pseudonyms are");
    let mut reader = csv::Reader::from_path(town.city.desk().join("ket-qua.csv")).unwrap();
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), ["ma_nguoi", "luot", "so_thua"]);
    let (mut found, mut citys) = (BTreeMap::new(), BTreeSet::new());
    for row in reader.records() {
        let row = row.unwrap();
        assert!(is_pseudonym(&row[0]), "{row:?}");
        citys.insert(row[0].to_owned());
        *found.entry((row[1].parse().unwrap(), row[2].parse().unwrap())).or_default() += 1;
    }
    assert_eq!(found, expected(&town));
    assert_eq!(citys.len(), 15, "persons that both know");

    // Another recipient's pseudonyms are others, and join among themselves.
    let of = |node: &TestNode, what: &str, column: &str| -> BTreeSet<String> {
        let got = get(node, what, "hang.csv", &[&FOR[..], &["--columns", column]].concat());
        let mut reader = csv::Reader::from_reader(&got.bytes[..]);
        reader.records().map(|row| row.unwrap()[0].to_owned()).filter(|id| !id.is_empty()).collect()
    };
    let kham = format!("{}/kham", town.health.id());
    let thua = format!("{}/thua", town.land.id());
    let (seen, owners) = (of(&town.province, &kham, "ma_nguoi"), of(&town.province, &thua, "nguoi"));
    assert_eq!((seen.len(), owners.len()), (41, 30));
    assert!(seen.iter().all(|id| is_pseudonym(id)));
    assert_eq!(seen.intersection(&owners).count(), 15);
    assert!(citys.is_disjoint(&seen) && citys.is_disjoint(&owners));
    // The same recipient's for another purpose are others, too, and as many.
    let got = get(
        &town.province,
        &kham,
        "khac.csv",
        &["--purpose", OTHER_PURPOSE, "--basis", "law", "--columns", "ma_nguoi"],
    );
    let mut reader = csv::Reader::from_reader(&got.bytes[..]);
    let for_another: BTreeSet<String> =
        reader.records().map(|row| row.unwrap()[0].to_owned()).filter(|id| !id.is_empty()).collect();
    assert_eq!(for_another.len(), seen.len());
    assert!(for_another.iter().all(|id| is_pseudonym(id)) && for_another.is_disjoint(&seen));

    // Who holds the key gets no pseudonyms of it.
    let holder = ask(&town.land, &kham, "khong.csv", &FOR).expect_code(3);
    assert!(holder.stdout.contains("OBLIGATION-UNSUPPORTED"), "{holder:?}");
    assert_nothing_shows(&town, linkage);

    // What was done with the key stands in the ledger of who did it.
    let acts = |node: &TestNode, count: usize| -> BTreeSet<String> {
        // The checkpoint that is read by is signed now and then.
        let found = tests::scene::wait("the acts are in the ledger", || {
            let found = node.json(&["ledger", "query", "--kind", "linkage"]);
            (found["entries"].as_array().is_some_and(|all| all.len() >= count)).then_some(found)
        });
        let all = found["entries"].as_array().unwrap();
        assert_eq!(all.len(), count, "{found}");
        let act = |entry: &Value| {
            let said = &entry["statement"];
            assert_eq!(said["linkage"], linkage, "{found}");
            assert_eq!(said["holders"].as_array().unwrap().len(), 2, "{found}");
            said["act"].as_str().unwrap().to_owned()
        };
        all.iter().map(act).collect()
    };
    assert_eq!(acts(&town.health, 2), ["make".to_owned(), "seal".to_owned()].into());
    assert_eq!(acts(&town.land, 1), ["take".to_owned()].into());

    // A dropped key: refused, never clear and never by another key.
    let kept = town.land.cmd(&["linkage", "drop", linkage]);
    assert_ne!(kept.code, 0);
    assert!(kept.stderr.contains("--in-use"), "{kept:?}");
    let dropped = town.land.json(&["linkage", "drop", linkage, "--in-use"]);
    assert_eq!(dropped["rules"].as_array().unwrap().len(), 2, "{dropped}");
    assert_eq!(acts(&town.land, 2), ["take".to_owned(), "drop".to_owned()].into());
    let gone = ask(&town.province, &thua, "khong.csv", &FOR).expect_code(3);
    assert!(gone.stdout.contains("OBLIGATION-UNSUPPORTED"), "{gone:?}");
    let gone = town.asked(&town.question(PURPOSE), "khong.csv");
    assert_ne!(gone.code, 0, "{gone:?}");
    assert!(town.land.cmd(&["policy", "lint"]).stdout.contains("tram linkage import"));
    // The lost key stops no other change of the rules, and is told; a key that is new to them would.
    let folder = town.land.desk().join("it-hon");
    let mask = json!({"mask": {"nguoi": {"linkage": linkage}}});
    Rules::new().allow("state", "query", "thua", PURPOSE, mask).write(&folder);
    let stricter = town.land.cmd(&["policy", "apply", folder.to_str().unwrap()]).expect_code(0);
    assert!((stricter.stdout.clone() + &stricter.stderr).contains("tram linkage import"), "{stricter:?}");
    // With the file it is there again, and the pseudonyms are those of before.
    town.land.ok(&["linkage", "import", sealed]);
    assert_eq!(of(&town.province, &thua, "nguoi"), owners);
    assert_nothing_shows(&town, linkage);
}
