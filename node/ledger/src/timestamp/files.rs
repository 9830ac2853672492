//! Time-stamps in a log's folder: `timestamps/<size>.tsr` beside `timestamps/<size>.checkpoint`, the note that it is
//! over, byte for byte.
//!
//! Promise: a pair is complete once its `.tsr` is there; a `.checkpoint` alone is the leftover of a crash. The
//! `.tsr` is an answer with the status `granted`, so `openssl ts -verify -data N.checkpoint -in N.tsr` works as it is.

use std::fs;
use std::path::{Path, PathBuf};

use super::{TOKEN_BYTES_MAX, Token};
use crate::checkpoint::SignedCheckpoint;
use crate::error::{LedgerError, Result};
use crate::log::disk;
use crate::text;

/// The folder's name.
pub const FOLDER: &str = "timestamps";
/// Files listed: an hourly stamp for over ten years.
pub const FILES_MAX: usize = 100_000;

/// The two files of one stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Entries of the stamped checkpoint.
    pub size: u64,
    /// The answer of the authority.
    pub token: PathBuf,
    /// The note.
    pub checkpoint: PathBuf,
}

impl Pair {
    /// The files for that size in a log's folder.
    #[must_use]
    pub fn at(log: &Path, size: u64) -> Self {
        let folder = log.join(FOLDER);
        Self {
            size,
            token: folder.join(format!("{size}.tsr")),
            checkpoint: folder.join(format!("{size}.checkpoint")),
        }
    }
}

/// Keeps a stamp durably, the note first. The token must be over the note; verify it before.
///
/// # Errors
/// [`LedgerError::Timestamp`] when the token is over other bytes; [`LedgerError::Io`].
pub fn store(log: &Path, checkpoint: &SignedCheckpoint, token: &Token) -> Result<Pair> {
    use sha2::Digest as _;
    let note = checkpoint.to_bytes();
    if !token.is_over(&sha2::Sha256::digest(&note).into()) {
        return Err(super::TimestampError::OtherMessage.into());
    }
    let pair = Pair::at(log, checkpoint.checkpoint().size);
    let folder = log.join(FOLDER);
    if !folder.is_dir() {
        disk::create_folder(&folder)?;
        disk::sync_folder(log)?;
    }
    disk::replace(&pair.checkpoint, &note)?;
    disk::replace(&pair.token, &token.to_response())?;
    Ok(pair)
}

/// The stamps of a log's folder by size; none when there is no such folder. Leftovers of a crash are passed over.
///
/// # Errors
/// [`LedgerError::Corrupt`] for a file that does not belong there; [`LedgerError::TooLarge`], [`LedgerError::Io`].
pub fn list(log: &Path) -> Result<Vec<Pair>> {
    let folder = log.join(FOLDER);
    let items = match fs::read_dir(&folder) {
        Ok(items) => items,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LedgerError::io("listing", &folder)(error)),
    };
    let mut sizes = Vec::new();
    for (n, item) in items.enumerate() {
        if n >= 2 * FILES_MAX {
            return Err(LedgerError::TooLarge {
                what: "folder of time-stamps",
                bytes: n,
                max: 2 * FILES_MAX,
            });
        }
        let path = item.map_err(LedgerError::io("listing", &folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.split_once('.').map(|(size, kind)| (text::decimal(size), kind)) {
            Some((Some(size), "tsr")) => sizes.push(size),
            Some((Some(_), "checkpoint" | "checkpoint.tmp" | "tsr.tmp")) => {}
            _ => return Err(LedgerError::corrupt(&path, "its name", "no time-stamp is called so")),
        }
    }
    sizes.sort_unstable();
    Ok(sizes.into_iter().map(|size| Pair::at(log, size)).collect())
}

/// Reads the token of a pair, in the one spelling that [`store`] gives it.
///
/// # Errors
/// [`LedgerError::Timestamp`], [`LedgerError::Corrupt`], [`LedgerError::Io`].
pub fn read_token(pair: &Pair) -> Result<Token> {
    let missing = || LedgerError::corrupt(&pair.token, "its beginning", "it is missing");
    let bytes = disk::read_small(&pair.token, TOKEN_BYTES_MAX)?.ok_or_else(missing)?;
    let token = Token::from_response(&bytes)?;
    if token.to_response() == bytes {
        return Ok(token);
    }
    Err(LedgerError::corrupt(&pair.token, "its beginning", "the status `granted` and a token were expected"))
}
