//! The consumer's side of an exchange.

use std::path::PathBuf;
use std::sync::Arc;

use exchange::Role;
use exchange::dsp::{
    Address, Cause, ContractAgreementVerificationMessage, ContractNegotiationEventMessage,
    ContractRequestMessage, Event, Extra, NegotiationMessage, TransferMessage, TransferRequestMessage, Turn,
};
use exchange::ends::Local;
use exchange::negotiation::{Negotiation, State as NegotiationState};
use exchange::transfer::{State as TransferState, Transfer};
use store::{Space, Tx};

use super::delivery::{self, send, terminate};
use super::evidence::{self, CommittedValues};
use super::protocol::{FIRST, Protocol, base, find, known, pids};
use super::{NegotiationRow, agreement, change, fail, receive, statement, terms};
use crate::error::{Error, RefusalInfo, Result};
use crate::node::Node;
use crate::operation::Operation;
use crate::outbound::Call;
use crate::peer::process::{id, new_pid, parties};
use crate::records::{self, Ask, DataAddress, Exchange, Side, Stage};

/// Where the rows of an exchange lie once they are complete.
pub fn received_file(node: &Node, id: &str) -> PathBuf {
    node.dir.join("received").join(id)
}

/// How an exchange is begun.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// Whether to wait for a peer that cannot be reached.
    pub queue: bool,
    /// Whether to make a new agreement although one stands.
    pub renew: bool,
    /// The id, where it was chosen and kept before; an exchange that has it already is the one that was begun.
    pub id: Option<String>,
    /// The subscription that it is for.
    pub subscription: Option<String>,
}

/// Begins an exchange: checks the words, keeps the wish, and lets the flow go.
pub async fn begin(
    node: &Arc<Node>,
    operation: &Operation,
    participant: &str,
    dataset: &str,
    ask: Ask,
    committed: &CommittedValues,
    how: How,
) -> Result<Exchange> {
    committed.check()?;
    let mut exchange = wish(node, operation, participant, dataset, ask)?;
    if let Some(id) = how.id {
        exchange.id = id;
    }
    exchange.subscription = how.subscription;
    exchange.queue = how.queue;
    exchange.renew = how.renew;
    evidence::keep_wish(node, &exchange.id, committed)?;
    let key = exchange.key();
    let tx = Tx::new().absent(Space::Exchange, key.clone()).put_json(Space::Exchange, key.clone(), &exchange);
    node.store.commit(tx.map_err(Error::from)?).await.map_err(Error::from)?;
    super::nudge(node, &key);
    Ok(exchange)
}

/// An exchange that is not kept yet: its words are checked. It waits for peers that cannot be reached.
pub fn wish(
    node: &Node,
    operation: &Operation,
    participant: &str,
    dataset: &str,
    ask: Ask,
) -> Result<Exchange> {
    node.peers.route(participant)?;
    let bare = |what: &str, text: &Option<String>, prefix: &str| -> Result<Option<String>> {
        let Some(text) = text else { return Ok(None) };
        let code = text.strip_prefix(prefix).unwrap_or(text);
        let good = match prefix {
            "pu:" => policy::PurposeId::named(code).map(|_| ()),
            _ => policy::BasisId::named(code).map(|_| ()),
        };
        good.map_err(|e| Error::usage(format!("{what} `{text}`: {e}")))?;
        Ok(Some(code.to_owned()))
    };
    let ask = Ask {
        purpose: bare("purpose", &ask.purpose, "pu:")?,
        basis: bare("legal basis", &ask.basis, "bas:")?,
        ..ask
    };
    catalog::DatasetId::try_from(dataset.to_owned()).map_err(|e| Error::usage(e.to_string()))?;
    let id = ulid::Ulid::generate().to_string();
    Ok(Exchange::new(id, Side::Consumer, participant.to_owned(), dataset.to_owned(), ask, operation.now))
}

/// Does the next thing that this exchange needs from the consumer; whether there may be more to do at once.
pub async fn step(node: &Arc<Node>, operation: &Operation, exchange: &Exchange) -> Result<bool> {
    let stepped = match (&exchange.transfer, &exchange.negotiation, &exchange.agreement) {
        (Some(pid), _, _) => transfer(node, exchange, pid).await,
        (None, Some(pid), None) => negotiation(node, operation, exchange, pid).await,
        (None, _, Some(agreement)) => ask_for_data(node, operation, exchange, agreement).await,
        (None, None, None) => open(node, operation, exchange).await,
    };
    match stepped {
        Err(error) => settle(node, exchange, error).await,
        done => done,
    }
}

/// What an error means for the exchange: give up, wait, or fail.
async fn settle(node: &Arc<Node>, exchange: &Exchange, error: Error) -> Result<bool> {
    let key = exchange.key();
    match error {
        Error::Unreachable(why) if !exchange.queue => {
            change(node, &key, |e| {
                e.stage = Stage::Unreachable;
                e.failure = Some(why.clone());
            })
            .await?;
        }
        Error::Unreachable(why) | Error::Unavailable(why) => {
            let now = node.clock.now();
            change(node, &key, |e| e.pause(&why, now)).await?;
        }
        Error::Internal(_) | Error::Io { .. } => return Err(error),
        lasting => fail(node, &key, &lasting.to_string()).await?,
    }
    Ok(false)
}

/// Our base for callbacks.
fn callback(node: &Node) -> Result<Address> {
    base(&node.config.peer.endpoint)
}

async fn open(node: &Arc<Node>, operation: &Operation, exchange: &Exchange) -> Result<bool> {
    let (purpose, basis) = (exchange.ask.purpose.as_deref(), exchange.ask.basis.as_deref());
    // The values of committed fields are told once the provider knows the exchange, so such an exchange negotiates.
    let standing = if evidence::wish(node, &exchange.id)?.is_empty() && !exchange.renew {
        agreement::reusable(node, &exchange.peer, &exchange.dataset, &exchange.ask, operation.now)?
    } else {
        None
    };
    if let Some(standing) = standing {
        change(node, &exchange.key(), |e| {
            e.stage = Stage::Agreed;
            e.agreement = Some(standing.id.clone());
            e.failure = None;
        })
        .await?;
        return Ok(true);
    }
    let route = node.peers.route(&exchange.peer)?;
    let dataset = node.outbound.dataset(node, &route, &exchange.dataset).await?;
    let offer = terms::choose(&dataset.offers, purpose, basis, &exchange.ask.action, &exchange.ask.stated)
        .ok_or_else(|| Error::Peer("a dataset without an offer".to_owned()))?;
    let target = id(&format!("{}/{}", exchange.peer, exchange.dataset))?;
    let offer = agreement::proposal(offer, target, purpose, basis, operation.now)?;
    let local = local(node, exchange)?;
    let message = NegotiationMessage::Request(ContractRequestMessage {
        consumer_pid: local.pid.clone(),
        turn: Turn::First { callback_address: callback(node)? },
        offer,
        extra: Extra::none(),
    });
    let opened =
        Negotiation::open(local, Role::Consumer, &message, operation.now).map_err(Error::internal)?.record;
    let pid = opened.ends().own_pid().to_string();
    delivery::open(node, exchange, opened, &message, |e| e.negotiation = Some(pid.clone())).await?;
    Ok(false)
}

/// What this node brings to a new negotiation or transfer.
fn local(node: &Node, exchange: &Exchange) -> Result<Local> {
    let parties = parties(node, &exchange.peer, Role::Consumer)?;
    Ok(Local { role: Role::Consumer, parties, pid: new_pid()? })
}

async fn negotiation(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    pid: &str,
) -> Result<bool> {
    let stored = known::<Negotiation>(node, pid)?;
    if stored.process.state() == NegotiationState::Terminated {
        return ended(node, exchange, stored.process.termination()).await;
    }
    if stored.pending.is_some() {
        return Ok(false);
    }
    match stored.process.state() {
        NegotiationState::Offered => answer_offer(node, exchange, &stored).await?,
        NegotiationState::Agreed => confirm(node, operation, exchange, &stored).await?,
        NegotiationState::Finalized => return in_force(node, operation, exchange, &stored).await,
        _ => {}
    }
    Ok(false)
}

/// A provider's counter-offer is accepted only when its terms are the ones that this node asked for, with the deed and
/// the duties that the catalog announces: neither weaker nor stronger duties are agreed to without anybody's consent.
async fn answer_offer(node: &Arc<Node>, exchange: &Exchange, stored: &NegotiationRow) -> Result<()> {
    let (purpose, basis) = (exchange.ask.purpose.as_deref(), exchange.ask.basis.as_deref());
    let route = node.peers.route(&exchange.peer)?;
    let dataset = node.outbound.dataset(node, &route, &exchange.dataset).await?;
    let announced =
        terms::choose(&dataset.offers, purpose, basis, &exchange.ask.action, &exchange.ask.stated);
    let announced = announced.map(|(_, terms)| terms).unwrap_or_default();
    let same = exchange::terms::Terms::read(&stored.process.offer().rules).is_ok_and(|terms| {
        agreement::codes(&terms.purposes).iter().map(String::as_str).eq(purpose)
            && terms.legal_basis.as_ref().map(agreement::basis_code).as_deref() == basis
            && (terms.deed, terms.stated, terms.duties)
                == (announced.deed, announced.stated, announced.duties)
    });
    if same {
        let message = NegotiationMessage::Event(ContractNegotiationEventMessage {
            pids: pids(&stored.process)?,
            event: Event::Accepted,
            extra: Extra::none(),
        });
        return send(node, exchange, &stored.process, message).await;
    }
    let cause = Cause::plain("TERMS", "these are not the terms that were asked for");
    terminate(node, exchange, &stored.process, cause).await
}

/// Tells the provider that this side gave an exchange up, so that nothing stays open there. Why is told to people here.
pub async fn tell_failure(node: &Arc<Node>, key: &[u8]) -> Result<()> {
    let Some((exchange, _)) = records::get::<Exchange>(&node.store, Space::Exchange, key)? else {
        return Ok(());
    };
    if exchange.side != Side::Consumer || exchange.stage != Stage::Failed {
        return Ok(());
    }
    let cause =
        Cause::plain("GIVEN-UP", &format!("the consumer gave the exchange {} up; it knows why", exchange.id));
    match (&exchange.transfer, &exchange.negotiation) {
        (Some(pid), _) => tell_end::<Transfer>(node, &exchange, pid, cause).await,
        (None, Some(pid)) => tell_end::<Negotiation>(node, &exchange, pid, cause).await,
        (None, None) => Ok(()),
    }
}

/// A process that is over, or of which the provider never told its pid, has nobody to tell.
async fn tell_end<P: Protocol>(node: &Arc<Node>, exchange: &Exchange, pid: &str, cause: Cause) -> Result<()> {
    match find::<P>(node, pid)? {
        Some(row) if !row.process.is_over() && row.process.ends().pids().is_some() => {
            terminate(node, exchange, &row.process, cause).await
        }
        _ => Ok(()),
    }
}

/// The agreement came: verify the provider's signature, sign it, confirm it. What was offered and what was agreed is
/// compared by the protocol's own record.
async fn confirm(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    stored: &NegotiationRow,
) -> Result<()> {
    let agreed = stored.process.agreement().ok_or_else(|| Error::internal("no agreement"))?;
    let provider = stored.process.ends().parties().provider.clone();
    let signed =
        agreement::verify(node, agreed, stored.process.provider_signature(), &provider, operation.now);
    if let Err(why) = signed {
        return terminate(node, exchange, &stored.process, Cause::plain("SIGNATURE", &why)).await;
    }
    let message = NegotiationMessage::Verification(ContractAgreementVerificationMessage {
        pids: pids(&stored.process)?,
        signature: Some(agreement::sign(node, agreed)?),
        extra: Extra::none(),
    });
    send(node, exchange, &stored.process, message).await
}

async fn in_force(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    stored: &NegotiationRow,
) -> Result<bool> {
    let own = stored.process.consumer_signature().cloned();
    let standing = agreement::standing(node, &stored.process, own, Side::Consumer, operation.now)
        .map_err(Error::Verification)?;
    let keep = agreement::keep(&standing)?;
    records::update::<Exchange, ()>(&node.store, Space::Exchange, &exchange.key(), |e| {
        e.stage = Stage::Agreed;
        e.agreement = Some(standing.id.clone());
        Ok(((), keep.clone()))
    })
    .await?;
    node.changed.send_modify(|n| *n += 1);
    Ok(true)
}

async fn ask_for_data(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    agreement: &str,
) -> Result<bool> {
    tell_committed(node, exchange).await?;
    let local = local(node, exchange)?;
    let format = id(crate::peer::TRANSFER_FORMAT)?;
    let mut request =
        TransferRequestMessage::pull(local.pid.clone(), id(agreement)?, format, callback(node)?);
    request.set_query(exchange.ask.query.clone()).map_err(|e| Error::usage(e.to_string()))?;
    let message = TransferMessage::Request(request);
    let opened =
        Transfer::open(local, Role::Consumer, &message, operation.now).map_err(Error::internal)?.record;
    let pid = opened.ends().own_pid().to_string();
    delivery::open(node, exchange, opened, &message, |e| {
        e.transfer = Some(pid.clone());
        e.stage = Stage::Transferring;
    })
    .await?;
    Ok(false)
}

/// Tells the provider the values of the committed fields: before the transfer is asked for, so that they stand in every statement about rows.
async fn tell_committed(node: &Arc<Node>, exchange: &Exchange) -> Result<()> {
    let wish = evidence::wish(node, &exchange.id)?;
    if wish.is_empty() {
        return Ok(());
    }
    let route = node.peers.route(&exchange.peer)?;
    let url = format!("{}/tram/exchanges/{}/committed", route.endpoint, exchange.id);
    let body = serde_json::to_vec(&wish).map_err(Error::internal)?;
    let call = Call::post(url, body).of(&exchange.id, exchange.ask.purpose.as_deref());
    node.outbound.call(node, &route, call).await?.success().map(|_| ())
}

async fn transfer(node: &Arc<Node>, exchange: &Exchange, pid: &str) -> Result<bool> {
    let stored = known::<Transfer>(node, pid)?;
    match stored.process.state() {
        TransferState::Started if exchange.address.is_none() => {
            let address = stored.process.data_address().ok_or_else(|| no_address(exchange))?;
            let endpoint = address.endpoint.as_ref().ok_or_else(|| no_address(exchange))?;
            let token = address.bearer_token().ok_or_else(|| no_address(exchange))?;
            let address = DataAddress { endpoint: endpoint.as_str().to_owned(), token: token.to_owned() };
            change(node, &exchange.key(), |e| e.address = Some(address.clone())).await?;
            return Ok(true);
        }
        TransferState::Started => receive::ensure(node, exchange),
        // The key is owed for an acknowledgement, whatever became of the transfer.
        TransferState::Terminated if exchange.receipt_first && exchange.ack.is_some() => {
            receive::ensure(node, exchange);
        }
        TransferState::Terminated => return ended(node, exchange, stored.process.cause()).await,
        _ => {}
    }
    Ok(false)
}

fn no_address(exchange: &Exchange) -> Error {
    Error::Peer(format!("{} started the transfer without a data address and token", exchange.peer))
}

/// A transfer request under a standing agreement that the provider no longer knows (it was set up anew, or put back
/// from a backup): the agreement is forgotten here, too, and the exchange negotiates afresh.
pub async fn forget_agreement(node: &Node, row: &crate::outbox::Row) -> Result<bool> {
    let key = row.exchange.as_bytes();
    let Some((exchange, _)) = records::get::<Exchange>(&node.store, Space::Exchange, key)? else {
        return Ok(false);
    };
    let reused = exchange.side == Side::Consumer && exchange.negotiation.is_none() && row.kind == FIRST;
    let (true, Some(agreement)) = (reused, exchange.agreement) else { return Ok(false) };
    tracing::info!(agreement, "the provider does not know this agreement any more; negotiating anew");
    records::update::<Exchange, ()>(&node.store, Space::Exchange, key, |e| {
        e.agreement = None;
        e.transfer = None;
        e.stage = Stage::Negotiating;
        Ok(((), Tx::new().delete(Space::Agreement, agreement.clone().into_bytes())))
    })
    .await?;
    node.changed.send_modify(|n| *n += 1);
    Ok(true)
}

/// The same for an exchange whose acknowledgement came too late: the provider had ended it, and took none.
pub async fn ended_before_ack(node: &Arc<Node>, exchange: &Exchange) -> Result<()> {
    let pid = exchange.transfer.as_deref().unwrap_or_default();
    ended(node, exchange, known::<Transfer>(node, pid)?.process.cause()).await.map(|_| ())
}

/// The provider ended it. A refusal is evidence: its statement goes into this ledger, too, and the receipts are kept.
async fn ended(node: &Arc<Node>, exchange: &Exchange, cause: Option<&Cause>) -> Result<bool> {
    let key = exchange.key();
    let Some(refusal) = cause.and_then(|c| c.refusals().into_iter().next()) else {
        let ended = cause.and_then(|c| c.code.as_deref()) == Some(super::provider::CONTRACT_ENDED);
        if let (true, Some(agreement)) = (ended, &exchange.agreement) {
            // Nothing comes of this agreement any more; the next exchange makes another one.
            let tx = Tx::new().delete(Space::Agreement, agreement.clone().into_bytes());
            node.store.commit(tx).await.map_err(Error::from)?;
        }
        fail(node, &key, &cause_text(cause)).await?;
        return Ok(false);
    };
    let info = RefusalInfo {
        code: refusal.code().to_owned(),
        legal_basis: refusal.legal_basis().to_owned(),
        text_vi: refusal.text_vi().to_owned(),
        text_en: refusal.text_en().to_owned(),
    };
    change(node, &key, |e| e.refusal = Some(info.clone())).await?;
    let route = node.peers.route(&exchange.peer)?;
    let response = statement::refusal_digest(&info)?;
    match receive::take_statement(node, &route, exchange, &response).await {
        Ok(_) => receive::swap_receipts(node, &route, &key).await?,
        Err(error @ (Error::Unreachable(_) | Error::Unavailable(_))) => return Err(error),
        // Ended after the statement of the rows was written: that one stands, and there is none of the refusal.
        Err(error) => tracing::warn!(exchange = exchange.id, %error, "no statement of this refusal"),
    }
    change(node, &key, |e| {
        e.stage = Stage::Refused;
        e.failure = None;
    })
    .await?;
    Ok(false)
}

fn cause_text(cause: Option<&Cause>) -> String {
    let Some(cause) = cause else { return "the provider ended it without a reason".to_owned() };
    let reasons: Vec<String> =
        cause.reason.iter().map(|r| r.as_str().map_or_else(|| r.to_string(), str::to_owned)).collect();
    format!("the provider ended it: {} {}", cause.code.as_deref().unwrap_or("-"), reasons.join("; "))
}
