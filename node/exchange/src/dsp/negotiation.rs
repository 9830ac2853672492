//! The messages of a contract negotiation (DSP 2025-1, contract negotiation protocol).

use super::error::MessageError;
use super::id::{Address, Extra, Id};
use super::policy::{Agreement, MessageOffer};
use super::wire::{Cause, Fields, Out, Pids, Wire, ours, serde_by_wire};
use crate::negotiation::State;
use crate::signature::DetachedSignature;

/// Whether a request or offer opens a negotiation or goes on with one. The schema demands exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The first message: where the sender wants the answers.
    First {
        /// The sender's base address.
        callback_address: Address,
    },
    /// A later message: the pid that the receiver gave.
    Next {
        /// The receiver's pid.
        peer_pid: Id,
    },
}

impl Turn {
    fn read(fields: &mut Fields, peer: &str) -> Result<Turn, MessageError> {
        match (fields.opt_address("callbackAddress")?, fields.opt_id(peer)?) {
            (Some(callback_address), None) => Ok(Turn::First { callback_address }),
            (None, Some(peer_pid)) => Ok(Turn::Next { peer_pid }),
            (None, None) => {
                Err(fields.missing(peer, &format!("either `callbackAddress` (first message) or `{peer}`")))
            }
            (Some(_), Some(_)) => Err(fields.wrong(
                peer,
                &format!("only one of `callbackAddress` and `{peer}`"),
                "both",
                "keep callbackAddress in the first message only",
            )),
        }
    }

    fn write(&self, out: &mut Out, peer: &str) {
        match self {
            Turn::First { callback_address } => out.text("callbackAddress", callback_address.as_str()),
            Turn::Next { peer_pid } => out.text(peer, peer_pid.as_str()),
        };
    }
}

/// The consumer asks for an agreement, or answers an offer with another (`POST …/negotiations/request`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractRequestMessage {
    /// The consumer's pid.
    pub consumer_pid: Id,
    /// First message, or the provider's pid.
    pub turn: Turn,
    /// What the consumer would agree to.
    pub offer: MessageOffer,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for ContractRequestMessage {
    const TYPE: &'static str = "ContractRequestMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(ContractRequestMessage {
            consumer_pid: fields.id("consumerPid")?,
            turn: Turn::read(fields, "providerPid")?,
            offer: fields.due("offer")?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        self.turn.write(out, "providerPid");
        out.text("consumerPid", self.consumer_pid.as_str()).object("offer", &self.offer).extra(&self.extra);
    }
}

/// The provider makes an offer, first or in answer to a request (`POST …/negotiations/offers`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractOfferMessage {
    /// The provider's pid.
    pub provider_pid: Id,
    /// First message, or the consumer's pid.
    pub turn: Turn,
    /// What the provider would agree to.
    pub offer: MessageOffer,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for ContractOfferMessage {
    const TYPE: &'static str = "ContractOfferMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(ContractOfferMessage {
            provider_pid: fields.id("providerPid")?,
            turn: Turn::read(fields, "consumerPid")?,
            offer: fields.due("offer")?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.text("providerPid", self.provider_pid.as_str());
        self.turn.write(out, "consumerPid");
        out.object("offer", &self.offer).extra(&self.extra);
    }
}

/// The provider's agreement (`POST …/negotiations/{consumerPid}/agreement`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractAgreementMessage {
    /// Both pids.
    pub pids: Pids,
    /// The agreement.
    pub agreement: Agreement,
    /// Ours: the provider's signature over the agreement ([`crate::agreement::signing_bytes`]).
    pub signature: Option<DetachedSignature>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for ContractAgreementMessage {
    const TYPE: &'static str = "ContractAgreementMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(ContractAgreementMessage {
            pids: fields.pids()?,
            agreement: fields.due("agreement")?,
            signature: read_signature(fields)?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.pids(&self.pids).object("agreement", &self.agreement);
        write_signature(out, self.signature.as_ref());
        out.extra(&self.extra);
    }
}

/// The consumer confirms the agreement (`POST …/negotiations/{providerPid}/agreement/verification`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractAgreementVerificationMessage {
    /// Both pids.
    pub pids: Pids,
    /// Ours: the consumer's signature over the agreement ([`crate::agreement::signing_bytes`]).
    pub signature: Option<DetachedSignature>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for ContractAgreementVerificationMessage {
    const TYPE: &'static str = "ContractAgreementVerificationMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(ContractAgreementVerificationMessage {
            pids: fields.pids()?,
            signature: read_signature(fields)?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.pids(&self.pids);
        write_signature(out, self.signature.as_ref());
        out.extra(&self.extra);
    }
}

const KEYID: &str = "urn:tram:ns:keyid";
const VALUE: &str = "urn:tram:ns:value";

fn read_signature(fields: &mut Fields) -> Result<Option<DetachedSignature>, MessageError> {
    let term = ours("signature");
    let Some(value) = fields.take(&term) else { return Ok(None) };
    let part = |name: &str| value.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let written = serde_json::json!({ "keyid": part(KEYID), "signature": part(VALUE) });
    serde_json::from_value(written).map(Some).map_err(|_| {
        let expected = format!("an object with `{KEYID}` and `{VALUE}` (base64 of 64 bytes)");
        fields.wrong(&term, &expected, "something else", "sign the agreement again")
    })
}

fn write_signature(out: &mut Out, signature: Option<&DetachedSignature>) {
    if let Some(signature) = signature {
        out.value(
            &ours("signature"),
            serde_json::json!({ KEYID: signature.keyid(), VALUE: signature.base64() }),
        );
    }
}

/// What an event message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The consumer accepts the provider's offer.
    Accepted,
    /// The provider declares the negotiation finished.
    Finalized,
}

const EVENTS: &[(&str, Event)] = &[("ACCEPTED", Event::Accepted), ("FINALIZED", Event::Finalized)];

/// Acceptance or finalization (`POST …/negotiations/{pid}/events`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractNegotiationEventMessage {
    /// Both pids.
    pub pids: Pids,
    /// Which event.
    pub event: Event,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for ContractNegotiationEventMessage {
    const TYPE: &'static str = "ContractNegotiationEventMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(ContractNegotiationEventMessage {
            pids: fields.pids()?,
            event: fields.word("eventType", EVENTS)?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        let word = match self.event {
            Event::Accepted => "ACCEPTED",
            Event::Finalized => "FINALIZED",
        };
        out.pids(&self.pids).text("eventType", word).extra(&self.extra);
    }
}

/// Either party ends the negotiation (`POST …/negotiations/{pid}/termination`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractNegotiationTerminationMessage {
    /// Both pids.
    pub pids: Pids,
    /// Why.
    pub cause: Cause,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

/// A refusal of a message about a negotiation; it changes no state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractNegotiationError {
    /// Both pids.
    pub pids: Pids,
    /// Why.
    pub cause: Cause,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

/// The state of a negotiation, as the answer to a first message or to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractNegotiation {
    /// Both pids.
    pub pids: Pids,
    /// The state.
    pub state: State,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for ContractNegotiation {
    const TYPE: &'static str = "ContractNegotiation";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        let words = State::ALL.map(|state| (state.word(), state));
        Ok(ContractNegotiation {
            pids: fields.pids()?,
            state: fields.word("state", &words)?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.pids(&self.pids).text("state", self.state.word()).extra(&self.extra);
    }
}

/// The messages that carry pids and a cause, and nothing else.
macro_rules! caused {
    ($($name:ident),+) => {$(
        impl $crate::dsp::Wire for $name {
            const TYPE: &'static str = stringify!($name);
            const ROOT: bool = true;

            fn read(fields: &mut $crate::dsp::wire::Fields) -> Result<Self, $crate::dsp::MessageError> {
                Ok($name { pids: fields.pids()?, cause: fields.cause()?, extra: fields.extra() })
            }

            fn write(&self, out: &mut $crate::dsp::wire::Out) {
                out.pids(&self.pids).cause(&self.cause).extra(&self.extra);
            }
        }
    )+};
}
pub(crate) use caused;

caused!(ContractNegotiationTerminationMessage, ContractNegotiationError);

serde_by_wire!(
    ContractRequestMessage,
    ContractOfferMessage,
    ContractAgreementMessage,
    ContractAgreementVerificationMessage,
    ContractNegotiationEventMessage,
    ContractNegotiationTerminationMessage,
    ContractNegotiationError,
    ContractNegotiation,
);
