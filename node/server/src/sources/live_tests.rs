//! Live sources against a real server and a real file: what is pushed down changes no answer, nothing of the consumer's
//! reaches the source but what the allow-list lets through, and rows that do not keep their contract tell nobody anything.

use std::path::Path;

use dataplane::{
    AggregateOnly, Column, ColumnKind, Function, Job, Mask, Measure, Op, Predicate, Query, Restriction,
    Schema, Subject, Value, narrowing,
};
use serde_json::json;

use super::kinds_tests::servers::{Server, server};
use super::kinds_tests::{csv, job, record, seen, seen_live};
use super::{Description, live};
use crate::datasets;
use crate::operation::{Actor, Operation};

/// Values that sources and the house may see differently: not composed, empty, blank at the end, beyond 53 bits, near a
/// binary fraction, negative zero, of other time zones.
const ROWS: &str = "
    (1, 'Hà Nội', 'HN', 9007199254740993, 0.1, 0.1, true, '2023-03-08', '2023-03-08 01:00', '2023-03-08 01:00+07', 0.1),
    (2, 'Ha' || U&'\\0300' || ' Nội', 'HN  ', -1, 0.1000000000000000055511151231257827, -0.0, false, '2023-03-07', '2023-03-07 23:59:59.999999', '2023-03-07 18:00+00', 0.3),
    (3, '', '', 0, 0, 0.0, NULL, '0001-01-01', '0001-01-01 00:00', '0001-01-02 00:00+00', 0),
    (4, NULL, NULL, NULL, NULL, NULL, true, NULL, NULL, NULL, NULL),
    (5, U&'\\212Ac', 'K', 9007199254740992, 9007199254740993, 9007199254740993, false, '9999-12-31', '9999-12-31 23:59', '9999-12-31 00:00+00', 16777217),
    (6, 'hà nội', 'hn', 5, 1e-300, 5e-324, true, '2023-03-08', '2023-03-08 00:00', '2023-03-08 00:00+00', 1e-30),
    (7, 'O''Brien; DROP TABLE edges', 'x', 50, 50, 50, true, '2024-02-29', '2024-02-29 12:00', '2024-02-29 12:00+07', 50),
    (8, 'Hà', 'H', 49, 0.09999999999999999, 0.1, false, '2023-01-01', '2023-01-01 00:00', '2023-01-01 00:00+00', 0.09),
    (9, 'Z', 'Z', 100, 1e30, 1e30, true, '2023-03-09', '2023-03-08 01:00:00.000001', '2023-03-08 01:00:00.000001+00', 2),
    (10, 'ä', 'a', 7, 7, 7, true, '2023-03-09', '2023-03-09 00:00', '2023-03-09 00:00+00', 7)";
const COLUMNS: [(&str, ColumnKind, &str); 11] = [
    ("id", ColumnKind::Integer, "int4"),
    ("ten \"phường\"", ColumnKind::String, "text"),
    ("code", ColumnKind::String, "char(5)"),
    ("big", ColumnKind::Integer, "int8"),
    ("exact", ColumnKind::Number, "numeric"),
    ("float", ColumnKind::Number, "float8"),
    ("flag", ColumnKind::Boolean, "bool"),
    ("day", ColumnKind::Date, "date"),
    ("local", ColumnKind::Timestamp, "timestamp"),
    ("moment", ColumnKind::Timestamp, "timestamptz"),
    ("small", ColumnKind::Number, "float4"),
];

fn edges() -> Schema {
    Schema::new(COLUMNS.iter().map(|(name, kind, _)| Column::new(*name, *kind, true)).collect()).unwrap()
}

fn create(server: &Server, name: &str) {
    let types: Vec<String> =
        COLUMNS.iter().map(|(name, _, kind)| format!("\"{}\" {kind}", name.replace('"', "\"\""))).collect();
    server.admin(&format!(
        "CREATE TABLE {name} ({}); INSERT INTO {name} VALUES {ROWS}; GRANT SELECT ON {name} TO reader",
        types.join(", ")
    ));
}

fn described(server: &Server, more: &str) -> Description {
    Description::parse(&format!("mode = \"live\"\n{}", server.origin(more)), Path::new("/")).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Every operator with values at the edges of a kind.
fn predicates() -> Vec<Predicate> {
    let numbers = [0.1, 0.0, -0.0, 9_007_199_254_740_992.0, 50.0, 5e-324].map(Value::Number);
    let mut out = Vec::new();
    for (name, kind, _) in COLUMNS {
        let values: Vec<Value> = match kind {
            ColumnKind::String => {
                ["Hà Nội", "HN", "K", "Kc", "", "H", "Z", "O'Brien; DROP TABLE edges"].map(text).to_vec()
            }
            ColumnKind::Integer => [0, 5, 9_007_199_254_740_992, -1].map(Value::Integer).to_vec(),
            ColumnKind::Number => numbers.to_vec(),
            ColumnKind::Boolean => [true, false].map(Value::Boolean).to_vec(),
            ColumnKind::Date => ["2023-03-08", "0001-01-01", "9999-12-31"].map(text).to_vec(),
            ColumnKind::Timestamp => {
                ["2023-03-08T01:00:00", "2023-03-08T01:00:00+07:00", "2023-03-08", "0001-01-01T00:00:00"]
                    .map(text)
                    .to_vec()
            }
        };
        for op in [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::StartsWith, Op::NotIn] {
            out.extend(values.iter().map(|value| Predicate::new(name, op, vec![value.clone()])));
        }
        out.push(Predicate::new(name, Op::In, values.clone()));
        out.push(Predicate::new(name, Op::Between, values[..2].to_vec()));
        out.extend([Op::IsNull, Op::IsNotNull].map(|op| Predicate::new(name, op, vec![])));
    }
    out
}

/// Puts each predicate as the policy's and as the consumer's to a live source and to all of its rows.
async fn the_same_with_and_without(described: &Description, expected: usize) {
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("all");
    let open = job(csv(all.join("rows.csv")), edges());
    let whole = narrowing(&open).await.unwrap();
    let everything = live::fetch(described, &record(&open.schema), &open, &whole, &all).await.unwrap();
    assert_eq!((everything.rows, everything.pushed), (10, (0, 0)));
    let (mut pushed, mut fewer, mut answered) = (0, 0, 0);
    for (place, predicate) in predicates().into_iter().enumerate() {
        let mut job = open.clone();
        match place % 2 {
            0 => job.query.filter = vec![predicate.clone()],
            _ => job.restriction.row_filter = vec![predicate.clone()],
        }
        let unpushed = seen(job.clone()).await;
        let (told, written) = seen_live(described, &job, &folder.path().join("one")).await;
        assert_eq!(told, unpushed, "{predicate:?}");
        let Some(written) = written else { continue };
        answered += 1;
        pushed += written.pushed.0 + written.pushed.1;
        fewer += usize::from(written.rows < 10);
    }
    assert!(answered > 200, "{answered}");
    assert!(
        pushed >= expected && fewer > expected / 2,
        "{pushed} of {answered} pushed, {fewer} read fewer rows"
    );
}

#[tokio::test]
async fn what_postgresql_filters_changes_no_answer() {
    let Some(server) = server() else { return };
    create(&server, "edges");
    the_same_with_and_without(&described(&server, "table = \"public.edges\""), 150).await;
}

#[tokio::test]
async fn what_sqlite_filters_changes_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(dir.path().join("e.db")).unwrap();
    let types: Vec<String> =
        COLUMNS.iter().map(|(name, ..)| format!("\"{}\"", name.replace('"', "\"\""))).collect();
    db.execute_batch(&format!("CREATE TABLE edges ({})", types.join(", "))).unwrap();
    // Text, numbers and numbers as text, as SQLite lets them stand side by side.
    db.execute_batch(
        "INSERT INTO edges VALUES
         (1, 'Hà Nội', 'HN', 9007199254740993, 0.1, 0.1, 'true', '2023-03-08', '2023-03-08 01:00:00', '2023-03-08T01:00:00+07:00', 0.1),
         (2, 'Ha' || char(768) || ' Nội', 'HN  ', -1, '0.10', -0.0, 'FALSE', '2023-03-07', '2023-03-07T23:59:59.999999', '2023-03-07T18:00:00Z', 0.3),
         (3, '', '', 0, 0, 0.0, NULL, '0001-01-01', '0001-01-01T00:00:00', '0001-01-02T00:00:00Z', 0),
         (4, NULL, NULL, NULL, NULL, NULL, 'true', NULL, NULL, NULL, NULL),
         (5, char(8490) || 'c', 'K', 9007199254740992, 9007199254740993, 9007199254740993.0, 'false', '9999-12-31', '9999-12-31T23:59:00', '9999-12-31T00:00:00Z', 16777217),
         (6, 'hà nội', 'hn', '5', 1e-300, 5e-324, 'true', '2023-03-08', '2023-03-08T00:00:00', '2023-03-08T00:00:00Z', 1e-30),
         (7, 'O''Brien; DROP TABLE edges', 'x', 50, 50, 50, 'true', '2024-02-29', '2024-02-29T12:00:00', '2024-02-29T12:00:00Z', '50'),
         (8, 'Hà', 'H', 49, 0.09999999999999999, 0.1, 'false', '2023-01-01', '2023-01-01T00:00:00', '2023-01-01T00:00:00Z', 0.09),
         (9, 'Z', 5, 100, 1e30, 1e30, 'true', '2023-03-09', '2023-03-08T01:00:00.000001', '2023-03-08T01:00:00.000001Z', 2),
         (10, 'ä', 'a', 7, 7, 7, 'true', '2023-03-09', '2023-03-09T00:00:00', '2023-03-09T00:00:00Z', 7)",
    )
    .unwrap();
    let described = Description::parse(
        "mode = \"live\"\ntype = \"sqlite\"\nfile = \"e.db\"\ntable = \"edges\"",
        dir.path(),
    )
    .unwrap();
    the_same_with_and_without(&described, 60).await;
}

/// A restriction over the edges: one column masked, one not granted, rows filtered.
fn restriction() -> Restriction {
    Restriction {
        columns: Some(["id", "code", "exact", "day"].map(str::to_owned).to_vec()),
        masks: [("code".to_owned(), Mask::ShowFirst(1))].into(),
        row_filter: vec![Predicate::new("flag", Op::Eq, vec![Value::Boolean(true)])],
        ..Restriction::default()
    }
}

/// What the role `reader` said to the server, statements with their values.
fn log(server: &Server) -> String {
    std::fs::read_to_string(server.path("log")).unwrap()
}

#[tokio::test]
async fn the_server_hears_of_the_policy_and_of_the_allow_list_and_of_nothing_else() {
    let Some(server) = server() else { return };
    create(&server, "heard");
    let described = described(&server, "table = \"public.heard\"");
    server.admin("ALTER ROLE reader SET log_statement = 'all'");
    let one = |column: &str, op, value: Value| Predicate::new(column, op, vec![value]);
    let filter = vec![
        one("id", Op::Gt, Value::Integer(4_711)),
        one("code", Op::Eq, text("MASKED-CODE")),
        one("code", Op::StartsWith, text("MASKED-PREFIX")),
        one("day", Op::NotIn, text("1977-07-07")),
    ];
    let folder = tempfile::tempdir().unwrap();
    let rows = Job { restriction: restriction(), ..job(csv("".into()), edges()) };
    let of = |query: Query| Job { query, ..rows.clone() };
    let columns = Some(vec!["exact".to_owned()]);
    let (told, written) =
        seen_live(&described, &of(Query { columns, filter, ..Query::default() }), folder.path()).await;
    assert!(!told.starts_with("ERROR") && written.unwrap().pushed == (1, 1), "{told}");
    // Groups that may be withheld: nothing of the consumer's goes down, and no figure is computed there.
    let mut groups = of(Query {
        measures: vec![Measure::new(Function::Sum, Some("exact"))],
        filter: vec![one("day", Op::Eq, text("1988-08-08"))],
        ..Query::default()
    });
    groups.restriction.aggregate_only = Some(AggregateOnly {
        k: 2,
        subject: Subject::Key("big".into()),
        group_by: vec!["day".into()],
        disclosure: Default::default(),
    });
    let (told, written) = seen_live(&described, &groups, folder.path()).await;
    assert!(!told.starts_with("ERROR") && written.unwrap().pushed == (1, 0), "{told}");
    let log = log(&server);
    let heard: Vec<&str> = log.split("DECLARE tram").filter(|part| part.contains("\"heard\"")).collect();
    assert!(heard.len() >= 2 && log.contains("4711"), "the log says nothing: {log}");
    for secret in ["MASKED-CODE", "MASKED-PREFIX", "1977-07-07", "1988-08-08"] {
        assert!(!log.contains(secret), "{secret} reached the server");
    }
    for part in heard {
        let statement = part.lines().next().unwrap();
        let (select, filter) = statement.split_once(" WHERE ").unwrap();
        assert!(!select.contains("local") && !select.contains("sum("), "more than is needed: {statement}");
        assert!(
            filter.contains("\"flag\"") && !filter.contains("\"code\"") && !filter.contains("\"day\""),
            "{statement}"
        );
        assert!(!filter.contains("4711"), "a value stands in the statement: {statement}");
    }
}

#[tokio::test]
async fn rows_come_in_the_order_of_the_table_whatever_index_would_find_them() {
    let Some(server) = server() else { return };
    server.admin(
        "CREATE TABLE ordered AS SELECT (g * 7919) % 20011 AS id, repeat('x', 50) AS code FROM generate_series(1, 20000) g;
         CREATE INDEX ON ordered (id); ANALYZE ordered; GRANT SELECT ON ordered TO reader",
    );
    let described = described(&server, "table = \"public.ordered\"");
    let schema = Schema::new(vec![
        Column::new("id", ColumnKind::Integer, true),
        Column::new("code", ColumnKind::String, true),
    ])
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let filter = vec![Predicate::new("id", Op::Between, vec![Value::Integer(100), Value::Integer(120)])];
    let job = Job { query: Query { filter, ..Query::default() }, ..job(csv("".into()), schema) };
    let (told, written) = seen_live(&described, &job, folder.path()).await;
    assert_eq!(written.unwrap().rows, 21);
    let ids: Vec<&str> = told.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    let want = server.admin("SELECT id FROM ordered WHERE id BETWEEN 100 AND 120 ORDER BY ctid");
    assert_eq!(ids, want.lines().collect::<Vec<_>>());
}

#[tokio::test]
async fn names_that_are_sql_are_names() {
    let Some(server) = server() else { return };
    let evil = "x\"; DROP TABLE edges; --";
    let quoted = format!("\"{}\"", evil.replace('"', "\"\""));
    server.admin(&format!(
        "CREATE TABLE {quoted} ({quoted} int8, b text); INSERT INTO {quoted} VALUES (1, 'a'), (2, 'b');
         GRANT SELECT ON {quoted} TO reader"
    ));
    let more = format!("table = 'public.{quoted}'");
    let described = described(&server, &more);
    let schema = Schema::new(vec![
        Column::new(evil, ColumnKind::Integer, true),
        Column::new("b", ColumnKind::String, true),
    ])
    .unwrap();
    let filter = vec![
        Predicate::new(evil, Op::Ge, vec![Value::Integer(2)]),
        Predicate::new("b", Op::Ne, vec![text("'); DROP TABLE edges; --")]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let job = Job { query: Query { filter, ..Query::default() }, ..job(csv("".into()), schema) };
    let (told, written) = seen_live(&described, &job, folder.path()).await;
    assert_eq!(written.unwrap().pushed, (0, 2));
    assert!(told.ends_with("\n2,b\n"), "{told}");
}

#[tokio::test]
async fn rows_that_break_their_contract_end_an_answer_only_where_they_are_shown() {
    let Some(server) = server() else { return };
    let mut columns = edges().columns().to_vec();
    columns[7].nullable = false;
    let schema = Schema::new(columns).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let job = |query: Query| Job { restriction: restriction(), query, ..job(csv("".into()), schema.clone()) };
    let ask = |columns: &[&str]| Query {
        columns: Some(columns.iter().map(|c| (*c).to_owned()).collect()),
        filter: vec![Predicate::new("id", Op::Ne, vec![Value::Integer(4)])],
        ..Query::default()
    };
    for (number, (hidden, shown)) in [
        ("day = 'infinity'", "day = 'infinity'"),
        ("day = NULL", "day = NULL"),
        ("exact = 'NaN'", "exact = 'NaN'"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("broken{number}");
        create(&server, &name);
        let described = described(&server, &format!("table = \"public.{name}\""));
        let queries = [ask(&["id", "day", "exact"]), ask(&["id"]), Query::default()];
        let mut before = Vec::new();
        for query in &queries[..2] {
            before.push(seen_live(&described, &job(query.clone()), folder.path()).await.0);
        }
        assert!(!before[0].starts_with("NOT READ"), "{}", before[0]);
        server.admin(&format!("UPDATE {name} SET {hidden} WHERE NOT flag"));
        // Other rows lie in other places now; what is compared is what is told of them.
        let sorted = |told: &str| {
            let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        for (query, before) in queries.iter().zip(&before) {
            let (told, _) = seen_live(&described, &job(query.clone()), folder.path()).await;
            assert_eq!(sorted(&told), sorted(before), "{hidden}");
        }
        server.admin(&format!("UPDATE {name} SET {shown} WHERE flag AND id = 7"));
        let (told, _) = seen_live(&described, &job(queries[0].clone()), folder.path()).await;
        assert!(told.starts_with("NOT READ") && told.contains("column `"), "{told}");
        assert!(!told.contains("infinity") && !told.contains("NaN"), "{told}");
        // A question that does not need the column is answered.
        let (told, _) = seen_live(&described, &job(queries[1].clone()), folder.path()).await;
        assert_eq!(sorted(&told), sorted(&before[1]));
    }
}

#[tokio::test]
async fn a_view_computes_the_same_whatever_is_asked_of_it() {
    let Some(server) = server() else { return };
    server.admin(
        "CREATE TABLE paid (id int8, shown bool, part int8); INSERT INTO paid VALUES (1, true, 2), (2, false, 0);
         CREATE VIEW shares AS SELECT id, shown, 100 / part AS share FROM paid; GRANT SELECT ON shares TO reader",
    );
    let described = described(&server, "table = \"public.shares\"");
    let kinds = [("id", ColumnKind::Integer), ("shown", ColumnKind::Boolean), ("share", ColumnKind::Integer)];
    let schema =
        Schema::new(kinds.iter().map(|(name, kind)| Column::new(*name, *kind, true)).collect()).unwrap();
    let mut job = job(csv("".into()), schema);
    job.restriction.row_filter = vec![Predicate::new("shown", Op::Eq, vec![Value::Boolean(true)])];
    let folder = tempfile::tempdir().unwrap();
    for filter in [vec![], vec![Predicate::new("share", Op::Eq, vec![Value::Integer(50)])]] {
        job.query.filter = filter;
        let (told, written) = seen_live(&described, &job, folder.path()).await;
        // The policy's condition goes down and keeps the division by zero away; the consumer's stays here.
        assert_eq!(written.unwrap().pushed, (1, 0), "{told}");
        assert!(told.ends_with("\n1,true,50\n"), "{told}");
    }
    // Without the policy the view fails, and does so whatever columns are asked for.
    job.restriction.row_filter.clear();
    for columns in [vec!["id".to_owned()], vec!["share".to_owned()]] {
        job.query = Query { columns: Some(columns), ..Query::default() };
        let (told, _) = seen_live(&described, &job, folder.path()).await;
        assert!(told.starts_with("NOT READ"), "{told}");
    }
}

#[test]
fn an_account_that_may_do_more_than_read_is_refused_live_and_told_of_otherwise() {
    let Some(server) = server() else { return };
    server.admin(
        "CREATE TABLE rights (a int); GRANT SELECT ON rights TO reader;
         CREATE ROLE owner LOGIN PASSWORD 'pw'; CREATE TABLE owned (a int); ALTER TABLE owned OWNER TO owner;
         REVOKE ALL ON owned FROM owner; GRANT SELECT ON owned, rights TO owner;
         CREATE ROLE above LOGIN PASSWORD 'pw' BYPASSRLS; GRANT SELECT ON rights TO above;
         CREATE ROLE cutter LOGIN PASSWORD 'pw'; GRANT SELECT, TRUNCATE ON rights TO cutter",
    );
    std::fs::write(server.path("pw"), "pw").unwrap();
    let of = |user: &str, table: &str, mode: &str| {
        let password = server.path("pw");
        let more = match user {
            "reader" => format!("table = \"public.{table}\""),
            _ => format!("user = {user:?}\npassword = {{ file = {password:?} }}\ntable = \"public.{table}\""),
        };
        Description::parse(&format!("mode = {mode:?}\n{}", server.origin(&more)), Path::new("/"))
            .unwrap()
            .check()
    };
    assert!(of("reader", "rights", "live").unwrap().remarks.is_empty());
    for (user, table) in [("owner", "owned"), ("above", "rights"), ("cutter", "rights")] {
        let told = of(user, table, "live").unwrap_err().to_string();
        assert!(told.contains("SELECT only"), "{user}: {told}");
        assert!(of(user, table, "snapshot").unwrap().may_write(), "{user}");
    }
}

fn visits(dir: &Path, sql: &str) {
    rusqlite::Connection::open(dir.join("v.db")).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_column_that_is_gone_or_changed_its_case_is_an_error_and_not_a_column_without_values() {
    let dir = tempfile::tempdir().unwrap();
    let description = "mode = \"live\"\ntype = \"sqlite\"\nfile = \"v.db\"\ntable = \"v\"\n";
    let described = Description::parse(description, dir.path()).unwrap();
    let columns = [("id", ColumnKind::Integer), ("ward", ColumnKind::String)];
    let schema =
        Schema::new(columns.iter().map(|(name, kind)| Column::new(*name, *kind, true)).collect()).unwrap();
    let mut open = job(csv("".into()), schema);
    // Where `ward` reads as a column without values, this rule shows everything.
    open.restriction.row_filter = vec![Predicate::new("ward", Op::IsNull, vec![])];
    let folder = dir.path().join("question.rows");
    visits(dir.path(), "CREATE TABLE v (id INTEGER, ward TEXT); INSERT INTO v VALUES (1, 'A')");
    let (told, _) = seen_live(&described, &open, &folder).await;
    assert!(told.ends_with("id,ward\n"), "{told}");
    for change in ["RENAME COLUMN ward TO Ward", "RENAME COLUMN Ward TO quarter", "DROP COLUMN quarter"] {
        visits(dir.path(), &format!("ALTER TABLE v {change}"));
        let (told, _) = seen_live(&described, &open, &folder).await;
        assert!(told.starts_with("NOT READ") && told.contains("ward"), "{change}: {told}");
    }
}

#[tokio::test]
async fn a_value_that_is_too_large_ends_an_answer_where_it_is_shown_and_is_never_a_missing_one() {
    let dir = tempfile::tempdir().unwrap();
    visits(
        dir.path(),
        "CREATE TABLE v (id INTEGER, shown TEXT, note TEXT, scan BLOB);
         INSERT INTO v VALUES (1, 'true', 'a', x'00'), (2, 'true', 'b', x'00'), (3, 'false', 'c', x'00');
         CREATE VIEW w AS SELECT * FROM v",
    );
    let columns = [("id", ColumnKind::Integer), ("shown", ColumnKind::Boolean), ("note", ColumnKind::String)];
    let columns = columns.iter().map(|(name, kind)| Column::new(*name, *kind, true));
    let columns = columns.chain([Column::new("scan", ColumnKind::String, true)]).collect();
    let mut open = job(csv("".into()), Schema::new(columns).unwrap());
    open.restriction.row_filter = vec![Predicate::new("shown", Op::Eq, vec![Value::Boolean(true)])];
    let folder = dir.path().join("question.rows");
    // A view gives all of its columns, whatever is asked.
    for table in ["v", "w"] {
        let description =
            format!("mode = \"live\"\ntype = \"sqlite\"\nfile = \"v.db\"\ntable = \"{table}\"\n");
        let described = Description::parse(&description, dir.path()).unwrap();
        let asked = async |columns: &[&str]| {
            let columns = Some(columns.iter().map(|c| (*c).to_owned()).collect());
            let job = Job { query: Query { columns, ..Query::default() }, ..open.clone() };
            seen_live(&described, &job, &folder).await.0
        };
        for large in ["replace(hex(zeroblob(1000000)), '00', 'xx')", "x'00'"] {
            visits(dir.path(), &format!("UPDATE v SET note = {large} WHERE id = 3"));
            let told = asked(&["id", "note"]).await;
            assert!(told.ends_with("id,note\n1,a\n2,b\n"), "{table}: {told}");
            visits(dir.path(), &format!("UPDATE v SET note = {large} WHERE id = 1"));
            let told = asked(&["id", "note"]).await;
            assert!(told.starts_with("NOT READ") && told.contains("`note`"), "{table}: {told}");
            // What is not needed takes nothing else along.
            let told = asked(&["id"]).await;
            assert!(told.ends_with("id\n1\n2\n"), "{table}: {told}");
            visits(dir.path(), "UPDATE v SET note = 'a' WHERE id = 1; UPDATE v SET note = 'c' WHERE id = 3");
        }
    }
}

#[tokio::test]
async fn a_question_is_read_once_also_after_a_restart_and_another_one_anew() {
    let (dir, node) = crate::testing::node().await;
    visits(dir.path(), "CREATE TABLE v (id INTEGER, ward TEXT); INSERT INTO v VALUES (1, 'A'), (2, 'B')");
    let file = dir.path().join("v.toml");
    std::fs::write(&file, "mode = \"live\"\ntype = \"sqlite\"\nfile = \"v.db\"\ntable = \"v\"\n").unwrap();
    let operation = Operation::begin(Actor::Local, &node.clock);
    let new = serde_json::from_value(json!({"path": file, "name": "v"})).unwrap();
    let added = datasets::add(&node, &operation, new).await.unwrap();
    assert!(added.dataset.record.columns.iter().all(|c| c.nullable), "the first rows promise nothing");
    let dataset = datasets::validate(&node, &operation, "v").await.unwrap();
    let job = |query: Query| Job { query, ..job(dataset.source(), dataset.schema().unwrap()) };
    let folder = dir.path().join("question.rows");
    let read = async |query: Query| {
        let job = job(query);
        let reading = live::read(&node, &dataset, &job, folder.clone()).await?.unwrap();
        crate::error::Result::Ok((seen(Job { source: reading.source(), ..job }).await, reading))
    };
    let (first, _) = read(Query::default()).await.unwrap();
    assert!(first.ends_with("id,ward\n1,A\n2,B\n"), "{first}");
    visits(dir.path(), "INSERT INTO v VALUES (3, 'A')");
    // Made again after a kill: the same rows, so the chunks that somebody has already stay right.
    assert_eq!(read(Query::default()).await.unwrap().0, first);
    // Torn in the middle: what is there is not taken for whole.
    std::fs::remove_file(folder.join("asked.json")).unwrap();
    std::fs::write(folder.join("rows.part"), "id,ward\n1").unwrap();
    let (again, _) = read(Query::default()).await.unwrap();
    assert!(again.ends_with("\n3,A\n"), "{again}");
    let filter = vec![Predicate::new("ward", Op::Eq, vec![text("B")])];
    let (other, reading) = read(Query { filter: filter.clone(), ..Query::default() }).await.unwrap();
    assert!(other.ends_with("id,ward\n2,B\n"), "{other}");
    assert!(!std::fs::read_to_string(folder.join("asked.json")).unwrap().contains("ward = "));
    reading.done();
    assert!(!folder.exists(), "the rows of an answered question are kept");
    // A source that is gone is told to the steward, and no reason to who asks.
    std::fs::rename(dir.path().join("v.db"), dir.path().join("away.db")).unwrap();
    let told = read(Query::default()).await.unwrap_err();
    assert!(matches!(told, crate::error::Error::Internal(_)), "{told}");
    let state = || super::state(&node, "v").unwrap().unwrap();
    let problem = || state().problem;
    assert!(problem().unwrap().contains("v.db"));
    // It says when that was last so.
    let first = state().problem_at.expect("a time");
    super::keep_state(&node, "v", &super::State { problem_at: Some(first - 100), ..state() }).unwrap();
    read(Query::default()).await.unwrap_err();
    assert!(state().problem_at.is_some_and(|at| at >= first), "{:?}", state());
    std::fs::rename(dir.path().join("away.db"), dir.path().join("v.db")).unwrap();
    read(Query::default()).await.unwrap();
    assert_eq!((problem(), state().problem_at), (None, None), "it goes well again");
    // Taken for a snapshot again: the few rows in the node are not served as if they were all.
    let kept = super::description_path(&node, "v");
    let live = std::fs::read_to_string(&kept).unwrap();
    std::fs::write(&kept, live.replace("mode = \"live\"", "")).unwrap();
    let job = job(Query::default());
    let told = live::read(&node, &dataset, &job, folder.clone()).await.unwrap_err().to_string();
    assert!(told.contains("source refresh v"), "{told}");
    super::refresh(&node, &operation, "v").await.unwrap();
    assert!(live::read(&node, &dataset, &job, folder.clone()).await.unwrap().is_none());
    crate::boot::close(&node).await;
}
