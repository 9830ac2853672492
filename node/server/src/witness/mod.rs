//! One agency alone cannot rewrite its history: this node witnesses for its peers, asks witnesses of its own, hears what
//! peers' logs say of themselves with every message, and keeps the proof when one of them tells two tales.
//!
//! Promise: what a log says is compared with what it said before, durably, off the hot path of exchanges. A proof of two
//! histories is kept for ever, stands in this node's ledger, and from then on this node cosigns nothing of that log and
//! takes no receipt of it. A node whose own witnesses know more of its ledger than it does itself signs nothing.
//!
//! [`quorum`] asks this node's own witnesses, [`rollback`] asks them before anything is signed, [`hearing`] is the gossip,
//! [`promises`] holds peers to
//! the places that they promised, [`conflicts`] keeps the proofs. The rules of witnessing are in the crate `ledger`.

pub mod conflicts;
pub mod hearing;
pub mod promises;
pub mod quorum;
pub mod rollback;

use std::path::Path;
use std::sync::OnceLock;

use certs::NodeKeys;
use certs::descriptor::{KeyMaterial, NodeDescriptor};
use ledger::gossip::Gossip;
use ledger::witness::Witness;
use ledger::{Cosigner, KeyName, Vkey};

use self::conflicts::Conflicts;
use self::hearing::Ears;
use self::quorum::Quorum;
use crate::error::{Error, Result};
use crate::node::Node;

/// What the node knows of logs, its own and others'.
#[derive(Debug)]
pub struct Watch {
    /// Cosigns for peers.
    pub door: Witness,
    /// What peers' logs told of themselves.
    pub gossip: Gossip,
    /// What was heard and waits to be compared.
    pub ears: Ears,
    /// Proofs of two histories.
    pub conflicts: Conflicts,
    /// What this node's own witnesses said.
    pub quorum: Quorum,
    /// Why this node signs nothing, if it does not.
    halted: OnceLock<String>,
}

impl Watch {
    /// Opens witness, gossip and conflicts of a node's folder.
    pub fn open(dir: &Path, me: &NodeDescriptor, keys: &NodeKeys) -> Result<Self> {
        let name = KeyName::new(&witness_name(me.participant.as_str())).map_err(Error::internal)?;
        let former = me.keys.iter().filter_map(|key| match &key.material {
            KeyMaterial::Witness(key) => {
                Vkey::new(name.clone(), certs::note::KeyKind::CosignatureV1, *key.verifying_key()).ok()
            }
            _ => None,
        });
        let former: Vec<Vkey> = former.collect();
        let bad = |e: ledger::LedgerError| Error::Unavailable(e.to_string());
        Ok(Self {
            door: Witness::open_rotated(
                &dir.join("witness"),
                Cosigner::new(name, keys.witness.clone()),
                &former,
            )
            .map_err(bad)?,
            gossip: Gossip::open(&dir.join("gossip")).map_err(bad)?,
            ears: Ears::default(),
            conflicts: Conflicts::open(&dir.join("conflicts"))?,
            quorum: Quorum::open(dir)?,
            halted: OnceLock::new(),
        })
    }

    /// Why this node signs nothing.
    pub fn halted(&self) -> Option<&str> {
        self.halted.get().map(String::as_str)
    }
}

/// From now on this node writes and signs nothing: others know another history of its ledger.
pub fn halt(node: &Node, why: &str) {
    if node.watch.halted.set(why.to_owned()).is_ok() {
        tracing::error!(why, "this node signs nothing any more");
    }
}

/// The name of a participant's witness key.
pub fn witness_name(participant: &str) -> String {
    format!("{participant}/witness")
}

/// The keys that may have signed checkpoints of a log, former ones too; none for a log of no member.
pub fn log_keys(node: &Node, origin: &str) -> Option<Vec<Vkey>> {
    let registry = node.peers.keys();
    let mut members = registry.registry().members.iter().map(|m| m.descriptor.descriptor());
    crate::ledger_check::keys(members.find(|d| d.ledger_origin == origin)?).ok()
}

/// The key by which a participant cosigns now.
pub fn witness_key(descriptor: &NodeDescriptor, now: i64) -> Result<Vkey> {
    let name = KeyName::new(&witness_name(descriptor.participant.as_str())).map_err(Error::internal)?;
    let key = descriptor.keys_at(certs::KeyUse::Witness, now).find_map(|material| match material {
        KeyMaterial::Witness(key) => Some(*key.verifying_key()),
        _ => None,
    });
    let key = key.ok_or_else(|| {
        Error::conflict(format!("`{}` has no witness key that is valid now", descriptor.participant))
    })?;
    Vkey::new(name, certs::note::KeyKind::CosignatureV1, key).map_err(Error::internal)
}
