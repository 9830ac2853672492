//! Quality: rows held against a contract's rules, in one pass and bounded memory.
//!
//! **What it is.** [`Checks`] looks at each row once. What the contract promises of every column (required, of its kind,
//! within bounds, one of its codes, unique, a key) is checked without being asked for; the rules of the `library` of the
//! Open Data Contract Standard 3.1 are measured beside. [`QualityReport`] says what came of each, with the places of the
//! first rows that offend.
//!
//! **What it is not.** It runs no query: rules of type `sql` are refused by name. It changes nothing and decides nothing:
//! whether a run is published in spite of a failed rule is for others; [`QualityReport::passed`] is what the contract says.
//!
//! | metric | counts |
//! | --- | --- |
//! | `nullValues` | cells without a value |
//! | `missingValues` | cells without a value, or with one of `arguments.missingValues` |
//! | `invalidValues` | values outside `arguments.validValues` or `arguments.pattern`; without arguments what the column's contract does not allow |
//! | `duplicateValues` | different values that come more than once; missing values are no duplicates |
//! | `rowCount` | rows |
//!
//! `unit: percent` is percent of all rows (0 when there are none).

mod fit;
mod report;
mod rule;
mod seen;

use std::path::Path;

use catalog::DatasetRecord;

pub(crate) use fit::Fit;
use report::Offences;
pub use report::{About, Outcome, QualityReport, RuleResult};
use rule::{Measured, Meter};
use seen::Seen;

use crate::limits::{KEYS_IN_MEMORY, PROBLEMS_MAX};
use crate::{Cell, IntakeError, Place, Problem};

/// The rules of a contract, measured row by row.
pub struct Checks {
    names: Vec<String>,
    fits: Vec<Fit>,
    missing: Vec<Offences>,
    invalid: Vec<Offences>,
    keys: Vec<(About, Seen)>,
    meters: Vec<Meter>,
    rows: u64,
    problems: Vec<Problem>,
    problems_total: u64,
}

impl Checks {
    /// The rules of this contract. Keys that do not fit in memory go to files in the folder `scratch`.
    ///
    /// # Errors
    /// [`IntakeError::Mapping`] for rules that cannot be measured: all of type `sql`, metrics that need a column and have
    /// none, patterns that cannot be used.
    pub fn new(record: &DatasetRecord, scratch: &Path) -> Result<Self, IntakeError> {
        rule::refuse_sql(record)?;
        let at = |name: &str| record.columns.iter().position(|column| column.name == name);
        let mut keyed: Vec<(About, Vec<usize>)> = Vec::new();
        let key: Vec<usize> = record.primary_key().iter().filter_map(|column| at(&column.name)).collect();
        for (i, column) in record.columns.iter().enumerate() {
            // A key of this column alone says the same.
            if column.promises.unique && key != [i] {
                keyed.push((About::Unique, vec![i]));
            }
        }
        if !key.is_empty() {
            keyed.push((About::PrimaryKey, key));
        }
        let mut meters = rule::meters(record)?;
        let sets = keyed.len() + meters.iter().filter(|meter| meter.duplicates_of().is_some()).count();
        let most = KEYS_IN_MEMORY / sets.max(1);
        for meter in &mut meters {
            meter.begin(most, scratch);
        }
        Ok(Self {
            names: record.columns.iter().map(|column| column.name.clone()).collect(),
            fits: record.columns.iter().map(Fit::new).collect::<Result<_, _>>()?,
            missing: vec![Offences::default(); record.columns.len()],
            invalid: vec![Offences::default(); record.columns.len()],
            keys: keyed.into_iter().map(|(about, at)| (about, Seen::new(at, most, scratch))).collect(),
            meters,
            rows: 0,
            problems: Vec::new(),
            problems_total: 0,
        })
    }

    /// Looks at a row: cells in the order of the contract's columns.
    ///
    /// # Errors
    /// [`IntakeError::Unreachable`] when the scratch files cannot be written.
    pub fn row(&mut self, place: &Place, cells: &[Cell]) -> Result<(), IntakeError> {
        self.rows += 1;
        for (at, fit) in self.fits.iter().enumerate() {
            let cell = cells.get(at).unwrap_or(&None);
            let problem = fit.problem(cell);
            let counted = if cell.is_none() { &mut self.missing } else { &mut self.invalid };
            // A cell that may be missing is counted all the same, without being an offence.
            if let Some(offences) = counted.get_mut(at).filter(|_| cell.is_none() || problem.is_some()) {
                offences.add(place);
            }
            if let Some(said) = problem {
                self.problems_total += 1;
                if self.problems.len() < PROBLEMS_MAX {
                    let name = self.names.get(at).map_or("", String::as_str);
                    self.problems.push(Problem { place: place.clone().column(name), said });
                }
            }
            for meter in self.meters.iter_mut().filter(|meter| meter.column == Some(at)) {
                meter.cell(place, cell, fit);
            }
        }
        for (_, seen) in &mut self.keys {
            seen.row(place, cells)?;
        }
        for meter in &mut self.meters {
            meter.row(place, cells)?;
        }
        Ok(())
    }

    /// What came of it.
    ///
    /// # Errors
    /// [`IntakeError::Unreachable`] when the scratch files cannot be read.
    pub fn finish(self) -> Result<QualityReport, IntakeError> {
        let mut results = Vec::new();
        for (at, fit) in self.fits.iter().enumerate() {
            let name = self.names.get(at).map_or("", String::as_str);
            if let Some(missing) = self.missing.get(at).filter(|_| fit.required) {
                results.push(RuleResult::promise(
                    About::Required,
                    vec![name.to_owned()],
                    Some(missing.clone()),
                ));
            }
            if let Some(invalid) = self.invalid.get(at) {
                results.push(RuleResult::promise(About::Valid, vec![name.to_owned()], Some(invalid.clone())));
            }
        }
        for (about, seen) in self.keys {
            let columns = seen.columns().iter().filter_map(|at| self.names.get(*at).cloned()).collect();
            let found = seen.finish()?;
            let offences = found.count.map(|count| Offences { count: count.rows, first: found.first });
            results.push(RuleResult::promise(about, columns, offences));
        }
        for meter in self.meters {
            let column = meter.column.and_then(|at| self.names.get(at).cloned());
            let Measured { rule, offences } = meter.finish(self.rows)?;
            results.push(RuleResult::rule(&rule, column, offences, self.rows));
        }
        Ok(QualityReport {
            rows: self.rows,
            missing: self.missing.iter().map(|offences| offences.count).collect(),
            invalid: self.invalid.iter().map(|offences| offences.count).collect(),
            results,
            problems: self.problems,
            problems_total: self.problems_total,
        })
    }
}

#[cfg(test)]
mod tests;
