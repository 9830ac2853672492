//! Lint on the local door: what can be told about rules without asking them anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use policy::RuleSet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::aside::aside;
use super::body::{JsonBody, Params, RulesBody};
use crate::error::Result;
use crate::node::Node;
use crate::{gate, lint, rules};

/// Query of `GET /v1/policy/lint`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// An earlier version.
    version: Option<u64>,
    /// Days without a match after which a rule is named.
    unmatched_days: Option<u32>,
}

/// `GET /v1/policy/lint`: looks over the rule set in force, or an earlier one, with what the node knows.
pub async fn in_force(State(node): State<Arc<Node>>, Params(which): Params<Which>) -> Result<Json<Value>> {
    let load = move |node: &Node| {
        let engine = node.gate.engine();
        match which.version.filter(|version| *version != engine.rule_set().version()) {
            Some(version) => rules::earlier(node, version),
            None => Ok((engine.rule_set().clone(), rules::files(node)?)),
        }
    };
    look_over(node, load, which.unmatched_days).await
}

/// Body of `POST /v1/policy/lint`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Texts of the files, by name.
    files: BTreeMap<String, String>,
    /// Days without a match after which a rule is named.
    unmatched_days: Option<u32>,
}

/// `POST /v1/policy/lint`: looks over files that are not in force. Nothing is kept.
pub async fn draft(State(node): State<Arc<Node>>, JsonBody(body): RulesBody<Draft>) -> Result<Json<Value>> {
    let Draft { files, unmatched_days } = body;
    let load = move |node: &Node| {
        let rules = rules::load(&files, node.gate.engine().rule_set().version() + 1)?;
        Ok((rules, files))
    };
    look_over(node, load, unmatched_days).await
}

/// What can be told about rules and the files that they were made of.
pub(super) async fn look_over(
    node: Arc<Node>,
    load: impl FnOnce(&Node) -> Result<(RuleSet, BTreeMap<String, String>)> + Send + 'static,
    unmatched_days: Option<u32>,
) -> Result<Json<Value>> {
    let (here, now) = (Arc::clone(&node), node.clock.now());
    let work = move || -> Result<Value> {
        let (rules, files) = load(&node)?;
        let context = lint::context(&node, &rules, &files, now, unmatched_days)?;
        let report = policy::lint::lint(&rules, &context);
        Ok(json!({"rule_set": gate::described(&rules), "lint": report}))
    };
    // Seconds of work with many rules: not on a thread that others wait for.
    aside(&here, work).await
}
