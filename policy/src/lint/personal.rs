//! Grants on personal data: purpose, legal basis, citation, deletion, end.

use std::collections::HashMap;

use super::finding::{Finding, FindingCode, Severity, said};
use super::names::{Boxed, Name, Names, Side};
use super::reach::{Reach, Way};
use super::survey::{Seen, Survey};
use crate::columns::moves_content;
use crate::explain::Field;
use crate::ids::RuleId;
use crate::question::Personal;
use crate::rule::{Pattern, Recorded, Rule, RuleEffect};

/// Duties that say when data is deleted, by object column.
type Deleting<'a> = HashMap<Name, Vec<Seen<'a>>>;

/// Looks at every grant by which personal data may leave.
pub(super) fn check(survey: &mut Survey<'_>, reach: &Reach<'_>) {
    let deleting = deleting(survey);
    let mut found = Vec::new();
    for seen in &survey.grants {
        let rule = seen.rule;
        if rule.effect != RuleEffect::Allow || !moves_content(rule) || seen.live.is_none() {
            continue;
        }
        let personal = |dataset: &super::KnownDataset| dataset.facts.personal != Personal::None;
        let Some(way) = reach.way(survey, rule, &["tag:personal"], personal) else { continue };
        if rule.purpose == Pattern::Any && !asks_agreement(rule) {
            found.push(no_purpose(&rule.id, &way));
        }
        if matches!(rule.basis, Recorded::Any | Recorded::None) {
            found.push(no_basis(&rule.id, &way));
        }
        if survey.rules.reason(&rule.id).is_none() {
            found.push(no_citation(&rule.id, &way));
        }
        if rule.expires.is_open_ended() {
            found.push(no_end(&rule.id, &way));
        }
        if let Some(way) = kept_for_ever(survey, seen, way, &deleting) {
            found.push(no_retention(&rule.id, &way));
        }
    }
    for finding in found {
        survey.findings.add(finding);
    }
}

/// True when the purpose is bounded by an agreement that must be there.
pub(super) fn asks_agreement(rule: &Rule) -> bool {
    matches!(rule.agreement, Recorded::Some | Recorded::Name(_))
}

fn deleting<'a>(survey: &Survey<'a>) -> Deleting<'a> {
    let mut map: Deleting<'a> = HashMap::new();
    for duty in &survey.duties {
        if survey.obligations(duty.rule).retention_days.is_some() {
            map.entry(duty.whole.name(Field::Dataset)).or_default().push(*duty);
        }
    }
    map
}

/// The part of the way for which nothing says when the data is deleted.
fn kept_for_ever<'a>(
    survey: &Survey<'_>,
    seen: &Seen<'_>,
    way: Way<'a>,
    deleting: &Deleting<'_>,
) -> Option<Way<'a>> {
    let live = seen.live?;
    if survey.obligations(seen.rule).retention_days.is_some() {
        return None;
    }
    let with_object = |name: &str| {
        let mut part = live;
        if let Some(object) = survey.names.get(name) {
            part.set(Field::Dataset, Side::Name(object));
        }
        part
    };
    match way {
        Way::Direct => (!is_deleted(survey, &live, deleting)).then_some(Way::Direct),
        Way::Through(found) if found.is_empty() => {
            (!is_deleted(survey, &with_object("tag:personal"), deleting)).then_some(Way::Through(found))
        }
        Way::Through(mut found) => {
            found.retain(|(id, dataset)| {
                let mut part = with_object(id.as_str());
                let class = i64::from(dataset.facts.class.get());
                part.set(Field::Class, Side::Span(class, class + 1));
                !is_deleted(survey, &part, deleting)
            });
            (!found.is_empty()).then_some(Way::Through(found))
        }
    }
}

fn is_deleted(survey: &Survey<'_>, part: &Boxed, deleting: &Deleting<'_>) -> bool {
    let object = part.name(Field::Dataset);
    let keys = survey.names.above(object).iter().copied().chain([object, Names::ANY]);
    // Where the comparisons are used up, nothing is claimed.
    keys.filter_map(|key| deleting.get(&key))
        .flatten()
        .any(|duty| !survey.may_compare(1) || survey.names.covers(&duty.whole, part))
}

fn by(way: &Way<'_>, direct: Severity, through: Severity) -> Severity {
    if way.is_direct() { direct } else { through }
}

fn no_purpose(id: &RuleId, way: &Way<'_>) -> Finding {
    let sets = way.shown();
    let text = said(
        format!("Quy tắc `{id}` cho phép dữ liệu cá nhân{sets} đi cho bất kỳ mục đích nào."),
        format!("`{id}` lets personal data{sets} go for any purpose."),
    );
    let todo = said(
        "Ghi mục đích (`pu:…`) hoặc yêu cầu thoả thuận (`+`), vì thoả thuận nêu mục đích.",
        "Name a purpose (`pu:…`), or ask for an agreement (`+`), which states the purposes.",
    );
    Finding::new(FindingCode::NoPurpose, by(way, Severity::Error, Severity::Warning), text, todo).of(id)
}

fn no_basis(id: &RuleId, way: &Way<'_>) -> Finding {
    let sets = way.shown();
    let text = said(
        format!("Quy tắc `{id}` không đòi hỏi căn cứ pháp lý cho dữ liệu cá nhân{sets}."),
        format!("`{id}` asks for no legal basis for personal data{sets}."),
    );
    let todo = said("Ghi `+` hoặc một căn cứ (`bas:…`).", "Write `+`, or name a legal basis (`bas:…`).");
    Finding::new(FindingCode::NoBasis, by(way, Severity::Error, Severity::Warning), text, todo).of(id)
}

fn no_citation(id: &RuleId, way: &Way<'_>) -> Finding {
    let sets = way.shown();
    let text = said(
        format!(
            "Quy tắc `{id}` cho phép dữ liệu cá nhân{sets} đi mà reasons.json không nêu văn bản pháp luật nào."
        ),
        format!("`{id}` lets personal data{sets} go, and reasons.json cites no legal text for it."),
    );
    let todo = said(
        format!("Thêm `{id}` vào reasons.json với căn cứ pháp lý và lời giải thích."),
        format!("Add `{id}` to reasons.json with its legal basis and words."),
    );
    Finding::new(FindingCode::NoCitation, by(way, Severity::Warning, Severity::Note), text, todo).of(id)
}

fn no_end(id: &RuleId, way: &Way<'_>) -> Finding {
    let sets = way.shown();
    let text = said(
        format!("Quy tắc `{id}` về dữ liệu cá nhân{sets} không có ngày kết thúc, nên không ai phải xem lại."),
        format!("`{id}` on personal data{sets} has no end, so nobody has to review it."),
    );
    let todo = said(
        "Đặt ngày kết thúc, nhiều nhất là đến kỳ rà soát hằng năm tới.",
        "Give it an end, at most the next yearly review.",
    );
    Finding::new(FindingCode::NoEnd, by(way, Severity::Warning, Severity::Note), text, todo).of(id)
}

fn no_retention(id: &RuleId, way: &Way<'_>) -> Finding {
    let sets = way.shown();
    let text = said(
        format!("Theo quy tắc `{id}`, bên nhận có thể giữ dữ liệu cá nhân{sets} mãi mãi."),
        format!("Under `{id}` the consumer may keep personal data{sets} for ever."),
    );
    let todo = said(
        "Thêm `retention_days` vào bộ nghĩa vụ của quy tắc, hoặc một dòng trong duties.csv cho `tag:personal`.",
        "Add `retention_days` to the rule's obligations, or a row of duties.csv on `tag:personal`.",
    );
    Finding::new(FindingCode::NoRetention, by(way, Severity::Error, Severity::Warning), text, todo).of(id)
}
