//! Parts of times in SQL: `year(c)`, `month(c)`, `hour(c)`, `date(c)`, `date_trunc('hour', c)` and
//! `strftime(c, '%Y-%m')`, each with the meaning and the kind that DuckDB gives it. Selected and grouped by, nothing else.

use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, Value,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::tokens::Tokens;
use super::{SqlError, condition, items, refused};
use crate::{Period, TimePart};

/// Sets a part in `GROUP BY` apart from a column that is named like it: no column has this character in its name.
const MARK: char = '\0';

/// How `GROUP BY` says the part itself in place of its name.
pub(super) fn marked(part: &TimePart) -> String {
    format!("{MARK}{}", part.written())
}

/// The part that a call says, and where; nothing when the function is none of these.
pub(super) fn part(
    call: &ast::Function,
    tokens: &Tokens,
    clause: &str,
) -> Option<Result<(TimePart, Location), SqlError>> {
    let word = call.name.to_string().to_ascii_lowercase();
    if !["year", "month", "date", "hour", "date_trunc", "strftime"].contains(&word.as_str()) {
        return None;
    }
    let at = refused::place(call.name.span().start, tokens, clause);
    let instead = "write year(c), month(c), hour(c), date(c), date_trunc('hour', c) or strftime(c, '%Y-%m')";
    let wrong = || SqlError::new(at, format!("`{word}` of this cannot be computed"), instead);
    Some(arguments(call).ok_or_else(wrong).and_then(|arguments| {
        let (by, over) = match (word.as_str(), arguments.as_slice()) {
            ("year", [over]) => (Period::Year, *over),
            ("month", [over]) => (Period::MonthOfYear, *over),
            ("hour", [over]) => (Period::HourOfDay, *over),
            ("date", [over]) => (Period::Day, *over),
            ("date_trunc", [how, over]) if is_text(how, "hour") => (Period::Hour, *over),
            ("strftime", [over, how]) if is_text(how, "%Y-%m") => (Period::Month, *over),
            _ => return Err(wrong()),
        };
        let (column, _) = items::column(over, tokens, clause, instead)?;
        Ok((TimePart { column, by, name: None }, at))
    }))
}

fn is_text(expr: &Expr, wanted: &str) -> bool {
    matches!(expr, Expr::Value(v) if matches!(&v.value, Value::SingleQuotedString(text) if text == wanted))
}

/// The arguments of a plain call.
fn arguments(call: &ast::Function) -> Option<Vec<&Expr>> {
    let ast::Function {
        name: _,
        uses_odbc_syntax,
        parameters,
        args,
        filter,
        null_treatment,
        over,
        within_group,
    } = call;
    let FunctionArguments::List(list) = args else { return None };
    let plain = !uses_odbc_syntax
        && matches!(parameters, FunctionArguments::None)
        && filter.is_none()
        && null_treatment.is_none()
        && over.is_none()
        && within_group.is_empty()
        && list.duplicate_treatment.is_none()
        && list.clauses.is_empty();
    let expr = |arg| match arg {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expr)) => Some(condition::plain(expr)),
        _ => None,
    };
    if plain { list.args.iter().map(expr).collect() } else { None }
}
