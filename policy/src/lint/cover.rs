//! Rules that other rules keep from being heard: shadowed, unreachable, redundant.
//!
//! A rule is held only against rules whose dataset, subject and purpose columns hold the same name, one above it, or
//! `*`; no other can cover it. So the work grows with the number of rules, not with its square, unless very many
//! rules share all three.

use std::collections::HashMap;

use super::finding::{Finding, FindingCode, Severity, said};
use super::names::{Boxed, Name, Names};
use super::survey::{Seen, Survey};
use crate::explain::Field;
use crate::invariants::bears_out_emergency;
use crate::rule::{Rule, RuleEffect};

/// Positions of rules by dataset, subject and purpose column.
#[derive(Default)]
struct Index(HashMap<Name, HashMap<Name, HashMap<Name, Vec<usize>>>>);

impl Index {
    fn of(rules: &[Seen<'_>]) -> Self {
        let mut index = Self::default();
        for (at, seen) in rules.iter().enumerate() {
            let [object, subject, purpose] = keys(&seen.whole);
            let by_subject = index.0.entry(object).or_default();
            by_subject.entry(subject).or_default().entry(purpose).or_default().push(at);
        }
        index
    }

    /// Lists of rules that could cover this box.
    fn lists(&self, names: &Names, inner: &Boxed) -> Vec<&[usize]> {
        let [object, subject, purpose] = keys(inner);
        let mut lists = Vec::new();
        for by_subject in at_or_above(&self.0, names, object) {
            for by_purpose in at_or_above(by_subject, names, subject) {
                lists.extend(at_or_above(by_purpose, names, purpose).into_iter().map(Vec::as_slice));
            }
        }
        lists
    }
}

fn keys(boxed: &Boxed) -> [Name; 3] {
    [Field::Dataset, Field::Subject, Field::Purpose].map(|field| boxed.name(field))
}

/// Entries under `*`, this name, or a name above it; walks whichever of the two is shorter.
fn at_or_above<'i, T>(map: &'i HashMap<Name, T>, names: &Names, name: Name) -> Vec<&'i T> {
    let above = names.above(name);
    if map.len() <= above.len() {
        let fits = |key: &Name| *key == Names::ANY || names.is_under(name, *key);
        return map.iter().filter(|(key, _)| fits(key)).map(|(_, value)| value).collect();
    }
    let own = (name != Names::ANY).then_some(&name);
    std::iter::once(&Names::ANY).chain(own).chain(above).filter_map(|key| map.get(key)).collect()
}

/// The first rule of each sort that covers a rule.
#[derive(Default)]
struct Covering {
    opposite: Option<usize>,
    decides: Option<usize>,
    same: Option<usize>,
}

fn first(place: &mut Option<usize>, at: usize) {
    *place = Some(place.map_or(at, |known| known.min(at)));
}

/// Names shadowed, unreachable and redundant grants.
pub(super) fn grants(survey: &mut Survey<'_>) {
    let index = Index::of(&survey.grants);
    for at in 0..survey.grants.len() {
        let Some((seen, live)) = live(&survey.grants, at) else { continue };
        let lists = index.lists(&survey.names, &live);
        if !survey.may_compare(lists.iter().map(|list| list.len()).sum()) {
            return;
        }
        let mut covering = Covering::default();
        for other in lists.into_iter().flatten().copied().filter(|other| *other != at) {
            let Some(by) = survey.grants.get(other) else { continue };
            // A deny of the same tier, or anything less authoritative, does not keep a rule from being heard.
            let heard_first = by.rule.tier <= seen.rule.tier;
            if heard_first && survey.names.covers(&by.whole, &live) {
                sort(survey, (at, &seen), (other, by), &mut covering);
            }
        }
        tell(survey, seen.rule, &covering);
    }
}

fn live<'a>(rules: &[Seen<'a>], at: usize) -> Option<(Seen<'a>, Boxed)> {
    let seen = *rules.get(at)?;
    Some((seen, seen.live?))
}

fn sort(
    survey: &Survey<'_>,
    (at, seen): (usize, &Seen<'_>),
    (other, by): (usize, &Seen<'_>),
    covering: &mut Covering,
) {
    let (rule, above) = (seen.rule, by.rule);
    let earlier_tier = above.tier < rule.tier;
    if above.effect != rule.effect {
        // An allow never keeps a deny of its own tier from being heard.
        if earlier_tier || above.effect == RuleEffect::Deny {
            first(&mut covering.opposite, other);
        }
    } else if earlier_tier {
        first(&mut covering.decides, other);
    } else if adds_nothing(survey, rule, above) && !(is_twin(survey, seen, by) && at < other) {
        first(&mut covering.same, other);
    }
}

/// True when a rule that this one covers adds nothing to it: no obligation, and no emergency that only it bears out.
fn adds_nothing(survey: &Survey<'_>, rule: &Rule, by: &Rule) -> bool {
    let bears_out = !bears_out_emergency(rule) || bears_out_emergency(by);
    bears_out && survey.obligations(by).at_least(survey.obligations(rule))
}

/// True when each covers the other and obliges to the same: only the later one is named.
fn is_twin(survey: &Survey<'_>, one: &Seen<'_>, other: &Seen<'_>) -> bool {
    other.live.is_some_and(|live| survey.names.covers(&one.whole, &live))
        && adds_nothing(survey, other.rule, one.rule)
}

fn tell(survey: &mut Survey<'_>, rule: &Rule, covering: &Covering) {
    let at = |place: Option<usize>| place.and_then(|at| survey.grants.get(at)).map(|seen| seen.rule);
    let finding = if let Some(by) = at(covering.opposite) {
        shadowed(rule, by)
    } else if let Some(by) = at(covering.decides) {
        let lost = !survey.obligations(by).at_least(survey.obligations(rule));
        unreachable(rule, by, lost)
    } else if let Some(by) = at(covering.same) {
        redundant(rule, by)
    } else {
        return;
    };
    survey.findings.add(finding);
}

fn shadowed(rule: &Rule, by: &Rule) -> Finding {
    let (id, other) = (&rule.id, &by.id);
    let (severity, text) = match rule.effect {
        RuleEffect::Deny => (
            Severity::Error,
            said(
                format!(
                    "Lệnh cấm `{id}` không bao giờ có tác dụng: quy tắc cho phép `{other}` ở tầng cao hơn quyết định trước trong mọi trường hợp."
                ),
                format!(
                    "The deny `{id}` never has an effect: the allow `{other}` of a more authoritative tier decides first in every case."
                ),
            ),
        ),
        RuleEffect::Allow => (
            Severity::Warning,
            said(
                format!("Quy tắc cho phép `{id}` không bao giờ có tác dụng: lệnh cấm `{other}` bao trùm nó."),
                format!("The allow `{id}` never has an effect: the deny `{other}` covers it."),
            ),
        ),
    };
    let todo = said(
        format!("Xoá `{id}`, hoặc thu hẹp `{other}`, hoặc đưa `{id}` vào tầng đủ thẩm quyền nếu được phép."),
        format!(
            "Remove `{id}`, narrow `{other}`, or put `{id}` into a tier with the authority, if you have it."
        ),
    );
    Finding::new(FindingCode::Shadowed, severity, text, todo).of(id).with([other])
}

fn unreachable(rule: &Rule, by: &Rule, obligations_lost: bool) -> Finding {
    let (id, other) = (&rule.id, &by.id);
    let (severity, text) = if obligations_lost {
        (
            Severity::Warning,
            said(
                format!(
                    "Quy tắc `{id}` không bao giờ được dùng vì `{other}` ở tầng cao hơn đã cho phép; nghĩa vụ của `{id}` vì thế không được áp dụng."
                ),
                format!(
                    "`{id}` is never used, for `{other}` of a more authoritative tier permits first; so the obligations of `{id}` do not apply."
                ),
            ),
        )
    } else {
        (
            Severity::Note,
            said(
                format!("Quy tắc `{id}` không bao giờ được dùng: `{other}` ở tầng cao hơn đã nói điều đó."),
                format!("`{id}` is never used: `{other}` of a more authoritative tier says it already."),
            ),
        )
    };
    let todo = said(
        format!("Xoá `{id}`; nếu nghĩa vụ của nó là cần thiết, hãy viết thành một dòng trong duties.csv."),
        format!("Remove `{id}`; where its obligations are needed, write them as a row of duties.csv."),
    );
    Finding::new(FindingCode::Unreachable, severity, text, todo).of(id).with([other])
}

fn redundant(rule: &Rule, by: &Rule) -> Finding {
    let (id, other) = (&rule.id, &by.id);
    let text = said(
        format!("Bỏ `{id}` đi cũng không thay đổi gì: `{other}` cùng tầng đã bao trùm nó."),
        format!("Without `{id}` nothing would change: `{other}` of the same tier covers it."),
    );
    let todo = said(
        format!("Xoá `{id}`, trừ khi cần giữ căn cứ và lời giải thích riêng của nó."),
        format!("Remove `{id}`, unless its own citation and words are wanted."),
    );
    Finding::new(FindingCode::Redundant, Severity::Note, text, todo).of(id).with([other])
}

/// Names duties that another duty makes needless.
pub(super) fn duties(survey: &mut Survey<'_>) {
    let index = Index::of(&survey.duties);
    for at in 0..survey.duties.len() {
        let Some((seen, live)) = live(&survey.duties, at) else { continue };
        let lists = index.lists(&survey.names, &live);
        if !survey.may_compare(lists.iter().map(|list| list.len()).sum()) {
            return;
        }
        let by = lists.into_iter().flatten().copied().filter(|other| *other != at).find(|other| {
            survey.duties.get(*other).is_some_and(|by| {
                survey.names.covers(&by.whole, &live)
                    && survey.obligations(by.rule).at_least(survey.obligations(seen.rule))
                    && !(duty_twin(survey, &seen, by) && at < *other)
            })
        });
        if let Some(by) = by.and_then(|by| survey.duties.get(by)) {
            let (id, other) = (&seen.rule.id, &by.rule.id);
            let text = said(
                format!(
                    "Nghĩa vụ `{id}` không thêm gì: `{other}` áp dụng cho mọi trường hợp đó và ít nhất cũng chặt như vậy."
                ),
                format!(
                    "The duty `{id}` adds nothing: `{other}` applies in every such case and is at least as strict."
                ),
            );
            let todo = said(format!("Xoá `{id}`."), format!("Remove `{id}`."));
            let finding = Finding::new(FindingCode::Redundant, Severity::Note, text, todo);
            survey.findings.add(finding.of(id).with([other]));
        }
    }
}

fn duty_twin(survey: &Survey<'_>, one: &Seen<'_>, other: &Seen<'_>) -> bool {
    other.live.is_some_and(|live| survey.names.covers(&one.whole, &live))
        && survey.obligations(one.rule).at_least(survey.obligations(other.rule))
}
