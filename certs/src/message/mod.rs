//! Signed requests and answers between nodes: one exact profile of RFC 9421 (HTTP Message Signatures) with
//! RFC 9530 (Content-Digest).
//!
//! Promises: one label, one list of covered components in one order, one set of parameters in one order; whatever
//! differs is refused, so a message has exactly one reading. A request is fresh (±30 s), was not seen before, and
//! is signed by the participant whose channel key is on the line. An answer covers the request it answers
//! (method, target, digest, signature), so it cannot be put under another question, and the provider's ledger
//! position, which is a signed promise of inclusion.
//!
//! ```text
//! request   ("@method" "@target-uri" "content-type" "content-digest" "tram-exchange-id" "tram-purpose"
//!            ["authorization"]);created;expires;nonce;alg="ed25519";keyid;tag="tram-request"
//! answer    ("@status" "content-type" "content-digest" "tram-log-origin" "tram-log-index" "tram-leaf-hash"
//!            "@method";req "@target-uri";req "content-digest";req "signature";req;key="tram")
//!            ;created;alg="ed25519";keyid;tag="tram-response"
//! ```
//!
//! Not here: sockets, compression (sign outside it, or leave it off), and what the message asks for.
//!
//! Begin with [`sign_request`] and [`verify_request`]; the answer's pair is [`sign_response`], [`verify_response`].

mod base;
mod digest;
mod fields;
mod input;
mod nonce;
mod request;
mod response;

use http::{HeaderMap, Method, StatusCode};

pub use digest::Content;
pub use nonce::{LastStop, NONCES_MAX, NONCES_PER_KEY_MAX, NonceCache};
pub use request::{sign_request, verify_request};
pub use response::{sign_response, verify_response};

use crate::id::ParticipantId;
use crate::public::PublicKey;

/// The exchange that the request belongs to; `-` if none.
pub const HEADER_EXCHANGE_ID: &str = "tram-exchange-id";
/// The purpose that the request claims; `-` if none.
pub const HEADER_PURPOSE: &str = "tram-purpose";
/// Origin of the ledger in which the answer's leaf stands; `-` if no leaf stands for the answer.
pub const HEADER_LOG_ORIGIN: &str = "tram-log-origin";
/// Index of that leaf, decimal; `-` if none.
pub const HEADER_LOG_INDEX: &str = "tram-log-index";
/// Hash of that leaf, standard base64; `-` if none.
pub const HEADER_LEAF_HASH: &str = "tram-leaf-hash";
/// RFC 9530 digest of the content.
pub const HEADER_CONTENT_DIGEST: &str = "content-digest";
/// RFC 9421 signature parameters.
pub const HEADER_SIGNATURE_INPUT: &str = "signature-input";
/// RFC 9421 signature.
pub const HEADER_SIGNATURE: &str = "signature";
/// What stands where there is nothing to say, so that the list of covered components never varies.
pub const NONE: &str = "-";

/// How far the clocks of two nodes may differ, in seconds.
pub const CLOCK_SKEW_S: i64 = 30;
/// How long a request may live, in seconds.
pub const REQUEST_LIFETIME_S: i64 = 60;
/// Longest target URI, in bytes; twice what common servers take.
pub const TARGET_URI_BYTES_MAX: usize = 8 * 1024;
/// Longest covered field value, in bytes; the whole head is limited to 16 KiB by the server.
pub const FIELD_BYTES_MAX: usize = 8 * 1024;
/// Longest exchange id or purpose, in bytes.
pub const LABEL_BYTES_MAX: usize = 256;

/// A request that is about to be signed.
#[derive(Debug)]
pub struct OutgoingRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The peer's base URL with path and query, exactly as the peer will rebuild it.
    pub target_uri: &'a str,
    /// Digest and signature are added here; `content-type` and the `tram-` fields are filled in if absent.
    pub headers: &'a mut HeaderMap,
    /// The content as sent.
    pub content: Content<'a>,
}

/// A request that came in.
#[derive(Debug)]
pub struct IncomingRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// Our configured base URL with the path and query received; never taken from the `Host` field.
    pub target_uri: &'a str,
    /// The fields received.
    pub headers: &'a HeaderMap,
    /// The content received, bounded by the caller.
    pub content: Content<'a>,
}

/// An answer that is about to be signed.
#[derive(Debug)]
pub struct OutgoingResponse<'a> {
    /// The status.
    pub status: StatusCode,
    /// Digest and signature are added here; `content-type` and the `tram-` fields are filled in if absent
    /// (see [`LogPromise::write`]).
    pub headers: &'a mut HeaderMap,
    /// The content as sent.
    pub content: Content<'a>,
}

/// An answer that came in.
#[derive(Debug)]
pub struct IncomingResponse<'a> {
    /// The status.
    pub status: StatusCode,
    /// The fields received.
    pub headers: &'a HeaderMap,
    /// The content received, bounded by the caller.
    pub content: Content<'a>,
}

/// What an answer covers of the request that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestContext {
    method: String,
    target_uri: String,
    content_digest: String,
    signature: String,
}

/// A request that was signed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// Needed to verify the answer.
    pub context: RequestContext,
    /// What was signed, for the evidence store.
    pub evidence: SignatureEvidence,
}

/// A signature and exactly what it covers: the evidence that a statement commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureEvidence {
    /// The RFC 9421 signature base.
    pub base: String,
    /// The Ed25519 signature over it.
    pub signature: [u8; 64],
}

impl SignatureEvidence {
    /// Signature base followed by the 64 signature bytes: the value that a statement's `request` commits to.
    #[must_use]
    pub fn commit_bytes(&self) -> Vec<u8> {
        [self.base.as_bytes(), &self.signature].concat()
    }

    /// SHA-256 of the signature base.
    #[must_use]
    pub fn base_sha256(&self) -> [u8; 32] {
        crate::encode::sha256(self.base.as_bytes())
    }
}

/// A request whose signature, freshness and content were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRequest {
    /// Who signed: the participant on the line.
    pub participant: ParticipantId,
    /// With which key.
    pub keyid: String,
    /// When it was signed, Unix seconds.
    pub created: i64,
    /// `tram-exchange-id`, unless `-`.
    pub exchange_id: Option<String>,
    /// `tram-purpose`, unless `-`.
    pub purpose: Option<String>,
    /// SHA-256 of the content.
    pub content_sha256: [u8; 32],
    /// Needed to sign the answer.
    pub context: RequestContext,
    /// What was verified, for the evidence store.
    pub evidence: SignatureEvidence,
}

/// An answer whose signature, freshness, content and binding to its request were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedResponse {
    /// Who signed: the participant on the line.
    pub participant: ParticipantId,
    /// With which key.
    pub keyid: String,
    /// When it was signed, Unix seconds.
    pub created: i64,
    /// The promise that the answer's leaf stands in the provider's ledger; `None` if no leaf stands for it.
    pub promise: Option<LogPromise>,
    /// SHA-256 of the content.
    pub content_sha256: [u8; 32],
    /// What was verified, for the evidence store.
    pub evidence: SignatureEvidence,
}

/// "This leaf stands at this index of my ledger": under the provider's signature it is a promise of inclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPromise {
    /// The ledger's origin.
    pub origin: String,
    /// The leaf's index.
    pub index: u64,
    /// The leaf's RFC 6962 hash.
    pub leaf_hash: [u8; 32],
}

/// Where keys come from: the registry, never the message.
pub trait KeyResolver {
    /// The signing key with this id if it may sign messages at `at` (Unix seconds).
    fn signing_key(&self, keyid: &str, at: i64) -> Option<ResolvedKey>;
}

/// A key and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedKey {
    /// The holder.
    pub participant: ParticipantId,
    /// The public key (Ed25519: the only algorithm of this profile).
    pub key: PublicKey,
}

/// Why a message is refused. Each is a refusal, never a warning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A field that must be there exactly once is absent.
    #[error("the field `{0}` is missing; every message between nodes carries it")]
    Missing(&'static str),
    /// A field stands there more than once.
    #[error("the field `{0}` stands there more than once; send it once")]
    Repeated(&'static str),
    /// A field value cannot be used.
    #[error("the field `{field}` cannot be used: {why}")]
    Field {
        /// Which field.
        field: &'static str,
        /// The reason.
        why: &'static str,
    },
    /// The target URI cannot be signed.
    #[error("the target URI cannot be used: {0}")]
    TargetUri(&'static str),
    /// `signature-input` is not in the profile.
    #[error("`signature-input` does not follow the profile: {0}")]
    Profile(&'static str),
    /// The key is unknown, not valid now, or its holder is not active.
    #[error("no valid signing key `{0}` in the registry; check the registry version on both nodes")]
    UnknownKey(String),
    /// Signed by another participant than the one on the line.
    #[error(
        "`{signer}` signed a message that came over the channel of `{channel}`; each node signs for itself"
    )]
    NotOnTheLine {
        /// Who signed.
        signer: ParticipantId,
        /// Whose channel key is on the line.
        channel: ParticipantId,
    },
    /// `created` is too far from our clock.
    #[error(
        "the message was made {0} s away from this node's clock, {CLOCK_SKEW_S} s are allowed; set the clocks of both nodes (NTP)"
    )]
    ClockSkew(i64),
    /// Past its `expires`, or living longer than allowed.
    #[error("the message expired, or would live longer than {REQUEST_LIFETIME_S} s; sign it again")]
    Expired,
    /// This nonce was used before.
    #[error("the message was received before; sign a retry anew")]
    Replayed,
    /// Made before this node can tell new from old.
    #[error("the message is older than this node's memory of messages; sign it again in {retry_after_s} s")]
    BeforeMemory {
        /// When a retry can succeed.
        retry_after_s: i64,
    },
    /// The nonce memory is full.
    #[error("too many messages within a minute; send it again later")]
    Busy,
    /// The signature is wrong.
    #[error("the signature is wrong: the message was changed, or signed for another node or question")]
    WrongSignature,
    /// The content is not what was signed.
    #[error("the content does not match its digest: it was changed or cut on the way")]
    WrongDigest,
}

#[cfg(test)]
mod tests;
