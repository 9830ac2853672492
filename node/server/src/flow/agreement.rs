//! Agreements: made from offers, signed by both, kept, found again.

use exchange::dsp::{Agreement, Id, MessageOffer, Offer};
use exchange::ends::Parties;
use exchange::negotiation::Negotiation;
use exchange::terms::Terms;
use exchange::{AgreementRecord, DetachedSignature};
use serde::{Deserialize, Serialize};
use store::{Space, Tx};

use super::terms::{SOME_BASIS, Stated};
use crate::error::{Error, Result};
use crate::gate::Permit;
use crate::limits;
use crate::node::Node;
use crate::records::{self, Ask, Side};

/// Prefix of a purpose in terms.
const PURPOSE: &str = "urn:tram:purpose:";
/// Prefix of a legal basis in terms.
const BASIS: &str = "urn:tram:basis:";

/// An agreement with what the gate needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Its id.
    pub id: String,
    /// This node's side.
    pub side: Side,
    /// The provider.
    pub provider: String,
    /// The consumer.
    pub consumer: String,
    /// Dataset name at the provider.
    pub dataset: String,
    /// Purposes, without prefix.
    pub purposes: Vec<String>,
    /// Legal basis, without prefix.
    pub basis: Option<String>,
    /// In force from this Unix second on.
    pub valid_from: i64,
    /// Until before this Unix second.
    pub valid_until: i64,
    /// Verified signatures.
    pub signatures: u8,
    /// The one deed that it is about, `odrl:read` or `odrl:reproduce`; none is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deed: Option<String>,
    /// What the consumer states of itself.
    #[serde(default)]
    pub stated: Stated,
    /// What both agreed must be done; none where the terms name no duty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duties: Option<policy::Obligations>,
    /// Version of the dataset's contract in the offer that it was made on; none where that was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<u32>,
    /// The agreement itself with both signatures; none while it is only thought of.
    pub record: Option<AgreementRecord>,
}

impl Standing {
    /// Whether it is in force.
    pub fn holds_at(&self, now: i64) -> bool {
        self.signatures == 2 && now >= self.valid_from && now < self.valid_until
    }

    /// Whether it is about this action, `query` or `download`.
    pub fn allows(&self, action: &str) -> bool {
        let action = policy::Action::read(action);
        self.deed.as_deref().is_none_or(|deed| deed == policy::odrl::action_of(action))
    }

    /// The agreement that a consumer could make now, before any terms are named.
    pub fn proposed(node: &Node, consumer: &str, dataset: &str, now: i64) -> Self {
        Self {
            id: "urn:tram:agreement:proposed".to_owned(),
            side: Side::Provider,
            provider: node.config.node.id.clone(),
            consumer: consumer.to_owned(),
            dataset: dataset.to_owned(),
            purposes: Vec::new(),
            basis: None,
            valid_from: now,
            valid_until: now.saturating_add(limits::AGREEMENT_SECONDS_DEFAULT),
            // The question at this moment is what would hold once both have signed.
            signatures: 2,
            deed: None,
            stated: Stated::default(),
            duties: None,
            contract: None,
            record: None,
        }
    }
}

/// The terms that a consumer proposes: one purpose, one legal basis, a limited time, and the deed and the duties of the
/// offer that it took.
pub fn proposal(
    (offer, taken): (&Offer, Terms),
    target: Id,
    purpose: Option<&str>,
    basis: Option<&str>,
    now: i64,
) -> Result<MessageOffer> {
    let iri = |prefix: &str, code: &str| {
        Id::new(format!("{prefix}{code}")).map_err(|e| Error::usage(e.to_string()))
    };
    let terms = Terms {
        purposes: purpose.map(|p| iri(PURPOSE, p)).transpose()?.into_iter().collect(),
        legal_basis: basis.map(|b| iri(BASIS, b)).transpose()?,
        valid_until: Some(taken.valid_until.unwrap_or(i64::MAX).min(now + limits::AGREEMENT_SECONDS_DEFAULT)),
        ..taken
    };
    let rules = terms.to_rules().map_err(|e| Error::usage(e.to_string()))?;
    Ok(MessageOffer { id: offer.id.clone(), target, rules })
}

/// What an offer on the table would agree on, as the gate sees it; refuses terms that this node does not know.
pub fn thought_of(
    node: &Node,
    negotiation: &Negotiation,
    dataset: &str,
    now: i64,
) -> std::result::Result<Standing, String> {
    let terms = Terms::read(&negotiation.offer().rules).map_err(|e| e.to_string())?;
    // What is signed must be what was decided: one purpose, one decision.
    if terms.purposes.len() > 1 {
        return Err(format!(
            "the terms name {} purposes; propose one agreement for each",
            terms.purposes.len()
        ));
    }
    for purpose in codes(&terms.purposes) {
        policy::PurposeId::named(&purpose).map_err(|e| format!("purpose `{purpose}`: {e}"))?;
    }
    if let Some(basis) = &terms.legal_basis {
        let basis = basis_code(basis);
        if basis == SOME_BASIS {
            return Err("the condition `urn:tram:ns:legalBasis` names no basis; state the one that you have"
                .to_owned());
        }
        policy::BasisId::named(&basis).map_err(|e| format!("legal basis `{basis}`: {e}"))?;
    }
    let until = terms.valid_until.unwrap_or(now + limits::AGREEMENT_SECONDS_DEFAULT);
    if until > now + limits::AGREEMENT_SECONDS_MAX {
        return Err(format!(
            "the terms run until {}, over {} days; propose a shorter time",
            crate::operation::rfc3339(until),
            limits::AGREEMENT_SECONDS_MAX / 86_400
        ));
    }
    Ok(Standing {
        purposes: codes(&terms.purposes),
        valid_from: terms.valid_from.unwrap_or(now),
        valid_until: until,
        deed: terms.deed.as_ref().map(ToString::to_string),
        stated: super::terms::stated(node, &terms.stated)?,
        duties: super::terms::agreed(&terms)?,
        basis: terms.legal_basis.as_ref().map(basis_code),
        ..Standing::proposed(node, negotiation.ends().peer().as_str(), dataset, now)
    })
}

/// Purposes without their prefix.
pub fn codes(ids: &[Id]) -> Vec<String> {
    ids.iter().map(|id| code(id.as_str(), PURPOSE)).collect()
}

/// A legal basis without its prefix.
pub fn basis_code(basis: &Id) -> String {
    code(basis.as_str(), BASIS)
}

fn code(iri: &str, prefix: &str) -> String {
    iri.strip_prefix(prefix).unwrap_or(iri).to_owned()
}

/// Makes the agreement to the offer on the table and signs it for the provider.
pub fn issue(
    node: &Node,
    permit: &Permit,
    negotiation: &Negotiation,
    dataset: &str,
    now: i64,
) -> Result<(Agreement, DetachedSignature)> {
    permit.demand_for(negotiation.ends().peer().as_str(), dataset, &super::statement::DATA)?;
    let id = Id::new(format!("urn:uuid:{}", uuid::Uuid::new_v4())).map_err(Error::internal)?;
    let agreement = Agreement::from_offer(negotiation.offer(), id, negotiation.ends().parties(), now)
        .map_err(Error::internal)?;
    let signature = sign(node, &agreement)?;
    Ok((agreement, signature))
}

/// This node's signature on an agreement.
pub fn sign(node: &Node, agreement: &Agreement) -> Result<DetachedSignature> {
    use ed25519_dalek::Signer;
    let bytes = agreement.signing_bytes().map_err(Error::internal)?;
    let signature = node.signer.key().sign(&bytes).to_bytes();
    DetachedSignature::new(node.signer.keyid(), &signature).map_err(Error::internal)
}

/// Verifies a party's signature on an agreement: its key, valid now, over exactly this agreement.
pub fn verify(
    node: &Node,
    agreement: &Agreement,
    signature: Option<&DetachedSignature>,
    signer: &Id,
    now: i64,
) -> std::result::Result<(), String> {
    let signature = signature.ok_or_else(|| format!("the agreement has no signature of `{signer}`"))?;
    let key = node
        .peers
        .keys()
        .signing_key(signature.keyid(), now)
        .filter(|key| key.participant.as_str() == signer.as_str())
        .ok_or_else(|| format!("the key `{}` is no valid key of `{signer}`", signature.keyid()))?;
    let bytes = agreement.signing_bytes().map_err(|e| e.to_string())?;
    let given = signature.bytes().map_err(|e| e.to_string())?;
    if key.key.verify(&bytes, &given) {
        return Ok(());
    }
    Err(format!("the signature of `{signer}` on the agreement is wrong"))
}

/// The agreement of a negotiation, both signatures verified, ready to be kept.
pub fn standing(
    node: &Node,
    negotiation: &Negotiation,
    own: Option<DetachedSignature>,
    side: Side,
    now: i64,
) -> std::result::Result<Standing, String> {
    let agreement = negotiation.agreement().ok_or("there is no agreement yet")?;
    let parties: &Parties = negotiation.ends().parties();
    let (provider, consumer) = match side {
        Side::Provider => {
            (negotiation.provider_signature().cloned(), negotiation.consumer_signature().cloned())
        }
        Side::Consumer => (negotiation.provider_signature().cloned(), own),
    };
    verify(node, agreement, provider.as_ref(), &parties.provider, now)?;
    verify(node, agreement, consumer.as_ref(), &parties.consumer, now)?;
    let terms = agreement.terms().map_err(|e| e.to_string())?;
    let made = agreement.timestamp.as_ref().map_or(now, exchange::Timestamp::unix);
    let mut record = AgreementRecord::new(agreement.clone()).map_err(|e| e.to_string())?;
    record.provider_signature = provider;
    record.consumer_signature = consumer;
    let target = agreement.target.as_str();
    let dataset =
        target.strip_prefix(parties.provider.as_str()).and_then(|t| t.strip_prefix('/')).unwrap_or(target);
    let offer = negotiation.offer().id.as_str();
    Ok(Standing {
        id: agreement.id.to_string(),
        contract: crate::versions::contracts::version_in(offer, parties.provider.as_str(), dataset),
        side,
        provider: parties.provider.to_string(),
        consumer: parties.consumer.to_string(),
        dataset: dataset.to_owned(),
        purposes: codes(&terms.purposes),
        deed: terms.deed.as_ref().map(ToString::to_string),
        stated: super::terms::stated(node, &terms.stated)?,
        duties: super::terms::agreed(&terms)?,
        basis: terms.legal_basis.as_ref().map(basis_code),
        valid_from: terms.valid_from.unwrap_or(made),
        valid_until: terms.valid_until.unwrap_or(made + limits::AGREEMENT_SECONDS_DEFAULT),
        signatures: 2,
        record: Some(record),
    })
}

/// The write that keeps an agreement.
pub fn keep(standing: &Standing) -> Result<Tx> {
    Tx::new().put_json(Space::Agreement, standing.id.clone().into_bytes(), standing).map_err(Error::from)
}

/// An agreement by its id.
pub fn find(node: &Node, id: &str) -> Result<Option<Standing>> {
    Ok(records::get::<Standing>(&node.store, Space::Agreement, id.as_bytes())?.map(|(s, _)| s))
}

/// A standing agreement of this consumer that covers what is wanted, with a minute to spare.
pub fn reusable(node: &Node, provider: &str, dataset: &str, ask: &Ask, now: i64) -> Result<Option<Standing>> {
    let all = records::all::<Standing>(&node.store, Space::Agreement, b"")?;
    let fits = all.into_iter().map(|(_, s)| s).filter(|s| {
        s.side == Side::Consumer
            && s.provider == provider
            && s.dataset == dataset
            && s.purposes.first() == ask.purpose.as_ref()
            && s.basis == ask.basis
            && s.allows(&ask.action)
            && s.stated == ask.stated
            && s.holds_at(now)
            && s.holds_at(now + 60)
    });
    // Of several the one on the newest contract: who agreed anew wants what is new.
    Ok(fits.max_by_key(|s| (s.contract, s.valid_from)))
}
