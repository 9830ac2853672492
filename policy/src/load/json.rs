//! The JSON files of a rule set: obligations, reasons, test cases and their register.
//!
//! Unknown fields and repeated keys are refused. When a file does not read, each entry is tried alone as well, so
//! that all broken entries are named and not only the first.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::files::Files;
use super::name;
use super::problem::{Problem, ProblemCode, Problems};
use crate::cases::Case;
use crate::ids::ObligationSetId;
use crate::limits::{CASES_MAX, OBLIGATION_SETS_MAX};
use crate::obligations::Obligations;
use crate::registry::Registry;
use crate::rule_set::Reason;
use crate::unique::UniqueMap;

/// Obligation sets by id.
pub(crate) fn obligations(files: &Files, problems: &mut Problems) -> BTreeMap<ObligationSetId, Obligations> {
    let sets = entries(files, name::OBLIGATIONS, ProblemCode::Obligations, problems).unwrap_or_default();
    if sets.len() > OBLIGATION_SETS_MAX {
        let message = format!(
            "{} sets, at most {OBLIGATION_SETS_MAX} are allowed: share sets between rules",
            sets.len()
        );
        problems.add(Problem::new(name::OBLIGATIONS, ProblemCode::TooMany, message));
    }
    sets
}

/// Reasons by rule id; `None` without the file.
pub(crate) fn reasons(files: &Files, problems: &mut Problems) -> Option<BTreeMap<String, Reason>> {
    entries(files, name::REASONS, ProblemCode::Reason, problems)
}

/// The test table; empty without the file.
pub(crate) fn cases(files: &Files, problems: &mut Problems) -> Vec<Case> {
    let cases: Vec<Case> = whole(files, name::CASES, ProblemCode::Case, problems).unwrap_or_default();
    if cases.len() > CASES_MAX {
        let message = format!("{} cases, at most {CASES_MAX} are allowed", cases.len());
        problems.add(Problem::new(name::CASES, ProblemCode::TooMany, message));
    }
    cases
}

/// The register of the test table.
pub(crate) fn registry(files: &Files, problems: &mut Problems) -> Option<Registry> {
    whole(files, name::REGISTRY, ProblemCode::Registry, problems)
}

fn whole<T: DeserializeOwned>(
    files: &Files,
    file: &'static str,
    code: ProblemCode,
    problems: &mut Problems,
) -> Option<T> {
    let text = files.text(file, problems)?;
    serde_json::from_str(text).map_err(|error| problems.add(misread(file, code, &error))).ok()
}

fn entries<K, V>(
    files: &Files,
    file: &'static str,
    code: ProblemCode,
    problems: &mut Problems,
) -> Option<BTreeMap<K, V>>
where
    K: DeserializeOwned + Ord + std::fmt::Display,
    V: DeserializeOwned,
{
    let text = files.text(file, problems)?;
    match serde_json::from_str::<UniqueMap<K, V>>(text) {
        Ok(map) => Some(map.0),
        Err(error) => {
            problems.add(misread(file, code, &error));
            name_each::<V>(text, file, code, problems);
            None
        }
    }
}

/// Tries each entry of an object alone.
fn name_each<V: DeserializeOwned>(
    text: &str,
    file: &'static str,
    code: ProblemCode,
    problems: &mut Problems,
) {
    let Ok(all) = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text) else { return };
    for (key, value) in all {
        if let Err(error) = serde_json::from_value::<V>(value) {
            problems.add(Problem::new(file, code, format!("{}", error)).of(&key));
        }
    }
}

fn misread(file: &'static str, code: ProblemCode, error: &serde_json::Error) -> Problem {
    let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
    Problem::at(file, line, code, error.to_string())
}
