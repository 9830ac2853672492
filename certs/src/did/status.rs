//! Whether a credential was taken back: StatusList2021 and Bitstring Status List 1.0.
//!
//! The list must be a JWT of the credential's own issuer: an unsigned list would be the word of whoever stands in the
//! way. It is unpacked up to a limit; a bit beyond its end is an error, not a zero.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::read::GzDecoder;
use serde_json::Value;

use super::credential::{self, wrong};
use super::document::{Document, Relation, Unlisted, list};
use super::jwt::Jwt;
use super::limits::{STATUS_LIST_BYTES_MAX, STATUS_LIST_UNPACKED_MAX};
use super::presentation::id_of;
use super::{DidError, JwtError};

/// One place where a credential's status is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEntry {
    /// Address of the list.
    pub list: String,
    /// The credential's bit.
    pub index: u64,
    /// `revocation` or `suspension`.
    pub purpose: String,
}

impl StatusEntry {
    pub(super) fn read(value: &Value) -> Result<Self, DidError> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if !matches!(text("type"), Some("BitstringStatusListEntry" | "StatusList2021Entry")) {
            return Err(wrong("its status is kept in a way that is not known here"));
        }
        if value.get("statusSize").is_some_and(|size| size.as_u64() != Some(1)) {
            return Err(wrong("its status has more than one bit"));
        }
        let purpose = text("statusPurpose").filter(|p| matches!(*p, "revocation" | "suspension"));
        let index = value.get("statusListIndex");
        let index = index.and_then(|i| i.as_u64().or_else(|| i.as_str()?.parse().ok()));
        match (text("statusListCredential"), index, purpose) {
            (Some(list), Some(index), Some(purpose)) => {
                Ok(Self { list: list.to_owned(), index, purpose: purpose.to_owned() })
            }
            _ => Err(wrong("a status entry lacks its list, its index or a known purpose")),
        }
    }

    /// Whether the fetched list says that the credential holds.
    ///
    /// # Errors
    /// [`DidError::Credential`] if its bit is set; [`DidError::Status`] or others if the list cannot be believed.
    pub fn check(
        &self,
        list_jwt: &str,
        issuer: &Document,
        now: i64,
        unlisted: Unlisted,
    ) -> Result<(), DidError> {
        let bad = |why| DidError::Status { list: self.list.clone(), why };
        let jwt = Jwt::read(list_jwt.trim(), STATUS_LIST_BYTES_MAX).map_err(jwt_error)?;
        jwt.verify(issuer.key(jwt.signer(), Relation::Assertion, unlisted)?).map_err(jwt_error)?;
        let body = credential::body(&jwt)?;
        let issuers = [jwt.text("iss"), body.get("issuer").and_then(id_of)];
        if issuers.iter().flatten().any(|named| *named != issuer.did().as_str()) {
            return Err(bad("is another issuer's"));
        }
        if !jwt.valid_at(now).map_err(jwt_error)? || !credential::valid_at(body, now)? {
            return Err(bad("has expired or is not valid yet"));
        }
        if body.get("id").and_then(Value::as_str).is_some_and(|id| id != self.list && id.contains("://")) {
            return Err(bad("says that it is another list"));
        }
        let [subject] = list(body, "credentialSubject") else {
            return Err(bad("has no subject, or several"));
        };
        let text = |name: &str| subject.get(name).and_then(Value::as_str);
        if !matches!(text("type"), Some("BitstringStatusList" | "StatusList2021")) {
            return Err(bad("is no list of bits"));
        }
        if text("statusPurpose") != Some(self.purpose.as_str()) {
            return Err(bad("has another purpose"));
        }
        let bits = unpack(text("encodedList").ok_or(bad("has no `encodedList`"))?).map_err(bad)?;
        let byte = usize::try_from(self.index / 8).ok().and_then(|at| bits.get(at));
        // The first bit is the highest of its byte (Bitstring Status List §3.2).
        let mask = 0b1000_0000_u8 >> (self.index % 8);
        match byte {
            None => Err(bad("is too short for the credential's index")),
            Some(byte) if byte & mask == 0 => Ok(()),
            Some(_) => Err(wrong(&format!("its issuer took it back ({})", self.purpose))),
        }
    }
}

/// Multibase `u` with URL-safe base64 (Bitstring), or plain base64 of either alphabet (StatusList2021); gzip inside.
fn unpack(text: &str) -> Result<Vec<u8>, &'static str> {
    let packed = match text.strip_prefix('u').map(|rest| URL_SAFE_NO_PAD.decode(rest)) {
        Some(Ok(bytes)) => bytes,
        _ => URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .or_else(|_| STANDARD.decode(text))
            .map_err(|_| "is not in base64")?,
    };
    let mut bits = Vec::new();
    let read = GzDecoder::new(packed.as_slice()).take(STATUS_LIST_UNPACKED_MAX + 1).read_to_end(&mut bits);
    read.map_err(|_| "is not packed with gzip")?;
    if bits.len() as u64 > STATUS_LIST_UNPACKED_MAX { Err("is too long when unpacked") } else { Ok(bits) }
}

fn jwt_error(source: JwtError) -> DidError {
    DidError::Jwt { what: "status list", source }
}
