//! S3: one object of a store that speaks S3, or the newest below a prefix.
//!
//! **How.** Requests are signed (Signature Version 4, in the address, path-style) and asked of that one server. The
//! object is fetched into a temporary file, compared with the length, tag and checksum that the store gives, and only
//! then read as CSV or lines of JSON.
//!
//! **What it is not.** It writes nothing to a store and lists no buckets. It reads UTF-8 only.

mod object;
mod rows;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::http::client::address;
use crate::limits::{CHECK_SECONDS, READ_SECONDS};
use crate::remote::{Deadline, check_columns, quoted};
use crate::{Health, IntakeError, Rows, Said, Secret};

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A header and records, UTF-8, commas.
    Csv,
    /// An object of JSON in each line.
    Ndjson,
}

/// Which object below a prefix is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Newest {
    /// The last by name: for names that carry their day, such as `2026-11-23.csv`.
    #[default]
    Name,
    /// The last that was written.
    Time,
}

/// An object of an S3-compatible store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// Address of the server, without the bucket.
    pub endpoint: String,
    /// Its region; many stores take any.
    #[serde(default = "default_region")]
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Key of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// In place of `key`: the newest object whose key begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What the newest is.
    #[serde(default)]
    pub newest: Newest,
    /// Where the access key is.
    pub access_key: Secret,
    /// Where the secret key is.
    pub secret_key: Secret,
    /// What the object is.
    pub format: Format,
    /// Columns to take, in this order; without it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// PEM file with the authorities that may vouch for the server; without it the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Lets HTTP pass inside a private network.
    #[serde(default)]
    pub allow_http: bool,
    /// Longest time of one reading, seconds.
    #[serde(default = "default_seconds")]
    pub seconds_max: u64,
}

fn default_region() -> String {
    "us-east-1".into()
}

fn default_seconds() -> u64 {
    READ_SECONDS
}

impl S3 {
    /// Looks for what contradicts itself.
    ///
    /// # Errors
    /// [`IntakeError::Origin`].
    pub fn validate(&self) -> Result<(), IntakeError> {
        let url = address(&self.endpoint, self.allow_http)?;
        if let Some(columns) = &self.columns {
            check_columns(columns)?;
        }
        let one = self.key.is_some() != self.prefix.is_some() && self.key.as_deref() != Some("");
        // A bucket is one part of the path.
        let bucket = self.bucket.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if one && bucket && self.bucket.len() >= 3 && url.query().is_none() {
            return Ok(());
        }
        Err(IntakeError::origin(
            "cần `bucket` hợp lệ và đúng một trong hai: `key` hoặc `prefix`; `endpoint` không có phần sau dấu ?",
            "a valid `bucket` and exactly one of `key` and `prefix` are needed; `endpoint` has no query",
        ))
    }

    /// Fetches the object and opens it.
    ///
    /// # Errors
    /// Every [`IntakeError`].
    pub fn open(&self, base: &Path) -> Result<Box<dyn Rows>, IntakeError> {
        self.validate()?;
        let file = object::Store::new(self, base, Deadline::after(self.seconds_max))?.fetch()?;
        Ok(Box::new(rows::S3Rows::open(self, file)?))
    }

    /// Finds the object and says which it is. It is not fetched, so its columns are not known.
    ///
    /// # Errors
    /// Every [`IntakeError`].
    pub fn check(&self, base: &Path) -> Result<Health, IntakeError> {
        self.validate()?;
        let deadline = Deadline::after(CHECK_SECONDS.min(self.seconds_max));
        let found = object::Store::new(self, base, deadline)?.find()?;
        let (key, bytes) = (quoted(&found.key), found.bytes);
        let found = Said::new(
            format!("S3: có `{key}`, {bytes} byte"),
            format!("S3: there is `{key}`, {bytes} bytes"),
        );
        let columns = self.columns.clone().unwrap_or_default();
        Ok(Health { said: found, columns, ..Health::default() })
    }
}
