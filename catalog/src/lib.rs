//! WHAT: the datasets that an agency keeps and what peers show of theirs.
//!
//! - [`DatasetRecord`] is all that the node knows of one of its own datasets.
//! - [`contract`] writes it as a data contract (one YAML file in the Open Data Contract Standard 3.1) that a person can
//!   edit, and reads it back, naming every mistake by its place in the file.
//! - [`SearchIndex`] finds datasets, own and peers', with or without Vietnamese tone marks.
//!
//! What it is not: it decides nothing. Who may see a dataset is asked of the gate before anything comes here, and this
//! crate renders and searches what it is given. It opens no file and no connection, and takes no clock: times
//! are arguments, in Unix seconds.
//!
//! Begin with [`DatasetRecord::draft`], then [`contract::write`] and [`contract::read`].

pub mod contract;
mod entry;
mod error;
mod fold;
mod hints;
mod id;
pub mod limits;
mod record;
pub mod search;

pub use entry::{CatalogEntry, EntryColumn};
pub use error::{CatalogError, Problem};
pub use fold::fold;
pub use hints::looks_personal;
pub use id::DatasetId;
pub use record::{
    Arguments, Classification, Column, ColumnKind, DataClass, DatasetRecord, Expect, Format, Frequency,
    Latency, Measure, Metric, Personal, Promises, Rule, RuleUnit, Severity, SharingKind, Source, Status,
    Subject, Text, TimeUnit,
};
pub use search::{Facets, Found, Hit, Query, SearchIndex, Sort};
