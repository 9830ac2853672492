//! What a statement on an agency's file may do: read, for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use crate::limits::{COLUMNS_MAX, QUERY_BYTES_MAX, ROW_BYTES_MAX};
use crate::remote::Deadline;

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 50_000;

/// Takes every right but reading from the connection.
pub(super) fn restrict(
    db: &mut Connection,
    deadline: Deadline,
    stop: Arc<AtomicBool>,
) -> Result<(), rusqlite::Error> {
    db.busy_timeout(Duration::from_secs(5))?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    // Else a column that is missing reads as a text of its own name.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "mmap_size", 0)?;
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, ROW_BYTES_MAX),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, QUERY_BYTES_MAX + 1),
        (Limit::SQLITE_LIMIT_COLUMN, COLUMNS_MAX),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
    ] {
        db.set_limit(limit, i32::try_from(value).unwrap_or(i32::MAX))?;
    }
    let late = move || stop.load(Ordering::Relaxed) || deadline.left(Duration::MAX).is_err();
    db.progress_handler(STEPS, Some(late))?;
    db.authorizer(Some(allowed))
}

fn allowed(asked: AuthContext<'_>) -> Authorization {
    match asked.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } => {
            let name = function_name.to_ascii_lowercase();
            if name == "load_extension" || name == "fts3_tokenizer" {
                Authorization::Deny
            } else {
                Authorization::Allow
            }
        }
        _ => Authorization::Deny,
    }
}
