//! Digests, and the Merkle root over the digests of chunks.
//!
//! Leaf `i` is `SHA-256(0x00 || u64be i || u64be len || d_i)`, an inner node `SHA-256(0x01 || left || right)`, and the
//! tree has the shape of RFC 9162 §2.1.1; the root of no chunk is the SHA-256 of nothing. A leaf is over a chunk's
//! digest, so the data itself is hashed once, and the digest is the chunk's `Content-Digest` too.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// A SHA-256 value; written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

/// A text that is not 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hex digits")]
pub struct NotADigest;

impl FromStr for Sha256 {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(NotADigest);
        }
        let mut out = [0u8; 32];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return Err(NotADigest) };
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(Self(out))
    }
}

fn nibble(digit: u8) -> Result<u8, NotADigest> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NotADigest),
    }
}

impl TryFrom<String> for Sha256 {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

/// One chunk of a transfer, as a manifest lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkDigest {
    /// Bytes of the chunk.
    pub len: u64,
    /// Digest of its bytes.
    pub sha256: Sha256,
}

/// Merkle root over chunks in order.
#[must_use]
pub fn root(chunks: &[ChunkDigest]) -> Sha256 {
    if chunks.is_empty() {
        return Sha256::of(&[]);
    }
    let mut level: Vec<[u8; 32]> = (0u64..).zip(chunks).map(|(i, c)| leaf(i, c)).collect();
    while level.len() > 1 {
        // An odd node at the end moves up as it is: that is the RFC's tree, level by level.
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node(left, right),
                rest => rest.first().copied().unwrap_or_default(),
            })
            .collect();
    }
    Sha256(level.first().copied().unwrap_or_default())
}

fn leaf(number: u64, chunk: &ChunkDigest) -> [u8; 32] {
    let mut hash = sha2::Sha256::new();
    hash.update([0u8]);
    hash.update(number.to_be_bytes());
    hash.update(chunk.len.to_be_bytes());
    hash.update(chunk.sha256.0);
    hash.finalize().into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hash = sha2::Sha256::new();
    hash.update([1u8]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 9162, by recursion, against the level-by-level computation.
    fn by_definition(leaves: &[[u8; 32]]) -> [u8; 32] {
        if leaves.len() == 1 {
            return leaves[0];
        }
        let mut split = 1;
        while split * 2 < leaves.len() {
            split *= 2;
        }
        node(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
    }

    #[test]
    fn the_root_is_the_one_of_the_definition() {
        for n in 1..=33u64 {
            let chunks: Vec<ChunkDigest> =
                (0..n).map(|i| ChunkDigest { len: i + 1, sha256: Sha256::of(&i.to_be_bytes()) }).collect();
            let leaves: Vec<[u8; 32]> = (0u64..).zip(&chunks).map(|(i, c)| leaf(i, c)).collect();
            assert_eq!(root(&chunks).0, by_definition(&leaves), "{n} chunks");
        }
    }

    #[test]
    fn the_root_of_nothing_is_the_digest_of_nothing() {
        assert_eq!(root(&[]).to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn order_and_length_count() {
        let a = ChunkDigest { len: 1, sha256: Sha256::of(b"a") };
        let b = ChunkDigest { len: 1, sha256: Sha256::of(b"b") };
        assert_ne!(root(&[a, b]), root(&[b, a]));
        assert_ne!(root(&[a]), root(&[ChunkDigest { len: 2, ..a }]));
    }

    #[test]
    fn a_digest_reads_back_and_nothing_else_does() {
        let digest = Sha256::of(b"x");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for bad in ["", "00", &digest.to_string().to_uppercase(), &"zz".repeat(32), &"é".repeat(32)] {
            assert_eq!(bad.parse::<Sha256>(), Err(NotADigest), "{bad}");
        }
    }
}
