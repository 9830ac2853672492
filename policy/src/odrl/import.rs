//! ODRL read as the draft of a rule set. What is not understood wholly is refused by its name.

mod constraint;
mod policy;

use serde_json::Value;

use super::draft::Draft;
use super::names::{GOV, NS, REASON, SET, name_of};
use super::problem::{OdrlCode, OdrlError, Problems};
use super::read::{Fields, literal, normal, text};
use crate::ids::RuleId;
use crate::limits::{LINKS_MAX, RULES_MAX};
use crate::rule::{Link, LinkKind};
use crate::rule_set::RuleSet;

pub(crate) use constraint::atomic;

/// Contexts whose words are those that this module knows.
const CONTEXTS: &[&str] =
    &["http://www.w3.org/ns/odrl.jsonld", "https://w3id.org/dspace/2025/1/context.jsonld"];
/// Prefixes that a context may name, each with its one meaning.
const PREFIXES: &[(&str, &str)] =
    &[("gov", NS), ("odrl", super::names::ODRL), ("xsd", "http://www.w3.org/2001/XMLSchema#")];
const SUBJECTS: &[&str] = &["ag:", "us:", "gr:", "ro:"];
const MEMBERS: &[&str] = &["ag:", "us:", "gr:", "ro:", "un:"];
const GROUPS: &[&str] = &["gr:", "ro:", "un:"];
const OBJECTS: &[&str] = &["ds:", "co:", "tag:", "se:", "ow:"];
const MARKS: &[&str] = &["co:", "tag:"];
const PURPOSES: &[&str] = &["pu:"];
const PLACES: &[&str] = &["pl:"];

/// Reads an ODRL document or a single policy, and has the strict loader check what came of it.
///
/// # Errors
/// [`OdrlError`] with every problem found, each with the name of what is not taken and where it stands.
pub fn import(bytes: &[u8]) -> Result<Draft, OdrlError> {
    let mut problems = Problems::default();
    let mut reading = Reading { draft: Draft::default(), problems: &mut problems, numbered: 0 };
    let value = super::read::parse(bytes, reading.problems);
    if let Some(value) = &value {
        reading.document(value);
    }
    let draft = reading.draft;
    if problems.is_empty()
        && let Err(error) = RuleSet::from_files(&draft.files(), 1)
    {
        for problem in &error.problems {
            let term = problem.rule.as_deref().unwrap_or(&problem.file);
            problems.add("", OdrlCode::RuleSet, term, problem.message.clone());
        }
    }
    problems.into_result()?;
    Ok(draft)
}

fn is_prefix(prefix: &str, iri: &Value) -> bool {
    PREFIXES.iter().any(|(known, means)| *known == prefix && iri.as_str() == Some(means))
}

/// A document while it is read.
pub(crate) struct Reading<'p> {
    pub draft: Draft,
    pub problems: &'p mut Problems,
    numbered: usize,
}

impl Reading<'_> {
    fn document(&mut self, value: &Value) {
        let Some(mut fields) = Fields::of(value, "", "document", self.problems) else { return };
        if let Some(context) = fields.take("@context") {
            self.context(context);
        }
        if !fields.has("@graph") {
            self.node(fields);
            return;
        }
        let nodes = fields.list("@graph");
        fields.finish(self.problems);
        for (index, node) in nodes.into_iter().enumerate() {
            let at = format!("/@graph/{index}");
            if let Some(fields) = Fields::of(node, &at, "node", self.problems) {
                self.node(fields);
            }
            let draft = &self.draft;
            if draft.grants.len().max(draft.duties.len()) > RULES_MAX || draft.links.len() > LINKS_MAX {
                self.problems.add(
                    &at,
                    OdrlCode::Limit,
                    "@graph",
                    "more rules or links than a rule set may have",
                );
                return;
            }
        }
    }

    /// Contexts are not fetched; one that is not known might give other meanings to the words.
    fn context(&mut self, context: &Value) {
        let one = std::slice::from_ref(context);
        let items = context.as_array().map_or(one, Vec::as_slice);
        let nothing = "@context".to_owned();
        for item in items {
            let stranger = match item {
                Value::String(iri) => Some(iri).filter(|iri| !CONTEXTS.contains(&iri.as_str())),
                Value::Object(map) => {
                    map.iter().find(|(prefix, iri)| !is_prefix(prefix, iri)).map(|(p, _)| p)
                }
                _ => Some(&nothing),
            };
            if let Some(stranger) = stranger {
                let why = "this context is not known here, and its words might mean something else";
                self.problems.add("/@context", OdrlCode::Type, stranger, why);
            }
        }
    }

    fn node(&mut self, mut fields: Fields<'_>) {
        let kind = fields.text("@type", self.problems).map(normal).unwrap_or_default();
        match kind.as_str() {
            "Set" | "Policy" | "Offer" | "Agreement" => self.policy(fields),
            "Party" | "PartyCollection" => self.links(fields, LinkKind::Subject, "partOf", MEMBERS, GROUPS),
            "Asset" | "AssetCollection" => self.links(fields, LinkKind::Object, "partOf", OBJECTS, MARKS),
            "gov:Purpose" => self.links(fields, LinkKind::Purpose, "gov:broader", PURPOSES, PURPOSES),
            "gov:Place" => self.links(fields, LinkKind::Place, "partOf", PLACES, PLACES),
            "gov:Reason" => self.reason(fields),
            "gov:ObligationSet" => self.set(fields),
            "gov:Invariants" => self.invariants(fields),
            other => {
                let why = "this kind of node is not known here: Set, Offer or Agreement is due";
                self.problems.add(&fields.at, OdrlCode::Type, other, why);
            }
        }
    }

    fn links(
        &mut self,
        mut fields: Fields<'_>,
        kind: LinkKind,
        key: &str,
        narrow: &[&'static str],
        broad: &[&'static str],
    ) {
        let at = fields.at.clone();
        let from = fields.text("uid", self.problems).unwrap_or_default();
        let to = fields.list(key);
        fields.finish(self.problems);
        let from = self.name(from, narrow, &at, "uid");
        for value in to {
            let to = self.name(text(value).unwrap_or_default(), broad, &at, key);
            if let (Some(from), Some(to)) = (&from, to) {
                self.draft.links.push(Link { kind, from: from.clone(), to });
            }
        }
    }

    /// The name of an IRI; a problem if it is none of these kinds.
    fn name(&mut self, iri: &str, kinds: &[&'static str], at: &str, key: &str) -> Option<String> {
        name_of(iri, kinds)
            .map_err(|why| self.problems.add(&format!("{at}/{key}"), OdrlCode::Value, iri, why))
            .ok()
    }

    fn reason(&mut self, mut fields: Fields<'_>) {
        let at = fields.at.clone();
        let uid = fields.text("uid", self.problems).unwrap_or_default();
        let value = fields.take("gov:value").map(literal).cloned().unwrap_or_default();
        fields.finish(self.problems);
        let Some(key) = uid.strip_prefix(REASON) else {
            self.problems.add(&at, OdrlCode::Value, uid, format!("write `{REASON}<rule id>`"));
            return;
        };
        match serde_json::from_value(value) {
            Err(error) => self.problems.add(&at, OdrlCode::Value, uid, error.to_string()),
            Ok(reason) => {
                if self.draft.reasons.insert(key.to_owned(), reason).is_some() {
                    self.problems.add(&at, OdrlCode::Twice, uid, "this reason stands twice: keep one");
                }
            }
        }
    }

    /// The usual legal order is never written, so whatever stands here is another one, once.
    fn invariants(&mut self, mut fields: Fields<'_>) {
        let at = fields.at.clone();
        let value = fields.take("gov:value").cloned().unwrap_or_default();
        fields.finish(self.problems);
        let before = self.draft.invariants;
        match serde_json::from_value(value) {
            Err(error) => self.problems.add(&at, OdrlCode::Value, "gov:Invariants", error.to_string()),
            Ok(_) if before != Default::default() => {
                self.problems.add(&at, OdrlCode::Twice, "gov:Invariants", "a rule set has one legal order");
            }
            Ok(law) => self.draft.invariants = law,
        }
    }

    fn set(&mut self, mut fields: Fields<'_>) {
        let at = fields.at.clone();
        let uid = fields.text("uid", self.problems).unwrap_or_default();
        let duties = fields.list("gov:duty");
        fields.finish(self.problems);
        let read = super::duty::read(&duties, &format!("{at}/{GOV}duty"), self.problems);
        let id = uid.strip_prefix(SET).and_then(|id| RuleId::parse(id).ok());
        match (id, read) {
            (None, _) => self.problems.add(&at, OdrlCode::Value, uid, format!("write `{SET}<id>`")),
            (Some(id), Some(set)) => self.keep_set(id, set, &at),
            (Some(_), None) => {}
        }
    }

    /// The same set stands with each of its rules; all must say the same.
    pub fn keep_set(&mut self, id: RuleId, set: crate::Obligations, at: &str) {
        match self.draft.obligations.get(&id) {
            Some(before) if *before != set => {
                let why = "the same obligation set stands elsewhere with other duties";
                self.problems.add(at, OdrlCode::Duty, id.as_str(), why);
            }
            Some(_) => {}
            None => {
                self.draft.obligations.insert(id, set);
            }
        }
    }

    /// An id for a rule or set that came without one of ours.
    pub fn fresh(&mut self, what: &str) -> Option<RuleId> {
        self.numbered += 1;
        RuleId::parse(&format!("{what}-{}", self.numbered)).ok()
    }
}
