//! Chunks that are written straight to their place: out of order, killed in the middle, cut otherwise, damaged.

use std::fs;
use std::path::Path;

use dataplane::limits::CHUNK_BYTES_MAX;
use dataplane::merkle::Sha256;
use dataplane::{Accepted, ChunkDigest, DataError, Inbox, Landing};

/// Length of a full chunk here: a landing takes any that the limits allow.
const SIZE: usize = 1_000;

fn rows(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

fn manifest(rows: &[u8]) -> Vec<ChunkDigest> {
    rows.chunks(SIZE).map(|c| ChunkDigest { len: c.len() as u64, sha256: Sha256::of(c) }).collect()
}

fn put(landing: &mut Landing, rows: &[u8], number: u64) -> Accepted {
    let bytes = rows.chunks(SIZE).nth(number as usize).unwrap();
    landing.accept(number, Sha256::of(bytes), bytes).unwrap()
}

fn open(dir: &Path) -> Landing {
    Landing::open(&dir.join("inbox")).unwrap()
}

#[test]
fn chunks_in_any_order_become_the_file() {
    for length in [1, SIZE - 1, SIZE, SIZE + 1, 7 * SIZE + 17] {
        let dir = tempfile::tempdir().unwrap();
        let (rows, target) = (rows(length), dir.path().join("rows"));
        let wanted = manifest(&rows);
        let mut landing = open(dir.path());
        put(&mut landing, &rows, 0);
        for number in (1..wanted.len() as u64).rev() {
            assert_eq!(put(&mut landing, &rows, number), Accepted::New);
            assert_eq!(put(&mut landing, &rows, number), Accepted::Held);
        }
        assert_eq!(landing.finish(&wanted, &Sha256::of(&rows), &target).unwrap(), length as u64);
        assert!(fs::read(&target).unwrap() == rows, "{length} bytes");
    }
}

#[test]
fn no_rows_at_all_become_an_empty_file() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("rows");
    assert_eq!(open(dir.path()).finish(&[], &Sha256::of(b""), &target).unwrap(), 0);
    assert_eq!(fs::read(&target).unwrap(), b"");
}

#[test]
fn a_killed_consumer_holds_what_it_held() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(5 * SIZE + 3);
    let wanted = manifest(&rows);
    let mut landing = open(dir.path());
    for number in [0, 1, 3] {
        put(&mut landing, &rows, number);
    }
    // Nothing is closed, synced or said: as `kill -9` leaves it, with the last line of the record torn.
    drop(landing);
    let record = dir.path().join("inbox/rows.held");
    let torn = fs::read_to_string(&record).unwrap() + "4 1000 10";
    fs::write(&record, torn).unwrap();
    let mut landing = open(dir.path());
    assert_eq!(landing.missing(&wanted), [2, 4, 5]);
    for number in [5, 2, 4] {
        assert_eq!(put(&mut landing, &rows, number), Accepted::New);
    }
    drop(landing);
    let landing = open(dir.path());
    assert!(landing.missing(&wanted).is_empty(), "a line was joined to the torn one");
    let target = dir.path().join("rows");
    landing.finish(&wanted, &Sha256::of(&rows), &target).unwrap();
    assert!(fs::read(&target).unwrap() == rows);
}

#[test]
fn what_changed_on_disk_is_not_held_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(4 * SIZE);
    let wanted = manifest(&rows);
    let mut landing = open(dir.path());
    for number in 0..4 {
        put(&mut landing, &rows, number);
    }
    drop(landing);
    let part = dir.path().join("inbox/rows.part");
    let mut bytes = fs::read(&part).unwrap();
    bytes[SIZE + 10] ^= 1;
    // And the end is lost, as after a power cut.
    fs::write(&part, &bytes[..3 * SIZE + 5]).unwrap();
    let mut landing = open(dir.path());
    assert_eq!(landing.missing(&wanted), [1, 3]);
    put(&mut landing, &rows, 1);
    put(&mut landing, &rows, 3);
    let target = dir.path().join("rows");
    landing.finish(&wanted, &Sha256::of(&rows), &target).unwrap();
    assert!(fs::read(&target).unwrap() == rows);
}

#[test]
fn lines_of_a_record_that_no_landing_wrote_are_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(2 * SIZE);
    let mut landing = open(dir.path());
    put(&mut landing, &rows, 0);
    drop(landing);
    let record = dir.path().join("inbox/rows.held");
    let good = fs::read_to_string(&record).unwrap();
    let digest = Sha256::of(b"x");
    for bad in [
        format!("1 1000 0 {digest}\n"),
        format!("1 1000 1001 {digest}\n"),
        format!("1 0 0 {digest}\n"),
        format!("1 {} 1 {digest}\n", CHUNK_BYTES_MAX + 1),
        format!("{} 1000 1000 {digest}\n", u64::MAX),
        format!("1 1000 1000 {digest} more\n"),
        "1 1000 1000 none\n".to_owned(),
        "\u{1f4be}\n".to_owned(),
    ] {
        fs::write(&record, format!("{bad}{good}{bad}")).unwrap();
        assert_eq!(open(dir.path()).missing(&manifest(&rows)), [1], "{bad}");
    }
    // Of two cuttings neither is believed.
    fs::write(&record, format!("{good}1 999 999 {digest}\n")).unwrap();
    assert_eq!(open(dir.path()).missing(&manifest(&rows)), [0, 1]);
}

#[test]
fn rows_that_are_cut_otherwise_are_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(3 * SIZE);
    let mut landing = open(dir.path());
    assert!(
        matches!(landing.accept(1, Sha256::of(b"x"), b"x"), Err(DataError::NoChunk(1))),
        "its place is not known"
    );
    put(&mut landing, &rows, 0);
    let longer = vec![1; SIZE + 1];
    assert_eq!(landing.accept(1, Sha256::of(&longer), &longer).unwrap(), Accepted::Anew);
    assert!(!landing.holds(0) && !landing.is_begun());
    put(&mut landing, &rows, 0);
    // The manifest knows another size.
    landing.fit(SIZE as u64 / 2, 6).unwrap();
    assert!(!landing.holds(0));
    let wanted: Vec<ChunkDigest> =
        rows.chunks(SIZE / 2).map(|c| ChunkDigest { len: c.len() as u64, sha256: Sha256::of(c) }).collect();
    for (number, bytes) in (0..).zip(rows.chunks(SIZE / 2)) {
        landing.accept(number, Sha256::of(bytes), bytes).unwrap();
    }
    let target = dir.path().join("rows");
    landing.finish(&wanted, &Sha256::of(&rows), &target).unwrap();
    assert!(fs::read(&target).unwrap() == rows);
}

#[test]
fn another_chunk_in_a_place_that_was_hashed_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (rows(3 * SIZE), rows(6 * SIZE)[3 * SIZE..].to_vec());
    let mut landing = open(dir.path());
    for number in 0..3 {
        put(&mut landing, &old, number);
    }
    let wanted = manifest(&new);
    for number in landing.missing(&wanted) {
        put(&mut landing, &new, number);
    }
    let target = dir.path().join("rows");
    landing.finish(&wanted, &Sha256::of(&new), &target).unwrap();
    assert!(fs::read(&target).unwrap() == new);
}

#[test]
fn a_shorter_manifest_leaves_no_tail() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(3 * SIZE);
    let mut landing = open(dir.path());
    for number in 0..3 {
        put(&mut landing, &rows, number);
    }
    let wanted = manifest(&rows[..2 * SIZE]);
    let target = dir.path().join("rows");
    landing.finish(&wanted, &Sha256::of(&rows[..2 * SIZE]), &target).unwrap();
    assert!(fs::read(&target).unwrap() == rows[..2 * SIZE]);
}

#[test]
fn nothing_gets_its_name_that_is_not_whole_and_right() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(2 * SIZE);
    let (wanted, target) = (manifest(&rows), dir.path().join("rows"));
    let mut landing = open(dir.path());
    put(&mut landing, &rows, 0);
    let early = landing.finish(&wanted, &Sha256::of(&rows), &target);
    assert!(matches!(early, Err(DataError::Incomplete(1))));
    let mut landing = open(dir.path());
    put(&mut landing, &rows, 1);
    let lie = landing.finish(&wanted, &Sha256::of(b"other"), &target);
    assert!(matches!(lie, Err(DataError::WholeMismatch(_))));
    assert!(!target.exists());
}

#[test]
fn limits_hold_for_chunks_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut landing = open(dir.path());
    let huge = vec![0; CHUNK_BYTES_MAX as usize + 1];
    assert!(matches!(landing.accept(0, Sha256::of(&huge), &huge), Err(DataError::NoChunk(0))));
    assert!(matches!(landing.accept(0, Sha256::of(b""), b""), Err(DataError::NoChunk(0))));
    put(&mut landing, &rows(1), 0);
    assert!(matches!(landing.accept(u64::MAX, Sha256::of(b"x"), b"x"), Err(DataError::NoChunk(_))));
}

#[test]
fn rows_that_turn_out_to_be_sealed_move_into_an_inbox() {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows(2 * SIZE + 1);
    let mut landing = open(dir.path());
    put(&mut landing, &rows, 0);
    put(&mut landing, &rows, 2);
    let inbox: Inbox = landing.into_inbox().unwrap();
    assert_eq!(inbox.missing(&manifest(&rows)), [1]);
    let mut names: Vec<String> = fs::read_dir(dir.path().join("inbox"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["0.chunk", "2.chunk"]);
}

#[test]
fn a_sync_is_due_after_so_many_bytes_and_not_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut landing = open(dir.path());
    let chunk = vec![0; CHUNK_BYTES_MAX as usize];
    let mut due = 0;
    for number in 0..17 {
        landing.accept(number, Sha256::of(&chunk), &chunk).unwrap();
        if let Some(work) = landing.due().unwrap() {
            due += 1;
            work.sync().unwrap();
        }
    }
    assert_eq!(due, 2, "17 chunks of 8 MiB");
}
