//! Whatever a file holds is read or refused: never a panic, never rows of another width than the columns.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use std::path::Path;

use intake::{IntakeError, Origin};
use proptest::prelude::*;

/// Reads a file to its end, if it can be.
fn read(kind: &str, bytes: &[u8]) -> Result<u64, IntakeError> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), bytes).unwrap();
    let origin = Origin::parse(&format!("type = \"{kind}\"\npath = \"file\"")).unwrap();
    let mut rows = origin.open(dir.path())?;
    let (mut row, mut n) = (Vec::new(), 0);
    while rows.next(&mut row)?.is_some() {
        assert_eq!(row.len(), rows.columns().len());
        n += 1;
    }
    drop(rows.remarks());
    Ok(n)
}

/// Pieces that mean something to one of the readers.
const PIECES: [&[u8]; 34] = [
    b"a",
    b"b",
    b"1",
    b"2021",
    b",",
    b";",
    b"\t",
    b"|",
    b"\"",
    b"\"\"",
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"\"a\":",
    b"\"b\":1",
    b"null",
    b"true",
    b"1e3",
    b"\\u00e1",
    b"\xEF\xBB\xBF",
    b"\xFF\xFE",
    b"\x00",
    b"\xB5",
    b"\xE1\xBB\x87",
    b"\xC3",
    b"x\xADx",
    b"\xF8",
    b".",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..60).prop_map(|pieces| pieces.concat())
}

/// What is put into a part of a workbook.
fn damage() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"<",
        b">",
        b"/>",
        b"\"",
        b"=",
        b"&",
        b"0",
        b"9",
        b"-1",
        b"99999999999",
        b"<c r=\"A1\"/>",
        b"<v>",
        b"</v>",
        b"</c>",
        b" t=\"s\"",
        b" t=\"e\"",
        b"<f t=\"shared\" si=\"7\"/>",
        b"<row r=\"0\">",
        b"XFE1048577",
        b"<!--",
        b"-->",
        b"\xFF",
        b"A",
        b"Z",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..4).prop_map(|pieces| pieces.concat())
}

fn workbook() -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in ["a", "b", "c"].into_iter().enumerate() {
        sheet.write(0, column as u16, name).unwrap();
        sheet.write(1, column as u16, column as f64).unwrap();
    }
    sheet.merge_range(2, 0, 3, 1, "x", &rust_xlsxwriter::Format::new()).unwrap();
    book.save_to_buffer().unwrap()
}

/// Parts of the workbook, about.
const PARTS: usize = 10;

/// The workbook with one part changed, and whole otherwise, so that the change reaches the reader of XML.
fn changed(which: usize, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    use std::io::{Read as _, Write as _};
    let mut old = zip::ZipArchive::new(std::io::Cursor::new(workbook())).unwrap();
    let mut new = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for i in 0..old.len() {
        let mut part = old.by_index(i).unwrap();
        let (name, mut bytes) = (part.name().unwrap().into_owned(), Vec::new());
        part.read_to_end(&mut bytes).unwrap();
        // Beyond the last part: the sheet.
        if i == which || (which >= PARTS && name.ends_with("sheet1.xml")) {
            change(&mut bytes);
        }
        let stored =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        new.start_file(name.as_str(), stored).unwrap();
        new.write_all(&bytes).unwrap();
    }
    new.finish().unwrap().into_inner()
}

#[test]
fn the_workbook_that_is_damaged_below_is_sound() {
    assert_eq!(read("excel", &workbook()).unwrap(), 2);
    assert_eq!(read("excel", &changed(PARTS, |_| ())).unwrap(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_breaks_the_reader_of_text(bytes in text()) {
        let _ = read("text", &bytes);
    }

    #[test]
    fn no_text_breaks_the_reader_of_json(bytes in text()) {
        let _ = read("json", &bytes);
    }

    #[test]
    fn no_damage_to_a_workbook_breaks_its_reader(
        which in 0..2 * PARTS, at in any::<prop::sample::Index>(), with in damage(), cut in 0_usize..8,
    ) {
        let bytes = changed(which, |part| {
            let from = at.index(part.len());
            let to = (from + cut).min(part.len());
            part.splice(from..to, with.iter().copied());
        });
        let _ = read("excel", &bytes);
    }
}

#[test]
fn what_a_description_names_must_be_there() {
    for kind in ["text", "json", "excel"] {
        let origin = Origin::parse(&format!("type = \"{kind}\"\npath = \"gone\"")).unwrap();
        assert!(matches!(origin.open(Path::new("/nowhere")), Err(IntakeError::Unreachable(_))));
        let origin = Origin::parse(&format!("type = \"{kind}\"")).unwrap();
        assert!(matches!(origin.check(Path::new("/nowhere")), Err(IntakeError::Origin(_))));
    }
}
