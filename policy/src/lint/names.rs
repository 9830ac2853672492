//! Names as numbers, with everything above each: one lookup instead of a walk for each pair of rules.

use std::collections::HashMap;

use super::context::LintContext;
use crate::closure::Closure;
use crate::columns::{Cell, FIELDS, cell};
use crate::rule::Rule;
use crate::rule_set::RuleSet;
use crate::standing::{FOREIGN, RESERVED, groups_of, marks_of, owner_name};

/// A name as a number; `*` is [`Names::ANY`].
pub(super) type Name = u32;

/// Number, and what is above, of every name that a rule, a dataset or a party has.
pub(super) struct Names {
    number: HashMap<String, Name>,
    /// `None` until it is worked out: a name may be met above another first.
    above: Vec<Option<Vec<Name>>>,
}

impl Names {
    /// Stands for `*`.
    pub const ANY: Name = 0;

    pub fn of(rules: &RuleSet, context: &LintContext) -> Self {
        let mut names = Self { number: HashMap::new(), above: Vec::new() };
        names.number("*");
        let closure = rules.closure.as_ref();
        for (id, dataset) in context.datasets.iter().flatten() {
            // Facts with too many marks are refused at each question; here they only say less.
            let owner = owner_name(&dataset.facts);
            let mut marks = marks_of(&dataset.facts).unwrap_or_default();
            marks.push(&owner);
            names.add(id.as_str(), closure, &marks);
        }
        for (id, party) in context.parties.iter().flatten() {
            names.add(id.as_str(), closure, &groups_of(rules.invariants(), party).unwrap_or_default());
        }
        for rule in rules.grants().iter().chain(rules.duties()) {
            for field in FIELDS {
                if let Cell::Name(name) = cell(rule, field) {
                    names.add_once(name, closure);
                }
            }
        }
        // Checks ask for these by name, also where no rule has them.
        for name in RESERVED.into_iter().chain([FOREIGN]) {
            names.add_once(name, closure);
        }
        names
    }

    /// The number of a name that is known.
    pub fn get(&self, name: &str) -> Option<Name> {
        self.number.get(name).copied()
    }

    /// Everything above a name, without itself, in order.
    pub fn above(&self, name: Name) -> &[Name] {
        self.above.get(name as usize).and_then(Option::as_deref).unwrap_or_default()
    }

    /// True when `name` is `broader` or stands under it.
    pub fn is_under(&self, name: Name, broader: Name) -> bool {
        name == broader || self.above(name).binary_search(&broader).is_ok()
    }

    /// As [`Self::is_under`], by text; what is not known stands under nothing.
    pub fn stands_under(&self, name: &str, broader: &str) -> bool {
        name == broader
            || self
                .get(name)
                .zip(self.get(broader))
                .is_some_and(|(name, broader)| self.is_under(name, broader))
    }

    fn number(&mut self, name: &str) -> Name {
        if let Some(number) = self.number.get(name) {
            return *number;
        }
        let number = Name::try_from(self.above.len()).unwrap_or(Name::MAX);
        self.number.insert(name.to_owned(), number);
        self.above.push(None);
        number
    }

    fn add_once(&mut self, name: &str, closure: &Closure) {
        let number = self.number(name) as usize;
        if self.above.get(number).is_none_or(Option::is_none) {
            self.add(name, closure, &[]);
        }
    }

    fn add(&mut self, name: &str, closure: &Closure, marks: &[&str]) {
        let mut above: Vec<&str> = closure.above(name).collect();
        for mark in marks {
            above.push(mark);
            above.extend(closure.above(mark));
        }
        // A record with sensitive data always has both marks, and only a record can give them.
        if name == "tag:sensitive" || above.contains(&"tag:sensitive") {
            above.push("tag:personal");
            above.extend(closure.above("tag:personal"));
        }
        let number = self.number(name);
        let mut numbers: Vec<Name> = above.into_iter().map(|up| self.number(up)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if let Some(place) = self.above.get_mut(number as usize) {
            *place = Some(numbers);
        }
    }

    /// The box of a rule, as it stands.
    pub fn boxed(&self, rule: &Rule) -> Boxed {
        Boxed(FIELDS.map(|field| match cell(rule, field) {
            Cell::Any => Side::Any,
            Cell::Name(name) => self.get(name).map_or(Side::Nothing, Side::Name),
            Cell::Some => Side::Some,
            Cell::None => Side::None,
            Cell::Span(from, to) => Side::Span(from, to),
        }))
    }

    /// True when everything that `inner` matches `outer` matches too. Exact in each column, by the links: two rules
    /// that cover a third only together are not seen.
    pub fn covers(&self, outer: &Boxed, inner: &Boxed) -> bool {
        outer.0.iter().zip(&inner.0).all(|(outer, inner)| self.side_covers(*outer, *inner))
    }

    /// True when some question is surely matched by both, as far as the links tell.
    pub fn meet(&self, one: &Boxed, other: &Boxed) -> bool {
        one.0.iter().zip(&other.0).all(|(a, b)| match (*a, *b) {
            (Side::Span(from, to), Side::Span(start, end)) => from.max(start) < to.min(end),
            (a, b) => self.side_covers(a, b) || self.side_covers(b, a),
        })
    }

    fn side_covers(&self, outer: Side, inner: Side) -> bool {
        match (outer, inner) {
            (_, Side::Nothing) | (Side::Nothing, _) => false,
            (Side::Any, _) | (Side::Some, Side::Some | Side::Name(_)) | (Side::None, Side::None) => true,
            (Side::Name(broader), Side::Name(name)) => self.is_under(name, broader),
            (Side::Span(from, to), Side::Span(start, end)) => from <= start && end <= to,
            _ => false,
        }
    }
}

/// One column of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Any,
    Name(Name),
    Some,
    None,
    Span(i64, i64),
    /// Matches nothing.
    Nothing,
}

/// A rule as a box: one side per column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boxed([Side; FIELDS.len()]);

impl Boxed {
    pub fn side(&self, field: crate::explain::Field) -> Side {
        FIELDS.iter().position(|f| *f == field).and_then(|at| self.0.get(at)).copied().unwrap_or(Side::Any)
    }

    pub fn set(&mut self, field: crate::explain::Field, side: Side) {
        if let Some(place) = FIELDS.iter().position(|f| *f == field).and_then(|at| self.0.get_mut(at)) {
            *place = side;
        }
    }

    /// The name in this column; `*` and everything else is [`Names::ANY`].
    pub fn name(&self, field: crate::explain::Field) -> Name {
        match self.side(field) {
            Side::Name(name) => name,
            _ => Names::ANY,
        }
    }

    /// The part of the box within these numbers; `None` when there is none.
    pub fn clipped(mut self, field: crate::explain::Field, from: i64, to: i64) -> Option<Self> {
        if let Side::Span(start, end) = self.side(field) {
            let (from, to) = (start.max(from), end.min(to));
            if from >= to {
                return None;
            }
            self.set(field, Side::Span(from, to));
        }
        Some(self)
    }
}
