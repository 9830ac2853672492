//! The identifiers: `did:web:HOST[%3APORT][:WORD]*` (did:web method specification).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::DidError;
use super::limits::{DID_BYTES_MAX, DID_SEGMENTS_MAX};

/// A `did:web` that names exactly one address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DidWeb {
    text: String,
    /// Host, and port if there is one, as in a URL.
    authority: String,
    path: Vec<String>,
}

impl DidWeb {
    /// Parses an identifier without fragment, query or path parameters.
    ///
    /// # Errors
    /// [`DidError::Did`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, DidError> {
        let wrong = |why| DidError::Did { did: text.chars().take(80).collect(), why };
        if text.len() > DID_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        let rest = text.strip_prefix("did:web:").ok_or_else(|| wrong("it must begin with `did:web:`"))?;
        let mut words = rest.split(':');
        let authority = authority(words.next().unwrap_or_default()).map_err(wrong)?;
        let path: Vec<String> = words.map(str::to_owned).collect();
        if path.len() > DID_SEGMENTS_MAX {
            return Err(wrong("its path has too many words"));
        }
        if !path.iter().all(|word| path_word(word)) {
            return Err(wrong(
                "a word of its path is empty or has characters other than letters, digits, `-._`",
            ));
        }
        Ok(Self { text: text.to_owned(), authority, path })
    }

    /// The identifier as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port as in a URL: `agency.example` or `agency.example:8443`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host alone.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority.split_once(':').map_or(&self.authority, |(host, _)| host)
    }

    /// Where its document is. `scheme` is `https`, and `http` only for a place that the operator registered as such.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        let place = if self.path.is_empty() { ".well-known".to_owned() } else { self.path.join("/") };
        format!("{scheme}://{}/{place}/did.json", self.authority)
    }
}

/// Host and an optional port, which did:web writes with `%3A`.
fn authority(text: &str) -> Result<String, &'static str> {
    let plain = text.replace("%3A", ":").replace("%3a", ":");
    let (host, port) = match plain.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (plain.as_str(), None),
    };
    let label = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return Err("its host must be a name of letters, digits, `-` and `.`");
    }
    if let Some(port) = port
        && !(port.bytes().all(|c| c.is_ascii_digit())
            && !port.starts_with('0')
            && port.parse::<u16>().is_ok())
    {
        return Err("its port must be a number from 1 to 65535, written after `%3A`");
    }
    Ok(plain.to_ascii_lowercase())
}

fn path_word(word: &str) -> bool {
    !word.is_empty()
        && word != "."
        && word != ".."
        && word.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_'))
}

impl fmt::Display for DidWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for DidWeb {
    type Error = DidError;

    fn try_from(text: String) -> Result<Self, DidError> {
        Self::parse(&text)
    }
}

impl From<DidWeb> for String {
    fn from(did: DidWeb) -> Self {
        did.text
    }
}
