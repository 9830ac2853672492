//! Deciding many wishes of one party about one dataset, each kind of them once.

use std::collections::{BTreeMap, BTreeSet};

use super::Stated;
use crate::engine::Engine;
use crate::ids::{BASIS_CONSENT, BASIS_EMERGENCY, BasisId, PurposeId, RuleId};
use crate::minute::Minute;
use crate::obligations::Obligations;
use crate::question::{Facts, Question};
use crate::rule::{Action, Pattern, Rule};

/// A purpose that no rule names; under an agreement some purpose must be stated.
const PROBE_PURPOSE: &str = "pu:any-that-is-stated";

/// One thing that could be asked.
pub(super) struct Wish<'w> {
    pub action: Action,
    pub purpose: &'w Option<PurposeId>,
    pub basis: &'w Option<BasisId>,
    pub stated: &'w Stated,
}

/// Decides wishes; those that the same rules are about, with a basis of the same kind, once.
pub(super) struct Search<'e> {
    engine: &'e Engine,
    question: &'e Question,
    facts: &'e Facts,
    grants: &'e [&'e Rule],
    duties: &'e [&'e Rule],
    decided: BTreeMap<Alike, Option<(Obligations, Option<Minute>)>>,
}

/// What a decision depends on besides subject, dataset and time: action, kind of basis, whether a purpose is stated, and
/// which rules are about the wish.
type Alike = (Action, &'static str, bool, Vec<usize>);

impl<'e> Search<'e> {
    pub fn new(
        engine: &'e Engine,
        question: &'e Question,
        facts: &'e Facts,
        grants: &'e [&'e Rule],
        duties: &'e [&'e Rule],
    ) -> Self {
        Self { engine, question, facts, grants, duties, decided: BTreeMap::new() }
    }

    /// What is permitted, and until when.
    pub fn decide(&mut self, wish: &Wish<'_>) -> Option<(Obligations, Option<Minute>)> {
        let probe = || self.question.agreement.as_ref().and_then(|_| PurposeId::parse(PROBE_PURPOSE).ok());
        let purpose = wish.purpose.clone().or_else(probe);
        let asked = Question {
            action: wish.action,
            purpose: purpose.clone(),
            basis: wish.basis.clone(),
            unit: wish.stated.unit.clone(),
            role: wish.stated.role.clone(),
            clearance: wish.stated.clearance,
            // What is not stated stays as the node knows it.
            place: wish.stated.place.clone().or_else(|| self.question.place.clone()),
            ..self.question.clone()
        };
        let about = self.about(&asked);
        if let Some(known) = self.decided.get(&about) {
            return known.clone();
        }
        let mut facts = self.facts.clone();
        if let Some(agreement) = &mut facts.agreement {
            agreement.purposes = purpose.into_iter().collect();
        }
        let found = self.ask(&asked, &facts);
        self.decided.insert(about, found.clone());
        found
    }

    fn ask(&self, asked: &Question, facts: &Facts) -> Option<(Obligations, Option<Minute>)> {
        let decision = self.engine.decide(asked, facts);
        let obligations = decision.obligations()?.clone();
        let matched: BTreeSet<&RuleId> = decision.matched.iter().collect();
        let ends = self.grants.iter().filter(|rule| matched.contains(&rule.id));
        let end = ends.map(|rule| rule.expires).min().filter(|end| !end.is_open_ended());
        Some((obligations, end))
    }

    fn about(&self, asked: &Question) -> Alike {
        let kind = match asked.basis.as_ref().map(BasisId::as_str) {
            None => "-",
            Some(BASIS_CONSENT) => BASIS_CONSENT,
            Some(BASIS_EMERGENCY) => BASIS_EMERGENCY,
            Some(_) => "+",
        };
        let rules = self.grants.iter().chain(self.duties).enumerate();
        let about = rules.filter(|(_, rule)| self.fits(rule, asked)).map(|(at, _)| at).collect();
        (asked.action, kind, asked.purpose.is_some(), about)
    }

    /// Whether the columns that wishes differ in fit. A test holds what comes of it to the engine's own decisions.
    fn fits(&self, rule: &Rule, asked: &Question) -> bool {
        let closure = &self.engine.rule_set().closure;
        let under = |pattern: &Pattern, name: Option<&str>| match pattern {
            Pattern::Any => true,
            Pattern::Name(broad) => name.is_some_and(|name| closure.is_under(name, broad)),
        };
        let when = &rule.when;
        rule.action.is_none_or(|action| action == asked.action)
            && under(&rule.purpose, asked.purpose.as_ref().map(|p| p.as_str()))
            && rule.basis.fits(asked.basis.as_ref().map(|b| b.as_str()))
            && under(&when.unit, asked.unit.as_ref().map(|u| u.as_str()))
            && under(&when.role, asked.role.as_ref().map(|r| r.as_str()))
            && under(&when.place, asked.place.as_ref().map(|p| p.as_str()))
            && (when.clearance_from..=when.clearance_to).contains(&asked.clearance)
    }
}
