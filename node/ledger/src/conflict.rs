//! Evidence that a log signed two histories, which a third party verifies offline with the log's keys alone.
//!
//! Promise: [`verify`] says *equivocated* only of two checkpoints of one origin, each signed by a key of that log,
//! that no tree can satisfy both. Same size and different roots are a proof by themselves. For different sizes the
//! evidence carries a [`Bridge`] out of the larger tree: it leads to the larger signed root, and to another root
//! at the smaller size than the one that was signed there. Nobody can make such evidence against a log that never
//! signed two histories, short of breaking SHA-256 or its key.
//!
//! The form is text: a header, the hashes of the bridge, an empty line, the smaller checkpoint's note, an empty
//! line, the larger one's. One spelling only.
//!
//! Begin with [`Evidence::find`] to make and [`verify`] to judge.

use certs::note::{KeyKind, Vkey};

use crate::bridge::Bridge;
use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint, SignedCheckpoint};
use crate::error::{LedgerError, Result};
use crate::merkle::{Hash, PROOF_HASHES_MAX};

/// First line of the form.
pub const HEADER: &str = "tram/conflict@v1";
/// The whole evidence, in bytes: two checkpoints and a path.
pub const CONFLICT_BYTES_MAX: usize = 2 * CHECKPOINT_BYTES_MAX + 8 * 1024;

/// Two checkpoints of one origin and, for different sizes, the bridge between them. Not judged by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    smaller: SignedCheckpoint,
    larger: SignedCheckpoint,
    bridge: Option<Bridge>,
}

/// What evidence shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The log signed two histories.
    Equivocated(Box<Equivocation>),
    /// One of the checkpoints is not signed by any of the given keys of this log.
    NotSigned {
        /// The size of that checkpoint.
        size: u64,
        /// Why not.
        why: String,
    },
    /// Both are signed, but this is no proof that they contradict each other.
    NotProven {
        /// Why not.
        why: &'static str,
    },
    /// No evidence at all.
    Malformed {
        /// Where it differs from the form.
        why: String,
    },
}

/// Two histories that one log signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equivocation {
    /// What was signed of the smaller size (or of the same).
    pub smaller: Checkpoint,
    /// What was signed of the larger size (or of the same).
    pub larger: Checkpoint,
    /// The root at the smaller size that the larger signed tree has; differs from the smaller checkpoint's.
    pub beginning_of_larger: Hash,
}

impl Evidence {
    /// Looks for a contradiction between two checkpoints, in either order, and gives evidence only if it would
    /// convince others. What strangers added to the notes is left out.
    #[must_use]
    pub fn find(
        one: &SignedCheckpoint,
        other: &SignedCheckpoint,
        bridge: Option<&Bridge>,
        keys: &[Vkey],
    ) -> Option<Self> {
        let keys = log_keys(keys);
        let (one, other) = (one.only_by(&keys).ok()?, other.only_by(&keys).ok()?);
        let order = |signed: &SignedCheckpoint| (signed.checkpoint().size, signed.checkpoint().root);
        let (smaller, larger) = if order(&one) <= order(&other) { (one, other) } else { (other, one) };
        let same_size = smaller.checkpoint().size == larger.checkpoint().size;
        let bridge = if same_size { None } else { bridge.cloned() };
        let evidence = Self { smaller, larger, bridge };
        matches!(evidence.judge(&keys), Verdict::Equivocated(_)).then_some(evidence)
    }

    /// The checkpoint of the smaller size; for equal sizes that of the smaller root.
    #[must_use]
    pub fn smaller(&self) -> &SignedCheckpoint {
        &self.smaller
    }

    /// The checkpoint of the larger size; for equal sizes that of the larger root.
    #[must_use]
    pub fn larger(&self) -> &SignedCheckpoint {
        &self.larger
    }

    /// The bytes of the form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("{HEADER}\n");
        for hash in self.bridge.iter().flat_map(Bridge::hashes) {
            head.push_str(&format!("{hash}\n"));
        }
        [head.as_bytes(), b"\n", &self.smaller.to_bytes(), b"\n", &self.larger.to_bytes()].concat()
    }

    /// Reads the form and judges nothing.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`], [`LedgerError::Malformed`], [`LedgerError::Note`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let refuse = |why: &str| LedgerError::malformed("evidence of a conflict", why);
        if bytes.len() > CONFLICT_BYTES_MAX {
            let (what, bytes) = ("evidence of a conflict", bytes.len());
            return Err(LedgerError::TooLarge { what, bytes, max: CONFLICT_BYTES_MAX });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8"))?;
        // A checkpoint's text has no empty line, so that these are the only five parts there can be.
        let parts: Vec<&str> = text.splitn(6, "\n\n").collect();
        let [head, text_a, signatures_a, text_b, signatures_b] = parts[..] else {
            return Err(refuse("it must have a head and two checkpoints"));
        };
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(refuse("its first line is not `tram/conflict@v1`"));
        }
        let hashes = lines.take(PROOF_HASHES_MAX + 1).map(str::parse).collect::<Result<Vec<Hash>>>()?;
        let smaller = SignedCheckpoint::parse(format!("{text_a}\n\n{signatures_a}\n").as_bytes())?;
        let larger = SignedCheckpoint::parse(format!("{text_b}\n\n{signatures_b}").as_bytes())?;
        let (a, b) = (smaller.checkpoint(), larger.checkpoint());
        if (a.size, a.root) >= (b.size, b.root) {
            return Err(refuse("its checkpoints are not in order, or are the same"));
        }
        let bridge = match (a.size == b.size, hashes.is_empty()) {
            (true, true) => None,
            (true, false) => return Err(refuse("it has a path between checkpoints of one size")),
            (false, _) => Some(
                Bridge::new(a.size, b.size, hashes)
                    .ok_or_else(|| refuse("its path has not the length for these sizes"))?,
            ),
        };
        Ok(Self { smaller, larger, bridge })
    }

    /// Judges it against the log's keys, former ones too. Keys of other names count for nothing.
    #[must_use]
    pub fn judge(&self, keys: &[Vkey]) -> Verdict {
        let keys = log_keys(keys);
        let (a, b) = (self.smaller.checkpoint(), self.larger.checkpoint());
        if a.origin != b.origin {
            return Verdict::NotProven { why: "the checkpoints are of different logs" };
        }
        for signed in [&self.smaller, &self.larger] {
            if let Err(error) = signed.verify(&keys) {
                return Verdict::NotSigned { size: signed.checkpoint().size, why: error.to_string() };
            }
        }
        let not_proven = |why| Verdict::NotProven { why };
        let beginning = match &self.bridge {
            None if a.size == b.size => b.root,
            None => return not_proven("the sizes differ, and there is no path between them"),
            Some(bridge) if bridge.sizes() != (a.size, b.size) => {
                return not_proven("the path is between other sizes");
            }
            Some(bridge) if bridge.roots().1 != b.root => {
                return not_proven("the path does not lead to the larger root");
            }
            Some(bridge) => bridge.roots().0,
        };
        if beginning == a.root {
            return not_proven("the smaller tree is the beginning of the larger one");
        }
        let (smaller, larger) = (a.clone(), b.clone());
        Verdict::Equivocated(Box::new(Equivocation { smaller, larger, beginning_of_larger: beginning }))
    }
}

/// Judges the bytes of evidence against the keys of the log it accuses.
#[must_use]
pub fn verify(bytes: &[u8], keys: &[Vkey]) -> Verdict {
    match Evidence::parse(bytes) {
        Ok(evidence) => evidence.judge(keys),
        Err(error) => Verdict::Malformed { why: error.to_string() },
    }
}

/// A cosignature speaks for a witness, not for the log, and a wrong one must not hide the log's own.
fn log_keys(keys: &[Vkey]) -> Vec<Vkey> {
    keys.iter().filter(|key| key.kind() == KeyKind::Ed25519).cloned().collect()
}

#[cfg(test)]
#[path = "conflict_tests.rs"]
mod tests;
