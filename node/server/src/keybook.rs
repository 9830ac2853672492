//! Who had which key when, for judging receipts: from a registry, or from the excerpt of one that rides in a receipt.
//!
//! The excerpt holds the signed descriptors of both parties. Whoever trusts nobody compares its fingerprint with the
//! registry of the federation, or gives that registry itself.

use certs::descriptor::{KeyMaterial, PublishedKey, SignedDescriptor};
use certs::registry::{Registry, VerifiedRegistry};
use certs::{ParticipantId, Period, PublicKey};
use ledger::receipt::{DatedKey, KeyBook, LogIdentity};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::files;

/// What rides in a receipt.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excerpt {
    /// Version of the issuing node's registry.
    pub registry_version: u64,
    /// Its SHA-256, hex.
    pub registry_sha256: String,
    /// Signed descriptors of the parties.
    pub members: Vec<SignedDescriptor>,
    /// What opens the statement's commitment to the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// What opens the commitments of a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<crate::decisions::Opened>,
}

/// Descriptors by which receipts are judged.
#[derive(Debug)]
pub struct Book {
    members: Vec<SignedDescriptor>,
    /// Keys that count only before a time, Unix seconds: whose, which, until when.
    closed: Vec<(ParticipantId, KeyMaterial, u64)>,
}

impl Book {
    /// All members of a registry, those who left included: their old receipts must keep verifying.
    pub fn of_registry(registry: &Registry) -> Self {
        Self::of_registries(&[registry])
    }

    /// All members of registries, those who left included: their old receipts must keep verifying. Of several versions of
    /// one registry the older ones say whose keys were replaced since; those count until the first given version that
    /// lists them no more.
    pub fn of_registries(registries: &[&Registry]) -> Self {
        let mut book = Self { members: Vec::new(), closed: Vec::new() };
        for registry in registries {
            for member in &registry.members {
                if !book.members.contains(&member.descriptor) {
                    book.members.push(member.descriptor.clone());
                }
                let keys = member.descriptor.descriptor().keys.iter();
                book.closed.extend(keys.filter_map(|key| {
                    let until = replaced(registry, registries, member.id(), &key.material)?;
                    Some((member.id().clone(), key.material, u64::try_from(until).unwrap_or(0)))
                }));
            }
        }
        book
    }

    /// These members and no others.
    pub fn of_members(members: Vec<SignedDescriptor>) -> Self {
        Self { members, closed: Vec::new() }
    }

    /// Adds members that are not listed yet.
    pub fn add(&mut self, members: Vec<SignedDescriptor>) {
        for member in members {
            if !self.members.contains(&member) {
                self.members.push(member);
            }
        }
    }

    /// Names of a member, Vietnamese and English, from its newest descriptor here.
    pub fn names(&self, participant: &str) -> Option<(String, String)> {
        let all = self.members.iter().map(SignedDescriptor::descriptor);
        let newest = all.filter(|d| d.participant.as_str() == participant).max_by_key(|d| d.issued)?;
        Some((newest.names.vi.clone(), newest.names.en.clone()))
    }

    /// The descriptors of these participants, or of all.
    pub fn members(&self, of: impl Fn(&str) -> bool) -> Vec<SignedDescriptor> {
        self.members.iter().filter(|d| of(d.descriptor().participant.as_str())).cloned().collect()
    }

    /// The members of an excerpt.
    pub fn of_excerpt(value: &Value) -> Result<(Self, Excerpt)> {
        let excerpt: Excerpt = serde_json::from_value(value.clone()).map_err(|e| {
            Error::Verification(format!("the receipt's excerpt of the registry is unreadable: {e}"))
        })?;
        Ok((Self { members: excerpt.members.clone(), closed: Vec::new() }, excerpt))
    }

    /// Short fingerprints of the members' descriptors, for people who compare.
    pub fn fingerprints(&self) -> Vec<(String, String)> {
        let short = |d: &SignedDescriptor| files::hex(&d.digest()[..8]);
        self.members.iter().map(|d| (d.descriptor().participant.to_string(), short(d))).collect()
    }
}

/// The excerpt of a registry for these participants; `fill` puts in what rides along.
pub fn excerpt(
    registry: &VerifiedRegistry,
    parties: &[&str],
    fill: impl FnOnce(&mut Excerpt),
) -> Result<Value> {
    let members = registry.registry().members.iter();
    let members =
        members.filter(|m| parties.contains(&m.id().as_str())).map(|m| m.descriptor.clone()).collect();
    let mut excerpt = Excerpt {
        registry_version: registry.registry().version,
        registry_sha256: files::hex(&registry.digest()),
        members,
        answer: None,
        decision: None,
    };
    fill(&mut excerpt);
    serde_json::to_value(excerpt).map_err(Error::internal)
}

/// When a key that `listing` lists was replaced, as far as the later versions among `registries` tell.
fn replaced(
    listing: &Registry,
    registries: &[&Registry],
    id: &ParticipantId,
    key: &KeyMaterial,
) -> Option<i64> {
    let versions = registries.iter().filter(|r| r.operators == listing.operators);
    let lists = |r: &&Registry| {
        let member = r.members.iter().find(|m| m.id() == id)?.descriptor.descriptor();
        Some(member.keys.iter().any(|k| k.material == *key))
    };
    let last = versions.clone().filter(|r| lists(r) == Some(true)).map(|r| r.version).max()?;
    versions.filter(|r| r.version > last && lists(r) == Some(false)).map(|r| r.issued).min()
}

fn dated(key: &PublicKey, valid: Period) -> DatedKey {
    DatedKey {
        key: *key.verifying_key(),
        valid_from: u64::try_from(valid.from()).unwrap_or(0),
        // The descriptor names the last second, the ledger the first one after it.
        valid_until: u64::try_from(valid.until()).map_or(0, |last| last.saturating_add(1)),
    }
}

impl Book {
    fn dated_until_closed(&self, whose: &ParticipantId, key: &PublishedKey, public: &PublicKey) -> DatedKey {
        let mut dated = dated(public, key.valid);
        for (id, material, until) in &self.closed {
            if id == whose && *material == key.material {
                dated.valid_until = dated.valid_until.min(*until);
            }
        }
        dated
    }
}

impl KeyBook for Book {
    fn signing_keys(&self, participant: &str) -> Vec<DatedKey> {
        let of = self.members.iter().map(SignedDescriptor::descriptor);
        of.filter(|d| d.participant.as_str() == participant)
            .flat_map(|d| d.keys.iter().map(|key| (&d.participant, key)))
            .filter_map(|(whose, key)| match &key.material {
                KeyMaterial::Signing(public) => Some(self.dated_until_closed(whose, key, public)),
                _ => None,
            })
            .collect()
    }

    fn log(&self, origin: &str) -> Option<LogIdentity> {
        let of =
            || self.members.iter().map(SignedDescriptor::descriptor).filter(|d| d.ledger_origin == origin);
        let participant = of().next()?.participant.clone();
        let keys = of()
            .filter(|d| d.participant == participant)
            .flat_map(|d| &d.keys)
            .filter_map(|key| match &key.material {
                KeyMaterial::Ledger(public) => Some(self.dated_until_closed(&participant, key, public)),
                _ => None,
            })
            .collect();
        Some(LogIdentity { participant: participant.to_string(), keys })
    }
}
