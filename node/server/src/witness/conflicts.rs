//! Proofs that a log signed two histories, or has something else where its keeper promised a leaf: one file each, kept for
//! ever, readable and verifiable by anybody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ledger::conflict::Evidence;
use ledger::promise::BrokenPromise;
use ledger::statement::{Broken, Conflict, Deed, EntryRef};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files;
use crate::flow::statement;
use crate::node::Node;

/// Ending of the proofs of two histories.
const FORKED: &str = "conflict";
/// What the former prove.
const TWO_HISTORIES: &str = "two histories";
/// Ending of the proofs of a broken promise.
const BROKEN: &str = "broken-promise";

/// The proofs of this node, by the log's origin.
#[derive(Debug)]
pub struct Conflicts {
    folder: PathBuf,
    known: Mutex<BTreeMap<String, PathBuf>>,
}

impl Conflicts {
    /// Reads the folder; makes it when it is new.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            files::make_private_dir(folder)?;
        }
        let mut known = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
            let path = entry.map_err(|e| Error::io(folder, e))?.path();
            let bad = |e: ledger::LedgerError| {
                Error::Verification(format!("`{}`: {e}; put it back from a backup", path.display()))
            };
            let read = || std::fs::read(&path).map_err(|e| Error::io(&path, e));
            let origin = match path.extension().and_then(|ending| ending.to_str()) {
                Some(FORKED) => Evidence::parse(&read()?).map_err(bad)?.larger().checkpoint().origin.clone(),
                Some(BROKEN) => {
                    BrokenPromise::parse(&read()?).and_then(|proof| proof.promised()).map_err(bad)?.origin
                }
                _ => continue,
            };
            known.insert(origin.to_string(), path);
        }
        Ok(Self { folder: folder.to_owned(), known: Mutex::new(known) })
    }

    /// Whether this log was caught with two histories.
    pub fn of(&self, origin: &str) -> Option<PathBuf> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(origin).cloned()
    }

    /// All of them, for people.
    pub fn view(&self) -> Vec<Value> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |(origin, path): (&String, &PathBuf)| json!({"log": origin, "what": what(path), "evidence": path.display().to_string()});
        known.iter().map(told).collect()
    }

    fn file(&self, bytes: &[u8], ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", files::hex(&Sha256::digest(bytes)[..16])))
    }

    fn add(&self, origin: String, path: PathBuf) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(origin, path);
    }
}

/// Keeps a proof: the file, then the entry of the ledger. A proof that is kept already is no news; killed in between, the
/// file alone counts, and the entry is missing.
pub async fn keep(node: &Node, evidence: &Evidence) -> Result<()> {
    let (first, second) = (evidence.smaller().checkpoint(), evidence.larger().checkpoint());
    let origin = second.origin.to_string();
    if node.watch.conflicts.of(&origin).is_some_and(|path| what(&path) == TWO_HISTORIES) {
        return Ok(());
    }
    let bytes = evidence.to_bytes();
    let path = node.watch.conflicts.file(&bytes, FORKED);
    files::write_atomic(&path, &bytes)?;
    node.watch.conflicts.add(origin.clone(), path.clone());
    tracing::error!(
        log = origin,
        first = first.size,
        second = second.size,
        evidence = %path.display(),
        "A LOG SIGNED TWO HISTORIES; nothing of it is cosigned or taken from now on"
    );
    let deed = Deed::Conflict(Conflict {
        log: second.origin.clone(),
        first_size: first.size,
        first_root: first.root,
        second_size: second.size,
        second_root: second.root,
        evidence: Sha256::digest(&bytes).into(),
    });
    statement::own(node, node.clock.now(), None, deed).await.map(|_| ())
}

/// What a proof of that name proves.
fn what(path: &Path) -> &'static str {
    if path.extension().is_some_and(|ending| ending == BROKEN) { "broken promise" } else { TWO_HISTORIES }
}

/// Keeps the proof that a log has something else where its keeper promised a leaf: the file, then the entry of the ledger.
/// Killed in between, the promise is still held, and is looked at and kept once more.
pub async fn keep_broken(node: &Node, proof: &BrokenPromise) -> Result<()> {
    let promised = proof.promised().map_err(Error::internal)?;
    let bytes = proof.to_bytes().map_err(Error::internal)?;
    let path = node.watch.conflicts.file(&bytes, BROKEN);
    files::write_atomic(&path, &bytes)?;
    tracing::error!(
        log = %promised.origin,
        index = promised.index,
        evidence = %path.display(),
        "A LOG HAS SOMETHING ELSE WHERE A LEAF WAS PROMISED; nothing of it is cosigned or taken from now on"
    );
    node.watch.conflicts.add(promised.origin.to_string(), path);
    let found = proof.found().map_err(Error::internal)?;
    let signed = proof.checkpoint().map_err(Error::internal)?;
    let deed = Deed::Broken(Broken {
        log: promised.origin,
        promised: EntryRef { index: promised.index, leaf: promised.leaf },
        found,
        size: signed.checkpoint().size,
        root: signed.checkpoint().root,
        evidence: Sha256::digest(&bytes).into(),
    });
    statement::own(node, node.clock.now(), None, deed).await.map(|_| ())
}

/// Refuses what rests on a log that was caught.
pub fn refuse(node: &Node, origin: &str) -> Result<()> {
    match node.watch.conflicts.of(origin) {
        None => Ok(()),
        Some(path) => Err(Error::Verification(format!(
            "the ledger `{origin}` is not to be trusted ({}); the proof is in `{}`; show it to the keeper of that ledger and to your auditors",
            what(&path),
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use ledger::checkpoint::Checkpoint;
    use ledger::merkle::leaf_hash;
    use ledger::promise::{Outcome, Promise};
    use ledger::statement::{Own, SignedStatement, Statement};
    use ledger::{KeyName, Signer};

    use super::*;

    #[tokio::test]
    async fn a_broken_promise_is_kept_as_a_file_and_stands_in_the_ledger() {
        let (_dir, node) = crate::testing::node().await;
        let (keys, _) = crate::testing::member("urn:agency:vn:b");
        let origin = KeyName::new("urn:agency:vn:b/ledger").unwrap();
        let (promised, found) = (leaf_hash(b"x"), leaf_hash(b"y"));
        let base =
            format!("\"tram-log-origin\": {origin}\n\"tram-log-index\": 0\n\"tram-leaf-hash\": {promised}\n");
        let tree = Checkpoint { origin: origin.clone(), size: 1, root: found };
        let signed = tree.sign(&Signer::new(origin.clone(), keys.ledger.clone())).unwrap();
        let judged = Promise::of_answer(&base, &[0; 64]).unwrap().judge(&found, &[], &signed).unwrap();
        let Outcome::Broken(proof) = judged else { panic!("{judged:?}") };
        let before = node.ledger.size();
        keep_broken(&node, &proof).await.unwrap();
        let entry = node.ledger.entry(before).unwrap();
        let said = SignedStatement::parse(&entry).unwrap();
        let Statement::Own(Own { deed: Deed::Broken(broken), .. }) = said.statement() else {
            panic!("{said:?}")
        };
        assert_eq!((&broken.log, broken.promised.index, broken.promised.leaf), (&origin, 0, promised));
        assert_eq!((broken.found, broken.size, broken.root), (found, 1, found));
        let file = node.watch.conflicts.of(origin.as_str()).unwrap();
        assert_eq!(broken.evidence, <[u8; 32]>::from(Sha256::digest(std::fs::read(file).unwrap())));
        assert!(refuse(&node, origin.as_str()).is_err());
        crate::boot::close(&node).await;
    }
}
