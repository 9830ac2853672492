//! Words for addresses, folded words, times as text.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::limits;

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one segment of a path or one value of a query.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Lower-case letters without Vietnamese marks: "Giao thông" becomes "giao thong". Text that is decomposed (NFD) comes to the
/// same, since its marks are dropped.
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).filter_map(plain).collect()
}

/// The letter under the marks; nothing for a mark that stands alone.
fn plain(c: char) -> Option<char> {
    Some(match c {
        '\u{300}'..='\u{36f}' => return None,
        'à' | 'á' | 'ạ' | 'ả' | 'ã' | 'â' | 'ầ' | 'ấ' | 'ậ' | 'ẩ' | 'ẫ' | 'ă' | 'ằ' | 'ắ' | 'ặ' | 'ẳ'
        | 'ẵ' => 'a',
        'è' | 'é' | 'ẹ' | 'ẻ' | 'ẽ' | 'ê' | 'ề' | 'ế' | 'ệ' | 'ể' | 'ễ' => 'e',
        'ì' | 'í' | 'ị' | 'ỉ' | 'ĩ' => 'i',
        'ò' | 'ó' | 'ọ' | 'ỏ' | 'õ' | 'ô' | 'ồ' | 'ố' | 'ộ' | 'ổ' | 'ỗ' | 'ơ' | 'ờ' | 'ớ' | 'ợ' | 'ở'
        | 'ỡ' => 'o',
        'ù' | 'ú' | 'ụ' | 'ủ' | 'ũ' | 'ư' | 'ừ' | 'ứ' | 'ự' | 'ử' | 'ữ' => 'u',
        'ỳ' | 'ý' | 'ỵ' | 'ỷ' | 'ỹ' => 'y',
        'đ' => 'd',
        other => other,
    })
}

/// A word for addresses and for CKAN's names: `[a-z0-9-]`, at least two characters (CKAN takes no shorter names).
pub fn slug(text: &str) -> String {
    let mut word = String::new();
    for c in fold(text).chars() {
        match c {
            'a'..='z' | '0'..='9' => word.push(c),
            _ if word.is_empty() || word.ends_with('-') => {}
            _ => word.push('-'),
        }
        if word.len() == limits::SLUG_BYTES_MAX {
            break;
        }
    }
    let word = word.trim_end_matches('-');
    if word.len() < 2 { format!("x-{word}") } else { word.to_owned() }
}

/// A dataset's keywords as portals take them, sorted, each once: 2 to 100 characters, letters, digits, spaces and `-_.`; other
/// characters become spaces. CKAN refuses a whole dataset for one keyword that is not so.
pub(crate) fn keywords(dataset: &crate::model::Dataset) -> Vec<String> {
    let clean = |word: &String| {
        let plain: String =
            word.chars().map(|c| if c.is_alphanumeric() || "-_. ".contains(c) { c } else { ' ' }).collect();
        let dense = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        dense.chars().take(limits::KEYWORD_CHARS_MAX).collect::<String>().trim_end().to_owned()
    };
    let mut words: Vec<String> =
        dataset.keywords.iter().map(clean).filter(|word| word.chars().count() >= 2).collect();
    words.sort();
    words.dedup();
    words
}

/// A time as RFC 3339 in UTC; the beginning of 1970 where there is no such day.
pub(crate) fn rfc3339(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// The same as CKAN writes it: without a zone. Without a fraction, too: CKAN keeps a whole second so, and its harvester compares
/// the two as texts, to which `09.000000` is later than `09` and every dataset changed.
pub(crate) fn ckan_time(seconds: i64) -> String {
    rfc3339(seconds).trim_end_matches('Z').to_owned()
}

/// The day.
pub(crate) fn day(seconds: i64) -> String {
    rfc3339(seconds).chars().take(10).collect()
}

/// The first so many characters, with a sign where something is left out.
pub(crate) fn shortened(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Reads a time: RFC 3339, the same without a zone (then UTC), or a day.
pub fn read_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.replacen(' ', "T", 1),
    };
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
    parse(&whole).or_else(|| parse(&format!("{whole}Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_addresses_are_plain() {
        assert_eq!(slug("urn:agency:vn:h26.18"), "urn-agency-vn-h26-18");
        assert_eq!(slug("Giao thông – Đường bộ"), "giao-thong-duong-bo");
        assert_eq!(slug("Y"), "x-y");
        assert_eq!(slug("—"), "x-");
        assert_eq!(fold("Đa\u{323}i hoc"), "dai hoc");
    }

    #[test]
    fn times_are_read_as_harvesters_write_them() {
        for text in ["2025-10-01T00:00:00Z", "2025-10-01T00:00:00", "2025-10-01", "2025-10-01T07:00:00+07:00"]
        {
            assert_eq!(read_time(text), Some(1_759_276_800), "{text}");
        }
        assert_eq!(read_time("2025-10-01T00:00:00.123456"), Some(1_759_276_800));
        assert_eq!(read_time("yesterday"), None);
        assert_eq!(rfc3339(1_759_276_800), "2025-10-01T00:00:00Z");
        assert_eq!(ckan_time(1_759_276_800), "2025-10-01T00:00:00");
    }
}
