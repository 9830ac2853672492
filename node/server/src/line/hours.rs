//! Hours for big transfers: what is larger than so much waits for a time of the day, in the time zone of this machine. Pure,
//! but for the machine's zone.
//!
//! **What it is not.** It holds up nothing by itself: [`crate::flow::fetch`] asks before each chunk.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Largest size that can be set, MB: beyond it nothing is big.
pub const MB_MAX: u64 = 1_000_000;
/// Bytes of a MB here.
const MB: u64 = 1_000_000;

/// A time of the day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(NaiveTime);

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = (text.len() == 5).then(|| NaiveTime::parse_from_str(text, "%H:%M").ok()).flatten();
        read.map(Self).ok_or_else(|| format!("`{text}` is no time of the day; write 20:00 or 06:30"))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%H:%M"))
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// When transfers of so much and more may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Big {
    /// From how many MB (1,000,000 bytes) on a transfer is big.
    pub mb: u64,
    /// When the hours begin.
    pub from: TimeOfDay,
    /// When they end; before `from` where they go over midnight.
    pub to: TimeOfDay,
}

impl Big {
    /// Whether this can be meant; the error is one line.
    ///
    /// # Errors
    /// A text with what to write instead.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=MB_MAX).contains(&self.mb) {
            return Err(format!("{} MB for big transfers; write 1 to {MB_MAX}", self.mb));
        }
        if self.from == self.to {
            return Err(format!("hours from {} to {} are none or all; write two times", self.from, self.to));
        }
        Ok(())
    }

    /// From how many bytes on a transfer is big.
    pub fn bytes(&self) -> u64 {
        self.mb.saturating_mul(MB)
    }

    /// When the hours begin next, Unix seconds; none while they last.
    pub fn opens<Z: TimeZone>(&self, zone: &Z, now: i64) -> Option<i64> {
        let local = DateTime::from_timestamp(now, 0)?.with_timezone(zone).naive_local();
        let (time, from, to) = (local.time(), self.from.0, self.to.0);
        let inside = if from < to { from <= time && time < to } else { from <= time || time < to };
        if inside {
            return None;
        }
        let days = Days::new(u64::from(time >= from));
        let begin = local.date().checked_add_days(days)?.and_time(from);
        // An hour that summer time leaves out begins when it would have ended.
        let zoned = zone.from_local_datetime(&begin).earliest();
        let zoned = zoned.or_else(|| zone.from_local_datetime(&(begin + TimeDelta::hours(1))).earliest());
        zoned.map(|begin| begin.timestamp())
    }
}

/// A moment as people here read it, with the zone of this machine.
pub fn local(unix: i64) -> String {
    let moment = DateTime::from_timestamp(unix, 0).map(|utc| utc.with_timezone(&chrono::Local));
    moment.map_or_else(|| "-".to_owned(), |local| local.format("%H:%M %d/%m/%Y (%:z)").to_string())
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    fn big(from: &str, to: &str) -> Big {
        Big { mb: 50, from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    /// How many minutes after this time of a day in Ha Noi the hours begin.
    fn minutes(big: Big, time: &str) -> Option<i64> {
        let zone = FixedOffset::east_opt(7 * 3_600).unwrap();
        let now = DateTime::parse_from_rfc3339(&format!("2026-11-23T{time}:00+07:00")).unwrap().timestamp();
        big.opens(&zone, now).map(|opens| (opens - now) / 60)
    }

    #[test]
    fn hours_over_midnight_are_in_the_zone_of_the_machine() {
        let night = big("20:00", "06:00");
        for open in ["20:00", "23:59", "00:00", "05:59"] {
            assert_eq!(minutes(night, open), None, "{open}");
        }
        assert_eq!(minutes(night, "06:00"), Some(14 * 60));
        assert_eq!(minutes(night, "19:59"), Some(1));
    }

    #[test]
    fn hours_of_one_day_begin_tomorrow_when_they_are_over() {
        let noon = big("11:30", "13:00");
        assert_eq!((minutes(noon, "11:30"), minutes(noon, "12:59")), (None, None));
        assert_eq!(minutes(noon, "11:00"), Some(30));
        assert_eq!(minutes(noon, "13:00"), Some(22 * 60 + 30));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_what_can_goes_there_and_back() {
        for bad in ["24:00", "7:00", "20h", "", "20:60", "20:00:00", "+1:00"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
        assert!(big("20:00", "20:00").check().is_err());
        for mb in [0, MB_MAX + 1] {
            assert!(Big { mb, ..big("20:00", "06:00") }.check().is_err());
        }
        let text = r#"{"mb":50,"from":"20:00","to":"06:00"}"#;
        let read: Big = serde_json::from_str(text).unwrap();
        assert_eq!((read.check(), serde_json::to_string(&read).unwrap().as_str()), (Ok(()), text));
        assert!(serde_json::from_str::<Big>(r#"{"mb":50,"from":"20:00"}"#).is_err());
    }
}
