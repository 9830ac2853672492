//! Splits delimited text into records (RFC 4180), strictly and within bounds.
//!
//! Own code, because of three things that the `csv` crate leaves to its caller or lets pass: a record has a largest size
//! before it is in memory, a quote that is never closed and text after a closing quote are errors, and the place of a
//! record is the line where it begins. That both agree on well-formed text is tested.

use std::io::{self, Read};

use crate::limits::{CELL_BYTES_MAX, COLUMNS_MAX, ROW_BYTES_MAX};

/// Cells of a record as bytes; reused from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Record {
    data: Vec<u8>,
    ends: Vec<usize>,
    /// Line where it begins, from 1.
    pub line: u64,
}

impl Record {
    /// The cells.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|i| {
            let from = if i == 0 { 0 } else { self.ends.get(i - 1).copied().unwrap_or(0) };
            self.ends.get(i).and_then(|end| self.data.get(from..*end)).unwrap_or_default()
        })
    }

    fn begin(&mut self, line: u64) {
        self.data.clear();
        self.ends.clear();
        self.line = line;
    }

    fn cell_len(&self) -> usize {
        self.data.len() - self.ends.last().copied().unwrap_or(0)
    }
}

/// Why a record cannot be read. Lines are those where the record begins.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file ends inside quotes.
    Unclosed(u64),
    /// Something other than a delimiter stands after closing quotes.
    AfterQuote(u64),
    /// A cell above [`CELL_BYTES_MAX`].
    Cell(u64),
    /// A record above [`ROW_BYTES_MAX`].
    Row(u64),
    /// More than [`COLUMNS_MAX`] cells.
    Columns(u64),
    /// The file cannot be read.
    Io(io::Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    CellBegin,
    Plain,
    Quoted,
    QuoteEnd,
}

/// Reads records.
#[derive(Debug)]
pub(crate) struct Splitter<R> {
    input: R,
    buf: Box<[u8]>,
    at: usize,
    len: usize,
    delimiter: u8,
    line: u64,
    after_cr: bool,
    /// Empty lines so far.
    pub blank: u64,
}

impl<R: Read> Splitter<R> {
    /// Over bytes in which the delimiter, quotes and ends of line are ASCII.
    pub fn new(input: R, delimiter: u8) -> Self {
        let buf = vec![0; 64 << 10].into_boxed_slice();
        Self { input, buf, at: 0, len: 0, delimiter, line: 1, after_cr: false, blank: 0 }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        while self.at == self.len {
            (self.at, self.len) = (0, 0);
            self.len = match self.input.read(&mut self.buf) {
                Ok(0) => return Ok(None),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
                Err(e) => return Err(e),
            };
        }
        let byte = self.buf.get(self.at).copied();
        self.at += 1;
        Ok(byte)
    }

    /// The next record; `false` after the last. Lines with nothing on them are passed over.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, Fault> {
        let mut state = State::Begin;
        record.begin(self.line);
        loop {
            let Some(byte) = self.byte().map_err(Fault::Io)? else {
                return match state {
                    State::Begin => Ok(false),
                    State::Quoted => Err(Fault::Unclosed(record.line)),
                    _ => self.cell(record).map(|()| true),
                };
            };
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            let second_of_crlf = after_cr && byte == b'\n';
            self.line += u64::from(matches!(byte, b'\r' | b'\n') && !second_of_crlf);
            if second_of_crlf && state == State::Begin {
                record.line = self.line;
                continue;
            }
            state = match (state, byte) {
                (State::Quoted, b'"') => State::QuoteEnd,
                (State::Quoted, byte) => self.push(record, byte, State::Quoted)?,
                (State::Begin, b'\r' | b'\n') => {
                    self.blank += 1;
                    record.line = self.line;
                    State::Begin
                }
                (_, b'\r' | b'\n') => return self.cell(record).map(|()| true),
                (_, byte) if byte == self.delimiter => {
                    self.cell(record)?;
                    State::CellBegin
                }
                (State::Begin | State::CellBegin, b'"') => State::Quoted,
                (State::QuoteEnd, b'"') => self.push(record, b'"', State::Quoted)?,
                (State::QuoteEnd, _) => return Err(Fault::AfterQuote(record.line)),
                (_, byte) => self.push(record, byte, State::Plain)?,
            };
        }
    }

    fn push(&self, record: &mut Record, byte: u8, next: State) -> Result<State, Fault> {
        if record.data.len() >= ROW_BYTES_MAX {
            return Err(Fault::Row(record.line));
        }
        if record.cell_len() >= CELL_BYTES_MAX {
            return Err(Fault::Cell(record.line));
        }
        record.data.push(byte);
        Ok(next)
    }

    fn cell(&self, record: &mut Record) -> Result<(), Fault> {
        if record.ends.len() >= COLUMNS_MAX {
            return Err(Fault::Columns(record.line));
        }
        record.ends.push(record.data.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &[u8]) -> Result<Vec<(u64, Vec<String>)>, Fault> {
        let (mut splitter, mut record, mut rows) = (Splitter::new(text, b','), Record::default(), Vec::new());
        while splitter.next(&mut record)? {
            let cells = record.cells().map(|cell| String::from_utf8_lossy(cell).into_owned());
            rows.push((record.line, cells.collect()));
        }
        Ok(rows)
    }

    #[test]
    fn records_have_the_line_where_they_begin() {
        let rows = all(b"a,b\r\n\r\n\"x\r\ny\",2\n\n,\rlast,\"q\"\"q\"").unwrap();
        let lines: Vec<u64> = rows.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 6, 7]);
        assert_eq!(rows[1].1, ["x\r\ny", "2"]);
        assert_eq!(rows[2].1, ["", ""]);
        assert_eq!(rows[3].1, ["last", "q\"q"]);
    }

    #[test]
    fn quotes_that_do_not_close_or_close_too_early_are_errors() {
        assert!(matches!(all(b"a,b\n1,\"2\n3,4\n"), Err(Fault::Unclosed(2))));
        assert!(matches!(all(b"a,b\n1,\"2\n3\"4,5\n"), Err(Fault::AfterQuote(2))));
        assert_eq!(all(b"5\" pipe,b\n").unwrap()[0].1, ["5\" pipe", "b"]);
    }

    #[test]
    fn endless_cells_rows_and_columns_stop_at_their_limits() {
        let mut endless = Splitter::new(io::repeat(b'x'), b',');
        assert!(matches!(endless.next(&mut Record::default()), Err(Fault::Cell(1))));
        let mut endless = Splitter::new(io::repeat(b','), b',');
        assert!(matches!(endless.next(&mut Record::default()), Err(Fault::Columns(1))));
        let cell = [&[b'x'; CELL_BYTES_MAX - 1][..], b","].concat();
        assert!(matches!(all(&cell.repeat(9)), Err(Fault::Row(1))));
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_csv_crate_on_what_that_writes(
            rows in prop::collection::vec(prop::collection::vec("[a\",;\r\n \u{e1}]{0,6}", 3), 0..6),
        ) {
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let read: Vec<Vec<String>> = all(&text).unwrap().into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn no_bytes_make_it_panic_or_go_back_in_lines(text in prop::collection::vec(prop::sample::select(b"a\",\r\n\xff".to_vec()), 0..60)) {
            if let Ok(rows) = all(&text) {
                prop_assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0));
            }
        }
    }
}
