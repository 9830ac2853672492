//! Proofs out of somebody else's tiles: each tile is authenticated against a signed root before any of its hashes
//! is used.
//!
//! Promise: whatever a [`TileReader`] gives back is a hash of the tree of that checkpoint, or an error. The tiles
//! may come from anywhere: a log's server, a mirror, a cache.
//!
//! How: the partial tiles at the right edge give the peaks of the tree, and so its root; a full tile must hash to
//! the entry for it in the tile above. The bytes are fetched through a closure, which need not be a network:
//! [`tiles_needed`] tells beforehand which tiles a proof needs, so that a caller can fetch them as it likes.
//!
//! Begin with [`tiles_needed`], then [`TileReader::new`], then [`TileReader::bridge`], [`TileReader::consistency`]
//! or [`TileReader::inclusion`].

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::rc::Rc;

use crate::bridge::Bridge;
use crate::checkpoint::Checkpoint;
use crate::error::{LedgerError, Result};
use crate::merkle::{self, Hash, Subtrees, node_hash, perfect_root};
use crate::tile::{Content, TILE_WIDTH, Tile, level_length, levels_of};

/// Bytes of a full tile of hashes: more is never read.
pub const HASH_TILE_BYTES: usize = 256 * 32;

/// What a caller wants to prove, in a tree of a given size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// That the first `old` entries are the beginning.
    Consistency {
        /// The smaller size.
        old: u64,
    },
    /// That an entry stands at this index.
    Inclusion {
        /// The index.
        index: u64,
    },
}

/// The tiles that a [`TileReader`] asks for to prove this in a tree of `size` entries: at most a few hundred, for
/// any size.
#[must_use]
pub fn tiles_needed(size: u64, wanted: Wanted) -> Vec<Tile> {
    let plan = Plan { size, tiles: RefCell::default() };
    for level in levels_of(size) {
        plan.add_edge(level);
    }
    // The plan never fails: it answers every question with the same hash and writes down what was asked.
    let _asked = match wanted {
        Wanted::Consistency { old } => Bridge::of(&plan, old, size).map(|_| ()),
        Wanted::Inclusion { index } => merkle::inclusion_path(&plan, index, size).map(|_| ()),
    };
    plan.tiles.into_inner().into_iter().collect()
}

struct Plan {
    size: u64,
    tiles: RefCell<BTreeSet<Tile>>,
}

impl Plan {
    fn add_edge(&self, level: u8) {
        let length = level_length(level, self.size);
        if !length.is_multiple_of(TILE_WIDTH) {
            self.add(level, length / TILE_WIDTH);
        }
    }

    fn add(&self, level: u8, index: u64) {
        if let Some(tile) = hash_tile(level, index, self.size)
            && self.tiles.borrow_mut().insert(tile)
            && u64::from(tile.width()) == TILE_WIDTH
        {
            self.add(level + 1, index / TILE_WIDTH);
        }
    }
}

impl Subtrees for Plan {
    type Error = Infallible;
    fn subtree(&self, height: u32, index: u64) -> std::result::Result<Hash, Infallible> {
        let place = Place::of(height, index);
        self.add(place.level, place.tile);
        Ok(Hash([0; 32]))
    }
}

/// Where the hashes under a complete subtree lie: a run that starts at a multiple of its length is in one tile.
struct Place {
    level: u8,
    tile: u64,
    start: usize,
    count: usize,
}

impl Place {
    fn of(height: u32, index: u64) -> Self {
        let level = u8::try_from(height / 8).unwrap_or(u8::MAX);
        let count = 1usize << (height % 8);
        let first = index.saturating_mul(count as u64);
        // The remainder is under 256, so the conversion holds.
        let start = usize::try_from(first % TILE_WIDTH).unwrap_or(usize::MAX);
        Self { level, tile: first / TILE_WIDTH, start, count }
    }
}

/// The tile as wide as a tree of that size makes it; `None` where the tree has none.
fn hash_tile(level: u8, index: u64, size: u64) -> Option<Tile> {
    let first = index.checked_mul(TILE_WIDTH)?;
    let width = level_length(level, size).checked_sub(first)?.min(TILE_WIDTH);
    Tile::new(Content::Hashes { level }, index, u16::try_from(width).ok()?).ok()
}

type KnownTiles = HashMap<(u8, u64), Rc<Vec<Hash>>>;

/// Hashes of the tree of one checkpoint, out of fetched and authenticated tiles.
pub struct TileReader<F> {
    size: u64,
    fetch: F,
    /// Authenticated tiles by level and index.
    known: RefCell<KnownTiles>,
}

impl<F: Fn(&Tile) -> Result<Vec<u8>>> TileReader<F> {
    /// Fetches the right edge and holds it against the root. The caller has verified the checkpoint's signature.
    ///
    /// # Errors
    /// [`LedgerError::ProofWrong`] when the tiles are not those of this root; those of `fetch`.
    pub fn new(checkpoint: &Checkpoint, fetch: F) -> Result<Self> {
        let size = checkpoint.size;
        let mut known = KnownTiles::new();
        let mut root: Option<Hash> = None;
        for level in levels_of(size) {
            let length = level_length(level, size);
            let Some(tile) = hash_tile(level, length / TILE_WIDTH, size) else { continue };
            let hashes = hashes_of(&tile, &fetch(&tile)?)?;
            root = fold_edge(root, &hashes);
            known.insert((level, tile.index()), Rc::new(hashes));
        }
        if root.unwrap_or_else(merkle::empty_root) != checkpoint.root {
            return Err(LedgerError::ProofWrong("tile"));
        }
        Ok(Self { size, fetch, known: RefCell::new(known) })
    }

    /// The bridge to the first `old` entries.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`] unless `0 < old < size`; [`LedgerError::ProofWrong`]; those of `fetch`.
    pub fn bridge(&self, old: u64) -> Result<Bridge> {
        Bridge::of(self, old, self.size)?.ok_or_else(|| self.outside("size", old))
    }

    /// The consistency path from the first `old` entries, as witnesses want it.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`] when `old` is over the size; [`LedgerError::ProofWrong`]; those of `fetch`.
    pub fn consistency(&self, old: u64) -> Result<Vec<Hash>> {
        if old > self.size {
            return Err(self.outside("size", old));
        }
        merkle::consistency_path(self, old, self.size)
    }

    /// The inclusion path of an entry, and its leaf hash.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`], [`LedgerError::ProofWrong`]; those of `fetch`.
    pub fn inclusion(&self, index: u64) -> Result<(Hash, Vec<Hash>)> {
        if index >= self.size {
            return Err(self.outside("entry", index));
        }
        Ok((self.subtree(0, index)?, merkle::inclusion_path(self, index, self.size)?))
    }

    fn outside(&self, what: &'static str, asked: u64) -> LedgerError {
        LedgerError::OutOfRange { what, asked: asked.to_string(), size: self.size }
    }

    /// An authenticated tile. The way up ends in the right edge, which [`TileReader::new`] has checked.
    fn tile(&self, level: u8, index: u64) -> Result<Rc<Vec<Hash>>> {
        if let Some(known) = self.known.borrow().get(&(level, index)) {
            return Ok(Rc::clone(known));
        }
        let outside = || self.outside("tile", index);
        let tile = hash_tile(level, index, self.size).ok_or_else(outside)?;
        let above = self.tile(level + 1, index / TILE_WIDTH)?;
        let place = usize::try_from(index % TILE_WIDTH).map_err(|_| outside())?;
        let hashes = hashes_of(&tile, &(self.fetch)(&tile)?)?;
        if above.get(place).copied() != perfect_root(hashes.clone()) {
            return Err(LedgerError::ProofWrong("tile"));
        }
        let hashes = Rc::new(hashes);
        self.known.borrow_mut().insert((level, index), Rc::clone(&hashes));
        Ok(hashes)
    }
}

impl<F: Fn(&Tile) -> Result<Vec<u8>>> Subtrees for TileReader<F> {
    type Error = LedgerError;
    fn subtree(&self, height: u32, index: u64) -> Result<Hash> {
        let place = Place::of(height, index);
        let tile = self.tile(place.level, place.tile)?;
        let run = place.start.checked_add(place.count).and_then(|end| tile.get(place.start..end));
        let root = run.and_then(|run| perfect_root(run.to_vec()));
        root.ok_or_else(|| self.outside("subtree", index))
    }
}

/// The hashes of a tile. A server that dropped a partial tile may answer with the full one (C2SP `tlog-tiles`).
fn hashes_of(tile: &Tile, bytes: &[u8]) -> Result<Vec<Hash>> {
    let wanted = 32 * usize::from(tile.width());
    let whole = bytes.len() == HASH_TILE_BYTES || bytes.len() == wanted;
    let Some(bytes) = bytes.get(..wanted).filter(|_| whole) else {
        let why = format!("`{tile}` has {} bytes, not {wanted}", bytes.len());
        return Err(LedgerError::malformed("tile", why));
    };
    Ok(bytes.chunks_exact(32).filter_map(|hash| hash.try_into().ok().map(Hash)).collect())
}

/// Adds the peaks of a partial tile, which lie to the left of `right`, to the fold of the root.
fn fold_edge(right: Option<Hash>, hashes: &[Hash]) -> Option<Hash> {
    let mut rest = hashes;
    let mut right = right;
    // The smallest peak is the rightmost: its size is the lowest set bit of how many hashes are left.
    while !rest.is_empty() {
        let (left, peak) = rest.split_at(rest.len() - (1 << rest.len().trailing_zeros()));
        let peak = perfect_root(peak.to_vec())?;
        right = Some(right.map_or(peak, |right| node_hash(&peak, &right)));
        rest = left;
    }
    right
}

#[cfg(test)]
#[path = "tile_reader_tests.rs"]
mod tests;
