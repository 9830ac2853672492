//! The words of `tram policy …`, as types; those of drafts and people are in `life_args`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::life_args::{ApplyArgs, LifeCommand};
use super::policy_impact::{DiffArgs, ImpactArgs, WhoArgs};

/// `tram policy …`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Make a draft, or a folder, the rule set in force.
    Apply(ApplyArgs),
    /// Drafts, approvals, rollback, history.
    #[command(flatten)]
    Life(LifeCommand),
    /// Run the test table of a rule set.
    Test {
        /// Folder with the rule set.
        folder: PathBuf,
        /// Change each rule in turn and name the changes that no case notices.
        #[arg(long)]
        mutation: bool,
    },
    /// Look rules over: what is never heard, too wide, unknown, expired, or without a reason.
    Lint(super::policy_lint::LintArgs),
    /// Hold the rules in force against a legal pack, clause by clause, with evidence (exit code 1 when one lost its rule).
    Compliance(ComplianceArgs),
    /// Legal packs that ship with the program.
    #[command(subcommand)]
    Pack(PackCommand),
    /// Show the rule set in force.
    Show,
    /// Write the rule set in force to a folder, to be edited and applied again.
    Export {
        /// Folder to write.
        folder: PathBuf,
        /// An earlier version, as receipts and the ledger name it [default: the one in force].
        #[arg(long, value_name = "N")]
        version: Option<u64>,
    },
    /// Replay recorded questions against a draft: what it would change, for whom.
    Impact(ImpactArgs),
    /// Who can see a dataset, or what an agency can see.
    Who(WhoArgs),
    /// What differs between two rule sets, and whether it opens or closes.
    Diff(DiffArgs),
    /// Rules as ODRL, and ODRL as the draft of a rule set.
    #[command(subcommand)]
    Odrl(super::policy_odrl::OdrlCommand),
    /// Decide a question and say why.
    Explain {
        /// Participant that asks.
        #[arg(long)]
        subject: String,
        /// Dataset of this node.
        #[arg(long)]
        dataset: String,
        /// discover, metadata, query, download or subscribe.
        #[arg(long, default_value = "query")]
        action: String,
        /// Purpose.
        #[arg(long)]
        purpose: Option<String>,
        /// Legal basis.
        #[arg(long)]
        basis: Option<String>,
        /// Agreement.
        #[arg(long)]
        agreement: Option<String>,
    },
    /// Decide many questions as the node would now; nothing is done and nothing is kept.
    Decide {
        /// File with a JSON object on each line: subject, dataset, action, and where wanted purpose, basis, agreement.
        #[arg(long = "in", value_name = "QUESTIONS.ndjson")]
        file: PathBuf,
    },
}

/// `tram policy compliance`
#[derive(Debug, Args)]
pub struct ComplianceArgs {
    /// The pack: vn or eu [default: of the legal order that the rules are written for].
    #[arg(long, value_name = "NAME")]
    pub pack: Option<String>,
    /// Hold the rules of this folder against it instead, without a node and without evidence.
    #[arg(long, value_name = "FOLDER")]
    pub rules: Option<PathBuf>,
    /// Each clause in full, with what is left to people.
    #[arg(long)]
    pub all: bool,
}

/// `tram policy pack …`
#[derive(Debug, Subcommand)]
pub enum PackCommand {
    /// The packs that there are.
    List,
    /// One pack with all its clauses.
    Show {
        /// vn or eu.
        name: String,
    },
    /// Write a pack to a folder: rules to begin with, its matrix and texts.
    Export {
        /// vn or eu.
        name: String,
        /// Folder to write.
        folder: PathBuf,
    },
    /// Check a folder as a pack: no clause without rule and test, no rule without clause.
    Check {
        /// Folder with pack.toml, matrix.toml and the files of a rule set.
        folder: PathBuf,
    },
}
