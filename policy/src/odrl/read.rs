//! JSON-LD as JSON: a strict reader for the spellings that are taken.
//!
//! A property may be written bare (`permission`), with `odrl:` or as ODRL's full IRI; ours with `gov:` or as
//! `urn:tram:ns:…`. `uid` and `@id` are the same. A value may be a text, `{"@id": …}`, `{"uid": …}`, `{"@value": …}`
//! or a list with exactly one of these. The same property in two spellings, and a key that stands twice, is refused.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::names::{GOV, NS, ODRL};
use super::problem::{OdrlCode, Problems};
use crate::limits::{ODRL_BYTES_MAX, ODRL_DEPTH_MAX};

/// Reads a text as JSON without repeated keys, within the limits.
pub(crate) fn parse(bytes: &[u8], problems: &mut Problems) -> Option<Value> {
    if bytes.len() > ODRL_BYTES_MAX {
        let why = format!("{} bytes, at most {ODRL_BYTES_MAX} are taken: split it", bytes.len());
        problems.add("", OdrlCode::Limit, "document", why);
        return None;
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = Strict { depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| {
        problems.add("", OdrlCode::Malformed, "document", format!("this is not JSON: {error}"))
    })
    .ok()
}

/// A JSON value that refuses repeated keys and too deep nesting.
struct Strict {
    depth: usize,
}

impl Strict {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        if self.depth >= ODRL_DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {ODRL_DEPTH_MAX} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }
    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }
    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.inner()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{}` stands twice", key.escape_debug())));
            }
            let value = access.next_value_seed(self.inner()?)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// ODRL's words bare, ours with `gov:`, everything else as it is.
pub(crate) fn normal(word: &str) -> String {
    let odrl = word.strip_prefix("odrl:").or_else(|| word.strip_prefix(ODRL));
    let ours = word.strip_prefix(NS).or_else(|| word.strip_prefix(GOV));
    match (odrl, ours) {
        (Some(local), _) => local.to_owned(),
        (None, Some(local)) => format!("{GOV}{local}"),
        (None, None) if word == "@id" => "uid".to_owned(),
        (None, None) => word.to_owned(),
    }
}

/// The one item of a list with one item; everything else as it is.
fn single(value: &Value) -> &Value {
    match value {
        Value::Array(items) if items.len() == 1 => items.first().unwrap_or(value),
        other => other,
    }
}

/// The text of a value, however it is wrapped.
pub(crate) fn text(value: &Value) -> Option<&str> {
    let value = single(value);
    if let Value::Object(map) = value {
        let known = |key: &String| matches!(key.as_str(), "@id" | "uid" | "@value" | "@type");
        let mut texts = ["@id", "uid", "@value"].into_iter().filter_map(|key| map.get(key));
        let (first, second) = (texts.next(), texts.next());
        return first.filter(|_| second.is_none() && map.keys().all(known))?.as_str();
    }
    value.as_str()
}

/// A whole number, as a number or as its text.
pub(crate) fn integer(value: &Value) -> Option<u64> {
    let value = single(value);
    let inner = value.get("@value").unwrap_or(value);
    inner.as_u64().or_else(|| {
        let text = text(value)?;
        // One spelling for a number: no sign, no zero in front.
        text.parse::<u64>().ok().filter(|n| n.to_string() == text)
    })
}

/// Texts of a list, or one text.
pub(crate) fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => text(one).map(|text| vec![text]),
    }
}

/// The value of a JSON literal, or a bare one.
pub(crate) fn literal(value: &Value) -> &Value {
    let inner = single(value);
    match inner.as_object() {
        Some(map) if map.get("@type").and_then(Value::as_str) == Some("@json") && map.len() == 2 => {
            map.get("@value").unwrap_or(inner)
        }
        _ => value,
    }
}

/// An object by its normalised keys, each taken at most once.
pub(crate) struct Fields<'v> {
    pub at: String,
    left: BTreeMap<String, (&'v str, &'v Value)>,
}

impl<'v> Fields<'v> {
    /// Reads an object; anything else is a problem.
    pub fn of(value: &'v Value, at: &str, what: &str, problems: &mut Problems) -> Option<Self> {
        let Value::Object(map) = value else {
            problems.add(at, OdrlCode::Malformed, what, "an object is due here");
            return None;
        };
        let mut left = BTreeMap::new();
        for (key, value) in map {
            if left.insert(normal(key), (key.as_str(), value)).is_some() {
                let why = "the same property stands in two spellings: keep one";
                problems.add(at, OdrlCode::Twice, key, why);
            }
        }
        Some(Self { at: at.to_owned(), left })
    }

    /// Takes a property.
    pub fn take(&mut self, key: &str) -> Option<&'v Value> {
        self.left.remove(key).map(|(_, value)| value)
    }

    /// Whether a property is there.
    pub fn has(&self, key: &str) -> bool {
        self.left.contains_key(key)
    }

    /// Takes a property that holds a text.
    pub fn text(&mut self, key: &str, problems: &mut Problems) -> Option<&'v str> {
        let value = self.take(key)?;
        let found = text(value);
        if found.is_none() {
            let at = format!("{}/{key}", self.at);
            problems.add(&at, OdrlCode::Malformed, key, "one text or IRI is due here");
        }
        found
    }

    /// Takes a property that holds a list, or one item for a list of one.
    pub fn list(&mut self, key: &str) -> Vec<&'v Value> {
        match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.iter().collect(),
            Some(one) => vec![one],
        }
    }

    /// Whatever was not taken is refused by its name.
    pub fn finish(self, problems: &mut Problems) {
        for (normal, (key, _)) in self.left {
            let (code, why) = match normal.as_str() {
                "inheritFrom" => (OdrlCode::Inherit, "rules that stand elsewhere: write them out here"),
                "remedy" | "consequence" | "failure" => (
                    OdrlCode::Consequence,
                    "what follows a breach cannot be said in rules: leave it to the agreement's text",
                ),
                "xone" | "andSequence" => (
                    OdrlCode::Logic,
                    "this logic cannot be said in rules: write `and`, `or` or several rules",
                ),
                _ => (
                    OdrlCode::Property,
                    "this property is not known here, and what is not known is not dropped: remove it",
                ),
            };
            problems.add(&self.at, code, key, why);
        }
    }
}
