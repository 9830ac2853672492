//! What goes into a log at opening, and what comes out of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use certs::note::Vkey;

use super::{CHECKPOINT_INTERVAL, QUEUE_MAX, SEGMENT_BYTES};
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::merkle::Hash;

/// The caller's clock: POSIX seconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Hears once why the log stopped.
pub type OnFailure = Box<dyn Fn(&str) + Send + Sync>;

/// How to open a log.
pub struct LogOptions {
    /// Where the last signed checkpoint is also kept: outside of the log's folder, best on another disk and never
    /// in the same backup.
    pub guard: PathBuf,
    /// Goes on although the guard file is gone. For one start, after a person made sure that this is the newest copy.
    pub accept_missing_guard: bool,
    /// Keys that signed earlier checkpoints of this log, after a rotation.
    pub former_keys: Vec<Vkey>,
    /// See [`CHECKPOINT_INTERVAL`].
    pub checkpoint_interval: Duration,
    /// See [`SEGMENT_BYTES`].
    pub segment_bytes: u64,
    /// See [`QUEUE_MAX`].
    pub queue: usize,
    /// Verifies every entry and hash before opening; takes as long as reading the whole log.
    pub full_check: bool,
    /// Called once when the log is poisoned, from one of its threads.
    pub on_failure: Option<OnFailure>,
}

impl LogOptions {
    /// The usual values, with the guard file at that path.
    #[must_use]
    pub fn new(guard: impl Into<PathBuf>) -> Self {
        Self {
            guard: guard.into(),
            accept_missing_guard: false,
            former_keys: Vec::new(),
            checkpoint_interval: CHECKPOINT_INTERVAL,
            segment_bytes: SEGMENT_BYTES,
            queue: QUEUE_MAX,
            full_check: false,
            on_failure: None,
        }
    }
}

/// Where an entry stands, durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf_hash: Hash,
}

/// A checkpoint that was signed and made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The checkpoint.
    pub signed: SignedCheckpoint,
    /// When, by the caller's clock. Not part of what is signed.
    pub signed_at: u64,
}

impl Published {
    /// What it says.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        self.signed.checkpoint()
    }
}

/// What opening found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Entries replayed from the write-ahead log.
    pub replayed_entries: u64,
    /// Of these, entries in records whose bytes had to be written anew to the flat files.
    pub rewritten_entries: u64,
    /// An incomplete last record that nobody was told of, cut off.
    pub torn: Option<TornTail>,
}

/// Where a record was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The file.
    pub segment: PathBuf,
    /// Its length now.
    pub offset: u64,
}
