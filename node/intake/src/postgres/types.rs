//! Which types are read, and how the server's text becomes the house's form.

use tokio_postgres::types::{Kind, Type};

use crate::IntakeError;
use crate::remote::{Text, quoted};

/// How values of a column are turned into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As the server says it: integers, uuid, addresses.
    Plain,
    /// Text, into NFC.
    Text,
    /// Text of fixed width, without the blanks that fill it.
    Padded,
    /// `t` and `f`.
    Bool,
    /// Exact decimals; not `NaN` or `Infinity`.
    Numeric,
    /// Binary fractions of 4 bytes.
    Float4,
    /// Binary fractions of 8 bytes.
    Float8,
    /// Days.
    Date,
    /// A time of a day in a place: the server's blank becomes `T`.
    Timestamp,
    /// A moment, in UTC: `Z`.
    Moment,
}

impl Form {
    /// The form of a column's type.
    ///
    /// # Errors
    /// [`IntakeError::Origin`] with the column, the type and what to do.
    pub(super) fn of(column: &str, kind: &Type) -> Result<Self, IntakeError> {
        match kind.kind() {
            Kind::Domain(inner) => return Self::of(column, inner),
            Kind::Enum(_) => return Ok(Self::Text),
            _ => {}
        }
        Ok(match *kind {
            Type::BOOL => Self::Bool,
            Type::INT2 | Type::INT4 | Type::INT8 | Type::OID | Type::UUID => Self::Plain,
            Type::INET | Type::CIDR | Type::MACADDR | Type::MACADDR8 | Type::BIT | Type::VARBIT => {
                Self::Plain
            }
            Type::TIME | Type::INTERVAL => Self::Plain,
            Type::NUMERIC => Self::Numeric,
            Type::FLOAT4 => Self::Float4,
            Type::FLOAT8 => Self::Float8,
            Type::DATE => Self::Date,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::Moment,
            Type::BPCHAR => Self::Padded,
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::CHAR | Type::JSON | Type::JSONB | Type::XML => {
                Self::Text
            }
            _ if kind.name() == "citext" => Self::Text,
            _ => return Err(refused(column, kind)),
        })
    }

    /// A value in the house's form; none when it has none there, such as `infinity`.
    pub(super) fn text(self, value: &str, text: &mut Text) -> Option<String> {
        match self {
            Self::Plain => Some(value.to_owned()),
            Self::Text => Some(text.nfc(value)),
            Self::Padded => Some(text.nfc(value.trim_end_matches(' '))),
            Self::Bool => match value {
                "t" => Some("true".into()),
                "f" => Some("false".into()),
                _ => None,
            },
            Self::Numeric => {
                value.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b)).then(|| value.to_owned())
            }
            // Rust's shortest form that reads back the same, without an exponent.
            Self::Float4 => value.parse::<f32>().ok().filter(|v| v.is_finite()).map(|v| v.to_string()),
            Self::Float8 => value.parse::<f64>().ok().filter(|v| v.is_finite()).map(|v| v.to_string()),
            Self::Date => is_day(value).then(|| value.to_owned()),
            Self::Timestamp => stamp(value).map(|(day, time)| format!("{day}T{time}")),
            Self::Moment => {
                let (day, time) = stamp(value)?;
                time.strip_suffix("+00").map(|time| format!("{day}T{time}Z"))
            }
        }
    }
}

fn is_day(value: &str) -> bool {
    value.len() == 10
        && value
            .bytes()
            .enumerate()
            .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() })
}

/// Day and time of `2026-11-23 08:00:00.5`, not of `infinity` or a year before Christ.
fn stamp(value: &str) -> Option<(&str, &str)> {
    let (day, time) = value.split_once(' ')?;
    (is_day(day) && time.bytes().all(|b| b.is_ascii_digit() || b":.+".contains(&b))).then_some((day, time))
}

fn refused(column: &str, kind: &Type) -> IntakeError {
    let (column, name) = (quoted(column), quoted(kind.name()));
    let (what_vi, what_en) = match kind.kind() {
        Kind::Array(_) => (" (mảng)", " (an array)"),
        _ => ("", ""),
    };
    IntakeError::origin(
        format!(
            "cột `{column}` có kiểu `{name}`{what_vi} không đọc được; hãy bỏ cột này khỏi `columns`, \
             hoặc dùng `query` và đổi sang chữ, ví dụ `{column}::text`"
        ),
        format!(
            "column `{column}` has the type `{name}`{what_en}, which cannot be read; leave it out of `columns`, \
             or use a `query` and turn it into text, such as `{column}::text`"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_form_of_the_house_and_what_has_none_is_refused() {
        let mut t = Text::default();
        let mut of = |form: Form, value: &str| form.text(value, &mut t);
        assert_eq!(of(Form::Bool, "t").unwrap(), "true");
        assert_eq!(of(Form::Numeric, "-0.10").unwrap(), "-0.10");
        assert_eq!(of(Form::Float8, "1e+20").unwrap(), "100000000000000000000");
        assert_eq!(of(Form::Float4, "0.1").unwrap(), "0.1");
        assert_eq!(of(Form::Timestamp, "2026-11-23 08:00:00.5").unwrap(), "2026-11-23T08:00:00.5");
        assert_eq!(of(Form::Moment, "2026-11-23 01:00:00+00").unwrap(), "2026-11-23T01:00:00Z");
        assert_eq!(of(Form::Padded, "HN   ").unwrap(), "HN");
        for (form, value) in [
            (Form::Numeric, "NaN"),
            (Form::Float8, "NaN"),
            (Form::Float8, "Infinity"),
            (Form::Date, "infinity"),
            (Form::Date, "0044-03-15 BC"),
            (Form::Timestamp, "infinity"),
            (Form::Timestamp, "0044-03-15 08:00:00 BC"),
            (Form::Moment, "2026-11-23 08:00:00+07"),
        ] {
            assert_eq!(of(form, value), None, "{value}");
        }
    }
}
