//! Rows for tests: from a list, and from a CSV file in its plainest form.

use std::path::{Path, PathBuf};

use crate::{Cell, IntakeError, Place, Remark, Rows};

/// A file of the shared data, unless it is not there.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TRAM_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let found = root.join("data").join(name);
    if found.exists() {
        return Some(found);
    }
    eprintln!("SKIPPED: `{}` is not there", found.display());
    None
}

/// Rows that are known beforehand. The header is row 1.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: std::vec::IntoIter<Vec<Cell>>,
    row: u64,
}

impl Table {
    pub(crate) fn new(columns: &[&str], rows: &[&[&str]]) -> Self {
        let cells = |row: &&[&str]| row.iter().map(|cell| Some((*cell).to_owned())).collect();
        let rows: Vec<Vec<Cell>> = rows.iter().map(cells).collect();
        Self { columns: columns.iter().map(|c| (*c).to_owned()).collect(), rows: rows.into_iter(), row: 1 }
    }

    pub(crate) fn csv(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let columns = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let cells = |record: csv::StringRecord| record.iter().map(|cell| Some(cell.to_owned())).collect();
        let rows: Vec<Vec<Cell>> = reader.records().map(|record| cells(record.unwrap())).collect();
        Self { columns, rows: rows.into_iter(), row: 1 }
    }
}

impl Rows for Table {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        let Some(cells) = self.rows.next() else { return Ok(None) };
        *row = cells;
        self.row += 1;
        Ok(Some(Place { part: Some("dữ liệu.csv".to_owned()), ..Place::row(self.row) }))
    }

    fn remarks(&self) -> Vec<Remark> {
        Vec::new()
    }
}
