//! `tram`: one node of an agency. Words in, exit code out; the work is in the library beside this file.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tram::cli::run().await
}
