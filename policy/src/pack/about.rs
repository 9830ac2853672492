//! `pack.toml`: what a pack is, which legal order it is written for, and its thresholds.

use serde::{Deserialize, Serialize};

use crate::invariants::Invariants;
use crate::limits::{NAME_BYTES_MAX, THRESHOLDS_MAX};
use crate::question::{DataClass, Personal};
use crate::text::{Citation, Text};

/// What a pack says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Short name: `vn`, `eu`.
    pub id: String,
    /// Counts up with every change of rules, texts or matrix.
    pub version: u32,
    /// The legal order whose invariants stand before its rules.
    pub invariants: Invariants,
    /// Name for people.
    pub name: Text,
    /// What it covers, and what not.
    pub covers: Text,
    /// Minutes east of UTC at which its days begin; needed with `holidays.toml`.
    #[serde(default)]
    pub utc_offset_minutes: Option<i32>,
    /// From how many persons on data is of a class.
    #[serde(default, rename = "threshold")]
    pub thresholds: Vec<Threshold>,
}

/// Personal data about so many persons is of this class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Basic or sensitive.
    pub personal: Personal,
    /// From this number of persons on.
    pub persons_from: u64,
    /// The class.
    pub data_class: DataClass,
    /// Where that is said.
    pub source: Citation,
}

impl About {
    /// Reads `pack.toml`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let about: Self = toml::from_str(text).map_err(|e| e.to_string().trim().to_owned())?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if about.id.is_empty() || about.id.len() > NAME_BYTES_MAX || !about.id.chars().all(plain) {
            return Err(format!("`{}` is no id of a pack: use a-z, 0-9 and -", crate::ids::shown(&about.id)));
        }
        if about.thresholds.len() > THRESHOLDS_MAX {
            return Err(format!("more than {THRESHOLDS_MAX} thresholds"));
        }
        Ok(about)
    }

    /// The class that so many persons make a dataset, at the least; `Other` where no threshold is reached.
    ///
    /// A dataset that is published with a lower class is misclassified. Sensitive data is held against the thresholds
    /// of basic data as well.
    #[must_use]
    pub fn class_by_count(&self, personal: Personal, persons: u64) -> DataClass {
        let reached = self.thresholds.iter().filter(|threshold| {
            personal != Personal::None && threshold.personal <= personal && persons >= threshold.persons_from
        });
        reached.map(|threshold| threshold.data_class).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vn() -> About {
        About::parse(include_str!("../../packs/vn/pack.toml")).unwrap()
    }

    #[test]
    fn the_number_of_persons_makes_data_important_or_core() {
        let about = vn();
        for (personal, persons, class) in [
            (Personal::None, 9_000_000, DataClass::Other),
            (Personal::Basic, 99_999, DataClass::Other),
            (Personal::Basic, 100_000, DataClass::Important),
            (Personal::Basic, 999_999, DataClass::Important),
            (Personal::Basic, 1_000_000, DataClass::Core),
            (Personal::Sensitive, 9_999, DataClass::Other),
            (Personal::Sensitive, 10_000, DataClass::Important),
            (Personal::Sensitive, 100_000, DataClass::Core),
        ] {
            assert_eq!(about.class_by_count(personal, persons), class, "{personal:?} {persons}");
        }
    }

    #[test]
    fn an_unknown_field_a_bad_id_and_an_unknown_legal_order_are_refused() {
        let text = include_str!("../../packs/vn/pack.toml");
        for (from, to, why) in [
            ("id = \"vn\"", "id = \"../vn\"", "no id of a pack"),
            ("id = \"vn\"", "id = \"vn\"\nfoo = 1", "unknown field"),
            ("invariants = \"vn\"", "invariants = \"none\"", "unknown variant"),
            ("version = 1", "version = -1", "version"),
        ] {
            let error = About::parse(&text.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
    }
}
