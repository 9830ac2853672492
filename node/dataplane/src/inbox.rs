//! The consumer's side: chunks as they come, checked, kept, and put together.
//!
//! **Promises.** A chunk that differs from what was announced leaves no trace. A chunk that [`Inbox::accept`] took
//! is durable: it need never be sent again. What lies on disk is trusted only after it was hashed. Chunks may be taken
//! before the manifest is there (each against the digest in its own signed response); the manifest's list decides at
//! the end. All calls block on the disk: make them from a blocking thread.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use crate::DataError;
use crate::limits::{CHUNK_BYTES_MAX, CHUNKS_MAX};
use crate::merkle::{ChunkDigest, Sha256};
use crate::sealing::Sealer;
use crate::spool::{chunk_number, chunk_path, sync_file, write_durably};

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Checked and kept.
    New,
    /// The same bytes were here already.
    Held,
    /// The chunk does not fit those that are here: nothing is held any more ([`crate::Landing`] only).
    Anew,
}

/// The chunks of one transfer on the consumer's disk.
#[derive(Debug)]
pub struct Inbox {
    dir: PathBuf,
    held: BTreeMap<u64, ChunkDigest>,
}

impl Inbox {
    /// Opens the inbox in `dir` (made if need be) and hashes what is there, so that a transfer goes on after a cut.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        fs::create_dir_all(dir).map_err(DataError::io("make the inbox's directory"))?;
        let mut held = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(DataError::io("list the inbox"))? {
            let path = entry.map_err(DataError::io("list the inbox"))?.path();
            let Some(number) = chunk_number(&path) else { continue };
            let len = fs::metadata(&path).map_err(DataError::io("look at a chunk"))?.len();
            if number >= CHUNKS_MAX || len == 0 || len > CHUNK_BYTES_MAX {
                fs::remove_file(&path).map_err(DataError::io("remove a broken chunk"))?;
                continue;
            }
            let bytes = fs::read(&path).map_err(DataError::io("read a chunk"))?;
            held.insert(number, ChunkDigest { len: bytes.len() as u64, sha256: Sha256::of(&bytes) });
        }
        Ok(Self { dir: dir.to_owned(), held })
    }

    /// Takes chunk `number` if it is exactly the announced one, and makes it durable.
    ///
    /// # Errors
    /// [`DataError::ChunkMismatch`] when length or digest differ; [`DataError::NoChunk`] when the number or the
    /// announced length are past their limits; [`DataError::Io`].
    pub fn accept(
        &mut self,
        number: u64,
        announced: &ChunkDigest,
        bytes: &[u8],
    ) -> Result<Accepted, DataError> {
        if number >= CHUNKS_MAX || announced.len == 0 || announced.len > CHUNK_BYTES_MAX {
            return Err(DataError::NoChunk(number));
        }
        if bytes.len() as u64 != announced.len {
            return Err(DataError::ChunkMismatch { number, why: "its length differs" });
        }
        if Sha256::of(bytes) != announced.sha256 {
            return Err(DataError::ChunkMismatch { number, why: "its digest differs" });
        }
        if self.held.get(&number) == Some(announced) {
            return Ok(Accepted::Held);
        }
        write_durably(&self.dir, &format!("{number}.chunk"), bytes)?;
        self.held.insert(number, *announced);
        Ok(Accepted::New)
    }

    /// Number of the first chunk that is not here, for reading on before the manifest is known.
    #[must_use]
    pub fn next_missing(&self) -> u64 {
        (0..).zip(self.held.keys()).take_while(|(i, n)| i == *n).count() as u64
    }

    /// Numbers of the manifest's chunks that are not here or differ, in order.
    #[must_use]
    pub fn missing(&self, manifest: &[ChunkDigest]) -> Vec<u64> {
        (0u64..).zip(manifest).filter(|(n, c)| self.held.get(n) != Some(c)).map(|(n, _)| n).collect()
    }

    /// Puts the manifest's chunks together as the file `target`, durable and complete or not there at all.
    /// The chunks stay; [`Inbox::discard`] removes them.
    ///
    /// # Errors
    /// [`DataError::Incomplete`] while chunks are missing; [`DataError::WholeMismatch`] when the digest of the whole
    /// is another; [`DataError::Io`].
    pub fn assemble(
        &self,
        manifest: &[ChunkDigest],
        sha256: &Sha256,
        target: &Path,
    ) -> Result<u64, DataError> {
        self.put_together(manifest, sha256, None, target)
    }

    /// The same for sealed chunks: each is opened on its way into `target`, and `sha256` is the digest of what was in
    /// them. The caller has held the key against its announced digest before.
    ///
    /// # Errors
    /// As [`Inbox::assemble`]; [`DataError::ChunkMismatch`] when a chunk changed on this node's disk;
    /// [`DataError::NotOpened`] when one is as announced and does not open.
    pub fn open_sealed(
        &self,
        manifest: &[ChunkDigest],
        sha256: &Sha256,
        sealer: &Sealer,
        target: &Path,
    ) -> Result<u64, DataError> {
        self.put_together(manifest, sha256, Some(sealer), target)
    }

    fn put_together(
        &self,
        manifest: &[ChunkDigest],
        sha256: &Sha256,
        sealer: Option<&Sealer>,
        target: &Path,
    ) -> Result<u64, DataError> {
        let missing = self.missing(manifest).len() as u64;
        if missing > 0 {
            return Err(DataError::Incomplete(missing));
        }
        // Beside the target, not in the inbox: a name can be changed within one file system only.
        let mut part = target.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let written = self.write_whole(manifest, sha256, sealer, &part);
        if written.is_err() {
            // Best effort: the next attempt overwrites it anyway.
            let _ = fs::remove_file(&part);
        }
        let bytes = written?;
        fs::rename(&part, target).map_err(DataError::io("name the received file"))?;
        match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_file(parent)?,
            _ => {}
        }
        Ok(bytes)
    }

    fn write_whole(
        &self,
        manifest: &[ChunkDigest],
        sha256: &Sha256,
        sealer: Option<&Sealer>,
        part: &Path,
    ) -> Result<u64, DataError> {
        let mut out = BufWriter::new(File::create(part).map_err(DataError::io("make the received file"))?);
        let mut whole = sha2::Sha256::new();
        let mut total = 0;
        for (number, chunk) in (0u64..).zip(manifest) {
            let mut bytes = fs::read(chunk_path(&self.dir, number)).map_err(DataError::io("read a chunk"))?;
            if bytes.len() as u64 != chunk.len {
                return Err(DataError::ChunkMismatch { number, why: "its length on disk changed" });
            }
            let rows = match sealer {
                None => bytes.as_slice(),
                // What does not open must be the provider's fault and not this disk's.
                Some(_) if Sha256::of(&bytes) != chunk.sha256 => {
                    return Err(DataError::ChunkMismatch { number, why: "its digest on disk changed" });
                }
                Some(sealer) => sealer.open(number, &mut bytes)?,
            };
            whole.update(rows);
            out.write_all(rows).map_err(DataError::io("write the received file"))?;
            total += rows.len() as u64;
        }
        if Sha256(whole.finalize().into()) != *sha256 {
            return Err(DataError::WholeMismatch("its digest differs"));
        }
        let file = out.into_inner().map_err(|e| DataError::io("write the received file")(e.into_error()))?;
        file.sync_all().map_err(DataError::io("make the received file durable"))?;
        Ok(total)
    }

    /// Removes the chunks and the inbox's directory if nothing else is in it.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn discard(self) -> Result<(), DataError> {
        for number in self.held.keys() {
            fs::remove_file(chunk_path(&self.dir, *number)).map_err(DataError::io("remove a chunk"))?;
        }
        // Not empty means that something of somebody else's lies there: leave it.
        let _ = fs::remove_dir(&self.dir);
        Ok(())
    }
}
