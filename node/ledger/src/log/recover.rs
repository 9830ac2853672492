//! Opening what is on disk: replay, repair, and the reasons to refuse.
//!
//! Promise: the write-ahead log is the truth. Replay rewrites flat files that a power cut left behind. It refuses,
//! naming the record, when a root does not come out again, and cuts off an incomplete last record only when
//! nothing shows that it was ever acknowledged: no record behind it, no flat file that already has its entries,
//! no signed checkpoint that covers it.

use std::path::Path;

use certs::note::Vkey;

use super::flat::{Flat, Growth};
use super::wal::{self, Found, Record, Segment};
use super::{Recovery, TornTail, disk};
use crate::checkpoint::{CHECKPOINT_BYTES_MAX, SignedCheckpoint};
use crate::error::{LedgerError, Result};
use crate::merkle::{self, Edge, leaf_hash};

/// A log as it stands after replay.
pub(super) struct State {
    pub edge: Edge,
    /// Bytes of `entries.dat`.
    pub data_bytes: u64,
    /// The segment to write on, and how long it is.
    pub current: Segment,
    pub current_bytes: u64,
    /// Older segments, to be deleted once the flat files are synced.
    pub older: Vec<Segment>,
    pub recovery: Recovery,
}

/// Replays all segments of `folder` onto the flat files.
pub(super) fn replay(folder: &Path, flat: &Flat) -> Result<State> {
    let mut older = wal::segments(folder)?;
    let missing = || LedgerError::corrupt(folder, "its list of files", "no segment of the log is there");
    let current = older.pop().ok_or_else(missing)?;
    let first = older.first().unwrap_or(&current).first;
    let mut replay = Replay {
        flat,
        edge: Edge::of(flat, first)?,
        data_bytes: flat.data_end(first)?,
        recovery: Recovery::default(),
    };
    for segment in &older {
        if let Some((offset, why)) = replay.segment(segment)?.1 {
            return Err(LedgerError::corrupt(&segment.path, place(offset, replay.edge.size()), why));
        }
    }
    let (current_bytes, bad) = replay.segment(&current)?;
    if let Some((offset, why)) = bad {
        replay.judge_tail(&current, offset, why)?;
    }
    let Replay { edge, data_bytes, mut recovery, .. } = replay;
    if let Some(path) = flat.longer_than(edge.size(), data_bytes)? {
        let why = format!("it holds more than the {} entries of the write-ahead log", edge.size());
        return Err(LedgerError::corrupt(path, "its end", why));
    }
    if bad.is_some() {
        recovery.torn = Some(TornTail { segment: current.path.clone(), offset: current_bytes });
    }
    Ok(State { edge, data_bytes, current, current_bytes, older, recovery })
}

fn place(offset: u64, index: u64) -> String {
    format!("byte {offset} (the record of entry {index})")
}

struct Replay<'a> {
    flat: &'a Flat,
    edge: Edge,
    data_bytes: u64,
    recovery: Recovery,
}

impl Replay<'_> {
    /// Replays whole records; gives back where they end, and what stands there if it is no end.
    fn segment(&mut self, segment: &Segment) -> Result<(u64, Option<(u64, &'static str)>)> {
        let path = &segment.path;
        let file = disk::open_readable(path)?;
        let length = disk::length(&file, path)?;
        let mut offset = 0;
        if segment.first != self.edge.size() {
            let why = format!("it begins at entry {}, expected {}", segment.first, self.edge.size());
            return Err(LedgerError::corrupt(path, "its name", why));
        }
        loop {
            match wal::read(&file, path, offset, length)? {
                Found::Record(record, next) => {
                    self.record(path, offset, &record)?;
                    offset = next;
                }
                Found::End if offset > 0 => return Ok((offset, None)),
                // A segment gets its name after its first record is durable: this is never a torn tail.
                Found::End => return Err(LedgerError::corrupt(path, place(0, segment.first), "it is empty")),
                Found::Bad(why) if offset == 0 => {
                    return Err(LedgerError::corrupt(path, place(0, segment.first), why));
                }
                Found::Bad(why) => return Ok((offset, Some((offset, why)))),
            }
        }
    }

    fn record(&mut self, path: &Path, offset: u64, record: &Record) -> Result<()> {
        let refuse = |why: String| LedgerError::corrupt(path, place(offset, record.first), why);
        if record.first != self.edge.size() {
            return Err(refuse(format!(
                "it begins at entry {}, expected {}",
                record.first,
                self.edge.size()
            )));
        }
        let entries =
            wal::entries(&record.body).filter(|entries| entries.len() as u64 == u64::from(record.count));
        let entries = entries.ok_or_else(|| refuse("its entries do not fill it".to_owned()))?;
        let mut edge = self.edge.clone();
        let mut growth = Growth::new(record.first, self.data_bytes);
        for (prefix, entry) in entries {
            growth.push(&mut edge, entry, prefix, leaf_hash(entry));
        }
        if edge.root() != record.root {
            let why = format!("replay gives the root {}, the record says {}", edge.root(), record.root);
            return Err(refuse(why));
        }
        if self.flat.apply(&growth)? {
            self.recovery.rewritten_entries += u64::from(record.count);
        }
        self.recovery.replayed_entries += u64::from(record.count);
        self.data_bytes = growth.data_end();
        self.edge = edge;
        Ok(())
    }

    fn judge_tail(&self, segment: &Segment, offset: u64, why: &'static str) -> Result<()> {
        let path = &segment.path;
        let file = disk::open_readable(path)?;
        let length = disk::length(&file, path)?;
        let behind = wal::record_behind(&file, path, offset, length)?;
        let written = self.flat.longer_than(self.edge.size(), self.data_bytes)?;
        let evidence = match (behind, written) {
            (true, _) => "a whole record follows it".to_owned(),
            (_, Some(file)) => format!("`{}` already has its entries", file.display()),
            (false, None) => return Ok(()),
        };
        let why = format!("{why}, and it was acknowledged: {evidence}");
        Err(LedgerError::corrupt(path, place(offset, self.edge.size()), why))
    }
}

/// Reads a signed checkpoint that we kept, and refuses when the log on disk is behind it or another one.
pub(super) fn check_signed(path: &Path, keys: &[Vkey], flat: &Flat, size: u64) -> Result<Option<u64>> {
    let Some(bytes) = disk::read_small(path, CHECKPOINT_BYTES_MAX)? else { return Ok(None) };
    let signed = SignedCheckpoint::open(&bytes, keys)
        .map_err(|error| LedgerError::corrupt(path, "the checkpoint", error.to_string()))?;
    let checkpoint = signed.checkpoint();
    if checkpoint.size > size {
        return Err(LedgerError::Behind { local: size, signed: checkpoint.size, witness: path.to_owned() });
    }
    if merkle::root(flat, checkpoint.size)? != checkpoint.root {
        return Err(LedgerError::Fork { size: checkpoint.size, witness: path.to_owned() });
    }
    Ok(Some(checkpoint.size))
}
