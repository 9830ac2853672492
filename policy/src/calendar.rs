//! Working days: weekends, public holidays by year, and weekend days worked in exchange.
//!
//! The days come from a pack's `holidays.toml`, each year with its source and mark. A day that is not decided yet is
//! counted as a working day: a deadline then falls too early, never too late. What it is not: it does not work out the
//! lunar calendar, and for a year that the file does not have it gives an error instead of a guess.
//!
//! Begin with [`Calendar::add_working_days`] or, for Unix seconds, [`Calendar::deadline`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset, Weekday};

use crate::limits::{CALENDAR_DAYS_MAX, CALENDAR_YEARS_MAX, WORKING_DAYS_MAX};
use crate::text::{Citation, SourceMark, Text};

/// Why a date cannot be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// No list of public holidays for a year that the count touches.
    #[error(
        "holidays.toml has no year {0}: add the year's public holidays with their source before counting into it"
    )]
    YearMissing(i32),
    /// More days than a deadline can have.
    #[error("{0} working days are more than {WORKING_DAYS_MAX}: no deadline of the law is that long")]
    TooMany(u32),
    /// Outside the years that dates can have.
    #[error("this time is outside the years 0000 to 9999")]
    OutOfRange,
    /// The file does not say what it must.
    #[error("{0}")]
    Malformed(String),
}

/// Working days of a country, for the years that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    offset: UtcOffset,
    years: BTreeMap<i32, Year>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Year {
    source: Citation,
    /// Date to whether it is worked: `false` for a holiday, `true` for a weekend day worked in exchange.
    days: BTreeMap<Date, bool>,
    undecided: Vec<(Date, Text)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    year: Vec<FileYear>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileYear {
    year: i32,
    mark: SourceMark,
    source: Text,
    off: Vec<FileDay>,
    #[serde(default)]
    worked: Vec<FileDay>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDay {
    date: String,
    vi: String,
    en: String,
    #[serde(default = "yes")]
    decided: bool,
}

fn yes() -> bool {
    true
}

/// What is known of a year, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownYear {
    /// The year.
    pub year: i32,
    /// Where its days are from, with the mark of how far that was checked.
    pub source: Citation,
    /// Days off, weekends not counted.
    pub off: usize,
    /// Days that are not decided and so counted as working days.
    pub undecided: Vec<Undecided>,
}

/// A day that may become a day off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undecided {
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// What it is for.
    pub text: Text,
}

impl Calendar {
    /// Reads `holidays.toml`; days begin at midnight of `offset_minutes` east of UTC.
    ///
    /// # Errors
    /// [`CalendarError::Malformed`] with what is wrong: a year or day twice, a day of another year, a holiday on a
    /// weekend, a worked day that is no weekend, a date that does not exist, more than the limits.
    pub fn parse(text: &str, offset_minutes: i32) -> Result<Self, CalendarError> {
        let file: File =
            toml::from_str(text).map_err(|e| CalendarError::Malformed(e.to_string().trim().to_owned()))?;
        let offset = UtcOffset::from_whole_seconds(offset_minutes.saturating_mul(60)).map_err(|_| {
            CalendarError::Malformed(format!("{offset_minutes} minutes are no offset from UTC"))
        })?;
        if file.year.len() > CALENDAR_YEARS_MAX {
            return Err(CalendarError::Malformed(format!("more than {CALENDAR_YEARS_MAX} years")));
        }
        let mut years = BTreeMap::new();
        for year in file.year {
            let number = year.year;
            if years.insert(number, Year::read(year)?).is_some() {
                return Err(CalendarError::Malformed(format!("the year {number} stands twice: keep one")));
            }
        }
        Ok(Self { offset, years })
    }

    /// Whether agencies work on this day.
    ///
    /// # Errors
    /// [`CalendarError::YearMissing`].
    pub fn is_working(&self, date: Date) -> Result<bool, CalendarError> {
        let year = self.years.get(&date.year()).ok_or(CalendarError::YearMissing(date.year()))?;
        Ok(year.days.get(&date).copied().unwrap_or_else(|| !is_weekend(date)))
    }

    /// The `days`-th working day after `date`; the day itself is not counted, and 0 gives it back unchanged.
    ///
    /// # Errors
    /// [`CalendarError::YearMissing`] when the count touches a year that is not known; [`CalendarError::TooMany`].
    pub fn add_working_days(&self, date: Date, days: u32) -> Result<Date, CalendarError> {
        if days > WORKING_DAYS_MAX {
            return Err(CalendarError::TooMany(days));
        }
        let (mut at, mut left) = (date, days);
        while left > 0 {
            at = at.next_day().ok_or(CalendarError::OutOfRange)?;
            if self.is_working(at)? {
                left -= 1;
            }
        }
        Ok(at)
    }

    /// The Unix second at which a deadline of `days` working days has passed for what came in at `received` (Unix
    /// seconds): midnight after the last day, in the country's own time.
    ///
    /// # Errors
    /// As [`Self::add_working_days`].
    pub fn deadline(&self, received: i64, days: u32) -> Result<i64, CalendarError> {
        let at = OffsetDateTime::from_unix_timestamp(received).map_err(|_| CalendarError::OutOfRange)?;
        let day = at.checked_to_offset(self.offset).ok_or(CalendarError::OutOfRange)?.date();
        let last = self.add_working_days(day, days)?;
        let end = last.next_day().ok_or(CalendarError::OutOfRange)?;
        Ok(PrimitiveDateTime::new(end, Time::MIDNIGHT).assume_offset(self.offset).unix_timestamp())
    }

    /// The years that are known, with their sources.
    #[must_use]
    pub fn years(&self) -> Vec<KnownYear> {
        let known = self.years.iter().map(|(year, known)| KnownYear {
            year: *year,
            source: known.source.clone(),
            off: known.days.values().filter(|worked| !**worked).count(),
            undecided: known
                .undecided
                .iter()
                .map(|(date, text)| Undecided { date: date.to_string(), text: text.clone() })
                .collect(),
        });
        known.collect()
    }
}

impl Year {
    fn read(file: FileYear) -> Result<Self, CalendarError> {
        if file.off.len() + file.worked.len() > CALENDAR_DAYS_MAX {
            return Err(CalendarError::Malformed(format!(
                "the year {} has more than {CALENDAR_DAYS_MAX} days of its own",
                file.year
            )));
        }
        let source = Citation::new(file.source, file.mark);
        let mut year = Self { source, days: BTreeMap::new(), undecided: Vec::new() };
        let off = file.off.into_iter().map(|day| (day, false));
        for (day, worked) in off.chain(file.worked.into_iter().map(|day| (day, true))) {
            let date = date(&day.date, file.year)?;
            let wrong = |why: &str| CalendarError::Malformed(format!("{}: {why}", day.date));
            let words = Text::new(day.vi.clone(), day.en.clone()).map_err(|e| wrong(&e.to_string()))?;
            if is_weekend(date) != worked {
                return Err(wrong(if worked {
                    "worked in exchange can only be a Saturday or Sunday"
                } else {
                    "a Saturday or Sunday is off anyway: leave it out, and list the weekday given for it"
                }));
            }
            if year.days.contains_key(&date) || year.undecided.iter().any(|(known, _)| *known == date) {
                return Err(wrong("stands twice: keep one"));
            }
            if day.decided {
                year.days.insert(date, worked);
            } else {
                year.undecided.push((date, words));
            }
        }
        Ok(year)
    }
}

fn date(text: &str, year: i32) -> Result<Date, CalendarError> {
    let shown = crate::ids::shown(text);
    let date = Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| CalendarError::Malformed(format!("`{shown}` is no date: write it as {year}-12-31")))?;
    if date.year() == year {
        return Ok(date);
    }
    Err(CalendarError::Malformed(format!("`{shown}` is not in the year {year} that it stands under")))
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    const HOLIDAYS: &str = include_str!("../packs/vn/holidays.toml");

    fn vn() -> Calendar {
        Calendar::parse(HOLIDAYS, 420).unwrap()
    }

    #[test]
    fn two_working_days_pass_over_a_weekend() {
        let calendar = vn();
        assert_eq!(calendar.add_working_days(date!(2026 - 11 - 19), 2), Ok(date!(2026 - 11 - 23)));
        assert_eq!(calendar.add_working_days(date!(2026 - 11 - 20), 2), Ok(date!(2026 - 11 - 24)));
        // What comes in on a Saturday is counted from the Monday on.
        assert_eq!(calendar.add_working_days(date!(2026 - 11 - 21), 2), Ok(date!(2026 - 11 - 24)));
        assert_eq!(calendar.add_working_days(date!(2026 - 11 - 21), 0), Ok(date!(2026 - 11 - 21)));
    }

    #[test]
    fn two_working_days_pass_over_the_lunar_new_year() {
        let calendar = vn();
        // Friday before nine days off: Monday the 23rd is the first working day.
        assert_eq!(calendar.add_working_days(date!(2026 - 02 - 13), 2), Ok(date!(2026 - 02 - 24)));
        assert_eq!(calendar.add_working_days(date!(2026 - 02 - 17), 1), Ok(date!(2026 - 02 - 23)));
        assert_eq!(calendar.add_working_days(date!(2025 - 01 - 24), 2), Ok(date!(2025 - 02 - 04)));
    }

    #[test]
    fn a_saturday_worked_in_exchange_counts_and_the_day_given_for_it_does_not() {
        let calendar = vn();
        assert!(calendar.is_working(date!(2026 - 08 - 22)).unwrap());
        assert!(!calendar.is_working(date!(2026 - 08 - 31)).unwrap());
        assert_eq!(calendar.add_working_days(date!(2026 - 08 - 20), 2), Ok(date!(2026 - 08 - 22)));
        assert_eq!(calendar.add_working_days(date!(2026 - 08 - 28), 1), Ok(date!(2026 - 09 - 03)));
    }

    #[test]
    fn a_day_that_is_not_decided_counts_as_a_working_day_and_is_listed() {
        let calendar = vn();
        assert!(calendar.is_working(date!(2026 - 11 - 24)).unwrap());
        let years = calendar.years();
        let year = years.iter().find(|year| year.year == 2026).unwrap();
        assert_eq!(year.undecided.len(), 1);
        assert_eq!(year.undecided[0].date, "2026-11-24");
    }

    #[test]
    fn a_year_without_holidays_is_an_error_that_says_so() {
        let calendar = vn();
        let error = calendar.add_working_days(date!(2027 - 12 - 30), 2).unwrap_err();
        assert_eq!(error, CalendarError::YearMissing(2028));
        assert!(error.to_string().contains("no year 2028"), "{error}");
        assert_eq!(calendar.is_working(date!(2024 - 06 - 03)), Err(CalendarError::YearMissing(2024)));
        assert_eq!(
            calendar.add_working_days(date!(2026 - 01 - 05), 1_000_000),
            Err(CalendarError::TooMany(1_000_000))
        );
    }

    #[test]
    fn a_deadline_ends_at_midnight_of_the_countrys_own_time() {
        let calendar = vn();
        // 23:30 in Hanoi on Thursday the 19th is still the 19th there.
        let received = datetime!(2026-11-19 16:30 UTC).unix_timestamp();
        let ends = datetime!(2026-11-24 00:00 +7).unix_timestamp();
        assert_eq!(calendar.deadline(received, 2), Ok(ends));
        // Half an hour later it is the 20th.
        let next = datetime!(2026-11-25 00:00 +7).unix_timestamp();
        assert_eq!(calendar.deadline(received + 3_600, 2), Ok(next));
        assert_eq!(calendar.deadline(i64::MAX, 2), Err(CalendarError::OutOfRange));
    }

    #[test]
    fn every_year_of_the_pack_has_its_days_and_no_mark_is_above_what_was_seen() {
        for year in vn().years() {
            assert!((2025..=2027).contains(&year.year));
            // Eleven days by law; some fall on weekends with another day given for them, some are not decided.
            assert!(year.off + year.undecided.len() >= 11, "{}: {}", year.year, year.off);
            assert_eq!(year.source.mark(), SourceMark::Memory);
        }
        assert_eq!(vn().years().len(), 3);
    }

    #[test]
    fn a_malformed_list_is_refused_by_name() {
        let head = "[[year]]\nyear = 2026\nmark = \"M\"\nsource = { vi = \"x\", en = \"y\" }\n";
        let day = |date: &str| format!("{{ date = \"{date}\", vi = \"x\", en = \"y\" }}");
        let off = |days: &str| format!("{head}off = [{days}]\n");
        for (text, why) in [
            (off(&day("2026-02-30")), "is no date"),
            (off(&day("2027-01-01")), "not in the year 2026"),
            (off(&day("2026-01-03")), "off anyway"),
            (off(&format!("{}, {}", day("2026-01-01"), day("2026-01-01"))), "stands twice"),
            (format!("{}worked = [{}]\n", off(""), day("2026-01-05")), "only be a Saturday"),
            (format!("{}{}", off(""), off("")), "the year 2026 stands twice"),
            (off("").replace("off = []", "off = []\nfoo = 1"), "unknown field"),
            (off("{ date = \"2026-01-01\", vi = \" \", en = \"y\" }"), "blank"),
            (off("").replace("\"M\"", "\"Q\""), "unknown variant"),
        ] {
            let error = Calendar::parse(&text, 420).unwrap_err().to_string();
            assert!(error.contains(why), "{why}: {error}");
        }
        assert!(Calendar::parse(HOLIDAYS, 100_000).is_err());
    }
}
