//! A snapshot: the rows of an origin as one CSV file in the house form, complete or not there.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::rc::Rc;

use intake::{Cell, IntakeError, Place, Remark, Rows};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::limits::SNAPSHOT_BYTES_MAX;

/// What was read.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What a person should know.
    pub remarks: Vec<Remark>,
    /// Rows.
    pub rows: u64,
    /// What was found of the rows on their way, where there is a contract to hold them against.
    pub found: Option<Found>,
}

/// What was found of rows. No value of a personal column is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// What the mapping did, see [`intake::mapping::Report`].
    pub mapping: Option<Value>,
    /// What the rows look like, see [`intake::profile::Profile`].
    pub profile: Value,
    /// How they keep the contract, see [`intake::quality::QualityReport`].
    pub quality: Value,
}

/// Rows that others still want to ask something after they were read.
pub struct Shared<R> {
    rows: Rc<RefCell<R>>,
    columns: Vec<String>,
}

impl<R: Rows> Shared<R> {
    /// Rows to hand on, and the same rows to ask.
    pub fn new(rows: R) -> (Self, Rc<RefCell<R>>) {
        let columns = rows.columns().to_vec();
        let rows = Rc::new(RefCell::new(rows));
        (Self { rows: rows.clone(), columns }, rows)
    }
}

impl<R: Rows> Rows for Shared<R> {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> std::result::Result<Option<Place>, IntakeError> {
        self.rows.borrow_mut().next(row)
    }

    fn remarks(&self) -> Vec<Remark> {
        self.rows.borrow().remarks()
    }
}

/// Writes all rows to a file, which is on disk when this returns. On an error the file is gone.
pub fn take(rows: &mut dyn Rows, to: &Path) -> Result<Taken> {
    write(rows, to).inspect_err(|_| {
        let _ = std::fs::remove_file(to);
    })
}

fn write(rows: &mut dyn Rows, to: &Path) -> Result<Taken> {
    let io = |e: std::io::Error| Error::io(to, e);
    let file = File::create(to).map_err(io)?;
    let counted = Counted { file: BufWriter::new(file), left: SNAPSHOT_BYTES_MAX };
    let mut writer = csv::WriterBuilder::new().from_writer(counted);
    let wrong = |e: csv::Error| match e.into_kind() {
        csv::ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::FileTooLarge => Error::TooLarge(format!(
            "the source has over {SNAPSHOT_BYTES_MAX} bytes; narrow it to what is shared"
        )),
        csv::ErrorKind::Io(e) => Error::io(to, e),
        other => Error::internal(format!("{other:?}")),
    };
    writer.write_record(rows.columns()).map_err(wrong)?;
    let (mut row, mut count) = (Vec::new(), 0);
    while let Some(place) = rows.next(&mut row).map_err(|e| refused(&e))? {
        check_width(&row, rows.columns(), &place)?;
        writer.write_record(row.iter().map(|cell| cell.as_deref().unwrap_or_default())).map_err(wrong)?;
        count += 1;
    }
    let mut file = writer.into_inner().map_err(|e| io(std::io::Error::other(e.to_string())))?.file;
    file.flush().map_err(io)?;
    file.get_ref().sync_all().map_err(io)?;
    Ok(Taken { remarks: rows.remarks(), rows: count, found: None })
}

fn check_width(row: &[Cell], columns: &[String], place: &Place) -> Result<()> {
    if row.len() == columns.len() {
        return Ok(());
    }
    Err(Error::internal(format!("row {} has {} cells for {} columns", place.row, row.len(), columns.len())))
}

/// What an origin gets wrong, for those who can repair it.
pub fn refused(error: &IntakeError) -> Error {
    match error {
        IntakeError::Unreachable(said) => Error::Unreachable(said.to_string()),
        other => Error::usage(other.to_string()),
    }
}

/// Writes so many bytes and no more.
pub struct Counted {
    /// Where they go.
    pub file: BufWriter<File>,
    /// How many more may.
    pub left: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        if bytes.len() > room {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let written = self.file.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Listed {
        columns: Vec<String>,
        rows: Vec<Vec<Cell>>,
        fails: bool,
    }

    impl Rows for Listed {
        fn columns(&self) -> &[String] {
            &self.columns
        }
        fn next(&mut self, row: &mut Vec<Cell>) -> std::result::Result<Option<Place>, IntakeError> {
            match self.rows.pop() {
                Some(next) => {
                    *row = next;
                    Ok(Some(Place::row(2)))
                }
                None if self.fails => Err(IntakeError::unreachable("đứt", "cut off")),
                None => Ok(None),
            }
        }
        fn remarks(&self) -> Vec<Remark> {
            Vec::new()
        }
    }

    fn listed(fails: bool) -> Listed {
        let cell = |text: &str| Some(text.to_owned());
        Listed {
            columns: vec!["phường".into(), "ghi chú".into()],
            rows: vec![vec![cell("b"), None], vec![cell("a,\"x\""), cell("hai\ndòng")]],
            fails,
        }
    }

    #[test]
    fn rows_become_csv_and_a_line_that_breaks_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.part");
        assert_eq!(take(&mut listed(false), &path).unwrap().rows, 2);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "phường,ghi chú\n\"a,\"\"x\"\"\",\"hai\ndòng\"\nb,\n");
        let broken = take(&mut listed(true), &path).unwrap_err();
        assert!(matches!(broken, Error::Unreachable(_)) && !path.exists(), "{broken}");
    }
}
