//! Comparisons of single columns: what the node's own query language knows.

use crate::limits::VALUE_BYTES_MAX;
use crate::value::{DAY, write_time};
use crate::{ColumnKind, Value};

/// How to compare. A missing value satisfies [`Op::IsNull`] alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Equal to the one value.
    Eq,
    /// Not equal to the one value.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// One of the values.
    In,
    /// None of the values.
    NotIn,
    /// Missing.
    IsNull,
    /// Not missing.
    NotNull,
    /// Begins with the one value.
    StartsWith,
    /// Does not begin with the one value.
    NotStartsWith,
}

/// One comparison of a clause's column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// How.
    pub op: Op,
    /// With what, as texts of the column's kind.
    pub values: Vec<String>,
}

impl Test {
    pub(crate) fn new(op: Op, values: Vec<String>) -> Self {
        Self { op, values }
    }
}

/// A condition on one column: any of its tests holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Place in the set's properties.
    pub property: usize,
    /// At least one.
    pub tests: Vec<Test>,
}

/// Whole numbers up to here are numbers without loss.
const EXACT: u64 = 1 << 53;

/// A value as a text that the query language reads as exactly this for a column of this kind; `None` if it cannot say it.
pub(crate) fn text_of(kind: ColumnKind, value: &Value) -> Option<String> {
    let text = match (kind, value) {
        (ColumnKind::Text, Value::Text(text)) => text.clone(),
        (ColumnKind::Integer, Value::Integer(n)) => n.to_string(),
        (ColumnKind::Number, Value::Integer(n)) if n.unsigned_abs() <= EXACT => n.to_string(),
        (ColumnKind::Number, Value::Number(n)) if n.is_finite() => format!("{n:?}"),
        (ColumnKind::Boolean, Value::Boolean(value)) => value.to_string(),
        (ColumnKind::Date, Value::Date(day)) => day.format(DAY).ok()?,
        // The engine counts microseconds.
        (ColumnKind::Timestamp, Value::Time(time)) if time.nanosecond() % 1_000 == 0 => write_time(*time),
        _ => return None,
    };
    (text.len() <= VALUE_BYTES_MAX).then_some(text)
}
