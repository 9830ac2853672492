//! What stands behind `WHERE`: comparisons of one column with values, joined by `AND`; by `OR` where they are of the
//! same column. `NOT` is carried inwards until it stands before a comparison, which then becomes its opposite; a
//! missing value satisfies neither, in SQL as here.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, UnaryOperator, Value as SqlValue, ValueWithSpan,
};

use super::tokens::Tokens;
use super::{SqlError, name, refused};
use crate::{Op, Predicate, Test, Value};

const WHERE: &str = "WHERE";

/// The predicates that together say the condition.
pub(super) fn predicates(condition: &Expr, tokens: &Tokens) -> Result<Vec<Predicate>, SqlError> {
    all(condition, false, tokens)
}

/// The expression without the parentheses around it.
pub(super) fn plain(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

fn all(expr: &Expr, negated: bool, tokens: &Tokens) -> Result<Vec<Predicate>, SqlError> {
    match plain(expr) {
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => all(expr, !negated, tokens),
        Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } => {
            // NOT turns AND into OR and OR into AND.
            let either = (*op == BinaryOperator::And) == negated;
            let mut out = Vec::new();
            for part in chain(expr, op) {
                let meant = all(part, negated, tokens)?;
                if either && meant.len() != 1 {
                    let at = refused::begin(part, tokens, WHERE);
                    let what = "AND within OR cannot be asked";
                    return Err(SqlError::new(at, what, "ask two queries, one for each side of OR"));
                }
                out.extend(meant);
            }
            if either { any(expr, out, tokens).map(|p| vec![p]) } else { Ok(out) }
        }
        leaf => Ok(vec![one(leaf, negated, tokens)?]),
    }
}

/// The parts of `a op b op c …`, in order. A chain is as deep as it is long, so it is walked without recursion.
fn chain<'e>(expr: &'e Expr, op: &BinaryOperator) -> Vec<&'e Expr> {
    let (mut out, mut rest) = (Vec::new(), vec![expr]);
    while let Some(next) = rest.pop() {
        match plain(next) {
            Expr::BinaryOp { left, op: this, right } if this == op => {
                rest.extend([right.as_ref(), left.as_ref()])
            }
            part => out.push(part),
        }
    }
    out
}

/// One predicate that holds where one of these does.
fn any(expr: &Expr, parts: Vec<Predicate>, tokens: &Tokens) -> Result<Predicate, SqlError> {
    let at = || refused::begin(expr, tokens, WHERE);
    let mut parts = parts.into_iter();
    let Some(mut out) = parts.next() else {
        return Err(SqlError::new(at(), "OR joins nothing", "write a comparison on both sides"));
    };
    for part in parts {
        if part.column != out.column {
            let what = format!("OR of two columns (`{}` and `{}`) cannot be asked", out.column, part.column);
            return Err(SqlError::new(
                at(),
                what,
                "ask two queries, one for each side, and put the rows together",
            ));
        }
        out.or.push(Test { op: part.op, values: part.values });
        out.or.extend(part.or);
    }
    Ok(as_list(out))
}

/// `a = 1 OR a = 2` is `a IN (1, 2)`.
fn as_list(predicate: Predicate) -> Predicate {
    if predicate.tests().any(|(op, _)| !matches!(op, Op::Eq | Op::In)) {
        return predicate;
    }
    let values = predicate.tests().flat_map(|(_, values)| values.to_vec()).collect();
    Predicate::new(predicate.column, Op::In, values)
}

fn one(leaf: &Expr, negated: bool, tokens: &Tokens) -> Result<Predicate, SqlError> {
    match leaf {
        Expr::BinaryOp { left, op, right } => compared(leaf, (left, op, right), negated, tokens),
        Expr::IsNull(e) => unary(e, Op::IsNull, Op::IsNotNull, negated, tokens),
        Expr::IsNotNull(e) => unary(e, Op::IsNotNull, Op::IsNull, negated, tokens),
        Expr::InList { expr, list, negated: not } => {
            let op = if *not == negated { Op::In } else { Op::NotIn };
            let values = list.iter().map(|v| value(v, tokens)).collect::<Result<_, _>>()?;
            Ok(Predicate::new(column(expr, tokens)?, op, values))
        }
        Expr::Between { expr, negated: not, low, high } => {
            let op = if *not == negated { Op::Between } else { Op::NotBetween };
            Ok(Predicate::new(column(expr, tokens)?, op, vec![value(low, tokens)?, value(high, tokens)?]))
        }
        Expr::Like { negated: not, any: false, expr, pattern, escape_char: None } => {
            let column = column(expr, tokens)?;
            like(column, pattern, *not != negated, tokens)
        }
        Expr::Identifier(ident) => {
            let what = format!("`{}` alone is no comparison", ident.value);
            Err(SqlError::new(ident.span.start, what, "write column = true, or compare it with a value"))
        }
        other => Err(refused::expression(other, tokens, WHERE)),
    }
}

fn compared(
    leaf: &Expr,
    (left, op, right): (&Expr, &BinaryOperator, &Expr),
    negated: bool,
    tokens: &Tokens,
) -> Result<Predicate, SqlError> {
    let Some(op) = comparison(op) else { return Err(refused::expression(leaf, tokens, WHERE)) };
    let (left, right) = (plain(left), plain(right));
    let (column_side, value_side, op) = match (left, right) {
        (Expr::Identifier(_), Expr::Identifier(_)) => {
            let at = refused::begin(leaf, tokens, WHERE);
            let instead = "compare each with a value; put texts in single quotes: 'text'";
            return Err(SqlError::new(at, "a comparison of two columns cannot be asked", instead));
        }
        (Expr::Identifier(_), _) => (left, right, op),
        (_, Expr::Identifier(_)) => (right, left, mirrored(op)),
        _ => (left, right, op),
    };
    let column = column(column_side, tokens)?;
    let op = if negated { opposite(op) } else { op };
    Ok(Predicate::new(column, op, vec![value(value_side, tokens)?]))
}

fn comparison(op: &BinaryOperator) -> Option<Op> {
    Some(match op {
        BinaryOperator::Eq => Op::Eq,
        BinaryOperator::NotEq => Op::Ne,
        BinaryOperator::Lt => Op::Lt,
        BinaryOperator::LtEq => Op::Le,
        BinaryOperator::Gt => Op::Gt,
        BinaryOperator::GtEq => Op::Ge,
        _ => return None,
    })
}

/// `5 < a` is `a > 5`.
fn mirrored(op: Op) -> Op {
    match op {
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        same => same,
    }
}

fn opposite(op: Op) -> Op {
    match op {
        Op::Eq => Op::Ne,
        Op::Ne => Op::Eq,
        Op::Lt => Op::Ge,
        Op::Le => Op::Gt,
        Op::Gt => Op::Le,
        Op::Ge => Op::Lt,
        other => other,
    }
}

fn unary(expr: &Expr, op: Op, not: Op, negated: bool, tokens: &Tokens) -> Result<Predicate, SqlError> {
    Ok(Predicate::new(column(expr, tokens)?, if negated { not } else { op }, Vec::new()))
}

/// `LIKE 'prefix%'`, and `LIKE 'text'`, which is `=`.
fn like(column: String, pattern: &Expr, negated: bool, tokens: &Tokens) -> Result<Predicate, SqlError> {
    let Value::Text(text) = value(pattern, tokens)? else {
        let at = refused::begin(pattern, tokens, "LIKE");
        return Err(SqlError::new(at, "LIKE takes a text", "write LIKE 'prefix%'"));
    };
    let (prefix, op) = match (text.strip_suffix('%'), negated) {
        (Some(prefix), false) => (prefix, Op::StartsWith),
        (Some(prefix), true) => (prefix, Op::NotStartsWith),
        (None, false) => (text.as_str(), Op::Eq),
        (None, true) => (text.as_str(), Op::Ne),
    };
    if prefix.contains(['%', '_', '\\']) {
        let at = refused::begin(pattern, tokens, "LIKE");
        let what = "LIKE can look at the beginning of a text only";
        return Err(SqlError::new(at, what, "write LIKE 'prefix%' without `_`, `\\` or another `%`"));
    }
    Ok(Predicate::new(column, op, vec![Value::Text(prefix.to_owned())]))
}

fn column(expr: &Expr, tokens: &Tokens) -> Result<String, SqlError> {
    match plain(expr) {
        Expr::Identifier(ident) => Ok(name(ident)),
        Expr::Value(value) => {
            let at = refused::place(value.span.start, tokens, WHERE);
            let what = format!("`{}` is compared and is no column", value.value);
            Err(SqlError::new(
                at,
                what,
                "compare a column with a value; put names in double quotes: \"a name\"",
            ))
        }
        other => Err(refused::expression(other, tokens, WHERE)),
    }
}

fn value(expr: &Expr, tokens: &Tokens) -> Result<Value, SqlError> {
    match plain(expr) {
        Expr::Value(value) => literal(value, "", tokens),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match plain(expr) {
            Expr::Value(value) if matches!(value.value, SqlValue::Number(..)) => literal(value, "-", tokens),
            other => Err(refused::expression(other, tokens, WHERE)),
        },
        // `DATE '2023-03-08'` is the text; the column's kind tells how it is read.
        Expr::TypedString(typed)
            if matches!(typed.data_type, DataType::Date | DataType::Timestamp(None, _))
                && !typed.uses_odbc_syntax =>
        {
            literal(&typed.value, "", tokens)
        }
        Expr::Identifier(ident) => {
            let what = format!("`{}` stands where a value is due", ident.value);
            Err(SqlError::new(ident.span.start, what, "put texts in single quotes: 'text'"))
        }
        other => Err(refused::expression(other, tokens, WHERE)),
    }
}

fn literal(value: &ValueWithSpan, sign: &str, tokens: &Tokens) -> Result<Value, SqlError> {
    let at = || refused::place(value.span.start, tokens, WHERE);
    match &value.value {
        SqlValue::Number(digits, false) => {
            let text = format!("{sign}{digits}");
            let number = text.parse().map(Value::Integer).ok();
            let number =
                number.or_else(|| text.parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Number));
            number
                .ok_or_else(|| SqlError::new(at(), format!("`{text}` is no number"), "write it as 12 or 3.5"))
        }
        SqlValue::SingleQuotedString(text) => Ok(Value::Text(text.clone())),
        SqlValue::Boolean(b) => Ok(Value::Boolean(*b)),
        SqlValue::Null => {
            let what = "a comparison with NULL is never true";
            Err(SqlError::new(at(), what, "write IS NULL or IS NOT NULL"))
        }
        other => {
            Err(SqlError::new(at(), format!("`{other}` is no value"), "write 12, 3.5, 'text', true or false"))
        }
    }
}
