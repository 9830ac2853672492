//! Numbers of records, noise of cells, rounding: functions of our own, each total as masks are.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hmac::{Hmac, KeyInit, Mac};

use super::laplace::Draws;
use crate::HashKey;
use crate::disclosure::{Noise, RoundTo};

/// Whole numbers of 38 digits: sums of records' numbers and of cells never wrap around.
pub(crate) const WIDE: DataType = DataType::Decimal128(38, 0);

/// Largest noise in a sum of whole numbers.
const NOISE_MAX: f64 = 4_611_686_018_427_387_904.0;

/// The secret number of a record, of all of its raw values; less than 2^64.
pub(crate) fn record_number(key: &HashKey, raw: Vec<Expr>) -> Expr {
    let signature = Signature::variadic_any(Volatility::Immutable);
    ScalarUDF::new_from_impl(Function { kernel: Kernel::Record(key.clone()), signature }).call(raw)
}

/// What a figure is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Figures {
    /// Persons or rows: the noise of counts.
    Counts,
    /// A sum of whole numbers.
    Integers,
    /// A sum of numbers.
    Numbers,
}

/// The noise of one figure.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum FigureNoise {
    /// Of its cell; the label says what is measured: two figures of one cell that differ in it have noise of their own.
    Cell {
        key: HashKey,
        label: String,
        /// Whole steps for counts, percent for sums.
        most: u8,
    },
    /// Drawn for this answer. Sums of numbers come and are moved in thousandths.
    Laplace(Draws),
}

impl FigureNoise {
    /// What belongs to the cell, if this kind of figure moves at all.
    pub(crate) fn of_cell(noise: &Noise, figures: Figures, label: &str) -> Option<Self> {
        let most = if figures == Figures::Counts { noise.counts() } else { noise.sums_percent() };
        (most > 0).then(|| Self::Cell { key: noise.key().clone(), label: label.to_owned(), most })
    }
}

/// What is released of a figure: noise added, then rounded. `value` is wide (a number for [`Figures::Numbers`], unless
/// Laplace noise is added), `size` what the contributors add up to in absolute value, `cell` the sum of its records'
/// numbers.
pub(crate) fn released(
    figures: Figures,
    noise: Option<FigureNoise>,
    round_to: Option<RoundTo>,
    [value, size, cell]: [Expr; 3],
) -> Expr {
    let thousandths = matches!(noise, Some(FigureNoise::Laplace(_)));
    let number = figures == Figures::Numbers && !thousandths;
    let value_type = if number { DataType::Float64 } else { WIDE };
    let kernel = Kernel::Release { figures, noise, round_to };
    let signature = Signature::exact(vec![value_type, DataType::Float64, WIDE], Volatility::Immutable);
    ScalarUDF::new_from_impl(Function { kernel, signature }).call(vec![value, size, cell])
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kernel {
    Record(HashKey),
    Release { figures: Figures, noise: Option<FigureNoise>, round_to: Option<RoundTo> },
}

/// One function as the engine calls it. Its `Debug` has no parameters, since plans are printed in logs.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Function {
    kernel: Kernel,
    signature: Signature,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Record(_) => "record_number",
            Kernel::Release { .. } => "released",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kernel {
            Kernel::Record(_) => WIDE,
            Kernel::Release { figures: Figures::Numbers, .. } => DataType::Float64,
            Kernel::Release { .. } => DataType::Int64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays: Vec<ArrayRef> =
            args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<_>>()?;
        let out: ArrayRef = match &self.kernel {
            Kernel::Record(key) => Arc::new(record_numbers(key, &arrays, args.number_rows)?),
            Kernel::Release { figures, noise, round_to } => {
                release(*figures, noise.as_ref(), *round_to, &arrays)?
            }
        };
        Ok(ColumnarValue::Array(out))
    }
}

fn keyed(key: &HashKey, what: &[u8]) -> Result<Hmac<sha2::Sha256>> {
    let Ok(mut keyed) = Hmac::new_from_slice(key.bytes()) else {
        return internal_err!("there is no key of noise");
    };
    keyed.update(what);
    Ok(keyed)
}

/// Each value as text behind its length, so that no two records are written alike.
fn record_numbers(key: &HashKey, columns: &[ArrayRef], rows: usize) -> Result<Decimal128Array> {
    let texts: Vec<ArrayRef> =
        columns.iter().map(|c| Ok(cast(c, &DataType::Utf8)?)).collect::<Result<_>>()?;
    let start = keyed(key, b"tram/record@v1\0")?;
    let number = |row: usize| {
        let mut mac = start.clone();
        for column in &texts {
            let column = column.as_string::<i32>();
            if column.is_null(row) {
                mac.update(&[0]);
                continue;
            }
            let text = column.value(row).as_bytes();
            mac.update(&[1]);
            mac.update(&(text.len() as u64).to_le_bytes());
            mac.update(text);
        }
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        i128::from(first_u64(&digest))
    };
    let numbers: Decimal128Array = (0..rows).map(|row| Some(number(row))).collect();
    Ok(numbers.with_precision_and_scale(38, 0)?)
}

fn first_u64(digest: &[u8; 32]) -> u64 {
    digest.iter().take(8).fold(0, |n, byte| (n << 8) | u64::from(*byte))
}

fn release(
    figures: Figures,
    noise: Option<&FigureNoise>,
    round_to: Option<RoundTo>,
    args: &[ArrayRef],
) -> Result<ArrayRef> {
    let [values, sizes, cells] = args else { return internal_err!("a release takes value, size and cell") };
    let cells = cells.as_primitive::<Decimal128Type>();
    if let Some(FigureNoise::Laplace(draws)) = noise {
        return drawn(figures, draws, round_to, values.as_primitive(), cells);
    }
    let (start, most) = match noise {
        Some(FigureNoise::Cell { key, label, most }) => {
            (Some(keyed(key, format!("tram/cell@v1\0{label}\0").as_bytes())?), f64::from(*most))
        }
        _ => (None, 0.0),
    };
    let bits = |row: usize| {
        let mut mac = start.clone()?;
        mac.update(&cells.value(row).to_le_bytes());
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        Some(first_u64(&digest))
    };
    let sizes = sizes.as_primitive::<Float64Type>();
    let size = |row: usize| if sizes.is_null(row) { 0.0 } else { sizes.value(row) * most / 100.0 };
    if figures == Figures::Numbers {
        let values = values.as_primitive::<Float64Type>();
        let one = |(row, value): (usize, Option<f64>)| {
            let value = value? + bits(row).map_or(0.0, |bits| unit(bits) * size(row));
            Some(round_number(value, round_to))
        };
        return Ok(Arc::new(values.iter().enumerate().map(one).collect::<Float64Array>()));
    }
    let values = values.as_primitive::<Decimal128Type>();
    let one = |(row, value): (usize, Option<i128>)| {
        let most = match figures {
            Figures::Counts => most,
            // At least a step, or small sums would leave as they are.
            _ => size(row).ceil().clamp(1.0, NOISE_MAX),
        };
        whole(figures, value? + bits(row).map_or(0, |bits| step(bits, most)), round_to)
    };
    Ok(Arc::new(values.iter().enumerate().map(one).collect::<Int64Array>()))
}

/// A whole figure as it leaves: no count below 0; one that no column holds is missing.
fn whole(figures: Figures, noisy: i128, round_to: Option<RoundTo>) -> Option<i64> {
    let noisy = if figures == Figures::Counts { noisy.max(0) } else { noisy };
    i64::try_from(round_integer(noisy, round_to)).ok()
}

fn drawn(
    figures: Figures,
    draws: &Draws,
    round_to: Option<RoundTo>,
    values: &Decimal128Array,
    cells: &Decimal128Array,
) -> Result<ArrayRef> {
    let noisy = values.iter().enumerate().map(|(row, value)| match value {
        Some(value) => Ok(Some(value + i128::from(draws.of(cells.value(row))?))),
        None => Ok(None),
    });
    let noisy: Vec<Option<i128>> = noisy.collect::<Result<_>>()?;
    if figures == Figures::Numbers {
        #[expect(clippy::cast_precision_loss, reason = "a sum of numbers holds no more digits either")]
        let number = |thousandths: i128| round_number(thousandths as f64 / 1_000.0, round_to);
        return Ok(Arc::new(noisy.into_iter().map(|n| n.map(number)).collect::<Float64Array>()));
    }
    Ok(Arc::new(noisy.into_iter().map(|n| whole(figures, n?, round_to)).collect::<Int64Array>()))
}

/// Uniform between -1 and 1.
#[expect(clippy::cast_precision_loss, reason = "the 53 bits that a number holds")]
fn unit(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) / 4_503_599_627_370_496.0 - 1.0
}

/// Uniform among the whole numbers from -most to most.
#[expect(clippy::cast_possible_truncation, reason = "at most 2^62")]
fn step(bits: u64, most: f64) -> i128 {
    let most = most as i128;
    // The upper part of the product, as even as 64 bits allow.
    ((i128::from(bits) * (2 * most + 1)) >> 64) - most
}

/// The nearest multiple, halves away from zero.
fn round_integer(value: i128, round_to: Option<RoundTo>) -> i128 {
    let Some(base) = round_to.map(|r| i128::from(r.base())) else { return value };
    let size = value.abs();
    value.signum() * ((2 * size + base) / (2 * base)) * base
}

fn round_number(value: f64, round_to: Option<RoundTo>) -> f64 {
    match round_to.map(|r| f64::from(r.base())) {
        // `round` takes halves away from zero.
        Some(base) => (value / base).round() * base,
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conventional_rounding_goes_to_the_nearest_multiple() {
        let rounded = |base, values: &[i128]| -> Vec<i128> {
            values.iter().map(|v| round_integer(*v, Some(base))).collect()
        };
        assert_eq!(rounded(RoundTo::Three, &[0, 1, 2, 3, 4, 5, -4, -5]), [0, 0, 3, 3, 3, 6, -3, -6]);
        assert_eq!(rounded(RoundTo::Five, &[2, 3, 7, 8, -2, -3]), [0, 5, 5, 10, 0, -5]);
        assert_eq!(rounded(RoundTo::Ten, &[4, 5, 14, 15, -5]), [0, 10, 10, 20, -10]);
        assert_eq!(round_number(7.5, Some(RoundTo::Five)), 10.0);
        assert_eq!(round_number(-7.4, Some(RoundTo::Five)), -5.0);
        assert_eq!(round_integer(7, None), 7);
    }

    #[test]
    fn noise_is_even_and_never_beyond_its_bound() {
        let most = 2;
        let mut seen = [0u32; 5];
        for n in 0..5_000u64 {
            let bits = first_u64(
                &keyed(&HashKey::new([7; 32]), &n.to_le_bytes()).unwrap().finalize().into_bytes().into(),
            );
            let drawn = step(bits, f64::from(most));
            assert!(drawn.abs() <= i128::from(most));
            seen[usize::try_from(drawn + 2).unwrap()] += 1;
            assert!(unit(bits).abs() < 1.0);
        }
        // 1000 each are due; 150 are five standard deviations.
        assert!(seen.iter().all(|n| n.abs_diff(1_000) < 150), "{seen:?}");
        assert_eq!((step(0, 2.0), step(u64::MAX, 2.0)), (-2, 2));
        assert!(unit(0) < -0.999 && unit(u64::MAX) > 0.999);
    }
}
