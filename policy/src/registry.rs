//! A small register of parties, datasets and agreements, as test tables use it in place of the node's own.
//!
//! In production the facts of a question come from the federation's registry, the catalog and the store.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::ids::{AgreementId, CollectionId, DatasetId, PurposeId, SectorId, SubjectId, TagId};
use crate::minute::Minute;
use crate::predicate::Predicate;
use crate::question::{
    AgreementFacts, Country, DataClass, DatasetFacts, Dpia, Facts, PartyFacts, Personal, Question,
    SharingKind,
};
use crate::quota::Usage;
use crate::rule::Class;
use crate::unique::UniqueMap;

/// Parties, datasets and agreements of a test table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    datasets: UniqueMap<DatasetId, Dataset>,
    agreements: UniqueMap<AgreementId, Agreement>,
    parties: UniqueMap<SubjectId, Party>,
    transfer_dossiers: BTreeSet<AgreementId>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dataset {
    owner: SubjectId,
    cls: Class,
    personal: Personal,
    kind: SharingKind,
    #[serde(default)]
    sector: Option<SectorId>,
    #[serde(default)]
    data_class: DataClass,
    #[serde(default)]
    tags: Vec<TagId>,
    #[serde(default)]
    collections: Vec<CollectionId>,
    consent: Option<Predicate>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Agreement {
    consumer: SubjectId,
    datasets: Vec<DatasetId>,
    purposes: Vec<PurposeId>,
    nbf: Minute,
    exp: Minute,
    signed: u8,
    /// Reference of the impact assessment; blank for none, `exempt:…` for an exemption.
    dpia: String,
}

/// A country alone, or all that is known of a party.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a country (`VN`) or {\"country\": \"VN\", \"active\": true, \"groups\": []}"
)]
enum Party {
    Country(Country),
    Full(PartyFacts),
}

impl Registry {
    /// What the register holds about a question.
    #[must_use]
    pub fn facts(&self, question: &Question) -> Facts {
        let agreement = question.agreement.as_ref().and_then(|id| self.agreements.0.get(id));
        Facts {
            party: self.parties.0.get(&question.subject).map(Party::facts),
            dataset: self.datasets.0.get(&question.dataset).map(Dataset::facts),
            agreement: agreement.map(Agreement::facts),
            transfer_dossier: question
                .agreement
                .as_ref()
                .is_some_and(|id| self.transfer_dossiers.contains(id)),
            usage: Usage::default(),
        }
    }

    /// All agreements, as alternatives for an explanation.
    #[must_use]
    pub fn agreements(&self) -> Vec<(AgreementId, AgreementFacts)> {
        self.agreements.0.iter().map(|(id, agreement)| (id.clone(), agreement.facts())).collect()
    }

    /// All datasets with what is known of them.
    pub fn dataset_facts(&self) -> impl Iterator<Item = (&DatasetId, DatasetFacts)> {
        self.datasets.0.iter().map(|(id, dataset)| (id, dataset.facts()))
    }

    /// All parties with what is known of them.
    pub fn party_facts(&self) -> impl Iterator<Item = (&SubjectId, PartyFacts)> {
        self.parties.0.iter().map(|(id, party)| (id, party.facts()))
    }

    /// Whether a dossier for sending data abroad is on record for an agreement.
    #[must_use]
    pub fn has_dossier(&self, agreement: &AgreementId) -> bool {
        self.transfer_dossiers.contains(agreement)
    }

    /// Ids of all datasets.
    pub fn datasets(&self) -> impl Iterator<Item = &DatasetId> {
        self.datasets.0.keys()
    }

    /// Ids of all parties.
    pub fn parties(&self) -> impl Iterator<Item = &SubjectId> {
        self.parties.0.keys()
    }
}

impl Party {
    fn facts(&self) -> PartyFacts {
        match self {
            Self::Country(country) => PartyFacts { country: *country, active: true, groups: Vec::new() },
            Self::Full(facts) => facts.clone(),
        }
    }
}

impl Dataset {
    fn facts(&self) -> DatasetFacts {
        DatasetFacts {
            owner: self.owner.clone(),
            class: self.cls,
            personal: self.personal,
            kind: self.kind,
            sector: self.sector.clone(),
            data_class: self.data_class,
            tags: self.tags.clone(),
            collections: self.collections.clone(),
            consent: self.consent.clone(),
        }
    }
}

impl Agreement {
    fn facts(&self) -> AgreementFacts {
        AgreementFacts {
            consumer: self.consumer.clone(),
            datasets: self.datasets.clone(),
            purposes: self.purposes.clone(),
            not_before: self.nbf.unix(),
            expires: self.exp.unix(),
            signatures: self.signed,
            dpia: match (self.dpia.as_str(), self.dpia.strip_prefix("exempt:")) {
                ("", _) => Dpia::Missing,
                (_, Some(reference)) => Dpia::Exempt(reference.to_owned()),
                (reference, None) => Dpia::Filed(reference.to_owned()),
            },
        }
    }
}
