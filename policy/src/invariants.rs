//! What the law asks before any rule is heard, version `vn/1`.
//!
//! These are code, not rows: nobody who edits rules can switch them off. Each has a reason code with its citation in
//! `reason.rs`, and each has tests. They can only refuse; a request that passes still needs a rule that permits it.
//!
//! The emergency exceptions (personal-data law 91/2025/QH15, Art. 19(1)(a) and (b)) are not given on the asker's word:
//! the rule that permits must be of a national or legal tier, name the emergency basis itself, and have an end.

use crate::closure::Closure;
use crate::ids::{BASIS_CONSENT, BASIS_EMERGENCY};
use crate::question::{
    AgreementFacts, Country, DataClass, DatasetFacts, Facts, Personal, Question, SharingKind,
};
use crate::reason::ReasonCode;
use crate::rule::{Class, Recorded, Rule, Tier};

/// Version of this set of invariants; part of every decision.
pub const INVARIANTS: &str = "vn/1";

/// A request that no invariant refuses.
#[derive(Debug)]
pub(crate) struct Cleared<'f> {
    /// The dataset's record.
    pub dataset: &'f DatasetFacts,
    /// What had to be let pass because the emergency basis was named; the permitting rule must bear it out.
    pub emergency: Option<ReasonCode>,
}

/// Puts a question through all invariants.
///
/// # Errors
/// The code of the first one that refuses.
pub(crate) fn check<'f>(
    question: &Question,
    facts: &'f Facts,
    closure: &Closure,
) -> Result<Cleared<'f>, ReasonCode> {
    let party = facts.party.as_ref().filter(|party| party.active).ok_or(ReasonCode::Party)?;
    let dataset = facts.dataset.as_ref().ok_or(ReasonCode::Dataset)?;
    if dataset.kind == SharingKind::Secret || dataset.class == Class::SECRET {
        return Err(ReasonCode::Secret);
    }
    let agreement = agreement_in_force(question, facts, closure)?;
    if !question.action.moves_content() {
        return Ok(Cleared { dataset, emergency: None });
    }
    personal_data(question, dataset)?;
    let emergency = special_data(question, dataset, agreement)?;
    if party.country != Country::VN && needs_dossier(dataset) && !facts.transfer_dossier {
        return Err(ReasonCode::CrossBorder);
    }
    Ok(Cleared { dataset, emergency })
}

/// INV-AGREEMENT and, under an agreement, INV-PURPOSE.
fn agreement_in_force<'f>(
    question: &Question,
    facts: &'f Facts,
    closure: &Closure,
) -> Result<Option<&'f AgreementFacts>, ReasonCode> {
    if question.agreement.is_none() {
        return Ok(None);
    }
    let agreement = facts.agreement.as_ref().ok_or(ReasonCode::Agreement)?;
    let in_force = agreement.consumer == question.subject
        && agreement.datasets.contains(&question.dataset)
        && (agreement.not_before..agreement.expires).contains(&question.now)
        && agreement.signatures >= 2;
    if !in_force {
        return Err(ReasonCode::Agreement);
    }
    let purpose = question.purpose.as_ref().ok_or(ReasonCode::Purpose)?;
    let covered =
        agreement.purposes.iter().any(|broader| closure.is_under(purpose.as_str(), broader.as_str()));
    if covered { Ok(Some(agreement)) } else { Err(ReasonCode::Purpose) }
}

/// INV-BASIS, INV-PURPOSE, INV-CONSENT.
fn personal_data(question: &Question, dataset: &DatasetFacts) -> Result<(), ReasonCode> {
    if dataset.personal == Personal::None {
        return Ok(());
    }
    let basis = question.basis.as_ref().ok_or(ReasonCode::Basis)?;
    if question.purpose.is_none() {
        return Err(ReasonCode::Purpose);
    }
    if basis.as_str() == BASIS_CONSENT && dataset.consent.is_none() {
        return Err(ReasonCode::Consent);
    }
    Ok(())
}

/// INV-SPECIAL and INV-DPIA, with what the emergency basis let pass.
fn special_data(
    question: &Question,
    dataset: &DatasetFacts,
    agreement: Option<&AgreementFacts>,
) -> Result<Option<ReasonCode>, ReasonCode> {
    let emergency = question.basis.as_ref().is_some_and(|basis| basis.as_str() == BASIS_EMERGENCY);
    let assessed = agreement.is_some_and(|agreement| agreement.dpia.on_record());
    let missing = if dataset.kind == SharingKind::Special && agreement.is_none() {
        Some(ReasonCode::Special)
    } else if dataset.personal == Personal::Sensitive && !assessed {
        Some(ReasonCode::Dpia)
    } else {
        None
    };
    match missing {
        Some(code) if !emergency => Err(code),
        excused => Ok(excused),
    }
}

fn needs_dossier(dataset: &DatasetFacts) -> bool {
    dataset.personal != Personal::None || dataset.data_class != DataClass::Other
}

/// Whether the permitting rule bears out an emergency exception.
pub(crate) fn bears_out_emergency(rule: &Rule) -> bool {
    let named = matches!(&rule.basis, Recorded::Name(basis) if basis == BASIS_EMERGENCY);
    rule.tier <= Tier::National && named && !rule.expires.is_open_ended()
}

/// The consent condition that must be joined to what the rules oblige to.
pub(crate) fn consent_filter<'f>(
    question: &Question,
    dataset: &'f DatasetFacts,
) -> Option<&'f crate::Predicate> {
    let on_consent = question.basis.as_ref().is_some_and(|basis| basis.as_str() == BASIS_CONSENT);
    let about_people = dataset.personal != Personal::None && question.action.moves_content();
    dataset.consent.as_ref().filter(|_| on_consent && about_people)
}
