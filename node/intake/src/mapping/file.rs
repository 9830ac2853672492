//! `mapping.toml` as it is written. What it means is for [`super::plan`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text::listed;
use crate::IntakeError;
use crate::limits::{COLUMNS_MAX, JOINED_MAX, MAPPING_BYTES_MAX, WORDS_MAX};

/// What becomes of a run when rows do not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Nothing is taken, and the problems are told.
    #[default]
    Refuse,
    /// They are left out and counted, up to `leave_out_max`.
    LeaveOut,
}

/// What becomes of a text that a code list does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// The row does not fit.
    #[default]
    Refuse,
    /// It stays as it is written.
    Keep,
    /// The value is missing.
    Missing,
}

/// One word or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Words {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Words {
    pub(super) fn list(&self) -> &[String] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Many(words) => words,
        }
    }
}

/// From one unit to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitChange {
    /// The unit of the source.
    pub from: String,
    /// The unit of the contract; may be left out where the contract says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// From one clock to another, as offsets from UTC such as `+07:00`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneChange {
    /// The clock of times that carry no offset; left out: `to`'s own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The clock that the column keeps.
    pub to: String,
}

/// A mapping from the columns of a source to those of a contract: `mapping.toml`.
///
/// An empty one takes every column from the source's column of that name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// What becomes of a run when rows do not fit.
    pub on_error: OnError,
    /// With `leave_out`: the greatest share of rows that may be, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave_out_max: Option<f64>,
    /// Texts that stand for no value. Blank cells are missing unless this list is written without `""`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// The decimal sign of numbers: `.` or `,`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<String>,
    /// What stands between thousands: `.`, `,`, a blank or `'`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thousands: Option<String>,
    /// Forms of days and times, such as `dd/mm/yyyy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<Words>,
    /// Words for true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yes: Option<Words>,
    /// Words for false; `""` makes blank cells false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no: Option<Words>,
    /// What each column of the contract is made of. One that is not here is taken from the source's column of its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnMapping>,
}

/// What a column of the contract is made of. Forms said here go before those of the whole mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnMapping {
    /// The source's column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Several of the source's columns, one text behind the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<String>,
    /// What stands between joined texts; left out: a blank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// The same text in every row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constant: Option<String>,
    /// Texts that stand for no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// The decimal sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<String>,
    /// What stands between thousands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thousands: Option<String>,
    /// Forms of days and times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<Words>,
    /// From one clock to another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneChange>,
    /// Whether the time of day is dropped where the column holds days.
    pub cut_time: bool,
    /// Words for true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yes: Option<Words>,
    /// Words for false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no: Option<Words>,
    /// From one unit to another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitChange>,
    /// A code list: the name of a CSV file beside the mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codes: Option<String>,
    /// Only the codes that lie in this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// What becomes of a text that the code list does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Unknown>,
}

impl Mapping {
    /// Reads `mapping.toml`.
    ///
    /// # Errors
    /// [`IntakeError::Mapping`] with line and column of what is wrong.
    pub fn parse(text: &str) -> Result<Self, IntakeError> {
        if text.len() > MAPPING_BYTES_MAX {
            return Err(IntakeError::mapping(
                format!("tệp ánh xạ lớn hơn {MAPPING_BYTES_MAX} byte; hãy rút gọn"),
                format!("the mapping is larger than {MAPPING_BYTES_MAX} bytes; shorten it"),
            ));
        }
        let mapping: Self = toml::from_str(text).map_err(|e| {
            IntakeError::mapping(
                format!("tệp ánh xạ không đọc được: {e}"),
                format!("the mapping cannot be read: {e}"),
            )
        })?;
        mapping.check()?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), IntakeError> {
        let share = self.leave_out_max;
        match (self.on_error, share) {
            (OnError::LeaveOut, None) => {
                return Err(IntakeError::mapping(
                    "`on_error = \"leave_out\"` cần `leave_out_max`, tỷ lệ dòng được bỏ nhiều nhất, ví dụ 0.01",
                    "`on_error = \"leave_out\"` needs `leave_out_max`, the greatest share of rows left out, such as 0.01",
                ));
            }
            (_, Some(share)) if !(0.0..=1.0).contains(&share) => {
                return Err(IntakeError::mapping(
                    format!("`leave_out_max` là {share}; hãy viết một số từ 0 đến 1"),
                    format!("`leave_out_max` is {share}; write a number from 0 to 1"),
                ));
            }
            _ => {}
        }
        let words = |words: &Option<Words>| words.as_ref().map_or(0, |words| words.list().len());
        let lists = |missing: &Option<Vec<String>>| missing.as_ref().map_or(0, Vec::len);
        let longest = self
            .columns
            .values()
            .flat_map(|c| [lists(&c.missing), words(&c.date), words(&c.yes), words(&c.no)]);
        let whole = [lists(&self.missing), words(&self.date), words(&self.yes), words(&self.no)];
        let joined = self.columns.values().map(|c| c.join.len()).max().unwrap_or(0);
        if self.columns.len() > COLUMNS_MAX
            || joined > JOINED_MAX
            || longest.chain(whole).any(|count| count > WORDS_MAX)
        {
            return Err(IntakeError::mapping(
                format!(
                    "quá nhiều mục: nhiều nhất {COLUMNS_MAX} cột, {JOINED_MAX} cột ghép, {WORDS_MAX} từ mỗi danh sách"
                ),
                format!(
                    "too many entries: at most {COLUMNS_MAX} columns, {JOINED_MAX} joined, {WORDS_MAX} words a list"
                ),
            ));
        }
        for (name, column) in &self.columns {
            column.check(name)?;
        }
        Ok(())
    }
}

impl ColumnMapping {
    fn check(&self, name: &str) -> Result<(), IntakeError> {
        let from = [self.from.is_some(), !self.join.is_empty(), self.constant.is_some()];
        if from.iter().filter(|said| **said).count() > 1 {
            return Err(refused(
                name,
                "chỉ ghi một trong `from`, `join`, `constant`",
                "say one of `from`, `join` and `constant`",
            ));
        }
        if self.codes.is_none() && (self.within.is_some() || self.unknown.is_some()) {
            return Err(refused(
                name,
                "`within` và `unknown` cần `codes`",
                "`within` and `unknown` need `codes`",
            ));
        }
        if self.with.is_some() && self.join.is_empty() {
            return Err(refused(name, "`with` cần `join`", "`with` needs `join`"));
        }
        Ok(())
    }
}

/// What is wrong with the mapping of a column.
pub(super) fn refused(name: &str, vi: &str, en: &str) -> IntakeError {
    let name = listed([name]);
    IntakeError::mapping(format!("ánh xạ của cột {name}: {vi}"), format!("mapping of column {name}: {en}"))
}
