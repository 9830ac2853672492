//! The columns of a table, in our own words. A [`Schema`] that exists is usable: it has columns, their names are
//! all different, and each is short enough. Names are kept exactly as the file writes them, spaces and all.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::limits::{COLUMNS_MAX, NAME_BYTES_MAX};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Text, UTF-8.
    String,
    /// Whole number, 64 bits with sign.
    Integer,
    /// Number, IEEE 754 binary64.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Calendar day, `YYYY-MM-DD`.
    Date,
    /// Day and time of day to the microsecond; local time of the source where the file gives no offset.
    Timestamp,
}

impl ColumnKind {
    /// Whether the engine reads this text as a value of this kind.
    #[must_use]
    pub fn accepts(self, text: &str) -> bool {
        crate::inspect::is_of(self, text)
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        })
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name, exactly as in the file.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether a value may be missing.
    pub nullable: bool,
}

impl Column {
    /// A column.
    pub fn new(name: impl Into<String>, kind: ColumnKind, nullable: bool) -> Self {
        Self { name: name.into(), kind, nullable }
    }
}

/// The columns of a table in file order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Column>", into = "Vec<Column>")]
pub struct Schema {
    columns: Vec<Column>,
}

impl Schema {
    /// A schema of these columns.
    ///
    /// # Errors
    /// [`DataError::Schema`] when there is no column, more than [`COLUMNS_MAX`], two of one name, or a name that is
    /// empty, longer than [`NAME_BYTES_MAX`], has control characters or begins with `__tram_`.
    pub fn new(columns: Vec<Column>) -> Result<Self, DataError> {
        if columns.is_empty() {
            return Err(DataError::Schema("it has no column; name at least one".into()));
        }
        if columns.len() > COLUMNS_MAX {
            return Err(DataError::Schema(format!(
                "it has {} columns, at most {COLUMNS_MAX}",
                columns.len()
            )));
        }
        let mut seen = std::collections::HashSet::with_capacity(columns.len());
        for column in &columns {
            check_name(&column.name).map_err(DataError::Schema)?;
            if !seen.insert(column.name.as_str()) {
                return Err(DataError::Schema(format!(
                    "two columns are named `{}`; rename one",
                    column.name
                )));
            }
        }
        Ok(Self { columns })
    }

    /// The columns in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of that exact name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// Names that begin so are the engine's.
const RESERVED_PREFIX: &str = "__tram_";

/// Why a column cannot have this name, or nothing.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("a column has no name; give each column one".into());
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("a column name has {} bytes, at most {NAME_BYTES_MAX}; shorten it", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err(format!("the column name {name:?} has control characters; remove them"));
    }
    if name.starts_with(RESERVED_PREFIX) {
        return Err(format!("the column name `{name}` is reserved; rename the column"));
    }
    Ok(())
}

impl TryFrom<Vec<Column>> for Schema {
    type Error = DataError;

    fn try_from(columns: Vec<Column>) -> Result<Self, Self::Error> {
        Self::new(columns)
    }
}

impl From<Schema> for Vec<Column> {
    fn from(schema: Schema) -> Self {
        schema.columns
    }
}
