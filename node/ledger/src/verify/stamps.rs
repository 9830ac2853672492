//! The time-stamps beside a log: each over a checkpoint that this log signed and that its tree still has.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Checks, Report, Stop, found};
use crate::checkpoint::{CHECKPOINT_BYTES_MAX, SignedCheckpoint};
use crate::error::LedgerError;
use crate::log::disk;
use crate::merkle::Hash;
use crate::timestamp::files::{self, Pair};
use crate::timestamp::{TimestampError, Token, verify};

type Checked<T> = std::result::Result<T, Stop>;

/// The stamps that were read, with the notes that they are over.
pub(super) struct Stamped(Vec<(Pair, SignedCheckpoint, Token)>);

impl Stamped {
    /// Reads all pairs; a note must be signed by the log and of the size that its name says.
    pub fn read(dir: &Path, checks: &Checks<'_>) -> Checked<Self> {
        let mut read = Vec::new();
        for pair in files::list(dir)? {
            let Some(bytes) = disk::read_small(&pair.checkpoint, CHECKPOINT_BYTES_MAX)? else {
                return found(&pair.checkpoint, None, "the note that was stamped", "no file");
            };
            let signed = match SignedCheckpoint::open(&bytes, checks.keys) {
                Ok(signed) => signed,
                Err(error) => {
                    return found(&pair.checkpoint, None, "a checkpoint signed by the log's key", error);
                }
            };
            if signed.checkpoint().size != pair.size {
                let size = signed.checkpoint().size;
                return found(&pair.checkpoint, None, format!("a checkpoint of {} entries", pair.size), size);
            }
            let token = match files::read_token(&pair) {
                Err(LedgerError::Timestamp(error)) => return bad(&pair, &error),
                other => other?,
            };
            read.push((pair, signed, token));
        }
        Ok(Self(read))
    }

    /// Sizes whose roots the walk has to note.
    pub fn sizes(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(pair, ..)| pair.size)
    }

    /// Holds notes against the tree, and tokens against notes and roots.
    pub fn check(
        &self,
        tree: &BTreeMap<u64, Option<Hash>>,
        checks: &Checks<'_>,
        report: &mut Report,
    ) -> Checked<()> {
        for (pair, signed, token) in &self.0 {
            let stated = signed.checkpoint().root;
            match tree.get(&pair.size).copied().flatten() {
                Some(root) if root == stated => {}
                Some(root) => return found(&pair.checkpoint, pair.size, root, stated),
                None => return found(&pair.checkpoint, pair.size, "a size that the log has", "a larger one"),
            }
            let note = signed.to_bytes();
            match checks.roots.map(|roots| verify(token, &note, roots, checks.now)) {
                Some(Ok(stamp)) => report.stamps.push((pair.size, stamp)),
                Some(Err(error)) => return bad(pair, &error),
                None if is_over(token, &note) => report.stamps_unchecked += 1,
                None => return bad(pair, &TimestampError::OtherMessage),
            }
        }
        Ok(())
    }
}

fn is_over(token: &Token, note: &[u8]) -> bool {
    use sha2::Digest as _;
    token.is_over(&sha2::Sha256::digest(note).into())
}

fn bad<T>(pair: &Pair, error: &TimestampError) -> Checked<T> {
    found(&pair.token, pair.size, "a time-stamp over the note beside it", error)
}
