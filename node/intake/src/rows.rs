//! What every reader gives: named columns and rows of text.

use crate::{IntakeError, Place, Said};

/// A value as text in one form: days `2026-11-23`, times `2026-11-23T08:00:00`, decimal points, `true` and `false`, NFC.
/// `None` is a missing value.
pub type Cell = Option<String>;

/// Something that a person should know about what was read, although it was read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Remark {
    /// Stable word for programs, such as `text-converted`.
    pub code: &'static str,
    /// What.
    pub said: Said,
}

impl Remark {
    /// A remark.
    pub fn new(code: &'static str, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { code, said: Said::new(vi, en) }
    }
}

/// Rows, one after another. No more than a row (or a page of the origin) is held in memory.
pub trait Rows {
    /// The columns' names: at least one, no two equal, none empty.
    fn columns(&self) -> &[String];

    /// The next row, as many cells as there are columns, and its place; `None` after the last.
    ///
    /// # Errors
    /// [`IntakeError::Content`] with its place, [`IntakeError::Unreachable`]. After an error nothing more is read.
    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError>;

    /// What a person should know; complete after the last row.
    fn remarks(&self) -> Vec<Remark>;
}
