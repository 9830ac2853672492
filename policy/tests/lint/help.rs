//! Rule sets and contexts to lint.

use std::collections::BTreeMap;

use policy::lint::{Finding, FindingCode, KnownDataset, LintContext, LintReport, Severity, lint};
use policy::{DatasetFacts, Files, Minute, Personal, RuleSet, SharingKind};

use crate::common::dataset;

/// A grant with everything open except what is said as `key=value`.
pub fn p(id: &str, said: &str) -> String {
    let mut row = BTreeMap::from([
        ("tier", "20"),
        ("sub", "*"),
        ("obj", "co:open"),
        ("act", "query"),
        ("pur", "*"),
        ("agr", "*"),
        ("bas", "*"),
        ("net", "*"),
        ("clo", "0"),
        ("chi", "2"),
        ("nbf", "2026-01-01T00:00Z"),
        ("exp", "9999-12-31T00:00Z"),
        ("obl", "-"),
        ("eft", "allow"),
        ("when", ""),
    ]);
    for (key, value) in said.split_whitespace().map(|pair| pair.split_once('=').unwrap()) {
        assert!(row.insert(key, value).is_some(), "{key}");
    }
    let columns =
        ["tier", "sub", "obj", "act", "pur", "agr", "bas", "net", "clo", "chi", "nbf", "exp", "obl", "eft"];
    let columns: Vec<&str> = columns.iter().map(|key| row[key]).collect();
    let when = if row["when"].is_empty() { String::new() } else { format!(", {}", row["when"]) };
    format!("p, {id}, {}{when}\n", columns.join(", "))
}

pub const OBLIGATIONS: &str =
    r#"{"LOOSE": {"audit": 1}, "STRICT": {"audit": 2}, "DELETE": {"retention_days": 30}}"#;

pub fn files(policy: &[String], duties: &str) -> Files {
    Files::new()
        .with("policy.csv", policy.concat())
        .with("duties.csv", duties)
        .with("obligations.json", OBLIGATIONS)
}

pub fn rules(policy: &[String]) -> RuleSet {
    load(&files(policy, "# none\n"))
}

pub fn load(files: &Files) -> RuleSet {
    RuleSet::from_files(files, 1).unwrap_or_else(|error| panic!("{:#?}", error.problems))
}

pub fn blind(policy: &[String]) -> LintReport {
    lint(&rules(policy), &LintContext::default())
}

/// The severity with which a code is reported of a rule.
pub fn told(report: &LintReport, code: FindingCode, rule: &str) -> Option<Severity> {
    let of = |finding: &&Finding| {
        finding.code == code && finding.rule.as_ref().is_some_and(|id| id.as_str() == rule)
    };
    report.findings.iter().find(of).map(|finding| finding.severity)
}

pub fn personal(class: u8, personal: Personal) -> DatasetFacts {
    DatasetFacts { personal, ..dataset(class, SharingKind::Default) }
}

pub fn knows<const N: usize>(datasets: [(&str, DatasetFacts); N]) -> LintContext {
    let known = |facts| KnownDataset { facts, persons: None };
    let datasets = datasets.into_iter().map(|(id, facts)| (id.parse().unwrap(), known(facts)));
    LintContext { datasets: Some(datasets.collect()), ..LintContext::default() }
}

pub fn at(time: &str) -> LintContext {
    LintContext { now: Some(Minute::parse(time).unwrap()), ..LintContext::default() }
}

pub const LINKS: &str =
    "g, gr:wards, gr:state\ng2, ds:air, co:sensors\ng3, pu:dengue, pu:health\ng4, pl:hanoi, pl:vn\n";

pub fn linked(rows: &[String]) -> Vec<String> {
    std::iter::once(LINKS.to_owned()).chain(rows.iter().cloned()).collect()
}

pub fn id(text: &str) -> policy::RuleId {
    policy::RuleId::parse(text).unwrap()
}
