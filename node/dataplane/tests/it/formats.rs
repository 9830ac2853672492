//! What the output formats write: JSON, CSV for Excel, and sheets, in which no text is ever a formula.

use std::io::{Cursor, Read};

use dataplane::{Column, ColumnKind, Job, OutputFormat, Query, Schema};

use crate::common::{answer, csv, job, text};

fn table(dir: &std::path::Path, rows: &str) -> Job {
    use ColumnKind::{Boolean, Date, Integer, Number, String, Timestamp};
    let path = dir.join("t.csv");
    std::fs::write(&path, format!("text,n,x,b,d,t\n{rows}")).unwrap();
    let columns =
        [("text", String), ("n", Integer), ("x", Number), ("b", Boolean), ("d", Date), ("t", Timestamp)];
    job(csv(&path), Schema::new(columns.map(|(n, k)| Column::new(n, k, true)).to_vec()).unwrap())
}

async fn bytes(base: &Job, format: OutputFormat) -> Vec<u8> {
    answer(Job { format, ..base.clone() }).await.unwrap().0
}

/// One part of a workbook as text.
fn part(book: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(book)).unwrap();
    let mut out = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut out).unwrap();
    out
}

/// The cell of that place with its type and content.
fn cell(book: &[u8], place: &str) -> String {
    let sheet = part(book, "xl/worksheets/sheet1.xml");
    let Some((_, after)) = sheet.split_once(&format!("<c r=\"{place}\"")) else { return String::new() };
    after.split_once("</c>").unwrap().0.to_owned()
}

#[tokio::test]
async fn json_is_one_array_of_the_ndjson_objects() {
    let dir = tempfile::tempdir().unwrap();
    let rows: String =
        (0..20_000).map(|i| format!("\"a \"\"{i}\"\"\nb\",{i},{i}.5,true,2023-03-08,\n")).collect();
    let base = table(dir.path(), &rows);
    let array: Vec<serde_json::Value> =
        serde_json::from_slice(&bytes(&base, OutputFormat::Json).await).unwrap();
    let lines = String::from_utf8(bytes(&base, OutputFormat::Ndjson).await).unwrap();
    let objects: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(array.len(), 20_000);
    assert!(array == objects);
    let none = Job { query: Query { limit: Some(0), ..Query::default() }, ..base };
    assert_eq!(bytes(&none, OutputFormat::Json).await, b"[]\n");
}

#[tokio::test]
async fn csv_for_excel_is_the_csv_behind_one_mark() {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = (0..9_000).map(|i| format!("Hà Nội,{i},,,,\n")).collect();
    for base in [table(dir.path(), &rows), table(dir.path(), "")] {
        let plain = bytes(&base, OutputFormat::Csv).await;
        let marked = bytes(&base, OutputFormat::CsvBom).await;
        assert_eq!(marked.strip_prefix(b"\xEF\xBB\xBF"), Some(&plain[..]));
    }
}

#[tokio::test]
async fn a_text_in_a_sheet_is_never_a_formula() {
    let dir = tempfile::tempdir().unwrap();
    let texts = [
        "=1+1",
        "+84912",
        "-1",
        "@SUM(A1)",
        "=HYPERLINK(\"\"http://x\"\")",
        "\t=1",
        "{=1}",
        "http://x.vn",
        "00070",
        "_x0041_",
        "a&<b>",
        "Hà Nội",
    ];
    let rows: String = texts.iter().map(|t| format!("\"{t}\",,,,,\n")).collect();
    let book = bytes(&table(dir.path(), &rows), OutputFormat::Xlsx).await;
    let sheet = part(&book, "xl/worksheets/sheet1.xml");
    assert!(!sheet.contains("<f>") && !sheet.contains("<f ") && !sheet.contains("hyperlink"), "{sheet}");
    for (row, written) in (2..).zip(texts) {
        let found = cell(&book, &format!("A{row}"));
        assert!(found.starts_with(" t=\"inlineStr\""), "{written}: {found}");
    }
    assert!(cell(&book, "A2").contains("=1+1"));
    assert!(cell(&book, "A10").contains("00070"));
}

#[tokio::test]
async fn cells_have_their_kind_and_lose_no_digit() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "a,42,1.5,true,2023-03-08,2023-03-08 06:00:00\n\
        ,9007199254740993,0.1,false,1899-12-31,2023-03-08 06:00:00.000001\n\
        ,,,,,\n";
    let book = bytes(&table(dir.path(), rows), OutputFormat::Xlsx).await;
    for (place, content) in [
        ("A1", "<t>text</t>"),
        ("B2", "<v>42</v>"),
        ("C2", "<v>1.5</v>"),
        ("D2", "t=\"b\"><v>1</v>"),
        ("E2", "<v>44993</v>"),
        ("F2", "<v>44993.25</v>"),
        ("B3", "<t>9007199254740993</t>"),
        ("C3", "<v>0.1</v>"),
        ("E3", "<t>1899-12-31</t>"),
        ("F3", "<t>2023-03-08T06:00:00.000001</t>"),
    ] {
        assert!(cell(&book, place).contains(content), "{place}: {}", cell(&book, place));
    }
    assert_eq!(cell(&book, "A4") + &cell(&book, "B4") + &cell(&book, "C4"), "", "a missing value is no cell");
}

#[tokio::test]
async fn a_workbook_tells_no_time_and_no_machine() {
    let dir = tempfile::tempdir().unwrap();
    let mut base = table(dir.path(), "a,1,,,,\n");
    let book = bytes(&base, OutputFormat::Xlsx).await;
    let core = part(&book, "docProps/core.xml");
    assert!(core.contains("2000-01-01T00:00:00Z"), "{core}");
    assert_eq!(core.matches("T00:00:00Z").count(), 2, "created and modified: {core}");
    let mut archive = zip::ZipArchive::new(Cursor::new(&book)).unwrap();
    for place in 0..archive.len() {
        let entry = archive.by_index(place).unwrap();
        assert_eq!(entry.last_modified(), Some(zip::DateTime::default()), "{:?}", entry.name());
    }
    // The rows wait where the node says.
    base.limits.scratch_dir = Some(dir.path().to_owned());
    assert_eq!(bytes(&base, OutputFormat::Xlsx).await, book);
}

#[tokio::test]
async fn what_no_cell_holds_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let base = table(dir.path(), &format!("{},,,,,\n", "x".repeat(40_000)));
    let error = text(Job { format: OutputFormat::Xlsx, ..base.clone() }).await.unwrap_err();
    assert!(
        error.to_string().contains("more than 32767 characters; narrow the query, or ask for CSV"),
        "{error}"
    );
    assert!(error.may_be_shown_to_peer());
    assert!(text(base).await.is_ok());
}
