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
        tick(&node).await;
    }
}

async fn tick(node: &Arc<Node>) {
    note("old invitations", peers::forget_expired(node).await);
    note("old spools", flow::serve::sweep(node));
    note("old inboxes", flow::receive::sweep(node));
    note("old versions", crate::versions::needs::sweep(node).await);
    note("old files", crate::releases::sweep(node));
    note("rates of lines", node.lines.keep(&node.dir, node.clock.now(), false));
    note("reminders of retention", flow::retention::remind(node).await);
    for key in flow::unfinished(node) {
        if let Err(error) = look_at(node, &key).await {
            tracing::warn!(exchange = %key.escape_ascii(), %error, "the monitor could not look at this exchange");
        }
    }
    flow::drive_all(node);
}

/// Each step stands alone: one that fails is logged, and the next ones are done all the same.
fn note<T>(what: &str, done: Result<T>) {
    if let Err(error) = done {
        tracing::warn!(what, %error, "the monitor's step failed; it is tried again in the next round");
    }
}

async fn look_at(node: &Arc<Node>, key: &[u8]) -> Result<()> {
    match records::get::<Exchange>(&node.store, Space::Exchange, key)? {
        Some((exchange, _)) => provider::ask_again(node, &exchange).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use store::Tx;

    use super::*;
    use crate::records::{Invitation, Side};

    #[tokio::test]
    async fn what_cannot_be_read_or_removed_does_not_stop_the_round() {
        let (dir, node) = crate::testing::node().await;
        // An invitation that cannot be read, a spool that is no folder of ours, an exchange that cannot be read; behind
        // them an exchange that only waits to be taken up again.
        let ask = crate::testing::ask();
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned();
        let good = Exchange::new(id, Side::Consumer, "urn:agency:vn:b".into(), "x".into(), ask, 1);
        let tx = Tx::new()
            .put(Space::Invitation, &b"a"[..], &b"{"[..])
            .put(Space::Exchange, &b"c/0"[..], &b"{"[..])
            .put_json(Space::Exchange, good.key(), &good)
            .unwrap();
        node.store.commit(tx).await.unwrap();
        let keys = [b"c/0".to_vec(), good.key()];
        node.open.lock().unwrap().extend(keys.clone());
        assert!(records::all::<Invitation>(&node.store, Space::Invitation, b"").is_err());
        std::fs::remove_dir_all(dir.path().join("node/spool")).unwrap();
        assert!(flow::serve::sweep(&node).is_err());
        assert!(look_at(&node, &keys[0]).await.is_err());
        let before = *node.changed.borrow();
        tick(&node).await;
        // The good one was driven: its peer is unknown, so it ends, and that is a change.
        let mut changed = node.changed.subscribe();
        let moved = async {
            while *changed.borrow() == before {
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), moved).await.unwrap();
        crate::boot::close(&node).await;
    }
}
