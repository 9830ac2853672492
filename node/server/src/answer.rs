//! The answer that rides along in a receipt: what opens the statement's commitment to it, so that a stranger with the
//! file in hand can tell that it is the one.
//!
//! Promise: nothing here is believed for being here: it must open the commitment in the provider's signed statement, or
//! the receipt is about something else. Only the salt of the field `response` rides along; it opens no other field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use exchange::Manifest;
use ledger::commitment::{ExchangeKey, Field, Opening};
use serde::{Deserialize, Serialize};

use crate::error::{Error, RefusalInfo, Result};
use crate::files;

/// Longest answer that rides along, bytes of JSON: beside it the receipt's excerpt must still hold the parties' keys.
/// A longer manifest (some 3,000 chunks) is left out; the receipt then proves the exchange, and not the data.
const BYTES_MAX: usize = ledger::receipt::KEYS_BYTES_MAX - 32 * 1024;

/// The answer, with the salt of its commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Salt of the field `response`, hex.
    salt: String,
    /// What was answered.
    pub told: Told,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Rows, as this manifest lists them.
    Manifest(Box<Manifest>),
    /// A refusal.
    Refusal(RefusalInfo),
}

impl Told {
    /// What the commitment is over: SHA-256 of the canonical JSON, in Content-Digest form (RFC 9530).
    pub(crate) fn value(&self) -> Result<Vec<u8>> {
        let digest = match self {
            Self::Manifest(manifest) => manifest.digest(),
            Self::Refusal(refusal) => exchange::json::digest(refusal),
        };
        let digest =
            digest.map_err(|e| Error::Verification(format!("malformed: the answer in the receipt: {e}")))?;
        Ok(format!("sha-256=:{}:", BASE64.encode(digest.as_bytes())).into_bytes())
    }
}

impl Answer {
    /// The opening of the answer of the exchange that has this key; none when it is too long for a receipt.
    pub fn new(key: &ExchangeKey, told: Told) -> Option<Self> {
        let answer = Self { salt: files::hex(key.open(Field::Response, &[]).salt()), told };
        let bytes = serde_json::to_vec(&answer).ok()?.len();
        (bytes <= BYTES_MAX).then_some(answer)
    }

    /// What opens the statement's commitment. A manifest that contradicts itself is refused.
    pub fn opening(&self) -> Result<Opening> {
        let malformed =
            |why: String| Error::Verification(format!("malformed: the answer in the receipt: {why}"));
        if let Told::Manifest(manifest) = &self.told {
            manifest.check().map_err(|e| malformed(e.to_string()))?;
        }
        let salt = files::unhex::<32>(&self.salt)
            .ok_or_else(|| malformed("its salt is not 32 bytes of hex".to_owned()))?;
        Ok(Opening::new(Field::Response, salt, self.told.value()?))
    }
}

#[cfg(test)]
mod tests {
    use ledger::commitment::{ExchangeKey, Field};

    use super::{Answer, Told};
    use crate::error::RefusalInfo;

    fn refusal(code: &str) -> RefusalInfo {
        RefusalInfo {
            code: code.into(),
            legal_basis: "Điều 16".into(),
            text_vi: "không".into(),
            text_en: "no".into(),
        }
    }

    #[test]
    fn the_answer_opens_its_own_commitment_and_no_other() {
        let key = ExchangeKey::new([7; 32]);
        let told = Told::Refusal(refusal("NO-RULE"));
        let commitment = key.commit(Field::Response, &told.value().unwrap());
        let answer = Answer::new(&key, told).unwrap();
        let read: Answer = serde_json::from_value(serde_json::to_value(&answer).unwrap()).unwrap();
        assert_eq!(read, answer);
        assert!(read.opening().unwrap().fits(&commitment));
        let other = Answer { told: Told::Refusal(refusal("INV-BASIS")), ..answer.clone() };
        assert!(!other.opening().unwrap().fits(&commitment));
        assert!(Answer { salt: "00".into(), ..answer }.opening().is_err());
    }

    #[test]
    fn an_answer_too_long_for_a_receipt_stays_out() {
        let key = ExchangeKey::new([7; 32]);
        let long = RefusalInfo { text_en: "x".repeat(super::BYTES_MAX), ..refusal("NO-RULE") };
        assert_eq!(Answer::new(&key, Told::Refusal(long)), None);
    }
}
