//! The provider's side of an exchange.

use std::sync::Arc;

use exchange::dsp::{
    Address, Cause, ContractAgreementMessage, ContractNegotiationEventMessage, DataAddress, Event, Extra, Id,
    NegotiationMessage, TransferMessage, TransferStartMessage,
};
use exchange::negotiation::{Negotiation, State as NegotiationState};
use exchange::transfer::{State as TransferState, Transfer};
use store::Space;

use super::delivery::{send, terminate};
use super::protocol::{Protocol, find, pids};
use super::{NegotiationRow, TransferRow, agreement, change, fail, job, produce, statement, terms};
use crate::approvals;
use crate::error::{Error, RefusalInfo, Result};
use crate::gate::{Asked, Permit};
use crate::node::Node;
use crate::operation::Operation;
use crate::query::QueryDoc;
use crate::records::{self, Exchange, Stage};

/// Code of a transfer that ends because the version of the contract that was agreed on is served no more.
pub const CONTRACT_ENDED: &str = "CONTRACT-ENDED";
/// Kind of our data endpoint in a data address.
const ENDPOINT_TYPE: &str = "urn:tram:ns:http-pull";

/// Does the next thing that this exchange needs from the provider; whether there may be more to do at once.
pub async fn step(node: &Arc<Node>, operation: &Operation, exchange: &Exchange) -> Result<bool> {
    match step_once(node, operation, exchange).await {
        // What trying again does not mend ends the process with its cause, so that nobody waits for ever.
        Err(
            error @ (Error::Usage(_)
            | Error::Conflict(_)
            | Error::NotFound(_)
            | Error::Verification(_)
            | Error::Refused(_)),
        ) => {
            tracing::warn!(exchange = exchange.id, %error, "an exchange cannot go on and is ended");
            end_for(node, exchange, &error).await?;
            Ok(false)
        }
        done => done,
    }
}

async fn end_for(node: &Arc<Node>, exchange: &Exchange, error: &Error) -> Result<()> {
    let cause = Cause::plain("CANNOT-GO-ON", &error.to_string());
    if let Some(pid) = &exchange.transfer {
        return end_process::<Transfer>(node, exchange, pid, cause).await;
    }
    let Some(pid) = &exchange.negotiation else { return Ok(()) };
    end_process::<Negotiation>(node, exchange, pid, cause).await
}

async fn end_process<P: Protocol>(
    node: &Arc<Node>,
    exchange: &Exchange,
    pid: &str,
    cause: Cause,
) -> Result<()> {
    match find::<P>(node, pid)? {
        Some(row) if !row.process.is_over() => terminate(node, exchange, &row.process, cause).await,
        _ => Ok(()),
    }
}

async fn step_once(node: &Arc<Node>, operation: &Operation, exchange: &Exchange) -> Result<bool> {
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
    let Some(row) = find::<Negotiation>(node, pid)? else {
        return Ok(false);
    };
    if row.pending.is_some() {
        return Ok(false);
    }
    match row.process.state() {
        NegotiationState::Requested | NegotiationState::Accepted => {
            decide_negotiation(node, operation, exchange, &row).await?;
        }
        NegotiationState::Verified => finalize(node, operation, exchange, &row).await?,
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
    row: &NegotiationRow,
) -> Result<()> {
    let now = operation.now;
    if let Err(why) = fits_offer(node, exchange, row, now) {
        return terminate(node, exchange, &row.process, Cause::plain("OFFER", &why)).await;
    }
    let proposed = match agreement::thought_of(node, &row.process, &exchange.dataset, now) {
        Ok(proposed) => proposed,
        Err(why) => {
            return terminate(node, exchange, &row.process, Cause::plain("TERMS", &why)).await;
        }
    };
    let asked = Asked {
        subject: &exchange.peer,
        action: policy::Action::Query,
        dataset: &exchange.dataset,
        purpose: proposed.purposes.first().map(String::as_str),
        basis: proposed.basis.as_deref(),
        agreement: Some(&proposed),
        exchange: Some(&exchange.id),
    };
    let asked = useful(node, operation, asked)?;
    if waits(node, operation, exchange, &asked).await? {
        return Ok(());
    }
    let verdict = node.gate.decide(node, operation, exchange, &asked).await?;
    let rules = statement::rules(&verdict.decision);
    match verdict.permit() {
        Ok(permit) => {
            let demanded = permit.demanded();
            let fits = proposed.duties.as_ref().map_or(Ok(()), |duties| terms::same_duties(duties, demanded));
            if let Err(why) = fits {
                return terminate(node, exchange, &row.process, Cause::plain("DUTIES", &why)).await;
            }
            let (agreement, signature) =
                agreement::issue(node, &permit, &row.process, &exchange.dataset, now)?;
            let pids = pids(&row.process)?;
            let message = NegotiationMessage::Agreement(ContractAgreementMessage {
                pids,
                agreement,
                signature: Some(signature),
                extra: Extra::none(),
            });
            send(node, exchange, &row.process, message).await
        }
        Err(refusal) => {
            statement::refuse(node, operation, exchange, rules, &refusal).await?;
            terminate(node, exchange, &row.process, cause(&refusal)?).await
        }
    }
}

/// Whether this waits for people: they are asked, and the exchange is taken up again when they have spoken.
async fn waits(node: &Node, operation: &Operation, exchange: &Exchange, asked: &Asked<'_>) -> Result<bool> {
    let verdict = node.gate.look(node, operation, asked)?;
    if verdict.waits_for().is_empty() {
        return Ok(false);
    }
    approvals::ask(node, operation, exchange, asked, verdict.owed(), verdict.waits_for()).await?;
    Ok(true)
}

/// Terms say nothing of the action, so an agreement is worth making when the rules permit one of them under it: the query,
/// or else the copy. Which one is done then is decided again at the transfer.
fn useful<'a>(node: &Node, operation: &Operation, query: Asked<'a>) -> Result<Asked<'a>> {
    let about = |action: &str| query.agreement.is_none_or(|agreement| agreement.allows(action));
    match (about("query"), about("download")) {
        (true, false) => return Ok(query),
        (false, true) => return Ok(Asked { action: policy::Action::Download, ..query }),
        _ => {}
    }
    let permitted = |asked: &Asked<'_>| {
        let verdict = node.gate.look(node, operation, asked)?;
        Ok::<bool, Error>(!verdict.waits_for().is_empty() || verdict.permit().is_ok())
    };
    let copy = Asked { action: policy::Action::Download, ..query.clone() };
    Ok(if !permitted(&query)? && permitted(&copy)? { copy } else { query })
}

/// The offer must be the one that this node makes now for this dataset; an old one is answered with the new terms.
fn fits_offer(
    node: &Node,
    exchange: &Exchange,
    row: &NegotiationRow,
    now: i64,
) -> std::result::Result<(), String> {
    let offer = row.process.offer();
    let target = format!("{}/{}", node.config.node.id, exchange.dataset);
    if offer.target.as_str() != target {
        return Err(format!(
            "the offer is about `{}`, not about `{target}`; ask the catalog again",
            offer.target
        ));
    }
    let record = crate::datasets::find(node, &exchange.dataset).map_err(|e| e.to_string())?;
    // Who read the catalog just before other rules came into force did nothing wrong: the question is decided by the rules
    // in force now, whichever offer it names, and its duties must be those that they demand.
    let lately = crate::rules::history::lately(node, now).map_err(|e| e.to_string())?;
    let is_of = |rules: &String| {
        record.as_ref().is_some_and(|record| {
            terms::is_current(offer.id.as_str(), &crate::datasets::offer_id_under(node, record, rules))
        })
    };
    if lately.iter().any(is_of) {
        return Ok(());
    }
    Err(format!("the offer `{}` is not in force any more; ask the catalog again", offer.id))
}

async fn finalize(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    row: &NegotiationRow,
) -> Result<()> {
    let standing = match agreement::standing(node, &row.process, None, records::Side::Provider, operation.now)
    {
        Ok(standing) => standing,
        Err(why) => {
            return terminate(node, exchange, &row.process, Cause::plain("SIGNATURE", &why)).await;
        }
    };
    // Kept before the consumer learns that it is in force: what it may rely on must not be lost here.
    node.store.commit(agreement::keep(&standing)?).await.map_err(Error::from)?;
    let message = NegotiationMessage::Event(ContractNegotiationEventMessage {
        pids: pids(&row.process)?,
        event: Event::Finalized,
        extra: Extra::none(),
    });
    send(node, exchange, &row.process, message).await
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
    let Some(row) = find::<Transfer>(node, pid)? else {
        return Ok(false);
    };
    match row.process.state() {
        TransferState::Requested if row.pending.is_none() => {
            decide_transfer(node, operation, exchange, &row).await?;
        }
        // The start is on its way; after a restart the rows must be made again meanwhile.
        TransferState::Requested => produce::ensure(node, exchange),
        TransferState::Started if exchange.interrupted.is_some() && row.pending.is_none() => {
            let cause = match &exchange.failure {
                Some(why) => Cause::plain("COMPUTATION", why),
                None => {
                    Cause::plain("INTERRUPTED", "the transfer was interrupted at the provider; ask again")
                }
            };
            terminate(node, exchange, &row.process, cause).await?;
        }
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
    let verdict = node.gate.decide(node, operation, exchange, &asked(exchange, &standing, &query)).await?;
    Ok(judged(verdict, query))
}

/// The permit under which what was made for an exchange may be read now, however it was asked for.
pub fn readable_now(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
) -> Result<std::result::Result<Permitted, No>> {
    if exchange.direct.is_some() {
        return super::direct::permitted_now(node, operation, exchange);
    }
    let row = super::protocol::known(node, exchange.transfer.as_deref().unwrap_or_default())
        .map_err(|_| Error::conflict("the exchange of these files is not here any more; ask again"))?;
    permitted_now(node, operation, exchange, &row)
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

/// The permit under which rows of this exchange may be served now: what was decided at the start must still be permitted,
/// and the rows must have been made under obligations that are still enough.
pub fn serving(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    row: &TransferRow,
) -> Result<std::result::Result<Permitted, No>> {
    let permitted = permitted_now(node, operation, exchange, row)?;
    Ok(permitted.and_then(|(permit, query)| {
        if produce::still_fits(exchange, &permit) {
            return Ok((permit, query));
        }
        let (sha256, version) = permit.rule_set();
        Err(No::Refusal(Box::new(rules_changed()), ledger::statement::RuleSet { sha256, version }))
    }))
}

/// The refusal of one request too many.
pub(crate) fn too_often(per_minute: u32) -> RefusalInfo {
    RefusalInfo {
        code: "RATE".to_owned(),
        legal_basis: "nghĩa vụ của quy tắc chia sẻ: số yêu cầu mỗi phút / obligation of the sharing rule: requests a minute".to_owned(),
        text_vi: format!("Quá {per_minute} yêu cầu trong một phút; hãy thử lại sau một phút."),
        text_en: format!("More than {per_minute} requests within a minute; try again in a minute."),
    }
}

/// The refusal of rows that were made under looser rules than those of now.
pub(crate) fn rules_changed() -> RefusalInfo {
    RefusalInfo {
        code: "RULES-CHANGED".to_owned(),
        legal_basis: "Nghị định 194/2025/NĐ-CP, Điều 16 khoản 2 / Decree 194/2025/ND-CP, Art. 16(2)"
            .to_owned(),
        text_vi: "Quy tắc đã chặt hơn trong khi đang truyền; hãy yêu cầu lại để nhận phần được phép."
            .to_owned(),
        text_en: "The rules became stricter during the transfer; ask again to get what is allowed now."
            .to_owned(),
    }
}

/// Asks the gate again about a running transfer and ends it when it is permitted no more: a revoked right or a stricter
/// rule is felt here at the latest. The refusal is an outcome of its own unless the statement was written before.
pub async fn ask_again(node: &Arc<Node>, exchange: &Exchange) -> Result<()> {
    let Some(pid) = &exchange.transfer else { return Ok(()) };
    let Some(row) = find::<Transfer>(node, pid)? else {
        return Ok(());
    };
    let runs = exchange.side == records::Side::Provider && row.process.state() == TransferState::Started;
    if !runs || row.pending.is_some() {
        return Ok(());
    }
    // Sealed rows that were acknowledged are the consumer's: ending the transfer now would only keep the key from it.
    let exchange = &super::receive::current(node, &exchange.key())?;
    if exchange.receipt_first && exchange.ack.is_some() {
        return Ok(());
    }
    let operation = Operation::begin(crate::operation::Actor::Node, &node.clock);
    let cause = match serving(node, &operation, exchange, &row)? {
        Ok(_) => return Ok(()),
        Err(No::Refusal(refusal, rules)) => {
            match statement::refuse(node, &operation, exchange, rules, &refusal).await {
                Ok(()) | Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
            cause(&refusal)?
        }
        Err(No::Request(code, why)) => {
            statement::interrupt(node, &operation, exchange, "permission-withdrawn").await?;
            Cause::plain(code, &why)
        }
    };
    tracing::info!(exchange = exchange.id, "a running transfer is permitted no more");
    terminate(node, exchange, &row.process, cause).await
}

/// The same in the background, when a data request was refused: the consumer learns why without waiting for the monitor.
pub fn end_soon(node: &Arc<Node>, exchange: &Exchange) {
    let (node, exchange) = (node.clone(), exchange.clone());
    tokio::spawn(async move {
        let _turn = node.locks.lock(&exchange.key()).await;
        if let Err(error) = ask_again(&node, &exchange).await {
            tracing::warn!(exchange = exchange.id, %error, "a refused transfer could not be ended yet");
        }
    });
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
    if let Err(Error::Conflict(why)) =
        crate::versions::contracts::served(node, &standing.dataset, Some(&standing))
    {
        return Ok(Err(No::Request(CONTRACT_ENDED, why)));
    }
    let query = match QueryDoc::from_wire(row.process.query()) {
        Ok(query) => query,
        Err(why) => return Ok(Err(No::Request("QUERY", why))),
    };
    if !standing.allows(&query.action) {
        let deed = standing.deed.as_deref().unwrap_or_default();
        let why =
            format!("the agreement `{id}` is about `{deed}` alone; negotiate one for `{}`", query.action);
        return Ok(Err(No::Request("AGREEMENT", why)));
    }
    Ok(Ok((standing, query)))
}

fn asked<'a>(exchange: &'a Exchange, standing: &'a agreement::Standing, query: &QueryDoc) -> Asked<'a> {
    Asked {
        subject: &exchange.peer,
        action: if query.action == "download" { policy::Action::Download } else { policy::Action::Query },
        dataset: &standing.dataset,
        purpose: standing.purposes.first().map(String::as_str),
        basis: standing.basis.as_deref(),
        agreement: Some(standing),
        exchange: Some(&exchange.id),
    }
}

pub(super) fn judged(verdict: crate::gate::Verdict, query: QueryDoc) -> std::result::Result<Permitted, No> {
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
    row: &TransferRow,
) -> Result<()> {
    if let Ok((standing, query)) = under_agreement(node, exchange, row)?
        && waits(node, operation, exchange, &asked(exchange, &standing, &query)).await?
    {
        return Ok(());
    }
    match permitted(node, operation, exchange, row).await? {
        Ok((permit, query)) => {
            let rate = permit.obligations().rate_per_min;
            let often = rate.is_some_and(|n| {
                !node.rates.allow(&exchange.peer, &exchange.dataset, n.get(), operation.now)
            });
            if often {
                let (sha256, version) = permit.rule_set();
                let refusal = too_often(rate.map_or(0, std::num::NonZeroU32::get));
                let rules = ledger::statement::RuleSet { sha256, version };
                statement::refuse(node, operation, exchange, rules, &refusal).await?;
                return terminate(node, exchange, &row.process, cause(&refusal)?).await;
            }
            // A query that cannot be answered is told before anything is begun.
            if let Err(Error::Usage(why) | Error::Conflict(why)) =
                job::check(node, operation, exchange, &permit, &query)
            {
                return terminate(node, exchange, &row.process, Cause::plain("QUERY", &why)).await;
            }
            let receipt_first = crate::datasets::demand(node, &exchange.dataset)?.record.receipt_first;
            statement::intend(node, operation, exchange, &permit).await?;
            super::notice::tell(node, operation, exchange, &permit)?;
            let obligations = serde_json::to_value(permit.obligations()).map_err(Error::internal)?;
            change(node, &exchange.key(), |e| {
                e.stage = Stage::Transferring;
                e.obligations = obligations.clone();
                e.receipt_first = receipt_first;
            })
            .await?;
            if let Some((begun, _)) = records::get::<Exchange>(&node.store, Space::Exchange, &exchange.key())?
            {
                produce::ensure(node, &begun);
            }
            let message = TransferMessage::Start(TransferStartMessage {
                pids: pids(&row.process)?,
                data_address: Some(data_address(node, exchange, operation.now)?),
                extra: Extra::none(),
            });
            send(node, exchange, &row.process, message).await
        }
        Err(No::Refusal(refusal, rules)) => {
            statement::refuse(node, operation, exchange, rules, &refusal).await?;
            terminate(node, exchange, &row.process, cause(&refusal)?).await
        }
        Err(No::Request(code, why)) => {
            terminate(node, exchange, &row.process, Cause::plain(code, &why)).await
        }
    }
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
