//! What is wrong with a question, and the body that says so.

use serde::Serialize;
use thiserror::Error;

/// Why a question cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AskError {
    /// The body is no JSON object of the protocol.
    #[error("the body is not understood: {0}; send a JSON object, or `{{}}`")]
    Body(String),
    /// The body is too long.
    #[error("the body has {0} bytes, at most {max}; shorten it", max = crate::limits::BODY_BYTES_MAX)]
    TooLong(usize),
    /// A parameter has a wrong value.
    #[error("`{name}` is not understood: {what}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What is wrong and what it takes.
        what: String,
    },
    /// Two parameters that exclude each other.
    #[error("`{0}` and `{1}` exclude each other; give one of them")]
    Both(&'static str, &'static str),
    /// A parameter that is needed is not there.
    #[error("give `{0}` or `{1}`")]
    Neither(&'static str, &'static str),
}

impl AskError {
    pub(crate) fn parameter(name: &'static str, what: impl Into<String>) -> Self {
        Self::Parameter { name, what: what.into() }
    }
}

/// Body of an answer that is no success (section "REST APIs" of the protocol).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    /// Short word for programs.
    #[serde(rename = "errorCode")]
    pub code: String,
    /// What was wrong, where, and what to do.
    pub message: String,
}

/// The word for a status, as the protocol's reference server has them.
#[must_use]
pub fn code(status: u16) -> &'static str {
    match status {
        400 | 406 | 415 | 422 => "INVALID_PARAMETER_VALUE",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "RESOURCE_DOES_NOT_EXIST",
        405 => "METHOD_NOT_ALLOWED",
        409 => "NOT_SUPPORTED",
        413 => "REQUEST_TOO_LARGE",
        429 => "REQUEST_LIMIT_EXCEEDED",
        503 => "TEMPORARILY_UNAVAILABLE",
        _ => "INTERNAL_ERROR",
    }
}

impl ErrorBody {
    /// The body of an answer with this status.
    pub fn of(status: u16, message: impl Into<String>) -> Self {
        Self { code: code(status).to_owned(), message: message.into() }
    }
}
