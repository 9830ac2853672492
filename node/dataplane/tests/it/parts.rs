//! Answers as Parquet files of bounded size: exact lengths and digests, no row lost or twice, statistics of what is shown.

use std::collections::BTreeMap;
use std::path::Path;

use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use dataplane::{
    Column, ColumnKind, DataError, Format, Job, Mask, Op, PartLimits, PartsSummary, Predicate, Restriction,
    Schema, Source, Value, run, write_parts,
};
use sha2::{Digest, Sha256};

use crate::common::{csv, job, text};

const MIB: u64 = 1 << 20;

fn schema() -> Schema {
    Schema::new(vec![
        Column::new("n", ColumnKind::Integer, true),
        Column::new("noise", ColumnKind::String, true),
        Column::new("day", ColumnKind::Date, true),
        Column::new("at", ColumnKind::Timestamp, true),
        Column::new("share", ColumnKind::Number, true),
    ])
    .unwrap()
}

/// Rows that do not compress, so that limits are met.
fn rows(dir: &Path, count: usize, noise: usize) -> Source {
    let path = dir.join("rows.csv");
    let mut out = String::from("n,noise,day,at,share\n");
    for n in 0..count {
        let mut text = String::new();
        let mut piece = Sha256::digest(n.to_be_bytes());
        while text.len() < noise {
            text.extend(piece.iter().map(|byte| char::from(b'0' + byte % 64)));
            piece = Sha256::digest(piece);
        }
        let (day, share) = (n % 28 + 1, n as f64 / 4.0);
        let text = text.replace([',', '"', '\\'], "x");
        out.push_str(&format!("{n},{text},2026-11-{day:02},2026-11-{day:02}T08:00:00,{share}\n"));
    }
    std::fs::write(&path, out).unwrap();
    csv(&path)
}

async fn parts(job: Job, dir: &Path, limits: PartLimits) -> Result<PartsSummary, DataError> {
    let folder = dir.join("parts");
    std::fs::create_dir_all(&folder).unwrap();
    write_parts(run(job).await?, &folder, limits).await
}

/// What is on disk is what was told; gives the numbers of the rows in the order of the parts.
fn check(dir: &Path, told: &PartsSummary) -> Vec<i64> {
    let folder = dir.join("parts");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), told.parts.len(), "nothing but the parts");
    let mut numbers = Vec::new();
    for part in &told.parts {
        let bytes = std::fs::read(folder.join(&part.name)).unwrap();
        assert_eq!(bytes.len() as u64, part.bytes, "{}", part.name);
        assert_eq!(Sha256::digest(&bytes)[..], part.sha256.0, "{}", part.name);
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().build().unwrap();
        let mut rows = 0;
        for batch in reader {
            let batch = batch.unwrap();
            rows += batch.num_rows() as u64;
            let column = batch.column_by_name("n").unwrap();
            numbers.extend(
                column.as_any().downcast_ref::<datafusion::arrow::array::Int64Array>().unwrap().values(),
            );
        }
        assert_eq!(rows, part.rows, "{}", part.name);
    }
    assert_eq!(told.rows, told.parts.iter().map(|part| part.rows).sum::<u64>());
    assert_eq!(told.bytes, told.parts.iter().map(|part| part.bytes).sum::<u64>());
    numbers
}

#[tokio::test]
async fn no_part_is_longer_than_its_limit_and_no_row_is_lost_or_twice() {
    for (count, noise, limit) in
        [(30_000, 200, MIB), (300, 40_000, MIB), (12, 900_000, MIB), (40_000, 300, 3 * MIB)]
    {
        let dir = tempfile::tempdir().unwrap();
        let limits = PartLimits::new(limit, 1_000_000).unwrap();
        let told = parts(job(rows(dir.path(), count, noise), schema()), dir.path(), limits).await.unwrap();
        assert_eq!(check(dir.path(), &told), (0..count as i64).collect::<Vec<_>>());
        let largest = told.parts.iter().map(|part| part.bytes).max().unwrap();
        assert!(largest <= limit, "{largest} of {limit} bytes at {noise} a row");
        let fullest = told.parts.len() as u64 * limit;
        assert!(
            told.bytes * 10 > fullest * 3 || noise > 500_000,
            "{} parts for {} bytes",
            told.parts.len(),
            told.bytes
        );
        assert!(told.parts.len() > 1);
    }
}

#[tokio::test]
async fn no_part_has_more_rows_than_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let limits = PartLimits::new(128 * MIB, 1_000).unwrap();
    let told = parts(job(rows(dir.path(), 20_001, 1), schema()), dir.path(), limits).await.unwrap();
    assert_eq!(check(dir.path(), &told).len(), 20_001);
    assert!(told.parts.iter().all(|part| part.rows <= 1_000));
    assert!(told.parts.len() <= 40, "{} parts", told.parts.len());
}

#[tokio::test]
async fn an_answer_without_rows_is_one_part_with_its_columns() {
    let dir = tempfile::tempdir().unwrap();
    let none = Restriction {
        row_filter: vec![Predicate::new("n", Op::Lt, vec![Value::Integer(0)])],
        ..Restriction::default()
    };
    let job = Job { restriction: none, ..job(rows(dir.path(), 10, 1), schema()) };
    let told = parts(job, dir.path(), PartLimits::default()).await.unwrap();
    assert_eq!((told.parts.len(), told.rows), (1, 0));
    assert!(check(dir.path(), &told).is_empty());
    assert!(told.parts[0].columns.iter().all(|column| column.range.is_none() && column.nulls == 0));
}

#[tokio::test]
async fn statistics_are_of_the_rows_as_shown() {
    let dir = tempfile::tempdir().unwrap();
    let source = rows(dir.path(), 5_000, 30);
    let shown = Restriction {
        columns: Some(["n", "noise", "day", "at", "share"].map(str::to_owned).to_vec()),
        masks: BTreeMap::from([
            ("share".to_owned(), Mask::Null),
            ("noise".to_owned(), Mask::Constant("x".into())),
        ]),
        row_filter: vec![
            Predicate::new("n", Op::Ge, vec![Value::Integer(100)]),
            Predicate::new("n", Op::Lt, vec![Value::Integer(110)]),
        ],
        ..Restriction::default()
    };
    let job = Job { restriction: shown, ..job(source, schema()) };
    let told = parts(job, dir.path(), PartLimits::default()).await.unwrap();
    let part = &told.parts[0];
    let range = |name: &str| part.columns.iter().find(|column| column.name == name).unwrap();
    assert_eq!(range("n").range, Some([100.into(), 109.into()]));
    assert_eq!(range("day").range, Some(["2026-11-17".into(), "2026-11-26".into()]));
    assert_eq!(range("at").range, Some(["2026-11-17T08:00:00".into(), "2026-11-26T08:00:00".into()]));
    assert_eq!((&range("share").range, range("share").nulls), (&None, 10));
    assert_eq!(range("noise").range, None, "texts have none: a prefix of one would be a value");
    // The file itself has no trace of what is hidden either.
    let bytes = std::fs::read(dir.path().join("parts").join(&part.name)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let statistics = reader.metadata().row_group(0).column(0).statistics().unwrap();
    assert_eq!(statistics.min_bytes_opt(), Some(&100i64.to_le_bytes()[..]));
}

#[tokio::test]
async fn parts_can_be_read_as_a_source_again_with_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let source = rows(dir.path(), 2_000, 30);
    let straight = text(job(source.clone(), schema())).await.unwrap();
    let told = parts(job(source, schema()), dir.path(), PartLimits::default()).await.unwrap();
    let part = Source { path: dir.path().join("parts").join(&told.parts[0].name), format: Format::Parquet };
    assert_eq!(text(job(part, schema())).await.unwrap(), straight);
}

#[test]
fn limits_have_their_bounds() {
    for (bytes, rows) in [(MIB - 1, 1), (129 * MIB, 1), (MIB, 0), (MIB, 10_000_001)] {
        assert!(PartLimits::new(bytes, rows).is_err(), "{bytes} {rows}");
    }
}
