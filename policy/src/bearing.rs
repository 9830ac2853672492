//! Which way a change of rules can turn answers: can it open, can it close?
//!
//! The claims are about every question there could be, not only about those that were asked, and they are made only
//! where they hold for sure: "closes" promises that nothing is permitted, or left under weaker obligations, that was
//! not before. Where no order can be proved the bearing is "cannot tell". One limit is left out: a rule more or less
//! can move a question over [`crate::limits::CANDIDATES_MAX`], past which it is refused.
//!
//! Changes are thought of one after the other: contents of obligation sets, links, rules. Each claim holds in every state
//! on that way, because it is made against the rules of both rule sets; so the claims of single changes add up.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::boxes::{disjoint, links_of, within};
use crate::closure::Closure;
use crate::columns::{Cell, FIELDS, cell};
use crate::ids::{BASIS_EMERGENCY, ObligationSetId};
use crate::invariants::bears_out_emergency;
use crate::obligations::Obligations;
use crate::rule::{Link, LinkKind, Recorded, Rule, RuleEffect};
use crate::rule_set::RuleSet;
use crate::standing::RESERVED;
use crate::strictness::Strictness;
use crate::text::Text;

/// Which way a change can turn answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bearing {
    /// No answer changes but for the words and rules that it names.
    Neutral,
    /// Only towards less: what is permitted may be refused or bound more strictly, never the other way.
    Closes,
    /// Only towards more: what is refused may be permitted, what is permitted bound less strictly, never the other way.
    Opens,
    /// It may open and it may close.
    CannotTell,
}

impl Bearing {
    /// The bearing of what may open, may close, both or neither.
    #[must_use]
    pub fn of(may_open: bool, may_close: bool) -> Self {
        match (may_open, may_close) {
            (false, false) => Self::Neutral,
            (false, true) => Self::Closes,
            (true, false) => Self::Opens,
            (true, true) => Self::CannotTell,
        }
    }

    /// False when it is certain that nothing opens.
    #[must_use]
    pub fn may_open(self) -> bool {
        matches!(self, Self::Opens | Self::CannotTell)
    }

    /// False when it is certain that nothing closes.
    #[must_use]
    pub fn may_close(self) -> bool {
        matches!(self, Self::Closes | Self::CannotTell)
    }

    /// The bearing of two changes together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::of(self.may_open() || other.may_open(), self.may_close() || other.may_close())
    }

    /// The bearing of the change back.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self::of(self.may_close(), self.may_open())
    }

    /// For people.
    #[must_use]
    pub fn text(self) -> Text {
        match self {
            Self::Neutral => Text::fixed("không đổi kết quả", "neutral"),
            Self::Closes => Text::fixed("siết lại", "closes"),
            Self::Opens => Text::fixed("mở thêm", "opens"),
            Self::CannotTell => Text::fixed("có thể mở và siết", "may open and close"),
        }
    }

    fn of_strictness(strictness: Strictness) -> Self {
        Self::of(strictness.loosens(), strictness.tightens())
    }
}

/// What claims are made against: the rules of both rule sets together.
pub(crate) struct Scene<'r> {
    allows: Vec<&'r Rule>,
    others: Vec<&'r Rule>,
    obligations: BTreeMap<&'r ObligationSetId, &'r Obligations>,
    /// Of the new rule set: rules are thought of after links.
    closure: &'r Closure,
    /// Of the links of both; `None` when together they make a circle.
    both: Option<Closure>,
    purposes: Vec<&'r str>,
    /// Comparisons of two rules that may still be made; after that nothing is claimed.
    left: usize,
}

impl<'r> Scene<'r> {
    /// Over two rule sets.
    pub fn of(old: &'r RuleSet, new: &'r RuleSet, comparisons: usize) -> Self {
        let rules = || old.grants().iter().chain(new.grants());
        let (allows, denies): (Vec<_>, Vec<_>) = rules().partition(|rule| rule.effect == RuleEffect::Allow);
        let links: Vec<Link> = old.links().iter().chain(new.links()).cloned().collect();
        let is_purpose = |link: &&Link| link.kind == LinkKind::Purpose;
        let from_both = old.links().iter().chain(new.links());
        Self {
            allows,
            others: denies.into_iter().chain(old.duties()).chain(new.duties()).collect(),
            obligations: old.obligations().iter().chain(new.obligations()).collect(),
            closure: &new.closure,
            both: Closure::of(&links).ok(),
            purposes: from_both.filter(is_purpose).map(|link| link.from.as_str()).collect(),
            left: comparisons,
        }
    }

    /// A grant or duty that was not there.
    pub fn added(&mut self, rule: &Rule, duty: bool) -> Bearing {
        match (duty, rule.effect) {
            (true, _) => Bearing::of(false, self.obliged(rule) != Obligations::default()),
            (false, RuleEffect::Deny) => Bearing::Closes,
            (false, RuleEffect::Allow) => Bearing::of(true, self.disturbs(rule)),
        }
    }

    /// A grant or duty that has other columns than it had.
    pub fn changed(&mut self, old: &Rule, new: &Rule, duty: bool) -> Bearing {
        let boxes = self.box_changed(old, new, duty);
        if old.effect != new.effect {
            let turned = Bearing::of(new.effect == RuleEffect::Allow, new.effect == RuleEffect::Deny);
            // Between two tiers an allow takes over from other rules and leaves others to decide.
            let moved = if old.tier == new.tier { Bearing::Neutral } else { Bearing::CannotTell };
            return boxes.and(turned).and(moved);
        }
        let obliged = if old.effect == RuleEffect::Deny || old.obligations == new.obligations {
            Bearing::Neutral
        } else {
            Bearing::of_strictness(Strictness::of(&self.obliged(old), &self.obliged(new)))
        };
        boxes.and(obliged).and(tier_changed(old, new, duty))
    }

    fn box_changed(&mut self, old: &Rule, new: &Rule, duty: bool) -> Bearing {
        let grown = within(old, new, self.closure);
        let shrunk = within(new, old, self.closure);
        if grown && shrunk {
            return Bearing::Neutral;
        }
        let wider = self.added(old, duty).and(self.added(new, duty));
        match (grown, shrunk) {
            (true, _) => wider,
            (_, true) => wider.reversed(),
            _ => wider.and(wider.reversed()),
        }
    }

    /// An obligation set under whose name something else stands now.
    pub fn redefined(&self, id: &ObligationSetId, strictness: Strictness) -> Bearing {
        let mut rules = self.allows.iter().chain(&self.others);
        if rules.any(|rule| rule.obligations.as_ref() == Some(id)) {
            Bearing::of_strictness(strictness)
        } else {
            Bearing::Neutral
        }
    }

    /// A link that was not there: every rule that names what stands above it reaches further.
    pub fn linked(&mut self, link: &Link) -> Bearing {
        let Some(both) = &self.both else { return Bearing::CannotTell };
        let Some(left) = self.left.checked_sub(self.allows.len() + self.others.len()) else {
            return Bearing::CannotTell;
        };
        self.left = left;
        let mut above: Vec<&str> = both.above(&link.to).collect();
        above.push(&link.to);
        let names = |rule: &Rule| {
            let named = |field| matches!(cell(rule, field), Cell::Name(name) if above.contains(&name));
            FIELDS.into_iter().any(|field| links_of(field) == Some(link.kind) && named(field))
        };
        // A purpose under one that an agreement names is covered by the agreement; a dataset under a name that only its
        // record may give it is refused.
        let reserved = link.kind == LinkKind::Object && above.iter().any(|name| RESERVED.contains(name));
        let invariants = Bearing::of(link.kind == LinkKind::Purpose, reserved);
        let closes = self.others.iter().any(|rule| names(rule));
        let widened: Vec<&Rule> = self.allows.iter().copied().filter(|rule| names(rule)).collect();
        let opens = Bearing::of(!widened.is_empty(), widened.into_iter().any(|rule| self.disturbs(rule)));
        invariants.and(Bearing::of(false, closes)).and(opens)
    }

    /// Whether an allow more can close: where it meets allows of its own tier its obligations join theirs, where it
    /// meets lesser ones its obligations replace theirs, and an emergency that one of them bore out it may not.
    fn disturbs(&mut self, rule: &Rule) -> bool {
        let own = self.obliged(rule);
        let Some(both) = &self.both else { return true };
        for other in &self.allows {
            if other.tier < rule.tier || other.id == rule.id {
                continue;
            }
            let Some(left) = self.left.checked_sub(self.cost()) else { return true };
            self.left = left;
            let strict = other.obligations.as_ref().and_then(|id| self.obligations.get(id));
            let bound = strict.map_or(own == Obligations::default(), |theirs| theirs.at_least(&own));
            let harmless = bound && !breaks_emergency(rule, other);
            if !harmless && !disjoint(rule, other, both, &self.purposes) {
                return true;
            }
        }
        false
    }

    /// What one comparison of two rules counts for: purposes are looked through.
    fn cost(&self) -> usize {
        1 + self.purposes.len() / 16
    }

    fn obliged(&self, rule: &Rule) -> Obligations {
        let set = rule.obligations.as_ref().and_then(|id| self.obligations.get(id));
        set.map_or_else(Obligations::default, |set| (*set).clone())
    }
}

/// Whether a question that rests on an emergency may be decided by `rule` where `other` bore it out.
fn breaks_emergency(rule: &Rule, other: &Rule) -> bool {
    let may_decide = match &rule.basis {
        Recorded::Any | Recorded::Some => true,
        Recorded::None => false,
        Recorded::Name(name) => name == BASIS_EMERGENCY,
    };
    may_decide && !bears_out_emergency(rule) && bears_out_emergency(other)
}

/// A deny that is more authoritative denies no less; of an allow nothing can be said, for it takes over from other rules.
fn tier_changed(old: &Rule, new: &Rule, duty: bool) -> Bearing {
    match (duty, new.tier.cmp(&old.tier), new.effect) {
        (true, _, _) | (_, std::cmp::Ordering::Equal, _) => Bearing::Neutral,
        (_, std::cmp::Ordering::Less, RuleEffect::Deny) => Bearing::Closes,
        (_, std::cmp::Ordering::Greater, RuleEffect::Deny) => Bearing::Opens,
        (_, _, RuleEffect::Allow) => Bearing::CannotTell,
    }
}
