//! Whether a cell is as its column's contract says: there if required, of its kind, within bounds, one of its codes.

use std::collections::HashSet;

use catalog::{Column, ColumnKind};
use regex::{Regex, RegexBuilder};
use serde_json::Number;

use crate::mapping::{is_iso, listed, quoted};
use crate::{Cell, IntakeError, Said};

/// A regular expression that takes more memory than this is refused, bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// What a column's cells are held against.
#[derive(Debug)]
pub(crate) struct Fit {
    kind: ColumnKind,
    pub(crate) required: bool,
    codes: HashSet<String>,
    /// The codes as a message lists them: sorting ten thousand for each wrong cell would take longer than reading it.
    codes_listed: String,
    minimum: Option<f64>,
    maximum: Option<f64>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    pattern: Option<Regex>,
}

impl Fit {
    pub(crate) fn new(column: &Column) -> Result<Self, IntakeError> {
        let promises = &column.promises;
        let bound = |number: &Option<Number>| number.as_ref().and_then(Number::as_f64);
        Ok(Self {
            kind: column.kind,
            // A key without a value is none.
            required: !column.nullable || promises.primary_key,
            codes: promises.codes.iter().cloned().collect(),
            codes_listed: listed(promises.codes.iter().map(String::as_str)),
            minimum: bound(&promises.minimum),
            maximum: bound(&promises.maximum),
            min_length: promises.min_length,
            max_length: promises.max_length,
            pattern: promises.pattern.as_deref().map(|text| pattern(&column.name, text)).transpose()?,
        })
    }

    /// What is wrong with a cell, if anything is.
    pub(crate) fn problem(&self, cell: &Cell) -> Option<Said> {
        match cell {
            None if self.required => Some(Said::new(
                "thiếu giá trị bắt buộc; hãy điền ô này, hoặc bỏ `required` trong hợp đồng",
                "a required value is missing; fill the cell, or take `required` out of the contract",
            )),
            None => None,
            Some(text) => self.wrong_kind(text).or_else(|| self.out_of_bounds(text)),
        }
    }

    fn wrong_kind(&self, text: &str) -> Option<Said> {
        let (fits, word) = match self.kind {
            ColumnKind::String => return None,
            ColumnKind::Integer => (text.parse::<i64>().is_ok(), "integer"),
            ColumnKind::Number => (text.parse::<f64>().is_ok_and(f64::is_finite), "number"),
            ColumnKind::Boolean => (matches!(text, "true" | "false"), "boolean"),
            ColumnKind::Date => (text.len() == 10 && is_iso(text), "date"),
            ColumnKind::Timestamp => (text.len() > 10 && is_iso(text), "timestamp"),
        };
        (!fits).then(|| {
            Said::new(
                format!("{} không đúng kiểu `{word}`; hãy sửa ô này", quoted(text)),
                format!("{} is no `{word}`; correct the cell", quoted(text)),
            )
        })
    }

    fn out_of_bounds(&self, text: &str) -> Option<Said> {
        if !self.codes.is_empty() && !self.codes.contains(text) {
            let known = &self.codes_listed;
            return Some(Said::new(
                format!("{} không có trong danh mục của hợp đồng: {known}", quoted(text)),
                format!("{} is not one of the contract's codes: {known}", quoted(text)),
            ));
        }
        if let Some(number) =
            text.parse::<f64>().ok().filter(|_| self.minimum.is_some() || self.maximum.is_some())
            && (self.minimum.is_some_and(|low| number < low)
                || self.maximum.is_some_and(|high| number > high))
        {
            let show = |bound: Option<f64>| bound.map_or("…".to_owned(), |bound| bound.to_string());
            let (low, high) = (show(self.minimum), show(self.maximum));
            return Some(Said::new(
                format!("{} nằm ngoài khoảng {low} đến {high}", quoted(text)),
                format!("{} is not between {low} and {high}", quoted(text)),
            ));
        }
        if self.min_length.is_some() || self.max_length.is_some() {
            let length = text.chars().count() as u64;
            if self.min_length.is_some_and(|low| length < low)
                || self.max_length.is_some_and(|high| length > high)
            {
                return Some(Said::new(
                    format!("{} có {length} ký tự, không đúng độ dài của hợp đồng", quoted(text)),
                    format!("{} has {length} characters, not as many as the contract says", quoted(text)),
                ));
            }
        }
        self.pattern.as_ref().filter(|pattern| !pattern.is_match(text)).map(|pattern| {
            Said::new(
                format!("{} không khớp mẫu {}", quoted(text), quoted(pattern.as_str())),
                format!("{} does not match the pattern {}", quoted(text), quoted(pattern.as_str())),
            )
        })
    }
}

/// A pattern of a contract. It takes time in proportion to the text whatever it says; look-around and back references,
/// which could not, are refused.
pub(super) fn pattern(column: &str, text: &str) -> Result<Regex, IntakeError> {
    RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build().map_err(|_| {
        IntakeError::mapping(
            format!("cột {}: không dùng được mẫu {}; hãy viết đơn giản hơn, không nhìn trước/sau và không tham chiếu ngược", quoted(column), quoted(text)),
            format!("column {}: the pattern {} cannot be used; write a simpler one, without look-around and back references", quoted(column), quoted(text)),
        )
    })
}
