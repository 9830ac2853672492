//! Parts: an answer as Parquet files of bounded size, each whole, durable and of known length before its name is told.
//!
//! For readers that want files, not a stream: they ask for a list first, and the list says sizes to the byte. A part has at
//! most the bytes and rows of [`PartLimits`]; a single row that is longer has a part of its own. Statistics ([`ColumnStats`],
//! and those inside the files) come from the rows as shown, after filter and masks: nothing else reaches the writer.
//!
//! **What it is not.** It keeps no list of what lies where and deletes nothing; who asks for parts gives a folder of its own.

mod stats;
mod writer;

use std::path::Path;

use serde::{Deserialize, Serialize};

use self::writer::{PartError, PartWriter};
use crate::limits::{PART_BYTES_MAX, PART_BYTES_MIN, PART_ROWS_MAX, PARTS_MAX};
use crate::merkle::Sha256;
use crate::{Answer, DataError};

/// How large a part may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartLimits {
    bytes: u64,
    rows: u64,
}

impl PartLimits {
    /// At most so many bytes and rows.
    ///
    /// # Errors
    /// [`DataError::Query`] when the bytes are outside 1 to 128 MiB, or the rows are none or more than ten million.
    pub fn new(bytes: u64, rows: u64) -> Result<Self, DataError> {
        if !(PART_BYTES_MIN..=PART_BYTES_MAX).contains(&bytes) || !(1..=PART_ROWS_MAX).contains(&rows) {
            return Err(DataError::Query(format!(
                "a part has {PART_BYTES_MIN} to {PART_BYTES_MAX} bytes and 1 to {PART_ROWS_MAX} rows at most"
            )));
        }
        Ok(Self { bytes, rows })
    }
}

impl Default for PartLimits {
    fn default() -> Self {
        Self { bytes: PART_BYTES_MAX, rows: PART_ROWS_MAX }
    }
}

/// One part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Name of the file in its folder.
    pub name: String,
    /// Bytes, exactly.
    pub bytes: u64,
    /// Digest of the file.
    pub sha256: Sha256,
    /// Rows.
    pub rows: u64,
    /// What its columns hold, in their order.
    pub columns: Vec<ColumnStats>,
}

/// What one column of a part holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnStats {
    /// Name.
    pub name: String,
    /// Missing values.
    pub nulls: u64,
    /// Least and greatest value of a column of whole numbers, numbers, days or times; days and times as texts. None for
    /// other kinds and where every value is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[serde_json::Value; 2]>,
}

/// All parts of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartsSummary {
    /// In the order of the rows; at least one.
    pub parts: Vec<Part>,
    /// Rows of all.
    pub rows: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// Whether the restriction's `max_rows` cut the answer though there was more.
    pub capped: bool,
}

/// Writes an answer into `dir`, which must be empty, as `0.parquet`, `1.parquet` and so on. The format of the job does not
/// matter.
///
/// # Errors
/// What the answer or the disk says; what was written until then is of no use.
pub async fn write_parts(
    mut answer: Answer,
    dir: &Path,
    limits: PartLimits,
) -> Result<PartsSummary, DataError> {
    let mut writer = PartWriter::new(dir, limits, answer.arrow_schema());
    while let Some(batch) = answer.next_rows().await? {
        let written = step(move || writer.write(&batch).map(|()| writer)).await;
        writer = written.map_err(|error| told(&answer, error))?;
    }
    let parts = step(move || writer.finish()).await.map_err(|error| told(&answer, error))?;
    let bytes = parts.iter().map(|part| part.bytes).fold(0, u64::saturating_add);
    let outcome = answer.outcome();
    Ok(PartsSummary { parts, rows: outcome.rows, bytes, capped: outcome.capped })
}

/// Runs what blocks on the disk.
async fn step<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PartError> + Send + 'static,
) -> Result<T, PartError> {
    let stopped = |_| PartError::Disk(DataError::Spool("its writer stopped".into()));
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

fn told(answer: &Answer, error: PartError) -> DataError {
    match error {
        PartError::Disk(error) => error,
        PartError::Encode(error) => answer.not_encoded(&error),
        PartError::TooMany => DataError::Quota { unit: "parts", max: PARTS_MAX },
    }
}
