//! What several unit tests need: participants with keys, a node.

use std::sync::Arc;

use certs::descriptor::{Names, NodeDescriptor, SignedDescriptor, default_origin};
use certs::keys::CertificateDetails;
use certs::pairing::{Invitation, PairingRole, pairing_mac};
use certs::{NodeKeys, ParticipantId, Period};
use tempfile::TempDir;

use crate::boot::{self, Doors};
use crate::config::{Config, FilesSection, LedgerSection, LocalSection, NodeSection, PeerSection};
use crate::node::Node;

/// A fresh node `urn:agency:vn:a` without open doors, in a folder that goes with the first value.
pub(crate) async fn node() -> (TempDir, Arc<Node>) {
    node_of("urn:agency:vn:a", "127.0.0.1:1".parse().unwrap()).await
}

/// A fresh node of this name, whose peer door would be there.
async fn node_of(id: &str, peer_at: std::net::SocketAddr) -> (TempDir, Arc<Node>) {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        node: NodeSection {
            id: id.into(),
            name_vi: "Phường A".into(),
            name_en: "Ward A".into(),
            country: "VN".into(),
        },
        peer: PeerSection::new(peer_at, format!("https://{peer_at}")),
        local: LocalSection { listen: "127.0.0.1:2".parse().unwrap() },
        ledger: LedgerSection::default(),
        versions: Default::default(),
        files: FilesSection::default(),
        public: None,
    };
    let folder = dir.path().join("node");
    boot::init(&folder, &config, crate::operation::Clock::system().now()).unwrap();
    let node = boot::open(&folder, Doors::Closed).await.unwrap();
    (dir, node)
}

/// A peer `urn:agency:vn:b` of the node, behind whose door stands what the test says in place of a node's routes. Its
/// answers are signed like a node's.
pub(crate) async fn peer_that_answers(node: &Node, routes: axum::Router) -> (TempDir, Arc<Node>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (dir, peer) = node_of("urn:agency:vn:b", listener.local_addr().unwrap()).await;
    pair(node, &peer.keys, &peer.descriptor).await;
    pair(&peer, &node.keys, &node.descriptor).await;
    let signed = axum::middleware::from_fn_with_state(peer.clone(), crate::peer::signed::layer);
    let tls = certs::tls::server_config(&peer.keys.channel, peer.peers.gate.clone()).unwrap();
    let stop = peer.stop.subscribe();
    tokio::spawn(crate::peer::listener::serve(listener, tls, routes.layer(signed), stop));
    (dir, peer)
}

/// A participant with fresh keys and its descriptor.
pub(crate) fn member(id: &str) -> (NodeKeys, SignedDescriptor) {
    let participant = ParticipantId::parse(id).unwrap();
    let valid = Period::new(1_000_000, 4_000_000_000).unwrap();
    let details =
        CertificateDetails { participant: participant.clone(), hosts: vec!["127.0.0.1".into()], valid };
    let keys = NodeKeys::generate(&details).unwrap();
    let descriptor = NodeDescriptor {
        participant: participant.clone(),
        names: Names { vi: "Cơ quan".into(), en: "Agency".into() },
        country: "VN".into(),
        endpoint: "https://127.0.0.1:1".into(),
        ledger_origin: default_origin(&participant),
        issued: 1_000_000,
        keys: NodeDescriptor::keys_of(&keys, valid),
    };
    let signed = descriptor.sign(&[&keys.signer(&participant)]).unwrap();
    (keys, signed)
}

/// Lets a participant in by an invitation of the node.
pub(crate) async fn pair(node: &Node, keys: &NodeKeys, descriptor: &SignedDescriptor) {
    let (code, _) = crate::peers::invite(node, vec!["state".into()]).await.unwrap();
    let code = Invitation::from_code(&code, node.clock.now()).unwrap();
    let body = serde_json::json!({
        "invitation": crate::files::hex(&<sha2::Sha256 as sha2::Digest>::digest(code.secret.expose())),
        "descriptor": descriptor,
        "mac": crate::files::hex(&pairing_mac(&code.secret, PairingRole::Guest, &descriptor.digest())),
    });
    crate::peers::introduced(node, &keys.channel.spki_sha256(), body.to_string().as_bytes()).await.unwrap();
}

/// The local door of a node that was opened in the test, as the command line has it.
pub(crate) fn local_door(node: &std::sync::Arc<crate::node::Node>) -> crate::cli::client::Client {
    crate::cli::client::Client::Here(Box::new(crate::local::router(node.clone())), node.clone())
}

/// A wish for all rows, for no purpose.
pub(crate) fn ask() -> crate::records::Ask {
    crate::records::Ask {
        action: "query".into(),
        purpose: None,
        basis: None,
        query: serde_json::Value::Null,
        stated: Default::default(),
    }
}

/// A manifest of one sealed chunk that holds 24 bytes of rows.
pub(crate) fn manifest(sealed: exchange::manifest::Sealed) -> exchange::Manifest {
    use exchange::Digest;
    use exchange::dsp::Id;
    use exchange::manifest::{Chunk, Column, ColumnKind, DatasetRef, DecisionRef, Draft, RuleSetRef};
    let id = |text: &str| Id::new(text).unwrap();
    let draft = Draft {
        exchange_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
        provider: id("urn:agency:vn:b"),
        consumer: id("urn:agency:vn:a"),
        agreement_id: id("urn:uuid:1"),
        transfer_id: id("urn:uuid:2"),
        decision: DecisionRef { id: id("urn:d"), sha256: Digest::of(b"d") },
        rule_set: RuleSetRef { sha256: Digest::of(b"r"), version: 1 },
        dataset: DatasetRef { id: id("urn:agency:vn:b/x"), version: 1 },
        columns: vec![Column { name: "a".into(), kind: ColumnKind::Integer }],
        media_type: "text/csv".into(),
        obligations: serde_json::json!({}),
        rows: 1,
        chunk_size: 4 << 20,
        chunks: vec![Chunk { len: 40, sha256: Digest::of(&[1; 40]) }],
        sha256: Digest::of(b"rows"),
        sealed: Some(sealed),
        copy: None,
        superseded: None,
        created: 2_000_000,
    };
    exchange::Manifest::seal(draft).unwrap()
}
