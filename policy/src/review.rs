//! What one rule set does that another does not, as far as it matters for who must approve it.
//!
//! Both questions are answered by comparing columns, never by trying: whatever cannot be shown to be harmless counts as
//! not harmless.

use crate::minute::Minute;
use crate::rule::{Rule, RuleEffect, Tier};
use crate::rule_set::RuleSet;

/// Longest time that a rule of an emergency may be in force, minutes (72 hours).
pub const EMERGENCY_MINUTES_MAX: i64 = 72 * 60;

/// Whether `new` is `old` and nothing but further denials by the agency or an owner that end within 72 hours of `now`.
///
/// # Errors
/// Everything else that it does, in words.
pub fn only_forbids_more(old: &RuleSet, new: &RuleSet, now: Minute) -> Result<(), Vec<String>> {
    let mut more = Vec::new();
    let kept = |rule: &Rule| old.grants().contains(rule);
    for rule in new.grants().iter().filter(|rule| !kept(rule)) {
        more.extend(not_brief_denial(rule, now).map(|why| format!("{}: {why}", rule.id)));
    }
    let gone = old.grants().iter().filter(|rule| !new.grants().contains(rule));
    more.extend(gone.map(|rule| format!("{}: is changed or gone", rule.id)));
    for (what, same) in [
        ("the duties", old.duties() == new.duties()),
        ("the links", old.links() == new.links()),
        ("the obligations", old.obligations() == new.obligations()),
        (
            "the reasons of rules that were there",
            old.reasons.iter().all(|(id, reason)| new.reasons.get(id) == Some(reason)),
        ),
    ] {
        if !same {
            more.push(format!("{what} differ"));
        }
    }
    if more.is_empty() { Ok(()) } else { Err(more) }
}

fn not_brief_denial(rule: &Rule, now: Minute) -> Option<String> {
    if rule.effect != RuleEffect::Deny {
        return Some("is new and allows".to_owned());
    }
    if !matches!(rule.tier, Tier::Agency | Tier::Owner) {
        return Some(format!("is of tier {}; in an emergency only 20 and 30 forbid", rule.tier.written()));
    }
    let left = rule.expires.unix().saturating_sub(now.unix()) / 60;
    (left > EMERGENCY_MINUTES_MAX)
        .then(|| format!("forbids until {}; in an emergency at most 72 hours from now", rule.expires))
}
