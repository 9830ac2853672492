//! The terms inside an offer or agreement that this house understands: purpose, legal basis, from when, until when.
//!
//! Promises: what is written here is one permission to `use` with named conditions, read back to the same terms; what
//! is read and not understood wholly is refused, because an unknown condition might be one that we break.
//! Absent: the question whether the terms allow a deed; that is the policy's, which gets these terms as facts.

use serde_json::{Value, json};

use crate::dsp::{Constraint, Extra, Id, IdError, Logic, Operator, Rule, RuleBody, Timestamp};

const PURPOSE: &str = "odrl:purpose";
const LEGAL_BASIS: &str = "urn:tram:ns:legalBasis";
const DATE_TIME: &str = "odrl:dateTime";
const ODRL: &str = "http://www.w3.org/ns/odrl/2/";

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
}

/// Why terms are not understood. The offer or agreement must then be refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Something stands there that this node does not know.
    #[error(
        "the terms have {what}, which this node does not know: offer one permission to `use` with purpose, legal basis and times"
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
        let rule = Rule::new(Id::new("use")?, constraint);
        RuleBody::new(vec![rule], Vec::new(), Vec::new()).ok_or_else(|| unknown("no permission"))
    }

    /// Read the terms of an offer or agreement.
    pub fn read(rules: &RuleBody) -> Result<Terms, TermsError> {
        if !rules.prohibition().is_empty() {
            return Err(unknown("a prohibition"));
        }
        if !rules.obligation().is_empty() {
            return Err(unknown("an obligation"));
        }
        // Titles and the like say nothing about use; the parties may be named, since the message names them as well.
        if let Some((key, _)) = rules.extra().iter().find(|(key, _)| !is_remark(key)) {
            return Err(unknown(&format!("the property `{}`", shown(key))));
        }
        let [rule] = rules.permission() else {
            return Err(unknown("several permissions"));
        };
        let mut terms = Terms::default();
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
fn is_remark(key: &str) -> bool {
    let odrl = key.strip_prefix("odrl:").or_else(|| key.strip_prefix(ODRL));
    match odrl {
        Some(name) => matches!(name, "assigner" | "assignee"),
        None => key.contains(':') || matches!(key, "assigner" | "assignee"),
    }
}

fn read_rule(rule: &Rule, terms: &mut Terms) -> Result<(), TermsError> {
    if rule.action.as_str() != "use" {
        return Err(unknown(&format!("the action `{}`", shown(rule.action.as_str()))));
    }
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
    let name = left.strip_prefix("odrl:").or_else(|| left.strip_prefix(ODRL)).unwrap_or(left);
    match (name, operator) {
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
mod tests {
    use super::*;
    use crate::dsp::{Offer, parse_value};

    fn rules(permission: Value) -> RuleBody {
        let offer = json!({ "@id": "urn:o", "@type": "Offer", "permission": permission });
        parse_value::<Offer>(offer).unwrap().rules
    }

    fn one(constraint: Value) -> Result<Terms, TermsError> {
        Terms::read(&rules(json!([{ "action": "use", "constraint": constraint }])))
    }

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    #[test]
    fn terms_survive_being_written() {
        let terms = Terms {
            purposes: vec![id("pu:traffic"), id("pu:research")],
            legal_basis: Some(id("ND47-2020")),
            valid_from: Some(1_790_000_000),
            valid_until: Some(1_800_000_000),
        };
        assert_eq!(Terms::read(&terms.to_rules().unwrap()).unwrap(), terms);
        let single = Terms { purposes: vec![id("pu:traffic")], ..Terms::default() };
        assert_eq!(Terms::read(&single.to_rules().unwrap()).unwrap(), single);
        assert_eq!(Terms::read(&Terms::default().to_rules().unwrap()).unwrap(), Terms::default());
    }

    #[test]
    fn limits_of_time_are_half_open_and_the_narrowest_counts() {
        let at = |operator: &str, time: &str| json!({ "leftOperand": DATE_TIME, "operator": operator, "rightOperand": time });
        let terms = one(json!([
            at("gteq", "2026-01-01T00:00:00Z"),
            at("gt", "2026-01-01T00:00:00Z"),
            at("lteq", "2026-12-31T23:59:59Z"),
            at("lt", "2028-01-01T00:00:00Z"),
        ]));
        let terms = terms.unwrap();
        let (from, until) = (terms.valid_from.unwrap(), terms.valid_until.unwrap());
        assert_eq!((from, until), (1_767_225_601, 1_798_761_600));
        assert!(!terms.is_valid_at(from - 1) && terms.is_valid_at(from));
        assert!(terms.is_valid_at(until - 1) && !terms.is_valid_at(until));
    }

    #[test]
    fn a_nested_and_is_read_and_every_spelling_of_odrl() {
        let terms = one(json!([{ "and": [
            { "leftOperand": "purpose", "operator": "odrl:eq", "rightOperand": { "@id": "pu:a" } },
            { "leftOperand": "urn:tram:ns:legalBasis", "operator": "eq", "rightOperand": { "@value": "b" } },
        ]}]));
        assert_eq!(
            terms.unwrap(),
            Terms { purposes: vec![id("pu:a")], legal_basis: Some(id("b")), ..Terms::default() }
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = [
            json!([{ "leftOperand": "odrl:spatial", "operator": "eq", "rightOperand": "VN" }]),
            json!([{ "leftOperand": PURPOSE, "operator": "isNoneOf", "rightOperand": ["a"] }]),
            json!([{ "leftOperand": PURPOSE, "operator": "isAnyOf", "rightOperand": [] }]),
            json!([{ "leftOperand": PURPOSE, "operator": "eq", "rightOperand": ["a", "b"] }]),
            json!([{ "leftOperand": DATE_TIME, "operator": "eq", "rightOperand": "2026-01-01T00:00:00Z" }]),
            json!([{ "leftOperand": DATE_TIME, "operator": "lt", "rightOperand": "2026-01-01T00:00:00" }]),
            json!([{ "or": [{ "leftOperand": PURPOSE, "operator": "eq", "rightOperand": "a" }] }]),
            json!([{ "leftOperand": PURPOSE, "operator": "eq", "rightOperand": "a", "unit": "x" }]),
            json!([{ "leftOperand": PURPOSE, "operator": "eq", "rightOperand": "a" },
                   { "leftOperand": PURPOSE, "operator": "eq", "rightOperand": "b" }]),
        ];
        for constraint in refused {
            assert!(one(constraint.clone()).is_err(), "{constraint}");
        }
        assert!(Terms::read(&rules(json!([{ "action": "odrl:distribute" }]))).is_err());
        assert!(Terms::read(&rules(json!([{ "action": "use" }, { "action": "use" }]))).is_err());
        assert!(
            Terms::read(&rules(json!([{ "action": "use", "duty": [{ "action": "odrl:pay" }] }]))).is_err()
        );
    }

    #[test]
    fn rules_beyond_permissions_and_inherited_ones_are_refused() {
        let policy = |more: Value| {
            let mut offer = json!({ "@id": "o", "@type": "Offer", "permission": [{ "action": "use" }] });
            let (object, more) = (offer.as_object_mut().unwrap(), more.as_object().unwrap().clone());
            object.extend(more);
            Terms::read(&parse_value::<Offer>(offer).unwrap().rules)
        };
        assert!(policy(json!({ "prohibition": [{ "action": "odrl:distribute" }] })).is_err());
        assert!(policy(json!({ "obligation": [{ "action": "odrl:delete" }] })).is_err());
        assert!(policy(json!({ "odrl:inheritFrom": "urn:x" })).is_err());
        assert!(policy(json!({ "inheritFrom": "urn:x" })).is_err());
        assert!(policy(json!({ "dct:title": "x", "odrl:assigner": "urn:p" })).is_ok());
    }

    #[test]
    fn terms_that_never_hold_are_refused() {
        let terms = Terms { valid_from: Some(10), valid_until: Some(10), ..Terms::default() };
        assert_eq!(terms.to_rules(), Err(TermsError::NeverValid { from: 10, until: 10 }));
    }
}
