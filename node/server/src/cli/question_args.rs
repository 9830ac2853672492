//! The words of `tram question …`, as types.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::FormatArg;

/// `tram question …`
#[derive(Debug, Subcommand)]
pub enum QuestionCommand {
    /// Ask, and bring home the joined result with its report and the receipts of every source.
    Ask(QuestionAskArgs),
    /// Bring home the result of a question that was asked before.
    Fetch {
        /// Its id.
        question: String,
        /// Where the result goes; report and receipts beside it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// How long to wait for the end, seconds.
        #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
        wait: u64,
    },
    /// Destroy the result of a question, its search values, and what opens the entries of it and of all its exchanges in the
    /// ledger, for good. The entries stay; the other parties erase for themselves, files taken home are yours to delete.
    Erase {
        /// Its id.
        question: String,
        /// Why: retention (its time is over), request (of the person concerned), order (of an authority).
        #[arg(long)]
        reason: String,
    },
    /// All questions, the newest first.
    List,
    /// One question, with what became of each source.
    Show {
        /// Its id.
        question: String,
    },
}

/// `tram question ask`
#[derive(Debug, Args)]
pub struct QuestionAskArgs {
    /// The question: TOML or JSON (docs/questions.md).
    pub file: PathBuf,
    /// Form of the result [default: as the file says, or csv].
    #[arg(long, value_enum)]
    pub format: Option<FormatArg>,
    /// Where the result goes; report and receipts beside it.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How long to wait for the end, seconds; the question goes on afterwards (exit code 6).
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    pub wait: u64,
}
