//! The clauses of one `SELECT`. Each structure of the parser's is taken apart whole, so that a clause which a later
//! version learns to read cannot pass unseen.

use datafusion::sql::sqlparser::ast::{
    self, Distinct, Expr, GroupByExpr, LimitClause, OrderByKind, Select, SetExpr, Spanned, TableFactor,
    TableWithJoins, Value as SqlValue,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::tokens::Tokens;
use super::{SqlError, THIS_DATASET, condition, items, refused, times};
use crate::{Order, Query};

/// What to write in place of what would need a second table.
const ONE_DATASET: &str = "ask each dataset on its own and put the answers together on your side";

/// The query that the parsed text says.
pub(super) fn query(parsed: ast::Query, tokens: &Tokens, dataset: &str) -> Result<Query, SqlError> {
    let ast::Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = parsed;
    let clause = |word: &'static str, there: bool, instead: &str| match there {
        true => Err(SqlError::new(tokens.place(&[word]), format!("{word} cannot be used"), instead)),
        false => Ok(()),
    };
    clause("WITH", with.is_some(), "write one SELECT FROM this_dataset")?;
    clause("FETCH", fetch.is_some(), "write LIMIT n")?;
    clause("FOR", !locks.is_empty() || for_clause.is_some(), "leave it out; nothing is locked")?;
    clause("SETTINGS", settings.is_some(), "leave it out")?;
    clause("FORMAT", format_clause.is_some(), "name the format beside the query")?;
    clause("|>", !pipe_operators.is_empty(), "write SELECT … FROM this_dataset WHERE …")?;
    let mut query = match *body {
        SetExpr::Select(select) => selected(*select, tokens, dataset)?,
        other => return Err(refused::body(&other, tokens)),
    };
    if let Some(order_by) = order_by {
        query.order_by = order(order_by, tokens)?;
    }
    query.limit = match limit_clause {
        Some(clause) => limit(clause, tokens)?,
        None => None,
    };
    Ok(query)
}

fn selected(select: Select, tokens: &Tokens, dataset: &str) -> Result<Query, SqlError> {
    let Select {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor: _,
    } = select;
    let clause = |word: &'static str, there: bool, instead: &str| match there {
        true => Err(SqlError::new(tokens.place(&[word]), format!("{word} cannot be used"), instead)),
        false => Ok(()),
    };
    clause("SELECT", !optimizer_hints.is_empty() || select_modifiers.is_some(), "leave hints out")?;
    clause("AS", value_table_mode.is_some(), "write SELECT columns FROM this_dataset")?;
    clause("TOP", top.is_some(), "write LIMIT n at the end")?;
    clause("EXCLUDE", exclude.is_some(), "name the columns that you want")?;
    clause("INTO", into.is_some(), "leave it out; the answer comes to you as a file")?;
    clause("LATERAL", !lateral_views.is_empty(), ONE_DATASET)?;
    clause("PREWHERE", prewhere.is_some(), "write WHERE")?;
    clause("CONNECT", !connect_by.is_empty(), ONE_DATASET)?;
    clause("CLUSTER", !cluster_by.is_empty(), "write ORDER BY")?;
    clause("DISTRIBUTE", !distribute_by.is_empty(), "leave it out")?;
    clause("SORT", !sort_by.is_empty(), "write ORDER BY")?;
    clause("HAVING", having.is_some(), "drop those groups from the answer on your side")?;
    clause("WINDOW", !named_window.is_empty(), "compute over the answer's rows on your side")?;
    clause("QUALIFY", qualify.is_some(), "compute over the answer's rows on your side")?;
    table(&from, tokens, dataset)?;
    let filter = match &selection {
        Some(condition) => condition::predicates(condition, tokens)?,
        None => Vec::new(),
    };
    let distinct = match distinct {
        None | Some(Distinct::All) => false,
        Some(Distinct::Distinct) => true,
        Some(Distinct::On(_)) => {
            let what = "DISTINCT ON cannot be used";
            return Err(SqlError::new(tokens.place(&["DISTINCT"]), what, "write SELECT DISTINCT columns"));
        }
    };
    let groups = group_names(&group_by, tokens)?;
    items::query(&projection, &groups, distinct, tokens).map(|query| Query { filter, ..query })
}

/// `FROM` names the one dataset and nothing else.
fn table(from: &[TableWithJoins], tokens: &Tokens, dataset: &str) -> Result<(), SqlError> {
    let instead = format!("write FROM {THIS_DATASET}");
    let one = match from {
        [one] => one,
        [] => return Err(SqlError::new(tokens.end(), "FROM is missing", instead)),
        [_, second, ..] => {
            let at = refused::place(second.relation.span().start, tokens, "FROM");
            return Err(SqlError::new(at, "a second table cannot be used", ONE_DATASET));
        }
    };
    if !one.joins.is_empty() {
        let words =
            ["NATURAL", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "JOIN", "ASOF", "OUTER", "STRAIGHT_JOIN"];
        let at = refused::place(tokens.place(&words), tokens, "JOIN");
        return Err(SqlError::new(at, "JOIN cannot be used", ONE_DATASET));
    }
    let TableFactor::Table {
        name,
        alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = &one.relation
    else {
        return Err(refused::relation(&one.relation, tokens));
    };
    let at = refused::place(name.span().start, tokens, "FROM");
    if let Some(alias) = alias {
        let what = format!("another name for the dataset (`{}`) cannot be used", alias.name.value);
        return Err(SqlError::new(alias.name.span.start, what, "leave it out and write column names alone"));
    }
    if args.is_some() {
        return Err(SqlError::new(at, "a table function cannot be used", instead));
    }
    let plain = with_hints.is_empty()
        && version.is_none()
        && !with_ordinality
        && partitions.is_empty()
        && json_path.is_none()
        && sample.is_none()
        && index_hints.is_empty();
    if !plain {
        return Err(SqlError::new(at, "nothing can stand behind the dataset's name", instead));
    }
    match name.0.as_slice() {
        [part] if part.as_ident().is_some_and(|i| i.value == THIS_DATASET || i.value == dataset) => Ok(()),
        _ => Err(SqlError::new(at, format!("there is no table `{name}` here"), instead)),
    }
}

fn group_names(group_by: &GroupByExpr, tokens: &Tokens) -> Result<Vec<(String, Location)>, SqlError> {
    let at = || tokens.place(&["GROUP"]);
    let instead = "write GROUP BY and the names of the columns";
    match group_by {
        GroupByExpr::All(_) => Err(SqlError::new(at(), "GROUP BY ALL cannot be used", instead)),
        GroupByExpr::Expressions(_, modifiers) if !modifiers.is_empty() => Err(SqlError::new(
            at(),
            "WITH ROLLUP, CUBE or TOTALS cannot be used",
            "ask for each grouping on its own",
        )),
        GroupByExpr::Expressions(names, _) => {
            let one = |e: &Expr| match condition::plain(e) {
                Expr::Function(call) => match times::part(call, tokens, "GROUP") {
                    Some(part) => part.map(|(part, at)| (times::marked(&part), at)),
                    None => items::column(e, tokens, "GROUP", instead),
                },
                _ => items::column(e, tokens, "GROUP", instead),
            };
            names.iter().map(one).collect()
        }
    }
}

fn order(order_by: ast::OrderBy, tokens: &Tokens) -> Result<Vec<Order>, SqlError> {
    let ast::OrderBy { kind, interpolate } = order_by;
    let instead =
        "write ORDER BY and names of columns that the answer has; name a figure with AS to sort by it";
    let at = tokens.place(&["ORDER"]);
    let OrderByKind::Expressions(keys) = kind else {
        return Err(SqlError::new(at, "ORDER BY ALL cannot be used", instead));
    };
    if interpolate.is_some() || keys.iter().any(|k| k.with_fill.is_some()) {
        return Err(SqlError::new(at, "WITH FILL cannot be used", instead));
    }
    let mut out = Vec::with_capacity(keys.len());
    for key in &keys {
        let (column, at) = items::column(&key.expr, tokens, "ORDER", instead)?;
        if key.options.nulls_first == Some(true) {
            let what = "NULLS FIRST cannot be used";
            return Err(SqlError::new(at, what, "leave it out; missing values come last"));
        }
        out.push(Order { column, descending: key.options.asc == Some(false) });
    }
    Ok(out)
}

fn limit(clause: LimitClause, tokens: &Tokens) -> Result<Option<u64>, SqlError> {
    let at = tokens.place(&["LIMIT"]);
    let instead = "narrow the query by WHERE on what you have seen last; rows cannot be skipped by number";
    match clause {
        LimitClause::LimitOffset { offset: Some(_), .. } => {
            Err(SqlError::new(tokens.place(&["OFFSET"]), "OFFSET cannot be used", instead))
        }
        LimitClause::OffsetCommaLimit { .. } => {
            Err(SqlError::new(at, "LIMIT with two numbers cannot be used", instead))
        }
        LimitClause::LimitOffset { limit_by, .. } if !limit_by.is_empty() => {
            Err(SqlError::new(at, "LIMIT BY cannot be used", "write LIMIT n"))
        }
        LimitClause::LimitOffset { limit: None, .. } => Ok(None),
        LimitClause::LimitOffset { limit: Some(Expr::Value(value)), .. } => match &value.value {
            SqlValue::Number(digits, false) if digits.parse::<u64>().is_ok() => Ok(digits.parse().ok()),
            _ => Err(SqlError::new(at, "LIMIT takes a whole number", "write LIMIT 100")),
        },
        LimitClause::LimitOffset { limit: Some(_), .. } => {
            Err(SqlError::new(at, "LIMIT takes a whole number", "write LIMIT 100"))
        }
    }
}
