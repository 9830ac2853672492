//! Numbers as people write them. Which sign is the decimal one is said, never guessed where it matters.

use std::str::FromStr as _;

use bigdecimal::{BigDecimal, ToPrimitive as _};

use super::text::quoted;
use crate::Said;
use crate::limits::NUMBER_CHARS_MAX;

/// Exponents beyond what a binary64 has are no measurements.
const EXPONENT_MAX: i32 = 400;

/// Which signs numbers are written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    decimal: Option<char>,
    thousands: Option<char>,
}

impl Style {
    /// From what a mapping says. With one of `,` and `.` between thousands the other one is the decimal sign.
    pub(crate) fn new(decimal: Option<&str>, thousands: Option<&str>) -> Result<Self, Said> {
        let decimal = decimal.map(|text| sign("decimal", text, &['.', ','])).transpose()?;
        let thousands = thousands
            .filter(|text| !text.is_empty())
            .map(|text| sign("thousands", text, &['.', ',', ' ', '\'']))
            .transpose()?;
        let decimal = decimal.or(match thousands {
            Some('.') => Some(','),
            Some(',') => Some('.'),
            _ => None,
        });
        if decimal.is_some() && decimal == thousands {
            return Err(Said::new(
                "`decimal` và `thousands` trùng nhau; hãy chọn hai dấu khác nhau",
                "`decimal` and `thousands` are the same; choose two different signs",
            ));
        }
        Ok(Self { decimal, thousands })
    }
}

fn sign(key: &str, text: &str, known: &[char]) -> Result<char, Said> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if known.contains(&c) => Ok(c),
        _ => {
            let known: Vec<String> = known.iter().map(|c| format!("\"{c}\"")).collect();
            let known = known.join(", ");
            Err(Said::new(
                format!("`{key}` là {}; chỉ dùng {known}", quoted(text)),
                format!("`{key}` is {}; use one of {known}", quoted(text)),
            ))
        }
    }
}

/// The number with a decimal point and nothing between thousands.
pub(crate) fn number(text: &str, style: Style) -> Result<String, Said> {
    let plain = plain(text, style)?;
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(plain),
        _ => Err(too_large(text)),
    }
}

/// The whole number; a fraction of zeros is dropped, any other refused.
pub(crate) fn integer(text: &str, style: Style) -> Result<String, Said> {
    whole(&decimal(&plain(text, style)?)?, text)
}

/// A decimal as a whole number of 64 bits.
pub(crate) fn whole(value: &BigDecimal, text: &str) -> Result<String, Said> {
    if !value.is_integer() {
        return Err(Said::new(
            format!("{} không phải số nguyên; hãy sửa ô này hoặc đổi kiểu cột thành `number`", quoted(text)),
            format!(
                "{} is not a whole number; correct the cell, or make the column a `number`",
                quoted(text)
            ),
        ));
    }
    value.to_i64().map(|value| value.to_string()).ok_or_else(|| too_large(text))
}

/// A number that [`number`] gave, exactly.
pub(crate) fn decimal(plain: &str) -> Result<BigDecimal, Said> {
    BigDecimal::from_str(plain).map_err(|_| no_number(plain))
}

fn no_number(text: &str) -> Said {
    Said::new(
        format!("{} không phải là số; hãy sửa ô này, hoặc ghi nó vào `missing`", quoted(text)),
        format!("{} is not a number; correct the cell, or list it in `missing`", quoted(text)),
    )
}

fn too_large(text: &str) -> Said {
    Said::new(
        format!("{} vượt quá giới hạn của một số; hãy sửa ô này", quoted(text)),
        format!("{} is beyond what a number holds; correct the cell", quoted(text)),
    )
}

fn ambiguous(text: &str) -> Said {
    Said::new(
        format!(
            "không rõ dấu thập phân trong {}; hãy đặt `decimal = \",\"` hoặc `decimal = \".\"`, và `thousands` nếu có dấu ngăn nghìn",
            quoted(text)
        ),
        format!(
            "which sign in {} is the decimal one cannot be told; set `decimal = \",\"` or `decimal = \".\"`, and `thousands` if thousands are set apart",
            quoted(text)
        ),
    )
}

fn other_style(text: &str) -> Said {
    Said::new(
        format!(
            "{} không viết theo `decimal` và `thousands` đã đặt; hãy sửa ô này hoặc hai dấu đó",
            quoted(text)
        ),
        format!(
            "{} is not written with `decimal` and `thousands` as they are set; correct the cell or these two",
            quoted(text)
        ),
    )
}

/// Whether it could be a number in some style.
fn digits_and_signs(mantissa: &str) -> bool {
    let sign = |c: char| ".,'".contains(c) || c.is_whitespace();
    mantissa.chars().all(|c| c.is_ascii_digit() || sign(c)) && mantissa.contains(|c: char| c.is_ascii_digit())
}

fn plain(text: &str, style: Style) -> Result<String, Said> {
    if text.chars().count() > NUMBER_CHARS_MAX {
        return Err(no_number(text));
    }
    let (minus, rest) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let exponent = exponent.map(|digits| digits.parse::<i32>().map_err(|_| no_number(text))).transpose()?;
    if exponent.is_some_and(|power| power.abs() > EXPONENT_MAX) {
        return Err(too_large(text));
    }
    let decimal = match style {
        Style { decimal: Some(sign), .. } => sign,
        Style { thousands: None, .. } if unmistakable(mantissa, exponent.is_some()) => '.',
        _ if mantissa.contains(['.', ',', '\'']) || mantissa.chars().any(char::is_whitespace) => {
            // A number that is none in any style is called that.
            let digits =
                mantissa.chars().all(|c| c.is_ascii_digit() || ".,'".contains(c) || c.is_whitespace());
            // Only thousands were said, and there is no other sign: then the groups decide below.
            match style.thousands {
                Some(_) if digits && !mantissa.contains(['.', ',']) => '.',
                _ => return Err(if digits { ambiguous(text) } else { no_number(text) }),
            }
        }
        _ => '.',
    };
    let (whole, fraction) = match mantissa.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let grouped = ungrouped(whole, style.thousands).filter(|whole| {
        (digits(whole) || whole.is_empty() && fraction.is_some()) && fraction.is_none_or(digits)
    });
    let Some(whole) = grouped else {
        return Err(if digits_and_signs(mantissa) { other_style(text) } else { no_number(text) });
    };
    let whole = whole.trim_start_matches('0');
    let mut plain = String::with_capacity(text.len());
    plain.push_str(if minus { "-" } else { "" });
    plain.push_str(if whole.is_empty() { "0" } else { whole });
    if let Some(fraction) = fraction {
        plain.push('.');
        plain.push_str(fraction);
    }
    if let Some(power) = exponent {
        plain.push_str(&format!("e{power}"));
    }
    Ok(plain)
}

/// Digits with at most one point that cannot stand between thousands, as in `12.5`, `0.125` or `1234.567`.
fn unmistakable(mantissa: &str, exponent: bool) -> bool {
    let Some((whole, fraction)) = mantissa.split_once('.') else {
        return !mantissa.contains([',', '\'']) && !mantissa.chars().any(char::is_whitespace);
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let group = fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
    digits(whole) && digits(fraction) && (exponent || !group)
}

/// Without what stands between thousands; `None` where groups are not of three.
fn ungrouped(whole: &str, thousands: Option<char>) -> Option<String> {
    let Some(between) = thousands else { return Some(whole.to_owned()) };
    let is_between = |c: char| if between == ' ' { c.is_whitespace() } else { c == between };
    let mut groups = whole.split(is_between);
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let fits = rest.is_empty() || (1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3);
    fits.then(|| std::iter::once(first).chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(decimal: &str, thousands: &str) -> Style {
        Style::new((!decimal.is_empty()).then_some(decimal), Some(thousands)).unwrap()
    }

    #[test]
    fn numbers_are_read_as_the_mapping_says() {
        for (text, decimal, thousands, expected) in [
            ("1.234,5", ",", ".", "1234.5"),
            ("1.234", ",", ".", "1234"),
            ("1.234", ".", "", "1.234"),
            ("1.234", "", ".", "1234"),
            ("-1\u{a0}234\u{a0}567,25", ",", " ", "-1234567.25"),
            ("1 234", "", " ", "1234"),
            ("1'234.5", ".", "'", "1234.5"),
            ("12.5", "", "", "12.5"),
            ("0.125", "", "", "0.125"),
            ("1234.567", "", "", "1234.567"),
            ("294.367912541505", "", "", "294.367912541505"),
            (".5", "", "", "0.5"),
            ("\u{2212}007", "", "", "-7"),
            ("1.5e3", "", "", "1.5e3"),
            ("1.234E-3", "", "", "1.234e-3"),
        ] {
            assert_eq!(number(text, style(decimal, thousands)).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_could_be_two_numbers_is_refused_with_what_to_set() {
        for text in ["1.234", "12,5", "1,234", "1.234.567", "1 234", "-999.999"] {
            let said = number(text, Style::default()).unwrap_err();
            assert!(
                said.en.contains("set `decimal = \",\"`") && said.vi.contains("hãy đặt"),
                "{text}: {said}"
            );
        }
        assert!(number("1 234,5", style("", " ")).unwrap_err().en.contains("set `decimal"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = "9".repeat(NUMBER_CHARS_MAX + 1);
        for text in
            ["", "-", "abc", "5.", "1,2,3", "0x10", "١٢", "nan", "inf", "1e", "--1", "12a.5", "1.23.4", &long]
        {
            assert!(number(text, style(".", ",")).is_err(), "{text}");
        }
        for text in ["1.23,4", "12.34", "1..234", "1234.567,5"] {
            assert!(number(text, style(",", ".")).is_err(), "{text}");
        }
        assert!(number("1,234", style(".", "")).unwrap_err().en.contains("as they are set"));
        assert!(number("12x", style(".", "")).unwrap_err().en.contains("is not a number"));
        for text in ["1e999999999", "1e400", "9223372036854775808e0"] {
            assert!(integer(text, Style::default()).is_err(), "{text}");
        }
        assert!(number("1e309", Style::default()).unwrap_err().en.contains("beyond"));
    }

    #[test]
    fn whole_numbers_lose_only_zeros() {
        for (text, expected) in [("12.0", "12"), ("007", "7"), ("1.2E+05", "120000"), ("-0", "0")] {
            assert_eq!(integer(text, Style::default()).as_deref(), Ok(expected), "{text}");
        }
        assert!(integer("12.5", Style::default()).unwrap_err().en.contains("not a whole number"));
    }

    #[test]
    fn signs_that_contradict_each_other_are_refused() {
        assert!(Style::new(Some("."), Some(".")).is_err());
        assert!(Style::new(Some(";"), None).is_err());
        assert!(Style::new(None, Some("..")).is_err());
    }
}
