//! Time-stamps (RFC 3161): a third party's signed word that a checkpoint note existed at a time.
//!
//! Promise: [`verify`] accepts a token only if it is over the SHA-256 of exactly these bytes, is signed by a
//! certificate that is for time-stamping alone (critical extended key usage) and that the signed attributes name
//! (`signingCertificateV2`, RFC 5816), and if that certificate led to one of the caller's roots at the token's time.
//! Each refusal has its own [`TimestampError`]. Nothing here reads a clock or the network: the caller sends
//! [`request`] as `application/timestamp-query` and hands the answer to [`read_response`].
//!
//! Not checked: revocation (a token of before a revocation stays good, and the lists of that day are rarely kept).
//! Refused though some authorities send them: SHA-1 (`signingCertificate` alone), fractions of a second.
//!
//! The forms come from `x509-tsp` and `cms`, chains and signatures go to `webpki` on the node's one crypto
//! provider. `sigstore-tsa` was not taken: it needs the authority's own certificate beforehand, checks neither
//! nonce nor `signingCertificateV2`, and brings types of another project.
//!
//! Begin with [`verify`]; the folder form is in [`files`].

mod chain;
pub mod files;
mod forms;
mod query;
mod token;

pub use chain::Roots;
pub use query::{read_response, request};
pub use token::{Token, verify};

/// Bytes of an answer or a stored token: public authorities send 1 to 8 KiB.
pub const TOKEN_BYTES_MAX: usize = 64 * 1024;
/// Certificates in a token.
pub const CERTIFICATES_MAX: usize = 16;
/// How far a token's time may lie ahead of the caller's clock, in seconds.
pub const SKEW_SECONDS_MAX: u64 = 60;

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When, in POSIX seconds by the authority's clock.
    pub time: u64,
    /// The subject of the certificate that signed.
    pub authority: String,
    /// The authority's policy, as a dotted object identifier.
    pub policy: String,
    /// The token's serial number at that authority, in lower-case hexadecimal digits.
    pub serial: String,
}

/// Why a time-stamp is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// The authority did not grant the request.
    #[error("the time-stamping authority refused with status {0}; see its terms and ask again")]
    Refused(u8),
    /// Bytes that are no answer or token in DER.
    #[error("not a {what} of RFC 3161: {why}; ask the authority for another")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// Where it differs.
        why: String,
    },
    /// The token is over other bytes.
    #[error("the time-stamp is over other bytes; look for the note that it was made for")]
    OtherMessage,
    /// The answer belongs to another question.
    #[error("the nonce of the time-stamp is not the one that was asked with; ask again")]
    OtherNonce,
    /// A signed attribute is missing, doubled or wrong.
    #[error("the signed attribute `{0}` of the time-stamp is missing or wrong; do not rely on it")]
    Attribute(&'static str),
    /// The signer's certificate is not in the token.
    #[error("the time-stamp does not carry its signer's certificate; ask for it with `certReq`")]
    NoCertificate,
    /// The signed attributes name another certificate.
    #[error("the time-stamp was made for another signer's certificate; do not rely on it")]
    OtherCertificate,
    /// An algorithm that is unknown or too weak.
    #[error("the time-stamp uses the algorithm {0}, which is not accepted; ask for SHA-256 or better")]
    Algorithm(String),
    /// The signature is wrong.
    #[error("the signature of the time-stamp is wrong; do not rely on it")]
    Signature,
    /// The signer's certificate is not for time-stamps alone.
    #[error(
        "the certificate `{0}` is not for time-stamping alone; its extended key usage must say so and be critical"
    )]
    Purpose(String),
    /// The signer's certificate leads to none of the roots.
    #[error("the certificate `{0}` leads to none of the configured roots; add its root if you trust it")]
    UnknownRoot(String),
    /// A certificate was not valid at the token's time.
    #[error("the certificate `{0}` or one above it was not valid at the time of the time-stamp")]
    Expired(String),
    /// The chain has another fault.
    #[error("the chain of the certificate `{subject}` is wrong: {why}")]
    Chain {
        /// The signer.
        subject: String,
        /// What the check says.
        why: String,
    },
    /// The token is from the future.
    #[error(
        "the time-stamp says {time}, but it is {now} (POSIX seconds); check this clock and the authority's"
    )]
    Future {
        /// The token's time.
        time: u64,
        /// The caller's time.
        now: u64,
    },
    /// Roots that cannot be read.
    #[error("the roots for time-stamps cannot be used: {0}; give certificates in PEM")]
    Roots(String),
}

impl TimestampError {
    fn malformed(what: &'static str) -> impl FnOnce(der::Error) -> Self {
        move |error| Self::Malformed { what, why: error.to_string() }
    }
}
