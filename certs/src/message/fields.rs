//! Reading and writing the header fields of the profile.
//!
//! Promises: a covered field is read only if it stands there exactly once and is visible ASCII, and the value that
//! enters the signature base is the value that the rest of the node will see.

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, header};

use super::base::combined_field;
use super::{
    FIELD_BYTES_MAX, HEADER_LEAF_HASH, HEADER_LOG_INDEX, HEADER_LOG_ORIGIN, LABEL_BYTES_MAX, LogPromise,
    MessageError, NONE, RequestContext, TARGET_URI_BYTES_MAX,
};
use crate::encode::{b64, unb64};

/// What RFC 9110 §8.3 lets a recipient assume where no type is given.
const DEFAULT_CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The value of a field that must stand there exactly once.
pub(super) fn single(headers: &HeaderMap, name: &'static str) -> Result<String, MessageError> {
    optional(headers, name)?.ok_or(MessageError::Missing(name))
}

/// The value of a field that may stand there at most once.
pub(super) fn optional(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, MessageError> {
    let key = HeaderName::from_static(name);
    match headers.get_all(&key).iter().count() {
        0 => return Ok(None),
        1 => {}
        _ => return Err(MessageError::Repeated(name)),
    }
    let why = "it must be visible ASCII";
    let value = combined_field(headers, &key).ok_or(MessageError::Field { field: name, why })?;
    if value.len() > FIELD_BYTES_MAX {
        return Err(MessageError::Field { field: name, why: "it is too long" });
    }
    Ok(Some(value))
}

/// An exchange id or a purpose: `-` reads as none.
pub(super) fn label(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, MessageError> {
    let value = single(headers, name)?;
    if value.is_empty() || value.len() > LABEL_BYTES_MAX || !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(MessageError::Field {
            field: name,
            why: "it must be a short word without space, or `-`",
        });
    }
    Ok(Some(value).filter(|v| v != NONE))
}

/// Writes a field, replacing what was there.
pub(super) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), MessageError> {
    let why = "it cannot stand in a header";
    let value = HeaderValue::from_str(value).map_err(|_| MessageError::Field { field: name, why })?;
    headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

/// Fills in what the constant list of components needs and the caller left out.
pub(super) fn fill_in(headers: &mut HeaderMap, names: &[&'static str]) {
    headers.entry(header::CONTENT_TYPE).or_insert(DEFAULT_CONTENT_TYPE);
    for name in names {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(NONE));
    }
}

/// A URI that can stand on one line of a signature base.
pub(super) fn check_target_uri(uri: &str) -> Result<(), MessageError> {
    if uri.is_empty() || uri.len() > TARGET_URI_BYTES_MAX {
        return Err(MessageError::TargetUri("it is empty or too long"));
    }
    if !uri.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(MessageError::TargetUri("only printable ASCII without space is allowed"));
    }
    if !uri.starts_with("https://") || uri.contains('#') {
        return Err(MessageError::TargetUri("it must be an absolute `https` URI without fragment"));
    }
    Ok(())
}

impl RequestContext {
    pub(super) fn new(
        method: &http::Method,
        target_uri: &str,
        content_digest: String,
        signature: String,
    ) -> Self {
        Self {
            method: method.as_str().to_ascii_uppercase(),
            target_uri: target_uri.to_owned(),
            content_digest,
            signature,
        }
    }
}

impl LogPromise {
    /// Writes the three fields that [`super::sign_response`] covers.
    ///
    /// # Errors
    /// [`MessageError::Field`] if the origin cannot stand in a header.
    pub fn write(&self, headers: &mut HeaderMap) -> Result<(), MessageError> {
        if !legal_origin(&self.origin) {
            return Err(MessageError::Field { field: HEADER_LOG_ORIGIN, why: ORIGIN_RULE });
        }
        set(headers, HEADER_LOG_ORIGIN, &self.origin)?;
        set(headers, HEADER_LOG_INDEX, &self.index.to_string())?;
        set(headers, HEADER_LEAF_HASH, &b64(&self.leaf_hash))
    }

    /// Reads them back: all three say something, or all three are `-`.
    pub(super) fn read(headers: &HeaderMap) -> Result<Option<Self>, MessageError> {
        let origin = single(headers, HEADER_LOG_ORIGIN)?;
        let index = single(headers, HEADER_LOG_INDEX)?;
        let leaf_hash = single(headers, HEADER_LEAF_HASH)?;
        if [&origin, &index, &leaf_hash].iter().all(|v| v.as_str() == NONE) {
            return Ok(None);
        }
        if !legal_origin(&origin) {
            return Err(MessageError::Field { field: HEADER_LOG_ORIGIN, why: ORIGIN_RULE });
        }
        let number = index.parse::<u64>().ok().filter(|n| n.to_string() == index);
        let index = number
            .ok_or(MessageError::Field { field: HEADER_LOG_INDEX, why: "it must be a decimal number" })?;
        let leaf_hash = unb64::<32>(&leaf_hash).ok_or(MessageError::Field {
            field: HEADER_LEAF_HASH,
            why: "it must be 32 bytes in standard base64",
        })?;
        Ok(Some(Self { origin, index, leaf_hash }))
    }
}

const ORIGIN_RULE: &str = "it must be a ledger origin without space and `+`";

fn legal_origin(origin: &str) -> bool {
    let legal = |b: u8| b.is_ascii_graphic() && b != b'+';
    origin != NONE && (1..=LABEL_BYTES_MAX * 2).contains(&origin.len()) && origin.bytes().all(legal)
}
