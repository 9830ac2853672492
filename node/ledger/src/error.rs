//! What can go wrong here, one variant per kind of step. Messages say what, where, and what to do next.

use std::path::{Path, PathBuf};

use certs::note::NoteError;

/// A refusal or failure of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Text or bytes that are not in the grammar they must be in.
    #[error("no {what}: {why}; ask its author for the exact bytes")]
    Malformed {
        /// The thing that was expected, such as `statement` or `checkpoint`.
        what: &'static str,
        /// Where and how it differs.
        why: String,
    },
    /// A signed note that cannot be read, made or verified.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A time-stamp that is not accepted.
    #[error(transparent)]
    Timestamp(#[from] crate::timestamp::TimestampError),
    /// More bytes than a named limit allows.
    #[error("a {what} of {bytes} bytes is over the limit of {max}; make it smaller")]
    TooLarge {
        /// The thing.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// An index, tile or size that the log does not have (yet).
    #[error("{what} `{asked}` is outside of this log of {size} entries; ask for less or wait")]
    OutOfRange {
        /// Index, tile, size.
        what: &'static str,
        /// What was asked for.
        asked: String,
        /// Entries in the log.
        size: u64,
    },
    /// Entries whose bytes were moved to the archive; hashes and proofs are still here.
    #[error(
        "entry {index} is in the archive, as are all below {below}; read it there in `{bundle}`, \
         or fetch the archive back into the log"
    )]
    Archived {
        /// What was asked for.
        index: u64,
        /// Entries before this index are archived.
        below: u64,
        /// The file of the archive that holds it.
        bundle: String,
    },
    /// A Merkle proof that does not prove what it should.
    #[error("the {0} proof does not fit; the data, the proof or the checkpoint is not the right one")]
    ProofWrong(&'static str),
    /// The disk said no.
    #[error("{doing} `{}` failed; check the disk and its permissions", path.display())]
    Io {
        /// What was tried, as a verb: `reading`.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Another process has the log open.
    #[error("`{}` is in use by another process; stop it first", .0.display())]
    InUse(PathBuf),
    /// A file of the log does not hold what it must.
    #[error("`{}` is damaged at {place}: {why}; restore this log from a good copy, do not delete the file", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Offset, record or index in it.
        place: String,
        /// What was expected and what was found.
        why: String,
    },
    /// The log on disk has fewer entries than we signed for: a restored backup, or a lost disk.
    #[error(
        "this log holds {local} entries, but `{}` says that we signed {signed}; \
         restore the newest copy, since signing now would fork the log", witness.display()
    )]
    Behind {
        /// Entries on disk.
        local: u64,
        /// Entries of the last checkpoint that we signed.
        signed: u64,
        /// The file that remembers.
        witness: PathBuf,
    },
    /// The log on disk is not the one that we signed.
    #[error(
        "at size {size} this log is not the one that `{}` was signed for; \
         restore the right copy, since signing now would fork the log", witness.display()
    )]
    Fork {
        /// The size of the signed checkpoint.
        size: u64,
        /// The file that remembers.
        witness: PathBuf,
    },
    /// The log has signed checkpoints, but the guard file that must remember the last one is gone.
    #[error(
        "`{}` is missing though this log has signed before; put it back. If it is lost and you have made sure that \
         this is the newest copy of the log, copy the log's file `checkpoint` to that place", .0.display()
    )]
    GuardMissing(PathBuf),
    /// The directory belongs to a log of another name.
    #[error("`{}/meta` names the log `{found}`, not `{expected}`; check the configuration, or put the file back from a backup", dir.display())]
    WrongOrigin {
        /// The directory.
        dir: PathBuf,
        /// The name found there.
        found: String,
        /// The name asked for.
        expected: String,
    },
    /// A log that is read from elsewhere could not be read there.
    #[error("`{place}` cannot be read: {why}; check the address, the line and the permissions")]
    Unreadable {
        /// The file or address.
        place: String,
        /// What the disk or the line said.
        why: String,
    },
    /// What a log's source gave does not fit the tree that the log signed.
    #[error("`{place}`{}: expected {expected}, found {found}; the source holds something else than was signed", at(.index))]
    NotAsSigned {
        /// The file or address.
        place: String,
        /// The entry, or the first entry under the tile, when one can be named.
        index: Option<u64>,
        /// What the signed tree demands.
        expected: String,
        /// What was there.
        found: String,
    },
    /// An option that cannot be worked with.
    #[error("the option `{name}` cannot be used: {why}")]
    BadOption {
        /// Which.
        name: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// The queue is full.
    #[error("the ledger's queue is full; try again in a second")]
    Busy,
    /// A write failed earlier; nothing may be appended until the process starts again.
    #[error("the ledger stopped after a failure ({0}); restart the node once the disk is well")]
    Poisoned(String),
    /// The log was shut down.
    #[error("the ledger is shut down; nothing more is recorded")]
    Closed,
}

fn at(index: &Option<u64>) -> String {
    index.map_or_else(String::new, |index| format!(" at index {index}"))
}

impl LedgerError {
    pub(crate) fn malformed(what: &'static str, why: impl Into<String>) -> Self {
        Self::Malformed { what, why: why.into() }
    }

    pub(crate) fn corrupt(file: &Path, place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), place: place.into(), why: why.into() }
    }

    /// For `map_err` on the disk's answers.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// What this crate's functions give back.
pub type Result<T> = std::result::Result<T, LedgerError>;
