//! A mirror: a folder of static files as C2SP `tlog-tiles` names them.

use std::path::{Path, PathBuf};

use super::{BUNDLE_BYTES_MAX, Source, TILE_BYTES_MAX, missing};
use crate::checkpoint::CHECKPOINT_BYTES_MAX;
use crate::error::Result;
use crate::log::disk;
use crate::tile::{Content, Tile};

/// A folder with `checkpoint` and `tile/…`.
#[derive(Debug, Clone)]
pub struct Tree(PathBuf);

impl Tree {
    /// Reads below this folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0
    }
}

impl Source for Tree {
    fn checkpoint(&self) -> Result<Vec<u8>> {
        let bytes = disk::read_small(&self.0.join("checkpoint"), CHECKPOINT_BYTES_MAX)?;
        bytes.ok_or_else(|| missing(self.place("checkpoint"), "a signed checkpoint"))
    }

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>> {
        let max = match tile.content() {
            Content::Hashes { .. } => TILE_BYTES_MAX,
            Content::Entries => BUNDLE_BYTES_MAX,
        };
        disk::read_small(&self.0.join(tile.to_string()), max)
    }

    fn place(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}
