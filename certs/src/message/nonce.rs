//! The memory of nonces: no request is accepted twice.
//!
//! Promises: within one process a (key id, nonce) pair is accepted once; across restarts, too, because a message
//! made before the floor is refused, and the floor is chosen from how the process before ended ([`LastStop`]). The
//! memory is bounded, in all and per key, so that one peer cannot push out another's nonces; when it is full,
//! messages are refused, not forgotten. A clock that is set back opens no window: time only moves forward here.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::{CLOCK_SKEW_S, MessageError};

/// In all: 2,000 requests a second for the minute that a nonce is kept, twice over (by count, some 20 MB when full).
pub const NONCES_MAX: usize = 262_144;
/// Per key: one peer may use half.
pub const NONCES_PER_KEY_MAX: usize = 131_072;

/// How the process before this one ended, as far as this one knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastStop {
    /// There was none: nothing can have been accepted before.
    NeverRan,
    /// It stopped in order and left the value of [`NonceCache::highest_created`].
    Clean {
        /// Newest `created` that it accepted.
        highest_created: i64,
    },
    /// It crashed, or left nothing. What it accepted may be dated up to the allowed skew ahead of its end, so
    /// messages are refused for that long (peers sign again and retry).
    Unknown,
}

/// The nonces accepted lately.
#[derive(Debug)]
pub struct NonceCache {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Messages made at or before this second are refused.
    floor: i64,
    highest_created: i64,
    by_key: HashMap<Arc<str>, HashSet<[u8; 16]>>,
    /// What to forget, in order of acceptance.
    queue: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    created: i64,
    keyid: Arc<str>,
    nonce: [u8; 16],
}

impl NonceCache {
    /// An empty memory for a process that started at `started` (Unix seconds).
    #[must_use]
    pub fn new(started: i64, last_stop: LastStop) -> Self {
        let floor = match last_stop {
            LastStop::NeverRan => i64::MIN,
            LastStop::Clean { highest_created } => highest_created,
            LastStop::Unknown => started.saturating_add(CLOCK_SKEW_S),
        };
        let inner = Inner { floor, highest_created: floor, by_key: HashMap::new(), queue: VecDeque::new() };
        Self { inner: Mutex::new(inner) }
    }

    /// Newest `created` accepted so far: keep it at an orderly stop for [`LastStop::Clean`].
    #[must_use]
    pub fn highest_created(&self) -> i64 {
        self.lock().highest_created
    }

    /// How many nonces are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cheap look before the signature is verified; changes nothing.
    pub(super) fn look(
        &self,
        keyid: &str,
        nonce: &[u8; 16],
        created: i64,
        now: i64,
    ) -> Result<(), MessageError> {
        self.lock().look(keyid, nonce, created, now)
    }

    /// Looks again and remembers, in one step. Only for messages whose signature was verified: nobody can fill the
    /// memory with nonces of others.
    pub(super) fn accept(
        &self,
        keyid: &str,
        nonce: [u8; 16],
        created: i64,
        now: i64,
    ) -> Result<(), MessageError> {
        let mut inner = self.lock();
        inner.forget(now);
        inner.look(keyid, &nonce, created, now)?;
        if inner.queue.len() >= NONCES_MAX
            || inner.by_key.get(keyid).is_some_and(|s| s.len() >= NONCES_PER_KEY_MAX)
        {
            return Err(MessageError::Busy);
        }
        let shared =
            inner.by_key.get_key_value(keyid).map_or_else(|| Arc::from(keyid), |(k, _)| Arc::clone(k));
        inner.by_key.entry(Arc::clone(&shared)).or_default().insert(nonce);
        inner.queue.push_back(Entry { created, keyid: shared, nonce });
        inner.highest_created = inner.highest_created.max(created);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn look(&self, keyid: &str, nonce: &[u8; 16], created: i64, now: i64) -> Result<(), MessageError> {
        if created <= self.floor {
            let retry_after_s = self.floor.saturating_add(1).saturating_sub(now).max(1);
            return Err(MessageError::BeforeMemory { retry_after_s });
        }
        if self.by_key.get(keyid).is_some_and(|seen| seen.contains(nonce)) {
            return Err(MessageError::Replayed);
        }
        Ok(())
    }

    /// Drops what the skew rule refuses anyway, and raises the floor over it, so that a clock that is set back
    /// cannot bring a forgotten message to life.
    fn forget(&mut self, now: i64) {
        let horizon = now.saturating_sub(CLOCK_SKEW_S).saturating_sub(1);
        while self.queue.front().is_some_and(|oldest| oldest.created <= horizon) {
            let Some(Entry { created, keyid, nonce }) = self.queue.pop_front() else { return };
            self.floor = self.floor.max(created);
            if let Some(seen) = self.by_key.get_mut(&keyid) {
                seen.remove(&nonce);
                if seen.is_empty() {
                    self.by_key.remove(&keyid);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_790_000_000;

    fn nonce(n: u64) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&n.to_be_bytes());
        out
    }

    #[test]
    fn a_nonce_is_accepted_once_per_key() {
        let cache = NonceCache::new(T, LastStop::NeverRan);
        cache.accept("a", nonce(1), T, T).unwrap();
        assert_eq!(cache.accept("a", nonce(1), T, T), Err(MessageError::Replayed));
        assert_eq!(cache.look("a", &nonce(1), T, T), Err(MessageError::Replayed));
        cache.accept("b", nonce(1), T, T).unwrap();
        cache.accept("a", nonce(2), T, T).unwrap();
        assert_eq!(cache.len(), 3);
    }

    #[test]
    fn nonces_are_forgotten_only_when_the_skew_rule_refuses_them() {
        let cache = NonceCache::new(T, LastStop::NeverRan);
        cache.accept("a", nonce(1), T, T).unwrap();
        cache.accept("a", nonce(2), T + CLOCK_SKEW_S, T + CLOCK_SKEW_S).unwrap();
        assert_eq!(cache.accept("a", nonce(1), T, T + CLOCK_SKEW_S), Err(MessageError::Replayed));
        assert_eq!(cache.len(), 2);
        cache.accept("a", nonce(3), T + CLOCK_SKEW_S, T + CLOCK_SKEW_S + 1).unwrap();
        assert_eq!(cache.len(), 2, "the first is gone");
        let set_back = cache.accept("a", nonce(1), T, T);
        assert!(matches!(set_back, Err(MessageError::BeforeMemory { .. })), "{set_back:?}");
    }

    #[test]
    fn after_a_restart_nothing_accepted_before_is_accepted_again() {
        let before = NonceCache::new(T, LastStop::NeverRan);
        // Dated as far ahead as the rule allows, accepted just before the end.
        before.accept("a", nonce(1), T + CLOCK_SKEW_S, T).unwrap();
        for last_stop in [LastStop::Unknown, LastStop::Clean { highest_created: before.highest_created() }] {
            let after = NonceCache::new(T, last_stop);
            let replayed = after.accept("a", nonce(1), T + CLOCK_SKEW_S, T + 1);
            assert_eq!(
                replayed,
                Err(MessageError::BeforeMemory { retry_after_s: CLOCK_SKEW_S }),
                "{last_stop:?}"
            );
            after.accept("a", nonce(2), T + CLOCK_SKEW_S + 1, T + 1).unwrap();
        }
    }

    #[test]
    fn a_key_can_fill_only_its_share_and_the_whole_is_bounded() {
        let cache = NonceCache::new(T, LastStop::NeverRan);
        for n in 0..NONCES_PER_KEY_MAX as u64 {
            cache.accept("a", nonce(n), T, T).unwrap();
        }
        assert_eq!(cache.accept("a", nonce(u64::MAX), T, T), Err(MessageError::Busy));
        for n in 0..(NONCES_MAX - NONCES_PER_KEY_MAX) as u64 {
            cache.accept("b", nonce(n), T, T).unwrap();
        }
        assert_eq!(cache.accept("c", nonce(0), T, T), Err(MessageError::Busy));
        cache.accept("c", nonce(0), T + 32, T + 32).unwrap();
        assert_eq!(cache.len(), 1);
    }
}
