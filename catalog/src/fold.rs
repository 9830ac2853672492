//! Vietnamese text made comparable: "giao thong" finds "Giao thông", composed or decomposed.
//!
//! Decomposing and dropping marks leaves `đ` as it is, since Unicode does not decompose it; it is folded by hand.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::limits;

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
    /// Where it stands in the text, in bytes.
    pub(crate) at: Range<usize>,
}

impl Word {
    /// Folded, and with one spelling for the sound that is written `i` or `y`: "kỹ" and "kĩ", "quý" and "quí". After a
    /// vowel other than the `u` of "qu" the two are different sounds ("thúy", "thúi") and stay.
    pub(crate) fn spelled(&self) -> String {
        let Some(begin) = self.folded.strip_suffix('y') else { return self.folded.clone() };
        let alike = match begin.chars().next_back() {
            Some('u') => begin == "qu",
            Some(letter) => begin.len() <= 2 && "hklmstv".contains(letter),
            None => false,
        };
        if alike { format!("{begin}i") } else { self.folded.clone() }
    }
}

/// The words of a text: runs of letters and digits, with the marks that belong to them.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut from = None;
    // A blank behind the end closes the last word.
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_alphanumeric() || is_combining_mark(c), from) {
            (true, None) => from = Some(at),
            (false, Some(begin)) => {
                found.extend(text.get(begin..at).map(|run| word(run, begin..at)));
                from = None;
            }
            _ => {}
        }
    }
    found.retain(|w| !w.folded.is_empty());
    found
}

/// What is longer than a word is, as a key or a picture in text form, is found by its beginning.
fn word(run: &str, at: Range<usize>) -> Word {
    let run: String = run.nfc().take(limits::QUERY_WORD_CHARS_MAX).collect();
    Word { exact: run.to_lowercase(), folded: fold(&run), at }
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

    #[test]
    fn one_sound_has_one_spelling() {
        let spelled = |text: &str| words(text).iter().map(Word::spelled).collect::<Vec<_>>();
        assert_eq!(spelled("Kỹ thuật quý Mỹ lý y"), spelled("kĩ thuật quí mĩ lí y"));
        assert_eq!(spelled("thúy tay ngày city"), ["thuy", "tay", "ngay", "city"]);
    }

    #[test]
    fn words_know_where_they_stand() {
        let text = "Ô nhiễm, đường";
        let found = words(text);
        let stand: Vec<&str> = found.iter().map(|w| &text[w.at.clone()]).collect();
        assert_eq!(stand, ["Ô", "nhiễm", "đường"]);
        assert_eq!(words(&"a".repeat(1000))[0].folded.len(), limits::QUERY_WORD_CHARS_MAX);
    }
}
