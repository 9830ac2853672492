//! A log of ten million entries: memory at one and at ten million, proofs from it, and its verification.
//!
//! Runs in a process of its own that a benchmark starts with [`WORD`]: memory is then that of the log alone. The caller gets
//! one line of figures.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use ledger::Log;
use ledger::log::BATCH_ENTRIES_MAX;
use tokio::task::JoinSet;

use super::{Measured, entry, open, vkey};
use crate::bench::{MB, quantile, say};
use crate::rss_bytes;

/// The argument that makes a benchmark be the process of its own.
pub const WORD: &str = "--large-log";
/// Bytes of an entry here: 200 instead of 800, so that ten million are 2 GB and not 8.
const ENTRY_BYTES: usize = 200;

/// How large.
#[derive(Debug)]
pub struct Sizes {
    /// Entries at which memory is read first.
    pub first: u64,
    /// Entries at the end.
    pub last: u64,
    /// Proofs to make.
    pub proofs: u64,
}

impl Sizes {
    /// One and ten million.
    pub const FULL: Self = Self { first: 1_000_000, last: 10_000_000, proofs: 100_000 };
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Large {
    /// Resident memory at the first size, in MB.
    pub first_rss_mb: f64,
    /// Resident memory at the last size, in MB.
    pub last_rss_mb: f64,
    /// 99th percentile of making one inclusion proof at the last size, in microseconds.
    pub proof_p99_us: f64,
    /// Entries verified by one core, in a second of its time: every entry, hash and root of the folder.
    pub verify_per_s: f64,
    /// The most memory that verification ever had, on top of the log's, in MB.
    pub peak_rss_mb: f64,
}

impl Large {
    /// One line for the process that asked.
    pub fn to_line(&self) -> String {
        let Self { first_rss_mb, last_rss_mb, proof_p99_us, verify_per_s, peak_rss_mb } = self;
        format!("{first_rss_mb} {last_rss_mb} {proof_p99_us} {verify_per_s} {peak_rss_mb}")
    }

    /// Reads that line.
    ///
    /// # Errors
    /// When it is another one.
    pub fn parse(line: &str) -> Measured<Self> {
        let numbers = line.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let [first_rss_mb, last_rss_mb, proof_p99_us, verify_per_s, peak_rss_mb] = numbers[..] else {
            return Err(format!("`{line}` is not five figures").into());
        };
        Ok(Self { first_rss_mb, last_rss_mb, proof_p99_us, verify_per_s, peak_rss_mb })
    }
}

/// Starts this program again for the measurement.
///
/// # Errors
/// When it fails; it has said why on stderr.
pub fn in_a_process_of_its_own(folder: &Path) -> Measured<Large> {
    let output = Command::new(std::env::current_exe()?)
        .arg(WORD)
        .arg(folder)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the measurement of a large log ended with {}", output.status).into());
    }
    Large::parse(&String::from_utf8_lossy(&output.stdout))
}

/// Builds the log under `folder` and measures.
///
/// # Errors
/// The log's; and when verification finds something.
pub fn measure(folder: &Path, sizes: &Sizes) -> Measured<Large> {
    let log = open(folder)?;
    grow(&log, sizes.first)?;
    let first_rss_mb = memory_mb(false)?;
    grow(&log, sizes.last)?;
    let last_rss_mb = memory_mb(false)?;
    let proof_p99_us = quantile(&proofs(&log, sizes)?, 0.99);
    log.close();
    drop(log);
    say(&format!("{} entries are there; verifying them", sizes.last));
    let before = cpu_seconds()?;
    let report = ledger::verify::verify_dir(&folder.join("log"), &vkey()?)?;
    let verify_per_s = report.entries as f64 / (cpu_seconds()? - before).max(0.01);
    if !report.is_sound() || report.entries != sizes.last {
        return Err(format!("the log does not verify: {report:?}").into());
    }
    Ok(Large { first_rss_mb, last_rss_mb, proof_p99_us, verify_per_s, peak_rss_mb: memory_mb(true)? })
}

/// Appends up to that many entries, one full batch in flight.
fn grow(log: &Arc<Log>, to: u64) -> Measured<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        while log.size() < to {
            let mut tasks = JoinSet::new();
            let count = (to - log.size()).min(BATCH_ENTRIES_MAX as u64);
            for n in 0..count {
                let (log, entry) = (Arc::clone(log), entry(n as usize, log.size() as usize, ENTRY_BYTES));
                tasks.spawn(async move { log.append(entry).await.map(drop) });
            }
            while let Some(done) = tasks.join_next().await {
                done??;
            }
        }
        Ok(())
    })
}

/// Microseconds of each proof, of entries all over the log.
fn proofs(log: &Log, sizes: &Sizes) -> Measured<Vec<f64>> {
    let mut took = Vec::new();
    for n in 0..sizes.proofs {
        // A multiple of a large odd number, so that no two in a row are neighbours.
        let index = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % sizes.last;
        let before = Instant::now();
        log.inclusion(index, sizes.last)?;
        took.push(before.elapsed().as_secs_f64() * 1e6);
    }
    Ok(took)
}

fn memory_mb(peak: bool) -> Measured<f64> {
    let bytes = rss_bytes(std::process::id(), peak).ok_or("this system does not tell a process's memory")?;
    Ok(bytes as f64 / MB)
}

/// Processor time of this process so far, in seconds: fields 14 and 15 of `/proc/self/stat`, in hundredths.
fn cpu_seconds() -> Measured<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
    if ticks.len() != 2 {
        return Err("this system does not tell a process's time".into());
    }
    Ok(ticks.iter().sum::<f64>() / 100.0)
}
