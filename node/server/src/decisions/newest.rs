//! The newest recorded questions, to be asked again of other rules.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use policy::{Facts, Question};
use serde::Deserialize;
use store::Space;

use super::{Grounds, Kept, MARK};
use crate::error::{Error, Result};
use crate::node::Node;

/// Records that one step of the scan reads.
const PAGE: usize = 256;

/// Recorded questions, the oldest first.
#[derive(Debug, Default)]
pub struct Newest {
    /// The questions.
    pub questions: Vec<Recorded>,
    /// How many the node has in all.
    pub kept: u64,
    /// How many of them cannot be read; they are logged.
    pub unreadable: u64,
}

/// A question that was decided here.
#[derive(Debug)]
pub struct Recorded {
    /// When, Unix seconds.
    pub at: i64,
    /// The exchange it was about.
    pub exchange: String,
    /// Its entry in the ledger.
    pub entry: Option<u64>,
    /// The question.
    pub question: Question,
    /// The facts that it was decided on.
    pub facts: Facts,
}

/// Age, key and value of a kept decision; in this order, so that ties have one too.
type Stored = (i64, Vec<u8>, Vec<u8>);

/// Of a kept decision what tells its age.
#[derive(Deserialize)]
struct Dated {
    at: i64,
}

/// The `last` newest of the node's recorded questions. They are kept by exchange, so all are looked at; no more than
/// `last` are held in memory.
pub fn newest(node: &Node, last: usize) -> Result<Newest> {
    let mut found = Newest::default();
    let mut heap: BinaryHeap<Reverse<Stored>> = BinaryHeap::new();
    let mut from = Vec::new();
    loop {
        let page = node.store.scan(Space::Decision, &from, None, PAGE).map_err(Error::from)?;
        for record in page.records.iter().filter(|record| !record.key.starts_with(MARK)) {
            found.kept += 1;
            let Ok(dated) = serde_json::from_slice::<Dated>(&record.value) else {
                unreadable(&mut found, &record.key);
                continue;
            };
            if heap.len() >= last && heap.peek().is_some_and(|Reverse((oldest, ..))| dated.at < *oldest) {
                continue;
            }
            heap.push(Reverse((dated.at, record.key.to_vec(), record.value.to_vec())));
            if heap.len() > last {
                heap.pop();
            }
        }
        match page.next {
            Some(next) => from = next.to_vec(),
            None => break,
        }
    }
    let mut chosen = heap.into_vec();
    chosen.sort_by(|a, b| b.cmp(a));
    for Reverse((at, key, value)) in chosen {
        match serde_json::from_slice::<Kept>(&value) {
            Ok(kept) => {
                let entry = kept.entry();
                let Grounds { question, facts, .. } = kept.asked;
                found.questions.push(Recorded { at, exchange: exchange_of(&key), entry, question, facts });
            }
            Err(_) => unreadable(&mut found, &key),
        }
    }
    Ok(found)
}

fn unreadable(found: &mut Newest, key: &[u8]) {
    found.unreadable += 1;
    tracing::warn!(key = %key.escape_ascii(), "a recorded decision cannot be read and is not replayed");
}

/// The exchange's id in the key of a decision: the last but one of its parts.
fn exchange_of(key: &[u8]) -> String {
    let key = String::from_utf8_lossy(key);
    key.rsplit('/').nth(1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::{Space, Tx};

    use super::newest;
    use crate::records::Leaf;

    #[tokio::test]
    async fn the_newest_questions_of_all_exchanges_come_in_their_order() {
        let (_dir, node) = crate::testing::node().await;
        let question = |purpose: &str| {
            json!({"subject": "ag:b", "action": "query", "dataset": "ds:x", "purpose": purpose, "agreement": null,
                "basis": null, "network": "net:gov", "now": 7})
        };
        let facts = json!({"party": null, "dataset": null, "agreement": null});
        let mut tx = Tx::new();
        for (at, key) in
            [(50, "p/q/E1/A"), (10, "p/q/E1/B"), (40, "p/q/E2/C"), (20, "p/r/E3/D"), (30, "p/r/E4/E")]
        {
            let asked = json!({"question": question(&format!("pu:{at}")), "facts": facts});
            let leaf =
                serde_json::to_value(Leaf { index: Some(at as u64 + 1), ..Leaf::new(b"entry", 0) }).unwrap();
            let kept = json!({"at": at, "leaf": leaf, "asked": asked, "decision": {"effect": "refuse"}});
            tx = tx.put_json(Space::Decision, key.as_bytes().to_vec(), &kept).unwrap();
        }
        tx = tx.put(Space::Decision, b"p/r/E5/F".to_vec(), b"{damaged".to_vec());
        tx = tx.put_json(Space::Decision, super::super::marked("p/r/E5/H"), &"p/r/E5/H").unwrap();
        tx = tx.put(Space::Decision, b"p/r/E5/G".to_vec(), b"{\"at\": 60}".to_vec());
        node.store.commit(tx).await.unwrap();
        let found = newest(&node, 3).unwrap();
        let told: Vec<_> =
            found.questions.iter().map(|kept| (kept.at, kept.exchange.as_str(), kept.entry)).collect();
        // One of the three newest is damaged inside; it is counted, not replaced.
        assert_eq!(told, [(40, "E2", Some(41)), (50, "E1", Some(51))]);
        assert_eq!((found.kept, found.unreadable), (7, 2));
        assert_eq!(found.questions[1].question.purpose.as_ref().unwrap().as_str(), "pu:50");
        assert_eq!(newest(&node, 100).unwrap().questions.len(), 5);
        crate::boot::close(&node).await;
    }
}
