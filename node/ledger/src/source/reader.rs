//! The tree behind a checkpoint, read tile by tile, each proved before it is used.
//!
//! The hashes of the partial tiles are exactly the leaves of the sum that makes the root, so the root proves the
//! right edge whole. Every full tile has its root as one hash in a tile above it. So each tile costs one fetch and
//! 255 hashes, and one tile a level is kept.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use certs::note::Vkey;

use super::Source;
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::error::{LedgerError, Result};
use crate::log::wal;
use crate::merkle::{self, Hash, Subtrees, leaf_hash, perfect_root};
use crate::tile::{Content, TILE_WIDTH, Tile, level_length, levels_of};

/// An entry that stands in the signed tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its leaf hash.
    pub leaf: Hash,
}

type Hashes = Arc<[Hash]>;

/// A log at one signed checkpoint.
pub struct Reader<S> {
    source: S,
    signed: SignedCheckpoint,
    edge: Vec<Option<Hashes>>,
    /// The last full tile of each level.
    last: RefCell<Vec<Option<(u64, Hashes)>>>,
}

impl<S: Source> Reader<S> {
    /// Reads the source's newest checkpoint, checks its signature by one of `keys` and its root by the right edge.
    ///
    /// # Errors
    /// [`LedgerError::NotAsSigned`] naming what does not fit; those of the source.
    pub fn open(source: S, keys: &[Vkey]) -> Result<Self> {
        let bytes = source.checkpoint()?;
        let signed = SignedCheckpoint::open(&bytes, keys).map_err(|error| LedgerError::NotAsSigned {
            place: source.place("checkpoint"),
            index: None,
            expected: "a checkpoint signed by the log's key".to_owned(),
            found: error.to_string(),
        })?;
        Self::at(source, signed)
    }

    /// The log as it was at a checkpoint whose signatures the caller has checked.
    ///
    /// # Errors
    /// Those of [`Reader::open`].
    pub fn at(source: S, signed: SignedCheckpoint) -> Result<Self> {
        let mut reader = Self { source, signed, edge: Vec::new(), last: RefCell::new(vec![None; 9]) };
        reader.edge = levels_of(reader.size()).map(|level| reader.edge_of(level)).collect::<Result<_>>()?;
        let root = merkle::root(&Edges(&reader), reader.size())?;
        let said = reader.checkpoint().root;
        if root == said {
            return Ok(reader);
        }
        Err(LedgerError::NotAsSigned {
            place: reader.source.place("checkpoint"),
            index: None,
            expected: format!("the root {said} over the last tiles of each level"),
            found: root.to_string(),
        })
    }

    /// What the log signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        self.signed.checkpoint()
    }

    /// The checkpoint with its signatures.
    #[must_use]
    pub fn signed(&self) -> &SignedCheckpoint {
        &self.signed
    }

    /// Entries under the checkpoint.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.checkpoint().size
    }

    /// Where the bytes come from.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The entries of a range, in order, bundle by bundle. After an error there is nothing more.
    pub fn entries(&self, range: Range<u64>) -> Entries<'_, S> {
        let end = range.end.min(self.size());
        Entries { reader: self, next: range.start, end, ready: Vec::new().into_iter(), failed: false }
    }

    /// The inclusion path of an entry in this tree.
    ///
    /// # Errors
    /// Those of [`Reader::open`].
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>> {
        merkle::inclusion_path(self, index, self.size())
    }

    /// The root that this very tree had at an earlier size.
    ///
    /// # Errors
    /// [`LedgerError::OutOfRange`] for a larger size; those of [`Reader::open`].
    pub fn root_at(&self, size: u64) -> Result<Hash> {
        if size > self.size() {
            let asked = size.to_string();
            return Err(LedgerError::OutOfRange { what: "size", asked, size: self.size() });
        }
        merkle::root(self, size)
    }

    /// The hashes of a tile, proved.
    ///
    /// # Errors
    /// Those of [`Reader::open`].
    pub fn hashes(&self, level: u8, n: u64) -> Result<Hashes> {
        if n == level_length(level, self.size()) / TILE_WIDTH {
            let edge = self.edge.get(usize::from(level)).cloned().flatten();
            return edge.ok_or_else(|| self.no_tile(level, n));
        }
        if let Some((_, hashes)) = self.kept(level).filter(|(kept, _)| *kept == n) {
            return Ok(hashes);
        }
        let tile = Tile::new(Content::Hashes { level }, n, 256)?;
        let hashes = self.fetch(&tile)?;
        let above = self.hashes(level.saturating_add(1), n / TILE_WIDTH)?;
        let expected = usize::try_from(n % TILE_WIDTH).ok().and_then(|place| above.get(place).copied());
        let found = perfect_root(hashes.to_vec());
        if expected != found || expected.is_none() {
            let text = |hash: Option<Hash>| hash.map_or("no hash".to_owned(), |hash| hash.to_string());
            return Err(LedgerError::NotAsSigned {
                place: self.source.place(&tile.to_string()),
                index: n.checked_mul(TILE_WIDTH).filter(|_| level == 0),
                expected: format!("a tile with the root {}", text(expected)),
                found: text(found),
            });
        }
        if let Some(slot) = self.last.borrow_mut().get_mut(usize::from(level)) {
            *slot = Some((n, hashes.clone()));
        }
        Ok(hashes)
    }

    fn kept(&self, level: u8) -> Option<(u64, Hashes)> {
        self.last.borrow().get(usize::from(level)).cloned().flatten()
    }

    fn edge_of(&self, level: u8) -> Result<Option<Hashes>> {
        let length = level_length(level, self.size());
        match u16::try_from(length % TILE_WIDTH) {
            Ok(width) if width > 0 => {
                let tile = Tile::new(Content::Hashes { level }, length / TILE_WIDTH, width)?;
                self.fetch(&tile).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// A tile as the source gives it. One that grew since may be there in its full form only.
    fn bytes(&self, tile: &Tile) -> Result<Option<Vec<u8>>> {
        match self.source.tile(tile)? {
            None if u64::from(tile.width()) < TILE_WIDTH => {
                self.source.tile(&Tile::new(tile.content(), tile.index(), 256)?)
            }
            found => Ok(found),
        }
    }

    fn fetch(&self, tile: &Tile) -> Result<Hashes> {
        let bytes = self.bytes(tile)?.ok_or_else(|| self.no_tile_at(tile))?;
        let wanted = 32 * usize::from(tile.width());
        if bytes.len() != wanted && bytes.len() != super::TILE_BYTES_MAX {
            return Err(LedgerError::NotAsSigned {
                place: self.source.place(&tile.to_string()),
                index: None,
                expected: format!("{wanted} bytes, for {} hashes", tile.width()),
                found: format!("{} bytes", bytes.len()),
            });
        }
        let hashes = bytes.chunks_exact(32).take(usize::from(tile.width()));
        Ok(hashes.filter_map(|hash| hash.try_into().ok().map(Hash)).collect())
    }

    fn no_tile(&self, level: u8, n: u64) -> LedgerError {
        let tile = Tile::new(Content::Hashes { level }, n, 256);
        tile.map_or_else(|error| error, |tile| self.no_tile_at(&tile))
    }

    fn no_tile_at(&self, tile: &Tile) -> LedgerError {
        super::missing(self.source.place(&tile.to_string()), "a tile")
    }

    /// The proved entries of `from..to`, which lie in one bundle.
    fn part(&self, from: u64, to: u64) -> Result<Vec<Entry>> {
        let n = from / TILE_WIDTH;
        let width = (self.size() - n * TILE_WIDTH).min(TILE_WIDTH);
        let tile = Tile::new(Content::Entries, n, u16::try_from(width).unwrap_or(256))?;
        let hashes = self.hashes(0, n)?;
        let place = self.source.place(&tile.to_string());
        let bundle = self.bytes(&tile)?;
        let bundle = bundle.as_deref().map(|bytes| self.split(&tile, &place, bytes)).transpose()?;
        let mut entries = Vec::new();
        for index in from..to {
            let inside = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
            let (place, bytes) = match &bundle {
                Some(bundle) => (place.clone(), bundle.get(inside).map(|bytes| bytes.to_vec())),
                None => (self.source.place(&format!("entry/{index}")), self.source.entry(index)?),
            };
            let wrong = |expected: String, found: String| {
                Err(LedgerError::NotAsSigned { place, index: Some(index), expected, found })
            };
            let expected = hashes.get(inside).copied();
            match (bytes, expected) {
                (Some(bytes), Some(expected)) if leaf_hash(&bytes) == expected => {
                    entries.push(Entry { index, bytes, leaf: expected });
                }
                (Some(bytes), Some(expected)) => {
                    return wrong(
                        format!("an entry with the hash {expected}"),
                        leaf_hash(&bytes).to_string(),
                    );
                }
                _ => return wrong("an entry".to_owned(), "nothing".to_owned()),
            }
        }
        Ok(entries)
    }

    fn split<'a>(&self, tile: &Tile, place: &str, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>> {
        let wrong = |found: String| LedgerError::NotAsSigned {
            place: place.to_owned(),
            index: Some(tile.index().saturating_mul(TILE_WIDTH)),
            expected: format!("a bundle of {} whole entries", tile.width()),
            found,
        };
        let entries = wal::entries(bytes).ok_or_else(|| wrong("a cut one".to_owned()))?;
        let full = entries.len() == 256;
        if entries.len() != usize::from(tile.width()) && !full {
            return Err(wrong(format!("{} entries", entries.len())));
        }
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }
}

impl<S> std::fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let checkpoint = self.signed.checkpoint();
        write!(f, "Reader({} at {})", checkpoint.origin, checkpoint.size)
    }
}

fn run_of(hashes: &[Hash], first: u64, count: u64) -> Option<Hash> {
    let start = usize::try_from(first % TILE_WIDTH).ok()?;
    let end = start.checked_add(usize::try_from(count).ok()?)?;
    perfect_root(hashes.get(start..end)?.to_vec())
}

/// Level, first hash and number of hashes of a complete subtree: at most 128 of one tile.
fn place_of(height: u32, index: u64) -> (u8, u64, u64) {
    let count = 1u64 << (height % 8);
    (u8::try_from(height / 8).unwrap_or(u8::MAX), index.saturating_mul(count), count)
}

impl<S: Source> Subtrees for Reader<S> {
    type Error = LedgerError;
    fn subtree(&self, height: u32, index: u64) -> Result<Hash> {
        let (level, first, count) = place_of(height, index);
        let hashes = self.hashes(level, first / TILE_WIDTH)?;
        run_of(&hashes, first, count).ok_or_else(|| self.no_tile(level, first / TILE_WIDTH))
    }
}

/// The right edge alone, before it is proved.
struct Edges<'a, S>(&'a Reader<S>);

impl<S: Source> Subtrees for Edges<'_, S> {
    type Error = LedgerError;
    fn subtree(&self, height: u32, index: u64) -> Result<Hash> {
        let (level, first, count) = place_of(height, index);
        let edge = self.0.edge.get(usize::from(level)).cloned().flatten();
        let run = edge.and_then(|hashes| run_of(&hashes, first, count));
        run.ok_or_else(|| self.0.no_tile(level, first / TILE_WIDTH))
    }
}

/// See [`Reader::entries`].
pub struct Entries<'a, S> {
    reader: &'a Reader<S>,
    next: u64,
    end: u64,
    ready: std::vec::IntoIter<Entry>,
    failed: bool,
}

impl<S: Source> Iterator for Entries<'_, S> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.ready.next() {
            return Some(Ok(entry));
        }
        if self.failed || self.next >= self.end {
            return None;
        }
        let to = (self.next / TILE_WIDTH + 1).saturating_mul(TILE_WIDTH).min(self.end);
        match self.reader.part(self.next, to) {
            Ok(entries) => {
                self.next = to;
                self.ready = entries.into_iter();
                self.ready.next().map(Ok)
            }
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}
