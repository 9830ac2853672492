//! A part of a day or time as a column of its own, so that a query can group by month what is kept by the hour.
//!
//! **What it is.** The words for it: which column, which part, which name, and how people write that (`month(luc)`).
//!
//! **What it is not.** No function for any column: it takes a visible column of days or times as it is shown, after its
//! mask, and there are six parts and no others. `engine::period` computes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ColumnKind;

/// Which part of a day or time. Times are taken as they stand in the column; nothing is moved between time zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// `2023`, an integer.
    Year,
    /// `2023-03`, a text: it cannot be mistaken for a day.
    Month,
    /// `2023-03-08`, a date.
    Day,
    /// `2023-03-08T01:00:00`, a timestamp.
    Hour,
    /// 1 to 12, an integer.
    MonthOfYear,
    /// 0 to 23, an integer.
    HourOfDay,
}

impl Period {
    /// Each of them.
    pub const ALL: [Self; 6] =
        [Self::Year, Self::Month, Self::Day, Self::Hour, Self::MonthOfYear, Self::HourOfDay];

    /// How it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::MonthOfYear => "month_of_year",
            Self::HourOfDay => "hour_of_day",
        }
    }

    /// The kind of the column that it makes.
    #[must_use]
    pub fn kind(self) -> ColumnKind {
        match self {
            Self::Year | Self::MonthOfYear | Self::HourOfDay => ColumnKind::Integer,
            Self::Month => ColumnKind::String,
            Self::Day => ColumnKind::Date,
            Self::Hour => ColumnKind::Timestamp,
        }
    }

    /// Whether a column of that kind has such a part.
    #[must_use]
    pub fn fits(self, kind: ColumnKind) -> bool {
        match kind {
            ColumnKind::Timestamp => true,
            ColumnKind::Date => !matches!(self, Self::Hour | Self::HourOfDay),
            _ => false,
        }
    }
}

/// A column that a query makes of the time in another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimePart {
    /// The column of days or times.
    pub column: String,
    /// The part.
    pub by: Period,
    /// Name in the answer; by default part and column as in `month_luc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl TimePart {
    /// The name by which the rest of the query calls it.
    #[must_use]
    pub fn output_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{}_{}", self.by.word(), self.column))
    }

    /// How rules and contracts name it: `month(luc)`, whatever a query calls it.
    #[must_use]
    pub fn written(&self) -> String {
        format!("{}({})", self.by.word(), self.column)
    }
}

impl fmt::Display for TimePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written())?;
        match &self.name {
            Some(name) => write!(f, " as {name}"),
            None => Ok(()),
        }
    }
}

/// A text that is no `PART(COLUMN)`; it may well be the name of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTimePart;

impl FromStr for TimePart {
    type Err = NoTimePart;

    /// Reads `month(luc)` or `month(luc) as thang`. The column's name may hold blanks and parentheses.
    fn from_str(text: &str) -> Result<Self, NoTimePart> {
        let text = text.trim();
        let (call, name) = match text.strip_suffix(')') {
            Some(call) => (call, None),
            None => {
                let at = text.to_ascii_lowercase().rfind(") as ").ok_or(NoTimePart)?;
                let name = text.get(at + 5..).map(str::trim).filter(|n| !n.is_empty()).ok_or(NoTimePart)?;
                (text.get(..at).ok_or(NoTimePart)?, Some(name.to_owned()))
            }
        };
        let (word, column) = call.split_once('(').ok_or(NoTimePart)?;
        let word = word.trim();
        let by = Period::ALL.into_iter().find(|p| p.word().eq_ignore_ascii_case(word)).ok_or(NoTimePart)?;
        let column = column.trim();
        if column.is_empty() {
            return Err(NoTimePart);
        }
        Ok(Self { column: column.to_owned(), by, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_people_write_it() {
        let read = |text: &str| text.parse::<TimePart>().map(|p| (p.by, p.output_name(), p.written()));
        let (part, name, written) = read("month(Local Time) as thang").unwrap();
        assert_eq!((part, name.as_str(), written.as_str()), (Period::Month, "thang", "month(Local Time)"));
        let (part, name, written) = read(" YEAR( luc ) ").unwrap();
        assert_eq!((part, name.as_str(), written.as_str()), (Period::Year, "year_luc", "year(luc)"));
        assert_eq!(read("day(a (b))").unwrap().2, "day(a (b))");
        for bad in ["luc", "month", "month()", "week(luc)", "month(luc) as ", "month(luc", "count(luc)"] {
            assert_eq!(read(bad), Err(NoTimePart), "{bad}");
        }
    }

    #[test]
    fn each_word_is_read_back() {
        for by in Period::ALL {
            let part = TimePart { column: "t".into(), by, name: None };
            assert_eq!(part.written().parse(), Ok(part.clone()));
            assert_eq!(serde_json::to_value(by).unwrap(), by.word());
        }
    }
}
