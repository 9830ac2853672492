//! What can go wrong, one variant per cause that a caller can act on. No message ever holds a value.

use crate::{Space, limits};

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A check of the transaction did not hold; nothing was written.
    #[error(
        "check {check} failed: `{key}` in space `{space}` is at revision {found:?} (`None`: absent); read again and \
         decide anew",
        key = .key.escape_ascii()
    )]
    Conflict {
        /// Which check of the transaction, counted from 0.
        check: usize,
        /// The space of the checked key.
        space: Space,
        /// The checked key.
        key: Vec<u8>,
        /// The revision found; `None` when there is no such record.
        found: Option<u64>,
    },

    /// The transaction breaks a limit or is malformed; nothing was written.
    #[error("the transaction was refused: {what}")]
    BadTx {
        /// What is wrong, with the number and the limit.
        what: String,
    },

    /// A record on the disk is damaged or not of this store's making.
    #[error(
        "the record `{key}` in space `{space}` is damaged: {what}; run `tram doctor` and restore from a backup",
        key = .key.escape_ascii()
    )]
    BadRecord {
        /// The space of the record.
        space: Space,
        /// Its key.
        key: Vec<u8>,
        /// What does not fit.
        what: String,
    },

    /// The value is not the JSON of the type asked for.
    #[error("the record `{key}` in space `{space}` is not the JSON expected here", key = .key.escape_ascii())]
    Json {
        /// The space of the record.
        space: Space,
        /// Its key.
        key: Vec<u8>,
        /// What the JSON parser or writer said.
        source: serde_json::Error,
    },

    /// A write or sync failed earlier, so nothing more is written by this process.
    #[error("the store is read-only until the node is restarted, because writing failed: {cause}")]
    ReadOnly {
        /// The first failure.
        cause: String,
    },

    /// [`crate::Store::close`] was called.
    #[error("the store is closed")]
    Closed,

    /// Too many transactions wait for the disk; nothing was written.
    #[error("{waiting} transactions wait for the disk already; try again later", waiting = limits::QUEUE_MAX)]
    Busy,

    /// Too little free space; nothing was written.
    #[error(
        "only {free_bytes} bytes are free where the store lives and {min_bytes} are needed; free some space"
    )]
    DiskFull {
        /// Free bytes found.
        free_bytes: u64,
        /// The smallest number of free bytes to go on.
        min_bytes: u64,
    },

    /// Another process has this store open.
    #[error("the store at `{path}` is in use by another process; stop that one first")]
    Locked {
        /// The store's folder.
        path: String,
    },

    /// The folder was written by a newer version.
    #[error(
        "the store at `{path}` has schema {found} and this version knows up to {known}; install the newer version"
    )]
    NewerSchema {
        /// The store's folder.
        path: String,
        /// The schema number found.
        found: u32,
        /// The newest schema number that this version can read.
        known: u32,
    },

    /// The folder cannot be used as it is.
    #[error("the folder `{path}` cannot be used as a store: {what}")]
    BadDirectory {
        /// The store's folder.
        path: String,
        /// What is wrong and what to do.
        what: String,
    },

    /// An import was refused; the folder stays marked as unfinished.
    #[error("the import stopped at line {line}: {what}")]
    BadImport {
        /// The line of the export, counted from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },

    /// The operating system refused something.
    #[error("could not {what}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// The cause.
        source: std::io::Error,
    },

    /// The engine refused or gave up.
    #[error("the storage engine could not {what}: {detail}")]
    Engine {
        /// What was tried.
        what: &'static str,
        /// What it said.
        detail: String,
    },
}

impl StoreError {
    /// Whether a check failed, so that reading again and retrying makes sense.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, StoreError::Conflict { .. })
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| StoreError::Io { what, source }
    }
}
