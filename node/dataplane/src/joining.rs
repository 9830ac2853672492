//! Puts answers together that this node has already: rows of several files joined on columns of the same meaning.
//!
//! **What it is.** The consumer's side of a question to several sources. Each file has an explicit schema, the join runs
//! in a sandbox of its own with the limits of any answer, and the same files give the same bytes.
//!
//! **What it is not.** It asks nobody, decides nothing and sees no restriction: what may be in the files was decided
//! where they come from. It computes no figures of its own. A source that has several rows for one value of the columns
//! it is joined on is refused: joined, its figures would be counted more than once.
//!
//! Missing values of columns that are joined on meet nothing, not even each other.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Column as EngineColumn, DataFusionError, JoinType, Result as EngineResult};
use datafusion::datasource::provider_as_source;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::timeout_at;

use crate::engine::file::FileTable;
use crate::engine::{column, session};
use crate::limits::{COLUMNS_MAX, JOINED_MAX};
use crate::restriction::WATERMARK;
use crate::run::{Answer, Reporter};
use crate::{Column, ColumnKind, DataError, Limits, OutputFormat, Schema, Source};

/// Which rows stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinKind {
    /// Rows that both have.
    Inner,
    /// All rows so far, with what the source has for them.
    Left,
    /// All rows of both; what one of them has not is missing.
    #[default]
    Full,
}

/// A file that takes part.
#[derive(Debug, Clone)]
pub struct Table {
    /// How it is called in errors, and before names that are taken already.
    pub name: String,
    /// The file.
    pub source: Source,
    /// Its columns.
    pub schema: Schema,
}

/// A file that is joined to what is there before it.
#[derive(Debug, Clone)]
pub struct Step {
    /// The file.
    pub table: Table,
    /// Which rows stay.
    pub kind: JoinKind,
    /// Columns of what is there, each with the file's column of the same meaning.
    pub on: Vec<(String, String)>,
}

/// Everything that one joined answer needs.
#[derive(Debug, Clone)]
pub struct Joining {
    /// The first file.
    pub first: Table,
    /// The others, in their order.
    pub steps: Vec<Step>,
    /// Columns of the answer in their order; all when there are none.
    pub columns: Vec<String>,
    /// How the answer is written.
    pub format: OutputFormat,
    /// What it may cost.
    pub limits: Limits,
    /// Id under which a failure is found in the local log.
    pub correlation: String,
}

/// A joined answer, and how much of it each file is in.
#[derive(Debug)]
pub struct Joined {
    /// The rows.
    pub answer: Answer,
    /// How many there are.
    pub rows: u64,
    /// In how many of them each file has no part, in the order of the files.
    pub gaps: Vec<u64>,
}

/// Joins the files.
///
/// # Errors
/// [`DataError::Query`] for columns that are not there, of two kinds or with several rows for one value, and for too many
/// files; [`DataError::Source`], [`DataError::Quota`] and [`DataError::Computation`] as any answer.
pub async fn join(joining: Joining) -> Result<Joined, DataError> {
    let layout = Layout::new(&joining)?;
    let reporter = Reporter::new(joining.correlation.clone(), joining.limits.clone());
    let deadline = reporter.deadline();
    let failed = |e: DataFusionError| reporter.engine(&e);
    let state = session::sandbox(&joining.limits).map_err(failed)?;
    for (at, step) in joining.steps.iter().enumerate() {
        let plan = repeated(at + 1, step).map_err(failed)?;
        let found = timeout_at(deadline, collect(plan, &state)).await.map_err(|_| reporter.timeout())?;
        if found.map_err(failed)?.iter().any(|batch| batch.num_rows() > 0) {
            return Err(DataError::Query(several(step)));
        }
    }
    let joined = layout.plan(&joining).map_err(failed)?;
    let counted = counted(joined.clone(), joining.steps.len() + 1).map_err(failed)?;
    let counted = timeout_at(deadline, collect(counted, &state)).await.map_err(|_| reporter.timeout())?;
    let counts = counts(&counted.map_err(failed)?);
    let rows = counts.first().copied().unwrap_or(0);
    let gaps = counts.iter().skip(1).map(|there| rows.saturating_sub(*there)).collect();
    let plan = layout.finished(joined).map_err(failed)?;
    let batches = timeout_at(deadline, stream(plan, &state)).await.map_err(|_| reporter.timeout())?;
    let schema = layout.schema()?;
    let answer = Answer::of(batches.map_err(failed)?, schema, joining.format, None, deadline, reporter)?;
    Ok(Joined { answer, rows, gaps })
}

fn several(step: &Step) -> String {
    let on: Vec<&str> = step.on.iter().map(|(_, theirs)| theirs.as_str()).collect();
    format!(
        "`{0}` has several rows for one value of `{1}`, so its figures would be counted more than once; let its query group \
         by `{1}` only, or join it on all columns that it groups by",
        step.table.name,
        on.join("`, `")
    )
}

async fn stream(plan: LogicalPlan, state: &SessionState) -> EngineResult<SendableRecordBatchStream> {
    let physical = state.create_physical_plan(&plan).await?;
    execute_stream(physical, Arc::new(TaskContext::from(state)))
}

async fn collect(plan: LogicalPlan, state: &SessionState) -> EngineResult<Vec<RecordBatch>> {
    let mut batches = stream(plan, state).await?;
    let mut all = Vec::new();
    while let Some(batch) = batches.next().await {
        all.push(batch?);
    }
    Ok(all)
}

/// Names inside the plan that no column can have (`schema::RESERVED_PREFIX`): of the file's column, of the answer's, and of
/// the mark that a file has part in a row.
fn part(table: usize, at: usize) -> String {
    format!("__tram_p{table}_{at}")
}

fn made(at: usize) -> String {
    format!("__tram_r{at}")
}

fn mark(table: usize) -> String {
    format!("__tram_t{table}")
}

/// One column of the answer, and whether rows are told apart by it.
struct Made {
    name: String,
    kind: ColumnKind,
    is_key: bool,
}

/// Where each column of each file goes, checked before anything is read.
struct Layout {
    made: Vec<Made>,
    /// For each file, the place in `made` of each of its columns.
    places: Vec<Vec<usize>>,
    /// Columns of the answer, as places in `made`.
    shown: Vec<usize>,
}

impl Layout {
    fn new(joining: &Joining) -> Result<Self, DataError> {
        if joining.steps.len() >= JOINED_MAX {
            return Err(DataError::Query(format!("at most {JOINED_MAX} sources can be joined")));
        }
        let mut layout = Self { made: Vec::new(), places: Vec::new(), shown: Vec::new() };
        layout.take(&joining.first, &[])?;
        for step in &joining.steps {
            layout.take(&step.table, &step.on)?;
        }
        let place = |name: &String| {
            let found = layout.made.iter().position(|m| m.name == *name);
            found.ok_or_else(|| DataError::Query(format!("the joined rows have no column `{name}`")))
        };
        layout.shown = match joining.columns.is_empty() {
            true => (0..layout.made.len()).collect(),
            false => joining.columns.iter().map(place).collect::<Result<_, _>>()?,
        };
        Ok(layout)
    }

    fn take(&mut self, table: &Table, on: &[(String, String)]) -> Result<(), DataError> {
        let name = &table.name;
        let wrong = |what: String| Err(DataError::Query(what));
        if self.places.is_empty() != on.is_empty() {
            return wrong(format!("`{name}` is not said on which columns it is joined"));
        }
        for (ours, theirs) in on {
            let Some(there) = self.made.iter_mut().find(|m| m.name == *ours) else {
                return wrong(format!("`{name}` is joined on `{ours}`, which no source before it gives"));
            };
            let Some(column) = table.schema.column(theirs) else {
                return wrong(format!("`{name}` is joined on `{theirs}`, and its answer has no such column"));
            };
            if there.kind != column.kind {
                return wrong(format!(
                    "`{ours}` is a {} and `{theirs}` of `{name}` a {}: only the same kind can be joined",
                    there.kind, column.kind
                ));
            }
            if on.iter().filter(|(a, b)| a == ours || b == theirs).count() > 1 {
                return wrong(format!("`{name}` names `{ours}` or `{theirs}` twice in what it is joined on"));
            }
            there.is_key = true;
        }
        let mut places = Vec::with_capacity(table.schema.columns().len());
        for column in table.schema.columns() {
            let key = on.iter().find(|(_, theirs)| *theirs == column.name).map(|(ours, _)| ours);
            let place = match key.and_then(|ours| self.made.iter().position(|m| m.name == *ours)) {
                Some(place) => place,
                None => self.add(name, column)?,
            };
            places.push(place);
        }
        self.places.push(places);
        Ok(())
    }

    /// A column under its own name, or behind the source's where that is taken. Marks of copies keep their owner.
    fn add(&mut self, table: &str, column: &Column) -> Result<usize, DataError> {
        let taken = |name: &str, made: &[Made]| made.iter().any(|m| m.name == name);
        let mut name = column.name.clone();
        if name == WATERMARK || taken(&name, &self.made) {
            name = format!("{table}_{name}");
        }
        if taken(&name, &self.made) || self.made.len() >= COLUMNS_MAX {
            return Err(DataError::Query(format!("two columns of the joined rows are named `{name}`")));
        }
        self.made.push(Made { name, kind: column.kind, is_key: false });
        Ok(self.made.len() - 1)
    }

    fn schema(&self) -> Result<Schema, DataError> {
        let shown = self.shown.iter().filter_map(|at| self.made.get(*at));
        Schema::new(shown.map(|m| Column::new(&m.name, m.kind, true)).collect())
    }

    /// The joined rows, under inner names.
    fn plan(&self, joining: &Joining) -> EngineResult<LogicalPlan> {
        let columns = self.places.first().map(Vec::as_slice).unwrap_or_default();
        let mut there: Vec<usize> = columns.to_vec();
        let first = columns.iter().enumerate().map(|(at, place)| column(&part(0, at)).alias(made(*place)));
        let mut plan = scan(0, &joining.first)?.project(first.chain([column(&mark(0))]))?;
        for (number, step) in (1..).zip(&joining.steps) {
            let places = self.places.get(number).map(Vec::as_slice).unwrap_or_default();
            let on: Vec<(usize, usize)> = keys(step, &there, places).collect();
            let named = |name: String| EngineColumn::new_unqualified(name);
            let keys = (
                on.iter().map(|(place, _)| named(made(*place))).collect::<Vec<_>>(),
                on.iter().map(|(_, at)| named(part(number, *at))).collect::<Vec<_>>(),
            );
            let right = scan(number, &step.table)?.build()?;
            plan = plan.join(right, engine_kind(step.kind), keys, None)?;
            let mut out: Vec<Expr> = Vec::new();
            for place in &there {
                let ours = column(&made(*place));
                let theirs =
                    on.iter().find(|(key, _)| key == place).map(|(_, at)| column(&part(number, *at)));
                out.push(match theirs {
                    Some(theirs) if step.kind == JoinKind::Full => {
                        when(ours.clone().is_null(), theirs).otherwise(ours)?.alias(made(*place))
                    }
                    _ => ours,
                });
            }
            for (at, place) in places.iter().enumerate().filter(|(_, place)| !there.contains(place)) {
                out.push(column(&part(number, at)).alias(made(*place)));
            }
            out.extend((0..=number).map(|table| column(&mark(table))));
            there.extend(places.iter().filter(|place| !on.iter().any(|(key, _)| key == *place)));
            plan = plan.project(out)?;
        }
        plan.build()
    }

    /// The answer: sorted by what rows are told apart by, then by the rest, under the names that people see.
    fn finished(&self, joined: LogicalPlan) -> EngineResult<LogicalPlan> {
        let places = || (0..self.made.len()).filter_map(|at| self.made.get(at).map(|m| (at, m.is_key)));
        let keys = places().filter(|(_, is_key)| *is_key).chain(places().filter(|(_, is_key)| !is_key));
        let plan =
            LogicalPlanBuilder::from(joined).sort(keys.map(|(at, _)| column(&made(at)).sort(true, false)))?;
        let shown = self.shown.iter().filter_map(|at| Some((at, &self.made.get(*at)?.name)));
        plan.project(shown.map(|(at, name)| column(&made(*at)).alias(name)))?.build()
    }
}

fn engine_kind(kind: JoinKind) -> JoinType {
    match kind {
        JoinKind::Inner => JoinType::Inner,
        JoinKind::Left => JoinType::Left,
        JoinKind::Full => JoinType::Full,
    }
}

/// Places of the columns joined on, each with the number of the file's column.
fn keys(step: &Step, there: &[usize], places: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let theirs = step.table.schema.columns().iter().enumerate();
    let on: Vec<(usize, usize)> = theirs
        .filter(|(_, column)| step.on.iter().any(|(_, name)| *name == column.name))
        .filter_map(|(at, _)| places.get(at).map(|place| (*place, at)))
        .filter(|(place, _)| there.contains(place))
        .collect();
    on.into_iter()
}

/// A file's rows under inner names, each with the file's mark.
fn scan(number: usize, table: &Table) -> EngineResult<LogicalPlanBuilder> {
    let file = Arc::new(FileTable::new(table.source.clone(), table.schema.clone()));
    let names = table.schema.columns().iter().enumerate();
    let columns = names.map(|(at, c)| column(&c.name).alias(part(number, at)));
    LogicalPlanBuilder::scan(format!("part{number}"), provider_as_source(file), None)?
        .project(columns.chain([lit(true).alias(mark(number))]))
}

/// A value of the columns joined on that the file has more than once.
fn repeated(number: usize, step: &Step) -> EngineResult<LogicalPlan> {
    const TIMES: &str = "__tram_times";
    let columns = step.table.schema.columns().iter().enumerate();
    let keys: Vec<String> = columns
        .filter(|(_, c)| step.on.iter().any(|(_, name)| *name == c.name))
        .map(|(at, _)| part(number, at))
        .collect();
    let mut plan = scan(number, &step.table)?;
    for key in &keys {
        plan = plan.filter(column(key).is_not_null())?;
    }
    plan.aggregate(keys.iter().map(|key| column(key)), [count(lit(1i64)).alias(TIMES)])?
        .filter(column(TIMES).gt(lit(1i64)))?
        .limit(0, Some(1))?
        .build()
}

/// How many rows there are, and in how many each file has part.
fn counted(joined: LogicalPlan, tables: usize) -> EngineResult<LogicalPlan> {
    let marks = (0..tables).map(|table| count(column(&mark(table))).alias(format!("__tram_n{table}")));
    let all = count(lit(1i64)).alias("__tram_n");
    LogicalPlanBuilder::from(joined).aggregate(Vec::<Expr>::new(), [all].into_iter().chain(marks))?.build()
}

fn counts(batches: &[RecordBatch]) -> Vec<u64> {
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Vec::new() };
    let one = |array: &Arc<dyn Array>| {
        let number =
            array.as_primitive_opt::<Int64Type>().and_then(|numbers| numbers.iter().next().flatten());
        number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
    };
    batch.columns().iter().map(one).collect()
}
