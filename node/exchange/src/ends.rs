//! The two ends of a negotiation or a transfer: who they are, and by which pid each names it.
//!
//! Promises: our own pid never changes, the peer's is learnt once, and no message with other pids is taken.

use serde::{Deserialize, Serialize};

use crate::dsp::{Id, Pids};
use crate::json::Digest;
use crate::role::Role;

/// The participant ids of both parties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parties {
    /// The party that has the data.
    pub provider: Id,
    /// The party that asks.
    pub consumer: Id,
}

impl Parties {
    /// The participant id of a role.
    #[must_use]
    pub fn of(&self, role: Role) -> &Id {
        match role {
            Role::Provider => &self.provider,
            Role::Consumer => &self.consumer,
        }
    }
}

/// What the node itself brings to a new negotiation or transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Our role.
    pub role: Role,
    /// Both participants; the peer's is who the channel and the signature say it is.
    pub parties: Parties,
    /// Our pid, new for each.
    pub pid: Id,
}

/// One message that was taken: `State` and `Kind` are those of the negotiation or of the transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen<State, Kind> {
    /// Who sent it.
    pub sender: Role,
    /// What it was.
    pub kind: Kind,
    /// SHA-256 over its canonical JSON.
    pub digest: Digest,
    /// The state that it led to.
    pub led_to: State,
    /// When, in unix seconds.
    pub at: i64,
}

/// A pid of a message is not the one that is known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {which}'s pid in the message is `{found}`, but {}: send it where it belongs",
    .expected.as_ref().map_or_else(|| "none is known here yet".to_owned(), |pid| format!("it is `{pid}` here")))]
pub struct WrongPid {
    /// Whose pid.
    pub which: Role,
    /// The pid that is known here, if any.
    pub expected: Option<Id>,
    /// The pid of the message.
    pub found: Id,
}

/// Both ends as one of them sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ends {
    role: Role,
    parties: Parties,
    own_pid: Id,
    peer_pid: Option<Id>,
}

impl Ends {
    /// The ends after a first message of `sender`, which names itself `sender_pid`. Our own first message must carry
    /// our own pid.
    pub(crate) fn open(local: Local, sender: Role, sender_pid: &Id) -> Result<Self, WrongPid> {
        let mut ends = Self { role: local.role, parties: local.parties, own_pid: local.pid, peer_pid: None };
        ends.meet(sender, [(sender, Some(sender_pid))])?;
        Ok(ends)
    }

    /// Compares the pids that a message of `sender` carries with those that are known. The peer may be faster than its
    /// own answer to our first message: the pid that it gives itself is learnt from it.
    pub(crate) fn meet<'a>(
        &mut self,
        sender: Role,
        pids: impl IntoIterator<Item = (Role, Option<&'a Id>)>,
    ) -> Result<(), WrongPid> {
        for (which, found) in pids {
            let Some(found) = found else { continue };
            match self.pid_of(which) {
                Some(known) if known == found => {}
                None if which == sender => self.peer_pid = Some(found.clone()),
                expected => {
                    return Err(WrongPid { which, expected: expected.cloned(), found: found.clone() });
                }
            }
        }
        Ok(())
    }

    /// Learns the peer's pid from the answer to our first message. Learning the same again is no change.
    pub(crate) fn learn(&mut self, pid: &Id) -> Result<(), WrongPid> {
        let peer = self.role.other();
        self.meet(peer, [(peer, Some(pid))])
    }

    /// Our role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Both participants.
    #[must_use]
    pub fn parties(&self) -> &Parties {
        &self.parties
    }

    /// The counter-party's participant id.
    #[must_use]
    pub fn peer(&self) -> &Id {
        self.parties.of(self.role.other())
    }

    /// Our pid.
    #[must_use]
    pub fn own_pid(&self) -> &Id {
        &self.own_pid
    }

    /// The pid of a role, when it is known.
    #[must_use]
    pub fn pid_of(&self, role: Role) -> Option<&Id> {
        if role == self.role { Some(&self.own_pid) } else { self.peer_pid.as_ref() }
    }

    /// Both pids, once the peer's is known.
    #[must_use]
    pub fn pids(&self) -> Option<Pids> {
        let provider = self.pid_of(Role::Provider)?.clone();
        let consumer = self.pid_of(Role::Consumer)?.clone();
        Some(Pids { provider, consumer })
    }
}
