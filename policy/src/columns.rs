//! The columns of a rule, walked over in one place.
//!
//! Static analysis and mutation look at a rule column by column; a column that rules gain is added here and both see
//! it. [`crate::explain::conditions`] is the same walk with a question beside it.

use crate::explain::Field;
use crate::minute::Minute;
use crate::rule::{Action, Class, Pattern, Recorded, Rule};

/// Every column that restricts a question.
pub(crate) const FIELDS: [Field; 14] = [
    Field::Dataset,
    Field::Subject,
    Field::Action,
    Field::Purpose,
    Field::Agreement,
    Field::LegalBasis,
    Field::Network,
    Field::Class,
    Field::Time,
    Field::Unit,
    Field::Role,
    Field::Clearance,
    Field::Place,
    Field::Route,
];

/// What a column lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell<'r> {
    /// Anything, also nothing.
    Any,
    /// This name and what stands under it.
    Name(&'r str),
    /// Any value, but some.
    Some,
    /// No value.
    None,
    /// Numbers from the first to before the second: classes, or minutes as Unix seconds.
    Span(i64, i64),
}

/// One column of a rule.
pub(crate) fn cell(rule: &Rule, field: Field) -> Cell<'_> {
    match field {
        Field::Dataset => named(&rule.object),
        Field::Subject => named(&rule.subject),
        Field::Action => rule.action.map_or(Cell::Any, |action| Cell::Name(action.written())),
        Field::Purpose => named(&rule.purpose),
        Field::Agreement => recorded(&rule.agreement),
        Field::LegalBasis => recorded(&rule.basis),
        Field::Network => named(&rule.network),
        Field::Class => span(rule.class_from, rule.class_to),
        Field::Time => Cell::Span(rule.not_before.unix(), rule.expires.unix()),
        Field::Unit => named(&rule.when.unit),
        Field::Role => named(&rule.when.role),
        Field::Clearance => span(rule.when.clearance_from, rule.when.clearance_to),
        Field::Place => named(&rule.when.place),
        Field::Route => named(&rule.when.route),
        Field::ImpactAssessment | Field::TransferDossier => Cell::Any,
    }
}

/// The rule without this condition; `None` when there is none. A begin alone is none: it has passed, or nothing is
/// opened early.
pub(crate) fn widened(rule: &Rule, field: Field) -> Option<Rule> {
    let mut wider = rule.clone();
    match field {
        Field::Dataset => wider.object = Pattern::Any,
        Field::Subject => wider.subject = Pattern::Any,
        Field::Action => wider.action = None,
        Field::Purpose => wider.purpose = Pattern::Any,
        Field::Agreement => wider.agreement = Recorded::Any,
        Field::LegalBasis => wider.basis = Recorded::Any,
        Field::Network => wider.network = Pattern::Any,
        Field::Class => (wider.class_from, wider.class_to) = (Class::OPEN, Class::SECRET),
        Field::Unit => wider.when.unit = Pattern::Any,
        Field::Role => wider.when.role = Pattern::Any,
        Field::Clearance => {
            (wider.when.clearance_from, wider.when.clearance_to) = (Class::OPEN, Class::SECRET);
        }
        Field::Place => wider.when.place = Pattern::Any,
        Field::Route => wider.when.route = Pattern::Any,
        Field::Time if !rule.expires.is_open_ended() => {
            (wider.not_before, wider.expires) = (Minute::FIRST, Minute::LAST);
        }
        Field::Time | Field::ImpactAssessment | Field::TransferDossier => {}
    }
    (wider != *rule).then_some(wider)
}

/// True when rows or values of a dataset may leave by this rule, not only its description.
pub(crate) fn moves_content(rule: &Rule) -> bool {
    rule.action.is_none_or(Action::moves_content)
}

fn named(pattern: &Pattern) -> Cell<'_> {
    match pattern {
        Pattern::Any => Cell::Any,
        Pattern::Name(name) => Cell::Name(name),
    }
}

fn recorded(value: &Recorded) -> Cell<'_> {
    match value {
        Recorded::Any => Cell::Any,
        Recorded::Some => Cell::Some,
        Recorded::None => Cell::None,
        Recorded::Name(name) => Cell::Name(name),
    }
}

fn span(from: Class, to: Class) -> Cell<'static> {
    Cell::Span(i64::from(from.get()), i64::from(to.get()) + 1)
}
