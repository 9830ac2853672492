//! The profile: vectors, every covered part, replays, answers put under other questions.

use ed25519_dalek::{Signer as _, SigningKey};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};

use super::base::{BaseBuilder, combined_field};
use super::*;
use crate::encode::{b64, unb64};
use crate::keys::SigningKeyWithId;
use crate::testing::{NOW, keys_of, party};

const URI: &str = "https://node2.example:8443/dsp/negotiations/request?x=1&y=%20";
const BODY: &[u8] = br#"{"dataset":"x"}"#;

/// Knows the signing keys of parties 1 and 2.
struct Book;

impl KeyResolver for Book {
    fn signing_key(&self, keyid: &str, _at: i64) -> Option<ResolvedKey> {
        let known = [1, 2].map(signer).into_iter().find(|s| s.keyid() == keyid)?;
        Some(ResolvedKey { participant: known.participant().clone(), key: known.public() })
    }
}

fn signer(n: u8) -> SigningKeyWithId {
    keys_of(n, 0).signer(&party(n))
}

fn memory() -> NonceCache {
    NonceCache::new(NOW - 1_000, LastStop::NeverRan)
}

#[derive(Clone)]
struct Sent {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    fn verify(&self, nonces: &NonceCache) -> Result<VerifiedRequest, MessageError> {
        self.verify_at(NOW, nonces)
    }

    fn verify_at(&self, now: i64, nonces: &NonceCache) -> Result<VerifiedRequest, MessageError> {
        let request = IncomingRequest {
            method: &self.method,
            target_uri: &self.uri,
            headers: &self.headers,
            content: Content::Bytes(&self.body),
        };
        verify_request(&request, &Book, &party(1), now, nonces)
    }
}

fn fields(token: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HEADER_EXCHANGE_ID, HeaderValue::from_static("01J9ZZZZZZZZZZZZZZZZZZZZZZ"));
    headers.insert(HEADER_PURPOSE, HeaderValue::from_static("urban-planning"));
    if token {
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer abc.def.ghi"));
    }
    headers
}

fn sent(token: bool) -> (Sent, SignedRequest) {
    let mut headers = fields(token);
    let outgoing = OutgoingRequest {
        method: &Method::POST,
        target_uri: URI,
        headers: &mut headers,
        content: Content::Bytes(BODY),
    };
    let signed = sign_request(&signer(1), outgoing, NOW, [7; 16]).unwrap();
    (Sent { method: Method::POST, uri: URI.to_owned(), headers, body: BODY.to_vec() }, signed)
}

fn answered(request: &RequestContext, promise: Option<&LogPromise>) -> (HeaderMap, SignatureEvidence) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(promise) = promise {
        promise.write(&mut headers).unwrap();
    }
    let response =
        OutgoingResponse { status: StatusCode::OK, headers: &mut headers, content: Content::Bytes(b"{}") };
    let evidence = sign_response(&signer(2), response, request, NOW).unwrap();
    (headers, evidence)
}

fn verify_answer(headers: &HeaderMap, request: &RequestContext) -> Result<VerifiedResponse, MessageError> {
    let response = IncomingResponse { status: StatusCode::OK, headers, content: Content::Bytes(b"{}") };
    verify_response(&response, request, &Book, &party(2), NOW)
}

#[test]
fn the_ed25519_vector_of_rfc_9421_matches() {
    let der = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF";
    let seed = crate::keys::seed_of_pkcs8(&unb64::<48>(der).unwrap()).unwrap();
    let key = SigningKey::from_bytes(&seed);
    let mut base = BaseBuilder::default();
    base.line("\"date\"", "Tue, 20 Apr 2021 02:07:55 GMT")
        .line("\"@method\"", "POST")
        .line("\"@path\"", "/foo")
        .line("\"@authority\"", "example.com")
        .line("\"content-type\"", "application/json")
        .line("\"content-length\"", "18");
    let base = base.finish(";created=1618884473;keyid=\"test-key-ed25519\"");
    assert!(base.text.ends_with(
        "\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
         \"content-length\");created=1618884473;keyid=\"test-key-ed25519\""
    ));
    let signature = key.sign(base.text.as_bytes()).to_bytes();
    let expected = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    assert_eq!(b64(&signature), expected);
    let public = unb64::<44>("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=").unwrap();
    assert_eq!(key.verifying_key().as_bytes()[..], public[12..]);
    assert!(PublicKey::of(&key).verify(base.text.as_bytes(), &signature));
}

#[test]
fn field_lines_are_combined_as_rfc_9421_2_1_says() {
    let mut headers = HeaderMap::new();
    let name = HeaderName::from_static("cache-control");
    assert_eq!(combined_field(&headers, &name), None);
    headers.append(&name, HeaderValue::from_static("max-age=60"));
    headers.append(&name, HeaderValue::from_static("    must-revalidate  "));
    assert_eq!(combined_field(&headers, &name).unwrap(), "max-age=60, must-revalidate");
    headers.append(&name, HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(combined_field(&headers, &name), None);
}

#[test]
fn a_signed_request_is_accepted_and_says_what_it_said() {
    for token in [false, true] {
        let (sent, signed) = sent(token);
        let verified = sent.verify(&memory()).unwrap();
        assert_eq!(verified.participant, party(1));
        assert_eq!(verified.keyid, signer(1).keyid());
        assert_eq!(verified.exchange_id.as_deref(), Some("01J9ZZZZZZZZZZZZZZZZZZZZZZ"));
        assert_eq!(verified.purpose.as_deref(), Some("urban-planning"));
        assert_eq!(verified.context, signed.context);
        assert_eq!(verified.evidence, signed.evidence);
        assert_eq!(verified.content_sha256, Content::Bytes(BODY).sha256());
    }
}

#[test]
fn the_wire_form_is_the_documented_one() {
    let (sent, signed) = sent(true);
    let keyid = signer(1).keyid().to_owned();
    let params = format!(
        "(\"@method\" \"@target-uri\" \"content-type\" \"content-digest\" \"tram-exchange-id\" \"tram-purpose\" \
         \"authorization\");created=1790000000;expires=1790000060;nonce=\"BwcHBwcHBwcHBwcHBwcHBw\";alg=\"ed25519\";\
         keyid=\"{keyid}\";tag=\"tram-request\""
    );
    assert_eq!(sent.headers[HEADER_SIGNATURE_INPUT], format!("tram={params}"));
    assert_eq!(
        signed.evidence.base,
        format!(
            "\"@method\": POST\n\"@target-uri\": {URI}\n\"content-type\": application/json\n\"content-digest\": {}\n\
             \"tram-exchange-id\": 01J9ZZZZZZZZZZZZZZZZZZZZZZ\n\"tram-purpose\": urban-planning\n\
             \"authorization\": Bearer abc.def.ghi\n\"@signature-params\": {params}",
            sent.headers[HEADER_CONTENT_DIGEST].to_str().unwrap()
        )
    );
}

#[test]
fn a_message_without_content_has_the_same_components() {
    let mut headers = HeaderMap::new();
    let get = OutgoingRequest {
        method: &Method::GET,
        target_uri: URI,
        headers: &mut headers,
        content: Content::EMPTY,
    };
    sign_request(&signer(1), get, NOW, [1; 16]).unwrap();
    let sent = Sent { method: Method::GET, uri: URI.to_owned(), headers, body: Vec::new() };
    let verified = sent.verify(&memory()).unwrap();
    assert_eq!((verified.exchange_id, verified.purpose), (None, None));
    assert_eq!(sent.headers[HEADER_PURPOSE], "-");
}

#[test]
fn each_covered_part_is_really_covered() {
    type Change = fn(&mut Sent);
    let changes: [(&str, Change); 9] = [
        ("method", |s| s.method = Method::PUT),
        ("target", |s| s.uri.push('0')),
        ("content type", |s| drop(s.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain")))),
        ("exchange", |s| drop(s.headers.insert(HEADER_EXCHANGE_ID, HeaderValue::from_static("-")))),
        ("purpose", |s| drop(s.headers.insert(HEADER_PURPOSE, HeaderValue::from_static("other")))),
        ("token", |s| drop(s.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer x")))),
        ("created", |s| replace(s, HEADER_SIGNATURE_INPUT, "created=1790000000", "created=1790000001")),
        ("expires", |s| replace(s, HEADER_SIGNATURE_INPUT, "expires=1790000060", "expires=1790000059")),
        ("nonce", |s| replace(s, HEADER_SIGNATURE_INPUT, "nonce=\"B", "nonce=\"C")),
    ];
    for (what, change) in changes {
        let (mut sent, _) = sent(true);
        change(&mut sent);
        assert_eq!(sent.verify(&memory()), Err(MessageError::WrongSignature), "{what}");
    }
    let (mut digest, _) = sent(true);
    let other = digest::field_value(&Content::Bytes(b"other").sha256());
    digest.headers.insert(HEADER_CONTENT_DIGEST, HeaderValue::from_str(&other).unwrap());
    digest.body = b"other".to_vec();
    assert_eq!(digest.verify(&memory()), Err(MessageError::WrongSignature));
    let (mut content, _) = sent(true);
    content.body.push(b' ');
    assert_eq!(content.verify(&memory()), Err(MessageError::WrongDigest));
}

fn replace(sent: &mut Sent, field: &'static str, from: &str, to: &str) {
    let old = sent.headers[field].to_str().unwrap().to_owned();
    let new = old.replace(from, to);
    assert_ne!(old, new, "the test must change something");
    sent.headers.insert(field, HeaderValue::from_str(&new).unwrap());
}

#[test]
fn adding_or_taking_away_the_token_is_noticed() {
    let (mut without, _) = sent(false);
    without.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    assert!(matches!(without.verify(&memory()), Err(MessageError::Profile(_))));
    let (mut with, _) = sent(true);
    with.headers.remove(AUTHORIZATION);
    assert!(matches!(with.verify(&memory()), Err(MessageError::Profile(_))));
}

#[test]
fn every_other_form_of_signature_input_is_refused() {
    let changes: [(&str, &str); 18] = [
        ("tram=(", "other=("),
        ("tram=(", "a=1, tram=("),
        ("tram=(", "tram=1, tram=("),
        ("tram=(", "tram= ("),
        ("(\"@method\"", "( \"@method\""),
        ("(\"@method\" \"@target-uri\"", "(\"@target-uri\" \"@method\""),
        ("\"@method\" ", ""),
        ("\"content-digest\" ", ""),
        ("\"content-type\"", "\"content-type\";sf"),
        ("\"content-type\"", "\"content-type\" \"content-type\""),
        ("\"tram-purpose\"", "\"tram-purpose\" \"date\""),
        (";alg=\"ed25519\"", ""),
        (";alg=\"ed25519\"", ";alg=\"hmac-sha256\""),
        (";alg=\"ed25519\"", ";alg=\"ed25519\";alg=\"ed25519\""),
        (";created=1790000000", ";created=1790000000.0"),
        ("tag=\"tram-request\"", "tag=\"tram-response\""),
        ("tag=\"tram-request\"", "tag=\"tram-request\";more=1"),
        (";created=1790000000;expires=1790000060", ";expires=1790000060;created=1790000000"),
    ];
    for (from, to) in changes {
        let (mut sent, _) = sent(true);
        replace(&mut sent, HEADER_SIGNATURE_INPUT, from, to);
        let refused = sent.verify(&memory());
        assert!(matches!(refused, Err(MessageError::Profile(_))), "{from} -> {to}: {refused:?}");
    }
}

#[test]
fn missing_and_repeated_fields_are_refused() {
    let names = [
        "content-type",
        HEADER_CONTENT_DIGEST,
        HEADER_EXCHANGE_ID,
        HEADER_PURPOSE,
        HEADER_SIGNATURE_INPUT,
        HEADER_SIGNATURE,
    ];
    for name in names {
        let (mut sent, _) = sent(false);
        let value = sent.headers.remove(name).unwrap();
        assert_eq!(sent.verify(&memory()), Err(MessageError::Missing(name)));
        sent.headers.append(name, value.clone());
        sent.headers.append(name, value);
        assert_eq!(sent.verify(&memory()), Err(MessageError::Repeated(name)));
    }
}

#[test]
fn malformed_signatures_are_refused() {
    for (from, to) in
        [("tram=:", "other=:"), ("tram=:", "tram=::"), ("==:", "=:"), ("==:", "==:;a"), ("tram=", "tram= ")]
    {
        let (mut sent, _) = sent(false);
        replace(&mut sent, HEADER_SIGNATURE, from, to);
        let refused = sent.verify(&memory());
        assert!(
            matches!(refused, Err(MessageError::Field { field: HEADER_SIGNATURE, .. })),
            "{to}: {refused:?}"
        );
    }
}

#[test]
fn only_the_participant_on_the_line_may_sign() {
    let (sent, _) = sent(false);
    let request = IncomingRequest {
        method: &sent.method,
        target_uri: &sent.uri,
        headers: &sent.headers,
        content: Content::Bytes(&sent.body),
    };
    let refused = verify_request(&request, &Book, &party(2), NOW, &memory());
    assert_eq!(refused, Err(MessageError::NotOnTheLine { signer: party(1), channel: party(2) }));
    struct Nobody;
    impl KeyResolver for Nobody {
        fn signing_key(&self, _: &str, _: i64) -> Option<ResolvedKey> {
            None
        }
    }
    let refused = verify_request(&request, &Nobody, &party(1), NOW, &memory());
    assert!(matches!(refused, Err(MessageError::UnknownKey(_))));
}

#[test]
fn clocks_may_differ_by_thirty_seconds() {
    for (away, ok) in [(-31, false), (-30, true), (0, true), (30, true), (31, false)] {
        let refused = sent(false).0.verify_at(NOW + away, &memory());
        assert_eq!(refused.is_ok(), ok, "{away}");
        if !ok {
            assert_eq!(refused, Err(MessageError::ClockSkew(away)));
        }
    }
}

#[test]
fn a_request_cannot_live_longer_than_a_minute_or_past_its_end() {
    for (expires, now) in [(NOW + 61, NOW), (NOW - 1, NOW), (NOW + 5, NOW + 6), (i64::MAX / 1_000_000, NOW)] {
        let sent = signed_with_expiry(expires);
        assert_eq!(sent.verify_at(now, &memory()), Err(MessageError::Expired), "{expires}");
    }
    assert!(signed_with_expiry(NOW + 5).verify_at(NOW + 5, &memory()).is_ok());
}

/// A request whose signature is right, but whose `expires` is the test's.
fn signed_with_expiry(expires: i64) -> Sent {
    let (mut sent, signed) = sent(false);
    let (from, to) = ("expires=1790000060", format!("expires={expires}"));
    let base = signed.evidence.base.replace(from, &to);
    let signature = signer(1).key().sign(base.as_bytes()).to_bytes();
    let value = HeaderValue::from_str(&format!("tram=:{}:", b64(&signature))).unwrap();
    sent.headers.insert(HEADER_SIGNATURE, value);
    let input = sent.headers[HEADER_SIGNATURE_INPUT].to_str().unwrap().replace(from, &to);
    sent.headers.insert(HEADER_SIGNATURE_INPUT, HeaderValue::from_str(&input).unwrap());
    sent
}

#[test]
fn a_replay_is_refused_also_after_a_restart() {
    let (sent, _) = sent(false);
    let nonces = memory();
    sent.verify(&nonces).unwrap();
    assert_eq!(sent.verify(&nonces), Err(MessageError::Replayed));
    for last_stop in [LastStop::Unknown, LastStop::Clean { highest_created: nonces.highest_created() }] {
        let after = NonceCache::new(NOW + 1, last_stop);
        let replayed = sent.verify_at(NOW + 1, &after);
        assert!(matches!(replayed, Err(MessageError::BeforeMemory { .. })), "{replayed:?}");
    }
}

#[test]
fn forged_messages_do_not_fill_the_memory() {
    let nonces = memory();
    let (mut forged, _) = sent(false);
    forged.uri.push('x');
    assert_eq!(forged.verify(&nonces), Err(MessageError::WrongSignature));
    assert!(nonces.is_empty());
    assert!(sent(false).0.verify(&nonces).is_ok(), "the true message is not shut out by the forged one");
}

#[test]
fn targets_and_labels_that_cannot_be_signed_are_refused_before() {
    for uri in
        ["", "/path", "http://a.example/", "https://a.example/#x", "https://a.example/ x", "https://a/\n"]
    {
        let mut headers = fields(false);
        let out = OutgoingRequest {
            method: &Method::GET,
            target_uri: uri,
            headers: &mut headers,
            content: Content::EMPTY,
        };
        let refused = sign_request(&signer(1), out, NOW, [0; 16]);
        assert!(matches!(refused, Err(MessageError::TargetUri(_))), "{uri}");
    }
    for purpose in ["two words", "", &"x".repeat(LABEL_BYTES_MAX + 1)] {
        let mut headers = fields(false);
        headers.insert(HEADER_PURPOSE, HeaderValue::from_str(purpose).unwrap());
        let out = OutgoingRequest {
            method: &Method::GET,
            target_uri: URI,
            headers: &mut headers,
            content: Content::EMPTY,
        };
        assert!(
            matches!(sign_request(&signer(1), out, NOW, [0; 16]), Err(MessageError::Field { .. })),
            "{purpose}"
        );
    }
}

fn promise() -> LogPromise {
    LogPromise { origin: "urn:agency:test:2/ledger".into(), index: 42, leaf_hash: [9; 32] }
}

#[test]
fn an_answer_is_accepted_with_and_without_promise() {
    let (_, signed) = sent(true);
    for promise in [None, Some(promise())] {
        let (headers, evidence) = answered(&signed.context, promise.as_ref());
        let verified = verify_answer(&headers, &signed.context).unwrap();
        assert_eq!(verified.promise, promise);
        assert_eq!(verified.participant, party(2));
        assert_eq!(verified.evidence, evidence);
    }
}

#[test]
fn each_covered_part_of_an_answer_is_really_covered() {
    let (_, signed) = sent(true);
    let (headers, _) = answered(&signed.context, Some(&promise()));
    let other = LogPromise { origin: "urn:agency:test:3/ledger".into(), index: 43, leaf_hash: [8; 32] };
    let mut forged = HeaderMap::new();
    other.write(&mut forged).unwrap();
    for name in [HEADER_LOG_ORIGIN, HEADER_LOG_INDEX, HEADER_LEAF_HASH] {
        let mut changed = headers.clone();
        changed.insert(name, forged[name].clone());
        assert_eq!(verify_answer(&changed, &signed.context), Err(MessageError::WrongSignature), "{name}");
    }
    let mut changed = headers.clone();
    changed.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    assert_eq!(verify_answer(&changed, &signed.context), Err(MessageError::WrongSignature));
    let response =
        |status, body| IncomingResponse { status, headers: &headers, content: Content::Bytes(body) };
    let verify = |r| verify_response(&r, &signed.context, &Book, &party(2), NOW);
    assert_eq!(verify(response(StatusCode::CREATED, b"{}")), Err(MessageError::WrongSignature));
    assert_eq!(verify(response(StatusCode::OK, b"{ }")), Err(MessageError::WrongDigest));
    assert!(verify(response(StatusCode::OK, b"{}")).is_ok());
}

#[test]
fn an_answer_put_under_another_question_is_refused() {
    let (_, signed) = sent(true);
    let (headers, _) = answered(&signed.context, None);
    let good = &signed.context;
    let others = [
        RequestContext { method: "GET".into(), ..good.clone() },
        RequestContext { target_uri: format!("{URI}0"), ..good.clone() },
        RequestContext { content_digest: digest::field_value(&[0; 32]), ..good.clone() },
        // The same question asked again: only its signature (nonce, time) differs.
        RequestContext { signature: format!(":{}:", b64(&[1; 64])), ..good.clone() },
    ];
    for other in others {
        assert_eq!(verify_answer(&headers, &other), Err(MessageError::WrongSignature), "{other:?}");
    }
}

#[test]
fn a_request_is_no_answer_and_an_answer_no_request() {
    let (request, signed) = sent(false);
    assert!(matches!(verify_answer(&request.headers, &signed.context), Err(MessageError::Profile(_))));
    let (headers, _) = answered(&signed.context, None);
    let posed = Sent { headers, ..request };
    assert!(matches!(posed.verify(&memory()), Err(MessageError::Profile(_))));
}

#[test]
fn an_answer_must_be_fresh_and_by_the_peer_on_the_line() {
    let (_, signed) = sent(false);
    let (headers, _) = answered(&signed.context, None);
    let response =
        IncomingResponse { status: StatusCode::OK, headers: &headers, content: Content::Bytes(b"{}") };
    let late = verify_response(&response, &signed.context, &Book, &party(2), NOW + 31);
    assert_eq!(late, Err(MessageError::ClockSkew(31)));
    let other = verify_response(&response, &signed.context, &Book, &party(1), NOW);
    assert_eq!(other, Err(MessageError::NotOnTheLine { signer: party(2), channel: party(1) }));
}

#[test]
fn half_promises_are_refused() {
    let (_, signed) = sent(false);
    let bad = [
        (HEADER_LOG_INDEX, "-"),
        (HEADER_LOG_INDEX, "042"),
        (HEADER_LOG_INDEX, "-1"),
        (HEADER_LOG_INDEX, "18446744073709551616"),
        (HEADER_LEAF_HASH, "-"),
        (HEADER_LEAF_HASH, "AAAA"),
        (HEADER_LOG_ORIGIN, "-"),
        (HEADER_LOG_ORIGIN, "a b"),
        (HEADER_LOG_ORIGIN, "a+b"),
    ];
    for (name, value) in bad {
        let mut headers = HeaderMap::new();
        promise().write(&mut headers).unwrap();
        headers.insert(name, HeaderValue::from_static(value));
        let out = OutgoingResponse { status: StatusCode::OK, headers: &mut headers, content: Content::EMPTY };
        let refused = sign_response(&signer(2), out, &signed.context, NOW);
        assert!(matches!(refused, Err(MessageError::Field { .. })), "{name}: {value}");
    }
}
