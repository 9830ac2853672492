//! Parquet: its footer tells the schema; validation decodes every page. Footer ([`super::footer`]) and pages
//! ([`super::pages`]) are looked at before the reader believes them, each time that a file is opened.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Fields, Schema as ArrowSchema};
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::{FileReport, Hashing, Inspection, Problems, schema_of};
use crate::limits::{
    PARQUET_BATCH_TEXT_BYTES_MAX, PARQUET_FOOTER_BYTES_MAX, PARQUET_ROW_GROUP_BYTES_MAX, PARQUET_ROWS_MAX,
    RECORD_BYTES_MAX,
};
use crate::{Column, ColumnKind, DataError, Format, Problem, Schema};

/// Rows decoded at once.
const BATCH_ROWS: usize = 8_192;

pub(super) fn inspect(file: File) -> Result<Inspection, DataError> {
    let builder = open(file).map_err(DataError::problem)?;
    let rows = builder.metadata().file_metadata().num_rows();
    let columns = columns_of(builder.schema()).map_err(DataError::problem)?;
    let sampled_rows = u64::try_from(rows).unwrap_or(0);
    Ok(Inspection {
        format: Format::Parquet,
        schema: schema_of(columns)?,
        sampled_rows,
        warnings: Vec::new(),
    })
}

pub(super) fn validate(file: File, schema: &Schema) -> Result<FileReport, DataError> {
    let mut hashing = Hashing::new(file.try_clone().map_err(DataError::io("read the file"))?);
    std::io::copy(&mut hashing, &mut std::io::sink()).map_err(DataError::io("read the file"))?;
    let builder = open(file).map_err(DataError::problem)?;
    schema_of_file(builder.schema(), schema).map_err(DataError::problem)?;
    let declared = rows_of(builder.metadata());
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(damaged)?;
    let mut problems = Problems::default();
    let mut rows = 0u64;
    for batch in reader {
        let batch = batch.map_err(|e| damaged(e.into()))?;
        check_texts(&batch).map_err(DataError::problem)?;
        rows += batch.num_rows() as u64;
        for column in schema.columns().iter().filter(|c| !c.nullable) {
            let missing = batch.column_by_name(&column.name).map_or(0, |a| a.null_count());
            if missing > 0 {
                let what = format!("{missing} values are missing before row {rows}; fill them in");
                problems.add(Problem::cell(0, &column.name, what))?;
            }
        }
    }
    problems.finish()?;
    if rows != declared {
        let what = format!("its footer says {declared} rows and its pages hold {rows}; write it again");
        return Err(DataError::problem(Problem::file(what)));
    }
    Ok(hashing.report(rows))
}

fn damaged(error: ParquetError) -> DataError {
    DataError::problem(Problem::file(format!("it cannot be read as Parquet ({error}); write it again")))
}

/// Opens a Parquet file after looking at the sizes that it claims.
pub(crate) fn open(mut file: File) -> Result<ParquetRecordBatchReaderBuilder<File>, Problem> {
    let broken =
        |e: std::io::Error| Problem::file(format!("it cannot be read as Parquet ({e}); write it again"));
    file.seek(SeekFrom::End(-8)).map_err(broken)?;
    let mut tail = [0u8; 8];
    file.read_exact(&mut tail).map_err(broken)?;
    let [a, b, c, d, magic @ ..] = tail;
    if &magic != b"PAR1" {
        let what = "it begins as Parquet and does not end so; it may be cut off, copy or write it again";
        return Err(Problem::file(what));
    }
    if u64::from(u32::from_le_bytes([a, b, c, d])) > PARQUET_FOOTER_BYTES_MAX {
        let what = format!(
            "its Parquet footer is larger than {PARQUET_FOOTER_BYTES_MAX} bytes; write it with fewer columns or larger row groups"
        );
        return Err(Problem::file(what));
    }
    let length = file.seek(SeekFrom::End(0)).map_err(broken)?;
    let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    let begin = length
        .checked_sub(footer + 8)
        .ok_or_else(|| Problem::file("its Parquet footer is longer than the file; copy or write it again"))?;
    file.seek(SeekFrom::Start(begin)).map_err(broken)?;
    let mut words = Vec::new();
    (&file).take(footer).read_to_end(&mut words).map_err(broken)?;
    super::footer::check(&words).map_err(Problem::file)?;
    file.rewind().map_err(broken)?;
    let unread =
        |e: ParquetError| Problem::file(format!("it cannot be read as Parquet ({e}); write it again"));
    let known = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(unread)?;
    if known.metadata().row_groups().iter().any(|g| g.total_byte_size() > PARQUET_ROW_GROUP_BYTES_MAX) {
        let what =
            format!("a row group is larger than {PARQUET_ROW_GROUP_BYTES_MAX} bytes; write smaller ones");
        return Err(Problem::file(what));
    }
    check_claims(known.metadata(), length)?;
    super::pages::check(&file, known.metadata()).map_err(Problem::file)?;
    let options = ArrowReaderOptions::new().with_schema(with_views(known.schema()));
    let known = ArrowReaderMetadata::try_new(Arc::clone(known.metadata()), options).map_err(unread)?;
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, known))
}

/// The same columns, their texts as views: a word that a million rows refer to is then in memory once.
fn with_views(schema: &ArrowSchema) -> Arc<ArrowSchema> {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View))
        }
        _ => Arc::clone(field),
    });
    Arc::new(ArrowSchema::new_with_metadata(fields.collect::<Fields>(), schema.metadata().clone()))
}

/// Whether the texts of a batch can be written out. A word of a dictionary takes its bytes once, its rows each time.
pub(crate) fn check_texts(batch: &RecordBatch) -> Result<(), Problem> {
    let mut bytes = 0u64;
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let Some(texts) = column.as_string_view_opt() else { continue };
        for length in texts.lengths().map(u64::from) {
            if length > RECORD_BYTES_MAX as u64 {
                let what =
                    format!("a text is longer than {RECORD_BYTES_MAX} bytes; shorten it or leave it out");
                return Err(Problem { line: 0, column: Some(field.name().clone()), what });
            }
            bytes = bytes.saturating_add(length);
        }
    }
    if bytes > PARQUET_BATCH_TEXT_BYTES_MAX {
        let rows = batch.num_rows();
        return Err(Problem::file(format!(
            "{rows} of its rows have texts of over {PARQUET_BATCH_TEXT_BYTES_MAX} bytes; shorten them or leave columns out"
        )));
    }
    Ok(())
}

/// Holds what the footer claims against itself and against the file's length, since the reader believes it: it sets
/// memory aside by these numbers and stops at counts that cannot be.
fn check_claims(metadata: &ParquetMetaData, length: u64) -> Result<(), Problem> {
    let lie = |what: &str| {
        Problem::file(format!("its Parquet footer contradicts itself or the file ({what}); write it again"))
    };
    let mut rows = 0i64;
    for group in metadata.row_groups() {
        if group.num_rows() < 0 || group.total_byte_size() < 0 {
            return Err(lie("a row group of less than nothing"));
        }
        rows = rows.checked_add(group.num_rows()).ok_or_else(|| lie("more rows than can be counted"))?;
        let mut bytes = 0i64;
        for chunk in group.columns() {
            if !lies_within(chunk, length) {
                return Err(lie("a column that lies outside the file"));
            }
            if chunk.num_values() != group.num_rows() {
                return Err(lie("a column with another number of values than its row group has rows"));
            }
            bytes = bytes.saturating_add(chunk.uncompressed_size());
        }
        if bytes > PARQUET_ROW_GROUP_BYTES_MAX {
            return Err(lie("columns larger than their row group may be"));
        }
    }
    if rows > PARQUET_ROWS_MAX {
        return Err(Problem::file(format!(
            "it says that it has {rows} rows, at most {PARQUET_ROWS_MAX} can be taken"
        )));
    }
    if rows != metadata.file_metadata().num_rows() {
        return Err(lie("another number of rows than its row groups have"));
    }
    Ok(())
}

/// Whether the chunk's sizes are possible and its bytes are within a file of this length.
fn lies_within(chunk: &ColumnChunkMetaData, length: u64) -> bool {
    let data = chunk.data_page_offset();
    let begin = chunk.dictionary_page_offset().unwrap_or(data);
    let sizes = [begin, chunk.compressed_size(), chunk.uncompressed_size(), chunk.num_values()];
    let Some(end) = begin.checked_add(chunk.compressed_size()) else { return false };
    sizes.iter().all(|n| *n >= 0)
        && (begin..=end).contains(&data)
        && u64::try_from(end).is_ok_and(|e| e <= length)
}

/// Rows that the row groups say they have; checked to be no less than none.
pub(crate) fn rows_of(metadata: &ParquetMetaData) -> u64 {
    metadata.row_groups().iter().filter_map(|g| u64::try_from(g.num_rows()).ok()).sum()
}

/// The kind of a column as Parquet's reader gives it; nothing for what has no kind of ours.
fn kind_of(data_type: &DataType) -> Option<ColumnKind> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnKind::String,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => ColumnKind::Integer,
        DataType::Float32 | DataType::Float64 => ColumnKind::Number,
        DataType::Boolean => ColumnKind::Boolean,
        DataType::Date32 => ColumnKind::Date,
        DataType::Timestamp(_, _) => ColumnKind::Timestamp,
        _ => return None,
    })
}

fn columns_of(schema: &ArrowSchema) -> Result<Vec<Column>, Problem> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let Some(kind) = kind_of(field.data_type()) else {
            let what = format!(
                "its type {} is not supported; write text, numbers, days or times",
                field.data_type()
            );
            return Err(Problem { line: 0, column: Some(field.name().clone()), what });
        };
        columns.push(Column::new(field.name(), kind, field.is_nullable()));
    }
    Ok(columns)
}

/// Whether the file has exactly the schema's columns, in order and of their kinds.
fn schema_of_file(file: &ArrowSchema, schema: &Schema) -> Result<(), Problem> {
    let columns = columns_of(file)?;
    let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
    super::csv::check_header(&names, schema).map_err(|p| Problem { line: 0, ..p })?;
    for (found, due) in columns.iter().zip(schema.columns()) {
        let widens = found.kind == ColumnKind::Integer && due.kind == ColumnKind::Number;
        if found.kind != due.kind && !widens {
            let what = format!("the file holds {}, the schema says {}", found.kind, due.kind);
            return Err(Problem { line: 0, column: Some(due.name.clone()), what });
        }
    }
    Ok(())
}

/// Opens a Parquet file that must have this schema.
pub(crate) fn open_checked(
    file: File,
    schema: &Schema,
) -> Result<ParquetRecordBatchReaderBuilder<File>, Problem> {
    let builder = open(file)?;
    schema_of_file(builder.schema(), schema)?;
    Ok(builder)
}
