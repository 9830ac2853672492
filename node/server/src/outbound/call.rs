//! What is asked of a peer: one request, not signed yet.

use std::time::Duration;

use http::Method;

use crate::limits;

/// One request to a peer.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Full URL under the peer's endpoint.
    pub url: String,
    /// Body; empty for none.
    pub body: Vec<u8>,
    /// Exchange it belongs to.
    pub exchange_id: Option<String>,
    /// Purpose it claims.
    pub purpose: Option<String>,
    /// Bearer token for data.
    pub token: Option<String>,
    /// From which byte on the body is wanted, where its beginning is here.
    pub from: Option<usize>,
    /// Largest answer that is read, bytes.
    pub answer_bytes_max: usize,
    /// How long it may take, from connecting to the last byte.
    pub timeout: Duration,
}

impl Call {
    /// GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            body: Vec::new(),
            exchange_id: None,
            purpose: None,
            token: None,
            from: None,
            answer_bytes_max: limits::MESSAGE_BYTES_MAX,
            timeout: limits::PEER_REQUEST_TIMEOUT,
        }
    }

    /// POST of a JSON body.
    pub fn post(url: impl Into<String>, body: Vec<u8>) -> Self {
        Self { method: Method::POST, body, ..Self::get(url) }
    }

    /// For an exchange.
    #[must_use]
    pub fn of(mut self, exchange_id: &str, purpose: Option<&str>) -> Self {
        self.exchange_id = Some(exchange_id.to_owned());
        self.purpose = purpose.map(str::to_owned);
        self
    }

    /// With less time than usual.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With a data token and other limits for the answer: chunks are large and lines are slow.
    #[must_use]
    pub fn data(mut self, token: &str, answer_bytes_max: usize) -> Self {
        self.token = Some(token.to_owned());
        self.answer_bytes_max = answer_bytes_max;
        self.timeout = limits::DATA_REQUEST_TIMEOUT;
        self
    }
}
