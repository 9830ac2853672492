//! Promises of a place, and the proof that one was broken: somebody signed that a leaf stands at an index of a log, and the
//! log's own signed tree has something else there.
//!
//! A provider promises with the signature of its answer (RFC 9421 over `tram-log-origin`, `tram-log-index` and
//! `tram-leaf-hash`), a consumer with its acknowledgement. Either, together with a later checkpoint of that log and the
//! inclusion proof of the other leaf, convinces a third party: whoever keeps the log left out what it had promised.
//!
//! Begin with [`Promise::of_answer`] and [`Promise::of_ack`], then [`Promise::judge`]; strangers with [`verify`].

use certs::note::KeyName;
use ed25519_dalek::Signature;
use serde::{Deserialize, Serialize};

use crate::checkpoint::SignedCheckpoint;
use crate::error::{LedgerError, Result};
use crate::merkle::{Hash, verify_inclusion};
use crate::receipt::KeyBook;
use crate::statement::{SignedStatement, Statement};
use crate::text;

/// What the form says it is.
const FORM: &str = "tram/broken-promise@v1";
/// A proof in bytes: a statement, a signature base, a checkpoint and a path.
pub const PROOF_BYTES_MAX: usize = 256 * 1024;
const WHAT: &str = "broken promise";

/// What was signed, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Claim {
    /// The signature of an answer: signature base and base64 of 64 bytes.
    Answer { base: String, signature: String },
    /// The consumer's signed acknowledgement, base64.
    Ack { statement: String },
}

/// "This leaf stands at this index of my log", signed by the log's keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    claim: Claim,
}

/// What a promise is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promised {
    /// The log.
    pub origin: KeyName,
    /// The place.
    pub index: u64,
    /// The leaf that was promised there.
    pub leaf: Hash,
}

/// A promise held against the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The leaf stands there.
    Kept,
    /// Something else stands there; this proves it.
    Broken(Box<BrokenPromise>),
}

/// The proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokenPromise {
    form: String,
    promise: Promise,
    /// The leaf that stands there, base64.
    other: String,
    /// Its inclusion path, base64 each.
    path: Vec<String>,
    /// The checkpoint note.
    checkpoint: String,
}

/// What a proof proves, to whoever holds the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The keeper of the log left out what it had promised.
    Broken {
        /// Who.
        keeper: String,
        /// What.
        promised: Promised,
    },
    /// The proof does not hold.
    NotProven {
        /// Why not.
        why: String,
    },
}

impl Promise {
    /// The promise in an answer: its signature base and signature, as they were verified.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the base names no leaf.
    pub fn of_answer(base: &str, signature: &[u8; 64]) -> Result<Self> {
        let claim = Claim::Answer { base: base.to_owned(), signature: text::to_base64(signature) };
        let promise = Self { claim };
        promise.promised(None).map(|_| promise)
    }

    /// The promise in a consumer's acknowledgement, about the consumer's log.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] for another statement.
    pub fn of_ack(ack: &SignedStatement) -> Result<Self> {
        let promise = Self { claim: Claim::Ack { statement: text::to_base64(ack.bytes()) } };
        promise.promised(None).map(|_| promise)
    }

    /// What it is about. With a book, also whether the keeper of that log signed it.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`]; [`LedgerError::ProofWrong`] when the signature is not the keeper's.
    pub fn promised(&self, book: Option<&dyn KeyBook>) -> Result<Promised> {
        match &self.claim {
            Claim::Answer { base, signature } => {
                let promised = in_base(base)?;
                if let Some(book) = book {
                    let keys = keeper(book, &promised.origin)?.1;
                    let bytes: Option<[u8; 64]> = text::base64(signature).and_then(|b| b.try_into().ok());
                    let signature = Signature::from_bytes(&bytes.ok_or_else(|| malformed("no signature"))?);
                    let signs = |key: &ed25519_dalek::VerifyingKey| {
                        key.verify_strict(base.as_bytes(), &signature).is_ok()
                    };
                    if !keys.iter().any(signs) {
                        return Err(LedgerError::ProofWrong("promise"));
                    }
                }
                Ok(promised)
            }
            Claim::Ack { statement } => {
                let bytes = text::base64(statement).ok_or_else(|| malformed("no base64"))?;
                let signed = SignedStatement::parse(&bytes)?;
                let Statement::Ack(ack) = signed.statement() else {
                    return Err(malformed("no acknowledgement"));
                };
                let origin = KeyName::new(ack.consumer.log.as_str())?;
                if let Some(book) = book {
                    let (owner, keys) = keeper(book, &origin)?;
                    let name = KeyName::new(&owner)?;
                    let signs = |key: &ed25519_dalek::VerifyingKey| {
                        certs::note::Vkey::new(name.clone(), certs::note::KeyKind::Ed25519, *key)
                            .is_ok_and(|vkey| signed.verify(&vkey).is_ok())
                    };
                    if !keys.iter().any(signs) {
                        return Err(LedgerError::ProofWrong("promise"));
                    }
                }
                Ok(Promised { origin, index: ack.consumer.index, leaf: ack.leaf })
            }
        }
    }

    /// Holds the promise against what the log's tree has at the place: its leaf hash there and the inclusion path, both
    /// under this checkpoint.
    ///
    /// # Errors
    /// [`LedgerError::ProofWrong`] when path and checkpoint do not fit; [`LedgerError::Malformed`].
    pub fn judge(&self, found: &Hash, path: &[Hash], checkpoint: &SignedCheckpoint) -> Result<Outcome> {
        let promised = self.promised(None)?;
        let said = checkpoint.checkpoint();
        if said.origin != promised.origin {
            return Err(malformed("the checkpoint is of another log"));
        }
        verify_inclusion(found, promised.index, said.size, path, &said.root)?;
        if *found == promised.leaf {
            return Ok(Outcome::Kept);
        }
        Ok(Outcome::Broken(Box::new(BrokenPromise {
            form: FORM.to_owned(),
            promise: self.clone(),
            other: found.to_string(),
            path: path.iter().map(Hash::to_string).collect(),
            checkpoint: String::from_utf8_lossy(&checkpoint.to_bytes()).into_owned(),
        })))
    }
}

impl BrokenPromise {
    /// The bytes of the form: JSON.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when it has no JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| malformed(&error.to_string()))
    }

    /// Reads the form and judges nothing.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`], [`LedgerError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(LedgerError::TooLarge { what: WHAT, bytes: bytes.len(), max: PROOF_BYTES_MAX });
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| malformed(&error.to_string()))?;
        if read.form == FORM { Ok(read) } else { Err(malformed("its form is another")) }
    }

    /// The log that it accuses.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`].
    pub fn promised(&self) -> Result<Promised> {
        self.promise.promised(None)
    }

    /// The leaf hash that stands at the promised place.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`].
    pub fn found(&self) -> Result<Hash> {
        self.other.parse()
    }

    /// The checkpoint of the tree in which it stands. Nothing of it is verified.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`].
    pub fn checkpoint(&self) -> Result<SignedCheckpoint> {
        SignedCheckpoint::parse(self.checkpoint.as_bytes())
    }
}

/// Judges a proof by the keys of participants and logs.
#[must_use]
pub fn verify(bytes: &[u8], book: &dyn KeyBook) -> Verdict {
    match prove(bytes, book) {
        Ok((keeper, promised)) => Verdict::Broken { keeper, promised },
        Err(error) => Verdict::NotProven { why: error.to_string() },
    }
}

fn prove(bytes: &[u8], book: &dyn KeyBook) -> Result<(String, Promised)> {
    let proof = BrokenPromise::parse(bytes)?;
    let promised = proof.promise.promised(Some(book))?;
    let log = book.log(promised.origin.as_str()).ok_or_else(|| malformed("the log is not known"))?;
    let kind = certs::note::KeyKind::Ed25519;
    let keys = log
        .keys
        .iter()
        .filter_map(|dated| certs::note::Vkey::new(promised.origin.clone(), kind, dated.key).ok());
    let checkpoint = SignedCheckpoint::open(proof.checkpoint.as_bytes(), &keys.collect::<Vec<_>>())?;
    let path = proof.path.iter().map(|hash| hash.parse()).collect::<Result<Vec<Hash>>>()?;
    match proof.promise.judge(&proof.other.parse()?, &path, &checkpoint)? {
        Outcome::Broken(_) => Ok((log.participant, promised)),
        Outcome::Kept => Err(malformed("the promise was kept")),
    }
}

/// Who keeps a log, and all its signing keys: a promise stays one after a rotation.
fn keeper(book: &dyn KeyBook, origin: &KeyName) -> Result<(String, Vec<ed25519_dalek::VerifyingKey>)> {
    let log = book.log(origin.as_str()).ok_or_else(|| malformed("the log is not known"))?;
    let keys = book.signing_keys(&log.participant).into_iter().map(|dated| dated.key).collect();
    Ok((log.participant, keys))
}

/// The three fields in a signature base (RFC 9421 section 2.5), each on exactly one line.
fn in_base(base: &str) -> Result<Promised> {
    let field = |name: &str| -> Result<&str> {
        let start = format!("\"{name}\": ");
        let mut lines = base.lines().filter_map(|line| line.strip_prefix(start.as_str()));
        match (lines.next(), lines.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(malformed(&format!("the signature base has not one line `{name}`"))),
        }
    };
    let index = text::decimal(field("tram-log-index")?).ok_or_else(|| malformed("its index is no number"))?;
    Ok(Promised {
        origin: KeyName::new(field("tram-log-origin")?)?,
        index,
        leaf: field("tram-leaf-hash")?.parse()?,
    })
}

fn malformed(why: &str) -> LedgerError {
    LedgerError::malformed(WHAT, why)
}

#[cfg(test)]
#[path = "promise_tests.rs"]
mod tests;
