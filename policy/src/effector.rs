//! The collecting effector: decides as casbin's own would, and notes every rule that matched.
//!
//! Casbin's effector stops at the first rule that settles the effect, so it cannot say what else matched; obligations
//! need all of the deciding tier, explanations need the rest.

use std::sync::Arc;

use casbin::{EffectKind, Effector, EffectorStream};
use parking_lot::Mutex;

/// Positions of the rules that matched, in the order in which casbin met them.
pub(crate) type Hits = Arc<Mutex<Vec<usize>>>;

/// First match decides (`priority(p_eft) || deny`), or any allow does (`some(where (p_eft == allow))`): over rows
/// that all say allow the two are the same, so one effector serves both models.
pub(crate) struct Collector {
    hits: Hits,
}

impl Collector {
    pub fn new(hits: Hits) -> Self {
        Self { hits }
    }
}

struct Stream {
    hits: Hits,
    at: usize,
    first: Option<bool>,
}

impl Effector for Collector {
    fn new_stream(&self, _expression: &str, _rules: usize) -> Box<dyn EffectorStream> {
        self.hits.lock().clear();
        Box::new(Stream { hits: Arc::clone(&self.hits), at: 0, first: None })
    }
}

impl EffectorStream for Stream {
    fn next(&self) -> bool {
        self.first.unwrap_or(false)
    }

    fn push_effect(&mut self, effect: EffectKind) -> bool {
        if effect != EffectKind::Indeterminate {
            self.hits.lock().push(self.at);
            self.first.get_or_insert(effect == EffectKind::Allow);
        }
        self.at += 1;
        // Never settled early: the rest is wanted too.
        false
    }
}
