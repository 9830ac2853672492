//! Files that rows are taken home into: written by the command, as whoever gave it, never by the node.
//!
//! Rows that are not here yet are taken home later, by a command that [`later`] tells word by word.

use std::fs;
use std::path::{Path, PathBuf};

use super::client::Client;
use crate::error::{Error, Result};
use crate::files;

/// Where rows and receipts go.
#[derive(Debug, Default)]
pub struct Home {
    /// File for the rows; standard output where there is none.
    pub out: Option<PathBuf>,
    /// Folder for the receipts; beside the rows where there is none.
    pub receipts: Option<PathBuf>,
    /// Whether another file that is there gives way.
    pub replace: bool,
}

/// The command that takes the rows of an exchange home later, as it is typed.
pub fn later(id: &str, home: &Home) -> String {
    let mut command = format!("tram exchange resume {id}");
    match &home.out {
        Some(file) => command += &format!(" --out {}", typed(file)),
        None => command += " --out FILE",
    }
    if let Some(folder) = &home.receipts {
        command += &format!(" --receipts {}", typed(folder));
    }
    if home.replace {
        command += " --replace";
    }
    command
}

/// A path from the root, so that it is the same from every folder, quoted for a POSIX shell where it needs to be.
fn typed(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,".contains(c);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// Writes rows into a file, whole or not at all: beside it first, held against the digest that the provider signed. With
/// the mode that the caller's umask gives. A file that has these rows already stays.
///
/// # Errors
/// [`Error::Conflict`] where another file is there and does not give way; [`Error::Verification`], [`Error::Io`].
pub async fn bring(client: &Client, data: &str, sha256: &str, file: &Path, replace: bool) -> Result<()> {
    if has(file, sha256) {
        return Ok(());
    }
    is_free(file, replace)?;
    let part = file.with_file_name(format!(".tram-{}.part", ulid::Ulid::generate()));
    let brought = write(client, data, sha256, &part).await.and_then(|()| {
        is_free(file, replace)?;
        fs::rename(&part, file).map_err(|e| Error::io(file, e))
    });
    if brought.is_err() {
        let _ = fs::remove_file(&part);
    }
    brought
}

async fn write(client: &Client, data: &str, sha256: &str, part: &Path) -> Result<()> {
    // A new file and no other: nothing that somebody put under this name is followed or emptied.
    let mut sink = tokio::fs::File::create_new(part).await.map_err(|e| Error::io(part, e))?;
    client.download(data, &mut sink).await?;
    sink.sync_all().await.map_err(|e| Error::io(part, e))?;
    let found = files::sha256_of(part)?;
    if found == sha256 {
        return Ok(());
    }
    Err(Error::Verification(format!(
        "what came has the SHA-256 {found}, the signed manifest says {sha256}; get the dataset again"
    )))
}

/// Whether these rows are in the file. Nothing but a file is opened: a pipe would wait for ever.
fn has(file: &Path, sha256: &str) -> bool {
    let is_file = fs::symlink_metadata(file).is_ok_and(|found| found.is_file());
    is_file && files::sha256_of(file).is_ok_and(|found| found == sha256)
}

/// Whether rows may be written there.
///
/// # Errors
/// [`Error::Conflict`].
pub fn is_free(file: &Path, replace: bool) -> Result<()> {
    if replace || fs::symlink_metadata(file).is_err() {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "`{file}` đã có và là tệp khác: chọn tên khác, hoặc thêm --replace để thay / another file is there: choose another name, or add --replace",
        file = file.display()
    )))
}

/// Whether there is a folder for the rows: asked before anything is exchanged and written into two ledgers.
///
/// # Errors
/// [`Error::Usage`].
pub fn can_write(out: Option<&Path>) -> Result<()> {
    let Some(file) = out else { return Ok(()) };
    let folder = file.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() && !file.is_dir() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`{}` cannot be written: `{}` is no folder, or the name is one; make the folder or choose another name",
        file.display(),
        folder.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_for_later_is_one_that_a_shell_reads_as_it_was_meant() {
        let home = |out: &str, receipts: Option<&str>, replace| Home {
            out: Some(out.into()),
            receipts: receipts.map(PathBuf::from),
            replace,
        };
        assert_eq!(later("01X", &Home::default()), "tram exchange resume 01X --out FILE");
        assert_eq!(later("01X", &home("/a/b.csv", None, false)), "tram exchange resume 01X --out /a/b.csv");
        let odd = home("/a/đ's $(x).csv", Some("/r r"), true);
        let wanted = r"tram exchange resume 01X --out '/a/đ'\''s $(x).csv' --receipts '/r r' --replace";
        assert_eq!(later("01X", &odd), wanted);
        let here = std::env::current_dir().unwrap().join("b.csv");
        assert!(later("01X", &home("b.csv", None, false)).contains(here.to_str().unwrap()));
    }

    #[test]
    fn another_file_a_link_and_a_pipe_do_not_give_way_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, free) =
            (folder.path().join("f"), folder.path().join("l"), folder.path().join("free"));
        fs::write(&file, "mine").unwrap();
        // It leads nowhere, and is there all the same.
        std::os::unix::fs::symlink(folder.path().join("away"), &link).unwrap();
        for taken in [&file, &link] {
            assert!(matches!(is_free(taken, false), Err(Error::Conflict(_))));
            assert!(is_free(taken, true).is_ok());
        }
        assert!(is_free(&free, false).is_ok());
        assert!(!has(&link, "x") && !has(&file, "x"));
    }
}
