//! What the law asks before any rule is heard: one set per legal order, `vn/1` and `eu/1`.
//!
//! These are code, not rows: nobody who edits rules can switch them off. Each has a reason code with its citation in
//! `reason.rs` and `reason_eu.rs`, and each has tests. They can only refuse; a request that passes still needs a rule
//! that permits it. A rule set says which legal order it is written for (`pack.toml`), and a node takes only one that
//! its own seat allows ([`Invariants::may_rule_in`]).
//!
//! The emergency exceptions of Viet Nam (personal-data law 91/2025/QH15, Art. 19(1)(a) and (b)) are not given on the
//! asker's word: the rule that permits must be of a national or legal tier, name the emergency basis itself, and have an
//! end. The European set has none: vital interests are one of its grounds and excuse from nothing else.

use serde::{Deserialize, Serialize};

use crate::closure::Closure;
use crate::ids::{BASIS_ART9, BASIS_ART9_CONSENT, BASIS_CONSENT, BASIS_EMERGENCY, BasisId};
use crate::question::{
    AgreementFacts, Country, DataClass, DatasetFacts, Facts, Personal, Question, SharingKind,
};
use crate::reason::ReasonCode;
use crate::rule::{Class, Recorded, Rule, Tier};

/// The legal order whose invariants stand before the rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invariants {
    /// Viet Nam; also for every rule set that names none.
    #[default]
    Vn,
    /// The European Union and the European Economic Area.
    Eu,
}

/// The European Economic Area: the Union's 27, Iceland, Liechtenstein, Norway.
const EEA: [&str; 30] = [
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT",
    "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "IS", "LI", "NO",
];

impl Invariants {
    /// Name and version of the set; part of every decision.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Vn => "vn/1",
            Self::Eu => "eu/1",
        }
    }

    /// The set of this version; `None` for a version that this crate does not have.
    #[must_use]
    pub fn of_version(version: &str) -> Option<Self> {
        [Self::Vn, Self::Eu].into_iter().find(|law| law.version() == version)
    }

    /// Whether a party with its seat there is at home; others are in `gr:foreign` and need a dossier for what is
    /// protected.
    #[must_use]
    pub fn is_home(self, country: Country) -> bool {
        match self {
            Self::Vn => country == Country::VN,
            Self::Eu => EEA.iter().any(|code| Country::parse(code) == Some(country)),
        }
    }

    /// Whether a node with its seat there may be ruled by this set. Without it an editor could leave a country's law by
    /// one line in a file. `vn/1` is the stricter one and open to all.
    #[must_use]
    pub fn may_rule_in(self, country: Country) -> bool {
        match self {
            Self::Vn => true,
            Self::Eu => self.is_home(country),
        }
    }

    /// True for the set of a rule set that names none.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

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
    law: Invariants,
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
    let emergency = match law {
        Invariants::Vn => special_data(question, dataset, agreement)?,
        Invariants::Eu => {
            special_categories(question, dataset, agreement)?;
            None
        }
    };
    if !law.is_home(party.country) && needs_dossier(law, dataset) && !facts.transfer_dossier {
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
    if is_consent(basis) && dataset.consent.is_none() {
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

/// The European set: special categories need a ground of Art. 9(2) and an assessment, protected data an agreement.
fn special_categories(
    question: &Question,
    dataset: &DatasetFacts,
    agreement: Option<&AgreementFacts>,
) -> Result<(), ReasonCode> {
    let sensitive = dataset.personal == Personal::Sensitive;
    let ground = question.basis.as_ref().is_some_and(|basis| BASIS_ART9.contains(&basis.as_str()));
    if sensitive && !ground {
        return Err(ReasonCode::Basis);
    }
    if dataset.kind == SharingKind::Special && agreement.is_none() {
        return Err(ReasonCode::Special);
    }
    if sensitive && !agreement.is_some_and(|agreement| agreement.dpia.on_record()) {
        return Err(ReasonCode::Dpia);
    }
    Ok(())
}

fn needs_dossier(law: Invariants, dataset: &DatasetFacts) -> bool {
    // The classes `important` and `core` are of the Vietnamese law on data; Europe asks about personal data.
    let classed = law == Invariants::Vn && dataset.data_class != DataClass::Other;
    dataset.personal != Personal::None || classed
}

fn is_consent(basis: &BasisId) -> bool {
    basis.as_str() == BASIS_CONSENT || basis.as_str() == BASIS_ART9_CONSENT
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
    let on_consent = question.basis.as_ref().is_some_and(is_consent);
    let about_people = dataset.personal != Personal::None && question.action.moves_content();
    dataset.consent.as_ref().filter(|_| on_consent && about_people)
}
