//! What the engine promises: invariants before rules, tiers, joins, limits, and no way from doubt to a permit.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use std::sync::Arc;

use common::{NOW, agreement, dataset, engine, facts, files, grant, party, question};
use policy::{
    Action, Class, Country, DataClass, Decision, Dpia, Engine, Facts, Files, Personal, Predicate, Question,
    ReasonCode, RuleSet, SharingKind, limits,
};

/// Everything is allowed by a rule of the law's own tier: only invariants can refuse.
fn open_house() -> Engine {
    engine(&files(&grant("ALL", "00", "*", "*", "*", "allow")))
}

fn code(decision: &Decision) -> Option<ReasonCode> {
    decision.refusal().map(policy::Refusal::code)
}

/// A complete request for sensitive personal data on special request, which the open house permits.
fn complete() -> (Question, Facts) {
    let mut asked = question("ag:tax", Action::Query, "ds:x");
    asked.purpose = Some("pu:p".parse().unwrap());
    asked.basis = Some("bas:law".parse().unwrap());
    asked.agreement = Some("agr:1".parse().unwrap());
    let mut record = dataset(3, SharingKind::Special);
    record.personal = Personal::Sensitive;
    let mut known = facts(party(&[]), record);
    known.agreement = Some(agreement(&asked, &["pu:p"]));
    (asked, known)
}

/// The complete request with one thing changed is refused with this code.
fn stopped(wanted: ReasonCode, change: impl FnOnce(&mut Question, &mut Facts)) {
    let (mut asked, mut known) = complete();
    change(&mut asked, &mut known);
    let decision = open_house().decide(&asked, &known);
    assert_eq!(code(&decision), Some(wanted), "{decision:?}");
}

#[test]
fn the_complete_request_is_permitted() {
    let (asked, known) = complete();
    assert!(open_house().decide(&asked, &known).is_permit());
}

#[test]
fn parties_and_datasets_must_be_known() {
    stopped(ReasonCode::Party, |_, f| f.party = None);
    stopped(ReasonCode::Party, |_, f| f.party.as_mut().unwrap().active = false);
    stopped(ReasonCode::Dataset, |_, f| f.dataset = None);
    stopped(ReasonCode::Secret, |_, f| f.dataset.as_mut().unwrap().kind = SharingKind::Secret);
    stopped(ReasonCode::Secret, |_, f| f.dataset.as_mut().unwrap().class = Class::SECRET);
    stopped(ReasonCode::Secret, |q, f| {
        q.action = Action::Discover;
        f.dataset.as_mut().unwrap().kind = SharingKind::Secret;
    });
}

#[test]
fn an_agreement_must_be_in_force_for_exactly_this() {
    stopped(ReasonCode::Agreement, |_, f| f.agreement = None);
    stopped(ReasonCode::Agreement, |_, f| {
        f.agreement.as_mut().unwrap().consumer = "ag:other".parse().unwrap()
    });
    stopped(ReasonCode::Agreement, |_, f| f.agreement.as_mut().unwrap().datasets.clear());
    stopped(ReasonCode::Agreement, |_, f| f.agreement.as_mut().unwrap().signatures = 1);
    stopped(ReasonCode::Agreement, |_, f| f.agreement.as_mut().unwrap().expires = NOW);
    stopped(ReasonCode::Agreement, |_, f| f.agreement.as_mut().unwrap().not_before = NOW + 1);
    stopped(ReasonCode::Agreement, |q, f| {
        q.action = Action::Discover;
        f.agreement = None;
    });
    stopped(ReasonCode::Purpose, |_, f| f.agreement.as_mut().unwrap().purposes.clear());
    stopped(ReasonCode::Purpose, |q, _| q.purpose = Some("pu:other".parse().unwrap()));
    stopped(ReasonCode::Purpose, |q, _| q.purpose = None);
    let (asked, mut known) = complete();
    known.agreement.as_mut().unwrap().expires = NOW + 1;
    known.agreement.as_mut().unwrap().not_before = NOW;
    assert!(open_house().decide(&asked, &known).is_permit(), "its first and last second are in force");
}

#[test]
fn an_agreement_that_is_not_named_does_not_help() {
    stopped(ReasonCode::Special, |q, _| q.agreement = None);
}

#[test]
fn personal_data_needs_basis_purpose_and_assessment() {
    stopped(ReasonCode::Basis, |q, _| q.basis = None);
    stopped(ReasonCode::Dpia, |_, f| f.agreement.as_mut().unwrap().dpia = Dpia::Missing);
    stopped(ReasonCode::Dpia, |_, f| f.agreement.as_mut().unwrap().dpia = Dpia::Filed("  ".into()));
    stopped(ReasonCode::Dpia, |_, f| f.agreement.as_mut().unwrap().dpia = Dpia::Exempt(String::new()));
    stopped(ReasonCode::Dpia, |q, f| {
        q.agreement = None;
        f.dataset.as_mut().unwrap().kind = SharingKind::Default;
    });
    let (asked, mut known) = complete();
    known.agreement.as_mut().unwrap().dpia = Dpia::Exempt("QD-7".into());
    assert!(open_house().decide(&asked, &known).is_permit());
}

#[test]
fn abroad_needs_a_dossier() {
    let abroad = Country::parse("SG").unwrap();
    stopped(ReasonCode::CrossBorder, |_, f| f.party.as_mut().unwrap().country = abroad);
    stopped(ReasonCode::CrossBorder, |_, f| {
        f.party.as_mut().unwrap().country = abroad;
        f.dataset.as_mut().unwrap().personal = Personal::None;
        f.dataset.as_mut().unwrap().data_class = DataClass::Important;
    });
    let (asked, mut known) = complete();
    known.party.as_mut().unwrap().country = abroad;
    known.transfer_dossier = true;
    assert!(open_house().decide(&asked, &known).is_permit());
}

#[test]
fn consent_needs_to_know_who_consented_and_is_then_kept_to() {
    let consent = |q: &mut Question, _: &mut Facts| q.basis = Some("bas:consent".parse().unwrap());
    stopped(ReasonCode::Consent, consent);
    let (mut asked, mut known) = complete();
    consent(&mut asked, &mut known);
    let filter = Predicate::parse("consent = 'yes'").unwrap();
    known.dataset.as_mut().unwrap().consent = Some(filter.clone());
    let decision = open_house().decide(&asked, &known);
    assert!(decision.obligations().unwrap().row_filter.contains(&filter));
    asked.basis = Some("bas:law".parse().unwrap());
    assert!(open_house().decide(&asked, &known).obligations().unwrap().row_filter.is_empty());
}

#[test]
fn an_emergency_is_borne_out_by_a_national_rule_that_names_it_and_ends() {
    let mut asked = question("ag:tax", Action::Query, "ds:x");
    asked.purpose = Some("pu:p".parse().unwrap());
    asked.basis = Some("bas:emergency".parse().unwrap());
    let known = facts(party(&[]), dataset(3, SharingKind::Special));
    let row = |tier: &str, basis: &str, until: &str| {
        let rule = format!(
            "p, E, {tier}, *, *, query, *, *, {basis}, *, 0, 9, 2026-01-01T00:00Z, {until}, -, allow\n"
        );
        code(&engine(&files(&rule)).decide(&asked, &known))
    };
    assert_eq!(row("10", "bas:emergency", "2026-12-01T00:00Z"), None);
    assert_eq!(row("00", "bas:emergency", "2026-12-01T00:00Z"), None);
    assert_eq!(
        row("20", "bas:emergency", "2026-12-01T00:00Z"),
        Some(ReasonCode::Special),
        "an agency cannot"
    );
    assert_eq!(row("10", "+", "2026-12-01T00:00Z"), Some(ReasonCode::Special), "the rule does not name it");
    assert_eq!(row("10", "bas:emergency", "9999-12-31T00:00Z"), Some(ReasonCode::Special), "it has no end");
    assert_eq!(row("10", "bas:law", "2026-12-01T00:00Z"), Some(ReasonCode::NoRule));
}

#[test]
fn a_record_that_contradicts_itself_stops_the_question() {
    stopped(ReasonCode::Record, |_, f| {
        f.dataset.as_mut().unwrap().collections = vec!["co:open".parse().unwrap()]
    });
    stopped(ReasonCode::Record, |_, f| f.dataset.as_mut().unwrap().tags = vec!["tag:core".parse().unwrap()]);
    let linked = files(&format!(
        "g2, ds:x, co:schools\ng2, co:schools, co:open\n{}",
        grant("A", "00", "*", "*", "*", "allow")
    ));
    let (asked, known) = complete();
    assert_eq!(code(&engine(&linked).decide(&asked, &known)), Some(ReasonCode::Record));
}

#[test]
fn tags_of_the_record_move_rules_by_themselves() {
    let rules = files(&format!(
        "{}{}",
        grant("OPEN", "30", "*", "*", "*", "allow"),
        grant("CORE", "30", "*", "tag:core", "*", "deny")
    ));
    let asked = question("ag:a", Action::Query, "ds:x");
    let mut record = dataset(1, SharingKind::Default);
    assert!(engine(&rules).decide(&asked, &facts(party(&[]), record.clone())).is_permit());
    record.data_class = DataClass::Core;
    assert_eq!(
        code(&engine(&rules).decide(&asked, &facts(party(&[]), record))),
        Some(ReasonCode::RuleDenies)
    );
}

#[test]
fn tiers_decide_then_deny_then_id() {
    let asked = question("ag:a", Action::Query, "ds:x");
    let known = facts(party(&[]), dataset(1, SharingKind::Default));
    let decide = |rows: &[(&str, &str, &str)]| {
        let policy: String = rows.iter().map(|(id, tier, eft)| grant(id, tier, "*", "*", "*", eft)).collect();
        engine(&files(&policy)).decide(&asked, &known)
    };
    let national = decide(&[("B", "20", "deny"), ("A", "10", "allow"), ("C", "30", "deny")]);
    assert!(national.is_permit());
    let ids = |list: &[policy::RuleId]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (ids(&national.matched), ids(&national.overridden)),
        (vec!["A".into()], vec!["B".into(), "C".into()])
    );
    let inside = decide(&[("A", "20", "allow"), ("B", "20", "deny")]);
    assert_eq!((code(&inside), inside.rule.unwrap().as_str()), (Some(ReasonCode::RuleDenies), "B"));
    // The numbers decide, not the order in the file (casbin-rs would take the file's).
    assert_eq!(decide(&[("A", "30", "allow"), ("B", "10", "deny")]).rule.unwrap().as_str(), "B");
}

#[test]
fn obligations_of_the_deciding_tier_and_of_duties_are_joined() {
    let row = |id: &str, tier: &str, set: &str| {
        grant(id, tier, "*", "*", "*", "allow").replace(", -, allow", &format!(", {set}, allow"))
    };
    let duty = |set: &str| {
        format!("p, D, 00, *, tag:personal, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, {set}, allow\n")
    };
    let sets = r#"{"A": {"max_rows": 100, "columns": ["a", "b"]}, "B": {"max_rows": 50}, "C": {"max_rows": 1},
                   "D": {"mask": {"a": "hash"}}, "NONE": {"columns": ["z"]}}"#;
    let rules = |set: &str| {
        let policy = [row("R1", "20", "A"), row("R2", "20", "B"), row("R3", "30", "C")].concat();
        engine(&files(&policy).with("duties.csv", duty(set)).with("obligations.json", sets))
    };
    let (asked, known) = complete();
    let decision = rules("D").decide(&asked, &known);
    let json = serde_json::to_string(decision.obligations().unwrap()).unwrap();
    assert_eq!(json, r#"{"columns":["a","b"],"mask":{"a":"hash"},"max_rows":50}"#);
    assert_eq!(decision.duties[0].as_str(), "D");
    let conflict = rules("NONE").decide(&asked, &known);
    assert_eq!(code(&conflict), Some(ReasonCode::ObligationConflict));
}

#[test]
fn time_outside_what_rules_can_hold_is_refused() {
    for now in [i64::MAX, i64::MIN, 253_402_300_800, -62_167_219_201] {
        stopped(ReasonCode::Clock, |q, _| q.now = now);
    }
}

#[test]
fn too_many_rules_or_facts_are_refused() {
    let rules = |n: usize| -> String {
        (0..n).map(|i| grant(&format!("R{i}"), "30", "*", "ds:x", "query", "allow")).collect()
    };
    let (mut asked, known) = complete();
    assert!(engine(&files(&rules(limits::CANDIDATES_MAX))).decide(&asked, &known).is_permit());
    let over = engine(&files(&rules(limits::CANDIDATES_MAX + 1)));
    assert_eq!(code(&over.decide(&asked, &known)), Some(ReasonCode::Limit));
    asked.action = Action::Metadata;
    assert_eq!(code(&over.decide(&asked, &known)), Some(ReasonCode::NoRule), "they are about another action");
    stopped(ReasonCode::Limit, |_, f| {
        f.party.as_mut().unwrap().groups = vec!["gr:g".parse().unwrap(); limits::FACT_LINKS_MAX + 1];
    });
    stopped(ReasonCode::Limit, |_, f| {
        f.dataset.as_mut().unwrap().tags = vec!["tag:t".parse().unwrap(); limits::FACT_LINKS_MAX + 1];
    });
}

#[test]
fn a_dataset_link_never_speaks_for_an_agency() {
    // casbin keeps g, g2 and g3 in one graph; a name of one kind can never stand in a column of another.
    let rules = files(&format!(
        "g2, ds:statistics, co:shared\n{}",
        grant("R", "30", "gr:statistics", "*", "*", "allow")
    ));
    let mut record = dataset(1, SharingKind::Default);
    record.tags = vec!["tag:statistics".parse().unwrap()];
    let decision = engine(&rules)
        .decide(&question("ag:tax", Action::Query, "ds:statistics"), &facts(party(&[]), record));
    assert_eq!(code(&decision), Some(ReasonCode::NoRule));
}

#[test]
fn a_rule_s_own_words_go_into_its_refusal() {
    let rules = RuleSet::builtin(1).unwrap();
    let denied = rules
        .cases()
        .iter()
        .find(|case| case.ground.as_deref() == Some("RULE-DENIES"))
        .unwrap()
        .question
        .clone();
    let known = rules.fixture().unwrap().facts(&denied);
    let decision = Engine::new(rules).unwrap().decide(&denied, &known);
    assert!(decision.refusal().unwrap().text().en().contains("government network"));
    assert!(decision.refusal().unwrap().legal_basis().text().vi().contains("91/2025/QH15"));
}

#[test]
fn the_json_of_decisions_is_stable() {
    let rules = engine(
        &Files::new()
            .with("policy.csv", grant("R", "30", "*", "*", "*", "allow"))
            .with("duties.csv", "")
            .with("obligations.json", "{}"),
    );
    let asked = question("ag:a", Action::Query, "ds:x");
    let permit = rules.decide(&asked, &facts(party(&[]), dataset(0, SharingKind::Open)));
    let digest = rules.rule_set().digest();
    let wanted = format!(
        r#"{{"effect":"permit","obligations":{{}},"rule":"R","matched":["R"],"overridden":[],"duties":[],"rule_set_digest":"{digest}","rule_set_version":1,"invariants":"vn/1"}}"#
    );
    assert_eq!(serde_json::to_string(&permit).unwrap(), wanted);
    let refusal = serde_json::to_value(rules.decide(&asked, &Facts::default())).unwrap();
    assert_eq!((refusal["effect"].as_str(), refusal["code"].as_str()), (Some("refuse"), Some("INV-PARTY")));
    for part in ["/legal_basis/vi", "/legal_basis/en", "/legal_basis/mark", "/text/vi", "/text/en"] {
        assert!(!refusal.pointer(part).unwrap().as_str().unwrap().is_empty(), "{part}");
    }
    assert_eq!(
        permit.digest().unwrap(),
        rules.decide(&asked, &facts(party(&[]), dataset(0, SharingKind::Open))).digest().unwrap()
    );
}

#[test]
fn many_threads_get_the_same_answers() {
    let rules = RuleSet::builtin(1).unwrap();
    let (table, register) = (rules.cases().to_vec(), rules.fixture().cloned().unwrap());
    let engine = Arc::new(Engine::new(rules).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (engine, table, register) = (Arc::clone(&engine), table.clone(), register.clone());
            std::thread::spawn(move || {
                (0..5).all(|_| policy::cases::run(&engine, &table, &register).passed())
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
}

#[test]
fn questions_and_facts_read_back_and_refuse_what_they_do_not_know() {
    let (asked, known) = complete();
    let json = serde_json::to_string(&asked).unwrap();
    assert_eq!(serde_json::from_str::<Question>(&json).unwrap(), asked);
    assert_eq!(serde_json::from_str::<Facts>(&serde_json::to_string(&known).unwrap()).unwrap(), known);
    assert!(serde_json::from_str::<Question>(&json.replace("\"now\"", "\"when\"")).is_err());
    assert!(serde_json::from_str::<Question>(&json.replace("ag:tax", "")).is_err());
    assert!(serde_json::from_str::<Question>(&json.replace("query", "*")).is_err());
}
