//! Peers: who is trusted, how they are reached, how two agencies pair by invitation.
//!
//! The node keeps a registry of its own (itself and its peers, itself the only operator); each pairing and each
//! revocation is its next version. What the TLS layer admits, which keys verify messages, and where requests may go all
//! follow from it, at once. Who comes in by an invitation takes nobody's place: see [`pairing`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use certs::ParticipantId;
use certs::descriptor::SignedDescriptor;
use certs::registry::{
    Anchor, Member, MemberStatus, Operator, REGISTRY_FORMAT, Registry, SignedRegistry, VerifiedRegistry,
};
use certs::tls::PeerGate;
use ed25519_dalek::SigningKey;
use store::{Space, Store, Tx};

use crate::error::{Error, Result};
use crate::files;
use crate::limits;
use crate::node::Node;
use crate::records::{self, Peer};

mod pairing;

pub use self::pairing::{Introduction, accept, forget_expired, introduced, invite, invite_for};

/// How long a registry of one's own is fresh, and how long it is good at all: it is renewed at each change.
const REGISTRY_SECONDS: i64 = 10 * 366 * 86_400;

/// How a peer is reached.
#[derive(Debug, Clone)]
pub struct Route {
    /// Who it is.
    pub participant: ParticipantId,
    /// Base URL.
    pub endpoint: String,
    /// SHA-256 of its channel key's SPKI.
    pub spki: [u8; 32],
}

/// The registry in force and what follows from it.
pub struct Peers {
    registry: ArcSwap<VerifiedRegistry>,
    /// What the TLS layer asks.
    pub gate: Arc<PeerGate>,
    operator: SigningKey,
    me: ParticipantId,
    file: std::path::PathBuf,
    changing: tokio::sync::Mutex<()>,
    /// Requests that are being answered, by participant; none stands for nothing.
    answering: Arc<Mutex<HashMap<ParticipantId, usize>>>,
}

/// A place among the requests of a participant that are answered at once; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    participant: ParticipantId,
    answering: Arc<Mutex<HashMap<ParticipantId, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        // Counts are changed in one step each, so a panic elsewhere left them whole.
        let mut answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = answering.entry(self.participant.clone()) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Peers {
    /// Reads the registry of a node's folder, or makes the first one with this node alone.
    pub fn open(dir: &std::path::Path, me: &SignedDescriptor, now: i64) -> Result<Self> {
        let operator = operator_key(dir)?;
        let file = dir.join("registry.json");
        let id = operator_id()?;
        let key = certs::PublicKey::of(&operator);
        let anchor = Anchor { threshold: 1, operators: vec![Operator { id: id.clone(), key }] };
        let verified = if file.exists() {
            let bytes = std::fs::read(&file).map_err(|e| Error::io(&file, e))?;
            SignedRegistry::parse(&bytes).and_then(|r| r.verify_first(&anchor)).map_err(|e| {
                Error::Verification(format!("`{}`: {e}; put it back from a backup", file.display()))
            })?
        } else {
            let first = Registry {
                format: REGISTRY_FORMAT.to_owned(),
                version: 1,
                previous_sha256: None,
                issued: now,
                fresh_until: now + REGISTRY_SECONDS,
                grace_until: now + REGISTRY_SECONDS,
                threshold: 1,
                operators: anchor.operators.clone(),
                members: vec![member(me.clone(), MemberStatus::Active)],
            };
            let signed =
                first.into_unsigned().and_then(|r| r.sign_with(&id, &operator)).map_err(Error::internal)?;
            files::write_atomic(&file, &signed.to_bytes().map_err(Error::internal)?)?;
            signed.verify_first(&anchor).map_err(Error::internal)?
        };
        let peers = Self {
            registry: ArcSwap::from_pointee(verified),
            gate: Arc::new(PeerGate::closed()),
            operator,
            me: me.descriptor().participant.clone(),
            file,
            changing: tokio::sync::Mutex::new(()),
            answering: Arc::default(),
        };
        peers.admit(now)?;
        Ok(peers)
    }

    /// The keys that verify messages and evidence.
    pub fn keys(&self) -> Arc<VerifiedRegistry> {
        self.registry.load_full()
    }

    /// How a peer is reached; an error that says what to do when it is none.
    pub fn route(&self, participant: &str) -> Result<Route> {
        let unknown = || {
            Error::not_found(format!(
                "`{participant}` is no active peer of this node; pair first (`tram peer invite`, `tram peer accept`)"
            ))
        };
        let id = ParticipantId::parse(participant).map_err(|e| Error::usage(e.to_string()))?;
        if id == self.me {
            return Err(Error::usage(format!(
                "`{participant}` is this node itself; its datasets are here already"
            )));
        }
        let registry = self.registry.load();
        let member = registry.member(&id).filter(|m| m.status == MemberStatus::Active).ok_or_else(unknown)?;
        let descriptor = member.descriptor.descriptor();
        let spki = descriptor.channel_pins(registry.registry().issued).next().ok_or_else(unknown)?;
        Ok(Route { participant: id, endpoint: descriptor.endpoint.clone(), spki })
    }

    /// The active participant whose channel key is on the line.
    pub fn on_line(&self, spki: &[u8; 32], now: i64) -> Option<ParticipantId> {
        let registry = self.registry.load();
        let member = registry.by_channel_spki(spki, now)?;
        (member.status == MemberStatus::Active && *member.id() != self.me).then(|| member.id().clone())
    }

    /// A place for one more request of a participant, unless [`limits::REQUESTS_PER_PEER_MAX`] are being answered.
    pub fn place(&self, participant: &ParticipantId) -> Result<Place> {
        let mut answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        let count = answering.entry(participant.clone()).or_default();
        if *count >= limits::REQUESTS_PER_PEER_MAX {
            return Err(Error::Unavailable(format!(
                "{} requests of `{participant}` are being answered already; come again when one is done",
                limits::REQUESTS_PER_PEER_MAX
            )));
        }
        *count += 1;
        Ok(Place { participant: participant.clone(), answering: self.answering.clone() })
    }

    /// The key that verifies a participant's statements.
    pub fn statement_key(&self, participant: &str, at: i64) -> Result<ledger::Vkey> {
        let id = ParticipantId::parse(participant).map_err(|e| Error::usage(e.to_string()))?;
        let keys = self.registry.load().signing_keys_of(&id, at);
        let key = keys.first().ok_or_else(|| {
            Error::Verification(format!("no signing key of `{participant}` is in the registry for that time"))
        })?;
        let name = ledger::KeyName::new(participant).map_err(Error::internal)?;
        certs::note::Vkey::new(name, certs::note::KeyKind::Ed25519, *key.verifying_key())
            .map_err(Error::internal)
    }

    /// A peer's record, active or not. The node itself counts as one for its own questions.
    pub fn find(&self, store: &Store, participant: &str) -> Result<Option<Peer>> {
        Ok(records::get::<Peer>(store, Space::Peer, participant.as_bytes())?.map(|(p, _)| p))
    }

    /// Waits for the right to change whom this node trusts.
    async fn turn(&self) -> Turn<'_> {
        Turn { peers: self, _held: self.changing.lock().await }
    }

    /// Tells the TLS layer whom to admit.
    fn admit(&self, now: i64) -> Result<()> {
        let registry = self.registry.load();
        let others = registry.channel_pins(now).filter(|(_, id)| *id != self.me).collect::<Vec<_>>();
        self.gate.replace(others).map_err(Error::internal)
    }
}

/// The right to change whom this node trusts: whoever holds it is the only one, from the check to the change.
struct Turn<'a> {
    peers: &'a Peers,
    _held: tokio::sync::MutexGuard<'a, ()>,
}

/// The next version of the registry, checked and signed, not yet in force.
struct Next {
    bytes: Vec<u8>,
    verified: VerifiedRegistry,
}

impl Turn<'_> {
    /// Makes the next version, with `change` done to its members. Nothing has changed yet when this fails.
    fn prepare(&self, now: i64, change: impl FnOnce(&mut Vec<Member>)) -> Result<Next> {
        let current = self.peers.registry.load_full();
        let mut next = current.registry().clone();
        next.version += 1;
        next.previous_sha256 = Some(files::hex(&current.digest()));
        next.issued = now.max(next.issued);
        next.fresh_until = now + REGISTRY_SECONDS;
        next.grace_until = now + REGISTRY_SECONDS;
        change(&mut next.members);
        let refused =
            |e: certs::registry::RegistryError| Error::conflict(format!("the registry refuses this: {e}"));
        let signed = next
            .into_unsigned()
            .and_then(|r| r.sign_with(&operator_id_unchecked(), &self.peers.operator))
            .map_err(refused)?;
        let bytes = signed.to_bytes().map_err(Error::internal)?;
        let verified = signed.verify_next(&current).map_err(refused)?;
        Ok(Next { bytes, verified })
    }

    /// Puts a prepared version in force. Where it drops keys, the version before and this one are kept beside it: the
    /// first says whose the keys were, the second since when they are no more.
    fn put_in_force(&self, next: Next, now: i64) -> Result<()> {
        let current = self.peers.registry.load_full();
        let kept = |version: u64| self.peers.file.with_file_name(format!("registry-{version}.json"));
        let drops = current.registry().members.iter().any(|member| {
            !next
                .verified
                .member(member.id())
                .is_some_and(|now| carries_on(&member.descriptor, &now.descriptor))
        });
        if drops {
            let bytes = current.to_bytes().map_err(Error::internal)?;
            files::write_atomic(&kept(current.registry().version), &bytes)?;
        }
        files::write_atomic(&self.peers.file, &next.bytes)?;
        if drops {
            files::write_atomic(&kept(next.verified.registry().version), &next.bytes)?;
        }
        self.peers.registry.store(Arc::new(next.verified));
        self.peers.admit(now)
    }
}

/// Whether everything that the old descriptor vouched for is vouched for by the new one.
fn carries_on(old: &SignedDescriptor, new: &SignedDescriptor) -> bool {
    let (old, new) = (old.descriptor(), new.descriptor());
    old.ledger_origin == new.ledger_origin && old.keys.iter().all(|key| new.keys.contains(key))
}

fn member(descriptor: SignedDescriptor, status: MemberStatus) -> Member {
    Member { descriptor, status, predecessors: Vec::new(), successors: Vec::new() }
}

/// Name of the operator of a node's own registry.
const OPERATOR: &str = "urn:tram:own-registry";

fn operator_id() -> Result<ParticipantId> {
    ParticipantId::parse(OPERATOR).map_err(Error::internal)
}

fn operator_id_unchecked() -> ParticipantId {
    operator_id().unwrap_or_else(|_| unreachable!("the constant is a participant id"))
}

/// The key that signs this node's own registry: `keys/operator.key`, made at first use.
fn operator_key(dir: &std::path::Path) -> Result<SigningKey> {
    let path = dir.join("keys").join("operator.key");
    if path.exists() {
        return files::read_secret(&path).map(|seed| SigningKey::from_bytes(&seed));
    }
    let seed = crate::operation::random::<32>()?;
    files::write_secret(&path, &seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Stops trusting a peer: no connection, no message, no decision in its favour from this moment on. Its old receipts
/// keep verifying.
pub async fn revoke(node: &Node, participant: &str) -> Result<Peer> {
    let turn = node.peers.turn().await;
    let route = node.peers.route(participant)?;
    let now = node.clock.now();
    let next = turn.prepare(now, |members| {
        for member in members.iter_mut().filter(|m| *m.id() == route.participant) {
            member.status = MemberStatus::Left;
        }
    })?;
    let noted = records::update::<Peer, Peer>(&node.store, Space::Peer, participant.as_bytes(), |peer| {
        peer.status = "revoked".to_owned();
        Ok((peer.clone(), Tx::new()))
    })
    .await;
    // In force even when the note could not be written: trust ends first.
    turn.put_in_force(next, now)?;
    node.outbound.forget(&route.spki);
    noted
}

#[cfg(test)]
mod tests;
