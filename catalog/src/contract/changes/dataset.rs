//! Changes of the dataset as a whole: who it is for, how current it is, what it is called.

use std::collections::BTreeSet;

use super::columns::{dataset_classification, personal};
use super::{Changes, Effect, listed, shown};
use crate::{DatasetRecord, Frequency, Measure, Rule, Severity, SharingKind, Status, Text, TimeUnit};

use Effect::{Breaking, Compatible, Editorial};

pub(super) fn compare(changes: &mut Changes, old: &DatasetRecord, new: &DatasetRecord) {
    if old.id != new.id {
        let (from, to) = (shown(old.id.as_str()), shown(new.id.as_str()));
        let said = Text::new(
            format!("đây là bộ dữ liệu khác: {from} và {to}"),
            format!("these are two datasets: {from} and {to}"),
        );
        changes.add("another-dataset", None, Breaking, said);
    }
    if old.status == Status::Published && new.status == Status::Withdrawn {
        let said = Text::new("bộ dữ liệu không còn được cung cấp", "the dataset is no longer offered");
        changes.add("withdrawn", None, Breaking, said);
    }
    dataset_classification(changes, old.classification, new.classification);
    personal(changes, None, old.personal, new.personal);
    governance(changes, old, new);
    aggregates(changes, old, new);
    level(changes, ("frequency-slower", "frequency-faster"), old.frequency, new.frequency);
    latency(changes, old, new);
    rules(changes, None, &old.quality, &new.quality);
    words(changes, old, new);
}

fn governance(changes: &mut Changes, old: &DatasetRecord, new: &DatasetRecord) {
    let strictness = |kind| match kind {
        SharingKind::Open => 0,
        SharingKind::Default => 1,
        SharingKind::Special => 2,
        SharingKind::Secret => 3,
    };
    if old.kind != new.kind {
        let stricter = strictness(new.kind) > strictness(old.kind);
        let (effect, vi, en) = if stricter {
            (Breaking, "hẹp hơn", "less widely")
        } else {
            (Compatible, "rộng hơn", "more widely")
        };
        let said = Text::new(format!("dữ liệu được chia sẻ {vi}"), format!("the data is shared {en}"));
        changes.add_for_review("sharing-changed", None, effect, said);
    }
    if old.data_class != new.data_class {
        let effect = if new.data_class > old.data_class { Breaking } else { Compatible };
        let said = Text::new(
            "loại dữ liệu (quan trọng, cốt lõi) thay đổi",
            "the class of the data (important, core) changed",
        );
        changes.add_for_review("data-class-changed", None, effect, said);
    }
    if old.publisher != new.publisher {
        let said = Text::new("cơ quan chịu trách nhiệm thay đổi", "another agency answers for the data");
        changes.add_for_review("publisher-changed", None, Breaking, said);
    }
    if old.licence != new.licence {
        let said = Text::new("giấy phép sử dụng thay đổi", "the licence changed");
        changes.add_for_review("licence-changed", None, Breaking, said);
    }
    if old.collections != new.collections || old.tags != new.tags {
        let said = Text::new(
            "nhóm dữ liệu hoặc nhãn mà quy tắc dùng đến thay đổi",
            "collections or tags that rules may name changed",
        );
        changes.add_for_review("rule-names-changed", None, Compatible, said);
    }
    match (old.receipt_first, new.receipt_first) {
        (false, true) => changes.add(
            "receipt-first",
            None,
            Breaking,
            Text::new(
                "bên nhận nay phải ký nhận trước khi đọc được",
                "rows now have to be acknowledged before they can be read",
            ),
        ),
        (true, false) => changes.add_for_review(
            "receipt-first",
            None,
            Compatible,
            Text::new(
                "bên nhận không còn phải ký nhận trước khi đọc",
                "rows no longer have to be acknowledged before they can be read",
            ),
        ),
        _ => {}
    }
}

fn aggregates(changes: &mut Changes, old: &DatasetRecord, new: &DatasetRecord) {
    if old.subject != new.subject {
        let said = Text::new(
            "cách đếm người hoặc trường hợp trong số liệu tổng hợp thay đổi",
            "what counts as one person or case in aggregates changed",
        );
        changes.add_for_review("subject-changed", None, Breaking, said);
    }
    let set = |record: &DatasetRecord| record.group_by.iter().cloned().collect::<BTreeSet<String>>();
    let (before, after) = (set(old), set(new));
    let gone = listed(before.difference(&after).map(String::as_str));
    if !gone.is_empty() {
        let said = Text::new(
            format!("không còn được nhóm theo {gone}"),
            format!("aggregates can no longer be grouped by {gone}"),
        );
        changes.add("group-by-removed", None, Breaking, said);
    }
    let come = listed(after.difference(&before).map(String::as_str));
    if !come.is_empty() {
        let said = Text::new(
            format!("nay được nhóm theo {come}"),
            format!("aggregates can now be grouped by {come}"),
        );
        changes.add_for_review("group-by-added", None, Compatible, said);
    }
}

/// Hours, roughly: only which of two is longer matters.
fn hours(span: Frequency) -> u64 {
    let unit = match span.unit {
        TimeUnit::Hour => 1,
        TimeUnit::Day => 24,
        TimeUnit::Week => 168,
        TimeUnit::Month => 730,
        TimeUnit::Year => 8766,
    };
    u64::from(span.every) * unit
}

fn level(
    changes: &mut Changes,
    codes: (&'static str, &'static str),
    old: Option<Frequency>,
    new: Option<Frequency>,
) {
    // No promise is the longest wait.
    let wait = |span: Option<Frequency>| span.map_or(u64::MAX, hours);
    match wait(new).cmp(&wait(old)) {
        std::cmp::Ordering::Greater => changes.add(
            codes.0,
            None,
            Breaking,
            Text::new(
                "dữ liệu được cập nhật chậm hơn đã hứa trước đây",
                "the data may be older than was promised before",
            ),
        ),
        std::cmp::Ordering::Less => changes.add(
            codes.1,
            None,
            Compatible,
            Text::new("dữ liệu được hứa cập nhật nhanh hơn", "the data is promised to be more current"),
        ),
        std::cmp::Ordering::Equal => {}
    }
}

fn latency(changes: &mut Changes, old: &DatasetRecord, new: &DatasetRecord) {
    let span = |record: &DatasetRecord| record.latency.as_ref().map(|latency| latency.within);
    level(changes, ("latency-slower", "latency-faster"), span(old), span(new));
}

/// Rules that went (a changed one went, and another came) and came.
pub(super) fn rules(changes: &mut Changes, at: Option<&str>, old: &[Rule], new: &[Rule]) {
    for rule in old.iter().filter(|rule| !new.contains(rule)) {
        let name = shown(&title(rule));
        // A rule that was only worth a warning was no promise.
        let effect = if rule.severity == Severity::Error { Breaking } else { Compatible };
        let said = Text::new(
            format!("quy tắc chất lượng {name} bị bỏ hoặc sửa"),
            format!("the quality rule {name} was dropped or changed"),
        );
        changes.add("quality-rule-dropped", at, effect, said);
    }
    for rule in new.iter().filter(|rule| !old.contains(rule)) {
        let name = shown(&title(rule));
        let said = Text::new(
            format!("thêm quy tắc chất lượng {name}"),
            format!("the quality rule {name} was added"),
        );
        changes.add("quality-rule-added", at, Compatible, said);
    }
}

fn title(rule: &Rule) -> String {
    match (&rule.name, &rule.measure) {
        (Some(name), _) => name.clone(),
        (None, Measure::Sql { .. }) => "sql".to_owned(),
        (None, Measure::Library { metric, .. }) => metric.as_str().to_owned(),
    }
}

fn words(changes: &mut Changes, old: &DatasetRecord, new: &DatasetRecord) {
    let same = [
        (old.title == new.title, "tên", "title"),
        (old.description == new.description, "mô tả", "description"),
        (old.keywords == new.keywords, "từ khoá", "keywords"),
        (old.theme == new.theme, "chủ đề", "theme"),
        (old.purposes == new.purposes, "mục đích", "purposes"),
        (old.dpia == new.dpia, "số đánh giá tác động", "impact assessment's reference"),
        (old.append_by == new.append_by, "cột mà dữ liệu chỉ thêm dòng theo", "column that it only grows by"),
        (old.source == new.source, "nơi lưu ở cơ quan cung cấp", "place at the provider"),
    ];
    for (_, vi, en) in same.iter().filter(|(same, ..)| !same) {
        let said = Text::new(format!("{vi} được sửa"), format!("the {en} was edited"));
        changes.add("words-changed", None, Editorial, said);
    }
}
