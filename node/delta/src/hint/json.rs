//! The tree of `jsonPredicateHints` (section "JSON predicates for Filtering").

use serde_json::Value;

use super::{Hint, Literal, Op};
use crate::limits::{HINT_BYTES_MAX, HINT_DEPTH_MAX, HINT_NODES_MAX};

/// Reads a tree; none for what is no tree of the protocol or over a limit: then nothing is left out.
#[must_use]
pub fn from_json(text: &str) -> Option<Hint> {
    if text.len() > HINT_BYTES_MAX {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let mut left = HINT_NODES_MAX;
    node(&value, HINT_DEPTH_MAX, &mut left)
}

fn node(value: &Value, depth: usize, left: &mut usize) -> Option<Hint> {
    let depth = depth.checked_sub(1)?;
    *left = left.checked_sub(1)?;
    let op = value.get("op")?.as_str()?;
    let children = value.get("children").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut inner = || children.iter().map(|child| node(child, depth, left)).collect::<Option<Vec<_>>>();
    match (op, children) {
        ("and", [_, ..]) => Some(Hint::And(inner()?)),
        ("or", [_, ..]) => Some(Hint::Or(inner()?)),
        ("not", [_]) => Some(Hint::Not(Box::new(inner()?.pop()?))),
        ("isNull", [column]) => Some(name(column).map_or(Hint::Unknown, Hint::IsNull)),
        ("in", [column, values @ ..]) => one_of(column, values, left),
        (_, [a, b]) => compare(comparison(op)?, a, b),
        _ => None,
    }
}

fn comparison(op: &str) -> Option<Op> {
    Some(match op {
        "equal" => Op::Eq,
        "lessThan" => Op::Lt,
        "lessThanOrEqual" => Op::Le,
        "greaterThan" => Op::Gt,
        "greaterThanOrEqual" => Op::Ge,
        _ => return None,
    })
}

fn compare(op: Op, a: &Value, b: &Value) -> Option<Hint> {
    let hint =
        |column: &Value, value: &Value, op: Op| Some(Hint::Compare(name(column)?, op, literal(value)?));
    match (word(a, "op")?, word(b, "op")?) {
        ("column", "literal") => hint(a, b, op),
        ("literal", "column") => hint(b, a, op.turned()),
        ("column" | "literal", "column" | "literal") => Some(Hint::Unknown),
        _ => None,
    }
}

fn one_of(column: &Value, values: &[Value], left: &mut usize) -> Option<Hint> {
    *left = left.checked_sub(values.len())?;
    let column = name(column)?;
    let one = |value| Some(Hint::Compare(column.clone(), Op::Eq, literal(value)?));
    values.iter().map(one).collect::<Option<Vec<_>>>().map(Hint::Or)
}

fn word<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn name(value: &Value) -> Option<String> {
    (word(value, "op")? == "column").then(|| word(value, "name").map(str::to_owned)).flatten()
}

/// The value, as its type says. Texts are not compared: the figures of a file have none.
fn literal(value: &Value) -> Option<Literal> {
    let (kind, text) = (word(value, "valueType")?, value.get("value")?);
    let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
    Some(match kind {
        "int" | "long" | "short" | "byte" => text.parse().map_or(Literal::Other, Literal::Whole),
        "double" | "float" => text.parse().map_or(Literal::Other, Literal::Number),
        "date" => Literal::day(&text).unwrap_or(Literal::Other),
        _ => Literal::Other,
    })
}
