//! Messages on their way: into the outbox with the mark that they are due, and what their acknowledgement, their refusal
//! or the peer's next message does to the record. Each is one transaction.

use std::sync::Arc;

use exchange::dsp::Cause;
use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;
use store::{Space, Tx};

use super::protocol::{FIRST, LAST, Protocol, Sent, pids};
use super::{change, nudge};
use crate::error::{Error, RefusalInfo, Result};
use crate::node::Node;
use crate::outbox::{self, Process, Row};
use crate::records::{self, Exchange, Side, Stage};

/// Puts a message into the outbox, in one transaction with the mark that it is on its way. Checks that it is in turn.
pub async fn send<M: Sent>(
    node: &Arc<Node>,
    exchange: &Exchange,
    process: &M::Record,
    message: M,
) -> Result<()> {
    send_as(node, exchange, process, message).await
}

/// Ends a process for a cause that the peer is told.
pub async fn terminate<P: Protocol>(
    node: &Arc<Node>,
    exchange: &Exchange,
    process: &P,
    cause: Cause,
) -> Result<()> {
    send_as(node, exchange, process, P::termination(pids(process)?, cause)).await
}

async fn send_as<P: Protocol>(
    node: &Arc<Node>,
    exchange: &Exchange,
    process: &P,
    message: P::Message,
) -> Result<()> {
    let now = node.clock.now();
    let pid = process.ends().own_pid();
    records::update::<records::Process<P>, ()>(&node.store, P::SPACE, pid.as_str().as_bytes(), |stored| {
        let row = row(node, exchange, &stored.process, &message, now)?;
        let mut tx = Tx::new();
        match stored.pending.as_deref() {
            None => {}
            // A termination takes the place of whatever still waits to be delivered.
            Some(waiting) if row.kind == LAST && waiting != LAST && waiting != FIRST => {
                for (key, _) in
                    outbox::waiting(node, &row.peer)?.into_iter().filter(|(_, r)| r.pid == row.pid)
                {
                    tx = tx.delete(Space::Outbox, key);
                }
            }
            Some(_) => return Ok(((), Tx::new())),
        }
        stored.process.after_sending(&message, now)?;
        stored.pending = Some(row.kind.clone());
        Ok(((), outbox::enqueue(tx, &row)?))
    })
    .await?;
    node.outbox.kick(node, &exchange.peer);
    Ok(())
}

/// Opens a process of ours: its record, its place in the exchange and the first message in the outbox, in one
/// transaction.
pub async fn open<M: Sent>(
    node: &Arc<Node>,
    exchange: &Exchange,
    process: M::Record,
    message: &M,
    mut edit: impl FnMut(&mut Exchange),
) -> Result<()> {
    let pid = process.ends().own_pid().to_string();
    let row = row(node, exchange, &process, message, node.clock.now())?;
    let stored =
        records::Process { process, exchange: row.exchange.clone(), pending: Some(row.kind.clone()) };
    records::update::<Exchange, ()>(&node.store, Space::Exchange, &exchange.key(), |exchange| {
        edit(exchange);
        exchange.failure = None;
        let tx = Tx::new().put_json(M::Record::SPACE, pid.clone().into_bytes(), &stored);
        Ok(((), outbox::enqueue(tx.map_err(Error::from)?, &row)?))
    })
    .await?;
    node.changed.send_modify(|n| *n += 1);
    node.outbox.kick(node, &exchange.peer);
    Ok(())
}

fn row<P: Protocol>(
    node: &Node,
    exchange: &Exchange,
    process: &P,
    message: &P::Message,
    now: i64,
) -> Result<Row> {
    Ok(Row {
        peer: exchange.peer.clone(),
        process: P::PROCESS,
        pid: process.ends().own_pid().to_string(),
        exchange: String::from_utf8_lossy(&exchange.key()).into_owned(),
        kind: P::kind(message).to_owned(),
        url: process.address(node, message)?,
        body: P::body(message).to_string(),
        exchange_id: exchange.id.clone(),
        purpose: exchange.ask.purpose.clone(),
        created: now,
        attempts: 0,
        last_error: None,
        next_try: None,
    })
}

/// Takes a later message of the peer; the error is the reason why it is out of turn.
///
/// Record and outbox are read one after the other. When the acknowledgement of our own message comes in between, the
/// message looks out of turn and is not: so it is only so if the record stood still meanwhile.
pub async fn take<P: Protocol>(
    node: &Node,
    pid: &str,
    message: &P::Message,
) -> Result<std::result::Result<records::Process<P>, String>> {
    loop {
        let before = revision::<P>(node, pid)?;
        match take_once::<P>(node, pid, message).await? {
            Err(_) if revision::<P>(node, pid)? != before => tokio::task::yield_now().await,
            taken => return Ok(taken),
        }
    }
}

fn revision<P: Protocol>(node: &Node, pid: &str) -> Result<Option<u64>> {
    let found = records::get::<records::Process<P>>(&node.store, P::SPACE, pid.as_bytes())?;
    Ok(found.map(|(_, revision)| revision))
}

/// A peer that answers a message of ours has it, even when its acknowledgement is still on the way here or was lost in
/// a crash. Then ours counts as delivered: without this, a quick peer would be told that its answer comes too early.
async fn take_once<P: Protocol>(
    node: &Node,
    pid: &str,
    message: &P::Message,
) -> Result<std::result::Result<records::Process<P>, String>> {
    let now = node.clock.now();
    let done = records::update::<records::Process<P>, records::Process<P>>(
        &node.store,
        P::SPACE,
        pid.as_bytes(),
        |stored| {
            let mut tx = Tx::new();
            stored.process =
                match (stored.process.after_receiving(message, now), on_its_way(node, pid, stored)?) {
                    (Err(_), Some((key, ours))) => {
                        stored.pending = None;
                        tx = tx.delete(Space::Outbox, key);
                        let delivered = stored
                            .process
                            .after_sending(&ours, now)
                            .map_err(|e| Error::usage(e.to_string()))?;
                        delivered.after_receiving(message, now)?
                    }
                    (taken, _) => taken?,
                };
            Ok((stored.clone(), tx))
        },
    )
    .await;
    match done {
        Ok(row) => Ok(Ok(row)),
        Err(Error::Usage(why)) => Ok(Err(why)),
        Err(error) => Err(error),
    }
}

/// Our own message of a process that waits for its acknowledgement, unless it is the first: that one opened the record.
fn on_its_way<P: Protocol>(
    node: &Node,
    pid: &str,
    stored: &records::Process<P>,
) -> Result<Option<(Vec<u8>, P::Message)>> {
    let Some(kind) = stored.pending.as_deref().filter(|kind| *kind != FIRST) else { return Ok(None) };
    let waiting = outbox::waiting(node, stored.process.ends().peer().as_str())?;
    let ours =
        waiting.into_iter().find(|(_, row)| row.process == P::PROCESS && row.pid == pid && row.kind == kind);
    ours.map(|(key, row)| Ok((key, stored_message::<P>(&row)?))).transpose()
}

fn stored_message<P: Protocol>(row: &Row) -> Result<P::Message> {
    P::read(row.body.as_bytes()).map_err(|why| Error::internal(format!("a message in the outbox: {why}")))
}

/// A message was acknowledged, with this body of the answer: its effect on our own record and the end of its row, in one transaction.
pub async fn delivered(node: &Arc<Node>, key: &[u8], row: &Row, answer: &[u8]) -> Result<()> {
    match row.process {
        Process::Negotiation => acknowledge::<Negotiation>(node, key, row, answer).await?,
        Process::Transfer => acknowledge::<Transfer>(node, key, row, answer).await?,
    }
    node.changed.send_modify(|n| *n += 1);
    nudge(node, row.exchange.as_bytes());
    Ok(())
}

async fn acknowledge<P: Protocol>(node: &Node, key: &[u8], row: &Row, answer: &[u8]) -> Result<()> {
    let now = node.clock.now();
    let message = stored_message::<P>(row)?;
    let done =
        records::update::<records::Process<P>, ()>(&node.store, P::SPACE, row.pid.as_bytes(), |stored| {
            // The peer's next message was here before: this one counts as delivered already (`take`).
            if stored.pending.as_deref() != Some(row.kind.as_str()) {
                return Ok(((), Tx::new().delete(Space::Outbox, key.to_vec())));
            }
            // The first message opened the record when it was written; the answer only tells the peer's pid.
            stored.process = if row.kind == FIRST {
                stored.process.learn(answer)?
            } else {
                stored.process.after_sending(&message, now)?
            };
            stored.pending = None;
            Ok(((), Tx::new().delete(Space::Outbox, key.to_vec())))
        })
        .await;
    match done {
        Err(Error::Conflict(why)) => {
            // The peer ended the process while our message was on its way: ours is void.
            tracing::info!(pid = row.pid, kind = row.kind, why, "a delivered message came too late");
            void::<P>(node, key, row).await.map(|_| ())
        }
        other => other,
    }
}

/// Takes a message back; whether it was still waiting.
async fn void<P: Protocol>(node: &Node, key: &[u8], row: &Row) -> Result<bool> {
    records::update::<records::Process<P>, bool>(&node.store, P::SPACE, row.pid.as_bytes(), |stored| {
        let waits = stored.pending.as_deref() == Some(row.kind.as_str());
        if waits {
            stored.pending = None;
        }
        Ok((waits, Tx::new().delete(Space::Outbox, key.to_vec())))
    })
    .await
}

/// The peer will never take a message (or nobody wants to wait for it): the process and the exchange end.
pub async fn rejected(node: &Arc<Node>, key: &[u8], row: &Row, error: &Error) -> Result<()> {
    let waits = match row.process {
        Process::Negotiation => void::<Negotiation>(node, key, row).await?,
        Process::Transfer => void::<Transfer>(node, key, row).await?,
    };
    if !waits {
        return Ok(());
    }
    if matches!(error, Error::NotFound(_)) && super::consumer::forget_agreement(node, row).await? {
        nudge(node, row.exchange.as_bytes());
        return Ok(());
    }
    let why = format!("the {} of the {} was not taken: {error}", row.kind, row.process.word());
    let unreachable = matches!(error, Error::Unreachable(_));
    let refusal = match error {
        Error::Refused(info) => Some((**info).clone()),
        _ => None,
    };
    end(node, row.exchange.as_bytes(), &why, unreachable, refusal).await?;
    // A termination that is not taken is not followed by another one.
    if unreachable || row.kind == LAST {
        return Ok(());
    }
    super::consumer::tell_failure(node, row.exchange.as_bytes()).await
}

async fn end(
    node: &Node,
    key: &[u8],
    why: &str,
    unreachable: bool,
    refusal: Option<RefusalInfo>,
) -> Result<()> {
    change(node, key, |exchange| {
        if exchange.stage.is_final() {
            return;
        }
        exchange.stage = if unreachable { Stage::Unreachable } else { Stage::Failed };
        exchange.failure = Some(why.to_owned());
        exchange.refusal = refusal.clone().or_else(|| exchange.refusal.clone());
    })
    .await
}

/// Tries of a first message that nobody wants to queue: a peer that cannot be reached, and one that says "come again",
/// such as a node that has just started and knows no nonces yet.
const TRIES_UNREACHABLE: u32 = 2;
const TRIES_BUSY: u32 = 6;

/// Whether nobody wants to wait for an unreachable peer: the consumer's first message, asked for without `queue`.
pub async fn gives_up(node: &Node, row: &Row, error: &Error) -> Result<bool> {
    let tries = if matches!(error, Error::Unavailable(_)) { TRIES_BUSY } else { TRIES_UNREACHABLE };
    if row.attempts < tries || row.kind != FIRST {
        return Ok(false);
    }
    let exchange = records::get::<Exchange>(&node.store, Space::Exchange, row.exchange.as_bytes())?;
    Ok(exchange.is_some_and(|(e, _)| e.side == Side::Consumer && !e.queue))
}
