//! Holding a checkpoint against a policy.

use std::fmt;

use certs::note::{KeyName, Note, NoteError, Signature, Vkey};

use super::{Name, TrustPolicy};
use crate::checkpoint::SignedCheckpoint;

/// Witnesses told of in one line.
const TOLD_MAX: usize = 8;
/// Seconds by which a witness's clock may be ahead of ours.
pub const SKEW_MAX: u64 = 60;

/// At which time to judge, and how old a cosignature may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// POSIX seconds.
    pub now: u64,
    /// Seconds; `None` for any age, as for a receipt that is read years later.
    pub max_age: Option<u64>,
}

/// What a policy says of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The log signed, no known key's signature is wrong, and the quorum is met.
    pub met: bool,
    /// Whether a log of the policy signed.
    pub log: LogSigned,
    /// A known key's signature that is wrong; it spoils everything.
    pub spoiled_by: Option<KeyName>,
    /// Each witness of the policy, in its order.
    pub witnesses: Vec<Said>,
}

impl Judgement {
    /// The witnesses that counted, with the times of their cosignatures.
    pub fn counted(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.witnesses.iter().filter_map(|said| match said.outcome {
            Outcome::Counted { time } => Some((&said.name, time)),
            _ => None,
        })
    }
}

impl fmt::Display for Judgement {
    /// One line for people: how many count, and what became of those that do not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.log {
            LogSigned::UnknownOrigin => f.write_str("the log is none of the trust policy's; ")?,
            LogSigned::ByNoTrustedKey => f.write_str("no key of the trust policy signed for the log; ")?,
            LogSigned::ByTrustedKey | LogSigned::NotAsked => {}
        }
        if let Some(name) = &self.spoiled_by {
            write!(f, "the signature of `{name}` is wrong; ")?;
        }
        write!(f, "{} of {} witnesses count", self.counted().count(), self.witnesses.len())?;
        if !self.met {
            f.write_str(", no quorum")?;
        }
        let others: Vec<String> = self.witnesses.iter().filter_map(told).take(TOLD_MAX).collect();
        if others.is_empty() { Ok(()) } else { write!(f, " ({})", others.join("; ")) }
    }
}

/// What became of a witness that does not count.
fn told(said: &Said) -> Option<String> {
    let name = &said.name;
    match said.outcome {
        Outcome::Counted { .. } => None,
        Outcome::TooOld { time } => Some(format!("`{name}` cosigned too long ago, at {time}")),
        Outcome::InFuture { time } => Some(format!("`{name}` cosigned at {time}, which has not come")),
        Outcome::WrongSignature => Some(format!("the cosignature of `{name}` is wrong")),
        Outcome::Absent => Some(format!("`{name}` did not cosign")),
    }
}

/// The log's own signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSigned {
    /// A key of the policy with the checkpoint's origin signed.
    ByTrustedKey,
    /// The policy names no logs: the caller must know the log by other means.
    NotAsked,
    /// The policy has no key of this origin: another log.
    UnknownOrigin,
    /// The policy knows the origin, but none of its keys signed.
    ByNoTrustedKey,
}

/// What became of one witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its name in the policy.
    pub name: Name,
    /// Its key.
    pub key: Vkey,
    /// Whether it counted, or why not.
    pub outcome: Outcome,
}

/// Whether a cosignature counts. Times are POSIX seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Counted {
        /// Of the cosignature.
        time: u64,
    },
    /// It is older than asked for: the witness no longer vouches that this is the largest tree.
    TooOld {
        /// Of the cosignature.
        time: u64,
    },
    /// It is of a time that has not come, by more than [`SKEW_MAX`].
    InFuture {
        /// Of the cosignature.
        time: u64,
    },
    /// Its signature is wrong.
    WrongSignature,
    /// It did not cosign.
    Absent,
}

impl TrustPolicy {
    /// Judges a checkpoint.
    #[must_use]
    pub fn judge(&self, signed: &SignedCheckpoint, at: Freshness) -> Judgement {
        let note = signed.note();
        let log = self.log_signed(signed);
        let log_keys = self.logs.iter().map(|log| &log.key);
        let keys: Vec<Vkey> = log_keys.chain(self.witnesses.iter().map(|w| &w.key)).cloned().collect();
        let spoiled_by = match note.verify(&keys) {
            Err(NoteError::BadSignature(name)) => Some(name),
            _ => None,
        };
        let said = |witness: &super::TrustedWitness| {
            let outcome = outcome(note, &witness.key, at);
            Said { name: witness.name.clone(), key: witness.key.clone(), outcome }
        };
        let witnesses: Vec<Said> = self.witnesses.iter().map(said).collect();
        let counts: Vec<bool> =
            witnesses.iter().map(|said| matches!(said.outcome, Outcome::Counted { .. })).collect();
        let log_is_right = matches!(log, LogSigned::ByTrustedKey | LogSigned::NotAsked);
        let met = log_is_right && spoiled_by.is_none() && self.met_by(&counts);
        Judgement { met, log, spoiled_by, witnesses }
    }

    fn log_signed(&self, signed: &SignedCheckpoint) -> LogSigned {
        if self.logs.is_empty() {
            return LogSigned::NotAsked;
        }
        let origin = &signed.checkpoint().origin;
        let keys: Vec<Vkey> =
            self.logs.iter().map(|log| &log.key).filter(|key| key.name() == origin).cloned().collect();
        match signed.verify(&keys) {
            _ if keys.is_empty() => LogSigned::UnknownOrigin,
            Ok(_) => LogSigned::ByTrustedKey,
            Err(_) => LogSigned::ByNoTrustedKey,
        }
    }
}

/// The best that the lines of one witness give: a note may carry an older and a newer one.
fn outcome(note: &Note, key: &Vkey, at: Freshness) -> Outcome {
    let id = key.id();
    let lines: Vec<&Signature> =
        note.signatures().iter().filter(|line| line.name == *key.name() && line.key_id == id).collect();
    let times: Option<Vec<u64>> = lines.iter().map(|line| time_of(note, line, key)).collect();
    let Some(times) = times else { return Outcome::WrongSignature };
    let latest = at.now.saturating_add(SKEW_MAX);
    let Some(time) = times.iter().copied().filter(|time| *time <= latest).max() else {
        return times.into_iter().max().map_or(Outcome::Absent, |time| Outcome::InFuture { time });
    };
    let too_old = at.max_age.is_some_and(|max| time.saturating_add(max) < at.now);
    if too_old { Outcome::TooOld { time } } else { Outcome::Counted { time } }
}

fn time_of(note: &Note, line: &Signature, key: &Vkey) -> Option<u64> {
    let mut alone = Note::new(note.text()).ok()?;
    alone.push(line.clone()).ok()?;
    alone.verify(std::slice::from_ref(key)).ok()?.first()?.time
}
