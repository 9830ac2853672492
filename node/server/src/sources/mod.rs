//! Sources: datasets whose rows are fetched from where the agency keeps them, now and again.
//!
//! **What it is.** A dataset that was added from a description (`sources/NAME.toml` in the node's folder, editable) has a
//! snapshot in the node. A refresh reads the origin anew, checks every row against the contract, and only then puts the
//! new snapshot in the place of the old one. Consumers' questions reach the snapshot alone, never the origin, unless a
//! steward has said that they may ([`live`]); then the snapshot holds the first rows only, for contract and profile.
//!
//! **Promise.** Whatever a refresh meets (no line, a damaged file, a column that is gone, a kill at any moment), the rows
//! that were served before are served on, and the description's state says what is wrong.
//!
//! **Where to begin.** [`first`] when a dataset is added, [`refresh`] afterwards, [`due`] on the monitor's tick.

mod description;
pub mod live;
pub mod promises;
mod snapshot;

#[cfg(test)]
mod kinds_tests;
#[cfg(test)]
mod live_tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::Severity;
use intake::profile::{Clock, Surveyed};
use intake::quality::{Outcome, QualityReport};
use intake::{Remark, Rows};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::description::{Description, period};
pub use self::snapshot::refused;
use crate::datasets::{self, Dataset, Report};
use crate::error::{Error, Result};
use crate::files;
use crate::limits::REMARKS_MAX;
use crate::node::Node;
use crate::operation::{Actor, Operation, rfc3339};

/// Folder of the descriptions in the node's folder.
const FOLDER: &str = "sources";
/// Times without an offset are of Vietnam, seconds east of UTC.
const HOME_OFFSET_SECONDS: i32 = 7 * 3_600;
/// Most promises, and most cells, that an error names.
const LINES_MAX: usize = 20;
/// Name of a snapshot.
const SNAPSHOT: &str = "rows.csv";
/// The same while it is written.
const PART: &str = "rows.part";

/// How the last look at a source went.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// When it ended, Unix seconds.
    pub at: i64,
    /// When rows were last found good, Unix seconds.
    pub good: Option<i64>,
    /// Rows of the snapshot.
    pub rows: Option<u64>,
    /// What a person should know of what was read.
    pub remarks: Vec<Note>,
    /// What went wrong; none when it went well.
    pub problem: Option<String>,
    /// When that was last so, Unix seconds: at a look, or at a question to a live source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_at: Option<i64>,
    /// What was found of the rows that are served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<snapshot::Found>,
    /// Whether the rows in the node are only the first of a live source.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sample: bool,
}

impl State {
    fn unknown() -> Self {
        let problem = Some("its state could not be read; run `tram source refresh`".to_owned());
        Self {
            at: 0,
            good: None,
            rows: None,
            remarks: Vec::new(),
            problem,
            problem_at: None,
            found: None,
            sample: true,
        }
    }
}

/// A remark as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    code: String,
    vi: String,
    en: String,
}

impl From<Remark> for Note {
    fn from(remark: Remark) -> Self {
        Self { code: remark.code.to_owned(), vi: remark.said.vi, en: remark.said.en }
    }
}

/// The description's file of a dataset.
pub fn description_path(node: &Node, dataset: &str) -> PathBuf {
    node.dir.join(FOLDER).join(format!("{dataset}.toml"))
}

fn state_path(node: &Node, dataset: &str) -> PathBuf {
    node.dir.join(FOLDER).join(format!("{dataset}.state.json"))
}

fn data_folder(node: &Node, dataset: &str) -> PathBuf {
    node.dir.join("data").join(dataset)
}

/// Whether a file that somebody wants to add is a description and not the rows themselves.
pub fn is_description(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// Takes the first snapshot for a dataset that is being added, and keeps the description. Gives the snapshot's path and
/// what a person should know.
pub async fn first(node: &Node, dataset: &str, path: &Path) -> Result<(PathBuf, Vec<String>)> {
    let _turn = node.locks.lock(&turn(dataset)).await;
    let described = Description::read(path)?;
    let text = kept_text(path, &described)?;
    let folder = data_folder(node, dataset);
    files::make_private_dir(&folder)?;
    files::make_private_dir(&node.dir.join(FOLDER))?;
    described.check_mapping()?;
    if described.live {
        let described = described.clone();
        tokio::task::spawn_blocking(move || described.check()).await.map_err(Error::internal)??;
    }
    let (mapped, sample) = (described.mapping.is_some(), described.live);
    let taken = taken(described, None, folder.join(PART), node.clock.now()).await?;
    let snapshot = folder.join(SNAPSHOT);
    std::fs::rename(folder.join(PART), &snapshot).map_err(|e| Error::io(&snapshot, e))?;
    files::write_atomic(&description_path(node, dataset), text.as_bytes())?;
    let now = node.clock.now();
    let remarks = taken.remarks.iter().take(REMARKS_MAX).cloned().map(Note::from).collect();
    let state = State {
        at: now,
        good: Some(now),
        rows: Some(taken.rows),
        remarks,
        problem: None,
        problem_at: None,
        found: None,
        sample,
    };
    keep_state(node, dataset, &state)?;
    let mut warnings: Vec<String> = taken.remarks.iter().map(|remark| remark.said.to_string()).collect();
    if mapped {
        warnings.push(format!(
            "the mapping is not used yet: write the columns that it gives into the contract, then `tram source refresh {dataset}`"
        ));
    }
    Ok((snapshot, warnings))
}

/// The description as the node keeps it: with the folder that its paths count from.
fn kept_text(path: &Path, described: &Description) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| Error::usage(e.to_string()))?;
    if table.contains_key("base") {
        return Ok(text);
    }
    let base = std::path::absolute(&described.base).map_err(|e| Error::io(&described.base, e))?;
    let base = toml::Value::String(base.to_string_lossy().into_owned());
    Ok(format!("# Relative paths count from here.\nbase = {base}\n\n{text}"))
}

/// Takes a snapshot: in the contract's columns where they are given and there is a mapping, else as it is.
async fn taken(
    described: Description,
    contract: Option<catalog::DatasetRecord>,
    part: PathBuf,
    now: i64,
) -> Result<snapshot::Taken> {
    let work = move || match contract {
        None => snapshot::take(described.open()?.as_mut(), &part),
        Some(record) => surveyed(&described, &record, &part, now),
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

/// Takes a snapshot and looks at the rows on their way. What a mapping gives must keep the contract's promises; rows that
/// are taken as they are may be written in other forms, and are only checked as a file of the node's would be.
fn surveyed(
    described: &Description,
    record: &catalog::DatasetRecord,
    part: &Path,
    now: i64,
) -> Result<snapshot::Taken> {
    let scratch = part.parent().unwrap_or(Path::new("."));
    let mapped = described.standardised(&record.columns)?.map(snapshot::Shared::new);
    let (rows, mapped): (Box<dyn Rows>, _) = match mapped {
        Some((rows, mapped)) => (Box::new(rows), Some(mapped)),
        None => (described.open()?, None),
    };
    let mut rows = Surveyed::new(rows, record, scratch).map_err(|e| refused(&e))?;
    let mut taken = snapshot::take(&mut rows, part)?;
    let clock = Clock { now, changed: None, offset_s: HOME_OFFSET_SECONDS };
    let (profile, quality) = rows.finish(clock).map_err(|e| refused(&e))?;
    if mapped.is_some() && !quality.passed() {
        files::remove(part)?;
        return Err(broken(&quality));
    }
    let value = |done: serde_json::Result<Value>| done.map_err(Error::internal);
    taken.found = Some(snapshot::Found {
        mapping: mapped.map(|rows| value(serde_json::to_value(rows.borrow().report()))).transpose()?,
        profile: value(serde_json::to_value(&profile))?,
        quality: value(serde_json::to_value(&quality))?,
    });
    Ok(taken)
}

/// Rows that break what their contract promises: each promise, and the first cells.
fn broken(quality: &QualityReport) -> Error {
    let failed =
        quality.results.iter().filter(|r| r.outcome != Outcome::Passed && r.severity == Severity::Error);
    let mut lines =
        vec!["the rows do not keep their contract, so the ones from before are served on:".to_owned()];
    lines.extend(failed.map(|result| format!("  {}", result.said)).take(LINES_MAX));
    lines.extend(quality.problems.iter().map(|problem| format!("  {problem}")).take(LINES_MAX));
    Error::usage(lines.join("\n"))
}

fn turn(dataset: &str) -> Vec<u8> {
    [b"source/", dataset.as_bytes()].concat()
}

/// Reads the origin of a dataset anew. The state says how it went, also after an error.
pub async fn refresh(node: &Node, operation: &Operation, name: &str) -> Result<Value> {
    let _turn = node.locks.lock(&turn(name)).await;
    let dataset = datasets::demand(node, name)?;
    let path = description_path(node, name);
    if !path.exists() {
        return Err(Error::conflict(format!(
            "`{name}` has no description `{}`: it was added from a file (then run `tram dataset validate {name}` after a change of it), or the description was deleted",
            path.display()
        )));
    }
    let before = state(node, name)?;
    // Said before the first rows of a live source can take the place of all rows, and until all are here again.
    let live = Description::read(&path).is_ok_and(|described| described.live);
    if let Some(before) = before.as_ref().filter(|before| live && !before.sample) {
        keep_state(node, name, &State { sample: true, ..before.clone() })?;
    }
    let done = renewed(node, operation, &dataset, &path).await;
    let (good, rows, found, sample) = match &done {
        Ok(done) => {
            let rows = done.dataset.report.as_ref().map(|report| report.rows);
            (Some(operation.now), rows, done.found.clone(), done.sample)
        }
        Err(_) => before.map_or((None, None, None, live), |state| {
            (state.good, state.rows, state.found, state.sample || live)
        }),
    };
    let state = State {
        at: operation.now,
        good,
        rows,
        remarks: done.as_ref().map(|done| done.remarks.clone()).unwrap_or_default(),
        found,
        sample,
        problem: done.as_ref().err().map(ToString::to_string),
        problem_at: done.as_ref().err().map(|_| operation.now),
    };
    keep_state(node, name, &state)?;
    let changed = done?.changed;
    Ok(json!({"dataset": name, "changed": changed, "state": view(&state)}))
}

fn keep_state(node: &Node, name: &str, state: &State) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(state).map_err(Error::internal)?;
    files::write_atomic(&state_path(node, name), &bytes)
}

/// A look that went well.
struct Renewed {
    dataset: Dataset,
    remarks: Vec<Note>,
    found: Option<snapshot::Found>,
    /// Whether rows or contract are others than before.
    changed: bool,
    sample: bool,
}

async fn renewed(node: &Node, operation: &Operation, dataset: &Dataset, path: &Path) -> Result<Renewed> {
    let name = dataset.record.id.as_str();
    let folder = data_folder(node, name);
    let part = folder.join(PART);
    let record = datasets::contract_now(node, dataset, operation.now)?.record;
    let described = Description::read(path)?;
    let sample = described.live;
    let taken = taken(described, Some(record), part.clone(), operation.now).await?;
    let found = taken.found;
    if taken.rows == 0 && dataset.report.as_ref().is_some_and(|report| report.rows > 0) {
        files::remove(&part)?;
        return Err(Error::usage(
            "the source has no rows now, so the ones from before are served on; if there are none any more, `tram dataset withdraw` takes the dataset back",
        ));
    }
    let remarks = taken.remarks.into_iter().take(REMARKS_MAX).map(Note::from).collect();
    let checked = datasets::check_snapshot(node, operation, dataset, &part).await;
    let (checked, report) = checked.inspect_err(|_| {
        let _ = std::fs::remove_file(&part);
    })?;
    let same = dataset.report.as_ref().is_some_and(|old| old.sha256 == report.sha256);
    if same && checked.record == dataset.record {
        files::remove(&part)?;
        return Ok(Renewed { dataset: checked, remarks, found, changed: false, sample });
    }
    let dataset = put_in_place(node, operation, checked, &part, report).await?;
    Ok(Renewed { dataset, remarks, found, changed: true, sample })
}

/// The record first says that these rows may come, then they come, then the record says that they are there: whenever the
/// node is killed, the file is one that was checked.
async fn put_in_place(
    node: &Node,
    operation: &Operation,
    checked: Dataset,
    part: &Path,
    report: Report,
) -> Result<Dataset> {
    datasets::expect(node, checked.record.id.as_str(), Some(report.clone())).await?;
    let snapshot = part.with_file_name(SNAPSHOT);
    std::fs::rename(part, &snapshot).map_err(|e| Error::io(&snapshot, e))?;
    let folder = snapshot.parent().unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io(folder, e))?;
    datasets::arrived(node, operation, checked, report).await
}

/// How the last look went, if there was one.
pub fn state(node: &Node, name: &str) -> Result<Option<State>> {
    let path = state_path(node, name);
    match std::fs::read(&path) {
        // Nobody knows then whether all rows are here.
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| State::unknown()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(&path, e)),
    }
}

fn view(state: &State) -> Value {
    json!({
        "at": rfc3339(state.at),
        "good": state.good.map(rfc3339),
        "rows": state.rows,
        "remarks": state.remarks,
        "problem": state.problem,
        "problem_at": state.problem_at.map(rfc3339),
    })
}

/// One source with everything that is known of its rows.
pub fn show(node: &Node, name: &str) -> Result<Value> {
    datasets::demand(node, name)?;
    let state = state(node, name)?.ok_or_else(|| {
        Error::not_found(format!(
            "the source of `{name}` was not looked at yet; `tram source refresh {name}`"
        ))
    })?;
    Ok(json!({"dataset": name, "state": view(&state), "found": state.found}))
}

/// All sources with their state, by dataset.
pub fn list(node: &Node) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for dataset in datasets::all(node)? {
        let name = dataset.record.id.as_str();
        let path = description_path(node, name);
        if !path.exists() {
            continue;
        }
        let described = Description::read(&path);
        all.push(json!({
            "dataset": name,
            "description": path.display().to_string(),
            "live": described.as_ref().is_ok_and(|d| d.live),
            "type": described.as_ref().ok().and_then(|d| serde_json::to_value(&d.origin).ok()?.get("type").cloned()),
            "every_seconds": described.as_ref().ok().and_then(|d| d.every).map(|every| every.as_secs()),
            "broken": described.as_ref().err().map(ToString::to_string),
            "state": state(node, name)?.as_ref().map(view),
        }));
    }
    Ok(all)
}

/// Looks at sources when their time has come, until the node stops.
pub async fn run(node: Arc<Node>) {
    let mut stop = node.stop.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(crate::limits::MONITOR_PERIOD) => {}
            () = crate::operation::stopped(&mut stop) => return,
        }
        if let Err(error) = due(&node).await {
            tracing::warn!(%error, "the sources could not be looked at; it is tried again");
        }
    }
}

/// Looks at every source whose time has come, one after another; what goes wrong is in its state and in the log.
pub async fn due(node: &Arc<Node>) -> Result<()> {
    let operation = Operation::begin(Actor::Node, &node.clock);
    for dataset in datasets::readable(node)? {
        let name = dataset.record.id.as_str();
        let path = description_path(node, name);
        let Some(every) = path.exists().then(|| Description::read(&path).ok()?.every).flatten() else {
            continue;
        };
        let last = state(node, name)?.map_or(dataset.record.issued, |state| state.at);
        let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
        if operation.now.saturating_sub(last) < every {
            continue;
        }
        let operation = Operation::begin(Actor::Node, &node.clock);
        match refresh(node, &operation, name).await {
            Ok(_) => tracing::info!(dataset = name, "the source was looked at"),
            Err(error) => {
                tracing::warn!(dataset = name, %error, "the source could not be taken; the rows from before are served on")
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_is_looked_at_when_its_time_has_come_and_not_before() {
        let (dir, node) = crate::testing::node().await;
        let rows = dir.path().join("a.csv");
        let file = dir.path().join("nguon.toml");
        std::fs::write(&rows, "a,b\n1,2\n").unwrap();
        std::fs::write(&file, "type = \"text\"\npath = \"a.csv\"\nevery = \"1h\"\n").unwrap();
        let operation = Operation::begin(Actor::Local, &node.clock);
        let new = serde_json::from_value(json!({"path": file, "name": "x"})).unwrap();
        datasets::add(&node, &operation, new).await.unwrap();
        datasets::validate(&node, &operation, "x").await.unwrap();
        std::fs::write(&rows, "a,b\n1,2\n3,4\n").unwrap();
        let count = || datasets::demand(&node, "x").unwrap().report.unwrap().rows;
        due(&node).await.unwrap();
        assert_eq!(count(), 1, "an hour has not passed");
        let first = state(&node, "x").unwrap().unwrap();
        assert_eq!((first.rows, first.good), (Some(1), Some(first.at)));
        keep_state(&node, "x", &State { at: first.at - 3_601, ..first }).unwrap();
        due(&node).await.unwrap();
        assert_eq!(count(), 2);
        // The look itself is remembered.
        std::fs::write(&rows, "a,b\n").unwrap();
        due(&node).await.unwrap();
        assert_eq!(count(), 2);
        let emptied = refresh(&node, &operation, "x").await.unwrap_err().to_string();
        assert!(emptied.contains("no rows"), "{emptied}");
        assert_eq!((count(), state(&node, "x").unwrap().unwrap().rows), (2, Some(2)));
        crate::boot::close(&node).await;
    }
}
