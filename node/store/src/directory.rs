//! The store's folder: claimed by one process, readable by its owner only, and marked with the schema of what is inside.
//!
//! ```text
//! lock         held locked while a process uses the folder
//! schema       one line: `tram-store schema=1 state=ready`
//! engine/      the engine's own files
//! quarantine/  leftovers of an opening that was broken off, kept for a look, safe to delete
//! ```
//!
//! State `new` stands until the engine has made its files durable, `importing` until an import is complete; only
//! `ready` folders hold anything that was acknowledged.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// The newest schema of the disk that this version reads, and the one it writes. A new space or kind of frame raises it.
pub(crate) const SCHEMA: u32 = 1;

/// A `schema` file longer than this is not ours.
const SCHEMA_FILE_BYTES_MAX: u64 = 200;

/// How far the folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    New,
    Importing,
    Ready,
}

/// A claimed folder; giving it up unlocks it.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    state: State,
    _lock: File,
}

impl Directory {
    /// Creates the folder if need be, checks its rights, locks it and reads how far it is.
    pub(crate) fn claim(root: &Path) -> Result<Self, StoreError> {
        if !root.exists() {
            DirBuilder::new()
                .mode(0o700)
                .recursive(true)
                .create(root)
                .map_err(StoreError::io(format!("create `{}`", root.display())))?;
            sync_dir(root.parent().unwrap_or(root))?;
        }
        check_rights(root)?;
        let lock = lock(root)?;
        let state = read_state(root)?;
        let directory = Directory { root: root.to_owned(), state: state.unwrap_or(State::New), _lock: lock };
        directory.check_engine(state)?;
        Ok(directory)
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn engine(&self) -> PathBuf {
        self.root.join("engine")
    }

    /// Whether the engine has files already.
    pub(crate) fn has_data(&self) -> bool {
        self.engine().join("db").exists()
    }

    /// Writes the state durably: a new file, synced, then renamed over the old one.
    pub(crate) fn mark(&mut self, state: State) -> Result<(), StoreError> {
        let word = match state {
            State::New => "new",
            State::Importing => "importing",
            State::Ready => "ready",
        };
        let (fresh, path) = (self.root.join("schema.fresh"), self.root.join("schema"));
        let write = || -> std::io::Result<()> {
            let mut file =
                File::options().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
            file.write_all(format!("tram-store schema={SCHEMA} state={word}\n").as_bytes())?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(StoreError::io(format!("write `{}`", path.display())))?;
        sync_dir(&self.root)?;
        self.state = state;
        Ok(())
    }

    /// Moves `snap.*.generating` away: a kill while the engine opens leaves it, and the engine then panics at every
    /// later opening. It is a copy in the making, so nothing is lost.
    pub(crate) fn quarantine_leftovers(&self) -> Result<u32, StoreError> {
        let engine = self.engine();
        if !engine.exists() {
            return Ok(0);
        }
        let quarantine = self.root.join("quarantine");
        let mut moved = 0;
        for entry in fs::read_dir(&engine).map_err(StoreError::io(format!("list `{}`", engine.display())))? {
            let entry = entry.map_err(StoreError::io(format!("list `{}`", engine.display())))?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if !(text.starts_with("snap.") && text.ends_with(".generating")) {
                continue;
            }
            DirBuilder::new()
                .mode(0o700)
                .recursive(true)
                .create(&quarantine)
                .and_then(|()| fs::rename(entry.path(), quarantine.join(&name)))
                .map_err(StoreError::io(format!("move `{}` away", entry.path().display())))?;
            moved += 1;
        }
        if moved > 0 {
            sync_dir(&quarantine)?;
            sync_dir(&engine)?;
        }
        Ok(moved)
    }

    /// Free space needed to open: the engine writes a fresh snapshot beside the newest one.
    pub(crate) fn bytes_to_open(&self, floor: u64) -> u64 {
        let Ok(entries) = fs::read_dir(self.engine()) else { return floor };
        let snapshots = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with("snap."));
        let largest = snapshots.filter_map(|e| e.metadata().ok()).map(|m| m.len()).max().unwrap_or(0);
        floor.max(largest.saturating_mul(2))
    }

    fn check_engine(&self, state: Option<State>) -> Result<(), StoreError> {
        let bad = |what: &str| {
            Err(StoreError::BadDirectory { path: self.root.display().to_string(), what: what.to_owned() })
        };
        match (state, self.has_data()) {
            (None, true) => bad("it holds engine files but no `schema` file; restore it from a backup"),
            (Some(State::Ready), false) => bad("its engine files are gone; restore it from a backup"),
            (Some(State::Importing), _) => {
                bad("an import into it was broken off; delete the folder and import again")
            }
            _ => Ok(()),
        }
    }
}

/// Bytes free for this user on the file system of `path`.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    let stat = rustix::fs::statvfs(path)
        .map_err(std::io::Error::from)
        .map_err(StoreError::io(format!("read the free space at `{}`", path.display())))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    sync_file(path)
}

/// Makes a file durable, with its length.
pub(crate) fn sync_file(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|f| f.sync_all()).map_err(StoreError::io(format!("sync `{}`", path.display())))
}

fn check_rights(root: &Path) -> Result<(), StoreError> {
    let meta = fs::metadata(root).map_err(StoreError::io(format!("look at `{}`", root.display())))?;
    let bad = |what: String| Err(StoreError::BadDirectory { path: root.display().to_string(), what });
    if !meta.is_dir() {
        return bad("it is not a folder".to_owned());
    }
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return bad(format!("others may read it (mode {mode:04o}); run `chmod 700` on it"));
    }
    Ok(())
}

fn lock(root: &Path) -> Result<File, StoreError> {
    let path = root.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(StoreError::io(format!("open `{}`", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: root.display().to_string() }),
        Err(TryLockError::Error(source)) => {
            Err(StoreError::Io { what: format!("lock `{}`", path.display()), source })
        }
    }
}

fn read_state(root: &Path) -> Result<Option<State>, StoreError> {
    let path = root.join("schema");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { what: format!("open `{}`", path.display()), source }),
    };
    let mut text = String::new();
    file.take(SCHEMA_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(StoreError::io(format!("read `{}`", path.display())))?;
    parse_state(root, &text).map(Some)
}

fn parse_state(root: &Path, text: &str) -> Result<State, StoreError> {
    let path = root.display().to_string();
    let schema = text
        .strip_prefix("tram-store schema=")
        .and_then(|rest| rest.split_once(' '))
        .and_then(|(number, rest)| Some((number.parse::<u32>().ok()?, rest)));
    match schema {
        Some((found, _)) if found > SCHEMA => Err(StoreError::NewerSchema { path, found, known: SCHEMA }),
        Some((SCHEMA, "state=new\n")) => Ok(State::New),
        Some((SCHEMA, "state=importing\n")) => Ok(State::Importing),
        Some((SCHEMA, "state=ready\n")) => Ok(State::Ready),
        _ => Err(StoreError::BadDirectory {
            path,
            what: "its `schema` file is not readable; restore it from a backup".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        (dir, root)
    }

    #[test]
    fn a_new_folder_is_for_its_owner_only() {
        let (_dir, root) = fresh();
        let directory = Directory::claim(&root).unwrap();
        assert_eq!(directory.state(), State::New);
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let (_dir, root) = fresh();
        drop(Directory::claim(&root).unwrap());
        fs::set_permissions(&root, fs::Permissions::from_mode(0o750)).unwrap();
        let error = Directory::claim(&root).unwrap_err().to_string();
        assert!(error.contains("mode 0750") && error.contains("chmod 700"), "{error}");
    }

    #[test]
    fn the_state_is_read_strictly() {
        let (_dir, root) = fresh();
        let mut directory = Directory::claim(&root).unwrap();
        directory.mark(State::Ready).unwrap();
        assert_eq!(fs::read_to_string(root.join("schema")).unwrap(), "tram-store schema=1 state=ready\n");
        for bad in
            ["", "tram-store schema=1", "tram-store schema=0 state=ready\n", "x schema=1 state=ready\n"]
        {
            assert!(matches!(parse_state(&root, bad), Err(StoreError::BadDirectory { .. })), "{bad}");
        }
        let newer = parse_state(&root, "tram-store schema=2 whatever comes\n");
        assert!(matches!(newer, Err(StoreError::NewerSchema { found: 2, known: 1, .. })));
    }

    #[test]
    fn lost_or_half_imported_files_are_noticed() {
        let (_dir, root) = fresh();
        Directory::claim(&root).unwrap().mark(State::Ready).unwrap();
        let gone = Directory::claim(&root).unwrap_err().to_string();
        assert!(gone.contains("engine files are gone"), "{gone}");
        fs::create_dir(root.join("engine")).unwrap();
        fs::write(root.join("engine/db"), "").unwrap();
        let mut directory = Directory::claim(&root).unwrap();
        directory.mark(State::Importing).unwrap();
        drop(directory);
        assert!(Directory::claim(&root).unwrap_err().to_string().contains("broken off"));
        fs::remove_file(root.join("schema")).unwrap();
        assert!(Directory::claim(&root).unwrap_err().to_string().contains("no `schema` file"));
    }
}
