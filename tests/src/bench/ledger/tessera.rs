//! The yardstick: Tessera's POSIX storage through its own library, on the same disk, in the same run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{ENTRY_BYTES, Measured};

/// What Tessera did.
#[derive(Debug)]
pub struct Run {
    /// Durably integrated entries a second.
    pub per_s: f64,
    /// Half of them took no longer, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 took no longer, in milliseconds.
    pub p99_ms: f64,
}

/// The program that `tests/bench/run` has built.
///
/// # Errors
/// When the environment does not name it.
pub fn program() -> Measured<PathBuf> {
    std::env::var_os("TESSERA_BENCH")
        .map(PathBuf::from)
        .ok_or_else(|| "TESSERA_BENCH names no program: start this with `tests/bench/run ledger`".into())
}

/// The same concurrency and entry size as ours, each writer waiting until its entry is integrated.
///
/// # Errors
/// When the program fails or says something else.
pub fn run(program: &Path, folder: &Path, writers: usize, lasting: Duration) -> Measured<Run> {
    let output = Command::new(program)
        .arg(folder.join("tessera"))
        .args([writers.to_string(), lasting.as_secs().to_string(), ENTRY_BYTES.to_string()])
        .output()?;
    if !output.status.success() {
        return Err(format!("tessera-bench: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    parse(&output.stdout)
}

/// Reads the program's one line.
///
/// # Errors
/// When a figure is missing.
pub fn parse(line: &[u8]) -> Measured<Run> {
    let found: Value = serde_json::from_slice(line)?;
    let figure =
        |name: &str| found[name].as_f64().ok_or_else(|| format!("tessera-bench did not say `{name}`"));
    Ok(Run { per_s: figure("per_s")?, p50_ms: figure("p50_ms")?, p99_ms: figure("p99_ms")? })
}
