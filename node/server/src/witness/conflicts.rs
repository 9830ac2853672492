//! Proofs that a log signed two histories: one file each, kept for ever, readable and verifiable by anybody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ledger::conflict::Evidence;
use ledger::statement::{Conflict, Deed};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files;
use crate::flow::statement;
use crate::node::Node;

/// Ending of the files.
const ENDING: &str = "conflict";

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
            if path.extension().is_none_or(|e| e != ENDING) {
                continue;
            }
            let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
            let evidence = Evidence::parse(&bytes).map_err(|e| {
                Error::Verification(format!("`{}`: {e}; put it back from a backup", path.display()))
            })?;
            known.insert(evidence.larger().checkpoint().origin.to_string(), path);
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
        known
            .iter()
            .map(|(origin, path)| json!({"log": origin, "evidence": path.display().to_string()}))
            .collect()
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        self.folder.join(format!("{}.{ENDING}", files::hex(&Sha256::digest(bytes)[..16])))
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
    if node.watch.conflicts.of(&origin).is_some() {
        return Ok(());
    }
    let bytes = evidence.to_bytes();
    let path = node.watch.conflicts.file(&bytes);
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

/// Refuses what rests on a log that was caught.
pub fn refuse(node: &Node, origin: &str) -> Result<()> {
    match node.watch.conflicts.of(origin) {
        None => Ok(()),
        Some(path) => Err(Error::Verification(format!(
            "the ledger `{origin}` signed two histories; the proof is in `{}`; show it to the keeper of that ledger and to your auditors",
            path.display()
        ))),
    }
}
