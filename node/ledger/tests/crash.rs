//! Killing a writing process (SIGKILL) over 200 times, under load, while it opens, and while entries move to an archive
//! and back: nothing acknowledged is lost, and the root comes out again.
//!
//! In a program of its own: a process that starts another one shares its open files with it for a moment, locks
//! included, and the tests beside it would find their folders in use. For the same reason its tests run one after the
//! other, in one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use certs::note::{KeyName, Signer};
use ed25519_dalek::SigningKey;
use ledger::merkle::{Edge, leaf_hash};
use ledger::verify::verify_dir;
use ledger::{LedgerError, Log, LogOptions};

const FOLDER: &str = "LEDGER_CRASH_TEST_FOLDER";
const WORK: &str = "LEDGER_CRASH_TEST_WORK";
/// Kills under load, while opening, and while entries move.
const LOADED: u64 = 200;
const OPENING: u64 = 40;
const MOVING: u64 = 40;
/// After so many rounds everything is compared, and a new folder begun: the rounds stay short.
const ROUNDS_OF_A_FOLDER: u64 = 20;

fn log_signer() -> Signer {
    let name = KeyName::new("ledger.example/agency-a/exchange-log").unwrap();
    Signer::new(name, SigningKey::from_bytes(&[7; 32]))
}

fn open(folder: &Path) -> Log {
    let options = LogOptions {
        checkpoint_interval: Duration::from_millis(5),
        segment_bytes: 5_000,
        ..LogOptions::new(folder.join("guard"))
    };
    Log::open(&folder.join("log"), log_signer(), Arc::new(|| 0), options).unwrap()
}

fn archive(folder: &Path) -> PathBuf {
    folder.join("archive")
}

/// One write per line, so that a line is there or is not.
fn say(line: &str) {
    std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// The child: works for ever and says what was acknowledged. Alone, without its folder, it does nothing.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let work = std::env::var(WORK).unwrap();
    say("begun");
    if work == "open" {
        loop {
            drop(open(&folder));
            say("opened");
        }
    }
    let log = Arc::new(open(&folder));
    for writer in 0..4 {
        let log = Arc::clone(&log);
        std::thread::spawn(move || {
            for k in 0.. {
                let entry = format!("entry {k} of writer {writer} of {}", std::process::id());
                let committed = log.append_blocking(entry.as_bytes()).unwrap();
                say(&format!("ack {} {}", committed.index, committed.leaf_hash));
            }
        });
    }
    if work == "move" {
        loop {
            let moved = log.archive_before(u64::MAX, &archive(&folder)).unwrap();
            say(if moved.is_some() { "out" } else { "nothing yet" });
            if log.fetch_back(&archive(&folder)).unwrap() > 0 {
                say("back");
            }
        }
    }
    std::thread::sleep(Duration::from_secs(60));
}

fn start(folder: &Path, work: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "child"])
        .env(FOLDER, folder)
        .env(WORK, work)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Starts a child, kills it after it said `lines` lines that begin with the word and a moment more, and gives back all
/// that it said.
fn run_and_kill(folder: &Path, work: &str, word: &str, lines: usize, moment: Duration) -> Vec<String> {
    let mut child = start(folder, work);
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut heard, mut counted) = (Vec::new(), 0);
    while counted < lines {
        let line = said.next().expect("the child ended early").unwrap();
        counted += usize::from(line.starts_with(word));
        heard.push(line);
    }
    std::thread::sleep(moment);
    child.kill().unwrap();
    heard.extend(said.map_while(Result::ok));
    child.wait().unwrap();
    heard
}

/// Numbers that look random (Marsaglia's xorshift), the same at each run.
fn scattered(n: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..3 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

/// Everything that one folder's children acknowledged.
struct Rounds {
    folder: tempfile::TempDir,
    acknowledged: Vec<(u64, String)>,
    kills: u64,
}

impl Rounds {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), acknowledged: Vec::new(), kills: 0 }
    }

    fn round(&mut self, work: &str, word: &str, lines: usize, moment: Duration) -> Vec<String> {
        let said = run_and_kill(self.folder.path(), work, word, lines, moment);
        self.kills += 1;
        for ack in said.iter().filter_map(|line| line.strip_prefix("ack ")) {
            // The last line may have been cut by the kill.
            let Some((index, leaf)) = ack.split_once(' ').filter(|(_, leaf)| leaf.len() == 44) else {
                continue;
            };
            self.acknowledged.push((index.parse().unwrap(), leaf.to_owned()));
        }
        said
    }

    fn check(&self) {
        let folder = self.folder.path();
        let report = verify_dir(&folder.join("log"), &log_signer().vkey()).unwrap();
        assert_eq!(report.finding, None);
        let log = open(folder);
        if let Some(archived) = log.archived() {
            assert!(matches!(log.entry(0), Err(LedgerError::Archived { .. })));
            assert_eq!(log.fetch_back(&archive(folder)).unwrap(), archived.below);
        }
        for (index, leaf) in &self.acknowledged {
            assert_eq!(leaf_hash(&log.entry(*index).unwrap()).to_string(), *leaf, "entry {index}");
        }
        let mut edge = Edge::new();
        for index in 0..log.size() {
            edge.push(leaf_hash(&log.entry(index).unwrap()), |_, _| {});
        }
        assert_eq!(log.checkpoint().unwrap().checkpoint().root, edge.root());
    }
}

fn killed_under_load() -> u64 {
    let (mut kills, mut acknowledged) = (0, 0);
    while kills < LOADED {
        let mut rounds = Rounds::new();
        for _ in 0..ROUNDS_OF_A_FOLDER {
            let lines = 2 + scattered(kills + rounds.kills) % 60;
            rounds.round("append", "ack ", lines as usize, Duration::ZERO);
            // The next child replays what this one left; half of the time it is looked at before.
            if rounds.kills.is_multiple_of(4) {
                rounds.check();
            }
        }
        rounds.check();
        kills += rounds.kills;
        acknowledged += rounds.acknowledged.len();
    }
    assert!(acknowledged > 2000, "only {acknowledged} acknowledged: too little was tried");
    kills
}

/// The moment of the kill wanders over the time that opening takes, from the first system call on.
fn killed_while_opening() -> u64 {
    let mut rounds = Rounds::new();
    let mut opened = 0;
    for n in 0..OPENING {
        if n % 8 == 0 {
            rounds.round("append", "ack ", 40, Duration::ZERO);
        }
        let said = rounds.round("open", "begun", 1, Duration::from_micros(scattered(n) % 12_000));
        opened += said.iter().filter(|line| *line == "opened").count();
        rounds.check();
    }
    println!("opened {opened} times in {OPENING} rounds");
    rounds.kills
}

/// The child moves entries out and back for ever, while others append.
fn killed_while_moving() -> u64 {
    let mut rounds = Rounds::new();
    // A log with something to move.
    let log = open(rounds.folder.path());
    for k in 0..700 {
        let committed = log.append_blocking(format!("{k}")).unwrap();
        rounds.acknowledged.push((committed.index, committed.leaf_hash.to_string()));
    }
    drop(log);
    let (mut out, mut back) = (0, 0);
    for n in 0..MOVING {
        let word = if n % 2 == 0 { "out" } else { "back" };
        let said = rounds.round("move", word, 1, Duration::from_micros(scattered(n) % 20_000));
        out += said.iter().filter(|line| *line == "out").count();
        back += said.iter().filter(|line| *line == "back").count();
        rounds.check();
    }
    assert!(out >= 20 && back >= 20, "moved out {out} times and back {back} times: too little was tried");
    rounds.kills
}

#[test]
fn killing_loses_nothing_acknowledged() {
    let begun = std::time::Instant::now();
    let kills = [killed_under_load(), killed_while_opening(), killed_while_moving()];
    println!("kills under load, while opening, while moving: {kills:?}, in {:?}", begun.elapsed());
    assert!(kills[0] >= 200 && kills.iter().sum::<u64>() >= 280);
}
