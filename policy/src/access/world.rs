//! What a table of access is asked over: the parties, datasets and agreements that a node or a test table knows.

use serde::Serialize;

use crate::ids::{AgreementId, DatasetId, GroupId, RouteId, SubjectId, ZoneId};
use crate::question::{AgreementFacts, Country, DatasetFacts, Dpia, PartyFacts};
use crate::registry::Registry;
use crate::rule::{Pattern, Rule};

/// Everything known, at one moment.
#[derive(Debug, Clone)]
pub struct World {
    /// The moment, Unix seconds.
    pub at: i64,
    /// Members of the register.
    pub parties: Vec<KnownParty>,
    /// Datasets of the catalog.
    pub datasets: Vec<KnownDataset>,
    /// Agreements on record.
    pub agreements: Vec<KnownAgreement>,
    /// The network zones that requests can come through; empty for those that rules name and any other.
    pub zones: Vec<ZoneId>,
    /// The ways that data can take; empty for the straight one, those that rules name and any other.
    pub routes: Vec<RouteId>,
}

/// A member of the register.
#[derive(Debug, Clone)]
pub struct KnownParty {
    /// Its name.
    pub id: SubjectId,
    /// What is known of it.
    pub facts: PartyFacts,
}

/// A dataset of the catalog.
#[derive(Debug, Clone)]
pub struct KnownDataset {
    /// Its name.
    pub id: DatasetId,
    /// What is known of it.
    pub facts: DatasetFacts,
    /// The impact assessment that a new agreement about it would have; `None` when none can be made. Agreements are made
    /// for data that moves, not for what a catalog shows.
    pub new_agreement: Option<Dpia>,
}

/// An agreement on record.
#[derive(Debug, Clone)]
pub struct KnownAgreement {
    /// Its name.
    pub id: AgreementId,
    /// What is known of it.
    pub facts: AgreementFacts,
    /// A dossier for sending data abroad is on record for it.
    pub dossier: bool,
}

/// Whom a row is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// This party.
    Known(SubjectId),
    /// Any party in good standing that would be put in this group.
    MemberOf(GroupId),
    /// Any other party in good standing, in no group.
    AnyOther,
    /// The same with its seat abroad.
    AnyOtherAbroad,
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(party) => party.fmt(f),
            Self::MemberOf(group) => write!(f, "any member of {group}"),
            Self::AnyOther => f.write_str("any other member"),
            Self::AnyOtherAbroad => f.write_str("any other member abroad"),
        }
    }
}

/// A country that is nobody's (ISO 3166-1 leaves XX to users).
const ABROAD: &str = "XX";

impl World {
    /// The register of a test table, at a moment. No zones and routes are known there, and agreements are those it lists.
    #[must_use]
    pub fn of_fixture(registry: &Registry, at: i64) -> Self {
        let parties = registry.party_facts().map(|(id, facts)| KnownParty { id: id.clone(), facts });
        let datasets = registry.dataset_facts().map(|(id, facts)| KnownDataset {
            id: id.clone(),
            facts,
            new_agreement: None,
        });
        let agreements = registry.agreements().into_iter().map(|(id, facts)| {
            let dossier = registry.has_dossier(&id);
            KnownAgreement { id, facts, dossier }
        });
        Self {
            at,
            parties: parties.collect(),
            datasets: datasets.collect(),
            agreements: agreements.collect(),
            zones: Vec::new(),
            routes: Vec::new(),
        }
    }

    /// A party that nobody named.
    pub(super) fn somebody(&self) -> SubjectId {
        SubjectId::unnamed(|name| self.parties.iter().any(|known| known.id.as_str() == name))
    }

    /// The zone of a question in which the zone makes no difference.
    pub(super) fn zone(&self) -> ZoneId {
        self.zones.first().cloned().unwrap_or_else(|| ZoneId::unnamed(|_| false))
    }

    /// Whom to ask about: those known, a member of each group that these rules name, and any other.
    pub(super) fn candidates(&self, rules: &[&Rule]) -> Vec<(Who, SubjectId, PartyFacts)> {
        let mut all: Vec<_> = self
            .parties
            .iter()
            .map(|known| (Who::Known(known.id.clone()), known.id.clone(), known.facts.clone()))
            .collect();
        let mut groups: Vec<GroupId> = rules.iter().filter_map(|rule| group(&rule.subject)).collect();
        groups.sort();
        groups.dedup();
        let named = |subject: &str| rules.iter().any(|rule| rule.subject.written() == subject);
        let known = |subject: &str| self.parties.iter().any(|known| known.id.as_str() == subject);
        let somebody = SubjectId::unnamed(|name| named(name) || known(name));
        let member = |country, groups| PartyFacts { country, active: true, groups };
        for group in groups {
            let facts = member(Country::VN, vec![group.clone()]);
            all.push((Who::MemberOf(group), somebody.clone(), facts));
        }
        all.push((Who::AnyOther, somebody.clone(), member(Country::VN, Vec::new())));
        if let Some(abroad) = Country::parse(ABROAD) {
            all.push((Who::AnyOtherAbroad, somebody, member(abroad, Vec::new())));
        }
        all
    }
}

fn group(subject: &Pattern) -> Option<GroupId> {
    match subject {
        Pattern::Name(name) => GroupId::parse(name).ok(),
        Pattern::Any => None,
    }
}
