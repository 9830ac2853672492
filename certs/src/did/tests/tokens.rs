//! Self-issued tokens.

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::encode::b64url;
use crate::keys::pkcs8_der;

fn audience() -> DidWeb {
    DidWeb::parse("did:web:us.example").unwrap()
}

fn claims(party: &Party) -> Value {
    json!({
        "iss": party.did.as_str(), "sub": party.did.as_str(), "aud": audience().as_str(), "jti": "one",
        "iat": NOW, "exp": NOW + 300, "token": "opens-the-service",
    })
}

fn verify(token: &str, document: &Document) -> Result<SelfIssued, DidError> {
    token::Unverified::read(token, &audience(), NOW)?.verify(document, Unlisted::Refuse)
}

#[test]
fn a_good_token_says_who_and_what() {
    let party = Party::new("holder");
    let said = verify(&party.sign(&claims(&party)), &party.document()).unwrap();
    assert_eq!(said.did, party.did);
    assert_eq!(said.access_token.as_deref(), Some("opens-the-service"));
    for kid in ["#key-1", "key-1"] {
        assert!(verify(&party.sign_as(kid, &claims(&party)), &party.document()).is_ok(), "{kid}");
    }
    let several = json!(["did:web:x.example", audience().as_str()]);
    let mut to_several = claims(&party);
    to_several["aud"] = several;
    assert!(verify(&party.sign(&to_several), &party.document()).is_ok());
}

#[test]
fn an_ed25519_key_will_do() {
    let party = Party::new("holder");
    let secret = SigningKey::from_bytes(&[7; 32]);
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64url(secret.verifying_key().as_bytes())});
    let document = party.document_with(|d| d["verificationMethod"][0]["publicKeyJwk"] = jwk).unwrap();
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(party.kid());
    crate::token::install_provider();
    let key = EncodingKey::from_ed_der(&pkcs8_der(secret.as_bytes()));
    let token = jsonwebtoken::encode(&header, &claims(&party), &key).unwrap();
    assert!(verify(&token, &document).is_ok());
    // The same document does not take a token of the other algorithm.
    assert!(verify(&party.sign(&claims(&party)), &document).is_err());
}

#[test]
fn each_spoilt_claim_is_refused() {
    let party = Party::new("holder");
    let spoil: &[(&str, Value)] = &[
        ("iss", json!("did:web:other.example")),
        ("sub", json!("did:web:other.example")),
        ("aud", json!("did:web:other.example")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(limits::JTI_BYTES_MAX + 1))),
        ("iat", Value::Null),
        ("exp", Value::Null),
        ("exp", json!(NOW - limits::CLOCK_SKEW_S - 1)),
        ("exp", json!("soon")),
        ("exp", json!(NOW + limits::TOKEN_LIFETIME_S + 1)),
        ("iat", json!(NOW + limits::CLOCK_SKEW_S + 1)),
        ("nbf", json!(NOW + limits::CLOCK_SKEW_S + 1)),
        ("token", json!(7)),
        ("token", json!("x".repeat(limits::ACCESS_TOKEN_BYTES_MAX + 1))),
    ];
    for (name, value) in spoil {
        let mut claims = claims(&party);
        if *name == "exp" && value.as_i64().is_some_and(|t| t < NOW) {
            claims["iat"] = json!(NOW - 600);
        }
        claims[*name] = value.clone();
        assert!(verify(&party.sign(&claims), &party.document()).is_err(), "{name}: {value}");
    }
}

#[test]
fn the_token_does_not_choose_how_it_is_verified() {
    let party = Party::new("holder");
    let document = party.document();
    let claims = claims(&party);
    let kid = party.kid();
    for header in [
        json!({"alg": "none", "kid": kid}),
        json!({"alg": "HS256", "kid": kid}),
        json!({"alg": "RS256", "kid": kid}),
        json!({"kid": kid}),
        json!({"alg": "ES256", "kid": kid, "crit": ["exp"]}),
        json!({"alg": "ES256", "kid": kid, "jwk": Party::new("thief").jwk()}),
        json!({"alg": "EdDSA", "kid": kid}),
        json!({"alg": "ES256", "kid": 7}),
    ] {
        for signature in [&b""[..], &[0; 64]] {
            assert!(verify(&by_hand(&header, &claims, signature), &document).is_err(), "{header}");
        }
    }
    // Another's signature, a changed payload, too much of everything.
    let thief = Party::new("thief");
    assert!(verify(&thief.sign_as(&kid, &claims), &document).is_err());
    let good = party.sign(&claims);
    let mut parts: Vec<&str> = good.split('.').collect();
    let mut other = claims.clone();
    other["jti"] = "two".into();
    let payload = b64url(other.to_string().as_bytes());
    parts[1] = &payload;
    assert!(verify(&parts.join("."), &document).is_err());
    assert!(verify(&format!("{good}.x"), &document).is_err());
    assert!(verify(&"x".repeat(limits::TOKEN_BYTES_MAX + 1), &document).is_err());
}

#[test]
fn the_key_must_be_listed_for_it() {
    let party = Party::new("holder");
    let token = party.sign(&claims(&party));
    let without = |d: &mut Value| {
        let map = d.as_object_mut().unwrap();
        map.remove("authentication");
    };
    let document = party.document_with(without).unwrap();
    assert!(verify(&token, &document).is_err());
    // `unlisted` helps only where nothing is listed at all.
    let accept = |document: &Document| {
        token::Unverified::read(&token, &audience(), NOW).unwrap().verify(document, Unlisted::Accept).is_ok()
    };
    assert!(!accept(&document));
    let bare = |d: &mut Value| {
        without(d);
        d.as_object_mut().unwrap().remove("assertionMethod");
    };
    let bare = party.document_with(bare).unwrap();
    assert!(verify(&token, &bare).is_err());
    assert!(accept(&bare));
    // DCP 1.0.1's own relationship.
    let invoke = party.document_with(|d| {
        without(d);
        d["capabilityInvocation"] = json!(["#key-1"]);
    });
    assert!(verify(&token, &invoke.unwrap()).is_ok());
}

#[test]
fn a_key_of_another_is_no_key() {
    let party = Party::new("holder");
    let token = party.sign(&claims(&party));
    let controlled =
        party.document_with(|d| d["verificationMethod"][0]["controller"] = "did:web:x.example".into());
    assert!(verify(&token, &controlled.unwrap()).is_err());
    let twice = party.document_with(|d| {
        let method = d["verificationMethod"][0].clone();
        d["verificationMethod"] = json!([method, method]);
    });
    assert!(verify(&token, &twice.unwrap()).is_err());
    let foreign = party.sign_as("did:web:x.example#key-1", &claims(&party));
    assert!(verify(&foreign, &party.document()).is_err());
    let private = party.document_with(|d| d["verificationMethod"][0]["publicKeyJwk"]["d"] = "AA".into());
    assert!(verify(&token, &private.unwrap()).is_err());
}

#[test]
fn a_token_is_good_once_and_not_before_the_floor() {
    let said = |jti: &str, issued| SelfIssued {
        did: Party::new("holder").did,
        jti: jti.to_owned(),
        issued,
        expires: issued + 60,
        access_token: None,
    };
    let replays = Replays::new(NOW);
    assert!(replays.take(&said("old", NOW - 1), NOW).is_err());
    assert!(replays.take(&said("a", NOW), NOW).is_ok());
    assert!(replays.take(&said("a", NOW), NOW + 1).is_err());
    assert!(replays.take(&said("b", NOW), NOW).is_ok());
    // Forgotten only when it is over, and a clock that goes back does not help.
    let later = NOW + 60 + limits::CLOCK_SKEW_S + 1;
    assert!(replays.take(&said("c", later), later).is_ok());
    assert!(replays.take(&said("a", NOW), NOW + 1).is_err());
}

#[test]
fn one_party_cannot_fill_the_memory() {
    let replays = Replays::new(0);
    let said = |who: &str, n: usize| SelfIssued {
        did: DidWeb::parse(&format!("did:web:{who}.example")).unwrap(),
        jti: n.to_string(),
        issued: NOW,
        expires: NOW + 60,
        access_token: None,
    };
    for n in 0..limits::REPLAYS_PER_PARTY_MAX {
        replays.take(&said("greedy", n), NOW).unwrap();
    }
    assert!(replays.take(&said("greedy", limits::REPLAYS_PER_PARTY_MAX), NOW).is_err());
    assert!(replays.take(&said("other", 0), NOW).is_ok());
}
