//! The store held against its promises, on real folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

mod export;
mod model;

use crate::frame::record_key;
use crate::{Hint, OpenOptions, Space, Store, StoreError, Tx, limits, prefix_end};

fn options() -> OpenOptions {
    OpenOptions { free_open_min_bytes: 0, free_write_min_bytes: 0, ..OpenOptions::default() }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    (dir, path)
}

fn open(path: &Path) -> Store {
    Store::open(path, options()).unwrap()
}

fn value_of(store: &Store, key: &str) -> Option<Vec<u8>> {
    store.get(Space::Meta, key).unwrap().map(|v| v.value.to_vec())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Writes raw bytes under a record's key on the disk, as a failing disk would.
fn plant(store: &Store, space: Space, key: &[u8], frame: Option<Vec<u8>>) {
    store.shared().with_engine(|engine| engine.apply(vec![(record_key(space, key), frame)])).unwrap();
}

fn raw(store: &Store, disk_key: &[u8]) -> Vec<u8> {
    store.shared().with_engine(|engine| Ok(engine.get(disk_key)?.unwrap().to_vec())).unwrap()
}

#[test]
fn opening_waits_for_what_still_holds_the_engines_log() {
    let (_dir, path) = folder();
    let store = open(&path);
    store.commit_blocking(Tx::new().put(Space::Meta, "a", "1")).unwrap();
    drop(store);
    // As a worker of the engine does that outlives the handle for a moment.
    let log = fs::File::open(path.join("engine/db")).unwrap();
    log.lock().unwrap();
    let worker = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        drop(log);
    });
    assert_eq!(value_of(&open(&path), "a"), Some(b"1".to_vec()));
    worker.join().unwrap();
}

#[test]
fn what_was_committed_is_there_after_closing_and_opening() {
    let (_dir, path) = folder();
    let store = open(&path);
    let first =
        store.commit_blocking(Tx::new().put(Space::Meta, "a", "1").put(Space::Peer, "a", "2")).unwrap();
    let second = store.commit_blocking(Tx::new().delete(Space::Meta, "a")).unwrap();
    assert!(second > first);
    store.close();
    assert!(matches!(store.get(Space::Peer, "a"), Err(StoreError::Closed)));
    assert!(matches!(store.commit_blocking(Tx::new()), Err(StoreError::Closed)));
    let store = open(&path);
    assert_eq!(value_of(&store, "a"), None);
    assert_eq!(store.get(Space::Peer, "a").unwrap().unwrap().revision, first);
    let third = store.commit_blocking(Tx::new().put(Space::Meta, "a", "3")).unwrap();
    assert!(third > second, "revisions go on after opening again");
}

#[test]
fn a_failed_check_writes_nothing_and_says_what_it_found() {
    let (_dir, path) = folder();
    let store = open(&path);
    let revision =
        store.commit_blocking(Tx::new().absent(Space::Meta, "a").put(Space::Meta, "a", "1")).unwrap();
    let tx = Tx::new().absent(Space::Meta, "b").absent(Space::Meta, "a").put(Space::Meta, "b", "1");
    match store.commit_blocking(tx) {
        Err(StoreError::Conflict { check: 1, space: Space::Meta, key, found }) => {
            assert_eq!((key.as_slice(), found), (&b"a"[..], Some(revision)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(value_of(&store, "b"), None);
    let gone = store.commit_blocking(Tx::new().at(Space::Meta, "c", revision).put(Space::Meta, "c", "1"));
    assert!(matches!(gone, Err(StoreError::Conflict { check: 0, found: None, .. })));
    let newer =
        store.commit_blocking(Tx::new().at(Space::Meta, "a", revision).put(Space::Meta, "a", "2")).unwrap();
    let stale = store.commit_blocking(Tx::new().at(Space::Meta, "a", revision).put(Space::Meta, "a", "3"));
    assert!(matches!(stale, Err(StoreError::Conflict { found: Some(found), .. }) if found == newer));
    assert_eq!(value_of(&store, "a").unwrap(), b"2");
}

#[test]
fn concurrent_increments_lose_none() {
    let (_dir, path) = folder();
    let store = Arc::new(open(&path));
    let (tasks, rounds) = (16, 50);
    let conflicts = runtime().block_on(async {
        let handles: Vec<_> = (0..tasks)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let mut conflicts = 0;
                    for _ in 0..rounds {
                        while !increment(&store).await {
                            conflicts += 1;
                        }
                    }
                    conflicts
                })
            })
            .collect();
        let mut conflicts = 0;
        for handle in handles {
            conflicts += handle.await.unwrap();
        }
        conflicts
    });
    let (count, _) = store.get_json::<u64>(Space::Meta, "count").unwrap().unwrap();
    assert_eq!(count, tasks * rounds, "with {conflicts} conflicts");
}

async fn increment(store: &Store) -> bool {
    let tx = match store.get_json::<u64>(Space::Meta, "count").unwrap() {
        Some((count, revision)) => {
            Tx::new().at(Space::Meta, "count", revision).put_json(Space::Meta, "count", &(count + 1))
        }
        None => Tx::new().absent(Space::Meta, "count").put_json(Space::Meta, "count", &1),
    };
    match store.commit(tx.unwrap()).await {
        Ok(_) => true,
        Err(error) if error.is_conflict() => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn long_values_are_whole_at_every_edge_and_leave_nothing_behind() {
    let (_dir, path) = folder();
    let store = open(&path);
    let edges = [0, 1, 4095, 4096, 4097, 8192, 8193, limits::VALUE_BYTES_MAX - 1, limits::VALUE_BYTES_MAX];
    let value = |len: usize| (0..len).map(|i| (i / 7) as u8).collect::<Vec<u8>>();
    for len in edges {
        store.commit_blocking(Tx::new().put(Space::Meta, format!("{len}"), value(len))).unwrap();
    }
    store.close();
    let store = open(&path);
    for len in edges {
        assert!(value_of(&store, &format!("{len}")).unwrap() == value(len), "{len}");
    }
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.value_bytes, edges.iter().map(|l| *l as u64).sum::<u64>());
    // Long by short, long by long, deleted, and twice in one transaction.
    let tx = Tx::new()
        .put(Space::Meta, "4097", "short")
        .put(Space::Meta, "8192", value(5000))
        .delete(Space::Meta, "8193")
        .put(Space::Meta, "4096", value(9000))
        .put(Space::Meta, "4096", value(4096));
    store.commit_blocking(tx).unwrap();
    for len in edges.iter().filter(|l| **l > 100_000) {
        store.commit_blocking(Tx::new().delete(Space::Meta, format!("{len}"))).unwrap();
    }
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.value_bytes, 1 + 4095 + 4096 + 5 + 5000);
    assert!(matches!(
        store.commit_blocking(Tx::new().put(Space::Meta, "k", value(limits::VALUE_BYTES_MAX + 1))),
        Err(StoreError::BadTx { .. })
    ));
}

#[test]
fn nothing_is_ever_left_to_the_engines_unsynced_files() {
    let (_dir, path) = folder();
    let store = open(&path);
    let fattest_key = |i: usize| format!("{i:0width$}", width = limits::KEY_BYTES_MAX);
    for round in 0..4 {
        let tx = (0..200)
            .fold(Tx::new(), |tx, i| tx.put(Space::Meta, fattest_key(i), vec![round; limits::PART_BYTES]));
        store.commit_blocking(tx).unwrap();
    }
    let tx =
        (0..3).fold(Tx::new(), |tx, i| tx.put(Space::Peer, fattest_key(i), vec![7; limits::VALUE_BYTES_MAX]));
    store.commit_blocking(tx).unwrap();
    store.close();
    drop(open(&path));
    assert_eq!(fs::read_dir(path.join("engine/blobs")).unwrap().count(), 0);
}

#[test]
fn too_many_waiting_transactions_are_refused_and_the_others_served() {
    let (_dir, path) = folder();
    let store = open(&path);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let held = store.shared().hold_commits();
    let mut waiting = Vec::new();
    let refused = loop {
        let key = format!("{}", waiting.len());
        let mut commit = Box::pin(store.commit(Tx::new().put(Space::Meta, key, "1")));
        match commit.as_mut().poll(&mut context) {
            std::task::Poll::Pending => waiting.push(commit),
            std::task::Poll::Ready(answer) => break answer,
        }
    };
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    let taken = waiting.len() - limits::QUEUE_MAX;
    assert!(taken <= limits::GROUP_TX_MAX, "the committer took {taken} and the queue held the rest");
    drop(held);
    let served = waiting.len() as u64;
    runtime().block_on(async {
        for commit in waiting {
            commit.await.unwrap();
        }
    });
    assert_eq!(store.verify().unwrap().records[&Space::Meta], served);
}

#[test]
fn a_reader_never_sees_half_a_transaction() {
    let (_dir, path) = folder();
    let store = Arc::new(open(&path));
    let long = |n: u8| vec![n; 10_000];
    store.commit_blocking(Tx::new().put(Space::Meta, "a", long(0)).put(Space::Meta, "b", long(0))).unwrap();
    let writer = {
        let store = Arc::clone(&store);
        std::thread::spawn(move || {
            for n in 1..=100 {
                let tx = Tx::new().put(Space::Meta, "a", long(n)).put(Space::Meta, "b", long(n));
                store.commit_blocking(tx).unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let page = store.scan(Space::Meta, "", None, 10).unwrap();
        assert_eq!(page.records[0].value, page.records[1].value);
        assert_eq!(page.records[0].revision, page.records[1].revision);
    }
    writer.join().unwrap();
    assert_eq!(value_of(&store, "b").unwrap(), long(100));
}

#[test]
fn pages_follow_each_other_and_stay_in_their_space() {
    let (_dir, path) = folder();
    let store = open(&path);
    let tx = (0..25).fold(Tx::new(), |tx, i| tx.put(Space::Outbox, format!("due/{i:02}"), format!("{i}")));
    let tx = tx.put(Space::Outbox, "duf", "x").put(Space::Transfer, "due/99", "x").put(
        Space::Dedup,
        "due/00",
        "x",
    );
    store.commit_blocking(tx).unwrap();
    let end = prefix_end(b"due/").unwrap();
    let (mut from, mut seen, mut pages) = (Some(bytes::Bytes::from_static(b"due/")), Vec::new(), 0);
    while let Some(start) = from {
        let page = store.scan(Space::Outbox, &start, Some(&end), 10).unwrap();
        seen.extend(page.records.iter().map(|r| String::from_utf8(r.value.to_vec()).unwrap()));
        (from, pages) = (page.next, pages + 1);
    }
    assert_eq!(seen, (0..25).map(|i| i.to_string()).collect::<Vec<_>>());
    assert_eq!(pages, 3);
    assert_eq!(store.scan(Space::Outbox, "", None, 1000).unwrap().records.len(), 26);
    assert!(store.scan(Space::Outbox, "z", Some(b"a"), 10).unwrap().records.is_empty());
    assert_eq!(
        store.scan(Space::Outbox, "", None, 0).unwrap().records.len(),
        1,
        "a page is never empty for nothing"
    );
}

#[test]
fn a_page_ends_early_before_it_eats_the_memory() {
    let (_dir, path) = folder();
    let store = open(&path);
    for i in 0..10 {
        store.commit_blocking(Tx::new().put(Space::Meta, format!("{i}"), vec![i; 1 << 20])).unwrap();
    }
    let page = store.scan(Space::Meta, "", None, 1000).unwrap();
    assert_eq!((page.records.len(), page.next.as_deref()), (8, Some(&b"8"[..])));
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_closed() {
    let (_dir, path) = folder();
    let store = open(&path);
    assert!(matches!(Store::open(&path, options()), Err(StoreError::Locked { .. })));
    drop(store);
    open(&path);
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_dir, path) = folder();
    drop(open(&path));
    fs::write(path.join("schema"), "tram-store schema=2 state=ready\n").unwrap();
    let error = Store::open(&path, options()).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 2, known: 1, .. }), "{error}");
    fs::write(path.join("schema"), "tram-store schema=1 state=ready\n").unwrap();
    open(&path);
}

#[test]
fn leftovers_of_a_broken_opening_are_moved_away() {
    let (_dir, path) = folder();
    let store = open(&path);
    store.commit_blocking(Tx::new().put(Space::Meta, "a", "1")).unwrap();
    drop(store);
    let leftover = path.join("engine/snap.0000000000000ABC.generating");
    fs::write(&leftover, "half a snapshot").unwrap();
    assert!(
        std::panic::catch_unwind(|| sled::Config::new().path(path.join("engine")).open().is_err())
            .unwrap_or(true),
        "if the engine takes the leftover by itself, this module is no longer needed"
    );
    let store = open(&path);
    assert_eq!(value_of(&store, "a").unwrap(), b"1");
    assert!(!leftover.exists());
    assert!(path.join("quarantine/snap.0000000000000ABC.generating").exists());
}

#[test]
fn a_damaged_record_is_an_error_that_names_it() {
    let (_dir, path) = folder();
    let store = open(&path);
    store.commit_blocking(Tx::new().put(Space::Peer, "good", "1").put(Space::Peer, "hurt", "2")).unwrap();
    let mut frame = raw(&store, &record_key(Space::Peer, b"hurt"));
    frame[9] ^= 1;
    plant(&store, Space::Peer, b"hurt", Some(frame));
    let error = store.get(Space::Peer, "hurt").unwrap_err().to_string();
    assert!(error.contains("`hurt` in space `peer` is damaged") && error.contains("checksum"), "{error}");
    assert!(matches!(store.scan(Space::Peer, "", None, 10), Err(StoreError::BadRecord { .. })));
    assert!(matches!(store.export(Vec::new()), Err(StoreError::BadRecord { .. })));
    let over = store.commit_blocking(Tx::new().put(Space::Peer, "good", "3").put(Space::Peer, "hurt", "3"));
    assert!(matches!(over, Err(StoreError::BadRecord { .. })), "a damaged record is not silently replaced");
    assert_eq!(store.get(Space::Peer, "good").unwrap().unwrap().value, "1");
    let report = store.verify().unwrap();
    assert_eq!((report.bad_total, report.bad[0].key.as_slice()), (1, &b"hurt"[..]));
    assert!(!report.is_sound());
}

#[test]
fn a_lost_changed_or_left_over_part_is_noticed() {
    let (_dir, path) = folder();
    let store = open(&path);
    let revision = store.commit_blocking(Tx::new().put(Space::Meta, "long", vec![7; 9000])).unwrap();
    let part_key =
        |index: u32| [&[1][..], &revision.to_be_bytes(), &0u32.to_be_bytes(), &index.to_be_bytes()].concat();
    let apply = |key: Vec<u8>, frame| store.shared().with_engine(|e| e.apply(vec![(key, frame)])).unwrap();
    let (first, second) = (raw(&store, &part_key(0)), raw(&store, &part_key(1)));
    let damage = |what: &str| {
        let error = store.get(Space::Meta, "long").unwrap_err().to_string();
        assert!(error.contains("`long` in space `meta`") && error.contains(what), "{error}");
        assert_eq!(store.verify().unwrap().bad_total, 1);
    };
    apply(part_key(1), None);
    damage("missing");
    apply(part_key(1), Some(first));
    damage("checksum");
    apply(part_key(1), Some(second));
    assert!(store.verify().unwrap().is_sound());
    apply(part_key(3), Some(vec![1, 2, 3]));
    apply(vec![0x77, 1], Some(vec![1]));
    let report = store.verify().unwrap();
    assert_eq!((report.orphan_parts, report.foreign, report.bad_total), (1, 1, 0));
    assert!(store.export(Vec::new()).unwrap_err().to_string().contains("a space this version does not know"));
}

#[test]
fn after_a_failed_sync_nothing_is_written_until_a_restart() {
    let (_dir, path) = folder();
    let store = open(&path);
    store.commit_blocking(Tx::new().put(Space::Meta, "a", "1")).unwrap();
    let fail = |on| {
        let plant = |e: &crate::engine::Engine| {
            e.fail_sync.store(on, Ordering::SeqCst);
            Ok(())
        };
        store.shared().with_engine(plant).unwrap();
    };
    fail(true);
    let error = store.commit_blocking(Tx::new().put(Space::Meta, "a", "2")).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }));
    assert!(
        error.to_string().contains("until the node is restarted") && error.to_string().contains("planted")
    );
    fail(false);
    let later = store.commit_blocking(Tx::new().put(Space::Meta, "b", "2"));
    assert!(matches!(later, Err(StoreError::ReadOnly { .. })), "a sync that works again is not believed");
    assert!(store.read_only().unwrap().contains("planted"));
    assert_eq!(value_of(&store, "b"), None);
    assert!(store.get(Space::Meta, "a").is_ok(), "reading goes on");
    drop(store);
    let store = open(&path);
    assert_eq!(store.read_only(), None);
    store.commit_blocking(Tx::new().put(Space::Meta, "b", "3")).unwrap();
}

#[test]
fn a_full_disk_refuses_writes_and_opening() {
    let (_dir, path) = folder();
    let store = Store::open(&path, OpenOptions { free_write_min_bytes: u64::MAX, ..options() }).unwrap();
    let refused = store.commit_blocking(Tx::new().put(Space::Meta, "a", "1"));
    assert!(matches!(refused, Err(StoreError::DiskFull { min_bytes: u64::MAX, .. })));
    assert_eq!((value_of(&store, "a"), store.read_only()), (None, None));
    drop(store);
    let refused = Store::open(&path, OpenOptions { free_open_min_bytes: u64::MAX, ..options() });
    assert!(matches!(refused, Err(StoreError::DiskFull { .. })));
    open(&path).commit_blocking(Tx::new().put(Space::Meta, "a", "1")).unwrap();
}

#[test]
fn watchers_hear_of_changes_of_missed_ones_and_of_the_end() {
    let (_dir, path) = folder();
    let store = open(&path);
    let mut watch = store.watch();
    let revision =
        store.commit_blocking(Tx::new().put(Space::Peer, "a", "1").delete(Space::Outbox, "b")).unwrap();
    let refused = store.commit_blocking(Tx::new().absent(Space::Peer, "a").put(Space::Meta, "a", "1"));
    assert!(refused.unwrap_err().is_conflict());
    runtime().block_on(async {
        for expected in [Space::Peer, Space::Outbox] {
            let Some(Hint::Changed(changed)) = watch.next().await else { panic!("no hint") };
            assert_eq!((changed.space, changed.revision), (expected, revision));
        }
        for i in 0..limits::WATCH_BACKLOG + 10 {
            store.commit(Tx::new().put(Space::Meta, "a", format!("{i}"))).await.unwrap();
        }
        assert_eq!(watch.next().await, Some(Hint::Missed));
        store.close();
        // The last hint may be told after the last commit was answered, and push out another: then more are missed.
        while let Some(hint) = watch.next().await {
            assert!(matches!(hint, Hint::Missed | Hint::Changed(crate::Changed { space: Space::Meta, .. })));
        }
        assert_eq!(store.watch().next().await, None, "watching a closed store ends at once");
    });
}

#[test]
fn a_json_record_of_another_shape_is_an_error() {
    let (_dir, path) = folder();
    let store = open(&path);
    store.commit_blocking(Tx::new().put_json(Space::Meta, "n", &"text").unwrap()).unwrap();
    let error = store.get_json::<u64>(Space::Meta, "n").unwrap_err();
    assert!(matches!(error, StoreError::Json { .. }));
    assert!(!error.to_string().contains("text"), "no value in the message: {error}");
}
