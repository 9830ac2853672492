//! The rule set in force: kept in the store as the files it was made of, put in force at once and whole.
//!
//! Its life is in the folder beside this file: [`draft`] (proposed, approved), [`activation`] (in force, at once and
//! whole, or not at all), [`direct`] (one step, rollback and emergency), [`history`], and what people sign: [`act`],
//! [`people`], [`manifest`].

pub mod act;
pub mod activation;
pub mod content;
pub mod direct;
pub mod draft;
pub mod history;
pub mod manifest;
pub mod people;

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::{Engine, Files, RuleSet};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Store};

use crate::error::{Error, Result};
use crate::node::Node;
use crate::records;

use self::act::RuleSetRef;

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
    /// SHA-256 of its files, hex: where [`content`] has them.
    pub content: String,
    /// When it was applied, Unix seconds.
    pub applied: i64,
    /// SHA-256 of its canonical content.
    pub sha256: String,
}

/// The rule set that the store says is in force, or the one that ships with the node.
pub fn in_force(store: &Store) -> Result<RuleSet> {
    match records::get::<Applied>(store, Space::RuleSet, CURRENT)? {
        None => crate::boot::first_rules(),
        Some((applied, _)) => load(&content::get(store, &applied.content)?, applied.version),
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

/// A rule set that loads and whose own cases pass.
pub struct Checked {
    /// The engine that decides by it.
    pub engine: Arc<Engine>,
    /// How its test table went.
    pub tests: Value,
    /// Its files.
    pub files: content::Texts,
}

/// Checks files as a rule set and runs their tests, away from the threads that answer requests. A set with a failing case
/// is refused.
pub async fn checked(files: content::Texts, version: u64) -> Result<Checked> {
    let check = move || {
        let engine = Engine::new(load(&files, version)?).map_err(Error::internal)?;
        let tests = tested(&engine)?;
        if tests["failed"].as_u64() != Some(0) {
            return Err(Error::conflict(format!(
                "{} of the rule set's own cases fail, so it was not taken; `tram policy test` shows which",
                tests["failed"]
            )));
        }
        Ok(Checked { engine: Arc::new(engine), tests, files })
    };
    tokio::task::spawn_blocking(check).await.map_err(Error::internal)?
}

impl Checked {
    /// SHA-256 of the rules, hex.
    pub fn sha256(&self) -> String {
        self.engine.rule_set().digest().to_string()
    }

    /// What the caller should know although the rules can be taken.
    pub fn warnings(&self, node: &Node, now: i64) -> Result<Vec<String>> {
        let untested = self.tests["total"].as_u64() == Some(0);
        let mut warnings: Vec<String> = untested.then(|| UNTESTED.to_owned()).into_iter().collect();
        warnings.extend(crate::linkage::lacking(node, self.engine.rule_set()));
        warnings.extend(crate::lint::told(node, self.engine.rule_set(), now)?);
        Ok(warnings)
    }
}

/// The rule set in force, as acts and manifests name it.
pub fn base(node: &Node) -> RuleSetRef {
    named(node.gate.engine().rule_set())
}

fn named(rules: &RuleSet) -> RuleSetRef {
    RuleSetRef { version: rules.version(), sha256: rules.digest().to_string() }
}

fn archived(version: u64) -> Vec<u8> {
    format!("v/{version:020}").into_bytes()
}

/// An earlier rule set of this node, with its files.
pub fn earlier(node: &Node, version: u64) -> Result<(RuleSet, BTreeMap<String, String>)> {
    let Some((applied, _)) = records::get::<Applied>(&node.store, Space::RuleSet, &archived(version))? else {
        let built_in = crate::boot::first_rules()?;
        if built_in.version() == version {
            return Ok((built_in, built_in_files()));
        }
        return Err(Error::not_found(format!(
            "this node never had a rule set of version {version}; `tram policy history` lists those that it had"
        )));
    };
    let files = content::get(&node.store, &applied.content)?;
    Ok((load(&files, version)?, files))
}

/// The rule set that was in force at `at`, Unix seconds; the one that ships with the node where none was applied before.
pub fn in_force_at(node: &Node, at: i64) -> Result<RuleSet> {
    for version in (1..=node.gate.engine().rule_set().version()).rev() {
        let kept = records::get::<Applied>(&node.store, Space::RuleSet, &archived(version))?;
        if let Some((applied, _)) = kept.filter(|(applied, _)| applied.applied <= at) {
            return load(&content::get(&node.store, &applied.content)?, version);
        }
    }
    crate::boot::first_rules()
}

fn built_in_files() -> BTreeMap<String, String> {
    policy::builtin_files().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

/// Runs the test table of a rule set.
pub fn test(rules: RuleSet) -> Result<Value> {
    tested(&Engine::new(rules).map_err(Error::internal)?)
}

fn tested(engine: &Engine) -> Result<Value> {
    let rules = engine.rule_set();
    let report = match rules.fixture() {
        Some(registry) => policy::cases::run(engine, rules.cases(), registry),
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
        Some((applied, _)) => content::get(&node.store, &applied.content),
        None => Ok(built_in_files()),
    }
}
