//! The Merkle root over a manifest's chunks.

use sha2::{Digest as _, Sha256};

use super::Chunk;
use crate::json::Digest;

/// Root over the chunks in their order; see the module page of [`crate::manifest`] for the construction.
///
/// One pass with a stack of finished subtrees, as in RFC 9162's compact ranges: no recursion, memory of the tree's height.
#[must_use]
pub fn merkle_root(chunks: &[Chunk]) -> Digest {
    let mut stack: Vec<(u32, [u8; 32])> = Vec::new();
    for (index, chunk) in (0_u64..).zip(chunks) {
        let mut top = (0, leaf(index, chunk));
        while let Some((height, left)) = stack.pop_if(|(height, _)| *height == top.0) {
            top = (height + 1, node(&left, &top.1));
        }
        stack.push(top);
    }
    let root = stack.into_iter().rev().map(|(_, hash)| hash).reduce(|right, left| node(&left, &right));
    Digest::from_bytes(root.unwrap_or_else(|| Sha256::digest([]).into()))
}

fn leaf(index: u64, chunk: &Chunk) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(index.to_be_bytes());
    hash.update(chunk.len.to_be_bytes());
    hash.update(chunk.sha256.as_bytes());
    hash.finalize().into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962 section 2.1, word for word.
    fn by_definition(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => *one,
            many => {
                let k = many.len().next_power_of_two() / 2;
                node(&by_definition(&many[..k]), &by_definition(&many[k..]))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition() {
        let chunks: Vec<Chunk> =
            (0..70_u64).map(|i| Chunk { len: 1 + i, sha256: Digest::of(&i.to_be_bytes()) }).collect();
        for count in 0..=chunks.len() {
            let chunks = &chunks[..count];
            let leaves: Vec<_> = (0..).zip(chunks).map(|(index, chunk)| leaf(index, chunk)).collect();
            assert_eq!(merkle_root(chunks).as_bytes(), &by_definition(&leaves), "{count} chunks");
        }
    }

    #[test]
    fn known_roots_do_not_change() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(merkle_root(&[]).to_string(), empty);
        let abc = Chunk { len: 3, sha256: Digest::of(b"abc") };
        // printf '\0' + 8 bytes index + 8 bytes length + sha256("abc"), through sha256sum
        let one = "aae3dbb3ad32600b275cf5bf5c821642f8f10ae67f2d1d1eae05098d83d8d24f";
        assert_eq!(merkle_root(&[abc]).to_string(), one);
        let two = "6930e22e945923fdb1523af3025a7964e4ebcdd804b7b4e0d5303035d574c724";
        assert_eq!(merkle_root(&[abc, abc]).to_string(), two);
    }
}
