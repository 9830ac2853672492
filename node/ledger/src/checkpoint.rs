//! Checkpoints (C2SP `tlog-checkpoint`): a log's signed word on its size and root.
//!
//! Promise: [`Checkpoint::parse`] accepts the canonical text only. [`SignedCheckpoint::open`] demands a right
//! signature by a known key that carries the log's own name; cosignatures of witnesses ride along.

use certs::note::{KeyKind, KeyName, Note, NoteError, Signature, Signer, Verified, Vkey};

use crate::error::{LedgerError, Result};
use crate::merkle::{Hash, empty_root};
use crate::text;

/// A checkpoint note with all its cosignatures, in bytes: what a witness accepts from a stranger.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// The body of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log; also the name of its key.
    pub origin: KeyName,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The three lines.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Reads the three lines. Extension lines are not recommended by the specification, and post-quantum
    /// cosignatures do not cover them: refused.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`].
    pub fn parse(body: &str) -> Result<Self> {
        let checkpoint = Self::parse_any_root(body)?;
        if !checkpoint.root_can_be() {
            let why = "its size is 0 but its root is not that of the empty tree";
            return Err(LedgerError::malformed("checkpoint", why));
        }
        Ok(checkpoint)
    }

    /// Whether any tree of this size has this root, as far as one can tell.
    pub(crate) fn root_can_be(&self) -> bool {
        self.size > 0 || self.root == empty_root()
    }

    fn parse_any_root(body: &str) -> Result<Self> {
        let refuse = |why: &str| LedgerError::malformed("checkpoint", why);
        let lines: Vec<&str> =
            body.strip_suffix('\n').ok_or_else(|| refuse("no newline at its end"))?.split('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(refuse("it must have the three lines origin, size and root"));
        };
        let origin = KeyName::new(origin)?;
        let size = text::decimal(size).ok_or_else(|| refuse("its size is no canonical number"))?;
        let root: Hash = root.parse()?;
        Ok(Self { origin, size, root })
    }

    /// Signs it with the log's key, whose name must be the origin.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the key has another name.
    pub fn sign(self, signer: &Signer) -> Result<SignedCheckpoint> {
        if *signer.vkey().name() != self.origin {
            return Err(LedgerError::malformed("checkpoint", "the name of the key is not the origin"));
        }
        let note = signer.sign(&self.to_text())?;
        Ok(SignedCheckpoint { checkpoint: self, note })
    }
}

/// A checkpoint with its note, signed by the log and perhaps cosigned by witnesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// Reads a checkpoint note without judging its signatures: to learn whose keys to look up.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`], [`LedgerError::TooLarge`], [`LedgerError::Note`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let signed = Self::parse_any_root(bytes)?;
        Checkpoint::parse(signed.note.text())?;
        Ok(signed)
    }

    /// Reads also an empty tree with a root that cannot be, for a witness who must first ask who signed that.
    pub(crate) fn parse_any_root(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > CHECKPOINT_BYTES_MAX {
            return Err(LedgerError::TooLarge {
                what: "checkpoint",
                bytes: bytes.len(),
                max: CHECKPOINT_BYTES_MAX,
            });
        }
        let note = Note::parse(bytes)?;
        Ok(Self { checkpoint: Checkpoint::parse_any_root(note.text())?, note })
    }

    /// Reads a checkpoint note and verifies it (see [`SignedCheckpoint::verify`]).
    ///
    /// # Errors
    /// Those of [`SignedCheckpoint::parse`] and [`SignedCheckpoint::verify`].
    pub fn open(bytes: &[u8], known: &[Vkey]) -> Result<Self> {
        let signed = Self::parse(bytes)?;
        signed.verify(known)?;
        Ok(signed)
    }

    /// Verifies against known keys of logs and witnesses; tells who signed and, for witnesses, when.
    ///
    /// # Errors
    /// [`LedgerError::Note`] when a known key's signature is wrong or the log itself did not sign.
    pub fn verify(&self, known: &[Vkey]) -> Result<Vec<Verified>> {
        let signed = self.note.verify(known)?;
        let by_log = signed
            .iter()
            .any(|v| v.key.kind() == KeyKind::Ed25519 && *v.key.name() == self.checkpoint.origin);
        if by_log { Ok(signed) } else { Err(NoteError::NoKnownSignature.into()) }
    }

    /// The same checkpoint with nothing but the right signatures of these keys, one a key, so that what strangers
    /// add to it is not kept.
    ///
    /// # Errors
    /// Those of [`SignedCheckpoint::verify`].
    pub fn only_by(&self, known: &[Vkey]) -> Result<Self> {
        self.verify(known)?;
        self.with_lines(self.note.signatures().iter().filter(|line| claimed(line, known)))
    }

    /// Adds the cosignatures that a witness answered. Lines of unknown keys are left out; a line replaces that of
    /// the same key, so that a checkpoint carries each witness's newest word.
    ///
    /// # Errors
    /// [`LedgerError::Note`] when a known witness's line is wrong, none is of a known witness, or the note is full.
    pub fn cosigned(&self, lines: &[Signature], witnesses: &[Vkey]) -> Result<Self> {
        let mut answered = Note::new(self.note.text())?;
        for line in lines {
            answered.push(line.clone())?;
        }
        let witnesses: Vec<Vkey> =
            witnesses.iter().filter(|key| key.kind() == KeyKind::CosignatureV1).cloned().collect();
        answered.verify(&witnesses)?;
        let added = answered.signatures().iter().filter(|line| claimed(line, &witnesses));
        let old = self.note.signatures().iter();
        let kept = old.filter(|old| !added.clone().any(|new| same_key(old, new)));
        self.with_lines(kept.chain(added.clone()))
    }

    /// The same text with these lines, one a key.
    fn with_lines<'a>(&self, lines: impl Iterator<Item = &'a Signature>) -> Result<Self> {
        let mut note = Note::new(self.note.text())?;
        for line in lines {
            if !note.signatures().iter().any(|earlier| same_key(earlier, line)) {
                note.push(line.clone())?;
            }
        }
        Ok(Self { checkpoint: self.checkpoint.clone(), note })
    }

    /// What it says.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The bytes of the note, as served and stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.note.to_bytes()
    }
}

fn same_key(a: &Signature, b: &Signature) -> bool {
    a.name == b.name && a.key_id == b.key_id
}

fn claimed(line: &Signature, known: &[Vkey]) -> bool {
    known.iter().any(|key| *key.name() == line.name && key.id() == line.key_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LOG_ORIGIN, log_signer, witness};

    const BODY: &str =
        "ledger.example/agency-a/exchange-log\n3\nbchQvMlKY9Myv/gL1uPluT2M6U0nENZ0icet2fy5wPk=\n";

    fn signed() -> SignedCheckpoint {
        Checkpoint::parse(BODY).unwrap().sign(&log_signer()).unwrap()
    }

    #[test]
    fn signs_the_vector() {
        let bytes = String::from_utf8(signed().to_bytes()).unwrap();
        assert!(bytes.starts_with(BODY));
        assert!(bytes.ends_with("exchange-log vR2WQB5qQJnTxqUSeo0/9i5ZRzKObyV/fhtXJ/F0UYLqZg9WCOtFpaBkdtRPZb6/rJh9wB86aZOVkvc7rLwWqOZ9RA4=\n"));
        assert_eq!(SignedCheckpoint::open(bytes.as_bytes(), &[log_signer().vkey()]).unwrap(), signed());
    }

    #[test]
    fn the_log_itself_must_have_signed() {
        let mut note = Note::new(BODY).unwrap();
        witness().add_to(&mut note, 1_790_000_000).unwrap();
        let known = [log_signer().vkey(), witness().vkey()];
        assert!(SignedCheckpoint::open(&note.to_bytes(), &known).is_err());
        log_signer().add_to(&mut note).unwrap();
        let open = SignedCheckpoint::open(&note.to_bytes(), &known).unwrap();
        let times: Vec<_> = open.verify(&known).unwrap().into_iter().map(|v| v.time).collect();
        assert_eq!(times, [Some(1_790_000_000), None]);
        // A key of another name cannot speak for this log.
        let other = Signer::new(
            KeyName::new("ledger.example/other").unwrap(),
            ed25519_dalek::SigningKey::from_bytes(&[8; 32]),
        );
        assert!(Checkpoint::parse(BODY).unwrap().sign(&other).is_err());
        let foreign = other.sign(BODY).unwrap();
        assert!(SignedCheckpoint::open(&foreign.to_bytes(), &[other.vkey()]).is_err());
    }

    #[test]
    fn what_strangers_add_is_not_kept() {
        let mut note = signed().note().clone();
        witness().add_to(&mut note, 1_790_000_000).unwrap();
        let both = SignedCheckpoint::parse(&note.to_bytes()).unwrap();
        assert_eq!(both.only_by(&[log_signer().vkey()]).unwrap(), signed());
        assert!(both.only_by(&[witness().vkey()]).is_err(), "the log itself must have signed");
        let mut twice = signed().note().clone();
        log_signer().add_to(&mut twice).unwrap();
        let twice = SignedCheckpoint::parse(&twice.to_bytes()).unwrap();
        assert_eq!(twice.only_by(&[log_signer().vkey()]).unwrap(), signed());
    }

    #[test]
    fn a_witnesss_newer_word_replaces_its_older_one() {
        let line = |time, cosigner: &certs::note::Cosigner| {
            let mut note = Note::new(BODY).unwrap();
            cosigner.add_to(&mut note, time).unwrap();
            note.signatures()[0].clone()
        };
        let (known, stranger) = (witness(), crate::testing::cosigner("witness.example/stranger", 10));
        let keys = [known.vkey()];
        let once = signed().cosigned(&[line(5, &known), line(5, &stranger)], &keys).unwrap();
        assert_eq!(once.note().signatures().len(), 2, "the stranger's line is left out");
        let twice = once.cosigned(&[line(9, &known)], &keys).unwrap();
        let all = [log_signer().vkey(), known.vkey()];
        let times: Vec<_> = twice.verify(&all).unwrap().into_iter().map(|v| v.time).collect();
        assert_eq!(times, [None, Some(9)]);
        let mut wrong = line(9, &known);
        wrong.bytes[0] ^= 1;
        assert!(signed().cosigned(&[wrong], &keys).is_err());
        assert!(signed().cosigned(&[line(5, &stranger)], &keys).is_err());
    }

    #[test]
    fn other_spellings_are_refused() {
        let root = "bchQvMlKY9Myv/gL1uPluT2M6U0nENZ0icet2fy5wPk=";
        let bad = [
            String::new(),
            format!("{LOG_ORIGIN}\n3\n{root}"),
            format!("{LOG_ORIGIN}\n03\n{root}\n"),
            format!("{LOG_ORIGIN}\n-3\n{root}\n"),
            format!("{LOG_ORIGIN}\n0\n{root}\n"),
            format!("{LOG_ORIGIN}\n3\nbchQ\n"),
            format!("{LOG_ORIGIN}\n3\n{root}\nextension\n"),
            format!("{LOG_ORIGIN}\n3\n{root}\n\n"),
            format!("\n3\n{root}\n"),
            format!("two words\n3\n{root}\n"),
        ];
        for body in bad {
            assert!(Checkpoint::parse(&body).is_err(), "{body:?}");
        }
        assert!(SignedCheckpoint::parse(&vec![b'a'; CHECKPOINT_BYTES_MAX + 1]).is_err());
    }
}
