//! The data contract: one YAML file that says what a dataset is, in the Open Data Contract Standard 3.1.
//!
//! [`write`] makes it from a record, valid under the standard's JSON Schema; a person edits it; [`read`] makes a record
//! of it again. What the standard has no place for stands in its `customProperties`:
//!
//! | where | property | value |
//! | --- | --- | --- |
//! | contract | `titleEn`, `descriptionEn` | the English texts (`name` and `description.purpose` hold the Vietnamese) |
//! | contract | `classification` | 0 to 9, required |
//! | contract | `personal` | `none`, `basic` or `sensitive`, required |
//! | contract | `dataClass` | `important` or `core`; left out: `other` |
//! | contract | `sharing` | `open`, `default`, `special` or `secret`, required |
//! | contract | `subject` | `{key: column}` or `{count: column}` |
//! | contract | `groupBy`, `collections`, `policyTags`, `purposes` | lists of words |
//! | contract | `receiptFirst` | true: rows travel sealed, the key comes after the acknowledgement |
//! | contract | `appendBy` | the column by which it grows: rows are only added, with growing values of it |
//! | contract | `licence`, `dpia` | a name, address or reference |
//! | server | `delimiter` | the delimiter of a CSV file |
//! | column | `descriptionEn` | the English description |
//! | column | `personal` | `none`, `basic` or `sensitive` |
//! | column | `unit` | the unit of a number, such as `ug/m3` |
//! | column | `codes` | the only values there are, as texts |
//!
//! Reading is strict where a slip of the pen would open something: unknown keys and unknown custom properties are
//! refused with the nearest known name (custom properties of other tools begin with `x-`). Sections of the standard that the
//! node does not use (`team`, `support`, ...) may stand in the file; they are kept there and not read, so a
//! contract that a person has edited is never written over.
//!
//! Of `logicalTypeOptions` the bounds of numbers and the lengths and pattern of texts are read; of `quality` the rules of
//! type `library` and `sql`, not those for people (`text`) and for other tools (`custom`); of `slaProperties`
//! `frequency`, and `latency` where its `element` names a column.

mod changes;
mod levels;
mod promises;
mod reader;
mod sections;
mod writer;

pub use changes::{Advice, Change, Changes, Effect, compare};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{CatalogError, DatasetRecord, limits};

/// The version of the standard that is written; 3.1.x is read.
const API_VERSION: &str = "v3.1.0";

/// Begins the service level that says how often the data is brought up to date.
const FREQUENCY: &str = "frequency";

/// Begins the service level that says how old the newest row may be.
const LATENCY: &str = "latency";

/// The contract of a record, as YAML with a heading for the person who edits it.
///
/// # Errors
/// [`CatalogError::Invalid`] if the record itself cannot be.
pub fn write(record: &DatasetRecord) -> Result<String, CatalogError> {
    writer::write(record)
}

/// The record that a contract describes. `modified` is the time of reading in Unix seconds; it is also taken as `issued` if the
/// contract has no `contractCreatedTs`.
///
/// # Errors
/// [`CatalogError::Unreadable`] if it is no YAML or too large; [`CatalogError::Invalid`] with every problem and its
/// place, such as `schema[0].properties[2].logicalType`.
pub fn read(text: &str, modified: i64) -> Result<DatasetRecord, CatalogError> {
    let document = parse(text)?;
    let mut record = sections::record(&document, modified)?;
    record.contract_digest = Some(digest(text));
    Ok(record)
}

/// SHA-256 of a contract's bytes in lower-case hex: what a record's `contract_digest` holds.
#[must_use]
pub fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &str) -> Result<Value, CatalogError> {
    if text.len() > limits::CONTRACT_BYTES_MAX {
        let what = format!("{} bytes; at most {} are allowed", text.len(), limits::CONTRACT_BYTES_MAX);
        return Err(CatalogError::Unreadable { what });
    }
    // No anchors, aliases or merges: they make a small file large, and what a person reads other than what it says.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: limits::CONTRACT_DEPTH_MAX,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
        },
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let what = error.without_snippet().to_string();
        CatalogError::Unreadable { what: what.chars().take(500).collect() }
    })
}

#[cfg(test)]
mod tests;
