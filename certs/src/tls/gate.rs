//! The allow-list of channel keys, shared by the listener and the doors, replaced as a whole.
//!
//! Promises: a new list is in force for every handshake that begins after `replace` returns; a key belongs to at
//! most one participant; strangers are let in only while somebody said so (an open pairing invitation).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::encode::hex;
use crate::id::ParticipantId;

/// Members are at most 10,000 with at most a few channel keys each (overlap while rotating).
pub const GATE_PEERS_MAX: usize = 40_000;

/// Who may open a connection to this node.
#[derive(Default)]
pub struct PeerGate {
    state: RwLock<Arc<State>>,
}

#[derive(Default, Clone)]
struct State {
    peers: Arc<HashMap<[u8; 32], ParticipantId>>,
    strangers_allowed: bool,
}

impl PeerGate {
    /// A gate that lets nobody in.
    #[must_use]
    pub fn closed() -> Self {
        Self::default()
    }

    /// Replaces the whole list of (SHA-256 of SPKI, participant).
    ///
    /// # Errors
    /// [`PeerGateError`] if the list is too long or gives one key to two participants; the old list then stays.
    pub fn replace(
        &self,
        peers: impl IntoIterator<Item = ([u8; 32], ParticipantId)>,
    ) -> Result<(), PeerGateError> {
        let mut fresh = HashMap::new();
        for (spki, participant) in peers {
            if fresh.len() >= GATE_PEERS_MAX {
                return Err(PeerGateError::TooMany);
            }
            match fresh.insert(spki, participant.clone()) {
                Some(other) if other != participant => {
                    return Err(PeerGateError::SharedKey {
                        spki: hex(&spki),
                        one: other,
                        other: participant,
                    });
                }
                _ => {}
            }
        }
        self.update(|state| state.peers = Arc::new(fresh));
        Ok(())
    }

    /// Opens or closes the door for keys that are not on the list. Open it only while a pairing invitation is.
    pub fn allow_strangers(&self, allowed: bool) {
        self.update(|state| state.strangers_allowed = allowed);
    }

    /// Whether unknown keys get through the handshake just now.
    #[must_use]
    pub fn strangers_allowed(&self) -> bool {
        self.now().strangers_allowed
    }

    /// Whose channel key this is; `None` for a stranger. Ask on each request: lists change under open connections.
    #[must_use]
    pub fn who(&self, spki: &[u8; 32]) -> Option<ParticipantId> {
        self.now().peers.get(spki).cloned()
    }

    pub(super) fn admits(&self, spki: &[u8; 32]) -> bool {
        let state = self.now();
        state.strangers_allowed || state.peers.contains_key(spki)
    }

    fn now(&self) -> Arc<State> {
        // The state is replaced in one step, so a panic elsewhere cannot leave half of it.
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut slot = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = State::clone(&slot);
        change(&mut next);
        *slot = Arc::new(next);
    }
}

impl fmt::Debug for PeerGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.now();
        write!(f, "PeerGate({} keys, strangers_allowed: {})", state.peers.len(), state.strangers_allowed)
    }
}

/// Why an allow-list was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerGateError {
    /// Longer than [`GATE_PEERS_MAX`].
    #[error("the allow-list has more than {GATE_PEERS_MAX} channel keys; the registry is not believable")]
    TooMany,
    /// Two participants with one key.
    #[error("the channel key `{spki}` belongs to `{one}` and to `{other}`; one of them must make a new key")]
    SharedKey {
        /// SHA-256 of the SPKI, hexadecimal.
        spki: String,
        /// One owner.
        one: ParticipantId,
        /// The other.
        other: ParticipantId,
    },
}
