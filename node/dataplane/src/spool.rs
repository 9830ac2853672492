//! The provider's spool: an answer cut into chunks on disk, readable while it is still being written.
//!
//! **Promises.** A chunk is visible under its name only when it is complete; it is hashed once; all but the last
//! have the same size. Clear chunks are not synced: after a power cut they are hashed before they are served
//! ([`SpoolReader::verify`]) and computed again if need be, which costs less than making every spool durable. Sealed
//! chunks cannot be made again under the same key, so they are durable when the spool is sealed. The writer's calls
//! block; [`spool`] runs them on a thread beside the one that makes the answer. A writer with a [`Sealer`] puts nothing
//! but sealed chunks on the disk.

mod serve;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use tokio::sync::{mpsc, watch};

pub use self::serve::ChunkFile;
use crate::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, CHUNKS_MAX};
pub use crate::merkle::ChunkDigest;
use crate::merkle::{self, Sha256};
use crate::sealing::{self, Sealer};
use crate::{Answer, DataError};

/// What a sealed spool holds; a manifest takes its figures from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpoolSummary {
    /// Bytes of each chunk but the last.
    pub chunk_size: u64,
    /// The chunks in order.
    pub chunks: Vec<ChunkDigest>,
    /// Bytes of all chunks.
    pub bytes: u64,
    /// Rows of the whole.
    pub rows: u64,
    /// Whether the answer ends at the restriction's `max_rows` though there was more.
    pub capped: bool,
    /// Digest of the whole, before its chunks were sealed if they were.
    pub sha256: Sha256,
    /// Merkle root over the chunks ([`merkle::root`]).
    pub root: Sha256,
}

/// Where a spool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolState {
    /// More chunks may come.
    Writing,
    /// Complete.
    Sealed,
    /// The writer gave up; no more chunks come and no manifest will.
    Abandoned,
}

/// How far a spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Complete chunks: `0..chunks` may be read.
    pub chunks: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Where the spool stands.
    pub state: SpoolState,
}

/// A chunk as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Its bytes and digest.
    Ready(Bytes, ChunkDigest),
    /// Not complete; ask again later.
    NotYet,
}

/// What writer and readers share.
#[derive(Debug, Default)]
struct Shared {
    digests: RwLock<Vec<ChunkDigest>>,
    summary: RwLock<Option<Arc<SpoolSummary>>>,
    /// Chunks that another process wrote and that were not hashed since.
    doubted: Mutex<BTreeSet<u64>>,
}

/// Writes one spool. Dropped without [`ChunkWriter::seal`], it tells its readers that the spool is abandoned.
#[derive(Debug)]
pub struct ChunkWriter {
    dir: PathBuf,
    chunk_size: usize,
    /// How much of a chunk is rows: all, or all but what sealing adds.
    room: usize,
    sealer: Option<Sealer>,
    /// Whether its chunks are synced before it is sealed.
    durable: bool,
    buffer: Vec<u8>,
    whole: sha2::Sha256,
    shared: Arc<Shared>,
    progress: watch::Sender<Progress>,
}

impl ChunkWriter {
    /// Begins a spool in `dir`, which is made if need be; what an earlier, unfinished spool left there is removed.
    ///
    /// # Errors
    /// [`DataError::ChunkSize`] outside 256 KiB to 8 MiB; [`DataError::Io`].
    pub fn create(dir: &Path, chunk_size: u64) -> Result<(Self, SpoolReader), DataError> {
        if !(CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&chunk_size) {
            return Err(DataError::ChunkSize(chunk_size));
        }
        let size = usize::try_from(chunk_size).map_err(|_| DataError::ChunkSize(chunk_size))?;
        fs::create_dir_all(dir).map_err(DataError::io("make the spool's directory"))?;
        remove_leftovers(dir)?;
        let (sender, receiver) = watch::channel(Progress { chunks: 0, bytes: 0, state: SpoolState::Writing });
        let shared = Arc::new(Shared::default());
        let reader = SpoolReader { dir: dir.to_owned(), shared: Arc::clone(&shared), progress: receiver };
        let writer = Self {
            dir: dir.to_owned(),
            chunk_size: size,
            room: size,
            sealer: None,
            durable: false,
            buffer: Vec::with_capacity(size),
            whole: sha2::Sha256::new(),
            shared,
            progress: sender,
        };
        Ok((writer, reader))
    }

    /// Lets the chunks be synced before the spool counts as whole: for rows that could not be made a second time.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Lets the chunks be sealed, of which `chunk_size` is then the size with what sealing adds. Before the first byte.
    #[must_use]
    pub fn sealed(mut self, sealer: Sealer) -> Self {
        // The smallest chunk is far longer than a tag.
        self.room = self.chunk_size.saturating_sub(sealing::OVERHEAD as usize);
        self.sealer = Some(sealer);
        self
    }

    /// Adds bytes; each chunk that they complete becomes readable at once. Blocks on the disk.
    ///
    /// # Errors
    /// [`DataError::Io`]; [`DataError::Quota`] past the greatest number of chunks. The spool is then of no use.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), DataError> {
        while !bytes.is_empty() {
            let room = self.room.saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= self.room {
                self.flush_chunk()?;
            }
        }
        Ok(())
    }

    /// Ends the spool: writes the last chunk, makes sealed chunks durable, and only then tells the readers.
    ///
    /// # Errors
    /// [`DataError::Io`]; the spool then counts as abandoned.
    pub fn seal(mut self, rows: u64, capped: bool) -> Result<Arc<SpoolSummary>, DataError> {
        if !self.buffer.is_empty() {
            self.flush_chunk()?;
        }
        let chunks = read(&self.shared.digests).clone();
        let summary = Arc::new(SpoolSummary {
            chunk_size: self.chunk_size as u64,
            bytes: chunks.iter().map(|c| c.len).sum(),
            rows,
            capped,
            sha256: Sha256(std::mem::take(&mut self.whole).finalize().into()),
            root: merkle::root(&chunks),
            chunks,
        });
        if self.durable || self.sealer.is_some() {
            for number in 0..summary.chunks.len() as u64 {
                sync_file(&chunk_path(&self.dir, number))?;
            }
        }
        write_durably(&self.dir, SUMMARY_FILE, &serde_json::to_vec(&*summary).map_err(not_written)?)?;
        *write(&self.shared.summary) = Some(Arc::clone(&summary));
        self.progress.send_modify(|p| p.state = SpoolState::Sealed);
        Ok(summary)
    }

    fn flush_chunk(&mut self) -> Result<(), DataError> {
        let number = self.progress.borrow().chunks;
        if number >= CHUNKS_MAX {
            return Err(DataError::Quota { unit: "chunks", max: CHUNKS_MAX });
        }
        self.whole.update(&self.buffer);
        if let Some(sealer) = &self.sealer {
            sealer.seal(number, &mut self.buffer)?;
        }
        let digest = ChunkDigest { len: self.buffer.len() as u64, sha256: Sha256::of(&self.buffer) };
        let path = chunk_path(&self.dir, number);
        let part = path.with_extension("part");
        fs::write(&part, &self.buffer).map_err(DataError::io("write a chunk"))?;
        fs::rename(&part, &path).map_err(DataError::io("name a chunk"))?;
        self.buffer.clear();
        write(&self.shared.digests).push(digest);
        self.progress.send_modify(|p| {
            p.chunks += 1;
            p.bytes += digest.len;
        });
        Ok(())
    }
}

impl Drop for ChunkWriter {
    fn drop(&mut self) {
        self.progress.send_if_modified(|p| {
            let open = p.state == SpoolState::Writing;
            if open {
                p.state = SpoolState::Abandoned;
            }
            open
        });
    }
}

/// Reads one spool, finished or not. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SpoolReader {
    dir: PathBuf,
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
}

impl SpoolReader {
    /// Opens a sealed spool, as after a restart. Blocks on the disk.
    ///
    /// # Errors
    /// [`DataError::Spool`] when it was never sealed, when its figures contradict each other, or when a chunk is
    /// missing or has another length.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let bytes =
            fs::read(dir.join(SUMMARY_FILE)).map_err(|_| DataError::Spool("it was never sealed".into()))?;
        let summary: SpoolSummary = serde_json::from_slice(&bytes)
            .map_err(|e| DataError::Spool(format!("its summary is damaged ({e})")))?;
        check_summary(dir, &summary)?;
        let progress =
            Progress { chunks: summary.chunks.len() as u64, bytes: summary.bytes, state: SpoolState::Sealed };
        let shared = Shared {
            doubted: Mutex::new((0..progress.chunks).collect()),
            digests: RwLock::new(summary.chunks.clone()),
            summary: RwLock::new(Some(Arc::new(summary))),
        };
        // The sender may go: a receiver keeps the last value.
        let (_, receiver) = watch::channel(progress);
        Ok(Self { dir: dir.to_owned(), shared: Arc::new(shared), progress: receiver })
    }

    /// How far the spool is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// A receiver that tells each change of the progress.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// The figures, once sealed.
    #[must_use]
    pub fn summary(&self) -> Option<Arc<SpoolSummary>> {
        read(&self.shared.summary).clone()
    }

    /// Digest of a complete chunk.
    #[must_use]
    pub fn digest(&self, number: u64) -> Option<ChunkDigest> {
        let index = usize::try_from(number).ok()?;
        read(&self.shared.digests).get(index).copied()
    }

    /// Chunk `number`, if it is complete.
    ///
    /// # Errors
    /// [`DataError::NoChunk`] past the end of a spool that gets no more chunks; [`DataError::Spool`] when the disk
    /// holds another length than was written; [`DataError::Io`].
    pub async fn read_chunk(&self, number: u64) -> Result<Chunk, DataError> {
        let Some(file) = self.open_chunk(number).await? else { return Ok(Chunk::NotYet) };
        let digest = file.digest();
        Ok(Chunk::Ready(file.read(0, digest.len).await?, digest))
    }

    /// Waits until chunk `number` is complete or the spool ends. Set a timeout around it.
    pub async fn wait_for(&self, number: u64) {
        let mut watch = self.watch();
        // An error means that the writer is gone: the last value stands.
        let _ = watch.wait_for(|p| p.chunks > number || p.state != SpoolState::Writing).await;
    }

    /// Waits until chunk `number` is complete or the spool ends, then reads as [`SpoolReader::read_chunk`].
    /// Set a timeout around it.
    ///
    /// # Errors
    /// As [`SpoolReader::read_chunk`].
    pub async fn wait_chunk(&self, number: u64) -> Result<Chunk, DataError> {
        self.wait_for(number).await;
        self.read_chunk(number).await
    }
}

/// Pieces of an answer that may wait to be hashed and written: some megabytes.
const PIECES_AHEAD: usize = 2;

/// Writes an answer into a spool and seals it. Hashing and writing have a thread of their own beside the one that makes
/// the answer.
///
/// # Errors
/// What the answer or the disk says; the spool is then abandoned.
pub async fn spool(mut answer: Answer, mut writer: ChunkWriter) -> Result<Arc<SpoolSummary>, DataError> {
    let (pieces, mut coming) = mpsc::channel::<Bytes>(PIECES_AHEAD);
    let writing = blocking(move || {
        while let Some(bytes) = coming.blocking_recv() {
            writer.write(&bytes)?;
        }
        Ok(writer)
    });
    let making = async move {
        while let Some(bytes) = answer.next_bytes().await {
            // Nobody takes it: the writer says why.
            if pieces.send(bytes?).await.is_err() {
                break;
            }
        }
        Ok::<_, DataError>(answer.outcome())
    };
    // Both at once; the writer ends when the maker has let go of the channel.
    let (written, made) = tokio::join!(writing, making);
    let (writer, outcome) = (written?, made?);
    blocking(move || writer.seal(outcome.rows, outcome.capped)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(DataError::Spool("its writer stopped".into())),
    }
}

const SUMMARY_FILE: &str = "spool.json";

pub(crate) fn chunk_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number}.chunk"))
}

/// The number in the name of a chunk file, if it is one.
pub(crate) fn chunk_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let digits = name.strip_suffix(".chunk")?;
    let number: u64 = digits.parse().ok()?;
    // Only the one spelling that we write: `007.chunk` is not ours.
    (number.to_string() == digits).then_some(number)
}

fn remove_leftovers(dir: &Path) -> Result<(), DataError> {
    for entry in fs::read_dir(dir).map_err(DataError::io("list the spool"))? {
        let path = entry.map_err(DataError::io("list the spool"))?.path();
        let ours = chunk_number(&path).is_some()
            || chunk_number(&path.with_extension("chunk")).is_some()
            || path.file_name().is_some_and(|n| n == SUMMARY_FILE);
        if ours {
            fs::remove_file(&path).map_err(DataError::io("remove an unfinished spool"))?;
        }
    }
    Ok(())
}

fn check_summary(dir: &Path, summary: &SpoolSummary) -> Result<(), DataError> {
    if merkle::root(&summary.chunks) != summary.root
        || summary.chunks.iter().map(|c| c.len).sum::<u64>() != summary.bytes
    {
        return Err(DataError::Spool("its summary contradicts itself".into()));
    }
    for (number, chunk) in (0u64..).zip(&summary.chunks) {
        let length = fs::metadata(chunk_path(dir, number)).map(|m| m.len());
        if length.ok() != Some(chunk.len) {
            return Err(DataError::Spool(format!("chunk {number} is missing or has another length")));
        }
    }
    Ok(())
}

/// Writes a small file so that after power loss it is there whole or not at all.
pub(crate) fn write_durably(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), DataError> {
    let part = dir.join(format!("{name}.part"));
    let mut file = File::create(&part).map_err(DataError::io("make a file"))?;
    file.write_all(bytes).map_err(DataError::io("write a file"))?;
    file.sync_all().map_err(DataError::io("make a file durable"))?;
    fs::rename(&part, dir.join(name)).map_err(DataError::io("name a file"))?;
    sync_file(dir)
}

/// Makes a file, or the names in a directory, durable.
pub(crate) fn sync_file(path: &Path) -> Result<(), DataError> {
    File::open(path).and_then(|f| f.sync_all()).map_err(DataError::io("make a file durable"))
}

fn not_written(error: serde_json::Error) -> DataError {
    DataError::Io { what: "write the spool's summary", source: error.into() }
}

// A poisoned lock only says that another thread panicked; the lists under it are whole after each push.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}
