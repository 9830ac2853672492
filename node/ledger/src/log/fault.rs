//! Disk failures on demand, for tests: a plan for a folder makes its n-th change of a kind fail in one of four ways.
//!
//! Plans are found by the path of the folder, since every test has a folder of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::disk::Change;

/// How the disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing happened. A sync that fails so has lost all that it should have saved.
    Failed,
    /// It happened, but the answer is a failure.
    FailedButPersisted,
    /// Half of it happened.
    Torn,
    /// Half of it fitted.
    DiskFull,
}

/// A change by its kind and the file's role: `write checkpoint.tmp`.
pub(crate) type Point = String;

#[derive(Default)]
struct Watch {
    /// The point, how many of it to let pass, and the way to fail.
    plan: Option<(Point, usize, Kind)>,
    fired: bool,
    seen: BTreeSet<Point>,
    /// Per file: its bytes as the last sync left them, once it was written since.
    unsynced: BTreeMap<PathBuf, Vec<u8>>,
}

static WATCHES: Mutex<BTreeMap<PathBuf, Watch>> = Mutex::new(BTreeMap::new());

fn with<T>(folder: &Path, act: impl FnOnce(&mut Watch) -> T) -> T {
    let mut watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
    act(watches.entry(folder.to_owned()).or_default())
}

/// Watches a folder; with a plan, the `skip`-th such change after the first fails.
pub(crate) fn watch(folder: &Path, plan: Option<(Point, usize, Kind)>) {
    with(folder, |watch| *watch = Watch { plan, ..Watch::default() });
}

/// Ends the watch: which points were passed, and whether the plan came true.
pub(crate) fn unwatch(folder: &Path) -> (BTreeSet<Point>, bool) {
    let mut watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
    watches.remove(folder).map(|watch| (watch.seen, watch.fired)).unwrap_or_default()
}

/// Does a change, or fails as planned.
pub(crate) fn point<T>(
    change: Change<'_>,
    path: &Path,
    act: impl FnOnce() -> std::io::Result<T>,
) -> std::io::Result<T> {
    let kind = {
        let mut watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = watches.iter_mut().find(|(folder, _)| path.starts_with(folder));
        watched.and_then(|(folder, watch)| watch.meet(&change, path, folder))
    };
    let Some(kind) = kind else { return act() };
    match (kind, &change) {
        (Kind::FailedButPersisted, _) => drop(act()?),
        (Kind::Torn | Kind::DiskFull, Change::Write { file, offset, bytes }) => {
            file.write_all_at(&bytes[..bytes.len() / 2], *offset)?;
        }
        (Kind::Failed, Change::SyncData) => lose(path),
        _ => {}
    }
    Err(if kind == Kind::DiskFull {
        ErrorKind::StorageFull.into()
    } else {
        Error::other("input/output error")
    })
}

/// Takes back what was written to a file since its last sync.
fn lose(path: &Path) {
    let mut watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
    let saved = watches.values_mut().find_map(|watch| watch.unsynced.remove(path));
    if let Some(saved) = saved {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(0).unwrap();
        file.write_all_at(&saved, 0).unwrap();
    }
}

impl Watch {
    fn meet(&mut self, change: &Change<'_>, path: &Path, folder: &Path) -> Option<Kind> {
        let point = name(change, path, folder);
        self.seen.insert(point.clone());
        let kind = match &mut self.plan {
            Some((planned, 0, kind)) if *planned == point => Some(*kind),
            Some((planned, left, _)) if *planned == point => {
                *left -= 1;
                None
            }
            _ => None,
        };
        if kind.is_some() {
            self.plan = None;
            self.fired = true;
        }
        match change {
            Change::Write { .. } | Change::Free => {
                let unsynced = self.unsynced.entry(path.to_owned());
                unsynced.or_insert_with(|| std::fs::read(path).unwrap_or_default());
            }
            Change::SyncData if kind.is_none() => drop(self.unsynced.remove(path)),
            _ => {}
        }
        kind
    }
}

fn name(change: &Change<'_>, path: &Path, folder: &Path) -> Point {
    let verb = match change {
        Change::Create => "create",
        Change::Write { .. } => "write",
        Change::SyncData => "sync",
        Change::SyncFolder => "sync folder",
        Change::Rename => "rename",
        Change::Cut => "cut",
        Change::Remove => "remove",
        Change::Free => "free",
    };
    format!("{verb} {}", role(path, folder))
}

/// A file's part in the log: numbers in names do not matter.
fn role(path: &Path, folder: &Path) -> String {
    let path = path.strip_prefix(folder).unwrap().display().to_string();
    let mut role = String::new();
    for c in path.chars() {
        let c = if c.is_ascii_digit() { 'N' } else { c };
        if c != 'N' || !role.ends_with('N') {
            role.push(c);
        }
    }
    role
}
