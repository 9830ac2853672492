//! Days and times as people write them. ISO 8601 is always read; any other form is said.

use time::{Date, Duration, Month, PrimitiveDateTime, Time, UtcOffset};

use super::form::Form;
use super::text::quoted;
use crate::Said;

/// Longest text of a day or time, bytes; ISO 8601 with a fraction and an offset has 35.
pub(super) const BYTES_MAX: usize = 64;

/// What a text says: a day, perhaps a time of day, perhaps how far from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(super) day: Date,
    pub(super) time: Option<Time>,
    pub(super) offset: Option<UtcOffset>,
}

/// How days and times of a column are written, and where its clock stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    forms: Vec<Form>,
    from: Option<UtcOffset>,
    to: Option<UtcOffset>,
    cut_time: bool,
}

impl Clock {
    /// From what a mapping says; offsets such as `+07:00`.
    pub(crate) fn new(
        forms: &[String],
        from: Option<&str>,
        to: Option<&str>,
        cut_time: bool,
    ) -> Result<Self, Said> {
        let forms = forms.iter().map(|form| Form::new(form)).collect::<Result<_, _>>()?;
        let offset = |text: &str| {
            offset(text).ok_or_else(|| {
                Said::new(
                    format!("{} không phải múi giờ; hãy viết như `+07:00`", quoted(text)),
                    format!("{} is no offset from UTC; write for example `+07:00`", quoted(text)),
                )
            })
        };
        let (from, to) = (from.map(offset).transpose()?, to.map(offset).transpose()?);
        if from.is_some() && to.is_none() {
            return Err(Said::new(
                "`zone` có `from` mà thiếu `to`; hãy ghi cả hai",
                "`zone` has `from` but no `to`; write both",
            ));
        }
        Ok(Self { forms, from, to, cut_time })
    }

    /// The day as `2026-11-23`.
    pub(crate) fn date(&self, text: &str) -> Result<String, Said> {
        let moment = self.moment(text)?;
        let (day, time) = self.local(moment, text)?;
        if !self.cut_time && time.is_some_and(|time| time != Time::MIDNIGHT) {
            return Err(Said::new(
                format!("{} có giờ mà cột chỉ giữ ngày; đặt `cut_time = true` để bỏ giờ", quoted(text)),
                format!(
                    "{} has a time of day and the column holds days; set `cut_time = true` to drop it",
                    quoted(text)
                ),
            ));
        }
        Ok(iso_day(day))
    }

    /// The time as `2026-11-23T08:00:00`; a day alone is its midnight.
    pub(crate) fn timestamp(&self, text: &str) -> Result<String, Said> {
        let moment = self.moment(text)?;
        let (day, time) = self.local(moment, text)?;
        Ok(iso_time(day, time.unwrap_or(Time::MIDNIGHT)))
    }

    fn moment(&self, text: &str) -> Result<Moment, Said> {
        let text_ok = Some(text).filter(|text| text.len() <= BYTES_MAX);
        if let Some(moment) = text_ok.and_then(iso) {
            return Ok(moment);
        }
        let mut found = text_ok.iter().flat_map(|text| self.forms.iter().filter_map(|form| form.read(text)));
        let Some(first) = found.next() else { return Err(self.unreadable(text)) };
        if let Some(other) = found.find(|other| *other != first) {
            let (a, b) = (iso_day(first.day), iso_day(other.day));
            return Err(Said::new(
                format!("{} có thể là {a} hoặc {b}; hãy chỉ giữ một dạng trong `date`", quoted(text)),
                format!("{} may be {a} or {b}; keep only one form in `date`", quoted(text)),
            ));
        }
        Ok(first)
    }

    /// By the clock that the column keeps.
    fn local(&self, moment: Moment, text: &str) -> Result<(Date, Option<Time>), Said> {
        let from = moment.offset.or(self.from.filter(|_| moment.time.is_some()));
        match (from, self.to, moment.time) {
            (None, _, time) => Ok((moment.day, time)),
            (Some(from), Some(to), Some(time)) => {
                let shift =
                    Duration::seconds(i64::from(to.whole_seconds()) - i64::from(from.whole_seconds()));
                let local = PrimitiveDateTime::new(moment.day, time).checked_add(shift);
                let local = local.ok_or_else(|| self.unreadable(text))?;
                Ok((local.date(), Some(local.time())))
            }
            _ => Err(Said::new(
                format!(
                    "{} có múi giờ mà không rõ cột giữ giờ nào; đặt `zone = {{ to = \"+07:00\" }}`",
                    quoted(text)
                ),
                format!(
                    "{} has an offset from UTC, and by which clock the column goes is not said; set `zone = {{ to = \"+07:00\" }}`",
                    quoted(text)
                ),
            )),
        }
    }

    fn unreadable(&self, text: &str) -> Said {
        let forms: Vec<&str> = self.forms.iter().map(|form| form.text.as_str()).collect();
        let forms = std::iter::once("yyyy-mm-dd").chain(forms).collect::<Vec<_>>().join("`, `");
        Said::new(
            format!(
                "{} không đúng dạng `{forms}`; sửa ô này, hoặc đặt `date = \"dd/mm/yyyy\"` theo cách ghi của nguồn",
                quoted(text)
            ),
            format!(
                "{} is not in the form `{forms}`; correct the cell, or set `date = \"dd/mm/yyyy\"` as the source writes",
                quoted(text)
            ),
        )
    }
}

fn iso_day(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}

fn iso_time(day: Date, time: Time) -> String {
    let (h, m, s, nanos) = time.as_hms_nano();
    let mut text = format!("{}T{h:02}:{m:02}:{s:02}", iso_day(day));
    if nanos > 0 {
        text.push_str(format!(".{nanos:09}").trim_end_matches('0'));
    }
    text
}

/// Years 1 to 9999.
pub(super) fn day(year: i32, month: u8, day: u8) -> Option<Date> {
    let month = Month::try_from(month).ok()?;
    Date::from_calendar_date(year, month, day).ok().filter(|date| (1..=9999).contains(&date.year()))
}

/// `2026-11-23`, `2026-11-23T08:00`, `2026-11-23 08:00:00.5`, with `Z` or `+07:00` behind a time.
pub(crate) fn iso(text: &str) -> Option<Moment> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let mut part = |len| parts.next().filter(|part| part.len() == len).and_then(digits);
    let (year, month, of_month) = (part(4)?, part(2)?, part(2)?);
    let day = day(i32::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(of_month).ok()?)?;
    if parts.next().is_some() {
        return None;
    }
    if rest.is_empty() {
        return Some(Moment { day, time: None, offset: None });
    }
    let rest = rest.strip_prefix(['T', ' '])?;
    let cut = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(cut)?;
    let offset = if zone.is_empty() { None } else { Some(offset(zone)?) };
    Some(Moment { day, time: Some(time_of_day(clock)?), offset })
}

fn time_of_day(text: &str) -> Option<Time> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (text, None),
    };
    let nanos = match fraction {
        None => 0,
        Some(part) if (1..=9).contains(&part.len()) => {
            digits(part)? * 10u32.pow(9 - u32::try_from(part.len()).ok()?)
        }
        Some(_) => return None,
    };
    let mut fields = clock.split(':');
    let mut field =
        || fields.next().filter(|f| f.len() == 2).and_then(digits).and_then(|n| u8::try_from(n).ok());
    let (hour, minute) = (field()?, field()?);
    let second = if clock.len() > 5 { field()? } else { 0 };
    if fields.next().is_some() || clock.len() < 8 && fraction.is_some() {
        return None;
    }
    Time::from_hms_nano(hour, minute, second, nanos).ok()
}

fn offset(text: &str) -> Option<UtcOffset> {
    if text == "Z" {
        return Some(UtcOffset::UTC);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match (rest.len(), rest.split_at_checked(2)?) {
        (2, (hours, _)) => (hours, "00"),
        (4, (hours, minutes)) => (hours, minutes),
        (5, (hours, minutes)) => (hours, minutes.strip_prefix(':')?),
        _ => return None,
    };
    let (hours, minutes) = (i8::try_from(digits(hours)?).ok()?, i8::try_from(digits(minutes)?).ok()?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

pub(super) fn digits(text: &str) -> Option<u32> {
    let plain = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(forms: &[&str]) -> Clock {
        let forms: Vec<String> = forms.iter().map(|f| (*f).to_owned()).collect();
        Clock::new(&forms, None, None, false).unwrap()
    }

    #[test]
    fn days_are_read_in_the_forms_said_and_in_iso() {
        for (form, text, expected) in [
            ("dd/mm/yyyy", "01/02/2024", "2024-02-01"),
            ("dd/mm/yyyy", "1/2/2024", "2024-02-01"),
            ("mm/dd/yyyy", "01/02/2024", "2024-01-02"),
            ("yyyymmdd", "20240229", "2024-02-29"),
            ("DD-MM-YYYY", "09-11-2026", "2026-11-09"),
            ("ngà\u{300}y", "2024-02-29", ""),
            ("dd.mm.yyyy", "2024-02-29", "2024-02-29"),
            ("dd.mm.yyyy", "2024-02-29 00:00:00", "2024-02-29"),
        ] {
            let Ok(clock) = Clock::new(&[form.to_owned()], None, None, false) else {
                assert_eq!(expected, "", "{form}");
                continue;
            };
            assert_eq!(clock.date(text).as_deref(), Ok(expected), "{form} {text}");
        }
    }

    #[test]
    fn times_are_read_and_minutes_are_told_from_months() {
        let local = clock(&["dd/mm/yyyy hh:mm", "dd/mm/yyyy hh:mm:ss", "yyyymmddThhmm"]);
        for (text, expected) in [
            ("08/03/2023 07:30", "2023-03-08T07:30:00"),
            ("8/3/2023 7:30:05", "2023-03-08T07:30:05"),
            ("20230308T0730", "2023-03-08T07:30:00"),
            ("2023-03-08 00:00:00", "2023-03-08T00:00:00"),
            ("2023-03-08T07:30:00.250", "2023-03-08T07:30:00.25"),
            ("2023-03-08", "2023-03-08T00:00:00"),
        ] {
            assert_eq!(local.timestamp(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn clocks_are_changed_only_when_said() {
        let text = "2023-03-07T17:00:00Z";
        assert!(clock(&[]).timestamp(text).unwrap_err().en.contains("zone = { to ="));
        let to = Clock::new(&[], None, Some("+07:00"), false).unwrap();
        assert_eq!(to.timestamp(text).as_deref(), Ok("2023-03-08T00:00:00"));
        assert_eq!(to.timestamp("2023-03-07T17:00:00").as_deref(), Ok("2023-03-07T17:00:00"));
        let both = Clock::new(&[], Some("Z"), Some("+07:00"), true).unwrap();
        assert_eq!(both.timestamp("2023-03-07T17:00:00").as_deref(), Ok("2023-03-08T00:00:00"));
        assert_eq!(both.date("2023-03-07T18:00:00").as_deref(), Ok("2023-03-08"));
        assert_eq!(both.date("2023-03-07").as_deref(), Ok("2023-03-07"), "a day has no clock");
        assert!(Clock::new(&[], Some("+07:00"), None, false).is_err());
        for bad in ["7", "+7", "+15:00", "UTC", "+07:60", "+0x00"] {
            assert!(Clock::new(&[], None, Some(bad), false).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        let both = clock(&["dd/mm/yyyy", "mm/dd/yyyy"]);
        assert!(both.date("01/02/2024").unwrap_err().en.contains("2024-02-01 or 2024-01-02"));
        assert_eq!(both.date("13/02/2024").as_deref(), Ok("2024-02-13"), "only one of them fits");
        let plain = clock(&[]);
        assert!(plain.date("01/02/2024").unwrap_err().vi.contains("date = \"dd/mm/yyyy\""));
        assert!(plain.date("2023-03-08 07:30:00").unwrap_err().en.contains("cut_time"));
        for text in [
            "",
            "2023-02-29",
            "2023-13-01",
            "0000-01-01",
            "2023-1-1",
            "2023-01-01T",
            "2023-01-01T24:00",
            "2023-01-01T7:00",
            "2023-01-01T07:00:00.",
            "2023-01-01x",
            "+023-01-01",
            "２０２３-01-01",
            "2023-01-0é",
        ] {
            assert!(plain.timestamp(text).is_err(), "{text}");
        }
        let dotted = clock(&["dd/mm/yyyy"]);
        for text in ["32/01/2024", "1/2/24", "1/2/20244", "1/2/2024 ", "001/02/2024"] {
            assert!(dotted.date(text).is_err(), "{text}");
        }
        for form in [
            "",
            "dd/mm",
            "dd/mm/yy",
            "dd/dd/yyyy",
            "mmm dd yyyy",
            "dd/mm/yyyy hh",
            "dd/mm/yyyy ss",
            "yyyymmddq",
        ] {
            assert!(Clock::new(&[form.to_owned()], None, None, false).is_err(), "{form}");
        }
    }
}
