//! Signing and verifying requests.

use ed25519_dalek::Signer as _;
use http::Method;

use super::base::{BaseBuilder, SignatureBase};
use super::fields::{check_target_uri, fill_in, label, optional, set, single};
use super::input::{self, RequestParams};
use super::{
    CLOCK_SKEW_S, HEADER_CONTENT_DIGEST, HEADER_EXCHANGE_ID, HEADER_PURPOSE, IncomingRequest, KeyResolver,
    MessageError, NonceCache, OutgoingRequest, REQUEST_LIFETIME_S, RequestContext, SignatureEvidence,
    SignedRequest, VerifiedRequest, digest,
};
use crate::id::ParticipantId;
use crate::keys::SigningKeyWithId;

/// Adds `content-digest`, `signature-input` and `signature` to a request.
///
/// `created` is the time now in Unix seconds; `nonce` is 16 fresh random bytes.
///
/// # Errors
/// [`MessageError::TargetUri`], [`MessageError::Repeated`] or [`MessageError::Field`] if the request could not be
/// verified by anybody.
pub fn sign_request(
    signer: &SigningKeyWithId,
    request: OutgoingRequest<'_>,
    created: i64,
    nonce: [u8; 16],
) -> Result<SignedRequest, MessageError> {
    let OutgoingRequest { method, target_uri, headers, content } = request;
    let content_digest = digest::field_value(&content.sha256());
    fill_in(headers, &[HEADER_EXCHANGE_ID, HEADER_PURPOSE]);
    set(headers, HEADER_CONTENT_DIGEST, &content_digest)?;
    label(headers, HEADER_EXCHANGE_ID)?;
    label(headers, HEADER_PURPOSE)?;
    let expires = created.saturating_add(REQUEST_LIFETIME_S);
    let params = RequestParams { created, expires, nonce, keyid: signer.keyid().to_owned() };
    let base = build(method, target_uri, headers, &params)?;
    let signature = signer.key().sign(base.text.as_bytes()).to_bytes();
    let value = input::write(headers, &base.params, &signature)?;
    Ok(SignedRequest {
        context: RequestContext::new(method, target_uri, content_digest, value),
        evidence: SignatureEvidence { base: base.text, signature },
    })
}

/// Verifies a request.
///
/// `now` is the time, in Unix seconds, at which the head of the request arrived (a slow line may take longer than
/// the allowed skew for the content); `channel` is the participant whose channel key is on the line.
///
/// The order is: strict parse; key from the registry by its id; signer is the participant on the line; `created`
/// and `expires`; nonce not seen; signature (strict); nonce remembered; content digest.
///
/// # Errors
/// [`MessageError`] names the first thing that is wrong.
pub fn verify_request(
    request: &IncomingRequest<'_>,
    resolver: &dyn KeyResolver,
    channel: &ParticipantId,
    now: i64,
    nonces: &NonceCache,
) -> Result<VerifiedRequest, MessageError> {
    let headers = request.headers;
    let (params, raw) = RequestParams::read(headers)?;
    let (signature, signature_value) = input::read_signature(headers)?;
    let exchange_id = label(headers, HEADER_EXCHANGE_ID)?;
    let purpose = label(headers, HEADER_PURPOSE)?;
    let base = build(request.method, request.target_uri, headers, &params)?;
    input::demand_exact(&raw, &base.params)?;

    let resolved = resolver.signing_key(&params.keyid, now);
    let resolved = resolved.ok_or_else(|| MessageError::UnknownKey(params.keyid.clone()))?;
    on_the_line(&resolved.participant, channel)?;
    check_times(&params, now)?;
    nonces.look(&params.keyid, &params.nonce, params.created, now)?;
    if !resolved.key.verify(base.text.as_bytes(), &signature) {
        return Err(MessageError::WrongSignature);
    }
    nonces.accept(&params.keyid, params.nonce, params.created, now)?;
    let content_digest = single(headers, HEADER_CONTENT_DIGEST)?;
    let content_sha256 = digest::check(&content_digest, &request.content)?;
    Ok(VerifiedRequest {
        participant: resolved.participant,
        keyid: params.keyid,
        created: params.created,
        exchange_id,
        purpose,
        content_sha256,
        context: RequestContext::new(request.method, request.target_uri, content_digest, signature_value),
        evidence: SignatureEvidence { base: base.text, signature },
    })
}

/// The signer must be who the channel says: one node never speaks for another.
pub(super) fn on_the_line(signer: &ParticipantId, channel: &ParticipantId) -> Result<(), MessageError> {
    if signer == channel {
        return Ok(());
    }
    Err(MessageError::NotOnTheLine { signer: signer.clone(), channel: channel.clone() })
}

/// `created` within the allowed skew of `now`.
pub(super) fn check_skew(created: i64, now: i64) -> Result<(), MessageError> {
    let away = now.saturating_sub(created);
    if away.unsigned_abs() > CLOCK_SKEW_S.unsigned_abs() {
        Err(MessageError::ClockSkew(away))
    } else {
        Ok(())
    }
}

fn check_times(params: &RequestParams, now: i64) -> Result<(), MessageError> {
    check_skew(params.created, now)?;
    let lifetime = params.expires.saturating_sub(params.created);
    if !(0..=REQUEST_LIFETIME_S).contains(&lifetime) || params.expires < now {
        return Err(MessageError::Expired);
    }
    Ok(())
}

fn build(
    method: &Method,
    target_uri: &str,
    headers: &http::HeaderMap,
    params: &RequestParams,
) -> Result<SignatureBase, MessageError> {
    check_target_uri(target_uri)?;
    let mut base = BaseBuilder::default();
    base.line("\"@method\"", &method.as_str().to_ascii_uppercase())
        .line("\"@target-uri\"", target_uri)
        .line("\"content-type\"", &single(headers, "content-type")?)
        .line("\"content-digest\"", &single(headers, HEADER_CONTENT_DIGEST)?)
        .line("\"tram-exchange-id\"", &single(headers, HEADER_EXCHANGE_ID)?)
        .line("\"tram-purpose\"", &single(headers, HEADER_PURPOSE)?);
    // A token that is there is covered; one that is added or taken away on the way changes the list.
    if let Some(token) = optional(headers, "authorization")? {
        base.line("\"authorization\"", &token);
    }
    Ok(base.finish(&params.tail()))
}
