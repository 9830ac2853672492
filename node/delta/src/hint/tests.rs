use proptest::prelude::*;

use super::*;

/// Rows of one column of whole numbers, some missing.
type Rows = Vec<Option<i64>>;

fn facts(rows: &Rows) -> Facts {
    let values = || rows.iter().flatten().copied();
    let range = values().min().zip(values().max());
    Facts {
        rows: rows.len() as u64,
        columns: vec![ColumnFacts {
            name: "a".to_owned(),
            nulls: rows.iter().filter(|value| value.is_none()).count() as u64,
            range: range.map(|(least, most)| [Literal::Whole(least), Literal::Whole(most)]),
        }],
    }
}

/// What a database would say of one row: true, false or neither.
fn row(hint: &Hint, value: Option<i64>) -> Option<bool> {
    match hint {
        Hint::Unknown => Some(true),
        Hint::IsNull(_) => Some(value.is_none()),
        Hint::Compare(_, op, Literal::Whole(with)) => value.map(|value| match op {
            Op::Eq => value == *with,
            Op::Ne => value != *with,
            Op::Lt => value < *with,
            Op::Le => value <= *with,
            Op::Gt => value > *with,
            Op::Ge => value >= *with,
        }),
        Hint::Compare(..) => None,
        Hint::Not(inner) => row(inner, value).map(|holds| !holds),
        Hint::And(all) => decided(all, value, false),
        Hint::Or(all) => decided(all, value, true),
    }
}

/// One that is `word` decides; otherwise one that is neither leaves it open.
fn decided(all: &[Hint], value: Option<i64>, word: bool) -> Option<bool> {
    let said: Vec<Option<bool>> = all.iter().map(|hint| row(hint, value)).collect();
    if said.contains(&Some(word)) {
        return Some(word);
    }
    said.iter().all(Option::is_some).then_some(!word)
}

fn hints() -> impl Strategy<Value = Hint> {
    let op = prop::sample::select(vec![Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge]);
    let leaf = prop_oneof![
        (op, -5_i64..5).prop_map(|(op, with)| Hint::Compare("a".to_owned(), op, Literal::Whole(with))),
        Just(Hint::IsNull("a".to_owned())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Hint::And),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Hint::Or),
            inner.prop_map(|hint| Hint::Not(Box::new(hint))),
        ]
    })
}

proptest! {
    /// The one promise: no row that fulfils a condition is in a file that was left out.
    #[test]
    fn no_file_is_left_out_that_holds_a_row(
        rows in prop::collection::vec(prop::option::of(-5_i64..5), 1..6),
        hint in hints(),
    ) {
        let holds = rows.iter().any(|value| row(&hint, *value) == Some(true));
        prop_assert!(!holds || hint.may_hold(&facts(&rows)));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,64}") {
        let _ = (from_sql(&text), from_json(&text));
    }
}

#[test]
fn files_are_left_out_by_their_figures() {
    let file = facts(&vec![Some(10), Some(20)]);
    for (sql, due) in [
        ("a = 15", true),
        ("a = 21", false),
        ("21 > a", true),
        ("10 > a", false),
        ("a >= 20", true),
        ("`a` > 20", false),
        ("a < 9.5", false),
        ("A IS NULL", false),
        ("a is not null", true),
        ("b = 1", true),
        ("a = '2025-01-01'", true),
        ("a <> 10", true),
    ] {
        assert_eq!(from_sql(sql).unwrap().may_hold(&file), due, "{sql}");
    }
    for odd in
        ["a", "a =", "= 1", "a = b", "a = 1 or 1 = 1", "a = 'x", "a.b = 1", "a is", "1 = 1", "true = 1"]
    {
        assert_eq!(from_sql(odd), None, "{odd}");
    }
}

#[test]
fn days_are_compared_and_texts_are_not() {
    let day = |text: &str| Literal::day(text).unwrap();
    let column = |range| ColumnFacts { name: "d".to_owned(), nulls: 0, range };
    let file = Facts { rows: 2, columns: vec![column(Some([day("2025-01-01"), day("2025-01-31")]))] };
    assert!(!from_sql("d > '2025-02-01'").unwrap().may_hold(&file));
    assert!(from_sql("d >= '2025-01-31'").unwrap().may_hold(&file));
    assert!(from_sql("d = 'x'").unwrap().may_hold(&file));
    assert_eq!(Literal::day("2025-1-1"), None);
}

#[test]
fn what_is_no_number_may_be_greater_than_all() {
    let range = Some([Literal::Number(1.0), Literal::Number(2.0)]);
    let file = Facts { rows: 2, columns: vec![ColumnFacts { name: "x".to_owned(), nulls: 0, range }] };
    for (sql, due) in
        [("x > 5", true), ("x <> 5", true), ("x < 1", false), ("x = 5", false), ("x <= 1", true)]
    {
        assert_eq!(from_sql(sql).unwrap().may_hold(&file), due, "{sql}");
    }
}

#[test]
fn the_tree_of_the_specification_is_read() {
    let tree = r#"{"op":"and","children":[
        {"op":"equal","children":[{"op":"column","name":"day","valueType":"date"},
                                  {"op":"literal","value":"2021-04-29","valueType":"date"}]},
        {"op":"not","children":[{"op":"isNull","children":[{"op":"column","name":"a","valueType":"int"}]}]},
        {"op":"lessThan","children":[{"op":"literal","value":"25","valueType":"int"},
                                     {"op":"column","name":"a","valueType":"int"}]}]}"#;
    let due = Hint::And(vec![
        Hint::Compare("day".into(), Op::Eq, Literal::day("2021-04-29").unwrap()),
        Hint::Not(Box::new(Hint::IsNull("a".into()))),
        Hint::Compare("a".into(), Op::Gt, Literal::Whole(25)),
    ]);
    assert_eq!(from_json(tree), Some(due.clone()));
    assert!(!due.may_hold(&facts(&vec![Some(1), Some(25)])));
}

#[test]
fn a_tree_over_a_limit_leaves_nothing_out() {
    let deep = |n: usize| {
        let leaf = r#"{"op":"isNull","children":[{"op":"column","name":"a","valueType":"int"}]}"#;
        (0..n).fold(leaf.to_owned(), |inner, _| format!(r#"{{"op":"not","children":[{inner}]}}"#))
    };
    assert!(from_json(&deep(20)).is_some());
    assert_eq!(from_json(&deep(40)), None);
    let leaf = deep(0);
    let wide = |n: usize| format!(r#"{{"op":"or","children":[{}]}}"#, vec![leaf.as_str(); n].join(","));
    assert!(from_json(&wide(500)).is_some());
    assert_eq!(from_json(&wide(1100)), None);
}
