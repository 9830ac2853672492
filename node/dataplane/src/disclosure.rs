//! Disclosure control of groups beyond their size: what keeps a figure from telling of one contributor.
//!
//! **What it is.** Parameters that cannot be wrong: each type takes only values that mean something. The rules are those
//! of the Handbook on Statistical Disclosure Control (2nd edition, 2024) and of the R packages sdcTable and
//! GaussSuppression: (n,k)-dominance and the p% rule for sums, noise that belongs to a cell (cell-key method), and
//! conventional rounding. They are applied in that order, behind the threshold and inside the barrier.
//!
//! **What it is not.** No secondary suppression: a total less its other cells gives a cell that was withheld, or as much
//! of it as noise and rounding leave.

use std::collections::BTreeMap;

use crate::HashKey;

/// Disclosure control of one view. The default adds nothing to the threshold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Disclosure {
    /// (n,k)-dominance and p% rule.
    pub dominance: Dominance,
    /// What is added to the figures.
    pub noise: Option<Added>,
    /// What the figures are rounded to.
    pub round_to: Option<RoundTo>,
}

/// What is added to figures. Never both: a figure that carries a noise of its cell is no figure of so many persons, and
/// what a Laplace noise on top of it hides is not known.
#[derive(Debug, Clone, PartialEq)]
pub enum Added {
    /// Noise that belongs to a cell.
    Cell(Noise),
    /// Noise that is drawn anew for each answer.
    Laplace(Laplace),
}

/// Differential privacy for counts and sums: discrete Laplace noise (Dwork and others 2006; here by the library OpenDP),
/// drawn anew for each answer from the randomness of the operating system.
///
/// What is protected is one row, or one person where rows count persons: whoever sees the answer can hardly tell whether
/// it was there. An answer's epsilon is shared evenly by its figures. Cells are apart from each other, so each has all of
/// it. That a cell is shown at all follows the threshold and dominance, and is not covered.
#[derive(Debug, Clone, PartialEq)]
pub struct Laplace {
    epsilon: f64,
    bounds: BTreeMap<String, (i64, i64)>,
}

/// Greatest bound of a column, in absolute value.
pub const BOUND_MAX: i64 = 1_000_000_000_000;

impl Laplace {
    /// Whether this build draws such noise: it has the feature `dp`.
    pub const AVAILABLE: bool = cfg!(feature = "dp");

    /// An answer spends so many thousandths of epsilon (1 to 100,000). Columns may be added up that have bounds: what lies
    /// beyond counts as the bound.
    ///
    /// # Errors
    /// What is out of range, in words, or that this build has no such noise.
    pub fn new(epsilon_milli: u32, bounds: BTreeMap<String, (i64, i64)>) -> Result<Self, String> {
        if !Self::AVAILABLE {
            return Err("this build has no differential privacy (feature `dp`)".to_owned());
        }
        if !(1..=100_000).contains(&epsilon_milli) {
            return Err(format!("epsilon of {epsilon_milli} thousandths: give 1 to 100000"));
        }
        let size = |(least, greatest): (i64, i64)| least.unsigned_abs().max(greatest.unsigned_abs());
        match bounds.iter().find(|(_, b)| b.0 > b.1 || size(**b) > BOUND_MAX.unsigned_abs() || size(**b) == 0)
        {
            Some((column, (least, greatest))) => Err(format!(
                "column `{column}` has bounds {least} and {greatest}: give the lower first, not both 0, and at most {BOUND_MAX}"
            )),
            None => Ok(Self { epsilon: f64::from(epsilon_milli) / 1_000.0, bounds }),
        }
    }

    /// The bounds within which a column may be added up.
    pub(crate) fn bounds(&self, column: &str) -> Option<(i64, i64)> {
        self.bounds.get(column).copied()
    }

    /// Scale of the noise in a figure that one row changes by at most `sensitivity`, in an answer of so many figures.
    #[expect(clippy::cast_precision_loss, reason = "at most 10^15, and a few figures")]
    pub(crate) fn scale(&self, sensitivity: u64, figures: usize) -> f64 {
        sensitivity as f64 * figures.max(1) as f64 / self.epsilon
    }
}

/// Which cells are dominated by too few contributors. A contributor is a person where the view has a key of persons, a
/// row otherwise; what it contributes is the absolute value of its sum.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Dominance {
    largest: BTreeMap<u8, u8>,
    p_percent: Option<u8>,
}

/// Most contributors that a dominance rule looks at together.
pub const DOMINANCE_N_MAX: u8 = 10;

impl Dominance {
    /// Also: a cell whose `n` largest contributors (1 to 10) make up more than `percent` (1 to 99) of it is withheld.
    ///
    /// # Errors
    /// What is out of range, in words.
    pub fn and_largest(mut self, n: u8, percent: u8) -> Result<Self, String> {
        if !(1..=DOMINANCE_N_MAX).contains(&n) || !(1..=99).contains(&percent) {
            return Err(format!(
                "dominance of {n} contributors over {percent} %: give 1 to {DOMINANCE_N_MAX} contributors and 1 to 99 %"
            ));
        }
        let least = self.largest.entry(n).or_insert(percent);
        *least = percent.min(*least);
        Ok(self)
    }

    /// Also: a cell in which the second largest contributor can tell the largest to within `percent` (1 to 100) of it,
    /// by taking itself from the total, is withheld.
    ///
    /// # Errors
    /// What is out of range, in words.
    pub fn and_p_percent(mut self, percent: u8) -> Result<Self, String> {
        if !(1..=100).contains(&percent) {
            return Err(format!("a p% rule with p `{percent}`: give 1 to 100"));
        }
        self.p_percent = self.p_percent.max(Some(percent));
        Ok(self)
    }

    /// Whether no cell is withheld.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.largest.is_empty() && self.p_percent.is_none()
    }

    /// How many of the largest contributions decide.
    pub(crate) fn looks_at(&self) -> usize {
        let n = self.largest.keys().next_back().copied().unwrap_or(0);
        usize::from(n.max(if self.p_percent.is_some() { 2 } else { 0 }))
    }

    /// Whether a cell of this total may be shown; `largest` are its [`Self::looks_at`] largest contributions (or all, if
    /// there are fewer), the largest first. A total of nothing tells that everybody contributes nothing, and what is no
    /// number cannot be judged: neither is safe.
    pub(crate) fn is_safe(&self, total: f64, largest: &[f64]) -> bool {
        if self.is_empty() {
            return true;
        }
        let top = |n: usize| largest.iter().take(n).sum::<f64>();
        let shares = self.largest.iter().all(|(n, percent)| {
            // Multiplied, not divided: whole numbers stay exact.
            top(usize::from(*n)) * 100.0 <= total * f64::from(*percent)
        });
        let protected = self.p_percent.is_none_or(|p| {
            let first = top(1);
            (total - top(2)) * 100.0 >= first * f64::from(p)
        });
        total > 0.0 && total.is_finite() && shares && protected
    }
}

/// Noise that belongs to a cell: the same records give the same noise, whoever asks however often in whatever way, so
/// nothing is gained by asking again. Uniform, mean 0, and never more than its bound.
///
/// Each record has a secret number (HMAC-SHA-256 of all of its raw values); the numbers of a cell's records are added, and
/// HMAC-SHA-256 of that sum and of what is measured is the noise. The key should be one per dataset and the same for all
/// who receive it: two recipients with noise of their own could take the mean.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Noise {
    key: HashKey,
    counts: u8,
    sums_percent: u8,
}

impl Noise {
    /// Counts move by at most `counts` (0 to 100), sums by at most `sums_percent` (0 to 50) percent of what their
    /// contributors add up to in absolute value, and sums of whole numbers by at least 1; not both 0.
    ///
    /// # Errors
    /// What is out of range, in words.
    pub fn new(key: HashKey, counts: u8, sums_percent: u8) -> Result<Self, String> {
        if counts > 100 || sums_percent > 50 || (counts, sums_percent) == (0, 0) {
            return Err(format!(
                "noise of {counts} in counts and {sums_percent} % in sums: give 0 to 100 and 0 to 50 %, not both 0"
            ));
        }
        Ok(Self { key, counts, sums_percent })
    }

    pub(crate) fn key(&self) -> &HashKey {
        &self.key
    }

    /// Most by which a count moves.
    pub(crate) fn counts(&self) -> u8 {
        self.counts
    }

    /// Most by which a sum moves, percent.
    pub(crate) fn sums_percent(&self) -> u8 {
        self.sums_percent
    }
}

/// Counts and sums become the nearest multiple of this, halves away from zero; a mean is the quotient of the two rounded
/// figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoundTo {
    /// Multiples of 3.
    Three,
    /// Multiples of 5.
    Five,
    /// Multiples of 10.
    Ten,
}

impl RoundTo {
    /// The base.
    #[must_use]
    pub fn base(self) -> u8 {
        match self {
            Self::Three => 3,
            Self::Five => 5,
            Self::Ten => 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn largest(n: u8, percent: u8) -> Dominance {
        Dominance::default().and_largest(n, percent).unwrap()
    }

    fn p(percent: u8) -> Dominance {
        Dominance::default().and_p_percent(percent).unwrap()
    }

    /// Contributions of companies A, B, C and D by sector and country, as in the example `magnitude1` of GaussSuppression,
    /// and which cells the definitions withhold.
    #[test]
    fn the_textbook_cells_are_withheld_that_the_definitions_withhold() {
        // Contributions; 100·x1/X; 100·(X − x1 − x2)/x1.
        let agriculture_portugal = [75.9, 24.5]; // 75.6; 0
        let entertainment_spain = [77.4, 16.4, 11.5]; // 73.5; 14.9
        let industry_iceland = [9.6, 8.8, 1.9]; // 47.3; 19.8
        let entertainment_iceland = [16.8]; // 100; 0
        let governmental_spain = [6.5, 2.7]; // 70.7; 0
        let safe =
            |rule: &Dominance, x: &[f64]| rule.is_safe(x.iter().sum(), &x[..rule.looks_at().min(x.len())]);
        for (cell, share, protection) in [
            (&agriculture_portugal[..], 75, 0),
            (&entertainment_spain, 73, 14),
            (&industry_iceland, 47, 19),
            (&entertainment_iceland, 100, 0),
            (&governmental_spain, 70, 0),
        ] {
            for percent in 1..=99 {
                assert_eq!(safe(&largest(1, percent), cell), percent > share, "{cell:?} {percent}");
                assert_eq!(safe(&p(percent), cell), percent <= protection, "{cell:?} {percent}");
            }
        }
        // (2,90): 93.8 of 105.3 is 89.1 %; (2,85) withholds it.
        assert!(safe(&largest(2, 90), &entertainment_spain));
        assert!(!safe(&largest(2, 85), &entertainment_spain));
        // Two rules at once: either withholds.
        assert!(!safe(&largest(2, 90).and_largest(1, 70).unwrap(), &entertainment_spain));
    }

    #[test]
    fn the_bounds_themselves_are_safe() {
        assert!(largest(1, 80).is_safe(100.0, &[80.0]));
        assert!(!largest(1, 80).is_safe(100.0, &[80.1]));
        assert!(p(10).is_safe(120.0, &[100.0, 10.0]));
        assert!(!p(10).is_safe(119.0, &[100.0, 10.0]));
    }

    #[test]
    fn what_cannot_be_judged_is_not_safe() {
        for rule in [largest(1, 99), p(1)] {
            assert!(!rule.is_safe(0.0, &[0.0, 0.0]), "everybody has nothing: that is known of each");
            assert!(!rule.is_safe(f64::NAN, &[1.0, 1.0]));
            assert!(!rule.is_safe(f64::INFINITY, &[f64::INFINITY, 1.0]));
            assert!(!rule.is_safe(0.0, &[]));
        }
        assert!(Dominance::default().is_safe(0.0, &[]));
    }

    #[test]
    fn parameters_that_mean_nothing_are_refused_and_of_two_the_stricter_holds() {
        for (n, percent) in [(0, 50), (11, 50), (1, 0), (1, 100)] {
            assert!(Dominance::default().and_largest(n, percent).is_err());
        }
        assert!(Dominance::default().and_p_percent(0).is_err());
        assert!(Dominance::default().and_p_percent(101).is_err());
        assert_eq!(largest(1, 80).and_largest(1, 90).unwrap(), largest(1, 80));
        assert_eq!(p(10).and_p_percent(5).unwrap(), p(10));
        let noise = |counts, sums| Noise::new(HashKey::new([0; 32]), counts, sums);
        assert!(noise(0, 0).is_err() && noise(101, 0).is_err() && noise(0, 51).is_err());
        assert!(noise(2, 0).is_ok() && noise(0, 5).is_ok());
    }
}
