//! Keys and names that the tests of this crate share: those of the design's vectors.

use std::convert::Infallible;

use certs::note::{Cosigner, KeyName, Signer};
use ed25519_dalek::SigningKey;

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::merkle::{self, Hash, Subtrees, leaf_hash};
use crate::tile::{Content, Tile};

pub(crate) const LOG_ORIGIN: &str = "ledger.example/agency-a/exchange-log";

pub(crate) fn signer(name: &str, seed: u8) -> Signer {
    Signer::new(KeyName::new(name).unwrap(), SigningKey::from_bytes(&[seed; 32]))
}

pub(crate) fn log_signer() -> Signer {
    signer(LOG_ORIGIN, 7)
}

pub(crate) fn cosigner(name: &str, seed: u8) -> Cosigner {
    Cosigner::new(KeyName::new(name).unwrap(), SigningKey::from_bytes(&[seed; 32]))
}

pub(crate) fn witness() -> Cosigner {
    cosigner("witness.example/agency-b", 9)
}

/// A tree in memory, to be grown and forked at will.
#[derive(Clone, Default)]
pub(crate) struct Tree(pub Vec<Hash>);

impl Tree {
    /// The first entries of the design's vectors, and then those of a fork of that name.
    pub fn of(shared: u64, size: u64, fork: &str) -> Self {
        let entry = |k| format!("{{\"exchange{}\":{k}}}", if k < shared { "" } else { fork });
        Self((0..size).map(|k| leaf_hash(entry(k).as_bytes())).collect())
    }

    pub fn signed(&self, size: u64) -> SignedCheckpoint {
        self.signed_by(size, &log_signer())
    }

    pub fn signed_by(&self, size: u64, signer: &Signer) -> SignedCheckpoint {
        let (origin, root) = (signer.vkey().name().clone(), merkle::root(self, size).unwrap());
        Checkpoint { origin, size, root }.sign(signer).unwrap()
    }

    pub fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        merkle::consistency_path(self, old, new).unwrap()
    }

    /// The bytes of a tile of hashes, as the log of these leaves serves it.
    pub fn tile(&self, tile: &Tile) -> Vec<u8> {
        let Content::Hashes { level } = tile.content() else { panic!("{tile}") };
        let first = tile.index() * 256;
        let hashes = (first..first + u64::from(tile.width())).map(|k| self.subtree(8 * u32::from(level), k));
        hashes.flat_map(|hash| hash.unwrap().0).collect()
    }
}

impl Subtrees for Tree {
    type Error = Infallible;
    fn subtree(&self, height: u32, index: u64) -> Result<Hash, Infallible> {
        let start = (index as usize) << height;
        Ok(merkle::perfect_root(self.0[start..start + (1 << height)].to_vec()).unwrap())
    }
}
