//! The index: which rules could match a question at all.
//!
//! casbin takes about 1 µs per rule, so it is given only the rules whose object column is the dataset, something
//! above it, or `*`, and whose action and subject could fit. A rule left out has a column that cannot match, so its
//! matcher would be false; a rule that does not match never touches the effect; and the order is kept. So the answer
//! is that of the whole rule set, which a property test against stock casbin holds it to.

use std::collections::HashMap;

use crate::limits::CANDIDATES_MAX;
use crate::reason::ReasonCode;
use crate::rule::{Action, Rule};
use crate::standing::Standing;

/// Positions of rules by object column. `*` stands under its own name.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_object: HashMap<String, Vec<usize>>,
}

impl Index {
    /// Indexes rules that are already in order.
    pub fn of(rules: &[Rule]) -> Self {
        let mut by_object: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, rule) in rules.iter().enumerate() {
            by_object.entry(rule.object.written().to_owned()).or_default().push(at);
        }
        Self { by_object }
    }

    /// Rules whose object column fits, in order.
    pub fn about<'r>(&self, rules: &'r [Rule], standing: &Standing) -> Vec<&'r Rule> {
        let keys = standing.objects().chain(std::iter::once("*"));
        let lists = keys.filter_map(|key| self.by_object.get(key));
        let mut places: Vec<usize> = lists.flatten().copied().collect();
        places.sort_unstable();
        places.into_iter().filter_map(|at| rules.get(at)).collect()
    }

    /// Rules that could match this action of this subject, in order.
    ///
    /// # Errors
    /// `LIMIT` when there are more than one question may put before casbin.
    pub fn candidates<'r>(
        &self,
        rules: &'r [Rule],
        standing: &Standing,
        action: Action,
    ) -> Result<Vec<&'r Rule>, ReasonCode> {
        let mut fit = self.about(rules, standing);
        fit.retain(|rule| rule.action.is_none_or(|a| a == action) && standing.subject.fits(&rule.subject));
        if fit.len() > CANDIDATES_MAX { Err(ReasonCode::Limit) } else { Ok(fit) }
    }
}
