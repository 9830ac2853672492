//! A witness (C2SP `tlog-witness`): cosigns the checkpoints of others' logs as long as each extends the last.
//!
//! Promise: for each log, what this witness cosigned is one growing history, also across restarts and crashes: a
//! checkpoint is remembered durably (written, synced, renamed, folder synced) before its cosignature leaves, and
//! comparing and remembering are one critical section of the witness. A damaged or lost file of its memory is
//! refused by name at opening; nothing starts again from 0 by itself. What it cannot see: a whole folder that was
//! put back from an old backup. When a disk fails, the witness stops until it is opened again.
//!
//! Times never go back for one log. A clock that is behind the last cosignature by at most [`CLOCK_BACK_MAX`]
//! seconds (a correction of the clock) gets that last time once more; further behind it is refused, since the
//! clock, or the one before, is plainly wrong and an answer would claim a time that this witness does not know.
//!
//! A request that shows a fork is refused with both signed checkpoints in the [`Refusal`], to be kept as evidence
//! (see [`crate::conflict`]).
//!
//! Absent on purpose: HTTP, whose logs to serve (a closure of the caller tells), and the clock.
//!
//! Begin with [`Witness::open`] and [`Witness::add_checkpoint`]; clients with [`AddCheckpoint::to_bytes`],
//! [`parse_cosignatures`] and [`parse_size`].

mod refusal;
mod state;
mod wire;

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use certs::note::{Cosigner, KeyName, Vkey};

pub use refusal::{Refusal, Suspicion};
pub use wire::{
    ANSWER_BYTES_MAX, AddCheckpoint, PROOF_LINES_MAX, REQUEST_BYTES_MAX, SIZE_CONTENT_TYPE,
    parse_cosignatures, parse_size, size_body,
};

use crate::bridge::Bridge;
use crate::checkpoint::SignedCheckpoint;
use crate::conflict::Evidence;
use crate::error::LedgerError;
use crate::merkle::{empty_root, verify_consistency};
use crate::{sealed, text};
use state::{Held, State};

/// Logs that one witness remembers.
pub const ORIGINS_MAX: usize = 16_384;
/// Seconds by which the clock may be behind the last cosignature of a log.
pub const CLOCK_BACK_MAX: u64 = 60;

/// A cosignature, durably remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The checkpoint with the log's signature and this witness's, the latter last.
    pub signed: SignedCheckpoint,
    /// The time of the cosignature, POSIX seconds.
    pub time: u64,
}

impl Cosigned {
    /// The body of the answer: the cosignature's line.
    #[must_use]
    pub fn body(&self) -> String {
        let note = self.signed.to_bytes();
        let lines = String::from_utf8_lossy(&note);
        lines.lines().last().map(|line| format!("{line}\n")).unwrap_or_default()
    }
}

/// A witness with its memory.
pub struct Witness {
    cosigner: Cosigner,
    state: Mutex<State>,
    origins_max: usize,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({})", self.cosigner.vkey())
    }
}

impl Witness {
    /// Opens the memory in a folder of its own, and makes it if it is new.
    ///
    /// # Errors
    /// [`LedgerError::InUse`]; [`LedgerError::Corrupt`] naming a file that is damaged, lost or not of this
    /// witness; [`LedgerError::Io`].
    pub fn open(dir: &Path, cosigner: Cosigner) -> Result<Self, LedgerError> {
        Self::open_rotated(dir, cosigner, &[])
    }

    /// The same, when former keys of this witness may have cosigned what is remembered.
    ///
    /// # Errors
    /// Those of [`Witness::open`].
    pub fn open_rotated(dir: &Path, cosigner: Cosigner, former: &[Vkey]) -> Result<Self, LedgerError> {
        let own = [&[cosigner.vkey()], former].concat();
        Ok(Self { state: Mutex::new(State::open(dir, &own)?), cosigner, origins_max: ORIGINS_MAX })
    }

    /// This witness's key, for others.
    #[must_use]
    pub fn vkey(&self) -> Vkey {
        self.cosigner.vkey()
    }

    /// Answers a request. `known` gives the keys that are trusted now for a log, `None` for a log that is not
    /// served; `now` is POSIX seconds. Blocks for a durable write.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn add_checkpoint(
        &self,
        body: &[u8],
        known: &dyn Fn(&str) -> Option<Vec<Vkey>>,
        now: u64,
    ) -> Result<Cosigned, Refusal> {
        let AddCheckpoint { old, proof, checkpoint: offered } =
            AddCheckpoint::parse(body).map_err(Refusal::Malformed)?;
        let origin = offered.checkpoint().origin.clone();
        let keys = known(origin.as_str()).ok_or_else(|| Refusal::UnknownOrigin(origin.clone()))?;
        let offered =
            offered.only_by(&keys).map_err(|why| Refusal::NotSigned { origin: origin.clone(), why })?;
        let size = offered.checkpoint().size;
        if old > size {
            return Err(Refusal::OldOverSize { old, size });
        }
        let hash = sealed::origin_hash(origin.as_str());
        // From here to the durable write nobody else may compare: a smaller tree would overwrite a larger one.
        let mut state = self.locked();
        if state.failed() {
            return Err(Refusal::Stopped);
        }
        let held = state.get(&hash);
        extends(held, old, &proof, &offered, &keys)?;
        if held.is_none() && state.count() >= self.origins_max {
            return Err(Refusal::Full);
        }
        let time = time_to_sign(now, held.map(|held| held.time))?;
        let signed = self.cosign(&offered, time).map_err(Refusal::Malformed)?;
        state.put(hash, Held { signed: signed.clone(), time }).map_err(Refusal::Storage)?;
        Ok(Cosigned { signed, time })
    }

    fn cosign(&self, offered: &SignedCheckpoint, time: u64) -> Result<SignedCheckpoint, LedgerError> {
        let mut alone = certs::note::Note::new(offered.note().text())?;
        self.cosigner.add_to(&mut alone, time)?;
        offered.cosigned(alone.signatures(), &[self.cosigner.vkey()])
    }

    /// What was cosigned last for the log whose origin has this SHA-256 (lower-case hexadecimal digits), with the
    /// log's signature and this witness's.
    #[must_use]
    pub fn checkpoint(&self, origin_hash: &str) -> Option<SignedCheckpoint> {
        let hash = text::hex_32(origin_hash)?;
        self.locked().get(&hash).map(|held| held.signed.clone())
    }

    /// The same by the log's name.
    #[must_use]
    pub fn checkpoint_of(&self, origin: &str) -> Option<SignedCheckpoint> {
        self.locked().get(&sealed::origin_hash(origin)).map(|held| held.signed.clone())
    }

    /// The logs that this witness has cosigned.
    #[must_use]
    pub fn origins(&self) -> Vec<KeyName> {
        self.locked().all().map(|held| held.signed.checkpoint().origin.clone()).collect()
    }

    /// The memory changes in one step, so a thread that panicked leaves nothing half done.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name under which a witness serves what it cosigned last of a log: `<name>/checkpoint`.
#[must_use]
pub fn origin_path(origin: &str) -> String {
    text::to_hex(&sealed::origin_hash(origin))
}

/// Whether the checkpoint extends what was cosigned last.
fn extends(
    held: Option<&Held>,
    old: u64,
    proof: &[crate::merkle::Hash],
    offered: &SignedCheckpoint,
    keys: &[Vkey],
) -> Result<(), Refusal> {
    let last = held.map(|held| held.signed.checkpoint());
    let (last_size, last_root) = last.map_or((0, empty_root()), |last| (last.size, last.root));
    let new = offered.checkpoint();
    let suspicion = |bridge: Option<&Bridge>| {
        let last = held?.signed.clone();
        let evidence = Evidence::find(&last, offered, bridge, keys);
        Some(Box::new(Suspicion { last, offered: offered.clone(), evidence }))
    };
    if !new.root_can_be() {
        return Err(Refusal::EmptyRoot);
    }
    let other_root = new.size == last_size && new.root != last_root;
    if old != last_size {
        return Err(Refusal::Stale {
            size: last_size,
            fork: if other_root { suspicion(None) } else { None },
        });
    }
    if other_root && let Some(found) = suspicion(None) {
        return Err(Refusal::OtherRoot(found));
    }
    if verify_consistency(old, &last_root, new.size, &new.root, proof).is_err() {
        let bridge = Bridge::of_consistency(old, new.size, proof);
        return Err(Refusal::WrongProof(suspicion(bridge.as_ref())));
    }
    Ok(())
}

/// The time of the next cosignature, never before the last.
fn time_to_sign(now: u64, last: Option<u64>) -> Result<u64, Refusal> {
    match last {
        Some(last) if last > now.saturating_add(CLOCK_BACK_MAX) => Err(Refusal::ClockBack { now, last }),
        Some(last) => Ok(last.max(now)),
        None => Ok(now),
    }
}

#[cfg(test)]
mod tests;
