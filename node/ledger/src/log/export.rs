//! A log as a tree of static files (C2SP `tlog-tiles`) that any web server, USB stick or foreign tool can carry.

use std::fs;
use std::path::Path;

use super::Log;
use crate::error::{LedgerError, Result};
use crate::tile::{Content, Tile, levels_of, tiles_of};

/// Writes `checkpoint` and every tile and bundle of its size under `to`, which must be empty or absent. Gives back
/// the size. The checkpoint is written last: a tree without one is unfinished.
///
/// # Errors
/// [`LedgerError::BadOption`] when `to` has something in it; those of the reads; [`LedgerError::Io`].
pub fn export_tiles(log: &Log, to: &Path) -> Result<u64> {
    fs::create_dir_all(to).map_err(LedgerError::io("creating", to))?;
    if fs::read_dir(to).map_err(LedgerError::io("listing", to))?.next().is_some() {
        return Err(LedgerError::BadOption { name: "to", why: "the folder for an export must be empty" });
    }
    let published = log.checkpoint()?;
    let size = published.checkpoint().size;
    for tile in tiles_of(Content::Entries, size) {
        write_tile(log, to, &tile)?;
    }
    for level in levels_of(size) {
        for tile in tiles_of(Content::Hashes { level }, size) {
            write_tile(log, to, &tile)?;
        }
    }
    let path = to.join("checkpoint");
    fs::write(&path, published.signed.to_bytes()).map_err(LedgerError::io("writing", &path))?;
    Ok(size)
}

fn write_tile(log: &Log, to: &Path, tile: &Tile) -> Result<()> {
    let path = to.join(tile.to_string());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(LedgerError::io("creating", folder))?;
    }
    fs::write(&path, log.tile_bytes(tile)?).map_err(LedgerError::io("writing", &path))
}
