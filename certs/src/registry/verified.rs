//! The registry in force: look-ups.
//!
//! Promises: channel pins and message keys are given out only for active members and only within the key's period;
//! keys for old evidence are given out for anybody who was ever a member, within the key's period.

use std::collections::HashMap;

use super::{Member, MemberStatus, Registry, RegistryError, SignedRegistry};
use crate::descriptor::{KeyMaterial, PublishedKey};
use crate::id::ParticipantId;
use crate::json::canonical;
use crate::message::{KeyResolver, ResolvedKey};
use crate::public::{DocSignature, KeyUse, PublicKey};

/// A registry that enough operators signed, with its indexes.
#[derive(Debug, Clone)]
pub struct VerifiedRegistry {
    registry: Registry,
    signatures: Vec<DocSignature>,
    digest: [u8; 32],
    by_id: HashMap<ParticipantId, usize>,
    by_origin: HashMap<String, usize>,
    by_spki: HashMap<[u8; 32], usize>,
    by_keyid: HashMap<String, usize>,
}

/// How old the registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// All is well.
    Fresh,
    /// Past `fresh_until`: warn and work on.
    Stale,
    /// Past `grace_until`: no new agreements, standing ones are served.
    Expired,
}

/// A key of a member, for verifying evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberKey {
    /// Whose.
    pub participant: ParticipantId,
    /// The key.
    pub key: PublicKey,
}

impl VerifiedRegistry {
    pub(super) fn new(signed: SignedRegistry, digest: [u8; 32]) -> Self {
        let (registry, signatures) = signed.into_parts();
        let mut all = Self {
            registry,
            signatures,
            digest,
            by_id: HashMap::new(),
            by_origin: HashMap::new(),
            by_spki: HashMap::new(),
            by_keyid: HashMap::new(),
        };
        for (i, member) in all.registry.members.iter().enumerate() {
            let descriptor = member.descriptor.descriptor();
            all.by_id.insert(descriptor.participant.clone(), i);
            all.by_origin.insert(descriptor.ledger_origin.clone(), i);
            for PublishedKey { material, .. } in &descriptor.keys {
                let _ = match material {
                    KeyMaterial::Channel(spki) => all.by_spki.insert(*spki, i),
                    KeyMaterial::Signing(key) => all.by_keyid.insert(key.keyid(&descriptor.participant), i),
                    KeyMaterial::Ledger(_) | KeyMaterial::Witness(_) => None,
                };
            }
        }
        all
    }

    /// What it says.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// SHA-256 of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The signed document in canonical JSON, to store and to pass on.
    ///
    /// # Errors
    /// [`RegistryError::Encoding`], which does not happen.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RegistryError> {
        let (registry, signatures) = (self.registry.clone(), self.signatures.clone());
        canonical(&SignedRegistry { registry, signatures }).map_err(RegistryError::Encoding)
    }

    /// How old it is at `now` (Unix seconds).
    #[must_use]
    pub fn freshness(&self, now: i64) -> Freshness {
        if now <= self.registry.fresh_until {
            Freshness::Fresh
        } else if now <= self.registry.grace_until {
            Freshness::Stale
        } else {
            Freshness::Expired
        }
    }

    /// A member, whatever its status.
    #[must_use]
    pub fn member(&self, id: &ParticipantId) -> Option<&Member> {
        self.registry.members.get(*self.by_id.get(id)?)
    }

    /// The active member with this channel key, if the key is valid at `at`.
    #[must_use]
    pub fn by_channel_spki(&self, spki: &[u8; 32], at: i64) -> Option<&Member> {
        let member = self.registry.members.get(*self.by_spki.get(spki)?)?;
        let valid = member.descriptor.descriptor().channel_pins(at).any(|pin| pin == *spki);
        (member.status == MemberStatus::Active && valid).then_some(member)
    }

    /// All pins that may connect at `at`, for [`PeerGate::replace`](crate::tls::PeerGate::replace). Call it again
    /// when periods begin or end: once a minute will do.
    pub fn channel_pins(&self, at: i64) -> impl Iterator<Item = ([u8; 32], ParticipantId)> + '_ {
        let active = self.registry.members.iter().filter(|m| m.status == MemberStatus::Active);
        active.flat_map(move |m| {
            m.descriptor.descriptor().channel_pins(at).map(move |pin| (pin, m.id().clone()))
        })
    }

    /// For evidence: the signing key with this id if it was valid at `at`, whatever the member's status now.
    #[must_use]
    pub fn signing_key(&self, keyid: &str, at: i64) -> Option<MemberKey> {
        let member = self.registry.members.get(*self.by_keyid.get(keyid)?)?;
        let key = member.descriptor.descriptor().signing_key(keyid, at)?;
        Some(MemberKey { participant: member.id().clone(), key })
    }

    /// For evidence: the signing keys of a member that were valid at `at`, whatever its status now.
    #[must_use]
    pub fn signing_keys_of(&self, id: &ParticipantId, at: i64) -> Vec<PublicKey> {
        let keys = self.member(id).map(|m| m.descriptor.descriptor().keys_at(KeyUse::Signing, at));
        let signing =
            |material: &KeyMaterial| if let KeyMaterial::Signing(k) = material { Some(*k) } else { None };
        keys.map(|keys| keys.filter_map(signing).collect()).unwrap_or_default()
    }

    /// The signing key of a member that became valid last, of those valid at `at`: to seal to it.
    #[must_use]
    pub fn newest_signing_key_of(&self, id: &ParticipantId, at: i64) -> Option<PublicKey> {
        self.member(id)?.descriptor.descriptor().newest_signing_key(at)
    }

    /// For evidence: the keys of the ledger with this origin that were valid at `at`, in document order.
    #[must_use]
    pub fn ledger_keys(&self, origin: &str, at: i64) -> Vec<MemberKey> {
        let member = self.by_origin.get(origin).and_then(|i| self.registry.members.get(*i));
        let keys = |m: &Member| {
            let keys = m.descriptor.descriptor().ledger_keys(at);
            keys.map(|key| MemberKey { participant: m.id().clone(), key }).collect()
        };
        member.map(keys).unwrap_or_default()
    }

    /// For evidence: the first of [`VerifiedRegistry::ledger_keys`].
    #[must_use]
    pub fn ledger_key(&self, origin: &str, at: i64) -> Option<MemberKey> {
        self.ledger_keys(origin, at).into_iter().next()
    }
}

/// For live messages: active members only.
impl KeyResolver for VerifiedRegistry {
    fn signing_key(&self, keyid: &str, at: i64) -> Option<ResolvedKey> {
        let MemberKey { participant, key } = VerifiedRegistry::signing_key(self, keyid, at)?;
        let active = self.member(&participant)?.status == MemberStatus::Active;
        active.then_some(ResolvedKey { participant, key })
    }
}
