//! One column of the contract: where its text comes from and how it becomes a value of its kind.

use std::collections::HashSet;
use std::path::Path;

use catalog::{Column, ColumnKind};

use super::code::{CodeList, Match};
use super::day::Clock;
use super::file::{ColumnMapping, Mapping, Unknown, Words, refused};
use super::number::{self, Style};
use super::text::{fold_case, listed, quoted, tidy};
use super::unit::{self, Conversion};
use crate::quality::Fit;
use crate::{Cell, IntakeError, Said};

/// Where a column's text comes from.
#[derive(Debug)]
pub(super) enum From {
    /// Positions in the source's row, and what stands between their texts.
    Cells(Vec<usize>, String),
    /// The same in every row.
    Constant(String),
    /// Nowhere: always missing.
    Nowhere,
}

/// What became of a row's texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A value of the column's kind.
    Some(String),
    /// No value.
    Missing,
    /// A text that the code list does not have; what it became, if anything.
    Unknown(String, Option<String>),
}

#[derive(Debug)]
enum Cast {
    Text,
    Number(Style, Option<Conversion>, bool),
    Boolean(HashSet<String>, HashSet<String>),
    Date(Clock),
    Timestamp(Clock),
}

/// A column, ready to make values.
#[derive(Debug)]
pub(super) struct Converter {
    pub(super) name: String,
    pub(super) from: From,
    pub(super) fit: Fit,
    missing: HashSet<String>,
    cast: Cast,
    codes: Option<(CodeList, Unknown)>,
}

impl Converter {
    /// Of a column of the contract, for a source with these columns.
    pub(super) fn new(
        mapping: &Mapping,
        column: &Column,
        source: &[String],
        base: &Path,
    ) -> Result<Self, IntakeError> {
        let default = ColumnMapping::default();
        let own = mapping.columns.get(&column.name);
        let from = from(own, column, source)?;
        let own = own.unwrap_or(&default);
        let missing = own.missing.as_ref().or(mapping.missing.as_ref());
        let missing =
            missing.map_or(HashSet::from([String::new()]), |words| words.iter().map(|w| tidy(w)).collect());
        let codes = match &own.codes {
            Some(name) => {
                let list = CodeList::read(base, name, own.within.as_deref())?;
                Some((list, own.unknown.unwrap_or_default()))
            }
            None => None,
        };
        let converter = Self {
            name: column.name.clone(),
            from,
            fit: Fit::new(column)?,
            missing,
            cast: cast(mapping, own, column)?,
            codes,
        };
        if let From::Constant(text) = &converter.from {
            let made = converter
                .value(Some(tidy(text)))
                .map_err(|said| refused(&column.name, &said.vi, &said.en))?;
            let cell = match made {
                Value::Some(text) | Value::Unknown(_, Some(text)) => Some(text),
                _ => None,
            };
            if let Some(said) = converter.fit.problem(&cell) {
                return Err(refused(&column.name, &said.vi, &said.en));
            }
        }
        if matches!(converter.from, From::Nowhere) && converter.fit.required {
            return Err(refused(
                &column.name,
                &format!(
                    "cột bắt buộc nhưng nguồn không có cột tên này; đặt `from` là một trong {}",
                    listed(source.iter().map(String::as_str))
                ),
                &format!(
                    "it is required and the source has no column of its name; set `from` to one of {}",
                    listed(source.iter().map(String::as_str))
                ),
            ));
        }
        Ok(converter)
    }

    /// The text as the source has it, tidied; `None` if there is none.
    pub(super) fn text(&self, row: &[Cell]) -> Option<String> {
        match &self.from {
            From::Nowhere => None,
            From::Constant(text) => Some(tidy(text)),
            From::Cells(at, between) => {
                let mut parts = at.iter().filter_map(|at| row.get(*at).and_then(Option::as_deref)).map(tidy);
                if at.len() == 1 {
                    return parts.next();
                }
                let parts: Vec<String> = parts.filter(|part| !self.missing.contains(part)).collect();
                (!parts.is_empty()).then(|| parts.join(between))
            }
        }
    }

    /// What a text becomes.
    pub(super) fn value(&self, text: Option<String>) -> Result<Value, Said> {
        if let Cast::Boolean(yes, no) = &self.cast {
            // Before what is missing: `no = [""]` makes blank cells false.
            let word = fold_case(text.as_deref().unwrap_or_default());
            if let Some(truth) =
                yes.contains(&word).then_some("true").or(no.contains(&word).then_some("false"))
            {
                return Ok(Value::Some(truth.to_owned()));
            }
        }
        let Some(text) = text.filter(|text| !self.missing.contains(text)) else { return Ok(Value::Missing) };
        let Some((list, unknown)) = &self.codes else { return self.cast(&text).map(Value::Some) };
        match (list.find(&text), unknown) {
            (Match::Code(code), _) => self.cast(code).map(Value::Some),
            (Match::Ambiguous(said), _) => Err(said),
            (Match::Unknown, Unknown::Keep) => {
                let kept = self.cast(&text)?;
                Ok(Value::Unknown(text, Some(kept)))
            }
            (Match::Unknown, Unknown::Missing) => Ok(Value::Unknown(text, None)),
            (Match::Unknown, Unknown::Refuse) => Err(Said::new(
                format!(
                    "{} không có trong danh mục mã; thêm vào danh mục, hoặc đặt `unknown = \"keep\"` hay `\"missing\"`",
                    quoted(&text)
                ),
                format!(
                    "{} is not in the code list; add it there, or set `unknown = \"keep\"` or `\"missing\"`",
                    quoted(&text)
                ),
            )),
        }
    }

    fn cast(&self, text: &str) -> Result<String, Said> {
        match &self.cast {
            Cast::Text => Ok(text.to_owned()),
            Cast::Number(style, None, true) => number::integer(text, *style),
            Cast::Number(style, None, false) => number::number(text, *style),
            Cast::Number(style, Some(conversion), whole) => {
                let value = conversion.apply(&number::decimal(&number::number(text, *style)?)?);
                if *whole {
                    return number::whole(&value, text);
                }
                // Exponents, where there are such, as the engine reads them.
                Ok(value.to_plain_string())
            }
            Cast::Boolean(..) => Err(Said::new(
                format!(
                    "{} không phải đúng/sai; đặt các từ trong `yes` và `no`, ví dụ `yes = [\"có\", \"x\"]`",
                    quoted(text)
                ),
                format!(
                    "{} is neither true nor false; set the words in `yes` and `no`, such as `yes = [\"có\", \"x\"]`",
                    quoted(text)
                ),
            )),
            Cast::Date(clock) => clock.date(text),
            Cast::Timestamp(clock) => clock.timestamp(text),
        }
    }
}

fn from(own: Option<&ColumnMapping>, column: &Column, source: &[String]) -> Result<From, IntakeError> {
    let place = |name: &str| place(name, source).ok_or_else(|| no_column(&column.name, name, source));
    let Some(own) = own else {
        return Ok(self::place(&column.name, source)
            .map_or(From::Nowhere, |at| From::Cells(vec![at], String::new())));
    };
    if let Some(text) = &own.constant {
        return Ok(From::Constant(text.clone()));
    }
    if !own.join.is_empty() {
        let at = own.join.iter().map(|name| place(name)).collect::<Result<_, _>>()?;
        return Ok(From::Cells(at, own.with.clone().unwrap_or(" ".to_owned())));
    }
    let name = own.from.as_ref().unwrap_or(&column.name);
    Ok(From::Cells(vec![place(name)?], String::new()))
}

/// As it is written, else but for blanks around it and composition.
fn place(name: &str, source: &[String]) -> Option<usize> {
    let exact = source.iter().position(|column| column == name);
    exact.or_else(|| source.iter().position(|column| tidy(column) == tidy(name)))
}

fn no_column(column: &str, name: &str, source: &[String]) -> IntakeError {
    let there = listed(source.iter().map(String::as_str));
    refused(
        column,
        &format!("nguồn không có cột {}; các cột của nguồn: {there}", quoted(name)),
        &format!("the source has no column {}; it has {there}", quoted(name)),
    )
}

fn cast(mapping: &Mapping, own: &ColumnMapping, column: &Column) -> Result<Cast, IntakeError> {
    let wrong = |said: Said| refused(&column.name, &said.vi, &said.en);
    let whole = column.kind == ColumnKind::Integer;
    only_for(own, column)?;
    Ok(match column.kind {
        ColumnKind::String => Cast::Text,
        ColumnKind::Integer | ColumnKind::Number => {
            // A column that says one sign says both: half of another style would make a third one.
            let (decimal, thousands) = if own.decimal.is_some() || own.thousands.is_some() {
                (&own.decimal, &own.thousands)
            } else {
                (&mapping.decimal, &mapping.thousands)
            };
            let style = Style::new(decimal.as_deref(), thousands.as_deref()).map_err(wrong)?;
            Cast::Number(style, conversion(own, column)?, whole)
        }
        ColumnKind::Boolean => {
            let words = |own: &Option<Words>, all: &Option<Words>, default: &str| -> HashSet<String> {
                let said = own.as_ref().or(all.as_ref()).map_or(&[][..], Words::list);
                said.iter().map(String::as_str).chain([default]).map(fold_case).collect()
            };
            let (yes, no) = (words(&own.yes, &mapping.yes, "true"), words(&own.no, &mapping.no, "false"));
            if let Some(both) = yes.intersection(&no).next() {
                let said = Said::new(
                    format!("{} có trong cả `yes` và `no`", quoted(both)),
                    format!("{} stands in both `yes` and `no`", quoted(both)),
                );
                return Err(wrong(said));
            }
            Cast::Boolean(yes, no)
        }
        ColumnKind::Date | ColumnKind::Timestamp => {
            let forms = own.date.as_ref().or(mapping.date.as_ref()).map_or(&[][..], Words::list);
            let zone = own.zone.as_ref();
            let from = zone.and_then(|zone| zone.from.as_deref());
            let to = zone.map(|zone| zone.to.as_str());
            let clock = Clock::new(forms, from, to, own.cut_time).map_err(wrong)?;
            if column.kind == ColumnKind::Date { Cast::Date(clock) } else { Cast::Timestamp(clock) }
        }
    })
}

/// What is said of a column that its kind has no use for is a slip of the pen.
fn only_for(own: &ColumnMapping, column: &Column) -> Result<(), IntakeError> {
    use ColumnKind::{Boolean, Date, Integer, Number, Timestamp};
    let uses: [(&str, bool, &[ColumnKind]); 8] = [
        ("decimal", own.decimal.is_some(), &[Integer, Number]),
        ("thousands", own.thousands.is_some(), &[Integer, Number]),
        ("unit", own.unit.is_some(), &[Integer, Number]),
        ("yes", own.yes.is_some(), &[Boolean]),
        ("no", own.no.is_some(), &[Boolean]),
        ("date", own.date.is_some(), &[Date, Timestamp]),
        ("zone", own.zone.is_some(), &[Date, Timestamp]),
        ("cut_time", own.cut_time, &[Date]),
    ];
    match uses.iter().find(|(_, said, kinds)| *said && !kinds.contains(&column.kind)) {
        Some((key, ..)) => Err(refused(
            &column.name,
            &format!("`{key}` không dùng được cho kiểu của cột này; hãy bỏ đi, hoặc sửa kiểu trong hợp đồng"),
            &format!(
                "`{key}` means nothing for a column of this kind; take it out, or correct the kind in the contract"
            ),
        )),
        None => Ok(()),
    }
}

fn conversion(own: &ColumnMapping, column: &Column) -> Result<Option<Conversion>, IntakeError> {
    let Some(change) = &own.unit else { return Ok(None) };
    let promised = column.promises.unit.as_deref();
    let to = match (change.to.as_deref(), promised) {
        (Some(to), Some(promised)) if !unit::same(to, promised) => {
            let (to, promised) = (quoted(to), quoted(promised));
            return Err(refused(
                &column.name,
                &format!("`unit.to` là {to} mà hợp đồng ghi {promised}; hãy sửa cho khớp"),
                &format!("`unit.to` is {to} and the contract says {promised}; make them the same"),
            ));
        }
        (Some(to), _) | (None, Some(to)) => to,
        (None, None) => {
            return Err(refused(
                &column.name,
                "hợp đồng không ghi đơn vị; đặt `unit.to`, hoặc ghi `unit` trong hợp đồng",
                "the contract says no unit; set `unit.to`, or write `unit` in the contract",
            ));
        }
    };
    Conversion::new(&change.from, to).map(Some).map_err(|said| refused(&column.name, &said.vi, &said.en))
}
