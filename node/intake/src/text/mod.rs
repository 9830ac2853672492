//! CSV and its relatives, as programs of thirty years wrote them.
//!
//! Encoding, delimiter and header row are taken as the description gives them, else found out and remarked on, else refused
//! with what to set. Cells are never trimmed or interpreted; an empty cell and the words of `null_text` are missing values.

mod encoding;
mod reader;
mod sniff;
mod split;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use encoding::Encoding;

use crate::file::Input;
use crate::font::Font;
use crate::{Health, IntakeError, Rows, Said};

/// A text file with one record a line.
///
/// ```toml
/// type = "text"
/// path = "dan-so.csv"
/// # all that follows may be left out
/// delimiter = ";"            # "," ";" "tab" "|"
/// encoding = "tcvn3"         # utf-8, utf-16le, utf-16be, windows-1258, tcvn3, vni-windows
/// header = 3                 # number of the line with the columns' names, from 1
/// null_text = ["NA", "-"]    # cells that mean: no value
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextOrigin {
    /// The file; left out within a folder.
    #[serde(default, skip_serializing_if = "is_blank")]
    pub path: PathBuf,
    /// What stands between cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<Delimiter>,
    /// How bytes become letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// The old font that Unicode text was typed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub font: Option<Font>,
    /// Line with the columns' names, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<u64>,
    /// Cells that mean a missing value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null_text: Vec<String>,
}

pub(crate) fn is_blank(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

/// What stands between cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delimiter {
    /// `,`
    #[serde(rename = ",", alias = "comma")]
    Comma,
    /// `;`
    #[serde(rename = ";", alias = "semicolon")]
    Semicolon,
    /// A tab.
    #[serde(rename = "tab", alias = "\t")]
    Tab,
    /// `|`
    #[serde(rename = "|", alias = "bar")]
    Bar,
}

impl Delimiter {
    /// All.
    pub(crate) const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Bar];

    /// Its byte.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Bar => b'|',
        }
    }

    /// The word for it in a description.
    pub fn word(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Semicolon => ";",
            Self::Tab => "tab",
            Self::Bar => "|",
        }
    }
}

impl TextOrigin {
    /// Opens the file.
    ///
    /// # Errors
    /// Every [`IntakeError`] but that of secrets.
    pub fn open(&self, base: &Path) -> Result<Box<dyn Rows>, IntakeError> {
        self.read(Input::at(base, &self.path)?)
    }

    pub(crate) fn read(&self, input: Input) -> Result<Box<dyn Rows>, IntakeError> {
        Ok(Box::new(reader::TextRows::new(self, input)?))
    }

    /// Looks whether the file can be opened, and as what. The encoding is told from the whole file, rows are not read.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(&self, base: &Path) -> Result<Health, IntakeError> {
        let input = Input::at(base, &self.path)?;
        let (bytes, modified) = (input.len(), input.modified());
        let rows = reader::TextRows::new(self, input)?;
        let (n, encoding, delimiter) =
            (rows.columns().len(), rows.encoding().word(), rows.delimiter().word());
        Ok(Health {
            said: Said::new(
                format!("tệp văn bản {bytes} byte, {encoding}, ngăn cách `{delimiter}`, {n} cột"),
                format!("text file of {bytes} bytes, {encoding}, delimiter `{delimiter}`, {n} columns"),
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
