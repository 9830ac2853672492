//! Credentials as JWTs: VC 1.1 (the credential under `vc`) and VC 2.0 (the payload is the credential).

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::document::{Document, Relation, Unlisted, list};
use super::jwt::Jwt;
use super::limits::{CLOCK_SKEW_S, CREDENTIAL_BYTES_MAX, STATUS_ENTRIES_MAX, SUBJECTS_MAX};
use super::presentation::id_of;
use super::status::StatusEntry;
use super::{DidError, DidWeb, JwtError};

/// A credential that was taken apart; nothing in it is proven before [`Credential::verify`].
#[derive(Debug, Clone)]
pub struct Credential {
    text: String,
    issuer: DidWeb,
}

/// What a proven credential says. Its status is still to be asked, entry by entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Who issued it.
    pub issuer: DidWeb,
    /// Its types, without the general `VerifiableCredential`.
    pub types: Vec<String>,
    /// Where its status is kept.
    pub status: Vec<StatusEntry>,
    /// Ids of the schemas that it says it follows.
    pub schemas: Vec<String>,
}

impl Credential {
    /// Takes a credential apart as far as its issuer.
    ///
    /// # Errors
    /// [`DidError::Jwt`] or [`DidError::Credential`].
    pub fn read(text: &str) -> Result<Self, DidError> {
        let jwt = Jwt::read(text, CREDENTIAL_BYTES_MAX).map_err(jwt_error)?;
        let body = body(&jwt)?;
        let inner =
            body.get("issuer").map(|issuer| id_of(issuer).ok_or_else(|| wrong("`issuer` is malformed")));
        let inner = inner.transpose()?;
        let outer = jwt.text("iss");
        if let (Some(inner), Some(outer)) = (inner, outer)
            && inner != outer
        {
            return Err(wrong("`iss` and `issuer` must be the same party"));
        }
        let issuer = DidWeb::parse(outer.or(inner).ok_or_else(|| wrong("it names no issuer"))?)?;
        Ok(Self { text: text.to_owned(), issuer })
    }

    /// Whose document is needed to prove it. Ask for it only if the operator trusts that issuer.
    #[must_use]
    pub fn issuer(&self) -> &DidWeb {
        &self.issuer
    }

    /// Proves it: signed by the issuer, about the holder, valid now.
    ///
    /// # Errors
    /// [`DidError::Credential`], [`DidError::Jwt`] or [`DidError::Document`].
    pub fn verify(
        &self,
        issuer: &Document,
        holder: &DidWeb,
        now: i64,
        unlisted: Unlisted,
    ) -> Result<Proven, DidError> {
        let jwt = Jwt::read(&self.text, CREDENTIAL_BYTES_MAX).map_err(jwt_error)?;
        if issuer.did() != &self.issuer {
            return Err(wrong("the document is not its issuer's"));
        }
        jwt.verify(issuer.key(jwt.signer(), Relation::Assertion, unlisted)?).map_err(jwt_error)?;
        let body = body(&jwt)?;
        bound_to(&jwt, body, holder)?;
        if !jwt.valid_at(now).map_err(jwt_error)? || !valid_at(body, now)? {
            return Err(wrong("it has expired or is not valid yet"));
        }
        let entries = list(body, "credentialStatus");
        if entries.len() > STATUS_ENTRIES_MAX {
            return Err(wrong("it has too many status entries"));
        }
        let status = entries.iter().map(StatusEntry::read).collect::<Result<_, _>>()?;
        let schema = |value| id_of(value).map(str::to_owned).ok_or_else(|| wrong("a schema has no `id`"));
        let schemas = list(body, "credentialSchema").iter().map(schema).collect::<Result<_, _>>()?;
        let types = list(body, "type").iter().filter_map(Value::as_str);
        let types = types.filter(|kind| *kind != "VerifiableCredential").map(str::to_owned).collect();
        Ok(Proven { issuer: self.issuer.clone(), types, status, schemas })
    }
}

/// The credential itself.
pub(super) fn body<'a>(jwt: &'a Jwt<'_>) -> Result<&'a Map<String, Value>, DidError> {
    match jwt.claims().get("vc") {
        Some(Value::Object(vc)) => Ok(vc),
        Some(_) => Err(wrong("`vc` must be an object")),
        None => Ok(jwt.claims()),
    }
}

/// Each subject is the holder: nobody presents what is another's.
fn bound_to(jwt: &Jwt<'_>, body: &Map<String, Value>, holder: &DidWeb) -> Result<(), DidError> {
    let subjects = list(body, "credentialSubject");
    if subjects.is_empty() || subjects.len() > SUBJECTS_MAX {
        return Err(wrong("it has no subject, or too many"));
    }
    // `sub` should be the subject; some issuers put the credential's id there. Another party it may not be.
    let outer = jwt.text("sub").is_none_or(|sub| sub == holder.as_str() || !sub.starts_with("did:"));
    let inner = |subject: &Value| match subject.get("id").and_then(Value::as_str) {
        Some(id) => id == holder.as_str(),
        // VC 1.1 lets `sub` of the JWT stand for the id.
        None => jwt.text("sub") == Some(holder.as_str()),
    };
    if outer && subjects.iter().all(inner) {
        Ok(())
    } else {
        Err(wrong("it is about another than who presents it"))
    }
}

/// The dates inside: `validFrom`/`validUntil` of VC 2.0, `issuanceDate`/`expirationDate` of VC 1.1.
pub(super) fn valid_at(body: &Map<String, Value>, now: i64) -> Result<bool, DidError> {
    let date = |name: &str| -> Result<Option<i64>, DidError> {
        // `null` is what some issuers write for a date that there is not.
        let Some(value) = body.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        let parsed = value.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        parsed.map(|t| Some(t.unix_timestamp())).ok_or_else(|| wrong("a date is not in RFC 3339"))
    };
    for name in ["validFrom", "issuanceDate"] {
        if date(name)?.is_some_and(|t| t > now.saturating_add(CLOCK_SKEW_S)) {
            return Ok(false);
        }
    }
    for name in ["validUntil", "expirationDate"] {
        if date(name)?.is_some_and(|t| now > t.saturating_add(CLOCK_SKEW_S)) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn wrong(why: &str) -> DidError {
    DidError::Credential(why.to_owned())
}

fn jwt_error(source: JwtError) -> DidError {
    DidError::Jwt { what: "credential", source }
}
