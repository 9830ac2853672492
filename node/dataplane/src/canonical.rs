//! The canonical text of an identifier, so that two providers who write one person's number differently mean the same.
//!
//! Exactly this, in this order: Unicode NFC (UAX #15); white space (Unicode `White_Space`) cut off at both ends; of a text
//! that is ASCII digits only, leading zeros cut off, the last digit staying. Nothing is left of an empty text. A whole number
//! is its decimal digits, `-` before a negative one.
//!
//! **Why the zeros.** A spreadsheet that reads `001080000007` as a number leaves `1080000007`; both are one person's. So
//! identifiers that differ in leading zeros alone count as one: where `01` and `1` are two things, give the column no linkage.
//! **What it is not.** Letters keep their case, and spaces or dashes inside stay: what is meant there differs from one
//! register to another, and the providers' mappings say it.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The canonical text; none of an empty one.
#[must_use]
pub fn canonical(text: &str) -> Option<Cow<'_, str>> {
    // Plain ASCII is normal, and most identifiers are.
    let normal = if text.is_ascii() || is_nfc(text) {
        Cow::from(text)
    } else {
        Cow::from(text.nfc().collect::<String>())
    };
    match normal {
        Cow::Borrowed(text) => bare(text).map(Cow::Borrowed),
        Cow::Owned(text) => bare(&text).map(|bare| Cow::Owned(bare.to_owned())),
    }
}

fn bare(text: &str) -> Option<&str> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if !text.bytes().all(|c| c.is_ascii_digit()) {
        return Some(text);
    }
    Some(match text.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    })
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn two_ways_to_write_one_identifier_are_one() {
        let same = |a: &str, b: &str| assert_eq!(canonical(a).unwrap(), canonical(b).unwrap(), "{a:?} {b:?}");
        same("001080000007", "1080000007");
        same(" 001080000007\u{a0}", "001080000007");
        same("Ph\u{fa}", "Phu\u{301}");
        same("00", "0");
        same("\u{3000}Q-7\n", "Q-7");
    }

    #[test]
    fn what_differs_stays_different_and_nothing_is_nobody() {
        let differ = |a: &str, b: &str| assert_ne!(canonical(a), canonical(b), "{a:?} {b:?}");
        differ("q7", "Q7");
        differ("Q-7", "Q7");
        differ("-7", "7");
        differ("007A", "7A");
        differ("1 080", "1080");
        differ("١", "1");
        assert_eq!((canonical(""), canonical(" \u{2003}\t")), (None, None));
    }
}
