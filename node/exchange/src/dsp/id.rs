//! Small values that cannot be wrong: ids, addresses, times, lists with at least one item, foreign properties.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::{IdError, short};
use crate::limits::{ADDRESS_BYTES_MAX, ID_BYTES_MAX};

/// What stays as it is in a segment of a path (RFC 3986 section 3.3, `pchar`).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// An opaque id: a process id (pid), a policy id, a participant, a dataset. 1 to 1024 bytes, no control characters.
///
/// DSP says IRI; real peers send plain strings such as `CD123:ACN0101:456`, so no more is demanded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// Check and keep a text as an id.
    pub fn new(text: impl Into<String>) -> Result<Id, IdError> {
        let text = text.into();
        checked(&text, "the id", ID_BYTES_MAX)?;
        Ok(Id(text))
    }

    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Id {
    type Error = IdError;
    fn try_from(text: String) -> Result<Id, IdError> {
        Id::new(text)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        id.0
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a counter-party wants its messages: an absolute `http` or `https` URL without query, fragment or user.
///
/// A peer chose it: it is not yet safe to call. The server compares it with what the registry says of that peer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

impl Address {
    /// Check and keep a text as an address.
    pub fn new(text: impl Into<String>) -> Result<Address, IdError> {
        let text = text.into();
        let what = "the address";
        checked(&text, what, ADDRESS_BYTES_MAX)?;
        let lower = text.to_ascii_lowercase();
        let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
        let fault = match rest {
            None => Some("begin it with https:// (or http:// in a test)"),
            Some("") => Some("name a host"),
            Some(rest) if rest.starts_with(['/', ':']) => Some("name a host"),
            Some(rest) if rest.contains(['?', '#', '@', '\\', ' ']) => {
                Some("leave out the query, the fragment, the user and spaces")
            }
            Some(_) => None,
        };
        match fault {
            Some(advice) => Err(IdError::Form { what, text: short(&text), advice }),
            None => Ok(Address(text)),
        }
    }

    /// The text of the address, as the peer wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address with path segments added, each percent-encoded (RFC 3986 section 3.3). A trailing slash of the
    /// address makes no difference, as DSP demands.
    #[must_use]
    pub fn join(&self, segments: &[&str]) -> String {
        let mut url = self.0.trim_end_matches('/').to_owned();
        for segment in segments {
            url.push('/');
            url.extend(utf8_percent_encode(segment, SEGMENT));
        }
        url
    }
}

impl TryFrom<String> for Address {
    type Error = IdError;
    fn try_from(text: String) -> Result<Address, IdError> {
        Address::new(text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.0
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn checked(text: &str, what: &'static str, limit: usize) -> Result<(), IdError> {
    if text.trim().is_empty() {
        return Err(IdError::Blank { what });
    }
    if text.len() > limit {
        return Err(IdError::TooLong { what, found: text.len(), limit });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Form { what, text: short(text), advice: "leave out control characters" });
    }
    Ok(())
}

/// A time as text of the form `2026-11-23T01:02:03Z` (RFC 3339, which is within xsd:dateTime). Kept as it was written,
/// because signatures cover the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(String);

impl Timestamp {
    /// A time from unix seconds, in UTC. Years 1 to 9999 only.
    pub fn from_unix(seconds: i64) -> Result<Timestamp, IdError> {
        let fault = || IdError::Form {
            what: "the time",
            text: seconds.to_string(),
            advice: "give unix seconds of a year between 1 and 9999",
        };
        let time = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fault())?;
        if time.year() < 1 {
            return Err(fault());
        }
        time.format(&Rfc3339).map(Timestamp).map_err(|_| fault())
    }

    /// Read RFC 3339 text. A time without a zone is refused: it would mean another moment at each node.
    pub fn parse(text: impl Into<String>) -> Result<Timestamp, IdError> {
        let text = text.into();
        match OffsetDateTime::parse(&text, &Rfc3339) {
            Ok(_) if text.is_ascii() && text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z') => {
                Ok(Timestamp(text))
            }
            _ => Err(IdError::Form {
                what: "the time",
                text: short(&text),
                advice: "write it as 2026-11-23T01:02:03Z, with its zone",
            }),
        }
    }

    /// Unix seconds; fractions are cut off.
    #[must_use]
    pub fn unix(&self) -> i64 {
        // The text was parsed when the value was made; should that ever not hold, the earliest time fails closed for
        // an end and is harmless for a date of signing.
        OffsetDateTime::parse(&self.0, &Rfc3339).map_or(i64::MIN, OffsetDateTime::unix_timestamp)
    }

    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Timestamp {
    type Error = IdError;
    fn try_from(text: String) -> Result<Timestamp, IdError> {
        Timestamp::parse(text)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> String {
        timestamp.0
    }
}

/// A list with at least one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonEmpty<T>(Vec<T>);

impl<T> NonEmpty<T> {
    /// A list of one.
    #[must_use]
    pub fn one(item: T) -> NonEmpty<T> {
        NonEmpty(vec![item])
    }

    /// The items as a list, or `None` when there are none.
    #[must_use]
    pub fn new(items: Vec<T>) -> Option<NonEmpty<T>> {
        if items.is_empty() { None } else { Some(NonEmpty(items)) }
    }

    /// The items.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The items, taken out.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }

    /// The items one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<'a, T> IntoIterator for &'a NonEmpty<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Properties beyond the protocol: kept from peers, added by us under absolute or compact IRIs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra(Map<String, Value>);

impl Extra {
    /// No extra property.
    #[must_use]
    pub fn none() -> Extra {
        Extra::default()
    }

    /// What a reader left over.
    pub(crate) fn left(map: Map<String, Value>) -> Extra {
        Extra(map)
    }

    /// Add a property. The key must be an absolute or compact IRI (it has a colon), else it could hide a protocol term.
    pub fn insert(&mut self, key: impl Into<String>, value: Value) -> Result<(), IdError> {
        let key = key.into();
        if !key.contains(':') || key.starts_with('@') || super::names::is_term(&key) {
            return Err(IdError::Form {
                what: "the property",
                text: short(&key),
                advice: "use an IRI outside the protocol's own terms, such as dct:title or urn:tram:ns:query",
            });
        }
        checked(&key, "the property", ID_BYTES_MAX)?;
        self.0.insert(key, value);
        Ok(())
    }

    /// The value of a property.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The properties one by one, as they came.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }
}
