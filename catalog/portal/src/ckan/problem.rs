//! Errors with the types that CKAN's clients tell apart.

use serde_json::{Value, json};
use thiserror::Error;

/// Why an action gave no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Nothing of that name, or nothing that the one who asks may know of.
    #[error("Not found: {0} was not found.")]
    NotFound(String),
    /// A parameter that is missing or cannot be.
    #[error("{field}: {message}")]
    Validation {
        /// The parameter.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// The key does not open this.
    #[error("Access denied: {0}")]
    Authorization(String),
    /// A query that cannot be read.
    #[error("Search Query is invalid: {0}")]
    SearchQuery(String),
    /// The search failed; the page would be too short.
    #[error("Search error: {0}")]
    Search(String),
    /// A request that cannot be read at all; the body is then a plain text, as CKAN's is.
    #[error("Bad request - {0}")]
    BadRequest(String),
    /// The node cannot answer now. Never a shorter list.
    #[error("Internal error: {0}")]
    Unavailable(String),
}

impl Problem {
    /// HTTP status, as CKAN's own.
    pub fn status(&self) -> u16 {
        match self {
            Problem::NotFound(_) => 404,
            Problem::Validation { .. } | Problem::Search(_) => 409,
            Problem::Authorization(_) => 403,
            Problem::SearchQuery(_) | Problem::BadRequest(_) => 400,
            Problem::Unavailable(_) => 503,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Problem::NotFound(_) => "Not Found Error",
            Problem::Validation { .. } => "Validation Error",
            Problem::Authorization(_) => "Authorization Error",
            Problem::SearchQuery(_) => "Search Query Error",
            Problem::Search(_) => "Search Error",
            Problem::BadRequest(_) => "Bad Request Error",
            Problem::Unavailable(_) => "Internal Server Error",
        }
    }

    /// The value of `error`.
    pub(super) fn body(&self) -> Value {
        match self {
            Problem::Validation { field, message } => {
                let mut body = serde_json::Map::new();
                body.insert("__type".to_owned(), json!(self.kind()));
                body.insert(field.clone(), json!([message]));
                Value::Object(body)
            }
            _ => json!({ "__type": self.kind(), "message": self.to_string() }),
        }
    }
}
