//! Erasure: what opens an exchange's commitments is destroyed, and the ledger says so (crypto-shredding).
//!
//! Promise: afterwards neither this node nor anybody with its files can open request, answer or committed fields of the entry,
//! and every proof of the log still verifies. It begins with the files and ends with the entry, so an entry never says what
//! is not so; killed in between, it is done again from the start.
//!
//! Rows that were received go with it, and what was joined from them. What it is not: the other party keeps its own copy and erases for itself, and copies
//! that people took out of the node's folder are not touched.

use ledger::receipt::Receipt;
use serde_json::{Value, json};

use super::{consumer, evidence, receipts, statement};
use crate::decisions;
use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::operation::Operation;
use crate::records::{Exchange, Side};
use store::{Space, Tx};

/// Reasons that an erasure may have.
const REASONS: [&str; 3] = ["retention", "request", "order"];

/// Refuses what is no reason.
pub fn demand_reason(reason: &str) -> Result<()> {
    match REASONS.contains(&reason) {
        true => Ok(()),
        false => Err(Error::usage(format!("`{reason}` is no reason; use {}", REASONS.join(", ")))),
    }
}

/// Destroys what opens the commitments of an exchange that is at its end. Done twice, it is the same.
pub async fn erase(node: &Node, operation: &Operation, exchange: &Exchange, reason: &str) -> Result<Value> {
    demand_reason(reason)?;
    if !exchange.stage.is_final() {
        return Err(Error::conflict(format!(
            "exchange {} is {}; what opens it is needed until its end",
            exchange.id,
            exchange.stage.word()
        )));
    }
    decisions::destroy(node, exchange).await?;
    for side in &exchange.receipts {
        close_receipt(node, exchange, side)?;
    }
    evidence::destroy(node, exchange)?;
    if exchange.side == Side::Consumer {
        files::remove(&consumer::received_file(node, &exchange.id))?;
        files::remove_folder(&super::receive::inbox_of(node, exchange))?;
        crate::subscriptions::forget(node, exchange).await?;
        crate::questions::forget(node, operation, &exchange.id, reason).await?;
        super::described::forget(node, exchange)?;
    }
    forget_contents(node, exchange).await?;
    // An exchange that ended without a statement has nothing in the ledger that could be opened.
    let entry = match &exchange.statement {
        Some(_) => Some(statement::erased(node, operation, exchange, reason).await?),
        None => None,
    };
    Ok(json!({"exchange": exchange.id, "entry": entry}))
}

/// What the store holds of question and answer: the search values, the digest of the rows, the request as it came.
async fn forget_contents(node: &Node, exchange: &Exchange) -> Result<()> {
    if let Some(pid) = &exchange.transfer {
        let tx = Tx::new().delete(Space::Transfer, pid.clone().into_bytes());
        node.store.commit(tx).await.map_err(Error::from)?;
    }
    super::change(node, &exchange.key(), |e| {
        e.ask.query = Value::Null;
        e.sha256 = None;
        e.address = None;
    })
    .await
}

/// Takes the opening of the answer out of a receipt that is held here.
fn close_receipt(node: &Node, exchange: &Exchange, side: &str) -> Result<()> {
    let mut receipt = Receipt::parse(&receipts::read(node, exchange, side)?).map_err(Error::internal)?;
    if let Some(keys) = receipt.keys.as_mut().and_then(Value::as_object_mut) {
        keys.remove("answer");
    }
    receipts::replace(node, exchange, side, &receipt.to_bytes().map_err(Error::internal)?)
}
