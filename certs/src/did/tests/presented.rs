//! Presentations, credentials and status lists.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::credential::{Credential, Proven};
use super::status::StatusEntry;
use super::*;

const LIST: &str = "https://issuer.example/status/1";

struct Scene {
    us: DidWeb,
    holder: Party,
    issuer: Party,
}

impl Scene {
    fn new() -> Self {
        let us = DidWeb::parse("did:web:us.example").unwrap();
        Self { us, holder: Party::new("holder"), issuer: Party::new("issuer") }
    }

    /// VC 1.1: the credential under `vc`.
    fn vc11(&self) -> Value {
        json!({
            "iss": self.issuer.did.as_str(), "sub": self.holder.did.as_str(), "nbf": NOW, "exp": NOW + 300,
            "vc": {
                "type": ["VerifiableCredential", "MembershipCredential"], "issuer": self.issuer.did.as_str(),
                "issuanceDate": "2026-01-01T00:00:00Z", "credentialSubject": {"id": self.holder.did.as_str()},
                "credentialStatus": {
                    "type": "StatusList2021Entry", "statusPurpose": "revocation", "statusListIndex": "9",
                    "statusListCredential": LIST,
                },
            },
        })
    }

    /// VC 2.0: the payload is the credential.
    fn vc20(&self) -> Value {
        json!({
            "type": ["VerifiableCredential", "MembershipCredential"], "issuer": {"id": self.issuer.did.as_str()},
            "validFrom": "2026-01-01T00:00:00Z", "validUntil": "2030-01-01T00:00:00Z",
            "credentialSubject": [{"id": self.holder.did.as_str(), "level": 2}],
        })
    }

    fn presentation(&self, credentials: &Value) -> Value {
        json!({
            "iss": self.holder.did.as_str(), "sub": self.holder.did.as_str(), "aud": self.us.as_str(),
            "iat": NOW, "exp": NOW + 60,
            "vp": {"type": "VerifiablePresentation", "verifiableCredential": credentials},
        })
    }

    fn open(&self, text: &str) -> Result<Vec<Credential>, DidError> {
        presentation::open(text, &self.holder.document(), &self.us, NOW, Unlisted::Refuse)
    }

    fn prove(&self, credential: &Value) -> Result<Proven, DidError> {
        let credential = Credential::read(&self.issuer.sign(credential))?;
        credential.verify(&self.issuer.document(), &self.holder.did, NOW, Unlisted::Refuse)
    }

    fn list(&self, bits: &[u8], change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": self.issuer.did.as_str(), "nbf": NOW,
            "vc": {
                "id": LIST, "type": ["VerifiableCredential", "StatusList2021Credential"],
                "issuer": self.issuer.did.as_str(),
                "credentialSubject": {
                    "type": "StatusList2021", "statusPurpose": "revocation", "encodedList": pack(bits),
                },
            },
        });
        change(&mut claims);
        self.issuer.sign(&claims)
    }

    fn status(&self, list: &str) -> Result<(), DidError> {
        let entry = StatusEntry { list: LIST.into(), index: 9, purpose: "revocation".into() };
        entry.check(list, &self.issuer.document(), NOW, Unlisted::Refuse)
    }
}

fn pack(bits: &[u8]) -> String {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bits).unwrap();
    format!("u{}", URL_SAFE_NO_PAD.encode(packer.finish().unwrap()))
}

#[test]
fn both_generations_of_credentials_are_proven() {
    let scene = Scene::new();
    let wrapped = |jwt: String| json!({"type": "EnvelopedVerifiableCredential", "id": format!("data:application/vc+jwt,{jwt}")});
    let credentials = json!([scene.issuer.sign(&scene.vc11()), wrapped(scene.issuer.sign(&scene.vc20()))]);
    let opened = scene.open(&scene.holder.sign(&scene.presentation(&credentials))).unwrap();
    let proven: Vec<_> = opened
        .iter()
        .map(|c| c.verify(&scene.issuer.document(), &scene.holder.did, NOW, Unlisted::Refuse).unwrap())
        .collect();
    assert_eq!(proven.len(), 2);
    assert!(proven.iter().all(|p| p.types == ["MembershipCredential"] && p.issuer == scene.issuer.did));
    assert_eq!(proven[0].status[0].index, 9);
    // VC 2.0: the payload is the presentation.
    let bare = json!({
        "iss": scene.holder.did.as_str(), "aud": scene.us.as_str(), "type": ["VerifiablePresentation"],
        "holder": scene.holder.did.as_str(), "verifiableCredential": [],
    });
    assert_eq!(scene.open(&scene.holder.sign(&bare)).unwrap().len(), 0);
}

#[test]
fn a_presentation_is_the_holders_own_and_for_us() {
    let scene = Scene::new();
    let good = scene.presentation(&json!([]));
    assert!(scene.open(&scene.holder.sign(&good)).is_ok());
    let spoil: &[(&str, Value)] = &[
        ("iss", json!("did:web:thief.example")),
        ("sub", json!("did:web:thief.example")),
        ("aud", json!("did:web:other.example")),
        ("aud", Value::Null),
        ("exp", json!(NOW - limits::CLOCK_SKEW_S - 1)),
        ("nbf", json!(NOW + limits::CLOCK_SKEW_S + 1)),
        ("vp", json!("text")),
        ("vp", json!({"type": "Other"})),
        ("vp", json!({"type": "VerifiablePresentation", "holder": "did:web:thief.example"})),
        (
            "vp",
            json!({"type": "VerifiablePresentation", "verifiableCredential": [{"id": "https://x.example"}]}),
        ),
        (
            "vp",
            json!({"type": "VerifiablePresentation", "verifiableCredential": vec!["x"; limits::CREDENTIALS_MAX + 1]}),
        ),
    ];
    for (name, value) in spoil {
        let mut claims = good.clone();
        claims[*name] = value.clone();
        assert!(scene.open(&scene.holder.sign(&claims)).is_err(), "{name}: {value}");
    }
    let thief = Party::new("thief");
    assert!(scene.open(&thief.sign_as(&scene.holder.kid(), &good)).is_err());
    // A key that may issue may not present.
    let document = scene.holder.document_with(|d| {
        d.as_object_mut().unwrap().remove("authentication");
    });
    let text = scene.holder.sign(&good);
    assert!(presentation::open(&text, &document.unwrap(), &scene.us, NOW, Unlisted::Refuse).is_err());
}

#[test]
fn each_spoilt_credential_is_refused() {
    let scene = Scene::new();
    assert!(scene.prove(&scene.vc11()).is_ok());
    let spoil: &[(&str, Value)] = &[
        ("/sub", json!("did:web:other.example")),
        ("/exp", json!(NOW - limits::CLOCK_SKEW_S - 1)),
        ("/nbf", json!(NOW + limits::CLOCK_SKEW_S + 1)),
        ("/iss", json!("did:web:other.example")),
        ("/vc/issuer", json!("did:web:other.example")),
        ("/vc/credentialSubject/id", json!("did:web:other.example")),
        ("/vc/credentialSubject", json!([])),
        ("/vc/issuanceDate", json!("2090-01-01T00:00:00Z")),
        ("/vc/issuanceDate", json!("soon")),
        ("/vc/credentialStatus/type", json!("RevocationList2020Status")),
        ("/vc/credentialStatus/statusPurpose", json!("message")),
        ("/vc/credentialStatus/statusListIndex", json!("-1")),
    ];
    for (place, value) in spoil {
        let mut claims = scene.vc11();
        *claims.pointer_mut(place).unwrap() = value.clone();
        assert!(scene.prove(&claims).is_err(), "{place}: {value}");
    }
    let mut expired = scene.vc20();
    expired["validUntil"] = "2026-01-02T00:00:00Z".into();
    assert!(scene.prove(&expired).is_err());
    // A subject without id and no `sub` beside it is nobody's.
    let mut nobody = scene.vc20();
    nobody["sub"] = "urn:uuid:a-credential".into();
    assert!(scene.prove(&nobody).is_ok(), "an id of the credential beside a subject that is named");
    nobody["credentialSubject"] = json!([{"level": 2}]);
    assert!(scene.prove(&nobody).is_err());
}

#[test]
fn only_the_issuer_issues() {
    let scene = Scene::new();
    let document = scene.issuer.document();
    let prove = |text: &str, document: &Document| {
        Credential::read(text)?.verify(document, &scene.holder.did, NOW, Unlisted::Refuse)
    };
    // The holder signs a credential for itself under the issuer's name.
    let forged = scene.holder.sign_as(&scene.issuer.kid(), &scene.vc11());
    assert!(prove(&forged, &document).is_err());
    let by_hand = by_hand(&json!({"alg": "none"}), &scene.vc11(), b"");
    assert!(prove(&by_hand, &document).is_err());
    let good = scene.issuer.sign(&scene.vc11());
    assert!(prove(&good, &scene.holder.document()).is_err());
    let no_assertion = scene.issuer.document_with(|d| {
        d.as_object_mut().unwrap().remove("assertionMethod");
    });
    assert!(prove(&good, &no_assertion.unwrap()).is_err());
    assert!(prove(&good, &document).is_ok());
}

#[test]
fn a_status_list_tells_bit_by_bit() {
    let scene = Scene::new();
    let clear = scene.list(&[0xff, 0b1011_1111, 0xff], |_| ());
    assert!(scene.status(&clear).is_ok());
    let set = scene.list(&[0, 0b0100_0000, 0], |_| ());
    assert!(matches!(scene.status(&set), Err(DidError::Credential(_))));
}

#[test]
fn a_list_that_cannot_be_believed_counts_as_no_answer() {
    let scene = Scene::new();
    let zeros = vec![0; 16];
    assert!(scene.status(&scene.list(&zeros, |_| ())).is_ok());
    assert!(scene.status(&scene.list(&[0], |_| ())).is_err(), "too short");
    let bomb = vec![0; usize::try_from(limits::STATUS_LIST_UNPACKED_MAX).unwrap() + 1];
    let packed = scene.list(&bomb, |_| ());
    assert!(packed.len() < 8 * 1024, "it is small on the line");
    assert!(scene.status(&packed).is_err(), "a bomb");
    for (place, value) in [
        ("/iss", json!("did:web:other.example")),
        ("/nbf", json!(NOW + limits::CLOCK_SKEW_S + 1)),
        ("/vc/id", json!("https://issuer.example/status/2")),
        ("/vc/credentialSubject/type", json!("Other")),
        ("/vc/credentialSubject/statusPurpose", json!("suspension")),
        ("/vc/credentialSubject/encodedList", json!("u!!")),
        ("/vc/credentialSubject/encodedList", json!("uAAAA")),
    ] {
        let list = scene.list(&zeros, |claims| *claims.pointer_mut(place).unwrap() = value.clone());
        assert!(scene.status(&list).is_err(), "{place}: {value}");
    }
    // Not signed at all, and signed by the holder.
    assert!(scene.status(&json!({"type": "StatusList2021Credential"}).to_string()).is_err());
    let forged = scene.holder.sign_as(&scene.issuer.kid(), &json!({"iss": scene.issuer.did.as_str()}));
    assert!(scene.status(&forged).is_err());
}

#[test]
fn an_answer_is_bounded_and_of_the_right_kind() {
    let message = |presentation: Value| {
        json!({"@context": [presentation::CONTEXT], "type": "PresentationResponseMessage", "presentation": presentation})
            .to_string()
    };
    assert_eq!(presentation::response(message(json!(["a"])).as_bytes()).unwrap(), ["a"]);
    for bad in [
        message(json!([])),
        message(json!([{"type": "VerifiablePresentation"}])),
        message(json!(vec!["a"; limits::PRESENTATIONS_MAX + 1])),
        message(json!(["a".repeat(limits::PRESENTATION_RESPONSE_BYTES_MAX)])),
        json!({"type": "PresentationQueryMessage", "presentation": ["a"]}).to_string(),
        "[".repeat(100),
    ] {
        assert!(presentation::response(bad.as_bytes()).is_err());
    }
    let query = presentation::query(&[presentation::scope_of("MembershipCredential")]);
    assert_eq!(query["scope"][0], "org.eclipse.dspace.dcp.vc.type:MembershipCredential:read");
}
