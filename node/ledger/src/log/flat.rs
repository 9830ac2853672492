//! The flat files of a log: `entries.dat`, `entries.idx` and one file of hashes per tile level.
//!
//! Promise: tile `(L, n)` is the byte range `n * 8192 ..` of `level<L>`, so a tile of any width that was ever
//! signed can be served for ever without a file of its own. These files are written after the write-ahead log is
//! durable, and synced before its segments are deleted.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::disk;
use crate::error::{LedgerError, Result};
use crate::merkle::{Edge, Hash, Subtrees, perfect_root};
use crate::tile::{HASH_BYTES, level_length};

/// Levels of files: 256^8 leaves are more than a 64-bit number counts.
pub(crate) const LEVELS: u8 = 8;
/// Bytes of an offset in `entries.idx`.
pub(crate) const OFFSET_BYTES: u64 = 8;
/// Bytes of the length before each entry.
pub(crate) const PREFIX_BYTES: u64 = 2;

struct Named {
    file: File,
    path: PathBuf,
}

impl Named {
    fn open(path: PathBuf, writable: bool) -> Result<Self> {
        let file = if writable { disk::open_writable(&path)? } else { disk::open_readable(&path)? };
        Ok(Self { file, path })
    }
    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        disk::read_at(&self.file, &self.path, offset, length)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        disk::write_at(&self.file, &self.path, offset, bytes)
    }
    fn sync(&self) -> Result<()> {
        disk::sync_data(&self.file, &self.path)
    }
    fn length(&self) -> Result<u64> {
        disk::length(&self.file, &self.path)
    }
}

/// The open files.
pub(crate) struct Flat {
    data: Named,
    index: Named,
    levels: Vec<Named>,
}

/// What a batch adds to the flat files.
pub(crate) struct Growth {
    first: u64,
    data_start: u64,
    data: Vec<u8>,
    offsets: Vec<u8>,
    levels: Vec<Vec<u8>>,
}

impl Growth {
    /// Starts at `first` entries and `data_start` bytes of `entries.dat`.
    pub fn new(first: u64, data_start: u64) -> Self {
        let levels = vec![Vec::new(); usize::from(LEVELS)];
        Self { first, data_start, data: Vec::new(), offsets: Vec::new(), levels }
    }

    /// Adds an entry (without its length) and grows the tree's edge by its hash.
    pub fn push(&mut self, edge: &mut Edge, entry: &[u8], prefix: [u8; 2], leaf: Hash) {
        let offset = self.data_start + self.data.len() as u64;
        self.offsets.extend_from_slice(&offset.to_be_bytes());
        self.data.extend_from_slice(&prefix);
        self.data.extend_from_slice(entry);
        edge.push(leaf, |height, hash| {
            if height % 8 == 0
                && let Some(level) = self.levels.get_mut(height as usize / 8)
            {
                level.extend_from_slice(&hash.0);
            }
        });
    }

    /// The entries with their lengths: the body of a write-ahead record.
    pub fn body(&self) -> &[u8] {
        &self.data
    }

    /// Bytes of `entries.dat` afterwards.
    pub fn data_end(&self) -> u64 {
        self.data_start + self.data.len() as u64
    }
}

impl Flat {
    pub fn open(dir: &Path, writable: bool) -> Result<Self> {
        let levels = (0..LEVELS)
            .map(|level| Named::open(dir.join(format!("level{level}")), writable))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            data: Named::open(dir.join("entries.dat"), writable)?,
            index: Named::open(dir.join("entries.idx"), writable)?,
            levels,
        })
    }

    /// Writes what is not there yet, the offsets last. Gives back whether anything had to be written.
    pub fn apply(&self, growth: &Growth) -> Result<bool> {
        let mut written = write_if_new(&self.data, growth.data_start, &growth.data)?;
        for (level, (file, hashes)) in (0u8..).zip(self.levels.iter().zip(&growth.levels)) {
            let start = level_length(level, growth.first) * HASH_BYTES;
            written |= write_if_new(file, start, hashes)?;
        }
        written |= write_if_new(&self.index, growth.first * OFFSET_BYTES, &growth.offsets)?;
        Ok(written)
    }

    pub fn sync(&self) -> Result<()> {
        self.data.sync()?;
        self.index.sync()?;
        self.levels.iter().try_for_each(Named::sync)
    }

    /// Names the first file that is longer than a log of this shape may be.
    pub fn longer_than(&self, size: u64, data_bytes: u64) -> Result<Option<&Path>> {
        let mut files = vec![(&self.data, data_bytes), (&self.index, size * OFFSET_BYTES)];
        for (level, file) in (0u8..).zip(&self.levels) {
            files.push((file, level_length(level, size) * HASH_BYTES));
        }
        for (file, expected) in files {
            if file.length()? > expected {
                return Ok(Some(&file.path));
            }
        }
        Ok(None)
    }

    /// Entries that `entries.idx` and `level0` both have, and which of the two ends there.
    pub fn whole_entries(&self) -> Result<(u64, &Path)> {
        let offsets = (self.index.length()? / OFFSET_BYTES, self.index.path.as_path());
        match self.levels.first() {
            Some(level) => Ok(offsets.min((level.length()? / HASH_BYTES, level.path.as_path()))),
            None => Ok(offsets),
        }
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.longer_than(0, 0)?.is_none())
    }

    /// Where entry `index` begins in `entries.dat`.
    pub fn offset(&self, index: u64) -> Result<u64> {
        let bytes = self.index.read(index * OFFSET_BYTES, 8)?;
        Ok(bytes.try_into().map(u64::from_be_bytes).unwrap_or(u64::MAX))
    }

    /// Where the first `size` entries end in `entries.dat`.
    pub fn data_end(&self, size: u64) -> Result<u64> {
        let Some(last) = size.checked_sub(1) else { return Ok(0) };
        let offset = self.offset(last)?;
        Ok(offset.saturating_add(PREFIX_BYTES).saturating_add(u64::from(self.entry_length(offset)?)))
    }

    fn entry_length(&self, offset: u64) -> Result<u16> {
        let prefix = self.data.read(offset, 2)?;
        Ok(prefix.try_into().map(u16::from_be_bytes).unwrap_or(0))
    }

    /// One entry without its length.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>> {
        let offset = self.offset(index)?;
        let length = self.entry_length(offset)?;
        if length == 0 {
            let why = "no entry is there; was it archived, and the file `archived` lost?";
            return Err(LedgerError::corrupt(&self.data.path, format!("entry {index}"), why));
        }
        self.data.read(offset.saturating_add(PREFIX_BYTES), usize::from(length))
    }

    /// Bytes of `entries.dat`: entries with their lengths.
    pub fn data(&self, start: u64, end: u64) -> Result<Vec<u8>> {
        let length = end.checked_sub(start).and_then(|length| usize::try_from(length).ok());
        let Some(length) = length.filter(|length| *length <= super::BUNDLE_BYTES_MAX) else {
            let why = format!("the range {start}..{end} of `entries.dat` cannot be");
            return Err(LedgerError::corrupt(&self.index.path, "an offset", why));
        };
        self.data.read(start, length)
    }

    /// `count` hashes of a level.
    pub fn hashes(&self, level: u8, start: u64, count: u64) -> Result<Vec<u8>> {
        let out_of_range = || LedgerError::OutOfRange { what: "level", asked: level.to_string(), size: 0 };
        let file = self.levels.get(usize::from(level)).ok_or_else(out_of_range)?;
        let length = usize::try_from(count * HASH_BYTES).map_err(|_| out_of_range())?;
        file.read(start.saturating_mul(HASH_BYTES), length)
    }

    /// Gives the space of the first `length` bytes of `entries.dat` back; false when the file system cannot. The
    /// outcome is durable.
    pub fn free_data(&self, length: u64) -> Result<bool> {
        let freed = disk::free_beginning(&self.data.file, &self.data.path, length)?;
        if freed {
            self.data.sync()?;
        }
        Ok(freed)
    }

    /// Puts bytes back into `entries.dat`; not durable before [`Flat::sync`].
    pub fn restore_data(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.data.write(offset, bytes)
    }

    /// SHA-256 over the offsets of the first `size` entries, and where the next one begins.
    pub fn offsets_digest(&self, size: u64) -> Result<Hash> {
        let size = size.saturating_add(1);
        use sha2::Digest as _;
        let mut digest = sha2::Sha256::new();
        for start in (0..size).step_by(8192) {
            let count = (size - start).min(8192);
            digest.update(
                self.index.read(start * OFFSET_BYTES, usize::try_from(count * OFFSET_BYTES).unwrap_or(0))?,
            );
        }
        Ok(Hash(digest.finalize().into()))
    }

    pub fn data_path(&self) -> &Path {
        &self.data.path
    }

    pub fn index_path(&self) -> &Path {
        &self.index.path
    }
}

fn write_if_new(file: &Named, offset: u64, bytes: &[u8]) -> Result<bool> {
    if bytes.is_empty() {
        return Ok(false);
    }
    let end = offset + bytes.len() as u64;
    if file.length()? >= end && file.read(offset, bytes.len())? == bytes {
        return Ok(false);
    }
    file.write(offset, bytes)?;
    Ok(true)
}

impl Subtrees for Flat {
    type Error = LedgerError;

    /// Folds at most 128 stored hashes: level files hold every eighth height.
    fn subtree(&self, height: u32, index: u64) -> Result<Hash> {
        let level = u8::try_from(height / 8).unwrap_or(u8::MAX);
        let count = 1u64 << (height % 8);
        let bytes = self.hashes(level, index.saturating_mul(count), count)?;
        let hashes = bytes.chunks_exact(32).filter_map(|hash| hash.try_into().ok().map(Hash)).collect();
        perfect_root(hashes).ok_or_else(|| LedgerError::corrupt(self.index_path(), "a level", "no hash"))
    }
}
