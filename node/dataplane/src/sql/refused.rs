//! The names of what is not taken, and what to write instead.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, ObjectName, SetExpr, SetOperator, Spanned, TableFactor,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::SqlError;
use super::tokens::Tokens;

/// The place, or where the clause begins when the parser did not keep it.
pub(super) fn place(at: Location, tokens: &Tokens, clause: &str) -> Location {
    if at.line == 0 { tokens.place(&[clause]) } else { at }
}

/// Where the expression begins. Walked by hand, since a chain of operators is as deep as it is long.
pub(super) fn begin(expr: &Expr, tokens: &Tokens, clause: &str) -> Location {
    let mut first = expr;
    loop {
        first = match first {
            Expr::BinaryOp { left: next, .. }
            | Expr::IsDistinctFrom(next, _)
            | Expr::IsNotDistinctFrom(next, _)
            | Expr::AnyOp { left: next, .. }
            | Expr::AllOp { left: next, .. }
            | Expr::Nested(next)
            | Expr::IsNull(next)
            | Expr::IsNotNull(next)
            | Expr::IsTrue(next)
            | Expr::IsNotTrue(next)
            | Expr::IsFalse(next)
            | Expr::IsNotFalse(next)
            | Expr::IsUnknown(next)
            | Expr::IsNotUnknown(next)
            | Expr::IsNormalized { expr: next, .. }
            | Expr::InList { expr: next, .. }
            | Expr::InSubquery { expr: next, .. }
            | Expr::InUnnest { expr: next, .. }
            | Expr::Between { expr: next, .. }
            | Expr::Like { expr: next, .. }
            | Expr::ILike { expr: next, .. }
            | Expr::SimilarTo { expr: next, .. }
            | Expr::RLike { expr: next, .. }
            | Expr::Collate { expr: next, .. }
            | Expr::AtTimeZone { timestamp: next, .. }
            | Expr::CompoundFieldAccess { root: next, .. } => next,
            Expr::Identifier(ident) => return place(ident.span.start, tokens, clause),
            Expr::Value(value) => return place(value.span.start, tokens, clause),
            Expr::CompoundIdentifier(parts) => {
                let at = parts.first().map_or(Location { line: 0, column: 0 }, |p| p.span.start);
                return place(at, tokens, clause);
            }
            Expr::Function(call) => return place(call.name.span().start, tokens, clause),
            Expr::Case { case_token, .. } => return place(case_token.0.span.start, tokens, clause),
            _ => return tokens.place(&[clause]),
        }
    }
}

/// An expression that is neither a column nor a value nor a comparison of the two.
pub(super) fn expression(expr: &Expr, tokens: &Tokens, clause: &str) -> SqlError {
    let at = begin(expr, tokens, clause);
    if let Expr::Function(call) = expr {
        return match clause {
            "SELECT" => function(&call.name, at),
            _ => SqlError::new(
                at,
                format!("the function `{}` cannot be used in {clause}", short(&call.name)),
                "compare a column with a value as it is",
            ),
        };
    }
    let (what, instead) = named(expr);
    SqlError::new(at, format!("{what} cannot be used"), instead)
}

pub(super) fn function(name: &ObjectName, at: Location) -> SqlError {
    let what = format!("the function `{}` cannot be used", short(name));
    SqlError::new(
        at,
        what,
        "there are count, sum, avg, min, max and parts of times (docs/queries.md); compute others on your side",
    )
}

fn short(text: impl ToString) -> String {
    text.to_string().chars().take(60).collect()
}

fn named(expr: &Expr) -> (&'static str, &'static str) {
    const COMPARE: &str =
        "compare one column with a value: =, <>, <, <=, >, >=, IN, BETWEEN, IS NULL, LIKE 'prefix%'";
    const PLAIN: &str = "use the column as it is, and compute on your side";
    match expr {
        Expr::BinaryOp { op, .. } => match op {
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => ("arithmetic", PLAIN),
            BinaryOperator::And | BinaryOperator::Or => ("a condition in the place of a value", COMPARE),
            _ => ("this operator", COMPARE),
        },
        Expr::UnaryOp { .. } => ("a sign or NOT before this", PLAIN),
        Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => {
            ("a name with a dot", "write the column's name alone, in double quotes if it has a dot itself")
        }
        Expr::Cast { .. } | Expr::Convert { .. } => {
            ("a cast", "compare the column with a value of its own kind")
        }
        Expr::Case { .. } => ("CASE", "ask one query for each case"),
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
            ("a subquery", "ask it first and put its values into IN (…)")
        }
        Expr::AnyOp { .. } | Expr::AllOp { .. } | Expr::InUnnest { .. } => ("ANY or ALL", "write IN (…)"),
        Expr::Like { .. } => ("this LIKE", "write LIKE 'prefix%'"),
        Expr::ILike { .. } => ("ILIKE", "write LIKE 'prefix%', with IN or OR for other letters"),
        Expr::SimilarTo { .. } | Expr::RLike { .. } => ("a pattern", "write LIKE 'prefix%'"),
        Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_) => ("IS TRUE and the like", "write column = true or column IS NULL"),
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => ("IS DISTINCT FROM", "write <> or IS NULL"),
        Expr::Extract { .. } | Expr::Interval(_) | Expr::AtTimeZone { .. } => {
            ("a computation with times", "compare with days: column BETWEEN '2023-01-01' AND '2023-12-31'")
        }
        Expr::Ceil { .. }
        | Expr::Floor { .. }
        | Expr::Position { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::Overlay { .. }
        | Expr::Function(_) => ("a function", PLAIN),
        Expr::Collate { .. } => ("COLLATE", "leave it out; texts are compared letter by letter (Unicode)"),
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {
            ("GROUPING SETS, CUBE or ROLLUP", "ask for each grouping on its own")
        }
        Expr::Tuple(_) => ("a list of columns", "write each comparison on its own, joined by AND"),
        Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => ("`*` here", "name a column"),
        Expr::TypedString(_) => ("this kind of literal", "write days and times as 'text'"),
        Expr::Value(_) => ("a value alone", COMPARE),
        _ => ("this expression", COMPARE),
    }
}

/// What is not one `SELECT`.
pub(super) fn body(body: &SetExpr, tokens: &Tokens) -> SqlError {
    match body {
        SetExpr::SetOperation { op, .. } => {
            let word = match op {
                SetOperator::Union => "UNION",
                SetOperator::Except => "EXCEPT",
                SetOperator::Intersect => "INTERSECT",
                SetOperator::Minus => "MINUS",
            };
            let at = tokens.place(&[word]);
            SqlError::new(
                at,
                format!("{word} cannot be used"),
                "ask two queries and put the answers together",
            )
        }
        _ => SqlError::new(tokens.start(), "this is no SELECT", "write SELECT columns FROM this_dataset"),
    }
}

/// What stands in `FROM` and is no name.
pub(super) fn relation(relation: &TableFactor, tokens: &Tokens) -> SqlError {
    let at = place(relation.span().start, tokens, "FROM");
    let what = match relation {
        TableFactor::Derived { .. } => "a subquery in FROM cannot be used",
        TableFactor::NestedJoin { .. } => "JOIN cannot be used",
        TableFactor::TableFunction { .. } | TableFactor::Function { .. } | TableFactor::UNNEST { .. } => {
            "a table function cannot be used"
        }
        _ => "this cannot stand in FROM",
    };
    SqlError::new(at, what, "write FROM this_dataset")
}
