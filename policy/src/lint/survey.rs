//! What all checks look at: the rules as boxes, the names, the context, and the findings so far.

use std::cell::Cell;

use super::context::{KnownDataset, LintContext};
use super::finding::Findings;
use super::names::{Boxed, Names};
use crate::explain::Field;
use crate::ids::DatasetId;
use crate::obligations::Obligations;
use crate::rule::Rule;
use crate::rule_set::RuleSet;

/// A rule with its box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub rule: &'a Rule,
    /// As it stands: what it covers.
    pub whole: Boxed,
    /// What of it can still match: from now on, and the class that its dataset has. `None` when nothing can.
    pub live: Option<Boxed>,
}

/// One run over a rule set.
pub(super) struct Survey<'a> {
    pub rules: &'a RuleSet,
    pub context: &'a LintContext,
    pub names: Names,
    pub grants: Vec<Seen<'a>>,
    pub duties: Vec<Seen<'a>>,
    pub findings: Findings,
    nothing: Obligations,
    /// Comparisons that are left; `None` once more were wanted than there were.
    budget: Cell<Option<u64>>,
}

impl<'a> Survey<'a> {
    pub fn of(rules: &'a RuleSet, context: &'a LintContext, budget: u64) -> Self {
        let names = Names::of(rules, context);
        let seen = |rule| see(rule, &names, context);
        let grants = rules.grants().iter().map(seen).collect();
        let duties = rules.duties().iter().map(seen).collect();
        let (findings, nothing) = (Findings::default(), Obligations::default());
        Self { rules, context, names, grants, duties, findings, nothing, budget: Cell::new(Some(budget)) }
    }

    /// The record of a dataset that a rule names.
    pub fn dataset(&self, rule: &Rule) -> Option<&'a KnownDataset> {
        known_dataset(rule, self.context)
    }

    /// What a rule obliges to.
    pub fn obligations(&self, rule: &Rule) -> &Obligations {
        let set = rule.obligations.as_ref().and_then(|id| self.rules.obligations().get(id));
        set.unwrap_or(&self.nothing)
    }

    /// Takes from the budget; false when it is spent.
    pub fn may_compare(&self, pairs: usize) -> bool {
        self.budget.set(self.budget.get().and_then(|left| left.checked_sub(pairs as u64)));
        self.is_complete()
    }

    /// False when more comparisons were wanted than one run makes.
    pub fn is_complete(&self) -> bool {
        self.budget.get().is_some()
    }
}

fn see<'a>(rule: &'a Rule, names: &Names, context: &LintContext) -> Seen<'a> {
    let whole = names.boxed(rule);
    let now = context.now.map_or(i64::MIN, |now| now.unix());
    let live = whole.clipped(Field::Time, now, i64::MAX);
    let live = match known_dataset(rule, context) {
        Some(dataset) => {
            let class = i64::from(dataset.facts.class.get());
            live.and_then(|live| live.clipped(Field::Class, class, class + 1))
        }
        None => live,
    };
    Seen { rule, whole, live }
}

fn known_dataset<'a>(rule: &Rule, context: &'a LintContext) -> Option<&'a KnownDataset> {
    let id = DatasetId::parse(rule.object.written()).ok()?;
    context.datasets.as_ref()?.get(&id)
}
