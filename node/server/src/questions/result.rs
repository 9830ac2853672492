//! The result of a question: the answers joined into one file, and the report that says where each row is from.
//!
//! Promise: the same answers give the same file. The file is durable before the report says that it is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataplane::{Format, JoinKind, Joining, OutputFormat, Source, Step, Table};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::document::{Place, SourceDoc};
use super::{Question, Stage, own_reads, pseudonyms};
use crate::error::{Error, Result};
use crate::flow::{consumer, retention};
use crate::node::Node;
use crate::operation::{Actor, Operation, rfc3339};
use crate::records::Exchange;
use crate::represent::{Representation, formats};
use crate::sources::live;
use crate::{datasets, enforce, files, limits};

/// What came of a source: its exchange (none for a dataset of this node), or why it is missing.
pub type Part<'q> = (&'q SourceDoc, std::result::Result<Option<Box<Exchange>>, String>);

/// Where the result lies once there is one.
pub fn file(node: &Node, id: &str) -> PathBuf {
    node.dir.join("received").join(format!("question-{id}"))
}

/// The result as a file that does not change any more.
///
/// # Errors
/// [`Error::Conflict`] while there is none, or none any more.
pub fn held(node: &Node, question: &Question) -> Result<Representation> {
    let told = question.report.as_ref().map(|report| &report["result"]);
    let sha256 = told.and_then(|told| files::unhex::<32>(told["sha256"].as_str()?));
    let bytes = told.and_then(|told| told["bytes"].as_u64());
    let (Stage::Completed, Some(sha256), Some(bytes)) = (question.stage, sha256, bytes) else {
        let (id, stage) = (&question.id, question.stage.word());
        return Err(Error::conflict(format!("question `{id}` has no result: it is {stage}")));
    };
    let form = formats::output(&question.doc.format);
    Ok(Representation {
        path: file(node, &question.id),
        bytes,
        sha256,
        media_type: form.media_type(),
        file_name: format!("question-{}.{}", question.id, formats::extension(form)),
    })
}

/// Joins what came, and gives the report.
pub async fn make(node: &Arc<Node>, question: &Question, parts: Vec<Part<'_>>) -> Result<Value> {
    let here =
        || parts.iter().filter_map(|(source, part)| part.as_ref().ok().map(|e| (*source, e.as_deref())));
    let null = Value::Null;
    let duties = here().map(|(source, exchange)| {
        let agreement = exchange.and_then(|e| e.agreement.as_deref());
        (source, (exchange.map_or(&null, |e| &e.obligations), agreement))
    });
    pseudonyms::joinable(duties)?;
    let mut tables = Vec::new();
    for (source, exchange) in here() {
        tables.push((source, table(node, question, source, exchange).await?));
    }
    let mut tables = tables.into_iter();
    let (_, first) = tables.next().ok_or_else(|| Error::conflict("no source answered"))?;
    let steps = tables.map(|(source, table)| Ok(Step { table, kind: source.join, on: source.keys()? }));
    let joining = Joining {
        first,
        steps: steps.collect::<Result<_>>()?,
        columns: question.doc.columns.clone(),
        format: formats::output(&question.doc.format),
        limits: dataplane::Limits { timeout: limits::VIEW_TIMEOUT, ..dataplane::Limits::default() },
        correlation: question.id.clone(),
    };
    let _place = node.views.acquire().await.map_err(Error::internal)?;
    let joined = dataplane::join(joining).await.map_err(|error| match error {
        dataplane::DataError::Query(why) => Error::usage(why),
        dataplane::DataError::Quota { .. } => Error::usage(error.to_string()),
        other => Error::internal(other),
    })?;
    let path = file(node, &question.id);
    let mut answer = joined.answer;
    write(&path, &mut answer).await?;
    let columns: Vec<Value> = answer
        .schema()
        .columns()
        .iter()
        .map(|c| json!({"name": c.name, "type": c.kind.to_string()}))
        .collect();
    let mut gaps = joined.gaps.iter();
    let sources: Vec<Value> = parts
        .iter()
        .map(|(source, part)| {
            let entry = || own_reads::entry(node, &question.id, &source.name);
            reported(source, part, part.as_ref().ok().and_then(|_| gaps.next()), entry)
        })
        .collect();
    let missing = parts.iter().filter(|(_, part)| part.is_err()).count();
    Ok(json!({
        "question": question.id,
        "title": question.doc.title,
        "result": {
            "rows": joined.rows,
            "bytes": answer.outcome().bytes,
            "sha256": files::sha256_of(&path)?,
            "format": question.doc.format,
            "columns": columns,
        },
        "complete": missing == 0,
        "sources": sources,
        "obligations": holding(here().filter_map(|(source, exchange)| Some((source, exchange?)))),
    }))
}

/// The answer of one source as a table, with the schema that it says itself.
async fn table(
    node: &Arc<Node>,
    question: &Question,
    source: &SourceDoc,
    exchange: Option<&Exchange>,
) -> Result<Table> {
    let path = match exchange {
        Some(exchange) => consumer::received_file(node, &exchange.id),
        None => own(node, question, source).await?,
    };
    if !path.exists() {
        let name = &source.name;
        return Err(Error::conflict(format!(
            "dữ liệu của `{name}` không còn ở đây, hãy hỏi lại · the rows of `{name}` are no longer here; ask anew"
        )));
    }
    let looked = path.clone();
    let looked = tokio::task::spawn_blocking(move || dataplane::inspect(&looked, Some(&Format::Parquet)));
    let found = looked.await.map_err(Error::internal)?;
    let found =
        found.map_err(|e| Error::Peer(format!("the answer of `{}` cannot be read: {e}", source.name)))?;
    Ok(Table {
        name: source.name.clone(),
        source: Source { path, format: found.format },
        schema: found.schema,
    })
}

/// The answer of a dataset of this node, under the owner's own permit. The ledger says so before anything is read.
async fn own(node: &Arc<Node>, question: &Question, source: &SourceDoc) -> Result<PathBuf> {
    let me = node.config.node.id.as_str();
    let Place::Own(name) = source.place(me)? else {
        return Err(Error::internal("a peer's source without exchange"));
    };
    // Questions come through the local door alone; after a restart they are still its own.
    let operation = Operation::begin(Actor::Local, &node.clock);
    let permit = node.gate.own(&operation, node, name)?;
    let dataset = datasets::demand(node, name)?;
    datasets::unchanged(&dataset)?;
    own_reads::record(node, &operation, question, source, &permit).await?;
    let copy = enforce::Copy { exchange: &question.id, consumer: me, agreement: "", now: operation.now };
    let restriction = enforce::restriction(&permit, &dataset, &node.secrets(), &copy)?;
    let schema = dataset.schema()?;
    let visible = dataplane::visible_schema(&schema, &restriction).map_err(Error::internal)?;
    // Logins to origins are bounded by the places for views.
    let _place = node.views.acquire().await.map_err(Error::internal)?;
    let mut job = dataplane::Job {
        source: dataset.source(),
        schema,
        restriction,
        query: enforce::query(&source.query(me)?, &visible)?,
        format: OutputFormat::Parquet,
        limits: dataplane::Limits { timeout: limits::VIEW_TIMEOUT, ..dataplane::Limits::default() },
        correlation: question.id.clone(),
    };
    let path = file(node, &format!("{}-{}", question.id, source.name));
    // Told in `tram source show`; the question ends, since each look would read the source anew.
    let live = live::read(node, &dataset, &job, path.with_extension("rows")).await;
    let live = live.map_err(|error| Error::conflict(error.to_string()))?;
    if let Some(live) = &live {
        job.source = live.source();
    }
    let mut answer = dataplane::run(job).await.map_err(|error| match error {
        dataplane::DataError::Query(_) | dataplane::DataError::NotVisible { .. } => {
            Error::usage(error.to_string())
        }
        other => Error::internal(other),
    })?;
    write(&path, &mut answer).await?;
    if let Some(live) = live {
        live.done();
    }
    Ok(path)
}

/// Removes what was read of own datasets for a question; what cannot be removed is logged, it is removed with the question.
pub fn clean(node: &Node, question: &Question) {
    for source in &question.doc.sources {
        if let Err(error) = clear(&file(node, &format!("{}-{}", question.id, source.name))) {
            tracing::warn!(question = question.id, %error, "what was read of an own dataset could not be removed");
        }
    }
}

/// Removes the result and everything that making it left.
///
/// # Errors
/// [`Error::Io`] when something of it stays.
pub fn destroy(node: &Node, question: &Question) -> Result<()> {
    clear(&file(node, &question.id))?;
    let mut parts = question.doc.sources.iter().map(|source| format!("{}-{}", question.id, source.name));
    parts.try_for_each(|part| clear(&file(node, &part)))
}

/// Removes a file that [`write`] made, with what it is made from.
fn clear(path: &Path) -> Result<()> {
    files::remove(&path.with_extension("part"))?;
    files::remove_folder(&path.with_extension("rows"))?;
    files::remove(path)
}

/// Writes an answer beside its place and moves it there whole.
async fn write(path: &Path, answer: &mut dataplane::Answer) -> Result<()> {
    let part = path.with_extension("part");
    let told = |e| Error::io(&part, e);
    let mut sink = tokio::fs::File::create(&part).await.map_err(told)?;
    while let Some(bytes) = answer.next_bytes().await {
        sink.write_all(&bytes.map_err(|e| Error::usage(e.to_string()))?).await.map_err(told)?;
    }
    sink.sync_all().await.map_err(told)?;
    std::fs::rename(&part, path).map_err(|e| Error::io(path, e))
}

/// What the report says of one source. `gap`: rows of the result that it has no part in; `entry`: that of an own dataset.
fn reported(
    source: &SourceDoc,
    part: &std::result::Result<Option<Box<Exchange>>, String>,
    gap: Option<&u64>,
    entry: impl FnOnce() -> Option<u64>,
) -> Value {
    let mut told = json!({
        "name": source.name,
        "from": source.from,
        "purpose": source.purpose,
        "basis": source.basis,
        "optional": source.optional,
        "join": (!source.on.is_empty()).then(|| json!({"how": join_word(source.join), "on": source.on})),
        "rows_without": gap,
    });
    let more = match part {
        Err(why) => json!({"state": "missing", "why": why}),
        Ok(None) => {
            json!({"state": "own", "statement": entry(), "why": "bộ dữ liệu của chính nút này · a dataset of this node, read by its owner; nothing left any node"})
        }
        Ok(Some(exchange)) => json!({
            "state": "answered",
            "exchange": exchange.id,
            "agreement": exchange.agreement,
            "obligations": exchange.obligations,
            "rows": exchange.rows,
            "sha256": exchange.sha256,
            "statement": exchange.statement.as_ref().and_then(|leaf| leaf.index),
            "receipts": exchange.receipts.iter()
                .map(|side| format!("/v1/exchanges/{}/receipts/{side}", exchange.id)).collect::<Vec<_>>(),
            "data": format!("/v1/exchanges/{}/data", exchange.id),
            "delete_by": retention::delete_by(exchange).map(rfc3339),
        }),
    };
    if let (Some(told), Some(more)) = (told.as_object_mut(), more.as_object()) {
        told.extend(more.clone());
    }
    told
}

fn join_word(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "inner",
        JoinKind::Left => "left",
        JoinKind::Full => "full",
    }
}

/// The obligations that hold for the result, too: what was promised of a part is promised of the whole.
fn holding<'a>(parts: impl Iterator<Item = (&'a SourceDoc, &'a Exchange)>) -> Value {
    let (mut onward, mut delete_by, mut encrypt) = (Vec::new(), None::<i64>, 0);
    for (source, exchange) in parts {
        if exchange.obligations["no_onward"] == json!(true) {
            onward.push(source.name.clone());
        }
        let by = retention::delete_by(exchange);
        delete_by = [delete_by, by].into_iter().flatten().min();
        encrypt = encrypt.max(exchange.obligations["encrypt"].as_u64().unwrap_or(0));
    }
    json!({"no_onward": onward, "delete_by": delete_by.map(rfc3339), "encrypt": encrypt})
}
