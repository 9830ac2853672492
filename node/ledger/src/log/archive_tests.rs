use std::fs;
use std::path::Path;

use super::tests::{Place, damaged, entry, naive};
use super::*;
use crate::merkle::verify_inclusion;
use crate::testing::log_signer;
use crate::verify::{Checks, Report, verify_dir_against};

const SIZE: u64 = 1100;
/// What can go of such a log: the last segment holds less than a bundle.
const BELOW: u64 = 1024;

fn options(place: &Place) -> LogOptions {
    LogOptions { segment_bytes: 3000, ..place.options() }
}

/// A log of 1100 entries in many segments, of which the last is short.
pub(super) fn filled(place: &Place) -> Log {
    let log = place.open_with(options(place)).unwrap();
    for k in 0..SIZE {
        log.append_blocking(entry(k)).unwrap();
    }
    log.close();
    drop(log);
    // Opening deletes the older segments.
    drop(place.open_with(options(place)).unwrap());
    place.open_with(options(place)).unwrap()
}

fn check(place: &Place, archive: Option<&Path>) -> Report {
    let keys = [log_signer().vkey()];
    verify_dir_against(&place.dir(), &Checks { archive, ..Checks::of(&keys) }).unwrap()
}

fn is_whole(log: &Log) {
    for k in [0, 1, 255, 256, BELOW - 1, BELOW, SIZE - 1] {
        assert_eq!(log.entry(k).unwrap(), entry(k), "{k}");
    }
}

#[test]
fn archived_entries_are_elsewhere_and_everything_else_is_here() {
    let (place, target) = (Place::new(), tempfile::tempdir().unwrap());
    let log = filled(&place);
    let tiles: Vec<_> = (0..4).map(|n| log.bundle(n, 256).unwrap()).collect();
    // Rounded down to whole bundles.
    assert_eq!(log.archive_before(255, target.path()).unwrap(), None);
    assert_eq!(log.archive_before(511, target.path()).unwrap(), Some(Archived { below: 256, freed: true }));
    let all = log.archive_before(u64::MAX, target.path()).unwrap().unwrap();
    assert_eq!((all.below, log.archived()), (BELOW, Some(all)));
    for (n, bytes) in tiles.iter().enumerate() {
        assert_eq!(fs::read(target.path().join(format!("tile/entries/{n:03}"))).unwrap(), *bytes);
    }
    let archived = |error: LedgerError, at: u64| {
        let LedgerError::Archived { index, below, bundle } = error else { panic!("{error}") };
        assert_eq!((index, below, bundle), (at, BELOW, format!("tile/entries/{:03}", at / 256)));
    };
    archived(log.entry(0).unwrap_err(), 0);
    archived(log.entries(1023..1025).unwrap_err(), 1023);
    archived(log.bundle(3, 256).unwrap_err(), 768);
    assert_eq!(log.entry(BELOW).unwrap(), entry(BELOW));
    let path = log.inclusion(7, SIZE).unwrap();
    verify_inclusion(&leaf_hash(&entry(7)), 7, SIZE, &path, &naive(SIZE).root()).unwrap();
    assert_eq!(log.append_blocking(b"next".to_vec()).unwrap().index, SIZE);
    drop(log);
    let log = place.open_with(options(&place)).unwrap();
    assert_eq!((log.size(), log.archived()), (SIZE + 1, Some(all)));
    assert_eq!(log.fetch_back(target.path()).unwrap(), BELOW);
    is_whole(&log);
    assert_eq!((log.archived(), log.fetch_back(target.path()).unwrap()), (None, 0));
    drop(log);
    is_whole(&place.open_with(options(&place)).unwrap());
    assert_eq!((check(&place, None).archived, check(&place, None).finding), (0, None));
}

#[test]
fn space_is_given_back() {
    use std::os::unix::fs::MetadataExt as _;
    let (place, target) = (Place::new(), tempfile::tempdir().unwrap());
    let log = filled(&place);
    let blocks = || fs::metadata(place.file("entries.dat")).unwrap().blocks();
    let before = blocks();
    let all = log.archive_before(u64::MAX, target.path()).unwrap().unwrap();
    assert_eq!(all.freed, blocks() < before, "{before} blocks, then {}", blocks());
}

#[test]
fn what_the_write_ahead_log_may_replay_is_never_archived() {
    let (place, target) = (Place::new(), tempfile::tempdir().unwrap());
    let log = place.open().unwrap();
    for k in 0..600 {
        log.append_blocking(entry(k)).unwrap();
    }
    assert_eq!(log.archive_before(u64::MAX, target.path()).unwrap(), None);
    drop(log);
    assert_eq!(place.open().unwrap().recovery().replayed_entries, 600);
}

#[test]
fn the_check_knows_the_archived_range() {
    let (place, target) = (Place::new(), tempfile::tempdir().unwrap());
    let log = filled(&place);
    log.archive_before(600, target.path()).unwrap();
    drop(log);
    let report = check(&place, None);
    assert_eq!((report.entries, report.archived, report.finding), (SIZE, 512, None));
    let report = check(&place, Some(target.path()));
    assert_eq!((report.entries, report.archived, report.finding), (SIZE, 0, None));
}

#[test]
fn a_damaged_or_foreign_archive_is_refused_by_name_and_index() {
    let (place, target) = (Place::new(), tempfile::tempdir().unwrap());
    let log = filled(&place);
    log.archive_before(u64::MAX, target.path()).unwrap();
    let marker = fs::read(place.file("archived")).unwrap();
    let bundle = target.path().join("tile/entries/001");
    let good = fs::read(&bundle).unwrap();
    let third: usize = (256..258).map(|k| 2 + entry(k).len()).sum();
    let mut bad = good.clone();
    bad[third + 5] ^= 1;
    for (bytes, index) in [(Some(&bad), 258), (Some(&good[..good.len() - 1].to_vec()), 256), (None, 256)] {
        match bytes {
            Some(bytes) => fs::write(&bundle, bytes).unwrap(),
            None => fs::remove_file(&bundle).unwrap(),
        }
        let Err(LedgerError::Corrupt { file, place: at, .. }) = log.fetch_back(target.path()) else {
            panic!()
        };
        assert_eq!((file, at), (bundle.clone(), format!("entry {index}")));
        // Nothing was begun.
        assert_eq!(fs::read(place.file("archived")).unwrap(), marker);
    }
    drop(log);
    fs::write(&bundle, &bad).unwrap();
    let finding = check(&place, Some(target.path())).finding.unwrap();
    assert_eq!((finding.file, finding.index), (bundle.clone(), Some(258)));
    fs::remove_file(&bundle).unwrap();
    assert_eq!(check(&place, Some(target.path())).finding.unwrap().file, bundle);
    assert_eq!(check(&place, None).finding, None);
}

#[test]
fn a_target_with_another_log_in_it_is_refused_and_left_alone() {
    let (place, target) = (Place::new(), tempfile::tempdir().unwrap());
    let log = filled(&place);
    let bundle = target.path().join("tile/entries/000");
    fs::create_dir_all(bundle.parent().unwrap()).unwrap();
    fs::write(&bundle, b"somebody else's").unwrap();
    let refused = log.archive_before(u64::MAX, target.path());
    assert!(matches!(refused, Err(LedgerError::Corrupt { file, .. }) if file == bundle));
    assert_eq!(fs::read(&bundle).unwrap(), b"somebody else's");
    for inside in [place.dir(), place.file("old")] {
        let refused = log.archive_before(u64::MAX, &inside);
        assert!(matches!(refused, Err(LedgerError::BadOption { name: "target", .. })));
    }
    assert_eq!(log.archived(), None);
    is_whole(&log);
}

#[test]
fn a_wrong_marker_is_refused_at_opening() {
    let (place, target) = (Place::new(), tempfile::tempdir().unwrap());
    let log = filled(&place);
    log.archive_before(512, target.path()).unwrap();
    drop(log);
    let good = Marker::read(&place.dir()).unwrap().unwrap();
    for bad in [Marker { below: 256, ..good.clone() }, Marker { below: 2048, ..good.clone() }] {
        bad.write(&place.dir()).unwrap();
        assert_eq!(damaged(place.open_with(options(&place))).0, "archived");
        assert!(check(&place, None).finding.is_some());
    }
    // A hole that is still to be made must not follow a damaged offset.
    Marker { state: State::Moving, ..good }.write(&place.dir()).unwrap();
    let index = fs::read(place.file("entries.idx")).unwrap();
    let mut bad = index.clone();
    bad[512 * 8 + 6] ^= 1;
    fs::write(place.file("entries.idx"), bad).unwrap();
    assert_eq!(damaged(place.open_with(options(&place))).0, "entries.idx");
    fs::write(place.file("entries.idx"), index).unwrap();
    // Without it the hole is no silent loss.
    fs::remove_file(place.file("archived")).unwrap();
    let log = place.open_with(options(&place)).unwrap();
    assert!(matches!(log.entry(0), Err(LedgerError::Corrupt { .. })));
    drop(log);
    assert_eq!(check(&place, None).finding.unwrap().file, place.file("entries.dat"));
}

#[test]
fn a_kill_between_any_two_steps_loses_nothing_and_a_repeat_finishes() {
    let (place, target) = (Place::new(), tempfile::tempdir().unwrap());
    drop(filled(&place));
    let whole = place.copy();
    // The marker is there and the hole is not, or only in part; as when fetching back was interrupted.
    let log = place.open_with(options(&place)).unwrap();
    log.archive_before(512, target.path()).unwrap();
    drop(log);
    let marker = Marker { state: State::Moving, ..Marker::read(&place.dir()).unwrap().unwrap() };
    let data = fs::read(whole.file("entries.dat")).unwrap();
    for zeros in [0, 100, 5000] {
        let place = whole.copy();
        marker.write(&place.dir()).unwrap();
        let mut partly = data.clone();
        partly[..zeros].fill(0);
        fs::write(place.file("entries.dat"), partly).unwrap();
        assert_eq!(check(&place, None).finding, None);
        let log = place.open_with(options(&place)).unwrap();
        assert_eq!(log.archived(), Some(Archived { below: 512, freed: true }));
        drop(log);
        assert_eq!(check(&place, None).finding, None);
        let log = place.open_with(options(&place)).unwrap();
        assert_eq!(log.fetch_back(target.path()).unwrap(), 512);
        is_whole(&log);
    }
    // Bundles are there, and one half written, but no marker.
    let log = whole.open_with(options(&whole)).unwrap();
    fs::remove_file(target.path().join("tile/entries/001")).unwrap();
    fs::write(target.path().join("tile/entries/001.tmp"), b"half").unwrap();
    assert_eq!(log.archive_before(u64::MAX, target.path()).unwrap().unwrap().below, BELOW);
    assert_eq!(log.fetch_back(target.path()).unwrap(), BELOW);
    is_whole(&log);
}
