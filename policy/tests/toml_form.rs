//! Rules in TOML: the same as in CSV, as strict, and turned into each other without a change of what they say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

use std::path::Path;

use policy::{Files, Form, LoadError, ProblemCode as P, RuleSet, convert};

const CSV: &str = "\
# who may
p, R1, 20, gr:wards, ds:air, query, pu:planning, +, bas:law, net:gov, 1, 3, 2026-01-01T00:00Z, 2027-01-01T00:00Z, OB, allow, unit=un:a role=ro:b place=pl:c route=via:d clearance=2-4
p, R2, 00, *, *, *, *, *, *, *, 0, 9, 0000-01-01T00:00Z, 9999-12-31T00:00Z, -, deny
# who is who
g, ag:x, gr:wards
g2, ds:air, co:open
g3, pu:planning, pu:state
g4, pl:c, pl:vn
";
const DUTIES: &str = "p, D1, 10, *, tag:personal, download, *, 0, 9, 2026-01-01T00:00Z, 9999-12-31T00:00Z, OB, allow, role=ro:b\n";
const SETS: &str = r#"{"OB": {"max_rows": 9}}"#;
const GRANT: &str = "[[grant]]\nid = \"R1\"\ntier = \"agency\"\neffect = \"allow\"\n";

fn csv() -> Files {
    Files::new().with("policy.csv", CSV).with("duties.csv", DUTIES).with("obligations.json", SETS)
}

fn toml(policy: &str) -> Files {
    Files::new().with("policy.toml", policy).with("duties.csv", "# none").with("obligations.json", SETS)
}

fn load(files: &Files) -> Result<RuleSet, LoadError> {
    RuleSet::from_files(files, 1)
}

fn text<'a>(files: &'a Files, name: &str) -> &'a str {
    std::str::from_utf8(files.get(name).unwrap()).unwrap()
}

#[test]
fn every_column_goes_over_and_back_with_its_comments() {
    let there = convert(&csv(), Form::Toml).unwrap();
    let (policy, duties) = (text(&there, "policy.toml"), text(&there, "duties.toml"));
    assert!(there.get("policy.csv").is_none() && there.get("duties.csv").is_none());
    for line in [
        "tier = \"agency\"",
        "agreement = \"+\"",
        "class = \"1-3\"",
        "clearance = \"2-4\"",
        "from = \"2026-01-01T00:00Z\"",
        "kind = \"place\"",
    ] {
        assert!(policy.contains(line), "{line} is not in\n{policy}");
    }
    assert!(policy.find("# who may").unwrap() < policy.find("\"R1\"").unwrap());
    let who = policy.find("# who is who").unwrap();
    assert!(policy.find("\"R2\"").unwrap() < who && who < policy.find("[[link]]").unwrap());
    assert!(duties.contains("[[duty]]") && !duties.contains("effect"));
    assert_eq!(load(&there).unwrap().digest(), load(&csv()).unwrap().digest());
    let back = convert(&there, Form::Csv).unwrap();
    assert_eq!(load(&back).unwrap().digest(), load(&csv()).unwrap().digest());
    for line in CSV.lines().filter(|line| line.starts_with('#')) {
        assert!(text(&back, "policy.csv").contains(line), "{line}");
    }
    // Once more changes nothing: the forms are settled.
    assert_eq!(text(&convert(&back, Form::Csv).unwrap(), "policy.csv"), text(&back, "policy.csv"));
    assert_eq!(text(&convert(&there, Form::Toml).unwrap(), "policy.toml"), policy);
}

#[test]
fn the_rule_sets_that_ship_say_the_same_in_both_forms() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/server/src/demo/rules");
    let mut sets = vec![Files::builtin()];
    sets.extend(std::fs::read_dir(demo).unwrap().map(|entry| Files::read(&entry.unwrap().path()).unwrap()));
    assert!(sets.len() >= 4);
    for files in sets {
        let there = convert(&files, Form::Toml).unwrap();
        let back = convert(&there, Form::Csv).unwrap();
        let digests = [&files, &there, &back].map(|files| load(files).unwrap().digest());
        assert!(digests[0] == digests[1] && digests[1] == digests[2]);
        assert_eq!(load(&files).unwrap().cases(), load(&back).unwrap().cases());
    }
}

#[test]
fn what_is_left_out_is_any() {
    let rules = load(&toml(GRANT)).unwrap();
    let row = "p, R1, 20, *, *, *, *, *, *, *, 0, 9, 0000-01-01T00:00Z, 9999-12-31T00:00Z, -, allow";
    let same = Files::new().with("policy.csv", row).with("duties.csv", "").with("obligations.json", SETS);
    assert_eq!(rules.digest(), load(&same).unwrap().digest());
}

#[track_caller]
fn refused(policy: &str, code: P, line: Option<u32>, word: &str) {
    let error = load(&toml(policy)).expect_err(policy);
    let found = error.problems.iter().find(|p| p.code == code);
    let problem = found.unwrap_or_else(|| panic!("{policy}\n{:?}", error.problems));
    assert_eq!((problem.file.as_str(), problem.line), ("policy.toml", line), "{policy}\n{problem}");
    assert!(problem.message.contains(word), "`{problem}` should mention `{word}`");
}

#[test]
fn what_is_not_understood_is_refused_by_name_and_line() {
    let with = |line: &str| format!("# head\n{GRANT}{line}\n");
    refused("grant = 1", P::Table, Some(1), "");
    refused("[[grants]]\nid = \"x\"", P::Table, Some(1), "grants");
    refused("[[grant]\n", P::Table, Some(1), "");
    refused(&with("effect = \"deny\""), P::Table, Some(6), "duplicate key");
    refused(&with("subjekt = \"gr:x\""), P::Table, Some(2), "subjekt");
    refused(&with("class = 3"), P::Table, Some(2), "string");
    refused(&with("class = \"3-1\""), P::Class, Some(2), "");
    refused(&with("class = \"1-2-3\""), P::Class, Some(2), "");
    refused(&with("subject = \"\""), P::Name, Some(2), "");
    refused(&with("subject = \"gr:x, gr:y\""), P::Name, Some(2), "");
    refused(&with("object = \"gr:x\""), P::Name, Some(2), "");
    refused(&with("role = \"ro:x place=pl:y\""), P::Name, Some(2), "");
    refused(&with("until = 2027-01-01T00:00:00Z"), P::Time, Some(2), "write it as");
    refused(&with("from = \"2027-01-01\""), P::Time, Some(2), "");
    refused(&with("obligations = \"NONE\""), P::ObligationsUnknown, Some(2), "NONE");
    refused(&GRANT.replace("effect = \"allow\"\n", ""), P::Table, Some(1), "effect");
    refused(&GRANT.replace("allow", "Allow"), P::Effect, Some(1), "Allow");
    refused(&GRANT.replace("agency", "20"), P::Tier, Some(1), "law, national");
    refused(&GRANT.repeat(2), P::IdTwice, Some(5), "R1");
    refused(
        &with("[[link]]\nkind = \"agency\"\nfrom = \"ag:x\"\nto = \"gr:x\""),
        P::Table,
        Some(6),
        "agency",
    );
    refused(&with("[[link]]\nkind = \"place\"\nfrom = \"ag:x\"\nto = \"gr:x\""), P::Name, Some(6), "ag:x");
    refused(&format!("x = {}{}", "[".repeat(5_000), "]".repeat(5_000)), P::Table, Some(1), "");
    refused("# nothing", P::NoRules, None, "");
}

#[test]
fn too_many_tables_are_refused_before_they_are_read() {
    let many = "[[x]]\n".repeat(policy::limits::RULES_MAX + policy::limits::LINKS_MAX + 1);
    refused(&many, P::TooMany, None, "split");
    let inline = "{},".repeat(policy::limits::RULES_MAX + policy::limits::LINKS_MAX + 1);
    refused(&format!("rule = [{inline}]\n"), P::TooMany, None, "split");
}

#[test]
fn every_broken_table_is_named() {
    let bad = ["A", "B", "C"].map(|id| GRANT.replace("R1", id).replace("tier", "teir")).concat();
    let error = load(&toml(&bad)).unwrap_err();
    let named: Vec<_> = error.problems.iter().filter_map(|p| Some((p.rule.as_deref()?, p.line?))).collect();
    assert_eq!(named, [("A", 1), ("B", 5), ("C", 9)]);
}

#[test]
fn two_forms_of_one_file_are_refused() {
    for (name, content) in [("policy.csv", CSV), ("duties.toml", "")] {
        let error = load(&toml(GRANT).with(name, content)).unwrap_err();
        assert!(error.has(P::FileTwice), "{name}: {error}");
    }
    let missing = Files::new().with("policy.toml", GRANT).with("obligations.json", SETS);
    assert!(load(&missing).unwrap_err().has(P::FileMissing));
}
