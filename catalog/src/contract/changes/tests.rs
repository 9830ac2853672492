//! Each change by itself: what it is called, what it means, and that the way back is told as well.

use super::*;
use crate::{
    Arguments, Classification, Column, ColumnKind, DataClass, Expect, Format, Frequency, Latency, Measure,
    Metric, Personal, Rule, RuleUnit, Severity, SharingKind, Source, Status, Subject, TimeUnit,
};

use Effect::{Breaking, Compatible, Editorial};

fn rule(severity: Severity) -> Rule {
    let measure =
        Measure::Library { metric: Metric::RowCount, unit: RuleUnit::Rows, arguments: Arguments::default() };
    Rule { name: None, severity, measure, expect: Expect::MustBeGreaterThan(0.into()) }
}

fn record() -> DatasetRecord {
    let columns = vec![
        Column::new("id", ColumnKind::Integer, false),
        Column::new("ward", ColumnKind::String, true),
        Column::new("pm25", ColumnKind::Number, true),
        Column::new("day", ColumnKind::Date, false),
    ];
    let source = Source { path: "a.csv".to_owned(), format: Format::Csv, delimiter: None };
    let mut record = DatasetRecord::draft("air".parse().unwrap(), "urn:agency:a", source, columns, 0);
    record.status = Status::Published;
    record.kind = SharingKind::Default;
    record.classification = Classification::try_from(3).unwrap();
    record.columns[0].promises.primary_key = true;
    record.columns[0].promises.id = Some("c0".to_owned());
    record.columns[1].promises.codes = vec!["01".to_owned(), "02".to_owned()];
    record.columns[2].promises.unit = Some("ug/m3".to_owned());
    record.columns[2].promises.minimum = Some(0.into());
    record.columns[2].classification = Some(Classification::try_from(1).unwrap());
    record.group_by = vec!["ward".to_owned()];
    record.frequency = Some(Frequency { every: 1, unit: TimeUnit::Day });
    record.check().unwrap();
    record
}

type Edit = fn(&mut DatasetRecord);

/// An edit, what it is called and means, and what undoing it is called and means.
const EDITS: &[(Edit, &str, Effect, &str, Effect)] = &[
    (
        |r| r.columns.push(Column::new("new", ColumnKind::String, true)),
        "column-added-optional",
        Compatible,
        "column-removed",
        Breaking,
    ),
    (
        |r| r.columns.push(Column::new("new", ColumnKind::String, false)),
        "column-added-required",
        Breaking,
        "column-removed",
        Breaking,
    ),
    (|r| r.columns[0].name = "ma".to_owned(), "column-renamed", Breaking, "column-renamed", Breaking),
    (|r| r.columns[0].kind = ColumnKind::Number, "type-widened", Breaking, "type-narrowed", Breaking),
    (|r| r.columns[3].kind = ColumnKind::Timestamp, "type-widened", Breaking, "type-narrowed", Breaking),
    (|r| r.columns[3].kind = ColumnKind::Boolean, "type-changed", Breaking, "type-changed", Breaking),
    (|r| r.columns[1].nullable = false, "column-required", Compatible, "column-optional", Breaking),
    (
        |r| r.columns[1].promises.codes.push("03".to_owned()),
        "codes-widened",
        Compatible,
        "codes-narrowed",
        Breaking,
    ),
    (|r| r.columns[1].promises.codes.clear(), "codes-dropped", Breaking, "codes-narrowed", Breaking),
    (
        |r| r.columns[2].promises.unit = Some("mg/m3".to_owned()),
        "unit-changed",
        Breaking,
        "unit-changed",
        Breaking,
    ),
    (|r| r.columns[2].promises.unit = None, "unit-changed", Breaking, "unit-said", Compatible),
    (
        |r| r.columns[2].promises.maximum = Some(1000.into()),
        "bounds-tightened",
        Compatible,
        "bounds-loosened",
        Breaking,
    ),
    (
        |r| r.columns[1].promises.pattern = Some("^0".to_owned()),
        "bounds-tightened",
        Compatible,
        "bounds-loosened",
        Breaking,
    ),
    (
        |r| r.columns[1].promises.max_length = Some(2),
        "bounds-tightened",
        Compatible,
        "bounds-loosened",
        Breaking,
    ),
    (|r| r.columns[3].promises.unique = true, "unique-promised", Compatible, "unique-dropped", Breaking),
    (|r| r.columns[3].promises.primary_key = true, "key-changed", Breaking, "key-changed", Breaking),
    (|r| r.columns[0].promises.primary_key = false, "key-changed", Breaking, "key-added", Compatible),
    (
        |r| r.columns[2].classification = Some(Classification::try_from(2).unwrap()),
        "classification-raised",
        Breaking,
        "classification-lowered",
        Compatible,
    ),
    (
        |r| r.columns[2].classification = None,
        "classification-raised",
        Breaking,
        "classification-lowered",
        Compatible,
    ),
    (
        |r| r.classification = Classification::try_from(4).unwrap(),
        "classification-raised",
        Breaking,
        "classification-lowered",
        Compatible,
    ),
    (
        |r| r.columns[1].personal = Personal::Basic,
        "personal-changed",
        Breaking,
        "personal-changed",
        Compatible,
    ),
    (|r| r.personal = Personal::Basic, "personal-changed", Breaking, "personal-changed", Compatible),
    (|r| r.kind = SharingKind::Special, "sharing-changed", Breaking, "sharing-changed", Compatible),
    (|r| r.data_class = DataClass::Core, "data-class-changed", Breaking, "data-class-changed", Compatible),
    (
        |r| r.publisher = "urn:agency:b".to_owned(),
        "publisher-changed",
        Breaking,
        "publisher-changed",
        Breaking,
    ),
    (|r| r.licence = Some("CC-BY-4.0".to_owned()), "licence-changed", Breaking, "licence-changed", Breaking),
    (|r| r.tags = vec!["x".to_owned()], "rule-names-changed", Compatible, "rule-names-changed", Compatible),
    (|r| r.receipt_first = true, "receipt-first", Breaking, "receipt-first", Compatible),
    (
        |r| r.subject = Some(Subject::Key("id".to_owned())),
        "subject-changed",
        Breaking,
        "subject-changed",
        Breaking,
    ),
    (|r| r.group_by.clear(), "group-by-removed", Breaking, "group-by-added", Compatible),
    (
        |r| r.frequency = Some(Frequency { every: 1, unit: TimeUnit::Week }),
        "frequency-slower",
        Breaking,
        "frequency-faster",
        Compatible,
    ),
    (
        |r| {
            let within = Frequency { every: 2, unit: TimeUnit::Day };
            r.latency = Some(Latency { column: "day".to_owned(), within });
        },
        "latency-faster",
        Compatible,
        "latency-slower",
        Breaking,
    ),
    (
        |r| r.quality.push(rule(Severity::Error)),
        "quality-rule-added",
        Compatible,
        "quality-rule-dropped",
        Breaking,
    ),
    (
        |r| r.columns[2].promises.quality.push(rule(Severity::Warning)),
        "quality-rule-added",
        Compatible,
        "quality-rule-dropped",
        Compatible,
    ),
    (|r| r.columns.swap(1, 2), "columns-reordered", Compatible, "columns-reordered", Compatible),
    (|r| r.title.en = "Air".to_owned(), "words-changed", Editorial, "words-changed", Editorial),
    (
        |r| r.columns[1].description.vi = "Phường".to_owned(),
        "description-changed",
        Editorial,
        "description-changed",
        Editorial,
    ),
    (|r| r.source.path = "b.csv".to_owned(), "words-changed", Editorial, "words-changed", Editorial),
];

#[test]
fn each_change_is_named_alone_with_its_meaning_there_and_back() {
    for (i, (edit, code, effect, back_code, back_effect)) in EDITS.iter().enumerate() {
        let mut edited = record();
        edit(&mut edited);
        for (old, new, code, effect) in
            [(&record(), &edited, code, effect), (&edited, &record(), back_code, back_effect)]
        {
            let changes = compare(old, new);
            let [change] = changes.list.as_slice() else { panic!("case {i}: {changes:#?}") };
            assert_eq!((&change.code, &change.effect), (code, effect), "case {i}: {change:?}");
            assert!(
                !change.said.vi.is_empty() && !change.said.en.is_empty() && change.said.vi != change.said.en
            );
            let advice = match effect {
                Breaking => Advice::Major,
                Compatible => Advice::Minor,
                Editorial => Advice::Patch,
            };
            assert_eq!(changes.advice(), advice);
        }
    }
}

#[test]
fn what_opens_or_closes_data_is_to_be_looked_at() {
    let review = |edit: Edit| {
        let mut edited = record();
        edit(&mut edited);
        compare(&record(), &edited).review()
    };
    assert!(review(|r| r.columns[2].classification = Some(Classification::OPEN)));
    assert!(review(|r| r.columns[1].personal = Personal::Basic));
    assert!(review(|r| r.kind = SharingKind::Open));
    let personal: Edit = |r| {
        let mut column = Column::new("name", ColumnKind::String, true);
        column.personal = Personal::Basic;
        r.columns.push(column);
    };
    assert!(review(personal));
    assert!(!review(|r| r.columns.push(Column::new("x", ColumnKind::String, true))));
    assert!(!review(|r| r.columns[1].nullable = false));
}

#[test]
fn a_contract_is_the_same_as_itself_whenever_it_was_read() {
    let mut again = record();
    (again.version, again.modified, again.contract_digest) = (9, 5, Some("0".repeat(64)));
    let changes = compare(&record(), &again);
    assert_eq!((changes.advice(), changes.list), (Advice::Same, Vec::new()));
}

#[test]
fn a_renamed_column_is_known_by_its_id_and_never_by_likeness() {
    let codes = |changes: Changes| changes.list.iter().map(|c| c.code).collect::<Vec<_>>();
    let mut renamed = record();
    renamed.columns[1].name = "phuong".to_owned();
    renamed.group_by.clear();
    let mut old = record();
    old.group_by.clear();
    assert_eq!(codes(compare(&old, &renamed)), ["column-removed", "column-added-optional"]);
    // A name that another column took: the ids tell.
    let mut swapped = record();
    (swapped.columns[0].name, swapped.columns[3].name) = ("day".to_owned(), "id".to_owned());
    let changes = compare(&record(), &swapped);
    let first: Vec<_> = changes.list.iter().map(|c| (c.code, c.column.as_deref())).collect();
    assert_eq!(
        first,
        [
            ("column-renamed", Some("day")),
            ("column-removed", Some("day")),
            ("column-added-required", Some("id"))
        ]
    );
    let mut other = record();
    other.columns[0].promises.id = Some("c9".to_owned());
    assert_eq!(codes(compare(&record(), &other)), ["column-removed", "column-added-required", "key-changed"]);
}

#[test]
fn long_lists_and_names_are_cut() {
    let mut long = record();
    long.columns[1].promises.codes.extend((10..5000).map(|n| format!("{n}{}", "x".repeat(90))));
    let said = compare(&record(), &long).list[0].said.en.clone();
    assert!(said.len() < 1000 && said.ends_with("… (+4980)"), "{said}");
}

#[test]
fn the_advice_counts_up_one_part_and_begins_the_smaller_ones_anew() {
    let next = |advice: Advice| advice.next([2, 3, 4]);
    assert_eq!(
        [next(Advice::Same), next(Advice::Patch), next(Advice::Minor), next(Advice::Major)],
        [[2, 3, 4], [2, 3, 5], [2, 4, 0], [3, 0, 0]]
    );
}
