//! How the rules in force hold to a pack: which of its rules are there, unchanged, and whether its cases still get
//! their answer.
//!
//! A rule with another id that does the same is not found as a rule, but its cases still pass; a rule of the same id
//! that was opened is found, but a case fails. Both are told; a person judges.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Pack;
use super::matrix::Clause;
use crate::cases::{Case, Want};
use crate::engine::Engine;
use crate::ids::RuleId;
use crate::rule::Rule;
use crate::rule_set::RuleSet;

/// How a clause stands under the rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The clause.
    pub clause: RuleId,
    /// The verdict over what follows.
    pub standing: Standing,
    /// Rules of the pack that are not in force.
    pub lost: Vec<RuleId>,
    /// Rules of the same id that say something else than in the pack.
    pub changed: Vec<RuleId>,
    /// Cases that get another effect than in the pack.
    pub broken: Vec<String>,
    /// How many cases were asked.
    pub cases: usize,
}

/// Verdict over one clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As in the pack, or left to people.
    Held,
    /// Rules differ from the pack's, all cases get their answer.
    Changed,
    /// A rule is not in force, a case gets another answer, or the rules in force are of another legal order.
    Lost,
}

impl Pack {
    /// Holds the rules in force against every clause. Features cannot be lost, they are code; invariants only by rules
    /// of another legal order.
    #[must_use]
    pub fn hold(&self, in_force: &Engine) -> Vec<Held> {
        let broken = self.broken(in_force);
        let theirs = by_id(in_force.rule_set());
        let ours = by_id(self.rules());
        let same_law = in_force.rule_set().invariants() == self.about().invariants;
        let hold = |clause: &Clause| {
            let lawless = !same_law && !clause.invariants.is_empty();
            let lost: Vec<RuleId> =
                clause.rules.iter().filter(|id| !theirs.contains_key(*id)).cloned().collect();
            let differs = |id: &&RuleId| {
                theirs.get(id).is_some_and(|there| {
                    ours.get(id).is_none_or(|here| !same(here, self.rules(), there, in_force.rule_set()))
                })
            };
            let changed: Vec<RuleId> = clause.rules.iter().filter(differs).cloned().collect();
            let broken: Vec<String> =
                clause.cases.iter().filter(|name| broken.contains(&name.as_str())).cloned().collect();
            let standing = match (!lawless && lost.is_empty() && broken.is_empty(), changed.is_empty()) {
                (false, _) => Standing::Lost,
                (true, false) => Standing::Changed,
                (true, true) => Standing::Held,
            };
            Held { clause: clause.id.clone(), standing, lost, changed, broken, cases: clause.cases.len() }
        };
        self.clauses().iter().map(hold).collect()
    }

    /// Names of the pack's cases that the rules in force answer with another effect.
    fn broken(&self, in_force: &Engine) -> Vec<&str> {
        let Some(registry) = self.rules().fixture() else { return Vec::new() };
        let differs = |case: &&Case| {
            let decision = in_force.decide(&case.question, &case.facts(registry));
            decision.is_permit() != (case.want == Want::Allow)
        };
        self.rules().cases().iter().filter(differs).map(|case| case.name.as_str()).collect()
    }
}

fn by_id(rules: &RuleSet) -> BTreeMap<&RuleId, &Rule> {
    rules.grants().iter().chain(rules.duties()).map(|rule| (&rule.id, rule)).collect()
}

/// The same columns and the same obligations behind the name.
fn same(here: &Rule, ours: &RuleSet, there: &Rule, theirs: &RuleSet) -> bool {
    let behind = |rule: &Rule, rules: &RuleSet| {
        rule.obligations.as_ref().and_then(|set| rules.obligations().get(set)).cloned()
    };
    here == there && behind(here, ours) == behind(there, theirs)
}
