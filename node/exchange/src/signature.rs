//! A detached Ed25519 signature as it is written down. Nothing is signed or verified here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::limits::ID_BYTES_MAX;

/// Why a signature cannot be written down or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFormError {
    /// The key id is blank, too long or has spaces or control characters.
    #[error("the key id of a signature has {0} bytes or a space: use `<participant>#<thumbprint>`")]
    KeyId(usize),
    /// The signature is not canonical base64 of 64 bytes (RFC 8032 section 5.1.6).
    #[error("a signature must be base64 of exactly 64 bytes (Ed25519): sign again")]
    Signature,
}

/// Who signed, and the 64 bytes of the signature as standard base64 with padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Written")]
pub struct DetachedSignature {
    keyid: String,
    signature: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    keyid: String,
    signature: String,
}

impl DetachedSignature {
    /// Write down a signature that was made elsewhere.
    pub fn new(
        keyid: impl Into<String>,
        signature: &[u8; 64],
    ) -> Result<DetachedSignature, SignatureFormError> {
        DetachedSignature::read(keyid.into(), STANDARD.encode(signature))
    }

    pub(crate) fn read(keyid: String, signature: String) -> Result<DetachedSignature, SignatureFormError> {
        let spaced = keyid.chars().any(|c| c.is_whitespace() || c.is_control());
        if keyid.is_empty() || keyid.len() > ID_BYTES_MAX || spaced {
            return Err(SignatureFormError::KeyId(keyid.len()));
        }
        decode(&signature).ok_or(SignatureFormError::Signature)?;
        Ok(DetachedSignature { keyid, signature })
    }

    /// Who signed: `<participant id>#<thumbprint>`.
    #[must_use]
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// The 64 bytes, for verification.
    pub fn bytes(&self) -> Result<[u8; 64], SignatureFormError> {
        decode(&self.signature).ok_or(SignatureFormError::Signature)
    }

    /// Base64 of the 64 bytes.
    #[must_use]
    pub fn base64(&self) -> &str {
        &self.signature
    }
}

impl TryFrom<Written> for DetachedSignature {
    type Error = SignatureFormError;
    fn try_from(written: Written) -> Result<DetachedSignature, SignatureFormError> {
        DetachedSignature::read(written.keyid, written.signature)
    }
}

fn decode(text: &str) -> Option<[u8; 64]> {
    // 64 bytes have exactly 88 characters; asking first keeps a long text from being decoded at all.
    if text.len() != 88 {
        return None;
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_base64_of_64_bytes_is_read() {
        let good = DetachedSignature::new("urn:agency:vn:h26#abc", &[7; 64]).unwrap();
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(serde_json::from_str::<DetachedSignature>(&text).unwrap(), good);
        assert_eq!(good.bytes().unwrap(), [7; 64]);
        // The last character before the padding carries unused bits: another spelling of the same bytes.
        let other = text.replace("Bw==", "Bx==");
        assert_ne!(other, text);
        assert!(serde_json::from_str::<DetachedSignature>(&other).is_err());
        assert!(serde_json::from_str::<DetachedSignature>(&text.replace("Bw==", "")).is_err());
    }

    #[test]
    fn a_blank_or_spaced_key_id_is_refused() {
        assert!(DetachedSignature::new("", &[0; 64]).is_err());
        assert!(DetachedSignature::new("a b", &[0; 64]).is_err());
    }
}
