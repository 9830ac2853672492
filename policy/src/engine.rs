//! The engine: one question in, one decision out. Pure, deterministic, and doubt means no.
//!
//! Order: time, where the names stand, legal invariants, grants through casbin, duties through casbin, join of the
//! obligations. Every step that cannot be taken ends in a refusal; there is no path from an error to a permit.

use std::sync::Arc;

use crate::cache::Cache;
use crate::decision::{Decision, Effect, Permitted};
use crate::ids::RuleId;
use crate::index::{Asked, Index};
use crate::invariants::{self, Cleared};
use crate::judge::{JudgeError, Kind, Pool, Request, Verdict};
use crate::minute::Minute;
use crate::obligations::Obligations;
use crate::question::{Facts, Question};
use crate::reason::ReasonCode;
use crate::rule::{Rule, RuleEffect};
use crate::rule_set::RuleSet;
use crate::standing::Standing;
use crate::window::Window;

/// Decides by one rule set. `Send + Sync`: share it behind an `Arc`, and swap in a new one to change the rules.
pub struct Engine {
    rules: RuleSet,
    grants: Index,
    duties: Index,
    pool: Pool,
    cache: Cache,
    /// [`Rule::grant_row`]; a test puts in one that writes a row which casbin cannot judge.
    write_grant: fn(&Rule) -> Vec<String>,
}

/// What a decision found until it ended, and for how long it holds.
#[derive(Debug)]
struct Trail {
    rule: Option<RuleId>,
    matched: Vec<RuleId>,
    overridden: Vec<RuleId>,
    duties: Vec<RuleId>,
    window: Window,
}

impl Engine {
    /// Indexes a rule set and proves that casbin takes the models.
    ///
    /// # Errors
    /// [`JudgeError`] when casbin does not; the node must then not start.
    pub fn new(rules: RuleSet) -> Result<Self, JudgeError> {
        let (grants, duties) = (Index::of(&rules.grants), Index::of(&rules.duties));
        let (pool, cache) = (Pool::new()?, Cache::default());
        Ok(Self { rules, grants, duties, pool, cache, write_grant: Rule::grant_row })
    }

    /// The rule set it decides by.
    #[must_use]
    pub fn rule_set(&self) -> &RuleSet {
        &self.rules
    }

    /// Decides. The same question and facts always give the same decision; nothing is remembered, nothing waits.
    #[must_use]
    pub fn decide(&self, question: &Question, facts: &Facts) -> Decision {
        self.decide_for(question, facts).0
    }

    /// Decides as [`Engine::decide`] does, or gives the very decision again that it took on the same question and facts,
    /// as long as time has crossed no edge of a rule or agreement that could bear on it. A question whose facts count
    /// what was used is always decided anew.
    #[must_use]
    pub fn decide_cached(&self, question: &Question, facts: &Facts) -> Arc<Decision> {
        let Some(place) = self.cache.place(question, facts) else {
            return Arc::new(self.decide(question, facts));
        };
        if let Some(kept) = self.cache.find(place, question, facts) {
            return kept;
        }
        let (decision, window) = self.decide_for(question, facts);
        let decision = Arc::new(decision);
        if window.holds(question.now) {
            self.cache.keep(place, question, facts, window, &decision);
        }
        decision
    }

    /// A decision, and the time in which it stays the same.
    fn decide_for(&self, question: &Question, facts: &Facts) -> (Decision, Window) {
        let window = Window::around(question.now);
        let mut trail =
            Trail { rule: None, matched: Vec::new(), overridden: Vec::new(), duties: Vec::new(), window };
        let effect = match self.judge(question, facts, &mut trail) {
            Ok(obligations) => Effect::Permit(Permitted { obligations }),
            Err(code) => Effect::Refuse(self.rules.refusal(code, trail.rule.as_ref())),
        };
        let decision = Decision {
            effect,
            rule: trail.rule,
            matched: trail.matched,
            overridden: trail.overridden,
            duties: trail.duties,
            rule_set_digest: self.rules.digest(),
            rule_set_version: self.rules.version(),
            invariants: self.rules.invariants().version(),
        };
        (decision, trail.window)
    }

    fn judge(
        &self,
        question: &Question,
        facts: &Facts,
        trail: &mut Trail,
    ) -> Result<Obligations, ReasonCode> {
        let Some(now) = Minute::from_unix(question.now) else {
            trail.window.close();
            return Err(ReasonCode::Clock);
        };
        trail.window.edge(Minute::FIRST.unix());
        trail.window.edge(Minute::LAST.unix() + 60);
        if let Some(agreement) = &facts.agreement {
            trail.window.edge(agreement.not_before);
            trail.window.edge(agreement.expires);
        }
        let cleared = invariants::check(self.rules.invariants(), question, facts, &self.rules.closure)?;
        let standing = Arc::new(Standing::of(self.rules.invariants(), &self.rules.closure, question, facts)?);
        let asked = Asked { question, standing: &standing, class: cleared.dataset.class, now };
        let candidates = self.grants.candidates(&self.rules.grants, &asked, &mut trail.window)?;
        // With no rule that could match, casbin is not asked: over no rules it would judge empty texts.
        if candidates.is_empty() {
            return Err(ReasonCode::NoRule);
        }
        let request = Request::of(&asked);
        let grants = self.hear(Kind::Grants, &candidates, &standing, &request, trail)?;
        let deciding = self.weigh(&grants, trail)?;
        if let Some(code) = cleared.emergency
            && !invariants::bears_out_emergency(deciding)
        {
            return Err(code);
        }
        let candidates = self.duties.candidates(&self.rules.duties, &asked, &mut trail.window)?;
        let duties = self.hear(Kind::Duties, &candidates, &standing, &request, trail)?;
        trail.duties = duties.iter().map(|duty| duty.id.clone()).collect();
        let tier = grants.iter().filter(|grant| grant.tier == deciding.tier);
        let obligations = self.join(tier.chain(&duties), question, &cleared)?;
        if !obligations.deliverable() {
            return Err(ReasonCode::ObligationConflict);
        }
        if question.action.moves_content() && obligations.quota.is_used_up(&facts.usage) {
            return Err(ReasonCode::Quota);
        }
        Ok(obligations)
    }

    /// Puts candidates before casbin and gives those that matched. When casbin cannot judge them, the rule that it cannot
    /// judge is put on the trail: it is the rule that refuses.
    fn hear<'r>(
        &self,
        kind: Kind,
        candidates: &[&'r Rule],
        standing: &Arc<Standing>,
        request: &Request,
        trail: &mut Trail,
    ) -> Result<Vec<&'r Rule>, ReasonCode> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let write = if kind == Kind::Grants { self.write_grant } else { Rule::duty_row };
        let heard = self.pool.with(|bench| {
            let rows = candidates.iter().map(|rule| write(rule)).collect();
            let heard =
                bench.ask(kind, rows, standing, request).and_then(|verdict| agreed(&verdict, candidates));
            heard.map_err(|_| {
                let alone = |rule: &&&Rule| bench.ask(kind, vec![write(rule)], standing, request).is_err();
                Failure { rule: candidates.iter().find(alone).map(|rule| rule.id.clone()) }
            })
        });
        heard.map_err(|failure: Failure| {
            trail.rule = failure.rule;
            // Whatever it was, it is not to be remembered.
            trail.window.close();
            ReasonCode::Engine
        })
    }

    /// Sorts out which grants are heard and whether they permit.
    fn weigh<'r>(&self, grants: &[&'r Rule], trail: &mut Trail) -> Result<&'r Rule, ReasonCode> {
        let deciding = *grants.first().ok_or(ReasonCode::NoRule)?;
        trail.rule = Some(deciding.id.clone());
        for grant in grants {
            let list = if grant.tier == deciding.tier { &mut trail.matched } else { &mut trail.overridden };
            list.push(grant.id.clone());
        }
        match deciding.effect {
            RuleEffect::Allow => Ok(deciding),
            RuleEffect::Deny => Err(ReasonCode::RuleDenies),
        }
    }

    fn join<'r>(
        &self,
        rules: impl Iterator<Item = &'r &'r Rule>,
        question: &Question,
        cleared: &Cleared<'_>,
    ) -> Result<Obligations, ReasonCode> {
        let mut all = Obligations::default();
        for id in rules.filter_map(|rule| rule.obligations.as_ref()) {
            // The loader checked that the set is there; were it not, permitting without it would be wrong.
            all = all.join(self.rules.obligations.get(id).ok_or(ReasonCode::Engine)?);
        }
        all.row_filter.extend(invariants::consent_filter(question, cleared.dataset).cloned());
        Ok(all)
    }

    /// The grants that the index leaves for a question, in order: what is put before casbin.
    ///
    /// # Errors
    /// The code of the refusal when the names of the question cannot be placed, or when too many rules are left.
    pub fn candidates(&self, question: &Question, facts: &Facts) -> Result<Vec<&Rule>, ReasonCode> {
        let now = Minute::from_unix(question.now).ok_or(ReasonCode::Clock)?;
        let class = facts.dataset.as_ref().ok_or(ReasonCode::Dataset)?.class;
        let standing = Standing::of(self.rules.invariants(), &self.rules.closure, question, facts)?;
        let asked = Asked { question, standing: &standing, class, now };
        self.grants.candidates(&self.rules.grants, &asked, &mut Window::around(question.now))
    }

    /// Grants and duties whose object column fits the question, for announcements.
    pub(crate) fn about(
        &self,
        question: &Question,
        facts: &Facts,
    ) -> Result<(Standing, Vec<&Rule>, Vec<&Rule>), ReasonCode> {
        let standing = Standing::of(self.rules.invariants(), &self.rules.closure, question, facts)?;
        let grants = self.grants.about(&self.rules.grants, &standing);
        let duties = self.duties.about(&self.rules.duties, &standing);
        Ok((standing, grants, duties))
    }

    /// Rules whose object column fits the question, for explanations.
    pub(crate) fn near(
        &self,
        question: &Question,
        facts: &Facts,
    ) -> Result<(Standing, Vec<&Rule>), ReasonCode> {
        let standing = Standing::of(self.rules.invariants(), &self.rules.closure, question, facts)?;
        let rules = self.grants.about(&self.rules.grants, &standing);
        Ok((standing, rules))
    }
}

/// Why rules could not be heard.
struct Failure {
    rule: Option<RuleId>,
}

impl From<JudgeError> for Failure {
    fn from(_: JudgeError) -> Self {
        Self { rule: None }
    }
}

/// The rules that matched, when casbin's yes or no is that of the first of them.
fn agreed<'r>(verdict: &Verdict, candidates: &[&'r Rule]) -> Result<Vec<&'r Rule>, JudgeError> {
    let matched: Vec<&Rule> = verdict.hits.iter().filter_map(|at| candidates.get(*at).copied()).collect();
    let first_allows = matched.first().is_some_and(|rule| rule.effect == RuleEffect::Allow);
    if matched.len() != verdict.hits.len() || first_allows != verdict.allowed {
        return Err(JudgeError::Disagrees);
    }
    Ok(matched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Files;

    fn engine(rows: &[(&str, &str)]) -> Engine {
        let policy: String = rows
            .iter()
            .map(|(id, object)| {
                format!("p, {id}, 30, *, {object}, *, *, *, *, *, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, -, allow\n")
            })
            .collect();
        let files =
            Files::new().with("policy.csv", policy).with("duties.csv", "").with("obligations.json", "{}");
        Engine::new(RuleSet::from_files(&files, 1).unwrap()).unwrap()
    }

    fn asked(dataset: &str) -> (Question, Facts) {
        let question = serde_json::json!({
            "subject": "ag:a", "action": "query", "dataset": dataset, "purpose": null, "agreement": null, "basis": null,
            "network": "net:gov", "now": 1_795_161_600,
        });
        let facts = serde_json::json!({
            "party": {"country": "VN", "active": true},
            "dataset": {"owner": "ag:o", "class": 0, "personal": "none", "kind": "open"}, "agreement": null,
        });
        (serde_json::from_value(question).unwrap(), serde_json::from_value(facts).unwrap())
    }

    /// Writes the rule `BROKEN` with a column too few, which casbin cannot judge.
    fn broken(rule: &Rule) -> Vec<String> {
        let mut row = rule.grant_row();
        if rule.id.as_str() == "BROKEN" {
            row.truncate(4);
        }
        row
    }

    #[test]
    fn a_rule_that_casbin_cannot_judge_refuses_and_is_named() {
        let mut engine = engine(&[("A", "*"), ("BROKEN", "ds:x"), ("C", "*")]);
        let (question, facts) = asked("ds:x");
        assert!(engine.decide(&question, &facts).is_permit());
        engine.write_grant = broken;
        for decision in [engine.decide(&question, &facts), (*engine.decide_cached(&question, &facts)).clone()]
        {
            assert_eq!(decision.refusal().map(crate::Refusal::code), Some(ReasonCode::Engine));
            assert_eq!(decision.rule.map(|rule| rule.to_string()).as_deref(), Some("BROKEN"));
            assert!(decision.matched.is_empty());
        }
        let (elsewhere, facts) = asked("ds:y");
        assert!(engine.decide(&elsewhere, &facts).is_permit(), "it is about another dataset");
        engine.write_grant = Rule::grant_row;
        assert!(engine.decide_cached(&question, &facts).is_permit(), "a failure is not remembered");
    }
}
