//! The words of `tram receipt …` and `tram escrow …`, as types.

use std::path::PathBuf;

use clap::Subcommand;

/// `tram receipt …`
#[derive(Debug, Subcommand)]
pub enum ReceiptCommand {
    /// Verify a receipt: no network, no node.
    Verify {
        /// The receipt (.tlog-proof).
        file: PathBuf,
        /// Registry to trust; once for each version where a party's keys were replaced (registry-N.json in the node's
        /// folder) [default: the one that rides in the receipt, whose fingerprint is shown].
        #[arg(long, value_name = "FILE")]
        registry: Vec<PathBuf>,
        /// Data to compare with the receipt: the rows that were received.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// Trust policy (C2SP tlog-policy, as `tram ledger trust` prints it) whose quorum must have cosigned.
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
        /// Folder with the rule set that decided: decides the question anew and compares (receipts of decisions only).
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
    },
}

/// `tram escrow …`
#[derive(Debug, Subcommand)]
pub enum EscrowCommand {
    /// Make an auditor's key pair: the secret half in a private file, the public half as one line (and in FILE.pub).
    Key {
        /// File for the secret half.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Open what a consumer handed over: rows of a provider that took the acknowledgement and gave no key. Exit code 4
    /// when it does not hold, or when the provider sealed something else than it signed.
    Open {
        /// The file that `tram exchange handover` wrote.
        file: PathBuf,
        /// The auditor's secret key, as `tram escrow key` wrote it.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Registry to trust; once for each version where a party's keys were replaced.
        #[arg(long, value_name = "FILE", required = true)]
        registry: Vec<PathBuf>,
        /// File for the rows.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}
