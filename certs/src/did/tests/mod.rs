//! Vectors made here with the token library and by hand: each accepted thing, and each way to spoil it.

mod presented;
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use super::*;

pub(super) const NOW: i64 = 1_790_000_000;

/// A party with a key and a document.
pub(super) struct Party {
    pub(super) did: DidWeb,
    pair: KeyPair,
}

impl Party {
    pub(super) fn new(name: &str) -> Self {
        let did = DidWeb::parse(&format!("did:web:{name}.example")).unwrap();
        Self { did, pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    pub(super) fn kid(&self) -> String {
        format!("{}#key-1", self.did)
    }

    pub(super) fn jwk(&self) -> Value {
        let raw = self.pair.public_key_raw();
        let part = |range| URL_SAFE_NO_PAD.encode(&raw[range]);
        json!({"kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65)})
    }

    /// A document with every relationship, changed by `change`.
    pub(super) fn document_with(&self, change: impl FnOnce(&mut Value)) -> Result<Document, DidError> {
        let mut value = json!({
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": self.did.as_str(),
            "verificationMethod": [{
                "id": "#key-1", "type": "JsonWebKey2020", "controller": self.did.as_str(), "publicKeyJwk": self.jwk(),
            }],
            "authentication": ["#key-1"],
            "assertionMethod": [self.kid()],
            "service": [{"id": "#cs", "type": "CredentialService", "serviceEndpoint": "https://cs.example/v1"}],
        });
        change(&mut value);
        Document::read(&self.did, value.to_string().as_bytes())
    }

    pub(super) fn document(&self) -> Document {
        self.document_with(|_| ()).unwrap()
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.kid(), claims)
    }

    pub(super) fn sign_as(&self, kid: &str, claims: &Value) -> String {
        crate::token::install_provider();
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(kid.to_owned());
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.pair.serialize_der())).unwrap()
    }
}

/// A token with any header and no good signature.
pub(super) fn by_hand(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_did_names_one_address() {
    for (did, url) in [
        ("did:web:agency.example", "https://agency.example/.well-known/did.json"),
        ("did:web:agency.example:parts:tax", "https://agency.example/parts/tax/did.json"),
        ("did:web:localhost%3A8083:holder", "https://localhost:8083/holder/did.json"),
    ] {
        assert_eq!(DidWeb::parse(did).unwrap().url("https"), url);
    }
    assert_eq!(DidWeb::parse("did:web:a.example%3A443").unwrap().host(), "a.example");
}

#[test]
fn what_could_name_another_address_is_no_did() {
    let long = format!("did:web:a.example{}", ":x".repeat(limits::DID_SEGMENTS_MAX + 1));
    for bad in [
        "did:key:z6Mk",
        "did:web:",
        "did:web:a.example#key",
        "did:web:a.example/path",
        "did:web:a.example?x",
        "did:web:user@a.example",
        "did:web:a.example:..:x",
        "did:web:a.example::x",
        "did:web:a.example:%2e%2e",
        "did:web:a.example%3A",
        "did:web:a.example%3A99999",
        "did:web:a.example%3A80%3A80",
        "did:web:a..example",
        "did:web:[::1]",
        "did:web:a.example\n",
        "did:web:xin chào",
        &long,
    ] {
        assert!(DidWeb::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_document_is_read_only_for_whom_it_is_and_within_limits() {
    let party = Party::new("holder");
    assert_eq!(party.document().service("CredentialService"), Some("https://cs.example/v1"));
    assert!(party.document_with(|d| d["id"] = "did:web:other.example".into()).is_err());
    let many = |d: &mut Value| {
        let method = d["verificationMethod"][0].clone();
        d["verificationMethod"] = vec![method; limits::METHODS_MAX + 1].into();
    };
    assert!(party.document_with(many).is_err());
    assert!(party.document_with(|d| d["pad"] = "x".repeat(limits::DOCUMENT_BYTES_MAX).into()).is_err());
    assert!(Document::read(&party.did, b"[]").is_err());
}

#[test]
fn the_own_document_is_one_that_we_would_believe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(own::KEY_FILE);
    let key = OwnKey::load_or_create(&path).unwrap();
    let did = DidWeb::parse("did:web:node.example").unwrap();
    let service = document::Service { kind: "DataService".into(), endpoint: "https://node.example/".into() };
    let document = Document::read(&did, key.document(&did, &[service]).to_string().as_bytes()).unwrap();
    assert_eq!(document.service("DataService"), Some("https://node.example/"));
    // The same key after a restart.
    let again = OwnKey::load_or_create(&path).unwrap();
    let other = DidWeb::parse("did:web:peer.example").unwrap();
    let token = again.mint(&did, other.as_str(), "1", NOW, Some("opens")).unwrap();
    let said =
        token::Unverified::read(&token, &other, NOW).unwrap().verify(&document, Unlisted::Refuse).unwrap();
    assert_eq!((said.did, said.access_token.as_deref()), (did, Some("opens")));
    // A file that others can read is not used.
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(OwnKey::load_or_create(&path).is_err());
}
