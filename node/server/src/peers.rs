//! Peers: who is trusted, how they are reached, how two agencies pair by invitation.
//!
//! The node keeps a registry of its own (itself and its peers, itself the only operator); each pairing and each
//! revocation is its next version. What the TLS layer admits, which keys verify messages, and where requests may go all
//! follow from it, at once.

use std::sync::Arc;

use arc_swap::ArcSwap;
use certs::ParticipantId;
use certs::descriptor::SignedDescriptor;
use certs::pairing::{
    Invitation as Code, PairingRole, PairingSecret, pairing_mac, six_words, verify_pairing_mac,
};
use certs::registry::{
    Anchor, Member, MemberStatus, Operator, REGISTRY_FORMAT, Registry, SignedRegistry, VerifiedRegistry,
};
use certs::tls::PeerGate;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Space, Store, Tx};

use crate::error::{Error, Result};
use crate::files;
use crate::limits;
use crate::node::Node;
use crate::outbound::Call;
use crate::records::{self, Invitation, Peer};

/// How long a registry of one's own is fresh, and how long it is good at all: it is renewed at each change.
const REGISTRY_SECONDS: i64 = 10 * 366 * 86_400;
/// Open invitations at once.
const INVITATIONS_MAX: usize = 100;

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

    /// Puts the next version of the registry in force, with `change` done to its members.
    async fn next(&self, now: i64, change: impl FnOnce(&mut Vec<Member>)) -> Result<()> {
        let _turn = self.changing.lock().await;
        let current = self.registry.load_full();
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
            .and_then(|r| r.sign_with(&operator_id_unchecked(), &self.operator))
            .map_err(refused)?;
        let bytes = signed.to_bytes().map_err(Error::internal)?;
        let verified = signed.verify_next(&current).map_err(refused)?;
        files::write_atomic(&self.file, &bytes)?;
        self.registry.store(Arc::new(verified));
        self.admit(now)
    }

    /// Tells the TLS layer whom to admit.
    fn admit(&self, now: i64) -> Result<()> {
        let registry = self.registry.load();
        let others = registry.channel_pins(now).filter(|(_, id)| *id != self.me).collect::<Vec<_>>();
        self.gate.replace(others).map_err(Error::internal)
    }
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

/// What the guest sends to the inviter, and gets back: a descriptor and the proof that its sender knows the secret.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introduction {
    /// Which invitation: SHA-256 of the secret, hex.
    pub invitation: String,
    /// The sender's signed descriptor.
    pub descriptor: SignedDescriptor,
    /// MAC over the descriptor's digest, hex.
    pub mac: String,
}

/// Makes an invitation and returns its code.
pub async fn invite(node: &Node, groups: Vec<String>) -> Result<(String, i64)> {
    check_groups(&groups)?;
    let now = node.clock.now();
    let open = forget_expired(node).await?;
    if open >= INVITATIONS_MAX {
        return Err(Error::conflict(format!(
            "{open} invitations are open; wait until some expire (one day)"
        )));
    }
    let secret = PairingSecret::new(crate::operation::random::<16>()?);
    let expires = now + limits::INVITATION_SECONDS;
    let code = Code {
        participant: node.me.clone(),
        endpoint: node.config.peer.endpoint.clone(),
        channel_spki: node.keys.channel.spki_sha256(),
        secret: secret.clone(),
        expires,
    };
    let text = code.to_code().map_err(|e| Error::usage(e.to_string()))?;
    let record = Invitation { secret: files::hex(&secret.expose()), groups, expires };
    let tx = Tx::new()
        .put_json(Space::Invitation, invitation_id(&secret).into_bytes(), &record)
        .map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    node.peers.gate.allow_strangers(true);
    Ok((text.to_string(), expires))
}

fn invitation_id(secret: &PairingSecret) -> String {
    use sha2::Digest;
    files::hex(&sha2::Sha256::digest(secret.expose()))
}

fn check_groups(groups: &[String]) -> Result<()> {
    for group in groups {
        policy::GroupId::named(group).map_err(|e| Error::usage(format!("group `{group}`: {e}")))?;
    }
    Ok(())
}

/// Deletes invitations that are over; strangers are admitted to the TLS layer only while one is open.
pub async fn forget_expired(node: &Node) -> Result<usize> {
    let now = node.clock.now();
    let mut open = 0;
    for (key, invitation) in records::all::<Invitation>(&node.store, Space::Invitation, b"")? {
        if invitation.expires < now {
            node.store.commit(Tx::new().delete(Space::Invitation, key)).await.map_err(Error::from)?;
        } else {
            open += 1;
        }
    }
    node.peers.gate.allow_strangers(open > 0);
    Ok(open)
}

/// Accepts another agency's code: introduces this node to it and learns its descriptor.
pub async fn accept(node: &Node, text: &str, groups: Vec<String>) -> Result<Peer> {
    check_groups(&groups)?;
    let code = Code::from_code(text, node.clock.now()).map_err(|e| Error::usage(e.to_string()))?;
    if code.participant == node.me {
        return Err(Error::usage("this code was made by this node itself; the other agency accepts it"));
    }
    let digest = node.descriptor.digest();
    let introduction = Introduction {
        invitation: invitation_id(&code.secret),
        descriptor: node.descriptor.clone(),
        mac: files::hex(&pairing_mac(&code.secret, PairingRole::Guest, &digest)),
    };
    let route = Route {
        participant: code.participant.clone(),
        endpoint: code.endpoint.clone(),
        spki: code.channel_spki,
    };
    let body = serde_json::to_vec(&introduction).map_err(Error::internal)?;
    let url = format!("{}/tram/pairing", code.endpoint);
    let answer = node.outbound.introduce(node, &route, Call::post(url, body)).await?;
    let theirs: Introduction = serde_json::from_slice(&answer)
        .map_err(|e| Error::Peer(format!("the answer of {} is no introduction: {e}", code.participant)))?;
    let descriptor = theirs.descriptor;
    check_introduction(&theirs.mac, &descriptor, &code.secret, PairingRole::Inviter)?;
    let pinned = descriptor.descriptor().channel_pins(node.clock.now()).any(|pin| pin == code.channel_spki);
    if descriptor.descriptor().participant != code.participant || !pinned {
        return Err(Error::Verification(
            "the descriptor that came is not of the agency that made the code; ask them for a new code"
                .to_owned(),
        ));
    }
    let words = six_words(&digest, &descriptor.digest(), &code.secret).join(" ");
    admit(node, descriptor, groups, words).await
}

fn check_introduction(
    mac: &str,
    descriptor: &SignedDescriptor,
    secret: &PairingSecret,
    role: PairingRole,
) -> Result<()> {
    let mac = files::unhex::<32>(mac)
        .ok_or_else(|| Error::Verification("the MAC is not 32 bytes of hex".to_owned()))?;
    verify_pairing_mac(secret, role, &descriptor.digest(), &mac)
        .map_err(|e| Error::Verification(e.to_string()))
}

/// A guest introduces itself: checks the secret, uses the invitation up, and introduces this node in return.
pub async fn introduced(node: &Node, spki: &[u8; 32], body: &[u8]) -> Result<Introduction> {
    let refused = || {
        Error::Refused(Box::new(crate::error::RefusalInfo {
            code: "INVITATION".to_owned(),
            legal_basis: "sổ thành viên của nút / the node's registry".to_owned(),
            text_vi: "mã mời không đúng, đã dùng hoặc đã hết hạn".to_owned(),
            text_en: "the invitation is wrong, used or expired".to_owned(),
        }))
    };
    let theirs: Introduction = serde_json::from_slice(body)
        .map_err(|e| Error::usage(format!("the body is no introduction: {e}")))?;
    let key = theirs.invitation.clone().into_bytes();
    let (invitation, revision) = records::get::<Invitation>(&node.store, Space::Invitation, &key)
        .ok()
        .flatten()
        .ok_or_else(refused)?;
    let secret = files::unhex::<16>(&invitation.secret).map(PairingSecret::new).ok_or_else(refused)?;
    if invitation.expires < node.clock.now() {
        return Err(refused());
    }
    check_introduction(&theirs.mac, &theirs.descriptor, &secret, PairingRole::Guest)
        .map_err(|_| refused())?;
    let now = node.clock.now();
    if !theirs.descriptor.descriptor().channel_pins(now).any(|pin| pin == *spki) {
        return Err(Error::Verification("the descriptor is not of the key that is on the line".to_owned()));
    }
    // Used up first: of two guests with one code only one gets in.
    let used = Tx::new().at(Space::Invitation, key.clone(), revision).delete(Space::Invitation, key);
    node.store.commit(used).await.map_err(|_| refused())?;
    let digest = node.descriptor.digest();
    let words = six_words(&digest, &theirs.descriptor.digest(), &secret).join(" ");
    admit(node, theirs.descriptor, invitation.groups, words).await?;
    forget_expired(node).await?;
    Ok(Introduction {
        invitation: theirs.invitation,
        descriptor: node.descriptor.clone(),
        mac: files::hex(&pairing_mac(&secret, PairingRole::Inviter, &digest)),
    })
}

async fn admit(
    node: &Node,
    descriptor: SignedDescriptor,
    groups: Vec<String>,
    words: String,
) -> Result<Peer> {
    let now = node.clock.now();
    let about = descriptor.descriptor().clone();
    let peer = Peer {
        descriptor: serde_json::to_value(&descriptor).unwrap_or(Value::Null),
        id: about.participant.to_string(),
        name_vi: about.names.vi.clone(),
        name_en: about.names.en.clone(),
        country: about.country.clone(),
        endpoint: about.endpoint.clone(),
        groups,
        status: "active".to_owned(),
        words,
        paired: now,
    };
    // The record first: a peer that the registry admits but the gate does not know is refused everything.
    let tx = Tx::new().put_json(Space::Peer, peer.id.clone().into_bytes(), &peer).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    node.peers
        .next(now, |members| {
            members.retain(|m| *m.id() != about.participant);
            members.push(member(descriptor, MemberStatus::Active));
        })
        .await?;
    Ok(peer)
}

/// Stops trusting a peer: no connection, no message, no decision in its favour from this moment on. Its old receipts
/// keep verifying.
pub async fn revoke(node: &Node, participant: &str) -> Result<Peer> {
    let route = node.peers.route(participant)?;
    let peer = records::update::<Peer, Peer>(&node.store, Space::Peer, participant.as_bytes(), |peer| {
        peer.status = "revoked".to_owned();
        Ok((peer.clone(), Tx::new()))
    })
    .await?;
    node.peers
        .next(node.clock.now(), |members| {
            for member in members.iter_mut().filter(|m| *m.id() == route.participant) {
                member.status = MemberStatus::Left;
            }
        })
        .await?;
    node.outbound.forget(&route.spki);
    Ok(peer)
}
