//! The files of rule sets, kept once under the digest of what they say, in pieces that the store takes.
//!
//! Promise: what [`get`] gives has the digest that it was asked for. Nothing here says which files are in force.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use store::{Space, Store, Tx};

use crate::error::{Error, Result};
use crate::files;
use crate::limits::RULE_SET_BYTES_MAX;

/// Texts of a rule set's files, by name.
pub type Texts = BTreeMap<String, String>;

/// Bytes of one piece: under the store's limit for a value.
const PIECE_BYTES: usize = 512 << 10;
/// What stands before the canonical form in the digest.
const LABEL: &[u8] = b"tram/rule-set-files@v1\n";

/// The digest of files with their names, hex.
pub fn digest(texts: &Texts) -> Result<String> {
    let canonical = exchange::json::canonical(texts).map_err(Error::internal)?;
    Ok(files::hex(&Sha256::new().chain_update(LABEL).chain_update(canonical).finalize()))
}

fn key(digest: &str, piece: usize) -> Vec<u8> {
    format!("f/{digest}/{piece:06}").into_bytes()
}

/// Keeps files; durable when it returns their digest.
pub async fn put(store: &Store, texts: &Texts) -> Result<String> {
    let digest = digest(texts)?;
    let bytes = serde_json::to_vec(texts).map_err(Error::internal)?;
    if bytes.len() > RULE_SET_BYTES_MAX {
        return Err(Error::TooLarge(format!(
            "the files of the rule set are over {RULE_SET_BYTES_MAX} bytes; split it"
        )));
    }
    let count = bytes.len().div_ceil(PIECE_BYTES);
    for (n, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
        let mut value = count.to_string().into_bytes();
        value.push(b'\n');
        value.extend_from_slice(piece);
        store.commit(Tx::new().put(Space::RuleSet, key(&digest, n), value)).await.map_err(Error::from)?;
    }
    Ok(digest)
}

/// The files of this digest.
///
/// # Errors
/// [`Error::Internal`] when they are not there, or not what they were.
pub fn get(store: &Store, wanted: &str) -> Result<Texts> {
    let damaged = || Error::internal(format!("the files {wanted} of a rule set are not whole in the store"));
    let (mut bytes, mut n, mut count) = (Vec::new(), 0, 1);
    while n < count {
        let piece = store.get(Space::RuleSet, key(wanted, n)).map_err(Error::from)?.ok_or_else(damaged)?;
        let at = piece.value.iter().position(|b| *b == b'\n').ok_or_else(damaged)?;
        let (head, rest) = piece.value.split_at(at);
        count = std::str::from_utf8(head).ok().and_then(|c| c.parse().ok()).ok_or_else(damaged)?;
        bytes.extend_from_slice(rest.get(1..).unwrap_or_default());
        if bytes.len() > RULE_SET_BYTES_MAX {
            return Err(damaged());
        }
        n += 1;
    }
    let texts: Texts = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
    if digest(&texts)? == wanted { Ok(texts) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_of_any_size_come_back_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), store::OpenOptions::default()).unwrap();
        for size in [0, 1, PIECE_BYTES, 3 * PIECE_BYTES + 5] {
            let texts = Texts::from([("policy.csv".to_owned(), "ữ".repeat(size / 3))]);
            let digest = put(&store, &texts).await.unwrap();
            assert_eq!(get(&store, &digest).unwrap(), texts);
            let mut broken = store.get(Space::RuleSet, key(&digest, 0)).unwrap().unwrap().value.to_vec();
            let last = broken.len() - 3;
            broken[last] ^= 1;
            store.commit(Tx::new().put(Space::RuleSet, key(&digest, 0), broken)).await.unwrap();
            assert!(get(&store, &digest).is_err(), "{size}");
        }
        assert!(get(&store, &"0".repeat(64)).is_err());
    }
}
