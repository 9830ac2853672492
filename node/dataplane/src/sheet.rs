//! An answer as one sheet of an Excel workbook (ECMA-376), written a row at a time.
//!
//! A text is always a text, also when it begins with `=`, `+`, `-` or `@`: no cell is a formula. A number keeps its
//! value; where Excel's 15 digits or its calendar (from 1900-03-01, to the millisecond) do not hold one, the cell has
//! the text that the CSV has. What a sheet cannot hold at all is refused. The bytes depend on the rows alone.
//!
//! Rows wait in a file without a name in the scratch directory, or in the system's when there is none: masked values,
//! gone with the process.

use std::path::Path;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType,
};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::calendar::{MICROS_PER_DAY, civil_from_days};
use crate::encode::EncodeError;

/// Rows of a sheet, the header among them.
const SHEET_ROWS_MAX: u32 = 1_048_576;
/// Largest whole number of 15 digits: Excel shows no more, and rounds what it reads.
const INTEGER_MAX: u64 = 999_999_999_999_999;
/// 1900-03-01 as days since 1970-01-01. Excel counts a 1900-02-29, so that earlier days are off by one.
const FIRST_DAY: i64 = -25_508;
/// 9999-12-31.
const LAST_DAY: i64 = 2_932_896;
/// Days from Excel's day 0 to 1970-01-01.
const DAYS_TO_1970: f64 = 25_569.0;

/// Gathers the rows of one answer.
pub(crate) struct Sheet {
    book: Workbook,
    /// Rows written, the header among them.
    rows: u32,
    day: Format,
    time: Format,
}

impl Sheet {
    pub(crate) fn new(schema: &SchemaRef, scratch: Option<&Path>) -> Result<Self, EncodeError> {
        let mut book = Workbook::new();
        if let Some(dir) = scratch {
            book.set_tempdir(dir)?;
        }
        book.set_properties(
            &DocProperties::new().set_creation_datetime(&ExcelDateTime::from_ymd(2000, 1, 1)?),
        );
        let sheet = book.add_worksheet_with_constant_memory()?;
        for (place, field) in (0u16..).zip(schema.fields()) {
            sheet.write_string(0, place, field.name())?;
        }
        let day = Format::new().set_num_format("yyyy-mm-dd");
        let time = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000");
        Ok(Self { book, rows: 1, day, time })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        let sheet = self.book.worksheet_from_index(0)?;
        for place in 0..batch.num_rows() {
            if self.rows >= SHEET_ROWS_MAX {
                return Err(EncodeError::Sheet("more than 1048576 rows, the header among them"));
            }
            for (column, array) in (0u16..).zip(batch.columns()) {
                if array.is_valid(place) {
                    let formats = (&self.day, &self.time);
                    cell(sheet, (self.rows, column), array.as_ref(), place, formats).map_err(too_long)?;
                }
            }
            self.rows += 1;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Vec<u8>, EncodeError> {
        Ok(self.book.save_to_buffer()?)
    }
}

fn too_long(error: XlsxError) -> EncodeError {
    match error {
        XlsxError::MaxStringLengthExceeded => EncodeError::Sheet("a text of more than 32767 characters"),
        other => other.into(),
    }
}

fn cell(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    array: &dyn Array,
    place: usize,
    (day, time): (&Format, &Format),
) -> Result<(), XlsxError> {
    match array.data_type() {
        DataType::Boolean => sheet.write_boolean(row, column, array.as_boolean().value(place))?,
        DataType::Int64 => {
            let n = array.as_primitive::<Int64Type>().value(place);
            match n.unsigned_abs() <= INTEGER_MAX {
                #[expect(clippy::cast_precision_loss, reason = "15 digits are exact")]
                true => sheet.write_number(row, column, n as f64)?,
                false => sheet.write_string(row, column, n.to_string())?,
            }
        }
        DataType::Float64 => {
            let n = array.as_primitive::<Float64Type>().value(place);
            match n.is_finite() {
                true => sheet.write_number(row, column, n)?,
                false => sheet.write_string(row, column, n.to_string())?,
            }
        }
        DataType::Date32 => {
            let days = i64::from(array.as_primitive::<Date32Type>().value(place));
            match serial(days, 0) {
                Some(serial) => sheet.write_number_with_format(row, column, serial, day)?,
                None => sheet.write_string(row, column, day_text(days))?,
            }
        }
        DataType::Timestamp(_, None) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(place);
            let (days, rest) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
            match serial(days, rest) {
                Some(serial) => sheet.write_number_with_format(row, column, serial, time)?,
                None => sheet.write_string(row, column, time_text(days, rest))?,
            }
        }
        _ => sheet.write_string(row, column, array.as_string::<i32>().value(place))?,
    };
    Ok(())
}

/// Excel's number of a time: days, and the part of the day behind the point.
#[expect(clippy::cast_precision_loss, reason = "days and microseconds of a day are far below 2^53")]
fn serial(days: i64, micros: i64) -> Option<f64> {
    let fits = (FIRST_DAY..=LAST_DAY).contains(&days) && micros % 1_000 == 0;
    fits.then(|| days as f64 + DAYS_TO_1970 + micros as f64 / MICROS_PER_DAY as f64)
}

fn day_text(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

fn time_text(days: i64, micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let whole = format!("{}T{hour:02}:{minute:02}:{second:02}", day_text(days));
    match micros % 1_000_000 {
        0 => whole,
        fraction => format!("{whole}.{fraction:06}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Int64Array, StringArray};
    use datafusion::arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn a_sheet_ends_at_its_last_row_with_an_error_and_not_with_a_cut() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let batch =
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from(vec![1, 2]))]).unwrap();
        let mut sheet = Sheet::new(&schema, None).unwrap();
        sheet.rows = SHEET_ROWS_MAX - 2;
        sheet.write(&batch).unwrap();
        let error = sheet.write(&batch).unwrap_err();
        assert_eq!(error.to_string(), "the answer has more than 1048576 rows, the header among them");
    }

    #[test]
    fn a_text_that_no_cell_holds_is_an_error() {
        let schema = Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8, true)]));
        let write = |n: usize| {
            let text = StringArray::from(vec!["đ".repeat(n)]);
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(text)]).unwrap();
            Sheet::new(&schema, None).unwrap().write(&batch)
        };
        assert!(write(32_767).is_ok());
        assert!(matches!(write(32_768), Err(EncodeError::Sheet(_))));
    }

    #[test]
    fn days_are_excels_from_march_1900_on() {
        assert_eq!(serial(FIRST_DAY, 0), Some(61.0));
        assert_eq!(day_text(FIRST_DAY), "1900-03-01");
        assert_eq!(serial(FIRST_DAY - 1, 0), None);
        assert_eq!(day_text(LAST_DAY), "9999-12-31");
        assert_eq!(serial(LAST_DAY, 0), Some(2_958_465.0));
        assert_eq!(serial(19_424, MICROS_PER_DAY / 4), Some(44_993.25));
        assert_eq!(serial(19_424, 1), None);
        assert_eq!(time_text(19_424, 3_600_000_001), "2023-03-08T01:00:00.000001");
    }
}
