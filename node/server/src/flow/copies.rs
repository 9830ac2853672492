//! Copies that consumers keep current: the whole in the order of copies, or what changed since the copy that they hold.
//!
//! **The rule.** What is told is the difference between the copy that the consumer holds and the view that is permitted to
//! it now; nothing else goes into it. The old view is made again from the kept version, under the obligations in force
//! and as of then, and counts only if it has the digest that was signed. Where rules, question or contract show other
//! columns or rows than they did, where the copy is limited or marked, where only aggregates leave and where the version is
//! gone, the whole travels, and the manifest says why.
//!
//! A dataset that only grows is told by the rows behind the consumer's copy, as [`growing`] says, and needs no old view.

mod growing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataplane::changes::{self, CHANGE};
use dataplane::{ChunkWriter, Job, SpoolSummary};
use exchange::manifest::{Column, ColumnKind, CopyKind, CopyRef, Why};
use exchange::{Digest, Manifest};
use serde::Deserialize;
use store::Space;

use super::job::{broken, job};
use crate::error::{Error, Result};
use crate::gate::Permit;
use crate::node::Node;
use crate::query::{QueryDoc, SINCE_NONE};
use crate::records::{self, Ask, Exchange, Stage};
use crate::versions::bases::{self, Base};
use crate::versions::contracts::Served;
use crate::versions::{self, Version};

/// What will travel: a file of rows with what the manifest says of it.
pub struct Made {
    /// The rows.
    pub file: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The consumer's copy afterwards.
    pub copy: CopyRef,
}

/// Makes what an exchange asks of a copy, in the folder of its spool.
pub async fn make(
    node: &Node,
    now: i64,
    exchange: &Exchange,
    permit: &Permit,
    (query, served): (&QueryDoc, &Served),
    folder: &Path,
) -> Result<Made> {
    let name = exchange.dataset.as_str();
    if let Some(by) = growing::by(permit, query, &served.dataset) {
        let asked = growing::Asked { node, now, exchange, permit, query, by };
        return asked.make(served, folder).await;
    }
    let version = match served.number {
        Some(number) => versions::find(node, name, number)?,
        None => versions::keep(node, &served.dataset).await?,
    };
    let dataset = version.as_ref().map_or(&served.dataset, |version| &version.dataset);
    let (wanted, columns) = job(node, now, exchange, permit, dataset, query)?;
    let unlike = unlike(permit, &columns);
    let key = key(permit, query, dataset, &columns);
    let agreement = exchange.agreement.as_deref().unwrap_or_default();
    let since = query.since.as_deref().filter(|since| *since != SINCE_NONE);
    let mut base = Base {
        peer: exchange.peer.clone(),
        exchange: exchange.id.clone(),
        from: since.map(str::to_owned),
        version: version.as_ref().map(|version| version.number),
        shape: bases::shape(permit.obligations(), query, dataset, (agreement, permit.purpose()))?,
        bytes: 0,
        rows: 0,
        sha256: String::new(),
        at: now,
    };
    // Kept first, so that the version stays while it is read.
    bases::put(node, name, &base).await?;
    let present = folder.join("present.copy");
    let whole = changes::ordered(wanted, &key, &present).await.map_err(broken)?;
    base.sha256 = whole.sha256.to_string();
    let before = match (since, unlike) {
        (None, _) => Err(Why::First),
        (Some(_), Some(why)) => Err(why),
        (Some(since), None) => {
            let asked = Asked { node, exchange, permit, query, key: &key, base: &base };
            asked.before(since, folder).await?
        }
    };
    let mut copy = CopyRef {
        kind: CopyKind::Whole,
        from_version: None,
        to_version: exchange.id.clone(),
        why: None,
        append_by: None,
        key: key.clone(),
        rows: whole.rows,
        sha256: Digest::from_bytes(whole.sha256.0),
    };
    let made = match before {
        Err(why) => {
            copy.why = Some(why);
            Made { file: present, rows: whole.rows, columns, copy }
        }
        Ok(before) => {
            let file = folder.join("changes.copy");
            let (old, new, target) = (before.clone(), present.clone(), file.clone());
            let told = blocking(move || changes::difference(&old, &new, &key, &target)).await?;
            remove(&present);
            remove(&before);
            copy.kind = CopyKind::Changes;
            copy.from_version = since.map(str::to_owned);
            let change = Column { name: CHANGE.to_owned(), kind: ColumnKind::String };
            Made { file, rows: told.rows, columns: columns.into_iter().chain([change]).collect(), copy }
        }
    };
    bases::put(node, name, &base).await?;
    forget_before(node, exchange, since).await?;
    Ok(made)
}

/// Why no changes can be told of such a view, if none can.
pub(crate) fn unlike(permit: &Permit, columns: &[Column]) -> Option<Why> {
    let obligations = permit.obligations();
    if obligations.aggregate.is_some() {
        return Some(Why::Aggregates);
    }
    let limited = obligations.max_rows.is_some() || obligations.watermark || permit.left().rows.is_some();
    (limited || columns.iter().any(|column| column.name == CHANGE)).then_some(Why::Limited)
}

/// The columns that tell rows apart: the contract's key, where all of it is shown as it is.
pub(crate) fn key(
    permit: &Permit,
    query: &QueryDoc,
    dataset: &crate::datasets::Dataset,
    columns: &[Column],
) -> Vec<String> {
    let masked = |name: &str| permit.obligations().mask.keys().any(|column| column.as_str() == name);
    let shown = |name: &str| columns.iter().any(|column| column.name == name) && !masked(name);
    let names: Vec<String> = dataset.record.primary_key().iter().map(|column| column.name.clone()).collect();
    let rows = query.group_by.is_empty() && query.measures.is_empty();
    if rows && names.iter().all(|name| shown(name)) { names } else { Vec::new() }
}

/// What a consumer that comes back asks, with what its copy is compared with.
struct Asked<'a> {
    node: &'a Node,
    exchange: &'a Exchange,
    permit: &'a Permit,
    query: &'a QueryDoc,
    key: &'a [String],
    base: &'a Base,
}

impl Asked<'_> {
    /// The copy that the consumer holds, made again; or why that cannot be.
    async fn before(&self, since: &str, folder: &Path) -> Result<std::result::Result<PathBuf, Why>> {
        let name = self.exchange.dataset.as_str();
        let Some(old) = held(self.node, self.exchange, since)? else { return Ok(Err(Why::Gone)) };
        if old.shape != self.base.shape {
            return Ok(Err(Why::Rules));
        }
        let version = match old.version {
            Some(number) => versions::find(self.node, name, number)?,
            None => None,
        };
        let Some(version) = version.filter(whole) else { return Ok(Err(Why::Gone)) };
        let (job, _): (Job, _) =
            job(self.node, old.at, self.exchange, self.permit, &version.dataset, self.query)?;
        let file = folder.join("before.copy");
        let copy = changes::ordered(job, self.key, &file).await.map_err(broken)?;
        if copy.sha256.to_string() != old.sha256 {
            tracing::warn!(
                exchange = self.exchange.id,
                since,
                "an old view is not what it was; the whole is sent"
            );
            remove(&file);
            return Ok(Err(Why::Rules));
        }
        Ok(Ok(file))
    }
}

/// The consumer's copy of this name. Only one that arrived is held: of another the changes would tell rows that never left.
fn held(node: &Node, exchange: &Exchange, since: &str) -> Result<Option<Base>> {
    let key = records::provider_key(&exchange.peer, since);
    let brought = records::get::<Exchange>(&node.store, Space::Exchange, &key)?;
    if brought.is_none_or(|(exchange, _)| exchange.ack.is_none()) {
        return Ok(None);
    }
    bases::find(node, exchange.dataset.as_str(), &exchange.peer, since)
}

/// Whether the rows of a version are still those that were put aside.
fn whole(version: &Version) -> bool {
    crate::datasets::unchanged(&version.dataset).is_ok()
}

/// A consumer that comes back with a copy holds it: the one before that is not asked about any more.
async fn forget_before(node: &Node, exchange: &Exchange, since: Option<&str>) -> Result<()> {
    let Some(since) = since else { return Ok(()) };
    let name = exchange.dataset.as_str();
    let Some(held) = bases::find(node, name, &exchange.peer, since)? else { return Ok(()) };
    let Some(before) = held.from else { return Ok(()) };
    match bases::find(node, name, &exchange.peer, &before)? {
        Some(base) => bases::forget(node, name, &[base.exchange]).await,
        None => Ok(()),
    }
}

/// Cuts the file into chunks and removes it.
pub async fn spool(made: &Made, writer: ChunkWriter) -> Result<Arc<SpoolSummary>> {
    let (file, rows) = (made.file.clone(), made.rows);
    blocking(move || {
        let summary = changes::spool_file(&file, rows, writer);
        remove(&file);
        summary
    })
    .await
}

fn remove(path: &Path) {
    // Best effort: the folder goes as a whole when the transfer's time is over.
    let _ = std::fs::remove_file(path);
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, dataplane::DataError> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?.map_err(Error::internal)
}

/// Whether a manifest says of the copy what this node asked for.
pub fn fits(asked: &serde_json::Value, manifest: &Manifest) -> std::result::Result<(), String> {
    let query = QueryDoc::from_wire(Some(asked))?;
    let since = query.since.as_deref();
    let good = match (since, &manifest.copy) {
        (None, None) => true,
        (Some(_), Some(copy)) => copy.from_version.as_deref().is_none_or(|from| Some(from) == since),
        _ => false,
    };
    if good { Ok(()) } else { Err("it says of a copy what was not asked for".to_owned()) }
}

/// The exchange that brought the newest copy of what is asked for; `none` where there is none. What a subscription brought
/// is in the subscription's copy: whoever asks by hand has another file.
pub fn last(node: &Node, provider: &str, dataset: &str, ask: &Ask) -> Result<String> {
    let bare = |text: &Option<String>, prefix: &str| {
        text.as_deref().map(|text| text.strip_prefix(prefix).unwrap_or(text).to_owned())
    };
    let (purpose, basis) = (bare(&ask.purpose, "pu:"), bare(&ask.basis, "bas:"));
    let plain = |query: &serde_json::Value| {
        QueryDoc::deserialize(query).ok().map(|query| QueryDoc { since: None, ..query })
    };
    let wanted = plain(&ask.query);
    let all = records::readable::<Exchange>(&node.store, Space::Exchange, b"c/")?;
    let same = |e: &Exchange| {
        (e.peer.as_str(), e.dataset.as_str(), e.stage) == (provider, dataset, Stage::Completed)
            && e.copy.is_some()
            && e.subscription.is_none()
            && (&e.ask.purpose, &e.ask.basis, &e.ask.stated) == (&purpose, &basis, &ask.stated)
            && plain(&e.ask.query) == wanted
    };
    let newest = all.into_iter().filter(same).max_by(|a, b| (a.updated, &a.id).cmp(&(b.updated, &b.id)));
    Ok(newest.map_or_else(|| SINCE_NONE.to_owned(), |exchange| exchange.id))
}
