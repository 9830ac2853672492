//! Copies that are kept current: a view's rows in one fixed order, what changed between two of them, and the copy that
//! comes of applying it.
//!
//! **Promises.** The order of a copy depends on the rows shown and on nothing else: header, then the CSV records sorted by
//! the bytes of their key columns and then of the whole record. So both sides can compute the SHA-256 of a copy, and a
//! view that shows the same rows has the same one whatever lies behind it. [`difference`] and [`apply`] treat rows as a
//! multiset and are each other's inverse: what cannot be applied exactly is refused. Memory stays within
//! [`SORT_BYTES`] however long the view is; the rest lies in files beside the target.
//!
//! A view that only grows need not be compared with an old one: [`grow`].
//!
//! **What it is not.** It knows nothing of versions, agreements and decisions: it gets two jobs whose restrictions were
//! made from decisions, and compares what they show. All calls but [`ordered`] block on the disk.

pub mod grow;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::Digest as _;

use crate::limits::{SORT_BYTES, SORT_RUNS_MAX};
use crate::merkle::Sha256;
use crate::records::{Framing, RecordError, Records};
use crate::schema::ColumnKind;
use crate::spool::sync_file;
use crate::{ChunkWriter, DataError, Job, OutputFormat, SpoolSummary};

/// Name of the column that says what became of a row: `insert`, `update` or `delete`.
pub const CHANGE: &str = "tram_change";

/// A copy on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Rows, the header not counted.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256,
}

/// Writes the view of a job as a copy: CSV in the order of copies. `key` names the columns to sort by first; all must be in
/// the answer.
///
/// # Errors
/// As [`crate::run`]; [`DataError::Query`] for a key that the answer does not have; [`DataError::Io`].
pub async fn ordered(job: Job, key: &[String], target: &Path) -> Result<Copy, DataError> {
    let target = target.to_owned();
    let texts =
        |places: Vec<(usize, ColumnKind)>| places.into_iter().map(|(at, _)| Place::text(at)).collect();
    pump(job, key, move |input, places| sort(input, texts(places), &target)).await
}

/// Runs a job as CSV and lets `take` read what comes, with the places and kinds of the named columns.
async fn pump<T: Send + 'static>(
    job: Job,
    names: &[String],
    take: impl FnOnce(Piped, Vec<(usize, ColumnKind)>) -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    let mut answer = crate::run(Job { format: OutputFormat::Csv, ..job }).await?;
    let columns = answer.schema().columns();
    let at = |name: &String| {
        let what = || DataError::Query(format!("the answer has no column `{name}` to tell rows apart by"));
        let found = columns.iter().enumerate().find(|(_, column)| column.name == *name);
        found.map(|(at, column)| (at, column.kind)).ok_or_else(what)
    };
    let places = names.iter().map(at).collect::<Result<Vec<_>, _>>()?;
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let taken = tokio::task::spawn_blocking(move || take(Piped::new(receiver), places));
    let mut broken = None;
    while let Some(bytes) = answer.next_bytes().await {
        let sent = match bytes {
            Ok(bytes) => sender.send(bytes).await,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        // A closed pipe means that the reader has enough or failed; it says which.
        if sent.is_err() {
            break;
        }
    }
    drop(sender);
    let taken = taken.await.map_err(|_| DataError::Spool("the reader of a view stopped".into()))?;
    match broken {
        Some(error) => Err(error),
        None => taken,
    }
}

/// What comes through a channel, as something to read from.
struct Piped {
    receiver: tokio::sync::mpsc::Receiver<Bytes>,
    held: Bytes,
}

impl Piped {
    fn new(receiver: tokio::sync::mpsc::Receiver<Bytes>) -> Self {
        Self { receiver, held: Bytes::new() }
    }
}

impl Read for Piped {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.held.is_empty() {
            match self.receiver.blocking_recv() {
                Some(bytes) => self.held = bytes,
                None => return Ok(0),
            }
        }
        let n = out.len().min(self.held.len());
        let now = self.held.split_to(n);
        for (to, from) in out.iter_mut().zip(now.iter()) {
            *to = *from;
        }
        Ok(n)
    }
}

/// A column to sort by, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    at: usize,
    /// As a whole number, and not by the bytes of its text.
    number: bool,
}

impl Place {
    fn text(at: usize) -> Self {
        Self { at, number: false }
    }
}

/// One record with what it is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    key: Vec<u8>,
    line: Vec<u8>,
}

impl Row {
    fn new(line: &[u8], key: &[Place]) -> Self {
        Self { key: key_of(line, key), line: line.to_vec() }
    }

    /// About what it takes in memory.
    fn cost(&self) -> usize {
        self.key.len() + self.line.len() + size_of::<Self>()
    }
}

/// The key columns' texts, joined so that the order of the bytes is the order of the texts one after the other.
fn key_of(line: &[u8], key: &[Place]) -> Vec<u8> {
    if key.is_empty() {
        return Vec::new();
    }
    let fields = fields(line);
    let mut out = Vec::new();
    for place in key {
        let field = fields.get(place.at).map(Vec::as_slice).unwrap_or_default();
        let number = place.number.then(|| number_of(field)).flatten();
        for byte in number.as_ref().map_or(field, |bytes| &bytes[..]) {
            out.push(*byte);
            if *byte == 0 {
                out.push(0xFF);
            }
        }
        out.extend_from_slice(&[0, 1]);
    }
    out
}

/// A whole number as bytes whose order is that of the numbers. What is none stays text: it is sorted somewhere, and always there.
fn number_of(field: &[u8]) -> Option<[u8; 8]> {
    let number: i64 = std::str::from_utf8(field).ok()?.parse().ok()?;
    Some((number.cast_unsigned() ^ (1 << 63)).to_be_bytes())
}

/// The fields of a CSV record (RFC 4180), without their quotes.
fn fields(line: &[u8]) -> Vec<Vec<u8>> {
    let (mut all, mut field, mut quoted) = (Vec::new(), Vec::new(), false);
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
                field.push(b'"');
            }
            b'"' => quoted = !quoted,
            b',' if !quoted => all.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    all.push(field);
    all
}

fn unreadable(error: RecordError) -> DataError {
    match error {
        RecordError::Io(source) => DataError::Io { what: "read the rows of a copy", source },
        other => DataError::Spool(format!("the rows of a copy cannot be told apart: {other}")),
    }
}

/// Rows of a file or pipe, one after the other.
struct Rows<R> {
    records: Records<R>,
    key: Vec<Place>,
}

impl<R: Read> Rows<R> {
    fn next(&mut self) -> Result<Option<Row>, DataError> {
        let record = self.records.next_record().map_err(unreadable)?;
        Ok(record.map(|record| Row::new(record.bytes, &self.key)))
    }
}

/// The header, and the rows behind it.
fn open<R: Read>(input: R, key: Vec<Place>) -> Result<(Vec<u8>, Rows<R>), DataError> {
    let mut records = Records::new(input, Framing::Csv);
    let header = records.next_record().map_err(unreadable)?;
    let header = header.map(|record| record.bytes.to_vec());
    let header = header.ok_or_else(|| DataError::Spool("a copy has no header".into()))?;
    Ok((header, Rows { records, key }))
}

fn open_file(path: &Path, key: &[Place]) -> Result<(Vec<u8>, Rows<File>), DataError> {
    let file = File::open(path).map_err(DataError::io("open a copy"))?;
    open(file, key.to_vec())
}

/// Places of the key's columns in a header.
fn places(header: &[u8], key: &[String]) -> Result<Vec<Place>, DataError> {
    let names = fields(header);
    let at = |name: &String| names.iter().position(|n| n.as_slice() == name.as_bytes()).map(Place::text);
    let found: Option<Vec<Place>> = key.iter().map(at).collect();
    found.ok_or_else(|| DataError::Spool("a copy lacks a column of its key".into()))
}

/// A file that is being written, hashed and counted on the way.
struct Sink {
    out: BufWriter<File>,
    hash: sha2::Sha256,
    copy: Copy,
}

impl Sink {
    fn create(path: &Path, header: &[u8]) -> Result<Self, DataError> {
        let out = BufWriter::new(File::create(path).map_err(DataError::io("make a copy"))?);
        let copy = Copy { rows: 0, bytes: 0, sha256: Sha256([0; 32]) };
        let mut sink = Self { out, hash: sha2::Sha256::new(), copy };
        sink.write(&[header, b"\n"])?;
        Ok(sink)
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), DataError> {
        for part in parts {
            self.hash.update(part);
            self.copy.bytes += part.len() as u64;
            self.out.write_all(part).map_err(DataError::io("write a copy"))?;
        }
        Ok(())
    }

    fn row(&mut self, parts: &[&[u8]]) -> Result<(), DataError> {
        self.copy.rows += 1;
        self.write(parts)
    }

    fn finish(mut self) -> Result<Copy, DataError> {
        let failed = DataError::io("make a copy durable");
        let file = self.out.into_inner().map_err(|e| DataError::io("write a copy")(e.into_error()))?;
        file.sync_all().map_err(failed)?;
        self.copy.sha256 = Sha256(self.hash.finalize().into());
        Ok(self.copy)
    }
}

/// Sorts what comes, with runs on the disk where it does not fit in memory.
fn sort<R: Read>(input: R, key: Vec<Place>, target: &Path) -> Result<Copy, DataError> {
    let (header, mut rows) = open(input, key.clone())?;
    let mut runs = Runs { beside: target.to_owned(), files: Vec::new(), made: 0 };
    let (mut held, mut cost) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        cost += row.cost();
        held.push(row);
        if cost > SORT_BYTES {
            held.sort_unstable();
            runs.put(&header, held.drain(..))?;
            cost = 0;
            if runs.files.len() >= SORT_RUNS_MAX {
                runs.merge(&header, &key)?;
            }
        }
    }
    held.sort_unstable();
    let mut sink = Sink::create(target, &header)?;
    runs.merged(held, &key, |row| sink.row(&[&row.line, b"\n"]))?;
    sink.finish()
}

/// Sorted pieces of a view on the disk; gone when this is.
struct Runs {
    beside: PathBuf,
    files: Vec<PathBuf>,
    made: usize,
}

impl Drop for Runs {
    fn drop(&mut self) {
        for path in &self.files {
            // Best effort: the folder is scratch and is emptied at the node's start.
            let _ = fs::remove_file(path);
        }
    }
}

impl Runs {
    fn next_path(&mut self) -> PathBuf {
        let mut name = self.beside.as_os_str().to_owned();
        name.push(format!(".run{}", self.made));
        self.made += 1;
        PathBuf::from(name)
    }

    fn put(&mut self, header: &[u8], rows: impl Iterator<Item = Row>) -> Result<(), DataError> {
        let path = self.next_path();
        self.files.push(path.clone());
        let mut sink = Sink::create(&path, header)?;
        for row in rows {
            sink.row(&[&row.line, b"\n"])?;
        }
        sink.finish().map(|_| ())
    }

    /// Makes one run of all, so that not too many files are open at once.
    fn merge(&mut self, header: &[u8], key: &[Place]) -> Result<(), DataError> {
        let path = self.next_path();
        let mut sink = Sink::create(&path, header)?;
        self.merged(Vec::new(), key, |row| sink.row(&[&row.line, b"\n"]))?;
        sink.finish()?;
        let old = std::mem::replace(&mut self.files, vec![path]);
        old.iter().try_for_each(fs::remove_file).map_err(DataError::io("remove a sorted run"))
    }

    /// All rows in order, those of the runs and those still held.
    fn merged(
        &self,
        held: Vec<Row>,
        key: &[Place],
        mut take: impl FnMut(&Row) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut inputs: Vec<Rows<File>> = Vec::with_capacity(self.files.len());
        for path in &self.files {
            inputs.push(open_file(path, key)?.1);
        }
        let mut held = held.into_iter();
        let mut heads = BinaryHeap::new();
        for (number, input) in inputs.iter_mut().enumerate() {
            heads.extend(input.next()?.map(|row| Reverse((row, number))));
        }
        heads.extend(held.next().map(|row| Reverse((row, usize::MAX))));
        while let Some(Reverse((row, number))) = heads.pop() {
            take(&row)?;
            let next = match inputs.get_mut(number) {
                Some(input) => input.next()?,
                None => held.next(),
            };
            heads.extend(next.map(|row| Reverse((row, number))));
        }
        Ok(())
    }
}

/// Writes what changed from one copy to another: the new copy's columns and [`CHANGE`], in the order of copies. Where the
/// key tells rows apart, a row whose other columns changed is one `update` with what it is now; every other change is a
/// `delete` with what the row was, or an `insert`.
///
/// # Errors
/// [`DataError::Io`]; [`DataError::Spool`] when the two have different columns or are no copies.
pub fn difference(old: &Path, new: &Path, key: &[String], target: &Path) -> Result<Copy, DataError> {
    let (header, _) = open_file(new, &[])?;
    let places = places(&header, key)?;
    let (before, mut old) = open_file(old, &places)?;
    let (_, mut new) = open_file(new, &places)?;
    if before != header {
        return Err(DataError::Spool("two copies have different columns".into()));
    }
    let mut group = Group::new(Sink::create(target, &changed_header(&header))?, !key.is_empty());
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

fn changed_header(header: &[u8]) -> Vec<u8> {
    [header, b",", CHANGE.as_bytes()].concat()
}

/// Changes of the rows of one key, held back until it is known whether they are one update.
struct Group {
    sink: Sink,
    keyed: bool,
    key: Option<Vec<u8>>,
    /// At most one row that is gone and one that came; more than that are never an update.
    held: Vec<(Row, &'static [u8])>,
    /// Whether the key has rows besides one that is gone and one that came.
    plain: bool,
}

const INSERT: &[u8] = b"insert";
const UPDATE: &[u8] = b"update";
const DELETE: &[u8] = b"delete";

impl Group {
    fn new(sink: Sink, keyed: bool) -> Self {
        Self { sink, keyed, key: None, held: Vec::new(), plain: false }
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
            return match held.iter().find(|(_, what)| *what == INSERT) {
                Some((row, _)) => self.write(row, UPDATE),
                None => Ok(()),
            };
        }
        held.iter().try_for_each(|(row, what)| self.write(row, what))
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
    if said != changed_header(&header) {
        return Err(misfit());
    }
    let mut read = Sum::new(&header);
    let mut sink = Sink::create(target, &header)?;
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
            read.row(&kept.line);
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
                read.row(&taken.line);
                row = rows.next()?;
            }
            (_, None) => return Err(misfit()),
        }
        if what != DELETE {
            sink.row(&[&change.line, b"\n"])?;
        }
    }
    while let Some(kept) = row {
        read.row(&kept.line);
        sink.row(&[&kept.line, b"\n"])?;
        row = rows.next()?;
    }
    let written = sink.finish()?;
    if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        sync_file(folder)?;
    }
    Ok((read.finish(), written))
}

fn misfit() -> DataError {
    DataError::Spool("the changes are not of this copy".into())
}

/// A change's row, and what became of it.
fn split(line: &[u8]) -> Result<(&[u8], &'static [u8]), DataError> {
    let comma = line.iter().rposition(|b| *b == b',').ok_or_else(misfit)?;
    let (row, what) = line.split_at(comma);
    let what = [INSERT, UPDATE, DELETE].into_iter().find(|known| what.get(1..) == Some(*known));
    Ok((row, what.ok_or_else(misfit)?))
}

/// Figures of a copy that is only read.
struct Sum {
    hash: sha2::Sha256,
    copy: Copy,
}

impl Sum {
    fn new(header: &[u8]) -> Self {
        let mut sum =
            Self { hash: sha2::Sha256::new(), copy: Copy { rows: 0, bytes: 0, sha256: Sha256([0; 32]) } };
        sum.add(header);
        sum
    }

    fn add(&mut self, line: &[u8]) {
        self.hash.update(line);
        self.hash.update(b"\n");
        self.copy.bytes += line.len() as u64 + 1;
    }

    fn row(&mut self, line: &[u8]) {
        self.copy.rows += 1;
        self.add(line);
    }

    fn finish(mut self) -> Copy {
        self.copy.sha256 = Sha256(self.hash.finalize().into());
        self.copy
    }
}

/// Cuts a file of rows into chunks.
///
/// # Errors
/// [`DataError::Io`]; [`DataError::Quota`].
pub fn spool_file(path: &Path, rows: u64, mut writer: ChunkWriter) -> Result<Arc<SpoolSummary>, DataError> {
    let mut file = File::open(path).map_err(DataError::io("open a copy"))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(DataError::io("read a copy"))? {
            0 => return writer.seal(rows, false),
            n => writer.write(buffer.get(..n).unwrap_or_default())?,
        }
    }
}

#[cfg(test)]
mod tests;
