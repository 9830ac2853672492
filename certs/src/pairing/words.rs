//! The 1,024 words of [`six_words`](super::six_words).
//!
//! They are everyday Vietnamese words of two syllables, written without tone marks and joined by a hyphen, so that
//! any keyboard, screen and font shows them alike. The list is frozen: both nodes must pick the same word for the same
//! number.

use super::WORDS_COMPARED;

/// Bits per word.
pub const WORD_BITS: u32 = 10;
/// How many words there are.
pub const WORD_COUNT: usize = 1 << WORD_BITS;

const LIST: &str = include_str!("words.txt");

/// All words in order.
pub fn word_list() -> impl Iterator<Item = &'static str> {
    LIST.split_ascii_whitespace()
}

/// The words for the first sixty bits of a digest.
pub(super) fn pick(digest: &[u8; 32]) -> [&'static str; WORDS_COMPARED] {
    let [a, b, c, d, e, f, g, h, ..] = *digest;
    let bits = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    std::array::from_fn(|i| {
        let shift = u64::BITS - WORD_BITS * (i as u32 + 1);
        word((bits >> shift) as usize % WORD_COUNT)
    })
}

fn word(index: usize) -> &'static str {
    // A test counts the words, so the default is never seen.
    word_list().nth(index).unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_are_exactly_1024_distinct_plain_words() {
        let words: Vec<_> = word_list().collect();
        assert_eq!(words.len(), WORD_COUNT);
        assert_eq!(words.iter().collect::<HashSet<_>>().len(), WORD_COUNT);
        for word in words {
            let (one, two) = word.split_once('-').unwrap();
            let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase());
            assert!(plain(one) && plain(two) && word.len() <= 14, "{word}");
        }
    }

    #[test]
    fn the_list_is_frozen() {
        let digest = crate::encode::hex(&crate::encode::sha256(LIST.as_bytes()));
        assert_eq!(digest, FROZEN, "changing a word breaks pairing with every node that has the old list");
    }

    const FROZEN: &str = "c9993fdb581aa6aab2a280bd3d16af4128fdb2ffadefa1644f7780b66281e853";

    #[test]
    fn each_ten_bits_pick_one_word() {
        let mut digest = [0u8; 32];
        assert_eq!(pick(&digest), [word(0); 6]);
        digest[..8]
            .copy_from_slice(&(1023u64 << 54 | 1 << 44 | 2 << 34 | 3 << 24 | 4 << 14 | 5 << 4).to_be_bytes());
        assert_eq!(pick(&digest), [1023, 1, 2, 3, 4, 5].map(word));
        digest[7] |= 0x0f;
        digest[31] = 0xff;
        assert_eq!(pick(&digest), [1023, 1, 2, 3, 4, 5].map(word), "the rest does not matter");
    }
}
