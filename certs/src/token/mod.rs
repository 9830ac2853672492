//! Transfer tokens: short-lived JWTs that let one consumer fetch the data of one transfer.
//!
//! Promises: one algorithm (EdDSA), one `typ`, no key or URL taken from the token's header, every claim required and
//! compared, times compared with the caller's clock, bound to the consumer's certificate (RFC 8705 `x5t#S256`) and to
//! the transfer. A stolen token is of no use on another line; on the right line it is covered by the request's
//! signature anyway.
//!
//! Not here: sessions of people, and tokens of other issuers.

use std::sync::Once;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::encode::{b64url, unb64url};
use crate::id::ParticipantId;
use crate::keys::{SigningKeyWithId, pkcs8_der};
use crate::public::{PublicKey, TIME_MAX};

/// The `typ` of our tokens (RFC 8725 §3.11): a token for something else is never taken for this.
pub const TOKEN_TYPE: &str = "tram-transfer+jwt";
/// Longest token, in bytes: claims of 1 KiB, signature and base64 around it.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Longest life of a token, in seconds: long enough for a slow line to begin, renewed while the transfer runs.
pub const TOKEN_LIFETIME_S: i64 = 15 * 60;
/// How far the clocks may differ, in seconds.
pub const TOKEN_LEEWAY_S: i64 = 30;
/// Longest transfer, agreement or token id, in bytes.
pub const TOKEN_ID_BYTES_MAX: usize = 512;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferClaims {
    /// The provider.
    pub iss: ParticipantId,
    /// Where it is good: the provider's data endpoint.
    pub aud: String,
    /// The consumer.
    pub sub: ParticipantId,
    /// The provider's id of the transfer.
    pub transfer: String,
    /// The agreement under which the data moves.
    pub agreement: String,
    /// Last second, Unix time.
    pub exp: i64,
    /// When it was made, Unix time.
    pub iat: i64,
    /// Its own id.
    pub jti: String,
    /// The certificate it is bound to.
    pub cnf: Confirmation,
}

/// Proof-of-possession claim (RFC 8705 §3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// URL-safe base64 of the SHA-256 of the consumer's channel certificate in DER.
    #[serde(rename = "x5t#S256")]
    pub x5t_s256: String,
}

impl Confirmation {
    /// From the SHA-256 of the certificate ([`peer_thumbprint`](crate::tls::peer_thumbprint)).
    #[must_use]
    pub fn of(certificate_sha256: &[u8; 32]) -> Self {
        Self { x5t_s256: b64url(certificate_sha256) }
    }
}

/// What a token must say to be accepted here and now.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer: the provider itself.
    pub issuer: &'a ParticipantId,
    /// Its signing key.
    pub key: &'a PublicKey,
    /// The provider's data endpoint.
    pub audience: &'a str,
    /// The participant on the line.
    pub subject: &'a ParticipantId,
    /// SHA-256 of the client certificate on the line.
    pub certificate_sha256: &'a [u8; 32],
    /// The transfer that the request names.
    pub transfer: &'a str,
    /// Unix seconds.
    pub now: i64,
}

/// Makes a token.
///
/// # Errors
/// [`TokenError::Claims`] if [`verify`] would refuse the claims whatever the request.
pub fn mint(signer: &SigningKeyWithId, claims: &TransferClaims) -> Result<String, TokenError> {
    if &claims.iss != signer.participant() {
        return Err(TokenError::Claims("`iss` must be the holder of the signing key"));
    }
    check_form(claims)?;
    install_provider();
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TOKEN_TYPE.to_owned());
    header.kid = Some(signer.keyid().to_owned());
    let key = EncodingKey::from_ed_der(&pkcs8_der(signer.key().as_bytes()));
    jsonwebtoken::encode(&header, claims, &key).map_err(|_| TokenError::Signing)
}

/// Verifies a token against the request that carries it.
///
/// # Errors
/// [`TokenError`] names the first thing that does not fit. Never log the token itself.
pub fn verify(token: &str, expected: &Expected<'_>) -> Result<TransferClaims, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::TooLong);
    }
    install_provider();
    check_header(token, expected)?;
    let key = DecodingKey::from_ed_der(&expected.key.to_bytes());
    let data = jsonwebtoken::decode::<TransferClaims>(token, &key, &validation(expected)).map_err(named)?;
    let claims = data.claims;
    check_form(&claims)?;
    check_times(&claims, expected.now)?;
    if claims.transfer != expected.transfer {
        return Err(TokenError::OtherTransfer);
    }
    let bound = unb64url::<32>(&claims.cnf.x5t_s256).ok_or(TokenError::Claims("`cnf` is malformed"))?;
    if !bool::from(bound.ct_eq(expected.certificate_sha256)) {
        return Err(TokenError::OtherCertificate);
    }
    Ok(claims)
}

/// Two libraries of this program could bring a provider each; whichever comes first, it is this one.
pub(crate) fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that it is installed already: by us, since no other is compiled in.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

/// Only `typ`, `alg` and `kid` may stand in the header: nothing in it may choose keys, places or meanings.
fn check_header(token: &str, expected: &Expected<'_>) -> Result<(), TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
    let mut wanted = Header::new(Algorithm::EdDSA);
    wanted.typ = Some(TOKEN_TYPE.to_owned());
    wanted.kid = Some(expected.key.keyid(expected.issuer));
    if header.kid != wanted.kid {
        return Err(TokenError::OtherKey);
    }
    if header == wanted { Ok(()) } else { Err(TokenError::Header) }
}

fn validation(expected: &Expected<'_>) -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    // Without this, a token that has no `aud` or `iss` at all would pass.
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    validation.set_audience(&[expected.audience]);
    validation.set_issuer(&[expected.issuer]);
    validation.sub = Some(expected.subject.to_string());
    // The library would take the time from the air; `check_times` compares with the caller's.
    validation.validate_exp = false;
    validation
}

fn check_form(claims: &TransferClaims) -> Result<(), TokenError> {
    let short = |text: &str| (1..=TOKEN_ID_BYTES_MAX).contains(&text.len());
    if ![&claims.transfer, &claims.agreement, &claims.jti, &claims.aud].iter().all(|text| short(text)) {
        return Err(TokenError::Claims("an id is empty or too long"));
    }
    if claims.iat < 0 || claims.exp > TIME_MAX || claims.exp <= claims.iat {
        return Err(TokenError::Claims("`exp` must come after `iat`"));
    }
    if claims.exp - claims.iat > TOKEN_LIFETIME_S {
        return Err(TokenError::Claims("it would live too long"));
    }
    if unb64url::<32>(&claims.cnf.x5t_s256).is_none() {
        return Err(TokenError::Claims("`cnf` must be the SHA-256 of a certificate in URL-safe base64"));
    }
    Ok(())
}

fn check_times(claims: &TransferClaims, now: i64) -> Result<(), TokenError> {
    if now > claims.exp.saturating_add(TOKEN_LEEWAY_S) {
        return Err(TokenError::Expired);
    }
    if claims.iat > now.saturating_add(TOKEN_LEEWAY_S) {
        return Err(TokenError::NotYet);
    }
    Ok(())
}

fn named(error: jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::WrongSignature,
        ErrorKind::InvalidAudience => TokenError::OtherAudience,
        ErrorKind::InvalidIssuer => TokenError::OtherIssuer,
        ErrorKind::InvalidSubject => TokenError::OtherSubject,
        ErrorKind::MissingRequiredClaim(_) => TokenError::Claims("a required claim is missing"),
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => TokenError::Header,
        _ => TokenError::Malformed,
    }
}

/// Why a token is refused, or cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Not a token of this form.
    #[error("the token is malformed; ask the provider for a new one")]
    Malformed,
    /// Another `typ` or algorithm, or fields that choose keys.
    #[error("the token's header is not that of a transfer token")]
    Header,
    /// Signed with another key.
    #[error("the token was signed with another key than the provider's present one; ask for a new one")]
    OtherKey,
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    WrongSignature,
    /// A claim is missing or cannot be.
    #[error("the token's claims cannot be used: {0}")]
    Claims(&'static str),
    /// For another endpoint.
    #[error("the token is for another endpoint")]
    OtherAudience,
    /// Of another provider.
    #[error("the token is of another provider")]
    OtherIssuer,
    /// For another consumer.
    #[error("the token is for another consumer")]
    OtherSubject,
    /// For another transfer.
    #[error("the token is for another transfer")]
    OtherTransfer,
    /// Bound to another certificate.
    #[error("the token is bound to another certificate; ask for a new one after a certificate was renewed")]
    OtherCertificate,
    /// Past its time.
    #[error("the token has expired; ask for a new one")]
    Expired,
    /// Made in the future.
    #[error("the token was made in the future; set the clocks of both nodes (NTP)")]
    NotYet,
    /// The key could not sign.
    #[error("the token could not be signed")]
    Signing,
}

#[cfg(test)]
mod tests;
