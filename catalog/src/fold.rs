//! Vietnamese text made comparable: "giao thong" finds "Giao thông", composed or decomposed.
//!
//! Decomposing and dropping marks leaves `đ` as it is, since Unicode does not decompose it; it is folded by hand.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Lower case, without tone and vowel marks, `đ` as `d`.
#[must_use]
pub fn fold(text: &str) -> String {
    let lower = text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    // Lower-casing can bring a mark of its own (`İ`), so marks are dropped once more.
    lower.filter(|c| !is_combining_mark(*c)).map(|c| if c == 'đ' { 'd' } else { c }).nfc().collect()
}

/// A word as written and folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Composed and in lower case, with its marks.
    pub(crate) exact: String,
    /// As [`fold`] makes it.
    pub(crate) folded: String,
}

/// The words of a text: runs of letters and digits.
pub(crate) fn words(text: &str) -> Vec<Word> {
    // Composed first: a combining mark by itself would cut a word in two.
    let composed: String = text.nfc().collect();
    let word = |run: &str| Word { exact: run.to_lowercase(), folded: fold(run) };
    composed
        .split(|c: char| !(c.is_alphanumeric() || is_combining_mark(c)))
        .map(word)
        .filter(|w| !w.folded.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vietnamese_letter_becomes_ascii() {
        let letters = "aăâáắấàằầảẳẩãẵẫạặậeêéếèềẻểẽễẹệiíìỉĩịoôơóốớòồờỏổởõỗỡọộợuưúứùừủửũữụựyýỳỷỹỵđ";
        let expected = format!(
            "{}{}{}{}{}{}d",
            "a".repeat(18),
            "e".repeat(12),
            "i".repeat(6),
            "o".repeat(18),
            "u".repeat(12),
            "y".repeat(6)
        );
        for form in [
            letters.to_owned(),
            letters.to_uppercase(),
            letters.nfd().collect(),
            letters.to_uppercase().nfd().collect(),
        ] {
            assert_eq!(fold(&form), expected);
        }
    }

    #[test]
    fn words_are_whole_composed_or_not() {
        let decomposed: String = "Đường, thông-tin PM2.5".nfd().collect();
        for text in ["Đường, thông-tin PM2.5", &decomposed] {
            let found = words(text);
            let folded: Vec<_> = found.iter().map(|w| w.folded.as_str()).collect();
            assert_eq!(folded, ["duong", "thong", "tin", "pm2", "5"]);
            assert_eq!(found[0].exact, "đường");
        }
    }
}
