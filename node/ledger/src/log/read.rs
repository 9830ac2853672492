//! Reading a log: entries, tiles, bundles and proofs, up to what is durable.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::Log;
use crate::error::{LedgerError, Result};
use crate::merkle::{self, Hash};
use crate::tile::{Content, TILE_WIDTH, Tile, level_length};

/// Entries given back at once: one bundle.
pub const ENTRIES_MAX: u64 = TILE_WIDTH;

impl Log {
    /// One entry's bytes.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::Archived`], [`LedgerError::Corrupt`], [`LedgerError::Io`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>> {
        let size = self.size();
        if index >= size {
            return Err(LedgerError::OutOfRange { what: "entry", asked: index.to_string(), size });
        }
        self.read_unarchived(index, || self.shared.flat.entry(index))
    }

    /// Reads bytes of entries from `first` on, unless they were archived, be it meanwhile.
    fn read_unarchived<T>(&self, first: u64, read: impl FnOnce() -> Result<T>) -> Result<T> {
        let read = if self.is_archived(first) { None } else { Some(read()) };
        match read.filter(|_| !self.is_archived(first)) {
            Some(read) => read,
            None => Err(LedgerError::Archived {
                index: first,
                below: self.shared.archived.load(Ordering::SeqCst),
                bundle: Tile::new(Content::Entries, first / TILE_WIDTH, 256)?.to_string(),
            }),
        }
    }

    fn is_archived(&self, index: u64) -> bool {
        index < self.shared.archived.load(Ordering::SeqCst)
    }

    /// The entries of a range, at most [`ENTRIES_MAX`] of them.
    ///
    /// # Errors
    /// Those of [`Log::entry`]; a longer or inverted range is [`LedgerError::OutOfRange`].
    pub fn entries(&self, range: Range<u64>) -> Result<Vec<Vec<u8>>> {
        let size = self.size();
        let count = range.end.checked_sub(range.start);
        if range.end > size || count.is_none_or(|count| count > ENTRIES_MAX) {
            return Err(LedgerError::OutOfRange { what: "entries", asked: format!("{range:?}"), size });
        }
        range.map(|index| self.read_unarchived(index, || self.shared.flat.entry(index))).collect()
    }

    /// The bytes of a hash tile: `width` hashes (1..=256) of tile `n` of a level.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`] when the log does not have all of them, [`LedgerError::Malformed`] for numbers
    /// that are no tile's, [`LedgerError::Corrupt`], [`LedgerError::Io`].
    pub fn tile(&self, level: u8, n: u64, width: u16) -> Result<Vec<u8>> {
        let tile = Tile::new(Content::Hashes { level }, n, width)?;
        let start = self.check_tile(&tile, level_length(level, self.size()))?;
        self.shared.flat.hashes(level, start, u64::from(width))
    }

    /// The bytes of an entry bundle: `width` entries (1..=256), each behind its length.
    ///
    /// # Errors
    /// Those of [`Log::tile`], and [`LedgerError::Archived`].
    pub fn bundle(&self, n: u64, width: u16) -> Result<Vec<u8>> {
        let tile = Tile::new(Content::Entries, n, width)?;
        let snapshot = self.shared.snapshot();
        let start = self.check_tile(&tile, snapshot.size)?;
        let end = start + u64::from(width);
        let flat = &self.shared.flat;
        let end = if end == snapshot.size { snapshot.data_bytes } else { flat.offset(end)? };
        self.read_unarchived(start, || flat.data(flat.offset(start)?, end))
    }

    /// The bytes of any tile, by its coordinates.
    ///
    /// # Errors
    /// Those of [`Log::tile`].
    pub fn tile_bytes(&self, tile: &Tile) -> Result<Vec<u8>> {
        match tile.content() {
            Content::Hashes { level } => self.tile(level, tile.index(), tile.width()),
            Content::Entries => self.bundle(tile.index(), tile.width()),
        }
    }

    /// The tile's first item, when the log holds all of its items.
    fn check_tile(&self, tile: &Tile, length: u64) -> Result<u64> {
        let start = tile.index().checked_mul(TILE_WIDTH);
        let end = start.and_then(|start| start.checked_add(u64::from(tile.width())));
        match (start, end) {
            (Some(start), Some(end)) if end <= length => Ok(start),
            _ => Err(LedgerError::OutOfRange { what: "tile", asked: tile.to_string(), size: self.size() }),
        }
    }

    /// The inclusion path of an entry in the tree of the first `size` entries, the leaf's sibling first.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::Corrupt`], [`LedgerError::Io`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>> {
        self.check_size(size)?;
        if index >= size {
            return Err(LedgerError::OutOfRange { what: "entry", asked: index.to_string(), size });
        }
        merkle::inclusion_path(&self.shared.flat, index, size)
    }

    /// The proof that the first `old` entries are the beginning of the first `new`.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::Corrupt`], [`LedgerError::Io`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>> {
        self.check_size(new)?;
        if old > new {
            return Err(LedgerError::OutOfRange { what: "size", asked: old.to_string(), size: new });
        }
        merkle::consistency_path(&self.shared.flat, old, new)
    }

    /// The root of the first `size` entries.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::Corrupt`], [`LedgerError::Io`].
    pub fn root(&self, size: u64) -> Result<Hash> {
        self.check_size(size)?;
        merkle::root(&self.shared.flat, size)
    }

    fn check_size(&self, asked: u64) -> Result<()> {
        let size = self.size();
        if asked > size {
            return Err(LedgerError::OutOfRange { what: "size", asked: asked.to_string(), size });
        }
        Ok(())
    }
}
