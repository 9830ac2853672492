//! One `fdatasync` per batch: the kernel is the witness, through Debian's `strace`.
//!
//! In a program of its own, which the test starts again under `strace`: its child appends from many threads and says
//! how many batches it counted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by stopping")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use certs::note::{KeyName, Signer};
use ed25519_dalek::SigningKey;
use ledger::{Log, LogOptions};

const FOLDER: &str = "LEDGER_STRACE_TEST_FOLDER";
const WRITERS: usize = 32;
const APPENDS: usize = 40;

/// The child: appends and says how many batches that were. Alone, without its folder, it does nothing.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let signer =
        Signer::new(KeyName::new("ledger.example/strace").unwrap(), SigningKey::from_bytes(&[7; 32]));
    let options = LogOptions {
        // No checkpoint and no new segment while appends are counted: both sync files of their own.
        checkpoint_interval: Duration::from_secs(3600),
        ..LogOptions::new(folder.join("guard"))
    };
    let log = Arc::new(Log::open(&folder.join("log"), signer, Arc::new(|| 0), options).unwrap());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let log = &log;
            scope.spawn(move || {
                for n in 0..APPENDS {
                    log.append_blocking(format!("writer {writer} entry {n}")).unwrap();
                }
            });
        }
    });
    println!("batches {} entries {}", log.batches(), log.size());
}

#[test]
fn each_batch_is_one_write_and_one_fdatasync_of_the_write_ahead_log() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let output = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-qq",
            "-e",
            "trace=write,pwrite64,pwritev,fsync,fdatasync,sync_file_range,msync",
            "-o",
        ])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .expect("strace runs: install Debian's package strace");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let counts =
        said.lines().find_map(|line| line.split_once("batches ")).expect("the child tells its batches").1;
    let mut counts = counts.split(" entries ").map(|count| count.parse::<usize>().unwrap());
    let (batches, entries) = (counts.next().unwrap(), counts.next().unwrap());
    assert_eq!(entries, WRITERS * APPENDS);
    assert!(batches > 1 && batches < entries, "{batches} batches of {entries} entries: nothing was shared");

    let trace = std::fs::read_to_string(trace).unwrap();
    // A call that another thread interrupts is printed in two lines; only the first has its name and a parenthesis.
    let calls = |name: &str| {
        let on_wal = |line: &&str| {
            line.contains(&format!("{name}(")) && line.contains("/log/wal/") && line.contains(".wal>")
        };
        trace.lines().filter(on_wal).count()
    };
    assert_eq!(calls("fdatasync"), batches, "one fdatasync per batch");
    assert_eq!(calls("pwrite64"), batches, "one write per batch");
    assert_eq!(
        calls("sync_file_range") + calls("msync") + calls("pwritev") + calls("write"),
        0,
        "and nothing else"
    );
}
