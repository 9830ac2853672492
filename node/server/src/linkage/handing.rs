//! How a linkage key gets from one holder to another: a file that its maker signed and that the other node alone opens.
//!
//! **Promises.** HPKE (RFC 9180, X25519, HKDF-SHA256, AES-256-GCM) to the signing key that the federation registered for the
//! receiver, through the birational map from Ed25519 to X25519; bound to linkage, holders, giver, receiver and time. The giver's
//! signature is checked against its registered key and the id against the opened key before anything is kept, so nobody but
//! a holder can put a key under a name.
//!
//! **Why one key for two uses.** A node has no key for decryption, and a second registered key would be one more to roll over.
//! Ed25519 signatures and an X25519 KEM under one key pair are proven secure together (Thormarker 2021, eprint 2021/509); the
//! HPKE suite and the `info` keep the uses apart.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certs::{DocSignature, ParticipantId, PublicKey};
use policy::Linkage;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use serde::{Deserialize, Serialize};

use super::keys::Held;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::Operation;

/// What the file says it is, and the first bytes under its signature.
pub const FORM: &str = "tram/linkage@v1";
/// Largest file, bytes.
pub const FILE_BYTES_MAX: usize = 16 << 10;

/// What is sealed for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// [`FORM`].
    form: String,
    /// The key's full name.
    linkage: Linkage,
    /// The agencies that hold it.
    holders: BTreeSet<String>,
    /// Who hands it over.
    from: String,
    /// To whom.
    to: String,
    /// Thumbprint of the registered key that it is sealed to.
    key: String,
    /// When, Unix seconds.
    sealed: i64,
}

/// The file that is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handed {
    /// What is sealed for whom.
    terms: Terms,
    /// HPKE's encapsulated secret, base64.
    enc: String,
    /// The sealed key, base64.
    ciphertext: String,
    /// Of the giver, over the canonical JSON of the rest behind [`FORM`] and a line end.
    signature: DocSignature,
}

fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    exchange::json::canonical(value).map_err(Error::internal)
}

fn signed_bytes(terms: &Terms, enc: &str, ciphertext: &str) -> Result<Vec<u8>> {
    Ok([FORM.as_bytes(), b"\n", &canonical(&(terms, enc, ciphertext))?].concat())
}

/// An active peer by its id; where it is none, the error says what to do.
fn peer(node: &Node, participant: &str) -> Result<ParticipantId> {
    let id = ParticipantId::parse(participant).map_err(|e| Error::usage(e.to_string()))?;
    node.peers.route(participant)?;
    Ok(id)
}

/// The file for one of the other holders.
///
/// # Errors
/// [`Error::Usage`] when it is no holder; [`Error::NotFound`] when it is no active peer.
pub fn seal(node: &Node, operation: &Operation, held: &Held, to: &str) -> Result<Handed> {
    if !held.holders().contains(to) || to == node.config.node.id {
        return Err(Error::usage(format!(
            "`{to}` is not one of the other holders of `{}`, and who holds a key is part of its id; make a new key with `tram \
             linkage new` and name all its holders",
            held.linkage()
        )));
    }
    // In a rollover the old key is still valid, but the receiver may hold the new one alone.
    let to_key =
        node.peers.keys().newest_signing_key_of(&peer(node, to)?, operation.now).ok_or_else(|| {
            Error::conflict(format!(
                "no signing key of `{to}` is in force in the registry; pair with it anew"
            ))
        })?;
    let terms = Terms {
        form: FORM.to_owned(),
        linkage: held.linkage().clone(),
        holders: held.holders().clone(),
        from: node.config.node.id.clone(),
        to: to.to_owned(),
        key: to_key.thumbprint(),
        sealed: operation.now,
    };
    let public = HpkePublicKey(to_key.verifying_key().to_montgomery().to_bytes().to_vec());
    let (enc, sealed) = SUITE
        .seal(&canonical(&terms)?, &[], held.expose(), &public)
        .map_err(|e| Error::internal(format!("sealing a linkage key: {e}")))?;
    let (enc, ciphertext) = (BASE64.encode(enc.0), BASE64.encode(sealed));
    let bytes = signed_bytes(&terms, &enc, &ciphertext)?;
    let signature = DocSignature::make(&node.me, &node.keys.signing, &bytes);
    Ok(Handed { terms, enc, ciphertext, signature })
}

impl Handed {
    /// To whom it is sealed.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.terms.to
    }
}

/// Opens a file for this node.
///
/// # Errors
/// [`Error::Verification`] with what is wrong and what to do; [`Error::NotFound`] when the giver is no active peer.
pub fn open(node: &Node, operation: &Operation, handed: &Handed) -> Result<Held> {
    let terms = &handed.terms;
    let no = |why: String| Error::Verification(format!("the linkage file is not taken: {why}"));
    let me = node.config.node.id.as_str();
    if terms.form != FORM {
        return Err(no(format!("it is no `{FORM}`; the giver runs another version of this program")));
    }
    if terms.to != me {
        return Err(no(format!(
            "it is for `{}`, this node is `{me}`; ask `{}` for yours",
            terms.to, terms.from
        )));
    }
    let from = peer(node, &terms.from)?;
    let keys = node.peers.keys().signing_keys_of(&from, operation.now);
    let bytes = signed_bytes(terms, &handed.enc, &handed.ciphertext)?;
    let good = |key: &&PublicKey| {
        key.keyid(&from) == handed.signature.keyid && key.verify(&bytes, &handed.signature.signature)
    };
    if keys.iter().find(good).is_none() {
        return Err(no(format!(
            "no registered key of `{from}` signed it as it is; ask for the file once more"
        )));
    }
    if !terms.holders.contains(me) || !terms.holders.contains(&terms.from) {
        return Err(no("giver and receiver must both be among its holders".to_owned()));
    }
    let mine = PublicKey::of(&node.keys.signing);
    if mine.thumbprint() != terms.key {
        return Err(no(format!(
            "it is sealed to another key of this node; ask `{from}` to seal it anew (`tram linkage seal`)"
        )));
    }
    let decoded =
        |text: &str| BASE64.decode(text).map_err(|_| no("it is damaged; ask for it once more".to_owned()));
    let enc = EncapsulatedSecret(decoded(&handed.enc)?);
    let secret = HpkePrivateKey::from(node.keys.signing.to_scalar_bytes().to_vec());
    let opened = SUITE.open(&enc, &canonical(terms)?, &[], &decoded(&handed.ciphertext)?, &secret);
    let key: [u8; 32] = opened
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| no("it does not open with this node's key; ask for it once more".to_owned()))?;
    let held = Held::new(key, terms.linkage.name(), terms.holders.clone(), &terms.from, operation.now)?;
    if held.linkage() != &terms.linkage {
        return Err(no(format!("the key in it is not the one of `{}`; tell `{from}`", terms.linkage)));
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::linkage;
    use crate::operation::Actor;
    use crate::testing;

    const ME: &str = "urn:agency:vn:a";
    const LAND: &str = "urn:agency:vn:b";

    async fn paired() -> (tempfile::TempDir, Arc<Node>, certs::NodeKeys) {
        let (dir, node) = testing::node().await;
        let (keys, descriptor) = testing::member(LAND);
        testing::pair(&node, &keys, &descriptor).await;
        (dir, node, keys)
    }

    fn held(key: u8, holders: &[&str]) -> Held {
        let holders = holders.iter().map(|&h| h.to_owned()).collect();
        Held::new([key; 32], "dinh-danh", holders, LAND, 1).unwrap()
    }

    /// What `LAND` would hand over to the node.
    fn from_land(node: &Node, keys: &certs::NodeKeys, held: &Held, edit: impl FnOnce(&mut Terms)) -> Handed {
        let mine = PublicKey::of(&node.keys.signing);
        let mut terms = Terms {
            form: FORM.into(),
            linkage: held.linkage().clone(),
            holders: held.holders().clone(),
            from: LAND.into(),
            to: ME.into(),
            key: mine.thumbprint(),
            sealed: 1,
        };
        edit(&mut terms);
        let public = HpkePublicKey(mine.verifying_key().to_montgomery().to_bytes().to_vec());
        let (enc, sealed) = SUITE.seal(&canonical(&terms).unwrap(), &[], held.expose(), &public).unwrap();
        let (enc, ciphertext) = (BASE64.encode(enc.0), BASE64.encode(sealed));
        let bytes = signed_bytes(&terms, &enc, &ciphertext).unwrap();
        let signature = DocSignature::make(&ParticipantId::parse(LAND).unwrap(), &keys.signing, &bytes);
        Handed { terms, enc, ciphertext, signature }
    }

    #[tokio::test]
    async fn a_key_reaches_the_other_holder_and_nobody_else_opens_it() {
        let (_dir, node, keys) = paired().await;
        let operation = Operation::begin(Actor::Local, &node.clock);
        let (made, files) = linkage::make(&node, &operation, "dinh-danh", &[LAND.to_owned()]).await.unwrap();
        let [(to, handed)] = files.as_slice() else { panic!("{files:?}") };
        assert_eq!(to, LAND);
        // What the other node does with its own key.
        let enc = EncapsulatedSecret(BASE64.decode(&handed.enc).unwrap());
        let sealed = BASE64.decode(&handed.ciphertext).unwrap();
        let opened = |keys: &certs::NodeKeys| {
            let secret = HpkePrivateKey::from(keys.signing.to_scalar_bytes().to_vec());
            SUITE.open(&enc, &canonical(&handed.terms).unwrap(), &[], &sealed, &secret)
        };
        assert_eq!(opened(&keys).unwrap(), made.expose());
        assert!(opened(&testing::member("urn:agency:vn:c").0).is_err());
        let text = serde_json::to_string(handed).unwrap();
        assert!(
            !text.contains(&crate::files::hex(made.expose()))
                && !text.contains(&BASE64.encode(made.expose()))
        );
        // It is not for this node, and a stranger is no holder.
        assert!(matches!(open(&node, &operation, handed), Err(Error::Verification(_))));
        let stranger = seal(&node, &operation, &made, "urn:agency:vn:c").unwrap_err();
        assert!(stranger.to_string().contains("part of its id"), "{stranger}");
        let unknown =
            linkage::make(&node, &operation, "x", &["urn:agency:vn:c".to_owned()]).await.unwrap_err();
        assert!(matches!(unknown, Error::NotFound(_)), "{unknown}");
        assert_eq!(linkage::of(&node).names().unwrap().len(), 1, "nothing was kept of what failed");
        crate::boot::close(&node).await;
    }

    #[tokio::test]
    async fn only_a_holders_own_word_puts_a_key_under_a_name() {
        let (_dir, node, keys) = paired().await;
        let operation = Operation::begin(Actor::Local, &node.clock);
        let good = held(3, &[ME, LAND]);
        let refused = async |handed: &Handed, why: &str| {
            let error = linkage::take(&node, &operation, handed).await.unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(!error.to_string().contains("0303"), "{error}");
            assert!(linkage::of(&node).names().unwrap().is_empty());
            assert_eq!(node.ledger.size(), 0, "what is not taken is no act");
        };
        let plain = |held: &Held| from_land(&node, &keys, held, |_| {});
        let mut touched = plain(&good);
        touched.terms.sealed += 1;
        refused(&touched, "no registered key").await;
        let (others, _) = testing::member("urn:agency:vn:c");
        refused(&from_land(&node, &others, &good, |_| {}), "no registered key").await;
        refused(&from_land(&node, &keys, &good, |t| t.from = "urn:agency:vn:c".into()), "no active peer")
            .await;
        refused(&from_land(&node, &keys, &good, |t| t.to = LAND.into()), "it is for").await;
        refused(&from_land(&node, &keys, &good, |t| t.key = "x".into()), "another key of this node").await;
        // A key that its giver or this node does not hold, by its own word.
        refused(&plain(&held(3, &[LAND, "urn:agency:vn:d"])), "among its holders").await;
        // Another key under a name that is in the rules.
        let name = good.linkage().clone();
        refused(&from_land(&node, &keys, &held(4, &[ME, LAND]), |t| t.linkage = name), "not the one of")
            .await;
        let taken = linkage::take(&node, &operation, &plain(&good)).await.unwrap();
        assert_eq!(taken.linkage(), good.linkage());
        assert_eq!(linkage::of(&node).find(good.linkage()).unwrap().expose(), good.expose());
        crate::boot::close(&node).await;
    }
}
