//! The negotiation: how an offer becomes an agreement (DSP 2025-1, contract negotiation protocol).
//!
//! Promises: [`next`] is the standard's table and nothing else; [`Negotiation`] is what a node remembers of one
//! negotiation, and its `receive` and `send` return a new record or say why not, never half a change.
//! Absent: any decision whether an offer is acceptable, and any sending.

mod record;

use serde::{Deserialize, Serialize};

pub use record::{Effect, Negotiation, Seen, Step, StepError};

use crate::dsp::{Event, NegotiationMessage};
use crate::role::Role;

/// The states of a negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// The consumer's request or counter-offer is on the table.
    Requested,
    /// The provider's offer is on the table.
    Offered,
    /// The consumer accepted the provider's offer.
    Accepted,
    /// The provider sent the agreement.
    Agreed,
    /// The consumer confirmed the agreement.
    Verified,
    /// The agreement is in force. Final.
    Finalized,
    /// Ended without an agreement in force. Final.
    Terminated,
}

impl State {
    /// All states, for tables and tests.
    pub const ALL: [State; 7] = [
        State::Requested,
        State::Offered,
        State::Accepted,
        State::Agreed,
        State::Verified,
        State::Finalized,
        State::Terminated,
    ];

    /// The word of the protocol.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Requested => "REQUESTED",
            State::Offered => "OFFERED",
            State::Accepted => "ACCEPTED",
            State::Agreed => "AGREED",
            State::Verified => "VERIFIED",
            State::Finalized => "FINALIZED",
            State::Terminated => "TERMINATED",
        }
    }

    /// Whether nothing can follow.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, State::Finalized | State::Terminated)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// The kinds of message that can move a negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// ContractRequestMessage.
    Request,
    /// ContractOfferMessage.
    Offer,
    /// ContractNegotiationEventMessage with ACCEPTED.
    Accepted,
    /// ContractAgreementMessage.
    Agreement,
    /// ContractAgreementVerificationMessage.
    Verification,
    /// ContractNegotiationEventMessage with FINALIZED.
    Finalized,
    /// ContractNegotiationTerminationMessage.
    Termination,
}

impl Kind {
    /// All kinds, for tables and tests.
    pub const ALL: [Kind; 7] = [
        Kind::Request,
        Kind::Offer,
        Kind::Accepted,
        Kind::Agreement,
        Kind::Verification,
        Kind::Finalized,
        Kind::Termination,
    ];

    /// The kind of a message.
    #[must_use]
    pub fn of(message: &NegotiationMessage) -> Kind {
        match message {
            NegotiationMessage::Request(_) => Kind::Request,
            NegotiationMessage::Offer(_) => Kind::Offer,
            NegotiationMessage::Agreement(_) => Kind::Agreement,
            NegotiationMessage::Verification(_) => Kind::Verification,
            NegotiationMessage::Event(message) if message.event == Event::Accepted => Kind::Accepted,
            NegotiationMessage::Event(_) => Kind::Finalized,
            NegotiationMessage::Termination(_) => Kind::Termination,
        }
    }

    /// Plain name for messages to people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Request => "request",
            Kind::Offer => "offer",
            Kind::Accepted => "acceptance",
            Kind::Agreement => "agreement",
            Kind::Verification => "verification",
            Kind::Finalized => "finalization",
            Kind::Termination => "termination",
        }
    }
}

/// A message that the table does not allow. Answered with 400; no state changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("out of turn: a negotiation {} takes no {} from the {sender}; ask for its state and go on from there",
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

/// The state after a message, by the table of the standard; a termination is taken from both parties in every state
/// that is not final, as its text says.
pub fn next(state: Option<State>, sender: Role, message: Kind) -> Result<State, OutOfTurn> {
    use Role::{Consumer, Provider};
    use State::{Accepted, Agreed, Finalized, Offered, Requested, Terminated, Verified};
    match (state, sender, message) {
        (None, Consumer, Kind::Request) => Ok(Requested),
        (None, Provider, Kind::Offer) => Ok(Offered),
        (Some(Requested), Provider, Kind::Offer) => Ok(Offered),
        (Some(Requested), Provider, Kind::Agreement) => Ok(Agreed),
        (Some(Offered), Consumer, Kind::Request) => Ok(Requested),
        (Some(Offered), Consumer, Kind::Accepted) => Ok(Accepted),
        (Some(Accepted), Provider, Kind::Agreement) => Ok(Agreed),
        (Some(Agreed), Consumer, Kind::Verification) => Ok(Verified),
        (Some(Verified), Provider, Kind::Finalized) => Ok(Finalized),
        (Some(state), _, Kind::Termination) if !state.is_final() => Ok(Terminated),
        _ => Err(OutOfTurn { state, sender, message }),
    }
}
