//! `receipt-first`: rows that travel sealed, and the key that comes after the acknowledgement.
//!
//! **Promises.** The provider draws a key for each making of the rows and keeps it in a private file beside the openings,
//! never in the store, a log or an error. It takes an acknowledgement only while it would serve the rows, and from then
//! on hands the key over whatever its rules become: who has acknowledged has a right to the rows. The consumer holds the
//! key against the digest in the signed manifest, and each chunk against the manifest, before it opens one; what does
//! not fit is the provider's misdeed, and what proves it is kept.
//!
//! **What it is not.** A provider can still take the acknowledgement and stay silent: fairness without a third party is
//! impossible (`docs/decisions/2026-11-23-receipt-first.md`). With an auditor as third party the key is sealed to it, too
//! ([`super::escrow`]). Where to begin: [`draw`] for the provider, [`open`] for the consumer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dataplane::sealing::{Sealer, SealingKey};
use dataplane::{ChunkDigest, DataError, Inbox};
use exchange::Manifest;
use exchange::manifest::Sealed;
use exchange::transfer::{State, Transfer};
use serde::{Deserialize, Serialize};

use super::protocol::find;
use super::{consumer, manifest, provider, receive};
use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::operation::Operation;
use crate::outbound::Answer;
use crate::records::{Exchange, Side, short};

/// What the provider hands over after the acknowledgement.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandedKey {
    /// The key's 32 bytes, base64.
    key: String,
}

impl std::fmt::Debug for HandedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HandedKey(secret)")
    }
}

/// What a provider did that no honest one does. Each leaves proof in the consumer's hands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misdeed {
    /// Its signed answer holds no key, or not the one whose digest it signed before.
    #[error(
        "{who} took the acknowledgement and handed over a key that is not the one of its manifest; its signed answer is kept in `{kept}` with the manifest beside the sealed chunks: show them to an arbiter"
    )]
    WrongKey {
        /// The provider.
        who: String,
        /// File name of its answer.
        kept: String,
    },
    /// The key is right and the chunks hold something else than was announced.
    #[error(
        "{who} sealed something else than its manifest says ({why}); manifest, sealed chunks and key are kept: show them to an arbiter"
    )]
    OtherRows {
        /// The provider.
        who: String,
        /// What differs.
        why: String,
    },
}

impl From<Misdeed> for Error {
    fn from(misdeed: Misdeed) -> Self {
        Self::Verification(misdeed.to_string())
    }
}

fn key_path(node: &Node, exchange: &Exchange) -> PathBuf {
    let side = match exchange.side {
        Side::Provider => "p",
        Side::Consumer => "c",
    };
    node.dir.join("evidence").join(format!("{side}-{}-{}.key", short(&exchange.peer), exchange.id))
}

fn wrong_key_path(node: &Node, exchange: &Exchange) -> PathBuf {
    node.dir.join("evidence").join(format!("wrong-key-{}.json", exchange.id))
}

/// A new key for the rows of an exchange, durable before the first chunk is sealed. Rows that are made again get another
/// one: the old chunks may have been read, and a nonce must not come twice under a key.
pub fn draw(node: &Node, exchange: &Exchange) -> Result<SealingKey> {
    let bytes = crate::operation::random::<32>()?;
    files::write_secret(&key_path(node, exchange), &bytes)?;
    Ok(SealingKey::new(bytes))
}

/// The key of an exchange as it lies here.
fn kept(node: &Node, exchange: &Exchange) -> Result<Option<SealingKey>> {
    let path = key_path(node, exchange);
    if !path.exists() {
        return Ok(None);
    }
    files::read_secret(&path).map(SealingKey::new).map(Some)
}

/// Destroys the key and what was kept of a wrong one, on either side; at the consumer also sealed chunks that were never
/// opened, because the envelope beside them opens them for an auditor.
pub fn destroy(node: &Node, exchange: &Exchange) -> Result<()> {
    files::remove(&key_path(node, exchange))?;
    if exchange.side == Side::Consumer {
        files::remove(&wrong_key_path(node, exchange))?;
        let inbox = receive::inbox_of(node, exchange);
        if exchange.receipt_first && inbox.exists() {
            std::fs::remove_dir_all(&inbox).map_err(|e| Error::io(&inbox, e))?;
        }
    }
    Ok(())
}

/// Whether the provider may take the acknowledgement of sealed rows: only while it would serve them, with the key and the
/// manifest at hand, because what it takes it must answer with the key.
pub fn may_acknowledge(node: &Arc<Node>, operation: &Operation, exchange: &Exchange) -> Result<()> {
    if !exchange.receipt_first || exchange.ack.is_some() {
        return Ok(());
    }
    let ended = || Error::conflict(format!("the exchange {} is ended; it takes no more", exchange.id));
    let pid = exchange.transfer.as_deref().ok_or_else(ended)?;
    let row = find::<Transfer>(node, pid)?.ok_or_else(ended)?;
    let started = row.process.state() == State::Started
        || (row.process.state() == State::Requested && row.pending.is_some());
    if !started || exchange.stage.is_final() || exchange.interrupted.is_some() {
        return Err(ended());
    }
    match provider::serving(node, operation, exchange, &row)? {
        Ok(_) => {}
        Err(provider::No::Refusal(refusal, _)) => {
            provider::end_soon(node, exchange);
            return Err(Error::Refused(refusal));
        }
        Err(provider::No::Request(_, why)) => return Err(Error::conflict(why)),
    }
    let announced = manifest::kept(node, exchange).and_then(|manifest| manifest.sealed);
    match (kept(node, exchange)?, announced) {
        (Some(key), Some(sealed)) if key.is(&announced_digest(&sealed)) => Ok(()),
        _ => Err(Error::Unavailable(format!(
            "the sealed rows of exchange {} are not ready; acknowledge later",
            exchange.id
        ))),
    }
}

/// The provider's part: the key, once the acknowledgement is in its ledger; `None` before.
pub fn hand_over(node: &Node, exchange: &Exchange) -> Result<Option<HandedKey>> {
    if !exchange.receipt_first {
        return Err(Error::not_found(format!("the rows of exchange {} are not sealed", exchange.id)));
    }
    if exchange.ack.as_ref().and_then(|leaf| leaf.index).is_none() {
        return Ok(None);
    }
    let key = kept(node, exchange)?
        .ok_or_else(|| Error::not_found(format!("the key of exchange {} was erased", exchange.id)))?;
    Ok(Some(HandedKey { key: BASE64.encode(key.expose()) }))
}

fn announced_digest(sealed: &Sealed) -> dataplane::merkle::Sha256 {
    dataplane::merkle::Sha256(*sealed.key_sha256.as_bytes())
}

/// Whether the rows of an exchange lie open at this consumer already: the file comes whole or not at all.
pub fn is_open(node: &Node, exchange: &Exchange, manifest: &Manifest) -> bool {
    let file = std::fs::metadata(consumer::received_file(node, &exchange.id));
    file.is_ok_and(|file| file.len() == manifest.bytes)
}

/// The key that is kept from an earlier try, if it is the announced one.
pub fn known_key(node: &Node, exchange: &Exchange, sealed: &Sealed) -> Result<Option<SealingKey>> {
    Ok(kept(node, exchange)?.filter(|key| key.is(&announced_digest(sealed))))
}

/// Takes the key out of the provider's answer and keeps it. Another key than the announced one is kept as evidence.
pub fn take_key(node: &Node, exchange: &Exchange, sealed: &Sealed, answer: &Answer) -> Result<SealingKey> {
    let handed: Option<[u8; 32]> = serde_json::from_slice::<HandedKey>(&answer.body)
        .ok()
        .and_then(|handed| BASE64.decode(handed.key).ok())
        .and_then(|bytes| bytes.try_into().ok());
    match handed.map(|bytes| (SealingKey::new(bytes), bytes)) {
        Some((key, bytes)) if key.is(&announced_digest(sealed)) => {
            files::write_secret(&key_path(node, exchange), &bytes)?;
            Ok(key)
        }
        _ => {
            let path = wrong_key_path(node, exchange);
            keep_wrong(&path, answer)?;
            let kept = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Err(Misdeed::WrongKey { who: exchange.peer.clone(), kept }.into())
        }
    }
}

/// The signed answer, so that the provider cannot say that it answered something else.
fn keep_wrong(path: &Path, answer: &Answer) -> Result<()> {
    let kept = serde_json::json!({
        "body": BASE64.encode(&answer.body),
        "signature_base": answer.said.base,
        "signature": BASE64.encode(answer.said.signature),
    });
    files::write_atomic(path, &serde_json::to_vec(&kept).map_err(Error::internal)?)
}

/// Opens the chunks of an inbox into the received file. The chunks must be there; the key must be the announced one.
pub async fn open(
    node: &Node,
    exchange: &Exchange,
    manifest: &Manifest,
    chunks: Vec<ChunkDigest>,
    inbox: Inbox,
    key: &SealingKey,
) -> Result<()> {
    let sealer = Sealer::new(key, &exchange.id).map_err(Error::internal)?;
    let target = consumer::received_file(node, &exchange.id);
    let sha256 = dataplane::merkle::Sha256(*manifest.sha256.as_bytes());
    let work = move || inbox.open_sealed(&chunks, &sha256, &sealer, &target);
    let opened = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    opened.map(|_| ()).map_err(|error| match error {
        DataError::NotOpened { .. } | DataError::WholeMismatch(_) => {
            Misdeed::OtherRows { who: exchange.peer.clone(), why: error.to_string() }.into()
        }
        // A chunk that this disk lost or spoilt: fetched again at the next try.
        other => Error::internal(other),
    })
}

/// Whether this consumer was told that the provider ended the transfer, and so takes no acknowledgement any more.
pub fn was_ended(node: &Node, exchange: &Exchange) -> Result<bool> {
    let Some(pid) = &exchange.transfer else { return Ok(false) };
    let row = find::<Transfer>(node, pid)?;
    Ok(row.is_some_and(|row| row.process.state() == State::Terminated))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Leaf;
    use axum::http::{HeaderMap, StatusCode};
    use certs::message::SignatureEvidence;
    use exchange::Digest;
    use exchange::manifest::Sealing;

    const PEER: &str = "urn:agency:vn:b";

    fn exchange(side: Side) -> Exchange {
        let ask = crate::testing::ask();
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned();
        let mut exchange = Exchange::new(id, side, PEER.into(), "x".into(), ask, 1);
        exchange.receipt_first = true;
        exchange
    }

    fn announced(key: [u8; 32]) -> Sealed {
        Sealed { algorithm: Sealing::Aes256Gcm, key_sha256: Digest::of(&key), escrow: None }
    }

    fn answer(body: &[u8]) -> Answer {
        let signed = SignatureEvidence { base: "the base".into(), signature: [9; 64] };
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.to_vec().into(),
            sha256: [0; 32],
            promise: None,
            asked: signed.clone(),
            said: signed,
        }
    }

    fn body_of(key: [u8; 32]) -> Vec<u8> {
        serde_json::to_vec(&HandedKey { key: BASE64.encode(key) }).unwrap()
    }

    #[tokio::test]
    async fn the_announced_key_is_kept_and_found_again() {
        let (_dir, node) = crate::testing::node().await;
        let exchange = exchange(Side::Consumer);
        let sealed = announced([7; 32]);
        assert!(known_key(&node, &exchange, &sealed).unwrap().is_none());
        take_key(&node, &exchange, &sealed, &answer(&body_of([7; 32]))).unwrap();
        assert_eq!(known_key(&node, &exchange, &sealed).unwrap().unwrap().expose(), &[7; 32]);
        // Of another manifest it is not the key.
        assert!(known_key(&node, &exchange, &announced([8; 32])).unwrap().is_none());
        let inbox = receive::inbox_of(&node, &exchange);
        std::fs::create_dir_all(&inbox).unwrap();
        std::fs::write(inbox.join("0.chunk"), b"sealed").unwrap();
        destroy(&node, &exchange).unwrap();
        assert!(known_key(&node, &exchange, &sealed).unwrap().is_none());
        assert!(!inbox.exists(), "an auditor can still open the chunks");
        crate::boot::close(&node).await;
    }

    #[tokio::test]
    async fn another_key_is_the_providers_misdeed_and_kept_with_its_signature() {
        let (_dir, node) = crate::testing::node().await;
        let exchange = exchange(Side::Consumer);
        let sealed = announced([7; 32]);
        let short = br#"{"key":"AAAA"}"#.to_vec();
        for body in [body_of([8; 32]), short, b"no".to_vec()] {
            let error = take_key(&node, &exchange, &sealed, &answer(&body)).unwrap_err();
            let Error::Verification(told) = error else { panic!("{error}") };
            assert!(told.contains(PEER) && told.contains("wrong-key-"), "{told}");
            assert!(!told.contains(&BASE64.encode([8; 32])), "the key is in the error");
            let path = wrong_key_path(&node, &exchange);
            let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(kept["body"], BASE64.encode(&body));
            assert_eq!(
                (&kept["signature_base"], &kept["signature"]),
                (&"the base".into(), &BASE64.encode([9; 64]).into())
            );
            assert!(known_key(&node, &exchange, &sealed).unwrap().is_none());
        }
        destroy(&node, &exchange).unwrap();
        assert!(!wrong_key_path(&node, &exchange).exists());
        crate::boot::close(&node).await;
    }

    #[tokio::test]
    async fn the_key_is_handed_over_for_an_acknowledgement_in_the_ledger_and_for_nothing_less() {
        let (_dir, node) = crate::testing::node().await;
        let mut exchange = exchange(Side::Provider);
        let key = draw(&node, &exchange).unwrap();
        assert!(hand_over(&node, &exchange).unwrap().is_none());
        // Kept, and not in the ledger yet.
        exchange.ack = Some(Leaf { bytes: String::new(), from: 0, index: None });
        assert!(hand_over(&node, &exchange).unwrap().is_none());
        exchange.ack = Some(Leaf { bytes: String::new(), from: 0, index: Some(3) });
        let handed = hand_over(&node, &exchange).unwrap().unwrap();
        assert_eq!(handed.key, BASE64.encode(key.expose()));
        assert_eq!(format!("{handed:?}"), "HandedKey(secret)");
        // An exchange whose rows were never sealed has no key to give.
        exchange.receipt_first = false;
        assert!(matches!(hand_over(&node, &exchange), Err(Error::NotFound(_))));
        crate::boot::close(&node).await;
    }

    #[tokio::test]
    async fn rows_that_are_made_again_get_another_key() {
        let (_dir, node) = crate::testing::node().await;
        let exchange = exchange(Side::Provider);
        let first = draw(&node, &exchange).unwrap();
        let second = draw(&node, &exchange).unwrap();
        assert_ne!(first.expose(), second.expose());
        assert_eq!(kept(&node, &exchange).unwrap().unwrap().expose(), second.expose());
        crate::boot::close(&node).await;
    }

    #[tokio::test]
    async fn chunks_that_hold_something_else_are_the_providers_misdeed_and_lost_ones_are_not() {
        let (dir, node) = crate::testing::node().await;
        let exchange = exchange(Side::Consumer);
        let folder = dir.path().join("inbox");
        let mut inbox = Inbox::open(&folder).unwrap();
        let digest = ChunkDigest { len: 40, sha256: dataplane::merkle::Sha256::of(&[1; 40]) };
        inbox.accept(0, &digest, &[1; 40]).unwrap();
        let manifest = crate::testing::manifest(announced([7; 32]));
        let key = SealingKey::new([7; 32]);
        let told = open(&node, &exchange, &manifest, vec![digest], inbox, &key).await.unwrap_err();
        assert!(matches!(&told, Error::Verification(why) if why.contains(PEER)), "{told}");
        std::fs::remove_file(folder.join("0.chunk")).unwrap();
        let inbox = Inbox::open(&folder).unwrap();
        let told = open(&node, &exchange, &manifest, vec![digest], inbox, &key).await.unwrap_err();
        assert!(matches!(told, Error::Internal(_)), "{told}");
        assert!(!is_open(&node, &exchange, &manifest));
        crate::boot::close(&node).await;
    }
}
