//! What a contract promises of values beyond their kind: units, keys, code lists, bounds, quality rules, latency.

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::{Column, DatasetRecord};

/// What is promised of one column's values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Promises {
    /// A name of the column that stays when it is renamed (`id` in the standard).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The unit of a number, such as `ug/m3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Whether it is (part of) what tells one row from another.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub primary_key: bool,
    /// Its place in a key of several columns, from 1; without one the order of the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_position: Option<u32>,
    /// Whether no value comes twice.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// The only values there are; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// The least number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Number>,
    /// The greatest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Number>,
    /// The shortest text, characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u64>,
    /// The longest text, characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    /// The regular expression that a text matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Quality rules of this column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<Rule>,
}

impl Promises {
    /// Whether nothing is promised: what records leave out.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Promises::default()
    }
}

/// A unit of time in the service level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Hour.
    Hour,
    /// Day.
    Day,
    /// Week.
    Week,
    /// Month.
    Month,
    /// Year.
    Year,
}

/// How often a dataset is brought up to date: every `every` units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// How many units lie between two updates, at least 1.
    pub every: u32,
    /// The unit.
    pub unit: TimeUnit,
}

/// How old the newest value of a time column may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The date or timestamp column.
    pub column: String,
    /// The age.
    pub within: Frequency,
}

/// How much a broken rule matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Published all the same.
    Warning,
    /// Not published.
    #[default]
    Error,
}

/// A quality rule of the standard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How much it matters.
    #[serde(default)]
    pub severity: Severity,
    /// What is measured.
    pub measure: Measure,
    /// What the measured number must be.
    pub expect: Expect,
}

/// What a quality rule measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// A metric of the standard's library.
    Library {
        /// Which.
        metric: Metric,
        /// In rows or percent of rows.
        #[serde(default)]
        unit: RuleUnit,
        /// What it needs to know.
        #[serde(default)]
        arguments: Arguments,
    },
    /// A query in some dialect of SQL; carried, not run.
    Sql {
        /// The query.
        query: String,
    },
}

/// The standard's library of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Metric {
    /// Cells without a value.
    NullValues,
    /// Cells without a value, or with one that stands for none.
    MissingValues,
    /// Values that may not be.
    InvalidValues,
    /// Values that stood in an earlier row.
    DuplicateValues,
    /// Rows.
    RowCount,
}

impl Metric {
    /// The word of the standard.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Metric::NullValues => "nullValues",
            Metric::MissingValues => "missingValues",
            Metric::InvalidValues => "invalidValues",
            Metric::DuplicateValues => "duplicateValues",
            Metric::RowCount => "rowCount",
        }
    }
}

/// What a measured number counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleUnit {
    /// Rows.
    #[default]
    Rows,
    /// Percent of the rows.
    Percent,
}

/// What a metric needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Arguments {
    /// Of `invalidValues`: the values that may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub valid_values: Vec<String>,
    /// Of `invalidValues`: the regular expression of values that may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Of `missingValues`: texts that stand for no value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_values: Vec<String>,
    /// Of `duplicateValues` of the whole table: the columns taken together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<String>,
}

/// What a measured number must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expect {
    /// `=`
    MustBe(Number),
    /// `!=`
    MustNotBe(Number),
    /// `>`
    MustBeGreaterThan(Number),
    /// `>=`
    MustBeGreaterOrEqualTo(Number),
    /// `<`
    MustBeLessThan(Number),
    /// `<=`
    MustBeLessOrEqualTo(Number),
    /// From the first to the second, both included.
    MustBeBetween([Number; 2]),
    /// Less than the first or greater than the second.
    MustNotBeBetween([Number; 2]),
}

impl Expect {
    /// Whether a measured number is as it must be.
    #[must_use]
    pub fn holds(&self, measured: f64) -> bool {
        // Numbers of YAML are finite, and each fits a binary64.
        let value = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
        match self {
            Expect::MustBe(n) => measured == value(n),
            Expect::MustNotBe(n) => measured != value(n),
            Expect::MustBeGreaterThan(n) => measured > value(n),
            Expect::MustBeGreaterOrEqualTo(n) => measured >= value(n),
            Expect::MustBeLessThan(n) => measured < value(n),
            Expect::MustBeLessOrEqualTo(n) => measured <= value(n),
            Expect::MustBeBetween([low, high]) => (value(low)..=value(high)).contains(&measured),
            Expect::MustNotBeBetween([low, high]) => !(value(low)..=value(high)).contains(&measured),
        }
    }
}

impl DatasetRecord {
    /// The columns of the primary key in its order; empty: there is none.
    #[must_use]
    pub fn primary_key(&self) -> Vec<&Column> {
        let mut key: Vec<&Column> =
            self.columns.iter().filter(|column| column.promises.primary_key).collect();
        // Stable: columns without a position keep their order, behind those with one.
        key.sort_by_key(|column| column.promises.key_position.unwrap_or(u32::MAX));
        key
    }
}
