//! One changed byte at every position of every file of a small log, in every state it can be in: found, and the
//! right file named. Time-stamps have theirs in `tests/timestamps.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::log::{Log, LogOptions, export_tiles};
use crate::testing::log_signer;

struct Small {
    folder: TempDir,
    archived: bool,
}

impl Small {
    fn options(&self) -> LogOptions {
        LogOptions {
            checkpoint_interval: Duration::from_secs(3600),
            segment_bytes: 600,
            ..LogOptions::new(self.folder.path().join("guard"))
        }
    }
    fn dir(&self) -> PathBuf {
        self.folder.path().join("log")
    }
    fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }
    fn open(&self) -> Result<Log> {
        Log::open(&self.dir(), log_signer(), Arc::new(|| 0), self.options())
    }
    /// A stopped log of so many entries; with an archive, the first 256 are there.
    fn new(size: u64, archived: bool) -> Self {
        let it = Self { folder: tempfile::tempdir().unwrap(), archived };
        for round in 0..3 {
            let log = it.open().unwrap();
            for k in 0..if round == 0 { size } else { 0 } {
                log.append_blocking(format!("{k}")).unwrap();
            }
            if archived && round == 2 {
                assert_eq!(log.archive_before(256, &it.archive()).unwrap().unwrap().below, 256);
            }
        }
        it
    }
    fn check(&self, with_archive: bool) -> Option<Finding> {
        let (keys, archive) = ([log_signer().vkey()], self.archive());
        let archive = (with_archive && self.archived).then_some(archive.as_path());
        verify_dir_against(&self.dir(), &Checks { archive, ..Checks::of(&keys) }).unwrap().finding
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|item| item.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Changes each byte of each file under a folder; `judge` says which file it finds bad.
fn every_byte(dir: &Path, judge: impl Fn() -> Option<PathBuf>) -> usize {
    every_byte_but("none", dir, judge)
}

/// [`every_byte`], of one long file each hash once and not each byte of it.
fn every_byte_but(long: &str, dir: &Path, judge: impl Fn() -> Option<PathBuf>) -> usize {
    assert_eq!(judge(), None);
    let mut changed = 0;
    for path in files(dir) {
        let good = fs::read(&path).unwrap();
        let step = if path.ends_with(long) { 31 } else { 1 };
        for at in (0..good.len()).step_by(step) {
            let mut bad = good.clone();
            // A different bit at each place, so that all eight have their turn.
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            assert_eq!(judge().as_ref(), Some(&path), "byte {at} of {}", good.len());
            changed += 1;
        }
        fs::write(&path, &good).unwrap();
    }
    assert_eq!(judge(), None);
    changed
}

#[test]
fn every_byte_of_a_log_counts() {
    let log = Small::new(30, false);
    let changed = every_byte(&log.dir(), || log.check(false).map(|finding| finding.file));
    assert!(changed > 30 * 43, "{changed}");
    for name in ["meta", "checkpoint", "entries.dat", "entries.idx", "level0", "wal"] {
        assert!(log.dir().join(name).exists(), "{name} was not among the files");
    }
}

#[test]
fn every_byte_of_an_archived_log_counts() {
    let log = Small::new(290, true);
    assert!(
        log.dir().join("archived").exists() && fs::metadata(log.dir().join("level1")).unwrap().len() == 32
    );
    every_byte_but("level0", &log.dir(), || log.check(false).map(|finding| finding.file));
}

#[test]
fn every_byte_of_an_archive_counts_when_it_is_given() {
    let log = Small::new(290, true);
    assert!(every_byte(&log.archive(), || log.check(true).map(|finding| finding.file)) > 500);
    every_byte(&log.dir().join("wal"), || log.check(true).map(|finding| finding.file));
    // The hashes above are named rightly, too, when the entries speak for `level0`.
    for (name, at) in [("level0", 3), ("level1", 5), ("archived", 20)] {
        let path = log.dir().join(name);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).unwrap();
        assert_eq!(log.check(true).unwrap().file, path);
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn every_byte_of_an_exported_tree_counts() {
    let log = Small::new(30, false);
    let tree = log.folder.path().join("tree");
    export_tiles(&log.open().unwrap(), &tree).unwrap();
    let check = || verify_dir(&tree, &log_signer().vkey()).unwrap().finding.map(|finding| finding.file);
    assert!(every_byte(&tree, check) > 30 * 32);
}

#[test]
fn every_byte_of_the_guard_counts_at_opening() {
    let log = Small::new(3, false);
    let guard = log.folder.path().join("guard");
    let good = fs::read(&guard).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&guard, bad).unwrap();
        match log.open() {
            Err(LedgerError::Corrupt { file, .. }) => assert_eq!(file, guard, "byte {at}"),
            other => panic!("byte {at}: {other:?}"),
        }
    }
    fs::write(&guard, good).unwrap();
    drop(log.open().unwrap());
}
