//! Answers of several sources put together, against what a person would write by hand.

use dataplane::{
    Column, ColumnKind, DataError, Format, JoinKind, Joining, Limits, OutputFormat, Schema, Source, Step,
    Table, join,
};

use crate::common::csv;

fn table(dir: &tempfile::TempDir, name: &str, columns: &[(&str, ColumnKind)], rows: &str) -> Table {
    let path = dir.path().join(format!("{name}.csv"));
    let header: Vec<&str> = columns.iter().map(|(n, _)| *n).collect();
    std::fs::write(&path, format!("{}\n{rows}", header.join(","))).unwrap();
    let columns = columns.iter().map(|(n, kind)| Column::new(*n, *kind, true)).collect();
    Table { name: name.to_owned(), source: csv(&path), schema: Schema::new(columns).unwrap() }
}

fn on(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn joining(first: Table, steps: Vec<Step>) -> Joining {
    Joining {
        first,
        steps,
        columns: Vec::new(),
        format: OutputFormat::Csv,
        limits: Limits::default(),
        correlation: "ref-1".into(),
    }
}

async fn text(joining: Joining) -> Result<(String, Vec<u64>), DataError> {
    let joined = join(joining).await?;
    let mut answer = joined.answer;
    let mut out = Vec::new();
    while let Some(bytes) = answer.next_bytes().await {
        out.extend_from_slice(&bytes?);
    }
    assert_eq!(answer.outcome().rows, joined.rows);
    Ok((String::from_utf8(out).unwrap(), joined.gaps))
}

use ColumnKind::{Integer, Number, String as Text};

fn cases(dir: &tempfile::TempDir) -> Table {
    let columns = [("year", Integer), ("month", Integer), ("cases", Integer)];
    table(dir, "dengue", &columns, "2019,12,7\n2020,1,\n2020,2,9\n,3,5\n")
}

fn air(dir: &tempfile::TempDir) -> Table {
    let columns = [("y", Integer), ("thang", Integer), ("pm25", Number)];
    table(dir, "air", &columns, "2020,2,40.5\n2020,3,30.25\n,3,1\n")
}

fn traffic(dir: &tempfile::TempDir) -> Table {
    table(dir, "traffic", &[("year", Integer), ("cases", Number)], "2018,1.5\n2020,2.5\n")
}

fn step(table: Table, kind: JoinKind, pairs: &[(&str, &str)]) -> Step {
    Step { table, kind, on: on(pairs) }
}

const MONTH: &[(&str, &str)] = &[("year", "y"), ("month", "thang")];

#[tokio::test]
async fn gaps_are_shown_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let steps =
        |kind, then| vec![step(air(&dir), kind, MONTH), step(traffic(&dir), then, &[("year", "year")])];
    let (full, gaps) = text(joining(cases(&dir), steps(JoinKind::Full, JoinKind::Left))).await.unwrap();
    // Missing values meet nothing; a column whose name is taken stands behind its source's.
    assert_eq!(
        full,
        "year,month,cases,pm25,traffic_cases\n2019,12,7,,\n2020,1,,,2.5\n2020,2,9,40.5,2.5\n2020,3,,30.25,2.5\n,3,5,,\n,3,,1.0,\n"
    );
    assert_eq!(gaps, [2, 3, 3]);
    let (inner, gaps) = text(joining(cases(&dir), steps(JoinKind::Inner, JoinKind::Full))).await.unwrap();
    assert_eq!(inner, "year,month,cases,pm25,traffic_cases\n2018,,,,1.5\n2020,2,9,40.5,2.5\n");
    assert_eq!(gaps, [1, 1, 0]);
    let (left, _) = text(joining(cases(&dir), steps(JoinKind::Left, JoinKind::Inner))).await.unwrap();
    assert_eq!(left, "year,month,cases,pm25,traffic_cases\n2020,1,,,2.5\n2020,2,9,40.5,2.5\n");
}

#[tokio::test]
async fn columns_are_chosen_and_the_order_is_that_of_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let a = table(&dir, "a", &[("n", Integer), ("k", Text)], "1,b\n2,a\n3,c\n");
    let b = table(&dir, "b", &[("k", Text), ("tram_watermark", Text)], "c,x\na,x\n");
    let mut asked = joining(a, vec![step(b, JoinKind::Left, &[("k", "k")])]);
    let (all, _) = text(asked.clone()).await.unwrap();
    assert_eq!(all, "n,k,b_tram_watermark\n2,a,x\n1,b,\n3,c,x\n");
    asked.columns = vec!["k".into(), "n".into()];
    assert_eq!(text(asked.clone()).await.unwrap().0, "k,n\na,2\nb,1\nc,3\n");
    asked.columns = vec!["m".into()];
    assert!(text(asked).await.unwrap_err().to_string().contains("no column `m`"));
}

#[tokio::test]
async fn a_source_without_rows_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let empty = table(&dir, "air", &[("y", Integer), ("thang", Integer), ("pm25", Number)], "");
    let (all, gaps) = text(joining(cases(&dir), vec![step(empty, JoinKind::Full, MONTH)])).await.unwrap();
    assert_eq!((all.lines().count(), gaps), (5, vec![0, 4]));
}

#[tokio::test]
async fn figures_are_not_counted_twice() {
    let dir = tempfile::tempdir().unwrap();
    let twice = step(cases(&dir), JoinKind::Left, &[("year", "year")]);
    let told = text(joining(traffic(&dir), vec![twice])).await.unwrap_err().to_string();
    assert!(told.contains("`dengue` has several rows for one value of `year`"), "{told}");
}

#[tokio::test]
async fn what_does_not_fit_is_told_before_anything_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let of_text = table(&dir, "t", &[("year", Text), ("x", Integer)], "");
    for (table, pairs, why) in [
        (of_text, &[("year", "year")][..], "only the same kind"),
        (air(&dir), &[("nam", "y")][..], "no source before it gives"),
        (air(&dir), &[("year", "nam")][..], "has no such column"),
        (air(&dir), &[("year", "y"), ("month", "y")][..], "twice"),
        (air(&dir), &[][..], "on which columns"),
    ] {
        // Not even there: what is told is told of names and kinds.
        let gone = Source { path: dir.path().join("gone"), format: Format::Parquet };
        let table = Table { source: gone, ..table };
        let told = text(joining(cases(&dir), vec![step(table, JoinKind::Full, pairs)])).await.unwrap_err();
        assert!(matches!(told, DataError::Query(_)) && told.to_string().contains(why), "{told}");
    }
    let many = (0..16).map(|_| step(air(&dir), JoinKind::Full, MONTH)).collect();
    assert!(text(joining(cases(&dir), many)).await.unwrap_err().to_string().contains("at most 16"));
}

#[tokio::test]
async fn memory_is_limited() {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = (0..50_000).map(|n| format!("{n},{n},1\n")).collect();
    let columns = [("year", Integer), ("month", Integer), ("cases", Integer)];
    let (a, b) = (table(&dir, "a", &columns, &rows), table(&dir, "b", &columns, &rows));
    let mut asked = joining(a, vec![step(b, JoinKind::Full, &[("year", "year"), ("month", "month")])]);
    asked.limits.memory_bytes = 256 * 1024;
    let told = text(asked).await.unwrap_err();
    assert!(matches!(told, DataError::Quota { unit: "bytes of memory", .. }), "{told}");
}
