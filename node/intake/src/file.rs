//! A file that is read: opened once, never written, and the same at the end as at the beginning.

use std::fs::{File, Metadata};
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};

use crate::{IntakeError, Place};

/// An open regular file. Its handle goes from pass to pass, so that what was checked is what is read.
#[derive(Debug)]
pub(crate) struct Input {
    file: File,
    /// How people call it: a path inside the folder, or the file's name.
    pub name: String,
    len: u64,
    modified: Option<SystemTime>,
}

/// Where a description's path leads, from `base`.
pub(crate) fn located(base: &Path, path: &Path) -> Result<PathBuf, IntakeError> {
    if path.as_os_str().is_empty() {
        return Err(IntakeError::origin(
            "thiếu `path`: nguồn nằm ở đâu?",
            "`path` is missing: where is the source?",
        ));
    }
    Ok(base.join(path))
}

impl Input {
    /// Opens the file of a description.
    pub fn at(base: &Path, path: &Path) -> Result<Self, IntakeError> {
        let whole = located(base, path)?;
        // A pipe would wait for its writer for ever.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(&whole, flags, Mode::empty()).map_err(|e| lost(path, &e.into()))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self::new(file.into(), name)
    }

    /// Takes a file that is open.
    pub fn new(file: File, name: String) -> Result<Self, IntakeError> {
        let about = file.metadata().map_err(|e| lost(Path::new(&name), &e))?;
        if !about.is_file() {
            return Err(IntakeError::origin(
                format!("`{name}` không phải là tệp"),
                format!("`{name}` is not a file"),
            ));
        }
        Ok(Self { file, name, len: about.len(), modified: about.modified().ok() })
    }

    /// Size, bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Last change, RFC 3339 in UTC.
    pub fn modified(&self) -> Option<String> {
        self.modified.and_then(stamp)
    }

    /// The file from its beginning.
    pub fn rewound(&self) -> Result<File, IntakeError> {
        let mut file = self.file.try_clone().map_err(|e| lost(Path::new(&self.name), &e))?;
        file.seek(SeekFrom::Start(0)).map_err(|e| lost(Path::new(&self.name), &e))?;
        Ok(file)
    }

    /// What the system says when a read fails.
    pub fn broken(&self, e: &std::io::Error) -> IntakeError {
        lost(Path::new(&self.name), e)
    }

    /// Refuses a file that somebody wrote to while it was read: its rows belong to no one state.
    pub fn unchanged(&self) -> Result<(), IntakeError> {
        let now = self.file.metadata().map_err(|e| self.broken(&e))?;
        if self.same(&now) {
            return Ok(());
        }
        Err(IntakeError::content(
            Place { part: Some(self.name.clone()), ..Place::default() },
            "tệp bị thay đổi trong khi đang đọc; hãy thử lại khi đã ghi xong",
            "the file was changed while it was read; try again when it is written",
        ))
    }

    fn same(&self, now: &Metadata) -> bool {
        now.len() == self.len && now.modified().ok() == self.modified
    }
}

/// A time as RFC 3339 in UTC.
pub(crate) fn stamp(time: SystemTime) -> Option<String> {
    let whole = time::OffsetDateTime::from(time).replace_nanosecond(0).ok()?;
    whole.format(&time::format_description::well_known::Rfc3339).ok()
}

fn lost(path: &Path, e: &std::io::Error) -> IntakeError {
    let path = path.display();
    IntakeError::unreachable(
        format!("không đọc được `{path}`: {e}; hãy xem đường dẫn và quyền đọc"),
        format!("cannot read `{path}`: {e}; see to its path and the right to read it"),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, "a\n").unwrap();
        let input = Input::at(dir.path(), Path::new("a.csv")).unwrap();
        input.unchanged().unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"1\n").unwrap();
        assert!(matches!(input.unchanged(), Err(IntakeError::Content(_))));
    }

    #[test]
    fn what_is_no_file_is_refused_and_does_not_hang() {
        let dir = tempfile::tempdir().unwrap();
        let bad = [dir.path().to_owned(), PathBuf::from("/dev/zero"), PathBuf::new()];
        for path in bad {
            assert!(matches!(Input::at(dir.path(), &path), Err(IntakeError::Origin(_))), "{path:?}");
        }
        let gone = Input::at(dir.path(), Path::new("gone.csv"));
        assert!(matches!(gone, Err(IntakeError::Unreachable(_))));
    }
}
