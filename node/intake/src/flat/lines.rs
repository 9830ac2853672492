//! Lines of JSON objects (NDJSON), one by one.

use std::io::{BufRead, BufReader, Read};

use crate::limits::ROW_BYTES_MAX;
use crate::{IntakeError, Place};

/// Longest line, bytes: the largest row with its names, escaped.
const LINE_BYTES_MAX: u64 = 3 * ROW_BYTES_MAX as u64;

/// Lines of a stream.
pub(crate) struct Lines<R> {
    stream: BufReader<R>,
    bytes: Vec<u8>,
    row: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream: BufReader::new(stream), bytes: Vec::new(), row: 0 }
    }

    /// The next line that is not empty, and its place.
    ///
    /// # Errors
    /// [`IntakeError::Content`] for a line that is too long or no text, [`IntakeError::Unreachable`].
    pub(crate) fn next(&mut self) -> Result<Option<(&str, Place)>, IntakeError> {
        loop {
            self.row += 1;
            self.bytes.clear();
            let mut line = (&mut self.stream).take(LINE_BYTES_MAX);
            let read = line.read_until(b'\n', &mut self.bytes);
            let read = read.map_err(|e| IntakeError::unreachable(e.to_string(), e.to_string()))?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == LINE_BYTES_MAX && !self.bytes.ends_with(b"\n") {
                return Err(IntakeError::content(
                    Place::row(self.row),
                    "dòng quá dài",
                    "the line is too long",
                ));
            }
            if !self.bytes.trim_ascii().is_empty() {
                break;
            }
        }
        let place = Place::row(self.row);
        match std::str::from_utf8(&self.bytes) {
            Ok(line) => Ok(Some((line.trim_start_matches('\u{feff}').trim(), place))),
            Err(_) => Err(IntakeError::content(place, "không phải chữ UTF-8", "not UTF-8 text")),
        }
    }
}
