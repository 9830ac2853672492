//! What the benchmarks (`src/bin/bench-*.rs`) share: medians, a payload, and the two ways to print figures.

pub mod door;
pub mod duckdb;
pub mod ledger;
pub mod nginx;
pub mod transfer;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

/// One megabyte, as the figures count.
pub const MB: f64 = 1_000_000.0;

/// The megabytes that `--mb` asks for, or `usual`.
pub fn payload_mb(usual: u64) -> u64 {
    let words: Vec<String> = std::env::args().collect();
    let given = words.iter().position(|word| word == "--mb").and_then(|at| words.get(at + 1)?.parse().ok());
    given.unwrap_or(usual)
}

/// Named figures, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Figures(Map<String, Value>);

impl Figures {
    /// Adds one; the name is lower case with the unit last. Rounded to three decimals: more is noise.
    pub fn add(&mut self, name: &str, value: f64) {
        let rounded = (value * 1000.0).round() / 1000.0;
        let whole = rounded.fract() == 0.0 && rounded.abs() < 1e15;
        self.0.insert(name.to_owned(), if whole { (rounded as i64).into() } else { rounded.into() });
    }

    /// Prints them to stdout: one JSON object with `--json`, else a line each.
    ///
    /// # Errors
    /// The terminal's.
    pub fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if std::env::args().any(|word| word == "--json") {
            return writeln!(out, "{}", Value::Object(self.0.clone()));
        }
        for (name, value) in &self.0 {
            writeln!(out, "{name:<32} {value}")?;
        }
        Ok(())
    }
}

/// Says on stderr what is going on.
pub fn say(text: &str) {
    eprintln!("  {text}");
}

/// The middle value; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share (0 to 1) of the values lie; 0 of none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}

/// Milliseconds, with fractions.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Writes a CSV file of at least so many bytes: readings of sensors, with a serial number and a person's code that a
/// governed view drops and masks, and a status that its row filter looks at. The same bytes each time. Returns rows and bytes.
///
/// # Errors
/// The disk's.
pub fn write_payload(path: &Path, bytes_min: u64) -> io::Result<(u64, u64)> {
    const HEADER: &str = "reading,station,time,pm25,pm10,status,person_code,serial,note\n";
    const STATUS: [&str; 10] = [
        "running",
        "running",
        "running",
        "calibrating",
        "running",
        "running",
        "running",
        "running",
        "running",
        "running",
    ];
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    out.write_all(HEADER.as_bytes())?;
    let (mut rows, mut bytes, mut state) = (0_u64, HEADER.len() as u64, 0x9E37_79B9_7F4A_7C15_u64);
    let mut line = Vec::with_capacity(256);
    while bytes < bytes_min {
        // xorshift64: a payload that does not compress to nothing, without a generator's cost.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        line.clear();
        let (day, hour) = (rows / 24 % 28 + 1, rows % 24);
        writeln!(
            line,
            "{rows},HN{:02},2026-{:02}-{day:02} {hour:02}:00:00,{}.{},{}.{},{},{:012},AQ-{:08X},trạm quan trắc số {}",
            state % 12 + 1,
            rows / 672 % 12 + 1,
            state % 140,
            state >> 8 & 7,
            state % 190,
            state >> 11 & 7,
            STATUS[(state >> 16) as usize % STATUS.len()],
            state >> 20 & 0xff_ffff_ffff,
            state as u32,
            state % 12 + 1
        )?;
        out.write_all(&line)?;
        rows += 1;
        bytes += line.len() as u64;
    }
    out.flush()?;
    Ok((rows, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 100.0], 0.99), 100.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn the_payload_has_the_size_and_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("1"), dir.path().join("2"));
        let (rows, bytes) = write_payload(&one, 100_000).unwrap();
        assert_eq!(write_payload(&two, 100_000).unwrap(), (rows, bytes));
        let text = std::fs::read_to_string(&one).unwrap();
        assert_eq!(text, std::fs::read_to_string(&two).unwrap());
        assert_eq!((text.len() as u64, text.lines().count() as u64), (bytes, rows + 1));
        assert!((100_000..100_400).contains(&bytes));
        assert!(text.lines().all(|line| line.matches(',').count() == 8));
    }
}
