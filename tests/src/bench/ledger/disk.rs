//! What the disk itself can do: the yardstick of every durable append.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Measured;

/// One block.
const BLOCK: [u8; 4096] = [b'.'; 4096];

/// Appended blocks made durable with `fdatasync`, a second.
///
/// # Errors
/// The disk's.
pub fn fsyncs_per_s(folder: &Path, lasting: Duration) -> Measured<f64> {
    let file = File::create(folder.join("fsync"))?;
    let started = Instant::now();
    let mut count = 0u64;
    while started.elapsed() < lasting {
        file.write_all_at(&BLOCK, count * BLOCK.len() as u64)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}
