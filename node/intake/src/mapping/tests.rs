//! Mappings held against rows as agencies have them.

use std::path::{Path, PathBuf};

use catalog::{Classification, Column, ColumnKind};

use super::*;
use crate::testing::{Table, shared};
use crate::{Cell, IntakeError, Place, Rows};

fn column(name: &str, kind: ColumnKind) -> Column {
    Column::new(name, kind, true)
}

/// All rows, and the report.
fn run(mapping: &str, source: Table, columns: &[Column]) -> Result<(Vec<Vec<Cell>>, Report), IntakeError> {
    run_in(Path::new("."), mapping, source, columns)
}

fn run_in(
    base: &Path,
    mapping: &str,
    source: Table,
    columns: &[Column],
) -> Result<(Vec<Vec<Cell>>, Report), IntakeError> {
    let mut rows = Mapping::parse(mapping)?.standardise(Box::new(source), columns, base)?;
    let (mut all, mut row) = (Vec::new(), Vec::new());
    while rows.next(&mut row)?.is_some() {
        assert_eq!(row.len(), columns.len());
        all.push(row.clone());
    }
    Ok((all, rows.report()))
}

fn misfits(result: Result<(Vec<Vec<Cell>>, Report), IntakeError>) -> crate::Misfits {
    match result {
        Err(IntakeError::Misfits(misfits)) => *misfits,
        other => panic!("{other:?}"),
    }
}

fn text(cell: &str) -> Cell {
    Some(cell.to_owned())
}

#[test]
fn columns_are_renamed_joined_and_filled_and_text_is_tidied() {
    let source =
        Table::new(&["Họ", "Tên ", "Ghi chú"], &[&["Nguye\u{302}\u{303}n", " An", "x"], &["", "Bình", "y"]]);
    let columns = [
        column("ho_ten", ColumnKind::String),
        column("ten", ColumnKind::String),
        column("tinh", ColumnKind::String),
        column("trong", ColumnKind::String),
    ];
    let mapping = "[columns]\nho_ten = { join = [\"Họ\", \"Tên\"] }\nten = { from = \"Tên\" }\ntinh = { constant = \"01\" }";
    let (rows, report) = run(mapping, source, &columns).unwrap();
    assert_eq!(rows[0], [text("Nguyễn An"), text("An"), text("01"), None]);
    assert_eq!(rows[1], [text("Bình"), text("Bình"), text("01"), None]);
    let codes: Vec<&str> = report.remarks.iter().map(|r| r.code).collect();
    assert_eq!(codes, ["columns-unused", "columns-empty"]);
    assert_eq!((report.rows_in, report.rows_out, report.columns[3].missing), (2, 2, 2));
    assert_eq!((report.columns[1].values, report.columns[1].converted), (2, 1), "one had a blank before it");
    assert_eq!(report.columns[0].from, ["Họ", "Tên "]);
}

#[test]
fn every_kind_is_made_from_how_it_is_written() {
    let columns = [
        column("so", ColumnKind::Number),
        column("nguyen", ColumnKind::Integer),
        column("ngay", ColumnKind::Date),
        column("luc", ColumnKind::Timestamp),
        column("co", ColumnKind::Boolean),
        column("bui", ColumnKind::Number),
    ];
    let mut pm = columns.clone();
    pm[5].promises.unit = Some("ug/m3".to_owned());
    let source = Table::new(
        &["so", "nguyen", "ngay", "luc", "co", "bui"],
        &[
            &["1.234,5", "1.000", "08/03/2023", "08/03/2023 07:30", "Có", "0,07"],
            &["NA", "-", "", "-", "x", "NA"],
            &["2,0", "12", "2023-03-08", "2023-03-08T07:30:00", "", "1.000"],
        ],
    );
    let mapping = r#"
        missing = ["", "NA", "-"]
        decimal = ","
        thousands = "."
        date = ["dd/mm/yyyy", "dd/mm/yyyy hh:mm"]
        [columns]
        co = { yes = ["có", "x"], no = ["không", ""] }
        bui = { unit = { from = "mg/m3" } }
    "#;
    let (rows, report) = run(mapping, source, &pm).unwrap();
    let row = |cells: [&str; 6]| cells.map(|c| (!c.is_empty()).then(|| c.to_owned())).to_vec();
    assert_eq!(rows[0], row(["1234.5", "1000", "2023-03-08", "2023-03-08T07:30:00", "true", "70"]));
    assert_eq!(rows[1], row(["", "", "", "", "true", ""]));
    assert_eq!(rows[2], row(["2.0", "12", "2023-03-08", "2023-03-08T07:30:00", "false", "1000000"]));
    assert_eq!(report.columns.iter().map(|c| c.missing).collect::<Vec<_>>(), [1, 1, 1, 1, 0, 1]);
}

#[test]
fn what_does_not_fit_is_told_with_its_place_in_both_languages_and_nothing_is_taken() {
    let mut columns = [column("so", ColumnKind::Number), column("ma", ColumnKind::String)];
    columns[1].nullable = false;
    let source = Table::new(&["so", "ma"], &[&["1", "a"], &["1.234", "b"], &["x", ""], &["2", "c"]]);
    let misfits = misfits(run("", source, &columns));
    assert_eq!((misfits.total, misfits.first.len()), (3, 3));
    let first = misfits.first[0].to_string();
    assert!(first.starts_with("dữ liệu.csv: dòng · row 3: cột · column `so`:"), "{first}");
    assert!(first.contains("hãy đặt `decimal") && first.contains("set `decimal"), "{first}");
    let place = |i: usize| (misfits.first[i].place.row, misfits.first[i].place.column.clone().unwrap());
    assert_eq!([place(1), place(2)], [(4, "so".to_owned()), (4, "ma".to_owned())]);
    assert!(misfits.said.en.contains("2 of 4 rows"), "{}", misfits.said);
}

#[test]
fn problems_are_listed_up_to_a_limit_and_counted_beyond() {
    let cells: Vec<[&str; 1]> = (0..250).map(|_| ["x"]).collect();
    let rows: Vec<&[&str]> = cells.iter().map(|row| &row[..]).collect();
    let misfits = misfits(run("", Table::new(&["so"], &rows), &[column("so", ColumnKind::Number)]));
    assert_eq!((misfits.first.len(), misfits.total), (crate::limits::PROBLEMS_MAX, 250));
    assert!(misfits.to_string().ends_with("và 150 lỗi nữa · and 150 more"));
}

#[test]
fn rows_are_left_out_only_up_to_the_share_that_is_said() {
    let columns = [column("so", ColumnKind::Integer)];
    let source = || Table::new(&["so"], &[&["1"], &["x"], &["3"], &["4"]]);
    let (rows, report) = run("on_error = \"leave_out\"\nleave_out_max = 0.25", source(), &columns).unwrap();
    assert_eq!(rows, [[text("1")], [text("3")], [text("4")]]);
    assert_eq!((report.rows_in, report.rows_out, report.rows_left_out, report.problems_total), (4, 3, 1, 1));
    assert_eq!(report.columns[0].first_failed[0].row, 3);
    assert!(report.remarks.iter().any(|r| r.code == "rows-left-out" && r.said.en.contains("1 of 4")));
    let misfits = misfits(run("on_error = \"leave_out\"\nleave_out_max = 0.2", source(), &columns));
    assert!(misfits.said.vi.contains("quá tỷ lệ 0.2"), "{}", misfits.said);
}

#[test]
fn a_mapping_that_does_not_go_with_contract_or_source_is_refused_before_any_row() {
    let mut columns = vec![column("so", ColumnKind::Number), column("ngay", ColumnKind::Date)];
    columns[0].promises.unit = Some("ug/m3".to_owned());
    let mut needed = column("can", ColumnKind::String);
    needed.nullable = false;
    for (mapping, extra, expected) in [
        ("on_eror = \"refuse\"", None, "on_eror"),
        ("on_error = \"leave_out\"", None, "leave_out_max"),
        ("leave_out_max = 2", None, "a number from 0 to 1"),
        ("[columns.sso]\nfrom = \"so\"", None, "the contract has no such column; it has `so`, `ngay`"),
        ("[columns.so]\nfrom = \"Số\"", None, "the source has no column `Số`; it has `so`, `ngay`"),
        ("[columns.so]\nfrom = \"so\"\nconstant = \"1\"", None, "say one of"),
        ("[columns.so]\nconstant = \"một\"", None, "is not a number"),
        ("[columns.so]\nyes = \"x\"", None, "`yes` means nothing"),
        ("[columns.ngay]\ndate = \"dd/mm\"", None, "is no form of a date"),
        ("[columns.so]\nunit = { from = \"mg/m3\", to = \"mg/m3\" }", None, "the contract says `ug/m3`"),
        ("[columns.so]\nunit = { from = \"km\" }", None, "cannot become"),
        ("[columns.so]\nwithin = \"01\"", None, "need `codes`"),
        ("[columns.so]\ncodes = \"../x.csv\"", None, "must be a file beside"),
        ("decimal = \",\"\nthousands = \",\"", None, "choose two different"),
        ("", Some(needed), "it is required and the source has no column of its name"),
    ] {
        let mut columns = columns.clone();
        columns.extend(extra);
        match run(mapping, Table::new(&["so", "ngay"], &[]), &columns) {
            Err(IntakeError::Mapping(said)) => assert!(said.en.contains(expected), "{mapping}: {said}"),
            other => panic!("{mapping}: {other:?}"),
        }
    }
    let long = "#".repeat(crate::limits::MAPPING_BYTES_MAX + 1);
    assert!(Mapping::parse(&long).is_err());
}

#[test]
fn what_a_contract_promises_is_kept() {
    let mut columns =
        [column("pm", ColumnKind::Number), column("ma", ColumnKind::String), column("p", ColumnKind::String)];
    columns[0].promises.minimum = Some(0.into());
    columns[0].promises.maximum = Some(1000.into());
    columns[1].promises.pattern = Some("^\\d{3}$".to_owned());
    columns[1].promises.max_length = Some(3);
    columns[2].promises.codes = vec!["01".to_owned(), "02".to_owned()];
    let source =
        Table::new(&["pm", "ma", "p"], &[&["0", "123", "01"], &["-1", "12", "1"], &["1001", "1234", ""]]);
    let misfits = misfits(run("", source, &columns));
    let told: Vec<&str> = misfits.first.iter().map(|p| p.said.en.as_str()).collect();
    assert_eq!(
        told,
        [
            "`-1` is not between 0 and 1000",
            "`12` does not match the pattern `^\\d{3}$`",
            "`1` is not one of the contract's codes: `01`, `02`",
            "`1001` is not between 0 and 1000",
            "`1234` has 4 characters, not as many as the contract says",
        ]
    );
    columns[1].promises.pattern = Some("(?=a)".to_owned());
    assert!(matches!(run("", Table::new(&["pm", "ma", "p"], &[]), &columns), Err(IntakeError::Mapping(_))));
}

#[test]
fn unknown_codes_are_refused_kept_or_made_missing_as_said() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("phuong.csv"),
        "code,name,old_names\n00070,Phường Hoàn Kiếm,Phường Hàng Bạc\n",
    )
    .unwrap();
    let columns = [column("phuong", ColumnKind::String)];
    let source = || {
        Table::new(&["phuong"], &[&["hàng bạc"], &["PHƯỜNG HÀNG BẠC"], &["hàng bạc"], &["Phường Hoàn Kiếm"]])
    };
    let mapping = |unknown: &str| format!("[columns.phuong]\ncodes = \"phuong.csv\"\n{unknown}");
    let (rows, report) = run_in(dir.path(), &mapping("unknown = \"keep\""), source(), &columns).unwrap();
    assert_eq!(rows.concat(), [text("hàng bạc"), text("00070"), text("hàng bạc"), text("00070")]);
    let unknown = &report.columns[0].unknown_codes;
    assert_eq!((unknown[0].text.as_str(), unknown[0].count, unknown[0].first.row), ("hàng bạc", 2, 2));
    assert_eq!((report.columns[0].unknown, report.columns[0].converted), (2, 2));
    let (rows, report) = run_in(dir.path(), &mapping("unknown = \"missing\""), source(), &columns).unwrap();
    assert_eq!((rows[0][0].as_ref(), report.columns[0].missing), (None, 2));
    let misfits = misfits(run_in(dir.path(), &mapping(""), source(), &columns));
    assert!(misfits.total == 2 && misfits.first[0].said.en.contains("is not in the code list"));
}

#[test]
fn what_a_column_says_goes_before_what_the_whole_mapping_says() {
    let columns =
        [column("a", ColumnKind::Number), column("b", ColumnKind::Number), column("c", ColumnKind::Date)];
    let source = Table::new(&["a", "b", "c"], &[&["1,5", "NA", "2/1/2024"], &["NA", "1.500", "3/1/2024"]]);
    let mapping = r#"
        missing = ["NA"]
        decimal = ","
        date = "dd/mm/yyyy"
        [columns.b]
        missing = ["NA", "1.5"]
        decimal = "."
        [columns.c]
        date = "mm/dd/yyyy"
    "#;
    let (rows, _) = run(mapping, source, &columns).unwrap();
    assert_eq!(rows[0], [text("1.5"), None, text("2024-02-01")]);
    assert_eq!(rows[1], [None, text("1.500"), text("2024-03-01")]);
    let source = Table::new(&["a", "b", "c"], &[&["-", "-", ""]]);
    let own = "missing = [\"-\", \"\"]\n[columns.b]\nmissing = [\"\"]";
    let misfits = misfits(run(own, source, &columns));
    assert_eq!((misfits.total, misfits.first[0].place.column.as_deref()), (1, Some("b")));
}

#[test]
fn an_error_of_the_source_ends_the_rows() {
    struct Broken;
    impl Rows for Broken {
        fn columns(&self) -> &[String] {
            static NAMES: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| ["a".to_owned()]);
            &*NAMES
        }
        fn next(&mut self, _: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
            Err(IntakeError::unreachable("mất mạng", "the line is down"))
        }
        fn remarks(&self) -> Vec<crate::Remark> {
            Vec::new()
        }
    }
    let columns = [column("a", ColumnKind::String)];
    let mut rows = Mapping::default().standardise(Box::new(Broken), &columns, Path::new(".")).unwrap();
    let mut row = Vec::new();
    assert!(matches!(rows.next(&mut row), Err(IntakeError::Unreachable(_))));
    assert!(matches!(rows.next(&mut row), Ok(None)));
}

const AIR: &str = r#"
    decimal = "."
    [columns]
    luc = { from = "Local Time" }
    luc_utc = { from = "UTC Time", zone = { from = "+00:00", to = "+07:00" } }
    ngay = { from = "Local Time", cut_time = true }
    pm25 = { from = "PM25" }
    pm25_mg = { from = "PM25", unit = { from = "ug/m3", to = "mg/m3" } }
    nhiet_do = { from = "Temperature", unit = { from = "°C" } }
    gio = { from = "Wind Speed" }
    tinh = { from = "City", codes = "tinh.csv" }
"#;

#[test]
fn a_year_of_real_air_quality_fits_its_contract_and_both_clocks_agree() {
    let Some(path) = shared("hanoi-air-quality.csv") else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tinh.csv"), "code,name,old_names\n01,Thành phố Hà Nội,Hanoi|Ha Noi\n")
        .unwrap();
    let mut columns = vec![
        column("luc", ColumnKind::Timestamp),
        column("luc_utc", ColumnKind::Timestamp),
        column("ngay", ColumnKind::Date),
        column("pm25", ColumnKind::Number),
        column("pm25_mg", ColumnKind::Number),
        column("nhiet_do", ColumnKind::Number),
        column("gio", ColumnKind::Number),
        column("tinh", ColumnKind::String),
    ];
    columns[5].promises.unit = Some("K".to_owned());
    columns[5].classification = Some(Classification::OPEN);
    for column in &mut columns {
        column.nullable = false;
    }
    let (rows, report) = run_in(dir.path(), AIR, Table::csv(&path), &columns).unwrap();
    assert_eq!((report.rows_in, report.rows_out, rows.len()), (8_785, 8_785, 8_785));
    let first: Vec<&str> = rows[0].iter().flatten().map(String::as_str).collect();
    let day = "2023-03-08T00:00:00";
    assert_eq!(first, [day, day, "2023-03-08", "47.0", "0.047", "294.35", "2.0", "01"]);
    assert!(rows.iter().all(|row| row[0] == row[1]), "both time columns are one clock");
    assert_eq!(report.columns[7].converted, 8_785);
    assert!(report.remarks[0].said.en.contains("`Relative Humidity`"));
}

#[test]
fn real_dengue_counts_fit_and_districts_that_are_gone_are_told() {
    let Some(path) = shared("dengue-districts.csv") else { return };
    let columns = [
        column("province", ColumnKind::String),
        column("date", ColumnKind::Date),
        column("cases", ColumnKind::Integer),
        column("incidence", ColumnKind::Number),
    ];
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tinh.csv"), "code,name\n01,Ha Noi\n").unwrap();
    let mapping = "missing = [\"\", \"NA\"]\ndecimal = \".\"\n[columns.province]\ncodes = \"tinh.csv\"\nunknown = \"keep\"";
    let (rows, report) = run_in(dir.path(), mapping, Table::csv(&path), &columns).unwrap();
    assert_eq!(rows.len(), 17_112);
    let unknown: Vec<&str> = report.columns[0].unknown_codes.iter().map(|u| u.text.as_str()).collect();
    assert_eq!(unknown.len(), 3, "{unknown:?}");
    let total: u64 = report.columns[0].unknown_codes.iter().map(|u| u.count).sum();
    assert_eq!(total, report.columns[0].unknown);
    let without = misfits(run_in(dir.path(), "[columns.province]", Table::csv(&path), &columns));
    assert!(without.total > 0, "`NA` and points were not said");
}

/// The communes of the country as a code list, with the province that each lies in.
fn communes(json: &PathBuf, dir: &Path) -> Vec<(String, String, String)> {
    let provinces: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let mut writer = csv::Writer::from_path(dir.join("xa.csv")).unwrap();
    writer.write_record(["code", "name", "within"]).unwrap();
    let mut all = Vec::new();
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    for province in provinces.as_array().unwrap() {
        for ward in province["Wards"].as_array().unwrap() {
            let row = (word(&ward["Code"]), word(&ward["FullName"]), word(&province["Code"]));
            writer.write_record([&row.0, &row.1, &row.2]).unwrap();
            all.push(row);
        }
    }
    writer.flush().unwrap();
    all
}

#[test]
fn the_countrys_communes_are_a_code_list_and_names_of_several_are_refused() {
    let Some(json) = shared("admin-units.json") else { return };
    let dir = tempfile::tempdir().unwrap();
    let all = communes(&json, dir.path());
    assert_eq!(all.len(), 3_321);
    let columns = [column("xa", ColumnKind::String)];
    let upper: Vec<String> = all.iter().filter(|c| c.2 == "01").map(|c| c.1.to_uppercase()).collect();
    let cells: Vec<[&str; 1]> = upper.iter().map(|name| [name.as_str()]).collect();
    let rows: Vec<&[&str]> = cells.iter().map(|row| &row[..]).collect();
    let whole = "[columns.xa]\ncodes = \"xa.csv\"";
    let misfits = misfits(run_in(dir.path(), whole, Table::new(&["xa"], &rows), &columns));
    assert!(misfits.first.iter().all(|p| p.said.en.contains("narrow the list with `within`")), "{misfits}");
    let narrowed = format!("{whole}\nwithin = \"01\"");
    let (rows, _) = run_in(dir.path(), &narrowed, Table::new(&["xa"], &rows), &columns).unwrap();
    let codes: Vec<Cell> = all.iter().filter(|c| c.2 == "01").map(|c| text(&c.0)).collect();
    assert_eq!(rows.concat(), codes);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_cell_makes_it_panic_and_what_is_taken_fits(cell in "\\PC{0,40}|[-+0-9., :/TZe]{0,30}") {
        for kind in [ColumnKind::Integer, ColumnKind::Number, ColumnKind::Boolean, ColumnKind::Date, ColumnKind::Timestamp] {
            let columns = [column("a", kind)];
            let mapping = "decimal = \",\"\nthousands = \".\"\ndate = [\"dd/mm/yyyy\", \"yyyymmddhhmm\"]";
            if let Ok((rows, _)) = run(mapping, Table::new(&["a"], &[&[&cell]]), &columns) {
                let again = Mapping::parse("decimal = \".\"").unwrap();
                let table = Table::new(&["a"], &[&[rows[0][0].as_deref().unwrap_or("")]]);
                let mut again = again.standardise(Box::new(table), &columns, Path::new(".")).unwrap();
                let mut row = Vec::new();
                again.next(&mut row).unwrap();
                proptest::prop_assert_eq!(&row, &rows[0], "what was made is read as it stands");
            }
        }
    }

    #[test]
    fn no_mapping_and_no_code_list_makes_it_panic(mapping in "\\PC{0,200}|[a-z_.=\\[\\]\"{}, \n]{0,200}", list in "(code|mã|name|within|,|\"|\n|a|\u{fc}){0,60}") {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.csv"), &list).unwrap();
        let columns = [column("a", ColumnKind::String)];
        let codes = "[columns.a]\ncodes = \"x.csv\"\nunknown = \"keep\"";
        for mapping in [mapping.as_str(), codes] {
            drop(run_in(dir.path(), mapping, Table::new(&["a"], &[&["a"], &["code"]]), &columns));
        }
    }
}
