//! The one place that changes files: every failure names the file, every replacement is durable.
//!
//! Each change is a *point* at which the tests of `faults.rs` make the disk fail; no other module of the log may
//! change a file by itself.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::{LedgerError, Result};

/// Files and folders of the ledger are for the node's own user only.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

pub(crate) fn create_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let make = || fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
    point(Change::Create, path, make).map_err(LedgerError::io("creating", path))
}

/// Opens for reading and writing, and creates what is not there.
pub(crate) fn open_writable(path: &Path) -> Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    let opened =
        if path.exists() { options.open(path) } else { point(Change::Create, path, || options.open(path)) };
    opened.map_err(LedgerError::io("opening", path))
}

pub(crate) fn open_readable(path: &Path) -> Result<File> {
    File::open(path).map_err(LedgerError::io("opening", path))
}

/// Makes created, renamed and deleted names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let folder = File::open(path).map_err(LedgerError::io("opening", path))?;
    point(Change::SyncFolder, path, || folder.sync_all()).map_err(LedgerError::io("syncing", path))
}

/// Writes all bytes at an offset; not durable before a sync.
pub(crate) fn write_at(file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
    let write = || file.write_all_at(bytes, offset);
    point(Change::Write { file, offset, bytes }, path, write).map_err(LedgerError::io("writing", path))
}

/// Makes a file's bytes and length durable. After a failure what was written may be lost without another word:
/// whoever goes on writing the file must stop for good.
pub(crate) fn sync_data(file: &File, path: &Path) -> Result<()> {
    point(Change::SyncData, path, || file.sync_data()).map_err(LedgerError::io("syncing", path))
}

/// Cuts a file off, durably.
pub(crate) fn cut(file: &File, path: &Path, length: u64) -> Result<()> {
    point(Change::Cut, path, || file.set_len(length)).map_err(LedgerError::io("cutting", path))?;
    point(Change::SyncData, path, || file.sync_all()).map_err(LedgerError::io("syncing", path))
}

/// Deletes a file's name; durable once its folder is synced.
pub(crate) fn remove(path: &Path) -> Result<()> {
    point(Change::Remove, path, || fs::remove_file(path)).map_err(LedgerError::io("deleting", path))
}

/// Gives the space of a file's first `length` bytes back; they read as zeros then. False when the file system
/// cannot. Not durable before a sync.
pub(crate) fn free_beginning(file: &File, path: &Path, length: u64) -> Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let freed = point(Change::Free, path, || match fallocate(file, mode, 0, length) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    });
    freed.map_err(LedgerError::io("freeing the beginning of", path))
}

/// Replaces a small file: afterwards it durably holds either the old or the new bytes.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_unlisted(path, bytes)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// [`replace`] for many files of one folder: their names are durable once the caller has synced that.
pub(crate) fn replace_unlisted(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let tmp = path.with_file_name(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(FILE_MODE);
    let file =
        point(Change::Create, &tmp, || options.open(&tmp)).map_err(LedgerError::io("creating", &tmp))?;
    write_at(&file, &tmp, 0, bytes)?;
    // A new file: all about it, not its bytes alone.
    point(Change::SyncData, &tmp, || file.sync_all()).map_err(LedgerError::io("syncing", &tmp))?;
    point(Change::Rename, &tmp, || fs::rename(&tmp, path)).map_err(LedgerError::io("renaming", &tmp))
}

/// One change to the disk.
#[cfg_attr(not(test), expect(dead_code, reason = "tests alone look at what is changed"))]
pub(crate) enum Change<'a> {
    /// A new file or folder, or an old file emptied.
    Create,
    /// Bytes into a file.
    Write { file: &'a File, offset: u64, bytes: &'a [u8] },
    /// A file's bytes and length made durable.
    SyncData,
    /// A folder's names made durable.
    SyncFolder,
    /// A new name over an old one.
    Rename,
    /// A shorter file.
    Cut,
    /// A name less.
    Remove,
    /// A hole.
    Free,
}

#[cfg(not(test))]
fn point<T>(_: Change<'_>, _: &Path, act: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    act()
}
#[cfg(test)]
use super::fault::point;

/// The whole of a small file, or `None` when it does not exist.
pub(crate) fn read_small(path: &Path, max: usize) -> Result<Option<Vec<u8>>> {
    let length = match fs::metadata(path) {
        Ok(metadata) => usize::try_from(metadata.len()).unwrap_or(usize::MAX),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LedgerError::io("reading", path)(error)),
    };
    if length > max {
        return Err(LedgerError::corrupt(path, "its end", format!("{length} bytes, expected at most {max}")));
    }
    fs::read(path).map(Some).map_err(LedgerError::io("reading", path))
}

/// Exactly `length` bytes from `offset`; a file that is too short is damaged.
pub(crate) fn read_at(file: &File, path: &Path, offset: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(LedgerError::corrupt(
            path,
            format!("byte {offset}"),
            format!("{length} bytes were expected there"),
        )),
        Err(error) => Err(LedgerError::io("reading", path)(error)),
    }
}

pub(crate) fn length(file: &File, path: &Path) -> Result<u64> {
    Ok(file.metadata().map_err(LedgerError::io("reading", path))?.len())
}
