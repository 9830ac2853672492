//! SQL as another way to write a query: what it says, what it refuses and where, and that no text can do more.

use dataplane::limits::{SQL_BYTES_MAX, SQL_JOINTS_MAX};
use dataplane::{DataError, Function, Job, Measure, Op, Order, Predicate, Query, SqlError, Test, Value};
use proptest::prelude::*;

use crate::common::{csv, job, people, text};

fn parse(sql: &str) -> Query {
    Query::from_sql(sql, "air-hourly").unwrap_or_else(|e| panic!("{sql}: {e}"))
}

fn refused(sql: &str) -> SqlError {
    match Query::from_sql(sql, "air-hourly") {
        Err(error) => error,
        Ok(query) => panic!("{sql} was taken as {query:?}"),
    }
}

fn integers(values: &[i64]) -> Vec<Value> {
    values.iter().map(|n| Value::Integer(*n)).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn a_select_is_the_query_that_says_the_same() {
    assert_eq!(parse("SELECT * FROM this_dataset"), Query::default());
    assert_eq!(
        parse("select \"UTC Time\", tỉnh, AQI from \"air-hourly\" where AQI >= 120 limit 10;"),
        Query {
            columns: Some(names(&["UTC Time", "tỉnh", "AQI"])),
            filter: vec![Predicate::new("AQI", Op::Ge, integers(&[120]))],
            limit: Some(10),
            ..Query::default()
        }
    );
    let named = |function, column: Option<&str>, name: &str| Measure {
        name: Some(name.to_owned()),
        ..Measure::new(function, column)
    };
    assert_eq!(
        parse(
            "SELECT province, count(*), Sum(cases) AS cases, avg(\"PM 2.5\") AS \"mean PM 2.5\", min(x), max(x)
             FROM this_dataset -- by province
             WHERE year = 2015 GROUP BY province ORDER BY cases DESC, province"
        ),
        Query {
            group_by: names(&["province"]),
            measures: vec![
                Measure::new(Function::Count, None),
                named(Function::Sum, Some("cases"), "cases"),
                named(Function::Avg, Some("PM 2.5"), "mean PM 2.5"),
                Measure::new(Function::Min, Some("x")),
                Measure::new(Function::Max, Some("x")),
            ],
            filter: vec![Predicate::new("year", Op::Eq, integers(&[2015]))],
            order_by: vec![
                Order { column: "cases".into(), descending: true },
                Order { column: "province".into(), descending: false },
            ],
            ..Query::default()
        }
    );
    let different = Query { columns: Some(names(&["b", "a"])), distinct: true, ..Query::default() };
    assert_eq!(parse("SELECT DISTINCT b, a FROM this_dataset"), different);
    assert_eq!(parse("SELECT b, a FROM this_dataset GROUP BY a, b"), different);
}

#[test]
fn each_condition_is_the_predicate_that_says_the_same() {
    let text = |t: &str| vec![Value::Text(t.to_owned())];
    let p = |op, values| vec![Predicate::new("a", op, values)];
    let or = |op, values, tests: &[(Op, Vec<Value>)]| {
        let or = tests.iter().map(|(op, values)| Test { op: *op, values: values.clone() }).collect();
        vec![Predicate { or, ..Predicate::new("a", op, values) }]
    };
    for (condition, expected) in [
        ("a = 1", p(Op::Eq, integers(&[1]))),
        ("1 < a", p(Op::Gt, integers(&[1]))),
        ("NOT 1 < a", p(Op::Le, integers(&[1]))),
        ("a != -1", p(Op::Ne, integers(&[-1]))),
        ("a <> 1.5", p(Op::Ne, vec![Value::Number(1.5)])),
        ("a >= 9223372036854775808", p(Op::Ge, vec![Value::Number(9_223_372_036_854_775_808.0)])),
        ("a = 'O''Neill -- x; y'", p(Op::Eq, text("O'Neill -- x; y"))),
        ("a = 'c:\\new'", p(Op::Eq, text("c:\\new"))),
        ("a = true", p(Op::Eq, vec![Value::Boolean(true)])),
        ("a > DATE '2023-03-08'", p(Op::Gt, text("2023-03-08"))),
        ("a <= TIMESTAMP '2023-03-08 01:00:00'", p(Op::Le, text("2023-03-08 01:00:00"))),
        ("a IN (1, 2, -3)", p(Op::In, integers(&[1, 2, -3]))),
        ("a NOT IN (1)", p(Op::NotIn, integers(&[1]))),
        ("NOT (a NOT IN (1))", p(Op::In, integers(&[1]))),
        ("a BETWEEN 1 AND 2", p(Op::Between, integers(&[1, 2]))),
        ("a NOT BETWEEN 1 AND 2", p(Op::NotBetween, integers(&[1, 2]))),
        ("a IS NULL", p(Op::IsNull, vec![])),
        ("NOT a IS NULL", p(Op::IsNotNull, vec![])),
        ("a LIKE 'Hà N%'", p(Op::StartsWith, text("Hà N"))),
        ("a NOT LIKE 'Hà N%'", p(Op::NotStartsWith, text("Hà N"))),
        ("a LIKE 'Hà Nội'", p(Op::Eq, text("Hà Nội"))),
        ("a = 1 OR a = 2 OR a IN (3, 4)", p(Op::In, integers(&[1, 2, 3, 4]))),
        ("a = 1 OR a IS NULL", or(Op::Eq, integers(&[1]), &[(Op::IsNull, vec![])])),
        ("NOT (a > 1 AND a < 5)", or(Op::Le, integers(&[1]), &[(Op::Ge, integers(&[5]))])),
        (
            "(a BETWEEN 1 AND 2 OR a BETWEEN 5 AND 6)",
            or(Op::Between, integers(&[1, 2]), &[(Op::Between, integers(&[5, 6]))]),
        ),
    ] {
        assert_eq!(
            parse(&format!("SELECT * FROM this_dataset WHERE {condition}")).filter,
            expected,
            "{condition}"
        );
    }
    let both = parse("SELECT * FROM this_dataset WHERE (a = 1 AND b = 2) AND NOT (c = 3 OR d = 4)").filter;
    let ops: Vec<(&str, Op)> = both.iter().map(|p| (p.column.as_str(), p.op)).collect();
    assert_eq!(ops, [("a", Op::Eq), ("b", Op::Eq), ("c", Op::Ne), ("d", Op::Ne)]);
}

#[test]
fn what_is_not_of_the_subset_is_refused_with_its_name_and_place() {
    let mut wrong = Vec::new();
    for (sql, line, column, what) in [
        ("", 1, 1, "there is no query"),
        ("EXPLAIN ANALYZE SELECT * FROM this_dataset", 1, 1, "not with `EXPLAIN`"),
        ("COPY this_dataset TO '/tmp/x'", 1, 1, "not with `COPY`"),
        ("WITH t AS (SELECT 1) SELECT * FROM t", 1, 1, "not with `WITH`"),
        ("(SELECT * FROM this_dataset)", 1, 1, "not with `(`"),
        ("SELECT * FROM this_dataset; DROP TABLE x", 1, 29, "a second statement (`DROP`)"),
        ("SELECT * FROM this_dataset; SELECT 1", 1, 29, "a second statement (`SELECT`)"),
        ("SELECT a FROM this_dataset\nJOIN other USING (a)", 2, 1, "JOIN"),
        ("SELECT a FROM this_dataset LEFT JOIN other ON 1 = 1", 1, 28, "JOIN"),
        ("SELECT a FROM this_dataset, other", 1, 29, "a second table"),
        ("SELECT a FROM (SELECT * FROM this_dataset) AS t", 1, 0, "a subquery in FROM"),
        ("SELECT a FROM read_csv('/etc/passwd')", 1, 15, "a table function"),
        ("SELECT a FROM '/etc/passwd'", 1, 10, "there is no table"),
        ("SELECT a FROM information_schema.tables", 1, 15, "there is no table"),
        ("SELECT a FROM This_Dataset", 1, 15, "there is no table"),
        ("SELECT a FROM this_dataset AS t", 1, 31, "another name for the dataset"),
        ("SELECT a", 1, 8, "FROM is missing"),
        ("SELECT a FROM this_dataset UNION ALL SELECT b FROM this_dataset", 1, 28, "UNION"),
        ("SELECT a FROM this_dataset EXCEPT SELECT b FROM this_dataset", 1, 28, "EXCEPT"),
        ("SELECT a + 1 FROM this_dataset", 1, 10, "arithmetic (`+`)"),
        ("SELECT a FROM this_dataset WHERE 1000 / a > 0", 1, 39, "arithmetic (`/`)"),
        ("SELECT a FROM this_dataset WHERE a - 1 > 0", 1, 34, "arithmetic"),
        ("SELECT a FROM this_dataset WHERE a * 2 > 0", 1, 34, "arithmetic"),
        ("SELECT a::int FROM this_dataset", 1, 9, "a cast (`::`)"),
        ("SELECT a FROM this_dataset WHERE CAST(a AS int) > 0", 1, 0, "a cast"),
        ("SELECT a FROM this_dataset WHERE TRY_CAST(a AS int) > 0", 1, 0, "a cast"),
        ("SELECT upper(a) FROM this_dataset", 1, 8, "the function `upper`"),
        (
            "SELECT a FROM this_dataset WHERE length(a) > 3",
            1,
            34,
            "the function `length` cannot be used in WHERE",
        ),
        ("SELECT a FROM this_dataset WHERE substring(a, 1, 2) = 'x'", 1, 0, "cannot be used"),
        ("SELECT sum(a) OVER () FROM this_dataset", 1, 8, "a window"),
        ("SELECT count(DISTINCT a) FROM this_dataset", 1, 8, "`count(DISTINCT …)`"),
        ("SELECT count(1) FROM this_dataset", 1, 14, "`1` stands where a column is named"),
        ("SELECT sum(*) FROM this_dataset", 1, 8, "of this cannot be computed"),
        ("SELECT sum(a) FILTER (WHERE a > 0) FROM this_dataset", 1, 8, "FILTER"),
        ("SELECT CASE WHEN a = 1 THEN 2 END FROM this_dataset", 1, 8, "CASE"),
        ("SELECT (SELECT max(a) FROM this_dataset) FROM this_dataset", 1, 0, "a subquery"),
        ("SELECT a FROM this_dataset WHERE EXISTS (SELECT 1)", 1, 0, "a subquery"),
        ("SELECT a FROM this_dataset WHERE a IN (SELECT b FROM other)", 1, 34, "a subquery"),
        ("SELECT a FROM this_dataset WHERE a = b", 1, 34, "a comparison of two columns"),
        ("SELECT a FROM this_dataset WHERE a = \"b\"", 1, 34, "a comparison of two columns"),
        ("SELECT a FROM this_dataset WHERE a = NULL", 1, 38, "NULL"),
        ("SELECT a FROM this_dataset WHERE a", 1, 34, "`a` alone is no comparison"),
        ("SELECT a FROM this_dataset WHERE 1 = 1", 1, 34, "`1` is compared and is no column"),
        ("SELECT a FROM this_dataset WHERE true", 1, 34, "a value alone"),
        ("SELECT a FROM this_dataset WHERE a = 1 OR b = 2", 1, 34, "OR of two columns (`a` and `b`)"),
        ("SELECT a FROM this_dataset WHERE a = 1 OR (a = 2 AND b = 3)", 1, 44, "AND within OR"),
        ("SELECT a FROM this_dataset WHERE NOT (a = 1 AND b = 3)", 1, 39, "OR of two columns"),
        ("SELECT a FROM this_dataset WHERE a LIKE '%x'", 1, 41, "the beginning of a text only"),
        ("SELECT a FROM this_dataset WHERE a LIKE 'a_c%'", 1, 41, "the beginning of a text only"),
        ("SELECT a FROM this_dataset WHERE a LIKE 'x%' ESCAPE '!'", 1, 34, "this LIKE"),
        ("SELECT a FROM this_dataset WHERE a ILIKE 'x%'", 1, 34, "ILIKE"),
        ("SELECT a FROM this_dataset WHERE this_dataset.a = 1", 1, 34, "a name with a dot"),
        ("SELECT a FROM this_dataset WHERE (a, b) = (1, 2)", 1, 0, "a list of columns"),
        ("SELECT a FROM this_dataset WHERE a = ?", 1, 38, "a parameter"),
        ("SELECT a FROM this_dataset WHERE a = $1", 1, 38, "a parameter"),
        ("SELECT a FROM this_dataset WHERE a = X'41'", 1, 38, "this kind of text"),
        ("SELECT a AS b FROM this_dataset", 1, 13, "cannot be given another name"),
        ("SELECT *, a FROM this_dataset", 1, 8, "`*` cannot go with other columns"),
        ("SELECT a, count(*) FROM this_dataset", 1, 8, "`a` is neither grouped by nor computed"),
        ("SELECT count(*) FROM this_dataset GROUP BY a", 1, 44, "`a` is grouped by and not selected"),
        ("SELECT count(*), a FROM this_dataset GROUP BY a", 1, 18, "a column stands behind a figure"),
        ("SELECT a FROM this_dataset GROUP BY 1", 1, 37, "`1` stands where a column is named"),
        ("SELECT a, count(*) FROM this_dataset GROUP BY ROLLUP (a)", 1, 0, "cannot be used"),
        ("SELECT a, count(*) FROM this_dataset GROUP BY a HAVING count(*) > 5", 1, 49, "HAVING"),
        ("SELECT a FROM this_dataset ORDER BY 1", 1, 37, "`1` stands where a column is named"),
        ("SELECT a FROM this_dataset ORDER BY upper(a)", 1, 37, "the function `upper`"),
        ("SELECT a FROM this_dataset ORDER BY a NULLS FIRST", 1, 37, "NULLS FIRST"),
        ("SELECT a FROM this_dataset LIMIT 10 OFFSET 20", 1, 37, "OFFSET"),
        ("SELECT a FROM this_dataset LIMIT -1", 1, 28, "LIMIT takes a whole number"),
        ("SELECT a FROM this_dataset FETCH FIRST 5 ROWS ONLY", 1, 28, "FETCH"),
        ("SELECT a FROM this_dataset FOR UPDATE", 1, 28, "FOR"),
        ("SELECT a INTO x FROM this_dataset", 1, 10, "INTO"),
        ("SELECT `a` FROM this_dataset", 1, 8, "this quote"),
        ("SELECT a FROM this_dataset WHERE a = 'x", 1, 38, "it cannot be read"),
        ("SELECT a FROM this_dataset WHERE", 1, 28, "this is not SQL"),
        ("SELECT a FROM this_dataset WHERE a = 1 b = 2", 1, 40, ""),
    ] {
        let error = refused(sql);
        // 0 stands for: wherever the construct begins.
        let column = if column == 0 { error.column } else { column };
        if !error.what.contains(what) || (error.line, error.column) != (line, column) {
            wrong.push(format!("{sql}\n  {error}\n  and not {line}, {column}: {what}"));
        }
        assert!(!error.instead.is_empty());
        let shown = DataError::from(error);
        assert!(shown.may_be_shown_to_peer());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn long_deep_and_endless_texts_are_refused_before_they_are_parsed() {
    let from = "SELECT a FROM this_dataset WHERE ";
    let n = SQL_BYTES_MAX / 2;
    let deep = format!("{from}{}a = 1{}", "(".repeat(n / 2 - 100), ")".repeat(n / 2 - 100));
    assert!(refused(&deep).what.contains("nested more than"));
    for (link, most) in [
        ("a = 1 AND ", 2_000),
        ("a = 1 OR ", 2_000),
        ("NOT ", 4_000),
        ("- ", 4_000),
        ("a = ", 4_000),
        ("a IS NULL = ", 2_000),
        ("a.", 4_000),
    ] {
        let error = refused(&format!("{from}{}a = 1", link.repeat(most)));
        assert!(error.what.contains("keywords and operators"), "{link}: {error}");
        // Just below that limit the parser gets it; that must not take more stack than a thread has.
        let joints = Query::from_sql(&format!("{from}{}a = 1", link.repeat(SQL_JOINTS_MAX / 2 - 8)), "x");
        assert!(joints.is_ok() == link.starts_with("a = 1"), "{link}: {joints:?}");
        let _ = Query::from_sql(&format!("{from}{}a = 1", link.repeat(SQL_JOINTS_MAX - 8)), "x");
    }
    assert_eq!(parse(&format!("{from}((((((a = 1))))))")), parse(&format!("{from}a = 1")));
    assert_eq!(parse(&format!("{from}NOT (NOT (NOT (a = 1)))")), parse(&format!("{from}a <> 1")));
    let unions = " UNION SELECT a FROM this_dataset".repeat(120);
    assert!(refused(&format!("SELECT a FROM this_dataset{unions}")).what.contains("UNION"));
    assert!(refused(&format!("{from}a = '{}'", "x".repeat(SQL_BYTES_MAX))).what.contains("bytes"));
    // Many values are a list, and long, not deep.
    let values: Vec<String> = (0..1_000).map(|i| format!("-{i}")).collect();
    let many = parse(&format!("{from}a IN ({})", values.join(", ")));
    assert_eq!(many.filter[0].values.len(), 1_000);
}

#[tokio::test]
async fn sql_is_answered_as_the_structure_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("people.csv");
    let rows = "id,citizen_id,full name,province,salary,Rate,born\n\
        1,11,An,Hà Nội,100,1.5,1980-02-01\n\
        2,22,Bình,Huế,0,0.0,1985-01-01\n\
        3,,Chi,Hà Nội,300,2.5,1990-03-01\n\
        4,44,,Hà Giang,,,\n";
    std::fs::write(&path, rows).unwrap();
    let base = job(csv(&path), people());
    for (sql, expected) in [
        ("SELECT id FROM this_dataset WHERE province LIKE 'Hà%' AND id <> 3", "id\n1\n4\n"),
        ("SELECT id FROM this_dataset WHERE province NOT LIKE 'Hà%'", "id\n2\n"),
        ("SELECT id FROM this_dataset WHERE salary NOT IN (100, 5)", "id\n2\n3\n"),
        ("SELECT id FROM this_dataset WHERE salary NOT BETWEEN 50 AND 200", "id\n2\n3\n"),
        ("SELECT id FROM this_dataset WHERE born BETWEEN '1980-02-01' AND '1985-01-01'", "id\n1\n2\n"),
        ("SELECT id FROM this_dataset WHERE salary IS NULL OR salary >= 300", "id\n3\n4\n"),
        ("SELECT id FROM this_dataset WHERE NOT (salary < 100 OR salary IS NULL)", "id\n1\n3\n"),
        ("SELECT id, Rate FROM this_dataset ORDER BY Rate DESC, id", "id,Rate\n3,2.5\n1,1.5\n2,0.0\n4,\n"),
        ("SELECT id FROM this_dataset ORDER BY id DESC LIMIT 2", "id\n4\n3\n"),
        ("SELECT DISTINCT province FROM this_dataset", "province\nHuế\nHà Giang\nHà Nội\n"),
        (
            "SELECT province, count(*) AS n, sum(salary) AS s FROM this_dataset GROUP BY province ORDER BY n DESC",
            "province,n,s\nHà Nội,2,400\nHuế,1,0\nHà Giang,1,\n",
        ),
    ] {
        let got = text(Job { query: parse(sql), ..base.clone() }).await.unwrap();
        assert_eq!(got, expected, "{sql}");
    }
    // The order of rows that are the same in the named columns does not depend on the file.
    let order = |sql: &str| Job { query: parse(sql), ..base.clone() };
    for wrong in [
        "SELECT id FROM this_dataset ORDER BY salary",
        "SELECT id FROM this_dataset ORDER BY id, id DESC",
        "SELECT count(*) FROM this_dataset ORDER BY id",
    ] {
        let error = text(order(wrong)).await.unwrap_err();
        assert!(matches!(error, DataError::Query(_)), "{wrong}: {error}");
    }
}

#[test]
fn no_text_makes_the_translation_panic() {
    let words = prop::sample::select(vec![
        "SELECT",
        "*",
        "a",
        "\"b c\"",
        ",",
        "FROM",
        "this_dataset",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "=",
        "<",
        "'x'",
        "1",
        "-",
        "(",
        ")",
        "IN",
        "BETWEEN",
        "LIKE",
        "IS",
        "NULL",
        "GROUP",
        "BY",
        "ORDER",
        "LIMIT",
        "count",
        "sum",
        "AS",
        "DISTINCT",
        ";",
        ".",
        "CASE",
        "WHEN",
        "END",
        "JOIN",
        "UNION",
        "INTERVAL",
        "DATE",
        "OVER",
        "--",
        "/*",
        "'",
        "đ",
        "FILTER",
        "EXISTS",
        "CAST",
        "ARRAY",
        "STRUCT",
        "LATERAL",
        "VALUES",
        "TABLE",
        "::",
        "[",
        "{",
        "@",
        "$$",
    ]);
    let strategy = prop::collection::vec(words, 0..30);
    proptest!(ProptestConfig::with_cases(3_000), |(words in strategy)| {
        let text = words.join(" ");
        let _ = Query::from_sql(&text, "x");
        let _ = Query::from_sql(&format!("SELECT a FROM this_dataset {text}"), "x");
        let _ = Query::from_sql(&format!("SELECT a FROM this_dataset WHERE {text}"), "x");
    });
}
