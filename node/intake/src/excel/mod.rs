//! Workbooks, `.xlsx`: one sheet of one, by `calamine`, which writes nothing.
//!
//! Values are those that Excel kept: formulas are not computed. Cells become text in the house's form. Filters, hidden rows
//! and hidden columns change nothing: what is there is read.

mod book;
mod cell;
mod guard;
mod header;
mod reader;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::Input;
use crate::font::Font;
use crate::{Health, IntakeError, Rows, Said};

/// A sheet of a workbook.
///
/// ```toml
/// type = "excel"
/// path = "dan-so.xlsx"
/// # all that follows may be left out
/// sheet = "Tháng 3"        # else the first visible sheet that holds something
/// header = 4               # number of the (first) row with the columns' names, from 1
/// header_rows = 2          # rows that the header takes; names are joined from above to below
/// null_text = ["NA", "-"]  # cells that mean: no value
/// font = "tcvn3"           # typed with fonts .Vn…; vni-windows for VNI-…; unicode: do not look
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcelOrigin {
    /// The file; left out within a folder.
    #[serde(default, skip_serializing_if = "crate::text::is_blank")]
    pub path: PathBuf,
    /// Name of the sheet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// First row with the columns' names, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<u64>,
    /// Rows that the header takes, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_rows: Option<u32>,
    /// The old font that the text was typed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub font: Option<Font>,
    /// Cells that mean a missing value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null_text: Vec<String>,
}

impl ExcelOrigin {
    /// Opens the sheet.
    ///
    /// # Errors
    /// Every [`IntakeError`] but that of secrets.
    pub fn open(&self, base: &Path) -> Result<Box<dyn Rows>, IntakeError> {
        self.read(Input::at(base, &self.path)?)
    }

    pub(crate) fn read(&self, input: Input) -> Result<Box<dyn Rows>, IntakeError> {
        Ok(Box::new(reader::SheetRows::new(self, input)?))
    }

    /// Looks whether the workbook can be opened, and which sheets it has.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(&self, base: &Path) -> Result<Health, IntakeError> {
        let input = Input::at(base, &self.path)?;
        let (bytes, modified) = (input.len(), input.modified());
        let rows = reader::SheetRows::new(self, input)?;
        let (n, sheet) = (rows.columns().len(), rows.sheet());
        Ok(Health {
            said: Said::new(
                format!("tệp .xlsx {bytes} byte, trang tính `{sheet}`, {n} cột"),
                format!(".xlsx file of {bytes} bytes, sheet `{sheet}`, {n} columns"),
            ),
            bytes: Some(bytes),
            modified,
            parts: rows.sheets().to_vec(),
            columns: rows.columns().to_vec(),
            remarks: rows.remarks(),
            rows_estimate: None,
        })
    }
}

#[cfg(test)]
mod tests;
