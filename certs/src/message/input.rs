//! `signature-input` and `signature`: written in one form, read only in that form.
//!
//! Promises: reading goes through a structured-field parser (RFC 9651) and then demands that the text is, byte for
//! byte, what this module would have written for the values found. So no duplicate, reordered, padded or unknown
//! part can hide in it. (The parameters stand in the order created, expires, nonce, alg, keyid, tag, because the
//! Rust crate `httpsig` rebuilds them so.)

use http::HeaderMap;
use sfv::{BareItem, Dictionary, InnerList, ListEntry, Parser};

use super::fields::{set, single};
use super::{HEADER_SIGNATURE, HEADER_SIGNATURE_INPUT, MessageError};
use crate::encode::{b64, b64url, unb64, unb64url};

/// The one label.
const LABEL: &str = "tram";
const ALGORITHM: &str = "ed25519";
/// Longest key id: a participant id, `#`, a thumbprint.
const KEYID_CHARS_MAX: usize = 300;

/// The parameters of a request's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestParams {
    pub(super) created: i64,
    pub(super) expires: i64,
    pub(super) nonce: [u8; 16],
    pub(super) keyid: String,
}

impl RequestParams {
    const TAG: &'static str = "tram-request";
    const NAMES: [&'static str; 6] = ["created", "expires", "nonce", "alg", "keyid", "tag"];

    /// The serialized parameters, beginning with `;`.
    pub(super) fn tail(&self) -> String {
        let Self { created, expires, nonce, keyid } = self;
        let (nonce, tag) = (b64url(nonce), Self::TAG);
        format!(
            r#";created={created};expires={expires};nonce="{nonce}";alg="{ALGORITHM}";keyid="{keyid}";tag="{tag}""#
        )
    }

    pub(super) fn read(headers: &HeaderMap) -> Result<(Self, String), MessageError> {
        let (list, raw) = read_list(headers, &Self::NAMES, Self::TAG)?;
        let nonce = string(&list, "nonce").and_then(unb64url::<16>);
        let nonce = nonce.ok_or(MessageError::Profile("`nonce` must be 16 bytes in URL-safe base64"))?;
        let (created, expires) = (integer(&list, "created")?, integer(&list, "expires")?);
        Ok((Self { created, expires, nonce, keyid: keyid(&list)? }, raw))
    }
}

/// The parameters of an answer's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResponseParams {
    pub(super) created: i64,
    pub(super) keyid: String,
}

impl ResponseParams {
    const TAG: &'static str = "tram-response";
    const NAMES: [&'static str; 4] = ["created", "alg", "keyid", "tag"];

    /// The serialized parameters, beginning with `;`.
    pub(super) fn tail(&self) -> String {
        let Self { created, keyid } = self;
        format!(r#";created={created};alg="{ALGORITHM}";keyid="{keyid}";tag="{}""#, Self::TAG)
    }

    pub(super) fn read(headers: &HeaderMap) -> Result<(Self, String), MessageError> {
        let (list, raw) = read_list(headers, &Self::NAMES, Self::TAG)?;
        Ok((Self { created: integer(&list, "created")?, keyid: keyid(&list)? }, raw))
    }
}

/// Writes both fields.
pub(super) fn write(
    headers: &mut HeaderMap,
    params: &str,
    signature: &[u8; 64],
) -> Result<String, MessageError> {
    let value = format!(":{}:", b64(signature));
    set(headers, HEADER_SIGNATURE_INPUT, &format!("{LABEL}={params}"))?;
    set(headers, HEADER_SIGNATURE, &format!("{LABEL}={value}"))?;
    Ok(value)
}

/// Reads `signature`: the 64 bytes and the serialized member value.
pub(super) fn read_signature(headers: &HeaderMap) -> Result<([u8; 64], String), MessageError> {
    const WHY: MessageError =
        MessageError::Field { field: HEADER_SIGNATURE, why: "it must be `tram=:…:` with 64 bytes" };
    let raw = single(headers, HEADER_SIGNATURE)?;
    let value = raw.strip_prefix(LABEL).and_then(|rest| rest.strip_prefix('=')).ok_or(WHY)?;
    let inner = value.strip_prefix(':').and_then(|v| v.strip_suffix(':')).ok_or(WHY)?;
    Ok((unb64::<64>(inner).ok_or(WHY)?, value.to_owned()))
}

/// Refuses a `signature-input` that is not exactly what we would write for these values.
pub(super) fn demand_exact(raw: &str, params: &str) -> Result<(), MessageError> {
    if raw.strip_prefix(LABEL).and_then(|rest| rest.strip_prefix('=')) == Some(params) {
        return Ok(());
    }
    Err(MessageError::Profile("the covered components or their order or form differ"))
}

fn read_list(
    headers: &HeaderMap,
    names: &[&'static str],
    tag: &'static str,
) -> Result<(InnerList, String), MessageError> {
    let raw = single(headers, HEADER_SIGNATURE_INPUT)?;
    let parsed: Dictionary = Parser::new(&raw)
        .parse()
        .map_err(|_| MessageError::Profile("it is no structured field (RFC 9651)"))?;
    let mut members = parsed.into_iter();
    let (Some((label, ListEntry::InnerList(list))), None) = (members.next(), members.next()) else {
        return Err(MessageError::Profile("exactly one signature is expected"));
    };
    if label.as_str() != LABEL {
        return Err(MessageError::Profile("the label must be `tram`"));
    }
    if !list.params.keys().map(|k| k.as_str()).eq(names.iter().copied()) {
        return Err(MessageError::Profile("a parameter is missing, unknown, repeated or out of order"));
    }
    if string(&list, "alg") != Some(ALGORITHM) {
        return Err(MessageError::Profile("`alg` must be `ed25519`, as the key is"));
    }
    if string(&list, "tag") != Some(tag) {
        return Err(MessageError::Profile("`tag` is that of another kind of message"));
    }
    Ok((list, raw))
}

fn string<'a>(list: &'a InnerList, name: &str) -> Option<&'a str> {
    match list.params.get(name) {
        Some(BareItem::String(text)) => Some(text.as_str()),
        _ => None,
    }
}

fn integer(list: &InnerList, name: &'static str) -> Result<i64, MessageError> {
    match list.params.get(name) {
        Some(BareItem::Integer(number)) => Ok(i64::from(*number)),
        _ => Err(MessageError::Profile("`created` and `expires` must be integers")),
    }
}

fn keyid(list: &InnerList) -> Result<String, MessageError> {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    match string(list, "keyid") {
        Some(id) if !id.is_empty() && id.len() <= KEYID_CHARS_MAX && id.bytes().all(plain) => {
            Ok(id.to_owned())
        }
        _ => Err(MessageError::Profile("`keyid` must be `<participant id>#<thumbprint>`")),
    }
}
