//! Real files; each expectation is computed here with the `csv` crate and plain Rust.

use std::collections::BTreeMap;
use std::path::Path;

use dataplane::merkle::Sha256;
use dataplane::{
    AggregateOnly, ColumnKind, Function, HashKey, Mask, Measure, Op, OutputFormat, Predicate, Query,
    Restriction, Source, Subject, TimeUnit, Value, inspect, validate,
};
use hmac::{KeyInit, Mac};

use crate::common::{answer, job, shared, text};

fn read(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
    (header, rows)
}

/// A cell as it must leave: numbers in their shortest form, times with `T`, the missing word gone.
fn cell(kind: ColumnKind, raw: &str, missing: Option<&str>) -> String {
    if raw.is_empty() || Some(raw) == missing {
        return String::new();
    }
    match kind {
        ColumnKind::Number => format!("{:?}", raw.parse::<f64>().unwrap()),
        ColumnKind::Timestamp => raw.replace(' ', "T"),
        _ => raw.to_owned(),
    }
}

fn write(header: &[String], rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

#[tokio::test]
async fn each_real_table_passes_through_whole_in_every_format() {
    for (name, count) in
        [("hanoi-air-quality", 8_785), ("dengue-districts", 17_112), ("traffic-provinces", 1_449)]
    {
        let Some(path) = shared(&format!("data/{name}.csv")) else { return };
        let found = inspect(&path, None).unwrap();
        let report = validate(&path, &found.format, &found.schema).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            (report.rows, report.bytes, report.sha256),
            (count, bytes.len() as u64, Sha256::of(&bytes))
        );

        let (header, rows) = read(&path);
        let missing = matches!(&found.format, dataplane::Format::Csv { null_text: Some(w), .. } if w == "NA");
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|r| {
                let cells = r.iter().zip(found.schema.columns());
                cells.map(|(t, c)| cell(c.kind, t, missing.then_some("NA"))).collect()
            })
            .collect();
        let expected = write(&header, &rows);
        let whole = job(Source { path: path.clone(), format: found.format }, found.schema);
        let (direct, outcome) = answer(whole.clone()).await.unwrap();
        assert_eq!(outcome.rows, count);
        assert_eq!(Sha256::of(&direct), Sha256::of(&expected), "{name}");

        // Through each format and back nothing changes.
        let dir = tempfile::tempdir().unwrap();
        for (format, ending) in [(OutputFormat::Parquet, "parquet"), (OutputFormat::Ndjson, "ndjson")] {
            let (bytes, _) = answer(dataplane::Job { format, ..whole.clone() }).await.unwrap();
            let file = dir.path().join(ending);
            std::fs::write(&file, &bytes).unwrap();
            let format = inspect(&file, None).unwrap().format;
            validate(&file, &format, &whole.schema).unwrap();
            let source = Source { path: file, format };
            let (back, _) = answer(dataplane::Job { source, ..whole.clone() }).await.unwrap();
            assert!(back == expected, "{name} through {ending}");
        }
        let (arrow, _) =
            answer(dataplane::Job { format: OutputFormat::ArrowStream, ..whole.clone() }).await.unwrap();
        assert_eq!(rows_of_arrow(&arrow), count);
    }
}

fn rows_of_arrow(bytes: &[u8]) -> u64 {
    let reader = datafusion::arrow::ipc::reader::StreamReader::try_new(bytes, None).unwrap();
    reader.map(|b| b.unwrap().num_rows() as u64).sum()
}

#[test]
fn the_air_quality_file_is_recognised() {
    let Some(path) = shared("data/hanoi-air-quality.csv") else { return };
    let found = inspect(&path, None).unwrap();
    let kind = |name: &str| found.schema.column(name).unwrap().kind;
    assert_eq!(found.schema.columns().len(), 19);
    assert_eq!(found.sampled_rows, 8_785);
    assert_eq!(kind("Local Time"), ColumnKind::Timestamp);
    assert_eq!(kind("UTC Time"), ColumnKind::Timestamp);
    assert_eq!(kind("City"), ColumnKind::String);
    assert_eq!(kind("AQI"), ColumnKind::Integer);
    assert_eq!(kind("PM25"), ColumnKind::Number);
    assert!(found.schema.columns().iter().all(|c| !c.nullable), "the whole file was looked at");
}

#[test]
fn the_dengue_file_is_recognised() {
    let Some(path) = shared("data/dengue-districts.csv") else { return };
    let found = inspect(&path, None).unwrap();
    let kind = |name: &str| found.schema.column(name).unwrap().kind;
    assert_eq!(kind("provinceid"), ColumnKind::Integer);
    assert_eq!(kind("areaid"), ColumnKind::String, "quoted digits are a code");
    assert_eq!(kind("date"), ColumnKind::Date);
    assert_eq!(kind("cases"), ColumnKind::Integer);
    assert!(found.schema.column("cases").unwrap().nullable);
    assert!(found.warnings.iter().any(|w| w.contains("`NA`")), "{:?}", found.warnings);
}

#[tokio::test]
async fn a_masked_and_filtered_view_of_the_air_quality() {
    let Some(path) = shared("data/hanoi-air-quality.csv") else { return };
    let found = inspect(&path, None).unwrap();
    let mut job = job(Source { path: path.clone(), format: found.format }, found.schema);
    let key = HashKey::new([3; 32]);
    job.restriction = Restriction {
        columns: Some(
            ["UTC Time", "Local Time", "City", "AQI", "PM25", "Timezone"].map(str::to_owned).to_vec(),
        ),
        masks: BTreeMap::from([
            ("UTC Time".to_owned(), Mask::Truncate(TimeUnit::Month)),
            ("Local Time".to_owned(), Mask::Truncate(TimeUnit::Day)),
            ("City".to_owned(), Mask::Hash(key)),
            ("AQI".to_owned(), Mask::Bucket(50.0)),
            ("Timezone".to_owned(), Mask::ShowLast(4)),
        ]),
        row_filter: vec![Predicate::new("AQI", Op::Ge, vec![Value::Integer(120)])],
        ..Restriction::default()
    };
    job.query.filter = vec![
        Predicate::new("PM25", Op::Lt, vec![Value::Integer(100)]),
        Predicate::new("UTC Time", Op::StartsWith, vec![Value::Text("2023".into())]),
    ];
    let got = text(job).await.unwrap();

    let (header, rows) = read(&path);
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&[3; 32]).unwrap();
    mac.update(b"Hanoi");
    let city: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let mut expected = "UTC Time,Local Time,City,AQI,PM25,Timezone\n".to_owned();
    let mut shown = 0;
    for row in &rows {
        let aqi: i64 = row[at("AQI")].parse().unwrap();
        let pm25: f64 = row[at("PM25")].parse().unwrap();
        let utc = &row[at("UTC Time")];
        if aqi < 120 || pm25 >= 100.0 || !utc.starts_with("2023") {
            continue;
        }
        shown += 1;
        let local = &row[at("Local Time")][..10];
        let stars = "*".repeat("Asia/Ho_Chi_Minh".len() - 4);
        expected += &format!("{},{local},{city},{},{pm25:?},{stars}Minh\n", &utc[..7], aqi / 50 * 50);
    }
    assert!(shown > 100, "the test must show something");
    assert_eq!(got, expected);
}

#[tokio::test]
async fn groups_of_the_traffic_table() {
    let Some(path) = shared("data/traffic-provinces.csv") else { return };
    let found = inspect(&path, None).unwrap();
    let mut job = job(Source { path: path.clone(), format: found.format }, found.schema);
    let measure = |f, c: Option<&str>| Measure::new(f, c);
    job.query = Query {
        group_by: vec!["province".into()],
        filter: vec![Predicate::new("year", Op::Ge, vec![Value::Integer(2010)])],
        measures: vec![
            measure(Function::Count, None),
            measure(Function::Sum, Some("traffic_milperskm")),
            measure(Function::Max, Some("year")),
        ],
        ..Query::default()
    };
    let got = text(job).await.unwrap();

    let (header, rows) = read(&path);
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let mut groups: BTreeMap<&str, (u64, f64, i64)> = BTreeMap::new();
    for row in &rows {
        let year: i64 = row[at("year")].parse().unwrap();
        if year < 2010 {
            continue;
        }
        let group = groups.entry(&row[at("province")]).or_default();
        group.0 += 1;
        group.1 += row[at("traffic_milperskm")].parse::<f64>().unwrap_or(0.0);
        group.2 = group.2.max(year);
    }
    let mut lines = got.lines();
    assert_eq!(lines.next(), Some("province,count,sum_traffic_milperskm,max_year"));
    assert_eq!(groups.len(), lines.clone().count());
    for ((province, (count, sum, year)), line) in groups.iter().zip(lines) {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!((fields[0], fields[1], fields[3]), (*province, &*count.to_string(), &*year.to_string()));
        let got: f64 = fields[2].parse().unwrap();
        assert!((got - sum).abs() <= sum.abs() * 1e-12, "{province}: {got} {sum}");
    }
}

/// Cases by group, from the file itself: rows, cases.
fn cases(path: &Path, by: &[&str], year: Option<&str>) -> BTreeMap<Vec<String>, (u64, i64)> {
    let (header, rows) = read(path);
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let mut groups: BTreeMap<Vec<String>, (u64, i64)> = BTreeMap::new();
    for row in rows.iter().filter(|r| year.is_none_or(|y| r[at("year")] == y)) {
        let group = groups.entry(by.iter().map(|n| row[at(n)].clone()).collect()).or_default();
        group.0 += 1;
        group.1 += row[at("cases")].parse::<i64>().unwrap_or(0);
    }
    groups
}

#[tokio::test]
async fn dengue_leaves_in_groups_of_five_cases_or_more_only() {
    let Some(path) = shared("data/dengue-districts.csv") else { return };
    let found = inspect(&path, None).unwrap();
    let mut job = job(Source { path: path.clone(), format: found.format }, found.schema);
    let allowed = ["province", "district", "year", "date"];
    job.restriction.aggregate_only = Some(AggregateOnly {
        k: 5,
        subject: Subject::Count("cases".into()),
        group_by: allowed.map(str::to_owned).to_vec(),
        disclosure: dataplane::Disclosure::default(),
    });
    let measures = vec![Measure::new(Function::Count, None), Measure::new(Function::Sum, Some("cases"))];
    for (by, year) in [
        (&["province", "year"][..], None),
        (&["district", "date"][..], None),
        (&["province"][..], Some("2015")),
        (&allowed[..], None),
    ] {
        let filter =
            year.map(|y: &str| Predicate::new("year", Op::Eq, vec![Value::Integer(y.parse().unwrap())]));
        job.query = Query {
            group_by: by.iter().map(|n| (*n).to_owned()).collect(),
            measures: measures.clone(),
            filter: filter.into_iter().collect(),
            ..Query::default()
        };
        let got = text(job.clone()).await.unwrap();
        let all = cases(&path, by, year);
        let mut expected = format!("{},count,sum_cases\n", by.join(","));
        let shown = all.iter().filter(|(_, (_, cases))| *cases >= 5);
        for (names, (rows, cases)) in shown.clone() {
            expected += &format!("{},{rows},{cases}\n", names.join(","));
        }
        assert_eq!(got, expected);
        let withheld = all.len() - shown.count();
        assert!(by.contains(&"date") == (withheld > 1_000), "{by:?}: {withheld} withheld");
    }
    // No group named means all allowed columns.
    job.query = Query { measures, ..Query::default() };
    let names: Vec<String> = dataplane::output_schema(&job.schema, &job.restriction, &job.query)
        .unwrap()
        .columns()
        .iter()
        .map(|c| c.name.clone())
        .collect();
    assert_eq!(names, ["province", "district", "year", "date", "count", "sum_cases"]);
}
