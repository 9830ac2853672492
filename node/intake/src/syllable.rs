//! Tells whether a word can be Vietnamese: evidence for or against a way to read old text. No dictionary, no grammar.
//!
//! A syllable is an initial, a rime and a tone; rimes that end in a stop (c, ch, p, t) take two of the six tones only.
//! Source: the phonotactics of Vietnamese as school books and <https://en.wikipedia.org/wiki/Vietnamese_phonology> give them.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

const INITIALS: &str = "ngh ng nh gh gi kh ph th tr ch qu b c d đ g h k l m n p r s t v x";

const RIMES: &str = "a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây e ec em en eng eo \
ep et ê êch êm ên ênh êp êt êu i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu o oa oac oach oai oam oan oang oanh \
oao oap oat oay oăc oăm oăn oăng oăt oc oe oen oeo oet oi om on ong ooc oong op ot ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt u \
ua uc ui um un ung up ut uân uât uây uâng uê uêch uênh uôc uôi uôm uôn uông uôt uơ uy uya uych uyên uyêt uynh uyp uyt uyu ư ưa \
ưc ưi ưm ưn ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu y yêm yên yêng yêt yêu ych ynh yt êng";

static INITIAL: LazyLock<Vec<&str>> = LazyLock::new(|| INITIALS.split(' ').collect());
static RIME: LazyLock<HashSet<&str>> = LazyLock::new(|| RIMES.split(' ').collect());

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Level,
    Stop,
    Other,
}

/// Whether a word can be a Vietnamese syllable. Letter case and the place of the tone mark do not matter.
pub(crate) fn is_syllable(word: &str) -> bool {
    if word.len() > 40 {
        return false;
    }
    let mut tone = Tone::Level;
    let mut bare = String::new();
    for c in word.nfd() {
        let found = match c {
            '\u{301}' | '\u{323}' => Tone::Stop,
            '\u{300}' | '\u{303}' | '\u{309}' => Tone::Other,
            c => {
                bare.extend(c.to_lowercase());
                continue;
            }
        };
        if tone != Tone::Level {
            return false;
        }
        tone = found;
    }
    let bare: String = bare.nfc().collect();
    let fits = |rime: &str| {
        let stopped = rime.ends_with(['c', 'p', 't']) || rime.ends_with("ch");
        RIME.contains(rime) && (!stopped || tone == Tone::Stop)
    };
    fits(&bare) || INITIAL.iter().any(|initial| bare.strip_prefix(initial).is_some_and(fits))
}

/// The words of a text that have letters beyond ASCII.
pub(crate) fn marked_words(text: &str) -> impl Iterator<Item = &str> {
    let joint = |c: char| {
        c.is_ascii() && !c.is_ascii_alphabetic() || matches!(c, '“' | '”' | '‘' | '’' | '–' | '—' | '…' | '•')
    };
    text.split(joint).filter(|word| !word.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vietnamese_syllables_are_told_from_other_words() {
        let text = "Phường Nghĩa Đô quận Cầu Giấy thành phố Hà Nội khuyết giường quốc gì giữa hoà hòa Quý ngoằn ngoèo \
                    ĐƯỜNG NGUYỄN khuỷu rượu yếu uống Huế Đắk";
        for word in text.split_whitespace().filter(|word| *word != "Đắk") {
            assert!(is_syllable(word), "{word}");
            assert!(is_syllable(&word.nfd().collect::<String>()), "{word}");
        }
        for word in ["Đắk", "café", "Néi", "µ", "hôtel", "biêt", "chìch", "phưưng", "àá"] {
            assert!(!is_syllable(word), "{word}");
        }
    }
}
