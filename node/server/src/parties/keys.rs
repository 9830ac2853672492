//! Keys of parties: made, shown once, found again by their hash, revoked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy::{BasisId, PurposeId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use store::{Space, Tx};

use super::{Party, demand, find};
use crate::error::{Error, Result};
use crate::files;
use crate::limits;
use crate::node::Node;
use crate::records;

/// How a key begins, so that people and scanners of repositories know one when they see it.
const PREFIX: &str = "tram_";
/// Where the hash of a key leads to its party.
const INDEX: &str = "party-key/";

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its name: the first half of what is kept of it.
    pub id: String,
    /// SHA-256 of the key, hex.
    pub sha256: String,
    /// For which purpose it asks.
    pub purpose: Option<String>,
    /// On which legal basis.
    pub basis: Option<String>,
    /// Since when, Unix seconds.
    pub made: i64,
    /// Until before this Unix second.
    pub until: i64,
    /// Whether it was taken back.
    #[serde(default)]
    pub revoked: bool,
}

impl KeyRecord {
    /// Whether it is good now.
    pub fn holds_at(&self, now: i64) -> bool {
        !self.revoked && now >= self.made && now < self.until
    }

    pub(super) fn view(&self, now: i64) -> Value {
        json!({
            "id": self.id,
            "purpose": self.purpose,
            "basis": self.basis,
            "until": crate::operation::rfc3339(self.until),
            "good": self.holds_at(now),
        })
    }
}

/// What is said of a new key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    basis: Option<String>,
    #[serde(default)]
    days: Option<u32>,
}

fn index(hash: &str) -> Vec<u8> {
    format!("{INDEX}{hash}").into_bytes()
}

fn hash(key: &str) -> String {
    files::hex(&Sha256::digest(key.as_bytes()))
}

/// A new key of a party: the record, and the key itself, which nobody can show again.
pub async fn make(node: &Node, id: &str, new: New, now: i64) -> Result<(KeyRecord, String)> {
    let named = |what: &str, text: &str, e: policy::IdError| Error::usage(format!("{what} `{text}`: {e}"));
    if let Some(purpose) = &new.purpose {
        PurposeId::named(purpose).map_err(|e| named("purpose", purpose, e))?;
    }
    if let Some(basis) = &new.basis {
        BasisId::named(basis).map_err(|e| named("legal basis", basis, e))?;
    }
    let days = new.days.unwrap_or(limits::PARTY_KEY_DAYS_DEFAULT);
    if days == 0 || days > limits::PARTY_KEY_DAYS_MAX {
        return Err(Error::usage(format!("a key is good for 1 to {} days", limits::PARTY_KEY_DAYS_MAX)));
    }
    let _turn = node.locks.lock(b"parties").await;
    let mut party = demand(node, id)?;
    if !party.active {
        return Err(Error::conflict(format!("`{id}` was stopped; register it anew under another id")));
    }
    // What is good for nothing any more makes room.
    let gone: Vec<KeyRecord> = party.keys.iter().filter(|key| !key.holds_at(now)).cloned().collect();
    party.keys.retain(|key| key.holds_at(now));
    if party.keys.len() >= limits::PARTY_KEYS_MAX {
        return Err(Error::conflict(format!(
            "`{id}` has {} keys already; take one back with `tram party revoke`",
            limits::PARTY_KEYS_MAX
        )));
    }
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(crate::operation::random::<32>()?));
    let sha256 = hash(&key);
    let record = KeyRecord {
        id: sha256.chars().take(12).collect(),
        sha256,
        purpose: new.purpose,
        basis: new.basis,
        made: now,
        until: now.saturating_add(i64::from(days) * 86_400),
        revoked: false,
    };
    party.keys.push(record.clone());
    let mut tx = Tx::new()
        .put_json(Space::Party, party.id.clone().into_bytes(), &party)
        .and_then(|tx| tx.put_json(Space::Meta, index(&record.sha256), &party.id))
        .map_err(Error::from)?;
    for old in gone {
        tx = tx.delete(Space::Meta, index(&old.sha256));
    }
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok((record, key))
}

/// Takes a key back.
pub async fn revoke(node: &Node, id: &str, key: &str) -> Result<Party> {
    let _turn = node.locks.lock(b"parties").await;
    let mut party = demand(node, id)?;
    let found = party.keys.iter_mut().find(|held| held.id == key).ok_or_else(|| {
        Error::not_found(format!("`{id}` has no key `{key}`; `tram party list` shows its keys"))
    })?;
    found.revoked = true;
    super::keep(node, &party).await?;
    Ok(party)
}

/// The party and the record of a key that is good now.
///
/// # Errors
/// [`Error::Unauthenticated`], with the same words whatever is wrong.
pub fn authenticate(node: &Node, key: &str, now: i64) -> Result<(Party, KeyRecord)> {
    by_hash(node, &hash(key), now)?.ok_or_else(|| {
        Error::Unauthenticated(
            "this key is not good here: it was mistyped, has expired or was taken back; ask the agency for a new one"
                .to_owned(),
        )
    })
}

/// The same by the key's SHA-256, hex: for who was authenticated before and comes again.
pub fn by_hash(node: &Node, sha256: &str, now: i64) -> Result<Option<(Party, KeyRecord)>> {
    let Some((id, _)) = records::get::<String>(&node.store, Space::Meta, &index(sha256))? else {
        return Ok(None);
    };
    let Some(party) = find(node, &id)?.filter(|party| party.active) else { return Ok(None) };
    let held = party.keys.iter().find(|held| held.sha256 == sha256 && held.holds_at(now)).cloned();
    Ok(held.map(|held| (party, held)))
}
