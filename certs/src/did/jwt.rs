//! Signed texts of others (RFC 7515, RFC 7519, with the care of RFC 8725).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Validation;
use serde_json::{Map, Value};

use super::jwk::Key;
use super::limits::{CLOCK_SKEW_S, DID_BYTES_MAX};
use crate::json::parse_bounded;
use crate::public::TIME_MAX;

/// What is wrong with a token as such.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwtError {
    /// More bytes than allowed.
    #[error("is too long")]
    TooLong,
    /// Not three parts of URL-safe base64 with JSON objects in them.
    #[error("is not a signed JWT")]
    Malformed,
    /// Only ES256 and EdDSA are taken.
    #[error("has an algorithm other than `ES256` or `EdDSA`")]
    Algorithm,
    /// The header names extensions that must be understood.
    #[error("has a header that asks for extensions (`crit`)")]
    Critical,
    /// The key is of another kind than the header says.
    #[error("names an algorithm that is not its key's")]
    OtherAlgorithm,
    /// The signature does not fit.
    #[error("has a signature that does not fit the key")]
    Signature,
}

/// Who signed, as the header says: a full key id (`did:…#key`), a fragment, or nothing.
pub type Signer<'a> = Option<&'a str>;

/// A token that was taken apart; nothing in it is proven before [`Jwt::verify`].
pub(crate) struct Jwt<'a> {
    text: &'a str,
    algorithm: String,
    kid: Option<String>,
    claims: Map<String, Value>,
}

impl<'a> Jwt<'a> {
    pub(crate) fn read(text: &'a str, max: usize) -> Result<Self, JwtError> {
        if text.len() > max {
            return Err(JwtError::TooLong);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwtError::Malformed);
        };
        let mut header = object(header, max)?;
        let claims = object(claims, max)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(JwtError::Critical);
        }
        let algorithm = match header.remove("alg") {
            Some(Value::String(name)) if matches!(name.as_str(), "ES256" | "EdDSA") => name,
            _ => return Err(JwtError::Algorithm),
        };
        let kid = match header.remove("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= 2 * DID_BYTES_MAX => Some(kid),
            Some(_) => return Err(JwtError::Malformed),
        };
        Ok(Self { text, algorithm, kid, claims })
    }

    pub(crate) fn signer(&self) -> Signer<'_> {
        self.kid.as_deref()
    }

    pub(crate) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// Whether `aud`, one text or several, names this party.
    pub(crate) fn is_for(&self, audience: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        }
    }

    /// A NumericDate (RFC 7519 §2). `None` if absent, an error if it is no time.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, JwtError> {
        let Some(value) = self.claims.get(name) else { return Ok(None) };
        let time = value.as_i64().or_else(|| {
            // Fractions of seconds are allowed; the range is checked before the cast.
            value.as_f64().filter(|t| (0.0..=TIME_MAX as f64).contains(t)).map(|t| t as i64)
        });
        time.filter(|t| (0..=TIME_MAX).contains(t)).map(Some).ok_or(JwtError::Malformed)
    }

    /// Whether `nbf` and `exp`, where they are, allow `now`.
    pub(crate) fn valid_at(&self, now: i64) -> Result<bool, JwtError> {
        let begun = self.time("nbf")?.is_none_or(|t| t <= now.saturating_add(CLOCK_SKEW_S));
        let going = self.time("exp")?.is_none_or(|t| now <= t.saturating_add(CLOCK_SKEW_S));
        Ok(begun && going)
    }

    /// Verifies the signature: with the key's algorithm, whatever the token would like.
    pub(crate) fn verify(&self, key: &Key) -> Result<(), JwtError> {
        let named = if self.algorithm == "ES256" {
            jsonwebtoken::Algorithm::ES256
        } else {
            jsonwebtoken::Algorithm::EdDSA
        };
        if named != key.algorithm {
            return Err(JwtError::OtherAlgorithm);
        }
        crate::token::install_provider();
        let mut validation = Validation::new(key.algorithm);
        // Claims are compared by this crate, with the caller's clock.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        jsonwebtoken::decode::<Value>(self.text, &key.decoding, &validation)
            .map(|_| ())
            .map_err(|_| JwtError::Signature)
    }
}

fn object(part: &str, max: usize) -> Result<Map<String, Value>, JwtError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Malformed)?;
    match parse_bounded(&bytes, max) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(JwtError::Malformed),
    }
}
