//! Guesses from a column's name whether it is about people. Only ever a first mark for a person to look at: a name that
//! tells nothing proves nothing.

use crate::Personal;
use crate::fold::words;

/// Phrases of folded words that stand for basic personal data.
const BASIC: &[&str] = &[
    "cccd",
    "cmnd",
    "cmt",
    "so dinh danh",
    "ma dinh danh ca nhan",
    "citizen id",
    "national id",
    "passport",
    "ho chieu",
    "ho ten",
    "ho va ten",
    "hoten",
    "full name",
    "first name",
    "last name",
    "ngay sinh",
    "nam sinh",
    "birth date",
    "date of birth",
    "birthday",
    "dob",
    "dien thoai",
    "sdt",
    "so dien thoai",
    "phone",
    "mobile",
    "email",
    "dia chi",
    "home address",
    "so tai khoan",
    "account number",
    "gplx",
    "bien so",
    "plate number",
    "bhyt",
    "so the bhyt",
];

/// Phrases that stand for sensitive personal data.
const SENSITIVE: &[&str] = &[
    "benh nhan",
    "ma benh nhan",
    "patient",
    "patient id",
    "chan doan",
    "diagnosis",
    "benh an",
    "ho so benh an",
    "icd",
    "icd10",
    "hiv",
    "ton giao",
    "religion",
    "dan toc",
    "ethnicity",
    "van tay",
    "fingerprint",
    "biometric",
    "gen",
    "genome",
    "xu huong tinh duc",
    "tien an",
    "tien su",
];

/// What a column of this name probably holds.
#[must_use]
pub fn looks_personal(column: &str) -> Personal {
    let spaced: String = column.chars().map(|c| if c == '_' { ' ' } else { c }).collect();
    let name: Vec<String> = words(&spaced).into_iter().map(|w| w.folded).collect();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| holds(&name, phrase));
    match () {
        () if says(SENSITIVE) => Personal::Sensitive,
        () if says(BASIC) => Personal::Basic,
        () => Personal::None,
    }
}

/// Whether the words of the phrase stand next to each other in the name.
fn holds(name: &[String], phrase: &str) -> bool {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    name.windows(phrase.len()).any(|window| window == phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_guessed_in_both_languages() {
        for name in ["CCCD", "Họ và tên", "ho_ten", "so_dien_thoai_1", "Email", "date-of-birth", "Địa chỉ"]
        {
            assert_eq!(looks_personal(name), Personal::Basic, "{name}");
        }
        for name in ["ma_benh_nhan", "Chẩn đoán", "patient_id", "Dân tộc"] {
            assert_eq!(looks_personal(name), Personal::Sensitive, "{name}");
        }
        for name in ["Wind Speed", "ten_tram", "population", "provinceid", "phone2x", "emails", ""] {
            assert_eq!(looks_personal(name), Personal::None, "{name}");
        }
    }
}
