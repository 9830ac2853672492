use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::merkle::inclusion_path;
use crate::receipt::{DatedKey, LogIdentity};
use crate::testing::{LOG_ORIGIN, Tree, signer};

const KEEPER: &str = "urn:agency:vn:keeper";

/// Whose log the design's one is, and the keeper's signing key.
struct Book(u8);

fn dated(seed: u8) -> DatedKey {
    let key = SigningKey::from_bytes(&[seed; 32]).verifying_key();
    DatedKey { key, valid_from: 0, valid_until: u64::MAX }
}

impl KeyBook for Book {
    fn signing_keys(&self, participant: &str) -> Vec<DatedKey> {
        if participant == KEEPER { vec![dated(self.0)] } else { Vec::new() }
    }
    fn log(&self, origin: &str) -> Option<LogIdentity> {
        (origin == LOG_ORIGIN).then(|| LogIdentity { participant: KEEPER.to_owned(), keys: vec![dated(7)] })
    }
}

fn answer(index: u64, leaf: &Hash) -> Promise {
    let base = format!(
        "\"@status\": 200\n\"tram-log-origin\": {LOG_ORIGIN}\n\"tram-log-index\": {index}\n\"tram-leaf-hash\": {leaf}\n\
         \"@signature-params\": ()"
    );
    let signature = SigningKey::from_bytes(&[3; 32]).sign(base.as_bytes()).to_bytes();
    Promise::of_answer(&base, &signature).unwrap()
}

fn ack(index: u64, leaf: &Hash) -> Promise {
    let text = format!(
        "tram/ack@v1\nid 01J9ZQ4Y7M8N6P5R3S2T1V0W9X\ntime 1790000000\nleaf {leaf}\nprovider-log urn:other/ledger\n\
         provider-index 9\nconsumer-log {LOG_ORIGIN}\nconsumer-index {index}\n"
    );
    Promise::of_ack(&Statement::parse(&text).unwrap().sign(&signer(KEEPER, 3)).unwrap()).unwrap()
}

/// The log as it is, and the leaf that was promised at 2 and is not there.
fn history() -> (Tree, Hash) {
    (Tree::of(6, 6, ""), Tree::of(2, 6, "-other").0[2])
}

fn judged(promise: &Promise, tree: &Tree, index: u64) -> Result<Outcome> {
    let path = inclusion_path(tree, index, 6).unwrap();
    promise.judge(&tree.0[usize::try_from(index).unwrap()], &path, &tree.signed(6))
}

fn broken(promise: &Promise, tree: &Tree) -> Vec<u8> {
    let Outcome::Broken(proof) = judged(promise, tree, 2).unwrap() else { panic!() };
    proof.to_bytes().unwrap()
}

#[test]
fn a_broken_promise_is_proven_to_strangers_whoever_made_it() {
    let (tree, leaf) = history();
    for promise in [answer(2, &leaf), ack(2, &leaf)] {
        let bytes = broken(&promise, &tree);
        let Verdict::Broken { keeper, promised } = verify(&bytes, &Book(3)) else { panic!() };
        assert_eq!((keeper.as_str(), promised.index, promised.leaf), (KEEPER, 2, leaf));
        // Somebody else's signature is no promise of the keeper.
        assert!(matches!(verify(&bytes, &Book(4)), Verdict::NotProven { .. }));
    }
}

#[test]
fn who_kept_his_word_cannot_be_accused() {
    let (tree, leaf) = history();
    for promise in [answer(2, &tree.0[2]), ack(2, &tree.0[2])] {
        assert_eq!(judged(&promise, &tree, 2).unwrap(), Outcome::Kept);
        // A proof that was made for another promise, with this one put into it.
        let mut forged: serde_json::Value =
            serde_json::from_slice(&broken(&answer(2, &leaf), &tree)).unwrap();
        forged["promise"] = serde_json::to_value(&promise).unwrap();
        assert!(matches!(verify(forged.to_string().as_bytes(), &Book(3)), Verdict::NotProven { .. }));
    }
    // What stands at another place is no answer to the promise.
    assert!(judged(&answer(2, &leaf), &tree, 3).is_err());
}

#[test]
fn every_changed_byte_of_a_proof_is_refused() {
    let (tree, leaf) = history();
    for promise in [answer(2, &leaf), ack(2, &leaf)] {
        let bytes = broken(&promise, &tree);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(matches!(verify(&bad, &Book(3)), Verdict::NotProven { .. }), "byte {at}");
        }
    }
    assert!(matches!(verify(&vec![b' '; PROOF_BYTES_MAX + 1], &Book(3)), Verdict::NotProven { .. }));
}

#[test]
fn a_signature_base_with_a_field_twice_or_none_is_no_promise() {
    let leaf = history().1;
    let line = format!("\"tram-leaf-hash\": {leaf}\n");
    let base = format!("\"tram-log-origin\": {LOG_ORIGIN}\n\"tram-log-index\": 2\n{line}");
    assert!(Promise::of_answer(&base, &[0; 64]).is_ok());
    for bad in [
        base.replace(&line, ""),
        base.clone() + &line,
        base.replace(": 2\n", ": 02\n"),
        base.replace(LOG_ORIGIN, "-+"),
    ] {
        assert!(Promise::of_answer(&bad, &[0; 64]).is_err(), "{bad}");
    }
}
