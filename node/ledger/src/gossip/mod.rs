//! Gossip: what logs told us of themselves, kept and checked, so that one of them cannot tell others another story.
//!
//! Promise: per log the memory durably holds the largest checkpoint of one consistent history and the last
//! [`RECENT_MAX`] distinct checkpoints; what could not be checked yet is kept as such and never thrown away for
//! newer ones; the first proof that a log signed two histories is kept for ever, and later ones are still told. What
//! is kept carries the log's own signature only. The first checkpoint of a log is believed: there is nothing
//! before it to contradict, and so it is again for a log whose file is deleted. A damaged file is refused by name.
//!
//! It asks nobody anything. [`Gossip::hear`] says which [`Bridge`] it needs; the caller gets the tiles (see
//! [`crate::tile_reader`]) and calls again with it. A bridge out of the larger checkpoint's authenticated tiles
//! always decides: the checkpoint is taken, or there is a conflict.
//!
//! Begin with [`Gossip::open`] and [`Gossip::hear`].

mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use certs::note::{KeyKind, KeyName, Vkey};

use crate::bridge::Bridge;
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::conflict::Evidence;
use crate::error::{LedgerError, Result};
use crate::sealed;
use store::{Entry, Origin, Store};

/// Distinct checkpoints remembered of one log beside the largest.
pub const RECENT_MAX: usize = 16;
/// Logs remembered.
pub const ORIGINS_MAX: usize = 16_384;

/// The bridge that a caller must get: out of the tree of the larger of two checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The smaller size.
    pub old: u64,
    /// The checkpoint with whose root the tiles must agree.
    pub new: Checkpoint,
}

/// What a checkpoint told us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Nothing: it is a part of the history that we know, or says nothing (size 0).
    Known,
    /// The history has grown; this is its largest checkpoint now. Also the first of a log.
    Newer,
    /// It cannot be judged without a bridge.
    Unchecked {
        /// Which one.
        need: Need,
        /// Whether it is remembered till then. `false` when [`RECENT_MAX`] others wait already: get their bridges
        /// first (see [`Gossip::pending`]).
        kept: bool,
    },
    /// The log signed two histories.
    Conflict(Box<Evidence>),
}

/// The memory of all logs.
pub struct Gossip {
    store: Store,
    origins: Mutex<BTreeMap<[u8; 32], Origin>>,
    origins_max: usize,
}

impl fmt::Debug for Gossip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gossip of {} logs", self.locked().len())
    }
}

impl Gossip {
    /// Opens the memory in a folder of its own, and makes it if it is new.
    ///
    /// # Errors
    /// [`LedgerError::InUse`]; [`LedgerError::Corrupt`] naming the file; [`LedgerError::Io`].
    pub fn open(dir: &Path) -> Result<Self> {
        let (store, origins) = Store::open(dir)?;
        Ok(Self { store, origins: Mutex::new(origins), origins_max: ORIGINS_MAX })
    }

    /// Takes what a log signed. `keys` are the log's keys, former ones too, so that a rotation hides no fork;
    /// `bridge` is the one that an earlier call asked for; `now` is POSIX seconds. Blocks for a durable write when
    /// something is new.
    ///
    /// # Errors
    /// [`LedgerError::Note`] when the log did not sign; [`LedgerError::ProofWrong`] when the bridge is not out of
    /// the larger checkpoint's tree; [`LedgerError::BadOption`] when [`ORIGINS_MAX`] logs are remembered;
    /// [`LedgerError::TooLarge`], [`LedgerError::Io`].
    pub fn hear(
        &self,
        signed: &SignedCheckpoint,
        keys: &[Vkey],
        bridge: Option<&Bridge>,
        now: u64,
    ) -> Result<Heard> {
        let keys: Vec<Vkey> = keys.iter().filter(|key| key.kind() == KeyKind::Ed25519).cloned().collect();
        let signed = signed.only_by(&keys)?;
        if signed.checkpoint().size == 0 {
            return Ok(Heard::Known);
        }
        let hash = sealed::origin_hash(signed.checkpoint().origin.as_str());
        let mut origins = self.locked();
        let before = origins.get(&hash);
        if before.is_none() && origins.len() >= self.origins_max {
            let why = "as many logs are remembered as fit; remove those of former members";
            return Err(LedgerError::BadOption { name: "gossip", why });
        }
        let mut origin = before.cloned().unwrap_or_default();
        let heard = take(&mut origin, &Entry { signed, heard_at: now }, &keys, bridge)?;
        if before != Some(&origin) {
            self.store.write(&hash, &origin)?;
            origins.insert(hash, origin);
        }
        Ok(heard)
    }

    /// The largest checkpoint of a log's history, with the log's signature.
    #[must_use]
    pub fn largest(&self, origin: &str) -> Option<SignedCheckpoint> {
        self.with(origin, |origin| origin.largest.as_ref().map(|entry| entry.signed.clone()))?
    }

    /// What was heard lately of a log and when (POSIX seconds), the newest last. Waiting ones are not among them.
    #[must_use]
    pub fn recent(&self, origin: &str) -> Vec<(SignedCheckpoint, u64)> {
        let told = |entries: &[Entry]| entries.iter().map(|e| (e.signed.clone(), e.heard_at)).collect();
        self.with(origin, |origin| told(&origin.recent)).unwrap_or_default()
    }

    /// Checkpoints that wait for a bridge, and which one each needs now.
    #[must_use]
    pub fn pending(&self, origin: &str) -> Vec<(SignedCheckpoint, Need)> {
        let told = |origin: &Origin| {
            let waiting = origin.waiting.iter();
            waiting.filter_map(|entry| Some((entry.signed.clone(), need(origin, entry)?))).collect()
        };
        self.with(origin, told).unwrap_or_default()
    }

    /// The first proof that a log signed two histories.
    #[must_use]
    pub fn conflict(&self, origin: &str) -> Option<Evidence> {
        self.with(origin, |origin| origin.conflict.clone())?
    }

    /// The logs that we heard of.
    #[must_use]
    pub fn origins(&self) -> Vec<KeyName> {
        self.locked().values().filter_map(|origin| origin.name().cloned()).collect()
    }

    fn with<T>(&self, origin: &str, tell: impl FnOnce(&Origin) -> T) -> Option<T> {
        self.locked().get(&sealed::origin_hash(origin)).map(tell)
    }

    /// The memory changes in one step, so a thread that panicked leaves nothing half done.
    fn locked(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Origin>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bridge between a checkpoint and the largest of its log.
fn need(origin: &Origin, entry: &Entry) -> Option<Need> {
    let (largest, this) = (origin.largest.as_ref()?.signed.checkpoint(), entry.signed.checkpoint());
    let (old, new) = if this.size < largest.size { (this, largest) } else { (largest, this) };
    Some(Need { old: old.size, new: new.clone() })
}

/// Grows what is known of one log by one checkpoint, which that log signed.
fn take(origin: &mut Origin, entry: &Entry, keys: &[Vkey], bridge: Option<&Bridge>) -> Result<Heard> {
    let this = entry.signed.checkpoint();
    // Two roots of one size need no bridge, whether or not the earlier one was checked.
    let contradiction = origin
        .all()
        .filter(|held| held.signed.checkpoint().size == this.size)
        .find_map(|held| Evidence::find(&held.signed, &entry.signed, None, keys));
    if let Some(evidence) = contradiction {
        return Ok(conflict(origin, evidence));
    }
    let Some(largest) = origin.largest.clone() else {
        origin.largest = Some(entry.clone());
        return Ok(Heard::Newer);
    };
    let known = |held: &Entry| held.signed.checkpoint() == this;
    if known(&largest) || origin.recent.iter().any(known) {
        return Ok(Heard::Known);
    }
    let Some(need) = need(origin, entry) else { return Ok(Heard::Known) };
    let Some(bridge) = bridge.filter(|bridge| bridge.sizes() == (need.old, need.new.size)) else {
        return Ok(wait(origin, entry, need));
    };
    if bridge.roots().1 != need.new.root {
        return Err(LedgerError::ProofWrong("consistency"));
    }
    let grown = this.size > largest.signed.checkpoint().size;
    let older = if grown { largest.signed.checkpoint() } else { this };
    if bridge.roots().0 != older.root {
        let found = Evidence::find(&largest.signed, &entry.signed, Some(bridge), keys);
        // The largest may be signed by a key that the caller no longer knows: then it stays waiting.
        return match found {
            Some(evidence) => Ok(conflict(origin, evidence)),
            None => Ok(wait(origin, entry, need)),
        };
    }
    origin.waiting.retain(|held| !known(held));
    if grown {
        origin.remember(largest);
        origin.largest = Some(entry.clone());
        return Ok(Heard::Newer);
    }
    origin.remember(entry.clone());
    Ok(Heard::Known)
}

/// Keeps the first proof, and lets the accused checkpoint wait no longer.
fn conflict(origin: &mut Origin, evidence: Evidence) -> Heard {
    let proven = [evidence.smaller().checkpoint(), evidence.larger().checkpoint()];
    origin.waiting.retain(|held| !proven.contains(&held.signed.checkpoint()));
    origin.conflict.get_or_insert_with(|| evidence.clone());
    Heard::Conflict(Box::new(evidence))
}

fn wait(origin: &mut Origin, entry: &Entry, need: Need) -> Heard {
    let waits = origin.waiting.iter().any(|held| held.signed.checkpoint() == entry.signed.checkpoint());
    if !waits && origin.waiting.len() < RECENT_MAX {
        origin.waiting.push(entry.clone());
        return Heard::Unchecked { need, kept: true };
    }
    Heard::Unchecked { need, kept: waits }
}

#[cfg(test)]
mod tests;
