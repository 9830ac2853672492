//! What came of a contract's rules.

use catalog::{Expect, Measure, Metric, Rule, RuleUnit, Severity};
use serde::Serialize;

use crate::limits::PLACES_MAX;
use crate::mapping::{listed, quoted};
use crate::{Place, Problem, Said};

/// What a result is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A required column has a value in every row.
    Required,
    /// Values are of their kind, within bounds, and codes of the contract.
    Valid,
    /// No value comes twice.
    Unique,
    /// No key comes twice.
    PrimaryKey,
    /// A rule that the contract writes down.
    Rule,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it must be.
    Passed,
    /// Not as it must be.
    Failed,
    /// Too many different keys to tell.
    Unknown,
}

/// Rows that offend.
#[derive(Debug, Clone, Default)]
pub(super) struct Offences {
    pub(super) count: u64,
    pub(super) first: Vec<Place>,
}

impl Offences {
    pub(super) fn add(&mut self, place: &Place) {
        self.count += 1;
        if self.first.len() < PLACES_MAX {
            self.first.push(place.clone());
        }
    }
}

/// What came of one rule or promise. It holds counts and places, no values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleResult {
    /// What it is about.
    pub about: About,
    /// The rule's name, or its metric's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The columns that it is about.
    pub columns: Vec<String>,
    /// How much it matters.
    pub severity: Severity,
    /// How it went.
    pub outcome: Outcome,
    /// The number measured: rows, or percent of rows.
    pub measured: Option<f64>,
    /// The first rows that were counted, at most [`PLACES_MAX`]; of a passed rule too, where some are allowed.
    pub first: Vec<Place>,
    /// All of it in words.
    pub said: Said,
}

/// What came of all rules and promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityReport {
    /// Rows looked at.
    pub rows: u64,
    /// Cells without a value, by column of the contract.
    pub missing: Vec<u64>,
    /// Values that do not fit, by column of the contract.
    pub invalid: Vec<u64>,
    /// Each rule and promise.
    pub results: Vec<RuleResult>,
    /// The first cells that do not fit, at most [`crate::limits::PROBLEMS_MAX`]. They quote values, so they are for the
    /// agency's own people and not written with the rest.
    #[serde(skip)]
    pub problems: Vec<Problem>,
    /// How many such cells there are.
    pub problems_total: u64,
}

impl QualityReport {
    /// Whether nothing that the contract holds an error failed or could not be told.
    pub fn passed(&self) -> bool {
        !self.results.iter().any(|r| r.outcome != Outcome::Passed && r.severity == Severity::Error)
    }
}

impl RuleResult {
    /// Of something that the contract promises: no row may offend.
    pub(super) fn promise(about: About, columns: Vec<String>, offences: Option<Offences>) -> Self {
        let names = listed(columns.iter().map(String::as_str));
        let (vi, en) = match about {
            About::Required => ("thiếu giá trị bắt buộc", "rows without a required value"),
            About::Valid => ("giá trị không đúng hợp đồng", "values that the contract does not allow"),
            About::Unique => {
                ("dòng lặp lại giá trị phải duy nhất", "rows that repeat a value that may come once")
            }
            About::PrimaryKey | About::Rule => ("dòng lặp lại khoá", "rows that repeat a key"),
        };
        let count = offences.as_ref().map(|offences| offences.count);
        let shown = shown(count.map(|count| count as f64));
        let said = Said::new(format!("{names}: {shown} {vi}"), format!("{names}: {shown} {en}"));
        Self {
            about,
            name: None,
            columns,
            severity: Severity::Error,
            outcome: outcome(count.map(|count| count == 0)),
            measured: count.map(|count| count as f64),
            first: offences.map(|offences| offences.first).unwrap_or_default(),
            said,
        }
    }

    pub(super) fn rule(rule: &Rule, column: Option<String>, offences: Option<Offences>, rows: u64) -> Self {
        let (metric, unit, properties) = match &rule.measure {
            Measure::Library { metric, unit, arguments } => (*metric, *unit, arguments.properties.clone()),
            Measure::Sql { .. } => (Metric::RowCount, RuleUnit::Rows, Vec::new()),
        };
        let measured = offences.as_ref().map(|offences| match unit {
            RuleUnit::Rows => offences.count as f64,
            RuleUnit::Percent if rows == 0 => 0.0,
            RuleUnit::Percent => offences.count as f64 * 100.0 / rows as f64,
        });
        let columns = if properties.is_empty() { column.into_iter().collect() } else { properties };
        let (vi_unit, en_unit) = match unit {
            RuleUnit::Rows => ("dòng", "rows"),
            RuleUnit::Percent => ("% số dòng", "% of the rows"),
        };
        let (name, of, count) = (title(rule), listed(columns.iter().map(String::as_str)), shown(measured));
        let of = if of.is_empty() { String::new() } else { format!(" {of}") };
        let (metric, (vi, en)) = (metric.as_str(), expected(&rule.expect));
        let said = Said::new(
            format!("{}{of}: {metric} là {count} {vi_unit}, phải {vi}", quoted(&name)),
            format!("{}{of}: {metric} is {count} {en_unit}, must be {en}", quoted(&name)),
        );
        Self {
            about: About::Rule,
            name: Some(name),
            columns,
            severity: rule.severity,
            outcome: outcome(measured.map(|measured| rule.expect.holds(measured))),
            measured,
            first: offences.map(|offences| offences.first).unwrap_or_default(),
            said,
        }
    }
}

fn outcome(holds: Option<bool>) -> Outcome {
    match holds {
        Some(true) => Outcome::Passed,
        Some(false) => Outcome::Failed,
        None => Outcome::Unknown,
    }
}

fn shown(measured: Option<f64>) -> String {
    match measured {
        None => "?".to_owned(),
        Some(number) if number.fract() == 0.0 => format!("{number:.0}"),
        Some(number) => format!("{number:.3}"),
    }
}

/// The name of a rule, else what it measures.
pub(super) fn title(rule: &Rule) -> String {
    match (&rule.name, &rule.measure) {
        (Some(name), _) => name.clone(),
        (None, Measure::Sql { query }) => query.clone(),
        (None, Measure::Library { metric, .. }) => metric.as_str().to_owned(),
    }
}

fn expected(expect: &Expect) -> (String, String) {
    let same = |text: String| (text.clone(), text);
    match expect {
        Expect::MustBe(n) => same(format!("= {n}")),
        Expect::MustNotBe(n) => same(format!("≠ {n}")),
        Expect::MustBeGreaterThan(n) => same(format!("> {n}")),
        Expect::MustBeGreaterOrEqualTo(n) => same(format!("≥ {n}")),
        Expect::MustBeLessThan(n) => same(format!("< {n}")),
        Expect::MustBeLessOrEqualTo(n) => same(format!("≤ {n}")),
        Expect::MustBeBetween([a, b]) => (format!("từ {a} đến {b}"), format!("from {a} to {b}")),
        Expect::MustNotBeBetween([a, b]) => {
            (format!("ngoài khoảng {a} đến {b}"), format!("outside {a} to {b}"))
        }
    }
}
