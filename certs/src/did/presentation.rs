//! What a credential service is asked and what it answers (DCP 1.0.1 §5): presentations, which carry credentials.

use serde_json::{Value, json};

use super::credential::Credential;
use super::document::{Document, Relation, Unlisted, list};
use super::jwt::Jwt;
use super::limits::{
    CREDENTIALS_MAX, PRESENTATION_BYTES_MAX, PRESENTATION_RESPONSE_BYTES_MAX, PRESENTATIONS_MAX,
};
use super::{DidError, DidWeb, JwtError, claim};
use crate::json::parse_bounded;

/// The context of DCP's messages.
pub const CONTEXT: &str = "https://w3id.org/dspace-dcp/v1.0/dcp.jsonld";
/// The service of a DID document that answers queries.
pub const CREDENTIAL_SERVICE: &str = "CredentialService";
/// Path of the query below the service's address.
pub const QUERY_PATH: &str = "/presentations/query";
/// Begin of a scope that names a type of credential (DCP §5.4.1.2).
pub const SCOPE_TYPE: &str = "org.eclipse.dspace.dcp.vc.type:";

const WHAT: &str = "presentation";

/// The query for some scopes.
#[must_use]
pub fn query(scopes: &[String]) -> Value {
    json!({"@context": [CONTEXT], "type": "PresentationQueryMessage", "scope": scopes})
}

/// The scope that asks for a type. Credential services of the Eclipse connector want the `:read`.
#[must_use]
pub fn scope_of(kind: &str) -> String {
    format!("{SCOPE_TYPE}{kind}:read")
}

/// The presentations of an answer, unproven.
///
/// # Errors
/// [`DidError::Response`] if it is no such message, is empty or has too much in it.
pub fn response(bytes: &[u8]) -> Result<Vec<String>, DidError> {
    let wrong = DidError::Response;
    let value = parse_bounded(bytes, PRESENTATION_RESPONSE_BYTES_MAX)
        .map_err(|_| wrong("is no JSON, too long or nested too deeply"))?;
    let map = value.as_object().ok_or(wrong("is no JSON object"))?;
    if map.get("type").and_then(Value::as_str) != Some("PresentationResponseMessage") {
        return Err(wrong("is no `PresentationResponseMessage`"));
    }
    let presentations = list(map, "presentation");
    if presentations.is_empty() {
        return Err(wrong("has no presentation"));
    }
    if presentations.len() > PRESENTATIONS_MAX {
        return Err(wrong("has too many presentations"));
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    presentations.iter().map(text).collect::<Option<_>>().ok_or(wrong("has a presentation that is no JWT"))
}

/// Proves a presentation and takes out its credentials, which are unproven still.
///
/// # Errors
/// [`DidError::Jwt`], [`DidError::Claim`] or [`DidError::Document`] if it is not the holder's own, made for `audience`
/// and valid now.
pub fn open(
    text: &str,
    holder: &Document,
    audience: &DidWeb,
    now: i64,
    unlisted: Unlisted,
) -> Result<Vec<Credential>, DidError> {
    let jwt = Jwt::read(text, PRESENTATION_BYTES_MAX).map_err(jwt_error)?;
    let did = holder.did().as_str();
    if jwt.text("iss") != Some(did) {
        return Err(claim(WHAT, "`iss` must be the party that asks"));
    }
    if jwt.text("sub").is_some_and(|sub| sub != did) {
        return Err(claim(WHAT, "`sub` must be the party that asks"));
    }
    if !jwt.is_for(audience.as_str()) {
        return Err(claim(WHAT, "`aud` must be this node's DID"));
    }
    if !jwt.valid_at(now).map_err(jwt_error)? {
        return Err(claim(WHAT, "it has expired or is not valid yet"));
    }
    jwt.verify(holder.key(jwt.signer(), Relation::Authentication, unlisted)?).map_err(jwt_error)?;
    // VC 1.1 puts the presentation under `vp`, VC 2.0 makes it the payload itself.
    let body = match jwt.claims().get("vp") {
        Some(Value::Object(vp)) => vp,
        Some(_) => return Err(claim(WHAT, "`vp` must be an object")),
        None => jwt.claims(),
    };
    if !list(body, "type").iter().any(|kind| kind == "VerifiablePresentation") {
        return Err(claim(WHAT, "its `type` must be `VerifiablePresentation`"));
    }
    if body.get("holder").is_some_and(|holder| id_of(holder) != Some(did)) {
        return Err(claim(WHAT, "`holder` must be the party that asks"));
    }
    let credentials = list(body, "verifiableCredential");
    if credentials.len() > CREDENTIALS_MAX {
        return Err(claim(WHAT, "it has too many credentials"));
    }
    credentials.iter().map(|value| Credential::read(enveloped(value)?)).collect()
}

/// A credential is a JWT, or a VC 2.0 envelope round one.
fn enveloped(value: &Value) -> Result<&str, DidError> {
    let text = match value {
        Value::String(text) => Some(text.as_str()),
        Value::Object(map) => map.get("id").and_then(Value::as_str).and_then(|id| {
            id.strip_prefix("data:application/vc+jwt,").or(id.strip_prefix("data:application/jwt,"))
        }),
        _ => None,
    };
    text.ok_or(claim(WHAT, "its credentials must be JWTs"))
}

/// A reference: a text, or an object with an `id`.
pub(crate) fn id_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(id) => Some(id),
        Value::Object(map) => map.get("id").and_then(Value::as_str),
        _ => None,
    }
}

fn jwt_error(source: JwtError) -> DidError {
    DidError::Jwt { what: WHAT, source }
}
