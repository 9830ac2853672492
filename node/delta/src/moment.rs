//! Times in questions (section "Timestamp Format" of the protocol).

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::limits::MOMENT_BYTES_MAX;

/// Milliseconds since 1970 of a time: RFC 3339, or the older form `2022-01-31 08:00:00`, which is taken as UTC: a
/// server's own zone is nothing that a client can know.
#[must_use]
pub fn read(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.len() > MOMENT_BYTES_MAX {
        return None;
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| {
        let whole =
            format_description!("[year]-[month padding:none]-[day padding:none] [hour]:[minute]:[second]");
        let parts = format_description!(
            "[year]-[month padding:none]-[day padding:none] [hour]:[minute]:[second].[subsecond]"
        );
        let read = PrimitiveDateTime::parse(text, &whole).or_else(|_| PrimitiveDateTime::parse(text, &parts));
        read.ok().map(PrimitiveDateTime::assume_utc)
    })?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn both_forms_of_a_time_are_read_and_nothing_else() {
        for (text, due) in [
            ("1970-01-01T00:00:01Z", 1_000),
            ("1970-01-01T07:00:01+07:00", 1_000),
            ("1970-01-01 00:00:01", 1_000),
            ("1970-1-1 00:00:01", 1_000),
            ("1970-01-01 00:00:01.25", 1_250),
        ] {
            assert_eq!(read(text), Some(due), "{text}");
        }
        for text in ["", "1", "yesterday", "1970-01-01", "1970-13-01 00:00:00", &"9".repeat(100)] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
