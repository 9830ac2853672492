//! HTTP: JSON or CSV by GET, at once or in pages.
//!
//! **How.** HTTPS (HTTP only inside a private network, when the origin says so), credentials in headers, no proxy, no
//! cookies, no compression. Redirects and next pages are followed only on the same server, so credentials go nowhere
//! else. 429 and 503 are tried again a few times, no sooner than `Retry-After` says up to a minute.
//!
//! **What it is not.** It takes no consistent picture of a server whose data changes between two pages: no HTTP
//! interface promises one. It reads UTF-8 only.

pub(crate) mod client;
mod paging;
mod rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use paging::Paging;

use crate::limits::{CHECK_SECONDS, READ_SECONDS};
use crate::remote::{Deadline, check_columns, quoted};
use crate::{Health, IntakeError, Rows, Said, Secret};

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// An array of objects.
    Json,
    /// A header and records, UTF-8, commas.
    Csv,
}

/// Records that a server gives by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address of the first page.
    pub url: String,
    /// What a page is.
    pub format: Format,
    /// Where the array of records is in a JSON page, such as `data.items`; the page itself without it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub records: String,
    /// Columns to take, in this order; names of nested objects are joined by dots. Without it: those of the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// How further pages are found.
    #[serde(default)]
    pub paging: Paging,
    /// A token for the header `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<Secret>,
    /// Further headers, such as `X-Api-Key`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
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

fn default_seconds() -> u64 {
    READ_SECONDS
}

impl Http {
    /// Looks for what contradicts itself.
    ///
    /// # Errors
    /// [`IntakeError::Origin`].
    pub fn validate(&self) -> Result<(), IntakeError> {
        client::address(&self.url, self.allow_http)?;
        if let Some(columns) = &self.columns {
            check_columns(columns)?;
        }
        for name in self.headers.keys() {
            let usable = ureq::http::HeaderName::from_bytes(name.as_bytes()).is_ok();
            let taken = ["host", "content-length", "transfer-encoding", "accept-encoding", "connection"];
            if !usable || taken.iter().any(|taken| name.eq_ignore_ascii_case(taken)) {
                let name = quoted(name);
                return Err(IntakeError::origin(
                    format!("không dùng được tên trong `headers`: `{name}`"),
                    format!("`headers` cannot have this name: `{name}`"),
                ));
            }
        }
        let csv = self.format == Format::Csv;
        let zero = matches!(self.paging, Paging::Offset { limit: 0, .. });
        if zero || csv && (matches!(self.paging, Paging::Next { .. }) || !self.records.is_empty()) {
            return Err(IntakeError::origin(
                "CSV không có `records` hay trang kế trong thân; `limit` phải lớn hơn 0",
                "CSV has no `records` and no next page in its body; `limit` is above 0",
            ));
        }
        Ok(())
    }

    /// Asks for the first page.
    ///
    /// # Errors
    /// Every [`IntakeError`].
    pub fn open(&self, base: &Path) -> Result<Box<dyn Rows>, IntakeError> {
        self.validate()?;
        let rows = rows::HttpRows::open(self, base, Deadline::after(self.seconds_max))?;
        Ok(Box::new(rows))
    }

    /// Asks for the first page and says what is there.
    ///
    /// # Errors
    /// Every [`IntakeError`].
    pub fn check(&self, base: &Path) -> Result<Health, IntakeError> {
        self.validate()?;
        let rows = rows::HttpRows::open(self, base, Deadline::after(CHECK_SECONDS.min(self.seconds_max)))?;
        let columns = rows.columns().to_vec();
        let (host, n) = (quoted(rows.host()), columns.len());
        let found = Said::new(
            format!("{host}: trang đầu đọc được, {n} cột"),
            format!("{host}: the first page can be read, {n} columns"),
        );
        Ok(Health { said: found, columns, ..Health::default() })
    }
}
