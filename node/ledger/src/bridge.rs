//! Bridges between two sizes of one tree: a consistency path that tells both roots by itself.
//!
//! A consistency path of RFC 9162 leaves out its first hash when the verifier knows it: the old root, for a size
//! that is a power of two. A bridge always has it. So whoever holds a bridge out of the larger tree learns what
//! that tree's beginning *is*, and not only whether it is what he had in mind; that is what proves a fork.

use crate::merkle::{self, Hash, Subtrees, fold_consistency};

/// The hashes that lead to the roots of the first `old` and of all `new` leaves of one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    old: u64,
    new: u64,
    hashes: Vec<Hash>,
    roots: (Hash, Hash),
}

impl Bridge {
    /// Reads the hashes from the larger tree. `None` unless `0 < old < new`.
    ///
    /// # Errors
    /// Those of the source.
    pub fn of<S: Subtrees + ?Sized>(source: &S, old: u64, new: u64) -> Result<Option<Self>, S::Error> {
        if old == 0 || old >= new {
            return Ok(None);
        }
        let mut hashes = merkle::consistency_path(source, old, new)?;
        if old.is_power_of_two() {
            hashes.insert(0, merkle::root(source, old)?);
        }
        Ok(Self::new(old, new, hashes))
    }

    /// Takes hashes from anywhere. `None` unless `0 < old < new` and their number is that of these sizes.
    #[must_use]
    pub fn new(old: u64, new: u64, hashes: Vec<Hash>) -> Option<Self> {
        let (first, rest) = hashes.split_first()?;
        let roots = fold_consistency(old, new, first, rest)?;
        Some(Self { old, new, hashes, roots })
    }

    /// Takes a consistency path of RFC 9162. `None` when it is not complete in itself: when `old` is a power of two.
    #[must_use]
    pub fn of_consistency(old: u64, new: u64, path: &[Hash]) -> Option<Self> {
        if old.is_power_of_two() { None } else { Self::new(old, new, path.to_vec()) }
    }

    /// The two sizes, the smaller first.
    #[must_use]
    pub fn sizes(&self) -> (u64, u64) {
        (self.old, self.new)
    }

    /// The roots of the two sizes, the smaller first. They mean something if the larger one was signed.
    #[must_use]
    pub fn roots(&self) -> (Hash, Hash) {
        self.roots
    }

    /// The hashes in their order.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn a_bridge_tells_both_roots_at_every_size() {
        let tree = Tree::of(70, 70, "");
        let root = |size| merkle::root(&tree, size).unwrap();
        for new in 0..=70 {
            for old in 0..=70 {
                let bridge = Bridge::of(&tree, old, new).unwrap();
                assert_eq!(bridge.is_some(), 0 < old && old < new);
                let Some(bridge) = bridge else { continue };
                assert_eq!((bridge.roots(), bridge.sizes()), ((root(old), root(new)), (old, new)));
                let path = tree.consistency(old, new);
                assert_eq!(Bridge::of_consistency(old, new, &path).is_some(), !old.is_power_of_two());
                for cut in 0..bridge.hashes().len() {
                    assert_eq!(Bridge::new(old, new, bridge.hashes()[..cut].to_vec()), None);
                }
                let longer = [bridge.hashes(), &[root(old)]].concat();
                assert_eq!(Bridge::new(old, new, longer), None);
            }
        }
    }

    #[test]
    fn strangers_numbers_do_no_harm() {
        let hash = crate::merkle::leaf_hash(b"x");
        for old in [0, 1, 3, u64::MAX - 1, u64::MAX] {
            for new in [0, 1, 3, u64::MAX] {
                assert_eq!(Bridge::new(old, new, vec![hash; 200]), None);
                assert_eq!(Bridge::new(old, new, vec![]), None);
            }
        }
    }
}
