//! Datasets on the local door: add, look, check, publish, withdraw.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::body::{JsonBody, Segments};
use crate::datasets::{self, Dataset, New};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::{Actor, Operation};

/// `GET /v1/datasets`: all, by name.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let views = datasets::all(&node)?.iter().map(view).collect::<Result<Vec<_>>>()?;
    Ok(Json(json!({"datasets": views})))
}

/// `POST /v1/datasets`: adds one from a file of this machine.
pub async fn add(
    State(node): State<Arc<Node>>,
    JsonBody(new): JsonBody<New>,
) -> Result<(StatusCode, Json<Value>)> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let added = datasets::add(&node, &operation, new).await?;
    Ok((StatusCode::CREATED, Json(answer(&node, &added.dataset, added.warnings)?)))
}

/// `GET /v1/datasets/{id}`
pub async fn show(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    let dataset = datasets::demand(&node, &id)?;
    Ok(Json(answer(&node, &dataset, advice(&dataset))?))
}

/// `POST /v1/datasets/{id}/validate`: reads the edited contract and checks the whole file against it.
pub async fn validate(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let before = datasets::demand(&node, &id)?;
    let dataset = datasets::validate(&node, &operation, &id).await?;
    let mut answer = answer(&node, &dataset, advice(&dataset))?;
    answer["changes"] = changes(&before, &dataset);
    Ok(Json(answer))
}

/// What a person changed in the contract: told as compatible or breaking, with each change by name.
fn changes(before: &Dataset, after: &Dataset) -> Value {
    // Of a contract that was never checked nobody relies on anything.
    if before.report.is_none() || before.record.contract_digest == after.record.contract_digest {
        return Value::Null;
    }
    let changes = catalog::contract::compare(&before.record, &after.record);
    json!({"breaking": changes.breaking(), "advice": changes.advice(), "list": changes.list})
}

/// `POST /v1/datasets/{id}/publish`: offers it in the catalog.
pub async fn publish(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let dataset = datasets::publish(&node, &operation, &id).await?;
    Ok(Json(answer(&node, &dataset, advice(&dataset))?))
}

/// `POST /v1/datasets/{id}/withdraw`: takes it out of the catalog.
pub async fn withdraw(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let dataset = datasets::withdraw(&node, &operation, &id).await?;
    Ok(Json(answer(&node, &dataset, Vec::new())?))
}

fn advice(dataset: &Dataset) -> Vec<String> {
    dataset.record.advice().iter().map(ToString::to_string).collect()
}

fn answer(node: &Node, dataset: &Dataset, warnings: Vec<String>) -> Result<Value> {
    Ok(json!({
        "dataset": view(dataset)?,
        "contract": dataset.contract_path(node).display().to_string(),
        "warnings": warnings,
        "report": dataset.report,
    }))
}

/// The record itself, with the rows that the last check counted.
fn view(dataset: &Dataset) -> Result<Value> {
    let mut view = serde_json::to_value(&dataset.record).map_err(Error::internal)?;
    if let Some(members) = view.as_object_mut() {
        members.insert("rows".to_owned(), json!(dataset.report.as_ref().map(|r| r.rows)));
        members.insert("data_class".to_owned(), json!(dataset.record.data_class));
        members.insert("receipt_first".to_owned(), json!(dataset.record.receipt_first));
        members.insert("append_by".to_owned(), json!(dataset.record.append_by));
        members.insert("in_place".to_owned(), json!(dataset.in_place));
    }
    Ok(view)
}
