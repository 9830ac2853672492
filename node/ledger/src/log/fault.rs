//! Disk failures on demand, for tests.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{LedgerError, Result};

#[derive(Default)]
pub(crate) struct Fault(AtomicU8);

impl Fault {
    const HALF_A_WRITE: u8 = 1;
    const SYNC: u8 = 2;

    /// The next record is written by half, then the disk says no.
    pub fn fail_write(&self) {
        self.0.store(Self::HALF_A_WRITE, Ordering::SeqCst);
    }
    /// The next record is written and persists, but the sync says no.
    pub fn fail_sync(&self) {
        self.0.store(Self::SYNC, Ordering::SeqCst);
    }

    pub fn before_write(&self, file: &File, offset: u64, record: &[u8], path: &Path) -> Result<()> {
        if self.0.load(Ordering::SeqCst) != Self::HALF_A_WRITE {
            return Ok(());
        }
        file.write_all_at(&record[..record.len() / 2], offset).unwrap();
        Err(LedgerError::io("writing", path)(std::io::Error::other("no space")))
    }
    pub fn before_sync(&self, path: &Path) -> Result<()> {
        if self.0.load(Ordering::SeqCst) != Self::SYNC {
            return Ok(());
        }
        Err(LedgerError::io("syncing", path)(std::io::Error::other("input/output error")))
    }
}
