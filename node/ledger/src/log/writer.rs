//! The one thread that writes.
//!
//! Promise: one write and one `fdatasync` per batch; a batch is whatever has queued while the last one was being
//! synced. Nobody is answered before the sync returned. After any failure nothing is written again: a sync that
//! failed once may have lost what it did not report (so it is never tried again), and the next start replays.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, atomic::Ordering};

use super::flat::Growth;
use super::publisher::News;
use super::wal::{self, Segment};
use super::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Committed, Shared, Snapshot, disk};
use crate::error::{LedgerError, Result};
use crate::merkle::{Edge, Hash, leaf_hash};

/// How an append is answered.
pub(super) type Reply = Box<dyn FnOnce(Result<Committed>) + Send>;

/// One append: the entry, its hash as the caller computed it, and the answer.
pub(super) struct Item {
    pub entry: Vec<u8>,
    pub leaf: Hash,
    pub reply: Reply,
}

pub(super) struct Writer {
    pub shared: Arc<Shared>,
    pub folder: PathBuf,
    pub segment: Segment,
    pub file: std::fs::File,
    pub file_bytes: u64,
    pub edge: Edge,
    pub data_bytes: u64,
    pub news: Sender<News>,
}

impl Writer {
    /// Writes until the queue is closed or something fails.
    pub fn run(mut self, queue: &Receiver<Item>) {
        while let Ok(first) = queue.recv() {
            let batch = gather(first, queue);
            let base = self.edge.size();
            match self.commit(&batch) {
                Ok(()) => {
                    for (index, item) in (base..).zip(batch) {
                        (item.reply)(Ok(Committed { index, leaf_hash: item.leaf }));
                    }
                    // The publisher ends after the writer; if it failed, the log is poisoned and that is known.
                    let _ = self.news.send(News::Grown);
                }
                Err(error) => {
                    self.shared.poison(&error.to_string());
                    for item in batch {
                        (item.reply)(Err(self.shared.stopped()));
                    }
                    return;
                }
            }
            if self.shared.is_poisoned() {
                return;
            }
        }
    }

    fn commit(&mut self, batch: &[Item]) -> Result<()> {
        if self.shared.is_poisoned() {
            return Err(self.shared.stopped());
        }
        if self.file_bytes > self.shared.segment_bytes {
            self.rotate()?;
        }
        let mut edge = self.edge.clone();
        let growth = self.grow(&mut edge, batch)?;
        let root = edge.root();
        let count = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let record = wal::encode(self.edge.size(), count, growth.body(), &root);
        self.write(&record)?;
        self.shared.flat.apply(&growth)?;
        self.data_bytes = growth.data_end();
        self.edge = edge;
        self.shared.advance(Snapshot { size: self.edge.size(), root, data_bytes: self.data_bytes });
        Ok(())
    }

    /// Hashes each entry anew from the bytes that will be written: a flipped bit in memory must not be signed.
    fn grow(&self, edge: &mut Edge, batch: &[Item]) -> Result<Growth> {
        let mut growth = Growth::new(edge.size(), self.data_bytes);
        for item in batch {
            let leaf = leaf_hash(&item.entry);
            if leaf != item.leaf {
                let why = "an entry changed in memory between its request and the write";
                return Err(LedgerError::corrupt(&self.segment.path, "the next record", why));
            }
            let length = u16::try_from(item.entry.len()).unwrap_or(u16::MAX);
            growth.push(edge, &item.entry, length.to_be_bytes(), leaf);
        }
        Ok(growth)
    }

    fn write(&mut self, record: &[u8]) -> Result<()> {
        let path = &self.segment.path;
        disk::write_at(&self.file, path, self.file_bytes, record)?;
        disk::sync_data(&self.file, path)?;
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        self.file_bytes += record.len() as u64;
        Ok(())
    }

    /// Begins a new segment; the old one is deleted once the flat files are synced.
    fn rotate(&mut self) -> Result<()> {
        let next = wal::create(&self.folder, self.edge.size(), &self.edge.root())?;
        let file = disk::open_writable(&next.path)?;
        self.file_bytes = disk::length(&file, &next.path)?;
        self.file = file;
        let old = std::mem::replace(&mut self.segment, next);
        let _ = self.news.send(News::Replaced(old));
        Ok(())
    }
}

/// Whatever has queued, up to the limits of one batch.
fn gather(first: Item, queue: &Receiver<Item>) -> Vec<Item> {
    let mut bytes = first.entry.len();
    let mut batch = vec![first];
    while batch.len() < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX {
        let Ok(item) = queue.try_recv() else { break };
        bytes += item.entry.len() + 2;
        batch.push(item);
    }
    batch
}
