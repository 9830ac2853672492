//! Receipts that are held against a trust policy.

use super::*;
use crate::testing::cosigner;
use crate::trust::{Freshness, TrustPolicy};

/// A policy of two of three witnesses, and the provider's receipt under a checkpoint cosigned by some of them.
fn witnessed(by: &[(u8, u64)]) -> (TrustPolicy, Vec<u8>) {
    let witness = |seed: u8| cosigner(&format!("witness.example/{seed}"), seed);
    let mut text = String::new();
    for seed in [31, 32, 33] {
        text.push_str(&format!("witness w{seed} {}\n", witness(seed).vkey()));
    }
    text.push_str("group peers 2 w31 w32 w33\nquorum peers\n");
    let house = House::with(signer(&origin(PROVIDER), 11), 3, &statement());
    let mut under = (*house.log.checkpoint().unwrap()).clone();
    for (seed, time) in by {
        let mut alone = certs::note::Note::new(under.signed.note().text()).unwrap();
        witness(*seed).add_to(&mut alone, *time).unwrap();
        under.signed = under.signed.cosigned(alone.signatures(), &[witness(*seed).vkey()]).unwrap();
    }
    let bytes = issue(&house.log, 3, &under.signed, None, None).unwrap();
    (TrustPolicy::parse(text.as_bytes()).unwrap(), bytes)
}

fn trusting(policy: TrustPolicy, now: u64, max_age: Option<u64>) -> Expectation {
    Expectation { trust: Some(Trust { policy, at: Freshness { now, max_age } }), ..Expectation::default() }
}

#[test]
fn a_receipt_under_a_quorum_of_witnesses_says_who_vouches() {
    let (policy, bytes) = witnessed(&[(31, TIME), (33, TIME + 2)]);
    let years_later = trusting(policy.clone(), TIME + 100_000_000, None);
    let Verdict::Valid(summary) = verify_receipt_expecting(&bytes, &Book::new(), &years_later) else {
        panic!()
    };
    let quorum = summary.quorum.unwrap();
    let counted: Vec<_> = quorum.counted().map(|(name, time)| (name.to_string(), time)).collect();
    assert_eq!(counted, [("w31".to_owned(), TIME), ("w33".to_owned(), TIME + 2)]);
    // Who asks for no witnesses is told of none, of the same file and of one without cosignatures.
    for bytes in [bytes, provider_receipt().to_bytes().unwrap()] {
        let Verdict::Valid(summary) = verify_receipt(&bytes, &Book::new()) else { panic!() };
        assert_eq!(summary.quorum, None);
    }
}

#[test]
fn a_receipt_without_the_quorum_is_not_witnessed() {
    let refused = |by: &[(u8, u64)], now: u64, max_age: Option<u64>| {
        let (policy, bytes) = witnessed(by);
        match verify_receipt_expecting(&bytes, &Book::new(), &trusting(policy, now, max_age)) {
            Verdict::NotWitnessed { judgement } => judgement.counted().count(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&[], TIME, None), 0);
    assert_eq!(refused(&[(31, TIME)], TIME, None), 1);
    assert_eq!(refused(&[(31, TIME), (32, TIME - 61)], TIME, Some(60)), 1, "a stale witness");
    assert_eq!(refused(&[(31, TIME), (32, TIME + 61)], TIME, None), 1, "a time to come");
    assert_eq!(refused(&[(31, TIME), (34, TIME)], TIME, None), 1, "a key that the policy does not have");
    // The policy names other logs only.
    let (policy, bytes) = witnessed(&[(31, TIME), (32, TIME)]);
    let elsewhere = format!("log {}\n", signer("ledger.example/other", 7).vkey());
    let policy = TrustPolicy::parse(&[elsewhere.as_bytes(), &policy.to_text()].concat()).unwrap();
    let verdict = verify_receipt_expecting(&bytes, &Book::new(), &trusting(policy, TIME, None));
    assert!(matches!(verdict, Verdict::NotWitnessed { .. }));
    // Nothing a witness says makes up for what the receipt itself lacks.
    let (policy, bytes) = witnessed(&[(31, TIME), (32, TIME)]);
    let mut expected = trusting(policy, TIME, None);
    expected.leaf = Some(Hash([0; 32]));
    let verdict = verify_receipt_expecting(&bytes, &Book::new(), &expected);
    assert!(matches!(verdict, Verdict::OtherData { .. }));
}

#[test]
fn the_reason_is_told_in_words() {
    let told = |by: &[(u8, u64)]| {
        let (policy, bytes) = witnessed(by);
        match verify_receipt_expecting(&bytes, &Book::new(), &trusting(policy, TIME, Some(60))) {
            Verdict::NotWitnessed { judgement } => judgement.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        told(&[(31, TIME), (32, TIME - 61)]),
        format!(
            "1 of 3 witnesses count, no quorum (`w32` cosigned too long ago, at {}; `w33` did not cosign)",
            TIME - 61
        )
    );
}
