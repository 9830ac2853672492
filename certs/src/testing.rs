//! What the tests of this crate share: deterministic keys and parties.

use crate::descriptor::{Names, NodeDescriptor, SignedDescriptor, default_origin};
use crate::id::ParticipantId;
use crate::keys::{CertificateDetails, KeySeeds, NodeKeys};
use crate::public::Period;

/// The time at which every test plays.
pub(crate) const NOW: i64 = 1_790_000_000;
/// Keys and certificates are valid for a day before and after.
pub(crate) const DAY: i64 = 86_400;

/// `urn:agency:test:<n>`.
pub(crate) fn party(n: u8) -> ParticipantId {
    ParticipantId::parse(&format!("urn:agency:test:{n}")).unwrap()
}

pub(crate) fn validity() -> Period {
    Period::new(NOW - DAY, NOW + DAY).unwrap()
}

/// The four keys of party `n`; another `generation` gives other keys.
pub(crate) fn keys_of(n: u8, generation: u8) -> NodeKeys {
    keys_valid(n, generation, validity())
}

/// The same with another certificate period.
pub(crate) fn keys_valid(n: u8, generation: u8, valid: Period) -> NodeKeys {
    let mut seeds = KeySeeds::default();
    for (i, seed) in [&mut seeds.channel, &mut seeds.signing, &mut seeds.ledger, &mut seeds.witness]
        .into_iter()
        .enumerate()
    {
        **seed = [n ^ 0x55; 32];
        seed[0] = i as u8;
        seed[1] = generation;
    }
    let hosts = vec!["localhost".to_owned()];
    NodeKeys::from_seeds(&seeds, &CertificateDetails { participant: party(n), hosts, valid }).unwrap()
}

pub(crate) fn descriptor_of(n: u8) -> NodeDescriptor {
    NodeDescriptor {
        participant: party(n),
        names: Names { vi: format!("Cơ quan {n}"), en: format!("Agency {n}") },
        country: NodeDescriptor::COUNTRY_DEFAULT.to_owned(),
        endpoint: format!("https://node{n}.example:8443"),
        ledger_origin: default_origin(&party(n)),
        issued: NOW,
        keys: NodeDescriptor::keys_of(&keys_of(n, 0), validity()),
    }
}

pub(crate) fn signed_descriptor_of(n: u8) -> SignedDescriptor {
    descriptor_of(n).sign(&[&keys_of(n, 0).signer(&party(n))]).unwrap()
}
