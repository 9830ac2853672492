//! Small file habits that the whole node shares: atomic durable writes, digests, modes.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// End of the name of a file that is being written.
const TEMPORARY: &str = ".tmp";

/// Writes `bytes` so that after a crash either the old file or the new one is there: temporary file, sync, rename, sync
/// of the folder. The file is readable by its owner only. Of two writers of one path the later rename wins, whole.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = folder_of(path);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    // A name of its own for each write, in this process and in others, so that nobody writes into another's file.
    let unique = hex(&crate::operation::random::<8>()?);
    let temporary = folder.join(format!(".{name}.{unique}{TEMPORARY}"));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::io(path, e)
    })
}

/// The folder of a file; of a bare name that is the one that one is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes what writes that a crash cut off left behind in a folder and in the folders directly in it. Only for a folder
/// that nobody writes to. What cannot be removed is logged: it is in nobody's way.
pub fn remove_leftovers(folder: &Path) {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries(folder) {
        let inner = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let within = if inner { entries(&entry.path()).collect() } else { Vec::new() };
        for file in std::iter::once(entry).chain(within) {
            let name = file.file_name();
            let ours = name.to_str().is_some_and(|n| n.starts_with('.') && n.ends_with(TEMPORARY));
            if ours
                && file.file_type().is_ok_and(|kind| kind.is_file())
                && let Err(error) = fs::remove_file(file.path())
            {
                tracing::warn!(path = %file.path().display(), %error, "a leftover could not be removed");
            }
        }
    }
}

/// Digits of the checksum that stands behind a secret in its file: enough to notice damage.
const CHECK_DIGITS: usize = 16;

/// Writes a secret of 32 bytes as hex with a checksum behind it: any 32 bytes are a good secret, so without it a damaged
/// file would go unnoticed.
pub fn write_secret(path: &Path, secret: &[u8; 32]) -> Result<()> {
    write_atomic(path, format!("{} {}\n", hex(secret), check_of(secret)).as_bytes())
}

/// Reads what [`write_secret`] wrote.
pub fn read_secret(path: &Path) -> Result<[u8; 32]> {
    let damaged =
        || Error::Verification(format!("`{}` is damaged; put it back from a backup", path.display()));
    // Read as bytes: a damaged file need not be text.
    let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
    let (secret, check) =
        text.strip_suffix('\n').and_then(|line| line.split_once(' ')).ok_or_else(damaged)?;
    let secret = unhex(secret).ok_or_else(damaged)?;
    if check_of(&secret) == check { Ok(secret) } else { Err(damaged()) }
}

/// Behind a label of its own, so that the checksum is no digest that is used elsewhere.
fn check_of(secret: &[u8; 32]) -> String {
    let digest = Sha256::new().chain_update(b"tram/secret-check@v1\n").chain_update(secret).finalize();
    let mut digits = hex(&digest);
    digits.truncate(CHECK_DIGITS);
    digits
}

/// Makes a folder and its parents, readable by the owner only.
pub fn make_private_dir(path: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| Error::io(path, e))
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// [`Error::TooLarge`] for a longer one, [`Error::Io`].
pub fn read_limited(path: &Path, max: usize) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    file.take(max as u64 + 1).read_to_end(&mut bytes).map_err(|e| Error::io(path, e))?;
    if bytes.len() > max {
        return Err(Error::TooLarge(format!(
            "`{}` is over {max} bytes; it is not the right file",
            path.display()
        )));
    }
    Ok(bytes)
}

/// Removes a folder with all that is in it; one that is not there is removed already.
pub fn remove_folder(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, error)),
        _ => Ok(()),
    }
}

/// Removes a file durably; one that is not there is fine.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io(path, e)),
    }
    let folder = folder_of(path);
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| Error::io(folder, e))
}

/// SHA-256 of a file, hex, read in pieces.
pub fn sha256_of(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::io(path, e))?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(buffer.get(..n).unwrap_or_default());
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        use std::fmt::Write;
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// Reads lower- or upper-case hex of exactly `N` bytes.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    let mut out = [0u8; N];
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(i * 2..i * 2 + 2)?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #[test]
    fn hex_goes_both_ways() {
        assert_eq!(super::unhex::<3>(&super::hex(&[0, 171, 255])), Some([0, 171, 255]));
        assert_eq!(super::unhex::<3>("00abf"), None);
        assert_eq!(super::unhex::<2>("zz00"), None);
    }

    #[test]
    fn a_secret_that_was_damaged_is_not_taken_for_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.key");
        super::write_secret(&path, &[7; 32]).unwrap();
        assert_eq!(super::read_secret(&path).unwrap(), [7; 32]);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            let error = super::read_secret(&path).unwrap_err().to_string();
            assert!(error.contains("x.key") && !error.contains("0707"), "byte {at}: {error}");
        }
    }

    #[test]
    fn two_writers_of_one_path_do_not_get_into_each_others_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::thread::scope(|scope| {
            for letter in [b'a', b'b', b'c', b'd'] {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        super::write_atomic(path, &[letter; 4096]).unwrap();
                        let read = std::fs::read(path).unwrap();
                        assert!(read.len() == 4096 && read.iter().all(|b| *b == read[0]));
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_are_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("evidence");
        std::fs::create_dir_all(inner.join(".deep.tmp")).unwrap();
        for folder in [dir.path(), &inner] {
            for name in [".x.00.tmp", "x.tmp", ".x", "x"] {
                std::fs::write(folder.join(name), b"1").unwrap();
            }
        }
        super::remove_leftovers(dir.path());
        for folder in [dir.path(), &inner] {
            assert!(!folder.join(".x.00.tmp").exists());
            assert!(["x.tmp", ".x", "x"].iter().all(|name| folder.join(name).exists()));
        }
        assert!(inner.join(".deep.tmp").exists());
    }

    #[test]
    fn an_atomic_write_replaces_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        super::write_atomic(&path, b"one").unwrap();
        super::write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
