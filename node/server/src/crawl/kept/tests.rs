//! Tests of kept pages.

use certs::message::ResolvedKey;
use ed25519_dalek::Signer as _;
use exchange::dsp::{DatasetDescription, to_bytes};

use super::super::wire::tests::{PEER, dataset, page};
use super::*;

/// Keys of nobody.
struct NoKeys;

impl KeyResolver for NoKeys {
    fn signing_key(&self, _: &str, _: i64) -> Option<ResolvedKey> {
        None
    }
}

fn open(dir: &std::path::Path) -> Store {
    Store::open(&dir.join("store"), store::OpenOptions::default()).unwrap()
}

fn signed(base: &str) -> Signed {
    Signed { base: base.to_owned(), signature: BASE64.encode([7; 64]) }
}

fn kept(number: usize) -> Page {
    let name = format!("{PEER}/d{number}");
    let body = to_bytes(&page(vec![dataset(&name, &DatasetDescription::default())])).unwrap();
    let head = Head {
        participant: PEER.to_owned(),
        url: format!("https://peer/catalog?after={number}"),
        sha256: sha256(&body),
        fetched_at: 5,
        asked: signed("asked"),
        said: signed("said"),
        confirmed: None,
    };
    Page { head, body }
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart_and_a_shorter_catalog_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let three: Vec<(Page, bool)> = (0..3).map(|n| (kept(n), true)).collect();
    keep(&store, PEER, &three, 7).await.unwrap();
    store.close();
    let store = open(dir.path());
    let read: Vec<Page> = pages(&store, PEER).unwrap().into_iter().map(|(_, page)| page).collect();
    assert_eq!(read, three.iter().map(|(page, _)| page.clone()).collect::<Vec<_>>());
    assert_eq!(wholes(&store).unwrap(), [Whole { participant: PEER.to_owned(), pages: 3, seen_at: 7 }]);
    keep(&store, PEER, &[(kept(0), false)], 9).await.unwrap();
    assert_eq!(pages(&store, PEER).unwrap().len(), 1);
    assert!(store.get(Space::Meta, page_key(PEER, 1, "body")).unwrap().is_none());
    store.close();
}

#[tokio::test]
async fn a_damaged_page_is_no_page_and_the_others_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let three: Vec<(Page, bool)> = (0..3).map(|n| (kept(n), true)).collect();
    keep(&store, PEER, &three, 7).await.unwrap();
    // The body of the next: each for itself is sound.
    let other = packed(&kept(2).body).unwrap();
    store.commit(Tx::new().put(Space::Meta, page_key(PEER, 1, "body"), other)).await.unwrap();
    store.commit(Tx::new().put(Space::Meta, page_key(PEER, 2, "head"), &b"{"[..])).await.unwrap();
    let numbers: Vec<usize> = pages(&store, PEER).unwrap().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [0]);
    // What a first crawl left that was cut off is nobody's.
    let head = page_key("urn:agency:vn:z", 0, "head");
    store.commit(Tx::new().put(Space::Meta, head, &b"{}"[..])).await.unwrap();
    assert_eq!(wholes(&store).unwrap().len(), 1);
    store.close();
}

#[test]
fn addresses_name_what_is_known() {
    assert_eq!(asking("https://p/c", None), "https://p/c");
    assert_eq!(asking("https://p/c", Some("ab")), "https://p/c?known=ab");
    assert_eq!(asking("https://p/c?after=x", Some("ab")), "https://p/c?after=x&known=ab");
}

/// The peer's key as the registry has it.
struct Book(certs::SigningKeyWithId);

impl KeyResolver for Book {
    fn signing_key(&self, keyid: &str, at: i64) -> Option<ResolvedKey> {
        let known = keyid == self.0.keyid() && at == 5;
        known.then(|| ResolvedKey { participant: self.0.participant().clone(), key: self.0.public() })
    }
}

fn said(signer: &certs::SigningKeyWithId, url: &str, body: &[u8]) -> Signed {
    let digest = BASE64.encode(Sha256::digest(body));
    let base = format!(
        "\"@status\": 200\n\"content-digest\": sha-256=:{digest}:\n\"@target-uri\";req: {url}\n\
         \"@signature-params\": (\"@status\");created=5;alg=\"ed25519\";keyid=\"{}\";tag=\"tram-response\"",
        signer.keyid()
    );
    let signature = BASE64.encode(signer.key().sign(base.as_bytes()).to_bytes());
    Signed { base, signature }
}

#[test]
fn evidence_holds_for_this_body_this_address_and_this_peer_only() {
    let signer = crate::testing::member(PEER).0.signer(&PEER.parse().unwrap());
    let other = crate::testing::member("urn:agency:vn:x").0.signer(&"urn:agency:vn:x".parse().unwrap());
    let Page { head, body } = kept(1);
    let book = Book(signer.clone());
    let plain = said(&signer, &head.url, &body);
    assert_eq!(check(&head, &plain, &body, None, &book).as_deref(), Ok(signer.keyid()));
    let known = said(&signer, &asking(&head.url, Some(&head.sha256)), &body);
    assert!(check(&head, &known, &body, None, &book).is_ok(), "an older digest may have been named");
    assert!(check(&head, &known, &body, Some(&head.sha256), &book).is_ok());
    assert!(check(&head, &plain, &body, Some(&head.sha256), &book).is_err(), "it confirms nothing");
    let elsewhere = said(&signer, "https://peer/catalog?after=11", &body);
    assert!(check(&head, &elsewhere, &body, None, &book).is_err());
    assert!(check(&head, &plain, b"{}", None, &book).is_err());
    let forged = Signed { base: plain.base.replace("200", "201"), ..plain.clone() };
    assert!(check(&head, &forged, &body, None, &book).is_err());
    assert!(check(&head, &plain, &body, None, &NoKeys).is_err());
    let foreign = said(&other, &head.url, &body);
    assert!(check(&head, &foreign, &body, None, &Book(other)).is_err(), "another's word about this peer");
}
