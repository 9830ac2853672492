//! Rows for who has no node: one question at the public door, decided, recorded and answered in one go.
//!
//! **What it is.** A party asks with its key, or the public without one. The same gate, the same governed view and the same
//! ledger as for peers: the decision, the intent and the exchange are entries, the answer's digest is committed to, quotas
//! and privacy budgets are paid. There is no agreement (the key says purpose and basis) and no signature of the consumer:
//! what was asked is noted by this node and signed by it, so a receipt proves what this node gave, not that the other side
//! took it.
//!
//! **What it is not.** No protocol: what a machine asks over and over with states and resumption is an exchange between
//! nodes or connectors.
//!
//! Rows lie as one file in the exchange's folder of the spool and are swept with it. A process that ends between intent and
//! outcome leaves an exchange that is closed at the next start ([`settle`]).

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certs::message::SignatureEvidence;
use dataplane::{ChunkWriter, OutputFormat, SpoolReader};
use ed25519_dalek::Signer as _;
use exchange::manifest::Column;
use ledger::statement::{Decision, SignedStatement, Statement};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Digest as _;
use store::{Space, Tx};
use tokio::io::AsyncWriteExt as _;

use super::provider::No;
use super::statement::Slot;
use super::{change, evidence, job, produce, statement};
use crate::approvals;
use crate::error::{Error, Result};
use crate::gate::{Asked, Permit};
use crate::node::Node;
use crate::operation::Operation;
use crate::public::Caller;
use crate::query::QueryDoc;
use crate::records::{self, Ask, Exchange, Side, Stage};
use crate::releases::{self, Release, What};
use crate::usage::{self, Made};
use crate::versions::contracts;
use crate::{datasets, files, limits, parties, privacy};

/// How a direct exchange was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direct {
    /// SHA-256 of the party's key, hex; none for the public. A key that was taken back ends what it began.
    pub key: Option<String>,
}

/// What was given, and where it lies.
#[derive(Debug, Clone)]
pub struct Given {
    /// Id of the exchange.
    pub exchange: String,
    /// The columns of the answer.
    pub columns: Vec<Column>,
    /// How many rows.
    pub rows: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Version of the dataset.
    pub version: u32,
    /// The file, in the format that was asked for.
    pub file: PathBuf,
}

/// What is kept beside the file: all that the answer's commitment is over.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    exchange: String,
    dataset: String,
    version: u32,
    format: String,
    columns: Vec<Column>,
    rows: u64,
    bytes: u64,
    sha256: String,
    obligations: serde_json::Value,
}

const ROWS: &str = "rows";
const NOTE: &str = "note.json";

/// Decides about a question, makes the rows, records the exchange; the rows lie in a file when this returns.
///
/// # Errors
/// [`Error::NotFound`] for a dataset that is not there or that the caller may not discover, in the same words;
/// [`Error::Refused`] with the rules' reason; [`Error::Usage`] for a question that cannot be answered.
pub async fn rows(
    node: &Arc<Node>,
    operation: &Operation,
    caller: &Caller,
    dataset: &str,
    query: QueryDoc,
) -> Result<Given> {
    let (node, operation, caller) = (node.clone(), operation.clone(), caller.clone());
    let dataset = dataset.to_owned();
    // Who hangs up leaves nothing half-way: what was begun comes to its outcome.
    to_the_end(async move {
        let begun = begin(&node, &operation, &caller, &dataset, query).await?;
        let key = begun.exchange.key();
        let done = make_rows(&node, &operation, &begun).await;
        finish(&node, &operation, &key, done).await
    })
    .await
}

/// Does work that must not stop in the middle, also when the caller hangs up.
async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.map_err(Error::internal)?
}

/// What was given to this caller before under this exchange: the gate is asked again.
///
/// # Errors
/// As [`rows`]; [`Error::NotFound`] as well for what has expired or was another caller's.
pub fn again(node: &Node, operation: &Operation, caller: &Caller, exchange: &str) -> Result<Given> {
    let gone = || Error::not_found("this answer is not kept any more; ask again from the beginning");
    let key = records::provider_key(&caller.subject, exchange);
    let (found, _) = records::get::<Exchange>(&node.store, Space::Exchange, &key)?.ok_or_else(gone)?;
    let same = found.direct.as_ref().is_some_and(|direct| direct.key == caller.key);
    if !same || found.stage != Stage::Completed {
        return Err(gone());
    }
    let permit = permitted_now(node, operation, &found)?.map_err(told)?.0;
    if !produce::keeps(&found.obligations, &permit) {
        return Err(Error::Refused(Box::new(super::provider::rules_changed())));
    }
    let folder = produce::folder(node, &found);
    let bytes = std::fs::read(folder.join(NOTE)).map_err(|_| gone())?;
    let note: Note = serde_json::from_slice(&bytes).map_err(|_| gone())?;
    let file = folder.join(ROWS);
    if !file.exists() {
        return Err(gone());
    }
    Ok(given(note, file))
}

fn given(note: Note, file: PathBuf) -> Given {
    Given {
        exchange: note.exchange,
        columns: note.columns,
        rows: note.rows,
        bytes: note.bytes,
        version: note.version,
        file,
    }
}

/// Parquet files of a caller's rows with short-lived addresses: made if there are none of the same question under the same
/// rules that are still good.
///
/// # Errors
/// As [`rows`]; [`Error::Conflict`] where the rules demand what files cannot keep.
pub async fn release(
    node: &Arc<Node>,
    operation: &Operation,
    caller: &Caller,
    dataset: &str,
    query: QueryDoc,
) -> Result<Release> {
    release_of(node, operation, caller, dataset, query, &What::Present).await
}

/// The same of other rows than those that are served now.
///
/// # Errors
/// As [`release`].
pub async fn release_of(
    node: &Arc<Node>,
    operation: &Operation,
    caller: &Caller,
    dataset: &str,
    query: QueryDoc,
    what: &What,
) -> Result<Release> {
    let (node, operation, caller) = (node.clone(), operation.clone(), caller.clone());
    let (dataset, what) = (dataset.to_owned(), what.clone());
    to_the_end(async move { released(&node, &operation, &caller, &dataset, query, &what).await }).await
}

async fn released(
    node: &Arc<Node>,
    operation: &Operation,
    caller: &Caller,
    dataset: &str,
    query: QueryDoc,
    what: &What,
) -> Result<Release> {
    let at = same_question(node, caller, dataset, (&query, what))?;
    let _turn = node.locks.lock(&at).await;
    // What is read from its source at each question is made at each.
    let held = datasets::find(node, dataset)?;
    let live = held.map(|held| crate::sources::live::described(node, &held)).transpose()?.flatten();
    if live.is_none()
        && let Some((id, _)) = records::get::<String>(&node.store, Space::Meta, &at)?
        && let Some(release) = standing(node, operation, caller, &id, what).await?
    {
        return Ok(release);
    }
    let begun = begin(node, operation, caller, dataset, query).await?;
    let key = begun.exchange.key();
    let made = make_release(node, operation, &begun, what).await;
    let release = finish(node, operation, &key, made).await?;
    let tx = Tx::new().put_json(Space::Meta, at.clone(), &begun.exchange.id).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(release)
}

/// Key under which the exchange of a question's files is found again: what the rows depend on besides the rules.
fn same_question(
    node: &Node,
    caller: &Caller,
    dataset: &str,
    (query, what): (&QueryDoc, &What),
) -> Result<Vec<u8>> {
    let held = datasets::find(node, dataset)?;
    let all = json!([
        "tram/direct-release@v1",
        caller.subject,
        caller.key,
        dataset,
        query,
        what.name(),
        held.as_ref().map(|dataset| dataset.record.version),
        held.as_ref().and_then(|dataset| dataset.report.as_ref()).map(|report| report.sha256.clone()),
    ]);
    let bytes = serde_json::to_vec(&all).map_err(Error::internal)?;
    Ok(format!("direct-release/{}", files::hex(&sha2::Sha256::digest(bytes))).into_bytes())
}

/// The files of an exchange that is complete, if the same ones would be made under the rules of now.
async fn standing(
    node: &Arc<Node>,
    operation: &Operation,
    caller: &Caller,
    id: &str,
    what: &What,
) -> Result<Option<Release>> {
    let key = records::provider_key(&caller.subject, id);
    let Some((exchange, _)) = records::get::<Exchange>(&node.store, Space::Exchange, &key)? else {
        return Ok(None);
    };
    if exchange.stage != Stage::Completed || exchange.erasure.is_some() {
        return Ok(None);
    }
    let Ok((permit, query)) = permitted_now(node, operation, &exchange)? else { return Ok(None) };
    releases::kept(node, operation, &exchange, (&permit, &query), what)
}

/// The columns of the rows that a permit shows; no row is read and nothing is recorded.
///
/// # Errors
/// What does not fit between rules and dataset.
pub fn columns(
    node: &Node,
    operation: &Operation,
    caller: &Caller,
    permit: &Permit,
    dataset: &datasets::Dataset,
    query: &QueryDoc,
) -> Result<Vec<Column>> {
    let name = dataset.record.id.to_string();
    let ask = Ask {
        action: query.action.clone(),
        purpose: caller.purpose.clone(),
        basis: caller.basis.clone(),
        query: serde_json::Value::Null,
        stated: super::terms::Stated::default(),
    };
    let id = operation.correlation.clone();
    let nobody = Exchange::new(id, Side::Provider, caller.subject.clone(), name, ask, operation.now);
    job::job(node, operation.now, &nobody, permit, dataset, query).map(|(_, columns)| columns)
}

struct Begun {
    exchange: Exchange,
    permit: Permit,
    query: QueryDoc,
}

async fn begin(
    node: &Arc<Node>,
    operation: &Operation,
    caller: &Caller,
    dataset: &str,
    query: QueryDoc,
) -> Result<Begun> {
    let unknown = || Error::not_found("no such dataset is shown to you here");
    let shown = crate::shown::one(node, operation, caller, dataset)?.ok_or_else(unknown)?;
    if query.since.is_some() {
        return Err(Error::usage("copies that are kept current come by exchanges between nodes"));
    }
    if shown.dataset.record.receipt_first {
        return Err(Error::conflict(
            "these rows must be acknowledged before they are read; ask by an exchange",
        ));
    }
    room(node, operation, caller)?;
    let ask = Ask {
        action: query.action.clone(),
        purpose: caller.purpose.clone(),
        basis: caller.basis.clone(),
        query: serde_json::to_value(&query).map_err(Error::internal)?,
        stated: super::terms::Stated::default(),
    };
    let id = ulid::Ulid::generate().to_string();
    let mut exchange =
        Exchange::new(id, Side::Provider, caller.subject.clone(), dataset.to_owned(), ask, operation.now);
    exchange.stage = Stage::Transferring;
    exchange.direct = Some(Direct { key: caller.key.clone() });
    evidence::asked(node, &exchange.peer, &exchange.id, &noted(node, &exchange)?)?;
    let tx = Tx::new().put_json(Space::Exchange, exchange.key(), &exchange).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    if let Ok(mut open) = node.open.lock() {
        open.insert(exchange.key());
    }
    match decided(node, operation, &exchange, &query).await {
        Ok(permit) => Ok(Begun { exchange, permit, query }),
        Err(error) => finish(node, operation, &exchange.key(), Err(error)).await,
    }
}

/// Whether this caller may ask one more now: not too often, not too much at once, and with room for the answer. Nothing is
/// written for who may not, so that nobody fills ledger and disk with questions.
fn room(node: &Node, operation: &Operation, caller: &Caller) -> Result<()> {
    let most = match caller.is_public() {
        true => limits::PUBLIC_QUESTIONS_PER_MINUTE,
        false => limits::PARTY_QUESTIONS_PER_MINUTE,
    };
    if !node.rates.allow(&caller.subject, "/", most, operation.now) {
        return Err(Error::Unavailable(format!(
            "more than {most} questions within a minute; ask again in a minute, or for more at once"
        )));
    }
    if !super::has_room(node, &caller.subject) {
        return Err(Error::Unavailable(super::NO_ROOM.to_owned()));
    }
    let kept = kept_bytes(node, &caller.subject)?;
    if kept > limits::DIRECT_BYTES_MAX {
        return Err(Error::Unavailable(format!(
            "answers of {kept} bytes are kept for you already, until an hour after they were made; ask for less, or later"
        )));
    }
    Ok(())
}

/// Bytes of the answers that are kept for a caller.
fn kept_bytes(node: &Node, subject: &str) -> Result<u64> {
    let (spool, prefix) = (node.dir.join("spool"), format!("{}-", records::short(subject)));
    let mut bytes = 0_u64;
    for entry in std::fs::read_dir(&spool).map_err(|e| Error::io(&spool, e))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let size = std::fs::metadata(entry.path().join(ROWS)).map_or(0, |found| found.len());
            bytes = bytes.saturating_add(size);
        }
    }
    Ok(bytes)
}

/// Whether a folder of the spool holds a finished answer of this kind, which is kept for an hour only.
pub(super) fn is_answer(folder: &std::path::Path) -> bool {
    folder.join(NOTE).exists() && folder.join(ROWS).exists()
}

/// Text for who asks while a table is being changed: what the node says of it to its owner names files.
fn changing(error: Error) -> Error {
    match error {
        Error::Conflict(why) => {
            tracing::warn!(why, "a question met a table that was changed without `tram dataset validate`");
            Error::Unavailable("this table is being changed; come again later".to_owned())
        }
        other => other,
    }
}

/// What was asked, as this node notes and signs it.
fn noted(node: &Node, exchange: &Exchange) -> Result<SignatureEvidence> {
    let asked = json!({
        "type": "urn:tram:direct-question@v1",
        "exchange": exchange.id,
        "subject": exchange.peer,
        "key": exchange.direct.as_ref().and_then(|direct| direct.key.as_ref()),
        "dataset": exchange.dataset,
        "ask": exchange.ask,
        "time": exchange.created,
    });
    let base = ::exchange::json::canonical(&asked).map_err(Error::internal)?;
    let base = String::from_utf8(base).map_err(Error::internal)?;
    let signature = node.signer.key().sign(base.as_bytes()).to_bytes();
    Ok(SignatureEvidence { base, signature })
}

async fn decided(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    query: &QueryDoc,
) -> Result<Permit> {
    let asked = asked(exchange, query);
    let verdict = node.gate.look(node, operation, &asked)?;
    if !verdict.waits_for().is_empty() && exchange.peer != parties::PUBLIC {
        // People are asked; the party asks again when they have spoken. Strangers cannot fill the list.
        approvals::ask(node, operation, exchange, &asked, verdict.owed(), verdict.waits_for()).await?;
    }
    let verdict = node.gate.decide(node, operation, exchange, &asked).await?;
    let rules = statement::rules(&verdict.decision);
    let permit = match verdict.permit() {
        Ok(permit) => permit,
        Err(refusal) => {
            statement::refuse(node, operation, exchange, rules, &refusal).await?;
            return Err(Error::Refused(Box::new(refusal)));
        }
    };
    let rate = permit.obligations().rate_per_min;
    if rate.is_some_and(|n| !node.rates.allow(&exchange.peer, &exchange.dataset, n.get(), operation.now)) {
        let refusal = super::provider::too_often(rate.map_or(0, std::num::NonZeroU32::get));
        statement::refuse(node, operation, exchange, rules, &refusal).await?;
        return Err(Error::Refused(Box::new(refusal)));
    }
    job::check(node, operation, exchange, &permit, query).map_err(changing)?;
    statement::intend(node, operation, exchange, &permit).await?;
    Ok(permit)
}

fn asked<'a>(exchange: &'a Exchange, query: &QueryDoc) -> Asked<'a> {
    Asked {
        subject: &exchange.peer,
        action: if query.action == "download" { policy::Action::Download } else { policy::Action::Query },
        dataset: &exchange.dataset,
        purpose: exchange.ask.purpose.as_deref(),
        basis: exchange.ask.basis.as_deref(),
        agreement: None,
        exchange: Some(&exchange.id),
    }
}

/// Whether what was asked would be permitted now; not kept.
pub fn permitted_now(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
) -> Result<std::result::Result<super::provider::Permitted, No>> {
    let key = exchange.direct.as_ref().and_then(|direct| direct.key.as_deref());
    if let Some(key) = key
        && parties::by_hash(node, key, operation.now)?.is_none_or(|(party, _)| party.id != exchange.peer)
    {
        return Ok(Err(No::Request("KEY", "the key of this question is not good any more".to_owned())));
    }
    let query = match QueryDoc::from_wire(Some(&exchange.ask.query)) {
        Ok(query) => query,
        Err(why) => return Ok(Err(No::Request("QUERY", why))),
    };
    let verdict = node.gate.look(node, operation, &asked(exchange, &query))?;
    Ok(super::provider::judged(verdict, query))
}

fn told(no: No) -> Error {
    match no {
        No::Refusal(refusal, _) => Error::Refused(refusal),
        No::Request(_, why) => Error::conflict(why),
    }
}

async fn make_rows(node: &Arc<Node>, operation: &Operation, begun: &Begun) -> Result<Given> {
    let Begun { exchange, permit, query } = begun;
    let served = contracts::served_to(node, exchange)?;
    let dataset = &served.dataset;
    datasets::unchanged(dataset).map_err(changing)?;
    let rules = node.gate.engine();
    let counted = rules.rule_set().has_quotas() || rules.rule_set().has_privacy_budgets();
    let _turn = match counted {
        true => Some(node.locks.lock(&usage::turn(&exchange.peer, &exchange.dataset)).await),
        false => None,
    };
    // Again under the lock: an answer before this one may have used the quota up.
    let permit = match counted {
        true => permitted_now(node, operation, exchange)?.map_err(told)?.0,
        false => permit.clone(),
    };
    let (mut job, columns) = job::job(node, operation.now, exchange, &permit, dataset, query)?;
    job::one_noise(&served, &job)?;
    let live = produce::live_rows(node, exchange, &served, &job).await?;
    if let Some(live) = &live {
        job.source = live.source();
    }
    let obligations = serde_json::to_value(permit.obligations()).map_err(Error::internal)?;
    change(node, &exchange.key(), |e| e.obligations = obligations.clone()).await?;
    if let Some(private) = &permit.obligations().differential_privacy {
        privacy::spend(node, exchange, private, operation.now).await?;
    }
    let format = job.format;
    let (rows, bytes, sha256) = spooled(node, exchange, job).await?;
    match live {
        Some(live) => live.done(),
        None => datasets::unchanged(dataset).map_err(changing)?,
    }
    if permit.left().bytes.is_some_and(|left| bytes > left) {
        return Err(Error::Refused(Box::new(usage::too_much(bytes))));
    }
    let note = Note {
        exchange: exchange.id.clone(),
        dataset: exchange.dataset.clone(),
        version: dataset.record.version,
        format: format.media_type().to_owned(),
        columns,
        rows,
        bytes,
        sha256: sha256.clone(),
        obligations,
    };
    let folder = produce::folder(node, exchange);
    files::write_atomic(&folder.join(NOTE), &serde_json::to_vec(&note).map_err(Error::internal)?)?;
    outcome(node, operation, exchange, &permit, &note).await?;
    usage::count(node, exchange, &Made { rows, bytes, sha256 }, node.clock.now()).await?;
    Ok(given(note, folder.join(ROWS)))
}

/// Runs the view into one file; rows, bytes and SHA-256 (hex) of it.
async fn spooled(node: &Arc<Node>, exchange: &Exchange, job: dataplane::Job) -> Result<(u64, u64, String)> {
    let folder = produce::folder(node, exchange);
    files::remove_folder(&folder)?;
    files::make_private_dir(&folder)?;
    let chunks = folder.join("chunks");
    files::make_private_dir(&chunks)?;
    let _place = node.public_views.acquire().await.map_err(Error::internal)?;
    let (writer, reader) = ChunkWriter::create(&chunks, limits::CHUNK_BYTES as u64).map_err(job::broken)?;
    let answer = dataplane::run(job).await.map_err(job::broken)?;
    let summary = dataplane::spool(answer, writer).await.map_err(job::broken)?;
    let bytes = joined(&reader, summary.chunks.len() as u64, &folder.join(ROWS)).await?;
    files::remove_folder(&chunks)?;
    Ok((summary.rows, bytes, files::hex(&summary.sha256.0)))
}

async fn joined(reader: &SpoolReader, chunks: u64, path: &std::path::Path) -> Result<u64> {
    let told = |e: std::io::Error| Error::io(path, e);
    let mut file = tokio::fs::File::create(path).await.map_err(told)?;
    let mut written = 0_u64;
    for number in 0..chunks {
        let chunk = reader.open_chunk(number).await.map_err(job::broken)?;
        let chunk = chunk.ok_or_else(|| Error::internal("a sealed spool lacks a chunk"))?;
        let len = chunk.digest().len;
        let bytes = chunk.read(0, len).await.map_err(job::broken)?;
        file.write_all(&bytes).await.map_err(told)?;
        written = written.saturating_add(len);
    }
    file.flush().await.map_err(told)?;
    Ok(written)
}

async fn make_release(
    node: &Arc<Node>,
    operation: &Operation,
    begun: &Begun,
    what: &What,
) -> Result<Release> {
    let Begun { exchange, permit, query } = begun;
    let obligations = serde_json::to_value(permit.obligations()).map_err(Error::internal)?;
    change(node, &exchange.key(), |e| e.obligations = obligations.clone()).await?;
    let release = releases::make_for(node, operation, exchange, (permit, query), what).await?;
    let sha256 = release_digest(&release)?;
    let rows = release.files.parts.iter().map(|part| part.rows).fold(0, u64::saturating_add);
    let bytes = release.files.parts.iter().map(|part| part.bytes).fold(0, u64::saturating_add);
    let note = Note {
        exchange: exchange.id.clone(),
        dataset: exchange.dataset.clone(),
        version: release.version,
        format: OutputFormat::Parquet.media_type().to_owned(),
        columns: Vec::new(),
        rows,
        bytes,
        sha256: sha256.clone(),
        obligations,
    };
    outcome(node, operation, exchange, permit, &note).await?;
    usage::count(node, exchange, &Made { rows, bytes, sha256 }, node.clock.now()).await?;
    Ok(release)
}

/// SHA-256 over the digests of the files, hex.
fn release_digest(release: &Release) -> Result<String> {
    let mut hash = sha2::Sha256::new();
    for part in &release.files.parts {
        hash.update(part.sha256.0);
    }
    Ok(files::hex(&hash.finalize()))
}

async fn outcome(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    permit: &Permit,
    note: &Note,
) -> Result<()> {
    let digest = ::exchange::json::digest(note).map_err(Error::internal)?;
    let (sha256, version) = permit.rule_set();
    let rules = ledger::statement::RuleSet { sha256, version };
    statement::permit(node, operation, exchange, permit, rules, digest.as_bytes()).await.map(|_| ())
}

/// Ends the exchange the way it went.
async fn finish<T>(node: &Arc<Node>, operation: &Operation, key: &[u8], done: Result<T>) -> Result<T> {
    let ended = match &done {
        Ok(_) => change(node, key, |e| e.stage = Stage::Completed).await,
        Err(error) => close(node, operation, key, error).await,
    };
    if let Ok(mut open) = node.open.lock() {
        open.remove(key);
    }
    ended.and(done)
}

async fn close(node: &Arc<Node>, operation: &Operation, key: &[u8], error: &Error) -> Result<()> {
    let Some((exchange, _)) = records::get::<Exchange>(&node.store, Space::Exchange, key)? else {
        return Ok(());
    };
    if exchange.statement.is_none() {
        statement::interrupt(node, operation, &exchange, "computation-failed").await?;
    }
    files::remove_folder(&produce::folder(node, &exchange))?;
    let refused = matches!(error, Error::Refused(_));
    let why = if refused { None } else { Some(error.to_string()) };
    change(node, key, |e| {
        e.stage = if refused { Stage::Refused } else { Stage::Failed };
        e.failure = why.clone();
    })
    .await
}

/// Closes a direct exchange that a process left between intent and outcome: nobody waits for it any more.
pub async fn settle(node: &Arc<Node>, operation: &Operation, exchange: &Exchange) -> Result<()> {
    // What was handed to the ledger just before the end is found there, or written now.
    for slot in [Slot::Intent, Slot::Statement] {
        let leaf = if slot == Slot::Intent { &exchange.intent } else { &exchange.statement };
        if leaf.is_some() {
            let kept = || Err(Error::internal("the entry's bytes are kept already"));
            statement::once(node, &exchange.key(), slot, kept).await?;
        }
    }
    let (exchange, _) = records::get::<Exchange>(&node.store, Space::Exchange, &exchange.key())?
        .ok_or_else(|| Error::not_found("no such exchange"))?;
    let exchange = &exchange;
    if let Some(leaf) = &exchange.statement {
        let stage = if denies(leaf)? { Stage::Refused } else { Stage::Completed };
        return change(node, &exchange.key(), |e| e.stage = stage).await;
    }
    statement::interrupt(node, operation, exchange, "process-ended").await?;
    files::remove_folder(&produce::folder(node, exchange))?;
    change(node, &exchange.key(), |e| {
        e.stage = Stage::Interrupted;
        e.failure = Some("the node stopped before the answer was complete; ask again".to_owned());
    })
    .await
}

/// Whether a statement says no.
fn denies(leaf: &records::Leaf) -> Result<bool> {
    let bytes = BASE64.decode(&leaf.bytes).map_err(Error::internal)?;
    let said = SignedStatement::parse(&bytes).map_err(Error::internal)?;
    Ok(
        matches!(said.statement(), Statement::Exchange(said) if matches!(said.decision, Decision::Deny { .. })),
    )
}
