//! Logs: to stderr, levels by `TRAM_LOG` (for example `TRAM_LOG=debug`), as JSON with `TRAM_LOG_FORMAT=json`.
//!
//! What is never logged: tokens, keys, rows, values of filters, bodies.

use tracing_subscriber::EnvFilter;

/// Starts logging. A serving node tells its steps; a one-shot command only warnings.
pub fn start(serving: bool) {
    let default = if serving { "info" } else { "error" };
    let filter = EnvFilter::try_from_env("TRAM_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start in one process (tests) keeps the first.
    let _ = if std::env::var("TRAM_LOG_FORMAT").is_ok_and(|f| f == "json") {
        builder.json().try_init()
    } else {
        builder.with_ansi(false).try_init()
    };
}
