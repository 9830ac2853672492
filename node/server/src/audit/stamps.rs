//! Time-stamps that came with a bundle, held against the bundle's own tree: no network and no node.
//!
//! Each note must be the log's, of a tree that the bundle's one grew out of; each token must be over its note, and be of an
//! authority that the auditor's roots lead to. Without roots they are counted as not checked. Those of a folder are
//! checked with its files (`ledger::verify`).

use ledger::checkpoint::SignedCheckpoint;
use ledger::timestamp::{Roots, Stamp, Token, verify};
use sha2::{Digest, Sha256};

use super::bundle::Bundle;
use super::place::Opened;
use super::told;
use crate::error::{Error, Result};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Stamps that hold, with the sizes of their trees.
    pub good: Vec<(u64, Stamp)>,
    /// Stamps over the right notes, whose authority was not asked for.
    pub unchecked: u64,
}

/// Checks all of them; the first bad one is told by its name. `now` in Unix seconds.
pub fn check(log: &Opened, bundle: &Bundle, roots: Option<&Roots>, now: u64) -> Result<Found> {
    let keys = log.trust.keys_of(&log.origin());
    let mut found = Found::default();
    for size in bundle.stamped() {
        let wrong = |why: String| {
            Error::Verification(format!("`{}`: the time-stamp `timestamps/{size}.tsr`: {why}", log.place))
        };
        let note = bundle.stamped_note(size)?;
        let signed = SignedCheckpoint::open(&note, &keys).map_err(|e| wrong(e.to_string()))?;
        let said = signed.checkpoint();
        if said.size != size || size > log.reader.size() {
            return Err(wrong(format!(
                "expected a checkpoint of {size} entries of this ledger, found {}",
                said.size
            )));
        }
        let root = log.reader.root_at(size).map_err(told)?;
        if said.root != root {
            return Err(wrong(format!("expected the root {root} in its note, found {}", said.root)));
        }
        let token = bundle.token(size)?.unwrap_or_default();
        let token = Token::from_response(&token).map_err(|e| wrong(e.to_string()))?;
        match roots {
            Some(roots) => {
                let stamp = verify(&token, &note, roots, now).map_err(|e| wrong(e.to_string()))?;
                found.good.push((size, stamp));
            }
            None if token.is_over(&Sha256::digest(&note).into()) => found.unchecked += 1,
            None => return Err(wrong("it is over other bytes than the note beside it".to_owned())),
        }
    }
    Ok(found)
}
