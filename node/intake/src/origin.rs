//! Where rows are: the description that a steward writes, `origin.toml`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::http::Http;
use crate::postgres::Postgresql;
use crate::s3::S3;
use crate::sqlite::Sqlite;
use crate::{ExcelOrigin, FolderOrigin, Health, IntakeError, JsonOrigin, Rows, Secret, TextOrigin};

/// Where the rows of a dataset are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Origin {
    /// CSV and its relatives.
    Text(TextOrigin),
    /// NDJSON, or a JSON document with records in it.
    Json(JsonOrigin),
    /// A sheet of a workbook.
    Excel(ExcelOrigin),
    /// A folder of such files.
    Folder(FolderOrigin),
    /// A table or a query of a PostgreSQL server.
    Postgresql(Postgresql),
    /// A table or a query of a SQLite file.
    Sqlite(Sqlite),
    /// JSON or CSV by HTTP, perhaps in pages.
    Http(Http),
    /// An object of an S3-compatible store.
    S3(S3),
}

impl Origin {
    /// Reads a description.
    ///
    /// # Errors
    /// [`IntakeError::Origin`] that names what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, IntakeError> {
        let origin: Self = toml::from_str(text).map_err(|e| {
            // Not the error's own text, which quotes the line: somebody may have written a password there.
            let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let (line, why) = (before.matches('\n').count() + 1, e.message());
            IntakeError::origin(
                format!("bản mô tả nguồn không đọc được, từ dòng {line}: {why}"),
                format!("the description of the source cannot be read, from line {line} on: {why}"),
            )
        })?;
        match &origin {
            Self::Postgresql(it) => it.validate()?,
            Self::Sqlite(it) => it.validate()?,
            Self::Http(it) => it.validate()?,
            Self::S3(it) => it.validate()?,
            Self::Text(_) | Self::Json(_) | Self::Excel(_) | Self::Folder(_) => {}
        }
        Ok(origin)
    }

    /// Opens the origin. Paths in it are taken from `base`.
    ///
    /// # Errors
    /// Every [`IntakeError`].
    pub fn open(&self, base: &Path) -> Result<Box<dyn Rows>, IntakeError> {
        match self {
            Self::Text(it) => it.open(base),
            Self::Json(it) => it.open(base),
            Self::Excel(it) => it.open(base),
            Self::Folder(it) => it.open(base),
            Self::Postgresql(it) => it.open(base),
            Self::Sqlite(it) => it.open(base),
            Self::Http(it) => it.open(base),
            Self::S3(it) => it.open(base),
        }
    }

    /// Looks whether the origin can be opened, and says what is there. Cheap: rows are not read.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(&self, base: &Path) -> Result<Health, IntakeError> {
        let mut health = self.look(base)?;
        health.remarks.extend(self.secrets().into_iter().filter_map(|secret| secret.remark(base)));
        Ok(health)
    }

    /// The credentials that it names.
    fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::Postgresql(it) => it.password.iter().collect(),
            Self::Http(it) => it.bearer.iter().chain(it.headers.values()).collect(),
            Self::S3(it) => vec![&it.access_key, &it.secret_key],
            Self::Text(_) | Self::Json(_) | Self::Excel(_) | Self::Folder(_) | Self::Sqlite(_) => Vec::new(),
        }
    }

    fn look(&self, base: &Path) -> Result<Health, IntakeError> {
        match self {
            Self::Text(it) => it.check(base),
            Self::Json(it) => it.check(base),
            Self::Excel(it) => it.check(base),
            Self::Folder(it) => it.check(base),
            Self::Postgresql(it) => it.check(base),
            Self::Sqlite(it) => it.check(base),
            Self::Http(it) => it.check(base),
            Self::S3(it) => it.check(base),
        }
    }
}
