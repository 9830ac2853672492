//! Who had which key when, for judging receipts: from a registry, or from the excerpt of one that rides in a receipt.
//!
//! The excerpt holds the signed descriptors of both parties. Whoever trusts nobody compares its fingerprint with the
//! registry of the federation, or gives that registry itself.

use certs::descriptor::SignedDescriptor;
use certs::registry::{Registry, VerifiedRegistry};
use certs::{Period, descriptor::KeyMaterial};
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
}

/// Descriptors by which receipts are judged.
#[derive(Debug)]
pub struct Book {
    members: Vec<SignedDescriptor>,
}

impl Book {
    /// All members of a registry, those who left included: their old receipts must keep verifying.
    pub fn of_registry(registry: &Registry) -> Self {
        Self { members: registry.members.iter().map(|m| m.descriptor.clone()).collect() }
    }

    /// The members of an excerpt.
    pub fn of_excerpt(value: &Value) -> Result<(Self, Excerpt)> {
        let excerpt: Excerpt = serde_json::from_value(value.clone()).map_err(|e| {
            Error::Verification(format!("the receipt's excerpt of the registry is unreadable: {e}"))
        })?;
        Ok((Self { members: excerpt.members.clone() }, excerpt))
    }

    /// Short fingerprints of the members' descriptors, for people who compare.
    pub fn fingerprints(&self) -> Vec<(String, String)> {
        let short = |d: &SignedDescriptor| files::hex(&d.digest()[..8]);
        self.members.iter().map(|d| (d.descriptor().participant.to_string(), short(d))).collect()
    }
}

/// The excerpt of a registry for an exchange between two participants.
pub fn excerpt(registry: &VerifiedRegistry, parties: &[&str], answer: Option<Answer>) -> Result<Value> {
    let members = registry.registry().members.iter();
    let members =
        members.filter(|m| parties.contains(&m.id().as_str())).map(|m| m.descriptor.clone()).collect();
    let excerpt = Excerpt {
        registry_version: registry.registry().version,
        registry_sha256: files::hex(&registry.digest()),
        members,
        answer,
    };
    serde_json::to_value(excerpt).map_err(Error::internal)
}

fn dated(key: &certs::PublicKey, valid: Period) -> DatedKey {
    DatedKey {
        key: *key.verifying_key(),
        valid_from: u64::try_from(valid.from()).unwrap_or(0),
        // The descriptor names the last second, the ledger the first one after it.
        valid_until: u64::try_from(valid.until()).map_or(0, |last| last.saturating_add(1)),
    }
}

impl KeyBook for Book {
    fn signing_keys(&self, participant: &str) -> Vec<DatedKey> {
        let of = self.members.iter().filter(|d| d.descriptor().participant.as_str() == participant);
        let keys = of.flat_map(|d| &d.descriptor().keys);
        keys.filter_map(|key| match &key.material {
            KeyMaterial::Signing(public) => Some(dated(public, key.valid)),
            _ => None,
        })
        .collect()
    }

    fn log(&self, origin: &str) -> Option<LogIdentity> {
        let member = self.members.iter().find(|d| d.descriptor().ledger_origin == origin)?.descriptor();
        let keys = member.keys.iter().filter_map(|key| match &key.material {
            KeyMaterial::Ledger(public) => Some(dated(public, key.valid)),
            _ => None,
        });
        Some(LogIdentity { participant: member.participant.to_string(), keys: keys.collect() })
    }
}
