//! The folder of a node's log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use certs::note::Vkey;

use super::stamps::Stamped;
use super::{Anchor, Checks, Report, Stop, archived, entry_is_wrong, found};
use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint, SignedCheckpoint};
use crate::log::disk;
use crate::log::flat::{Flat, LEVELS};
use crate::log::wal::{self, Found};
use crate::merkle::{Edge, Hash, leaf_hash};

pub(super) type Checked<T> = std::result::Result<T, Stop>;

/// A whole record of the write-ahead log, without its body.
struct Mark {
    segment: PathBuf,
    offset: u64,
    first: u64,
    end: u64,
    root: Hash,
}

pub(super) fn verify(dir: &Path, checks: &Checks<'_>, report: &mut Report) -> Checked<()> {
    let flat = Flat::open(dir, false)?;
    let (marks, bad) = scan(&dir.join("wal"))?;
    let (Some(oldest), Some(newest)) = (marks.first(), marks.last()) else {
        return found(&dir.join("wal"), None, "at least one segment", "none");
    };
    let (wal_first, wal_end) = (oldest.first, newest.end);
    let signed = read_checkpoint(dir, checks.keys)?;
    report.signed = signed.as_ref().map(|checkpoint| checkpoint.size);
    let (whole, shortest) = flat.whole_entries()?;
    if let Some(tail) = bad {
        report.torn_bytes = torn_bytes(&tail, whole, wal_end)?;
    }
    if let Some(checkpoint) = signed.as_ref().filter(|checkpoint| checkpoint.size > wal_end) {
        return found(&newest.segment, wal_end, format!("{} signed entries", checkpoint.size), "fewer");
    }
    if whole > wal_end {
        return found(&newest.segment, wal_end, format!("records up to entry {whole}"), "the end");
    }
    if whole < wal_first {
        return found(shortest, whole, format!("at least {wal_first} entries"), whole);
    }
    let mut anchors: Vec<Anchor> = Vec::new();
    anchors.extend(signed.as_ref().map(|checkpoint| Anchor { size: checkpoint.size, root: checkpoint.root }));
    anchors.extend(
        marks.iter().rev().find(|mark| mark.end <= whole).map(|m| Anchor { size: m.end, root: m.root }),
    );
    let stamped = Stamped::read(dir, checks)?;
    let marker = archived::read(dir, wal_first)?;
    let mut walk = Walk::new(dir, &flat, anchors, signed, &marks)?;
    walk.roots = stamped.sizes().map(|size| (size, None)).collect();
    walk.at_boundary()?;
    if let Some(marker) = &marker {
        walk.archived_entries(dir, marker, checks.archive, report)?;
    }
    walk.flat_entries(whole, report)?;
    walk.records(whole, report)?;
    if let Some(path) = flat.longer_than(wal_end, walk.at)? {
        return found(path, None, format!("the end of {wal_end} entries"), "more bytes");
    }
    walk.checkpoint(dir)?;
    stamped.check(&walk.roots, checks, report)
}

/// Where the last segment stops being whole, and why.
struct Tail {
    segment: PathBuf,
    offset: u64,
    why: &'static str,
}

/// How much of an incomplete last record there is, unless something shows that it was whole once.
fn torn_bytes(tail: &Tail, whole: u64, wal_end: u64) -> Checked<u64> {
    let file = disk::open_readable(&tail.segment)?;
    let length = disk::length(&file, &tail.segment)?;
    if whole > wal_end || wal::record_behind(&file, &tail.segment, tail.offset, length)? {
        return found(&tail.segment, wal_end, "a whole record", tail.why);
    }
    Ok(length - tail.offset)
}

/// All whole records, and what stands behind them if it is no end.
type Scanned = (Vec<Mark>, Option<Tail>);

fn scan(folder: &Path) -> Checked<Scanned> {
    let segments = wal::segments(folder)?;
    let mut marks: Vec<Mark> = Vec::new();
    for (n, segment) in segments.iter().enumerate() {
        let path = &segment.path;
        let file = disk::open_readable(path)?;
        let length = disk::length(&file, path)?;
        let mut offset = 0;
        loop {
            let size = marks.last().map_or(segment.first, |mark| mark.end);
            match wal::read(&file, path, offset, length)? {
                Found::Record(record, next) => {
                    if record.first != size || offset == 0 && segment.first != size {
                        return found(path, record.first, format!("a record of entry {size}"), record.first);
                    }
                    let whole = wal::entries(&record.body).map(|entries| entries.len() as u64);
                    if whole != Some(u64::from(record.count)) {
                        return found(path, record.first, "entries that fill the record", "others");
                    }
                    let (first, root) = (record.first, record.root);
                    let end = first + u64::from(record.count);
                    marks.push(Mark { segment: path.clone(), offset, first, end, root });
                    offset = next;
                }
                Found::End if offset > 0 => break,
                Found::End => return found(path, segment.first, "a first record", "an empty file"),
                Found::Bad(why) if n + 1 == segments.len() && offset > 0 => {
                    return Ok((marks, Some(Tail { segment: path.clone(), offset, why })));
                }
                Found::Bad(why) => return found(path, size, "a whole record", why),
            }
        }
    }
    Ok((marks, None))
}

fn read_checkpoint(dir: &Path, keys: &[Vkey]) -> Checked<Option<Checkpoint>> {
    let path = dir.join("checkpoint");
    let Some(bytes) = disk::read_small(&path, CHECKPOINT_BYTES_MAX)? else {
        return found(&path, None, "a signed checkpoint", "no file");
    };
    match SignedCheckpoint::open(&bytes, keys) {
        Ok(signed) => {
            let checkpoint = signed.checkpoint().clone();
            let meta = dir.join("meta");
            let expected = format!("tram-log@v1\n{}\n", checkpoint.origin);
            match disk::read_small(&meta, 4096)? {
                Some(found) if found == expected.as_bytes() => Ok(Some(checkpoint)),
                Some(_) => found(&meta, None, format!("the log `{}`", checkpoint.origin), "something else"),
                None => found(&meta, None, "the name of the log", "no file"),
            }
        }
        Err(error) => found(&path, None, "a checkpoint signed by the log's key", error),
    }
}

/// A file that is read from its beginning to its end.
pub(super) struct Stream {
    reader: BufReader<File>,
    pub path: PathBuf,
}

impl Stream {
    fn open(path: PathBuf) -> Checked<Self> {
        Ok(Self { reader: BufReader::with_capacity(1 << 16, disk::open_readable(&path)?), path })
    }

    pub fn seek(&mut self, offset: u64) -> Checked<()> {
        let sought = self.reader.seek(SeekFrom::Start(offset));
        sought.map(drop).map_err(|error| crate::LedgerError::io("reading", &self.path)(error).into())
    }

    pub fn read(&mut self, length: usize, index: u64, what: &str) -> Checked<Vec<u8>> {
        let mut bytes = vec![0; length];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                found(&self.path, index, what, "the end of the file")
            }
            Err(error) => Err(crate::LedgerError::io("reading", &self.path)(error).into()),
        }
    }
}

pub(super) struct Walk<'a> {
    pub flat: &'a Flat,
    pub data: Stream,
    pub index: Stream,
    levels: Vec<Stream>,
    pub anchors: Vec<Anchor>,
    signed: Option<Checkpoint>,
    signed_root: Option<Hash>,
    /// Roots that time-stamps are over, as the walk comes by.
    roots: BTreeMap<u64, Option<Hash>>,
    marks: &'a [Mark],
    next_mark: usize,
    edge: Edge,
    /// Bytes of `entries.dat` so far.
    pub at: u64,
    /// Below this index nothing but `level0` says what a leaf is.
    pub unseen: u64,
}

impl<'a> Walk<'a> {
    fn new(
        dir: &Path,
        flat: &'a Flat,
        anchors: Vec<Anchor>,
        signed: Option<Checkpoint>,
        marks: &'a [Mark],
    ) -> Checked<Self> {
        let levels = (0..LEVELS)
            .map(|level| Stream::open(dir.join(format!("level{level}"))))
            .collect::<Checked<Vec<_>>>()?;
        Ok(Self {
            flat,
            data: Stream::open(dir.join("entries.dat"))?,
            index: Stream::open(dir.join("entries.idx"))?,
            levels,
            anchors,
            signed,
            signed_root: None,
            roots: BTreeMap::new(),
            marks,
            next_mark: 0,
            edge: Edge::new(),
            at: 0,
            unseen: 0,
        })
    }

    /// Entries that the flat files hold.
    fn flat_entries(&mut self, whole: u64, report: &mut Report) -> Checked<()> {
        for index in self.edge.size()..whole {
            let offset = self.index.read(8, index, "an offset")?;
            if offset != self.at.to_be_bytes() {
                let offset = offset.try_into().map_or(0, u64::from_be_bytes);
                return found(&self.index.path, index, format!("the offset {}", self.at), offset);
            }
            let prefix = self.data.read(2, index, "a length")?;
            let length = prefix.try_into().map_or(0, u16::from_be_bytes);
            let entry = self.data.read(usize::from(length), index, &format!("an entry of {length} bytes"))?;
            self.leaf(index, leaf_hash(&entry))?;
            self.at += 2 + u64::from(length);
            self.at_boundary()?;
            report.entries = index + 1;
        }
        Ok(())
    }

    /// Compares the leaf and every tile hash that it completes with the level files.
    pub fn leaf(&mut self, index: u64, leaf: Hash) -> Checked<()> {
        let mut completed = Vec::new();
        self.edge.push(leaf, |height, hash| completed.push((height, hash)));
        for (height, hash) in completed.into_iter().filter(|(height, _)| height % 8 == 0) {
            let Some(level) = self.levels.get_mut(height as usize / 8) else { continue };
            let place = index >> height;
            let stored = level.read(32, place, "a hash")?;
            let stored = stored.try_into().map_or(Hash([0; 32]), Hash);
            if stored == hash {
                continue;
            }
            if height == 0 && entry_is_wrong(self.flat, &self.anchors, index, &stored, &leaf) {
                return found(&self.data.path, index, format!("an entry with the hash {stored}"), leaf);
            }
            let unseen = height == 8 && index < self.unseen;
            if unseen && archived::tile_is_wrong(self.flat, &self.anchors, place, &stored, &hash) {
                return found(self.level0(), place << 8, format!("a tile with the root {stored}"), hash);
            }
            return found(&level.path, place, hash, stored);
        }
        Ok(())
    }

    pub fn level0(&self) -> &Path {
        self.levels.first().map_or(&self.data.path, |level| &level.path)
    }

    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// At the end of each record and of the signed tree the root must be theirs.
    pub fn at_boundary(&mut self) -> Checked<()> {
        let size = self.edge.size();
        if self.signed.as_ref().is_some_and(|checkpoint| checkpoint.size == size) {
            self.signed_root = Some(self.edge.root());
        }
        if let Some(root) = self.roots.get_mut(&size) {
            *root = Some(self.edge.root());
        }
        while let Some(mark) = self.marks.get(self.next_mark).filter(|mark| mark.end <= size) {
            // Records of before the oldest segment are gone; a mark behind the walk cannot be.
            if mark.end == size && mark.root != self.edge.root() {
                return found(&mark.segment, mark.first, self.edge.root(), mark.root);
            }
            self.next_mark += 1;
        }
        Ok(())
    }

    /// Bodies of records: equal to what the flat files have, and alone where those end.
    fn records(&mut self, whole: u64, report: &mut Report) -> Checked<()> {
        for mark in self.marks {
            let file = disk::open_readable(&mark.segment)?;
            let length = disk::length(&file, &mark.segment)?;
            let Found::Record(record, _) = wal::read(&file, &mark.segment, mark.offset, length)? else {
                return found(&mark.segment, mark.first, "the record that was there", "another");
            };
            for (index, (_, entry)) in (mark.first..).zip(wal::entries(&record.body).unwrap_or_default()) {
                if index < whole {
                    if self.flat.entry(index)? != entry {
                        return found(&mark.segment, index, "the entry that `entries.dat` has", "another");
                    }
                    continue;
                }
                self.edge.push(leaf_hash(entry), |_, _| {});
                self.at += 2 + entry.len() as u64;
                self.at_boundary()?;
                report.entries = index + 1;
                report.unwritten += 1;
            }
        }
        Ok(())
    }

    fn checkpoint(&self, dir: &Path) -> Checked<()> {
        let path = dir.join("checkpoint");
        match (&self.signed, self.signed_root) {
            (Some(signed), Some(root)) if signed.root != root => found(&path, signed.size, root, signed.root),
            (Some(_), Some(_)) => Ok(()),
            _ => found(&path, None, "a tree of its size", "none"),
        }
    }
}
