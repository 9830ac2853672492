//! `tests/bench/run ledger`: durable appends a second, in this process. Keys: `appends_1_writer_per_s`,
//! `appends_64_writers_per_s`, `append_1_writer_p50_ms`, `append_1_writer_p99_ms`, `append_64_writers_p50_ms`,
//! `append_64_writers_p99_ms`, `entry_bytes`.
//!
//! An append counts when the ledger has answered, that is after the entry is durable. Writers share batches, so many are faster
//! than one; one writer waits for the disk each time.

use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use ledger::log::{Log, LogOptions};
use ledger::{KeyName, Signer};
use tests::bench::{Figures, ms, quantile, say};

/// How long each is measured.
const MEASURED: Duration = Duration::from_secs(10);
/// Bytes of an entry: about what a signed statement has.
const ENTRY_BYTES: usize = 800;

fn main() -> Result<(), Box<dyn Error>> {
    let mut figures = Figures::default();
    for (writers, name) in [(1, "1_writer"), (64, "64_writers")] {
        let (took, seconds) = append_for(writers)?;
        say(&format!("{writers} at a time: {} appends in {seconds:.1} s", took.len()));
        figures.add(&format!("appends_{name}_per_s"), took.len() as f64 / seconds);
        figures.add(&format!("append_{name}_p50_ms"), quantile(&took, 0.5));
        figures.add(&format!("append_{name}_p99_ms"), quantile(&took, 0.99));
    }
    figures.add("entry_bytes", ENTRY_BYTES as f64);
    Ok(figures.print()?)
}

/// Milliseconds of each append by so many threads on a fresh log, and the seconds that all took together.
fn append_for(writers: usize) -> Result<(Vec<f64>, f64), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let signer = Signer::new(KeyName::new("urn:agency:vn:bench/ledger")?, SigningKey::from_bytes(&[7; 32]));
    let clock = Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    let log =
        Log::open(&folder.path().join("log"), signer, clock, LogOptions::new(folder.path().join("guard")))?;
    let started = Instant::now();
    let results: Vec<Result<Vec<f64>, String>> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..writers).map(|writer| scope.spawn(writer_of(&log, writer, started))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a writer panicked".into())))
            .collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let mut all = Vec::new();
    for result in results {
        all.extend(result?);
    }
    if log.size() != all.len() as u64 {
        return Err(format!("{} appends, but the log holds {}", all.len(), log.size()).into());
    }
    Ok((all, seconds))
}

/// One writer: appends entries of its own until the time is up.
fn writer_of(log: &Log, writer: usize, started: Instant) -> impl FnOnce() -> Result<Vec<f64>, String> + '_ {
    move || {
        let mut took = Vec::new();
        while started.elapsed() < MEASURED {
            let mut entry = format!("writer {writer} entry {}\n", took.len()).into_bytes();
            entry.resize(ENTRY_BYTES, b'.');
            let before = Instant::now();
            log.append_blocking(entry).map_err(|error| error.to_string())?;
            took.push(ms(before.elapsed()));
        }
        Ok(took)
    }
}
