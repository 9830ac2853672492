//! Checking a whole log offline: every entry, every hash, every record, and the signed checkpoint.
//!
//! Promise: nothing is written, and the first bad thing is named: which file, which index, what was expected and
//! what was found. Where two files disagree, the signed root tells which of them is wrong. Works on the folder of
//! a stopped node (or a copy of it) and on an exported tree of static tiles.
//!
//! After a power cut the flat files may lag behind the write-ahead log; the node repairs that when it opens the
//! log. What lies behind the end of the flat files is checked from the write-ahead log alone.

mod archived;
mod folder;
mod stamps;
mod tiles;

use std::fmt;
use std::path::{Path, PathBuf};

use certs::note::Vkey;

use crate::error::{LedgerError, Result};
use crate::log::disk;
use crate::merkle::{Hash, Subtrees, inclusion_path, root_of_inclusion};
use crate::timestamp::{Roots, Stamp};

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The folder of a node's log.
    Folder,
    /// A tree of static files as `tlog-tiles` names them.
    Tiles,
}

/// The first bad thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The entry, hash or record in it (for a record: its first entry), when one can be named.
    pub index: Option<u64>,
    /// What was expected there.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.file.display())?;
        if let Some(index) = self.index {
            write!(f, " at index {index}")?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

/// What the check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was checked.
    pub form: Form,
    /// Entries that were read and found good.
    pub entries: u64,
    /// Entries that the signed checkpoint covers.
    pub signed: Option<u64>,
    /// Entries that only the write-ahead log has; the node writes them out when it opens the log.
    pub unwritten: u64,
    /// Bytes of an incomplete last record that nobody was told of.
    pub torn_bytes: u64,
    /// Of the good entries those whose bytes are in an archive that was not given: only their hashes were checked.
    pub archived: u64,
    /// Time-stamps that were found good: entries of the stamped checkpoint, and what the token says.
    pub stamps: Vec<(u64, Stamp)>,
    /// Time-stamps over the right checkpoint whose signer was not checked, since no roots were given.
    pub stamps_unchecked: u64,
    /// The first bad thing; `None` for a sound log.
    pub finding: Option<Finding>,
}

/// What a folder is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Checks<'a> {
    /// Keys that may have signed checkpoints.
    pub keys: &'a [Vkey],
    /// Whose time-stamps are believed; without, stamps are counted and not checked.
    pub roots: Option<&'a Roots>,
    /// Where archived entries lie, to check them too.
    pub archive: Option<&'a Path>,
    /// The time, in POSIX seconds: stamps of the future are bad.
    pub now: u64,
}

impl<'a> Checks<'a> {
    /// Against keys alone.
    #[must_use]
    pub fn of(keys: &'a [Vkey]) -> Self {
        Self { keys, roots: None, archive: None, now: u64::MAX }
    }
}

impl Report {
    fn new(form: Form) -> Self {
        Self {
            form,
            entries: 0,
            signed: None,
            unwritten: 0,
            torn_bytes: 0,
            archived: 0,
            stamps: Vec::new(),
            stamps_unchecked: 0,
            finding: None,
        }
    }

    /// Whether nothing bad was found.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.finding.is_none()
    }
}

/// Checks the log in `dir` (the folder of a stopped node, or an exported tree) against its key.
///
/// # Errors
/// [`LedgerError::InUse`] while a node writes there; [`LedgerError::Io`] when it cannot be read. What is bad about
/// the log is no error but the report's finding.
pub fn verify_dir(dir: &Path, key: &Vkey) -> Result<Report> {
    verify_dir_with(dir, std::slice::from_ref(key))
}

/// [`verify_dir`] for a log whose key was rotated: any of these keys may have signed.
///
/// # Errors
/// Those of [`verify_dir`].
pub fn verify_dir_with(dir: &Path, keys: &[Vkey]) -> Result<Report> {
    verify_dir_against(dir, &Checks::of(keys))
}

/// [`verify_dir`] with time-stamps and archived entries.
///
/// # Errors
/// Those of [`verify_dir`].
pub fn verify_dir_against(dir: &Path, checks: &Checks<'_>) -> Result<Report> {
    if dir.join("tile").is_dir() || !dir.join("meta").exists() && !dir.join("entries.dat").exists() {
        let mut report = Report::new(Form::Tiles);
        let outcome = tiles::verify(dir, checks, &mut report);
        return finish(report, outcome);
    }
    let lock = dir.join("lock");
    // A copy may lack the lock; who cannot open it for reading is told so.
    let held = if lock.exists() { Some(disk::open_readable(&lock)?) } else { None };
    if let Some(file) = &held
        && matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
    {
        return Err(LedgerError::InUse(dir.to_owned()));
    }
    check_folder(dir, checks)
}

/// For opening with a full check, by who holds the lock already.
pub(crate) fn check_before_open(dir: &Path, keys: &[Vkey]) -> Result<()> {
    if !dir.join("checkpoint").exists() {
        return Ok(());
    }
    match check_folder(dir, &Checks::of(keys))?.finding {
        None => Ok(()),
        Some(finding) => {
            let place = finding.index.map_or("its contents".to_owned(), |index| format!("index {index}"));
            let why = format!("expected {}, found {}", finding.expected, finding.found);
            Err(LedgerError::Corrupt { file: finding.file, place, why })
        }
    }
}

fn check_folder(dir: &Path, checks: &Checks<'_>) -> Result<Report> {
    let mut report = Report::new(Form::Folder);
    let outcome = folder::verify(dir, checks, &mut report);
    finish(report, outcome)
}

/// Why a check ends early.
enum Stop {
    Finding(Finding),
    Error(LedgerError),
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Corrupt { file, place, why } => {
                Self::Finding(Finding { file, index: None, expected: why, found: place })
            }
            LedgerError::Io { path, source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                let expected = "the file".to_owned();
                Self::Finding(Finding { file: path, index: None, expected, found: "nothing".to_owned() })
            }
            other => Self::Error(other),
        }
    }
}

fn found<T>(
    file: &Path,
    index: impl Into<Option<u64>>,
    expected: impl fmt::Display,
    found: impl fmt::Display,
) -> std::result::Result<T, Stop> {
    Err(Stop::Finding(Finding {
        file: file.to_owned(),
        index: index.into(),
        expected: expected.to_string(),
        found: found.to_string(),
    }))
}

fn finish(mut report: Report, outcome: std::result::Result<(), Stop>) -> Result<Report> {
    match outcome {
        Ok(()) => Ok(report),
        Err(Stop::Finding(finding)) => {
            report.finding = Some(finding);
            Ok(report)
        }
        Err(Stop::Error(error)) => Err(error),
    }
}

/// A size and root that can be trusted more than the files.
#[derive(Clone, Copy)]
struct Anchor {
    size: u64,
    root: Hash,
}

/// When an entry and its stored leaf hash disagree: whether the entry is the wrong one. True also when nothing
/// can tell, since then the entry has to be looked at first.
fn entry_is_wrong(
    source: &impl Subtrees,
    anchors: &[Anchor],
    index: u64,
    stored: &Hash,
    computed: &Hash,
) -> bool {
    for anchor in anchors.iter().filter(|anchor| index < anchor.size) {
        let Ok(path) = inclusion_path(source, index, anchor.size) else { continue };
        let leads = |leaf| root_of_inclusion(leaf, index, anchor.size, &path) == Some(anchor.root);
        if leads(stored) {
            return true;
        }
        if leads(computed) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod flip_tests;
#[cfg(test)]
mod tests;
