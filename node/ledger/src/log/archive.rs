//! Old entries to another storage and back: whole bundles as static files, under the names of C2SP `tlog-tiles`.
//!
//! Promise: the tree stays complete, since hash files are never touched; every proof and tile of hashes is served as
//! before. An entry's bytes are given up only after its bundle is durable in the target, was read back there and
//! has the hashes of the tree. Killed at any step nothing is lost, and the same call again finishes.
//!
//! The steps: bundles to the target; the marker file `archived` (state `moving`); a hole in `entries.dat`; the
//! marker again (`freed`, or `kept` where the file system makes no holes). Coming back: marker `moving`, the bytes,
//! a sync, and the marker goes. Opening finishes what stands at `moving` by making the hole again.
//!
//! Never archived: entries that the write-ahead log may replay, and those that no checkpoint covers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::flat::Flat;
use super::marker::{self, Marker, State};
use super::{BUNDLE_BYTES_MAX, Log, Shared, disk, locked, wal};
use crate::error::{LedgerError, Result};
use crate::merkle::{self, leaf_hash};
use crate::tile::{Content, TILE_WIDTH, Tile};

/// What a log has given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archived {
    /// Entries before this index are in the archive.
    pub below: u64,
    /// Whether their space was given back; false where the file system makes no holes.
    pub freed: bool,
}

impl Log {
    /// Moves entries before `index` to `target`, in whole bundles of 256: fewer than asked for where the
    /// write-ahead log still holds them or no checkpoint covers them. Blocks; call it again for more, with the same
    /// target or another one. What is archived already stays where it is. Gives back what is archived afterwards.
    ///
    /// # Errors
    /// [`LedgerError::BadOption`] for a target inside of the log's folder; [`LedgerError::Corrupt`] naming a bundle in
    /// the target that is not this log's; [`LedgerError::Io`]; [`LedgerError::Poisoned`], since a failing disk under
    /// `entries.dat` stops the log. After a failure keep the target: [`Log::archived`] of the next start says what
    /// is there only.
    pub fn archive_before(&self, index: u64, target: &Path) -> Result<Option<Archived>> {
        let mut marker = locked(&self.archive);
        let begun = marker.as_ref().map_or(0, |marker| marker.below);
        let below = index.min(self.archivable()?) / TILE_WIDTH * TILE_WIDTH;
        if below <= begun {
            return Ok(marker.as_ref().map(Archived::of));
        }
        if self.shared.is_poisoned() {
            return Err(self.shared.stopped());
        }
        check_target(&self.dir, target)?;
        let flat = &self.shared.flat;
        copy_out(flat, begun / TILE_WIDTH..below / TILE_WIDTH, target)?;
        let moving = Marker {
            below,
            root: merkle::root(flat, below)?,
            offsets: flat.offsets_digest(below)?,
            state: State::Moving,
        };
        // From here on nobody reads these entries, whatever becomes of the rest.
        moving.write(&self.dir)?;
        self.shared.archived.store(below, Ordering::SeqCst);
        *marker = Some(moving.clone());
        let done = finish(&self.dir, &self.shared, &moving)?;
        *marker = Some(done.clone());
        Ok(Some(Archived::of(&done)))
    }

    /// Restores all archived entries from `target`, which must hold every bundle of them. All bundles are checked
    /// against the tree before the first byte is written. Gives back how many entries came back.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] naming the file and entry that is missing or wrong; [`LedgerError::Io`];
    /// [`LedgerError::Poisoned`].
    pub fn fetch_back(&self, target: &Path) -> Result<u64> {
        let mut held = locked(&self.archive);
        let Some(marker) = held.clone() else { return Ok(0) };
        if self.shared.is_poisoned() {
            return Err(self.shared.stopped());
        }
        let flat = &self.shared.flat;
        let bundles = 0..marker.below / TILE_WIDTH;
        check_offsets(flat, &marker)?;
        bundles.clone().try_for_each(|n| checked_bundle(flat, n, target).map(drop))?;
        let moving = Marker { state: State::Moving, ..marker.clone() };
        moving.write(&self.dir)?;
        *held = Some(moving);
        for n in bundles {
            let bytes = checked_bundle(flat, n, target)?;
            flat.restore_data(flat.offset(n * TILE_WIDTH)?, &bytes)?;
        }
        self.shared.stop_on_failure(flat.sync())?;
        marker::remove(&self.dir)?;
        *held = None;
        self.shared.archived.store(0, Ordering::SeqCst);
        Ok(marker.below)
    }

    /// What is archived, if anything is.
    #[must_use]
    pub fn archived(&self) -> Option<Archived> {
        locked(&self.archive).as_ref().map(Archived::of)
    }

    /// Entries that may go: durable in the flat files, not replayed at the next start, and signed.
    fn archivable(&self) -> Result<u64> {
        let segments = wal::segments(&self.dir.join("wal"))?;
        // Replay finds the end of `entries.dat` by the last entry before the oldest segment, so that one stays.
        let oldest = segments.first().map_or(0, |segment| segment.first.saturating_sub(1));
        Ok(oldest.min(self.checkpoint()?.checkpoint().size))
    }
}

impl Archived {
    fn of(marker: &Marker) -> Self {
        Self { below: marker.below, freed: marker.state == State::Freed }
    }
}

/// Reads the marker at opening; refuses one that is not this log's.
pub(super) fn open(dir: &Path, flat: &Flat, replayed_from: u64) -> Result<Option<Marker>> {
    let Some(marker) = Marker::read(dir)? else { return Ok(None) };
    let refuse =
        |why: &str| Err(LedgerError::corrupt(&marker::path(dir), format!("size {}", marker.below), why));
    if marker.below >= replayed_from {
        return refuse("so many entries were never archived");
    }
    if merkle::root(flat, marker.below)? != marker.root {
        return refuse("it is the marker of another log");
    }
    Ok(Some(marker))
}

/// Gives the space back and says so; also what a killed call left to do.
pub(super) fn finish(dir: &Path, shared: &Shared, marker: &Marker) -> Result<Marker> {
    // The hole ends where the first entry that stays begins; a damaged offset must not widen it.
    check_offsets(&shared.flat, marker)?;
    let length = shared.flat.offset(marker.below)?;
    let freed = shared.stop_on_failure(shared.flat.free_data(length))?;
    if !freed {
        tracing::warn!("this file system makes no holes: archived entries keep their space in `entries.dat`");
    }
    let state = if freed { State::Freed } else { State::Kept };
    let done = Marker { state, ..marker.clone() };
    done.write(dir)?;
    Ok(done)
}

/// The archive must not lie in the folder that it relieves: there it would also be taken for an exported tree.
fn check_target(dir: &Path, target: &Path) -> Result<()> {
    disk::create_folder(target)?;
    let resolved = |path: &Path| path.canonicalize().map_err(LedgerError::io("resolving", path));
    if resolved(target)?.starts_with(resolved(dir)?) {
        let why = "the archive must lie outside of the log's folder";
        return Err(LedgerError::BadOption { name: "target", why });
    }
    Ok(())
}

fn check_offsets(flat: &Flat, marker: &Marker) -> Result<()> {
    if flat.offsets_digest(marker.below)? == marker.offsets {
        return Ok(());
    }
    Err(LedgerError::corrupt(flat.index_path(), "the archived range", "other offsets are there"))
}

/// Writes bundles durably, then reads each back and compares it with the tree.
fn copy_out(flat: &Flat, bundles: std::ops::Range<u64>, target: &Path) -> Result<()> {
    let mut folders = BTreeSet::new();
    for n in bundles.clone() {
        let (path, bytes) = (
            bundle_path(target, n)?,
            flat.data(flat.offset(n * TILE_WIDTH)?, flat.offset((n + 1) * TILE_WIDTH)?)?,
        );
        check_bundle(flat, n, flat.data_path(), &bytes)?;
        for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(target)) {
            disk::create_folder(folder)?;
            folders.insert(folder.to_owned());
        }
        if disk::read_small(&path, BUNDLE_BYTES_MAX)?.is_none() {
            disk::replace_unlisted(&path, &bytes)?;
        }
    }
    folders.extend(target.parent().map(Path::to_owned));
    for folder in folders.iter().filter(|folder| !folder.as_os_str().is_empty()) {
        disk::sync_folder(folder)?;
    }
    bundles.into_iter().try_for_each(|n| checked_bundle(flat, n, target).map(drop))
}

fn bundle_path(target: &Path, n: u64) -> Result<PathBuf> {
    Ok(target.join(Tile::new(Content::Entries, n, 256)?.to_string()))
}

/// A bundle of the archive that has the hashes of the tree and the lengths of `entries.idx`.
fn checked_bundle(flat: &Flat, n: u64, target: &Path) -> Result<Vec<u8>> {
    let path = bundle_path(target, n)?;
    let missing = || LedgerError::corrupt(&path, format!("entry {}", n * TILE_WIDTH), "the file is missing");
    let bytes = disk::read_small(&path, BUNDLE_BYTES_MAX)?.ok_or_else(missing)?;
    check_bundle(flat, n, &path, &bytes)?;
    Ok(bytes)
}

fn check_bundle(flat: &Flat, n: u64, path: &Path, bytes: &[u8]) -> Result<()> {
    let first = n * TILE_WIDTH;
    let refuse = |index: u64, why: &str| Err(LedgerError::corrupt(path, format!("entry {index}"), why));
    let Some(entries) = wal::entries(bytes).filter(|entries| entries.len() as u64 == TILE_WIDTH) else {
        return refuse(first, "256 entries that fill the bundle were expected");
    };
    let hashes = flat.hashes(0, first, TILE_WIDTH)?;
    let mut offset = flat.offset(first)?;
    for ((index, (_, entry)), stored) in (first..).zip(entries).zip(hashes.chunks_exact(32)) {
        if leaf_hash(entry).0 != stored {
            return refuse(index, "it has not the hash that the tree has there");
        }
        if flat.offset(index)? != offset {
            return refuse(index, "it is not as long as `entries.idx` says");
        }
        offset += 2 + entry.len() as u64;
    }
    Ok(())
}
