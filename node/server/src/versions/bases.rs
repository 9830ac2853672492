//! What consumers' copies rest on: for each copy that was handed out, the version it was made of and what decided its form.
//!
//! A copy is named by the exchange that brought it. When its owner comes back, the old view is made again as it was then;
//! only if it has the digest that was signed are changes told from it.

use policy::{Mask, Obligations};
use serde::{Deserialize, Serialize};
use store::{Space, Tx};

use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::query::QueryDoc;
use crate::records;

/// Where they lie in [`Space::Meta`].
const PREFIX: &str = "copy-base/";

/// One copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Whose it is.
    pub peer: String,
    /// The exchange that brought it.
    pub exchange: String,
    /// The copy that it was brought up from.
    pub from: Option<String>,
    /// Of which kept version it is; none where that was not kept, and where the dataset only grows.
    pub version: Option<u64>,
    /// Bytes and rows of a copy whose dataset only grows: with its SHA-256 all that is needed of it; 0 of others.
    #[serde(default)]
    pub bytes: u64,
    /// See `bytes`.
    #[serde(default)]
    pub rows: u64,
    /// Digest of what decided its columns and rows.
    pub shape: String,
    /// SHA-256 of the copy, hex; empty while it is made.
    pub sha256: String,
    /// As of when it was made, Unix seconds.
    pub at: i64,
}

fn key(dataset: &str, exchange: &str) -> Vec<u8> {
    format!("{PREFIX}{dataset}/{exchange}").into_bytes()
}

/// Keeps what a copy rests on.
pub async fn put(node: &Node, dataset: &str, base: &Base) -> Result<()> {
    let tx = Tx::new().put_json(Space::Meta, key(dataset, &base.exchange), base).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from).map(|_| ())
}

/// What a copy of this peer's rests on.
pub fn find(node: &Node, dataset: &str, peer: &str, exchange: &str) -> Result<Option<Base>> {
    let found = records::get::<Base>(&node.store, Space::Meta, &key(dataset, exchange))?;
    Ok(found.map(|(base, _)| base).filter(|base| base.peer == peer && !base.sha256.is_empty()))
}

/// All of a dataset.
pub fn all(node: &Node, dataset: &str) -> Result<Vec<Base>> {
    let prefix = format!("{PREFIX}{dataset}/").into_bytes();
    Ok(records::all::<Base>(&node.store, Space::Meta, &prefix)?.into_iter().map(|(_, base)| base).collect())
}

/// Forgets copies.
pub async fn forget(node: &Node, dataset: &str, exchanges: &[String]) -> Result<()> {
    if exchanges.is_empty() {
        return Ok(());
    }
    let gone = |tx: Tx, exchange: &String| tx.delete(Space::Meta, key(dataset, exchange));
    let tx = exchanges.iter().fold(Tx::new(), gone);
    node.store.commit(tx).await.map_err(Error::from).map(|_| ())
}

/// Digest of what decides which columns and rows a copy shows, apart from the rows themselves: obligations, question,
/// columns, and what pseudonyms hang on: the agreement, or the purpose (the name of a linkage key is in its obligation).
pub fn shape(
    obligations: &Obligations,
    query: &QueryDoc,
    dataset: &Dataset,
    (agreement, purpose): (&str, Option<&str>),
) -> Result<String> {
    let masks = || obligations.mask.values();
    let hashed = masks().any(|mask| matches!(mask, Mask::Hash));
    let linked = masks().any(|mask| matches!(mask, Mask::Linkage(_)));
    let agreement = if hashed { agreement } else { "" };
    // A linked pseudonym stays when the agreement is renewed, and so does the copy.
    let purpose = purpose.filter(|_| linked);
    let query = QueryDoc { since: None, format: String::new(), ..query.clone() };
    let record = &dataset.record;
    let columns: Vec<_> = record.columns.iter().map(|c| (&c.name, c.kind)).collect();
    let key: Vec<&String> = record.primary_key().into_iter().map(|column| &column.name).collect();
    let bound = purpose.map_or_else(|| agreement.to_owned(), |purpose| format!("{agreement} {purpose}"));
    exchange::json::digest(&(obligations, query, columns, key, bound))
        .map(|digest| digest.to_string())
        .map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::{Actor, Operation};

    #[tokio::test]
    async fn a_copy_under_a_linkage_key_hangs_on_key_and_purpose_and_outlives_its_agreement() {
        let (dir, node) = crate::testing::node().await;
        let file = dir.path().join("x.csv");
        std::fs::write(&file, "a,b\n1,2\n").unwrap();
        let operation = Operation::begin(Actor::Local, &node.clock);
        let new = serde_json::from_value(json!({"path": file, "name": "x"})).unwrap();
        crate::datasets::add(&node, &operation, new).await.unwrap();
        let dataset = crate::datasets::find(&node, "x").unwrap().unwrap();
        let query: QueryDoc = serde_json::from_value(json!({"action": "query", "format": "csv"})).unwrap();
        let of = |mask: serde_json::Value, agreement, purpose| {
            let obligations: Obligations = serde_json::from_value(json!({"mask": mask})).unwrap();
            shape(&obligations, &query, &dataset, (agreement, Some(purpose))).unwrap()
        };
        let linked = |digit: &str| json!({"a": {"linkage": format!("k@{}", digit.repeat(32))}});
        let one = of(linked("0"), "A1", "planning");
        assert_eq!(one, of(linked("0"), "A2", "planning"), "another agreement makes the same pseudonyms");
        assert_ne!(one, of(linked("0"), "A1", "statistics"));
        assert_ne!(one, of(linked("1"), "A1", "planning"));
        let hashed = || json!({"a": "hash"});
        assert_ne!(of(hashed(), "A1", "planning"), of(hashed(), "A2", "planning"));
        assert_eq!(of(hashed(), "A1", "planning"), of(hashed(), "A1", "statistics"));
        let both = |agreement| {
            of(json!({"a": {"linkage": format!("k@{}", "0".repeat(32))}, "b": "hash"}), agreement, "x")
        };
        assert_ne!(both("A1"), both("A2"));
        crate::boot::close(&node).await;
    }
}
