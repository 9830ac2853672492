//! The log on disk: one writer thread, durable appends, signed checkpoints, and reads of any tile of any age.
//!
//! Promise: [`Log::append`] answers after the entry is durable, with its index; what is signed is durable; two
//! inconsistent checkpoints are never signed, as far as this disk and the guard file outside of it can tell. When
//! the disk fails, the log is *poisoned*: it refuses every later append and says so through
//! [`LogOptions::on_failure`], so that the process can stop.
//!
//! Layout of the folder: `meta` (form and origin), `lock`, `wal/<20 digits>.wal`, `entries.dat`, `entries.idx`,
//! `level0`..`level7`, `checkpoint`, and `archived` once entries were moved away. Formats: `wal.rs`, `flat.rs`,
//! `marker.rs`.
//!
//! Absent on purpose: witnesses and time-stamps, access control, deletion. Reads are ordinary file reads, quick
//! but blocking; the clock is the caller's and dates checkpoints for display only.

mod archive;
pub(crate) mod disk;
mod export;
pub(crate) mod flat;
pub(crate) mod marker;
mod publisher;
mod read;
mod recover;
mod types;
pub(crate) mod wal;
mod writer;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use certs::note::{KeyName, Signer, Vkey};
use tokio::sync::{oneshot, watch};

pub use archive::Archived;
pub use export::export_tiles;
pub use read::ENTRIES_MAX;
pub use types::{Clock, Committed, LogOptions, OnFailure, Published, Recovery, TornTail};

use crate::error::{LedgerError, Result};
use crate::merkle::{Hash, empty_root, leaf_hash};
use crate::statement::SignedStatement;
use flat::Flat;
use marker::{Marker, State};
use publisher::{News, Publisher};
use writer::{Item, Reply, Writer};

/// Bytes of an entry: its length has 16 bits in a bundle (C2SP `tlog-tiles`).
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Appends that may wait: at 20 000 a second under half a second of waiting. The next one is told [`LedgerError::Busy`].
pub const QUEUE_MAX: usize = 8192;
/// Entries in one batch: enough to hide a slow sync, small enough for a short one.
pub const BATCH_ENTRIES_MAX: usize = 4096;
/// Bytes of entries at which a batch is closed.
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// Bytes of a bundle of 256 entries of the largest size.
pub(crate) const BUNDLE_BYTES_MAX: usize = 256 * (ENTRY_BYTES_MAX + 2);
/// Bytes after which a new segment of the write-ahead log begins: replay of two takes well under a second. Each new one
/// has the flat files synced, and appends wait behind that: with 64 MiB the slowest hundredth of 1,024 writers waited
/// 38 ms, with 16 MiB 20 ms, at the same rate.
pub const SEGMENT_BYTES: u64 = 16 << 20;
/// The shortest time between two checkpoints.
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

const META_HEAD: &str = "tram-log@v1";
const META_BYTES_MAX: usize = 2048;

/// What is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub size: u64,
    pub root: Hash,
    pub data_bytes: u64,
}

/// What the threads and the readers share.
pub(crate) struct Shared {
    pub flat: Flat,
    snapshot: Mutex<Snapshot>,
    failure: OnceLock<String>,
    on_failure: Option<OnFailure>,
    syncs: AtomicU64,
    segment_bytes: u64,
    /// Entries before this index are in the archive.
    archived: AtomicU64,
}

impl Shared {
    fn snapshot(&self) -> Snapshot {
        *locked(&self.snapshot)
    }
    fn advance(&self, to: Snapshot) {
        *locked(&self.snapshot) = to;
    }
    fn is_poisoned(&self) -> bool {
        self.failure.get().is_some()
    }
    fn poison(&self, why: &str) {
        if self.failure.set(why.to_owned()).is_ok() {
            tracing::error!(why, "the ledger stopped; nothing more is recorded until a restart");
            if let Some(tell) = &self.on_failure {
                tell(why);
            }
        }
    }
    /// A failure that may have lost what was written before: nothing may be built on it.
    fn stop_on_failure<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.poison(&error.to_string());
        }
        outcome
    }
    /// Why nothing is appended any more.
    fn stopped(&self) -> LedgerError {
        match self.failure.get() {
            Some(why) => LedgerError::Poisoned(why.clone()),
            None => LedgerError::Closed,
        }
    }
}

/// What these locks guard is replaced in one step, so a thread that panicked leaves nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open log. Share it behind an `Arc`; dropping it publishes the last checkpoint and ends its threads.
pub struct Log {
    shared: Arc<Shared>,
    origin: KeyName,
    queue: RwLock<Option<SyncSender<Item>>>,
    published: watch::Receiver<Option<Arc<Published>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    recovery: Recovery,
    dir: PathBuf,
    /// What is archived; held while entries move.
    archive: Mutex<Option<Marker>>,
    _lock: File,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({}, {} entries)", self.origin, self.size())
    }
}

impl Log {
    /// Opens the log in `dir`, or begins one there. Its origin is the signer's name.
    ///
    /// # Errors
    /// [`LedgerError::InUse`], [`LedgerError::WrongOrigin`], [`LedgerError::BadOption`]; [`LedgerError::Corrupt`]
    /// naming file and place; [`LedgerError::Behind`], [`LedgerError::Fork`] and [`LedgerError::GuardMissing`] when
    /// signing might fork the log; [`LedgerError::Io`].
    pub fn open(dir: &Path, signer: Signer, clock: Clock, options: LogOptions) -> Result<Self> {
        disk::create_folder(dir)?;
        let lock = take_lock(dir)?;
        check_guard_place(dir, &options.guard)?;
        let origin = signer.vkey().name().clone();
        let wal = dir.join("wal");
        disk::create_folder(&wal)?;
        let flat = Flat::open(dir, true)?;
        prepare(dir, &wal, &flat, &origin)?;
        let mut keys = vec![signer.vkey()];
        keys.extend(options.former_keys.iter().filter(|key| *key.name() == origin).cloned());
        if options.full_check {
            crate::verify::check_before_open(dir, &keys)?;
        }
        let state = recover::replay(&wal, &flat)?;
        check_history(dir, &options, &keys, &flat, state.edge.size())?;
        Self::start(Parts { dir, wal, flat, signer, clock, options, state, origin, lock })
    }

    fn start(parts: Parts<'_>) -> Result<Self> {
        let Parts { dir, wal, flat, signer, clock, options, state, origin, lock } = parts;
        let file = disk::open_writable(&state.current.path)?;
        cut_torn_tail(&file, &state.recovery)?;
        let (size, root) = (state.edge.size(), state.edge.root());
        let replayed_from = state.older.first().unwrap_or(&state.current).first;
        let mut marker = archive::open(dir, &flat, replayed_from)?;
        let shared = Arc::new(Shared {
            flat,
            snapshot: Mutex::new(Snapshot { size, root, data_bytes: state.data_bytes }),
            failure: OnceLock::new(),
            on_failure: options.on_failure,
            syncs: AtomicU64::new(0),
            segment_bytes: options.segment_bytes,
            archived: AtomicU64::new(marker.as_ref().map_or(0, |marker| marker.below)),
        });
        let (published, receiver) = watch::channel(None);
        let publisher = Publisher {
            shared: Arc::clone(&shared),
            signer,
            clock,
            checkpoint: dir.join("checkpoint"),
            guard: options.guard,
            folder: wal.clone(),
            interval: options.checkpoint_interval,
            published,
        };
        publisher.publish()?;
        if let Some(moving) = marker.take_if(|marker| marker.state == State::Moving) {
            marker = Some(archive::finish(dir, &shared, &moving)?);
        }
        let (news, heard) = channel();
        for segment in state.older {
            let _ = news.send(News::Replaced(segment));
        }
        let writer = Writer {
            shared: Arc::clone(&shared),
            folder: wal,
            segment: state.current,
            file,
            file_bytes: state.current_bytes,
            edge: state.edge,
            data_bytes: state.data_bytes,
            news,
        };
        let (queue, items) = sync_channel(options.queue);
        let threads = vec![
            spawn("ledger-publisher", dir, move || publisher.run(&heard))?,
            spawn("ledger-writer", dir, move || writer.run(&items))?,
        ];
        Ok(Self {
            shared,
            origin,
            queue: RwLock::new(Some(queue)),
            published: receiver,
            threads: Mutex::new(threads),
            recovery: state.recovery,
            dir: dir.to_owned(),
            archive: Mutex::new(marker),
            _lock: lock,
        })
    }

    /// Appends an entry; answers when it is durable.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`], [`LedgerError::Malformed`] (empty), [`LedgerError::Busy`],
    /// [`LedgerError::Poisoned`], [`LedgerError::Closed`]. After `Poisoned` the entry may or may not be in the log.
    pub async fn append(&self, entry: impl Into<Vec<u8>>) -> Result<Committed> {
        let (tell, told) = oneshot::channel();
        self.submit(entry.into(), Box::new(move |answer| drop(tell.send(answer))))?;
        told.await.unwrap_or_else(|_| Err(self.shared.stopped()))
    }

    /// Appends a signed statement.
    ///
    /// # Errors
    /// Those of [`Log::append`].
    pub async fn append_statement(&self, statement: &SignedStatement) -> Result<Committed> {
        self.append(statement.bytes()).await
    }

    /// [`Log::append`] for callers without an async runtime; blocks the thread.
    ///
    /// # Errors
    /// Those of [`Log::append`].
    pub fn append_blocking(&self, entry: impl Into<Vec<u8>>) -> Result<Committed> {
        let (tell, told) = sync_channel(1);
        self.submit(entry.into(), Box::new(move |answer| drop(tell.send(answer))))?;
        told.recv().unwrap_or_else(|_| Err(self.shared.stopped()))
    }

    fn submit(&self, entry: Vec<u8>, reply: Reply) -> Result<()> {
        if self.shared.is_poisoned() {
            return Err(self.shared.stopped());
        }
        if entry.is_empty() {
            return Err(LedgerError::malformed("entry", "it is empty"));
        }
        if entry.len() > ENTRY_BYTES_MAX {
            return Err(LedgerError::TooLarge { what: "entry", bytes: entry.len(), max: ENTRY_BYTES_MAX });
        }
        let item = Item { leaf: leaf_hash(&entry), entry, reply };
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        match queue.as_ref().map(|queue| queue.try_send(item)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(LedgerError::Busy),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(self.shared.stopped()),
        }
    }

    /// The newest signed checkpoint.
    ///
    /// # Errors
    /// [`LedgerError::Closed`] cannot happen on an open log: a checkpoint is signed at opening.
    pub fn checkpoint(&self) -> Result<Arc<Published>> {
        self.published.borrow().clone().ok_or(LedgerError::Closed)
    }

    /// Waits for a signed checkpoint whose tree holds entry `index`: at most about the checkpoint interval for an
    /// entry that was appended. For an index that is never appended it waits for ever; put a time limit around it.
    ///
    /// # Errors
    /// [`LedgerError::Poisoned`], [`LedgerError::Closed`].
    pub async fn checkpoint_covering(&self, index: u64) -> Result<Arc<Published>> {
        let mut watched = self.published.clone();
        let covers = |published: &Option<Arc<Published>>| {
            published.as_ref().is_some_and(|published| published.checkpoint().size > index)
        };
        let found = watched.wait_for(covers).await.map(|published| published.clone());
        found.ok().flatten().ok_or_else(|| self.shared.stopped())
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &KeyName {
        &self.origin
    }

    /// Durable entries; the signed checkpoint may be a little behind.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.shared.snapshot().size
    }

    /// What opening found and did.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Why the log stopped, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.shared.failure.get().map(String::as_str)
    }

    /// How many batches were synced since opening: one `fdatasync` each.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.shared.syncs.load(Ordering::Relaxed)
    }

    /// Takes no more appends, finishes those that wait, publishes the last checkpoint and ends the threads. Blocks
    /// until then. Reads still work.
    pub fn close(&self) {
        self.queue.write().unwrap_or_else(PoisonError::into_inner).take();
        let threads = std::mem::take(&mut *locked(&self.threads));
        for thread in threads {
            if thread.join().is_err() {
                self.shared.poison("a thread of the ledger panicked");
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

struct Parts<'a> {
    dir: &'a Path,
    wal: PathBuf,
    flat: Flat,
    signer: Signer,
    clock: Clock,
    options: LogOptions,
    state: recover::State,
    origin: KeyName,
    lock: File,
}

/// Removes an incomplete last record, and says so.
fn cut_torn_tail(file: &File, recovery: &Recovery) -> Result<()> {
    let Some(TornTail { segment, offset }) = &recovery.torn else { return Ok(()) };
    let path = segment.display().to_string();
    tracing::warn!(segment = path, offset, "cut off a record that was never acknowledged");
    disk::cut(file, segment, *offset)
}

fn spawn(name: &str, dir: &Path, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(LedgerError::io("starting a thread for", dir))
}

/// Holds the folder for this process until the file is dropped.
pub(crate) fn take_lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let file = disk::open_writable(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LedgerError::InUse(dir.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(LedgerError::io("locking", &path)(error)),
    }
}

/// The guard must not travel with the folder that it guards.
fn check_guard_place(dir: &Path, guard: &Path) -> Result<()> {
    let folder = guard.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk::create_folder(folder)?;
    let folder = folder.canonicalize().map_err(LedgerError::io("resolving", folder))?;
    let dir = dir.canonicalize().map_err(LedgerError::io("resolving", dir))?;
    if folder.starts_with(&dir) {
        let why = "it must lie outside of the log's folder";
        return Err(LedgerError::BadOption { name: "guard", why });
    }
    Ok(())
}

/// Begins a log in an empty folder, or checks that the folder is that of this log.
fn prepare(dir: &Path, wal: &Path, flat: &Flat, origin: &KeyName) -> Result<()> {
    let path = dir.join("meta");
    let meta = format!("{META_HEAD}\n{origin}\n");
    match disk::read_small(&path, META_BYTES_MAX)? {
        Some(found) if found == meta.as_bytes() => Ok(()),
        Some(found) => {
            let found = String::from_utf8_lossy(&found);
            let found = crate::text::shortened(found.lines().nth(1).unwrap_or_default());
            Err(LedgerError::WrongOrigin { dir: dir.to_owned(), found, expected: origin.to_string() })
        }
        None => {
            let begun =
                wal::segments(wal)?.len() > 1 || dir.join("checkpoint").exists() || !flat.is_empty()?;
            if begun {
                return Err(LedgerError::corrupt(
                    &path,
                    "its beginning",
                    "it is missing, but a log is there",
                ));
            }
            // `meta` comes last: a crash before it leaves a folder that counts as empty.
            wal::create(wal, 0, &empty_root())?;
            flat.sync()?;
            disk::sync_folder(dir)?;
            disk::replace(&path, meta.as_bytes())
        }
    }
}

/// Compares the log on disk with both copies of the last checkpoint that we signed.
fn check_history(dir: &Path, options: &LogOptions, keys: &[Vkey], flat: &Flat, size: u64) -> Result<()> {
    let path = dir.join("checkpoint");
    let own = recover::check_signed(&path, keys, flat, size)?;
    let guard = recover::check_signed(&options.guard, keys, flat, size)?;
    match (own, guard) {
        (None, _) if size > 0 => {
            Err(LedgerError::corrupt(&path, "its beginning", "it is missing, but the log has entries"))
        }
        (Some(1..), None) if !options.accept_missing_guard => {
            Err(LedgerError::GuardMissing(options.guard.clone()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod archive_tests;
#[cfg(test)]
pub(crate) mod fault;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
