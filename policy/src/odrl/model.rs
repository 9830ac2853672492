//! The part of ODRL 2.2 that rules are said in, as types, and its JSON.

use serde_json::{Map, Value, json};

use super::names::{GOV, NS, PROFILE};
use crate::digest::Digest;
use crate::ids::{ObligationSetId, RuleId};
use crate::rule::Tier;

/// How our own terms are spelled: ODRL's words are the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `gov:tier`, in a document whose context says what `gov:` is.
    Document,
    /// `urn:tram:ns:tier`, in messages whose context cannot be extended.
    Message,
}

impl Spelling {
    /// A term as it is written: `gov:tier` or `odrl:purpose`.
    #[must_use]
    pub fn term(self, term: &str) -> String {
        match (self, term.strip_prefix(GOV)) {
            (Self::Message, Some(local)) => format!("{NS}{local}"),
            _ => term.to_owned(),
        }
    }
}

/// How the two sides of a condition are compared; those of ODRL that rules use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the standard's own")]
pub enum Operator {
    Eq,
    Gteq,
    Lt,
    Lteq,
    IsA,
    IsAnyOf,
    IsPartOf,
}

impl Operator {
    /// The word of the standard.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Gteq => "gteq",
            Self::Lt => "lt",
            Self::Lteq => "lteq",
            Self::IsA => "isA",
            Self::IsAnyOf => "isAnyOf",
            Self::IsPartOf => "isPartOf",
        }
    }
}

/// The right side of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// An IRI.
    Iri(String),
    /// One of our own terms, such as `gov:some`.
    Term(&'static str),
    /// A whole number.
    Number(u64),
    /// A time or duration, with the XML Schema type that it is of.
    Typed(&'static str, String),
    /// Texts, such as names of columns.
    Texts(Vec<String>),
    /// A value with an inner form of its own, kept as a JSON literal (JSON-LD 1.1).
    Json(Value),
}

impl Right {
    fn value(&self, spelling: Spelling) -> Value {
        match self {
            Self::Iri(iri) => json!({"@id": iri}),
            Self::Term(term) => json!({"@id": spelling.term(term)}),
            Self::Number(n) => json!({"@type": "xsd:integer", "@value": n.to_string()}),
            Self::Typed(kind, text) => json!({"@type": kind, "@value": text}),
            Self::Texts(texts) => json!(texts),
            Self::Json(value) => json!({"@type": "@json", "@value": value}),
        }
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdrlConstraint {
    /// What is compared: `odrl:purpose`, `gov:legalBasis`.
    pub left: &'static str,
    /// How.
    pub operator: Operator,
    /// With what.
    pub right: Right,
}

impl OdrlConstraint {
    pub(crate) fn new(left: &'static str, operator: Operator, right: Right) -> Self {
        Self { left, operator, right }
    }

    /// As JSON.
    #[must_use]
    pub fn value(&self, spelling: Spelling) -> Value {
        json!({
            "leftOperand": spelling.term(self.left),
            "operator": self.operator.word(),
            "rightOperand": self.right.value(spelling),
        })
    }
}

/// Something that must be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdrlDuty {
    /// What: `odrl:delete`, `gov:mask`.
    pub action: &'static str,
    /// How; all conditions together.
    pub constraint: Vec<OdrlConstraint>,
}

impl OdrlDuty {
    /// As JSON.
    #[must_use]
    pub fn value(&self, spelling: Spelling) -> Value {
        let mut out = Map::new();
        out.insert("action".to_owned(), json!(spelling.term(self.action)));
        list(&mut out, "constraint", self.constraint.iter().map(|c| c.value(spelling)));
        Value::Object(out)
    }
}

/// One permission, prohibition or obligation of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdrlRule {
    /// Id of the rule.
    pub id: RuleId,
    /// Whom it is about, a name with prefix; none is anybody.
    pub assignee: Option<String>,
    /// What it is about, a name with prefix; none is anything.
    pub target: Option<String>,
    /// What may, may not or must be done.
    pub action: &'static str,
    /// Under which conditions; all together.
    pub constraint: Vec<OdrlConstraint>,
    /// Which obligation set its duties are, and that set's digest.
    pub set: Option<(ObligationSetId, Digest)>,
    /// What it obliges to.
    pub duty: Vec<OdrlDuty>,
}

/// All rules of one tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdrlPolicy {
    /// Its IRI.
    pub uid: String,
    /// The tier.
    pub tier: Tier,
    /// Grants that allow.
    pub permission: Vec<OdrlRule>,
    /// Grants that deny.
    pub prohibition: Vec<OdrlRule>,
    /// Duties on whatever is permitted.
    pub obligation: Vec<OdrlRule>,
}

impl OdrlPolicy {
    /// As JSON, for a document whose context says what `gov:` is.
    #[must_use]
    pub fn value(&self) -> Value {
        let mut out = Map::new();
        out.insert("@type".to_owned(), json!("Set"));
        out.insert("uid".to_owned(), json!(self.uid));
        out.insert("profile".to_owned(), json!(PROFILE));
        out.insert("conflict".to_owned(), json!("prohibit"));
        out.insert("gov:tier".to_owned(), json!(self.tier.written()));
        for (key, rules) in [
            ("permission", &self.permission),
            ("prohibition", &self.prohibition),
            ("obligation", &self.obligation),
        ] {
            let duty = if key == "obligation" { "gov:duty" } else { "duty" };
            list(&mut out, key, rules.iter().map(|rule| rule.value(duty)));
        }
        Value::Object(out)
    }
}

impl OdrlRule {
    fn value(&self, duty: &str) -> Value {
        let mut out = Map::new();
        out.insert("uid".to_owned(), json!(format!("{}{}", super::names::RULE, self.id)));
        for (key, name) in [("assignee", &self.assignee), ("target", &self.target)] {
            if let Some(name) = name {
                out.insert(key.to_owned(), json!({"@type": kind_of(name), "uid": super::iri_of(name)}));
            }
        }
        out.insert("action".to_owned(), json!(self.action));
        list(&mut out, "constraint", self.constraint.iter().map(|c| c.value(Spelling::Document)));
        if let Some((set, digest)) = &self.set {
            out.insert("gov:obligations".to_owned(), set_value(set, digest));
        }
        list(&mut out, duty, self.duty.iter().map(|d| d.value(Spelling::Document)));
        Value::Object(out)
    }
}

/// Which set of obligations duties are, and its digest.
pub(crate) fn set_value(set: &ObligationSetId, digest: &Digest) -> Value {
    json!({"uid": format!("{}{set}", super::names::SET), "gov:sha256": digest.to_string()})
}

/// ODRL's word for what a name is.
pub(crate) fn kind_of(name: &str) -> &'static str {
    match name.split_once(':').map_or("", |(kind, _)| kind) {
        "ag" | "us" => "Party",
        "gr" | "ro" | "un" => "PartyCollection",
        "ds" => "Asset",
        "co" | "tag" | "se" | "ow" => "AssetCollection",
        "pu" => "gov:Purpose",
        _ => "gov:Place",
    }
}

/// Puts a list that is not empty.
pub(crate) fn list(out: &mut Map<String, Value>, key: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    if !items.is_empty() {
        out.insert(key.to_owned(), Value::Array(items));
    }
}
