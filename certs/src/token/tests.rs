//! Transfer tokens: accepted only as made, for whom, where, when and on the line they were made for.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;
use crate::testing::{NOW, keys_of, party};

const AUDIENCE: &str = "https://node1.example:8443/data";
const CERTIFICATE: [u8; 32] = [0x77; 32];

fn provider() -> SigningKeyWithId {
    keys_of(1, 0).signer(&party(1))
}

fn claims() -> TransferClaims {
    TransferClaims {
        iss: party(1),
        aud: AUDIENCE.into(),
        sub: party(2),
        transfer: "urn:uuid:t".into(),
        agreement: "urn:uuid:a".into(),
        exp: NOW + 300,
        iat: NOW,
        jti: "01J9ZZZZZZZZZZZZZZZZZZZZZZ".into(),
        cnf: Confirmation::of(&CERTIFICATE),
    }
}

/// Runs `check` with what a right request expects.
fn expecting<T>(check: impl FnOnce(Expected<'_>) -> T) -> T {
    let (issuer, subject, key) = (party(1), party(2), provider().public());
    check(Expected {
        issuer: &issuer,
        key: &key,
        audience: AUDIENCE,
        subject: &subject,
        certificate_sha256: &CERTIFICATE,
        transfer: "urn:uuid:t",
        now: NOW,
    })
}

fn header() -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TOKEN_TYPE.into());
    header.kid = Some(provider().keyid().into());
    header
}

/// Signed with the provider's own key, whatever it says.
fn raw(header: &Header, claims: &Value) -> String {
    install_provider();
    let key = EncodingKey::from_ed_der(&pkcs8_der(provider().key().as_bytes()));
    jsonwebtoken::encode(header, claims, &key).unwrap()
}

#[test]
fn a_minted_token_verifies() {
    let token = mint(&provider(), &claims()).unwrap();
    assert_eq!(expecting(|e| verify(&token, &e)), Ok(claims()));
}

#[test]
fn each_expectation_is_compared() {
    let token = mint(&provider(), &claims()).unwrap();
    let other = party(3);
    assert_eq!(
        expecting(|e| verify(&token, &Expected { audience: "https://x", ..e })),
        Err(TokenError::OtherAudience)
    );
    assert_eq!(
        expecting(|e| verify(&token, &Expected { subject: &other, ..e })),
        Err(TokenError::OtherSubject)
    );
    assert_eq!(
        expecting(|e| verify(&token, &Expected { transfer: "urn:uuid:u", ..e })),
        Err(TokenError::OtherTransfer)
    );
    let wrong = Err(TokenError::OtherCertificate);
    assert_eq!(expecting(|e| verify(&token, &Expected { certificate_sha256: &[0; 32], ..e })), wrong);
    let stranger = keys_of(1, 1).signer(&party(1)).public();
    assert_eq!(expecting(|e| verify(&token, &Expected { key: &stranger, ..e })), Err(TokenError::OtherKey));
    assert_eq!(expecting(|e| verify(&token, &Expected { issuer: &other, ..e })), Err(TokenError::OtherKey));
}

#[test]
fn times_are_compared_with_the_callers_clock() {
    let token = mint(&provider(), &claims()).unwrap();
    let at = |now| expecting(|e| verify(&token, &Expected { now, ..e }).map(|_| ()));
    assert_eq!(at(NOW + 300 + TOKEN_LEEWAY_S), Ok(()));
    assert_eq!(at(NOW + 301 + TOKEN_LEEWAY_S), Err(TokenError::Expired));
    assert_eq!(at(NOW - TOKEN_LEEWAY_S), Ok(()));
    assert_eq!(at(NOW - TOKEN_LEEWAY_S - 1), Err(TokenError::NotYet));
}

#[test]
fn a_token_without_a_required_claim_is_refused() {
    // The library alone would accept one without `aud` and `iss`: the pitfall that this test guards.
    for name in ["iss", "aud", "sub", "exp", "iat", "jti", "cnf", "transfer", "agreement"] {
        let mut value = serde_json::to_value(claims()).unwrap();
        value.as_object_mut().unwrap().remove(name);
        let refused = expecting(|e| verify(&raw(&header(), &value), &e));
        assert!(matches!(refused, Err(TokenError::Claims(_) | TokenError::Malformed)), "{name}: {refused:?}");
    }
}

#[test]
fn wrong_claims_signed_by_the_right_key_are_refused() {
    let cases = [
        ("iss", json!("urn:agency:test:9"), TokenError::OtherIssuer),
        ("aud", json!(["https://other.example"]), TokenError::Malformed),
        ("exp", json!(NOW + TOKEN_LIFETIME_S + 1), TokenError::Claims("it would live too long")),
        ("exp", json!(NOW), TokenError::Claims("`exp` must come after `iat`")),
        ("exp", json!("soon"), TokenError::Malformed),
        ("more", json!(1), TokenError::Malformed),
        ("jti", json!(""), TokenError::Claims("an id is empty or too long")),
        (
            "cnf",
            json!({ "x5t#S256": "AAAA" }),
            TokenError::Claims("`cnf` must be the SHA-256 of a certificate in URL-safe base64"),
        ),
        ("cnf", json!({ "jkt": "x" }), TokenError::Malformed),
    ];
    for (name, value, expected) in cases {
        let mut all = serde_json::to_value(claims()).unwrap();
        all[name] = value;
        assert_eq!(expecting(|e| verify(&raw(&header(), &all), &e)), Err(expected), "{name}: {}", all[name]);
    }
}

#[test]
fn nothing_in_the_header_may_choose_keys_or_meanings() {
    type Change = fn(&mut Header);
    let changes: [Change; 7] = [
        |h| h.typ = Some("JWT".into()),
        |h| h.typ = None,
        |h| h.jku = Some("https://evil.example/keys".into()),
        |h| h.x5u = Some("https://evil.example/cert".into()),
        |h| h.x5c = Some(vec!["AAAA".into()]),
        |h| h.crit = Some(vec!["b64".into()]),
        |h| h.cty = Some("JWT".into()),
    ];
    let all = serde_json::to_value(claims()).unwrap();
    for (i, change) in changes.into_iter().enumerate() {
        let mut changed = header();
        change(&mut changed);
        assert_eq!(expecting(|e| verify(&raw(&changed, &all), &e)), Err(TokenError::Header), "{i}");
    }
    let mut other_key = header();
    other_key.kid = None;
    assert_eq!(expecting(|e| verify(&raw(&other_key, &all), &e)), Err(TokenError::OtherKey));
}

#[test]
fn other_algorithms_are_refused() {
    install_provider();
    let mut symmetric = header();
    symmetric.alg = Algorithm::HS256;
    let secret = EncodingKey::from_secret(&provider().public().to_bytes());
    let confused = jsonwebtoken::encode(&symmetric, &claims(), &secret).unwrap();
    assert_eq!(expecting(|e| verify(&confused, &e)), Err(TokenError::Header));
    let token = mint(&provider(), &claims()).unwrap();
    let (_, rest) = token.split_once('.').unwrap();
    let (body, _) = rest.split_once('.').unwrap();
    let none = json!({ "typ": TOKEN_TYPE, "alg": "none", "kid": provider().keyid() }).to_string();
    let unsigned = format!("{}.{body}.", b64url(none.as_bytes()));
    assert_eq!(expecting(|e| verify(&unsigned, &e)), Err(TokenError::Malformed));
}

#[test]
fn changed_and_malformed_tokens_are_refused() {
    let token = mint(&provider(), &claims()).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let forged = serde_json::to_vec(&TransferClaims { transfer: "urn:uuid:u".into(), ..claims() }).unwrap();
    let forged = format!("{}.{}.{}", parts[0], b64url(&forged), parts[2]);
    let at_u = |token: &str| expecting(|e| verify(token, &Expected { transfer: "urn:uuid:u", ..e }));
    assert_eq!(at_u(&forged), Err(TokenError::WrongSignature));
    for bad in ["", ".", "..", "a.b.c", parts[0], &token[..token.len() - 4], &format!("{token}.x")] {
        assert!(expecting(|e| verify(bad, &e)).is_err(), "{bad}");
    }
    assert_eq!(expecting(|e| verify(&"a".repeat(TOKEN_BYTES_MAX + 1), &e)), Err(TokenError::TooLong));
}

#[test]
fn what_could_not_be_verified_is_not_minted() {
    let refused = |claims: TransferClaims| matches!(mint(&provider(), &claims), Err(TokenError::Claims(_)));
    assert!(refused(TransferClaims { iss: party(2), ..claims() }));
    assert!(refused(TransferClaims { exp: NOW + TOKEN_LIFETIME_S + 1, ..claims() }));
    assert!(refused(TransferClaims { transfer: String::new(), ..claims() }));
    assert!(refused(TransferClaims { jti: "x".repeat(TOKEN_ID_BYTES_MAX + 1), ..claims() }));
}
