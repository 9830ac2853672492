//! Our messages to connectors: kept as pending, sent, sent again, given up.

use std::sync::Arc;
use std::time::Duration;

use exchange::Role;
use exchange::dsp::Address;
use store::{Space, Tx};

use super::{Driven, Pending, Row, key, rest};
use crate::dsp;
use crate::error::{Error, Result};
use crate::limits;
use crate::node::Node;
use crate::outbound::connector as outbound;
use crate::records;

/// The message that is pending.
pub fn read<P: Driven>(pending: &Pending) -> Result<P::Message> {
    P::read(pending.body.as_bytes()).map_err(|why| Error::internal(format!("a pending message: {why}")))
}

/// A message as it will be sent: at the provider under its endpoint, at the consumer under its callback address.
pub fn pending<P: Driven>(node: &Node, row: &Row<P>, message: &P::Message) -> Result<Pending> {
    let ends = row.process.ends();
    let base: Address = match ends.role() {
        Role::Consumer => dsp::demand(node, &row.party)?.endpoint,
        Role::Provider => {
            row.process.callback().cloned().ok_or_else(|| Error::internal("no callback address is known"))?
        }
    };
    let peer = ends.pid_of(ends.role().other()).map(exchange::dsp::Id::as_str);
    let mut segments = vec![P::PATH];
    segments.extend(peer);
    segments.extend(P::tail(message));
    let body = P::body(message).to_string();
    Ok(Pending { url: base.join(&segments), body, first: peer.is_none(), tries: 0 })
}

/// Keeps a message as pending, if it is in turn; one that is not any more is let go.
pub async fn enqueue<P: Driven>(node: &Node, pid: &str, message: &P::Message) -> Result<()> {
    let now = node.clock.now();
    let done = records::update::<Row<P>, ()>(&node.store, Space::Connector, &key::<P>(pid), |row| {
        row.process.after_sending(message, now)?;
        row.pending = Some(pending(node, row, message)?);
        Ok(((), Tx::new()))
    })
    .await;
    match done {
        Err(Error::Conflict(why)) => {
            tracing::info!(pid, why, "the other side was faster");
            Ok(())
        }
        other => other,
    }
}

/// Sends what is pending; whether there may be more to do.
pub async fn deliver<P: Driven>(
    node: &Arc<Node>,
    pid: &str,
    row: &Row<P>,
    pending: &Pending,
) -> Result<bool> {
    let sent = match dsp::find(node, &row.party)? {
        Some(connector) => outbound::post(node, &connector, &pending.url, pending.body.clone()).await,
        None => Err(Error::not_found(format!("`{}` is no connector here any more", row.party))),
    };
    match sent {
        Ok(answer) => {
            acknowledge::<P>(node, pid, pending, &answer).await?;
            Ok(true)
        }
        Err(error) => again::<P>(node, pid, pending, &error).await,
    }
}

async fn acknowledge<P: Driven>(node: &Node, pid: &str, sent: &Pending, answer: &[u8]) -> Result<()> {
    let now = node.clock.now();
    let message = read::<P>(sent)?;
    records::update::<Row<P>, ()>(&node.store, Space::Connector, &key::<P>(pid), |row| {
        // The other side's next message was here before: this one counts as delivered already.
        if row.pending.as_ref().is_none_or(|pending| pending.body != sent.body) {
            return Ok(((), Tx::new()));
        }
        row.pending = None;
        if sent.first {
            row.process = row.process.learn(answer)?;
        } else if let Ok(process) = row.process.after_sending(&message, now) {
            row.process = process;
        }
        Ok(((), Tx::new()))
    })
    .await
}

/// Waits for the next try, or gives up; whether to go on.
async fn again<P: Driven>(node: &Arc<Node>, pid: &str, sent: &Pending, error: &Error) -> Result<bool> {
    let now = node.clock.now();
    let tries = sent.tries.saturating_add(1);
    let told = error.to_string();
    let over = tries >= tries_max(error);
    records::update::<Row<P>, ()>(&node.store, Space::Connector, &key::<P>(pid), |row| {
        let Some(pending) = row.pending.as_mut().filter(|pending| pending.body == sent.body) else {
            return Ok(((), Tx::new()));
        };
        pending.tries = tries;
        if over {
            row.pending = None;
            row.failure = Some(format!("after {tries} tries: {told}"));
            if let Some(ended) = row.process.give_up(&told, now) {
                row.process = ended;
            }
        }
        Ok(((), Tx::new()))
    })
    .await?;
    if over {
        tracing::warn!(pid, tries, %error, "a message to a connector was given up");
        return Ok(true);
    }
    tracing::info!(pid, tries, %error, "a message to a connector is sent again");
    Ok(rest(node, delay(tries)).await)
}

/// What the other side refuses is not asked for as often as what does not reach it.
fn tries_max(error: &Error) -> u32 {
    match error {
        Error::Peer(_) | Error::Unreachable(_) | Error::Unavailable(_) => limits::CONNECTOR_TRIES_MAX,
        _ => limits::CONNECTOR_TRIES_REFUSED_MAX,
    }
}

/// How long to wait after so many tries.
pub fn delay(tries: u32) -> Duration {
    let factor = 1u32.checked_shl(tries.saturating_sub(1).min(20)).unwrap_or(u32::MAX);
    limits::CONNECTOR_PAUSE.saturating_mul(factor).min(limits::CONNECTOR_PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_their_end() {
        assert_eq!(delay(1), limits::CONNECTOR_PAUSE);
        assert_eq!(delay(3), limits::CONNECTOR_PAUSE * 4);
        assert_eq!(delay(u32::MAX), limits::CONNECTOR_PAUSE_MAX);
    }
}
