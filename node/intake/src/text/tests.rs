use super::*;
use crate::{Cell, Origin, Place, Remark};

/// What a file gives: columns, rows with their lines, codes of remarks.
struct Read {
    columns: Vec<String>,
    rows: Vec<(u64, Vec<Cell>)>,
    remarks: Vec<Remark>,
}

fn read(bytes: impl AsRef<[u8]>, more: &str) -> Result<Read, IntakeError> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), bytes).unwrap();
    let origin = Origin::parse(&format!("type = \"text\"\npath = \"a.csv\"\n{more}"))?;
    let mut rows = origin.open(dir.path())?;
    let (mut row, mut all) = (Vec::new(), Vec::new());
    while let Some(Place { row: line, .. }) = rows.next(&mut row)? {
        all.push((line, row.clone()));
    }
    Ok(Read { columns: rows.columns().to_vec(), rows: all, remarks: rows.remarks() })
}

fn said(bytes: impl AsRef<[u8]>, more: &str) -> String {
    read(bytes, more).err().map(|e| e.to_string()).expect("refused")
}

fn codes(read: &Read) -> Vec<&str> {
    read.remarks.iter().map(|remark| remark.code).collect()
}

fn cells(cells: &[&str]) -> Vec<Cell> {
    cells.iter().map(|cell| (!cell.is_empty()).then(|| (*cell).to_owned())).collect()
}

#[test]
fn every_delimiter_is_found_and_may_be_given() {
    for (delimiter, word) in [(",", ","), (";", ";"), ("\t", "tab"), ("|", "|")] {
        let text = "xã,số\nA,\"1\"\nB,2\n".replace(',', delimiter);
        for more in [String::new(), format!("delimiter = \"{word}\"")] {
            let read = read(&text, &more).unwrap();
            assert_eq!(read.columns, ["xã", "số"], "{word}");
            assert_eq!(read.rows, [(2, cells(&["A", "1"])), (3, cells(&["B", "2"]))]);
            assert_eq!(codes(&read).contains(&"text-delimiter"), more.is_empty());
        }
    }
    let decimal = read("Tên;Giá;Thuế\nA;1,5;0,1\nB;2,5;0,2\n", "").unwrap();
    assert_eq!(decimal.rows[0].1, cells(&["A", "1,5", "0,1"]));
    // A hint for spreadsheets is a line above the table.
    assert_eq!(read("sep=;\na;b\n1,5;2\n", "").unwrap().columns, ["a", "b"]);
    assert!(said("a,b;c,d\n1,2;3,4\n", "").contains("`delimiter`"));
}

#[test]
fn titles_and_blank_lines_are_passed_over_with_a_remark() {
    let text = "BÁO CÁO;;\n\n;;Đơn vị: người\nXã;Nam;Nữ\nA;1;2\n;;\n\nB;3;\n";
    let read = read(text, "").unwrap();
    assert_eq!(read.columns, ["Xã", "Nam", "Nữ"]);
    assert_eq!(read.rows, [(5, cells(&["A", "1", "2"])), (8, cells(&["B", "3", ""]))]);
    assert_eq!(codes(&read), ["text-delimiter", "header-found", "rows-blank"]);
}

#[test]
fn the_header_may_be_given_by_its_line() {
    let text = "2021,2022\n2023,2024\n1,2\n";
    assert_eq!(read(text, "header = 2").unwrap().columns, ["2023", "2024"]);
    assert!(said(text, "header = 9").contains("header = 9"));
}

#[test]
fn missing_values_are_empty_cells_and_the_words_that_are_named() {
    let read = read("a,b,c\nNA,x,-\n", "null_text = [\"NA\", \"-\"]").unwrap();
    assert_eq!(read.rows[0].1, cells(&["", "x", ""]));
    let kept = super::tests::read("a,b,c\nNA,x,-\n", "").unwrap();
    assert_eq!(kept.rows[0].1, cells(&["NA", "x", "-"]));
}

#[test]
fn wrong_rows_are_refused_with_their_row() {
    for (text, row, word) in [
        ("a,b\n1,2\n3\n", 3, "2"),
        ("a,b\n1,2\n3,4,5\n", 3, "3 cells"),
        ("a,b\n1,\"2\n3,4\n", 2, "not closed"),
        ("a,b\n1,\"2\"x\n", 2, "twice"),
        ("a,,c\n1,2,3\n", 1, "no name"),
        ("a,b,a\n1,2,3\n", 1, "called `a`"),
    ] {
        let said = said(text, "delimiter = \",\"");
        assert!(said.contains(&format!("row {row}")) && said.contains(word), "{text:?}: {said}");
    }
    assert!(said("a,\n1,2\n", "header = 1\ndelimiter = \",\"").contains("without a name"));
    assert!(said("", "").contains("header"));
}

#[test]
fn decomposed_text_is_composed_and_remarked_on() {
    use unicode_normalization::UnicodeNormalization as _;
    let text: String = "xã,tên\nPhường Nghĩa Đô,x\n".nfd().collect();
    let read = read(text, "").unwrap();
    assert_eq!(read.columns, ["xã", "tên"]);
    assert_eq!(read.rows[0].1, cells(&["Phường Nghĩa Đô", "x"]));
    assert!(codes(&read).contains(&"text-composed"));
}

#[test]
fn an_old_file_is_read_and_says_so() {
    let text = "Tªn x·;D©n sè\nPh\u{ad}êng NghÜa §«;10\nx· Ngäc Håi;20\n";
    let old: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let read = read(&old, "").unwrap();
    assert_eq!(read.columns, ["Tên xã", "Dân số"]);
    assert_eq!(read.rows[0].1, cells(&["Phường Nghĩa Đô", "10"]));
    assert!(codes(&read).contains(&"text-converted"));
    // The same letters as Unicode: a program took the old text for Western European.
    assert!(said(text.repeat(3).replace("Tªn x·;D©n sè\nPh", "a;b\nPh"), "header = 1").contains("tcvn3"));
    let named = super::tests::read(text, "font = \"tcvn3\"").unwrap();
    assert_eq!(named.rows[1].1, cells(&["xã Ngọc Hồi", "20"]));
    assert_eq!(named.columns, ["Tên xã", "Dân số"]);
}

#[test]
fn too_many_columns_are_refused() {
    let wide = vec!["x"; 100_000].join(",");
    assert!(said(format!("{wide}\n{wide}\n"), "").contains("2048"));
}

#[test]
fn a_description_with_unknown_words_is_refused() {
    for more in ["encodings = \"utf-8\"", "delimiter = \":\"", "encoding = \"latin1\""] {
        assert!(matches!(read("a,b\n1,2\n", more), Err(IntakeError::Origin(_))), "{more}");
    }
}

#[test]
fn a_check_says_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), "a;b\n1;2\n").unwrap();
    let health = Origin::parse("type = \"text\"\npath = \"a.csv\"").unwrap().check(dir.path()).unwrap();
    assert_eq!((health.bytes, health.columns.len()), (Some(8), 2));
    assert!(health.modified.is_some() && health.said.en.contains("utf-8"), "{health:?}");
}

#[test]
fn the_real_tables_are_read_whole() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.exists() {
        eprintln!("SKIPPED: no real data at {}", data.display());
        return;
    }
    for (name, n) in
        [("hanoi-air-quality.csv", 8_785), ("dengue-districts.csv", 17_112), ("traffic-provinces.csv", 1_449)]
    {
        let origin = TextOrigin { path: name.into(), ..TextOrigin::default() };
        let mut rows = origin.open(&data).unwrap();
        let (mut row, mut count) = (Vec::new(), 0);
        while rows.next(&mut row).unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, n, "{name}: {:?}", rows.remarks());
    }
}

#[test]
fn an_encoding_that_was_forced_and_reads_badly_is_doubted() {
    // `Ã£` and `Ã ` are letters of that encoding, so nothing else is wrong with them.
    let text = "xã,n\nHà,1\nlã,2\n";
    let forced = read(text, "encoding = \"windows-1258\"").unwrap();
    assert!(codes(&forced).contains(&"encoding-doubted"), "{:?} {:?}", codes(&forced), forced.columns);
    assert!(!codes(&read(text, "encoding = \"utf-8\"").unwrap()).contains(&"encoding-doubted"));
    // Text of such an encoding is no good UTF-8, and nothing is doubted.
    let tcvn3 = b"xa,so\nT\xa9y H\xe5,2\n";
    let good = read(tcvn3, "encoding = \"tcvn3\"").unwrap();
    assert!(!codes(&good).iter().any(|code| ["encoding-doubted", "characters-odd"].contains(code)));
    let plain = read("a,b\n1,2\n", "encoding = \"tcvn3\"").unwrap();
    assert!(!codes(&plain).contains(&"encoding-doubted"), "ASCII is the same in all");
}

#[test]
fn replacement_and_control_characters_are_told_with_their_row() {
    for odd in ["T\u{fffd}y H\u{fffd}", "T\u{7}y", "x\u{1a}"] {
        let read = read(format!("a,b\n1,tốt\n2,{odd}\n3,{odd}\n"), "").unwrap();
        let remark = read.remarks.iter().find(|remark| remark.code == "characters-odd");
        let said = &remark.expect("a remark").said.en;
        assert!(said.starts_with("2 cells") && said.contains("row 3"), "{said}");
    }
    let fine = read("a,b\n1,\"hai\ndòng\tvà cột\"\n", "").unwrap();
    assert!(!codes(&fine).contains(&"characters-odd"), "{:?}", codes(&fine));
}
