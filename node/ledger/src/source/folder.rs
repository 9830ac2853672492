//! The folder of a node's log, also while the node writes there.
//!
//! The checkpoint is read first and the flat files only grow, so whatever a checkpoint covers is there to be read.
//! After a power cut the flat files may lag behind the write-ahead log until the node was started once; then an
//! entry is told as missing here, and [`mod@crate::verify`] still reads it. Entries that were archived are read from
//! the archive, where that is given.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Source, Tree, missing};
use crate::checkpoint::CHECKPOINT_BYTES_MAX;
use crate::error::Result;
use crate::log::disk;
use crate::log::flat::Flat;
use crate::log::marker::Marker;
use crate::tile::{Content, TILE_WIDTH, Tile};

/// A node's `ledger` folder.
pub struct Folder {
    dir: PathBuf,
    flat: Flat,
    below: u64,
    archive: Option<Tree>,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Folder({})", self.dir.display())
    }
}

impl Folder {
    /// Opens the flat files for reading; `archive` is the folder that took old entries, if it is at hand.
    ///
    /// # Errors
    /// [`crate::LedgerError::Io`], [`crate::LedgerError::Corrupt`].
    pub fn open(dir: &Path, archive: Option<&Path>) -> Result<Self> {
        let below = Marker::read(dir)?.map_or(0, |marker| marker.below);
        Ok(Self {
            dir: dir.to_owned(),
            flat: Flat::open(dir, false)?,
            below,
            archive: archive.map(Tree::new),
        })
    }

    /// The first entry that can be read here: those before it are in an archive that was not given.
    #[must_use]
    pub fn first(&self) -> u64 {
        if self.archive.is_some() { 0 } else { self.below }
    }
}

impl Source for Folder {
    fn checkpoint(&self) -> Result<Vec<u8>> {
        let bytes = disk::read_small(&self.dir.join("checkpoint"), CHECKPOINT_BYTES_MAX)?;
        bytes.ok_or_else(|| missing(self.place("checkpoint"), "a signed checkpoint"))
    }

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>> {
        let (start, width) = (tile.index().saturating_mul(TILE_WIDTH), u64::from(tile.width()));
        match tile.content() {
            Content::Hashes { level } => self.flat.hashes(level, start, width).map(Some),
            Content::Entries if start < self.below => match &self.archive {
                Some(archive) => archive.tile(tile),
                None => Ok(None),
            },
            Content::Entries => {
                let from = self.flat.offset(start)?;
                let end = self.flat.data_end(start.saturating_add(width))?;
                self.flat.data(from, end).map(Some)
            }
        }
    }

    fn place(&self, name: &str) -> String {
        let file = match name.strip_prefix("tile/").and_then(|rest| rest.split('/').next()) {
            Some("entries") => "entries.dat".to_owned(),
            Some(level) => format!("level{level}"),
            None => name.to_owned(),
        };
        self.dir.join(file).display().to_string()
    }
}
