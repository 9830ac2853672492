//! Durable appends by many writers at a time, each waiting for its own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::Log;
use tokio::task::JoinSet;

use super::{ENTRY_BYTES, Measured, bytes_under, entry, open};
use crate::bench::ms;

/// Threads that the writers share; the log's own two come on top.
const WORKERS: usize = 2;

/// What one measurement found.
#[derive(Debug)]
pub struct Run {
    /// Milliseconds of each append, from the call to the durable answer.
    pub took_ms: Vec<f64>,
    /// How long all took together.
    pub seconds: f64,
    /// Batches, one `fdatasync` each.
    pub batches: u64,
    /// Bytes of the log's folder per entry, write-ahead log left aside: that is recycled.
    pub bytes_per_entry: f64,
}

impl Run {
    /// Durable appends a second.
    pub fn per_s(&self) -> f64 {
        self.took_ms.len() as f64 / self.seconds
    }
}

/// Appends to a fresh log under `folder` by so many writers.
///
/// # Errors
/// The log's; and when the log does not hold what was answered.
pub fn run(folder: &Path, writers: usize, lasting: Duration) -> Measured<Run> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).build()?;
    let log = open(folder)?;
    let started = Instant::now();
    let took_ms = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for writer in 0..writers {
            tasks.spawn(write(Arc::clone(&log), writer, started + lasting));
        }
        let mut all = Vec::new();
        while let Some(one) = tasks.join_next().await {
            all.extend(one??);
        }
        Measured::Ok(all)
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let batches = log.batches();
    log.close();
    if log.size() != took_ms.len() as u64 {
        return Err(
            format!("{} appends were answered, but the log holds {}", took_ms.len(), log.size()).into()
        );
    }
    let bytes = bytes_under(&folder.join("log"))? - bytes_under(&folder.join("log/wal"))?;
    let bytes_per_entry = bytes as f64 / took_ms.len() as f64;
    Ok(Run { took_ms, seconds, batches, bytes_per_entry })
}

/// One writer, until the time is up.
async fn write(log: Arc<Log>, writer: usize, until: Instant) -> Measured<Vec<f64>> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let entry = entry(writer, took.len(), ENTRY_BYTES);
        let before = Instant::now();
        log.append(entry).await?;
        took.push(ms(before.elapsed()));
    }
    Ok(took)
}
