//! JSON read strictly, and JSON written in one form only.
//!
//! Promises: [`read`] takes no more than the limits of [`crate::limits`], refuses an object that says a key twice and a
//! whole number that other readers would round (RFC 7493, I-JSON), so that what we sign is what the peer read.
//! [`canonical`] is RFC 8785: the same value gives the same bytes at every node.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::limits::{JSON_DEPTH_MAX, JSON_INTEGER_MAX, STORED_DEPTH_MAX};

/// Why bytes were not taken as JSON, or a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than the place allows.
    #[error("the body has {found} bytes, the limit is {limit}: send less, or in pages")]
    TooLarge {
        /// Bytes that came.
        found: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// Not JSON, or JSON that readers understand in different ways.
    #[error("not usable JSON at line {line}, column {column}: {reason}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1; 0 when only the line is known.
        column: usize,
        /// What was wrong and what to do.
        reason: String,
    },
    /// The value cannot be written in canonical form.
    #[error("no canonical form: {0}")]
    NotCanonical(String),
}

/// Read a JSON value from at most `limit` bytes, at most [`JSON_DEPTH_MAX`] deep, no key twice, no inexact integer.
pub fn read(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    read_as::<Strict>(bytes, limit).map(|strict| strict.0)
}

/// Read a typed value from at most `limit` bytes.
pub(crate) fn read_as<T: for<'de> Deserialize<'de>>(bytes: &[u8], limit: usize) -> Result<T, JsonError> {
    if bytes.len() > limit {
        return Err(JsonError::TooLarge { found: bytes.len(), limit });
    }
    serde_json::from_slice(bytes).map_err(|error| JsonError::Malformed {
        line: error.line(),
        column: error.column(),
        reason: plain_reason(&error),
    })
}

/// serde's text without its own "at line …": the place is a field of ours.
fn plain_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// RFC 8785 bytes of a value.
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    serde_json_canonicalizer::to_vec(value).map_err(|error| JsonError::NotCanonical(error.to_string()))
}

/// SHA-256 over the RFC 8785 bytes of a value.
pub fn digest<T: Serialize>(value: &T) -> Result<Digest, JsonError> {
    Ok(Digest::of(&canonical(value)?))
}

/// A SHA-256 digest; 64 lower-case hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Read 64 lower-case hexadecimal digits; upper case is refused, so that one digest has one text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Digest> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Digest(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Digest::parse(&text)
            .ok_or_else(|| D::Error::custom("expected 64 lower-case hexadecimal digits (SHA-256)"))
    }
}

/// A value that was read by the rules of [`read`].
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        strict_value(deserializer).map(Strict)
    }
}

/// For `#[serde(deserialize_with)]` on a free JSON field of one of our own files.
pub(crate) fn strict_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Level(JSON_DEPTH_MAX).deserialize(deserializer)
}

/// The same for what this node stored itself, with room for the lists that reading made.
pub(crate) fn stored_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Level(STORED_DEPTH_MAX).deserialize(deserializer)
}

/// Reads one value that may still nest so many levels.
struct Level(usize);

impl Level {
    fn below<E: serde::de::Error>(&self) -> Result<Level, E> {
        match self.0.checked_sub(1) {
            Some(rest) => Ok(Level(rest)),
            None => Err(E::custom(format_args!(
                "nested too deep (more than {JSON_DEPTH_MAX} levels): flatten it"
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        exact(value)?;
        Ok(Value::from(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        exact(value.unsigned_abs())?;
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        let below = self.below::<A::Error>()?;
        while let Some(item) = seq.next_element_seed(Level(below.0))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let below = self.below::<A::Error>()?;
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Level(below.0))?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key `{}` stands twice: keep one",
                    crate::dsp::short(&key)
                )));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

fn exact<E: serde::de::Error>(magnitude: u64) -> Result<(), E> {
    if magnitude > JSON_INTEGER_MAX {
        return Err(E::custom(format_args!(
            "the whole number {magnitude} is beyond {JSON_INTEGER_MAX}, which not every reader keeps exactly: send it as text"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        read(text.as_bytes(), 1000).unwrap_err().to_string()
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        assert!(refusal(r#"{"a":1,"a":2}"#).contains("`a` stands twice"));
        assert!(refusal(r#"{"a":[{"b":1,"b":1}]}"#).contains("`b` stands twice"));
    }

    #[test]
    fn nesting_stops_at_the_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(JSON_DEPTH_MAX).as_bytes(), 1000).is_ok());
        assert!(refusal(&nested(JSON_DEPTH_MAX + 1)).contains("more than 32 levels"));
        assert!(read("[".repeat(100_000).as_bytes(), 1 << 20).is_err());
    }

    #[test]
    fn numbers_that_others_would_round_are_refused() {
        assert!(read(b"9007199254740991", 100).is_ok());
        assert!(refusal("9007199254740992").contains("not every reader"));
        assert!(refusal("-9007199254740992").contains("not every reader"));
        assert!(read(b"1e400", 100).is_err());
    }

    #[test]
    fn size_text_after_the_value_and_bad_utf8_are_refused() {
        assert_eq!(read(b"[1]", 2), Err(JsonError::TooLarge { found: 3, limit: 2 }));
        assert!(read(b"[1]", 3).is_ok());
        assert!(read(b"[1] x", 100).is_err());
        assert!(read(b"\"\xff\"", 100).is_err());
        assert!(read(b"", 100).is_err());
    }

    #[test]
    fn canonical_form_follows_rfc_8785() {
        let value = read(r#"{"b":[1.0,"é"],"a":{"z":null,"y":1e2}}"#.as_bytes(), 100).unwrap();
        assert_eq!(canonical(&value).unwrap(), r#"{"a":{"y":100,"z":null},"b":[1,"é"]}"#.as_bytes());
    }

    #[test]
    fn a_digest_has_one_text() {
        let digest = Digest::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::parse(text), Some(digest));
        assert_eq!(Digest::parse(&text.to_uppercase()), None);
        assert_eq!(Digest::parse(&text[1..]), None);
        assert_eq!(Digest::parse(&format!("{}é", &text[..62])), None);
    }
}
