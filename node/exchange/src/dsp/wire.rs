//! The small normaliser: JSON objects opened by the protocol's names, and written in the one compact form.
//!
//! Reading consumes an object property by property; what is left over is kept as [`Extra`]. Writing goes through
//! [`Out`], which leaves empty lists out. Each type says once how it is read and written ([`Wire`]); serde goes through
//! the same code, so that what is stored is what was sent.

use serde_json::{Map, Value};

use super::error::{MessageError, short};
use super::id::{Address, Extra, Id, NonEmpty, Timestamp};
use super::names::{local_name, term_of};
use super::{CONTEXT, NS};
use crate::json::{self, JsonError};
use crate::limits::{LIST_ITEMS_MAX, MESSAGE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::refusal::Refusal;

/// How a type stands in JSON.
pub trait Wire: Sized {
    /// The value of `@type`; empty for types that have none.
    const TYPE: &'static str;
    /// Whether it is a root message, which carries `@context`.
    const ROOT: bool;
    /// Whether a reader insists on `@type`; the schemas do not for datasets and distributions.
    const TYPE_DUE: bool = true;

    #[doc(hidden)]
    fn read(fields: &mut Fields) -> Result<Self, MessageError>;
    #[doc(hidden)]
    fn write(&self, out: &mut Out);
}

/// Read one message from a body of at most [`MESSAGE_BYTES_MAX`].
pub fn parse<T: Wire>(bytes: &[u8]) -> Result<T, MessageError> {
    parse_value(json::read(bytes, MESSAGE_BYTES_MAX)?)
}

/// Read one message from JSON that was already read by [`json::read`].
pub fn parse_value<T: Wire>(value: Value) -> Result<T, MessageError> {
    read_object(value, String::new())
}

/// The message as JSON, in the one compact form.
#[must_use]
pub fn to_value<T: Wire>(message: &T) -> Value {
    let mut out = Out(Map::new());
    if T::ROOT {
        out.0.insert("@context".into(), Value::Array(vec![Value::String(CONTEXT.into())]));
    }
    if !T::TYPE.is_empty() {
        out.0.insert("@type".into(), Value::String(T::TYPE.into()));
    }
    message.write(&mut out);
    Value::Object(out.0)
}

/// The message as the bytes of a body.
pub fn to_bytes<T: Wire>(message: &T) -> Result<Vec<u8>, JsonError> {
    serde_json::to_vec(&to_value(message)).map_err(|error| JsonError::NotCanonical(error.to_string()))
}

/// Give types serde through [`Wire`], so that there is one way to read and to write.
macro_rules! serde_by_wire {
    ($($name:ty),+ $(,)?) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&$crate::dsp::to_value(self), serializer)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = $crate::json::stored_value(deserializer)?;
                $crate::dsp::parse_value(value).map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use serde_by_wire;

fn read_object<T: Wire>(value: Value, pointer: String) -> Result<T, MessageError> {
    let mut fields = Fields::open(value, pointer)?;
    fields.check_context(T::ROOT)?;
    if !T::TYPE.is_empty() {
        fields.check_type(T::TYPE, T::TYPE_DUE)?;
    }
    T::read(&mut fields)
}

/// The kind of a JSON value, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(items) if items.is_empty() => "an empty array",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A value that can be had from one JSON value: the element type of lists.
pub(crate) trait FromField: Sized {
    fn from_field(value: Value, pointer: String) -> Result<Self, MessageError>;
}

impl<T: Wire> FromField for T {
    fn from_field(value: Value, pointer: String) -> Result<Self, MessageError> {
        read_object(value, pointer)
    }
}

/// A free value, taken as it is.
pub(crate) struct Free(pub Value);

impl FromField for Free {
    fn from_field(value: Value, _: String) -> Result<Self, MessageError> {
        Ok(Free(value))
    }
}

/// An opened JSON object: its properties under the protocol's plain names, and where it stands.
pub struct Fields {
    pointer: String,
    map: Map<String, Value>,
}

impl Fields {
    fn open(value: Value, pointer: String) -> Result<Fields, MessageError> {
        let Value::Object(object) = value else {
            return Err(wrong(&pointer, "an object", kind(&value), "put the properties into { }"));
        };
        let mut map = Map::new();
        for (key, value) in object {
            let key = term_of(&key).map_or(key, str::to_owned);
            if map.contains_key(&key) {
                return Err(MessageError::Twice { pointer: below(&pointer, &key) });
            }
            map.insert(key, value);
        }
        Ok(Fields { pointer, map })
    }

    fn check_context(&mut self, due: bool) -> Result<(), MessageError> {
        let value = match self.map.remove("@context") {
            None if due => return Err(self.missing("@context", &format!("[\"{CONTEXT}\"]"))),
            None => return Ok(()),
            // A nested object may bring a context of its own; it is neither fetched nor kept.
            Some(_) if !due => return Ok(()),
            Some(value) => value,
        };
        let named = value.as_array().is_some_and(|items| {
            items.iter().all(Value::is_string) && items.iter().any(|item| item.as_str() == Some(CONTEXT))
        });
        if named {
            return Ok(());
        }
        Err(wrong(
            &below(&self.pointer, "@context"),
            &format!("an array of strings with \"{CONTEXT}\""),
            kind(&value),
            "send exactly that array",
        ))
    }

    fn check_type(&mut self, expected: &str, due: bool) -> Result<(), MessageError> {
        let found = match self.map.remove("@type") {
            None if due => return Err(self.missing("@type", &format!("\"{expected}\""))),
            None => return Ok(()),
            Some(found) => found,
        };
        let pointer = below(&self.pointer, "@type");
        let Value::String(name) = found else {
            return Err(wrong(
                &pointer,
                &format!("the string \"{expected}\""),
                kind(&found),
                "send a single string",
            ));
        };
        if local_name(&name) == expected {
            return Ok(());
        }
        Err(wrong(
            &pointer,
            &format!("\"{expected}\""),
            &quoted(&name),
            "send this object to where it belongs",
        ))
    }

    pub(crate) fn has(&self, term: &str) -> bool {
        self.map.contains_key(term)
    }

    pub(crate) fn missing(&self, term: &str, expected: &str) -> MessageError {
        MessageError::Missing { pointer: below(&self.pointer, term), expected: expected.to_owned() }
    }

    pub(crate) fn wrong(&self, term: &str, expected: &str, found: &str, advice: &str) -> MessageError {
        wrong(&below(&self.pointer, term), expected, found, advice)
    }

    /// Take a property out; JSON null counts as absent, as JSON-LD says.
    pub(crate) fn take(&mut self, term: &str) -> Option<Value> {
        self.map.shift_remove(term).filter(|value| !value.is_null())
    }

    /// What is left.
    pub(crate) fn extra(&mut self) -> Extra {
        Extra::left(std::mem::take(&mut self.map))
    }

    pub(crate) fn opt_text(&mut self, term: &str) -> Result<Option<String>, MessageError> {
        let Some(value) = self.take(term) else { return Ok(None) };
        let found = kind(&value);
        let text =
            plain_text(value).ok_or_else(|| self.wrong(term, "a string", found, "send a single string"))?;
        if text.len() > TEXT_BYTES_MAX {
            let found = format!("{} bytes", text.len());
            return Err(self.wrong(term, &format!("at most {TEXT_BYTES_MAX} bytes"), &found, "shorten it"));
        }
        Ok(Some(text))
    }

    pub(crate) fn text(&mut self, term: &str) -> Result<String, MessageError> {
        self.opt_text(term)?.ok_or_else(|| self.missing(term, "a string"))
    }

    /// A text that must fit a type of ours, such as [`Id`].
    fn opt_fit<T: TryFrom<String, Error: std::fmt::Display>>(
        &mut self,
        term: &str,
        expected: &str,
    ) -> Result<Option<T>, MessageError> {
        let Some(text) = self.opt_text(term)? else { return Ok(None) };
        let found = quoted(&text);
        T::try_from(text).map(Some).map_err(|error| self.wrong(term, expected, &found, &error.to_string()))
    }

    pub(crate) fn opt_id(&mut self, term: &str) -> Result<Option<Id>, MessageError> {
        self.opt_fit(term, "an id")
    }

    pub(crate) fn id(&mut self, term: &str) -> Result<Id, MessageError> {
        self.opt_id(term)?.ok_or_else(|| self.missing(term, "an id"))
    }

    pub(crate) fn opt_address(&mut self, term: &str) -> Result<Option<Address>, MessageError> {
        self.opt_fit(term, "a URL")
    }

    pub(crate) fn address(&mut self, term: &str) -> Result<Address, MessageError> {
        self.opt_address(term)?.ok_or_else(|| self.missing(term, "a URL"))
    }

    pub(crate) fn opt_timestamp(&mut self, term: &str) -> Result<Option<Timestamp>, MessageError> {
        self.opt_fit(term, "a time")
    }

    pub(crate) fn pids(&mut self) -> Result<Pids, MessageError> {
        Ok(Pids { provider: self.id("providerPid")?, consumer: self.id("consumerPid")? })
    }

    /// One word of a closed vocabulary, such as a state; prefix and reference form make no difference.
    pub(crate) fn word<T: Copy>(&mut self, term: &str, words: &[(&str, T)]) -> Result<T, MessageError> {
        let list = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let text = self.opt_text(term)?.ok_or_else(|| self.missing(term, &format!("one of {}", list())))?;
        let found = words.iter().find(|(word, _)| *word == local_name(&text));
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            self.wrong(term, &format!("one of {}", list()), &quoted(&text), "use one of these words")
        })
    }

    pub(crate) fn object<T: Wire>(&mut self, term: &str) -> Result<Option<T>, MessageError> {
        let pointer = below(&self.pointer, term);
        self.take(term).map(|value| read_object(value, pointer)).transpose()
    }

    pub(crate) fn due<T: Wire>(&mut self, term: &str) -> Result<T, MessageError> {
        self.object(term)?.ok_or_else(|| self.missing(term, "an object"))
    }

    /// A list that may be absent or empty; a single value counts as a list of one.
    pub(crate) fn any_list<T: FromField>(&mut self, term: &str) -> Result<Vec<T>, MessageError> {
        let here = below(&self.pointer, term);
        let items = match self.take(term) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(single) => return Ok(vec![T::from_field(single, here)?]),
        };
        if items.len() > LIST_ITEMS_MAX {
            let found = format!("{} items", items.len());
            return Err(self.wrong(
                term,
                &format!("at most {LIST_ITEMS_MAX} items"),
                &found,
                "send them in pages",
            ));
        }
        let read = |(index, item)| T::from_field(item, format!("{here}/{index}"));
        items.into_iter().enumerate().map(read).collect()
    }

    /// A list that may be absent, but not empty.
    pub(crate) fn list<T: FromField>(&mut self, term: &str) -> Result<Vec<T>, MessageError> {
        if self.map.get(term).and_then(Value::as_array).is_some_and(Vec::is_empty) {
            return Err(self.wrong(term, "at least one item", "an empty array", "leave the property out"));
        }
        self.any_list(term)
    }

    /// A list with at least one item.
    pub(crate) fn list_due<T: FromField>(&mut self, term: &str) -> Result<NonEmpty<T>, MessageError> {
        let items = self.list(term)?;
        NonEmpty::new(items).ok_or_else(|| self.missing(term, "an array with at least one item"))
    }

    pub(crate) fn cause(&mut self) -> Result<Cause, MessageError> {
        let code = self.opt_text("code")?;
        let reason = self.list::<Free>("reason")?.into_iter().map(|free| free.0).collect();
        Ok(Cause { code, reason })
    }
}

/// A string, or the string inside `{"@id": …}`, `{"@value": …}` or an array of one.
pub(crate) fn plain_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(mut object) => match object.remove("@id").or_else(|| object.remove("@value")) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn wrong(pointer: &str, expected: &str, found: &str, advice: &str) -> MessageError {
    MessageError::Wrong {
        pointer: pointer.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
        advice: advice.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", short(text))
}

/// One step down a JSON pointer (RFC 6901 section 3).
fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A JSON object being written.
pub struct Out(Map<String, Value>);

impl Out {
    pub(crate) fn text(&mut self, term: &str, text: &str) -> &mut Out {
        self.value(term, Value::String(text.to_owned()))
    }

    pub(crate) fn opt_text(&mut self, term: &str, text: Option<&str>) -> &mut Out {
        match text {
            Some(text) => self.text(term, text),
            None => self,
        }
    }

    pub(crate) fn value(&mut self, term: &str, value: Value) -> &mut Out {
        self.0.insert(term.to_owned(), value);
        self
    }

    pub(crate) fn object<T: Wire>(&mut self, term: &str, object: &T) -> &mut Out {
        self.value(term, to_value(object))
    }

    /// A list; an empty one is left out, because the schemas refuse it.
    pub(crate) fn list<T: Wire>(&mut self, term: &str, items: &[T]) -> &mut Out {
        self.values(term, items.iter().map(to_value).collect())
    }

    pub(crate) fn values(&mut self, term: &str, items: Vec<Value>) -> &mut Out {
        if items.is_empty() { self } else { self.value(term, Value::Array(items)) }
    }

    pub(crate) fn pids(&mut self, pids: &Pids) -> &mut Out {
        self.text("providerPid", pids.provider.as_str()).text("consumerPid", pids.consumer.as_str())
    }

    pub(crate) fn cause(&mut self, cause: &Cause) -> &mut Out {
        self.opt_text("code", cause.code.as_deref()).values("reason", cause.reason.clone())
    }

    /// Foreign properties come last and never replace one of ours.
    pub(crate) fn extra(&mut self, extra: &Extra) -> &mut Out {
        for (key, value) in extra.iter() {
            if !self.0.contains_key(key) {
                self.0.insert(key.clone(), value.clone());
            }
        }
        self
    }
}

/// The two process ids of a negotiation or a transfer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pids {
    /// The id that the provider gave.
    pub provider: Id,
    /// The id that the consumer gave.
    pub consumer: Id,
}

/// Why something was ended, suspended or refused: `code` and `reason` of the protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// A short code, of the sender's own choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Texts or objects, of the sender's own choice; a refusal of ours is an object (see [`Refusal`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reason: Vec<Value>,
}

impl Cause {
    /// A cause with a code and a plain English sentence, for faults of form.
    #[must_use]
    pub fn plain(code: &str, sentence: &str) -> Cause {
        Cause { code: Some(code.to_owned()), reason: vec![Value::String(sentence.to_owned())] }
    }

    /// A refusal with its legal basis.
    #[must_use]
    pub fn refusal(refusal: &Refusal) -> Cause {
        Cause { code: Some(refusal.code().to_owned()), reason: vec![refusal.to_value()] }
    }

    /// The refusals among the reasons that a peer gave.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        self.reason.iter().filter_map(Refusal::from_value).collect()
    }
}

/// The absolute IRI of a property of ours.
pub(crate) fn ours(name: &str) -> String {
    format!("{NS}{name}")
}
