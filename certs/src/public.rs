//! What others may see of keys: public keys, thumbprints, periods, key ids and detached signatures.
//!
//! Promises: a [`PublicKey`] that exists is a point on the curve that is not weak (RFC 8032; small-order points
//! would let one signature fit many messages), and it verifies strictly. A [`Period`] is never empty.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::encode::{b64, b64url, sha256, unb64};
use crate::id::ParticipantId;

/// Latest time that our documents may name: 9999-12-31T23:59:59Z, the end of RFC 3339.
pub const TIME_MAX: i64 = 253_402_300_799;

/// What a key of a node is for. One key, one use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyUse {
    /// TLS: who is on the line.
    Channel,
    /// The agency's word: messages, agreements, manifests, statements, tokens.
    Signing,
    /// Checkpoints of the node's own ledger.
    Ledger,
    /// Cosignatures over other nodes' checkpoints.
    Witness,
}

impl KeyUse {
    /// All four, in the order in which files and documents list them.
    pub const ALL: [Self; 4] = [Self::Channel, Self::Signing, Self::Ledger, Self::Witness];

    /// The word used in documents and file names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Signing => "signing",
            Self::Ledger => "ledger",
            Self::Witness => "witness",
        }
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An Ed25519 public key that is not weak. In JSON: standard base64 of its 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From the 32 raw bytes of RFC 8032.
    ///
    /// # Errors
    /// [`PublicKeyError`] if the bytes are no point on the curve, or a weak one.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, PublicKeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError::NotAPoint)?;
        if key.is_weak() {
            return Err(PublicKeyError::Weak);
        }
        Ok(Self(key))
    }

    /// The public half of a private key.
    #[must_use]
    pub fn of(key: &SigningKey) -> Self {
        // A clamped scalar times the base point is never of small order.
        Self(key.verifying_key())
    }

    /// The 32 raw bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The key for other libraries; use [`PublicKey::verify`] where you can.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.0
    }

    /// URL-safe base64 of the SHA-256 of the raw key: 43 characters.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        b64url(&sha256(self.0.as_bytes()))
    }

    /// The key id on the wire: `<participant id>#<thumbprint>`.
    #[must_use]
    pub fn keyid(&self, participant: &ParticipantId) -> String {
        format!("{participant}#{}", self.thumbprint())
    }

    /// Strict verification (no small-order parts, no malleable scalars), as evidence needs.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", b64(&self.to_bytes()))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: String) -> Result<Self, PublicKeyError> {
        let bytes = unb64::<32>(&text).ok_or(PublicKeyError::Encoding)?;
        Self::from_bytes(&bytes)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        b64(&key.to_bytes())
    }
}

/// Why bytes are no acceptable public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not canonical base64 of 32 bytes.
    #[error("a public key is 44 characters of standard base64 (32 bytes)")]
    Encoding,
    /// Not on the curve.
    #[error("the 32 bytes are no Ed25519 public key")]
    NotAPoint,
    /// Small order: anyone could sign for it.
    #[error("the Ed25519 public key is weak (small order); the member must make a new one")]
    Weak,
}

/// From one second to another, both included, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    from: i64,
    until: i64,
}

impl Period {
    /// `None` unless `0 <= from < until <= TIME_MAX`.
    #[must_use]
    pub fn new(from: i64, until: i64) -> Option<Self> {
        (0 <= from && from < until && until <= TIME_MAX).then_some(Self { from, until })
    }

    /// First second, Unix time.
    #[must_use]
    pub fn from(&self) -> i64 {
        self.from
    }

    /// Last second, Unix time.
    #[must_use]
    pub fn until(&self) -> i64 {
        self.until
    }

    /// Whether `at` lies inside.
    #[must_use]
    pub fn covers(&self, at: i64) -> bool {
        (self.from..=self.until).contains(&at)
    }
}

/// A signature beside a document: whose key, and the 64 bytes (standard base64 in JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocSignature {
    /// `<participant id>#<thumbprint>`.
    pub keyid: String,
    /// Ed25519 over the RFC 8785 bytes of the document.
    #[serde(with = "signature_b64")]
    pub signature: [u8; 64],
}

impl DocSignature {
    /// Signs `bytes` as `participant`.
    #[must_use]
    pub fn make(participant: &ParticipantId, key: &SigningKey, bytes: &[u8]) -> Self {
        Self { keyid: PublicKey::of(key).keyid(participant), signature: key.sign(bytes).to_bytes() }
    }
}

mod signature_b64 {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 64], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&crate::encode::b64(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<[u8; 64], D::Error> {
        let text = String::deserialize(input)?;
        crate::encode::unb64(&text)
            .ok_or_else(|| D::Error::custom("a signature is 64 bytes in standard base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_impossible_keys_are_refused() {
        let mut identity = [0u8; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(PublicKeyError::Weak));
        assert_eq!(PublicKey::from_bytes(&[0u8; 32]), Err(PublicKeyError::Weak));
        let not_a_point =
            (0u8..=255).map(|b| [b; 32]).find(|b| VerifyingKey::from_bytes(b).is_err()).unwrap();
        assert_eq!(PublicKey::from_bytes(&not_a_point), Err(PublicKeyError::NotAPoint));
        assert_eq!(PublicKey::try_from("AAAA".to_owned()), Err(PublicKeyError::Encoding));
    }

    #[test]
    fn key_ids_name_participant_and_thumbprint() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let id = ParticipantId::parse("urn:agency:vn:h26.18").unwrap();
        let keyid = PublicKey::of(&key).keyid(&id);
        let (left, right) = keyid.split_once('#').unwrap();
        assert_eq!(left, id.as_str());
        assert_eq!(right.len(), 43);
        assert_eq!(right, b64url(&sha256(&key.verifying_key().to_bytes())));
    }

    #[test]
    fn periods_include_both_ends_and_are_never_empty() {
        assert_eq!(Period::new(5, 5), None);
        assert_eq!(Period::new(-1, 5), None);
        assert_eq!(Period::new(0, TIME_MAX + 1), None);
        let period = Period::new(5, 7).unwrap();
        assert_eq!([4, 5, 7, 8].map(|t| period.covers(t)), [false, true, true, false]);
    }
}
