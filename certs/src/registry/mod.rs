//! The federation registry: who is a member, with which keys, signed by k of n operators.
//!
//! Promises: look-ups exist only on a [`VerifiedRegistry`], and that exists only if enough operators signed the
//! document and it is the right next version (or fits the operators that the node was set up with). It travels over
//! any channel, a USB stick included; no server of the issuer is ever asked.
//!
//! This is a file of ours: unknown fields are refused, because an old node that skipped a new restriction would be
//! wrong. (The members' own descriptors inside may carry fields that we do not know: see
//! [`descriptor`](crate::descriptor).)
//!
//! Begin with [`SignedRegistry::parse`], then [`SignedRegistry::verify_first`] or [`SignedRegistry::verify_next`].
//! Two agencies without an operator keep a registry of their own, with themselves as the only operator.

mod verified;

use std::collections::HashSet;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

pub use verified::{Freshness, MemberKey, VerifiedRegistry};

use crate::descriptor::{KeyMaterial, SignedDescriptor};
use crate::encode::{hex, sha256, unhex32};
use crate::id::ParticipantId;
use crate::json::{INTEGER_MAX, JsonError, canonical, parse_bounded};
use crate::public::{DocSignature, PublicKey, TIME_MAX};

/// The `format` of the documents that we write and read.
pub const REGISTRY_FORMAT: &str = "tram-registry@1";
/// Viet Nam has 34 provinces and about 3,300 communes: a node each, three times over.
pub const MEMBERS_MAX: usize = 10_000;
/// 10,000 members with 1.6 KiB each.
pub const REGISTRY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A board of operators, not a crowd.
pub const OPERATORS_MAX: usize = 32;
/// Agencies merge and split in handfuls.
pub const RELATIONS_MAX: usize = 32;
/// Two boards may sign at a handover.
pub const SIGNATURES_MAX: usize = 2 * OPERATORS_MAX;

/// The registry as the operators write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// [`REGISTRY_FORMAT`].
    pub format: String,
    /// 1 for the first, then one more each time.
    pub version: u64,
    /// Digest of the version before, lower-case hexadecimal; absent only in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_sha256: Option<String>,
    /// When this version was made, Unix seconds.
    pub issued: i64,
    /// Until then the node works without a word; later it warns.
    pub fresh_until: i64,
    /// Until then the node makes new agreements; later it only serves standing ones.
    pub grace_until: i64,
    /// How many operators must sign.
    pub threshold: u32,
    /// Who may sign.
    pub operators: Vec<Operator>,
    /// Everybody, those who left included: their receipts must keep verifying.
    pub members: Vec<Member>,
}

/// One who signs registries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// An id of the same form as a participant's.
    pub id: ParticipantId,
    /// Its registry key, used for nothing else.
    pub key: PublicKey,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What the member's node says of itself.
    pub descriptor: SignedDescriptor,
    /// Whether it takes part.
    pub status: MemberStatus,
    /// Agencies that it continues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predecessors: Vec<ParticipantId>,
    /// Agencies that continue it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successors: Vec<ParticipantId>,
}

impl Member {
    /// Its participant id.
    #[must_use]
    pub fn id(&self) -> &ParticipantId {
        &self.descriptor.descriptor().participant
    }
}

/// Whether a member takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberStatus {
    /// It does.
    Active,
    /// Not for now: no connections, no messages; its old receipts verify.
    Suspended,
    /// Not any more; its old receipts verify.
    Left,
}

/// The operators that a node was set up to trust, before it has seen any registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// How many of them must sign.
    pub threshold: u32,
    /// Who they are.
    pub operators: Vec<Operator>,
}

/// A registry with signatures that nobody has verified yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRegistry {
    registry: Registry,
    signatures: Vec<DocSignature>,
}

impl Registry {
    /// SHA-256 of the canonical bytes: what the next version names, and what people compare.
    ///
    /// # Errors
    /// [`RegistryError::Encoding`], which does not happen for a checked registry.
    pub fn digest(&self) -> Result<[u8; 32], RegistryError> {
        Ok(sha256(&self.canonical()?))
    }

    /// Checks the content and wraps it for signing.
    ///
    /// # Errors
    /// [`RegistryError`] names the first thing that is wrong.
    pub fn into_unsigned(self) -> Result<SignedRegistry, RegistryError> {
        self.check()?;
        Ok(SignedRegistry { registry: self, signatures: Vec::new() })
    }

    fn canonical(&self) -> Result<Vec<u8>, RegistryError> {
        canonical(self).map_err(RegistryError::Encoding)
    }

    fn check(&self) -> Result<(), RegistryError> {
        if self.format != REGISTRY_FORMAT {
            return Err(RegistryError::Format(self.format.escape_default().take(100).collect()));
        }
        if self.version == 0 || self.version > INTEGER_MAX {
            return Err(RegistryError::Version);
        }
        let previous = self.previous_sha256.as_deref();
        if previous.is_none() != (self.version == 1) || previous.is_some_and(|p| unhex32(p).is_none()) {
            return Err(RegistryError::PreviousForm);
        }
        let in_order =
            0 <= self.issued && self.issued <= self.fresh_until && self.fresh_until <= self.grace_until;
        if !in_order || self.grace_until > TIME_MAX {
            return Err(RegistryError::Times);
        }
        check_operators(self.threshold, &self.operators)?;
        if self.members.len() > MEMBERS_MAX {
            return Err(RegistryError::TooManyMembers(self.members.len()));
        }
        self.check_members()
    }

    fn check_members(&self) -> Result<(), RegistryError> {
        let mut ids = HashSet::new();
        let mut origins = HashSet::new();
        let mut keys: HashSet<[u8; 32]> = self.operators.iter().map(|o| o.key.to_bytes()).collect();
        for member in &self.members {
            let id = member.id();
            let repeated = |what| RegistryError::Repeated { what, member: id.clone() };
            if !ids.insert(id) {
                return Err(repeated("participant id"));
            }
            if !origins.insert(&member.descriptor.descriptor().ledger_origin) {
                return Err(repeated("ledger origin"));
            }
            for key in &member.descriptor.descriptor().keys {
                if !keys.insert(key_bytes(&key.material)) {
                    return Err(repeated("key"));
                }
            }
            let relations = member.predecessors.iter().chain(&member.successors);
            if relations.clone().count() > RELATIONS_MAX || relations.clone().any(|other| other == id) {
                return Err(RegistryError::Relations(id.clone()));
            }
        }
        Ok(())
    }
}

impl SignedRegistry {
    /// Parses and checks a registry. Nobody's signature is believed yet, but the members' own are verified.
    ///
    /// # Errors
    /// [`RegistryError`] names the first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, RegistryError> {
        let value = parse_bounded(bytes, REGISTRY_BYTES_MAX)?;
        // The format first: a later format may well have another shape.
        let format = value.pointer("/registry/format").and_then(serde_json::Value::as_str).unwrap_or("none");
        if format != REGISTRY_FORMAT {
            return Err(RegistryError::Format(format.escape_default().take(100).collect()));
        }
        let signed: Self = serde_json::from_value(value).map_err(RegistryError::Shape)?;
        if signed.signatures.len() > SIGNATURES_MAX {
            return Err(RegistryError::TooManySignatures(signed.signatures.len()));
        }
        signed.registry.check()?;
        Ok(signed)
    }

    /// Adds an operator's signature, replacing an earlier one with the same key.
    ///
    /// # Errors
    /// [`RegistryError::Encoding`].
    pub fn sign_with(mut self, operator: &ParticipantId, key: &SigningKey) -> Result<Self, RegistryError> {
        let signature = DocSignature::make(operator, key, &self.registry.canonical()?);
        self.signatures.retain(|s| s.keyid != signature.keyid);
        self.signatures.push(signature);
        Ok(self)
    }

    /// What it says, unverified: for showing to people before they decide.
    #[must_use]
    pub fn unverified(&self) -> &Registry {
        &self.registry
    }

    /// The document in canonical JSON.
    ///
    /// # Errors
    /// [`RegistryError::Encoding`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, RegistryError> {
        canonical(self).map_err(RegistryError::Encoding)
    }

    /// Accepts any version signed by enough of the operators that this node was set up with, and by enough of its
    /// own: for the first registry, and for reading back the one that the node stored.
    ///
    /// # Errors
    /// [`RegistryError::NotEnoughSignatures`] or [`RegistryError::WrongSignature`].
    pub fn verify_first(self, anchor: &Anchor) -> Result<VerifiedRegistry, RegistryError> {
        check_operators(anchor.threshold, &anchor.operators)?;
        let bytes = self.registry.canonical()?;
        enough(&bytes, &self.signatures, anchor.threshold, &anchor.operators, "this node was set up with")?;
        self.finish(&bytes)
    }

    /// Accepts exactly the next version after `current`: one more, naming its digest, not made earlier, signed by
    /// enough of `current`'s operators and by enough of its own.
    ///
    /// # Errors
    /// [`RegistryError`] names the first thing that does not fit.
    pub fn verify_next(self, current: &VerifiedRegistry) -> Result<VerifiedRegistry, RegistryError> {
        let held = current.registry();
        let expected = held.version.saturating_add(1);
        if self.registry.version != expected {
            return Err(RegistryError::NotNext { expected, found: self.registry.version });
        }
        if self.registry.previous_sha256.as_deref() != Some(hex(&current.digest()).as_str()) {
            return Err(RegistryError::WrongPrevious(held.version));
        }
        if self.registry.issued < held.issued {
            return Err(RegistryError::OlderThanHeld);
        }
        let bytes = self.registry.canonical()?;
        enough(&bytes, &self.signatures, held.threshold, &held.operators, "the version before names")?;
        self.finish(&bytes)
    }

    fn finish(self, bytes: &[u8]) -> Result<VerifiedRegistry, RegistryError> {
        let own = &self.registry;
        enough(bytes, &self.signatures, own.threshold, &own.operators, "it names itself")?;
        Ok(VerifiedRegistry::new(self, sha256(bytes)))
    }

    fn into_parts(self) -> (Registry, Vec<DocSignature>) {
        (self.registry, self.signatures)
    }
}

fn key_bytes(material: &KeyMaterial) -> [u8; 32] {
    match material {
        KeyMaterial::Channel(spki) => *spki,
        KeyMaterial::Signing(key) | KeyMaterial::Ledger(key) | KeyMaterial::Witness(key) => key.to_bytes(),
    }
}

fn check_operators(threshold: u32, operators: &[Operator]) -> Result<(), RegistryError> {
    let ids: HashSet<_> = operators.iter().map(|o| &o.id).collect();
    let keys: HashSet<_> = operators.iter().map(|o| o.key.to_bytes()).collect();
    let distinct = ids.len() == operators.len() && keys.len() == operators.len();
    let reachable = threshold > 0 && u32::try_from(operators.len()).is_ok_and(|n| threshold <= n);
    if distinct && reachable && operators.len() <= OPERATORS_MAX {
        Ok(())
    } else {
        Err(RegistryError::Operators)
    }
}

/// Counts distinct operators with a right signature. A wrong signature of a known key spoils the document.
fn enough(
    bytes: &[u8],
    signatures: &[DocSignature],
    threshold: u32,
    operators: &[Operator],
    whose: &'static str,
) -> Result<(), RegistryError> {
    let mut have = 0u32;
    for operator in operators {
        let keyid = operator.key.keyid(&operator.id);
        let mut theirs = signatures.iter().filter(|s| s.keyid == keyid).peekable();
        if theirs.peek().is_none() {
            continue;
        }
        if theirs.any(|s| !operator.key.verify(bytes, &s.signature)) {
            return Err(RegistryError::WrongSignature(operator.id.clone()));
        }
        have = have.saturating_add(1);
    }
    if have >= threshold {
        Ok(())
    } else {
        Err(RegistryError::NotEnoughSignatures { have, threshold, whose })
    }
}

/// Why a registry is refused.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Too large, too deep or no JSON.
    #[error("the registry cannot be read: {0}")]
    Json(#[from] JsonError),
    /// JSON, but not of this shape.
    #[error("the registry does not have the expected shape: {0}")]
    Shape(#[source] serde_json::Error),
    /// Another format.
    #[error(
        "the registry has the format `{0}`, this node reads `{REGISTRY_FORMAT}`; update the older of node and operator tool"
    )]
    Format(String),
    /// Could not be written as JSON.
    #[error("the registry cannot be written: {0}")]
    Encoding(#[source] serde_json::Error),
    /// Version 0, or too large for JSON.
    #[error("the registry's `version` must be 1 or more and below 2^53")]
    Version,
    /// `previous_sha256` where it must not be, or missing, or malformed.
    #[error("`previous_sha256` must be 64 lower-case hexadecimal digits, and absent only in version 1")]
    PreviousForm,
    /// Times not in order.
    #[error("the registry's times must be in the order `issued`, `fresh_until`, `grace_until`")]
    Times,
    /// The board cannot work.
    #[error(
        "the operators must be 1 to {OPERATORS_MAX}, all different, and `threshold` between 1 and their number"
    )]
    Operators,
    /// Too many members.
    #[error("the registry lists {0} members, at most {MEMBERS_MAX} are allowed")]
    TooManyMembers(usize),
    /// Too many signatures.
    #[error("the registry has {0} signatures, at most {SIGNATURES_MAX} are allowed")]
    TooManySignatures(usize),
    /// An id, key or origin that somebody else has.
    #[error(
        "the {what} of member `{member}` stands in the registry twice; each must be of one member and one use only"
    )]
    Repeated {
        /// What is there twice.
        what: &'static str,
        /// The second one to have it.
        member: ParticipantId,
    },
    /// Too many predecessors and successors, or itself among them.
    #[error("member `{0}` names itself, or more than {RELATIONS_MAX} agencies, as predecessor or successor")]
    Relations(ParticipantId),
    /// Not the next version.
    #[error(
        "version {expected} of the registry is expected next, this is version {found}; get the versions in between"
    )]
    NotNext {
        /// The version that is due.
        expected: u64,
        /// The version offered.
        found: u64,
    },
    /// It follows another version than ours.
    #[error(
        "the registry does not follow the version {0} that this node holds; the federation may have been forked: compare digests with another member"
    )]
    WrongPrevious(u64),
    /// Made before the one we hold.
    #[error("the registry was issued before the version that this node holds")]
    OlderThanHeld,
    /// An operator's signature is wrong.
    #[error("the signature of operator `{0}` on the registry is wrong: it was changed after signing")]
    WrongSignature(ParticipantId),
    /// Too few signatures.
    #[error("the registry has {have} of {threshold} signatures needed from the operators that {whose}")]
    NotEnoughSignatures {
        /// How many are there.
        have: u32,
        /// How many are needed.
        threshold: u32,
        /// Which board.
        whose: &'static str,
    },
}

#[cfg(test)]
mod tests;
