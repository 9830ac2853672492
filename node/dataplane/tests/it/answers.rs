//! What an answer costs and what its bytes depend on.

use std::time::Duration;

use dataplane::{
    Column, ColumnKind, DataError, Format, Function, Job, Measure, Op, OutputFormat, Predicate, Query,
    Schema, Source, Value,
};

use crate::common::{answer, csv, job};

#[tokio::test]
async fn limits_end_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.csv");
    let rows: String = (0..60_000).map(|i| format!("{i},person {i}\n")).collect();
    std::fs::write(&path, format!("n,name\n{rows}")).unwrap();
    let schema = Schema::new(vec![
        Column::new("n", ColumnKind::Integer, false),
        Column::new("name", ColumnKind::String, false),
    ])
    .unwrap();
    let base = job(csv(&path), schema);
    let unit = async |job: Job| match answer(job).await {
        Err(DataError::Quota { unit, .. }) => unit,
        other => panic!("{other:?}"),
    };
    let limited = |change: fn(&mut Job)| {
        let mut job = base.clone();
        change(&mut job);
        job
    };
    assert_eq!(unit(limited(|j| j.limits.rows_max = 59_999)).await, "rows");
    assert_eq!(unit(limited(|j| j.limits.bytes_max = 100_000)).await, "bytes");
    assert_eq!(unit(limited(|j| j.limits.timeout = Duration::ZERO)).await, "seconds");
    let memory = limited(|j| {
        j.limits.memory_bytes = 200_000;
        j.query.group_by = vec!["name".into()];
    });
    assert_eq!(unit(memory).await, "bytes of memory");
    // At the edge there is no error.
    assert_eq!(answer(limited(|j| j.limits.rows_max = 60_000)).await.unwrap().1.rows, 60_000);
}

#[tokio::test]
async fn the_same_job_gives_the_same_bytes_whatever_the_batches() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    let rows: String = (0..20_000).map(|i| format!("{i},k{},{}.5\n", i % 700, i * 7 % 1_000)).collect();
    std::fs::write(&path, format!("n,key,x\n{rows}")).unwrap();
    let kinds = [("n", ColumnKind::Integer), ("key", ColumnKind::String), ("x", ColumnKind::Number)];
    let schema = Schema::new(kinds.map(|(n, k)| Column::new(n, k, false)).to_vec()).unwrap();
    let base = job(csv(&path), schema);
    for query in [
        Query::default(),
        Query {
            group_by: vec!["key".into()],
            measures: vec![Measure::new(Function::Avg, Some("x"))],
            ..Query::default()
        },
    ] {
        for format in [
            OutputFormat::Csv,
            OutputFormat::CsvBom,
            OutputFormat::Ndjson,
            OutputFormat::Json,
            OutputFormat::Xlsx,
            OutputFormat::Parquet,
            OutputFormat::ArrowStream,
        ] {
            let mut seen = std::collections::BTreeSet::new();
            for batch_rows in [7, 1_000, 8_192] {
                let mut job = Job { query: query.clone(), format, ..base.clone() };
                job.limits.batch_rows = batch_rows;
                seen.insert(answer(job).await.unwrap().0);
            }
            assert_eq!(seen.len(), 1, "{format:?}");
        }
    }
}

#[tokio::test]
async fn no_byte_of_a_binary_answer_depends_on_hidden_rows() {
    // Enough rows for several batches, so that their bounds, pages and the slots behind missing values would show.
    let dir = tempfile::tempdir().unwrap();
    let mut answers = std::collections::BTreeMap::new();
    for hidden_every in [usize::MAX, 2, 7] {
        let mut rows = "n,key,shown\n".to_owned();
        for i in 0..20_000usize {
            if i % hidden_every == 1 {
                rows += "7777777,SECRET-HIDDEN,false\n";
            }
            rows += &if i % 3 == 0 { ",,true\n".to_owned() } else { format!("{i},k{i},true\n") };
        }
        let path = dir.path().join("t.csv");
        std::fs::write(&path, rows).unwrap();
        let kinds = [("n", ColumnKind::Integer), ("key", ColumnKind::String), ("shown", ColumnKind::Boolean)];
        let schema = Schema::new(kinds.map(|(n, k)| Column::new(n, k, true)).to_vec()).unwrap();
        let text = job(csv(&path), schema);
        let parquet = dir.path().join("t.parquet");
        std::fs::write(
            &parquet,
            answer(Job { format: OutputFormat::Parquet, ..text.clone() }).await.unwrap().0,
        )
        .unwrap();
        let source = Source { path: parquet, format: Format::Parquet };
        for base in [text.clone(), Job { source, ..text }] {
            for format in [OutputFormat::Parquet, OutputFormat::ArrowStream] {
                let mut job = Job { format, ..base.clone() };
                job.restriction.row_filter =
                    vec![Predicate::new("shown", Op::Eq, vec![Value::Boolean(true)])];
                let (bytes, _) = answer(job).await.unwrap();
                assert!(!bytes.windows(6).any(|w| w == b"SECRET"));
                assert!(!bytes.windows(8).any(|w| w == 7_777_777i64.to_le_bytes()));
                let first = answers.entry(format!("{format:?}")).or_insert_with(|| bytes.clone());
                assert!(
                    *first == bytes,
                    "{format:?} from {:?}, hidden every {hidden_every}",
                    base.source.format
                );
            }
        }
    }
}

#[tokio::test]
async fn a_sum_that_no_column_holds_is_missing_and_not_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    let max = i64::MAX;
    std::fs::write(&path, format!("g,n\na,{max}\na,1\nb,{max}\nb,1\nb,-1\nc,\n")).unwrap();
    let schema = Schema::new(vec![
        Column::new("g", ColumnKind::String, false),
        Column::new("n", ColumnKind::Integer, true),
    ])
    .unwrap();
    let mut base = job(csv(&path), schema);
    base.query.group_by = vec!["g".into()];
    base.query.measures = vec![Measure::new(Function::Sum, Some("n"))];
    let sums = format!("g,sum_n\na,\nb,{max}\nc,\n");
    assert_eq!(String::from_utf8(answer(base.clone()).await.unwrap().0).unwrap(), sums);
    // Persons that were counted so are as many as they are.
    let subject = dataplane::Subject::Count("n".into());
    base.restriction.aggregate_only = Some(dataplane::AggregateOnly {
        k: 5,
        subject,
        group_by: vec!["g".into()],
        disclosure: dataplane::Disclosure::default(),
    });
    let shown = format!("g,sum_n\na,\nb,{max}\n");
    assert_eq!(String::from_utf8(answer(base).await.unwrap().0).unwrap(), shown);
}

#[tokio::test]
async fn no_boolean_is_neither_of_the_two() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    std::fs::write(&path, "n,b\n1,true\n2,false\n3,\n").unwrap();
    let kinds = [("n", ColumnKind::Integer), ("b", ColumnKind::Boolean)];
    let schema = Schema::new(kinds.map(|(n, k)| Column::new(n, k, true)).to_vec()).unwrap();
    let both = vec![Value::Boolean(false), Value::Boolean(true)];
    for (op, values, expected) in [
        (Op::In, both, "n,b\n1,true\n2,false\n"),
        (Op::NotIn, vec![Value::Boolean(true)], "n,b\n2,false\n"),
        (Op::Ne, vec![Value::Boolean(true)], "n,b\n2,false\n"),
        (Op::NotIn, vec![Value::Boolean(false), Value::Boolean(true)], "n,b\n"),
    ] {
        let mut job = job(csv(&path), schema.clone());
        job.query.filter = vec![Predicate::new("b", op, values)];
        assert_eq!(String::from_utf8(answer(job).await.unwrap().0).unwrap(), expected, "{op:?}");
    }
}
