//! Content-Digest (RFC 9530), SHA-256 only.

use subtle::ConstantTimeEq as _;

use super::{HEADER_CONTENT_DIGEST, MessageError};
use crate::encode::{b64, sha256, unb64};

/// The content of a message: its bytes, or their digest where they were hashed already (chunks from the spool).
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// The bytes as sent, after any content coding; empty for a message without content.
    Bytes(&'a [u8]),
    /// Their SHA-256. On the way in: of the bytes that really arrived.
    Sha256([u8; 32]),
}

impl Content<'_> {
    /// A message without content.
    pub const EMPTY: Content<'static> = Content::Bytes(&[]);

    /// SHA-256 of the content.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        match self {
            Self::Bytes(bytes) => sha256(bytes),
            Self::Sha256(digest) => *digest,
        }
    }
}

/// The field value for a digest.
pub(super) fn field_value(digest: &[u8; 32]) -> String {
    format!("sha-256=:{}:", b64(digest))
}

/// Compares the content with the (already authenticated) field; returns the digest.
pub(super) fn check(field: &str, content: &Content<'_>) -> Result<[u8; 32], MessageError> {
    let claimed = parse(field)?;
    let actual = content.sha256();
    if bool::from(claimed.ct_eq(&actual)) { Ok(actual) } else { Err(MessageError::WrongDigest) }
}

/// The digest in a field of exactly this form; a second algorithm or a parameter is refused.
fn parse(field: &str) -> Result<[u8; 32], MessageError> {
    field
        .strip_prefix("sha-256=:")
        .and_then(|rest| rest.strip_suffix(':'))
        .and_then(unb64::<32>)
        .ok_or(MessageError::Field { field: HEADER_CONTENT_DIGEST, why: "it must be one `sha-256` digest" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_rfc_9530_matches() {
        let digest = Content::Bytes(br#"{"hello": "world"}"#).sha256();
        assert_eq!(field_value(&digest), "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    }

    #[test]
    fn other_algorithms_forms_and_contents_are_refused() {
        let good = field_value(&Content::Bytes(b"x").sha256());
        assert!(check(&good, &Content::Bytes(b"x")).is_ok());
        assert_eq!(check(&good, &Content::Bytes(b"y")), Err(MessageError::WrongDigest));
        assert_eq!(check(&good, &Content::Sha256([0; 32])), Err(MessageError::WrongDigest));
        let twice = format!("{good}, {good}");
        for bad in
            ["", "sha-256=::", "sha-512=:AAAA:", &good[1..], &format!("{good};a=1"), &twice, "md5=:AA==:"]
        {
            assert!(matches!(check(bad, &Content::EMPTY), Err(MessageError::Field { .. })), "{bad}");
        }
    }
}
