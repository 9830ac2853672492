//! Answers a request: checks it, plans it in a sandbox of its own, and gives bytes as the rows come.
//!
//! **Promises.** The same job over the same file gives the same bytes, and hidden rows move none of them. Nothing is read before restriction and query
//! are checked. What the engine says about data never leaves: the caller gets a reference, the log gets the kind of the
//! failure (its text is cut at the first quoted value, since logs may hold no personal data either).

use std::time::Duration;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::BatchCoalescer;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execute_stream;
use futures::{Stream, StreamExt};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

use crate::encode::{BATCH_ROWS, EncodeError, Encoder};
use crate::engine::ask::Ask;
use crate::engine::file::{FileTable, SourceDefect};
use crate::engine::view::View;
use crate::engine::{plan, session};
use crate::{DataError, Limits, OutputFormat, Query, Restriction, Schema, Source};

/// Everything that one answer needs.
#[derive(Debug, Clone)]
pub struct Job {
    /// The file.
    pub source: Source,
    /// Its schema, as registered and validated.
    pub schema: Schema,
    /// What the decision allows.
    pub restriction: Restriction,
    /// What the consumer asks.
    pub query: Query,
    /// How the answer is written.
    pub format: OutputFormat,
    /// What the answer may cost.
    pub limits: Limits,
    /// Id under which a failure is found in the local log.
    pub correlation: String,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Rows given.
    pub rows: u64,
    /// Bytes given.
    pub bytes: u64,
    /// Whether the restriction's `max_rows` cut it though there was more.
    pub capped: bool,
    /// Whether it came to its end.
    pub complete: bool,
}

/// The columns that a restriction leaves visible, as a catalog shows them.
///
/// # Errors
/// [`DataError::Restriction`] when it does not fit the schema.
pub fn visible_schema(schema: &Schema, restriction: &Restriction) -> Result<Schema, DataError> {
    View::new(schema, restriction)?.schema()
}

/// The columns of the answer to a query, without reading anything: a full check of both.
///
/// # Errors
/// [`DataError::Restriction`], [`DataError::Query`] or [`DataError::NotVisible`].
pub fn output_schema(schema: &Schema, restriction: &Restriction, query: &Query) -> Result<Schema, DataError> {
    Ok(Ask::new(&View::new(schema, restriction)?.with_times(query)?, query)?.output)
}

/// Checks and starts a job. Its rows come through [`Answer`].
///
/// # Errors
/// As [`output_schema`]; [`DataError::Source`] when the format is not one; [`DataError::Computation`].
pub async fn run(job: Job) -> Result<Answer, DataError> {
    let view = View::new(&job.schema, &job.restriction)?.with_times(&job.query)?;
    let ask = Ask::new(&view, &job.query)?;
    let reporter = Reporter { correlation: job.correlation, limits: job.limits };
    if let Err(what) = job.source.format.check() {
        return Err(reporter.source(what));
    }
    let deadline = reporter.deadline();
    let table = Arc::new(FileTable::new(job.source, job.schema));
    let planned = async {
        let state = session::sandbox(&reporter.limits)?;
        let logical = plan::request(table, &view, &ask, &state)?;
        let physical = state.create_physical_plan(&logical).await?;
        execute_stream(physical, Arc::new(TaskContext::from(&state)))
    };
    let batches = planned.await.map_err(|e| reporter.engine(&e))?;
    Answer::of(batches, ask.output, job.format, view.max_rows, deadline, reporter)
}

/// Longest timeout: a deadline further away cannot be told from none.
const TIMEOUT_MAX: Duration = Duration::from_secs(30 * 86_400);

/// An answer on its way.
pub struct Answer {
    schema: Schema,
    batches: SendableRecordBatchStream,
    gathered: BatchCoalescer,
    /// Whether no more rows come.
    drained: bool,
    /// Gone when the last bytes were given or an error ended the answer.
    encoder: Option<Encoder>,
    max_rows: Option<u64>,
    deadline: Instant,
    reporter: Reporter,
    outcome: Outcome,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("schema", &self.schema)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Rows on their way, to be written in this format.
    pub(crate) fn of(
        batches: SendableRecordBatchStream,
        schema: Schema,
        format: OutputFormat,
        max_rows: Option<u64>,
        deadline: Instant,
        reporter: Reporter,
    ) -> Result<Self, DataError> {
        let scratch = reporter.limits.scratch_dir.as_deref();
        let encoder = Encoder::new(format, &batches.schema(), scratch).map_err(|e| reporter.encoding(&e))?;
        Ok(Self {
            schema,
            gathered: BatchCoalescer::new(batches.schema(), BATCH_ROWS),
            drained: false,
            batches,
            encoder: Some(encoder),
            max_rows,
            deadline,
            reporter,
            outcome: Outcome::default(),
        })
    }

    /// The answer's columns.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What was given so far; final when `complete`.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The next bytes, never none of them; nothing after the last and after an error.
    pub async fn next_bytes(&mut self) -> Option<Result<Bytes, DataError>> {
        let step = self.step().await;
        if step.is_err() {
            self.encoder = None;
        }
        step.transpose()
    }

    /// The answer as a stream of bytes. Take [`Answer::next_bytes`] where the outcome matters.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, DataError>> + Send {
        futures::stream::unfold(self, |mut answer| async move {
            let item = answer.next_bytes().await?;
            Some((item, answer))
        })
    }

    async fn step(&mut self) -> Result<Option<Bytes>, DataError> {
        while self.encoder.is_some() {
            let rows = self.next_rows().await?;
            let bytes = match (rows, &mut self.encoder) {
                (Some(batch), Some(encoder)) => {
                    encoder.encode(&batch).map_err(|e| self.reporter.encoding(&e))?
                }
                _ => self.last_bytes()?,
            };
            self.outcome.bytes += bytes.len() as u64;
            self.reporter.check_bytes(self.outcome.bytes)?;
            if !bytes.is_empty() {
                return Ok(Some(Bytes::from(bytes)));
            }
        }
        Ok(None)
    }

    /// The columns for the engine.
    pub(crate) fn arrow_schema(&self) -> SchemaRef {
        self.batches.schema()
    }

    /// A failure of whoever writes the rows, as it may be told.
    pub(crate) fn not_encoded(&self, error: &EncodeError) -> DataError {
        self.reporter.encoding(error)
    }

    /// The next rows in batches of one size, whatever sizes they come in.
    pub(crate) async fn next_rows(&mut self) -> Result<Option<RecordBatch>, DataError> {
        loop {
            if let Some(batch) = self.gathered.next_completed_batch() {
                return Ok(Some(batch));
            }
            if self.drained {
                return Ok(None);
            }
            let next = match self.outcome.capped {
                true => None,
                false => next_batch(&mut self.batches, self.deadline, &self.reporter).await?,
            };
            let gathered = match next {
                Some(batch) => {
                    let batch = count_rows(batch, self.max_rows, &mut self.outcome);
                    self.reporter.check_rows(self.outcome.rows)?;
                    if batch.num_rows() == BATCH_ROWS && self.gathered.is_empty() {
                        // As it would be gathered, without a copy.
                        return Ok(Some(batch));
                    }
                    self.gathered.push_batch(batch)
                }
                None => {
                    self.drained = true;
                    self.gathered.finish_buffered_batch()
                }
            };
            gathered.map_err(|e| self.reporter.encoding(&e.into()))?;
        }
    }

    fn last_bytes(&mut self) -> Result<Vec<u8>, DataError> {
        let Some(encoder) = self.encoder.take() else { return Ok(Vec::new()) };
        let bytes = encoder.finish().map_err(|e| self.reporter.encoding(&e))?;
        self.outcome.complete = true;
        Ok(bytes)
    }
}

async fn next_batch(
    batches: &mut SendableRecordBatchStream,
    deadline: Instant,
    reporter: &Reporter,
) -> Result<Option<RecordBatch>, DataError> {
    // A stream that is always ready would never meet the timer.
    if Instant::now() >= deadline {
        return Err(reporter.timeout());
    }
    match timeout_at(deadline, batches.next()).await {
        Ok(batch) => batch.transpose().map_err(|e| reporter.engine(&e)),
        Err(_) => Err(reporter.timeout()),
    }
}

/// Counts the batch's rows, and cuts it where the restriction ends the answer.
fn count_rows(batch: RecordBatch, max_rows: Option<u64>, outcome: &mut Outcome) -> RecordBatch {
    let rows = batch.num_rows();
    let room = max_rows.map_or(u64::MAX, |max| max.saturating_sub(outcome.rows));
    let kept = usize::try_from(room).map_or(rows, |room| rows.min(room));
    outcome.capped = kept < rows;
    outcome.rows += kept as u64;
    if kept < rows { batch.slice(0, kept) } else { batch }
}

/// Turns failures into what may be said, and the rest into the log.
pub(crate) struct Reporter {
    correlation: String,
    limits: Limits,
}

impl Reporter {
    pub(crate) fn new(correlation: String, limits: Limits) -> Self {
        Self { correlation, limits }
    }

    /// When an answer that begins now must be at its end.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.limits.timeout.min(TIMEOUT_MAX)
    }

    pub(crate) fn timeout(&self) -> DataError {
        DataError::Quota { unit: "seconds", max: self.limits.timeout.as_secs() }
    }

    fn check_rows(&self, rows: u64) -> Result<(), DataError> {
        if rows > self.limits.rows_max {
            return Err(DataError::Quota { unit: "rows", max: self.limits.rows_max });
        }
        Ok(())
    }

    fn check_bytes(&self, bytes: u64) -> Result<(), DataError> {
        if bytes > self.limits.bytes_max {
            return Err(DataError::Quota { unit: "bytes", max: self.limits.bytes_max });
        }
        Ok(())
    }

    fn source(&self, what: &str) -> DataError {
        tracing::error!(correlation = %self.correlation, what, "the data source cannot be used");
        DataError::Source { correlation: self.correlation.clone() }
    }

    fn encoding(&self, error: &EncodeError) -> DataError {
        match error {
            EncodeError::Sheet(what) => DataError::Query(format!(
                "a sheet cannot hold the answer, which has {what}; narrow the query, or ask for CSV or Parquet"
            )),
            other => self.computation(&other.to_string()),
        }
    }

    pub(crate) fn engine(&self, error: &DataFusionError) -> DataError {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => {
                DataError::Quota { unit: "bytes of memory", max: self.limits.memory_bytes as u64 }
            }
            DataFusionError::External(cause) => match cause.downcast_ref::<SourceDefect>() {
                Some(defect) => self.source(&defect.0),
                None => self.computation(&cause.to_string()),
            },
            other => self.computation(&other.to_string()),
        }
    }

    fn computation(&self, text: &str) -> DataError {
        tracing::error!(correlation = %self.correlation, what = without_values(text), "the view could not be computed");
        DataError::Computation { correlation: self.correlation.clone() }
    }
}

/// The part of an engine's text before it quotes anything: values come behind a quote, a bracket or a number.
fn without_values(text: &str) -> &str {
    let end = text.find(|c: char| matches!(c, '\'' | '"' | '`' | '[' | '{' | '(' | '\n') || c.is_numeric());
    text.get(..end.unwrap_or(text.len()).min(200)).unwrap_or("an engine error").trim_end()
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn a_log_line_quotes_no_value() {
        for text in [
            "Parser error: Error while parsing value 'SECRET' as type 'Int64' for column 3",
            "Cast error: Cannot cast string 'SECRET' to value of Int32 type",
            "expected value {\"a\": SECRET}",
            "Row data: [SECRET]",
        ] {
            assert!(!without_values(text).contains("SECRET"), "{text}");
        }
        assert_eq!(without_values("Arrow error: Divide by zero error"), "Arrow error: Divide by zero error");
    }
}
