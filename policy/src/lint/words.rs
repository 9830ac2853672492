//! What must be said beside rules: why they deny, what people gain by a grant; and obligations that nobody uses.

use std::collections::BTreeSet;

use super::finding::{Finding, FindingCode, Severity, said};
use super::survey::Survey;
use crate::columns::moves_content;
use crate::rule::RuleEffect;

/// Looks at every grant and every obligation set.
pub(super) fn check(survey: &mut Survey<'_>) {
    let mut found = Vec::new();
    for rule in survey.grants.iter().map(|seen| seen.rule) {
        let (id, reason) = (&rule.id, survey.rules.reason(&rule.id));
        match rule.effect {
            RuleEffect::Deny if reason.is_none() => found.push(deny_ungrounded().of(id)),
            RuleEffect::Allow
                if moves_content(rule) && reason.is_none_or(|reason| reason.benefit.is_none()) =>
            {
                found.push(no_benefit().of(id));
            }
            _ => {}
        }
    }
    let rules = survey.grants.iter().chain(&survey.duties);
    let used: BTreeSet<_> = rules.filter_map(|seen| seen.rule.obligations.as_ref()).collect();
    for set in survey.rules.obligations().keys().filter(|set| !used.contains(set)) {
        let text = said(
            format!("Không quy tắc nào dùng bộ nghĩa vụ `{set}`."),
            format!("No rule uses the obligation set `{set}`."),
        );
        let todo = said(
            "Xoá khỏi obligations.json, hoặc ghi tên nó vào quy tắc cần đến.",
            "Remove it from obligations.json, or name it in the rule that needs it.",
        );
        found.push(Finding::new(FindingCode::UnusedObligations, Severity::Note, text, todo));
    }
    for finding in found {
        survey.findings.add(finding);
    }
}

fn deny_ungrounded() -> Finding {
    let text = said(
        "Lệnh cấm này không nêu lý do và căn cứ pháp lý; từ chối phải bằng văn bản, có lý do và căn cứ (Nghị định 194/2025/NĐ-CP, Điều 16 khoản 2).",
        "This deny states no reason and no legal basis; a refusal is in writing, with both (Decree 194/2025/ND-CP, Art. 16(2)).",
    );
    let todo = said("Thêm quy tắc này vào reasons.json.", "Add the rule to reasons.json.");
    Finding::new(FindingCode::DenyUngrounded, Severity::Error, text, todo)
}

fn no_benefit() -> Finding {
    let text = said(
        "Quy tắc cho phép này không nói người dân được lợi gì.",
        "This grant does not say what people gain by it.",
    );
    let todo = said(
        "Thêm `benefit` (vi, en) vào mục của quy tắc trong reasons.json.",
        "Add `benefit` (vi, en) to the rule's entry in reasons.json.",
    );
    Finding::new(FindingCode::NoBenefit, Severity::Note, text, todo)
}
