//! A cell of a workbook as text in the house's form.

use calamine::{DataRef, ExcelDateTime};

use crate::Said;

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    /// Text.
    Text(String),
    /// Something that is no value.
    Bad(Said),
}

impl Shown {
    /// Its text, bytes.
    pub fn bytes(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }
}

/// Excel knows days from 1900-01-01 to 9999-12-31.
const DAYS_END: f64 = 2_958_466.0;

/// A cell as text; `None` when there is nothing in it.
pub(super) fn shown(value: &DataRef<'_>, formula: bool) -> Option<Shown> {
    let text = match value {
        DataRef::Empty if formula => {
            return bad(
                "công thức chưa có kết quả được lưu; hãy mở bằng Excel và lưu lại",
                "a formula without a kept result; open the file in Excel and save it again",
            );
        }
        DataRef::Empty => return None,
        DataRef::Int(n) => n.to_string(),
        DataRef::Float(n) => match number(*n) {
            Some(text) => text,
            None => return bad("không phải là số", "not a number"),
        },
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(yes) => yes.to_string(),
        DataRef::DateTime(when) => match moment(when) {
            Some(text) => text,
            None => return bad("ngày không có thật", "a day that does not exist"),
        },
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(e) => {
            return bad(
                format!("ô báo lỗi {e}; hãy sửa công thức"),
                format!("the error {e}; mend the formula"),
            );
        }
    };
    (!text.is_empty()).then_some(Shown::Text(text))
}

fn bad(vi: impl Into<String>, en: impl Into<String>) -> Option<Shown> {
    Some(Shown::Bad(Said::new(vi, en)))
}

/// A number as Excel shows it at its widest: 15 digits, no exponent, no `.0`.
fn number(n: f64) -> Option<String> {
    let rounded: f64 = format!("{n:.14e}").parse().ok()?;
    let rounded = if rounded == 0.0 { 0.0 } else { rounded };
    rounded.is_finite().then(|| rounded.to_string())
}

/// `2026-11-23`, `2026-11-23T08:00:00`, `08:00:00`; for a length of time, hours may exceed 24.
fn moment(when: &ExcelDateTime) -> Option<String> {
    let value = when.as_f64();
    if !(0.0..DAYS_END).contains(&value) {
        return None;
    }
    if when.is_duration() {
        let seconds = (value * 86_400.0).round() as u64;
        return Some(format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    }
    let (year, month, day, hour, minute, second, milli) = when.to_ymd_hms_milli();
    let mut clock = format!("{hour:02}:{minute:02}:{second:02}");
    if milli > 0 {
        clock.push_str(&format!(".{milli:03}"));
    }
    if value < 1.0 {
        return Some(clock);
    }
    if (year, month, day) == (1900, 2, 29) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    Some(if clock == "00:00:00" { date } else { format!("{date}T{clock}") })
}

/// A column's letters: 0 is `A`, 26 is `AA`.
pub(super) fn letters(column: u32) -> String {
    let (mut n, mut out) = (column + 1, Vec::new());
    while n > 0 {
        n -= 1;
        out.push(char::from(b'A' + (n % 26) as u8));
        n /= 26;
    }
    out.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType::{DateTime, TimeDelta};

    use super::*;

    #[test]
    fn numbers_days_and_times_have_one_form() {
        let numbers = [
            (3.0, "3"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (1e20, "100000000000000000000"),
            (1.5e-7, "0.00000015"),
        ];
        for (n, text) in numbers {
            assert_eq!(number(n).as_deref(), Some(text));
        }
        assert_eq!(number(f64::NAN), None);
        let when = |value, kind| moment(&ExcelDateTime::new(value, kind, false));
        assert_eq!(when(45_943.0, DateTime).as_deref(), Some("2025-10-13"));
        assert_eq!(when(45_943.5, DateTime).as_deref(), Some("2025-10-13T12:00:00"));
        assert_eq!(when(1.0 / 3.0, DateTime).as_deref(), Some("08:00:00"));
        assert_eq!(when(1.25, TimeDelta).as_deref(), Some("30:00:00"));
        for never in [60.0, -1.0, 3e6] {
            assert_eq!(when(never, DateTime), None, "{never}");
        }
    }

    #[test]
    fn columns_have_letters() {
        assert_eq!([0, 25, 26, 701, 702].map(letters), ["A", "Z", "AA", "ZZ", "AAA"]);
    }
}
