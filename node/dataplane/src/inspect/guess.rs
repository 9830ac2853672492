//! Tells the kind of a column from its texts, and whether a text is of a kind.

use crate::calendar::{parse_date, parse_timestamp};
use crate::{Column, ColumnKind};

/// Words that files write for a missing value; one per file.
const NULL_WORDS: [&str; 4] = ["NA", "N/A", "NULL", "null"];

/// Whether the text is a word that may stand for a missing value.
pub(super) fn null_word(text: &str) -> Option<&'static str> {
    NULL_WORDS.into_iter().find(|w| *w == text)
}

/// Whether the engine reads this text as a value of this kind.
pub(crate) fn is_of(kind: ColumnKind, text: &str) -> bool {
    match kind {
        ColumnKind::String => true,
        ColumnKind::Integer => is_integer(text),
        ColumnKind::Number => is_number(text),
        ColumnKind::Boolean => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
        ColumnKind::Date => parse_date(text).is_some(),
        ColumnKind::Timestamp => parse_timestamp(text).is_some(),
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i64>().is_ok()
}

/// Decimal digits with at most one point and an exponent; no `inf`, no `nan`, no thousands sign.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|e| all_digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    all_digits(whole)
        && all_digits(fraction)
        && exponent_fits
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether the text is a whole number that no integer column holds.
fn is_too_long(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i64>().is_err()
}

/// Whether a number column shows other digits than the text has: it keeps about 15 of them (IEEE 754 binary64).
fn is_rounded(text: &str) -> bool {
    fn plain(text: &str) -> (&str, &str) {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        (whole.trim_start_matches(['-', '0']), fraction.trim_end_matches('0'))
    }
    let kept = || text.parse::<f64>().ok().map(|n| n.to_string());
    is_number(text) && !text.contains(['e', 'E']) && kept().is_some_and(|kept| plain(&kept) != plain(text))
}

/// What the texts of one column have been so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Guess {
    values: u64,
    missing: u64,
    /// Unquoted words for a missing value, by their place in [`NULL_WORDS`].
    words: [u64; 4],
    /// Kinds that some value is not, in the order of [`CANDIDATES`].
    ruled_out: [bool; 5],
    identifiers: bool,
    /// Values such as `1.234`, which may be a thousand and more.
    grouped: u64,
    /// Whether a value is a whole number beyond 64 bits, and whether one has more digits than a number keeps.
    too_long: bool,
    rounded: bool,
}

/// Kinds from the narrowest to the widest; text is what remains.
const CANDIDATES: [ColumnKind; 5] =
    [ColumnKind::Boolean, ColumnKind::Integer, ColumnKind::Number, ColumnKind::Date, ColumnKind::Timestamp];

impl Guess {
    /// Takes one text of the file into account; `quoted` when the file quotes it.
    pub(super) fn see(&mut self, text: &str, quoted: bool) {
        if text.is_empty() {
            self.missing += 1;
            return;
        }
        if !quoted && let Some(place) = NULL_WORDS.iter().position(|w| *w == text) {
            if let Some(count) = self.words.get_mut(place) {
                *count += 1;
            }
            return;
        }
        self.values += 1;
        // Quoted digits and leading zeros are codes of something, not amounts: `00070`, `"70126"`.
        let digits = text.strip_prefix('-').unwrap_or(text);
        let padded = digits.len() > 1
            && digits.starts_with('0')
            && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        self.identifiers |= padded || (quoted && is_number(text));
        self.grouped += u64::from(digits.split_once('.').is_some_and(|(whole, rest)| {
            whole.len() <= 3 && rest.len() == 3 && whole != "0" && rest.bytes().all(|b| b.is_ascii_digit())
        }));
        self.too_long |= is_too_long(text);
        self.rounded |= is_rounded(text);
        for (kind, out) in CANDIDATES.into_iter().zip(&mut self.ruled_out) {
            *out |= !is_of(kind, text);
        }
    }

    /// The narrowest kind that all values are.
    pub(super) fn kind(&self) -> ColumnKind {
        if self.values == 0 {
            return ColumnKind::String;
        }
        let fits = CANDIDATES.into_iter().zip(&self.ruled_out).find(|(_, out)| !**out).map(|(kind, _)| kind);
        match fits {
            Some(ColumnKind::Integer | ColumnKind::Number) if self.identifiers || self.too_long => {
                ColumnKind::String
            }
            Some(kind) => kind,
            None => ColumnKind::String,
        }
    }

    /// What a person should know of digits that a kind would not keep.
    pub(super) fn lost_digits(&self) -> Option<&'static str> {
        match self.kind() {
            ColumnKind::String if self.too_long && !self.identifiers => Some(
                "holds whole numbers of more than 18 digits, which no number keeps, so it is taken as text",
            ),
            ColumnKind::Number if self.rounded => Some(
                "holds numbers of more digits than are kept (about 15), so the last ones would be rounded; make it a `string` in the contract where they count",
            ),
            _ => None,
        }
    }

    /// Whether each number may be written with a point between thousands.
    pub(super) fn may_be_thousands(&self) -> bool {
        self.kind() == ColumnKind::Number && self.grouped == self.values
    }

    /// The word that stands for a missing value in this column, if its values say so: they are no texts.
    pub(super) fn missing_word(&self) -> Option<&'static str> {
        if self.kind() == ColumnKind::String && self.values > 0 {
            return None;
        }
        NULL_WORDS.into_iter().zip(self.words).find(|(_, n)| *n > 0).map(|(w, _)| w)
    }

    /// Whether the column holds this word.
    pub(super) fn holds(&self, word: &str) -> bool {
        NULL_WORDS.into_iter().zip(self.words).any(|(w, n)| w == word && n > 0)
    }

    /// The column, with `word` taken as missing. Another word makes it a text.
    pub(super) fn column(&self, name: &str, word: Option<&str>, whole_file: bool) -> Column {
        let other_words = NULL_WORDS.into_iter().zip(self.words).any(|(w, n)| n > 0 && Some(w) != word);
        let kind = if other_words { ColumnKind::String } else { self.kind() };
        let missing = self.missing > 0 || word.is_some_and(|w| self.holds(w));
        Column::new(name, kind, missing || !whole_file)
    }

    /// Whether no value at all was seen.
    pub(super) fn is_blank(&self) -> bool {
        self.values == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(texts: &[(&str, bool)]) -> ColumnKind {
        let mut guess = Guess::default();
        for (text, quoted) in texts {
            guess.see(text, *quoted);
        }
        guess.kind()
    }

    #[test]
    fn kinds_by_their_texts() {
        assert_eq!(kind(&[("1", false), ("-20", false), ("", false)]), ColumnKind::Integer);
        assert_eq!(kind(&[("1", false), ("2.5", false)]), ColumnKind::Number);
        assert_eq!(kind(&[("1", false), ("NA", false)]), ColumnKind::Integer);
        assert_eq!(kind(&[("00123", false), ("45", false)]), ColumnKind::String);
        assert_eq!(kind(&[("70126", true)]), ColumnKind::String);
        assert_eq!(kind(&[("0", false), ("0.5", false)]), ColumnKind::Number);
        assert_eq!(kind(&[("true", false), ("FALSE", false)]), ColumnKind::Boolean);
        assert_eq!(kind(&[("1998-05-01", true)]), ColumnKind::Date);
        assert_eq!(
            kind(&[("2023-03-08 00:00:00", false), ("2023-03-07T17:00:00", false)]),
            ColumnKind::Timestamp
        );
        assert_eq!(kind(&[("99999999999999999999", false), ("1", false)]), ColumnKind::String);
        assert_eq!(kind(&[("1,5", false)]), ColumnKind::String);
        assert_eq!(kind(&[("", false)]), ColumnKind::String);
    }

    #[test]
    fn points_between_thousands_are_not_taken_for_decimal_points_without_a_word() {
        let seen = |texts: &[&str]| {
            let mut guess = Guess::default();
            texts.iter().for_each(|text| guess.see(text, false));
            guess.may_be_thousands()
        };
        assert!(seen(&["1.234", "12.000", "-3.001", ""]));
        assert!(!seen(&["1.234", "12.5"]) && !seen(&["0.125", "0.250"]) && !seen(&["1234"]) && !seen(&[]));
    }

    #[test]
    fn digits_that_would_be_lost_are_told() {
        let told = |texts: &[&str]| {
            let mut guess = Guess::default();
            texts.iter().for_each(|text| guess.see(text, false));
            guess.lost_digits().map(|_| guess.kind())
        };
        assert_eq!(told(&["12345678901234567890", "1"]), Some(ColumnKind::String));
        assert_eq!(told(&["0.1234567890123456789"]), Some(ColumnKind::Number));
        assert_eq!(told(&["9007199254740993.0"]), Some(ColumnKind::Number));
        // What a program wrote of a binary64, and zeros at the end, lose nothing.
        for kept in ["0.30000000000000004", "1.100", "-0.10", "007", "1e21", "9223372036854775807", "0.0"] {
            assert_eq!(told(&[kept, "2"]), None, "{kept}");
        }
    }

    #[test]
    fn what_the_engine_would_not_read_is_no_value() {
        for bad in ["inf", "NaN", "1e", ".5", "5.", "1_0", "+1", "0x1", " 1", "1e999"] {
            assert!(!is_of(ColumnKind::Number, bad), "{bad}");
        }
        for bad in ["", "-", "1.0", "9223372036854775808"] {
            assert!(!is_of(ColumnKind::Integer, bad), "{bad}");
        }
    }
}
