//! Versions of datasets: the rows and the contract as they were, kept for as long as something needs them.
//!
//! **What it is.** Each time that rows or contract were checked and are in force, [`keep`] puts a version aside: the file
//! (linked where the node replaces its snapshots whole, else copied) and beside it the dataset as it was then. Who needs
//! one is in [`needs`], what consumers' copies rest on in [`bases`], which contract an agreement gets in [`contracts`].
//!
//! **Promises.** A version exists when its `.json` does, and then its rows are whole; a kill at any moment leaves at most
//! files that the next sweep removes. The newest version, what a running exchange reads and what an agreement needs is
//! never removed.
//!
//! **What it is not.** No history for people: versions that nobody needs go. Files that stay where they are (`--in-place`)
//! are not kept, since their owner did not want a second copy.

pub mod bases;
pub mod contracts;
pub mod needs;
pub mod settings;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::datasets::{self, Dataset};
use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::sources::live;

/// A dataset as it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Counts up with each change of rows or contract.
    pub number: u64,
    /// When it was put aside, Unix seconds.
    pub kept: i64,
    /// The dataset then; its source is the kept file.
    pub dataset: Dataset,
}

impl Version {
    /// Bytes of its rows.
    pub fn bytes(&self) -> u64 {
        self.dataset.report.as_ref().map_or(0, |report| report.bytes)
    }

    /// SHA-256 of its rows, hex.
    pub fn sha256(&self) -> &str {
        self.dataset.report.as_ref().map_or("", |report| report.sha256.as_str())
    }
}

fn root(node: &Node) -> PathBuf {
    node.dir.join("versions")
}

fn folder(node: &Node, dataset: &str) -> PathBuf {
    root(node).join(dataset)
}

fn said(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.json"))
}

fn rows(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.rows"))
}

fn turn(dataset: &str) -> Vec<u8> {
    [b"versions/", dataset.as_bytes()].concat()
}

/// The kept versions of a dataset, the oldest first. One that cannot be read is logged and left out.
pub fn all(node: &Node, dataset: &str) -> Result<Vec<Version>> {
    let folder = folder(node, dataset);
    let mut found = Vec::new();
    for path in entries(&folder)? {
        if number_of(&path, "json").is_none() {
            continue;
        }
        let read = std::fs::read(&path).map_err(|e| Error::io(&path, e));
        match read.and_then(|bytes| serde_json::from_slice::<Version>(&bytes).map_err(Error::internal)) {
            Ok(version) => found.push(version),
            Err(error) => tracing::warn!(path = %path.display(), %error, "a kept version cannot be read"),
        }
    }
    found.sort_by_key(|version| version.number);
    Ok(found)
}

/// The files of a folder; of one that is not there, none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::io(folder, e)),
    }
}

fn number_of(path: &Path, extension: &str) -> Option<u64> {
    let ours = path.extension().is_some_and(|found| found == extension);
    path.file_stem()?.to_str()?.parse().ok().filter(|_| ours)
}

/// One version by its number, while it is kept.
pub fn find(node: &Node, dataset: &str, number: u64) -> Result<Option<Version>> {
    Ok(all(node, dataset)?.into_iter().find(|version| version.number == number))
}

/// Puts the present version of a dataset aside if it is not yet; none where it is not to be kept.
pub async fn keep(node: &Node, dataset: &Dataset) -> Result<Option<Version>> {
    let name = dataset.record.id.as_str();
    let _turn = node.locks.lock(&turn(name)).await;
    let Some(report) = &dataset.report else { return Ok(None) };
    // Of a live source only a sample lies here.
    if live::described(node, dataset)?.is_some() {
        return Ok(None);
    }
    let kept = all(node, name)?;
    let same = |version: &Version| {
        version.sha256() == report.sha256 && version.dataset.record.version == dataset.record.version
    };
    if let Some(version) = kept.iter().rfind(|version| same(version)) {
        return Ok(Some(version.clone()));
    }
    if dataset.in_place || report.bytes > node.config.versions.disk_bytes_max() {
        return Ok(None);
    }
    let number = kept.last().map_or(1, |version| version.number.saturating_add(1));
    let twin = kept.iter().rfind(|version| version.sha256() == report.sha256);
    let twin = twin.map(|version| PathBuf::from(&version.dataset.record.source.path));
    let version = put_aside(node, dataset.clone(), number, twin).await?;
    contracts::remember(node, &version.dataset)?;
    contracts::serve_older(node, &version, &kept).await?;
    Ok(Some(version))
}

/// Writes the rows, and then what makes them a version.
async fn put_aside(node: &Node, dataset: Dataset, number: u64, twin: Option<PathBuf>) -> Result<Version> {
    let folder = folder(node, dataset.record.id.as_str());
    files::make_private_dir(&folder)?;
    let target = rows(&folder, number);
    let from = PathBuf::from(&dataset.record.source.path);
    // A snapshot of a source is replaced by another file and never written into; a file that people keep is.
    let replaced_whole = crate::sources::description_path(node, dataset.record.id.as_str()).exists();
    let link = twin.or_else(|| replaced_whole.then(|| from.clone()));
    let to = target.clone();
    let placed = move || place(link.as_deref(), &from, &to);
    tokio::task::spawn_blocking(placed).await.map_err(Error::internal)??;
    datasets::unchanged(&dataset)?;
    let mut dataset = Dataset { coming: None, ..dataset };
    if let Some(report) = &mut dataset.report {
        report.changed_ns = datasets::changed_ns(&target)?;
    }
    dataset.record.source.path = target.to_string_lossy().into_owned();
    let version = Version { number, kept: node.clock.now(), dataset };
    let bytes = serde_json::to_vec_pretty(&version).map_err(Error::internal)?;
    files::write_atomic(&said(&folder, number), &bytes)?;
    Ok(version)
}

fn place(link: Option<&Path>, from: &Path, to: &Path) -> Result<()> {
    files::remove(to)?;
    let linked = link.is_some_and(|link| std::fs::hard_link(link, to).is_ok());
    if !linked {
        // On file systems that know it, this shares the blocks.
        std::fs::copy(from, to).map_err(|e| Error::io(to, e))?;
        std::fs::File::open(to).and_then(|f| f.sync_all()).map_err(|e| Error::io(to, e))?;
    }
    let folder = to.parent().unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io(folder, e))
}

/// Keeps without holding up what it is done for: a version that could not be kept costs a longer answer later.
pub async fn keep_or_tell(node: &Node, dataset: &Dataset) {
    if let Err(error) = keep(node, dataset).await {
        tracing::warn!(dataset = %dataset.record.id, %error, "this version could not be kept; who comes back for changes gets the whole");
    }
}

#[cfg(test)]
mod tests;
