//! The yardstick of a governed view: DuckDB writes the same result to a local file on the same cores.

use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Seconds on the clock and of processor time until the result was durable.
///
/// # Errors
/// When DuckDB cannot be had or fails; its words are in the error.
pub fn governed(payload: &Path, out: &Path) -> io::Result<(f64, f64)> {
    let script = crate::repository().join("tests/bench/duckdb");
    let done = Command::new(script).arg(payload).arg(out).output()?;
    if !done.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&done.stderr).into_owned()));
    }
    let told: Value = serde_json::from_slice(&done.stdout)?;
    let number = |key: &str| told[key].as_f64().ok_or_else(|| io::Error::other(format!("no {key}: {told}")));
    Ok((number("seconds")?, number("cpu_seconds")?))
}
