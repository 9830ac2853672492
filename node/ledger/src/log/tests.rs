use std::fs;
use std::sync::atomic::AtomicUsize;

use tempfile::TempDir;

use super::*;
use crate::merkle::{Edge, verify_consistency, verify_inclusion};
use crate::testing::{LOG_ORIGIN, log_signer, signer};

/// A folder for a log and, beside it, its guard.
pub(super) struct Place {
    pub folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("log")
    }
    pub fn guard(&self) -> PathBuf {
        self.folder.path().join("elsewhere/guard")
    }
    pub fn options(&self) -> LogOptions {
        LogOptions { checkpoint_interval: Duration::ZERO, ..LogOptions::new(self.guard()) }
    }
    pub fn open_with(&self, options: LogOptions) -> Result<Log> {
        Log::open(&self.dir(), log_signer(), Arc::new(|| 1_790_000_000), options)
    }
    pub fn open(&self) -> Result<Log> {
        self.open_with(self.options())
    }
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }
    pub fn segments(&self) -> Vec<wal::Segment> {
        wal::segments(&self.file("wal")).unwrap()
    }
    pub fn segment(&self) -> PathBuf {
        self.segments().pop().unwrap().path
    }
    /// What a node leaves that was killed at this moment.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(self.folder.path(), copy.folder.path());
        copy
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.path().is_dir() {
            copy_folder(&item.path(), &target)
        } else {
            drop(fs::copy(item.path(), target))
        }
    }
}

pub(super) fn entry(k: u64) -> Vec<u8> {
    format!("{{\"exchange\":{k}}}").into_bytes()
}

pub(super) fn fill(log: &Log, from: u64, to: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for start in (from..to).step_by(4000) {
        let waiting: Vec<_> = (start..to.min(start + 4000))
            .map(|k| {
                let (tell, told) = oneshot::channel();
                log.submit(entry(k), Box::new(move |answer| drop(tell.send(answer)))).unwrap();
                (k, told)
            })
            .collect();
        for (k, told) in waiting {
            let committed = runtime.block_on(told).unwrap().unwrap();
            assert_eq!(committed, Committed { index: k, leaf_hash: leaf_hash(&entry(k)) });
        }
    }
}

pub(super) fn naive(size: u64) -> Edge {
    let mut edge = Edge::new();
    (0..size).for_each(|k| edge.push(leaf_hash(&entry(k)), |_, _| {}));
    edge
}

pub(super) fn damaged(result: Result<Log>) -> (String, String) {
    match result {
        Err(LedgerError::Corrupt { file, place, why }) => {
            (file.file_name().unwrap().to_string_lossy().into_owned(), format!("{place}: {why}"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn logs_of_every_shape_give_the_vectors_and_verify() {
    let vectors = [
        (0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        (1, "F7XSKkjXTqPbS5t+lyWjg0ZVgaBSsTexi5xwscmP2NE="),
        (2, ""),
        (3, "bchQvMlKY9Myv/gL1uPluT2M6U0nENZ0icet2fy5wPk="),
        (255, ""),
        (256, "jnvLdrWr6TjmOKcLMJTzzEwwNajwT6onKT3og9u8lb0="),
        (257, "X4bP+vS1xWA41ayri07WAGYBa466h9deUWs3Ct2MUFI="),
        (511, ""),
        (65_535, ""),
        (65_536, ""),
        (65_537, ""),
        (70_000, "IAFgsDx6NaucUnNokLyszFkLBnZONnF+flccyRifXg4="),
    ];
    let place = Place::new();
    let mut before = 0;
    for (size, root) in vectors {
        let log = place.open().unwrap();
        assert_eq!((log.size(), log.recovery().replayed_entries), (before, before));
        fill(&log, before, size);
        log.close();
        let published = log.checkpoint().unwrap();
        assert_eq!(published.checkpoint().size, size);
        assert_eq!(published.signed_at, 1_790_000_000);
        if !root.is_empty() {
            assert_eq!(published.checkpoint().root.to_string(), root, "size {size}");
        }
        assert_eq!(published.checkpoint().root, naive(size).root());
        assert_eq!(fs::read(place.file("checkpoint")).unwrap(), published.signed.to_bytes());
        assert_eq!(fs::read(place.guard()).unwrap(), published.signed.to_bytes());
        drop(log);
        let report = crate::verify::verify_dir(&place.dir(), &log_signer().vkey()).unwrap();
        assert_eq!((report.entries, report.signed, report.finding), (size, Some(size), None));
        before = size;
    }
}

#[test]
fn the_exported_tiles_are_those_of_the_vectors() {
    let place = Place::new();
    let log = place.open().unwrap();
    fill(&log, 0, 3);
    log.close();
    let to = place.folder.path().join("tree");
    assert_eq!(export_tiles(&log, &to).unwrap(), 3);
    let digest = |name: &str| {
        use sha2::Digest as _;
        crate::text::to_hex(&sha2::Sha256::digest(fs::read(to.join(name)).unwrap()))
    };
    let entries = digest("tile/entries/000.p/3");
    assert!(entries.starts_with("6a62d8cd") && entries.ends_with("a802"), "{entries}");
    let hashes = digest("tile/0/000.p/3");
    assert!(hashes.starts_with("142eb03c") && hashes.ends_with("8a1d"), "{hashes}");
    let signatures = fs::read_to_string(to.join("checkpoint")).unwrap();
    assert!(signatures.contains(
        "vR2WQB5qQJnTxqUSeo0/9i5ZRzKObyV/fhtXJ/F0UYLqZg9WCOtFpaBkdtRPZb6/rJh9wB86aZOVkvc7rLwWqOZ9RA4="
    ));
    assert!(matches!(export_tiles(&log, &to), Err(LedgerError::BadOption { .. })));
}

#[test]
fn reads_have_edges() {
    let place = Place::new();
    let log = place.open().unwrap();
    fill(&log, 0, 300);
    assert_eq!(log.entry(299).unwrap(), entry(299));
    assert_eq!(log.entries(0..256).unwrap().len(), 256);
    assert_eq!(log.entries(300..300).unwrap().len(), 0);
    assert_eq!(log.bundle(1, 44).unwrap().len(), log.bundle(1, 43).unwrap().len() + entry(299).len() + 2);
    assert_eq!(log.bundle(0, 1).unwrap(), [&[0, 14][..], &entry(0)].concat());
    assert_eq!(log.tile(0, 0, 256).unwrap().len(), 8192);
    assert_eq!(log.tile(1, 0, 1).unwrap(), log.root(256).unwrap().0);
    let out = |error: LedgerError| assert!(matches!(error, LedgerError::OutOfRange { .. }), "{error}");
    out(log.entry(300).unwrap_err());
    out(log.entries(0..257).unwrap_err());
    out(log.entries(299..301).unwrap_err());
    #[expect(clippy::reversed_empty_ranges, reason = "a caller may send one")]
    out(log.entries(5..4).unwrap_err());
    out(log.tile(0, 1, 45).unwrap_err());
    out(log.tile(1, 0, 2).unwrap_err());
    out(log.tile(63, u64::MAX, 256).unwrap_err());
    out(log.bundle(u64::MAX / 256, 255).unwrap_err());
    out(log.inclusion(300, 300).unwrap_err());
    out(log.inclusion(0, 301).unwrap_err());
    out(log.consistency(2, 1).unwrap_err());
    out(log.consistency(1, u64::MAX).unwrap_err());
    assert!(log.tile(64, 0, 1).is_err() && log.tile(0, 0, 0).is_err() && log.bundle(0, 257).is_err());
}

#[test]
fn proofs_from_the_files_verify() {
    let place = Place::new();
    let log = place.open().unwrap();
    fill(&log, 0, 700);
    for size in [1, 2, 3, 255, 256, 257, 511, 512, 513, 700] {
        let root = naive(size).root();
        for index in [0, 1, size / 2, size - 1].into_iter().filter(|index| *index < size) {
            let path = log.inclusion(index, size).unwrap();
            verify_inclusion(&leaf_hash(&entry(index)), index, size, &path, &root).unwrap();
        }
        for old in [0, 1, size / 3, size - 1, size] {
            let path = log.consistency(old, size).unwrap();
            verify_consistency(old, &naive(old).root(), size, &root, &path).unwrap();
        }
    }
}

#[test]
fn entries_have_a_size() {
    let place = Place::new();
    let log = place.open().unwrap();
    assert!(matches!(log.append_blocking(vec![]), Err(LedgerError::Malformed { .. })));
    assert!(matches!(log.append_blocking(vec![1; ENTRY_BYTES_MAX + 1]), Err(LedgerError::TooLarge { .. })));
    assert_eq!(log.append_blocking(vec![1; ENTRY_BYTES_MAX]).unwrap().index, 0);
    drop(log);
    assert_eq!(place.open().unwrap().entry(0).unwrap().len(), ENTRY_BYTES_MAX);
}

#[test]
fn many_at_once_each_get_their_own_place_and_share_syncs() {
    let place = Place::new();
    let log = Arc::new(place.open().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let tasks: Vec<_> = (0..500u64)
        .map(|k| {
            let log = Arc::clone(&log);
            runtime.spawn(async move {
                let committed = log.append(entry(k)).await.unwrap();
                let published = log.checkpoint_covering(committed.index).await.unwrap();
                assert!(published.checkpoint().size > committed.index);
                assert_eq!(log.entry(committed.index).unwrap(), entry(k));
                committed.index
            })
        })
        .collect();
    let mut places: Vec<u64> = tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, (0..500).collect::<Vec<_>>());
    assert!((1..=500).contains(&log.batches()));
}

#[test]
fn a_full_queue_says_busy_and_a_closed_log_says_so() {
    let place = Place::new();
    let log = place.open_with(LogOptions { queue: 0, ..place.options() }).unwrap();
    // Without room in the queue an append succeeds only while the writer waits for one.
    let mut busy = 0;
    for k in 0..2000 {
        match log.submit(entry(k), Box::new(|_| ())) {
            Ok(()) => {}
            Err(LedgerError::Busy) => busy += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(busy > 0);
    log.close();
    assert!(matches!(log.append_blocking(entry(0)), Err(LedgerError::Closed)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(matches!(runtime.block_on(log.checkpoint_covering(u64::MAX)), Err(LedgerError::Closed)));
}

#[test]
fn the_interval_holds_checkpoints_back_and_closing_publishes() {
    let place = Place::new();
    let options = LogOptions { checkpoint_interval: Duration::from_secs(3600), ..place.options() };
    let log = place.open_with(options).unwrap();
    fill(&log, 0, 10);
    assert_eq!(log.checkpoint().unwrap().checkpoint().size, 0);
    log.close();
    assert_eq!(log.checkpoint().unwrap().checkpoint().size, 10);
}

#[test]
fn one_process_one_origin_one_guard_outside() {
    let place = Place::new();
    let log = place.open().unwrap();
    assert!(matches!(place.open(), Err(LedgerError::InUse(_))));
    let verify = || crate::verify::verify_dir(&place.dir(), &log_signer().vkey());
    assert!(matches!(verify(), Err(LedgerError::InUse(_))));
    drop(log);
    assert!(verify().unwrap().is_sound());
    let other = Log::open(&place.dir(), signer("other", 1), Arc::new(|| 0), place.options());
    assert!(matches!(other, Err(LedgerError::WrongOrigin { found, .. }) if found == LOG_ORIGIN));
    for inside in ["guard", "wal/guard", "../log/guard"] {
        let options = LogOptions::new(place.dir().join(inside));
        assert!(matches!(place.open_with(options), Err(LedgerError::BadOption { .. })));
    }
}

#[test]
fn a_rotated_key_needs_the_former_one() {
    let place = Place::new();
    drop(place.open().unwrap());
    let new = || signer(LOG_ORIGIN, 77);
    let reopened = Log::open(&place.dir(), new(), Arc::new(|| 0), place.options());
    assert_eq!(damaged(reopened).0, "checkpoint");
    let options = LogOptions { former_keys: vec![log_signer().vkey()], ..place.options() };
    drop(Log::open(&place.dir(), new(), Arc::new(|| 0), options).unwrap());
    assert!(crate::verify::verify_dir(&place.dir(), &new().vkey()).unwrap().is_sound());
}

#[test]
fn segments_are_replaced_and_deleted_when_the_rest_is_durable() {
    let place = Place::new();
    let options = || LogOptions { segment_bytes: 2000, ..place.options() };
    let log = place.open_with(options()).unwrap();
    for k in 0..200 {
        log.append_blocking(entry(k)).unwrap();
    }
    log.close();
    assert_eq!(place.segments().len(), 1);
    let first = place.segments()[0].first;
    assert!(first > 100, "{first}");
    drop(log);
    let log = place.open_with(options()).unwrap();
    assert_eq!((log.size(), log.recovery().replayed_entries), (200, 200 - first));
    assert_eq!(log.root(200).unwrap(), naive(200).root());
    drop(log);
    assert!(crate::verify::verify_dir(&place.dir(), &log_signer().vkey()).unwrap().is_sound());
}

/// A log of ten entries in ten records, and the moment before the tenth reached anything but the write-ahead log.
fn before_and_after() -> (Place, Place, usize) {
    let place = Place::new();
    let options = LogOptions { checkpoint_interval: Duration::from_secs(3600), ..place.options() };
    let log = place.open_with(options).unwrap();
    for k in 0..9 {
        log.append_blocking(entry(k)).unwrap();
    }
    let nine = place.copy();
    let length = fs::metadata(nine.segment()).unwrap().len() as usize;
    log.append_blocking(entry(9)).unwrap();
    let ten = place.copy();
    drop(log);
    (nine, ten, length)
}

#[test]
fn a_kill_at_any_byte_of_the_last_record_loses_nothing_acknowledged() {
    let (nine, ten, nine_bytes) = before_and_after();
    let whole = fs::read(ten.segment()).unwrap();
    for cut in nine_bytes..=whole.len() {
        let place = nine.copy();
        fs::write(place.segment(), &whole[..cut]).unwrap();
        let report = crate::verify::verify_dir(&place.dir(), &log_signer().vkey()).unwrap();
        assert_eq!(report.finding, None, "cut at {cut}");
        let log = place.open().unwrap();
        let expected = if cut == whole.len() { 10 } else { 9 };
        assert_eq!(log.size(), expected, "cut at {cut}");
        let torn = log.recovery().torn.as_ref().map(|torn| torn.offset as usize);
        assert_eq!(torn, (cut > nine_bytes && expected == 9).then_some(nine_bytes), "cut at {cut}");
        assert_eq!(log.append_blocking(b"next".to_vec()).unwrap().index, expected);
        drop(log);
        let log = place.open().unwrap();
        assert_eq!(log.size(), expected + 1);
        assert_eq!(log.recovery().torn, None);
    }
}

#[test]
fn a_cut_record_that_was_acknowledged_is_refused_by_name() {
    let (_, ten, nine_bytes) = before_and_after();
    let whole = fs::read(ten.segment()).unwrap();
    for cut in nine_bytes..whole.len() {
        let place = ten.copy();
        fs::write(place.segment(), &whole[..cut]).unwrap();
        let (file, why) = damaged(place.open());
        // At the border of a record the write-ahead log is whole; then the longer file gives it away.
        let expected = if cut == nine_bytes { "entries.dat" } else { "00000000000000000000.wal" };
        assert_eq!(file, expected, "cut at {cut}: {why}");
        let report = crate::verify::verify_dir(&place.dir(), &log_signer().vkey()).unwrap();
        assert!(report.finding.is_some(), "cut at {cut}");
    }
}

#[test]
fn a_cut_record_that_was_signed_is_refused() {
    let (nine, ten, nine_bytes) = before_and_after();
    // The flat files are those of nine entries, but the guard has seen ten.
    let whole = fs::read(ten.segment()).unwrap();
    let signed = ten.copy();
    drop(signed.open().unwrap());
    let place = nine.copy();
    fs::write(place.segment(), &whole[..nine_bytes + 5]).unwrap();
    fs::copy(signed.guard(), place.guard()).unwrap();
    assert!(matches!(place.open(), Err(LedgerError::Behind { local: 9, signed: 10, .. })));
    // Nothing was cut off by the refusal.
    assert_eq!(fs::metadata(place.segment()).unwrap().len() as usize, nine_bytes + 5);
}

#[test]
fn any_flipped_bit_in_an_acknowledged_record_is_refused_by_name() {
    let (_, ten, _) = before_and_after();
    let whole = fs::read(ten.segment()).unwrap();
    for at in 0..whole.len() {
        let place = ten.copy();
        let mut bad = whole.clone();
        bad[at] ^= 1;
        fs::write(place.segment(), &bad).unwrap();
        let (file, why) = damaged(place.open());
        assert_eq!(file, "00000000000000000000.wal", "flip at {at}: {why}");
        assert!(why.contains("record of entry"), "{why}");
    }
}

#[test]
fn replay_writes_out_what_a_power_cut_took_from_the_flat_files() {
    let (_, ten, _) = before_and_after();
    for name in ["entries.dat", "entries.idx", "level0"] {
        let place = ten.copy();
        let length = fs::metadata(place.file(name)).unwrap().len();
        for (cut, zeros) in [(0, false), (length / 2, false), (length, true)] {
            let file = fs::OpenOptions::new().write(true).open(place.file(name)).unwrap();
            file.set_len(cut).unwrap();
            if zeros {
                file.set_len(0).unwrap();
                file.set_len(length).unwrap();
            }
            let log = place.open().unwrap();
            assert!(log.recovery().rewritten_entries > 0, "{name}");
            assert_eq!(log.root(10).unwrap(), naive(10).root());
            assert_eq!(log.entry(9).unwrap(), entry(9));
        }
    }
}

#[test]
fn a_record_whose_root_does_not_come_out_again_is_refused_by_name() {
    let place = Place::new();
    drop(place.open().unwrap());
    let mut bytes = fs::read(place.segment()).unwrap();
    let body = [&[0, 14][..], &entry(0)].concat();
    // A valid CRC over a wrong root: what a flipped bit in memory would leave.
    bytes.extend(wal::encode(0, 1, &body, &leaf_hash(b"something else")));
    fs::write(place.segment(), bytes).unwrap();
    let (file, why) = damaged(place.open());
    assert_eq!(file, "00000000000000000000.wal");
    assert!(why.contains("record of entry 0") && why.contains("replay gives the root"), "{why}");
}

#[test]
fn a_restored_backup_is_refused() {
    let place = Place::new();
    let log = place.open().unwrap();
    fill(&log, 0, 5);
    drop(log);
    let backup = place.copy();
    let log = place.open().unwrap();
    fill(&log, 5, 9);
    drop(log);
    fs::copy(place.guard(), backup.guard()).unwrap();
    assert!(matches!(backup.open(), Err(LedgerError::Behind { local: 5, signed: 9, .. })));
    // The same with as many entries, but others.
    let fork = place.copy();
    fs::remove_dir_all(fork.dir()).unwrap();
    fs::remove_file(fork.guard()).unwrap();
    let log = fork.open().unwrap();
    for _ in 0..9 {
        log.append_blocking(b"another story".to_vec()).unwrap();
    }
    drop(log);
    fs::copy(place.guard(), fork.guard()).unwrap();
    assert!(matches!(fork.open(), Err(LedgerError::Fork { size: 9, .. })));
}

#[test]
fn a_missing_guard_or_checkpoint_is_noticed() {
    let place = Place::new();
    let log = place.open().unwrap();
    fill(&log, 0, 3);
    drop(log);
    fs::remove_file(place.guard()).unwrap();
    assert!(matches!(place.open(), Err(LedgerError::GuardMissing(_))));
    drop(place.open_with(LogOptions { accept_missing_guard: true, ..place.options() }).unwrap());
    drop(place.open().unwrap());
    fs::remove_file(place.file("checkpoint")).unwrap();
    assert_eq!(damaged(place.open()).0, "checkpoint");
    let lost = place.copy();
    fs::remove_file(lost.file("meta")).unwrap();
    assert_eq!(damaged(lost.open()).0, "meta");
    fs::remove_dir_all(lost.dir()).unwrap();
    // An empty folder where we signed before: the disk was exchanged.
    assert!(matches!(lost.open(), Err(LedgerError::Behind { local: 0, signed: 3, .. })));
}

#[test]
fn a_crash_while_beginning_leaves_a_folder_that_begins_again() {
    let place = Place::new();
    drop(place.open().unwrap());
    fs::remove_file(place.file("meta")).unwrap();
    fs::remove_file(place.file("checkpoint")).unwrap();
    fs::write(place.file("wal/00000000000000000000.wal.tmp"), b"TRW").unwrap();
    let log = place.open().unwrap();
    assert_eq!(log.append_blocking(entry(0)).unwrap().index, 0);
}

#[test]
fn a_failed_write_or_sync_stops_the_log_for_good() {
    for (sync, persisted) in [(false, 2), (true, 3)] {
        let place = Place::new();
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        let options = LogOptions {
            on_failure: Some(Box::new(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
            })),
            ..place.options()
        };
        let log = place.open_with(options).unwrap();
        fill(&log, 0, 2);
        let (point, kind) = if sync {
            ("sync log/wal/N.wal", fault::Kind::FailedButPersisted)
        } else {
            ("write log/wal/N.wal", fault::Kind::Torn)
        };
        fault::watch(place.folder.path(), Some((point.to_owned(), 0, kind)));
        assert!(matches!(log.append_blocking(entry(2)), Err(LedgerError::Poisoned(_))));
        assert!(matches!(log.append_blocking(entry(3)), Err(LedgerError::Poisoned(_))));
        assert!(log.failure().is_some());
        log.close();
        assert_eq!(heard.load(Ordering::SeqCst), 1);
        assert_eq!(log.size(), 2, "what was not acknowledged is not served");
        assert_eq!(log.checkpoint().unwrap().checkpoint().size, 2, "and never signed");
        drop(log);
        assert!(fault::unwatch(place.folder.path()).1);
        // Written by half: cut off. Written whole though the sync failed: it is part of the log.
        let log = place.open().unwrap();
        assert_eq!(log.size(), persisted);
        assert_eq!(log.recovery().torn.is_some(), !sync);
        assert_eq!(log.append_blocking(entry(9)).unwrap().index, persisted);
    }
}

#[test]
fn a_guard_that_cannot_be_written_stops_the_log() {
    let place = Place::new();
    let log = place.open().unwrap();
    fs::remove_dir_all(place.guard().parent().unwrap()).unwrap();
    log.append_blocking(entry(0)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(log.checkpoint_covering(0)).is_err());
    log.close();
    assert!(log.failure().is_some());
    assert!(matches!(log.append_blocking(entry(1)), Err(LedgerError::Poisoned(_))));
}

#[test]
fn a_full_check_finds_what_replay_does_not_read() {
    let place = Place::new();
    let options = || LogOptions { segment_bytes: 500, ..place.options() };
    let log = place.open_with(options()).unwrap();
    for k in 0..50 {
        log.append_blocking(entry(k)).unwrap();
    }
    drop(log);
    let mut data = fs::read(place.file("entries.dat")).unwrap();
    data[20] ^= 1;
    fs::write(place.file("entries.dat"), data).unwrap();
    drop(place.open_with(options()).unwrap());
    let (file, why) = damaged(place.open_with(LogOptions { full_check: true, ..options() }));
    assert_eq!(file, "entries.dat");
    assert!(why.contains("index 1"), "{why}");
}
