//! Copies that are kept current: a view's rows in one fixed order, what changed between two of them, and the copy that
//! comes of applying it.
//!
//! **Promises.** The order of a copy depends on the rows shown and on nothing else: header, then the CSV records sorted by
//! the bytes of their key columns and then of the whole record. So both sides can compute the SHA-256 of a copy, and a
//! view that shows the same rows has the same one whatever lies behind it. [`difference`] and [`apply`] treat rows as a
//! multiset and are each other's inverse: what cannot be applied exactly is refused. Memory stays within
//! [`SORT_BYTES`] however long the view is; the rest lies in files beside the target.
//!
//! A view that only grows need not be compared with an old one: [`grow`].
//!
//! **What it is not.** It knows nothing of versions, agreements and decisions: it gets two jobs whose restrictions were
//! made from decisions, and compares what they show. All calls but [`ordered`] block on the disk.

mod difference;
pub mod grow;
mod rows;
mod sort;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

pub use self::difference::{apply, difference, feed};
use self::rows::Place;
use self::sort::sort;
use crate::merkle::Sha256;
use crate::schema::ColumnKind;
use crate::{ChunkWriter, DataError, Job, OutputFormat, SpoolSummary};

/// Name of the column that says what became of a row: `insert`, `update` or `delete`.
pub const CHANGE: &str = "tram_change";

/// Name of the column of a [`feed`]: `insert`, `update_preimage`, `update_postimage` or `delete`.
pub const FEED: &str = "_change_type";

/// A copy on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Rows, the header not counted.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256,
}

/// Writes the view of a job as a copy: CSV in the order of copies. `key` names the columns to sort by first; all must be in
/// the answer.
///
/// # Errors
/// As [`crate::run`]; [`DataError::Query`] for a key that the answer does not have; [`DataError::Io`].
pub async fn ordered(job: Job, key: &[String], target: &Path) -> Result<Copy, DataError> {
    let target = target.to_owned();
    let texts =
        |places: Vec<(usize, ColumnKind)>| places.into_iter().map(|(at, _)| Place::text(at)).collect();
    pump(job, key, move |input, places| sort(input, texts(places), &target)).await
}

/// Runs a job as CSV and lets `take` read what comes, with the places and kinds of the named columns.
async fn pump<T: Send + 'static>(
    job: Job,
    names: &[String],
    take: impl FnOnce(Piped, Vec<(usize, ColumnKind)>) -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    let mut answer = crate::run(Job { format: OutputFormat::Csv, ..job }).await?;
    let columns = answer.schema().columns();
    let at = |name: &String| {
        let what = || DataError::Query(format!("the answer has no column `{name}` to tell rows apart by"));
        let found = columns.iter().enumerate().find(|(_, column)| column.name == *name);
        found.map(|(at, column)| (at, column.kind)).ok_or_else(what)
    };
    let places = names.iter().map(at).collect::<Result<Vec<_>, _>>()?;
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let taken = tokio::task::spawn_blocking(move || take(Piped::new(receiver), places));
    let mut broken = None;
    while let Some(bytes) = answer.next_bytes().await {
        let sent = match bytes {
            Ok(bytes) => sender.send(bytes).await,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        // A closed pipe means that the reader has enough or failed; it says which.
        if sent.is_err() {
            break;
        }
    }
    drop(sender);
    let taken = taken.await.map_err(|_| DataError::Spool("the reader of a view stopped".into()))?;
    match broken {
        Some(error) => Err(error),
        None => taken,
    }
}

/// What comes through a channel, as something to read from.
struct Piped {
    receiver: tokio::sync::mpsc::Receiver<Bytes>,
    held: Bytes,
}

impl Piped {
    fn new(receiver: tokio::sync::mpsc::Receiver<Bytes>) -> Self {
        Self { receiver, held: Bytes::new() }
    }
}

impl Read for Piped {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.held.is_empty() {
            match self.receiver.blocking_recv() {
                Some(bytes) => self.held = bytes,
                None => return Ok(0),
            }
        }
        let n = out.len().min(self.held.len());
        let now = self.held.split_to(n);
        for (to, from) in out.iter_mut().zip(now.iter()) {
            *to = *from;
        }
        Ok(n)
    }
}

/// Cuts a file of rows into chunks.
///
/// # Errors
/// [`DataError::Io`]; [`DataError::Quota`].
pub fn spool_file(path: &Path, rows: u64, mut writer: ChunkWriter) -> Result<Arc<SpoolSummary>, DataError> {
    let mut file = File::open(path).map_err(DataError::io("open a copy"))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(DataError::io("read a copy"))? {
            0 => return writer.seal(rows, false),
            n => writer.write(buffer.get(..n).unwrap_or_default())?,
        }
    }
}

#[cfg(test)]
mod tests;
