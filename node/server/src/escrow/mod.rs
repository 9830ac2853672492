//! Escrow of `receipt-first` keys: the provider seals the key of its rows to an auditor before anybody acknowledges, so
//! that a provider that takes the acknowledgement and stays silent can be overridden.
//!
//! **Promises.** An envelope is HPKE (RFC 9180) and opens for one exchange, one provider, one consumer, one auditor and
//! one key digest only. It stands in the manifest that the provider signed and whose digest the statement commits to, so
//! an envelope that does not open, or opens to another key, is the provider's misdeed and nobody else's.
//!
//! **What it is not.** No proof to everybody: whether an envelope opens can be seen only with the auditor's secret key. And
//! a consumer cannot look into it before it acknowledges. Where to begin: [`seal`] at the provider, [`handover`] at the
//! consumer, [`judge`] at the auditor.

pub mod handover;
pub mod judge;
pub mod key;

use dataplane::sealing::SealingKey;
use exchange::Manifest;
use exchange::dsp::Id;
use exchange::manifest::{Bound, Escrow, EscrowSuite, Fixed};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};

use self::key::{AuditorKey, Recipient};
use crate::error::{Error, Result};

/// Why an envelope is no good. Each is the signer's doing: what it signed binds envelope and digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// The auditor's key, the very one that the envelope names, does not open it.
    #[error("it does not open with the key that it names")]
    DoesNotOpen,
    /// It opens, and what is in it is not the key of the signed digest.
    #[error("what is in it is not the key of the signed digest")]
    OtherKey,
}

/// Seals a key to an auditor.
///
/// # Errors
/// [`Error::Internal`] when the cryptography refuses, which it does for no key that [`Recipient::parse`] took.
pub fn seal(key: &SealingKey, auditor: Id, to: &Recipient, bound: &Bound<'_>) -> Result<Escrow> {
    let public = HpkePublicKey(to.bytes().to_vec());
    let (enc, sealed) = SUITE
        .seal(&bound.info(), &[], key.expose(), &public)
        .map_err(|e| Error::internal(format!("escrow: {e}")))?;
    let size = |_| Error::internal("escrow: an envelope of another size");
    Ok(Escrow {
        auditor,
        suite: EscrowSuite::X25519Aes256Gcm,
        recipient: Fixed(*to.bytes()),
        enc: Fixed(enc.0.try_into().map_err(size)?),
        ciphertext: Fixed(sealed.try_into().map_err(size)?),
    })
}

/// What the envelope of a manifest is bound to.
#[must_use]
pub fn bound<'a>(manifest: &'a Manifest, escrow: &'a Escrow, key_sha256: exchange::Digest) -> Bound<'a> {
    Bound {
        exchange: &manifest.exchange_id,
        provider: manifest.provider.as_str(),
        consumer: manifest.consumer.as_str(),
        auditor: escrow.auditor.as_str(),
        key_sha256,
    }
}

/// Opens an envelope. The caller has made sure that it names this key ([`Escrow::recipient`]): another one opens nothing,
/// and that would be nobody's misdeed.
///
/// # Errors
/// [`Bad`].
pub fn open(escrow: &Escrow, bound: &Bound<'_>, key: &AuditorKey) -> std::result::Result<SealingKey, Bad> {
    let EscrowSuite::X25519Aes256Gcm = escrow.suite;
    let secret = HpkePrivateKey::from(key.secret().to_vec());
    let enc = EncapsulatedSecret(escrow.enc.0.to_vec());
    let opened = SUITE.open(&enc, &bound.info(), &[], &escrow.ciphertext.0, &secret);
    let bytes: [u8; 32] = opened.ok().and_then(|b| b.try_into().ok()).ok_or(Bad::DoesNotOpen)?;
    let key = SealingKey::new(bytes);
    if key.is(&dataplane::merkle::Sha256(*bound.key_sha256.as_bytes())) {
        Ok(key)
    } else {
        Err(Bad::OtherKey)
    }
}

#[cfg(test)]
mod tests {
    use exchange::Digest;

    use super::*;

    const DATA_KEY: [u8; 32] = [7; 32];

    fn bound() -> Bound<'static> {
        Bound {
            exchange: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            provider: "urn:agency:vn:b",
            consumer: "urn:agency:vn:a",
            auditor: "urn:agency:vn:thanh-tra",
            key_sha256: Digest::of(&DATA_KEY),
        }
    }

    fn sealed(key: &AuditorKey) -> Escrow {
        let auditor = Id::new(bound().auditor).unwrap();
        seal(&SealingKey::new(DATA_KEY), auditor, &key.recipient(), &bound()).unwrap()
    }

    #[test]
    fn the_auditor_opens_what_was_sealed_to_it_and_two_envelopes_differ() {
        let key = AuditorKey::of([5; 32]).unwrap();
        let (one, two) = (sealed(&key), sealed(&key));
        assert_eq!(open(&one, &bound(), &key).unwrap().expose(), &DATA_KEY);
        assert_ne!((one.enc, one.ciphertext), (two.enc, two.ciphertext));
        assert_eq!(one.recipient.0, *key.recipient().bytes());
    }

    #[test]
    fn another_auditors_key_opens_nothing() {
        let escrow = sealed(&AuditorKey::of([5; 32]).unwrap());
        let other = AuditorKey::of([6; 32]).unwrap();
        assert_eq!(open(&escrow, &bound(), &other).unwrap_err(), Bad::DoesNotOpen);
    }

    #[test]
    fn an_envelope_of_another_exchange_party_or_digest_opens_nothing() {
        let key = AuditorKey::of([5; 32]).unwrap();
        let escrow = sealed(&key);
        for other in [
            Bound { exchange: "01ARZ3NDEKTSV4RRFFQ69G5FAW", ..bound() },
            Bound { provider: "urn:agency:vn:c", ..bound() },
            Bound { consumer: "urn:agency:vn:c", ..bound() },
            Bound { auditor: "urn:agency:vn:c", ..bound() },
            Bound { key_sha256: Digest::of(b"another"), ..bound() },
        ] {
            assert_eq!(open(&escrow, &other, &key).unwrap_err(), Bad::DoesNotOpen, "{other:?}");
        }
    }

    #[test]
    fn an_envelope_that_was_touched_opens_nothing() {
        let key = AuditorKey::of([5; 32]).unwrap();
        let whole = sealed(&key);
        for at in 0..32 {
            let mut escrow = whole.clone();
            escrow.enc.0[at] ^= 1;
            assert_eq!(open(&escrow, &bound(), &key).unwrap_err(), Bad::DoesNotOpen, "enc byte {at}");
        }
        for at in 0..48 {
            let mut escrow = whole.clone();
            escrow.ciphertext.0[at] ^= 1;
            assert_eq!(open(&escrow, &bound(), &key).unwrap_err(), Bad::DoesNotOpen, "ciphertext byte {at}");
        }
        // A point of small order gives a shared secret that everybody knows.
        let mut escrow = whole;
        escrow.enc.0 = [0; 32];
        assert_eq!(open(&escrow, &bound(), &key).unwrap_err(), Bad::DoesNotOpen);
    }

    #[test]
    fn an_envelope_with_another_key_in_it_is_told_apart_from_one_that_does_not_open() {
        let key = AuditorKey::of([5; 32]).unwrap();
        let auditor = Id::new(bound().auditor).unwrap();
        let lie = seal(&SealingKey::new([8; 32]), auditor, &key.recipient(), &bound()).unwrap();
        assert_eq!(open(&lie, &bound(), &key).unwrap_err(), Bad::OtherKey);
    }

    /// Made with another implementation: Python's `cryptography`, `hpke.Suite(X25519, HKDF_SHA256, AES_256_GCM)`
    /// `.encrypt(bytes([7])*32, key, info)`.
    #[test]
    fn the_form_is_the_one_that_the_protocol_describes() {
        let bytes = |hex| Fixed(crate::files::unhex::<32>(hex).unwrap());
        let sealed = "533b4032b73460688c8ad85ac6b00222b060de3946ee1e23762ad322b6c1175d6e52d455c2a99fae8689112ef8779021";
        let escrow = Escrow {
            auditor: Id::new(bound().auditor).unwrap(),
            suite: EscrowSuite::X25519Aes256Gcm,
            recipient: bytes("50a61409b1ddd0325e9b16b700e719e9772c07000b1bd7786e907c653d20495d"),
            enc: bytes("0a968f4d1370402a49bd433d260dcd53bc7048b8f0ae31121d03db13ffa0c979"),
            ciphertext: Fixed(crate::files::unhex::<48>(sealed).unwrap()),
        };
        let key = AuditorKey::of([5; 32]).unwrap();
        assert_eq!(open(&escrow, &bound(), &key).unwrap().expose(), &DATA_KEY);
    }
}
