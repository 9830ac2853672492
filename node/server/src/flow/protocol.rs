//! What a negotiation and a transfer have in common, so that both are sent, taken and shown by the same code.

use exchange::Role;
use exchange::dsp::{
    self, Address, Cause, ContractNegotiationTerminationMessage, Extra, Message, NegotiationMessage, Pids,
    TransferMessage, TransferTerminationMessage, Wire,
};
use exchange::ends::Ends;
use exchange::negotiation::{Kind as NegotiationKind, Negotiation};
use exchange::transfer::{Kind as TransferKind, Transfer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Space;

use crate::error::{Error, Result};
use crate::node::Node;
use crate::outbox::Process;
use crate::records;

/// Kind of the message that opens a process.
pub const FIRST: &str = "request";
/// Kind of the message that ends it before its goal.
pub const LAST: &str = "termination";

/// A negotiation or a transfer.
pub trait Protocol: Serialize + DeserializeOwned + Clone + Send {
    /// Where its records lie.
    const SPACE: Space;
    /// What the outbox calls it.
    const PROCESS: Process;
    /// First segment of its paths under the base of the protocol.
    const PATH: &'static str;
    /// Its messages.
    type Message: Clone + Send;
    /// Its state as the peer is told.
    type View: Wire;
    /// Takes a message of our own: checks that it is in turn, and gives the record after it.
    fn after_sending(&self, message: &Self::Message, now: i64) -> Result<Self>;
    /// Takes a message of the peer: checks that it is in turn, and gives the record after it.
    fn after_receiving(&self, message: &Self::Message, now: i64) -> Result<Self>;
    /// Learns the peer's pid from the answer to the first message.
    fn learn(&self, answer: &[u8]) -> Result<Self>;
    /// Both ends.
    fn ends(&self) -> &Ends;
    /// Where the consumer wants to be called, at the provider.
    fn callback(&self) -> Option<&Address>;
    /// The state as the peer is told, once both pids are known.
    fn view(&self) -> Option<Self::View>;
    /// The body.
    fn body(message: &Self::Message) -> serde_json::Value;
    /// The kind's word.
    fn kind(message: &Self::Message) -> &'static str;
    /// Where such a message is sent to, under the process or (the first one) beside it (DSP 2025-1, HTTPS bindings).
    fn tail(message: &Self::Message) -> &'static [&'static str];
    /// The message that ends it before its goal.
    fn termination(pids: Pids, cause: Cause) -> Self::Message;
    /// Whether nothing will change any more.
    fn is_over(&self) -> bool;
    /// One of its messages, if it is one.
    fn of(message: Message) -> Option<Self::Message>;

    /// Reads a body; the error says what is wrong with it.
    fn read(body: &[u8]) -> std::result::Result<Self::Message, String> {
        let message = Message::parse(body).map_err(|e| e.to_string())?;
        Self::of(message).ok_or_else(|| format!("a message of a {} is due here", Self::PROCESS.word()))
    }

    /// Where our message goes: at the provider under the endpoint that the registry has, at the consumer under its
    /// callback address.
    fn address(&self, node: &Node, message: &Self::Message) -> Result<String> {
        let ends = self.ends();
        let base = match ends.role() {
            Role::Consumer => base(&node.peers.route(ends.peer().as_str())?.endpoint)?,
            Role::Provider => {
                self.callback().cloned().ok_or_else(|| Error::internal("no callback address is known"))?
            }
        };
        let mut segments = vec![Self::PATH];
        // The first message is the one whose receiver's pid is not known yet.
        segments.extend(ends.pid_of(ends.role().other()).map(exchange::dsp::Id::as_str));
        segments.extend(Self::tail(message));
        Ok(base.join(&segments))
    }
}

impl Protocol for Negotiation {
    const SPACE: Space = Space::Negotiation;
    const PROCESS: Process = Process::Negotiation;
    const PATH: &'static str = "negotiations";
    type Message = NegotiationMessage;
    type View = dsp::ContractNegotiation;

    fn after_sending(&self, message: &NegotiationMessage, now: i64) -> Result<Self> {
        self.send(message, now).map(|s| s.record).map_err(|e| Error::conflict(e.to_string()))
    }
    fn after_receiving(&self, message: &NegotiationMessage, now: i64) -> Result<Self> {
        self.receive(message, now).map(|s| s.record).map_err(|e| Error::usage(e.to_string()))
    }
    fn learn(&self, answer: &[u8]) -> Result<Self> {
        let Ok(told) = dsp::parse::<dsp::ContractNegotiation>(answer) else { return Ok(self.clone()) };
        self.learn_peer_pid(&told.pids.provider).map_err(|e| Error::Peer(e.to_string()))
    }
    fn ends(&self) -> &Ends {
        self.ends()
    }
    fn callback(&self) -> Option<&Address> {
        self.callback_address()
    }
    fn view(&self) -> Option<dsp::ContractNegotiation> {
        self.view()
    }
    fn body(message: &NegotiationMessage) -> serde_json::Value {
        message.to_value()
    }
    fn kind(message: &NegotiationMessage) -> &'static str {
        NegotiationKind::of(message).word()
    }
    fn tail(message: &NegotiationMessage) -> &'static [&'static str] {
        match NegotiationKind::of(message) {
            NegotiationKind::Request => &["request"],
            NegotiationKind::Offer => &["offers"],
            NegotiationKind::Accepted | NegotiationKind::Finalized => &["events"],
            NegotiationKind::Agreement => &["agreement"],
            NegotiationKind::Verification => &["agreement", "verification"],
            NegotiationKind::Termination => &["termination"],
        }
    }
    fn termination(pids: Pids, cause: Cause) -> NegotiationMessage {
        let extra = Extra::none();
        NegotiationMessage::Termination(ContractNegotiationTerminationMessage { pids, cause, extra })
    }
    fn is_over(&self) -> bool {
        self.state().is_final()
    }
    fn of(message: Message) -> Option<NegotiationMessage> {
        if let Message::Negotiation(message) = message { Some(message) } else { None }
    }
}

impl Protocol for Transfer {
    const SPACE: Space = Space::Transfer;
    const PROCESS: Process = Process::Transfer;
    const PATH: &'static str = "transfers";
    type Message = TransferMessage;
    type View = dsp::TransferProcess;

    fn after_sending(&self, message: &TransferMessage, now: i64) -> Result<Self> {
        self.send(message, now).map(|s| s.record).map_err(|e| Error::conflict(e.to_string()))
    }
    fn after_receiving(&self, message: &TransferMessage, now: i64) -> Result<Self> {
        self.receive(message, now).map(|s| s.record).map_err(|e| Error::usage(e.to_string()))
    }
    fn learn(&self, answer: &[u8]) -> Result<Self> {
        let Ok(told) = dsp::parse::<dsp::TransferProcess>(answer) else { return Ok(self.clone()) };
        self.learn_peer_pid(&told.pids.provider).map_err(|e| Error::Peer(e.to_string()))
    }
    fn ends(&self) -> &Ends {
        self.ends()
    }
    fn callback(&self) -> Option<&Address> {
        Some(self.callback_address())
    }
    fn view(&self) -> Option<dsp::TransferProcess> {
        self.view()
    }
    fn body(message: &TransferMessage) -> serde_json::Value {
        message.to_value()
    }
    fn kind(message: &TransferMessage) -> &'static str {
        TransferKind::of(message).word()
    }
    fn tail(message: &TransferMessage) -> &'static [&'static str] {
        match TransferKind::of(message) {
            TransferKind::Request => &["request"],
            TransferKind::Start => &["start"],
            TransferKind::Suspension => &["suspension"],
            TransferKind::Completion => &["completion"],
            TransferKind::Termination => &["termination"],
        }
    }
    fn termination(pids: Pids, cause: Cause) -> TransferMessage {
        TransferMessage::Termination(TransferTerminationMessage { pids, cause, extra: Extra::none() })
    }
    fn is_over(&self) -> bool {
        self.state().is_final()
    }
    fn of(message: Message) -> Option<TransferMessage> {
        if let Message::Transfer(message) = message { Some(message) } else { None }
    }
}

/// A message that knows which record it belongs to.
pub trait Sent: Clone + Send {
    /// The record.
    type Record: Protocol<Message = Self>;
}

impl Sent for NegotiationMessage {
    type Record = Negotiation;
}

impl Sent for TransferMessage {
    type Record = Transfer;
}

/// The record of a pid, if there is one.
pub fn find<P: Protocol>(node: &Node, pid: &str) -> Result<Option<records::Process<P>>> {
    let found = records::get::<records::Process<P>>(&node.store, P::SPACE, pid.as_bytes())?;
    Ok(found.map(|(row, _)| row))
}

/// The record of a pid that must be there, because an exchange names it.
pub fn known<P: Protocol>(node: &Node, pid: &str) -> Result<records::Process<P>> {
    find(node, pid)?.ok_or_else(|| Error::internal(format!("the {} `{pid}` is missing", P::PROCESS.word())))
}

/// Both pids of a process whose first message was answered.
pub fn pids(process: &impl Protocol) -> Result<Pids> {
    process.ends().pids().ok_or_else(|| Error::internal("the peer's pid is not known"))
}

/// Base of the protocol's paths at an endpoint.
pub fn base(endpoint: &str) -> Result<Address> {
    Address::new(format!("{endpoint}/dsp/2025-1")).map_err(Error::internal)
}
