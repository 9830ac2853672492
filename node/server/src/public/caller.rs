//! Who asks at the public door: a party by its key, or the public.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::parties;

/// The header in which clients of CKAN send their key.
const CKAN_KEY: &str = "x-ckan-api-key";

/// Who asks, with what its key says.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    /// Participant id for the rules: the party's, or [`parties::PUBLIC`].
    pub subject: String,
    /// Purpose, where the key names one.
    pub purpose: Option<String>,
    /// Legal basis, where the key names one.
    pub basis: Option<String>,
    /// SHA-256 of the key, hex; none for the public.
    pub key: Option<String>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({})", self.subject)
    }
}

impl Caller {
    /// Everybody without a key.
    pub fn public() -> Self {
        Self { subject: parties::PUBLIC.to_owned(), purpose: None, basis: None, key: None }
    }

    /// Whether it is nobody in particular.
    pub fn is_public(&self) -> bool {
        self.subject == parties::PUBLIC
    }

    /// Who sent these headers.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a key that is not good.
    pub fn of(node: &Node, headers: &HeaderMap) -> Result<Self> {
        let Some(key) = presented(headers)? else { return Ok(Self::public()) };
        let (party, record) = parties::authenticate(node, &key, node.clock.now())?;
        Ok(Self { subject: party.id, purpose: record.purpose, basis: record.basis, key: Some(record.sha256) })
    }
}

/// A refusal of a key, with the challenge that RFC 9110 §11.6.1 asks for; spreadsheets ask their user for a password on it.
pub struct NotGood(Error);

impl IntoResponse for NotGood {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenge =
                HeaderValue::from_static("Bearer realm=\"tram\", Basic realm=\"tram\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl FromRequestParts<Arc<Node>> for Caller {
    type Rejection = NotGood;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> std::result::Result<Self, NotGood> {
        Self::of(node, &parts.headers).map_err(NotGood)
    }
}

/// The key that was sent, if any: `Bearer KEY`, the password of `Basic` (RFC 7617; the user name says nothing), or the key
/// alone, as clients of CKAN send it.
fn presented(headers: &HeaderMap) -> Result<Option<String>> {
    let unreadable = || {
        Error::Unauthenticated(
            "the Authorization field cannot be read; send `Bearer KEY`, or Basic with the key as password"
                .to_owned(),
        )
    };
    let sent = headers.get(header::AUTHORIZATION).or_else(|| headers.get(CKAN_KEY));
    let Some(sent) = sent else { return Ok(None) };
    let sent = sent.to_str().map_err(|_| unreadable())?.trim();
    if sent.len() > limits::AUTHORIZATION_BYTES_MAX {
        return Err(unreadable());
    }
    let (scheme, rest) = sent.split_once(' ').unwrap_or(("", sent));
    match scheme.to_ascii_lowercase().as_str() {
        "" | "bearer" => Ok(Some(rest.trim().to_owned())),
        "basic" => {
            let pair = STANDARD.decode(rest.trim()).map_err(|_| unreadable())?;
            let pair = String::from_utf8(pair).map_err(|_| unreadable())?;
            let (_, password) = pair.split_once(':').ok_or_else(unreadable)?;
            Ok(Some(password.to_owned()))
        }
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn a_key_comes_in_the_ways_of_the_field_and_anything_else_is_refused() {
        assert_eq!(presented(&HeaderMap::new()).unwrap(), None);
        let basic = format!("Basic {}", STANDARD.encode("excel:tram_k"));
        for (name, value) in [
            ("authorization", "Bearer tram_k"),
            ("authorization", "bearer  tram_k"),
            ("authorization", basic.as_str()),
            ("authorization", "tram_k"),
            ("x-ckan-api-key", "tram_k"),
        ] {
            assert_eq!(presented(&sent(name, value)).unwrap().as_deref(), Some("tram_k"), "{value}");
        }
        let long = "x".repeat(limits::AUTHORIZATION_BYTES_MAX + 1);
        for bad in ["Digest x", "Basic ###", "Basic bm9jb2xvbg==", long.as_str()] {
            assert!(presented(&sent("authorization", bad)).is_err(), "{bad}");
        }
    }
}
