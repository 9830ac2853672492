//! Files held against what their contract promises beyond the kinds of columns: keys, values that come once, bounds, rules of
//! quality.
//!
//! CSV is read as it lies. Other forms are first written down as the rows that the node would serve of them, so that there is
//! one way to look at rows, and what is checked is what leaves.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use catalog::DatasetRecord;
use dataplane::{Format, Job, Source};
use intake::profile::{Clock, Surveyed};
use intake::{Cell, Delimiter, Encoding, IntakeError, Origin, Place, Remark, Rows, TextOrigin};

use super::snapshot::{Counted, refused};
use super::{HOME_OFFSET_SECONDS, broken};
use crate::error::{Error, Result};
use crate::limits::SNAPSHOT_BYTES_MAX;
use crate::node::Node;

/// Holds a whole file against its contract, where that promises anything.
pub async fn keeps(
    node: &Node,
    record: &DatasetRecord,
    source: &Source,
    schema: dataplane::Schema,
) -> Result<()> {
    let scratch = node.dir.join("run");
    let promised =
        record.columns.iter().any(|column| !column.promises.is_none()) || !record.quality.is_empty();
    if !promised {
        return Ok(());
    }
    let name = record.id.as_str();
    let _turn = node.locks.lock(&[b"promises/", name.as_bytes()].concat()).await;
    let written = match &source.format {
        Format::Csv { .. } => None,
        // One name for each dataset: what a kill leaves is overwritten by the next check.
        _ => Some(written(source, schema, scratch.join(format!("promises-{name}.csv"))).await?),
    };
    let csv = match (&source.format, &written) {
        (Format::Csv { delimiter, null_text }, _) => {
            text(&source.path, delimiter_of(*delimiter), null_text.iter().cloned().collect())
        }
        (_, path) => {
            let path = path.as_ref().map_or(source.path.as_path(), |written| written.0.as_path());
            text(path, Delimiter::Comma, Vec::new())
        }
    };
    let (record, lines) = (record.clone(), written.is_none());
    let looked = tokio::task::spawn_blocking(move || look(&record, &csv, &scratch, lines)).await;
    looked.map_err(Error::internal)?
}

fn delimiter_of(delimiter: char) -> Delimiter {
    match delimiter {
        ';' => Delimiter::Semicolon,
        '\t' => Delimiter::Tab,
        '|' => Delimiter::Bar,
        _ => Delimiter::Comma,
    }
}

fn text(path: &Path, delimiter: Delimiter, null_text: Vec<String>) -> TextOrigin {
    TextOrigin {
        path: path.to_owned(),
        delimiter: Some(delimiter),
        encoding: Some(Encoding::Utf8),
        header: Some(1),
        null_text,
        ..TextOrigin::default()
    }
}

/// Places are lines of the file where it has lines that people see, else records, counted from 1.
fn look(record: &DatasetRecord, csv: &TextOrigin, scratch: &Path, lines: bool) -> Result<()> {
    let folder = csv.path.parent().unwrap_or(Path::new("."));
    let rows = Origin::Text(csv.clone()).open(folder).map_err(|e| refused(&e))?;
    let rows: Box<dyn Rows> = if lines { rows } else { Box::new(Records(rows)) };
    let mut rows = Surveyed::new(rows, record, scratch).map_err(|e| refused(&e))?;
    let mut row = Vec::new();
    while rows.next(&mut row).map_err(|e| refused(&e))?.is_some() {}
    let clock = Clock { now: 0, changed: None, offset_s: HOME_OFFSET_SECONDS };
    let (_, quality) = rows.finish(clock).map_err(|e| refused(&e))?;
    if quality.passed() { Ok(()) } else { Err(broken(&quality)) }
}

/// Rows under a header of ours, whose places count records.
struct Records(Box<dyn Rows>);

impl Rows for Records {
    fn columns(&self) -> &[String] {
        self.0.columns()
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> std::result::Result<Option<Place>, IntakeError> {
        let place = self.0.next(row)?;
        Ok(place.map(|place| Place { row: place.row.saturating_sub(1), ..place }))
    }

    fn remarks(&self) -> Vec<Remark> {
        self.0.remarks()
    }
}

/// A file that goes with this value.
struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        // Best effort.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// All rows of a file as the node serves them, as CSV.
async fn written(source: &Source, schema: dataplane::Schema, to: PathBuf) -> Result<Written> {
    let written = Written(to);
    let io = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::FileTooLarge => {
            Error::TooLarge(format!("the file holds over {SNAPSHOT_BYTES_MAX} bytes of rows"))
        }
        _ => Error::io(&written.0, e),
    };
    let file = File::create(&written.0).map_err(io)?;
    let mut file = Counted { file: BufWriter::new(file), left: SNAPSHOT_BYTES_MAX };
    let job = Job {
        source: source.clone(),
        schema,
        restriction: dataplane::Restriction::default(),
        query: dataplane::Query::default(),
        format: dataplane::OutputFormat::Csv,
        limits: dataplane::Limits::default(),
        correlation: "promises".to_owned(),
    };
    let failed = |e: dataplane::DataError| Error::internal(e);
    let mut answer = dataplane::run(job).await.map_err(failed)?;
    while let Some(bytes) = answer.next_bytes().await {
        file.write_all(&bytes.map_err(failed)?).map_err(io)?;
    }
    file.flush().map_err(io)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::datasets;
    use crate::operation::{Actor, Operation};

    async fn parquet(csv: &Path, to: &Path) {
        let columns = [("tram", dataplane::ColumnKind::String), ("so", dataplane::ColumnKind::Integer)];
        let columns = columns.iter().map(|(name, kind)| dataplane::Column::new(*name, *kind, true));
        let job = Job {
            source: Source { path: csv.into(), format: Format::Csv { delimiter: ',', null_text: None } },
            schema: dataplane::Schema::new(columns.collect()).unwrap(),
            restriction: dataplane::Restriction::default(),
            query: dataplane::Query::default(),
            format: dataplane::OutputFormat::Parquet,
            limits: dataplane::Limits::default(),
            correlation: "x".into(),
        };
        let (mut answer, mut bytes) = (dataplane::run(job).await.unwrap(), Vec::new());
        while let Some(more) = answer.next_bytes().await {
            bytes.extend_from_slice(&more.unwrap());
        }
        std::fs::write(to, bytes).unwrap();
    }

    #[tokio::test]
    async fn what_a_contract_promises_is_checked_of_every_form() {
        let (dir, node) = crate::testing::node().await;
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("a.csv"), "tram,so\nA,1\n\"BB\",2\nA,3\n").unwrap();
        let rows =
            [json!({"tram": "A", "so": 1}), json!({"tram": "BB", "so": 2}), json!({"tram": "A", "so": 3})];
        std::fs::write(file("a.json"), json!(rows).to_string()).unwrap();
        let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
        std::fs::write(file("a.ndjson"), lines.join("\n")).unwrap();
        parquet(&file("a.csv"), &file("a.parquet")).await;
        let operation = Operation::begin(Actor::Local, &node.clock);
        for (form, second) in [("csv", "row 3"), ("json", "row 2"), ("ndjson", "row 2"), ("parquet", "row 2")]
        {
            let new = json!({"path": file(&format!("a.{form}")), "name": form});
            let added = datasets::add(&node, &operation, serde_json::from_value(new).unwrap()).await.unwrap();
            let contract = added.dataset.contract_path(&node);
            datasets::validate(&node, &operation, form).await.unwrap();
            let text = std::fs::read_to_string(&contract).unwrap();
            let promising = |promise: &str| {
                let text = text.replace("- name: tram\n", &format!("- name: tram\n    {promise}\n"));
                std::fs::write(&contract, text).unwrap();
            };
            for (promise, why) in [("unique: true", "`tram`"), ("logicalTypeOptions: {maxLength: 1}", second)]
            {
                promising(promise);
                let told = datasets::validate(&node, &operation, form).await.unwrap_err().to_string();
                assert!(told.contains(why), "{form}: {told}");
            }
            promising("logicalTypeOptions: {maxLength: 2}");
            datasets::validate(&node, &operation, form).await.unwrap();
        }
        let left = std::fs::read_dir(dir.path().join("node/run")).unwrap().count();
        assert_eq!(left, 0, "what was written down to be checked is still there");
        crate::boot::close(&node).await;
    }
}
