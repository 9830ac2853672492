//! Builds the two plans of a request from checked parts, with the plan builder only: no text is ever parsed.
//!
//! Rows: inside `scan -> filter (raw) -> project (masks)`, outside the consumer's filter, columns, groups and limit.
//! Aggregate-only: all of it inside, down to the withholding of small groups; outside only the limit.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::functions_aggregate::expr_fn::{avg, count, max, min, sum};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit, try_cast};

use super::ask::{Ask, Figure, Shape};
use super::cells::{cells, extra_columns};
use super::column;
use super::governed::{GovernedColumn, GovernedTable};
use super::view::View;
use crate::restriction::WATERMARK;
use crate::{AggregateOnly, Function};

/// The whole plan of a request.
pub(crate) fn request(
    table: Arc<dyn TableProvider>,
    view: &View,
    ask: &Ask,
    state: &SessionState,
) -> Result<LogicalPlan> {
    let governed = match (&view.aggregate_only, &ask.shape) {
        (None, _) => rows(table, view, state)?,
        (Some(aggregate), Shape::Groups { by, figures }) => {
            groups(table, view, aggregate, ask, (by, figures), state)?
        }
        (Some(_), Shape::Rows(_)) => return plan_err!("rows were asked of an aggregate-only view"),
    };
    let mut plan = LogicalPlanBuilder::scan("view", provider_as_source(Arc::new(governed)), None)?;
    if view.aggregate_only.is_none() {
        plan = asked(plan, ask)?;
    }
    if !ask.order.is_empty() {
        plan = plan.sort(ask.order.iter().map(|(name, down)| column(name).sort(!down, false)))?;
    }
    if let Some(text) = &view.watermark {
        let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        plan = plan.project(columns.into_iter().chain([lit(text.clone()).alias(WATERMARK)]))?;
    }
    match ask.limit {
        Some(limit) => plan.limit(0, Some(limit))?.build(),
        None => plan.build(),
    }
}

/// The rows of the view, masked.
pub(crate) fn rows(
    table: Arc<dyn TableProvider>,
    view: &View,
    state: &SessionState,
) -> Result<GovernedTable> {
    let inner = shown_rows(table, view)?.build()?;
    let columns = view
        .columns
        .iter()
        .map(|c| GovernedColumn { name: c.name.clone(), expr: c.expr.clone(), open_to_filters: c.identity })
        .collect();
    GovernedTable::new(inner, columns, state.clone())
}

/// The raw columns of the rows that may be shown.
fn shown_rows(table: Arc<dyn TableProvider>, view: &View) -> Result<LogicalPlanBuilder> {
    let mut plan = LogicalPlanBuilder::scan("source", provider_as_source(table), None)?;
    for predicate in &view.row_filter {
        plan = plan.filter(predicate.clone())?;
    }
    Ok(plan)
}

/// What the consumer asks, on top of the governed table.
fn asked(mut plan: LogicalPlanBuilder, ask: &Ask) -> Result<LogicalPlanBuilder> {
    for predicate in &ask.filter {
        plan = plan.filter(predicate.clone())?;
    }
    match &ask.shape {
        Shape::Rows(names) => plan.project(names.iter().map(|n| column(n))),
        Shape::Groups { by, figures } => {
            let plan = plan.aggregate(by.iter().map(|n| column(n)), figures.iter().map(expression))?;
            finished(plan, by, figures)
        }
    }
}

/// Columns in the order promised, groups sorted by their columns.
fn finished(plan: LogicalPlanBuilder, by: &[String], figures: &[Figure]) -> Result<LogicalPlanBuilder> {
    let shown = by.iter().map(|n| column(n)).chain(figures.iter().map(finished_figure));
    sorted(plan.project(shown)?, by)
}

fn sorted(plan: LogicalPlanBuilder, by: &[String]) -> Result<LogicalPlanBuilder> {
    if by.is_empty() {
        return Ok(plan);
    }
    plan.sort(by.iter().map(|n| column(n).sort(true, false)))
}

/// A sum too large for its column is missing: not a wrong number, and not an error that tells of a withheld group.
fn finished_figure(figure: &Figure) -> Expr {
    match figure.adds_integers {
        true => try_cast(column(&figure.name), DataType::Int64).alias(&figure.name),
        false => column(&figure.name),
    }
}

/// The sum of whole numbers, in numbers of 38 digits: in 64 bits it would wrap around and be wrong.
fn integer_sum(over: Expr) -> Expr {
    sum(cast(over, DataType::Decimal128(38, 0)))
}

/// Groups of the view, large enough to be shown.
fn groups(
    table: Arc<dyn TableProvider>,
    view: &View,
    aggregate: &AggregateOnly,
    ask: &Ask,
    (by, figures): (&[String], &[Figure]),
    state: &SessionState,
) -> Result<GovernedTable> {
    let mut shown: Vec<Expr> = view.columns.iter().map(|c| c.expr.clone().alias(&c.name)).collect();
    let raw: Vec<String> = table.schema().fields().iter().map(|f| f.name().clone()).collect();
    shown.extend(extra_columns(aggregate, &raw)?);
    let mut plan = shown_rows(table, view)?.project(shown)?;
    for predicate in &ask.filter {
        plan = plan.filter(predicate.clone())?;
    }
    let plan = sorted(cells(plan, aggregate, by, figures)?, by)?;
    let columns = by.iter().chain(figures.iter().map(|f| &f.name)).map(|n| GovernedColumn {
        name: n.clone(),
        expr: column(n),
        open_to_filters: false,
    });
    GovernedTable::new(plan.build()?, columns.collect(), state.clone())
}

fn expression(figure: &Figure) -> Expr {
    let over = || figure.column.as_deref().map_or_else(|| lit(1i64), column);
    let computed = match figure.function {
        Function::Count => count(over()),
        Function::Sum if figure.adds_integers => integer_sum(over()),
        Function::Sum => sum(over()),
        Function::Avg => avg(over()),
        Function::Min => min(over()),
        Function::Max => max(over()),
    };
    computed.alias(&figure.name)
}
