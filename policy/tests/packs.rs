//! The packs that ship are whole, and a matrix with a hole in it is refused by name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

use std::path::Path;

use policy::pack::{BUILTIN, Clause, ClauseState, Evidence, Pack, Standing};
use policy::{Engine, Files, Invariants, LoadError, ProblemCode, ReasonCode, RuleSet};

fn pack(name: &str) -> Pack {
    Pack::builtin(name).unwrap_or_else(|e| panic!("{name}: {:#?}", e.problems))
}

/// The files of a pack with `from` in one of them replaced by `to`.
fn changed(name: &str, file: &str, from: &str, to: &str) -> Files {
    let mut files = pack(name).files().clone();
    let text = std::str::from_utf8(files.get(file).unwrap()).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    let text = text.replacen(from, to, 1);
    files.insert(file, text);
    files
}

fn refused(files: Files, code: ProblemCode) -> LoadError {
    let error = Pack::from_files(files).expect_err("a hole in the matrix must be refused");
    assert!(error.has(code), "{:#?}", error.problems);
    error
}

#[test]
fn every_clause_of_every_pack_has_what_keeps_it_and_what_tests_it() {
    for name in BUILTIN {
        let pack = pack(name);
        assert_eq!(pack.about().id, name);
        assert!(pack.clauses().len() >= 15, "{name}: {}", pack.clauses().len());
        for clause in pack.clauses().iter().filter(|clause| clause.state != ClauseState::LeftToPeople) {
            assert!(clause.is_kept_by_something(), "{name} {}", clause.id);
            assert!(!clause.cases.is_empty() || !clause.tests.is_empty(), "{name} {}", clause.id);
            assert!(!clause.evidence.is_empty(), "{name} {}: nothing counts as evidence", clause.id);
        }
    }
}

#[test]
fn every_test_that_a_matrix_names_is_in_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut named = 0;
    for name in BUILTIN {
        for test in pack(name).clauses().iter().flat_map(|clause| clause.tests.clone()) {
            let text = std::fs::read_to_string(root.join(test.file()))
                .unwrap_or_else(|e| panic!("{name}: {}: {e}", test.file()));
            let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
            let at = lines.iter().position(|line| {
                let line = line.strip_prefix("async ").unwrap_or(line);
                line.strip_prefix("fn ").is_some_and(|rest| rest.starts_with(&format!("{}(", test.name())))
            });
            let at = at.unwrap_or_else(|| panic!("{name}: no test {} in {}", test.name(), test.file()));
            let marked = lines[at.saturating_sub(4)..at].iter().any(|line| line.contains("test"));
            assert!(marked, "{name}: {} is no test", test.name());
            named += 1;
        }
    }
    assert!(named >= 20, "{named}");
}

#[test]
fn clauses_about_consent_say_that_a_node_refuses_it_today() {
    for name in ["vn", "eu"] {
        let pack = pack(name);
        let about = |clause: &&Clause| clause.invariants.contains(&ReasonCode::Consent);
        let found: Vec<&Clause> = pack.clauses().iter().filter(about).collect();
        assert!(!found.is_empty());
        for clause in found {
            let note = clause.note.as_ref().map(policy::Text::en).unwrap_or_default();
            assert!(clause.state != ClauseState::Kept && note.contains("always refused"), "{}", clause.id);
        }
    }
}

#[test]
fn clauses_that_rest_on_the_network_zone_say_whose_word_it_is() {
    for name in ["vn", "eu"] {
        let pack = pack(name);
        let text = std::str::from_utf8(pack.files().get("policy.csv").unwrap()).unwrap();
        let zoned = |id: &str| text.lines().any(|l| l.contains(&format!(", {id}, ")) && l.contains("net:"));
        let rests = |clause: &&Clause| clause.rules.iter().any(|rule| zoned(rule.as_str()));
        let found: Vec<&Clause> = pack.clauses().iter().filter(rests).collect();
        assert!(!found.is_empty());
        for clause in found {
            let note = clause.note.as_ref().map(policy::Text::en).unwrap_or_default();
            assert!(clause.state != ClauseState::Kept && note.contains("[peer] network"), "{}", clause.id);
        }
    }
}

#[test]
fn the_clause_about_the_internet_says_that_a_query_can_ask_for_all() {
    let pack = pack("vn");
    let clause = pack.clauses().iter().find(|clause| clause.id.as_str() == "ND356-7-INTERNET").unwrap();
    assert_eq!(clause.state, ClauseState::Partly);
    assert!(clause.note.as_ref().is_some_and(|note| note.en().contains("the whole table")));
}

#[test]
fn evidence_of_a_rule_is_about_a_rule_of_the_pack() {
    for name in BUILTIN {
        let pack = pack(name);
        let rules = pack.rules();
        for clause in pack.clauses() {
            for evidence in &clause.evidence {
                if let Evidence::Rule(id) = evidence {
                    let known = rules.grants().iter().chain(rules.duties()).any(|rule| rule.id == *id);
                    assert!(known, "{name} {}: {id}", clause.id);
                }
            }
        }
    }
}

#[test]
fn a_clause_without_anything_that_keeps_it_is_refused() {
    let files = changed("vn", "matrix.toml", "invariants = [\"INV-SECRET\"]\n", "");
    refused(files, ProblemCode::ClauseUnkept);
}

#[test]
fn a_clause_without_a_test_is_refused() {
    let files = changed("vn", "matrix.toml", "cases = [\"a state secret is outside\"]\n", "");
    refused(files, ProblemCode::ClauseUntested);
}

#[test]
fn a_case_that_does_not_touch_what_the_clause_names_is_no_test() {
    let files =
        changed("vn", "matrix.toml", "[\"a state secret is outside\"]", "[\"open data, from abroad\"]");
    let error = refused(files, ProblemCode::ClauseUntested);
    assert!(error.to_string().contains("INV-SECRET"), "{error}");
}

#[test]
fn a_feature_is_tested_by_the_program() {
    let from = "tests = [\"tests/tests/main_job.rs::a_catalog_is_searched_without_marks_across_agencies\"]\n";
    refused(changed("vn", "matrix.toml", from, ""), ProblemCode::ClauseUntested);
}

#[test]
fn names_that_are_not_there_and_rules_that_no_clause_asks_for_are_refused() {
    let files = changed("vn", "matrix.toml", "rules = [\"VN-NAT-02\"]", "rules = [\"VN-NAT-99\"]");
    let error = refused(files, ProblemCode::ClauseUnknown);
    assert!(error.has(ProblemCode::RuleUnnamed), "{:#?}", error.problems);
    let files = changed("vn", "matrix.toml", "\"open data, from abroad\"", "\"open data, from the moon\"");
    refused(files, ProblemCode::ClauseUnknown);
}

#[test]
fn a_clause_that_is_not_kept_as_a_whole_says_what_is_left() {
    let files = changed("vn", "matrix.toml", "state = \"kept\"", "state = \"partly\"");
    refused(files, ProblemCode::ClauseNote);
}

#[test]
fn malformed_files_of_a_pack_are_refused_by_name() {
    for (file, from, to) in [
        ("pack.toml", "invariants = \"vn\"", "invariants = \"xx\""),
        ("pack.toml", "utc_offset_minutes = 420\n", ""),
        ("matrix.toml", "state = \"kept\"", "state = \"fine\""),
        ("matrix.toml", "mark = \"P\"", "mark = \"X\""),
        ("matrix.toml", "evidence = [\"refusals:INV-SECRET\"]", "evidence = [\"refusals:INV-NOTHING\"]"),
        ("matrix.toml", "invariants = [\"INV-SECRET\"]", "invariants = [\"NO-RULE\"]"),
        ("matrix.toml", "id = \"ND47-1-2\"", "id = \"ND47-1-2\"\nfoo = 1"),
        ("holidays.toml", "2026-01-02", "2026-01-03"),
    ] {
        let error = refused(changed("vn", file, from, to), ProblemCode::Pack);
        assert!(error.problems.iter().any(|p| p.file == file), "{file}: {:#?}", error.problems);
    }
    let files = changed("vn", "matrix.toml", "id = \"ND47-OPEN\"", "id = \"ND47-CATALOG\"");
    refused(files, ProblemCode::IdTwice);
    let files =
        changed("vn", "cases.json", "\"open data, from abroad\"", "\"open data, anyone, any action\"");
    refused(files, ProblemCode::Case);
    let files = changed("vn", "cases.json", "\"want\": \"allow\"", "\"want\": \"deny\"");
    refused(files, ProblemCode::Case);
    assert!(Pack::builtin("xx").unwrap_err().to_string().contains("there are vn, eu"));
}

#[test]
fn the_rules_that_ship_hold_to_the_pack_they_come_from() {
    for name in BUILTIN {
        let pack = pack(name);
        let held = pack.hold(&Engine::new(pack.rules().clone()).unwrap());
        assert_eq!(held.len(), pack.clauses().len());
        assert!(held.iter().all(|held| held.standing == Standing::Held), "{name}: {held:#?}");
    }
    // What a node has before anybody writes rules.
    let first = Engine::new(RuleSet::builtin(1).unwrap()).unwrap();
    assert!(pack("vn").hold(&first).iter().all(|held| held.standing == Standing::Held));
}

/// The standing of one clause under the pack's own rules with a change in one file.
fn standing(clause: &str, file: &str, from: &str, to: &str) -> policy::pack::Held {
    let files = changed("vn", file, from, to);
    let rules = RuleSet::from_files(&files, 2).unwrap_or_else(|e| panic!("{:#?}", e.problems));
    let held = pack("vn").hold(&Engine::new(rules).unwrap());
    held.into_iter().find(|held| held.clause.as_str() == clause).unwrap()
}

#[test]
fn a_law_row_that_was_dropped_is_told_as_lost() {
    let row = "p, VN-LAW-03, 00, *, tag:personal, download";
    let held = {
        let mut files = changed("vn", "policy.csv", row, "p, OWN-03, 30, *, tag:personal, download");
        let reasons = String::from_utf8(files.get("reasons.json").unwrap().to_vec()).unwrap();
        files.insert("reasons.json", reasons.replace("VN-LAW-03", "OWN-03"));
        let rules = RuleSet::from_files(&files, 2).unwrap();
        pack("vn").hold(&Engine::new(rules).unwrap())
    };
    let lost: Vec<_> = held.iter().filter(|held| held.standing == Standing::Lost).collect();
    assert!(lost.iter().any(|held| held.clause.as_str() == "ND356-7-INTERNET"), "{lost:#?}");
    let held = lost.iter().find(|held| held.clause.as_str() == "ND356-7-INTERNET").unwrap();
    assert_eq!(held.lost.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["VN-LAW-03"]);
    assert_eq!(held.broken, ["no copy of personal data over the internet"]);
}

#[test]
fn a_rule_that_was_opened_is_told_by_its_cases_and_one_that_was_tightened_is_only_changed() {
    let row = "co:default-shared, query, pu:administration, *, +,";
    let held = standing(
        "ND194-16-2-DEFAULT",
        "policy.csv",
        row,
        "co:default-shared, query, pu:administration, *, *,",
    );
    assert_eq!(held.standing, Standing::Lost, "{held:#?}");
    assert_eq!(held.broken, ["shared by default needs a legal basis"]);
    let held =
        standing("ND194-16-2-DEFAULT", "obligations.json", "\"rate_per_min\": 600", "\"rate_per_min\": 60");
    assert_eq!(held.standing, Standing::Changed, "{held:#?}");
    assert_eq!(held.changed.len(), 3);
}

#[test]
fn rules_of_another_legal_order_lose_the_clauses_of_the_invariants() {
    let files = changed("vn", "pack.toml", "invariants = \"vn\"", "invariants = \"eu\"");
    let rules = RuleSet::from_files(&files, 2).unwrap();
    assert_eq!(rules.invariants(), Invariants::Eu);
    assert_ne!(rules.digest(), pack("vn").rules().digest(), "the legal order is part of what is signed");
    let held = pack("vn").hold(&Engine::new(rules).unwrap());
    let secret = held.iter().find(|held| held.clause.as_str() == "ND47-1-2").unwrap();
    assert_eq!(secret.standing, Standing::Lost);
}

#[test]
fn a_pack_folder_is_a_rule_set_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in pack("vn").files().iter() {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let rules = RuleSet::from_folder(folder.path(), 1).unwrap();
    assert_eq!(rules.digest(), RuleSet::builtin(1).unwrap().digest());
    assert_eq!(Pack::from_folder(folder.path()).unwrap().clauses().len(), pack("vn").clauses().len());
}
