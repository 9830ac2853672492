//! Who can see what: every row is a permit, and what is in no row is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use std::collections::BTreeSet;

use common::draft::{Draft, rules};
use common::{Dice, NOW, dataset, grant, party};
use policy::access::{
    Access, AccessLimits, Cell, KnownAgreement, KnownDataset, KnownParty, Row, Who, World, what_is_seen_by,
    who_sees,
};
use policy::{
    Action, AgreementFacts, Class, Country, DatasetId, Dpia, Engine, Facts, Field, PartyFacts, Personal,
    Question, Rule, RuleSet, SharingKind,
};

fn known_party(id: &str, facts: PartyFacts) -> KnownParty {
    KnownParty { id: id.parse().unwrap(), facts }
}

fn known_dataset(id: &str, class: u8, kind: SharingKind, personal: Personal) -> KnownDataset {
    let mut facts = dataset(class, kind);
    facts.personal = personal;
    KnownDataset { id: id.parse().unwrap(), facts, new_agreement: None }
}

fn world() -> World {
    let agreement = AgreementFacts {
        consumer: "ag:x".parse().unwrap(),
        datasets: vec!["ds:b".parse().unwrap()],
        purposes: vec!["pu:q".parse().unwrap()],
        not_before: NOW - 60,
        expires: NOW + 60,
        signatures: 2,
        dpia: Dpia::Missing,
    };
    let mut fresh = known_dataset("ds:a", 1, SharingKind::Default, Personal::Basic);
    fresh.new_agreement = Some(Dpia::Missing);
    World {
        at: NOW,
        parties: vec![
            known_party("ag:x", party(&[])),
            known_party("ag:y", party(&["gr:a"])),
            known_party("ag:far", PartyFacts { country: Country::parse("XX").unwrap(), ..party(&["gr:b"]) }),
            known_party("ag:left", PartyFacts { active: false, ..party(&["gr:b"]) }),
        ],
        datasets: vec![fresh, known_dataset("ds:b", 3, SharingKind::Special, Personal::None)],
        agreements: vec![KnownAgreement { id: "agr:1".parse().unwrap(), facts: agreement, dossier: false }],
        zones: vec!["net:gov".parse().unwrap()],
        routes: Vec::new(),
    }
}

/// A question with, for each field, the label that a table has for it.
struct Asked {
    question: Question,
    facts: Facts,
    labels: Vec<(Field, String)>,
}

/// These names and all that stand above them.
fn above(set: &RuleSet, names: &[&str]) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    for _ in set.links() {
        let up: Vec<_> = set.links().iter().filter(|l| all.contains(&l.from)).map(|l| l.to.clone()).collect();
        all.extend(up);
    }
    all
}

/// The label of a name: itself when it stands under a name that rules or agreements name, else `any other`.
fn label(set: &RuleSet, named: &BTreeSet<String>, name: Option<&str>) -> String {
    let Some(name) = name else { return "none".to_owned() };
    if !above(set, &[name]).is_disjoint(named) {
        return name.to_owned();
    }
    let nothing = named.iter().all(|name| ["*", "+", "-"].contains(&name.as_str()));
    if nothing { "some" } else { "any other" }.to_owned()
}

/// What the rules that can match have in one column.
fn named(
    set: &RuleSet,
    who: &KnownParty,
    of: &KnownDataset,
    action: Action,
    column: impl Fn(&Rule) -> &str,
) -> BTreeSet<String> {
    let kind = if of.facts.kind == SharingKind::Special { "co:special" } else { "co:default-shared" };
    let personal = if of.facts.personal == Personal::None { "ow:owner" } else { "tag:personal" };
    let objects = above(set, &[of.id.as_str(), kind, personal, "*"]);
    let mut subjects = vec![who.id.as_str(), "*"];
    subjects.extend(who.facts.groups.iter().map(|group| group.as_str()));
    let subjects = above(set, &subjects);
    let fits = |rule: &&Rule| {
        objects.contains(rule.object.written())
            && subjects.contains(rule.subject.written())
            && rule.action.is_none_or(|own| own == action)
            && rule.class_from <= of.facts.class
    };
    let rules = set.grants().iter().chain(set.duties()).filter(fits);
    rules.map(|rule| column(rule).to_owned()).collect()
}

/// A value that this row allows in a field, or any.
fn wished<'a>(
    dice: &mut Dice,
    row: Option<&'a Row>,
    field: Field,
    other: &'a str,
    any: &[&'a str],
) -> Option<&'a str> {
    let label = match row.map(|row| &row.fields[&field]) {
        Some(Cell::Of(labels)) => dice.pick(labels).as_str(),
        _ => *dice.pick(any),
    };
    match label {
        "none" => None,
        "any other" | "some" => Some(other),
        name => Some(name),
    }
}

/// A random question, or one that a row of the table seems to permit.
fn random(
    dice: &mut Dice,
    set: &RuleSet,
    world: &World,
    table: &Access,
) -> (KnownParty, KnownDataset, Asked) {
    let row = if table.rows.is_empty() || dice.chance(2) { None } else { Some(dice.pick(&table.rows)) };
    let known = |party: &Who| world.parties.iter().find(|known| Who::Known(known.id.clone()) == *party);
    let row = row.filter(|row| known(&row.party).is_some());
    let who = row.and_then(|row| known(&row.party)).unwrap_or_else(|| dice.pick(&world.parties)).clone();
    let of = row.and_then(|row| world.datasets.iter().find(|of| of.id == row.dataset));
    let of = of.unwrap_or_else(|| dice.pick(&world.datasets)).clone();
    let actions: Vec<&str> = Action::ALL.iter().map(|action| action.written()).collect();
    let action = wished(dice, row, Field::Action, "", &actions).and_then(Action::read).unwrap();
    let mut question = common::question(who.id.as_str(), action, of.id.as_str());
    let mut facts = common::facts(who.facts.clone(), of.facts.clone());
    let purpose = wished(dice, row, Field::Purpose, "pu:new", &["none", "pu:p", "pu:q", "pu:r", "pu:new"]);
    let bases = ["none", "bas:law", "bas:emergency", "bas:consent", "bas:new"];
    let basis = wished(dice, row, Field::LegalBasis, "bas:new", &bases);
    let role = wished(dice, row, Field::Role, "ro:clerk", &["none", "ro:doctor", "ro:clerk"]);
    let place = wished(dice, row, Field::Place, "pl:hue", &["none", "pl:hanoi", "pl:ward", "pl:hue"]);
    let clearance = wished(dice, row, Field::Clearance, "", &["0", "1", "2", "5", "9"]).unwrap();
    question.purpose = purpose.map(|purpose| purpose.parse().unwrap());
    question.basis = basis.map(|basis| basis.parse().unwrap());
    question.role = role.map(|role| role.parse().unwrap());
    question.place = place.map(|place| place.parse().unwrap());
    question.clearance = Class::new(clearance[..1].parse().unwrap()).unwrap();
    let between =
        |known: &&KnownAgreement| known.facts.consumer == who.id && known.facts.datasets.contains(&of.id);
    let on_record = world.agreements.iter().find(between);
    let agreement = match (on_record, dice.chance(2)) {
        (Some(known), true) => {
            (question.agreement, facts.agreement) = (Some(known.id.clone()), Some(known.facts.clone()));
            known.id.as_str()
        }
        (None, true) if of.new_agreement.is_some() && action.moves_content() => {
            question.agreement = Some("agr:fresh".parse().unwrap());
            let made = common::agreement(&question, purpose.as_slice());
            facts.agreement = Some(AgreementFacts { dpia: Dpia::Missing, ..made });
            "a new one"
        }
        _ => "none",
    };
    let named = |column: fn(&Rule) -> &str| named(set, &who, &of, action, column);
    let mut purposes = named(|rule| rule.purpose.written());
    purposes.extend(on_record.map(|_| "pu:q".to_owned()));
    let mut bases = named(|rule| rule.basis.written());
    let looked_at = if of.facts.personal == Personal::None { "bas:emergency" } else { "bas:consent" };
    bases.insert(looked_at.to_owned());
    let labels = vec![
        (Field::Action, action.written().to_owned()),
        (Field::Purpose, label(set, &purposes, purpose)),
        (Field::LegalBasis, label(set, &bases, basis)),
        (Field::Agreement, agreement.to_owned()),
        (Field::Role, label(set, &named(|rule| rule.when.role.written()), role)),
        (Field::Place, label(set, &named(|rule| rule.when.place.written()), place)),
        (Field::Clearance, question.clearance.to_string()),
    ];
    (who, of, Asked { question, facts, labels })
}

fn covers(row: &Row, asked: &Asked) -> bool {
    asked.labels.iter().all(|(field, label)| match &row.fields[field] {
        Cell::Any => true,
        Cell::Of(ranges) if *field == Field::Clearance => ranges.iter().any(|range| {
            let (from, to) = range.split_once('–').unwrap_or((range, range));
            (from..=to).contains(&label.as_str())
        }),
        Cell::Of(labels) => labels.contains(label),
    })
}

fn rows_about<'a>(access: &'a Access, who: &KnownParty) -> Vec<&'a Row> {
    access.rows.iter().filter(|row| row.party == Who::Known(who.id.clone())).collect()
}

/// Thousands of random questions over random rules: a question is permitted exactly when one row covers it, by the rule
/// and under the obligations of that row.
#[test]
fn every_row_is_a_permit_and_what_no_row_covers_is_refused() {
    let (mut dice, world) = (Dice(0x7768_6f31), world());
    let (mut permits, mut refusals) = (0, 0);
    for _ in 0..16 {
        let engine = Engine::new(Draft::random(&mut dice).rules()).unwrap();
        let tables: Vec<(DatasetId, Access)> = world
            .datasets
            .iter()
            .map(|of| (of.id.clone(), who_sees(&engine, &world, &of.id, AccessLimits::default())))
            .collect();
        for turn in 0..120 {
            let (who, of, asked) = random(&mut dice, engine.rule_set(), &world, &tables[turn % 2].1);
            let decision = engine.decide(&asked.question, &asked.facts);
            let table = &tables.iter().find(|(id, _)| *id == of.id).unwrap().1;
            let rows: Vec<&Row> =
                rows_about(table, &who).into_iter().filter(|row| covers(row, &asked)).collect();
            let told = || {
                format!("{decision:#?}\n{:?}\n{:#?}\n{:#?}", asked.labels, rows, engine.rule_set().grants())
            };
            match decision.obligations() {
                None => {
                    assert!(rows.is_empty(), "refused, but in a row: {}", told());
                    refusals += 1;
                }
                Some(obligations) => {
                    let [row] = rows[..] else { panic!("permitted, but not in one row: {}", told()) };
                    assert_eq!(
                        (Some(&row.rule), &row.obligations, &row.duties),
                        (decision.rule.as_ref(), obligations, &decision.duties)
                    );
                    permits += 1;
                }
            }
        }
        // The other way to ask gives the same rows.
        for who in &world.parties {
            let seen = what_is_seen_by(&engine, &world, &who.id, AccessLimits::default());
            let by_dataset: Vec<&Row> = tables.iter().flat_map(|(_, table)| rows_about(table, who)).collect();
            assert_eq!(seen.rows.iter().collect::<Vec<_>>(), by_dataset);
        }
    }
    assert!(
        permits > 300 && refusals > 300,
        "{permits} permits, {refusals} refusals: too one-sided to show anything"
    );
}

fn table(policy: &str, of: &str) -> Access {
    let engine = Engine::new(rules(policy, "", r#"{"OB": {"audit": 1}}"#)).unwrap();
    who_sees(&engine, &world(), &of.parse().unwrap(), AccessLimits::default())
}

fn parties(access: &Access) -> Vec<String> {
    let mut all: Vec<String> = access.rows.iter().map(|row| row.party.to_string()).collect();
    all.dedup();
    all
}

#[test]
fn a_group_that_rules_name_is_shown_even_without_members() {
    let access = table(&grant("R", "20", "gr:new", "ds:b", "metadata", "allow"), "ds:b");
    assert_eq!(parties(&access), ["any member of gr:new"]);
    let row = &access.rows[0];
    assert_eq!(row.fields[&Field::Action], Cell::Of(vec!["metadata".to_owned()]));
    assert_eq!((row.rule.as_str(), &row.fields[&Field::Purpose]), ("R", &Cell::Any));
}

#[test]
fn what_is_open_to_anybody_says_so_and_who_left_is_not_in_it() {
    let access = table(&grant("R", "20", "*", "*", "discover", "allow"), "ds:b");
    let anybody = ["ag:x", "ag:y", "ag:far", "any other member", "any other member abroad"];
    assert_eq!(parties(&access), anybody);
    let foreign = grant("D", "20", "gr:foreign", "*", "*", "deny");
    let access = table(&format!("{}{foreign}", grant("R", "20", "*", "*", "discover", "allow")), "ds:b");
    assert_eq!(parties(&access), ["ag:x", "ag:y", "any other member"]);
}

#[test]
fn an_agreement_that_could_be_made_is_a_row_of_its_own() {
    let needs =
        grant("R", "20", "ag:y", "ds:a", "query", "allow").replacen("query, *, *, *", "query, pu:q, +, +", 1);
    let access = table(&needs, "ds:a");
    let [row] = access.rows.as_slice() else { panic!("{:#?}", access.rows) };
    assert_eq!(row.fields[&Field::Agreement], Cell::Of(vec!["a new one".to_owned()]));
    assert_eq!(row.fields[&Field::Purpose], Cell::Of(vec!["pu:q".to_owned()]));
    assert_eq!(serde_json::to_value(row).unwrap()["fields"]["network"], "any");
}

#[test]
fn names_that_answer_alike_stand_together_the_broader_first() {
    let links = "g3, pu:p, pu:q\ng3, pu:o, pu:p\ng3, pu:q, pu:top\n";
    let rule =
        grant("R", "20", "ag:y", "ds:b", "metadata", "allow").replacen("metadata, *", "metadata, pu:q", 1);
    let purposes = |policy: &str| table(policy, "ds:b").rows[0].fields[&Field::Purpose].clone();
    let of = |names: &[&str]| Cell::Of(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(purposes(&format!("{links}{rule}")), of(&["pu:q", "pu:p", "pu:o"]));
    let but = grant("D", "20", "*", "ds:b", "metadata", "deny").replacen("metadata, *", "metadata, pu:p", 1);
    assert_eq!(purposes(&format!("{links}{rule}{but}")), of(&["pu:q"]));
}

#[test]
fn a_basis_that_only_the_law_tells_apart_has_a_row_of_its_own() {
    let mut world = world();
    world.datasets[0].facts.consent = Some(serde_json::from_str(r#""dong_y = 1""#).unwrap());
    let engine = Engine::new(rules(&grant("R", "20", "ag:x", "ds:a", "query", "allow"), "", "{}")).unwrap();
    let access = who_sees(&engine, &world, &"ds:a".parse().unwrap(), AccessLimits::default());
    let bases: Vec<_> = access
        .rows
        .iter()
        .map(|row| (row.fields[&Field::LegalBasis].clone(), row.obligations.row_filter.len()))
        .collect();
    let of = |name: &str| Cell::Of(vec![name.to_owned()]);
    assert_eq!(bases, [(of("bas:consent"), 1), (of("any other"), 0)]);
}

#[test]
fn only_the_channels_that_there_are_count() {
    let through = |channel: &str| {
        grant("R", "20", "ag:y", "ds:b", "metadata", "allow")
            .replace(", allow", &format!(", allow, route={channel}"))
    };
    let mut world = world();
    let seen = |world: &World, rule: &str| {
        let engine = Engine::new(rules(rule, "", "{}")).unwrap();
        who_sees(&engine, world, &"ds:b".parse().unwrap(), AccessLimits::default()).rows
    };
    let rows = seen(&world, &through("via:platform"));
    assert_eq!(rows[0].fields[&Field::Route], Cell::Of(vec!["via:platform".to_owned()]));
    world.routes = vec!["via:direct".parse().unwrap()];
    assert_eq!(seen(&world, &through("via:platform")), []);
    assert_eq!(seen(&world, &through("via:direct"))[0].fields[&Field::Route], Cell::Any);
}

#[test]
fn limits_leave_out_whole_pairs_and_say_how_many() {
    let engine = Engine::new(rules(&grant("R", "20", "*", "*", "*", "allow"), "", "{}")).unwrap();
    let of = "ds:b".parse().unwrap();
    let all = who_sees(&engine, &world(), &of, AccessLimits::default());
    let few = who_sees(
        &engine,
        &world(),
        &of,
        AccessLimits { decisions: all.decided / 2, ..AccessLimits::default() },
    );
    assert!(few.pairs_left_out > 0 && few.decided <= all.decided / 2);
    assert!(few.rows.iter().all(|row| all.rows.contains(row)), "what is shown is not cut");
    let rows = who_sees(&engine, &world(), &of, AccessLimits { rows: 2, ..AccessLimits::default() });
    assert_eq!((rows.rows.len(), rows.rows_left_out), (2, all.rows.len() as u64 - 2));
}

#[test]
fn the_rules_that_ship_give_the_answers_of_their_own_table() {
    let engine = Engine::new(RuleSet::builtin(1).unwrap()).unwrap();
    let set = engine.rule_set();
    let world = World::of_fixture(set.fixture().unwrap(), NOW);
    let mut checked = 0;
    for case in set.cases().iter().filter(|case| case.question.now == NOW) {
        let seen = what_is_seen_by(&engine, &world, &case.question.subject, AccessLimits::default());
        assert_eq!((seen.pairs_left_out, seen.rows_left_out), (0, 0));
        let action = case.question.action.written().to_owned();
        let same = |row: &&Row| {
            row.dataset == case.question.dataset
                && matches!(&row.fields[&Field::Action], Cell::Of(a) if a.contains(&action))
                || row.fields[&Field::Action] == Cell::Any
        };
        if case.want == policy::cases::Want::Allow {
            let rule =
                engine.decide(&case.question, &set.fixture().unwrap().facts(&case.question)).rule.unwrap();
            assert!(seen.rows.iter().filter(same).any(|row| row.rule == rule), "{}", case.name);
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
    let secret = who_sees(&engine, &world, &"ds:orders".parse().unwrap(), AccessLimits::default());
    assert!(secret.rows.is_empty(), "a state secret is seen by nobody");
}
