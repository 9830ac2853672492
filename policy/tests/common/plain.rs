//! casbin as it comes, and a small world of random rules and questions, so that many rules meet each question.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use casbin::{CoreApi, DefaultModel, Enforcer, Model};
use policy::{Action, Facts, Minute, Question, RuleSet, SharingKind};

use super::{Dice, NOW, dataset, facts, party, question};

pub fn at_once<T>(future: impl Future<Output = casbin::Result<T>>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("waits"),
    }
}

/// casbin as it comes: its own role manager, its own effector, every rule.
pub fn stock(rules: &RuleSet, more_links: &[(&str, &str, &str)]) -> Enforcer {
    over(rules.grants().iter().map(policy::Rule::grant_row).collect(), rules, more_links)
}

fn over(rows: Vec<Vec<String>>, rules: &RuleSet, more_links: &[(&str, &str, &str)]) -> Enforcer {
    let mut model = at_once(DefaultModel::from_str(include_str!("../../models/grant.conf")));
    for row in rows {
        assert!(model.add_policy("p", "p", row));
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

/// For each rule, by its id, casbin with this rule alone and as a permit: says whether it matches.
pub fn only(rules: &RuleSet, more_links: &[(&str, &str, &str)]) -> Vec<(String, Enforcer)> {
    let mut all: Vec<(String, Enforcer)> = rules
        .grants()
        .iter()
        .map(|rule| {
            let row =
                rule.grant_row().into_iter().map(|cell| if cell == "deny" { "allow".into() } else { cell });
            (rule.id.to_string(), over(vec![row.collect()], rules, more_links))
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

pub fn ask(stock: &Enforcer, question: &Question, facts: &Facts) -> bool {
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

pub const SUBJECTS: [&str; 4] = ["ag:a", "ag:b", "ag:c", "us:d"];
pub const DATASETS: [&str; 4] = ["ds:w", "ds:x", "ds:y", "ds:z"];
pub const PURPOSES: [&str; 4] = ["pu:1", "pu:11", "pu:12", "pu:2"];
pub const TIMES: [&str; 4] =
    ["2026-01-01T00:00Z", "2026-11-20T08:00Z", "2026-11-20T08:01Z", "9999-12-31T00:00Z"];

/// A rule with random columns of a small world, so that many rules meet each question.
pub fn random_rule(id: usize, dice: &mut Dice) -> String {
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
    let action = *dice.pick(&["*", "*", "*", "*", "*", "query", "download", "discover", "metadata"]);
    let purpose = *dice.pick(&["*", "*", "*", "*", "*", "*", "pu:1", "pu:11", "pu:2"]);
    let agreement = *dice.pick(&["*", "*", "*", "*", "*", "*", "+", "-", "agr:1"]);
    let basis = *dice.pick(&["*", "*", "*", "*", "*", "*", "+", "-", "bas:law"]);
    let network = *dice.pick(&["*", "*", "*", "*", "*", "*", "net:gov", "net:internet"]);
    let (low, high) = (dice.below(2), 1 + dice.below(5).max(1));
    let (from, until) = *dice.pick(&[(0, 3), (0, 3), (0, 3), (0, 1), (1, 2), (1, 3), (2, 3), (0, 2)]);
    let tier = *dice.pick(&["00", "10", "20", "30"]);
    let effect = if dice.chance(3) { "deny" } else { "allow" };
    let conditions = [
        ", unit=un:u",
        ", role=ro:doctor",
        ", role=ro:medic clearance=2-9",
        ", clearance=0-2",
        ", place=pl:vn",
        ", place=pl:vn:hn route=via:direct",
        ", route=via:platform",
    ];
    let when = if dice.chance(4) { *dice.pick(&conditions) } else { "" };
    format!(
        "p, R{id}, {tier}, {subject}, {object}, {action}, {purpose}, {agreement}, {basis}, {network}, {low}, {high}, {}, {}, -, {effect}{when}\n",
        TIMES[from], TIMES[until]
    )
}

pub fn random_question(dice: &mut Dice) -> Question {
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
pub fn random_facts(asked: &Question) -> Facts {
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
    known.agreement = asked.agreement.as_ref().map(|_| super::agreement(asked, &PURPOSES));
    known
}

pub const LINKS: &str = "g, un:u:v, un:u\ng, ro:doctor, ro:medic\ng4, pl:vn:hn, pl:vn\ng, ag:a, gr:g\ng, gr:h, gr:g\ng2, co:d, co:c\ng2, tag:u, tag:t\ng2, ds:z, co:c\ng3, pu:11, pu:1\ng3, pu:12, pu:1\n";
pub const FACT_LINKS: [(&str, &str, &str); 13] = [
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
