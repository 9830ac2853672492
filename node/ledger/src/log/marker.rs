//! The file `archived`: how much of the log is elsewhere.
//!
//! Lines: `tram-archived@v1`, the number of archived entries, the root of the tree over them, SHA-256 over their
//! offsets in `entries.idx` and that of the next entry (both base64), the state, and CRC-32C of all before in eight hexadecimal digits. While
//! the file is there, `entries.dat` below that index is not read.

use std::path::{Path, PathBuf};

use super::disk;
use crate::error::{LedgerError, Result};
use crate::merkle::Hash;
use crate::text;
use crate::tile::TILE_WIDTH;

const HEAD: &str = "tram-archived@v1";
const BYTES_MAX: usize = 1024;

/// What `entries.dat` holds below the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Anything: bytes are on their way out or back.
    Moving,
    /// Zeros.
    Freed,
    /// The entries, since the file system makes no holes; zeros where it made them once.
    Kept,
}

/// The contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    /// Entries before this index are archived; a multiple of 256, and not 0.
    pub below: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// SHA-256 over their offsets and that of the next entry, since nothing else shows a change there.
    pub offsets: Hash,
    pub state: State,
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("archived")
}

/// Removes the marker durably.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    disk::remove(&path(dir))?;
    disk::sync_folder(dir)
}

impl Marker {
    pub fn write(&self, dir: &Path) -> Result<()> {
        let lines = self.lines();
        let crc = crc32c::crc32c(lines.as_bytes());
        disk::replace(&path(dir), format!("{lines}{crc:08x}\n").as_bytes())
    }

    fn lines(&self) -> String {
        format!("{HEAD}\n{}\n{}\n{}\n{}\n", self.below, self.root, self.offsets, self.state.word())
    }

    /// Reads it, or `None` when nothing is archived.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = path(dir);
        let Some(bytes) = disk::read_small(&path, BYTES_MAX)? else { return Ok(None) };
        let marker = Self::parse(&bytes);
        let why = "it is not the marker that was written";
        marker.map(Some).ok_or_else(|| LedgerError::corrupt(&path, "its lines", why))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut words = text.split('\n');
        let mut next = || words.next();
        let (HEAD, below, root, offsets, state) = (next()?, next()?, next()?, next()?, next()?) else {
            return None;
        };
        let marker = Self {
            below: text::decimal(below).filter(|below| *below > 0 && below.is_multiple_of(TILE_WIDTH))?,
            root: root.parse().ok()?,
            offsets: offsets.parse().ok()?,
            state: State::parse(state)?,
        };
        let lines = marker.lines();
        let crc = crc32c::crc32c(lines.as_bytes());
        (format!("{lines}{crc:08x}\n") == text).then_some(marker)
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Moving => "moving",
            Self::Freed => "freed",
            Self::Kept => "kept",
        }
    }
    fn parse(word: &str) -> Option<Self> {
        [Self::Moving, Self::Freed, Self::Kept].into_iter().find(|state| state.word() == word)
    }
}
