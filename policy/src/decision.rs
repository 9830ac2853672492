//! The answer: permit with obligations, or refusal with reason and legal basis.

use serde::Serialize;

use crate::digest::Digest;
use crate::ids::RuleId;
use crate::invariants::Invariants;
use crate::obligations::Obligations;
use crate::reason::{ReasonCode, Refusal};

/// What was decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Yes, under these obligations.
    Permit(Permitted),
    /// No, for this reason.
    Refuse(Refusal),
}

/// A permit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permitted {
    /// What the node must do. While `approval` is not empty and not all given, nothing may leave.
    pub obligations: Obligations,
}

/// A decision with everything needed to show, store and replay it. Its JSON is stable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// Permit or refusal.
    #[serde(flatten)]
    pub effect: Effect,
    /// The rule that decided, if one did.
    pub rule: Option<RuleId>,
    /// All rules of the deciding tier that matched, in order.
    pub matched: Vec<RuleId>,
    /// Rules of lesser tiers that matched too and were not heard.
    pub overridden: Vec<RuleId>,
    /// Duties that apply.
    pub duties: Vec<RuleId>,
    /// SHA-256 of the rule set.
    pub rule_set_digest: Digest,
    /// Version of the rule set, given at activation.
    pub rule_set_version: u64,
    /// Version of the legal invariants that stand before the rules.
    pub invariants: &'static str,
}

impl Decision {
    /// True for a permit.
    #[must_use]
    pub fn is_permit(&self) -> bool {
        matches!(self.effect, Effect::Permit(_))
    }

    /// The obligations of a permit.
    #[must_use]
    pub fn obligations(&self) -> Option<&Obligations> {
        match &self.effect {
            Effect::Permit(permitted) => Some(&permitted.obligations),
            Effect::Refuse(_) => None,
        }
    }

    /// The refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.effect {
            Effect::Permit(_) => None,
            Effect::Refuse(refusal) => Some(refusal),
        }
    }

    /// SHA-256 of the decision's RFC 8785 form, for receipts and the ledger.
    ///
    /// # Errors
    /// [`crate::CanonError`] when the value has no canonical form; a decision of this crate always has one.
    pub fn digest(&self) -> Result<Digest, crate::CanonError> {
        Digest::of_canonical(self)
    }

    /// What the consumer may see of this decision: no rule ids, and when it may not even discover the dataset, the
    /// same answer as for a dataset that does not exist.
    #[must_use]
    pub fn for_consumer(&self, may_discover: bool) -> ConsumerView {
        let effect = match (&self.effect, may_discover) {
            (Effect::Refuse(refusal), false) if !refusal.code().is_about_the_party() => {
                let law = Invariants::of_version(self.invariants).unwrap_or_default();
                Effect::Refuse(ReasonCode::Dataset.refusal_under(law))
            }
            (effect, _) => effect.clone(),
        };
        ConsumerView { effect, rule_set_version: self.rule_set_version }
    }
}

/// A decision as the other side may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConsumerView {
    /// Permit with obligations, or refusal with reason and legal basis.
    #[serde(flatten)]
    pub effect: Effect,
    /// Version of the provider's rule set.
    pub rule_set_version: u64,
}
