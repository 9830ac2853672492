//! PostgreSQL: a table, or one query, read in a read-only transaction.
//!
//! **How.** One connection (TLS unless the server is on this machine), one `REPEATABLE READ READ ONLY` transaction: all
//! rows are of one moment. A cursor gives rows in batches and they are taken from the socket one by one, so memory does
//! not grow with the table; a row larger than the limit ends the reading. Names are quoted; a query is prepared by the
//! server as one statement before anything runs. The server's own text form is taken for values, so numerics are exact.
//!
//! **What it is not.** It pushes nothing of a consumer's question down but in a live reading (`live`), and it does not replace the rights of the role:
//! give it `SELECT` on what it reads and nothing else; [`Postgresql::check`] says when it has more.

mod budget;
mod check;
mod connect;
mod live;
mod rows;
mod session;
mod sql;
mod types;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits::READ_SECONDS;
use crate::{Health, IntakeError, Rows, Secret};

/// Whether the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// TLS with a certificate that is checked.
    #[default]
    Require,
    /// None: only to a server on this machine (a socket's folder, `localhost`, `127.0.0.1`, `::1`).
    Off,
}

/// A table or a query of a PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgresql {
    /// Name or address of the server; a path is the folder of its socket.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// The role that reads.
    pub user: String,
    /// Where its password is; none when the server knows the role otherwise (a socket with `peer`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Encryption.
    #[serde(default)]
    pub tls: Tls,
    /// PEM file with the authorities that may vouch for the server; without it the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// `schema.table`, as the server lists the names; a part with a dot in it stands in double quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Columns of the table to take, in this order; without it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// One `SELECT` or `WITH` statement, in place of `table`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Longest time of one reading, seconds.
    #[serde(default = "default_seconds")]
    pub seconds_max: u64,
}

fn default_port() -> u16 {
    5432
}

fn default_seconds() -> u64 {
    READ_SECONDS
}

impl Postgresql {
    /// Looks for what contradicts itself.
    ///
    /// # Errors
    /// [`IntakeError::Origin`].
    pub fn validate(&self) -> Result<(), IntakeError> {
        connect::Target::of(self)?;
        sql::Reading::of(self).map(|_| ())
    }

    /// Opens it.
    ///
    /// # Errors
    /// Every [`IntakeError`].
    pub fn open(&self, base: &Path) -> Result<Box<dyn Rows>, IntakeError> {
        rows::PostgresRows::open(self, base).map(|rows| Box::new(rows) as Box<dyn Rows>)
    }

    /// Logs in and says what is there: the server's version, columns, an estimate of rows, rights that are too wide.
    ///
    /// # Errors
    /// Every [`IntakeError`].
    pub fn check(&self, base: &Path) -> Result<Health, IntakeError> {
        check::check(self, base)
    }
}
