//! Offers and agreements: the part of ODRL that DSP 2025-1 leaves (schema `negotiation/contract-schema.json`).
//!
//! Rules are kept in their order and with everything that a peer put into them, because an agreement must repeat its
//! offer's rules verbatim. What the rules mean is read by [`crate::terms`], which refuses what it does not know.

use serde_json::Value;

use super::error::MessageError;
use super::id::{Extra, Id, NonEmpty, Timestamp};
use super::names::local_name;
use super::wire::{Fields, Free, FromField, Out, Wire, kind, plain_text, serde_by_wire, to_value};

/// Which ODRL profile the rules follow: one IRI, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile(NonEmpty<Id>);

impl Profile {
    /// One profile, the form that every peer understands.
    #[must_use]
    pub fn one(iri: Id) -> Profile {
        Profile(NonEmpty::one(iri))
    }

    /// The IRIs.
    #[must_use]
    pub fn iris(&self) -> &[Id] {
        self.0.as_slice()
    }

    pub(crate) fn to_value(&self) -> Value {
        match self.iris() {
            [one] => Value::String(one.as_str().to_owned()),
            many => Value::Array(many.iter().map(|iri| Value::String(iri.as_str().to_owned())).collect()),
        }
    }
}

/// The rules of an offer or agreement: at least one permission or prohibition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleBody {
    profile: Option<Profile>,
    permission: Vec<Rule>,
    prohibition: Vec<Rule>,
    obligation: Vec<Rule>,
    extra: Extra,
}

impl RuleBody {
    /// Rules; `None` when there is neither a permission nor a prohibition.
    #[must_use]
    pub fn new(permission: Vec<Rule>, prohibition: Vec<Rule>, obligation: Vec<Rule>) -> Option<RuleBody> {
        if permission.is_empty() && prohibition.is_empty() {
            return None;
        }
        Some(RuleBody { profile: None, permission, prohibition, obligation, extra: Extra::none() })
    }

    /// The same rules under a named profile.
    #[must_use]
    pub fn with_profile(mut self, profile: Profile) -> RuleBody {
        self.profile = Some(profile);
        self
    }

    /// The profile, when one is named.
    #[must_use]
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// What is allowed.
    #[must_use]
    pub fn permission(&self) -> &[Rule] {
        &self.permission
    }

    /// What is forbidden.
    #[must_use]
    pub fn prohibition(&self) -> &[Rule] {
        &self.prohibition
    }

    /// What must be done (ODRL duties of the policy).
    #[must_use]
    pub fn obligation(&self) -> &[Rule] {
        &self.obligation
    }

    /// Properties that the protocol does not know.
    #[must_use]
    pub fn extra(&self) -> &Extra {
        &self.extra
    }

    fn read(fields: &mut Fields) -> Result<RuleBody, MessageError> {
        let profile = read_profile(fields)?;
        let permission = fields.list("permission")?;
        let prohibition = fields.list("prohibition")?;
        let obligation = fields.list("obligation")?;
        if permission.is_empty() && prohibition.is_empty() {
            return Err(fields.missing("permission", "at least one permission or prohibition"));
        }
        Ok(RuleBody { profile, permission, prohibition, obligation, extra: fields.extra() })
    }

    fn write(&self, out: &mut Out) {
        if let Some(profile) = &self.profile {
            out.value("profile", profile.to_value());
        }
        out.list("permission", &self.permission)
            .list("prohibition", &self.prohibition)
            .list("obligation", &self.obligation)
            .extra(&self.extra);
    }
}

fn read_profile(fields: &mut Fields) -> Result<Option<Profile>, MessageError> {
    let items: Vec<Free> = fields.list("profile")?;
    let read = |item: Free| {
        let found = kind(&item.0);
        let text =
            plain_text(item.0).ok_or_else(|| fields.wrong("profile", "an IRI", found, "send a string"))?;
        Id::new(text).map_err(|error| fields.wrong("profile", "an IRI", "a string", &error.to_string()))
    };
    let iris = items.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(NonEmpty::new(iris).map(Profile))
}

/// An offer inside a catalog. It has no target: the dataset that it stands in is the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The offer's id.
    pub id: Id,
    /// Its rules.
    pub rules: RuleBody,
}

impl Offer {
    /// The same offer as it stands in a message, with its target.
    #[must_use]
    pub fn with_target(self, target: Id) -> MessageOffer {
        MessageOffer { id: self.id, target, rules: self.rules }
    }
}

impl Wire for Offer {
    const TYPE: &'static str = "Offer";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        if fields.has("target") {
            return Err(fields.wrong("target", "no target inside a catalog", "a target", "leave it out"));
        }
        Ok(Offer { id: fields.id("@id")?, rules: RuleBody::read(fields)? })
    }

    fn write(&self, out: &mut Out) {
        out.text("@id", self.id.as_str());
        self.rules.write(out);
    }
}

/// An offer inside a request or offer message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageOffer {
    /// The offer's id.
    pub id: Id,
    /// The dataset that it is about.
    pub target: Id,
    /// Its rules.
    pub rules: RuleBody,
}

impl Wire for MessageOffer {
    const TYPE: &'static str = "Offer";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(MessageOffer {
            id: fields.id("@id")?,
            target: fields.id("target")?,
            rules: RuleBody::read(fields)?,
        })
    }

    fn write(&self, out: &mut Out) {
        out.text("@id", self.id.as_str()).text("target", self.target.as_str());
        self.rules.write(out);
    }
}

/// Terms that both parties agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The agreement's id.
    pub id: Id,
    /// The dataset that it is about.
    pub target: Id,
    /// The provider's participant id.
    pub assigner: Id,
    /// The consumer's participant id.
    pub assignee: Id,
    /// When it was made; the standard's text demands it, its schema does not.
    pub timestamp: Option<Timestamp>,
    /// The rules, verbatim from the offer.
    pub rules: RuleBody,
}

impl Wire for Agreement {
    const TYPE: &'static str = "Agreement";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(Agreement {
            id: fields.id("@id")?,
            target: fields.id("target")?,
            assigner: fields.id("assigner")?,
            assignee: fields.id("assignee")?,
            timestamp: fields.opt_timestamp("timestamp")?,
            rules: RuleBody::read(fields)?,
        })
    }

    fn write(&self, out: &mut Out) {
        out.text("@id", self.id.as_str())
            .text("target", self.target.as_str())
            .text("assigner", self.assigner.as_str())
            .text("assignee", self.assignee.as_str())
            .opt_text("timestamp", self.timestamp.as_ref().map(Timestamp::as_str));
        self.rules.write(out);
    }
}

/// One permission, prohibition or duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What may, may not or must be done, such as `use`.
    pub action: Id,
    /// Under which conditions; all must hold.
    pub constraint: Vec<Constraint>,
    /// Properties that the protocol does not know, such as `duty`.
    pub extra: Extra,
}

impl Rule {
    /// A rule for an action under conditions.
    #[must_use]
    pub fn new(action: Id, constraint: Vec<Constraint>) -> Rule {
        Rule { action, constraint, extra: Extra::none() }
    }
}

impl Wire for Rule {
    const TYPE: &'static str = "";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        let action = fields.id("action")?;
        // `use` is the only action that the context file knows by its bare name.
        let action =
            if local_name(action.as_str()) == "use" { Id::new("use").unwrap_or(action) } else { action };
        Ok(Rule { action, constraint: fields.any_list("constraint")?, extra: fields.extra() })
    }

    fn write(&self, out: &mut Out) {
        out.text("action", self.action.as_str()).list("constraint", &self.constraint).extra(&self.extra);
    }
}

/// How the two sides of a condition are compared (ODRL 2.2, as far as the schema goes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the standard's own")]
pub enum Operator {
    Eq,
    Neq,
    Gt,
    Gteq,
    Lt,
    Lteq,
    HasPart,
    IsA,
    IsAllOf,
    IsAnyOf,
    IsNoneOf,
    IsPartOf,
}

const OPERATORS: &[(&str, Operator)] = &[
    ("eq", Operator::Eq),
    ("neq", Operator::Neq),
    ("gt", Operator::Gt),
    ("gteq", Operator::Gteq),
    ("lt", Operator::Lt),
    ("lteq", Operator::Lteq),
    ("hasPart", Operator::HasPart),
    ("isA", Operator::IsA),
    ("isAllOf", Operator::IsAllOf),
    ("isAnyOf", Operator::IsAnyOf),
    ("isNoneOf", Operator::IsNoneOf),
    ("isPartOf", Operator::IsPartOf),
];

impl Operator {
    /// The word of the standard.
    #[must_use]
    pub fn word(self) -> &'static str {
        OPERATORS.iter().find(|(_, operator)| *operator == self).map_or("eq", |(word, _)| word)
    }
}

/// How several conditions are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the standard's own")]
pub enum Logic {
    And,
    AndSequence,
    Or,
    Xone,
}

const LOGICS: &[(&str, Logic)] =
    &[("and", Logic::And), ("andSequence", Logic::AndSequence), ("or", Logic::Or), ("xone", Logic::Xone)];

impl Logic {
    /// The word of the standard.
    #[must_use]
    pub fn word(self) -> &'static str {
        LOGICS.iter().find(|(_, logic)| *logic == self).map_or("and", |(word, _)| word)
    }
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// A comparison.
    Atomic {
        /// What is compared, an IRI such as `odrl:purpose`.
        left: Id,
        /// How.
        operator: Operator,
        /// With what: a string, an object or an array.
        right: Value,
        /// Properties that the protocol does not know.
        extra: Extra,
    },
    /// Several conditions.
    Logical {
        /// How they are joined.
        logic: Logic,
        /// The conditions.
        parts: NonEmpty<Constraint>,
        /// Properties that the protocol does not know.
        extra: Extra,
    },
}

impl Constraint {
    /// A comparison with a string.
    #[must_use]
    pub fn text(left: Id, operator: Operator, right: &str) -> Constraint {
        Constraint::Atomic { left, operator, right: Value::String(right.to_owned()), extra: Extra::none() }
    }

    fn read_atomic(fields: &mut Fields) -> Result<Constraint, MessageError> {
        let left = fields.id("leftOperand")?;
        let operator = fields.word("operator", OPERATORS)?;
        let expected = "a string, an object or an array";
        let right = fields.take("rightOperand").ok_or_else(|| fields.missing("rightOperand", expected))?;
        if !(right.is_string() || right.is_object() || right.is_array()) {
            let advice = "write it as {\"@value\": …, \"@type\": …}";
            return Err(fields.wrong("rightOperand", expected, kind(&right), advice));
        }
        Ok(Constraint::Atomic { left, operator, right, extra: fields.extra() })
    }

    fn read_logical(fields: &mut Fields, logic: Logic) -> Result<Constraint, MessageError> {
        let parts = fields.list_due(logic.word())?;
        Ok(Constraint::Logical { logic, parts, extra: fields.extra() })
    }
}

impl Wire for Constraint {
    const TYPE: &'static str = "";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        let mut logics = LOGICS.iter().filter(|(word, _)| fields.has(word));
        let (first, second) = (logics.next(), logics.next());
        match (first, second) {
            (None, _) => Constraint::read_atomic(fields),
            (Some((_, logic)), None) if !fields.has("leftOperand") => {
                Constraint::read_logical(fields, *logic)
            }
            (Some((word, _)), _) => Err(fields.wrong(
                word,
                "either one of and, andSequence, or, xone, or leftOperand with operator and rightOperand",
                "more than one of them",
                "make them conditions of their own",
            )),
        }
    }

    fn write(&self, out: &mut Out) {
        match self {
            Constraint::Atomic { left, operator, right, extra } => {
                out.text("leftOperand", left.as_str())
                    .text("operator", operator.word())
                    .value("rightOperand", right.clone())
                    .extra(extra);
            }
            Constraint::Logical { logic, parts, extra } => {
                out.list(logic.word(), parts.as_slice()).extra(extra);
            }
        }
    }
}

impl FromField for String {
    fn from_field(value: Value, pointer: String) -> Result<Self, MessageError> {
        let found = kind(&value);
        plain_text(value).ok_or_else(|| super::wire::wrong(&pointer, "a string", found, "send a string"))
    }
}

/// A list of rules as one JSON value, for comparison.
pub(crate) fn to_values(rules: &[Rule]) -> Value {
    Value::Array(rules.iter().map(to_value).collect())
}

serde_by_wire!(Offer, MessageOffer, Agreement, Rule, Constraint);
