//! The one table of a rule's columns: each as conditions, and read back from them.
//!
//! A column that is not in [`COLUMNS`] would be lost without a word; so [`conditions`] takes a rule apart field by
//! field, and a new field does not compile until it stands here.

use serde_json::Value;

use super::model::{OdrlConstraint, Operator, Right};
use super::names::{iri_of, name_of};
use super::problem::OdrlCode;
use super::read::{integer, text};
use super::terms::{action_of, read_action};
use crate::RuleId;
use crate::ids::shown;
use crate::minute::Minute;
use crate::rule::{Action, Class, Pattern, Recorded, Rule, RuleEffect, Tier, When};

/// From the beginning of time.
const ALWAYS_FROM: &str = "0000-01-01T00:00Z";
/// The rules' word for no end.
const NO_END: &str = "9999-12-31T00:00Z";
/// Some value must be on record.
pub(crate) const SOME: &str = "gov:some";
/// No value may be on record.
const NONE: &str = "gov:none";
const TIME: &str = "xsd:dateTime";

/// Which part of a rule a condition is read into. Duties have fewer columns than grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// Grants and duties.
    Both,
    /// Grants alone.
    Grants,
    /// Duties alone.
    Duties,
}

/// A rule while it is read: columns that nothing restricts hold anything.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub rule: Rule,
}

type Refused = (OdrlCode, String);
type Read = fn(&mut Frame, &'static str, &Value) -> Result<(), Refused>;

/// One operand with what it takes.
pub(crate) struct Column {
    /// Normalised: `purpose` is ODRL's, `gov:agreement` ours.
    pub operand: &'static str,
    /// Operators that it takes.
    pub operators: &'static [&'static str],
    pub on: On,
    pub read: Read,
}

/// All operands of rules.
pub(crate) const COLUMNS: &[Column] = &[
    Column { operand: "purpose", operators: &["isA"], on: On::Both, read: purpose },
    Column { operand: "gov:agreement", operators: &["eq"], on: On::Grants, read: agreement },
    Column { operand: "gov:legalBasis", operators: &["eq"], on: On::Grants, read: basis },
    Column { operand: "deliveryChannel", operators: &["eq"], on: On::Grants, read: network },
    Column { operand: "gov:classification", operators: &["gteq", "lteq"], on: On::Both, read: class },
    Column { operand: "dateTime", operators: &["gteq", "lt"], on: On::Both, read: time },
    Column { operand: "gov:unit", operators: &["isPartOf"], on: On::Both, read: unit },
    Column { operand: "gov:role", operators: &["isA"], on: On::Both, read: role },
    Column { operand: "gov:clearance", operators: &["gteq", "lteq"], on: On::Both, read: clearance },
    Column { operand: "spatial", operators: &["isPartOf"], on: On::Both, read: place },
    Column { operand: "gov:route", operators: &["eq"], on: On::Both, read: route },
    Column { operand: "gov:action", operators: &["eq"], on: On::Duties, read: action },
];

/// The conditions of a rule, in the order of the table. `duty` rules have their action among them.
pub(crate) fn conditions(rule: &Rule, duty: bool) -> Vec<OdrlConstraint> {
    let Rule {
        id: _,
        tier: _,
        subject: _,
        object: _,
        action,
        purpose,
        agreement,
        basis,
        network,
        class_from,
        class_to,
        not_before,
        expires,
        obligations: _,
        effect: _,
        when: When { unit, role, clearance_from, clearance_to, place, route },
    } = rule;
    let mut all = Vec::new();
    named(&mut all, "odrl:purpose", Operator::IsA, purpose);
    recorded(&mut all, "gov:agreement", agreement);
    recorded(&mut all, "gov:legalBasis", basis);
    named(&mut all, "odrl:deliveryChannel", Operator::Eq, network);
    interval(&mut all, "gov:classification", *class_from, *class_to);
    for (operator, minute, open) in
        [(Operator::Gteq, not_before, ALWAYS_FROM), (Operator::Lt, expires, NO_END)]
    {
        let written = minute.to_string();
        if written != open {
            let seconds = written.replace('Z', ":00Z");
            all.push(OdrlConstraint::new("odrl:dateTime", operator, Right::Typed(TIME, seconds)));
        }
    }
    named(&mut all, "gov:unit", Operator::IsPartOf, unit);
    named(&mut all, "gov:role", Operator::IsA, role);
    interval(&mut all, "gov:clearance", *clearance_from, *clearance_to);
    named(&mut all, "odrl:spatial", Operator::IsPartOf, place);
    named(&mut all, "gov:route", Operator::Eq, route);
    if let (true, Some(action)) = (duty, action) {
        let right = Right::Term(action_of(Some(*action)));
        all.push(OdrlConstraint::new("gov:action", Operator::Eq, right));
    }
    all
}

fn named(all: &mut Vec<OdrlConstraint>, left: &'static str, operator: Operator, pattern: &Pattern) {
    if let Pattern::Name(name) = pattern {
        all.push(OdrlConstraint::new(left, operator, Right::Iri(iri_of(name))));
    }
}

fn recorded(all: &mut Vec<OdrlConstraint>, left: &'static str, value: &Recorded) {
    let right = match value {
        Recorded::Any => return,
        Recorded::Some => Right::Term(SOME),
        Recorded::None => Right::Term(NONE),
        Recorded::Name(name) => Right::Iri(iri_of(name)),
    };
    all.push(OdrlConstraint::new(left, Operator::Eq, right));
}

fn interval(all: &mut Vec<OdrlConstraint>, left: &'static str, from: Class, to: Class) {
    if from.get() > 0 {
        all.push(OdrlConstraint::new(left, Operator::Gteq, Right::Number(from.get().into())));
    }
    if to < Class::SECRET {
        all.push(OdrlConstraint::new(left, Operator::Lteq, Right::Number(to.get().into())));
    }
}

impl Frame {
    /// A rule that nothing restricts yet.
    pub fn open(id: RuleId, tier: Tier, effect: RuleEffect) -> Option<Self> {
        Some(Self {
            rule: Rule {
                id,
                tier,
                subject: Pattern::Any,
                object: Pattern::Any,
                action: None,
                purpose: Pattern::Any,
                agreement: Recorded::Any,
                basis: Recorded::Any,
                network: Pattern::Any,
                class_from: Class::OPEN,
                class_to: Class::SECRET,
                not_before: Minute::parse(ALWAYS_FROM).ok()?,
                expires: Minute::parse(NO_END).ok()?,
                obligations: None,
                effect,
                when: When::default(),
            },
        })
    }
}

fn value_error(why: String) -> Refused {
    (OdrlCode::Value, why)
}

fn iri(right: &Value) -> Result<&str, Refused> {
    text(right).ok_or_else(|| value_error("an IRI is due: write {\"@id\": …} or a text".to_owned()))
}

fn name(right: &Value, kinds: &[&'static str]) -> Result<String, Refused> {
    name_of(iri(right)?, kinds).map_err(value_error)
}

fn recorded_of(right: &Value, kinds: &[&'static str]) -> Result<Recorded, Refused> {
    match super::read::normal(iri(right)?).as_str() {
        SOME => Ok(Recorded::Some),
        NONE => Ok(Recorded::None),
        _ => name(right, kinds).map(Recorded::Name),
    }
}

fn purpose(frame: &mut Frame, _: &'static str, right: &Value) -> Result<(), Refused> {
    frame.rule.purpose = Pattern::Name(name(right, &["pu:"])?);
    Ok(())
}

fn agreement(frame: &mut Frame, _: &'static str, right: &Value) -> Result<(), Refused> {
    frame.rule.agreement = recorded_of(right, &["agr:"])?;
    Ok(())
}

fn basis(frame: &mut Frame, _: &'static str, right: &Value) -> Result<(), Refused> {
    frame.rule.basis = recorded_of(right, &["bas:"])?;
    Ok(())
}

fn network(frame: &mut Frame, _: &'static str, right: &Value) -> Result<(), Refused> {
    frame.rule.network = Pattern::Name(name(right, &["net:"])?);
    Ok(())
}

fn digit(right: &Value) -> Result<Class, Refused> {
    let digit = integer(right).and_then(|n| u8::try_from(n).ok()).and_then(Class::new);
    digit.ok_or_else(|| value_error("a class is due: one digit, 0 to 9".to_owned()))
}

fn class(frame: &mut Frame, operator: &'static str, right: &Value) -> Result<(), Refused> {
    let digit = digit(right)?;
    if operator == "gteq" {
        frame.rule.class_from = digit;
    } else {
        frame.rule.class_to = digit;
    }
    Ok(())
}

fn time(frame: &mut Frame, operator: &'static str, right: &Value) -> Result<(), Refused> {
    let text = iri(right)?;
    let minute = text.strip_suffix(":00Z").map(|head| format!("{head}Z"));
    let minute = minute.and_then(|text| Minute::parse(&text).ok()).ok_or_else(|| {
        let why = format!("`{}` is no whole minute in UTC: write 2026-11-20T08:00:00Z", shown(text));
        value_error(why)
    })?;
    if operator == "gteq" {
        frame.rule.not_before = minute;
    } else {
        frame.rule.expires = minute;
    }
    Ok(())
}

fn action(frame: &mut Frame, _: &'static str, right: &Value) -> Result<(), Refused> {
    let word = super::read::normal(iri(right)?);
    let found = read_action(&word).flatten();
    let known = Action::ALL.map(|a| action_of(Some(a))).join(", ");
    let refused = || (OdrlCode::Action, format!("`{}` is no action: write one of {known}", shown(&word)));
    frame.rule.action = Some(found.ok_or_else(refused)?);
    Ok(())
}

fn unit(frame: &mut Frame, _: &'static str, right: &Value) -> Result<(), Refused> {
    frame.rule.when.unit = Pattern::Name(name(right, &["un:"])?);
    Ok(())
}

fn role(frame: &mut Frame, _: &'static str, right: &Value) -> Result<(), Refused> {
    frame.rule.when.role = Pattern::Name(name(right, &["ro:"])?);
    Ok(())
}

fn clearance(frame: &mut Frame, operator: &'static str, right: &Value) -> Result<(), Refused> {
    let digit = digit(right)?;
    if operator == "gteq" {
        frame.rule.when.clearance_from = digit;
    } else {
        frame.rule.when.clearance_to = digit;
    }
    Ok(())
}

fn place(frame: &mut Frame, _: &'static str, right: &Value) -> Result<(), Refused> {
    frame.rule.when.place = Pattern::Name(name(right, &["pl:"])?);
    Ok(())
}

fn route(frame: &mut Frame, _: &'static str, right: &Value) -> Result<(), Refused> {
    frame.rule.when.route = Pattern::Name(name(right, &["via:"])?);
    Ok(())
}
