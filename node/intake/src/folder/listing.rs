//! Which files are in a folder, and opening one of them without leaving the folder.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{LISTED_MAX, Take};
use crate::file::Input;
use crate::{IntakeError, Place, Remark};

/// Most entries that are looked at.
const ENTRIES_MAX: usize = 100_000;
/// Deepest partitions.
const DEPTH_MAX: usize = 8;
/// Ends of the names of files that a program is still writing.
const UNFINISHED: [&str; 5] = [".part", ".partial", ".filepart", ".crdownload", ".tmp"];

/// A file that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its path inside the folder, with `/`.
    pub name: String,
    /// Size, bytes.
    pub len: u64,
    /// Last change.
    pub modified: Option<SystemTime>,
}

/// What is in a folder.
#[derive(Debug)]
pub(super) struct Listing {
    root: PathBuf,
    handle: OwnedFd,
    /// Those to read.
    pub files: Vec<Listed>,
    unfinished: Vec<String>,
    left: Vec<String>,
    seen: usize,
}

impl Listing {
    /// Looks into a folder. `shown` is its path as the description has it.
    pub fn new(root: &Path, shown: &Path, pattern: &str, take: Take) -> Result<Self, IntakeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(root, flags, Mode::empty())
            .map_err(|e| lost(&shown.to_string_lossy(), &e.into()))?;
        let (files, unfinished, left) = (Vec::new(), Vec::new(), Vec::new());
        let mut listing = Self { root: root.to_owned(), handle, files, unfinished, left, seen: 0 };
        listing.look("", 0, pattern, take)?;
        Ok(listing)
    }

    fn look(&mut self, within: &str, depth: usize, pattern: &str, take: Take) -> Result<(), IntakeError> {
        let entries = std::fs::read_dir(self.root.join(within)).map_err(|e| lost(within, &e))?;
        for entry in entries {
            let entry = entry.map_err(|e| lost(within, &e))?;
            self.seen += 1;
            if self.seen > ENTRIES_MAX {
                return Err(IntakeError::content(
                    Place::default(),
                    format!("thư mục có hơn {ENTRIES_MAX} mục; hãy chuyển bớt đi"),
                    format!("the folder has more than {ENTRIES_MAX} entries; move some away"),
                ));
            }
            let os_name = entry.file_name();
            let Some(name) = os_name.to_str() else {
                self.left.push(os_name.to_string_lossy().into_owned());
                continue;
            };
            let path = if within.is_empty() { name.to_owned() } else { format!("{within}/{name}") };
            // Links count as files here: folders are entered only where they really are.
            if entry.file_type().map_err(|e| lost(&path, &e))?.is_dir() {
                if take == Take::All && name.contains('=') && depth < DEPTH_MAX {
                    self.look(&path, depth + 1, pattern, take)?;
                } else if take == Take::All {
                    self.left.push(format!("{path}/"));
                }
            } else if is_unfinished(name) {
                self.unfinished.push(path);
            } else if matches(pattern, name) {
                let listed = self.listed(path)?;
                self.files.push(listed);
            }
        }
        Ok(())
    }

    fn listed(&self, name: String) -> Result<Listed, IntakeError> {
        let input = self.open(&name)?;
        let about = input.rewound()?.metadata().map_err(|e| input.broken(&e))?;
        Ok(Listed { len: about.len(), modified: about.modified().ok(), name })
    }

    /// Sets those aside that are not as they were when the folder was looked into.
    pub fn settle(&mut self) -> Result<(), IntakeError> {
        for file in std::mem::take(&mut self.files) {
            match self.listed(file.name.clone()) {
                Ok(now) if now == file => self.files.push(file),
                Ok(_) | Err(IntakeError::Unreachable(_)) => self.unfinished.push(file.name),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Opens a file of the folder. The system follows links only as far as they stay inside.
    pub fn open(&self, name: &str) -> Result<Input, IntakeError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match rustix::fs::openat2(&self.handle, name, flags, Mode::empty(), ResolveFlags::BENEATH) {
            Ok(file) => Input::new(file.into(), name.to_owned()),
            Err(Errno::XDEV) => Err(outside(name)),
            // Kernels before 5.6, and sandboxes that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => self.open_checked(name),
            Err(e) => Err(lost(name, &e.into())),
        }
    }

    /// The same where the system cannot promise it: the true path is looked at first.
    fn open_checked(&self, name: &str) -> Result<Input, IntakeError> {
        let truth = |path: &Path| path.canonicalize().map_err(|e| lost(name, &e));
        let (root, file) = (truth(&self.root)?, truth(&self.root.join(name))?);
        if !file.starts_with(&root) {
            return Err(outside(name));
        }
        if !file.is_file() {
            return Err(IntakeError::origin(
                format!("`{name}` không phải là tệp"),
                format!("`{name}` is not a file"),
            ));
        }
        Input::new(File::open(file).map_err(|e| lost(name, &e))?, name.to_owned())
    }

    /// What was not read.
    pub fn remarks(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if !self.unfinished.is_empty() {
            let names = listed(&self.unfinished);
            remarks.push(Remark::new(
                "folder-unfinished",
                format!("tệp đang được ghi hoặc đang mở, để lần sau: {names}"),
                format!("files that are still written or open, left for later: {names}"),
            ));
        }
        if !self.left.is_empty() {
            let names = listed(&self.left);
            remarks.push(Remark::new(
                "folder-left",
                format!(
                    "không đọc (thư mục không có dạng `cột=giá trị`, hoặc tên không phải UTF-8): {names}"
                ),
                format!(
                    "not read (folders that are not `column=value`, or names that are no UTF-8): {names}"
                ),
            ));
        }
        remarks
    }
}

fn listed(names: &[String]) -> String {
    let mut list = names.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > LISTED_MAX {
        list.push_str(", …");
    }
    list
}

fn is_unfinished(name: &str) -> bool {
    let small = name.to_ascii_lowercase();
    small.starts_with("~$")
        || small.starts_with(".~lock.")
        || UNFINISHED.iter().any(|end| small.ends_with(end))
}

/// Whether a name fits a pattern of letters, `*` and `?`. Names with a dot in front are hidden and never fit.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.to_lowercase().chars().collect(), name.to_lowercase().chars().collect());
    // Where to go back to: after the last `*`, one letter further on.
    let (mut p, mut n, mut back) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p + 1, n));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == name.get(n) => (p, n) = (p + 1, n + 1),
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (p, n) = (star, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

fn outside(name: &str) -> IntakeError {
    IntakeError::content(
        Place { part: Some(name.to_owned()), ..Place::default() },
        "liên kết này dẫn ra ngoài thư mục; hãy chép tệp thật vào thư mục",
        "this link leads out of the folder; copy the file itself into the folder",
    )
}

fn lost(name: &str, e: &io::Error) -> IntakeError {
    IntakeError::unreachable(
        format!("không đọc được `{name}`: {e}; hãy xem đường dẫn và quyền đọc"),
        format!("cannot read `{name}`: {e}; see to its path and the right to read it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names() {
        for (pattern, name) in [
            ("*.csv", "a.CSV"),
            ("bc-??-*.csv", "bc-03-x.y.csv"),
            ("*", "x"),
            ("Báo*", "báo cáo.csv"),
            ("a*b*c", "abxbc"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.csv", "a.csv.bak"), ("?", ""), ("*", ".hidden"), ("a*b", "ac"), ("", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        let many = "a".repeat(200);
        assert!(!matches(&format!("{}b", "a*".repeat(100)), &many));
    }

    #[test]
    fn without_the_systems_help_links_are_held_as_well() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        let inside = dir.path().join("in");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("a.csv"), "a\n").unwrap();
        let listing = Listing::new(&inside, Path::new("in"), "*.csv", Take::All).unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("out.csv")).unwrap();
        std::os::unix::fs::symlink("a.csv", inside.join("same.csv")).unwrap();
        for open in [Listing::open, Listing::open_checked] {
            assert!(matches!(open(&listing, "out.csv"), Err(IntakeError::Content(_))));
            assert!(matches!(open(&listing, "../secret"), Err(IntakeError::Content(_))));
            open(&listing, "same.csv").unwrap();
        }
    }
}
