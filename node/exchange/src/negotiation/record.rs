//! What a node remembers of one negotiation, and how a message changes it.
//!
//! The same record serves both roles. `receive` is for the counter-party's messages, `send` for our own; neither
//! touches the old record. A message that comes again in the state that it led to is answered again without a change.
//! The one exception is a second counter-offer without an offer in between: the standard calls that illegal, and its
//! test kit sends the very same bytes (CN:03-04), so it is refused.

use serde::{Deserialize, Serialize};

use super::{Kind, OutOfTurn, State, next};
use crate::agreement::{AgreementError, verify_against_offer};
use crate::dsp::{
    Address, Agreement, Cause, ContractNegotiation, Extra, Id, MessageOffer, NegotiationMessage, Pids, Turn,
};
use crate::ends::{Ends, Local, WrongPid};
use crate::json::{self, Digest, JsonError};
use crate::limits::NEGOTIATION_STEPS_MAX;
use crate::role::Role;
use crate::signature::DetachedSignature;

/// One message that this negotiation took.
pub type Seen = crate::ends::Seen<State, Kind>;

/// What a node remembers of one negotiation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Negotiation {
    ends: Ends,
    state: State,
    offer: MessageOffer,
    agreement: Option<Agreement>,
    provider_signature: Option<DetachedSignature>,
    consumer_signature: Option<DetachedSignature>,
    callback_address: Option<Address>,
    termination: Option<Cause>,
    seen: Vec<Seen>,
    created: i64,
    updated: i64,
}

/// What follows from a message that was taken. The server carries these out after the new record is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Answer with [`Negotiation::view`]: 201 for the first message, 200 for any other.
    Answer,
    /// Nothing changed: the message was taken before.
    Repeated,
    /// We provide: ask the gate about the offer on the table; then offer, agree or terminate.
    DecideRequest,
    /// We consume: look at the offer on the table; then accept, counter or terminate.
    DecideOffer,
    /// We provide: the consumer accepted; ask the gate again, then agree or terminate.
    IssueAgreement,
    /// We consume: check the provider's signature on the agreement, then verify or terminate.
    ConfirmAgreement,
    /// We provide: check the consumer's signature on the agreement, then finalize or terminate.
    Finalize,
    /// The agreement is in force: keep the agreement record.
    InForce,
    /// The negotiation ended without an agreement in force.
    Ended,
}

/// A record after a message, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The record to keep.
    pub record: Negotiation,
    /// What follows, in order.
    pub effects: Vec<Effect>,
}

/// Why a message was not taken. Each is answered with 400, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The table does not allow it now.
    #[error(transparent)]
    OutOfTurn(#[from] OutOfTurn),
    /// A pid of the message is not the one of this negotiation.
    #[error(transparent)]
    WrongPid(#[from] WrongPid),
    /// A first message for a negotiation that exists, with other contents.
    #[error("the pid `{pid}` already stands for another negotiation: use a new pid for each")]
    PidReused {
        /// The sender's pid.
        pid: String,
    },
    /// A later message where a first one is due, or the other way round.
    #[error("a {} must {} `callbackAddress` here: {advice}", .kind.word(), if *.due { "carry" } else { "not carry" })]
    Turn {
        /// What was sent.
        kind: Kind,
        /// Whether the callback address is due.
        due: bool,
        /// What to do.
        advice: &'static str,
    },
    /// The agreement is not what was offered, or not between these parties.
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    /// Too many messages.
    #[error(
        "this negotiation took {NEGOTIATION_STEPS_MAX} messages without an end: terminate it and begin anew"
    )]
    TooLong,
    /// The message has no canonical form.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl Negotiation {
    /// Begin with a first message, theirs or our own (`sender` tells). Only an initial request of the consumer or an
    /// initial offer of the provider can begin a negotiation. `now` is in unix seconds.
    pub fn open(
        local: Local,
        sender: Role,
        message: &NegotiationMessage,
        now: i64,
    ) -> Result<Step, StepError> {
        let kind = Kind::of(message);
        let state = next(None, sender, kind)?;
        let (sender_pid, turn, offer) = match message {
            NegotiationMessage::Request(request) => (&request.consumer_pid, &request.turn, &request.offer),
            NegotiationMessage::Offer(offer) => (&offer.provider_pid, &offer.turn, &offer.offer),
            _ => return Err(OutOfTurn { state: None, sender, message: kind }.into()),
        };
        let Turn::First { callback_address } = turn else {
            return Err(StepError::Turn {
                kind,
                due: true,
                advice: "send a pid only to a negotiation that exists",
            });
        };
        let theirs = sender != local.role;
        let ends = Ends::open(local, sender, sender_pid)?;
        let digest = json::digest(&message.to_value())?;
        let record = Negotiation {
            ends,
            state,
            offer: offer.clone(),
            agreement: None,
            provider_signature: None,
            consumer_signature: None,
            callback_address: theirs.then(|| callback_address.clone()),
            termination: None,
            seen: vec![Seen { sender, kind, digest, led_to: state, at: now }],
            created: now,
            updated: now,
        };
        let effects = record.effects(sender, kind);
        Ok(Step { record, effects })
    }

    /// Take a message of the counter-party.
    pub fn receive(&self, message: &NegotiationMessage, now: i64) -> Result<Step, StepError> {
        self.apply(self.ends.role().other(), message, now)
    }

    /// Take a message of our own: before sending to see that it is in turn, after the acknowledgement to keep it.
    pub fn send(&self, message: &NegotiationMessage, now: i64) -> Result<Step, StepError> {
        self.apply(self.ends.role(), message, now)
    }

    /// Take a message of either party. `now` is in unix seconds.
    pub fn apply(&self, sender: Role, message: &NegotiationMessage, now: i64) -> Result<Step, StepError> {
        let kind = Kind::of(message);
        let digest = json::digest(&message.to_value())?;
        let mut record = self.clone();
        record.ends.meet(sender, pids_of(message))?;
        if self.is_repeated(sender, message, kind, digest)? {
            return Ok(Step { record, effects: vec![Effect::Repeated, Effect::Answer] });
        }
        let state = next(Some(self.state), sender, kind)?;
        if self.seen.len() >= NEGOTIATION_STEPS_MAX && kind != Kind::Termination {
            return Err(StepError::TooLong);
        }
        record.absorb(message)?;
        record.state = state;
        record.updated = now;
        record.seen.push(Seen { sender, kind, digest, led_to: state, at: now });
        let effects = record.effects(sender, kind);
        Ok(Step { record, effects })
    }

    /// Learn the peer's pid from the answer to our first message. Learning the same again is no change.
    pub fn learn_peer_pid(&self, pid: &Id) -> Result<Negotiation, WrongPid> {
        let mut ends = self.ends.clone();
        ends.learn(pid)?;
        Ok(Negotiation { ends, ..self.clone() })
    }

    /// End it on our side alone, when there is nobody to tell: the peer never answered, or cannot be reached any more.
    pub fn give_up(&self, cause: Cause, now: i64) -> Result<Negotiation, OutOfTurn> {
        let state = next(Some(self.state), self.ends.role(), Kind::Termination)?;
        Ok(Negotiation { state, termination: Some(cause), updated: now, ..self.clone() })
    }

    fn is_repeated(
        &self,
        sender: Role,
        message: &NegotiationMessage,
        kind: Kind,
        digest: Digest,
    ) -> Result<bool, StepError> {
        if is_first(message) {
            // The first message may come again at any time: it asks for nothing but the state.
            let same = self.seen.first().is_some_and(|seen| seen.sender == sender && seen.digest == digest);
            let pid = || self.ends.pid_of(sender).map_or_else(String::new, |pid| pid.to_string());
            return if same { Ok(true) } else { Err(StepError::PidReused { pid: pid() }) };
        }
        let last = self.seen.last();
        let again = last.is_some_and(|seen| {
            seen.sender == sender && seen.kind == kind && seen.digest == digest && seen.led_to == self.state
        });
        Ok(again && kind != Kind::Request)
    }

    fn absorb(&mut self, message: &NegotiationMessage) -> Result<(), StepError> {
        match message {
            NegotiationMessage::Request(request) => self.offer = request.offer.clone(),
            NegotiationMessage::Offer(offer) => self.offer = offer.offer.clone(),
            NegotiationMessage::Agreement(message) => {
                verify_against_offer(&message.agreement, &self.offer, self.ends.parties())?;
                self.agreement = Some(message.agreement.clone());
                self.provider_signature = message.signature.clone();
            }
            NegotiationMessage::Verification(message) => self.consumer_signature = message.signature.clone(),
            NegotiationMessage::Event(_) => {}
            NegotiationMessage::Termination(message) => self.termination = Some(message.cause.clone()),
        }
        Ok(())
    }

    fn effects(&self, sender: Role, kind: Kind) -> Vec<Effect> {
        let theirs = sender != self.ends.role();
        let follows = match kind {
            Kind::Request if theirs => Some(Effect::DecideRequest),
            Kind::Offer if theirs => Some(Effect::DecideOffer),
            Kind::Accepted if theirs => Some(Effect::IssueAgreement),
            Kind::Agreement if theirs => Some(Effect::ConfirmAgreement),
            Kind::Verification if theirs => Some(Effect::Finalize),
            Kind::Finalized => Some(Effect::InForce),
            Kind::Termination => Some(Effect::Ended),
            _ => None,
        };
        theirs.then_some(Effect::Answer).into_iter().chain(follows).collect()
    }

    /// The state as it is told to the peer, once its pid is known.
    #[must_use]
    pub fn view(&self) -> Option<ContractNegotiation> {
        Some(ContractNegotiation { pids: self.ends.pids()?, state: self.state, extra: Extra::none() })
    }

    /// Both ends, with their pids.
    #[must_use]
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The offer on the table.
    #[must_use]
    pub fn offer(&self) -> &MessageOffer {
        &self.offer
    }

    /// The agreement, from AGREED on.
    #[must_use]
    pub fn agreement(&self) -> Option<&Agreement> {
        self.agreement.as_ref()
    }

    /// The provider's signature on the agreement, when one came.
    #[must_use]
    pub fn provider_signature(&self) -> Option<&DetachedSignature> {
        self.provider_signature.as_ref()
    }

    /// The consumer's signature on the agreement, when one came.
    #[must_use]
    pub fn consumer_signature(&self) -> Option<&DetachedSignature> {
        self.consumer_signature.as_ref()
    }

    /// Where the peer wants our messages, when it began; else the registry or the catalog says it.
    #[must_use]
    pub fn callback_address(&self) -> Option<&Address> {
        self.callback_address.as_ref()
    }

    /// Why it ended, when it was terminated.
    #[must_use]
    pub fn termination(&self) -> Option<&Cause> {
        self.termination.as_ref()
    }

    /// The messages that were taken, in order.
    #[must_use]
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// When it began, in unix seconds.
    #[must_use]
    pub fn created(&self) -> i64 {
        self.created
    }

    /// When it last changed, in unix seconds.
    #[must_use]
    pub fn updated(&self) -> i64 {
        self.updated
    }
}

fn is_first(message: &NegotiationMessage) -> bool {
    let turn = match message {
        NegotiationMessage::Request(message) => &message.turn,
        NegotiationMessage::Offer(message) => &message.turn,
        _ => return false,
    };
    matches!(turn, Turn::First { .. })
}

fn pids_of(message: &NegotiationMessage) -> [(Role, Option<&Id>); 2] {
    let (provider, consumer) = match message {
        NegotiationMessage::Request(message) => (next_pid(&message.turn), Some(&message.consumer_pid)),
        NegotiationMessage::Offer(message) => (Some(&message.provider_pid), next_pid(&message.turn)),
        NegotiationMessage::Agreement(message) => both(&message.pids),
        NegotiationMessage::Verification(message) => both(&message.pids),
        NegotiationMessage::Event(message) => both(&message.pids),
        NegotiationMessage::Termination(message) => both(&message.pids),
    };
    [(Role::Provider, provider), (Role::Consumer, consumer)]
}

fn both(pids: &Pids) -> (Option<&Id>, Option<&Id>) {
    (Some(&pids.provider), Some(&pids.consumer))
}

fn next_pid(turn: &Turn) -> Option<&Id> {
    match turn {
        Turn::First { .. } => None,
        Turn::Next { peer_pid } => Some(peer_pid),
    }
}
