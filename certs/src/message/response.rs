//! Signing and verifying answers.

use ed25519_dalek::Signer as _;
use http::{HeaderMap, StatusCode};

use super::base::{BaseBuilder, SignatureBase};
use super::fields::{fill_in, set, single};
use super::input::{self, ResponseParams};
use super::request::{check_skew, on_the_line};
use super::{
    HEADER_CONTENT_DIGEST, HEADER_LEAF_HASH, HEADER_LOG_INDEX, HEADER_LOG_ORIGIN, IncomingResponse,
    KeyResolver, LogPromise, MessageError, OutgoingResponse, RequestContext, SignatureEvidence,
    VerifiedResponse, digest,
};
use crate::id::ParticipantId;
use crate::keys::SigningKeyWithId;

/// Adds `content-digest`, `signature-input` and `signature` to an answer, errors and refusals included.
///
/// Write a [`LogPromise`] into the fields before, if a leaf stands for the answer. `created` is the time now in
/// Unix seconds.
///
/// # Errors
/// [`MessageError`] if the answer could not be verified by anybody.
pub fn sign_response(
    signer: &SigningKeyWithId,
    response: OutgoingResponse<'_>,
    request: &RequestContext,
    created: i64,
) -> Result<SignatureEvidence, MessageError> {
    let OutgoingResponse { status, headers, content } = response;
    fill_in(headers, &[HEADER_LOG_ORIGIN, HEADER_LOG_INDEX, HEADER_LEAF_HASH]);
    set(headers, HEADER_CONTENT_DIGEST, &digest::field_value(&content.sha256()))?;
    LogPromise::read(headers)?;
    let params = ResponseParams { created, keyid: signer.keyid().to_owned() };
    let base = build(status, headers, request, &params)?;
    let signature = signer.key().sign(base.text.as_bytes()).to_bytes();
    input::write(headers, &base.params, &signature)?;
    Ok(SignatureEvidence { base: base.text, signature })
}

/// Verifies an answer to the request with this context.
///
/// `now` is the time, in Unix seconds, at which the head of the answer arrived; `channel` is the participant whose
/// channel key is on the line.
///
/// # Errors
/// [`MessageError`] names the first thing that is wrong; an answer to another request is
/// [`MessageError::WrongSignature`].
pub fn verify_response(
    response: &IncomingResponse<'_>,
    request: &RequestContext,
    resolver: &dyn KeyResolver,
    channel: &ParticipantId,
    now: i64,
) -> Result<VerifiedResponse, MessageError> {
    let headers = response.headers;
    let (params, raw) = ResponseParams::read(headers)?;
    let (signature, _) = input::read_signature(headers)?;
    let promise = LogPromise::read(headers)?;
    let base = build(response.status, headers, request, &params)?;
    input::demand_exact(&raw, &base.params)?;

    let resolved = resolver.signing_key(&params.keyid, now);
    let resolved = resolved.ok_or_else(|| MessageError::UnknownKey(params.keyid.clone()))?;
    on_the_line(&resolved.participant, channel)?;
    check_skew(params.created, now)?;
    if !resolved.key.verify(base.text.as_bytes(), &signature) {
        return Err(MessageError::WrongSignature);
    }
    let content_sha256 = digest::check(&single(headers, HEADER_CONTENT_DIGEST)?, &response.content)?;
    Ok(VerifiedResponse {
        participant: resolved.participant,
        keyid: params.keyid,
        created: params.created,
        promise,
        content_sha256,
        evidence: SignatureEvidence { base: base.text, signature },
    })
}

fn build(
    status: StatusCode,
    headers: &HeaderMap,
    request: &RequestContext,
    params: &ResponseParams,
) -> Result<SignatureBase, MessageError> {
    let mut base = BaseBuilder::default();
    base.line("\"@status\"", status.as_str())
        .line("\"content-type\"", &single(headers, "content-type")?)
        .line("\"content-digest\"", &single(headers, HEADER_CONTENT_DIGEST)?)
        .line("\"tram-log-origin\"", &single(headers, HEADER_LOG_ORIGIN)?)
        .line("\"tram-log-index\"", &single(headers, HEADER_LOG_INDEX)?)
        .line("\"tram-leaf-hash\"", &single(headers, HEADER_LEAF_HASH)?)
        .line("\"@method\";req", &request.method)
        .line("\"@target-uri\";req", &request.target_uri)
        .line("\"content-digest\";req", &request.content_digest)
        .line("\"signature\";req;key=\"tram\"", &request.signature);
    Ok(base.finish(&params.tail()))
}
