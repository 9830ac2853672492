//! Rows as CSV, straight into one buffer.
//!
//! The bytes are those of Arrow's own CSV writer (a test holds them side by side), which builds a record of copied fields
//! for each row first; texts, most of every answer, are copied once here. Numbers, days and times are written by Arrow's
//! formatter, so that no digit differs.

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

/// One column, as it is written.
enum Cells<'a> {
    Text(&'a StringArray),
    Other(ArrayFormatter<'a>),
}

/// Adds the batch's rows: RFC 4180 with `\n`, nothing for a missing value.
pub(crate) fn write(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let options = FormatOptions::default();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for array in batch.columns() {
        columns.push(match array.data_type() {
            DataType::Utf8 => Cells::Text(array.as_string::<i32>()),
            _ => Cells::Other(ArrayFormatter::try_new(array.as_ref(), &options)?),
        });
    }
    let mut scratch = String::new();
    for row in 0..batch.num_rows() {
        let begun = out.len();
        for (number, column) in columns.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            match column {
                Cells::Text(texts) if texts.is_null(row) => {}
                Cells::Text(texts) => field(texts.value(row), out),
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
                    any::<Option<f64>>(),
                    any::<Option<bool>>(),
                    proptest::option::of(-700_000..2_900_000_i32),
                    proptest::option::of(-60_000_000_000_000_000..250_000_000_000_000_000_i64),
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
