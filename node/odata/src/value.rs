//! A value of a row or of a filter, and how two of them compare.

use std::cmp::Ordering;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, PrimitiveDateTime};

use crate::ColumnKind;

/// How days are written.
pub(crate) const DAY: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");
/// How times are written when their seconds are whole.
pub(crate) const TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
/// How times are written otherwise, and read in any case.
pub(crate) const TIME_FINE: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond]");

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Missing.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// A calendar day.
    Date(Date),
    /// A day and time of day.
    Time(PrimitiveDateTime),
}

impl Value {
    /// A cell of an answer of the engine, which writes days and times as texts. `None` where it is not of that kind.
    #[must_use]
    pub fn read(kind: ColumnKind, cell: &serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        match (kind, cell) {
            (_, Json::Null) => Some(Self::Null),
            (ColumnKind::Boolean, Json::Bool(value)) => Some(Self::Boolean(*value)),
            (ColumnKind::Integer, Json::Number(value)) => value.as_i64().map(Self::Integer),
            (ColumnKind::Number, Json::Number(value)) => value.as_f64().map(Self::Number),
            // What JSON has no number for is a text there.
            (ColumnKind::Number, Json::String(text)) => text.parse().ok().map(Self::Number),
            (ColumnKind::Text, Json::String(text)) => Some(Self::Text(text.clone())),
            (ColumnKind::Date, Json::String(text)) => Date::parse(text, DAY).ok().map(Self::Date),
            (ColumnKind::Timestamp, Json::String(text)) => read_time(text).map(Self::Time),
            _ => None,
        }
    }

    /// Which of two comes first in a sorted answer; missing ones come last, upwards and downwards, as the engine has it.
    #[must_use]
    pub fn ranked(&self, other: &Self, descending: bool) -> Ordering {
        match (self == &Self::Null, other == &Self::Null) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let order = self.compare(other).unwrap_or(Ordering::Equal);
                if descending { order.reverse() } else { order }
            }
        }
    }

    /// Of two values that are not missing; `None` for those that cannot be compared.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b),
            (Self::Integer(a), Self::Number(b)) => mixed(*a, *b),
            (Self::Number(a), Self::Integer(b)) => mixed(*b, *a).map(Ordering::reverse),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// A whole number against another number, exactly: as binary64 large whole numbers fall together.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "guarded by the bounds before"
)]
fn mixed(whole: i64, number: f64) -> Option<Ordering> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if number.is_nan() {
        None
    } else if number >= BOUND {
        Some(Ordering::Less)
    } else if number < -BOUND {
        Some(Ordering::Greater)
    } else {
        let floor = number.floor();
        let rest = if number > floor { Ordering::Less } else { Ordering::Equal };
        Some(whole.cmp(&(floor as i64)).then(rest))
    }
}

/// A time as the engine writes it, with or without parts of a second.
pub(crate) fn read_time(text: &str) -> Option<PrimitiveDateTime> {
    PrimitiveDateTime::parse(text, TIME).or_else(|_| PrimitiveDateTime::parse(text, TIME_FINE)).ok()
}

/// A time as digits, without a zone.
pub(crate) fn write_time(time: PrimitiveDateTime) -> String {
    let format = if time.nanosecond() == 0 { TIME } else { TIME_FINE };
    time.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{Value, mixed, read_time, write_time};

    #[test]
    fn whole_numbers_and_numbers_compare_exactly() {
        assert_eq!(mixed(9_007_199_254_740_993, 9_007_199_254_740_992.0), Some(Ordering::Greater));
        assert_eq!(mixed(2, 2.5), Some(Ordering::Less));
        assert_eq!(mixed(-2, -2.5), Some(Ordering::Greater));
        assert_eq!(mixed(i64::MAX, 1e300), Some(Ordering::Less));
        assert_eq!(mixed(1, f64::NAN), None);
        assert_eq!(Value::Number(2.5).compare(&Value::Integer(2)), Some(Ordering::Greater));
        assert_eq!(Value::Text("a".into()).compare(&Value::Integer(2)), None);
    }

    #[test]
    fn times_are_read_as_the_engine_writes_them() {
        for text in ["2023-03-08T01:00:00", "2023-03-08T01:00:00.25"] {
            assert_eq!(write_time(read_time(text).unwrap()), text);
        }
        assert!(read_time("2023-03-08").is_none());
    }
}
