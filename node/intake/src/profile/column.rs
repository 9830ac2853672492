//! What one column looks like. Of columns that are not free of personal data only counts are kept.

use std::collections::HashMap;

use catalog::{Column, ColumnKind, DatasetRecord, Personal};
use serde::Serialize;

use super::distinct::Distinct;
use super::histogram::{Bin, Histogram};
use crate::Cell;
use crate::limits::{
    DISTINCT_EXACT_MAX, NUMBER_CHARS_MAX, PROFILED_IN_FULL, QUOTED_CHARS_MAX, TOP_AMONG_MAX, TOP_MAX,
};

/// What a column looks like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// Cells with a value.
    pub values: u64,
    /// Cells without.
    pub missing: u64,
    /// Values that the contract does not allow.
    pub invalid: u64,
    /// Different values.
    pub distinct: u64,
    /// Whether `distinct` is exact; an estimate is within 5 % nearly always.
    pub distinct_exact: bool,
    /// What its values are; `None` where the contract does not say that the column is free of personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

/// What the values of a column are.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Shape {
    /// The least: of numbers, days and times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<String>,
    /// The greatest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greatest: Option<String>,
    /// The shortest text, characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortest: Option<u64>,
    /// The longest text, characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest: Option<u64>,
    /// Of numbers: how many lie where, in bins of one width.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<Bin>,
    /// The most frequent values, the most frequent first; empty where there are too many different ones, and for keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<TopValue>,
}

/// A frequent value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopValue {
    /// The value, cut to a readable length.
    pub value: String,
    /// How often it came.
    pub count: u64,
}

/// What may be kept of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Counts,
    Shape,
    ShapeAndTop,
}

/// A column, as far as its cells have been looked at.
pub(super) struct Look {
    name: String,
    kind: ColumnKind,
    keep: Keep,
    distinct_most: usize,
    top_most: usize,
    missing: u64,
    values: u64,
    distinct: Distinct,
    /// As text for showing, and as a number for comparing.
    least: Option<(String, f64)>,
    greatest: Option<(String, f64)>,
    lengths: Option<(u64, u64)>,
    histogram: Histogram,
    top: Option<HashMap<String, u64>>,
}

impl Look {
    pub(super) fn new(record: &DatasetRecord, column: &Column) -> Self {
        let keep = keep(record, column);
        Self {
            name: column.name.clone(),
            kind: column.kind,
            keep,
            distinct_most: share(DISTINCT_EXACT_MAX, record),
            top_most: share(TOP_AMONG_MAX, record),
            missing: 0,
            values: 0,
            distinct: Distinct::default(),
            least: None,
            greatest: None,
            lengths: None,
            histogram: Histogram::default(),
            top: (keep == Keep::ShapeAndTop).then(HashMap::new),
        }
    }

    pub(super) fn cell(&mut self, cell: &Cell) {
        let Some(text) = cell else {
            self.missing += 1;
            return;
        };
        self.values += 1;
        self.distinct.add(text, self.distinct_most);
        if self.keep == Keep::Counts {
            return;
        }
        match self.kind {
            ColumnKind::Integer | ColumnKind::Number => {
                if let Some(number) = text.parse::<f64>().ok().filter(|n| n.is_finite()) {
                    self.histogram.add(number);
                    self.span(text, number);
                }
            }
            // ISO days and times of one form are in order as texts.
            ColumnKind::Date | ColumnKind::Timestamp => self.span(text, f64::NAN),
            ColumnKind::String => {
                let length = text.chars().count() as u64;
                let (low, high) = self.lengths.unwrap_or((length, length));
                self.lengths = Some((low.min(length), high.max(length)));
            }
            ColumnKind::Boolean => {}
        }
        self.count(text);
    }

    fn span(&mut self, text: &str, number: f64) {
        // Rows that no mapping made may hold anything.
        if text.len() > NUMBER_CHARS_MAX {
            return;
        }
        let less = |a: (&str, f64), b: (&str, f64)| if a.1.is_nan() { a.0 < b.0 } else { a.1 < b.1 };
        let here = (text, number);
        if self.least.as_ref().is_none_or(|(text, number)| less(here, (text, *number))) {
            self.least = Some((text.to_owned(), number));
        }
        if self.greatest.as_ref().is_none_or(|(text, number)| less((text, *number), here)) {
            self.greatest = Some((text.to_owned(), number));
        }
    }

    /// Counts it among the frequent values, until there are too many different ones to say.
    fn count(&mut self, text: &str) {
        let Some(top) = &mut self.top else { return };
        let value: String = text.chars().take(QUOTED_CHARS_MAX).collect();
        if let Some(count) = top.get_mut(&value) {
            *count += 1;
        } else if top.len() < self.top_most {
            top.insert(value, 1);
        } else {
            self.top = None;
        }
    }

    pub(super) fn finish(self, invalid: u64) -> ColumnProfile {
        let (distinct, distinct_exact) = self.distinct.count();
        let mut top: Vec<TopValue> =
            self.top.into_iter().flatten().map(|(value, count)| TopValue { value, count }).collect();
        top.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        top.truncate(TOP_MAX);
        let shape = Shape {
            least: self.least.map(|(text, _)| text),
            greatest: self.greatest.map(|(text, _)| text),
            shortest: self.lengths.map(|lengths| lengths.0),
            longest: self.lengths.map(|lengths| lengths.1),
            histogram: self.histogram.bins(),
            top,
        };
        ColumnProfile {
            name: self.name,
            values: self.values,
            missing: self.missing,
            invalid,
            distinct,
            distinct_exact,
            shape: (self.keep != Keep::Counts).then_some(shape),
        }
    }
}

/// What a column may take of a limit, so that a table of thousands of columns takes no more than one of a hundred.
fn share(most: usize, record: &DatasetRecord) -> usize {
    most.min(most * PROFILED_IN_FULL / record.columns.len().max(1))
}

/// A personal dataset in which no column is marked says that nobody marked them, not that none is personal. What tells
/// people apart for aggregates is as good as a name.
fn keep(record: &DatasetRecord, column: &Column) -> Keep {
    let unmarked =
        record.personal != Personal::None && record.columns.iter().all(|c| c.personal == Personal::None);
    let subject = record.subject.as_ref().is_some_and(|subject| subject.column() == column.name);
    if column.personal != Personal::None || unmarked || subject {
        return Keep::Counts;
    }
    let key = column.promises.primary_key && record.primary_key().len() == 1;
    if key || column.promises.unique { Keep::Shape } else { Keep::ShapeAndTop }
}
