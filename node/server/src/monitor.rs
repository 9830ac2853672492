//! The monitor: on a slow tick, takes up what stands still and asks the gate again about what runs.

use std::sync::Arc;

use exchange::dsp::Cause;
use exchange::transfer::State;
use store::Space;

use crate::error::Result;
use crate::flow::{self, TransferRow, provider};
use crate::limits;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::peers;
use crate::records::{self, Exchange, Side};

/// Runs until the node stops.
pub async fn run(node: Arc<Node>) {
    let mut stop = node.stop.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(limits::MONITOR_PERIOD) => {}
            () = crate::operation::stopped(&mut stop) => return,
        }
        if let Err(error) = tick(&node).await {
            tracing::warn!(%error, "the monitor's round failed; the next one comes");
        }
    }
}

async fn tick(node: &Arc<Node>) -> Result<()> {
    peers::forget_expired(node).await?;
    flow::produce::sweep(node)?;
    for key in flow::unfinished(node) {
        let Some((exchange, _)) = records::get::<Exchange>(&node.store, Space::Exchange, &key)? else {
            continue;
        };
        ask_again(node, &exchange).await?;
    }
    flow::drive_all(node);
    Ok(())
}

/// A transfer that runs must still be permitted: a revoked right is felt here at the latest.
async fn ask_again(node: &Arc<Node>, exchange: &Exchange) -> Result<()> {
    let Some(pid) = &exchange.transfer else { return Ok(()) };
    let Some((row, _)) = records::get::<TransferRow>(&node.store, Space::Transfer, pid.as_bytes())? else {
        return Ok(());
    };
    if exchange.side != Side::Provider || row.process.state() != State::Started || row.pending.is_some() {
        return Ok(());
    }
    let operation = Operation::begin(Actor::Node, &node.clock);
    let cause = match provider::permitted_now(node, &operation, exchange, &row)? {
        Ok(_) => return Ok(()),
        Err(provider::No::Refusal(refusal, _)) => provider::cause(&refusal)?,
        Err(provider::No::Request(code, why)) => Cause::plain(code, &why),
    };
    tracing::info!(exchange = exchange.id, "a running transfer is permitted no more");
    // A statement that was written stands; what has none is closed as interrupted, so that no intent stays open.
    if exchange.statement.is_none() {
        flow::statement::interrupt(node, &operation, exchange, "permission-withdrawn").await?;
    }
    provider::terminate_transfer(node, exchange, pid, &row, cause).await
}
