//! Decisions that were taken before, kept as long as nothing but time has passed and no edge of time was crossed.
//!
//! It belongs to one engine, so to one version of one rule set: another version begins with nothing. An entry is found by
//! a hash and taken only when every field of question and facts, time aside, is equal and the time lies in the entry's
//! [`Window`]. Questions whose facts count what was used are never kept: their facts change with each answer.
//!
//! Bounded: two generations; when the young one is full it becomes the old one and what was old goes.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::decision::Decision;
use crate::limits::REMEMBERED_MAX;
use crate::question::{Facts, Question};
use crate::window::Window;

/// Parts that are locked one by one, so that threads seldom wait for each other.
const SHARDS: usize = 16;
/// Entries of one generation of one part.
const GENERATION: usize = REMEMBERED_MAX / SHARDS / 2;

/// The decisions that one engine remembers.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// Keyed anew for each engine: which questions meet under one hash cannot be worked out beforehand.
    hash: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u64, Arc<Entry>>,
    old: HashMap<u64, Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    question: Question,
    facts: Facts,
    window: Window,
    decision: Arc<Decision>,
}

/// Where a question's decision is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(u64);

impl Cache {
    /// Where this question's decision would be; `None` when it is not to be kept.
    pub fn place(&self, question: &Question, facts: &Facts) -> Option<Place> {
        if !facts.usage.is_empty() {
            return None;
        }
        let mut hasher = self.hash.build_hasher();
        // The fields that differ most. The others are compared, and the newest of those that meet here is kept.
        question.subject.hash(&mut hasher);
        question.dataset.hash(&mut hasher);
        question.action.hash(&mut hasher);
        question.purpose.hash(&mut hasher);
        question.agreement.hash(&mut hasher);
        Some(Place(hasher.finish()))
    }

    /// The decision that was kept for exactly this question, if it still holds.
    pub fn find(&self, place: Place, question: &Question, facts: &Facts) -> Option<Arc<Decision>> {
        let shard = self.shards.get(place.shard())?.lock();
        let kept = shard.young.get(&place.0).or_else(|| shard.old.get(&place.0)).map(Arc::clone);
        drop(shard);
        kept.filter(|kept| kept.answers(question, facts)).map(|kept| Arc::clone(&kept.decision))
    }

    /// Keeps a decision.
    pub fn keep(
        &self,
        place: Place,
        question: &Question,
        facts: &Facts,
        window: Window,
        decision: &Arc<Decision>,
    ) {
        let entry = Entry {
            question: question.clone(),
            facts: facts.clone(),
            window,
            decision: Arc::clone(decision),
        };
        let Some(shard) = self.shards.get(place.shard()) else { return };
        let mut shard = shard.lock();
        if shard.young.len() >= GENERATION && !shard.young.contains_key(&place.0) {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(place.0, Arc::new(entry));
    }

    /// How many decisions are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock()).map(|shard| shard.young.len() + shard.old.len()).sum()
    }
}

impl Place {
    fn shard(self) -> usize {
        (self.0 % SHARDS as u64) as usize
    }
}

impl Entry {
    /// Every field is named, so that a new one cannot be forgotten here.
    fn answers(&self, question: &Question, facts: &Facts) -> bool {
        let Question {
            subject,
            unit,
            role,
            clearance,
            action,
            dataset,
            purpose,
            agreement,
            basis,
            network,
            place,
            route,
            now,
        } = question;
        let own = &self.question;
        self.window.holds(*now)
            && own.subject == *subject
            && own.dataset == *dataset
            && own.action == *action
            && own.purpose == *purpose
            && own.agreement == *agreement
            && own.basis == *basis
            && own.network == *network
            && own.unit == *unit
            && own.role == *role
            && own.clearance == *clearance
            && own.place == *place
            && own.route == *route
            && self.facts == *facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::ReasonCode;
    use crate::{Effect, RuleSet};

    fn question(dataset: usize) -> Question {
        let json = serde_json::json!({
            "subject": "ag:a", "action": "query", "dataset": format!("ds:{dataset}"), "purpose": null, "agreement": null,
            "basis": null, "network": "net:gov", "now": 100,
        });
        serde_json::from_value(json).unwrap()
    }

    fn decision() -> Arc<Decision> {
        Arc::new(Decision {
            effect: Effect::Refuse(ReasonCode::NoRule.refusal()),
            rule: None,
            matched: Vec::new(),
            overridden: Vec::new(),
            duties: Vec::new(),
            rule_set_digest: RuleSet::builtin(1).unwrap().digest(),
            rule_set_version: 1,
            invariants: crate::Invariants::default().version(),
        })
    }

    #[test]
    fn it_stays_within_its_bound_and_keeps_the_newest() {
        let (cache, facts, decision) = (Cache::default(), Facts::default(), decision());
        let last = REMEMBERED_MAX * 3;
        for dataset in 0..=last {
            let asked = question(dataset);
            let place = cache.place(&asked, &facts).unwrap();
            cache.keep(place, &asked, &facts, Window::around(100), &decision);
        }
        assert!(cache.len() <= REMEMBERED_MAX, "{}", cache.len());
        assert!(cache.len() > REMEMBERED_MAX / 4, "{}", cache.len());
        let newest = question(last);
        assert!(cache.find(cache.place(&newest, &facts).unwrap(), &newest, &facts).is_some());
        let oldest = question(0);
        assert!(cache.find(cache.place(&oldest, &facts).unwrap(), &oldest, &facts).is_none());
    }

    #[test]
    fn two_questions_under_one_hash_do_not_get_each_other_s_answer() {
        let (cache, facts) = (Cache::default(), Facts::default());
        let (one, other) = (question(1), question(2));
        let place = cache.place(&one, &facts).unwrap();
        cache.keep(place, &one, &facts, Window::around(100), &decision());
        assert!(cache.find(place, &one, &facts).is_some());
        assert!(cache.find(place, &other, &facts).is_none(), "the place of another question");
    }

    #[test]
    fn a_question_whose_facts_count_use_has_no_place() {
        let facts: Facts = serde_json::from_value(serde_json::json!({
            "party": null, "dataset": null, "agreement": null, "usage": {"rows_per_day": 1},
        }))
        .unwrap();
        assert!(Cache::default().place(&question(1), &facts).is_none());
    }
}
