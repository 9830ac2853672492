//! Targets over what agencies and their sources bring: files, and the descriptions that people write.
//!
//! A reader of files gets one, in memory where the system has such a folder; it is written anew for each input.

use std::cell::RefCell;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use intake::mapping::Mapping;
use intake::{Cell, IntakeError, Origin};
use tempfile::NamedTempFile;

use crate::dataplane::page_header::PageHeader;
use crate::dataplane::records::{Framing, Records};
use crate::dataplane::{footer, thrift};
use crate::limits::RECORD_BYTES_MAX;

/// When contracts are said to have been changed, POSIX seconds: after they were written.
const MODIFIED: i64 = 2_000_000_000;
/// Rows that one input may have: more say nothing new.
const ROWS_MAX: usize = 10_000;

/// Headers of Parquet's pages and its footer, before its own reader sees them.
pub fn parquet(data: &[u8]) {
    let _ = footer::check(data);
    if let Ok((header, length)) = PageHeader::read(data) {
        assert!(length <= data.len(), "a header is longer than its bytes");
        assert_eq!(
            PageHeader::read(&data[..length]),
            Ok((header, length)),
            "what is behind a header is read"
        );
        for cut in 0..length.min(64) {
            assert_eq!(PageHeader::read(&data[..cut]), Err(thrift::Stop::Short), "half a header is read");
        }
    }
}

/// Records of CSV, NDJSON and JSON: cut at the same places, whatever pieces the bytes come in.
pub fn records(data: &[u8]) {
    for framing in [Framing::Csv, Framing::JsonArray] {
        let whole = cut(Records::new(data, framing));
        let drops = cut(Records::new(Drops(data), framing));
        assert_eq!(whole, drops, "the records depend on the pieces");
        assert!(whole.iter().map(|record| record.len()).sum::<usize>() <= data.len(), "bytes are read twice");
        assert!(
            whole.iter().all(|record| record.len() <= RECORD_BYTES_MAX + 2),
            "a record is over its limit"
        );
    }
}

fn cut<R: std::io::Read>(mut records: Records<R>) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Ok(Some(record)) = records.next_record() {
        all.push(record.bytes.to_vec());
    }
    all
}

/// One byte at a time.
struct Drops<'a>(&'a [u8]);

impl std::io::Read for Drops<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let (Some((first, rest)), Some(place)) = (self.0.split_first(), out.first_mut()) else {
            return Ok(0);
        };
        *place = *first;
        self.0 = rest;
        Ok(1)
    }
}

/// Descriptions of sources.
pub fn source(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = Origin::parse(text) {
        assert!(error.to_string().len() < 4_096 + 4 * text.len(), "a refusal is longer than what it refuses");
    }
}

/// Mapping files.
pub fn mapping(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Mapping::parse(text);
}

/// Data contracts.
pub fn contract(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(record) = catalog::contract::read(text, MODIFIED) {
        let again = catalog::contract::read(text, MODIFIED).ok();
        assert_eq!(again.as_ref(), Some(&record), "one text is two contracts");
    }
}

/// Query strings of OData, as they stand in an address: what is read as a filter is written and read back the same, and holds or
/// not for a row without values.
pub fn odata(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    let set = odata_set();
    let Ok(options) = odata::Options::parse(query, &set) else { return };
    let Some(filter) = options.filter else { return };
    let _ = filter.holds(&[]);
    let text = filter.text(&set);
    // What prints longer than it was written may be over a limit.
    if let Ok(again) = odata::filter(&text, &set) {
        assert_eq!(again.text(&set), text, "one filter is two");
    }
    let carried = odata::carry::carry(&filter, &set);
    assert!(
        carried.clauses.iter().all(|clause| !clause.tests.is_empty()),
        "a condition without a comparison"
    );
}

/// A column of each kind.
pub fn odata_set() -> odata::EntitySet {
    use odata::ColumnKind::{Boolean, Date, Integer, Number, Text, Timestamp};
    let kinds =
        [("t", Text), ("n", Integer), ("x", Number), ("ok", Boolean), ("day", Date), ("time", Timestamp)];
    let column = |(name, kind): (&str, odata::ColumnKind)| odata::Column {
        name: name.to_owned(),
        kind,
        nullable: true,
        description: String::new(),
    };
    odata::EntitySet::new("x", "", kinds.into_iter().map(column).collect())
}

/// CSV as old programs wrote it.
pub fn text(data: &[u8]) {
    rows("text", data);
}

/// JSON and NDJSON.
pub fn json(data: &[u8]) {
    rows("json", data);
}

/// Spreadsheets.
pub fn excel(data: &[u8]) {
    rows("excel", data);
}

/// Every row has as many cells as there are columns, and every column a name of its own.
fn rows(kind: &str, data: &[u8]) {
    row_count(kind, data);
}

/// Reads a file of this kind; says how many rows were read before its end, or before what is wrong.
pub fn row_count(kind: &str, data: &[u8]) -> usize {
    FILE.with_borrow_mut(|file| {
        let Ok(file) = file else { panic!("no temporary file") };
        let written = file.as_file_mut().set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        if written.and_then(|_| file.write_all(data)).is_err() {
            panic!("the temporary file takes no bytes");
        }
        let path = file.path().to_string_lossy().into_owned();
        let Ok(origin) = Origin::parse(&format!("type = \"{kind}\"\npath = \"{path}\"\n")) else {
            panic!("the description of a {kind} file no longer parses")
        };
        let mut count = 0;
        let _ = read(&origin, &mut count);
        count
    })
}

fn read(origin: &Origin, count: &mut usize) -> Result<(), IntakeError> {
    let mut rows = origin.open(Path::new("/"))?;
    let columns = rows.columns().to_vec();
    let distinct: std::collections::BTreeSet<&String> = columns.iter().collect();
    assert!(!columns.is_empty() && distinct.len() == columns.len(), "columns without a name of their own");
    let mut cells: Vec<Cell> = Vec::new();
    for _ in 0..ROWS_MAX {
        if rows.next(&mut cells)?.is_none() {
            break;
        }
        *count += 1;
        assert_eq!(cells.len(), columns.len(), "a row has another number of cells than there are columns");
    }
    let _ = rows.remarks();
    Ok(())
}

thread_local! {
    static FILE: RefCell<std::io::Result<NamedTempFile>> = RefCell::new(match Path::new("/dev/shm").is_dir() {
        true => NamedTempFile::new_in("/dev/shm"),
        false => NamedTempFile::new(),
    });
}
