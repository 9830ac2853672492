//! The mutation score names exactly the changes that no case notices.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use policy::mutation::{Change, Mutant, MutationReport, mutate};
use policy::{Field, Files, RuleSet};

const REGISTRY: &str = r#"{
    "datasets": {
        "ds:air": {"owner": "ag:env", "cls": 1, "personal": "none", "kind": "default", "collections": ["co:sensors"]},
        "ds:water": {"owner": "ag:env", "cls": 1, "personal": "none", "kind": "default"}},
    "agreements": {},
    "parties": {"ag:ward": {"country": "VN", "active": true, "groups": ["gr:wards"]}, "ag:firm": "VN"},
    "transfer_dossiers": []}"#;

const GRANTS: &str = "\
p, A, 20, gr:wards, co:sensors, query, pu:health, *, +, *, 0, 2, 2026-01-01T00:00Z, 2027-01-01T00:00Z, OB, allow\n\
p, D, 20, *, ds:air, query, pu:ads, *, *, *, 0, 9, 2026-01-01T00:00Z, 9999-12-31T00:00Z, -, deny\n\
p, E, 20, *, ds:air, query, *, *, +, *, 0, 9, 2026-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n";
const DUTIES: &str = "p, N, 10, *, ds:air, *, *, 0, 9, 2026-01-01T00:00Z, 9999-12-31T00:00Z, OB2, allow\n";

fn case(name: &str, subject: &str, dataset: &str, purpose: &str, basis: &str, end: &str) -> String {
    format!(
        r#"{{"n": "{name}", "q": ["{subject}", "{dataset}", "query", "{purpose}", "-", "{basis}", "net:gov", "2026-11-20T08:00Z"], {end}}}"#
    )
}

fn report(grants: &str, cases: &[String]) -> MutationReport {
    let files = Files::new()
        .with("policy.csv", grants)
        .with("duties.csv", DUTIES)
        .with("obligations.json", r#"{"OB": {"audit": 2}, "OB2": {"retention_days": 30}}"#)
        .with("registry.json", REGISTRY)
        .with("cases.json", format!("[{}]", cases.join(",")));
    mutate(&RuleSet::from_files(&files, 1).unwrap_or_else(|e| panic!("{:#?}", e.problems))).unwrap()
}

fn only_a() -> &'static str {
    GRANTS.lines().next().unwrap()
}

fn left<'r>(report: &'r MutationReport, rule: &str) -> Vec<&'r Change> {
    let of = |mutant: &&'r Mutant| mutant.rule.as_str() == rule;
    report.unnoticed.iter().filter(of).map(|mutant| &mutant.change).collect()
}

#[test]
fn without_cases_nothing_is_noticed() {
    let report = report(only_a(), &[]);
    assert_eq!((report.noticed, report.score, report.cases), (0, 0, 0));
    // Left out, turned round, without obligations; and dataset, subject, action, purpose, basis, class, time.
    assert_eq!(left(&report, "A").len(), 10, "{report:#?}");
    let untested: Vec<&str> = report.untested.iter().map(|id| id.as_str()).collect();
    assert_eq!(untested, ["A", "N"]);
}

#[test]
fn a_case_notices_what_it_asks_about_and_nothing_else() {
    let yes = case("yes", "ag:ward", "ds:air", "pu:health", "bas:law", r#""want": "allow""#);
    let noticed = report(only_a(), std::slice::from_ref(&yes));
    let rest = left(&noticed, "A");
    assert!(!rest.contains(&&Change::Removed) && !rest.contains(&&Change::TurnedRound));
    assert!(rest.contains(&&Change::WithoutObligations), "the case does not say which");
    assert!(rest.contains(&&Change::Widened(Field::Subject)));
    let full = r#""want": "allow", "obligations": {"audit": 2, "retention_days": 30}"#;
    let with = report(only_a(), &[case("yes", "ag:ward", "ds:air", "pu:health", "bas:law", full)]);
    assert!(!left(&with, "A").contains(&&Change::WithoutObligations));
    assert!(!left(&with, "N").contains(&&Change::Removed), "the duty is seen too");
    for (field, asked) in [
        (Field::Subject, case("no", "ag:firm", "ds:air", "pu:health", "bas:law", r#""want": "deny""#)),
        (Field::Dataset, case("no", "ag:ward", "ds:water", "pu:health", "bas:law", r#""want": "deny""#)),
        (Field::Purpose, case("no", "ag:ward", "ds:air", "pu:tax", "bas:law", r#""want": "deny""#)),
        (Field::LegalBasis, case("no", "ag:ward", "ds:air", "pu:health", "-", r#""want": "deny""#)),
    ] {
        let both = report(only_a(), &[yes.clone(), asked]);
        assert_eq!(both.noticed, noticed.noticed + 1, "{field:?}");
        assert!(!left(&both, "A").contains(&&Change::Widened(field)), "{field:?}");
    }
}

#[test]
fn a_deny_that_nothing_else_would_permit_is_not_noticed_when_it_goes() {
    let no = case("no", "ag:firm", "ds:air", "pu:ads", "-", r#""want": "deny""#);
    let hidden = report(GRANTS, &[no]);
    assert!(left(&hidden, "D").contains(&&Change::Removed), "denied by default anyway");
    assert!(!left(&hidden, "D").contains(&&Change::TurnedRound));
    let no = case("no", "ag:firm", "ds:air", "pu:ads", "bas:law", r#""want": "deny""#);
    assert!(!left(&report(GRANTS, &[no]), "D").contains(&&Change::Removed), "E would permit it");
}

#[test]
fn a_case_that_fails_as_things_are_shows_nothing() {
    let wrong = case("wrong", "ag:ward", "ds:air", "pu:health", "bas:law", r#""want": "deny""#);
    let report = report(only_a(), &[wrong]);
    assert_eq!((report.cases, report.failing, report.noticed), (0, 1, 0));
}

#[test]
fn the_built_in_table_notices_most_of_what_could_be_changed() {
    let report = mutate(&RuleSet::builtin(1).unwrap()).unwrap();
    assert_eq!((report.failing, report.not_tried, report.cases_left_out), (0, 0, 0));
    assert_eq!(report.mutants, report.noticed + report.unnoticed.len() + report.unlisted);
    assert!(report.score >= 50, "{} of 100\n{:#?}", report.score, report.unnoticed);
}

/// The built-in rules with one grant's row replaced, read anew and asked every case: the long way round.
fn is_noticed_the_long_way(rule: &str, row: Option<&str>) -> bool {
    let mut files = Files::builtin();
    let policy = String::from_utf8(files.get("policy.csv").unwrap().to_vec()).unwrap();
    let lines = policy
        .lines()
        .map(|line| if line.starts_with(&format!("p, {rule},")) { row.unwrap_or("#") } else { line });
    files.insert("policy.csv", lines.collect::<Vec<_>>().join("\n"));
    // A grant that is turned round has no reason yet, and one that is gone must have none.
    let reasons = std::str::from_utf8(files.get("reasons.json").unwrap()).unwrap();
    let mut reasons: serde_json::Map<String, serde_json::Value> = serde_json::from_str(reasons).unwrap();
    match row {
        None => drop(reasons.remove(rule)),
        Some(_) => drop(reasons.insert(rule.to_owned(), reasons["NO-RULE"].clone())),
    }
    files.insert("reasons.json", serde_json::to_vec(&reasons).unwrap());
    let rules = RuleSet::from_files(&files, 1).unwrap_or_else(|e| panic!("{:#?}", e.problems));
    let (engine, registry) = (policy::Engine::new(rules.clone()).unwrap(), rules.fixture().unwrap());
    !policy::cases::run(&engine, rules.cases(), registry).passed()
}

#[test]
fn the_short_way_and_the_long_way_agree() {
    let rules = RuleSet::builtin(1).unwrap();
    let report = mutate(&rules).unwrap();
    for rule in rules.grants() {
        let missed = left(&report, rule.id.as_str());
        assert_eq!(
            is_noticed_the_long_way(rule.id.as_str(), None),
            !missed.contains(&&Change::Removed),
            "{}",
            rule.id
        );
        let mut turned = rule.grant_row();
        turned.truncate(15);
        turned[13] = "-".to_owned();
        turned[14] = if turned[14] == "allow" { "deny" } else { "allow" }.to_owned();
        let row = format!("p, {}", turned.join(", "));
        let noticed = is_noticed_the_long_way(rule.id.as_str(), Some(&row));
        assert_eq!(noticed, !missed.contains(&&Change::TurnedRound), "{}", rule.id);
    }
}
