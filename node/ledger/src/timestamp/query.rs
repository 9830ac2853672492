//! The question to an authority and its answer (RFC 3161 section 2.4).

use der::asn1::{Int, Null, OctetString};
use der::{Any, Decode as _, Encode as _, Reader as _, SliceReader};
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp};

use super::{TOKEN_BYTES_MAX, TimestampError, Token, forms};
use cms::cert::x509::spki::AlgorithmIdentifier;

/// `granted` and `grantedWithMods` (RFC 3161 section 2.4.2).
const GRANTED: u8 = 1;

/// The question for a time-stamp over a SHA-256 digest, with the signer's certificate in the answer. Make the nonce
/// of 64 random bits, and never ask with 0.
///
/// # Errors
/// [`TimestampError::Malformed`] cannot happen for a digest of 32 bytes.
pub fn request(digest: &[u8; 32], nonce: u64) -> Result<Vec<u8>, TimestampError> {
    let refuse = TimestampError::malformed;
    let question = TimeStampReq {
        version: forms::VERSION,
        message_imprint: MessageImprint {
            hash_algorithm: AlgorithmIdentifier { oid: forms::SHA_256, parameters: Some(Any::from(Null)) },
            hashed_message: OctetString::new(&digest[..]).map_err(refuse("request"))?,
        },
        req_policy: None,
        nonce: Some(Int::new(&number(nonce)).map_err(refuse("request"))?),
        cert_req: true,
        extensions: None,
    };
    question.to_der().map_err(refuse("request"))
}

/// Reads an answer: granted, over this digest, with this nonce. What it is worth only [`super::verify`] tells.
///
/// # Errors
/// [`TimestampError::Refused`], [`TimestampError::Malformed`], [`TimestampError::OtherMessage`],
/// [`TimestampError::OtherNonce`].
pub fn read_response(bytes: &[u8], digest: &[u8; 32], nonce: u64) -> Result<Token, TimestampError> {
    let token = Token::from_der(&split(bytes)?)?;
    if !token.is_over(digest) {
        return Err(TimestampError::OtherMessage);
    }
    if token.nonce() != Some(&number(nonce)) {
        return Err(TimestampError::OtherNonce);
    }
    Ok(token)
}

/// The token's own bytes in a granted answer.
pub(super) fn split(bytes: &[u8]) -> Result<Vec<u8>, TimestampError> {
    let refuse = TimestampError::malformed;
    if bytes.len() > TOKEN_BYTES_MAX {
        let why = format!("{} bytes, over the limit of {TOKEN_BYTES_MAX}", bytes.len());
        return Err(TimestampError::Malformed { what: "response", why });
    }
    let answer = TimeStampResp::from_der(bytes).map_err(refuse("response"))?;
    let status = answer.status.status as u8;
    if status > GRANTED {
        return Err(TimestampError::Refused(status));
    }
    // The token's bytes are kept as they came: encoding them anew might sort what its author did not.
    let mut reader = SliceReader::new(bytes).map_err(refuse("response"))?;
    let parts = reader.sequence(|inside| {
        inside.tlv_bytes()?;
        if inside.is_finished() { Ok(None) } else { inside.tlv_bytes().map(|token| Some(token.to_vec())) }
    });
    let missing = || TimestampError::Malformed { what: "response", why: "no token is in it".to_owned() };
    parts.map_err(refuse("response"))?.ok_or_else(missing)
}

/// An answer that holds this token and the status `granted`, as other people's tools read it.
pub(super) fn join(token: &[u8]) -> Vec<u8> {
    const STATUS: [u8; 5] = [0x30, 3, 2, 1, 0];
    let length = STATUS.len() + token.len();
    let mut out = vec![0x30];
    // A token has far under 2^24 bytes.
    let digits = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let digits: Vec<u8> = digits.into_iter().skip_while(|digit| *digit == 0).collect();
    if length >= 0x80 {
        out.push(0x80 | u8::try_from(digits.len()).unwrap_or(4));
    }
    out.extend_from_slice(&digits);
    out.extend_from_slice(&STATUS);
    out.extend_from_slice(token);
    out
}

/// A positive INTEGER's shortest bytes: the first bit says the sign.
fn number(value: u64) -> Vec<u8> {
    let bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    if bytes.first().is_none_or(|byte| *byte >= 0x80) { [&[0], &bytes[..]].concat() } else { bytes }
}
