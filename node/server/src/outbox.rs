//! The outbox: "send" means "will arrive".
//!
//! A message to a peer is written in the same transaction as the state that made it necessary, and leaves from here: per
//! peer in order, tried again with growing pauses, given up only after a week or when the peer says that it will never
//! take it. What an acknowledged message changes is decided in [`crate::flow`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{Space, Tx};
use tokio::sync::Notify;

use crate::error::{Error, Result};
use crate::flow::delivery;
use crate::limits;
use crate::node::Node;
use crate::records;

/// Which record a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Process {
    /// A negotiation.
    Negotiation,
    /// A transfer.
    Transfer,
}

impl Process {
    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Negotiation => "negotiation",
            Self::Transfer => "transfer",
        }
    }
}

/// A message on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Participant id of the receiver.
    pub peer: String,
    /// Record that it belongs to.
    pub process: Process,
    /// This node's pid of that record.
    pub pid: String,
    /// Key of the exchange.
    pub exchange: String,
    /// Kind of the message, as the protocol's state machine names it.
    pub kind: String,
    /// Full URL.
    pub url: String,
    /// Body, JSON.
    pub body: String,
    /// Exchange id for the signed header.
    pub exchange_id: String,
    /// Purpose for the signed header.
    pub purpose: Option<String>,
    /// When it was written, Unix seconds.
    pub created: i64,
    /// Tries so far.
    pub attempts: u32,
    /// What the last try came to.
    pub last_error: Option<String>,
    /// When it is tried again at the latest, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<i64>,
}

/// Adds a row to a transaction. The key keeps the order of writing per peer.
pub fn enqueue(tx: Tx, row: &Row) -> Result<Tx> {
    let key = format!("{}/{}", records::short(&row.peer), ulid::Ulid::generate());
    tx.put_json(Space::Outbox, key.into_bytes(), row).map_err(Error::from)
}

/// The workers, one a peer, each asleep until something is to be sent.
#[derive(Default)]
pub struct Outbox {
    workers: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Outbox {
    /// Something may be to be sent to `peer`: wakes its worker, or starts one. Also called whenever the peer is heard
    /// of, because then the line is back.
    pub fn kick(&self, node: &Arc<Node>, peer: &str) {
        let Ok(mut workers) = self.workers.lock() else { return };
        if let Some(wake) = workers.get(peer) {
            wake.notify_one();
            return;
        }
        let wake = Arc::new(Notify::new());
        wake.notify_one();
        workers.insert(peer.to_owned(), wake.clone());
        tokio::spawn(work(node.clone(), peer.to_owned(), wake));
    }

    /// Starts a worker for every peer that something waits for.
    pub fn start(&self, node: &Arc<Node>) -> Result<()> {
        for (_, row) in records::all::<Row>(&node.store, Space::Outbox, b"")? {
            self.kick(node, &row.peer);
        }
        Ok(())
    }
}

/// What waits for `peer`, oldest first.
pub fn waiting(node: &Node, peer: &str) -> Result<Vec<(Vec<u8>, Row)>> {
    records::all(&node.store, Space::Outbox, format!("{}/", records::short(peer)).as_bytes())
}

async fn work(node: Arc<Node>, peer: String, wake: Arc<Notify>) {
    let mut pause = limits::RETRY_FIRST;
    let mut stop = node.stop.subscribe();
    loop {
        match send_first(&node, &peer, pause).await {
            Ok(Sent::Nothing) => {
                pause = limits::RETRY_FIRST;
                tokio::select! { () = wake.notified() => {}, () = crate::operation::stopped(&mut stop) => return }
            }
            Ok(Sent::One) => pause = limits::RETRY_FIRST,
            Ok(Sent::Later) => {
                tokio::select! {
                    () = tokio::time::sleep(with_jitter(pause)) => {}
                    () = wake.notified() => {}
                    () = crate::operation::stopped(&mut stop) => return,
                }
                pause = (pause * 2).min(limits::RETRY_CAP);
            }
            Err(error) => {
                tracing::error!(%peer, %error, "the outbox cannot work; trying again");
                tokio::time::sleep(limits::RETRY_CAP / 4).await;
            }
        }
        if *stop.borrow() {
            return;
        }
    }
}

enum Sent {
    Nothing,
    One,
    Later,
}

async fn send_first(node: &Arc<Node>, peer: &str, pause: Duration) -> Result<Sent> {
    let Some((key, row)) = waiting(node, peer)?.into_iter().next() else { return Ok(Sent::Nothing) };
    match node.outbound.post_row(node, &row).await {
        Ok(answer) => {
            match delivery::delivered(node, &key, &row, &answer.body).await {
                // What the answer says cannot be used, and will not become better.
                Err(
                    error @ (Error::Peer(_) | Error::Usage(_) | Error::NotFound(_) | Error::Verification(_)),
                ) => {
                    delivery::rejected(node, &key, &row, &error).await?;
                }
                done => done?,
            }
            Ok(Sent::One)
        }
        Err(error) if lasting(&error, row.attempts) => {
            tracing::warn!(%peer, kind = row.kind, %error, "the peer will not take this message");
            delivery::rejected(node, &key, &row, &error).await?;
            Ok(Sent::One)
        }
        Err(error) => {
            tracing::info!(%peer, kind = row.kind, attempt = row.attempts + 1, %error, "not delivered yet");
            let old = node.clock.now() - row.created > limits::OUTBOX_AGE_SECONDS_MAX;
            if old || delivery::gives_up(node, &row, &error).await? {
                delivery::rejected(node, &key, &row, &error).await?;
                return Ok(Sent::One);
            }
            let text = error.to_string();
            let again =
                node.clock.now() + i64::try_from(pause.as_secs()).unwrap_or(i64::MAX).saturating_add(1);
            let noted = records::update::<Row, ()>(&node.store, Space::Outbox, &key, |row| {
                row.attempts += 1;
                row.last_error = Some(text.clone());
                row.next_try = Some(again);
                Ok(((), Tx::new()))
            })
            .await;
            match noted {
                // The peer's next message showed meanwhile that it has this one (`delivery::take`).
                Err(Error::NotFound(_)) => Ok(Sent::One),
                other => other.map(|()| Sent::Later),
            }
        }
    }
}

/// Whether trying again is useless. An unknown pid may be a race with the peer's own commit, so it gets some tries.
fn lasting(error: &Error, attempts: u32) -> bool {
    match error {
        Error::NotFound(_) => attempts >= 6,
        Error::Usage(_) | Error::Refused(_) | Error::Verification(_) | Error::TooLarge(_) => true,
        _ => false,
    }
}

/// Full jitter over the second half, so that many nodes do not knock at the same moment.
fn with_jitter(pause: Duration) -> Duration {
    let random = crate::operation::random::<2>().map_or(0, u16::from_le_bytes);
    pause / 2 + pause.mul_f64(f64::from(random) / f64::from(u16::MAX) / 2.0)
}
