//! Pairing two nodes by hand, where no operator vouches for them.
//!
//! One side makes an [`Invitation`] and gives its code to the other by any channel; the other connects (pinned to the
//! channel key in the code) and both send their descriptors with a [`pairing_mac`] under the one-time secret; at the
//! end both people compare [`six_words`].
//!
//! Promises: a code with a typing mistake is refused, not misread; the secret is never printed except inside the code
//! itself; MACs of the two roles differ, so neither can be played back to its maker. What protects against whom: the
//! pin against a false inviter, the MAC against a false guest who has not seen the code, the words against one who
//! has changed the code on its way.
//!
//! Not here: keeping the invitation, using it only once, and closing the door afterwards
//! ([`PeerGate::allow_strangers`](crate::tls::PeerGate::allow_strangers)). The server does these.

mod code;
mod words;

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

pub use code::CODE_CHARS_MAX;
pub use words::{WORD_BITS, WORD_COUNT, word_list};

use crate::descriptor::ENDPOINT_BYTES_MAX;
use crate::encode::hex;
use crate::id::ParticipantId;

/// What every invitation code begins with; the digit is the version.
pub const CODE_PREFIX: &str = "tram1-";
/// How many words people compare.
pub const WORDS_COMPARED: usize = 6;
/// Each guess at a set of words costs so many HMACs, so that an attacker cannot search keys for matching words.
const STRETCH_ROUNDS: u32 = 1 << 15;

const MAC_CONTEXT: &[u8] = b"tram/pairing/mac/v1";
const WORDS_CONTEXT: &[u8] = b"tram/pairing/words/v1";

/// Sixteen random bytes that are good for one pairing.
#[derive(Clone)]
pub struct PairingSecret(Zeroizing<[u8; 16]>);

impl PairingSecret {
    /// From fresh random bytes.
    #[must_use]
    pub fn new(mut random: [u8; 16]) -> Self {
        let secret = Self(Zeroizing::new(random));
        random.zeroize();
        secret
    }

    fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The bytes, for keeping an open invitation in the node's own store. Never log them.
    #[must_use]
    pub fn expose(&self) -> [u8; 16] {
        *self.0
    }
}

impl PartialEq for PairingSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for PairingSecret {}

impl fmt::Debug for PairingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingSecret(…)")
    }
}

/// What the inviting node tells the other, in one code.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Who invites.
    pub participant: ParticipantId,
    /// Where to connect: base URL of the peer door, `https`.
    pub endpoint: String,
    /// SHA-256 of the SPKI of the inviter's channel key.
    pub channel_spki: [u8; 32],
    /// Good for one pairing.
    pub secret: PairingSecret,
    /// Until when, Unix seconds.
    pub expires: i64,
}

impl Invitation {
    /// The code: [`CODE_PREFIX`], then groups of five letters and digits (base32, no padding) with a checksum.
    ///
    /// # Errors
    /// [`PairingError::Content`] if a part cannot stand in a code.
    pub fn to_code(&self) -> Result<Zeroizing<String>, PairingError> {
        self.check()?;
        Ok(code::write(self))
    }

    /// Reads a code as people paste it: letter case, spaces, line breaks and missing hyphens do not matter.
    ///
    /// # Errors
    /// [`PairingError`] says what is wrong: not a code, another version, a typing mistake, expired.
    pub fn from_code(text: &str, now: i64) -> Result<Self, PairingError> {
        let invitation = code::read(text)?;
        invitation.check()?;
        if now > invitation.expires {
            return Err(PairingError::Expired);
        }
        Ok(invitation)
    }

    fn check(&self) -> Result<(), PairingError> {
        let rest = self
            .endpoint
            .strip_prefix("https://")
            .ok_or(PairingError::Content("the endpoint must be `https`"))?;
        if rest.is_empty()
            || self.endpoint.len() > ENDPOINT_BYTES_MAX
            || !rest.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(PairingError::Content("the endpoint is empty, too long or not printable ASCII"));
        }
        if !(0..=code::EXPIRES_MAX).contains(&self.expires) {
            return Err(PairingError::Content("the time of expiry is out of range"));
        }
        Ok(())
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation")
            .field("participant", &self.participant)
            .field("endpoint", &self.endpoint)
            .field("channel_spki", &hex(&self.channel_spki))
            .field("secret", &self.secret)
            .field("expires", &self.expires)
            .finish()
    }
}

/// Which side of a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingRole {
    /// Made the invitation.
    Inviter,
    /// Accepted it.
    Guest,
}

impl PairingRole {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Inviter => b"inviter",
            Self::Guest => b"guest",
        }
    }
}

/// HMAC-SHA256 under the one-time secret over the sender's role and the digest of the sender's descriptor
/// ([`SignedDescriptor::digest`](crate::descriptor::SignedDescriptor::digest)).
#[must_use]
pub fn pairing_mac(secret: &PairingSecret, sender: PairingRole, descriptor_digest: &[u8; 32]) -> [u8; 32] {
    hmac(secret.bytes(), &[MAC_CONTEXT, &[0], sender.label(), &[0], descriptor_digest])
}

/// Compares a MAC received from the peer in constant time.
///
/// # Errors
/// [`PairingError::WrongMac`].
pub fn verify_pairing_mac(
    secret: &PairingSecret,
    sender: PairingRole,
    descriptor_digest: &[u8; 32],
    mac: &[u8; 32],
) -> Result<(), PairingError> {
    let expected = pairing_mac(secret, sender, descriptor_digest);
    if bool::from(expected.ct_eq(mac)) { Ok(()) } else { Err(PairingError::WrongMac) }
}

/// Six words that both people read to each other; the same on both sides whatever the order of the digests.
///
/// Six of 1,024 words are 60 bits. The words are derived from both descriptors' digests and the secret through
/// 2^15 chained HMACs. Someone who knows the secret and sits in the middle needs two descriptors of
/// their own that give both people the same words: about 2^30 tries on each side, each at 2^15 HMACs, while the
/// invitation lasts. Someone who does not know the secret fails at the MAC before any words are shown.
#[must_use]
pub fn six_words(a: &[u8; 32], b: &[u8; 32], secret: &PairingSecret) -> [&'static str; WORDS_COMPARED] {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut digest = hmac(secret.bytes(), &[WORDS_CONTEXT, &[0], first, second]);
    for _ in 0..STRETCH_ROUNDS {
        digest = hmac(secret.bytes(), &[WORDS_CONTEXT, &[1], &digest]);
    }
    words::pick(&digest)
}

fn hmac(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length is a legal HMAC key; ours is one block at most, so it is used as it is.
    let mut block = Zeroizing::new([0u8; 64]);
    for (slot, byte) in block.iter_mut().zip(key) {
        *slot = *byte;
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Why a pairing does not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    /// Not a code at all.
    #[error("this is no invitation code; it begins with `{CODE_PREFIX}`: copy the whole code")]
    NotACode,
    /// A code of another version.
    #[error("the invitation code is of another version; update the older of the two nodes")]
    OtherVersion,
    /// Too long.
    #[error("the invitation code is longer than {CODE_CHARS_MAX} characters; copy only the code")]
    TooLong,
    /// A character that no code has.
    #[error(
        "the invitation code has the character {found:?} at place {at}, which no code has; copy it again"
    )]
    Character {
        /// The character.
        found: char,
        /// Its place among the letters and digits after the prefix, from 1.
        at: usize,
    },
    /// Checksum wrong or length impossible.
    #[error("the invitation code is incomplete or mistyped (its checksum is wrong); copy it again")]
    Checksum,
    /// A part of it cannot be.
    #[error("the invitation cannot be used: {0}")]
    Content(&'static str),
    /// Past its time.
    #[error("the invitation has expired; ask for a new one")]
    Expired,
    /// The peer does not know the secret, or its descriptor was changed.
    #[error("the peer's proof does not match the invitation; close it and make a new one")]
    WrongMac,
}

#[cfg(test)]
mod tests;
