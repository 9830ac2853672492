//! Which peer is asked when: several side by side, each at its own pace. Pure: time comes in, nothing is sent here.
//!
//! **Promises.** A peer is never asked twice at once. One that does not answer keeps a place for as long as its ask lasts
//! and is asked more rarely each time; one that answers slowly keeps a place just as long. Neither kind takes all places, so
//! one that answers soon is asked on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Peers that are asked at once: an ask is one small connection, and a dead line holds it for a minute.
pub const AT_ONCE: usize = 8;
/// How many of these may be peers that did not answer the last time, took longer than [`SLOW`], or were not asked yet.
pub const DOUBTFUL_AT_ONCE: usize = 6;
/// An ask that took longer holds up others, whatever came of it: one small answer takes less over a line of 64 kbit/s.
pub const SLOW: Duration = Duration::from_secs(5);
/// Longest pause between two asks of a peer that does not answer.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How one peer stands.
#[derive(Debug, Clone, Copy)]
struct Standing {
    /// When the ask began that is under way.
    asked: Option<Instant>,
    /// Whether the last ask took longer than [`SLOW`].
    slow: bool,
    /// Asks in a row without an answer; none when the last one was answered.
    failures: Option<u32>,
    not_before: Instant,
}

impl Standing {
    fn is_doubtful(&self) -> bool {
        self.slow || self.failures != Some(0)
    }
}

/// All peers that something is expected of.
#[derive(Debug, Default)]
pub struct Rounds(BTreeMap<String, Standing>);

impl Rounds {
    /// The peers of `wanted` whose turn it is now; they count as asked until [`Rounds::ended`]. Who waits longest is first.
    pub fn begin(&mut self, wanted: &BTreeSet<String>, now: Instant) -> Vec<String> {
        self.0.retain(|peer, standing| standing.asked.is_some() || wanted.contains(peer));
        for peer in wanted {
            let new = Standing { asked: None, slow: false, failures: None, not_before: now };
            self.0.entry(peer.clone()).or_insert(new);
        }
        let busy = |doubtful: bool| {
            self.0.values().filter(|s| s.asked.is_some() && (!doubtful || s.is_doubtful())).count()
        };
        let (mut places, mut doubtful) =
            (AT_ONCE.saturating_sub(busy(false)), DOUBTFUL_AT_ONCE.saturating_sub(busy(true)));
        let due = |(peer, s): &(&String, &mut Standing)| {
            s.asked.is_none() && s.not_before <= now && wanted.contains(*peer)
        };
        let mut due: Vec<(&String, &mut Standing)> = self.0.iter_mut().filter(due).collect();
        due.sort_by_key(|(_, standing)| standing.not_before);
        let mut begun = Vec::new();
        for (peer, standing) in due {
            if places == 0 || (standing.is_doubtful() && doubtful == 0) {
                continue;
            }
            places -= 1;
            doubtful -= usize::from(standing.is_doubtful());
            standing.asked = Some(now);
            begun.push(peer.clone());
        }
        begun
    }

    /// An ask is over. The next one comes after `every`; after twice that, four times and so on while nothing is answered.
    pub fn ended(&mut self, peer: &str, answered: bool, every: Duration, now: Instant) {
        let Some(standing) = self.0.get_mut(peer) else { return };
        let failures = if answered { 0 } else { standing.failures.unwrap_or(0).saturating_add(1) };
        let pause = every.saturating_mul(2_u32.saturating_pow(failures)).min(PAUSE_MAX.max(every));
        let slow = standing.asked.is_some_and(|asked| now.saturating_duration_since(asked) > SLOW);
        *standing = Standing { asked: None, slow, failures: Some(failures), not_before: now + pause };
    }

    /// Somebody thinks that the line to this peer is back: no pause before its next ask.
    pub fn soon(&mut self, peer: &str, now: Instant) {
        if let Some(standing) = self.0.get_mut(peer) {
            standing.not_before = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(3);

    fn named(from: usize, count: usize) -> BTreeSet<String> {
        (from..from + count).map(|number| format!("urn:agency:vn:{number:03}")).collect()
    }

    #[test]
    fn a_peer_that_never_answers_holds_up_no_other_and_is_not_asked_twice_at_once() {
        let (mut rounds, wanted, mut now) = (Rounds::default(), named(0, 2), Instant::now());
        assert_eq!(rounds.begin(&wanted, now), ["urn:agency:vn:000", "urn:agency:vn:001"]);
        // The first one's ask never ends.
        for _ in 0..50 {
            rounds.ended("urn:agency:vn:001", true, EVERY, now);
            assert!(rounds.begin(&wanted, now).is_empty(), "asked again without a pause");
            now += EVERY;
            assert_eq!(rounds.begin(&wanted, now), ["urn:agency:vn:001"]);
        }
    }

    #[test]
    fn peers_that_do_not_answer_leave_places_to_one_that_does() {
        let (mut rounds, mut now) = (Rounds::default(), Instant::now());
        let good = named(500, 1);
        assert_eq!(rounds.begin(&good, now).len(), 1);
        rounds.ended("urn:agency:vn:500", true, EVERY, now);
        let all: BTreeSet<String> = named(0, 100).into_iter().chain(good).collect();
        assert_eq!(rounds.begin(&all, now).len(), DOUBTFUL_AT_ONCE);
        now += EVERY;
        assert_eq!(rounds.begin(&all, now), ["urn:agency:vn:500"]);
        // Each of the hundred has its turn before any has a second one.
        let mut asked: Vec<String> = named(0, DOUBTFUL_AT_ONCE).into_iter().collect();
        let mut turns = asked.clone();
        while turns.len() < 100 {
            for peer in std::mem::take(&mut asked) {
                rounds.ended(&peer, false, EVERY, now);
            }
            asked = rounds.begin(&all, now);
            assert!(!asked.is_empty());
            turns.extend(asked.clone());
        }
        let different: BTreeSet<&String> = turns.iter().take(100).collect();
        assert_eq!(different.len(), 100);
    }

    #[test]
    fn peers_that_answer_each_ask_slowly_leave_places_to_one_that_answers_soon() {
        let (mut rounds, mut now) = (Rounds::default(), Instant::now());
        let good = "urn:agency:vn:500";
        let all: BTreeSet<String> = named(0, 20).into_iter().chain([good.to_owned()]).collect();
        rounds.begin(&named(500, 1), now);
        rounds.ended(good, true, EVERY, now);
        now += EVERY;
        // Everybody answers: one at once, the others after nearly a minute.
        for _ in 0..10 {
            let (mut begun, start) = (rounds.begin(&all, now), now);
            assert!(begun.len() <= DOUBTFUL_AT_ONCE + 1, "{begun:?}");
            if begun.iter().any(|peer| peer == good) {
                rounds.ended(good, true, EVERY, now);
                begun.retain(|peer| peer != good);
            }
            for _ in 0..5 {
                now += EVERY;
                let again = rounds.begin(&all, now);
                assert_eq!(again, [good]);
                again.iter().for_each(|peer| rounds.ended(peer, true, EVERY, now));
            }
            now = start + Duration::from_secs(59);
            begun.iter().for_each(|peer| rounds.ended(peer, true, EVERY, now));
        }
        // One quick answer, and it counts as good again.
        let peer = rounds.begin(&all, now + EVERY).into_iter().find(|peer| peer != good).unwrap();
        rounds.ended(&peer, true, EVERY, now + EVERY);
        assert!(!rounds.0[&peer].is_doubtful());
    }

    #[test]
    fn who_does_not_answer_is_asked_more_rarely_and_at_once_when_somebody_wants_it() {
        let (mut rounds, wanted, mut now) = (Rounds::default(), named(0, 1), Instant::now());
        let peer = "urn:agency:vn:000";
        let mut pauses = Vec::new();
        for _ in 0..6 {
            assert_eq!(rounds.begin(&wanted, now).len(), 1);
            rounds.ended(peer, false, EVERY, now);
            let pause = (1..).find(|seconds| {
                let mut later = Rounds(rounds.0.clone());
                !later.begin(&wanted, now + Duration::from_secs(*seconds)).is_empty()
            });
            now += Duration::from_secs(pause.unwrap());
            pauses.push(pause.unwrap());
        }
        assert_eq!(pauses, [6, 12, 24, 48, 60, 60]);
        rounds.begin(&wanted, now);
        rounds.ended(peer, false, EVERY, now);
        assert!(rounds.begin(&wanted, now).is_empty());
        rounds.soon(peer, now);
        assert_eq!(rounds.begin(&wanted, now).len(), 1);
        rounds.ended(peer, true, EVERY, now);
        assert_eq!(rounds.begin(&wanted, now + EVERY).len(), 1, "one answer, and the pause is the short one");
    }

    #[test]
    fn a_peer_of_which_nothing_is_expected_any_more_is_forgotten_when_its_ask_is_over() {
        let (mut rounds, now) = (Rounds::default(), Instant::now());
        assert_eq!(rounds.begin(&named(0, 1), now).len(), 1);
        assert!(rounds.begin(&BTreeSet::new(), now).is_empty());
        assert!(rounds.begin(&named(0, 1), now).is_empty(), "its ask is still under way");
        rounds.ended("urn:agency:vn:000", false, EVERY, now);
        rounds.begin(&BTreeSet::new(), now);
        assert!(rounds.0.is_empty());
    }
}
