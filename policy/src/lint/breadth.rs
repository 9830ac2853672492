//! Grants that open more than they seem to: class, kind of data, parties abroad.

use super::KnownDataset;
use super::finding::{Finding, FindingCode, Severity, said};
use super::personal::asks_agreement;
use super::reach::{Reach, Way};
use super::survey::Survey;
use crate::columns::moves_content;
use crate::question::{DataClass, Personal, SharingKind};
use crate::rule::{Class, Pattern, Rule, RuleEffect};
use crate::standing::FOREIGN;

/// Looks at every allow that can still match.
pub(super) fn check(survey: &mut Survey<'_>, reach: &Reach<'_>) {
    let mut found = Vec::new();
    for seen in &survey.grants {
        let rule = seen.rule;
        if rule.effect != RuleEffect::Allow || seen.live.is_none() {
            continue;
        }
        found.extend(wide_class(survey, rule));
        if moves_content(rule) {
            found.extend(broad(survey, reach, rule));
            found.extend(abroad(survey, reach, rule));
        }
    }
    for finding in found {
        survey.findings.add(finding);
    }
}

fn wide_class(survey: &Survey<'_>, rule: &Rule) -> Option<Finding> {
    let (id, to) = (&rule.id, rule.class_to);
    let (text, todo) = match survey.dataset(rule).map(|dataset| dataset.facts.class) {
        Some(class) if to > class => (
            said(
                format!(
                    "Quy tắc `{id}` mở đến mức {to}, còn bộ dữ liệu chỉ ở mức {class}: nếu dữ liệu được nâng mức, quy tắc vẫn mở."
                ),
                format!(
                    "`{id}` opens up to class {to}, the dataset is of class {class}: were it classified higher, the rule would still open it."
                ),
            ),
            said(
                format!("Ghi mức cao nhất là {class}; khi dữ liệu được nâng mức, quy tắc sẽ được xem lại."),
                format!(
                    "Write {class} as the highest class; then a higher classification makes somebody look again."
                ),
            ),
        ),
        None if to == Class::SECRET => (
            said(
                format!(
                    "Quy tắc `{id}` mở đến mức 9, là bí mật nhà nước; dữ liệu mức đó không bao giờ được chia sẻ ở đây."
                ),
                format!("`{id}` opens up to class 9, which is state secret and never shared here."),
            ),
            said("Ghi mức cao nhất thực sự cần mở.", "Write the highest class that is really meant."),
        ),
        _ => return None,
    };
    Some(Finding::new(FindingCode::WideClass, Severity::Warning, text, todo).of(id))
}

fn broad(survey: &Survey<'_>, reach: &Reach<'_>, rule: &Rule) -> Option<Finding> {
    // A rule that names such data, or a dataset, means it.
    let delicate = |dataset: &KnownDataset| {
        dataset.facts.kind == SharingKind::Special || dataset.facts.personal == Personal::Sensitive
    };
    let meant = ["co:special", "tag:sensitive", "tag:personal"];
    let way = reach.way(survey, rule, &meant, delicate).filter(|way| !way.is_direct())?;
    if rule.object.written().starts_with("ds:") {
        return None;
    }
    let open_to_all = rule.object == Pattern::Any && rule.subject == Pattern::Any && !asks_agreement(rule);
    let (id, object, sets) = (&rule.id, rule.object.written(), way.shown());
    let text = said(
        format!("Quy tắc `{id}` cho phép `{object}`, trong đó có dữ liệu đặc thù hoặc nhạy cảm{sets}."),
        format!("`{id}` permits `{object}`, and special or sensitive data is part of it{sets}."),
    );
    let todo = said(
        "Nêu tên bộ dữ liệu hoặc nhóm dữ liệu hẹp hơn; dữ liệu đặc thù, nhạy cảm cần quy tắc riêng.",
        "Name datasets or a narrower collection; special and sensitive data wants rules of its own.",
    );
    let severity = if open_to_all { Severity::Error } else { Severity::Warning };
    Some(Finding::new(FindingCode::Broad, severity, text, todo).of(id))
}

fn abroad(survey: &Survey<'_>, reach: &Reach<'_>, rule: &Rule) -> Option<Finding> {
    let named_abroad = match &rule.subject {
        Pattern::Any => false,
        Pattern::Name(subject) if survey.names.stands_under(subject, FOREIGN) => true,
        Pattern::Name(_) => return None,
    };
    if asks_agreement(rule) {
        return None;
    }
    let held = |dataset: &KnownDataset| {
        dataset.facts.personal != Personal::None || dataset.facts.data_class != DataClass::Other
    };
    let marks = ["tag:personal", "tag:important", "tag:core"];
    // Anybody may be meant to be anybody here; only what says such data by name is told.
    let way =
        reach.way(survey, rule, &marks, held).filter(|way| named_abroad || matches!(way, Way::Direct))?;
    let (id, sets) = (&rule.id, way.shown());
    let text = said(
        format!(
            "Quy tắc `{id}` mở dữ liệu cá nhân, quan trọng hoặc cốt lõi{sets} cho bên ở nước ngoài mà không đòi thoả thuận; hồ sơ chuyển dữ liệu đi theo thoả thuận, nên yêu cầu như vậy luôn bị từ chối."
        ),
        format!(
            "`{id}` opens personal, important or core data{sets} to parties abroad without an agreement; the transfer dossier belongs to an agreement, so such a request is always refused."
        ),
    );
    let todo = said(
        "Đòi thoả thuận (`+`) và lập hồ sơ chuyển dữ liệu cho thoả thuận đó, hoặc chỉ cho phép các bên trong nước.",
        "Ask for an agreement (`+`) and file a transfer dossier for it, or permit domestic parties only.",
    );
    Some(Finding::new(FindingCode::Abroad, Severity::Warning, text, todo).of(id))
}
