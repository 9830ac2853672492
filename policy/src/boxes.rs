//! How the boxes of two rules stand to each other, and their columns as people see them.
//!
//! A rule is a box: it matches where all of its columns match. Containment is exact for each column, through the
//! closure of the links; a box that several others cover only together is not seen. What the facts of a question add
//! (groups of a party, tags of a dataset) is not known here, so two names are taken to overlap unless that is
//! impossible. The walk itself is that of [`crate::columns`]; a
//! column that rules gain is added there and in [`RuleColumn`].

use serde::Serialize;

use crate::closure::Closure;
use crate::columns::{Cell, FIELDS, cell};
use crate::explain::Field;
use crate::ids::RuleId;
use crate::rule::{Action, LinkKind, Rule};
use crate::text::Text;

/// A column of a rule as people see it; a range is one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleColumn {
    /// Who stands behind the rule.
    Tier,
    /// Allow or deny.
    Effect,
    /// Who it is about.
    Subject,
    /// What it is about.
    Object,
    /// Which action.
    Action,
    /// Which purpose.
    Purpose,
    /// Which agreement.
    Agreement,
    /// Which legal basis.
    Basis,
    /// Which network zone.
    Network,
    /// Which classes.
    Class,
    /// When it holds.
    Time,
    /// Which unit of the asking agency.
    Unit,
    /// Which role of the person.
    Role,
    /// Which clearances.
    Clearance,
    /// Where the data is used.
    Place,
    /// Which way the data takes.
    Route,
    /// What it obliges to.
    Obligations,
}

impl RuleColumn {
    /// For people.
    #[must_use]
    pub fn text(self) -> Text {
        match self {
            Self::Tier => Text::fixed("tầng", "tier"),
            Self::Effect => Text::fixed("kết quả", "effect"),
            Self::Subject => Text::fixed("bên hỏi", "subject"),
            Self::Object => Text::fixed("dữ liệu", "object"),
            Self::Action => Text::fixed("hành động", "action"),
            Self::Purpose => Text::fixed("mục đích", "purpose"),
            Self::Agreement => Text::fixed("thoả thuận", "agreement"),
            Self::Basis => Text::fixed("căn cứ pháp lý", "legal basis"),
            Self::Network => Text::fixed("mạng", "network"),
            Self::Class => Text::fixed("mức phân loại", "class"),
            Self::Time => Text::fixed("thời gian", "time"),
            Self::Unit => Text::fixed("đơn vị", "unit"),
            Self::Role => Text::fixed("vai trò", "role"),
            Self::Clearance => Text::fixed("mức được tiếp cận", "clearance"),
            Self::Place => Text::fixed("nơi dùng", "place"),
            Self::Route => Text::fixed("tuyến", "route"),
            Self::Obligations => Text::fixed("nghĩa vụ", "obligations"),
        }
    }
}

/// All columns of a rule as text, in the order of the files.
pub(crate) fn written(rule: &Rule) -> [(RuleColumn, String); 17] {
    let (owned, when) = (str::to_owned, &rule.when);
    let until = if rule.expires.is_open_ended() { "…".to_owned() } else { rule.expires.to_string() };
    [
        (RuleColumn::Tier, owned(rule.tier.written())),
        (RuleColumn::Effect, owned(rule.effect.written())),
        (RuleColumn::Subject, owned(rule.subject.written())),
        (RuleColumn::Object, owned(rule.object.written())),
        (RuleColumn::Action, owned(rule.action.map_or("*", Action::written))),
        (RuleColumn::Purpose, owned(rule.purpose.written())),
        (RuleColumn::Agreement, owned(rule.agreement.written())),
        (RuleColumn::Basis, owned(rule.basis.written())),
        (RuleColumn::Network, owned(rule.network.written())),
        (RuleColumn::Class, format!("{}–{}", rule.class_from, rule.class_to)),
        (RuleColumn::Time, format!("{} – {until}", rule.not_before)),
        (RuleColumn::Unit, owned(when.unit.written())),
        (RuleColumn::Role, owned(when.role.written())),
        (RuleColumn::Clearance, format!("{}–{}", when.clearance_from, when.clearance_to)),
        (RuleColumn::Place, owned(when.place.written())),
        (RuleColumn::Route, owned(when.route.written())),
        (RuleColumn::Obligations, owned(rule.obligations.as_ref().map_or("-", RuleId::as_str))),
    ]
}

/// By which links names of a column stand under others; `None` where only equal names match.
pub(crate) fn links_of(field: Field) -> Option<LinkKind> {
    match field {
        Field::Dataset => Some(LinkKind::Object),
        Field::Subject | Field::Unit | Field::Role => Some(LinkKind::Subject),
        Field::Purpose => Some(LinkKind::Purpose),
        Field::Place => Some(LinkKind::Place),
        _ => None,
    }
}

/// True when whatever matches the box of `inner` matches that of `outer` too.
pub(crate) fn within(inner: &Rule, outer: &Rule, closure: &Closure) -> bool {
    FIELDS.into_iter().all(|field| match (cell(inner, field), cell(outer, field)) {
        (_, Cell::Any) => true,
        (Cell::Name(inner), Cell::Name(outer)) => {
            inner == outer || (links_of(field).is_some() && closure.is_under(inner, outer))
        }
        (Cell::Name(_), Cell::Some) => true,
        (Cell::Span(from, to), Cell::Span(outer_from, outer_to)) => {
            from >= to || (from >= outer_from && to <= outer_to)
        }
        (inner, outer) => inner == outer,
    })
}

/// True when no question can match both boxes. `purposes` are all purposes that stand under another one.
pub(crate) fn disjoint(a: &Rule, b: &Rule, closure: &Closure, purposes: &[&str]) -> bool {
    // Purposes last: they alone are looked through.
    let fields = FIELDS.into_iter().filter(|field| *field != Field::Purpose).chain([Field::Purpose]);
    fields.into_iter().any(|field| match (cell(a, field), cell(b, field)) {
        (Cell::Name(a), Cell::Name(b)) if field == Field::Purpose => apart(a, b, closure, purposes),
        (Cell::Name(a), Cell::Name(b)) => a != b && (links_of(field).is_none() || leaves(a, b)),
        (Cell::None, Cell::Some | Cell::Name(_)) | (Cell::Some | Cell::Name(_), Cell::None) => true,
        (Cell::Span(from, to), Cell::Span(other_from, other_to)) => from.max(other_from) >= to.min(other_to),
        _ => false,
    })
}

/// Two agencies, persons or datasets: nothing stands under one of these. Groups, collections and tags may share members
/// that only the facts know.
fn leaves(a: &str, b: &str) -> bool {
    let leaf = |name: &str| ["ag:", "us:", "ds:"].iter().any(|prefix| name.starts_with(prefix));
    leaf(a) && leaf(b)
}

/// Two purposes that share none: facts add nothing to purposes, so the links tell all.
fn apart(a: &str, b: &str, closure: &Closure, purposes: &[&str]) -> bool {
    let shared = |name: &&str| closure.is_under(name, a) && closure.is_under(name, b);
    !closure.is_under(a, b) && !closure.is_under(b, a) && !purposes.iter().any(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_every_column_that_restricts_a_question() {
        let rules = crate::RuleSet::builtin(1).unwrap();
        // Besides those: tier, effect and obligations.
        assert_eq!(written(&rules.grants()[0]).len(), FIELDS.len() + 3);
    }
}
