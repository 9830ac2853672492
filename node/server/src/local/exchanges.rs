//! Exchanges on the local door: begin, look, wait, take home.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use store::Space;

use super::body::{JsonBody, Params, Segments};
use crate::decisions;
use crate::error::{Error, Result};
use crate::flow::consumer::How;
use crate::flow::evidence::CommittedValues;
use crate::flow::terms::Stated;
use crate::flow::{self, consumer, copies, erasure, view};
use crate::limits;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::query::{QueryDoc, parse_condition, parse_measure, parse_order};
use crate::records::{self, Ask, Exchange};

/// Body of `POST /v1/exchanges`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    participant: String,
    dataset: String,
    purpose: Option<String>,
    basis: Option<String>,
    #[serde(default)]
    action: Option<String>,
    /// For which unit, in which role, with which clearance and for use where; names with or without their prefix.
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    clearance: Option<u8>,
    #[serde(default)]
    place: Option<String>,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default, rename = "where")]
    filter: Vec<String>,
    #[serde(default)]
    group_by: Vec<String>,
    #[serde(default)]
    measures: Vec<String>,
    #[serde(default)]
    distinct: bool,
    #[serde(default)]
    order_by: Vec<String>,
    #[serde(default)]
    limit: Option<u64>,
    /// The same as a text in a small part of SQL, instead of the seven before.
    #[serde(default)]
    sql: Option<String>,
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    queue: bool,
    /// Make a new agreement although one stands, for example on a newer version of the contract.
    #[serde(default)]
    renew: bool,
    /// Rows of a copy that is kept current: `none` for the first, the id of the exchange that brought the copy, or `last`.
    #[serde(default)]
    since: Option<String>,
    /// What both ledgers hold commitments to: who asks, about whom, in which case.
    #[serde(default)]
    committed: CommittedValues,
}

/// `POST /v1/exchanges`: begins an exchange and answers with it at once.
pub async fn start(State(node): State<Arc<Node>>, JsonBody(body): JsonBody<Start>) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    let stated = stated(&body)?;
    let action = body.action.unwrap_or_else(|| "query".to_owned());
    let doc = QueryDoc {
        action: action.clone(),
        format: body.format.unwrap_or_else(|| "csv".to_owned()),
        columns: body.columns,
        filter: body
            .filter
            .iter()
            .map(|f| parse_condition(f))
            .collect::<std::result::Result<_, _>>()
            .map_err(Error::Usage)?,
        measures: body
            .measures
            .iter()
            .map(|m| parse_measure(m))
            .collect::<std::result::Result<_, _>>()
            .map_err(Error::Usage)?,
        distinct: body.distinct,
        order_by: body.order_by.iter().map(|order| parse_order(order)).collect(),
        limit: body.limit,
        ..QueryDoc::default()
    }
    .with_groups(&body.group_by);
    let doc = match &body.sql {
        None => doc,
        Some(_) if doc.asks() => {
            return Err(Error::usage(
                "say it in SQL or with columns, where, group_by, measures, distinct, order_by and limit, not both",
            ));
        }
        Some(sql) => doc.with_sql(sql, &body.dataset).map_err(Error::Usage)?,
    };
    let mut doc = doc;
    doc.since = body.since.clone();
    let mut ask = Ask {
        action,
        purpose: body.purpose,
        basis: body.basis,
        query: serde_json::to_value(&doc).map_err(Error::internal)?,
        stated,
    };
    if doc.since.as_deref() == Some("last") {
        doc.since = Some(copies::last(&node, &body.participant, &body.dataset, &ask)?);
    }
    doc.check().map_err(Error::Usage)?;
    let query = serde_json::to_value(&doc).map_err(Error::internal)?;
    ask.query = query;
    let exchange = consumer::begin(
        &node,
        &operation,
        &body.participant,
        &body.dataset,
        ask,
        &body.committed,
        How { queue: body.queue, renew: body.renew, ..How::default() },
    )
    .await?;
    Ok(Json(view::exchange(&node, &exchange)?))
}

fn stated(body: &Start) -> Result<Stated> {
    fn named<T>(
        what: &str,
        text: Option<&String>,
        prefix: &str,
        read: impl Fn(&str) -> std::result::Result<T, policy::IdError>,
    ) -> Result<Option<T>> {
        let name = text.map(|text| read(text.strip_prefix(prefix).unwrap_or(text)));
        name.transpose().map_err(|e| Error::usage(format!("{what}: {e}")))
    }
    Ok(Stated {
        unit: named("unit", body.unit.as_ref(), "un:", policy::UnitId::named)?,
        role: named("role", body.role.as_ref(), "ro:", policy::RoleId::named)?,
        clearance: policy::Class::try_from(body.clearance.unwrap_or(0))
            .map_err(|e| Error::usage(format!("clearance: {e}")))?,
        place: named("place", body.place.as_ref(), "pl:", policy::PlaceId::named)?,
    })
}

/// `GET /v1/exchanges`: the newest first.
pub async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>> {
    let mut found: Vec<Exchange> =
        records::all(&node.store, Space::Exchange, b"")?.into_iter().map(|(_, e)| e).collect();
    found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
    found.truncate(limits::LIST_PAGE);
    let views: Vec<Value> = found.iter().map(|e| view::exchange(&node, e)).collect::<Result<_>>()?;
    Ok(Json(json!({"exchanges": views})))
}

/// Query of `GET /v1/exchanges/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Seconds to wait for another stage than `seen`.
    #[serde(default)]
    wait: u64,
    /// The stage that the caller knows.
    #[serde(default)]
    seen: String,
}

/// `GET /v1/exchanges/{id}`: one exchange; with `wait`, answers when it is at another stage than `seen`.
pub async fn show(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    Params(look): Params<Look>,
) -> Result<Json<Value>> {
    let until = tokio::time::Instant::now() + Duration::from_secs(look.wait.min(limits::LOOK_SECONDS_MAX));
    let mut changed = node.changed.subscribe();
    loop {
        let exchange = find(&node, &id)?;
        let waits = exchange.stage.word() == look.seen && !exchange.stage.is_final();
        if !waits || tokio::time::Instant::now() >= until {
            return Ok(Json(view::exchange(&node, &exchange)?));
        }
        let _ = tokio::time::timeout_at(until, changed.changed()).await;
    }
}

/// An exchange of this node, on either side.
pub fn find(node: &Node, id: &str) -> Result<Exchange> {
    if let Some((exchange, _)) =
        records::get::<Exchange>(&node.store, Space::Exchange, &records::consumer_key(id))?
    {
        return Ok(exchange);
    }
    let here = records::all::<Exchange>(&node.store, Space::Exchange, b"p/")?;
    let found = here.into_iter().map(|(_, e)| e).find(|e| e.id == id);
    found.ok_or_else(|| Error::not_found(format!("no exchange `{id}` here; `tram exchange list` shows them")))
}

/// Query of `POST /v1/exchanges/{id}/resume`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Fetch at once, outside the hours of big transfers too.
    #[serde(default)]
    any_hour: bool,
}

/// `POST /v1/exchanges/{id}/resume`: tries at once what waits for the network.
pub async fn resume(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    Params(how): Params<Resume>,
) -> Result<Json<Value>> {
    flow::resume(&node, &find(&node, &id)?, how.any_hour).await?;
    Ok(Json(view::exchange(&node, &find(&node, &id)?)?))
}

/// Body of `POST /v1/exchanges/{id}/erase`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    reason: String,
}

/// `POST /v1/exchanges/{id}/erase`: destroys what opens the commitments of an exchange, for good.
pub async fn erase(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    JsonBody(body): JsonBody<Erase>,
) -> Result<Json<Value>> {
    let operation = Operation::begin(Actor::Local, &node.clock);
    erasure::erase(&node, &operation, &find(&node, &id)?, &body.reason).await.map(Json)
}

/// Body of `POST /v1/exchanges/{id}/handover`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    says: Option<String>,
}

/// `POST /v1/exchanges/{id}/handover`: what the auditor needs besides the files of the inbox.
pub async fn handover(
    State(node): State<Arc<Node>>,
    Segments(id): Segments<String>,
    JsonBody(body): JsonBody<HandOver>,
) -> Result<Json<Value>> {
    flow::escrow::hand_over(&node, &find(&node, &id)?, body.says).await.map(Json)
}

/// `GET /v1/exchanges/{id}/receipts/{side}`: a receipt as a tlog-proof file.
pub async fn receipt(
    State(node): State<Arc<Node>>,
    Segments((id, side)): Segments<(String, String)>,
) -> Result<Response> {
    let exchange = find(&node, &id)?;
    let bytes = crate::flow::receipts::read(&node, &exchange, &side)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], bytes).into_response())
}

/// `GET /v1/exchanges/{id}/decisions`: what this node decided about an exchange, with question, facts and answer.
pub async fn decisions(State(node): State<Arc<Node>>, Segments(id): Segments<String>) -> Result<Json<Value>> {
    let exchange = find(&node, &id)?;
    let decisions: Vec<Value> = decisions::of(&node, &exchange)?.iter().map(decisions::view).collect();
    let erased = exchange.erasure.as_ref().and_then(|leaf| leaf.index);
    Ok(Json(json!({"exchange": id, "decisions": decisions, "erased": erased})))
}

/// `GET /v1/exchanges/{id}/decisions/{entry}`: the receipt of a decision, as a tlog-proof file.
pub async fn decision(
    State(node): State<Arc<Node>>,
    Segments((id, entry)): Segments<(String, u64)>,
) -> Result<Response> {
    let bytes = decisions::receipt(&node, &find(&node, &id)?, entry).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], bytes).into_response())
}
