//! Rules whose time is over or nearly over, and rules that have not matched for long.

use super::context::{Observed, SOON_DAYS, UNMATCHED_DAYS};
use super::finding::{Finding, FindingCode, Severity, said};
use super::survey::Survey;
use crate::columns::moves_content;
use crate::minute::Minute;
use crate::rule::{Rule, RuleEffect};

const DAY: i64 = 86_400;

/// Looks at every grant and duty; says nothing without a clock.
pub(super) fn check(survey: &mut Survey<'_>) {
    let Some(now) = survey.context.now else { return };
    let soon = now.unix().saturating_add(days(survey.context.soon_days.unwrap_or(SOON_DAYS)));
    let unmatched = survey.context.unmatched_days.unwrap_or(UNMATCHED_DAYS);
    let mut found = Vec::new();
    let grants = survey.grants.iter().map(|seen| (seen.rule, false));
    for (rule, duty) in grants.chain(survey.duties.iter().map(|seen| (seen.rule, true))) {
        if rule.expires <= now {
            found.push(expired(rule));
            continue;
        }
        if rule.expires.unix() <= soon {
            found.push(expires_soon(rule));
        }
        if let Some(usage) = &survey.context.usage {
            found.extend(never_matched(rule, duty, usage, now, unmatched));
        }
    }
    for finding in found {
        survey.findings.add(finding);
    }
}

fn days(days: u32) -> i64 {
    i64::from(days) * DAY
}

fn expired(rule: &Rule) -> Finding {
    let (id, end) = (&rule.id, rule.expires);
    let text = said(
        format!("Quy tắc `{id}` đã hết hạn từ {end}."),
        format!("The time of `{id}` was over on {end}."),
    );
    let todo = said("Xoá, hoặc xem lại rồi gia hạn.", "Remove it, or review it and give it a new end.");
    Finding::new(FindingCode::Expired, Severity::Warning, text, todo).of(id)
}

fn expires_soon(rule: &Rule) -> Finding {
    let (id, end) = (&rule.id, rule.expires);
    let text = said(
        format!("Quy tắc `{id}` sắp hết hạn: {end}."),
        format!("The time of `{id}` is over soon: {end}."),
    );
    let todo = said(
        "Xem lại và gia hạn trước ngày đó, hoặc báo cho các bên đang dùng.",
        "Review it and give it a new end before then, or tell those who use it.",
    );
    Finding::new(FindingCode::ExpiresSoon, Severity::Warning, text, todo).of(id)
}

/// Names a rule that could have matched for all of `unmatched` days and did not.
fn never_matched(rule: &Rule, duty: bool, usage: &Observed, now: Minute, unmatched: u32) -> Option<Finding> {
    let line = now.unix().saturating_sub(days(unmatched));
    let recorded = moves_content(rule);
    let could = usage.since.unix().max(rule.not_before.unix()) <= line && !usage.added.contains(&rule.id);
    let last = usage.last.get(&rule.id);
    if !recorded || !could || last.is_some_and(|last| last.unix() > line) {
        return None;
    }
    let id = &rule.id;
    let text = match last {
        Some(last) => said(
            format!(
                "Quy tắc `{id}` không khớp với yêu cầu nào trong {unmatched} ngày qua; lần cuối là {last}."
            ),
            format!("`{id}` matched no question in the last {unmatched} days; the last time was {last}."),
        ),
        None => said(
            format!("Quy tắc `{id}` không khớp với yêu cầu nào trong {unmatched} ngày qua."),
            format!("`{id}` matched no question in the last {unmatched} days."),
        ),
    };
    let todo = said(
        "Nếu không còn ai cần, hãy xoá: quyền không dùng là quyền thừa.",
        "If nobody needs it any more, remove it: a right that nobody uses is one too many.",
    );
    let opens = rule.effect == RuleEffect::Allow && !duty;
    let severity = if opens { Severity::Warning } else { Severity::Note };
    Some(Finding::new(FindingCode::NeverMatched, severity, text, todo).of(id))
}
