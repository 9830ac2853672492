//! An attacker's corpus. Two files differ only in what the decision hides: rows that the policy filters out, values
//! under a mask, groups that are too small. Every query of the corpus, as a structure and as SQL, must get the same
//! bytes, the same counts and the same error from both. Timing is left aside.

use std::path::Path;

use dataplane::{
    AggregateOnly, Column, ColumnKind, Format, Function, HashKey, Job, Mask, Measure, Op, Order,
    OutputFormat, Predicate, Query, Restriction, Schema, Source, Subject, Value,
};

use crate::common::{answer, csv, job};
use crate::corpus::{Case, SQL, case, cases, corpus, restriction, schema, table};

/// The same rows as CSV, NDJSON and Parquet.
async fn sources(dir: &Path, table: &str, schema: &Schema) -> Vec<Source> {
    let source = csv(&dir.join("t.csv"));
    std::fs::write(&source.path, table).unwrap();
    let mut out = vec![source.clone()];
    for (output, name, format) in [
        (OutputFormat::Ndjson, "t.ndjson", Format::Ndjson),
        (OutputFormat::Parquet, "t.parquet", Format::Parquet),
    ] {
        let whole = Job { format: output, ..job(source.clone(), schema.clone()) };
        let path = dir.join(name);
        std::fs::write(&path, answer(whole).await.unwrap().0).unwrap();
        out.push(Source { path, format });
    }
    out
}

/// All that the consumer gets to see.
async fn seen(base: &Job, query: Query) -> String {
    match answer(Job { query, ..base.clone() }).await {
        Ok((bytes, outcome)) => format!("{outcome:?} {}", String::from_utf8_lossy(&bytes)),
        Err(error) => format!("ERROR {error} {error:?}"),
    }
}

async fn seen_sql(base: &Job, sql: &str) -> String {
    match Query::from_sql(sql, "t") {
        Ok(query) => seen(base, query).await,
        Err(error) => format!("ERROR {error}"),
    }
}

/// How many queries of the corpus tell the two files apart.
async fn told_apart(a: &Job, b: &Job, queries: &[Query], told: &mut Vec<String>) {
    for query in queries {
        let (from_a, from_b) = (seen(a, query.clone()).await, seen(b, query.clone()).await);
        if from_a != from_b || from_a.contains("SECRET-") {
            told.push(format!("{query:?}\n{from_a}\n{from_b}"));
        }
    }
    for sql in SQL {
        let (from_a, from_b) = (seen_sql(a, sql).await, seen_sql(b, sql).await);
        if from_a != from_b || from_a.contains("SECRET-") {
            told.push(format!("{sql}\n{from_a}\n{from_b}"));
        }
    }
}

#[tokio::test]
async fn no_query_tells_what_a_mask_or_the_row_filter_hides_first_half() {
    put_to(cases().into_iter().enumerate().take(8)).await;
}

#[tokio::test]
async fn no_query_tells_what_a_mask_or_the_row_filter_hides_second_half() {
    put_to(cases().into_iter().enumerate().skip(8)).await;
}

async fn put_to(cases: impl Iterator<Item = (usize, Case)>) {
    let corpus = corpus();
    for (number, case) in cases {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let schema = schema(case.kind);
        let a_sources = sources(a.path(), &table(&case, 0), &schema).await;
        let b_sources = sources(b.path(), &table(&case, 1), &schema).await;
        // Each mask over one kind of source in turn; what kinds share is for `noninterference`.
        let (a, b) = (&a_sources[number % 3], &b_sources[number % 3]);
        let of = |source: &Source, restriction: Restriction| Job {
            restriction,
            ..job(source.clone(), schema.clone())
        };
        let mut told = Vec::new();
        let mask = restriction(case.mask.clone());
        told_apart(&of(a, mask.clone()), &of(b, mask.clone()), &corpus, &mut told).await;
        assert!(told.is_empty(), "{:?}: {} told, as {}", case.mask, told.len(), told[0]);
        // The same corpus tells the files apart at once where nothing is hidden.
        let some: Vec<Query> = corpus.iter().step_by(9).cloned().collect();
        told_apart(&of(a, Restriction::default()), &of(b, Restriction::default()), &some, &mut told).await;
        assert!(told.len() > 10, "{:?}: {} told, the corpus proves little", case.mask, told.len());
    }
}

#[tokio::test]
async fn a_masked_value_cannot_be_guessed_by_a_filter() {
    // Whoever knows the raw value and asks for it gets what any other value gets.
    let (a, schema) = (tempfile::tempdir().unwrap(), schema(ColumnKind::String));
    let case = case(Mask::Drop, ColumnKind::String, ["079085001234", "b", "c", "d"], ["", "", "", ""]);
    let source = sources(a.path(), &table(&case, 0), &schema).await.remove(2);
    for mask in [
        Mask::Null,
        Mask::Constant("x".into()),
        Mask::Hash(HashKey::new([5; 32])),
        Mask::Linked(HashKey::new([5; 32])),
        Mask::ShowFirst(1),
        Mask::ShowLast(3),
        Mask::Cut(4),
        Mask::LastParts(1),
        Mask::Drop,
    ] {
        let base = Job { restriction: restriction(mask.clone()), ..job(source.clone(), schema.clone()) };
        for shape in ["x = '{}'", "x IN ('{}')", "x LIKE '{}%'", "x BETWEEN '{}' AND '{}'", "x <> '{}'"] {
            let ask = |value: &str| {
                format!("SELECT count(*) FROM this_dataset WHERE {}", shape.replace("{}", value))
            };
            let right = seen_sql(&base, &ask("079085001234")).await;
            let wrong = seen_sql(&base, &ask("079085009999")).await;
            assert_eq!(right, wrong, "{mask:?} {shape}");
        }
    }
}

/// Visits by ward. Ward B has fewer than three persons; what they did differs from version to version.
fn visits(version: usize) -> String {
    let mut out = "person,ward,month,visits\n".to_owned();
    for (person, month, visits) in [("p1", 1, 9), ("p1", 1, 9), ("p2", 2, 1), ("p3", 2, 4)] {
        out += &format!("{person},A,{month},{visits}\n");
        if version == 1 {
            out += &format!("p8,B,{month},0\n");
        }
    }
    out += ["p8,B,1,1\np9,B,2,1\n", "p9,B,1,0\n"][version];
    for person in ["p4", "p5", "p6"] {
        out += &format!("{person},C,1,5\n");
    }
    out
}

fn whole_cells() -> Vec<Query> {
    let mut out = corpus();
    let by = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let figures = || {
        let sum = [Function::Sum, Function::Avg].map(|f| Measure::new(f, Some("visits")));
        sum.into_iter()
            .chain([Measure::new(Function::Count, None), Measure::new(Function::Count, Some("visits"))])
    };
    for group_by in [by(&[]), by(&["ward"]), by(&["ward", "month"]), by(&["month"]), by(&["person"])] {
        for op in [Op::Eq, Op::Ne, Op::NotIn, Op::In, Op::Lt, Op::Ge, Op::StartsWith, Op::NotStartsWith] {
            for (column, value) in
                [("ward", "B"), ("ward", "A"), ("person", "p8"), ("visits", "0"), ("month", "1")]
            {
                let value = value.parse().map_or_else(|_| Value::Text(value.into()), Value::Integer);
                let filter = vec![Predicate::new(column, op, vec![value])];
                out.push(Query {
                    group_by: group_by.clone(),
                    filter,
                    measures: figures().collect(),
                    ..Query::default()
                });
            }
        }
        for limit in [0, 1, 2, 9] {
            let query =
                Query { group_by: group_by.clone(), measures: figures().collect(), ..Query::default() };
            for column in ["ward", "count", "sum_visits"] {
                let order_by = vec![Order { column: column.into(), descending: true }];
                out.push(Query { order_by, limit: Some(limit), ..query.clone() });
            }
        }
        out.push(Query { columns: Some(group_by), distinct: true, ..Query::default() });
    }
    out
}

const CELLS_SQL: [&str; 12] = [
    "SELECT ward, count(*), sum(visits) FROM this_dataset GROUP BY ward",
    "SELECT ward, count(*), sum(visits) FROM this_dataset WHERE ward <> 'B' GROUP BY ward",
    "SELECT count(*), sum(visits) FROM this_dataset",
    "SELECT count(*), sum(visits) FROM this_dataset WHERE ward <> 'B'",
    "SELECT count(*), sum(visits) FROM this_dataset WHERE ward = 'B'",
    "SELECT count(*) FROM this_dataset WHERE ward = 'A' OR ward = 'B'",
    "SELECT count(*) FROM this_dataset WHERE ward IN ('A', 'B')",
    "SELECT count(*) FROM this_dataset WHERE ward = 'A' OR ward IS NULL",
    "SELECT count(*) FROM this_dataset WHERE visits < 5",
    "SELECT DISTINCT ward FROM this_dataset ORDER BY ward DESC",
    "SELECT ward FROM this_dataset",
    "SELECT ward, max(visits) FROM this_dataset GROUP BY ward",
];

#[tokio::test]
async fn what_small_groups_hold_is_told_by_no_aggregate_and_no_difference_of_two() {
    use ColumnKind::{Integer, String};
    let schema = Schema::new(vec![
        Column::new("person", String, true),
        Column::new("ward", String, false),
        Column::new("month", Integer, false),
        Column::new("visits", Integer, false),
    ])
    .unwrap();
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a_sources = sources(a.path(), &visits(0), &schema).await;
    let b_sources = sources(b.path(), &visits(1), &schema).await;
    let of = |source: &Source, subject: Subject| {
        let mut job = job(source.clone(), schema.clone());
        job.restriction.columns = Some(["ward", "visits"].map(str::to_owned).to_vec());
        job.restriction.aggregate_only = Some(AggregateOnly {
            k: 3,
            subject,
            group_by: vec!["ward".into()],
            disclosure: dataplane::Disclosure::default(),
        });
        job
    };
    let subject = || Subject::Key("person".into());
    let queries = whole_cells();
    for (a, b) in a_sources.iter().zip(&b_sources) {
        let (a, b) = (of(a, subject()), of(b, subject()));
        let mut told = Vec::new();
        told_apart(&a, &b, &queries, &mut told).await;
        for sql in CELLS_SQL {
            let (from_a, from_b) = (seen_sql(&a, sql).await, seen_sql(&b, sql).await);
            if from_a != from_b || from_a.contains("\nB") {
                told.push(format!("{sql}\n{from_a}\n{from_b}"));
            }
        }
        assert!(told.is_empty(), "{} told, as {}", told.len(), told[0]);
        let whole = seen_sql(&a, CELLS_SQL[0]).await;
        assert!(whole.ends_with("ward,count,sum_visits\nA,4,23\nC,3,15\n"), "{whole}");
        // Counting rows in place of persons, ward B is large enough in one of the files: the corpus sees that.
        let mut seen = Vec::new();
        told_apart(&of_rows(&a), &of_rows(&b), &queries, &mut seen).await;
        assert!(!seen.is_empty(), "the corpus proves little");
    }
}

fn of_rows(job: &Job) -> Job {
    let mut job = job.clone();
    if let Some(aggregate) = &mut job.restriction.aggregate_only {
        aggregate.subject = Subject::Rows;
    }
    job
}
