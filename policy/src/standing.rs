//! Where the names of one question stand: everything above its subject, dataset and purpose.
//!
//! Joins the frozen closure of the rule set with what the facts add for this one question (groups of the party, tags
//! and collections of the dataset, what the law derives from its record). casbin asks this instead of walking a graph.

use std::collections::HashSet;

use crate::closure::Closure;
use crate::limits::FACT_LINKS_MAX;
use crate::question::{Country, DataClass, DatasetFacts, Facts, PartyFacts, Personal, Question, SharingKind};
use crate::reason::ReasonCode;

/// Names that a catalog record alone decides: they may stand on a dataset only as its record says.
const RESERVED: [&str; 7] = [
    "co:open",
    "co:default-shared",
    "co:special",
    "tag:personal",
    "tag:sensitive",
    "tag:important",
    "tag:core",
];
/// The group that every party with its seat abroad is in.
const FOREIGN: &str = "gr:foreign";

/// Ancestors of one question's names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub subject: String,
    pub dataset: String,
    pub purpose: String,
    above_subject: HashSet<String>,
    above_dataset: HashSet<String>,
    above_purpose: HashSet<String>,
}

impl Standing {
    /// Works out the ancestors.
    ///
    /// # Errors
    /// `LIMIT` when the facts carry too many links, `INV-RECORD` when reserved names contradict the record.
    pub fn of(closure: &Closure, question: &Question, facts: &Facts) -> Result<Self, ReasonCode> {
        let (subject, dataset) = (question.subject.as_str(), question.dataset.as_str());
        let purpose = question.purpose.as_ref().map_or("-", |p| p.as_str());
        let groups = facts.party.as_ref().map_or(Ok(Vec::new()), groups_of)?;
        let marks = facts.dataset.as_ref().map_or(Ok(Vec::new()), marks_of)?;
        let standing = Self {
            above_subject: with_ancestors(closure, subject, &groups),
            above_dataset: with_ancestors(closure, dataset, &marks),
            above_purpose: with_ancestors(closure, purpose, &[]),
            subject: subject.to_owned(),
            dataset: dataset.to_owned(),
            purpose: purpose.to_owned(),
        };
        if let Some(record) = &facts.dataset {
            standing.agrees_with(record)?;
        }
        Ok(standing)
    }

    /// A reserved name that the record does not warrant would move rules; so it stops the question.
    fn agrees_with(&self, record: &DatasetFacts) -> Result<(), ReasonCode> {
        let warranted = derived(record);
        let stray =
            RESERVED.iter().any(|name| self.above_dataset.contains(*name) && !warranted.contains(name));
        if stray { Err(ReasonCode::Record) } else { Ok(()) }
    }

    /// casbin's question: is `name` the same as `broader` or under it? Only names of this question can be.
    pub fn is_under(&self, name: &str, broader: &str) -> bool {
        if name == broader {
            return true;
        }
        let above = if name == self.subject {
            &self.above_subject
        } else if name == self.dataset {
            &self.above_dataset
        } else if name == self.purpose {
            &self.above_purpose
        } else {
            return false;
        };
        above.contains(broader)
    }

    /// The dataset and everything above it.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.dataset.as_str()).chain(self.above_dataset.iter().map(String::as_str))
    }

    /// Whether a subject column could match.
    pub fn has_subject(&self, name: &str) -> bool {
        self.is_under(&self.subject, name)
    }
}

fn with_ancestors(closure: &Closure, name: &str, added: &[&str]) -> HashSet<String> {
    let mut all: HashSet<String> = closure.above(name).map(str::to_owned).collect();
    for link in added {
        if all.insert((*link).to_owned()) {
            all.extend(closure.above(link).map(str::to_owned));
        }
    }
    all
}

fn groups_of(party: &PartyFacts) -> Result<Vec<&str>, ReasonCode> {
    if party.groups.len() > FACT_LINKS_MAX {
        return Err(ReasonCode::Limit);
    }
    let mut groups: Vec<&str> = party.groups.iter().map(|g| g.as_str()).collect();
    if party.country != Country::VN {
        groups.push(FOREIGN);
    }
    Ok(groups)
}

fn marks_of(record: &DatasetFacts) -> Result<Vec<&str>, ReasonCode> {
    if record.tags.len() > FACT_LINKS_MAX || record.collections.len() > FACT_LINKS_MAX {
        return Err(ReasonCode::Limit);
    }
    let mut marks = derived(record);
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
