//! JSON at the edge: bounded before it is parsed, canonical (RFC 8785) before it is signed.

use serde::Serialize;
use serde_json::Value;

/// Deepest nesting that any of our documents needs is 6; this is the project's common bound.
pub const JSON_DEPTH_MAX: usize = 32;
/// Largest integer that RFC 8785 writes exactly (2^53 - 1).
pub(crate) const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why bytes are no acceptable JSON document.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// More bytes than the document may have.
    #[error("the document has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Bytes received.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Nested too deeply.
    #[error("the document nests deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
    /// Not JSON.
    #[error("the document is not JSON: {0}")]
    Syntax(#[source] serde_json::Error),
}

/// Parses bytes of at most `max` bytes and [`JSON_DEPTH_MAX`] levels.
pub(crate) fn parse_bounded(bytes: &[u8], max: usize) -> Result<Value, JsonError> {
    if bytes.len() > max {
        return Err(JsonError::TooLarge { bytes: bytes.len(), max });
    }
    if depth(bytes) > JSON_DEPTH_MAX {
        return Err(JsonError::TooDeep);
    }
    serde_json::from_slice(bytes).map_err(JsonError::Syntax)
}

/// Canonical bytes of a value (RFC 8785).
pub(crate) fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json_canonicalizer::to_vec(value)
}

/// Deepest bracket nesting outside strings, counted without recursion.
fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0usize, 0usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_at_its_edge() {
        let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse_bounded(nest(JSON_DEPTH_MAX).as_bytes(), 1024).is_ok());
        assert!(matches!(parse_bounded(nest(JSON_DEPTH_MAX + 1).as_bytes(), 1024), Err(JsonError::TooDeep)));
        assert_eq!(depth(br#"{"a":"[[[\"[["}"#), 1);
    }

    #[test]
    fn size_is_bounded_at_its_edge() {
        assert!(parse_bounded(b"[1]", 3).is_ok());
        assert!(matches!(parse_bounded(b"[1]", 2), Err(JsonError::TooLarge { bytes: 3, max: 2 })));
    }

    #[test]
    fn canonical_form_sorts_keys_and_drops_space() {
        let value: Value = serde_json::from_str("{ \"b\": 1, \"a\": [ 2, \"x\" ] }").unwrap();
        assert_eq!(canonical(&value).unwrap(), br#"{"a":[2,"x"],"b":1}"#);
    }
}
