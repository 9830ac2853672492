//! The European invariants: other grounds, other borders, other citations, and not for everybody to choose.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use common::{agreement, dataset, facts, files, party, question};
use policy::{
    Action, Country, Dpia, Engine, Facts, Files, Invariants, Personal, Question, ReasonCode, RuleSet,
    SharingKind, SourceMark,
};

const OPEN: &str = "p, R-1, 30, *, *, *, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n";

fn european(files: Files) -> Engine {
    let about = "id = \"x\"\nversion = 1\ninvariants = \"eu\"\nname = { vi = \"x\", en = \"x\" }\ncovers = { vi = \"x\", en = \"x\" }\n";
    let rules = RuleSet::from_files(&files.with("pack.toml", about), 1);
    Engine::new(rules.unwrap_or_else(|e| panic!("{:#?}", e.problems))).unwrap()
}

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

/// A request for sensitive data under an agreement, complete under European law.
fn complete(basis: &str) -> (Question, Facts) {
    let mut asked = question("ag:b", Action::Query, "ds:x");
    asked.purpose = Some("pu:care".parse().unwrap());
    asked.basis = Some(basis.parse().unwrap());
    asked.agreement = Some("agr:1".parse().unwrap());
    let mut record = dataset(3, SharingKind::Special);
    record.personal = Personal::Sensitive;
    let mut known = facts(party(&[]), record);
    known.party.as_mut().unwrap().country = country("FR");
    known.agreement = Some(agreement(&asked, &["pu:care"]));
    (asked, known)
}

fn code(engine: &Engine, asked: &Question, known: &Facts) -> Option<ReasonCode> {
    engine.decide(asked, known).refusal().map(policy::Refusal::code)
}

#[test]
fn special_categories_need_a_ground_of_article_9_and_an_emergency_excuses_from_nothing() {
    let engine = european(files(OPEN));
    let (asked, known) = complete("bas:art9-health-care");
    assert_eq!(code(&engine, &asked, &known), None);
    assert_eq!(engine.decide(&asked, &known).invariants, "eu/1");
    for basis in ["bas:law", "bas:public-task", "bas:emergency", "bas:art9", "bas:art9-anything"] {
        let (asked, known) = complete(basis);
        assert_eq!(code(&engine, &asked, &known), Some(ReasonCode::Basis), "{basis}");
    }
    let (mut asked, mut known) = complete("bas:art9-vital-interests");
    known.agreement.as_mut().unwrap().dpia = Dpia::Missing;
    assert_eq!(code(&engine, &asked, &known), Some(ReasonCode::Dpia));
    (asked.agreement, known.agreement) = (None, None);
    assert_eq!(code(&engine, &asked, &known), Some(ReasonCode::Special));
}

#[test]
fn explicit_consent_is_kept_to_row_by_row() {
    let engine = european(files(OPEN));
    let (asked, mut known) = complete("bas:art9-consent");
    assert_eq!(code(&engine, &asked, &known), Some(ReasonCode::Consent));
    let consent: policy::Predicate =
        serde_json::from_str(r#"{"column": "agreed", "op": "eq", "value": true}"#).unwrap();
    known.dataset.as_mut().unwrap().consent = Some(consent.clone());
    let decision = engine.decide(&asked, &known);
    assert!(decision.obligations().unwrap().row_filter.contains(&consent));
}

#[test]
fn home_is_the_economic_area_and_abroad_is_everything_else() {
    let engine = european(files(OPEN));
    for (seat, wanted) in [
        ("NO", None),
        ("DE", None),
        ("GR", None),
        ("VN", Some(ReasonCode::CrossBorder)),
        ("GB", Some(ReasonCode::CrossBorder)),
        ("CH", Some(ReasonCode::CrossBorder)),
    ] {
        let (asked, mut known) = complete("bas:art9-health-care");
        known.party.as_mut().unwrap().country = country(seat);
        assert_eq!(code(&engine, &asked, &known), wanted, "{seat}");
        known.transfer_dossier = true;
        assert_eq!(code(&engine, &asked, &known), None, "{seat} with a dossier");
    }
    let deny = common::grant("R-2", "00", "gr:foreign", "*", "*", "deny");
    let engine = european(files(&format!("{OPEN}{deny}")));
    let open = dataset(0, SharingKind::Open);
    for (seat, wanted) in [("IT", None), ("VN", Some(ReasonCode::RuleDenies))] {
        let mut known = facts(party(&[]), open.clone());
        known.party.as_mut().unwrap().country = country(seat);
        let asked = question("ag:b", Action::Query, "ds:x");
        assert_eq!(code(&engine, &asked, &known), wanted, "{seat}");
    }
}

#[test]
fn refusals_cite_european_law_also_to_the_consumer() {
    let engine = european(files(OPEN));
    let (asked, mut known) = complete("bas:law");
    let decision = engine.decide(&asked, &known);
    let basis = decision.refusal().unwrap().legal_basis();
    assert!(basis.text().en().contains("GDPR"), "{basis:?}");
    assert_eq!(basis.mark(), SourceMark::Memory);
    known.dataset = None;
    let seen = serde_json::to_string(&engine.decide(&asked, &known).for_consumer(false)).unwrap();
    assert!(seen.contains("2022/868") && !seen.contains("47/2020"), "{seen}");
}

#[test]
fn only_a_seat_in_the_economic_area_may_choose_the_european_set() {
    assert!(Invariants::Eu.may_rule_in(country("FR")));
    assert!(Invariants::Eu.may_rule_in(country("IS")));
    assert!(!Invariants::Eu.may_rule_in(Country::VN));
    assert!(!Invariants::Eu.may_rule_in(country("US")));
    assert!(Invariants::Vn.may_rule_in(Country::VN) && Invariants::Vn.may_rule_in(country("FR")));
    assert_eq!(Invariants::of_version("eu/1"), Some(Invariants::Eu));
    assert_eq!(Invariants::of_version("eu/2"), None);
}

#[test]
fn without_a_pack_file_the_vietnamese_set_stands_and_the_digest_is_what_it_was() {
    let plain = RuleSet::from_files(&files(OPEN), 1).unwrap();
    assert_eq!(plain.invariants(), Invariants::Vn);
    assert_ne!(european(files(OPEN)).rule_set().digest(), plain.digest());
    let about = "id = \"x\"\nversion = 1\ninvariants = \"vn\"\nname = { vi = \"x\", en = \"x\" }\ncovers = { vi = \"x\", en = \"x\" }\n";
    let named = RuleSet::from_files(&files(OPEN).with("pack.toml", about), 1).unwrap();
    assert_eq!(named.digest(), plain.digest());
}
