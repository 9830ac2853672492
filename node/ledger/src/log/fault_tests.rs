//! The fault table: every change that the life of a log makes to the disk, times every way of the disk to fail.
//!
//! Whatever fails, the log stops cleanly or goes on; after a restart every acknowledged entry is there, the tree is
//! the tree of the entries, what was signed is its beginning, and work goes on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::fault::{self, Kind};
use super::tests::{Place, entry};
use super::*;
use crate::merkle::Edge;
use crate::testing::log_signer;
use crate::timestamp::{Token, files};

/// What the life of a log does to the disk. `N` stands for a number.
const POINTS: &[&str] = &[
    "create archive",
    "create archive/tile/entries",
    "create archive/tile/entries/N.tmp",
    "create elsewhere",
    "create elsewhere/guard.tmp",
    "create log",
    "create log/archived.tmp",
    "create log/checkpoint.tmp",
    "create log/entries.dat",
    "create log/entries.idx",
    "create log/levelN",
    "create log/lock",
    "create log/meta.tmp",
    "create log/timestamps",
    "create log/timestamps/N.checkpoint.tmp",
    "create log/timestamps/N.tsr.tmp",
    "create log/wal",
    "create log/wal/N.wal.tmp",
    "cut log/wal/N.wal",
    "free log/entries.dat",
    "remove log/archived",
    "remove log/wal/N.wal",
    "rename archive/tile/entries/N.tmp",
    "rename elsewhere/guard.tmp",
    "rename log/archived.tmp",
    "rename log/checkpoint.tmp",
    "rename log/meta.tmp",
    "rename log/timestamps/N.checkpoint.tmp",
    "rename log/timestamps/N.tsr.tmp",
    "rename log/wal/N.wal.tmp",
    "sync archive/tile/entries/N.tmp",
    "sync elsewhere/guard.tmp",
    "sync folder ",
    "sync folder archive",
    "sync folder archive/tile",
    "sync folder archive/tile/entries",
    "sync folder elsewhere",
    "sync folder log",
    "sync folder log/timestamps",
    "sync folder log/wal",
    "sync log/archived.tmp",
    "sync log/checkpoint.tmp",
    "sync log/entries.dat",
    "sync log/entries.idx",
    "sync log/levelN",
    "sync log/meta.tmp",
    "sync log/timestamps/N.checkpoint.tmp",
    "sync log/timestamps/N.tsr.tmp",
    "sync log/wal/N.wal",
    "sync log/wal/N.wal.tmp",
    "write archive/tile/entries/N.tmp",
    "write elsewhere/guard.tmp",
    "write log/archived.tmp",
    "write log/checkpoint.tmp",
    "write log/entries.dat",
    "write log/entries.idx",
    "write log/levelN",
    "write log/meta.tmp",
    "write log/timestamps/N.checkpoint.tmp",
    "write log/timestamps/N.tsr.tmp",
    "write log/wal/N.wal",
    "write log/wal/N.wal.tmp",
];

const KINDS: [Kind; 4] = [Kind::Failed, Kind::FailedButPersisted, Kind::Torn, Kind::DiskFull];
/// Entries of a round; six rounds make more than a bundle.
const ROUND: u64 = 60;

/// What a life left behind.
#[derive(Default)]
struct Life {
    acknowledged: Vec<(u64, Vec<u8>)>,
    signed: Vec<(u64, Hash)>,
}

/// A place in memory: these tests make hundreds of lives, and no power cut is tried here.
fn place() -> Place {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    Place { folder: folder.unwrap() }
}

fn archive(place: &Place) -> PathBuf {
    place.folder.path().join("archive")
}

fn open(place: &Place) -> Result<Log> {
    place.open_with(LogOptions { segment_bytes: 500, ..place.options() })
}

impl Life {
    /// Appends a round of entries at once.
    fn round(&mut self, log: &Log) -> Result<()> {
        let waiting = (0..ROUND)
            .map(|k| {
                let (tell, told) = sync_channel(1);
                let entry = entry(self.acknowledged.len() as u64 + k);
                log.submit(entry.clone(), Box::new(move |answer| drop(tell.send(answer))))?;
                Ok((entry, told))
            })
            .collect::<Vec<Result<_>>>();
        for sent in waiting {
            let (entry, told) = sent?;
            let committed = told.recv().unwrap_or_else(|_| Err(log.shared.stopped()))?;
            self.acknowledged.push((committed.index, entry));
        }
        self.note(log)
    }

    fn note(&mut self, log: &Log) -> Result<()> {
        let published = log.checkpoint()?;
        self.signed.push((published.checkpoint().size, published.checkpoint().root));
        Ok(())
    }

    /// All that a log ever does, until something fails.
    fn live(&mut self, place: &Place) -> Result<()> {
        let log = open(place)?;
        if self.acknowledged.is_empty() {
            // The fixture is over the note of the first three entries.
            for k in 0..3 {
                let committed = log.append_blocking(entry(k))?;
                self.acknowledged.push((committed.index, entry(k)));
            }
        }
        (0..6).try_for_each(|_| self.round(&log))?;
        wait_for_tidiness(place, &log)?;
        log.archive_before(u64::MAX, &archive(place))?;
        self.round(&log)?;
        log.close();
        self.note(&log)?;
        log.failure().map_or(Ok(()), |_| Err(log.shared.stopped()))?;
        drop(log);
        // A killed process leaves half a record, and entries on their way.
        let segment = place.segment();
        let bytes = fs::read(&segment).unwrap();
        fs::write(&segment, [&bytes[..], b"TRW1 half"].concat()).unwrap();
        if let Some(marker) = Marker::read(&place.dir())? {
            Marker { state: State::Moving, ..marker }.write(&place.dir())?;
        }
        let log = open(place)?;
        stamp(place)?;
        self.round(&log)?;
        log.fetch_back(&archive(place))?;
        self.round(&log)?;
        log.close();
        self.note(&log)?;
        log.failure().map_or(Ok(()), |_| Err(log.shared.stopped()))
    }

    /// After a restart without faults.
    fn judge(mut self, place: &Place, what: &str) {
        let signed = |path: &Path| {
            let bytes = fs::read(path).ok()?;
            Some(crate::checkpoint::SignedCheckpoint::parse(&bytes).unwrap().checkpoint().size)
        };
        let (guard, checkpoint) = (signed(&place.guard()), signed(&place.file("checkpoint")));
        assert!(guard >= checkpoint, "{what}: the guard knows {guard:?}, others see {checkpoint:?}");
        let log = open(place).unwrap_or_else(|error| panic!("{what}: does not open: {error}"));
        for _ in 0..6 {
            self.round(&log).unwrap_or_else(|error| panic!("{what}: no progress: {error}"));
        }
        wait_for_tidiness(place, &log).unwrap();
        log.archive_before(u64::MAX, &archive(place)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(log.archived().is_some(), "{what}");
        log.fetch_back(&archive(place)).unwrap_or_else(|error| panic!("{what}: {error}"));
        for (index, entry) in &self.acknowledged {
            assert_eq!(log.entry(*index).unwrap(), *entry, "{what}: entry {index}");
        }
        let mut edge = Edge::new();
        for index in 0..log.size() {
            edge.push(leaf_hash(&log.entry(index).unwrap()), |_, _| {});
        }
        assert_eq!(log.root(log.size()).unwrap(), edge.root(), "{what}");
        for (size, root) in &self.signed {
            assert_eq!(log.root(*size).unwrap(), *root, "{what}: signed at {size}");
        }
        drop(log);
        let report = crate::verify::verify_dir(&place.dir(), &log_signer().vkey()).unwrap();
        assert_eq!(report.finding, None, "{what}");
    }
}

/// Until older segments are deleted, as the publisher does when it comes to it.
fn wait_for_tidiness(place: &Place, log: &Log) -> Result<()> {
    for _ in 0..10_000 {
        if log.failure().is_some() {
            return Err(log.shared.stopped());
        }
        if place.segments().len() == 1 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("older segments are never deleted");
}

/// Keeps a stamp over the note of the first three entries.
fn stamp(place: &Place) -> Result<()> {
    let token = Token::from_response(include_bytes!("../../tests/authority/3.tsr"))?;
    let root = "bchQvMlKY9Myv/gL1uPluT2M6U0nENZ0icet2fy5wPk=".parse()?;
    let origin = log_signer().vkey().name().clone();
    let checkpoint = crate::checkpoint::Checkpoint { origin, size: 3, root }.sign(&log_signer())?;
    files::store(&place.dir(), &checkpoint, &token).map(drop)
}

#[test]
fn the_table_has_every_change_that_a_log_makes() {
    let place = place();
    fault::watch(place.folder.path(), None);
    let mut life = Life::default();
    life.live(&place).unwrap();
    let (seen, _) = fault::unwatch(place.folder.path());
    let table: BTreeSet<String> = POINTS.iter().map(|point| (*point).to_owned()).collect();
    assert_eq!(seen, table, "left: what the log does, right: the table");
    life.judge(&place, "without a fault");
}

#[test]
fn no_failure_of_the_disk_makes_a_wrong_tree_or_loses_an_acknowledged_entry() {
    let mut lives = 0;
    for point in POINTS {
        for (kind, skip) in KINDS.into_iter().flat_map(|kind| [(kind, 0), (kind, 1), (kind, 6)]) {
            let what = format!("{point}, {kind:?}, after {skip}");
            let place = place();
            fault::watch(place.folder.path(), Some(((*point).to_owned(), skip, kind)));
            let mut life = Life::default();
            let outcome = life.live(&place);
            let (_, fired) = fault::unwatch(place.folder.path());
            assert!(fired || skip > 0, "{what}: never came to it");
            assert!(!fired || outcome.is_err(), "{what}: nobody noticed");
            life.judge(&place, &what);
            lives += usize::from(fired);
        }
    }
    assert!(lives >= POINTS.len() * KINDS.len());
}

/// A sync of `entries.dat` that failed may have lost what the writer wrote there: archiving must not hide that from
/// whoever deletes the write-ahead log.
#[test]
fn a_failed_sync_of_moving_entries_stops_the_log_and_loses_nothing() {
    let place = place();
    let mut life = Life::default();
    let log = open(&place).unwrap();
    (0..6).for_each(|_| life.round(&log).unwrap());
    wait_for_tidiness(&place, &log).unwrap();
    let plan =
        || fault::watch(place.folder.path(), Some(("sync log/entries.dat".to_owned(), 0, Kind::Failed)));
    let stopped = |log: &Log, outcome: Result<()>| {
        assert!(outcome.is_err() && fault::unwatch(place.folder.path()).1);
        assert!(matches!(log.append_blocking(entry(0)), Err(LedgerError::Poisoned(_))));
    };
    plan();
    stopped(&log, log.archive_before(u64::MAX, &archive(&place)).map(drop));
    drop(log);
    let log = open(&place).unwrap();
    log.archive_before(u64::MAX, &archive(&place)).unwrap();
    plan();
    stopped(&log, log.fetch_back(&archive(&place)).map(drop));
    drop(log);
    let log = open(&place).unwrap();
    assert!(log.archived().is_some());
    drop(log);
    life.judge(&place, "syncs that failed while entries moved");
}

#[test]
fn one_module_changes_files() {
    let modules = [
        ("archive", include_str!("archive.rs")),
        ("flat", include_str!("flat.rs")),
        ("marker", include_str!("marker.rs")),
        ("mod", include_str!("mod.rs")),
        ("publisher", include_str!("publisher.rs")),
        ("read", include_str!("read.rs")),
        ("recover", include_str!("recover.rs")),
        ("wal", include_str!("wal.rs")),
        ("writer", include_str!("writer.rs")),
        ("timestamp/files", include_str!("../timestamp/files.rs")),
    ];
    let changes = [
        "write_all",
        ".sync_data()",
        ".sync_all()",
        "set_len",
        "fs::write",
        "fs::rename",
        "remove_file",
        "create_dir",
        "fs::copy",
        "File::create",
        "DirBuilder",
        "OpenOptions",
    ];
    for (module, text) in modules {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for change in changes {
            assert!(!code.contains(change), "`{module}.rs` says `{change}` past `disk.rs`");
        }
    }
    assert!(changes.iter().any(|change| include_str!("disk.rs").contains(change)));
}
