//! Copies of datasets that only grow (`appendBy` in the contract): the rows behind the consumer's copy, and nothing kept for it.
//!
//! **The rule.** The consumer's copy is known by the length and SHA-256 that were signed then. The view that is permitted
//! now is hashed as it is made; where its beginning is that copy, the rows behind it travel, and whatever else changed at the
//! provider made no difference. A row that came late, was corrected or went makes it another beginning: the whole travels.
//!
//! **What it is not.** No way around a mask: where the column is masked, not shown or not asked for, the order of the rows
//! would tell of it, and [`super`] compares kept versions as for any dataset.

use std::path::Path;

use dataplane::changes::grow::{self, Known};
use dataplane::merkle::Sha256;
use exchange::Digest;
use exchange::manifest::{CopyKind, CopyRef, Why};

use super::{Made, broken, forget_before, held, job, key, unlike};
use crate::datasets::Dataset;
use crate::error::Result;
use crate::gate::Permit;
use crate::node::Node;
use crate::query::{QueryDoc, SINCE_NONE};
use crate::records::Exchange;
use crate::versions;
use crate::versions::bases::{self, Base};
use crate::versions::contracts::Served;

/// The column by which the view grows that this permit and this question leave of a dataset.
pub(super) fn by(permit: &Permit, query: &QueryDoc, dataset: &Dataset) -> Option<String> {
    let name = dataset.record.append_by.as_deref()?;
    let obligations = permit.obligations();
    let masked = obligations.mask.keys().any(|column| column.as_str() == name);
    let withheld =
        obligations.columns.as_ref().is_some_and(|all| !all.iter().any(|column| column.as_str() == name));
    let asked = query.columns.is_empty() || query.columns.iter().any(|column| column == name);
    let rows = query.group_by.is_empty() && query.measures.is_empty() && query.times.is_empty();
    let plain = unlike(permit, &[]).is_none();
    (!masked && !withheld && asked && rows && plain).then(|| name.to_owned())
}

/// What is asked of a dataset that grows.
pub(super) struct Asked<'a> {
    pub node: &'a Node,
    pub now: i64,
    pub exchange: &'a Exchange,
    pub permit: &'a Permit,
    pub query: &'a QueryDoc,
    pub by: String,
}

impl Asked<'_> {
    /// Makes the rows that travel, in the folder of the spool.
    pub(super) async fn make(&self, served: &Served, folder: &Path) -> Result<Made> {
        let Self { node, exchange, permit, query, by, .. } = self;
        let name = exchange.dataset.as_str();
        let dataset = match served.number {
            Some(number) => versions::find(node, name, number)?.map(|version| version.dataset),
            None => None,
        };
        let dataset = dataset.as_ref().unwrap_or(&served.dataset);
        let (wanted, columns) = job(node, self.now, exchange, permit, dataset, query)?;
        let key = key(permit, query, dataset, &columns);
        let agreement = exchange.agreement.as_deref().unwrap_or_default();
        let since = query.since.as_deref().filter(|since| *since != SINCE_NONE);
        let shape = bases::shape(permit.obligations(), query, dataset, (agreement, permit.purpose()))?;
        let (known, why) = self.known(since, &shape)?;
        let file = folder.join("grown.copy");
        let made = grow::grown(wanted, (by, &key), known, &file).await.map_err(broken)?;
        let base = Base {
            peer: exchange.peer.clone(),
            exchange: exchange.id.clone(),
            from: since.map(str::to_owned),
            version: None,
            bytes: made.whole.bytes,
            rows: made.whole.rows,
            shape,
            sha256: made.whole.sha256.to_string(),
            at: self.now,
        };
        bases::put(node, name, &base).await?;
        forget_before(node, exchange, since).await?;
        let kind = if made.added.is_some() { CopyKind::Append } else { CopyKind::Whole };
        if let (CopyKind::Whole, Some(since)) = (kind, since) {
            tracing::info!(exchange = exchange.id, since, ?why, "the whole is sent, not the new rows alone");
        }
        let copy = CopyRef {
            kind,
            from_version: made.added.and(since).map(str::to_owned),
            to_version: exchange.id.clone(),
            why: made.added.is_none().then_some(why),
            append_by: Some(by.clone()),
            key,
            rows: made.whole.rows,
            sha256: Digest::from_bytes(made.whole.sha256.0),
        };
        Ok(Made { file, rows: made.added.unwrap_or(made.whole.rows), columns, copy })
    }

    /// The copy that the consumer holds, and why the whole travels if that is not the beginning of the view, or is not known.
    fn known(&self, since: Option<&str>, shape: &str) -> Result<(Option<Known>, Why)> {
        let Some(since) = since else { return Ok((None, Why::First)) };
        let Some(base) = held(self.node, self.exchange, since)? else { return Ok((None, Why::Gone)) };
        let why = if base.shape == shape { Why::Rewritten } else { Why::Rules };
        // A copy from before the dataset was declared to grow is in another order.
        let Some(sha256) = Digest::parse(&base.sha256) else { return Ok((None, Why::Gone)) };
        let sha256 = Sha256(*sha256.as_bytes());
        let known = (base.bytes > 0).then_some(Known { bytes: base.bytes, rows: base.rows, sha256 });
        Ok((known, if known.is_some() { why } else { Why::Rules }))
    }
}
