//! The engine decides as stock casbin does over the whole rule set: index, closure and effector change nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use casbin::{CoreApi, DefaultModel, Enforcer};
use common::plain::{
    FACT_LINKS, LINKS, ask, at_once, only, random_facts, random_question, random_rule, stock,
};
use common::{Dice, NOW, dataset, engine, facts, files, party, question, shared};
use policy::{Action, Engine, Facts, Question, ReasonCode, RuleEffect, RuleSet, SharingKind};

#[derive(Debug, Default)]
struct Count {
    permitted: usize,
    denied_by_rule: usize,
    nothing: usize,
    before_the_rules: usize,
}

/// Holds one decision against stock casbin, and the explanation's conditions against what casbin matched.
fn compare(engine: &Engine, stock: &Enforcer, question: &Question, facts: &Facts, count: &mut Count) {
    let decision = engine.decide(question, facts);
    let code = decision.refusal().map(policy::Refusal::code);
    match code {
        None => count.permitted += 1,
        Some(ReasonCode::RuleDenies) => count.denied_by_rule += 1,
        Some(ReasonCode::NoRule) => count.nothing += 1,
        Some(other) => {
            assert!(!decision.is_permit() && other.as_str().starts_with("INV-"), "{other}");
            count.before_the_rules += 1;
            return;
        }
    }
    assert_eq!(decision.is_permit(), ask(stock, question, facts), "{question:?}\n{decision:?}");
    let explanation = engine.explain(question, facts, &[]);
    let mut explained: Vec<&str> =
        explanation.near.iter().filter(|near| near.matches()).map(|near| near.rule.as_str()).collect();
    let mut matched: Vec<&str> =
        decision.matched.iter().chain(&decision.overridden).map(policy::RuleId::as_str).collect();
    explained.sort_unstable();
    matched.sort_unstable();
    assert_eq!(explained, matched, "the explanation and casbin's matcher disagree: {question:?}");
}

/// A question of a test table with up to two fields taken from elsewhere.
fn vary(rules: &RuleSet, dice: &mut Dice) -> Question {
    let mut asked = dice.pick(rules.cases()).question.clone();
    for _ in 0..=dice.below(2) {
        let other = dice.pick(rules.cases()).question.clone();
        match dice.below(8) {
            0 => asked.subject = other.subject,
            1 => asked.dataset = other.dataset,
            2 => asked.action = *dice.pick(&Action::ALL),
            3 => asked.purpose = other.purpose,
            4 => asked.agreement = other.agreement,
            5 => asked.basis = other.basis,
            6 => asked.network = other.network,
            _ => asked.now = NOW + (dice.below(500) as i64 - 330) * 86_400,
        }
    }
    asked
}

fn compare_table(rules: RuleSet, more_links: &[(&str, &str, &str)], seed: u64) -> Count {
    let stock = stock(&rules, more_links);
    let register = rules.fixture().cloned().unwrap();
    let engine = Engine::new(rules).unwrap();
    let (mut dice, mut count) = (Dice(seed), Count::default());
    for _ in 0..1_500 {
        let question = vary(engine.rule_set(), &mut dice);
        compare(&engine, &stock, &question, &register.facts(&question), &mut count);
    }
    count
}

#[test]
fn over_the_worked_example() {
    let Some(folder) = shared("design/policy-example") else { return };
    let count = compare_table(RuleSet::from_folder(&folder, 1).unwrap(), &[], 0x1234_5678_9abc_def1);
    assert!(count.permitted > 100 && count.denied_by_rule > 20 && count.nothing > 100, "too few of a kind");
    assert!(count.before_the_rules > 100);
}

#[test]
fn over_the_built_in_rule_set() {
    let links = [
        ("g2", "ds:admin-units", "co:open"),
        ("g2", "ds:air-hourly", "co:default-shared"),
        ("g2", "ds:dengue", "co:default-shared"),
        ("g2", "ds:dengue", "tag:personal"),
        ("g2", "ds:population", "co:special"),
        ("g2", "ds:population", "tag:personal"),
        ("g2", "ds:discharge", "co:special"),
        ("g2", "ds:discharge", "tag:personal"),
        ("g2", "ds:discharge", "tag:sensitive"),
        ("g2", "ds:grid", "co:special"),
        ("g2", "ds:grid", "tag:core"),
        ("g2", "ds:land-plots", "co:default-shared"),
        ("g2", "ds:land-plots", "tag:important"),
        ("g2", "ds:substations", "co:special"),
        ("g2", "ds:substations", "tag:core"),
        ("g2", "ds:enterprises", "co:default-shared"),
        ("g2", "ds:enterprises", "tag:mandatory-share"),
        ("g", "ag:urn:agency:vn:hanoi-ioc", "gr:provinces"),
        ("g", "ag:urn:agency:vn:ward-tay-ho", "gr:communes"),
        ("g", "ag:urn:agency:vn:tax", "gr:ministries"),
        ("g", "ag:urn:agency:vn:gso", "ro:statistics-office"),
        ("g", "ag:urn:agency:xx:statistics", "gr:foreign"),
    ];
    let count = compare_table(RuleSet::builtin(1).unwrap(), &links, 0xfeed_beef_1234_5678);
    assert!(count.permitted > 100 && count.nothing > 100, "too few of a kind");
}

#[test]
fn over_random_rule_sets() {
    let mut dice = Dice(0x0dd_ba11);
    let mut count = Count::default();
    for _ in 0..240 {
        // At most 20 rules: an explanation shows no more, and all of them are compared.
        let rules: String = (0..1 + dice.below(20)).map(|id| random_rule(id, &mut dice)).collect();
        let engine = engine(&files(&format!("{LINKS}{rules}")));
        let stock = stock(engine.rule_set(), &FACT_LINKS);
        for _ in 0..100 {
            let asked = random_question(&mut dice);
            compare(&engine, &stock, &asked, &random_facts(&asked), &mut count);
        }
    }
    assert!(
        count.permitted > 200 && count.denied_by_rule > 200 && count.nothing > 200,
        "too few of a kind: {count:?}"
    );
}

#[test]
fn the_index_leaves_out_no_rule_that_plain_casbin_matches() {
    let mut dice = Dice(0x1dea_5eed);
    let (mut matched_in_all, mut missed_in_all) = (0, 0);
    for round in 0..8 {
        // The last rounds have so many rules that the index splits those about one object by subject.
        let size = if round < 6 { 40 } else { 900 };
        let rules: String = (0..size).map(|id| random_rule(id, &mut dice)).collect();
        let engine = engine(&files(&format!("{LINKS}{rules}")));
        let alone = only(engine.rule_set(), &FACT_LINKS);
        for _ in 0..if round < 6 { 60 } else { 4 } {
            let asked = random_question(&mut dice);
            let known = random_facts(&asked);
            let decision = engine.decide(&asked, &known);
            let before_the_rules =
                decision.refusal().is_some_and(|refusal| refusal.code().as_str().starts_with("INV-"));
            if before_the_rules {
                continue;
            }
            let wanted: Vec<&str> =
                alone.iter().filter(|(_, one)| ask(one, &asked, &known)).map(|(id, _)| id.as_str()).collect();
            let mut matched: Vec<&str> =
                decision.matched.iter().chain(&decision.overridden).map(policy::RuleId::as_str).collect();
            matched.sort_unstable();
            assert_eq!(matched, wanted, "{asked:?}");
            matched_in_all += wanted.len();
            missed_in_all += alone.len() - wanted.len();
        }
    }
    assert!(matched_in_all > 300 && missed_in_all > 3_000, "{matched_in_all} {missed_in_all}");
}

#[test]
fn stock_casbin_permits_over_no_rules_and_the_engine_does_not() {
    // The trap itself: an empty policy and a matcher of comparisons with empty texts.
    let model = "[request_definition]\nr = sub\n[policy_definition]\np = sub\n[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = p.sub == \"\" || r.sub == p.sub\n";
    let trap = at_once(Enforcer::new_raw(at_once(DefaultModel::from_str(model)), ()));
    assert!(trap.enforce(("anybody",)).unwrap(), "casbin changed: this guard may be reconsidered");

    let engine = engine(&files(&common::grant("R", "30", "*", "ds:other", "*", "allow")));
    let asked = question("ag:a", Action::Query, "ds:x");
    let decision = engine.decide(&asked, &facts(party(&[]), dataset(0, SharingKind::Open)));
    assert_eq!(decision.refusal().unwrap().code(), ReasonCode::NoRule);
    assert!(engine.rule_set().grants().iter().all(|rule| rule.effect == RuleEffect::Allow));
}
