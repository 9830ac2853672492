//! One login and its read-only transaction, for callers that block.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::budget::Budget;
use super::{Postgresql, connect};
use crate::limits::STEP_SECONDS;
use crate::remote::{Deadline, quoted, too_slow};
use crate::{IntakeError, Said};

/// A login whose transaction can only read.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) budget: Budget,
    deadline: Deadline,
    // Last: it drives the connection, and drops it.
    runtime: Runtime,
}

impl Session {
    /// Logs in and begins the transaction, for at most so many seconds.
    pub(super) fn begin(origin: &Postgresql, base: &Path, seconds: u64) -> Result<Self, IntakeError> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|e| IntakeError::unreachable(e.to_string(), e.to_string()))?;
        let budget = Budget::new();
        let client = runtime.block_on(connect::connect(origin, base, budget.clone()))?;
        let session = Self { client, budget, deadline: Deadline::after(seconds), runtime };
        let step = STEP_SECONDS.min(seconds).max(1);
        // The forms that `types` expects, whatever the role's own settings are.
        let begin = format!(
            "SET statement_timeout = '{step}s'; SET lock_timeout = '60s'; \
             SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET TimeZone = 'UTC'; \
             SET extra_float_digits = 1; SET bytea_output = 'hex'; \
             BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
        );
        session.wait(session.client.batch_execute(&begin))?;
        Ok(session)
    }

    /// Waits for a step of the server.
    pub(super) fn wait<T>(
        &self,
        step: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, IntakeError> {
        self.budget.renew();
        // The server stops a statement itself; this is for a server or a network that does not.
        let left = self.deadline.left(Duration::from_secs(STEP_SECONDS + 10))?;
        let done = self.runtime.block_on(async { tokio::time::timeout(left, step).await });
        done.map_err(|_| too_slow())?.map_err(|e| failed(&e, &self.budget))
    }

    /// The statement as the server understands it: it refuses more than one here, before anything runs.
    pub(super) fn prepare(&self, statement: &str) -> Result<Statement, IntakeError> {
        let prepared = self.wait(self.client.prepare(statement))?;
        if prepared.params().is_empty() {
            return Ok(prepared);
        }
        Err(IntakeError::origin(
            "`query` không được có tham số ($1, $2 …); hãy viết giá trị vào câu",
            "`query` has no parameters ($1, $2 …); write the values into it",
        ))
    }

    /// Opens the cursor over a prepared statement; the server refuses one here that writes. Nothing runs yet.
    pub(super) fn declare(&self, statement: &str, bound: &[&(dyn ToSql + Sync)]) -> Result<(), IntakeError> {
        // By the extended protocol, which takes one statement only.
        let cursor = format!("DECLARE tram NO SCROLL CURSOR FOR {statement}");
        self.wait(self.client.execute(&cursor, bound)).map(|_| ())
    }
}

/// What a failure of the server means to the steward.
pub(super) fn failed(error: &tokio_postgres::Error, budget: &Budget) -> IntakeError {
    if budget.spent() {
        return IntakeError::origin(
            "máy chủ gửi một dòng quá lớn; hãy bỏ các cột chứa tệp hoặc ảnh khỏi `columns`",
            "the server sent a row that is too large; leave columns with files or pictures out of `columns`",
        );
    }
    let Some(db) = error.as_db_error() else {
        return lost(error);
    };
    let (code, message) = (db.code().code(), quoted(db.message()));
    let said = |vi: &str, en: &str| {
        Said::new(
            format!("PostgreSQL báo ({code}): {message}. {vi}"),
            format!("PostgreSQL says ({code}): {message}. {en}"),
        )
    };
    let class = code.get(..2).unwrap_or_default();
    if *db.code() == SqlState::INSUFFICIENT_PRIVILEGE {
        IntakeError::Origin(said("Hãy cấp quyền SELECT cho vai trò này", "Grant SELECT to this role"))
    } else if class == "42" || class == "0A" || class == "25" {
        IntakeError::Origin(said(
            "Hãy xem lại `table`, `columns` hoặc `query`",
            "See `table`, `columns` or `query`",
        ))
    } else if class == "28" {
        IntakeError::Unreachable(said("Hãy xem lại `user` và mật khẩu", "See `user` and the password"))
    } else if *db.code() == SqlState::QUERY_CANCELED {
        IntakeError::Unreachable(said("Câu hỏi chạy quá lâu", "The query ran too long"))
    } else {
        IntakeError::Unreachable(said("Hãy thử lại sau", "Try again later"))
    }
}

/// What the client library says of a server without TLS.
const NO_TLS: &str = "does not support TLS";

/// The connection failed, or could not be trusted.
fn lost(error: &tokio_postgres::Error) -> IntakeError {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(next) = source {
        if !why.contains(&next.to_string()) {
            why = format!("{why}: {next}");
        }
        source = next.source();
    }
    let (hint_vi, hint_en) = match why.contains(NO_TLS) {
        true => (
            "; hãy bật TLS ở máy chủ, hoặc đặt `tls = \"off\"` nếu nó ở ngay trên máy này",
            "; switch TLS on at the server, or set `tls = \"off\"` if it is on this very machine",
        ),
        false => ("", ""),
    };
    IntakeError::unreachable(
        format!("mất kết nối hoặc không tin được máy chủ PostgreSQL: {why}{hint_vi}"),
        format!("the PostgreSQL server was lost or cannot be trusted: {why}{hint_en}"),
    )
}
