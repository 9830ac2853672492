//! The consumer's side of clear rows: chunks written straight to their place in the file that they become.
//!
//! **Promises.** A chunk counts as held when its bytes are in the file and its line is in the record beside it, so a
//! killed process fetches none of them again; a power cut costs at most what came since the last sync
//! ([`SYNC_BYTES`]). What lies on disk is trusted only after it was hashed. The digest of the whole is taken while
//! the chunks come, from the bytes that came, so the file is read again only where chunks came out of order. The
//! file gets its name when it is complete, right and durable. After a sync that failed the kernel may show bytes that never
//! came to the disk: what was not synced before is forgotten ([`Landing::forget`]) and fetched again, and what is found
//! at the opening is read from the disk and not from the kernel's memory. All calls block on the disk.
//!
//! **What it is not.** Sealed chunks lie one by one in an [`Inbox`]: they are opened later or handed to an auditor.
//! Nothing here knows a chunk's size before the first one came, since the manifest comes last.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use crate::limits::{CHUNK_BYTES_MAX, CHUNKS_MAX};
use crate::merkle::{ChunkDigest, Sha256};
use crate::spool::{sync_file, write_durably};
use crate::{Accepted, DataError, Inbox};

/// Bytes after which a sync is due: what a power cut may cost, and often enough that the disk works while chunks come.
pub const SYNC_BYTES: u64 = 64 * 1024 * 1024;

const ROWS_FILE: &str = "rows.part";
const RECORD_FILE: &str = "rows.held";
/// Longest record that is read: one line a chunk.
const RECORD_BYTES_MAX: u64 = CHUNKS_MAX * 128;

/// The chunks of one transfer in the file that they become.
#[derive(Debug)]
pub struct Landing {
    dir: PathBuf,
    rows: File,
    record: File,
    /// Length of every chunk but the last; known with chunk 0.
    stride: Option<u64>,
    held: BTreeMap<u64, ChunkDigest>,
    whole: sha2::Sha256,
    /// Chunks, from 0, that are in `whole`.
    hashed: u64,
    /// Bytes written since the last sync.
    unsynced: u64,
    /// Chunks of which no sync is known, with the sync that they go with.
    doubtful: BTreeMap<u64, Round>,
    round: Round,
}

/// Which sync of a landing.
type Round = u64;

/// What has to be made durable; see [`Landing::due`].
#[derive(Debug)]
pub struct Due {
    rows: File,
    record: File,
    round: Round,
}

/// That a sync went well; for [`Landing::synced`].
#[derive(Debug, Clone, Copy)]
pub struct Synced(Round);

impl Due {
    /// Makes it durable. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// [`DataError::Io`]; then [`Landing::forget`] is due, since no later sync would tell of it.
    pub fn sync(self) -> Result<Synced, DataError> {
        let done = sync(&self.rows).and_then(|()| sync(&self.record));
        done.map(|()| Synced(self.round)).map_err(DataError::io("sync the rows"))
    }
}

impl Landing {
    /// Opens the landing in `dir` (made if need be) and hashes what its record says is there.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        fs::create_dir_all(dir).map_err(DataError::io("make the inbox's directory"))?;
        let rows = open(&dir.join(ROWS_FILE))?;
        let record = open(&dir.join(RECORD_FILE))?;
        let whole = sha2::Sha256::new();
        let (dir, held) = (dir.to_owned(), BTreeMap::new());
        let (doubtful, round) = (BTreeMap::new(), 0);
        let mut landing =
            Self { dir, rows, record, stride: None, held, whole, hashed: 0, unsynced: 0, doubtful, round };
        landing.trust_the_disk_alone()?;
        landing.look_again()?;
        Ok(landing)
    }

    /// Takes chunk `number`. `digest` is that of `bytes`: whoever verified the signed answer has it already.
    /// A chunk longer than the first one belongs to another cutting of the rows: everything is begun anew
    /// ([`Accepted::Anew`]).
    ///
    /// # Errors
    /// [`DataError::NoChunk`] when number or length are past their limits, or nothing is known of chunk 0 yet;
    /// [`DataError::Io`].
    pub fn accept(&mut self, number: u64, digest: Sha256, bytes: &[u8]) -> Result<Accepted, DataError> {
        let len = bytes.len() as u64;
        if number >= CHUNKS_MAX || len == 0 || len > CHUNK_BYTES_MAX {
            return Err(DataError::NoChunk(number));
        }
        let chunk = ChunkDigest { len, sha256: digest };
        if self.held.get(&number) == Some(&chunk) {
            return Ok(Accepted::Held);
        }
        let stride = match self.stride {
            Some(stride) if len > stride => {
                self.begin_anew()?;
                return Ok(Accepted::Anew);
            }
            Some(stride) => stride,
            None if number == 0 => *self.stride.insert(len),
            None => return Err(DataError::NoChunk(number)),
        };
        self.rows.write_all_at(bytes, number * stride).map_err(DataError::io("write the rows"))?;
        let line = entry(number, stride, &chunk);
        (&self.record).write_all(line.as_bytes()).map_err(DataError::io("write the record of the rows"))?;
        self.held.insert(number, chunk);
        self.doubtful.insert(number, self.round);
        self.unsynced += len;
        if number < self.hashed {
            // Another chunk in a place that was hashed already.
            (self.whole, self.hashed) = (sha2::Sha256::new(), 0);
        }
        if number == self.hashed {
            self.whole.update(bytes);
            self.hashed += 1;
        }
        self.hash_on()?;
        Ok(Accepted::New)
    }

    /// What to sync now, if that much came since the last time. Another thread may do it while chunks come.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn due(&mut self) -> Result<Option<Due>, DataError> {
        if self.unsynced < SYNC_BYTES {
            return Ok(None);
        }
        self.unsynced = 0;
        let twice = |file: &File| file.try_clone().map_err(DataError::io("sync the rows"));
        let due = Due { rows: twice(&self.rows)?, record: twice(&self.record)?, round: self.round };
        self.round += 1;
        Ok(Some(due))
    }

    /// Hears that a sync went well.
    pub fn synced(&mut self, done: Synced) {
        self.doubtful.retain(|_, round| *round > done.0);
    }

    /// Forgets, durably, every chunk of which no sync is known: one failed, and the kernel tells of that once. They are
    /// missing now, and written anew when they come again.
    ///
    /// # Errors
    /// [`DataError::Io`]; the record is then gone, and everything is begun anew.
    pub fn forget(&mut self) -> Result<(), DataError> {
        for number in std::mem::take(&mut self.doubtful).keys() {
            self.held.remove(number);
        }
        (self.whole, self.hashed, self.unsynced) = (sha2::Sha256::new(), 0, 0);
        let stride = self.stride.unwrap_or(0);
        let lines = self.held.iter().map(|(number, chunk)| entry(*number, stride, chunk)).collect::<String>();
        let written = write_durably(&self.dir, RECORD_FILE, lines.as_bytes());
        let path = self.dir.join(RECORD_FILE);
        if written.is_err() {
            // A record that may name what is not there is worse than none.
            let _ = fs::remove_file(&path);
            self.held.clear();
        }
        self.record = open(&path)?;
        written
    }

    /// Whether the length of a full chunk is known: before, only chunk 0 can be taken.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.stride.is_some()
    }

    /// Bytes that are here, to within the length of the last chunk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.held.len() as u64 * self.stride.unwrap_or(0)
    }

    /// Whether chunk `number` is here.
    #[must_use]
    pub fn holds(&self, number: u64) -> bool {
        self.held.contains_key(&number)
    }

    /// Numbers of the manifest's chunks that are not here or differ, in order.
    #[must_use]
    pub fn missing(&self, manifest: &[ChunkDigest]) -> Vec<u64> {
        (0u64..).zip(manifest).filter(|(n, c)| self.held.get(n) != Some(c)).map(|(n, _)| n).collect()
    }

    /// Tells the size of the manifest's chunks. Rows that were cut otherwise are begun anew.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn fit(&mut self, chunk_size: u64, count: usize) -> Result<(), DataError> {
        if count > 1 && self.stride.is_some_and(|stride| stride != chunk_size) {
            self.begin_anew()?;
        }
        // A single chunk lies at the beginning, however long a full one would be.
        self.stride = Some(chunk_size);
        Ok(())
    }

    /// Gives the file its name: durable and complete, or not there at all. The record stays until the caller removes the
    /// directory.
    ///
    /// # Errors
    /// [`DataError::Incomplete`] while chunks are missing; [`DataError::WholeMismatch`] when the digest of the whole is
    /// another; [`DataError::Io`].
    pub fn finish(
        mut self,
        manifest: &[ChunkDigest],
        sha256: &Sha256,
        target: &Path,
    ) -> Result<u64, DataError> {
        let missing = self.missing(manifest).len() as u64;
        if missing > 0 {
            return Err(DataError::Incomplete(missing));
        }
        let count = manifest.len() as u64;
        if self.hashed > count {
            (self.whole, self.hashed) = (sha2::Sha256::new(), 0);
            self.held.retain(|number, _| *number < count);
        }
        self.hash_on()?;
        if Sha256(std::mem::take(&mut self.whole).finalize().into()) != *sha256 {
            return Err(DataError::WholeMismatch("its digest differs"));
        }
        let bytes = manifest.iter().map(|chunk| chunk.len).sum();
        let io = DataError::io("make the received file durable");
        if let Err(error) = self.rows.set_len(bytes).and_then(|()| sync(&self.rows)) {
            self.forget()?;
            return Err(io(error));
        }
        name(&self.dir.join(ROWS_FILE), target)?;
        match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_file(parent)?,
            _ => {}
        }
        Ok(bytes)
    }

    /// Moves what is here into an inbox: the rows turned out to be sealed.
    ///
    /// # Errors
    /// As [`Inbox::accept`]; [`DataError::Io`].
    pub fn into_inbox(self) -> Result<Inbox, DataError> {
        let mut inbox = Inbox::open(&self.dir)?;
        for (number, chunk) in &self.held {
            let bytes = self.read(*number, chunk)?;
            inbox.accept(*number, chunk, &bytes)?;
        }
        for file in [ROWS_FILE, RECORD_FILE] {
            fs::remove_file(self.dir.join(file)).map_err(DataError::io("remove the rows"))?;
        }
        Ok(inbox)
    }

    /// Lets what is read next come from the disk: what an earlier process wrote may lie in the kernel's memory alone, and
    /// count there as written although a sync of it failed.
    fn trust_the_disk_alone(&self) -> Result<(), DataError> {
        let told = sync(&self.rows).and_then(|()| {
            rustix::fs::fadvise(&self.rows, 0, None, rustix::fs::Advice::DontNeed).map_err(io::Error::from)
        });
        told.map_err(DataError::io("sync the rows"))
    }

    /// Believes of the record what the file bears out.
    fn look_again(&mut self) -> Result<(), DataError> {
        let length = self.record.metadata().map_err(DataError::io("read the record of the rows"))?.len();
        if length > RECORD_BYTES_MAX {
            return self.begin_anew();
        }
        let path = self.dir.join(RECORD_FILE);
        let text = fs::read(&path).map_err(DataError::io("read the record of the rows"))?;
        // A line that was torn, or is not one, stands for a chunk that is fetched again.
        let lines = text.split_inclusive(|b| *b == b'\n').filter_map(line);
        let mut told = BTreeMap::new();
        for (number, stride, chunk) in lines {
            if *self.stride.get_or_insert(stride) != stride {
                return self.begin_anew();
            }
            told.insert(number, chunk);
        }
        for (number, chunk) in told {
            let Ok(bytes) = self.read(number, &chunk) else { continue };
            if Sha256::of(&bytes) != chunk.sha256 {
                continue;
            }
            if number == self.hashed {
                self.whole.update(&bytes);
                self.hashed += 1;
            }
            self.held.insert(number, chunk);
        }
        if !text.is_empty() && !text.ends_with(b"\n") {
            // The next line must not be joined to the torn one.
            (&self.record).write_all(b"\n").map_err(DataError::io("write the record of the rows"))?;
        }
        Ok(())
    }

    fn begin_anew(&mut self) -> Result<(), DataError> {
        let emptied = self.record.set_len(0).and_then(|()| self.rows.set_len(0));
        emptied.map_err(DataError::io("begin the rows anew"))?;
        self.held.clear();
        self.doubtful.clear();
        (self.stride, self.whole, self.hashed, self.unsynced) = (None, sha2::Sha256::new(), 0, 0);
        Ok(())
    }

    /// Hashes the chunks that are next in order and came before their turn.
    fn hash_on(&mut self) -> Result<(), DataError> {
        while let Some(chunk) = self.held.get(&self.hashed) {
            let bytes = self.read(self.hashed, chunk)?;
            self.whole.update(&bytes);
            self.hashed += 1;
        }
        Ok(())
    }

    fn read(&self, number: u64, chunk: &ChunkDigest) -> Result<Vec<u8>, DataError> {
        // Both are within their limits: `line` and `accept` saw to it.
        let mut bytes = vec![0; usize::try_from(chunk.len).unwrap_or(0)];
        let at = number * self.stride.unwrap_or(0);
        self.rows.read_exact_at(&mut bytes, at).map_err(DataError::io("read the rows"))?;
        Ok(bytes)
    }
}

fn open(path: &Path) -> Result<File, DataError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // The record grows at its end; the rows are written by place.
    if path.ends_with(RECORD_FILE) {
        options.append(true);
    }
    options.open(path).map_err(DataError::io("open the rows"))
}

/// Makes a file durable.
fn sync(file: &File) -> io::Result<()> {
    #[cfg(test)]
    if tests::disk_fails() {
        return Err(io::Error::other("the disk fails, as the test has it"));
    }
    file.sync_all()
}

/// The line of a chunk.
fn entry(number: u64, stride: u64, chunk: &ChunkDigest) -> String {
    format!("{number} {stride} {} {}\n", chunk.len, chunk.sha256)
}

/// One line of the record: number, stride, length, digest.
fn line(line: &[u8]) -> Option<(u64, u64, ChunkDigest)> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let mut words = text.split(' ');
    let number: u64 = words.next()?.parse().ok()?;
    let stride: u64 = words.next()?.parse().ok()?;
    let len: u64 = words.next()?.parse().ok()?;
    let sha256 = words.next()?.parse().ok()?;
    let sound = number < CHUNKS_MAX && (1..=CHUNK_BYTES_MAX).contains(&stride) && (1..=stride).contains(&len);
    (sound && words.next().is_none()).then_some((number, stride, ChunkDigest { len, sha256 }))
}

/// Renames, or copies where the received files lie on another disk than the inbox.
fn name(part: &Path, target: &Path) -> Result<(), DataError> {
    let renamed = match fs::rename(part, target) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let mut beside = target.as_os_str().to_owned();
            beside.push(".part");
            let beside = PathBuf::from(beside);
            fs::copy(part, &beside)
                .and_then(|_| File::open(&beside)?.sync_all())
                .and_then(|()| fs::rename(&beside, target))
        }
        renamed => renamed,
    };
    renamed.map_err(DataError::io("name the received file"))
}

#[cfg(test)]
mod tests;
