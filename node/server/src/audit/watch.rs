//! Following a log as a monitor does: each newer checkpoint must continue the one before it, and every new entry must
//! stand in its tree.
//!
//! The state file is the last verified checkpoint as it was signed. When a log goes back or forks, both notes are kept
//! beside it, and for a fork the proof that strangers judge (`tram ledger conflict`).

use std::path::{Path, PathBuf};

use ledger::bridge::Bridge;
use ledger::checkpoint::SignedCheckpoint;
use ledger::conflict::Evidence;
use ledger::statement::SignedStatement;
use serde_json::{Value, json};

use super::place::{Access, Opened, Place};
use super::{filter, told};
use crate::error::{Error, Result};
use crate::files;

/// How a round ended.
#[derive(Debug)]
pub enum Round {
    /// Nothing new, or this many new entries, all good.
    Grown(Value),
    /// Two signed checkpoints that no one log can have.
    Conflict(Value),
}

/// Looks once. `record` is told that the first so many entries are read, before any is shown; each new entry is given to
/// `show` before the state moves on.
pub fn round(
    place: &Place,
    access: &Access,
    state: &Path,
    record: impl FnOnce(u64) -> Result<()>,
    mut show: impl FnMut(&Value),
) -> Result<Round> {
    let before = read(state)?;
    let log = Opened::open(place, access)?;
    let now = log.reader.checkpoint();
    let from = match &before {
        None => 0,
        Some(before) => {
            let old = before.checkpoint();
            if old.origin != now.origin {
                return Err(Error::usage(format!(
                    "`{}` remembers the log `{}`, and this is `{}`; use another --state file for it",
                    state.display(),
                    old.origin,
                    now.origin
                )));
            }
            let keys = log.trust.keys_of(old.origin.as_str());
            before.verify(&keys).map_err(|e| {
                Error::Verification(format!(
                    "`{}` holds no checkpoint signed by a trusted key: {e}",
                    state.display()
                ))
            })?;
            if now.size < old.size {
                return conflict("rollback", before, &log, state).map(Round::Conflict);
            }
            if log.reader.root_at(old.size).map_err(told)? != old.root {
                return conflict("fork", before, &log, state).map(Round::Conflict);
            }
            old.size
        }
    };
    if from < now.size {
        record(now.size)?;
    }
    for entry in log.entries(from) {
        let entry = entry?;
        let signed = SignedStatement::parse(&entry.bytes).ok();
        show(&filter::view(&entry, signed.as_ref(), &[]));
    }
    files::write_atomic(state, &log.reader.signed().to_bytes())?;
    Ok(Round::Grown(json!({"ok": true, "origin": log.origin(), "size": now.size, "new": now.size - from,
        "root": files::hex(&now.root.0), "before": before.map(|b| b.checkpoint().size)})))
}

/// Where a log's state is kept when nobody says otherwise: in the working folder, by the log's place.
pub fn state_file(place: &Place) -> PathBuf {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(place.to_string().as_bytes());
    PathBuf::from(format!("tram-watch-{}.checkpoint", files::hex(digest.get(..6).unwrap_or_default())))
}

fn read(state: &Path) -> Result<Option<SignedCheckpoint>> {
    let bytes = match std::fs::read(state) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(state, e)),
    };
    let parsed = SignedCheckpoint::parse(&bytes);
    let why = |e| {
        Error::usage(format!(
            "`{}` is no state of `tram ledger watch` ({e}); name another --state file, or put this one back from a backup",
            state.display()
        ))
    };
    parsed.map(Some).map_err(why)
}

/// Keeps both checkpoints. The state stays as it was: the next round says the same.
fn conflict(code: &str, before: &SignedCheckpoint, log: &Opened, state: &Path) -> Result<Value> {
    let (old, new) = (before.checkpoint(), log.reader.checkpoint());
    let beside = |which: &str| {
        let mut name = state.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{code}-{}-{}.{which}", old.size, new.size));
        state.with_file_name(name)
    };
    let (first, second) = (beside("first"), beside("second"));
    files::write_atomic(&first, &before.to_bytes())?;
    files::write_atomic(&second, &log.reader.signed().to_bytes())?;
    let mut kept = vec![first, second];
    if let Some(proof) = proof(before, log) {
        let file = beside("conflict");
        files::write_atomic(&file, &proof.to_bytes())?;
        kept.push(file);
    }
    let kept: Vec<String> = kept.iter().map(|file| file.display().to_string()).collect();
    let tree = |size: u64, root: &ledger::merkle::Hash| json!({"size": size, "root": files::hex(&root.0)});
    Ok(json!({"ok": false, "code": code, "origin": log.origin(), "first": tree(old.size, &old.root),
        "second": tree(new.size, &new.root), "evidence": kept}))
}

/// The proof of two histories for strangers (`tram ledger conflict`), while the tiles are at hand. A log that went back has
/// perhaps signed one history only; then there is none.
fn proof(before: &SignedCheckpoint, log: &Opened) -> Option<Evidence> {
    let (old, new) = (before.checkpoint(), log.reader.checkpoint());
    let bridge = Bridge::of(&log.reader, old.size, new.size).ok().flatten();
    let keys = log.trust.keys_of(old.origin.as_str());
    Evidence::find(before, log.reader.signed(), bridge.as_ref(), &keys)
}
