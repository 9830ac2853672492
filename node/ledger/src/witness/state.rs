//! What a witness remembers, on disk: one file per log and one list of them all.
//!
//! A log's file is named by the SHA-256 of its origin and holds the checkpoint cosigned last, with the log's
//! signature and the witness's own. The list `origins` tells a lost file from a log that was never cosigned; it
//! is there from the first opening on, and is written after a new log's file and before its first answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use certs::note::Vkey;

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, SignedCheckpoint};
use crate::error::{LedgerError, Result};
use crate::{sealed, text};

const FORM: &str = "tram-witness@v1";
const LIST_FORM: &str = "tram-witness-origins@v1";
const LIST: &str = "origins";
const LIST_BYTES_MAX: usize = super::ORIGINS_MAX * 65;

/// What is remembered of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// With the log's signature and ours.
    pub signed: SignedCheckpoint,
    /// The time of our cosignature, POSIX seconds.
    pub time: u64,
}

pub(super) struct State {
    dir: PathBuf,
    held: BTreeMap<[u8; 32], Held>,
    failed: bool,
    _lock: File,
}

impl State {
    /// Reads everything. `own` are the witness's keys, former ones too.
    pub fn open(dir: &Path, own: &[Vkey]) -> Result<Self> {
        let lock = sealed::open_folder(dir)?;
        let files = sealed::hashes_in(dir, "")?;
        let listed = read_list(dir, files.is_empty())?;
        if let Some(hash) = listed.iter().find(|hash| files.binary_search(hash).is_err()) {
            let (path, why) = (dir.join(text::to_hex(hash)), "the list of origins names it, but it is gone");
            return Err(LedgerError::corrupt(&path, "everywhere", why));
        }
        let held = files.into_iter().map(|hash| Ok((hash, read(dir, &hash, own)?))).collect::<Result<_>>()?;
        let state = Self { dir: dir.to_owned(), held, failed: false, _lock: lock };
        if state.held.len() != listed.len() {
            state.write_list()?;
        }
        Ok(state)
    }

    pub fn failed(&self) -> bool {
        self.failed
    }

    pub fn get(&self, hash: &[u8; 32]) -> Option<&Held> {
        self.held.get(hash)
    }

    pub fn all(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    pub fn count(&self) -> usize {
        self.held.len()
    }

    /// Remembers durably. After a failure nobody knows what the disk holds, so that nothing more is taken.
    pub fn put(&mut self, hash: [u8; 32], held: Held) -> Result<()> {
        let outcome = self.try_put(hash, held);
        self.failed |= outcome.is_err();
        outcome
    }

    fn try_put(&mut self, hash: [u8; 32], held: Held) -> Result<()> {
        sealed::write(&self.dir.join(text::to_hex(&hash)), FORM, &held.signed.to_bytes())?;
        if self.held.insert(hash, held).is_none() {
            self.write_list()?;
        }
        Ok(())
    }

    fn write_list(&self) -> Result<()> {
        let list: String = self.held.keys().map(|hash| text::to_hex(hash) + "\n").collect();
        sealed::write(&self.dir.join(LIST), LIST_FORM, list.as_bytes())
    }
}

fn read_list(dir: &Path, fresh: bool) -> Result<Vec<[u8; 32]>> {
    let path = dir.join(LIST);
    let list = match sealed::read(&path, LIST_FORM, LIST_BYTES_MAX)? {
        Some(list) => list,
        None if fresh => {
            sealed::write(&path, LIST_FORM, b"")?;
            return Ok(Vec::new());
        }
        None => return Err(LedgerError::corrupt(&path, "everywhere", "there are states, but it is gone")),
    };
    let line = |line: &str| text::hex_32(line);
    let lines = std::str::from_utf8(&list).ok().and_then(|list| list.lines().map(line).collect());
    lines.ok_or_else(|| LedgerError::corrupt(&path, "a line", "it is no SHA-256"))
}

/// Reads one state. Our own cosignature shows that it is ours and of when.
fn read(dir: &Path, hash: &[u8; 32], own: &[Vkey]) -> Result<Held> {
    let path = dir.join(text::to_hex(hash));
    let damaged = |why: String| LedgerError::corrupt(&path, "its checkpoint", why);
    let bytes = sealed::read(&path, FORM, CHECKPOINT_BYTES_MAX)?.unwrap_or_default();
    let signed = SignedCheckpoint::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    if sealed::origin_hash(signed.checkpoint().origin.as_str()) != *hash {
        return Err(damaged(format!(
            "it is of the log `{}`, which has another name",
            signed.checkpoint().origin
        )));
    }
    let by_us = signed.note().verify(own).map_err(|error| damaged(error.to_string()))?;
    let time = by_us.iter().filter_map(|by| by.time).max();
    Ok(Held { time: time.ok_or_else(|| damaged("this witness did not cosign it".to_owned()))?, signed })
}
