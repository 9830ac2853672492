//! The power is cut at random moments under a ledger and a store that are written together: what was acknowledged is in
//! both, and no record of the store tells of an entry that the ledger lost.
//!
//! The recorder and the forgetful disk are those of the store's own test (`node/store/tests/powerloss`), with their
//! limits: names are durable at once, and holes are not seen, so nothing is archived here. The same recording without
//! `fdatasync` must lose in both: that is the proof that this test can fail.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test")]

#[path = "../../node/store/tests/powerloss/replay.rs"]
mod replay;
#[path = "powerloss/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use replay::{DataSync, Disk, Event, Unsynced, parse};
use support::{Acknowledged, Numbers, child_process, run_child};

/// Moments tried with each kind of loss, and without the sync.
const MOMENTS: usize = 25;
const MOMENTS_WITHOUT_SYNC: usize = 12;
/// Steps of each of the writer's threads, and how often it opens both.
const STEPS: u64 = 240;
const SESSIONS: u64 = 3;
/// A judge that takes longer hangs, which counts as a loss.
const JUDGE_MAX: Duration = Duration::from_secs(60);

#[test]
#[ignore = "runs as the child process of the other test"]
fn child() {
    run_child();
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_in_ledger_and_store() {
    let dir = tempfile::tempdir().unwrap();
    let Some(shim) = build_shim(dir.path()) else {
        println!("skipped: no C compiler `cc` to build the recorder with");
        return;
    };
    let root = dir.path().join("node");
    std::fs::create_dir(&root).unwrap();
    let events = record(&shim, dir.path(), &root);
    let run = Run { root: root.to_str().unwrap(), events: &events, scratch: dir.path() };
    let mut numbers = Numbers(seed());
    for unsynced in [Unsynced::Lost, Unsynced::HalfLost] {
        let bad = run.losses(MOMENTS, DataSync::Honoured, unsynced, &mut numbers);
        assert!(bad.is_empty(), "{unsynced:?}: {} of {MOMENTS} moments bad: {bad:#?}", bad.len());
    }
    let bad = run.losses(MOMENTS_WITHOUT_SYNC, DataSync::Ignored, Unsynced::Lost, &mut numbers);
    println!("without the sync {} of {MOMENTS_WITHOUT_SYNC} moments bad: {:?}", bad.len(), bad.first());
    for which in ["ledger: ", "store: "] {
        let lost = bad.iter().any(|what| what.contains(which));
        assert!(lost, "{which}nothing is lost without the sync: this test would notice nothing: {bad:#?}");
    }
}

fn seed() -> u64 {
    let given = std::env::var("TRAM_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or(20_261_123);
    println!("TRAM_SEED={seed}");
    seed
}

fn build_shim(dir: &Path) -> Option<PathBuf> {
    let source = tests::repository().join("node/store/tests/powerloss/shim.c");
    let shim = dir.join("shim.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-pthread", "-o"]).args([&shim, &source]);
    let built = compiler.output().ok()?;
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(shim)
}

/// Runs the writer to its end and reads what was recorded.
fn record(shim: &Path, dir: &Path, root: &Path) -> Vec<Event> {
    let log = dir.join("recording");
    let writer = child_process("write", root)
        .env("TRAM_POWER_SESSIONS", SESSIONS.to_string())
        .env("TRAM_POWER_STEPS", STEPS.to_string())
        .env("LD_PRELOAD", shim)
        .env("RECORD_ROOT", root)
        .env("RECORD_LOG", &log)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&writer.stdout);
    assert!(printed.contains("\nDONE\n"), "{printed}\n{}", String::from_utf8_lossy(&writer.stderr));
    let events = parse(&std::fs::read(log).unwrap());
    let opened =
        |name: &str| events.iter().any(|e| matches!(e, Event::Open { path, .. } if path.contains(name)));
    assert!(opened(".wal") && opened("/store/"), "the recorder saw only one of the two");
    let syncs = events.iter().filter(|e| matches!(e, Event::SyncData { .. })).count();
    assert!(syncs > 100, "the recorder saw too little: {syncs} syncs");
    events
}

struct Run<'r> {
    root: &'r str,
    events: &'r [Event],
    scratch: &'r Path,
}

impl Run<'_> {
    /// What is lost at random moments: one line for each bad one.
    fn losses(
        &self,
        moments: usize,
        sync: DataSync,
        unsynced: Unsynced,
        numbers: &mut Numbers,
    ) -> Vec<String> {
        // Before the first acknowledgements there is nothing to lose.
        let printed = self.events.iter().enumerate().filter(|(_, e)| matches!(e, Event::Printed { .. }));
        let first = printed.map(|(at, _)| at).nth(20).unwrap();
        let mut at: Vec<usize> = (0..moments)
            .map(|_| first + usize::try_from(numbers.below((self.events.len() - first) as u64)).unwrap())
            .collect();
        at.sort_unstable();
        let (mut disk, mut done, mut bad) = (Disk::new(sync), 0, Vec::new());
        for moment in at {
            self.events[done..moment].iter().for_each(|event| disk.step(event));
            done = moment;
            let left = self.scratch.join("left");
            disk.cut(self.root, &left, unsynced, numbers);
            let verdict = judge_apart(&left, &disk.acknowledged);
            if verdict != "sound" {
                bad.push(format!("at event {moment}: {verdict}"));
            }
            std::fs::remove_dir_all(&left).unwrap();
        }
        bad
    }
}

/// Judges in a process of its own: a database may panic or hang on what a power cut leaves.
fn judge_apart(dir: &Path, acknowledged: &Acknowledged) -> String {
    let words = acknowledged.map(|last| last.map_or("-".to_owned(), |last| last.to_string()));
    let out = dir.with_extension("verdict");
    let mut judge = child_process("judge", dir)
        .env("TRAM_POWER_ACKNOWLEDGED", words.join(" "))
        .stdout(std::fs::File::create(&out).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while judge.try_wait().unwrap().is_none() {
        if begun.elapsed() > JUDGE_MAX {
            judge.kill().unwrap();
            judge.wait().unwrap();
            return "hangs".to_owned();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let printed = std::fs::read_to_string(out).unwrap();
    let verdict = printed.lines().find_map(|line| line.strip_prefix("JUDGED "));
    verdict.unwrap_or("panicked").to_owned()
}
