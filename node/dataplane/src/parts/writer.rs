//! Writes rows into one part after the other.
//!
//! How long a part gets is known only when it is written, so the writer stops before: what is written, what the encoder
//! holds and what the next rows take in memory must stay under seven eighths of the limit. Compressed rows are shorter than
//! in memory, and the footer has the last eighth.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;

use super::{Part, PartLimits, stats};
use crate::DataError;
use crate::encode::{EncodeError, PARQUET_ROW_GROUP_BYTES, parquet_properties};
use crate::hashed::Hashed;
use crate::limits::PARTS_MAX;
use crate::spool::sync_file;

/// Why a part could not be written.
pub(super) enum PartError {
    Disk(DataError),
    Encode(EncodeError),
    TooMany,
}

impl From<ParquetError> for PartError {
    fn from(error: ParquetError) -> Self {
        Self::Encode(error.into())
    }
}

fn disk(what: &'static str) -> impl FnOnce(io::Error) -> PartError {
    move |source| PartError::Disk(DataError::Io { what, source })
}

pub(super) struct PartWriter {
    dir: PathBuf,
    limits: PartLimits,
    schema: SchemaRef,
    open: Option<Open>,
    done: Vec<Part>,
}

/// The part that is being written.
struct Open {
    rows: u64,
    writer: ArrowWriter<Hashed<BufWriter<File>>>,
}

impl Open {
    /// Bytes that the part has by now, the encoder's guess for what it still holds among them.
    fn bytes(&self) -> u64 {
        self.writer.bytes_written().saturating_add(self.writer.in_progress_size()) as u64
    }
}

impl PartWriter {
    pub(super) fn new(dir: &Path, limits: PartLimits, schema: SchemaRef) -> Self {
        Self { dir: dir.to_owned(), limits, schema, open: None, done: Vec::new() }
    }

    /// Adds rows. Blocks on the disk.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), PartError> {
        // Slices so small that a part can be filled to its last eighth; most batches are small enough.
        let most = self.limits.bytes / 8;
        let mut left = vec![batch.clone()];
        while let Some(rows) = left.pop() {
            let (count, bytes) = (rows.num_rows(), memory(&rows)?);
            let over = bytes > most || count as u64 > self.limits.rows;
            if over && count > 1 {
                let half = count / 2;
                left.push(rows.slice(half, count - half));
                left.push(rows.slice(0, half));
                continue;
            }
            self.add(&rows, bytes)?;
        }
        Ok(())
    }

    fn add(&mut self, rows: &RecordBatch, bytes: u64) -> Result<(), PartError> {
        let count = rows.num_rows() as u64;
        let room = self.limits.bytes - self.limits.bytes / 8;
        let full = self.open.as_ref().is_some_and(|open| {
            open.rows > 0
                && (open.rows.saturating_add(count) > self.limits.rows
                    || open.bytes().saturating_add(bytes) > room)
        });
        if full {
            self.close()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(begin(&self.dir, self.done.len(), &self.schema)?),
        };
        open.writer.write(rows)?;
        open.rows += count;
        if open.writer.in_progress_size() > PARQUET_ROW_GROUP_BYTES {
            open.writer.flush()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), PartError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let mut writer = open.writer;
        let metadata = writer.finish()?;
        let name = name(self.done.len());
        let part = writer.inner_mut();
        part.flush().map_err(disk("write a part"))?;
        part.get_ref().get_ref().sync_all().map_err(disk("make a part durable"))?;
        let (bytes, sha256) = (part.bytes(), part.sha256());
        let from = part_path(&self.dir, self.done.len());
        fs::rename(&from, self.dir.join(&name)).map_err(disk("name a part"))?;
        let columns = stats::columns(&self.schema, &metadata);
        self.done.push(Part { name, bytes, sha256, rows: open.rows, columns });
        Ok(())
    }

    /// Closes the last part. An answer without rows has one part without rows: its columns are there to be read.
    pub(super) fn finish(mut self) -> Result<Vec<Part>, PartError> {
        if self.done.is_empty() && self.open.is_none() {
            self.open = Some(begin(&self.dir, 0, &self.schema)?);
        }
        self.close()?;
        sync_file(&self.dir).map_err(PartError::Disk)?;
        Ok(self.done)
    }
}

fn begin(dir: &Path, number: usize, schema: &SchemaRef) -> Result<Open, PartError> {
    if number as u64 >= PARTS_MAX {
        return Err(PartError::TooMany);
    }
    let file = File::create_new(part_path(dir, number)).map_err(disk("make a part"))?;
    let properties = parquet_properties(Compression::ZSTD(ZstdLevel::try_new(1)?));
    let hashed = Hashed::new(BufWriter::new(file));
    Ok(Open { rows: 0, writer: ArrowWriter::try_new(hashed, schema.clone(), Some(properties))? })
}

fn name(number: usize) -> String {
    format!("{number}.parquet")
}

fn part_path(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("{number}.part"))
}

/// Bytes of the values of these rows, without what else their buffers hold.
fn memory(rows: &RecordBatch) -> Result<u64, PartError> {
    let sizes = rows.columns().iter().map(|column| column.to_data().get_slice_memory_size());
    let bytes = sizes.sum::<Result<usize, _>>().map_err(|e| PartError::Encode(e.into()))?;
    Ok(bytes as u64)
}
