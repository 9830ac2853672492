//! Comparisons of one column with given values. There is nothing else to filter with: such a comparison cannot fail
//! on data, so it can tell nothing about rows that are not shown.

use serde::{Deserialize, Serialize};

/// A value to compare with. Days and times are texts (`2023-03-08`, `2023-03-08T01:00:00`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A text, a day or a time.
    Text(String),
}

/// How to compare. A missing value (null) satisfies `is_null` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Equal to the one value.
    Eq,
    /// Not equal to the one value.
    Ne,
    /// Less than the one value.
    Lt,
    /// Less than or equal to the one value.
    Le,
    /// Greater than the one value.
    Gt,
    /// Greater than or equal to the one value.
    Ge,
    /// Equal to one of the values.
    In,
    /// Missing; no value.
    IsNull,
    /// Not missing; no value.
    IsNotNull,
    /// A text that begins with the one value.
    StartsWith,
}

/// One comparison. Several together mean all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// Exact name of the column.
    pub column: String,
    /// How to compare.
    pub op: Op,
    /// With what: none for `is_null` and `is_not_null`, one or more for `in`, one otherwise.
    #[serde(default)]
    pub values: Vec<Value>,
}

impl Predicate {
    /// A comparison.
    pub fn new(column: impl Into<String>, op: Op, values: Vec<Value>) -> Self {
        Self { column: column.into(), op, values }
    }
}
