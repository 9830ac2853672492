//! Text typed with the fonts of before Unicode: the letters of Western Europe stand where Vietnamese ones were seen.
//!
//! Sources: TCVN 5712:1993 VN3 ("ABC"), <https://en.wikipedia.org/wiki/VSCII>; VNI for Windows,
//! <https://en.wikipedia.org/wiki/VNI>. TCVN3 has no toned capitals: fonts of capitals (`.VnTimeH`) show the small letters
//! as such, so they are read as small letters.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::syllable::{is_syllable, marked_words};
use crate::{IntakeError, Place, Remark};

/// How the letters of a text are to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Font {
    /// As they are; what looks like another font is not looked for.
    Unicode,
    /// TCVN3 (ABC), fonts `.Vn…`.
    Tcvn3,
    /// VNI for Windows, fonts `VNI-…`.
    VniWindows,
}

/// TCVN3: from 0xA1 on, what each code shows. `\0` is not used.
#[rustfmt::skip]
const TCVN3: [char; 94] = [
    'Ă', 'Â', 'Ê', 'Ô', 'Ơ', 'Ư', 'Đ', 'ă', 'â', 'ê', 'ô', 'ơ', 'ư', 'đ', '\0', // A1
    '\u{300}', '\u{309}', '\u{303}', '\u{301}', '\u{323}', 'à', 'ả', 'ã', // B0
    'á', 'ạ', '\0', 'ằ', 'ẳ', 'ẵ', 'ắ', '\0', // B8
    '\0', '\0', '\0', '\0', '\0', '\0', 'ặ', 'ầ', 'ẩ', 'ẫ', 'ấ', 'ậ', 'è', '\0', 'ẻ', 'ẽ', // C0
    'é', 'ẹ', 'ề', 'ể', 'ễ', 'ế', 'ệ', 'ì', 'ỉ', '\0', '\0', '\0', 'ĩ', 'í', 'ị', 'ò', // D0
    '\0', 'ỏ', 'õ', 'ó', 'ọ', 'ồ', 'ổ', 'ỗ', 'ố', 'ộ', 'ờ', 'ở', 'ỡ', 'ớ', 'ợ', 'ù', // E0
    '\0', 'ủ', 'ũ', 'ú', 'ụ', 'ừ', 'ử', 'ữ', 'ứ', 'ự', 'ỳ', 'ỷ', 'ỹ', 'ý', 'ỵ', // F0
];

/// VNI: letters of one code.
const VNI_SINGLE: [(char, char); 9] = [
    ('ô', 'ơ'),
    ('ö', 'ư'),
    ('ñ', 'đ'),
    ('í', 'í'),
    ('ì', 'ì'),
    ('æ', 'ỉ'),
    ('ó', 'ĩ'),
    ('ò', 'ị'),
    ('î', 'ỵ'),
];

/// VNI: what the second code adds to the letter before it: letters it stands after, marks in Unicode.
const VNI_MARKS: [(char, &str, &str); 17] = [
    ('ù', "aeouyôö", "\u{301}"),
    ('ø', "aeouyôö", "\u{300}"),
    ('û', "aeouyôö", "\u{309}"),
    ('õ', "aeouyôö", "\u{303}"),
    ('ï', "aeouyôö", "\u{323}"),
    ('â', "aeo", "\u{302}"),
    ('á', "aeo", "\u{302}\u{301}"),
    ('à', "aeo", "\u{302}\u{300}"),
    ('å', "aeo", "\u{302}\u{309}"),
    ('ã', "aeo", "\u{302}\u{303}"),
    ('ä', "aeo", "\u{302}\u{323}"),
    ('ê', "a", "\u{306}"),
    ('é', "a", "\u{306}\u{301}"),
    ('è', "a", "\u{306}\u{300}"),
    ('ú', "a", "\u{306}\u{309}"),
    ('ü', "a", "\u{306}\u{303}"),
    ('ë', "a", "\u{306}\u{323}"),
];

impl Font {
    /// The word for it in a description.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unicode => "unicode",
            Self::Tcvn3 => "tcvn3",
            Self::VniWindows => "vni-windows",
        }
    }

    /// What people saw, as Unicode.
    pub(crate) fn shown(self, text: &str) -> Cow<'_, str> {
        if self == Self::Unicode || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let wide: String = if self == Self::Tcvn3 { text.chars().map(tcvn3).collect() } else { vni(text) };
        Cow::Owned(crate::text_form::nfc(wide))
    }
}

fn tcvn3(c: char) -> char {
    let place = u32::from(c).checked_sub(0xA1).and_then(|i| TCVN3.get(i as usize));
    place.copied().filter(|found| *found != '\0').unwrap_or(c)
}

fn vni(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let small = lower(c);
        let single = VNI_SINGLE.iter().find(|(code, _)| *code == small).map_or(small, |(_, letter)| *letter);
        if c == small {
            out.push(single);
        } else {
            out.extend(single.to_uppercase());
        }
        let next = chars.peek().copied().map(lower);
        let mark = VNI_MARKS.iter().find(|(code, after, _)| Some(*code) == next && after.contains(small));
        if let Some((_, _, marks)) = mark {
            out.push_str(marks);
            chars.next();
        }
    }
    out
}

fn lower(c: char) -> char {
    let mut small = c.to_lowercase();
    match (small.next(), small.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

/// Different words that must agree before text is taken for text of an old font.
const WORDS_MIN: usize = 5;
/// So many words of the old font to a hundred that are sound, at least: fewer are slips of typing.
const SHARE_MIN: u64 = 10;
/// Most words that are remembered as sound.
const KNOWN_MAX: usize = 4_096;

/// Looks over text on its way for signs of an old font that the description does not name.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    tcvn3: Old,
    vni: Old,
    known: HashSet<String>,
    sound: u64,
    converted: u64,
}

/// Words that make sense with one old font only.
#[derive(Debug, Default)]
struct Old {
    different: HashSet<String>,
    count: u64,
}

impl Old {
    fn take(&mut self, font: Font, word: &str) {
        if is_syllable(&font.shown(word)) {
            self.count += 1;
            if self.different.len() < WORDS_MIN {
                self.different.insert(word.to_owned());
            }
        }
    }

    fn is_likely(&self, sound: u64) -> bool {
        self.different.len() >= WORDS_MIN && self.count * 100 >= sound * SHARE_MIN
    }
}

impl Watch {
    /// Takes a cell as `font` says.
    ///
    /// # Errors
    /// When no font is named and the words so far read as Vietnamese only with one of the old fonts.
    pub fn take(&mut self, font: Option<Font>, text: String, place: &Place) -> Result<String, IntakeError> {
        match font {
            _ if text.is_ascii() => Ok(text),
            Some(Font::Unicode) => Ok(text),
            Some(font) => {
                let shown = font.shown(&text).into_owned();
                self.converted += u64::from(shown != text);
                Ok(shown)
            }
            None => self.look(&text, place).map(|()| text),
        }
    }

    fn look(&mut self, text: &str, place: &Place) -> Result<(), IntakeError> {
        for word in marked_words(text) {
            // Old fonts know no letters beyond Latin-1.
            if word.contains(|c: char| c > '\u{ff}') || self.known.contains(word) {
                self.sound += 1;
            } else if is_syllable(word) {
                self.sound += 1;
                if self.known.len() < KNOWN_MAX {
                    self.known.insert(word.to_owned());
                }
            } else {
                self.tcvn3.take(Font::Tcvn3, word);
                self.vni.take(Font::VniWindows, word);
            }
        }
        let font = match (self.tcvn3.is_likely(self.sound), self.vni.is_likely(self.sound)) {
            (true, false) => Font::Tcvn3,
            (false, true) => Font::VniWindows,
            _ => return Ok(()),
        };
        if self.sound > 2 * WORDS_MIN as u64 {
            return Err(self.mixed(font, place));
        }
        let (quoted, shown) = (crate::header::quoted(text), crate::header::quoted(&font.shown(text)));
        let word = font.word();
        Err(IntakeError::content(
            place.clone(),
            format!(
                "chữ gõ bằng phông cũ: `{quoted}`, có lẽ là `{shown}`; hãy đặt `font = \"{word}\"` (hoặc `\"unicode\"` nếu đúng là như vậy)"
            ),
            format!(
                "typed with an old font: `{quoted}`, probably `{shown}`; set `font = \"{word}\"` (or `\"unicode\"` if it is meant so)"
            ),
        ))
    }

    fn mixed(&self, font: Font, place: &Place) -> IntakeError {
        let word = font.word();
        IntakeError::content(
            place.clone(),
            format!(
                "chữ Unicode lẫn với chữ gõ bằng phông cũ ({word}); hãy chuyển các ô đó sang Unicode, hoặc đặt `font = \"unicode\"` để giữ nguyên"
            ),
            format!(
                "Unicode mixed with text of an old font ({word}); turn those cells into Unicode, or set `font = \"unicode\"` to keep them"
            ),
        )
    }

    /// What was changed.
    pub fn remark(&self, font: Option<Font>) -> Option<Remark> {
        let font = font.filter(|_| self.converted > 0)?;
        let (n, word) = (self.converted, font.word());
        Some(Remark::new(
            "text-converted",
            format!("{n} ô gõ bằng phông cũ ({word}) đã chuyển sang Unicode"),
            format!("{n} cells typed with an old font ({word}) were turned into Unicode"),
        ))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    pub(crate) const LETTERS: &str =
        "aàảãáạăằẳẵắặâầẩẫấậbcdđeèẻẽéẹêềểễếệghiìỉĩíịklmnoòỏõóọôồổỗốộơờởỡớợpqrstuùủũúụưừửữứựvxyỳỷỹýỵ";

    /// The codes that show a letter: one, or a letter and its mark. The other way round, for tests.
    fn codes(font: Font, letter: char) -> Option<String> {
        if letter.is_ascii() {
            return Some(letter.to_string());
        }
        if font == Font::Tcvn3 {
            let i = TCVN3.iter().position(|shown| *shown == letter)?;
            return char::from_u32(0xA1 + i as u32).map(String::from);
        }
        let small = lower(letter);
        let bases = "aeouyôö".chars().map(String::from);
        let singles = VNI_SINGLE.iter().map(|(code, _)| code.to_string());
        let doubles =
            bases.flat_map(|base| VNI_MARKS.iter().map(move |(mark, _, _)| format!("{base}{mark}")));
        let found = singles.chain(doubles).find(|codes| font.shown(codes) == small.to_string())?;
        Some(if letter == small { found } else { found.to_uppercase() })
    }

    /// Text as an old font holds it.
    pub(crate) fn typed(font: Font, text: &str) -> String {
        text.nfc().map(|c| codes(font, c).unwrap_or_else(|| c.to_string())).collect()
    }

    #[test]
    fn every_vietnamese_letter_goes_through_both_fonts_and_back() {
        for small in LETTERS.chars() {
            let large = small.to_uppercase().next().unwrap();
            for (font, letter) in [(Font::Tcvn3, small), (Font::VniWindows, small), (Font::VniWindows, large)]
            {
                let codes = codes(font, letter).unwrap_or_else(|| panic!("{font:?} has no {letter}"));
                assert!(codes.chars().all(|c| u32::from(c) < 0x100), "{font:?} {letter} {codes}");
                assert_eq!(font.shown(&codes), letter.to_string(), "{font:?} {codes}");
            }
        }
        for large in "ĂÂÊÔƠƯĐ".chars() {
            assert_eq!(Font::Tcvn3.shown(&codes(Font::Tcvn3, large).unwrap()), large.to_string());
        }
    }

    #[test]
    fn known_lines_of_both_fonts_are_read() {
        assert_eq!(
            Font::Tcvn3.shown("Céng hoµ x· héi chñ nghÜa ViÖt Nam"),
            "Cộng hoà xã hội chủ nghĩa Việt Nam"
        );
        assert_eq!(
            Font::VniWindows.shown("Coäng hoøa xaõ hoäi chuû nghóa Vieät Nam"),
            "Cộng hòa xã hội chủ nghĩa Việt Nam"
        );
        assert_eq!(Font::VniWindows.shown("ÑAÏI HOÏC QUOÁC GIA HAØ NOÄI"), "ĐẠI HỌC QUỐC GIA HÀ NỘI");
    }

    #[test]
    fn text_of_an_old_font_is_refused_until_the_description_names_it() {
        let cells = ["Hµ Néi", "Phêng NghÜa §«", "d©n sè"];
        let mut watch = Watch::default();
        let told = cells.map(|cell| watch.take(None, cell.into(), &Place::row(2)));
        let said = told.into_iter().find_map(Result::err).unwrap().to_string();
        assert!(said.contains("font = \"tcvn3\""), "{said}");
        let mut watch = Watch::default();
        let read = cells.map(|cell| watch.take(Some(Font::Tcvn3), cell.into(), &Place::row(2)).unwrap());
        assert_eq!(read, ["Hà Nội", "Phờng Nghĩa Đô", "dân số"]);
        assert_eq!(watch.remark(Some(Font::Tcvn3)).unwrap().code, "text-converted");
        // Slips of typing that happen to read well in an old font are not enough against much sound text.
        let mut watch = Watch::default();
        for cell in
            ["Nước sạch ở phường này rất tốt và đường phố đẹp ".repeat(9).as_str(), "môt tôt côt sôt hôp"]
        {
            assert_eq!(watch.take(None, cell.into(), &Place::row(2)).unwrap(), cell);
        }
        let mixed = [
            "Nước sạch ở phường này rất tốt và đường phố đẹp và đủ để uống suốt mùa này nữa",
            "Hµ Néi",
            "NghÜa §«",
            "d©n sè",
        ];
        let mut watch = Watch::default();
        let told = mixed.map(|cell| watch.take(None, cell.into(), &Place::row(2)));
        assert!(told.into_iter().find_map(Result::err).unwrap().to_string().contains("mixed"));
        let mut watch = Watch::default();
        for cell in ["Phường Nghĩa Đô", "Café Đắk Lắk", "Très bien, señor Müller, à côté déjà vu"]
        {
            assert_eq!(watch.take(None, cell.into(), &Place::row(2)).unwrap(), cell);
        }
    }

    fn letters() -> impl Strategy<Value = String> {
        prop::string::string_regex(&format!("[{LETTERS} ,.;0-9]{{0,40}}")).unwrap()
    }

    proptest! {
        #[test]
        fn vietnamese_text_comes_back_from_both_fonts(text in letters()) {
            for font in [Font::Tcvn3, Font::VniWindows] {
                let codes = typed(font, &text);
                prop_assert_eq!(font.shown(&codes).into_owned(), text.clone());
            }
        }
    }
}
