//! Mapping: the columns of a source become those of a data contract.
//!
//! **What it is.** A steward writes [`Mapping`] (`mapping.toml`): for each column of the contract where its text comes from
//! (a source column, several joined, a constant) and how it is written there (decimal sign, form of days, words for yes
//! and no, unit, code list). [`Mapping::standardise`] gives [`Rows`] whose cells fit the contract's columns, and a
//! [`Report`] of what was done.
//!
//! **What it is not.** No language: nothing is computed but units, and no row depends on another. It guesses nothing:
//! `1.234` without a decimal sign said, `01/02/2024` without a form said and a name that two places have are refused with
//! what to set.
//!
//! Text is composed (NFC) and cut of blanks around it, always. ISO days and times are always read, beside the forms said.

mod code;
mod convert;
mod day;
mod file;
mod form;
mod number;
mod report;
mod stream;
mod text;
mod unit;

pub use file::{ColumnMapping, Mapping, OnError, UnitChange, Unknown, Words, ZoneChange};
pub use report::{ColumnReport, Report, UnknownCode};
pub use stream::Standardised;
pub(crate) use text::{listed, quoted};

/// Whether a text is a day or a time in ISO 8601 without an offset.
pub(crate) fn is_iso(text: &str) -> bool {
    !text.ends_with('Z')
        && !text.get(10..).is_some_and(|time| time.contains(['+', '-']))
        && day::iso(text).is_some()
}

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;
