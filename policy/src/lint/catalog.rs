//! Datasets whose records and the rules do not go together.
//!
//! Thresholds: Decision 20/2025/QD-TTg (mark S: from a secondary source): personal data of 100 000 persons or more is
//! important data, of 1 000 000 core data; sensitive data of 10 000 and 100 000.

use super::KnownDataset;
use super::finding::{Finding, FindingCode, Severity, said};
use super::names::Names;
use super::survey::Survey;
use crate::columns::moves_content;
use crate::ids::DatasetId;
use crate::question::{DataClass, Personal};
use crate::rule::{Pattern, Rule, RuleEffect, Tier};
use crate::standing::{RESERVED, derived};

/// Looks at every dataset that is known.
pub(super) fn check(survey: &mut Survey<'_>) {
    let readers = readers(survey);
    let mut found = Vec::new();
    for (id, dataset) in survey.context.datasets.iter().flatten() {
        found.extend(record_conflict(survey, id, dataset));
        found.extend(class_count(id, dataset));
        if survey.context.node.as_ref().is_some_and(|node| *node != dataset.facts.owner) {
            found.extend(no_read_back(survey, &readers, id, dataset));
        }
    }
    for finding in found {
        survey.findings.add(finding);
    }
}

fn record_conflict(survey: &Survey<'_>, id: &DatasetId, dataset: &KnownDataset) -> Option<Finding> {
    let warranted = derived(&dataset.facts);
    let stray = RESERVED
        .into_iter()
        .find(|mark| !warranted.contains(mark) && survey.names.stands_under(id.as_str(), mark))?;
    let text = said(
        format!(
            "Một liên kết hoặc nhãn đặt `{id}` dưới `{stray}`, nhưng hồ sơ của bộ dữ liệu không nói vậy: mọi yêu cầu về nó sẽ bị từ chối (INV-RECORD)."
        ),
        format!(
            "A link or tag puts `{id}` under `{stray}`, and its record does not say so: every question about it is refused (INV-RECORD)."
        ),
    );
    let todo = said(
        "Xoá liên kết g2 đó, hoặc sửa hồ sơ của bộ dữ liệu trong danh mục.",
        "Remove that g2 link, or correct the dataset's record in the catalog.",
    );
    let severity = if survey.context.imagined { Severity::Note } else { Severity::Error };
    Some(Finding::new(FindingCode::RecordConflict, severity, text, todo))
}

fn class_count(id: &DatasetId, dataset: &KnownDataset) -> Option<Finding> {
    let persons = dataset.persons?;
    let (important, core) = match dataset.facts.personal {
        Personal::None => return None,
        Personal::Basic => (100_000, 1_000_000),
        Personal::Sensitive => (10_000, 100_000),
    };
    let (least, vi, en) = if persons >= core {
        (DataClass::Core, "cốt lõi", "core")
    } else if persons >= important {
        (DataClass::Important, "quan trọng", "important")
    } else {
        return None;
    };
    if dataset.facts.data_class >= least {
        return None;
    }
    let text = said(
        format!(
            "`{id}` có dữ liệu cá nhân của {persons} người, nên là dữ liệu {vi} (Quyết định 20/2025/QĐ-TTg); hồ sơ ghi mức thấp hơn."
        ),
        format!(
            "`{id}` holds personal data of {persons} persons, which makes it {en} data (Decision 20/2025/QD-TTg); its record says less."
        ),
    );
    let todo = said(
        format!("Phân loại lại bộ dữ liệu là {vi}, hoặc ghi quyết định cho phép khác."),
        format!("Classify the dataset as {en}, or put on record the decision that says otherwise."),
    );
    Some(Finding::new(FindingCode::ClassCount, Severity::Error, text, todo))
}

/// Grants of the law or a national authority by which content may go.
fn readers<'a>(survey: &Survey<'a>) -> Vec<&'a Rule> {
    let national = |rule: &&Rule| rule.tier <= Tier::National && rule.effect == RuleEffect::Allow;
    let live = survey.grants.iter().filter(|seen| seen.live.is_some()).map(|seen| seen.rule);
    live.filter(national).filter(|rule| moves_content(rule)).collect()
}

/// The agency that answers for data held elsewhere may always read it back (Decree 194/2025/ND-CP, Art. 16(1)(a)).
fn no_read_back(
    survey: &Survey<'_>,
    readers: &[&Rule],
    id: &DatasetId,
    dataset: &KnownDataset,
) -> Option<Finding> {
    let (owner, class) = (&dataset.facts.owner, dataset.facts.class);
    let fits = |pattern: &Pattern, name: &str, names: &Names| {
        *pattern == Pattern::Any || names.stands_under(name, pattern.written())
    };
    if !survey.may_compare(readers.len()) {
        return None;
    }
    let readable = readers.iter().any(|rule| {
        fits(&rule.subject, owner.as_str(), &survey.names)
            && fits(&rule.object, id.as_str(), &survey.names)
            && (rule.class_from..=rule.class_to).contains(&class)
    });
    if readable {
        return None;
    }
    let text = said(
        format!(
            "`{owner}` chịu trách nhiệm về `{id}` nhưng không có quy tắc tầng 00 hoặc 10 nào cho phép họ đọc lại (Nghị định 194/2025/NĐ-CP, Điều 16 khoản 1 điểm a)."
        ),
        format!(
            "`{owner}` answers for `{id}`, and no rule of tier 00 or 10 lets it read the data back (Decree 194/2025/ND-CP, Art. 16(1)(a))."
        ),
    );
    let todo = said(
        format!("Thêm quy tắc tầng 10 cho phép `{owner}` truy vấn `{id}`."),
        format!("Add a rule of tier 10 that lets `{owner}` query `{id}`."),
    );
    Some(Finding::new(FindingCode::NoReadBack, Severity::Warning, text, todo))
}
