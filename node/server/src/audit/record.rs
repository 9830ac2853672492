//! Who reads the ledger stands in it: one `audit@v1` entry for each query, export, comparison and session of smaller reads
//! (tiles, lists, a monitor's rounds) that this node serves, durable before anything is given out.
//!
//! An offline copy, a mirror or a bundle is out of the node's reach; what is read there is recorded nowhere.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledger::statement::{Deed, Read, Word};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::flow::statement;
use crate::node::Node;

/// Reads that are one session, seconds: one entry an hour, however many reads.
const SESSION_SECONDS: i64 = 3_600;
/// Longest reader or purpose, characters.
const WORD_CHARS_MAX: usize = 200;

/// What a reader does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Asks for entries by what they say.
    Query,
    /// Takes a bundle away.
    Export,
    /// Fetches bundles of entries over the local door.
    Tiles,
    /// Goes through entries by their index.
    List,
    /// Follows the ledger.
    Watch,
    /// Holds it against another.
    Reconcile,
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Export => "export",
            Self::Tiles => "tiles",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Reconcile => "reconcile",
        }
    }

    /// Whether it is many small reads that are one to people: one entry an hour, however many there are.
    fn is_session(self) -> bool {
        match self {
            Self::Tiles | Self::List | Self::Watch => true,
            Self::Query | Self::Export | Self::Reconcile => false,
        }
    }
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Who reads.
    pub reader: String,
    /// What it does.
    pub act: Act,
    /// For which purpose.
    pub purpose: Option<String>,
    /// First entry that is open to the reader.
    pub from: u64,
    /// End of that range, not included.
    pub to: u64,
    /// How many fields are opened.
    pub opened: u64,
}

async fn write(node: &Node, reading: &Reading) -> Result<u64> {
    let deed = Read {
        reader: word(&reading.reader)?,
        action: word(reading.act.word())?,
        purpose: reading.purpose.as_deref().map(word).transpose()?,
        from: reading.from,
        to: reading.to,
        opened: reading.opened,
        user: None,
    };
    statement::own(node, node.clock.now(), None, Deed::Read(deed)).await.map(|(_, index)| index)
}

/// Writes the entry, and gives back its index once it is durable; none when the read goes on with a session of this
/// reader that has its entry.
pub async fn record(node: &Node, reading: &Reading) -> Result<Option<u64>> {
    if !reading.act.is_session() {
        return write(node, reading).await.map(Some);
    }
    let now = node.clock.now();
    if node.read_sessions.goes_on(reading, now) {
        return Ok(None);
    }
    let index = write(node, reading).await?;
    node.read_sessions.begun().insert((reading.act, reading.reader.clone()), now);
    Ok(Some(index))
}

/// [`record`] for a reader who has all entries open to it.
pub async fn record_all(node: &Node, act: Act, reader: &str) -> Result<Option<u64>> {
    let (reader, to) = (reader.to_owned(), node.ledger.size());
    record(node, &Reading { reader, act, purpose: None, from: 0, to, opened: 0 }).await
}

/// When each reader's last session began, Unix seconds. Two first reads at once may both write an entry: better twice
/// than never.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<(Act, String), i64>>);

impl Sessions {
    fn goes_on(&self, reading: &Reading, now: i64) -> bool {
        let mut begun = self.begun();
        begun.retain(|_, at| now.saturating_sub(*at) < SESSION_SECONDS);
        begun.contains_key(&(reading.act, reading.reader.clone()))
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<(Act, String), i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Free text as a word of a statement: folded to ASCII, dashes for the rest.
fn word(text: &str) -> Result<Word> {
    let folded = catalog::fold(text.trim());
    let dashed: String =
        folded.chars().map(|c| if c.is_ascii_graphic() { c } else { '-' }).take(WORD_CHARS_MAX).collect();
    Word::new(&dashed).map_err(|e| Error::usage(format!("`{text}` cannot stand in the ledger: {e}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_becomes_a_word() {
        assert_eq!(super::word(" Thanh tra Thành phố ").unwrap().as_str(), "thanh-tra-thanh-pho");
        assert_eq!(super::word("urn:agency:vn:a").unwrap().as_str(), "urn:agency:vn:a");
        assert!(super::word("  ").is_err());
    }
}
