//! What a decision's obligations become for the data: which columns, how masked, which rows, rows or aggregates only.
//! A restriction is checked against the schema as a whole before anything is opened; what does not fit means no.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Added, Disclosure, Function, Predicate};

/// Key of the hash mask: 32 secret bytes. It never prints.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// A key of these bytes; keep one per agreement and column, so that hashes of two consumers do not join.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(secret)")
    }
}

/// How coarse a time becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeUnit {
    /// `2023`, as a text: it cannot be mistaken for a day.
    Year,
    /// `2023-03`, as a text.
    Month,
    /// `2023-03-08`, as a date.
    Day,
}

/// What happens to the values of one column. A missing value stays missing under every mask but `Constant`.
#[derive(Debug, Clone, PartialEq)]
pub enum Mask {
    /// No value is shown; the column keeps its kind.
    Null,
    /// Each value becomes this text.
    Constant(String),
    /// Each value becomes HMAC-SHA-256 (RFC 2104) of its text, in 64 lower-case hex digits.
    Hash(HashKey),
    /// Each value becomes HMAC-SHA-256 of its canonical text ([`crate::canonical`]), in 64 lower-case hex digits, so that two
    /// providers with one key say the same of the same person. What is empty becomes no value. String and integer columns
    /// only.
    Linked(HashKey),
    /// A day or time becomes its year, month or day. Date and timestamp columns only.
    Truncate(TimeUnit),
    /// A number becomes the lower end of its bucket of this width (> 0). Integer and number columns only.
    Bucket(f64),
    /// A number is cut to so many decimals (1 to 12), towards the lower. Number columns only.
    Decimals(u32),
    /// The first `n` characters stay and nothing tells how many there were. String columns only.
    Cut(u32),
    /// The last `n` parts stay of a text that commas separate, such as an address. String columns only.
    LastParts(u32),
    /// The first `n` characters stay, each other one becomes `*`; no more than `n` at all become `*` too. String columns
    /// only.
    ShowFirst(u32),
    /// The last `n` characters stay, each other one becomes `*`; no more than `n` at all become `*` too. String columns
    /// only.
    ShowLast(u32),
    /// The column is not shown at all.
    Drop,
}

/// Who is counted when groups must be large enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The distinct values of this column (a person's id), raw.
    Key(String),
    /// The sum of this integer column: each row already counts people (cases of a disease).
    Count(String),
    /// Rows.
    Rows,
}

/// Only groups may leave, and only large ones.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateOnly {
    /// Least number of subjects in a group that is shown; at least 2.
    pub k: u64,
    /// Who is counted.
    pub subject: Subject,
    /// Columns by which a query may group; each must be granted and not dropped. Groups are of masked values. `month(luc)`
    /// allows a part of the time in a column ([`crate::Period`]), and not the column itself; a column does not allow its
    /// parts, since a month less its days that are shown is the days that are not.
    pub group_by: Vec<String>,
    /// What protects figures beyond the number of subjects.
    pub disclosure: Disclosure,
}

impl AggregateOnly {
    /// Why this figure cannot be had: under differential privacy what is added up needs bounds.
    pub(crate) fn refuses_sum(&self, function: Function, column: Option<&str>) -> Option<String> {
        let (Some(Added::Laplace(laplace)), Some(column)) = (&self.disclosure.noise, column) else {
            return None;
        };
        let persons = matches!(&self.subject, Subject::Count(persons) if persons == column);
        let bare = function != Function::Count && !persons && laplace.bounds(column).is_none();
        bare.then(|| {
            format!("the rules give no bounds for column `{column}`, so it can be counted and not added up")
        })
    }
}

/// The view that a decision allows. `Default` shows every column of every row: build one only from a decision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restriction {
    /// Granted columns in the order shown; `None` grants all of the schema.
    pub columns: Option<Vec<String>>,
    /// Masks by column name. A mask of a column that exists but is not granted has no effect.
    pub masks: BTreeMap<String, Mask>,
    /// Rows that are shown: all of these hold on the raw values.
    pub row_filter: Vec<Predicate>,
    /// Whether rows may leave at all.
    pub aggregate_only: Option<AggregateOnly>,
    /// Most rows of an answer: it ends there, and its outcome says so.
    pub max_rows: Option<u64>,
    /// A text that stands in a last column [`WATERMARK`] of every row, whatever the query asks for.
    pub watermark: Option<String>,
}

/// Name of the column that a watermark adds. It is visible, and whoever wants to can cut it off: it marks copies that are
/// passed on unchanged, it does not find those that are not.
pub const WATERMARK: &str = "tram_watermark";
