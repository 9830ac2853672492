//! Time as rules see it: whole minutes, UTC, written `YYYY-MM-DDThh:mmZ`.
//!
//! casbin compares this text as a string, so the width is fixed and the years are 0000 to 9999: then the order of the
//! texts is the order of the times. (casbin's own integers are 32 bits and end in 2038.)

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// A minute, UTC, in the years 0000 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(i64);

/// The text is not a time of the fixed form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time: write it as 2026-11-20T08:00Z (UTC, 17 characters)")]
pub struct MinuteError(String);

impl Minute {
    /// 0000-01-01T00:00Z, the first that can be written.
    pub const FIRST: Self = Self(-1_036_120_320);
    /// 9999-12-31T23:59Z, the last that can be written.
    pub const LAST: Self = Self(4_223_371_679);

    /// The minute that holds this Unix second; `None` outside the years 0000 to 9999.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let year = OffsetDateTime::from_unix_timestamp(seconds).ok()?.year();
        (0..=9999).contains(&year).then_some(Self(seconds.div_euclid(60)))
    }

    /// First Unix second of the minute.
    #[must_use]
    pub fn unix(self) -> i64 {
        self.0 * 60
    }

    /// Reads exactly `YYYY-MM-DDThh:mmZ`.
    ///
    /// # Errors
    /// [`MinuteError`] for any other form and for days or hours that do not exist.
    pub fn parse(text: &str) -> Result<Self, MinuteError> {
        Self::read(text).ok_or_else(|| MinuteError(crate::ids::shown(text)))
    }

    fn read(text: &str) -> Option<Self> {
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b'Z')];
        let bytes = text.as_bytes();
        if bytes.len() != 17 || marks.iter().any(|(at, mark)| bytes.get(*at) != Some(mark)) {
            return None;
        }
        let number = |from: usize, to: usize| -> Option<u16> {
            let digits = text.get(from..to)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let small = |from, to| number(from, to).and_then(|n| u8::try_from(n).ok());
        let month = Month::try_from(small(5, 7)?).ok()?;
        let date = Date::from_calendar_date(i32::from(number(0, 4)?), month, small(8, 10)?).ok()?;
        let time = Time::from_hms(small(11, 13)?, small(14, 16)?, 0).ok()?;
        Self::from_unix(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
    }

    /// True for the year 9999, the rules' word for "no end".
    #[must_use]
    pub fn is_open_ended(self) -> bool {
        self.to_string().starts_with("9999")
    }
}

impl std::fmt::Display for Minute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp(self.unix()).map_err(|_| std::fmt::Error)?;
        let year = u16::try_from(at.year()).map_err(|_| std::fmt::Error)?;
        let (month, day, hour, minute) = (u8::from(at.month()), at.day(), at.hour(), at.minute());
        // Digit by digit: this is written for every rule that casbin is given, and padding by a format is slow.
        let digit = |number: u16| char::from(b'0' + (number % 10) as u8);
        let two = |number: u8| [digit(u16::from(number) / 10), digit(u16::from(number))];
        let mut text = [0_u8; 17];
        let [y1, y2, y3, y4] = [1000, 100, 10, 1].map(|unit| digit(year / unit));
        let ([m1, m2], [d1, d2], [h1, h2], [n1, n2]) = (two(month), two(day), two(hour), two(minute));
        let all = [y1, y2, y3, y4, '-', m1, m2, '-', d1, d2, 'T', h1, h2, ':', n1, n2, 'Z'];
        text.iter_mut().zip(all).for_each(|(byte, letter)| *byte = letter as u8);
        f.write_str(std::str::from_utf8(&text).map_err(|_| std::fmt::Error)?)
    }
}

impl serde::Serialize for Minute {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Minute {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fixed_form_is_a_time() {
        assert_eq!(Minute::parse("2026-11-20T08:00Z").unwrap().unix(), 1_795_161_600);
        for bad in [
            "2026-6-1",
            "2026-11-20",
            "2026-11-20T08:00:00Z",
            "2026-11-20T08:00+",
            "2026-11-20t08:00Z",
            "2026-02-30T00:00Z",
            "2026-13-01T00:00Z",
            "2026-01-01T24:00Z",
            "+026-01-01T00:00Z",
            "1795161600",
            "2026-11-20T08:0éZ",
            "",
        ] {
            assert!(Minute::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_and_number_go_together_past_2038() {
        for text in ["0000-01-01T00:00Z", "1969-12-31T23:59Z", "2038-01-19T03:15Z", "9999-12-31T23:59Z"] {
            assert_eq!(Minute::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Minute::FIRST.to_string(), "0000-01-01T00:00Z");
        assert_eq!(Minute::LAST.to_string(), "9999-12-31T23:59Z");
        assert!(Minute::from_unix(253_402_300_800).is_none(), "the year 10000 would sort before the year 2");
        assert!(Minute::from_unix(i64::MAX).is_none());
        assert_eq!(Minute::from_unix(59), Minute::from_unix(0));
        assert_ne!(Minute::from_unix(-1), Minute::from_unix(0));
    }
}
