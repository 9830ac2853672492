//! Disclosure control of aggregates, as rules demand it: dominance, noise, rounding and differential privacy.
//!
//! As all obligations these only tighten: of two demands on the same thing the stricter holds. The node's engine does
//! what they say (`docs/disclosure.md`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::predicate::Column;
use crate::unique::unique_map;

/// Makes a whole number that lies within bounds, read and written as a number.
macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $int:ty, $from:literal, $to:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name($int);

        impl $name {
            /// The number.
            #[must_use]
            pub fn get(self) -> $int {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = String;
            fn try_from(n: u64) -> Result<Self, String> {
                <$int>::try_from(n)
                    .ok()
                    .filter(|n| ($from..=$to).contains(n))
                    .map(Self)
                    .ok_or_else(|| format!("{} `{n}`: give {} to {}", $what, $from, $to))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for u64 {
            fn from(n: $name) -> Self {
                n.0.into()
            }
        }
    };
}

bounded!(
    /// How many of the largest contributors are looked at together.
    Largest, u8, 1, 10, "dominance: number of contributors"
);
bounded!(
    /// Most that the largest contributors may make up of a cell, percent.
    Share, u8, 1, 99, "dominance: share in percent"
);
bounded!(
    /// Least error with which a contributor can be estimated, percent of what it contributes.
    PPercent, u8, 1, 100, "`p_percent`"
);

/// Noise of cells: the same cell has the same noise for all who ask. At least one of the two is above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "NoiseWire", into = "NoiseWire")]
pub struct NoiseLevel {
    counts: u8,
    sums_percent: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoiseWire {
    #[serde(default)]
    counts: u8,
    #[serde(default)]
    sums_percent: u8,
}

impl NoiseLevel {
    /// Most by which a count moves.
    #[must_use]
    pub fn counts(self) -> u8 {
        self.counts
    }

    /// Most by which a sum moves, percent.
    #[must_use]
    pub fn sums_percent(self) -> u8 {
        self.sums_percent
    }

    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            counts: self.counts.max(other.counts),
            sums_percent: self.sums_percent.max(other.sums_percent),
        }
    }
}

impl TryFrom<NoiseWire> for NoiseLevel {
    type Error = String;
    fn try_from(NoiseWire { counts, sums_percent }: NoiseWire) -> Result<Self, String> {
        if counts > 100 || sums_percent > 50 || (counts, sums_percent) == (0, 0) {
            return Err(format!(
                "noise of {counts} in counts and {sums_percent} % in sums: give 0 to 100 and 0 to 50, not both 0"
            ));
        }
        Ok(Self { counts, sums_percent })
    }
}

impl From<NoiseLevel> for NoiseWire {
    fn from(noise: NoiseLevel) -> Self {
        Self { counts: noise.counts, sums_percent: noise.sums_percent }
    }
}

/// What counts and sums are rounded to: 3, 5 or 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub enum RoundBase {
    /// Multiples of 3.
    Three,
    /// Multiples of 5.
    Five,
    /// Multiples of 10.
    Ten,
}

impl TryFrom<u64> for RoundBase {
    type Error = String;
    fn try_from(base: u64) -> Result<Self, String> {
        match base {
            3 => Ok(Self::Three),
            5 => Ok(Self::Five),
            10 => Ok(Self::Ten),
            _ => Err(format!("`round` to `{base}`: give 3, 5 or 10")),
        }
    }
}

impl From<RoundBase> for u64 {
    fn from(base: RoundBase) -> Self {
        match base {
            RoundBase::Three => 3,
            RoundBase::Five => 5,
            RoundBase::Ten => 10,
        }
    }
}

/// Privacy loss: 0.001 to 100, in thousandths. Read and written as a number with at most three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Epsilon(u32);

impl Epsilon {
    /// Thousandths.
    #[must_use]
    pub fn thousandths(self) -> u32 {
        self.0
    }
}

impl TryFrom<f64> for Epsilon {
    type Error = String;
    fn try_from(epsilon: f64) -> Result<Self, String> {
        let scaled = (epsilon * 1_000.0).round();
        // What is written in thousandths reads back as the same number; more decimals do not.
        if !(1.0..=100_000.0).contains(&scaled) || (scaled / 1_000.0 - epsilon).abs() > f64::EPSILON * epsilon
        {
            return Err(format!("epsilon `{epsilon}`: give 0.001 to 100, with at most three decimals"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be 1 to 100000"
        )]
        Ok(Self(scaled as u32))
    }
}

impl From<Epsilon> for f64 {
    fn from(epsilon: Epsilon) -> Self {
        Self::from(epsilon.0) / 1_000.0
    }
}

/// Over what a budget is counted; days and months are those of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A day.
    Day,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        })
    }
}

/// Least and greatest value that a row contributes to a sum; what lies beyond counts as the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, i64)", into = "(i64, i64)")]
pub struct Bounds {
    /// Least.
    pub least: i64,
    /// Greatest. Below `least` after two rules that do not fit: then nothing can be delivered.
    pub greatest: i64,
}

impl From<(i64, i64)> for Bounds {
    fn from((least, greatest): (i64, i64)) -> Self {
        Self { least, greatest }
    }
}

impl From<Bounds> for (i64, i64) {
    fn from(bounds: Bounds) -> Self {
        (bounds.least, bounds.greatest)
    }
}

/// Counts and sums with Laplace noise, and how much of it one recipient may have of one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferentialPrivacy {
    /// What one answer spends.
    pub epsilon: Epsilon,
    /// What one recipient may spend on one dataset in a period.
    #[serde(deserialize_with = "unique_map")]
    pub budget: BTreeMap<Period, Epsilon>,
    /// Bounds of the columns that may be added up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique_map")]
    pub bounds: BTreeMap<Column, Bounds>,
}

impl DifferentialPrivacy {
    pub(crate) fn join(&self, other: &Self) -> Self {
        let mut budget = self.budget.clone();
        for (period, most) in &other.budget {
            budget.entry(*period).and_modify(|own| *own = (*own).min(*most)).or_insert(*most);
        }
        // A column without bounds may not be added up, so only those stay that both allow.
        let both = self.bounds.iter().filter_map(|(column, own)| {
            let theirs = other.bounds.get(column)?;
            let least = own.least.max(theirs.least);
            Some((column.clone(), Bounds { least, greatest: own.greatest.min(theirs.greatest) }))
        });
        let bounds = both.collect();
        Self { epsilon: self.epsilon.min(other.epsilon), budget, bounds }
    }

    /// Whether anything can be answered under it.
    pub(crate) fn deliverable(&self) -> bool {
        self.bounds.values().all(|b| b.least <= b.greatest)
    }
}

/// Of two optional demands, both joined, or the one there is.
pub(crate) fn either<T: Clone>(a: &Option<T>, b: &Option<T>, join: impl Fn(&T, &T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(join(a, b)),
        (one, other) => one.clone().or_else(|| other.clone()),
    }
}

/// Of each number of contributors the smaller share.
pub(crate) fn dominance(
    a: &BTreeMap<Largest, Share>,
    b: &BTreeMap<Largest, Share>,
) -> BTreeMap<Largest, Share> {
    let mut all = a.clone();
    for (n, share) in b {
        all.entry(*n).and_modify(|own| *own = (*own).min(*share)).or_insert(*share);
    }
    all
}
