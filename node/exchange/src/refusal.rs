//! A refusal as it travels: code, legal basis and a text that a clerk reads, Vietnamese first.
//!
//! It is an item of DSP's `reason` list. Its keys are absolute IRIs, so that a JSON-LD reader keeps them.

use serde_json::{Value, json};

use crate::dsp::{IdError, NS};
use crate::limits::TEXT_BYTES_MAX;

/// The value of `@type` of a refusal inside `reason`.
pub const REFUSAL_TYPE: &str = "urn:tram:ns:Refusal";

/// Why a party said no. Cannot be made without all four texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: String,
    legal_basis: String,
    text_vi: String,
    text_en: String,
}

impl Refusal {
    /// A refusal; blank or overlong texts are refused.
    pub fn new(
        code: impl Into<String>,
        legal_basis: impl Into<String>,
        text_vi: impl Into<String>,
        text_en: impl Into<String>,
    ) -> Result<Refusal, IdError> {
        let refusal = Refusal {
            code: code.into(),
            legal_basis: legal_basis.into(),
            text_vi: text_vi.into(),
            text_en: text_en.into(),
        };
        check("the refusal's code", &refusal.code)?;
        check("the refusal's legal basis", &refusal.legal_basis)?;
        check("the refusal's Vietnamese text", &refusal.text_vi)?;
        check("the refusal's English text", &refusal.text_en)?;
        Ok(refusal)
    }

    /// The reason code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The legal text on which the refusal rests.
    #[must_use]
    pub fn legal_basis(&self) -> &str {
        &self.legal_basis
    }

    /// The explanation in Vietnamese.
    #[must_use]
    pub fn text_vi(&self) -> &str {
        &self.text_vi
    }

    /// The explanation in English.
    #[must_use]
    pub fn text_en(&self) -> &str {
        &self.text_en
    }

    /// The object that stands in `reason`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({
            "@type": REFUSAL_TYPE,
            (format!("{NS}code")): self.code,
            (format!("{NS}legalBasis")): self.legal_basis,
            (format!("{NS}text")): [
                { "@language": "vi", "@value": self.text_vi },
                { "@language": "en", "@value": self.text_en },
            ],
        })
    }

    /// Read such an object; `None` when it is something else, which a peer is free to send.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Refusal> {
        if value.get("@type")?.as_str()? != REFUSAL_TYPE {
            return None;
        }
        let text = |name: &str| value.get(format!("{NS}{name}")).and_then(Value::as_str);
        let texts = value.get(format!("{NS}text"))?.as_array()?;
        let in_language = |language: &str| {
            let item =
                texts.iter().find(|item| item.get("@language").and_then(Value::as_str) == Some(language))?;
            item.get("@value")?.as_str()
        };
        Refusal::new(text("code")?, text("legalBasis")?, in_language("vi")?, in_language("en")?).ok()
    }
}

fn check(what: &'static str, text: &str) -> Result<(), IdError> {
    if text.trim().is_empty() {
        return Err(IdError::Blank { what });
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(IdError::TooLong { what, found: text.len(), limit: TEXT_BYTES_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_the_wire() {
        let refusal =
            Refusal::new("purpose-missing", "Luật 60/2024/QH15, Điều 20", "Thiếu mục đích.", "No purpose.");
        let refusal = refusal.unwrap();
        assert_eq!(Refusal::from_value(&refusal.to_value()), Some(refusal));
    }

    #[test]
    fn it_cannot_be_made_without_its_legal_basis_or_a_text() {
        assert!(Refusal::new("code", " ", "vi", "en").is_err());
        assert!(Refusal::new("code", "basis", "", "en").is_err());
        assert!(Refusal::new("code", "basis", "vi", "x".repeat(TEXT_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn another_reason_is_not_a_refusal() {
        assert_eq!(Refusal::from_value(&json!("Policy violation")), None);
        assert_eq!(Refusal::from_value(&json!({ "@type": REFUSAL_TYPE })), None);
        assert_eq!(Refusal::from_value(&json!({ "@type": "urn:other" })), None);
    }
}
