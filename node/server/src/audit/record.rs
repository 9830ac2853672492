//! Who reads the ledger stands in it: one `audit@v1` entry for each query, export and session of tiles that this node
//! serves, durable before anything is given out.
//!
//! An offline copy, a mirror or a bundle is out of the node's reach; what is read there is recorded nowhere.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledger::statement::{Deed, Read, Word};

use crate::error::{Error, Result};
use crate::flow::statement;
use crate::node::Node;

/// Reads of tiles that are one session, seconds: one entry an hour, however many tiles.
const SESSION_SECONDS: i64 = 3_600;
/// Longest reader or purpose, characters.
const WORD_CHARS_MAX: usize = 200;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Who reads.
    pub reader: String,
    /// `query`, `export` or `tiles`.
    pub action: &'static str,
    /// For which purpose.
    pub purpose: Option<String>,
    /// First entry that is open to the reader.
    pub from: u64,
    /// End of that range, not included.
    pub to: u64,
    /// How many fields are opened.
    pub opened: u64,
}

/// Writes the entry; durable when it returns its index.
pub async fn record(node: &Node, reading: &Reading) -> Result<u64> {
    let deed = Read {
        reader: word(&reading.reader)?,
        action: word(reading.action)?,
        purpose: reading.purpose.as_deref().map(word).transpose()?,
        from: reading.from,
        to: reading.to,
        opened: reading.opened,
        user: None,
    };
    statement::own(node, node.clock.now(), None, Deed::Read(deed)).await.map(|(_, index)| index)
}

/// When each reader's last session of tiles began, Unix seconds.
#[derive(Debug, Default)]
pub struct Session(Mutex<HashMap<String, i64>>);

impl Session {
    /// Writes an entry when this read begins a session of this reader. Two first reads at once may both write one: better
    /// twice than never.
    pub async fn begin(&self, node: &Node, reader: &str) -> Result<()> {
        let now = node.clock.now();
        let goes_on = |begun: &mut HashMap<String, i64>| {
            begun.retain(|_, at| now.saturating_sub(*at) < SESSION_SECONDS);
            begun.contains_key(reader)
        };
        if goes_on(&mut self.begun()) {
            return Ok(());
        }
        let (from, to) = (0, node.ledger.size());
        let named = reader.to_owned();
        record(node, &Reading { reader: named, action: "tiles", purpose: None, from, to, opened: 0 }).await?;
        self.begun().insert(reader.to_owned(), now);
        Ok(())
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<String, i64>> {
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
