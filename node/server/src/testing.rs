//! What several unit tests need: participants with keys.

use certs::descriptor::{Names, NodeDescriptor, SignedDescriptor, default_origin};
use certs::keys::CertificateDetails;
use certs::{NodeKeys, ParticipantId, Period};

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
