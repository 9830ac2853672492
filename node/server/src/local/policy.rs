//! Rules on the local door: show them, put others in force, ask why.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use policy::Action;
use serde::Deserialize;
use serde_json::{Value, json};

use super::aside::to_the_end;
use super::body::{JsonBody, Params, RulesBody};
use crate::error::{Error, Result};
use crate::flow::agreement::{self, Standing};
use crate::gate::{self, Asked};
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::privacy;
use crate::rules::act::SignedAct;
use crate::rules::{self, direct};

/// Query of `GET /v1/policy`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// An earlier version.
    version: Option<u64>,
}

/// `GET /v1/policy`: the rule set in force, or an earlier one, with the files it was made of.
pub async fn show(State(node): State<Arc<Node>>, Params(which): Params<Which>) -> Result<Json<Value>> {
    let in_force = node.gate.describe();
    let Some(version) = which.version.filter(|version| json!(version) != in_force["version"]) else {
        return Ok(Json(json!({"rule_set": in_force, "files": rules::files(&node)?})));
    };
    let (rules, files) = rules::earlier(&node, version)?;
    Ok(Json(json!({"rule_set": gate::described(&rules), "files": files})))
}

/// Body of `POST /v1/policy`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// Texts of the files, by name.
    files: BTreeMap<String, String>,
    /// Somebody's signature that this is an emergency.
    #[serde(default)]
    emergency: Option<SignedAct>,
}

/// `POST /v1/policy`: checks and tests the files, and puts them in force. Rules without cases are put in force with a
/// warning. Once somebody may approve, only what forbids more in an emergency goes this way.
pub async fn apply(State(node): State<Arc<Node>>, JsonBody(body): RulesBody<Apply>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let work = async move {
        match body.emergency {
            Some(signed) => direct::tighten(&node, &operation, body.files, signed).await,
            None => direct::apply(&node, &operation, body.files).await,
        }
    };
    to_the_end(work).await.map(Json)
}

/// Body of `POST /v1/policy/explain`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    pub(super) subject: String,
    pub(super) dataset: String,
    pub(super) action: String,
    #[serde(default)]
    pub(super) purpose: Option<String>,
    #[serde(default)]
    pub(super) basis: Option<String>,
    #[serde(default)]
    agreement: Option<String>,
}

/// `POST /v1/policy/explain`: what would be decided now, by which rules, and what would change it. Nothing is done and
/// nothing is kept.
pub async fn explain(
    State(node): State<Arc<Node>>,
    JsonBody(body): JsonBody<Explain>,
) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let (action, standing) = body.standing(&node, operation.now)?;
    let asked = Asked {
        subject: &body.subject,
        action,
        dataset: &body.dataset,
        purpose: body.purpose.as_deref(),
        basis: body.basis.as_deref(),
        agreement: standing.as_ref(),
        exchange: None,
    };
    let (question, facts) = gate::question(&node, &operation, &asked)?;
    let explanation = node.gate.engine().explain(&question, &facts, &[]);
    let outcome = outcome(&node, &operation, &asked)?;
    Ok(Json(json!({"question": question, "facts": facts, "explanation": explanation, "outcome": outcome})))
}

/// What the node would do: rules, what both signed, approvals of people, quotas, and what the dataset can be shown as.
fn outcome(node: &Node, operation: &Operation, asked: &Asked<'_>) -> Result<Value> {
    let verdict = node.gate.look(node, operation, asked)?;
    let effect = match (verdict.refusal().is_none(), verdict.waits_for().is_empty()) {
        (true, _) => "permit",
        (false, false) => "wait",
        (false, true) => "refuse",
    };
    let fit = match verdict.decision.is_permit() {
        true => gate::fit(node, operation.now, asked, verdict.owed())?.err(),
        false => None,
    };
    Ok(json!({
        "effect": effect,
        "obligations": verdict.owed(),
        "waits_for": verdict.waits_for(),
        "refusal": verdict.refusal(),
        "detail": fit,
        "privacy": privacy::told(node, asked.subject, asked.dataset, verdict.owed(), operation.now)?,
    }))
}

impl Explain {
    /// The action, and the agreement under which it is asked: the one that is named, or the one that would be negotiated.
    pub(super) fn standing(&self, node: &Node, now: i64) -> Result<(Action, Option<Standing>)> {
        let action = Action::read(&self.action).ok_or_else(|| {
            let known = Action::ALL.map(Action::written).join(", ");
            Error::usage(format!("`{}` is no action; use one of {known}", self.action.escape_debug()))
        })?;
        let standing = match self.agreement.as_deref() {
            Some(id) => Some(agreement::find(node, id)?.ok_or_else(|| {
                Error::not_found(format!(
                    "no agreement `{id}` here; leave it out to ask as if one were negotiated"
                ))
            })?),
            None if action.moves_content() => Some(negotiated(node, self, now)),
            None => None,
        };
        Ok((action, standing))
    }
}

/// The agreement that the asker would propose: what moves data is asked for under one, and the node decides about it as if
/// both had signed.
fn negotiated(node: &Node, body: &Explain, now: i64) -> Standing {
    Standing {
        purposes: body.purpose.iter().cloned().collect(),
        basis: body.basis.clone(),
        ..Standing::proposed(node, &body.subject, &body.dataset, now)
    }
}
