//! Erasing questions: what is destroyed here when one of its exchanges is erased, and when all of it is.
//!
//! **Promise.** Afterwards the node's folder has neither joined rows, nor what was read of own datasets, nor what opens their
//! entries, nor search values of what was erased; each entry of an own dataset that was open before has an `erasure@v1` that names it.
//! Files first, the store's record next, entries last, so no entry says what is not so; killed in between, asking again finishes.
//!
//! **What it is not.** Peers keep their own copies and erase for themselves, and files that people took home are theirs.

use serde_json::{Value, json};
use store::{Space, Tx};

use super::{PREFIX, Question, Stage, find, key, own_reads, result};
use crate::error::{Error, Result};
use crate::flow::erasure;
use crate::node::Node;
use crate::operation::Operation;
use crate::records::{self, Exchange};

/// How much of a question goes.
#[derive(Clone, Copy)]
enum Of<'a> {
    /// What came of one exchange, and everything of own datasets: what was joined with its rows speaks of the same people.
    Exchange(&'a str),
    /// All.
    Whole,
}

impl Of<'_> {
    /// Whether the search values of a source with this exchange go.
    fn takes(self, exchange: Option<&str>) -> bool {
        match (self, exchange) {
            (Self::Whole, _) | (_, None) => true,
            (Self::Exchange(erased), Some(id)) => erased == id,
        }
    }

    /// Why there is no result any more.
    fn told(self) -> String {
        match self {
            Self::Exchange(id) => format!(
                "dữ liệu của lượt trao đổi {id} đã bị xoá, cả kết quả ghép từ đó · the rows of exchange {id} were erased, and \
                 what was joined from them"
            ),
            Self::Whole => {
                "câu hỏi đã bị xoá, cả kết quả · the question was erased, and its result".to_owned()
            }
        }
    }
}

/// Destroys what was joined from the rows of an exchange that is erased, and what the question holds of its search values and
/// of own datasets. Done twice, it is the same.
pub async fn forget(node: &Node, operation: &Operation, exchange: &str, reason: &str) -> Result<()> {
    let uses = |q: &Question| q.exchanges.iter().flatten().any(|id| id == exchange);
    for question in
        records::readable::<Question>(&node.store, Space::Meta, PREFIX)?.iter().filter(|q| uses(q))
    {
        destroy(node, operation, question, Of::Exchange(exchange), reason).await?;
    }
    Ok(())
}

/// Erases a question that is at its end, with all its exchanges. Done twice, it is the same.
///
/// # Errors
/// [`Error::Usage`] for a reason that there is not; [`Error::Conflict`] while it or one of its exchanges goes on: nothing was
/// erased then.
pub async fn erase(node: &Node, operation: &Operation, id: &str, reason: &str) -> Result<Value> {
    erasure::demand_reason(reason)?;
    let question = find(node, id)?;
    if question.stage == Stage::Asking {
        return Err(Error::conflict(format!(
            "câu hỏi `{id}` còn đang hỏi, chờ nó kết thúc rồi hãy xoá; chưa xoá gì · question `{id}` is still asking, erase it \
             after its end; nothing was erased"
        )));
    }
    let mut exchanges = Vec::new();
    for id in question.exchanges.iter().flatten() {
        let found = records::get::<Exchange>(&node.store, Space::Exchange, &records::consumer_key(id))?;
        exchanges.extend(found.map(|(exchange, _)| exchange));
    }
    if let Some(going) = exchanges.iter().find(|exchange| !exchange.stage.is_final()) {
        let (exchange, stage) = (&going.id, going.stage.word());
        return Err(Error::conflict(format!(
            "lượt trao đổi {exchange} của câu hỏi chưa kết thúc; chưa xoá gì · exchange {exchange} of the question is {stage}, \
             erase the question after its end (`tram exchange show {exchange}`); nothing was erased"
        )));
    }
    let mut erased = Vec::new();
    for exchange in &exchanges {
        erased.push(erasure::erase(node, operation, exchange, reason).await?);
    }
    let own = destroy(node, operation, &question, Of::Whole, reason).await?;
    Ok(json!({"question": id, "exchanges": erased, "own": own}))
}

/// Gives each source whose entry was open, with the entry that says that it is open no more.
async fn destroy(
    node: &Node,
    operation: &Operation,
    question: &Question,
    of: Of<'_>,
    reason: &str,
) -> Result<Vec<Value>> {
    // Not while its rows are being joined: what comes of that would take the place of this.
    let _turn = node.locks.lock(&key(&question.id)).await;
    result::destroy(node, question)?;
    for source in &question.doc.sources {
        own_reads::close(node, &question.id, &source.name)?;
    }
    let now = node.clock.now();
    records::update::<Question, ()>(&node.store, Space::Meta, &key(&question.id), |q| {
        for (source, id) in q.doc.sources.iter_mut().zip(&q.exchanges) {
            if of.takes(id.as_deref()) {
                source.filter.clear();
                source.sql = None;
            }
        }
        if matches!(of, Of::Whole) {
            q.doc.title.clear();
        }
        q.stage = Stage::Failed;
        q.failure = Some(of.told());
        q.report = None;
        q.updated = now;
        Ok(((), Tx::new()))
    })
    .await?;
    node.changed.send_modify(|n| *n += 1);
    let mut own = Vec::new();
    for source in &question.doc.sources {
        if let Some(entry) = own_reads::erased(node, operation, &question.id, &source.name, reason).await? {
            own.push(json!({"source": source.name, "entry": entry}));
        }
    }
    Ok(own)
}
