//! The only module that names sled, and what makes sled 0.34.7 keep its word.
//!
//! Its `flush` writes with `sync_file_range`, which makes nothing durable by itself; [`Engine::make_durable`] follows
//! it with one `fdatasync` of the `db` file. Together with pieces of at most 4 KiB (longer ones go to files that nobody
//! syncs) this survives a power cut; `tests/powerloss.rs` shows it.

use std::fs::{File, TryLockError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
#[cfg(test)]
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sled::IVec;

use crate::StoreError;
use crate::directory::{sync_dir, sync_file};

/// How often the engine writes its buffers on its own, in milliseconds; only matters for what nobody waits for.
const FLUSH_EVERY_MS: u64 = 500;

/// How long an opening waits for what an earlier one in this process left running; it takes milliseconds.
const LEFTOVER_WAIT: Duration = Duration::from_secs(10);

/// How often it looks whether the wait is over.
const LEFTOVER_POLL: Duration = Duration::from_millis(5);

/// One key on the disk and its new frame; `None` removes it.
pub(crate) type DiskWrite = (Vec<u8>, Option<Vec<u8>>);

pub(crate) struct Engine {
    db: sled::Db,
    /// A second handle on the engine's log, for `fdatasync`.
    log: File,
    #[cfg(test)]
    pub(crate) fail_sync: AtomicBool,
}

impl Engine {
    /// Opens or creates the engine's files and makes their names and lengths durable.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        wait_until_given_up(&dir.join("db"))?;
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(cache_bytes)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(Some(FLUSH_EVERY_MS));
        // sled panics on some damaged files instead of answering with an error.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        let db = match opened {
            Ok(db) => db.map_err(failed("open its files"))?,
            Err(_) => {
                let detail = "its files are damaged; restore the store from a backup".to_owned();
                return Err(StoreError::Engine { what: "open its files", detail });
            }
        };
        db.flush().map_err(failed("write its buffers"))?;
        let path = dir.join("db");
        let log = File::open(&path).map_err(StoreError::io(format!("open `{}`", path.display())))?;
        sync_file(&path)?;
        sync_file(&dir.join("conf"))?;
        for folder in [&dir.join("blobs"), dir, dir.parent().unwrap_or(dir)] {
            sync_dir(folder)?;
        }
        Ok(Engine {
            db,
            log,
            #[cfg(test)]
            fail_sync: AtomicBool::new(false),
        })
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.db.get(key).map_err(failed("read a record"))
    }

    /// Keys from `from` to before `to`, in order. Not a snapshot by itself: the caller keeps writers out.
    pub(crate) fn range(
        &self,
        from: Vec<u8>,
        to: Vec<u8>,
    ) -> impl Iterator<Item = Result<(IVec, IVec), StoreError>> {
        let range = (from < to).then(|| self.db.range(from..to));
        range.into_iter().flatten().map(|item| item.map_err(failed("read a range of records")))
    }

    /// Applies all writes as one unit: after a crash all of them are there or none.
    pub(crate) fn apply(&self, writes: Vec<DiskWrite>) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for (key, frame) in writes {
            match frame {
                Some(frame) => batch.insert(key, frame),
                None => batch.remove(key),
            }
        }
        self.db.apply_batch(batch).map_err(failed("apply a transaction"))
    }

    /// Returns once everything applied so far is on the disk.
    pub(crate) fn make_durable(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(failed("write its buffers"))?;
        #[cfg(test)]
        if self.fail_sync.load(Ordering::SeqCst) {
            let source = std::io::Error::other("planted by a test");
            return Err(StoreError::Io { what: "sync the engine's log".to_owned(), source });
        }
        self.log.sync_data().map_err(StoreError::io("sync the engine's log"))
    }
}

/// sled's workers may hold its log locked for a moment after the last handle is dropped, and sled refuses to open a
/// locked log instead of waiting. The folder is ours by then, so whoever holds the log is about to let go.
fn wait_until_given_up(log: &Path) -> Result<(), StoreError> {
    let what = || format!("lock `{}`", log.display());
    let file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::io(what())(error)),
    };
    let deadline = Instant::now() + LEFTOVER_WAIT;
    loop {
        match file.try_lock() {
            // Dropping the handle unlocks it for sled.
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LEFTOVER_POLL),
            Err(TryLockError::WouldBlock) => {
                let detail = "its log stays locked; stop the program that uses it".to_owned();
                return Err(StoreError::Engine { what: "open its files", detail });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io(what())(error)),
        }
    }
}

fn failed(what: &'static str) -> impl FnOnce(sled::Error) -> StoreError {
    move |error| StoreError::Engine { what, detail: error.to_string() }
}
