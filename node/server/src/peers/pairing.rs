//! Pairing by invitation, from both sides.
//!
//! An invitation is a bearer's paper: whoever holds it may come in. So it lets somebody *new* in and nobody in another's
//! place: not as this node itself, and not as a peer that is known with other keys, unless that peer was revoked or the
//! invitation was made for exactly that participant. All of this is checked before the invitation is used up.

use certs::ParticipantId;
use certs::descriptor::{KeyMaterial, NodeDescriptor, SignedDescriptor};
use certs::pairing::{
    Invitation as Code, PairingRole, PairingSecret, pairing_mac, six_words, verify_pairing_mac,
};
use certs::registry::MemberStatus;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Space, Tx};

use super::{Next, Route, Turn, member};
use crate::error::{Error, RefusalInfo, Result};
use crate::files;
use crate::limits;
use crate::node::Node;
use crate::outbound::Call;
use crate::records::{self, Invitation, Peer};

/// Open invitations at once.
const INVITATIONS_MAX: usize = 100;

/// What the guest sends to the inviter, and gets back: a descriptor and the proof that its sender knows the secret.
/// It comes from a peer, whose node may be newer than ours: members that we do not know are passed over.
#[derive(Debug, Serialize, Deserialize)]
pub struct Introduction {
    /// Which invitation: SHA-256 of the secret, hex.
    pub invitation: String,
    /// The sender's signed descriptor.
    pub descriptor: SignedDescriptor,
    /// MAC over the descriptor's digest, hex.
    pub mac: String,
}

/// Makes an invitation for whoever gets the code, and returns the code and when it expires.
pub async fn invite(node: &Node, groups: Vec<String>) -> Result<(String, i64)> {
    invite_for(node, groups, None).await
}

/// The same, with `made_for` only for that participant: which may then come with other keys than it had.
pub async fn invite_for(node: &Node, groups: Vec<String>, made_for: Option<&str>) -> Result<(String, i64)> {
    check_groups(&groups)?;
    let made_for = made_for.map(|id| meant(node, id)).transpose()?;
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
    let record = Invitation { secret: files::hex(&secret.expose()), groups, made_for, expires };
    let tx = Tx::new()
        .put_json(Space::Invitation, invitation_id(&secret).into_bytes(), &record)
        .map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    node.peers.gate.allow_strangers(true);
    Ok((text.to_string(), expires))
}

fn meant(node: &Node, id: &str) -> Result<ParticipantId> {
    let id = ParticipantId::parse(id).map_err(|e| Error::usage(e.to_string()))?;
    if id == node.me {
        return Err(Error::usage(format!("`{id}` is this node itself; name the other agency")));
    }
    Ok(id)
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

/// Accepts another agency's code: introduces this node to it and learns its descriptor. With `made_for` the code must be
/// of that participant, which may then have other keys than it had.
pub async fn accept(node: &Node, text: &str, groups: Vec<String>, made_for: Option<&str>) -> Result<Peer> {
    check_groups(&groups)?;
    let made_for = made_for.map(|id| meant(node, id)).transpose()?;
    let code = Code::from_code(text, node.clock.now()).map_err(|e| Error::usage(e.to_string()))?;
    if code.participant == node.me {
        return Err(Error::usage("this code was made by this node itself; the other agency accepts it"));
    }
    // Before the other side hears of it: a code that cannot be taken is not used up.
    let channel_known =
        |d: &NodeDescriptor| d.keys.iter().any(|k| k.material == KeyMaterial::Channel(code.channel_spki));
    allowed(node, &code.participant, made_for.as_ref(), channel_known)?;
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
    let answer = node.outbound.introduce(node, &route, Call::post(url, body)).await.map_err(turned_away)?;
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
    let turn = node.peers.turn().await;
    let next = prepare(node, &turn, &descriptor, made_for.as_ref())?;
    admit(node, &turn, next, Admitted { descriptor, groups, words }, Tx::new()).await
}

/// A node that waits for nobody lets no stranger in: its door closes before a word can be said.
fn turned_away(error: Error) -> Error {
    match error {
        Error::Unreachable(why) if why.contains("alert") => Error::Conflict(format!(
            "the other node lets this one not in: the code was used already, it expired, or it was made for somebody else; \
             ask them for a new one (`tram peer invite`) ({why})"
        )),
        other => other,
    }
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
        Error::Refused(Box::new(RefusalInfo {
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
    let turn = node.peers.turn().await;
    let next = prepare(node, &turn, &theirs.descriptor, invitation.made_for.as_ref())?;
    // Used up in the same stroke: of two guests with one code only one gets in.
    let used = Tx::new().at(Space::Invitation, key.clone(), revision).delete(Space::Invitation, key);
    let digest = node.descriptor.digest();
    let words = six_words(&digest, &theirs.descriptor.digest(), &secret).join(" ");
    let guest = Admitted { descriptor: theirs.descriptor, groups: invitation.groups, words };
    admit(node, &turn, next, guest, used).await.map_err(|e| match e {
        Error::Conflict(_) => refused(),
        other => other,
    })?;
    drop(turn);
    forget_expired(node).await?;
    Ok(Introduction {
        invitation: theirs.invitation,
        descriptor: node.descriptor.clone(),
        mac: files::hex(&pairing_mac(&secret, PairingRole::Inviter, &digest)),
    })
}

/// Whether `participant` may come in with keys of which `known` says whether they are the ones it has here.
fn allowed(
    node: &Node,
    participant: &ParticipantId,
    made_for: Option<&ParticipantId>,
    known: impl FnOnce(&NodeDescriptor) -> bool,
) -> Result<()> {
    if *participant == node.me {
        return Err(Error::conflict(format!(
            "`{participant}` is this node itself; nobody else comes in as it"
        )));
    }
    if let Some(wanted) = made_for.filter(|wanted| *wanted != participant) {
        return Err(Error::conflict(format!(
            "the invitation is for `{wanted}`, the one that came is `{participant}`; make one for it"
        )));
    }
    let registry = node.peers.keys();
    let Some(held) = registry.member(participant) else { return Ok(()) };
    if made_for.is_some() || held.status == MemberStatus::Left || known(held.descriptor.descriptor()) {
        return Ok(());
    }
    tracing::warn!(%participant, "somebody came with an invitation as a peer that has other keys here; refused");
    Err(Error::conflict(format!(
        "`{participant}` is a peer already, with other keys; if that agency has new keys, pair again with \
`--for {participant}`, or revoke it first (`tram peer revoke {participant}`)"
    )))
}

/// Checks everything that stands against taking a descriptor in; nothing has changed yet when this fails.
fn prepare(
    node: &Node,
    turn: &Turn<'_>,
    descriptor: &SignedDescriptor,
    made_for: Option<&ParticipantId>,
) -> Result<Next> {
    let about = descriptor.descriptor();
    allowed(node, &about.participant, made_for, |held| same_keys(held, about))?;
    turn.prepare(node.clock.now(), |members| {
        members.retain(|m| *m.id() != about.participant);
        members.push(member(descriptor.clone(), MemberStatus::Active));
    })
}

/// Exactly the same keys: one more would let whoever knows the public ones add its own.
fn same_keys(one: &NodeDescriptor, other: &NodeDescriptor) -> bool {
    let within = |a: &NodeDescriptor, b: &NodeDescriptor| {
        a.keys.iter().all(|key| b.keys.iter().any(|k| k.material == key.material))
    };
    within(one, other) && within(other, one)
}

/// Whom an invitation brought.
struct Admitted {
    descriptor: SignedDescriptor,
    groups: Vec<String>,
    words: String,
}

/// Keeps the peer's record, together with what `tx` does, and puts the registry that knows it in force.
async fn admit(node: &Node, turn: &Turn<'_>, next: Next, new: Admitted, tx: Tx) -> Result<Peer> {
    let now = node.clock.now();
    let about = new.descriptor.descriptor();
    let peer = Peer {
        descriptor: serde_json::to_value(&new.descriptor).unwrap_or(Value::Null),
        id: about.participant.to_string(),
        name_vi: about.names.vi.clone(),
        name_en: about.names.en.clone(),
        country: about.country.clone(),
        endpoint: about.endpoint.clone(),
        groups: new.groups,
        status: "active".to_owned(),
        words: new.words,
        paired: now,
    };
    // The record first: a peer that the registry admits but the gate does not know is refused everything.
    let tx = tx.put_json(Space::Peer, peer.id.clone().into_bytes(), &peer).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    turn.put_in_force(next, now)?;
    Ok(peer)
}
