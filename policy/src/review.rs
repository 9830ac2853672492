//! What one rule set does that another does not, as far as it matters for who must approve it.
//!
//! Both questions ([`needs_dpo`], [`only_forbids_more`]) are answered by comparing columns, never by trying: whatever
//! cannot be shown to be harmless counts as not harmless. What it is not: an explanation of a change, column by column.

use std::collections::HashMap;

use crate::ids::RuleId;
use crate::minute::Minute;
use crate::obligations::Obligations;
use crate::rule::{Pattern, Recorded, Rule, RuleEffect, Tier, When};
use crate::rule_set::RuleSet;

/// Longest time that a rule of an emergency may be in force, minutes (72 hours).
pub const EMERGENCY_MINUTES_MAX: i64 = 72 * 60;
/// Most changed rules that are compared with all others; more than these count as opening without a look.
pub const COMPARED_MAX: usize = 2_000;

/// Something that a rule set permits, or permits on easier terms, and the other does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What it is about; [`Pattern::Any`] when that cannot be told.
    pub object: Pattern,
    /// Whether rows or values may leave, not only descriptions.
    pub moves_content: bool,
    /// In words, with the rule's id.
    pub what: String,
}

impl Opening {
    fn of(rule: &Rule, what: &str) -> Self {
        Self {
            object: rule.object.clone(),
            moves_content: rule.action.is_none_or(crate::Action::moves_content),
            what: format!("{} {what}", rule.id),
        }
    }

    fn anywhere(what: &str) -> Self {
        Self { object: Pattern::Any, moves_content: true, what: what.to_owned() }
    }

    /// Whether it can reach personal data; `personal` tells of a dataset (without prefix) whether it may hold some.
    #[must_use]
    pub fn reaches_personal(&self, personal: impl Fn(&str) -> bool) -> bool {
        let reached = match &self.object {
            Pattern::Any => true,
            // A collection or tag may be given to any dataset, also later.
            Pattern::Name(name) => name.strip_prefix("ds:").is_none_or(personal),
        };
        self.moves_content && reached
    }
}

/// Whether a data-protection officer must approve `new` in place of `old`: it opens something that may be personal data.
#[must_use]
pub fn needs_dpo(old: &RuleSet, new: &RuleSet, personal: impl Fn(&str) -> bool) -> bool {
    openings(old, new).iter().any(|opening| opening.reaches_personal(&personal))
}

/// Everything in `new` that may permit more than `old`, or on easier terms.
#[must_use]
pub fn openings(old: &RuleSet, new: &RuleSet) -> Vec<Opening> {
    let sides = [Side::of(old, old.grants()), Side::of(new, new.grants())];
    let duties = [Side::of(old, old.duties()), Side::of(new, new.duties())];
    let changed = sides[1].not_in(&sides[0]).chain(sides[0].not_in(&sides[1])).count();
    let changed = changed + duties[0].not_in(&duties[1]).count();
    if changed > COMPARED_MAX {
        return vec![Opening::anywhere("more rules changed than are compared one by one")];
    }
    let mut found = Vec::new();
    for rule in sides[1].not_in(&sides[0]).filter(|rule| rule.effect == RuleEffect::Allow) {
        if !sides[0]
            .holds(rule, |before| within(rule, before) && sides[1].binds(rule, &sides[0].obligations(before)))
        {
            found.push(Opening::of(rule, "allows what was not allowed so before"));
        }
    }
    for rule in sides[0].not_in(&sides[1]) {
        let said = match rule.effect {
            RuleEffect::Deny => "denied this, and nothing denies all of it now",
            // Without it, an allow on easier terms may be the one that decides.
            RuleEffect::Allow if rule.obligations.is_some() => "allowed this under obligations that it loses",
            RuleEffect::Allow => continue,
        };
        let bound = sides[0].obligations(rule);
        if !sides[1].holds(rule, |now| within(rule, now) && sides[1].binds(now, &bound)) {
            found.push(Opening::of(rule, said));
        }
    }
    for rule in duties[0].not_in(&duties[1]) {
        let bound = duties[0].obligations(rule);
        if !duties[1].holds(rule, |now| within(rule, now) && duties[1].binds(now, &bound)) {
            found.push(Opening::of(rule, "was a duty, and nothing demands all of it now"));
        }
    }
    // A link can carry an allow to more, or a denial to less; which cannot be told from the link alone.
    if old.invariants() != new.invariants() {
        found.push(Opening::anywhere("the invariants are those of another legal order"));
    }
    if old.links() != new.links() {
        found.push(Opening::anywhere("links between names changed"));
    }
    found
}

/// The grants or the duties of one rule set.
struct Side<'a> {
    set: &'a RuleSet,
    rules: &'a [Rule],
    by_id: HashMap<&'a RuleId, &'a Rule>,
}

impl<'a> Side<'a> {
    fn of(set: &'a RuleSet, rules: &'a [Rule]) -> Self {
        Self { set, rules, by_id: rules.iter().map(|rule| (&rule.id, rule)).collect() }
    }

    /// What the rule obliges to.
    fn obligations(&self, rule: &Rule) -> Obligations {
        let set = rule.obligations.as_ref().and_then(|id| self.set.obligations().get(id));
        set.cloned().unwrap_or_default()
    }

    fn binds(&self, rule: &Rule, at_least: &Obligations) -> bool {
        self.obligations(rule).at_least(at_least)
    }

    /// Rules that the other side does not have in the same words with the same obligations.
    fn not_in(&self, other: &'a Side<'a>) -> impl Iterator<Item = &'a Rule> {
        let same = |rule: &Rule| {
            other
                .by_id
                .get(&rule.id)
                .is_some_and(|there| *there == rule && other.obligations(there) == self.obligations(rule))
        };
        self.rules.iter().filter(move |rule| !same(rule))
    }

    /// Whether a rule of the same tier and effect fits.
    fn holds(&self, rule: &Rule, fits: impl Fn(&Rule) -> bool) -> bool {
        self.rules.iter().any(|r| r.tier == rule.tier && r.effect == rule.effect && fits(r))
    }
}

/// Whether every question that `narrow` is about, `broad` is about too, column by column. Names that stand under others
/// are not looked up: sound, not complete.
fn within(narrow: &Rule, broad: &Rule) -> bool {
    // Every column by name: a new one must be thought about here.
    let Rule {
        id: _,
        tier: _,
        subject,
        object,
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
        when,
    } = broad;
    name_within(&narrow.subject, subject)
        && name_within(&narrow.object, object)
        && (action.is_none() || *action == narrow.action)
        && name_within(&narrow.purpose, purpose)
        && record_within(&narrow.agreement, agreement)
        && record_within(&narrow.basis, basis)
        && name_within(&narrow.network, network)
        && (class_from <= &narrow.class_from && &narrow.class_to <= class_to)
        && (not_before <= &narrow.not_before && &narrow.expires <= expires)
        && when_within(&narrow.when, when)
}

fn when_within(narrow: &When, broad: &When) -> bool {
    let When { unit, role, clearance_from, clearance_to, place, route } = broad;
    name_within(&narrow.unit, unit)
        && name_within(&narrow.role, role)
        && (clearance_from <= &narrow.clearance_from && &narrow.clearance_to <= clearance_to)
        && name_within(&narrow.place, place)
        && name_within(&narrow.route, route)
}

fn name_within(narrow: &Pattern, broad: &Pattern) -> bool {
    *broad == Pattern::Any || narrow == broad
}

fn record_within(narrow: &Recorded, broad: &Recorded) -> bool {
    match broad {
        Recorded::Any => true,
        Recorded::Some => matches!(narrow, Recorded::Some | Recorded::Name(_)),
        Recorded::None | Recorded::Name(_) => narrow == broad,
    }
}

/// Whether `new` is `old` and nothing but further denials by the agency or an owner that end within 72 hours of `now`.
///
/// # Errors
/// Everything else that it does, in words.
pub fn only_forbids_more(old: &RuleSet, new: &RuleSet, now: Minute) -> Result<(), Vec<String>> {
    let sides = [Side::of(old, old.grants()), Side::of(new, new.grants())];
    let mut more = Vec::new();
    for rule in sides[1].not_in(&sides[0]) {
        more.extend(not_brief_denial(rule, now).map(|why| format!("{} {why}", rule.id)));
    }
    more.extend(sides[0].not_in(&sides[1]).map(|rule| format!("{} is changed or gone", rule.id)));
    let reasons_kept = old.reasons.iter().all(|(id, reason)| new.reasons.get(id) == Some(reason));
    let reasons_new = new.reasons.keys().filter(|id| !old.reasons.contains_key(*id));
    let of_new_denial = |id: &String| {
        sides[1].by_id.iter().any(|(rule, _)| rule.as_str() == id)
            && !sides[0].by_id.keys().any(|rule| rule.as_str() == id)
    };
    for (what, same) in [
        ("the invariants differ", old.invariants() == new.invariants()),
        ("the duties differ", old.duties() == new.duties()),
        ("the links differ", old.links() == new.links()),
        ("the obligations differ", old.obligations() == new.obligations()),
        (
            "the reasons of rules that were there differ",
            reasons_kept && reasons_new.into_iter().all(of_new_denial),
        ),
    ] {
        if !same {
            more.push(what.to_owned());
        }
    }
    if more.is_empty() { Ok(()) } else { Err(more) }
}

fn not_brief_denial(rule: &Rule, now: Minute) -> Option<String> {
    if rule.effect != RuleEffect::Deny {
        return Some("is new or changed, and allows".to_owned());
    }
    if !matches!(rule.tier, Tier::Agency | Tier::Owner) {
        let tier = rule.tier.written();
        return Some(format!("is of tier {tier}; in an emergency only tiers 20 and 30 forbid"));
    }
    let left = rule.expires.unix().saturating_sub(now.unix()) / 60;
    (left > EMERGENCY_MINUTES_MAX)
        .then(|| format!("forbids until {}; in an emergency that is at most 72 hours from now", rule.expires))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Files;

    const ALWAYS: &str = "2020-01-01T00:00Z, 9999-12-31T00:00Z";
    const SETS: &str = r#"{"LOOSE": {"max_rows": 100}, "TIGHT": {"max_rows": 10}}"#;

    fn set(rows: &[String], duties: &str, sets: &str) -> RuleSet {
        let files = Files::new()
            .with("policy.csv", rows.join("\n"))
            .with("duties.csv", duties)
            .with("obligations.json", sets);
        RuleSet::from_files(&files, 1).unwrap()
    }

    fn allow(id: &str, subject: &str, object: &str, action: &str, obligations: &str) -> String {
        format!(
            "p, {id}, 20, {subject}, {object}, {action}, *, *, *, *, 0, 5, {ALWAYS}, {obligations}, allow"
        )
    }

    fn deny(id: &str, tier: &str, object: &str, until: &str) -> String {
        format!("p, {id}, {tier}, *, {object}, *, *, *, *, *, 0, 9, 2020-01-01T00:00Z, {until}, -, deny")
    }

    fn grants(rows: &[String]) -> RuleSet {
        set(rows, "# none", SETS)
    }

    fn base() -> Vec<String> {
        vec![
            allow("A", "gr:x", "ds:air", "query", "TIGHT"),
            allow("B", "*", "*", "discover", "-"),
            deny("C", "20", "ds:people", "9999-12-31T00:00Z"),
        ]
    }

    fn with(change: impl Fn(&mut Vec<String>)) -> RuleSet {
        let mut rows = base();
        change(&mut rows);
        grants(&rows)
    }

    /// Personal data is in `people` alone.
    fn asks(new: &RuleSet) -> bool {
        needs_dpo(&grants(&base()), new, |dataset| dataset == "people")
    }

    #[test]
    fn what_may_open_personal_data_needs_the_officer() {
        for (what, new) in [
            ("a new allow on it", with(|r| r.push(allow("N", "gr:x", "ds:people", "query", "TIGHT")))),
            ("a new allow on a tag", with(|r| r.push(allow("N", "gr:x", "tag:personal", "query", "TIGHT")))),
            ("a new allow on all", with(|r| r.push(allow("N", "gr:x", "*", "*", "TIGHT")))),
            ("a wider object", with(|r| r[0] = allow("A", "gr:x", "*", "query", "TIGHT"))),
            ("a wider action", with(|r| r[1] = allow("B", "*", "*", "*", "-"))),
            ("a denial gone", with(|r| drop(r.remove(2)))),
            ("a denial narrowed in time", with(|r| r[2] = deny("C", "20", "ds:people", "2030-01-01T00:00Z"))),
            (
                "a denial moved to another tier",
                with(|r| r[2] = deny("C", "30", "ds:people", "9999-12-31T00:00Z")),
            ),
            ("a link more", with(|r| r.push("g, ag:a, gr:x".to_owned()))),
        ] {
            assert!(asks(&new), "{what}");
        }
    }

    #[test]
    fn what_opens_nothing_personal_does_not() {
        for (what, new) in [
            ("nothing changed", grants(&base())),
            ("another order", with(|r| r.reverse())),
            ("an allow on other data", with(|r| r.push(allow("N", "gr:x", "ds:water", "query", "-")))),
            (
                "looser obligations on other data",
                with(|r| r[0] = allow("A", "gr:x", "ds:air", "query", "LOOSE")),
            ),
            ("seeing that it is there", with(|r| r.push(allow("N", "*", "ds:people", "metadata", "-")))),
            ("a denial more", with(|r| r.push(deny("N", "20", "*", "9999-12-31T00:00Z")))),
            ("another name for a denial", with(|r| r[2] = deny("D", "20", "ds:people", "9999-12-31T00:00Z"))),
            ("a narrower allow", with(|r| r[1] = allow("B", "gr:x", "*", "discover", "-"))),
        ] {
            assert!(!asks(&new), "{what}");
        }
    }

    #[test]
    fn easier_terms_are_an_opening() {
        let people = |obligations| vec![allow("A", "*", "ds:people", "query", obligations)];
        let duty = |object: &str| format!("p, DUT, 20, *, {object}, *, *, 0, 9, {ALWAYS}, TIGHT, allow");
        let asks = |old: &RuleSet, new: &RuleSet| needs_dpo(old, new, |dataset| dataset == "people");
        let (tight, loose) = (grants(&people("TIGHT")), grants(&people("LOOSE")));
        assert!(asks(&tight, &loose) && !asks(&loose, &tight));
        let renamed = SETS.replace("10}", "50}");
        assert!(
            asks(&tight, &set(&people("TIGHT"), "# none", &renamed)),
            "the same name says something else"
        );
        let bound = set(&people("LOOSE"), &duty("*"), SETS);
        assert!(asks(&bound, &loose) && !asks(&loose, &bound));
        assert!(asks(&bound, &set(&people("LOOSE"), &duty("ds:people"), SETS)), "a narrower duty");
        // Without the rule that obliges, another of the same tier decides alone.
        let two = [people("TIGHT"), vec![allow("Z", "*", "*", "query", "-")]].concat();
        assert!(asks(&grants(&two), &grants(&two[1..])));
    }

    #[test]
    fn another_legal_order_is_an_opening_and_no_emergency() {
        let about = "id = \"eu\"\nversion = 1\ninvariants = \"eu\"\n[name]\nvi = \"a\"\nen = \"a\"\n[covers]\nvi = \"a\"\nen = \"a\"\n";
        let files = Files::new()
            .with("policy.csv", base().join("\n"))
            .with("duties.csv", "# none")
            .with("obligations.json", SETS)
            .with("pack.toml", about);
        let new = RuleSet::from_files(&files, 1).unwrap();
        let now = Minute::parse("2026-11-23T08:00Z").unwrap();
        assert!(asks(&new));
        assert_eq!(
            only_forbids_more(&grants(&base()), &new, now),
            Err(vec!["the invariants differ".to_owned()])
        );
    }

    #[test]
    fn too_many_changes_count_as_opening() {
        let many = |from: usize| {
            let rows: Vec<String> = (from..from + COMPARED_MAX)
                .map(|n| deny(&format!("R{n}"), "20", "ds:x", "9999-12-31T00:00Z"))
                .collect();
            grants(&[rows, base()].concat())
        };
        assert!(!needs_dpo(&grants(&base()), &many(1), |_| false));
        assert!(needs_dpo(&many(0), &many(COMPARED_MAX), |_| false));
    }

    #[test]
    fn an_emergency_only_forbids_and_briefly() {
        let now = Minute::parse("2026-11-23T08:00Z").unwrap();
        let judge = |new: &RuleSet| only_forbids_more(&grants(&base()), new, now);
        let stop = |tier, until| with(move |r| r.push(deny("STOP", tier, "ds:air", until)));
        for tier in ["20", "30"] {
            assert_eq!(judge(&stop(tier, "2026-11-26T08:00Z")), Ok(()));
        }
        assert_eq!(judge(&grants(&base())), Ok(()));
        for (new, why) in [
            (stop("10", "2026-11-26T08:00Z"), "tier 10"),
            (stop("20", "2026-11-26T08:01Z"), "72 hours"),
            (
                with(|r| r.push(allow("N", "*", "ds:air", "query", "TIGHT"))),
                "N is new or changed, and allows",
            ),
            (with(|r| drop(r.remove(0))), "A is changed or gone"),
            (with(|r| r[2] = deny("C", "20", "ds:people", "2026-11-26T08:00Z")), "C is changed or gone"),
            (with(|r| r.push("g, ag:a, gr:x".to_owned())), "links"),
            (set(&base(), "# none", &SETS.replace("100", "99")), "obligations"),
            (set(&base(), &format!("p, DUT, 20, *, *, *, *, 0, 9, {ALWAYS}, TIGHT, allow"), SETS), "duties"),
        ] {
            let said = judge(&new).unwrap_err().join("; ");
            assert!(said.contains(why), "`{said}` should mention `{why}`");
        }
    }
}
