//! What a transfer makes of a copy that the consumer keeps current, and when the version of the contract ends.

use serde::{Deserialize, Serialize};

use super::check::{same, ulid, value};
use super::{Manifest, ManifestError};
use crate::dsp::Timestamp;
use crate::json::Digest;
use crate::limits::{ID_BYTES_MAX, JSON_INTEGER_MAX, MANIFEST_COLUMNS_MAX};

/// Name of the column that says what became of a row: `insert`, `update` or `delete`.
pub const CHANGE_COLUMN: &str = "tram_change";

/// Whether all rows travel, or what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyKind {
    /// All rows, in the order of copies.
    Whole,
    /// What changed since `from_version`, with [`CHANGE_COLUMN`] as last column.
    Changes,
    /// The rows that came since `from_version`: with them behind it, the copy is the whole.
    Append,
}

/// Why all rows travel though changes were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Nobody asked for changes: it is the first copy.
    First,
    /// The version that the copy is of is not known or not kept any more.
    Gone,
    /// Rules, question or agreement show other columns or rows than they did then.
    Rules,
    /// Only aggregates leave: two of them could tell of one person by their difference.
    Aggregates,
    /// Each copy is limited in rows or marked on its own, so no two of them can be compared.
    Limited,
    /// Of a dataset that only grows a row came late, was corrected or went.
    Rewritten,
}

/// The consumer's copy after this transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyRef {
    /// What travels.
    pub kind: CopyKind,
    /// The exchange by which the consumer got the copy that the changes are of; absent where all rows travel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_version: Option<String>,
    /// The version that the copy then is of: this exchange.
    pub to_version: String,
    /// Why all rows travel; absent where changes do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// The column by whose values a copy is sorted before anything else: a whole number by its value, a day or time by its
    /// text. Absent where the dataset, as it is shown, does not grow by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_by: Option<String>,
    /// Columns by whose bytes a copy is sorted first; empty: by the bytes of the whole record alone.
    pub key: Vec<String>,
    /// Rows of the copy.
    pub rows: u64,
    /// SHA-256 of the copy: header and records as CSV, sorted.
    pub sha256: Digest,
}

/// The rows are of an older version of the contract, which is served until then to those who agreed on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Superseded {
    /// The version in force.
    pub by: u32,
    /// The end of the one that was served.
    pub until: Timestamp,
}

pub(super) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    let Some(copy) = &manifest.copy else { return Ok(()) };
    ulid(&copy.to_version)?;
    if copy.to_version != manifest.exchange_id {
        return Err(value("copy.to_version", &copy.to_version, "the manifest's own exchange"));
    }
    if copy.rows > JSON_INTEGER_MAX {
        return Err(value("copy.rows", copy.rows, format!("at most {JSON_INTEGER_MAX}")));
    }
    if copy.key.len() > MANIFEST_COLUMNS_MAX
        || copy.append_by.iter().chain(&copy.key).any(|name| name.len() > ID_BYTES_MAX)
    {
        return Err(value("copy.key", copy.key.len(), "names of columns"));
    }
    let columns = &manifest.schema.columns;
    let named = || copy.append_by.iter().chain(&copy.key);
    if let Some(strange) = named().find(|name| !columns.iter().any(|c| c.name == **name)) {
        return Err(value("copy.key", crate::dsp::short(strange), "columns of the schema"));
    }
    let told = columns.last().is_some_and(|column| column.name == CHANGE_COLUMN);
    match (copy.kind, &copy.from_version, copy.why) {
        (CopyKind::Changes, Some(from), None) if told && copy.append_by.is_none() => ulid(from),
        (CopyKind::Append, Some(from), None)
            if !told && copy.append_by.is_some() && copy.rows >= manifest.rows =>
        {
            ulid(from)
        }
        (CopyKind::Whole, None, Some(_)) if !told && copy.rows == manifest.rows => {
            same("copy.sha256", copy.sha256, manifest.sha256)
        }
        _ => Err(value(
            "copy",
            "contradictory",
            "changes with their version and column, new rows with theirs, or a whole",
        )),
    }
}
