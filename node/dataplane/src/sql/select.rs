//! The clauses of one `SELECT`. Each structure of the parser's is taken apart whole, so that a clause which a later
//! version learns to read cannot pass unseen.

use datafusion::sql::sqlparser::ast::{
    self, Distinct, DuplicateTreatment, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr,
    LimitClause, OrderByKind, Select, SelectItem, SetExpr, Spanned, TableFactor, TableWithJoins,
    Value as SqlValue,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::tokens::Tokens;
use super::{SqlError, THIS_DATASET, condition, name, refused};
use crate::{Function, Measure, Order, Query};

/// What to write in place of what would need a second table.
const ONE_DATASET: &str = "ask each dataset on its own and put the answers together on your side";

/// One thing that is selected.
enum Item {
    Column(String, Location),
    Figure(Measure),
}

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
    shape(&projection, &groups, distinct, tokens).map(|query| Query { filter, ..query })
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
            names.iter().map(|e| column(e, tokens, "GROUP", instead)).collect()
        }
    }
}

/// A column's name, or why it is none.
fn column(expr: &Expr, tokens: &Tokens, clause: &str, instead: &str) -> Result<(String, Location), SqlError> {
    match condition::plain(expr) {
        Expr::Identifier(ident) => Ok((name(ident), ident.span.start)),
        Expr::Value(value) => {
            let at = refused::place(value.span.start, tokens, clause);
            Err(SqlError::new(at, format!("`{}` stands where a column is named", value.value), instead))
        }
        other => Err(refused::expression(other, tokens, clause)),
    }
}

fn shape(
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
    let mut measures = Vec::new();
    for item in items {
        match item {
            Item::Column(_, at) if !measures.is_empty() => {
                let what = "a column stands behind a figure";
                return Err(SqlError::new(
                    at,
                    what,
                    "select the columns first, then count, sum, avg, min and max",
                ));
            }
            Item::Column(name, at) => columns.push((name, at)),
            Item::Figure(measure) => measures.push(measure),
        }
    }
    if groups.is_empty() && first_figure.is_none() {
        let columns = Some(columns.into_iter().map(|(name, _)| name).collect());
        return Ok(Query { columns, distinct, ..Query::default() });
    }
    if distinct && first_figure.is_some() {
        let at = tokens.place(&["DISTINCT"]);
        return Err(SqlError::new(
            at,
            "DISTINCT cannot go with figures",
            "leave it out; groups are different already",
        ));
    }
    for (name, at) in &columns {
        if !groups.iter().any(|(g, _)| g == name) {
            let what = format!("`{name}` is neither grouped by nor computed");
            return Err(SqlError::new(
                *at,
                what,
                "add it to GROUP BY, or compute count, sum, avg, min or max of it",
            ));
        }
    }
    for (name, at) in groups {
        if !columns.iter().any(|(c, _)| c == name) {
            let what = format!("`{name}` is grouped by and not selected");
            return Err(SqlError::new(*at, what, "select it as well"));
        }
    }
    let names: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
    // Groups without figures are the different rows.
    Ok(match measures.is_empty() {
        true => Query { columns: Some(names), distinct: true, ..Query::default() },
        false => Query { group_by: names, measures, ..Query::default() },
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
        let (column, at) = column(&key.expr, tokens, "ORDER", instead)?;
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
