//! Small files of state that say of themselves whether they are whole: one line with the form and the SHA-256 of
//! the rest, then the rest.
//!
//! Promise: after [`write`] the file durably holds either the old or the new content; [`read`] gives back what was
//! written or names the file as damaged, whichever byte of it changed.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{LedgerError, Result};
use crate::log::disk;
use crate::text;

/// Bytes of the first line at most: the form, a space, the digest.
const HEAD_BYTES_MAX: usize = 128;

fn head(form: &str, content: &[u8]) -> String {
    format!("{form} {}\n", text::to_hex(&Sha256::digest(content)))
}

/// Replaces the file durably.
///
/// # Errors
/// [`LedgerError::Io`].
pub(crate) fn write(path: &Path, form: &str, content: &[u8]) -> Result<()> {
    disk::replace(path, &[head(form, content).as_bytes(), content].concat())
}

/// The content, or `None` when there is no file.
///
/// # Errors
/// [`LedgerError::Corrupt`] naming the file; [`LedgerError::Io`].
pub(crate) fn read(path: &Path, form: &str, max: usize) -> Result<Option<Vec<u8>>> {
    let Some(bytes) = disk::read_small(path, max.saturating_add(HEAD_BYTES_MAX))? else { return Ok(None) };
    let damaged = |place: &str, why: &str| LedgerError::corrupt(path, place, why);
    let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
    let (found, content) = bytes.split_at(end.ok_or_else(|| damaged("its first line", "it does not end"))?);
    if !found.starts_with(format!("{form} ").as_bytes()) {
        return Err(damaged("its first line", &format!("it does not begin with `{form}`")));
    }
    if found != head(form, content).as_bytes() {
        return Err(damaged("an unknown byte", "its digest is not that of what follows"));
    }
    Ok(Some(content.to_vec()))
}

/// Makes a folder for such files, durably, and takes its lock.
///
/// # Errors
/// [`LedgerError::InUse`], [`LedgerError::Io`].
pub(crate) fn open_folder(dir: &Path) -> Result<std::fs::File> {
    disk::create_folder(dir)?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk::sync_folder(parent)?;
    crate::log::take_lock(dir)
}

/// The names of files in a folder that are a SHA-256 in lower-case hexadecimal digits and this ending.
///
/// # Errors
/// [`LedgerError::Io`].
pub(crate) fn hashes_in(dir: &Path, ending: &str) -> Result<Vec<[u8; 32]>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(LedgerError::io("listing", dir))? {
        let name = entry.map_err(LedgerError::io("listing", dir))?.file_name();
        let hash = name.to_str().and_then(|name| name.strip_suffix(ending)).and_then(text::hex_32);
        found.extend(hash);
    }
    found.sort_unstable();
    Ok(found)
}

/// What files and addresses call an origin: the SHA-256 of its name (C2SP `tlog-witness`).
pub(crate) fn origin_hash(origin: &str) -> [u8; 32] {
    Sha256::digest(origin.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(read(&path, "form@v1", 100).unwrap(), None);
        for content in [&b""[..], b"some\ncontent\n"] {
            write(&path, "form@v1", content).unwrap();
            assert_eq!(read(&path, "form@v1", 100).unwrap().as_deref(), Some(content));
            assert!(read(&path, "form@v2", 100).is_err());
            let bytes = std::fs::read(&path).unwrap();
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 0x20;
                std::fs::write(&path, &bad).unwrap();
                assert!(matches!(read(&path, "form@v1", 100), Err(LedgerError::Corrupt { .. })), "{at}");
                std::fs::write(&path, &bytes[..at]).unwrap();
                assert!(matches!(read(&path, "form@v1", 100), Err(LedgerError::Corrupt { .. })), "{at}");
            }
        }
        write(&path, "form@v1", &[0; 300]).unwrap();
        assert!(read(&path, "form@v1", 100).is_err(), "the limit holds");
    }
}
