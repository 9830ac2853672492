//! What offers announce: only what is really permitted to this party, with exactly the duties that it will have.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use common::{Dice, agreement, dataset, engine, facts, files, party, question};
use policy::odrl::{self, Announced, Announcement, BasisTerm, Spelling};
use policy::{Action, Engine, Facts, Obligations, Question, RuleSet, SharingKind};

fn announced(engine: &Engine, question: &Question, facts: &Facts, purposes: &[&str]) -> Announced {
    let purposes: Vec<_> = purposes.iter().map(|p| p.parse().unwrap()).collect();
    odrl::announce(engine, question, facts, &purposes, |_| true).unwrap()
}

fn state(kind: SharingKind) -> (Question, Facts) {
    let question = question("ag:a", Action::Query, "ds:x");
    let mut facts = facts(party(&["gr:state"]), dataset(1, kind));
    facts.agreement = Some(agreement(&question, &[]));
    (Question { agreement: Some("agr:proposed".parse().unwrap()), ..question }, facts)
}

fn purposes(permission: &Announcement) -> Vec<&str> {
    permission.purposes.iter().map(|p| p.as_str()).collect()
}

#[test]
fn the_shipped_rules_announce_shared_data_with_its_purposes_and_duties() {
    let engine = Engine::new(RuleSet::builtin(1).unwrap()).unwrap();
    let (question, facts) = state(SharingKind::Default);
    let all = announced(&engine, &question, &facts, &["pu:planning", "pu:marketing"]);
    assert!(all.complete);
    let query = all.permissions.iter().find(|p| p.action == Some(Action::Query)).unwrap();
    assert!(purposes(query).contains(&"pu:planning") && purposes(query).contains(&"pu:tax-collection"));
    assert!(!purposes(query).contains(&"pu:marketing") && !purposes(query).contains(&"pu:statistics"));
    assert_eq!(query.basis, BasisTerm::Some);
    assert_eq!(query.obligations.retention_days.unwrap().get(), 365);
    let copy = all.permissions.iter().find(|p| p.action == Some(Action::Download)).unwrap();
    assert!(copy.obligations.watermark && !query.obligations.watermark, "each with its own duties");
    let open = odrl::announce(&engine, &question, &facts, &[], |o: &Obligations| !o.watermark).unwrap();
    assert!(
        open.permissions.iter().all(|p| p.action == Some(Action::Query)),
        "what cannot be kept is not said"
    );
}

#[test]
fn open_data_is_announced_without_conditions() {
    let engine = Engine::new(RuleSet::builtin(1).unwrap()).unwrap();
    let question = question("ag:a", Action::Query, "ds:x");
    let mut facts = facts(party(&[]), dataset(0, SharingKind::Open));
    facts.agreement = Some(agreement(&question, &[]));
    let question = Question { agreement: Some("agr:proposed".parse().unwrap()), ..question };
    let all = announced(&engine, &question, &facts, &["pu:research"]);
    let [one] = all.permissions.as_slice() else { panic!("{all:#?}") };
    assert_eq!((one.action, &one.basis, one.purposes.len()), (None, &BasisTerm::Any, 0));
    assert!(one.constraints().is_empty() && one.duties().is_empty());
}

#[test]
fn rules_about_others_leave_no_trace() {
    let rules = "g3, pu:hidden, pu:other\n\
        p, R-1, 20, ag:a, ds:x, query, pu:own, *, *, *, 0, 9, 2020-01-01T00:00Z, 2027-01-01T00:00Z, OB, allow\n\
        p, R-2, 20, ag:b, ds:x, query, pu:other, *, bas:secret-basis, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, OB2, allow\n\
        p, R-3, 20, ag:a, ds:y, query, pu:hidden, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, OB2, allow\n";
    let (question, facts) = state(SharingKind::Open);
    let all = announced(&engine(&files(rules)), &question, &facts, &[]);
    let [one] = all.permissions.as_slice() else { panic!("{all:#?}") };
    assert_eq!(purposes(one), ["pu:own"]);
    assert_eq!(one.until.unwrap().to_string(), "2027-01-01T00:00Z");
    let said: Vec<String> =
        one.constraints().iter().map(|c| c.value(Spelling::Message).to_string()).collect();
    let said = said.join(" ");
    assert!(said.contains("urn:tram:purpose:own") && said.contains("2027-01-01T00:00:00Z"), "{said}");
    for other in ["other", "hidden", "secret", "R-"] {
        assert!(!said.contains(other), "{said}");
    }
}

#[test]
fn a_narrower_purpose_that_is_denied_is_left_out() {
    let rules = "g3, pu:a1, pu:a\ng3, pu:a2, pu:a\n\
        p, R-1, 20, *, ds:x, *, pu:a, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n\
        p, R-2, 10, *, ds:x, *, pu:a1, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, deny\n";
    let (question, facts) = state(SharingKind::Open);
    let all = announced(&engine(&files(rules)), &question, &facts, &[]);
    assert_eq!(purposes(&all.permissions[0]), ["pu:a", "pu:a2"]);
}

#[test]
fn what_must_be_stated_is_said_once() {
    let rules = "p, R-1, 20, *, ds:x, query, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, OB, allow, role=ro:doctor clearance=3-9\n\
        p, R-2, 20, *, ds:x, download, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, OB, allow\n";
    let (question, facts) = state(SharingKind::Open);
    let all = announced(&engine(&files(rules)), &question, &facts, &["pu:p"]);
    let [copy, query] = all.permissions.as_slice() else { panic!("{all:#?}") };
    let (query, copy) = if copy.action == Some(Action::Query) { (copy, query) } else { (query, copy) };
    assert_eq!(query.stated.role.as_ref().unwrap().as_str(), "ro:doctor");
    assert_eq!(query.stated.clearance.get(), 3);
    assert_eq!((copy.action, copy.constraints().len()), (Some(Action::Download), 0));
    assert_eq!(copy.stated, odrl::Stated::default());
}

#[test]
fn a_flood_of_rules_is_cut_and_said_to_be() {
    let rows: String = (0..400)
        .map(|n| format!("p, R-{n}, 20, *, ds:x, query, pu:p{n}, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n"))
        .collect();
    let (question, facts) = state(SharingKind::Open);
    let all = announced(&engine(&files(&rows)), &question, &facts, &[]);
    assert!(!all.complete && !all.permissions.is_empty());
}

/// Over random rule sets: every announced permission, asked as it says, is permitted with exactly the announced duties.
#[test]
fn whatever_is_announced_is_permitted_with_those_duties() {
    let mut dice = Dice(7);
    let mut said = 0;
    for _ in 0..60 {
        let mut rows = String::from("g3, pu:a1, pu:a\ng3, pu:a2, pu:a\ng3, pu:b1, pu:b\n");
        for n in 0..10 {
            let [tier, subject, purpose, basis, end, action] = [
                *dice.pick(&["10", "20", "30"]),
                *dice.pick(&["*", "ag:a", "ag:b", "gr:state"]),
                *dice.pick(&["*", "pu:a", "pu:a1", "pu:b", "pu:b1"]),
                *dice.pick(&["*", "+", "-", "bas:law"]),
                *dice.pick(&["-, deny", "-, allow", "OB, allow", "OB2, allow"]),
                *dice.pick(&["*", "query", "download"]),
            ];
            let when = *dice.pick(&["", "", ", role=ro:doctor", ", clearance=2-9 place=pl:vn"]);
            rows.push_str(&format!(
                "p, R-{n}, {tier}, {subject}, ds:x, {action}, {purpose}, *, {basis}, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, {end}{when}\n"
            ));
        }
        let duties = "p, D-1, 20, *, *, *, pu:a1, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, OB2, allow\n\
            p, D-2, 20, *, *, download, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, OB, allow, role=ro:doctor\n";
        let engine = engine(&files(&rows).with("duties.csv", duties));
        let (question, facts) = state(SharingKind::Open);
        for one in announced(&engine, &question, &facts, &["pu:c"]).permissions {
            let actions = one.action.map_or(vec![Action::Query, Action::Download], |action| vec![action]);
            let stated: Vec<Option<&str>> = if one.purposes.is_empty() {
                vec![Some("pu:d"), Some("pu:c"), Some("pu:a1")]
            } else {
                purposes(&one).into_iter().map(Some).collect()
            };
            let basis = match &one.basis {
                BasisTerm::Any => None,
                BasisTerm::Some => Some("bas:whatever".parse().unwrap()),
                BasisTerm::Named(basis) => Some(basis.clone()),
            };
            for action in actions {
                for purpose in &stated {
                    let mut asked = Question {
                        action,
                        purpose: purpose.map(|p| p.parse().unwrap()),
                        basis: basis.clone(),
                        ..question.clone()
                    };
                    asked.role.clone_from(&one.stated.role);
                    asked.clearance = one.stated.clearance;
                    asked.place.clone_from(&one.stated.place);
                    let mut facts = facts.clone();
                    facts.agreement.as_mut().unwrap().purposes = asked.purpose.iter().cloned().collect();
                    let decision = engine.decide(&asked, &facts);
                    assert_eq!(decision.obligations(), Some(&one.obligations), "{one:#?}\n{rows}");
                    said += 1;
                }
            }
        }
    }
    assert!(said > 100, "{said}");
}
