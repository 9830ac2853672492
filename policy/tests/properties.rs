//! What must hold for every rule set and every question.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use common::plain::{LINKS, random_facts, random_question, random_rule};
use common::{Dice, agreement, dataset, engine, facts, files, party, question};
use policy::{Action, Class, Decision, Engine, Facts, Question, SharingKind};

fn rules(count: usize, dice: &mut Dice) -> Vec<String> {
    (0..count).map(|id| random_rule(id, dice)).collect()
}

fn loaded(rules: &[String]) -> Engine {
    engine(&files(&format!("{LINKS}{}", rules.concat())))
}

/// A question with nothing left out, its facts, and rules of which the second names every column of it.
fn whole() -> (Engine, Question, Facts) {
    let mut asked = question("ag:a", Action::Query, "ds:x");
    asked.purpose = Some("pu:p".parse().unwrap());
    asked.agreement = Some("agr:1".parse().unwrap());
    asked.basis = Some("bas:law".parse().unwrap());
    asked.unit = Some("un:u".parse().unwrap());
    asked.role = Some("ro:doctor".parse().unwrap());
    asked.clearance = Class::new(3).unwrap();
    asked.place = Some("pl:vn".parse().unwrap());
    asked.route = "via:platform".parse().unwrap();
    let mut known = facts(party(&[]), dataset(2, SharingKind::Default));
    known.agreement = Some(agreement(&asked, &["pu:p"]));
    let row = "p, R, 30, ag:a, ds:x, query, pu:p, agr:1, bas:law, net:gov, 2, 2, 2026-11-20T08:00Z, 2026-11-20T08:01Z, -, \
               allow, unit=un:u role=ro:doctor clearance=3-3 place=pl:vn route=via:platform\n";
    (engine(&files(&row.replace("               ", ""))), asked, known)
}

type Change = (&'static str, fn(&mut Question, &mut Facts));

/// Each field of question and facts that a rule can ask for, blank, and unknown to the rules.
const CHANGES: &[Change] = &[
    ("subject unknown", |q, _| q.subject = "ag:b".parse().unwrap()),
    ("subject a person", |q, _| q.subject = "us:a".parse().unwrap()),
    ("party blank", |_, f| f.party = None),
    ("party not active", |_, f| f.party.as_mut().unwrap().active = false),
    ("unit blank", |q, _| q.unit = None),
    ("unit unknown", |q, _| q.unit = Some("un:v".parse().unwrap())),
    ("role blank", |q, _| q.role = None),
    ("role unknown", |q, _| q.role = Some("ro:clerk".parse().unwrap())),
    ("clearance blank", |q, _| q.clearance = Class::OPEN),
    ("clearance higher", |q, _| q.clearance = Class::new(4).unwrap()),
    ("action another", |q, _| q.action = Action::Download),
    ("dataset unknown", |q, f| {
        q.dataset = "ds:y".parse().unwrap();
        f.agreement.as_mut().unwrap().datasets.push(q.dataset.clone());
    }),
    ("dataset's record blank", |_, f| f.dataset = None),
    ("class lower", |_, f| f.dataset.as_mut().unwrap().class = Class::new(1).unwrap()),
    ("class higher", |_, f| f.dataset.as_mut().unwrap().class = Class::new(3).unwrap()),
    ("purpose blank", |q, _| q.purpose = None),
    ("purpose unknown", |q, f| {
        q.purpose = Some("pu:q".parse().unwrap());
        f.agreement.as_mut().unwrap().purposes.push("pu:q".parse().unwrap());
    }),
    ("agreement blank", |q, _| q.agreement = None),
    ("agreement unknown", |q, _| q.agreement = Some("agr:2".parse().unwrap())),
    ("agreement's record blank", |_, f| f.agreement = None),
    ("basis blank", |q, _| q.basis = None),
    ("basis unknown", |q, _| q.basis = Some("bas:treaty".parse().unwrap())),
    ("network unknown", |q, _| q.network = "net:internet".parse().unwrap()),
    ("place blank", |q, _| q.place = None),
    ("place unknown", |q, _| q.place = Some("pl:la".parse().unwrap())),
    ("route blank", |q, _| q.route = policy::RouteId::default()),
    ("route unknown", |q, _| q.route = "via:satellite".parse().unwrap()),
    ("a minute early", |q, _| q.now -= 1),
    ("a minute late", |q, _| q.now += 60),
    ("no time at all", |q, _| q.now = i64::MIN),
];

#[test]
fn with_any_one_field_blank_or_unknown_the_answer_is_no() {
    let (engine, asked, known) = whole();
    assert!(engine.decide(&asked, &known).is_permit(), "{:?}", engine.decide(&asked, &known));
    for (name, change) in CHANGES {
        let (mut asked, mut known) = (asked.clone(), known.clone());
        change(&mut asked, &mut known);
        assert!(!engine.decide(&asked, &known).is_permit(), "{name}");
    }
}

#[test]
fn a_question_about_which_no_rule_says_anything_is_refused_however_it_is_asked() {
    let mut dice = Dice(0xb1a4c);
    // Each rule is about one agency that nobody here is.
    let elsewhere: Vec<String> = rules(40, &mut dice)
        .iter()
        .map(|rule| {
            let mut fields: Vec<&str> = rule.trim().split(", ").collect();
            fields[3] = "ag:nobody";
            fields.join(", ") + "\n"
        })
        .collect();
    let engine = loaded(&elsewhere);
    for _ in 0..2_000 {
        let asked = random_question(&mut dice);
        assert!(!engine.decide(&asked, &random_facts(&asked)).is_permit(), "{asked:?}");
    }
}

#[test]
fn one_more_deny_never_turns_a_refusal_into_a_permit() {
    let mut dice = Dice(0xdeb1_a5ed);
    let (mut refused, mut turned) = (0, 0);
    for _ in 0..60 {
        let mut rows = rules(12, &mut dice);
        let before = loaded(&rows);
        let deny = random_rule(99, &mut dice).replace(", allow", ", deny");
        rows.push(deny);
        let after = loaded(&rows);
        for _ in 0..100 {
            let asked = random_question(&mut dice);
            let known = random_facts(&asked);
            let (old, new) = (before.decide(&asked, &known), after.decide(&asked, &known));
            assert!(old.is_permit() || !new.is_permit(), "{asked:?}\n{old:?}\n{new:?}");
            refused += usize::from(!old.is_permit());
            turned += usize::from(old.is_permit() && !new.is_permit());
        }
    }
    assert!(refused > 500 && turned > 20, "too few of a kind: {refused} {turned}");
}

#[test]
fn the_order_of_rows_never_matters() {
    let mut dice = Dice(0xcdea1);
    let duty = |id: usize, dice: &mut Dice| {
        let object = *dice.pick(&["*", "ds:w", "co:c", "tag:t"]);
        let set = *dice.pick(&["OB", "OB2"]);
        format!("p, D{id}, 10, *, {object}, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, {set}, allow\n")
    };
    let shuffled = |rows: &[String], dice: &mut Dice| {
        let mut rows = rows.to_vec();
        (1..rows.len()).rev().for_each(|at| rows.swap(at, dice.below(at + 1)));
        rows.concat()
    };
    for _ in 0..20 {
        let mut rows: Vec<String> = LINKS.lines().map(|line| format!("{line}\n")).collect();
        rows.extend(rules(20, &mut dice));
        let duties: Vec<String> = (0..6).map(|id| duty(id, &mut dice)).collect();
        let one = engine(&files(&rows.concat()).with("duties.csv", duties.concat()));
        let (again, duties) = (shuffled(&rows, &mut dice), shuffled(&duties, &mut dice));
        assert_ne!(again, rows.concat(), "shuffled");
        let other = engine(&files(&again).with("duties.csv", duties));
        assert_eq!(one.rule_set().digest(), other.rule_set().digest());
        for _ in 0..100 {
            let asked = random_question(&mut dice);
            let known = random_facts(&asked);
            assert_eq!(one.decide(&asked, &known), other.decide(&asked, &known));
        }
    }
}

/// Every time at which something of these rules or this agreement begins or ends, a second before and a second after.
fn edges(engine: &Engine, known: &Facts) -> Vec<i64> {
    let rules = engine.rule_set().grants().iter().chain(engine.rule_set().duties());
    let mut all: Vec<i64> = rules.flat_map(|rule| [rule.not_before.unix(), rule.expires.unix()]).collect();
    all.extend(known.agreement.iter().flat_map(|agreement| [agreement.not_before, agreement.expires]));
    let mut around: Vec<i64> = all.iter().flat_map(|edge| [edge - 1, *edge, edge + 1]).collect();
    around.extend([-62_167_219_201, -62_167_219_200, 253_402_300_799, 253_402_300_800]);
    around.sort_unstable();
    around.dedup();
    around
}

#[test]
fn what_is_remembered_is_what_would_be_decided_across_every_edge_of_time() {
    let mut dice = Dice(0xcac4e);
    let (mut changed, mut compared) = (0, 0);
    for version in 0..25 {
        let duty = "p, D, 10, *, *, query, *, 0, 9, 2026-11-20T08:00Z, 2026-11-20T08:01Z, OB, allow\n";
        let texts = files(&format!("{LINKS}{}", rules(15, &mut dice).concat())).with("duties.csv", duty);
        let rule_set = policy::RuleSet::from_files(&texts, version).unwrap();
        let engine = Engine::new(rule_set.clone()).unwrap();
        for _ in 0..12 {
            let mut asked = random_question(&mut dice);
            let known = random_facts(&asked);
            let edges = edges(&engine, &known);
            let mut last: Option<Decision> = None;
            // Forwards, as time goes, and then to and fro.
            let jumps: Vec<i64> = (0..edges.len()).map(|_| *dice.pick(&edges)).collect();
            for now in edges.iter().chain(&jumps) {
                asked.now = *now;
                let (kept, anew) = (engine.decide_cached(&asked, &known), engine.decide(&asked, &known));
                assert_eq!(*kept, anew, "{asked:?}");
                assert_eq!(engine.decide_cached(&asked, &known), kept, "and again");
                changed += usize::from(last.is_some_and(|last| last != anew));
                last = Some(anew);
                compared += 1;
            }
        }
        // Another version of the same rules begins with nothing remembered.
        let mut asked = random_question(&mut dice);
        asked.now = common::NOW;
        let known = random_facts(&asked);
        assert_eq!(engine.decide_cached(&asked, &known).rule_set_version, version);
        let next = Engine::new(rule_set.with_version(version + 100)).unwrap();
        assert_eq!(next.decide_cached(&asked, &known).rule_set_version, version + 100);
    }
    assert!(changed > 300 && compared > 5_000, "too few of a kind: {changed} {compared}");
}

#[test]
fn what_is_remembered_is_of_exactly_this_question_and_these_facts() {
    let (engine, asked, known) = whole();
    for (name, change) in CHANGES {
        assert!(engine.decide_cached(&asked, &known).is_permit());
        let (mut other, mut facts) = (asked.clone(), known.clone());
        change(&mut other, &mut facts);
        assert!(!engine.decide_cached(&other, &facts).is_permit(), "{name}");
        assert_eq!(*engine.decide_cached(&other, &facts), engine.decide(&other, &facts), "{name}");
    }
}

#[test]
fn the_very_same_decision_is_given_again_until_an_edge() {
    let (engine, mut asked, known) = whole();
    let first = engine.decide_cached(&asked, &known);
    asked.now += 59;
    assert!(std::sync::Arc::ptr_eq(&first, &engine.decide_cached(&asked, &known)), "remembered");
    asked.now += 1;
    assert!(!engine.decide_cached(&asked, &known).is_permit(), "the rule and the agreement have ended");
}
