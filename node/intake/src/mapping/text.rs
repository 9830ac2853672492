//! Text made comparable, and text quoted in messages.

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::limits::QUOTED_CHARS_MAX;

/// Composed (NFC), without blanks around it.
pub(crate) fn tidy(text: &str) -> String {
    let text = text.trim();
    if is_nfc(text) { text.to_owned() } else { text.nfc().collect() }
}

/// For comparing names: composed, in lower case, runs of blanks as one. Marks stay: `Hòa` is not `Hoa`.
pub(crate) fn fold_case(text: &str) -> String {
    let lower: String = text.nfc().flat_map(char::to_lowercase).nfc().collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as a message quotes it: one line, cut to a readable length.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted: String =
        text.chars().take(QUOTED_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

/// Some names for a message, the first of many.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let mut names = names.into_iter();
    let mut text = names.by_ref().take(SHOWN).map(quoted).collect::<Vec<_>>().join(", ");
    let more = names.count();
    if more > 0 {
        text.push_str(&format!(", … (+{more})"));
    }
    text
}
