//! The worked example and the built-in rule set give the answers that their tables want.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use common::shared;
use policy::{Engine, RuleSet, cases};

fn check(rules: RuleSet, wanted: usize) {
    let (table, register) = (rules.cases().to_vec(), rules.fixture().cloned().unwrap());
    let report = cases::run(&Engine::new(rules).unwrap(), &table, &register);
    assert!(report.passed(), "{:#?}", report.failed);
    assert_eq!(report.total, wanted);
}

#[test]
fn the_worked_example_gives_all_its_answers() {
    let Some(folder) = shared("design/policy-example") else { return };
    let rules = RuleSet::from_folder(&folder, 1).unwrap_or_else(|e| panic!("{:#?}", e.problems));
    assert_eq!((rules.grants().len(), rules.duties().len(), rules.obligations().len()), (14, 4, 9));
    check(rules, 28);
}

#[test]
fn the_built_in_rule_set_gives_all_its_answers() {
    check(RuleSet::builtin(7).unwrap(), 48);
}

#[test]
fn every_deny_of_the_built_in_rule_set_has_its_reason() {
    let rules = RuleSet::builtin(7).unwrap();
    let denies = rules.grants().iter().filter(|rule| rule.effect == policy::RuleEffect::Deny);
    assert!(denies.clone().count() >= 4);
    denies.for_each(|rule| assert!(rules.reason(&rule.id).is_some(), "{}", rule.id));
}

#[test]
fn a_table_notices_a_wrong_answer() {
    let rules = RuleSet::builtin(7).unwrap();
    let mut table = rules.cases().to_vec();
    let register = rules.fixture().cloned().unwrap();
    table[0].want = cases::Want::Deny;
    table[1].rule = Some(policy::RuleId::parse("VN-NAT-01").unwrap());
    table[4].ground = Some("INV-PARTY".into());
    table[7].obligations = Some(policy::Obligations::default());
    let report = cases::run(&Engine::new(rules).unwrap(), &table, &register);
    assert_eq!(report.failed.len(), 4, "{:#?}", report.failed);
}
