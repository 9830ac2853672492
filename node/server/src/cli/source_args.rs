//! The words of `tram source …`, as types.

use std::path::PathBuf;

use clap::Subcommand;

/// `tram source …`
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Try a description: reach what it names, and show the first rows. Needs no node and keeps nothing.
    Check {
        /// The description (TOML).
        file: PathBuf,
        /// Rows to show.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=1_000))]
        rows: u64,
        /// A contract (YAML): where the description has a mapping, the rows are shown in its columns as well.
        #[arg(long, value_name = "FILE")]
        contract: Option<PathBuf>,
    },
    /// List the datasets whose rows are fetched, and how the last look went.
    List,
    /// Show how the last look at a source went, what its rows look like and how they keep the contract.
    Show {
        /// Dataset name.
        dataset: String,
    },
    /// Fetch the rows of a dataset now, check them against its contract, and serve them from then on.
    Refresh {
        /// Dataset name.
        dataset: String,
    },
}
