//! Commitments: how a leaf that lives for ever speaks about values that must be erasable.
//!
//! Promise: a commitment alone reveals nothing about the value, not even to a guesser, as long as the exchange's
//! key is secret; an [`Opening`] reveals one field and helps with no other; destroying the key and the openings
//! leaves only noise. The construction is that of the design: HKDF-SHA256 gives each field its own salt,
//! HMAC-SHA256 with that salt commits to the value.
//!
//! There is no randomness here: the key's 32 bytes come from the caller.

use std::fmt;
use std::str::FromStr;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::{LedgerError, Result};
use crate::text;

/// A field of a statement that is committed to and not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The request's signature base and signature.
    Request,
    /// The answer's Content-Digest value, or the manifest's digest.
    Response,
    /// The person who asked.
    User,
    /// The person whom the data is about.
    Subject,
    /// The case or file that the request belongs to.
    Case,
    /// The whole question of a decision, with its facts.
    Question,
    /// The whole decision.
    Verdict,
}

impl Field {
    /// The field's name, in the statement and in the commitment.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::User => "c.user",
            Self::Subject => "c.subject",
            Self::Case => "c.case",
            Self::Question => "question",
            Self::Verdict => "verdict",
        }
    }
}

/// The secret of one exchange, from which every salt is derived. Wiped from memory when dropped.
#[derive(Clone)]
pub struct ExchangeKey(Zeroizing<[u8; 32]>);

impl ExchangeKey {
    /// Takes 32 bytes that the caller drew from the operating system's randomness, once per exchange.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Commits to a value.
    #[must_use]
    pub fn commit(&self, field: Field, value: &[u8]) -> Commitment {
        committed(&self.salt(field), field, value)
    }

    /// What reveals one field: its salt and value.
    #[must_use]
    pub fn open(&self, field: Field, value: &[u8]) -> Opening {
        Opening { field, salt: self.salt(field), value: Zeroizing::new(value.to_vec()) }
    }

    /// The raw bytes, for sending to the other party inside the encrypted channel or for wrapping at rest.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn salt(&self, field: Field) -> Zeroizing<[u8; 32]> {
        let mut salt = Zeroizing::new([0; 32]);
        let info = format!("salt:{}", field.name());
        // HKDF refuses outputs over 255 hashes only; one hash is asked for.
        let expanded =
            Hkdf::<Sha256>::new(None, self.0.as_slice()).expand(info.as_bytes(), salt.as_mut_slice());
        debug_assert!(expanded.is_ok());
        salt
    }
}

impl fmt::Debug for ExchangeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeKey(secret)")
    }
}

/// The commitment to one value. Its text form is padded standard base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment(pub [u8; 32]);

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::to_base64(&self.0))
    }
}

impl FromStr for Commitment {
    type Err = LedgerError;
    fn from_str(from: &str) -> Result<Self> {
        let why = || format!("`{}` is not 32 bytes of canonical base64", text::shortened(from));
        text::base64_32(from).map(Self).ok_or_else(|| LedgerError::malformed("commitment", why()))
    }
}

/// What opens one commitment: shown to an auditor or to the person concerned. `Debug` hides salt and value.
#[derive(Clone)]
pub struct Opening {
    field: Field,
    salt: Zeroizing<[u8; 32]>,
    value: Zeroizing<Vec<u8>>,
}

impl Opening {
    /// Joins what was revealed.
    #[must_use]
    pub fn new(field: Field, salt: [u8; 32], value: Vec<u8>) -> Self {
        Self { field, salt: Zeroizing::new(salt), value: Zeroizing::new(value) }
    }

    /// Which field it opens.
    #[must_use]
    pub fn field(&self) -> Field {
        self.field
    }

    /// The salt, to be handed over.
    #[must_use]
    pub fn salt(&self) -> &[u8; 32] {
        &self.salt
    }

    /// The value, to be handed over.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Whether it opens this commitment. The comparison takes the same time for every answer.
    #[must_use]
    pub fn fits(&self, commitment: &Commitment) -> bool {
        committed(&self.salt, self.field, &self.value).0.ct_eq(&commitment.0).into()
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening({})", self.field.name())
    }
}

/// `HMAC-SHA256(salt, "tram/v1:" || field || 0x00 || value)`.
fn committed(salt: &[u8; 32], field: Field, value: &[u8]) -> Commitment {
    // HMAC pads its key with zeros to a block of 64 bytes; doing it here leaves nothing that could fail.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(salt);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(b"tram/v1:");
    mac.update(field.name().as_bytes());
    mac.update(&[0]);
    mac.update(value);
    Commitment(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ExchangeKey {
        ExchangeKey::new([0x42; 32])
    }

    /// Frozen: old leaves never change, so neither may this. Computed apart with Python's hmac module:
    /// HKDF by its definition in RFC 5869, then the HMAC.
    #[test]
    fn the_construction_is_frozen() {
        assert_eq!(
            key().commit(Field::Request, b"value").to_string(),
            "a2ORNdOLqDdOQJSdoquuwFnPDdA/1lXaca2mKj8W4zc="
        );
        assert_eq!(
            key().commit(Field::Subject, b"").to_string(),
            "oo09nh8gGP0MQMdfhzi2JtIPJcbc01DNS7QcHgsWCUg="
        );
    }

    #[test]
    fn an_opening_fits_its_own_field_and_value_only() {
        let commitment = key().commit(Field::User, b"012345678901");
        assert!(key().open(Field::User, b"012345678901").fits(&commitment));
        assert!(!key().open(Field::User, b"012345678902").fits(&commitment));
        assert!(!key().open(Field::Case, b"012345678901").fits(&commitment));
        assert!(!ExchangeKey::new([0x43; 32]).open(Field::User, b"012345678901").fits(&commitment));
        let opening = key().open(Field::User, b"012345678901");
        let again = Opening::new(opening.field(), *opening.salt(), opening.value().to_vec());
        assert!(again.fits(&commitment));
    }

    #[test]
    fn salts_differ_by_field() {
        assert_ne!(key().open(Field::User, b"").salt(), key().open(Field::Case, b"").salt());
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", key(), key().open(Field::User, b"012345678901"));
        assert_eq!(shown, "ExchangeKey(secret) Opening(c.user)");
    }

    #[test]
    fn text_form_is_strict() {
        let commitment = key().commit(Field::Case, b"x");
        assert_eq!(commitment.to_string().parse::<Commitment>().unwrap(), commitment);
        for bad in ["", "AAAA", &"A".repeat(43), &commitment.to_string().replace('=', "")] {
            assert!(bad.parse::<Commitment>().is_err(), "{bad}");
        }
    }
}
