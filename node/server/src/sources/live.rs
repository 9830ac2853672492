//! Live sources: the rows of a question are read from the origin when it is asked.
//!
//! **What it is.** The columns and rows that one answer needs ([`dataplane::narrowing`]) are read in one transaction into a
//! file of that exchange, and the governed view runs over this file: policy, masks, groups and the consumer's conditions are
//! all applied there, whatever the origin applied already. The file is complete before a chunk leaves, so a cut in the
//! middle makes the same chunks again; it goes when the answer is signed. No answer is made of rows that were read for another.
//!
//! **Why a file between.** A consumer's line may take days, and a transaction must not; rows are held against the contract
//! before anything leaves; and what a restart makes again is what was handed out already.
//!
//! **Promise.** Whether an answer fails for what the rows hold depends on rows that the policy shows, and on no others. What
//! is wrong with them is told to the steward, never to who asks.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use dataplane::{DataError, Job, Narrowing, Op, Query, Restriction};
use intake::Cell;
use intake::live::{Comparison, Condition, Given, Wanted};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::snapshot::{Counted, refused};
use super::{Description, description_path, keep_state, state, turn};
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::files;
use crate::limits::{LIVE_SECONDS, SNAPSHOT_BYTES_MAX};
use crate::node::Node;

/// How a state's problem begins that a live reading left.
const LIVE: &str = "live: ";
/// Most defects that are told.
const TOLD_MAX: usize = 20;

/// The rows of one question.
#[derive(Debug)]
pub struct Reading {
    folder: PathBuf,
}

impl Reading {
    /// The file.
    pub fn source(&self) -> dataplane::Source {
        read_in(&self.folder)
    }

    /// The answer is made; its rows are needed no more.
    pub fn done(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, "the rows of a live question could not be removed yet; the sweep comes back");
        }
    }
}

/// Complete rows, and the same while they are written; rows with cells that have no form; and what was asked.
const ROWS: &str = "rows.csv";
const PART: &str = "rows.part";
const DEFECTS: &str = "defects.csv";
const ASKED: &str = "asked.json";

/// The rows that were read into a folder.
pub(super) fn read_in(folder: &Path) -> dataplane::Source {
    rows_of(&folder.join(ROWS))
}

fn rows_of(path: &Path) -> dataplane::Source {
    dataplane::Source {
        path: path.to_owned(),
        format: dataplane::Format::Csv { delimiter: ',', null_text: None },
    }
}

/// The description of a dataset whose questions are put to its source, if it is one.
pub fn described(node: &Node, dataset: &Dataset) -> Result<Option<Description>> {
    let name = dataset.record.id.as_str();
    let path = description_path(node, name);
    if !path.exists() {
        return whole(node, name).map(|()| None);
    }
    let described = Description::read(&path)?;
    if described.live {
        return Ok(Some(described));
    }
    whole(node, name).map(|()| None)
}

/// Whether what lies in the node is all rows, and not the first of a source that was live.
fn whole(node: &Node, name: &str) -> Result<()> {
    if state(node, name)?.is_some_and(|state| state.sample) {
        return Err(Error::conflict(format!(
            "only the first rows of `{name}` are here, since it was live; run `tram source refresh {name}`"
        )));
    }
    Ok(())
}

/// Reads what a job needs into a folder, or finds that it was read before a restart. The caller holds a place among the views
/// that are computed at once: so many logins to origins there are at most.
pub async fn read(node: &Node, dataset: &Dataset, job: &Job, folder: PathBuf) -> Result<Option<Reading>> {
    let Some(described) = described(node, dataset)? else { return Ok(None) };
    let narrowed = dataplane::narrowing(job).await.map_err(Error::internal)?;
    let asked = asked(&described, dataset, &narrowed)?;
    let reading = Reading { folder };
    if std::fs::read(reading.folder.join(ASKED)).is_ok_and(|bytes| bytes == asked) {
        return Ok(Some(reading));
    }
    let name = dataset.record.id.as_str();
    let done = fetch(&described, &dataset.record, job, &narrowed, &reading.folder).await;
    let done = done.and_then(|_| files::write_atomic(&reading.folder.join(ASKED), &asked));
    let problem = match &done {
        Ok(()) => None,
        Err(error) => Some(format!("{LIVE}{error}")),
    };
    told(node, name, problem).await?;
    match done {
        Ok(()) => Ok(Some(reading)),
        // The reasons may quote rows: they are in the state of the source, for the agency's own people.
        Err(_) => Err(Error::internal(format!(
            "the live source of {name} could not be read; see tram source show {name}"
        ))),
    }
}

/// What was asked of which source, as it is told from another question after a restart. Values of conditions are digested:
/// they are the consumer's affair.
fn asked(described: &Description, dataset: &Dataset, narrowed: &Narrowing) -> Result<Vec<u8>> {
    let origin = serde_json::to_value(&described.origin).map_err(Error::internal)?;
    let conditions = json!([narrowed.policy, narrowed.asked]).to_string();
    let asked = json!({
        "origin": origin,
        "columns": narrowed.columns,
        "conditions_sha256": files::hex(&Sha256::digest(conditions.as_bytes())),
        "limit": narrowed.limit,
        "version": dataset.record.version,
        "contract": dataset.record.contract_digest,
    });
    serde_json::to_vec_pretty(&asked).map_err(Error::internal)
}

/// Keeps what went wrong with the source, or that it goes well again.
async fn told(node: &Node, name: &str, problem: Option<String>) -> Result<()> {
    let _turn = node.locks.lock(&turn(name)).await;
    let Some(mut state) = state(node, name)? else { return Ok(()) };
    let goes_well = problem.is_none();
    if goes_well && !state.problem.as_deref().is_some_and(|text| text.starts_with(LIVE)) {
        return Ok(());
    }
    state.problem_at = (!goes_well).then(|| node.clock.now());
    state.problem = problem;
    keep_state(node, name, &state)
}

/// Reads what is needed into a folder that is made anew.
pub(super) async fn fetch(
    described: &Description,
    record: &catalog::DatasetRecord,
    job: &Job,
    narrowed: &Narrowing,
    folder: &Path,
) -> Result<Written> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    files::make_private_dir(folder)?;
    let wanted = wanted(record, narrowed);
    let (live, schema, to) = (described.clone(), job.schema.clone(), folder.to_owned());
    let written = tokio::task::spawn_blocking(move || write(&live, &wanted, &schema, &to));
    let written = written.await.map_err(Error::internal)??;
    if !written.defects.is_empty() && shown(job, &folder.join(DEFECTS)).await? {
        return Err(Error::usage(format!(
            "rows of the source do not keep their contract:\n{}",
            written.defects.join("\n")
        )));
    }
    if let Some(first) = written.defects.first() {
        tracing::warn!(
            dataset = record.id.as_str(),
            first,
            "rows of the source do not keep their contract; the policy shows none of them, so the question is answered"
        );
    }
    files::remove(&folder.join(DEFECTS))?;
    let (part, rows) = (folder.join(PART), folder.join(ROWS));
    std::fs::rename(&part, &rows).map_err(|e| Error::io(&rows, e))?;
    let (policy, asked) = written.pushed;
    tracing::info!(
        dataset = record.id.as_str(),
        rows = written.rows,
        policy,
        asked,
        "a live source was read; the last two are conditions that it applied itself"
    );
    Ok(written)
}

/// Whether the policy shows a row of this file at all.
async fn shown(job: &Job, path: &Path) -> Result<bool> {
    let restriction =
        Restriction { row_filter: job.restriction.row_filter.clone(), ..Restriction::default() };
    let count = Job {
        source: rows_of(path),
        restriction,
        query: Query { limit: Some(1), ..Query::default() },
        format: dataplane::OutputFormat::Csv,
        ..job.clone()
    };
    let failed = |e: DataError| Error::internal(e);
    let mut answer = dataplane::run(count).await.map_err(failed)?;
    while let Some(bytes) = answer.next_bytes().await {
        bytes.map_err(failed)?;
    }
    Ok(answer.outcome().rows > 0)
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    /// Rows that came.
    pub rows: u64,
    /// The first defects, for the steward.
    defects: Vec<String>,
    /// Conditions of the policy and of who asks that the source applied.
    pub pushed: (usize, usize),
}

type Writer = csv::Writer<Counted>;

fn writer(path: &Path) -> Result<Writer> {
    let file = File::create(path).map_err(|e| Error::io(path, e))?;
    Ok(csv::WriterBuilder::new()
        .from_writer(Counted { file: BufWriter::new(file), left: SNAPSHOT_BYTES_MAX }))
}

/// All columns of the contract, empty where they are not needed; rows with a defect once more in a file of their own.
fn write(
    described: &Description,
    wanted: &Wanted,
    schema: &dataplane::Schema,
    folder: &Path,
) -> Result<Written> {
    let mut live =
        described.within(LIVE_SECONDS).open_live(&described.base, wanted).map_err(|e| refused(&e))?;
    let place = |name: &str| live.rows.columns().iter().position(|found| found == name);
    // A column that is not there any more must not read as one without values: conditions of the rules may be over it.
    if let Some(gone) = wanted.columns.iter().find(|name| place(name.as_str()).is_none()) {
        return Err(Error::conflict(format!(
            "the source has no column `{gone}` any more (it has {}); names are told apart by their letters' case",
            live.rows.columns().join(", ")
        )));
    }
    let places: Vec<Option<usize>> = schema
        .columns()
        .iter()
        .map(|column| wanted.columns.contains(&column.name).then(|| place(&column.name)).flatten())
        .collect();
    let (part, aside) = (folder.join(PART), folder.join(DEFECTS));
    let (mut rows, mut defects) = (writer(&part)?, writer(&aside)?);
    let full = |e: csv::Error| match e.into_kind() {
        csv::ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::FileTooLarge => {
            Error::TooLarge(format!("the question reads over {SNAPSHOT_BYTES_MAX} bytes of the source"))
        }
        csv::ErrorKind::Io(e) => Error::io(&part, e),
        other => Error::internal(format!("{other:?}")),
    };
    let names: Vec<&str> = schema.columns().iter().map(|column| column.name.as_str()).collect();
    rows.write_record(&names).map_err(full)?;
    defects.write_record(&names).map_err(full)?;
    let mut written = Written { rows: 0, defects: Vec::new(), pushed: live.pushed };
    let mut row = Vec::new();
    while let Some(place) = live.rows.next(&mut row).map_err(|e| refused(&e))? {
        let formless = place.column.filter(|name| wanted.columns.contains(name));
        let mut defect = formless.map(|name| format!("column `{name}`: the value has no form here"));
        let out = in_columns(&row, &places, schema, &mut defect);
        let record = || out.iter().map(|cell| cell.unwrap_or_default());
        rows.write_record(record()).map_err(full)?;
        if let Some(defect) = defect {
            defects.write_record(record()).map_err(full)?;
            if written.defects.len() < TOLD_MAX {
                written.defects.push(format!("  row {} of the reading, {defect}", place.row));
            }
        }
        written.rows += 1;
    }
    for (writer, path) in [(rows, &part), (defects, &aside)] {
        let mut counted = writer.into_inner().map_err(|e| Error::internal(e.to_string()))?;
        let synced = std::io::Write::flush(&mut counted).and_then(|()| counted.file.get_ref().sync_all());
        synced.map_err(|e| Error::io(path, e))?;
    }
    Ok(written)
}

/// The row in the contract's columns. What is not of its kind is left empty and told: a row whose filter column is
/// damaged is not shown.
fn in_columns<'r>(
    row: &'r [Cell],
    places: &[Option<usize>],
    schema: &dataplane::Schema,
    defect: &mut Option<String>,
) -> Vec<Option<&'r str>> {
    let mut out = Vec::with_capacity(places.len());
    for (column, place) in schema.columns().iter().zip(places) {
        let Some(place) = place else {
            out.push(None);
            continue;
        };
        let cell = row.get(*place).and_then(Option::as_deref).filter(|text| !text.is_empty());
        let fits = cell.is_none_or(|text| column.kind.accepts(text));
        if !fits {
            *defect = Some(format!("column `{}`: not of the kind `{}`", column.name, column.kind));
        } else if cell.is_none() && !column.nullable {
            defect
                .get_or_insert_with(|| format!("column `{}`: no value, though one is required", column.name));
        }
        out.push(cell.filter(|_| fits));
    }
    out
}

/// The same in the words of the reader.
fn wanted(record: &catalog::DatasetRecord, narrowed: &Narrowing) -> Wanted {
    let condition = |predicate: &dataplane::Predicate| {
        let kind = record.columns.iter().find(|column| column.name == predicate.column)?.kind;
        let comparison = comparison(predicate.op)?;
        let values = predicate.values.iter().map(given).collect();
        Some(Condition { column: predicate.column.clone(), kind, comparison, values })
    };
    Wanted {
        all: record.columns.iter().map(|column| column.name.clone()).collect(),
        columns: narrowed.columns.clone(),
        policy: narrowed.policy.iter().filter_map(condition).collect(),
        asked: narrowed.asked.iter().filter_map(condition).collect(),
        limit: narrowed.limit,
    }
}

fn comparison(op: Op) -> Option<Comparison> {
    Some(match op {
        Op::Eq => Comparison::Equal,
        Op::Ne => Comparison::Unequal,
        Op::Lt => Comparison::Less,
        Op::Le => Comparison::LessOrEqual,
        Op::Gt => Comparison::Greater,
        Op::Ge => Comparison::GreaterOrEqual,
        Op::In => Comparison::In,
        Op::Between => Comparison::Between,
        Op::StartsWith => Comparison::StartsWith,
        Op::IsNull => Comparison::Missing,
        Op::IsNotNull => Comparison::Present,
        Op::NotIn | Op::NotBetween | Op::NotStartsWith => return None,
    })
}

fn given(value: &dataplane::Value) -> Given {
    match value {
        dataplane::Value::Boolean(b) => Given::Boolean(*b),
        dataplane::Value::Integer(n) => Given::Integer(*n),
        dataplane::Value::Number(n) => Given::Number(*n),
        dataplane::Value::Text(text) => Given::Text(text.clone()),
    }
}
