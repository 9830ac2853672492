//! The examples of `docs/contracts.md` are what this crate reads.

use std::path::{Path, PathBuf};

use crate::testing::Table;
use crate::{
    IntakeError, Place, Rows as _, mapping::Mapping, profile::Clock, profile::Surveyed, quality::Checks,
};

fn block(language: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/contracts.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut blocks = text.split("```").skip(1).step_by(2);
    blocks.find_map(|block| block.strip_prefix(&format!("{language}\n"))).unwrap().to_owned()
}

#[test]
fn the_contract_the_mapping_and_the_code_list_of_the_docs_go_together() {
    let record = catalog::contract::read(&block("yaml"), 0).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("phuong.csv"), block("text")).unwrap();
    let columns = ["Ngày", "Giờ", "Bụi PM2,5 (mg/m³)", "Phường"];
    let source = |pm: &str| {
        Table::new(
            &columns,
            &[&["08/03/2023", "07:30", "0,047", "hàng bạc"], &["8/3/2023", "08:30", pm, "phường hàng bạc"]],
        )
    };
    let mapping = Mapping::parse(&block("toml")).unwrap();
    let mut rows = mapping.standardise(Box::new(source("-")), &record.columns, dir.path()).unwrap();
    let mut row = Vec::new();
    assert!(
        matches!(rows.next(&mut row), Err(IntakeError::Misfits(_))),
        "`hàng bạc` alone is no name of the list"
    );
    let fixed = Table::new(&columns, &[&["08/03/2023", "07:30", "0,047", "PHƯỜNG HÀNG BẠC"]]);
    let rows = mapping.standardise(Box::new(fixed), &record.columns, dir.path()).unwrap();
    let mut surveyed = Surveyed::new(Box::new(rows), &record, dir.path()).unwrap();
    assert_eq!(surveyed.next(&mut row).unwrap().map(|place| place.row), Some(2));
    let cells: Vec<&str> = row.iter().flatten().map(String::as_str).collect();
    assert_eq!(cells, ["HN-01", "2023-03-08T07:30:00", "47", "00070"]);
    assert!(surveyed.next(&mut row).unwrap().is_none());
    let clock = Clock { now: 1_678_240_800, changed: None, offset_s: 25_200 };
    let (profile, quality) = surveyed.finish(clock).unwrap();
    assert!(quality.passed(), "too few rows is only a warning: {:#?}", quality.results);
    assert_eq!(profile.score.map(|score| score.score), Some(100));
}

#[test]
fn the_rules_of_the_docs_are_measured() {
    let record = catalog::contract::read(&block("yaml"), 0).unwrap();
    let mut checks = Checks::new(&record, Path::new("/nonexistent")).unwrap();
    checks.row(&Place::row(2), &[None, None, None, None]).unwrap();
    let report = checks.finish().unwrap();
    let names: Vec<&str> = report.results.iter().filter_map(|result| result.name.as_deref()).collect();
    assert_eq!(names, ["đủ dòng", "đủ số đo"]);
    assert!(!report.passed());
}
