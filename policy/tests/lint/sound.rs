//! What lint says of covered rules is true: without such a rule, nothing that is delivered changes.

use policy::lint::{FindingCode as Code, LintContext, lint};
use policy::{Action, Engine, Facts, Question, RuleSet};

use crate::common::{Dice, NOW, dataset, party, question};
use crate::help::{files, load, p};

const LINKS: &str = "g, gr:wards, gr:state\ng, ag:a, gr:wards\ng2, ds:air, co:sensors\ng2, co:sensors, co:all\n\
g3, pu:dengue, pu:health\ng4, pl:hanoi, pl:vn\n";

fn pick<'a>(dice: &mut Dice, from: &[&'a str]) -> &'a str {
    from[dice.below(from.len())]
}

fn random_row(dice: &mut Dice, at: usize) -> String {
    let said = [
        ("tier", pick(dice, &["10", "20"])),
        ("sub", pick(dice, &["*", "*", "gr:state", "gr:wards", "ag:a"])),
        ("obj", pick(dice, &["*", "*", "co:all", "co:sensors", "ds:air", "co:default-shared"])),
        ("act", pick(dice, &["*", "query"])),
        ("pur", pick(dice, &["*", "*", "pu:health", "pu:dengue"])),
        ("agr", "*"),
        ("bas", pick(dice, &["*", "*", "*", "+", "-", "bas:law"])),
        ("chi", pick(dice, &["1", "2"])),
        ("exp", pick(dice, &["2027-01-01T00:00Z", "9999-12-31T00:00Z"])),
        ("obl", "-"),
        ("when", pick(dice, &["", "", "", "", "place=pl:vn", "place=pl:hanoi", "clearance=2-9"])),
        ("eft", pick(dice, &["allow", "allow", "deny"])),
    ];
    let allow = said.contains(&("eft", "allow"));
    let said = said.map(|(key, value)| match key {
        "obl" if allow => format!("obl={}", pick(dice, &["-", "LOOSE", "STRICT"])),
        _ => format!("{key}={value}"),
    });
    let said: Vec<&str> = said.iter().map(String::as_str).filter(|said| *said != "when=").collect();
    p(&format!("R{at}"), &said.join(" "))
}

fn random_question(dice: &mut Dice) -> (Question, Facts) {
    let subject = pick(dice, &["ag:a", "ag:b"]);
    let mut asked = question(
        subject,
        *dice.pick(&[Action::Query, Action::Discover]),
        pick(dice, &["ds:air", "ds:water"]),
    );
    asked.purpose =
        (!dice.chance(4)).then(|| pick(dice, &["pu:health", "pu:dengue", "pu:tax"]).parse().unwrap());
    asked.basis = (!dice.chance(3)).then(|| pick(dice, &["bas:law", "bas:contract"]).parse().unwrap());
    asked.place = (!dice.chance(2)).then(|| pick(dice, &["pl:hanoi", "pl:vn"]).parse().unwrap());
    asked.clearance = policy::Class::new(*dice.pick(&[0, 2, 3])).unwrap();
    asked.now = NOW + if dice.chance(2) { 0 } else { 400 * 86_400 };
    let class = *dice.pick(&[1, 2]);
    let groups: &[&str] = if dice.chance(2) { &["gr:state"] } else { &[] };
    let facts = Facts {
        party: Some(party(groups)),
        dataset: Some(dataset(class, policy::SharingKind::Default)),
        ..Facts::default()
    };
    (asked, facts)
}

/// The rules without one of them.
fn without(rows: &[String], rule: &str) -> Engine {
    let left: Vec<String> =
        rows.iter().filter(|row| !row.starts_with(&format!("p, {rule},"))).cloned().collect();
    assert_eq!(left.len() + 1, rows.len());
    Engine::new(load(&files(&left, "# none\n"))).unwrap()
}

#[test]
fn without_a_rule_that_is_called_covered_every_answer_stays() {
    let mut dice = Dice(0x00C0_FFEE);
    let (mut covered, mut heard) = (0, 0);
    for _ in 0..60 {
        let mut rows = vec![LINKS.to_owned()];
        rows.extend((0..6).map(|at| random_row(&mut dice, at)));
        let set: RuleSet = load(&files(&rows, "# none\n"));
        let report = lint(&set, &LintContext::default());
        let all = Engine::new(set).unwrap();
        let asked: Vec<_> = (0..25).map(|_| random_question(&mut dice)).collect();
        let answers: Vec<_> = asked.iter().map(|(question, facts)| all.decide(question, facts)).collect();
        for rule in all.rule_set().grants() {
            let named = report.findings.iter().any(|finding| {
                let cover = matches!(finding.code, Code::Shadowed | Code::Unreachable | Code::Redundant);
                cover && finding.rule.as_ref() == Some(&rule.id)
            });
            let fewer = without(&rows, rule.id.as_str());
            let mut changed = false;
            for ((question, facts), before) in asked.iter().zip(&answers) {
                let after = fewer.decide(question, facts);
                let same =
                    before.is_permit() == after.is_permit() && before.obligations() == after.obligations();
                assert!(same || !named, "{rule:?} is called covered\n{question:?}\n{rows:#?}");
                changed |= !same;
            }
            covered += usize::from(named);
            heard += usize::from(changed);
        }
    }
    assert!(covered > 40 && heard > 60, "too few of each to show anything: {covered} {heard}");
}
