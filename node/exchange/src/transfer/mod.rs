//! The transfer: one movement of data under an agreement (DSP 2025-1, transfer process protocol).
//!
//! Promises: [`next`] is the standard's table and nothing else; [`Transfer`] is what a node remembers of one transfer.
//! Absent: whether the data may move, the data itself, and any sending.

mod record;

use serde::{Deserialize, Serialize};

pub use record::{Effect, Seen, Step, StepError, Transfer};

use crate::dsp::TransferMessage;
use crate::role::Role;

/// The states of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// The consumer asked.
    Requested,
    /// The data is open.
    Started,
    /// Paused; may be resumed.
    Suspended,
    /// Everything was transferred. Final.
    Completed,
    /// Ended before that. Final.
    Terminated,
}

impl State {
    /// All states, for tables and tests.
    pub const ALL: [State; 5] =
        [State::Requested, State::Started, State::Suspended, State::Completed, State::Terminated];

    /// The word of the protocol.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Requested => "REQUESTED",
            State::Started => "STARTED",
            State::Suspended => "SUSPENDED",
            State::Completed => "COMPLETED",
            State::Terminated => "TERMINATED",
        }
    }

    /// Whether nothing can follow.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, State::Completed | State::Terminated)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// The kinds of message that can move a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// TransferRequestMessage.
    Request,
    /// TransferStartMessage.
    Start,
    /// TransferSuspensionMessage.
    Suspension,
    /// TransferCompletionMessage.
    Completion,
    /// TransferTerminationMessage.
    Termination,
}

impl Kind {
    /// All kinds, for tables and tests.
    pub const ALL: [Kind; 5] =
        [Kind::Request, Kind::Start, Kind::Suspension, Kind::Completion, Kind::Termination];

    /// The kind of a message.
    #[must_use]
    pub fn of(message: &TransferMessage) -> Kind {
        match message {
            TransferMessage::Request(_) => Kind::Request,
            TransferMessage::Start(_) => Kind::Start,
            TransferMessage::Suspension(_) => Kind::Suspension,
            TransferMessage::Completion(_) => Kind::Completion,
            TransferMessage::Termination(_) => Kind::Termination,
        }
    }

    /// Plain name for messages to people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Request => "request",
            Kind::Start => "start",
            Kind::Suspension => "suspension",
            Kind::Completion => "completion",
            Kind::Termination => "termination",
        }
    }
}

/// A message that the table does not allow. Answered with 400; no state changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("out of turn: a transfer {} takes no {} from the {sender}; ask for its state and go on from there",
    at(*.state), .message.word())]
pub struct OutOfTurn {
    /// The state; `None` before the first message.
    pub state: Option<State>,
    /// Who sent it.
    pub sender: Role,
    /// What was sent.
    pub message: Kind,
}

fn at(state: Option<State>) -> String {
    state.map_or_else(|| "that has not begun".to_owned(), |state| format!("in state {state}"))
}

/// The state after a message, by the table of the standard.
pub fn next(state: Option<State>, sender: Role, message: Kind) -> Result<State, OutOfTurn> {
    use Role::{Consumer, Provider};
    use State::{Completed, Requested, Started, Suspended, Terminated};
    match (state, sender, message) {
        (None, Consumer, Kind::Request) => Ok(Requested),
        (Some(Requested), Provider, Kind::Start) => Ok(Started),
        (Some(Suspended), _, Kind::Start) => Ok(Started),
        (Some(Started), _, Kind::Suspension) => Ok(Suspended),
        (Some(Started), _, Kind::Completion) => Ok(Completed),
        (Some(Requested | Started | Suspended), _, Kind::Termination) => Ok(Terminated),
        _ => Err(OutOfTurn { state, sender, message }),
    }
}
