//! The rules that a contract writes down, each with what it has counted so far.

use std::collections::HashSet;
use std::path::Path;

use catalog::{DatasetRecord, Measure, Metric, Rule, RuleUnit};
use regex::Regex;

use super::fit::{Fit, pattern};
use super::report::{Offences, title};
use super::seen::Seen;
use crate::mapping::{listed, quoted};
use crate::{Cell, IntakeError, Place};

/// A rule and what it found.
pub(super) struct Measured {
    pub(super) rule: Rule,
    /// `None`: too many keys to tell.
    pub(super) offences: Option<Offences>,
}

enum Counter {
    Nothing,
    Missing(HashSet<String>),
    Invalid { valid: HashSet<String>, pattern: Option<Regex>, as_contract: bool },
    Duplicates(Vec<usize>, Option<Seen>),
}

/// A rule of a column or of the table, counting.
pub(super) struct Meter {
    /// The column that it stands with.
    pub(super) column: Option<usize>,
    rule: Rule,
    counter: Counter,
    offences: Offences,
}

/// Refuses what cannot be run, by name.
pub(super) fn refuse_sql(record: &DatasetRecord) -> Result<(), IntakeError> {
    let columns = record.columns.iter().flat_map(|column| &column.promises.quality);
    let sql = record.quality.iter().chain(columns).filter(|rule| matches!(rule.measure, Measure::Sql { .. }));
    let names: Vec<String> = sql.map(title).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names = listed(names.iter().map(String::as_str));
    Err(IntakeError::mapping(
        format!(
            "quy tắc chất lượng loại `sql` chưa dùng được: {names}; hãy viết bằng `metric` (rowCount, nullValues, missingValues, invalidValues, duplicateValues), hoặc chuyển thành `type: custom` để công cụ khác chạy"
        ),
        format!(
            "quality rules of type `sql` are not supported yet: {names}; write them with a `metric` (rowCount, nullValues, missingValues, invalidValues, duplicateValues), or make them `type: custom` for another tool"
        ),
    ))
}

/// All rules of a contract, ready to count.
pub(super) fn meters(record: &DatasetRecord) -> Result<Vec<Meter>, IntakeError> {
    let table = record.quality.iter().map(|rule| (None, rule));
    let columns = record.columns.iter().enumerate();
    let of_columns =
        columns.flat_map(|(at, column)| column.promises.quality.iter().map(move |rule| (Some(at), rule)));
    table.chain(of_columns).filter_map(|(at, rule)| meter(record, at, rule).transpose()).collect()
}

fn meter(record: &DatasetRecord, column: Option<usize>, rule: &Rule) -> Result<Option<Meter>, IntakeError> {
    let Measure::Library { metric, unit, arguments } = &rule.measure else { return Ok(None) };
    let place = |name: &String| record.columns.iter().position(|column| column.name == *name);
    let set = |words: &[String]| words.iter().cloned().collect::<HashSet<String>>();
    let wrong = |vi: &str, en: &str| {
        let name = quoted(&title(rule));
        IntakeError::mapping(format!("quy tắc chất lượng {name}: {vi}"), format!("quality rule {name}: {en}"))
    };
    let needs_column = matches!(metric, Metric::NullValues | Metric::MissingValues | Metric::InvalidValues);
    if needs_column && column.is_none() {
        return Err(wrong(
            "phải đặt ở một cột, không ở cả bảng",
            "it is about a column; put it there, not with the table",
        ));
    }
    let counter = match metric {
        Metric::RowCount if *unit == RuleUnit::Percent => {
            return Err(wrong(
                "số dòng không tính theo phần trăm; bỏ `unit`",
                "rows are not counted in percent; take `unit` out",
            ));
        }
        Metric::RowCount => Counter::Nothing,
        Metric::NullValues => Counter::Missing(HashSet::new()),
        Metric::MissingValues => Counter::Missing(set(&arguments.missing_values)),
        Metric::InvalidValues => Counter::Invalid {
            valid: set(&arguments.valid_values),
            pattern: arguments.pattern.as_deref().map(|text| pattern(&title(rule), text)).transpose()?,
            as_contract: arguments.valid_values.is_empty() && arguments.pattern.is_none(),
        },
        Metric::DuplicateValues => {
            let named: Vec<usize> = arguments.properties.iter().filter_map(place).collect();
            let columns = match (named.is_empty(), column) {
                (false, _) => named,
                (true, Some(at)) => vec![at],
                (true, None) => (0..record.columns.len()).collect(),
            };
            Counter::Duplicates(columns, None)
        }
    };
    Ok(Some(Meter { column, rule: rule.clone(), counter, offences: Offences::default() }))
}

impl Meter {
    /// The columns whose keys it holds, if it does.
    pub(super) fn duplicates_of(&self) -> Option<&[usize]> {
        match &self.counter {
            Counter::Duplicates(columns, _) => Some(columns),
            _ => None,
        }
    }

    pub(super) fn begin(&mut self, most: usize, scratch: &Path) {
        if let Counter::Duplicates(columns, seen) = &mut self.counter {
            *seen = Some(Seen::new(columns.clone(), most, scratch));
        }
    }

    /// A cell of its column.
    pub(super) fn cell(&mut self, place: &Place, cell: &Cell, fit: &Fit) {
        let offends = match (&self.counter, cell) {
            (Counter::Missing(words), cell) => cell.as_ref().is_none_or(|text| words.contains(text)),
            (Counter::Invalid { as_contract: true, .. }, Some(_)) => fit.problem(cell).is_some(),
            (Counter::Invalid { valid, pattern, .. }, Some(text)) => {
                !valid.is_empty() && !valid.contains(text)
                    || pattern.as_ref().is_some_and(|p| !p.is_match(text))
            }
            _ => false,
        };
        if offends {
            self.offences.add(place);
        }
    }

    /// A whole row.
    pub(super) fn row(&mut self, place: &Place, cells: &[Cell]) -> Result<(), IntakeError> {
        match &mut self.counter {
            Counter::Duplicates(_, Some(seen)) => seen.row(place, cells),
            _ => Ok(()),
        }
    }

    pub(super) fn finish(self, rows: u64) -> Result<Measured, IntakeError> {
        let offences = match self.counter {
            Counter::Nothing => Some(Offences { count: rows, first: Vec::new() }),
            Counter::Duplicates(_, Some(seen)) => {
                let found = seen.finish()?;
                found.count.map(|count| Offences { count: count.keys, first: found.first })
            }
            _ => Some(self.offences),
        };
        Ok(Measured { rule: self.rule, offences })
    }
}
