//! How often a consumer may ask for a dataset: the obligation `rate_per_min`, kept as a sliding minute in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

/// Requests of the last minute, by consumer and dataset.
#[derive(Debug, Default)]
pub struct Rates {
    seen: Mutex<HashMap<(String, String), VecDeque<i64>>>,
}

impl Rates {
    /// Counts one request at `now` (Unix seconds); `false` when it is one too many.
    pub fn allow(&self, consumer: &str, dataset: &str, per_minute: u32, now: i64) -> bool {
        let Ok(mut seen) = self.seen.lock() else { return false };
        seen.retain(|_, times| times.back().is_some_and(|last| *last > now - 60));
        let times = seen.entry((consumer.to_owned(), dataset.to_owned())).or_default();
        while times.front().is_some_and(|first| *first <= now - 60) {
            times.pop_front();
        }
        if times.len() >= usize::try_from(per_minute).unwrap_or(usize::MAX) {
            return false;
        }
        times.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_too_many_in_a_minute_is_refused_and_the_next_minute_begins_anew() {
        let rates = super::Rates::default();
        assert!(rates.allow("a", "x", 2, 100));
        assert!(rates.allow("a", "x", 2, 101));
        assert!(!rates.allow("a", "x", 2, 159));
        assert!(rates.allow("b", "x", 2, 159), "another consumer has a minute of its own");
        assert!(rates.allow("a", "x", 2, 160));
    }
}
