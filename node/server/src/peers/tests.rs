//! An invitation lets somebody new in, and nobody in another's place.

use certs::NodeKeys;
use certs::pairing::{Invitation as Code, PairingRole, pairing_mac};
use serde_json::json;

use super::*;
use crate::testing;

const PEER: &str = "urn:agency:vn:b";

/// Somebody with the code comes as `who`, on its own line.
async fn comes(node: &Node, code: &str, who: &(NodeKeys, SignedDescriptor)) -> Result<Introduction> {
    let code = Code::from_code(code, node.clock.now()).unwrap();
    let body = json!({
        "invitation": files::hex(&<sha2::Sha256 as sha2::Digest>::digest(code.secret.expose())),
        "descriptor": who.1,
        "mac": files::hex(&pairing_mac(&code.secret, PairingRole::Guest, &who.1.digest())),
        "a member of the future": 1,
    });
    introduced(node, &who.0.channel.spki_sha256(), body.to_string().as_bytes()).await
}

async fn code(node: &Node) -> String {
    invite(node, vec![]).await.unwrap().0
}

fn channel_of(node: &Node) -> [u8; 32] {
    node.peers.route(PEER).unwrap().spki
}

#[track_caller]
fn conflict<T: std::fmt::Debug>(result: Result<T>, wants: &str) {
    match result {
        Err(Error::Conflict(text)) => assert!(text.contains(wants), "`{text}` should say `{wants}`"),
        other => panic!("{other:?} is no conflict"),
    }
}

#[tokio::test]
async fn nobody_comes_in_as_a_peer_that_has_other_keys_and_the_invitation_stays_good() {
    let (_dir, node) = testing::node().await;
    let peer = testing::member(PEER);
    comes(&node, &code(&node).await, &peer).await.unwrap();
    let version = node.peers.keys().registry().version;
    let open = code(&node).await;
    conflict(comes(&node, &open, &testing::member(PEER)).await, "--for urn:agency:vn:b");
    assert_eq!(
        (channel_of(&node), node.peers.keys().registry().version),
        (peer.0.channel.spki_sha256(), version)
    );
    // The same agency with the same keys is welcome: the code was not used up.
    comes(&node, &open, &peer).await.unwrap();
    assert!(matches!(comes(&node, &open, &peer).await, Err(Error::Refused(_))), "but now it is");
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn nobody_comes_in_as_this_node_or_with_a_peers_ledger() {
    let (_dir, node) = testing::node().await;
    let open = code(&node).await;
    conflict(comes(&node, &open, &testing::member("urn:agency:vn:a")).await, "this node itself");
    comes(&node, &code(&node).await, &testing::member(PEER)).await.unwrap();
    let (keys, descriptor) = testing::member("urn:agency:vn:c");
    let mut taken = descriptor.descriptor().clone();
    taken.ledger_origin = certs::descriptor::default_origin(&ParticipantId::parse(PEER).unwrap());
    let taken = taken.sign(&[&keys.signer(&taken.participant)]).unwrap();
    conflict(comes(&node, &open, &(keys, taken)).await, "ledger origin");
    let known = records::all::<Peer>(&node.store, Space::Peer, b"").unwrap();
    assert_eq!(known.len(), 1, "who was refused leaves no record");
    comes(&node, &open, &testing::member("urn:agency:vn:d")).await.unwrap();
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn keys_added_to_a_peers_public_ones_are_other_keys() {
    let (_dir, node) = testing::node().await;
    let peer = testing::member(PEER);
    comes(&node, &code(&node).await, &peer).await.unwrap();
    let (keys, own) = testing::member(PEER);
    let mut mixed = peer.1.descriptor().clone();
    mixed.keys.extend(own.descriptor().keys.clone());
    let mixed = mixed.sign(&[&keys.signer(&mixed.participant)]).unwrap();
    conflict(comes(&node, &code(&node).await, &(keys, mixed)).await, "other keys");
    assert_eq!(channel_of(&node), peer.0.channel.spki_sha256());
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn an_invitation_for_one_lets_that_one_in_with_new_keys_and_nobody_else() {
    let (dir, node) = testing::node().await;
    let (old, new) = (testing::member(PEER), testing::member(PEER));
    comes(&node, &code(&node).await, &old).await.unwrap();
    let (made, _) = invite_for(&node, vec![], Some(PEER)).await.unwrap();
    conflict(comes(&node, &made, &testing::member("urn:agency:vn:c")).await, "is for");
    comes(&node, &made, &new).await.unwrap();
    assert_eq!(channel_of(&node), new.0.channel.spki_sha256());
    assert_eq!(node.peers.on_line(&old.0.channel.spki_sha256(), node.clock.now()), None);
    // The versions before and since are kept: one knows the old keys, the other does not.
    let kept = |version: u64| {
        let bytes = std::fs::read(dir.path().join(format!("node/registry-{version}.json"))).unwrap();
        let members = SignedRegistry::parse(&bytes).unwrap().unverified().members.clone();
        members.iter().any(|m| m.descriptor.digest() == old.1.digest())
    };
    let version = node.peers.keys().registry().version;
    assert_eq!((kept(version - 1), kept(version)), (true, false));
    assert!(matches!(invite_for(&node, vec![], Some("urn:agency:vn:a")).await, Err(Error::Usage(_))));
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn a_revoked_peer_may_come_back_with_new_keys() {
    let (_dir, node) = testing::node().await;
    let (old, new) = (testing::member(PEER), testing::member(PEER));
    comes(&node, &code(&node).await, &old).await.unwrap();
    revoke(&node, PEER).await.unwrap();
    comes(&node, &code(&node).await, &new).await.unwrap();
    assert_eq!(channel_of(&node), new.0.channel.spki_sha256());
    crate::boot::close(&node).await;
}

#[tokio::test]
async fn a_code_that_would_replace_a_peer_is_refused_before_anybody_is_called() {
    let (_dir, node) = testing::node().await;
    let peer = testing::member(PEER);
    comes(&node, &code(&node).await, &peer).await.unwrap();
    let code_with = |spki| {
        let code = Code {
            participant: ParticipantId::parse(PEER).unwrap(),
            endpoint: "https://127.0.0.1:1".into(),
            channel_spki: spki,
            secret: certs::pairing::PairingSecret::new([7; 16]),
            expires: node.clock.now() + 60,
        };
        code.to_code().unwrap().to_string()
    };
    let foreign = code_with([9; 32]);
    conflict(accept(&node, &foreign, vec![], None).await, "other keys");
    conflict(accept(&node, &foreign, vec![], Some("urn:agency:vn:c")).await, "is for");
    // Nobody listens there: these were not refused before the call.
    for (code, made_for) in [(foreign, Some(PEER)), (code_with(peer.0.channel.spki_sha256()), None)] {
        let called = accept(&node, &code, vec![], made_for).await;
        assert!(matches!(called, Err(Error::Unreachable(_))), "{called:?}");
    }
    crate::boot::close(&node).await;
}
