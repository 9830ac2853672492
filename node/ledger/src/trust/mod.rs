//! Whom to trust for a checkpoint (C2SP `tlog-policy`): the logs, the witnesses, and how many of them must have
//! cosigned.
//!
//! Promise: [`TrustPolicy::parse`] refuses, naming the line, whatever does not follow the grammar or has two
//! meanings: a name before its definition, a member twice, one key under two names, no quorum or two.
//! [`TrustPolicy::judge`] tells for each witness what became of it and why. It follows the signed notes' rule:
//! unknown keys are ignored, a known key whose signature is wrong spoils the whole checkpoint.
//!
//! Names are bytes, as the specification has them, and mean nothing outside of the file. Keys of kinds other than
//! Ed25519 (logs) and Ed25519 cosignatures (witnesses) are refused, as they cannot be judged here.
//!
//! Begin with [`TrustPolicy::parse`] and [`TrustPolicy::judge`].

mod judge;
mod parse;

use std::fmt;

use certs::note::Vkey;

pub use judge::{Freshness, Judgement, LogSigned, Outcome, SKEW_MAX, Said};

/// A whole file, in bytes.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one line.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// Logs in one file; the specification asks for at least 32.
pub const LOGS_MAX: usize = 1024;
/// Witnesses in one file; the specification asks for at least 32. A checkpoint carries at most 64 signatures.
pub const WITNESSES_MAX: usize = 1024;
/// Groups in one file; the specification asks for at least 32.
pub const GROUPS_MAX: usize = 256;

/// Why a policy was refused: which line, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// One line is wrong.
    #[error("line {line} of the trust policy: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong, and with which name.
        why: String,
    },
    /// The file as a whole is wrong.
    #[error("the trust policy {0}")]
    Whole(&'static str),
}

/// The name of a witness or a group in one policy: bytes without spaces and controls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    /// For people: short, without controls; bytes that are no UTF-8 show as replacement characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::shortened(&String::from_utf8_lossy(&self.0)))
    }
}

/// A log whose checkpoints are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedLog {
    /// Its key; the key's name is the log's origin.
    pub key: Vkey,
    /// Where it is, as bytes. What that means is the caller's affair.
    pub url: Option<Vec<u8>>,
}

/// A witness that may count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedWitness {
    /// Its name in the policy.
    pub name: Name,
    /// Its key.
    pub key: Vkey,
    /// Where it takes checkpoints, as bytes.
    pub url: Option<Vec<u8>>,
}

/// What a name stands for: a place in the lists of the policy, so that names are looked up once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voter {
    Witness(usize),
    /// Its members come before it, so that a count from the first group to the last is enough.
    Group(usize),
}

/// At least `threshold` of the members.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: Name,
    threshold: usize,
    members: Vec<Voter>,
}

/// A policy: the logs, the witnesses and the quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    logs: Vec<TrustedLog>,
    witnesses: Vec<TrustedWitness>,
    groups: Vec<Group>,
    /// `None` asks for no cosignature at all.
    quorum: Option<Voter>,
}

impl TrustPolicy {
    /// Reads a file.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        parse::parse(bytes)
    }

    /// The file, without comments and with one space between words. Reading it gives the same policy.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        let mut lines: Vec<Vec<Vec<u8>>> = Vec::new();
        for log in &self.logs {
            let mut line = vec![b"log".to_vec(), log.key.to_string().into_bytes()];
            line.extend(log.url.clone());
            lines.push(line);
        }
        for witness in &self.witnesses {
            let key = witness.key.to_string().into_bytes();
            let mut line = vec![b"witness".to_vec(), witness.name.0.clone(), key];
            line.extend(witness.url.clone());
            lines.push(line);
        }
        for group in &self.groups {
            let threshold = group.threshold.to_string().into_bytes();
            let mut line = vec![b"group".to_vec(), group.name.0.clone(), threshold];
            line.extend(group.members.iter().map(|member| self.name_of(*member)));
            lines.push(line);
        }
        let quorum = self.quorum.map_or_else(|| parse::NONE.to_vec(), |voter| self.name_of(voter));
        lines.push(vec![b"quorum".to_vec(), quorum]);
        let lines = lines.into_iter().map(|words| [words.join(&b' '), b"\n".to_vec()].concat());
        lines.collect::<Vec<_>>().concat()
    }

    fn name_of(&self, voter: Voter) -> Vec<u8> {
        let name = match voter {
            Voter::Witness(at) => self.witnesses.get(at).map(|witness| &witness.name),
            Voter::Group(at) => self.groups.get(at).map(|group| &group.name),
        };
        name.map(|name| name.0.clone()).unwrap_or_default()
    }

    /// The accepted logs; none when the caller knows by other means whose checkpoint it is.
    #[must_use]
    pub fn logs(&self) -> &[TrustedLog] {
        &self.logs
    }

    /// The witnesses, in the order of the file.
    #[must_use]
    pub fn witnesses(&self) -> &[TrustedWitness] {
        &self.witnesses
    }

    /// Whether at least one cosignature is asked for.
    #[must_use]
    pub fn wants_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Whether the quorum is met when exactly these witnesses count, by their places in [`TrustPolicy::witnesses`].
    fn met_by(&self, counts: &[bool]) -> bool {
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        let says = |voter: &Voter, groups: &[bool]| match *voter {
            Voter::Witness(at) => counts.get(at).copied().unwrap_or(false),
            Voter::Group(at) => groups.get(at).copied().unwrap_or(false),
        };
        for group in &self.groups {
            let yes = group.members.iter().filter(|member| says(member, &groups)).count();
            groups.push(yes >= group.threshold);
        }
        self.quorum.is_none_or(|quorum| says(&quorum, &groups))
    }
}

#[cfg(test)]
mod tests;
