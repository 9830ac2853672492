//! Checking this node's own ledger folder: every entry against the tiles, the write-ahead log and the signed
//! checkpoint.
//!
//! Promise: nothing in the folder is changed, and the node need not stop. While a node writes there, a still copy is
//! checked: the files only grow, so a copy made in the right order (checkpoint first, write-ahead log last) is a
//! state that the log really had.

use std::fs;
use std::path::{Path, PathBuf};

use certs::descriptor::{NodeDescriptor, SignedDescriptor};
use certs::note::{KeyKind, KeyName, Vkey};
use ledger::LedgerError;
use ledger::timestamp::Roots;
use ledger::timestamp::files::FOLDER;
use ledger::verify::{Checks, Report, verify_dir_against};
use serde_json::{Value, json};

use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::operation::{Clock, rfc3339};
use crate::stamping;

/// Copies that are made before a finding is believed: a segment of the write-ahead log that was dropped between two
/// files of one copy looks like damage, and does not do so twice.
const COPIES_MAX: u32 = 3;
/// Files that are written last when the log grows, and so copied last.
const WRITTEN_FIRST: &str = "wal";

/// The descriptor in a node's folder.
pub fn descriptor(dir: &Path) -> Result<SignedDescriptor> {
    let path = dir.join("descriptor.json");
    let bytes = fs::read(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::usage(format!(
            "`{}` holds no node: no descriptor.json there; name a node's folder, or give the keys of the ledger with --keys FILE",
            dir.display()
        )),
        _ => Error::io(&path, e),
    })?;
    SignedDescriptor::parse(&bytes).map_err(|e| Error::Verification(format!("`{}`: {e}", path.display())))
}

/// The keys that may have signed a node's checkpoints, under the ledger's name.
pub fn keys(descriptor: &NodeDescriptor) -> Result<Vec<Vkey>> {
    let name = KeyName::new(&descriptor.ledger_origin).map_err(Error::internal)?;
    let ledger = |m: &certs::descriptor::KeyMaterial| match m {
        certs::descriptor::KeyMaterial::Ledger(key) => Some(*key.verifying_key()),
        _ => None,
    };
    let keys = descriptor.keys.iter().filter_map(|key| ledger(&key.material));
    keys.map(|key| Vkey::new(name.clone(), KeyKind::Ed25519, key).map_err(Error::internal)).collect()
}

/// Checks the ledger of the node in `dir`. Reads the whole log: run it in a thread of its own.
pub fn check(dir: &Path) -> Result<Value> {
    check_by(dir, None, None)
}

/// [`check`] with the time-stamping roots of the one who checks, and with archived entries.
pub fn check_by(dir: &Path, given: Option<&Roots>, archive: Option<&Path>) -> Result<Value> {
    let descriptor = descriptor(dir)?;
    let keys = keys(descriptor.descriptor())?;
    let folder = dir.join("ledger");
    if !folder.is_dir() {
        return Err(Error::not_found(format!("`{}` has no ledger; is it a node's folder?", dir.display())));
    }
    let configured = if given.is_none() { stamp_roots(dir)? } else { None };
    let now = u64::try_from(Clock::system().now()).unwrap_or(0);
    let checks = Checks { keys: &keys, roots: given.or(configured.as_ref()), archive, now };
    check_folder(&folder, &descriptor.descriptor().ledger_origin, &checks)
}

/// Checks the log, or the tree of tiles, in `folder`.
pub fn check_folder(folder: &Path, origin: &str, checks: &Checks<'_>) -> Result<Value> {
    let report = match verify_dir_against(folder, checks) {
        Err(LedgerError::InUse(_)) => check_copies(folder, checks),
        other => other.map_err(told),
    }?;
    Ok(view(origin, &report))
}

/// The roots of the authority that the node's configuration names; none when it names none.
pub fn stamp_roots(dir: &Path) -> Result<Option<Roots>> {
    if !dir.join(config::FILE).exists() {
        return Ok(None);
    }
    let section = Config::read(dir)?.ledger.timestamps;
    section.map(|section| stamping::roots(dir, &section)).transpose()
}

fn told(error: LedgerError) -> Error {
    match error {
        LedgerError::Io { path, source, .. } => Error::io(&path, source),
        other => Error::Verification(other.to_string()),
    }
}

fn check_copies(folder: &Path, checks: &Checks<'_>) -> Result<Report> {
    let mut tries = 0;
    loop {
        tries += 1;
        let still = tempfile::tempdir().map_err(|e| Error::io(&std::env::temp_dir(), e))?;
        copy_in_order(folder, still.path())?;
        let mut report = verify_dir_against(still.path(), checks).map_err(told)?;
        if report.is_sound() || tries == COPIES_MAX {
            if let Some(finding) = report.finding.as_mut() {
                // Named where it really is, not in a copy that is gone.
                if let Ok(inside) = finding.file.strip_prefix(still.path()) {
                    finding.file = folder.join(inside);
                }
            }
            return Ok(report);
        }
    }
}

/// Copies the log's files, those first that are written last, and without the lock: what a file holds of the log is
/// then never more than what the files after it hold.
fn copy_in_order(from: &Path, to: &Path) -> Result<()> {
    let first = |path: &PathBuf| path.file_name().is_none_or(|name| name != "checkpoint");
    copy(&from.join("checkpoint"), &to.join("checkpoint"))?;
    copy_folder(&from.join(FOLDER), &to.join(FOLDER))?;
    for path in files_of(from)?.into_iter().filter(first) {
        copy(&path, &to.join(path.file_name().unwrap_or_default()))?;
    }
    copy_folder(&from.join(WRITTEN_FIRST), &to.join(WRITTEN_FIRST))
}

/// The files of a folder by name, but for the lock.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|e| e.path()));
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.is_file() && path.file_name().is_some_and(|name| name != "lock")).collect();
    files.sort();
    Ok(files)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir(to).map_err(|e| Error::io(to, e))?;
    files_of(from)?.iter().try_for_each(|path| copy(path, &to.join(path.file_name().unwrap_or_default())))
}

/// A file that is gone meanwhile (a temporary one, a dropped segment) is no part of the log.
fn copy(from: &Path, to: &Path) -> Result<()> {
    match fs::copy(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map(|_| ()).map_err(|e| Error::io(from, e)),
    }
}

/// A time-stamp that holds, for people and programs.
pub fn stamp_view((size, stamp): &(u64, ledger::timestamp::Stamp)) -> Value {
    let time = i64::try_from(stamp.time).map_or_else(|_| "-".to_owned(), rfc3339);
    json!({"size": size, "time": time, "authority": stamp.authority})
}

fn view(origin: &str, report: &Report) -> Value {
    json!({
        "ok": report.is_sound(),
        "origin": origin,
        "entries": report.entries,
        "signed": report.signed,
        "unwritten": report.unwritten,
        "torn_bytes": report.torn_bytes,
        "archived": report.archived,
        "time_stamps": report.stamps.iter().map(stamp_view).collect::<Vec<_>>(),
        "time_stamps_unchecked": report.stamps_unchecked,
        "problem": report.finding.as_ref().map(ToString::to_string),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ledger::{Log, LogOptions, Signer};

    use super::*;
    use crate::testing::member;

    fn node(dir: &Path) -> Log {
        let (keys, signed) = member("urn:agency:vn:a");
        fs::write(dir.join("descriptor.json"), signed.to_bytes().unwrap()).unwrap();
        let name = KeyName::new("urn:agency:vn:a/ledger").unwrap();
        let signer = Signer::new(name, keys.ledger.clone());
        let options = LogOptions::new(dir.join("guard"));
        Log::open(&dir.join("ledger"), signer, Arc::new(|| 2_000_000), options).unwrap()
    }

    #[test]
    fn a_ledger_is_checked_while_its_node_writes_and_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = node(dir.path());
        for n in 0..300 {
            log.append_blocking(format!("entry {n}")).unwrap();
        }
        let live = check(dir.path()).unwrap();
        assert_eq!((&live["ok"], &live["entries"]), (&json!(true), &json!(300)), "{live}");
        log.append_blocking("one more").unwrap();
        log.close();
        drop(log);
        let still = check(dir.path()).unwrap();
        assert_eq!(
            (&still["ok"], &still["entries"], &still["signed"]),
            (&json!(true), &json!(301), &json!(301))
        );
    }

    #[test]
    fn damage_is_named_with_its_place_in_both_cases() {
        let dir = tempfile::tempdir().unwrap();
        let log = node(dir.path());
        for n in 0..10 {
            log.append_blocking(format!("entry {n}")).unwrap();
        }
        let data = dir.path().join("ledger").join("entries.dat");
        let mut bytes = fs::read(&data).unwrap();
        bytes[20] ^= 1;
        fs::write(&data, bytes).unwrap();
        for _ in 0..2 {
            let found = check(dir.path()).unwrap();
            assert_eq!(found["ok"], json!(false));
            let problem = found["problem"].as_str().unwrap();
            assert!(problem.contains(&data.display().to_string()), "{problem}");
            log.close();
        }
    }

    #[test]
    fn another_key_and_no_ledger_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let log = node(dir.path());
        log.append_blocking("entry").unwrap();
        log.close();
        drop(log);
        let (_, stranger) = member("urn:agency:vn:a");
        fs::write(dir.path().join("descriptor.json"), stranger.to_bytes().unwrap()).unwrap();
        assert_eq!(check(dir.path()).unwrap()["ok"], json!(false));
        fs::remove_dir_all(dir.path().join("ledger")).unwrap();
        assert!(matches!(check(dir.path()), Err(Error::NotFound(_))));
    }
}
