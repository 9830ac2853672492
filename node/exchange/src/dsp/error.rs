//! Why a message was not understood.

use crate::json::JsonError;

/// Why bytes are not a message of the protocol. Every such case is answered with 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The bytes are not usable JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A property that the protocol demands is absent.
    #[error("`{pointer}` is missing: expected {expected}; add it")]
    Missing {
        /// JSON pointer (RFC 6901) of the absent property.
        pointer: String,
        /// What should stand there.
        expected: String,
    },
    /// Something else stands where the protocol demands a certain form.
    #[error("`{pointer}`: expected {expected}, found {found}; {advice}")]
    Wrong {
        /// JSON pointer (RFC 6901) of the value; empty for the whole document.
        pointer: String,
        /// What should stand there.
        expected: String,
        /// What stands there: its JSON kind, or a short text. Never a secret.
        found: String,
        /// What to do next.
        advice: String,
    },
    /// The same property stands there in two spellings, such as `odrl:target` and `target`.
    #[error("`{pointer}` stands there twice, in two spellings: keep one")]
    Twice {
        /// JSON pointer (RFC 6901) of the property.
        pointer: String,
    },
}

impl MessageError {
    /// The JSON pointer of the fault; empty when the fault is in the bytes themselves.
    #[must_use]
    pub fn pointer(&self) -> &str {
        match self {
            MessageError::Json(_) => "",
            MessageError::Missing { pointer, .. }
            | MessageError::Wrong { pointer, .. }
            | MessageError::Twice { pointer } => pointer,
        }
    }
}

/// Why a text cannot be an id, an address or a time of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("{what} is blank: give it a value")]
    Blank {
        /// What the text was to be.
        what: &'static str,
    },
    /// The text is longer than allowed.
    #[error("{what} has {found} bytes, the limit is {limit}: use a shorter one")]
    TooLong {
        /// What the text was to be.
        what: &'static str,
        /// Bytes of the text.
        found: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The text has a form that the protocol does not allow.
    #[error("{what} `{text}` is not usable: {advice}")]
    Form {
        /// What the text was to be.
        what: &'static str,
        /// The text, shortened.
        text: String,
        /// What to do next.
        advice: &'static str,
    },
}

/// At most 80 characters of a foreign text, control characters shown as escapes, for an error message.
pub(crate) fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}
