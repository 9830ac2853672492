//! What a look at an origin found, without reading it whole.

use serde::Serialize;

use crate::{Remark, Said};

/// The answer of a health check: the origin is there and can be opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// What was found, in a sentence.
    pub said: Said,
    /// Size where the origin has one, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Last change where it is known, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// How many rows there may be, by a server's own estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_estimate: Option<u64>,
    /// Sheets of a workbook, files of a folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// The columns' names as they will be read.
    pub columns: Vec<String>,
    /// What a person should know already.
    pub remarks: Vec<Remark>,
}

impl Health {
    /// Whether the account may do more than read.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.remarks.iter().any(|remark| WRITES.contains(&remark.code))
    }
}

/// Remarks on accounts that may do more than read.
const WRITES: [&str; 2] = ["role-may-write", "role-above-rights"];
