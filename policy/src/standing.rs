//! Where the names of one question stand: everything above its subject, dataset and purpose.
//!
//! Joins the frozen closure of the rule set with what the facts add for this one question (groups of the party, tags
//! and collections of the dataset, what the law derives from its record). casbin asks this instead of walking a graph.

use std::sync::Arc;

use crate::closure::Closure;
use crate::ids::OWNER_PREFIX;
use crate::invariants::Invariants;
use crate::limits::FACT_LINKS_MAX;
use crate::question::{DataClass, DatasetFacts, Facts, PartyFacts, Personal, Question, SharingKind};
use crate::reason::ReasonCode;
use crate::rule::Pattern;

/// Names that a catalog record alone decides: they may stand on a dataset only as its record says.
pub(crate) const RESERVED: [&str; 7] = [
    "co:open",
    "co:default-shared",
    "co:special",
    "tag:personal",
    "tag:sensitive",
    "tag:important",
    "tag:core",
];
/// The group that every party with its seat abroad is in.
pub(crate) const FOREIGN: &str = "gr:foreign";

/// One name of the question with all names it stands under.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub name: Arc<str>,
    /// In order, none twice.
    above: Vec<Arc<str>>,
}

/// Ancestors of one question's names.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub subject: Named,
    pub dataset: Named,
    pub purpose: Named,
    pub unit: Named,
    pub role: Named,
    pub place: Named,
}

impl Standing {
    /// Works out the ancestors.
    ///
    /// # Errors
    /// `LIMIT` when the facts carry too many links, `INV-RECORD` when reserved names contradict the record.
    pub fn of(
        law: Invariants,
        closure: &Closure,
        question: &Question,
        facts: &Facts,
    ) -> Result<Self, ReasonCode> {
        let groups = facts.party.as_ref().map_or(Ok(Vec::new()), |party| groups_of(law, party))?;
        let owner = facts.dataset.as_ref().map(owner_name);
        let mut marks = facts.dataset.as_ref().map_or(Ok(Vec::new()), marks_of)?;
        marks.extend(owner.as_deref());
        let plain = |name: Option<&str>| Named::under(closure, name.unwrap_or("-"), &[]);
        let standing = Self {
            subject: Named::under(closure, question.subject.as_str(), &groups),
            dataset: Named::under(closure, question.dataset.as_str(), &marks),
            purpose: plain(question.purpose.as_ref().map(|p| p.as_str())),
            unit: plain(question.unit.as_ref().map(|u| u.as_str())),
            role: plain(question.role.as_ref().map(|r| r.as_str())),
            place: plain(question.place.as_ref().map(|p| p.as_str())),
        };
        if let Some(record) = &facts.dataset {
            standing.agrees_with(record)?;
        }
        Ok(standing)
    }

    /// A reserved name that the record does not warrant would move rules; so it stops the question.
    fn agrees_with(&self, record: &DatasetFacts) -> Result<(), ReasonCode> {
        let warranted = derived(record);
        let stray = RESERVED.iter().any(|name| self.dataset.stands_under(name) && !warranted.contains(name));
        if stray { Err(ReasonCode::Record) } else { Ok(()) }
    }

    /// casbin's question: is `name` the same as `broader` or under it? Only names of this question can be.
    pub fn is_under(&self, name: &str, broader: &str) -> bool {
        let own = [&self.subject, &self.dataset, &self.purpose, &self.unit, &self.role, &self.place];
        name == broader || own.iter().any(|own| &*own.name == name && own.stands_under(broader))
    }

    /// The dataset and everything above it.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.dataset.names()
    }
}

impl Named {
    fn under(closure: &Closure, name: &str, added: &[&str]) -> Self {
        let mut above = closure.all_above(name).to_vec();
        for link in added {
            above.push((*link).into());
            above.extend_from_slice(closure.all_above(link));
        }
        if !added.is_empty() {
            above.sort_unstable();
            above.dedup();
        }
        Self { name: name.into(), above }
    }

    /// The name and all that it stands under.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.above).map(|name| &**name)
    }

    fn stands_under(&self, broader: &str) -> bool {
        self.above.binary_search_by(|up| (**up).cmp(broader)).is_ok()
    }

    /// Whether a rule's column could match this name.
    pub fn fits(&self, pattern: &Pattern) -> bool {
        match pattern {
            Pattern::Any => true,
            Pattern::Name(name) => *self.name == **name || self.stands_under(name),
        }
    }
}

/// `ow:<participant id>`: what the owner puts above its dataset.
pub(crate) fn owner_name(record: &DatasetFacts) -> String {
    let owner = record.owner.as_str();
    let bare = owner.split_once(':').map_or(owner, |(_, bare)| bare);
    format!("{OWNER_PREFIX}{bare}")
}

/// What the registry puts on a party.
pub(crate) fn groups_of(law: Invariants, party: &PartyFacts) -> Result<Vec<&str>, ReasonCode> {
    if party.groups.len() > FACT_LINKS_MAX {
        return Err(ReasonCode::Limit);
    }
    let mut groups: Vec<&str> = party.groups.iter().map(|g| g.as_str()).collect();
    if !law.is_home(party.country) {
        groups.push(FOREIGN);
    }
    Ok(groups)
}

/// What the catalog puts on a dataset.
pub(crate) fn marks_of(record: &DatasetFacts) -> Result<Vec<&str>, ReasonCode> {
    if record.tags.len() > FACT_LINKS_MAX || record.collections.len() > FACT_LINKS_MAX {
        return Err(ReasonCode::Limit);
    }
    let mut marks = derived(record);
    marks.extend(record.sector.iter().map(|s| s.as_str()));
    marks.extend(record.tags.iter().map(|t| t.as_str()));
    marks.extend(record.collections.iter().map(|c| c.as_str()));
    Ok(marks)
}

/// What the record alone puts on the dataset.
pub(crate) fn derived(record: &DatasetFacts) -> Vec<&'static str> {
    let mut names = Vec::with_capacity(4);
    match record.kind {
        SharingKind::Open => names.push("co:open"),
        SharingKind::Default => names.push("co:default-shared"),
        SharingKind::Special => names.push("co:special"),
        SharingKind::Secret => {}
    }
    if record.personal >= Personal::Basic {
        names.push("tag:personal");
    }
    if record.personal == Personal::Sensitive {
        names.push("tag:sensitive");
    }
    match record.data_class {
        DataClass::Other => {}
        DataClass::Important => names.push("tag:important"),
        DataClass::Core => names.push("tag:core"),
    }
    names
}
