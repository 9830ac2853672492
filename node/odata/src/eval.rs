//! Whether a row is what a filter asks for (URL Conventions 4.01, 5.1.1: operators and functions, with their rules for
//! missing values). Nothing here fails on data: what has no answer is missing.

use std::cmp::Ordering;

use crate::limits::TEXT_BYTES_MAX;
use crate::{Compare, Expr, Function, Value};

impl Expr {
    /// Whether it holds for a row; `row` are the values of the set's columns in their order.
    #[must_use]
    pub fn holds(&self, row: &[Value]) -> bool {
        self.value(row) == Value::Boolean(true)
    }

    fn value(&self, row: &[Value]) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Property(at) => row.get(*at).cloned().unwrap_or(Value::Null),
            Self::Call(function, arguments) => {
                let values: Vec<Value> = arguments.iter().map(|a| a.value(row)).collect();
                call(*function, &values).unwrap_or(Value::Null)
            }
            Self::Compare(op, left, right) => {
                Value::Boolean(compare(*op, &left.value(row), &right.value(row)))
            }
            Self::In(left, values) => {
                let left = left.value(row);
                Value::Boolean(values.iter().any(|value| compare(Compare::Eq, &left, value)))
            }
            Self::And(parts) => joined(parts, row, false),
            Self::Or(parts) => joined(parts, row, true),
            Self::Not(inner) => match inner.value(row) {
                Value::Boolean(value) => Value::Boolean(!value),
                _ => Value::Null,
            },
        }
    }
}

/// `and` is decided by the first `false`, `or` by the first `true`; else a missing part leaves it missing.
fn joined(parts: &[Expr], row: &[Value], decides: bool) -> Value {
    let mut missing = false;
    for part in parts {
        match part.value(row) {
            Value::Boolean(value) if value == decides => return Value::Boolean(decides),
            Value::Boolean(_) => {}
            _ => missing = true,
        }
    }
    if missing { Value::Null } else { Value::Boolean(!decides) }
}

/// Missing equals missing and nothing else; with a missing value no order holds.
fn compare(op: Compare, left: &Value, right: &Value) -> bool {
    let missing = (*left == Value::Null, *right == Value::Null);
    let order = match missing {
        (true, true) => return op == Compare::Eq,
        (true, false) | (false, true) => return op == Compare::Ne,
        (false, false) => left.compare(right),
    };
    match op {
        Compare::Eq => order == Some(Ordering::Equal),
        Compare::Ne => order != Some(Ordering::Equal),
        Compare::Gt => order == Some(Ordering::Greater),
        Compare::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Compare::Lt => order == Some(Ordering::Less),
        Compare::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
    }
}

fn call(function: Function, values: &[Value]) -> Option<Value> {
    let text = |at: usize| match values.get(at) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    Some(match function {
        Function::Contains => Value::Boolean(text(0)?.contains(text(1)?)),
        Function::StartsWith => Value::Boolean(text(0)?.starts_with(text(1)?)),
        Function::EndsWith => Value::Boolean(text(0)?.ends_with(text(1)?)),
        Function::Length => whole(text(0)?.chars().count()),
        Function::IndexOf => {
            let (text, part) = (text(0)?, text(1)?);
            match text.find(part) {
                Some(at) => whole(text.get(..at)?.chars().count()),
                None => Value::Integer(-1),
            }
        }
        Function::Substring => substring(text(0)?, values.get(1)?, values.get(2))?,
        Function::ToLower => Value::Text(text(0)?.to_lowercase()),
        Function::ToUpper => Value::Text(text(0)?.to_uppercase()),
        Function::Trim => Value::Text(text(0)?.trim().to_owned()),
        Function::Concat => {
            let (a, b) = (text(0)?, text(1)?);
            Value::Text((a.len() + b.len() <= TEXT_BYTES_MAX).then(|| format!("{a}{b}"))?)
        }
        Function::Round | Function::Floor | Function::Ceiling => rounded(function, values.first()?)?,
        _ => part_of_time(function, values.first()?)?,
    })
}

fn whole(n: usize) -> Value {
    i64::try_from(n).map_or(Value::Null, Value::Integer)
}

/// From a place on, in characters; a place before the beginning is the beginning.
fn substring(text: &str, from: &Value, length: Option<&Value>) -> Option<Value> {
    let number = |value: &Value| match value {
        Value::Integer(n) => Some(usize::try_from(*n).unwrap_or(0)),
        _ => None,
    };
    let rest = text.chars().skip(number(from)?);
    Some(Value::Text(match length {
        Some(length) => rest.take(number(length)?).collect(),
        None => rest.collect(),
    }))
}

fn rounded(function: Function, value: &Value) -> Option<Value> {
    match value {
        Value::Integer(n) => Some(Value::Integer(*n)),
        Value::Number(n) => Some(Value::Number(match function {
            Function::Floor => n.floor(),
            Function::Ceiling => n.ceil(),
            _ => n.round(),
        })),
        _ => None,
    }
}

fn part_of_time(function: Function, value: &Value) -> Option<Value> {
    let (day, time) = match value {
        Value::Date(day) => (*day, None),
        Value::Time(time) => (time.date(), Some(time.time())),
        _ => return None,
    };
    let n = match function {
        Function::Year => i64::from(day.year()),
        Function::Month => i64::from(u8::from(day.month())),
        Function::Day => i64::from(day.day()),
        Function::Hour => i64::from(time?.hour()),
        Function::Minute => i64::from(time?.minute()),
        Function::Second => i64::from(time?.second()),
        Function::Date => return Some(Value::Date(day)),
        _ => return None,
    };
    Some(Value::Integer(n))
}
