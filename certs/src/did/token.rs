//! Self-issued tokens (DCP 1.0.1 §4.3): a party says who it is, to one other party, for one message.

use super::document::{Document, Relation, Unlisted};
use super::jwt::Jwt;
use super::limits::{ACCESS_TOKEN_BYTES_MAX, CLOCK_SKEW_S, JTI_BYTES_MAX, TOKEN_BYTES_MAX, TOKEN_LIFETIME_S};
use super::{DidError, DidWeb, JwtError, claim};

const WHAT: &str = "self-issued token";

/// A token whose claims fit; who made it is not proven yet.
pub struct Unverified<'a> {
    jwt: Jwt<'a>,
    said: SelfIssued,
}

/// What a proven token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfIssued {
    /// Who made it.
    pub did: DidWeb,
    /// Its own id.
    pub jti: String,
    /// When it was made, Unix seconds.
    pub issued: i64,
    /// Its last second, Unix time.
    pub expires: i64,
    /// What opens the party's credential service for us. A secret.
    pub access_token: Option<String>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart and compares all that can be compared without its key, so that nobody makes us fetch a
    /// document with a token that could not pass anyway.
    ///
    /// # Errors
    /// [`DidError::Jwt`], [`DidError::Claim`] or [`DidError::Did`].
    pub fn read(token: &'a str, audience: &DidWeb, now: i64) -> Result<Self, DidError> {
        let jwt = Jwt::read(token, TOKEN_BYTES_MAX).map_err(jwt_error)?;
        let (Some(issuer), Some(subject)) = (jwt.text("iss"), jwt.text("sub")) else {
            return Err(claim(WHAT, "`iss` and `sub` must be texts"));
        };
        if issuer != subject {
            return Err(claim(WHAT, "`iss` and `sub` must be the same party"));
        }
        let did = DidWeb::parse(issuer)?;
        if !jwt.is_for(audience.as_str()) {
            return Err(claim(WHAT, "`aud` must be this node's DID"));
        }
        let jti = jwt.text("jti").filter(|jti| (1..=JTI_BYTES_MAX).contains(&jti.len()));
        let jti = jti.ok_or(claim(WHAT, "`jti` is missing or too long"))?.to_owned();
        let (issued, expires) = times(&jwt, now)?;
        let access_token = match jwt.claims().get("token") {
            None => None,
            Some(value) => {
                let token = value.as_str().filter(|t| (1..=ACCESS_TOKEN_BYTES_MAX).contains(&t.len()));
                Some(token.ok_or(claim(WHAT, "`token` must be a text of allowed length"))?.to_owned())
            }
        };
        Ok(Self { said: SelfIssued { did, jti, issued, expires, access_token }, jwt })
    }

    /// Whose document is needed to prove it.
    #[must_use]
    pub fn did(&self) -> &DidWeb {
        &self.said.did
    }

    /// Proves it by the party's document. What remains is [`Replays::take`](super::Replays::take).
    ///
    /// # Errors
    /// [`DidError::Document`] if the key is not listed for this use, [`DidError::Jwt`] if the signature does not fit.
    pub fn verify(self, document: &Document, unlisted: Unlisted) -> Result<SelfIssued, DidError> {
        if document.did() != &self.said.did {
            return Err(claim(WHAT, "`sub` must be the party of the document"));
        }
        let key = document.key(self.jwt.signer(), Relation::Act, unlisted)?;
        self.jwt.verify(key).map_err(jwt_error)?;
        Ok(self.said)
    }
}

fn times(jwt: &Jwt<'_>, now: i64) -> Result<(i64, i64), DidError> {
    let (Some(issued), Some(expires)) =
        (jwt.time("iat").map_err(jwt_error)?, jwt.time("exp").map_err(jwt_error)?)
    else {
        return Err(claim(WHAT, "`iat` and `exp` must be there"));
    };
    if expires <= issued || expires - issued > TOKEN_LIFETIME_S {
        return Err(claim(WHAT, "`exp` must come after `iat`, by an hour at most"));
    }
    if issued > now.saturating_add(CLOCK_SKEW_S) {
        return Err(claim(WHAT, "`iat` lies in the future: compare the clocks"));
    }
    if !jwt.valid_at(now).map_err(jwt_error)? {
        return Err(claim(WHAT, "it has expired or is not valid yet"));
    }
    Ok((issued, expires))
}

fn jwt_error(source: JwtError) -> DidError {
    DidError::Jwt { what: WHAT, source }
}
