//! What waits and why, in words for people: Vietnamese first, English beside it.

use serde_json::{Value, json};
use store::Space;

use super::Way;
use crate::error::Result;
use crate::limits;
use crate::node::Node;
use crate::operation::rfc3339;
use crate::outbox::{self, Row};
use crate::records::{self, Exchange, Peer};

/// Something that waits for the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForNetwork {
    /// Since when, Unix seconds.
    pub since: i64,
    /// When the next try is made at the latest, Unix seconds.
    pub next_try: i64,
    /// Tries so far.
    pub tries: u32,
    /// What could not be done: a kind of message, or `data`.
    pub what: String,
    /// What the last try came to.
    pub reason: String,
}

impl ForNetwork {
    /// Of a message that was tried at least once.
    pub fn of_message(row: &Row) -> Option<Self> {
        (row.attempts > 0).then(|| Self {
            since: row.created,
            next_try: row.next_try.unwrap_or(row.created),
            tries: row.attempts,
            what: row.kind.clone(),
            reason: row.last_error.clone().unwrap_or_else(|| "-".to_owned()),
        })
    }

    /// Of rows that this node fetches, or of a first look at the provider's catalog.
    pub fn of_exchange(exchange: &Exchange) -> Option<Self> {
        let reason = exchange.failure.clone()?;
        let pauses = exchange.pauses.unwrap_or(records::Pauses { since: exchange.updated, count: 1 });
        let period = i64::try_from(limits::MONITOR_PERIOD.as_secs()).unwrap_or(i64::MAX);
        Some(Self {
            since: pauses.since,
            next_try: exchange.updated.saturating_add(period),
            tries: pauses.count,
            what: "data".to_owned(),
            reason,
        })
    }

    /// For programs.
    pub fn view(&self) -> Value {
        json!({
            "for": "network",
            "since": rfc3339(self.since),
            "next_try": rfc3339(self.next_try),
            "tries": self.tries,
            "what": self.what,
            "reason": self.reason,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let (since, next) = (rfc3339(self.since), rfc3339(self.next_try));
        format!(
            "chờ mạng từ {since}, thử lại trước {next}, đã thử {n} lần / waiting for the network since {since}, next try by {next}, {n} tries of {what}: {reason}",
            n = self.tries,
            what = self.what,
            reason = self.reason,
        )
    }
}

/// Every peer with what is set, what was measured and what waits for it.
pub fn peers(node: &Node) -> Result<Vec<Value>> {
    let settings = node.lines.settings();
    let known = records::all::<Peer>(&node.store, Space::Peer, b"")?;
    let one = |peer: &Peer| -> Result<Value> {
        let rows: Vec<Row> = outbox::waiting(node, &peer.id)?.into_iter().map(|(_, row)| row).collect();
        let first = rows.first().and_then(ForNetwork::of_message);
        Ok(json!({
            "peer": peer.id,
            "set": settings.peers.get(&peer.id),
            "low_data": node.lines.low_data(&peer.id),
            "serve_bytes_per_second": node.lines.rate(Way::Serve, &peer.id),
            "fetch_bytes_per_second": node.lines.rate(Way::Fetch, &peer.id),
            "chunk_bytes": node.lines.chunk_bytes(&peer.id),
            "messages": rows.len(),
            "exchanges": rows.iter().map(|row| row.exchange.as_str()).collect::<std::collections::BTreeSet<_>>().len(),
            "wait": first.as_ref().map(ForNetwork::view),
            "waiting": first.as_ref().map(ForNetwork::text),
        }))
    };
    known.iter().filter(|(_, peer)| peer.status == "active").map(|(_, peer)| one(peer)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Ask, Side};

    #[test]
    fn what_waits_is_told_with_since_when_how_often_when_again_and_why() {
        let ask = Ask {
            action: "query".into(),
            purpose: None,
            basis: None,
            query: Value::Null,
            stated: Default::default(),
        };
        let mut exchange =
            Exchange::new("01X".into(), Side::Consumer, "urn:agency:vn:b".into(), "x".into(), ask, 100);
        assert_eq!(ForNetwork::of_exchange(&exchange), None);
        exchange.pause("the line is down", 160);
        exchange.pause("no answer within 60 s", 220);
        exchange.updated = 220;
        let waits = ForNetwork::of_exchange(&exchange).unwrap();
        assert_eq!((waits.since, waits.tries, waits.next_try), (160, 2, 235));
        let text = waits.text();
        for wanted in
            ["chờ mạng từ 1970-01-01T00:02:40Z", "đã thử 2 lần", "next try by", "no answer within 60 s"]
        {
            assert!(text.contains(wanted), "`{text}` should say `{wanted}`");
        }
        exchange.failure = None;
        exchange.pause("down again", 400);
        assert_eq!(ForNetwork::of_exchange(&exchange).unwrap().tries, 1, "it went on in between");
    }
}
