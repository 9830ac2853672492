//! What of a table a question needs: for a source that can read less than all of it.
//!
//! **What it is.** [`narrowing`] says which raw columns an answer is made of, and which comparisons a source may apply while
//! it reads: the policy's own, and of the consumer's those of the allow-list (dataplane.md §1.6): one comparison of a column
//! that is shown as it is with given values, by `=`, `<>`, `<`, `<=`, `>`, `>=`, `IN`, `IS [NOT] NULL` or a prefix.
//!
//! **What it is not.** A replacement of the governed view. [`crate::run`] applies all of it again to whatever was read, so a
//! source may apply less, or read more rows than match. It must never leave out a row that matches.
//!
//! Masked columns, groups and figures are never narrowed by: thresholds and masks are the engine's work. Nothing of the
//! consumer's is pushed into an aggregate-only view.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::Result as Planned;
use datafusion::physical_plan::ExecutionPlan;

use crate::calendar::{MICROS_PER_DAY, civil_from_days, parse_date, parse_timestamp};
use crate::engine::ask::Ask;
use crate::engine::file::FileTable;
use crate::engine::view::View;
use crate::engine::{plan, session};
use crate::{ColumnKind, DataError, Job, Op, Predicate, Schema, Value};

/// How much of a table is enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrowing {
    /// The raw columns that the answer is made of, in the schema's order; at least one.
    pub columns: Vec<String>,
    /// Comparisons of the policy.
    pub policy: Vec<Predicate>,
    /// Comparisons of the consumer that cannot fail on data and are over columns shown as they are.
    pub asked: Vec<Predicate>,
    /// Rows after which reading may stop; only where nothing is filtered, sorted or grouped.
    pub limit: Option<u64>,
}

/// What is enough for a job; its source is not looked at. Days and times in the comparisons are written in one form:
/// `2023-03-08` and `2023-03-08T01:00:00.000000`, offsets taken off.
///
/// # Errors
/// As [`crate::output_schema`]; [`DataError::Computation`].
pub async fn narrowing(job: &Job) -> Result<Narrowing, DataError> {
    let view = View::new(&job.schema, &job.restriction)?.with_times(&job.query)?;
    let ask = Ask::new(&view, &job.query)?;
    let plan = physical(job, &view, &ask).await.map_err(|_| {
        tracing::error!(correlation = %job.correlation, "a question could not be planned");
        DataError::Computation { correlation: job.correlation.clone() }
    })?;
    let filter = &job.restriction.row_filter;
    let policy = filter.iter().filter_map(|p| pushable(p, &job.schema)).collect();
    let open = |p: &&Predicate| view.column(&p.column).is_some_and(|column| column.identity);
    let asked = match &view.aggregate_only {
        Some(_) => Vec::new(),
        None => job.query.filter.iter().filter(open).filter_map(|p| pushable(p, &job.schema)).collect(),
    };
    // One row more than may leave tells that there was more.
    let capped = view.max_rows.map(|max| max.saturating_add(1));
    let limit = job.query.limit.into_iter().chain(capped).min().filter(|_| is_bare(&plan));
    Ok(Narrowing { columns: needed(&job.schema, &view, &plan), policy, asked, limit })
}

async fn physical(job: &Job, view: &View, ask: &Ask) -> Planned<Arc<dyn ExecutionPlan>> {
    let state = session::sandbox(&job.limits)?;
    let table = Arc::new(FileTable::new(job.source.clone(), job.schema.clone()));
    state.create_physical_plan(&plan::request(table, view, ask, &state)?).await
}

/// Whether the plan takes rows as they come, one answered for each that is read.
fn is_bare(plan: &Arc<dyn ExecutionPlan>) -> bool {
    BARE.contains(&plan.name()) && plan.children().into_iter().all(is_bare)
}

/// Nodes that neither choose rows by their values nor put them together.
const BARE: [&str; 6] = [
    "StreamingTableExec",
    "PolicyBarrierExec",
    "ProjectionExec",
    "GlobalLimitExec",
    "LocalLimitExec",
    "CooperativeExec",
];

/// The raw columns that the plan reads. It is the engine that says so: whatever a question can ask for is in its plan.
fn needed(schema: &Schema, view: &View, plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let mut read = BTreeSet::new();
    leaves(plan, &mut read);
    let columns = schema.columns().iter().map(|column| column.name.as_str());
    let mut names: Vec<String> =
        columns.clone().filter(|name| read.contains(*name)).map(str::to_owned).collect();
    if names.is_empty() {
        // Rows are to be counted: any column will do that is no secret, if there is one.
        let open = |name: &&str| view.column(name).is_some_and(|c| c.identity);
        let any = columns.clone().find(open).or_else(|| schema.columns().first().map(|c| c.name.as_str()));
        names.extend(any.map(str::to_owned));
    }
    names
}

fn leaves(node: &Arc<dyn ExecutionPlan>, into: &mut BTreeSet<String>) {
    if node.children().is_empty() {
        into.extend(node.schema().fields().iter().map(|field| field.name().clone()));
    }
    node.children().into_iter().for_each(|child| leaves(child, into));
}

/// The predicate in one form, if it is a single comparison of the allow-list.
fn pushable(predicate: &Predicate, schema: &Schema) -> Option<Predicate> {
    let allowed = matches!(
        predicate.op,
        Op::Eq
            | Op::Ne
            | Op::Lt
            | Op::Le
            | Op::Gt
            | Op::Ge
            | Op::In
            | Op::IsNull
            | Op::IsNotNull
            | Op::StartsWith
            | Op::Between
    );
    // Nothing but these three, whatever else a predicate may come to say.
    let plain = Predicate::new(&predicate.column, predicate.op, predicate.values.clone());
    if !allowed || *predicate != plain {
        return None;
    }
    let kind = schema.column(&predicate.column)?.kind;
    let values = predicate.values.iter().map(|value| in_one_form(value, kind)).collect::<Option<_>>()?;
    Some(Predicate::new(&predicate.column, predicate.op, values))
}

/// The value as the kind's own; nothing for years that no calendar of a server has.
fn in_one_form(value: &Value, kind: ColumnKind) -> Option<Value> {
    let day = |days: i64| {
        let (year, month, day) = civil_from_days(days);
        (1..=9_999).contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}"))
    };
    match (kind, value) {
        (ColumnKind::Date, Value::Text(text)) => day(parse_date(text)?.into()).map(Value::Text),
        (ColumnKind::Timestamp, Value::Text(text)) => {
            let midnight = || parse_date(text).map(|days| i64::from(days) * MICROS_PER_DAY);
            let micros = parse_timestamp(text).or_else(midnight)?;
            let (days, rest) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
            let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
            let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
            Some(Value::Text(format!("{}T{hour:02}:{minute:02}:{second:02}.{fraction:06}", day(days)?)))
        }
        #[expect(clippy::cast_precision_loss, reason = "a number column holds no more digits either")]
        (ColumnKind::Number, Value::Integer(n)) => Some(Value::Number(*n as f64)),
        _ => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{people, restriction};
    use crate::{
        AggregateOnly, Format, Function, Limits, Mask, Measure, Order, OutputFormat, Query, Restriction,
        Source, Subject, Test,
    };

    fn narrowing(schema: &Schema, restriction: &Restriction, query: &Query) -> Result<Narrowing, DataError> {
        let job = Job {
            source: Source { path: "nowhere".into(), format: Format::Parquet },
            schema: schema.clone(),
            restriction: restriction.clone(),
            query: query.clone(),
            format: OutputFormat::Csv,
            limits: Limits::default(),
            correlation: "ref-1".into(),
        };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(super::narrowing(&job))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    fn ask(columns: &[&str], filter: Vec<Predicate>) -> Query {
        let columns = Some(columns.iter().map(|name| (*name).to_owned()).collect());
        Query { columns, filter, ..Query::default() }
    }

    #[test]
    fn only_the_columns_behind_the_answer_are_needed() {
        let of = |query: &Query| narrowing(&people(), &restriction(), query).unwrap().columns;
        // The policy's filter needs its column, although it is not shown.
        assert_eq!(of(&ask(&["id"], vec![])), ["id", "province"]);
        let filter = vec![Predicate::new("salary", Op::Gt, vec![Value::Integer(1)])];
        assert_eq!(of(&ask(&["born"], filter)), ["province", "salary", "born"]);
        let count = Query { measures: vec![Measure::new(Function::Count, None)], ..Query::default() };
        assert_eq!(of(&count), ["province"]);
        // What becomes a constant or nothing is not fetched.
        let hidden = Restriction {
            masks: [("citizen_id".into(), Mask::Constant("x".into())), ("full_name".into(), Mask::Null)]
                .into(),
            ..Restriction::default()
        };
        let names = |query: &Query| narrowing(&people(), &hidden, query).unwrap().columns;
        assert_eq!(names(&Query::default()), ["id", "province", "salary", "born"]);
        assert_eq!(names(&ask(&["citizen_id"], vec![])), ["id"], "one is read to count by");
    }

    #[test]
    fn of_the_consumers_comparisons_only_the_allow_list_goes_down_and_of_masked_columns_none() {
        let one = |column: &str, op, value: Value| Predicate::new(column, op, vec![value]);
        let down = [
            one("id", Op::Eq, Value::Integer(1)),
            one("id", Op::Ne, Value::Integer(1)),
            one("salary", Op::Lt, Value::Integer(1)),
            one("full_name", Op::StartsWith, text("N")),
            Predicate::new("id", Op::In, vec![Value::Integer(1), Value::Integer(2)]),
            Predicate::new("id", Op::IsNull, vec![]),
        ];
        let or = vec![Test { op: Op::IsNull, values: vec![] }];
        let stays = [
            one("citizen_id", Op::Eq, text("11111111111")),
            one("born", Op::StartsWith, text("198")),
            one("full_name", Op::NotStartsWith, text("N")),
            Predicate::new("id", Op::NotIn, vec![Value::Integer(1)]),
            Predicate::new("id", Op::NotBetween, vec![Value::Integer(1), Value::Integer(2)]),
            Predicate { or, ..one("id", Op::Eq, Value::Integer(1)) },
        ];
        let filter: Vec<Predicate> = down.iter().chain(&stays).cloned().collect();
        let narrowed = narrowing(&people(), &restriction(), &ask(&["id"], filter)).unwrap();
        assert_eq!(narrowed.asked, down);
        assert_eq!(narrowed.policy, restriction().row_filter);
        assert_eq!(narrowed.limit, None);
    }

    #[test]
    fn nothing_of_the_consumers_goes_into_groups_that_may_be_withheld() {
        let aggregate = AggregateOnly {
            k: 3,
            subject: Subject::Key("citizen_id".into()),
            group_by: vec!["id".into()],
            disclosure: Default::default(),
        };
        let only = Restriction { aggregate_only: Some(aggregate), ..restriction() };
        let filter = vec![Predicate::new("id", Op::Eq, vec![Value::Integer(1)])];
        let narrowed = narrowing(&people(), &only, &Query { filter, ..Query::default() }).unwrap();
        assert_eq!((narrowed.asked.len(), narrowed.policy.len(), narrowed.limit), (0, 1, None));
        assert_eq!(narrowed.columns, ["id", "citizen_id", "province"]);
    }

    #[test]
    fn a_part_of_a_time_is_made_of_its_column_and_noise_of_the_whole_record() {
        let part: crate::TimePart = "month(born)".parse().unwrap();
        let query = Query {
            group_by: vec![part.output_name()],
            times: vec![part],
            measures: vec![Measure::new(Function::Count, None)],
            ..Query::default()
        };
        let needed = |restriction: &Restriction| narrowing(&people(), restriction, &query).unwrap().columns;
        assert_eq!(needed(&Restriction::default()), ["born"]);
        let mut aggregate = AggregateOnly {
            k: 3,
            subject: Subject::Rows,
            group_by: vec!["month(born)".into()],
            disclosure: Default::default(),
        };
        let only = |aggregate: &AggregateOnly| Restriction {
            aggregate_only: Some(aggregate.clone()),
            ..Restriction::default()
        };
        assert_eq!(needed(&only(&aggregate)), ["born"]);
        aggregate.disclosure.noise =
            crate::Noise::new(crate::HashKey::new([7; 32]), 2, 0).ok().map(crate::Added::Cell);
        assert_eq!(needed(&only(&aggregate)).len(), people().columns().len());
    }

    #[test]
    fn a_limit_goes_down_only_where_nothing_is_filtered_sorted_or_grouped() {
        let open = Restriction { max_rows: Some(10), ..Restriction::default() };
        let limit = |query: Query| narrowing(&people(), &open, &query).unwrap().limit;
        assert_eq!(limit(Query { limit: Some(5), ..Query::default() }), Some(5));
        assert_eq!(
            limit(Query { limit: Some(50), ..Query::default() }),
            Some(11),
            "one more, to tell of the cap"
        );
        let order_by = vec![Order { column: "id".into(), descending: false }];
        assert_eq!(limit(Query { limit: Some(5), order_by, ..Query::default() }), None);
        let filter = vec![Predicate::new("id", Op::Gt, vec![Value::Integer(1)])];
        assert_eq!(limit(Query { limit: Some(5), filter, ..Query::default() }), None);
        assert_eq!(limit(Query { limit: Some(5), distinct: true, ..Query::default() }), None);
        let count = vec![Measure::new(Function::Count, None)];
        assert_eq!(limit(Query { limit: Some(5), measures: count, ..Query::default() }), None);
        assert_eq!(
            narrowing(&people(), &restriction(), &Query { limit: Some(5), ..Query::default() })
                .unwrap()
                .limit,
            None
        );
    }

    #[test]
    fn days_and_times_go_down_in_one_form_without_offsets() {
        let times = Schema::new(vec![
            crate::Column::new("d", ColumnKind::Date, true),
            crate::Column::new("t", ColumnKind::Timestamp, true),
        ])
        .unwrap();
        let asked = |column: &str, value: &str| {
            let filter = vec![Predicate::new(column, Op::Ge, vec![text(value)])];
            let query = Query { filter, ..Query::default() };
            let mut down = narrowing(&times, &Restriction::default(), &query).unwrap().asked;
            down.pop().and_then(|mut p| p.values.pop())
        };
        assert_eq!(asked("d", "2023-03-08"), Some(text("2023-03-08")));
        assert_eq!(asked("t", "2023-03-08T01:00:00.5+07:00"), Some(text("2023-03-07T18:00:00.500000")));
        assert_eq!(asked("t", "2023-03-08"), Some(text("2023-03-08T00:00:00.000000")));
        assert_eq!(asked("d", "0000-03-08"), None, "no server has that year");
        assert_eq!(asked("t", "0001-01-01T00:00:00+07:00"), None);
    }
}
