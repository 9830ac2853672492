//! A folder that files are dropped into: the newest is taken, or all of them together.
//!
//! Files that are still written, and links that lead out of the folder, are not read.

mod listing;
mod rows;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::file::{Input, located, stamp};
use crate::{ExcelOrigin, Health, IntakeError, JsonOrigin, Rows, Said, TextOrigin};
use listing::{Listed, Listing};

/// A folder of files of one kind.
///
/// ```toml
/// type = "folder"
/// path = "bao-cao"
/// files = "*.csv"      # names; `*` and `?` stand for letters; large and small letters are the same
/// take = "newest"      # or "all"
///
/// [file]               # how each is read, without `path`; left out: by the name's end
/// type = "text"
/// encoding = "tcvn3"
/// ```
///
/// `take = "newest"` reads the file that was changed last, in the folder itself. `take = "all"` reads every file, by name,
/// in the folder and in folders called `column=value`: `nam=2025/thang=03/x.csv` adds the columns `nam` and `thang` to the
/// rows of `x.csv`. All files have the same columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderOrigin {
    /// The folder.
    pub path: PathBuf,
    /// Pattern of the files' names.
    pub files: String,
    /// Which files.
    pub take: Take,
    /// How each is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileForm>,
}

/// Which files of a folder are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// The one that was changed last.
    Newest,
    /// All, one after another by name.
    All,
}

/// How a file of a folder is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FileForm {
    /// CSV and its relatives.
    Text(TextOrigin),
    /// NDJSON, or a JSON document.
    Json(JsonOrigin),
    /// A sheet of a workbook.
    Excel(ExcelOrigin),
}

impl FileForm {
    /// By the end of a name.
    fn of(name: &str) -> Option<Self> {
        let (_, end) = name.rsplit_once('.')?;
        Some(match end.to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "tab" | "txt" => Self::Text(TextOrigin::default()),
            "json" | "ndjson" | "jsonl" | "geojson" => Self::Json(JsonOrigin::default()),
            "xlsx" | "xlsm" => Self::Excel(ExcelOrigin::default()),
            _ => return None,
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Text(text) => &text.path,
            Self::Json(json) => &json.path,
            Self::Excel(excel) => &excel.path,
        }
    }

    fn read(&self, input: Input) -> Result<Box<dyn Rows>, IntakeError> {
        match self {
            Self::Text(text) => text.read(input),
            Self::Json(json) => json.read(input),
            Self::Excel(excel) => excel.read(input),
        }
    }
}

/// A file that grows does so within this time.
const SETTLE: Duration = Duration::from_secs(1);

impl FolderOrigin {
    /// Opens the files. Takes a second, to see which of them grow.
    ///
    /// # Errors
    /// Every [`IntakeError`] but that of secrets; [`IntakeError::Unreachable`] while no file is ready.
    pub fn open(&self, base: &Path) -> Result<Box<dyn Rows>, IntakeError> {
        self.open_after(base, || std::thread::sleep(SETTLE))
    }

    fn open_after(&self, base: &Path, pause: impl FnOnce()) -> Result<Box<dyn Rows>, IntakeError> {
        let mut listing = self.list(base)?;
        pause();
        listing.settle()?;
        let files = self.chosen(&mut listing)?;
        Ok(Box::new(rows::FolderRows::new(self.clone(), listing, files)?))
    }

    /// Looks which files are there, and opens the first that would be read. Does not wait whether it grows.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(&self, base: &Path) -> Result<Health, IntakeError> {
        let mut listing = self.list(base)?;
        let files = self.chosen(&mut listing)?;
        let (n, bytes) = (files.len(), files.iter().map(|file| file.len).sum::<u64>());
        let modified = files.iter().filter_map(|file| file.modified).max().and_then(stamp);
        let parts = files.iter().take(LISTED_MAX).map(|file| file.name.clone()).collect();
        let rows = rows::FolderRows::new(self.clone(), listing, files)?;
        Ok(Health {
            said: Said::new(
                format!("thư mục có {n} tệp sẽ đọc, {bytes} byte"),
                format!("folder with {n} files to read, {bytes} bytes"),
            ),
            bytes: Some(bytes),
            modified,
            parts,
            columns: rows.columns().to_vec(),
            remarks: rows.remarks(),
            rows_estimate: None,
        })
    }

    fn list(&self, base: &Path) -> Result<Listing, IntakeError> {
        let path = self.file.as_ref().map(FileForm::path).filter(|path| !path.as_os_str().is_empty());
        if path.is_some() {
            return Err(IntakeError::origin(
                "`[file]` của một thư mục không có `path`; hãy bỏ dòng đó",
                "`[file]` of a folder has no `path`; take that line out",
            ));
        }
        Listing::new(&located(base, &self.path)?, &self.path, &self.files, self.take)
    }

    fn chosen(&self, listing: &mut Listing) -> Result<Vec<Listed>, IntakeError> {
        let mut files = std::mem::take(&mut listing.files);
        if self.take == Take::Newest {
            let newest = files.into_iter().max_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
            files = newest.into_iter().collect();
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        if !files.is_empty() {
            return Ok(files);
        }
        let (path, pattern) = (self.path.display(), &self.files);
        Err(IntakeError::unreachable(
            format!("thư mục `{path}` chưa có tệp `{pattern}` nào đã ghi xong"),
            format!("the folder `{path}` has no file `{pattern}` that is written to its end yet"),
        ))
    }
}

/// Most names that a health check or a remark lists.
const LISTED_MAX: usize = 20;

#[cfg(test)]
mod tests;
