//! `matrix.toml`: clause by clause, what the law asks, how that is kept, which test shows it, what counts as evidence.

use serde::{Deserialize, Serialize};

use super::names::{Clock, Evidence, Feature, TestName};
use crate::ids::RuleId;
use crate::reason::ReasonCode;
use crate::text::{Citation, Text};

/// How far a clause is kept by this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClauseState {
    /// By the node: rules, invariants or features, each tested.
    Kept,
    /// In part; the note says what is left.
    Partly,
    /// Not by the node; the note says by whom and why.
    LeftToPeople,
}

/// One clause of a law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// Its id in the matrix.
    pub id: RuleId,
    /// The legal text, with the mark of how far it was checked.
    pub source: Citation,
    /// What it asks, in plain words.
    pub asks: Text,
    /// How far it is kept.
    pub state: ClauseState,
    /// Grants and duties that keep it.
    pub rules: Vec<RuleId>,
    /// Invariants that keep it.
    pub invariants: Vec<ReasonCode>,
    /// Features of the node that keep it.
    pub features: Vec<Feature>,
    /// What the clock keeps.
    pub clock: Vec<Clock>,
    /// Cases of the test table that show it, by name.
    pub cases: Vec<String>,
    /// Tests of the program that show its features.
    pub tests: Vec<TestName>,
    /// What of this node's own records counts as evidence.
    pub evidence: Vec<Evidence>,
    /// What is left, to whom and why; there unless the state is `kept`.
    pub note: Option<Text>,
}

impl Clause {
    /// True when it names anything that keeps it.
    #[must_use]
    pub fn is_kept_by_something(&self) -> bool {
        !(self.rules.is_empty()
            && self.invariants.is_empty()
            && self.features.is_empty()
            && self.clock.is_empty())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    clause: Vec<FileClause>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileClause {
    id: String,
    source: Citation,
    asks: Text,
    state: ClauseState,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    invariants: Vec<String>,
    #[serde(default)]
    features: Vec<Feature>,
    #[serde(default)]
    clock: Vec<Clock>,
    #[serde(default)]
    cases: Vec<String>,
    #[serde(default)]
    tests: Vec<TestName>,
    #[serde(default)]
    evidence: Vec<Evidence>,
    note: Option<Text>,
}

/// Reads `matrix.toml`.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn parse(text: &str) -> Result<Vec<Clause>, String> {
    let file: File = toml::from_str(text).map_err(|e| e.to_string().trim().to_owned())?;
    file.clause.into_iter().map(clause).collect()
}

fn clause(file: FileClause) -> Result<Clause, String> {
    let id = RuleId::parse(&file.id).map_err(|e| e.to_string())?;
    let told = |e: String| format!("clause {id}: {e}");
    let rules: Result<_, _> =
        file.rules.iter().map(|rule| RuleId::parse(rule).map_err(|e| told(e.to_string()))).collect();
    let invariants: Result<_, _> =
        file.invariants.iter().map(|code| super::names::invariant(code).map_err(told)).collect();
    Ok(Clause {
        source: file.source,
        asks: file.asks,
        state: file.state,
        rules: rules?,
        invariants: invariants?,
        features: file.features,
        clock: file.clock,
        cases: file.cases,
        tests: file.tests,
        evidence: file.evidence,
        note: file.note,
        id,
    })
}
