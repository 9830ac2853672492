//! Negotiations and transfers with connectors, both roles, driven by their stored state and nothing else.
//!
//! **What it is.** A [`Row`] is a process of the protocol ([`exchange::negotiation`], [`exchange::transfer`]) with the party
//! it runs with and the message of ours that is on its way. [`drive`] looks at what is stored and does the next thing: it
//! sends what is pending, or asks [`Driven::next`] for the next message, until it waits for the other side. It runs after
//! each message that came in and at start-up, so a node that was killed goes on where it was.
//!
//! **Patience.** Connectors take messages late, answer 404 before they know their own process, or are down: a message is
//! sent again with growing pauses, and at the end ([`limits::CONNECTOR_TRIES_MAX`]) the process ends here with the reason.
//!
//! **What it is not.** Exchanges with nodes of this kind: those have signatures, manifests and receipts ([`crate::flow`]).

mod delivery;
mod errand;
mod negotiations;
mod standing;
mod transfers;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exchange::dsp::MessageOffer;
use exchange::negotiation::Negotiation;
use exchange::transfer::Transfer;
use serde::{Deserialize, Serialize};
use store::{Space, Tx};

pub use self::errand::{Errand, Wish, all as errands, begin, find as errand, view as errand_view};
pub use self::negotiations::{open as open_negotiation, propose};
pub use self::standing::{Standing, find as find_agreement};
pub use self::transfers::{Served, open as open_transfer, request as request_transfer, served};
/// Messages of single steps, for the script of the compatibility kit.
#[cfg(feature = "tck")]
pub mod steps {
    pub use super::negotiations::{agreement, event, verification};
    pub use super::transfers::{completion, start};
}
use super::protocol::Protocol;
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::operation::stopped;
use crate::outbound::connector::Clients;
use crate::records;

/// A message of ours that is not yet acknowledged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Where it goes.
    pub url: String,
    /// The message.
    pub body: String,
    /// Whether it opens the process: then the answer tells the peer's pid.
    pub first: bool,
    /// Tries so far.
    pub tries: u32,
}

/// A process with a connector.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row<P> {
    /// The protocol's own record.
    pub process: P,
    /// The party whose connector is the other end.
    pub party: String,
    /// Our message on its way.
    #[serde(default)]
    pub pending: Option<Pending>,
    /// The offer that this node asked for (consumer of a negotiation).
    #[serde(default)]
    pub wanted: Option<MessageOffer>,
    /// The errand of this agency that it serves (consumer).
    #[serde(default)]
    pub errand: Option<String>,
    /// SHA-256 of the token under which its rows are served, hex (provider of a transfer).
    #[serde(default)]
    pub token: Option<String>,
    /// Why it ended here, when the other side was not told.
    #[serde(default)]
    pub failure: Option<String>,
    /// Whether what follows from its end is done: a process that ended just before this node did is taken up once more.
    #[serde(default)]
    pub settled: bool,
}

impl<P> Row<P> {
    /// A process that just began.
    fn new(process: P, party: &str) -> Self {
        let party = party.to_owned();
        Self {
            process,
            party,
            pending: None,
            wanted: None,
            errand: None,
            token: None,
            failure: None,
            settled: false,
        }
    }
}

/// A process that this module drives.
pub trait Driven: Protocol<Message: Sync> + Sync + 'static {
    /// First part of its keys in the drawer of connectors.
    const DRAWER: &'static str;

    /// The next message of ours; none while the other side is to speak.
    fn next(node: &Arc<Node>, row: &Row<Self>) -> impl Future<Output = Result<Option<Self::Message>>> + Send;

    /// Keeps what follows from a state that was reached; may be called again for the same state.
    fn reached(node: &Arc<Node>, row: &Row<Self>) -> impl Future<Output = Result<()>> + Send;

    /// How long to wait before the next step of our own.
    fn pause(_row: &Row<Self>) -> Option<Duration> {
        None
    }

    /// Ends it here alone.
    fn give_up(&self, why: &str, now: i64) -> Option<Self>;
}

/// What a node keeps in mind of connectors: the processes that are not at their end, and the clients to call them.
#[derive(Default)]
pub struct Connectors {
    open: Mutex<BTreeSet<String>>,
    clients: Clients,
}

impl Connectors {
    fn of(party: &str, pid: &str) -> String {
        format!("{}/{pid}", records::short(party))
    }

    fn insert(&self, party: &str, pid: &str) {
        if let Ok(mut open) = self.open.lock() {
            open.insert(Self::of(party, pid));
        }
    }

    fn remove(&self, party: &str, pid: &str) {
        if let Ok(mut open) = self.open.lock() {
            open.remove(&Self::of(party, pid));
        }
    }

    /// Whether this party may open another process.
    pub fn has_room(&self, party: &str) -> bool {
        let prefix = format!("{}/", records::short(party));
        let open = self
            .open
            .lock()
            .map(|open| open.range(prefix.clone()..).take_while(|key| key.starts_with(&prefix)).count());
        open.is_ok_and(|count| count < limits::OPEN_EXCHANGES_PER_PEER_MAX)
    }

    /// The clients to call connectors.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }
}

/// Key of a process in the drawer of connectors.
pub fn key<P: Driven>(pid: &str) -> Vec<u8> {
    format!("{}{pid}", P::DRAWER).into_bytes()
}

/// A process by this node's pid.
pub fn find<P: Driven>(node: &Node, pid: &str) -> Result<Option<Row<P>>> {
    Ok(records::get::<Row<P>>(&node.store, Space::Connector, &key::<P>(pid))?.map(|(row, _)| row))
}

/// Does whatever a process needs next, in the background.
pub fn nudge<P: Driven>(node: &Arc<Node>, party: &str, pid: &str) {
    node.connectors.insert(party, pid);
    let (node, pid) = (node.clone(), pid.to_owned());
    tokio::spawn(async move {
        if let Err(error) = drive::<P>(&node, &pid).await {
            tracing::warn!(pid, %error, "a process with a connector could not be driven on");
        }
    });
}

/// Takes up every process at start-up: the only time that all are read.
pub fn take_up(node: &Arc<Node>) -> Result<()> {
    take_up_all::<Negotiation>(node)?;
    take_up_all::<Transfer>(node)
}

fn take_up_all<P: Driven>(node: &Arc<Node>) -> Result<()> {
    for (_, row) in records::all::<Row<P>>(&node.store, Space::Connector, P::DRAWER.as_bytes())? {
        if !row.settled {
            nudge::<P>(node, &row.party, row.process.ends().own_pid().as_str());
        }
    }
    Ok(())
}

/// Does whatever a process needs next, until it waits for the other side or is at its end.
pub async fn drive<P: Driven>(node: &Arc<Node>, pid: &str) -> Result<()> {
    let turn = format!("connector/{}{pid}", P::DRAWER);
    let _turn = node.locks.lock(turn.as_bytes()).await;
    while let Some(row) = find::<P>(node, pid)? {
        P::reached(node, &row).await?;
        if row.process.is_over() && row.pending.is_none() {
            settle::<P>(node, pid, &row).await?;
            node.connectors.remove(&row.party, pid);
            return Ok(());
        }
        let moved = match &row.pending {
            Some(pending) => delivery::deliver(node, pid, &row, pending).await?,
            None => advance::<P>(node, pid, &row).await?,
        };
        if !moved {
            return Ok(());
        }
    }
    Ok(())
}

/// Notes that what follows from its end is done.
async fn settle<P: Driven>(node: &Node, pid: &str, row: &Row<P>) -> Result<()> {
    if row.settled {
        return Ok(());
    }
    records::update::<Row<P>, ()>(&node.store, Space::Connector, &key::<P>(pid), |row| {
        row.settled = true;
        Ok(((), Tx::new()))
    })
    .await
}

/// Decides the next message and keeps it as pending, in one write; whether there was one.
async fn advance<P: Driven>(node: &Arc<Node>, pid: &str, row: &Row<P>) -> Result<bool> {
    let row = match P::pause(row) {
        None => row.clone(),
        Some(pause) => {
            if !rest(node, pause).await {
                return Ok(false);
            }
            match find::<P>(node, pid)? {
                Some(row) if row.pending.is_none() => row,
                _ => return Ok(true),
            }
        }
    };
    if row.process.is_over() {
        return Ok(true);
    }
    let Some(message) = P::next(node, &row).await? else { return Ok(false) };
    delivery::enqueue::<P>(node, pid, &message).await?;
    Ok(true)
}

/// Waits; false when the node stops meanwhile.
async fn rest(node: &Node, pause: Duration) -> bool {
    let mut stop = node.stop.subscribe();
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        () = stopped(&mut stop) => false,
    }
}

/// Takes a later message of the other side; the error within is the reason why it is out of turn.
///
/// Who answers a message of ours has it, even when its acknowledgement is still on the way: then ours counts as delivered.
pub async fn take<P: Driven>(
    node: &Node,
    pid: &str,
    message: &P::Message,
) -> Result<std::result::Result<Row<P>, String>> {
    let now = node.clock.now();
    let taken = records::update::<Row<P>, Row<P>>(&node.store, Space::Connector, &key::<P>(pid), |row| {
        row.process = match (row.process.after_receiving(message, now), &row.pending) {
            (Err(_), Some(pending)) if !pending.first => {
                let ours = delivery::read::<P>(pending)?;
                let sent = row.process.after_sending(&ours, now).map_err(|e| Error::usage(e.to_string()))?;
                let taken = sent.after_receiving(message, now)?;
                row.pending = None;
                taken
            }
            (taken, _) => taken?,
        };
        // A first message was taken by whoever answers it; any other may be void now.
        let void = match &row.pending {
            Some(pending) if pending.first => row.process.ends().pids().is_some(),
            Some(pending) => {
                let ours = delivery::read::<P>(pending)?;
                row.process.after_sending(&ours, now).is_err()
            }
            None => false,
        };
        if void {
            row.pending = None;
        }
        Ok((row.clone(), Tx::new()))
    })
    .await;
    match taken {
        Ok(row) => Ok(Ok(row)),
        Err(Error::Usage(why)) => Ok(Err(why)),
        Err(error) => Err(error),
    }
}
