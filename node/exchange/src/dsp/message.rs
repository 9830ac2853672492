//! Every message that one node sends to another as a request, as one enum for routing.

use serde_json::Value;

use super::catalog::{CatalogRequestMessage, DatasetRequestMessage};
use super::error::MessageError;
use super::names::local_name;
use super::negotiation::{
    ContractAgreementMessage, ContractAgreementVerificationMessage, ContractNegotiationEventMessage,
    ContractNegotiationTerminationMessage, ContractOfferMessage, ContractRequestMessage,
};
use super::transfer::{
    TransferCompletionMessage, TransferRequestMessage, TransferStartMessage, TransferSuspensionMessage,
    TransferTerminationMessage,
};
use super::wire::{Wire, parse_value, to_value, wrong};
use crate::json;
use crate::limits::MESSAGE_BYTES_MAX;

/// A message of the negotiation protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the message of that name")]
pub enum NegotiationMessage {
    Request(ContractRequestMessage),
    Offer(ContractOfferMessage),
    Agreement(ContractAgreementMessage),
    Verification(ContractAgreementVerificationMessage),
    Event(ContractNegotiationEventMessage),
    Termination(ContractNegotiationTerminationMessage),
}

/// A message of the transfer protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the message of that name")]
pub enum TransferMessage {
    Request(TransferRequestMessage),
    Start(TransferStartMessage),
    Suspension(TransferSuspensionMessage),
    Completion(TransferCompletionMessage),
    Termination(TransferTerminationMessage),
}

/// A request message of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A question for the catalog.
    CatalogRequest(CatalogRequestMessage),
    /// A question for one dataset; over HTTPS a GET takes its place.
    DatasetRequest(DatasetRequestMessage),
    /// A step of a negotiation.
    Negotiation(NegotiationMessage),
    /// A step of a transfer.
    Transfer(TransferMessage),
}

impl Message {
    /// Read any request message from a body of at most 1 MiB.
    pub fn parse(bytes: &[u8]) -> Result<Message, MessageError> {
        Message::parse_value(json::read(bytes, MESSAGE_BYTES_MAX)?)
    }

    /// Read any request message from JSON that was already read by [`json::read`].
    pub fn parse_value(value: Value) -> Result<Message, MessageError> {
        let name = type_name(&value)?;
        Ok(match name.as_str() {
            CatalogRequestMessage::TYPE => Message::CatalogRequest(parse_value(value)?),
            DatasetRequestMessage::TYPE => Message::DatasetRequest(parse_value(value)?),
            ContractRequestMessage::TYPE => NegotiationMessage::Request(parse_value(value)?).into(),
            ContractOfferMessage::TYPE => NegotiationMessage::Offer(parse_value(value)?).into(),
            ContractAgreementMessage::TYPE => NegotiationMessage::Agreement(parse_value(value)?).into(),
            ContractAgreementVerificationMessage::TYPE => {
                NegotiationMessage::Verification(parse_value(value)?).into()
            }
            ContractNegotiationEventMessage::TYPE => NegotiationMessage::Event(parse_value(value)?).into(),
            ContractNegotiationTerminationMessage::TYPE => {
                NegotiationMessage::Termination(parse_value(value)?).into()
            }
            TransferRequestMessage::TYPE => TransferMessage::Request(parse_value(value)?).into(),
            TransferStartMessage::TYPE => TransferMessage::Start(parse_value(value)?).into(),
            TransferSuspensionMessage::TYPE => TransferMessage::Suspension(parse_value(value)?).into(),
            TransferCompletionMessage::TYPE => TransferMessage::Completion(parse_value(value)?).into(),
            TransferTerminationMessage::TYPE => TransferMessage::Termination(parse_value(value)?).into(),
            other => {
                let found = format!("`{}`", super::error::short(other));
                return Err(wrong(
                    "/@type",
                    "a request message of DSP 2025-1",
                    &found,
                    "use a name of its table",
                ));
            }
        })
    }

    /// The message as JSON, in the one compact form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Message::CatalogRequest(message) => to_value(message),
            Message::DatasetRequest(message) => to_value(message),
            Message::Negotiation(message) => message.to_value(),
            Message::Transfer(message) => message.to_value(),
        }
    }
}

impl NegotiationMessage {
    /// The message as JSON, in the one compact form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            NegotiationMessage::Request(message) => to_value(message),
            NegotiationMessage::Offer(message) => to_value(message),
            NegotiationMessage::Agreement(message) => to_value(message),
            NegotiationMessage::Verification(message) => to_value(message),
            NegotiationMessage::Event(message) => to_value(message),
            NegotiationMessage::Termination(message) => to_value(message),
        }
    }
}

impl TransferMessage {
    /// The message as JSON, in the one compact form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            TransferMessage::Request(message) => to_value(message),
            TransferMessage::Start(message) => to_value(message),
            TransferMessage::Suspension(message) => to_value(message),
            TransferMessage::Completion(message) => to_value(message),
            TransferMessage::Termination(message) => to_value(message),
        }
    }
}

fn type_name(value: &Value) -> Result<String, MessageError> {
    let Some(object) = value.as_object() else {
        return Err(wrong("", "an object", super::wire::kind(value), "send one message object"));
    };
    match object.get("@type") {
        Some(Value::String(name)) => Ok(local_name(name).to_owned()),
        Some(other) => Err(wrong("/@type", "a string", super::wire::kind(other), "send a single string")),
        None => {
            Err(MessageError::Missing { pointer: "/@type".into(), expected: "the message's name".into() })
        }
    }
}

/// Wrap each message type into the enum above it.
macro_rules! wrap {
    ($($inner:ty => $outer:ident :: $variant:ident),+ $(,)?) => {$(
        impl From<$inner> for $outer {
            fn from(message: $inner) -> $outer {
                $outer::$variant(message)
            }
        }
    )+};
}

wrap!(
    NegotiationMessage => Message::Negotiation,
    TransferMessage => Message::Transfer,
    CatalogRequestMessage => Message::CatalogRequest,
    ContractRequestMessage => NegotiationMessage::Request,
    ContractOfferMessage => NegotiationMessage::Offer,
    ContractAgreementMessage => NegotiationMessage::Agreement,
    ContractAgreementVerificationMessage => NegotiationMessage::Verification,
    ContractNegotiationEventMessage => NegotiationMessage::Event,
    ContractNegotiationTerminationMessage => NegotiationMessage::Termination,
    TransferRequestMessage => TransferMessage::Request,
    TransferStartMessage => TransferMessage::Start,
    TransferSuspensionMessage => TransferMessage::Suspension,
    TransferCompletionMessage => TransferMessage::Completion,
    TransferTerminationMessage => TransferMessage::Termination,
);
