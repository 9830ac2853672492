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

/// How to compare. A missing value (null) satisfies `is_null` alone: not `ne` and not `not_in` either.
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
    /// Equal to none of the values.
    NotIn,
    /// From the first value to the second, both included.
    Between,
    /// Less than the first value or greater than the second.
    NotBetween,
    /// A text that does not begin with the one value.
    NotStartsWith,
}

/// Another comparison of a predicate's column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// How to compare.
    pub op: Op,
    /// With what, as in [`Predicate::values`].
    #[serde(default)]
    pub values: Vec<Value>,
}

/// One comparison. Several together mean all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// Exact name of the column.
    pub column: String,
    /// How to compare.
    pub op: Op,
    /// With what: none for `is_null` and `is_not_null`, one or more for `in` and `not_in`, two for `between` and
    /// `not_between`, one otherwise.
    #[serde(default)]
    pub values: Vec<Value>,
    /// The predicate holds as well where one of these holds of the same column. There is no way to say "or" across
    /// columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub or: Vec<Test>,
}

impl Predicate {
    /// A comparison.
    pub fn new(column: impl Into<String>, op: Op, values: Vec<Value>) -> Self {
        Self { column: column.into(), op, values, or: Vec::new() }
    }

    /// The comparisons of which one must hold.
    pub(crate) fn tests(&self) -> impl Iterator<Item = (Op, &[Value])> {
        let first = std::iter::once((self.op, self.values.as_slice()));
        first.chain(self.or.iter().map(|t| (t.op, t.values.as_slice())))
    }
}
