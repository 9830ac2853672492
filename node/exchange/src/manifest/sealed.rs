//! What a manifest says of sealed chunks: how they are sealed, which key opens them, and who else holds that key sealed.
//!
//! Forms only; nothing is sealed or opened here. Unknown fields are refused, as everywhere in a manifest: a reader that
//! does not know the envelope refuses the whole, and does not acknowledge what it has not understood.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dsp::Id;
use crate::json::Digest;

/// How sealed chunks are sealed: AES-256-GCM, 12-byte nonce (four zero bytes, the chunk's number as u64 big-endian).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sealing {
    /// AES-256-GCM (NIST SP 800-38D) with a tag of 16 bytes behind each chunk.
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
}

impl Sealing {
    /// Bytes that sealing adds to each chunk.
    #[must_use]
    pub fn overhead(self) -> u64 {
        match self {
            Self::Aes256Gcm => 16,
        }
    }
}

/// What a manifest says of sealed chunks: the key comes after the acknowledgement, and must have this digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// How.
    pub algorithm: Sealing,
    /// SHA-256 of the key's 32 bytes.
    pub key_sha256: Digest,
    /// The same key, sealed to an auditor; absent where the provider escrows nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escrow: Option<Escrow>,
}

/// How an envelope is made: HPKE (RFC 9180), base mode, one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EscrowSuite {
    /// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM: RFC 9180 ids 0x0020, 0x0001, 0x0002.
    #[serde(rename = "hpke-x25519-hkdf-sha256-aes-256-gcm")]
    X25519Aes256Gcm,
}

/// The key of sealed chunks, sealed to an auditor before anybody acknowledged anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escrow {
    /// Participant id of the auditor.
    pub auditor: Id,
    /// How.
    pub suite: EscrowSuite,
    /// The auditor's public key: which of its keys must open the envelope.
    pub recipient: Fixed<32>,
    /// The encapsulated key (`enc` of RFC 9180).
    pub enc: Fixed<32>,
    /// The sealed 32 bytes with the tag of 16 behind them.
    pub ciphertext: Fixed<48>,
}

/// What an envelope is bound to, so that it opens for nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// Id of the exchange.
    pub exchange: &'a str,
    /// The provider.
    pub provider: &'a str,
    /// The consumer.
    pub consumer: &'a str,
    /// The auditor.
    pub auditor: &'a str,
    /// Digest of the key that is in it.
    pub key_sha256: Digest,
}

impl Bound<'_> {
    /// HPKE's `info`; its `aad` is empty. One line each; no id can hold a line's end.
    #[must_use]
    pub fn info(&self) -> Vec<u8> {
        let Self { exchange, provider, consumer, auditor, key_sha256 } = self;
        format!(
            "tram/escrow@v1\nexchange {exchange}\nprovider {provider}\nconsumer {consumer}\nauditor {auditor}\nkey_sha256 {key_sha256}\n"
        )
        .into_bytes()
    }
}

/// Exactly `N` bytes; standard base64 with padding in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed<const N: usize>(pub [u8; N]);

impl<const N: usize> Fixed<N> {
    /// Reads the one spelling of `N` bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Asked first, so that a long text is not decoded at all.
        if text.len() != N.div_ceil(3) * 4 {
            return None;
        }
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl<const N: usize> std::fmt::Display for Fixed<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl<const N: usize> Serialize for Fixed<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Fixed<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("expected base64 of exactly {N} bytes")))
    }
}
