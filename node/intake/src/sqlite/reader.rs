//! The thread that reads.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use rusqlite::ErrorCode;
use rusqlite::types::{Value, ValueRef};

use super::{file, guard};
use crate::remote::{Deadline, Text, check_columns, check_row, quoted, shrunk, too_slow};
use crate::{Cell, IntakeError, Place, Remark};

/// A batch is sent when it has so many bytes or rows.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_ROWS: usize = 512;

/// What the thread tells.
pub(super) enum Event {
    /// First: names.
    Columns(Vec<String>),
    /// Rows; in a live reading each perhaps with the name of a column whose cell has no form.
    Rows(Vec<(Vec<Cell>, Option<String>)>),
    /// Last: all rows were sent.
    End(Vec<Remark>),
    /// Last: they were not.
    Failed(IntakeError),
}

/// What is read.
pub(super) struct Asked {
    /// The statement.
    pub statement: String,
    /// More of a live reading: there a cell without a form is missing, and does not end it.
    pub live: Option<LiveAsked>,
}

/// What is asked of a live reading besides.
pub(super) struct LiveAsked {
    /// The parameters of the statement.
    pub bound: Vec<Value>,
    /// The columns that are needed.
    pub wanted: Vec<String>,
}

/// Nobody listens any more.
struct Gone;

/// Reads all rows into `send`, until it is closed.
pub(super) fn read(
    path: &Path,
    asked: &Asked,
    deadline: Deadline,
    stop: Arc<AtomicBool>,
    send: &SyncSender<Event>,
) {
    let last = match rows(path, asked, deadline, stop, send) {
        Ok(Ok(remarks)) => Event::End(remarks),
        Ok(Err(Gone)) => return,
        Err(e) => Event::Failed(e),
    };
    // Nobody may listen.
    let _ = send.send(last);
}

fn rows(
    path: &Path,
    asked: &Asked,
    deadline: Deadline,
    stop: Arc<AtomicBool>,
    send: &SyncSender<Event>,
) -> Result<Result<Vec<Remark>, Gone>, IntakeError> {
    let (mut db, still) = file::open(path)?;
    guard::restrict(&mut db, deadline, stop).map_err(|e| failed(&e))?;
    let mut prepared = db.prepare(&asked.statement).map_err(|e| failed(&e))?;
    let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    check_columns(&columns)?;
    if (prepared.parameter_count() > 0 && asked.live.is_none()) || !prepared.readonly() {
        return Err(IntakeError::origin(
            "`query` chỉ được đọc và không có tham số (?)",
            "`query` only reads and has no parameters (?)",
        ));
    }
    if send.send(Event::Columns(columns.clone())).is_err() {
        return Ok(Err(Gone));
    }
    let wanted = asked.live.as_ref().map(|live| live.wanted.clone());
    let mut cells = Cells { columns, text: Text::default(), kinds: Vec::new(), row: 0, wanted };
    let bound = asked.live.iter().flat_map(|live| &live.bound);
    let mut found = prepared.query(rusqlite::params_from_iter(bound)).map_err(|e| failed(&e))?;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.next().map_err(|e| failed(&e))? {
        let row = cells.take(row)?;
        bytes += row.0.iter().flatten().map(String::len).sum::<usize>();
        batch.push(row);
        if bytes >= BATCH_BYTES || batch.len() >= BATCH_ROWS {
            bytes = 0;
            if send.send(Event::Rows(std::mem::take(&mut batch))).is_err() {
                return Ok(Err(Gone));
            }
        }
    }
    if let Some(still) = still {
        still.check()?;
    }
    if send.send(Event::Rows(batch)).is_err() {
        return Ok(Err(Gone));
    }
    Ok(Ok(cells.remarks()))
}

/// Turns values into text and remembers which kinds each column has.
struct Cells {
    columns: Vec<String>,
    text: Text,
    /// Numbers, text: for each column.
    kinds: Vec<(bool, bool)>,
    row: u64,
    /// The columns that are needed, in a live reading.
    wanted: Option<Vec<String>>,
}

impl Cells {
    fn take(&mut self, row: &rusqlite::Row<'_>) -> Result<(Vec<Cell>, Option<String>), IntakeError> {
        self.row += 1;
        self.kinds.resize(self.columns.len(), (false, false));
        let place = Place::row(self.row);
        let mut cells = Vec::with_capacity(self.columns.len());
        let mut formless = None;
        for (i, (name, kinds)) in self.columns.iter().zip(&mut self.kinds).enumerate() {
            // What nobody needs damages no row.
            if self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(name)) {
                cells.push(None);
                continue;
            }
            let value = row.get_ref(i).map_err(|e| failed(&e))?;
            match cell(value, kinds, &mut self.text) {
                Ok(cell) => cells.push(cell),
                Err(_) if self.wanted.is_some() => {
                    formless = Some(name.clone());
                    cells.push(None);
                }
                Err((vi, en)) => return Err(IntakeError::content(place.column(name), vi, en)),
            }
        }
        if self.wanted.is_some() {
            formless = shrunk(&mut cells, &self.columns).or(formless);
            return Ok((cells, formless));
        }
        check_row(&cells, &self.columns, &place).map(|()| (cells, formless))
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut remarks = self.text.remarks();
        let both = self.columns.iter().zip(&self.kinds).filter(|(_, kinds)| **kinds == (true, true));
        let names: Vec<_> = both.map(|(name, _)| quoted(name)).collect();
        if !names.is_empty() {
            let names = names.join("`, `");
            remarks.push(Remark::new(
                "mixed-types",
                format!("cột có cả số và chữ: `{names}`; hãy xem lại, có thể mất số 0 ở đầu mã"),
                format!("columns hold both numbers and text: `{names}`; look at them, codes may have lost leading zeros"),
            ));
        }
        remarks
    }
}

/// A value as the house writes it, and which kinds there were; or why it has no form here, in both languages.
fn cell(
    value: ValueRef<'_>,
    kinds: &mut (bool, bool),
    text: &mut Text,
) -> Result<Cell, (&'static str, &'static str)> {
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Integer(n) => {
            kinds.0 = true;
            Some(n.to_string())
        }
        ValueRef::Real(n) if n.is_finite() => {
            kinds.0 = true;
            Some(n.to_string())
        }
        ValueRef::Real(_) => return Err(("số vô hạn", "an infinite number")),
        ValueRef::Text(bytes) => {
            kinds.1 = true;
            match std::str::from_utf8(bytes) {
                Ok(value) => Some(text.nfc(value)),
                Err(_) => return Err(("không phải chữ UTF-8", "not UTF-8 text")),
            }
        }
        ValueRef::Blob(_) => {
            return Err((
                "dữ liệu nhị phân (BLOB) không đọc được; hãy bỏ cột này khỏi `columns`, hoặc dùng hex() trong `query`",
                "binary data (BLOB) cannot be read; leave the column out of `columns`, or use hex() in a `query`",
            ));
        }
    })
}

fn failed(error: &rusqlite::Error) -> IntakeError {
    let why = quoted(&error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => too_slow(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => IntakeError::unreachable(
            "tệp SQLite đang bị chương trình khác khoá; hãy thử lại sau",
            "another program has locked the SQLite file; try again later",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => IntakeError::origin(
            format!("tệp SQLite bị hỏng: {why}; hãy lấy lại bản sao tốt"),
            format!("the SQLite file is damaged: {why}; bring back a good copy"),
        ),
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            IntakeError::unreachable(
                format!("không đọc được tệp SQLite: {why}"),
                format!("the SQLite file cannot be read: {why}"),
            )
        }
        _ => IntakeError::origin(
            format!("SQLite không nhận: {why}; hãy xem lại `table`, `columns` hoặc `query`"),
            format!("SQLite refuses: {why}; see `table`, `columns` or `query`"),
        ),
    }
}
