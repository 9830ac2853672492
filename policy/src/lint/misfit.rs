//! Rules whose obligations do not fit the columns of the data that they are about: they permit, and nothing leaves.
//!
//! What fits is for the node to say, which knows the columns ([`LintContext::misfits`](super::LintContext)). What is not
//! said is not judged: a rule may be written before its dataset is added. Nothing leaves either where a rule gives pseudonyms of a
//! linkage key to a party that holds the key and could undo them; a holder that a rule means by a group is not seen.

use super::LintContext;
use super::finding::{Finding, FindingCode, LintReport, Severity, said};
use super::survey::{Seen, Survey};
use crate::columns::moves_content;
use crate::ids::DatasetId;
use crate::limits::COMPARISONS_MAX;
use crate::mask::Mask;
use crate::rule::{Pattern, Rule, RuleEffect};
use crate::rule_set::RuleSet;

/// Datasets that a finding names.
const NAMED_MAX: usize = 3;

/// This check alone, for whoever puts rules in force.
#[must_use]
pub fn misfits(rules: &RuleSet, context: &LintContext) -> LintReport {
    let mut survey = Survey::of(rules, context, COMPARISONS_MAX);
    check(&mut survey);
    survey.findings.report(|rule| context.places.get(rule).cloned())
}

/// Looks at every grant and duty by which rows may leave.
pub(super) fn check(survey: &mut Survey<'_>) {
    let all = survey.grants.iter().chain(&survey.duties);
    let mut found: Vec<Finding> = all.filter_map(|seen| misfit(survey, seen)).collect();
    found.extend(survey.grants.iter().filter_map(|seen| for_a_holder(survey, seen)));
    for finding in found {
        survey.findings.add(finding);
    }
}

fn misfit(survey: &Survey<'_>, seen: &Seen<'_>) -> Option<Finding> {
    let rule = seen.rule;
    if rule.effect != RuleEffect::Allow || !moves_content(rule) || seen.live.is_none() {
        return None;
    }
    let set = rule.obligations.as_ref()?;
    let reasons = survey.context.misfits.get(set)?;
    let known = survey.context.datasets.as_ref()?;
    if !survey.may_compare(known.len()) {
        return None;
    }
    let covered: Vec<&DatasetId> =
        known.iter().filter(|(id, d)| covers(survey, rule, id, d.facts.class)).map(|(id, _)| id).collect();
    let unfit: Vec<(&DatasetId, &String)> =
        covered.iter().filter_map(|id| reasons.get(*id).map(|why| (*id, why))).collect();
    let (_, why) = unfit.first()?;
    let names: Vec<String> = unfit.iter().take(NAMED_MAX).map(|(id, _)| format!("`{id}`")).collect();
    let names = names.join(", ") + if unfit.len() > NAMED_MAX { ", …" } else { "" };
    let (id, bad, count) = (&rule.id, unfit.len(), covered.len());
    let text = said(
        format!(
            "Theo quy tắc `{id}` không dòng nào ra ở {bad} trong {count} bộ dữ liệu mà nó nói tới ({names}): nghĩa vụ `{set}` không khớp với các cột. Lý do: {why}"
        ),
        format!(
            "By `{id}` nothing leaves of {bad} of the {count} datasets that it is about ({names}): the obligations `{set}` do not fit their columns. {why}"
        ),
    );
    let todo = said(
        format!(
            "Sửa tên cột trong `{set}` (obligations.json) hoặc trong hợp đồng dữ liệu, hoặc cho quy tắc chỉ nói về dữ liệu có các cột đó; `tram dataset show` cho xem các cột."
        ),
        format!(
            "Correct the columns in `{set}` (obligations.json) or in the contract, or let the rule be about data that has them; `tram dataset show` lists the columns."
        ),
    );
    let severity = if bad == count { Severity::Error } else { Severity::Warning };
    Some(Finding::new(FindingCode::Misfit, severity, text, todo).of(id))
}

fn for_a_holder(survey: &Survey<'_>, seen: &Seen<'_>) -> Option<Finding> {
    let rule = seen.rule;
    let Pattern::Name(party) = &rule.subject else { return None };
    if rule.effect != RuleEffect::Allow || !moves_content(rule) || seen.live.is_none() {
        return None;
    }
    let known = survey.context.linkages.as_ref()?;
    let holds = |linkage: &&crate::Linkage| {
        known.get(*linkage).is_some_and(|all| all.iter().any(|holder| holder.as_str() == party.as_str()))
    };
    let keys = survey.obligations(rule).mask.values().filter_map(|mask| match mask {
        Mask::Linkage(linkage) => Some(linkage),
        _ => None,
    });
    let (linkage, id) = (keys.into_iter().find(holds)?, &rule.id);
    let text = said(
        format!(
            "Theo quy tắc `{id}` không dòng nào ra: `{party}` cũng giữ khóa liên kết `{linkage}` nên lần ngược được mã giả danh."
        ),
        format!(
            "By `{id}` nothing leaves: `{party}` holds the linkage key `{linkage}` itself and could undo the pseudonyms."
        ),
    );
    let todo = said(
        "Cho bên đó cách che khác (ví dụ `hash`), hoặc tạo khóa mà bên đó không giữ (`tram linkage new`).",
        "Give that party another mask (for example `hash`), or make a key that it does not hold (`tram linkage new`).",
    );
    Some(Finding::new(FindingCode::Misfit, Severity::Error, text, todo).of(id))
}

fn covers(survey: &Survey<'_>, rule: &Rule, id: &DatasetId, class: crate::rule::Class) -> bool {
    let named = match &rule.object {
        Pattern::Any => true,
        Pattern::Name(object) => survey.names.stands_under(id.as_str(), object),
    };
    named && (rule.class_from..=rule.class_to).contains(&class)
}
