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
/// columns, and the agreement where pseudonyms hang on it.
pub fn shape(
    obligations: &Obligations,
    query: &QueryDoc,
    dataset: &Dataset,
    agreement: &str,
) -> Result<String> {
    let hashed = obligations.mask.values().any(|mask| matches!(mask, Mask::Hash | Mask::Linkage(_)));
    let query = QueryDoc { since: None, format: String::new(), ..query.clone() };
    let record = &dataset.record;
    let columns: Vec<_> = record.columns.iter().map(|c| (&c.name, c.kind)).collect();
    let key: Vec<&String> = record.primary_key().into_iter().map(|column| &column.name).collect();
    let agreement = if hashed { agreement } else { "" };
    exchange::json::digest(&(obligations, query, columns, key, agreement))
        .map(|digest| digest.to_string())
        .map_err(Error::internal)
}
