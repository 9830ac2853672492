//! Parts of times as columns, and that aggregate-only views give only those that they list.

use std::path::PathBuf;

use dataplane::{
    AggregateOnly, Column, ColumnKind, DataError, Function, Job, Mask, Measure, Op, Period, Predicate, Query,
    Restriction, Schema, Subject, TimePart, TimeUnit, Value,
};

use crate::common::{csv, job, text};

const ROWS: &str = "luc,ngay,n\n2023-03-31T23:59:59,2023-03-31,1\n2023-04-01T00:00:00,2023-04-01,2\n\
                    2023-04-30T12:30:00,2023-04-30,4\n1969-12-31T23:00:00,1969-12-31,8\n,,16\n";

fn table(dir: &tempfile::TempDir) -> (PathBuf, Schema) {
    let path = dir.path().join("t.csv");
    std::fs::write(&path, ROWS).unwrap();
    let schema = Schema::new(vec![
        Column::new("luc", ColumnKind::Timestamp, true),
        Column::new("ngay", ColumnKind::Date, true),
        Column::new("n", ColumnKind::Integer, false),
    ]);
    (path, schema.unwrap())
}

fn part(text: &str) -> TimePart {
    text.parse().unwrap()
}

fn by(parts: &[&str]) -> Query {
    let times: Vec<TimePart> = parts.iter().map(|p| part(p)).collect();
    Query {
        group_by: times.iter().map(TimePart::output_name).collect(),
        times,
        measures: vec![Measure { name: Some("n".into()), ..Measure::new(Function::Sum, Some("n")) }],
        ..Query::default()
    }
}

async fn ask(restriction: Restriction, query: Query) -> Result<String, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let (path, schema) = table(&dir);
    text(Job { restriction, query, ..job(csv(&path), schema) }).await
}

/// Groups of at least `k` rows by these.
fn only(k: u64, group_by: &[&str]) -> Restriction {
    let group_by = group_by.iter().map(|n| (*n).to_owned()).collect();
    Restriction {
        aggregate_only: Some(AggregateOnly {
            k,
            subject: Subject::Rows,
            group_by,
            disclosure: Default::default(),
        }),
        ..Restriction::default()
    }
}

#[tokio::test]
async fn each_part_groups_what_falls_into_it() {
    for (parts, answer) in [
        ("year(luc) as y", "y,n\n1969,8\n2023,7\n,16\n"),
        ("month(luc) as m", "m,n\n1969-12,8\n2023-03,1\n2023-04,6\n,16\n"),
        ("month(ngay) as m", "m,n\n1969-12,8\n2023-03,1\n2023-04,6\n,16\n"),
        ("month_of_year(ngay) as m", "m,n\n3,1\n4,6\n12,8\n,16\n"),
        ("day(luc) as d", "d,n\n1969-12-31,8\n2023-03-31,1\n2023-04-01,2\n2023-04-30,4\n,16\n"),
        ("hour_of_day(luc) as h", "h,n\n0,2\n12,4\n23,9\n,16\n"),
        (
            "hour(luc) as h",
            "h,n\n1969-12-31T23:00:00,8\n2023-03-31T23:00:00,1\n2023-04-01T00:00:00,2\n2023-04-30T12:00:00,4\n,16\n",
        ),
    ] {
        assert_eq!(ask(Restriction::default(), by(&[parts])).await.unwrap(), answer, "{parts}");
    }
    let two = by(&["year(luc)", "month_of_year(luc)"]);
    let answer = ask(Restriction::default(), two).await.unwrap();
    assert_eq!(answer, "year_luc,month_of_year_luc,n\n1969,12,8\n2023,3,1\n2023,4,6\n,,16\n");
}

#[tokio::test]
async fn a_part_can_be_filtered_and_shown_and_is_not_among_all_columns() {
    let month = Predicate::new("m", Op::Eq, vec![Value::Text("2023-04".into())]);
    let query = Query { times: vec![part("month(luc) as m")], filter: vec![month], ..Query::default() };
    let answer = ask(Restriction::default(), query.clone()).await.unwrap();
    assert_eq!(answer.lines().next(), Some("luc,ngay,n"), "{answer}");
    assert_eq!(answer.lines().count(), 3, "{answer}");
    let columns = Some(vec!["n".into(), "m".into()]);
    let answer = ask(Restriction::default(), Query { columns, ..query }).await.unwrap();
    assert_eq!(answer, "n,m\n2,2023-04\n4,2023-04\n");
}

#[tokio::test]
async fn what_is_no_part_of_a_visible_time_is_refused() {
    for (query, why) in [
        (by(&["year(n)"]), "is a integer; it has no year"),
        (by(&["hour(ngay)"]), "it has no hour"),
        (by(&["month(other)"]), "no column `other` is visible"),
        (by(&["year(luc) as n"]), "there is a column `n` already"),
        (by(&["day(ngay) as d", "year(d) as y"]), "no column `d` is visible"),
        (by(&["year(luc) as x", "month(luc) as x"]), "there is a column `x` already"),
        (Query { times: vec![part("year(luc)")], ..Query::default() }, "nothing names it"),
    ] {
        let told = ask(Restriction::default(), query).await.unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }
    // A dropped column is as one that does not exist, and of a masked one there is what the mask shows.
    let hidden = |mask| Restriction { masks: [("luc".to_owned(), mask)].into(), ..Restriction::default() };
    let told = ask(hidden(Mask::Drop), by(&["year(luc)"])).await.unwrap_err();
    assert!(matches!(told, DataError::NotVisible { .. }), "{told}");
    let answer = ask(hidden(Mask::Null), by(&["year(luc) as y"])).await.unwrap();
    assert_eq!(answer, "y,n\n,31\n");
    let told = ask(hidden(Mask::Truncate(TimeUnit::Year)), by(&["month(luc)"])).await.unwrap_err();
    assert!(told.to_string().contains("it has no month"), "{told}");
    let answer = ask(hidden(Mask::Truncate(TimeUnit::Day)), by(&["day(luc) as d"])).await.unwrap();
    assert!(answer.contains("2023-03-31,1"), "{answer}");
}

#[tokio::test]
async fn an_aggregate_only_view_gives_the_parts_that_it_lists_and_no_others() {
    let months = || only(2, &["month(luc)"]);
    assert_eq!(ask(months(), by(&["month(luc) as m"])).await.unwrap(), "m,n\n2023-04,6\n");
    // Without groups it is all that are allowed.
    let all = Query { measures: by(&["month(luc)"]).measures, ..Query::default() };
    assert_eq!(ask(months(), all).await.unwrap(), "month_luc,n\n2023-04,6\n");
    for query in [
        by(&["day(luc)"]),
        by(&["year(luc)"]),
        by(&["month(ngay)"]),
        by(&["month(luc) as m", "hour_of_day(luc) as h"]),
        Query { group_by: vec!["luc".into()], ..by(&[]) },
        // A name does not make it another column.
        by(&["day(luc) as month_luc2"]),
        by(&["day(luc) as month_luc"]),
    ] {
        let told = ask(months(), query.clone()).await.unwrap_err().to_string();
        assert!(told.contains("not one to group") || told.contains("already"), "{told}");
    }
    // A column allows no part of itself: a month less its days that are shown is the days that are not.
    let told = ask(only(2, &["luc"]), by(&["month(luc)"])).await.unwrap_err().to_string();
    assert!(told.contains("not one to group"), "{told}");
    // No cell is cut by the finer column behind it.
    let cut = Predicate::new("luc", Op::Lt, vec![Value::Text("2023-04-15T00:00:00".into())]);
    let both = only(2, &["month(luc)", "luc"]);
    let query = Query { filter: vec![cut], ..by(&["month(luc) as m"]) };
    let told = ask(both, query).await.unwrap_err().to_string();
    assert!(told.contains("`eq` only"), "{told}");
    let told = ask(only(2, &["month(n)"]), by(&["month(n)"])).await.unwrap_err();
    assert!(matches!(told, DataError::Restriction(_)), "{told}");
}

#[test]
fn sql_says_the_same_parts() {
    let parse = |sql: &str| Query::from_sql(sql, "x");
    let query = parse(
        "SELECT year(luc) AS y, strftime(\"Local Time\", '%Y-%m') AS m, sum(n) AS n FROM this_dataset \
         WHERE n > 1 GROUP BY y, strftime(\"Local Time\", '%Y-%m') ORDER BY m",
    )
    .unwrap();
    assert_eq!(query.times, [part("year(luc) as y"), part("month(Local Time) as m")]);
    assert_eq!(query.group_by, ["y", "m"]);
    for (call, by) in [
        ("year(a)", Period::Year),
        ("month(a)", Period::MonthOfYear),
        ("hour(a)", Period::HourOfDay),
        ("date(a)", Period::Day),
        ("DATE_TRUNC('hour', a)", Period::Hour),
        ("strftime(a, '%Y-%m')", Period::Month),
    ] {
        let found = parse(&format!("SELECT DISTINCT {call} AS p FROM this_dataset")).unwrap();
        assert_eq!(found.times, [TimePart { column: "a".into(), by, name: Some("p".into()) }], "{call}");
        assert!(found.distinct && found.columns == Some(vec!["p".into()]), "{call}");
    }
    for bad in [
        "SELECT strftime(a, '%s') FROM this_dataset",
        "SELECT date_trunc('month', a) FROM this_dataset",
        "SELECT date_trunc('day', a) FROM this_dataset",
        "SELECT date '2023-01-01' FROM this_dataset",
        "SELECT year(a, b) FROM this_dataset",
        "SELECT year(year(a)) FROM this_dataset",
        "SELECT year('2023-01-01') FROM this_dataset",
        "SELECT year(DISTINCT a) FROM this_dataset",
        "SELECT year(a) AS y, count(*) FROM this_dataset GROUP BY a",
        "SELECT year(a) AS y, count(*) FROM this_dataset GROUP BY month(a)",
        "SELECT a, count(*) FROM this_dataset GROUP BY year(a)",
        "SELECT a FROM this_dataset WHERE year(a) = 2023",
        "SELECT count(*), year(a) AS y FROM this_dataset GROUP BY y",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
