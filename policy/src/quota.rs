//! Quotas: how much of a dataset one party may have in a day or a month, and how much it has had.
//!
//! The store counts, the engine compares; days and months are those of UTC. A quota that is used up refuses; what is left bounds the next answer.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// What is counted, and over which period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Answers and transfers in a day.
    RequestsPerDay,
    /// Answers and transfers in a month.
    RequestsPerMonth,
    /// Rows in a day.
    RowsPerDay,
    /// Rows in a month.
    RowsPerMonth,
    /// Bytes in a day.
    BytesPerDay,
    /// Bytes in a month.
    BytesPerMonth,
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RequestsPerDay => "requests_per_day",
            Self::RequestsPerMonth => "requests_per_month",
            Self::RowsPerDay => "rows_per_day",
            Self::RowsPerMonth => "rows_per_month",
            Self::BytesPerDay => "bytes_per_day",
            Self::BytesPerMonth => "bytes_per_month",
        })
    }
}

impl Measure {
    /// All measures.
    pub const ALL: [Self; 6] = [
        Self::RequestsPerDay,
        Self::RequestsPerMonth,
        Self::RowsPerDay,
        Self::RowsPerMonth,
        Self::BytesPerDay,
        Self::BytesPerMonth,
    ];
}

/// Most of each measure that one party may have; what is not named is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quota(BTreeMap<Measure, NonZeroU64>);

/// What one party has had so far; what is not named is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usage(BTreeMap<Measure, u64>);

impl Quota {
    /// A quota of these limits.
    #[must_use]
    pub fn new(limits: BTreeMap<Measure, NonZeroU64>) -> Self {
        Self(limits)
    }

    /// True when nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limit of one measure.
    #[must_use]
    pub fn limit(&self, measure: Measure) -> Option<NonZeroU64> {
        self.0.get(&measure).copied()
    }

    /// The smaller limit of each measure.
    #[must_use]
    pub(crate) fn join(&self, other: &Self) -> Self {
        let mut all = self.0.clone();
        for (measure, limit) in &other.0 {
            all.entry(*measure).and_modify(|own| *own = (*own).min(*limit)).or_insert(*limit);
        }
        Self(all)
    }

    /// What is left of one measure after `usage`; `None` when it is not limited.
    #[must_use]
    pub fn left(&self, usage: &Usage, measure: Measure) -> Option<u64> {
        self.limit(measure).map(|limit| limit.get().saturating_sub(usage.of(measure)))
    }

    /// True when nothing is left of some measure.
    #[must_use]
    pub fn is_used_up(&self, usage: &Usage) -> bool {
        self.0.keys().any(|measure| self.left(usage, *measure) == Some(0))
    }
}

impl Usage {
    /// So much has been had.
    #[must_use]
    pub fn new(had: BTreeMap<Measure, u64>) -> Self {
        Self(had)
    }

    /// True when nothing is on record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much of one measure has been had.
    #[must_use]
    pub fn of(&self, measure: Measure) -> u64 {
        self.0.get(&measure).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(json: &str) -> Quota {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_smaller_limit_of_each_measure_holds() {
        let a = quota(r#"{"rows_per_day": 100, "bytes_per_month": 7}"#);
        let b = quota(r#"{"rows_per_day": 30, "requests_per_day": 5}"#);
        assert_eq!(a.join(&b), quota(r#"{"rows_per_day": 30, "bytes_per_month": 7, "requests_per_day": 5}"#));
        assert_eq!(a.join(&b), b.join(&a));
    }

    #[test]
    fn a_quota_is_used_up_when_nothing_is_left_of_one_measure() {
        let limit = quota(r#"{"rows_per_day": 100, "requests_per_month": 2}"#);
        let usage = |json: &str| serde_json::from_str::<Usage>(json).unwrap();
        assert!(!limit.is_used_up(&usage(r#"{"rows_per_day": 99, "requests_per_month": 1}"#)));
        assert_eq!(limit.left(&usage(r#"{"rows_per_day": 99}"#), Measure::RowsPerDay), Some(1));
        assert!(limit.is_used_up(&usage(r#"{"rows_per_day": 100}"#)));
        assert!(limit.is_used_up(&usage(r#"{"requests_per_month": 3}"#)));
        assert!(!limit.is_used_up(&usage(r#"{"bytes_per_day": 1000}"#)), "bytes are not limited");
        assert_eq!(limit.left(&Usage::default(), Measure::BytesPerDay), None);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [r#"{"rows_per_hour": 1}"#, r#"{"rows_per_day": 0}"#, r#"{"rows_per_day": -1}"#] {
            assert!(serde_json::from_str::<Quota>(bad).is_err(), "{bad}");
        }
    }
}
