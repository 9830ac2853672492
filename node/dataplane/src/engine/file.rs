//! Reads a source as a table: text through [`Records`], Parquet through its own reader, one batch at a time on a
//! blocking thread. The file's own header or footer is held against the schema on the same open file that is then
//! read, so that no value can appear under another column's name and mask.
//!
//! There is no listing of directories, no object store, no statistics and no predicate here: a leaf that knows
//! nothing cannot tell anything.

use std::fs::File;
use std::io::Seek;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::csv::ReaderBuilder as CsvReader;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::ReaderBuilder as JsonReader;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use regex::Regex;
use tokio::sync::mpsc::Sender;

use super::arrow_schema;
use crate::inspect::{check_header, check_texts, header, open_parquet, rows_of};
use crate::records::{Framing, Records};
use crate::{Format, Problem, Schema, Source};

/// Batches that the reader may be ahead of the engine.
const BATCHES_AHEAD: usize = 2;

/// What is wrong with a source, as it travels through the engine. It quotes column names of the file, no values.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SourceDefect(pub String);

impl From<Problem> for SourceDefect {
    fn from(problem: Problem) -> Self {
        Self(problem.to_string())
    }
}

fn defect(problem: impl ToString) -> DataFusionError {
    DataFusionError::External(Box::new(SourceDefect(problem.to_string())))
}

/// A source as a table of the engine.
#[derive(Debug)]
pub(crate) struct FileTable {
    source: Arc<Source>,
    schema: Schema,
    arrow: SchemaRef,
}

impl FileTable {
    pub(crate) fn new(source: Source, schema: Schema) -> Self {
        let arrow = arrow_schema(&schema);
        Self { source: Arc::new(source), schema, arrow }
    }
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.arrow)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = match projection {
            Some(places) => places.clone(),
            None => (0..self.arrow.fields().len()).collect(),
        };
        // Counting rows needs no column, but reading them does.
        let read = if wanted.is_empty() { vec![0] } else { wanted.clone() };
        let part = FilePart {
            source: Arc::clone(&self.source),
            schema: self.schema.clone(),
            arrow: Arc::clone(&self.arrow),
            projected: Arc::new(self.arrow.project(&read)?),
            columns: read,
            batch_rows: state.config().batch_size(),
        };
        let schema = Arc::clone(&part.projected);
        let none = wanted.is_empty().then_some(&wanted);
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(part)], none, [], false, limit)?))
    }
}

/// The whole file as the one partition.
#[derive(Debug, Clone)]
struct FilePart {
    source: Arc<Source>,
    schema: Schema,
    arrow: SchemaRef,
    /// Columns that are read, in file order numbers.
    columns: Vec<usize>,
    projected: SchemaRef,
    batch_rows: usize,
}

impl PartitionStream for FilePart {
    fn schema(&self) -> &SchemaRef {
        &self.projected
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.projected), BATCHES_AHEAD);
        let out = builder.tx();
        let part = self.clone();
        builder.spawn_blocking(move || {
            // A decoder that panics on a damaged file must end this answer, not the thread's owner.
            catch_unwind(AssertUnwindSafe(|| part.read(&out)))
                .unwrap_or_else(|_| Err(defect("the reader failed on the file")))
        });
        builder.build()
    }
}

impl FilePart {
    fn read(&self, out: &Sender<Result<RecordBatch>>) -> Result<()> {
        let file = File::open(&self.source.path).map_err(|e| defect(format!("it cannot be opened: {e}")))?;
        match &self.source.format {
            Format::Csv { delimiter, null_text } => {
                self.read_csv(file, *delimiter, null_text.as_deref(), out)
            }
            Format::Ndjson => self.read_json(file, Framing::Lines, out),
            Format::Json => self.read_json(file, Framing::JsonArray, out),
            Format::Parquet => self.read_parquet(file, out),
        }
    }

    fn read_csv(
        &self,
        file: File,
        delimiter: char,
        null_text: Option<&str>,
        out: &Sender<Result<RecordBatch>>,
    ) -> Result<()> {
        let mut records = Records::new(file, Framing::Csv);
        let names = header(&mut records, delimiter).map_err(defect)?;
        check_header(&names, &self.schema).map_err(defect)?;
        let byte = u8::try_from(delimiter).map_err(|_| defect("its delimiter is not one byte"))?;
        let mut reader = CsvReader::new(Arc::clone(&self.arrow))
            .with_header(false)
            .with_delimiter(byte)
            .with_batch_size(self.batch_rows)
            .with_projection(self.columns.clone());
        if let Some(word) = null_text {
            let pattern = Regex::new(&format!("^(?:{})?$", regex::escape(word))).map_err(defect)?;
            reader = reader.with_null_regex(pattern);
        }
        let mut decoder = reader.build_decoder();
        while let Some(block) = records.next_block().map_err(defect)? {
            let mut rest = block;
            while !rest.is_empty() {
                let used = decoder.decode(rest)?;
                rest = rest.get(used..).unwrap_or_default();
                if decoder.capacity() == 0 {
                    let Some(batch) = decoder.flush()? else {
                        return Err(defect("the CSV reader stands still"));
                    };
                    if !send(out, batch) {
                        return Ok(());
                    }
                } else if used == 0 {
                    return Err(defect("the CSV reader stands still"));
                }
            }
        }
        // An empty buffer tells the decoder that the last record is complete without a line end.
        decoder.decode(&[])?;
        if let Some(batch) = decoder.flush()? {
            send(out, batch);
        }
        Ok(())
    }

    fn read_json(&self, file: File, framing: Framing, out: &Sender<Result<RecordBatch>>) -> Result<()> {
        let mut decoder =
            JsonReader::new(Arc::clone(&self.projected)).with_batch_size(self.batch_rows).build_decoder()?;
        let mut records = Records::new(file, framing);
        loop {
            let block = match framing {
                Framing::JsonArray => records.next_record().map_err(defect)?.map(|r| r.bytes),
                _ => records.next_block().map_err(defect)?,
            };
            let Some(mut rest) = block else { break };
            while !rest.is_empty() {
                let used = decoder.decode(rest)?;
                rest = rest.get(used..).unwrap_or_default();
                if !rest.is_empty() {
                    let Some(batch) = decoder.flush()? else {
                        return Err(defect("the JSON reader stands still"));
                    };
                    if !send(out, batch) {
                        return Ok(());
                    }
                }
            }
        }
        if let Some(batch) = decoder.flush()? {
            send(out, batch);
        }
        Ok(())
    }

    fn read_parquet(&self, mut file: File, out: &Sender<Result<RecordBatch>>) -> Result<()> {
        file.rewind()?;
        let builder = open_parquet(file, &self.schema).map_err(defect)?;
        let declared = rows_of(builder.metadata());
        let mask = ProjectionMask::roots(builder.parquet_schema(), self.columns.iter().copied());
        let reader = builder.with_projection(mask).with_batch_size(self.batch_rows).build()?;
        let mut rows = 0u64;
        for batch in reader {
            let batch = batch?;
            check_texts(&batch).map_err(defect)?;
            rows += batch.num_rows() as u64;
            if !send(out, self.as_declared(&batch)?) {
                return Ok(());
            }
        }
        if rows != declared {
            return Err(defect("its footer says another number of rows than its pages hold"));
        }
        Ok(())
    }

    /// The batch in the declared types and order.
    fn as_declared(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let mut columns = Vec::with_capacity(self.projected.fields().len());
        for field in self.projected.fields() {
            let Some(array) = batch.column_by_name(field.name()) else {
                return Err(defect("a column is missing"));
            };
            columns.push(cast_with_options(array, field.data_type(), &strict)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.projected), columns)?)
    }
}

/// `false` when nobody wants more.
fn send(out: &Sender<Result<RecordBatch>>, batch: RecordBatch) -> bool {
    out.blocking_send(Ok(batch)).is_ok()
}
