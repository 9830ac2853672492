//! Files that somebody wants the rows of an exchange in, and who went away before they came (`tram exchange get --out FILE`).
//!
//! **What it is.** The wish is a file in the node's folder, `handouts/{exchange}.json`, written by the command line: who may
//! write there may have the node write elsewhere, and nobody else; no door takes such a wish. When the rows are here, the
//! node copies them into the file and puts the receipts beside it, found again after a restart. A file that somebody else
//! put there meanwhile is left alone.
//!
//! **What it is not.** It brings nothing home while the command line still waits: that one holds the wish, and does it itself.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use store::Space;

use super::{consumer, receipts};
use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::records::{self, Exchange, Stage};

/// Folder of the wishes in a node's folder.
const FOLDER: &str = "handouts";
/// Longest wish that is read, bytes: a path and a reason.
const WISH_BYTES_MAX: usize = 64 << 10;
/// Longest pause between two tries to write a file, seconds; the first is one look of the monitor.
const PAUSE_SECONDS_MAX: i64 = 900;
/// Bytes that are copied at once.
const PIECE_BYTES: usize = 256 << 10;

/// A file that rows are wanted in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Where, from the root.
    pub file: PathBuf,
    /// What lay there when it was wanted: that alone is replaced.
    #[serde(default)]
    before: Option<Seen>,
    /// Why it could not be written, the last time.
    #[serde(default)]
    pub problem: Option<String>,
    /// Tries so far.
    #[serde(default)]
    tries: u32,
    /// Unix seconds before which it is not tried again.
    #[serde(default)]
    not_before: i64,
}

/// A file as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    bytes: u64,
    changed_ns: u64,
}

impl Seen {
    /// The file at this path, if there is one.
    fn at(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        let changed = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self { bytes: found.len(), changed_ns: u64::try_from(changed.as_nanos()).unwrap_or(u64::MAX) })
    }
}

/// A wish that somebody still sees to; the node leaves it alone until this is dropped, or its process ends.
#[derive(Debug)]
pub struct Held {
    wish: PathBuf,
    _lock: File,
}

impl Held {
    /// The rows are home, or will never come.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn settled(self) -> Result<()> {
        files::remove(&self.wish)
    }
}

fn path(dir: &Path, id: &str) -> Result<PathBuf> {
    let good = !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if good {
        Ok(dir.join(FOLDER).join(format!("{id}.json")))
    } else {
        Err(Error::usage(format!("`{id}` is no id of an exchange")))
    }
}

/// Wants the rows of an exchange in a file, durably.
///
/// # Errors
/// [`Error::Io`], [`Error::Usage`].
pub fn want(dir: &Path, id: &str, file: &Path) -> Result<Held> {
    let file = std::path::absolute(file).map_err(|e| Error::io(file, e))?;
    let wish = path(dir, id)?;
    files::make_private_dir(&dir.join(FOLDER))?;
    let before = Seen::at(&file);
    write(&wish, &Wish { file, before, problem: None, tries: 0, not_before: 0 })?;
    let lock = File::open(&wish).map_err(|e| Error::io(&wish, e))?;
    match lock.try_lock() {
        // The node may look at it just now; it comes to the same.
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(Held { wish, _lock: lock }),
        Err(TryLockError::Error(error)) => Err(Error::io(&wish, error)),
    }
}

/// What is wanted of an exchange, as far as it can be read.
pub fn of(dir: &Path, id: &str) -> Option<Wish> {
    let bytes = files::read_limited(&path(dir, id).ok()?, WISH_BYTES_MAX).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn write(path: &Path, wish: &Wish) -> Result<()> {
    files::write_atomic(path, &serde_json::to_vec(wish).map_err(Error::internal)?)
}

/// Sees to every wish whose turn it is: brings the rows that are here, forgets what will never come.
pub async fn sweep(node: &Arc<Node>) -> Result<()> {
    let folder = node.dir.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io(&folder, error)),
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(id) = name.strip_suffix(".json").filter(|id| path(&node.dir, id).is_ok()) else { continue };
        let (owner, wanted) = (node.clone(), id.to_owned());
        // One at a time, so that a folder of wishes does not fill the disk's queue; one that fails holds up no other.
        let seen = tokio::task::spawn_blocking(move || look_at(&owner, &wanted)).await;
        if let Err(error) = seen.map_err(Error::internal).and_then(|seen| seen) {
            tracing::warn!(exchange = id, %error, "a wish for a file could not be seen to");
        }
    }
    Ok(())
}

/// Sees to one wish. Blocks on the disk.
fn look_at(node: &Node, id: &str) -> Result<()> {
    let path = path(&node.dir, id)?;
    let lock = File::open(&path).map_err(|e| Error::io(&path, e))?;
    if lock.try_lock().is_err() {
        return Ok(());
    }
    let Some(mut wish) = of(&node.dir, id) else {
        tracing::warn!(exchange = id, "a wish for a file is unreadable and is forgotten");
        return files::remove(&path);
    };
    let found = records::get::<Exchange>(&node.store, Space::Exchange, &records::consumer_key(id))?;
    let Some((exchange, _)) = found.filter(|(e, _)| !e.stage.is_final() || e.stage == Stage::Completed)
    else {
        return files::remove(&path);
    };
    let now = node.clock.now();
    if exchange.stage == Stage::Completed && exchange.sha256.is_none() {
        tracing::warn!(exchange = id, file = %wish.file.display(), "the rows that were wanted in a file were erased");
        return files::remove(&path);
    }
    if exchange.stage != Stage::Completed || now < wish.not_before {
        return Ok(());
    }
    match bring(node, &exchange, &wish) {
        Ok(()) => {
            tracing::info!(exchange = id, file = %wish.file.display(), "the rows are in the file that was asked for");
            files::remove(&path)
        }
        Err(error) => {
            tracing::warn!(exchange = id, file = %wish.file.display(), %error, "the rows are here and not in the file that was asked for");
            wish.tries = wish.tries.saturating_add(1);
            wish.not_before = now + (15 << wish.tries.min(6)).min(PAUSE_SECONDS_MAX);
            wish.problem = Some(error.to_string());
            write(&path, &wish)
        }
    }
}

/// Copies the rows and the receipts, whole or not at all.
fn bring(node: &Node, exchange: &Exchange, wish: &Wish) -> Result<()> {
    let target = &wish.file;
    let wanted = exchange.sha256.as_deref().ok_or_else(|| Error::conflict("the rows were erased"))?;
    let here = Seen::at(target);
    let is_home = here.is_some_and(|here| Some(here.bytes) == exchange.bytes)
        && files::sha256_of(target).is_ok_and(|found| found == wanted);
    if !is_home {
        let free = |seen: Option<Seen>| seen.is_none() || seen == wish.before;
        let taken = || {
            Error::conflict(format!(
                "another file was put at `{}` meanwhile, and it is left alone; `tram exchange resume {} --out OTHER` writes the rows elsewhere",
                target.display(),
                exchange.id
            ))
        };
        if !free(here) {
            return Err(taken());
        }
        let part = part(target, &exchange.id);
        let copied = copy(&consumer::received_file(node, &exchange.id), &part, wanted);
        let named = copied.and_then(|()| {
            if !free(Seen::at(target)) {
                return Err(taken());
            }
            fs::rename(&part, target).map_err(|e| Error::io(target, e))
        });
        if named.is_err() {
            let _ = fs::remove_file(&part);
        }
        named?;
    }
    for side in &exchange.receipts {
        let file = PathBuf::from(format!("{}.{side}.tlog-proof", target.display()));
        let part = part(&file, &exchange.id);
        let bytes = receipts::read(node, exchange, side)?;
        let written = File::create(&part).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&part, &file)).map_err(|e| Error::io(&file, e))?;
    }
    let folder = target.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| Error::io(folder, e))
}

/// A name beside the file that nobody else takes.
fn part(target: &Path, id: &str) -> PathBuf {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    target.with_file_name(format!(".{name}.{id}.part"))
}

/// Copies rows, held against their digest on the way.
fn copy(from: &Path, part: &Path, wanted: &str) -> Result<()> {
    let mut rows = File::open(from).map_err(|e| Error::io(from, e))?;
    let mut out = File::create(part).map_err(|e| Error::io(part, e))?;
    let (mut whole, mut buffer) = (sha2::Sha256::new(), vec![0u8; PIECE_BYTES]);
    loop {
        let read = rows.read(&mut buffer).map_err(|e| Error::io(from, e))?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        whole.update(piece);
        out.write_all(piece).map_err(|e| Error::io(part, e))?;
    }
    if files::hex(&whole.finalize()) != wanted {
        return Err(Error::Verification(
            "the rows in this node are not those of the signed manifest any more; get the dataset again"
                .to_owned(),
        ));
    }
    out.sync_all().map_err(|e| Error::io(part, e))
}

#[cfg(test)]
mod tests;
