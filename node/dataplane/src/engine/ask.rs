//! A query checked against a view. Only visible columns can be named, and the answer's schema is known before any row
//! is read. Whether a column is hidden or does not exist makes no difference to what is said.

use datafusion::logical_expr::Expr;

use super::compare::{check_count, compile};
use super::view::{View, VisibleColumn};
use crate::limits::{COLUMNS_MAX, GROUP_BY_MAX, MEASURES_MAX, ORDER_BY_MAX};
use crate::restriction::WATERMARK;
use crate::schema::check_name;
use crate::{Column, ColumnKind, DataError, Function, Measure, Op, Predicate, Query, Schema};

/// A figure that can be computed.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub function: Function,
    pub column: Option<String>,
    pub name: String,
    /// Whether it is over whole numbers.
    pub integers: bool,
    /// Whether it adds whole numbers, of which the sum may be larger than a column can hold.
    pub adds_integers: bool,
}

/// What the answer's rows are.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// Rows of the view, these columns.
    Rows(Vec<String>),
    /// One row per group.
    Groups { by: Vec<String>, figures: Vec<Figure> },
}

/// A query that can be answered.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Over the visible columns.
    pub filter: Vec<Expr>,
    pub shape: Shape,
    /// Columns of the answer by which its rows are sorted, and whether downwards: all of its columns, so that no two
    /// different rows are equal. Empty for the order that rows have anyhow.
    pub order: Vec<(String, bool)>,
    pub limit: Option<usize>,
    /// Schema of the answer.
    pub output: Schema,
}

impl Ask {
    pub(crate) fn new(view: &View, query: &Query) -> Result<Self, DataError> {
        check_count(&query.filter).map_err(DataError::Query)?;
        let mut filter = Vec::with_capacity(query.filter.len());
        for predicate in &query.filter {
            let column = visible(view, &predicate.column)?;
            filter.push(compile(predicate, column.kind).map_err(DataError::Query)?);
        }
        let grouped =
            !query.group_by.is_empty() || !query.measures.is_empty() || view.aggregate_only.is_some();
        let (shape, mut output) = match (query.distinct, grouped) {
            (true, _) => distinct(view, query)?,
            (false, true) => groups(view, query)?,
            (false, false) => rows(view, query)?,
        };
        let order = order(query, &output)?;
        if view.watermark.is_some() {
            output.push(Column::new(WATERMARK, ColumnKind::String, false));
        }
        // A limit beyond what the engine counts (63 bits) is no limit.
        let limit = query.limit.filter(|n| i64::try_from(*n).is_ok()).and_then(|n| usize::try_from(n).ok());
        Ok(Self { filter, shape, order, limit, output: Schema::new(output).map_err(as_query)? })
    }
}

fn as_query(error: DataError) -> DataError {
    match error {
        DataError::Schema(what) => DataError::Query(what),
        other => other,
    }
}

fn visible<'v>(view: &'v View, name: &str) -> Result<&'v VisibleColumn, DataError> {
    view.column(name).ok_or_else(|| DataError::NotVisible { column: name.to_owned() })
}

fn rows(view: &View, query: &Query) -> Result<(Shape, Vec<Column>), DataError> {
    let names: Vec<String> = match &query.columns {
        Some(names) if names.is_empty() || names.len() > COLUMNS_MAX => {
            return Err(DataError::Query(format!("`columns` takes 1 to {COLUMNS_MAX} names")));
        }
        Some(names) => names.clone(),
        None => view.columns.iter().filter(|c| c.part.is_none()).map(|c| c.name.clone()).collect(),
    };
    let mut output = Vec::with_capacity(names.len());
    for name in &names {
        let column = visible(view, name)?;
        output.push(Column::new(name, column.kind, column.nullable));
    }
    Ok((Shape::Rows(names), output))
}

/// Different rows are groups without figures.
fn distinct(view: &View, query: &Query) -> Result<(Shape, Vec<Column>), DataError> {
    if !query.group_by.is_empty() || !query.measures.is_empty() {
        let what =
            "`distinct` goes with `columns`, not with `group_by` or `measures`: groups are different already";
        return Err(DataError::Query(what.to_owned()));
    }
    let (shape, output) = rows(view, query)?;
    let Shape::Rows(by) = shape else { return Ok((shape, output)) };
    if by.len() > GROUP_BY_MAX {
        let what = format!("`distinct` takes at most {GROUP_BY_MAX} columns; name them in `columns`");
        return Err(DataError::Query(what));
    }
    check_release(view, query, &by)?;
    Ok((Shape::Groups { by, figures: Vec::new() }, output))
}

/// The order asked for, made total by the answer's other columns.
fn order(query: &Query, output: &[Column]) -> Result<Vec<(String, bool)>, DataError> {
    if query.order_by.is_empty() {
        return Ok(Vec::new());
    }
    if query.order_by.len() > ORDER_BY_MAX {
        return Err(DataError::Query(format!("at most {ORDER_BY_MAX} columns to sort by")));
    }
    let mut order: Vec<(String, bool)> = Vec::with_capacity(output.len());
    for by in &query.order_by {
        if !output.iter().any(|c| c.name == by.column) {
            let what = format!("the answer has no column `{}` to sort by; sort by what it shows", by.column);
            return Err(DataError::Query(what));
        }
        if order.iter().any(|(name, _)| *name == by.column) {
            return Err(DataError::Query(format!("`order_by` names `{}` twice", by.column)));
        }
        order.push((by.column.clone(), by.descending));
    }
    for column in output {
        if !order.iter().any(|(name, _)| *name == column.name) {
            order.push((column.name.clone(), false));
        }
    }
    Ok(order)
}

fn groups(view: &View, query: &Query) -> Result<(Shape, Vec<Column>), DataError> {
    if query.columns.is_some() {
        let what = "this view gives groups; name columns in `group_by` and `measures`, not in `columns`";
        return Err(DataError::Query(what.to_owned()));
    }
    if query.group_by.len() > GROUP_BY_MAX || query.measures.len() > MEASURES_MAX {
        let what = format!("at most {GROUP_BY_MAX} `group_by` columns and {MEASURES_MAX} measures");
        return Err(DataError::Query(what));
    }
    let by = match &view.aggregate_only {
        Some(aggregate) if query.group_by.is_empty() => view.allowed(aggregate),
        _ => query.group_by.clone(),
    };
    check_release(view, query, &by)?;
    let mut output = Vec::with_capacity(by.len() + query.measures.len());
    for name in &by {
        let column = visible(view, name)?;
        output.push(Column::new(name, column.kind, column.nullable));
    }
    let count = [Measure::new(Function::Count, None)];
    let measures = if query.measures.is_empty() { &count[..] } else { &query.measures };
    let mut figures = Vec::with_capacity(measures.len());
    for measure in measures {
        let (figure, column) = figure(view, measure)?;
        figures.push(figure);
        output.push(column);
    }
    Ok((Shape::Groups { by, figures }, output))
}

/// Under aggregate-only every figure must be a whole cell of one of the tables that the restriction allows: groups
/// by allowed columns, and filters that choose cells but never cut one.
fn check_release(view: &View, query: &Query, by: &[String]) -> Result<(), DataError> {
    let Some(aggregate) = &view.aggregate_only else { return Ok(()) };
    for name in by.iter().chain(query.filter.iter().map(|p| &p.column)) {
        visible(view, name)?;
        if !view.is_allowed(aggregate, name) {
            let what =
                format!("only groups leave this view, and column `{name}` is not one to group or filter by");
            return Err(DataError::Query(what));
        }
    }
    // One comparison that chooses one value; an "or" chooses several cells and adds them up.
    let cuts = |p: &Predicate| !matches!(p.op, Op::Eq | Op::IsNull) || !p.or.is_empty();
    match query.filter.iter().find(|p| cuts(p) && !by.contains(&p.column)) {
        Some(p) => {
            let what = format!(
                "column `{0}` can be filtered with `eq` only; group by `{0}` for other filters",
                p.column
            );
            Err(DataError::Query(what))
        }
        None => Ok(()),
    }
}

fn figure(view: &View, measure: &Measure) -> Result<(Figure, Column), DataError> {
    let name = measure.output_name();
    check_name(&name).map_err(DataError::Query)?;
    let function = measure.function;
    let kind = match &measure.column {
        Some(column) => Some(visible(view, column)?.kind),
        None => None,
    };
    if view.aggregate_only.is_some() && matches!(function, Function::Min | Function::Max) {
        let what = "`min` and `max` are values of single rows; this view gives `count`, `sum` and `avg`";
        return Err(DataError::Query(what.to_owned()));
    }
    if let Some(why) =
        view.aggregate_only.as_ref().and_then(|a| a.refuses_sum(function, measure.column.as_deref()))
    {
        return Err(DataError::Query(why));
    }
    let numeric = matches!(kind, Some(ColumnKind::Integer | ColumnKind::Number));
    let (out, nullable) = match (function, kind) {
        (Function::Count, _) => (ColumnKind::Integer, false),
        (_, None) => return Err(DataError::Query(format!("measure `{name}` needs a column"))),
        (Function::Sum, Some(kind)) if numeric => (kind, true),
        (Function::Avg, Some(_)) if numeric => (ColumnKind::Number, true),
        (Function::Min | Function::Max, Some(kind)) => (kind, true),
        _ => return Err(DataError::Query(format!("measure `{name}` needs an integer or number column"))),
    };
    let adds_integers = function == Function::Sum && out == ColumnKind::Integer;
    let integers = kind == Some(ColumnKind::Integer);
    let figure =
        Figure { function, column: measure.column.clone(), name: name.clone(), integers, adds_integers };
    Ok((figure, Column::new(name, out, nullable)))
}
