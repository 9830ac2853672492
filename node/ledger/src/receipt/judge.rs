//! Judging a receipt: one verdict, and never a wrong one for lack of a case.
//!
//! Which time counts. A statement's and an acknowledgement's signing key must have been in force at the time that
//! the text itself states. A checkpoint states no time, and receipts may be issued long after; so the ledger key
//! must not have ended before the statement was written.
//!
//! A holder who trusts no log alone adds a trust policy: then the checkpoint's cosignatures must meet its quorum.

use certs::note::{KeyKind, KeyName, Note, Vkey};
use ed25519_dalek::VerifyingKey;

use super::Receipt;
use crate::commitment::Opening;
use crate::merkle::Hash;
use crate::statement::{Ack, SignedStatement, Statement};
use crate::trust::{Freshness, Judgement, TrustPolicy};

/// A key and when it is in force: from the first second up to, not including, the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedKey {
    /// The public key.
    pub key: VerifyingKey,
    /// POSIX seconds.
    pub valid_from: u64,
    /// POSIX seconds; `u64::MAX` for an open end.
    pub valid_until: u64,
}

/// Whose log it is, and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIdentity {
    /// The participant who keeps the log.
    pub participant: String,
    /// All ledger keys it ever had, with their periods.
    pub keys: Vec<DatedKey>,
}

/// Who had which key when: a checked registry, seen from here. Past keys belong in it; old receipts need them.
pub trait KeyBook {
    /// All signing keys of a participant, with their periods; none for a stranger.
    fn signing_keys(&self, participant: &str) -> Vec<DatedKey>;

    /// The owner and keys of the log of that origin.
    fn log(&self, origin: &str) -> Option<LogIdentity>;
}

/// What a receipt is held against.
#[derive(Debug, Clone, Default)]
pub struct Expectation {
    /// The leaf hash that the holder expects: of the statement in hand.
    pub leaf: Option<Hash>,
    /// Opened fields: each must fit the statement's commitment.
    pub openings: Vec<Opening>,
    /// The witnesses whose quorum the checkpoint must have.
    pub trust: Option<Trust>,
}

/// A trust policy and the time by which to judge cosignatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Who must have cosigned. Logs that it names must include the receipt's log; whose log that is, and its keys'
    /// periods, the [`KeyBook`] tells all the same.
    pub policy: TrustPolicy,
    /// For old receipts without an age: cosignatures of that time keep their worth.
    pub at: Freshness,
}

/// What a valid receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What was stated.
    pub statement: Statement,
    /// Who signed it.
    pub signer: String,
    /// Its leaf hash, the same in both parties' logs.
    pub leaf: Hash,
    /// The log that has it.
    pub origin: String,
    /// The participant who keeps that log.
    pub log_of: String,
    /// Where.
    pub index: u64,
    /// Size of the signed tree.
    pub size: u64,
    /// The consumer's acknowledgement, if the receipt has it.
    pub ack: Option<Ack>,
    /// Which witnesses vouch for the checkpoint, if a trust policy was given.
    pub quorum: Option<Judgement>,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything fits.
    Valid(Box<Summary>),
    /// A signature is not that of the party in whose name it is.
    WrongSignature {
        /// In whose name.
        who: String,
        /// Why not.
        why: &'static str,
    },
    /// The proof does not lead from this statement to the checkpoint's root.
    NotInLedger {
        /// The log.
        origin: String,
        /// The place that was claimed.
        index: u64,
    },
    /// The right key, at the wrong time.
    KeyNotValidAtThatTime {
        /// Whose key.
        who: String,
        /// The time that counts, POSIX seconds.
        time: u64,
    },
    /// The checkpoint is not that of a log we know, or is not signed by it.
    CheckpointBad {
        /// Why.
        why: String,
    },
    /// Genuine, but the trust policy's quorum is not met: the log may have shown this checkpoint to its holder only.
    NotWitnessed {
        /// Who cosigned, and what became of the others.
        judgement: Box<Judgement>,
    },
    /// Genuine, but about something else than what it is held against.
    OtherData {
        /// What differs.
        why: String,
    },
    /// No receipt at all.
    Malformed {
        /// Where it differs from the form.
        why: String,
    },
}

/// Judges a receipt by what it holds.
#[must_use]
pub fn verify_receipt(bytes: &[u8], book: &dyn KeyBook) -> Verdict {
    verify_receipt_expecting(bytes, book, &Expectation::default())
}

/// Judges a receipt, and whether it is about the data in hand.
#[must_use]
pub fn verify_receipt_expecting(bytes: &[u8], book: &dyn KeyBook, expected: &Expectation) -> Verdict {
    let receipt = match Receipt::parse(bytes) {
        Ok(receipt) => receipt,
        Err(error) => return Verdict::Malformed { why: error.to_string() },
    };
    match judge(&receipt, book, expected) {
        Ok(summary) => Verdict::Valid(Box::new(summary)),
        Err(verdict) => verdict,
    }
}

type Judged<T> = Result<T, Verdict>;

fn judge(receipt: &Receipt, book: &dyn KeyBook, expected: &Expectation) -> Judged<Summary> {
    let statement = &receipt.statement;
    let origin = receipt.checkpoint.checkpoint().origin.to_string();
    let log_of = check_checkpoint(receipt, book, &origin)?;
    check_signed(statement, book)?;
    if let Some(ack) = &receipt.ack {
        check_signed(ack, book)?;
    }
    let leaf = statement.leaf();
    let checkpoint = receipt.checkpoint.checkpoint();
    let (index, size) = (receipt.index, checkpoint.size);
    crate::merkle::verify_inclusion(&leaf, index, size, &receipt.path, &checkpoint.root)
        .map_err(|_| Verdict::NotInLedger { origin: origin.clone(), index })?;
    check_owner(statement, &origin, &log_of)?;
    let ack = check_ack(receipt, &leaf, &origin, &log_of)?;
    check_expected(statement, &leaf, expected)?;
    let quorum = expected.trust.as_ref().map(|trust| check_quorum(receipt, trust)).transpose()?;
    let (statement, signer) = (statement.statement().clone(), statement.signer().to_owned());
    Ok(Summary { statement, signer, leaf, origin, log_of, index, size, ack, quorum })
}

/// The log's own signature. Gives back whose log it is.
fn check_checkpoint(receipt: &Receipt, book: &dyn KeyBook, origin: &str) -> Judged<String> {
    let bad = |why: String| Verdict::CheckpointBad { why };
    let identity = book.log(origin).ok_or_else(|| bad(format!("the log `{origin}` is not known")))?;
    let written = receipt.statement.statement().time().get();
    let not_ended = |key: &DatedKey| key.valid_until > written;
    match signed_by(receipt.checkpoint.note(), origin, &identity.keys, not_ended) {
        Signed::InForce => Ok(identity.participant),
        Signed::OutOfForce => Err(Verdict::KeyNotValidAtThatTime { who: origin.to_owned(), time: written }),
        Signed::ByNoKnownKey => Err(bad(format!("no known key of the log `{origin}` signed it"))),
        Signed::Wrongly => Err(bad(format!("the signature of the log `{origin}` does not verify"))),
    }
}

/// The signature of a statement's author, at the time that the statement states.
fn check_signed(statement: &SignedStatement, book: &dyn KeyBook) -> Judged<()> {
    let who = statement.signer().to_owned();
    let time = statement.statement().time().get();
    let in_force = |key: &DatedKey| (key.valid_from..key.valid_until).contains(&time);
    match signed_by(statement.note(), &who, &book.signing_keys(&who), in_force) {
        Signed::InForce => Ok(()),
        Signed::OutOfForce => Err(Verdict::KeyNotValidAtThatTime { who, time }),
        Signed::ByNoKnownKey => {
            Err(Verdict::WrongSignature { who, why: "the registry knows no such key of this participant" })
        }
        Signed::Wrongly => {
            Err(Verdict::WrongSignature { who, why: "the text was altered or another key signed" })
        }
    }
}

fn check_quorum(receipt: &Receipt, trust: &Trust) -> Judged<Judgement> {
    let judgement = trust.policy.judge(&receipt.checkpoint, trust.at);
    if judgement.met { Ok(judgement) } else { Err(Verdict::NotWitnessed { judgement: Box::new(judgement) }) }
}

enum Signed {
    InForce,
    OutOfForce,
    ByNoKnownKey,
    Wrongly,
}

/// Whether one of a name's keys signed the note, and was in force. One key may have several periods.
fn signed_by(note: &Note, name: &str, keys: &[DatedKey], in_force: impl Fn(&DatedKey) -> bool) -> Signed {
    let Ok(name) = KeyName::new(name) else { return Signed::ByNoKnownKey };
    let mut claimed = false;
    let mut signed = false;
    for dated in keys {
        let Ok(vkey) = Vkey::new(name.clone(), KeyKind::Ed25519, dated.key) else { continue };
        let id = vkey.id();
        claimed |= note.signatures().iter().any(|line| line.name == name && line.key_id == id);
        if note.verify(std::slice::from_ref(&vkey)).is_ok() {
            if in_force(dated) {
                return Signed::InForce;
            }
            signed = true;
        }
    }
    match (signed, claimed) {
        (true, _) => Signed::OutOfForce,
        (false, true) => Signed::Wrongly,
        (false, false) => Signed::ByNoKnownKey,
    }
}

/// A statement proves something in the logs of its parties only.
fn check_owner(statement: &SignedStatement, origin: &str, log_of: &str) -> Judged<()> {
    let fits = match statement.statement() {
        Statement::Exchange(exchange) => {
            [&exchange.question.provider, &exchange.question.consumer].iter().any(|p| p.as_str() == log_of)
        }
        Statement::Intent(_) | Statement::Interrupted(_) | Statement::Own(_) => statement.signer() == log_of,
        Statement::Ack(ack) => {
            [&ack.provider.log, &ack.consumer.log].iter().any(|log| log.as_str() == origin)
        }
    };
    if fits {
        return Ok(());
    }
    Err(Verdict::OtherData { why: format!("the log of `{log_of}` is not that of a party to this statement") })
}

/// The acknowledgement must be the consumer's, of this very leaf, and agree about the place in this log.
fn check_ack(receipt: &Receipt, leaf: &Hash, origin: &str, log_of: &str) -> Judged<Option<Ack>> {
    let (Some(signed), Statement::Exchange(exchange)) = (&receipt.ack, receipt.statement.statement()) else {
        return Ok(None);
    };
    let Statement::Ack(ack) = signed.statement() else { return Ok(None) };
    let other = |why: &str| Err(Verdict::OtherData { why: why.to_owned() });
    if signed.signer() != exchange.question.consumer.as_str() {
        let who = exchange.question.consumer.to_string();
        return Err(Verdict::WrongSignature { who, why: "somebody else signed the acknowledgement" });
    }
    if ack.leaf != *leaf || ack.id != exchange.question.id {
        return other("the acknowledgement is of another exchange");
    }
    let provider_log = log_of == exchange.question.provider.as_str();
    let consumer_log = log_of == exchange.question.consumer.as_str();
    let here = |place: &crate::statement::Place| place.log.as_str() == origin && place.index == receipt.index;
    if !(provider_log && here(&ack.provider) || consumer_log && here(&ack.consumer)) {
        return other("the acknowledgement names another place for the entry");
    }
    Ok(Some(ack.clone()))
}

fn check_expected(statement: &SignedStatement, leaf: &Hash, expected: &Expectation) -> Judged<()> {
    if expected.leaf.is_some_and(|expected| expected != *leaf) {
        return Err(Verdict::OtherData { why: "the receipt is of another statement".to_owned() });
    }
    for opening in &expected.openings {
        let commitment = statement.statement().commitment(opening.field());
        if !commitment.is_some_and(|commitment| opening.fits(&commitment)) {
            let field = opening.field().name();
            return Err(Verdict::OtherData {
                why: format!("`{field}` is not what the statement commits to"),
            });
        }
    }
    Ok(())
}
