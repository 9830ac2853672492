//! What of a filter the node's own query can carry.
//!
//! That query knows conditions on one column each, all of which hold. A filter is turned into such conditions as far as it
//! goes; where it does not go the conditions are *weaker* than the filter, never stronger, and [`Carried::whole`] is false:
//! then [`crate::Expr::holds`] is asked for each row. Negations are moved down to the comparisons first (De Morgan holds with
//! missing values, too). Comparisons in OData are true or false even when a value is missing, so what is negated takes
//! the missing values in: `a ne 5` is `a <> 5 or a is null`.

use crate::expr::{Compare, Expr};
use crate::limits::{CLAUSES_MAX, TESTS_MAX, VALUES_MAX};
use crate::pushed::text_of;
pub use crate::pushed::{Clause, Op, Test};
use crate::{ColumnKind, EntitySet, Function, Value};

/// Conditions that all rows of the answer fulfil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// All of these hold.
    pub clauses: Vec<Clause>,
    /// Whether they say all that the filter says.
    pub whole: bool,
}

impl Carried {
    /// Nothing is known: every row may be meant.
    fn nothing() -> Self {
        Self { clauses: Vec::new(), whole: false }
    }

    fn one(property: usize, tests: Vec<Test>) -> Self {
        Self { clauses: vec![Clause { property, tests }], whole: true }
    }
}

/// As much of a filter as conditions on single columns can say.
#[must_use]
pub fn carry(filter: &Expr, set: &EntitySet) -> Carried {
    let mut carried = weaken(filter, set, false);
    let before = carried.clauses.len();
    carried
        .clauses
        .retain(|clause| clause.tests.iter().map(|t| t.values.len().max(1)).sum::<usize>() <= VALUES_MAX);
    carried.clauses.truncate(CLAUSES_MAX);
    let mut tests = 0;
    carried.clauses.retain(|clause| {
        tests += clause.tests.len();
        tests <= TESTS_MAX
    });
    carried.whole &= carried.clauses.len() == before;
    carried
}

fn weaken(expr: &Expr, set: &EntitySet, negated: bool) -> Carried {
    match expr {
        Expr::Not(inner) => weaken(inner, set, !negated),
        Expr::And(parts) if !negated => all(parts, set, negated),
        Expr::Or(parts) if negated => all(parts, set, negated),
        Expr::And(parts) | Expr::Or(parts) => any(parts, set, negated),
        Expr::Compare(op, left, right) => compared(*op, left, right, set, negated),
        Expr::In(left, values) => listed(left, values, set, negated),
        Expr::Call(Function::StartsWith, arguments) => starts_with(arguments, set, negated),
        Expr::Property(at) => truth(*at, set, !negated),
        Expr::Call(..) | Expr::Literal(_) => Carried::nothing(),
    }
}

fn all(parts: &[Expr], set: &EntitySet, negated: bool) -> Carried {
    let mut carried = Carried { clauses: Vec::new(), whole: true };
    for part in parts {
        let part = weaken(part, set, negated);
        carried.clauses.extend(part.clauses);
        carried.whole &= part.whole;
    }
    carried
}

/// Only where all parts speak of one column: `(p and q) or r` is `(p or r) and (q or r)`.
fn any(parts: &[Expr], set: &EntitySet, negated: bool) -> Carried {
    let mut parts = parts.iter().map(|part| weaken(part, set, negated));
    let Some(mut carried) = parts.next() else { return Carried::nothing() };
    for part in parts {
        let column = carried.clauses.first().map(|clause| clause.property);
        let same = |clause: &Clause| Some(clause.property) == column;
        let many = carried.clauses.len() * part.clauses.len();
        let fits = many > 0 && many <= CLAUSES_MAX;
        if !fits || !carried.clauses.iter().all(same) || !part.clauses.iter().all(same) {
            return Carried::nothing();
        }
        let product = carried.clauses.iter().flat_map(|a| part.clauses.iter().map(move |b| either(a, b)));
        carried = Carried { clauses: product.collect(), whole: carried.whole && part.whole };
    }
    carried
}

fn either(a: &Clause, b: &Clause) -> Clause {
    Clause { property: a.property, tests: a.tests.iter().chain(&b.tests).cloned().collect() }
}

fn kind_of(set: &EntitySet, at: usize) -> Option<ColumnKind> {
    set.properties.get(at).map(|property| property.column.kind)
}

fn truth(at: usize, set: &EntitySet, wanted: bool) -> Carried {
    match kind_of(set, at) {
        Some(ColumnKind::Boolean) => Carried::one(at, vec![Test::new(Op::Eq, vec![wanted.to_string()])]),
        _ => Carried::nothing(),
    }
}

fn compared(op: Compare, left: &Expr, right: &Expr, set: &EntitySet, negated: bool) -> Carried {
    let (op, at, value) = match (left, right) {
        (Expr::Property(at), Expr::Literal(value)) => (op, *at, value),
        (Expr::Literal(value), Expr::Property(at)) => (op.turned(), *at, value),
        // `startswith(…) eq true`, as older programs write it
        (call @ Expr::Call(..), Expr::Literal(Value::Boolean(wanted))) if op == Compare::Eq && !negated => {
            return weaken(call, set, !wanted);
        }
        _ => return Carried::nothing(),
    };
    if *value == Value::Null {
        return match (op, negated) {
            (Compare::Eq, false) | (Compare::Ne, true) => {
                Carried::one(at, vec![Test::new(Op::IsNull, Vec::new())])
            }
            (Compare::Ne, false) | (Compare::Eq, true) => {
                Carried::one(at, vec![Test::new(Op::NotNull, Vec::new())])
            }
            _ => Carried::nothing(),
        };
    }
    let Some(text) = kind_of(set, at).and_then(|kind| text_of(kind, value)) else {
        return Carried::nothing();
    };
    let (op, missing) = own(op, negated);
    let mut tests = vec![Test::new(op, vec![text])];
    if missing {
        tests.push(Test::new(Op::IsNull, Vec::new()));
    }
    Carried::one(at, tests)
}

/// The comparison of the query language, and whether missing values are meant, too.
fn own(op: Compare, negated: bool) -> (Op, bool) {
    match (op, negated) {
        (Compare::Eq, false) => (Op::Eq, false),
        (Compare::Ne, true) => (Op::Eq, false),
        (Compare::Ne, false) | (Compare::Eq, true) => (Op::Ne, true),
        (Compare::Gt, false) => (Op::Gt, false),
        (Compare::Ge, false) => (Op::Ge, false),
        (Compare::Lt, false) => (Op::Lt, false),
        (Compare::Le, false) => (Op::Le, false),
        (Compare::Gt, true) => (Op::Le, true),
        (Compare::Ge, true) => (Op::Lt, true),
        (Compare::Lt, true) => (Op::Ge, true),
        (Compare::Le, true) => (Op::Gt, true),
    }
}

fn listed(left: &Expr, values: &[Value], set: &EntitySet, negated: bool) -> Carried {
    let Expr::Property(at) = left else { return Carried::nothing() };
    let Some(kind) = kind_of(set, *at) else { return Carried::nothing() };
    let missing = values.contains(&Value::Null);
    let given = values.iter().filter(|value| **value != Value::Null);
    let Some(texts) = given.map(|value| text_of(kind, value)).collect::<Option<Vec<String>>>() else {
        return Carried::nothing();
    };
    let is_null = Test::new(Op::IsNull, Vec::new());
    let tests = match (texts.is_empty(), negated) {
        (true, false) => vec![is_null],
        (true, true) => vec![Test::new(Op::NotNull, texts)],
        (false, false) if missing => vec![Test::new(Op::In, texts), is_null],
        (false, false) => vec![Test::new(Op::In, texts)],
        (false, true) if missing => vec![Test::new(Op::NotIn, texts)],
        (false, true) => vec![Test::new(Op::NotIn, texts), is_null],
    };
    Carried::one(*at, tests)
}

/// Of a missing text neither `startswith` nor its negation holds.
fn starts_with(arguments: &[Expr], set: &EntitySet, negated: bool) -> Carried {
    let [Expr::Property(at), Expr::Literal(value)] = arguments else { return Carried::nothing() };
    let Some(text) =
        kind_of(set, *at).filter(|kind| *kind == ColumnKind::Text).and_then(|kind| text_of(kind, value))
    else {
        return Carried::nothing();
    };
    let op = if negated { Op::NotStartsWith } else { Op::StartsWith };
    Carried::one(*at, vec![Test::new(op, vec![text])])
}
