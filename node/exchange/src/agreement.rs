//! The agreement: an offer's rules word for word, between two named parties, at a time, signed by both.
//!
//! Promises: [`Agreement::from_offer`] and [`verify_against_offer`] are each other's inverse; the bytes to sign are the
//! same at both nodes. Absent: signing and verification of signatures, which the server does with the agencies' keys.

use serde::{Deserialize, Serialize};

use crate::dsp::{Agreement, Id, IdError, MessageOffer, RuleBody, Timestamp};
use crate::ends::Parties;
use crate::json::{self, Digest, JsonError};
use crate::signature::DetachedSignature;
use crate::terms::{Terms, TermsError};

/// First line of the bytes to sign, so that a signature on an agreement can never pass for one on something else.
const SIGNING_CONTEXT: &[u8] = b"tram/agreement@v1\n";

/// Why an agreement is not the one that was negotiated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// Its rules are not those of the offer.
    #[error(
        "the agreement's {part} differ from the offer's: repeat the offer word for word, in the same order"
    )]
    Rules {
        /// Which part of the rules.
        part: &'static str,
    },
    /// It is about something else.
    #[error("the agreement is about `{found}`, the offer about `{expected}`: agree on what was offered")]
    Target {
        /// The offer's dataset.
        expected: String,
        /// The agreement's dataset.
        found: String,
    },
    /// It names another party.
    #[error(
        "the agreement names `{found}` as {role}, the negotiation is with `{expected}`: name the parties of the negotiation"
    )]
    Party {
        /// `assigner` or `assignee`.
        role: &'static str,
        /// The party of the negotiation.
        expected: String,
        /// The party of the agreement.
        found: String,
    },
    /// A part has no canonical form.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl Agreement {
    /// The agreement to an offer, verbatim, made at `now` (unix seconds).
    pub fn from_offer(
        offer: &MessageOffer,
        id: Id,
        parties: &Parties,
        now: i64,
    ) -> Result<Agreement, IdError> {
        Ok(Agreement {
            id,
            target: offer.target.clone(),
            assigner: parties.provider.clone(),
            assignee: parties.consumer.clone(),
            timestamp: Some(Timestamp::from_unix(now)?),
            rules: offer.rules.clone(),
        })
    }

    /// The terms, as far as this house understands them.
    pub fn terms(&self) -> Result<Terms, TermsError> {
        Terms::read(&self.rules)
    }

    /// SHA-256 over the agreement's canonical JSON (RFC 8785).
    pub fn digest(&self) -> Result<Digest, JsonError> {
        json::digest(self)
    }

    /// The bytes that both parties sign: a line that says what it is, then the canonical JSON (RFC 8785).
    pub fn signing_bytes(&self) -> Result<Vec<u8>, JsonError> {
        let mut bytes = SIGNING_CONTEXT.to_vec();
        bytes.extend(json::canonical(self)?);
        Ok(bytes)
    }
}

/// Whether an agreement repeats the offer: same target, same rules in the same order, the parties of the negotiation.
pub fn verify_against_offer(
    agreement: &Agreement,
    offer: &MessageOffer,
    parties: &Parties,
) -> Result<(), AgreementError> {
    same_party("assigner", &parties.provider, &agreement.assigner)?;
    same_party("assignee", &parties.consumer, &agreement.assignee)?;
    if agreement.target != offer.target {
        return Err(AgreementError::Target {
            expected: offer.target.to_string(),
            found: agreement.target.to_string(),
        });
    }
    for (part, of) in PARTS {
        if json::canonical(&of(&agreement.rules))? != json::canonical(&of(&offer.rules))? {
            return Err(AgreementError::Rules { part });
        }
    }
    Ok(())
}

type Part = fn(&RuleBody) -> serde_json::Value;

/// The parts that must be equal. Remarks beside the rules (titles, who offered) may differ.
const PARTS: [(&str, Part); 4] = [
    ("profile", |rules| rules.profile().map_or(serde_json::Value::Null, crate::dsp::Profile::to_value)),
    ("permissions", |rules| crate::dsp::to_values(rules.permission())),
    ("prohibitions", |rules| crate::dsp::to_values(rules.prohibition())),
    ("obligations", |rules| crate::dsp::to_values(rules.obligation())),
];

fn same_party(role: &'static str, expected: &Id, found: &Id) -> Result<(), AgreementError> {
    if expected == found {
        return Ok(());
    }
    Err(AgreementError::Party { role, expected: expected.to_string(), found: found.to_string() })
}

/// An agreement as a node keeps it, with the signatures of both parties over [`Agreement::signing_bytes`].
///
/// A peer that is no Tram node sends no signature; then that one stays absent, and so does the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementRecord {
    /// The agreement.
    pub agreement: Agreement,
    /// SHA-256 over its canonical JSON.
    pub sha256: Digest,
    /// The provider's signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_signature: Option<DetachedSignature>,
    /// The consumer's signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_signature: Option<DetachedSignature>,
}

impl AgreementRecord {
    /// An agreement that nobody has signed yet.
    pub fn new(agreement: Agreement) -> Result<AgreementRecord, JsonError> {
        let sha256 = agreement.digest()?;
        Ok(AgreementRecord { agreement, sha256, provider_signature: None, consumer_signature: None })
    }

    /// Whether the digest still fits the agreement, as after reading it from a disk.
    pub fn is_intact(&self) -> Result<bool, JsonError> {
        Ok(self.agreement.digest()? == self.sha256)
    }

    /// Whether both parties have signed; whether they have signed rightly is verified with their keys.
    #[must_use]
    pub fn has_both_signatures(&self) -> bool {
        self.provider_signature.is_some() && self.consumer_signature.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::parse_value;
    use serde_json::{Value, json};

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn parties() -> Parties {
        Parties { provider: id("urn:agency:vn:env"), consumer: id("urn:agency:vn:ops") }
    }

    fn offer() -> MessageOffer {
        offer_with(json!([
            { "action": "use", "constraint": [{ "leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "pu:a" }] },
            { "action": "odrl:read", "odrl:duty": [{ "action": "odrl:inform" }] },
        ]))
    }

    fn offer_with(permission: Value) -> MessageOffer {
        let value = json!({ "@id": "urn:o", "@type": "Offer", "target": "urn:d", "permission": permission });
        parse_value(value).unwrap()
    }

    #[test]
    fn an_agreement_made_from_an_offer_fits_it_also_after_the_wire() {
        let agreement = Agreement::from_offer(&offer(), id("urn:a"), &parties(), 1_790_000_000).unwrap();
        assert_eq!(agreement.timestamp.as_ref().unwrap().as_str(), "2026-09-21T14:13:20Z");
        let again: Agreement = serde_json::from_str(&serde_json::to_string(&agreement).unwrap()).unwrap();
        assert_eq!(again, agreement);
        assert_eq!(again.digest(), agreement.digest());
        verify_against_offer(&again, &offer(), &parties()).unwrap();
    }

    #[test]
    fn every_change_is_found() {
        let good = Agreement::from_offer(&offer(), id("urn:a"), &parties(), 1_790_000_000).unwrap();
        let refused =
            |agreement: &Agreement| verify_against_offer(agreement, &offer(), &parties()).unwrap_err();

        let mut other = good.clone();
        other.assignee = id("urn:agency:vn:else");
        assert!(matches!(refused(&other), AgreementError::Party { role: "assignee", .. }));
        let mut other = good.clone();
        other.assigner = id("urn:agency:vn:else");
        assert!(matches!(refused(&other), AgreementError::Party { role: "assigner", .. }));
        let mut other = good.clone();
        other.target = id("urn:else");
        assert!(matches!(refused(&other), AgreementError::Target { .. }));

        let permission = offer().rules.permission().to_vec();
        let reversed = permission.iter().rev().cloned().collect();
        let fewer = permission.iter().take(1).cloned().collect();
        let mut changed = permission.clone();
        changed[1].extra = crate::dsp::Extra::none();
        for permission in [reversed, fewer, changed] {
            let mut other = good.clone();
            other.rules = RuleBody::new(permission, vec![], vec![]).unwrap();
            assert_eq!(refused(&other), AgreementError::Rules { part: "permissions" });
        }
        let mut other = good.clone();
        other.rules = other.rules.with_profile(crate::dsp::Profile::one(id("urn:profile")));
        assert_eq!(refused(&other), AgreementError::Rules { part: "profile" });
        let mut other = good;
        other.rules = RuleBody::new(permission.clone(), permission, vec![]).unwrap();
        assert_eq!(refused(&other), AgreementError::Rules { part: "prohibitions" });
    }

    #[test]
    fn duties_neither_weaker_nor_stronger_than_those_asked_for_are_agreed_to() {
        let duty = |days: &str| {
            let constraint = json!([{ "leftOperand": "odrl:elapsedTime", "operator": "lteq",
                "rightOperand": { "@type": "xsd:duration", "@value": days } }]);
            parse_value::<crate::dsp::Rule>(json!({ "action": "odrl:delete", "constraint": constraint }))
                .unwrap()
        };
        let mut asked = offer();
        let with = |duties: Vec<crate::dsp::Rule>| {
            RuleBody::new(offer().rules.permission().to_vec(), vec![], duties).unwrap()
        };
        asked.rules = with(vec![duty("P30D")]);
        let good = Agreement::from_offer(&asked, id("urn:a"), &parties(), 0).unwrap();
        verify_against_offer(&good, &asked, &parties()).unwrap();
        for duties in [vec![], vec![duty("P31D")], vec![duty("P29D")], vec![duty("P30D"), duty("P30D")]] {
            let mut other = good.clone();
            other.rules = with(duties);
            let refused = verify_against_offer(&other, &asked, &parties()).unwrap_err();
            assert_eq!(refused, AgreementError::Rules { part: "obligations" });
        }
    }

    #[test]
    fn an_empty_list_of_conditions_is_the_same_as_none() {
        let with = offer_with(json!([{ "action": "use", "constraint": [] }]));
        let without = offer_with(json!([{ "action": "odrl:use" }]));
        let agreement = Agreement::from_offer(&with, id("urn:a"), &parties(), 0).unwrap();
        verify_against_offer(&agreement, &without, &parties()).unwrap();
    }

    #[test]
    fn the_record_notices_a_change_and_the_signed_bytes_say_what_they_are() {
        let agreement = Agreement::from_offer(&offer(), id("urn:a"), &parties(), 1_790_000_000).unwrap();
        let bytes = agreement.signing_bytes().unwrap();
        assert!(bytes.starts_with(b"tram/agreement@v1\n{\"@id\":\"urn:a\",\"@type\":\"Agreement\","));
        let mut record = AgreementRecord::new(agreement).unwrap();
        assert!(record.is_intact().unwrap() && !record.has_both_signatures());
        record.agreement.target = id("urn:else");
        assert!(!record.is_intact().unwrap());
    }
}
