//! Where a dataset's rows are. A source says its format in full; nothing is guessed when it is opened.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How a file writes its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Format {
    /// Delimited text after RFC 4180, UTF-8, with a header line.
    Csv {
        /// `,` `;` `|` or tab.
        delimiter: char,
        /// A word that stands for a missing value beside the empty field, as R writes `NA`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        null_text: Option<String>,
    },
    /// One flat JSON object per line.
    Ndjson,
    /// One JSON array of flat objects.
    Json,
    /// Apache Parquet with flat columns.
    Parquet,
}

impl Format {
    /// Whether the format can be read at all, or why not.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Csv { delimiter, .. } if !DELIMITERS.contains(delimiter) => {
                Err("the CSV delimiter must be a comma, a semicolon, a bar or a tab")
            }
            Self::Csv { null_text: Some(word), .. }
                if word.is_empty() || word.len() > NULL_TEXT_BYTES_MAX =>
            {
                Err("the word for a missing value must have 1 to 64 bytes")
            }
            _ => Ok(()),
        }
    }
}

/// The delimiters that files use.
pub(crate) const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
/// Longest word for a missing value: it becomes a pattern.
const NULL_TEXT_BYTES_MAX: usize = 64;

/// A file and its format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// How it is written.
    pub format: Format,
}
