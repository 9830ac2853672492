//! A tree of static files as C2SP `tlog-tiles` names them, and the time-stamps beside it, if there are any.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::stamps::Stamped;
use super::{Anchor, Checks, Report, Stop, entry_is_wrong, found};
use crate::checkpoint::{CHECKPOINT_BYTES_MAX, SignedCheckpoint};
use crate::error::{LedgerError, Result};
use crate::log::{BUNDLE_BYTES_MAX, disk, wal};
use crate::merkle::{self, Edge, Hash, Subtrees, leaf_hash, perfect_root};
use crate::tile::{Content, TILE_WIDTH, Tile, level_length, tiles_of};

/// Bytes of a full tile of hashes.
const TILE_BYTES_MAX: usize = 256 * 32;

type Checked<T> = std::result::Result<T, Stop>;

pub(super) fn verify(dir: &Path, checks: &Checks<'_>, report: &mut Report) -> Checked<()> {
    let path = dir.join("checkpoint");
    let Some(bytes) = disk::read_small(&path, CHECKPOINT_BYTES_MAX)? else {
        return found(&path, None, "a signed checkpoint", "no file");
    };
    let signed = match SignedCheckpoint::open(&bytes, checks.keys) {
        Ok(signed) => signed,
        Err(error) => return found(&path, None, "a checkpoint signed by the log's key", error),
    };
    let (size, root) = (signed.checkpoint().size, signed.checkpoint().root);
    report.signed = Some(size);
    let tree = Tree { dir, size };
    let anchors = [Anchor { size, root }];
    let mut edge = Edge::new();
    let mut pending: Vec<Pending> = (0..8).map(Pending::new).collect();
    for tile in tiles_of(Content::Entries, size) {
        bundle(&tree, &anchors, &tile, &mut edge, &mut pending)?;
        report.entries = edge.size();
        pending.iter_mut().try_for_each(|level| level.compare(&tree, false))?;
    }
    pending.iter_mut().try_for_each(|level| level.compare(&tree, true))?;
    if edge.root() != root {
        return found(&path, size, edge.root(), root);
    }
    stamps(&tree, checks, report)
}

/// The tiles are known to be good here, so the roots of earlier trees are made of them.
fn stamps(tree: &Tree<'_>, checks: &Checks<'_>, report: &mut Report) -> Checked<()> {
    let stamped = Stamped::read(tree.dir, checks)?;
    let mut roots = BTreeMap::new();
    for size in stamped.sizes() {
        let known = size <= tree.size;
        roots.insert(size, known.then(|| merkle::root(tree, size)).transpose()?);
    }
    stamped.check(&roots, checks, report)
}

/// Hashes the entries of one bundle and compares them with the tile of their leaf hashes.
fn bundle(
    tree: &Tree<'_>,
    anchors: &[Anchor],
    tile: &Tile,
    edge: &mut Edge,
    pending: &mut [Pending],
) -> Checked<()> {
    let first = tile.index() * TILE_WIDTH;
    let (path, bytes) = tree.file(tile, BUNDLE_BYTES_MAX)?;
    let (_, stored) = tree.hashes(&Tile::new(Content::Hashes { level: 0 }, tile.index(), tile.width())?)?;
    let Some(entries) = wal::entries(&bytes) else {
        return found(&path, first, "entries that fill the bundle", "others");
    };
    if entries.len() != usize::from(tile.width()) {
        return found(&path, first, format!("{} entries", tile.width()), entries.len());
    }
    for ((_, entry), stored) in entries.into_iter().zip(stored) {
        let (index, leaf) = (edge.size(), leaf_hash(entry));
        if stored != leaf && entry_is_wrong(tree, anchors, index, &stored, &leaf) {
            return found(&path, index, format!("an entry with the hash {stored}"), leaf);
        }
        edge.push(leaf, |height, hash| {
            if height % 8 == 0
                && let Some(level) = pending.get_mut(height as usize / 8)
            {
                level.hashes.push(hash);
            }
        });
    }
    Ok(())
}

/// Hashes of one level that were computed and not compared yet.
struct Pending {
    level: u8,
    next_tile: u64,
    hashes: Vec<Hash>,
}

impl Pending {
    fn new(level: u8) -> Self {
        Self { level, next_tile: 0, hashes: Vec::new() }
    }

    /// Compares with the tile files: full tiles as they fill, the partial one at the end.
    fn compare(&mut self, tree: &Tree<'_>, at_end: bool) -> Checked<()> {
        let full = self.hashes.len() >= 256;
        if self.hashes.is_empty() || !full && !at_end {
            return Ok(());
        }
        let width = self.hashes.len().min(256);
        let content = Content::Hashes { level: self.level };
        let (path, stored) =
            tree.hashes(&Tile::new(content, self.next_tile, u16::try_from(width).unwrap_or(256))?)?;
        let first = self.next_tile * TILE_WIDTH;
        for (index, (computed, stored)) in (first..).zip(self.hashes.drain(..width).zip(stored)) {
            if computed != stored {
                return found(&path, index, computed, stored);
            }
        }
        self.next_tile += 1;
        self.compare(tree, at_end)
    }
}

struct Tree<'a> {
    dir: &'a Path,
    size: u64,
}

impl Tree<'_> {
    fn file(&self, tile: &Tile, max: usize) -> Result<(PathBuf, Vec<u8>)> {
        let path = self.dir.join(tile.to_string());
        match disk::read_small(&path, max)? {
            Some(bytes) => Ok((path, bytes)),
            None => Err(LedgerError::corrupt(&path, "nothing", "a file")),
        }
    }

    /// The tile of a level that holds hash `index`, as wide as this size of the log makes it.
    fn tile_of(&self, level: u8, index: u64) -> Result<Tile> {
        let start = index / TILE_WIDTH * TILE_WIDTH;
        let width = level_length(level, self.size).saturating_sub(start).min(TILE_WIDTH);
        Tile::new(Content::Hashes { level }, index / TILE_WIDTH, u16::try_from(width).unwrap_or(0))
    }

    /// All hashes of a tile; a file of another length is damaged.
    fn hashes(&self, tile: &Tile) -> Result<(PathBuf, Vec<Hash>)> {
        let (path, bytes) = self.file(tile, TILE_BYTES_MAX)?;
        if bytes.len() != 32 * usize::from(tile.width()) {
            let why = format!("{} bytes, for {} hashes", 32 * tile.width(), tile.width());
            return Err(LedgerError::corrupt(&path, format!("{} bytes", bytes.len()), why));
        }
        let hashes = bytes.chunks_exact(32).filter_map(|hash| hash.try_into().ok().map(Hash)).collect();
        Ok((path, hashes))
    }
}

impl Subtrees for Tree<'_> {
    type Error = LedgerError;
    fn subtree(&self, height: u32, index: u64) -> Result<Hash> {
        let level = u8::try_from(height / 8).unwrap_or(u8::MAX);
        let count = 1u64 << (height % 8);
        let first = index.saturating_mul(count);
        // A run of at most 128 hashes that starts at a multiple of its length lies in one tile.
        let (path, hashes) = self.hashes(&self.tile_of(level, first)?)?;
        let start = usize::try_from(first % TILE_WIDTH).unwrap_or(usize::MAX);
        let run = start.checked_add(1 << (height % 8)).and_then(|end| hashes.get(start..end));
        let root = run.and_then(|run| perfect_root(run.to_vec()));
        root.ok_or_else(|| LedgerError::corrupt(&path, "its end", "more hashes"))
    }
}
