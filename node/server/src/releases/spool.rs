//! Releases on disk: one folder each, whole or not there; kept for a day, then swept.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dataplane::PartLimits;
use serde_json::json;
use sha2::Digest as _;
use store::Space;

use super::{Release, What, feed, folder, part_limits};
use crate::error::{Error, Result};
use crate::flow::{job, produce};
use crate::gate::Permit;
use crate::node::Node;
use crate::operation::Operation;
use crate::query::QueryDoc;
use crate::records::{self, Exchange};
use crate::versions::contracts;
use crate::{datasets, files, limits};

/// The file that makes a folder a release; written last.
const RECORD: &str = "release.json";
/// End of the name of a folder that is being filled.
const UNFINISHED: &str = ".part";

/// A release by its name; none for what is no name of one, is not there, or has expired.
pub(super) fn find(node: &Node, id: &str, now: i64) -> Option<Release> {
    files::unhex::<32>(id)?;
    let bytes = std::fs::read(folder(node).join(id).join(RECORD)).ok()?;
    let release: Release = serde_json::from_slice(&bytes).ok()?;
    (release.id == id && now < release.expires).then_some(release)
}

/// What is there already and outlives a link.
pub(super) fn kept(
    node: &Node,
    operation: &Operation,
    exchange: &Exchange,
    (permit, query): (&Permit, &QueryDoc),
    what: &What,
) -> Result<Option<Release>> {
    let served = contracts::served_to(node, exchange)?;
    let dataset = what.dataset(&served.dataset);
    let id = name(node, exchange, (permit, query), (dataset, what), part_limits(node)?)?;
    Ok(find(node, &id, operation.now.saturating_add(i64::from(limits::LINK_SECONDS_MAX))))
}

/// What is there already, or what is made now.
pub(super) async fn find_or_make(
    node: &Arc<Node>,
    operation: &Operation,
    exchange: &Exchange,
    (permit, query): (&Permit, &QueryDoc),
    what: &What,
) -> Result<Release> {
    let served = contracts::served_to(node, exchange)?;
    let dataset = what.dataset(&served.dataset);
    datasets::unchanged(dataset)?;
    let parts = part_limits(node)?;
    let id = name(node, exchange, (permit, query), (dataset, what), parts)?;
    let _turn = node.locks.lock(format!("release/{id}").as_bytes()).await;
    // One that expires within the life of a link is made again, so that no link outlives its file.
    let until = operation.now.saturating_add(i64::from(limits::LINK_SECONDS_MAX));
    if let Some(release) = find(node, &id, until) {
        return Ok(release);
    }
    room(node, &exchange.peer)?;
    let unfinished = folder(node).join(format!("{id}{UNFINISHED}"));
    files::remove_folder(&unfinished)?;
    files::make_private_dir(&unfinished)?;
    let places = if exchange.direct.is_some() { &node.public_views } else { &node.views };
    let made = match what {
        What::Changes { from, to } => {
            let _place = places.acquire().await.map_err(Error::internal)?;
            let views = (exchange, permit, query);
            feed::write((node, operation.now), views, (from, to), (&unfinished, parts)).await?
        }
        What::Present | What::Version(_) => {
            let (mut job, _) = job::job(node, operation.now, exchange, permit, dataset, query)?;
            job::one_noise(&served, &job)?;
            let live = match what {
                What::Present => produce::live_rows(node, exchange, &served, &job).await?,
                _ => None,
            };
            if let Some(live) = &live {
                job.source = live.source();
            }
            // Not before: reading a live source takes a place of its own, and who holds one waits for no second.
            let _place = places.acquire().await.map_err(Error::internal)?;
            let answer = dataplane::run(job).await.map_err(job::broken)?;
            let made = dataplane::write_parts(answer, &unfinished, parts).await.map_err(job::broken)?;
            match live {
                Some(live) => live.done(),
                None => datasets::unchanged(dataset)?,
            }
            made
        }
    };
    let release = Release {
        id: id.clone(),
        exchange: String::from_utf8_lossy(&exchange.key()).into_owned(),
        recipient: exchange.peer.clone(),
        dataset: exchange.dataset.clone(),
        version: dataset.record.version,
        decision: files::hex(&permit.decision()),
        obligations: serde_json::to_value(permit.obligations()).map_err(Error::internal)?,
        made: operation.now,
        expires: operation.now.saturating_add(limits::RELEASE_SECONDS),
        files: made,
    };
    let record = serde_json::to_vec(&release).map_err(Error::internal)?;
    files::write_atomic(&unfinished.join(RECORD), &record)?;
    let finished = folder(node).join(&id);
    files::remove_folder(&finished)?;
    std::fs::rename(&unfinished, &finished).map_err(|e| Error::io(&finished, e))?;
    Ok(release)
}

/// All that the rows depend on. Two that differ in any of it have other files under other names.
fn name(
    node: &Node,
    exchange: &Exchange,
    (permit, query): (&Permit, &QueryDoc),
    (dataset, what): (&datasets::Dataset, &What),
    parts: PartLimits,
) -> Result<String> {
    let (rules, _) = permit.rule_set();
    let mut all = json!([
        "tram/release@v1",
        node.config.node.id,
        exchange.peer,
        exchange.agreement,
        // The watermark names the exchange, and the gate is asked under it.
        exchange.id,
        files::hex(&rules),
        permit.obligations(),
        dataset.record.id.as_str(),
        dataset.record.version,
        dataset.report.as_ref().map(|report| &report.sha256),
        query,
        format!("{parts:?}"),
    ]);
    if let (Some(what), Some(all)) = (what.name(), all.as_array_mut()) {
        all.push(what);
    }
    let bytes = serde_json::to_vec(&all).map_err(Error::internal)?;
    Ok(files::hex(&sha2::Sha256::digest(bytes)))
}

fn room(node: &Node, recipient: &str) -> Result<()> {
    let path = folder(node);
    files::make_private_dir(&path)?;
    let (mut there, mut of_this_one) = (0, 0);
    for entry in std::fs::read_dir(&path).map_err(|e| Error::io(&path, e))?.flatten() {
        there += 1;
        let found = find(node, &entry.file_name().to_string_lossy(), i64::MIN);
        of_this_one += usize::from(found.is_some_and(|release| release.recipient == recipient));
    }
    if of_this_one >= limits::RELEASES_PER_RECIPIENT_MAX {
        return Err(Error::Unavailable(format!(
            "{of_this_one} lots of files lie ready for you already; they are removed a day after they were made"
        )));
    }
    if there >= limits::RELEASES_MAX {
        return Err(Error::Unavailable(format!(
            "{there} lots of files lie ready already; they are removed a day after they were made"
        )));
    }
    Ok(())
}

/// Removes what has expired, and what was begun and not finished by a process that is gone.
pub fn sweep(node: &Node) -> Result<()> {
    let path = folder(node);
    let now = node.clock.now();
    let Ok(entries) = std::fs::read_dir(&path) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let keep = match name.strip_suffix(UNFINISHED) {
            Some(_) => is_young(&entry.path(), limits::VIEW_TIMEOUT * 2),
            None => find(node, &name, now).is_some_and(|release| !erased(node, &release)),
        };
        if !keep && let Err(error) = files::remove_folder(&entry.path()) {
            tracing::warn!(name, %error, "old files could not be removed");
        }
    }
    Ok(())
}

/// Whether the exchange of these files was erased since: its rows go with it.
fn erased(node: &Node, release: &Release) -> bool {
    let found = records::get::<Exchange>(&node.store, Space::Exchange, release.exchange.as_bytes());
    found.is_ok_and(|found| found.is_none_or(|(exchange, _)| exchange.erasure.is_some()))
}

fn is_young(path: &Path, most: Duration) -> bool {
    let changed = std::fs::metadata(path).and_then(|found| found.modified());
    changed.is_ok_and(|at| SystemTime::now().duration_since(at).map_or(true, |age| age < most))
}
