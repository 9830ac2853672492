//! The files of the gossip memory: one a log, named by the SHA-256 of its origin, JSON under a digest.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use certs::note::KeyName;
use serde::{Deserialize, Serialize};

use super::RECENT_MAX;
use crate::checkpoint::{CHECKPOINT_BYTES_MAX, SignedCheckpoint};
use crate::conflict::{CONFLICT_BYTES_MAX, Evidence};
use crate::error::{LedgerError, Result};
use crate::{sealed, text};

const FORM: &str = "tram-gossip@v1";
const ENDING: &str = ".json";
/// The largest, the recent and the waiting ones, and a conflict; JSON adds little to these texts.
const ORIGIN_BYTES_MAX: usize = 2 * ((2 * RECENT_MAX + 1) * CHECKPOINT_BYTES_MAX + CONFLICT_BYTES_MAX);

/// A checkpoint and when we heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// With the log's own signature only.
    pub signed: SignedCheckpoint,
    /// POSIX seconds.
    pub heard_at: u64,
}

/// What is known of one log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub largest: Option<Entry>,
    /// Checked against the largest of their time, the newest last.
    pub recent: Vec<Entry>,
    /// Not checked yet, the newest last.
    pub waiting: Vec<Entry>,
    pub conflict: Option<Evidence>,
}

impl Origin {
    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        self.largest.iter().chain(&self.recent).chain(&self.waiting)
    }

    pub fn name(&self) -> Option<&KeyName> {
        self.largest.as_ref().map(|entry| &entry.signed.checkpoint().origin)
    }

    /// Adds a checked one and forgets the oldest.
    pub fn remember(&mut self, entry: Entry) {
        self.recent.push(entry);
        let over = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..over);
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryForm {
    note: String,
    heard_at: u64,
}

/// The file is ours: unknown fields are refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginForm {
    largest: EntryForm,
    recent: Vec<EntryForm>,
    waiting: Vec<EntryForm>,
    conflict: Option<String>,
}

pub(super) struct Store {
    dir: PathBuf,
    _lock: File,
}

impl Store {
    pub fn open(dir: &Path) -> Result<(Self, BTreeMap<[u8; 32], Origin>)> {
        let lock = sealed::open_folder(dir)?;
        let mut origins = BTreeMap::new();
        for hash in sealed::hashes_in(dir, ENDING)? {
            origins.insert(hash, read(&path(dir, &hash), &hash)?);
        }
        Ok((Self { dir: dir.to_owned(), _lock: lock }, origins))
    }

    pub fn write(&self, hash: &[u8; 32], origin: &Origin) -> Result<()> {
        let form = |entries: &[Entry]| entries.iter().map(entry_form).collect();
        let Some(largest) = &origin.largest else { return Ok(()) };
        let form = OriginForm {
            largest: entry_form(largest),
            recent: form(&origin.recent),
            waiting: form(&origin.waiting),
            conflict: origin.conflict.as_ref().map(|evidence| text_of(evidence.to_bytes())),
        };
        let json = serde_json::to_vec(&form)
            .map_err(|error| LedgerError::malformed("gossip memory", error.to_string()))?;
        if json.len() > ORIGIN_BYTES_MAX {
            let (what, bytes) = ("gossip memory", json.len());
            return Err(LedgerError::TooLarge { what, bytes, max: ORIGIN_BYTES_MAX });
        }
        sealed::write(&path(&self.dir, hash), FORM, &json)
    }
}

fn path(dir: &Path, hash: &[u8; 32]) -> PathBuf {
    dir.join(text::to_hex(hash) + ENDING)
}

fn entry_form(entry: &Entry) -> EntryForm {
    EntryForm { note: text_of(entry.signed.to_bytes()), heard_at: entry.heard_at }
}

/// Notes are UTF-8 by their grammar.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn read(path: &Path, hash: &[u8; 32]) -> Result<Origin> {
    let damaged = |why: String| LedgerError::corrupt(path, "its content", why);
    let bytes = sealed::read(path, FORM, ORIGIN_BYTES_MAX)?.unwrap_or_default();
    let form: OriginForm = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let entry = |form: EntryForm| -> Result<Entry> {
        let signed =
            SignedCheckpoint::parse(form.note.as_bytes()).map_err(|error| damaged(error.to_string()))?;
        if sealed::origin_hash(signed.checkpoint().origin.as_str()) != *hash {
            return Err(damaged(format!("it is of the log `{}`", signed.checkpoint().origin)));
        }
        Ok(Entry { signed, heard_at: form.heard_at })
    };
    let entries = |forms: Vec<EntryForm>| forms.into_iter().map(entry).collect::<Result<Vec<_>>>();
    let conflict = form.conflict.map(|text| Evidence::parse(text.as_bytes())).transpose();
    Ok(Origin {
        largest: Some(entry(form.largest)?),
        recent: entries(form.recent)?,
        waiting: entries(form.waiting)?,
        conflict: conflict.map_err(|error| damaged(error.to_string()))?,
    })
}
