//! Registries: who may sign, which version may follow, what the look-ups give out.

use super::*;
use crate::descriptor::{NodeDescriptor, PublishedKey};
use crate::keys::NodeKeys;
use crate::message::KeyResolver;
use crate::public::Period;
use crate::testing::{DAY, NOW, descriptor_of, keys_of, party, signed_descriptor_of};

fn operator_key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn operator_id(n: u8) -> ParticipantId {
    ParticipantId::parse(&format!("urn:operator:{n}")).unwrap()
}

fn operators(numbers: impl IntoIterator<Item = u8>) -> Vec<Operator> {
    numbers
        .into_iter()
        .map(|n| Operator { id: operator_id(n), key: PublicKey::of(&operator_key(n)) })
        .collect()
}

fn anchor() -> Anchor {
    Anchor { threshold: 2, operators: operators([200, 201, 202]) }
}

fn member(n: u8, status: MemberStatus) -> Member {
    Member { descriptor: signed_descriptor_of(n), status, predecessors: Vec::new(), successors: Vec::new() }
}

fn first() -> Registry {
    Registry {
        format: REGISTRY_FORMAT.into(),
        version: 1,
        previous_sha256: None,
        issued: NOW,
        fresh_until: NOW + 10,
        grace_until: NOW + 20,
        threshold: 2,
        operators: operators([200, 201, 202]),
        members: vec![
            member(1, MemberStatus::Active),
            member(2, MemberStatus::Suspended),
            member(3, MemberStatus::Left),
        ],
    }
}

fn signed(registry: Registry, by: &[u8]) -> SignedRegistry {
    let unsigned = registry.into_unsigned().unwrap();
    by.iter().fold(unsigned, |r, n| r.sign_with(&operator_id(*n), &operator_key(*n)).unwrap())
}

fn held() -> VerifiedRegistry {
    signed(first(), &[200, 201]).verify_first(&anchor()).unwrap()
}

fn next() -> Registry {
    let previous_sha256 = Some(hex(&held().digest()));
    Registry { version: 2, previous_sha256, issued: NOW + 5, ..first() }
}

#[test]
fn a_signed_registry_round_trips_and_is_accepted() {
    let bytes = signed(first(), &[200, 202]).to_bytes().unwrap();
    let verified = SignedRegistry::parse(&bytes).unwrap().verify_first(&anchor()).unwrap();
    assert_eq!(verified.registry(), &first());
    assert_eq!(verified.digest(), first().digest().unwrap());
    assert_eq!(verified.to_bytes().unwrap(), bytes);
}

#[test]
fn k_of_n_is_counted_by_distinct_operators() {
    let too_few = |r: SignedRegistry| {
        matches!(r.verify_first(&anchor()), Err(RegistryError::NotEnoughSignatures { .. }))
    };
    assert!(too_few(signed(first(), &[])));
    assert!(too_few(signed(first(), &[200])));
    assert!(too_few(signed(first(), &[200, 99])), "a stranger does not count");
    let mut doubled = signed(first(), &[200]);
    doubled.signatures.push(doubled.signatures[0].clone());
    assert!(too_few(doubled), "one operator counts once");
    assert!(signed(first(), &[200, 201, 202]).verify_first(&anchor()).is_ok());
    let mut wrong = signed(first(), &[200, 201, 202]);
    wrong.signatures[2].signature[0] ^= 1;
    assert!(
        matches!(wrong.verify_first(&anchor()), Err(RegistryError::WrongSignature(id)) if id == operator_id(202))
    );
}

#[test]
fn a_registry_of_other_operators_is_refused() {
    let theirs = Registry { operators: operators([210, 211]), ..first() };
    let refused = signed(theirs.clone(), &[210, 211]).verify_first(&anchor());
    assert!(matches!(refused, Err(RegistryError::NotEnoughSignatures { have: 0, .. })));
    // Handing over: the old board and the new one must both sign.
    assert!(signed(theirs.clone(), &[200, 201, 210, 211]).verify_first(&anchor()).is_ok());
    assert!(signed(theirs, &[200, 201]).verify_first(&anchor()).is_err());
}

#[test]
fn only_the_next_version_follows() {
    let held = held();
    assert_eq!(signed(next(), &[200, 201]).verify_next(&held).unwrap().registry().version, 2);
    let refused = |registry: Registry| signed(registry, &[200, 201]).verify_next(&held).unwrap_err();
    let skipped = refused(Registry { version: 3, ..next() });
    assert!(matches!(skipped, RegistryError::NotNext { expected: 2, found: 3 }));
    assert!(matches!(refused(first()), RegistryError::NotNext { expected: 2, found: 1 }));
    let forked = refused(Registry { previous_sha256: Some("0".repeat(64)), ..next() });
    assert!(matches!(forked, RegistryError::WrongPrevious(1)));
    assert!(matches!(refused(Registry { issued: NOW - 1, ..next() }), RegistryError::OlderThanHeld));
    let taken_over = Registry { operators: operators([210]), threshold: 1, ..next() };
    let refused = signed(taken_over.clone(), &[210]).verify_next(&held);
    assert!(matches!(refused, Err(RegistryError::NotEnoughSignatures { have: 0, threshold: 2, .. })));
    assert!(signed(taken_over, &[200, 201, 210]).verify_next(&held).is_ok());
}

#[test]
fn freshness_changes_at_its_edges() {
    let held = held();
    let seen: Vec<_> = [10, 11, 20, 21].iter().map(|s| held.freshness(NOW + s)).collect();
    assert_eq!(seen, [Freshness::Fresh, Freshness::Stale, Freshness::Stale, Freshness::Expired]);
}

#[test]
fn live_look_ups_know_only_active_members() {
    let held = held();
    let pin = |n| keys_of(n, 0).channel.spki_sha256();
    let keyid = |n| keys_of(n, 0).signer(&party(n)).keyid().to_owned();
    assert_eq!(held.by_channel_spki(&pin(1), NOW).unwrap().id(), &party(1));
    assert_eq!(held.by_channel_spki(&pin(1), NOW + DAY + 1), None, "the key's time is over");
    assert_eq!(KeyResolver::signing_key(&held, &keyid(1), NOW).unwrap().participant, party(1));
    for n in [2, 3, 4] {
        assert_eq!(held.by_channel_spki(&pin(n), NOW), None);
        assert_eq!(KeyResolver::signing_key(&held, &keyid(n), NOW), None);
    }
    assert_eq!(held.channel_pins(NOW).collect::<Vec<_>>(), [(pin(1), party(1))]);
    assert_eq!(held.channel_pins(NOW + DAY + 1).count(), 0);
}

#[test]
fn evidence_of_former_members_still_verifies() {
    let held = held();
    for n in [1, 2, 3] {
        let keys = keys_of(n, 0);
        let keyid = keys.signer(&party(n)).keyid().to_owned();
        let found = held.signing_key(&keyid, NOW).unwrap();
        assert_eq!((found.participant, found.key), (party(n), PublicKey::of(&keys.signing)));
        assert_eq!(held.signing_key(&keyid, NOW + DAY + 1), None);
        assert_eq!(held.signing_keys_of(&party(n), NOW), [PublicKey::of(&keys.signing)]);
        let origin = &descriptor_of(n).ledger_origin;
        assert_eq!(held.ledger_key(origin, NOW).unwrap().key, PublicKey::of(&keys.ledger));
        assert_eq!(held.ledger_key(origin, NOW - DAY - 1), None);
        assert_eq!(held.member(&party(n)).unwrap().id(), &party(n));
    }
    assert_eq!(held.ledger_key("unknown/ledger", NOW), None);
    assert!(held.member(&party(9)).is_none());
}

#[test]
fn impossible_registries_are_refused_by_name() {
    type Change = fn(&mut Registry);
    type Check = fn(&RegistryError) -> bool;
    let cases: [(Change, Check); 15] = [
        (|r| r.format = "tram-registry@9".into(), |e| matches!(e, RegistryError::Format(_))),
        (|r| r.version = 0, |e| matches!(e, RegistryError::Version)),
        (|r| r.version = 1 << 53, |e| matches!(e, RegistryError::Version)),
        (|r| r.version = 2, |e| matches!(e, RegistryError::PreviousForm)),
        (|r| r.previous_sha256 = Some("0".repeat(64)), |e| matches!(e, RegistryError::PreviousForm)),
        (|r| r.fresh_until = NOW - 1, |e| matches!(e, RegistryError::Times)),
        (|r| r.grace_until = NOW + 9, |e| matches!(e, RegistryError::Times)),
        (|r| r.grace_until = TIME_MAX + 1, |e| matches!(e, RegistryError::Times)),
        (|r| r.threshold = 0, |e| matches!(e, RegistryError::Operators)),
        (|r| r.threshold = 4, |e| matches!(e, RegistryError::Operators)),
        (|r| r.operators[1] = r.operators[0].clone(), |e| matches!(e, RegistryError::Operators)),
        (|r| r.operators = operators(150..183), |e| matches!(e, RegistryError::Operators)),
        (
            |r| r.members.push(r.members[0].clone()),
            |e| matches!(e, RegistryError::Repeated { what: "participant id", .. }),
        ),
        (|r| r.members[0].successors = vec![party(1)], |e| matches!(e, RegistryError::Relations(_))),
        (|r| r.members[0].predecessors = vec![party(9); 33], |e| matches!(e, RegistryError::Relations(_))),
    ];
    for (i, (change, check)) in cases.into_iter().enumerate() {
        let mut registry = first();
        change(&mut registry);
        let error = registry.into_unsigned().unwrap_err();
        assert!(check(&error), "case {i}: {error:?}");
    }
}

#[test]
fn no_key_and_no_origin_belongs_to_two_members() {
    let as_other = |change: fn(&mut NodeDescriptor)| {
        let mut descriptor = descriptor_of(4);
        change(&mut descriptor);
        let signer = keys_of(4, 0).signer(&party(4));
        let mut registry = first();
        registry.members.push(Member {
            descriptor: descriptor.sign(&[&signer]).unwrap(),
            ..member(4, MemberStatus::Active)
        });
        registry.into_unsigned()
    };
    assert!(as_other(|_| ()).is_ok());
    let origin = as_other(|d| d.ledger_origin = descriptor_of(1).ledger_origin);
    assert!(matches!(origin, Err(RegistryError::Repeated { what: "ledger origin", .. })));
    for i in 0..4 {
        fn take(d: &mut NodeDescriptor, keys: &NodeKeys, i: usize) {
            let valid = Period::new(NOW, NOW + 1).unwrap();
            d.keys.push(PublishedKey { valid, ..NodeDescriptor::keys_of(keys, valid)[i] });
        }
        let stolen = match i {
            0 => as_other(|d| take(d, &keys_of(1, 0), 0)),
            1 => as_other(|d| take(d, &keys_of(1, 0), 1)),
            2 => as_other(|d| take(d, &keys_of(2, 0), 2)),
            _ => as_other(|d| take(d, &keys_of(3, 0), 3)),
        };
        assert!(matches!(stolen, Err(RegistryError::Repeated { what: "key", .. })), "{i}");
    }
}

#[test]
fn unknown_fields_and_changed_members_are_refused() {
    let text = String::from_utf8(signed(first(), &[200, 201]).to_bytes().unwrap()).unwrap();
    assert!(SignedRegistry::parse(text.as_bytes()).is_ok());
    for (from, to) in [
        ("\"threshold\":2", "\"threshold\":2,\"more\":1"),
        ("\"status\":\"active\"", "\"status\":\"active\",\"more\":1"),
        ("\"status\":\"active\"", "\"status\":\"honorary\""),
        ("https://node1.example:8443", "https://evil.example:8443"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let refused = SignedRegistry::parse(changed.as_bytes());
        assert!(matches!(refused, Err(RegistryError::Shape(_))), "{to}: {refused:?}");
    }
    let promoted = text.replacen("\"status\":\"suspended\"", "\"status\":\"active\"", 1);
    let refused = SignedRegistry::parse(promoted.as_bytes()).unwrap().verify_first(&anchor());
    assert!(matches!(refused, Err(RegistryError::WrongSignature(_))));
}

#[test]
fn size_is_limited_before_parsing() {
    let refused = SignedRegistry::parse(&vec![b' '; REGISTRY_BYTES_MAX + 1]);
    assert!(matches!(refused, Err(RegistryError::Json(JsonError::TooLarge { .. }))));
    let mut many = signed(first(), &[200]);
    many.signatures = vec![many.signatures[0].clone(); SIGNATURES_MAX + 1];
    let refused = SignedRegistry::parse(&many.to_bytes().unwrap());
    assert!(matches!(refused, Err(RegistryError::TooManySignatures(_))));
    let crowd = Registry { members: vec![member(1, MemberStatus::Active); MEMBERS_MAX + 1], ..first() };
    assert!(matches!(crowd.into_unsigned(), Err(RegistryError::TooManyMembers(_))));
}
