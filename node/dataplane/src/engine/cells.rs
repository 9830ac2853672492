//! What leaves an aggregate-only view: figures of cells, in the order aggregate, threshold and dominance, noise, rounding.
//!
//! Rows first become contributors: persons where the view has a key of persons (all rows of one in a cell are one), rows
//! otherwise. A cell leaves when enough subjects stand behind it, and behind each of its figures: a sum in which one of
//! many has a value at all is the value of that one. A cell that does not leave is not there.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, lit, try_cast, when};

use super::ask::Figure;
use super::column;
use super::laplace::Draws;
use super::largest::is_safe;
use super::perturb::{FigureNoise, Figures, WIDE, record_number, released};
use crate::disclosure::{Added, Laplace};
use crate::{AggregateOnly, Function, HashKey, Subject};

/// Names inside the plan that no column can have (`schema::RESERVED_PREFIX`).
pub(crate) const SUBJECT: &str = "__tram_subject";
pub(crate) const RECORD: &str = "__tram_record";
const SUBJECTS: &str = "__tram_subjects";
const ROWS: &str = "__tram_rows";
const ROWS_SAFE: &str = "__tram_rows_safe";

/// What a contributor and a cell carry of one column that is measured.
struct Measured<'a> {
    column: &'a str,
    at: usize,
    /// Whether it is added up and not only counted.
    summed: bool,
    /// Whether a figure tells how many rows have a value, and so how many have none.
    counted: bool,
    adds: Adds,
}

/// How a column adds up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Adds {
    /// It is the number of persons in each row.
    Persons,
    Integers,
    Numbers,
}

impl Measured<'_> {
    fn name(&self, what: &str) -> String {
        format!("__tram_{what}_{}", self.at)
    }

    fn of(&self, what: &str) -> Expr {
        column(&self.name(what))
    }

    fn figures(&self) -> Figures {
        match self.adds {
            Adds::Persons => Figures::Counts,
            Adds::Integers => Figures::Integers,
            Adds::Numbers => Figures::Numbers,
        }
    }
}

/// The columns that the rows must carry besides the visible ones: who is counted, and the number of the record.
pub(crate) fn extra_columns(aggregate: &AggregateOnly, raw: &[String]) -> Result<Vec<Expr>> {
    let subject = match &aggregate.subject {
        Subject::Key(name) | Subject::Count(name) => Some(column(name).alias(SUBJECT)),
        Subject::Rows => None,
    };
    let key = match &aggregate.disclosure.noise {
        Some(Added::Cell(noise)) => Some(noise.key().clone()),
        // Cells are told apart within one answer only.
        Some(Added::Laplace(_)) => Some(random_key()?),
        None => None,
    };
    let record = key.map(|key| record_number(&key, raw.iter().map(|n| column(n)).collect()).alias(RECORD));
    Ok(subject.into_iter().chain(record).collect())
}

fn random_key() -> Result<HashKey> {
    let mut bytes = [0; 32];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => Ok(HashKey::new(bytes)),
        Err(_) => internal_err!("the system gives no random bytes"),
    }
}

/// From rows to cells that may leave, with columns `by` and the figures.
pub(crate) fn cells(
    rows: LogicalPlanBuilder,
    aggregate: &AggregateOnly,
    by: &[String],
    figures: &[Figure],
) -> Result<LogicalPlanBuilder> {
    let plan = Cells { aggregate, by, measured: measured(aggregate, figures) };
    let cells = plan.added_up(plan.contributors(rows)?, figures)?;
    let mut cells = cells.filter(plan.enough())?;
    if let Some(safe) = plan.not_dominated(figures) {
        cells = cells.filter(safe)?;
    }
    let cells = cells.project(plan.by().chain(plan.released_parts(figures)))?;
    cells.project(plan.by().chain(figures.iter().map(|f| plan.finished(f))))
}

fn measured<'a>(aggregate: &AggregateOnly, figures: &'a [Figure]) -> Vec<Measured<'a>> {
    let mut all: Vec<Measured<'a>> = Vec::new();
    for figure in figures {
        let Some(name) = figure.column.as_deref() else { continue };
        let summed = figure.function != Function::Count;
        let counted = figure.function != Function::Sum;
        if let Some(known) = all.iter_mut().find(|m| m.column == name) {
            known.summed |= summed;
            known.counted |= counted;
            continue;
        }
        let adds = match &aggregate.subject {
            Subject::Count(persons) if persons == name => Adds::Persons,
            _ if figure.integers => Adds::Integers,
            _ => Adds::Numbers,
        };
        all.push(Measured { column: name, at: all.len(), summed, counted, adds });
    }
    all
}

struct Cells<'a> {
    aggregate: &'a AggregateOnly,
    by: &'a [String],
    measured: Vec<Measured<'a>>,
}

fn wide(n: i128) -> Expr {
    Expr::Literal(ScalarValue::Decimal128(Some(n), 38, 0), None)
}

fn case(condition: Expr, yes: Expr, no: Expr) -> Result<Expr> {
    when(condition, yes).otherwise(no)
}

fn absolute(number: Expr) -> Result<Expr> {
    let number = cast(number, DataType::Float64);
    case(number.clone().lt(lit(0.0)), Expr::Negative(Box::new(number.clone())), number)
}

impl Cells<'_> {
    fn by(&self) -> impl Iterator<Item = Expr> {
        self.by.iter().map(|n| column(n))
    }

    fn noisy(&self) -> bool {
        self.aggregate.disclosure.noise.is_some()
    }

    fn is_by_key(&self) -> bool {
        matches!(self.aggregate.subject, Subject::Key(_))
    }

    fn of(&self, name: &str) -> Option<&Measured<'_>> {
        self.measured.iter().find(|m| m.column == name)
    }

    /// One row per contributor: how many rows it has, and of each measured column how many values, their sum and the number
    /// of their records.
    fn contributors(&self, rows: LogicalPlanBuilder) -> Result<LogicalPlanBuilder> {
        let mut parts = vec![(ROWS.to_owned(), wide(1))];
        if self.noisy() {
            parts.push((RECORD.to_owned(), column(RECORD)));
        }
        for m in &self.measured {
            let has = column(m.column).is_not_null();
            parts.push((m.name("n"), case(has.clone(), wide(1), wide(0))?));
            if m.summed {
                parts.push((m.name("sum"), self.addend(m)?));
            }
            if self.noisy() {
                parts.push((m.name("cell"), case(has, column(RECORD), wide(0))?));
            }
        }
        if self.is_by_key() {
            let groups = self.by().chain([column(SUBJECT)]);
            let rows = rows.project(
                self.by().chain([column(SUBJECT)]).chain(parts.iter().map(|(n, e)| e.clone().alias(n))),
            )?;
            return rows.aggregate(groups, parts.iter().map(|(n, _)| sum(column(n)).alias(n)));
        }
        let subject = matches!(self.aggregate.subject, Subject::Count(_)).then(|| column(SUBJECT));
        rows.project(self.by().chain(subject).chain(parts.into_iter().map(|(n, e)| e.alias(n))))
    }

    fn laplace(&self) -> Option<&Laplace> {
        match &self.aggregate.disclosure.noise {
            Some(Added::Laplace(laplace)) => Some(laplace),
            _ => None,
        }
    }

    /// What a row adds to a sum: within the bounds, and numbers in thousandths, where Laplace noise is added.
    fn addend(&self, m: &Measured<'_>) -> Result<Expr> {
        let raw = column(m.column);
        let bounds = self.laplace().filter(|_| m.adds != Adds::Persons).map(|l| l.bounds(m.column));
        let Some(bounds) = bounds else {
            return Ok(cast(raw, if m.adds == Adds::Numbers { DataType::Float64 } else { WIDE }));
        };
        let Some((least, greatest)) = bounds else {
            return internal_err!("a sum without bounds was asked for");
        };
        let within = |value: Expr, least: Expr, greatest: Expr| {
            when(value.clone().lt(least.clone()), least)
                .when(value.clone().gt(greatest.clone()), greatest)
                .otherwise(value)
        };
        if m.adds == Adds::Numbers {
            #[expect(clippy::cast_precision_loss, reason = "at most 10^12")]
            let bound = |n: i64| lit(n as f64);
            let within = try_cast(within(raw.clone(), bound(least), bound(greatest))? * lit(1_000.0), WIDE);
            return case(raw.is_not_null(), within, wide(0));
        }
        // A sum of no values is none, and gets its noise like any other: a missing one would tell.
        case(
            raw.clone().is_not_null(),
            within(cast(raw, WIDE), wide(least.into()), wide(greatest.into()))?,
            wide(0),
        )
    }

    /// What one row changes a figure by, at most.
    fn sensitivity(&self, m: &Measured<'_>) -> u64 {
        let bounds = self.laplace().and_then(|l| l.bounds(m.column)).filter(|_| m.adds != Adds::Persons);
        let unit = if m.adds == Adds::Numbers { 1_000 } else { 1 };
        // A row more or less changes a sum by one value; a person more in a row that counts persons may change its values too.
        let moved = |least: i64, greatest: i64| match self.aggregate.subject {
            Subject::Count(_) => greatest.abs_diff(least),
            _ => 0,
        };
        bounds.map_or(1, |(least, greatest)| {
            least.unsigned_abs().max(greatest.unsigned_abs()).max(moved(least, greatest)) * unit
        })
    }

    /// How many figures share an answer's epsilon.
    fn released_figures(&self, figures: &[Figure]) -> usize {
        let parts = self.measured.iter().map(|m| usize::from(m.summed) + usize::from(m.counted));
        parts.sum::<usize>() + usize::from(figures.iter().any(|f| f.column.is_none()))
    }

    /// How many subjects a contributor is.
    fn weight(&self) -> Result<Expr> {
        match self.aggregate.subject {
            Subject::Rows => Ok(wide(1)),
            Subject::Key(_) => case(column(SUBJECT).is_not_null(), wide(1), wide(0)),
            Subject::Count(_) => case(column(SUBJECT).is_not_null(), cast(column(SUBJECT), WIDE), wide(0)),
        }
    }

    fn added_up(&self, contributors: LogicalPlanBuilder, figures: &[Figure]) -> Result<LogicalPlanBuilder> {
        let dominance = &self.aggregate.disclosure.dominance;
        let mut sums = vec![sum(self.weight()?).alias(SUBJECTS), sum(column(ROWS)).alias(ROWS)];
        if self.noisy() {
            sums.push(sum(column(RECORD)).alias(RECORD));
        }
        if self.counts_rows_of_persons(figures) {
            sums.push(is_safe(dominance, cast(column(ROWS), DataType::Float64)).alias(ROWS_SAFE));
        }
        for m in &self.measured {
            let behind = |some: Expr| case(some.gt(wide(0)), self.weight()?, wide(0)).map(sum);
            sums.push(sum(m.of("n")).alias(m.name("n")));
            sums.push(behind(m.of("n"))?.alias(m.name("with")));
            sums.push(behind(column(ROWS) - m.of("n"))?.alias(m.name("without")));
            if m.summed {
                sums.push(sum(m.of("sum")).alias(m.name("sum")));
            }
            if m.summed && self.noisy() {
                sums.push(sum(absolute(m.of("sum"))?).alias(m.name("size")));
            }
            if self.noisy() {
                sums.push(sum(m.of("cell")).alias(m.name("cell")));
            }
            if self.judged(m) {
                sums.push(is_safe(dominance, absolute(m.of("sum"))?).alias(m.name("safe")));
            }
            if self.judged_by_number(m) {
                sums.push(is_safe(dominance, cast(m.of("n"), DataType::Float64)).alias(m.name("safe_n")));
            }
        }
        contributors.aggregate(self.by(), sums)
    }

    /// Whether dominance concerns the sum of this column. Persons are no contributions of those who counted them.
    fn judged(&self, m: &Measured<'_>) -> bool {
        m.summed && m.adds != Adds::Persons && !self.aggregate.disclosure.dominance.is_empty()
    }

    /// Whether it concerns the number of its values: a mean tells that number as a count does.
    fn judged_by_number(&self, m: &Measured<'_>) -> bool {
        m.counted && self.is_by_key() && !self.aggregate.disclosure.dominance.is_empty()
    }

    /// Where persons are told apart, a count of rows is a sum of what each person has.
    fn counts_rows_of_persons(&self, figures: &[Figure]) -> bool {
        self.is_by_key()
            && !self.aggregate.disclosure.dominance.is_empty()
            && figures.iter().any(|f| f.column.is_none())
    }

    /// Enough subjects behind the cell; behind each figure's values, unless there are none; and, where a figure tells their
    /// number, behind the rows without a value, unless there are none.
    fn enough(&self) -> Expr {
        let k = || wide(self.aggregate.k.into());
        let mut all = column(SUBJECTS).gt_eq(k());
        for m in &self.measured {
            if m.adds == Adds::Persons {
                continue;
            }
            all = all.and(m.of("n").eq(wide(0)).or(m.of("with").gt_eq(k())));
            if m.counted {
                all = all.and(m.of("n").eq(column(ROWS)).or(m.of("without").gt_eq(k())));
            }
        }
        all
    }

    fn not_dominated(&self, figures: &[Figure]) -> Option<Expr> {
        // A sum of no values is missing; it has no contributors.
        let sums =
            self.measured.iter().filter(|m| self.judged(m)).map(|m| m.of("n").eq(wide(0)).or(m.of("safe")));
        let rows = self.counts_rows_of_persons(figures).then(|| column(ROWS_SAFE));
        let numbers = self.measured.iter().filter(|m| self.judged_by_number(m));
        let numbers = numbers.map(|m| m.of("n").eq(wide(0)).or(m.of("safe_n")));
        sums.chain(numbers).chain(rows).reduce(Expr::and)
    }

    /// Counts and sums as they leave; means are quotients of these.
    fn released_parts(&self, figures: &[Figure]) -> Vec<Expr> {
        let share = self.released_figures(figures);
        let release = |kind: Figures, label: &str, sensitivity: u64, args: [Expr; 3]| {
            let disclosure = &self.aggregate.disclosure;
            let noise = match &disclosure.noise {
                Some(Added::Cell(noise)) => FigureNoise::of_cell(noise, kind, label),
                Some(Added::Laplace(laplace)) => {
                    Some(FigureNoise::Laplace(Draws::new(laplace.scale(sensitivity, share))))
                }
                None => None,
            };
            let [value, size, cell] = args;
            if noise.is_none() && disclosure.round_to.is_none() {
                // A sum too large for its column is missing: not a wrong number, and no error that tells of a withheld cell.
                return if kind == Figures::Numbers { value } else { try_cast(value, DataType::Int64) };
            }
            let cell = if self.noisy() { cell } else { wide(0) };
            let size = if self.noisy() { size } else { lit(0.0) };
            released(kind, noise, disclosure.round_to, [value, size, cell])
        };
        // What is drawn anew is drawn for each cell, also for those without a value, which would else be told by their draw.
        let drawn_for = |m: &Measured<'_>| match self.laplace() {
            Some(_) => column(RECORD),
            None => m.of("cell"),
        };
        let mut parts = Vec::new();
        if figures.iter().any(|f| f.column.is_none()) {
            let args = [column(ROWS), lit(0.0), column(RECORD)];
            parts.push(release(Figures::Counts, "count", 1, args).alias(ROWS));
        }
        for m in &self.measured {
            if m.counted {
                let args = [m.of("n"), lit(0.0), drawn_for(m)];
                parts.push(release(Figures::Counts, "count", 1, args).alias(m.name("n")));
            }
            if m.summed {
                let args = [m.of("sum"), m.of("size"), drawn_for(m)];
                let label = format!("sum {}", m.column);
                parts.push(release(m.figures(), &label, self.sensitivity(m), args).alias(m.name("sum")));
            }
        }
        parts
    }

    fn finished(&self, figure: &Figure) -> Expr {
        let shown = match figure.column.as_deref().and_then(|name| self.of(name)) {
            None => column(ROWS),
            Some(m) => match figure.function {
                Function::Count => m.of("n"),
                Function::Sum => m.of("sum"),
                _ => {
                    let number = |e| cast(e, DataType::Float64);
                    let mean = number(m.of("sum")) / number(m.of("n"));
                    when(m.of("n").not_eq(lit(0i64)), mean).end().unwrap_or_else(|_| lit(ScalarValue::Null))
                }
            },
        };
        shown.alias(&figure.name)
    }
}
