//! The thread that reads.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use rusqlite::ErrorCode;
use rusqlite::types::ValueRef;

use super::{file, guard};
use crate::remote::{Deadline, Text, check_columns, check_row, quoted, too_slow};
use crate::{Cell, IntakeError, Place, Remark};

/// A batch is sent when it has so many bytes or rows.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_ROWS: usize = 512;

/// What the thread tells.
pub(super) enum Event {
    /// First: names.
    Columns(Vec<String>),
    /// Rows.
    Rows(Vec<Vec<Cell>>),
    /// Last: all rows were sent.
    End(Vec<Remark>),
    /// Last: they were not.
    Failed(IntakeError),
}

/// Nobody listens any more.
struct Gone;

/// Reads all rows into `send`, until it is closed.
pub(super) fn read(
    path: &Path,
    statement: &str,
    deadline: Deadline,
    stop: Arc<AtomicBool>,
    send: &SyncSender<Event>,
) {
    let last = match rows(path, statement, deadline, stop, send) {
        Ok(Ok(remarks)) => Event::End(remarks),
        Ok(Err(Gone)) => return,
        Err(e) => Event::Failed(e),
    };
    // Nobody may listen.
    let _ = send.send(last);
}

fn rows(
    path: &Path,
    statement: &str,
    deadline: Deadline,
    stop: Arc<AtomicBool>,
    send: &SyncSender<Event>,
) -> Result<Result<Vec<Remark>, Gone>, IntakeError> {
    let (mut db, still) = file::open(path)?;
    guard::restrict(&mut db, deadline, stop).map_err(|e| failed(&e))?;
    let mut prepared = db.prepare(statement).map_err(|e| failed(&e))?;
    let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    check_columns(&columns)?;
    if prepared.parameter_count() > 0 || !prepared.readonly() {
        return Err(IntakeError::origin(
            "`query` chỉ được đọc và không có tham số (?)",
            "`query` only reads and has no parameters (?)",
        ));
    }
    if send.send(Event::Columns(columns.clone())).is_err() {
        return Ok(Err(Gone));
    }
    let mut cells = Cells { columns, text: Text::default(), kinds: Vec::new(), row: 0 };
    let mut found = prepared.query([]).map_err(|e| failed(&e))?;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.next().map_err(|e| failed(&e))? {
        let row = cells.take(row)?;
        bytes += row.iter().flatten().map(String::len).sum::<usize>();
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
}

impl Cells {
    fn take(&mut self, row: &rusqlite::Row<'_>) -> Result<Vec<Cell>, IntakeError> {
        self.row += 1;
        self.kinds.resize(self.columns.len(), (false, false));
        let place = Place::row(self.row);
        let mut cells = Vec::with_capacity(self.columns.len());
        for (i, (name, kinds)) in self.columns.iter().zip(&mut self.kinds).enumerate() {
            let value = row.get_ref(i).map_err(|e| failed(&e))?;
            let wrong = |vi: &str, en: &str| Err(IntakeError::content(place.clone().column(name), vi, en));
            cells.push(match value {
                ValueRef::Null => None,
                ValueRef::Integer(n) => {
                    kinds.0 = true;
                    Some(n.to_string())
                }
                ValueRef::Real(n) if n.is_finite() => {
                    kinds.0 = true;
                    Some(n.to_string())
                }
                ValueRef::Real(_) => return wrong("số vô hạn", "an infinite number"),
                ValueRef::Text(bytes) => {
                    kinds.1 = true;
                    match std::str::from_utf8(bytes) {
                        Ok(value) => Some(self.text.nfc(value)),
                        Err(_) => return wrong("không phải chữ UTF-8", "not UTF-8 text"),
                    }
                }
                ValueRef::Blob(_) => {
                    return wrong(
                        "dữ liệu nhị phân (BLOB) không đọc được; hãy bỏ cột này khỏi `columns`, hoặc dùng hex() trong `query`",
                        "binary data (BLOB) cannot be read; leave the column out of `columns`, or use hex() in a `query`",
                    );
                }
            });
        }
        check_row(&cells, &self.columns, &place)?;
        Ok(cells)
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
