//! The power is cut at random moments of a recorded run; what was acknowledged must be there.
//!
//! A writer runs with `powerloss/shim.c` preloaded, which records every change to its files, every sync and every
//! acknowledgement. `powerloss/replay.rs` rebuilds what the disk holds at random moments when what was not synced is lost
//! (or half of it), and a judge in a process of its own opens that.
//!
//! The same recording replayed without our `fdatasync` is what the engine does when left alone. It must lose: that is the
//! proof that this test can fail, and that the sync is needed.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test")]

#[path = "powerloss/replay.rs"]
mod replay;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use replay::{DataSync, Disk, Event, Unsynced, parse};
use support::{Acknowledged, Numbers, child_process, run_child, seed};

/// Moments tried with each kind of loss.
const MOMENTS: usize = 25;
/// Moments tried without the sync.
const MOMENTS_WITHOUT_SYNC: usize = 10;
/// Steps of each of the writer's threads, and how often it opens the store.
const STEPS: u64 = 250;
const SESSIONS: u64 = 3;
/// A judge that takes longer hangs, which counts as a loss.
const JUDGE_MAX: Duration = Duration::from_secs(60);

#[test]
#[ignore = "runs as the child process of the other test"]
fn child() {
    run_child();
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let Some(shim) = build_shim(dir.path()) else {
        eprintln!("SKIPPED: no C compiler `cc` to build the recorder with");
        return;
    };
    let mut numbers = Numbers(seed());
    let root = dir.path().join("store");
    let events = record(&shim, dir.path(), &root);
    let run = Run { root: root.to_str().unwrap(), events: &events, scratch: dir.path() };

    for unsynced in [Unsynced::Lost, Unsynced::HalfLost] {
        let bad = run.losses(MOMENTS, DataSync::Honoured, unsynced, &mut numbers);
        assert!(bad.is_empty(), "{unsynced:?}: {} of {MOMENTS} moments bad: {bad:#?}", bad.len());
    }
    let bad = run.losses(MOMENTS_WITHOUT_SYNC, DataSync::Ignored, Unsynced::Lost, &mut numbers);
    println!(
        "without the sync {} of {MOMENTS_WITHOUT_SYNC} moments bad, the first: {:?}",
        bad.len(),
        bad.first()
    );
    assert!(!bad.is_empty(), "nothing is lost without the sync: this test would notice nothing");
}

fn build_shim(dir: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/powerloss/shim.c");
    let shim = dir.join("shim.so");
    let compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-pthread", "-o"])
        .args([&shim, &source])
        .output();
    match compiler {
        Ok(built) => {
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            Some(shim)
        }
        Err(_) => None,
    }
}

/// Runs the writer to its end and reads what was recorded.
fn record(shim: &Path, dir: &Path, root: &Path) -> Vec<Event> {
    let log = dir.join("log");
    let writer = child_process("write", root)
        .env("TRAM_STORE_SESSIONS", SESSIONS.to_string())
        .env("TRAM_STORE_STEPS", STEPS.to_string())
        .env("LD_PRELOAD", shim)
        .env("RECORD_ROOT", root)
        .env("RECORD_LOG", &log)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&writer.stdout);
    assert!(printed.contains("\nDONE\n"), "{printed}\n{}", String::from_utf8_lossy(&writer.stderr));
    let events = parse(&std::fs::read(log).unwrap());
    let syncs = events.iter().filter(|e| matches!(e, Event::SyncData { .. })).count();
    let writes = events.iter().filter(|e| matches!(e, Event::Write { .. })).count();
    println!("{} events, {writes} writes, {syncs} data syncs", events.len());
    assert!(syncs > 50 && writes > 50, "the recorder saw too little");
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
            .map(|_| first + numbers.below((self.events.len() - first) as u64) as usize)
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

/// Judges in a process of its own: the engine may panic or hang on what a power cut leaves.
fn judge_apart(dir: &Path, acknowledged: &Acknowledged) -> String {
    let words = acknowledged.map(|last| last.map_or("-".to_owned(), |last| last.to_string()));
    let out = dir.with_extension("verdict");
    let mut judge = child_process("judge", dir)
        .env("TRAM_STORE_ACKNOWLEDGED", words.join(" "))
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
