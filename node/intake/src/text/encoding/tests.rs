use super::*;
use crate::font::tests::typed;

const LINE: &str = "Tên xã;Dân số\nPhường Nghĩa Đô;10\nxã Ngọc Hồi;20\nthị trấn Đông Anh;30\n";

fn input(bytes: &[u8]) -> Input {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    std::fs::write(&path, bytes).unwrap();
    Input::at(dir.path(), &path).unwrap()
}

fn old(encoding: Encoding, text: &str) -> Vec<u8> {
    let font = if encoding == Encoding::Tcvn3 { Font::Tcvn3 } else { Font::VniWindows };
    typed(font, text).chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// Windows-1258 writes circumflex, breve and horn with the letter, tones after it.
fn windows_1258(text: &str) -> Vec<u8> {
    use unicode_normalization::UnicodeNormalization as _;
    let mut out = Vec::new();
    for c in text.nfc() {
        let whole = c.to_string();
        let apart: Vec<char> = whole.nfd().collect();
        let tone = apart.iter().copied().find(|c| "\u{300}\u{301}\u{303}\u{309}\u{323}".contains(*c));
        let bare: String = apart.into_iter().filter(|c| Some(*c) != tone).nfc().collect();
        for part in bare.chars().chain(tone) {
            out.extend_from_slice(&encoding_rs::WINDOWS_1258.encode(&part.to_string()).0);
        }
    }
    out
}

#[test]
fn the_old_encodings_are_told_by_what_the_text_says() {
    let written = [
        (Encoding::Tcvn3, old(Encoding::Tcvn3, LINE)),
        (Encoding::VniWindows, old(Encoding::VniWindows, LINE)),
        (Encoding::Windows1258, windows_1258(LINE)),
    ];
    for (encoding, bytes) in written {
        assert_eq!(found(&input(&bytes)).unwrap(), encoding);
        assert_eq!(encoding.text(&bytes).unwrap(), LINE);
    }
}

#[test]
fn unicode_is_told_by_its_mark_or_by_being_sound() {
    let wide = |unit: fn(u16) -> [u8; 2]| LINE.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let little = [b"\xFF\xFE".to_vec(), wide(u16::to_le_bytes)].concat();
    let big = [b"\xFE\xFF".to_vec(), wide(u16::to_be_bytes)].concat();
    let marked = [b"\xEF\xBB\xBF", LINE.as_bytes()].concat();
    let written = [
        (Encoding::Utf16Le, little),
        (Encoding::Utf16Be, big),
        (Encoding::Utf8, marked),
        (Encoding::Utf8, LINE.into()),
    ];
    for (encoding, file) in written {
        let input = input(&file);
        assert_eq!(found(&input).unwrap(), encoding);
        let mut text = String::new();
        bytes(&input, encoding).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, LINE);
    }
    let bare = found(&input(&wide(u16::to_le_bytes))).unwrap_err().to_string();
    assert!(bare.contains("utf-16le"), "{bare}");
}

#[test]
fn what_cannot_be_told_is_refused_with_the_readings_to_choose_from() {
    let few = old(Encoding::Tcvn3, "Tên;x\nHà;1\n");
    let said = found(&input(&few)).unwrap_err().to_string();
    assert!(said.contains("`tcvn3`: Tên Hà"), "{said}");
    let french = encoding_rs::WINDOWS_1252
        .encode("prénom;âge\nÉlodie;3\nHélène;4\nZoë;5\nFrançois;6\n")
        .0
        .into_owned();
    assert!(found(&input(&french)).is_err());
    assert!(found(&input(b"\x7fELF\x02\x01\x01\x00\x00")).is_err());
}

#[test]
fn utf_8_with_a_broken_place_is_no_old_encoding() {
    let mut broken = LINE.repeat(20_000).into_bytes();
    let at = broken.len() - 40;
    broken.insert(at, 0xE1);
    let said = found(&input(&broken)).unwrap_err().to_string();
    assert!(said.contains("UTF-8") && said.contains("row 7999") || said.contains("row 80000"), "{said}");
}

#[test]
fn halves_of_a_utf_16_pair_are_refused() {
    let mut text = String::new();
    let lone = input(b"\xFF\xFEa\x00\x00\xD8b\x00");
    assert!(bytes(&lone, Encoding::Utf16Le).unwrap().read_to_string(&mut text).is_err());
}
