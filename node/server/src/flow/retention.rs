//! What was received has an end: the obligation `retention_days`, kept at the consumer by a date that people see and by
//! reminders in `notices.ndjson`, seven days ahead and when the date is there.
//!
//! The node does not delete by itself: the rows were taken home for a purpose, and only people know where to. `tram exchange
//! erase ID --reason retention` removes the rows in the node's folder and everything that opens them, and the ledger says so.

use serde_json::Value;
use store::{Space, Tx};

use super::{consumer, notice};
use crate::error::{Error, Result};
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::records::{self, Exchange, Side, Stage};

const DAY_SECONDS: i64 = 86_400;
/// How long before the date people are reminded.
const AHEAD_SECONDS: i64 = 7 * DAY_SECONDS;
/// How often the node looks, seconds.
const ROUND_SECONDS: i64 = 3_600;
/// Key of the last round's time.
const ROUND: &[u8] = b"retention-round";
/// Who is reminded.
const ROLE: &str = "steward";

/// From when on the rows of an exchange must be gone, Unix seconds; none while nothing limits it or nothing was received.
pub fn delete_by(exchange: &Exchange) -> Option<i64> {
    let days = exchange.obligations.get("retention_days").and_then(Value::as_i64)?;
    let received = exchange.side == Side::Consumer && exchange.stage == Stage::Completed;
    received.then(|| exchange.created.saturating_add(days.saturating_mul(DAY_SECONDS)))
}

/// Reminds people of what is due, once ahead and once at the date. Looks at most once an hour.
pub async fn remind(node: &Node) -> Result<()> {
    let now = node.clock.now();
    let last = records::get::<i64>(&node.store, Space::Meta, ROUND)?.map_or(i64::MIN, |(at, _)| at);
    if now.saturating_sub(last) < ROUND_SECONDS {
        return Ok(());
    }
    for exchange in records::readable::<Exchange>(&node.store, Space::Exchange, b"c/")? {
        if let Some(step) = step(&exchange, now)
            && consumer::received_file(node, &exchange.id).exists()
        {
            once(node, &exchange, step, now).await?;
        }
    }
    let tx = Tx::new().put_json(Space::Meta, ROUND.to_vec(), &now).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(())
}

/// Which reminder an exchange is due for.
fn step(exchange: &Exchange, now: i64) -> Option<&'static str> {
    let date = delete_by(exchange)?;
    if now >= date {
        Some("delete-now")
    } else if now >= date - AHEAD_SECONDS {
        Some("delete-soon")
    } else {
        None
    }
}

/// Writes the notice first and its mark after it: killed in between, people are reminded twice and never not at all.
async fn once(node: &Node, exchange: &Exchange, step: &str, now: i64) -> Result<()> {
    let key = format!("reminded/{}/{step}", exchange.id).into_bytes();
    if records::get::<i64>(&node.store, Space::Meta, &key)?.is_some() {
        return Ok(());
    }
    let operation = Operation { now, ..Operation::begin(Actor::Node, &node.clock) };
    notice::write(node, &operation, exchange, ROLE, step)?;
    tracing::warn!(exchange = exchange.id, step, "received rows reach the end of their retention");
    let tx = Tx::new().put_json(Space::Meta, key, &now).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn received(created: i64) -> Exchange {
        let ask = crate::testing::ask();
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned();
        let mut exchange =
            Exchange::new(id, Side::Consumer, "urn:agency:vn:b".into(), "air".into(), ask, created);
        exchange.stage = Stage::Completed;
        exchange.obligations = json!({"retention_days": 30});
        exchange
    }

    #[tokio::test]
    async fn people_are_reminded_ahead_and_at_the_date_once_each() {
        let (dir, node) = crate::testing::node().await;
        let now = node.clock.now();
        let notices = || std::fs::read_to_string(dir.path().join("node/notices.ndjson")).unwrap_or_default();
        let at = async |created: i64| {
            let exchange = received(created);
            let tx = Tx::new().put_json(Space::Exchange, exchange.key(), &exchange).unwrap();
            node.store.commit(tx.delete(Space::Meta, ROUND)).await.unwrap();
            remind(&node).await.unwrap();
        };
        at(now - 31 * DAY_SECONDS).await;
        assert_eq!(notices(), "", "nothing lies here any more");
        std::fs::write(consumer::received_file(&node, &received(0).id), "rows").unwrap();
        at(now - 22 * DAY_SECONDS).await;
        assert_eq!(notices(), "");
        at(now - 24 * DAY_SECONDS).await;
        at(now - 25 * DAY_SECONDS).await;
        assert_eq!(notices().matches("delete-soon").count(), 1, "{}", notices());
        at(now - 30 * DAY_SECONDS).await;
        at(now - 31 * DAY_SECONDS).await;
        assert_eq!(notices().matches("delete-now").count(), 1, "{}", notices());
        crate::boot::close(&node).await;
    }
}
