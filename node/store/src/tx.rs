//! What is asked of the store and what it gives back: transactions, records, pages. Plain values, no disk.
//!
//! `Debug` shows keys and sizes, never the values: what is kept may be personal.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use crate::{Space, StoreError, limits};

/// A value and the revision of the transaction that wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The bytes as they were put.
    pub value: Bytes,
    /// Grows with every commit of the store; pass it to [`Tx::at`].
    pub revision: u64,
}

impl fmt::Debug for Versioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Versioned({} bytes at revision {})", self.value.len(), self.revision)
    }
}

/// One record of a scan.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The key, without the space.
    pub key: Bytes,
    /// The bytes as they were put.
    pub value: Bytes,
    /// The revision of the transaction that wrote it.
    pub revision: u64,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, len) = (self.key.escape_ascii(), self.value.len());
        write!(f, "Record({key}, {len} bytes at revision {})", self.revision)
    }
}

/// One page of a range of keys, all as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Records in the order of their keys.
    pub records: Vec<Record>,
    /// Where the next page begins (`from` of the next scan); `None` at the end of the range.
    pub next: Option<Bytes>,
}

/// What must hold for a transaction to be applied.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) space: Space,
    pub(crate) key: Bytes,
    /// The revision wanted; `None` wants the key absent.
    pub(crate) revision: Option<u64>,
}

/// One write; `None` deletes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) space: Space,
    pub(crate) key: Bytes,
    pub(crate) value: Option<Bytes>,
}

/// Checks and writes that are applied together or not at all.
///
/// All checks look at the state before the transaction. When a key is written twice, the last write counts. An
/// invariant over a range of keys needs a guard key: check its revision and put it again with every change.
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "a transaction does nothing until it is committed"]
pub struct Tx {
    pub(crate) checks: Vec<Check>,
    pub(crate) writes: Vec<Write>,
}

impl Tx {
    /// An empty transaction.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only if `key` does not exist.
    pub fn absent(mut self, space: Space, key: impl Into<Bytes>) -> Self {
        self.checks.push(Check { space, key: key.into(), revision: None });
        self
    }

    /// Only if `key` is still at `revision`.
    pub fn at(mut self, space: Space, key: impl Into<Bytes>, revision: u64) -> Self {
        self.checks.push(Check { space, key: key.into(), revision: Some(revision) });
        self
    }

    /// Writes `value` under `key`, whatever was there.
    pub fn put(mut self, space: Space, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.writes.push(Write { space, key: key.into(), value: Some(value.into()) });
        self
    }

    /// Writes `value` as JSON under `key`.
    ///
    /// # Errors
    /// [`StoreError::Json`] if the value cannot be written as JSON.
    pub fn put_json<T: Serialize>(
        self,
        space: Space,
        key: impl Into<Bytes>,
        value: &T,
    ) -> Result<Self, StoreError> {
        let key = key.into();
        match serde_json::to_vec(value) {
            Ok(json) => Ok(self.put(space, key, json)),
            Err(source) => Err(StoreError::Json { space, key: key.to_vec(), source }),
        }
    }

    /// Removes `key`; does nothing if there is none.
    pub fn delete(mut self, space: Space, key: impl Into<Bytes>) -> Self {
        self.writes.push(Write { space, key: key.into(), value: None });
        self
    }

    /// Whether it has neither checks nor writes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.writes.is_empty()
    }

    /// Adds the checks and writes of `other` after these.
    pub fn and(mut self, other: Tx) -> Self {
        self.checks.extend(other.checks);
        self.writes.extend(other.writes);
        self
    }

    /// Bytes of all keys and values.
    pub(crate) fn bytes(&self) -> usize {
        let checks = self.checks.iter().map(|c| c.key.len());
        let writes = self.writes.iter().map(|w| w.key.len() + w.value.as_ref().map_or(0, Bytes::len));
        checks.chain(writes).sum()
    }

    /// Holds it against the limits, so that nothing oversized reaches the committer.
    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        let refuse = |what: String| Err(StoreError::BadTx { what });
        let items = self.checks.len().max(self.writes.len());
        if items > limits::TX_ITEMS_MAX {
            return refuse(format!("{items} checks or writes, at most {} are allowed", limits::TX_ITEMS_MAX));
        }
        let keys = self.checks.iter().map(|c| (c.space, &c.key));
        for (space, key) in keys.chain(self.writes.iter().map(|w| (w.space, &w.key))) {
            validate_key(space, key)?;
        }
        for write in &self.writes {
            let len = write.value.as_ref().map_or(0, Bytes::len);
            if len > limits::VALUE_BYTES_MAX {
                let (key, max) = (write.key.escape_ascii(), limits::VALUE_BYTES_MAX);
                return refuse(format!(
                    "the value of `{key}` has {len} bytes, at most {max} are allowed; keep it in a file and its digest here"
                ));
            }
        }
        if self.bytes() > limits::TX_BYTES_MAX {
            return refuse(format!("{} bytes, at most {} are allowed", self.bytes(), limits::TX_BYTES_MAX));
        }
        Ok(())
    }
}

pub(crate) fn validate_key(space: Space, key: &[u8]) -> Result<(), StoreError> {
    if key.is_empty() || key.len() > limits::KEY_BYTES_MAX {
        let what = format!(
            "a key of space `{space}` has {} bytes, 1 to {} are allowed",
            key.len(),
            limits::KEY_BYTES_MAX
        );
        return Err(StoreError::BadTx { what });
    }
    Ok(())
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for c in &self.checks {
            list.entry(&format_args!("{}/{} at {:?}", c.space, c.key.escape_ascii(), c.revision));
        }
        for w in &self.writes {
            let len = w.value.as_ref().map(Bytes::len);
            list.entry(&format_args!("{}/{} := {len:?} bytes", w.space, w.key.escape_ascii()));
        }
        list.finish()
    }
}

/// The first key after all keys that begin with `prefix`: the `to` of a scan over that prefix. `None` means to the end
/// of the space.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|b| *b != 0xff)?;
    let mut end = prefix.get(..=last)?.to_vec();
    if let Some(byte) = end.last_mut() {
        *byte += 1;
    }
    Some(end.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(prefix_end(b"ab").as_deref(), Some(&b"ac"[..]));
        assert_eq!(prefix_end(b"a\xff\xff").as_deref(), Some(&b"b"[..]));
        assert_eq!(prefix_end(b"\xff"), None);
        assert_eq!(prefix_end(b""), None);
    }

    #[test]
    fn debug_shows_no_values() {
        let tx =
            Tx::new().absent(Space::Peer, "k").put(Space::Peer, "k", "personal").delete(Space::Peer, "d");
        let shown = format!("{tx:?}");
        assert!(!shown.contains("personal") && shown.contains("peer/k := Some(8) bytes"), "{shown}");
    }

    #[test]
    fn limits_stand_where_they_say() {
        let put = |key: usize, value: usize| {
            Tx::new().put(Space::Meta, vec![b'k'; key], vec![0; value]).validate().is_ok()
        };
        assert!(put(1, 0) && put(limits::KEY_BYTES_MAX, limits::VALUE_BYTES_MAX));
        assert!(!put(0, 0) && !put(limits::KEY_BYTES_MAX + 1, 0) && !put(1, limits::VALUE_BYTES_MAX + 1));
        let many = |n: usize| (0..n).fold(Tx::new(), |tx, i| tx.delete(Space::Meta, format!("{i}")));
        assert!(many(limits::TX_ITEMS_MAX).validate().is_ok());
        assert!(many(limits::TX_ITEMS_MAX + 1).validate().is_err());
        let mib =
            |n: usize| (0..n).fold(Tx::new(), |tx, i| tx.put(Space::Meta, format!("{i}"), vec![0; 1 << 20]));
        assert!(mib(3).validate().is_ok());
        assert!(mib(4).validate().is_err(), "four mebibytes and four keys are over four mebibytes");
        assert!(Tx::new().at(Space::Meta, "", 1).validate().is_err());
    }
}
