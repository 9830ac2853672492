//! Descriptors: what verifies, what is refused, who may replace whom.

use serde_json::json;

use super::*;
use crate::encode::b64;
use crate::testing::{DAY, NOW, descriptor_of, keys_of, party, signed_descriptor_of, validity};

fn signer(n: u8, generation: u8) -> SigningKeyWithId {
    keys_of(n, generation).signer(&party(n))
}

/// The JSON of a descriptor, changed and signed again with its own key.
fn resigned(change: impl FnOnce(&mut Value)) -> Result<SignedDescriptor, DescriptorError> {
    let mut document = serde_json::to_value(signed_descriptor_of(1)).unwrap();
    change(&mut document["descriptor"]);
    let bytes = canonical(&document["descriptor"]).unwrap();
    let signature = DocSignature::make(&party(1), signer(1, 0).key(), &bytes);
    document["signatures"] = json!([signature]);
    SignedDescriptor::parse(document.to_string().as_bytes())
}

#[test]
fn a_signed_descriptor_round_trips() {
    let signed = signed_descriptor_of(1);
    let again = SignedDescriptor::parse(&signed.to_bytes().unwrap()).unwrap();
    assert_eq!(again, signed);
    assert_eq!(again.descriptor(), &descriptor_of(1));
    assert_eq!(again.digest(), signed.digest());
    assert_ne!(again.digest(), signed_descriptor_of(2).digest());
}

#[test]
fn look_ups_respect_use_and_period() {
    let (descriptor, keys) = (descriptor_of(1), keys_of(1, 0));
    let keyid = signer(1, 0).keyid().to_owned();
    assert_eq!(descriptor.signing_key(&keyid, NOW), Some(PublicKey::of(&keys.signing)));
    assert_eq!(descriptor.signing_key(&keyid, NOW + DAY + 1), None);
    assert_eq!(descriptor.signing_key(&PublicKey::of(&keys.ledger).keyid(&party(1)), NOW), None);
    assert_eq!(descriptor.ledger_keys(NOW).collect::<Vec<_>>(), [PublicKey::of(&keys.ledger)]);
    assert_eq!(descriptor.witness_keys(NOW).collect::<Vec<_>>(), [PublicKey::of(&keys.witness)]);
    assert_eq!(descriptor.channel_pins(NOW).collect::<Vec<_>>(), [keys.channel.spki_sha256()]);
    assert_eq!(descriptor.channel_pins(NOW - DAY - 1).count(), 0);
}

#[test]
fn in_a_rollover_the_newest_valid_key_is_the_one_to_seal_to() {
    let [old, new, later] = [0, 1, 2].map(|generation| PublicKey::of(&keys_of(1, generation).signing));
    let mut descriptor = descriptor_of(1);
    let published = |key, from| PublishedKey {
        material: KeyMaterial::Signing(key),
        valid: Period::new(from, NOW + DAY).unwrap(),
    };
    descriptor.keys = vec![published(old, NOW - 10), published(new, NOW - 5), published(later, NOW + 5)];
    assert_eq!(descriptor.newest_signing_key(NOW - 7), Some(old));
    assert_eq!(descriptor.newest_signing_key(NOW), Some(new), "not the first of the document");
    descriptor.keys.reverse();
    assert_eq!(descriptor.newest_signing_key(NOW), Some(new));
    assert_eq!(descriptor.newest_signing_key(NOW + DAY + 1), None);
}

#[test]
fn every_changed_field_breaks_the_signature() {
    let document = serde_json::to_value(signed_descriptor_of(1)).unwrap();
    let changes = [
        ("/descriptor/names/vi", json!("Khác")),
        ("/descriptor/country", json!("LA")),
        ("/descriptor/endpoint", json!("https://evil.example")),
        ("/descriptor/ledger_origin", json!("evil/ledger")),
        ("/descriptor/issued", json!(NOW + 1)),
        ("/descriptor/keys/0/public", json!(b64(&[1; 32]))),
        ("/descriptor/keys/1/valid_until", json!(NOW + 2 * DAY)),
    ];
    for (pointer, value) in changes {
        let mut changed = document.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        let refused = SignedDescriptor::parse(changed.to_string().as_bytes());
        assert!(matches!(refused, Err(DescriptorError::WrongSignature(_))), "{pointer}: {refused:?}");
    }
}

#[test]
fn signatures_must_be_by_listed_keys_that_were_valid() {
    assert!(matches!(descriptor_of(1).sign(&[]), Err(DescriptorError::SignatureCount(0))));
    let stranger = descriptor_of(1).sign(&[&signer(1, 9)]);
    assert!(matches!(stranger, Err(DescriptorError::UnlistedSigner(_))));
    let both = descriptor_of(1).sign(&[&signer(1, 0), &signer(1, 9)]);
    assert!(
        matches!(both, Err(DescriptorError::UnlistedSigner(_))),
        "one right signature does not excuse another"
    );
    let late = NodeDescriptor { issued: NOW + DAY + 1, ..descriptor_of(1) };
    assert!(matches!(late.sign(&[&signer(1, 0)]), Err(DescriptorError::SignerNotValid)));
    let one = signer(1, 0);
    assert!(matches!(descriptor_of(1).sign(&[&one; 5]), Err(DescriptorError::SignatureCount(5))));
}

#[test]
fn unknown_fields_and_kinds_of_keys_are_tolerated_and_stay_signed() {
    let signed = resigned(|d| {
        d["postal_code"] = json!("600000");
        let keys = d["keys"].as_array_mut().unwrap();
        keys.push(json!({ "use": "signing", "kty": "ml-dsa-44", "public": "AAAA", "valid_from": 0 }));
        keys.push(json!({ "use": "delegate", "kty": "ed25519" }));
        keys[0]["comment"] = json!("new in a later version");
    });
    let signed = signed.unwrap();
    assert_eq!(signed.descriptor(), &descriptor_of(1));
    let mut stripped = serde_json::to_value(&signed).unwrap();
    assert_eq!(stripped["descriptor"]["postal_code"], "600000", "it is passed on as it was");
    stripped["descriptor"].as_object_mut().unwrap().remove("postal_code");
    assert!(matches!(
        SignedDescriptor::parse(stripped.to_string().as_bytes()),
        Err(DescriptorError::WrongSignature(_))
    ));
}

#[test]
fn bad_fields_are_refused_by_name() {
    type Change = fn(&mut Value);
    type Check = fn(&DescriptorError) -> bool;
    let cases: [(Change, Check); 17] = [
        (|d| d["format"] = json!("tram-descriptor@2"), |e| matches!(e, DescriptorError::Format(_))),
        (|d| d["participant"] = json!("no scheme"), |e| matches!(e, DescriptorError::Shape(_))),
        (|d| d["names"]["vi"] = json!("  "), |e| matches!(e, DescriptorError::Name { field: "names.vi" })),
        (
            |d| d["names"]["en"] = json!("a\u{7}b"),
            |e| matches!(e, DescriptorError::Name { field: "names.en" }),
        ),
        (|d| d["names"]["en"] = json!("x".repeat(257)), |e| matches!(e, DescriptorError::Name { .. })),
        (|d| d["country"] = json!("vn"), |e| matches!(e, DescriptorError::Country(_))),
        (|d| d["endpoint"] = json!("http://a.example"), |e| matches!(e, DescriptorError::Endpoint { .. })),
        (|d| d["endpoint"] = json!("https://a.example/"), |e| matches!(e, DescriptorError::Endpoint { .. })),
        (
            |d| d["endpoint"] = json!("https://u:p@a.example"),
            |e| matches!(e, DescriptorError::Endpoint { .. }),
        ),
        (|d| d["endpoint"] = json!("https://"), |e| matches!(e, DescriptorError::Endpoint { .. })),
        (|d| d["ledger_origin"] = json!("a+b"), |e| matches!(e, DescriptorError::Origin(_))),
        (|d| d["ledger_origin"] = json!("a b"), |e| matches!(e, DescriptorError::Origin(_))),
        (|d| d["issued"] = json!(-1), |e| matches!(e, DescriptorError::Time { .. })),
        (|d| d["keys"][1]["valid_until"] = json!(0), |e| matches!(e, DescriptorError::Time { .. })),
        (|d| d["keys"][2]["public"] = json!("AQ=="), |e| matches!(e, DescriptorError::Key { index: 2, .. })),
        (
            |d| d["keys"][2]["public"] = d["keys"][3]["public"].clone(),
            |e| matches!(e, DescriptorError::RepeatedKey(_)),
        ),
        (
            |d| drop(d["keys"].as_array_mut().unwrap().remove(2)),
            |e| matches!(e, DescriptorError::MissingKey(KeyUse::Ledger)),
        ),
    ];
    for (i, (change, check)) in cases.into_iter().enumerate() {
        let error = resigned(change).unwrap_err();
        assert!(check(&error), "case {i}: {error:?}");
    }
}

#[test]
fn weak_keys_are_refused() {
    let mut weak = [0u8; 32];
    weak[0] = 1;
    let refused = resigned(|d| d["keys"][2]["public"] = json!(b64(&weak))).unwrap_err();
    assert!(matches!(&refused, DescriptorError::Key { index: 2, why } if why.contains("weak")), "{refused}");
}

#[test]
fn limits_hold_at_their_edges() {
    let with_keys = |n: u8| NodeDescriptor {
        keys: (0..n / 4).flat_map(|g| NodeDescriptor::keys_of(&keys_of(1, g), validity())).collect(),
        ..descriptor_of(1)
    };
    assert!(with_keys(16).sign(&[&signer(1, 0)]).is_ok());
    assert!(matches!(with_keys(20).sign(&[&signer(1, 0)]), Err(DescriptorError::TooManyKeys(20))));
    let too_large = " ".repeat(DESCRIPTOR_BYTES_MAX + 1);
    let refused = SignedDescriptor::parse(too_large.as_bytes());
    assert!(matches!(refused, Err(DescriptorError::Json(JsonError::TooLarge { .. }))));
}

#[test]
fn a_successor_needs_the_word_of_a_key_that_was_known() {
    let old = signed_descriptor_of(1);
    let mut rotated = NodeDescriptor { issued: NOW + 60, ..descriptor_of(1) };
    rotated.keys.push(PublishedKey {
        material: KeyMaterial::Signing(PublicKey::of(&keys_of(1, 1).signing)),
        valid: validity(),
    });
    let (old_key, new_key) = (signer(1, 0), signer(1, 1));
    let good = rotated.sign(&[&old_key, &new_key]).unwrap();
    good.verify_successor_of(&old).unwrap();
    let refused = |new: &SignedDescriptor| {
        matches!(new.verify_successor_of(&old), Err(DescriptorError::NotASuccessor(_)))
    };
    assert!(refused(&rotated.sign(&[&new_key]).unwrap()), "only the new key signed");
    assert!(refused(&old), "not newer");
    assert!(refused(&signed_descriptor_of(2)), "another participant");
}
