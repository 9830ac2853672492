//! A second opinion: the crate `httpsig`, written by others, verifies what we sign and signs what we verify.
//!
//! It judges RFC 9421 only (signature bases, headers, signatures); the profile on top is tested in the crate.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

use certs::message::{
    Content, IncomingRequest, IncomingResponse, KeyResolver, LastStop, LogPromise, NonceCache,
    OutgoingRequest, OutgoingResponse, ResolvedKey, SignedRequest, sign_request, sign_response,
    verify_request, verify_response,
};
use certs::{ParticipantId, PublicKey, SigningKeyWithId};
use ed25519_dalek::SigningKey;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use httpsig::prelude::message_component::HttpMessageComponent;
use httpsig::prelude::{
    AlgorithmName, HttpSignatureBase, HttpSignatureHeaders, HttpSignatureParams, PublicKey as TheirPublicKey,
    SecretKey,
};

/// Far ahead, because their verifier compares `expires` with the clock of the machine.
const NOW: i64 = 9_000_000_000;
const URI: &str = "https://node2.example:8443/dsp/catalog/request?page=2";
const BODY: &[u8] = br#"{"hello": "world"}"#;
const SEED: [u8; 32] = [42; 32];

struct OneKey;

impl KeyResolver for OneKey {
    fn signing_key(&self, keyid: &str, _at: i64) -> Option<ResolvedKey> {
        let ours = signer();
        (ours.keyid() == keyid).then(|| ResolvedKey { participant: party(), key: ours.public() })
    }
}

fn party() -> ParticipantId {
    ParticipantId::parse("urn:agency:test:1").unwrap()
}

fn signer() -> SigningKeyWithId {
    SigningKeyWithId::new(party(), SigningKey::from_bytes(&SEED))
}

fn their_public() -> TheirPublicKey {
    let raw = PublicKey::of(&SigningKey::from_bytes(&SEED)).to_bytes();
    TheirPublicKey::from_bytes(&AlgorithmName::Ed25519, &raw).unwrap()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

/// The components of a request, put together by this test alone.
fn request_components(headers: &HeaderMap) -> Vec<HttpMessageComponent> {
    let mut lines = vec!["\"@method\": POST".to_owned(), format!("\"@target-uri\": {URI}")];
    for name in ["content-type", "content-digest", "tram-exchange-id", "tram-purpose", "authorization"] {
        lines.push(format!("\"{name}\": {}", text(headers, name)));
    }
    components(&lines)
}

fn response_components(headers: &HeaderMap, request: &HeaderMap) -> Vec<HttpMessageComponent> {
    let mut lines = vec!["\"@status\": 200".to_owned()];
    for name in ["content-type", "content-digest", "tram-log-origin", "tram-log-index", "tram-leaf-hash"] {
        lines.push(format!("\"{name}\": {}", text(headers, name)));
    }
    lines.push("\"@method\";req: POST".to_owned());
    lines.push(format!("\"@target-uri\";req: {URI}"));
    lines.push(format!("\"content-digest\";req: {}", text(request, "content-digest")));
    let signature = text(request, "signature").strip_prefix("tram=").unwrap();
    lines.push(format!("\"signature\";req;key=\"tram\": {signature}"));
    components(&lines)
}

fn components(lines: &[String]) -> Vec<HttpMessageComponent> {
    lines.iter().map(|line| HttpMessageComponent::try_from(line.as_str()).unwrap()).collect()
}

fn they_accept(headers: &HeaderMap, components: &[HttpMessageComponent]) -> bool {
    let parsed =
        HttpSignatureHeaders::try_parse(text(headers, "signature"), text(headers, "signature-input"))
            .unwrap();
    let theirs = &parsed["tram"];
    let base = HttpSignatureBase::try_new(components, theirs.signature_params()).unwrap();
    base.verify_signature_headers(&their_public(), theirs).is_ok()
}

fn our_request() -> (HeaderMap, SignedRequest) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("authorization", HeaderValue::from_static("Bearer abc"));
    headers.insert("tram-purpose", HeaderValue::from_static("urban-planning"));
    let out = OutgoingRequest {
        method: &Method::POST,
        target_uri: URI,
        headers: &mut headers,
        content: Content::Bytes(BODY),
    };
    let signed = sign_request(&signer(), out, NOW, [3; 16]).unwrap();
    (headers, signed)
}

fn our_response(request: &SignedRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let promise = LogPromise { origin: "urn:agency:test:1/ledger".into(), index: 7, leaf_hash: [5; 32] };
    promise.write(&mut headers).unwrap();
    let out =
        OutgoingResponse { status: StatusCode::OK, headers: &mut headers, content: Content::Bytes(BODY) };
    sign_response(&signer(), out, &request.context, NOW).unwrap();
    headers
}

/// Replaces our signature by theirs over the same components and parameters.
fn they_sign(headers: &mut HeaderMap, components: &[HttpMessageComponent]) {
    let input = text(headers, "signature-input").strip_prefix("tram=").unwrap().to_owned();
    let params = HttpSignatureParams::try_from(input.as_str()).unwrap();
    let base = HttpSignatureBase::try_new(components, &params).unwrap();
    let key = SecretKey::from_bytes(&AlgorithmName::Ed25519, &SEED).unwrap();
    let made = base.build_signature_headers(&key, Some("tram")).unwrap();
    headers.insert("signature", HeaderValue::from_str(&made.signature_header_value()).unwrap());
    headers.insert("signature-input", HeaderValue::from_str(&made.signature_input_header_value()).unwrap());
}

#[test]
fn they_verify_our_request_and_our_answer() {
    let (mut headers, signed) = our_request();
    assert!(they_accept(&headers, &request_components(&headers)));
    let mut answer = our_response(&signed);
    assert!(they_accept(&answer, &response_components(&answer, &headers)));
    answer.insert("tram-log-index", HeaderValue::from_static("8"));
    assert!(!they_accept(&answer, &response_components(&answer, &headers)), "they do look at the signature");
    headers.insert("tram-purpose", HeaderValue::from_static("other"));
    assert!(!they_accept(&headers, &request_components(&headers)));
}

#[test]
fn we_verify_their_request_and_their_answer() {
    let (mut headers, signed) = our_request();
    let components = request_components(&headers);
    headers.remove("signature");
    they_sign(&mut headers, &components);
    let request = IncomingRequest {
        method: &Method::POST,
        target_uri: URI,
        headers: &headers,
        content: Content::Bytes(BODY),
    };
    let nonces = NonceCache::new(NOW, LastStop::NeverRan);
    let verified = verify_request(&request, &OneKey, &party(), NOW, &nonces).unwrap();
    assert_eq!(verified.evidence.base, signed.evidence.base);

    let mut answer = our_response(&signed);
    let components = response_components(&answer, &headers);
    answer.remove("signature");
    they_sign(&mut answer, &components);
    let response =
        IncomingResponse { status: StatusCode::OK, headers: &answer, content: Content::Bytes(BODY) };
    assert!(verify_response(&response, &verified.context, &OneKey, &party(), NOW).is_ok());
}
