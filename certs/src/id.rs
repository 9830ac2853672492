//! Who a party is: the participant id.
//!
//! Promises: a [`ParticipantId`] that exists is an opaque IRI that can stand, unescaped, in a structured-field
//! string, in a key id (`<id>#<thumbprint>`), as the key name of a signed note and in a URL path segment after
//! percent-encoding. Nothing here looks inside the id: `urn:agency:vn:h26.18` and a `did:web` are the same to it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Shortest participant id: one letter, a colon, one character.
pub const PARTICIPANT_ID_CHARS_MIN: usize = 3;
/// Longest participant id: fits a log line, a certificate name and a note line with room to spare.
pub const PARTICIPANT_ID_CHARS_MAX: usize = 256;

/// Characters that an IRI excludes, plus `#` (our separator in key ids) and `+` (illegal in note key names).
const FORBIDDEN: &[char] = &['<', '>', '"', '{', '}', '|', '\\', '^', '`', '#', '+'];

/// The name of an agency in the federation: an IRI, compared byte for byte, never interpreted.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParticipantId(Arc<str>);

impl ParticipantId {
    /// Checks the text: 3 to 256 printable ASCII characters, no space, none of ``<>"{}|\^`#+``, and a colon
    /// after a scheme that begins with a letter.
    ///
    /// # Errors
    /// [`IdError`] names the first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let count = text.chars().count();
        if !(PARTICIPANT_ID_CHARS_MIN..=PARTICIPANT_ID_CHARS_MAX).contains(&count) {
            return Err(IdError::Length { chars: count });
        }
        let bad = |c: &char| !c.is_ascii_graphic() || FORBIDDEN.contains(c);
        if let Some((at, found)) = text.char_indices().find(|(_, c)| bad(c)) {
            return Err(IdError::Character { text: text.to_owned(), found, at });
        }
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(IdError::Scheme { text: text.to_owned() });
        }
        Ok(Self(Arc::from(text)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParticipantId({})", self.0)
    }
}

impl AsRef<str> for ParticipantId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for ParticipantId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ParticipantId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<ParticipantId> for String {
    fn from(id: ParticipantId) -> Self {
        id.0.as_ref().to_owned()
    }
}

/// Why a text is no participant id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Too short or too long.
    #[error(
        "a participant id has {PARTICIPANT_ID_CHARS_MIN} to {PARTICIPANT_ID_CHARS_MAX} characters, this one has \
         {chars}; use an IRI such as `urn:agency:vn:h26.18`"
    )]
    Length {
        /// How many characters it has.
        chars: usize,
    },
    /// A character that is not allowed.
    #[error("participant id `{}` has the character {found:?} at {at}, which is not allowed; use printable ASCII \
             without space and without <>\"{{}}|\\^`#+", text.escape_default())]
    Character {
        /// The text as given.
        text: String,
        /// The character.
        found: char,
        /// Its byte offset.
        at: usize,
    },
    /// No scheme before a colon.
    #[error("participant id `{text}` has no scheme; write it as an IRI, such as `urn:agency:vn:h26.18`")]
    Scheme {
        /// The text as given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_ids_are_accepted_and_printed_as_given() {
        for id in
            ["urn:agency:vn:h26.18", "did:web:data.gov.example%3A8443", "a:b", "https://x.example/y?z=1"]
        {
            assert_eq!(ParticipantId::parse(id).unwrap().to_string(), id);
        }
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let longest = format!("u:{}", "x".repeat(PARTICIPANT_ID_CHARS_MAX - 2));
        assert!(ParticipantId::parse(&longest).is_ok());
        assert_eq!(ParticipantId::parse(&format!("{longest}x")), Err(IdError::Length { chars: 257 }));
        assert_eq!(ParticipantId::parse("a:"), Err(IdError::Length { chars: 2 }));
    }

    #[test]
    fn what_would_break_a_header_or_a_note_is_refused() {
        for bad in ["urn:a b", "urn:a#b", "urn:a+b", "urn:a\"b", "urn:a\\b", "urn:a\nb", "urn:ă", "urn:<a>"]
        {
            assert!(matches!(ParticipantId::parse(bad), Err(IdError::Character { .. })), "{bad}");
        }
        for bad in ["agency", ":abc", "1rn:abc"] {
            assert!(matches!(ParticipantId::parse(bad), Err(IdError::Scheme { .. })), "{bad}");
        }
    }

    #[test]
    fn serde_checks_as_well() {
        let id: ParticipantId = serde_json::from_str("\"urn:agency:vn:h26.18\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"urn:agency:vn:h26.18\"");
        assert!(serde_json::from_str::<ParticipantId>("\"no scheme\"").is_err());
    }
}
