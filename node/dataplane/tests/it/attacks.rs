//! What a consumer may try with the query that it sends, and what a node may be given by mistake.

use std::collections::BTreeMap;
use std::path::Path;

use dataplane::{
    AggregateOnly, Column, ColumnKind, DataError, Format, Function, HashKey, Job, Mask, Measure, Op,
    Predicate, Query, Restriction, Schema, Subject, TimeUnit, Value, output_schema, visible_schema,
};

use crate::common::{answer, csv, job, people, text};

const ROWS: &str = "id,citizen_id,full name,province,salary,Rate,born\n\
    1,11111111111,An,Ankara,100,1.5,1980-02-01\n\
    2,22222222222,SECRET-HIDDEN,Istanbul,0,0.0,1985-01-01\n\
    3,33333333333,Binh,Ankara,300,2.5,1990-03-01\n\
    4,,,Ankara,,,\n";

fn table(dir: &Path) -> Job {
    let path = dir.join("people.csv");
    std::fs::write(&path, ROWS).unwrap();
    job(csv(&path), people())
}

fn restricted(dir: &Path) -> Job {
    let mut job = table(dir);
    job.restriction = Restriction {
        columns: Some(["id", "citizen_id", "full name", "salary", "born"].map(str::to_owned).to_vec()),
        masks: BTreeMap::from([
            ("citizen_id".to_owned(), Mask::Hash(HashKey::new([1; 32]))),
            ("full name".to_owned(), Mask::Drop),
            ("born".to_owned(), Mask::Truncate(TimeUnit::Year)),
        ]),
        row_filter: vec![Predicate::new("province", Op::Eq, vec!["Ankara".into_value()])],
        ..Restriction::default()
    };
    job
}

trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl IntoValue for i64 {
    fn into_value(self) -> Value {
        Value::Integer(self)
    }
}

fn filter(column: &str, op: Op, value: impl IntoValue) -> Query {
    Query { filter: vec![Predicate::new(column, op, vec![value.into_value()])], ..Query::default() }
}

fn columns(names: &[&str]) -> Query {
    Query { columns: Some(names.iter().map(|n| (*n).to_owned()).collect()), ..Query::default() }
}

fn grouped(by: &[&str], function: Function, column: Option<&str>) -> Query {
    let group_by = by.iter().map(|n| (*n).to_owned()).collect();
    Query { group_by, measures: vec![Measure::new(function, column)], ..Query::default() }
}

#[tokio::test]
async fn hidden_dropped_and_unknown_columns_are_refused_in_the_same_words() {
    let dir = tempfile::tempdir().unwrap();
    let job = restricted(dir.path());
    for name in ["province", "full name", "Rate", "nothing", "__tram_subjects"] {
        for query in [
            columns(&[name]),
            filter(name, Op::Eq, "x"),
            filter(name, Op::Lt, 1),
            grouped(&[name], Function::Count, None),
            grouped(&["id"], Function::Sum, Some(name)),
            grouped(&["id"], Function::Count, Some(name)),
        ] {
            let error = answer(Job { query, ..job.clone() }).await.unwrap_err();
            let expected = format!(
                "no column `{name}` is visible under this agreement; ask for the visible columns in the catalog"
            );
            assert_eq!(error.to_string(), expected);
            assert!(error.may_be_shown_to_peer());
        }
    }
}

#[tokio::test]
async fn filters_see_masked_values_only() {
    let dir = tempfile::tempdir().unwrap();
    let job = restricted(dir.path());
    let ids = async |query: Query| {
        let query = Query { columns: Some(vec!["id".into()]), ..query };
        text(Job { query, ..job.clone() }).await.unwrap()
    };
    assert_eq!(ids(filter("citizen_id", Op::Eq, "11111111111")).await, "id\n");
    assert_eq!(ids(filter("citizen_id", Op::StartsWith, "1111")).await, "id\n");
    assert_eq!(ids(filter("born", Op::Eq, "1980")).await, "id\n1\n");
    assert_eq!(ids(filter("born", Op::Gt, "1980-01-15")).await, "id\n3\n", "the year is a text");
    assert_eq!(ids(filter("salary", Op::Ge, 0)).await, "id\n1\n3\n", "row 2 is hidden, row 4 has no value");
    assert_eq!(ids(Query::default()).await, "id\n1\n3\n4\n");
    let null = |op| Query { filter: vec![Predicate::new("citizen_id", op, vec![])], ..Query::default() };
    assert_eq!(ids(null(Op::IsNull)).await, "id\n4\n", "a missing value stays missing under a hash");
    assert_eq!(ids(null(Op::IsNotNull)).await, "id\n1\n3\n");
}

#[tokio::test]
async fn the_row_filter_sees_raw_values_of_masked_columns() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = restricted(dir.path());
    job.restriction.row_filter.push(Predicate::new("citizen_id", Op::Eq, vec!["33333333333".into_value()]));
    job.query = columns(&["born", "id"]);
    assert_eq!(text(job).await.unwrap(), "born,id\n1990,3\n");
}

#[tokio::test]
async fn a_query_of_the_wrong_type_is_refused_before_any_row_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = restricted(dir.path());
    // No file: whatever is refused now was refused without it.
    job.source.path = dir.path().join("gone");
    let many = Value::Integer(1);
    for query in [
        filter("salary", Op::Eq, "SECRET"),
        filter("citizen_id", Op::Eq, 5),
        filter("salary", Op::StartsWith, "1"),
        Query { filter: vec![Predicate::new("id", Op::Eq, vec![])], ..Query::default() },
        Query { filter: vec![Predicate::new("id", Op::In, vec![many.clone(); 1_001])], ..Query::default() },
        Query { filter: vec![Predicate::new("id", Op::IsNull, vec![many])], ..Query::default() },
        Query {
            filter: vec![Predicate::new("id", Op::Gt, vec![Value::Number(f64::NAN)])],
            ..Query::default()
        },
        Query { filter: vec![Predicate::new("id", Op::IsNull, vec![]); 65], ..Query::default() },
        columns(&[]),
        columns(&["id", "id"]),
        Query { group_by: vec!["id".into()], ..columns(&["id"]) },
        grouped(&["id"], Function::Sum, Some("born")),
        grouped(&["id"], Function::Sum, None),
        grouped(&["id", "id"], Function::Count, None),
        Query {
            measures: vec![Measure {
                function: Function::Count,
                column: None,
                name: Some("__tram_x".into()),
            }],
            ..Query::default()
        },
    ] {
        let error = answer(Job { query: query.clone(), ..job.clone() }).await.unwrap_err();
        assert!(matches!(error, DataError::Query(_)), "{query:?}: {error}");
    }
}

#[test]
fn an_unknown_field_of_a_query_is_refused() {
    assert!(serde_json::from_str::<Query>(r#"{"columns":["id"],"where":"1=1"}"#).is_err());
    let query: Query =
        serde_json::from_str(r#"{"filter":[{"column":"a","op":"in","values":[1,2.5,"x",true]}],"limit":3}"#)
            .unwrap();
    let values = vec![Value::Integer(1), Value::Number(2.5), Value::Text("x".into()), Value::Boolean(true)];
    assert_eq!(query.filter, [Predicate::new("a", Op::In, values)]);
}

#[test]
fn a_restriction_that_does_not_fit_means_no() {
    let good = Restriction::default();
    let mask = |name: &str, mask| Restriction { masks: [(name.to_owned(), mask)].into(), ..good.clone() };
    let grant = |names: &[&str]| Restriction {
        columns: Some(names.iter().map(|n| (*n).to_owned()).collect()),
        ..good.clone()
    };
    let aggregate = |k, subject, by: &str| Restriction {
        aggregate_only: Some(AggregateOnly {
            k,
            subject,
            group_by: vec![by.to_owned()],
            disclosure: dataplane::Disclosure::default(),
        }),
        ..good.clone()
    };
    let rows = |p: Predicate| Restriction { row_filter: vec![p], ..good.clone() };
    let bad = [
        mask("gone", Mask::Null),
        mask("id", Mask::ShowFirst(1)),
        mask("id", Mask::Truncate(TimeUnit::Year)),
        mask("id", Mask::Bucket(0.5)),
        mask("id", Mask::Bucket(0.0)),
        mask("Rate", Mask::Bucket(f64::NAN)),
        mask("full name", Mask::Bucket(1.0)),
        mask("full name", Mask::Decimals(2)),
        mask("Rate", Mask::Decimals(0)),
        mask("id", Mask::Cut(1)),
        mask("id", Mask::LastParts(1)),
        Restriction { watermark: Some("x".repeat(2_000)), ..good.clone() },
        mask("id", Mask::Constant("x".repeat(2_000))),
        grant(&["id", "gone"]),
        grant(&["id", "id"]),
        grant(&["ID"]),
        grant(&[]),
        Restriction { masks: [("id".to_owned(), Mask::Drop)].into(), ..grant(&["id"]) },
        aggregate(1, Subject::Rows, "province"),
        aggregate(5, Subject::Key("gone".into()), "province"),
        aggregate(5, Subject::Count("province".into()), "province"),
        aggregate(5, Subject::Rows, "gone"),
        Restriction { columns: grant(&["id"]).columns, ..aggregate(5, Subject::Rows, "province") },
        rows(Predicate::new("gone", Op::IsNull, vec![])),
        rows(Predicate::new("salary", Op::Eq, vec!["x".into_value()])),
        rows(Predicate::new("born", Op::Ge, vec!["2023-02-30".into_value()])),
    ];
    for restriction in bad {
        for result in [
            visible_schema(&people(), &restriction),
            output_schema(&people(), &restriction, &Query::default()),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, DataError::Restriction(_)), "{restriction:?}: {error}");
            assert!(!error.may_be_shown_to_peer());
        }
    }
    // A mask of a column that is not granted is no contradiction.
    let fine = Restriction { masks: [("born".to_owned(), Mask::Drop)].into(), ..grant(&["id"]) };
    assert_eq!(visible_schema(&people(), &fine).unwrap().columns().len(), 1);
}

fn aggregate_only(dir: &Path, subject: Subject) -> Job {
    let path = dir.join("visits.csv");
    let mut rows = "person,ward,month,visits\n".to_owned();
    // Ward A: three persons, one of them often. Ward B: two persons. Ward C: nobody by name.
    // Ward D: one person, three times.
    for (person, ward, month, visits) in [
        ("p1", "A", 1, 9),
        ("p1", "A", 1, 9),
        ("p1", "A", 2, 9),
        ("p2", "A", 1, 1),
        ("p3", "A", 2, 1),
        ("p4", "B", 1, 2),
        ("p5", "B", 2, 2),
        ("", "C", 1, 1),
        ("", "C", 1, 1),
        ("", "C", 2, 1),
        ("p6", "D", 1, 1),
        ("p6", "D", 1, 1),
        ("p6", "D", 1, 1),
    ] {
        rows += &format!("{person},{ward},{month},{visits}\n");
    }
    std::fs::write(&path, rows).unwrap();
    let schema = Schema::new(vec![
        Column::new("person", ColumnKind::String, true),
        Column::new("ward", ColumnKind::String, false),
        Column::new("month", ColumnKind::Integer, false),
        Column::new("visits", ColumnKind::Integer, false),
    ])
    .unwrap();
    let mut job = job(csv(&path), schema);
    job.restriction.columns = Some(["ward", "month", "visits"].map(str::to_owned).to_vec());
    job.restriction.aggregate_only = Some(AggregateOnly {
        k: 3,
        subject,
        group_by: vec!["ward".into(), "month".into()],
        disclosure: dataplane::Disclosure::default(),
    });
    job
}

#[tokio::test]
async fn subjects_are_counted_not_rows() {
    let dir = tempfile::tempdir().unwrap();
    let sum = grouped(&["ward"], Function::Sum, Some("visits"));
    let ask =
        async |subject, query| text(Job { query, ..aggregate_only(dir.path(), subject) }).await.unwrap();
    assert_eq!(ask(Subject::Key("person".into()), sum.clone()).await, "ward,sum_visits\nA,29\n");
    assert_eq!(ask(Subject::Rows, sum.clone()).await, "ward,sum_visits\nA,29\nC,3\nD,3\n");
    assert_eq!(ask(Subject::Count("visits".into()), sum).await, "ward,sum_visits\nA,29\nB,4\nC,3\nD,3\n");
    let all = ask(Subject::Rows, Query::default()).await;
    assert_eq!(all, "ward,month,count\nA,1,3\nD,1,3\n", "no group named means every allowed column");
    let whole =
        Query { filter: filter("month", Op::Eq, 1).filter, ..grouped(&["ward"], Function::Count, None) };
    assert_eq!(
        ask(Subject::Rows, whole).await,
        "ward,count\nA,3\nD,3\n",
        "a filter with `eq` gives the cell of that month"
    );
}

#[tokio::test]
async fn nothing_but_whole_cells_leaves_an_aggregate_only_view() {
    let dir = tempfile::tempdir().unwrap();
    let by_ward = grouped(&["ward"], Function::Count, None);
    let with = |f: Query, base: &Query| Query { filter: f.filter, ..base.clone() };
    for query in [
        columns(&["ward"]),
        grouped(&["visits"], Function::Count, None),
        grouped(&["ward"], Function::Max, Some("visits")),
        grouped(&["ward"], Function::Min, Some("visits")),
        with(filter("visits", Op::Eq, 9), &by_ward),
        with(filter("month", Op::Ne, 1), &by_ward),
        with(filter("month", Op::Le, 1), &by_ward),
        Query {
            filter: vec![Predicate::new("month", Op::In, vec![Value::Integer(1), Value::Integer(2)])],
            ..by_ward.clone()
        },
    ] {
        let job = Job { query: query.clone(), ..aggregate_only(dir.path(), Subject::Rows) };
        let error = answer(job).await.unwrap_err();
        assert!(matches!(error, DataError::Query(_)), "{query:?}: {error}");
    }
    let job = Job {
        query: grouped(&["ward"], Function::Sum, Some("person")),
        ..aggregate_only(dir.path(), Subject::Key("person".into()))
    };
    assert!(matches!(answer(job).await.unwrap_err(), DataError::NotVisible { .. }));
    // Ranges are fine where they choose groups.
    let job = Job {
        query: with(filter("month", Op::Le, 1), &grouped(&["ward", "month"], Function::Count, None)),
        ..aggregate_only(dir.path(), Subject::Rows)
    };
    assert_eq!(text(job).await.unwrap(), "ward,month,count\nA,1,3\nD,1,3\n");
}

#[tokio::test]
async fn every_mask_gives_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let shown = async |name: &str, mask: Mask| {
        let mut job = table(dir.path());
        job.restriction.columns = Some(vec![name.to_owned()]);
        job.restriction.masks = [(name.to_owned(), mask)].into();
        let text = text(job).await.unwrap();
        text.lines().skip(1).map(|l| l.trim_matches('"').to_owned()).collect::<Vec<_>>().join("|")
    };
    assert_eq!(shown("salary", Mask::Null).await, "|||");
    assert_eq!(shown("salary", Mask::Constant("-".into())).await, "-|-|-|-");
    assert_eq!(shown("salary", Mask::Bucket(200.0)).await, "0|0|200|");
    assert_eq!(shown("Rate", Mask::Bucket(0.4)).await, "1.2000000000000002|0.0|2.4000000000000004|");
    assert_eq!(shown("born", Mask::Truncate(TimeUnit::Year)).await, "1980|1985|1990|");
    assert_eq!(shown("born", Mask::Truncate(TimeUnit::Month)).await, "1980-02|1985-01|1990-03|");
    assert_eq!(shown("born", Mask::Truncate(TimeUnit::Day)).await, "1980-02-01|1985-01-01|1990-03-01|");
    assert_eq!(shown("full name", Mask::ShowFirst(1)).await, "A*|S************|B***|");
    assert_eq!(shown("full name", Mask::ShowLast(2)).await, "**|***********EN|**nh|");
    // A name no longer than what would be shown is hidden whole.
    assert_eq!(shown("full name", Mask::ShowFirst(2)).await, "**|SE***********|Bi**|");
    assert_eq!(shown("full name", Mask::ShowFirst(4)).await, "**|SECR*********|****|");
    assert_eq!(shown("full name", Mask::ShowLast(4)).await, "**|*********DDEN|****|");
    assert_eq!(shown("Rate", Mask::Decimals(1)).await, "1.5|0.0|2.5|");
    assert_eq!(shown("full name", Mask::Cut(2)).await, "An|SE|Bi|");
    assert_eq!(shown("full name", Mask::LastParts(1)).await, "|||");
    let a = shown("salary", Mask::Hash(HashKey::new([1; 32]))).await;
    let b = shown("salary", Mask::Hash(HashKey::new([2; 32]))).await;
    assert!(a != b && a.split('|').next().is_some_and(|h| h.len() == 64), "{a} {b}");
}

#[tokio::test]
async fn a_watermark_is_in_every_row_whatever_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let marked = |query: Query, aggregate: bool| {
        let mut job = if aggregate {
            aggregate_only(dir.path(), Subject::Rows)
        } else {
            let mut job = table(dir.path());
            job.restriction.columns = Some(vec!["id".into(), "province".into()]);
            job
        };
        job.restriction.watermark = Some("for urn:agency:vn:b".into());
        Job { query, ..job }
    };
    let all = text(marked(Query::default(), false)).await.unwrap();
    assert!(all.starts_with("id,province,tram_watermark\n1,Ankara,for urn:agency:vn:b\n"), "{all}");
    let some = Query { limit: Some(1), ..columns(&["id"]) };
    assert_eq!(text(marked(some, false)).await.unwrap(), "id,tram_watermark\n1,for urn:agency:vn:b\n");
    let groups = text(marked(grouped(&["ward"], Function::Count, None), true)).await.unwrap();
    assert!(groups.lines().count() > 1, "{groups}");
    for line in groups.lines().skip(1) {
        assert!(line.ends_with(",for urn:agency:vn:b"), "{groups}");
    }
    // It is told before any row is read, and it is no column that a query could name.
    let job = marked(Query::default(), false);
    let schema = output_schema(&job.schema, &job.restriction, &job.query).unwrap();
    assert_eq!(schema.columns().last().unwrap().name, dataplane::WATERMARK);
    let asked = text(marked(columns(&["tram_watermark"]), false)).await.unwrap_err();
    assert!(matches!(asked, DataError::NotVisible { .. }), "{asked}");
    let mut taken = table(dir.path());
    taken.schema = Schema::new(vec![Column::new("tram_watermark", ColumnKind::String, true)]).unwrap();
    taken.restriction.watermark = Some("x".into());
    assert!(matches!(text(taken).await.unwrap_err(), DataError::Restriction(_)));
}

#[tokio::test]
async fn a_file_that_is_not_its_schema_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    for (name, rows) in [
        // The secret column under the name of the open one.
        ("swapped", ROWS.replacen("id,citizen_id", "citizen_id,id", 1)),
        ("more", ROWS.replacen("id,", "id,extra,", 1)),
        ("empty", String::new()),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, rows).unwrap();
        let error = answer(job(csv(&path), people())).await.unwrap_err();
        assert!(
            matches!(&error, DataError::Source { correlation } if correlation == "ref-1"),
            "{name}: {error}"
        );
    }
    let error = answer(job(csv(&dir.path().join("gone")), people())).await.unwrap_err();
    assert!(!error.to_string().contains("gone"), "a path is nobody's business: {error}");
    let mut broken = job(csv(&dir.path().join("x")), people());
    broken.source.format = Format::Csv { delimiter: '"', null_text: None };
    assert!(matches!(answer(broken).await.unwrap_err(), DataError::Source { .. }));
}

#[tokio::test]
async fn a_value_that_cannot_be_read_ends_the_answer_without_being_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.csv");
    std::fs::write(&path, ROWS.replace(",300,", ",SECRET,")).unwrap();
    let error = answer(job(csv(&path), people())).await.unwrap_err();
    assert!(matches!(error, DataError::Computation { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("SECRET"));
}

#[tokio::test]
async fn max_rows_caps_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for (max, rows, capped) in [(0, 0, true), (3, 3, true), (4, 4, false), (9, 4, false)] {
        let mut job = table(dir.path());
        job.restriction.max_rows = Some(max);
        let (bytes, outcome) = answer(job).await.unwrap();
        assert_eq!((outcome.rows, outcome.capped), (rows, capped));
        assert_eq!(bytes.iter().filter(|b| **b == b'\n').count() as u64, rows + 1);
    }
    let mut job = table(dir.path());
    job.query.limit = Some(2);
    let (_, outcome) = answer(job).await.unwrap();
    assert_eq!((outcome.rows, outcome.capped), (2, false));
}

#[tokio::test]
async fn column_names_are_names_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.csv");
    let names = ["a.b", "A", "a", "view.a", "x y", "số; liệu", "'; drop table t --", "\"q\""];
    let header: Vec<String> = names.iter().map(|n| format!("\"{}\"", n.replace('"', "\"\""))).collect();
    std::fs::write(&path, format!("{}\n1,2,3,4,5,6,7,8\n", header.join(","))).unwrap();
    let schema = Schema::new(names.map(|n| Column::new(n, ColumnKind::Integer, false)).to_vec()).unwrap();
    for (value, name) in (1..).zip(names) {
        let base = job(csv(&path), schema.clone());
        let query = Query { filter: filter(name, Op::Eq, value).filter, ..columns(&[name]) };
        let got = text(Job { query, ..base.clone() }).await.unwrap();
        assert_eq!(got.lines().nth(1), Some(value.to_string().as_str()), "{name}");
        let query = grouped(&[name], Function::Sum, Some(name));
        let got = text(Job { query, ..base }).await.unwrap();
        assert_eq!(got.lines().nth(1), Some(format!("{value},{value}").as_str()), "{name}");
    }
}
