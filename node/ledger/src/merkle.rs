//! The Merkle tree of RFC 6962 / RFC 9162 section 2.1 over SHA-256: roots, proofs, and their verification.
//!
//! Promise: pure functions. Verification takes any numbers and hashes that a stranger may send and answers yes or
//! no without panic. Making proofs asks a [`Subtrees`] for the hashes of complete subtrees, wherever they are.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::error::{LedgerError, Result};
use crate::text;

/// Hashes in a proof: a tree of 2^64 leaves has no longer one.
pub const PROOF_HASHES_MAX: usize = 64;

/// A SHA-256 hash. Its text form is padded standard base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::to_base64(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = LedgerError;
    fn from_str(from: &str) -> Result<Self> {
        let why = || format!("`{}` is not 32 bytes of canonical base64", text::shortened(from));
        text::base64_32(from).map(Self).ok_or_else(|| LedgerError::malformed("hash", why()))
    }
}

/// The hash of an entry: `SHA-256(0x00 || bytes)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(entry);
    Hash(hash.finalize().into())
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left.0);
    hash.update(right.0);
    Hash(hash.finalize().into())
}

/// The root of the tree without leaves: `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The right edge of a growing tree: the roots of its complete subtrees, the largest first. Their heights are the
/// set bits of the size, so a tree of any size needs at most 64 hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    peaks: Vec<Hash>,
}

impl Edge {
    /// The edge of the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of the first `size` leaves of a tree.
    ///
    /// # Errors
    /// Those of the source.
    pub fn of<S: Subtrees + ?Sized>(source: &S, size: u64) -> std::result::Result<Self, S::Error> {
        let mut peaks = Vec::new();
        let mut start = 0;
        for height in (0..u64::BITS).rev() {
            if size >> height & 1 == 1 {
                peaks.push(source.subtree(height, start >> height)?);
                start += 1 << height;
            }
        }
        Ok(Self { size, peaks })
    }

    /// How many leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. `completed(height, hash)` hears of each subtree that this completes, the leaf itself first.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(u32, Hash)) {
        let mut hash = leaf;
        completed(0, hash);
        for height in 1..=self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            completed(height, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let folded = self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(empty_root)
    }
}

/// Where the hashes of complete subtrees come from.
pub trait Subtrees {
    /// Why a hash cannot be given.
    type Error;

    /// The root of the complete subtree over leaves `index * 2^height .. (index + 1) * 2^height`.
    ///
    /// # Errors
    /// When the source does not have it.
    fn subtree(&self, height: u32, index: u64) -> std::result::Result<Hash, Self::Error>;
}

/// The root over the roots of a power of two of neighbouring subtrees; `None` for no hashes.
pub(crate) fn perfect_root(mut hashes: Vec<Hash>) -> Option<Hash> {
    while hashes.len() > 1 {
        let pairs = hashes.chunks_exact(2);
        hashes = pairs
            .filter_map(|pair| if let [left, right] = pair { Some(node_hash(left, right)) } else { None })
            .collect();
    }
    hashes.first().copied()
}

/// The root of leaves `start..end`, where `start` is a multiple of the largest power of two under `end - start`,
/// as the ranges of RFC 9162 always are.
fn range<S: Subtrees + ?Sized>(source: &S, start: u64, end: u64) -> std::result::Result<Hash, S::Error> {
    let count = end - start;
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        return source.subtree(height, start >> height);
    }
    let middle = start + split(count);
    Ok(node_hash(&range(source, start, middle)?, &range(source, middle, end)?))
}

/// The largest power of two smaller than `count`, which must be over 1.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root of the first `size` leaves.
///
/// # Errors
/// Those of the source.
pub fn root<S: Subtrees + ?Sized>(source: &S, size: u64) -> std::result::Result<Hash, S::Error> {
    if size == 0 { Ok(empty_root()) } else { range(source, 0, size) }
}

/// The inclusion path of leaf `index` in the tree of the first `size` leaves, the leaf's sibling first. Empty for
/// an index outside of the tree: callers check that before.
///
/// # Errors
/// Those of the source.
pub fn inclusion_path<S: Subtrees + ?Sized>(
    source: &S,
    index: u64,
    size: u64,
) -> std::result::Result<Vec<Hash>, S::Error> {
    let mut path = Vec::new();
    if index >= size {
        return Ok(path);
    }
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(source, middle, end)?);
            end = middle;
        } else {
            path.push(range(source, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of the first `old` leaves is the beginning of the tree of the first `new`. Empty when
/// `old` is 0 or equals `new`.
///
/// # Errors
/// Those of the source.
pub fn consistency_path<S: Subtrees + ?Sized>(
    source: &S,
    old: u64,
    new: u64,
) -> std::result::Result<Vec<Hash>, S::Error> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let (mut start, mut end) = (0, new);
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range(source, middle, end)?);
            end = middle;
        } else {
            path.push(range(source, start, middle)?);
            start = middle;
        }
    }
    // The verifier knows the old root; it needs the last subtree only when that is not the whole old tree.
    if start > 0 {
        path.push(range(source, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// The root that a leaf and its inclusion path give (RFC 9162 section 2.1.3.2), if their number fits.
#[must_use]
pub fn root_of_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Checks that the leaf stands at `index` in the tree of that size and root.
///
/// # Errors
/// [`LedgerError::ProofWrong`].
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<()> {
    match root_of_inclusion(leaf, index, size, path) {
        Some(found) if found == *root => Ok(()),
        _ => Err(LedgerError::ProofWrong("inclusion")),
    }
}

/// Checks that the tree of `old` leaves is the beginning of the tree of `new` leaves (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// [`LedgerError::ProofWrong`].
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) -> Result<()> {
    let fits = if old > new {
        false
    } else if old == new {
        path.is_empty() && old_root == new_root
    } else if old == 0 {
        path.is_empty() && *old_root == empty_root()
    } else {
        roots_of_consistency(old, old_root, new, path) == Some((*old_root, *new_root))
    };
    if fits { Ok(()) } else { Err(LedgerError::ProofWrong("consistency")) }
}

/// The two roots that a consistency path gives, for `0 < old < new`.
fn roots_of_consistency(old: u64, old_root: &Hash, new: u64, path: &[Hash]) -> Option<(Hash, Hash)> {
    let (first, rest) = if old.is_power_of_two() { (old_root, path) } else { path.split_first()? };
    fold_consistency(old, new, first, rest)
}

/// The same with the first hash always given; `None` unless `0 < old < new`.
pub(crate) fn fold_consistency(old: u64, new: u64, first: &Hash, rest: &[Hash]) -> Option<(Hash, Hash)> {
    if old >= new {
        return None;
    }
    let (mut node, mut last) = (old.checked_sub(1)?, new.checked_sub(1)?);
    let ones = node.trailing_ones();
    node >>= ones;
    last >>= ones;
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some((old_hash, new_hash))
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
