//! Who needs which version, and the sweep of those that nobody needs.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use super::bases::{self, Base};
use super::contracts::{self, Held};
use super::settings::VersionSection;
use super::{Version, all, entries, folder, number_of, rows, said, turn};
use crate::datasets::{self, Dataset};
use crate::error::Result;
use crate::files;
use crate::node::Node;
use crate::operation::rfc3339;

/// Why a version is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Need {
    /// It is the present one.
    Present,
    /// Agreements on its contract, which the one in force breaks.
    Agreements(Held),
    /// Copies of consumers that may come back for what changed, the newest of them handed out then (Unix seconds).
    Copies(BTreeSet<String>, i64),
}

type Needs = BTreeMap<u64, Vec<Need>>;

fn needs(node: &Node, current: &Dataset, kept: &[Version], bases: &[Base]) -> Result<Needs> {
    let mut needs = Needs::new();
    let newest = kept.iter().rfind(|version| version.dataset.record.version == current.record.version);
    if let Some(version) = newest {
        needs.entry(version.number).or_default().push(Need::Present);
    }
    for held in contracts::held(node, current, None)? {
        if let Some(version) = contracts::newest_for(node, current.record.id.as_str(), kept, held.contract)? {
            needs.entry(version.number).or_default().push(Need::Agreements(held));
        }
    }
    for version in kept {
        let of = || bases.iter().filter(|base| base.version == Some(version.number));
        if let Some(last) = of().map(|base| base.at).max() {
            let peers = of().map(|base| base.peer.clone()).collect();
            needs.entry(version.number).or_default().push(Need::Copies(peers, last));
        }
    }
    Ok(needs)
}

/// Keeps the present version of each dataset, and removes what nobody needs. On the monitor's tick.
pub async fn sweep(node: &Node) -> Result<()> {
    sweep_within(node, &node.config.versions).await
}

/// The same within these limits.
pub(super) async fn sweep_within(node: &Node, settings: &VersionSection) -> Result<()> {
    let mut disk = 0;
    for dataset in datasets::readable(node)? {
        if dataset.report.is_some() && datasets::unchanged(&dataset).is_ok() {
            super::keep_or_tell(node, &dataset).await;
        }
        disk += sweep_one(node, settings, &dataset, disk).await?;
    }
    Ok(())
}

/// Sweeps one dataset; gives the bytes that its versions take beside what is served. `used` is what others take.
async fn sweep_one(node: &Node, settings: &VersionSection, dataset: &Dataset, used: u64) -> Result<u64> {
    let name = dataset.record.id.as_str();
    let _turn = node.locks.lock(&turn(name)).await;
    let folder = folder(node, name);
    if !folder.exists() {
        return Ok(0);
    }
    let now = node.clock.now();
    let (old, live): (Vec<Base>, Vec<Base>) = bases::all(node, name)?
        .into_iter()
        .partition(|base| now.saturating_sub(base.at) > settings.subscriber_seconds());
    let mut gone: Vec<String> = old.into_iter().map(|base| base.exchange).collect();
    let kept = all(node, name)?;
    let needs = needs(node, dataset, &kept, &live)?;
    // What a running exchange may be reading stays: one on an older contract reads a kept version.
    let read = crate::flow::provides(node, name);
    let older = |number: &u64| {
        kept.iter().any(|v| v.number == *number && v.dataset.record.version != dataset.record.version)
    };
    let hard = |number: &u64| {
        read && older(number)
            || needs.get(number).is_some_and(|all| all.iter().any(|n| !matches!(n, Need::Copies(..))))
    };
    // The newest first: where room ends, the oldest copies lose their version.
    let (mut count, mut bytes, mut counted) = (0, 0_u64, BTreeSet::new());
    for version in kept.iter().rev() {
        let more = if counted.contains(version.sha256()) || is_served(dataset, version) {
            0
        } else {
            version.bytes()
        };
        let fits = count < settings.per_dataset_max
            && used.saturating_add(bytes).saturating_add(more) <= settings.disk_bytes_max();
        if hard(&version.number) || (needs.contains_key(&version.number) && fits) {
            counted.insert(version.sha256().to_owned());
            bytes += more;
            count += 1;
            continue;
        }
        gone.extend(live.iter().filter(|b| b.version == Some(version.number)).map(|b| b.exchange.clone()));
        // First what makes it a version, then its rows: a kill in between leaves rows that are nothing.
        files::remove(&said(&folder, version.number))?;
        files::remove(&rows(&folder, version.number))?;
    }
    bases::forget(node, name, &gone).await?;
    contracts::forget(node, dataset, &contracts::held(node, dataset, None)?)?;
    let whole: BTreeSet<u64> = all(node, name)?.iter().map(|version| version.number).collect();
    for path in entries(&folder)? {
        if number_of(&path, "rows").is_some_and(|number| !whole.contains(&number)) {
            files::remove(&path)?;
        }
    }
    Ok(bytes)
}

/// Whether a version's file is the very file that is served, so that it takes no room of its own.
fn is_served(dataset: &Dataset, version: &Version) -> bool {
    let place = |path: &str| std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    let (served, kept) = (place(&dataset.record.source.path), place(&version.dataset.record.source.path));
    served.is_some() && served == kept
}

/// The kept versions of a dataset with who needs each, for people.
pub fn view(node: &Node, name: &str) -> Result<Value> {
    let current = datasets::demand(node, name)?;
    let (kept, bases) = (all(node, name)?, bases::all(node, name)?);
    let needs = needs(node, &current, &kept, &bases)?;
    let why = |need: &Need| match need {
        Need::Present => json!({"need": "present"}),
        Need::Agreements(held) => {
            json!({"need": "agreements", "agreements": held.agreements, "until": rfc3339(held.until)})
        }
        Need::Copies(peers, at) => json!({
            "need": "copies",
            "peers": peers,
            "until": rfc3339(at.saturating_add(node.config.versions.subscriber_seconds())),
        }),
    };
    let versions = kept.iter().map(|version| {
        let needed: Vec<Value> = needs.get(&version.number).into_iter().flatten().map(why).collect();
        json!({
            "version": version.number,
            "contract": version.dataset.record.version,
            "rows": version.dataset.report.as_ref().map(|report| report.rows),
            "bytes": version.bytes(),
            "shared_with_served": is_served(&current, version),
            "sha256": version.sha256(),
            "kept": rfc3339(version.kept),
            "needed_by": needed,
        })
    });
    let held = contracts::held(node, &current, None)?;
    let older = held.iter().map(|held| {
        json!({"contract": held.contract, "until": rfc3339(held.until), "agreements": held.agreements})
    });
    Ok(json!({
        "dataset": name,
        "contract": current.record.version,
        "in_place": current.in_place,
        "versions": versions.collect::<Vec<_>>(),
        "older_contracts": older.collect::<Vec<_>>(),
    }))
}
