//! A histogram of numbers whose range nobody knows beforehand: exact counts in one pass and bounded memory.
//!
//! All bins have one width, a power of two, and begin at its multiples; a bin holds what is at least its beginning and less
//! than its end. When the numbers span more than [`BINS_MAX`] bins the width doubles: two neighbours become one bin, so no
//! count is ever divided or estimated.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::limits::BINS_MAX;

/// Bits of a bin's number: the first width is as fine as the first number allows with bin numbers of this size.
const BIN_BITS: i32 = 40;
/// The finest width is 2 to this power.
const FINEST: i32 = -1000;

/// One bin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// Where it begins.
    pub from: f64,
    /// Where the next begins.
    pub to: f64,
    /// How many numbers are in it.
    pub count: u64,
}

#[derive(Debug, Default)]
pub(super) struct Histogram {
    power: Option<i32>,
    bins: BTreeMap<i64, u64>,
}

impl Histogram {
    pub(super) fn add(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        let least = finest(number);
        let power = self.power.map_or(least, |power| power.max(least));
        self.widen(power);
        let at = (number / (f64::from(power)).exp2()).floor() as i64;
        *self.bins.entry(at).or_default() += 1;
        while self.span() > BINS_MAX as i64 {
            self.widen(self.power.unwrap_or(FINEST) + 1);
        }
    }

    fn span(&self) -> i64 {
        match (self.bins.first_key_value(), self.bins.last_key_value()) {
            (Some((first, _)), Some((last, _))) => last - first + 1,
            _ => 0,
        }
    }

    /// To a width of 2 to this power. The shift rounds down, as the bins do.
    fn widen(&mut self, power: i32) {
        let by = self.power.map_or(0, |now| power.saturating_sub(now));
        self.power = Some(power);
        if by <= 0 {
            return;
        }
        let mut bins = BTreeMap::new();
        for (at, count) in std::mem::take(&mut self.bins) {
            *bins.entry(at >> by.min(63)).or_default() += count;
        }
        self.bins = bins;
    }

    /// The bins from the first to the last that hold something, empty ones between them too.
    pub(super) fn bins(&self) -> Vec<Bin> {
        let (Some(power), Some((first, _)), Some((last, _))) =
            (self.power, self.bins.first_key_value(), self.bins.last_key_value())
        else {
            return Vec::new();
        };
        let width = f64::from(power).exp2();
        let bin = |at: i64| Bin {
            from: at as f64 * width,
            to: (at + 1) as f64 * width,
            count: self.bins.get(&at).copied().unwrap_or(0),
        };
        (*first..=*last).map(bin).collect()
    }
}

/// The finest width at which a number's bin has a number of [`BIN_BITS`] bits.
fn finest(number: f64) -> i32 {
    if number == 0.0 {
        return FINEST;
    }
    (number.abs().log2().floor() as i32 - BIN_BITS).max(FINEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[f64]) -> Vec<Bin> {
        let mut histogram = Histogram::default();
        numbers.iter().for_each(|number| histogram.add(*number));
        histogram.bins()
    }

    #[test]
    fn every_number_is_counted_in_the_bin_it_belongs_to() {
        let sets: [Vec<f64>; 6] = [
            (0..10_000).map(f64::from).collect(),
            (0..1_000).map(|i| f64::from(i * i) * 0.001 - 300.0).collect(),
            vec![0.0, 1e-300, 1e300, -1e300, 5.0],
            vec![47.0; 30],
            (0..500).rev().map(|i| 1e9 + f64::from(i)).collect(),
            vec![f64::MIN_POSITIVE, 0.0, f64::MAX, f64::MIN],
        ];
        for numbers in sets {
            let bins = of(&numbers);
            assert!((1..=BINS_MAX).contains(&bins.len()), "{}", bins.len());
            let counted =
                |bin: &Bin| numbers.iter().filter(|n| (bin.from..bin.to).contains(*n)).count() as u64;
            assert!(bins.iter().all(|bin| bin.count == counted(bin)), "{bins:?}");
            assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), numbers.len() as u64);
        }
    }

    #[test]
    fn bins_are_fine_enough_to_see_something() {
        assert!(of(&(0..10_000).map(f64::from).collect::<Vec<_>>()).len() > BINS_MAX / 2 - 1);
        assert!(of(&[]).is_empty() && of(&[f64::NAN]).is_empty());
    }
}
