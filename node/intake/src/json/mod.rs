//! JSON: a line a record (NDJSON), or a document with records somewhere in it.
//!
//! A first pass collects the columns' names, since records need not all have the same fields; a second gives the rows. What
//! is in memory is one element of the outermost list. Numbers come as they are written (without exponents).

mod document;
mod node;
mod reader;
mod records;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::Input;
use crate::font::Font;
use crate::{Health, IntakeError, Rows, Said};

/// A JSON file.
///
/// ```toml
/// type = "json"
/// path = "tinh-xa.json"
/// # all that follows may be left out
/// records = "data.*.wards"       # where the records are; else the file is a list, or has a record a line
/// leave_out = ["geometry"]       # fields that are not read, with all below them
/// null_text = ["NA"]             # texts that mean: no value
/// font = "tcvn3"                 # typed with an old font
/// ```
///
/// `records` is a way from the outside to the records, its steps divided by dots: a name goes into that field, `*` goes
/// through all elements of a list. A list at the end is gone through as well. An element that was gone through with `*` on
/// the way is a parent: its fields are joined to each record below it as `parent.name`, those of its own parent as
/// `parent.parent.name`; lists in parents are left out. Of `{"data": [{"name": "A", "wards": [{"code": 1}]}]}`,
/// `data.*.wards` makes the columns `code` and `parent.name`.
///
/// Objects in records become columns `outer.inner`. A list in a record is refused: name it in `leave_out`, or go through it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonOrigin {
    /// The file; left out within a folder.
    #[serde(default, skip_serializing_if = "crate::text::is_blank")]
    pub path: PathBuf,
    /// The way to the records.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub records: String,
    /// Fields that are not read, by the name of their column or its beginning before a dot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave_out: Vec<String>,
    /// Texts that mean a missing value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null_text: Vec<String>,
    /// The old font that the text was typed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub font: Option<Font>,
}

/// Records that a health check looks at.
const CHECKED_RECORDS: u64 = 1_000;

impl JsonOrigin {
    /// Opens the file: reads it once for the columns' names.
    ///
    /// # Errors
    /// Every [`IntakeError`] but that of secrets.
    pub fn open(&self, base: &Path) -> Result<Box<dyn Rows>, IntakeError> {
        self.read(Input::at(base, &self.path)?)
    }

    pub(crate) fn read(&self, input: Input) -> Result<Box<dyn Rows>, IntakeError> {
        Ok(Box::new(reader::JsonRows::new(self, input, u64::MAX)?))
    }

    /// Looks whether the file can be opened; columns are those of its first 1000 records.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(&self, base: &Path) -> Result<Health, IntakeError> {
        let input = Input::at(base, &self.path)?;
        let (bytes, modified) = (input.len(), input.modified());
        let rows = reader::JsonRows::new(self, input, CHECKED_RECORDS)?;
        let n = rows.columns().len();
        Ok(Health {
            said: Said::new(
                format!("tệp JSON {bytes} byte, {n} cột trong {CHECKED_RECORDS} bản ghi đầu"),
                format!("JSON file of {bytes} bytes, {n} columns in the first {CHECKED_RECORDS} records"),
            ),
            bytes: Some(bytes),
            modified,
            parts: Vec::new(),
            columns: rows.columns().to_vec(),
            remarks: rows.remarks(),
            rows_estimate: None,
        })
    }
}

#[cfg(test)]
mod tests;
