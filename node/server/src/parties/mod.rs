//! Parties: those who are no peers and may ask at the public door, and the keys that say who they are.
//!
//! **What it is.** A party has no node: a citizen's program, a newspaper's spreadsheet, a foreign connector. It is
//! registered by hand, with country and groups as a peer is, and rules name it in the same way. A **key** of it is a bearer
//! token of 256 random bits, shown once; only its SHA-256 is kept, and the look-up is by that hash, so no comparison
//! takes longer for a better guess. Purpose and legal basis belong to the key, because spreadsheets and notebooks have no
//! place to state them.
//!
//! **The public** is everybody without a key: the subject [`PUBLIC`] in the group `public`. Rules that name neither let
//! it see nothing.

mod keys;

use policy::{Country, GroupId, PartyFacts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Tx};

pub use self::keys::{KeyRecord, New as NewKey, authenticate, by_hash, make, revoke};
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::records;

/// Who asks without a key.
pub const PUBLIC: &str = "urn:tram:public";
/// Name of the group in which the public is.
pub const PUBLIC_GROUP: &str = "public";

/// A party as the node keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Its id, an IRI.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Country, ISO 3166-1 alpha-2.
    pub country: String,
    /// Groups, without prefix.
    pub groups: Vec<String>,
    /// Whether it may ask at all.
    pub active: bool,
    /// Since when, Unix seconds.
    pub added: i64,
    /// Its keys; the secrets are not among them.
    #[serde(default)]
    pub keys: Vec<KeyRecord>,
}

/// What is said of a new party.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    id: String,
    name: String,
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
}

/// A party by its id.
pub fn find(node: &Node, id: &str) -> Result<Option<Party>> {
    Ok(records::get::<Party>(&node.store, Space::Party, id.as_bytes())?.map(|(party, _)| party))
}

/// A party by its id, or an error that says what to do.
pub fn demand(node: &Node, id: &str) -> Result<Party> {
    find(node, id)?
        .ok_or_else(|| Error::not_found(format!("no party `{id}` here; `tram party list` shows them")))
}

/// All parties, by id.
pub fn all(node: &Node) -> Result<Vec<Party>> {
    Ok(records::all::<Party>(&node.store, Space::Party, b"")?.into_iter().map(|(_, party)| party).collect())
}

/// Whether an id is the public's or a registered party's: who comes through the public door.
pub fn is_one(node: &Node, id: &str) -> Result<bool> {
    Ok(id == PUBLIC || find(node, id)?.is_some())
}

/// What the policy needs to know of a party or of the public; none for who is neither.
pub fn facts(node: &Node, id: &str) -> Result<Option<PartyFacts>> {
    if id == PUBLIC {
        // Where a stranger sits is not known: it counts as at home, and rules for `gr:public` are written for strangers.
        let Some(country) = Country::parse(&node.config.node.country) else { return Ok(None) };
        let group = GroupId::named(PUBLIC_GROUP).map_err(Error::internal)?;
        return Ok(Some(PartyFacts { country, active: true, groups: vec![group] }));
    }
    let Some(party) = find(node, id)? else { return Ok(None) };
    let Some(country) = Country::parse(&party.country) else { return Ok(None) };
    let groups = party.groups.iter().map(|g| GroupId::named(g)).collect::<std::result::Result<_, _>>();
    let groups = groups.map_err(|e| Error::internal(format!("group of {id}: {e}")))?;
    Ok(Some(PartyFacts { country, active: party.active, groups }))
}

/// Who may come through the public door, as rules are looked over for them; nobody where it is closed.
pub fn known(node: &Node) -> Result<Vec<policy::access::KnownParty>> {
    if node.config.public.is_none() {
        return Ok(Vec::new());
    }
    let mut known = Vec::new();
    for id in all(node)?.into_iter().map(|party| party.id).chain([PUBLIC.to_owned()]) {
        if let Some(facts) = facts(node, &id)? {
            known.push(policy::access::KnownParty {
                id: policy::SubjectId::named(&id).map_err(Error::internal)?,
                facts,
            });
        }
    }
    Ok(known)
}

/// Registers a party.
///
/// # Errors
/// [`Error::Usage`] for a word that cannot be used, [`Error::Conflict`] for an id that is taken.
pub async fn add(node: &Node, new: New, now: i64) -> Result<Party> {
    check(node, &new)?;
    let _turn = node.locks.lock(b"parties").await;
    if find(node, &new.id)?.is_some() {
        return Err(Error::conflict(format!("there is a party `{}` already", new.id)));
    }
    if node.peers.find(&node.store, &new.id)?.is_some() {
        return Err(Error::conflict(format!(
            "`{}` is a peer of this node; a peer asks through its own node, give the party another id",
            new.id
        )));
    }
    if all(node)?.len() >= limits::PARTIES_MAX {
        return Err(Error::TooLarge(format!("there are {} parties already", limits::PARTIES_MAX)));
    }
    let country = new.country.unwrap_or_else(|| node.config.node.country.clone()).to_uppercase();
    let party = Party {
        id: new.id,
        name: new.name.trim().to_owned(),
        country,
        groups: new.groups,
        active: true,
        added: now,
        keys: Vec::new(),
    };
    keep(node, &party).await?;
    Ok(party)
}

fn check(node: &Node, new: &New) -> Result<()> {
    certs::ParticipantId::parse(&new.id).map_err(|e| Error::usage(format!("id: {e}")))?;
    if new.id == PUBLIC || new.id == node.config.node.id {
        return Err(Error::usage(format!("`{}` is taken by the node itself; give another id", new.id)));
    }
    if new.name.trim().is_empty() || new.name.len() > limits::PARTY_NAME_BYTES_MAX {
        return Err(Error::usage(format!(
            "the name of a party has 1 to {} bytes",
            limits::PARTY_NAME_BYTES_MAX
        )));
    }
    if new.country.as_deref().is_some_and(|country| Country::parse(&country.to_uppercase()).is_none()) {
        return Err(Error::usage("the country is two letters (ISO 3166-1), for example VN"));
    }
    if new.groups.len() > limits::PARTY_GROUPS_MAX {
        return Err(Error::usage(format!("a party is in at most {} groups", limits::PARTY_GROUPS_MAX)));
    }
    for group in &new.groups {
        GroupId::named(group).map_err(|e| Error::usage(format!("group `{group}`: {e}")))?;
    }
    Ok(())
}

/// Lets a party ask no more: its keys are good for nothing from now on.
pub async fn stop(node: &Node, id: &str) -> Result<Party> {
    let _turn = node.locks.lock(b"parties").await;
    let mut party = demand(node, id)?;
    party.active = false;
    keep(node, &party).await?;
    Ok(party)
}

async fn keep(node: &Node, party: &Party) -> Result<()> {
    let tx = Tx::new().put_json(Space::Party, party.id.clone().into_bytes(), party).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(())
}

/// A party as people see it.
pub fn view(party: &Party, now: i64) -> Value {
    json!({
        "id": party.id,
        "name": party.name,
        "country": party.country,
        "groups": party.groups,
        "active": party.active,
        "added": crate::operation::rfc3339(party.added),
        "keys": party.keys.iter().map(|key| key.view(now)).collect::<Vec<_>>(),
    })
}
