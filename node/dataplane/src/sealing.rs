//! Sealed chunks: rows that travel as ciphertext until the consumer has acknowledged them (`receipt-first`).
//!
//! **Promises.** AES-256-GCM (NIST SP 800-38D) under a key that is drawn for one spool of one exchange and never used
//! for another. The nonce of chunk `n` is four zero bytes and `n` as 64 bits, so no nonce comes twice under a key; the
//! associated data binds exchange and number, so a chunk opens at its own place only. Each sealed chunk is
//! [`OVERHEAD`] bytes longer than what is in it. What fails to open gives no byte.
//!
//! **What it is not.** AES-GCM does not bind a ciphertext to one key: the manifest does that by the key's SHA-256,
//! which [`SealingKey::is`] checks and which must be checked before anything is opened. Where to begin: [`Sealer`].

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::DataError;
use crate::merkle::Sha256;

/// Bytes that sealing adds to a chunk: the authentication tag.
pub const OVERHEAD: u64 = 16;

/// First bytes of the associated data, so that a sealed chunk can never pass for something else under the same key.
const CONTEXT: &[u8] = b"tram/sealed-chunk@v1\n";

/// The key of one exchange's chunks: 32 bytes that nobody but the provider knows before the acknowledgement.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// A key of these bytes; they must be random and used for nothing else.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// What a manifest tells of the key.
    #[must_use]
    pub fn sha256(&self) -> Sha256 {
        Sha256::of(self.expose())
    }

    /// Whether this is the key that was announced. Both digests are public, so the time it takes tells nothing.
    #[must_use]
    pub fn is(&self, announced: &Sha256) -> bool {
        self.sha256() == *announced
    }

    /// The bytes, for the private file and for the consumer that has acknowledged.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(secret)")
    }
}

/// Seals and opens the chunks of one exchange.
pub struct Sealer {
    key: LessSafeKey,
    exchange: String,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({}, key secret)", self.exchange)
    }
}

impl Sealer {
    /// For the chunks of this exchange. To seal, give it to one spool only: a second one would use the nonces again.
    ///
    /// # Errors
    /// [`DataError::Sealing`] when the cryptography refuses the key, which it has no reason to.
    pub fn new(key: &SealingKey, exchange: &str) -> Result<Self, DataError> {
        let key = UnboundKey::new(&AES_256_GCM, key.expose())
            .map_err(|_| DataError::Sealing("its key cannot be used"))?;
        Ok(Self { key: LessSafeKey::new(key), exchange: exchange.to_owned() })
    }

    fn nonce(number: u64) -> Nonce {
        let mut bytes = [0; 12];
        bytes[4..].copy_from_slice(&number.to_be_bytes());
        Nonce::assume_unique_for_key(bytes)
    }

    fn aad(&self, number: u64) -> Aad<Vec<u8>> {
        Aad::from([CONTEXT, self.exchange.as_bytes(), b"\n", &number.to_be_bytes()].concat())
    }

    /// Seals chunk `number` where it is. Once a number: whoever sees two texts under one nonce sees both.
    pub(crate) fn seal(&self, number: u64, bytes: &mut Vec<u8>) -> Result<(), DataError> {
        self.key
            .seal_in_place_append_tag(Self::nonce(number), self.aad(number), bytes)
            .map_err(|_| DataError::Sealing("a chunk could not be sealed"))
    }

    /// Opens chunk `number` where it is; what is in it, or nothing.
    ///
    /// # Errors
    /// [`DataError::NotOpened`] when key, exchange, number or a byte is another than when it was sealed.
    pub fn open<'a>(&self, number: u64, bytes: &'a mut [u8]) -> Result<&'a [u8], DataError> {
        self.key
            .open_in_place(Self::nonce(number), self.aad(number), bytes)
            .map(|opened| &*opened)
            .map_err(|_| DataError::NotOpened { number })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

    use super::*;

    const EXCHANGE: &str = "01J9ZQ3V6T8W4X5Y6Z7A8B9CDE";

    fn sealer(key: u8, exchange: &str) -> Sealer {
        Sealer::new(&SealingKey::new([key; 32]), exchange).unwrap()
    }

    fn sealed(number: u64) -> Vec<u8> {
        let mut bytes = b"id,phuong\n1,Nghia Do\n".to_vec();
        sealer(7, EXCHANGE).seal(number, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_sealed_chunk_opens_to_what_was_in_it_and_shows_nothing_before() {
        let mut bytes = sealed(3);
        assert_eq!(bytes.len() as u64, b"id,phuong\n1,Nghia Do\n".len() as u64 + OVERHEAD);
        assert!(!bytes.windows(6).any(|window| window == b"phuong"));
        assert_eq!(sealer(7, EXCHANGE).open(3, &mut bytes).unwrap(), b"id,phuong\n1,Nghia Do\n");
    }

    #[test]
    fn another_key_exchange_or_number_opens_nothing() {
        for (key, exchange, number) in
            [(8, EXCHANGE, 3), (7, "01J9ZQ3V6T8W4X5Y6Z7A8B9CDF", 3), (7, EXCHANGE, 2)]
        {
            let mut bytes = sealed(3);
            let told = sealer(key, exchange).open(number, &mut bytes);
            assert!(matches!(told, Err(DataError::NotOpened { .. })), "{key} {exchange} {number}");
            assert!(!bytes.windows(6).any(|window| window == b"phuong"));
        }
    }

    #[test]
    fn a_cut_or_altered_chunk_opens_nothing() {
        let whole = sealed(0);
        for len in 0..whole.len() {
            assert!(sealer(7, EXCHANGE).open(0, &mut whole[..len].to_vec()).is_err(), "{len} bytes");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(sealer(7, EXCHANGE).open(0, &mut bytes).is_err(), "byte {at}");
        }
    }

    /// Made with another implementation: Python's `cryptography`, `AESGCM(bytes([7])*32).encrypt(nonce, b"rows", aad)`.
    #[test]
    fn the_form_is_the_one_that_the_protocol_describes() {
        let mut bytes = b"rows".to_vec();
        sealer(7, EXCHANGE).seal(258, &mut bytes).unwrap();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "400e71dba20ea91bbcecb1531bbf10291a34c913");
    }

    #[test]
    fn the_key_is_known_by_its_digest_and_shown_to_nobody() {
        let key = SealingKey::new([7; 32]);
        assert!(key.is(&Sha256::of(&[7; 32])) && !key.is(&Sha256::of(&[8; 32])));
        assert_eq!(format!("{key:?}"), "SealingKey(secret)");
        assert!(!format!("{:?}", sealer(7, EXCHANGE)).contains("07"));
    }
}
