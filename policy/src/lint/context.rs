//! What only the node knows of the world that the rules speak about. Everything may be missing; what is not known is
//! not judged.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{AgreementId, DatasetId, GroupId, ObligationSetId, PurposeId, RuleId, SubjectId, ZoneId};
use crate::linkage::Linkage;
use crate::load::{Files, name};
use crate::minute::Minute;
use crate::question::{DatasetFacts, PartyFacts};
use crate::rule_set::RuleSet;

/// Days without a match after which a rule is named, where nothing else is said.
pub const UNMATCHED_DAYS: u32 = 90;
/// Days before its end from which a rule is named, where nothing else is said.
pub const SOON_DAYS: u32 = 30;

/// What is known beside the rules. The default is nothing.
#[derive(Debug, Clone, Default)]
pub struct LintContext {
    /// When: without it no rule is called expired.
    pub now: Option<Minute>,
    /// The agency whose rules these are.
    pub node: Option<SubjectId>,
    /// All datasets of the node.
    pub datasets: Option<BTreeMap<DatasetId, KnownDataset>>,
    /// Obligation sets, and why datasets cannot be shown under them, whatever other rules add.
    pub misfits: BTreeMap<ObligationSetId, BTreeMap<DatasetId, String>>,
    /// All parties that the node knows.
    pub parties: Option<BTreeMap<SubjectId, PartyFacts>>,
    /// Groups and roles that are known besides those of the parties.
    pub groups: BTreeSet<GroupId>,
    /// The purposes that may be stated, besides those of the rules' own tree.
    pub purposes: Option<BTreeSet<PurposeId>>,
    /// The agreements that the node keeps.
    pub agreements: Option<BTreeSet<AgreementId>>,
    /// The linkage keys that the node holds, and who holds them, too.
    pub linkages: Option<BTreeMap<Linkage, BTreeSet<SubjectId>>>,
    /// Network zones besides `net:gov` and `net:internet`.
    pub zones: BTreeSet<ZoneId>,
    /// When rules matched.
    pub usage: Option<Observed>,
    /// Where rules stand in their files.
    pub places: BTreeMap<RuleId, (String, u32)>,
    /// Days without a match after which a rule is named; `None` is 90.
    pub unmatched_days: Option<u32>,
    /// Days before its end from which a rule is named; `None` is 30.
    pub soon_days: Option<u32>,
    /// Whether the world is the one of the test table, which may hold what goes wrong on purpose.
    pub imagined: bool,
}

/// A dataset and what is counted of it.
#[derive(Debug, Clone)]
pub struct KnownDataset {
    /// Its catalog record.
    pub facts: DatasetFacts,
    /// How many persons it is about, where that is known.
    pub persons: Option<u64>,
}

/// What was recorded of questions about content; who looked at the catalog is not recorded.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Since when questions are recorded.
    pub since: Minute,
    /// When each rule matched last, whether it decided or was overridden.
    pub last: BTreeMap<RuleId, Minute>,
    /// Rules that came later than `since`: not judged.
    pub added: BTreeSet<RuleId>,
}

impl LintContext {
    /// What the register of the rule set's own test table says, as a stand-in where there is no node.
    #[must_use]
    pub fn of_cases(rules: &RuleSet) -> Self {
        let Some(fixture) = rules.fixture() else { return Self::default() };
        let known = |facts| KnownDataset { facts, persons: None };
        let agreements = fixture.agreements();
        let stated = rules.cases().iter().filter_map(|case| case.question.purpose.clone());
        let agreed = agreements.iter().flat_map(|(_, agreement)| agreement.purposes.clone());
        Self {
            datasets: Some(fixture.dataset_facts().map(|(id, facts)| (id.clone(), known(facts))).collect()),
            parties: Some(fixture.party_facts().map(|(id, facts)| (id.clone(), facts)).collect()),
            purposes: Some(stated.chain(agreed).collect()),
            agreements: Some(agreements.iter().map(|(id, _)| id.clone()).collect()),
            imagined: true,
            ..Self::default()
        }
    }

    /// The same, with the lines on which rules stand.
    #[must_use]
    pub fn with_places(self, files: &Files) -> Self {
        Self { places: places(files), ..self }
    }
}

/// Where each rule and duty stands: found again by its id, for lint alone needs it.
fn places(files: &Files) -> BTreeMap<RuleId, (String, u32)> {
    let mut places = BTreeMap::new();
    for file in [name::POLICY, name::DUTIES] {
        let text = files.get(file).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
        for (line, row) in (1u32..).zip(text.lines()) {
            let mut fields = row.split(',').map(str::trim);
            if fields.next() != Some("p") {
                continue;
            }
            if let Some(id) = fields.next().and_then(|id| RuleId::parse(id).ok()) {
                places.entry(id).or_insert((file.to_owned(), line));
            }
        }
    }
    places
}
