//! What can go wrong, told twice: the message of an error may go to the one who asked; what a message must not say
//! (engine texts, values of rows) goes to the local log only, under the same correlation id.

use std::fmt;

/// A defect of a source file, for the person who can repair it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1, where the record begins; 0 when the defect has no line (Parquet, whole file).
    pub line: u64,
    /// Name of the column, when one is to blame.
    pub column: Option<String>,
    /// What is wrong and what to do, in one sentence.
    pub what: String,
}

impl Problem {
    pub(crate) fn file(what: impl Into<String>) -> Self {
        Self { line: 0, column: None, what: what.into() }
    }

    pub(crate) fn line(line: u64, what: impl Into<String>) -> Self {
        Self { line, column: None, what: what.into() }
    }

    pub(crate) fn cell(line: u64, column: &str, what: impl Into<String>) -> Self {
        Self { line, column: Some(column.to_owned()), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if let Some(column) = &self.column {
            write!(f, "column `{column}`: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be taken as it is. For the agency's own people, never for a peer: it quotes cells.
    #[error("the file cannot be used: {}", list(problems))]
    File {
        /// What was found, in file order; at most [`crate::limits::PROBLEMS_MAX`].
        problems: Vec<Problem>,
    },
    /// A schema that cannot be: no columns, two of one name, a name too long.
    #[error("the schema cannot be used: {0}")]
    Schema(String),
    /// A restriction that does not fit the schema. It means no: nothing is shown. For the agency's own people.
    #[error("the restriction does not fit the dataset, so nothing is shown: {0}")]
    Restriction(String),
    /// The query names a column that is not visible; the same words whether it is hidden or does not exist.
    #[error(
        "no column `{column}` is visible under this agreement; ask for the visible columns in the catalog"
    )]
    NotVisible {
        /// The name as asked.
        column: String,
    },
    /// The query cannot be answered as it is; found without looking at any row.
    #[error("the query cannot be answered: {0}")]
    Query(String),
    /// The source is not there or is not what its schema says. What exactly is in the log under the correlation id.
    #[error("the data source is not available (reference `{correlation}`); the provider has to repair it")]
    Source {
        /// Id that finds the local log line.
        correlation: String,
    },
    /// The engine failed on the data. Its text may quote rows, so it is in the local log only.
    #[error(
        "the view could not be computed (reference `{correlation}`); ask the provider, quoting the reference"
    )]
    Computation {
        /// Id that finds the local log line.
        correlation: String,
    },
    /// The answer would pass a limit of this node.
    #[error("the answer passes the limit of {max} {unit}; narrow the query")]
    Quota {
        /// What is counted: `rows`, `bytes`, `seconds` or `bytes of memory`.
        unit: &'static str,
        /// The limit.
        max: u64,
    },
    /// A chunk size outside its bounds.
    #[error("the chunk size `{0}` is not within 262144 and 8388608 bytes")]
    ChunkSize(u64),
    /// There is no such chunk.
    #[error("there is no chunk `{0}`")]
    NoChunk(u64),
    /// A chunk is not the one of the manifest; nothing of it was kept.
    #[error("chunk `{number}` is not the one of the manifest: {why}; fetch it again")]
    ChunkMismatch {
        /// Number of the chunk, from 0.
        number: u64,
        /// What differs.
        why: &'static str,
    },
    /// The sealing of chunks does not work here.
    #[error("the chunks cannot be sealed or opened: {0}; this is a fault of the node's own")]
    Sealing(&'static str),
    /// A sealed chunk is the one of the manifest and does not open with the key that was announced: its maker's fault.
    #[error(
        "chunk `{number}` is the one of the manifest and does not open with the announced key, so it was badly sealed; keep it and the manifest as evidence"
    )]
    NotOpened {
        /// Number of the chunk, from 0.
        number: u64,
    },
    /// The file cannot be put together yet.
    #[error("{0} chunks are still missing; fetch them first")]
    Incomplete(u64),
    /// All chunks are there and right, but the whole is not what the manifest says.
    #[error("the assembled file is not the one of the manifest: {0}; discard it and ask the provider")]
    WholeMismatch(&'static str),
    /// A spool on disk that does not hold together.
    #[error("the spool cannot be used: {0}; it has to be computed again")]
    Spool(String),
    /// The disk refused.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DataError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    pub(crate) fn problem(problem: Problem) -> Self {
        Self::File { problems: vec![problem] }
    }

    /// Whether the message may be shown to a peer as it is. The others are for the agency's own people.
    #[must_use]
    pub fn may_be_shown_to_peer(&self) -> bool {
        matches!(
            self,
            Self::NotVisible { .. }
                | Self::Query(_)
                | Self::Source { .. }
                | Self::Computation { .. }
                | Self::Quota { .. }
                | Self::ChunkSize(_)
                | Self::NoChunk(_)
        )
    }
}

fn list(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    texts.join("; ")
}
