//! The flows: what a node does by itself to bring an exchange to its end.
//!
//! An exchange is driven by its stored state and nothing else: [`drive`] looks at what is there and does the next thing.
//! It is called after every message that came in, after every message that was delivered, at start-up, and by the
//! monitor. A node that was killed at any moment therefore goes on where it was: there is no other recovery.
//!
//! [`provider`] and [`consumer`] hold the two sides, [`protocol`] what their messages have in common, [`delivery`] how
//! these go out and come in, [`statement`] the ledger entries, [`receipts`] the receipts,
//! [`sealing`] rows that must be acknowledged before they can be read, [`escrow`] their key in an auditor's hands, [`view`] what
//! people see.

pub mod agreement;
pub mod connector;
pub mod consumer;
pub mod copies;
pub mod delivery;
pub mod described;
pub mod direct;
pub mod erasure;
pub mod escrow;
pub mod evidence;
pub mod fetch;
pub mod hours;
pub mod job;
pub mod manifest;
pub mod notice;
pub mod polling;
pub mod produce;
pub mod protocol;
pub mod provider;
pub mod receipts;
pub mod receive;
#[cfg(test)]
mod receive_tests;
pub mod retention;
pub mod sealing;
pub mod serve;
mod shared;
pub mod statement;
pub mod terms;
pub mod view;

use std::sync::Arc;

use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;
use store::{Space, Tx};

use crate::error::Result;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::records::{self, Exchange, Side, Stage};

/// A negotiation with its place in an exchange.
pub type NegotiationRow = records::Process<Negotiation>;
/// A transfer with its place in an exchange.
pub type TransferRow = records::Process<Transfer>;

/// Does whatever an exchange needs next, in the background.
pub fn nudge(node: &Arc<Node>, exchange: &[u8]) {
    let (node, key) = (node.clone(), exchange.to_vec());
    if let Ok(mut open) = node.open.lock() {
        open.insert(key.clone());
    }
    tokio::spawn(async move {
        if let Err(error) = drive(&node, &key).await {
            // The monitor comes back to it; a lasting failure was written into the exchange where it happened.
            tracing::warn!(exchange = %key.escape_ascii(), %error, "an exchange could not be driven on");
        }
    });
}

/// Does whatever an exchange needs next, until it waits for the other side or is at its end.
pub async fn drive(node: &Arc<Node>, key: &[u8]) -> Result<()> {
    let _turn = node.locks.lock(key).await;
    loop {
        let Some((exchange, _)) = records::get::<Exchange>(&node.store, Space::Exchange, key)? else {
            return Ok(());
        };
        let operation = Operation::begin(Actor::Node, &node.clock);
        if exchange.stage.is_final() {
            if let Ok(mut open) = node.open.lock() {
                open.remove(key);
            }
            return Ok(());
        }
        let moved = match exchange.side {
            Side::Provider => provider::step(node, &operation, &exchange).await?,
            Side::Consumer => consumer::step(node, &operation, &exchange).await?,
        };
        if !moved {
            return Ok(());
        }
    }
}

/// Drives every exchange on that is not at its end: on the monitor's tick.
pub fn drive_all(node: &Arc<Node>) {
    for key in unfinished(node) {
        nudge(node, &key);
    }
}

/// What a consumer is told that has too many exchanges open here.
pub const NO_ROOM: &str = "too many of your exchanges are open here; finish or end some, then ask again";

/// Whether this consumer may open another exchange here.
pub fn has_room(node: &Node, consumer: &str) -> bool {
    let prefix = format!("p/{}/", records::short(consumer)).into_bytes();
    let open = node
        .open
        .lock()
        .map(|open| open.range(prefix.clone()..).take_while(|key| key.starts_with(&prefix)).count());
    open.is_ok_and(|count| count < crate::limits::OPEN_EXCHANGES_PER_PEER_MAX)
}

/// Keys of the exchanges that are not at their end.
pub fn unfinished(node: &Node) -> Vec<Vec<u8>> {
    node.open.lock().map(|open| open.iter().cloned().collect()).unwrap_or_default()
}

/// Whether an exchange of this dataset that this node provides is not at its end.
pub fn provides(node: &Node, dataset: &str) -> bool {
    let of = |key: &Vec<u8>| {
        let found = records::get::<Exchange>(&node.store, Space::Exchange, key).ok().flatten();
        found.is_none_or(|(exchange, _)| {
            exchange.side == records::Side::Provider && exchange.dataset == dataset
        })
    };
    unfinished(node).iter().any(of)
}

/// Takes up every unfinished exchange at start-up: the only time that all are read.
pub fn take_up(node: &Arc<Node>) -> Result<()> {
    for (key, exchange) in records::all::<Exchange>(&node.store, Space::Exchange, b"")? {
        match exchange.direct {
            _ if exchange.stage.is_final() => {}
            Some(_) => settle_soon(node, exchange),
            None => nudge(node, &key),
        }
    }
    Ok(())
}

/// What was being answered at the public door when a process ended is closed: who asked is gone.
fn settle_soon(node: &Arc<Node>, exchange: Exchange) {
    let node = node.clone();
    tokio::spawn(async move {
        let operation = Operation::begin(Actor::Node, &node.clock);
        if let Err(error) = direct::settle(&node, &operation, &exchange).await {
            tracing::warn!(exchange = exchange.id, %error, "an unfinished answer could not be closed");
        }
    });
}

/// Takes up an exchange that waits for the network, because a person thinks that the line is back: what was said of the
/// last try is forgotten, and the next one is made now. With `any_hour` it waits for no hours of big transfers any more.
pub async fn resume(node: &Arc<Node>, exchange: &Exchange, any_hour: bool) -> Result<()> {
    if exchange.stage.is_final() {
        return Ok(());
    }
    let key = exchange.key();
    change(node, &key, |e| {
        e.failure = None;
        e.any_hour |= any_hour;
    })
    .await?;
    node.outbox.kick(node, &exchange.peer);
    node.polls.soon(&exchange.peer);
    nudge(node, &key);
    Ok(())
}

/// Changes an exchange and tells those who wait for it.
pub async fn change(node: &Node, key: &[u8], mut edit: impl FnMut(&mut Exchange)) -> Result<()> {
    let now = node.clock.now();
    records::update::<Exchange, ()>(&node.store, Space::Exchange, key, |exchange| {
        edit(exchange);
        exchange.updated = now;
        Ok(((), Tx::new()))
    })
    .await?;
    node.changed.send_modify(|n| *n += 1);
    Ok(())
}

/// Ends an exchange for a reason that trying again does not mend.
pub async fn fail(node: &Arc<Node>, key: &[u8], why: &str) -> Result<()> {
    tracing::warn!(exchange = %key.escape_ascii(), why, "exchange failed");
    change(node, key, |exchange| {
        if !exchange.stage.is_final() {
            exchange.stage = Stage::Failed;
            exchange.failure = Some(why.to_owned());
        }
    })
    .await?;
    consumer::tell_failure(node, key).await
}
