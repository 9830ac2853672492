//! Transfers with connectors: the consumer pulls over HTTP, under an agreement that stands.
//!
//! As provider: the rules are asked again when the transfer is asked for and at each request for rows ([`served`]); the data
//! address carries a token of which only the hash is kept.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Role;
use exchange::dsp::{
    Address, Cause, DataAddress, Extra, Id, Pids, TransferCompletionMessage, TransferMessage,
    TransferRequestMessage, TransferStartMessage,
};
use exchange::ends::{Local, Parties};
use exchange::transfer::{State, Transfer};
use sha2::{Digest as _, Sha256};
use store::{Space, Tx};
use subtle::ConstantTimeEq;

use super::{Driven, Row, Standing, delivery, errand, find, key, negotiations, nudge, standing};
use crate::dsp::{self, Connector, FORMAT, offers};
use crate::error::{Error, Result};
use crate::files;
use crate::flow::protocol::Protocol;
use crate::limits;
use crate::node::Node;
use crate::operation::{Actor, Operation};
use crate::records;

/// The kind of a data address over HTTP, as the field names it.
const ENDPOINT_TYPE: &str = "https://w3id.org/idsa/v4.1/HTTP";

impl Driven for Transfer {
    const DRAWER: &'static str = "t/";

    async fn next(node: &Arc<Node>, row: &Row<Self>) -> Result<Option<TransferMessage>> {
        let Some(pids) = row.process.ends().pids() else { return Ok(None) };
        #[cfg(feature = "tck")]
        if let Some(step) = dsp::script::transfer(row) {
            return step.message(node, row, pids).await;
        }
        match (row.process.ends().role(), row.process.state()) {
            (Role::Provider, State::Requested) => decide(node, row, pids).await.map(Some),
            (Role::Consumer, State::Started) => closed(node, row, pids),
            _ => Ok(None),
        }
    }

    async fn reached(node: &Arc<Node>, row: &Row<Self>) -> Result<()> {
        errand::transferred(node, row).await
    }

    fn pause(row: &Row<Self>) -> Option<Duration> {
        #[cfg(feature = "tck")]
        return dsp::script::pause(row.process.agreement_id().as_str());
        #[cfg(not(feature = "tck"))]
        {
            let _ = row;
            None
        }
    }

    fn give_up(&self, why: &str, now: i64) -> Option<Self> {
        Transfer::give_up(self, Cause::plain("UNDELIVERABLE", why), now).ok()
    }
}

/// That everything was transferred.
pub fn completion(pids: Pids) -> TransferMessage {
    TransferMessage::Completion(TransferCompletionMessage { pids, extra: Extra::none() })
}

/// What the provider is told once the rows are here, or will not come.
fn closed(node: &Node, row: &Row<Transfer>, pids: Pids) -> Result<Option<TransferMessage>> {
    let Some(id) = row.errand.as_deref() else { return Ok(None) };
    Ok(errand::is_done(node, id)?.map(|received| match received {
        true => completion(pids),
        false => Transfer::termination(pids, Cause::plain("NOT-RECEIVED", "the rows could not be pulled")),
    }))
}

async fn decide(node: &Node, row: &Row<Transfer>, pids: Pids) -> Result<TransferMessage> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    let end = |cause| Transfer::termination(pids.clone(), cause);
    match allowed(node, &operation, row)? {
        Ok(_) => start(node, row, pids).await,
        Err(cause) => Ok(end(cause)),
    }
}

/// The agreement of a transfer, if it stands and the rules still permit something of its dataset.
fn allowed(
    node: &Node,
    operation: &Operation,
    row: &Row<Transfer>,
) -> Result<std::result::Result<Served, Cause>> {
    let id = row.process.agreement_id();
    let Some(connector) = dsp::find(node, &row.party)? else {
        return Ok(Err(Cause::plain("CONNECTOR", "you are not registered here any more")));
    };
    let Some(standing) = stands(node, operation.now, &row.party, id.as_str())? else {
        return Ok(Err(Cause::plain("AGREEMENT", &format!("no agreement `{id}` with you stands here"))));
    };
    let Some(name) = offers::name_of(node, standing.agreement.target.as_str()) else {
        return Ok(Err(Cause::plain("AGREEMENT", "the agreement is about no dataset of this node")));
    };
    match offers::permit(node, operation, &connector, name)? {
        Ok(permit) => Ok(Ok(Served {
            dataset: name.to_owned(),
            action: permit.action(),
            query: row.process.query().cloned(),
            connector,
        })),
        Err(refusal) => Ok(Err(negotiations::refused(&refusal)?)),
    }
}

fn stands(node: &Node, now: i64, party: &str, id: &str) -> Result<Option<Standing>> {
    Ok(standing::find(node, Role::Provider, party, id)?.filter(|standing| now < standing.until))
}

/// Opens the data: a new token, of which the hash is kept before the other side learns it.
pub async fn start(node: &Node, row: &Row<Transfer>, pids: Pids) -> Result<TransferMessage> {
    let token = URL_SAFE_NO_PAD.encode(crate::operation::random::<32>()?);
    let pid = row.process.ends().own_pid().as_str();
    let hash = files::hex(&Sha256::digest(token.as_bytes()));
    records::update::<Row<Transfer>, ()>(&node.store, Space::Connector, &key::<Transfer>(pid), |row| {
        row.token = Some(hash.clone());
        Ok(((), Tx::new()))
    })
    .await?;
    let base = Address::new(crate::public::endpoint(node)?).map_err(Error::internal)?;
    let endpoint = Address::new(base.join(&["dsp", "data", pid])).map_err(Error::internal)?;
    let kind = Id::new(ENDPOINT_TYPE).map_err(Error::internal)?;
    let address = DataAddress::bearer(kind, endpoint, &token).and_then(DataAddress::for_eclipse);
    let address = address.map_err(Error::internal)?;
    Ok(TransferMessage::Start(TransferStartMessage {
        pids,
        data_address: Some(address),
        extra: Extra::none(),
    }))
}

/// A consumer asks for a transfer here; the error within is the reason why it cannot.
pub async fn open(
    node: &Arc<Node>,
    connector: &Connector,
    request: &TransferRequestMessage,
) -> Result<std::result::Result<Row<Transfer>, String>> {
    let message = TransferMessage::Request(request.clone());
    let dedup = dsp::dedup("t", &connector.party, &request.consumer_pid);
    let _turn = node.locks.lock(&dedup).await;
    let now = node.clock.now();
    if let Some((pid, _)) = records::get::<String>(&node.store, Space::Connector, &dedup)? {
        let row = find::<Transfer>(node, &pid)?.ok_or_else(|| Error::internal("a transfer is missing"))?;
        return Ok(row.process.receive(&message, now).map(|_| row).map_err(|e| e.to_string()));
    }
    if request.format.as_str() != FORMAT {
        return Ok(Err(format!("the format `{}` is not spoken here; ask for `{FORMAT}`", request.format)));
    }
    if stands(node, now, &connector.party, request.agreement_id.as_str())?.is_none() {
        return Ok(Err(format!("no agreement `{}` with you stands here", request.agreement_id)));
    }
    if !node.connectors.has_room(&connector.party) {
        return Err(Error::Unavailable(crate::flow::NO_ROOM.to_owned()));
    }
    let parties =
        Parties { provider: offers::id(&node.config.node.id)?, consumer: connector.participant.clone() };
    let local = Local { role: Role::Provider, parties, pid: dsp::new_pid()? };
    let step = match Transfer::open(local, Role::Consumer, &message, now) {
        Ok(step) => step,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let row = Row::new(step.record, &connector.party);
    let pid = row.process.ends().own_pid().to_string();
    let tx = Tx::new()
        .absent(Space::Connector, dedup.clone())
        .put_json(Space::Connector, dedup, &pid)
        .and_then(|tx| tx.put_json(Space::Connector, key::<Transfer>(&pid), &row))
        .map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    nudge::<Transfer>(node, &connector.party, &pid);
    Ok(Ok(row))
}

/// Asks for a transfer as consumer; gives this node's pid.
pub async fn request(
    node: &Arc<Node>,
    connector: &Connector,
    agreement: Id,
    format: Id,
    errand: Option<String>,
) -> Result<String> {
    request_with(node, connector, agreement, format, errand, |_| Ok(Tx::new())).await
}

/// The same, with what else is written in the same transaction.
pub(super) async fn request_with(
    node: &Arc<Node>,
    connector: &Connector,
    agreement: Id,
    format: Id,
    errand: Option<String>,
    with: impl FnOnce(&str) -> Result<Tx>,
) -> Result<String> {
    let pid = dsp::new_pid()?;
    let request = TransferRequestMessage::pull(pid.clone(), agreement, format, dsp::base(node)?);
    let message = TransferMessage::Request(request);
    let parties =
        Parties { provider: connector.participant.clone(), consumer: offers::id(&node.config.node.id)? };
    let local = Local { role: Role::Consumer, parties, pid: pid.clone() };
    let step = Transfer::open(local, Role::Consumer, &message, node.clock.now());
    let mut row = Row::new(step.map_err(|e| Error::usage(e.to_string()))?.record, &connector.party);
    row.errand = errand;
    row.pending = Some(delivery::pending(node, &row, &message)?);
    let pid = pid.to_string();
    let tx = Tx::new().put_json(Space::Connector, key::<Transfer>(&pid), &row).map_err(Error::from)?;
    node.store.commit(tx.and(with(&pid)?)).await.map_err(Error::from)?;
    nudge::<Transfer>(node, &connector.party, &pid);
    Ok(pid)
}

/// Whose rows of which dataset a token opens now.
#[derive(Debug)]
pub struct Served {
    /// The connector that asks.
    pub connector: Connector,
    /// Name of the dataset here.
    pub dataset: String,
    /// What the rules permit: the whole, or answers to queries.
    pub action: policy::Action,
    /// Which part was asked for with the transfer; none is the whole.
    pub query: Option<serde_json::Value>,
}

/// What the token of a transfer opens: only while the transfer runs, the agreement stands and the rules permit it.
///
/// # Errors
/// [`Error::Unauthenticated`] with the same words for an unknown transfer, a wrong token and one that has ended.
pub fn served(node: &Node, operation: &Operation, pid: &str, token: &str) -> Result<Served> {
    let nobody = || {
        Error::Unauthenticated(
            "this data address is not open; ask for a transfer under an agreement".to_owned(),
        )
    };
    let row = find::<Transfer>(node, pid)?.ok_or_else(nobody)?;
    let known = row.token.as_deref().ok_or_else(nobody)?;
    let hash = files::hex(&Sha256::digest(token.as_bytes()));
    let same: bool = hash.as_bytes().ct_eq(known.as_bytes()).into();
    // Who has the token has the message that opens the data, even when its acknowledgement is still on the way.
    let opening = row.process.state() == State::Requested && row.pending.is_some();
    let started = opening || row.process.state() == State::Started;
    let open = started && row.process.ends().role() == Role::Provider;
    let fresh = operation.now < row.process.updated().saturating_add(limits::CONNECTOR_DATA_SECONDS);
    if !(same && open && fresh) {
        return Err(nobody());
    }
    match allowed(node, operation, &row)? {
        Ok(served) => Ok(served),
        Err(cause) => {
            let why = cause.code.unwrap_or_default();
            tracing::info!(pid, why, "a data address is not served any more");
            Err(nobody())
        }
    }
}
