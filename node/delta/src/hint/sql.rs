//! Simple comparisons of SQL (section "SQL Expressions for Filtering"): the older way of saying conditions.

use super::{Hint, Literal, Op};
use crate::limits::HINT_BYTES_MAX;

/// Reads `column OP value`, `value OP column`, `column IS NULL` and `column IS NOT NULL`; none for anything else.
#[must_use]
pub fn from_sql(text: &str) -> Option<Hint> {
    if text.len() > HINT_BYTES_MAX {
        return None;
    }
    let (first, rest) = term(text.trim())?;
    let rest = rest.trim_start();
    if let (Term::Column(column), Some(missing)) = (&first, is_null(rest)) {
        let hint = Hint::IsNull(column.clone());
        return Some(if missing { hint } else { Hint::Not(Box::new(hint)) });
    }
    let (op, rest) = operator(rest)?;
    let (second, end) = term(rest.trim_start())?;
    if !end.trim().is_empty() {
        return None;
    }
    match (first, second) {
        (Term::Column(column), Term::Value(value)) => Some(Hint::Compare(column, op, value)),
        (Term::Value(value), Term::Column(column)) => Some(Hint::Compare(column, op.turned(), value)),
        _ => None,
    }
}

enum Term {
    Column(String),
    Value(Literal),
}

fn is_null(text: &str) -> Option<bool> {
    let words: Vec<String> = text.split_whitespace().take(4).map(str::to_ascii_lowercase).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["is", "null"] => Some(true),
        ["is", "not", "null"] => Some(false),
        _ => None,
    }
}

fn operator(text: &str) -> Option<(Op, &str)> {
    const SIGNS: [(&str, Op); 8] = [
        ("<=", Op::Le),
        (">=", Op::Ge),
        ("<>", Op::Ne),
        ("!=", Op::Ne),
        ("==", Op::Eq),
        ("=", Op::Eq),
        ("<", Op::Lt),
        (">", Op::Gt),
    ];
    SIGNS.iter().find_map(|(sign, op)| text.strip_prefix(sign).map(|rest| (*op, rest)))
}

/// The first column or value of a text, and what follows it.
fn term(text: &str) -> Option<(Term, &str)> {
    let first = text.chars().next()?;
    match first {
        '\'' | '"' => {
            let (inside, rest) = text.get(1..)?.split_once(first)?;
            // A doubled quote is part of the text, and of such nothing is compared.
            let value = Literal::day(inside).filter(|_| !rest.starts_with(first)).unwrap_or(Literal::Other);
            Some((Term::Value(value), rest))
        }
        '`' => {
            let (inside, rest) = text.get(1..)?.split_once('`')?;
            (!inside.is_empty() && !rest.starts_with('`')).then(|| (Term::Column(inside.to_owned()), rest))
        }
        _ => bare(text),
    }
}

fn bare(text: &str) -> Option<(Term, &str)> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || "_.+-".contains(c))).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).filter(|(word, _)| !word.is_empty())?;
    if word.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        let plain = word.chars().all(|c| c.is_alphanumeric() || c == '_');
        let no_word = !["true", "false", "null"].contains(&word.to_ascii_lowercase().as_str());
        return (plain && no_word).then(|| (Term::Column(word.to_owned()), rest));
    }
    let whole = word.parse().map(Literal::Whole);
    let value = whole.or_else(|_| word.parse().map(Literal::Number)).ok()?;
    Some((Term::Value(value), rest))
}
