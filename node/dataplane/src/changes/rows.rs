//! Records of copies, what they are sorted by, and files of them being written.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use super::Copy;
use crate::DataError;
use crate::hashed::Hashed;
use crate::records::{Framing, RecordError, Records};

/// A column to sort by, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: usize,
    /// As a whole number, and not by the bytes of its text.
    pub(super) number: bool,
}

impl Place {
    pub(super) fn text(at: usize) -> Self {
        Self { at, number: false }
    }
}

/// One record with what it is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) key: Vec<u8>,
    pub(super) line: Vec<u8>,
}

impl Row {
    pub(super) fn new(line: &[u8], key: &[Place]) -> Self {
        Self { key: key_of(line, key), line: line.to_vec() }
    }

    /// About what it takes in memory.
    pub(super) fn cost(&self) -> usize {
        self.key.len() + self.line.len() + size_of::<Self>()
    }
}

/// The key columns' texts, joined so that the order of the bytes is the order of the texts one after the other.
pub(super) fn key_of(line: &[u8], key: &[Place]) -> Vec<u8> {
    if key.is_empty() {
        return Vec::new();
    }
    let fields = fields(line);
    let mut out = Vec::new();
    for place in key {
        let field = fields.get(place.at).map(Vec::as_slice).unwrap_or_default();
        let number = place.number.then(|| number_of(field)).flatten();
        for byte in number.as_ref().map_or(field, |bytes| &bytes[..]) {
            out.push(*byte);
            if *byte == 0 {
                out.push(0xFF);
            }
        }
        out.extend_from_slice(&[0, 1]);
    }
    out
}

/// A whole number as bytes whose order is that of the numbers. What is none stays text: it is sorted somewhere, and always there.
fn number_of(field: &[u8]) -> Option<[u8; 8]> {
    let number: i64 = std::str::from_utf8(field).ok()?.parse().ok()?;
    Some((number.cast_unsigned() ^ (1 << 63)).to_be_bytes())
}

/// The fields of a CSV record (RFC 4180), without their quotes.
pub(super) fn fields(line: &[u8]) -> Vec<Vec<u8>> {
    let (mut all, mut field, mut quoted) = (Vec::new(), Vec::new(), false);
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
                field.push(b'"');
            }
            b'"' => quoted = !quoted,
            b',' if !quoted => all.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    all.push(field);
    all
}

pub(super) fn unreadable(error: RecordError) -> DataError {
    match error {
        RecordError::Io(source) => DataError::Io { what: "read the rows of a copy", source },
        other => DataError::Spool(format!("the rows of a copy cannot be told apart: {other}")),
    }
}

/// Rows of a file or pipe, one after the other.
pub(super) struct Rows<R> {
    records: Records<R>,
    key: Vec<Place>,
}

impl<R: Read> Rows<R> {
    pub(super) fn next(&mut self) -> Result<Option<Row>, DataError> {
        let record = self.records.next_record().map_err(unreadable)?;
        Ok(record.map(|record| Row::new(record.bytes, &self.key)))
    }
}

/// The header, and the rows behind it.
pub(super) fn open<R: Read>(input: R, key: Vec<Place>) -> Result<(Vec<u8>, Rows<R>), DataError> {
    let mut records = Records::new(input, Framing::Csv);
    let header = records.next_record().map_err(unreadable)?;
    let header = header.map(|record| record.bytes.to_vec());
    let header = header.ok_or_else(|| DataError::Spool("a copy has no header".into()))?;
    Ok((header, Rows { records, key }))
}

pub(super) fn open_file(path: &Path, key: &[Place]) -> Result<(Vec<u8>, Rows<File>), DataError> {
    let file = File::open(path).map_err(DataError::io("open a copy"))?;
    open(file, key.to_vec())
}

/// Places of the key's columns in a header.
pub(super) fn places(header: &[u8], key: &[String]) -> Result<Vec<Place>, DataError> {
    let names = fields(header);
    let at = |name: &String| names.iter().position(|n| n.as_slice() == name.as_bytes()).map(Place::text);
    let found: Option<Vec<Place>> = key.iter().map(at).collect();
    found.ok_or_else(|| DataError::Spool("a copy lacks a column of its key".into()))
}

/// A copy that is being written, hashed and counted on the way; into [`std::io::sink`], its figures alone.
pub(super) struct Sink<W> {
    out: Hashed<W>,
    rows: u64,
}

impl<W: Write> Sink<W> {
    pub(super) fn new(out: W, header: &[u8]) -> Result<Self, DataError> {
        let mut sink = Self { out: Hashed::new(out), rows: 0 };
        sink.write(&[header, b"\n"])?;
        Ok(sink)
    }

    pub(super) fn write(&mut self, parts: &[&[u8]]) -> Result<(), DataError> {
        parts.iter().try_for_each(|part| self.out.write_all(part)).map_err(DataError::io("write a copy"))
    }

    pub(super) fn row(&mut self, parts: &[&[u8]]) -> Result<(), DataError> {
        self.rows += 1;
        self.write(parts)
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.out.bytes()
    }

    /// Figures of what was written so far.
    pub(super) fn figures(&self) -> Copy {
        Copy { rows: self.rows, bytes: self.bytes(), sha256: self.out.sha256() }
    }
}

/// A copy in a file.
pub(super) type FileSink = Sink<BufWriter<File>>;

impl FileSink {
    pub(super) fn create(path: &Path, header: &[u8]) -> Result<Self, DataError> {
        Self::new(BufWriter::new(File::create(path).map_err(DataError::io("make a copy"))?), header)
    }

    pub(super) fn finish(self) -> Result<Copy, DataError> {
        let copy = self.figures();
        let file = self.out.into_inner().into_inner();
        let file = file.map_err(|e| DataError::io("write a copy")(e.into_error()))?;
        file.sync_all().map_err(DataError::io("make a copy durable"))?;
        Ok(copy)
    }
}
