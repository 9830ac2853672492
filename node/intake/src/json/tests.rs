use super::*;
use crate::{Cell, Origin, Place, Remark};

struct Read {
    columns: Vec<String>,
    rows: Vec<(u64, Vec<Cell>)>,
    remarks: Vec<Remark>,
}

fn all(mut rows: Box<dyn Rows>) -> Result<Read, IntakeError> {
    let (mut row, mut all) = (Vec::new(), Vec::new());
    while let Some(Place { row: number, .. }) = rows.next(&mut row)? {
        all.push((number, row.clone()));
    }
    Ok(Read { columns: rows.columns().to_vec(), rows: all, remarks: rows.remarks() })
}

fn read(text: impl AsRef<[u8]>, more: &str) -> Result<Read, IntakeError> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.json"), text).unwrap();
    all(Origin::parse(&format!("type = \"json\"\npath = \"a.json\"\n{more}"))?.open(dir.path())?)
}

fn said(text: impl AsRef<[u8]>, more: &str) -> String {
    read(text, more).err().map(|e| e.to_string()).expect("refused")
}

fn cells(cells: &[&str]) -> Vec<Cell> {
    cells.iter().map(|cell| (*cell != "-").then(|| (*cell).to_owned())).collect()
}

#[test]
fn lines_lists_and_single_objects_are_read() {
    for text in ["{\"a\":1}\n{\"a\":2,\"b\":\"x\"}\n", "\u{feff}[{\"a\":1},{\"a\":2,\"b\":\"x\"}]"] {
        let read = read(text, "").unwrap();
        assert_eq!(read.columns, ["a", "b"]);
        assert_eq!(read.rows, [(1, cells(&["1", "-"])), (2, cells(&["2", "x"]))]);
    }
    assert_eq!(read("{\"a\":{\"b\":{\"c\":true}}}", "").unwrap().columns, ["a.b.c"]);
}

#[test]
fn values_come_as_they_are_written() {
    let text = r#"[{"a":12345678901234567890123,"b":1.10,"c":1.5e3,"d":-0,"e":"","f":null,"g":"Ha\u0300"}]"#;
    let read = read(text, "").unwrap();
    assert_eq!(read.rows[0].1, cells(&["12345678901234567890123", "1.10", "1500", "0", "", "-", "Hà"]));
    assert_eq!(read.remarks[0].code, "text-composed");
    assert_eq!(
        super::tests::read("[{\"a\":\"NA\"}]", "null_text = [\"NA\"]").unwrap().rows[0].1,
        cells(&["-"])
    );
}

#[test]
fn records_are_found_by_their_way_with_their_parents_fields() {
    // The parents' names stand after the lists.
    let text = r#"{"meta":{"n":[1]},"data":[
        {"districts":[{"wards":[{"code":1},{"code":2}],"name":"D1"},{"wards":[],"name":"D2"}],"name":"P1","area":{"km2":5},"bbox":[1]},
        {"districts":null,"name":"P2"},
        {"districts":[{"wards":[{"code":3}],"name":"D3"}],"name":"P3"}],"end":0}"#;
    let read = read(text, "records = \"data.*.districts.*.wards\"").unwrap();
    assert_eq!(read.columns, ["code", "parent.name", "parent.parent.name", "parent.parent.area.km2"]);
    let rows: Vec<Vec<Cell>> = read.rows.into_iter().map(|(_, row)| row).collect();
    assert_eq!(
        rows,
        [cells(&["1", "D1", "P1", "5"]), cells(&["2", "D1", "P1", "5"]), cells(&["3", "D3", "P3", "-"])]
    );
    let codes: Vec<&str> = read.remarks.iter().map(|remark| remark.code).collect();
    assert_eq!(codes, ["json-lists-left-out", "json-without-records"]);
    let few =
        super::tests::read(text, "records = \"data.*.districts.*.wards\"\nleave_out = [\"parent.parent\"]")
            .unwrap();
    assert_eq!(few.columns, ["code", "parent.name"]);
}

#[test]
fn lists_in_cells_and_ways_that_lead_nowhere_are_refused_with_their_place() {
    let list = said(r#"[{"a":1},{"a":2,"b":{"c":[1]}}]"#, "");
    assert!(list.contains("row 2") && list.contains("`b.c`") && list.contains("leave_out"), "{list}");
    assert_eq!(read(r#"[{"a":2,"b":{"c":[1]}}]"#, "leave_out = [\"b\"]").unwrap().columns, ["a"]);
    for (text, way) in [
        (r#"[{"a":1}]"#, "data"),
        (r#"{"b":1}"#, "data"),
        (r#"{"data":1}"#, "data"),
        (r#"{"data":{"a":1}}"#, "data.*"),
        (r#"[{"a":1}]"#, "*.a.b"),
        (r#"[1,2]"#, "*"),
        ("[]", "*"),
        ("[]", "a..b"),
    ] {
        assert!(said(text, &format!("records = \"{way}\"")).contains("records"), "{text} {way}");
    }
}

#[test]
fn names_that_come_twice_are_refused() {
    assert!(said(r#"[{"a":1,"a":2}]"#, "").contains("twice"));
    assert!(said(r#"{"d":[{"a":1}],"d":[{"a":2}]}"#, "records = \"d\"").contains("twice"));
    assert!(said(r#"[{"a.b":1,"a":{"b":2}}]"#, "").contains("same column"));
    assert!(said(r#"[{"":1}]"#, "").contains("no name"));
}

#[test]
fn hostile_documents_are_refused() {
    let deep = format!("[{}1{}]", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert!(said(deep, "").contains("nesting"));
    let wide: Vec<String> = (0..100_000).map(|i| format!("\"c{i}\":1")).collect();
    assert!(said(format!("[{{{}}}]", wide.join(",")), "").contains("2048"));
    let long = format!("[{{\"a\":\"{}\"}}]", "x".repeat(33 << 20));
    assert!(said(long, "").contains("32 MiB"));
    let long = format!("[{{\"a\":\"{}\"}}]", "x".repeat(2 << 20));
    assert!(said(long, "").contains("too long"));
    let name = format!("{{\"{}\":1}}", "x".repeat(2 << 20));
    assert!(said(name, "records = \"data\"").contains("larger"));
    for bad in
        ["", "[{\"a\":1}", "{\"a\":1}}", "[{\"a\":1},]", "nonsense", "[{\"a\":\"\\ud800\"}]", "[{'a':1}]"]
    {
        assert!(read(bad, "").is_err(), "{bad}");
    }
    assert!(read(b"[{\"a\":\"\xff\"}]", "").is_err());
}

#[test]
fn a_check_says_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.json"), "[{\"a\":1}]").unwrap();
    let health = Origin::parse("type = \"json\"\npath = \"a.json\"").unwrap().check(dir.path()).unwrap();
    assert_eq!((health.bytes, health.columns), (Some(9), vec!["a".to_owned()]));
}

#[test]
fn the_real_documents_are_read_with_each_wards_province() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.exists() {
        eprintln!("SKIPPED: no real data at {}", data.display());
        return;
    }
    let open = |path: &str, records: &str| {
        let form = JsonOrigin { path: path.into(), records: records.into(), ..JsonOrigin::default() };
        all(form.open(&data).unwrap()).unwrap()
    };
    let units = open("admin-units.json", "*.Wards");
    assert_eq!(units.columns, ["Code", "FullName", "ProvinceCode", "parent.Code", "parent.FullName"]);
    assert_eq!(units.rows.len(), 3_321);
    assert!(units.rows.iter().all(|(_, row)| row[2] == row[3]));
    assert_eq!(units.rows[0].1[4].as_deref(), Some("Thành phố Hà Nội"));
    let ward = open("ward-nghia-do.geojson", "features.*.properties");
    assert_eq!(ward.rows.len(), 1);
    assert!(ward.columns.contains(&"parent.id".to_owned()), "{:?}", ward.columns);
    assert!(ward.remarks.iter().any(|remark| remark.said.en.contains("parent.geometry.coordinates")));
}
