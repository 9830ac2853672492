//! Whatever is asked: nothing breaks, what is written is read back, what is carried is never stronger than the filter.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use odata::carry::{Carried, Op, carry};
use odata::{Column, ColumnKind, Compare, EntitySet, Expr, Function, Model, Options, Value, csdl, filter};
use proptest::prelude::*;

const KINDS: [ColumnKind; 3] = [ColumnKind::Integer, ColumnKind::Text, ColumnKind::Boolean];

fn set() -> EntitySet {
    let column = |(n, kind): (usize, &ColumnKind)| Column {
        name: format!("c{n}"),
        kind: *kind,
        nullable: true,
        description: String::new(),
    };
    EntitySet::new("x", "", KINDS.iter().enumerate().map(column).collect())
}

fn value(kind: usize) -> BoxedStrategy<Value> {
    let some = match kind {
        0 => (-3_i64..4).prop_map(Value::Integer).boxed(),
        1 => "[a-b']{0,2}".prop_map(Value::Text).boxed(),
        _ => any::<bool>().prop_map(Value::Boolean).boxed(),
    };
    prop_oneof![6 => some, 1 => Just(Value::Null)].boxed()
}

fn comparison() -> impl Strategy<Value = Expr> {
    let op = prop_oneof![
        Just(Compare::Eq),
        Just(Compare::Ne),
        Just(Compare::Gt),
        Just(Compare::Ge),
        Just(Compare::Lt),
        Just(Compare::Le)
    ];
    let one = (op, 0_usize..3, any::<bool>()).prop_flat_map(|(op, at, turned)| {
        value(at).prop_map(move |value| {
            let sides = (Box::new(Expr::Property(at)), Box::new(Expr::Literal(value)));
            if turned { Expr::Compare(op, sides.1, sides.0) } else { Expr::Compare(op, sides.0, sides.1) }
        })
    });
    let list = (0_usize..3).prop_flat_map(|at| {
        prop::collection::vec(value(at), 1..4)
            .prop_map(move |values| Expr::In(Box::new(Expr::Property(at)), values))
    });
    let text = (any::<bool>(), "[ab]{0,2}").prop_map(|(starts, text)| {
        let function = if starts { Function::StartsWith } else { Function::Contains };
        Expr::Call(function, vec![Expr::Property(1), Expr::Literal(Value::Text(text))])
    });
    let told = (0_usize..2, any::<bool>(), "[ab]{0,2}").prop_map(|(op, wanted, text)| {
        let call =
            Expr::Call(Function::StartsWith, vec![Expr::Property(1), Expr::Literal(Value::Text(text))]);
        let op = if op == 0 { Compare::Eq } else { Compare::Ne };
        Expr::Compare(op, Box::new(call), Box::new(Expr::Literal(Value::Boolean(wanted))))
    });
    prop_oneof![4 => one, 2 => list, 2 => text, 1 => told, 1 => Just(Expr::Property(2))]
}

fn expr() -> impl Strategy<Value = Expr> {
    comparison().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

/// The conditions as the node's own query language means them: a missing value satisfies `is_null` alone.
fn fulfils(carried: &Carried, row: &[Value]) -> bool {
    carried.clauses.iter().all(|clause| {
        let cell = &row[clause.property];
        let same = |text: &String| text_of(cell).as_ref() == Some(text);
        let order = |text: &String| match cell {
            Value::Integer(n) => n.cmp(&text.parse().unwrap()),
            _ => text_of(cell).unwrap().as_bytes().cmp(text.as_bytes()),
        };
        let starts = |text: &String| text_of(cell).unwrap().starts_with(text.as_str());
        let there = *cell != Value::Null;
        clause.tests.iter().any(|test| match (test.op, test.values.as_slice()) {
            (Op::IsNull, []) => !there,
            (Op::NotNull, []) => there,
            (Op::Eq | Op::In, values) => there && values.iter().any(same),
            (Op::Ne | Op::NotIn, values) => there && !values.iter().any(same),
            (Op::Lt, [text]) => there && order(text).is_lt(),
            (Op::Le, [text]) => there && order(text).is_le(),
            (Op::Gt, [text]) => there && order(text).is_gt(),
            (Op::Ge, [text]) => there && order(text).is_ge(),
            (Op::StartsWith, [text]) => there && starts(text),
            (Op::NotStartsWith, [text]) => there && !starts(text),
            other => panic!("{other:?} has the wrong number of values"),
        })
    })
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Integer(n) => Some(n.to_string()),
        Value::Text(text) => Some(text.clone()),
        Value::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,60}", words in prop::collection::vec(
        prop_oneof!["c[0-3]", "eq|and|or|not|in|null|contains|year|[(),'-]", "[0-9T:.Z-]{1,12}"], 0..30)) {
        for text in [text, words.join(" "), words.concat()] {
            let _ = Options::parse(&text, &set());
            let _ = Options::parse(&format!("$filter={text}&$orderby={text}&$select={text}"), &set());
            if let Ok(read) = filter(&text, &set()) {
                let _ = read.holds(&[Value::Null, Value::Null, Value::Null]);
                // A value that prints longer than it was written may reach a limit; else it is read back.
                if let Ok(again) = filter(&read.text(&set()), &set()) {
                    prop_assert_eq!(again.text(&set()), read.text(&set()));
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back(expr in expr()) {
        let text = expr.text(&set());
        let read = filter(&text, &set());
        prop_assert_eq!(read.as_ref(), Ok(&expr), "{}", text);
    }

    #[test]
    fn what_is_carried_is_never_stronger(expr in expr(), rows in prop::collection::vec(
        (value(0), value(1), value(2)).prop_map(|(a, b, c)| vec![a, b, c]), 1..20)) {
        let carried = carry(&expr, &set());
        for row in rows {
            let (holds, fulfils) = (expr.holds(&row), fulfils(&carried, &row));
            prop_assert!(fulfils || !holds, "{}: {:?} leaves out {:?}", expr.text(&set()), carried, row);
            prop_assert!(!carried.whole || holds == fulfils, "{}: {:?} is not the same for {:?}", expr.text(&set()), carried, row);
        }
    }

    #[test]
    fn whatever_columns_are_called_metadata_is_xml_with_different_names(names in prop::collection::hash_set("[^\\x00]{1,20}", 1..12)) {
        let columns = names.iter().map(|name| Column {
            name: name.clone(), kind: ColumnKind::Text, nullable: true, description: name.clone(),
        });
        let set = EntitySet::new("x", "", columns.collect());
        let mut seen = std::collections::HashSet::new();
        for property in &set.properties {
            prop_assert!(seen.insert(&property.name) && property.name != set.key);
            prop_assert!(property.name.chars().count() <= 128);
            prop_assert!(!property.name.starts_with(|c: char| c.is_ascii_digit()));
            let read = filter(&format!("{} eq 'a'", property.name), &set);
            let word = ["not", "null", "true", "false", "INF", "NaN"].contains(&property.name.as_str());
            prop_assert!(word || read.is_ok(), "{}", property.name);
        }
        let xml = csdl::xml(&Model { sets: vec![set.clone()] }).unwrap();
        let mut reader = quick_xml::Reader::from_str(&xml);
        let mut found = 0;
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(e) | quick_xml::events::Event::Empty(e) => {
                    found += usize::from(e.name().as_ref() == "Property");
                }
                _ => {}
            }
        }
        prop_assert_eq!(found, set.properties.len() + 1);
    }
}
