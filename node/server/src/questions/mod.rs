//! Questions to several sources: one exchange for each peer's dataset, the answers joined here.
//!
//! **What it is.** A question is kept with the wishes of all its exchanges in one transaction; from then on it is driven by
//! what is stored, like an exchange. Each provider decides for itself, computes its own figures, and leaves receipts; what
//! it does not permit never comes. When every source that is needed has answered, the answers are joined ([`result`]), and
//! the report says of each source what was agreed, what came, where the gaps are and which obligations hold on.
//!
//! **What it is not.** It has no rights of its own: it can ask nothing that `tram exchange get` cannot. There is no result of
//! some sources where a needed one refused.

pub mod columns;
pub mod document;
mod erasing;
mod own_reads;
mod pseudonyms;
mod result;
pub mod written;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Tx};

use self::document::{Place, QuestionDoc, SourceDoc};
use crate::error::{Error, Result};
use crate::flow::{self, consumer, terms, view};
use crate::limits;
use crate::node::Node;
use crate::operation::{Operation, rfc3339};
use crate::records::{self, Exchange};

pub use self::erasing::{erase, forget};
pub use self::result::held;

/// How far a question has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Sources are being asked.
    Asking,
    /// The result is there.
    Completed,
    /// There will be none.
    Failed,
}

impl Stage {
    /// The word used in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// A question, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// ULID.
    pub id: String,
    /// What is asked.
    pub doc: QuestionDoc,
    /// The exchange of each source in its order; none for a dataset of this node.
    pub exchanges: Vec<Option<String>>,
    /// What each source's catalog announced before anything was asked.
    pub announced: Vec<Value>,
    /// How far it has come.
    pub stage: Stage,
    /// Why there is no result.
    pub failure: Option<String>,
    /// Where the result is from.
    pub report: Option<Value>,
    /// When it was asked, Unix seconds.
    pub created: i64,
    /// When it changed last, Unix seconds.
    pub updated: i64,
}

impl Question {
    /// The sources with their exchanges.
    fn sources(&self) -> impl Iterator<Item = (&SourceDoc, Option<&String>)> {
        self.doc.sources.iter().zip(self.exchanges.iter().map(Option::as_ref))
    }
}

const PREFIX: &[u8] = b"question/";

fn key(id: &str) -> Vec<u8> {
    [PREFIX, id.as_bytes()].concat()
}

/// A question by its id.
pub fn find(node: &Node, id: &str) -> Result<Question> {
    let found = records::get::<Question>(&node.store, Space::Meta, &key(id))?;
    found.map(|(question, _)| question).ok_or_else(|| {
        Error::not_found(format!(
            "không có câu hỏi `{id}` ở đây · no question `{id}` here; `tram question list` shows them"
        ))
    })
}

/// The newest questions first.
pub fn list(node: &Node) -> Result<Vec<Question>> {
    let mut all = records::readable::<Question>(&node.store, Space::Meta, PREFIX)?;
    all.sort_by(|a, b| b.id.cmp(&a.id));
    all.truncate(limits::LIST_PAGE);
    Ok(all)
}

/// Asks: checks the whole question, keeps it with the wishes of its exchanges, and lets them go.
pub async fn ask(node: &Arc<Node>, operation: &Operation, doc: QuestionDoc) -> Result<Question> {
    let me = node.config.node.id.as_str();
    doc.check(me)?;
    let announced = announced(node, &doc, operation.now).await?;
    let id = ulid::Ulid::generate().to_string();
    let (mut exchanges, mut wishes) = (Vec::new(), Vec::new());
    for source in &doc.sources {
        match source.place(me)? {
            Place::Own(dataset) => {
                crate::datasets::demand(node, dataset)?;
                exchanges.push(None);
            }
            Place::Peer { participant, dataset } => {
                let wish = consumer::wish(node, operation, participant, dataset, source.ask(me)?)?;
                exchanges.push(Some(wish.id.clone()));
                wishes.push(wish);
            }
        }
    }
    let question = Question {
        id,
        doc,
        exchanges,
        announced,
        stage: Stage::Asking,
        failure: None,
        report: None,
        created: operation.now,
        updated: operation.now,
    };
    let key = key(&question.id);
    let mut tx = Tx::new().absent(Space::Meta, key.clone()).put_json(Space::Meta, key, &question)?;
    for wish in &wishes {
        tx = tx.absent(Space::Exchange, wish.key()).put_json(Space::Exchange, wish.key(), wish)?;
    }
    node.store.commit(tx).await.map_err(Error::from)?;
    for wish in &wishes {
        flow::nudge(node, &wish.key());
    }
    watch(node, &question.id);
    Ok(question)
}

/// What the catalogs say of each source now, and whether the answers could be joined under that: found out before anything
/// is asked. A source that cannot be reached, or that offers nothing, is asked all the same: its answer is a refusal with a
/// receipt.
async fn announced(node: &Arc<Node>, doc: &QuestionDoc, now: i64) -> Result<Vec<Value>> {
    let me = node.config.node.id.as_str();
    let one = async |source: &SourceDoc| {
        let (participant, dataset) = match source.place(me)? {
            Place::Peer { participant, dataset } => (participant, dataset),
            Place::Own(dataset) => {
                let schema = crate::datasets::demand(node, dataset)?.schema()?;
                let names = schema.columns().iter().map(|column| column.name.clone()).collect();
                return Ok((Some(Value::Null), Some(names)));
            }
        };
        let route = node.peers.route(participant)?;
        let Ok(found) = node.outbound.dataset(node, &route, dataset).await else {
            return Ok((None, None));
        };
        let columns = listed(node, source, &found, now)?;
        let (purpose, basis) = (source.purpose.as_deref(), source.basis.as_deref());
        let chosen = terms::choose(&found.offers, purpose, basis, "query", &terms::Stated::default());
        let duties = chosen.and_then(|(_, terms)| terms::agreed(&terms).ok());
        Ok((duties.map(serde_json::to_value).transpose().map_err(Error::internal)?, columns))
    };
    let all = futures::future::join_all(doc.sources.iter().map(one)).await;
    let (all, known): (Vec<Option<Value>>, Vec<_>) =
        all.into_iter().collect::<Result<Vec<_>>>()?.into_iter().unzip();
    columns::check(doc, me, &known)?;
    // Exchanges of one dataset for one purpose on one basis come under one agreement.
    let agreements: Vec<String> =
        doc.sources.iter().map(|s| format!("{} {:?} {:?}", s.from, s.purpose, s.basis)).collect();
    // Behind a source of which nothing is known yet, nothing can be said: the answers are judged when they are here.
    let duties = all.iter().map_while(Option::as_ref);
    let duties = duties.zip(agreements.iter().map(|agreement| Some(agreement.as_str())));
    pseudonyms::joinable(doc.sources.iter().zip(duties))?;
    Ok(all.into_iter().map(Option::unwrap_or_default).collect())
}

/// The columns that a catalog lists of a dataset. Under an agreement that stands an older contract may be served, so nothing is
/// said of its columns then.
fn listed(
    node: &Node,
    source: &SourceDoc,
    found: &exchange::dsp::Dataset,
    now: i64,
) -> Result<Option<Vec<String>>> {
    let me = node.config.node.id.as_str();
    let Place::Peer { participant, dataset } = source.place(me)? else { return Ok(None) };
    if flow::agreement::reusable(node, participant, dataset, &source.ask(me)?, now)?.is_some() {
        return Ok(None);
    }
    let columns = exchange::dsp::DatasetDescription::from_extra(&found.extra).columns;
    let names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
    Ok(Some(names).filter(|names| !names.is_empty()))
}

/// Takes up what was being asked when the node stopped.
pub fn take_up(node: &Arc<Node>) -> Result<()> {
    for question in records::readable::<Question>(&node.store, Space::Meta, PREFIX)? {
        if question.stage == Stage::Asking {
            watch(node, &question.id);
        }
    }
    Ok(())
}

/// Looks after a question in the background until it is at its end: whenever an exchange changes, and now and then.
fn watch(node: &Arc<Node>, id: &str) {
    let (node, id) = (node.clone(), id.to_owned());
    tokio::spawn(async move {
        let mut changed = node.changed.subscribe();
        let mut stop = node.stop.subscribe();
        loop {
            match step(&node, &id).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(question = id, %error, "a question could not be driven on"),
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep(limits::MONITOR_PERIOD) => {}
                () = crate::operation::stopped(&mut stop) => return,
            }
        }
    });
}

/// What has become of one source.
enum Came {
    /// Its rows are here.
    Rows(Option<Box<Exchange>>),
    /// It is being asked.
    NotYet,
    /// It will not answer.
    Never(String),
}

fn came(node: &Node, exchange: Option<&String>) -> Result<Came> {
    let Some(id) = exchange else { return Ok(Came::Rows(None)) };
    let found = records::get::<Exchange>(&node.store, Space::Exchange, &records::consumer_key(id))?;
    let Some((exchange, _)) = found else { return Ok(Came::Never(format!("exchange {id} is gone"))) };
    Ok(match exchange.stage {
        records::Stage::Completed => Came::Rows(Some(Box::new(exchange))),
        stage if !stage.is_final() => Came::NotYet,
        stage => Came::Never(match (&exchange.refusal, &exchange.failure) {
            (Some(refusal), _) => refusal.text(),
            (None, Some(failure)) => format!("{}: {failure}", stage.word()),
            (None, None) => stage.word().to_owned(),
        }),
    })
}

/// Does what can be done; whether the question is at its end.
async fn step(node: &Arc<Node>, id: &str) -> Result<bool> {
    let _turn = node.locks.lock(&key(id)).await;
    let question = find(node, id)?;
    if question.stage != Stage::Asking {
        return Ok(true);
    }
    let (mut parts, mut waits) = (Vec::new(), false);
    for (source, exchange) in question.sources() {
        match came(node, exchange)? {
            Came::Rows(exchange) => parts.push((source, Ok(exchange))),
            Came::NotYet => waits = true,
            Came::Never(why) if source.optional => parts.push((source, Err(why))),
            Came::Never(why) => {
                let (name, from) = (&source.name, &source.from);
                let why = format!("`{name}` ({from}) không trả lời · does not answer: {why}");
                return end(node, id, Err(why)).await;
            }
        }
    }
    if waits {
        return Ok(false);
    }
    let made = result::make(node, &question, parts).await;
    result::clean(node, &question);
    match made {
        Ok(report) => end(node, id, Ok(report)).await,
        // Full disks, a ledger that takes nothing and the like pass; what is wrong with the question does not.
        Err(error @ (Error::Internal(_) | Error::Io { .. } | Error::Unavailable(_))) => Err(error),
        Err(error) => end(node, id, Err(error.to_string())).await,
    }
}

async fn end(node: &Node, id: &str, with: std::result::Result<Value, String>) -> Result<bool> {
    let now = node.clock.now();
    records::update::<Question, ()>(&node.store, Space::Meta, &key(id), |question| {
        question.updated = now;
        match &with {
            Ok(report) => {
                question.stage = Stage::Completed;
                question.report = Some(report.clone());
            }
            Err(why) => {
                question.stage = Stage::Failed;
                question.failure = Some(why.clone());
            }
        }
        Ok(((), Tx::new()))
    })
    .await?;
    node.changed.send_modify(|n| *n += 1);
    Ok(true)
}

/// A question as people and applications see it, each source with its exchange.
pub fn shown(node: &Node, question: &Question) -> Result<Value> {
    let mut sources = Vec::new();
    for ((source, id), announced) in question.sources().zip(&question.announced) {
        let found =
            id.map(|id| records::get::<Exchange>(&node.store, Space::Exchange, &records::consumer_key(id)));
        let exchange =
            found.transpose()?.flatten().map(|(exchange, _)| view::exchange(node, &exchange)).transpose()?;
        sources.push(json!({
            "name": source.name,
            "from": source.from,
            "optional": source.optional,
            "announced": announced,
            "exchange": exchange,
        }));
    }
    Ok(json!({
        "id": question.id,
        "title": question.doc.title,
        "stage": question.stage.word(),
        "failure": question.failure,
        "sources": sources,
        "report": question.report,
        "created": rfc3339(question.created),
        "updated": rfc3339(question.updated),
    }))
}
