//! Reads a workbook on a thread of its own and hands over row by row.
//!
//! The cells of a sheet borrow from the workbook, and the reader of workbooks is other people's code that may panic on what a
//! hostile file holds: on its own thread both are kept apart from us.

use std::fs::File;
use std::io::BufReader;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use calamine::{Dimensions, Reader as _, SheetType, SheetVisible, Xlsx};

use super::cell::{Shown, letters, shown};
use super::guard::damaged;
use crate::limits::{CELL_BYTES_MAX, ROW_BYTES_MAX};
use crate::{IntakeError, Place};

type Book = Xlsx<BufReader<File>>;

/// Rows that wait.
const QUEUE: usize = 64;
/// Most sheets whose names a message lists.
const LISTED_MAX: usize = 20;

/// What is known before the first row.
#[derive(Debug)]
pub(super) struct Opened {
    /// All sheets.
    pub sheets: Vec<String>,
    /// The one that is read.
    pub sheet: String,
    /// Whether it is hidden.
    pub is_hidden: bool,
    /// Others that hold something.
    pub others: Vec<String>,
    /// Hidden sheets.
    pub hidden: Vec<String>,
    /// Merged ranges of the sheet.
    pub merged: Vec<Dimensions>,
}

/// A row that holds something.
#[derive(Debug)]
pub(super) struct Line {
    /// From 1.
    pub row: u64,
    /// Columns from 0, ascending, and what they hold.
    pub cells: Vec<(u32, Shown)>,
}

impl Line {
    /// Its text, bytes.
    pub fn bytes(&self) -> usize {
        self.cells.iter().map(|(_, value)| value.bytes()).sum()
    }
}

enum Sent {
    Opened(Opened),
    Line(Line),
    End,
}

/// The rows of a sheet.
pub(super) struct Lines {
    received: Receiver<Result<Sent, IntakeError>>,
    ended: bool,
}

/// Opens a workbook that was looked over.
pub(super) fn open(file: File, sheet: Option<String>) -> Result<(Opened, Lines), IntakeError> {
    let (send, receive) = sync_channel(QUEUE);
    let work = move || {
        if let Err(e) = run(file, sheet.as_deref(), &send) {
            let _ = send.send(Err(e));
        }
    };
    let thread = std::thread::Builder::new().name("workbook".into()).spawn(work);
    thread.map_err(|e| damaged(&e))?;
    match receive.recv() {
        Ok(Ok(Sent::Opened(opened))) => Ok((opened, Lines { received: receive, ended: false })),
        Ok(Err(e)) => Err(e),
        _ => Err(given_up()),
    }
}

impl Lines {
    /// The next row that holds something.
    pub fn next(&mut self) -> Result<Option<Line>, IntakeError> {
        if self.ended {
            return Ok(None);
        }
        match self.received.recv() {
            Ok(Ok(Sent::Line(line))) => Ok(Some(line)),
            Ok(Ok(_)) => {
                self.ended = true;
                Ok(None)
            }
            Ok(Err(e)) => Err(e),
            Err(_) => Err(given_up()),
        }
    }
}

fn given_up() -> IntakeError {
    damaged(&"không đọc tiếp được / it cannot be read on")
}

fn run(
    file: File,
    sheet: Option<&str>,
    send: &SyncSender<Result<Sent, IntakeError>>,
) -> Result<(), IntakeError> {
    let mut book: Book = Xlsx::new(BufReader::new(file)).map_err(|e| damaged(&e))?;
    let opened = choose(&mut book, sheet)?;
    let name = opened.sheet.clone();
    if send.send(Ok(Sent::Opened(opened))).is_err() {
        return Ok(());
    }
    let mut cells = book.worksheet_cells_reader(&name).map_err(|e| damaged(&e))?;
    let (mut line, mut bytes, mut last) = (Line { row: 0, cells: Vec::new() }, 0, None);
    while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(|e| damaged(&e))? {
        if last >= Some(cell.pos) {
            return Err(damaged(&"ô không theo thứ tự / cells out of order"));
        }
        last = Some(cell.pos);
        let (row, column) = cell.pos;
        let Some(value) = shown(&cell.value, cell.formula.is_some()) else { continue };
        let row = u64::from(row) + 1;
        if row != line.row {
            let whole = std::mem::replace(&mut line, Line { row, cells: Vec::new() });
            bytes = 0;
            if whole.row > 0 && send.send(Ok(Sent::Line(whole))).is_err() {
                return Ok(());
            }
        }
        let size = value.bytes();
        bytes += size;
        if size > CELL_BYTES_MAX || bytes > ROW_BYTES_MAX {
            let place = Place { part: Some(name), ..Place::row(row) }.column(&letters(column));
            return Err(IntakeError::content(
                place,
                "ô hoặc dòng quá dài",
                "the cell or the row is too long",
            ));
        }
        line.cells.push((column, value));
    }
    if line.row > 0 {
        let _ = send.send(Ok(Sent::Line(line)));
    }
    let _ = send.send(Ok(Sent::End));
    Ok(())
}

/// The sheet that is named, else the first visible one that holds something.
fn choose(book: &mut Book, named: Option<&str>) -> Result<Opened, IntakeError> {
    let about = book.sheets_metadata().to_vec();
    let tables = about.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let sheets: Vec<String> = tables.clone().map(|sheet| sheet.name.clone()).collect();
    let is_hidden =
        |name: &str| about.iter().any(|sheet| sheet.name == name && sheet.visible != SheetVisible::Visible);
    let hidden: Vec<String> = sheets.iter().filter(|name| is_hidden(name)).cloned().collect();
    let (sheet, others) = match named {
        Some(name) if sheets.iter().any(|sheet| sheet == name) => (name.to_owned(), Vec::new()),
        Some(name) => return Err(no_such_sheet(name, &sheets)),
        None => {
            let mut full = Vec::new();
            for name in sheets.iter().filter(|name| !is_hidden(name)) {
                if holds_something(book, name)? {
                    full.push(name.clone());
                }
            }
            let mut full = full.into_iter();
            let Some(first) = full.next() else {
                return Err(IntakeError::content(
                    Place::default(),
                    "tệp không có trang tính nào có dữ liệu",
                    "no visible sheet of the file holds anything",
                ));
            };
            (first, full.collect())
        }
    };
    let merged = book.merge_cells_by_sheet_name(&sheet).map_err(|e| damaged(&e))?;
    Ok(Opened { is_hidden: is_hidden(&sheet), sheets, sheet, others, hidden, merged })
}

fn holds_something(book: &mut Book, name: &str) -> Result<bool, IntakeError> {
    let mut cells = book.worksheet_cells_reader(name).map_err(|e| damaged(&e))?;
    while let Some(cell) = cells.next_cell().map_err(|e| damaged(&e))? {
        if shown(cell.get_value(), false).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn no_such_sheet(name: &str, sheets: &[String]) -> IntakeError {
    let list = sheets.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join("`, `");
    IntakeError::origin(
        format!("không có trang tính `{name}`; có: `{list}`"),
        format!("there is no sheet `{name}`; there are: `{list}`"),
    )
}
