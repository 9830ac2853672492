//! A disk in memory that forgets what was not synced.
//!
//! It replays the log of `shim.c` up to a moment and then writes out what a power cut at that moment leaves. The model:
//!
//! - a file is made of blocks of 4 KiB that are written whole or not at all;
//! - `fsync` and `fdatasync` make all blocks and the length of a file durable;
//! - `sync_file_range` makes durable only blocks that were durable before (it writes no metadata, so neither
//!   new blocks nor the length are found again);
//! - names (create, rename, remove) are durable at once. That is kinder than a real disk: this test says nothing on
//!   whether folders are synced.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Acknowledged, Numbers, note};

const BLOCK: usize = 4096;

/// What becomes of blocks that were written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// All are lost.
    Lost,
    /// Each survives with a chance of one half.
    HalfLost,
}

/// Whether the replay takes note of `fdatasync`; without, it shows what the engine does when left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataSync {
    Honoured,
    Ignored,
}

/// One record of the log.
pub enum Event {
    Open { fd: i32, truncate: bool, folder: bool, path: String },
    Close { fd: i32 },
    Write { fd: i32, at: u64, bytes: Vec<u8> },
    Truncate { fd: i32, len: u64 },
    Extend { fd: i32, len: u64 },
    Sync { fd: i32 },
    SyncData { fd: i32 },
    SyncRange { fd: i32, at: u64, len: u64 },
    Rename { from: String, to: String },
    Remove { path: String },
    MakeDir { path: String },
    Printed { text: String },
    Duplicate { fd: i32, as_fd: i32 },
}

/// Reads a log; the last record may be cut off, since the writer may have been.
pub fn parse(log: &[u8]) -> Vec<Event> {
    let (mut events, mut rest) = (Vec::new(), log);
    while let Some((head, after)) = rest.split_first_chunk::<28>() {
        let int = |at: usize| i64::from_ne_bytes(head[at..at + 8].try_into().unwrap());
        let kind = u32::from_ne_bytes(head[0..4].try_into().unwrap());
        let fd = i32::from_ne_bytes(head[4..8].try_into().unwrap());
        let len = u32::from_ne_bytes(head[24..28].try_into().unwrap()) as usize;
        let Some((bytes, next)) = after.split_at_checked(len) else { break };
        events.push(event(kind, fd, int(8), int(16), bytes));
        rest = next;
    }
    events
}

fn event(kind: u32, fd: i32, a: i64, b: i64, bytes: &[u8]) -> Event {
    let text = || String::from_utf8(bytes.to_vec()).unwrap();
    let (at, len) = (a as u64, b as u64);
    match kind {
        1 => Event::Open { fd, truncate: a != 0, folder: b != 0, path: text() },
        2 => Event::Close { fd },
        3 => Event::Write { fd, at, bytes: bytes.to_vec() },
        4 => Event::Truncate { fd, len: at },
        5 => Event::Sync { fd },
        6 => Event::SyncData { fd },
        7 => Event::SyncRange { fd, at, len },
        8 => {
            let both = text();
            let (from, to) = both.split_once('\u{1}').unwrap();
            Event::Rename { from: from.to_owned(), to: to.to_owned() }
        }
        9 => Event::Remove { path: text() },
        10 => Event::MakeDir { path: text() },
        11 => Event::Printed { text: text() },
        12 => Event::Duplicate { fd, as_fd: a as i32 },
        13 => Event::Extend { fd, len: at },
        other => panic!("no record of kind {other}"),
    }
}

type Blocks = BTreeMap<u64, Vec<u8>>;

#[derive(Default)]
struct File {
    folder: bool,
    now: Blocks,
    durable: Blocks,
    unsynced: BTreeSet<u64>,
    len: u64,
    durable_len: u64,
}

impl File {
    fn write(&mut self, mut at: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (block, inside) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - inside));
            let content = self.now.entry(block).or_insert_with(|| vec![0; BLOCK]);
            content[inside..inside + now.len()].copy_from_slice(now);
            self.unsynced.insert(block);
            at += now.len() as u64;
            bytes = later;
        }
        self.len = self.len.max(at);
    }

    fn truncate(&mut self, len: u64) {
        let (whole, inside) = (len / BLOCK as u64, (len % BLOCK as u64) as usize);
        for blocks in [&mut self.now, &mut self.durable] {
            blocks.retain(|block, _| *block < whole || (*block == whole && inside > 0));
            if let Some(last) = blocks.get_mut(&whole) {
                last[inside..].fill(0);
            }
        }
        self.unsynced.retain(|block| self.now.contains_key(block));
        self.durable_len = self.durable_len.min(len);
        self.len = len;
    }

    fn sync(&mut self) {
        for block in std::mem::take(&mut self.unsynced) {
            self.durable.insert(block, self.now[&block].clone());
        }
        self.durable_len = self.len;
    }

    fn sync_range(&mut self, at: u64, len: u64) {
        let first = at / BLOCK as u64;
        let end = if len == 0 { u64::MAX } else { (at + len).div_ceil(BLOCK as u64) };
        let inside = self.unsynced.range(first..end).copied();
        let overwritten: Vec<u64> = inside.filter(|block| self.durable.contains_key(block)).collect();
        for block in overwritten {
            self.durable.insert(block, self.now[&block].clone());
            self.unsynced.remove(&block);
        }
    }

    /// Blocks and length after a power cut.
    fn left(&self, unsynced: Unsynced, numbers: &mut Numbers) -> (Blocks, u64) {
        let (mut blocks, mut len) = (self.durable.clone(), self.durable_len);
        if unsynced == Unsynced::HalfLost {
            for block in self.unsynced.iter().filter(|_| numbers.below(2) == 0) {
                blocks.insert(*block, self.now[block].clone());
                len = len.max(self.len.min((block + 1) * BLOCK as u64));
            }
        }
        (blocks, len)
    }
}

/// The disk, at some moment of the log.
pub struct Disk {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    open: HashMap<i32, usize>,
    data_sync: DataSync,
    pub acknowledged: Acknowledged,
}

impl Disk {
    pub fn new(data_sync: DataSync) -> Self {
        Disk {
            files: Vec::new(),
            names: BTreeMap::new(),
            open: HashMap::new(),
            data_sync,
            acknowledged: Acknowledged::default(),
        }
    }

    pub fn step(&mut self, event: &Event) {
        match event {
            Event::Open { fd, truncate, folder, path } => {
                let file = self.named(path, *folder);
                if *truncate {
                    self.files[file].truncate(0);
                }
                self.open.insert(*fd, file);
            }
            Event::Close { fd } => drop(self.open.remove(fd)),
            Event::Write { fd, at, bytes } => self.file(*fd).write(*at, bytes),
            Event::Truncate { fd, len } => self.file(*fd).truncate(*len),
            Event::Extend { fd, len } => self.file(*fd).len = self.file(*fd).len.max(*len),
            Event::Sync { fd } => self.file(*fd).sync(),
            Event::SyncData { fd } if self.data_sync == DataSync::Honoured => self.file(*fd).sync(),
            Event::SyncData { .. } => {}
            Event::SyncRange { fd, at, len } => self.file(*fd).sync_range(*at, *len),
            Event::Rename { from, to } => self.rename(from, to),
            Event::Remove { path } => drop(self.names.remove(path)),
            Event::MakeDir { path } => drop(self.named(path, true)),
            Event::Printed { text } => text.lines().for_each(|line| note(line, &mut self.acknowledged)),
            Event::Duplicate { fd, as_fd } => drop(self.open.insert(*as_fd, self.open[fd])),
        }
    }

    /// Writes out what a power cut leaves of `root`, as `to`.
    pub fn cut(&self, root: &str, to: &Path, unsynced: Unsynced, numbers: &mut Numbers) {
        for (name, file) in &self.names {
            let file = &self.files[*file];
            let path = to.join(name[root.len()..].trim_start_matches('/'));
            if file.folder {
                fs::create_dir_all(&path).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
                continue;
            }
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let (blocks, len) = file.left(unsynced, numbers);
            let mut out = fs::File::create(&path).unwrap();
            for (block, content) in blocks {
                let at = block * BLOCK as u64;
                let kept = content.len().min(len.saturating_sub(at) as usize);
                out.seek(SeekFrom::Start(at)).unwrap();
                out.write_all(&content[..kept]).unwrap();
            }
            out.set_len(len).unwrap();
        }
    }

    fn named(&mut self, path: &str, folder: bool) -> usize {
        let path = path.trim_end_matches('/');
        if let Some(file) = self.names.get(path) {
            return *file;
        }
        self.files.push(File { folder, ..File::default() });
        self.names.insert(path.to_owned(), self.files.len() - 1);
        self.files.len() - 1
    }

    fn file(&mut self, fd: i32) -> &mut File {
        &mut self.files[self.open[&fd]]
    }

    fn rename(&mut self, from: &str, to: &str) {
        let inside = format!("{from}/");
        let moved: Vec<String> =
            self.names.keys().filter(|name| *name == from || name.starts_with(&inside)).cloned().collect();
        for name in moved {
            let file = self.names.remove(&name).unwrap();
            self.names.insert(format!("{to}{}", &name[from.len()..]), file);
        }
    }
}
