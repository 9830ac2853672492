use std::io::Write as _;

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};
use zip::write::SimpleFileOptions;

use super::*;
use crate::{Cell, Origin, Place, Remark};

struct Read {
    columns: Vec<String>,
    rows: Vec<(u64, Vec<Cell>)>,
    remarks: Vec<Remark>,
}

fn read(bytes: &[u8], more: &str) -> Result<Read, IntakeError> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.xlsx"), bytes).unwrap();
    let origin = Origin::parse(&format!("type = \"excel\"\npath = \"a.xlsx\"\n{more}"))?;
    let mut rows = origin.open(dir.path())?;
    let (mut row, mut all) = (Vec::new(), Vec::new());
    while let Some(Place { row: number, .. }) = rows.next(&mut row)? {
        all.push((number, row.clone()));
    }
    Ok(Read { columns: rows.columns().to_vec(), rows: all, remarks: rows.remarks() })
}

fn said(bytes: &[u8], more: &str) -> String {
    read(bytes, more).err().map(|e| e.to_string()).expect("refused")
}

fn codes(read: &Read) -> Vec<&str> {
    read.remarks.iter().map(|remark| remark.code).collect()
}

fn cells(cells: &[&str]) -> Vec<Cell> {
    cells.iter().map(|cell| (!cell.is_empty()).then(|| (*cell).to_owned())).collect()
}

fn put(sheet: &mut Worksheet, rows: &[&[&str]]) {
    for (r, row) in rows.iter().enumerate() {
        for (c, text) in row.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            sheet.write(r as u32, c as u16, *text).unwrap();
        }
    }
}

fn book(fill: impl FnOnce(&mut Workbook)) -> Vec<u8> {
    let mut book = Workbook::new();
    fill(&mut book);
    book.save_to_buffer().unwrap()
}

fn sheet(fill: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    book(|book| fill(book.add_worksheet()))
}

#[test]
fn typed_cells_come_as_text_in_one_form() {
    let day = Format::new().set_num_format("dd/mm/yyyy");
    let bytes = sheet(|s| {
        put(s, &[&["a", "b", "c", "d", "e", "f", "g"]]);
        s.write(1, 0, 12).unwrap();
        s.write(1, 1, 1.5).unwrap();
        s.write(1, 2, true).unwrap();
        s.write_with_format(1, 3, ExcelDateTime::from_ymd(2026, 11, 23).unwrap(), &day).unwrap();
        let noon = ExcelDateTime::from_ymd(2026, 11, 23).unwrap().and_hms(12, 30, 0).unwrap();
        s.write_with_format(1, 4, noon, &Format::new().set_num_format("dd/mm/yyyy hh:mm")).unwrap();
        s.write(1, 5, Formula::new("1+1").set_result("2")).unwrap();
        s.write(1, 6, "Ha\u{300} Nội").unwrap();
        s.write(4, 0, "00012").unwrap();
    });
    let read = read(&bytes, "").unwrap();
    let first = cells(&["12", "1.5", "true", "2026-11-23", "2026-11-23T12:30:00", "2", "Hà Nội"]);
    assert_eq!(read.rows, [(2, first), (5, cells(&["00012", "", "", "", "", "", ""]))]);
    assert_eq!(codes(&read), ["rows-blank", "text-composed"]);
}

#[test]
fn error_cells_and_formulas_without_a_result_are_refused_with_their_cell() {
    let wrong = sheet(|s| {
        put(s, &[&["a", "b"], &["1", ""]]);
        s.write(1, 1, Formula::new("NA()").set_result("#N/A")).unwrap();
    });
    let said_wrong = said(&wrong, "");
    assert!(
        said_wrong.contains("B2") && said_wrong.contains("#N/A") && said_wrong.contains("column `b`"),
        "{said_wrong}"
    );
    assert!(said_wrong.starts_with("Sheet1: dòng · row 2"), "{said_wrong}");
    let bare =
        part_replaced(&wrong, "sheet1.xml", |xml| xml.replace("<v>#N/A</v>", "").replace(" t=\"e\"", ""));
    assert!(said(&bare, "").contains("without a kept result"));
}

#[test]
fn the_sheet_is_named_or_the_first_visible_one_that_holds_something() {
    let bytes = book(|book| {
        book.add_worksheet().set_name("Trống").unwrap();
        let hidden = book.add_worksheet().set_name("Ẩn").unwrap().set_hidden(true);
        put(hidden, &[&["h"], &["x"]]);
        put(book.add_worksheet().set_name("Một").unwrap(), &[&["a"], &["1"]]);
        put(book.add_worksheet().set_name("Hai").unwrap(), &[&["b"], &["2"]]);
    });
    let first = read(&bytes, "").unwrap();
    assert_eq!(
        (first.columns.as_slice(), codes(&first)),
        (&["a".to_owned()][..], vec!["excel-sheet", "excel-hidden"])
    );
    assert!(first.remarks[0].said.en.contains("`Một`") && first.remarks[0].said.en.contains("Hai"));
    assert_eq!(read(&bytes, "sheet = \"Hai\"").unwrap().columns, ["b"]);
    assert!(read(&bytes, "sheet = \"Ẩn\"").unwrap().remarks[0].said.en.contains("is hidden"));
    assert!(said(&bytes, "sheet = \"Ba\"").contains("Hai"));
}

#[test]
fn a_header_of_merged_cells_is_filled_and_merged_data_is_reported() {
    let plain = Format::new();
    let bytes = sheet(|s| {
        s.merge_range(0, 0, 0, 3, "BÁO CÁO DÂN SỐ", &plain).unwrap();
        s.merge_range(2, 0, 3, 0, "Xã", &plain).unwrap();
        s.merge_range(2, 1, 2, 2, "Dân số", &plain).unwrap();
        s.merge_range(2, 3, 3, 3, "Ghi chú", &plain).unwrap();
        put_at(s, 3, &["", "Nam", "Nữ"]);
        put_at(s, 4, &["", "1", "2", "x"]);
        put_at(s, 5, &["", "3", "4"]);
        s.merge_range(4, 0, 5, 0, "Đông Anh", &plain).unwrap();
    });
    for more in ["", "header = 3", "header = 3\nheader_rows = 2"] {
        let read = read(&bytes, more).unwrap();
        assert_eq!(read.columns, ["Xã", "Dân số Nam", "Dân số Nữ", "Ghi chú"], "{more}");
        assert_eq!(read.rows, [(5, cells(&["Đông Anh", "1", "2", "x"])), (6, cells(&["", "3", "4", ""]))]);
        let merged = read.remarks.iter().find(|remark| remark.code == "excel-merged").unwrap();
        assert!(merged.said.en.contains("A5:A6") && merged.said.en.starts_with("1 "), "{merged:?}");
        assert_eq!(codes(&read).contains(&"header-found"), more.is_empty());
    }
}

fn put_at(sheet: &mut Worksheet, row: u32, cells: &[&str]) {
    for (c, text) in cells.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        sheet.write(row, c as u16, *text).unwrap();
    }
}

#[test]
fn values_beside_the_table_and_flawed_headers_are_refused() {
    let mut rows: Vec<&[&str]> = vec![&["a", "b"]];
    rows.extend(std::iter::repeat_n(&["1", "2"][..], 60));
    rows.push(&["1", "2", "", "ghi chú"]);
    let said_note = said(&sheet(|s| put(s, &rows)), "");
    assert!(said_note.contains("D62") && said_note.contains("ghi chú"), "{said_note}");
    assert!(said(&sheet(|s| put(s, &[&["a", "", "a"], &["1", "2", "3"]])), "header = 1").contains("no name"));
    assert!(said(&sheet(|s| put(s, &[&["a", "b", "a"], &["1", "2", "3"]])), "").contains("called `a`"));
    assert!(said(&sheet(|_| ()), "").contains("holds anything"));
    assert!(said(&sheet(|s| put(s, &[&["a"], &["1"]])), "header = 7").contains("header = 7"));
}

#[test]
fn text_of_old_fonts_is_refused_until_the_description_names_it() {
    let bytes = sheet(|s| put(s, &[&["x"], &["Hµ Néi"], &["NghÜa §«"], &["d©n sè"]]));
    assert!(said(&bytes, "").contains("font = \"tcvn3\""));
    let read = read(&bytes, "font = \"tcvn3\"").unwrap();
    assert_eq!(read.rows[0].1, cells(&["Hà Nội"]));
    assert_eq!(codes(&read), ["text-converted"]);
}

/// The workbook with one part changed.
fn part_replaced(bytes: &[u8], name: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let mut old = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut new = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for i in 0..old.len() {
        let mut part = old.by_index(i).unwrap();
        let (part_name, mut text) = (part.name().unwrap().into_owned(), String::new());
        std::io::Read::read_to_string(&mut part, &mut text).unwrap();
        new.start_file(part_name.as_str(), SimpleFileOptions::default()).unwrap();
        let text = if part_name.ends_with(name) { change(text) } else { text };
        new.write_all(text.as_bytes()).unwrap();
    }
    new.finish().unwrap().into_inner()
}

#[test]
fn hostile_workbooks_are_refused_before_they_hurt() {
    let good = sheet(|s| put(s, &[&["a", "b"], &["x", "y"]]));
    assert!(read(&part_replaced(&good, "none", |text| text), "").is_ok());
    let count = part_replaced(&good, "sharedStrings.xml", |text| {
        text.replace("uniqueCount=\"4\"", "uniqueCount=\"88888888888888\"")
    });
    assert!(said(&count, "").contains("no Excel"));
    let long = part_replaced(&good, "sheet1.xml", |text| {
        text.replace("<sheetData>", &format!("<sheetData><!--{}-->", "x".repeat(3 << 20)))
    });
    assert!(said(&long, "").contains("no Excel"));
    let back = part_replaced(&good, "sheet1.xml", |text| text.replace("r=\"B2\"", "r=\"A1\""));
    assert!(said(&back, "").contains("out of order"));
    let far = part_replaced(&good, "sheet1.xml", |text| text.replace("r=\"B2\"", "r=\"XFD1048576\""));
    assert!(said(&far, "").contains("16384"));
    let cut = good.get(..good.len() / 2).unwrap();
    assert!(said(cut, "").contains("damaged"));
}

#[test]
fn a_bomb_is_refused_by_what_it_states_and_by_what_comes_out() {
    let bomb = |size: usize| {
        let mut new = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        new.start_file("xl/workbook.xml", SimpleFileOptions::default().compression_level(Some(1))).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..size >> 20 {
            new.write_all(&zeros).unwrap();
        }
        new.finish().unwrap().into_inner()
    };
    let mut bytes = bomb(130 << 20);
    assert!(said(&bytes, "").contains("128 MiB"));
    // The directory says 1 byte: local header at the front, central header near the end.
    let real = (130_u32 << 20).to_le_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.windows(4).position(|four| four == real)) {
        at += found;
        bytes[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
        at += 4;
    }
    assert!(at > 0);
    let unpacked = said(&bytes, "");
    assert!(unpacked.contains("128 MiB") || unpacked.contains("damaged"), "{unpacked}");
    // The directory says more than any workbook has.
    let mut lying = sheet(|s| put(s, &[&["a"], &["x"]]));
    let central = lying.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    lying[central + 24..central + 28].copy_from_slice(&0xF000_0000_u32.to_le_bytes());
    assert!(said(&lying, "").contains("1024 MiB"));
}

#[test]
fn other_kinds_of_files_are_refused_with_what_to_do() {
    assert!(said(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1rest", "").contains(".xls"));
    assert!(said(b"a,b\n1,2\n", "").contains("type = \"text\""));
    let mut ods = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    ods.start_file("content.xml", SimpleFileOptions::default()).unwrap();
    let ods = ods.finish().unwrap().into_inner();
    assert!(said(&ods, "").contains(".ods"));
}

#[test]
fn a_check_names_the_sheets() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.xlsx"), sheet(|s| put(s, &[&["a", "b"], &["1", "2"]]))).unwrap();
    let health = Origin::parse("type = \"excel\"\npath = \"a.xlsx\"").unwrap().check(dir.path()).unwrap();
    assert_eq!((health.parts, health.columns.len()), (vec!["Sheet1".to_owned()], 2));
}
