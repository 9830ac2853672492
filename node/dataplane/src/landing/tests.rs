//! A disk that fails to make durable what it was given. Each test has its thread, and the failure is of that thread.

use std::cell::Cell;

use super::*;

/// Length of a full chunk: eight of them make a sync due.
const SIZE: usize = 8 << 20;

thread_local! {
    static FAILS: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn disk_fails() -> bool {
    FAILS.get()
}

fn chunk(number: u64) -> Vec<u8> {
    vec![number as u8; if number == 10 { 77 } else { SIZE }]
}

fn put(landing: &mut Landing, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let bytes = chunk(number);
        assert_eq!(landing.accept(number, Sha256::of(&bytes), &bytes).unwrap(), Accepted::New);
    }
}

fn manifest() -> (Vec<ChunkDigest>, Sha256) {
    let all: Vec<Vec<u8>> = (0..11).map(chunk).collect();
    let chunks = all.iter().map(|c| ChunkDigest { len: c.len() as u64, sha256: Sha256::of(c) }).collect();
    (chunks, Sha256::of(&all.concat()))
}

#[test]
fn what_a_failed_sync_was_about_is_fetched_again_and_what_was_synced_before_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (inbox, target) = (dir.path().join("inbox"), dir.path().join("rows"));
    let (wanted, whole) = manifest();
    let mut landing = Landing::open(&inbox).unwrap();
    put(&mut landing, 0..8);
    let due = landing.due().unwrap().expect("eight chunks are due");
    // Came while the sync was under way: it does not go with it.
    put(&mut landing, 8..9);
    landing.synced(due.sync().unwrap());
    put(&mut landing, 9..10);
    landing.forget().unwrap();
    assert_eq!(landing.missing(&wanted), [8, 9, 10]);
    drop(landing);
    let mut landing = Landing::open(&inbox).unwrap();
    assert_eq!(landing.missing(&wanted), [8, 9, 10], "it is forgotten for good");
    put(&mut landing, 8..11);
    landing.finish(&wanted, &whole, &target).unwrap();
    assert_eq!(Sha256::of(&fs::read(&target).unwrap()), whole);
}

#[test]
fn a_sync_that_fails_beside_the_chunks_that_come_is_told_and_the_next_one_does_not_hide_it() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = dir.path().join("inbox");
    let (wanted, _) = manifest();
    let mut landing = Landing::open(&inbox).unwrap();
    put(&mut landing, 0..8);
    let due = landing.due().unwrap().unwrap();
    FAILS.set(true);
    assert!(matches!(due.sync(), Err(DataError::Io { .. })));
    FAILS.set(false);
    landing.forget().unwrap();
    assert_eq!(landing.missing(&wanted).len(), wanted.len());
    assert_eq!(Landing::open(&inbox).unwrap().missing(&wanted).len(), wanted.len());
}

#[test]
fn a_file_that_cannot_be_made_durable_gets_no_name_and_its_chunks_are_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let (inbox, target) = (dir.path().join("inbox"), dir.path().join("rows"));
    let (wanted, whole) = manifest();
    let mut landing = Landing::open(&inbox).unwrap();
    put(&mut landing, 0..8);
    let due = landing.due().unwrap().unwrap();
    landing.synced(due.sync().unwrap());
    put(&mut landing, 8..11);
    FAILS.set(true);
    assert!(matches!(landing.finish(&wanted, &whole, &target), Err(DataError::Io { .. })));
    assert!(Landing::open(&inbox).is_err(), "nothing is believed of a disk that fails");
    FAILS.set(false);
    assert!(!target.exists());
    let mut landing = Landing::open(&inbox).unwrap();
    assert_eq!(landing.missing(&wanted), [8, 9, 10]);
    put(&mut landing, 8..11);
    landing.finish(&wanted, &whole, &target).unwrap();
    assert_eq!(Sha256::of(&fs::read(&target).unwrap()), whole);
}
