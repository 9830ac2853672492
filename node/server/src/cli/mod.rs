//! The command line: words in, one verb run, an exit code out.
//!
//! A verb talks to the node through [`client::Client`] and prints through [`out::Out`]; what a node does is decided in
//! the node, not here. Begin with [`run`].

mod approval;
pub mod args;
mod audit;
pub mod client;
mod connector;
mod dataset;
mod escrow;
mod exchange;
mod home;
mod init;
mod ledger;
pub mod ledger_args;
mod life;
pub mod life_args;
mod line;
mod linkage;
pub mod node_args;
pub mod out;
mod party;
mod peer;
pub mod peer_args;
mod person;
mod policy;
pub mod policy_args;
mod policy_compliance;
mod policy_decide;
pub mod policy_impact;
mod policy_lint;
mod policy_odrl;
pub mod proof_args;
mod question;
pub mod question_args;
mod receipt;
mod source;
pub mod source_args;
mod subscription;
mod witness;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;

use self::args::{Cli, Command, PolicyCommand};
use self::out::{Out, say};
use crate::error::{Error, Result};

/// Parses the words, runs the verb, tells the failure.
pub async fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let out = Out { json: cli.json };
    crate::telemetry::start(matches!(cli.command, Command::Serve));
    match verb(cli, out).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tell(&error, out);
            ExitCode::from(error.exit_code())
        }
    }
}

async fn verb(cli: Cli, out: Out) -> Result<u8> {
    // Absolute, so that what is kept (paths of sources, the guard file) means the same from every folder.
    let absolute = std::path::absolute(&cli.dir).map_err(|e| Error::io(&cli.dir, e))?;
    let dir = absolute.as_path();
    match cli.command {
        Command::Init(args) => init::init(dir, args, out),
        Command::Serve => init::serve(dir, out).await,
        Command::Status => init::status(dir, out).await,
        Command::Demo(args) => crate::demo::run(args, out).await,
        Command::Dataset(verb) => dataset::run(dir, verb, out).await,
        Command::Line(verb) => line::run(dir, verb, out).await,
        Command::Linkage(verb) => linkage::run(dir, verb, out).await,
        Command::Source(verb) => source::run(dir, verb, out).await,
        Command::Connector(verb) => connector::run(dir, verb, out).await,
        Command::Party(verb) => party::run(dir, verb, out).await,
        Command::Peer(verb) => peer::run(dir, verb, out).await,
        Command::Approval(verb) => approval::run(dir, verb, out).await,
        Command::Catalog(verb) => peer::catalog(dir, verb, out).await,
        Command::Exchange(verb) => exchange::run(dir, verb, out).await,
        Command::Question(verb) => question::run(dir, verb, out).await,
        Command::Subscription(verb) => subscription::run(dir, verb, out).await,
        Command::Receipt(verb) => receipt::run(verb, out),
        Command::Escrow(verb) => escrow::run(verb, out).await,
        Command::Ledger(verb) => ledger::run(dir, verb, out).await,
        Command::Policy(PolicyCommand::Odrl(verb)) => policy_odrl::run(dir, verb, out).await,
        Command::Policy(verb) => policy::run(dir, verb, out).await,
        Command::Person(verb) => person::run(dir, verb, out).await,
    }
}

/// Judges a receipt offline by the keys that ride in it; with `data`, also whether it is about that file.
pub fn verify_receipt(file: &Path, data: Option<&Path>) -> Result<Value> {
    receipt::verify(file, &[], data)
}

fn tell(error: &Error, out: Out) {
    if out.json {
        let problem = serde_json::to_value(error.problem()).unwrap_or_default();
        out.result(&problem, |_| String::new());
    }
    let detail = match error {
        // The person at this command line owns the machine: the cause helps.
        Error::Internal(cause) if !cause.is_empty() => format!("the node failed to do this: {cause}"),
        other => other.to_string(),
    };
    say(&format!("tram: {detail}"));
}
