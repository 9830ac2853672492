//! What stands behind `SELECT`: columns, or the groups' columns and figures behind them.

use datafusion::sql::sqlparser::ast::{
    self, DuplicateTreatment, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, Spanned,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::tokens::Tokens;
use super::{SqlError, condition, name, refused, times};
use crate::{Function, Measure, Query, TimePart};

/// One thing that is selected.
enum Item {
    Column(String, Location),
    Part(TimePart, Location),
    Figure(Measure),
}

/// The query that the list says, without conditions.
pub(super) fn query(
    projection: &[SelectItem],
    groups: &[(String, Location)],
    distinct: bool,
    tokens: &Tokens,
) -> Result<Query, SqlError> {
    if let [SelectItem::Wildcard(options)] = projection {
        let at = refused::place(options.wildcard_token.0.span.start, tokens, "SELECT");
        let wildcard_token = options.wildcard_token.clone();
        let bare = ast::WildcardAdditionalOptions { wildcard_token, ..Default::default() };
        if *options != bare {
            return Err(SqlError::new(at, "nothing can stand behind `*`", "name the columns that you want"));
        }
        if !groups.is_empty() {
            return Err(SqlError::new(at, "`*` cannot be grouped", "select the GROUP BY columns by name"));
        }
        return Ok(Query { distinct, ..Query::default() });
    }
    let items = projection.iter().map(|item| one_item(item, tokens)).collect::<Result<Vec<_>, _>>()?;
    let first_figure = items.iter().position(|i| matches!(i, Item::Figure(_)));
    let mut columns = Vec::new();
    let mut parts: Vec<TimePart> = Vec::new();
    let mut measures = Vec::new();
    for item in items {
        match item {
            Item::Column(_, at) | Item::Part(_, at) if !measures.is_empty() => {
                let what = "a column stands behind a figure";
                return Err(SqlError::new(
                    at,
                    what,
                    "select the columns first, then count, sum, avg, min and max",
                ));
            }
            Item::Column(name, at) => columns.push((name, at)),
            Item::Part(part, at) => {
                columns.push((part.output_name(), at));
                parts.push(part);
            }
            Item::Figure(measure) => measures.push(measure),
        }
    }
    if groups.is_empty() && first_figure.is_none() {
        let columns = Some(columns.into_iter().map(|(name, _)| name).collect());
        return Ok(Query { columns, distinct, times: parts, ..Query::default() });
    }
    if distinct && first_figure.is_some() {
        let at = tokens.place(&["DISTINCT"]);
        return Err(SqlError::new(
            at,
            "DISTINCT cannot go with figures",
            "leave it out; groups are different already",
        ));
    }
    // `GROUP BY` says a part of a time by its name or as it is selected.
    let said = |name: &str, group: &str| {
        group == name || parts.iter().any(|p| p.output_name() == name && times::marked(p) == group)
    };
    for (name, at) in &columns {
        if !groups.iter().any(|(g, _)| said(name, g)) {
            let what = format!("`{name}` is neither grouped by nor computed");
            return Err(SqlError::new(
                *at,
                what,
                "add it to GROUP BY, or compute count, sum, avg, min or max of it",
            ));
        }
    }
    for (name, at) in groups {
        if !columns.iter().any(|(c, _)| said(c, name)) {
            let name = name.trim_start_matches('\0');
            let what = format!("`{name}` is grouped by and not selected");
            return Err(SqlError::new(*at, what, "select it as well"));
        }
    }
    let names: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
    // Groups without figures are the different rows.
    Ok(match measures.is_empty() {
        true => Query { columns: Some(names), distinct: true, times: parts, ..Query::default() },
        false => Query { group_by: names, measures, times: parts, ..Query::default() },
    })
}

fn one_item(item: &SelectItem, tokens: &Tokens) -> Result<Item, SqlError> {
    let (expr, alias) = match item {
        SelectItem::UnnamedExpr(expr) => (expr, None),
        SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias)),
        SelectItem::Wildcard(options) => {
            let at = refused::place(options.wildcard_token.0.span.start, tokens, "SELECT");
            return Err(SqlError::new(
                at,
                "`*` cannot go with other columns",
                "write `*` alone, or all names",
            ));
        }
        SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => {
            let at = refused::place(item.span().start, tokens, "SELECT");
            return Err(SqlError::new(at, "this cannot be selected", "write the columns' names alone"));
        }
    };
    match condition::plain(expr) {
        Expr::Function(call) => {
            if let Some(part) = times::part(call, tokens, "SELECT") {
                let (part, at) = part?;
                return Ok(Item::Part(TimePart { name: alias.map(name), ..part }, at));
            }
            let mut measure = figure(call, tokens)?;
            measure.name = alias.map(name);
            Ok(Item::Figure(measure))
        }
        other => {
            let (name, at) = column(other, tokens, "SELECT", "write a column's name")?;
            match alias.filter(|a| a.value != name) {
                Some(alias) => {
                    let what = format!("the column `{name}` cannot be given another name");
                    Err(SqlError::new(alias.span.start, what, "leave AS out; only figures can be named"))
                }
                None => Ok(Item::Column(name, at)),
            }
        }
    }
}

fn figure(call: &ast::Function, tokens: &Tokens) -> Result<Measure, SqlError> {
    let ast::Function {
        name,
        uses_odbc_syntax,
        parameters,
        args,
        filter,
        null_treatment,
        over,
        within_group,
    } = call;
    let at = refused::place(name.span().start, tokens, "SELECT");
    let function = match name.to_string().to_ascii_lowercase().as_str() {
        "count" => Function::Count,
        "sum" => Function::Sum,
        "avg" => Function::Avg,
        "min" => Function::Min,
        "max" => Function::Max,
        _ => return Err(refused::function(name, at)),
    };
    if over.is_some() {
        let what = format!("a window (`{name}(…) OVER`) cannot be used");
        return Err(SqlError::new(at, what, "use GROUP BY, or compute over the answer's rows on your side"));
    }
    let instead = "write count(*), or count, sum, avg, min or max of one column";
    if filter.is_some() {
        return Err(SqlError::new(at, "FILTER cannot be used", "put the condition into WHERE"));
    }
    let FunctionArguments::List(list) = args else {
        return Err(SqlError::new(at, format!("`{name}` is called without a column"), instead));
    };
    if matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct)) {
        let what = format!("`{name}(DISTINCT …)` cannot be used");
        return Err(SqlError::new(
            at,
            what,
            "ask SELECT DISTINCT of that column and count the answer's rows",
        ));
    }
    let bare = !uses_odbc_syntax
        && matches!(parameters, FunctionArguments::None)
        && null_treatment.is_none()
        && within_group.is_empty()
        && list.clauses.is_empty();
    let over = match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if bare && function == Function::Count => None,
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] if bare => {
            Some(column(expr, tokens, "SELECT", instead)?.0)
        }
        _ => return Err(SqlError::new(at, format!("`{name}` of this cannot be computed"), instead)),
    };
    Ok(Measure { function, column: over, name: None })
}

/// A column's name, or why it is none.
pub(super) fn column(
    expr: &Expr,
    tokens: &Tokens,
    clause: &str,
    instead: &str,
) -> Result<(String, Location), SqlError> {
    match condition::plain(expr) {
        Expr::Identifier(ident) => Ok((name(ident), ident.span.start)),
        Expr::Value(value) => {
            let at = refused::place(value.span.start, tokens, clause);
            Err(SqlError::new(at, format!("`{}` stands where a column is named", value.value), instead))
        }
        other => Err(refused::expression(other, tokens, clause)),
    }
}
