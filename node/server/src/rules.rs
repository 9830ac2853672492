//! The rule set in force: kept in the store as the files it was made of, put in force at once and whole.

use std::collections::BTreeMap;

use policy::{Files, RuleSet};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Store, Tx};

use ledger::statement::{Deed, RulesActivated};

use crate::error::{Error, Result};
use crate::flow::statement;
use crate::node::Node;
use crate::operation::Operation;
use crate::records;

/// Key of the rule set in force.
const CURRENT: &[u8] = b"current";

/// What is said of rules that nothing tests.
pub const UNTESTED: &str = "the rule set has no cases, so nothing showed that it decides what you mean; write some in cases.json, \
so that a change cannot open what must stay closed";

/// A rule set as it was applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// Its version at this node.
    pub version: u64,
    /// The files, by name.
    pub files: BTreeMap<String, String>,
    /// When it was applied, Unix seconds.
    pub applied: i64,
    /// SHA-256 of its canonical content.
    pub sha256: String,
}

/// The rule set that the store says is in force, or the one that ships with the node.
pub fn in_force(store: &Store) -> Result<RuleSet> {
    match records::get::<Applied>(store, Space::RuleSet, CURRENT)? {
        None => crate::boot::first_rules(),
        Some((applied, _)) => load(&applied.files, applied.version),
    }
}

/// Checks files as a rule set.
pub fn load(files: &BTreeMap<String, String>, version: u64) -> Result<RuleSet> {
    RuleSet::from_files(&bundle(files), version).map_err(|e| refused(&e))
}

/// Texts by name as the loader takes them.
pub fn bundle(files: &BTreeMap<String, String>) -> Files {
    files.iter().fold(Files::new(), |all, (name, text)| all.with(name.clone(), text.clone().into_bytes()))
}

/// A rule set that is not loaded, with every problem on a line of its own, so that all can be mended in one go.
pub fn refused(error: &policy::LoadError) -> Error {
    let mut lines = vec![format!("the rule set has {} problems:", error.problems.len() + error.unlisted)];
    lines.extend(error.problems.iter().map(|problem| format!("  {problem}")));
    if error.unlisted > 0 {
        lines.push(format!("  and {} more", error.unlisted));
    }
    Error::usage(lines.join("\n"))
}

/// Checks files as a rule set, runs their tests, keeps them and puts them in force. A set with a failing test is refused.
pub async fn apply(node: &Node, operation: &Operation, files: BTreeMap<String, String>) -> Result<Value> {
    let current = records::get::<Applied>(&node.store, Space::RuleSet, CURRENT)?;
    let version = node.gate.engine().rule_set().version() + 1;
    let rules = load(&files, version)?;
    crate::compliance::demand_seat(node, &rules)?;
    let tested = test(rules.clone())?;
    if tested["failed"].as_u64() != Some(0) {
        return Err(Error::conflict(format!(
            "{} of the rule set's own cases fail, so it was not put in force; `tram policy test` shows which",
            tested["failed"]
        )));
    }
    let applied = Applied { version, files, applied: operation.now, sha256: rules.digest().to_string() };
    let tx = match current {
        Some((_, revision)) => Tx::new().at(Space::RuleSet, CURRENT, revision),
        None => Tx::new().absent(Space::RuleSet, CURRENT),
    };
    let before = gate_rules(node);
    let tx = tx
        .put_json(Space::RuleSet, CURRENT, &applied)
        .and_then(|tx| tx.put_json(Space::RuleSet, archived(version), &applied))
        .map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    // Before the rules are felt: what they permit must not be in the ledger ahead of them.
    announce(node, operation, statement_of(&rules), before).await?;
    node.gate.activate(rules)?;
    tracing::info!(version, "another rule set is in force");
    Ok(json!({"rule_set": node.gate.describe(), "tests": tested}))
}

fn archived(version: u64) -> Vec<u8> {
    format!("v/{version:020}").into_bytes()
}

fn gate_rules(node: &Node) -> ledger::statement::RuleSet {
    statement_of(node.gate.engine().rule_set())
}

fn statement_of(rules: &RuleSet) -> ledger::statement::RuleSet {
    ledger::statement::RuleSet { sha256: *rules.digest().as_bytes(), version: rules.version() }
}

/// Writes into the ledger that another rule set comes into force.
async fn announce(
    node: &Node,
    operation: &Operation,
    rules: ledger::statement::RuleSet,
    before: ledger::statement::RuleSet,
) -> Result<()> {
    statement::own(node, operation.now, None, Deed::RulesActivated(RulesActivated { rules, before }))
        .await
        .map(|_| ())
}

/// An earlier rule set of this node, with its files.
pub fn earlier(node: &Node, version: u64) -> Result<(RuleSet, BTreeMap<String, String>)> {
    let Some((applied, _)) = records::get::<Applied>(&node.store, Space::RuleSet, &archived(version))? else {
        let built_in = crate::boot::first_rules()?;
        if built_in.version() == version {
            return Ok((built_in, built_in_files()));
        }
        return Err(Error::not_found(format!(
            "this node never had a rule set of version {version}; `tram policy show` tells the one in force"
        )));
    };
    Ok((load(&applied.files, version)?, applied.files))
}

/// The rule set that was in force at `at`, Unix seconds; the one that ships with the node where none was applied before.
pub fn in_force_at(node: &Node, at: i64) -> Result<RuleSet> {
    for version in (1..=node.gate.engine().rule_set().version()).rev() {
        let kept = records::get::<Applied>(&node.store, Space::RuleSet, &archived(version))?;
        if let Some((applied, _)) = kept.filter(|(applied, _)| applied.applied <= at) {
            return load(&applied.files, version);
        }
    }
    crate::boot::first_rules()
}

fn built_in_files() -> BTreeMap<String, String> {
    policy::builtin_files().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

/// Runs the test table of a rule set.
pub fn test(rules: RuleSet) -> Result<Value> {
    let engine = policy::Engine::new(rules).map_err(Error::internal)?;
    let rules = engine.rule_set();
    let report = match rules.fixture() {
        Some(registry) => policy::cases::run(&engine, rules.cases(), registry),
        None if rules.cases().is_empty() => policy::cases::Report { total: 0, failed: Vec::new() },
        None => {
            return Err(Error::usage(
                "cases.json asks about parties and datasets that registry.json must describe; add that file",
            ));
        }
    };
    Ok(json!({
        "total": report.total,
        "passed": report.total - report.failed.len(),
        "failed": report.failed.len(),
        "failures": report.failed,
    }))
}

/// The files of the rule set in force.
pub fn files(node: &Node) -> Result<BTreeMap<String, String>> {
    match records::get::<Applied>(&node.store, Space::RuleSet, CURRENT)? {
        Some((applied, _)) => Ok(applied.files),
        None => Ok(built_in_files()),
    }
}
