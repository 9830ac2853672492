//! The decisions that the Dataspace Protocol's Technology Compatibility Kit expects of the node under test, by the ids of its
//! data. In builds with the feature `tck` alone, which no default names; production decides by policy.
//!
//! The ids are those of the kit's sample configuration: datasets `ACN…` (this node provides) and `ACNC…` (it consumes),
//! agreements `ATP…` and `ATPC…`, each followed by group and number of the test.

use std::sync::Arc;
use std::time::Duration;

use exchange::Role;
use exchange::dsp::{
    Agreement, Cause, ContractOfferMessage, ContractRequestMessage, Dataset, Distribution, Event, Extra, Id,
    MessageOffer, NegotiationMessage, NonEmpty, Offer, Pids, Rule, RuleBody, TransferMessage,
    TransferStartMessage, TransferSuspensionMessage, Turn,
};
use exchange::negotiation::{self, Negotiation};
use exchange::transfer::{self, Transfer};

use super::offers;
use crate::error::{Error, Result};
use crate::flow::connector::{Row, Standing, steps};
use crate::flow::protocol::Protocol;
use crate::node::Node;

/// The kit hears a message only after it has asked for the state before it; it looks every tenth of a second.
const PAUSE: Duration = Duration::from_millis(250);
/// Id of the kit's participant.
const KIT: &str = "TCK_PARTICIPANT";
/// Groups of datasets and of agreements, with how many tests each has.
const DATASETS: [(&str, u8); 4] = [("CAT01", 2), ("ACN01", 4), ("ACN02", 7), ("ACN03", 4)];
const AGREEMENTS: [(&str, u8); 3] = [("01", 5), ("02", 5), ("03", 6)];

/// A step of a negotiation.
#[allow(missing_docs, reason = "each variant is the message of that name")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Wait,
    Offer,
    Counter,
    Accept,
    Agree,
    Verify,
    Finalize,
    Terminate,
}

/// A step of a transfer.
#[allow(missing_docs, reason = "each variant is the message of that name")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    Wait,
    Start,
    Suspend,
    Complete,
    Terminate,
}

/// How long to wait before a step about a dataset or an agreement of the kit.
pub fn pause(id: &str) -> Option<Duration> {
    (id.starts_with("ACN") || id.starts_with("ATP")).then_some(PAUSE)
}

/// The scripted step of a negotiation about one of the kit's datasets.
pub fn negotiation(_node: &Node, row: &Row<Negotiation>) -> Option<Step> {
    let target = row.process.offer().target.as_str();
    let offered = row.process.seen().iter().any(|seen| seen.kind == negotiation::Kind::Offer);
    match row.process.ends().role() {
        Role::Provider => provide(target.strip_prefix("ACN")?, row.process.state(), offered),
        Role::Consumer => consume(target.strip_prefix("ACNC")?, row.process.state()),
    }
}

fn provide(test: &str, state: negotiation::State, offered: bool) -> Option<Step> {
    use negotiation::State;
    Some(match (state, test) {
        (State::Requested, "0102") if offered => Step::Terminate,
        (State::Requested, _) if offered => Step::Wait,
        (State::Requested, "0104" | "0203" | "0207" | "0301") => Step::Agree,
        (State::Requested, "0201") => Step::Terminate,
        (State::Requested, "0202") => Step::Wait,
        (State::Requested, _) => Step::Offer,
        (State::Offered, "0205") => Step::Terminate,
        (State::Accepted, "0103") => Step::Agree,
        (State::Accepted, "0206") => Step::Terminate,
        (State::Verified, "0207") => Step::Terminate,
        (State::Verified, _) => Step::Finalize,
        _ => Step::Wait,
    })
}

fn consume(test: &str, state: negotiation::State) -> Option<Step> {
    use negotiation::State;
    Some(match (state, test) {
        (State::Requested, "0202") => Step::Terminate,
        (State::Offered, "0101" | "0205" | "0304" | "0305" | "0306") => Step::Accept,
        (State::Offered, "0102") => Step::Counter,
        (State::Offered, "0103") => Step::Terminate,
        (State::Agreed, "0101" | "0104" | "0206") => Step::Verify,
        (State::Agreed, "0203") => Step::Terminate,
        _ => Step::Wait,
    })
}

/// The scripted step of a transfer under one of the kit's agreements.
pub fn transfer(row: &Row<Transfer>) -> Option<Move> {
    let agreement = row.process.agreement_id().as_str();
    let (state, steps) = (row.process.state(), row.process.steps());
    match row.process.ends().role() {
        Role::Provider => serve(agreement.strip_prefix("ATP")?, state, steps),
        Role::Consumer => fetch(agreement.strip_prefix("ATPC")?, state),
    }
}

fn serve(test: &str, state: transfer::State, steps: usize) -> Option<Move> {
    use transfer::State;
    Some(match (state, test) {
        (State::Requested, "0105") => Move::Terminate,
        (State::Requested, "0205" | "0301" | "0302") => Move::Wait,
        (State::Requested, _) => Move::Start,
        (State::Started, "0101") => Move::Terminate,
        (State::Started, "0102") => Move::Complete,
        (State::Started, "0103") => Move::Suspend,
        // Request and start are behind it; after suspension and start there are four.
        (State::Started, "0104") if steps < 4 => Move::Suspend,
        (State::Started, "0104") => Move::Complete,
        (State::Suspended, "0103") => Move::Terminate,
        (State::Suspended, "0104") => Move::Start,
        _ => Move::Wait,
    })
}

fn fetch(test: &str, state: transfer::State) -> Option<Move> {
    use transfer::State;
    Some(match (state, test) {
        (State::Requested, "0205") => Move::Terminate,
        (State::Started, "0201") => Move::Terminate,
        (State::Started, "0202") => Move::Complete,
        (State::Started, "0203") => Move::Suspend,
        (State::Suspended, "0203") => Move::Terminate,
        _ => Move::Wait,
    })
}

impl Step {
    /// The message of the step.
    pub fn message(
        self,
        node: &Arc<Node>,
        row: &Row<Negotiation>,
        pids: Pids,
    ) -> Result<Option<NegotiationMessage>> {
        let offer = row.process.offer().clone();
        let extra = Extra::none();
        Ok(Some(match self {
            Self::Wait => return Ok(None),
            Self::Offer => NegotiationMessage::Offer(ContractOfferMessage {
                provider_pid: pids.provider,
                turn: Turn::Next { peer_pid: pids.consumer },
                offer,
                extra,
            }),
            Self::Counter => NegotiationMessage::Request(ContractRequestMessage {
                consumer_pid: pids.consumer,
                turn: Turn::Next { peer_pid: pids.provider },
                offer,
                extra,
            }),
            Self::Accept => steps::event(pids, Event::Accepted),
            Self::Agree => steps::agreement(row, pids, node.clock.now())?,
            Self::Verify => steps::verification(pids),
            Self::Finalize => steps::event(pids, Event::Finalized),
            Self::Terminate => <Negotiation as Protocol>::termination(pids, cause()),
        }))
    }
}

impl Move {
    /// The message of the move.
    pub async fn message(
        self,
        node: &Arc<Node>,
        row: &Row<Transfer>,
        pids: Pids,
    ) -> Result<Option<TransferMessage>> {
        let extra = Extra::none();
        Ok(Some(match self {
            Self::Wait => return Ok(None),
            Self::Start if row.process.state() == transfer::State::Requested => {
                steps::start(node, row, pids).await?
            }
            Self::Start => TransferMessage::Start(TransferStartMessage { pids, data_address: None, extra }),
            Self::Suspend => {
                TransferMessage::Suspension(TransferSuspensionMessage { pids, cause: cause(), extra })
            }
            Self::Complete => steps::completion(pids),
            Self::Terminate => Transfer::termination(pids, cause()),
        }))
    }
}

fn cause() -> Cause {
    Cause::plain("SCRIPTED", "a step of the compatibility kit")
}

/// An agreement of the kit, as if it had been negotiated before.
pub fn agreement(node: &Node, role: Role, party: &str, id: &str) -> Option<Standing> {
    let test = match role {
        Role::Provider => id.strip_prefix("ATP"),
        Role::Consumer => id.strip_prefix("ATPC"),
    }?;
    let (group, number) = test.split_at_checked(2)?;
    let number: u8 = number.parse().ok()?;
    AGREEMENTS.iter().find(|(known, last)| *known == group && (1..=*last).contains(&number))?;
    let (me, kit) = (Id::new(&node.config.node.id).ok()?, Id::new(KIT).ok()?);
    let (assigner, assignee) = match role {
        Role::Provider => (me, kit),
        Role::Consumer => (kit, me),
    };
    let agreement = Agreement {
        id: Id::new(id).ok()?,
        target: Id::new("CAT0101").ok()?,
        assigner,
        assignee,
        timestamp: None,
        rules: rules().ok()?,
    };
    Some(Standing { party: party.to_owned(), role, offer: String::new(), agreement, until: i64::MAX })
}

/// The datasets of the kit, as the catalog shows them.
pub fn datasets(node: &Node) -> Result<Vec<Dataset>> {
    let ids = DATASETS.iter().flat_map(|(group, last)| (1..=*last).map(move |n| format!("{group}{n:02}")));
    ids.map(|id| dataset(node, &id)).collect()
}

/// One of them.
pub fn find(node: &Node, id: &str) -> Result<Option<Dataset>> {
    Ok(datasets(node)?.into_iter().find(|dataset| dataset.id.as_str() == id))
}

fn dataset(node: &Node, id: &str) -> Result<Dataset> {
    let offer = Offer { id: offers::id(&format!("CD123:{id}:456"))?, rules: rules()? };
    Ok(Dataset {
        id: offers::id(id)?,
        offers: NonEmpty::one(offer),
        distributions: NonEmpty::one(Distribution::new(offers::id(super::FORMAT)?, offers::service(node)?)),
        extra: Extra::none(),
    })
}

fn rules() -> Result<RuleBody> {
    let all = Rule::new(offers::id("use")?, Vec::new());
    RuleBody::new(vec![all], Vec::new(), Vec::new()).ok_or_else(|| Error::internal("an offer without rules"))
}

/// The offer that the kit wants to be asked for.
pub fn wanted(offer: &str, dataset: &str) -> Result<MessageOffer> {
    Ok(MessageOffer { id: offers::id(offer)?, target: offers::id(dataset)?, rules: rules()? })
}
