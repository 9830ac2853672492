//! What can be wrong with a request, as OData tells it.

use serde_json::{Value, json};

use crate::limits::QUOTE_CHARS_MAX;

/// What kind of fault it is; the door makes an HTTP status of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong: 400.
    Bad,
    /// The request is OData, but this part of it is not done here: 501 (Protocol 4.01, 9.3.1).
    NotImplemented,
    /// None of the forms that were asked for can be had: 406 or, in `$format`, 415.
    NotAcceptable,
}

impl Kind {
    /// Stable word for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Bad => "BadRequest",
            Self::NotImplemented => "NotImplemented",
            Self::NotAcceptable => "NotAcceptable",
        }
    }
}

/// A fault of a request: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target}: {message}")]
pub struct Fault {
    /// What kind.
    pub kind: Kind,
    /// What is wrong and what to do.
    pub message: String,
    /// Which part of the request.
    pub target: String,
}

impl Fault {
    /// A wrong request.
    pub fn bad(target: &str, message: impl Into<String>) -> Self {
        Self { kind: Kind::Bad, message: message.into(), target: target.to_owned() }
    }

    /// Something of OData that is not done here.
    pub fn not_implemented(target: &str, message: impl Into<String>) -> Self {
        Self { kind: Kind::NotImplemented, message: message.into(), target: target.to_owned() }
    }

    /// A form that cannot be had.
    pub fn not_acceptable(target: &str, message: impl Into<String>) -> Self {
        Self { kind: Kind::NotAcceptable, message: message.into(), target: target.to_owned() }
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> Value {
        body(self.kind.code(), &self.message, Some(&self.target))
    }
}

/// The body of an answer that tells an error (JSON Format 4.01, 21.1).
#[must_use]
pub fn body(code: &str, message: &str, target: Option<&str>) -> Value {
    let mut error = json!({"code": code, "message": message});
    if let (Some(target), Some(map)) = (target, error.as_object_mut()) {
        map.insert("target".to_owned(), target.into());
    }
    json!({ "error": error })
}

/// A piece of the request as a message repeats it: one line, not too long.
pub(crate) fn quote(text: &str) -> String {
    let mut out: String =
        text.chars().take(QUOTE_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(QUOTE_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}
