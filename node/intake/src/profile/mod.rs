//! Profile: what rows look like and how good they are, for the catalog and the console.
//!
//! **What it is.** [`Surveyed`] lets rows of a contract's columns through and looks at each once: counts, different values,
//! least and greatest, a histogram of numbers, the most frequent values, and the contract's rules ([`crate::quality`]).
//! [`Profile`] is small (at most a few kilobytes a column) and goes to disk as JSON.
//!
//! **What it is not.** It shows no rows. Of a column that the contract does not say to be free of personal data nothing
//! leaves but counts: neither values nor lengths nor a histogram. Small numbers in a profile of other columns are not
//! hidden: who may see a profile is for the rules, as with the data.
//!
//! Memory is bounded whatever the rows: up to 10,000 hashes and 1,000 frequent values a column, less in tables of more than
//! a hundred columns, and 32 bins.

mod column;
mod distinct;
mod histogram;
mod score;

use std::path::Path;

use catalog::DatasetRecord;
use serde::Serialize;
use time::format_description::well_known::{Iso8601, iso8601};
use time::{Date, PrimitiveDateTime, UtcOffset};

pub use column::{ColumnProfile, Shape, TopValue};
pub use histogram::Bin;
pub use score::{Freshness, Score};

use column::Look;

use crate::quality::{Checks, QualityReport};
use crate::{Cell, IntakeError, Place, Remark, Rows};

/// What rows look like and how good they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Rows.
    pub rows: u64,
    /// When it was made, Unix seconds.
    pub made: i64,
    /// The columns of the contract, in its order.
    pub columns: Vec<ColumnProfile>,
    /// How good the rows are; `None`: there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// How old they are; `None`: the contract says no service level, or nothing tells their age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
}

/// When a survey ends: what it needs to tell how old the rows are.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Now, Unix seconds.
    pub now: i64,
    /// When the source last changed, Unix seconds, where it says so.
    pub changed: Option<i64>,
    /// By which clock times without an offset go, seconds east of UTC (25,200 for Vietnam).
    pub offset_s: i32,
}

/// Rows that are looked at on their way.
pub struct Surveyed {
    rows: Box<dyn Rows>,
    record: DatasetRecord,
    checks: Checks,
    looks: Vec<Look>,
    /// The column that the latency is of, and its greatest text.
    newest: Option<(usize, Option<String>)>,
}

impl Surveyed {
    /// Looks at rows of exactly the columns of this contract. Scratch files go to the folder `scratch`.
    ///
    /// # Errors
    /// [`IntakeError::Mapping`] when the columns are others, or a rule cannot be measured.
    pub fn new(rows: Box<dyn Rows>, record: &DatasetRecord, scratch: &Path) -> Result<Self, IntakeError> {
        if !rows.columns().iter().eq(record.columns.iter().map(|column| &column.name)) {
            return Err(IntakeError::mapping(
                "các cột không phải là các cột của hợp đồng; hãy chuẩn hoá trước bằng tệp ánh xạ",
                "the columns are not those of the contract; standardise them with a mapping first",
            ));
        }
        let newest = record.latency.as_ref();
        let newest = newest.and_then(|latency| record.columns.iter().position(|c| c.name == latency.column));
        Ok(Self {
            rows,
            checks: Checks::new(record, scratch)?,
            looks: record.columns.iter().map(|column| Look::new(record, column)).collect(),
            newest: newest.map(|at| (at, None)),
            record: record.clone(),
        })
    }

    /// What was found, after the last row.
    ///
    /// # Errors
    /// [`IntakeError::Unreachable`] when the scratch files cannot be read.
    pub fn finish(self, clock: Clock) -> Result<(Profile, QualityReport), IntakeError> {
        let quality = self.checks.finish()?;
        let columns =
            self.looks.into_iter().zip(&quality.invalid).map(|(look, invalid)| look.finish(*invalid));
        let newest = self.newest.and_then(|(_, newest)| unix(&newest?, clock.offset_s));
        let freshness = match (&self.record.latency, newest, self.record.frequency, clock.changed) {
            (Some(latency), Some(newest), ..) => Some(Freshness::new(clock.now, newest, latency.within)),
            (_, _, Some(frequency), Some(changed)) => Some(Freshness::new(clock.now, changed, frequency)),
            _ => None,
        };
        let profile = Profile {
            rows: quality.rows,
            made: clock.now,
            columns: columns.collect(),
            score: score::score(&self.record, &quality, freshness),
            freshness,
        };
        Ok((profile, quality))
    }
}

impl Rows for Surveyed {
    fn columns(&self) -> &[String] {
        self.rows.columns()
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        let Some(place) = self.rows.next(row)? else { return Ok(None) };
        self.checks.row(&place, row)?;
        for (look, cell) in self.looks.iter_mut().zip(row.iter()) {
            look.cell(cell);
        }
        if let Some((at, newest)) = &mut self.newest
            && let Some(Some(text)) = row.get(*at)
            && newest.as_ref().is_none_or(|newest| newest < text)
        {
            *newest = Some(text.clone());
        }
        Ok(Some(place))
    }

    fn remarks(&self) -> Vec<Remark> {
        self.rows.remarks()
    }
}

/// A day (its end: the data of a day is not late before it is over) or a time, in Unix seconds.
fn unix(text: &str, offset_s: i32) -> Option<i64> {
    const FORM: iso8601::EncodedConfig = iso8601::Config::DEFAULT.encode();
    let offset = UtcOffset::from_whole_seconds(offset_s).ok()?;
    let local = match Date::parse(text, &Iso8601::<FORM>) {
        Ok(day) if text.len() == 10 => PrimitiveDateTime::new(day.next_day()?, time::Time::MIDNIGHT),
        _ => PrimitiveDateTime::parse(text, &Iso8601::<FORM>).ok()?,
    };
    Some(local.assume_offset(offset).unix_timestamp())
}

#[cfg(test)]
mod tests;
