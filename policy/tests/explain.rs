//! Explanations: what they show to whom, and that what they promise is true.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use std::collections::BTreeSet;

use common::{Dice, NOW, dataset, engine, facts, files, grant, party, question, shared};
use policy::{Action, Engine, Field, MissingDocument, Question, ReasonCode, RuleSet, SharingKind};

fn example() -> Option<(Engine, policy::Registry)> {
    let rules = RuleSet::from_folder(&shared("design/policy-example")?, 1).unwrap();
    let register = rules.fixture().cloned().unwrap();
    Some((Engine::new(rules).unwrap(), register))
}

fn asked(subject: &str, dataset: &str, purpose: &str, basis: Option<&str>) -> Question {
    let mut question = question(subject, Action::Query, dataset);
    question.purpose = Some(purpose.parse().unwrap());
    question.basis = basis.map(|b| b.parse().unwrap());
    question
}

#[test]
fn staff_see_what_would_help() {
    let Some((engine, register)) = example() else { return };
    let question = asked("ag:hanoi", "ds:bizreg", "pu:admin-procedure", None);
    let explanation = engine.explain(&question, &register.facts(&question), &register.agreements());
    assert!(!explanation.decision.is_permit());
    let help = &explanation.helps[0];
    assert_eq!(help.rule.as_str(), "NAT-03");
    assert_eq!(help.changes.len(), 1);
    assert_eq!((help.changes[0].field, help.changes[0].from.as_str()), (Field::LegalBasis, "-"));
    let near = explanation.near.iter().find(|near| near.rule.as_str() == "NAT-03").unwrap();
    let failing: Vec<Field> = near.conditions.iter().filter(|c| !c.holds).map(|c| c.field).collect();
    assert_eq!(failing, [Field::LegalBasis]);
}

#[test]
fn a_consumer_is_told_of_documents_and_of_nothing_else() {
    let Some((engine, register)) = example() else { return };
    let tell = |question: &Question| {
        engine.explain_to_consumer(question, &register.facts(question), &register.agreements())
    };
    let basis = tell(&asked("ag:hanoi", "ds:bizreg", "pu:admin-procedure", None));
    assert_eq!(basis.missing, BTreeSet::from([MissingDocument::LegalBasis]));
    let agreement = tell(&asked("ag:tax", "ds:popreg", "pu:tax-collection", Some("bas:law")));
    assert_eq!(agreement.missing, BTreeSet::from([MissingDocument::Agreement]));
    // Only the purpose is in the way; that another purpose would pass is not for the asker to hear.
    let purpose = tell(&asked("ag:hanoi", "ds:bizreg", "pu:research", Some("bas:law")));
    assert_eq!(purpose.missing, BTreeSet::new());
    // Only an emergency would open this; that is not offered.
    let emergency = tell(&asked("ag:hanoi", "ds:popreg", "pu:flood-rescue", None));
    assert_eq!(emergency.missing, BTreeSet::new());
    let json = serde_json::to_string(&agreement).unwrap();
    for hidden in ["OWN-", "NAT-", "LAW-", "rule\"", "matched", "2026-017"] {
        assert!(!json.contains(hidden), "{hidden}: {json}");
    }
}

#[test]
fn a_hidden_dataset_answers_as_one_that_does_not_exist() {
    let Some((engine, register)) = example() else { return };
    for hidden in ["ds:grid", "ds:secret"] {
        let there = asked("ag:tax", hidden, "pu:administration", Some("bas:law"));
        let nowhere = asked("ag:tax", "ds:nowhere", "pu:administration", Some("bas:law"));
        let tell = |question: &Question| {
            engine.explain_to_consumer(question, &register.facts(question), &register.agreements())
        };
        assert_eq!(
            serde_json::to_string(&tell(&there)).unwrap(),
            serde_json::to_string(&tell(&nowhere)).unwrap()
        );
    }
    let stranger = asked("ag:nobody", "ds:grid", "pu:administration", None);
    let view = engine.decide(&stranger, &register.facts(&stranger)).for_consumer(false);
    assert!(serde_json::to_string(&view).unwrap().contains("INV-PARTY"));
}

#[test]
fn a_missing_assessment_is_named() {
    let Some((engine, register)) = example() else { return };
    let mut question = asked("ag:stats", "ds:discharge", "pu:official-statistics", Some("bas:law"));
    question.agreement = Some("agr:2026-040".parse().unwrap());
    let told = engine.explain_to_consumer(&question, &register.facts(&question), &register.agreements());
    assert_eq!(told.missing, BTreeSet::from([MissingDocument::ImpactAssessment]));
}

#[test]
fn every_promised_change_of_the_question_is_true() {
    let Some((engine, register)) = example() else { return };
    let (mut dice, mut promised) = (Dice(0xabcd_ef01_2345), 0);
    let cases = engine.rule_set().cases().to_vec();
    for _ in 0..150 {
        let mut question = dice.pick(&cases).question.clone();
        question.purpose = dice.pick(&cases).question.purpose.clone();
        question.basis = dice.pick(&cases).question.basis.clone();
        let known = register.facts(&question);
        for help in engine.explain(&question, &known, &register.agreements()).helps {
            // Changes of documents that do not exist yet cannot be asked of the register; the others can.
            let only_question = |field: Field| {
                matches!(
                    field,
                    Field::Purpose | Field::LegalBasis | Field::Network | Field::Time | Field::Agreement
                )
            };
            if !help.changes.iter().all(|c| only_question(c.field) && c.to != "agr:to-be-made") {
                continue;
            }
            let mut changed = question.clone();
            for change in &help.changes {
                match change.field {
                    Field::Purpose => changed.purpose = change.to.parse().ok(),
                    Field::LegalBasis => changed.basis = change.to.parse().ok(),
                    Field::Network => changed.network = change.to.parse().unwrap(),
                    Field::Agreement => changed.agreement = change.to.parse().ok(),
                    _ => changed.now = policy::Minute::parse(&change.to).unwrap().unix(),
                }
            }
            let decision = engine.decide(&changed, &register.facts(&changed));
            assert!(decision.is_permit(), "{question:?}\n{help:?}\n{decision:?}");
            assert_eq!(decision.rule.unwrap(), help.rule);
            promised += 1;
        }
    }
    assert!(promised > 50, "{promised}");
}

#[test]
fn a_permit_needs_no_help_and_an_unknown_dataset_gets_none() {
    let engine = engine(&files(&grant("R", "30", "*", "*", "query", "allow")));
    let question = question("ag:a", Action::Query, "ds:x");
    let known = facts(party(&[]), dataset(1, SharingKind::Default));
    let permit = engine.explain(&question, &known, &[]);
    assert!(permit.decision.is_permit() && permit.helps.is_empty() && permit.near[0].matches());
    let mut nowhere = known;
    nowhere.dataset = None;
    let refusal = engine.explain(&question, &nowhere, &[]);
    assert_eq!(refusal.decision.refusal().unwrap().code(), ReasonCode::Dataset);
    assert!(refusal.near.is_empty() && refusal.helps.is_empty());
    assert_eq!(question.now, NOW);
}
