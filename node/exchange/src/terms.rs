//! The terms inside an offer or agreement that this house understands: what may be done for which purpose, on which
//! legal basis, from when until when, by whom from where, and under which duties.
//!
//! Promises: what is written here is one permission with named conditions, read back to the same terms; what is read
//! and not understood wholly is refused by its name, because an unknown condition might be one that we break.
//! Absent: the question whether the terms allow a deed, and what a duty means; those are the policy's, which gets these
//! terms as facts.

use serde_json::{Value, json};

use crate::dsp::{Constraint, Extra, Id, IdError, Logic, Operator, Profile, Rule, RuleBody, Timestamp};

const PURPOSE: &str = "odrl:purpose";
const LEGAL_BASIS: &str = "urn:tram:ns:legalBasis";
const DATE_TIME: &str = "odrl:dateTime";
const ODRL: &str = "http://www.w3.org/ns/odrl/2/";
const UNIT: &str = "urn:tram:ns:unit";
const ROLE: &str = "urn:tram:ns:role";
const CLEARANCE: &str = "urn:tram:ns:clearance";
const PLACE: &str = "odrl:spatial";
const ROUTE: &str = "urn:tram:ns:route";
const CHANNEL: &str = "odrl:deliveryChannel";
/// Vocabularies of titles, notes and descriptions: nothing of them limits a use. Any other could.
const REMARKS: [&str; 10] = [
    "dct:",
    "dc:",
    "rdfs:",
    "skos:",
    "schema:",
    "http://purl.org/dc/",
    "http://www.w3.org/2000/01/rdf-schema#",
    "http://www.w3.org/2004/02/skos/core#",
    "http://schema.org/",
    "https://schema.org/",
];
/// The action that stands for any deed.
const USE: &str = "use";
/// Deeds that terms can be limited to: asking, and taking a copy.
const DEEDS: [&str; 2] = ["odrl:read", "odrl:reproduce"];
/// The profile whose terms are understood. A policy may name it, and no other.
pub const PROFILE: &str = "urn:tram:ns:profile:1";

/// Who uses the data, from where and which way, as the consumer states and signs it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stated {
    /// The unit of the consumer.
    pub unit: Option<Id>,
    /// The role of the person.
    pub role: Option<Id>,
    /// The person's clearance, 0 to 9.
    pub clearance: Option<u8>,
    /// Where the data is used.
    pub place: Option<Id>,
    /// Which way it takes from node to node.
    pub route: Option<Id>,
    /// Through which network zone.
    pub channel: Option<Id>,
}

/// Under which terms a dataset may be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// For which purposes, any of them; empty when the terms name none.
    pub purposes: Vec<Id>,
    /// On which legal basis.
    pub legal_basis: Option<Id>,
    /// From this moment on, in unix seconds.
    pub valid_from: Option<i64>,
    /// Before this moment, in unix seconds.
    pub valid_until: Option<i64>,
    /// The one deed that is allowed, `odrl:read` or `odrl:reproduce`; none is any.
    pub deed: Option<Id>,
    /// What the consumer states of itself.
    pub stated: Stated,
    /// What must be done, as the policy's `obligation`.
    pub duties: Vec<Rule>,
}

/// Why terms are not understood. The offer or agreement must then be refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Something stands there that this node does not know.
    #[error(
        "the terms have {what}, which this node does not know: leave it out, or ask for what the catalog offers"
    )]
    Unknown {
        /// What it is.
        what: String,
    },
    /// The same condition stands there twice.
    #[error("the terms have the condition `{0}` twice: keep one")]
    Twice(String),
    /// The end is not after the beginning.
    #[error("the terms end ({until}) before they begin ({from}), both unix seconds: correct the times")]
    NeverValid {
        /// The beginning.
        from: i64,
        /// The end.
        until: i64,
    },
    /// A value has no usable form.
    #[error(transparent)]
    Value(#[from] IdError),
}

impl Terms {
    /// Whether the terms hold at a moment, in unix seconds.
    #[must_use]
    pub fn is_valid_at(&self, now: i64) -> bool {
        self.valid_from.is_none_or(|from| now >= from) && self.valid_until.is_none_or(|until| now < until)
    }

    /// Write the terms as rules: one permission to `use`, conditions in a fixed order.
    pub fn to_rules(&self) -> Result<RuleBody, TermsError> {
        self.check_times()?;
        let mut constraint = Vec::new();
        match self.purposes.as_slice() {
            [] => {}
            [one] => constraint.push(Constraint::text(Id::new(PURPOSE)?, Operator::Eq, one.as_str())),
            many => {
                let right = Value::Array(many.iter().map(|id| Value::String(id.to_string())).collect());
                constraint.push(atomic(PURPOSE, Operator::IsAnyOf, right)?);
            }
        }
        if let Some(basis) = &self.legal_basis {
            constraint.push(Constraint::text(Id::new(LEGAL_BASIS)?, Operator::Eq, basis.as_str()));
        }
        for (operator, moment) in [(Operator::Gteq, self.valid_from), (Operator::Lt, self.valid_until)] {
            if let Some(moment) = moment {
                let text = Timestamp::from_unix(moment)?;
                let right = json!({ "@type": "xsd:dateTime", "@value": text.as_str() });
                constraint.push(atomic(DATE_TIME, operator, right)?);
            }
        }
        self.stated.write(&mut constraint)?;
        let action = self.deed.clone().map_or_else(|| Id::new(USE), Ok)?;
        let rules = RuleBody::new(vec![Rule::new(action, constraint)], Vec::new(), self.duties.clone());
        let rules = rules.ok_or_else(|| unknown("no permission"))?;
        let plain = self.duties.is_empty() && self.stated == Stated::default();
        Ok(if plain { rules } else { rules.with_profile(Profile::one(Id::new(PROFILE)?)) })
    }

    /// Read the terms of an offer or agreement.
    pub fn read(rules: &RuleBody) -> Result<Terms, TermsError> {
        if let Some(rule) = rules.prohibition().first() {
            return Err(unknown(&format!("the prohibition of `{}`", shown(rule.action.as_str()))));
        }
        let mut profiles = rules.profile().map(Profile::iris).unwrap_or_default().iter();
        if let Some(profile) = profiles.find(|iri| iri.as_str() != PROFILE) {
            return Err(unknown(&format!("the profile `{}`", shown(profile.as_str()))));
        }
        // Titles and the like say nothing about use; the parties may be named, since the message names them as well.
        if let Some((key, _)) = rules.extra().iter().find(|(key, value)| !is_remark(key, value)) {
            return Err(unknown(&format!("the property `{}`", shown(key))));
        }
        let [rule] = rules.permission() else {
            return Err(unknown("several permissions"));
        };
        let mut terms = Terms { duties: rules.obligation().to_vec(), ..Terms::default() };
        read_rule(rule, &mut terms)?;
        terms.check_times()?;
        Ok(terms)
    }

    fn check_times(&self) -> Result<(), TermsError> {
        match (self.valid_from, self.valid_until) {
            (Some(from), Some(until)) if until <= from => Err(TermsError::NeverValid { from, until }),
            _ => Ok(()),
        }
    }
}

fn atomic(left: &str, operator: Operator, right: Value) -> Result<Constraint, IdError> {
    Ok(Constraint::Atomic { left: Id::new(left)?, operator, right, extra: Extra::none() })
}

fn unknown(what: &str) -> TermsError {
    TermsError::Unknown { what: what.to_owned() }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Properties of a policy that cannot change what its rules mean.
fn is_remark(key: &str, value: &Value) -> bool {
    let odrl = key.strip_prefix("odrl:").or_else(|| key.strip_prefix(ODRL));
    match odrl {
        // That a prohibition wins over a permission is what we do anyway; the other two ways are not ours.
        Some("conflict") => text_of(value).is_ok_and(|word| bare(word) == "prohibit"),
        Some(name) => matches!(name, "assigner" | "assignee"),
        None => REMARKS.iter().any(|space| key.starts_with(space)) || matches!(key, "assigner" | "assignee"),
    }
}

fn read_rule(rule: &Rule, terms: &mut Terms) -> Result<(), TermsError> {
    let action = rule.action.as_str();
    let deed = DEEDS.into_iter().find(|deed| bare(deed) == bare(action));
    if bare(action) != USE && deed.is_none() {
        return Err(unknown(&format!("the action `{}`", shown(action))));
    }
    terms.deed = deed.map(Id::new).transpose()?;
    if let Some((key, _)) = rule.extra.iter().find(|(key, _)| !matches!(key.as_str(), "@type" | "@id")) {
        return Err(unknown(&format!("the property `{}` in a permission", shown(key))));
    }
    rule.constraint.iter().try_for_each(|constraint| read_constraint(constraint, terms))
}

fn read_constraint(constraint: &Constraint, terms: &mut Terms) -> Result<(), TermsError> {
    let (extra, result) = match constraint {
        Constraint::Logical { logic: Logic::And, parts, extra } => {
            (extra, parts.iter().try_for_each(|part| read_constraint(part, terms)))
        }
        Constraint::Logical { logic, .. } => return Err(unknown(&format!("the logic `{}`", logic.word()))),
        Constraint::Atomic { left, operator, right, extra } => {
            (extra, read_atomic(left, *operator, right, terms))
        }
    };
    if let Some((key, _)) = extra.iter().find(|(key, _)| !matches!(key.as_str(), "@type" | "@id")) {
        return Err(unknown(&format!("the property `{}` in a condition", shown(key))));
    }
    result
}

fn read_atomic(left: &Id, operator: Operator, right: &Value, terms: &mut Terms) -> Result<(), TermsError> {
    let left = left.as_str();
    let stated = &mut terms.stated;
    match (bare(left), operator) {
        (UNIT, Operator::Eq | Operator::IsPartOf) => once(&mut stated.unit, UNIT, id_of(right)?),
        (ROLE, Operator::Eq | Operator::IsA) => once(&mut stated.role, ROLE, id_of(right)?),
        (CLEARANCE, Operator::Eq | Operator::Gteq) => {
            let digit = text_of(right)?.parse().ok().filter(|digit| *digit <= 9);
            let digit = digit.ok_or_else(|| unknown("a clearance that is no digit"))?;
            once(&mut stated.clearance, CLEARANCE, digit)
        }
        ("spatial", Operator::Eq | Operator::IsPartOf) => once(&mut stated.place, PLACE, id_of(right)?),
        (ROUTE, Operator::Eq) => once(&mut stated.route, ROUTE, id_of(right)?),
        ("deliveryChannel", Operator::Eq) => once(&mut stated.channel, CHANNEL, id_of(right)?),
        ("purpose", Operator::Eq | Operator::IsAnyOf) => {
            if !terms.purposes.is_empty() {
                return Err(TermsError::Twice(PURPOSE.to_owned()));
            }
            terms.purposes = read_set(right, operator)?;
            Ok(())
        }
        (LEGAL_BASIS, Operator::Eq) => {
            if terms.legal_basis.is_some() {
                return Err(TermsError::Twice(LEGAL_BASIS.to_owned()));
            }
            terms.legal_basis = Some(Id::new(text_of(right)?)?);
            Ok(())
        }
        ("dateTime", _) => read_moment(operator, right, terms),
        _ => Err(unknown(&format!("the condition `{} {}`", shown(left), operator.word()))),
    }
}

/// ODRL's words bare, everything else as it is.
fn bare(word: &str) -> &str {
    word.strip_prefix("odrl:").or_else(|| word.strip_prefix(ODRL)).unwrap_or(word)
}

fn id_of(right: &Value) -> Result<Id, TermsError> {
    Ok(Id::new(text_of(right)?)?)
}

fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), TermsError> {
    if place.replace(value).is_some() {
        return Err(TermsError::Twice(name.to_owned()));
    }
    Ok(())
}

impl Stated {
    fn write(&self, constraint: &mut Vec<Constraint>) -> Result<(), IdError> {
        let Stated { unit, role, clearance, place, route, channel } = self;
        for (left, operator, value) in [
            (UNIT, Operator::IsPartOf, unit),
            (ROLE, Operator::IsA, role),
            (PLACE, Operator::IsPartOf, place),
            (ROUTE, Operator::Eq, route),
            (CHANNEL, Operator::Eq, channel),
        ] {
            if let Some(value) = value {
                constraint.push(Constraint::text(Id::new(left)?, operator, value.as_str()));
            }
        }
        if let Some(digit) = clearance {
            let right = json!({ "@type": "xsd:integer", "@value": digit.to_string() });
            constraint.push(atomic(CLEARANCE, Operator::Gteq, right)?);
        }
        Ok(())
    }
}

/// Several limits of time hold together, so the narrowest counts.
fn read_moment(operator: Operator, right: &Value, terms: &mut Terms) -> Result<(), TermsError> {
    let moment = Timestamp::parse(text_of(right)?)?.unix();
    let after = moment.saturating_add(1);
    let (from, until) = match operator {
        Operator::Gteq => (Some(moment), None),
        Operator::Gt => (Some(after), None),
        Operator::Lt => (None, Some(moment)),
        Operator::Lteq => (None, Some(after)),
        other => return Err(unknown(&format!("the condition `{DATE_TIME} {}`", other.word()))),
    };
    terms.valid_from = terms.valid_from.max(from);
    terms.valid_until = match (terms.valid_until, until) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    Ok(())
}

fn read_set(right: &Value, operator: Operator) -> Result<Vec<Id>, TermsError> {
    let items = match right {
        Value::Array(items) if operator == Operator::IsAnyOf && !items.is_empty() => items.iter().collect(),
        Value::Array(_) => return Err(unknown("an empty or misplaced list of purposes")),
        single => vec![single],
    };
    items.into_iter().map(|item| Ok(Id::new(text_of(item)?)?)).collect()
}

fn text_of(value: &Value) -> Result<&str, TermsError> {
    let text =
        value.as_str().or_else(|| value.get("@value")?.as_str()).or_else(|| value.get("@id")?.as_str());
    text.ok_or_else(|| unknown("a condition whose right side is not a text"))
}

#[cfg(test)]
mod tests;
