//! Looks at a file before it becomes a source.
//!
//! [`inspect`] guesses format and schema from a sample, for a person to confirm; [`validate`] reads the whole file
//! once and holds it against a schema. Both hold one record in memory, block, and are for the agency's own people:
//! their problems quote cells. Call them from a blocking thread.

mod csv;
mod footer;
mod guess;
mod json;
mod page_header;
mod pages;
mod parquet;
mod thrift;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

pub(crate) use csv::{check_header, header};
pub(crate) use guess::is_of;
pub(crate) use parquet::{check_texts, open_checked as open_parquet, rows_of};

use crate::limits::{PROBLEMS_MAX, QUOTED_CHARS_MAX};
use crate::merkle::Sha256;
use crate::records::RecordError;
use crate::{Column, ColumnKind, DataError, Format, Problem, Schema};

/// What a file seems to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// How it is written.
    pub format: Format,
    /// Its columns.
    pub schema: Schema,
    /// Rows that were looked at.
    pub sampled_rows: u64,
    /// What a person should know before confirming.
    pub warnings: Vec<String>,
}

/// A file that fits its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Digest of the bytes.
    pub sha256: Sha256,
}

/// Guesses format and schema from the first [`crate::limits::SAMPLE_ROWS_MAX`] rows. A given format is taken as it
/// is (with a CSV `null_text` still proposed when it has none); without one the first bytes tell.
///
/// # Errors
/// [`DataError::File`] with line and column of what makes the file unusable; [`DataError::Io`].
pub fn inspect(path: &Path, format: Option<&Format>) -> Result<Inspection, DataError> {
    let mut file = open(path)?;
    let format = match format {
        Some(format) => {
            check_format(format)?;
            format.clone()
        }
        None => sniff(&mut file)?,
    };
    match format {
        Format::Csv { delimiter, null_text } => csv::inspect(file, delimiter, null_text),
        Format::Ndjson | Format::Json => json::inspect(file, &format),
        Format::Parquet => unharmed(|| parquet::inspect(file)),
    }
}

/// Reads the whole file once and holds each value against the schema.
///
/// # Errors
/// [`DataError::File`] with the first [`PROBLEMS_MAX`] problems; [`DataError::Io`].
pub fn validate(path: &Path, format: &Format, schema: &Schema) -> Result<FileReport, DataError> {
    check_format(format)?;
    let file = open(path)?;
    match format {
        Format::Csv { delimiter, null_text } => csv::validate(file, *delimiter, null_text.as_deref(), schema),
        Format::Ndjson | Format::Json => json::validate(file, format, schema),
        Format::Parquet => unharmed(|| parquet::validate(file, schema)),
    }
}

/// A decoder that panics on a damaged file must end this look at it and no more.
fn unharmed<T>(look: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(look)).unwrap_or_else(|_| {
        let what = "the reader of this format fails on it, so it is damaged; write it again";
        Err(DataError::problem(Problem::file(what)))
    })
}

fn check_format(format: &Format) -> Result<(), DataError> {
    format.check().map_err(|what| DataError::problem(Problem::file(what)))
}

fn open(path: &Path) -> Result<File, DataError> {
    let file = File::open(path).map_err(DataError::io("open the file"))?;
    let meta = file.metadata().map_err(DataError::io("look at the file"))?;
    if !meta.is_file() {
        return Err(DataError::problem(Problem::file("it is not a file; name one file")));
    }
    if meta.len() == 0 {
        return Err(DataError::problem(Problem::file("it is empty; save the table again")));
    }
    Ok(file)
}

/// Tells a format by its first bytes.
fn sniff(file: &mut File) -> Result<Format, DataError> {
    let mut head = Vec::new();
    file.by_ref().take(4096).read_to_end(&mut head).map_err(DataError::io("read the file"))?;
    file.rewind().map_err(DataError::io("read the file"))?;
    if head.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        let what = "it looks like a spreadsheet or an archive; save the sheet as CSV UTF-8, or describe it as a source (docs/sources.md)";
        return Err(DataError::problem(Problem::file(what)));
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head);
    Ok(match text.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => Format::Ndjson,
        Some(b'[') => Format::Json,
        _ => Format::Csv { delimiter: csv::UNKNOWN, null_text: None },
    })
}

/// Counts and hashes what is read through it.
struct Hashing<R> {
    input: R,
    hash: sha2::Sha256,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    fn new(input: R) -> Self {
        Self { input, hash: sha2::Sha256::new(), bytes: 0 }
    }

    fn report(self, rows: u64) -> FileReport {
        FileReport { rows, bytes: self.bytes, sha256: Sha256(self.hash.finalize().into()) }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.input.read(out)?;
        self.hash.update(out.get(..n).unwrap_or_default());
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Gathers problems until there are enough.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one; `Err` when no more are wanted.
    fn add(&mut self, problem: Problem) -> Result<(), DataError> {
        self.0.push(problem);
        if self.0.len() >= PROBLEMS_MAX {
            return Err(DataError::File { problems: std::mem::take(&mut self.0) });
        }
        Ok(())
    }

    /// Adds one after which reading cannot go on.
    fn last(mut self, problem: Problem) -> DataError {
        self.0.push(problem);
        DataError::File { problems: self.0 }
    }

    fn finish(self) -> Result<(), DataError> {
        if self.0.is_empty() { Ok(()) } else { Err(DataError::File { problems: self.0 }) }
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        Self { line: error.line(), column: None, what: error.to_string() }
    }
}

/// The text of a record, or where it is not text.
fn text_of(line: u64, offset: u64, bytes: &[u8]) -> Result<&str, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let at = offset + e.valid_up_to() as u64;
        Problem::line(line, format!("byte {at} of the file is not UTF-8; save the file as UTF-8"))
    })?;
    if text.contains('\0') {
        return Err(Problem::line(
            line,
            "a NUL byte is in the text; the file may be binary or damaged, save it as text",
        ));
    }
    Ok(text)
}

/// A cell for a message, shortened.
fn quoted(cell: &str) -> String {
    let mut short: String = cell.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < cell.len() {
        short.push('…');
    }
    format!("`{}`", short.escape_debug())
}

/// A schema of these columns or the problem of the file.
fn schema_of(columns: Vec<Column>) -> Result<Schema, DataError> {
    Schema::new(columns).map_err(|e| match e {
        DataError::Schema(what) => DataError::problem(Problem { line: 1, column: None, what }),
        other => other,
    })
}

/// What a value of this kind looks like, for messages.
fn expected(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::String => "a text",
        ColumnKind::Integer => "a whole number such as `42`",
        ColumnKind::Number => "a number such as `3.5` (decimal point, no thousands sign)",
        ColumnKind::Boolean => "`true` or `false`",
        ColumnKind::Date => "a day such as `2023-03-08`",
        ColumnKind::Timestamp => "a time such as `2023-03-08 01:00:00`",
    }
}
