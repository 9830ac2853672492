//! The memory of used tokens: each is good once.
//!
//! Promises: within one process a (party, `jti`) pair is taken once. A token made before the floor is refused, since a
//! process before this one may have taken it. The memory is bounded in all and per party; when it is full, tokens are
//! refused, not forgotten.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::limits::{CLOCK_SKEW_S, REPLAYS_MAX, REPLAYS_PER_PARTY_MAX};
use super::{DidError, SelfIssued};
use crate::encode::sha256;

/// The tokens taken lately.
#[derive(Debug)]
pub struct Replays {
    floor: i64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Time only moves forward here: a clock that is set back opens no window.
    now: i64,
    by_party: HashMap<[u8; 32], HashSet<[u8; 32]>>,
    /// (when to forget, party, `jti`).
    ends: BTreeSet<(i64, [u8; 32], [u8; 32])>,
}

impl Replays {
    /// An empty memory. Tokens made before `floor` are refused: the start of this process, and for a process that did
    /// not end in order [`CLOCK_SKEW_S`] more.
    #[must_use]
    pub fn new(floor: i64) -> Self {
        Self { floor, inner: Mutex::default() }
    }

    /// Takes a proven token, once.
    ///
    /// # Errors
    /// [`DidError::Replay`] if it was taken before, is older than the memory, or the memory is full.
    pub fn take(&self, token: &SelfIssued, now: i64) -> Result<(), DidError> {
        if token.issued < self.floor {
            return Err(DidError::Replay("was made before this node started: make a new one"));
        }
        let party = sha256(token.did.as_str().as_bytes());
        let id = sha256(token.jti.as_bytes());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.forget(now);
        // The clock of this memory may be ahead of one that was set back: what was forgotten is over.
        if token.expires.saturating_add(CLOCK_SKEW_S) < inner.now {
            return Err(DidError::Replay("has expired"));
        }
        let full = inner.ends.len() >= REPLAYS_MAX;
        let used = inner.by_party.get(&party);
        if used.is_some_and(|used| used.contains(&id)) {
            return Err(DidError::Replay("was used before: each is good for one message"));
        }
        if full || used.is_some_and(|used| used.len() >= REPLAYS_PER_PARTY_MAX) {
            return Err(DidError::Replay("cannot be remembered now: too many came in; try again later"));
        }
        inner.by_party.entry(party).or_default().insert(id);
        inner.ends.insert((token.expires.saturating_add(CLOCK_SKEW_S), party, id));
        Ok(())
    }
}

impl Inner {
    fn forget(&mut self, now: i64) {
        self.now = self.now.max(now);
        while let Some(&(end, party, id)) = self.ends.first()
            && end < self.now
        {
            self.ends.pop_first();
            if let Some(used) = self.by_party.get_mut(&party) {
                used.remove(&id);
                if used.is_empty() {
                    self.by_party.remove(&party);
                }
            }
        }
    }
}
