//! The file: how it may be opened without leaving anything beside it, and whether it stayed the same.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rusqlite::{Connection, OpenFlags};

use crate::IntakeError;

/// What has a meaning in a `file:` address (sqlite.org/uri.html).
const IN_URI: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');
/// Where the header says that the file is in WAL mode (sqlite.org/fileformat2.html, §1.3).
const VERSIONS_AT: std::ops::Range<usize> = 18..20;

/// What a file looked like when it was opened as one that nobody changes.
pub(super) struct Still {
    path: PathBuf,
    seen: (u64, Option<SystemTime>),
}

impl Still {
    /// # Errors
    /// [`IntakeError::Unreachable`] when somebody changed it meanwhile.
    pub(super) fn check(&self) -> Result<(), IntakeError> {
        let now = std::fs::metadata(&self.path).ok().map(|data| seen(&data));
        if now == Some(self.seen) && !pending(&self.path) {
            return Ok(());
        }
        Err(IntakeError::unreachable(
            "tệp SQLite bị thay đổi trong lúc đọc; hãy đọc lại khi không có chương trình nào đang ghi",
            "the SQLite file changed while it was read; read it again when no program writes to it",
        ))
    }
}

fn seen(data: &Metadata) -> (u64, Option<SystemTime>) {
    (data.len(), data.modified().ok())
}

/// A log beside the file has something that the file lacks.
fn pending(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).is_ok_and(|data| data.len() > 0)
}

/// Opens it read-only.
///
/// # Errors
/// [`IntakeError::Unreachable`] when it is not there, [`IntakeError::Origin`] when it is no SQLite database.
pub(super) fn open(path: &Path) -> Result<(Connection, Option<Still>), IntakeError> {
    let data = std::fs::metadata(path).map_err(|e| missing(path, &e.to_string()))?;
    if !data.is_file() {
        return Err(missing(path, "not a file"));
    }
    let mut header = [0; 100];
    let whole = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    if whole.is_err() || !header.starts_with(b"SQLite format 3\0") {
        let shown = path.display();
        return Err(IntakeError::origin(
            format!("{shown} không phải tệp cơ sở dữ liệu SQLite (hoặc đã mã hoá)"),
            format!("{shown} is not a SQLite database (or is encrypted)"),
        ));
    }
    let wal = header.get(VERSIONS_AT).is_some_and(|versions| versions.contains(&2));
    let still = (wal && !pending(path)).then(|| Still { path: path.to_owned(), seen: seen(&data) });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = match (&still, path.to_str()) {
        (Some(_), Some(name)) => {
            let name = utf8_percent_encode(name, IN_URI);
            let uri = format!("file:{name}?mode=ro&immutable=1");
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
        }
        _ => Connection::open_with_flags(path, flags),
    };
    Ok((opened.map_err(|e| missing(path, &e.to_string()))?, still))
}

fn missing(path: &Path, why: &str) -> IntakeError {
    let shown = path.display();
    IntakeError::unreachable(
        format!("không mở được tệp SQLite {shown}: {why}"),
        format!("the SQLite file {shown} cannot be opened: {why}"),
    )
}
