//! What a consumer asks of the view that it is allowed. A query can only narrow: it names visible columns, compares
//! them with values and counts them. Unknown fields are refused, since an ignored filter would send too much.

use serde::{Deserialize, Serialize};

use crate::{Predicate, TimePart};

/// A figure over the rows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// Number of rows, or of values that are not missing when a column is named.
    Count,
    /// Sum of a numeric column.
    Sum,
    /// Mean of a numeric column.
    Avg,
    /// Least value. Not under aggregate-only: it is the value of one row.
    Min,
    /// Greatest value. Not under aggregate-only.
    Max,
}

/// One figure of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// What is computed.
    pub function: Function,
    /// Over which column; only `count` may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Name in the answer; by default `count`, or function and column as in `sum_cases`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Measure {
    /// A figure with its default name.
    #[must_use]
    pub fn new(function: Function, column: Option<&str>) -> Self {
        Self { function, column: column.map(str::to_owned), name: None }
    }

    /// The name in the answer.
    #[must_use]
    pub fn output_name(&self) -> String {
        let function = match self.function {
            Function::Count => "count",
            Function::Sum => "sum",
            Function::Avg => "avg",
            Function::Min => "min",
            Function::Max => "max",
        };
        match (&self.name, &self.column) {
            (Some(name), _) => name.clone(),
            (None, Some(column)) => format!("{function}_{column}"),
            (None, None) => function.to_owned(),
        }
    }
}

/// One column that the answer's rows are sorted by. Missing values come last either way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// A column of the answer: a name of a column shown, of a group or of a figure.
    pub column: String,
    /// From the greatest to the least.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
}

/// A request. `Default` asks for everything that is visible.
///
/// With `group_by` or `measures` the answer has one row per group, sorted by the group's columns (missing values
/// last); without, it has the rows in the order of the source. Under aggregate-only an empty `group_by` means all
/// allowed columns, and empty `measures` mean `count`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// Columns in the order wanted; `None` for all visible ones. Not together with `group_by` or `measures`.
    pub columns: Option<Vec<String>>,
    /// Rows wanted: all of these hold on the visible (masked) values.
    ///
    /// Under aggregate-only only allowed group-by columns may be named, and a column that is not grouped by may only
    /// be compared with `eq` or `is_null`: each figure that leaves is then a whole cell of a fixed table, never a
    /// slice of one that could be subtracted from another.
    pub filter: Vec<Predicate>,
    /// Columns made of the time in others; the rest of the query calls them by their names. Under aggregate-only only
    /// those that the restriction lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimePart>,
    /// Columns of the groups.
    pub group_by: Vec<String>,
    /// Figures per group.
    pub measures: Vec<Measure>,
    /// Each different row once, sorted as groups are; no figures, so not together with `group_by` or `measures`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub distinct: bool,
    /// How the rows are sorted, in place of the order that is given otherwise. Rows that are the same in these columns
    /// are sorted by the answer's other columns in turn, so that the order tells nothing of what is not shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order_by: Vec<Order>,
    /// Most rows wanted.
    pub limit: Option<u64>,
}
