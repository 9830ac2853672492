//! What a node remembers of one transfer, and how a message changes it.
//!
//! A repeated request is answered with the present state whatever came in between: requests are idempotent on the
//! consumer's pid. Any other message is answered again without a change in the state that it led to.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, OutOfTurn, State, next};
use crate::dsp::{
    Address, Cause, DataAddress, Extra, Id, TransferMessage, TransferProcess, TransferRequestMessage,
};
use crate::ends::{Ends, Local, WrongPid};
use crate::json::{self, Digest, JsonError};
use crate::limits::TRANSFER_STEPS_MAX;
use crate::role::Role;

/// One message that this transfer took.
pub type Seen = crate::ends::Seen<State, Kind>;

/// What a node remembers of one transfer. Its data address may hold a token: `Debug` does not show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    ends: Ends,
    state: State,
    request: TransferRequestMessage,
    data_address: Option<DataAddress>,
    suspended_by: Option<Role>,
    cause: Option<Cause>,
    request_digest: Digest,
    last: Seen,
    steps: usize,
    created: i64,
    updated: i64,
}

/// What follows from a message that was taken. The server carries these out after the new record is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Answer with [`Transfer::view`]: 201 for the first message, 200 for any other.
    Answer,
    /// Nothing changed: the message was taken before.
    Repeated,
    /// We provide: ask the gate; then start or terminate.
    DecideRequest,
    /// We provide: the consumer resumed; ask the gate again, open the data or terminate.
    DecideResume,
    /// We consume: the data is open; fetch what is missing.
    Fetch,
    /// Stop serving or fetching, keep what is there.
    Pause,
    /// Everything was transferred: write the outcome and close the data.
    Done,
    /// Ended before completion: write the outcome and close the data.
    Ended,
}

/// A record after a message, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The record to keep.
    pub record: Transfer,
    /// What follows, in order.
    pub effects: Vec<Effect>,
}

/// Why a message was not taken. Each is answered with 400, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The table does not allow it now.
    #[error(transparent)]
    OutOfTurn(#[from] OutOfTurn),
    /// A pid of the message is not the one of this transfer.
    #[error(transparent)]
    WrongPid(#[from] WrongPid),
    /// A request with the pid of a transfer that exists, and other contents.
    #[error("the pid `{pid}` already stands for another transfer: use a new pid for each")]
    PidReused {
        /// The consumer's pid.
        pid: String,
    },
    /// Too many messages.
    #[error("this transfer took {TRANSFER_STEPS_MAX} messages without an end: terminate it and begin anew")]
    TooLong,
    /// The message has no canonical form.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl Transfer {
    /// Begin with the consumer's request, theirs or our own (`sender` tells). `now` is in unix seconds.
    pub fn open(local: Local, sender: Role, message: &TransferMessage, now: i64) -> Result<Step, StepError> {
        let kind = Kind::of(message);
        let state = next(None, sender, kind)?;
        let TransferMessage::Request(request) = message else {
            return Err(OutOfTurn { state: None, sender, message: kind }.into());
        };
        let ends = Ends::open(local, sender, &request.consumer_pid)?;
        let digest = json::digest(&message.to_value())?;
        let record = Transfer {
            ends,
            state,
            request: request.clone(),
            data_address: None,
            suspended_by: None,
            cause: None,
            request_digest: digest,
            last: Seen { sender, kind, digest, led_to: state, at: now },
            steps: 1,
            created: now,
            updated: now,
        };
        let effects = record.effects(sender, kind, None);
        Ok(Step { record, effects })
    }

    /// Take a message of the counter-party.
    pub fn receive(&self, message: &TransferMessage, now: i64) -> Result<Step, StepError> {
        self.apply(self.ends.role().other(), message, now)
    }

    /// Take a message of our own: before sending to see that it is in turn, after the acknowledgement to keep it.
    pub fn send(&self, message: &TransferMessage, now: i64) -> Result<Step, StepError> {
        self.apply(self.ends.role(), message, now)
    }

    /// Take a message of either party. `now` is in unix seconds.
    pub fn apply(&self, sender: Role, message: &TransferMessage, now: i64) -> Result<Step, StepError> {
        let kind = Kind::of(message);
        let digest = json::digest(&message.to_value())?;
        let mut record = self.clone();
        record.ends.meet(sender, pids_of(message))?;
        if self.is_repeated(sender, kind, digest)? {
            return Ok(Step { record, effects: vec![Effect::Repeated, Effect::Answer] });
        }
        let state = next(Some(self.state), sender, kind)?;
        if self.steps >= TRANSFER_STEPS_MAX && kind != Kind::Termination {
            return Err(StepError::TooLong);
        }
        record.absorb(sender, message);
        record.state = state;
        record.updated = now;
        record.steps = self.steps.saturating_add(1);
        record.last = Seen { sender, kind, digest, led_to: state, at: now };
        let effects = record.effects(sender, kind, self.suspended_by);
        Ok(Step { record, effects })
    }

    /// Learn the peer's pid from the answer to our request. Learning the same again is no change.
    pub fn learn_peer_pid(&self, pid: &Id) -> Result<Transfer, WrongPid> {
        let mut ends = self.ends.clone();
        ends.learn(pid)?;
        Ok(Transfer { ends, ..self.clone() })
    }

    /// End it on our side alone, when there is nobody to tell: the peer never answered, or cannot be reached any more.
    pub fn give_up(&self, cause: Cause, now: i64) -> Result<Transfer, OutOfTurn> {
        let state = next(Some(self.state), self.ends.role(), Kind::Termination)?;
        Ok(Transfer { state, cause: Some(cause), data_address: None, updated: now, ..self.clone() })
    }

    fn is_repeated(&self, sender: Role, kind: Kind, digest: Digest) -> Result<bool, StepError> {
        if kind == Kind::Request && sender == Role::Consumer {
            let pid = self.request.consumer_pid.to_string();
            return if digest == self.request_digest { Ok(true) } else { Err(StepError::PidReused { pid }) };
        }
        let last = &self.last;
        Ok(last.sender == sender && last.kind == kind && last.digest == digest && last.led_to == self.state)
    }

    fn absorb(&mut self, sender: Role, message: &TransferMessage) {
        match message {
            TransferMessage::Request(_) => {}
            TransferMessage::Start(message) => {
                // Only the provider knows where the data is; a consumer's resumption keeps the address that it had.
                if sender == Role::Provider && message.data_address.is_some() {
                    self.data_address = message.data_address.clone();
                }
                self.suspended_by = None;
                self.cause = None;
            }
            TransferMessage::Suspension(message) => {
                self.suspended_by = Some(sender);
                self.cause = Some(message.cause.clone());
            }
            TransferMessage::Completion(_) => {
                self.data_address = None;
                self.suspended_by = None;
            }
            TransferMessage::Termination(message) => {
                self.data_address = None;
                self.suspended_by = None;
                self.cause = Some(message.cause.clone());
            }
        }
    }

    fn effects(&self, sender: Role, kind: Kind, suspended_by: Option<Role>) -> Vec<Effect> {
        let theirs = sender != self.ends.role();
        let provide = self.ends.role() == Role::Provider;
        let follows = match kind {
            Kind::Request if theirs => Some(Effect::DecideRequest),
            Kind::Start if theirs && provide => Some(Effect::DecideResume),
            Kind::Start if !provide && (theirs || suspended_by.is_some()) => Some(Effect::Fetch),
            Kind::Suspension => Some(Effect::Pause),
            Kind::Completion => Some(Effect::Done),
            Kind::Termination => Some(Effect::Ended),
            _ => None,
        };
        theirs.then_some(Effect::Answer).into_iter().chain(follows).collect()
    }

    /// The state as it is told to the peer, once its pid is known.
    #[must_use]
    pub fn view(&self) -> Option<TransferProcess> {
        Some(TransferProcess { pids: self.ends.pids()?, state: self.state, extra: Extra::none() })
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

    /// The consumer's request, word for word.
    #[must_use]
    pub fn request(&self) -> &TransferRequestMessage {
        &self.request
    }

    /// The agreement under which it runs.
    #[must_use]
    pub fn agreement_id(&self) -> &Id {
        &self.request.agreement_id
    }

    /// Which part of the dataset was asked for; `None` is the whole.
    #[must_use]
    pub fn query(&self) -> Option<&Value> {
        self.request.query()
    }

    /// Where the consumer wants our messages.
    #[must_use]
    pub fn callback_address(&self) -> &Address {
        &self.request.callback_address
    }

    /// Where the data is, from the first start until the end.
    #[must_use]
    pub fn data_address(&self) -> Option<&DataAddress> {
        self.data_address.as_ref()
    }

    /// Who suspended it, while it is suspended. A provider need not let the consumer undo its own suspension.
    #[must_use]
    pub fn suspended_by(&self) -> Option<Role> {
        self.suspended_by
    }

    /// Why it is suspended or was terminated.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// The last message that was taken.
    #[must_use]
    pub fn last(&self) -> &Seen {
        &self.last
    }

    /// How many messages it took.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
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

fn pids_of(message: &TransferMessage) -> [(Role, Option<&Id>); 2] {
    let pids = match message {
        TransferMessage::Request(request) => {
            return [(Role::Provider, None), (Role::Consumer, Some(&request.consumer_pid))];
        }
        TransferMessage::Start(message) => &message.pids,
        TransferMessage::Suspension(message) => &message.pids,
        TransferMessage::Completion(message) => &message.pids,
        TransferMessage::Termination(message) => &message.pids,
    };
    [(Role::Provider, Some(&pids.provider)), (Role::Consumer, Some(&pids.consumer))]
}
