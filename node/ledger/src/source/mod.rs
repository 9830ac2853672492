//! Reading a log that somebody else keeps: a node's folder, a mirror, a web address, an excerpt.
//!
//! Promise: what a [`Reader`] gives out has been proved to stand in the signed tree. Tiles are checked against the
//! tiles above them, the right edge against the root of the checkpoint, entries against the tiles of their hashes.
//! Memory stays the same however long the log is, and no entry is out of reach.
//!
//! What it is not: it does not judge what entries say, and it does not look at a node's write-ahead log; for that
//! see [`mod@crate::verify`].
//!
//! Begin with [`Source`], the one thing that a new place must implement, then [`Reader::open`].

mod folder;
mod reader;
mod tree;

pub use folder::Folder;
pub use reader::{Entry, Reader};
pub use tree::Tree;

use crate::error::{LedgerError, Result};
use crate::tile::Tile;

/// The bytes of the longest entry bundle that the format can hold.
pub const BUNDLE_BYTES_MAX: usize = crate::log::BUNDLE_BYTES_MAX;
/// The bytes of a full tile of hashes.
pub const TILE_BYTES_MAX: usize = 256 * 32;

/// Where the bytes of a log come from. Nothing that it gives is believed.
pub trait Source {
    /// The newest checkpoint note.
    ///
    /// # Errors
    /// [`LedgerError::Unreadable`] when it cannot be had now, [`LedgerError::NotAsSigned`] when it is not there.
    fn checkpoint(&self) -> Result<Vec<u8>>;

    /// The bytes of a tile or bundle; `None` when the source has none under this name. At most
    /// [`BUNDLE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`LedgerError::Unreadable`], [`LedgerError::Corrupt`], [`LedgerError::Io`].
    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>>;

    /// One entry, for a source that does not hold its whole bundle.
    ///
    /// # Errors
    /// Those of [`Source::tile`].
    fn entry(&self, index: u64) -> Result<Option<Vec<u8>>> {
        let _ = index;
        Ok(None)
    }

    /// What a finding calls a file of this source: a path or an address.
    fn place(&self, name: &str) -> String;
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn checkpoint(&self) -> Result<Vec<u8>> {
        (**self).checkpoint()
    }
    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>> {
        (**self).tile(tile)
    }
    fn entry(&self, index: u64) -> Result<Option<Vec<u8>>> {
        (**self).entry(index)
    }
    fn place(&self, name: &str) -> String {
        (**self).place(name)
    }
}

fn missing(place: String, expected: &str) -> LedgerError {
    LedgerError::NotAsSigned {
        place,
        index: None,
        expected: expected.to_owned(),
        found: "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests;
