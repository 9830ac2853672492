//! Small helpers for files: every failure names the file, every replacement is durable.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::{LedgerError, Result};

/// Files and folders of the ledger are for the node's own user only.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

pub(crate) fn create_folder(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
    made.map_err(LedgerError::io("creating", path))
}

/// Opens for reading and writing, and creates what is not there.
pub(crate) fn open_writable(path: &Path) -> Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    options.open(path).map_err(LedgerError::io("opening", path))
}

pub(crate) fn open_readable(path: &Path) -> Result<File> {
    File::open(path).map_err(LedgerError::io("opening", path))
}

/// Makes created, renamed and deleted names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let folder = File::open(path).map_err(LedgerError::io("opening", path))?;
    folder.sync_all().map_err(LedgerError::io("syncing", path))
}

/// Replaces a small file: afterwards it durably holds either the old or the new bytes.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let tmp = path.with_file_name(name);
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&tmp);
    let mut file = opened.map_err(LedgerError::io("creating", &tmp))?;
    file.write_all(bytes).map_err(LedgerError::io("writing", &tmp))?;
    file.sync_all().map_err(LedgerError::io("syncing", &tmp))?;
    fs::rename(&tmp, path).map_err(LedgerError::io("renaming", &tmp))?;
    match path.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

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
