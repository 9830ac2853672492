//! Killing a writing process (SIGKILL) again and again: nothing acknowledged is lost, and the root comes out again.
//!
//! In a program of its own: a process that starts another one shares its open files with it for a moment, locks
//! included, and the tests beside it would find their folders in use.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use certs::note::{KeyName, Signer};
use ed25519_dalek::SigningKey;
use ledger::merkle::{Edge, leaf_hash};
use ledger::verify::verify_dir;
use ledger::{Log, LogOptions};

const FOLDER: &str = "LEDGER_CRASH_TEST_FOLDER";

fn log_signer() -> Signer {
    let name = KeyName::new("ledger.example/agency-a/exchange-log").unwrap();
    Signer::new(name, SigningKey::from_bytes(&[7; 32]))
}

fn open(folder: &Path) -> Log {
    let options = LogOptions {
        checkpoint_interval: Duration::from_millis(5),
        segment_bytes: 20_000,
        ..LogOptions::new(folder.join("guard"))
    };
    Log::open(&folder.join("log"), log_signer(), Arc::new(|| 0), options).unwrap()
}

/// The child: appends for ever and says what was acknowledged. Alone, without its folder, it does nothing.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let log = Arc::new(open(Path::new(&folder)));
    for _ in 0..4 {
        let log = Arc::clone(&log);
        std::thread::spawn(move || {
            loop {
                let entry = format!("entry of {} after {}", std::process::id(), log.size());
                let committed = log.append_blocking(entry.as_bytes()).unwrap();
                // One write per line, so that a line is there or is not.
                let line = format!("ack {} {}\n", committed.index, committed.leaf_hash);
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn killing_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(u64, String)> = Vec::new();
    for round in 0..8usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "child"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        let mut listen = |line: String| {
            // The harness may write the beginning of the line.
            let Some((_, ack)) = line.split_once("ack ") else { return 0 };
            let (index, leaf) = ack.split_once(' ').unwrap();
            acknowledged.push((index.parse().unwrap(), leaf.to_owned()));
            1
        };
        while heard < 10 + 37 * round {
            heard += listen(lines.next().expect("the child ended early").unwrap());
        }
        child.kill().unwrap();
        for line in lines.map_while(std::result::Result::ok) {
            listen(line);
        }
        child.wait().unwrap();
        check(folder.path(), &acknowledged);
    }
    assert!(acknowledged.len() > 1000);
}

fn check(folder: &Path, acknowledged: &[(u64, String)]) {
    let report = verify_dir(&folder.join("log"), &log_signer().vkey()).unwrap();
    assert_eq!(report.finding, None);
    let log = open(folder);
    for (index, leaf) in acknowledged {
        assert_eq!(leaf_hash(&log.entry(*index).unwrap()).to_string(), *leaf);
    }
    let mut edge = Edge::new();
    for index in 0..log.size() {
        edge.push(leaf_hash(&log.entry(index).unwrap()), |_, _| {});
    }
    assert_eq!(log.checkpoint().unwrap().checkpoint().root, edge.root());
}
