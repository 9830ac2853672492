//! Output formats. The bytes depend on the rows alone: no time, no version of a machine, no order of threads.
//!
//! CSV is RFC 4180 with `\n` line ends, a header line, and nothing between two delimiters for a missing value.
//! `csv_bom` is the same behind a byte order mark, by which Excel knows UTF-8. A CSV cannot say that a text is a text:
//! spreadsheet programs take a cell that begins with `=`, `+`, `-` or `@` for a formula. Nothing is put before such a cell
//! here, since it would change telephone numbers and names; XLSX says which cells are texts.
//! NDJSON writes every field of every row, `null` when missing. Times are `YYYY-MM-DDThh:mm:ss` with a fraction when
//! there is one. JSON is the same objects in one array, one a line. XLSX is in `sheet`.
//!
//! Nothing but the values shown may be in the bytes. The engine leaves whatever was there in the slots of missing
//! values, and cuts batches where rows were filtered out; both would tell of hidden rows in the binary formats. So the
//! caller passes batches of [`BATCH_ROWS`] rows, and Arrow's slots are cleared here.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch, StringArray,
};
use datafusion::arrow::csv::WriterBuilder as CsvWriter;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::json::writer::{LineDelimited, WriterBuilder as JsonWriter};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use rust_xlsxwriter::XlsxError;
use serde::{Deserialize, Serialize};

use crate::csv_rows;
use crate::sheet::Sheet;

/// Rows of each batch that is encoded, but the last.
pub(crate) const BATCH_ROWS: usize = 8_192;
/// Rows of one Parquet row group: what the writer holds in memory at most.
const PARQUET_ROW_GROUP_ROWS: usize = 128 * 1024;
/// Bytes of a Parquet column's dictionary. Names of stations fit; of numbers and hashes that are all different a larger one is
/// the column once more.
const PARQUET_DICTIONARY_BYTES: usize = 64 * 1024;
/// Bytes of one Parquet row group before it is written out, for wide rows.
pub(crate) const PARQUET_ROW_GROUP_BYTES: usize = 32 * 1024 * 1024;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormat {
    /// Comma-separated text with a header.
    Csv,
    /// The same behind a byte order mark, for Excel.
    CsvBom,
    /// One JSON object per line.
    Ndjson,
    /// One JSON array of objects.
    Json,
    /// One sheet of an Excel workbook; at most 1,048,575 rows.
    Xlsx,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC stream.
    ArrowStream,
}

impl OutputFormat {
    /// The media type (IANA, except that Parquet's is `application/vnd.apache.parquet`).
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv | Self::CsvBom => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
            Self::Json => "application/json",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::ArrowStream => "application/vnd.apache.arrow.stream",
        }
    }
}

/// Why rows could not be written; the text may quote values.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    #[error(transparent)]
    Workbook(#[from] XlsxError),
    /// The format cannot hold the answer; says what of it, and no value.
    #[error("the answer has {0}")]
    Sheet(&'static str),
}

/// Writes batches of one schema as bytes of one format.
pub(crate) enum Encoder {
    Csv { schema: SchemaRef, header_due: bool, mark_due: bool },
    Ndjson,
    Json { begun: bool },
    Xlsx(Box<Sheet>),
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Encoder {
    pub(crate) fn new(
        format: OutputFormat,
        schema: &SchemaRef,
        scratch: Option<&Path>,
    ) -> Result<Self, EncodeError> {
        Ok(match format {
            OutputFormat::Csv | OutputFormat::CsvBom => Self::Csv {
                schema: Arc::clone(schema),
                header_due: true,
                mark_due: format == OutputFormat::CsvBom,
            },
            OutputFormat::Ndjson => Self::Ndjson,
            OutputFormat::Json => Self::Json { begun: false },
            OutputFormat::Xlsx => Self::Xlsx(Box::new(Sheet::new(schema, scratch)?)),
            OutputFormat::Parquet => {
                let properties = parquet_properties(Compression::UNCOMPRESSED);
                Self::Parquet(Box::new(ArrowWriter::try_new(
                    Vec::new(),
                    Arc::clone(schema),
                    Some(properties),
                )?))
            }
            OutputFormat::ArrowStream => Self::Arrow(Box::new(StreamWriter::try_new(Vec::new(), schema)?)),
        })
    }

    /// The bytes that are ready after this batch; may be none.
    pub(crate) fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Csv { header_due, mark_due, .. } => {
                csv(batch, std::mem::take(header_due), std::mem::take(mark_due))
            }
            Self::Ndjson => lines(batch),
            Self::Json { begun } => Ok(elements(&lines(batch)?, begun)),
            Self::Xlsx(sheet) => {
                sheet.write(batch)?;
                Ok(Vec::new())
            }
            Self::Parquet(writer) => {
                writer.write(batch)?;
                if writer.in_progress_size() > PARQUET_ROW_GROUP_BYTES {
                    writer.flush()?;
                }
                // The writer counts what passed through it, so bytes that are out may be taken away.
                Ok(std::mem::take(writer.inner_mut()))
            }
            Self::Arrow(writer) => {
                writer.write(&cleared(batch)?)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }

    /// The last bytes.
    pub(crate) fn finish(self) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Csv { schema, header_due: true, mark_due } => {
                csv(&RecordBatch::new_empty(schema), true, mark_due)
            }
            Self::Csv { .. } | Self::Ndjson => Ok(Vec::new()),
            Self::Json { begun: true } => Ok(b"\n]\n".to_vec()),
            Self::Json { begun: false } => Ok(b"[]\n".to_vec()),
            Self::Xlsx(sheet) => sheet.finish(),
            Self::Parquet(writer) => Ok(writer.into_inner()?),
            Self::Arrow(mut writer) => {
                writer.finish()?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }
}

/// How Parquet is written.
pub(crate) fn parquet_properties(compression: Compression) -> WriterProperties {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(PARQUET_ROW_GROUP_ROWS))
        .set_dictionary_page_size_limit(PARQUET_DICTIONARY_BYTES)
        .set_compression(compression)
        .set_created_by("tram".to_owned())
        .build()
}

/// The same values, with nothing in the slots of the missing ones.
fn cleared(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(cleared_column).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(batch.schema(), columns)
}

fn cleared_column(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        DataType::Utf8 => Arc::new(array.as_string::<i32>().iter().collect::<StringArray>()),
        DataType::Boolean => Arc::new(array.as_boolean().iter().collect::<BooleanArray>()),
        DataType::Int64 => cleared_numbers::<Int64Type>(array),
        DataType::Float64 => cleared_numbers::<Float64Type>(array),
        DataType::Date32 => cleared_numbers::<Date32Type>(array),
        DataType::Timestamp(_, None) => cleared_numbers::<TimestampMicrosecondType>(array),
        other => return Err(ArrowError::NotYetImplemented(format!("a column of type {other}"))),
    })
}

fn cleared_numbers<T: ArrowPrimitiveType>(array: &ArrayRef) -> ArrayRef {
    Arc::new(array.as_primitive::<T>().iter().collect::<PrimitiveArray<T>>())
}

fn csv(batch: &RecordBatch, header: bool, mark: bool) -> Result<Vec<u8>, EncodeError> {
    let mut out = if mark { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
    if header {
        let mut writer = CsvWriter::new().with_header(true).build(&mut out);
        writer.write(&RecordBatch::new_empty(batch.schema()))?;
    }
    csv_rows::write(batch, &mut out)?;
    Ok(out)
}

/// One JSON object a line.
fn lines(batch: &RecordBatch) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut writer = JsonWriter::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut out);
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    Ok(out)
}

/// The lines as elements of an array that has `begun` or does so here. No line has a line end inside.
fn elements(lines: &[u8], begun: &mut bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.len() + lines.len() / 16);
    for line in lines.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        out.extend_from_slice(if std::mem::replace(begun, true) { b",\n" } else { b"[\n" });
        out.extend_from_slice(line);
    }
    out
}
