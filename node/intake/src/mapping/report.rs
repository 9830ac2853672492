//! What a mapping did, for the clerk who looks at it and for the record of the run.

use serde::Serialize;

use crate::{Place, Problem, Remark};

/// What a mapping did to all rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows of the source.
    pub rows_in: u64,
    /// Rows given on. With `on_error = "refuse"` none is after the first that does not fit.
    pub rows_out: u64,
    /// Rows that did not fit.
    pub rows_left_out: u64,
    /// The contract's columns, in its order.
    pub columns: Vec<ColumnReport>,
    /// The first problems, at most [`crate::limits::PROBLEMS_MAX`]. They quote cells.
    pub problems: Vec<Problem>,
    /// How many problems there were.
    pub problems_total: u64,
    /// What a person should know, the source's remarks first.
    pub remarks: Vec<Remark>,
}

/// What a mapping did to one column. Counts are of all rows of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ColumnReport {
    /// The contract's column.
    pub name: String,
    /// The source's columns that it was made of.
    pub from: Vec<String>,
    /// Cells that became a value.
    pub values: u64,
    /// Of these, those whose text was changed.
    pub converted: u64,
    /// Cells without a value.
    pub missing: u64,
    /// Cells that do not fit.
    pub failed: u64,
    /// Where the first cells are that do not fit.
    pub first_failed: Vec<Place>,
    /// Cells with a text that the code list does not have.
    pub unknown: u64,
    /// Those texts, at most [`crate::limits::UNKNOWN_MAX`].
    pub unknown_codes: Vec<UnknownCode>,
}

/// A text that a code list does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownCode {
    /// The text, cut to a readable length.
    pub text: String,
    /// How often it came.
    pub count: u64,
    /// Where first.
    pub first: Place,
}
