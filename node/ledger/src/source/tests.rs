use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::checkpoint::SignedCheckpoint;
use crate::log::{Log, LogOptions, export_tiles};
use crate::testing::log_signer as signer;

fn log(dir: &Path, entries: u64) -> Log {
    let options = LogOptions::new(dir.join("guard"));
    let log = Log::open(&dir.join("log"), signer(), Arc::new(|| 2_000_000), options).unwrap();
    let all: Vec<Vec<u8>> = (0..entries).map(|n| format!("entry {n}").into_bytes()).collect();
    for entry in all {
        log.append_blocking(entry).unwrap();
    }
    log
}

/// The same, with its last checkpoint published.
fn closed(dir: &Path, entries: u64) -> Log {
    let log = log(dir, entries);
    log.close();
    log
}

fn all<S: Source>(reader: &Reader<S>) -> Result<Vec<Entry>> {
    reader.entries(0..reader.size()).collect()
}

#[test]
fn a_tree_and_a_folder_give_every_entry_at_each_shape() {
    let dir = tempfile::tempdir().unwrap();
    for size in [1, 256, 300] {
        let dir = dir.path().join(size.to_string());
        let log = closed(&dir, size);
        let tree = dir.join("tree");
        let signed = export_tiles(&log, &tree).unwrap();
        let keys = [signer().vkey()];
        let mirror = Reader::open(Tree::new(&tree), &keys).unwrap();
        assert_eq!(mirror.size(), signed);
        let folder = Reader::open(Folder::open(&dir.join("log"), None).unwrap(), &keys).unwrap();
        let entries = all(&folder).unwrap();
        assert_eq!(entries[..], all(&mirror).unwrap()[..]);
        assert_eq!(entries.len() as u64, size);
        assert_eq!(entries.last().unwrap().bytes, format!("entry {}", size - 1).into_bytes());
        for old in [0, 1, size / 2, size] {
            assert_eq!(mirror.root_at(old).unwrap(), log.root(old).unwrap());
        }
        assert!(mirror.root_at(size + 1).is_err());
        assert_eq!(mirror.inclusion(size / 2).unwrap(), log.inclusion(size / 2, size).unwrap());
    }
}

#[test]
fn each_flipped_byte_of_a_small_tree_is_found_with_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let log = closed(dir.path(), 300);
    let tree = dir.path().join("tree");
    export_tiles(&log, &tree).unwrap();
    let keys = [signer().vkey()];
    for file in
        ["tile/entries/000", "tile/entries/001.p/44", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"]
    {
        let path = tree.join(file);
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(97).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            let read = Reader::open(Tree::new(&tree), &keys).and_then(|reader| all(&reader));
            let Err(LedgerError::NotAsSigned { place, index, .. }) = read else { panic!("{file} at {at}") };
            if file.starts_with("tile/entries") {
                assert!(place.ends_with(file) && index.is_some(), "{place} {index:?}");
            }
        }
        fs::write(&path, &good).unwrap();
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(Reader::open(Tree::new(&tree), &keys).and_then(|r| all(&r)).is_err(), "{file} cut");
        fs::remove_file(&path).unwrap();
        assert!(Reader::open(Tree::new(&tree), &keys).and_then(|r| all(&r)).is_err(), "{file} gone");
        fs::write(&path, &good).unwrap();
    }
    assert!(all(&Reader::open(Tree::new(&tree), &keys).unwrap()).is_ok());
}

#[test]
fn an_entry_that_is_wrong_is_named_by_its_index() {
    let dir = tempfile::tempdir().unwrap();
    let log = closed(dir.path(), 300);
    let tree = dir.path().join("tree");
    export_tiles(&log, &tree).unwrap();
    let path = tree.join("tile/entries/001.p/44");
    let mut bytes = fs::read(&path).unwrap();
    bytes[2] ^= 1;
    fs::write(&path, bytes).unwrap();
    let reader = Reader::open(Tree::new(&tree), &[signer().vkey()]).unwrap();
    let mut entries = reader.entries(0..300);
    assert_eq!(entries.by_ref().take_while(Result::is_ok).count(), 256);
    assert!(entries.next().is_none(), "after an error there is nothing more");
    let Err(LedgerError::NotAsSigned { index, .. }) = all(&reader) else { panic!("it reads") };
    assert_eq!(index, Some(256));
}

#[test]
fn a_tile_that_grew_is_read_in_its_full_form() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 200);
    let (early, late) = (dir.path().join("early"), dir.path().join("late"));
    while export_tiles(&log, &early).unwrap() < 200 {
        fs::remove_dir_all(&early).unwrap();
    }
    for n in 200..300 {
        log.append_blocking(format!("entry {n}")).unwrap();
    }
    let signed = Tree::new(&early).checkpoint().unwrap();
    while export_tiles(&log, &late).unwrap() < 300 {
        fs::remove_dir_all(&late).unwrap();
    }
    let signed = SignedCheckpoint::open(&signed, &[signer().vkey()]).unwrap();
    let reader = Reader::at(Tree::new(&late), signed).unwrap();
    assert_eq!(all(&reader).unwrap().len(), 200);
}

#[test]
fn another_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = closed(dir.path(), 3);
    let tree = dir.path().join("tree");
    export_tiles(&log, &tree).unwrap();
    assert!(matches!(Reader::open(Tree::new(&tree), &[]), Err(LedgerError::NotAsSigned { .. })));
}

#[test]
fn archived_entries_are_read_from_the_archive_or_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let options = LogOptions { segment_bytes: 1000, ..LogOptions::new(dir.path().join("guard")) };
        Log::open(&dir.path().join("log"), signer(), Arc::new(|| 2_000_000), options).unwrap()
    };
    let log = open();
    for n in 0..500 {
        log.append_blocking(format!("entry {n}")).unwrap();
    }
    log.close();
    drop(log);
    // Opening lets go of the older segments of the write-ahead log.
    drop(open());
    let log = open();
    let archive = dir.path().join("archive");
    let below = log.archive_before(256, &archive).unwrap().map_or(0, |archived| archived.below);
    assert_eq!(below, 256);
    let keys = [signer().vkey()];
    let folder = |archive| Folder::open(&dir.path().join("log"), archive).unwrap();
    let (with, without) = (folder(Some(archive.as_path())), folder(None));
    assert_eq!((with.first(), without.first()), (0, 256));
    assert_eq!(all(&Reader::open(with, &keys).unwrap()).unwrap().len(), 500);
    let left = Reader::open(without, &keys).unwrap();
    assert_eq!(left.entries(256..500).filter(Result::is_ok).count(), 244);
    assert!(left.entries(0..1).next().unwrap().is_err());
}
