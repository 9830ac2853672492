//! The words of `tram ledger …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `tram ledger …`
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Check every entry, tile, statement and the signed checkpoint; name the first bad thing (exit code 4).
    Verify(PlaceArgs),
    /// Show the newest signed checkpoint.
    Checkpoint,
    /// Move the bytes of old entries to another storage; the tree stays whole, and every proof still verifies.
    Archive {
        /// Entries written before this date or time (UTC), such as 2026-01-01.
        #[arg(
            long,
            value_name = "DATE",
            required_unless_present = "before_entry",
            conflicts_with = "before_entry"
        )]
        before: Option<String>,
        /// Entries before this index.
        #[arg(long, value_name = "N")]
        before_entry: Option<u64>,
        /// Folder that takes them.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Bring archived entries back.
    Restore {
        /// Folder that took them.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
    /// Show who vouches for this ledger, what peers' ledgers say of themselves, and proofs of two histories.
    Witnesses,
    /// Print the trust policy of this ledger (C2SP tlog-policy): its key, its witnesses, their quorum.
    Trust,
    /// Judge a proof that a ledger signed two histories, or broke a promise of a place: no network, no node.
    Conflict {
        /// The proof (.conflict, .broken-promise).
        file: PathBuf,
        /// Registry to trust; once for each version where a party's keys were replaced.
        #[arg(long, value_name = "FILE", required = true)]
        registry: Vec<PathBuf>,
    },
    /// List entries.
    List {
        /// From this index.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u64,
        /// Who reads, for the node's own record of it [default: the user of this machine].
        #[arg(long, value_name = "NAME")]
        reader: Option<String>,
    },
    /// Ask the ledger: entries by agency, dataset, purpose, effect, days, words; each proved to stand in the signed tree.
    Query(Box<QueryArgs>),
    /// Write one file for an auditor, which proves itself without this node.
    Export(Box<ExportArgs>),
    /// Hold two agencies' ledgers against each other (exit code 4 when they differ).
    Reconcile(ReconcileArgs),
    /// Follow a log as a monitor does; a rollback or a fork is told, kept, and ends with exit code 4.
    Watch(WatchArgs),
}

/// Whom to believe, and how to get in.
#[derive(Debug, Clone, Args)]
pub struct AccessArgs {
    /// File with keys: a registry, a node's descriptor, or lines of verifier keys; repeat for more [default for a node's
    /// folder and a bundle: those found there].
    #[arg(long, value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Verifier key of a log, witness or agency (NAME+ID+BASE64); repeat for more.
    #[arg(long, value_name = "KEY")]
    pub vkey: Vec<String>,
    /// Trust policy (C2SP tlog-policy): logs, witnesses and how many of them must have cosigned; `verify` demands it.
    #[arg(long = "trust", value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// How old cosignatures may be for --trust, in hours [default: any age].
    #[arg(long, value_name = "HOURS", requires = "policy")]
    pub max_age: Option<u64>,
    /// Roots of time-stamping authorities, PEM; for a folder that is not of a node with a configuration.
    #[arg(long, value_name = "FILE")]
    pub stamp_roots: Option<PathBuf>,
    /// Folder that took archived entries; without it they are left out.
    #[arg(long, value_name = "DIR")]
    pub archive: Option<PathBuf>,
    /// TLS roots for an https:// address, PEM [default: the system's].
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// File with the bearer token for an address [default: the environment's TRAM_LEDGER_TOKEN].
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// One ledger.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// Where the ledger lies: a node's folder, a mirror (folder with `checkpoint` and `tile/`), an address of either, or
    /// an exported bundle [default: the node of --dir].
    #[arg(value_name = "WHERE")]
    pub place: Option<String>,
    /// Keys and access.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EffectArg {
    /// Permitted.
    Permit,
    /// Refused.
    Deny,
}

/// `tram ledger query`
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The ledger.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Agency that provides, asks, signs or reads: its id, or a part of its name ("so y te" finds "Sở Y tế").
    #[arg(long)]
    pub agency: Option<String>,
    /// Dataset, with or without its owner and version.
    #[arg(long)]
    pub dataset: Option<String>,
    /// Purpose.
    #[arg(long)]
    pub purpose: Option<String>,
    /// What was decided.
    #[arg(long, value_enum)]
    pub effect: Option<EffectArg>,
    /// First day, UTC (2026-11-01), or moment (RFC 3339).
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// Last day, UTC, included.
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    /// Kinds of entry: exchange, intent, ack, interrupted, decision, policy, audit, erasure, anchor, conflict,
    /// broken-promise, own-read, linkage.
    #[arg(long, value_delimiter = ',')]
    pub kind: Vec<String>,
    /// Words that must all occur in the entry or in the agencies' names; marks and case may be left out.
    #[arg(long, value_name = "WORDS")]
    pub text: Option<String>,
    /// Only entries behind this index.
    #[arg(long, value_name = "INDEX")]
    pub after: Option<u64>,
    /// At most so many [default: all].
    #[arg(long)]
    pub limit: Option<u64>,
    /// As comma-separated values.
    #[arg(long, conflicts_with = "ndjson")]
    pub csv: bool,
    /// One JSON object a line.
    #[arg(long)]
    pub ndjson: bool,
    /// Who reads, for the node's own record of it [default: the user of this machine].
    #[arg(long, value_name = "NAME")]
    pub reader: Option<String>,
}

/// `tram ledger export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Days, UTC, both included: 2026-11-01..2026-11-30; either may be left out.
    #[arg(long, value_name = "FROM..TO")]
    pub period: String,
    /// Who gets it.
    #[arg(long = "for", value_name = "AUDITOR")]
    pub made_for: String,
    /// For which purpose.
    #[arg(long)]
    pub purpose: Option<String>,
    /// Only these exchanges.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub exchange: Vec<String>,
    /// Fields to open, of the exchanges named: request, response, user, subject, case. All others stay closed.
    #[arg(long, value_name = "FIELD", value_delimiter = ',', requires = "exchange")]
    pub open: Vec<String>,
    /// Folder with archived entries, where the period reaches into them.
    #[arg(long, value_name = "DIR")]
    pub archive: Option<PathBuf>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `tram ledger reconcile`
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// One agency's ledger: a folder, mirror, address or bundle.
    pub a: String,
    /// The other's.
    pub b: String,
    /// Only exchanges of these days, UTC, both included: FROM..TO.
    #[arg(long, value_name = "FROM..TO")]
    pub period: Option<String>,
    /// Who reads, for the node's own record of it [default: the user of this machine].
    #[arg(long, value_name = "NAME")]
    pub reader: Option<String>,
    /// Keys and access.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// `tram ledger watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Where the ledger lies.
    #[arg(value_name = "WHERE")]
    pub place: String,
    /// Pause between two rounds, seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400), value_name = "SECONDS")]
    pub interval: u64,
    /// File for the last verified checkpoint [default: tram-watch-….checkpoint in this folder].
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// One round, then end.
    #[arg(long)]
    pub once: bool,
    /// Who reads, for the node's own record of it [default: the user of this machine].
    #[arg(long, value_name = "NAME")]
    pub reader: Option<String>,
    /// Keys and access.
    #[command(flatten)]
    pub access: AccessArgs,
}
