//! Rules that can match nothing, and rules that the law's own refusals never let speak.

use super::finding::{Finding, FindingCode, Severity, said};
use super::survey::{Seen, Survey};
use crate::ids::{BASIS_CONSENT, SubjectId};
use crate::invariants::bears_out_emergency;
use crate::question::{Personal, SharingKind};
use crate::reason::ReasonCode;
use crate::rule::{Action, Class, Pattern, Recorded, Rule, RuleEffect};

/// Looks at every grant and duty.
pub(super) fn check(survey: &mut Survey<'_>) {
    let mut found = Vec::new();
    for seen in survey.grants.iter().chain(&survey.duties) {
        if let Some(blank) = blank(survey, seen) {
            found.push(blank);
        } else if let Some(code) = refused_first(survey, seen.rule) {
            found.push(unreachable(seen.rule, code));
        }
    }
    for finding in found {
        survey.findings.add(finding);
    }
}

/// A rule about one dataset whose class it leaves out. (Rules whose time is over are told as expired.)
fn blank(survey: &Survey<'_>, seen: &Seen<'_>) -> Option<Finding> {
    let rule = seen.rule;
    let class = survey.dataset(rule)?.facts.class;
    if (rule.class_from..=rule.class_to).contains(&class) {
        return None;
    }
    let (id, from, to) = (&rule.id, rule.class_from, rule.class_to);
    let text = said(
        format!(
            "Quy tắc `{id}` không khớp với gì cả: bộ dữ liệu của nó ở mức {class}, quy tắc chỉ nói về mức {from} đến {to}."
        ),
        format!(
            "`{id}` matches nothing: its dataset is of class {class}, the rule is about classes {from} to {to}."
        ),
    );
    let todo = said(
        "Sửa mức phân loại trong quy tắc, hoặc xoá quy tắc.",
        "Correct the classes, or remove the rule.",
    );
    Some(Finding::new(FindingCode::Blank, Severity::Warning, text, todo).of(id))
}

/// The invariant that refuses every question that the rule could match.
fn refused_first(survey: &Survey<'_>, rule: &Rule) -> Option<ReasonCode> {
    let record = survey.dataset(rule).map(|dataset| &dataset.facts);
    let secret =
        record.is_some_and(|facts| facts.kind == SharingKind::Secret || facts.class == Class::SECRET);
    if secret || rule.class_from == Class::SECRET {
        return Some(ReasonCode::Secret);
    }
    if is_inactive(survey, &rule.subject) {
        return Some(ReasonCode::Party);
    }
    // A duty says nothing of agreement and basis, and looking at descriptions needs neither.
    if !rule.action.is_some_and(Action::moves_content) {
        return None;
    }
    let is = |mark| survey.names.stands_under(rule.object.written(), mark);
    if is("tag:personal") && rule.basis == Recorded::None {
        return Some(ReasonCode::Basis);
    }
    let on_consent = matches!(&rule.basis, Recorded::Name(basis) if basis == BASIS_CONSENT);
    if on_consent && record.is_some_and(|facts| facts.personal != Personal::None && facts.consent.is_none()) {
        return Some(ReasonCode::Consent);
    }
    if rule.agreement == Recorded::None && !bears_out_emergency(rule) {
        return match (is("co:special"), is("tag:sensitive")) {
            (true, _) => Some(ReasonCode::Special),
            (false, true) => Some(ReasonCode::Dpia),
            (false, false) => None,
        };
    }
    None
}

fn is_inactive(survey: &Survey<'_>, subject: &Pattern) -> bool {
    let party = SubjectId::parse(subject.written()).ok();
    let known = party.zip(survey.context.parties.as_ref()).and_then(|(id, parties)| parties.get(&id));
    known.is_some_and(|party| !party.active)
}

fn unreachable(rule: &Rule, code: ReasonCode) -> Finding {
    let id = &rule.id;
    let text = said(
        format!(
            "Quy tắc `{id}` không bao giờ được hỏi đến: điều luật bất biến {code} từ chối trước mọi yêu cầu mà nó nói tới."
        ),
        format!("`{id}` is never heard: the invariant {code} refuses every question that it is about."),
    );
    let todo = said(
        "Xoá quy tắc, hoặc sửa cột khiến nó trái luật (mức, căn cứ, thoả thuận, bên).",
        "Remove the rule, or correct the column that the law rules out (class, basis, agreement, party).",
    );
    let severity = if rule.effect == RuleEffect::Deny { Severity::Note } else { Severity::Warning };
    Finding::new(FindingCode::Unreachable, severity, text, todo).of(id)
}
