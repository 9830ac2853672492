//! CSV in UTF-8 with commas and a header, record by record.

use std::cell::Cell as Shared;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use crate::limits::ROW_BYTES_MAX;
use crate::remote::{Text, check_columns, check_row};
use crate::{Cell, IntakeError, Place};

/// Bytes for one record: the largest, quoted, and what is read ahead.
const GRANT: usize = 3 * ROW_BYTES_MAX;

/// A stream that ends with an error when a record does not.
struct Granted<R> {
    stream: R,
    left: Rc<Shared<usize>>,
}

impl<R: Read> Read for Granted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buf)?;
        let left = self.left.get().checked_sub(n).ok_or_else(|| io::Error::other("a record is too large"))?;
        self.left.set(left);
        Ok(n)
    }
}

/// Records of one stream. An empty cell is a missing value.
pub(crate) struct CsvRecords {
    reader: Reader<Granted<Box<dyn Read>>>,
    left: Rc<Shared<usize>>,
    columns: Vec<String>,
    part: Option<String>,
    record: StringRecord,
    row: u64,
}

impl CsvRecords {
    /// Reads the header.
    ///
    /// # Errors
    /// [`IntakeError::Content`] when it is none, [`IntakeError::Origin`] when its names cannot be columns.
    pub(crate) fn open(stream: Box<dyn Read>, part: Option<String>) -> Result<Self, IntakeError> {
        let left = Rc::new(Shared::new(GRANT));
        let reader = ReaderBuilder::new().from_reader(Granted { stream, left: left.clone() });
        let mut records =
            Self { reader, left, columns: Vec::new(), part, record: StringRecord::new(), row: 1 };
        let header = records.reader.headers().cloned().map_err(|e| records.failed(&e))?;
        let mut text = Text::default();
        let named = header.iter().map(|name| text.nfc(name.trim_start_matches('\u{feff}').trim()));
        records.columns = named.collect();
        check_columns(&records.columns)?;
        Ok(records)
    }

    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next record.
    pub(crate) fn next(
        &mut self,
        row: &mut Vec<Cell>,
        text: &mut Text,
    ) -> Result<Option<Place>, IntakeError> {
        self.left.set(GRANT);
        self.row += 1;
        match self.reader.read_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(e) => return Err(self.failed(&e)),
        }
        row.extend(self.record.iter().map(|cell| (!cell.is_empty()).then(|| text.nfc(cell))));
        let place = self.place();
        check_row(row, &self.columns, &place)?;
        Ok(Some(place))
    }

    fn place(&self) -> Place {
        Place { part: self.part.clone(), ..Place::row(self.row) }
    }

    fn failed(&self, error: &csv::Error) -> IntakeError {
        let (vi, en) = match error.kind() {
            ErrorKind::Io(e) => {
                return IntakeError::unreachable(
                    format!("đang đọc thì đứt: {e}; hãy thử lại sau"),
                    format!("reading broke off: {e}; try again later"),
                );
            }
            ErrorKind::Utf8 { .. } => ("không phải chữ UTF-8".to_owned(), "not UTF-8 text".to_owned()),
            ErrorKind::UnequalLengths { expected_len, len, .. } => (
                format!("có {len} ô, dòng tiêu đề có {expected_len}"),
                format!("{len} cells, the header has {expected_len}"),
            ),
            _ => (error.to_string(), error.to_string()),
        };
        IntakeError::content(self.place(), vi, en)
    }
}
