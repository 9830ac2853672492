//! Unit, role, clearance, place, route, sector, owner and volume: each decides, and only as stated.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use common::{dataset, engine, facts, files, grant, party, question};
use policy::{Action, Class, Engine, Facts, Field, Question, ReasonCode, SharingKind, Usage};

fn rules(last: &str, links: &str) -> Engine {
    let row = grant("R", "30", "ag:a", "*", "*", "allow");
    let row = if last.is_empty() { row } else { row.replace(", allow", &format!(", allow, {last}")) };
    engine(&files(&format!("{links}{row}")))
}

fn known() -> Facts {
    facts(party(&[]), dataset(1, SharingKind::Open))
}

fn code(engine: &Engine, asked: &Question, facts: &Facts) -> Option<ReasonCode> {
    engine.decide(asked, facts).refusal().map(policy::Refusal::code)
}

/// Only what is stated counts, and what stands under the named counts too; the explanation says which condition fails.
fn narrows(last: &str, links: &str, field: Field, fit: &[fn(&mut Question)], unfit: &[fn(&mut Question)]) {
    let engine = rules(last, links);
    let asked = |change: &fn(&mut Question)| {
        let mut asked = question("ag:a", Action::Query, "ds:x");
        change(&mut asked);
        asked
    };
    for change in fit {
        assert_eq!(code(&engine, &asked(change), &known()), None, "{last}: {:?}", asked(change));
    }
    for change in unfit {
        let asked = asked(change);
        assert_eq!(code(&engine, &asked, &known()), Some(ReasonCode::NoRule), "{last}: {asked:?}");
        let told = engine.explain(&asked, &known(), &[]);
        let failing: Vec<Field> =
            told.near[0].conditions.iter().filter(|c| !c.holds).map(|c| c.field).collect();
        assert_eq!(failing, [field]);
        // What would help was really decided, and is about this field alone.
        assert_eq!(told.helps[0].changes.iter().map(|c| c.field).collect::<Vec<_>>(), [field]);
    }
}

#[test]
fn a_rule_can_be_for_one_unit_and_those_under_it() {
    narrows(
        "unit=un:a/health",
        "g, un:a/health/cards, un:a/health\n",
        Field::Unit,
        &[
            |q| q.unit = Some("un:a/health".parse().unwrap()),
            |q| q.unit = Some("un:a/health/cards".parse().unwrap()),
        ],
        &[|_| {}, |q| q.unit = Some("un:a".parse().unwrap())],
    );
}

#[test]
fn a_rule_can_be_for_one_role_and_those_under_it() {
    narrows(
        "role=ro:medic",
        "g, ro:doctor, ro:medic\n",
        Field::Role,
        &[|q| q.role = Some("ro:medic".parse().unwrap()), |q| q.role = Some("ro:doctor".parse().unwrap())],
        &[|_| {}, |q| q.role = Some("ro:clerk".parse().unwrap())],
    );
}

#[test]
fn a_rule_can_demand_a_clearance() {
    narrows(
        "clearance=3-9",
        "",
        Field::Clearance,
        &[|q| q.clearance = Class::new(3).unwrap(), |q| q.clearance = Class::new(9).unwrap()],
        &[|_| {}, |q| q.clearance = Class::new(2).unwrap()],
    );
}

#[test]
fn a_rule_can_be_for_one_place_and_those_in_it() {
    narrows(
        "place=pl:vn",
        "g4, pl:vn:hanoi, pl:vn\n",
        Field::Place,
        &[|q| q.place = Some("pl:vn".parse().unwrap()), |q| q.place = Some("pl:vn:hanoi".parse().unwrap())],
        &[|_| {}, |q| q.place = Some("pl:la".parse().unwrap())],
    );
}

#[test]
fn a_rule_can_be_for_one_route() {
    narrows(
        "route=via:platform",
        "",
        Field::Route,
        &[|q| q.route = "via:platform".parse().unwrap()],
        &[|_| {}, |q| q.route = "via:mail".parse().unwrap()],
    );
}

#[test]
fn a_duty_can_be_for_one_role_too() {
    let row = grant("R", "30", "ag:a", "*", "*", "allow");
    let set = files(&row).with(
        "duties.csv",
        "p, D, 20, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, OB2, allow, role=ro:trainee\n",
    );
    let engine = engine(&set);
    let mut asked = question("ag:a", Action::Query, "ds:x");
    assert!(engine.decide(&asked, &known()).duties.is_empty());
    asked.role = Some("ro:trainee".parse().unwrap());
    assert_eq!(engine.decide(&asked, &known()).obligations().unwrap().audit.get(), 2);
}

#[test]
fn a_rule_can_be_about_a_sector_or_an_owner() {
    for (object, sector, owner, permits) in [
        ("se:health", "se:health", "ag:h", true),
        ("se:health", "se:water", "ag:h", false),
        ("ow:urn:agency:vn:h", "se:water", "ag:urn:agency:vn:h", true),
        ("ow:urn:agency:vn:h", "se:water", "ag:urn:agency:vn:g", false),
        ("co:social", "se:health", "ag:h", true),
    ] {
        let row = grant("R", "30", "ag:a", object, "*", "allow");
        let engine = engine(&files(&format!("g2, se:health, co:social\n{row}")));
        let mut known = known();
        let record = known.dataset.as_mut().unwrap();
        (record.sector, record.owner) = (Some(sector.parse().unwrap()), owner.parse().unwrap());
        let asked = question("ag:a", Action::Query, "ds:x");
        assert_eq!(engine.decide(&asked, &known).is_permit(), permits, "{object}, {sector}, {owner}");
    }
}

#[test]
fn a_data_service_can_be_called_only_where_a_rule_says_so() {
    let engine = engine(&files(&grant("R", "30", "ag:a", "*", "call", "allow")));
    assert_eq!(code(&engine, &question("ag:a", Action::Call, "ds:x"), &known()), None);
    assert_eq!(code(&engine, &question("ag:a", Action::Query, "ds:x"), &known()), Some(ReasonCode::NoRule));
}

#[test]
fn a_quota_that_is_used_up_refuses_what_moves_content() {
    let row = grant("R", "30", "ag:a", "*", "*", "allow").replace("-, allow", "Q, allow");
    let set = files(&row).with("obligations.json", r#"{"Q": {"quota": {"rows_per_day": 100}}}"#);
    let engine = engine(&set);
    let asked = question("ag:a", Action::Query, "ds:x");
    let after = |rows: u64| Facts {
        usage: serde_json::from_str::<Usage>(&format!(r#"{{"rows_per_day": {rows}}}"#)).unwrap(),
        ..known()
    };
    assert_eq!(code(&engine, &asked, &after(99)), None);
    assert_eq!(code(&engine, &asked, &after(100)), Some(ReasonCode::Quota));
    let looking = question("ag:a", Action::Discover, "ds:x");
    assert_eq!(code(&engine, &looking, &after(100)), None, "to see that it is there costs nothing");
}

#[test]
fn what_is_recorded_of_a_plain_question_has_not_changed() {
    let asked = question("ag:a", Action::Query, "ds:x");
    let written = serde_json::to_value(&asked).unwrap();
    let keys: Vec<&String> = written.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["subject", "action", "dataset", "purpose", "agreement", "basis", "network", "now"]);
    assert_eq!(serde_json::from_value::<Question>(written).unwrap(), asked);
}
