//! What changed between two copies, and the copy that comes of applying it.

use std::path::Path;

use super::rows::{FileSink, Row, Sink, open_file, places};
use super::{CHANGE, Copy, FEED};
use crate::DataError;
use crate::spool::sync_file;

/// Writes what changed from one copy to another: the new copy's columns and [`CHANGE`], in the order of copies. Where the
/// key tells rows apart, a row whose other columns changed is one `update` with what it is now; every other change is a
/// `delete` with what the row was, or an `insert`.
///
/// # Errors
/// [`DataError::Io`]; [`DataError::Spool`] when the two have different columns or are no copies.
pub fn difference(old: &Path, new: &Path, key: &[String], target: &Path) -> Result<Copy, DataError> {
    told(old, new, key, target, Manner::Copy)
}

/// The same as the change data feeds of others have it: the column is [`FEED`], and an update is two rows, `update_preimage`
/// with what the row was and `update_postimage` with what it is.
///
/// # Errors
/// As [`difference`].
pub fn feed(old: &Path, new: &Path, key: &[String], target: &Path) -> Result<Copy, DataError> {
    told(old, new, key, target, Manner::Feed)
}

/// How changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// To those who hold a copy.
    Copy,
    /// To those who follow what happened.
    Feed,
}

impl Manner {
    fn column(self) -> &'static str {
        match self {
            Self::Copy => CHANGE,
            Self::Feed => FEED,
        }
    }
}

fn told(old: &Path, new: &Path, key: &[String], target: &Path, manner: Manner) -> Result<Copy, DataError> {
    let (header, _) = open_file(new, &[])?;
    let places = places(&header, key)?;
    let (before, mut old) = open_file(old, &places)?;
    let (_, mut new) = open_file(new, &places)?;
    if before != header {
        return Err(DataError::Spool("two copies have different columns".into()));
    }
    let sink = FileSink::create(target, &changed_header(&header, manner))?;
    let mut group = Group::new(sink, !key.is_empty(), manner);
    let (mut was, mut is) = (old.next()?, new.next()?);
    loop {
        let order = match (&was, &is) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(was), Some(is)) => was.cmp(is),
        };
        if order.is_le()
            && let Some(row) = was.take()
        {
            if order.is_eq() {
                group.same(&row)?
            } else {
                group.gone(row)?
            }
            was = old.next()?;
        }
        if order.is_ge()
            && let Some(row) = is.take()
        {
            if order.is_gt() {
                group.come(row)?;
            }
            is = new.next()?;
        }
    }
    group.finish()
}

fn changed_header(header: &[u8], manner: Manner) -> Vec<u8> {
    [header, b",", manner.column().as_bytes()].concat()
}

/// Changes of the rows of one key, held back until it is known whether they are one update.
struct Group {
    sink: FileSink,
    keyed: bool,
    manner: Manner,
    key: Option<Vec<u8>>,
    /// At most one row that is gone and one that came; more than that are never an update.
    held: Vec<(Row, &'static [u8])>,
    /// Whether the key has rows besides one that is gone and one that came.
    plain: bool,
}

const INSERT: &[u8] = b"insert";
const UPDATE: &[u8] = b"update";
const DELETE: &[u8] = b"delete";
const BEFORE: &[u8] = b"update_preimage";
const AFTER: &[u8] = b"update_postimage";

impl Group {
    fn new(sink: FileSink, keyed: bool, manner: Manner) -> Self {
        Self { sink, keyed, manner, key: None, held: Vec::new(), plain: false }
    }

    fn enter(&mut self, key: &[u8]) -> Result<(), DataError> {
        if self.keyed && self.key.as_deref() != Some(key) {
            self.flush()?;
            self.key = Some(key.to_vec());
            self.plain = false;
        }
        Ok(())
    }

    fn same(&mut self, row: &Row) -> Result<(), DataError> {
        self.enter(&row.key)?;
        self.plain = true;
        self.flush()
    }

    fn gone(&mut self, row: Row) -> Result<(), DataError> {
        self.put(row, DELETE)
    }

    fn come(&mut self, row: Row) -> Result<(), DataError> {
        self.put(row, INSERT)
    }

    fn put(&mut self, row: Row, what: &'static [u8]) -> Result<(), DataError> {
        self.enter(&row.key)?;
        if !self.keyed || self.plain {
            return self.write(&row, what);
        }
        let alone = self.held.len() == 1 && self.held.iter().all(|(_, held)| *held != what);
        self.held.push((row, what));
        if self.held.len() > 1 && !alone {
            self.plain = true;
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DataError> {
        let held = std::mem::take(&mut self.held);
        if held.len() == 2 && !self.plain {
            return self.update(&held);
        }
        held.iter().try_for_each(|(row, what)| self.write(row, what))
    }

    fn update(&mut self, held: &[(Row, &'static [u8])]) -> Result<(), DataError> {
        let of = |word: &[u8]| held.iter().find(|(_, what)| *what == word).map(|(row, _)| row);
        let (Some(was), Some(is)) = (of(DELETE), of(INSERT)) else { return Ok(()) };
        match self.manner {
            Manner::Copy => self.write(is, UPDATE),
            Manner::Feed => self.write(was, BEFORE).and_then(|()| self.write(is, AFTER)),
        }
    }

    fn write(&mut self, row: &Row, what: &[u8]) -> Result<(), DataError> {
        self.sink.row(&[&row.line, b",", what, b"\n"])
    }

    fn finish(mut self) -> Result<Copy, DataError> {
        self.flush()?;
        self.sink.finish()
    }
}

/// Applies changes to a copy and writes the copy that comes of it to `target`. Gives the figures of the copy that was
/// read, too: only if they are the ones expected is the result of any use.
///
/// # Errors
/// [`DataError::Spool`] when the changes do not fit the copy; [`DataError::Io`].
pub fn apply(copy: &Path, changes: &Path, key: &[String], target: &Path) -> Result<(Copy, Copy), DataError> {
    let (header, _) = open_file(copy, &[])?;
    let places = places(&header, key)?;
    let (_, mut rows) = open_file(copy, &places)?;
    let (said, mut changes) = open_file(changes, &places)?;
    if said != changed_header(&header, Manner::Copy) {
        return Err(misfit());
    }
    let mut read = Sink::new(std::io::sink(), &header)?;
    let mut sink = FileSink::create(target, &header)?;
    let mut row = rows.next()?;
    while let Some(change) = changes.next()? {
        let (line, what) = split(&change.line)?;
        let change = Row { key: change.key, line: line.to_vec() };
        // What stays before it. An update takes its row by key, which alone may be different otherwise.
        let before = |row: &Row| match what {
            UPDATE => row.key < change.key,
            _ => *row < change,
        };
        while let Some(kept) = row.take_if(|row| before(row)) {
            read.row(&[&kept.line, b"\n"])?;
            sink.row(&[&kept.line, b"\n"])?;
            row = rows.next()?;
        }
        let taken = match what {
            INSERT => None,
            UPDATE => row.take_if(|row| row.key == change.key && !change.key.is_empty()),
            _ => row.take_if(|row| row.line == change.line),
        };
        match (what, taken) {
            (INSERT, _) => {}
            (_, Some(taken)) => {
                read.row(&[&taken.line, b"\n"])?;
                row = rows.next()?;
            }
            (_, None) => return Err(misfit()),
        }
        if what != DELETE {
            sink.row(&[&change.line, b"\n"])?;
        }
    }
    while let Some(kept) = row {
        read.row(&[&kept.line, b"\n"])?;
        sink.row(&[&kept.line, b"\n"])?;
        row = rows.next()?;
    }
    let written = sink.finish()?;
    if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        sync_file(folder)?;
    }
    Ok((read.figures(), written))
}

pub(super) fn misfit() -> DataError {
    DataError::Spool("the changes are not of this copy".into())
}

/// A change's row, and what became of it.
fn split(line: &[u8]) -> Result<(&[u8], &'static [u8]), DataError> {
    let comma = line.iter().rposition(|b| *b == b',').ok_or_else(misfit)?;
    let (row, what) = line.split_at(comma);
    let what = [INSERT, UPDATE, DELETE].into_iter().find(|known| what.get(1..) == Some(*known));
    Ok((row, what.ok_or_else(misfit)?))
}
