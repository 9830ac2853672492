//! No request of a peer reaches a dataset without a permit: the whole table of the door is walked, by a stranger, by a
//! member that does not sign, and by a member that signs and may nothing.

use axum::body::Body;
use axum::extract::Extension;
use axum::http::{Method, Request, StatusCode};
use certs::NodeKeys;
use certs::message::{Content, OutgoingRequest, sign_request};
use certs::pairing::{Invitation, PairingRole, pairing_mac};
use http_body_util::BodyExt;
use serde_json::json;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::boot;
use crate::peer::listener::Line;
use crate::peers;

/// A word that stands only in the hidden dataset: in its title, in a column's name, in a value.
const HIDDEN: &str = "tuyetmat";

struct Scene {
    _dir: TempDir,
    node: Arc<Node>,
    guest: NodeKeys,
}

impl Scene {
    /// A node with one published dataset of the given class, and one paired peer.
    async fn new(class: u8) -> Self {
        let (dir, node) = crate::testing::node().await;
        let file = dir.path().join("x.csv");
        std::fs::write(&file, format!("id,{HIDDEN}\n1,{HIDDEN}\n")).unwrap();
        let local = crate::testing::local_door(&node);
        let new = json!({"path": file, "name": "x", "title": HIDDEN, "kind": "special", "class": class, "personal": "none"});
        local.post("/v1/datasets", &new).await.unwrap();
        local.post("/v1/datasets/x/validate", &json!({})).await.unwrap();
        local.post("/v1/datasets/x/publish", &json!({})).await.unwrap();
        let guest = Self::pair(&node).await;
        Self { _dir: dir, node, guest }
    }

    async fn pair(node: &Node) -> NodeKeys {
        let (keys, descriptor) = crate::testing::member("urn:agency:vn:b");
        let (code, _) = peers::invite(node, vec!["state".into()]).await.unwrap();
        let code = Invitation::from_code(&code, node.clock.now()).unwrap();
        let introduction = json!({
            "invitation": crate::files::hex(&<sha2::Sha256 as sha2::Digest>::digest(code.secret.expose())),
            "descriptor": descriptor,
            "mac": crate::files::hex(&pairing_mac(&code.secret, PairingRole::Guest, &descriptor.digest())),
        });
        let body = introduction.to_string();
        peers::introduced(node, &keys.channel.spki_sha256(), body.as_bytes()).await.unwrap();
        keys
    }

    fn line(&self) -> Line {
        Line { spki: self.guest.channel.spki_sha256(), certificate: self.guest.channel.certificate_sha256() }
    }

    async fn ask(
        &self,
        line: Line,
        method: &str,
        path: &str,
        body: &str,
        signed: bool,
    ) -> (StatusCode, String) {
        let method: Method = method.parse().unwrap();
        let url = format!("https://127.0.0.1:1{path}");
        let mut request =
            Request::builder().method(method.clone()).uri(path).body(Body::from(body.to_owned())).unwrap();
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        if signed {
            let signer = self.guest.signer(&certs::ParticipantId::parse("urn:agency:vn:b").unwrap());
            let outgoing = OutgoingRequest {
                method: &method,
                target_uri: &url,
                headers: request.headers_mut(),
                content: Content::Bytes(body.as_bytes()),
            };
            let nonce = crate::operation::random::<16>().unwrap();
            sign_request(&signer, outgoing, self.node.clock.now(), nonce).unwrap();
        }
        let response = router(self.node.clone()).layer(Extension(line)).oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The path of a row with something in its places: the hidden dataset where a dataset can stand.
fn filled(path: &str) -> String {
    let id = if path.contains("/datasets/") { "urn:agency:vn:a%2Fx" } else { "01ARZ3NDEKTSV4RRFFQ69G5FAV" };
    path.replace("{id}", id)
        .replace("{pid}", "urn:uuid:none")
        .replace("{n}", "0")
        .replace("{*path}", "0/000.p/1")
}

const CATALOG_REQUEST: &str =
    r#"{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"CatalogRequestMessage"}"#;

#[tokio::test]
async fn every_route_of_the_table_has_a_handler_and_refuses_strangers() {
    let scene = Scene::new(9).await;
    let stranger = Line { spki: [7; 32], certificate: [7; 32] };
    for (method, path, access) in ROUTES {
        let (status, text) = scene.ask(stranger.clone(), method, &filled(path), "{}", false).await;
        let wanted: &[u16] = if *access == Access::Invitation { &[400, 403] } else { &[401] };
        assert!(wanted.contains(&status.as_u16()), "{method} {path} for a stranger: {status} {text}");
    }
    boot::close(&scene.node).await;
}

#[tokio::test]
async fn a_member_must_sign_on_every_route_but_the_version() {
    let scene = Scene::new(9).await;
    for (method, path, access) in ROUTES {
        let (status, text) = scene.ask(scene.line(), method, &filled(path), "{}", false).await;
        match access {
            Access::Channel => assert_eq!(status, StatusCode::OK, "{path}"),
            Access::Invitation => assert!(status.is_client_error(), "{path}"),
            Access::Member | Access::Permit => {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}: {text}");
            }
        }
    }
    boot::close(&scene.node).await;
}

#[tokio::test]
async fn without_a_permit_no_route_tells_of_the_dataset() {
    let scene = Scene::new(9).await;
    for (method, path, access) in ROUTES {
        let body = if path.ends_with("/catalog/request") { CATALOG_REQUEST } else { "{}" };
        let (status, text) = scene.ask(scene.line(), method, &filled(path), body, true).await;
        assert!(!text.contains(HIDDEN), "{method} {path} tells of the hidden dataset: {text}");
        if *access == Access::Permit && !path.ends_with("/catalog/request") {
            assert!(
                status == StatusCode::NOT_FOUND || status == StatusCode::UNAUTHORIZED,
                "{method} {path}: {status}"
            );
        }
    }
    boot::close(&scene.node).await;
}

#[tokio::test]
async fn with_a_permit_the_same_calls_do_tell() {
    // Class 1 may be discovered under the built-in rules: the test above can therefore fail.
    let scene = Scene::new(1).await;
    let (status, text) =
        scene.ask(scene.line(), "POST", "/dsp/2025-1/catalog/request", CATALOG_REQUEST, true).await;
    assert!(status == StatusCode::OK && text.contains(HIDDEN), "{status} {text}");
    let (status, text) =
        scene.ask(scene.line(), "GET", &filled("/dsp/2025-1/catalog/datasets/{id}"), "", true).await;
    assert!(status == StatusCode::OK && text.contains(HIDDEN), "{status} {text}");
    boot::close(&scene.node).await;
}

#[tokio::test]
async fn a_revoked_peer_is_a_stranger_at_once() {
    let scene = Scene::new(1).await;
    peers::revoke(&scene.node, "urn:agency:vn:b").await.unwrap();
    let (status, _) =
        scene.ask(scene.line(), "POST", "/dsp/2025-1/catalog/request", CATALOG_REQUEST, true).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    boot::close(&scene.node).await;
}
