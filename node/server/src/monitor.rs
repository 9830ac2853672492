//! The monitor: on a slow tick, takes up what stands still and asks the gate again about what runs.

use std::sync::Arc;

use store::Space;

use crate::error::Result;
use crate::flow::{self, provider};
use crate::limits;
use crate::node::Node;
use crate::peers;
use crate::records::{self, Exchange};

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
        provider::ask_again(node, &exchange).await?;
    }
    flow::drive_all(node);
    Ok(())
}
