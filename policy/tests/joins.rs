//! The table of `docs/rules.md` by which obligations combine, row by row, each pair in both orders.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

use policy::Obligations;

fn read(json: &str) -> Obligations {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"))
}

/// Both orders give the third, and the third is at least as strict as either.
fn joins(a: &str, b: &str, both: &str) {
    let (a, b, both) = (read(a), read(b), read(both));
    assert_eq!(a.join(&b), both);
    assert_eq!(b.join(&a), both);
    assert!(both.at_least(&a) && both.at_least(&b));
    assert_eq!(a.at_least(&b), a == both, "{a:?} is at least {b:?} only if nothing is added");
}

#[test]
fn what_limits_by_number_takes_the_smaller() {
    joins(r#"{"max_rows": 5}"#, r#"{"max_rows": 7}"#, r#"{"max_rows": 5}"#);
    joins(r#"{"max_rows": 5}"#, "{}", r#"{"max_rows": 5}"#);
    joins(r#"{"rate_per_min": 2}"#, r#"{"rate_per_min": 60}"#, r#"{"rate_per_min": 2}"#);
    joins(r#"{"retention_days": 30}"#, r#"{"retention_days": 365}"#, r#"{"retention_days": 30}"#);
    joins(
        r#"{"quota": {"rows_per_day": 9, "requests_per_month": 4}}"#,
        r#"{"quota": {"rows_per_day": 3, "bytes_per_day": 1000}}"#,
        r#"{"quota": {"rows_per_day": 3, "requests_per_month": 4, "bytes_per_day": 1000}}"#,
    );
}

#[test]
fn what_holds_back_takes_the_longer_or_higher() {
    joins(r#"{"delay_hours": {"t": 24}}"#, r#"{"delay_hours": {"t": 48}}"#, r#"{"delay_hours": {"t": 48}}"#);
    joins(
        r#"{"delay_hours": {"t": 24}}"#,
        r#"{"delay_hours": {"u": 1}}"#,
        r#"{"delay_hours": {"t": 24, "u": 1}}"#,
    );
    joins(r#"{"encrypt": 1}"#, r#"{"encrypt": 2}"#, r#"{"encrypt": 2}"#);
    joins(r#"{"audit": 3}"#, r#"{"audit": 2}"#, r#"{"audit": 3}"#);
}

#[test]
fn what_either_says_holds() {
    joins(r#"{"watermark": true}"#, "{}", r#"{"watermark": true}"#);
    joins(r#"{"no_onward": true}"#, r#"{"watermark": true}"#, r#"{"no_onward": true, "watermark": true}"#);
    joins(r#"{"notify": ["a"]}"#, r#"{"notify": ["b"]}"#, r#"{"notify": ["a", "b"]}"#);
    joins(r#"{"approval": ["dpo"]}"#, r#"{"approval": ["head"]}"#, r#"{"approval": ["dpo", "head"]}"#);
    joins(
        r#"{"row_filter": ["a >= 1"]}"#,
        r#"{"row_filter": ["b = 2"]}"#,
        r#"{"row_filter": ["a >= 1", "b = 2"]}"#,
    );
}

#[test]
fn columns_are_those_of_both() {
    joins(r#"{"columns": ["a", "b"]}"#, r#"{"columns": ["b", "c"]}"#, r#"{"columns": ["b"]}"#);
    joins(r#"{"columns": ["a"]}"#, "{}", r#"{"columns": ["a"]}"#);
    let none = read(r#"{"columns": ["a"]}"#).join(&read(r#"{"columns": ["b"]}"#));
    assert!(!none.deliverable(), "nothing left is a refusal");
}

#[test]
fn aggregates_take_the_larger_group_and_the_common_columns() {
    joins(
        r#"{"aggregate": {"k": 5, "group_by": ["ward", "month"], "subject": [{"key": "id"}]}}"#,
        r#"{"aggregate": {"k": 10, "group_by": ["month", "year"]}}"#,
        r#"{"aggregate": {"k": 10, "group_by": ["month"], "subject": [{"key": "id"}]}}"#,
    );
    joins(r#"{"aggregate": {"k": 5}}"#, "{}", r#"{"aggregate": {"k": 5}}"#);
}

#[test]
fn disclosure_control_takes_the_stricter_of_each() {
    joins(
        r#"{"aggregate": {"k": 5, "dominance": {"1": 80, "2": 90}, "p_percent": 10, "round": 5}}"#,
        r#"{"aggregate": {"k": 6, "dominance": {"1": 75}, "p_percent": 20, "noise": {"counts": 2}, "round": 3}}"#,
        r#"{"aggregate": {"k": 6, "dominance": {"1": 75, "2": 90}, "p_percent": 20, "noise": {"counts": 2}, "round": 5}}"#,
    );
    joins(
        r#"{"aggregate": {"k": 5, "noise": {"counts": 3}}}"#,
        r#"{"aggregate": {"k": 9, "noise": {"counts": 1, "sums_percent": 5}}}"#,
        r#"{"aggregate": {"k": 9, "noise": {"counts": 3, "sums_percent": 5}}}"#,
    );
    let privacy = |json: &str| format!(r#"{{"aggregate": {{"k": 5}}, "differential_privacy": {json}}}"#);
    joins(
        &privacy(r#"{"epsilon": 0.5, "budget": {"month": 4}, "bounds": {"n": [0, 50]}}"#),
        &privacy(
            r#"{"epsilon": 1, "budget": {"month": 2, "day": 1}, "bounds": {"n": [-5, 20], "m": [0, 1]}}"#,
        ),
        &privacy(r#"{"epsilon": 0.5, "budget": {"month": 2, "day": 1}, "bounds": {"n": [0, 20]}}"#),
    );
}

/// Masks as the table orders them, the weakest first; bare words where they exist.
const CHAIN: [&str; 7] = [
    r#"{"partial": {"first": 4}}"#,
    r#"{"truncate": 3}"#,
    r#"{"generalize": "month"}"#,
    r#""hash""#,
    r#"{"constant": "x"}"#,
    r#""null""#,
    r#""drop""#,
];

#[test]
fn of_two_kinds_of_mask_the_stronger_wins() {
    let mask = |mask: &str| format!(r#"{{"mask": {{"c": {mask}}}}}"#);
    for (at, weak) in CHAIN.iter().enumerate() {
        for strong in &CHAIN[at..] {
            joins(&mask(weak), &mask(strong), &mask(strong));
        }
    }
    // Masks of two columns do not meet.
    joins(
        r#"{"mask": {"a": "null"}}"#,
        r#"{"mask": {"b": "hash"}}"#,
        r#"{"mask": {"a": "null", "b": "hash"}}"#,
    );
}

#[test]
fn of_one_kind_of_mask_both_hide() {
    let mask = |a: &str, b: &str, both: &str| {
        let of = |mask: &str| format!(r#"{{"mask": {{"c": {mask}}}}}"#);
        joins(&of(a), &of(b), &of(both));
    };
    mask(
        r#"{"partial": {"first": 2, "last": 1}}"#,
        r#"{"partial": {"first": 1, "last": 4}}"#,
        r#"{"partial": {"first": 1, "last": 1}}"#,
    );
    mask(r#"{"partial": {"first": 2, "last": 4}}"#, r#"{"truncate": 5}"#, r#"{"truncate": 2}"#);
    mask(r#"{"truncate": 5}"#, r#"{"truncate": 3}"#, r#"{"truncate": 3}"#);
    mask(r#"{"constant": "a"}"#, r#"{"constant": "b"}"#, r#""null""#);
    let coarser = |a: &str, b: &str, both: &str| {
        let of = |to: &str| format!(r#"{{"generalize": {to}}}"#);
        mask(&of(a), &of(b), &of(both));
    };
    coarser(r#""day""#, r#""month""#, r#""month""#);
    coarser(r#""month""#, r#""year""#, r#""year""#);
    coarser(r#"{"bucket": 10}"#, r#"{"bucket": 15}"#, r#"{"bucket": 30}"#);
    coarser(r#"{"decimals": 3}"#, r#"{"decimals": 2}"#, r#"{"decimals": 2}"#);
    coarser(r#"{"bucket": 10}"#, r#"{"decimals": 2}"#, r#"{"bucket": 10}"#);
    coarser(r#"{"place": 2}"#, r#"{"place": 1}"#, r#"{"place": 1}"#);
    coarser(r#"{"place": 2}"#, r#""year""#, r#""coarsest""#);
    coarser(r#"{"bucket": 10}"#, r#""year""#, r#""coarsest""#);
}
