//! What can be wrong with a record or a contract: a list of problems, each with its place and what to do.

use std::fmt;

use crate::limits;

/// One thing that is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The place: a path in the contract such as `schema[0].properties[2].logicalType`, or a field of the record.
    pub path: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Problem { path: path.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path, self.what)
    }
}

/// Why something was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// Not a name of a dataset.
    #[error(
        "`{input}` is no dataset name: use 1 to 64 lower-case letters, digits and dashes, beginning with a letter or digit"
    )]
    BadId {
        /// What was given, cut to a readable length.
        input: String,
    },

    /// A classification is a number from 0 to 9.
    #[error("`{input}` is no classification: use 0 (open) to 9 (most restricted)")]
    BadClassification {
        /// What was given.
        input: u64,
    },

    /// The contract is not readable as YAML, or too large.
    #[error("the data contract cannot be read: {what}")]
    Unreadable {
        /// What the parser said, with line and column where known.
        what: String,
    },

    /// The record or contract says something that cannot be.
    #[error("{} in the {of}: {}", count(problems), list(problems))]
    Invalid {
        /// `data contract`, `dataset record` or `catalog entry`.
        of: &'static str,
        /// All problems found, at most [`limits::PROBLEMS_MAX`].
        problems: Vec<Problem>,
    },

    /// The contract could not be written.
    #[error("the data contract could not be written: {what}")]
    Unwritable {
        /// What the YAML writer said.
        what: String,
    },

    /// The index is full.
    #[error(
        "the search index holds {} entries and takes no more; remove peers that are gone",
        limits::ENTRIES_MAX
    )]
    IndexFull,

    /// The index could not be written or read; it lies in memory, so the memory is short or it is a fault of the program.
    #[error("the search index failed: {0}; restart the node, it is built anew from what is kept")]
    Index(#[from] tantivy::TantivyError),
}

impl CatalogError {
    /// The problems, if it is about problems.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            CatalogError::Invalid { problems, .. } => problems,
            _ => &[],
        }
    }
}

fn count(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "1 problem".to_owned(),
        n => format!("{n} problems"),
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}
