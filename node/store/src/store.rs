//! The store itself: opening, reading, committing, closing.

use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::committer::{self, Job, Reply, Shared};
use crate::directory::{self, Directory, State};
use crate::engine::Engine;
use crate::export::{self, ExportSummary};
use crate::tx::validate_key;
use crate::verify::{self, Report};
use crate::{Page, Space, StoreError, Tx, Versioned, Watch, limits, reader};

/// What can be tuned. The defaults suit a node on an old PC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// The engine's page cache, in bytes.
    pub cache_bytes: u64,
    /// Free space below which the store does not open, in bytes.
    pub free_open_min_bytes: u64,
    /// Free space below which writes are refused, in bytes.
    pub free_write_min_bytes: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            cache_bytes: limits::CACHE_BYTES,
            free_open_min_bytes: limits::FREE_OPEN_MIN_BYTES,
            free_write_min_bytes: limits::FREE_WRITE_MIN_BYTES,
        }
    }
}

/// What the node remembers, in one folder. Share it as `Arc<Store>`; every method takes `&self`.
///
/// Reads answer from memory or with a short read of the disk and may be called from async code.
pub struct Store {
    shared: Arc<Shared>,
    queue: Mutex<Option<SyncSender<Job>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
    directory: Mutex<Option<Directory>>,
}

impl Store {
    /// Opens the store in `dir`, creating it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it open, [`StoreError::NewerSchema`] if a newer version wrote it,
    /// [`StoreError::BadDirectory`] if others may read the folder or files are missing, [`StoreError::DiskFull`],
    /// and what disk and engine say.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Self, StoreError> {
        let mut directory = Directory::claim(dir)?;
        if directory.state() == State::New {
            // Marked first, so that engine files without a mark are never the store's own doing.
            directory.mark(State::New)?;
        }
        let engine = open_engine(&directory, options)?;
        if directory.state() == State::New {
            directory.mark(State::Ready)?;
        }
        Self::start(directory, engine, options)
    }

    /// Makes a new store in `dir` out of an export. On any error the folder stays behind, marked as unfinished, and
    /// no store opens it.
    ///
    /// # Errors
    /// [`StoreError::BadImport`] if the export is damaged, cut short or not an export; [`StoreError::BadDirectory`] if
    /// there is a store already; and all errors of [`Store::open`].
    pub fn import(
        dir: &Path,
        options: OpenOptions,
        export: impl std::io::BufRead,
    ) -> Result<Self, StoreError> {
        let mut directory = Directory::claim(dir)?;
        if directory.state() == State::Ready || directory.has_data() {
            let what = "there is a store in it already; import into a new folder".to_owned();
            return Err(StoreError::BadDirectory { path: dir.display().to_string(), what });
        }
        directory.mark(State::Importing)?;
        let engine = open_engine(&directory, options)?;
        export::read(&engine, export)?;
        directory.mark(State::Ready)?;
        Self::start(directory, engine, options)
    }

    /// The value under `key`, if there is one. It may not be durable yet if it was written a moment ago.
    ///
    /// # Errors
    /// [`StoreError::BadRecord`] if the record is damaged, [`StoreError::BadTx`] for a key of wrong length.
    pub fn get(&self, space: Space, key: impl AsRef<[u8]>) -> Result<Option<Versioned>, StoreError> {
        let key = key.as_ref();
        validate_key(space, key)?;
        self.shared.with_engine(|engine| reader::get(engine, space, key))
    }

    /// The value under `key` read as JSON, with its revision.
    ///
    /// # Errors
    /// As [`Store::get`], and [`StoreError::Json`] if it is not the JSON of a `T`.
    pub fn get_json<T: DeserializeOwned>(
        &self,
        space: Space,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<(T, u64)>, StoreError> {
        let key = key.as_ref();
        let Some(Versioned { value, revision }) = self.get(space, key)? else { return Ok(None) };
        match serde_json::from_slice(&value) {
            Ok(parsed) => Ok(Some((parsed, revision))),
            Err(source) => Err(StoreError::Json { space, key: key.to_vec(), source }),
        }
    }

    /// One page of the keys from `from` (included) to `to` (excluded; `None`: to the end of the space), in byte order,
    /// all as of one moment. At most `limit` records, [`limits::SCAN_RECORDS_MAX`] in any case. Pages after each
    /// other are not of one moment.
    ///
    /// # Errors
    /// [`StoreError::BadRecord`] if a record in the page is damaged.
    pub fn scan(
        &self,
        space: Space,
        from: impl AsRef<[u8]>,
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.shared.with_engine(|engine| reader::scan(engine, space, from.as_ref(), to, limit))
    }

    /// Applies a transaction and gives its revision. When it answers `Ok`, it is durable.
    ///
    /// A caller that stops waiting (drops the future) does not know: the transaction may still be applied.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if a check failed, [`StoreError::BadTx`] beyond the limits, [`StoreError::Busy`],
    /// [`StoreError::DiskFull`], [`StoreError::BadRecord`] if a touched record is damaged: nothing was written.
    /// [`StoreError::ReadOnly`] after a failed write: whether this transaction survived shows after the restart.
    pub async fn commit(&self, tx: Tx) -> Result<u64, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.enqueue(tx, Reply::Task(sender))?;
        answer.await.unwrap_or_else(|_| Err(self.shared.read_only()))
    }

    /// As [`Store::commit`], holding up the calling thread. Not for async code.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn commit_blocking(&self, tx: Tx) -> Result<u64, StoreError> {
        let (sender, answer) = sync_channel(1);
        self.enqueue(tx, Reply::Thread(sender))?;
        answer.recv().unwrap_or_else(|_| Err(self.shared.read_only()))
    }

    /// Hints of durable changes from now on. A hint is not the change: read again what matters, and read everything
    /// again after [`crate::Hint::Missed`].
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(self.shared.watch())
    }

    /// Writes everything as lines of JSON that do not depend on the engine, all as of one moment. Commits wait
    /// until it is done; reads go on.
    ///
    /// # Errors
    /// [`StoreError::BadRecord`] if a record is damaged (nothing damaged is ever exported), and what the writer says.
    pub fn export(&self, out: impl std::io::Write) -> Result<ExportSummary, StoreError> {
        let _held = self.shared.hold_commits();
        self.shared.with_engine(|engine| export::write(engine, out))
    }

    /// Reads everything and holds it against its checksums. Commits wait until it is done; reads go on.
    ///
    /// # Errors
    /// Only what keeps it from reading at all; damaged records are in the report.
    pub fn verify(&self) -> Result<Report, StoreError> {
        let _held = self.shared.hold_commits();
        self.shared.with_engine(verify::verify)
    }

    /// Why the store is read-only, if it is.
    #[must_use]
    pub fn read_only(&self) -> Option<String> {
        self.shared.failure().map(str::to_owned)
    }

    /// Finishes the waiting transactions, then gives up the files and the lock. Later calls answer
    /// [`StoreError::Closed`]. Dropping the store does the same.
    pub fn close(&self) {
        drop(lock(&self.queue).take());
        if let Some(thread) = lock(&self.committer).take()
            && thread.join().is_err()
        {
            tracing::error!("the store's committer had panicked");
        }
        drop(self.shared.shut());
        drop(lock(&self.directory).take());
    }

    fn start(directory: Directory, engine: Engine, options: OpenOptions) -> Result<Self, StoreError> {
        let revision = reader::newest_revision(&engine)?;
        let shared = Arc::new(Shared::new(engine, directory.engine(), options.free_write_min_bytes));
        let (sender, queue) = sync_channel(limits::QUEUE_MAX);
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || committer::run(&theirs, &queue, revision))
            .map_err(StoreError::io("start the committer thread"))?;
        Ok(Store {
            shared,
            queue: Mutex::new(Some(sender)),
            committer: Mutex::new(Some(thread)),
            directory: Mutex::new(Some(directory)),
        })
    }

    fn enqueue(&self, tx: Tx, reply: Reply) -> Result<(), StoreError> {
        tx.validate()?;
        let queue = lock(&self.queue).clone().ok_or(StoreError::Closed)?;
        queue.try_send(Job { tx, reply }).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => self.shared.read_only(),
        })
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("read_only", &self.read_only()).finish_non_exhaustive()
    }
}

fn open_engine(directory: &Directory, options: OpenOptions) -> Result<Engine, StoreError> {
    let dir = directory.engine();
    let free_bytes = directory::free_bytes(dir.parent().unwrap_or(&dir))?;
    let min_bytes = directory.bytes_to_open(options.free_open_min_bytes);
    if free_bytes < min_bytes {
        return Err(StoreError::DiskFull { free_bytes, min_bytes });
    }
    let leftovers = directory.quarantine_leftovers()?;
    if leftovers > 0 {
        tracing::warn!(leftovers, "moved leftovers of an opening that was broken off to `quarantine`");
    }
    Engine::open(&dir, options.cache_bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
