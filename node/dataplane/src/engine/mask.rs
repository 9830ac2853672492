//! Masks as engine functions of our own. Each is total: it gives a value for every value, so a mask cannot fail on
//! data and tell by failing.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, StringArray, StringBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use hmac::{Hmac, KeyInit, Mac};

use super::{column, data_type};
use crate::calendar::{MICROS_PER_DAY, civil_from_days};
use crate::canonical::canonical;
use crate::limits::TEXT_BYTES_MAX;
use crate::{ColumnKind, HashKey, Mask, TimeUnit};

/// A masked column: its expression and kind. Nothing for a dropped one.
pub(crate) fn masked(
    name: &str,
    kind: ColumnKind,
    mask: &Mask,
) -> Result<Option<(Expr, ColumnKind)>, String> {
    let wrong = |what: &str| Err(format!("column `{name}` is a {kind}; {what}"));
    let (function, out) = match mask {
        Mask::Drop => return Ok(None),
        Mask::Null => return Ok(Some((null(kind)?, kind))),
        Mask::Constant(text) if text.len() > TEXT_BYTES_MAX => {
            return Err(format!("the constant for column `{name}` is longer than {TEXT_BYTES_MAX} bytes"));
        }
        Mask::Constant(text) => return Ok(Some((lit(text.clone()), ColumnKind::String))),
        Mask::Hash(key) => (Kernel::Hash(key.clone()), ColumnKind::String),
        Mask::Linked(key) => match kind {
            ColumnKind::String | ColumnKind::Integer => (Kernel::Linked(key.clone()), ColumnKind::String),
            _ => return wrong("only texts and whole numbers can be pseudonyms that several providers share"),
        },
        Mask::Truncate(unit) => match kind {
            ColumnKind::Date | ColumnKind::Timestamp => {
                let out = if *unit == TimeUnit::Day { ColumnKind::Date } else { ColumnKind::String };
                (Kernel::Truncate(*unit), out)
            }
            _ => return wrong("only days and times can be generalised to year, month or day"),
        },
        Mask::Bucket(width) => match bucket(kind, *width) {
            Some(kernel) => (kernel, kind),
            None => return wrong("a bucket needs a number column and a width above 0, whole for integers"),
        },
        Mask::Decimals(n) if kind != ColumnKind::Number || !(1..=12).contains(n) => {
            return wrong("only a number can be cut to decimals, 1 to 12 of them");
        }
        Mask::Decimals(n) => (Kernel::Decimals(*n), kind),
        Mask::ShowFirst(_) | Mask::ShowLast(_) | Mask::Cut(_) | Mask::LastParts(_)
            if kind != ColumnKind::String =>
        {
            return wrong("only a string can be shown in part");
        }
        Mask::Cut(n) => (Kernel::Cut(*n as usize), kind),
        Mask::LastParts(n) => (Kernel::LastParts(*n as usize), kind),
        Mask::ShowFirst(n) => (Kernel::ShowFirst(*n as usize), kind),
        Mask::ShowLast(n) => (Kernel::ShowLast(*n as usize), kind),
    };
    let function = ScalarUDF::new_from_impl(MaskFunction::new(function, data_type(kind), data_type(out)));
    Ok(Some((function.call(vec![column(name)]), out)))
}

fn null(kind: ColumnKind) -> Result<Expr, String> {
    ScalarValue::try_from(&data_type(kind)).map(lit_scalar).map_err(|e| e.to_string())
}

fn lit_scalar(value: ScalarValue) -> Expr {
    Expr::Literal(value, None)
}

fn bucket(kind: ColumnKind, width: f64) -> Option<Kernel> {
    if !(width.is_finite() && width > 0.0) {
        return None;
    }
    match kind {
        ColumnKind::Number => Some(Kernel::BucketNumber(width.to_bits())),
        // 2^53: whole numbers up to there are exact in a binary64.
        ColumnKind::Integer if width.fract() == 0.0 && width <= 9_007_199_254_740_992.0 =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            Some(Kernel::BucketInteger(width as i64))
        }
        _ => None,
    }
}

/// What is computed. Numbers are kept as bits so that kernels can be compared and hashed by the engine.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Kernel {
    Hash(HashKey),
    Linked(HashKey),
    Truncate(TimeUnit),
    BucketInteger(i64),
    BucketNumber(u64),
    Decimals(u32),
    Cut(usize),
    LastParts(usize),
    ShowFirst(usize),
    ShowLast(usize),
}

/// One mask as the engine calls it. Its `Debug` has no parameters, since plans are printed in logs.
#[derive(Clone, PartialEq, Eq, Hash)]
struct MaskFunction {
    kernel: Kernel,
    out: DataType,
    signature: Signature,
}

impl MaskFunction {
    fn new(kernel: Kernel, input: DataType, out: DataType) -> Self {
        Self { kernel, out, signature: Signature::exact(vec![input], Volatility::Immutable) }
    }
}

impl fmt::Debug for MaskFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ScalarUDFImpl for MaskFunction {
    fn name(&self) -> &str {
        match self.kernel {
            Kernel::Hash(_) => "mask_hash",
            Kernel::Linked(_) => "mask_linked",
            Kernel::Truncate(_) => "mask_truncate",
            Kernel::BucketInteger(_) | Kernel::BucketNumber(_) => "mask_bucket",
            Kernel::Decimals(_) => "mask_decimals",
            Kernel::Cut(_) => "mask_cut",
            Kernel::LastParts(_) => "mask_last_parts",
            Kernel::ShowFirst(_) | Kernel::ShowLast(_) => "mask_partial",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.out.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [input] = args.args.as_slice() else { return internal_err!("a mask takes one column") };
        let input = input.to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(self.kernel.apply(&input)?))
    }
}

impl Kernel {
    fn apply(&self, input: &ArrayRef) -> Result<ArrayRef> {
        Ok(match self {
            Self::Hash(key) => Arc::new(hashes(key, input, |text| Some(text.into()))?),
            Self::Linked(key) => Arc::new(hashes(key, input, canonical)?),
            Self::Truncate(TimeUnit::Day) => Arc::new(days(input)?.into_iter().collect::<Date32Array>()),
            Self::Truncate(unit) => {
                let texts = days(input)?.into_iter().map(|d| d.map(|d| period(d, *unit)));
                Arc::new(texts.collect::<StringArray>())
            }
            Self::BucketInteger(width) => {
                let floor = |n: i64| n.div_euclid(*width).saturating_mul(*width);
                Arc::new(
                    input.as_primitive::<Int64Type>().iter().map(|n| n.map(floor)).collect::<Int64Array>(),
                )
            }
            Self::BucketNumber(bits) => {
                let width = f64::from_bits(*bits);
                let floor = |n: f64| (n / width).floor() * width;
                Arc::new(
                    input
                        .as_primitive::<Float64Type>()
                        .iter()
                        .map(|n| n.map(floor))
                        .collect::<Float64Array>(),
                )
            }
            Self::Decimals(places) => {
                let scale = (0..*places).fold(1.0, |scale, _| scale * 10.0);
                let cut = |n: f64| decimals(n, scale);
                let numbers = input.as_primitive::<Float64Type>();
                Arc::new(numbers.iter().map(|n| n.map(cut)).collect::<Float64Array>())
            }
            Self::Cut(n) => Arc::new(texts(input, |text| text.chars().take(*n).collect())),
            Self::LastParts(n) => Arc::new(texts(input, |text| last_parts(text, *n))),
            Self::ShowFirst(n) => Arc::new(texts(input, |text| partial(text, *n, |at, _| at < *n))),
            Self::ShowLast(n) => {
                Arc::new(texts(input, |text| partial(text, *n, |at, length| at + n >= length)))
            }
        })
    }
}

/// The number cut after so many decimals, downwards. One too large to be scaled has no decimals.
fn decimals(number: f64, scale: f64) -> f64 {
    let scaled = (number * scale).floor();
    if scaled.is_finite() { scaled / scale } else { number.floor() }
}

/// The last parts of a text between commas. One with no more parts than that is broader than it says, so nothing stays.
fn last_parts(text: &str, n: usize) -> String {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let first = parts.len().saturating_sub(n);
    if first == 0 { String::new() } else { parts.get(first..).unwrap_or_default().join(", ") }
}

fn texts(input: &ArrayRef, mask: impl Fn(&str) -> String) -> StringArray {
    input.as_string::<i32>().iter().map(|t| t.map(&mask)).collect()
}

/// The text with stars for what is not shown. One not longer than the `most` that may be shown would leave whole, so
/// nothing of it is.
fn partial(text: &str, most: usize, shown: impl Fn(usize, usize) -> bool) -> String {
    let length = text.chars().count();
    let stays = |at: usize| length > most && shown(at, length);
    text.chars().enumerate().map(|(at, c)| if stays(at) { c } else { '*' }).collect()
}

/// HMACs of what `form` makes of each text; no value where it makes nothing of it.
fn hashes(
    key: &HashKey,
    input: &ArrayRef,
    form: impl Fn(&str) -> Option<Cow<'_, str>>,
) -> Result<StringArray> {
    let texts = cast(input, &DataType::Utf8)?;
    let Ok(keyed) = Hmac::<sha2::Sha256>::new_from_slice(key.bytes()) else {
        return internal_err!("the hash mask has no key");
    };
    let texts = texts.as_string::<i32>();
    let mut out = StringBuilder::with_capacity(texts.len(), texts.len() * 64);
    for text in texts {
        let Some(text) = text.and_then(&form) else {
            out.append_null();
            continue;
        };
        let mut mac = keyed.clone();
        mac.update(text.as_bytes());
        out.append_value(hex(&mac.finalize().into_bytes().into(), &mut [0; 64]));
    }
    Ok(out.finish())
}

/// The two digits of each byte.
const PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0xf]];
        byte += 1;
    }
    pairs
};

/// 64 lower-case hex digits. By table: the formatter costs more than the hash, for each of millions of values.
fn hex<'a>(digest: &[u8; 32], out: &'a mut [u8; 64]) -> &'a str {
    for (pair, byte) in out.chunks_exact_mut(2).zip(digest) {
        pair.copy_from_slice(&PAIRS[usize::from(*byte)]);
    }
    std::str::from_utf8(out).unwrap_or_default()
}

/// Days since 1970-01-01 of dates or times.
fn days(input: &ArrayRef) -> Result<Vec<Option<i32>>> {
    match input.data_type() {
        DataType::Date32 => Ok(input.as_primitive::<Date32Type>().iter().collect()),
        DataType::Timestamp(_, _) => {
            // A 64-bit number of microseconds has fewer days than 32 bits hold.
            let day = |micros: i64| i32::try_from(micros.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX);
            Ok(input.as_primitive::<TimestampMicrosecondType>().iter().map(|t| t.map(day)).collect())
        }
        _ => internal_err!("a mask for times was put on another column"),
    }
}

fn period(day: i32, unit: TimeUnit) -> String {
    let (year, month, _) = civil_from_days(i64::from(day));
    match unit {
        TimeUnit::Year => format!("{year:04}"),
        TimeUnit::Month | TimeUnit::Day => format!("{year:04}-{month:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_narrow_parts() {
        let address = "Số 1, Phường Nghĩa Đô, Quận Cầu Giấy,  Hà Nội";
        assert_eq!(last_parts(address, 1), "Hà Nội");
        assert_eq!(last_parts(address, 2), "Quận Cầu Giấy, Hà Nội");
        // A text without a narrow part may be the narrow part itself.
        assert_eq!(last_parts("Số 1 Hoàng Quốc Việt", 1), "");
        assert_eq!(last_parts(address, 4), "");
        assert_eq!(last_parts("", 1), "");
    }

    #[test]
    fn a_text_no_longer_than_what_would_be_shown_is_hidden_whole() {
        let first = |text, n| partial(text, n, |at, _| at < n);
        // Letters count, not bytes.
        assert_eq!(first("Bình", 4), "****");
        assert_eq!(first("Bình", 3), "Bìn*");
        assert_eq!(first("An", 3), "**");
        assert_eq!(first("", 0), "");
    }

    #[test]
    fn a_coordinate_is_cut_downwards_and_stays_readable() {
        assert_eq!(decimals(21.028_511, 100.0), 21.02);
        assert_eq!(decimals(-0.001, 100.0), -0.01);
        assert_eq!(decimals(f64::MAX, 1e6), f64::MAX);
        assert!(decimals(f64::NAN, 100.0).is_nan());
    }
}
