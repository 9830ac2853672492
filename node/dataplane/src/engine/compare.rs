//! Predicates as engine expressions: one column, one operator, literals of exactly the column's type. No cast is ever
//! needed, so none can fail on a value.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Expr, Like, lit};

use super::column;
use crate::calendar::{MICROS_PER_DAY, parse_date, parse_timestamp};
use crate::limits::{IN_VALUES_MAX, PREDICATES_MAX, TEXT_BYTES_MAX};
use crate::{ColumnKind, Op, Predicate, Value};

/// Checks how many comparisons there are.
pub(crate) fn check_count(predicates: &[Predicate]) -> Result<(), String> {
    let count: usize = predicates.iter().map(|p| 1 + p.or.len()).sum();
    if count > PREDICATES_MAX {
        return Err(format!("it has {count} predicates, at most {PREDICATES_MAX}"));
    }
    Ok(())
}

/// The predicate over a column of this kind, or why there is none.
pub(crate) fn compile(predicate: &Predicate, kind: ColumnKind) -> Result<Expr, String> {
    let mut any: Option<Expr> = None;
    for (op, values) in predicate.tests() {
        let one = test(&predicate.column, op, values, kind)?;
        any = Some(match any {
            Some(others) => others.or(one),
            None => one,
        });
    }
    any.ok_or_else(|| format!("column `{}` is compared with nothing", predicate.column))
}

fn test(name: &str, op: Op, given: &[Value], kind: ColumnKind) -> Result<Expr, String> {
    let this = column(name);
    let values = literals(name, given, kind)?;
    let wrong =
        |takes: &str| format!("`{}` on column `{name}` takes {takes}, not {}", op_name(op), given.len());
    let one = || match values.as_slice() {
        [value] => Ok(value.clone()),
        _ => Err(wrong("one value")),
    };
    let two = || match values.as_slice() {
        [low, high] => Ok((low.clone(), high.clone())),
        _ => Err(wrong("two values")),
    };
    if is_order(op) && kind == ColumnKind::Boolean {
        return Err(format!("column `{name}` is a boolean; compare it with `eq`, `ne` or `in`"));
    }
    Ok(match op {
        Op::Eq => this.eq(one()?),
        Op::Ne => this.not_eq(one()?),
        Op::Lt => this.lt(one()?),
        Op::Le => this.lt_eq(one()?),
        Op::Gt => this.gt(one()?),
        Op::Ge => this.gt_eq(one()?),
        Op::Between => {
            let (low, high) = two()?;
            this.clone().gt_eq(low).and(this.lt_eq(high))
        }
        Op::NotBetween => {
            let (low, high) = two()?;
            this.clone().lt(low).or(this.gt(high))
        }
        Op::In | Op::NotIn if values.is_empty() => {
            return Err(wrong(&format!("1 to {IN_VALUES_MAX} values")));
        }
        Op::In => Expr::InList(InList::new(Box::new(this), values, false)),
        Op::NotIn => Expr::InList(InList::new(Box::new(this), values, true)),
        Op::IsNull | Op::IsNotNull if !values.is_empty() => return Err(wrong("no value")),
        Op::IsNull => this.is_null(),
        Op::IsNotNull => this.is_not_null(),
        Op::StartsWith => starts_with(this, (name, kind), given, false)?,
        Op::NotStartsWith => starts_with(this, (name, kind), given, true)?,
    })
}

fn is_order(op: Op) -> bool {
    matches!(op, Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::Between | Op::NotBetween)
}

fn op_name(op: Op) -> &'static str {
    match op {
        Op::Eq => "eq",
        Op::Ne => "ne",
        Op::Lt => "lt",
        Op::Le => "le",
        Op::Gt => "gt",
        Op::Ge => "ge",
        Op::In => "in",
        Op::IsNull => "is_null",
        Op::IsNotNull => "is_not_null",
        Op::StartsWith => "starts_with",
        Op::NotIn => "not_in",
        Op::Between => "between",
        Op::NotBetween => "not_between",
        Op::NotStartsWith => "not_starts_with",
    }
}

fn starts_with(
    this: Expr,
    (name, kind): (&str, ColumnKind),
    given: &[Value],
    negated: bool,
) -> Result<Expr, String> {
    let [Value::Text(prefix)] = given else {
        return Err(format!("`starts_with` on column `{name}` takes one text"));
    };
    if kind != ColumnKind::String {
        return Err(format!("column `{name}` is a {kind}; `starts_with` is for strings"));
    }
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Ok(Expr::Like(Like::new(negated, Box::new(this), Box::new(lit(pattern)), None, false)))
}

fn literals(name: &str, given: &[Value], kind: ColumnKind) -> Result<Vec<Expr>, String> {
    if given.len() > IN_VALUES_MAX {
        return Err(format!("column `{name}` is compared with more than {IN_VALUES_MAX} values"));
    }
    given
        .iter()
        .map(|v| {
            literal(v, kind)
                .map(|s| Expr::Literal(s, None))
                .ok_or_else(|| format!("column `{name}` is a {kind}; compare it with {}", example(kind)))
        })
        .collect()
}

fn example(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::String => "a text of at most 1024 bytes",
        ColumnKind::Integer => "a whole number",
        ColumnKind::Number => "a number",
        ColumnKind::Boolean => "true or false",
        ColumnKind::Date => "a day such as \"2023-03-08\"",
        ColumnKind::Timestamp => "a time such as \"2023-03-08T01:00:00\"",
    }
}

/// The value as a literal of exactly this kind.
fn literal(value: &Value, kind: ColumnKind) -> Option<ScalarValue> {
    match (kind, value) {
        (ColumnKind::String, Value::Text(text)) if text.len() <= TEXT_BYTES_MAX => {
            Some(ScalarValue::Utf8(Some(text.clone())))
        }
        (ColumnKind::Integer, Value::Integer(n)) => Some(ScalarValue::Int64(Some(*n))),
        #[expect(clippy::cast_precision_loss, reason = "a number column holds no more digits either")]
        (ColumnKind::Number, Value::Integer(n)) => Some(ScalarValue::Float64(Some(*n as f64))),
        (ColumnKind::Number, Value::Number(n)) if n.is_finite() => Some(ScalarValue::Float64(Some(*n))),
        (ColumnKind::Boolean, Value::Boolean(b)) => Some(ScalarValue::Boolean(Some(*b))),
        (ColumnKind::Date, Value::Text(text)) => parse_date(text).map(|d| ScalarValue::Date32(Some(d))),
        (ColumnKind::Timestamp, Value::Text(text)) => {
            let day = || parse_date(text).map(|d| i64::from(d) * MICROS_PER_DAY);
            let micros = parse_timestamp(text).or_else(day)?;
            Some(ScalarValue::TimestampMicrosecond(Some(micros), None))
        }
        _ => None,
    }
}
