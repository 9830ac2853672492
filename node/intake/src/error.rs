//! What can go wrong, said to a clerk: what, where (sheet, row, column) and what to do, in Vietnamese and English.
//! Messages are for the agency's own people: they quote cells.

use std::fmt;

use serde::Serialize;

/// A sentence in both languages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Said {
    /// Both.
    pub fn new(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { vi: vi.into(), en: en.into() }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {}", self.vi, self.en)
    }
}

/// Where something stands in an origin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// The file of a folder, the sheet of a workbook, the page of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Row as the tool that made it counts, from 1, the header included; 0 where there are no rows.
    pub row: u64,
    /// Name of the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

impl Place {
    /// A row.
    pub fn row(row: u64) -> Self {
        Self { row, ..Self::default() }
    }

    /// The same place in this column.
    pub fn column(mut self, name: &str) -> Self {
        self.column = Some(name.to_owned());
        self
    }
}

/// Something that is wrong with what was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub said: Said,
}

impl Problem {
    /// A problem at a place.
    pub fn at(place: Place, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { place, said: Said::new(vi, en) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(part) = &self.place.part {
            write!(f, "{part}: ")?;
        }
        if self.place.row > 0 {
            write!(f, "dòng · row {}: ", self.place.row)?;
        }
        if let Some(column) = &self.place.column {
            write!(f, "cột · column `{column}`: ")?;
        }
        self.said.fmt(f)
    }
}

/// Rows that do not fit the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misfits {
    /// The first of them, at most [`crate::limits::PROBLEMS_MAX`].
    pub first: Vec<Problem>,
    /// How many there are.
    pub total: u64,
    /// Why the run is refused for them.
    pub said: Said,
}

impl fmt::Display for Misfits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said.fmt(f)?;
        for problem in &self.first {
            write!(f, "\n{problem}")?;
        }
        let more = self.total.saturating_sub(self.first.len() as u64);
        if more > 0 { write!(f, "\n… và {more} lỗi nữa · and {more} more") } else { Ok(()) }
    }
}

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// The origin's description cannot be used.
    #[error("{0}")]
    Origin(Said),
    /// What the origin holds cannot be taken.
    #[error("{0}")]
    Content(Problem),
    /// The origin is not there, or does not let us in; another try later may do.
    #[error("{0}")]
    Unreachable(Said),
    /// The mapping, or the contract that it maps to, cannot be used.
    #[error("{0}")]
    Mapping(Said),
    /// Rows do not fit the contract.
    #[error("{0}")]
    Misfits(Box<Misfits>),
    /// A secret cannot be read. Never its value.
    #[error("{0}")]
    Secret(Said),
}

impl IntakeError {
    /// What the origin's description gets wrong.
    pub fn origin(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Origin(Said::new(vi, en))
    }

    /// What a mapping gets wrong.
    pub fn mapping(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Mapping(Said::new(vi, en))
    }

    /// Wrong content at a place.
    pub fn content(place: Place, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Content(Problem::at(place, vi, en))
    }

    /// An origin that cannot be reached now.
    pub fn unreachable(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Unreachable(Said::new(vi, en))
    }
}
