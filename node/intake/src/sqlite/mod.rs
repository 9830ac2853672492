//! SQLite: a table, or one query, of a database file.
//!
//! **How.** The file is opened read-only with `query_only`; an authorizer lets a statement read and nothing else (no
//! `ATTACH`, no `PRAGMA`, no extensions), the schema's own functions are not trusted, and a progress handler stops what
//! runs too long. A file in WAL mode that nobody has open is read as immutable, so that no file is made beside it; that
//! it stayed the same is looked at in the end.
//!
//! **What it is not.** It guesses no types: SQLite keeps a type with each value, and columns that mix text and numbers
//! are a remark. Values are read on a thread of their own, which ends with the reading.

mod file;
mod guard;
mod live;
mod reader;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{CHECK_SECONDS, QUERY_BYTES_MAX, READ_SECONDS};
use crate::remote::{Deadline, check_columns, quoted, too_slow};
use crate::{Cell, Health, IntakeError, Place, Remark, Rows, Said};
use reader::{Asked, Event, LiveAsked};
use rusqlite::types::Value;

/// A table or a query of a SQLite file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sqlite {
    /// The file.
    pub file: PathBuf,
    /// Name of the table or view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Columns of the table to take, in this order; without it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// One statement that reads, in place of `table`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Longest time of one reading, seconds.
    #[serde(default = "default_seconds")]
    pub seconds_max: u64,
}

fn default_seconds() -> u64 {
    READ_SECONDS
}

impl Sqlite {
    /// Looks for what contradicts itself.
    ///
    /// # Errors
    /// [`IntakeError::Origin`].
    pub fn validate(&self) -> Result<(), IntakeError> {
        self.statement().map(|_| ())
    }

    fn statement(&self) -> Result<String, IntakeError> {
        let statement = match (&self.table, &self.query) {
            (Some(table), None) => {
                if let Some(columns) = &self.columns {
                    check_columns(columns)?;
                }
                let names = self
                    .columns
                    .as_ref()
                    .map(|names| names.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", "));
                format!("SELECT {} FROM {}", names.as_deref().unwrap_or("*"), identifier(table))
            }
            (None, Some(query)) if self.columns.is_none() => query.clone(),
            _ => String::new(),
        };
        if statement.is_empty() || statement.len() > QUERY_BYTES_MAX || statement.contains('\0') {
            return Err(IntakeError::origin(
                format!("cần đúng một trong hai: `table` hoặc `query` (tối đa {QUERY_BYTES_MAX} byte)"),
                format!("exactly one is needed: `table`, or `query` (at most {QUERY_BYTES_MAX} bytes)"),
            ));
        }
        Ok(statement)
    }

    /// Opens it.
    ///
    /// # Errors
    /// Every [`IntakeError`].
    pub fn open(&self, base: &Path) -> Result<Box<dyn Rows>, IntakeError> {
        SqliteRows::open(self, base, self.seconds_max).map(|rows| Box::new(rows) as Box<dyn Rows>)
    }

    /// Opens the file and says what is there.
    ///
    /// # Errors
    /// Every [`IntakeError`].
    pub fn check(&self, base: &Path) -> Result<Health, IntakeError> {
        let columns = SqliteRows::open(self, base, CHECK_SECONDS)?.columns.clone();
        let rows_estimate = self.table.as_ref().and_then(|table| {
            // The largest row number stands at the end of the table; views have none.
            let query = Some(format!("SELECT max(rowid) FROM {}", identifier(table)));
            let last = Self { table: None, columns: None, query, ..self.clone() };
            let mut row = Vec::new();
            SqliteRows::open(&last, base, CHECK_SECONDS).ok()?.next(&mut row).ok()??;
            row.first()?.as_ref()?.parse().ok()
        });
        let (version, n) = (rusqlite::version(), columns.len());
        let what = self.table.as_ref().map(|table| quoted(table)).unwrap_or_else(|| "query".into());
        let found = Said::new(
            format!("SQLite {version}: `{what}` đọc được, {n} cột"),
            format!("SQLite {version}: `{what}` can be read, {n} columns"),
        );
        Ok(Health { said: found, columns, rows_estimate, ..Health::default() })
    }
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Rows that the thread of a reading sends.
struct SqliteRows {
    columns: Vec<String>,
    events: Option<Receiver<Event>>,
    batch: std::vec::IntoIter<(Vec<Cell>, Option<String>)>,
    remarks: Vec<Remark>,
    row: u64,
    deadline: Deadline,
    stop: Arc<AtomicBool>,
}

impl SqliteRows {
    fn open(origin: &Sqlite, base: &Path, seconds: u64) -> Result<Self, IntakeError> {
        let asked = Asked { statement: origin.statement()?, live: None };
        Self::start(base.join(&origin.file), asked, seconds)
    }

    /// The rows of a statement of ours with its parameters, for a live reading.
    fn live(
        origin: &Sqlite,
        base: &Path,
        statement: String,
        bound: Vec<Value>,
        wanted: Vec<String>,
    ) -> Result<Self, IntakeError> {
        let asked = Asked { statement, live: Some(LiveAsked { bound, wanted }) };
        Self::start(base.join(&origin.file), asked, origin.seconds_max)
    }

    fn start(file: PathBuf, asked: Asked, seconds: u64) -> Result<Self, IntakeError> {
        let deadline = Deadline::after(seconds);
        let stop = Arc::new(AtomicBool::new(false));
        let (send, events) = sync_channel(2);
        let stopped = stop.clone();
        let read = move || reader::read(&file, &asked, deadline, stopped, &send);
        std::thread::Builder::new()
            .name("sqlite".into())
            .spawn(read)
            .map_err(|e| IntakeError::unreachable(e.to_string(), e.to_string()))?;
        let mut rows = Self {
            columns: Vec::new(),
            events: Some(events),
            batch: Vec::new().into_iter(),
            remarks: Vec::new(),
            row: 0,
            deadline,
            stop,
        };
        match rows.event()? {
            Event::Columns(columns) => rows.columns = columns,
            Event::Failed(e) => return Err(e),
            Event::Rows(_) | Event::End(_) => return Err(too_slow()),
        }
        Ok(rows)
    }

    fn event(&mut self) -> Result<Event, IntakeError> {
        let Some(events) = &self.events else { return Ok(Event::End(std::mem::take(&mut self.remarks))) };
        let left = self.deadline.left(Duration::from_secs(READ_SECONDS))?;
        events.recv_timeout(left).map_err(|_| too_slow())
    }

    fn step(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        loop {
            if let Some((mut next, column)) = self.batch.next() {
                row.append(&mut next);
                self.row += 1;
                return Ok(Some(Place { column, ..Place::row(self.row) }));
            }
            match self.event()? {
                Event::Rows(rows) => self.batch = rows.into_iter(),
                Event::Failed(e) => return Err(e),
                Event::Columns(_) => {}
                Event::End(remarks) => {
                    self.remarks = remarks;
                    return Ok(None);
                }
            }
        }
    }
}

impl Rows for SqliteRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<Option<Place>, IntakeError> {
        row.clear();
        let place = self.step(row);
        if !matches!(place, Ok(Some(_))) {
            self.events = None;
        }
        place
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }
}

impl Drop for SqliteRows {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
