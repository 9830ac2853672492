//! The engine decides as stock casbin does over the whole rule set: index, closure and effector change nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use casbin::{CoreApi, DefaultModel, Enforcer, Model};
use common::{Dice, NOW, dataset, engine, facts, files, party, question, shared};
use policy::{Action, Engine, Facts, Minute, Question, ReasonCode, RuleEffect, RuleSet, SharingKind};

fn at_once<T>(future: impl Future<Output = casbin::Result<T>>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("waits"),
    }
}

/// casbin as it comes: its own role manager, its own effector, every rule.
fn stock(rules: &RuleSet, more_links: &[(&str, &str, &str)]) -> Enforcer {
    let mut model = at_once(DefaultModel::from_str(include_str!("../models/grant.conf")));
    for rule in rules.grants() {
        assert!(model.add_policy("p", "p", rule.grant_row()));
    }
    for link in rules.links() {
        model.add_policy("g", link.kind.written(), vec![link.from.clone(), link.to.clone()]);
    }
    for (section, from, to) in more_links {
        model.add_policy("g", section, vec![(*from).to_owned(), (*to).to_owned()]);
    }
    let mut enforcer = at_once(Enforcer::new_raw(model, ()));
    enforcer.build_role_links().unwrap();
    enforcer
}

fn ask(stock: &Enforcer, question: &Question, facts: &Facts) -> bool {
    let none = "-".to_owned();
    stock
        .enforce(vec![
            question.subject.to_string(),
            question.dataset.to_string(),
            question.action.written().to_owned(),
            question.purpose.as_ref().map_or(none.clone(), ToString::to_string),
            question.agreement.as_ref().map_or(none.clone(), ToString::to_string),
            question.basis.as_ref().map_or(none.clone(), ToString::to_string),
            question.network.to_string(),
            facts.dataset.as_ref().unwrap().class.to_string(),
            Minute::from_unix(question.now).unwrap().to_string(),
            question.unit.as_ref().map_or(none.clone(), ToString::to_string),
            question.role.as_ref().map_or(none.clone(), ToString::to_string),
            question.clearance.to_string(),
            question.place.as_ref().map_or(none, ToString::to_string),
            question.route.to_string(),
        ])
        .unwrap()
}

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

const SUBJECTS: [&str; 4] = ["ag:a", "ag:b", "ag:c", "us:d"];
const DATASETS: [&str; 4] = ["ds:w", "ds:x", "ds:y", "ds:z"];
const PURPOSES: [&str; 4] = ["pu:1", "pu:11", "pu:12", "pu:2"];
const TIMES: [&str; 4] = ["2026-01-01T00:00Z", "2026-11-20T08:00Z", "2026-11-20T08:01Z", "9999-12-31T00:00Z"];

/// A rule with random columns of a small world, so that many rules meet each question.
fn random_rule(id: usize, dice: &mut Dice) -> String {
    let subject = *dice.pick(&["*", "ag:a", "ag:b", "gr:g", "gr:h", "ro:r", "us:d", "*"]);
    let object = *dice.pick(&[
        "*",
        "ds:w",
        "ds:x",
        "co:c",
        "co:d",
        "tag:t",
        "tag:u",
        "co:default-shared",
        "se:health",
        "ow:owner",
    ]);
    let action = *dice.pick(&["*", "*", "*", "query", "download", "discover", "metadata"]);
    let purpose = *dice.pick(&["*", "*", "*", "pu:1", "pu:11", "pu:2"]);
    let agreement = *dice.pick(&["*", "*", "*", "+", "-", "agr:1"]);
    let basis = *dice.pick(&["*", "*", "*", "+", "-", "bas:law"]);
    let network = *dice.pick(&["*", "*", "*", "net:gov", "net:internet"]);
    let (low, high) = (dice.below(3), 1 + dice.below(5).max(1));
    let (from, until) = *dice.pick(&[(0, 3), (0, 3), (0, 3), (0, 1), (1, 2), (1, 3), (2, 3), (0, 2)]);
    let tier = *dice.pick(&["00", "10", "20", "30"]);
    let effect = if dice.chance(3) { "deny" } else { "allow" };
    let when = *dice.pick(&[
        "",
        "",
        "",
        "",
        ", unit=un:u",
        ", role=ro:doctor",
        ", role=ro:medic clearance=2-9",
        ", clearance=0-2",
        ", place=pl:vn",
        ", place=pl:vn:hn route=via:direct",
        ", route=via:platform",
    ]);
    format!(
        "p, R{id}, {tier}, {subject}, {object}, {action}, {purpose}, {agreement}, {basis}, {network}, {low}, {high}, {}, {}, -, {effect}{when}\n",
        TIMES[from], TIMES[until]
    )
}

fn random_question(dice: &mut Dice) -> Question {
    let (subject, dataset): (&str, &str) = (dice.pick::<&str>(&SUBJECTS), dice.pick::<&str>(&DATASETS));
    let mut asked = question(subject, *dice.pick(&Action::ALL), dataset);
    asked.purpose = (!dice.chance(3)).then(|| dice.pick(&PURPOSES).parse().unwrap());
    asked.agreement = dice.chance(2).then(|| dice.pick(&["agr:1", "agr:2"]).parse().unwrap());
    asked.basis = dice.chance(2).then(|| dice.pick(&["bas:law", "bas:treaty"]).parse().unwrap());
    asked.network = dice.pick(&["net:gov", "net:internet"]).parse().unwrap();
    asked.unit = dice.chance(2).then(|| dice.pick(&["un:u", "un:u:v", "un:w"]).parse().unwrap());
    asked.role = dice.chance(2).then(|| dice.pick(&["ro:doctor", "ro:medic", "ro:clerk"]).parse().unwrap());
    asked.clearance = policy::Class::new(dice.below(5) as u8).unwrap();
    asked.place = dice.chance(2).then(|| dice.pick(&["pl:vn", "pl:vn:hn", "pl:la"]).parse().unwrap());
    asked.route = dice.pick(&["via:direct", "via:platform"]).parse().unwrap();
    asked.now = NOW + [-60, -1, 0, 59, 60, 61][dice.below(6)];
    asked
}

/// Facts of the small world: what the catalog and the registry add, besides the rule set's own links.
fn random_facts(asked: &Question) -> Facts {
    let mut record = dataset(1, SharingKind::Default);
    let mut member = party(&[]);
    record.sector = (asked.dataset.as_str() == "ds:z").then(|| "se:health".parse().unwrap());
    match asked.dataset.as_str() {
        "ds:w" => record.tags = vec!["tag:u".parse().unwrap()],
        "ds:x" => record.collections = vec!["co:d".parse().unwrap()],
        "ds:y" => record.class = policy::Class::new(5).unwrap(),
        _ => {}
    }
    match asked.subject.as_str() {
        "ag:b" => member.groups = vec!["gr:h".parse().unwrap()],
        "us:d" => member.groups = vec!["ro:r".parse().unwrap()],
        _ => {}
    }
    let mut known = facts(member, record);
    known.agreement = asked.agreement.as_ref().map(|_| common::agreement(asked, &PURPOSES));
    known
}

const LINKS: &str = "g, un:u:v, un:u\ng, ro:doctor, ro:medic\ng4, pl:vn:hn, pl:vn\ng, ag:a, gr:g\ng, gr:h, gr:g\ng2, co:d, co:c\ng2, tag:u, tag:t\ng2, ds:z, co:c\ng3, pu:11, pu:1\ng3, pu:12, pu:1\n";
const FACT_LINKS: [(&str, &str, &str); 13] = [
    ("g2", "ds:z", "se:health"),
    ("g2", "ds:w", "ow:owner"),
    ("g2", "ds:x", "ow:owner"),
    ("g2", "ds:y", "ow:owner"),
    ("g2", "ds:z", "ow:owner"),
    ("g2", "ds:w", "tag:u"),
    ("g2", "ds:x", "co:d"),
    ("g2", "ds:w", "co:default-shared"),
    ("g2", "ds:x", "co:default-shared"),
    ("g2", "ds:y", "co:default-shared"),
    ("g2", "ds:z", "co:default-shared"),
    ("g", "ag:b", "gr:h"),
    ("g", "us:d", "ro:r"),
];

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
