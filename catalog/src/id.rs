//! The local name of a dataset. A name that exists is well formed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::CatalogError;

/// Longest name, in bytes: it is part of addresses, file names and ledger entries.
const BYTES_MAX: usize = 64;

/// A dataset's name within its agency: `[a-z0-9][a-z0-9-]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatasetId(String);

impl DatasetId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name made from free text such as a file name or a title: marks folded, the rest turned into single dashes.
    /// `None` if nothing is left.
    #[must_use]
    pub fn suggest(text: &str) -> Option<DatasetId> {
        let mut name = String::new();
        for c in crate::fold(text).chars() {
            match c {
                'a'..='z' | '0'..='9' => name.push(c),
                _ if name.ends_with('-') || name.is_empty() => {}
                _ => name.push('-'),
            }
            if name.len() == BYTES_MAX {
                break;
            }
        }
        DatasetId::from_str(name.trim_end_matches('-')).ok()
    }
}

impl FromStr for DatasetId {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self, CatalogError> {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let ok = text.len() <= BYTES_MAX
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|b| word(b) || b == b'-');
        if ok {
            Ok(DatasetId(text.to_owned()))
        } else {
            Err(CatalogError::BadId { input: text.chars().take(BYTES_MAX + 1).collect() })
        }
    }
}

impl TryFrom<String> for DatasetId {
    type Error = CatalogError;

    fn try_from(text: String) -> Result<Self, CatalogError> {
        text.parse()
    }
}

impl From<DatasetId> for String {
    fn from(id: DatasetId) -> String {
        id.0
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_strict() {
        for good in ["a", "0", "air-hourly", "a-", &"x".repeat(64)] {
            assert_eq!(good.parse::<DatasetId>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "A", "a_b", "a b", "đ", "a/b", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<DatasetId>().is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<DatasetId>("\"../etc\"").is_err());
        assert_eq!(serde_json::to_string(&"a-1".parse::<DatasetId>().unwrap()).unwrap(), "\"a-1\"");
    }

    #[test]
    fn a_name_is_suggested_from_any_text() {
        let suggest = |text| DatasetId::suggest(text).map(String::from);
        assert_eq!(suggest("Lưu lượng Giao thông (2025)").as_deref(), Some("luu-luong-giao-thong-2025"));
        assert_eq!(suggest("__Đường__").as_deref(), Some("duong"));
        assert_eq!(suggest("—"), None);
        assert_eq!(suggest(&"a b".repeat(60)).map(|s| s.len()), Some(64));
    }
}
