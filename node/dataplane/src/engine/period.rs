//! Parts of days and times as an engine function of our own. Like a mask it is total: it gives a value for every value,
//! so it cannot fail on data and tell by failing. It stands inside the barrier beside the masks and takes what they show.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::data_type;
use crate::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, civil_from_days};
use crate::{ColumnKind, Period};

const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;

/// The part of what `over` gives, which is of `kind`.
pub(crate) fn part_of(over: Expr, kind: ColumnKind, by: Period) -> Expr {
    let signature = Signature::exact(vec![data_type(kind)], Volatility::Immutable);
    ScalarUDF::new_from_impl(PartFunction { by, signature }).call(vec![over])
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PartFunction {
    by: Period,
    signature: Signature,
}

impl ScalarUDFImpl for PartFunction {
    fn name(&self) -> &str {
        match self.by {
            Period::Year => "part_year",
            Period::Month => "part_month",
            Period::Day => "part_day",
            Period::Hour => "part_hour",
            Period::MonthOfYear => "part_month_of_year",
            Period::HourOfDay => "part_hour_of_day",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(data_type(self.by.kind()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [input] = args.args.as_slice() else { return internal_err!("a part takes one column") };
        let input = input.to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(apply(self.by, &micros(&input)?)))
    }
}

/// Microseconds since 1970-01-01T00:00:00 of days or times. The furthest days are beyond what microseconds of 64 bits
/// count; the engine's readers take none of them.
fn micros(input: &ArrayRef) -> Result<Vec<Option<i64>>> {
    match input.data_type() {
        DataType::Date32 => {
            let days = input.as_primitive::<Date32Type>().iter();
            Ok(days.map(|d| d.map(|d| i64::from(d).saturating_mul(MICROS_PER_DAY))).collect())
        }
        DataType::Timestamp(_, _) => Ok(input.as_primitive::<TimestampMicrosecondType>().iter().collect()),
        _ => internal_err!("a part of a time was asked of another column"),
    }
}

fn apply(by: Period, micros: &[Option<i64>]) -> ArrayRef {
    let times = micros.iter().copied();
    let civil = |t: i64| civil_from_days(t.div_euclid(MICROS_PER_DAY));
    let integers = |part: &dyn Fn(i64) -> i64| -> ArrayRef {
        Arc::new(micros.iter().map(|t| t.map(part)).collect::<Int64Array>())
    };
    match by {
        Period::Year => integers(&|t| civil(t).0),
        Period::MonthOfYear => integers(&|t| civil(t).1),
        Period::HourOfDay => integers(&|t| t.rem_euclid(MICROS_PER_DAY) / MICROS_PER_HOUR),
        Period::Month => {
            let text = |t: i64| {
                let (year, month, _) = civil(t);
                format!("{year:04}-{month:02}")
            };
            Arc::new(times.map(|t| t.map(text)).collect::<StringArray>())
        }
        Period::Day => {
            // A 64-bit number of microseconds has fewer days than 32 bits hold.
            let day = |t: i64| i32::try_from(t.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX);
            Arc::new(times.map(|t| t.map(day)).collect::<Date32Array>())
        }
        Period::Hour => {
            let hour = |t: i64| t.saturating_sub(t.rem_euclid(MICROS_PER_HOUR));
            Arc::new(times.map(|t| t.map(hour)).collect::<TimestampMicrosecondArray>())
        }
    }
}
