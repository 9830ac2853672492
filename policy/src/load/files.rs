//! The files of a rule set, in memory or from a folder; only known names, only text, only up to a size.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::name;
use super::problem::{LoadError, Problem, ProblemCode, Problems};
use crate::limits::FILE_BYTES_MAX;

const KNOWN: [&str; 14] = [
    name::GRANT_MODEL,
    name::DUTY_MODEL,
    name::POLICY,
    name::DUTIES,
    name::POLICY_TOML,
    name::DUTIES_TOML,
    name::OBLIGATIONS,
    name::REASONS,
    name::CASES,
    name::REGISTRY,
    name::PACK,
    name::MATRIX,
    name::HOLIDAYS,
    name::README,
];
/// What must be there, in the one or the other form.
const NEEDED: [(&str, Option<&str>); 3] = [
    (name::POLICY, Some(name::POLICY_TOML)),
    (name::DUTIES, Some(name::DUTIES_TOML)),
    (name::OBLIGATIONS, None),
];

/// Files by name: `policy.csv`, `duties.csv` (or `policy.toml`, `duties.toml`), `obligations.json` and, where wanted,
/// `grant.conf`, `duty.conf`, `reasons.json`, `cases.json`, `registry.json`, `README.md`, and of a pack `pack.toml`,
/// `matrix.toml`, `holidays.toml`.
#[derive(Debug, Clone, Default)]
pub struct Files {
    by_name: BTreeMap<String, Vec<u8>>,
}

impl Files {
    /// No files yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.by_name.insert(name.into(), bytes.into());
    }

    /// Adds a file and gives the whole back.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.insert(name, bytes);
        self
    }

    /// The files of the rule set that ships with the node: where an agency's own begins.
    #[must_use]
    pub fn builtin() -> Self {
        crate::builtin::files()
    }

    /// All files by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.by_name.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// The bytes of a file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.by_name.get(name).map(Vec::as_slice)
    }

    /// Reads a folder. Every entry must be a file that is known; none is skipped in silence.
    ///
    /// # Errors
    /// [`LoadError`] naming the folder, or each file that cannot be read.
    pub fn read(folder: &Path) -> Result<Self, LoadError> {
        let shown = folder.display().to_string();
        let entries = std::fs::read_dir(folder)
            .map_err(|error| LoadError::single(&shown, &format!("the folder cannot be read: {error}")))?;
        let (mut files, mut problems) = (Self::new(), Problems::default());
        for entry in entries {
            let read = entry.and_then(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                // A file that is not known is named below by `check_names`; there is no need to read it.
                let bytes =
                    if KNOWN.contains(&name.as_str()) { read_limited(&entry.path())? } else { Vec::new() };
                Ok((name, bytes))
            });
            match read {
                Ok((name, bytes)) => files.insert(name, bytes),
                Err(error) => {
                    let message = format!("a file cannot be read: {error}");
                    problems.add(Problem::new(&shown, ProblemCode::FileUnreadable, message));
                }
            }
        }
        problems.into_result()?;
        Ok(files)
    }

    pub(crate) fn check_names(&self, problems: &mut Problems) {
        for name in self.by_name.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
            let message = format!("this file has no place in a rule set; known are {}", KNOWN.join(", "));
            problems.add(Problem::new(name, ProblemCode::FileUnknown, message));
        }
        for (name, other) in NEEDED {
            let there = |name: &str| self.by_name.contains_key(name);
            match (there(name), other.filter(|other| there(other))) {
                (true, Some(other)) => {
                    let message = format!(
                        "`{name}` is there, too: keep one of the two, `tram policy convert` makes one of the other"
                    );
                    problems.add(Problem::new(other, ProblemCode::FileTwice, message));
                }
                (false, None) => {
                    let message = "this file is needed: add it, if only with a comment";
                    problems.add(Problem::new(name, ProblemCode::FileMissing, message));
                }
                _ => {}
            }
        }
    }

    /// The text of a file, if it is there and is text.
    pub(crate) fn text(&self, name: &'static str, problems: &mut Problems) -> Option<&str> {
        let bytes = self.by_name.get(name)?;
        match checked_text(bytes) {
            Ok(text) => Some(text),
            Err((code, message)) => {
                problems.add(Problem::new(name, code, message));
                None
            }
        }
    }
}

fn read_limited(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the size check sees that it is too large.
    std::fs::File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn checked_text(bytes: &[u8]) -> Result<&str, (ProblemCode, String)> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err((
            ProblemCode::FileUnreadable,
            format!("larger than {FILE_BYTES_MAX} bytes: split the rule set"),
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        (ProblemCode::NotText, format!("not UTF-8 at byte {}: save it as UTF-8", error.valid_up_to()))
    })?;
    if text.starts_with('\u{feff}') {
        return Err((
            ProblemCode::NotText,
            "begins with a byte order mark: save it as UTF-8 without BOM".to_owned(),
        ));
    }
    match text.find('\0') {
        Some(at) => Err((ProblemCode::NotText, format!("has a NUL at byte {at}: remove it"))),
        None => Ok(text),
    }
}
