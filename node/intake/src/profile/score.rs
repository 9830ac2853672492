//! How good the rows are, as one number that anybody can check.
//!
//! | part | is |
//! | --- | --- |
//! | completeness | cells with a value, of all cells |
//! | validity | values that the contract allows, of all values |
//! | uniqueness | rows that do not repeat a key or a unique value, of all rows; the worst key counts |
//! | freshness | 1 while the data is as new as the service level says, then falling evenly to 0 at twice that age |
//!
//! The score is 100 times the mean of the parts that there are, rounded down. Without keys there is no uniqueness, without a
//! service level no freshness, without rows no score.

use catalog::{DatasetRecord, Frequency, TimeUnit};
use serde::Serialize;

use crate::quality::{About, QualityReport};

/// The parts of the score, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// 0 to 100.
    pub score: u8,
    /// Cells with a value.
    pub completeness: f64,
    /// Values that the contract allows.
    pub validity: f64,
    /// Rows that repeat no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uniqueness: Option<f64>,
    /// As new as the service level says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<f64>,
}

/// How old the data is, and how old it may be. Months are 31 days and years 366: nobody is late for a short one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// Age of the newest row (with a `latency`) or of the source (with a `frequency`), seconds.
    pub age_s: u64,
    /// How old it may be, seconds.
    pub most_s: u64,
    /// Whether it is newer than that.
    pub fresh: bool,
}

impl Freshness {
    /// At the time `now` of data from the time `newest`, both Unix seconds.
    pub(super) fn new(now: i64, newest: i64, within: Frequency) -> Self {
        let age_s = u64::try_from(now.saturating_sub(newest)).unwrap_or(0);
        let most_s = u64::from(within.every) * seconds(within.unit);
        Self { age_s, most_s, fresh: age_s <= most_s }
    }

    fn part(self) -> f64 {
        let over = self.age_s.saturating_sub(self.most_s) as f64;
        (1.0 - over / (self.most_s as f64).max(1.0)).clamp(0.0, 1.0)
    }
}

fn seconds(unit: TimeUnit) -> u64 {
    const DAY: u64 = 86_400;
    match unit {
        TimeUnit::Hour => 3_600,
        TimeUnit::Day => DAY,
        TimeUnit::Week => 7 * DAY,
        TimeUnit::Month => 31 * DAY,
        TimeUnit::Year => 366 * DAY,
    }
}

/// `None`: no rows.
pub(super) fn score(
    record: &DatasetRecord,
    quality: &QualityReport,
    freshness: Option<Freshness>,
) -> Option<Score> {
    if quality.rows == 0 || record.columns.is_empty() {
        return None;
    }
    let rows = quality.rows as f64;
    let cells = rows * record.columns.len() as f64;
    let missing: u64 = quality.missing.iter().sum();
    let invalid: u64 = quality.invalid.iter().sum();
    let values = cells - missing as f64;
    let completeness = values / cells;
    let validity = if values > 0.0 { 1.0 - invalid as f64 / values } else { 1.0 };
    let keys = quality.results.iter().filter(|r| matches!(r.about, About::Unique | About::PrimaryKey));
    let uniqueness =
        keys.filter_map(|key| key.measured).map(|repeated| 1.0 - repeated / rows).reduce(f64::min);
    let freshness = freshness.map(Freshness::part);
    let parts: Vec<f64> =
        [Some(completeness), Some(validity), uniqueness, freshness].into_iter().flatten().collect();
    let mean = parts.iter().sum::<f64>() / parts.len() as f64;
    Some(Score {
        score: (mean * 100.0).floor().clamp(0.0, 100.0) as u8,
        completeness,
        validity,
        uniqueness,
        freshness,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_fresh_as_long_as_promised_and_worth_nothing_at_twice_that() {
        let within = Frequency { every: 2, unit: TimeUnit::Hour };
        for (age, part, fresh) in [
            (-50, 1.0, true),
            (0, 1.0, true),
            (7_200, 1.0, true),
            (10_800, 0.5, false),
            (14_400, 0.0, false),
            (1 << 40, 0.0, false),
        ] {
            let freshness = Freshness::new(1_000_000_000_000 + age, 1_000_000_000_000, within);
            assert_eq!((freshness.part(), freshness.fresh), (part, fresh), "{age}");
        }
    }
}
