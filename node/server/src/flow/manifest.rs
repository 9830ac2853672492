//! The manifest at the provider: what was made, of what, under which decision, signed; one file in the folder of the spool.
//!
//! **Promises.** Once a statement commits to a manifest it is not written anew with other words: rows that are made again get
//! the manifest from before, or none ([`again`]).

use std::path::PathBuf;

use dataplane::{OutputFormat, SpoolSummary};
use ed25519_dalek::Signer as _;
use exchange::dsp::Id;
use exchange::manifest::{
    Chunk, Column, CopyRef, DatasetRef, DecisionRef, Draft, RuleSetRef, Sealed, Superseded,
};
use exchange::{DetachedSignature, Digest, Manifest, SignedManifest};

use super::produce::folder;
use crate::error::{Error, Result};
use crate::gate::Permit;
use crate::node::Node;
use crate::operation::Operation;
use crate::records::Exchange;
use crate::{datasets, files};

/// Where it lies.
pub(super) fn path(node: &Node, exchange: &Exchange) -> PathBuf {
    folder(node, exchange).join("manifest.json")
}

/// The manifest of an exchange that this node provides, while its spool is kept.
pub fn kept(node: &Node, exchange: &Exchange) -> Option<Manifest> {
    let bytes = std::fs::read(path(node, exchange)).ok()?;
    SignedManifest::parse(&bytes).ok().map(|signed| signed.manifest)
}

/// The manifest from before, if it says the same of the same rows as the one that would take its place.
pub(super) fn again(before: &[u8], now: &SignedManifest) -> Option<SignedManifest> {
    let signed = SignedManifest::parse(before).ok()?;
    let as_then = Manifest { created: signed.manifest.created.clone(), ..now.manifest.clone() };
    (now.manifest.sealed.is_none() && as_then == signed.manifest).then_some(signed)
}

/// Says of what was made what there is to say, and signs it.
#[expect(
    clippy::too_many_arguments,
    reason = "a manifest states nine things; a struct for one call would hide them"
)]
pub(super) fn sign(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    permit: &Permit,
    dataset: &datasets::Dataset,
    format: OutputFormat,
    columns: Vec<Column>,
    summary: &SpoolSummary,
    (sealed, copy, superseded): (Option<Sealed>, Option<CopyRef>, Option<Superseded>),
) -> Result<SignedManifest> {
    let id = |text: &str| Id::new(text).map_err(Error::internal);
    let (rules, version) = permit.rule_set();
    let chunks = summary.chunks.iter().map(|c| Chunk { len: c.len, sha256: Digest::from_bytes(c.sha256.0) });
    let draft = Draft {
        exchange_id: exchange.id.clone(),
        provider: id(&node.config.node.id)?,
        consumer: id(&exchange.peer)?,
        agreement_id: id(exchange.agreement.as_deref().unwrap_or_default())?,
        transfer_id: id(exchange.transfer.as_deref().unwrap_or_default())?,
        decision: DecisionRef {
            id: id(&format!("urn:tram:decision:{}", files::hex(&permit.decision())))?,
            sha256: Digest::from_bytes(permit.decision()),
        },
        rule_set: RuleSetRef { sha256: Digest::from_bytes(rules), version },
        dataset: DatasetRef {
            id: id(&format!("{}/{}", node.config.node.id, dataset.record.id))?,
            version: dataset.record.version,
        },
        columns,
        media_type: format.media_type().to_owned(),
        obligations: serde_json::to_value(permit.obligations()).map_err(Error::internal)?,
        rows: summary.rows,
        chunk_size: summary.chunk_size,
        chunks: chunks.collect(),
        sha256: Digest::from_bytes(summary.sha256.0),
        sealed,
        copy,
        superseded,
        created: operation.now,
    };
    let manifest = Manifest::seal(draft).map_err(Error::internal)?;
    let bytes = manifest.signing_bytes().map_err(Error::internal)?;
    let signature = node.signer.key().sign(&bytes).to_bytes();
    let signature = DetachedSignature::new(node.signer.keyid(), &signature).map_err(Error::internal)?;
    Ok(SignedManifest::new(manifest, signature))
}
