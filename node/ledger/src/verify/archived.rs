//! The archived part of a log: hashes and offsets in full, bytes where an archive is given.

use std::path::Path;

use super::folder::{Checked, Walk};
use super::{Anchor, Report, entry_is_wrong, found};
use crate::log::flat::{Flat, OFFSET_BYTES};
use crate::log::marker::{self, Marker, State};
use crate::log::{BUNDLE_BYTES_MAX, ENTRY_BYTES_MAX, disk, wal};
use crate::merkle::{Hash, inclusion_path, leaf_hash, root_of_inclusion};
use crate::tile::{Content, TILE_WIDTH, Tile};

/// The marker, if it can be one of a log whose write-ahead log begins there.
pub(super) fn read(dir: &Path, wal_first: u64) -> Checked<Option<Marker>> {
    let Some(marker) = Marker::read(dir)? else { return Ok(None) };
    if marker.below < wal_first {
        return Ok(Some(marker));
    }
    found(&marker::path(dir), marker.below, format!("fewer than {wal_first} archived entries"), marker.below)
}

impl Walk<'_> {
    /// Entries below the marker.
    pub fn archived_entries(
        &mut self,
        dir: &Path,
        marker: &Marker,
        archive: Option<&Path>,
        report: &mut Report,
    ) -> Checked<()> {
        if self.flat.offsets_digest(marker.below)? != marker.offsets {
            return found(&self.index.path, None, "the offsets of before they were archived", "others");
        }
        self.unseen = if archive.is_some() { 0 } else { marker.below };
        let mut offset = self.offset(0)?;
        for n in 0..marker.below / TILE_WIDTH {
            let first = n * TILE_WIDTH;
            let bundle = archive.map(|archive| Bundle::read(archive, n)).transpose()?;
            for index in first..first + TILE_WIDTH {
                let next = self.offset(index + 1)?;
                let Some(length) =
                    next.checked_sub(offset).filter(|length| *length <= 2 + ENTRY_BYTES_MAX as u64)
                else {
                    return found(
                        &self.index.path,
                        index + 1,
                        format!("an offset soon after {offset}"),
                        next,
                    );
                };
                let leaf = self.stored_leaf(index)?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                self.left_bytes(index, length, marker.state, &leaf)?;
                let leaf = match &bundle {
                    Some(bundle) => bundle.leaf(self, index, length, &leaf)?,
                    None => leaf,
                };
                self.leaf(index, leaf)?;
                (offset, self.at) = (next, next);
                self.at_boundary()?;
                report.entries = index + 1;
                report.archived += u64::from(bundle.is_none());
            }
        }
        // The last offset is that of the first entry that stayed.
        self.index.seek(marker.below * OFFSET_BYTES)?;
        let root = self.root();
        if root == marker.root { Ok(()) } else { found(&marker::path(dir), marker.below, root, marker.root) }
    }

    fn offset(&mut self, index: u64) -> Checked<u64> {
        let bytes = self.index.read(8, index, "an offset")?;
        Ok(bytes.try_into().map_or(0, u64::from_be_bytes))
    }

    fn stored_leaf(&self, index: u64) -> Checked<Hash> {
        Ok(self.flat.hashes(0, index, 1)?.try_into().map_or(Hash([0; 32]), Hash))
    }

    /// What `entries.dat` still has of an archived entry.
    fn left_bytes(&mut self, index: u64, length: usize, state: State, leaf: &Hash) -> Checked<()> {
        let bytes = self.data.read(length, index, "the place of an archived entry")?;
        if state == State::Moving || bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let entry = bytes.get(2..).unwrap_or_default();
        let whole = bytes.starts_with(&u16::try_from(entry.len()).unwrap_or(0).to_be_bytes());
        if state == State::Kept && whole && leaf_hash(entry) == *leaf {
            return Ok(());
        }
        if state == State::Kept
            && whole
            && !entry_is_wrong(self.flat, &self.anchors, index, leaf, &leaf_hash(entry))
        {
            return found(self.level0(), index, leaf_hash(entry), leaf);
        }
        found(&self.data.path, index, "zeros where an entry was archived", "other bytes")
    }
}

/// A bundle in the archive: the lengths of its entries and their hashes.
struct Bundle {
    path: std::path::PathBuf,
    leaves: Vec<(usize, Hash)>,
}

impl Bundle {
    fn read(archive: &Path, n: u64) -> Checked<Self> {
        let path = archive.join(Tile::new(Content::Entries, n, 256)?.to_string());
        let first = n * TILE_WIDTH;
        let Some(bytes) = disk::read_small(&path, BUNDLE_BYTES_MAX)? else {
            return found(&path, first, "a bundle of the archive", "no file");
        };
        match wal::entries(&bytes).filter(|entries| entries.len() as u64 == TILE_WIDTH) {
            Some(entries) => {
                let leaves =
                    entries.into_iter().map(|(_, entry)| (entry.len() + 2, leaf_hash(entry))).collect();
                Ok(Self { path, leaves })
            }
            None => found(&path, first, "256 entries that fill the bundle", "others"),
        }
    }

    /// The hash of one of its entries; the bundle is named when that or the length is not the log's.
    fn leaf(&self, walk: &Walk<'_>, index: u64, length: usize, stored: &Hash) -> Checked<Hash> {
        let at = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
        let Some((own_length, leaf)) = self.leaves.get(at).copied() else {
            return found(&self.path, index, "an entry", "none");
        };
        let wrong = leaf != *stored && entry_is_wrong(walk.flat, &walk.anchors, index, stored, &leaf);
        if wrong || own_length != length {
            return found(&self.path, index, format!("an entry with the hash {stored}"), leaf);
        }
        Ok(leaf)
    }
}

/// When the stored hashes of a tile do not give the stored hash above it: whether the tile is the wrong one. True also
/// when nothing can tell.
pub(super) fn tile_is_wrong(
    flat: &Flat,
    anchors: &[Anchor],
    tile: u64,
    above: &Hash,
    computed: &Hash,
) -> bool {
    for anchor in anchors.iter().filter(|anchor| (tile + 1) * TILE_WIDTH <= anchor.size) {
        let Ok(path) = inclusion_path(flat, tile * TILE_WIDTH, anchor.size) else { continue };
        // The first eight hashes lead from the tile's first leaf to the hash of the whole tile.
        let Some(path) = path.get(8..) else { continue };
        let leads =
            |hash| root_of_inclusion(hash, tile, ((anchor.size - 1) >> 8) + 1, path) == Some(anchor.root);
        if leads(above) {
            return true;
        }
        if leads(computed) {
            return false;
        }
    }
    true
}
