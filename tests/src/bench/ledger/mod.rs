//! Measuring the ledger in this process: appends by many, the disk's own syncs, a large log, and Tessera beside it.
//!
//! Begin with [`append::run`]; [`large::main`] is the part that runs in a process of its own, so that its memory is only its
//! own. Everything fails with a message: a figure that can't be had is not invented.

pub mod append;
pub mod disk;
pub mod large;
pub mod tessera;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use ledger::log::{Log, LogOptions};
use ledger::{KeyName, Signer, Vkey};

/// What a measurement gives back, or why there is none.
pub type Measured<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Bytes of an entry: about what a signed statement has.
pub const ENTRY_BYTES: usize = 800;

fn signer() -> Measured<Signer> {
    Ok(Signer::new(KeyName::new("urn:agency:vn:bench/ledger")?, SigningKey::from_bytes(&[7; 32])))
}

/// The key by which the logs of these measurements verify.
///
/// # Errors
/// None in practice: the name is a constant.
pub fn vkey() -> Measured<Vkey> {
    Ok(signer()?.vkey())
}

/// A log in `folder/log` with the settings of a node.
fn open(folder: &Path) -> Measured<Arc<Log>> {
    let clock = Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    let options = LogOptions::new(folder.join("guard"));
    Ok(Arc::new(Log::open(&folder.join("log"), signer()?, clock, options)?))
}

/// An entry of this many bytes that no other writer or turn has.
fn entry(writer: usize, turn: usize, bytes: usize) -> Vec<u8> {
    let mut entry = format!("writer {writer} entry {turn}\n").into_bytes();
    entry.resize(bytes, b'.');
    entry
}

/// The bytes of all files under a folder.
fn bytes_under(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for item in std::fs::read_dir(folder)? {
        let item = item?;
        bytes += if item.file_type()?.is_dir() { bytes_under(&item.path())? } else { item.metadata()?.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_append_of_a_measurement_is_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let run = append::run(folder.path(), 8, Duration::from_millis(200)).unwrap();
        assert!(run.took_ms.len() as u64 >= run.batches && run.batches > 0);
        let report = ledger::verify::verify_dir(&folder.path().join("log"), &vkey().unwrap()).unwrap();
        assert!(report.is_sound() && report.entries == run.took_ms.len() as u64, "{report:?}");
    }

    #[test]
    fn a_large_log_is_built_proved_and_verified() {
        let folder = tempfile::tempdir().unwrap();
        let sizes = large::Sizes { first: 3000, last: 9000, proofs: 50 };
        let figures = large::measure(folder.path(), &sizes).unwrap();
        assert!(figures.verify_per_s > 0.0 && figures.proof_p99_us > 0.0, "{figures:?}");
        assert_eq!(large::Large::parse(&figures.to_line()).unwrap(), figures);
        assert!(large::Large::parse("1 2 3").is_err());
    }

    #[test]
    fn tesseras_answer_is_read_and_another_is_refused() {
        let run = tessera::parse(br#"{"p50_ms":1.5,"p99_ms":9,"per_s":4500}"#).unwrap();
        assert_eq!((run.per_s, run.p50_ms, run.p99_ms), (4500.0, 1.5, 9.0));
        assert!(tessera::parse(b"{}").is_err());
    }
}
