//! The provider's side of an exchange.

use std::sync::Arc;

use exchange::dsp::{
    Address, Cause, ContractAgreementMessage, ContractNegotiationEventMessage,
    ContractNegotiationTerminationMessage, DataAddress, Event, Extra, Id, NegotiationMessage,
    TransferMessage, TransferStartMessage, TransferTerminationMessage,
};
use exchange::negotiation::State as NegotiationState;
use exchange::transfer::State as TransferState;
use store::Space;

use super::{NegotiationRow, TransferRow, agreement, change, fail, produce, send, statement};
use crate::error::{Error, RefusalInfo, Result};
use crate::gate::{Asked, Permit};
use crate::node::Node;
use crate::operation::Operation;
use crate::query::QueryDoc;
use crate::records::{self, Exchange, Stage};

/// Kind of our data endpoint in a data address.
const ENDPOINT_TYPE: &str = "urn:tram:ns:http-pull";

/// Does the next thing that this exchange needs from the provider; whether there may be more to do at once.
pub async fn step(node: &Arc<Node>, operation: &Operation, exchange: &Exchange) -> Result<bool> {
    if let Some(pid) = &exchange.transfer {
        return transfer(node, operation, exchange, pid).await;
    }
    match &exchange.negotiation {
        Some(pid) => negotiation(node, operation, exchange, pid).await,
        None => Ok(false),
    }
}

async fn negotiation(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    pid: &str,
) -> Result<bool> {
    let Some((row, _)) = records::get::<NegotiationRow>(&node.store, Space::Negotiation, pid.as_bytes())?
    else {
        return Ok(false);
    };
    if row.pending.is_some() {
        return Ok(false);
    }
    match row.process.state() {
        NegotiationState::Requested | NegotiationState::Accepted => {
            decide_negotiation(node, operation, exchange, pid, &row).await?;
        }
        NegotiationState::Verified => finalize(node, operation, exchange, pid, &row).await?,
        NegotiationState::Finalized if exchange.stage == Stage::Negotiating => {
            let id = row.process.agreement().map(|a| a.id.to_string());
            change(node, &exchange.key(), |e| {
                e.stage = Stage::Agreed;
                e.agreement = id.clone();
            })
            .await?;
        }
        NegotiationState::Terminated => ended(node, operation, exchange, row.process.termination()).await?,
        _ => {}
    }
    Ok(false)
}

async fn decide_negotiation(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    pid: &str,
    row: &NegotiationRow,
) -> Result<()> {
    let now = operation.now;
    if let Err(why) = fits_offer(node, exchange, row) {
        return terminate_negotiation(node, exchange, pid, row, Cause::plain("OFFER", &why)).await;
    }
    let proposed = match agreement::thought_of(node, &row.process, &exchange.dataset, now) {
        Ok(proposed) => proposed,
        Err(why) => {
            return terminate_negotiation(node, exchange, pid, row, Cause::plain("TERMS", &why)).await;
        }
    };
    let asked = Asked {
        subject: &exchange.peer,
        action: policy::Action::Query,
        dataset: &exchange.dataset,
        purpose: proposed.purposes.first().map(String::as_str),
        basis: proposed.basis.as_deref(),
        agreement: Some(&proposed),
    };
    let asked = useful(node, operation, asked)?;
    let verdict = node.gate.decide(node, operation, &asked).await?;
    let rules = statement::rules(&verdict.decision);
    match verdict.permit() {
        Ok(_permit) => {
            let (agreement, signature) = agreement::issue(node, &row.process, now)?;
            let pids = pids(&row.process.pids())?;
            let message = NegotiationMessage::Agreement(ContractAgreementMessage {
                pids,
                agreement,
                signature: Some(signature),
                extra: Extra::none(),
            });
            let url = negotiation_url(row, &["agreement"])?;
            send(node, exchange, pid, message, url).await
        }
        Err(refusal) => {
            statement::refuse(node, operation, exchange, rules, &refusal).await?;
            terminate_negotiation(node, exchange, pid, row, cause(&refusal)?).await
        }
    }
}

/// Terms say nothing of the action, so an agreement is worth making when the rules permit one of them under it: the query,
/// or else the copy. Which one is done then is decided again at the transfer.
fn useful<'a>(node: &Node, operation: &Operation, query: Asked<'a>) -> Result<Asked<'a>> {
    let permitted =
        |asked: &Asked<'_>| node.gate.look(node, operation, asked).map(|verdict| verdict.permit().is_ok());
    let copy = Asked { action: policy::Action::Download, ..query.clone() };
    Ok(if !permitted(&query)? && permitted(&copy)? { copy } else { query })
}

/// The offer must be the one that this node makes now for this dataset; an old one is answered with the new terms.
fn fits_offer(node: &Node, exchange: &Exchange, row: &NegotiationRow) -> std::result::Result<(), String> {
    let offer = row.process.offer();
    let target = format!("{}/{}", node.config.node.id, exchange.dataset);
    if offer.target.as_str() != target {
        return Err(format!(
            "the offer is about `{}`, not about `{target}`; ask the catalog again",
            offer.target
        ));
    }
    let record = crate::datasets::find(node, &exchange.dataset).map_err(|e| e.to_string())?;
    let current = record.map(|r| crate::datasets::offer_id(node, &r));
    if current.as_deref() == Some(offer.id.as_str()) {
        return Ok(());
    }
    Err(format!("the offer `{}` is not in force any more; ask the catalog again", offer.id))
}

async fn terminate_negotiation(
    node: &Arc<Node>,
    exchange: &Exchange,
    pid: &str,
    row: &NegotiationRow,
    cause: Cause,
) -> Result<()> {
    let message = NegotiationMessage::Termination(ContractNegotiationTerminationMessage {
        pids: pids(&row.process.pids())?,
        cause,
        extra: Extra::none(),
    });
    send(node, exchange, pid, message, negotiation_url(row, &["termination"])?).await
}

async fn finalize(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    pid: &str,
    row: &NegotiationRow,
) -> Result<()> {
    let standing = match agreement::standing(node, &row.process, None, records::Side::Provider, operation.now)
    {
        Ok(standing) => standing,
        Err(why) => {
            return terminate_negotiation(node, exchange, pid, row, Cause::plain("SIGNATURE", &why)).await;
        }
    };
    // Kept before the consumer learns that it is in force: what it may rely on must not be lost here.
    node.store.commit(agreement::keep(&standing)?).await.map_err(Error::from)?;
    let message = NegotiationMessage::Event(ContractNegotiationEventMessage {
        pids: pids(&row.process.pids())?,
        event: Event::Finalized,
        extra: Extra::none(),
    });
    send(node, exchange, pid, message, negotiation_url(row, &["events"])?).await
}

async fn ended(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    cause: Option<&Cause>,
) -> Result<()> {
    let key = exchange.key();
    // An intent whose transfer was ended before its outcome is closed here, whoever ended it.
    if exchange.statement.is_none() {
        statement::interrupt(node, operation, exchange, "terminated").await?;
    }
    if exchange.refusal.is_some() {
        return change(node, &key, |e| e.stage = Stage::Refused).await;
    }
    let code = cause.and_then(|c| c.code.clone()).unwrap_or_else(|| "no code".to_owned());
    fail(node, &key, &format!("terminated ({code})")).await
}

async fn transfer(node: &Arc<Node>, operation: &Operation, exchange: &Exchange, pid: &str) -> Result<bool> {
    let Some((row, _)) = records::get::<TransferRow>(&node.store, Space::Transfer, pid.as_bytes())? else {
        return Ok(false);
    };
    match row.process.state() {
        TransferState::Requested if row.pending.is_none() => {
            decide_transfer(node, operation, exchange, pid, &row).await?;
        }
        // The start is on its way; after a restart the rows must be made again meanwhile.
        TransferState::Requested => produce::ensure(node, exchange),
        TransferState::Started => produce::ensure(node, exchange),
        TransferState::Completed if exchange.ack.is_some() => {
            change(node, &exchange.key(), |e| e.stage = Stage::Completed).await?;
        }
        TransferState::Terminated => ended(node, operation, exchange, row.process.cause()).await?,
        TransferState::Completed | TransferState::Suspended => {}
    }
    Ok(false)
}

/// Why a transfer cannot be started: by the rules, or because the request itself does not fit.
pub enum No {
    /// The rules say no.
    Refusal(Box<RefusalInfo>, ledger::statement::RuleSet),
    /// The request does not fit the agreement or is malformed.
    Request(&'static str, String),
}

/// A transfer that is permitted now: the permit, what the consumer asked, and under which agreement.
pub type Permitted = (Permit, QueryDoc);

/// Asks the gate whether this transfer may go on now, under its agreement, and keeps the decision.
pub async fn permitted(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    row: &TransferRow,
) -> Result<std::result::Result<Permitted, No>> {
    let (standing, query) = match under_agreement(node, exchange, row)? {
        Ok(found) => found,
        Err(no) => return Ok(Err(no)),
    };
    let verdict = node.gate.decide(node, operation, &asked(exchange, &standing, &query)).await?;
    Ok(judged(verdict, query))
}

/// The same for a data request or the monitor: asked each time, kept only the first time.
pub fn permitted_now(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    row: &TransferRow,
) -> Result<std::result::Result<Permitted, No>> {
    let (standing, query) = match under_agreement(node, exchange, row)? {
        Ok(found) => found,
        Err(no) => return Ok(Err(no)),
    };
    let verdict = node.gate.look(node, operation, &asked(exchange, &standing, &query))?;
    Ok(judged(verdict, query))
}

type Found = (agreement::Standing, QueryDoc);

fn under_agreement(
    node: &Node,
    exchange: &Exchange,
    row: &TransferRow,
) -> Result<std::result::Result<Found, No>> {
    let id = row.process.agreement_id().as_str();
    let standing = match agreement::find(node, id)? {
        Some(s) if s.consumer == exchange.peer && s.side == records::Side::Provider => s,
        _ => return Ok(Err(No::Request("AGREEMENT", format!("no agreement `{id}` with this consumer")))),
    };
    Ok(QueryDoc::from_wire(row.process.query())
        .map(|query| (standing, query))
        .map_err(|why| No::Request("QUERY", why)))
}

fn asked<'a>(exchange: &'a Exchange, standing: &'a agreement::Standing, query: &QueryDoc) -> Asked<'a> {
    Asked {
        subject: &exchange.peer,
        action: if query.action == "download" { policy::Action::Download } else { policy::Action::Query },
        dataset: &standing.dataset,
        purpose: standing.purposes.first().map(String::as_str),
        basis: standing.basis.as_deref(),
        agreement: Some(standing),
    }
}

fn judged(verdict: crate::gate::Verdict, query: QueryDoc) -> std::result::Result<Permitted, No> {
    let rules = statement::rules(&verdict.decision);
    match verdict.permit() {
        Ok(permit) => Ok((permit, query)),
        Err(refusal) => Err(No::Refusal(Box::new(refusal), rules)),
    }
}

async fn decide_transfer(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    pid: &str,
    row: &TransferRow,
) -> Result<()> {
    match permitted(node, operation, exchange, row).await? {
        Ok((permit, query)) => {
            // A query that cannot be answered is told before anything is begun.
            if let Err(Error::Usage(why) | Error::Conflict(why)) =
                produce::check(node, exchange, &permit, &query)
            {
                return terminate_transfer(node, exchange, pid, row, Cause::plain("QUERY", &why)).await;
            }
            statement::intend(node, operation, exchange, &permit).await?;
            let obligations = serde_json::to_value(permit.obligations()).map_err(Error::internal)?;
            change(node, &exchange.key(), |e| {
                e.stage = Stage::Transferring;
                e.obligations = obligations.clone();
            })
            .await?;
            if let Some((begun, _)) = records::get::<Exchange>(&node.store, Space::Exchange, &exchange.key())?
            {
                produce::ensure(node, &begun);
            }
            let message = TransferMessage::Start(TransferStartMessage {
                pids: pids(&row.process.pids())?,
                data_address: Some(data_address(node, exchange, operation.now)?),
                extra: Extra::none(),
            });
            send(node, exchange, pid, message, transfer_url(row, &["start"])?).await
        }
        Err(No::Refusal(refusal, rules)) => {
            statement::refuse(node, operation, exchange, rules, &refusal).await?;
            terminate_transfer(node, exchange, pid, row, cause(&refusal)?).await
        }
        Err(No::Request(code, why)) => {
            terminate_transfer(node, exchange, pid, row, Cause::plain(code, &why)).await
        }
    }
}

/// Ends a running transfer for a cause that the consumer is told.
pub async fn terminate_transfer(
    node: &Arc<Node>,
    exchange: &Exchange,
    pid: &str,
    row: &TransferRow,
    cause: Cause,
) -> Result<()> {
    let message = TransferMessage::Termination(TransferTerminationMessage {
        pids: pids(&row.process.pids())?,
        cause,
        extra: Extra::none(),
    });
    send(node, exchange, pid, message, transfer_url(row, &["termination"])?).await
}

/// Where the consumer pulls, with a token bound to its certificate.
fn data_address(node: &Node, exchange: &Exchange, now: i64) -> Result<DataAddress> {
    let certificate = exchange.certificate.as_deref().and_then(crate::files::unhex::<32>);
    let certificate =
        certificate.ok_or_else(|| Error::internal("the consumer's certificate is not known"))?;
    let token = crate::peer::data::mint(node, exchange, &certificate, now)?;
    let endpoint = Address::new(data_url(node, exchange)).map_err(Error::internal)?;
    let kind = Id::new(ENDPOINT_TYPE).map_err(Error::internal)?;
    DataAddress::bearer(kind, endpoint, &token).map_err(Error::internal)
}

/// Base URL of an exchange's data at this node.
pub fn data_url(node: &Node, exchange: &Exchange) -> String {
    format!("{}/tram/data/{}", node.config.peer.endpoint, exchange.id)
}

/// A refusal as a cause of termination.
pub fn cause(refusal: &RefusalInfo) -> Result<Cause> {
    let told =
        exchange::Refusal::new(&refusal.code, &refusal.legal_basis, &refusal.text_vi, &refusal.text_en);
    Ok(Cause::refusal(&told.map_err(Error::internal)?))
}

fn pids(known: &Option<exchange::dsp::Pids>) -> Result<exchange::dsp::Pids> {
    known.clone().ok_or_else(|| Error::internal("the consumer's pid is not known"))
}

fn negotiation_url(row: &NegotiationRow, tail: &[&str]) -> Result<String> {
    let address = row.process.callback_address().ok_or_else(|| Error::internal("no callback address"))?;
    let pid =
        row.process.pid_of(exchange::Role::Consumer).ok_or_else(|| Error::internal("no consumer pid"))?;
    Ok(address.join(&[&["negotiations", pid.as_str()], tail].concat()))
}

fn transfer_url(row: &TransferRow, tail: &[&str]) -> Result<String> {
    let pid =
        row.process.pid_of(exchange::Role::Consumer).ok_or_else(|| Error::internal("no consumer pid"))?;
    Ok(row.process.callback_address().join(&[&["transfers", pid.as_str()], tail].concat()))
}
