//! Files that somebody made to hurt: tables with 100,000 columns, JSON nested without end, Parquet whose footer lies.
//! Each is refused with the reason, and none brings the reader down.

use std::path::Path;

use datafusion::parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use dataplane::{
    Column, ColumnKind, DataError, Format, Job, OutputFormat, Schema, Source, inspect, validate,
};

use crate::common::{answer, csv, job};

fn schema() -> Schema {
    Schema::new(vec![
        Column::new("n", ColumnKind::Integer, true),
        Column::new("name", ColumnKind::String, true),
    ])
    .unwrap()
}

fn reason(result: Result<impl Sized, DataError>) -> String {
    match result {
        Err(error @ DataError::File { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the file was taken"),
    }
}

/// A good file of ten rows.
async fn parquet(dir: &Path) -> Vec<u8> {
    let path = dir.join("t.csv");
    let rows: String = (0..10).map(|i| format!("{i},name {i}\n")).collect();
    std::fs::write(&path, format!("n,name\n{rows}")).unwrap();
    answer(Job { format: OutputFormat::Parquet, ..job(csv(&path), schema()) }).await.unwrap().0
}

#[test]
fn a_table_of_100_000_columns_is_refused_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wide");
    let names: Vec<String> = (0..100_000).map(|i| format!("c{i}")).collect();
    let cells = vec!["1"; 100_000];
    let object: Vec<String> = names.iter().map(|n| format!("\"{n}\":1")).collect();
    let object = format!("{{{}}}", object.join(","));
    for (bytes, format) in [
        (
            format!("{}\n{}\n", names.join(","), cells.join(",")),
            Format::Csv { delimiter: ',', null_text: None },
        ),
        (format!("{object}\n"), Format::Ndjson),
        (format!("[{object}]"), Format::Json),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        for found in [reason(inspect(&path, None)), reason(inspect(&path, Some(&format)))] {
            let named =
                found.contains("100000 columns, at most 2048") || found.contains("longer than 1048576 bytes");
            assert!(named, "{format:?}: {found}");
        }
        let found = reason(validate(&path, &format, &schema()));
        assert!(found.len() < 10_000, "{format:?}: {} bytes of reasons", found.len());
    }
}

#[test]
fn json_nested_100_000_deep_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep");
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let value = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for (text, format) in [
            (format!("{{\"n\":1}}\n{{\"n\":{value}}}\n"), Format::Ndjson),
            (format!("[{{\"n\":1}},\n{{\"n\":{value}}}]"), Format::Json),
        ] {
            std::fs::write(&path, text).unwrap();
            for found in [reason(inspect(&path, Some(&format))), reason(validate(&path, &format, &schema()))]
            {
                assert!(found.contains("line 2"), "{format:?}: {found}");
            }
        }
    }
}

/// The file with another footer over the same pages.
fn with_footer(good: &[u8], change: impl Fn(&ParquetMetaData) -> ParquetMetaData) -> Vec<u8> {
    let metadata =
        ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::copy_from_slice(good)).unwrap();
    let footer = u32::from_le_bytes(good[good.len() - 8..good.len() - 4].try_into().unwrap()) as usize;
    let mut out = good[..good.len() - 8 - footer].to_vec();
    ParquetMetaDataWriter::new(&mut out, &change(&metadata)).finish().unwrap();
    out
}

fn group(
    metadata: &ParquetMetaData,
    change: impl Fn(RowGroupMetaData) -> RowGroupMetaData,
) -> ParquetMetaData {
    let groups = metadata.row_groups().iter().cloned().map(change).collect();
    metadata.clone().into_builder().set_row_groups(groups).build()
}

fn chunk(
    metadata: &ParquetMetaData,
    change: impl Fn(ColumnChunkMetaData) -> ColumnChunkMetaData,
) -> ParquetMetaData {
    group(metadata, |g| {
        let columns = g.columns().iter().cloned().map(&change).collect();
        g.into_builder().set_column_metadata(columns).build().unwrap()
    })
}

#[tokio::test]
async fn a_parquet_footer_that_lies_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let good = parquet(dir.path()).await;
    let path = dir.path().join("t.parquet");
    let rows =
        |n: i64| move |m: &ParquetMetaData| group(m, |g| g.into_builder().set_num_rows(n).build().unwrap());
    type Lie<'a> = Box<dyn Fn(&ParquetMetaData) -> ParquetMetaData + 'a>;
    let lies: Vec<(Lie<'_>, &str)> = vec![
        (Box::new(rows(9)), "another number of"),
        (Box::new(rows(11)), "another number of"),
        (Box::new(rows(i64::MAX)), "another number of"),
        (Box::new(rows(-1)), "less than nothing"),
        (
            Box::new(|m| group(m, |g| g.into_builder().set_total_byte_size(i64::MAX).build().unwrap())),
            "a row group is larger than",
        ),
        (
            Box::new(|m| chunk(m, |c| c.into_builder().set_data_page_offset(1 << 40).build().unwrap())),
            "outside the file",
        ),
        (
            Box::new(|m| chunk(m, |c| c.into_builder().set_data_page_offset(-5).build().unwrap())),
            "outside the file",
        ),
        (
            Box::new(|m| chunk(m, |c| c.into_builder().set_total_compressed_size(1 << 40).build().unwrap())),
            "outside the file",
        ),
        (
            Box::new(|m| chunk(m, |c| c.into_builder().set_total_compressed_size(-1).build().unwrap())),
            "outside the file",
        ),
        (
            Box::new(|m| {
                chunk(m, |c| c.into_builder().set_total_uncompressed_size(i64::MAX).build().unwrap())
            }),
            "larger than their row group may be",
        ),
        (
            Box::new(|m| chunk(m, |c| c.into_builder().set_num_values(3).build().unwrap())),
            "another number of values",
        ),
    ];
    for (number, (lie, what)) in lies.into_iter().enumerate() {
        std::fs::write(&path, with_footer(&good, lie)).unwrap();
        for found in [reason(inspect(&path, None)), reason(validate(&path, &Format::Parquet, &schema()))] {
            assert!(found.contains(what), "lie {number}: {found}");
        }
        let source = Source { path: path.clone(), format: Format::Parquet };
        let served = answer(job(source, schema())).await;
        assert!(matches!(served, Err(DataError::Source { .. })), "lie {number}: {served:?}");
    }
    // The same footer written again is no lie.
    std::fs::write(&path, with_footer(&good, Clone::clone)).unwrap();
    assert_eq!(validate(&path, &Format::Parquet, &schema()).unwrap().rows, 10);
}

#[tokio::test]
async fn a_parquet_file_damaged_anywhere_is_refused_or_read_alike_by_validation_and_engine() {
    let dir = tempfile::tempdir().unwrap();
    let good = parquet(dir.path()).await;
    let path = dir.path().join("t.parquet");
    let mut refused = 0;
    // Each byte in turn, page headers with their sizes among them.
    for place in 0..good.len() {
        for byte in [0x00, 0xFF, good[place] ^ 0x10] {
            let mut bad = good.clone();
            bad[place] = byte;
            std::fs::write(&path, &bad).unwrap();
            let valid = validate(&path, &Format::Parquet, &schema());
            let source = Source { path: path.clone(), format: Format::Parquet };
            let served = answer(job(source, schema())).await;
            match (valid, served) {
                (Ok(report), Ok((_, outcome))) => assert_eq!(report.rows, outcome.rows, "byte {place}"),
                (Err(DataError::File { .. }), Err(_)) => refused += 1,
                (valid, served) => panic!("byte {place} as {byte}: {valid:?} {:?}", served.map(|(_, o)| o)),
            }
        }
    }
    assert!(refused > good.len() / 2, "{refused} of {} refused", 3 * good.len());
}
