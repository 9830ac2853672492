//! Serving chunks from a spool: opened and sent piece by piece, hashed again only where this process did not write them.
//!
//! **Promises.** A slow reader costs one piece of memory and no more. What an earlier process wrote is hashed once
//! before it is served: a spool is not synced while it is written, and disks forget. What is damaged is said so and
//! made again by whoever owns the spool.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use sha2::Digest as _;

use super::{
    ChunkDigest, SUMMARY_FILE, SpoolReader, SpoolState, blocking, chunk_path, not_written, remove_leftovers,
    write_durably,
};
use crate::DataError;
use crate::limits::CHUNKS_MAX;
use crate::merkle::Sha256;

/// A complete chunk, open.
#[derive(Debug)]
pub struct ChunkFile {
    file: Arc<File>,
    digest: ChunkDigest,
}

impl ChunkFile {
    /// Its length and digest.
    #[must_use]
    pub fn digest(&self) -> ChunkDigest {
        self.digest
    }

    /// Bytes `from..to` of it, read at once.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub async fn read(&self, from: u64, to: u64) -> Result<Bytes, DataError> {
        piece(Arc::clone(&self.file), from, to.min(self.digest.len))
            .await
            .map_err(DataError::io("read a chunk"))
    }

    /// The whole of it in pieces of at most so many bytes, each read when the one before is taken.
    pub fn pieces(self, bytes: usize) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let len = self.digest.len;
        self.span(0, len, bytes)
    }

    /// Bytes `from..to` of it in the same way.
    pub fn span(self, from: u64, to: u64, bytes: usize) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let (end, bytes) = (to.min(self.digest.len), bytes.max(1) as u64);
        futures::stream::unfold((self.file, from), move |(file, from)| async move {
            if from >= end {
                return None;
            }
            let to = from.saturating_add(bytes).min(end);
            let read = piece(Arc::clone(&file), from, to).await;
            // After an error nothing more comes.
            let next = if read.is_ok() { to } else { end };
            Some((read, (file, next)))
        })
    }

    /// Digest of bytes `from..to` of it, read once in small pieces: what is sent afterwards is held against it by its reader.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub async fn digest_of(&self, from: u64, to: u64) -> Result<Sha256, DataError> {
        let (file, to) = (Arc::clone(&self.file), to.min(self.digest.len));
        blocking(move || hash(&file, from, to).map_err(DataError::io("read a chunk"))).await
    }
}

/// Bytes that are in memory at once while a file is hashed.
const HASH_BYTES: usize = 64 << 10;

/// Digest of bytes `from..to` of a file. Blocks on the disk.
fn hash(file: &File, mut from: u64, to: u64) -> io::Result<Sha256> {
    let (mut whole, mut buffer) = (sha2::Sha256::new(), vec![0; HASH_BYTES]);
    while from < to {
        let left = usize::try_from(to - from).unwrap_or(HASH_BYTES).min(HASH_BYTES);
        let (piece, _) = buffer.split_at_mut(left);
        file.read_exact_at(piece, from)?;
        whole.update(&*piece);
        from += left as u64;
    }
    Ok(Sha256(whole.finalize().into()))
}

async fn piece(file: Arc<File>, from: u64, to: u64) -> io::Result<Bytes> {
    let work = move || {
        let mut bytes = BytesMut::zeroed(usize::try_from(to.saturating_sub(from)).unwrap_or(0));
        file.read_exact_at(&mut bytes, from)?;
        Ok(bytes.freeze())
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

impl SpoolReader {
    /// Chunk `number`, open; `None` while it is not complete. Not one that is damaged: see [`SpoolReader::verify`].
    ///
    /// # Errors
    /// [`DataError::NoChunk`] past the end of a spool that gets no more chunks; [`DataError::Spool`] when the disk holds
    /// something else than was written; [`DataError::Io`].
    pub async fn open_chunk(&self, number: u64) -> Result<Option<ChunkFile>, DataError> {
        // The state before the digest: a chunk that completes in between is then found, never missed.
        let state = self.progress().state;
        let Some(digest) = self.digest(number) else {
            return match state {
                SpoolState::Writing if number < CHUNKS_MAX => Ok(None),
                _ => Err(DataError::NoChunk(number)),
            };
        };
        let path = chunk_path(&self.dir, number);
        let doubted = self.doubted().contains(&number);
        let file = blocking(move || {
            if doubted {
                check(&path, number, &digest)?;
            }
            let file = File::open(&path).map_err(DataError::io("open a chunk"))?;
            if file.metadata().map_err(DataError::io("open a chunk"))?.len() != digest.len {
                return Err(damaged(number));
            }
            Ok(file)
        })
        .await?;
        if doubted {
            self.doubted().remove(&number);
        }
        Ok(Some(ChunkFile { file: Arc::new(file), digest }))
    }

    /// Hashes every chunk that this process did not write and has not hashed yet. Blocks on the disk.
    ///
    /// # Errors
    /// [`DataError::Spool`] for the first one that is not what was written.
    pub fn verify(&self) -> Result<(), DataError> {
        let doubted = self.doubted().clone();
        for number in doubted {
            let digest = self.digest(number).ok_or(DataError::NoChunk(number))?;
            check(&chunk_path(&self.dir, number), number, &digest)?;
            self.doubted().remove(&number);
        }
        Ok(())
    }

    /// The same sealed spool under another directory (made if need be), without a copy of the chunks: they are linked, so
    /// that either directory can be removed alone. Blocks on the disk.
    ///
    /// # Errors
    /// [`DataError::Spool`] when it is not sealed; [`DataError::Io`], also where the disk knows no links.
    pub fn adopt(&self, dir: &Path) -> Result<Self, DataError> {
        let summary = self.summary().ok_or_else(|| DataError::Spool("it is not sealed".into()))?;
        fs::create_dir_all(dir).map_err(DataError::io("make the spool's directory"))?;
        remove_leftovers(dir)?;
        for number in 0..summary.chunks.len() as u64 {
            fs::hard_link(chunk_path(&self.dir, number), chunk_path(dir, number))
                .map_err(DataError::io("link a chunk"))?;
        }
        write_durably(dir, SUMMARY_FILE, &serde_json::to_vec(&*summary).map_err(not_written)?)?;
        Ok(Self { dir: dir.to_owned(), ..self.clone() })
    }

    /// Numbers of the chunks that have to be hashed before they are served.
    fn doubted(&self) -> std::sync::MutexGuard<'_, BTreeSet<u64>> {
        // Whoever panicked with it in hand left a set of numbers, each of which is hashed again at worst.
        self.shared.doubted.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn check(path: &Path, number: u64, digest: &ChunkDigest) -> Result<(), DataError> {
    let hashed = File::open(path).and_then(|file| {
        let same_length = file.metadata()?.len() == digest.len;
        Ok(same_length && hash(&file, 0, digest.len)? == digest.sha256)
    });
    if hashed.unwrap_or(false) { Ok(()) } else { Err(damaged(number)) }
}

fn damaged(number: u64) -> DataError {
    DataError::Spool(format!("chunk {number} is not what was written"))
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;
    use crate::ChunkWriter;
    use crate::limits::CHUNK_BYTES_MIN;

    #[tokio::test]
    async fn a_chunk_is_read_a_piece_at_a_time_and_only_when_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, reader) = ChunkWriter::create(dir.path(), CHUNK_BYTES_MIN).unwrap();
        let rows: Vec<u8> = (0..CHUNK_BYTES_MIN).map(|i| (i % 251) as u8).collect();
        writer.write(&rows).unwrap();
        writer.seal(1, false).unwrap();
        let size = 100_000;
        let mut pieces = Box::pin(reader.open_chunk(0).await.unwrap().unwrap().pieces(size));
        assert_eq!(pieces.next().await.unwrap().unwrap(), rows[..size]);
        // What is not asked for is not in memory: cut away on the disk, it cannot come any more.
        let file = File::options().write(true).open(dir.path().join("0.chunk")).unwrap();
        file.set_len(2 * size as u64).unwrap();
        assert_eq!(pieces.next().await.unwrap().unwrap(), rows[size..2 * size]);
        assert!(pieces.next().await.unwrap().is_err(), "a cut chunk was served as whole");
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn a_span_is_hashed_and_sent_without_being_held() {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, reader) = ChunkWriter::create(dir.path(), CHUNK_BYTES_MIN).unwrap();
        let rows: Vec<u8> = (0..CHUNK_BYTES_MIN).map(|i| (i % 251) as u8).collect();
        writer.write(&rows).unwrap();
        writer.seal(1, false).unwrap();
        let open = || async { reader.open_chunk(0).await.unwrap().unwrap() };
        for (from, to) in [(0, CHUNK_BYTES_MIN), (1, 2), (70_000, 200_000), (5, u64::MAX), (9, 9)] {
            let wanted = &rows[from as usize..to.min(CHUNK_BYTES_MIN) as usize];
            assert_eq!(open().await.digest_of(from, to).await.unwrap(), Sha256::of(wanted), "{from}..{to}");
            let pieces: Vec<Bytes> = open().await.span(from, to, 1_000).map(Result::unwrap).collect().await;
            assert!(pieces.concat() == wanted && pieces.iter().all(|piece| piece.len() <= 1_000));
        }
        // What is not asked for is not in memory: cut away on the disk, it cannot come any more.
        let mut pieces = Box::pin(open().await.span(1_000, CHUNK_BYTES_MIN, 1_000));
        assert_eq!(pieces.next().await.unwrap().unwrap(), rows[1_000..2_000]);
        File::options().write(true).open(dir.path().join("0.chunk")).unwrap().set_len(2_500).unwrap();
        assert!(pieces.next().await.unwrap().is_err(), "a cut chunk was served as whole");
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn what_another_process_wrote_is_hashed_before_it_is_served_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, fresh) = ChunkWriter::create(dir.path(), CHUNK_BYTES_MIN).unwrap();
        writer.write(&[7; 100]).unwrap();
        writer.seal(1, false).unwrap();
        let later = SpoolReader::open(dir.path()).unwrap();
        later.open_chunk(0).await.unwrap().unwrap();
        assert!(later.doubted().is_empty());
        std::fs::write(dir.path().join("0.chunk"), [8; 100]).unwrap();
        fresh.verify().unwrap();
        let again = SpoolReader::open(dir.path()).unwrap();
        assert!(matches!(again.open_chunk(0).await, Err(DataError::Spool(_))));
        assert!(matches!(again.verify(), Err(DataError::Spool(_))));
    }
}
