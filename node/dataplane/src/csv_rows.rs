//! Rows as CSV, straight into one buffer.
//!
//! The bytes are those of Arrow's own CSV writer (a test holds them side by side), which builds a record of copied fields
//! for each row first; texts, most of every answer, are copied once here. Numbers, days and times are written by Arrow's
//! formatter, so that no digit differs.

use std::fmt;

use datafusion::arrow::array::{
    Array, AsArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, civil_from_days};

/// One column, as it is written.
enum Cells<'a> {
    /// Texts; `quoted` if there may be one among them that needs quotes.
    Text {
        texts: &'a StringArray,
        quoted: bool,
    },
    /// Times, and how those are written that are not of whole seconds.
    Time(&'a TimestampMicrosecondArray, ArrayFormatter<'a>),
    /// Numbers, and how those are written that have many digits.
    Number(&'a Float64Array, ArrayFormatter<'a>),
    /// Whole numbers, days and truth values, in which nothing needs quotes.
    Plain(ArrayFormatter<'a>),
    Other(ArrayFormatter<'a>),
}

/// Adds the batch's rows: RFC 4180 with `\n`, nothing for a missing value.
pub(crate) fn write(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let options = FormatOptions::default();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for array in batch.columns() {
        columns.push(cells(array.as_ref(), &options)?);
    }
    let mut scratch = String::new();
    for row in 0..batch.num_rows() {
        let begun = out.len();
        for (number, column) in columns.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            match column {
                Cells::Text { texts, .. } if texts.is_null(row) => {}
                Cells::Text { texts, quoted: true } => field(texts.value(row), out),
                Cells::Text { texts, quoted: false } => out.extend_from_slice(texts.value(row).as_bytes()),
                Cells::Time(times, _) if times.is_null(row) => {}
                Cells::Time(times, values) => {
                    if !whole_second(times.value(row), out) {
                        values.value(row).write(&mut Bytes(out))?;
                    }
                }
                Cells::Number(numbers, _) if numbers.is_null(row) => {}
                Cells::Number(numbers, values) => {
                    if !few_decimals(numbers.value(row), out) {
                        values.value(row).write(&mut Bytes(out))?;
                    }
                }
                Cells::Plain(values) => values.value(row).write(&mut Bytes(out))?,
                Cells::Other(values) => {
                    scratch.clear();
                    values.value(row).write(&mut scratch)?;
                    field(&scratch, out);
                }
            }
        }
        if out.len() == begun {
            // A line of nothing at all would be no record.
            out.extend_from_slice(b"\"\"");
        }
        out.push(b'\n');
    }
    Ok(())
}

fn cells<'a>(array: &'a dyn Array, options: &FormatOptions<'a>) -> Result<Cells<'a>, ArrowError> {
    let values = || ArrayFormatter::try_new(array, options);
    Ok(match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            Cells::Text { texts, quoted: any_special(texts) }
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            Cells::Time(array.as_primitive::<TimestampMicrosecondType>(), values()?)
        }
        DataType::Float64 => Cells::Number(array.as_primitive::<Float64Type>(), values()?),
        DataType::Int64 | DataType::Boolean | DataType::Date32 => Cells::Plain(values()?),
        _ => Cells::Other(values()?),
    })
}

/// A formatter's text, straight into the bytes.
struct Bytes<'a>(&'a mut Vec<u8>);

impl fmt::Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Writes a time that has no fraction, in a year of four digits: most there are. `false`, and nothing, for another.
fn whole_second(micros: i64, out: &mut Vec<u8>) -> bool {
    let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_PER_DAY));
    if micros.rem_euclid(MICROS_PER_SECOND) != 0 || !(0..=9_999).contains(&year) {
        return false;
    }
    let seconds = micros.rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND;
    let parts = [year / 100, year % 100, month, day, seconds / 3_600, seconds / 60 % 60, seconds % 60];
    let mut text = *b"0000-00-00T00:00:00";
    for (at, part) in [0, 2, 5, 8, 11, 14, 17].into_iter().zip(parts) {
        // Each part has two digits.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 9")]
        let digit = |n: i64| b'0' + n as u8;
        if let Some(pair) = text.get_mut(at..at + 2) {
            pair.copy_from_slice(&[digit(part / 10), digit(part % 10)]);
        }
    }
    out.extend_from_slice(&text);
    true
}

/// Writes a number of at most three decimals below 10^12: what instruments give. `false`, and nothing, for another.
///
/// `n / 10^d` is the double nearest to that decimal (division rounds correctly), and of all decimals of up to 15 digits none
/// but this one is read as that double: so it is the shortest text that gives the number back, which Arrow writes.
fn few_decimals(number: f64, out: &mut Vec<u8>) -> bool {
    if number == 0.0 || number.abs() >= 1e12 {
        // The sign of a zero is not lost.
        return false;
    }
    for (places, scale) in [(1, 10.0), (2, 100.0), (3, 1_000.0)] {
        let scaled = (number * scale).round();
        if scaled / scale == number {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, below 10^15"
            )]
            write_decimal(scaled < 0.0, scaled.abs() as u64, places, out);
            return true;
        }
    }
    false
}

/// Writes digits with a point before the last `places`, and at least one before it.
fn write_decimal(negative: bool, mut digits: u64, places: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; 20];
    let mut at = text.len();
    let mut written = 0;
    while digits > 0 || written <= places {
        if written == places {
            at -= 1;
            if let Some(byte) = text.get_mut(at) {
                *byte = b'.';
            }
        }
        at -= 1;
        if let Some(byte) = text.get_mut(at) {
            *byte += u8::try_from(digits % 10).unwrap_or_default();
        }
        digits /= 10;
        written += 1;
    }
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
}

/// Whether a comma, a quote or a line end is anywhere in the column: asked once, not for each text.
fn any_special(texts: &StringArray) -> bool {
    let ends = texts.value_offsets();
    let place = |end: Option<&i32>| end.and_then(|end| usize::try_from(*end).ok()).unwrap_or_default();
    let bytes = texts.value_data().get(place(ends.first())..place(ends.last())).unwrap_or_default();
    memchr::memchr3(b',', b'"', b'\n', bytes).is_some() || memchr::memchr(b'\r', bytes).is_some()
}

fn field(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for part in bytes.split_inclusive(|b| *b == b'"') {
        out.extend_from_slice(part);
        if part.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, TimestampMicrosecondArray,
    };
    use datafusion::arrow::csv::WriterBuilder;
    use proptest::prelude::*;

    use super::*;

    fn both(columns: Vec<(&str, ArrayRef)>) -> (String, String) {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        write(&batch, &mut ours).unwrap();
        let mut writer = WriterBuilder::new().with_header(false).build(&mut theirs);
        writer.write(&batch).unwrap();
        drop(writer);
        (String::from_utf8(ours).unwrap(), String::from_utf8(theirs).unwrap())
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_arrows_writer(
            rows in proptest::collection::vec(
                (
                    proptest::option::of("[a,\"\\r\\n ;'é=#\\\\-]{0,6}"),
                    any::<Option<i64>>(),
                    proptest::option::of(prop_oneof![
                        any::<f64>(),
                        // What is written in a way of its own, and what lies beside it.
                        (-2_000_000_000_000_000..2_000_000_000_000_000_i64, 0..5_i32)
                            .prop_map(|(n, places)| n as f64 / 10_f64.powi(places)),
                        (-2_000..2_000_i64, 0..5_i32).prop_map(|(n, places)| n as f64 / 10_f64.powi(places)),
                    ]),
                    any::<Option<bool>>(),
                    proptest::option::of(-700_000..2_900_000_i32),
                    proptest::option::of(
                        // Whole seconds are written in a way of their own, in years of four digits.
                        (-63_000_000_000..260_000_000_000_i64, proptest::sample::select(vec![0, 0, 0, 250_000, 1]))
                            .prop_map(|(second, micros)| second * MICROS_PER_SECOND + micros)
                    ),
                ),
                0..40,
            )
        ) {
            let texts: ArrayRef = Arc::new(rows.iter().map(|r| r.0.clone()).collect::<StringArray>());
            let (ours, theirs) = both(vec![
                ("text", texts.clone()),
                ("whole", Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>())),
                ("number", Arc::new(rows.iter().map(|r| r.2).collect::<Float64Array>())),
                ("flag", Arc::new(rows.iter().map(|r| r.3).collect::<BooleanArray>())),
                ("day", Arc::new(rows.iter().map(|r| r.4).collect::<Date32Array>())),
                ("time", Arc::new(rows.iter().map(|r| r.5).collect::<TimestampMicrosecondArray>())),
            ]);
            prop_assert_eq!(ours, theirs);
            // Alone, an empty text must not become an empty line.
            let (ours, theirs) = both(vec![("text", texts)]);
            prop_assert_eq!(ours, theirs);
        }
    }
}
