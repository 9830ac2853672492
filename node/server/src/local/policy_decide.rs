//! `POST /v1/policy/decide`: many questions at once, as the gate would decide them now. Nothing is done and nothing is kept.
//!
//! It is the gate's own look at a question, so what stands here is what an exchange would meet; only the record in the
//! ledger is left out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::aside::aside;
use super::body::JsonBody;
use super::policy::Explain;
use crate::error::{Error, Result};
use crate::gate::Asked;
use crate::limits::QUESTIONS_AT_ONCE_MAX;
use crate::node::Node;
use crate::operation::{Actor, Operation};

/// Body of the call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Questions {
    /// At most 1,000, each as `POST /v1/policy/explain` takes one.
    questions: Vec<Explain>,
}

/// Decides every question at one and the same time. One that cannot be read refuses them all, by its place.
pub async fn decide(
    State(node): State<Arc<Node>>,
    JsonBody(body): JsonBody<Questions>,
) -> Result<Json<Value>> {
    let count = body.questions.len();
    if count > QUESTIONS_AT_ONCE_MAX {
        return Err(Error::TooLarge(format!(
            "{count} questions, at most {QUESTIONS_AT_ONCE_MAX} are decided at once: send the rest in a further call"
        )));
    }
    let operation = Operation::begin(Actor::Local, &node.clock);
    let (here, asker) = (Arc::clone(&node), operation);
    // A thousand decisions are too long for a thread that also answers others.
    aside(&here, move || {
        let all = body.questions.iter().zip(1_usize..).map(|(asked, place)| {
            one(&node, &asker, asked).map_err(|error| match error {
                Error::Usage(what) => Error::usage(format!("question {place}: {what}")),
                other => other,
            })
        });
        let decisions = all.collect::<Result<Vec<Value>>>()?;
        Ok(json!({"decisions": decisions}))
    })
    .await
}

fn one(node: &Node, operation: &Operation, body: &Explain) -> Result<Value> {
    let (action, standing) = body.standing(node, operation.now)?;
    let asked = Asked {
        subject: &body.subject,
        action,
        dataset: &body.dataset,
        purpose: body.purpose.as_deref(),
        basis: body.basis.as_deref(),
        agreement: standing.as_ref(),
        exchange: None,
    };
    let verdict = node.gate.look(node, operation, &asked)?;
    let grounds = &verdict.grounds;
    Ok(json!({"question": grounds.question, "facts": grounds.facts, "decision": verdict.decision}))
}
