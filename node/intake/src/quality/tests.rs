//! Contracts as YAML, held against rows that keep and break them.

use catalog::{DatasetRecord, contract};

use super::*;
use crate::testing::{Table, shared};
use crate::{Rows, mapping::Mapping};

/// A contract with these columns and rules of the table, in the words of the standard.
fn record(columns: &str, quality: &str) -> DatasetRecord {
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: air\nname: Không khí\nversion: 1.0.0\nstatus: draft\ntenant: urn:agency:a\n\
         customProperties:\n- {{property: classification, value: 1}}\n- {{property: personal, value: none}}\n- {{property: sharing, value: default}}\n\
         servers: [{{server: source, type: local, path: a.csv, format: csv}}]\n\
         schema:\n- name: air\n  properties: {columns}\n  quality: {quality}\n"
    );
    contract::read(&text, 0).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn check(record: &DatasetRecord, rows: &[&[&str]]) -> QualityReport {
    let mut checks = Checks::new(record, &std::env::temp_dir()).unwrap();
    for (i, row) in rows.iter().enumerate() {
        let cells: Vec<Cell> =
            row.iter().map(|cell| (!cell.is_empty()).then(|| (*cell).to_owned())).collect();
        checks.row(&Place::row(i as u64 + 2), &cells).unwrap();
    }
    checks.finish().unwrap()
}

fn result<'r>(report: &'r QualityReport, name: &str) -> &'r RuleResult {
    report.results.iter().find(|r| r.name.as_deref() == Some(name)).unwrap_or_else(|| panic!("{report:#?}"))
}

#[test]
fn what_a_contract_promises_is_checked_without_a_rule() {
    let columns = "[{name: id, logicalType: integer, primaryKey: true}, {name: ma, logicalType: string, unique: true}, \
         {name: pm, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}]";
    let record = record(columns, "[]");
    let good = check(&record, &[&["1", "a", "0.5"], &["2", "", "1"], &["3", "", "2"]]);
    assert!(good.passed() && good.problems_total == 0, "{good:#?}");
    let bad = check(&record, &[&["1", "a", "0.5"], &["1", "b", ""], &["", "a", "-1"], &["x", "c", "1"]]);
    assert!(!bad.passed());
    let found: Vec<_> = bad
        .results
        .iter()
        .map(|r| {
            (r.about, r.columns[0].as_str(), r.outcome, r.measured, r.first.iter().map(|p| p.row).collect())
        })
        .collect();
    use Outcome::{Failed, Passed};
    assert_eq!(
        found,
        [
            (About::Required, "id", Failed, Some(1.0), vec![4]),
            (About::Valid, "id", Failed, Some(1.0), vec![5]),
            (About::Valid, "ma", Passed, Some(0.0), vec![]),
            (About::Required, "pm", Failed, Some(1.0), vec![3]),
            (About::Valid, "pm", Failed, Some(1.0), vec![4]),
            (About::Unique, "ma", Failed, Some(1.0), vec![4]),
            (About::PrimaryKey, "id", Failed, Some(1.0), vec![3]),
        ]
    );
    assert_eq!(bad.problems_total, 4);
    assert!(bad.results[6].said.vi.contains("1 dòng lặp lại khoá"));
}

#[test]
fn a_key_of_two_columns_is_taken_together_in_its_order() {
    let columns = "[{name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 2}, \
         {name: b, logicalType: string, primaryKey: true, primaryKeyPosition: 1}]";
    let record = record(columns, "[]");
    let report = check(&record, &[&["x", "1"], &["x", "2"], &["y", "1"], &["x", "2"]]);
    let key = report.results.last().unwrap();
    assert_eq!((key.about, key.measured, key.first[0].row), (About::PrimaryKey, Some(1.0), 5));
    assert_eq!(key.columns, ["b", "a"]);
}

#[test]
fn every_metric_of_the_library_is_measured() {
    let columns = "[{name: a, logicalType: string, quality: [\
         {name: nulls, metric: nullValues, mustBe: 1}, \
         {name: missing, metric: missingValues, arguments: {missingValues: [N/A, null]}, mustBe: 2}, \
         {name: invalid, metric: invalidValues, arguments: {validValues: [x, y, N/A]}, mustBe: 1}, \
         {name: pattern, metric: invalidValues, arguments: {pattern: '^[a-z]$'}, mustBe: 1}, \
         {name: twice, metric: duplicateValues, unit: percent, mustBe: 20}]}, \
         {name: b, logicalType: integer, quality: [{name: kind, metric: invalidValues, mustBe: 1}]}]";
    let table = "[{name: rows, metric: rowCount, mustBeBetween: [5, 5]}, \
         {name: both, metric: duplicateValues, arguments: {properties: [a, b]}, mustBe: 0}, \
         {name: whole, metric: duplicateValues, mustBe: 0}]";
    let report =
        check(&record(columns, table), &[&["x", "1"], &["", "1"], &["N/A", "2"], &["x", "2"], &["z", "?"]]);
    let rules: Vec<&RuleResult> = report.results.iter().filter(|r| r.about == About::Rule).collect();
    assert_eq!(rules.len(), 9);
    for rule in rules {
        assert_eq!(rule.outcome, Outcome::Passed, "{}", rule.said);
    }
    assert_eq!(result(&report, "twice").first[0].row, 5);
    assert_eq!(result(&report, "missing").first.iter().map(|p| p.row).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn every_operator_holds_where_it_should_and_fails_beside() {
    for (operator, holds, fails) in [
        ("mustBe: 2", vec![2], vec![1, 3]),
        ("mustNotBe: 2", vec![1, 3], vec![2]),
        ("mustBeGreaterThan: 2", vec![3], vec![1, 2]),
        ("mustBeGreaterOrEqualTo: 2", vec![2, 3], vec![1]),
        ("mustBeLessThan: 2", vec![0, 1], vec![2]),
        ("mustBeLessOrEqualTo: 2", vec![2], vec![3]),
        ("mustBeBetween: [1, 2]", vec![1, 2], vec![0, 3]),
        ("mustNotBeBetween: [1, 2]", vec![0, 3], vec![1, 2]),
    ] {
        let record = record(
            "[{name: a, logicalType: string}]",
            &format!("[{{name: rows, metric: rowCount, {operator}}}]"),
        );
        for (count, expected) in
            holds.iter().map(|n| (n, Outcome::Passed)).chain(fails.iter().map(|n| (n, Outcome::Failed)))
        {
            let rows: Vec<&[&str]> = vec![&["x"]; *count];
            let report = check(&record, &rows);
            assert_eq!(result(&report, "rows").outcome, expected, "{operator} {count}");
            assert_eq!(report.passed(), expected == Outcome::Passed);
        }
    }
}

#[test]
fn a_warning_does_not_stop_a_run() {
    let record = record(
        "[{name: a, logicalType: string}]",
        "[{name: rows, metric: rowCount, mustBe: 9, severity: warning}]",
    );
    let report = check(&record, &[&["x"]]);
    assert_eq!((result(&report, "rows").outcome, report.passed()), (Outcome::Failed, true));
    assert_eq!(result(&report, "rows").said.vi, "`rows`: rowCount là 1 dòng, phải = 9");
}

#[test]
fn rules_that_cannot_be_measured_are_refused_by_name() {
    for (columns, table, expected) in [
        (
            "",
            "[{name: R-1, type: sql, query: select 1, mustBe: 1}]",
            "not supported yet: `R-1`; write them with a `metric`",
        ),
        ("", "[{name: R-2, metric: nullValues, mustBe: 0}]", "`R-2`: it is about a column"),
        (
            "",
            "[{name: R-3, metric: rowCount, unit: percent, mustBe: 0}]",
            "`R-3`: rows are not counted in percent",
        ),
        (
            ", quality: [{name: R-4, metric: invalidValues, arguments: {pattern: '(a'}, mustBe: 0}]",
            "[]",
            "`R-4`: the pattern",
        ),
        (", logicalTypeOptions: {pattern: '(a{1000}){1000}'}", "[]", "column `a`: the pattern"),
    ] {
        let record = record(&format!("[{{name: a, logicalType: string{columns}}}]"), table);
        match Checks::new(&record, &std::env::temp_dir()) {
            Err(IntakeError::Mapping(said)) => assert!(said.en.contains(expected), "{said}"),
            other => panic!("{:?}", other.is_ok()),
        }
    }
}

#[test]
fn nothing_is_asked_of_a_table_without_rows() {
    let columns = "[{name: a, logicalType: string, required: true, quality: [{metric: nullValues, unit: percent, mustBe: 0}]}]";
    assert!(check(&record(columns, "[{metric: rowCount, mustBe: 0}]"), &[]).passed());
}

#[test]
fn real_dengue_counts_have_the_key_that_the_contract_says() {
    let Some(path) = shared("dengue-districts.csv") else { return };
    let columns = "[{name: areaid, logicalType: string, primaryKey: true}, {name: date, logicalType: date, primaryKey: true}, \
         {name: cases, logicalType: integer, quality: [{name: some, metric: nullValues, unit: percent, mustBeLessThan: 50}]}]";
    let record = record(columns, "[{name: rows, metric: rowCount, mustBeGreaterThan: 10000}]");
    let mapping = Mapping::parse("missing = [\"\", \"NA\"]").unwrap();
    let mut rows = mapping.standardise(Box::new(Table::csv(&path)), &record.columns, Path::new(".")).unwrap();
    let mut checks = Checks::new(&record, &std::env::temp_dir()).unwrap();
    let mut row = Vec::new();
    while let Some(place) = rows.next(&mut row).unwrap() {
        checks.row(&place, &row).unwrap();
    }
    let report = checks.finish().unwrap();
    assert_eq!(report.rows, 17_112);
    assert!(report.passed(), "{:#?}", report.results);
}

#[test]
fn a_column_that_is_the_key_is_held_once_and_all_keys_share_the_memory() {
    let columns = "[{name: id, logicalType: integer, primaryKey: true, primaryKeyPosition: -1, unique: true}, \
         {name: ma, logicalType: string, unique: true, quality: [{metric: duplicateValues, mustBe: 0}]}]";
    let record = record(columns, "[]");
    assert_eq!(record.columns[0].promises.key_position, None, "-1 is the standard's word for none");
    let checks = Checks::new(&record, &std::env::temp_dir()).unwrap();
    let about: Vec<About> = checks.keys.iter().map(|(about, _)| *about).collect();
    assert_eq!(about, [About::Unique, About::PrimaryKey]);
    assert!(checks.keys.iter().all(|(_, seen)| seen.most() == KEYS_IN_MEMORY / 3), "two keys and a rule");
}

/// The numbers are those of `datacontract test` (datacontract-cli, the standard's own tool) for these rules and this file
/// with `NA` taken out.
#[test]
fn the_library_counts_as_the_standards_own_tool_does() {
    let Some(path) = shared("dengue-districts.csv") else { return };
    let columns = "[{name: provinceid, logicalType: string, quality: [{name: a, metric: duplicateValues, mustBe: 4}]}, \
         {name: province, logicalType: string, quality: [\
         {name: b, metric: invalidValues, arguments: {validValues: [Ha Noi]}, mustBe: 8832}]}, \
         {name: date, logicalType: date, quality: [\
         {name: c, metric: invalidValues, unit: percent, arguments: {pattern: '^19.*'}, mustBeBetween: [92.753623, 92.753624]}]}, \
         {name: cases, logicalType: integer, quality: [\
         {name: d, metric: nullValues, mustBe: 821}, \
         {name: e, metric: nullValues, unit: percent, mustBeBetween: [4.797802, 4.797803]}, \
         {name: f, metric: missingValues, arguments: {missingValues: [null, 0]}, mustBe: 7449}, \
         {name: g, metric: invalidValues, arguments: {validValues: [0]}, mustBe: 9663}, \
         {name: h, metric: duplicateValues, mustBe: 275}]}]";
    let table =
        "[{name: i, metric: duplicateValues, arguments: {properties: [province, date]}, mustBe: 1104}]";
    let record = record(columns, table);
    let mapping = Mapping::parse("missing = [\"\", \"NA\"]").unwrap();
    let mut rows = mapping.standardise(Box::new(Table::csv(&path)), &record.columns, Path::new(".")).unwrap();
    let mut checks = Checks::new(&record, &std::env::temp_dir()).unwrap();
    let mut row = Vec::new();
    while let Some(place) = rows.next(&mut row).unwrap() {
        checks.row(&place, &row).unwrap();
    }
    let report = checks.finish().unwrap();
    let rules = report.results.iter().filter(|result| result.about == About::Rule);
    let failed: Vec<&str> =
        rules.filter(|r| r.outcome != Outcome::Passed).map(|r| r.said.en.as_str()).collect();
    assert_eq!(failed, Vec::<&str>::new());
}
