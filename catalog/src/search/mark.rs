//! What of a text fits a question, in the text as it is written: marks, capitals and forms stay.

use serde::Serialize;

use super::ask::Wanted;
use crate::fold::{Word, words};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// The text; the pieces in order are the whole.
    pub text: String,
    /// Whether it is what was looked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hit: bool,
}

/// Marks texts for one question.
#[derive(Clone, Debug, Default)]
pub struct Marks(Wanted);

impl Marks {
    /// For this question; one without words marks nothing.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Marks(Wanted::read(text).unwrap_or_default())
    }

    /// The pieces of a text; none if nothing in it fits.
    #[must_use]
    pub fn pieces(&self, text: &str) -> Vec<Piece> {
        let found = words(text);
        let spelled: Vec<String> = found.iter().map(Word::spelled).collect();
        let fits = self.fits(&found, &spelled);
        if !fits.contains(&true) {
            return Vec::new();
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut at = 0;
        for (i, word) in found.iter().enumerate() {
            let fit = |i: usize| fits.get(i).copied().unwrap_or(false);
            // What stands between two words that fit belongs to them.
            push(&mut pieces, text.get(at..word.at.start), fit(i) && i.checked_sub(1).is_some_and(fit));
            push(&mut pieces, text.get(word.at.clone()), fit(i));
            at = word.at.end;
        }
        push(&mut pieces, text.get(at..), false);
        pieces
    }

    fn fits(&self, found: &[Word], spelled: &[String]) -> Vec<bool> {
        let (sequences, begun) = self.0.sequences();
        let mut fits: Vec<bool> =
            found.iter().map(|word| begun.is_some_and(|begun| word.folded.starts_with(begun))).collect();
        for sequence in sequences {
            for (i, window) in spelled.windows(sequence.len().max(1)).enumerate() {
                if window == sequence {
                    fits.iter_mut().skip(i).take(sequence.len()).for_each(|fit| *fit = true);
                }
            }
        }
        fits
    }
}

fn push(pieces: &mut Vec<Piece>, text: Option<&str>, hit: bool) {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return };
    match pieces.last_mut() {
        Some(last) if last.hit == hit => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), hit }),
    }
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn hits(question: &str, text: &str) -> Vec<String> {
        let pieces = Marks::new(question).pieces(text);
        if !pieces.is_empty() {
            assert_eq!(pieces.iter().map(|p| p.text.as_str()).collect::<String>(), text);
        }
        pieces.into_iter().filter(|p| p.hit).map(|p| p.text).collect()
    }

    #[test]
    fn the_text_is_marked_as_it_is_written() {
        assert_eq!(hits("giao thong", "Lưu lượng GIAO thông theo giờ"), ["GIAO thông"]);
        assert_eq!(hits("luu luong gi", "Lưu lượng giao thông"), ["Lưu lượng giao"]);
        assert_eq!(hits("ubnd", "Trụ sở Uỷ ban nhân dân phường, dân cư"), ["Uỷ ban nhân dân"]);
        assert_eq!(hits("kĩ thuật", "Hạ tầng kỹ thuật"), ["kỹ thuật"]);
        let decomposed: String = "Đường sắt".nfd().collect();
        assert_eq!(hits("duong", &decomposed), ["Đường".nfd().collect::<String>()]);
        assert!(hits("nước", "Đường sắt").is_empty());
        assert!(hits("", "Đường sắt").is_empty() && hits("!", "!").is_empty());
    }
}
