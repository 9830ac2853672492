//! What is asked, and what is known about it.
//!
//! A [`Question`] comes from the request; [`Facts`] come from what this node itself holds (registry, catalog, store).
//! Both are total: every field is there, and absence is written as `None`, never as an empty text.

use serde::{Deserialize, Serialize};

use crate::ids::{
    AgreementId, BasisId, CollectionId, DatasetId, GroupId, PlaceId, PurposeId, RoleId, RouteId, SectorId,
    SubjectId, TagId, UnitId, ZoneId,
};
use crate::predicate::Predicate;
use crate::quota::Usage;
use crate::rule::{Action, Class};

/// May this subject do this to that dataset?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Which agency (or person of this node) asks.
    pub subject: SubjectId,
    /// For which of its units, as the agency states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitId>,
    /// In which role the person acts, as the agency states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleId>,
    /// Up to which class that person is cleared, as the agency states it; 0 when nothing is stated.
    #[serde(default, skip_serializing_if = "Class::is_open")]
    pub clearance: Class,
    /// What it wants to do.
    pub action: Action,
    /// With which dataset.
    pub dataset: DatasetId,
    /// What for, as stated.
    pub purpose: Option<PurposeId>,
    /// Under which agreement.
    pub agreement: Option<AgreementId>,
    /// On which legal basis on record.
    pub basis: Option<BasisId>,
    /// Through which network zone: what the node's own configuration says (`[peer] network`), for every request alike. The
    /// node takes that word; it does not observe where a request comes from.
    pub network: ZoneId,
    /// Where the data will be used, as the agency states it, or else its own country: a word, not an observation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceId>,
    /// Which way the data takes.
    #[serde(default, skip_serializing_if = "RouteId::is_direct")]
    pub route: RouteId,
    /// When, Unix seconds.
    pub now: i64,
}

/// What this node holds about the question's party, dataset and agreement. `None` is "not found".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The member of the registry that the subject is.
    pub party: Option<PartyFacts>,
    /// The dataset's catalog record.
    pub dataset: Option<DatasetFacts>,
    /// The agreement that the question names.
    pub agreement: Option<AgreementFacts>,
    /// A dossier for sending data abroad is filed, exempt or approved for this agreement.
    #[serde(default)]
    pub transfer_dossier: bool,
    /// What this party has had of this dataset so far; held against quotas.
    #[serde(default, skip_serializing_if = "Usage::is_empty")]
    pub usage: Usage,
}

/// A party as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyFacts {
    /// Where its seat is.
    pub country: Country,
    /// It is a member in good standing now.
    pub active: bool,
    /// Groups and roles it is in, besides those of the rule set.
    #[serde(default)]
    pub groups: Vec<GroupId>,
}

/// ISO 3166-1 alpha-2 code: two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

impl Country {
    /// Viet Nam.
    pub const VN: Self = Self(*b"VN");

    /// Reads two capital letters.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let two: [u8; 2] = code.as_bytes().try_into().ok()?;
        two.iter().all(u8::is_ascii_uppercase).then_some(Self(two))
    }
}

impl TryFrom<String> for Country {
    type Error = String;
    fn try_from(code: String) -> Result<Self, String> {
        Self::parse(&code).ok_or_else(|| {
            format!("`{}` is not a country: give two capital letters", crate::ids::shown(&code))
        })
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.0.map(char::from).iter().collect()
    }
}

/// A dataset as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetFacts {
    /// The agency that answers for it. Puts `ow:<participant id>` above the dataset.
    pub owner: SubjectId,
    /// Its classification.
    pub class: Class,
    /// Whether it is about people. Puts `tag:personal` and `tag:sensitive` on it.
    pub personal: Personal,
    /// How it is shared. Puts `co:open`, `co:default-shared` or `co:special` on it.
    pub kind: SharingKind,
    /// Its sector, which then stands above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<SectorId>,
    /// Class under the law on data. Puts `tag:important` or `tag:core` on it.
    #[serde(default)]
    pub data_class: DataClass,
    /// Further tags.
    #[serde(default)]
    pub tags: Vec<TagId>,
    /// Further collections.
    #[serde(default)]
    pub collections: Vec<CollectionId>,
    /// The row condition that keeps only people who consented; needed when the legal basis is consent.
    #[serde(default)]
    pub consent: Option<Predicate>,
}

/// Whether data is about people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    /// Not about people.
    None,
    /// Basic personal data.
    Basic,
    /// Sensitive personal data.
    Sensitive,
}

/// How a dataset is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharingKind {
    /// Open data: anyone.
    Open,
    /// Shared by default between state agencies.
    Default,
    /// Shared on special request, by agreement.
    Special,
    /// State secret: outside this exchange.
    Secret,
}

/// Class under the law on data (60/2024/QH15, Art. 13).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataClass {
    /// Neither important nor core.
    #[default]
    Other,
    /// Important data.
    Important,
    /// Core data.
    Core,
}

/// An agreement as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementFacts {
    /// Who may use it.
    pub consumer: SubjectId,
    /// What it is about.
    pub datasets: Vec<DatasetId>,
    /// Purposes it covers; narrower ones are covered too.
    pub purposes: Vec<PurposeId>,
    /// In force from this Unix second on.
    pub not_before: i64,
    /// Until before this Unix second.
    pub expires: i64,
    /// How many of its parties have signed (verified signatures).
    pub signatures: u8,
    /// The impact assessment on record.
    pub dpia: Dpia,
}

/// Impact assessment of personal data processing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dpia {
    /// None on record.
    Missing,
    /// Filed, with its reference.
    Filed(String),
    /// Exempt, with the reference of who said so.
    Exempt(String),
}

impl Dpia {
    /// True when there is something on record, with a reference that is not blank.
    #[must_use]
    pub fn on_record(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Filed(reference) | Self::Exempt(reference) => !reference.trim().is_empty(),
        }
    }
}
