//! Errands: this agency wants the rows of a dataset that a connector offers. Offer, agreement, transfer, pull, one after the
//! other, driven by the processes that serve the errand; the rows lie in the node's folder, the ledger has an entry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use exchange::Role;
use exchange::dsp::{self as wire, Cause, Dataset, Id, MessageOffer, RootDataset};
use exchange::negotiation::{Negotiation, State as NegotiationState};
use exchange::transfer::{State as TransferState, Transfer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Space, Tx};

use super::delivery::delay;
use super::{Row, negotiations, rest, transfers};
use crate::dsp::{self, Connector, FORMAT};
use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::outbound::connector as outbound;
use crate::{limits, records};

/// Errands in the drawer of connectors.
const ERRAND: &str = "e/";

/// How far an errand has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The agreement is being negotiated.
    Negotiating,
    /// The transfer was asked for.
    Transferring,
    /// The rows are here.
    Received,
    /// It came to nothing.
    Failed,
}

/// One errand.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errand {
    /// A ULID.
    pub id: String,
    /// The party whose connector has the dataset.
    pub party: String,
    /// The dataset's id there.
    pub dataset: String,
    /// The transfer format.
    pub format: Id,
    /// For which purpose, as this agency states it in its own ledger.
    pub purpose: Option<String>,
    /// On which legal basis.
    pub basis: Option<String>,
    /// How far it has come.
    pub stage: Stage,
    /// Id of the agreement.
    pub agreement: Option<String>,
    /// This node's pid of the transfer.
    pub transfer: Option<String>,
    /// Bytes that came.
    pub bytes: Option<u64>,
    /// SHA-256 of them, hex.
    pub sha256: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it began, Unix seconds.
    pub created: i64,
}

/// What is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    dataset: String,
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    basis: Option<String>,
}

fn key(id: &str) -> Vec<u8> {
    format!("{ERRAND}{id}").into_bytes()
}

/// An errand by its id.
pub fn find(node: &Node, id: &str) -> Result<Errand> {
    let found = records::get::<Errand>(&node.store, Space::Connector, &key(id))?;
    found.map(|(errand, _)| errand).ok_or_else(|| Error::not_found(format!("no errand `{id}` here")))
}

/// All errands, oldest first.
pub fn all(node: &Node) -> Result<Vec<Errand>> {
    let found = records::all::<Errand>(&node.store, Space::Connector, ERRAND.as_bytes())?;
    Ok(found.into_iter().map(|(_, errand)| errand).collect())
}

/// Where the rows of an errand lie.
pub fn file(node: &Node, errand: &Errand) -> PathBuf {
    node.dir.join("received").join(format!("connector-{}", errand.id))
}

/// An errand as people see it.
pub fn view(node: &Node, errand: &Errand) -> Value {
    let file = (errand.stage == Stage::Received).then(|| file(node, errand));
    json!({
        "id": errand.id,
        "party": errand.party,
        "dataset": errand.dataset,
        "stage": errand.stage,
        "agreement": errand.agreement,
        "bytes": errand.bytes,
        "sha256": errand.sha256,
        "failure": errand.failure,
        "file": file,
    })
}

/// Begins one: reads the dataset from the connector's catalog and asks for its first offer, word for word.
pub async fn begin(node: &Arc<Node>, connector: &Connector, wish: Wish) -> Result<Errand> {
    let url = connector.endpoint.join(&["catalog", "datasets", &wish.dataset]);
    let answer = outbound::get(node, connector, &url).await?;
    let RootDataset(dataset) = wire::parse::<RootDataset>(&answer)
        .map_err(|e| Error::Peer(format!("the catalog of `{}` cannot be read: {e}", connector.party)))?;
    let (offer, format) = chosen(&dataset, &wish.dataset)?;
    let errand = Errand {
        id: ulid::Ulid::generate().to_string(),
        party: connector.party.clone(),
        dataset: wish.dataset,
        format,
        purpose: wish.purpose,
        basis: wish.basis,
        stage: Stage::Negotiating,
        agreement: None,
        transfer: None,
        bytes: None,
        sha256: None,
        failure: None,
        created: node.clock.now(),
    };
    let tx = Tx::new().put_json(Space::Connector, key(&errand.id), &errand).map_err(Error::from)?;
    node.store.commit(tx).await.map_err(Error::from)?;
    negotiations::propose(node, connector, offer, Some(errand.id.clone())).await?;
    Ok(errand)
}

/// The first offer that permits something, and the form that this node can pull.
fn chosen(dataset: &Dataset, wanted: &str) -> Result<(MessageOffer, Id)> {
    if dataset.id.as_str() != wanted {
        return Err(Error::Peer(format!("`{wanted}` was asked for and `{}` was answered", dataset.id)));
    }
    let offer = dataset.offers.as_slice().iter().find(|offer| !offer.rules.permission().is_empty());
    let offer = offer
        .ok_or_else(|| Error::conflict(format!("`{wanted}` is shown and not offered to this agency")))?;
    let pulled = dataset.distributions.as_slice().iter().find(|form| form.format.as_str() == FORMAT);
    let form = pulled.ok_or_else(|| {
        Error::conflict(format!("`{wanted}` cannot be pulled: none of its forms is `{FORMAT}`"))
    })?;
    Ok((offer.clone().with_target(dataset.id.clone()), form.format.clone()))
}

async fn change(node: &Node, id: &str, mut edit: impl FnMut(&mut Errand)) -> Result<()> {
    let key = key(id);
    records::update::<Errand, ()>(&node.store, Space::Connector, &key, |errand| {
        edit(errand);
        Ok(((), Tx::new()))
    })
    .await?;
    node.changed.send_modify(|n| *n += 1);
    Ok(())
}

fn ended(cause: Option<&Cause>, failure: Option<&String>) -> String {
    let told = cause.map(|cause| serde_json::to_string(cause).unwrap_or_default());
    failure.cloned().or(told).unwrap_or_else(|| "the other side ended it without a reason".to_owned())
}

async fn fail(node: &Node, id: &str, why: &str) -> Result<()> {
    change(node, id, |errand| {
        if !matches!(errand.stage, Stage::Received | Stage::Failed) {
            errand.stage = Stage::Failed;
            errand.failure = Some(why.to_owned());
        }
    })
    .await
}

/// What a negotiation's state means for its errand.
pub async fn negotiated(node: &Arc<Node>, row: &Row<Negotiation>) -> Result<()> {
    let Some(id) = row.errand.as_deref().filter(|_| row.process.ends().role() == Role::Consumer) else {
        return Ok(());
    };
    match row.process.state() {
        NegotiationState::Terminated => {
            fail(node, id, &ended(row.process.termination(), row.failure.as_ref())).await
        }
        NegotiationState::Finalized => agreed(node, id, row).await,
        _ => Ok(()),
    }
}

async fn agreed(node: &Arc<Node>, id: &str, row: &Row<Negotiation>) -> Result<()> {
    let errand = find(node, id)?;
    let Some(agreement) = row.process.agreement().filter(|_| errand.stage == Stage::Negotiating) else {
        return Ok(());
    };
    let connector = dsp::demand(node, &row.party)?;
    let agreement = agreement.id.clone();
    let next = Errand { stage: Stage::Transferring, agreement: Some(agreement.to_string()), ..errand };
    let with = |pid: &str| {
        let errand = Errand { transfer: Some(pid.to_owned()), ..next.clone() };
        Tx::new().put_json(Space::Connector, key(id), &errand).map_err(Error::from)
    };
    transfers::request_with(node, &connector, agreement, next.format.clone(), Some(id.to_owned()), with)
        .await?;
    node.changed.send_modify(|n| *n += 1);
    Ok(())
}

/// What a transfer's state means for its errand: when the data is open, it is pulled here.
pub async fn transferred(node: &Arc<Node>, row: &Row<Transfer>) -> Result<()> {
    let Some(id) = row.errand.as_deref().filter(|_| row.process.ends().role() == Role::Consumer) else {
        return Ok(());
    };
    let errand = find(node, id)?;
    match row.process.state() {
        TransferState::Started if errand.stage == Stage::Transferring => match pull(node, row, &errand).await
        {
            Ok(()) => Ok(()),
            Err(error) => fail(node, id, &error.to_string()).await,
        },
        TransferState::Terminated => fail(node, id, &ended(row.process.cause(), row.failure.as_ref())).await,
        _ => Ok(()),
    }
}

/// A provider may tell the address before its data plane knows the token: what is refused is asked for again.
async fn patiently(
    node: &Node,
    connector: &Connector,
    url: &str,
    authorization: &str,
    part: &Path,
) -> Result<(u64, [u8; 32])> {
    let mut tries = 0;
    loop {
        tries += 1;
        match outbound::pull(node, connector, url, authorization, part).await {
            Err(error) if tries < limits::CONNECTOR_TRIES_REFUSED_MAX => {
                tracing::info!(tries, %error, "rows of a connector are asked for again");
                if !rest(node, delay(tries)).await {
                    return Err(error);
                }
            }
            done => return done,
        }
    }
}

async fn pull(node: &Node, row: &Row<Transfer>, errand: &Errand) -> Result<()> {
    let connector = dsp::demand(node, &row.party)?;
    let nowhere = || Error::Peer("the data was opened without an address to pull from".to_owned());
    let address = row.process.data_address().ok_or_else(nowhere)?;
    let endpoint = address.place().ok_or_else(nowhere)?;
    let authorization = match (address.bearer_token(), address.property("authorization")) {
        (Some(token), _) => format!("Bearer {token}"),
        (None, Some(value)) => value.to_owned(),
        (None, None) => return Err(nowhere()),
    };
    let (whole, part) = (file(node, errand), file(node, errand).with_extension("part"));
    let (bytes, sha256) = patiently(node, &connector, endpoint, &authorization, &part).await?;
    std::fs::rename(&part, &whole).map_err(|e| Error::io(&whole, e))?;
    let sha256 = files::hex(&sha256);
    change(node, &errand.id, |errand| {
        errand.stage = Stage::Received;
        errand.bytes = Some(bytes);
        errand.sha256 = Some(sha256.clone());
    })
    .await
}

/// Whether the rows of an errand are here, so that the other side can be told.
pub fn is_done(node: &Node, id: &str) -> Result<Option<bool>> {
    match find(node, id)?.stage {
        Stage::Received => Ok(Some(true)),
        Stage::Failed => Ok(Some(false)),
        _ => Ok(None),
    }
}
