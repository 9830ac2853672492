//! What a node says of itself: the signed descriptor.
//!
//! Promises: a [`SignedDescriptor`] that exists was verified: its fields are within limits, its keys are not weak
//! and each has one use, and a signing key that it lists signed its RFC 8785 bytes. That proves that the holder of
//! the key wrote it, *not* that the holder is the agency: trust comes from the [registry](crate::registry) or from
//! [pairing](crate::pairing). Fields and key kinds that we do not know are kept under the signature and ignored.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::encode::sha256;
use crate::id::ParticipantId;
use crate::json::{JsonError, canonical, parse_bounded};
use crate::keys::{NodeKeys, SigningKeyWithId};
use crate::message::{KeyResolver, ResolvedKey};
use crate::public::{DocSignature, KeyUse, Period, PublicKey, TIME_MAX};

/// The `format` of the documents that we write and read.
pub const DESCRIPTOR_FORMAT: &str = "tram-descriptor@1";
/// A descriptor with 16 keys and 4 signatures has about 5 KiB.
pub const DESCRIPTOR_BYTES_MAX: usize = 64 * 1024;
/// Four uses, each with the key before, the key now and the key to come, and some room.
pub const DESCRIPTOR_KEYS_MAX: usize = 16;
/// The old and the new signing key sign at a rotation; two more for the unforeseen.
pub const DESCRIPTOR_SIGNATURES_MAX: usize = 4;
/// Longest name of an agency in one language, in characters.
pub const NAME_CHARS_MAX: usize = 256;
/// Longest endpoint URL, in bytes.
pub const ENDPOINT_BYTES_MAX: usize = 512;
/// Longest ledger origin, in bytes: it stands in every checkpoint.
pub const ORIGIN_BYTES_MAX: usize = 300;

/// The agency's name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

/// One published key: what it is for, its public part, when it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedKey {
    /// Use and public part.
    pub material: KeyMaterial,
    /// When it may be used.
    pub valid: Period,
}

/// The public part of a key, by use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMaterial {
    /// SHA-256 of the SubjectPublicKeyInfo of the TLS key.
    Channel([u8; 32]),
    /// Signs the agency's word.
    Signing(PublicKey),
    /// Signs its checkpoints.
    Ledger(PublicKey),
    /// Cosigns others' checkpoints.
    Witness(PublicKey),
}

impl KeyMaterial {
    /// What the key is for.
    #[must_use]
    pub fn key_use(&self) -> KeyUse {
        match self {
            Self::Channel(_) => KeyUse::Channel,
            Self::Signing(_) => KeyUse::Signing,
            Self::Ledger(_) => KeyUse::Ledger,
            Self::Witness(_) => KeyUse::Witness,
        }
    }

    fn bytes(&self) -> [u8; 32] {
        match self {
            Self::Channel(spki) => *spki,
            Self::Signing(key) | Self::Ledger(key) | Self::Witness(key) => key.to_bytes(),
        }
    }
}

/// A node as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDescriptor {
    /// Which agency's node.
    pub participant: ParticipantId,
    /// The agency's name.
    pub names: Names,
    /// ISO 3166-1 alpha-2, upper case; [`NodeDescriptor::COUNTRY_DEFAULT`] unless told otherwise.
    pub country: String,
    /// Base URL of the peer door: `https`, no query, no fragment, no user, no slash at the end.
    pub endpoint: String,
    /// Key name of the node's checkpoints; see [`default_origin`].
    pub ledger_origin: String,
    /// When this version was written, Unix seconds; later versions replace earlier ones.
    pub issued: i64,
    /// At most [`DESCRIPTOR_KEYS_MAX`]; at least one each for channel, signing and ledger.
    pub keys: Vec<PublishedKey>,
}

/// The usual ledger origin: `<participant id>/ledger`, a schemeless name without space or `+`.
#[must_use]
pub fn default_origin(participant: &ParticipantId) -> String {
    format!("{participant}/ledger")
}

impl NodeDescriptor {
    /// The country of a node whose configuration names none.
    pub const COUNTRY_DEFAULT: &'static str = "VN";

    /// The published form of a node's own four keys, all valid for `valid`.
    #[must_use]
    pub fn keys_of(keys: &NodeKeys, valid: Period) -> Vec<PublishedKey> {
        [
            KeyMaterial::Channel(keys.channel.spki_sha256()),
            KeyMaterial::Signing(PublicKey::of(&keys.signing)),
            KeyMaterial::Ledger(PublicKey::of(&keys.ledger)),
            KeyMaterial::Witness(PublicKey::of(&keys.witness)),
        ]
        .map(|material| PublishedKey { material, valid })
        .to_vec()
    }

    /// Checks and signs the descriptor with one or more signing keys that it lists (old and new at a rotation).
    ///
    /// # Errors
    /// Any [`DescriptorError`]: what is signed here is what [`SignedDescriptor::parse`] would accept.
    pub fn sign(&self, signers: &[&SigningKeyWithId]) -> Result<SignedDescriptor, DescriptorError> {
        let descriptor = serde_json::to_value(wire::of(self)).map_err(DescriptorError::Encoding)?;
        let bytes = canonical(&descriptor).map_err(DescriptorError::Encoding)?;
        let signatures =
            signers.iter().map(|s| DocSignature::make(&self.participant, s.key(), &bytes)).collect();
        SignedDescriptor::try_from(wire::Signed { descriptor, signatures })
    }

    /// Keys of one use that are valid at `at`, in document order.
    pub fn keys_at(&self, key_use: KeyUse, at: i64) -> impl Iterator<Item = &KeyMaterial> {
        self.keys
            .iter()
            .filter(move |k| k.material.key_use() == key_use && k.valid.covers(at))
            .map(|k| &k.material)
    }

    /// The signing key that is valid at `at` and became so last: what its owner uses in a rollover. The first of several.
    #[must_use]
    pub fn newest_signing_key(&self, at: i64) -> Option<PublicKey> {
        let valid = self.keys.iter().filter(|key| key.valid.covers(at));
        let signing = valid.filter_map(|key| match key.material {
            KeyMaterial::Signing(public) => Some((key.valid.from(), public)),
            _ => None,
        });
        signing.reduce(|newest, key| if key.0 > newest.0 { key } else { newest }).map(|(_, key)| key)
    }

    /// The signing key with this id, if it is valid at `at`.
    #[must_use]
    pub fn signing_key(&self, keyid: &str, at: i64) -> Option<PublicKey> {
        self.keys_at(KeyUse::Signing, at).find_map(|material| match material {
            KeyMaterial::Signing(key) if key.keyid(&self.participant) == keyid => Some(*key),
            _ => None,
        })
    }

    /// The ledger keys that are valid at `at`.
    pub fn ledger_keys(&self, at: i64) -> impl Iterator<Item = PublicKey> {
        self.keys_at(KeyUse::Ledger, at)
            .filter_map(|m| if let KeyMaterial::Ledger(k) = m { Some(*k) } else { None })
    }

    /// The witness keys that are valid at `at`.
    pub fn witness_keys(&self, at: i64) -> impl Iterator<Item = PublicKey> {
        self.keys_at(KeyUse::Witness, at)
            .filter_map(|m| if let KeyMaterial::Witness(k) = m { Some(*k) } else { None })
    }

    /// The channel pins (SHA-256 of SPKI) that are valid at `at`.
    pub fn channel_pins(&self, at: i64) -> impl Iterator<Item = [u8; 32]> {
        self.keys_at(KeyUse::Channel, at)
            .filter_map(|m| if let KeyMaterial::Channel(p) = m { Some(*p) } else { None })
    }

    fn check(&self) -> Result<(), DescriptorError> {
        check_name("names.vi", &self.names.vi)?;
        check_name("names.en", &self.names.en)?;
        let country = self.country.as_bytes();
        if country.len() != 2 || !country.iter().all(u8::is_ascii_uppercase) {
            return Err(DescriptorError::Country(self.country.escape_default().to_string()));
        }
        check_endpoint(&self.endpoint)?;
        check_origin(&self.ledger_origin)?;
        if !(0..=TIME_MAX).contains(&self.issued) {
            return Err(DescriptorError::Time { field: "issued" });
        }
        self.check_keys()
    }

    fn check_keys(&self) -> Result<(), DescriptorError> {
        for needed in [KeyUse::Channel, KeyUse::Signing, KeyUse::Ledger] {
            if !self.keys.iter().any(|k| k.material.key_use() == needed) {
                return Err(DescriptorError::MissingKey(needed));
            }
        }
        for (i, key) in self.keys.iter().enumerate() {
            let bytes = key.material.bytes();
            if self.keys.iter().skip(i + 1).any(|other| other.material.bytes() == bytes) {
                return Err(DescriptorError::RepeatedKey(key.material.key_use()));
            }
        }
        Ok(())
    }
}

impl KeyResolver for NodeDescriptor {
    fn signing_key(&self, keyid: &str, at: i64) -> Option<ResolvedKey> {
        let key = NodeDescriptor::signing_key(self, keyid, at)?;
        Some(ResolvedKey { participant: self.participant.clone(), key })
    }
}

/// A verified descriptor with its signatures, byte for byte as it was signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "wire::Signed", into = "wire::Signed")]
pub struct SignedDescriptor {
    descriptor: NodeDescriptor,
    as_signed: Value,
    signatures: Vec<DocSignature>,
    digest: [u8; 32],
}

impl SignedDescriptor {
    /// Parses and verifies a descriptor from a peer, a file or an invitation.
    ///
    /// # Errors
    /// [`DescriptorError`] names the first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, DescriptorError> {
        let value = parse_bounded(bytes, DESCRIPTOR_BYTES_MAX)?;
        let signed: wire::Signed = serde_json::from_value(value).map_err(DescriptorError::Shape)?;
        Self::try_from(signed)
    }

    /// What the node says.
    #[must_use]
    pub fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }

    /// The same, consuming.
    #[must_use]
    pub fn into_descriptor(self) -> NodeDescriptor {
        self.descriptor
    }

    /// SHA-256 of the canonical bytes that are signed: the descriptor's fingerprint.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The whole document (descriptor and signatures) in canonical JSON.
    ///
    /// # Errors
    /// [`DescriptorError::Encoding`], which does not happen for a parsed document.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DescriptorError> {
        canonical(self).map_err(DescriptorError::Encoding)
    }

    /// Whether this descriptor rightly replaces `previous`: same participant, written later, and vouched for by a
    /// signing key of the previous one that was still valid when this one was written.
    ///
    /// # Errors
    /// [`DescriptorError::NotASuccessor`] says why not.
    pub fn verify_successor_of(&self, previous: &Self) -> Result<(), DescriptorError> {
        let (new, old) = (&self.descriptor, &previous.descriptor);
        if new.participant != old.participant {
            return Err(DescriptorError::NotASuccessor("it describes another participant"));
        }
        if new.issued <= old.issued {
            return Err(DescriptorError::NotASuccessor("it is not newer than the one we hold"));
        }
        // Every signature was verified when the document was parsed; here only: is one of them by a key we knew.
        let vouched = self.signatures.iter().any(|s| old.signing_key(&s.keyid, new.issued).is_some());
        if vouched {
            Ok(())
        } else {
            Err(DescriptorError::NotASuccessor("no key of the one we hold signed it"))
        }
    }
}

impl TryFrom<wire::Signed> for SignedDescriptor {
    type Error = DescriptorError;

    fn try_from(signed: wire::Signed) -> Result<Self, DescriptorError> {
        let descriptor = wire::to_descriptor(&signed.descriptor)?;
        descriptor.check()?;
        let bytes = canonical(&signed.descriptor).map_err(DescriptorError::Encoding)?;
        if bytes.len() > DESCRIPTOR_BYTES_MAX {
            return Err(JsonError::TooLarge { bytes: bytes.len(), max: DESCRIPTOR_BYTES_MAX }.into());
        }
        verify_signatures(&descriptor, &signed.signatures, &bytes)?;
        let digest = sha256(&bytes);
        Ok(Self { descriptor, as_signed: signed.descriptor, signatures: signed.signatures, digest })
    }
}

impl From<SignedDescriptor> for wire::Signed {
    fn from(signed: SignedDescriptor) -> Self {
        Self { descriptor: signed.as_signed, signatures: signed.signatures }
    }
}

/// Every signature must be by a listed signing key and right; one of those keys must be valid at `issued`.
fn verify_signatures(
    descriptor: &NodeDescriptor,
    signatures: &[DocSignature],
    bytes: &[u8],
) -> Result<(), DescriptorError> {
    if signatures.is_empty() || signatures.len() > DESCRIPTOR_SIGNATURES_MAX {
        return Err(DescriptorError::SignatureCount(signatures.len()));
    }
    let mut valid_when_issued = false;
    for signature in signatures {
        let listed = descriptor.keys.iter().find_map(|k| match k.material {
            KeyMaterial::Signing(key) if key.keyid(&descriptor.participant) == signature.keyid => {
                Some((key, k.valid))
            }
            _ => None,
        });
        let (key, valid) = listed.ok_or_else(|| DescriptorError::UnlistedSigner(shown(&signature.keyid)))?;
        if !key.verify(bytes, &signature.signature) {
            return Err(DescriptorError::WrongSignature(shown(&signature.keyid)));
        }
        valid_when_issued |= valid.covers(descriptor.issued);
    }
    if valid_when_issued { Ok(()) } else { Err(DescriptorError::SignerNotValid) }
}

fn shown(text: &str) -> String {
    text.escape_default().take(400).collect()
}

fn check_name(field: &'static str, name: &str) -> Result<(), DescriptorError> {
    let chars = name.chars().count();
    if name.trim().is_empty() || chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(DescriptorError::Name { field });
    }
    Ok(())
}

fn check_endpoint(endpoint: &str) -> Result<(), DescriptorError> {
    let refuse = |why| Err(DescriptorError::Endpoint { endpoint: shown(endpoint), why });
    if endpoint.len() > ENDPOINT_BYTES_MAX {
        return refuse("it is too long");
    }
    if !endpoint.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse("only printable ASCII without space is allowed");
    }
    let Some(rest) = endpoint.strip_prefix("https://") else {
        return refuse("it must begin with `https://`");
    };
    if rest.contains(['?', '#', '@', '\\', '"', '<', '>']) {
        return refuse("query, fragment, user and quotation marks are not allowed");
    }
    if endpoint.ends_with('/') {
        return refuse("leave out the slash at the end");
    }
    match endpoint.parse::<http::Uri>() {
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        _ => refuse("it has no host"),
    }
}

fn check_origin(origin: &str) -> Result<(), DescriptorError> {
    let legal = |b: u8| b.is_ascii_graphic() && b != b'+';
    if origin.is_empty() || origin.len() > ORIGIN_BYTES_MAX || !origin.bytes().all(legal) {
        return Err(DescriptorError::Origin(shown(origin)));
    }
    Ok(())
}

/// Why a descriptor is refused.
#[derive(Debug, thiserror::Error)]
pub enum DescriptorError {
    /// Too large, too deep or no JSON.
    #[error("the node descriptor cannot be read: {0}")]
    Json(#[from] JsonError),
    /// JSON, but not of this shape.
    #[error("the node descriptor does not have the expected shape: {0}")]
    Shape(#[source] serde_json::Error),
    /// Another format.
    #[error(
        "the node descriptor has the format `{0}`, this node reads `{DESCRIPTOR_FORMAT}`; update the older node"
    )]
    Format(String),
    /// Could not be written as JSON.
    #[error("the node descriptor cannot be written: {0}")]
    Encoding(#[source] serde_json::Error),
    /// A name is empty, too long or has control characters.
    #[error("`{field}` must be a name of 1 to {NAME_CHARS_MAX} characters without control characters")]
    Name {
        /// Which field.
        field: &'static str,
    },
    /// No country code.
    #[error("`{0}` is no country code; use two upper-case letters (ISO 3166-1), such as `VN`")]
    Country(String),
    /// The endpoint cannot be used.
    #[error(
        "the endpoint `{endpoint}` cannot be used: {why}; write it like `https://node.agency.example:8443`"
    )]
    Endpoint {
        /// As given.
        endpoint: String,
        /// The reason.
        why: &'static str,
    },
    /// The ledger origin is no legal note key name.
    #[error(
        "the ledger origin `{0}` is no legal name: 1 to {ORIGIN_BYTES_MAX} printable ASCII characters without space and `+`"
    )]
    Origin(String),
    /// A time or period out of range.
    #[error("`{field}` must be Unix seconds, and a period must end after it begins, before the year 10000")]
    Time {
        /// Which field.
        field: &'static str,
    },
    /// Too many keys.
    #[error("the node descriptor lists {0} keys, at most {DESCRIPTOR_KEYS_MAX} are allowed")]
    TooManyKeys(usize),
    /// A key that cannot be used.
    #[error("key {index} of the node descriptor cannot be used: {why}")]
    Key {
        /// Position, from 0.
        index: usize,
        /// The reason.
        why: String,
    },
    /// No key for a use that every node needs.
    #[error("the node descriptor lists no {0} key; every node needs one")]
    MissingKey(KeyUse),
    /// One key twice.
    #[error("the node descriptor lists its {0} key twice, or for two uses; each use needs its own key")]
    RepeatedKey(KeyUse),
    /// None or too many signatures.
    #[error("the node descriptor has {0} signatures; 1 to {DESCRIPTOR_SIGNATURES_MAX} are expected")]
    SignatureCount(usize),
    /// Signed by a key that it does not list.
    #[error("`{0}` signed the node descriptor but is none of the signing keys in it")]
    UnlistedSigner(String),
    /// The signature is wrong.
    #[error("the signature of `{0}` on the node descriptor is wrong: it was changed after signing")]
    WrongSignature(String),
    /// Signed with a key outside its own period.
    #[error("no key that signed the node descriptor was valid when it was issued")]
    SignerNotValid,
    /// It may not replace the one we hold.
    #[error("the new node descriptor is not accepted: {0}; ask the agency, or pair the nodes again")]
    NotASuccessor(&'static str),
}

#[cfg(test)]
mod tests;
mod wire;
