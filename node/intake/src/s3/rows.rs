//! Rows of an object that was fetched.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Seek as _;

use super::{Format, S3};
use crate::flat::{CsvRecords, Lines, flatten};
use crate::limits::COLUMNS_MAX;
use crate::remote::{Text, check_columns, check_row, quoted};
use crate::{Cell, IntakeError, Place, Remark, Rows};

enum Records {
    Csv(Box<CsvRecords>),
    Lines(Lines<File>),
}

/// The rows of an object.
pub(super) struct S3Rows {
    columns: Vec<String>,
    positions: HashMap<String, usize>,
    records: Option<Records>,
    text: Text,
}

impl S3Rows {
    /// Finds the columns: those of the header, or the names of all lines, which are read once for that.
    pub(super) fn open(origin: &S3, mut file: File) -> Result<Self, IntakeError> {
        let (records, found) = match origin.format {
            Format::Csv => {
                let records = CsvRecords::open(Box::new(file), None)?;
                let found = records.columns().to_vec();
                (Records::Csv(Box::new(records)), found)
            }
            Format::Ndjson => {
                let again =
                    file.try_clone().map_err(|e| IntakeError::unreachable(e.to_string(), e.to_string()))?;
                let found = names(again, origin.columns.as_deref())?;
                file.rewind().map_err(|e| IntakeError::unreachable(e.to_string(), e.to_string()))?;
                (Records::Lines(Lines::new(file)), found)
            }
        };
        let columns = origin.columns.clone().unwrap_or_else(|| found.clone());
        check_columns(&columns)?;
        if let Some(name) = columns.iter().find(|name| !found.contains(name)) {
            return Err(IntakeError::content(
                Place::row(1).column(&quoted(name)),
                "đối tượng không có cột này",
                "the object has no such column",
            ));
        }
        let positions = columns.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect();
        Ok(Self { columns, positions, records: Some(records), text: Text::default() })
    }

    fn step(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        let (cells, place) = match &mut self.records {
            None => return Ok(None),
            Some(Records::Csv(records)) => {
                let mut cells = Vec::new();
                let Some(place) = records.next(&mut cells, &mut self.text)? else { return Ok(None) };
                (records.columns().iter().cloned().zip(cells).collect(), place)
            }
            Some(Records::Lines(lines)) => {
                let Some((line, place)) = lines.next()? else { return Ok(None) };
                (flatten(line, Some(&self.columns), &place, &mut self.text)?, place)
            }
        };
        row.resize(self.columns.len(), None);
        for (name, cell) in cells {
            if let Some(to) = self.positions.get(&name).and_then(|i| row.get_mut(*i)) {
                *to = cell;
            }
        }
        check_row(row, &self.columns, &place)?;
        Ok(Some(place))
    }
}

/// Names in all lines, in the order in which they come.
fn names(file: File, wanted: Option<&[String]>) -> Result<Vec<String>, IntakeError> {
    let (mut lines, mut names, mut seen) = (Lines::new(file), Vec::new(), HashSet::new());
    while let Some((line, place)) = lines.next()? {
        for (name, _) in flatten(line, wanted, &place, &mut Text::default())? {
            if names.len() <= COLUMNS_MAX && seen.insert(name.clone()) {
                names.push(name);
            }
        }
        if names.len() > COLUMNS_MAX {
            break;
        }
    }
    Ok(names)
}

impl Rows for S3Rows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        row.clear();
        let place = self.step(row);
        if !matches!(place, Ok(Some(_))) {
            row.clear();
            self.records = None;
        }
        place
    }

    fn remarks(&self) -> Vec<Remark> {
        self.text.remarks()
    }
}
