//! The rows of a source, made to fit a contract one after another.

use std::path::Path;

use catalog::Column;

use super::code::Unknowns;
use super::convert::{Converter, From, Value};
use super::file::{Mapping, OnError};
use super::report::{ColumnReport, Report, UnknownCode};
use super::text::{listed, tidy};
use crate::limits::{PLACES_MAX, PROBLEMS_MAX};
use crate::{Cell, IntakeError, Misfits, Place, Problem, Remark, Rows, Said};

/// Rows that fit the columns of a contract. After the last row [`Standardised::report`] is complete.
pub struct Standardised {
    source: Box<dyn Rows>,
    columns: Vec<String>,
    converters: Vec<Converter>,
    reports: Vec<(ColumnReport, Unknowns)>,
    remarks: Vec<Remark>,
    on_error: OnError,
    leave_out_max: f64,
    raw: Vec<Cell>,
    rows_in: u64,
    rows_out: u64,
    misfits: u64,
    problems: Vec<Problem>,
    problems_total: u64,
    over: bool,
}

impl Mapping {
    /// Rows of `source` that fit `columns`. Code lists are read from `base`.
    ///
    /// # Errors
    /// [`IntakeError::Mapping`] when the mapping, the contract and the source's columns do not go together.
    pub fn standardise(
        &self,
        source: Box<dyn Rows>,
        columns: &[Column],
        base: &Path,
    ) -> Result<Standardised, IntakeError> {
        if let Some(name) = self.columns.keys().find(|name| !columns.iter().any(|c| c.name == **name)) {
            let there = listed(columns.iter().map(|c| c.name.as_str()));
            return Err(super::file::refused(
                name,
                &format!("hợp đồng không có cột này; các cột của hợp đồng: {there}"),
                &format!("the contract has no such column; it has {there}"),
            ));
        }
        let converters = columns
            .iter()
            .map(|column| Converter::new(self, column, source.columns(), base))
            .collect::<Result<Vec<_>, _>>()?;
        let reports =
            converters.iter().map(|converter| (begin(converter, source.columns()), Unknowns::default()));
        Ok(Standardised {
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            reports: reports.collect(),
            remarks: remarks(&converters, source.columns()),
            converters,
            source,
            on_error: self.on_error,
            leave_out_max: self.leave_out_max.unwrap_or(0.0),
            raw: Vec::new(),
            rows_in: 0,
            rows_out: 0,
            misfits: 0,
            problems: Vec::new(),
            problems_total: 0,
            over: false,
        })
    }
}

fn begin(converter: &Converter, source: &[String]) -> ColumnReport {
    let from = match &converter.from {
        From::Cells(at, _) => at.iter().filter_map(|at| source.get(*at).cloned()).collect(),
        From::Constant(_) | From::Nowhere => Vec::new(),
    };
    ColumnReport { name: converter.name.clone(), from, ..ColumnReport::default() }
}

fn remarks(converters: &[Converter], source: &[String]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let used = |at: usize| {
        converters
            .iter()
            .any(|converter| matches!(&converter.from, From::Cells(cells, _) if cells.contains(&at)))
    };
    let unused: Vec<&str> =
        source.iter().enumerate().filter(|(at, _)| !used(*at)).map(|(_, name)| name.as_str()).collect();
    if !unused.is_empty() {
        let unused = listed(unused);
        remarks.push(Remark::new(
            "columns-unused",
            format!("các cột của nguồn không dùng đến: {unused}"),
            format!("columns of the source that are not used: {unused}"),
        ));
    }
    let nowhere = converters.iter().filter(|converter| matches!(converter.from, From::Nowhere));
    let empty: Vec<&str> = nowhere.map(|converter| converter.name.as_str()).collect();
    if !empty.is_empty() {
        let empty = listed(empty);
        remarks.push(Remark::new(
            "columns-empty",
            format!("các cột của hợp đồng mà nguồn không có, để trống: {empty}"),
            format!("columns of the contract that the source does not have, left empty: {empty}"),
        ));
    }
    remarks
}

impl Standardised {
    /// What was done so far; complete after the last row, and after [`IntakeError::Misfits`].
    pub fn report(&self) -> Report {
        let column = |(report, unknowns): &(ColumnReport, Unknowns)| ColumnReport {
            unknown: unknowns.total,
            unknown_codes: unknowns
                .counts
                .iter()
                .map(|(text, (count, first))| UnknownCode {
                    text: text.clone(),
                    count: *count,
                    first: first.clone(),
                })
                .collect(),
            ..report.clone()
        };
        Report {
            rows_in: self.rows_in,
            rows_out: self.rows_out,
            rows_left_out: self.misfits,
            columns: self.reports.iter().map(column).collect(),
            problems: self.problems.clone(),
            problems_total: self.problems_total,
            remarks: self.remarks(),
        }
    }

    /// Makes the row read last fit; says whether it does.
    fn convert(&mut self, place: &Place, row: &mut Vec<Cell>) -> bool {
        row.clear();
        let mut fits = true;
        for (converter, (report, unknowns)) in self.converters.iter().zip(&mut self.reports) {
            let (cell, problem) = one(converter, &self.raw, report, unknowns, place);
            if let Some(said) = problem {
                fits = false;
                report.failed += 1;
                let place = place.clone().column(&converter.name);
                if report.first_failed.len() < PLACES_MAX {
                    report.first_failed.push(place.clone());
                }
                self.problems_total += 1;
                if self.problems.len() < PROBLEMS_MAX {
                    self.problems.push(Problem { place, said });
                }
            }
            row.push(cell);
        }
        fits
    }

    /// After the last row: whether as much was left out as may be.
    fn end(&self) -> Result<(), IntakeError> {
        let left_out = self.misfits;
        let (rows, total) = (self.rows_in, self.problems_total);
        let said = match self.on_error {
            OnError::Refuse if total > 0 => Said::new(
                format!(
                    "{left_out} trong {rows} dòng không khớp hợp đồng, {total} lỗi; hãy sửa nguồn hoặc tệp ánh xạ"
                ),
                format!(
                    "{left_out} of {rows} rows do not fit the contract, {total} problems; correct the source or the mapping"
                ),
            ),
            OnError::LeaveOut if left_out as f64 > self.leave_out_max * rows as f64 => {
                let max = self.leave_out_max;
                Said::new(
                    format!(
                        "{left_out} trong {rows} dòng không khớp hợp đồng, quá tỷ lệ {max} của `leave_out_max`"
                    ),
                    format!(
                        "{left_out} of {rows} rows do not fit the contract, more than the share {max} of `leave_out_max`"
                    ),
                )
            }
            _ => return Ok(()),
        };
        Err(IntakeError::Misfits(Box::new(Misfits { first: self.problems.clone(), total, said })))
    }
}

fn one(
    converter: &Converter,
    raw: &[Cell],
    report: &mut ColumnReport,
    unknowns: &mut Unknowns,
    place: &Place,
) -> (Cell, Option<Said>) {
    let text = converter.text(raw);
    let value = match converter.value(text) {
        Ok(value) => value,
        Err(said) => return (None, Some(said)),
    };
    let cell = match value {
        Value::Some(value) => Some(value),
        Value::Missing => None,
        Value::Unknown(text, kept) => {
            unknowns.add(&text, &place.clone().column(&converter.name));
            kept
        }
    };
    if let Some(said) = converter.fit.problem(&cell) {
        return (None, Some(said));
    }
    match &cell {
        None => report.missing += 1,
        Some(value) => {
            report.values += 1;
            let as_it_was = match &converter.from {
                From::Cells(at, _) if at.len() == 1 => at.first().and_then(|at| raw.get(*at)) == Some(&cell),
                From::Constant(text) => tidy(text) == *value,
                _ => false,
            };
            report.converted += u64::from(!as_it_was);
        }
    }
    (cell, None)
}

impl Rows for Standardised {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    /// With `on_error = "refuse"` a row that does not fit ends the rows: the rest is read for its problems, and all are
    /// told at once. Rows given before are then not to be used.
    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        loop {
            if self.over {
                return Ok(None);
            }
            let Some(place) = self.source.next(&mut self.raw).inspect_err(|_| self.over = true)? else {
                self.over = true;
                row.clear();
                self.end()?;
                return Ok(None);
            };
            self.rows_in += 1;
            let fits = self.convert(&place, row);
            self.misfits += u64::from(!fits);
            if fits && (self.on_error == OnError::LeaveOut || self.problems_total == 0) {
                self.rows_out += 1;
                return Ok(Some(place));
            }
        }
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut remarks = self.source.remarks();
        remarks.extend(self.remarks.iter().cloned());
        let left_out = self.misfits;
        if left_out > 0 && self.on_error == OnError::LeaveOut {
            remarks.push(Remark::new(
                "rows-left-out",
                format!("đã bỏ {left_out} trong {} dòng không khớp hợp đồng", self.rows_in),
                format!("{left_out} of {} rows were left out: they do not fit the contract", self.rows_in),
            ));
        }
        for (report, unknowns) in self.reports.iter().filter(|(_, unknowns)| unknowns.total > 0) {
            let (name, total) = (listed([report.name.as_str()]), unknowns.total);
            remarks.push(Remark::new(
                "codes-unknown",
                format!("cột {name}: {total} ô không có trong danh mục mã"),
                format!("column {name}: {total} cells are not in the code list"),
            ));
        }
        remarks
    }
}
