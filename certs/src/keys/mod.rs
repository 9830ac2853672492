//! The node's own four private keys.
//!
//! Promises: channel, signing, ledger and witness key are four different keys, each replaceable alone; they are
//! written all or none, to files that only their owner can read; they are never printed and never read from a
//! file that others can read. Hardware tokens are not here.

mod channel;
mod files;

use std::fmt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

pub use channel::{CERTIFICATE_HOSTS_MAX, CertificateDetails, ChannelKey};
pub use files::{KEY_FILE_BYTES_MAX, generated_file_names, load_one, store_one};

use crate::id::ParticipantId;
use crate::public::{KeyUse, PublicKey};

/// DER of a PKCS#8 v1 Ed25519 private key up to its 32 secret bytes (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The four key pairs of one node.
pub struct NodeKeys {
    /// TLS key and its self-signed certificate.
    pub channel: ChannelKey,
    /// Signs messages, agreements, manifests, statements, tokens and the descriptor.
    pub signing: SigningKey,
    /// Signs the node's own checkpoints.
    pub ledger: SigningKey,
    /// Cosigns other nodes' checkpoints.
    pub witness: SigningKey,
}

/// Thirty-two secret bytes for each use, wiped when dropped.
#[derive(Default)]
pub struct KeySeeds {
    /// For [`KeyUse::Channel`].
    pub channel: Zeroizing<[u8; 32]>,
    /// For [`KeyUse::Signing`].
    pub signing: Zeroizing<[u8; 32]>,
    /// For [`KeyUse::Ledger`].
    pub ledger: Zeroizing<[u8; 32]>,
    /// For [`KeyUse::Witness`].
    pub witness: Zeroizing<[u8; 32]>,
}

impl NodeKeys {
    /// Makes four new keys from the operating system's randomness and a certificate for the channel key.
    ///
    /// # Errors
    /// [`KeyError::Random`] if the system gives no randomness, [`KeyError::Certificate`] if the details do not
    /// make a certificate.
    pub fn generate(details: &CertificateDetails) -> Result<Self, KeyError> {
        let mut seeds = KeySeeds::default();
        for seed in [&mut seeds.channel, &mut seeds.signing, &mut seeds.ledger, &mut seeds.witness] {
            getrandom::fill(seed.as_mut_slice()).map_err(KeyError::Random)?;
        }
        Self::from_seeds(&seeds, details)
    }

    /// Makes the keys from given secret bytes (restoring, tests). The four must differ.
    ///
    /// # Errors
    /// [`KeyError::SameKeyTwice`] or [`KeyError::Certificate`].
    pub fn from_seeds(seeds: &KeySeeds, details: &CertificateDetails) -> Result<Self, KeyError> {
        Self {
            channel: ChannelKey::issue(&seeds.channel, details)?,
            signing: SigningKey::from_bytes(&seeds.signing),
            ledger: SigningKey::from_bytes(&seeds.ledger),
            witness: SigningKey::from_bytes(&seeds.witness),
        }
        .all_different()
    }

    /// Writes the keys into `dir` (made with mode 0700, files 0600), all or none; `dir` must not exist or be empty.
    ///
    /// # Errors
    /// [`KeyError::Exists`] if there is something already, [`KeyError::Io`] otherwise. On error nothing is left
    /// under `dir`.
    pub fn store(&self, dir: &Path) -> Result<(), KeyError> {
        files::store_all(self, dir)
    }

    /// Reads the keys back.
    ///
    /// # Errors
    /// [`KeyError::OpenToOthers`] names the command to run; [`KeyError::Malformed`] names the file.
    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        files::load_all(dir)?.all_different()
    }

    /// Issues a new certificate for the same channel key and replaces the stored one atomically. Peers pin the
    /// key, not the certificate, so they notice nothing.
    ///
    /// # Errors
    /// As [`ChannelKey::issue`] and [`NodeKeys::store`]; on error the old certificate stays in force.
    pub fn renew_certificate(&mut self, dir: &Path, details: &CertificateDetails) -> Result<(), KeyError> {
        let renewed = ChannelKey::issue(self.channel.seed(), details)?;
        files::store_certificate(&renewed, dir)?;
        self.channel = renewed;
        Ok(())
    }

    /// The signing key together with its key id, as [`crate::message`] and [`crate::token`] take it.
    #[must_use]
    pub fn signer(&self, participant: &ParticipantId) -> SigningKeyWithId {
        SigningKeyWithId::new(participant.clone(), self.signing.clone())
    }

    fn all_different(self) -> Result<Self, KeyError> {
        let keys = [
            self.channel.public().to_bytes(),
            self.signing.verifying_key().to_bytes(),
            self.ledger.verifying_key().to_bytes(),
            self.witness.verifying_key().to_bytes(),
        ];
        let repeated = keys.iter().enumerate().any(|(i, key)| keys.iter().skip(i + 1).any(|k| k == key));
        if repeated { Err(KeyError::SameKeyTwice) } else { Ok(self) }
    }
}

impl fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeKeys")
            .field("channel", &self.channel)
            .field("signing", &PublicKey::of(&self.signing))
            .field("ledger", &PublicKey::of(&self.ledger))
            .field("witness", &PublicKey::of(&self.witness))
            .finish()
    }
}

/// A signing key, whose it is and how messages name it.
#[derive(Clone)]
pub struct SigningKeyWithId {
    participant: ParticipantId,
    key: SigningKey,
    keyid: String,
}

impl SigningKeyWithId {
    /// Binds a key to its participant.
    #[must_use]
    pub fn new(participant: ParticipantId, key: SigningKey) -> Self {
        let keyid = PublicKey::of(&key).keyid(&participant);
        Self { participant, key, keyid }
    }

    /// Whose key this is.
    #[must_use]
    pub fn participant(&self) -> &ParticipantId {
        &self.participant
    }

    /// `<participant id>#<thumbprint>`.
    #[must_use]
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::of(&self.key)
    }

    /// The private half, for those who sign other things with it (notes, manifests, agreements).
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
}

impl fmt::Debug for SigningKeyWithId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeyWithId({})", self.keyid)
    }
}

/// PKCS#8 DER of an Ed25519 secret, wiped when dropped.
pub(crate) fn pkcs8_der(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([PKCS8_PREFIX.as_slice(), seed.as_slice()].concat())
}

/// The secret in a PKCS#8 v1 Ed25519 DER, as this crate and `openssl genpkey -algorithm ed25519` write it.
pub(crate) fn seed_of_pkcs8(der: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let seed = der.strip_prefix(PKCS8_PREFIX.as_slice())?;
    Some(Zeroizing::new(seed.try_into().ok()?))
}

/// What can go wrong with the node's own keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system gave no randomness.
    #[error("the operating system gave no random bytes: {0}")]
    Random(#[source] getrandom::Error),
    /// Two uses share a key.
    #[error("two of the four keys are the same; each use needs its own key")]
    SameKeyTwice,
    /// The certificate could not be made.
    #[error("the channel certificate cannot be made: {0}")]
    Certificate(String),
    /// There are keys already.
    #[error("`{}` is not empty; keys are never overwritten: choose another folder or move the old keys away", .0.display())]
    Exists(PathBuf),
    /// The file can be read by others.
    #[error("`{}` can be read or changed by others (mode {mode:04o}); run: chmod {wanted:o} '{}'", path.display(), path.display())]
    OpenToOthers {
        /// The file or folder.
        path: PathBuf,
        /// Its mode now.
        mode: u32,
        /// The mode it must have.
        wanted: u32,
    },
    /// The file is no key of the kind that it should be.
    #[error("`{}` is not {expected}; restore it from the backup of this node's keys", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The certificate belongs to another key.
    #[error("`{}` certifies another key than the one beside it; restore both from the same backup", .0.display())]
    CertificateOfAnotherKey(PathBuf),
    /// The disk said no.
    #[error("cannot {what} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The use of each stored private key and its file name.
pub(crate) const PRIVATE_FILES: [(KeyUse, &str); 4] = [
    (KeyUse::Channel, "channel.key"),
    (KeyUse::Signing, "signing.key"),
    (KeyUse::Ledger, "ledger.key"),
    (KeyUse::Witness, "witness.key"),
];

#[cfg(test)]
mod tests;
