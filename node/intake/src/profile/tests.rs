//! Profiles of rows made up and real.

use catalog::{
    Column, ColumnKind, DatasetRecord, Format, Frequency, Latency, Personal, Source, Subject, TimeUnit,
};

use super::*;
use crate::limits::TOP_MAX;
use crate::mapping::Mapping;
use crate::testing::{Table, shared};

const NOW: i64 = 1_709_251_200; // 2024-03-01T00:00:00Z

fn record(columns: Vec<Column>) -> DatasetRecord {
    let source = Source { path: "a.csv".to_owned(), format: Format::Csv, delimiter: None };
    DatasetRecord::draft("a".parse().unwrap(), "urn:agency:a", source, columns, 0)
}

fn survey(record: &DatasetRecord, table: Table, changed: Option<i64>) -> (Profile, QualityReport) {
    let rows = Mapping::parse("missing = [\"\", \"NA\"]\ndecimal = \".\"").unwrap();
    let rows = rows.standardise(Box::new(table), &record.columns, Path::new(".")).unwrap();
    let mut surveyed = Surveyed::new(Box::new(rows), record, &std::env::temp_dir()).unwrap();
    let mut row = Vec::new();
    while surveyed.next(&mut row).unwrap().is_some() {}
    surveyed.finish(Clock { now: NOW, changed, offset_s: 25_200 }).unwrap()
}

#[test]
fn each_kind_of_column_has_its_shape() {
    let record = record(vec![
        Column::new("pm", ColumnKind::Number, true),
        Column::new("day", ColumnKind::Date, true),
        Column::new("place", ColumnKind::String, true),
        Column::new("on", ColumnKind::Boolean, true),
    ]);
    let rows: [&[&str]; 4] = [
        &["9.5", "2024-02-01", "Tây Hồ", "true"],
        &["10", "2024-01-15", "Ba Đình", "false"],
        &["-2", "", "Tây Hồ", "true"],
        &["", "2024-02-29", "", "true"],
    ];
    let (profile, _) = survey(&record, Table::new(&["pm", "day", "place", "on"], &rows), None);
    let shape = |i: usize| profile.columns[i].shape.clone().unwrap();
    assert_eq!(
        (shape(0).least.as_deref(), shape(0).greatest.as_deref()),
        (Some("-2"), Some("10")),
        "as numbers"
    );
    assert_eq!(shape(0).histogram.iter().map(|bin| bin.count).sum::<u64>(), 3);
    assert_eq!(
        (shape(1).least.as_deref(), shape(1).greatest.as_deref()),
        (Some("2024-01-15"), Some("2024-02-29"))
    );
    assert_eq!((shape(2).shortest, shape(2).longest), (Some(6), Some(7)), "characters, not bytes");
    assert_eq!(shape(2).top[0], TopValue { value: "Tây Hồ".to_owned(), count: 2 });
    assert_eq!(shape(3).top.len(), 2);
    let counts: Vec<_> = profile.columns.iter().map(|c| (c.values, c.missing, c.distinct)).collect();
    assert_eq!(counts, [(3, 1, 3), (3, 1, 3), (3, 1, 2), (4, 0, 2)]);
}

#[test]
fn no_value_of_a_personal_column_leaves_the_profile() {
    let columns = |marked: Personal| {
        let mut name = Column::new("dia_chi", ColumnKind::String, true);
        name.personal = marked;
        let mut born = Column::new("nam", ColumnKind::Integer, true);
        born.personal = marked;
        vec![
            name,
            born,
            Column::new("ma", ColumnKind::String, true),
            Column::new("loai", ColumnKind::String, true),
        ]
    };
    let table = || {
        Table::new(
            &["dia_chi", "nam", "ma", "loai"],
            &[&["Số 7 Hàng Bạc", "1987", "K-4711", "A"], &["Số 7 Hàng Bạc", "1987", "K-4711", "A"]],
        )
    };
    let mut marked = record(columns(Personal::Basic));
    marked.personal = Personal::Basic;
    marked.subject = Some(Subject::Key("ma".to_owned()));
    let (profile, mut quality) = survey(&marked, table(), None);
    let mut checks = Checks::new(&marked, Path::new(".")).unwrap();
    checks.row(&Place::row(2), &[None, Some("K-4711".to_owned()), None, None]).unwrap();
    quality.results.extend(checks.finish().unwrap().results);
    let json = serde_json::to_string(&(&profile, &quality)).unwrap();
    for secret in ["Hàng Bạc", "1987", "K-4711", "Số 7"] {
        assert!(!json.contains(secret), "{json}");
    }
    assert!(profile.columns[..3].iter().all(|c| c.shape.is_none() && c.distinct == 1));
    assert_eq!(profile.columns[3].shape.as_ref().unwrap().top[0].value, "A");
    // Personal, and nobody marked which columns.
    let mut unmarked = record(columns(Personal::None));
    unmarked.columns = columns(Personal::None);
    unmarked.personal = Personal::Basic;
    let (profile, _) = survey(&unmarked, table(), None);
    assert!(profile.columns.iter().all(|c| c.shape.is_none()));
}

#[test]
fn keys_and_columns_of_many_values_have_no_frequent_ones_and_a_profile_stays_small() {
    let mut columns = vec![
        Column::new("id", ColumnKind::Integer, false),
        Column::new("many", ColumnKind::String, true),
        Column::new("few", ColumnKind::String, true),
    ];
    columns[0].promises.primary_key = true;
    columns.push(Column::new("stt", ColumnKind::Integer, true));
    columns[3].promises.unique = true;
    let cells: Vec<[String; 4]> = (0..12_000)
        .map(|i| {
            [
                i.to_string(),
                format!("x{i}"),
                format!("y{}", i % 500),
                if i < 9 { i.to_string() } else { String::new() },
            ]
        })
        .collect();
    let rows: Vec<Vec<&str>> = cells.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    let (profile, quality) = survey(&record(columns), Table::new(&["id", "many", "few", "stt"], &rows), None);
    let tops: Vec<usize> = profile.columns.iter().map(|c| c.shape.as_ref().unwrap().top.len()).collect();
    assert_eq!(tops, [0, 0, TOP_MAX, 0]);
    assert!(!profile.columns[0].distinct_exact && profile.columns[2].distinct_exact);
    assert!(serde_json::to_string(&profile).unwrap().len() < 10_000);
    assert!(quality.passed());
}

#[test]
fn the_score_is_what_the_formula_says() {
    let mut columns =
        vec![Column::new("id", ColumnKind::Integer, true), Column::new("pm", ColumnKind::Number, true)];
    columns[0].promises.unique = true;
    // Never repeated: the worse of the two counts.
    columns[1].promises.unique = true;
    let mut record = record(columns);
    record.frequency = Some(Frequency { every: 1, unit: TimeUnit::Day });
    let rows: [&[&str]; 4] = [&["1", "1"], &["1", ""], &["2", "3"], &["3", ""]];
    let table = || Table::new(&["id", "pm"], &rows);
    let (profile, _) = survey(&record, table(), Some(NOW - 129_600));
    let score = profile.score.unwrap();
    assert_eq!(
        (score.completeness, score.validity, score.uniqueness, score.freshness),
        (0.75, 1.0, Some(0.75), Some(0.5))
    );
    assert_eq!(score.score, 75);
    let freshness = profile.freshness.unwrap();
    assert_eq!((freshness.age_s, freshness.most_s, freshness.fresh), (129_600, 86_400, false));
    let (profile, _) = survey(&record, table(), None);
    assert_eq!((profile.score.unwrap().score, profile.freshness), (83, None), "the mean of three parts");
    let (profile, _) = survey(&record, Table::new(&["id", "pm"], &[]), None);
    assert_eq!(profile.score, None);
}

#[test]
fn the_newest_row_tells_the_age_by_the_local_clock() {
    let mut record = record(vec![
        Column::new("at", ColumnKind::Timestamp, true),
        Column::new("day", ColumnKind::Date, true),
    ]);
    let rows: [&[&str]; 2] = [&["2024-03-01T06:00:00", "2024-02-28"], &["2024-02-01T00:00:00", "2024-02-29"]];
    for (column, age) in [("at", 3_600), ("day", 25_200)] {
        record.latency =
            Some(Latency { column: column.to_owned(), within: Frequency { every: 2, unit: TimeUnit::Hour } });
        let (profile, _) = survey(&record, Table::new(&["at", "day"], &rows), Some(0));
        assert_eq!(profile.freshness.unwrap().age_s, age, "{column}");
    }
}

#[test]
fn rows_of_other_columns_are_refused() {
    let record = record(vec![Column::new("a", ColumnKind::String, true)]);
    let table = Table::new(&["b"], &[]);
    assert!(matches!(Surveyed::new(Box::new(table), &record, Path::new(".")), Err(IntakeError::Mapping(_))));
}

#[test]
fn real_air_quality_is_profiled_as_it_is() {
    let Some(path) = shared("hanoi-air-quality.csv") else { return };
    let mut record = record(vec![
        Column::new("PM25", ColumnKind::Number, false),
        Column::new("Local Time", ColumnKind::Timestamp, false),
        Column::new("City", ColumnKind::String, false),
    ]);
    record.latency = Some(Latency {
        column: "Local Time".to_owned(),
        within: Frequency { every: 1, unit: TimeUnit::Month },
    });
    let (profile, _) = survey(&record, Table::csv(&path), None);
    assert_eq!((profile.rows, profile.columns[0].values), (8_785, 8_785));
    let text = std::fs::read_to_string(&path).unwrap();
    let pm: Vec<f64> =
        text.lines().skip(1).map(|line| line.split(',').nth(10).unwrap().parse().unwrap()).collect();
    let shape = profile.columns[0].shape.as_ref().unwrap();
    let bound = |text: &Option<String>| text.as_ref().unwrap().parse::<f64>().unwrap();
    assert_eq!(bound(&shape.least), pm.iter().copied().fold(f64::INFINITY, f64::min));
    assert_eq!(bound(&shape.greatest), pm.iter().copied().fold(0.0, f64::max));
    for bin in &shape.histogram {
        assert_eq!(bin.count, pm.iter().filter(|n| (bin.from..bin.to).contains(*n)).count() as u64);
    }
    assert_eq!(
        profile.columns[2].shape.as_ref().unwrap().top[0],
        TopValue { value: "Hanoi".to_owned(), count: 8_785 }
    );
}

#[test]
fn a_table_of_thousands_of_columns_takes_no_more_than_one_of_a_hundred() {
    let names: Vec<String> = (0..2_000).map(|i| format!("c{i}")).collect();
    let record = record(names.iter().map(|name| Column::new(name, ColumnKind::String, true)).collect());
    let cells: Vec<Vec<String>> =
        (0..60).map(|row| names.iter().map(|name| format!("{name}-{row}")).collect()).collect();
    let rows: Vec<Vec<&str>> = cells.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (profile, _) = survey(&record, Table::new(&names, &rows), None);
    assert!(profile.columns.iter().all(|c| c.distinct == 60 && c.shape.as_ref().unwrap().top.is_empty()));
}

#[test]
fn rows_that_no_mapping_made_are_profiled_without_harm() {
    let record =
        record(vec![Column::new("pm", ColumnKind::Number, true), Column::new("day", ColumnKind::Date, true)]);
    let long = "9".repeat(1 << 20);
    let table = Table::new(&["pm", "day"], &[&[&long, &long], &["NaN", "x"], &["1e999", "x"]]);
    let mut surveyed = Surveyed::new(Box::new(table), &record, Path::new(".")).unwrap();
    let mut row = Vec::new();
    while surveyed.next(&mut row).unwrap().is_some() {}
    let (profile, quality) = surveyed.finish(Clock { now: NOW, changed: None, offset_s: 0 }).unwrap();
    assert_eq!(profile.columns[1].shape.as_ref().unwrap().greatest.as_deref(), Some("x"));
    assert!(!quality.passed() && serde_json::to_string(&profile).unwrap().len() < 2_000);
}
