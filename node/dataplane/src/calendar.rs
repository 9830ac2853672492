//! Days and times as texts, read strictly. Calendar days are counted from 1970-01-01 in the proleptic Gregorian
//! calendar; every function is total.

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub(crate) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Days since 1970-01-01 of `YYYY-MM-DD`.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let year = digits(&[*y1, *y2, *y3, *y4])?;
    let month = digits(&[*m1, *m2])?;
    let day = digits(&[*d1, *d2])?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    i32::try_from(days_from_civil(year, month, day)).ok()
}

/// Microseconds since 1970-01-01T00:00:00 of `YYYY-MM-DD hh:mm:ss`, with `T` or a space, up to nine digits of a
/// fraction, and an optional offset (`Z`, `+07:00`), which is taken off.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let days = i64::from(parse_date(date)?);
    let rest = rest.strip_prefix(['T', ' '])?;
    let clock = rest.get(..8)?.as_bytes();
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hour, minute, second) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?, digits(&[*s1, *s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, offset) = parse_fraction(rest.get(8..)?)?;
    let seconds = hour * 3_600 + minute * 60 + second - parse_offset(offset)?;
    Some(days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + fraction)
}

/// Microseconds of a fraction (`.25`), and what follows it.
fn parse_fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 || count > 9 {
        return None;
    }
    let mut micros = 0;
    for i in 0..6 {
        let digit = rest.as_bytes().get(i).filter(|_| i < count).map_or(0, |d| i64::from(d - b'0'));
        micros = micros * 10 + digit;
    }
    Some((micros, rest.get(count..)?))
}

/// Seconds east of Greenwich.
fn parse_offset(text: &str) -> Option<i64> {
    match text.as_bytes() {
        [] | [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3_600 + minutes * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01. Years count from March, so that the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("2000-03-01"), Some(11_017));
        assert_eq!(parse_date("2024-02-29"), Some(19_782));
        assert_eq!(parse_date("0001-01-01"), Some(-719_162));
        assert_eq!(civil_from_days(19_782), (2024, 2, 29));
    }

    #[test]
    fn each_day_goes_there_and_back() {
        for day in (-800_000..800_000).step_by(17) {
            let (y, m, d) = civil_from_days(day);
            assert_eq!(days_from_civil(y, m, d), day);
        }
    }

    #[test]
    fn both_forms_of_the_air_quality_file() {
        let utc = parse_timestamp("2023-03-07T17:00:00").unwrap();
        let local = parse_timestamp("2023-03-08 00:00:00").unwrap();
        assert_eq!(local - utc, 7 * 3_600 * MICROS_PER_SECOND);
        assert_eq!(parse_timestamp("2023-03-08T00:00:00+07:00"), Some(utc));
        assert_eq!(parse_timestamp("2023-03-07T17:00:00.25Z"), Some(utc + 250_000));
    }

    #[test]
    fn what_is_no_day_or_time() {
        for bad in [
            "2023-02-29",
            "2023-13-01",
            "2023-00-10",
            "2023-1-01",
            "23-01-01",
            "2023/01/01",
            "",
            "２０２３-01-01",
        ] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        for bad in [
            "2023-03-08",
            "2023-03-08 24:00:00",
            "2023-03-08 00:60:00",
            "2023-03-08_00:00:00",
            "2023-03-08 00:00:00.",
            "2023-03-08 00:00:00+7",
            "2023-03-08 00:00:00.1234567890",
            "2023-03-08 00:00",
        ] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
    }
}
