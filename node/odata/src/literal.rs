//! Values as a filter writes them (ABNF for OData 4.01, section 7: primitiveLiteral).

use std::fmt;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::Value;
use crate::error::{Fault, quote};
use crate::value::{DAY, read_time, write_time};

/// With minutes alone, as the ABNF allows.
const SHORT: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]T[hour]:[minute]");
const OFFSET: &[BorrowedFormatItem<'static>] =
    format_description!("[offset_hour sign:mandatory]:[offset_minute]");

/// Reads a number, a day or a time.
pub(crate) fn read(text: &str, target: &str) -> Result<Value, Fault> {
    let is_number = text
        .trim_start_matches('-')
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let day = Date::parse(text, DAY).ok().map(Value::Date);
    let number = || is_number.then(|| number(text)).flatten();
    let time = || time(text).map(Value::Time);
    day.or_else(number).or_else(time).ok_or_else(|| {
        let shown = quote(text);
        Fault::bad(
            target,
            format!(
                "`{shown}` is no value; write 5, 2.5, 2023-03-08, 2023-03-08T01:00:00Z, or a text in single quotes \
                 (a plus sign in an address is written %2B)"
            ),
        )
    })
}

fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::Integer(whole));
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Number)
}

/// A time; with an offset it is moved to UTC, without one it is taken as it stands.
fn time(text: &str) -> Option<PrimitiveDateTime> {
    let plain = |text: &str| read_time(text).or_else(|| PrimitiveDateTime::parse(text, SHORT).ok());
    if let Some(digits) = text.strip_suffix(['Z', 'z']) {
        return plain(digits);
    }
    let at = text.get(10..)?.rfind(['+', '-']).map(|at| at + 10);
    match at {
        None => plain(text),
        Some(at) => {
            let offset = UtcOffset::parse(text.get(at..)?, OFFSET).ok()?;
            let local = plain(text.get(..at)?)?;
            let utc: OffsetDateTime = local.assume_offset(offset).checked_to_offset(UtcOffset::UTC)?;
            Some(PrimitiveDateTime::new(utc.date(), utc.time()))
        }
    }
}

/// Writes a value as a filter does; [`read`] and the quotes of texts give it back.
pub(crate) fn write(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::Null => f.write_str("null"),
        Value::Boolean(value) => write!(f, "{value}"),
        Value::Integer(value) => write!(f, "{value}"),
        Value::Number(value) if value.is_nan() => f.write_str("NaN"),
        Value::Number(value) if value.is_infinite() => f.write_str(if *value > 0.0 { "INF" } else { "-INF" }),
        Value::Number(value) => write!(f, "{value:?}"),
        Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        Value::Date(day) => f.write_str(&day.format(DAY).unwrap_or_default()),
        Value::Time(time) => write!(f, "{}Z", write_time(*time)),
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::Value;

    #[test]
    fn values_are_read_as_the_standard_writes_them() {
        assert_eq!(read("-5", "t").unwrap(), Value::Integer(-5));
        assert_eq!(read("2.5e3", "t").unwrap(), Value::Number(2_500.0));
        assert_eq!(read("9223372036854775808", "t").unwrap(), Value::Number(9_223_372_036_854_775_808.0));
        let same = read("2023-03-08T01:00:00Z", "t").unwrap();
        for text in [
            "2023-03-08T01:00Z",
            "2023-03-08T08:00:00+07:00",
            "2023-03-07T20:00:00.000-05:00",
            "2023-03-08T01:00:00",
        ] {
            assert_eq!(read(text, "t").unwrap(), same, "{text}");
        }
        for bad in [
            "5x",
            "2023-02-30",
            "2023-03-08T25:00:00Z",
            "--5",
            "1e999",
            "00000000-0000-0000-0000-000000000000",
            "5.",
        ] {
            let told = read(bad, "t");
            assert!(bad == "5." || told.is_err(), "{bad}: {told:?}");
        }
    }
}
