//! What a request wants of a finished file: all, one span, or nothing because it has it already. Pure.
//!
//! RFC 9110 §13.2.2 says in which order the conditions count. There is no `Last-Modified`, so conditions about times do not
//! hold and are passed over, as the RFC has it; several spans at once are answered with the whole (§14.2 lets a server).

use std::ops::RangeInclusive;

use axum::http::{HeaderMap, HeaderName, Method, header};
use http_range_header::{RangeUnsatisfiableError, parse_range_header};

/// What is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// 200 with everything.
    Whole,
    /// 206 with these bytes, both ends included.
    Part(RangeInclusive<u64>),
    /// 304: the caller has it.
    NotModified,
    /// 412: the caller wants another version than there is.
    Failed,
    /// 416: no byte of the span is there.
    Unsatisfiable,
}

/// Reads conditions and span; `etag` is strong and with its quotes.
pub(super) fn select(method: &Method, headers: &HeaderMap, etag: &str, bytes: u64) -> Selected {
    if headers.contains_key(header::IF_MATCH) && !names(headers, &header::IF_MATCH, etag, Compare::Strong) {
        return Selected::Failed;
    }
    if names(headers, &header::IF_NONE_MATCH, etag, Compare::Weak) {
        return Selected::NotModified;
    }
    // A span has a meaning for GET alone (§14.2), and under `If-Range` only of the version that the caller has.
    let same = headers.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == etag.as_bytes());
    if *method != Method::GET || !same {
        return Selected::Whole;
    }
    span(headers, bytes)
}

/// Reads the span alone, of something `bytes` long.
pub fn span(headers: &HeaderMap, bytes: u64) -> Selected {
    let mut fields = headers.get_all(header::RANGE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return Selected::Whole };
    let Ok(asked) = field.to_str().map_err(|_| ()).and_then(|text| parse_range_header(text).map_err(|_| ()))
    else {
        // Another unit than bytes, or no span at all: as if it were not there.
        return Selected::Whole;
    };
    match asked.validate(bytes).as_deref() {
        Ok([one]) => Selected::Part(one.clone()),
        Err(RangeUnsatisfiableError::Unsatisfiable) => Selected::Unsatisfiable,
        _ => Selected::Whole,
    }
}

/// How two ETags are compared (§8.8.3.2). Ours are strong, so a weak one can only match weakly.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strong,
    Weak,
}

/// Whether a list of ETags, or `*`, names this one. An ETag of ours has no comma, so a list can be cut at commas.
fn names(headers: &HeaderMap, field: &HeaderName, etag: &str, compare: Compare) -> bool {
    let fields = headers.get_all(field).iter().filter_map(|value| value.to_str().ok());
    let mut tags = fields.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| {
        let bare = if compare == Compare::Weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        tag == "*" || bare == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc\"";

    fn asked(method: Method, fields: &[(HeaderName, &str)]) -> Selected {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.clone(), value.parse().unwrap());
        }
        select(&method, &headers, TAG, 10)
    }

    fn range(text: &str) -> Selected {
        asked(Method::GET, &[(header::RANGE, text)])
    }

    #[test]
    fn one_span_is_cut_out_and_only_that() {
        assert_eq!(asked(Method::GET, &[]), Selected::Whole);
        assert_eq!(range("bytes=0-3"), Selected::Part(0..=3));
        assert_eq!(range("bytes=5-"), Selected::Part(5..=9));
        assert_eq!(range("bytes=-4"), Selected::Part(6..=9));
        assert_eq!(range("bytes=-400"), Selected::Part(0..=9), "a suffix longer than the file is all of it");
        assert_eq!(range("bytes=8-99"), Selected::Part(8..=9));
        assert_eq!(range("BYTES=8-99"), Selected::Part(8..=9));
        for none in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            assert_eq!(range(none), Selected::Unsatisfiable, "{none}");
        }
    }

    #[test]
    fn what_is_no_single_span_gives_the_whole() {
        for text in
            ["bytes=0-1,4-5", "rows=1-2", "bytes=5-2", "bytes=-", "bytes=a-b", "bytes", "", "bytes=1-2;3"]
        {
            assert_eq!(range(text), Selected::Whole, "{text}");
        }
        let many = vec!["0-0"; 5_000].join(",");
        assert_eq!(range(&format!("bytes={many}")), Selected::Whole);
        let twice = [(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=2-3")];
        assert_eq!(asked(Method::GET, &twice), Selected::Whole);
        assert_eq!(asked(Method::HEAD, &[(header::RANGE, "bytes=0-1")]), Selected::Whole);
        // One span of two that can be had.
        assert_eq!(range("bytes=0-1,40-50"), Selected::Part(0..=1));
    }

    #[test]
    fn a_span_counts_for_the_version_that_the_caller_has() {
        let with = |tag: &str| asked(Method::GET, &[(header::RANGE, "bytes=0-3"), (header::IF_RANGE, tag)]);
        assert_eq!(with(TAG), Selected::Part(0..=3));
        for other in ["\"abd\"", "W/\"abc\"", "Mon, 23 Nov 2026 08:00:00 GMT", "abc"] {
            assert_eq!(with(other), Selected::Whole, "{other}");
        }
    }

    #[test]
    fn conditions_count_in_their_order() {
        let none = |tags: &str| asked(Method::HEAD, &[(header::IF_NONE_MATCH, tags)]);
        for tags in [TAG, "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(none(tags), Selected::NotModified, "{tags}");
        }
        assert_eq!(none("\"x\""), Selected::Whole);
        let only = |tags: &str| asked(Method::GET, &[(header::IF_MATCH, tags), (header::IF_NONE_MATCH, TAG)]);
        for tags in ["\"x\"", "W/\"abc\"", ""] {
            assert_eq!(only(tags), Selected::Failed, "{tags}");
        }
        assert_eq!(only("*"), Selected::NotModified);
        let both = [(header::IF_NONE_MATCH, TAG), (header::RANGE, "bytes=0-3")];
        assert_eq!(asked(Method::GET, &both), Selected::NotModified, "a condition counts before a span");
    }
}
