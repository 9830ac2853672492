//! Noninterference: whatever is asked, rows that the policy hides and values that it masks change nothing of what
//! comes back: not the bytes, not the counts, not the error.
//!
//! Each case makes a table D and a table D' that differ only in hidden rows and in raw values under masks that hide
//! the difference, puts the same request to both in every source format, and compares everything that can be seen.

use std::path::Path;

use dataplane::{
    AggregateOnly, Format, Function, HashKey, Job, Mask, Measure, Op, Order, OutputFormat, Predicate, Query,
    Restriction, Source, Subject, Test, TimeUnit, Value,
};
use proptest::prelude::*;

use crate::common::{answer, csv, job, people};

/// A visible row: what D and D' have in common, and what differs under the masks.
#[derive(Debug, Clone)]
struct Person {
    id: i64,
    salary: Option<i64>,
    rate: i64,
    year: i64,
    /// Whose number it is, where that is under a linkage mask.
    number: Option<i64>,
    raw: [Raw; 2],
}

/// Raw values that their masks make the same.
#[derive(Debug, Clone)]
struct Raw {
    citizen: String,
    /// What stands before a number and means nothing.
    before: String,
    name_tail: char,
    day: i64,
    cents: i64,
}

fn raw() -> impl Strategy<Value = Raw> {
    ("[0-9]{0,11}", " {0,2}0{0,3}", prop::char::range('a', 'z'), 1i64..29, 0i64..50)
        .prop_map(|(citizen, before, name_tail, day, cents)| Raw { citizen, before, name_tail, day, cents })
}

fn person() -> impl Strategy<Value = Person> {
    let number = prop::option::of(1i64..4);
    (0i64..20, prop::option::of(-2i64..5), 0i64..3, 1970i64..1975, number, [raw(), raw()])
        .prop_map(|(id, salary, rate, year, number, raw)| Person { id, salary, rate, year, number, raw })
}

/// A hidden row: any values, among them those that make errors.
fn hidden() -> impl Strategy<Value = String> {
    (0i64..20, "[0-9]{0,3}", "[A-Z]{0,6}", prop::sample::select(vec!["Istanbul", ""]), 0i64..2, 0i64..9)
        .prop_map(|(id, citizen, name, province, salary, rate)| {
            format!("{id},{citizen},{name},{province},{salary},{rate}.0,2001-01-01\n")
        })
}

/// The table in version 0 or 1, with the hidden rows spread between the visible ones.
fn table(people: &[Person], hidden: &[String], version: usize, linked: bool) -> String {
    let mut out = "id,citizen_id,full name,province,salary,Rate,born\n".to_owned();
    let mut hidden = hidden.iter();
    for (place, p) in people.iter().enumerate() {
        if place % 2 == version {
            out.extend(hidden.next().map(String::as_str));
        }
        let raw = &p.raw[version];
        let salary = p.salary.map_or_else(String::new, |s| s.to_string());
        // The name keeps its first letter and its length; the rate its bucket; the day its year.
        let name: String = std::iter::once('N').chain(std::iter::repeat_n(raw.name_tail, 3)).collect();
        let rate = p.rate * 50 + raw.cents;
        let citizen = match (linked, p.number) {
            (false, _) => raw.citizen.clone(),
            // One number, written in two ways; nothing, or blanks.
            (true, Some(number)) => format!("{}{number}", raw.before),
            (true, None) => raw.before.trim_end_matches('0').to_owned(),
        };
        out +=
            &format!("{},{},{name},Ankara,{salary},{rate}.0,{}-01-{:02}\n", p.id, citizen, p.year, raw.day);
    }
    out.extend(hidden.map(String::as_str));
    out
}

fn restriction(aggregate: Option<Subject>, linked: bool) -> Restriction {
    let constant = Mask::Constant("x".into());
    let citizen = if linked { Mask::Linked(HashKey::new([8; 32])) } else { constant };
    Restriction {
        columns: None,
        masks: [
            ("citizen_id".to_owned(), citizen),
            ("full name".to_owned(), Mask::ShowFirst(1)),
            ("province".to_owned(), Mask::Hash(HashKey::new([9; 32]))),
            ("Rate".to_owned(), Mask::Bucket(50.0)),
            ("born".to_owned(), Mask::Truncate(TimeUnit::Year)),
        ]
        .into(),
        row_filter: vec![Predicate::new("province", Op::Eq, vec![Value::Text("Ankara".into())])],
        aggregate_only: aggregate.map(|subject| AggregateOnly {
            k: 2,
            subject,
            group_by: ["id", "Rate", "born", "citizen_id"].map(str::to_owned).to_vec(),
            disclosure: dataplane::Disclosure {
                dominance: dataplane::Dominance::default()
                    .and_largest(1, 90)
                    .and_then(|d| d.and_p_percent(5))
                    .unwrap(),
                noise: None,
                round_to: Some(dataplane::RoundTo::Three),
            },
        }),
        max_rows: Some(15),
        watermark: Some("copy of ag:b".into()),
    }
}

const NAMES: [&str; 8] = ["id", "citizen_id", "full name", "province", "salary", "Rate", "born", "nothing"];

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2i64..20).prop_map(Value::Integer),
        (0i64..3).prop_map(|n| Value::Number(n as f64 * 50.0)),
        prop::sample::select(vec!["x", "N", "1971", "NAAA", "2001", "Istanbul", ""])
            .prop_map(|t| Value::Text(t.to_owned())),
    ]
}

/// An operator with values, mostly as many as it takes.
fn test() -> impl Strategy<Value = Test> {
    use Op::{
        Between, Eq, Ge, Gt, In, IsNotNull, IsNull, Le, Lt, Ne, NotBetween, NotIn, NotStartsWith, StartsWith,
    };
    let one = prop::sample::select(vec![Eq, Ne, Lt, Le, Gt, Ge, In, StartsWith, NotIn, NotStartsWith]);
    let two = prop::sample::select(vec![Between, NotBetween, In, NotIn, Eq]);
    prop_oneof![
        (one, value()).prop_map(|(op, v)| Test { op, values: vec![v] }),
        (two, value(), value()).prop_map(|(op, a, b)| Test { op, values: vec![a, b] }),
        prop::sample::select(vec![IsNull, IsNotNull]).prop_map(|op| Test { op, values: vec![] }),
    ]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    (prop::sample::select(&NAMES[..]), test(), prop::collection::vec(test(), 0..2))
        .prop_map(|(n, t, or)| Predicate { or, ..Predicate::new(n, t.op, t.values) })
}

fn order() -> impl Strategy<Value = Order> {
    let names: Vec<&str> = NAMES.iter().copied().chain(["count", "sum_salary"]).collect();
    (prop::sample::select(names), any::<bool>())
        .prop_map(|(column, descending)| Order { column: column.to_owned(), descending })
}

fn measure() -> impl Strategy<Value = Measure> {
    use Function::{Avg, Count, Max, Min, Sum};
    (
        prop::sample::select(vec![Count, Sum, Avg, Min, Max]),
        prop::option::of(prop::sample::select(&NAMES[..])),
    )
        .prop_map(|(f, c)| Measure::new(f, c))
}

fn query() -> impl Strategy<Value = Query> {
    let names = |n| prop::collection::vec(prop::sample::select(&NAMES[..]).prop_map(str::to_owned), n);
    let filter = || prop::collection::vec(predicate(), 0..3);
    let limit = || prop::option::of(0u64..8);
    let order = || prop::collection::vec(order(), 0..2);
    prop_oneof![
        (prop::option::of(names(1..4)), filter(), limit(), order(), any::<bool>()).prop_map(
            |(columns, filter, limit, order_by, distinct)| Query {
                columns,
                filter,
                limit,
                order_by,
                distinct,
                ..Query::default()
            }
        ),
        (names(0..3), prop::collection::vec(measure(), 0..3), filter(), limit(), order()).prop_map(
            |(group_by, measures, filter, limit, order_by)| Query {
                group_by,
                measures,
                filter,
                limit,
                order_by,
                ..Query::default()
            }
        ),
    ]
}

/// The same table in the four source formats.
async fn sources(dir: &Path, table: &str) -> Vec<Source> {
    let source = csv(&dir.join("t.csv"));
    std::fs::write(&source.path, table).unwrap();
    let mut out = vec![source.clone()];
    for (format, name, kind) in [
        (OutputFormat::Ndjson, "t.ndjson", Format::Ndjson),
        (OutputFormat::Parquet, "t.parquet", Format::Parquet),
    ] {
        let (bytes, _) = answer(Job { format, ..job(source.clone(), people()) }).await.unwrap();
        let path = dir.join(name);
        std::fs::write(&path, &bytes).unwrap();
        out.push(Source { path, format: kind });
        if format == OutputFormat::Ndjson {
            let lines = String::from_utf8(bytes).unwrap();
            let path = dir.join("t.json");
            std::fs::write(&path, format!("[{}]", lines.lines().collect::<Vec<_>>().join(","))).unwrap();
            out.push(Source { path, format: Format::Json });
        }
    }
    out
}

/// Everything that a consumer can see of an answer.
async fn seen(source: &Source, restriction: &Restriction, query: &Query, format: OutputFormat) -> String {
    let mut job = Job {
        restriction: restriction.clone(),
        query: query.clone(),
        format,
        ..job(source.clone(), people())
    };
    // Small batches, so that hidden rows fall on their bounds.
    job.limits.batch_rows = 3;
    match answer(job).await {
        Ok((bytes, outcome)) => format!("{outcome:?} {bytes:?}"),
        Err(error) => format!("{error} {error:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hidden_rows_and_masked_values_change_nothing(
        persons in prop::collection::vec(person(), 0..25),
        hidden_a in prop::collection::vec(hidden(), 0..8),
        hidden_b in prop::collection::vec(hidden(), 0..8),
        queries in prop::collection::vec(query(), 6),
        linked in any::<bool>(),
        subject in prop::option::of(prop::sample::select(vec![
            Subject::Rows, Subject::Count("salary".into()), Subject::Key("id".into()),
        ])),
        format in prop::sample::select(vec![
            OutputFormat::Csv, OutputFormat::Ndjson, OutputFormat::Parquet, OutputFormat::ArrowStream,
            OutputFormat::CsvBom, OutputFormat::Json, OutputFormat::Xlsx,
        ]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let restriction = restriction(subject, linked);
            let a_sources = sources(a.path(), &table(&persons, &hidden_a, 0, linked)).await;
            let b_sources = sources(b.path(), &table(&persons, &hidden_b, 1, linked)).await;
            for query in &queries {
                let mut answers = std::collections::BTreeSet::new();
                for source in a_sources.iter().chain(&b_sources) {
                    answers.insert(seen(source, &restriction, query, format).await);
                }
                // Not only D and D': the source's format does not show either.
                assert_eq!(answers.len(), 1, "{query:?} {restriction:?}");
            }
        });
    }
}

#[tokio::test]
async fn the_property_would_notice() {
    // The same comparison over a column that is not masked: D and D' do differ there.
    let person = Person {
        id: 1,
        salary: Some(1),
        rate: 1,
        year: 1971,
        number: None,
        raw: [("1", 'a'), ("2", 'b')].map(|(c, t)| Raw {
            citizen: c.into(),
            before: String::new(),
            name_tail: t,
            day: 1,
            cents: 1,
        }),
    };
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a_sources = sources(a.path(), &table(std::slice::from_ref(&person), &[], 0, false)).await;
    let b_sources = sources(b.path(), &table(&[person], &[], 1, false)).await;
    for (x, y) in a_sources.iter().zip(&b_sources) {
        let open = Restriction::default();
        let query = Query::default();
        assert_ne!(
            seen(x, &open, &query, OutputFormat::Csv).await,
            seen(y, &open, &query, OutputFormat::Csv).await
        );
    }
}
