//! Obligations form a semilattice: order, repetition and grouping of rules change nothing, and more can only tighten.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};

use policy::{
    Aggregate, Bounds, Column, CountedBy, DifferentialPrivacy, Epsilon, Generalization, GroupSize, Largest,
    Level, Linkage, Mask, Measure, Obligations, Op, PPercent, Period, Predicate, Quota, RoundBase, Share,
};
use policy::{RoleName, Shown, Value};
use proptest::collection::{btree_map, btree_set};
use proptest::option::of;
use proptest::prelude::*;

fn column() -> impl Strategy<Value = Column> {
    prop_oneof!["a", "b", "c", "Năm báo cáo"].prop_map(|name| Column::new(&name).unwrap())
}

fn mask() -> impl Strategy<Value = Mask> {
    let coarser = prop_oneof![
        Just(Generalization::Day),
        Just(Generalization::Month),
        Just(Generalization::Year),
        Just(Generalization::Coarsest),
        (1u64..40).prop_map(|n| Generalization::Bucket(NonZeroU64::new(n).unwrap())),
        (1u8..4).prop_map(Generalization::Decimals),
        (1u8..4).prop_map(Generalization::Place),
        (u64::MAX - 9..u64::MAX).prop_map(|n| Generalization::Bucket(NonZeroU64::new(n).unwrap())),
    ];
    prop_oneof![
        (0u8..4, 0u8..4).prop_map(|(first, last)| Mask::Partial(Shown { first, last })),
        (0u8..4).prop_map(Mask::Truncate),
        coarser.prop_map(Mask::Generalize),
        Just(Mask::Hash),
        (0..3_u8).prop_map(|n| Mask::Linkage(Linkage::new("a", &format!("{n:032x}")).unwrap())),
        "[ab]".prop_map(Mask::Constant),
        Just(Mask::Null),
        Just(Mask::Drop),
    ]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    (column(), 0i64..3)
        .prop_map(|(column, n)| Predicate::new(column, Op::Ge, vec![Value::Integer(n)]).unwrap())
}

/// A value that reads from its JSON form: of kinds that check what they hold.
fn from_json<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn aggregate() -> impl Strategy<Value = Aggregate> {
    let subject = prop_oneof![column().prop_map(CountedBy::Key), column().prop_map(CountedBy::Count)];
    let dominance = btree_map(
        (1u64..4).prop_map(|n| Largest::try_from(n).unwrap()),
        (60u64..64).prop_map(|n| Share::try_from(n).unwrap()),
        0..3,
    );
    let p_percent = of((1u64..5).prop_map(|p| PPercent::try_from(p).unwrap()));
    let noise = of((0u8..2, 1u8..4)
        .prop_map(|(counts, sums)| from_json(serde_json::json!({"counts": counts, "sums_percent": sums}))));
    let round = of(prop_oneof![Just(RoundBase::Three), Just(RoundBase::Five), Just(RoundBase::Ten)]);
    let groups = (2u32..9, of(btree_set(column(), 0..3)), btree_set(subject, 0..2));
    (groups, dominance, p_percent, noise, round).prop_map(
        |((k, group_by, subject), dominance, p_percent, noise, round)| {
            let k = GroupSize::try_from(k).unwrap();
            Aggregate { k, group_by, subject, dominance, p_percent, noise, round }
        },
    )
}

fn privacy() -> impl Strategy<Value = Box<DifferentialPrivacy>> {
    let period = prop_oneof![Just(Period::Day), Just(Period::Month), Just(Period::Year)];
    let epsilon = || (1u32..5).prop_map(|n| Epsilon::try_from(f64::from(n) / 10.0).unwrap());
    let bounds = (0i64..3, 2i64..5).prop_map(Bounds::from);
    (epsilon(), btree_map(period, epsilon(), 1..3), btree_map(column(), bounds, 0..3))
        .prop_map(|(epsilon, budget, bounds)| Box::new(DifferentialPrivacy { epsilon, budget, bounds }))
}

fn roles() -> impl Strategy<Value = BTreeSet<RoleName>> {
    btree_set("[a-c]".prop_map(|name| RoleName::try_from(name).unwrap()), 0..3)
}

fn quota() -> impl Strategy<Value = Quota> {
    let limits = (0usize..6, 1u64..9).prop_map(|(at, n)| (Measure::ALL[at], NonZeroU64::new(n).unwrap()));
    proptest::collection::vec(limits, 0..4).prop_map(|limits| Quota::new(limits.into_iter().collect()))
}

fn delays() -> impl Strategy<Value = BTreeMap<Column, NonZeroU32>> {
    btree_map(column(), (1u32..99).prop_map(|hours| NonZeroU32::new(hours).unwrap()), 0..3)
}

fn obligations() -> impl Strategy<Value = Obligations> {
    let views =
        (of(btree_set(column(), 0..4)), btree_map(column(), mask(), 0..4), btree_set(predicate(), 0..3));
    let limits = ((of(aggregate()), of(privacy())), of(1u64..9), of(1u32..9), of(1u32..9), quota(), delays());
    let rest = (any::<bool>(), any::<bool>(), roles(), roles(), 0u8..4, 0u8..4);
    (views, limits, rest).prop_map(
        |(
            (columns, mask, row_filter),
            ((aggregate, differential_privacy), rows, rate, days, quota, delay_hours),
            rest,
        )| {
            let (watermark, no_onward, notify, approval, encrypt, audit) = rest;
            Obligations {
                columns,
                mask,
                row_filter,
                aggregate,
                differential_privacy,
                max_rows: rows.and_then(NonZeroU64::new),
                rate_per_min: rate.and_then(NonZeroU32::new),
                quota,
                delay_hours,
                retention_days: days.and_then(NonZeroU32::new),
                watermark,
                no_onward,
                notify,
                approval,
                encrypt: Level::try_from(encrypt).unwrap(),
                audit: Level::try_from(audit).unwrap(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn masks_join_in_any_order(a in mask(), b in mask(), c in mask()) {
        prop_assert_eq!(a.join(&b), b.join(&a));
        prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
        prop_assert_eq!(a.join(&a), a.clone());
        prop_assert_eq!(a.join(&a.join(&b)), a.join(&b));
    }

    #[test]
    fn obligations_join_in_any_order(a in obligations(), b in obligations(), c in obligations()) {
        prop_assert_eq!(a.join(&b), b.join(&a));
        prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
        prop_assert_eq!(&a.join(&a), &a);
        prop_assert_eq!(&a.join(&Obligations::default()), &a);
    }

    #[test]
    fn more_obligations_only_tighten(a in obligations(), b in obligations(), c in obligations()) {
        let both = a.join(&b);
        prop_assert!(both.at_least(&a) && both.at_least(&b));
        // Joining keeps the order: what was at least as strict stays so.
        prop_assert!(both.join(&c).at_least(&a.join(&c)));
        if both.deliverable() {
            prop_assert!(a.deliverable() && b.deliverable());
        }
        prop_assert!(both.max_rows.is_none_or(|rows| a.max_rows.is_none_or(|own| rows <= own)));
        prop_assert!(!a.watermark || both.watermark);
    }

    #[test]
    fn what_is_written_reads_back(a in obligations()) {
        let json = serde_json::to_string(&a).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Obligations>(&json).unwrap(), &a);
        prop_assert_eq!(a.digest().unwrap().to_string().len(), 64);
    }
}

fn read(json: &str) -> Result<Obligations, serde_json::Error> {
    serde_json::from_str(json)
}

#[test]
fn short_forms_mean_their_long_forms() {
    assert_eq!(read(r#"{"aggregate_k": 10}"#).unwrap(), read(r#"{"aggregate": {"k": 10}}"#).unwrap());
    let long = r#"{"row_filter": [{"column": "year", "op": "ge", "value": 2020}]}"#;
    assert_eq!(read(r#"{"row_filter": ["year >= 2020"]}"#).unwrap(), read(long).unwrap());
}

#[test]
fn an_obligation_that_is_not_understood_is_refused() {
    for bad in [
        r#"{"stamp": true}"#,
        r#"{"watermark": 1}"#,
        r#"{"watermark": true, "watermark": false}"#,
        r#"{"mask": {"a": "null", "a": "partial"}}"#,
        r#"{"mask": {"a": "blur"}}"#,
        r#"{"mask": {"": "null"}}"#,
        r#"{"row_filter": ["1 = 1"]}"#,
        r#"{"row_filter": ["year >= 2020 or true"]}"#,
        r#"{"aggregate_k": 1}"#,
        r#"{"aggregate_k": 5, "aggregate": {"k": 5}}"#,
        r#"{"aggregate": {"k": 5, "noise": 1}}"#,
        r#"{"aggregate": {"k": 5, "noise": {}}}"#,
        r#"{"aggregate": {"k": 5, "noise": {"counts": 5}}}"#,
        r#"{"aggregate": {"k": 5, "noise": {"sums_percent": 51}}}"#,
        r#"{"aggregate": {"k": 5, "round": 4}}"#,
        r#"{"aggregate": {"k": 5, "p_percent": 0}}"#,
        r#"{"aggregate": {"k": 5, "dominance": {"0": 80}}}"#,
        r#"{"aggregate": {"k": 5, "dominance": {"1": 100}}}"#,
        r#"{"aggregate": {"k": 5, "dominance": {"1": 80, "1": 90}}}"#,
        r#"{"differential_privacy": {"epsilon": 1}}"#,
        r#"{"differential_privacy": {"epsilon": 1, "budget": {}}}"#,
        r#"{"differential_privacy": {"epsilon": 0, "budget": {"month": 4}}}"#,
        r#"{"differential_privacy": {"epsilon": 0.0005, "budget": {"month": 4}}}"#,
        r#"{"differential_privacy": {"epsilon": 1, "budget": {"hour": 4}}}"#,
        r#"{"aggregate": {}}"#,
        r#"{"max_rows": 0}"#,
        r#"{"max_rows": -1}"#,
        r#"{"max_rows": 1.5}"#,
        r#"{"retention_days": "30"}"#,
        r#"{"quota": {"rows_per_hour": 1}}"#,
        r#"{"quota": {"rows_per_day": 0}}"#,
        r#"{"quota": {"rows_per_day": 1, "rows_per_day": 2}}"#,
        r#"{"delay_hours": {"t": 0}}"#,
        r#"{"delay_hours": 24}"#,
        r#"{"mask": {"a": {"truncate": 65}}}"#,
        r#"{"mask": {"a": {"generalize": {"decimals": 0}}}}"#,
        r#"{"mask": {"a": {"generalize": {"place": 5}}}}"#,
        r#"{"rate_per_min": 4294967296}"#,
        r#"{"encrypt": 4}"#,
        r#"{"notify": ["DPO"]}"#,
        r#"{"notify": [""]}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_delay_of_more_than_ten_years_is_refused() {
    assert!(read(r#"{"delay_hours": {"t": 87600}}"#).is_ok());
    for hours in [87_601, u32::MAX] {
        let error = read(&format!(r#"{{"delay_hours": {{"a": 1, "t": {hours}}}}}"#)).unwrap_err().to_string();
        assert!(error.contains("column `t`") && error.contains("at most 87600"), "{error}");
    }
}

#[test]
fn nothing_left_to_deliver_is_seen() {
    let only_a = read(r#"{"columns": ["a"]}"#).unwrap();
    assert!(only_a.deliverable());
    assert!(!only_a.join(&read(r#"{"columns": ["b"]}"#).unwrap()).deliverable());
    assert!(!only_a.join(&read(r#"{"mask": {"a": "drop"}}"#).unwrap()).deliverable());
    let people = read(r#"{"aggregate": {"k": 5, "subject": [{"key": "citizen_id"}]}}"#).unwrap();
    let cases = read(r#"{"aggregate": {"k": 9, "subject": [{"count": "cases"}]}}"#).unwrap();
    assert!(people.join(&people).deliverable() && !people.join(&cases).deliverable());
    // Laplace noise is for figures without other noise.
    let private =
        r#"{"differential_privacy": {"epsilon": 0.5, "budget": {"month": 4}, "bounds": {"n": [0, 9]}}}"#;
    let private = read(private).unwrap();
    assert!(private.join(&people).deliverable());
    let noisy = read(r#"{"aggregate": {"k": 5, "noise": {"counts": 2}}}"#).unwrap();
    assert!(!private.join(&noisy).deliverable());
    let apart =
        r#"{"differential_privacy": {"epsilon": 0.5, "budget": {"month": 4}, "bounds": {"n": [10, 20]}}}"#;
    assert!(!private.join(&people).join(&read(apart).unwrap()).deliverable(), "no value lies within both");
}

#[test]
fn sizes_are_limited_at_their_edge() {
    let with = |n: usize| {
        let columns: Vec<String> = (0..n).map(|i| format!("c{i}")).collect();
        read(&serde_json::to_string(&BTreeMap::from([("columns", columns)])).unwrap())
    };
    assert!(with(policy::limits::COLUMNS_MAX).is_ok());
    assert!(with(policy::limits::COLUMNS_MAX + 1).unwrap_err().to_string().contains("at most 2048"));
    let filters = |n: usize| {
        let rows: Vec<String> = (0..n).map(|i| format!("year >= {i}")).collect();
        read(&serde_json::to_string(&BTreeMap::from([("row_filter", rows)])).unwrap())
    };
    assert!(
        filters(policy::limits::PREDICATES_MAX).is_ok()
            && filters(policy::limits::PREDICATES_MAX + 1).is_err()
    );
}
