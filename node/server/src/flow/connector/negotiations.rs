//! Negotiations with connectors.
//!
//! As provider: an offer that is made now and that the rules still permit is agreed to at once, anything else is ended with
//! the reason. As consumer: the agreement must repeat the offer that was asked for, word for word.

use std::sync::Arc;
use std::time::Duration;

use exchange::Role;
use exchange::dsp::{
    Agreement, Cause, ContractAgreementMessage, ContractAgreementVerificationMessage,
    ContractNegotiationEventMessage, ContractRequestMessage, Event, Extra, Id, MessageOffer,
    NegotiationMessage, Pids, Turn,
};
use exchange::ends::{Local, Parties};
use exchange::negotiation::{Negotiation, State};
use store::{Space, Tx};

use super::{Driven, Row, delivery, errand, find, key, nudge, standing};
use crate::dsp::{self, Connector, offers};
use crate::error::{Error, RefusalInfo, Result};
use crate::flow::protocol::Protocol;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::{records, shown};

impl Driven for Negotiation {
    const DRAWER: &'static str = "n/";

    async fn next(node: &Arc<Node>, row: &Row<Self>) -> Result<Option<NegotiationMessage>> {
        let Some(pids) = row.process.ends().pids() else { return Ok(None) };
        #[cfg(feature = "tck")]
        if let Some(step) = dsp::script::negotiation(node, row) {
            return step.message(node, row, pids);
        }
        match (row.process.ends().role(), row.process.state()) {
            (Role::Provider, State::Requested | State::Accepted) => decide(node, row, pids).map(Some),
            (Role::Provider, State::Verified) => Ok(Some(event(pids, Event::Finalized))),
            (Role::Consumer, State::Offered) => Ok(Some(answer_offer(row, pids))),
            (Role::Consumer, State::Agreed) => Ok(Some(verification(pids))),
            _ => Ok(None),
        }
    }

    async fn reached(node: &Arc<Node>, row: &Row<Self>) -> Result<()> {
        if row.process.state() == State::Finalized {
            standing::keep(node, row).await?;
        }
        errand::negotiated(node, row).await
    }

    fn pause(row: &Row<Self>) -> Option<Duration> {
        #[cfg(feature = "tck")]
        return dsp::script::pause(row.process.offer().target.as_str());
        #[cfg(not(feature = "tck"))]
        {
            let _ = row;
            None
        }
    }

    fn give_up(&self, why: &str, now: i64) -> Option<Self> {
        Negotiation::give_up(self, Cause::plain("UNDELIVERABLE", why), now).ok()
    }
}

/// An event of ours.
pub fn event(pids: Pids, event: Event) -> NegotiationMessage {
    NegotiationMessage::Event(ContractNegotiationEventMessage { pids, event, extra: Extra::none() })
}

/// The consumer's confirmation. A connector knows no signatures of nodes.
pub fn verification(pids: Pids) -> NegotiationMessage {
    let extra = Extra::none();
    NegotiationMessage::Verification(ContractAgreementVerificationMessage { pids, signature: None, extra })
}

/// The provider's agreement to the offer on the table.
pub fn agreement(row: &Row<Negotiation>, pids: Pids, now: i64) -> Result<NegotiationMessage> {
    let id = dsp::new_pid()?;
    let made = Agreement::from_offer(row.process.offer(), id, row.process.ends().parties(), now);
    let agreement = made.map_err(Error::internal)?;
    let message = ContractAgreementMessage { pids, agreement, signature: None, extra: Extra::none() };
    Ok(NegotiationMessage::Agreement(message))
}

fn decide(node: &Node, row: &Row<Negotiation>, pids: Pids) -> Result<NegotiationMessage> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    match permitted(node, &operation, row)? {
        Ok(()) => agreement(row, pids, operation.now),
        Err(cause) => Ok(<Negotiation as Protocol>::termination(pids, cause)),
    }
}

/// Whether the offer on the table is the one that is made now, and permits something. Hidden and unknown are answered alike.
fn permitted(
    node: &Node,
    operation: &Operation,
    row: &Row<Negotiation>,
) -> Result<std::result::Result<(), Cause>> {
    let Some(connector) = dsp::find(node, &row.party)? else {
        return Ok(Err(Cause::plain("CONNECTOR", "you are not registered here any more")));
    };
    let asked = row.process.offer();
    let unknown = || Cause::plain("UNKNOWN", "no such dataset is offered to you");
    let Some(name) = offers::name_of(node, asked.target.as_str()) else { return Ok(Err(unknown())) };
    let Some(shown) = shown::one(node, operation, &connector.caller(), name)? else {
        return Ok(Err(unknown()));
    };
    if let Err(refusal) = offers::permit(node, operation, &connector, name)? {
        return Ok(Err(refused(&refusal)?));
    }
    let offered = offers::current(node, operation, &connector, &shown)?;
    if offered.id != asked.id || !offers::same_rules(&asked.rules, &offered.rules) {
        let why = "the offer is not the one that is made now; take it from the catalog word for word";
        return Ok(Err(Cause::plain("OFFER", why)));
    }
    Ok(Ok(()))
}

/// A refusal as a cause that the other side is told.
pub fn refused(refusal: &RefusalInfo) -> Result<Cause> {
    crate::flow::provider::cause(refusal)
}

/// The offer must be what was asked for: nothing else was wanted here.
fn answer_offer(row: &Row<Negotiation>, pids: Pids) -> NegotiationMessage {
    let first = row.process.seen().first().map(|seen| seen.sender);
    if first == Some(Role::Consumer)
        && row.wanted.as_ref().is_some_and(|wanted| same(wanted, row.process.offer()))
    {
        return event(pids, Event::Accepted);
    }
    <Negotiation as Protocol>::termination(
        pids,
        Cause::plain("OFFER", "this is not the offer that was asked for"),
    )
}

fn same(wanted: &MessageOffer, offered: &MessageOffer) -> bool {
    wanted.target == offered.target && offers::same_rules(&wanted.rules, &offered.rules)
}

/// A consumer opens a negotiation here; the error within is the reason why it cannot.
pub async fn open(
    node: &Arc<Node>,
    connector: &Connector,
    message: &NegotiationMessage,
    consumer_pid: &Id,
) -> Result<std::result::Result<Row<Negotiation>, String>> {
    let dedup = dsp::dedup("n", &connector.party, consumer_pid);
    let _turn = node.locks.lock(&dedup).await;
    let now = node.clock.now();
    if let Some((pid, _)) = records::get::<String>(&node.store, Space::Connector, &dedup)? {
        let row =
            find::<Negotiation>(node, &pid)?.ok_or_else(|| Error::internal("a negotiation is missing"))?;
        return Ok(row.process.receive(message, now).map(|_| row).map_err(|e| e.to_string()));
    }
    if !node.connectors.has_room(&connector.party) {
        return Err(Error::Unavailable(crate::flow::NO_ROOM.to_owned()));
    }
    let parties =
        Parties { provider: offers::id(&node.config.node.id)?, consumer: connector.participant.clone() };
    let local = Local { role: Role::Provider, parties, pid: dsp::new_pid()? };
    let step = match Negotiation::open(local, Role::Consumer, message, now) {
        Ok(step) => step,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let row = Row::new(step.record, &connector.party);
    let pid = row.process.ends().own_pid().to_string();
    let tx = Tx::new()
        .absent(Space::Connector, dedup.clone())
        .put_json(Space::Connector, dedup, &pid)
        .and_then(|tx| tx.put_json(Space::Connector, key::<Negotiation>(&pid), &row))
        .map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    nudge::<Negotiation>(node, &connector.party, &pid);
    Ok(Ok(row))
}

/// Opens a negotiation as consumer, for an offer that stands in the connector's catalog; gives this node's pid.
pub async fn propose(
    node: &Arc<Node>,
    connector: &Connector,
    offer: MessageOffer,
    errand: Option<String>,
) -> Result<String> {
    let pid = dsp::new_pid()?;
    let message = NegotiationMessage::Request(ContractRequestMessage {
        consumer_pid: pid.clone(),
        turn: Turn::First { callback_address: dsp::base(node)? },
        offer: offer.clone(),
        extra: Extra::none(),
    });
    let parties =
        Parties { provider: connector.participant.clone(), consumer: offers::id(&node.config.node.id)? };
    let local = Local { role: Role::Consumer, parties, pid: pid.clone() };
    let step = Negotiation::open(local, Role::Consumer, &message, node.clock.now());
    let mut row = Row::new(step.map_err(|e| Error::usage(e.to_string()))?.record, &connector.party);
    row.wanted = Some(offer);
    row.errand = errand;
    row.pending = Some(delivery::pending(node, &row, &message)?);
    let pid = pid.to_string();
    let tx = Tx::new().put_json(Space::Connector, key::<Negotiation>(&pid), &row).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    nudge::<Negotiation>(node, &connector.party, &pid);
    Ok(pid)
}
