//! Older versions of a contract: who agreed on one that the one in force breaks gets rows in its form until it ends.
//!
//! Which version an agreement was made on is in the id of the offer that it took (`…@VERSION:…`). A version that the one
//! in force does not break needs nothing: the agreement follows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use exchange::manifest::Superseded;

use super::{Version, all, folder, put_aside};
use crate::datasets::{self, Dataset};
use crate::error::{Error, Result};
use crate::files;
use crate::flow::agreement::Standing;
use crate::node::Node;
use crate::records::{self, Side};

/// The rows that an exchange gets.
#[derive(Debug, Clone)]
pub struct Served {
    /// The dataset in the version that is served.
    pub dataset: Dataset,
    /// Number of the kept version, where an older one is served.
    pub number: Option<u64>,
    /// That it is an older one, and until when.
    pub superseded: Option<Superseded>,
}

/// An older version that agreements hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Version of the contract.
    pub contract: u32,
    /// Its end, Unix seconds: the last agreement's, or the steward's if that is earlier.
    pub until: i64,
    /// Agreements on it.
    pub agreements: usize,
}

/// Version of the contract in the id of an offer of this dataset.
pub fn version_in(offer: &str, provider: &str, dataset: &str) -> Option<u32> {
    let rest = offer.strip_prefix(&format!("urn:tram:offer:{provider}/{dataset}@"))?;
    rest.split(':').next()?.parse().ok()
}

fn path(node: &Node, dataset: &str, contract: u32) -> PathBuf {
    folder(node, dataset).join(format!("contract-{contract}.json"))
}

/// Keeps the contract of a version, which is looked up long after the version's rows are gone.
pub(super) fn remember(node: &Node, dataset: &Dataset) -> Result<()> {
    let path = path(node, dataset.record.id.as_str(), dataset.record.version);
    if path.exists() {
        return Ok(());
    }
    files::write_atomic(&path, &serde_json::to_vec_pretty(dataset).map_err(Error::internal)?)
}

/// Which contract's file this is.
fn contract_of(path: &std::path::Path) -> Option<u32> {
    path.file_stem()?.to_str()?.strip_prefix("contract-")?.parse().ok()
}

/// The contract as it was in this version, while it is known.
fn known(node: &Node, dataset: &str, contract: u32) -> Result<Option<Dataset>> {
    let path = path(node, dataset, contract);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::internal(format!("`{}` is damaged ({e}); put it back from a backup", path.display()))
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(&path, e)),
    }
}

/// Forgets contracts that no agreement is about any more.
pub(super) fn forget(node: &Node, current: &Dataset, held: &[Held]) -> Result<()> {
    for path in super::entries(&folder(node, current.record.id.as_str()))? {
        let number = contract_of(&path);
        let needed = |n: u32| n == current.record.version || held.iter().any(|held| held.contract == n);
        // Those that agreements follow from are needed as well: without them nobody could tell what was broken.
        let agreed = |n: u32| {
            agreements(node, current.record.id.as_str())
                .is_ok_and(|all| all.iter().any(|standing| standing.contract == Some(n)))
        };
        if number.is_some_and(|n| !needed(n) && !agreed(n)) {
            files::remove(&path)?;
        }
    }
    Ok(())
}

fn ends_path(node: &Node, dataset: &str) -> PathBuf {
    folder(node, dataset).join("ends.json")
}

fn ends(node: &Node, dataset: &str) -> Result<BTreeMap<u32, i64>> {
    let path = ends_path(node, dataset);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(Error::internal),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(Error::io(&path, e)),
    }
}

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// The steward lets an older version end at this Unix second.
pub fn end(node: &Node, dataset: &str, contract: u32, at: i64) -> Result<()> {
    let current = datasets::demand(node, dataset)?;
    if contract == 0 || contract > current.record.version {
        return Err(Error::not_found(format!(
            "`{dataset}` không có phiên bản hợp đồng {contract}; `tram dataset versions {dataset}` cho xem · `{dataset}` has no version {contract} of its contract; `tram dataset versions {dataset}` shows them"
        )));
    }
    if contract == current.record.version {
        return Err(Error::usage(format!(
            "phiên bản {contract} của `{dataset}` đang hiện hành, không phải bản cũ · version {contract} of `{dataset}` is not an older one: {} is in force; `tram dataset withdraw {dataset}` takes the dataset back",
            current.record.version
        )));
    }
    if known(node, dataset, contract)?.is_none() {
        return Err(Error::not_found(format!(
            "không thoả thuận nào còn theo phiên bản {contract} của `{dataset}` · no agreement is about version {contract} of `{dataset}`; `tram dataset versions {dataset}` shows them"
        )));
    }
    // The day that is today has begun: who names it wants the end at once.
    if at.saturating_add(DAY_SECONDS) <= node.clock.now() {
        return Err(Error::usage(format!(
            "ngày kết thúc đã qua; sớm nhất là hôm nay (UTC), tức là ngay bây giờ · the end is past; the earliest is today (UTC), which is at once. To serve `{dataset}` to nobody: `tram dataset withdraw {dataset}`"
        )));
    }
    let mut ends = ends(node, dataset)?;
    ends.insert(contract, at);
    files::write_atomic(
        &ends_path(node, dataset),
        &serde_json::to_vec_pretty(&ends).map_err(Error::internal)?,
    )
}

/// Agreements on a dataset of ours that have not run out.
fn agreements(node: &Node, dataset: &str) -> Result<Vec<Standing>> {
    let now = node.clock.now();
    let all = records::readable::<Standing>(&node.store, store::Space::Agreement, b"")?;
    let ours = |s: &Standing| s.side == Side::Provider && s.dataset == dataset && now < s.valid_until;
    Ok(all.into_iter().filter(ours).collect())
}

/// The older versions that agreements hold and that the one in force breaks; with a consumer, of that one alone.
pub fn held(node: &Node, current: &Dataset, consumer: Option<&str>) -> Result<Vec<Held>> {
    let name = current.record.id.as_str();
    // Most datasets have no older contract that anybody is known to hold; for them no agreement is read.
    let older = |path: PathBuf| contract_of(&path).is_some_and(|number| number < current.record.version);
    if !super::entries(&folder(node, name))?.into_iter().any(older) {
        return Ok(Vec::new());
    }
    let (ends, now) = (ends(node, name)?, node.clock.now());
    let mut found: BTreeMap<u32, Held> = BTreeMap::new();
    for standing in agreements(node, name)? {
        let Some(contract) = standing.contract.filter(|c| *c < current.record.version) else { continue };
        if consumer.is_some_and(|consumer| consumer != standing.consumer) {
            continue;
        }
        let entry = found.entry(contract).or_insert(Held { contract, until: i64::MIN, agreements: 0 });
        entry.agreements += 1;
        entry.until = entry.until.max(standing.valid_until);
    }
    let mut held = Vec::new();
    for mut entry in found.into_values() {
        entry.until = ends.get(&entry.contract).map_or(entry.until, |end| entry.until.min(*end));
        if now < entry.until && breaks(node, entry.contract, current)?.is_some() {
            held.push(entry);
        }
    }
    Ok(held)
}

/// The contract of that version, if the one in force breaks it.
fn breaks(node: &Node, contract: u32, current: &Dataset) -> Result<Option<Dataset>> {
    let old = known(node, current.record.id.as_str(), contract)?;
    Ok(old.filter(|old| catalog::contract::compare(&old.record, &current.record).breaking()))
}

/// Which version the rows of an exchange are of. What is read here changes no decision: the gate decides by the dataset as it
/// is now.
///
/// # Errors
/// [`Error::Conflict`] when the version that was agreed on has ended or its rows are not there any more.
pub fn served(node: &Node, name: &str, agreement: Option<&Standing>) -> Result<Served> {
    let dataset = datasets::demand(node, name)?;
    let present = |dataset| Ok(Served { dataset, number: None, superseded: None });
    let Some(standing) = agreement else { return present(dataset) };
    let Some(contract) = standing.contract.filter(|c| *c < dataset.record.version) else {
        return present(dataset);
    };
    let Some(old) = breaks(node, contract, &dataset)? else { return present(dataset) };
    let until =
        ends(node, name)?.get(&contract).map_or(standing.valid_until, |end| standing.valid_until.min(*end));
    if node.clock.now() >= until {
        return Err(Error::conflict(format!(
            "version {contract} of the contract of `{name}` has ended; agree on version {} (tram exchange get --renew)",
            dataset.record.version
        )));
    }
    let kept = all(node, name)?;
    let version = newest(&kept, &old).cloned().ok_or_else(|| {
        Error::conflict(format!(
            "no rows in the form of version {contract} of the contract of `{name}` are kept; agree on version {}",
            dataset.record.version
        ))
    })?;
    let until = exchange::Timestamp::from_unix(until).map_err(Error::internal)?;
    let superseded = Some(Superseded { by: dataset.record.version, until });
    Ok(Served { dataset: version.dataset, number: Some(version.number), superseded })
}

/// The newest version that keeps what a contract says: of that contract itself, or of a later one that did not break it.
fn newest<'v>(kept: &'v [Version], old: &Dataset) -> Option<&'v Version> {
    let keeps = |version: &&Version| {
        let record = &version.dataset.record;
        record.version == old.record.version
            || (record.version > old.record.version
                && !catalog::contract::compare(&old.record, record).breaking())
    };
    kept.iter().rfind(keeps)
}

/// The same by the number of the contract, while that is known.
pub(super) fn newest_for<'v>(
    node: &Node,
    dataset: &str,
    kept: &'v [Version],
    contract: u32,
) -> Result<Option<&'v Version>> {
    Ok(known(node, dataset, contract)?.and_then(|old| newest(kept, &old)))
}

/// The same for an exchange by the agreement that it is under.
pub fn served_to(node: &Node, exchange: &records::Exchange) -> Result<Served> {
    let standing = match &exchange.agreement {
        Some(id) => crate::flow::agreement::find(node, id)?,
        None => None,
    };
    served(node, &exchange.dataset, standing.as_ref())
}

/// New rows that satisfy an older contract, too, are put aside in its form: who agreed on it gets them.
pub(super) async fn serve_older(node: &Node, newest: &Version, kept: &[Version]) -> Result<()> {
    let name = newest.dataset.record.id.as_str();
    let mut number = newest.number;
    for held in held(node, &newest.dataset, None)? {
        let Some(old) = known(node, name, held.contract)? else { continue };
        let has = |v: &Version| v.dataset.record.version == held.contract && v.sha256() == newest.sha256();
        if kept.iter().any(has) || !fits(node, &newest.dataset, &old).await? {
            continue;
        }
        number = number.saturating_add(1);
        let rows = PathBuf::from(&newest.dataset.record.source.path);
        let mut dataset = Dataset { report: newest.dataset.report.clone(), ..old };
        dataset.record.source = newest.dataset.record.source.clone();
        put_aside(node, dataset, number, Some(rows)).await?;
    }
    Ok(())
}

/// Whether rows are what an older contract says.
async fn fits(node: &Node, newest: &Dataset, old: &Dataset) -> Result<bool> {
    let (source, schema) = (newest.source(), old.schema()?);
    let (read, columns) = (source.clone(), schema.clone());
    let work = move || dataplane::validate(&read.path, &read.format, &columns).is_ok();
    Ok(tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
        && crate::sources::promises::keeps(node, &old.record, &source, schema).await.is_ok())
}
