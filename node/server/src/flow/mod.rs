//! The flows: what a node does by itself to bring an exchange to its end.
//!
//! An exchange is driven by its stored state and nothing else: [`drive`] looks at what is there and does the next thing.
//! It is called after every message that came in, after every message that was delivered, at start-up, and by the
//! monitor. A node that was killed at any moment therefore goes on where it was: there is no other recovery.
//!
//! [`provider`] and [`consumer`] hold the two sides, [`statement`] the ledger entries, [`receipts`] the receipts, [`view`]
//! what people see.

pub mod agreement;
pub mod consumer;
pub mod evidence;
pub mod notice;
pub mod produce;
pub mod provider;
pub mod receipts;
pub mod receive;
pub mod statement;
pub mod view;

use std::sync::Arc;

use exchange::dsp::{self, Message, NegotiationMessage, TransferMessage};
use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Space, Tx};

use crate::error::{Error, RefusalInfo, Result};
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::outbound::Answer;
use crate::outbox::{self, Process, Row};
use crate::records::{self, Exchange, Side, Stage};

/// Kind of the message that opens a process.
const FIRST: &str = "request";
/// Kind of the message that ends it before its goal.
const LAST: &str = "termination";

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

/// Takes up every unfinished exchange at start-up: the only time that all are read.
pub fn take_up(node: &Arc<Node>) -> Result<()> {
    for (key, exchange) in records::all::<Exchange>(&node.store, Space::Exchange, b"")? {
        if !exchange.stage.is_final() {
            nudge(node, &key);
        }
    }
    Ok(())
}

/// Takes up an exchange that waits for the network, because a person thinks that the line is back: what was said of the
/// last try is forgotten, and the next one is made now.
pub async fn resume(node: &Arc<Node>, exchange: &Exchange) -> Result<()> {
    if exchange.stage.is_final() {
        return Ok(());
    }
    let key = exchange.key();
    change(node, &key, |e| e.failure = None).await?;
    node.outbox.kick(node, &exchange.peer);
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

/// A message of a negotiation or a transfer, so that both are sent by the same code.
pub trait Protocol: Serialize + DeserializeOwned + Clone + Send {
    /// Where its records lie.
    const SPACE: Space;
    /// What the outbox calls it.
    const PROCESS: Process;
    /// Its messages.
    type Message: Clone;
    /// Takes a message of our own: checks that it is in turn, and gives the record after it.
    fn after_sending(&self, message: &Self::Message, now: i64) -> Result<Self>;
    /// Takes a message of the peer: checks that it is in turn, and gives the record after it.
    fn after_receiving(&self, message: &Self::Message, now: i64) -> Result<Self>;
    /// The other side.
    fn other_side(&self) -> &str;
    /// The body.
    fn body(message: &Self::Message) -> serde_json::Value;
    /// The kind's word.
    fn kind(message: &Self::Message) -> &'static str;
    /// Reads a body back.
    fn read(body: &[u8]) -> Result<Self::Message>;
    /// Learns the peer's pid from the answer to the first message.
    fn learn(&self, answer: &[u8]) -> Result<Self>;
}

impl Protocol for Negotiation {
    const SPACE: Space = Space::Negotiation;
    const PROCESS: Process = Process::Negotiation;
    type Message = NegotiationMessage;

    fn after_sending(&self, message: &NegotiationMessage, now: i64) -> Result<Self> {
        self.send(message, now).map(|s| s.record).map_err(|e| Error::conflict(e.to_string()))
    }
    fn after_receiving(&self, message: &NegotiationMessage, now: i64) -> Result<Self> {
        self.receive(message, now).map(|s| s.record).map_err(|e| Error::usage(e.to_string()))
    }
    fn other_side(&self) -> &str {
        self.peer().as_str()
    }
    fn body(message: &NegotiationMessage) -> serde_json::Value {
        message.to_value()
    }
    fn kind(message: &NegotiationMessage) -> &'static str {
        exchange::negotiation::Kind::of(message).word()
    }
    fn read(body: &[u8]) -> Result<NegotiationMessage> {
        match Message::parse(body) {
            Ok(Message::Negotiation(message)) => Ok(message),
            Ok(_) => Err(Error::internal("a stored message is no negotiation message")),
            Err(e) => Err(Error::internal(e)),
        }
    }
    fn learn(&self, answer: &[u8]) -> Result<Self> {
        let Ok(told) = dsp::parse::<dsp::ContractNegotiation>(answer) else { return Ok(self.clone()) };
        self.learn_peer_pid(&told.pids.provider).map_err(|e| Error::Peer(e.to_string()))
    }
}

impl Protocol for Transfer {
    const SPACE: Space = Space::Transfer;
    const PROCESS: Process = Process::Transfer;
    type Message = TransferMessage;

    fn after_sending(&self, message: &TransferMessage, now: i64) -> Result<Self> {
        self.send(message, now).map(|s| s.record).map_err(|e| Error::conflict(e.to_string()))
    }
    fn after_receiving(&self, message: &TransferMessage, now: i64) -> Result<Self> {
        self.receive(message, now).map(|s| s.record).map_err(|e| Error::usage(e.to_string()))
    }
    fn other_side(&self) -> &str {
        self.peer().as_str()
    }
    fn body(message: &TransferMessage) -> serde_json::Value {
        message.to_value()
    }
    fn kind(message: &TransferMessage) -> &'static str {
        exchange::transfer::Kind::of(message).word()
    }
    fn read(body: &[u8]) -> Result<TransferMessage> {
        match Message::parse(body) {
            Ok(Message::Transfer(message)) => Ok(message),
            Ok(_) => Err(Error::internal("a stored message is no transfer message")),
            Err(e) => Err(Error::internal(e)),
        }
    }
    fn learn(&self, answer: &[u8]) -> Result<Self> {
        let Ok(told) = dsp::parse::<dsp::TransferProcess>(answer) else { return Ok(self.clone()) };
        self.learn_peer_pid(&told.pids.provider).map_err(|e| Error::Peer(e.to_string()))
    }
}

/// Puts a message into the outbox, in one transaction with the mark that it is on its way. Checks that it is in turn.
pub async fn send<M: Sent>(
    node: &Arc<Node>,
    exchange: &Exchange,
    pid: &str,
    message: M,
    url: String,
) -> Result<()> {
    send_as::<M::Record>(node, exchange, pid, message, url).await
}

/// A message that knows which record it belongs to.
pub trait Sent: Clone + Send {
    /// The record.
    type Record: Protocol<Message = Self>;
}

impl Sent for NegotiationMessage {
    type Record = Negotiation;
}

impl Sent for TransferMessage {
    type Record = Transfer;
}

async fn send_as<P: Protocol>(
    node: &Arc<Node>,
    exchange: &Exchange,
    pid: &str,
    message: P::Message,
    url: String,
) -> Result<()> {
    let now = node.clock.now();
    let row = row::<P>(exchange, pid, &message, url, now);
    records::update::<records::Process<P>, ()>(&node.store, P::SPACE, pid.as_bytes(), |stored| {
        let mut tx = Tx::new();
        match stored.pending.as_deref() {
            None => {}
            // A termination takes the place of whatever still waits to be delivered.
            Some(waiting)
                if row.kind == "termination" && waiting != "termination" && waiting != "request" =>
            {
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

/// The outbox row of a message.
pub fn row<P: Protocol>(exchange: &Exchange, pid: &str, message: &P::Message, url: String, now: i64) -> Row {
    Row {
        peer: exchange.peer.clone(),
        process: P::PROCESS,
        pid: pid.to_owned(),
        exchange: String::from_utf8_lossy(&exchange.key()).into_owned(),
        kind: P::kind(message).to_owned(),
        url,
        body: P::body(message).to_string(),
        exchange_id: exchange.id.clone(),
        purpose: exchange.ask.purpose.clone(),
        created: now,
        attempts: 0,
        last_error: None,
    }
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
    let waiting = outbox::waiting(node, stored.process.other_side())?;
    let ours =
        waiting.into_iter().find(|(_, row)| row.process == P::PROCESS && row.pid == pid && row.kind == kind);
    ours.map(|(key, row)| Ok((key, P::read(row.body.as_bytes())?))).transpose()
}

/// A message was acknowledged: its effect on our own record and the end of its row, in one transaction.
pub async fn delivered(node: &Arc<Node>, key: &[u8], row: &Row, answer: &Answer) -> Result<()> {
    match row.process {
        Process::Negotiation => acknowledge::<Negotiation>(node, key, row, answer).await?,
        Process::Transfer => acknowledge::<Transfer>(node, key, row, answer).await?,
    }
    node.changed.send_modify(|n| *n += 1);
    nudge(node, row.exchange.as_bytes());
    Ok(())
}

async fn acknowledge<P: Protocol>(node: &Node, key: &[u8], row: &Row, answer: &Answer) -> Result<()> {
    let now = node.clock.now();
    let message = P::read(row.body.as_bytes())?;
    let done =
        records::update::<records::Process<P>, ()>(&node.store, P::SPACE, row.pid.as_bytes(), |stored| {
            // The peer's next message was here before: this one counts as delivered already (`take`).
            if stored.pending.as_deref() != Some(row.kind.as_str()) {
                return Ok(((), Tx::new().delete(Space::Outbox, key.to_vec())));
            }
            // The first message opened the record when it was written; the answer only tells the peer's pid.
            stored.process = if row.kind == FIRST {
                stored.process.learn(&answer.body)?
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
    if matches!(error, Error::NotFound(_)) && consumer::forget_agreement(node, row).await? {
        nudge(node, row.exchange.as_bytes());
        return Ok(());
    }
    let why = format!("the {} of the {} was not taken: {error}", row.kind, process_word(row.process));
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
    consumer::tell_failure(node, row.exchange.as_bytes()).await
}

fn process_word(process: Process) -> &'static str {
    match process {
        Process::Negotiation => "negotiation",
        Process::Transfer => "transfer",
    }
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

/// Whether nobody wants to wait for an unreachable peer: the consumer's first message, asked for without `queue`.
pub async fn gives_up(node: &Node, row: &Row) -> Result<bool> {
    if row.attempts < 2 || row.kind != FIRST {
        return Ok(false);
    }
    let exchange = records::get::<Exchange>(&node.store, Space::Exchange, row.exchange.as_bytes())?;
    Ok(exchange.is_some_and(|(e, _)| e.side == Side::Consumer && !e.queue))
}
