//! The engine: one question in, one decision out. Pure, deterministic, and doubt means no.
//!
//! Order: time, where the names stand, legal invariants, grants through casbin, duties through casbin, join of the
//! obligations. Every step that cannot be taken ends in a refusal; there is no path from an error to a permit.

use std::sync::Arc;

use crate::decision::{Decision, Effect, Permitted};
use crate::ids::RuleId;
use crate::index::Index;
use crate::invariants::{self, Cleared};
use crate::judge::{Columns, Judge, JudgeError, Pool};
use crate::minute::Minute;
use crate::obligations::Obligations;
use crate::question::{Facts, Question};
use crate::reason::ReasonCode;
use crate::rule::{Rule, RuleEffect};
use crate::rule_set::RuleSet;
use crate::standing::Standing;

/// Decides by one rule set. `Send + Sync`: share it behind an `Arc`, and swap in a new one to change the rules.
pub struct Engine {
    rules: RuleSet,
    grants: Index,
    duties: Index,
    pool: Pool,
}

/// A refusal on its way out: its code and what matched until then.
#[derive(Debug, Default)]
struct Trail {
    rule: Option<RuleId>,
    matched: Vec<RuleId>,
    overridden: Vec<RuleId>,
    duties: Vec<RuleId>,
}

/// A question with everything worked out that casbin needs.
struct Prepared<'r> {
    standing: Arc<Standing>,
    columns: Columns,
    grants: Vec<&'r Rule>,
    duties: Vec<&'r Rule>,
}

impl Engine {
    /// Indexes a rule set and proves that casbin takes the models.
    ///
    /// # Errors
    /// [`JudgeError`] when casbin does not; the node must then not start.
    pub fn new(rules: RuleSet) -> Result<Self, JudgeError> {
        let (grants, duties) = (Index::of(&rules.grants), Index::of(&rules.duties));
        Ok(Self { rules, grants, duties, pool: Pool::new()? })
    }

    /// The rule set it decides by.
    #[must_use]
    pub fn rule_set(&self) -> &RuleSet {
        &self.rules
    }

    /// Decides. The same question and facts always give the same decision; nothing is remembered, nothing waits.
    #[must_use]
    pub fn decide(&self, question: &Question, facts: &Facts) -> Decision {
        let mut trail = Trail::default();
        let effect = match self.judge(question, facts, &mut trail) {
            Ok(obligations) => Effect::Permit(Permitted { obligations }),
            Err(code) => Effect::Refuse(self.rules.refusal(code, trail.rule.as_ref())),
        };
        Decision {
            effect,
            rule: trail.rule,
            matched: trail.matched,
            overridden: trail.overridden,
            duties: trail.duties,
            rule_set_digest: self.rules.digest(),
            rule_set_version: self.rules.version(),
            invariants: self.rules.invariants().version(),
        }
    }

    fn judge(
        &self,
        question: &Question,
        facts: &Facts,
        trail: &mut Trail,
    ) -> Result<Obligations, ReasonCode> {
        let now = Minute::from_unix(question.now).ok_or(ReasonCode::Clock)?;
        let cleared = invariants::check(self.rules.invariants(), question, facts, &self.rules.closure)?;
        let prepared = self.prepare(question, facts, &cleared, now)?;
        // With no rule that could match, casbin is not asked: over no rules it would judge empty texts.
        if prepared.grants.is_empty() {
            return Err(ReasonCode::NoRule);
        }
        let matched = self.pool.with(|bench| {
            let grants = hear(&mut bench.grants, &prepared.grants, Rule::grant_row, &prepared)?;
            let duties = hear(&mut bench.duties, &prepared.duties, Rule::duty_row, &prepared)?;
            Ok((grants, duties))
        });
        let (grants, duties) = matched.map_err(|_| ReasonCode::Engine)?;
        let deciding = self.weigh(&grants, trail)?;
        if let Some(code) = cleared.emergency
            && !invariants::bears_out_emergency(deciding)
        {
            return Err(code);
        }
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

    fn prepare(
        &self,
        question: &Question,
        facts: &Facts,
        cleared: &Cleared<'_>,
        now: Minute,
    ) -> Result<Prepared<'_>, ReasonCode> {
        let standing = Standing::of(self.rules.invariants(), &self.rules.closure, question, facts)?;
        let or_none = |value: Option<&str>| value.unwrap_or("-").to_owned();
        let columns = Columns {
            action: question.action.written(),
            agreement: or_none(question.agreement.as_ref().map(|a| a.as_str())),
            basis: or_none(question.basis.as_ref().map(|b| b.as_str())),
            network: question.network.as_str().to_owned(),
            class: cleared.dataset.class.to_string(),
            now: now.to_string(),
            clearance: question.clearance.to_string(),
            route: question.route.as_str().to_owned(),
        };
        Ok(Prepared {
            grants: self.grants.candidates(&self.rules.grants, &standing, question.action)?,
            duties: self.duties.candidates(&self.rules.duties, &standing, question.action)?,
            standing: Arc::new(standing),
            columns,
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

/// Puts candidates before a judge and gives those that matched.
fn hear<'r>(
    judge: &mut Judge,
    candidates: &[&'r Rule],
    row: fn(&Rule) -> Vec<String>,
    prepared: &Prepared<'_>,
) -> Result<Vec<&'r Rule>, JudgeError> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let verdict =
        judge.ask(candidates.iter().map(|rule| row(rule)), &prepared.standing, &prepared.columns)?;
    let matched: Vec<&Rule> = verdict.hits.iter().filter_map(|at| candidates.get(*at).copied()).collect();
    let first_allows = matched.first().is_some_and(|rule| rule.effect == RuleEffect::Allow);
    if matched.len() != verdict.hits.len() || first_allows != verdict.allowed {
        return Err(JudgeError::Disagrees);
    }
    Ok(matched)
}
