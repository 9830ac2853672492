//! A writer is killed at random moments, also while it opens; what it had acknowledged must be there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use support::{Acknowledged, Numbers, child_process, judge, note, run_child, seed};

const ROUNDS: u64 = 30;

#[test]
#[ignore = "runs as the child process of the other test"]
fn child() {
    run_child();
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut numbers = Numbers(seed());
    let (mut runs, mut steps, mut cut_short) = (Vec::new(), 0, 0);
    for round in 1..=ROUNDS {
        // Every fifth round the writer may still be opening.
        let after_ms = if round % 5 == 0 { numbers.below(30) } else { 30 + numbers.below(400) };
        let (acknowledged, done) = kill_writer(&path, round, Duration::from_millis(after_ms));
        steps += acknowledged.iter().flatten().map(|last| last + 1).sum::<u64>();
        cut_short += u64::from(!done);
        runs.push((round, acknowledged));
        if let Err(what) = judge(&path, &runs) {
            panic!("round {round}, killed after {after_ms} ms: {what}");
        }
    }
    println!("{ROUNDS} rounds, {cut_short} cut short, {steps} steps acknowledged");
    assert!(
        cut_short >= 20 && steps > 200,
        "{cut_short} of {ROUNDS} cut short with {steps} steps: too little was tried"
    );
}

/// Lets a writer work for a while and kills it; gives what it acknowledged and whether it had finished by itself.
fn kill_writer(path: &std::path::Path, run: u64, after: Duration) -> (Acknowledged, bool) {
    let mut writer = child_process("write", path)
        .env("TRAM_STORE_RUN", run.to_string())
        .env("TRAM_STORE_STEPS", "1000000")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        let mut acknowledged = Acknowledged::default();
        let mut done = false;
        for line in lines.map_while(Result::ok) {
            note(&line, &mut acknowledged);
            done |= line == "DONE";
        }
        (acknowledged, done)
    });
    std::thread::sleep(after);
    writer.kill().unwrap();
    writer.wait().unwrap();
    reader.join().unwrap()
}
