//! The mutation score of a test table: which changes to the rules would no case notice?
//!
//! Each grant is left out, turned round and stripped of its obligations and of each of its conditions, each duty left
//! out and stripped of its conditions, one change at a time; a change that leaves every case with its answer is
//! named. A rule that can be changed without a case noticing is a rule that nobody has tested.
//!
//! Every verdict is really decided: by an engine over the rules that match, one of them changed. A change can only
//! matter to a case that the rule matches before or after it, so only those cases are asked. Some changes can never
//! be noticed (the loss of a redundant rule), so a full score is not always to be had.

use serde::Serialize;

use crate::cases::Case;
use crate::columns::{FIELDS, widened};
use crate::engine::Engine;
use crate::explain::{Condition, Field, conditions};
use crate::ids::RuleId;
use crate::judge::JudgeError;
use crate::limits::{MUTANTS_LISTED_MAX, MUTATION_DECISIONS_MAX, MUTATION_PAIRS_MAX};
use crate::minute::Minute;
use crate::question::Facts;
use crate::reason::ReasonCode;
use crate::rule::{Class, Rule, RuleEffect};
use crate::rule_set::RuleSet;
use crate::standing::Standing;

/// How a test table stands up to changes of the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MutationReport {
    /// Changes that were tried.
    pub mutants: usize,
    /// Those that some case noticed.
    pub noticed: usize,
    /// Noticed changes in a hundred, rounded down; 100 when there was nothing to change.
    pub score: usize,
    /// Changes that no case noticed, at most 1000.
    pub unnoticed: Vec<Mutant>,
    /// How many more there are.
    pub unlisted: usize,
    /// Rules and duties of which no change at all was noticed, at most 1000.
    pub untested: Vec<RuleId>,
    /// Cases that pass as things are, and so can notice something.
    pub cases: usize,
    /// Cases that fail as things are; they show nothing.
    pub failing: usize,
    /// Cases that were left out because there are too many for one run.
    pub cases_left_out: usize,
    /// Changes that were not tried because the run came to its limit of decisions.
    pub not_tried: usize,
}

/// One change of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mutant {
    /// The grant or duty.
    pub rule: RuleId,
    /// What was changed.
    pub change: Change,
}

/// What is changed of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The rule is not there.
    Removed,
    /// It denies instead of allowing, or the other way round.
    TurnedRound,
    /// It obliges to nothing.
    WithoutObligations,
    /// One of its conditions is not there.
    Widened(Field),
}

/// Tries the changes on the rule set's own test table.
///
/// # Errors
/// [`JudgeError`] when casbin does not take the models.
pub fn mutate(rules: &RuleSet) -> Result<MutationReport, JudgeError> {
    mutate_within(rules, MUTATION_PAIRS_MAX, MUTATION_DECISIONS_MAX)
}

fn mutate_within(rules: &RuleSet, pairs: usize, decisions: usize) -> Result<MutationReport, JudgeError> {
    let mut report = MutationReport::default();
    let mut asked = ready(rules, &mut report)?;
    let room = pairs.checked_div(rules.grants().len() + rules.duties().len()).unwrap_or_default();
    report.cases_left_out = asked.len().saturating_sub(room);
    asked.truncate(room);
    let mut bench = Bench { rules, asked, decisions };
    let near = bench.hold_all();
    for (at, rule) in rules.grants().iter().enumerate() {
        bench.try_rule(Place::Grant(at), rule, &near.grants, &mut report)?;
    }
    for (at, rule) in rules.duties().iter().enumerate() {
        bench.try_rule(Place::Duty(at), rule, &near.duties, &mut report)?;
    }
    report.score = (report.noticed * 100).checked_div(report.mutants).unwrap_or(100);
    Ok(report)
}

/// A case with everything that rules are held against.
struct Asked<'r> {
    case: &'r Case,
    facts: Facts,
    standing: Standing,
    class: Class,
    now: Minute,
    /// Positions of the grants and duties that match.
    grants: Vec<usize>,
    duties: Vec<usize>,
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Grant(usize),
    Duty(usize),
}

/// How near a rule is to a case: all its conditions hold, or all but one.
#[derive(Debug, Clone, Copy)]
struct Near {
    case: usize,
    lacking: Option<Field>,
}

/// Cases near to each grant and duty, by position.
#[derive(Default)]
struct NearCases {
    grants: Vec<Vec<Near>>,
    duties: Vec<Vec<Near>>,
}

/// The cases that pass as things are and whose answer depends on rules.
fn ready<'r>(rules: &'r RuleSet, report: &mut MutationReport) -> Result<Vec<Asked<'r>>, JudgeError> {
    let Some(registry) = rules.fixture() else { return Ok(Vec::new()) };
    let engine = Engine::new(rules.clone())?;
    let mut ready = Vec::new();
    for case in rules.cases() {
        let facts = case.facts(registry);
        let decision = engine.decide(&case.question, &facts);
        if !case.differs(&decision).is_empty() {
            report.failing += 1;
            continue;
        }
        report.cases += 1;
        let code = decision.refusal().map(|refusal| refusal.code());
        // What an invariant refused before any rule was heard stays refused whatever the rules say.
        let rules_heard = decision.rule.is_some() || code == Some(ReasonCode::NoRule);
        let standing = Standing::of(rules.invariants(), &rules.closure, &case.question, &facts).ok();
        let class = facts.dataset.as_ref().map(|dataset| dataset.class);
        let now = Minute::from_unix(case.question.now);
        if let (true, Some(standing), Some(class), Some(now)) = (rules_heard, standing, class, now) {
            let (grants, duties) = (Vec::new(), Vec::new());
            ready.push(Asked { case, facts, standing, class, now, grants, duties });
        }
    }
    Ok(ready)
}

impl Asked<'_> {
    /// `None` when the rule is further off than one condition.
    fn near(&self, rule: &Rule) -> Option<Option<Field>> {
        let standing = &self.standing;
        // Most rules fail here already, before each condition is written out.
        let off = [
            rule.action.is_some_and(|action| action != self.case.question.action),
            !standing.dataset.fits(&rule.object),
            !standing.subject.fits(&rule.subject),
            !standing.purpose.fits(&rule.purpose),
        ];
        if off.into_iter().filter(|off| *off).count() > 1 {
            return None;
        }
        let all = conditions(rule, standing, &self.case.question, self.class, self.now);
        let mut lacking =
            all.iter().filter(|condition| !condition.holds).map(|Condition { field, .. }| *field);
        match (lacking.next(), lacking.next()) {
            (lacking, None) => Some(lacking),
            _ => None,
        }
    }
}

struct Bench<'r> {
    rules: &'r RuleSet,
    asked: Vec<Asked<'r>>,
    decisions: usize,
}

impl Bench<'_> {
    /// Holds every rule against every case, and notes in each case what matches.
    fn hold_all(&mut self) -> NearCases {
        let (grants, duties) = (self.hold(self.rules.grants()), self.hold(self.rules.duties()));
        for (at, near) in grants.iter().enumerate() {
            for case in near.iter().filter(|near| near.lacking.is_none()).map(|near| near.case) {
                self.asked.get_mut(case).into_iter().for_each(|asked| asked.grants.push(at));
            }
        }
        for (at, near) in duties.iter().enumerate() {
            for case in near.iter().filter(|near| near.lacking.is_none()).map(|near| near.case) {
                self.asked.get_mut(case).into_iter().for_each(|asked| asked.duties.push(at));
            }
        }
        NearCases { grants, duties }
    }

    fn hold(&self, rules: &[Rule]) -> Vec<Vec<Near>> {
        let near = |rule: &Rule| {
            let cases = self.asked.iter().enumerate();
            cases.filter_map(|(case, asked)| asked.near(rule).map(|lacking| Near { case, lacking })).collect()
        };
        rules.iter().map(near).collect()
    }

    /// Tries every change of one rule.
    fn try_rule(
        &mut self,
        place: Place,
        rule: &Rule,
        near: &[Vec<Near>],
        report: &mut MutationReport,
    ) -> Result<(), JudgeError> {
        let (Place::Grant(at) | Place::Duty(at)) = place;
        let near = near.get(at).map(Vec::as_slice).unwrap_or_default();
        let mut tested = false;
        for (change, mutant) in mutants(place, rule) {
            let concerns = |near: &&Near| match change {
                Change::Widened(field) => near.lacking == Some(field),
                _ => near.lacking.is_none(),
            };
            let cases: Vec<usize> = near.iter().filter(concerns).map(|near| near.case).collect();
            match self.is_noticed(place, mutant.as_ref(), &cases)? {
                None => report.not_tried += 1,
                Some(noticed) => {
                    report.mutants += 1;
                    report.noticed += usize::from(noticed);
                    tested |= noticed;
                    if !noticed && report.unnoticed.len() < MUTANTS_LISTED_MAX {
                        report.unnoticed.push(Mutant { rule: rule.id.clone(), change });
                    } else if !noticed {
                        report.unlisted += 1;
                    }
                }
            }
        }
        if !tested && report.not_tried == 0 && report.untested.len() < MUTANTS_LISTED_MAX {
            report.untested.push(rule.id.clone());
        }
        Ok(())
    }

    /// Whether a case gets another answer than it wants; `None` when the decisions are used up.
    fn is_noticed(
        &mut self,
        place: Place,
        mutant: Option<&Rule>,
        cases: &[usize],
    ) -> Result<Option<bool>, JudgeError> {
        for asked in cases.iter().filter_map(|case| self.asked.get(*case)) {
            if self.decisions == 0 {
                return Ok(None);
            }
            self.decisions -= 1;
            let engine = Engine::new(self.changed(asked, place, mutant))?;
            let decision = engine.decide(&asked.case.question, &asked.facts);
            if !asked.case.differs(&decision).is_empty() {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }

    /// The rules that match a case, one of them changed. What does not match touches no decision.
    fn changed(&self, asked: &Asked<'_>, place: Place, mutant: Option<&Rule>) -> RuleSet {
        let others = |rules: &[Rule], matching: &[usize], changed: Option<usize>| -> Vec<Rule> {
            let stay = matching.iter().filter(|at| Some(**at) != changed);
            stay.filter_map(|at| rules.get(*at)).cloned().collect()
        };
        let (grant, duty) = match place {
            Place::Grant(at) => (Some(at), None),
            Place::Duty(at) => (None, Some(at)),
        };
        let mut grants = others(self.rules.grants(), &asked.grants, grant);
        let mut duties = others(self.rules.duties(), &asked.duties, duty);
        let list = if grant.is_some() { &mut grants } else { &mut duties };
        list.extend(mutant.cloned());
        self.rules.trial(grants, duties)
    }
}

/// Every change of a rule with what is left of it.
fn mutants(place: Place, rule: &Rule) -> Vec<(Change, Option<Rule>)> {
    let mut all = vec![(Change::Removed, None)];
    if let Place::Grant(_) = place {
        let mut turned = rule.clone();
        turned.effect = match rule.effect {
            RuleEffect::Allow => RuleEffect::Deny,
            RuleEffect::Deny => RuleEffect::Allow,
        };
        turned.obligations = None;
        all.push((Change::TurnedRound, Some(turned)));
        if rule.obligations.is_some() {
            all.push((Change::WithoutObligations, Some(Rule { obligations: None, ..rule.clone() })));
        }
    }
    let wider = |field| widened(rule, field).map(|wider| (Change::Widened(field), Some(wider)));
    all.extend(FIELDS.into_iter().filter_map(wider));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_tried_for_want_of_decisions_is_counted_and_not_called_unnoticed() {
        let rules = RuleSet::builtin(1).unwrap();
        let (all, some) = (mutate(&rules).unwrap(), mutate_within(&rules, MUTATION_PAIRS_MAX, 5).unwrap());
        assert_eq!(all.not_tried, 0);
        assert!(some.not_tried > 0 && some.noticed <= 5);
        assert_eq!(some.mutants + some.not_tried, all.mutants);
    }

    #[test]
    fn cases_past_the_limit_of_pairs_are_counted_as_left_out() {
        let rules = RuleSet::builtin(1).unwrap();
        let one_each = rules.grants().len() + rules.duties().len();
        let report = mutate_within(&rules, one_each, 1_000).unwrap();
        assert!(report.cases_left_out > 0 && report.noticed < mutate(&rules).unwrap().noticed);
        assert_eq!(mutate(&rules).unwrap().cases_left_out, 0);
    }
}
