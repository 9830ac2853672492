//! The attacker's corpus itself: masks with raw values that they make the same, a table with hidden rows, and questions.
//! Whoever serves rows of another kind puts them to it too.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

use dataplane::{
    Column, ColumnKind, Function, HashKey, Mask, Measure, Op, Order, Predicate, Query, Restriction, Schema,
    Test, TimeUnit, Value,
};

/// A mask, the kind of the column, and raw values that it makes the same, row by row.
pub struct Case {
    pub mask: Mask,
    pub kind: ColumnKind,
    pub raw: [[&'static str; 4]; 2],
}

pub fn case(mask: Mask, kind: ColumnKind, a: [&'static str; 4], b: [&'static str; 4]) -> Case {
    Case { mask, kind, raw: [a, b] }
}

pub fn cases() -> Vec<Case> {
    use ColumnKind::{Date, Integer, Number, String, Timestamp};
    let times = ["2023-03-08 01:00:00", "2023-03-09 00:00:00", "", "2023-04-01 12:00:00"];
    vec![
        case(Mask::Null, String, ["a", "b", "", "SECRET"], ["", "x", "y", "z"]),
        case(Mask::Null, Integer, ["0", "7", "", "1"], ["5", "", "0", "-1"]),
        case(Mask::Constant("x".into()), String, ["a", "b", "", "SECRET"], ["", "x", "y", "z"]),
        // A hash shows which values are the same; here none differ but those of hidden rows.
        case(Mask::Hash(HashKey::new([4; 32])), String, ["a", "b", "", "c"], ["a", "b", "", "c"]),
        // A linkage mask reads numbers and texts alike: what is written differently and means the same shows nothing either.
        case(
            Mask::Linked(HashKey::new([6; 32])),
            String,
            ["001080000007", "Phú", "", " Q-7"],
            ["1080000007", "Phu\u{301}", " \u{a0}", "Q-7\u{3000}"],
        ),
        case(Mask::Linked(HashKey::new([6; 32])), Integer, ["7", "8", "", "9"], ["7", "8", "", "9"]),
        case(
            Mask::Truncate(TimeUnit::Year),
            Date,
            ["2023-01-01", "2023-02-01", "", "2024-02-29"],
            ["2023-12-31", "2023-02-02", "", "2024-01-01"],
        ),
        case(
            Mask::Truncate(TimeUnit::Month),
            Timestamp,
            times,
            ["2023-03-31 23:00:00", "2023-03-01 00:00:00", "", "2023-04-30 01:02:03"],
        ),
        case(
            Mask::Truncate(TimeUnit::Day),
            Timestamp,
            times,
            ["2023-03-08 23:59:59", "2023-03-09 05:00:00", "", "2023-04-01 00:00:00"],
        ),
        case(Mask::Bucket(50.0), Integer, ["0", "51", "", "-1"], ["49", "99", "", "-50"]),
        case(Mask::Bucket(0.5), Number, ["0.0", "0.6", "", "-0.1"], ["0.4", "0.9", "", "-0.5"]),
        case(Mask::Decimals(1), Number, ["21.01", "0.0", "", "7.77"], ["21.09", "0.05", "", "7.7"]),
        case(Mask::Cut(2), String, ["Hà Nội", "Hu", "", "SECRET"], ["Hàm", "Huế", "", "SEA"]),
        case(
            Mask::LastParts(1),
            String,
            ["1 Phố A, Huế", "A", "", "2, 3, Hà Nội"],
            ["9, Huế", "B", "", "1, Hà Nội"],
        ),
        case(Mask::ShowFirst(1), String, ["An", "Bình", "", "SECRET"], ["Ax", "Bxyz", "", "Squash"]),
        case(Mask::ShowLast(1), String, ["An", "Bình", "", "SECRET"], ["Xn", "xyzh", "", "qquasT"]),
        case(Mask::Drop, String, ["a", "b", "", "SECRET"], ["", "x", "y", "z"]),
    ]
}

pub fn schema(kind: ColumnKind) -> Schema {
    use ColumnKind::{Boolean, Integer, String};
    Schema::new(vec![
        Column::new("id", Integer, false),
        Column::new("x", kind, true),
        Column::new("salary", Integer, true),
        Column::new("name", String, true),
        Column::new("shown", Boolean, true),
    ])
    .unwrap()
}

/// Four visible rows with the case's values, and hidden ones that differ in number, place and content.
pub fn table(case: &Case, version: usize) -> String {
    let quoted = |cell: &str| if cell.contains(',') { format!("\"{cell}\"") } else { cell.to_owned() };
    let hidden = |n: usize| {
        let (x, salary) = (quoted(case.raw[version][n % 4]), [0, -7][version]);
        format!("{n},{x},{salary},SECRET-{n},false\n")
    };
    let mut out = "id,x,salary,name,shown\n".to_owned();
    out += &hidden(3);
    for (row, (x, salary)) in case.raw[version].iter().zip(["100", "", "300", "100"]).enumerate() {
        out += &format!("{row},{},{salary},n{row},true\n", quoted(x));
        out.extend((0..version * 2).map(hidden));
    }
    out
}

pub fn restriction(mask: Mask) -> Restriction {
    Restriction {
        columns: Some(["id", "x", "salary", "name"].map(str::to_owned).to_vec()),
        masks: [("x".to_owned(), mask)].into(),
        row_filter: vec![Predicate::new("shown", Op::Eq, vec![Value::Boolean(true)])],
        ..Restriction::default()
    }
}

const COLUMNS: [&str; 5] = ["id", "x", "salary", "shown", "nothing"];

/// Values that hit raw ones, masked ones and the edges between them.
fn values(op: Op) -> Vec<Vec<Value>> {
    let text = |t: &str| Value::Text(t.to_owned());
    let given = [
        Value::Integer(0),
        Value::Integer(50),
        Value::Number(0.5),
        text("SECRET"),
        text("S"),
        text("2023-03-08"),
        text("2023-03"),
        text(""),
        Value::Boolean(false),
    ];
    match op {
        Op::IsNull | Op::IsNotNull => vec![vec![]],
        Op::Between | Op::NotBetween => {
            vec![vec![given[0].clone(), given[1].clone()], vec![text("2023-02-01"), text("T")]]
        }
        _ => given.into_iter().map(|v| vec![v]).collect(),
    }
}

/// Each feature of a query over each column.
pub fn corpus() -> Vec<Query> {
    use Op::{
        Between, Eq, Ge, Gt, In, IsNotNull, IsNull, Le, Lt, Ne, NotBetween, NotIn, NotStartsWith, StartsWith,
    };
    let ops = [
        Eq,
        Ne,
        Lt,
        Le,
        Gt,
        Ge,
        In,
        NotIn,
        Between,
        NotBetween,
        IsNull,
        IsNotNull,
        StartsWith,
        NotStartsWith,
    ];
    let mut out = vec![Query::default(), Query { limit: Some(0), ..Query::default() }];
    for column in COLUMNS {
        let name = || vec![column.to_owned()];
        for op in ops.into_iter().filter(|_| column != "id") {
            // All of them for the masked column, some for the others.
            let few = if column == "x" { usize::MAX } else { 1 };
            for values in values(op).into_iter().take(few) {
                let filter = vec![Predicate::new(column, op, values)];
                // Sorted, cut rows and their number, in turn.
                out.push(match out.len() % 2 {
                    0 => Query {
                        filter,
                        order_by: vec![Order { column: "salary".into(), descending: true }],
                        limit: Some(2),
                        ..Query::default()
                    },
                    _ => Query {
                        filter,
                        measures: vec![Measure::new(Function::Count, None)],
                        ..Query::default()
                    },
                });
            }
        }
        let or = vec![Test { op: Eq, values: vec![Value::Integer(0)] }];
        out.push(Query {
            filter: vec![Predicate { or, ..Predicate::new(column, IsNull, vec![]) }],
            ..Query::default()
        });
        for descending in [false, true] {
            for limit in [None, Some(1)] {
                let order_by = vec![Order { column: column.to_owned(), descending }];
                out.push(Query { order_by: order_by.clone(), limit, ..Query::default() });
                out.push(Query { columns: Some(name()), order_by, limit, ..Query::default() });
            }
        }
        out.push(Query { columns: Some(name()), distinct: true, ..Query::default() });
        out.push(Query { columns: Some(name()), distinct: true, limit: Some(1), ..Query::default() });
        for function in [Function::Count, Function::Sum, Function::Avg, Function::Min, Function::Max] {
            for group_by in [vec![], vec!["salary".to_owned()]] {
                let measures =
                    vec![Measure::new(function, Some(column)), Measure::new(Function::Count, None)];
                out.push(Query { group_by, measures, ..Query::default() });
            }
        }
    }
    out
}

/// What SQL attackers write, beside what honest people do.
pub const SQL: [&str; 34] = [
    "SELECT * FROM this_dataset",
    "SELECT count(*) FROM this_dataset",
    "SELECT x, count(*) FROM this_dataset GROUP BY x ORDER BY count DESC",
    "SELECT DISTINCT x FROM this_dataset ORDER BY x DESC",
    "SELECT id FROM this_dataset ORDER BY id DESC LIMIT 1",
    "SELECT x FROM this_dataset WHERE x IS NULL",
    "SELECT id FROM this_dataset WHERE x LIKE 'SEC%'",
    "SELECT id FROM this_dataset WHERE NOT (x LIKE 'SEC%') OR x IS NULL",
    "SELECT id FROM this_dataset WHERE x = 'SECRET' OR x = 'a'",
    "SELECT id FROM this_dataset WHERE x BETWEEN 0 AND 50",
    "SELECT id FROM this_dataset WHERE x NOT IN (0, 7, 51)",
    "SELECT min(x), max(x) FROM this_dataset",
    "SELECT min(salary), max(salary), sum(salary), avg(salary) FROM this_dataset",
    "SELECT salary, min(x) FROM this_dataset GROUP BY salary",
    "SELECT shown FROM this_dataset",
    "SELECT id FROM this_dataset WHERE shown = false",
    "SELECT id FROM this_dataset ORDER BY shown",
    "SELECT shown, count(*) FROM this_dataset GROUP BY shown",
    "SELECT id FROM this_dataset WHERE 1000 / salary > 0",
    "SELECT id FROM this_dataset WHERE CAST(name AS int) > 0",
    "SELECT id FROM this_dataset WHERE name::int > 0",
    "SELECT sum(1000 / salary) FROM this_dataset",
    "SELECT id FROM this_dataset WHERE CASE WHEN name LIKE 'SECRET%' THEN 1 / 0 > 0 ELSE true END",
    "SELECT id FROM this_dataset WHERE regexp_like(name, 'SECRET')",
    "SELECT id FROM this_dataset ORDER BY CAST(name AS int)",
    "SELECT a.id FROM this_dataset a JOIN this_dataset b ON a.salary = b.salary",
    "SELECT id FROM this_dataset WHERE id IN (SELECT id FROM source)",
    "SELECT * FROM source",
    "SELECT * FROM information_schema.tables",
    "EXPLAIN ANALYZE SELECT * FROM this_dataset",
    "SELECT rank() OVER (ORDER BY x) FROM this_dataset",
    "SELECT id FROM this_dataset LIMIT 1 OFFSET 1",
    "SELECT id FROM this_dataset UNION SELECT salary FROM this_dataset",
    "SELECT count(*) FROM this_dataset HAVING max(x) > 5",
];
