//! Cuts a text file into records, holding at most one of them and never more than the limit.
//!
//! **Promises.** Memory stays within twice [`RECORD_BYTES_MAX`] whatever the file holds: a line of any length, a quote
//! that never closes. Inspection, validation and the engine all read through here, so they agree where a record
//! begins. What a record says is for others to check.

use std::io::{ErrorKind, Read};

use crate::limits::{JSON_DEPTH_MAX, RECORD_BYTES_MAX};

/// How records are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Lines, but a line end within double quotes belongs to the record (RFC 4180).
    Csv,
    /// Lines.
    Lines,
    /// Elements of one JSON array, each an object.
    JsonArray,
}

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Line where it begins, from 1.
    pub line: u64,
    /// Byte where it begins, from 0.
    pub offset: u64,
    /// Its bytes without the line end.
    pub bytes: &'a [u8],
}

/// Why a file cannot be cut.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(
        "the record is longer than {RECORD_BYTES_MAX} bytes; look for a quote that is not closed or split the row"
    )]
    TooLong { line: u64 },
    #[error("{what}")]
    Malformed { line: u64, what: &'static str },
    #[error("it cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

impl RecordError {
    /// Line of the defect, 0 when there is none.
    pub(crate) fn line(&self) -> u64 {
        match self {
            Self::TooLong { line } | Self::Malformed { line, .. } => *line,
            Self::Io(_) => 0,
        }
    }
}

/// Bytes asked from the file at once.
const READ_BYTES: usize = 64 * 1024;

/// The records of a file, one after the other.
pub(crate) struct Records<R> {
    input: R,
    framing: Framing,
    buffer: Vec<u8>,
    /// Where the next record begins in the buffer.
    start: usize,
    /// Byte of the file that `buffer[0]` is.
    base: u64,
    /// Line of `start`.
    line: u64,
    at_end: bool,
    begun: bool,
    array: ArrayState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArrayState {
    Before,
    First,
    Between,
    After,
}

/// Where a record ends: its content, and where the next begins.
struct End {
    content: usize,
    next: usize,
    newlines: u64,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(input: R, framing: Framing) -> Self {
        Self {
            input,
            framing,
            buffer: Vec::new(),
            start: 0,
            base: 0,
            line: 1,
            at_end: false,
            begun: false,
            array: ArrayState::Before,
        }
    }

    /// The next record that is not an empty line.
    pub(crate) fn next_record(&mut self) -> Result<Option<Record<'_>>, RecordError> {
        self.begin()?;
        if self.framing == Framing::JsonArray {
            return self.next_element();
        }
        loop {
            let Some(end) = self.next_end()? else { return Ok(None) };
            let (from, line) = (self.start, self.line);
            self.start = end.next;
            self.line += end.newlines;
            if end.content > from {
                let bytes = self.buffer.get(from..end.content).unwrap_or_default();
                return Ok(Some(Record { line, offset: self.base + from as u64, bytes }));
            }
        }
    }

    /// As many whole records as are in memory, at least one, line ends included; nothing at the end of the file.
    /// For CSV and lines only: elements of an array come one by one.
    pub(crate) fn next_block(&mut self) -> Result<Option<&[u8]>, RecordError> {
        self.begin()?;
        let Some(end) = self.next_end()? else { return Ok(None) };
        let from = self.start;
        self.start = end.next;
        self.line += end.newlines;
        while let Some(end) = find_end(&self.buffer, self.start, self.framing, &mut Scan::default()) {
            if end.content - self.start > RECORD_BYTES_MAX {
                break;
            }
            self.start = end.next;
            self.line += end.newlines;
        }
        Ok(Some(self.buffer.get(from..self.start).unwrap_or_default()))
    }

    /// Skips the byte order mark of UTF-8 and refuses that of UTF-16.
    fn begin(&mut self) -> Result<(), RecordError> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        while self.buffer.len() < 3 && self.fill()? {}
        if self.buffer.starts_with(&[0xEF, 0xBB, 0xBF]) {
            self.start = 3;
        }
        if self.buffer.starts_with(&[0xFF, 0xFE]) || self.buffer.starts_with(&[0xFE, 0xFF]) {
            return Err(RecordError::Malformed { line: 1, what: "the file is UTF-16; save it as UTF-8" });
        }
        Ok(())
    }

    /// The end of the record at `start`, reading on as needed; nothing when the file is used up.
    fn next_end(&mut self) -> Result<Option<End>, RecordError> {
        let mut scan = Scan::default();
        loop {
            let found = find_end(&self.buffer, self.start, self.framing, &mut scan);
            let length = found.as_ref().map_or(self.buffer.len(), |e| e.content) - self.start;
            if length > RECORD_BYTES_MAX {
                return Err(RecordError::TooLong { line: self.line });
            }
            if found.is_some() {
                return Ok(found);
            }
            if self.at_end {
                return self.last_end(&scan);
            }
            scan.moved_by(self.compact());
            self.fill()?;
        }
    }

    /// The record that ends with the file.
    fn last_end(&self, scan: &Scan) -> Result<Option<End>, RecordError> {
        if scan.quoted {
            let what = "a quote opens here and is never closed; close it or double it";
            return Err(RecordError::Malformed { line: self.line, what });
        }
        let end = self.buffer.len();
        Ok((end > self.start).then_some(End { content: end, next: end, newlines: scan.newlines }))
    }

    /// Drops what was used; returns by how much the rest moved.
    fn compact(&mut self) -> usize {
        let used = self.start;
        self.buffer.drain(..used);
        self.base += used as u64;
        self.start = 0;
        used
    }

    /// Reads more; `false` at the end of the file.
    fn fill(&mut self) -> Result<bool, RecordError> {
        let held = self.buffer.len();
        self.buffer.resize(held + READ_BYTES, 0);
        let read = loop {
            match self.input.read(self.buffer.get_mut(held..).unwrap_or_default()) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(held + *read.as_ref().unwrap_or(&0));
        let more = read? > 0;
        self.at_end = !more;
        Ok(more)
    }

    fn next_element(&mut self) -> Result<Option<Record<'_>>, RecordError> {
        loop {
            let Some(byte) = self.peek()? else {
                return match self.array {
                    ArrayState::After => Ok(None),
                    ArrayState::Before => Err(self.malformed("the file is empty; it needs a JSON array")),
                    _ => Err(self.malformed("the array is not closed with `]`; the file may be cut off")),
                };
            };
            match (self.array, byte) {
                (ArrayState::Before, b'[') => self.array = ArrayState::First,
                (ArrayState::First | ArrayState::Between, b']') => self.array = ArrayState::After,
                (ArrayState::First, b'{') => return self.element(),
                (ArrayState::Between, b',') => {
                    self.start += 1;
                    return match self.peek()? {
                        Some(b'{') => self.element(),
                        _ => Err(self.malformed("an object `{` is due after the comma")),
                    };
                }
                (ArrayState::Before, _) => return Err(self.malformed("the file must begin with `[`")),
                (ArrayState::First, _) => return Err(self.malformed("the array must hold objects `{…}`")),
                (ArrayState::Between, _) => return Err(self.malformed("a comma or `]` is due here")),
                (ArrayState::After, _) => return Err(self.malformed("nothing may follow the array")),
            }
            self.start += 1;
        }
    }

    /// The object that begins at `start`.
    fn element(&mut self) -> Result<Option<Record<'_>>, RecordError> {
        let Some(end) = self.next_end()? else {
            return Err(self.malformed("an object is not closed with `}`; the file may be cut off"));
        };
        if self.buffer.get(end.content - 1) != Some(&b'}') {
            return Err(self.malformed("an object is not closed with `}`; the file may be cut off"));
        }
        let (from, line) = (self.start, self.line);
        self.start = end.next;
        self.line += end.newlines;
        self.array = ArrayState::Between;
        let bytes = self.buffer.get(from..end.content).unwrap_or_default();
        Ok(Some(Record { line, offset: self.base + from as u64, bytes }))
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Result<Option<u8>, RecordError> {
        loop {
            while let Some(byte) = self.buffer.get(self.start) {
                if !byte.is_ascii_whitespace() {
                    return Ok(Some(*byte));
                }
                self.line += u64::from(*byte == b'\n');
                self.start += 1;
            }
            self.compact();
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn malformed(&self, what: &'static str) -> RecordError {
        RecordError::Malformed { line: self.line, what }
    }
}

/// How far the search for an end has come.
#[derive(Default)]
struct Scan {
    at: usize,
    quoted: bool,
    escaped: bool,
    depth: usize,
    newlines: u64,
}

impl Scan {
    fn moved_by(&mut self, bytes: usize) {
        self.at = self.at.saturating_sub(bytes);
    }
}

fn find_end(buffer: &[u8], start: usize, framing: Framing, scan: &mut Scan) -> Option<End> {
    let mut at = scan.at.max(start);
    let found = match framing {
        Framing::JsonArray => loop {
            let Some(byte) = buffer.get(at) else { break None };
            scan.newlines += u64::from(*byte == b'\n');
            at += 1;
            if scan.closes(*byte) {
                break Some(at);
            }
        },
        Framing::Csv | Framing::Lines => loop {
            // Every byte of every dataset passes here, so not byte by byte.
            let rest = buffer.get(at..).unwrap_or_default();
            let next = match framing {
                Framing::Csv => memchr::memchr2(b'\n', b'"', rest),
                _ => memchr::memchr(b'\n', rest),
            };
            let Some(next) = next else {
                at = at.max(buffer.len());
                break None;
            };
            let newline = rest.get(next) == Some(&b'\n');
            at += next + 1;
            scan.newlines += u64::from(newline);
            // Doubled quotes flip twice, so parity alone tells whether a line end is inside.
            scan.quoted ^= !newline;
            if newline && !scan.quoted {
                break Some(at - 1 - usize::from(at >= start + 2 && buffer.get(at - 2) == Some(&b'\r')));
            }
        },
    };
    if found.is_none() {
        scan.at = at;
    }
    found.map(|content| End { content, next: at, newlines: scan.newlines })
}

impl Scan {
    /// Whether this byte of a JSON object closes it. Nesting beyond the limit closes it too early, and what is cut
    /// off then does not parse.
    fn closes(&mut self, byte: u8) -> bool {
        if self.quoted {
            let escaped = std::mem::take(&mut self.escaped);
            self.escaped = byte == b'\\' && !escaped;
            self.quoted = byte != b'"' || escaped;
            return false;
        }
        match byte {
            b'"' => {
                self.quoted = true;
                return false;
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => return false,
        }
        self.depth == 0 || self.depth > JSON_DEPTH_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every boundary falls between two reads.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.len().min(out.len()).min(1);
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn cut(text: &[u8], framing: Framing) -> Result<Vec<(u64, u64, String)>, RecordError> {
        let mut whole = Records::new(text, framing);
        let mut drip = Records::new(Drip(text), framing);
        let mut out = Vec::new();
        loop {
            let record = whole.next_record()?;
            assert_eq!(record, drip.next_record()?, "reads of one byte must not matter");
            let Some(r) = record else { return Ok(out) };
            out.push((r.line, r.offset, String::from_utf8(r.bytes.to_vec()).unwrap()));
        }
    }

    #[test]
    fn lines_with_quotes_ends_and_blanks() {
        let text = b"\xEF\xBB\xBFa,b\r\n\r\n1,\"x\n\"\"y\"\n\n2,z";
        let got = cut(text, Framing::Csv).unwrap();
        let want = [(1, 3, "a,b"), (3, 10, "1,\"x\n\"\"y\""), (6, 21, "2,z")];
        assert_eq!(got, want.map(|(l, o, t)| (l, o, t.to_owned())));
    }

    #[test]
    fn elements_of_an_array() {
        let text = br#" [ {"a":"}]\"{"} ,
            {"b":{"c":[1]}} ] "#;
        let got = cut(text, Framing::JsonArray).unwrap();
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].2, r#"{"a":"}]\"{"}"#);
        assert_eq!((got[1].0, got[1].2.as_str()), (2, r#"{"b":{"c":[1]}}"#));
        assert!(cut(b"[]", Framing::JsonArray).unwrap().is_empty());
    }

    #[test]
    fn arrays_that_are_not() {
        for bad in ["", "{}", "[1]", "[{}", "[{} {}]", "[{},]", "[{}] x", "[,{}]", "[{\"a\":1"] {
            assert!(cut(bad.as_bytes(), Framing::JsonArray).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_endless_line_is_refused_with_its_number_and_little_memory() {
        for (framing, head) in [(Framing::Csv, "a\n"), (Framing::Lines, "{}\n"), (Framing::Csv, "a\n\"b\n")] {
            let text = head.as_bytes().chain(std::io::repeat(b'x').take(100 * 1024 * 1024));
            let mut records = Records::new(text, framing);
            records.next_record().unwrap();
            let error = records.next_record().unwrap_err();
            assert!(matches!(error, RecordError::TooLong { line: 2 }), "{error}");
            assert!(records.buffer.capacity() < 4 * RECORD_BYTES_MAX);
        }
    }

    #[test]
    fn a_quote_that_never_closes_names_its_line() {
        let error = cut(b"a,b\n1,2\n3,\"x\n4,5\n", Framing::Csv).unwrap_err();
        assert!(matches!(error, RecordError::Malformed { line: 3, .. }), "{error}");
    }

    #[test]
    fn utf_16_is_named() {
        let error = cut(&[0xFF, 0xFE, b'a', 0], Framing::Csv).unwrap_err();
        assert!(error.to_string().contains("UTF-16"));
    }

    #[test]
    fn blocks_hold_whole_records() {
        let text: String = (0..50_000).map(|i| format!("{i},\"x\ny\"\n")).collect();
        let mut records = Records::new(text.as_bytes(), Framing::Csv);
        let mut joined = Vec::new();
        while let Some(block) = records.next_block().unwrap() {
            assert!(block.ends_with(b"\"\n"));
            joined.extend_from_slice(block);
        }
        assert_eq!(joined, text.as_bytes());
    }
}
